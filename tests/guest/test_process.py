# SPDX-License-Identifier: MIT
"""What programs do to processes (process_cases.py), by the module and natively: signals, memory, time."""

from __future__ import annotations

from test_maps import run
from vm_plugin import Guest


def test_processes(guest: Guest) -> None:
    run(guest, "process_cases.py", 10)
