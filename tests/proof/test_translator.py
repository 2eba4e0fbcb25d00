# SPDX-License-Identifier: MIT
"""The translator by itself: translated functions on random numbers against the compiled C, and what it must refuse or ask for."""

from __future__ import annotations

import ctypes
import random
from pathlib import Path

import pytest
import z3
from pycparser import CParser

from proof import csource, spec
from proof.concrete import both, build, random_value
from proof.cvalue import TranslationError, Value, constant
from proof.translate import Machine, State

SOURCE = csource.load()
ROUNDS = 25
# Arguments that are numbers of something, not any number.
CHOICES = {
    "op": [*spec.ALU_OPS.values(), *spec.JUMP_OPS.values()],
    "bytes": [1, 2, 4],
    "shift": range(32),
    "bits": [32, 64],
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return build(tmp_path_factory.mktemp("domain"), SOURCE)


@pytest.mark.parametrize("function", SOURCE.domain)
def test_translated_as_compiled(function: str, library: ctypes.CDLL) -> None:
    rng = random.Random(function)
    machine = Machine(SOURCE)
    results = set()
    for turn in range(ROUNDS if "mul" not in function and "alu" not in function else ROUNDS * 2):
        args = []
        for name, kind in machine.parameters(function):
            pick = CHOICES.get(name)
            target = getattr(kind, "target", kind)
            if args and args[-1].kind == target and rng.random() < 0.25:
                args.append(args[-1])
            else:
                args.append(constant(rng.choice(pick), kind) if pick else random_value(target, rng))
        mine, theirs = both(library, SOURCE, function, args, aliased=function == "bc_scalar_refine" and turn % 4 == 0)
        assert mine == theirs, f"turn {turn}"
        results.add(repr(theirs))
    assert len(results) > 1 or function in ("bc_tnum_unknown", "bc_scalar_unknown", "bc_tnum_is_unknown")


def translate(code: str, function: str = "f") -> tuple[Machine, Value]:
    """Of a text of C: the run of its function on any numbers."""
    ast = CParser(dialect="c23").parse(code)
    functions = {node.decl.name: node for node in ast.ext}
    source = csource.Source(functions, dict.fromkeys(functions, "-"), {}, {}, [])
    machine = Machine(source)
    args = [machine.fresh(kind, name) for name, kind in machine.parameters(function)]
    return machine, machine.call(function, args, State({}))


def provable(term: z3.BoolRef) -> bool:
    solver = z3.Solver()
    solver.add(z3.Not(term))
    return solver.check() == z3.unsat


UNDEFINED = {
    "signed overflow of +": "int f(int a) { return a + 1; }",
    "signed overflow of -": "int f(int a) { return a - 1; }",
    "signed overflow of *": "int f(int a) { return a * 2; }",
    "negation of the least": "int f(int a) { return -a; }",
    "shift by the width": "unsigned f(unsigned a, unsigned n) { return a << n; }",
    "shift down by the width": "unsigned f(unsigned a, unsigned n) { return a >> n; }",
    "shift of a narrow type by 32": "int f(unsigned char a, unsigned char n) { return a >> n; }",
    "shift of a negative": "int f(int a) { return a << 1; }",
    "division by zero": "unsigned f(unsigned a, unsigned b) { return a / b; }",
    "the least by -1": "int f(int a) { return a / -1; }",
    "on one path only": "int f(int a) { if (a > 0) return a; return a - 1; }",
    "behind &&": "int f(int a) { return a < 0 && a - 1 < 0; }",
}
DEFINED = {
    "unsigned wraps": "unsigned f(unsigned a) { return a + 1; }",
    "checked before": "int f(int a) { if (a < 100) return a + 1; return a; }",
    "checked by &&": "int f(int a) { return a < 100 && a + 1 < 100; }",
    "checked by ?:": "unsigned f(unsigned a, unsigned n) { return n < 32 ? a << n : 0; }",
    "narrow types are promoted": "int f(unsigned char a, unsigned char b) { return a + b; }",
}


@pytest.mark.parametrize("code", UNDEFINED.values(), ids=UNDEFINED)
def test_undefined_behaviour_must_be_proven_away(code: str) -> None:
    machine, _ = translate(code)
    assert not all(provable(need.term) for need in machine.needs)


@pytest.mark.parametrize("code", DEFINED.values(), ids=DEFINED)
def test_defined_behaviour_passes(code: str) -> None:
    machine, _ = translate(code)
    assert all(provable(need.term) for need in machine.needs)


VALUES = {
    "int f(void) { return -1 < 1u; }": 0,
    "int f(void) { return -1 < 1; }": 1,
    "int f(void) { return -1LL < 1u; }": 1,
    "int f(void) { return (unsigned char)300; }": 44,
    "int f(void) { return (signed char)200; }": -56,
    "int f(void) { return (_Bool)256; }": 1,
    "int f(void) { return ~0 >> 1; }": -1,
    "int f(void) { return (0u - 1 >> 31) + 0x10 + 010; }": 25,
    "int f(void) { int i, s = 0; for (i = 0; i < 5; i++) { if (i == 1) continue; if (i == 4) break; s += i; } return s; }": 5,
    "int f(void) { int r = 0; switch(2) { case 1: r = 1; case 2: r += 2; case 3: r += 4; break; default: r = 9; } return r; }": 6,
    "int f(void) { int x = 1; int *p = &x; *p = 7; return x; }": 7,
    "int f(void) { int x = 1; { int x = 2; x++; } return x; }": 1,
    "int f(void) { int i = 0; while (i < 9) i += 2; return i; }": 10,
    "int f(void) { return ({ typeof(1u) a = 3; a > 2 ? a : 2; }); }": 3,
}


@pytest.mark.parametrize("code", VALUES)
def test_meaning(code: str) -> None:
    _, value = translate(code)
    assert z3.simplify(value.term).as_signed_long() == VALUES[code]


REFUSED = {
    "an endless loop": "int f(void) { while (1) ; return 0; }",
    "recursion": "int f(int a) { return f(a); }",
    "an unknown function": "int f(int a) { return g(a); }",
    "no return": "int f(int a) { if (a) return 1; }",
    "an array": "int f(void) { int a[2]; return 0; }",
    "floating point": "int f(void) { return 1.0; }",
    "goto": "int f(void) { goto out; out: return 0; }",
    "a switch on what may be anything": "int f(int a) { switch (a) { case 1: return 1; } return 0; }",
}


@pytest.mark.parametrize("code", REFUSED.values(), ids=REFUSED)
def test_what_it_cannot_translate_it_refuses(code: str) -> None:
    with pytest.raises(TranslationError):
        translate(code)


def test_the_compiled_library_is_of_these_files(tmp_path: Path) -> None:
    """A changed function differs from the compiled one: the comparison compares something."""
    other = SOURCE.with_function("bc_tnum_add", SOURCE.functions["bc_tnum_sub"])
    compiled = build(tmp_path, SOURCE)
    rng = random.Random(1)
    args = [random_value(Machine(SOURCE).struct("tnum"), rng) for _ in "ab"]
    mine, theirs = both(compiled, other, "bc_tnum_add", args)
    assert mine != theirs
