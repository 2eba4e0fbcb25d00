# SPDX-License-Identifier: MIT
"""Maps as programs use them, run inside a machine by BPF_PROG_TEST_RUN and on events: prints one JSON object
(casework.py)."""

import ctypes
import errno
import mmap
import os
import random
import re
import select
import struct
import time

import bpfsys as b
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R9,
    R10,
    add_imm,
    alu64_imm,
    call,
    exit_,
    ja,
    jmp_imm,
    ld_imm64,
    ld_map,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import E2BIG, EEXIST, EINVAL, ENOENT, LRU_ROOM, Cases, Map, Prog, children, k32, s32, same, v64
from map_cases import NCPU, PAGE, QUEUE, STACK, spin_btf

case = Cases()
LOOKUP, UPDATE, DELETE, TAIL_CALL, PID_TGID, STACKID, GET_STACK = 1, 2, 3, 12, 14, 27, 67
SPIN_LOCK, SPIN_UNLOCK, RB_OUTPUT, RB_RESERVE, RB_SUBMIT, RB_DISCARD, RB_QUERY = 93, 94, 130, 131, 132, 133, 134
EAGAIN = -errno.EAGAIN


def key_on_stack(number, off=-4):
    return [st(4, R10, off, number), mov(R2, R10), add_imm(R2, off)]


def store_result(results, index):
    """Puts R0 into the array `results`; R6 to R9 stay."""
    return [
        stx(8, R10, -16, R0),
        st(4, R10, -4, index),
        ld_map(R1, results.fd),
        mov(R2, R10),
        add_imm(R2, -4),
        mov(R3, R10),
        add_imm(R3, -16),
        mov_imm(R4, 0),
        call(UPDATE),
    ]


def update_const(m, key, value, flags=0):
    return [
        st(4, R10, -4, key),
        st(8, R10, -24, value),
        ld_map(R1, m.fd),
        mov(R2, R10),
        add_imm(R2, -4),
        mov(R3, R10),
        add_imm(R3, -24),
        mov_imm(R4, flags),
        call(UPDATE),
    ]


def hash_from_program(kind, flags=0, entries=4):
    with Map(kind, 4, 8, entries, flags) as m, Map(b.ARRAY, 4, 8, 16) as results:
        code = [
            *update_const(m, 1, 11), *store_result(results, 0),
            *update_const(m, 1, 12, b.NOEXIST), *store_result(results, 1),
            *update_const(m, 2, 22, b.EXIST), *store_result(results, 2),
            *update_const(m, 2, 22), *store_result(results, 3),
            *update_const(m, 2, 22, 5), *store_result(results, 4),
            *key_on_stack(2), ld_map(R1, m.fd), call(DELETE), *store_result(results, 5),
            *key_on_stack(2), ld_map(R1, m.fd), call(DELETE), *store_result(results, 6),
            *key_on_stack(1), ld_map(R1, m.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "none"),
            ldx(8, R1, R0), add_imm(R1, 100), stx(8, R0, 0, R1), ldx(8, R0, R0),
            "none", *store_result(results, 7),
            *key_on_stack(3), ld_map(R1, m.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "none3"), mov_imm(R0, 77),
            "none3", *store_result(results, 8),
            mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*code) as prog:
            prog.run()
        got = [s32(results.get(k32(i))) for i in range(9)]
        same(got, [0, EEXIST, ENOENT, 0, EINVAL, 0, ENOENT, 111, 0])


@case
def program_on_hash():
    hash_from_program(b.HASH)


@case
def program_on_hash_without_prealloc():
    hash_from_program(b.HASH, b.F_NO_PREALLOC)


@case
def program_on_percpu_hash():
    hash_from_program(b.PERCPU_HASH)


@case
def program_on_lru_hash():
    hash_from_program(b.LRU_HASH, entries=LRU_ROOM)


@case
def program_on_lru_percpu_hash():
    hash_from_program(b.LRU_PERCPU_HASH, entries=LRU_ROOM)


@case
def full_hash_from_program():
    for flags in (0, b.F_NO_PREALLOC):
        with Map(b.HASH, 4, 8, 3, flags) as m, Map(b.ARRAY, 4, 8, 16) as results:
            code = []
            for i in range(4):
                code += [*update_const(m, i, i), *store_result(results, i)]
            code += [*update_const(m, 1, 9), *store_result(results, 4), mov_imm(R0, 0), exit_()]
            with Prog(*code) as prog:
                prog.run()
            same([s32(results.get(k32(i))) for i in range(5)], [0, 0, 0, E2BIG, 0])


