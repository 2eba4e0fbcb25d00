# SPDX-License-Identifier: MIT
"""The tables and the plot of the benchmarks, out of figures made up here."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
from bench import report


def sample() -> list[dict[str, Any]]:
    sides = {
        "ours": {
            "fast": [50.0, 50.5],
            "slow <64>": [121.0, 120.0],
            "broken": "AssertionError: returned 1, not 0",
            "alone": [7.0],
        },
        "native": {"fast": [100.0, 100.0], "slow <64>": [100.0, 100.0], "broken": [9.0]},
    }
    return report.rows("debian", "run", "instructions", sides)


def test_a_row_has_the_best_of_its_rounds_and_their_ratio() -> None:
    fast, slow, broken, alone = sample()
    assert (fast["ours"], fast["native"], fast["ratio"], fast["unit"]) == (50.0, 100.0, 0.5, "instructions")
    assert slow["ratio"] == pytest.approx(1.2)
    assert "ratio" not in broken and broken["ours_error"].startswith("AssertionError") and broken["native"] == 9.0
    assert "ratio" not in alone and alone["native_error"] == "not run"


def test_a_rivals_case_that_it_does_not_have_makes_no_row_and_goals_stand_beside() -> None:
    sides = {"ours": {"kprobe, null program": [200.0], "other": [1.0]}, "SystemTap": {"kprobe, null program": [400.0]}}
    (row,) = report.rows("3.10", "events", "instructions", sides)
    assert (row["ours"], row["rival"], row["against"], row["ratio"], row["goal"]) == (200.0, 400.0, "SystemTap", 0.5, 254)
    assert report.table([row])[0][-1] == "goal" and report.table([row])[1][-1] == "254"


def test_the_summary_has_the_geometric_mean_and_counts_what_is_above_the_limit() -> None:
    text = report.summary(sample())
    assert report.geomean([0.5, 2.0]) == pytest.approx(1.0)
    assert f"geometric mean {(0.5 * 1.2) ** 0.5:.3f}" in text
    assert "1 of 2 above 1.10" in text and "the worst 1.20 (slow <64>)" in text
    assert report.summary([]) == "no ratio"


def test_rounds_that_differ_are_told() -> None:
    assert report.spread(sample()[0]) == pytest.approx(0.01)


def test_table_and_plot_are_written(tmp_path: Path) -> None:
    data = {
        "commit": "0123456789ab",
        "date": "2026-01-01",
        "emulator": "QEMU 7",
        "kernels": {"debian": {"release": "6.1", "version": "Linux version 6.1.0", "spectre_v2": "Retpolines"}},
        "rows": sample(),
    }
    report.write(data, tmp_path)
    text = (tmp_path / "benchmarks.md").read_text()
    assert "0123456789ab" in text and "Linux version 6.1.0" in text and "| fast | 50.0 | 100.0 | 0.50 |" in text
    assert "AssertionError: returned 1" in text
    root = ET.fromstring((tmp_path / "benchmarks.svg").read_text())
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert "slow <64>" in words and "1.20" in words and "broken" not in words
    bars = [node for node in root.iter("{http://www.w3.org/2000/svg}rect") if node.get("height") != "100%"]
    assert len(bars) == 2 and bars[0].get("fill") != bars[1].get("fill")
    assert float(bars[0].get("width", 0)) == pytest.approx(report.SCALE, abs=0.1)  # half is a factor of two


def test_runs_are_joined_of_one_commit_only() -> None:
    one = {"commit": "a", "kernels": {"x": {"release": "1"}}, "rows": sample()[:1]}
    two = {"commit": "a", "kernels": {"y": {"release": "2"}}, "rows": sample()[1:]}
    both = report.joined([one, two])
    assert both["rows"] == sample() and set(both["kernels"]) == {"x", "y"}
    with pytest.raises(ValueError, match="several commits"):
        report.joined([one, {**two, "commit": "b"}])
