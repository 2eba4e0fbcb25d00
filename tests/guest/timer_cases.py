# SPDX-License-Identifier: MIT
"""Timers in map values, run inside a machine: prints one JSON object (casework.py)."""

import errno
import os
import random
import struct
import time

import bpfsys as b
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R10,
    add_imm,
    alu64_imm,
    asm,
    call,
    exit_,
    jmp_imm,
    ld_func,
    ld_imm64,
    ld_map,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import EBUSY, EINVAL, ENOENT, ENOMEM, EPERM, LRU_ROOM, Cases, Prog, children, k32, s32, same
from programs.btf import timer_btf
from programs.case import Case

case = Cases()
LOOKUP, UPDATE, DELETE = 1, 2, 3
INIT, SET_CALLBACK, START, CANCEL = 169, 170, 171, 172
REALTIME, MONOTONIC, BOOTTIME = 0, 1, 7
VALUE, TIMER = 24, 8  # the number is at 0
EDEADLK = -errno.EDEADLK
NO_ELEMENT = 99
MS = 1000000


class TimerMap:
    """A map of timers, each beside a number."""

    def __init__(self, kind, entries=8, flags=0):
        blob, key, value = timer_btf()
        btf = b.check(b.btf_load(blob), "BTF_LOAD")
        self.fd = b.check(b.map_create(kind, 4, VALUE, entries, flags, btf=btf, btf_key=key, btf_value=value), "MAP_CREATE")
        os.close(btf)
        if kind != b.ARRAY:
            self.put(0)

    def put(self, key, number=0):
        return b.update(self.fd, k32(key), struct.pack("<QQQ", number, 0, 0))

    def number(self, key=0):
        found = b.lookup(self.fd, k32(key), VALUE)
        return found if isinstance(found, int) else struct.unpack("<Q", found[:8])[0]

    def wait(self, key, number, seconds=30):
        end = time.monotonic() + seconds
        while self.number(key) != number and time.monotonic() < end:
            time.sleep(0.005)
        same(self.number(key), number, "key %d" % key)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1


def element(fd, key=0):
    """R6: the value under @key, R7: its timer."""
    return [
        st(4, R10, -4, key), ld_map(R1, fd), mov(R2, R10), add_imm(R2, -4), call(LOOKUP),
        jmp_imm("ne", R0, 0, 2), mov_imm(R0, NO_ELEMENT), exit_(), mov(R6, R0), mov(R7, R0), add_imm(R7, TIMER),
    ]  # fmt: skip


def init(fd, clock=MONOTONIC):
    return [mov(R1, R7), ld_map(R2, fd), mov_imm(R3, clock), call(INIT)]


SET = [mov(R1, R7), ld_func(R2, "cb"), call(SET_CALLBACK)]
OUT_IF_WRONG = [jmp_imm("eq", R0, 0, 1), exit_()]


def start(ns, flags=0):
    return [mov(R1, R7), ld_imm64(R2, ns), mov_imm(R3, flags), call(START)]


CANCEL_IT = [mov(R1, R7), call(CANCEL)]
# what callbacks do: R1 map, R2 key, R3 value
COUNT = [ldx(8, R4, R3, 0), add_imm(R4, 1), stx(8, R3, 0, R4)]
DONE = [mov_imm(R0, 0), exit_()]


def begin(m, ns, key=0, clock=MONOTONIC):
    """All of it: from the look-up to the start."""
    return [*element(m.fd, key), *init(m.fd, clock), *OUT_IF_WRONG, *SET, *OUT_IF_WRONG, *start(ns)]


class Run(Prog):
    """A program and its callback."""

    def __init__(self, body, callback=COUNT, **fields):
        items = [*body, exit_()]
        if uses_callback(body):
            items += ["cb", *callback, *DONE]
        blob, records = Case("", "", asm(*items)).func_info()
        self.btf = b.check(b.btf_load(blob), "BTF_LOAD") if blob else -1
        if blob:
            self.records = b.buf(records)
            fields.update(
                prog_btf_fd=self.btf, func_info=b.addr(self.records), func_info_cnt=len(records) // 8, func_info_rec_size=8
            )
        super().__init__(*items, **fields)

    def __exit__(self, *_):
        self.close()

    def close(self):
        os.close(self.fd)
        if self.btf >= 0:
            os.close(self.btf)

    def result(self):
        return s32(struct.pack("<I", self.run()))


