# SPDX-License-Identifier: MIT
"""Programs with timers in map values (tests/programs/timer.py): verdict, errno, message, and
what becomes of the call that sets a callback."""

from __future__ import annotations

import struct

import pytest
from program_world import Stage
from programs.case import Case
from programs.timer import CASES, SET_CALLBACK
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
