# SPDX-License-Identifier: MIT
"""The kernel's own test of prefix tries, out of Debian's package linux-source-6.1 and built unmodified: it holds a map against
a list that it searches itself, and has several threads at one map."""

from __future__ import annotations

import subprocess
from pathlib import Path

import kernel_verifier as suite
import pytest
from vm_plugin import Guest

from vm.paths import locked


def build() -> Path:
    with locked("suites"):
        folder, program = suite.unpack(), suite.OUT / "test_lpm_map"
        if suite.newer(program, folder / "test_lpm_map.c"):
            include = [f"-I{folder}", f"-I{suite.TREE}/tools/include", f"-I{suite.TREE}/tools/include/uapi"]
            command = ["gcc", "-O2", "-w", *include, "-o", program, folder / "test_lpm_map.c", "-lbpf", "-lpthread"]
            subprocess.run(command, check=True)
    return program


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(2400)
@pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)
def test_prefix_tries(guest: Guest) -> None:
    done = guest.run(guest.client([str(build())]), timeout=2000)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "test_lpm: OK" in done.stdout
