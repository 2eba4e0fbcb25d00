# SPDX-License-Identifier: MIT
"""Every transfer function of the abstract domain is proven from its C source; the table is printed at the end of the run."""

from __future__ import annotations

import re

import pytest
import z3

from proof import csource, spec
from proof.lemmas import monotone_given
from proof.obligations import case
from proof.prove import Obligation, discharge
from proof.report import table
from proof.run import GROUPS, prove_group, row, without_proof


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("group", GROUPS)
def test_proven(group: str, pytestconfig: pytest.Config) -> None:
    results = prove_group(group, pytestconfig.getoption("--full"))
    assert results
    failed = [row(result) for result in results if not result.proven]
    assert not failed, "\n".join(table(failed))


def test_nothing_is_left_out() -> None:
    assert without_proof(csource.load()) == []


def test_what_has_no_proof_is_noticed() -> None:
    source = csource.load()
    more = csource.Source(
        {**source.functions, "bc_new": source.functions["bc_tnum_const"]},
        {**source.file_of, "bc_new": "tnum.c"},
        source.structs,
        source.typedefs,
        [*source.domain, "bc_new"],
    )
    found = without_proof(more)
    assert len(found) == 2 and all("bc_new" in line for line in found)


def test_false_claims_fail() -> None:
    """And assumptions that nothing fulfils."""

    def wrong(source: csource.Source) -> object:
        c = case(source)
        x = z3.BitVec("x", 64)
        c.scalar("s", x)
        c.call("bc_scalar_zext32", "s")
        c.claim_scalar("result", c.after("s"), x)
        return c

    def vacuous(source: csource.Source) -> object:
        c = case(source)
        s = c.scalar("s", z3.BitVec("x", 64))
        c.assume(z3.UGT(s.term["umin"].term, s.term["umax"].term))
        c.claim("anything", z3.BoolVal(False))
        return c

    source = csource.load()
    result = discharge(Obligation("wrong", "bc_scalar_zext32", wrong), source)
    assert not result.proven and "result: t: sat" in result.failed
    assert discharge(Obligation("vacuous", "", vacuous), source).failed == ["the assumptions are satisfiable: unsat"]


def test_the_solver_for_products_refutes() -> None:
    a, b, c, d = (z3.BitVec(name, 64) for name in "abcd")
    z3.set_param("smt.bv.solver", 2)
    try:
        solver = z3.SimpleSolver()
        solver.add(z3.ULE(a, c), z3.ULE(b, d), z3.UGT(a * b, c * d))
        assert solver.check() == z3.sat
        solver.add(monotone_given(a, b, c, d))
        assert solver.check() == z3.unsat
    finally:
        z3.set_param("smt.bv.solver", 0)


def test_operations_have_their_numbers() -> None:
    """The specification's opcodes, against those of the interface header that the C is built with."""
    header = (csource.REPO / "kmod/uapi/bpf_insn.h").read_text()
    for name, code in {**spec.ALU_OPS, **spec.JUMP_OPS}.items():
        assert [int(n, 0) for n in re.findall(rf"^#define BPF_{name}\s+(\w+)", header, re.M)] == [code]
