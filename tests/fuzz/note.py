# SPDX-License-Identifier: MIT
"""Puts a table of figures between its marks in docs/soundness.md: figures there are written by the commands that measure."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOTE = ROOT / "docs/soundness.md"


def commit() -> str:
    """What was measured: the commit, and whether the verifier differed from it."""
    asked = ["git", "rev-parse", "--short", "HEAD"]
    said = subprocess.run(asked, cwd=ROOT, text=True, capture_output=True, check=True).stdout.strip()
    clean = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "verifier", "kmod/exec"], cwd=ROOT).returncode == 0
    return said if clean else f"{said}, with changes"


def put(mark: str, rows: Sequence[tuple[str, ...]], head: tuple[str, ...] = ("", "")) -> None:
    """Replaces what stands between <!-- mark --> and <!-- /mark -->."""
    table = [head, tuple("---" for _ in head), *rows]
    text = "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in table)
    before = NOTE.read_text()
    after, count = re.subn(rf"(<!-- {mark} -->\n).*?(<!-- /{mark} -->)", lambda m: f"{m[1]}{text}\n{m[2]}", before, flags=re.S)
    if count != 1:
        raise ValueError(f"docs/soundness.md has no place for {mark}")
    NOTE.write_text(after)
