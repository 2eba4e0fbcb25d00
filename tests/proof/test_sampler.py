# SPDX-License-Identifier: MIT
"""The arguments of chance that mutants are tried on: they break no claim of the C as it is, and they do of a C that is wrong."""

from __future__ import annotations

import pytest
import z3

from proof import csource
from proof.judge import Judge, every, followers
from proof.mutants import mutants
from proof.prove import Case, Obligation, refuted
from proof.sampler import Writer

COUNT, LEAST = 500, 20


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge([mutant for mutant in mutants() if mutant.function in ("bc_tnum_and", "bc_scalar_sub64", "bc_tnum_mul")])


def test_the_original_breaks_nothing(judge: Judge) -> None:
    assert judge.sampler.hunt(0, [one.name for one in every()], COUNT, 1) is None


def test_arguments_are_what_the_obligations_assume(judge: Judge) -> None:
    """Else a claim is not tried at all. The original is held against itself: all that is counted is the same."""
    for one in every():
        found = judge.sampler.compare(0, [one.name], 3_000, 7)
        assert found.same >= LEAST and not found.less and not found.more, one.name


def test_a_hit_is_refuted_by_the_solver_too(judge: Judge) -> None:
    mutant = next(mutant for mutant in mutants() if mutant.name.endswith("bc_tnum_and: a.value & b.value: & becomes |"))
    hit = judge.sampler.hunt(judge.places[mutant.name], ["bc_tnum_and"], 1000, 1)
    assert hit is not None and hit.obligation == "bc_tnum_and" and hit.values
    obligation = next(one for one in followers()["bc_tnum_and"] if one.name == "bc_tnum_and")
    assert refuted(obligation, mutant.source(), hit.values, hit.claim, 10_000) is not None
    # what breaks the mutant does not break the original
    assert refuted(obligation, csource.load(), hit.values, hit.claim, 10_000) is None


def test_less_is_told_from_more(judge: Judge) -> None:
    name = "always: if (s64_sub_wraps(d->smin, s->smax) || s64_sub_wraps(d->smax, s-"
    mutant = next(mutant for mutant in mutants() if mutant.function == "bc_scalar_sub64" and name in mutant.name)
    found = judge.sampler.compare(judge.places[mutant.name], ["bc_scalar_sub64"], 2000, 1)
    assert found.less and not found.more


def test_undefined_behaviour_is_noticed(judge: Judge) -> None:
    wrong = next(mutant for mutant in mutants() if mutant.function == "bc_tnum_mul" and "64 becomes 65" in mutant.name)
    hit = judge.sampler.hunt(judge.places[wrong.name], ["bc_tnum_mul, of constants"], 2000, 1)
    assert hit is not None and not hit.claim


def test_terms_as_c() -> None:
    x = z3.BitVec("x", 64)
    writer = Writer({"x": "v[0]"})
    assert writer.write(z3.SignExt(32, z3.Extract(31, 0, x)) == x)
    assert writer.write(x) == writer.write(x)
    with pytest.raises(ValueError, match="no C for"):
        writer.write(z3.UDiv(x, x))


def test_a_claim_that_holds_is_not_refuted() -> None:
    def build(source: csource.Source) -> Case:
        case = Case(source)
        x = z3.BitVec("x", 64)
        case.claim("small", z3.ULT(x, 10))
        return case

    obligation = Obligation("small", "", build)
    assert refuted(obligation, csource.load(), {"x": 11}, "small", 1000) == "small"
    assert refuted(obligation, csource.load(), {"x": 9}, "small", 1000) is None
