# SPDX-License-Identifier: MIT
"""A kernel tree's BTF, made once by the project's own command and kept in build/btf."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from vm.kernels import Kernel
from vm.paths import BUILD, REPO, locked

SHIM = REPO / "shim"
_VENV = REPO / ".venv/bin/python"


def command(*args: str) -> list[str]:
    """`bpfcompat ARGS` out of the source tree, by the Python that `make setup` gave its packages to, where there is one."""
    return [str(_VENV) if _VENV.exists() else sys.executable, "-m", "bpfcompat", *args]


def build_btf(kernel: Kernel, quiet: bool = False) -> Path | None:
    """The file for `bpfcompat btf load`; None where the kernel serves its own, or has no debug information at hand."""
    vmlinux = kernel.vmlinux
    if kernel.has("DEBUG_INFO_BTF") or vmlinux is None:
        return None
    out = BUILD / "btf" / f"{kernel.name}.btf"
    newest = max(path.stat().st_mtime for path in (vmlinux, *SHIM.glob("bpfcompat/btf/*.py")))
    with locked(f"btf-{kernel.name}"):
        if not out.exists() or out.stat().st_mtime < newest:
            if not quiet:
                print(f"vm: making BTF of {kernel.name}", file=sys.stderr)
            out.parent.mkdir(parents=True, exist_ok=True)
            environment = os.environ | {"PYTHONPATH": str(SHIM)}
            subprocess.run(command("btf", "make", str(vmlinux), "-o", str(out)), check=True, env=environment,
                           stderr=subprocess.DEVNULL if quiet else None)  # fmt: skip
    return out
