# SPDX-License-Identifier: MIT
"""C's types and typed values over z3 bit-vectors: promotions, conversions, and the operators' exact meaning as gcc defines it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import z3


class TranslationError(Exception):
    """C that the translator does not take."""


@dataclass(frozen=True)
class IntType:
    width: int
    signed: bool
    is_bool: bool = False


@dataclass(frozen=True)
class StructType:
    name: str
    fields: tuple[tuple[str, Any], ...]

    def field(self, name: str) -> Any:
        for field, kind in self.fields:
            if field == name:
                return kind
        raise TranslationError(f"struct {self.name} has no member {name}")


@dataclass(frozen=True)
class PointerType:
    target: Any


@dataclass(frozen=True)
class VoidType:
    pass


BOOL = IntType(8, False, True)
INT = IntType(32, True)
UINT = IntType(32, False)
LONG = IntType(64, True)
ULONG = IntType(64, False)


@dataclass(frozen=True)
class Pointer:
    """The object that a pointer leads to, and the members on the way into it."""

    target: str
    path: tuple[str, ...] = ()


class Value:
    """A value and its type. Truth values keep their Boolean, and become numbers where one is asked for."""

    __slots__ = ("_term", "kind", "truth_term")

    def __init__(self, kind: Any, term: Any = None, truth: Any = None) -> None:
        self.kind, self._term, self.truth_term = kind, term, truth

    @property
    def term(self) -> Any:
        if self._term is None:
            width = self.kind.width
            self._term = choose(self.truth_term, z3.BitVecVal(1, width), z3.BitVecVal(0, width))
        return self._term


def truth(value: Value) -> z3.BoolRef:
    if value.truth_term is not None:
        return value.truth_term
    if isinstance(value.kind, PointerType):
        return z3.BoolVal(True)
    return compare("!=", value.term, z3.BitVecVal(0, value.kind.width), False)


def of_truth(condition: z3.BoolRef) -> Value:
    return Value(INT, truth=condition)


def constant(number: int, kind: IntType) -> Value:
    return Value(kind, z3.BitVecVal(number, kind.width))


def choose(condition: z3.BoolRef, yes: Any, no: Any) -> Any:
    if z3.is_true(condition) or yes is no or (z3.is_expr(yes) and z3.eq(yes, no)):
        return yes
    if z3.is_false(condition):
        return no
    return z3.If(condition, yes, no)


def fold(term: Any, *operands: Any) -> Any:
    """Computes at once what has constant operands, so that branches on it need not both be followed."""
    if all(z3.is_bv_value(operand) for operand in operands):
        return z3.simplify(term)
    return term


COMPARISONS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "<": (z3.ULT, lambda a, b: a < b),
    "<=": (z3.ULE, lambda a, b: a <= b),
    ">": (z3.UGT, lambda a, b: a > b),
    ">=": (z3.UGE, lambda a, b: a >= b),
    "==": (lambda a, b: a == b, lambda a, b: a == b),
    "!=": (lambda a, b: a != b, lambda a, b: a != b),
}


def compare(op: str, left: Any, right: Any, signed: bool) -> z3.BoolRef:
    if not signed:
        # nothing is beyond the ends of the range: ends loops that shift a one in at each turn
        top = (1 << left.size()) - 1
        ends = {"<": (top, 0), ">": (0, top)}.get(op)
        if ends and (is_number(left, ends[0]) or is_number(right, ends[1])):
            return z3.BoolVal(False)
    return fold(COMPARISONS[op][signed](left, right), left, right)


def is_number(term: Any, number: int) -> bool:
    return z3.is_bv_value(term) and term.as_long() == number


def resize(term: Any, width: int, signed: bool) -> Any:
    have = term.size()
    if have == width:
        return term
    if have > width:
        return fold(z3.Extract(width - 1, 0, term), term)
    return fold(z3.SignExt(width - have, term) if signed else z3.ZeroExt(width - have, term), term)


def convert(value: Value, kind: Any) -> Value:
    """To another type; out of a signed type's range modulo 2^width, as gcc defines it."""
    if value.kind == kind:
        return value
    if isinstance(kind, IntType) and isinstance(value.kind, IntType):
        if kind.is_bool:
            return Value(kind, truth=truth(value))
        if value.truth_term is not None:
            return Value(kind, truth=value.truth_term)
        return Value(kind, resize(value.term, kind.width, value.kind.signed))
    if isinstance(kind, PointerType) and isinstance(value.kind, PointerType) and kind.target == value.kind.target:
        return Value(kind, value.term)
    if isinstance(kind, VoidType):
        return Value(kind)
    raise TranslationError(f"conversion of {value.kind} to {kind}")


