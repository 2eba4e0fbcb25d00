# SPDX-License-Identifier: MIT
"""Obligations and how they are discharged: what is assumed, what is claimed of a call of the C, and the solver's answer to it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import z3

from proof import csource, spec
from proof.cvalue import Pointer, PointerType, Value, constant
from proof.translate import Machine, Promise, State

TIMEOUT_MS = 120_000
Contract = Callable[[Machine, State, list[Value]], Value]


@dataclass
class Claim:
    label: str
    term: z3.BoolRef
    members_only: bool  # only for numbers that the arguments stand for; else for any well-formed arguments
    given: list[Any] | None = None  # a step by itself: from these assumptions alone


class Case:
    """One obligation at work: a symbolic run of the C, with what is assumed before and claimed after."""

    def __init__(self, source: csource.Source, contracts: dict[str, Contract] | None = None, **options: Any) -> None:
        self.machine = Machine(source, contracts, **options)
        self.state = State({})
        self.always: list[z3.BoolRef] = []
        self.members: list[z3.BoolRef] = []
        self.claims: list[Claim] = []
        self.witness: list[z3.BoolRef] = []  # values with which the assumptions hold, where they are hard to find
        self.numbers: set[str] = set()
        # for arguments by chance: structs with their members, and what follows from other variables
        self.made: list[tuple[str, Value, tuple[Any, ...]]] = []
        self.defined: list[tuple[Any, Any]] = []

    # -- what goes in -------------------------------------------------------------------------------------------------

    def about(self, *numbers: Any) -> None:
        """Names the numbers that the claims are about."""
        self.numbers.update(str(x) for x in numbers)

    def tnum(self, name: str, *members: Any) -> Value:
        value = self.machine.fresh(self.machine.struct("tnum"), name)
        self.always.append(spec.well_formed(value))
        self.members += [spec.in_tnum(value, x) for x in members]
        self.made.append(("tnum", value, members))
        return value

    def scalar(self, name: str, *members: Any, only: Callable[[Value, Any], dict[str, Any]] = spec.gamma) -> Value:
        """A scalar in memory, well-formed; @members are numbers that it stands for (in the parts that @only names)."""
        value = self.machine.fresh(self.machine.struct("bpf_scalar"), name)
        self.always.append(spec.well_formed(value.term["t"]))
        for x in members:
            self.members += only(value, x).values()
        self.state.memory[name] = value
        self.made.append(("scalar", value, members))
        return value

    def at(self, name: str) -> Value:
        return Value(PointerType(self.machine.struct("bpf_scalar")), Pointer(name))

    def assume(self, *conditions: z3.BoolRef) -> None:
        """A precondition of the call, for any arguments."""
        self.always += conditions

    # -- the call -----------------------------------------------------------------------------------------------------

    def call(self, function: str, *args: Any) -> Value:
        params = self.machine.parameters(function)
        values = []
        for (_, kind), arg in zip(params, args, strict=True):
            if isinstance(arg, Value):
                values.append(arg)
            elif isinstance(arg, str):
                values.append(self.at(arg))
            elif isinstance(arg, int):
                values.append(constant(int(arg), kind) if not kind.is_bool else Value(kind, truth=z3.BoolVal(bool(arg))))
            else:
                values.append(Value(kind, arg))
        if self.machine.source.stand_in is not None:
            return self.machine.source.stand_in(self, function, values)
        return self.machine.call(function, values, self.state)

    def after(self, name: str) -> Value:
        return self.state.memory[name]

    # -- what is claimed ----------------------------------------------------------------------------------------------

    def claim(self, label: str, term: z3.BoolRef) -> None:
        self.claims.append(Claim(label, term, True))

    def step(self, label: str, given: list[Any], term: z3.BoolRef) -> None:
        """A part of a proof that needs nothing else than what is given."""
        self.claims.append(Claim(label, term, True, given))

    def claim_always(self, label: str, term: z3.BoolRef) -> None:
        self.claims.append(Claim(label, term, False))

    def claim_parts(self, label: str, parts: dict[str, z3.BoolRef]) -> None:
        for name, term in parts.items():
            self.claim(f"{label}: {name}", term)

    def claim_scalar(self, label: str, value: Value, x: Any) -> None:
        """@x is one of what the resulting scalar stands for, and that is well-formed whatever the arguments."""
        self.claim_always(f"{label}: well-formed", spec.well_formed(value.term["t"]))
        self.claim_parts(label, spec.gamma(value, x))

    def claim_tnum(self, label: str, value: Value, x: Any) -> None:
        self.claim_always(f"{label}: well-formed", spec.well_formed(value))
        self.claim(label, spec.in_tnum(value, x))


@dataclass
class Result:
    name: str
    function: str
    width: int
    proven: bool
    seconds: float
    goals: int
    failed: list[str] = field(default_factory=list)
    followed: set[str] = field(default_factory=set)
    statements: set[str] = field(default_factory=set)
    model: str = ""


@dataclass(frozen=True)
class Obligation:
    name: str
    function: str
    build: Callable[[csource.Source], Case]
    kind: str = "sound"  # or "exact": what the function achieves, which keeps mutants from passing as merely weaker
    width: int = 64
    timeout_ms: int = TIMEOUT_MS


def solver(timeout_ms: int) -> z3.Solver:
    made = z3.SolverFor("QF_UFBV")
    made.set("timeout", timeout_ms)
    return made


class Variables:
    """The names in terms. It keeps the terms alive that it was asked about, as it goes by their identity."""

    def __init__(self) -> None:
        self.known: dict[int, frozenset[str]] = {}
        self.terms: list[Any] = []

    def of(self, term: Any) -> frozenset[str]:
        self.terms.append(term)
        return self._of(term)

    def _of(self, term: Any) -> frozenset[str]:
        key = term.get_id()
        if key not in self.known:
            if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
                self.known[key] = frozenset([str(term)])
            else:
                self.known[key] = frozenset().union(*(self._of(child) for child in term.children()))
        return self.known[key]


def relevant(goal: Any, plain: list[Any], promises: list[Promise], free: set[str], names: Variables) -> list[Any]:
    """
    The assumptions that bear on the goal: promises of the made-up values that it depends on, and what is assumed of those
    arguments alone that it depends on (@free: numbers that all assumptions are about). A proof from fewer assumptions is as good,
    and often the only quick one.
    """
    known = set(names.of(goal))
    chosen: list[Any] = []
    for promise in reversed(promises):
        if any(name.split(".")[0].split("!")[0] == promise.of for name in known - free):
            known |= names.of(promise.term)
            chosen.append(promise.term)
    return chosen + [term for term in plain if names.of(term) - free <= known]


@dataclass
class Goal:
    """To be proven from @plain and @promises, or, a step by itself, from what is @given alone."""

    label: str
    term: z3.BoolRef
    plain: list[Any]
    promises: list[Promise]
    given: list[Any] | None = None

    def assumed(self) -> list[Any]:
        return [*self.plain, *(promise.term for promise in self.promises)] if self.given is None else self.given

    def key(self) -> tuple[int, frozenset[int]]:
        """The same for goals that read the same, as long as the terms of both are alive."""
        return self.term.get_id(), frozenset(term.get_id() for term in self.assumed())


def goals(case: Case) -> list[Goal]:
    """What the call needs, and what is claimed of it."""
    machine, found = case.machine, []
    wanted = [(need.label, need.term, need.members_only, machine.assumed[: need.promises], None) for need in machine.needs]
    wanted += [(claim.label, claim.term, claim.members_only, machine.assumed, claim.given) for claim in case.claims]
    for label, term, members_only, promises, given in wanted:
        plain = [*case.always, *(case.members if members_only else ())]
        found.append(Goal(label, term, plain, [one for one in promises if members_only or not one.members_only], given))
    return found


Ask = Callable[[list[Any], Any], tuple[z3.CheckSatResult, z3.Solver]]


def attempt(goal: Goal, free: set[str], ask: Ask, names: Variables) -> tuple[z3.CheckSatResult, z3.Solver | None]:
    """By @ask: from the assumptions that bear on it, then from all."""
    term = z3.simplify(goal.term)
    if z3.is_true(term):
        return z3.unsat, None
    if goal.given is not None:
        return ask(goal.given, term)
    few = relevant(term, goal.plain, goal.promises, free, names)
    answer, made = ask(few, term)
    if answer != z3.unsat and len(few) < len(goal.plain) + len(goal.promises):
        answer, made = ask(goal.assumed(), term)
    return answer, made


def ask_within(timeout_ms: int, effort: int = 0) -> Ask:
    """@effort: the solver's own count of what it may do, which is the same on any machine."""

    def ask(assumptions: list[Any], goal: Any) -> tuple[z3.CheckSatResult, z3.Solver]:
        made = solver(timeout_ms)
        if effort:
            made.set("rlimit", effort)
        made.add(*assumptions, *([] if goal is None else [z3.Not(goal)]))
        return made.check(), made

    return ask


