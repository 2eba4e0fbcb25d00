# SPDX-License-Identifier: MIT
"""What holds for every file of the repository: licences, style, and what old compilers and interpreters take."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BIN = REPO / ".venv/bin"


def tracked(*patterns: str) -> list[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--", *patterns], cwd=REPO, check=True, text=True, stdout=subprocess.PIPE
    ).stdout
    return [path for name in listing.split("\0") if name and (path := REPO / name).is_file()]


def name(path: Path) -> str:
    return str(path.relative_to(REPO))


C_FILES = tracked("*.c", "*.h", "*.S")
MODULE_C = [path for path in C_FILES if name(path).startswith(("kmod/", "verifier/"))]
PYTHON = tracked("*.py")
NO_COMMENTS = {".json", ".txt", ".bin", ".hex", ".md", ".rst", ".btf"}


def licence(path: Path) -> str | None:
    head = path.read_text(errors="replace").split("\n", 3)[:3]
    for line in head:
        match = re.search(r"SPDX-License-Identifier: (.*?)(?: \*/| -->)?$", line)
        if match:
            return match[1].strip()
    return None


def expected_licence(path: Path) -> str:
    where = name(path)
    if where == "kmod/uapi/bpfcompat.h":
        return "GPL-2.0-only WITH Linux-syscall-note OR MIT"
    if where == "Kbuild" or where.startswith(("kmod/", "verifier/", "tests/guest/gate_module/")):
        return "GPL-2.0-only"
    return "MIT"


@pytest.mark.parametrize("path", [p for p in tracked() if p.suffix not in NO_COMMENTS], ids=name)
def test_licence_is_named_first(path: Path) -> None:
    if name(path).startswith("LICENSES/") or not path.stat().st_size:
        return
    found = licence(path)
    assert found, "no SPDX-License-Identifier in the first lines"
    wanted = expected_licence(path)
    # A test's BPF program calls GPL-only helpers, and a test in C may link the verifier: they may be GPL too.
    in_test = name(path).startswith("tests/") and path.suffix in {".c", ".h"} and "GPL-2.0-only" in found
    uapi = name(path).startswith("kmod/uapi/") and "GPL-2.0-only" in found
    assert found == wanted or in_test or uapi, f"{found}, not {wanted}"


@pytest.mark.parametrize("path", C_FILES + PYTHON, ids=name)
def test_file_says_what_it_is_for_and_stays_readable(path: Path) -> None:
    text = path.read_text()
    if not text.strip():
        return
    after = text.split("\n", 1)[1].lstrip() if "SPDX" in text.split("\n", 1)[0] else text
    if path.suffix == ".py":
        assert after.startswith(('"""', '#!', "#")), "no docstring that says what the file is for"
    else:
        assert after.startswith(("/*", "//")), "no comment that says what the file is for"
    assert len(text.splitlines()) <= 1100, "too long to read in one sitting"
    assert not re.search(r"[ \t]+$", text, re.M), "blanks at the end of a line"


def test_no_place_of_one_machine_is_named() -> None:
    # Put together here so that this file does not name it either.
    places = re.compile("|".join(("/" + "root/", "/" + "work/", "/" + "home/[a-z]+/")))
    found = []
    for path in tracked():
        if path.suffix in {".bin", ".btf"} or name(path).startswith("LICENSES/"):
            continue
        for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
            if places.search(line):
                found.append(f"{name(path)}:{number}: {line.strip()}")
    assert not found, "\n".join(found)


