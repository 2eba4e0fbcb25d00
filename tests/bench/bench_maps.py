# SPDX-License-Identifier: MIT
"""Operations on maps from user space, one a call and in batches, and loading a program."""

import ctypes
import os
import struct

import asm as a
import bpfsys as b
from asm import R0, R1, R6, R7, R8, R10
from bench_common import ROUNDS, SCHED_CLS, case, filled, host, keys, q

OPS = 500


def map_case(name, kind, key_size, cmd, per_cpu=False):
    @case("maps", name)
    def run():
        count = 512
        if kind in (b.ARRAY, b.PERCPU_ARRAY):
            fd = b.check(b.map_create(kind, 4, 8, count), "map")
            all_keys = [q(i, 4) for i in range(count)]
        else:
            fd = filled(kind, key_size, 8, 1024, count)
            all_keys = keys(count, key_size)
        room = 8 * (os.cpu_count() if per_cpu else 1)
        key, value = b.buf(all_keys[100]), b.buf(q(7) * (room // 8))
        b.check(b.update(fd, all_keys[100], value.raw[:room]), "update")
        attr = b.buf(b.elem_attr(fd, key, value))
        if cmd == b.MAP_GET_NEXT_KEY:
            first, following = b.buf(b.next_key(fd, None, len(all_keys[0]))), b.buf(64)
            attr = b.buf(b.elem_attr(fd, first, following)[:24])
            out = []
            for _ in range(ROUNDS):
                ctypes.memmove(first, b.next_key(fd, None, len(all_keys[0])), len(all_keys[0]))
                ns = b.check(host.loops.bench_walk(attr, 24, first, following, len(all_keys[0]), count - 1), "walk")
                out.append(ns / (count - 1))
                assert b.next_key(fd, first.raw[: len(all_keys[0])], len(all_keys[0])) == -2, "not at the last key"
            return out
        out = []
        for _ in range(ROUNDS):
            b.check(host.loops.bench_bpf(cmd, attr, 32, 20), "warm up")
            out.append(b.check(host.loops.bench_bpf(cmd, attr, 32, OPS), "loop") / OPS)
        assert b.lookup(fd, all_keys[100], room) == q(7) * (room // 8)
        return out


for label, map_kind in (("hash", b.HASH), ("LRU hash", b.LRU_HASH), ("array", b.ARRAY), ("per-CPU array", b.PERCPU_ARRAY)):
    for op, command in (("lookup", b.MAP_LOOKUP_ELEM), ("update", b.MAP_UPDATE_ELEM), ("next key", b.MAP_GET_NEXT_KEY)):
        map_case("%s %s" % (label, op), map_kind, 8, command, map_kind == b.PERCPU_ARRAY)

BATCH = 1000


def batch_case(name, cmd):
    @case("maps", "hash, batch of 1000: %s" % name)
    def run():
        fd = b.check(b.map_create(b.HASH, 8, 8, 2048), "map")
        every = b"".join(keys(BATCH, 8))
        store = b.batch_attr(fd, b.buf(every), b.buf(q(3) * BATCH), BATCH)
        out = []
        for _ in range(ROUNDS):
            b.check(b.call(b.MAP_UPDATE_BATCH, store), "fill")
            room_keys, room_values, at = b.buf(8 * 2048), b.buf(8 * 2048), b.buf(8)
            if cmd in (b.MAP_UPDATE_BATCH, b.MAP_DELETE_BATCH):
                attr = b.batch_attr(fd, b.buf(every), b.buf(q(4) * BATCH), BATCH)
            else:
                attr = b.batch_attr(fd, room_keys, room_values, BATCH - 200, None, at)
            ns = host.loops.bench_bpf(cmd, attr, 56, 1)
            b.check(ns, name)
            done = struct.unpack_from("<I", attr, 32)[0]
            assert BATCH - 200 >= done > 500 or done == BATCH, done
            out.append(ns / done)
        left = 0 if cmd in (b.MAP_DELETE_BATCH,) else 4 if cmd == b.MAP_UPDATE_BATCH else 3
        got = b.lookup(fd, keys(BATCH, 8)[500], 8)
        assert cmd == b.MAP_LOOKUP_AND_DELETE_BATCH or (got == q(left) if left else got == -2), got
        return out


batch_case("lookup", b.MAP_LOOKUP_BATCH)
batch_case("update", b.MAP_UPDATE_BATCH)
batch_case("delete", b.MAP_DELETE_BATCH)
batch_case("lookup and delete", b.MAP_LOOKUP_AND_DELETE_BATCH)


def load_case(name, body):
    @case("load", name)
    def run():
        parts = [a.ldx(4, R6, R1, 0), a.mov_imm(R7, 1), a.mov_imm(R0, 0)]
        while len(parts) < 3999:
            parts += body(len(parts))
        prog = b.Prog(a.asm(*parts[:3999], a.exit_()), SCHED_CLS)
        b.check(prog.load(), "load")
        attr = b.buf(prog.attr)
        return [b.check(host.loops.bench_load(attr, len(prog.attr), 3), "load") / 3 for _ in range(ROUNDS)]


load_case("program of 4000 instructions: moves, nearly nothing for a verifier", lambda at: [a.mov_imm(R7, at)])
load_case(
    "program of 4000 instructions: arithmetic", lambda at: [a.add(R7, R6), a.alu64_imm("xor", R7, at), a.alu64_imm("rsh", R7, 1)]
)
load_case(
    "program of 4000 instructions: memory and jumps",
    lambda at: [
        a.stx(8, R10, -8 - at % 64 * 8, R6),
        a.ldx(8, R8, R10, -8 - at % 64 * 8),
        a.jmp_imm("gt", R8, at, 1),
        a.add_imm(R7, 1),
    ],
)
