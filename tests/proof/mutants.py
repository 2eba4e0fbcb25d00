# SPDX-License-Identifier: MIT
"""
Mutants of the domain's C, made mechanically from its syntax tree, and what becomes of their proofs: `python -m proof.mutants
[WORD...]` in tests/ runs those with a word in their names. survivors.json explains those that are neither equivalent nor weaker.
"""

from __future__ import annotations

import copy
import functools
import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import z3
from pycparser import c_ast, c_generator

from proof import csource, spec
from proof.cvalue import PointerType, StructType, TranslationError, Value, VoidType
from proof.prove import Case, Obligation, discharge
from proof.run import GROUPS, is_long

SURVIVORS = Path(__file__).with_name("survivors.json")
TIMEOUT_MS = 20_000
SWAPS = {
    "+": ["-"],
    "-": ["+"],
    "*": ["+"],
    "&": ["|"],
    "|": ["&"],
    "^": ["|"],
    "<<": [">>"],
    ">>": ["<<"],
    "<": ["<=", ">"],
    "<=": ["<"],
    ">": [">=", "<"],
    ">=": [">"],
    "==": ["!="],
    "!=": ["=="],
    "&&": ["||"],
    "||": ["&&"],
}


@dataclass(frozen=True)
class Mutant:
    function: str
    name: str
    body: c_ast.FuncDef

    def source(self) -> csource.Source:
        return csource.load().with_function(self.function, self.body)


def text(node: c_ast.Node) -> str:
    return " ".join(c_generator.CGenerator().visit(node).split()) if node else ""


def nodes(node: c_ast.Node) -> Iterator[c_ast.Node]:
    yield node
    for _, child in node.children():
        yield from nodes(child)


def cast(kind: str, node: c_ast.Node) -> c_ast.Cast:
    decl = c_ast.TypeDecl(None, [], None, c_ast.IdentifierType([kind]))
    return c_ast.Cast(c_ast.Typename(None, [], None, decl), node, node.coord)


def changes(node: c_ast.Node) -> Iterable[tuple[str, Any]]:
    """Ways to change a node in place: what to call each, and how."""
    if isinstance(node, c_ast.BinaryOp):
        for other in SWAPS.get(node.op, ()):
            yield f"{node.op} becomes {other}", functools.partial(setattr, node, "op", other)
        if node.op in ("<", "<=", ">", ">="):
            for kind in ("u64", "s64"):

                def compare_as(kind: str = kind) -> None:
                    node.left, node.right = cast(kind, node.left), cast(kind, node.right)

                yield f"{node.op} compares as {kind}", compare_as
    elif isinstance(node, c_ast.Constant):
        digits = node.value.rstrip("uUlL")
        number = int(digits, 8 if len(digits) > 1 and digits[0] == "0" and digits[1] not in "xX" else 0)
        more = str(number + 1) + node.value[len(digits) :]
        yield f"{node.value} becomes {more}", functools.partial(setattr, node, "value", more)
    elif isinstance(node, c_ast.UnaryOp) and node.op in ("~", "!"):
        yield f"{node.op} is dropped", functools.partial(setattr, node, "op", "+" if node.op == "~" else "!!")
    elif isinstance(node, c_ast.Assignment) and node.op == "&=":
        yield "&= becomes |=", functools.partial(setattr, node, "op", "|=")
    if isinstance(node, c_ast.Compound | c_ast.Case | c_ast.Default):
        items = node.block_items if isinstance(node, c_ast.Compound) else node.stmts
        for index, item in enumerate(items or ()):
            if isinstance(item, c_ast.Assignment | c_ast.FuncCall | c_ast.If | c_ast.Break):

                def drop(items: list[c_ast.Node] = items, index: int = index) -> None:
                    items[index] = c_ast.EmptyStatement(items[index].coord)

                yield f"dropped: {text(item)[:60]}", drop
    if isinstance(node, c_ast.If):

        def always() -> None:
            node.cond = c_ast.Constant("int", "1", node.cond.coord)

        yield f"always: if ({text(node.cond)[:60]})", always


def mutants() -> list[Mutant]:
    source = csource.load()
    made = []
    for function, body in source.functions.items():
        count = sum(len(list(changes(node))) for node in nodes(body.body))
        seen: dict[str, int] = {}
        for index in range(count):
            changed = copy.deepcopy(body)
            what, node = next(
                pick for at, pick in enumerate((w, n) for n in nodes(changed.body) for w in changes(n)) if at == index
            )
            label, apply = what
            name = f"{source.file_of[function]}: {function}: line {text(node)[:70]}: {label}".replace(": line ", ": ")
            apply()
            seen[name] = seen.get(name, 0) + 1
            made.append(Mutant(function, name + (f" #{seen[name]}" if seen[name] > 1 else ""), changed))
    return made


@functools.cache
def obligations() -> dict[str, list[Obligation]]:
    """By function: the obligations that follow it, its own and the small ones first."""
    source = csource.load()
    followers: dict[str, list[tuple[int, Obligation]]] = {name: [] for name in source.functions}
    for obligation in (one for group in GROUPS.values() for one in group() if not is_long(one)):
        case = obligation.build(source)
        for name in case.machine.followed:
            rank = 0 if obligation.function == name else 10 + len(case.machine.followed)
            followers[name].append((rank + (5 if obligation.name == "bc_tnum_mul" else 0), obligation))
    return {name: [one for _, one in sorted(found, key=lambda pair: pair[0])] for name, found in followers.items()}


