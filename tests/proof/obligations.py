# SPDX-License-Identifier: MIT
"""The table of what is proven: tnums and the deductions between bounds here, operations and jumps in obligations_ops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from proof import csource, spec
from proof.cvalue import Value, truth
from proof.lemmas import Products, keeps, sync, tnum_operator
from proof.prove import Case, Obligation
from proof.translate import State

X, Y = z3.BitVec("x", 64), z3.BitVec("y", 64)
N = z3.BitVec("n", 64)
STAGES = ("bc_bounds_learn", "exchange32", "exchange64", "bits_from_bounds")
Build = Callable[[csource.Source], Case]


def case(source: csource.Source, contracts: dict[str, Any] | None = None, **options: Any) -> Case:
    made = Case(source, contracts, **options)
    made.about(X, Y)
    return made


class Table:
    """Obligations in the order of their making."""

    def __init__(self) -> None:
        self.entries: list[Obligation] = []

    def add(self, name: str, function: str, build: Build, kind: str = "sound") -> None:
        self.entries.append(Obligation(name, function, build, kind))


# -- tnums ------------------------------------------------------------------------------------------------------------

BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "with_low32": lambda a, b: z3.Concat(spec.high(a), spec.low(b)),
}


def parts(t: Value) -> tuple[Any, Any]:
    return t.term["value"].term, t.term["mask"].term


def some_of(t: Value) -> list[Any]:
    """Two members: every unknown bit clear, every unknown bit set."""
    value, mask = parts(t)
    return [value, value | mask]


def claim_best(c: Case, result: Value, at: list[Any]) -> None:
    """A bit is unknown only where results of extreme operands differ: for operations that work bit by bit."""
    differ = z3.BitVecVal(0, 64)
    for one in at:
        differ |= one ^ at[0]
    c.claim_always("no bit is unknown without need", parts(result)[1] & ~differ == 0)


def tnum_binary(name: str) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        a, b = c.tnum("a", X), c.tnum("b", Y)
        result = c.call(f"bc_tnum_{name}", a, b)
        c.claim_tnum("result", result, BINARY[name](X, Y))
        if name in ("and", "or", "xor", "with_low32"):
            claim_best(c, result, [BINARY[name](p, q) for p in some_of(a) for q in some_of(b)])
        constants = z3.And(parts(a)[1] == 0, parts(b)[1] == 0)
        c.claim("of constants a constant", z3.Implies(constants, parts(result)[1] == 0))
        return c

    return build


def tnum_mul(source: csource.Source) -> Case:
    """
    By its loop. x = av + ax and y = bv + by, the known bits and those within the masks, so x * y = av * bv + av * by + ax * y.
    The last two, built bit by bit of av and ax as p[i] and q[i], are what `doubt` has after i turns; no bits left is the end.
    """
    product = Products()
    c = case(source, {}, multiply=product)
    a, b = c.tnum("a", X), c.tnum("b", Y)
    (av, am), (bv, bm) = parts(a), parts(b)
    ax, by = X & am, Y & bm
    p, q = ([z3.BitVec(f"{name}{i}", 64) for i in range(65)] for name in "pq")
    c.about(*p, *q)
    whole, rest, zero = z3.BitVec("whole", 64), z3.BitVec("rest", 64), z3.BitVecVal(0, 64)
    c.about(whole, rest)
    state_of = {"turn": 0}

    def low_bits(term: Any, count: int) -> Any:
        return term & z3.BitVecVal((1 << count) - 1, 64)

    def added(term: Any, index: int, factor: Any) -> Any:
        return z3.If(z3.Extract(index, index, term) == 1, factor << index, zero)

    def step(i: int) -> Any:
        return z3.If(z3.Extract(i, i, av) == 1, by << i, added(ax, i, Y))

    def left(i: int) -> Any:
        """The loop ends at turn i."""
        return z3.And(z3.ULT(av, 1 << i), z3.ULT(am, 1 << i)) if i < 64 else z3.BoolVal(True)

    # the numbers' side: p and q are what they should be
    product_xy = product(X, Y)
    split = product_xy == product(av, bv) + product(av, by) + product(ax, Y)
    for name, sums, m, factor in (("av * by", p, av, by), ("ax * y", q, ax, Y)):
        for i in range(64):
            define = sums[i + 1] == sums[i] + added(m, i, factor)
            grows = product(low_bits(m, i + 1), factor) == product(low_bits(m, i), factor) + added(m, i, factor)
            so_far = sums[i] == (product(low_bits(m, i), factor) if i else zero)
            given = [define, grows, so_far, product(low_bits(m, 0), factor) == 0]
            c.step(f"{name}, bit {i}", given, sums[i + 1] == product(low_bits(m, i + 1), factor))
    for i in range(65):
        given = [p[i] == product(low_bits(av, i), by), q[i] == product(low_bits(ax, i), Y), split, left(i)]
        c.step(f"{i} bits: low bits are all", [left(i)], z3.And(low_bits(av, i) == av, low_bits(ax, i) == ax))
        all_bits = [low_bits(av, i) == av, low_bits(ax, i) == ax]
        c.step(f"{i} bits: the product", given + all_bits, product(av, bv) + (p[i] + q[i]) == product_xy)
    for i in range(64):
        # by cases of the two bits, which exclude each other
        for x_bit, y_bit in ((1, 0), (0, 1), (0, 0)):
            bits = [z3.Extract(i, i, av) == x_bit, z3.Extract(i, i, ax) == y_bit]
            more_p, more_q = (by << i if x_bit else zero), (Y << i if y_bit else zero)
            adds = z3.And(added(av, i, by) == more_p, added(ax, i, Y) == more_q, step(i) == more_p + more_q)
            c.step(f"turn {i}: what is added", bits, adds)
            c.step(f"turn {i}: the sum", [], (p[i] + more_p) + (q[i] + more_q) == (p[i] + q[i]) + (more_p + more_q))
    c.step("bits exclude each other", [spec.well_formed(a)], av & ax == 0)

    # the C's side: `doubt` has s[i] = p[i] + q[i], so s[i + 1] = s[i] + step(i), and at the end, where no
    # bits are left, the whole product is av * bv + rest, with s[i] as the rest (all shown above)
    s = [z3.BitVec(f"s{i}", 64) for i in range(65)]
    c.about(*s)

    def at_head(machine: Any, state: Any, scope: dict[str, str]) -> None:
        i = state.memory[scope["i"]].term.as_long()
        doubt = state.memory[scope["doubt"]]
        state_of["turn"] = i
        goal = spec.in_tnum(doubt, s[i] if i else zero)
        machine.need(state, spec.well_formed(doubt), f"turn {i}: well-formed")
        machine.need(state, goal, f"turn {i}: the sum so far", members_only=True)
        name = f"doubt@{i}"
        fresh = machine.fresh(doubt.kind, name)
        machine.promise(State({}), name, spec.well_formed(fresh))
        machine.promise(State({}), name, spec.in_tnum(fresh, s[i] if i else zero), members_only=True)
        state.memory[scope["doubt"]] = fresh

    def add(machine: Any, state: Any, args: list[Value]) -> Value:
        if z3.is_bv_value(args[0].term["mask"].term):
            triple = (product(av, bv), rest, whole)
        else:
            i = state_of["turn"]
            triple = (s[i] if i else zero, step(i), s[i + 1])
        return tnum_operator("bc_tnum_add", triple)["bc_tnum_add"](machine, state, args)

    at_end: list[Value] = []

    def at_exit(machine: Any, state: Any, scope: dict[str, str]) -> None:
        doubt, i = state.memory[scope["doubt"]], state.memory[scope["i"]].term.as_long()
        machine.need(state, spec.well_formed(doubt), f"end at turn {i}: well-formed")
        machine.need(state, left(i), f"end at turn {i}: no bits are left", members_only=True)
        machine.need(state, spec.in_tnum(doubt, s[i] if i else zero), f"end at turn {i}: the sum", members_only=True)
        if not at_end:
            at_end.append(machine.fresh(doubt.kind, "doubt@end"))
            machine.promise(State({}), "doubt@end", spec.well_formed(at_end[0]))
            machine.promise(State({}), "doubt@end", spec.in_tnum(at_end[0], rest), members_only=True)
        state.memory[scope["doubt"]] = at_end[0]

    c.machine.contracts = {"bc_tnum_add": add}
    c.machine.cuts, c.machine.exits = {"bc_tnum_mul": at_head}, {"bc_tnum_mul": at_exit}
    for i in range(64):
        c.members.append(z3.Implies(step(i) == 0, s[i + 1] == (s[i] if i else zero)))
    c.defined = [(whole, product_xy), (s[0], zero), *((s[i + 1], s[i] + step(i)) for i in range(64))]
    c.witness = [term == 0 for term in (X, Y, av, am, bv, bm, whole, rest, *s)]
    c.claim_tnum("result", c.call("bc_tnum_mul", a, b), whole)
    return c


def tnum_mul_of_constants(source: csource.Source) -> Case:
    """Nothing is in doubt: it stays zero, turn by turn."""
    c = case(source, {}, multiply=Products())

    def at_head(machine: Any, state: Any, scope: dict[str, str]) -> None:
        doubt = state.memory[scope["doubt"]]
        for term in parts(doubt):
            machine.need(state, term == 0, "nothing in doubt")
        zero = Value(doubt.term["mask"].kind, z3.BitVecVal(0, 64))
        state.memory[scope["doubt"]] = Value(doubt.kind, {"value": zero, "mask": zero})

    c.machine.cuts = {"bc_tnum_mul": at_head}
    a, b = c.tnum("a", X), c.tnum("b", Y)
    c.assume(parts(a)[1] == 0, parts(b)[1] == 0)
    c.claim("a constant", parts(c.call("bc_tnum_mul", a, b))[1] == 0)
    return c


def tnum_shift(name: str, bits: int) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        a, amount = c.tnum("a", X), z3.BitVec("amount", 8)
        c.assume(z3.ULT(amount, bits))
        by = z3.ZeroExt(56, amount)
        if name == "arsh":
            result = c.call("bc_tnum_arsh", a, amount, bits)
            half = z3.ZeroExt(32, spec.low(X) >> spec.low(by))
            shifted = X >> by if bits == 64 else half
            known = z3.BoolVal(True)
        else:
            result = c.call(f"bc_tnum_{name}", a, amount)
            shifted = X << by if name == "lsh" else z3.LShR(X, by)
            known = parts(result)[1] == (parts(a)[1] << by if name == "lsh" else z3.LShR(parts(a)[1], by))
        c.claim_tnum("result", result, shifted)
        c.claim_always("no bit is unknown without need", known)
        c.claim("of a constant a constant", z3.Implies(parts(a)[1] == 0, parts(result)[1] == 0))
        return c

    return build


def tnum_unary(name: str, change: Callable[[Any], Any], *more: int) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        a = c.tnum("a", X)
        result = c.call(f"bc_tnum_{name}", a, *more)
        c.claim_tnum("result", result, change(X))
        claim_best(c, result, [change(x) for x in some_of(a)])
        return c

    return build


def tnum_simple(table: Table) -> None:
    def const(source: csource.Source) -> Case:
        c = case(source)
        result = c.call("bc_tnum_const", X)
        c.claim_tnum("result", result, X)
        c.claim("nothing else", parts(result)[1] == 0)
        return c

    def unknown(source: csource.Source) -> Case:
        c = case(source)
        c.claim_tnum("result", c.call("bc_tnum_unknown"), X)
        return c

    def between(source: csource.Source) -> Case:
        c = case(source)
        least, most = z3.BitVec("least", 64), z3.BitVec("most", 64)
        c.members += [z3.ULE(least, X), z3.ULE(X, most)]
        result = c.call("bc_tnum_range", least, most)
        c.claim_tnum("result", result, X)
        c.claim("the bits above the first difference are known", parts(result)[1] & ~mask_below(least ^ most) == 0)
        return c

    def intersect(source: csource.Source) -> Case:
        c = case(source)
        a, b = c.tnum("a", X), c.tnum("b", X)
        result = c.call("bc_tnum_intersect", a, b)
        c.claim_tnum("result", result, X)
        both = z3.And(spec.in_tnum(a, Y), spec.in_tnum(b, Y))
        c.claim("nothing that either excludes", z3.Implies(spec.in_tnum(result, Y), both))
        return c

    table.add("bc_tnum_const", "bc_tnum_const", const)
    table.add("bc_tnum_unknown", "bc_tnum_unknown", unknown)
    table.add("bc_tnum_range", "bc_tnum_range", between)
    table.add("bc_tnum_intersect", "bc_tnum_intersect", intersect)


def mask_below(term: Any) -> Any:
    """All bits from the highest set one downwards."""
    for step in (1, 2, 4, 8, 16, 32):
        term |= z3.LShR(term, step)
    return term


def tnum_question(name: str, *more: Any, true: Callable[..., Any], false: Callable[..., Any]) -> Build:
    """A predicate: what its yes tells of all members, and what its no tells (members that show it)."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        a = c.tnum("a", X, Y)
        answer = truth(c.call(f"bc_tnum_{name}", a, *more))
        c.claim("yes", z3.Implies(answer, true(a)))
        c.claim_always("no", z3.Or(answer, false(a)))
        return c

    return build