def discharge(obligation: Obligation, source: csource.Source, stop_early: bool = False) -> Result:
    """Proves each claim by itself; a timeout is a failure. The assumptions are shown to be satisfiable first."""
    begin = time.process_time()
    case = obligation.build(source)
    machine = case.machine
    result = Result(obligation.name, obligation.function, obligation.width, True, 0.0, 0)
    result.followed, result.statements = machine.followed, machine.statements
    ask, names = ask_within(obligation.timeout_ms), Variables()

    def fail(label: str, answer: z3.CheckSatResult, made: z3.Solver) -> None:
        result.proven = False
        result.failed.append(f"{label}: {made.reason_unknown() if answer == z3.unknown else answer}")
        if answer == z3.sat:
            result.model = str(made.model())

    answer, made = ask([*case.always, *case.members, *(promise.term for promise in machine.assumed), *case.witness], None)
    result.goals += 1
    if answer != z3.sat:
        fail("the assumptions are satisfiable", answer, made)
    for goal in goals(case):
        if not (stop_early and not result.proven):
            result.goals += 1
            answer, last = attempt(goal, case.numbers, ask, names)
            if answer != z3.unsat and last is not None:
                fail(goal.label, answer, last)
    result.seconds = round(time.process_time() - begin, 2)
    return result