@case
def new_percpu_element_is_zero_elsewhere():
    with Map(b.PERCPU_HASH, 4, 8, 1) as m:
        # leaves its value behind in the recycled element, on all CPUs
        same(m.put(k32(7), v64(*[99] * NCPU)), 0)
        same(m.drop(k32(7)), 0)
        with b.on_one_cpu(), Prog(*update_const(m, 1, 5), mov_imm(R0, 0), exit_()) as prog:
            prog.run()
        same(m.get(k32(1), size=8 * NCPU), v64(5, *[0] * (NCPU - 1)))


@case
def burst_of_new_keys():
    """A loop in one run: the elements must be there before the program asks."""
    with Map(b.HASH, 4, 8, 100000, b.F_NO_PREALLOC) as m:
        loop = [
            mov_imm(R6, 0), mov_imm(R7, 0),
            "loop", stx(4, R10, -4, R6), st(8, R10, -16, 1), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4),
            mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(UPDATE), jmp_imm("eq", R0, 0, "ok"), add_imm(R7, 1),
            "ok", add_imm(R6, 1), jmp_imm("lt", R6, 60, "loop"), mov(R0, R7), exit_(),
        ]  # fmt: skip
        with Prog(*loop) as prog:
            same(prog.run(), 0, "updates failed")
        same(len(m.keys()), 60)


@case
def growth_by_a_program():
    """Far more new keys than are ever kept in stock, one a run."""
    with Map(b.HASH, 4, 256, 20000, b.F_NO_PREALLOC) as m, Map(b.ARRAY, 4, 256, 1) as state:
        code = [
            *key_on_stack(0), ld_map(R1, state.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"), mov(R6, R0),
            ldx(8, R8, R6), add_imm(R8, 1), stx(8, R6, 0, R8), stx(4, R10, -4, R8),
            ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4), mov(R3, R6), mov_imm(R4, 0), call(UPDATE),
            jmp_imm("eq", R0, 0, "out"), ldx(8, R1, R6, 8), add_imm(R1, 1), stx(8, R6, 8, R1),
            "out", mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*code) as prog:
            for _ in range(60):
                prog.run(100)
                time.sleep(0.01)
        tried, failed = struct.unpack("<QQ", state.get(k32(0))[:16])
        same((tried, failed), (6000, 0))


@case
def queue_and_stack_from_a_program():
    for kind in (QUEUE, STACK):
        with Map(kind, 0, 8, 2) as m, Map(b.ARRAY, 4, 8, 8) as results:
            code = []
            for i in range(3):
                code += [
                    st(8, R10, -24, 70 + i),
                    ld_map(R1, m.fd),
                    mov(R2, R10),
                    add_imm(R2, -24),
                    mov_imm(R3, 0),
                    call(87),
                ]
                code += store_result(results, i)
            for i, helper in enumerate((89, 88, 88, 88)):
                code += [ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -24), call(helper), ldx(8, R0, R10, -24)]
                code += store_result(results, 3 + i)
            with Prog(*code, mov_imm(R0, 0), exit_()) as prog:
                prog.run()
            order = [70, 70, 71] if kind == QUEUE else [71, 71, 70]
            same([s32(results.get(k32(i))) for i in range(7)], [0, 0, E2BIG, *order, 0])


@case
def lookup_is_a_use():
    with b.on_one_cpu(), Map(b.LRU_HASH, 4, 8, 256) as m:
        for i in range(256):
            same(m.put(k32(i), v64(i)), 0)
        code = []
        for key in range(8):
            code += [*key_on_stack(key), ld_map(R1, m.fd), call(LOOKUP)]
        with Prog(*code, mov_imm(R0, 0), exit_()) as prog:
            prog.run()
            for number in range(1000, 1600):
                if number % 16 == 0:
                    prog.run()
                same(m.put(k32(number), v64(number)), 0)
        same([i for i in range(8) if not isinstance(m.get(k32(i)), bytes)], [], "used ones were evicted")


