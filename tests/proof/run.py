# SPDX-License-Identifier: MIT
"""Runs the proofs: `python -m proof.run [WORD...]` in tests/ proves what has a word in its name (without: all), with a table."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable
from typing import Any

from pycparser import c_ast

from proof import csource
from proof.cvalue import TranslationError
from proof.obligations import bounds, tnums
from proof.obligations_finds import finds
from proof.obligations_ops import jumps, operations, scalars
from proof.prove import Obligation, Result, discharge, prove_products
from proof.report import PARTS, table

GROUPS: dict[str, Callable[[], list[Obligation]]] = {
    "tnums": tnums,
    "bounds": bounds,
    "scalars": scalars,
    "operations": operations,
    "jumps": jumps,
    "finds": finds,
}


def is_long(obligation: Obligation) -> bool:
    """Left to the full run: what deductions through all of bc_bounds_sync achieve."""
    return obligation.kind == "exact" and "equal" in obligation.name


def row(result: Result) -> dict[str, Any]:
    return {
        "operation": result.name,
        "function": result.function,
        "width": result.width,
        "proven": result.proven,
        "seconds": result.seconds,
        "claims": result.goals,
        "failed": result.failed,
    }


def prove_group(name: str, full: bool) -> list[Result]:
    """Proves a group and leaves its part of the table for the report."""
    source = csource.load()
    results = prove_products() if name == "operations" else []
    results += [discharge(one, source) for one in GROUPS[name]() if full or not is_long(one)]
    PARTS.mkdir(parents=True, exist_ok=True)
    (PARTS / f"{name}.json").write_text(json.dumps([row(result) for result in results], indent=1) + "\n")
    return results


def statements(node: c_ast.Node | None) -> Iterable[c_ast.Node]:
    """The statements of a function, those within others too."""
    if node is None:
        return
    yield node
    if isinstance(node, c_ast.Compound):
        inner = list(node.block_items or ())
    elif isinstance(node, c_ast.If):
        inner = [node.iftrue, node.iffalse]
    elif isinstance(node, c_ast.For | c_ast.While):
        inner = [node.stmt]
    elif isinstance(node, c_ast.Switch):
        inner = [stmt for item in node.stmt.block_items for stmt in item.stmts]
    else:
        inner = []
    for child in inner:
        yield from statements(child)


def without_proof(source: csource.Source) -> list[str]:
    """What the C has and no obligation speaks of: functions of the domain, and any function or statement that none follows."""
    own, followed, reached = set(), set(), set()
    for obligation in (one for group in GROUPS.values() for one in group()):
        own.add(obligation.function)
        machine = obligation.build(source).machine
        followed |= machine.followed
        reached |= machine.statements
    found = [f"{name}: declared in the domain's section, without an obligation" for name in source.domain if name not in own]
    found += [f"{name}: in {source.file_of[name]}, followed by no proof" for name in source.functions if name not in followed]
    for function in source.functions.values():
        found += [f"{stmt.coord}: reached by no proof" for stmt in statements(function.body) if str(stmt.coord) not in reached]
    return found


def main(words: list[str]) -> int:
    source = csource.load()
    failed = 0
    for group in GROUPS.values():
        for obligation in group():
            if words and not any(word in obligation.name for word in words):
                continue
            try:
                result = discharge(obligation, source)
            except TranslationError as error:
                result = Result(obligation.name, obligation.function, obligation.width, False, 0.0, 0, [str(error)])
            failed += not result.proven
            print(*table([row(result)]), sep="\n", flush=True)
            if result.model:
                print(result.model)
    return failed != 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
