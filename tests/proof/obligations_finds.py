# SPDX-License-Identifier: MIT
"""
The table of what is proven, continued: how much the parts of an operation find out. Soundness asks none of it, but without these
a function that gives up would pass, and so would its mutants.
"""

from __future__ import annotations

from typing import Any

import z3

from proof import csource, spec
from proof.cvalue import Value
from proof.lemmas import Products, sync, tnum_operator
from proof.obligations import Build, Table, X, Y, case, part, parts
from proof.prove import Case

WIDTHS = {"32": 32, "": 64}
AND, OR, XOR = (spec.ALU_OPS[name] for name in ("AND", "OR", "XOR"))


def four(s: Value, suffix: str) -> tuple[Any, Any, Any, Any]:
    umin, umax, smin, smax = (part(s, name + suffix) for name in ("umin", "umax", "smin", "smax"))
    return umin, umax, smin, smax


def claim_no_wider(c: Case, label: str, given: Any, s: Value, suffix: str, **least_and_most: Any) -> None:
    """Where @given, the bounds of that width are these or better: umin=..., smax=... and so on."""
    compare = {"umin": z3.UGE, "umax": z3.ULE, "smin": lambda a, b: a >= b, "smax": lambda a, b: a <= b}
    for name, wanted in least_and_most.items():
        c.claim(f"{label}: {name}{suffix}", z3.Implies(given, compare[name](part(s, name + suffix), wanted)))


def stays(a: Any, b: Any, add: bool, signed: bool) -> Any:
    """The sum (difference) does not wrap."""
    if not signed:
        return z3.UGE(a + b, a) if add else z3.UGE(a, b)
    return (a ^ a + b) & (b ^ a + b) >= 0 if add else (a ^ b) & (a ^ a - b) >= 0


def sums(function: str, suffix: str, add: bool) -> Build:
    """Where neither bound wraps, they are the sums (differences) of the operands'."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        d, s = four(c.scalar("d"), suffix), four(c.scalar("s"), suffix)
        c.call(function, "d", "s")
        after = c.after("d")
        for signed, letter, (d_low, d_high, s_low, s_high) in (
            (False, "u", (d[0], d[1], s[0], s[1])),
            (True, "s", (d[2], d[3], s[2], s[3])),
        ):
            least, most = (d_low + s_low, d_high + s_high) if add else (d_low - s_high, d_high - s_low)
            known = z3.And(stays(d_low, s_low, True, signed), stays(d_high, s_high, True, signed))
            if not add:
                known = z3.And(stays(d_low, s_high, False, signed), stays(d_high, s_low, False, signed))
            if not add and not signed:
                known = z3.UGE(d_low, s_high)  # all else follows, of what is no contradiction
            same = z3.And(part(after, letter + "min" + suffix) == least, part(after, letter + "max" + suffix) == most)
            c.claim_always(f"{'signed' if signed else 'unsigned'}", z3.Implies(known, same))
        return c

    return build


def products(function: str, suffix: str) -> Build:
    """Of small factors the products of the bounds."""

    def build(source: csource.Source) -> Case:
        product = Products()
        c = case(source, {}, multiply=product)
        d, s = four(c.scalar("d"), suffix), four(c.scalar("s"), suffix)
        c.call(function, "d", "s")
        umin, umax, smin, smax = four(c.after("d"), suffix)
        half = (1 << WIDTHS[suffix] // 2) - 1
        small = z3.And(d[2] >= 0, s[2] >= 0, z3.ULE(d[1], half), z3.ULE(s[1], half))
        least, most = product(d[0], s[0]), product(d[1], s[1])
        c.claim_always("unsigned", z3.Implies(small, z3.And(umin == least, umax == most)))
        c.claim_always("signed", z3.Implies(z3.And(small, most >= 0), z3.And(smin == least, smax == most)))
        return c

    return build


def bitwise(suffix: str, op: int) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        d, s = c.scalar("d", X), c.scalar("s")
        c.call(f"bitwise{suffix or '64'}", "d", "s", op, False)
        after = c.after("d")
        umin, umax, smin, smax = four(after, suffix)
        ones, unknown = parts(d.term["t"])
        if suffix:
            ones, unknown = spec.low(ones), spec.low(unknown)
        c.claim_always("least by the known bits", z3.Or(z3.BoolVal(op == OR), z3.UGE(umin, ones)))
        c.claim_always("most by the known bits", z3.Or(z3.BoolVal(op == AND), z3.ULE(umax, ones | unknown)))
        for operand in (four(d, suffix), four(s, suffix)):
            if op == AND:
                c.claim_always("no more than either", z3.ULE(umax, operand[1]))
            if op == OR:
                c.claim_always("no less than either", z3.UGE(umin, operand[0]))
        positive = z3.And(four(d, suffix)[2] >= 0, four(s, suffix)[2] >= 0, umax >= 0, umin >= 0)
        c.claim("signed as unsigned", z3.Implies(positive, z3.And(smin >= umin, smax <= umax)))
        return c

    return build


def shifted(op: str, is32: bool) -> Build:
    """The bounds are those of the operand shifted, where no set bit leaves."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        d, n = c.scalar("d"), z3.BitVec("amount", 64)
        bits, suffix = (32, "32") if is32 else (64, "")
        c.assume(z3.ULT(n, bits))
        by = spec.low(n) if is32 else n
        old = four(d, suffix)
        c.call(op, "d", n, is32)
        after = c.after("d")
        umin, umax, smin, smax = four(after, suffix)
        if op == "rsh":
            c.claim_always("bounds", z3.And(z3.UGE(umin, z3.LShR(old[0], by)), z3.ULE(umax, z3.LShR(old[1], by))))
        elif op == "arsh":
            c.claim_always("bounds", z3.And(smin >= old[2] >> by, smax <= old[3] >> by))
        else:
            stays = z3.ULE(old[1], z3.BitVecVal(1, bits) << (bits - 1 - by))
            found = z3.And(z3.UGE(umin, old[0] << by), z3.ULE(umax, old[1] << by))
            c.claim_always("bounds", z3.Implies(stays, found))
            if not is32:
                half = four(d, "32")
                moved = [spec.sext(half[2]) << 32, spec.sext(half[3]) << 32]
                c.claim_always("by 32: the low half's", z3.Implies(n == 32, z3.And(smin >= moved[0], smax <= moved[1])))
        return c

    return build


