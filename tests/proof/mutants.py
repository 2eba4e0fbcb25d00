# SPDX-License-Identifier: MIT
"""Mutants of the domain's C, made mechanically from its syntax tree. survivors.json explains what is told by nothing else."""

from __future__ import annotations

import copy
import functools
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pycparser import c_ast, c_generator

from proof import csource

SURVIVORS = Path(__file__).with_name("survivors.json")
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


@functools.cache
def mutants() -> tuple[Mutant, ...]:
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
    return tuple(made)


def explained() -> dict[str, str]:
    """Survivors that the solver does not tell apart from wrong ones, each with its reason."""
    return json.loads(SURVIVORS.read_text())