def do(*body, callback=COUNT):
    """Loads, runs once, closes: what it returned."""
    with Run(list(body), callback) as prog:
        return prog.result()


def uses_callback(body):
    return SET[1] in body


KINDS = ((b.ARRAY, 0), (b.HASH, 0), (b.HASH, b.F_NO_PREALLOC), (b.LRU_HASH, 0))
# number = key + 1, and the map is the element's: an update of another key by it
ARGUMENTS = [
    ldx(4, R4, R2, 0), add_imm(R4, 1), stx(8, R3, 0, R4),
    mov_imm(R5, 2), stx(4, R10, -4, R5), mov(R2, R10), add_imm(R2, -4), call(LOOKUP),
    jmp_imm("eq", R0, 0, 1), st(8, R0, 0, 77),
]  # fmt: skip


@case
def fires_with_its_arguments():
    for kind, flags in KINDS:
        for clock in (MONOTONIC, REALTIME, BOOTTIME):
            with TimerMap(kind, LRU_ROOM if kind == b.LRU_HASH else 8, flags) as m:
                if kind != b.ARRAY:
                    same((m.put(1), m.put(2)), (0, 0))
                same(do(*begin(m, MS, 1, clock), callback=ARGUMENTS), 0)
                m.wait(1, 2)
                m.wait(2, 77)
                time.sleep(0.02)
                same((m.number(0), m.number(1)), (0, 2), "once")


@case
def starts_itself_again():
    again = [*COUNT, jmp_imm("ge", R4, 5, 5), mov(R1, R3), add_imm(R1, TIMER), mov_imm(R2, 100000), mov_imm(R3, 0), call(START)]
    for kind, flags in KINDS:
        with TimerMap(kind, flags=flags) as m:
            same(do(*begin(m, 0), callback=again), 0)
            m.wait(0, 5)


@case
def not_before_its_time():
    with TimerMap(b.ARRAY) as m:
        same(do(*begin(m, 3600 * 1000 * MS)), 0)
        same(do(*element(m.fd), *SET, *start(400 * MS)), 0)
        begun = time.monotonic()
        time.sleep(0.05)
        same(m.number(), 0)
        m.wait(0, 1)
        took = time.monotonic() - begun
        assert took > 0.3, took


@case
def later_start_counts():
    with TimerMap(b.ARRAY) as m:
        same(do(*begin(m, 50 * MS), *start(3600 * 1000 * MS)), 0)
        time.sleep(0.2)
        same(m.number(), 0)
        same(do(*element(m.fd), *start(0)), 0)
        m.wait(0, 1)
        same(do(*element(m.fd), *start(1 << 63)), 0, "never")
        time.sleep(0.2)
        same(m.number(), 1)
        same(do(*element(m.fd), *CANCEL_IT), 1)


@case
def answers():
    with TimerMap(b.ARRAY) as m:
        there = element(m.fd)
        same(do(*there, *start(0)), EINVAL, "no timer yet")
        same(do(*there, *CANCEL_IT), EINVAL)
        same(do(*there, *SET), EINVAL)
        same(do(*there, *init(m.fd, 2)), EINVAL, "clock")
        same(do(*there, *init(m.fd, 16 + 1)), EINVAL, "flag")
        same(do(*there, *init(m.fd)), 0)
        same(do(*there, *init(m.fd)), EBUSY)
        same(do(*there, *start(0)), EINVAL, "no callback yet")
        same(do(*there, *CANCEL_IT), 0)
        same(do(*there, *SET), 0)
        same(do(*there, *start(0, 1)), EINVAL, "flag")
        same(do(*there, *start(3600 * 1000 * MS)), 0)
        same(do(*there, *CANCEL_IT), 1)
        same(do(*there, *CANCEL_IT), 0)
        same(do(*there, *start(0)), EINVAL, "the callback went, too")
        time.sleep(0.05)
        same(m.number(), 0)


