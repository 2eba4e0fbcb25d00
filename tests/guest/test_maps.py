# SPDX-License-Identifier: MIT
"""Maps through bpf(2) (map_cases.py) and from programs (map_prog_cases.py): on the module, on every kernel, and on
6.1's own bpf(2)."""

from __future__ import annotations

import json

from vm_plugin import Guest


def run(guest: Guest, script: str, least: int, *args: str, timeout: float = 400) -> None:
    """Runs a script of cases (casework.py): so many at least, and all as they should be."""
    result = guest.script(script, *args, timeout=timeout)
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = [f"{name}:\n{what}" for name, what in answers.items() if what != "ok"]
    assert not wrong, "\n".join([f"{len(wrong)} of {len(answers)}:", *wrong, result.stderr[-2000:]])
    assert len(answers) >= least


def test_maps(guest: Guest) -> None:
    run(guest, "map_cases.py", 44)


def test_maps_in_programs(guest: Guest) -> None:
    run(guest, "map_prog_cases.py", 18)


def test_maps_in_maps(guest: Guest) -> None:
    run(guest, "map_of_maps_cases.py", 18)


def test_bloom_filters(guest: Guest) -> None:
    run(guest, "bloom_cases.py", 4)


def test_prefix_tries(guest: Guest) -> None:
    run(guest, "lpm_cases.py", 8)


def test_timers(guest: Guest) -> None:
    run(guest, "timer_cases.py", 14)


def test_storage(guest: Guest) -> None:
    run(guest, "storage_cases.py", 4)


def test_storage_of_objects(guest: Guest) -> None:
    run(guest, "local_storage_cases.py", 18)


def test_pinned_objects(guest: Guest) -> None:
    run(guest, "pin_cases.py", 11)
