# SPDX-License-Identifier: MIT
"""The table of instruction vectors by the interpreter and by generated code, all through the verifier; and random
programs by both."""

from __future__ import annotations

import functools

import asm as a
import pytest
import vectors
from engine_runner import FLAGS, Tally, try_chain, try_verified
from engines import ENGINES, EngineWorld
from verifier_lib import World

PART = 500
ALL = vectors.table()
FIRST_FD = 3  # what a world calls its first object


@functools.cache
def programs() -> list[tuple[list[vectors.Vector], bytes]]:
    """The table in parts, each with its program."""
    parts = [ALL[start : start + PART] for start in range(0, len(ALL), PART)]
    return [(part, vectors.program(part, FIRST_FD)) for part in parts]


@pytest.mark.parametrize("engine", ENGINES)
def test_vectors(engine: str) -> None:
    for part, code in programs():
        before = vectors.contents(part)
        with EngineWorld(engine) as world:
            fd = world.map(2, 4, len(before), 1)
            assert fd == FIRST_FD
            world.update(fd, bytes(4), before)
            verdict = world.load(code, log_level=0)
            assert verdict.ok, verdict.error
            assert world.run(verdict.fd).retval == 0
            after = world.lookup(fd, bytes(4), len(before))
        assert after is not None
        assert not vectors.difference(part, after)


def test_a_wrong_result_is_noticed() -> None:
    part = ALL[:3]
    right = vectors.contents(part, after=True)
    assert not vectors.difference(part, right)
    assert vectors.difference(part, right[:-1] + bytes([right[-1] ^ 1])).startswith(part[2].name)


def test_every_register_is_destination_and_source() -> None:
    names = " ".join(v.name for v in ALL if v.name.startswith("add64 "))
    for dst in vectors.REGISTERS:
        for src in vectors.REGISTERS:
            assert f"add64 r{dst} = " in names
            assert f", r{src} = " in names
    assert len(ALL) > 15_000


@pytest.mark.parametrize("kind", [try_chain, try_verified])
def test_engines_agree_on_random_programs(kind: object) -> None:
    tally = Tally()
    for seed in range(1500):
        kind(seed, tally)  # type: ignore[operator]
    assert not tally.problems, "\n".join(tally.problems[:3])
    assert tally.programs > 300


def test_blinded_constants_are_not_in_the_code() -> None:
    secret = 0x3C68_90EB
    code = a.asm(a.mov_imm(0, secret), a.alu64_imm("xor", 0, secret), a.jmp_imm("eq", 0, secret, 0), a.st(8, 10, -8, secret),
                 a.ld_imm64(1, secret << 32 | secret), a.alu32_imm("mul", 0, secret), a.alu64_imm("div", 0, secret), a.exit_())
    for flags in FLAGS:
        with World() as world:
            world.jit_flags(flags)
            found = secret.to_bytes(4, "little") in world.code(world.raw(code))
            assert found == (not flags & 1)


@pytest.mark.parametrize("kind", [2, 6])
@pytest.mark.parametrize("size", [1, 8, 24, 64])
def test_array_lookups_in_place(kind: int, size: int) -> None:
    for flags in FLAGS:
        with World() as world:
            world.jit_flags(flags)
            fd = world.map(kind, 4, size, 5)
            for index in range(5):
                world.update(fd, index.to_bytes(4, "little"), bytes([index + 1]) * size)
            for index, want in ((0, 1), (3, 4), (4, 5), (5, 99), (-1, 99)):
                verdict = world.load(a.asm(
                    a.st(4, a.R10, -4, index), a.mov(a.R2, a.R10), a.add_imm(a.R2, -4), a.ld_map(a.R1, fd), a.call(1),
                    a.mov_imm(a.R6, 99), a.jmp_imm("eq", a.R0, 0, 1), a.ldx(1, a.R6, a.R0), a.call(8),
                    a.add(a.R0, a.R6), a.exit_(),
                ))
                assert verdict.ok, verdict.log
                assert world.run(verdict.fd, jit=True).retval == world.run(verdict.fd).retval == want
