# SPDX-License-Identifier: MIT
"""Pytest plugin: puts the parts of the proofs' table together after the run, prints it, and writes build/proof.json."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

BUILD = Path(__file__).resolve().parents[2] / "build"
PARTS = BUILD / "proof"
REPORT = BUILD / "proof.json"
_started = time.time()


def table(rows: list[dict[str, Any]]) -> list[str]:
    lines = []
    for row in rows:
        proven = "proven" if row["proven"] else "NOT PROVEN"
        lines.append(f"{row['operation']:<60} {row['width']:>3} bits  {proven:<10} {row['seconds']:7.2f} s")
        lines += [f"    {reason}" for reason in row["failed"]]
    return lines


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    parts = sorted(path for path in PARTS.glob("*.json") if path.stat().st_mtime >= _started) if PARTS.exists() else []
    if not parts or hasattr(config, "workerinput"):
        return
    rows = [row for path in parts for row in json.loads(path.read_text())]
    seconds = round(sum(row["seconds"] for row in rows), 1)
    proven = sum(row["proven"] for row in rows)
    whole = {"groups": [path.stem for path in parts], "proven": proven, "of": len(rows), "seconds": seconds, "table": rows}
    REPORT.write_text(json.dumps(whole, indent=1) + "\n")
    terminalreporter.section("proofs of the abstract domain")
    for line in table(rows):
        terminalreporter.line(line)
    terminalreporter.line(f"{proven} of {len(rows)} proven, {sum(row['claims'] for row in rows)} claims, {seconds} s")
