# SPDX-License-Identifier: MIT
"""
Lemmas that stand for the body of a callee in the proofs of its callers. Each says no more than the callee's own obligations prove
of it (see the table there), for the numbers that the caller's proof is about, and asks for what those assume.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import z3

from proof import spec
from proof.cvalue import Value, VoidType
from proof.prove import Contract
from proof.translate import Machine, State


def _made_up(machine: Machine, kind: Any, function: str) -> tuple[str, Value]:
    name = f"{function}@{machine.serial()}"
    return name, machine.fresh(kind, name)


def keeps(
    function: str, *numbers: Any, of: Sequence[str] | None = None, facts: Callable[..., list[Any]] | None = None
) -> dict[str, Contract]:
    """
    A function of one scalar that narrows what is known: a number that it stood for before, it stands for afterwards. Asked for,
    and promised, of the objects @of alone (None: of all). @facts: more that is proven of it, of (before, after, number).
    """

    def contract(machine: Machine, state: State, args: list[Value]) -> Value:
        before = machine.load(state, args[0].term)
        machine.need(state, spec.well_formed(before.term["t"]), f"what {function} is given is well-formed")
        name, after = _made_up(machine, before.kind, function)
        machine.promise(state, name, spec.well_formed(after.term["t"]))
        if of is None or args[0].term.target in of:
            for x in numbers:
                for part, condition in spec.gamma(before, x).items():
                    machine.need(state, condition, f"what {function} is given has the number: {part}", members_only=True)
                for condition in spec.gamma(after, x).values():
                    machine.promise(state, name, condition, members_only=True)
                for condition in facts(before, after, x) if facts else ():
                    machine.promise(state, name, condition, members_only=True)
        machine.store(state, args[0].term, after)
        return Value(VoidType())

    return {function: contract}


def sync_facts(before: Value, after: Value, x: Any) -> list[z3.BoolRef]:
    """What bc_bounds_sync does beside keeping the number @x: proven in the obligations "bc_bounds_sync, ..."."""
    exact = z3.And(*spec.is_exactly(after, x).values())
    return [
        *spec.within(before, after).values(),
        z3.Implies(before.term["t"].term["mask"].term == 0, exact),
    ]


def sync(*numbers: Any, of: Sequence[str] | None = None) -> dict[str, Contract]:
    return keeps("bc_bounds_sync", *numbers, of=of, facts=sync_facts)


def tnum_operator(function: str, *triples: tuple[Any, Any, Any]) -> dict[str, Contract]:
    """A bc_tnum_* of two operands: x of one, y of the other, so z of the result; a constant where both are."""

    def contract(machine: Machine, state: State, args: list[Value]) -> Value:
        a, b = args
        for operand in args:
            machine.need(state, spec.well_formed(operand), f"what {function} is given is well-formed")
        name, result = _made_up(machine, a.kind, function)
        machine.promise(state, name, spec.well_formed(result))
        for x, y, z in triples:
            given = z3.And(spec.in_tnum(a, x), spec.in_tnum(b, y))
            machine.need(state, given, f"what {function} is given has the numbers", members_only=True)
            constants = z3.And(a.term["mask"].term == 0, b.term["mask"].term == 0)
            machine.promise(state, name, spec.in_tnum(result, z), members_only=True)
            machine.promise(state, name, z3.Implies(constants, result.term["mask"].term == 0), members_only=True)
        return result

    return {function: contract}


class Products:
    """
    Multiplication as an unknown function with the properties that are proven of it by themselves (product_lemmas): products of
    64-bit numbers are out of reach of a solver that sees their bits.
    """

    def __init__(self) -> None:
        self._functions = {w: z3.Function(f"product{w}", *[z3.BitVecSort(w)] * 3) for w in (32, 64)}

    def __call__(self, a: Any, b: Any) -> Any:
        return self._functions[a.size()](a, b)

    def monotone(self, a: Any, b: Any, at_most_a: Any, at_most_b: Any) -> z3.BoolRef:
        return z3.Implies(monotone_given(a, b, at_most_a, at_most_b), z3.ULE(self(a, b), self(at_most_a, at_most_b)))

    def low_half(self, a: Any, b: Any) -> z3.BoolRef:
        return spec.low(self(a, b)) == self(spec.low(a), spec.low(b))


def monotone_given(a: Any, b: Any, at_most_a: Any, at_most_b: Any) -> z3.BoolRef:
    half = z3.BitVecVal(1 << (a.size() // 2), a.size())
    return z3.And(z3.ULE(a, at_most_a), z3.ULE(b, at_most_b), z3.ULT(at_most_a, half), z3.ULT(at_most_b, half))


def product_lemmas() -> dict[str, z3.BoolRef]:
    """
    What Products and the proof of bc_tnum_mul take of true multiplication. There, of the low bits of m: (m mod 2^(i+1)) * q is
    (m mod 2^i) * q + (m & 2^i) * q as bits are parts and products distribute; so x * y is av * bv + av * by + ax * y.
    """
    lemmas: dict[str, z3.BoolRef] = {}
    for width in (32, 64):
        a, b, c, d = (z3.BitVec(name, width) for name in "abcd")
        grows = z3.ULE(a * b, c * d)
        lemmas[f"products grow with small factors, {width} bits"] = z3.Implies(monotone_given(a, b, c, d), grows)
    x, y = z3.BitVec("x", 64), z3.BitVec("y", 64)
    p, q, r = (z3.BitVec(name, 64) for name in "pqr")
    lemmas["products distribute over sums"] = (p + q) * r == p * r + q * r
    lemmas["products commute"] = p * q == q * p
    lemmas["a product with a single bit is a shift"] = z3.And(*((z3.BitVecVal(1 << i, 64) * q) == q << i for i in range(64)))
    lemmas["nothing times anything is nothing"] = z3.BitVecVal(0, 64) * q == 0
    m = z3.BitVec("m", 64)
    for i in range(64):
        bit, below = z3.BitVecVal(1 << i, 64), z3.BitVecVal((1 << i) - 1, 64)
        lemmas[f"bit {i} is the next part of a number"] = m & (bit | below) == (m & below) + (m & bit)
    lemmas["a product's low half is that of the low halves"] = spec.low(x * y) == spec.low(x) * spec.low(y)
    return lemmas
