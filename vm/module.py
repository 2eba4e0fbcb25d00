# SPDX-License-Identifier: MIT
"""Builds the module for one kernel in a folder of its own, and again only when something that goes into it changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

from vm.kernels import Kernel
from vm.paths import BUILD, REPO, locked

SOURCES = ("Kbuild", "kmod", "verifier")
_SUFFIXES = {".c", ".h", ".S", ".sh", ".inc", ".lds", ""}


class BuildError(Exception):
    """The module did not compile; the message holds the compiler's words."""


def _sources() -> dict[str, Path]:
    found = {}
    for top in SOURCES:
        path = REPO / top
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and file.suffix in _SUFFIXES and not file.name.startswith("."):
                found[str(file.relative_to(REPO))] = file
    return found


def _digest(kernel: Kernel, sources: dict[str, Path], extra: list[str]) -> str:
    digest = hashlib.sha256()
    for name, path in sources.items():
        digest.update(f"{name}\0".encode())
        digest.update(path.read_bytes())
    for path in (kernel.config_path, kernel.build / "Module.symvers"):
        if path.exists():
            stat = path.stat()
            digest.update(f"{path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
    digest.update(repr(extra).encode())
    return digest.hexdigest()


def _sync(sources: dict[str, Path], to: Path) -> None:
    """Makes the copies equal to the sources, touching only what changed, so that make rebuilds no more than that."""
    for name, path in sources.items():
        copy = to / name
        data = path.read_bytes()
        if not copy.exists() or copy.read_bytes() != data:
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            shutil.copymode(path, copy)
    for copy in to.rglob("*.[chS]"):
        name = str(copy.relative_to(to))
        if name.startswith(("kmod/", "verifier/")) and name not in sources and not name.endswith(".mod.c"):
            origin = name.split("/")[0]
            # Generated files live beside the copies; only what was copied once is taken away again.
            if (to / ".copied").exists() and name in (to / ".copied").read_text().split("\n") and origin in SOURCES:
                copy.unlink()
    (to / ".copied").write_text("\n".join(sources))


def kbuild(kernel: Kernel, folder: Path, *extra: str) -> str:
    """Runs the kernel's build over a folder of module sources; returns what it printed."""
    if not kernel.can_build:
        raise BuildError(f"{kernel.name}: no build files at {kernel.build} (kernel headers not installed?)")
    command = ["make", "-C", str(kernel.build), f"M={folder}", "-j2", *extra, "modules"]
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "M", "KDIR", "CC")}
    done = subprocess.run(command, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-60:])
        raise BuildError(f"{' '.join(command)}\n{tail}\nthe build for {kernel.name} failed, status {done.returncode}")
    return done.stdout


def stripped(ko: Path) -> Path:
    """Where the copy without debug information lies."""
    return ko.with_suffix(".stripped.ko")


def build_module(kernel: Kernel, *extra: str, quiet: bool = False) -> Path | None:
    """bpfcompat.ko for this kernel; None where the tree has no module sources yet."""
    if not (REPO / "Kbuild").exists():
        return None
    folder = BUILD / "kmod" / kernel.name
    out = folder / "bpfcompat.ko"
    stamp = folder / ".stamp"
    with locked(f"kmod-{kernel.name}"):
        sources = _sources()
        digest = _digest(kernel, sources, list(extra))
        if stripped(out).exists() and stamp.exists() and stamp.read_text() == digest:
            return out
        if not quiet:
            print(f"vm: building the module for {kernel.name}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        _sync(sources, folder)
        try:
            printed = kbuild(kernel, folder, *extra)
        except BuildError:
            # What was probed for with a compiler that does not work is wrong, and newer than what it depends on.
            (folder / "kmod/compat/generated/bc_features.h").unlink(missing_ok=True)
            raise
        (folder / "build.log").write_text(printed)
        undefined = [line for line in printed.splitlines() if line.startswith("WARNING:") and "undefined!" in line]
        if undefined:
            # Old kernels only warn, and then refuse to load it.
            raise BuildError("\n".join(undefined) + f"\nthe module for {kernel.name} is not complete")
        for line in printed.splitlines():
            if "warning:" in line.lower() and "the compiler differs" not in line and not quiet:
                print(line, file=sys.stderr)
        # What a machine gets: without debug information it is a twentieth of the size, which counts under emulation.
        subprocess.run(["objcopy", "--strip-debug", out, stripped(out)], check=True)
        stamp.write_text(digest)
    return out
