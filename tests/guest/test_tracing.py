# SPDX-License-Identifier: MIT
"""Programs of type TRACING: at the entry and the return of functions, and at tracepoints with the types of their arguments.

The same script (tracing_cases.py) runs under the module on every kernel, and natively on 6.1. tracing_expected.json holds
what Linux 6.1 answered; the native run proves that it still does. To make it again:
    python3 -m vm run -k debian-6.1 --native --no-module -- \\
        /usr/bin/python3 tests/guest/tracing_cases.py > tests/guest/tracing_expected.json
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vm_plugin import Guest

HERE = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((HERE / "tracing_expected.json").read_text())
SEEN: dict[tuple[str, bool], dict[str, Any]] = {}


def answers(guest: Guest) -> dict[str, Any]:
    """The script runs once for each side."""
    side = (guest.kernel.name, guest.native)
    if side not in SEEN:
        result = guest.script("tracing_cases.py")
        assert result.returncode == 0, result.stderr
        SEEN[side] = json.loads(result.stdout)
    return SEEN[side]


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_tracing(guest: Guest, case: str) -> None:
    answer = answers(guest)[case]
    assert "failed" not in str(answer), answer["failed"]
    assert answer == EXPECTED[case]
