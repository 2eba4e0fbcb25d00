# SPDX-License-Identifier: MIT
"""Which helpers each program type may call: the verifier's table against what bpftool's probe finds on Linux 6.1 itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from verifier_lib import func_name, lib

TYPES = {
    "socket_filter": 1, "kprobe": 2, "sched_cls": 3, "tracepoint": 5, "xdp": 6, "perf_event": 7, "cgroup_skb": 8,
    "cgroup_sock": 9, "raw_tracepoint": 17, "raw_tracepoint_writable": 24,
}  # fmt: skip
MISSING: set[str] = set()  # what the verifier has no rules for yet
HIGHEST = 211  # the last helper of 6.1: cgrp_storage came later


def ours(prog_type: int) -> set[str]:
    return {f"bpf_{func_name(number)}" for number in range(1, HIGHEST + 1) if lib.bcu_type_has_helper(prog_type, number)}


@pytest.mark.full
@pytest.mark.timeout(900)
def test_each_type_has_the_helpers_of_linux(guest: Any) -> None:
    if not guest.native:
        pytest.skip("our table is held against what Linux 6.1 answers natively, and the module's is the same one")
    done = guest.run(["bpftool", "-j", "feature", "probe", "kernel", "full"], timeout=800)
    native = json.loads(done.stdout)["helpers"]
    for name, number in TYPES.items():
        allowed = set(native[f"{name}_available_helpers"])
        assert len(allowed) > 50
        assert ours(number) <= allowed, f"{name}: not on Linux: {sorted(ours(number) - allowed)}"
        assert allowed - ours(number) <= MISSING, f"{name}: on Linux alone: {sorted(allowed - ours(number) - MISSING)}"
