# SPDX-License-Identifier: MIT
"""Kernel objects in map values (kptr_cases.py), natively and on the module: who owns one gives it back, once, whatever becomes
of the value; and what is only borrowed is read without harm when it is gone. What is asserted here is what Linux 6.1 does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from test_gate import gate_module
from vm_plugin import Guest

SCRIPT = Path(__file__).with_name("kptr_cases.py")
EACCES, EINVAL, ENOENT, EOPNOTSUPP, ENOTSUPP = -13, -22, -2, -95, -524
# the number beside the pointers, and that they are not shown
READ = [77, True]
GIVEN = [1, 1]
ALWAYS = {
    "created": 0,
    "read": READ,
    "given": GIVEN,
    "given again": [2, 1],
    "read then": READ,
    "written over": [0, 0],
    "given at last": 1,
    "freeze": ENOTSUPP,
    "closed": 0,
}
BY_PROGRAM = {"by a program": [GIVEN, 0, 0]}
HASH = {
    **ALWAYS,
    **BY_PROGRAM,
    "deleted": [GIVEN, 0, 0],
    "taken out": [GIVEN, READ, 0],
    "deleted in a batch": [GIVEN, 0, 0],
    "given when it was deleted": 1,
}
BORROWED = {
    "task": {"none yet": 90, "alive": [True, True, True], "written over": 90},
    "module": {"loaded": 1, "seen": [1, True], "gone": 0},
}
OWNED: dict[str, Any] = {
    "refused": {
        "mapped": ENOTSUPP,
        "for programs to read": EACCES,
        "for programs to write": EACCES,
        "per-CPU hash": EOPNOTSUPP,
        "queue": EINVAL,
    },
    "array": {**ALWAYS, **BY_PROGRAM},
    "hash": HASH,
    "hash, not preallocated": HASH,
    "LRU hash": {**HASH, "evicted": [GIVEN, ENOENT, 0]},
    "per-CPU array": ALWAYS,
}


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_kernel_objects_in_values(guest: Guest, engine: str) -> None:
    if guest.native and engine == "interpreter":
        pytest.skip("the engine is chosen by a parameter of the module, which the native side does not use")
    guest.vm.put("/run/gate.ko", gate_module(guest.kernel))
    command = guest.client(["/usr/bin/python3", str(SCRIPT)])
    if engine == "interpreter":
        switch = "/sys/module/bpfcompat/parameters/jit"
        command = ["sh", "-c", f'echo 0 >{switch}; "$@"; status=$?; echo 1 >{switch}; exit $status', "sh", *command]
    done = guest.run(command, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    if guest.native:
        assert found["owns"]
    answers = found["answers"]
    verdicts = answers.pop("verdicts", {})
    wrong = {name: said for name, said in verdicts.items() if said != "as told"}
    assert not wrong, "\n".join(f"{name}: {said[0]} {said[1]}" for name, said in wrong.items())
    assert answers == ({**BORROWED, **OWNED} if found["owns"] else BORROWED)
    assert not found["owns"] or len(verdicts) > 25
