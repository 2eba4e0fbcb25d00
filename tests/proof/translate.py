# SPDX-License-Identifier: MIT
"""
A symbolic executor for the C of the abstract domain: turns a call of a function into z3 terms for what it returns and leaves in
memory. Branches are merged, loops unrolled, calls followed; what C leaves undefined becomes something to be proven not to happen.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import z3
from pycparser import c_ast

from proof.csource import Source
from proof.cvalue import (
    BOOL,
    INT,
    LONG,
    UINT,
    ULONG,
    IntType,
    Pointer,
    PointerType,
    StructType,
    TranslationError,
    Value,
    VoidType,
    binary,
    choose,
    common,
    constant,
    convert,
    fold,
    is_number,
    of_truth,
    truth,
    unary,
)

MAX_TURNS = 80
MAX_DEPTH = 60
BASE_TYPES = {
    "void": VoidType(),
    "_Bool": BOOL,
    "bool": BOOL,
    "char": IntType(8, True),
    "signed char": IntType(8, True),
    "unsigned char": IntType(8, False),
    "short": IntType(16, True),
    "unsigned short": IntType(16, False),
    "short unsigned": IntType(16, False),
    "int": INT,
    "signed int": INT,
    "unsigned int": UINT,
    "unsigned": UINT,
    "long": LONG,
    "signed long": LONG,
    "long int": LONG,
    "signed long int": LONG,
    "unsigned long": ULONG,
    "unsigned long int": ULONG,
    "long long": LONG,
    "signed long long": LONG,
    "long long int": LONG,
    "unsigned long long": ULONG,
}
SUFFIXES = {"": (INT, LONG), "u": (UINT, ULONG), "l": (LONG,), "ul": (ULONG,), "ll": (LONG,), "ull": (ULONG,)}


class State:
    """Memory along one merged set of paths, and the conditions of being on them. Objects are replaced, never changed in place."""

    __slots__ = ("memory", "path")

    def __init__(self, memory: dict[str, Value], path: tuple[Any, ...] = ()) -> None:
        self.memory, self.path = memory, path

    def fork(self, condition: Any = None) -> State:
        return State(dict(self.memory), self.path if condition is None else (*self.path, condition))

    def condition(self) -> z3.BoolRef:
        return z3.And(*self.path) if self.path else z3.BoolVal(True)


def merge_values(condition: Any, yes: Value, no: Value) -> Value:
    if yes is no:
        return yes
    if yes.kind != no.kind:
        raise TranslationError("paths that meet with values of different types")
    if isinstance(yes.kind, StructType):
        members = {name: merge_values(condition, yes.term[name], no.term[name]) for name, _ in yes.kind.fields}
        return Value(yes.kind, members)
    if isinstance(yes.kind, PointerType):
        if yes.term != no.term:
            raise TranslationError("a pointer that leads to different objects by path")
        return yes
    if yes.truth_term is not None and no.truth_term is not None:
        return Value(yes.kind, truth=choose(condition, yes.truth_term, no.truth_term))
    return Value(yes.kind, choose(condition, yes.term, no.term))


def opposite(a: Any, b: Any) -> bool:
    return (z3.is_not(a) and z3.eq(a.arg(0), b)) or (z3.is_not(b) and z3.eq(b.arg(0), a))


def merge(first: State, second: State) -> State:
    """Both sets of paths as one; the two exclude each other."""
    shared = 0
    for a, b in zip(first.path, second.path, strict=False):
        if a is not b:
            break
        shared += 1
    rest_a, rest_b = first.path[shared:], second.path[shared:]
    condition = rest_a[0] if len(rest_a) == 1 else z3.And(*rest_a)
    memory = {
        name: merge_values(condition, value, second.memory[name]) if name in second.memory else value
        for name, value in first.memory.items()
    }
    memory.update({name: value for name, value in second.memory.items() if name not in first.memory})
    path = first.path[:shared]
    if not (len(rest_a) == 1 and len(rest_b) == 1 and opposite(rest_a[0], rest_b[0])):
        path = (*path, z3.Or(condition, z3.And(*rest_b)))
    return State(memory, path)


# How a statement may end, each with the state there: "next", "break", "continue", "return".
Ends = dict[str, State]


def add_end(ends: Ends, kind: str, state: State) -> None:
    ends[kind] = merge(ends[kind], state) if kind in ends else state


@dataclass(frozen=True)
class Need:
    """To be proven; of the promises, with those alone that were made before."""

    label: str
    term: z3.BoolRef
    promises: int
    members_only: bool


@dataclass(frozen=True)
class Promise:
    """What may be assumed of the made-up value @of; @members_only: where the arguments stand for the numbers in question."""

    of: str
    term: z3.BoolRef
    members_only: bool


class Machine:
    """
    One symbolic run. @contracts: callee -> what stands for its body (a lemma proven elsewhere). @cuts: function -> what to do at
    each head of its loop, @exits: where a path leaves it. Collects in `needs` what must hold for the C to be defined and for
    contracts and cuts to apply, in `assumed` what these promise then.
    """

    def __init__(
        self,
        source: Source,
        contracts: dict[str, Callable[[Machine, State, list[Value]], Value]] | None = None,
        cuts: dict[str, Callable[[Machine, State, dict[str, str]], None]] | None = None,
        exits: dict[str, Callable[[Machine, State, dict[str, str]], None]] | None = None,
        multiply: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.source = source
        self.contracts, self.cuts, self.exits = contracts or {}, cuts or {}, exits or {}
        self.needs: list[Need] = []
        self.assumed: list[Promise] = []
        self.followed: set[str] = set()
        self.statements: set[str] = set()
        self._multiply = multiply or (lambda a, b: a * b)
        self._names = itertools.count()
        self._calls: list[tuple[str, dict[str, str]]] = []
        self._types: dict[str, Any] = {}

    # -- types --------------------------------------------------------------------------------------------------------

    def struct(self, name: str) -> StructType:
        if name not in self._types:
            node = self.source.structs[name]
            self._types[name] = StructType(name, tuple((decl.name, self.type_of(decl.type)) for decl in node.decls))
        return self._types[name]

    def type_of(self, node: c_ast.Node, state: State | None = None) -> Any:
        if isinstance(node, c_ast.TypeDecl):
            return self.type_of(node.type, state)
        if isinstance(node, c_ast.Typename):
            return self.type_of(node.type, state)
        if isinstance(node, c_ast.PtrDecl):
            return PointerType(self.type_of(node.type, state))
        if isinstance(node, c_ast.Struct):
            return self.struct(node.name)
        if isinstance(node, c_ast.IdentifierType):
            name = " ".join(node.names)
            if name in BASE_TYPES:
                return BASE_TYPES[name]
            if name in self.source.typedefs:
                return self.type_of(self.source.typedefs[name], state)
        if type(node).__name__ == "TypeOf" and state is not None:
            inner = node.children()[0][1]
            if isinstance(inner, c_ast.Typename):
                return self.type_of(inner, state)
            # its operand is not evaluated: what it would need and do does not count
            needs, followed = [*self.needs], {*self.followed}
            kind = self.evaluate(inner, state.fork()).kind
            self.needs, self.followed = needs, followed
            return kind
        raise self.error(node, f"type {type(node).__name__}")

    def fresh(self, kind: Any, name: str) -> Value:
        """A value of which nothing is known."""
        if isinstance(kind, StructType):
            return Value(kind, {member: self.fresh(inner, f"{name}.{member}") for member, inner in kind.fields})
        if not isinstance(kind, IntType):
            raise TranslationError(f"{name}: no value of type {kind} can be made up")
        full = f"{name}!{next(self._names)}"
        return Value(kind, truth=z3.Bool(full)) if kind.is_bool else Value(kind, z3.BitVec(full, kind.width))

    def serial(self) -> int:
        """For a name of its own, the same in each run of the same C."""
        return next(self._names)

    def error(self, node: c_ast.Node, what: str) -> TranslationError:
        return TranslationError(f"{node.coord}: {what}: not supported by the translator")

    # -- memory -------------------------------------------------------------------------------------------------------

    def load(self, state: State, pointer: Pointer) -> Value:
        value = state.memory[pointer.target]
        for member in pointer.path:
            value = value.term[member]
        return value

    def store(self, state: State, pointer: Pointer, value: Value) -> None:
        def replaced(old: Value, path: tuple[str, ...]) -> Value:
            if not path:
                return convert(value, old.kind)
            return Value(old.kind, {**old.term, path[0]: replaced(old.term[path[0]], path[1:])})

        state.memory[pointer.target] = replaced(state.memory[pointer.target], pointer.path)

    def place(self, node: c_ast.Node, state: State) -> Pointer:
        """Where an lvalue is."""
        if isinstance(node, c_ast.ID):
            scope = self._calls[-1][1]
            if node.name not in scope:
                raise self.error(node, f"the name {node.name}")
            return Pointer(scope[node.name])
        if isinstance(node, c_ast.StructRef):
            member = node.field.name
            if node.type == "->":
                base = self.evaluate(node.name, state)
                if not isinstance(base.kind, PointerType):
                    raise self.error(node, "-> on what is no pointer")
                return Pointer(base.term.target, (*base.term.path, member))
            base_place = self.place(node.name, state)
            return Pointer(base_place.target, (*base_place.path, member))
        if isinstance(node, c_ast.UnaryOp) and node.op == "*":
            return self.evaluate(node.expr, state).term
        raise self.error(node, f"{type(node).__name__} as an lvalue")

    def needed(self, state: State, node: c_ast.Node) -> Callable[[z3.BoolRef, str], None]:
        return lambda condition, what: self.need(state, condition, f"{node.coord}: {what}")

    def need(self, state: State, condition: z3.BoolRef, label: str, members_only: bool = False) -> None:
        if not z3.is_true(condition):
            term = z3.Implies(state.condition(), condition) if state.path else condition
            self.needs.append(Need(label, term, len(self.assumed), members_only))

    def promise(self, state: State, of: str, condition: z3.BoolRef, members_only: bool = False) -> None:
        term = z3.Implies(state.condition(), condition) if state.path else condition
        self.assumed.append(Promise(of, term, members_only))

    # -- expressions --------------------------------------------------------------------------------------------------

    def evaluate(self, node: c_ast.Node, state: State) -> Value:
        method = getattr(self, "_eval_" + type(node).__name__, None)
        if method is None:
            raise self.error(node, type(node).__name__)
        return method(node, state)

    def _eval_Constant(self, node: c_ast.Constant, state: State) -> Value:
        del state
        if "int" not in node.type and "long" not in node.type:
            raise self.error(node, f"constant of type {node.type}")
        text = node.value.lower()
        digits = text.rstrip("ul")
        suffix = "".join(sorted(text[len(digits) :], reverse=True))
        if suffix not in SUFFIXES:
            raise self.error(node, f"constant {node.value}")
        octal = len(digits) > 1 and digits.startswith("0") and not digits.startswith("0x")
        number = int(digits, 8 if octal else 0)
        kinds = SUFFIXES[suffix]
        if digits.startswith("0") and suffix in ("", "l", "ll"):
            kinds = tuple(k for kind in kinds for k in (kind, IntType(kind.width, False)))
        for kind in kinds:
            if number < 1 << (kind.width - kind.signed):
                return constant(number, kind)
        raise self.error(node, f"constant {node.value}")

    def _eval_ID(self, node: c_ast.ID, state: State) -> Value:
        return self.load(state, self.place(node, state))

    def _eval_StructRef(self, node: c_ast.StructRef, state: State) -> Value:
        if node.type == "." and not isinstance(node.name, c_ast.ID | c_ast.StructRef | c_ast.UnaryOp):
            return self.evaluate(node.name, state).term[node.field.name]
        return self.load(state, self.place(node, state))

    def _eval_Cast(self, node: c_ast.Cast, state: State) -> Value:
        return convert(self.evaluate(node.expr, state), self.type_of(node.to_type, state))

    def _eval_UnaryOp(self, node: c_ast.UnaryOp, state: State) -> Value:
        if node.op == "&":
            place = self.place(node.expr, state)
            return Value(PointerType(self.load(state, place).kind), place)
        if node.op == "*":
            return self.load(state, self.place(node, state))
        if node.op in ("++", "--", "p++", "p--"):
            place = self.place(node.expr, state)
            old = self.load(state, place)
            new = binary(node.op[-1], old, constant(1, INT), self.needed(state, node), self.multiply)
            self.store(state, place, convert(new, old.kind))
            return old if node.op.startswith("p") else self.load(state, place)
        return unary(node.op, self.evaluate(node.expr, state), self.needed(state, node))

    def multiply(self, a: Any, b: Any) -> Any:
        if z3.is_bv_value(a) or z3.is_bv_value(b):
            return fold(a * b, a, b)
        return self._multiply(a, b)

    def _eval_BinaryOp(self, node: c_ast.BinaryOp, state: State) -> Value:
        if node.op in ("&&", "||"):
            left = truth(self.evaluate(node.left, state))
            is_and = node.op == "&&"
            if z3.is_false(left) if is_and else z3.is_true(left):
                return of_truth(left)
            if z3.is_true(left) if is_and else z3.is_false(left):
                return of_truth(truth(self.evaluate(node.right, state)))
            other = state.fork(left if is_and else z3.Not(left))
            right = truth(self.evaluate(node.right, other))
            self._rejoin(state, other, left if is_and else z3.Not(left))
            return of_truth(z3.And(left, right) if is_and else z3.Or(left, right))
        left_value = self.evaluate(node.left, state)
        right_value = self.evaluate(node.right, state)
        return binary(node.op, left_value, right_value, self.needed(state, node), self.multiply)

    def _rejoin(self, state: State, other: State, condition: Any) -> None:
        """What a part of an expression that was evaluated under a condition did to memory."""
        for name, value in other.memory.items():
            state.memory[name] = merge_values(condition, value, state.memory[name]) if name in state.memory else value

    def _eval_TernaryOp(self, node: c_ast.TernaryOp, state: State) -> Value:
        condition = truth(self.evaluate(node.cond, state))
        yes_state, no_state = state.fork(condition), state.fork(z3.Not(condition))
        yes = None if z3.is_false(condition) else self.evaluate(node.iftrue, yes_state)
        no = None if z3.is_true(condition) else self.evaluate(node.iffalse, no_state)
        if yes is None or no is None:
            # one side only; the type still depends on both
            taken, taken_state = (no, no_state) if yes is None else (yes, yes_state)
            state.memory = taken_state.memory
            needs, followed = [*self.needs], {*self.followed}
            other = self.evaluate(node.iftrue if yes is None else node.iffalse, state.fork())
            self.needs, self.followed = needs, followed
            assert taken is not None
            return self._alike(taken, other)[0]
        merged = merge(yes_state, no_state)
        state.memory = merged.memory
        return merge_values(condition, *self._alike(yes, no))

    @staticmethod
    def _alike(left: Value, right: Value) -> tuple[Value, Value]:
        if isinstance(left.kind, IntType) and isinstance(right.kind, IntType):
            return common(left, right)
        return left, right

    def _eval_Assignment(self, node: c_ast.Assignment, state: State) -> Value:
        place = self.place(node.lvalue, state)
        value = self.evaluate(node.rvalue, state)
        if node.op != "=":
            old = self.load(state, place)
            value = binary(node.op[:-1], old, value, self.needed(state, node), self.multiply)
        self.store(state, place, value)
        return self.load(state, place)

    def _eval_ExprList(self, node: c_ast.ExprList, state: State) -> Value:
        values = [self.evaluate(expr, state) for expr in node.exprs]
        return values[-1]

    def _eval_Compound(self, node: c_ast.Compound, state: State) -> Value:
        """A GNU statement expression: the value of its last expression."""
        name, scope = self._calls[-1]
        self._calls.append((name, dict(scope)))
        *before, last = node.block_items
        for item in before:
            if not isinstance(item, c_ast.Decl | c_ast.Assignment):
                raise self.error(item, "this in a statement expression")
            self._run(item, state)
        value = self.evaluate(last, state)
        self._calls.pop()
        return value

    def _eval_FuncCall(self, node: c_ast.FuncCall, state: State) -> Value:
        if not isinstance(node.name, c_ast.ID):
            raise self.error(node, "a call through a pointer")
        args = [self.evaluate(arg, state) for arg in (node.args.exprs if node.args else ())]
        name = node.name.name
        if name not in self.source.functions:
            raise self.error(node, f"the function {name}")
        params = self.parameters(name)
        converted = [convert(arg, kind) for arg, (_, kind) in zip(args, params, strict=True)]
        if name in self.contracts:
            return self.contracts[name](self, state, converted)
        return self.call(name, converted, state)

    def parameters(self, function: str) -> list[tuple[str, Any]]:
        args = self.source.functions[function].decl.type.args
        params = [(param.name, self.type_of(param.type)) for param in args.params] if args else []
        return [] if len(params) == 1 and isinstance(params[0][1], VoidType) else params

    # -- statements ---------------------------------------------------------------------------------------------------

    def call(self, name: str, args: list[Value], state: State) -> Value:
        """Follows a call; @state has what it leaves in memory afterwards."""
        if len(self._calls) > MAX_DEPTH:
            raise TranslationError(f"{name}: calls too deep; recursion is not supported")
        self.followed.add(name)
        function = self.source.functions[name]
        scope: dict[str, str] = {}
        inner = state.fork()
        for (param, kind), arg in zip(self.parameters(name), args, strict=True):
            scope[param] = f"{name}.{param}#{next(self._names)}"
            inner.memory[scope[param]] = convert(arg, kind)
        kind = self.type_of(function.decl.type.type)
        self._calls.append((name, scope))
        ends = self._run(function.body, inner)
        self._calls.pop()
        if "next" in ends:
            if not isinstance(kind, VoidType):
                raise self.error(function, "a path without return")
            add_end(ends, "return", ends.pop("next"))
        if set(ends) != {"return"}:
            raise self.error(function, f"ends by {sorted(ends)}")
        result = ends["return"].memory.pop("return", None)
        # locals end here
        state.memory = {name: value for name, value in ends["return"].memory.items() if name in state.memory}
        return Value(kind) if result is None else result

    def _run(self, node: c_ast.Node | None, state: State) -> Ends:
        if node is None:
            return {"next": state}
        self.statements.add(str(node.coord))
        method = getattr(self, "_run_" + type(node).__name__, None)
        if method is not None:
            return method(node, state)
        self.evaluate(node, state)
        return {"next": state}

    def _run_list(self, nodes: Iterable[c_ast.Node], state: State) -> Ends:
        ends: Ends = {"next": state}
        for node in nodes:
            if "next" not in ends:
                break
            for kind, end in self._run(node, ends.pop("next")).items():
                add_end(ends, kind, end)
        return ends

    def _run_Compound(self, node: c_ast.Compound, state: State) -> Ends:
        name, scope = self._calls[-1]
        self._calls.append((name, dict(scope)))
        ends = self._run_list(node.block_items or (), state)
        self._calls.pop()
        return ends

    def _run_Decl(self, node: c_ast.Decl, state: State) -> Ends:
        kind = self.type_of(node.type, state)
        name, scope = self._calls[-1]
        where = f"{name}.{node.name}#{next(self._names)}"
        # not yet set: anything, so that nothing proven can depend on it
        state.memory[where] = self.fresh(kind, where) if node.init is None else convert(self.evaluate(node.init, state), kind)
        scope[node.name] = where
        return {"next": state}

    def _run_DeclList(self, node: c_ast.DeclList, state: State) -> Ends:
        return self._run_list(node.decls, state)

    def _run_EmptyStatement(self, node: c_ast.EmptyStatement, state: State) -> Ends:
        del node
        return {"next": state}

    def _run_If(self, node: c_ast.If, state: State) -> Ends:
        condition = truth(self.evaluate(node.cond, state))
        if z3.is_true(condition):
            return self._run(node.iftrue, state)
        if z3.is_false(condition):
            return self._run(node.iffalse, state)
        ends = self._run(node.iftrue, state.fork(condition))
        for kind, end in self._run(node.iffalse, state.fork(z3.Not(condition))).items():
            add_end(ends, kind, end)
        return ends

    def _run_Return(self, node: c_ast.Return, state: State) -> Ends:
        if node.expr is not None:
            kind = self.type_of(self.source.functions[self._calls[-1][0]].decl.type.type)
            state.memory["return"] = convert(self.evaluate(node.expr, state), kind)
        return {"return": state}

    def _run_Break(self, node: c_ast.Break, state: State) -> Ends:
        del node
        return {"break": state}

    def _run_Continue(self, node: c_ast.Continue, state: State) -> Ends:
        del node
        return {"continue": state}

    def _run_Switch(self, node: c_ast.Switch, state: State) -> Ends:
        """On a number, which the caller splits into cases."""
        subject = self.evaluate(node.cond, state)
        if not z3.is_bv_value(subject.term):
            raise self.error(node, "switch on what is not a constant")
        start = None
        for index, item in enumerate(node.stmt.block_items):
            if isinstance(item, c_ast.Case):
                label = convert(self.evaluate(item.expr, state), subject.kind)
                if is_number(label.term, subject.term.as_long()):
                    start = index
                    break
            elif isinstance(item, c_ast.Default) and start is None:
                start = index
            elif not isinstance(item, c_ast.Default):
                raise self.error(item, "a statement before the first case")
        if start is None:
            return {"next": state}
        statements = [stmt for item in node.stmt.block_items[start:] for stmt in item.stmts]
        ends = self._run_list(statements, state)
        if "break" in ends:
            add_end(ends, "next", ends.pop("break"))
        return ends

    def _run_For(self, node: c_ast.For, state: State) -> Ends:
        return self._loop(node, node.init, node.cond, node.next, node.stmt, state)

    def _run_While(self, node: c_ast.While, state: State) -> Ends:
        return self._loop(node, None, node.cond, None, node.stmt, state)

    def _loop(self, node: Any, init: Any, cond: Any, step: Any, body: Any, state: State) -> Ends:
        ends: Ends = self._run(init, state)
        here = ends.pop("next")
        leaving: list[State] = []
        function, scope = self._calls[-1]
        before = here.path
        for turn in itertools.count():
            if function in self.cuts:
                self.cuts[function](self, here, scope)
                # what the cut promises holds however many turns it took to get here
                here.path = before
            condition = truth(self.evaluate(cond, here)) if cond is not None else z3.BoolVal(True)
            if z3.is_false(condition):
                leaving.append(here)
                break
            if turn == MAX_TURNS:
                raise self.error(node, f"a loop of more than {MAX_TURNS} turns")
            if not z3.is_true(condition):
                leaving.append(here.fork(z3.Not(condition)))
                here = here.fork(condition)
            after: Ends = {}
            for kind, end in self._run(body, here).items():
                if kind == "break":
                    leaving.append(end)
                else:
                    add_end(after if kind in ("next", "continue") else ends, "next" if kind == "continue" else kind, end)
            if "next" not in after:
                break
            here = after["next"]
            if step is not None:
                self.evaluate(step, here)
        if function in self.exits:
            for state_left in leaving:
                self.exits[function](self, state_left, scope)
        # from the last turn backwards, as each leaves out of what remained of the one before
        for state_left in reversed(leaving):
            ends["next"] = merge(state_left, ends["next"]) if "next" in ends else state_left
        if function in self.cuts:
            # all paths leave the loop, the first of the exits that applies
            ends["next"].path = before
        return ends