@case
def counts_under_a_lock():
    btf = b.check(b.btf_load(spin_btf()))
    with Map(b.HASH, 4, 12, 4, btf=btf, btf_key=1, btf_value=3) as m:
        same(m.put(k32(0), bytes(12)), 0)
        code = [
            *key_on_stack(0), ld_map(R1, m.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"), mov(R6, R0),
            mov(R1, R6), add_imm(R1, 4), call(SPIN_LOCK),
            ldx(4, R1, R6), add_imm(R1, 1), stx(4, R6, 0, R1), ldx(4, R1, R6, 8), add_imm(R1, 1), stx(4, R6, 8, R1),
            mov(R1, R6), add_imm(R1, 4), call(SPIN_UNLOCK), "out", mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*code, kind=3, prog_btf_fd=btf) as prog:

            def work(number):
                if number < 2:
                    prog.run(20000)
                    return
                for _ in range(300):
                    one, lock, two = struct.unpack("<III", m.get(k32(0), b.F_LOCK))
                    assert (one, lock) == (two, 0), (one, two)

            children(3, work)
        same(m.get(k32(0), b.F_LOCK), struct.pack("<III", 40000, 0, 40000))
    os.close(btf)


# ---- tail calls


@case
def tail_calls():
    with Map(b.PROG_ARRAY, 4, 4, 3) as jumps, Map(b.ARRAY, 4, 8, 4) as counts:

        def body(index, then):
            return [
                mov(R6, R1),
                *key_on_stack(index), ld_map(R1, counts.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"),
                ldx(8, R1, R0), add_imm(R1, 1), stx(8, R0, 0, R1),
                mov(R1, R6), ld_map(R2, jumps.fd), mov_imm(R3, then), call(TAIL_CALL),
                "out", mov_imm(R0, 40 + index), exit_(),
            ]  # fmt: skip

        with Prog(*body(0, 1)) as first, Prog(*body(1, 2)) as second, Prog(*body(2, 2)) as third:
            same(first.run(), 40, "nothing there")
            same(jumps.put(k32(1), k32(second.fd)), 0)
            same(first.run(), 41)
            same(jumps.put(k32(2), k32(third.fd)), 0)
            same(first.run(), 42)
            got = [struct.unpack("<Q", counts.get(k32(i)))[0] for i in range(3)]
            # the third calls itself till the limit of 33 calls
            same(got, [3, 2, 32])
            same(jumps.drop(k32(1)), 0)
            same(first.run(), 40)


# ---- ring buffer


class Ring:
    def __init__(self, m, size):
        self.size = size
        self.consumer = mmap.mmap(m.fd, PAGE)
        self.producer = mmap.mmap(m.fd, PAGE + 2 * size, prot=mmap.PROT_READ, offset=PAGE)

    def positions(self):
        return struct.unpack("<Q", self.consumer[:8])[0], struct.unpack("<Q", self.producer[:8])[0]

    def records(self):
        """Takes all that is committed: (data, discarded)."""
        found = []
        consumer, producer = self.positions()
        while consumer < producer:
            at = PAGE + (consumer & (self.size - 1))
            (length,) = struct.unpack("<I", self.producer[at : at + 4])
            if length & 1 << 31:
                break
            found.append((self.producer[at + 8 : at + 8 + (length & 0x3FFFFFFF)], bool(length & 1 << 30)))
            consumer += ((length & 0x3FFFFFFF) + 8 + 7) // 8 * 8
        self.consumer[:8] = struct.pack("<Q", consumer)
        return found

    def close(self):
        self.consumer.close()
        self.producer.close()


def rb_output(m, value, size, flags=0):
    return [
        st(8, R10, -24, value), st(8, R10, -16, value + 1), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -24),
        mov_imm(R3, size), mov_imm(R4, flags), call(RB_OUTPUT),
    ]  # fmt: skip


def rb_reserve(m, value, finish, flags=0):
    label = "none%d" % random.randrange(1 << 30)
    return [
        ld_map(R1, m.fd), mov_imm(R2, 16), mov_imm(R3, 0), call(RB_RESERVE), jmp_imm("eq", R0, 0, label),
        mov_imm(R1, value), stx(8, R0, 0, R1), stx(8, R0, 8, R1), mov(R1, R0), mov_imm(R2, flags), call(finish), label,
    ]  # fmt: skip


@case
def ring_buffer_records():
    size = 4 * PAGE
    with Map(b.RINGBUF, 0, 0, size) as m, Map(b.ARRAY, 4, 8, 8) as results:
        ring = Ring(m, size)
        poll = select.poll()
        poll.register(m.fd, select.POLLIN)
        code = [
            *rb_output(m, 5, 16), *store_result(results, 0),
            *rb_output(m, 6, 3), *store_result(results, 1),
            *rb_output(m, 6, 3, 4), *store_result(results, 2),
            *rb_reserve(m, 77, RB_SUBMIT), mov_imm(R0, 0), *rb_reserve(m, 78, RB_DISCARD),
            ld_map(R1, m.fd), mov_imm(R2, 0), call(RB_QUERY), *store_result(results, 3),
            ld_map(R1, m.fd), mov_imm(R2, 1), call(RB_QUERY), *store_result(results, 4),
            ld_map(R1, m.fd), mov_imm(R2, 2), call(RB_QUERY), *store_result(results, 5),
            ld_map(R1, m.fd), mov_imm(R2, 3), call(RB_QUERY), *store_result(results, 6),
            mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*code) as prog:
            for turn in range(300):  # several times round
                prog.run()
                if turn == 0:
                    same(poll.poll(1000), [(m.fd, select.POLLIN)])
                want = [(v64(5, 6), False), (b"\6\0\0", False), (v64(77, 77), False), (v64(78, 78), True)]
                same(ring.records(), want, "turn %d" % turn)
                same(ring.positions()[0], ring.positions()[1])
                used = 24 + 16 + 24 + 24
                got = [s32(results.get(k32(i))) for i in range(7)]
                same(got, [0, 0, EINVAL, used, size, used * turn, used * (turn + 1)])
        same(poll.poll(0), [])
        ring.close()


@case
def ring_buffer_full():
    size = PAGE
    with Map(b.RINGBUF, 0, 0, size) as m, Map(b.ARRAY, 4, 8, 8) as results:
        ring = Ring(m, size)
        with Prog(*rb_output(m, 1, 16), *store_result(results, 0), mov_imm(R0, 0), exit_()) as prog:
            taken = 0
            for _ in range(200):
                prog.run()
                if s32(results.get(k32(0))):
                    break
                taken += 1
            same(s32(results.get(k32(0))), EAGAIN)
            same(taken, (size - 1) // 24)
            same(len(ring.records()), taken)
            prog.run()
            same(s32(results.get(k32(0))), 0)
            same(len(ring.records()), 1)
            # a consumer that lies about its position gets nothing overwritten that is not committed, and no crash
            ring.consumer[:8] = struct.pack("<Q", 1 << 62)
            prog.run()
            same(s32(results.get(k32(0))), EAGAIN)
        ring.close()


@case
def ring_buffer_wakes():
    size = PAGE
    with Map(b.RINGBUF, 0, 0, size) as m:
        ring = Ring(m, size)
        for flags, expect in ((0, True), (1, False), (2, True)):
            with Prog(*rb_output(m, 9, 16, flags), mov_imm(R0, 0), exit_()) as prog:
                read, write = os.pipe()
                pid = os.fork()
                if not pid:
                    epoll = select.epoll()
                    epoll.register(m.fd, select.EPOLLIN | select.EPOLLET)
                    os.write(write, b"r")
                    events = epoll.poll(3)
                    os._exit(10 if events == [(m.fd, select.EPOLLIN)] else 11)
                os.read(read, 1)
                time.sleep(0.3)
                start = time.time()
                prog.run()
                status = os.waitpid(pid, 0)[1]
                if expect:
                    same(status >> 8, 10, "flags %d" % flags)
                    assert time.time() - start < 2.5
                else:
                    # not woken; what epoll finds when it gives up is its own affair
                    assert time.time() - start > 2.0
                os.close(read)
                os.close(write)
                same(len(ring.records()), 1)
        ring.close()


@case
def ring_buffer_from_two_cpus():
    size = 64 * PAGE
    with Map(b.RINGBUF, 0, 0, size) as m:
        ring = Ring(m, size)
        codes = [
            [*rb_output(m, 100 + i, 16), *rb_reserve(m, 200 + i, RB_SUBMIT), mov_imm(R0, 0), exit_()] for i in range(2)
        ]
        progs = [Prog(*code) for code in codes]
        children(2, lambda number: progs[number].run(1000))
        found = [data for data, _ in ring.records()]
        for i in range(2):
            same(found.count(v64(100 + i, 101 + i)), 1000)
            same(found.count(v64(200 + i, 200 + i)), 1000)
            os.close(progs[i].fd)
        same(len(found), 4000)
        ring.close()


# ---- stacks


def raw_tracepoint(prog, name):
    text = b.buf(name + b"\0")
    return b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(text), prog.fd)), "RAW_TRACEPOINT_OPEN")


