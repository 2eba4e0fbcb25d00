# SPDX-License-Identifier: MIT
"""Programs at every kind of event: what they saw, how often, and that nothing is left when they go.

The same script (attach_cases.py) runs under the module on every kernel, and natively on 6.1. attach_expected.json holds
what Linux 6.1 answered on two CPUs; the native run proves that it still does. To make it again, run natively
    python3 -m vm run -k debian-6.1 --native --no-module -- /usr/bin/python3 tests/guest/attach_cases.py
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from vm_plugin import Guest

from vm.machine import VM

HERE = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((HERE / "attach_expected.json").read_text())
EINVAL = -22


SEEN: dict[tuple[str, bool], dict[str, Any]] = {}


def answers(guest: Guest) -> dict[str, Any]:
    """The script runs once for each side."""
    side = (guest.kernel.name, guest.native)
    if side in SEEN:
        return SEEN[side]
    result = guest.script("attach_cases.py")
    assert result.returncode == 0, result.stderr
    SEEN[side] = json.loads(result.stdout)
    return SEEN[side]


@pytest.mark.parametrize("case", sorted(EXPECTED))
def test_attach(guest: Guest, case: str) -> None:
    answer = answers(guest)[case]
    assert "failed" not in str(answer), answer["failed"]
    assert answer == EXPECTED[case]


def test_own_text_is_refused(guest: Guest) -> None:
    # The kernel's own programs may go there: it does not know what must not be probed.
    assert answers(guest)["module_text"] == (0 if guest.native else EINVAL)


HITTER = "import os\nos.nice(15)\nprint('hitting', flush=True)\nwhile True: os.getpgid(0)"


def test_killed_amid_changes_and_unloaded_under_hits(vm: VM) -> None:
    """The one who attaches and detaches is killed anywhere in that; then the module goes while the function is still called."""
    hitters = [vm.popen(["/usr/bin/python3", "-c", HITTER]) for _ in range(2)]
    try:
        for hitter in hitters:
            hitter.wait_for("hitting")
        for turn in range(2):
            command = ["bpfcompat", "run", "--", "/usr/bin/python3", str(HERE / "attach_cases.py"), "churn"]
            client = vm.popen(command, env={"PYTHONPATH": str(HERE.parent / "unit")})
            client.wait_for("churning", timeout=60)
            time.sleep(0.7 + 0.3 * turn)
            client.kill()
            assert client.wait(30).returncode == -9
            assert vm.unload_module() == []
            vm.load_module()
    finally:
        for hitter in hitters:
            hitter.kill()
            hitter.wait(30)


def test_nmi(guest: Guest) -> None:
    """Programs in an NMI, whatever it interrupted."""
    if not guest.run("ls -d /sys/kernel/*/events/nmi/nmi_handler /sys/kernel/*/*/events/nmi/nmi_handler").stdout:
        pytest.skip("this kernel has no tracepoint nmi:nmi_handler")
    waiting = guest.popen(guest.client(["/usr/bin/python3", str(HERE / "attach_cases.py"), "wait_nmi"]))
    waiting.wait_for(r"ready \[0, 0\]")
    for _ in range(40):
        guest.vm.inject_nmi()
        time.sleep(0.05)
    assert waiting.wait(60).returncode == 0
    assert "hits True True True" in waiting.stdout
