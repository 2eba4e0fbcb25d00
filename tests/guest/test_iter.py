# SPDX-License-Identifier: MIT
"""Iterators, by the module and natively (iter_cases.py): tasks, files, mappings, objects, elements."""

from __future__ import annotations

from test_maps import run
from vm_plugin import Guest


def test_iterators(guest: Guest) -> None:
    run(guest, "iter_cases.py", 29)
