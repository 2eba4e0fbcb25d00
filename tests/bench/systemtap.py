# SPDX-License-Identifier: MIT
"""Builds SystemTap's probes for a kernel tree: what the users of a 3.10 kernel have today, to hold events against."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

from vm.kernels import Kernel

PLACES = {
    "kprobe": 'kernel.function("sys_getppid")',
    "kretprobe": 'kernel.function("sys_getppid").return',
    "raw_tracepoint": 'kernel.trace("task_rename")',
}
# The second counts in a hash by a key, as the program with the hash increment does.
HANDLERS = ("%s { }", 'global hits; %s { hits[9]++ } probe end { foreach (k in hits) printf("%%d %%d\\n", k, hits[k]) }')


def build(kernel: Kernel, folder: Path) -> str:
    """Puts bench_PLACE_HANDLER.ko into the folder, each with its log; returns why that cannot be, or nothing."""
    stap = shutil.which("stap")
    if not stap:
        return "SystemTap is not installed (package systemtap)"
    if kernel.modules is not None:
        return "SystemTap's probes are built for trees only"
    folder.mkdir(parents=True, exist_ok=True)
    failed = []
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    for place, probe in PLACES.items():
        for number, handler in enumerate(HANDLERS):
            name = f"bench_{place}_{number}"
            script = "probe " + handler % probe if number == 0 else handler % f"probe {probe}"
            stamp = folder / f"{name}.stamp"
            digest = hashlib.sha256(f"{kernel.release} {kernel.build.resolve()} {script}".encode()).hexdigest()
            if (folder / f"{name}.ko").exists() and stamp.exists() and stamp.read_text() == digest:
                continue
            stamp.unlink(missing_ok=True)
            # -u: a probe with an empty body is wanted, and would be left out. What a tree's headers warn of is not ours to mend.
            command = [stap, "-u", "-v", "-r", str(kernel.build), "-B", "KCFLAGS=-Wno-undef", "-p4", "-m", name, "-e", script]
            done = subprocess.run(command, cwd=folder, env=env, text=True, capture_output=True)
            (folder / f"{name}.log").write_text(done.stdout + done.stderr)
            if done.returncode:
                failed.append(name)
            else:
                stamp.write_text(digest)
    return f"did not build: {', '.join(failed)} (logs in {folder})" if failed else ""
