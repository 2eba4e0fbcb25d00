# SPDX-License-Identifier: MIT
"""The rows of the benchmarks out of what was measured; tables and the plot out of the rows."""

from __future__ import annotations

import math
from itertools import groupby
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

Row = dict[str, Any]

# Each class: what it is, and what the geometric mean and every single ratio should be at most (None: only told).
CLASSES: dict[str, tuple[str, float | None, float | None]] = {
    "frame": ("a program that returns at once, under PROG_TEST_RUN (what the run times below have had taken off)", None, None),
    "run": ("run time of programs", 1.00, 1.10),
    "events": ("what a program on a hook adds to the system call", 1.00, 1.10),
    "maps": ("maps from user space, a key", 1.05, 1.05),
    "load": ("loading a program", None, None),
    "interp": ("run time of programs, interpreted on both sides", None, None),
    "wall": ("by the clock, from one CPU and from two", None, None),
}
# The other eBPF driver for 3.10 on CentOS 7.3's kernel, which has no guard: a null program on getppid.
GOALS = {"kprobe, null program": 254, "kretprobe, null program": 499}


def rows(kernel: str, kind: str, unit: str, sides: dict[str, dict[str, Any]]) -> list[Row]:
    """A row for each case and each side that ours is held against. A side has a list of figures for a case, or an error."""
    out = []
    ours = sides["ours"]
    for name, other in sides.items():
        if name == "ours":
            continue
        key = "native" if name == "native" else "rival"
        for case in ours:
            if case not in other and key == "rival":
                continue
            row: Row = {"kernel": kernel, "class": kind, "case": case, "against": name, "unit": unit}
            for side, figures in (("ours", ours[case]), (key, other.get(case, "not run"))):
                if isinstance(figures, str):
                    row[f"{side}_error"] = figures
                else:
                    row[side], row[f"{side}_rounds"] = round(min(figures), 2), [round(f, 2) for f in figures]
            if "ours" in row and row.get(key, 0) > 0:
                row["ratio"] = round(row["ours"] / row[key], 4)
            if key == "rival" and case in GOALS:
                row["goal"] = GOALS[case]
            out.append(row)
    return out


