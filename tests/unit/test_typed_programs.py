# SPDX-License-Identifier: MIT
"""Well-typed random programs (tests/fuzz/typed) against what the verifier believes of them, and the bugs that they must find
when these are planted. docs/soundness.md has the figures of long runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz import soundness
from fuzz.planted import BUGS, Bug

# Found by few programs: the rest runs with --full.
QUICK_NAMES = ("off by one", "lost null", "wrong sign", "bad pruning: bounds", "stale spill: a partial")
QUICK = [bug for bug in BUGS if bug.name.startswith(QUICK_NAMES)]
QUICK_BUDGET = 60_000


@pytest.fixture(scope="module")
def driver() -> Path:
    return soundness.build()


def test_random_programs(driver: Path) -> None:
    said, words = soundness.call(driver, "run", 1, 15_000, soundness.EVERYTHING)
    assert said, words
    assert said["violations"] == 0, words
    assert said["accepted"] >= said["programs"] / 5
    assert said["full"] >= said["programs"] / 5
    assert said["insns"] > 500_000
    assert said["pruned_only"] <= said["programs"] / 1000


def test_a_seed_makes_one_program(driver: Path) -> None:
    first, second = (soundness.call(driver, "run", 77, 500, soundness.EVERYTHING)[0] for _ in range(2))
    assert {**first, "seconds": 0, "cpu": 0} == {**second, "seconds": 0, "cpu": 0}


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_planted_bug_applies(bug: Bug) -> None:
    assert soundness.planted(bug) != (soundness.ROOT / "verifier" / bug.file).read_text()


def test_there_are_enough_of_them() -> None:
    assert len({(bug.file, bug.old, bug.new) for bug in BUGS}) == len(BUGS) >= 20
    assert len(QUICK) >= 5


@pytest.mark.parametrize("bug", QUICK, ids=lambda bug: bug.name)
def test_planted_bug_is_found(driver: Path, bug: Bug) -> None:
    found, words = soundness.find_bug(bug, 1, QUICK_BUDGET)
    assert found, words


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("bug", [bug for bug in BUGS if bug not in QUICK], ids=lambda bug: bug.name)
def test_rarer_planted_bug_is_found(driver: Path, bug: Bug) -> None:
    found, words = soundness.find_bug(bug, 1)
    assert found, words
