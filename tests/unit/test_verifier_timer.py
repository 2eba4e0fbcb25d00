# SPDX-License-Identifier: MIT
"""Programs with timers in map values (tests/programs/timer.py): verdict, errno, message, and
what becomes of the call that sets a callback."""

from __future__ import annotations

import struct

import asm as a
import pytest
from asm import R1, R2, R3
from program_world import Stage
from programs.case import Case
from programs.timer import ALL, CASES, OUT, SET, SET_CALLBACK, START_IT, element, init
from verifier_lib import World, lib


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    with World() as world:
        lib.bcu_allow_all_helpers(world._world)
        verdict = Stage(world).load(case)
    assert verdict.error == case.error, verdict.log[-2000:]
    assert case.message in verdict.log


def test_the_helper_is_told_the_program() -> None:
    """By two instructions in front of the call, as on Linux."""
    case = {case.name: case for case in CASES}["timer/all of it"]
    with World() as world:
        lib.bcu_allow_all_helpers(world._world)
        fd = Stage(world).load(case).fd
        code = world.insns(fd)
    assert len(code) == len(case.insns) + 2 * 8
    insns = list(struct.iter_unpack("<BBhi", code))
    at = insns.index((0x85, 0, 0, SET_CALLBACK))
    assert insns[at - 2][:2] == (0x18, 3)


ADD_ONE = [a.ldx(8, R1, R3, 0), a.add_imm(R1, 1), a.stx(8, R3, 0, R1)]


@pytest.mark.parametrize("jit", [False, True], ids=["interpreter", "code"])
@pytest.mark.parametrize(
    ("body", "count"),
    [
        ([*element(), *init(), *SET, *START_IT, *OUT, "cb", *ADD_ONE, *OUT], 1),
        ([*element(), *init(), *SET, *OUT, "cb", *ADD_ONE, *OUT], 0),
        ([*ALL, *OUT, "cb", *ADD_ONE, *OUT], 0),  # cancelled
        ([*element(), *SET, *START_IT, *OUT, "cb", *ADD_ONE, *OUT], 0),  # never initialised
        # it starts itself again: no run takes more than a few of these
        ([*element(), *init(), *SET, *START_IT, *OUT, "cb", *ADD_ONE, a.mov(R1, R3), a.add_imm(R1, 8), a.mov_imm(R2, 0),
          a.mov_imm(R3, 0), a.call(171), *OUT], 8),
    ],
    ids=["started", "not started", "cancelled", "no timer", "again"],
)  # fmt: skip
def test_what_was_started_expires(body: list[a.Insn], count: int, jit: bool) -> None:
    """After the run, watched as the program is; what the helpers of the user-space library do."""
    with World() as world:
        stage = Stage(world)
        verdict = stage.load(Case("timer/run", "timer", a.asm(*body)), record=not jit)
        assert verdict.ok, verdict.log
        run = world.run(verdict.fd, packet=bytes(64), jit=jit)
        assert (run.retval, run.message) == (0, "")
        value = world.lookup(stage.fds["timers"], bytes(4), 24)
    assert struct.unpack_from("<Q", value)[0] == count
