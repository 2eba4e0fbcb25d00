# SPDX-License-Identifier: MIT
"""
What becomes of a mutant: `python -m proof.judge [WORD...]` in tests/ judges those with a word in their names, and tells why.

A proof is broken by a counterexample, most of them found by arguments of chance (sampler.py), and never by a lack of time. What
breaks none is shown to be equivalent or to know less, by the solver or, under names that say so, on many arguments of chance.
"""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import z3

from proof import csource, spec
from proof.cvalue import PointerType, StructType, TranslationError, Value, VoidType
from proof.mutants import Mutant, mutants
from proof.prove import Case, Goal, Obligation, Variables, ask_within, attempt, goals, refuted
from proof.run import GROUPS, is_long
from proof.sampler import Compared, Sampler
from proof.translate import Machine, State

ROUNDS = (100, 1_500)  # arguments for each obligation, until one breaks
LAST_ROUND = 400_000  # for all of them
SAMPLES = 200_000  # arguments on which a survivor is held against the original
SEED = 9669
SECONDS = 90  # of CPU for the proofs of one mutant
EFFORT, MORE_EFFORT, SHORT_EFFORT = 1_500_000, 25_000_000, 6_000_000  # of the solver, for one claim
TIMEOUT_MS = 60_000
# Callees that a comparison need not follow, where they are the same: of the same they make the same.
OPAQUE = ("bc_bounds_sync", "bc_bounds_64_from_32", "bc_bounds_32_from_64", "bc_tnum_mul")


@functools.cache
def every() -> list[Obligation]:
    return [one for group in GROUPS.values() for one in group()]


@functools.cache
def followers() -> dict[str, list[Obligation]]:
    """By function: the obligations that follow it, its own and the small ones first."""
    source = csource.load()
    found: dict[str, list[tuple[int, Obligation]]] = {name: [] for name in source.functions}
    for obligation in every():
        case = obligation.build(source)
        for name in case.machine.followed:
            rank = 0 if obligation.function == name else 10 + len(case.machine.followed)
            found[name].append((rank + (5 if obligation.name == "bc_tnum_mul" else 0), obligation))
    return {name: [one for _, one in sorted(rows, key=lambda pair: pair[0])] for name, rows in found.items()}


@functools.cache
def obligations() -> dict[str, list[Obligation]]:
    """Those that a survivor is proven to keep: without the long ones, which may be broken, but take the solver long to prove."""
    return {name: [one for one in rows if not is_long(one)] for name, rows in followers().items()}


@dataclass
class Original:
    """An obligation's goals for the C as it is: proven, in every test run. Kept, for comparing by identity."""

    goals: list[Goal]
    keys: set[tuple[int, frozenset[int]]]


@functools.cache
def original(name: str) -> Original:
    obligation = next(one for one in every() if one.name == name)
    found = goals(obligation.build(csource.load()))
    return Original(found, {goal.key() for goal in found})


# -- against the original ---------------------------------------------------------------------------------------------


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


def _opaque(function: str) -> Any:
    """An unknown function of all that it is given."""

    def leaves(value: Value) -> Iterable[Any]:
        if isinstance(value.kind, StructType):
            for name, _ in value.kind.fields:
                yield from leaves(value.term[name])
        else:
            yield value.term

    def made(kind: Any, name: str, terms: list[Any]) -> Value:
        if isinstance(kind, StructType):
            return Value(kind, {field: made(inner, f"{name}.{field}", terms) for field, inner in kind.fields})
        sorts = [term.sort() for term in terms]
        return Value(kind, z3.Function(name, *sorts, z3.BitVecSort(kind.width))(*terms))

    def contract(machine: Machine, state: State, args: list[Value]) -> Value:
        pointers = [arg for arg in args if isinstance(arg.kind, PointerType)]
        given = [machine.load(state, arg.term) if arg in pointers else arg for arg in args]
        terms = [term for value in given for term in leaves(value)]
        for at, arg in enumerate(pointers):
            machine.store(state, arg.term, made(arg.kind.target, f"{function}/{at}", terms))
        kind = machine.type_of(machine.source.functions[function].decl.type.type)
        return Value(kind) if isinstance(kind, VoidType) else made(kind, f"{function}/", terms)

    return contract


