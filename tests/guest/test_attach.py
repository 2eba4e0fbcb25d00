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

HERE = Path(__file__).parent
EXPECTED: dict[str, Any] = json.loads((HERE / "attach_expected.json").read_text())
EINVAL = -22


SEEN: dict[tuple[str, bool], dict[str, Any]] = {}


def answers(guest: Guest) -> dict[str, Any]:
    """The script runs once for each side."""
    side = (guest.kernel.name, guest.native)
    if side in SEEN:
        return SEEN[side]
    result = guest.run(guest.client(["/usr/bin/python3", str(HERE / "attach_cases.py")]), timeout=300)
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
