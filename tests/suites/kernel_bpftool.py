# SPDX-License-Identifier: MIT
"""bpftool out of the kernel's sources (package linux-source-6.1), built unmodified with what Debian's own lacks: the iterator by
which it tells what processes hold an object."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import kernel_verifier as suite

from vm.paths import locked

OUT = suite.OUT / "bpftool"
WANTED = [*(f"tools/{name}" for name in ("bpf", "lib", "include", "scripts", "build", "arch")), "kernel/bpf", "include/uapi"]
WANTED.append("scripts/bpf_doc.py")  # makes libbpf's header of helpers


def build() -> Path:
    with locked("suites"):
        program = OUT / "linux-source-6.1/tools/bpf/bpftool/bpftool"
        if not program.exists():
            shutil.rmtree(OUT, ignore_errors=True)
            OUT.mkdir(parents=True)
            names = [f"linux-source-6.1/{name}" for name in WANTED]
            subprocess.run(["tar", "-xJf", suite.SOURCE, "-C", OUT, *names], check=True)
            types = f"VMLINUX_BTF={suite.debian_btf_unlocked()}"
            command = ["make", "-s", "-j2", types, "feature-libbfd=0", "feature-libcap=0", "bpftool"]
            subprocess.run(command, cwd=program.parent, check=True, stdout=subprocess.DEVNULL)
    return program