def shifted_low_half(source: csource.Source) -> Case:
    c = case(source)
    d, n = c.scalar("d"), z3.BitVec("amount", 64)
    umin, umax, _, _ = four(d, "32")
    c.call("lsh_bounds32", "d", n)
    stays = z3.And(z3.ULE(n, 31), z3.ULE(umax, z3.BitVecVal(1, 32) << (31 - spec.low(n))))
    after = four(c.after("d"), "32")
    found = z3.And(after[0] == umin << spec.low(n), after[1] == umax << spec.low(n))
    c.claim_always("bounds", z3.Implies(stays, found))
    return c


def from_64(source: csource.Source) -> Case:
    """64-bit bounds that fit in 32 bits are the low half's, too."""
    c = case(source, sync(X))
    s = c.scalar("s", X, only=lambda v, x: {"t": spec.in_tnum(v.term["t"], x), **spec.in_bounds64(v, x)})
    umin, umax, smin, smax = four(s, "")
    c.call("bc_bounds_32_from_64", "s")
    least, most = z3.BitVecVal(-(1 << 31), 64), z3.BitVecVal((1 << 31) - 1, 64)
    signed = z3.And(smin >= least, smin <= most, smax >= least, smax <= most)
    claim_no_wider(c, "signed", signed, c.after("s"), "32", smin=spec.low(smin), smax=spec.low(smax))
    unsigned = z3.And(z3.ULE(umin, spec.U32), z3.ULE(umax, spec.U32))
    claim_no_wider(c, "unsigned", unsigned, c.after("s"), "32", umin=spec.low(umin), umax=spec.low(umax))
    return c