def joined(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What was measured in several runs of one commit, as one."""
    commits = {part["commit"] for part in parts}
    if len(commits) > 1:
        raise ValueError(f"of several commits: {', '.join(sorted(commits))}")
    out = {**parts[0], "kernels": {}, "rows": []}
    for part in parts:
        for kernel, facts in part["kernels"].items():
            out["kernels"].setdefault(kernel, {}).update(facts)
        out["rows"] += part["rows"]
    return out


def geomean(ratios: list[float]) -> float:
    """The geometric mean of ratios, all above 0."""
    return math.exp(sum(map(math.log, ratios)) / len(ratios))


def spread(row: Row) -> float:
    """By how much the rounds of a figure differ, at worst."""
    rounds = [row[key] for key in row if key.endswith("_rounds")]
    return max((max(r) / min(r) - 1 for r in rounds if min(r) > 0), default=0.0)


def summary(part: list[Row]) -> str:
    """One line on the rows of a class."""
    ratios = [r["ratio"] for r in part if r.get("ratio", 0) > 0]
    if not ratios:
        return "no ratio"
    _, mean, limit = CLASSES[part[0]["class"]] if part[0]["against"] == "native" else ("", None, 1.0)
    limit = limit or 1.10
    limit = limit or 1.10
    wanted = f" (wanted: {mean:.2f})" if mean else ""
    above = sum(ratio > limit for ratio in ratios)
    worst = max(part, key=lambda r: r.get("ratio", 0))
    text = f"geometric mean {geomean(ratios):.3f}{wanted}, {above} of {len(ratios)} above {limit:.2f}"
    return f"{text}; the worst {worst['ratio']:.2f} ({worst['case']})"


def figure(row: Row, key: str) -> str:
    if key in row:
        return f"{row[key]:.1f}" if row[key] < 1000 else f"{row[key]:.0f}"
    return row.get(f"{key}_error", "").split("\n")[0][:70]


def other(row: Row) -> str:
    return "native" if row["against"] == "native" else "rival"


def groups(all_rows: list[Row]) -> list[list[Row]]:
    """The rows by kernel, class and what they are held against, in the order of the run."""
    return [list(g) for _, g in groupby(all_rows, lambda r: (r["kernel"], r["class"], r["against"]))]


def table(part: list[Row]) -> list[list[str]]:
    """Lines of cells, the first the heading."""
    goal = any("goal" in row for row in part)
    lines = [["case", "ours", part[0]["against"], "ratio", *(["goal"] if goal else [])]]
    for row in part:
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        more = [str(row.get("goal", ""))] if goal else []
        lines.append([row["case"], figure(row, "ours"), figure(row, other(row)), ratio, *more])
    return lines


def text(all_rows: list[Row]) -> str:
    """The tables for a terminal."""
    out = []
    for part in groups(all_rows):
        lines = table(part)
        width = max(len(line[0]) for line in lines)
        out.append(f"{part[0]['kernel']}: {part[0]['class']} ({part[0]['unit']})")
        for name, ours, against, *rest in lines:
            out.append(f"  {name:{width}} {ours:>12} {against:>16} " + " ".join(f"{c:>6}" for c in rest))
        out.append(f"  {summary(part)}\n")
    return "\n".join(out)


HEAD = """# Benchmarks

Made by `make bench` (tests/bench); not edited by hand.

Commit {commit}, {date}; {emulator}, `-icount shift=0`, one CPU: the figures are instructions, and repeat. Native and ours: the
same program and the same script, in the same boot, natively and through the preload library with bpf(2) denied. Statistics
are off, mitigations and the guard against recursion are on, on both sides. Each case proves by a result or by what is in a map
that it did its work. A ratio under 1 says that ours costs less.

"""


def markdown(data: dict[str, Any]) -> str:
    out = [HEAD.format(**data)]
    for name, facts in data["kernels"].items():
        out.append(f"- {name}: {facts.get('version', facts['release'])}; Spectre v2: {facts.get('spectre_v2', 'not asked')}\n")
        if facts.get("SystemTap"):
            out.append(f"- {name}: SystemTap: {facts['SystemTap']}\n")
    out.append("\n![Ratios of ours to native](benchmarks.svg)\n\n| kernel | class | against | |\n|---|---|---|---|\n")
    for part in groups(data["rows"]):
        one = part[0]
        out.append(f"| {one['kernel']} | {one['class']} | {one['against']} | {summary(part)} |\n")
    for part in groups(data["rows"]):
        one = part[0]
        out.append(f"\n## {one['kernel']}, {one['class']}, against {one['against']}\n\n")
        title = CLASSES[one["class"]][0]
        out.append(f"{title[0].upper()}{title[1:]}; {one['unit']}.")
        out.append(f" The rounds of a case differ by {max(map(spread, part)):.1%} at most.\n\n")
        lines = table(part)
        out.append("| " + " | ".join(lines[0]) + " |\n|---|" + "---:|" * (len(lines[0]) - 1) + "\n")
        out += ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines[1:]]
    return "".join(out)


BAR, LEFT, WIDTH, SCALE = 14, 330, 860, 200.0  # pixels; SCALE: those of a factor of two


def svg(all_rows: list[Row]) -> str:
    """Bars on a logarithmic scale around the ratio 1, of all that is held against native."""
    parts = groups([r for r in all_rows if r["against"] == "native" and "ratio" in r])
    height = 40 + sum(BAR * len(part) + 34 for part in parts)
    zero = LEFT + 1.2 * SCALE
    style = "text{font:11px sans-serif}.t{font-weight:bold}.l{text-anchor:end}"
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" viewBox="0 0 {WIDTH} {height}">',
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>',
    ]
    for mark in (0.5, 0.75, 1.0, 1.1, 1.5, 2.0):
        x = zero + SCALE * math.log2(mark)
        colour = "#000" if mark == 1 else "#bbb"
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="20" y2="{height}" stroke="{colour}"/>')
        out.append(f'<text x="{x:.1f}" y="14" text-anchor="middle">{mark:g}</text>')
    y = 30
    for part in parts:
        y += 18
        title = f"{part[0]['kernel']}: {part[0]['class']}, geometric mean {geomean([r['ratio'] for r in part]):.3f}"
        out.append(f'<text class="t" x="8" y="{y}">{escape(title)}</text>')
        y += 6
        for row in part:
            end = zero + SCALE * max(-1.2, min(1.4, math.log2(row["ratio"])))
            colour = "#2a7" if row["ratio"] <= 1 else "#da3" if row["ratio"] <= 1.10 else "#c33"
            left, size = min(zero, end), max(abs(end - zero), 0.5)
            out.append(f'<text class="l" x="{LEFT - 10}" y="{y + 10}">{escape(row["case"][:52])}</text>')
            out.append(f'<rect x="{left:.1f}" y="{y + 2}" width="{size:.1f}" height="{BAR - 4}" fill="{colour}"/>')
            out.append(f'<text x="{max(zero, end) + 5:.1f}" y="{y + 11}">{row["ratio"]:.2f}</text>')
            y += BAR
        y += 10
    return "\n".join([*out, "</svg>", ""])


def write(data: dict[str, Any], folder: Path) -> None:
    """The table and the plot."""
    folder.mkdir(exist_ok=True)
    (folder / "benchmarks.md").write_text(markdown(data))
    (folder / "benchmarks.svg").write_text("<!-- SPDX-License-Identifier: MIT -->\n" + svg(data["rows"]))
