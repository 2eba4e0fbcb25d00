# SPDX-License-Identifier: MIT
"""Programs that use maps in maps (tests/programs/map_in_map.py): verdict, errno, message."""

from __future__ import annotations

import pytest
from program_world import Stage
from programs.case import Case
from programs.map_in_map import CASES
from verifier_lib import World


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    with World() as world:
        verdict = Stage(world).load(case)
    assert verdict.error == case.error, verdict.log[-2000:]
    assert case.message in verdict.log


def test_there_are_enough_cases() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 25
