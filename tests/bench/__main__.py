# SPDX-License-Identifier: MIT
"""The benchmarks: `python -m tests.bench [--kernel NAME] [--class CLASS] [--case PATTERN]`; `make bench` is all of it.

One processor, QEMU's -icount: figures are instructions, and repeat. Where the kernel has a complete bpf(2) each case runs
natively and on the module in one boot, from the same script; elsewhere events are held against the kernel's own tracing and
SystemTap. Only the class `wall` is by the clock, on two processors. The rows go to build/bench.json, and those of the whole
list to docs/benchmarks.md and docs/benchmarks.svg as well.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from elftools.elf.elffile import ELFFile

from tests.bench import report, systemtap
from vm.kernels import Kernel, list_kernels
from vm.machine import VM
from vm.paths import BUILD, REPO

HERE = Path(__file__).parent
SCRIPT = HERE / "guest_cases.py"
PRELOAD = BUILD / "shim/libbpfcompat-preload.so"
OUT = BUILD / "bench.json"
JIT = "/proc/sys/net/core/bpf_jit_enable"
TURNS = 3  # by the clock, each side so often, in turns

Sides = dict[str, dict[str, Any]]


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


class Bench:
    """Runs classes of cases on one kernel."""

    def __init__(self, kernel: Kernel, pattern: str, files: tuple[Path, Path]) -> None:
        self.kernel, self.pattern, self.files = kernel, pattern, files
        self.taps = BUILD / "bench/stap" / kernel.name
        self.facts: dict[str, Any] = {"release": kernel.release}

    def side(self, vm: VM, side: str, kind: str) -> dict[str, Any]:
        """The cases of a class on one side of a machine: {case: [ns of each round], or what went wrong}."""
        env = {"BENCH_STAP": str(self.taps)}
        if side == "ours":
            env["LD_PRELOAD"] = str(PRELOAD)
        command = ["/usr/bin/env", *(f"{k}={v}" for k, v in env.items())]
        command += ["/usr/bin/python3", str(SCRIPT), kind, *map(str, self.files), self.pattern]
        result = vm.run(command, native=side == "native", timeout=1800)
        if result.returncode:
            raise SystemExit(f"bench: {kind} {side}: status {result.returncode}\n{result.stdout}{result.stderr}")
        return json.loads(result.stdout)

    def counted(self, vm: VM, kind: str) -> Sides:
        """The sides of a class whose figures are instructions."""
        if not self.kernel.is_reference:
            sides = {"ours": self.side(vm, "ours", kind), "kernel's tracing": self.side(vm, "bare", "tracefs")}
            why = systemtap.build(self.kernel, self.taps)
            if why:
                self.facts["SystemTap"] = why
                print(f"bench: {why}", file=sys.stderr)
            if any(self.taps.glob("*.ko")):
                sides["SystemTap"] = self.side(vm, "bare", "systemtap")
            return sides
        if kind != "interp":
            return {"ours": self.side(vm, "ours", kind), "native": self.side(vm, "native", kind)}
        vm.reload_module("jit=0")
        vm.run(f"echo 0 > {JIT}", check=True)
        sides = {"ours": self.side(vm, "ours", "run"), "native": self.side(vm, "native", "run")}
        vm.run(f"echo 1 > {JIT}", check=True)
        vm.reload_module()
        return sides

    def by_clock(self) -> Sides:
        """Both sides in turns, so that a busy host disturbs both."""
        before = os.environ.get("BPFCOMPAT_TCG")
        os.environ["BPFCOMPAT_TCG"] = "multi"
        sides: Sides = {"ours": {}, "native": {}}
        with VM(self.kernel, cpus=2) as vm:
            for _ in range(TURNS):
                for name, all_figures in sides.items():
                    for case, figures in self.side(vm, name, "wall").items():
                        known = all_figures.setdefault(case, figures)
                        if isinstance(figures, str) or isinstance(known, str):
                            all_figures[case] = figures if isinstance(figures, str) else known
                        elif known is not figures:
                            known += figures
        os.environ.pop("BPFCOMPAT_TCG") if before is None else os.environ.update(BPFCOMPAT_TCG=before)
        return sides

    def learn(self, vm: VM) -> None:
        """What a figure depends on besides the code: version, mitigations."""
        self.facts["version"] = vm.run(["cat", "/proc/version"]).stdout.strip()
        mitigations = vm.run("cat /sys/devices/system/cpu/vulnerabilities/spectre_v2 2>/dev/null").stdout.strip()
        self.facts["spectre_v2"] = mitigations or "the kernel knows of none"

    def run(self, kinds: list[str]) -> Iterator[dict[str, Any]]:
        """The rows, class by class."""
        if any(kind != "wall" for kind in kinds):
            with VM(self.kernel, icount=True) as vm:
                self.learn(vm)
                for kind in (k for k in kinds if k != "wall"):
                    print(f"bench: {self.kernel.name}: {kind}", file=sys.stderr, flush=True)
                    yield from report.rows(self.kernel.name, kind, "instructions", self.counted(vm, kind))
        if "wall" in kinds:
            print(f"bench: {self.kernel.name}: wall", file=sys.stderr, flush=True)
            yield from report.rows(self.kernel.name, "wall", "ns", self.by_clock())


def head() -> dict[str, Any]:
    """Which tree, which emulator."""

    def said(*command: str) -> str:
        return subprocess.run(command, cwd=REPO, text=True, capture_output=True).stdout.strip()

    dirty = said("git", "status", "--porcelain", "--untracked-files=no", "--", ".", ":!docs/benchmarks.*")
    return {
        "commit": said("git", "rev-parse", "--short=12", "HEAD") + ("-dirty" if dirty else ""),
        "date": time.strftime("%Y-%m-%d"),
        "emulator": said("qemu-system-x86_64", "--version").split("\n")[0],
    }


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--kernel", action="append", help="a name from `python -m vm list`; all by default")
    parser.add_argument("--class", dest="kinds", action="append", choices=report.CLASSES)
    parser.add_argument("--case", default="*", help="a shell pattern")
    parser.add_argument("--out", type=Path, default=OUT, help="where the rows go")
    parser.add_argument("--docs", type=Path, nargs="+", help="measures nothing: makes the table and the plot of these rows")
    args = parser.parse_args()
    if args.docs:
        report.write(report.joined([json.loads(path.read_text()) for path in args.docs]), REPO / "docs")
        return 0
    if args.kernel:
        kernels = [k for k in list_kernels() if k.bootable and k.name in args.kernel]
    else:
        kernels = [k for k in list_kernels() if k.bootable and not k.is_debug and (k.is_reference or not k.has_bpf)]
    if not kernels:
        raise SystemExit(f"bench: no such kernel: {args.kernel}")
    files = build()
    data: dict[str, Any] = {**head(), "kernels": {}, "rows": []}
    for kernel in kernels:
        # A kernel without bpf(2) has nothing to hold the other classes against.
        kinds = [k for k in args.kinds or report.CLASSES if kernel.is_reference or k == "events"]
        bench = Bench(kernel, args.case, files)
        data["kernels"][kernel.name] = bench.facts
        for row in bench.run(kinds) if kinds else ():
            data["rows"].append(row)
            args.out.write_text(json.dumps(data, indent=1) + "\n")
    print(report.text(data["rows"]))
    if not (args.kernel or args.kinds or args.case != "*"):
        report.write(data, REPO / "docs")
    return any("ours_error" in row and "native_error" not in row for row in data["rows"])


if __name__ == "__main__":
    sys.exit(main())