def _run(function: str, source: csource.Source, setting: dict[str, int], opaque: Sequence[str] = ()) -> tuple[Case, Value]:
    """The function on any arguments: they are made up in the same order each time, so those of two runs have the same names."""
    case = Case(source, {name: _opaque(name) for name in opaque if name != function})
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


def _agree(first: tuple[Case, Value], second: tuple[Case, Value]) -> list[z3.BoolRef]:
    """The same results, and nothing undefined on the way."""
    names = first[0].state.memory
    same = [_same(first[1], second[1]), *(_same(first[0].after(name), second[0].after(name)) for name in names)]
    return [*(need.term for need in second[0].machine.needs), *same]


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
        names = first[0].state.memory
        same = [_same(first[1], second[1]), *(_same(first[0].after(name), second[0].after(name)) for name in names)]
        if not z3.is_true(z3.simplify(z3.And(*same))):
            return False
    return True


def _proves(assumed: list[Any], terms: list[z3.BoolRef], effort: int) -> bool:
    ask = ask_within(TIMEOUT_MS, effort)
    return all(z3.is_true(z3.simplify(term)) or ask(assumed, term)[0] == z3.unsat for term in terms)


def is_equivalent(mutant: Mutant, end: float) -> bool:
    """Are its results the original's for all arguments for which that is defined? False: not, or not within the effort."""
    for setting in _settings(mutant.function):
        if time.process_time() > end:
            return False
        try:
            first, second = (_run(mutant.function, source, setting, OPAQUE) for source in (csource.load(), mutant.source()))
        except (TranslationError, z3.Z3Exception):
            return False
        assumed = [*first[0].always, *(need.term for need in first[0].machine.needs)]
        if not _proves(assumed, _agree(first, second), SHORT_EFFORT):
            return False
    return True


def knows_less(mutant: Mutant, end: float) -> bool:
    """Do its results contain the original's? False: not, or not within the effort."""
    x = z3.BitVec("x", 64)
    for setting in _settings(mutant.function):
        (first, was), (second, now) = (_run(mutant.function, source, setting) for source in (csource.load(), mutant.source()))
        # of arguments that stand for some number: what is made of contradictions does not matter
        assumed = [*first.always, *(need.term for need in first.machine.needs), *first.members]
        parts = [
            z3.Implies(spec.member(first.after(name), x), part)
            for name in first.state.memory
            for part in spec.gamma(second.after(name), x).values()
        ]
        if isinstance(was.kind, StructType):
            parts.append(z3.Implies(spec.in_tnum(was, x), spec.in_tnum(now, x)))
        elif not isinstance(was.kind, VoidType) and not _proves(assumed, [was.term == now.term], SHORT_EFFORT):
            return False
        for part in parts:
            if time.process_time() > end or not _proves(assumed, [part], SHORT_EFFORT):
                return False
    return True


# -- judging ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Verdict:
    fate: str
    obligation: str = ""  # that is broken, or that is left open
    reason: str = ""


