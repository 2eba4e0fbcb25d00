# SPDX-License-Identifier: MIT
"""Objects printed by the kernel's BTF (show_cases.py): on every kernel, and any at all by the module and natively at once."""

from __future__ import annotations

import pytest
from test_maps import run
from vm_plugin import Guest


def test_show(guest: Guest) -> None:
    run(guest, "show_cases.py", 6)


@pytest.mark.only_kernels(lambda kernel: kernel.name == "debian-6.1")
def test_as_natively(guest: Guest) -> None:
    if not guest.native:
        pytest.skip("one run asks both, the module and the kernel's own bpf(2), and that is the native side's")
    run(guest, "show_cases.py", 8, "compare", timeout=900)
