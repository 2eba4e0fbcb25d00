# SPDX-License-Identifier: MIT
"""The programs of the kernel's selftests that work on maps of sockets, run unmodified, natively too (sockmaps.c)."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kernel_progs as progs
import kernel_verifier as suite
import pytest
from vm_plugin import Guest

from vm.paths import locked


def build() -> Path:
    with locked("suites"):
        target, source = progs.OUT / "sockmaps", progs.HERE / "sockmaps.c"
        if suite.newer(target, source):
            progs.OUT.mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-O1", "-Wall", "-o", target, source, "-lbpf"], check=True)
    return target


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)
def test_sockets_are_copied(guest: Guest) -> None:
    progs.compile_all()
    done = guest.run(guest.client([str(build()), str(progs.OBJECTS)]), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    assert done.stdout.splitlines() == [
        "sockmap: copied by an iterator",
        "sockhash: copied by an iterator",
        "dst_sock_map: copied by a program",
        "dst_sock_hash: copied by a program",
    ]