def from_32(source: csource.Source) -> Case:
    """The low half's bounds are the whole's, where the high half is known to be zero."""
    c = case(source, sync(X))
    s = c.scalar("s", X)
    umin, umax, smin, smax = four(s, "32")
    value, mask = parts(s.term["t"])
    c.call("bc_bounds_64_from_32", "s")
    given = z3.And(spec.high(value) == 0, spec.high(mask) == 0)
    claim_no_wider(c, "unsigned", given, c.after("s"), "", umin=spec.zext(umin), umax=spec.zext(umax))
    positive = z3.And(given, smin >= 0)
    claim_no_wider(c, "not negative", positive, c.after("s"), "", smin=spec.zext(smin), smax=spec.zext(smax))
    return c


def extended(size: int, to32: bool) -> Build:
    """Signed bounds that fit in the narrow number stay, and are the low half's."""

    def build(source: csource.Source) -> Case:
        narrow = z3.Extract(8 * size - 1, 0, X)
        c = case(source, sync(spec.zext(spec.sext(narrow, 32)) if to32 else spec.sext(narrow)))
        s = c.scalar("s", X)
        _, _, smin, smax = four(s, "")
        c.call("bc_scalar_sext", "s", size, to32)
        least, most = z3.BitVecVal(-(1 << 8 * size - 1), 64), z3.BitVecVal((1 << 8 * size - 1) - 1, 64)
        same = z3.And(smin >= least, smax <= most)
        after = c.after("s")
        claim_no_wider(c, "what fits", same, after, "32", smin=spec.low(smin), smax=spec.low(smax))
        if not to32:
            claim_no_wider(c, "what fits", same, after, "", smin=smin, smax=smax)
        if to32:
            positive = z3.And(same, smin >= 0)
            claim_no_wider(c, "what fits, not negative", positive, after, "32", umin=spec.low(smin), umax=spec.low(smax))
            claim_no_wider(c, "what fits, not negative", positive, after, "", umin=smin, umax=smax)
        else:
            claim_no_wider(c, "what does not", z3.BoolVal(True), after, "", smin=least, smax=most)
        return c

    return build


def truncated(size: int) -> Build:
    def build(source: csource.Source) -> Case:
        keep = (1 << 8 * size) - 1
        c = case(source, sync(X & keep))
        s = c.scalar("s", X)
        umin, umax, _, _ = four(s, "")
        c.call("bc_scalar_truncate", "s", size)
        same = umin & ~z3.BitVecVal(keep, 64) == umax & ~z3.BitVecVal(keep, 64)
        claim_no_wider(c, "no wrap", same, c.after("s"), "", umin=umin & keep, umax=umax & keep)
        claim_no_wider(c, "no wrap", same, c.after("s"), "", smin=umin & keep, smax=umax & keep)
        if size == 4:
            before, after = four(s, "32"), four(c.after("s"), "32")
            c.claim_always("the low half's stay", z3.And(*(a == b for a, b in zip(before, after, strict=True))))
        return c

    return build


def settled(source: csource.Source) -> Case:
    """After bc_bounds_sync no bound is wider than the known bits are."""
    c = case(source)
    c.scalar("s", X)
    c.call("bc_bounds_sync", "s")
    after = c.after("s")
    ones, unknown = parts(after.term["t"])
    for suffix, half in (("", lambda v: v), ("32", spec.low)):
        sign = z3.BitVecVal(1 << WIDTHS[suffix] - 1, WIDTHS[suffix])
        low, maybe = half(ones), half(unknown)
        bits = {"umin": low, "umax": low | maybe, "smin": low | (maybe & sign), "smax": low | (maybe & ~sign)}
        claim_no_wider(c, "by the known bits", z3.BoolVal(True), after, suffix, **bits)
    return c


def of_known_sign(source: csource.Source) -> Case:
    """Where the sign is known, what bounds the number without it bounds it with it, too."""
    c = case(source)
    s = c.scalar("s", X)
    value, mask = parts(s.term["t"])
    bounds = {suffix: four(s, suffix) for suffix in WIDTHS}
    c.call("bc_bounds_sync", "s")
    for suffix, width in WIDTHS.items():
        unknown, sign = (z3.Extract(width - 1, width - 1, term) for term in (mask, value))
        umin, umax, _, _ = bounds[suffix]
        claim_no_wider(c, "not negative", z3.And(unknown == 0, sign == 0), c.after("s"), suffix, smin=umin)
        claim_no_wider(c, "negative", z3.And(unknown == 0, sign == 1), c.after("s"), suffix, smax=umax)
    return c