def promote(value: Value) -> Value:
    if not isinstance(value.kind, IntType):
        raise TranslationError(f"arithmetic on {value.kind}")
    return convert(value, INT) if value.kind.width < 32 else value


def common(left: Value, right: Value) -> tuple[Value, Value]:
    """The usual arithmetic conversions."""
    left, right = promote(left), promote(right)
    width = max(left.kind.width, right.kind.width)
    signed = all(side.kind.signed for side in (left, right) if side.kind.width == width)
    kind = IntType(width, signed)
    return convert(left, kind), convert(right, kind)


Need = Callable[[z3.BoolRef, str], None]
Multiply = Callable[[Any, Any], Any]


def binary(op: str, left: Value, right: Value, need: Need, multiply: Multiply) -> Value:
    """An operator; @need takes what must hold for its meaning to be defined."""
    if op in ("<<", ">>"):
        return shift(op, promote(left), promote(right), need)
    left, right = common(left, right)
    kind, a, b = left.kind, left.term, right.term
    if op in COMPARISONS:
        return of_truth(compare(op, a, b, kind.signed))
    if op in ("+", "-"):
        if kind.signed:
            wide_a, wide_b = z3.SignExt(1, a), z3.SignExt(1, b)
            wide = wide_a + wide_b if op == "+" else wide_a - wide_b
            result = a + b if op == "+" else a - b
            need(fold(wide == z3.SignExt(1, result), a, b), f"signed overflow in {op}")
        return Value(kind, fold(a + b if op == "+" else a - b, a, b))
    if op == "*":
        if kind.signed:
            wide = z3.SignExt(kind.width, a) * z3.SignExt(kind.width, b)
            need(fold(wide == z3.SignExt(kind.width, a * b), a, b), "signed overflow in *")
        return Value(kind, multiply(a, b))
    if op in ("&", "|", "^"):
        if op == "&" and left.truth_term is not None and right.truth_term is not None:
            return Value(kind, truth=z3.And(left.truth_term, right.truth_term))
        return Value(kind, fold({"&": a & b, "|": a | b, "^": a ^ b}[op], a, b))
    if op in ("/", "%"):
        need(compare("!=", b, z3.BitVecVal(0, kind.width), False), "division by zero")
        if kind.signed:
            least = z3.BitVecVal(1 << (kind.width - 1), kind.width)
            need(z3.Not(z3.And(a == least, b == -1)), "signed overflow in /")
            return Value(kind, fold(a / b if op == "/" else z3.SRem(a, b), a, b))
        return Value(kind, fold(z3.UDiv(a, b) if op == "/" else z3.URem(a, b), a, b))
    raise TranslationError(f"operator {op}")


def shift(op: str, left: Value, right: Value, need: Need) -> Value:
    width = left.kind.width
    need(compare("<", right.term, z3.BitVecVal(width, right.kind.width), False), f"{op} by the width or more")
    a, by = left.term, resize(right.term, width, False)
    if op == ">>":
        # of a negative number: arithmetic, as gcc defines it
        return Value(left.kind, fold(a >> by if left.kind.signed else z3.LShR(a, by), a, by))
    result = fold(a << by, a, by)
    if left.kind.signed:
        need(fold(z3.And(a >= 0, (result >> by) == a, result >= 0), a, by), "signed overflow in <<")
    return Value(left.kind, result)


def unary(op: str, value: Value, need: Need) -> Value:
    if op == "!":
        condition = truth(value)
        if z3.is_true(condition) or z3.is_false(condition):
            return of_truth(z3.BoolVal(z3.is_false(condition)))
        return of_truth(z3.Not(condition))
    value = promote(value)
    if op == "+":
        return value
    if op == "~":
        return Value(value.kind, fold(~value.term, value.term))
    if op == "-":
        if value.kind.signed:
            least = z3.BitVecVal(1 << (value.kind.width - 1), value.kind.width)
            need(compare("!=", value.term, least, False), "signed overflow in -")
        return Value(value.kind, fold(-value.term, value.term))
    raise TranslationError(f"operator {op}")
