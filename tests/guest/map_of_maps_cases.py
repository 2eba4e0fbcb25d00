# SPDX-License-Identifier: MIT
"""Maps in maps, run inside a machine through bpf(2) and from programs: prints one JSON object (casework.py)."""

import json
import os
import random
import struct
import subprocess
import time

import bpfsys as b
from asm import R0, R1, R2, R3, R4, R6, R10, add_imm, call, exit_, jmp_imm, ld_map, ldx, mov, mov_imm, st, stx
from casework import ENOENT, Cases, Map, Prog, children, k32, same, v64
from map_prog_cases import LOOKUP, RB_OUTPUT, key_on_stack

case = Cases()
OUTER = {"array": b.ARRAY_OF_MAPS, "hash": b.HASH_OF_MAPS, "hash without prealloc": b.HASH_OF_MAPS}
UPDATE, DELETE = 2, 3


def for_each_kind(function):
    for label, kind in OUTER.items():
        flags = b.F_NO_PREALLOC if "without" in label else 0
        case["%s: %s" % (function.__name__.replace("_", " "), label)] = lambda kind=kind, flags=flags: function(kind, flags)
    return function


def new_id(fd):
    info = b.buf(88)
    attr = b.buf(struct.pack("<IIQ", fd, 88, b.addr(info)))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, attr), "info")
    return struct.unpack_from("<I", info.raw, 4)[0]


def all_ids():
    ids, last = [], 0
    while True:
        attr = b.buf(struct.pack("<III", last, 0, 0))
        if b.call(b.MAP_GET_NEXT_ID, attr) < 0:
            return ids
        last = struct.unpack_from("<I", attr.raw, 4)[0]
        ids.append(last)


def gone(ids):
    """Freed maps go after a grace period, from a work queue."""
    stop = time.time() + 10
    while time.time() < stop:
        if not set(ids) & set(all_ids()):
            return True
        time.sleep(0.05)
    return False


def count_in_inner(outer, inner_key=0):
    """A program that adds 1 in the map under key 0 of the outer map: returns the sum, 1000 without such a map, 2000 without the element."""
    return [
        *key_on_stack(0), ld_map(R1, outer.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "none"),
        mov(R1, R0), *key_on_stack(inner_key), call(LOOKUP), jmp_imm("eq", R0, 0, "no element"),
        ldx(8, R1, R0), add_imm(R1, 1), stx(8, R0, 0, R1), mov(R0, R1), exit_(),
        "none", mov_imm(R0, 1000), exit_(), "no element", mov_imm(R0, 2000), exit_(),
    ]  # fmt: skip


@for_each_kind
def counts(kind, flags):
    os.sched_setaffinity(0, {0})  # one of the kinds is per CPU
    for inner_kind in (b.ARRAY, b.HASH, b.LRU_HASH, b.PERCPU_ARRAY):
        with Map(inner_kind, 4, 8, 4) as one, Map(inner_kind, 4, 8, 4) as two, Map(kind, 4, 4, 4, flags, inner=one.fd) as outer:
            arrays = inner_kind in (b.ARRAY, b.PERCPU_ARRAY)
            with Prog(*count_in_inner(outer)) as prog:
                same(prog.run(), 1000)
                same(outer.put(k32(0), k32(one.fd)), 0)
                same(prog.run(), 1 if arrays else 2000)
                if not arrays:
                    same(one.put(k32(0), v64(1)), 0)
                same(prog.run(), 2)
                same(outer.put(k32(0), k32(two.fd)), 0)
                same(prog.run(), 1 if arrays else 2000)
                same(outer.put(k32(0), k32(one.fd)), 0)
                same(prog.run(), 3)
                same(outer.drop(k32(0)), 0)
                same(prog.run(), 1000)
    os.sched_setaffinity(0, set(range(os.cpu_count())))


@for_each_kind
def shows_ids(kind, flags):
    with Map(b.ARRAY, 4, 8, 1) as one, Map(b.ARRAY, 4, 8, 1) as two, Map(kind, 4, 4, 3, flags, inner=one.fd) as outer:
        same(outer.get(k32(1)), ENOENT)
        same(outer.put(k32(1), k32(one.fd)), 0)
        same(outer.put(k32(2), k32(two.fd)), 0)
        same(outer.get(k32(1)), k32(new_id(one.fd)))
        same(outer.get(k32(2)), k32(new_id(two.fd)))
        said = subprocess.run(["/usr/sbin/bpftool", "-j", "map", "dump", "id", str(new_id(outer.fd))], capture_output=True, text=True)
        same(said.returncode, 0, said.stdout + said.stderr)
        shown = [struct.unpack("<I", bytes(int(byte, 16) for byte in entry["value"]))[0] for entry in json.loads(said.stdout)
                 if isinstance(entry["value"], list)]  # fmt: skip
        same(sorted(shown), sorted((new_id(one.fd), new_id(two.fd))), said.stdout)