@case
def cancels_itself():
    """Not from its own callback, which would wait for itself."""
    with TimerMap(b.ARRAY) as m:
        own = [mov(R6, R3), mov(R1, R3), add_imm(R1, TIMER), call(CANCEL), stx(8, R6, 0, R0)]
        same(do(*begin(m, 0), callback=own), 0)
        m.wait(0, EDEADLK & (1 << 64) - 1)


@case
def deletes_its_own_element():
    gone = [call(DELETE)]
    for kind, flags in KINDS[1:]:
        with TimerMap(kind, flags=flags) as m:
            same(do(*begin(m, MS), callback=gone), 0)
            m.wait(0, ENOENT)
            same(m.put(0), 0)
            same(do(*element(m.fd), *init(m.fd)), 0, "a new one")


@case
def replaced_and_deleted_are_cancelled():
    for kind, flags in KINDS:
        with TimerMap(kind, flags=flags) as m:
            same(do(*begin(m, 60 * MS)), 0)
            same(m.put(0), 0)
            same(do(*element(m.fd), *start(0)), EINVAL, "replaced")
            same(do(*begin(m, 60 * MS)), 0)
            if kind != b.ARRAY:
                same(b.delete(m.fd, k32(0)), 0)
                same(m.put(0), 0)
                same(do(*element(m.fd), *start(0)), EINVAL, "deleted")
            else:
                same(m.put(0), 0)
            time.sleep(0.2)
            same(m.number(), 0)


@case
def evicted_are_cancelled():
    with b.on_one_cpu(), TimerMap(b.LRU_HASH, 4) as m:
        same(do(*begin(m, 100 * MS), callback=[st(8, R3, 0, 13)]), 0)
        some_key = [call(7), alu64_imm("and", R0, 127), add_imm(R0, 1), stx(4, R10, -4, R0), mov(R2, R10), add_imm(R2, -4)]
        more = [
            st(8, R10, -32, 0), st(8, R10, -24, 0), st(8, R10, -16, 0), *some_key, ld_map(R1, m.fd), mov(R3, R10), add_imm(R3, -32),
            mov_imm(R4, 0), call(UPDATE), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4), call(LOOKUP), mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*more) as prog:
            for _ in range(50):
                if m.number(0) == ENOENT:
                    break
                prog.run(50)
        same(m.number(0), ENOENT)
        time.sleep(0.3)
        same([key for key in range(200) if m.number(key) == 13], [])


@case
def not_shown_and_not_copied():
    with TimerMap(b.HASH) as m:
        same(do(*begin(m, 3600 * 1000 * MS)), 0)
        same(b.lookup(m.fd, k32(0), VALUE), bytes(VALUE))
        same(b.update(m.fd, k32(1), b"\xff" * VALUE), 0)
        same(b.lookup(m.fd, k32(1), VALUE), b"\xff" * 8 + bytes(16))
        same(do(*element(m.fd, 1), *start(0)), EINVAL)
        same(do(*element(m.fd, 1), *CANCEL_IT), EINVAL)


@case
def outlives_its_program():
    with TimerMap(b.ARRAY) as m:
        with Run(begin(m, 150 * MS)) as prog:
            same(prog.result(), 0)
        m.wait(0, 1)


