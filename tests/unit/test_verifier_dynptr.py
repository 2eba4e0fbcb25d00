# SPDX-License-Identifier: MIT
"""Dynptrs (tests/programs/dynptr.py): verdicts, results by interpreter and generated code, and what a run does held against what
the verifier believed."""

from __future__ import annotations

import pytest
from program_world import Stage
from programs import dynptr
from programs.case import Case
from verifier_lib import World

RUN = [case for case in dynptr.CASES if case.result is not None]


@pytest.mark.parametrize("case", dynptr.CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    with World() as world:
        stage = Stage(world)
        verdict = stage.load(case)
        assert verdict.error == case.error, verdict.log[-2000:]
        assert case.message in verdict.log
        assert [stage.load(case, log_level=level).error for level in (0, 2, 4)] == [case.error] * 3


@pytest.mark.parametrize("case", RUN, ids=lambda case: case.name)
def test_result(case: Case) -> None:
    with World() as world:
        verdict = Stage(world).load(case, record=True, no_prune=True)
        assert verdict.ok, verdict.log[-2000:]
        for jit in (False, True):
            run = world.run(verdict.fd, packet=bytes(64), max_insns=10_000, jit=jit)
            assert (run.mem_violations, run.state_violations, run.ref_leaks, run.message) == (0, 0, 0, "")
            assert run.retval & 0xFFFFFFFF == case.result


def test_the_log_shows_both_halves() -> None:
    with World() as world:
        by_name = {case.name: case for case in dynptr.CASES}
        verdict = Stage(world).load(by_name["dynptr/record"], log_level=2)
        assert "fp-8_w=dddddddd fp-16_w=dddddddd refs=1" in verdict.log
