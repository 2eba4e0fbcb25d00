# SPDX-License-Identifier: MIT
"""The programs of the kernel's selftests that iterate over sockets and routes, run unmodified, natively too: they tell
what /proc/net tells (net_iterators.py)."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import kernel_progs as progs
import kernel_verifier as suite
import pytest
from vm_plugin import Guest

from vm.paths import locked

# Old kernels lack fields that they read; and routes of IPv6 that there could be an iterator for.
FIELDS, TARGET = "invalid CO-RE relocation", "failed to find kernel BTF type ID"
READ = ("dump_tcp4", "dump_tcp6", "dump_udp4", "dump_udp6", "dump_unix", "dump_netlink")
OLD = {**dict.fromkeys(READ, FIELDS), "dump_ipv6_route": TARGET}


def build() -> Path:
    with locked("suites"):
        target, source = progs.OUT / "net_iterators", progs.HERE / "net_iterators.c"
        if suite.newer(target, source):
            progs.OUT.mkdir(parents=True, exist_ok=True)
            subprocess.run(["gcc", "-O1", "-Wall", "-o", target, source, "-lbpf"], check=True)
    return target


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)
def test_they_tell_what_proc_tells(guest: Guest) -> None:
    progs.compile_all()
    script = ["/usr/bin/python3", str(progs.HERE / "net_iterators.py"), str(build()), str(progs.OBJECTS)]
    done = guest.run(guest.client(script), timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr[-2000:]
    answers = json.loads(done.stdout)
    lacking = OLD if guest.kernel.name.startswith("3.10") else {}
    assert answers == {name: lacking.get(name, "ok") for name in answers}
    assert len(answers) == 8
