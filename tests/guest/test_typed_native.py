# SPDX-License-Identifier: MIT
"""Verdicts on well-typed random programs (tests/fuzz/typed): Linux 6.1's bpf(2) and the user-space build, in one machine."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fuzz import soundness

PROGRAMS = 3000


@pytest.mark.only_kernels(lambda kernel: kernel.name == "debian-6.1")
def test_nothing_is_looser(guest: Any, record_property: Any) -> None:
    if not guest.native:
        pytest.skip("compared with the kernel's own bpf(2)")
    done = guest.run([str(soundness.build()), "native", "1", str(PROGRAMS), str(soundness.V3)], timeout=500)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    differences = said.pop("differences")
    record_property("figures", said)
    assert not [one for one in differences if one["ours"] == 0], "accepted here alone"
    assert said["both"] > PROGRAMS / 5
    assert said["neither"] > PROGRAMS / 10
    # bounds that Linux knows better
    assert said["stricter"] <= PROGRAMS / 500, differences