def killed_by(mutant: Mutant) -> str | None:
    """The obligation that the mutant breaks, with what came of it; None: it survives."""
    source = mutant.source()
    for obligation in obligations()[mutant.function]:
        try:
            result = discharge(replace(obligation, timeout_ms=TIMEOUT_MS), source, stop_early=True)
        except (TranslationError, z3.Z3Exception) as error:
            return f"{obligation.name}: {error}"
        if not result.proven:
            return f"{obligation.name}: {result.failed[0]}"
    return None


def _proves(assumed: list[Any], term: z3.BoolRef) -> bool:
    solver = z3.SolverFor("QF_UFBV")
    solver.set("timeout", TIMEOUT_MS)
    solver.add(*assumed, z3.Not(term))
    return z3.is_true(z3.simplify(term)) or solver.check() == z3.unsat


def _same(a: Value, b: Value) -> z3.BoolRef:
    if isinstance(a.kind, StructType):
        return z3.And(*(_same(a.term[name], b.term[name]) for name, _ in a.kind.fields))
    return z3.BoolVal(True) if isinstance(a.kind, VoidType) else a.term == b.term


def _settings(function: str) -> list[dict[str, int]]:
    """The fixed choices of arguments for which the obligations, too, are made one by one."""
    settings: list[dict[str, int]] = [{}]
    parameters = [name for name, _ in Case(csource.load()).machine.parameters(function)]
    for name, values in (
        ("op", sorted({*spec.ALU_OPS.values(), *spec.JUMP_OPS.values()})),
        ("bytes", [1, 2, 4]),
        ("bits", [32, 64]),
        ("is32", [0, 1]),
    ):
        if name in parameters:
            settings = [{**setting, name: value} for setting in settings for value in values]
    return settings


def _run(function: str, source: csource.Source, setting: dict[str, int]) -> tuple[Case, Value]:
    """The function on any arguments: they are made up in the same order each time, so those of two runs have the same names."""
    case = Case(source)
    args: list[Any] = []
    for name, kind in case.machine.parameters(function):
        if isinstance(kind, PointerType):
            case.scalar(name, z3.BitVec(f"some of {name}", 64))
            args.append(name)
        elif name in setting:
            args.append(setting[name])
        elif isinstance(kind, StructType):
            args.append(case.tnum(name))
        else:
            args.append(case.machine.fresh(kind, name))
    return case, case.call(function, *args)


def _agree(first: tuple[Case, Value], second: tuple[Case, Value]) -> z3.BoolRef:
    names = first[0].state.memory
    return z3.And(_same(first[1], second[1]), *(_same(first[0].after(name), second[0].after(name)) for name in names))


def says_the_same(mutant: Mutant) -> bool:
    """
    Are its results the original's, word for word, and what must hold of the operands too? So it is with a comparison of two u64
    as u64: no obligation needs to be tried, it would pass all of them.
    """
    settings = _settings(mutant.function)
    if len(settings) > 4 and " compares as " not in mutant.name:
        return False
    for setting in settings:
        try:
            first, second = (_run(mutant.function, source, setting) for source in (csource.load(), mutant.source()))
        except (TranslationError, z3.Z3Exception):
            return False
        needs = [[need.term for need in case.machine.needs] for case, _ in (first, second)]
        if len(needs[0]) != len(needs[1]) or not all(map(z3.eq, *needs)):
            return False
        if not z3.is_true(z3.simplify(_agree(first, second))):
            return False
    return True


def compare(mutant: Mutant) -> str:
    """A survivor is "equivalent", or a sound one that "knows less" (its results contain the original's); else "differs"."""
    x = z3.BitVec("x", 64)
    equal = less = True
    for setting in _settings(mutant.function):
        (first, was), (second, now) = (_run(mutant.function, source, setting) for source in (csource.load(), mutant.source()))
        assumed = [*first.always, *(need.term for need in first.machine.needs)]
        if _proves(assumed, _agree((first, was), (second, now))):
            continue
        equal = False
        parts = [
            z3.Implies(spec.member(first.after(name), x), part)
            for name in first.state.memory
            for part in spec.gamma(second.after(name), x).values()
        ]
        if isinstance(was.kind, StructType):
            parts.append(z3.Implies(spec.in_tnum(was, x), spec.in_tnum(now, x)))
        elif not isinstance(was.kind, VoidType):
            less = False
        # of arguments that stand for some number: what is made of contradictions does not matter
        less = less and all(_proves([*assumed, *first.members], part) for part in parts)
        if not less:
            break
    return "equivalent" if equal else "knows less" if less else "differs"


def explained() -> dict[str, str]:
    """Survivors that the solver does not tell apart from wrong ones, each with its reason."""
    return json.loads(SURVIVORS.read_text())


def main(words: list[str]) -> int:
    survivors = 0
    chosen = [mutant for mutant in mutants() if not words or any(word in mutant.name for word in words)]
    begin = time.monotonic()
    for index, mutant in enumerate(chosen):
        killer = killed_by(mutant)
        if killer is None:
            survivors += 1
            print(f"{index + 1}/{len(chosen)} SURVIVES ({compare(mutant)}): {mutant.name}", flush=True)
        else:
            print(f"{index + 1}/{len(chosen)} {mutant.name}\n    by {killer}", flush=True)
    print(f"{len(chosen)} mutants, {survivors} survive, {time.monotonic() - begin:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
