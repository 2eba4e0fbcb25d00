# SPDX-License-Identifier: MIT
"""Unpacks another of the distribution's kernels beside the built trees, without installing it: `python3 -m vm fetch 6.12`."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from vm.kernels import Kernel, find_kernel, trees_dir
from vm.paths import locked


def _package(series: str) -> str:
    """The package that linux-image-SERIES-amd64 stands for."""
    command = ["apt-cache", "depends", f"linux-image-{series}-amd64"]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    found = re.search(r"Depends: (linux-image-\S+)", done.stdout)
    if found is None:
        raise LookupError(f"apt knows no linux-image-{series}-amd64 (apt-get update?)")
    return found[1]


def fetch(series: str) -> Kernel:
    """That kernel, by name debian-SERIES from now on; downloaded (100 MB) unless it is there."""
    name = f"debian-{series}"
    root = trees_dir() / "packages" / name
    with locked("fetch"):
        if root.exists():
            return find_kernel(name)
        package = _package(series)
        with tempfile.TemporaryDirectory() as folder:
            print(f"vm: downloading {package}", file=sys.stderr, flush=True)
            subprocess.run(["apt-get", "-q", "download", package], cwd=folder, check=True, stdout=subprocess.DEVNULL)
            (archive,) = Path(folder).glob("*.deb")
            parts = root.with_name(root.name + ".new")
            shutil.rmtree(parts, ignore_errors=True)
            parts.mkdir(parents=True)
            subprocess.run(["dpkg-deb", "-x", str(archive), str(parts)], check=True)
        release = package.removeprefix("linux-image-")
        subprocess.run(["/sbin/depmod", "-b", str(parts), release], check=True)
        parts.rename(root)
    return find_kernel(name)
