# SPDX-License-Identifier: MIT
"""Objects printed by the kernel's BTF (show_cases.py): on every kernel, and any at all by the module and natively at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from vm_plugin import Guest

from vm.machine import Result

HERE = Path(__file__).parent


def check(result: Result, cases: int) -> None:
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = "\n".join(f"{name}:\n{what}" for name, what in answers.items() if what != "ok")
    assert not wrong, wrong
    assert len(answers) >= cases


def test_show(guest: Guest) -> None:
    check(guest.script("show_cases.py"), 6)


@pytest.mark.only_kernels(lambda kernel: kernel.name == "debian-6.1")
def test_as_natively(guest: Guest) -> None:
    if not guest.native:
        pytest.skip("one run asks both, the module and the kernel's own bpf(2), and that is the native side's")
    check(guest.script("show_cases.py", "compare", timeout=900), 8)
