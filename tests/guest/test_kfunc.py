# SPDX-License-Identifier: MIT
"""Calls of kernel functions by their BTF (kfunc_cases.py), natively and on the module, by generated code and by the interpreter:
the same answers, and those that are told here."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from vm_plugin import Guest

SCRIPT = Path(__file__).with_name("kfunc_cases.py")
EINVAL, EACCES, EPROTO, EBADF = -22, -13, -71, -9
EXPECTED: dict[str, Any] = {
    "object": 42 + 108,
    "walked": 108,
    "memory": 42 + 108,
    "memory read": 42 + 108,
    "memory too large": 1,
    "context": 0,
    "sum": 0x108,  # 0xffffffff + 2 + 3 + 4
    "sum of two": 15,
    "given back twice": [EINVAL, "arg#0 pointer type STRUCT prog_test_ref_kfunc must point to scalar, or struct with scalar"],
    "not given back": [EINVAL, "Unreleased reference id=2 alloc_insn=4"],
    "no licence": [EINVAL, "cannot call kernel function from non-GPL compatible program"],
    "other function": [EACCES, "calling kernel function do_exit is not allowed"],
    "no fds": [EPROTO, "failed to find BTF for kernel function"],
    "no such fd": [EBADF, "failed to find BTF for kernel function"],
    "not a module's": [EINVAL, "failed to find BTF for kernel function"],
    "negative": [EINVAL, "failed to find BTF for kernel function"],
    "destructive": 0,
    "weak, reached": [EINVAL, "invalid kernel function call not eliminated in verifier pass"],
    "weak, not reached": 0,
    "no function": [EINVAL, "kernel btf_id 1 is not a function"],
    "ticks": [0, 0],
}
NEED_SOCKET = ("sum", "sum of two")  # test runs on the module have none
ALWAYS = {"weak, reached", "weak, not reached", "no function", "ticks"}


@pytest.mark.parametrize("engine", ["jit", "interpreter"])
def test_kernel_functions(guest: Guest, engine: str) -> None:
    if guest.native and engine == "interpreter":
        pytest.skip("the engine is chosen by a parameter of the module, which the native side does not use")
    command = guest.client(["/usr/bin/python3", str(SCRIPT)])
    if engine == "interpreter":
        switch = "/sys/module/bpfcompat/parameters/jit"
        command = ["sh", "-c", f'echo 0 >{switch}; "$@"; status=$?; echo 1 >{switch}; exit $status', "sh", *command]
    done = guest.run(command, timeout=200)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    if guest.native:
        assert found["there"]
    wanted = EXPECTED if found["there"] else {name: EXPECTED[name] for name in ALWAYS}
    if found["there"] and not guest.native:
        wanted = {**wanted, **dict.fromkeys(NEED_SOCKET, 99)}
    assert found["answers"] == wanted
