# SPDX-License-Identifier: MIT
"""Bloom filters, run inside a machine through bpf(2) and from programs: prints one JSON object (casework.py)."""

import struct

import bpfsys as b
from asm import R0, R1, R2, R3, R6, R10, add, add_imm, alu64_imm, call, exit_, ld_map, mov, mov_imm, st
from casework import EINVAL, ENOENT, Cases, Map, Prog, children, same, v64

case = Cases()
PUSH, PEEK = 87, 89


def ask(m, value):
    """0: probably in; ENOENT: not in."""
    return b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(m.fd, None, b.buf(value)))


def add_value(m, value):
    return b.call(b.MAP_UPDATE_ELEM, b.elem_attr(m.fd, None, b.buf(value)))


@case
def never_forgets_and_seldom_errs():
    for size, hashes in ((8, 0), (8, 1), (8, 15), (4, 3), (5, 3), (64, 5), (1000, 5)):
        with Map(b.BLOOM_FILTER, 0, size, 500, extra=hashes) as m:
            values = [struct.pack("<I", i) + bytes(max(size - 4, 0)) for i in range(1000)]
            same([ask(m, v) for v in values[:20]], [ENOENT] * 20, "empty")
            same({add_value(m, v) for v in values[:500]}, {0})
            same({ask(m, v) for v in values[:500]}, {0}, "all are in")
            wrong = sum(ask(m, v) == 0 for v in values[500:])
            assert wrong < (400 if hashes == 1 else 100), (size, hashes, wrong)


@case
def without_a_seed_the_bits_are_the_same():
    answers = []
    for _ in range(2):
        with Map(b.BLOOM_FILTER, 0, 8, 20, 1 << 6, extra=2) as m:
            for i in range(20):
                same(add_value(m, v64(i)), 0)
            answers.append([ask(m, v64(i)) for i in range(400)])
    same(answers[0], answers[1])


@case
def program_pushes_and_asks():
    with Map(b.BLOOM_FILTER, 0, 8, 100) as m:
        there = [st(8, R10, -8, 4711), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -8), call(PEEK)]
        code = [
            *there, mov(R6, R0), alu64_imm("lsh", R6, 32),
            ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -8), mov_imm(R3, 0), call(PUSH), alu64_imm("lsh", R0, 16), add(R6, R0),
            *there, add(R6, R0), mov(R0, R6), exit_(),
        ]  # fmt: skip
        same(ask(m, v64(4711)), ENOENT)
        with Prog(*code) as prog:
            same(prog.run(), 0, "pushed, and there")
        same(ask(m, v64(4711)), 0)
        with Prog(st(8, R10, -8, 4712), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -8), call(PEEK), exit_()) as prog:
            same(prog.run(), ENOENT & 0xFFFFFFFF)
        flags = [st(8, R10, -8, 1), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -8), mov_imm(R3, 1), call(PUSH), exit_()]
        with Prog(*flags) as prog:
            same(prog.run(), EINVAL & 0xFFFFFFFF)


@case
def many_at_once():
    with Map(b.BLOOM_FILTER, 0, 8, 4000) as m:

        def work(number):
            for i in range(1000):
                same(add_value(m, v64(number * 1000 + i)), 0)

        children(4, work)
        same({ask(m, v64(i)) for i in range(4000)}, {0})


if __name__ == "__main__":
    case.main()