def tnum_in(source: csource.Source) -> Case:
    c = case(source)
    outer, inner = c.tnum("outer"), c.tnum("inner", X)
    answer = truth(c.call("bc_tnum_in", outer, inner))
    c.claim("yes: a member of the inner is one of the outer", z3.Implies(answer, spec.in_tnum(outer, X)))
    some_not = z3.Or(*(z3.Not(spec.in_tnum(outer, member)) for member in some_of(inner)))
    c.claim_always("no: not every one is", z3.Or(answer, some_not))
    return c


def tnums() -> list[Obligation]:
    table = Table()
    tnum_simple(table)
    for name in BINARY:
        table.add(f"bc_tnum_{name}", f"bc_tnum_{name}", tnum_binary(name))
    table.add("bc_tnum_mul", "bc_tnum_mul", tnum_mul)
    table.add("bc_tnum_mul, of constants", "bc_tnum_mul", tnum_mul_of_constants, "exact")
    for name, bits in (("lsh", 64), ("rsh", 64), ("arsh", 64), ("arsh", 32)):
        table.add(f"bc_tnum_{name}" + (", 32 bits" if bits == 32 else ""), f"bc_tnum_{name}", tnum_shift(name, bits))
    for size in (1, 2, 4, 8):
        keep = z3.BitVecVal((1 << 8 * size) - 1, 64)
        table.add(f"bc_tnum_cast, {size} bytes", "bc_tnum_cast", tnum_unary("cast", lambda x, keep=keep: x & keep, size))
    table.add("bc_tnum_low32", "bc_tnum_low32", tnum_unary("low32", lambda x: x & spec.U32))
    table.add("bc_tnum_high32", "bc_tnum_high32", tnum_unary("high32", lambda x: x & (spec.U64 ^ spec.U32)))

    def differ(t: Value) -> Any:
        return some_of(t)[0] != some_of(t)[1]

    def low_differ(t: Value) -> Any:
        return spec.low(some_of(t)[0]) != spec.low(some_of(t)[1])

    questions = {
        "is_const": tnum_question("is_const", true=lambda t: X == Y, false=differ),
        "low32_is_const": tnum_question("low32_is_const", true=lambda t: spec.low(X) == spec.low(Y), false=low_differ),
        "is_unknown": tnum_question(
            "is_unknown", true=lambda t: spec.in_tnum(t, N), false=lambda t: z3.Not(spec.in_tnum(t, ~parts(t)[0]))
        ),
        "is_aligned": tnum_question(
            "is_aligned", N, true=lambda t: z3.Or(N == 0, X & (N - 1) == 0), false=lambda t: some_of(t)[1] & (N - 1) != 0
        ),
    }
    for name, build in questions.items():
        table.add(f"bc_tnum_{name}", f"bc_tnum_{name}", build)
    table.add("bc_tnum_in", "bc_tnum_in", tnum_in)
    return table.entries


