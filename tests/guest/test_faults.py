# SPDX-License-Identifier: MIT
"""Allocations that fail, one after the other, in every request that makes any (fault_cases.py). On kernels that can do that."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from test_objects import alive, settled

from vm.machine import VM

HERE = Path(__file__).parent


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: kernel.has("FAILSLAB") and kernel.has("FAULT_INJECTION_DEBUG_FS"))
def test_every_allocation_failing(vm: VM) -> None:
    """The answer is ENOMEM, or success where the memory was not needed; nothing stays, and the kernel's log is clean."""
    nothing = {"maps": 0, "progs": 0, "links": 0, "btfs": 0}
    assert settled(vm, nothing) == nothing
    command = ["bpfcompat", "run", "--", "/usr/bin/python3", str(HERE / "fault_cases.py")]
    result = vm.run(command, env={"PYTHONPATH": str(HERE.parent / "unit")}, timeout=500)
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    odd = {name: answers for name, (_, answers) in answers.items() if answers}
    assert not odd
    untested = [name for name, (failed, _) in answers.items() if not failed]
    assert not untested, "no allocation was made to fail there"
    assert len(answers) >= 35
    assert settled(vm, nothing) == nothing
    assert alive(vm) == nothing