class Judge:
    def __init__(self, chosen: Sequence[Mutant]) -> None:
        self.places = {mutant.name: place for place, mutant in enumerate(chosen, 1)}
        self.sampler = Sampler(every(), [(mutant.function, mutant.body) for mutant in chosen])

    def hunted(self, mutant: Mutant) -> Verdict | None:
        """Broken on arguments of chance, as the solver confirms of them."""
        source, names = mutant.source(), [one.name for one in followers()[mutant.function]]
        for count in (*ROUNDS, LAST_ROUND // len(names)):
            left = names
            while left:
                hit = self.sampler.hunt(self.places[mutant.name], left, count, SEED)
                if hit is None:
                    break
                obligation = next(one for one in followers()[mutant.function] if one.name == hit.obligation)
                try:
                    label = refuted(obligation, source, hit.values, hit.claim, TIMEOUT_MS)
                except (TranslationError, z3.Z3Exception) as error:
                    return Verdict("killed", obligation.name, str(error))
                if label is not None:
                    return Verdict("killed", obligation.name, f"{label}: sat")
                # the solver does not follow: so it is with what goes by lemmas at times. Others may tell
                left = left[left.index(hit.obligation) + 1 :]
        return None

    def tried(self, mutant: Mutant, end: float) -> Verdict | None:
        """By the solver: a proof that breaks, or one that is left open; None: all hold."""
        source = mutant.source()
        left: list[tuple[Obligation, set[str], Goal]] = []
        names = Variables()
        for obligation in obligations()[mutant.function]:
            try:
                case = obligation.build(source)
            except (TranslationError, z3.Z3Exception) as error:
                return Verdict("killed", obligation.name, str(error))
            keys = original(obligation.name).keys
            new = [goal for goal in goals(case) if goal.key() not in keys]
            left += [(obligation, case.numbers, goal) for goal in new]
            if new and case.machine.assumed:
                whole = [*case.always, *case.members, *(promise.term for promise in case.machine.assumed), *case.witness]
                left.append((obligation, case.numbers, Goal("the assumptions are satisfiable", z3.BoolVal(False), whole, [])))
        for effort in (EFFORT, MORE_EFFORT):
            ask, still = ask_within(TIMEOUT_MS, effort), []
            for at, (obligation, numbers, goal) in enumerate(left):
                if time.process_time() > end:
                    still += left[at:]
                    break
                satisfiable = goal.label == "the assumptions are satisfiable"
                answer = ask(goal.plain, None)[0] if satisfiable else attempt(goal, numbers, ask, names)[0]
                if answer == (z3.unsat if satisfiable else z3.sat):
                    return Verdict("killed", obligation.name, f"{goal.label}: {answer}")
                if answer == z3.unknown:
                    still.append((obligation, numbers, goal))
            left = still
        return Verdict("not settled", left[0][0].name, f"{len(left)} claims, {left[0][2].label}") if left else None

    def compared(self, mutant: Mutant) -> Compared:
        """On what calls of obligations that claim soundness are given: the others do not ask for a number in each operand."""
        sound = [one.name for one in obligations()[mutant.function] if one.kind == "sound"]
        names = sound or [one.name for one in obligations()[mutant.function]]
        return self.sampler.compare(self.places[mutant.name], names, max(SAMPLES // len(names), 2_000), SEED)

    def judge(self, mutant: Mutant) -> Verdict:
        if says_the_same(mutant):
            return Verdict("same text")
        verdict = self.hunted(mutant)
        if verdict is not None:
            return verdict
        begin = time.process_time()
        found = self.compared(mutant)
        if not found.less and not found.more and is_equivalent(mutant, begin + SECONDS / 2):
            return Verdict("equivalent")
        verdict = self.tried(mutant, begin + SECONDS)
        told = f"the same {found.same}, less {found.less}, more {found.more} {found.obligation} {found.values or ''}"
        if verdict is not None:
            return Verdict(verdict.fate, verdict.obligation, f"{verdict.reason} ({told})")
        if found.more:
            return Verdict("differs", "", told)
        if not found.less:
            return Verdict("no difference found", "", told)
        short = len(_settings(mutant.function)) <= 4 and knows_less(mutant, time.process_time() + 10)
        return Verdict("knows less" if short else "knows less, sampled", "", told)


def main(words: list[str]) -> int:
    chosen = [mutant for mutant in mutants() if not words or any(word in mutant.name for word in words)]
    judge = Judge(chosen)
    for index, mutant in enumerate(chosen):
        begin = time.process_time()
        verdict = judge.judge(mutant)
        seconds = time.process_time() - begin
        print(f"{index + 1}/{len(chosen)} {mutant.name}")
        print(f"    {verdict.fate} {verdict.obligation}: {verdict.reason}, {seconds:.1f} s", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
