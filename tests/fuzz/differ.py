# SPDX-License-Identifier: MIT
"""Compares interpreter and generated code on random programs, at some thousands a second (differ.c): the command
`.venv/bin/python tests/fuzz/differ.py --programs 1000000 --write` also puts its figures into docs/engines.md."""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import json
import subprocess
import sys
import time
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
OUT = REPO / "build/fuzz"
SOURCE = Path(__file__).with_name("differ.c")
PAGE = REPO / "docs/engines.md"

TEXT = """<!-- SPDX-License-Identifier: MIT -->
# Random programs by interpreter and generated code

Made by `.venv/bin/python tests/fuzz/differ.py --start {start} --programs {asked} --write`, at commit {commit}.

Each program runs in user space by the interpreter, and by code generated in {kinds} ways: as on this machine, as on one
without BMI2, with constants blinded (both), with calls out of reach of a relative one, and with retpolines and landing
pads. After each run the result, the ten registers and the map's value must be the same. A program that the verifier took
runs on two values of the map.

| | |
|---|---|
| programs compared | {programs} |
| of these through the verifier, with memory of a map | {verified} |
| refused by the verifier | {refused} |
| runs, of all engines | {runs} |
| instructions that the interpreter ran | {insns_interpreted} |
| instructions of RFC 9669 and later ones in the programs | {instructions} of {of} |
| seeds | {start} to {last} |
| time | {seconds:.0f} s, one core |
| **programs that differ** | **{problems}** |

Not among those {of}: packet loads, and ld_imm64 of maps and callbacks. Programs with loops, callbacks, ring buffer records
and packets come from `tests/unit/engine_runner.py`: {other}
"""


def library() -> Path:
    """differ.c over the user-space library: a shared object, since generated code must lie near what it calls."""
    sys.path.insert(0, str(REPO / "verifier/user"))
    from bpfcompat_verifier.build_ffi import FLAGS, fingerprint, sources

    sys.path.insert(0, str(REPO))
    from vm.paths import locked

    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    target = OUT / f"differ-{fingerprint()}-{digest}.so"
    with locked("differ"):
        if not target.exists():
            OUT.mkdir(parents=True, exist_ok=True)
            for old in OUT.glob("differ-*.so"):
                old.unlink()
            flags = [flag for flag in FLAGS if not flag.startswith("-std=")]
            command = ["gcc", "-std=gnu99", *flags, "-w", f"-I{REPO}", "-shared", "-fPIC", "-o", target, SOURCE, *sources()]
            subprocess.run([*command, "-ldl"], check=True)
    return target


def compare(start: int, programs: int, *more: str) -> tuple[dict[str, int], str]:
    """The figures, and all that was printed. In a process of its own: wrong code may bring it down."""
    command = [sys.executable, str(Path(__file__)), "--inside", str(library()), str(start), str(programs), *more]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    lines = done.stdout.splitlines()
    if done.returncode not in (0, 1) or not lines:
        raise RuntimeError(f"status {done.returncode}\n{done.stdout}")
    return json.loads(lines[-1]), done.stdout


def inside(path: str, *arguments: str) -> int:
    """main() of the library."""
    encoded = [argument.encode() for argument in ("differ", *arguments)]
    return ctypes.CDLL(path).main(len(encoded), (ctypes.c_char_p * (len(encoded) + 1))(*encoded, None))


def write_page(figures: dict[str, int], asked: int, seconds: float, other: str) -> None:
    command = ["git", "-C", str(REPO), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    text = TEXT.format(**figures, last=figures["end"] - 1, asked=asked, seconds=seconds, commit=commit.strip(), other=other)
    PAGE.write_text(text)


def main() -> int:
    if sys.argv[1:2] == ["--inside"]:
        return inside(*sys.argv[2:])
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--start", type=int, default=1, help="the first seed")
    parser.add_argument("--programs", type=int, default=100_000)
    parser.add_argument("--write", action="store_true", help="put the figures into docs/engines.md, with some of the runner's")
    options = parser.parse_args()
    begin = time.monotonic()
    figures, printed = compare(options.start, options.programs)
    seconds = time.monotonic() - begin
    print(printed, end="")
    print(f"{figures['programs'] / seconds:.0f} programs a second, {seconds:.0f} s")
    if options.write:
        runner = [sys.executable, str(REPO / "tests/unit/engine_runner.py"), "--programs", "20000", "--kind", "verified"]
        other = subprocess.run(runner, check=True, capture_output=True, text=True).stdout.splitlines()[0]
        write_page(figures, options.programs, seconds, f"{other}.")
    return 1 if figures["problems"] else 0


if __name__ == "__main__":
    sys.exit(main())
