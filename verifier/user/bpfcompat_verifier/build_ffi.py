# SPDX-License-Identifier: GPL-2.0-only
"""Compiles verifier/, kmod/exec/ and verifier/user/ into a Python extension in build/, when they changed."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "verifier-user"
NAME = "_bpfcompat_verifier"
WARNINGS = ["-Wall", "-Wextra", "-Wdeclaration-after-statement", "-Wno-unused-parameter"]
FLAGS = ["-std=gnu89", "-O2", "-g", "-fno-strict-aliasing", "-fwrapv", "-DBC_TRACE"]

TYPES = """
typedef uint8_t u8; typedef uint16_t u16; typedef uint32_t u32; typedef unsigned long long u64;
typedef int8_t s8; typedef int16_t s16; typedef int32_t s32; typedef long long s64;
const char *bc_func_name(u32 func_id);
"""


def sources() -> list[Path]:
    """The C files that make the library."""
    files = sorted((ROOT / "verifier").glob("*.c")) + sorted((ROOT / "verifier/user").glob("*.c"))
    return [*files, *sorted((ROOT / "kmod/exec").glob("*.c"))]


def fingerprint() -> str:
    """Of all that goes into the library, headers and flags included."""
    digest = hashlib.sha256(repr((FLAGS, WARNINGS, sys.version, TYPES)).encode())
    headers = [*(ROOT / "verifier").rglob("*.h"), *(ROOT / "kmod/uapi").glob("*.h"), *(ROOT / "kmod/exec").glob("*.h")]
    for path in [*sources(), *sorted(headers)]:
        digest.update(str(path.relative_to(ROOT)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def declarations() -> str:
    """user.h as cffi takes it: without comments, directives and attributes."""
    text = (ROOT / "verifier/user/user.h").read_text()
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    numbers = re.findall(r"^#define (BCU_\w+ \d+)", text, flags=re.M)
    return TYPES + re.sub(r"^#.*$", "", text, flags=re.M) + "".join(f"#define {number}\n" for number in numbers)


def compile_library(target: Path) -> None:
    """Builds the extension in @target, a directory of its own."""
    import cffi

    ffi = cffi.FFI()
    ffi.cdef(declarations())
    ffi.set_source(
        NAME,
        '#include "verifier/user/lib.h"\n',
        sources=[os.path.relpath(path, target) for path in sources()],
        include_dirs=[str(ROOT)],
        extra_compile_args=[*FLAGS, "-Wno-missing-field-initializers"],
    )
    target.mkdir(parents=True, exist_ok=True)
    here = Path.cwd()
    os.chdir(target)
    try:
        ffi.compile(tmpdir=str(target), verbose=bool(os.environ.get("V")))
    finally:
        os.chdir(here)


def load() -> ModuleType:
    """The extension, built first when it has to be."""
    target = BUILD / fingerprint()
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built = list(target.glob(NAME + ".*.so"))
        if not built:
            compile_library(target)
            built = list(target.glob(NAME + ".*.so"))
    spec = importlib.util.spec_from_file_location(NAME, built[0])
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


if __name__ == "__main__":
    print(load().__file__)
