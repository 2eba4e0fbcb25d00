# SPDX-License-Identifier: MIT
"""The table of what is proven, continued: ALU operations, extensions and truncations, jumps."""

from __future__ import annotations

from typing import Any

import z3

from proof import csource, spec
from proof.cvalue import Value, truth
from proof.lemmas import Products, sync, tnum_operator
from proof.obligations import Build, Table, X, Y, bounds, case, part, parts, some_of, tnums
from proof.prove import Case, Obligation

FOLLOWED = ("ADD", "SUB", "MUL", "AND", "OR", "XOR", "LSH", "RSH", "ARSH")
SHIFTS = ("LSH", "RSH", "ARSH")
REFLEXIVE = ("JEQ", "JGE", "JLE", "JSGE", "JSLE")


def alu(op: str, is32: bool) -> Build:
    """x in dst and y in src, so the operation's result in what bc_scalar_alu makes of them."""

    def build(source: csource.Source) -> Case:
        product = Products()
        if op in FOLLOWED:
            result = spec.alu(op, X, Y, is32, product)
        else:
            # division, modulo and the rest: any number at all, of 32 bits or 64
            anything = z3.BitVec("anything", 32 if is32 else 64)
            result = spec.zext(anything)
        lemmas = sync(result)
        whole = spec.alu(op, X, Y, False, product) if op in ("ADD", "SUB", "MUL") else None
        if whole is not None:
            lemmas.update(tnum_operator(f"bc_tnum_{op.lower()}", (X, Y, whole)))
        c = case(source, lemmas, multiply=product)
        c.about(z3.BitVec("anything", 64))
        d, s = c.scalar("d", X), c.scalar("s", Y)
        if op == "MUL":
            c.members.append(product.low_half(X, Y))
            for half in ((lambda v: v), spec.low):
                suffix = "" if half is not spec.low else "32"
                low_d, low_s, high_d, high_s = (part(v, k + suffix) for k in ("umin", "umax") for v in (d, s))
                c.members.append(product.monotone(low_d, low_s, half(X), half(Y)))
                c.members.append(product.monotone(half(X), half(Y), high_d, high_s))
        c.call("bc_scalar_alu", "d", "s", spec.ALU_OPS[op], is32)
        c.claim_scalar("result", c.after("d"), result)
        return c

    return build


def alu_of_constants(op: str, is32: bool) -> Build:
    """Of constants the exact result: keeps the proof from being that of a function which gives up."""

    def build(source: csource.Source) -> Case:
        product = Products()
        result = spec.alu(op, X, Y, is32, product)
        lemmas = sync(result)
        if op in ("ADD", "SUB", "MUL"):
            lemmas.update(tnum_operator(f"bc_tnum_{op.lower()}", (X, Y, spec.alu(op, X, Y, False, product))))
        c = case(source, lemmas, multiply=product)
        d, s = c.scalar("d", X), c.scalar("s", Y)
        c.members += [*spec.is_exactly(d, X).values(), *spec.is_exactly(s, Y).values()]
        if op == "MUL":
            c.members.append(product.low_half(X, Y))
        if op in SHIFTS:
            c.members.append(z3.ULT(Y, 32 if is32 else 64))
        c.call("bc_scalar_alu", "d", "s", spec.ALU_OPS[op], is32)
        c.claim_parts("exactly", spec.is_exactly(c.after("d"), result))
        return c

    return build


