# SPDX-License-Identifier: MIT
"""`make module` and `make install`, as README tells a user of a machine of one's own: what they lay down works by itself."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from vm.machine import VM
from vm.paths import BUILD, REPO, locked

# Everything of the harness that would lead to the source tree's own command is left out.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def installed(vm: VM) -> Path:
    """Built for this kernel and installed into a folder of its own, by make alone."""
    out = BUILD / "install" / vm.kernel.name
    env = {key: value for key, value in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "CC")}
    with locked("make-module"):
        for target in ([f"KDIR={vm.kernel.build}", "module"], ["shim"], [f"DESTDIR={out}", "install"]):
            done = subprocess.run(["make", *target], cwd=REPO, env=env, text=True, capture_output=True)
            assert done.returncode == 0, f"make {' '.join(target)}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return out


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.no_module
def test_what_was_installed_runs_a_client(vm: VM) -> None:
    out = installed(vm)
    modules = list((out / "lib/modules").rglob("bpfcompat.ko"))
    assert [str(path.relative_to(out)) for path in modules] == [f"lib/modules/{vm.kernel.release}/extra/bpfcompat.ko"]
    lines = [
        # From the shared file system old kernels cannot load a module.
        f"cp {modules[0]} /run/installed.ko",
        f"mount --bind {out}/usr/local /usr/local",
        "insmod /run/installed.ko",
        "bpfcompat doctor; echo doctor=$?",
        "bpfcompat run -- bpftool prog show; echo client=$?",
        "bpfcompat status | head -1",
        "umount /usr/local",
        "rmmod bpfcompat",
    ]
    done = vm.run("\n".join(lines), env={"PATH": PATH, "PYTHONPATH": ""}, timeout=180)
    # Without type information, which this kernel may lack and nobody loaded here, the doctor says 1.
    assert re.search(r"^doctor=[01]$", done.stdout, re.M), done
    assert "client=0" in done.stdout, done
    assert re.search(r"^module \d+\.\d+\.\d+, interface \d+$", done.stdout, re.M), done
    assert done.returncode == 0, done
