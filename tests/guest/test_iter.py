# SPDX-License-Identifier: MIT
"""Iterators, by the module and natively (iter_cases.py): tasks, files, mappings, objects, elements."""

from __future__ import annotations

import json
from pathlib import Path

from vm_plugin import Guest

HERE = Path(__file__).parent


def test_iterators(guest: Guest) -> None:
    result = guest.script("iter_cases.py")
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = {name: what for name, what in answers.items() if what != "ok"}
    told = "\n".join(f"{name}:\n{what}" for name, what in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(answers)}:\n{told}\n{result.stderr}"
    assert len(answers) >= 29
