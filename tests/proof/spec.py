# SPDX-License-Identifier: MIT
"""What the proofs are about: which numbers an abstract value stands for, and what each instruction does (RFC 9669)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import z3

from proof.cvalue import Value

# RFC 9669, tables 5 and 8. (Not read from the C: that is what is on trial.)
ALU_OPS = {
    "ADD": 0x00,
    "SUB": 0x10,
    "MUL": 0x20,
    "DIV": 0x30,
    "OR": 0x40,
    "AND": 0x50,
    "LSH": 0x60,
    "RSH": 0x70,
    "NEG": 0x80,
    "MOD": 0x90,
    "XOR": 0xA0,
    "MOV": 0xB0,
    "ARSH": 0xC0,
    "END": 0xD0,
}
JUMP_OPS = {
    "JEQ": 0x10,
    "JGT": 0x20,
    "JGE": 0x30,
    "JSET": 0x40,
    "JNE": 0x50,
    "JSGT": 0x60,
    "JSGE": 0x70,
    "JLT": 0xA0,
    "JLE": 0xB0,
    "JSLT": 0xC0,
    "JSLE": 0xD0,
}

U64, U32 = (1 << 64) - 1, (1 << 32) - 1


def low(x: Any) -> Any:
    return z3.Extract(31, 0, x)


def high(x: Any) -> Any:
    return z3.Extract(63, 32, x)


def zext(x: Any) -> Any:
    return z3.ZeroExt(64 - x.size(), x)


def sext(x: Any, width: int = 64) -> Any:
    return z3.SignExt(width - x.size(), x)


def well_formed(t: Value) -> z3.BoolRef:
    """A bit is known or unknown: what is unknown carries no value."""
    return t.term["value"].term & t.term["mask"].term == 0


def in_tnum(t: Value, x: Any) -> z3.BoolRef:
    return (x ^ t.term["value"].term) & ~t.term["mask"].term == 0


def in_bounds64(s: Value, x: Any) -> dict[str, z3.BoolRef]:
    part = {name: s.term[name].term for name in ("umin", "umax", "smin", "smax")}
    return {
        "umin": z3.ULE(part["umin"], x),
        "umax": z3.ULE(x, part["umax"]),
        "smin": part["smin"] <= x,
        "smax": x <= part["smax"],
    }


def in_bounds32(s: Value, x: Any) -> dict[str, z3.BoolRef]:
    """Of the low half of @x."""
    part = {name: s.term[name].term for name in ("umin32", "umax32", "smin32", "smax32")}
    half = low(x) if x.size() == 64 else x
    return {
        "umin32": z3.ULE(part["umin32"], half),
        "umax32": z3.ULE(half, part["umax32"]),
        "smin32": part["smin32"] <= half,
        "smax32": half <= part["smax32"],
    }


def gamma(s: Value, x: Any) -> dict[str, z3.BoolRef]:
    """@x is one of the numbers that the scalar stands for: all parts must hold."""
    return {"t": in_tnum(s.term["t"], x), **in_bounds64(s, x), **in_bounds32(s, x)}


def member(s: Value, x: Any) -> z3.BoolRef:
    return z3.And(*gamma(s, x).values())


def is_exactly(s: Value, x: Any) -> dict[str, z3.BoolRef]:
    """The scalar stands for @x alone, and each of its parts says so."""
    t, half = s.term["t"].term, low(x)
    parts = {"value": t["value"].term == x, "mask": t["mask"].term == 0}
    parts.update({name: s.term[name].term == x for name in ("umin", "umax", "smin", "smax")})
    parts.update({name: s.term[name].term == half for name in ("umin32", "umax32", "smin32", "smax32")})
    return parts


def within(outer: Value, inner: Value) -> dict[str, z3.BoolRef]:
    """Part by part, the inner one knows at least what the outer one does."""
    o, i = ({n: s.term[n].term for n, _ in s.kind.fields if n != "t"} for s in (outer, inner))
    ot, it = outer.term["t"].term, inner.term["t"].term
    parts = {
        "mask": it["mask"].term & ~ot["mask"].term == 0,
        "value": (it["value"].term ^ ot["value"].term) & ~ot["mask"].term == 0,
    }
    for suffix in ("", "32"):
        parts["umin" + suffix] = z3.ULE(o["umin" + suffix], i["umin" + suffix])
        parts["umax" + suffix] = z3.UGE(o["umax" + suffix], i["umax" + suffix])
        parts["smin" + suffix] = o["smin" + suffix] <= i["smin" + suffix]
        parts["smax" + suffix] = o["smax" + suffix] >= i["smax" + suffix]
    return parts


def alu(name: str, x: Any, y: Any, is32: bool, multiply: Callable[[Any, Any], Any]) -> Any:
    """dst op= src, RFC 9669 section 4.1; END and MOV by what the caller makes of them. 32-bit results are zero-extended."""
    if is32:
        x, y = low(x), low(y)
    width = x.size()
    amount = y & (width - 1)
    zero = z3.BitVecVal(0, width)
    table: dict[str, Callable[[], Any]] = {
        "ADD": lambda: x + y,
        "SUB": lambda: x - y,
        "MUL": lambda: multiply(x, y),
        "DIV": lambda: z3.If(y == 0, zero, z3.UDiv(x, y)),
        "SDIV": lambda: z3.If(y == 0, zero, x / y),
        "OR": lambda: x | y,
        "AND": lambda: x & y,
        "LSH": lambda: x << amount,
        "RSH": lambda: z3.LShR(x, amount),
        "NEG": lambda: -x,
        "MOD": lambda: z3.If(y == 0, x, z3.URem(x, y)),
        "SMOD": lambda: z3.If(y == 0, x, z3.SRem(x, y)),
        "XOR": lambda: x ^ y,
        "MOV": lambda: y,
        "ARSH": lambda: x >> amount,
    }
    return zext(table[name]())


def holds(name: str, x: Any, y: Any, is32: bool) -> z3.BoolRef:
    """The condition of a jump, RFC 9669 section 4.3."""
    if is32:
        x, y = low(x), low(y)
    table: dict[str, Callable[[], Any]] = {
        "JEQ": lambda: x == y,
        "JNE": lambda: x != y,
        "JSET": lambda: x & y != 0,
        "JGT": lambda: z3.UGT(x, y),
        "JGE": lambda: z3.UGE(x, y),
        "JLT": lambda: z3.ULT(x, y),
        "JLE": lambda: z3.ULE(x, y),
        "JSGT": lambda: x > y,
        "JSGE": lambda: x >= y,
        "JSLT": lambda: x < y,
        "JSLE": lambda: x <= y,
    }
    return table[name]()
