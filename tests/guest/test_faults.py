# SPDX-License-Identifier: MIT
"""Allocations that fail, one after the other, in every request that makes any (fault_cases.py). On kernels that can do that."""

from __future__ import annotations

import json
import re
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
    # EFAULT is what Linux answers too when the verifier cannot put off a branch.
    allowed = {name: {"EFAULT"} for name in answers if name.startswith("load: ")}
    odd = {name: said for name, (_, said) in answers.items() if set(said) - allowed.get(name, set())}
    assert not odd
    # The kernel's own allocator of memory for code takes no __GFP_NOWARN: Linux's JIT gives the same traces.
    traces = re.findall(r"^[^?\n]*\bmodule_alloc\+", vm.console_text(), re.M)
    assert vm.new_complaints() == ["Call Trace:"] * len(traces)
    untested = [name for name, (failed, _) in answers.items() if not failed]
    assert not untested, "no allocation was made to fail there"
    assert len(answers) >= 35
    assert settled(vm, nothing) == nothing
    assert alive(vm) == nothing
