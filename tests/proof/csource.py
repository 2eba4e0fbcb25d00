# SPDX-License-Identifier: MIT
"""Reads the C of the abstract domain: preprocessed by gcc, parsed by pycparser, and the list of what is to be proven."""

from __future__ import annotations

import functools
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pycparser import CParser, c_ast

REPO = Path(__file__).resolve().parents[2]
VERIFIER = REPO / "verifier"
HEADER = VERIFIER / "internal.h"
SECTION = "/* ---- the abstract domain"

# The standard of the user-space build (verifier/user/bpfcompat_verifier), and GNU words that the parser does not know made void:
# they stand in headers of the C library only, but for typeof, which has C23's name for the parser.
PREPROCESS = [
    *("gcc", "-E", "-std=gnu89", "-DBC_TRACE", f"-I{REPO}", "-D__attribute__(x)=", "-D__extension__=", "-D__restrict="),
    *("-D__inline=inline", "-D__inline__=inline", "-D__asm__(x)=", "-D__builtin_va_list=void *", "-D__signed__=signed"),
    *("-D__volatile__=volatile", "-D__typeof__=typeof"),
]


class SourceError(Exception):
    """The C is not what this reader takes."""


@dataclass(frozen=True)
class Source:
    """What the files define: functions by name with their file, structs, typedefs; and the functions of the domain's section."""

    functions: dict[str, c_ast.FuncDef]
    file_of: dict[str, str]
    structs: dict[str, c_ast.Struct]
    typedefs: dict[str, c_ast.Node]
    domain: list[str]
    stand_in: Callable[..., Any] | None = None  # for an obligation's calls, which then are not followed

    def with_function(self, name: str, changed: c_ast.FuncDef) -> Source:
        """The same but for one function."""
        return replace(self, functions={**self.functions, name: changed})

    def standing_in(self, stand_in: Callable[..., Any]) -> Source:
        """The same with the calls that obligations are about not followed: @stand_in makes up what comes of them."""
        return replace(self, stand_in=stand_in)


def parse(path: Path) -> c_ast.FileAST:
    done = subprocess.run([*PREPROCESS, str(path)], text=True, capture_output=True, cwd=REPO)
    if done.returncode:
        raise SourceError(done.stderr)
    return CParser(dialect="c23").parse(done.stdout, str(path))


def section_lines() -> tuple[int, int]:
    """First and last line of the section of internal.h that declares the domain."""
    lines = HEADER.read_text().splitlines()
    starts = [number for number, line in enumerate(lines, 1) if line.startswith("/* ---- ")]
    begin = next((number for number in starts if lines[number - 1].startswith(SECTION)), None)
    if begin is None:
        raise SourceError(f"{HEADER}: no section {SECTION}")
    return begin, next((number for number in starts if number > begin), len(lines))


def files_defining(names: list[str]) -> list[Path]:
    """Those files of verifier/ in which any of the functions is defined."""
    start = re.compile(r"^\w[\w\s*]*\b(" + "|".join(map(re.escape, names)) + r")\([^;]*$", re.M)
    return [path for path in sorted(VERIFIER.glob("*.c")) if start.search(path.read_text())]


@functools.cache
def load() -> Source:
    begin, end = section_lines()
    header = parse(HEADER)
    domain = [
        node.name
        for node in header.ext
        if isinstance(node, c_ast.Decl)
        and isinstance(node.type, c_ast.FuncDecl)
        and Path(node.coord.file).resolve() == HEADER
        and begin <= node.coord.line < end
    ]
    functions: dict[str, c_ast.FuncDef] = {}
    file_of: dict[str, str] = {}
    structs: dict[str, c_ast.Struct] = {}
    typedefs: dict[str, c_ast.Node] = {}
    for path in files_defining(domain):
        for node in parse(path).ext:
            if isinstance(node, c_ast.Typedef):
                typedefs[node.name] = node.type
            elif isinstance(node, c_ast.Decl) and isinstance(node.type, c_ast.Struct) and node.type.decls:
                structs[node.type.name] = node.type
            elif isinstance(node, c_ast.FuncDef) and Path(node.coord.file).name == path.name:
                if node.decl.name in functions:
                    raise SourceError(f"{node.decl.name} is defined in {path.name} and in {file_of[node.decl.name]}")
                functions[node.decl.name] = node
                file_of[node.decl.name] = path.name
    missing = [name for name in domain if name not in functions]
    if missing:
        raise SourceError("declared and not defined: " + ", ".join(missing))
    return Source(functions, file_of, structs, typedefs, domain)
