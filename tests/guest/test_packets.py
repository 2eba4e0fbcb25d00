# SPDX-License-Identifier: MIT
"""Helpers on packets in test runs: result and packet as Linux 6.1 gives them (held against it natively)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent


@pytest.mark.parametrize("name", ["packets", "packet_changes"])
def test_packet_helpers(guest: Any, name: str) -> None:
    expected = json.loads((HERE / f"{name}_expected.json").read_text())
    done = guest.script(f"{name}.py")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.keys() == expected.keys()
    assert {name: said[name] for name in said if said[name] != expected[name]} == {}
