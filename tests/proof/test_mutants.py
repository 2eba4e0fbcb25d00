# SPDX-License-Identifier: MIT
"""The proofs notice what is wrong: mutants of the C break them, or are shown to be no worse than the original."""

from __future__ import annotations

import zlib

import pytest

from proof import fates as f
from proof.judge import Judge
from proof.mutants import Mutant, explained, mutants

SAMPLE, SECONDS = 12, 5


def sample() -> list[Mutant]:
    """Of those that broke a proof, and soon, when they were tried last (fates.json): others take the solver many minutes."""
    soon = {one.name for one in f.recorded().values() if one.fate == "killed" and one.seconds < SECONDS}
    found = [mutant for mutant in mutants() if mutant.name in soon]
    return sorted(found, key=lambda mutant: zlib.crc32(mutant.name.encode()))[:SAMPLE]


@pytest.mark.timeout(900)
def test_a_sample_of_mutants() -> None:
    chosen = sample()
    judge = Judge(chosen)
    found = [f.find(mutant, judge) for mutant in chosen]
    assert len(found) == SAMPLE
    assert not [one for one in found if one.fate != "killed"]


@pytest.mark.hours
@pytest.mark.timeout(40_000)
@pytest.mark.parametrize("part", range(8))
def test_all_mutants(part: int) -> None:
    """What is known from earlier runs, and of the same C and rules, is not done again."""
    chosen = mutants()[part::8]
    found = f.fates(chosen)
    assert found.keys() == {mutant.name for mutant in chosen}
    assert not f.unexplained(found)


def test_what_is_kept_holds_only_for_the_same_c(monkeypatch: pytest.MonkeyPatch) -> None:
    mutant = next(mutant for mutant in mutants() if mutant.function == "bc_tnum_rsh")
    killer = next(one.name for one in f.obligations()["bc_tnum_rsh"])
    before = f.basis_of(mutant, killer)
    assert f.basis_of(mutant, killer) == before != f.basis_of(mutant, "")
    others = f.followed_by(killer) - {"bc_tnum_rsh"}
    assert "make" in others
    monkeypatch.setattr(f, "written", lambda function: f"{function} is another")
    assert f.basis_of(mutant, killer) != before
    monkeypatch.undo()
    monkeypatch.setattr(f, "rules", lambda: "others")
    assert f.basis_of(mutant, killer) != before


@pytest.mark.full
def test_what_is_explained_exists() -> None:
    assert explained().keys() <= {mutant.name for mutant in mutants()}
    assert all(explained().values())


def test_every_function_has_mutants() -> None:
    functions = {mutant.function for mutant in mutants()}
    assert len(functions) > 60