# -- bounds -----------------------------------------------------------------------------------------------------------


def stages() -> dict[str, Any]:
    contracts: dict[str, Any] = {}
    for name in STAGES:
        contracts.update(keeps(name, X))
    return contracts


def keeping(function: str, contracts: Callable[[], dict[str, Any]], only: Callable[..., Any] = spec.gamma) -> Build:
    """What the scalar stood for before (in the parts that @only names), it stands for afterwards."""

    def build(source: csource.Source) -> Case:
        c = case(source, contracts())
        c.scalar("s", X, only=only)
        c.call(function, "s")
        c.claim_scalar("result", c.after("s"), X)
        return c

    return build


def narrowing(function: str) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        before = c.scalar("s", X)
        c.call(function, "s")
        c.claim_parts("nothing is forgotten", spec.within(before, c.after("s")))
        return c

    return build


def pinned(function: str, given: Callable[[Value], Any], claim: Callable[[Value], dict[str, Any]]) -> Build:
    """What a deduction must find out from what is given."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        before = c.scalar("s", X)
        c.assume(given(before))
        c.call(function, "s")
        c.claim_parts("found", claim(c.after("s")))
        return c

    return build


def part(s: Value, name: str) -> Any:
    return s.term[name].term


def exactly_x(s: Value) -> dict[str, Any]:
    return spec.is_exactly(s, X)


def crossed(function: str, suffix: str) -> Build:
    """exchange: each bound takes the better of both orders, where the range lies on one side of the sign boundary."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        old = c.scalar("s", X)
        c.call(function, "s")
        new = c.after("s")
        o, n = ({k: part(s, k + suffix) for k in ("umin", "umax", "smin", "smax")} for s in (old, new))
        side = z3.Or(o["smin"] >= 0, o["smax"] < 0)
        known = z3.Or(side, o["umax"] >= 0, o["umin"] < 0)
        same = z3.And(n["umin"] == n["smin"], n["umax"] == n["smax"])
        least, most = z3.UGE(n["umin"], o["smin"]), z3.ULE(n["umax"], o["smax"])
        c.claim("both orders say the same", z3.Implies(known, same))
        c.claim("nothing is forgotten", z3.And(z3.UGE(n["umin"], o["umin"]), z3.ULE(n["umax"], o["umax"])))
        c.claim("least of the signed", z3.Implies(z3.Or(side, o["umin"] < 0), least))
        c.claim("most of the signed", z3.Implies(z3.Or(side, o["umax"] >= 0), most))
        return c

    return build


