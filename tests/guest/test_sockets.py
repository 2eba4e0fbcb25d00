# SPDX-License-Identifier: MIT
"""Programs on sockets and on cgroups' statistics, natively and through the module; scripts inside a machine do the work."""

from __future__ import annotations

import pytest
from test_maps import run
from vm_plugin import Guest


def test_cookies(guest: Guest) -> None:
    run(guest, "sock_cases.py", 6)


def test_cgroup_stats(guest: Guest) -> None:
    """Kernels before 4.18 have none of it, and say so."""
    run(guest, "cgroup_stats_cases.py", 1 if guest.kernel.name.startswith("3.10") else 8)


def test_maps_of_sockets(guest: Guest) -> None:
    run(guest, "sockmap_cases.py", 34)


def test_redirection(guest: Guest) -> None:
    run(guest, "redirect_cases.py", 20)


def test_iterators_over_sockets(guest: Guest) -> None:
    run(guest, "net_iter_cases.py", 20)


def test_cookies_of_connections(guest: Guest) -> None:
    run(guest, "syncookie_cases.py", 9)


@pytest.mark.only_kernels(lambda kernel: all(map(kernel.has, ("DUMMY", "IP_MULTIPLE_TABLES", "IP_ROUTE_MULTIPATH", "IPV6"))))
def test_routes(guest: Guest) -> None:
    run(guest, "fib_cases.py", 7)


def test_options(guest: Guest) -> None:
    if not guest.kernel.is_reference:
        pytest.skip("the kernel has no options for programs; that they are refused is told by test_iterators_over_sockets")
    run(guest, "sockopt_cases.py", 6)
