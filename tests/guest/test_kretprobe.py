# SPDX-License-Identifier: MIT
"""Return probes where functions return late, never, nested, or in strange places; and the module's unload meanwhile.

The same script (kretprobe_cases.py) runs under the module on every kernel, and natively on 6.1. kretprobe_expected.json holds
what Linux 6.1 answered on two CPUs; the native run proves that it still does. To make it again, run natively
    python3 -m vm run -k debian-6.1 --native --no-module -- /usr/bin/python3 tests/guest/kretprobe_cases.py
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from vm_plugin import Guest

from vm.kernels import Kernel
from vm.machine import VM

HERE = Path(__file__).parent
SCRIPT = ["/usr/bin/python3", str(HERE / "kretprobe_cases.py")]
EXPECTED: dict[str, Any] = json.loads((HERE / "kretprobe_expected.json").read_text())
SEEN: dict[tuple[str, bool], dict[str, Any]] = {}


def is_late(kernel: Kernel) -> bool:
    """Whether it catches returns by rethook: no probes at locks, interrupts and the idle loop, and returns let the module go."""
    return kernel.has("KRETPROBE_ON_RETHOOK")


def answers(guest: Guest) -> dict[str, Any]:
    """The script runs once for each side."""
    side = (guest.kernel.name, guest.native)
    if side not in SEEN:
        result = guest.run(guest.client(SCRIPT), timeout=400)
        assert result.returncode == 0, result.stderr
        SEEN[side] = json.loads(result.stdout)
    return SEEN[side]


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_kretprobe(guest: Guest, case: str) -> None:
    answer = answers(guest)[case]
    assert "failed" not in str(answer), answer["failed"]
    assert answer == EXPECTED[case]


def wake(vm: VM, pid: str, mark: str) -> None:
    """The sleeper wakes, in whatever its function returns to now, and says so."""
    assert vm.run(f"cat {mark}").returncode
    vm.run(f"kill -USR1 {pid}", check=True)
    for _ in range(100):
        if vm.run(f"cat {mark}").stdout == "returned":
            break
        time.sleep(0.1)
    assert vm.run(f"cat {mark}").stdout == "returned"


@pytest.mark.parametrize("over", [False, True], ids=["", "kernel's own over it"])
def test_unload_while_one_has_not_returned(vm: VM, over: bool) -> None:
    """Either the module goes and the sleeper returns without it, or it can't go before."""
    mark = f"/tmp/returned{over:d}"
    if over:
        # first, since the last one that comes to a function is called first there
        vm.run([*SCRIPT, "over", "1"], check=True)
    client = vm.popen(["bpfcompat", "run", "--", *SCRIPT, "sleeper", mark])
    pid = client.wait_for(r"asleep (\d+)", timeout=60).group(1)
    assert client.wait(60).returncode == 0
    in_use = vm.run("rmmod bpfcompat").returncode != 0
    assert in_use == (over and not is_late(vm.kernel))
    wake(vm, pid, mark)
    if over:
        vm.run([*SCRIPT, "over", "0"], check=True)
    if not in_use:
        vm.load_module()
    assert vm.unload_module() == []
    vm.load_module()


def test_strange_places(guest: Guest) -> None:
    """Locks, interrupts, the idle loop, NMIs, context switches, exits: probes there may be refused or miss, and harm nothing."""
    if guest.native or is_late(guest.kernel):
        pytest.skip("Linux 6.1 refuses probes at locks, interrupts and the idle loop itself: nothing of ours runs there")
    command = guest.popen(guest.client([*SCRIPT, "strange"]))
    command.wait_for("all", timeout=400)
    for _ in range(10):
        guest.vm.inject_nmi()
        time.sleep(0.05)
    assert command.wait(120).returncode == 0
    hit = command.wait_for(r"hit (.*)").group(1).split()
    assert {"_raw_spin_lock_irqsave", "irq_enter", "default_idle", "schedule", "do_exit"} <= set(hit)
