# SPDX-License-Identifier: MIT
"""The benchmarks: `python -m tests.bench [--kernel NAME] [--class CLASS] [--case PATTERN]`; `make bench` is all of it.

One processor, QEMU's -icount: figures are instructions, and repeat. Where the kernel has bpf(2) each case runs natively and on
the module in one boot, from the same script; elsewhere events are held against the kernel's own tracing. The rows go to
build/bench.json, and (for the whole list) to docs/benchmarks.md and docs/benchmarks.svg.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tests.bench import report
from vm.kernels import Kernel, list_kernels
from vm.machine import VM
from vm.paths import BUILD, REPO

HERE = Path(__file__).parent
SCRIPT = HERE / "guest_cases.py"
PRELOAD = BUILD / "shim/libbpfcompat-preload.so"
CLASSES = ("frame", "run", "events", "maps", "load")
# A kernel without bpf(2) has nothing to compare the others with.
WITHOUT_BPF = ("events",)


def build() -> tuple[Path, Path]:
    """The loops as a library, and a file with the C programs' code by name."""
    folder = BUILD / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    library, objects, table = folder / "loops.so", folder / "progs.o", folder / "progs.json"
    subprocess.run(["gcc", "-O2", "-Wall", "-shared", "-fPIC", "-o", library, HERE / "loops.c"], check=True)
    subprocess.run(["clang", "-O2", "-target", "bpf", "-mcpu=v3", "-c", HERE / "progs.c", "-o", objects], check=True)
    with objects.open("rb") as file:
        sections = ELFFile(file).iter_sections()
        code = {s.name: s.data().hex() for s in sections if s["sh_type"] == "SHT_PROGBITS" and s["sh_flags"] & 4 and s.data()}
    table.write_text(json.dumps(code))
    return library, table


def run_side(vm: VM, side: str, kind: str, pattern: str, files: tuple[Path, Path]) -> dict[str, Any]:
    """The cases of a class on one side of a machine: {case: [ns of each round], or what went wrong}."""
    env = {"LD_PRELOAD": str(PRELOAD)} if side == "ours" else {}
    command = [
        "/usr/bin/env",
        *(f"{k}={v}" for k, v in env.items()),
        "/usr/bin/python3",
        str(SCRIPT),
        kind,
        *map(str, files),
        pattern,
    ]
    result = vm.run(command, native=side == "native", timeout=1200)
    if result.returncode:
        raise SystemExit(f"bench: {kind} {side}: status {result.returncode}\n{result.stdout}{result.stderr}")
    return json.loads(result.stdout)


def rows_of(kernel: str, kind: str, ours: dict[str, Any], other: dict[str, Any], rival: str) -> list[dict[str, Any]]:
    rows = []
    for case in ours:
        row: dict[str, Any] = {"kernel": kernel, "class": kind, "case": case, "rival": rival, "unit": "instructions"}
        for key, figures in (("ours", ours[case]), ("other", other.get(case, "no such case"))):
            if isinstance(figures, str):
                row[f"{key}_error"] = figures
            else:
                row[key], row[f"{key}_rounds"] = round(min(figures), 2), [round(f, 2) for f in figures]
        if "ours" in row and row.get("other", 0) > 0:
            row["ratio"] = round(row["ours"] / row["other"], 4)
        rows.append(row)
    return rows


def bench_kernel(kernel: Kernel, kinds: list[str], pattern: str, files: tuple[Path, Path]) -> list[dict[str, Any]]:
    vm = VM(kernel, icount=True)
    rows: list[dict[str, Any]] = []
    try:
        for kind in kinds:
            print(f"bench: {kernel.name}: {kind}", file=sys.stderr, flush=True)
            ours = run_side(vm, "ours", kind, pattern, files)
            if kernel.has_bpf:
                rows += rows_of(kernel.name, kind, ours, run_side(vm, "native", kind, pattern, files), "bpf(2)")
            else:
                tracefs = run_side(vm, "bare", "tracefs", pattern, files)
                rows += rows_of(kernel.name, kind, ours, tracefs, "kernel's tracing")
        vm.close()
    finally:
        if vm.alive:
            vm.kill(keep=True)
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--kernel", action="append", help="a name from `python -m vm list`; all by default")
    parser.add_argument("--class", dest="kinds", action="append", choices=CLASSES)
    parser.add_argument("--case", default="*", help="a shell pattern")
    args = parser.parse_args()
    kernels = [k for k in list_kernels() if k.bootable and not k.is_debug and (not args.kernel or k.name in args.kernel)]
    if not kernels:
        raise SystemExit(f"bench: no kernel of that name: {args.kernel}")
    files = build()
    rows: list[dict[str, Any]] = []
    for kernel in kernels:
        kinds = [kind for kind in args.kinds or CLASSES if kernel.has_bpf or kind in WITHOUT_BPF]
        if kinds:
            rows += bench_kernel(kernel, kinds, args.case, files)
    (BUILD / "bench.json").write_text(json.dumps(rows, indent=1) + "\n")
    print(report.text(rows))
    if not (args.kernel or args.kinds or args.case != "*"):
        report.write(rows, REPO / "docs")
    return any("ours_error" in row for row in rows)


if __name__ == "__main__":
    sys.exit(main())
