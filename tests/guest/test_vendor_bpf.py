# SPDX-License-Identifier: MIT
"""Kernels that have a bpf(2) of their own, not denied: a client under the shim must never reach it.

CentOS 7.6 and later ship a partial one. A call that went there would give an object that the module knows nothing of, so
every bpf(2) that the kernel itself is asked for is counted while the client runs, by the kernel's own trace of system calls.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from driver import drive, preload, word
from test_own_client import check_report, client

from vm.machine import VM

pytestmark = pytest.mark.only_kernels(lambda kernel: kernel.has_bpf)
TRACING = "/sys/kernel/debug/tracing"
CALLS = f"{TRACING}/events/syscalls/sys_enter_bpf"


def native_calls(vm: VM) -> int:
    """How often the kernel's own bpf(2) was entered since the trace was cleared."""
    return len(re.findall(r": sys_bpf\(", vm.run(["cat", f"{TRACING}/trace"]).check().stdout))


@pytest.fixture
def traced(vm: VM) -> Iterator[VM]:
    """The machine with the kernel's own bpf(2) in reach and every call of it in the trace."""
    vm.run(f"echo 1 >{CALLS}/enable && echo >{TRACING}/trace", check=True)
    try:
        yield vm
    finally:
        vm.run(f"echo 0 >{CALLS}/enable; echo >{TRACING}/trace", check=True)


def test_the_trace_sees_what_the_kernel_is_asked(traced: VM) -> None:
    """The control: without the shim every call is there, the one that asks for nothing sensible too."""
    code = "import ctypes; libc = ctypes.CDLL(None); print([libc.syscall(321, -1, None, 0) for _ in range(7)])"
    assert traced.run(["/usr/bin/python3", "-c", code], native=True).check().stdout == f"{[-1] * 7}\n"
    assert native_calls(traced) == 7


def test_our_client_asks_the_module_alone(traced: VM) -> None:
    env = {"LD_PRELOAD": str(preload())}
    done = traced.run([client(), "20", "3"], native=True, env=env)
    assert done.returncode == 0, done.stderr
    check_report(done.stdout, 20, 3)
    assert native_calls(traced) == 0


def test_a_tool_asks_the_module_alone(traced: VM) -> None:
    name, first, second = word(), word(), word(30)
    path = f"/tmp/{name}"
    done = drive(traced, ["execsnoop", "-x"], ["exec", "ncomm", path, first, second], in_reach=True)
    facts = done.activity.facts()
    assert done.tool.rows(name) == [[name, facts["child"], facts["self"], "0", path, first, second]], str(done)
    assert native_calls(traced) == 0
