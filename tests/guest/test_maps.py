# SPDX-License-Identifier: MIT
"""Maps through bpf(2) (map_cases.py) and from programs (map_prog_cases.py): on the module, on every kernel, and on
6.1's own bpf(2)."""

from __future__ import annotations

import json
from pathlib import Path

from vm_plugin import Guest

HERE = Path(__file__).parent


def run(guest: Guest, script: str, least: int) -> None:
    result = guest.script(script)
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = {name: what for name, what in answers.items() if what != "ok"}
    assert not wrong, f"{len(wrong)} of {len(answers)}:\n" + "\n".join(
        f"{name}:\n{what}" for name, what in wrong.items()
    )
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
