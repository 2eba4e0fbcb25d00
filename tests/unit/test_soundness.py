# SPDX-License-Identifier: MIT
"""What the verifier believes is true: random programs that it accepts are run, and each register, each spilled number
and each access is held against the states that it recorded."""

from __future__ import annotations

import struct

import asm as a
import pytest
from fuzz_runner import Tally, try_seed
from program_world import Stage
from programs.case import LOOP, Case
from verifier_lib import World

SEEDS = 1200
CHUNK = 100


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_random_programs(start: int) -> None:
    tally = Tally()
    for seed in range(start, start + CHUNK):
        try_seed(seed, tally)
    assert not tally.problems, "\n".join(tally.problems[:5])
    assert tally.accepted >= CHUNK // 5
    assert tally.refused >= CHUNK // 20
    assert tally.insns_checked > 1000


def test_a_wrong_state_is_noticed() -> None:
    """A constant that changes behind the verifier's back."""
    with World() as world:
        fd = world.map(2, 4, 8, 1, 1 << 7)
        world.update(fd, bytes(4), struct.pack("<Q", 5))
        world.freeze(fd)
        code = a.asm(a.ld_map_value(a.R1, fd), a.ldx(8, a.R0, a.R1), a.mov(a.R2, a.R0), a.exit_())
        verdict = world.load(code, record=True, no_prune=True)
        assert verdict.ok, verdict.log
        assert world.run(verdict.fd).state_violations == 0
        world.update(fd, bytes(4), struct.pack("<Q", 6))
        result = world.run(verdict.fd)
        assert result.state_violations > 0
        assert "r0 = 0x6 does not fit" in result.message


def test_a_wrong_spill_is_noticed() -> None:
    with World() as world:
        fd = world.map(2, 4, 8, 1, 1 << 7)
        world.update(fd, bytes(4), struct.pack("<Q", 5))
        world.freeze(fd)
        code = a.asm(a.ld_map_value(a.R1, fd), a.ldx(8, a.R0, a.R1), a.stx(8, a.R10, -8, a.R0), a.mov_imm(a.R0, 0),
                     a.mov_imm(a.R1, 0), a.exit_())
        verdict = world.load(code, record=True, no_prune=True)
        world.update(fd, bytes(4), struct.pack("<Q", 6))
        result = world.run(verdict.fd)
        assert result.state_violations == 4  # r0 twice, then the slot alone twice


@pytest.mark.parametrize("off", [-8, 48, 44])
def test_a_wrong_access_is_noticed(off: int) -> None:
    with World() as world:
        fd = world.map(2, 4, 48, 4)
        raw = world.raw(a.asm(a.ld_imm64(a.R1, world.value_address(fd)), a.ldx(8, a.R0, a.R1, off), a.exit_()))
        result = world.run(raw)
        # past one value begins the next one: not wrong by itself
        assert result.mem_violations == (0 if off == 48 else 1)


@pytest.mark.parametrize("op", ["lsh", "rsh", "arsh"])
def test_a_32_bit_shift_is_by_the_known_low_half(op: str) -> None:
    """
    Bounds that agree in their high halves where a bit of the high half is not known, and a low half known to be 5: cut to 32 bits
    (a store and a load of 4 bytes) the greatest value is 7, and the only one 5. The shift is by 5.
    """
    top, middle, less = 1 << 60, 1 << 40, 1 << 36
    with World() as world:
        fd = world.map(2, 4, 8, 1)
        world.update(fd, bytes(4), struct.pack("<Q", top | middle | 5))
        code = a.asm(
            a.ld_map_value(a.R1, fd), a.ldx(8, a.R1, a.R1),
            a.ld_imm64(a.R2, top | 1 << 34), a.alu64("and", a.R1, a.R2),
            a.ld_imm64(a.R2, middle | 5), a.alu64("or", a.R1, a.R2),
            a.mov_imm(a.R0, 0),
            a.ld_imm64(a.R2, top | middle | 7), a.jmp("gt", a.R1, a.R2, "out"),
            a.ld_imm64(a.R2, top | less), a.jmp("lt", a.R1, a.R2, "out"),
            a.stx(4, a.R10, -8, a.R1), a.ldx(4, a.R3, a.R10, -8),
            a.mov32_imm(a.R0, 1 if op == "lsh" else 1 << 10), a.alu32(op, a.R0, a.R3),
            "out", a.exit_(),
        )
        verdict = world.load(code, record=True, no_prune=True)
        assert verdict.ok, verdict.log
        result = world.run(verdict.fd)
        assert result.state_violations == 0, result.message


def test_a_pointer_says_how_often_a_callback_is_called() -> None:
    """bpf_loop() takes any value: a pointer's offset is not the number that it is."""
    case = Case("loop by a pointer", "soundness", a.asm(
        a.st(8, a.R10, -8, 0), a.ld_func(a.R2, "cb"), a.mov(a.R3, a.R10), a.add_imm(a.R3, -8), a.mov_imm(a.R4, 0), a.call(LOOP),
        a.ldx(8, a.R1, a.R10, -8), a.mov(a.R2, a.R10), a.add_imm(a.R2, -16), a.add(a.R2, a.R1), a.ldx(1, a.R0, a.R2), a.exit_(),
        "cb", a.ldx(8, a.R1, a.R2), a.add_imm(a.R1, 4), a.stx(8, a.R2, 0, a.R1), a.mov_imm(a.R0, 0), a.exit_(),
    ))
    with World() as world:
        assert Stage(world).load(case).error == "EACCES"