def of_what_varies(op: str, is32: bool) -> Build:
    """An operand that is no constant is followed."""

    def build(source: csource.Source) -> Case:
        whole = spec.alu(op, X, Y, False, lambda a, b: a * b)
        lemmas = sync(spec.alu(op, X, Y, is32, lambda a, b: a * b))
        if op != "AND":
            lemmas.update(tnum_operator(f"bc_tnum_{op.lower()}", (X, Y, whole)))
        c = case(source, lemmas)
        suffix = "32" if is32 else ""
        d, s = c.scalar("d", X), c.scalar("s", Y)
        (d_low, d_high, _, _), (s_low, s_high, _, _) = four(d, suffix), four(s, suffix)
        unknown = parts(s.term["t"])[1]
        c.members.append((spec.low(unknown) if is32 else unknown) != 0)
        c.call("bc_scalar_alu", "d", "s", spec.ALU_OPS[op], is32)
        after = c.after("d")
        if op == "ADD":
            given = z3.And(z3.UGE(d_low + s_low, d_low), z3.UGE(d_high + s_high, d_high))
            claim_no_wider(c, "no carry", given, after, suffix, umin=d_low + s_low, umax=d_high + s_high)
        elif op == "SUB":
            claim_no_wider(c, "no borrow", z3.UGE(d_low, s_high), after, suffix, umin=d_low - s_high, umax=d_high - s_low)
        else:
            claim_no_wider(c, "either", z3.BoolVal(True), after, suffix, umax=z3.If(z3.ULT(d_high, s_high), d_high, s_high))
        return c

    return build


def refine_sets(is32: bool) -> Build:
    """JSET of a single bit, taken: that bit is known to be set."""

    def build(source: csource.Source) -> Case:
        c = case(source, sync(X, of=["yes_a"]))
        c.state.memory["no_a"] = c.scalar("yes_a", X)
        c.state.memory["no_b"] = c.scalar("yes_b", Y)
        c.members += spec.is_exactly(c.state.memory["yes_b"], Y).values()
        bit = spec.zext(spec.low(Y)) if is32 else Y
        c.members += [bit != 0, bit & (bit - 1) == 0, X & bit != 0]
        c.call("bc_scalar_refine", "yes_a", "yes_b", "no_a", "no_b", spec.JUMP_OPS["JSET"], is32)
        c.claim("known", parts(c.after("yes_a").term["t"])[1] & bit == 0)
        return c

    return build


def refine_tells(op: str, is32: bool) -> Build:
    """The greatest number that a jump leaves is that of the other width as well, where the number fits."""

    def build(source: csource.Source) -> Case:
        name = "yes_a" if op.endswith("LE") else "no_a"
        c = case(source, sync(X, of=[name]))
        c.scalar("yes_a", X)
        c.scalar("yes_b", Y)
        c.state.memory["no_a"], c.state.memory["no_b"] = c.state.memory["yes_a"], c.state.memory["yes_b"]
        c.members += spec.is_exactly(c.state.memory["yes_b"], Y).values()
        c.members.append(spec.holds("JSLE" if op[1] == "S" else "JLE", X, Y, is32))
        before = c.state.memory[name]
        value, mask = parts(before.term["t"])
        c.call("bc_scalar_refine", "yes_a", "yes_b", "no_a", "no_b", spec.JUMP_OPS[op], is32)
        least, most = z3.BitVecVal(-(1 << 31), 64), z3.BitVecVal((1 << 31) - 1, 64)
        if is32:
            given, suffix, bound = z3.And(spec.high(value) == 0, spec.high(mask) == 0), "", spec.zext(spec.low(Y))
            positive = z3.And(given, part(before, "smin32") >= 0)
        else:
            given, suffix, bound = z3.ULE(Y, spec.U32), "32", spec.low(Y)
            positive = z3.And(part(before, "smin") >= least, least <= Y, most >= Y)
        if op[1] == "S":
            claim_no_wider(c, "signed", positive, c.after(name), suffix, smax=bound)
        else:
            claim_no_wider(c, "unsigned", given, c.after(name), suffix, umax=bound)
        return c

    return build


