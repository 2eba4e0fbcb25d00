# SPDX-License-Identifier: MIT
"""Helpers on packets in test runs: result and packet as Linux 6.1 gives them (held against it natively)."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
EXPECTED = json.loads((HERE / "packets_expected.json").read_text())


def test_packet_helpers(guest: Any) -> None:
    done = guest.run(guest.client([sys.executable, str(HERE / "packets.py")]), timeout=200)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.keys() == EXPECTED.keys()
    assert {name: said[name] for name in said if said[name] != EXPECTED[name]} == {}
