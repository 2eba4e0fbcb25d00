# SPDX-License-Identifier: MIT
"""Random programs at speed by interpreter and generated code of every kind: a short run of tests/fuzz/differ.py."""

from __future__ import annotations

from fuzz import differ


def test_engines_agree() -> None:
    figures, printed = differ.compare(1, 20_000)
    assert not figures["problems"], printed
    assert figures["programs"] == 20_000
    assert figures["kinds"] == 6
    assert figures["verified"] > 2_000
    # No instruction is left out.
    assert figures["instructions"] == figures["of"] > 150
    assert figures["runs"] >= 7 * figures["programs"]


def test_a_difference_is_noticed() -> None:
    figures, printed = differ.compare(1, 100, "spoil")
    assert figures["problems"] >= 10
    assert "seed 1, jit: " in printed
    assert "register 0: " in printed
