# SPDX-License-Identifier: MIT
"""What programs do to processes (process_cases.py), by the module and natively: signals, memory, time."""

from __future__ import annotations

import json
from pathlib import Path

from vm_plugin import Guest

HERE = Path(__file__).parent


def test_processes(guest: Guest) -> None:
    result = guest.script("process_cases.py")
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = {name: what for name, what in answers.items() if what != "ok"}
    told = "\n".join(f"{name}:\n{what}" for name, what in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(answers)}:\n{told}\n{result.stderr}"
    assert len(answers) >= 10