def widths(terms: Iterable[Any]) -> dict[str, int]:
    """The variables that occur, with their widths."""
    found: dict[str, int] = {}
    seen: set[int] = set()
    todo = list(terms)
    while todo:
        term = todo.pop()
        if term.get_id() not in seen:
            seen.add(term.get_id())
            if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED and z3.is_bv(term):
                found[str(term)] = term.size()
            todo += term.children()
    return found


def refuted(obligation: Obligation, source: csource.Source, values: dict[str, int], label: str, timeout_ms: int) -> str | None:
    """
    What of the obligation fails where its variables have @values, as the solver finds; @label: the claim that is tried first. All
    assumptions are made, so that it is no less than a counterexample that the solver finds by itself.
    """
    case = obligation.build(source)
    named = widths([*case.always, *case.members, *(goal.term for goal in goals(case))])
    known = [(z3.BitVec(name, width), values[name]) for name, width in named.items() if name in values]
    at = [(variable, z3.BitVecVal(value, variable.size())) for variable, value in known]
    equations = [variable == value for variable, value in at]
    for goal in sorted(goals(case), key=lambda goal: goal.label != label):
        if goal.given is not None or z3.is_true(z3.simplify(z3.substitute(goal.term, *at))):
            continue
        made = solver(timeout_ms)
        made.add(*equations, *goal.assumed(), z3.Not(goal.term))
        if made.check() == z3.sat:
            return goal.label
    return None


def prove_products() -> list[Result]:
    """The lemmas on multiplication: where bits alone don't do, by a solver over integers (a test has it refute a false one)."""
    from proof.lemmas import product_lemmas

    results = []
    for name, term in product_lemmas().items():
        begin = time.process_time()
        answers: list[str] = []
        for way in (0, 2):
            z3.set_param("smt.bv.solver", way)
            try:
                made = z3.SimpleSolver()
                made.set("timeout", TIMEOUT_MS if way else 1000)
                made.add(z3.simplify(z3.Not(term)))
                answers.append(str(made.check()))
            finally:
                z3.set_param("smt.bv.solver", 0)
            if answers[-1] != "unknown":
                break
        proven = answers[-1] == "unsat"
        seconds = round(time.process_time() - begin, 2)
        results.append(Result(name, "*", 64, proven, seconds, 1, [] if proven else answers))
    return results