@case
def ends_with_the_last_fd():
    for kind, flags in KINDS:
        m = TimerMap(kind, flags=flags)
        info = b.buf(88)
        b.check(b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", m.fd, 88, b.addr(info)))), "OBJ_GET_INFO_BY_FD")
        number = struct.unpack("<I", info.raw[4:8])[0]
        with Run(begin(m, 60 * MS)) as prog, Run([*element(m.fd), *init(m.fd)]) as initing:
            same(prog.result(), 0)
            m.close()
            same(initing.result(), EPERM)
            m.fd = b.check(b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", number, 0, 0)), "MAP_GET_FD_BY_ID")
            same(do(*element(m.fd), *start(0)), EINVAL)
            time.sleep(0.15)
            same(m.number(), 0)
            same(prog.result(), 0)
            m.wait(0, 1)
        m.close()


@case
def in_a_map_of_maps():
    with TimerMap(b.ARRAY, 2) as inner:
        outer = b.check(b.map_create(b.ARRAY_OF_MAPS, 4, 4, 1, inner=inner.fd))
        same(b.update(outer, k32(0), k32(inner.fd)), 0)
        body = [
            st(4, R10, -4, 0), ld_map(R1, outer), mov(R2, R10), add_imm(R2, -4), call(LOOKUP),
            jmp_imm("ne", R0, 0, 2), mov_imm(R0, NO_ELEMENT), exit_(), mov(R6, R0),
            mov(R1, R6), mov(R2, R10), add_imm(R2, -4), call(LOOKUP),
            jmp_imm("ne", R0, 0, 2), mov_imm(R0, NO_ELEMENT), exit_(), mov(R7, R0), add_imm(R7, TIMER),
            mov(R1, R7), mov(R2, R6), mov_imm(R3, 1), call(INIT), *OUT_IF_WRONG, *SET, *OUT_IF_WRONG, *start(0),
        ]  # fmt: skip
        same(do(*body), 0)
        inner.wait(0, 1)
        os.close(outer)


@case
def very_many():
    with TimerMap(b.HASH, 2000) as m, Run(
        [
            ldx(4, R0, R1, 0), stx(4, R10, -4, R0), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4), call(LOOKUP),
            jmp_imm("ne", R0, 0, 2), mov_imm(R0, NO_ELEMENT), exit_(), mov(R6, R0), mov(R7, R0), add_imm(R7, TIMER),
            *init(m.fd), *OUT_IF_WRONG, *SET, *OUT_IF_WRONG, *start(20 * MS),
        ]
    ) as prog:  # fmt: skip
        for key in range(2000):
            same(m.put(key), 0)
        for key in range(2000):
            data = b.buf(key + 14)
            for _ in range(50):
                attr = b.buf(
                    struct.pack("<IIIIQQIIIIQQIII4x", prog.fd, 0, key + 14, 0, b.addr(data), 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)[:80]
                )
                b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
                got = s32(attr.raw[4:8])
                if got != ENOMEM:
                    break
                time.sleep(0.01)
            # a socket filter's packet is what is behind the Ethernet header
            if got == NO_ELEMENT:
                continue
            same(got, 0)
        end = time.monotonic() + 30
        while time.monotonic() < end and sum(m.number(key) for key in range(2000)) < 1900:
            time.sleep(0.1)
        assert sum(m.number(key) for key in range(2000)) >= 1900


@case
def all_at_once():
    """Starts, cancels, replaces and deletes from several processes, with callbacks that do so, too."""
    again = [
        *COUNT, mov(R6, R1), mov(R1, R3), add_imm(R1, TIMER), mov_imm(R2, 2 * MS), mov_imm(R3, 0), call(START),
        st(4, R10, -4, 3), mov(R1, R6), mov(R2, R10), add_imm(R2, -4), call(DELETE),
    ]  # fmt: skip
    for kind, flags in KINDS:
        with TimerMap(kind, flags=flags) as m:
            runs = []
            for key in range(4):
                runs += [
                    Run([*element(m.fd, key), *init(m.fd), *SET, *start(10000)], again),
                    Run([*element(m.fd, key), *init(m.fd), *SET, *start(0)], again),
                    Run([*element(m.fd, key), *CANCEL_IT, *SET]),
                ]

            def work(number, m=m, runs=runs):
                dice = random.Random(number)
                end = time.monotonic() + b.for_races(1.5)
                while time.monotonic() < end:
                    what = dice.randrange(10)
                    if what < 7:
                        dice.choice(runs).run(4)
                    elif what < 9:
                        m.put(dice.randrange(4))
                    else:
                        b.delete(m.fd, k32(dice.randrange(4)))

            children(4, work)
            for run in runs:
                run.close()


if __name__ == "__main__":
    if not b.OURS:
        # Linux 6.1 waits for callbacks with a bucket locked that they may want, and comes to a standstill.
        del case["all at once"]
    case.main()
