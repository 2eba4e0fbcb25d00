# SPDX-License-Identifier: MIT
"""Programs on sockets and on cgroups' statistics, natively and through the module; scripts inside a machine do the work."""

from __future__ import annotations

from test_maps import run
from vm_plugin import Guest


def test_cookies(guest: Guest) -> None:
    run(guest, "sock_cases.py", 4)


def test_cgroup_stats(guest: Guest) -> None:
    run(guest, "cgroup_stats_cases.py", 1)
