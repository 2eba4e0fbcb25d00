# SPDX-License-Identifier: MIT
"""Programs that must be accepted, and what they return (tests/programs/accept.py), within the verifier's states."""

from __future__ import annotations

import pytest
from program_world import Stage
from programs import accept
from programs.case import Case
from verifier_lib import World


def test_table_is_large_enough() -> None:
    assert len(accept.CASES) >= 40
    assert len({case.name for case in accept.CASES}) == len(accept.CASES)


@pytest.mark.parametrize("case", accept.CASES, ids=lambda case: case.name)
def test_accepted(case: Case) -> None:
    with World() as world:
        verdict = Stage(world).load(case, record=True, no_prune=True)
        assert verdict.ok, f"{verdict.error}\n{verdict.log[-2000:]}"
        if case.result is None:
            return
        result = world.run(verdict.fd, packet=case.packet or bytes(64), max_insns=100_000)
        assert not result.timed_out, result.message
        assert (result.mem_violations, result.state_violations, result.ref_leaks) == (0, 0, 0), result.message
        assert result.retval & 0xFFFFFFFF == case.result


@pytest.mark.parametrize("case", accept.CASES, ids=lambda case: case.name)
def test_log_levels_do_not_change_the_verdict(case: Case) -> None:
    with World() as world:
        stage = Stage(world)
        assert [stage.load(case, log_level=level).error for level in (0, 1, 2, 4)] == ["", "", "", ""]