@for_each_kind
def inner_map_lives_as_long_as_it_is_in(kind, flags):
    with Map(b.HASH, 4, 8, 4) as first, Map(kind, 4, 4, 4, flags, inner=first.fd) as outer, Prog(*count_in_inner(outer)) as prog:
        with Map(b.HASH, 4, 8, 4) as inner:
            same(inner.put(k32(0), v64(41)), 0)
            same(outer.put(k32(0), k32(inner.fd)), 0)
            number = new_id(inner.fd)
        same(prog.run(), 42)
        assert number in all_ids()
        same(outer.put(k32(0), k32(first.fd)), 0)
        assert gone([number]), "not freed when replaced"
        same(prog.run(), 2000)
        with Map(b.HASH, 4, 8, 4) as inner:
            same(outer.put(k32(1), k32(inner.fd)), 0)
            number = new_id(inner.fd)
        same(outer.drop(k32(1)), 0)
        assert gone([number]), "not freed when deleted"
        with Map(b.HASH, 4, 8, 4) as inner:
            same(outer.put(k32(1), k32(inner.fd)), 0)
            number = new_id(inner.fd)
    assert gone([number]), "not freed with the outer map"


@for_each_kind
def program_writes_and_deletes(kind, flags):
    with Map(b.HASH, 4, 8, 4) as inner, Map(kind, 4, 4, 4, flags, inner=inner.fd) as outer:
        same(outer.put(k32(0), k32(inner.fd)), 0)
        found = [*key_on_stack(0), ld_map(R1, outer.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "none"), mov(R6, R0)]
        end = [call(DELETE), exit_(), "none", mov_imm(R0, 7), exit_()]
        code = [
            *found, mov(R1, R6), *key_on_stack(5), st(8, R10, -16, 55), mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(UPDATE),
            mov(R1, R6), *key_on_stack(6), *end,
        ]  # fmt: skip
        same(inner.put(k32(6), v64(1)), 0)
        with Prog(*code) as prog:
            same(prog.run(), 0)
            same(inner.get(k32(5)), v64(55))
            same(inner.get(k32(6)), ENOENT)


@for_each_kind
def ring_buffer_inside(kind, flags):
    with Map(b.RINGBUF, 0, 0, 4096) as ring, Map(kind, 4, 4, 4, flags, inner=ring.fd) as outer:
        same(outer.put(k32(0), k32(ring.fd)), 0)
        code = [
            *key_on_stack(0), ld_map(R1, outer.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "none"), mov(R1, R0),
            st(8, R10, -16, 1234), mov(R2, R10), add_imm(R2, -16), mov_imm(R3, 8), mov_imm(R4, 0), call(RB_OUTPUT), exit_(),
            "none", mov_imm(R0, 7), exit_(),
        ]  # fmt: skip
        with Prog(*code) as prog:
            same(prog.run(), 0)


@for_each_kind
def hammered(kind, flags):
    """Maps are put in and taken out while programs use them: none is lost, none is freed too early."""
    before = all_ids()
    with Map(b.HASH, 4, 8, 8) as first, Map(kind, 4, 4, 8, flags, inner=first.fd) as outer, Prog(*count_in_inner(outer, 1)) as prog:

        def work(number):
            rng = random.Random(number)
            stop = time.time() + 1.5
            while time.time() < stop:
                if number < 2:
                    prog.run(50)
                    continue
                key = k32(rng.randrange(3))
                what = rng.randrange(4)
                if what < 2:
                    with Map(b.HASH, 4, 8, 8) as inner:
                        same(inner.put(k32(1), v64(number)), 0)
                        same(outer.put(key, k32(inner.fd)), 0)
                elif what == 2:
                    assert outer.drop(key) in (0, ENOENT)
                else:
                    got = outer.get(key)
                    assert isinstance(got, bytes) or got == ENOENT, got

        children(4, work)
    assert gone(set(all_ids()) - set(before)), "left over: %s" % (set(all_ids()) - set(before))


if __name__ == "__main__":
    case.main()