def refine_is(op: str, is32: bool, const_side: str) -> Build:
    """Equal to a constant: each part says so, of the width compared."""

    def build(source: csource.Source) -> Case:
        side = "yes" if op == "JEQ" else "no"
        other = f"{side}_{'a' if const_side == 'b' else 'b'}"
        k, x = (Y, X) if const_side == "b" else (X, Y)
        c = case(source, sync(x, of=[other]))
        c.scalar("yes_a", X)
        c.scalar("yes_b", Y)
        c.state.memory["no_a"], c.state.memory["no_b"] = c.state.memory["yes_a"], c.state.memory["yes_b"]
        c.members += spec.is_exactly(c.state.memory[f"yes_{const_side}"], k).values()
        unknown = parts(c.state.memory[other].term["t"])[1]
        c.members.append((spec.low(unknown) if is32 else unknown) != 0)
        c.members.append(spec.low(x) == spec.low(k) if is32 else x == k)
        c.call("bc_scalar_refine", "yes_a", "yes_b", "no_a", "no_b", spec.JUMP_OPS[op], is32)
        after = c.after(other)
        half = spec.is_exactly(after, k)
        if is32:
            half = {name: term for name, term in half.items() if name.endswith("32")}
            value, mask = parts(after.term["t"])
            half.update({"value": spec.low(value) == spec.low(k), "mask": spec.low(mask) == 0})
        c.claim_parts("exactly", half)
        return c

    return build


def finds() -> list[Any]:
    table = Table()
    for suffix, bits in (("32", "32"), ("", "64")):
        prefix = "" if suffix else "bc_scalar_"
        for name in ("add", "sub"):
            function = f"{prefix}{name}{bits}"
            table.add(f"{function}, what it finds", function, sums(function, suffix, name == "add"), "exact")
        table.add(f"mul{bits}, what it finds", f"mul{bits}", products(f"mul{bits}", suffix), "exact")
        for name, op in (("AND", AND), ("OR", OR), ("XOR", XOR)):
            table.add(f"bitwise{bits}, {name}, what it finds", f"bitwise{bits}", bitwise(suffix, op), "exact")
        for op in ("lsh", "rsh", "arsh"):
            table.add(f"{op}, {bits} bits, what it finds", op, shifted(op, bool(suffix)), "exact")
        for op in ("ADD", "SUB", "AND"):
            table.add(f"{op}, {bits} bits, of what varies", "bc_scalar_alu", of_what_varies(op, bool(suffix)), "exact")
        table.add(f"JSET, {bits} bits: taken, of a single bit", "bc_scalar_refine", refine_sets(bool(suffix)), "exact")
        for op in ("JEQ", "JNE"):
            for side in "ba":
                name = f"{op}, {bits} bits: what is the {'second' if side == 'b' else 'first'} constant"
                table.add(name, "bc_scalar_refine", refine_is(op, bool(suffix), side), "exact")
        for op, way in (("JLE", "taken"), ("JGT", "not taken"), ("JSLE", "taken"), ("JSGT", "not taken")):
            name = f"{op}, {bits} bits: {way}, what the other width is told"
            table.add(name, "bc_scalar_refine", refine_tells(op, bool(suffix)), "exact")
    table.add("lsh_bounds32, what it finds", "lsh_bounds32", shifted_low_half, "exact")
    table.add("bc_bounds_32_from_64, what it finds", "bc_bounds_32_from_64", from_64, "exact")
    table.add("bc_bounds_64_from_32, what it finds", "bc_bounds_64_from_32", from_32, "exact")
    for size in (1, 2, 4):
        table.add(f"bc_scalar_truncate, {size} bytes, what it finds", "bc_scalar_truncate", truncated(size), "exact")
        for to32 in (False, True):
            name = f"bc_scalar_sext, {size} bytes to {4 if to32 else 8}, what it finds"
            table.add(name, "bc_scalar_sext", extended(size, to32), "exact")
    table.add("bc_bounds_sync, by the known bits", "bc_bounds_sync", settled, "exact")
    table.add("bc_bounds_sync, of a known sign", "bc_bounds_sync", of_known_sign, "exact")
    return table.entries
