# SPDX-License-Identifier: MIT
"""Programs that must be refused, with Linux's errno and message (tests/programs/reject.py)."""

from __future__ import annotations

import pytest
from program_world import Stage
from programs import reject
from programs.case import Case
from verifier_lib import World


def test_table_is_what_the_issue_asks_for() -> None:
    assert len(reject.CASES) >= 80
    assert len({case.name for case in reject.CASES}) == len(reject.CASES)
    assert len({case.group for case in reject.CASES}) >= 10
    assert all(case.error for case in reject.CASES)


@pytest.mark.parametrize("case", reject.CASES, ids=lambda case: case.name)
def test_refused(case: Case) -> None:
    with World() as world:
        stage = Stage(world)
        quiet = stage.load(case, log_level=0)
        assert quiet.error == ("ENOTSUPP" if case.needs_btf else case.error), stage.load(case).log[-2000:]
        if case.message and not case.needs_btf:
            assert case.message in stage.load(case).log