def kallsyms():
    with open("/proc/kallsyms") as f:
        symbols = sorted((int(a, 16), n) for a, n in re.findall(r"^(\w{16}) [tT] (\S+)", f.read(), re.M))

    def name(address):
        low, high = 0, len(symbols)
        while high - low > 1:
            middle = (low + high) // 2
            if symbols[middle][0] <= address:
                low = middle
            else:
                high = middle
        return symbols[low][1]

    return name


def is_code(address):
    """Of a library of this process? Which one made the call depends on what is preloaded."""
    with open("/proc/self/maps") as f:
        spans = [line.split()[0].split("-") for line in f if ".so" in line and "r-xp" in line]
    return any(int(low, 16) <= address < int(high, 16) for low, high in spans)


@case
def stacks():
    depth = 20
    with (
        Map(b.STACK_TRACE, 4, 8 * depth, 1 << 14) as m,  # two stacks in one bucket are an EEXIST
        Map(b.ARRAY, 4, 8, 8) as results,
        Map(b.ARRAY, 4, 8 * depth, 1) as whole,
    ):
        mine = os.getpid()
        code = [
            mov(R6, R1), call(PID_TGID), alu64_imm("rsh", R0, 32), jmp_imm("ne", R0, mine, "out"),
            ldx(8, R0, R6, 8), jmp_imm("ne", R0, 39, "out"),  # getpid
            mov(R1, R6), ld_map(R2, m.fd), mov_imm(R3, 0), call(STACKID), *store_result(results, 0),
            mov(R1, R6), ld_map(R2, m.fd), mov_imm(R3, 1 << 8), call(STACKID), *store_result(results, 1),
            mov(R1, R6), ld_map(R2, m.fd), mov_imm(R3, 1 << 9), call(STACKID), *store_result(results, 2),
            mov(R1, R6), ld_map(R2, m.fd), mov_imm(R3, 1 << 12), call(STACKID), *store_result(results, 3),
            mov(R1, R6), ld_map(R2, m.fd), mov_imm(R3, 255), call(STACKID), *store_result(results, 4),
            *key_on_stack(0), ld_map(R1, whole.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"),
            mov(R1, R6), mov(R2, R0), mov_imm(R3, 8 * depth), mov_imm(R4, 1 << 8), call(GET_STACK),
            *store_result(results, 5),
            "out", mov_imm(R0, 0), exit_(),
        ]  # fmt: skip
        with Prog(*code, kind=b.RAW_TRACEPOINT) as prog:
            link = raw_tracepoint(prog, b"sys_enter")
            b.libc.syscall(39)
            os.close(link)
        kernel, user, again, bad, deep, length = [s32(results.get(k32(i))) for i in range(6)]
        assert kernel >= 0 and user >= 0, (kernel, user)
        assert again >= 0
        same((bad, deep), (EINVAL, -errno.EFAULT))
        name = kallsyms()
        ips = [ip for ip in struct.unpack("<%dQ" % depth, m.get(k32(kernel))) if ip]
        names = [name(ip) for ip in ips]
        assert any("syscall" in n.lower() or "tracesys" in n for n in names), names
        assert all(ip > 1 << 63 for ip in ips), names
        ips = [ip for ip in struct.unpack("<%dQ" % depth, m.get(k32(user))) if ip]
        assert is_code(ips[0]), [hex(ip) for ip in ips]
        assert length > 0 and length % 8 == 0
        data = whole.get(k32(0))
        same(data[:length], struct.pack("<%dQ" % (length // 8), *ips)[:length])
        same(data[length:], bytes(8 * depth - length))
        same(sorted(m.keys()), sorted({k32(kernel), k32(user), k32(again)}))
        same(m.drop(k32(kernel)), 0)
        same(m.get(k32(kernel)), ENOENT)


if __name__ == "__main__":
    unused = (R8, R9, ja, ld_imm64, ctypes)
    case.main()