def bounds() -> list[Obligation]:
    table = Table()
    none: Callable[[], dict[str, Any]] = dict

    def with_sync() -> dict[str, Any]:
        return sync(X)

    for name in ("learn32", "learn64", "learn", "forget32", "forget64", "forget"):
        table.add(f"bc_bounds_{name}", f"bc_bounds_{name}", keeping(f"bc_bounds_{name}", none))
    for name in ("exchange32", "exchange64", "bits_from_bounds"):
        table.add(name, name, keeping(name, none))
    table.add("bc_bounds_sync", "bc_bounds_sync", keeping("bc_bounds_sync", stages))
    table.add("bc_bounds_64_from_32", "bc_bounds_64_from_32", keeping("bc_bounds_64_from_32", with_sync))

    def without32(s: Value, x: Any) -> dict[str, Any]:
        return {"t": spec.in_tnum(s.term["t"], x), **spec.in_bounds64(s, x)}

    table.add("bc_bounds_32_from_64", "bc_bounds_32_from_64", keeping("bc_bounds_32_from_64", with_sync, without32))

    for name in ("bc_bounds_learn32", "bc_bounds_learn64", "bc_bounds_learn", "bits_from_bounds", "bc_bounds_sync"):
        table.add(f"{name}, narrows", name, narrowing(name), "exact")
    table.add("exchange32, what it finds", "exchange32", crossed("exchange32", "32"), "exact")
    table.add("exchange64, what it finds", "exchange64", crossed("exchange64", ""), "exact")

    def equal(low: str, high: str) -> Callable[[Value], Any]:
        return lambda s: part(s, low) == part(s, high)

    def low_half_equal(low: str, high: str) -> Callable[[Value], Any]:
        return lambda s: z3.And(part(s, low) == part(s, high), spec.high(parts(s.term["t"])[1]) == 0)

    pins = {
        "known bits": lambda s: parts(s.term["t"])[1] == 0,
        "equal unsigned bounds": equal("umin", "umax"),
        "equal signed bounds": equal("smin", "smax"),
        "equal unsigned bounds of the low half": low_half_equal("umin32", "umax32"),
        "equal signed bounds of the low half": low_half_equal("smin32", "smax32"),
    }
    for given, test in pins.items():
        table.add(f"bc_bounds_sync, {given}", "bc_bounds_sync", pinned("bc_bounds_sync", test, exactly_x), "exact")
        if "low half" in given:
            name = "bc_bounds_64_from_32"
            table.add(f"{name}, {given}", name, pinned(name, test, exactly_x), "exact")
        else:
            name = "bc_bounds_32_from_64"
            table.add(f"{name}, {given}", name, pinned(name, test, exactly_x), "exact")
    for suffix in ("32", "64"):
        name = "bc_bounds_learn" + suffix
        kept = "" if suffix == "64" else "32"
        wanted = pinned(
            name,
            pins["known bits"],
            lambda s, kept=kept: {
                k: v for k, v in spec.is_exactly(s, X).items() if k in {b + kept for b in ("umin", "umax", "smin", "smax")}
            },
        )
        table.add(f"{name}, known bits", name, wanted, "exact")
    return table.entries
