# SPDX-License-Identifier: MIT
"""The proofs notice what is wrong: mutants of the C break them, or are shown to be no worse than the original."""

from __future__ import annotations

import json

import pytest

from proof.mutants import Mutant, compare, explained, killed_by, mutants, sample
from proof.report import BUILD

SAMPLE, SEED = 12, 9669


def fates(chosen: list[Mutant]) -> dict[str, str]:
    found = {}
    for mutant in chosen:
        killer = killed_by(mutant)
        found[mutant.name] = f"killed: {killer}" if killer else compare(mutant)
    return found


def unexplained(found: dict[str, str]) -> list[str]:
    """Those that no proof noticed, and that neither are equivalent nor only know less."""
    return [name for name, fate in found.items() if fate == "differs" and not explained().get(name)]


@pytest.mark.timeout(1800)
def test_a_sample_of_mutants() -> None:
    found = fates(sample(SAMPLE, SEED))
    assert not unexplained(found)
    assert sum(fate.startswith("killed") for fate in found.values()) >= SAMPLE // 2, found


@pytest.mark.hours
@pytest.mark.timeout(20_000)
@pytest.mark.parametrize("part", range(8))
def test_all_mutants(part: int) -> None:
    found = fates(mutants()[part::8])
    BUILD.mkdir(exist_ok=True)
    (BUILD / f"proof-mutants-{part}.json").write_text(json.dumps(found, indent=1) + "\n")
    assert not unexplained(found)


@pytest.mark.full
def test_what_is_explained_exists() -> None:
    assert explained().keys() <= {mutant.name for mutant in mutants()}
    assert all(explained().values())


def test_every_function_has_mutants() -> None:
    functions = {mutant.function for mutant in mutants()}
    assert len(functions) > 60
