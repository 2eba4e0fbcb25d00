# SPDX-License-Identifier: MIT
"""Drives a client in a guest: builds the two small programs for it, runs one session, and takes its report apart."""

from __future__ import annotations

import functools
import random
import re
import string
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from vm.machine import VM
from vm.paths import BUILD, REPO, locked

HERE = Path(__file__).parent
OUT = BUILD / "clients"
PRELOAD = BUILD / "shim/libbpfcompat-preload.so"


@functools.cache
def build(name: str) -> Path:
    """The static program made of NAME.c."""
    source, out = HERE / f"{name}.c", OUT / name
    with locked("clients"):
        if not out.exists() or out.stat().st_mtime < source.stat().st_mtime:
            OUT.mkdir(parents=True, exist_ok=True)
            temp = out.with_suffix(".new")
            subprocess.run(["gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-static", "-o", temp, source], check=True)
            temp.rename(out)
    return out


@functools.cache
def preload() -> Path:
    """The shim's library, out of this tree."""
    with locked("shim"):
        subprocess.run(["make", "-s", "-C", REPO / "shim/preload", f"OUT={PRELOAD.parent}"], check=True)
    return PRELOAD


@dataclass
class Said:
    """What one program of a session printed, and how it ended."""

    status: int
    stdout: str
    stderr: str

    def rows(self, *starts: object) -> list[list[str]]:
        """The lines of the report whose first words are these, as words."""
        wanted = [str(word) for word in starts]
        rows = [line.split() for line in self.stdout.splitlines()]
        return [row for row in rows if row[: len(wanted)] == wanted]

    def facts(self) -> dict[str, str]:
        """The lines of key=value."""
        return dict(line.split("=", 1) for line in self.stdout.splitlines() if "=" in line)


@dataclass
class Session:
    """The tool of a session and the activity."""

    tool: Said
    activity: Said
    notes: str

    def __str__(self) -> str:
        parts = [
            f"{name}: status {said.status}\n{said.stdout}\n{said.stderr}"
            for name, said in (("tool", self.tool), ("activity", self.activity))
        ]
        return "\n".join([*parts, self.notes])


_SAID = re.compile(r"=== (tool|activity) status (-?\d+)\n=== stdout\n(.*?)\n=== stderr\n(.*?)\n(?==== )", re.S)


def drive(
    vm: VM,
    tool: Sequence[object],
    activity: Sequence[object],
    *,
    native: bool = False,
    in_reach: bool = False,
    last: bool = False,
    seconds: int = 90,
    shell: str = "",
    env: Mapping[str, str] | None = None,
) -> Session:
    """
    One session; natively, or preloaded where bpf(2) is denied (unless `in_reach`). With `last` the tool ends by itself. With
    `shell` the activity is that script, in which $ACT is act.
    """
    command = [str(build("drive")), "-t", str(seconds), *(["-l"] if last else [])]
    command += [*map(str, tool), "--", *(["sh", "-c", shell] if shell else [str(build("act")), *map(str, activity)])]
    given = {**(env or {}), "ACT": str(build("act")), **({} if native else {"DRIVE_PRELOAD": str(preload())})}
    done = vm.run(command, native=native or in_reach, env=given, timeout=seconds * 2 + 60)
    found = [Said(int(status), out, err) for _, status, out, err in _SAID.findall(done.stdout)]
    assert done.returncode == 0 and len(found) == 2, f"{done.stdout}\n{done.stderr}"
    return Session(*found, done.stderr)


def word(length: int = 8) -> str:
    """A fresh name."""
    return "".join(random.choices(string.ascii_lowercase, k=length))


def histogram(lines: Sequence[str]) -> dict[int, int]:
    """Counts by lower bound, of one histogram as libbpf-tools print them."""
    rows = [re.match(r"\s*(\d+) -> \d+\s*: (\d+)\s", line) for line in lines]
    return {int(row.group(1)): int(row.group(2)) for row in rows if row}


def histograms(text: str) -> dict[str, dict[int, int]]:
    """Every histogram of a report, by the line that names it (what stands before it as `name = value`, else "")."""
    found: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if " = " in line and "->" not in line:
            name = line.split(" = ", 1)[1].strip()
        found.setdefault(name, []).append(line)
    return {key: bars for key, lines in found.items() if (bars := histogram(lines))}
