# SPDX-License-Identifier: MIT
"""Each allocation of a verification fails in turn: the load is refused, and nothing is left over."""

from __future__ import annotations

import pytest
from program_world import Stage
from programs import accept, reject
from programs.case import Case
from verifier_lib import World, lib

CASES = [
    case
    for case in [*accept.CASES, *reject.CASES]
    if case.name.split("/")[0] in ("loops", "calls", "references", "locks", "maps", "callbacks", "uninitialised")
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{'refused ' if case.error else ''}{case.name}")
def test_every_allocation_fails_once(case: Case) -> None:
    with World() as world:
        stage = Stage(world)
        wanted = stage.load(case, log_level=0).error  # makes the maps
        level = lib.bc_user_live_blocks()
        for fail in range(2000):
            before = lib.bc_user_live_blocks()
            lib.bc_user_fail_alloc(fail)
            verdict = load_quietly(stage, case)
            lib.bc_user_fail_alloc(-1)
            if verdict is None:
                continue  # the test's own BTF met the failure
            # EFAULT is what Linux answers when a branch cannot be put off.
            if verdict not in ("ENOMEM", "EFAULT"):
                assert verdict == wanted
                break
            assert lib.bc_user_live_blocks() - before == btf_blocks(case), f"allocation {fail}"
        else:
            pytest.fail("never through")
        assert fail > 2 or wanted
        assert level > 0 or wanted


def btf_blocks(case: Case) -> int:
    """Blocks that a load of the case leaves in the world on purpose: its BTF (the struct, the blob, the index)."""
    return 3 if case.func_starts else 0


def load_quietly(stage: Stage, case: Case) -> str | None:
    try:
        return stage.load(case, log_level=0).error
    except AssertionError:
        return None


def test_a_world_leaves_nothing() -> None:
    before = lib.bc_user_live_blocks()
    with World() as world:
        stage = Stage(world)
        for case in [*accept.CASES[:40], *reject.CASES[:60]]:
            stage.load(case, log_level=0)
    assert lib.bc_user_live_blocks() == before