def bounds_only(function: str, op: str) -> Build:
    """add64 and sub64 by themselves, as pointers use them: the 64-bit bounds of the result; nothing else changes."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        before = c.scalar("d", X, only=spec.in_bounds64)
        c.scalar("s", Y, only=spec.in_bounds64)
        c.call(function, "d", "s")
        after = c.after("d")
        c.claim_parts("result", spec.in_bounds64(after, X + Y if op == "+" else X - Y))
        same = [part(after, name) == part(before, name) for name, _ in before.kind.fields if name.endswith("32")]
        same += [a == b for a, b in zip(parts(after.term["t"]), parts(before.term["t"]), strict=True)]
        c.claim_always("the rest stays", z3.And(*same))
        return c

    return build


def dead(is32: bool) -> Build:
    """
    Not dead and known to be a constant: then every bound is that constant. And what is called dead stands for no number, if the
    bounds are as bc_bounds_sync leaves them (no wider than the known bits).
    """

    def build(source: csource.Source) -> Case:
        c = case(source)
        s = c.scalar("s", X)
        is_dead = truth(c.call("bc_scalar_dead", "s", is32))
        value, mask = parts(s.term["t"])
        suffix = "32" if is32 else ""
        if is32:
            value, mask = spec.low(value), spec.low(mask)
        four = [part(s, name + suffix) for name in ("umin", "umax", "smin", "smax")]
        constant = z3.Implies(mask == 0, z3.And(*(bound == value for bound in four)))
        c.claim("not dead: a constant's bounds are the constant", z3.Or(is_dead, constant))
        no_wider = z3.And(four[2] >= value, four[3] <= value, z3.UGE(four[0], value), z3.ULE(four[1], value))
        learned = z3.Implies(mask == 0, no_wider)
        c.claim("dead: no number, once synced", z3.Implies(learned, z3.Not(is_dead)))
        return c

    return build


def truncate(size: int) -> Build:
    def build(source: csource.Source) -> Case:
        result = X & ((1 << 8 * size) - 1)
        c = case(source, sync(result))
        c.scalar("s", X)
        c.call("bc_scalar_truncate", "s", size)
        c.claim_scalar("result", c.after("s"), result)
        return c

    return build


def truncate_of_constant(size: int) -> Build:
    def build(source: csource.Source) -> Case:
        result = X & ((1 << 8 * size) - 1)
        c = case(source, sync(result))
        s = c.scalar("s", X)
        c.members += spec.is_exactly(s, X).values()
        c.call("bc_scalar_truncate", "s", size)
        c.claim_parts("exactly", spec.is_exactly(c.after("s"), result))
        return c

    return build


def sext(size: int, to32: bool, exact: bool = False) -> Build:
    def build(source: csource.Source) -> Case:
        narrow = z3.Extract(8 * size - 1, 0, X)
        result = spec.zext(spec.sext(narrow, 32)) if to32 else spec.sext(narrow)
        c = case(source, sync(result))
        s = c.scalar("s", X)
        if exact:
            c.members += spec.is_exactly(s, X).values()
        c.call("bc_scalar_sext", "s", size, to32)
        if exact:
            c.claim_parts("exactly", spec.is_exactly(c.after("s"), result))
        else:
            c.claim_scalar("result", c.after("s"), result)
        return c

    return build


def zext32(source: csource.Source) -> Case:
    """From the low half alone: the 64-bit bounds may be of another number, and are replaced."""
    c = case(source)
    c.scalar("s", X, only=lambda s, x: {"t": spec.in_tnum(s.term["t"], x), **spec.in_bounds32(s, x)})
    c.call("bc_scalar_zext32", "s")
    c.claim_scalar("result", c.after("s"), spec.zext(spec.low(X)))
    return c


def zext32_of_constant(source: csource.Source) -> Case:
    c = case(source)
    c.members += spec.is_exactly(c.scalar("s", X), X).values()
    c.call("bc_scalar_zext32", "s")
    result = spec.zext(spec.low(X))
    exact = spec.is_exactly(c.after("s"), result)
    # the signed 64-bit bounds of a low half that is negative as a 32-bit number are left to bc_bounds_sync
    c.claim_parts("exactly", {name: term for name, term in exact.items() if name not in ("smin", "smax")})
    positive = z3.Implies(spec.low(X) >= 0, z3.And(exact["smin"], exact["smax"]))
    c.claim("exactly, where not negative", positive)
    return c


# -- jumps ------------------------------------------------------------------------------------------------------------


def branch(op: str, is32: bool) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        a, b = c.scalar("a", X), c.scalar("b", Y)
        verdict = c.call("bc_scalar_branch", "a", "b", spec.JUMP_OPS[op], is32).term
        holds = spec.holds(op, X, Y, is32)
        c.claim_always("-1, 0 or 1", z3.And(verdict >= -1, verdict <= 1))
        c.claim("always", z3.Implies(verdict == 1, holds))
        c.claim("never", z3.Implies(verdict == 0, z3.Not(holds)))
        both = z3.And(*spec.is_exactly(a, X).values(), *spec.is_exactly(b, Y).values())
        c.claim("of constants decided", z3.Implies(both, verdict == z3.If(holds, z3.BitVecVal(1, 32), z3.BitVecVal(0, 32))))
        if op[1:] in ("GT", "GE", "LT", "LE", "SGT", "SGE", "SLT", "SLE"):
            letter = "s" if op[1] == "S" else "u"
            ends = [part(a, letter + end + ("32" if is32 else "")) for end in ("min", "max")]
            if is32:
                ends = [spec.zext(end) for end in ends]
            known = z3.And(*spec.is_exactly(b, Y).values(), verdict == -1)
            at_ends = [spec.holds(op, end, Y, is32) for end in ends]
            c.claim("open: the ends differ", z3.Implies(known, at_ends[0] != at_ends[1]))
        return c

    return build


def no_jump(op: int, is32: bool) -> Build:
    """Of what is not a comparison nothing is claimed, and nothing narrowed."""

    def build(source: csource.Source) -> Case:
        c = case(source)
        c.scalar("a")
        c.scalar("b")
        c.claim_always("unknown", c.call("bc_scalar_branch", "a", "b", op, is32).term == -1)
        return c

    return build


def no_refinement(is32: bool) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        before = {name: c.scalar(name, X) for name in ("yes_a", "yes_b", "no_a", "no_b")}
        c.assume(parts(before["no_b"].term["t"])[1] == 0)
        c.call("bc_scalar_refine", *before, 0x90, is32)
        for name, old in before.items():
            c.claim_parts(f"{name} stays", spec.within(c.after(name), old))
            c.claim_parts(f"{name} stays", spec.within(old, c.after(name)))
        return c

    return build


def flip(op: str) -> Build:
    def build(source: csource.Source) -> Case:
        c = case(source)
        flipped = c.call("bc_jmp_flip", spec.JUMP_OPS[op]).term
        for other, code in spec.JUMP_OPS.items():
            same = spec.holds(other, Y, X, False) == spec.holds(op, X, Y, False)
            c.claim(f"{other}", z3.Implies(flipped == code, same))
        c.claim("is a comparison", z3.Or(*(flipped == code for code in spec.JUMP_OPS.values())))
        return c

    return build


def no_flip(source: csource.Source) -> Case:
    c = case(source)
    for code in (0x00, 0x80, 0x90, 0xE0, 0xF0):
        c.claim_always(f"none of {code:#x}", c.call("bc_jmp_flip", code).term == 0)
    return c


def refine(op: str, is32: bool, taken: bool, same_register: bool) -> Build:
    """
    On the branch that the numbers take, each scalar keeps its number. Taken and not taken branch start with copies of the same
    scalars. @same_register: both operands are one register.
    """

    def build(source: csource.Source) -> Case:
        side = "yes" if taken else "no"
        x, y = X, X if same_register else Y
        first, second = f"{side}_a", f"{side}_{'a' if same_register else 'b'}"
        # either operand may be narrowed, so both numbers are followed, each in its own object
        of_a, of_b = (sync(number, of=[name])["bc_bounds_sync"] for number, name in ((x, first), (y, second)))

        def either(machine: Any, state: Any, args: list[Value]) -> Value:
            return (of_a if args[0].term.target == first else of_b)(machine, state, args)

        c = case(source, {"bc_bounds_sync": either})
        c.state.memory["no_a"] = c.scalar("yes_a", x)
        if not same_register:
            c.state.memory["no_b"] = c.scalar("yes_b", y)
        holds = spec.holds(op, x, y, is32)
        c.members.append(holds if taken else z3.Not(holds))
        last = "a" if same_register else "b"
        c.call("bc_scalar_refine", "yes_a", f"yes_{last}", "no_a", f"no_{last}", spec.JUMP_OPS[op], is32)
        for name, number in {first: x, second: y}.items():
            c.claim_scalar(name, c.after(name), number)
        for name in {f"{s}_{r}" for s in ("yes", "no") for r in ("a", last)} - {first, second}:
            c.claim_always(f"{name}: well-formed", spec.well_formed(c.after(name).term["t"]))
        return c

    return build


def refine_finds(op: str, is32: bool, taken: bool, const_side: str) -> Build:
    """Against a constant: what is narrowed stands for nothing that the branch excludes (equality: nor do bits and bounds)."""

    def build(source: csource.Source) -> Case:
        side = "yes" if taken else "no"
        const_number, other_number = (Y, X) if const_side == "b" else (X, Y)
        other = f"{side}_{'a' if const_side == 'b' else 'b'}"
        c = case(source, sync(other_number, of=[other]))
        c.scalar("yes_a", X)
        c.scalar("yes_b", Y)
        c.state.memory["no_a"], c.state.memory["no_b"] = c.state.memory["yes_a"], c.state.memory["yes_b"]
        c.members += spec.is_exactly(c.state.memory[f"yes_{const_side}"], const_number).values()
        moved = parts(c.state.memory[other].term["t"])[1] != 0
        if is32:
            moved = spec.low(parts(c.state.memory[other].term["t"])[1]) != 0
        c.members.append(moved)
        holds = spec.holds(op, X, Y, is32)
        c.members.append(holds if taken else z3.Not(holds))
        c.call("bc_scalar_refine", "yes_a", "yes_b", "no_a", "no_b", spec.JUMP_OPS[op], is32)
        after = c.after(other)
        free = z3.BitVec("other", 64)
        c.about(free)
        sides = (free, Y) if const_side == "b" else (X, free)
        excluded = spec.holds(op, *sides, is32) != z3.BoolVal(taken)
        bounds = {**spec.gamma(after, free)}
        c.claim("nothing that the branch excludes", z3.Implies(z3.And(*bounds.values()), z3.Not(excluded)))
        return c

    return build


def refine_equal_finds(op: str) -> Build:
    """Equal registers, neither constant: what one excludes, the other does too."""

    def build(source: csource.Source) -> Case:
        c = case(source, {**sync(X)})
        same, other = ("yes", "no") if op == "JEQ" else ("no", "yes")
        a, b = c.scalar(f"{same}_a", X), c.scalar(f"{same}_b", X)
        c.scalar(f"{other}_a", X)
        c.scalar(f"{other}_b", X)
        for name in ("no_a", "no_b"):
            c.members.append(parts(c.state.memory[name].term["t"])[1] != 0)
        c.call("bc_scalar_refine", "yes_a", "yes_b", "no_a", "no_b", spec.JUMP_OPS[op], False)
        for name in (f"{same}_a", f"{same}_b"):
            for one in (a, b):
                knows = spec.within(one, c.after(name))
                c.claim_parts(name, {k: v for k, v in knows.items() if not k.endswith("32")})
        return c

    return build


def scalars() -> list[Obligation]:
    table = Table()

    def const(source: csource.Source) -> Case:
        c = case(source)
        c.scalar("s")
        c.call("bc_scalar_const", "s", X)
        c.claim_scalar("result", c.after("s"), X)
        c.claim_parts("nothing else", spec.is_exactly(c.after("s"), X))
        return c

    def unknown(source: csource.Source) -> Case:
        c = case(source)
        c.scalar("s")
        c.call("bc_scalar_unknown", "s")
        c.claim_scalar("result", c.after("s"), X)
        return c

    def is_const(source: csource.Source) -> Case:
        c = case(source)
        s = c.scalar("s", X, Y)
        answer = truth(c.call("bc_scalar_is_const", "s"))
        c.claim("yes", z3.Implies(answer, X == Y))
        c.claim_always("no", z3.Or(answer, some_of(s.term["t"])[0] != some_of(s.term["t"])[1]))
        return c

    def sane(source: csource.Source) -> Case:
        """Contradictory bounds stand for no number: where there is one, all is sane."""
        c = case(source)
        c.scalar("s", X)
        c.claim("yes where there is a number", truth(c.call("bc_scalar_sane", "s")))
        return c

    def insane(source: csource.Source) -> Case:
        c = case(source)
        s = c.machine.fresh(c.machine.struct("bpf_scalar"), "s")
        c.state.memory["s"] = s
        answer = truth(c.call("bc_scalar_sane", "s"))
        ordered = [z3.ULE(part(s, "umin" + w), part(s, "umax" + w)) for w in ("", "32")]
        ordered += [part(s, "smin" + w) <= part(s, "smax" + w) for w in ("", "32")]
        c.claim("as the bounds are in order", answer == z3.And(spec.well_formed(s.term["t"]), *ordered))
        return c

    def within(source: csource.Source) -> Case:
        c = case(source)
        outer, inner = c.scalar("outer"), c.scalar("inner", X)
        answer = truth(c.call("bc_scalar_within", "outer", "inner"))
        for name, condition in spec.gamma(outer, X).items():
            c.claim(f"yes: {name}", z3.Implies(answer, condition))
        c.claim_always("no: some part is not", z3.Or(answer, z3.Not(z3.And(*spec.within(outer, inner).values()))))
        return c

    table.add("bc_scalar_const", "bc_scalar_const", const)
    table.add("bc_scalar_unknown", "bc_scalar_unknown", unknown)
    table.add("bc_scalar_is_const", "bc_scalar_is_const", is_const)
    table.add("bc_scalar_sane", "bc_scalar_sane", sane)
    table.add("bc_scalar_sane, of anything", "bc_scalar_sane", insane, "exact")
    table.add("bc_scalar_within", "bc_scalar_within", within)
    return table.entries


def operations() -> list[Obligation]:
    table = Table()
    for op in spec.ALU_OPS:
        for is32 in (False, True):
            bits = 32 if is32 else 64
            table.add(f"{op}, {bits} bits", "bc_scalar_alu", alu(op, is32))
            if op in FOLLOWED:
                table.add(f"{op}, {bits} bits, of constants", "bc_scalar_alu", alu_of_constants(op, is32), "exact")
    table.add("bc_scalar_add64", "bc_scalar_add64", bounds_only("bc_scalar_add64", "+"))
    table.add("bc_scalar_sub64", "bc_scalar_sub64", bounds_only("bc_scalar_sub64", "-"))
    table.add("bc_scalar_zext32", "bc_scalar_zext32", zext32)
    table.add("bc_scalar_zext32, of a constant", "bc_scalar_zext32", zext32_of_constant, "exact")
    for is32 in (False, True):
        table.add(f"bc_scalar_dead, {32 if is32 else 64} bits", "bc_scalar_dead", dead(is32))
    for size in (1, 2, 4):
        table.add(f"bc_scalar_truncate, {size} bytes", "bc_scalar_truncate", truncate(size))
        table.add(f"bc_scalar_truncate, {size} bytes, of a constant", "bc_scalar_truncate", truncate_of_constant(size), "exact")
        for to32 in (False, True):
            name = f"bc_scalar_sext, {size} bytes to {4 if to32 else 8}"
            table.add(name, "bc_scalar_sext", sext(size, to32))
            table.add(f"{name}, of a constant", "bc_scalar_sext", sext(size, to32, exact=True), "exact")
    return table.entries


def jumps() -> list[Obligation]:
    table = Table()
    for op in spec.JUMP_OPS:
        table.add(f"bc_jmp_flip, {op}", "bc_jmp_flip", flip(op))
        for is32 in (False, True):
            bits = 32 if is32 else 64
            table.add(f"{op}, {bits} bits: verdict", "bc_scalar_branch", branch(op, is32))
            for taken in (True, False):
                way = f"{op}, {bits} bits: {'taken' if taken else 'not taken'}"
                table.add(way, "bc_scalar_refine", refine(op, is32, taken, False))
                if op == "JSET" or taken == (op in REFLEXIVE):
                    table.add(f"{way}, one register", "bc_scalar_refine", refine(op, is32, taken, True))
                if (op, taken) in (("JSET", True), ("JEQ", False), ("JNE", True)):
                    continue
                for side in "ba":
                    name = f"{way}, {'second' if side == 'b' else 'first'} constant"
                    table.add(name, "bc_scalar_refine", refine_finds(op, is32, taken, side), "exact")
    table.add("bc_jmp_flip, no comparison", "bc_jmp_flip", no_flip)
    for is32 in (False, True):
        bits = 32 if is32 else 64
        table.add(f"no comparison, {bits} bits: verdict", "bc_scalar_branch", no_jump(0x90, is32))
        table.add(f"no comparison, {bits} bits: nothing narrowed", "bc_scalar_refine", no_refinement(is32))
    for op, way in (("JEQ", "taken"), ("JNE", "not taken")):
        table.add(f"{op}, 64 bits: {way}, of two that vary", "bc_scalar_refine", refine_equal_finds(op), "exact")
    return table.entries


def everything() -> list[Obligation]:
    return [*tnums(), *bounds(), *scalars(), *operations(), *jumps()]