def test_ruff_is_content() -> None:
    done = subprocess.run([BIN / "ruff", "check", "--quiet", *PYTHON], cwd=REPO, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_python_on_the_target_runs_on_3_6() -> None:
    files = tracked("shim/*.py")
    if not files:
        pytest.skip("the shim has no Python files yet")
    done = subprocess.run(
        [BIN / "vermin", "--no-tips", "--violations", "-t=3.6-", *files], cwd=REPO, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


# Not in gcc 4.8, which is CentOS 7's compiler.
MISSING_IN_GCC_4_8 = re.compile(
    r"__builtin_(?:\w+_overflow(?:_p)?|has_attribute|clear_padding|bswap128|shuffle(?:vector)?|convertvector"
    r"|is_constant_evaluated|dynamic_object_size|speculation_safe_value)\b"
    r"|__has_(?:attribute|builtin|include|feature)\b|\b_Generic\b|\b__auto_type\b|\b_Static_assert\s*\([^,]*\)\s*;"
    r"|__attribute__\s*\(\(\s*(?:__)?(?:fallthrough|nonstring|access|no_stack_protector|copy)"
)
DECLARED_IN_FOR = re.compile(r"\bfor \((?:const )?(?:unsigned|int|long|[us](?:8|16|32|64)|struct \w+ ?\*|size_t)\s")
VERSION_LADDER = re.compile(r"\b(?:LINUX_VERSION_CODE|KERNEL_VERSION|RHEL_RELEASE_CODE|RHEL_MAJOR)\b")


@pytest.mark.parametrize("path", MODULE_C, ids=name)
def test_module_source_keeps_to_old_c(path: Path) -> None:
    code = re.sub(r"/\*.*?\*/|//[^\n]*", lambda m: "\n" * m[0].count("\n"), path.read_text(), flags=re.S)
    lines = code.splitlines()
    for number, line in enumerate(lines, 1):
        # What a newer compiler is offered behind a test of its version, the old one never sees.
        guarded = any("__GNUC__" in before for before in lines[max(0, number - 4) : number - 1])
        assert guarded or not MISSING_IN_GCC_4_8.search(line), f"{name(path)}:{number}: not in gcc 4.8: {line.strip()}"
        assert not VERSION_LADDER.search(line), f"{name(path)}:{number}: a feature is probed, not a version: {line}"
        assert not DECLARED_IN_FOR.search(line), f"{name(path)}:{number}: declaration in for: {line.strip()}"


OLD_WARNINGS = [
    *("-std=gnu89", "-fgnu89-inline", "-Werror", "-Wall", "-Wextra", "-Wdeclaration-after-statement", "-Wvla"),
    *("-Wpointer-arith", "-Wstrict-prototypes", "-Wmissing-prototypes", "-Wold-style-definition"),
    *("-Wno-unused-parameter", "-Wno-sign-compare", "-Wno-missing-field-initializers"),
]


@pytest.mark.parametrize("path", [p for p in MODULE_C if p.suffix == ".c" and p.parent == REPO / "verifier"], ids=name)
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_verifier_compiles_as_gnu89(path: Path, compiler: str) -> None:
    includes = ["-I", REPO / "verifier", "-I", REPO / "kmod"]
    done = subprocess.run(
        [compiler, *OLD_WARNINGS, "-fsyntax-only", *includes, path], text=True, capture_output=True, cwd=REPO
    )
    assert done.returncode == 0, done.stderr


def test_dependencies_point_one_way() -> None:
    """kmod may include verifier; verifier only itself, the interface headers of kmod/uapi, and port.h's own needs."""
    found = []
    for path in MODULE_C:
        where = name(path)
        if not where.startswith("verifier/") or where.startswith("verifier/user/") or path.name == "port.h":
            continue
        for include in re.findall(r'^\s*#\s*include\s+["<]([^">]+)[">]', path.read_text(), re.M):
            kernel = include.startswith(("linux/", "asm/", "net/"))
            upward = "kmod/" in include and "uapi/" not in include
            if kernel or upward:
                found.append(f"{where} includes {include}")
    assert not found, "\n".join(found)


def test_every_make_target_is_known() -> None:
    done = subprocess.run(["make", "-n", "help"], cwd=REPO, text=True, capture_output=True, check=True)
    targets = set(re.findall(r"make ([a-z-]+)", done.stdout))
    assert {"demo", "test", "test-full", "setup", "module", "install", "clean"} <= targets
    assert sys.version_info >= (3, 11)
