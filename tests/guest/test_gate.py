# SPDX-License-Identifier: MIT
"""The gate itself: what is planted on purpose must fail a run."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vm.kernels import Kernel
from vm.machine import VM, GateError, VMError
from vm.module import kbuild
from vm.paths import BUILD, REPO, locked

SOURCE = Path(__file__).parent / "gate_module"


def gate_module(kernel: Kernel) -> bytes:
    """The planting module, built for this kernel."""
    folder = BUILD / "gate" / kernel.name
    with locked(f"gate-{kernel.name}"):
        folder.mkdir(parents=True, exist_ok=True)
        for file in SOURCE.iterdir():
            copy = folder / file.name
            if file.is_file() and (not copy.exists() or copy.read_bytes() != file.read_bytes()):
                shutil.copy(file, copy)
        kbuild(kernel, folder)
    return (folder / "bpfcompat_gate.ko").read_bytes()


def plant(vm: VM, what: str, timeout: float = 30) -> int:
    """Loads the planting module; returns the loader's status."""
    vm.put("/run/gate.ko", gate_module(vm.kernel))
    return vm.run(["@insmod", "/run/gate.ko", f"plant={what}"], timeout=timeout).returncode


def test_quiet_machine_passes_and_a_planted_warning_fails(kernel: Kernel) -> None:
    """In a machine of its own, because its close is what is tested; the shared one must stay clean."""
    own = VM(kernel, module=False, quiet=True)
    try:
        assert own.run("true").returncode == 0
        assert own.new_complaints() == []
        assert plant(own, "warn") == 0
        with pytest.raises(GateError, match="WARNING:"):
            own.close()
    finally:
        own.kill()


@pytest.mark.no_module
def test_sleeping_in_atomic_context_is_caught(vm: VM) -> None:
    assert plant(vm, "atomic") == 0
    # Without DEBUG_ATOMIC_SLEEP the scheduler itself still says it.
    assert any("scheduling while atomic" in line or "sleeping function" in line for line in vm.new_complaints())
    assert vm.run(["@rmmod", "bpfcompat_gate"]).returncode == 0


def test_an_oops_ends_the_run(kernel: Kernel) -> None:
    own = VM(kernel, module=False, quiet=True)
    try:
        with pytest.raises((VMError, TimeoutError)):
            plant(own, "bug", timeout=20)
        with pytest.raises(GateError, match=r"kernel BUG at|Kernel panic|invalid opcode"):
            own.close()
    finally:
        own.kill()


def test_held_reference_refuses_the_unload(vm: VM) -> None:
    holder = vm.popen("exec 3<>/dev/bpfcompat; echo held; exec sleep 1000")
    holder.wait_for("held")
    found = vm.unload_module(patience=0.5)
    holder.kill()
    assert holder.wait(10).returncode == -9
    assert len(found) == 1
    assert "refuses to unload" in found[0]
    assert vm.module_loaded
    assert vm.unload_module() == []
    vm.load_module()


def test_planted_leak_is_caught_at_unload(vm: VM) -> None:
    assert plant(vm, "leak") == 0
    assert vm.run(["@rmmod", "bpfcompat_gate"]).returncode == 0
    found = vm.unload_module()
    assert found, "64 bytes that were never given back went unnoticed"
    assert any("leak: objects=0" in line and "bytes=64" in line for line in vm.new_complaints())
    if vm.kernel.has("DEBUG_KMEMLEAK"):
        assert len(vm.find_leaks()) == 1
        assert vm.find_leaks() == [], "what was found once is not found again"
    vm.load_module()


def test_command_line_reports_the_gate(kernel: Kernel) -> None:
    """`vm run` ends with the gate's status although the command succeeded."""
    command = [sys.executable, "-m", "vm", "run", "-k", kernel.name, "--no-module", "-q", "--"]
    done = subprocess.run(
        [*command, "sh", "-c", "echo 'WARNING: CPU: 0 PID: 1 at planted' >/dev/kmsg; echo out; exit 0"],
        cwd=REPO, text=True, capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.stdout == "out\n"
    assert done.returncode == 98, done.stderr
    assert "WARNING: CPU: 0 PID: 1 at planted" in done.stderr


@pytest.mark.no_module
def test_bpf_is_denied_and_only_bpf(vm: VM) -> None:
    code = (
        "import ctypes, errno; libc = ctypes.CDLL(None, use_errno=True); a = ctypes.create_string_buffer(128);"
        "print(libc.syscall(321, 0, a, 128), errno.errorcode[ctypes.get_errno()]); print(libc.syscall(39) > 0)"
    )
    result = vm.run([sys.executable, "-c", code]).check()
    assert result.stdout == "-1 ENOSYS\nTrue\n"
