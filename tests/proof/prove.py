# SPDX-License-Identifier: MIT
"""Obligations and how they are discharged: what is assumed, what is claimed of a call of the C, and the solver's answer to it."""

from __future__ import annotations

import time
from collections.abc import Callable
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

    # -- what goes in -------------------------------------------------------------------------------------------------

    def about(self, *numbers: Any) -> None:
        """Names the numbers that the claims are about."""
        self.numbers.update(str(x) for x in numbers)

    def tnum(self, name: str, *members: Any) -> Value:
        value = self.machine.fresh(self.machine.struct("tnum"), name)
        self.always.append(spec.well_formed(value))
        self.members += [spec.in_tnum(value, x) for x in members]
        return value

    def scalar(self, name: str, *members: Any, only: Callable[[Value, Any], dict[str, Any]] = spec.gamma) -> Value:
        """A scalar in memory, well-formed; @members are numbers that it stands for (in the parts that @only names)."""
        value = self.machine.fresh(self.machine.struct("bpf_scalar"), name)
        self.always.append(spec.well_formed(value.term["t"]))
        for x in members:
            self.members += only(value, x).values()
        self.state.memory[name] = value
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


def variables(term: Any, cache: dict[int, frozenset[str]]) -> frozenset[str]:
    key = term.get_id()
    if key not in cache:
        if z3.is_const(term) and term.decl().kind() == z3.Z3_OP_UNINTERPRETED:
            cache[key] = frozenset([str(term)])
        else:
            cache[key] = frozenset().union(*(variables(child, cache) for child in term.children()))
    return cache[key]


def relevant(goal: Any, plain: list[Any], promises: list[Promise], free: set[str], cache: dict[int, frozenset[str]]) -> list[Any]:
    """
    The assumptions that bear on the goal: promises of the made-up values that it depends on, and what is assumed of those
    arguments alone that it depends on (@free: numbers that all assumptions are about). A proof from fewer assumptions is as good,
    and often the only quick one.
    """
    known = set(variables(goal, cache))
    chosen: list[Any] = []
    for promise in reversed(promises):
        if any(name.split(".")[0].split("!")[0] == promise.of for name in known - free):
            known |= variables(promise.term, cache)
            chosen.append(promise.term)
    return chosen + [term for term in plain if variables(term, cache) - free <= known]


def discharge(obligation: Obligation, source: csource.Source, stop_early: bool = False) -> Result:
    """Proves each claim by itself; a timeout is a failure. The assumptions are shown to be satisfiable first."""
    begin = time.process_time()
    case = obligation.build(source)
    machine = case.machine
    result = Result(obligation.name, obligation.function, obligation.width, True, 0.0, 0)
    result.followed, result.statements = machine.followed, machine.statements
    # kept alive: the cache goes by identity
    terms: list[Any] = []
    cache: dict[int, frozenset[str]] = {}

    def ask(assumptions: list[Any], goal: Any | None, timeout_ms: int) -> tuple[z3.CheckSatResult, z3.Solver]:
        made = solver(timeout_ms)
        made.add(*assumptions, *([] if goal is None else [z3.Not(goal)]))
        return made.check(), made

    def fail(label: str, answer: z3.CheckSatResult, made: z3.Solver) -> None:
        result.proven = False
        result.failed.append(f"{label}: {made.reason_unknown() if answer == z3.unknown else answer}")
        if answer == z3.sat:
            result.model = str(made.model())

    def prove(label: str, goal: z3.BoolRef, promises: list[Promise], members_only: bool, given: list[Any] | None = None) -> None:
        result.goals += 1
        goal = z3.simplify(goal)
        terms.append(goal)
        if z3.is_true(goal):
            return
        if given is not None:
            answer, made = ask(given, goal, obligation.timeout_ms)
            if answer != z3.unsat:
                fail(label, answer, made)
            return
        plain = [*case.always, *(case.members if members_only else ())]
        promises = [promise for promise in promises if members_only or not promise.members_only]
        few = relevant(goal, plain, promises, case.numbers, cache)
        answer, made = ask(few, goal, obligation.timeout_ms)
        if answer != z3.unsat and len(few) < len(plain) + len(promises):
            answer, made = ask([*plain, *(promise.term for promise in promises)], goal, obligation.timeout_ms)
        if answer != z3.unsat:
            fail(label, answer, made)

    whole = [*case.always, *case.members, *(promise.term for promise in machine.assumed), *case.witness]
    answer, made = ask(whole, None, obligation.timeout_ms)
    result.goals += 1
    if answer != z3.sat:
        fail("the assumptions are satisfiable", answer, made)
    for need in machine.needs:
        if not (stop_early and not result.proven):
            prove(need.label, need.term, machine.assumed[: need.promises], need.members_only)
    for claim in case.claims:
        if not (stop_early and not result.proven):
            prove(claim.label, claim.term, machine.assumed, claim.members_only, claim.given)
    result.seconds = round(time.process_time() - begin, 2)
    return result


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
