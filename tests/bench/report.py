# SPDX-License-Identifier: MIT
"""Tables and the plot of the benchmarks, out of their rows."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path
from typing import Any

LIMIT = 1.10


def geomean(ratios: list[float]) -> float:
    """The geometric mean of ratios, all above 0."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def figure(row: dict[str, Any], key: str) -> str:
    if key in row:
        return f"{row[key]:.1f}" if row[key] < 1000 else f"{row[key]:.0f}"
    return row.get(f"{key}_error", "")[:60]


def tables(rows: list[dict[str, Any]]) -> list[tuple[str, list[list[str]], str]]:
    """A title, lines of cells and a closing sentence for each kernel and class."""
    out = []
    for (kernel, kind), group in groupby(rows, lambda row: (row["kernel"], row["class"])):
        part = list(group)
        lines = [["case", "ours", part[0]["rival"], "ratio"]]
        lines += [[r["case"], figure(r, "ours"), figure(r, "other"), f"{r['ratio']:.2f}" if "ratio" in r else ""] for r in part]
        ratios = [r["ratio"] for r in part if r.get("ratio", 0) > 0]
        end = ""
        if ratios:
            above = sum(ratio > LIMIT for ratio in ratios)
            end = f"geometric mean {geomean(ratios):.3f}, {above} of {len(ratios)} above {LIMIT:.2f}"
        out.append((f"{kernel}: {kind}", lines, end))
    return out


def text(rows: list[dict[str, Any]]) -> str:
    out = []
    for title, lines, end in tables(rows):
        width = max(len(line[0]) for line in lines)
        out.append(title)
        out += [f"  {a:{width}} {b:>12} {c:>16} {d:>6}" for a, b, c, d in lines]
        out.append(f"  {end}\n")
    return "\n".join(out)


def write(rows: list[dict[str, Any]], folder: Path) -> None:
    raise NotImplementedError
