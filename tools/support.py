# SPDX-License-Identifier: MIT
"""Writes docs/support.md: what each kernel at hand gives to programs, found by bpftool's own probes in its machine."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO), str(REPO / "tests/clients")]

from driver import OUT, build, drive

from vm import VM, Kernel, list_kernels

LIBRARY = REPO / "build/shim/libbpfcompat-preload.so"
ACT = OUT / "act"
# A hook counts as there when an unmodified tool that stands on it reports an activity: tool, activity, what must show.
HOOKS: dict[str, tuple[list[str], list[str], str]] = {
    "kprobe, kretprobe": (["funclatency", "vfs_mkdir"], ["mkdir", "hook", "/tmp/hook", "9"], r": [1-9]\d*\s+\|"),
    "uprobe, uretprobe": (["funclatency", f"{ACT}:do_mkdir"], ["mkdir", "hook", "/tmp/hook", "9"], r": 1\s+\|"),
    "tracepoint": (["exitsnoop"], ["exit", "hooked", "37", "10"], r"^hooked .* code 37"),
    "system call tracepoint": (["opensnoop"], ["open", "hooked", "/tmp/hook", "/tmp/none"], r" hooked .* /tmp/hook"),
    "raw tracepoint": (["softirqs", "-d", "100", "1"], ["udp", "hook", "50"], r"softirq = net_rx"),
    "function entry (fentry)": (["tcpconnlat"], ["connect", "hooked", "23456"], r" hooked .* 127.0.0.1 +23456 "),
    "function return (fexit)": (["solisten"], ["connect", "hooked", "23457"], r" hooked .* 23457 +127.0.0.1"),
    "perf event": (["runqlen", "100", "1"], ["sleep", "hook", "200", "5"], r": [1-9]\d*\s+\|"),
}
# Checked and answered as Linux answers where there is nothing to attach to: always an error.
REFUSED = {"PROG_ATTACH", "PROG_DETACH", "PROG_QUERY"}
Features = dict[str, set[str]]


def probe(vm: VM, native: bool) -> Features:
    """What one side of a machine has, by kind."""
    env = {} if native else {"LD_PRELOAD": str(LIBRARY)}
    done = vm.run(["bpftool", "-j", "feature", "probe", "kernel"], native=native, env=env, timeout=300).check()
    found: dict[str, Any] = json.loads(done.stdout)
    helpers = {name for names in found["helpers"].values() for name in names}
    return {
        "Program types": _names(found["program_types"], "_prog_type"),
        "Map types": _names(found["map_types"], "_map_type"),
        "Helpers": {name.removeprefix("bpf_") for name in helpers},
        "Hooks": {name for name in HOOKS if hooks(vm, name, native)},
    }


def hooks(vm: VM, name: str, native: bool) -> bool:
    tool, activity, wanted = HOOKS[name]
    done = drive(vm, tool, activity, native=native, seconds=30)
    return done.tool.status == 0 and re.search(wanted, done.tool.stdout, re.M) is not None


def _names(answers: dict[str, bool], tail: str) -> set[str]:
    return {name.removeprefix("have_").removesuffix(tail) for name, there in answers.items() if there}


def commands() -> list[str]:
    """The commands of bpf(2) that the module serves, out of its dispatch table."""
    text = (REPO / "kmod/bpf/dispatch.c").read_text()
    return sorted({name for name in re.findall(r"\bBPF_([A-Z_]+)\b", text) if f"BPF_{name}" in _known()})


def _known() -> set[str]:
    text = (REPO / "kmod/uapi/bpf_abi.h").read_text()
    body = re.search(r"enum bpf_cmd \{(.*?)\}", text, re.S)
    return set(re.findall(r"\b(BPF_[A-Z_]+)\b", body.group(1))) if body else set()


def table(title: str, columns: Sequence[str], sides: Sequence[Features]) -> list[str]:
    """One table; the last column may be the native kernel that the others are measured against."""
    rows = sorted(set().union(*(side[title] for side in sides)))
    lines = [f"## {title}", "", f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    counts = [str(len(side[title])) for side in sides]
    lines.append(f"| in all | {' | '.join(counts)} |")
    lines += [f"| {row} | {' | '.join('yes' if row in side[title] else '-' for side in sides)} |" for row in rows]
    return [*lines, ""]


def document(columns: Sequence[str], sides: Sequence[Features]) -> str:
    served = [name for name in commands() if name not in REFUSED]
    lines = [
        "# What is supported",
        "",
        "Made by `python3 tools/support.py` in a virtual machine of each kernel at hand; not edited by hand. Program types, map",
        "types and helpers are what `bpftool feature probe` finds. A program type that loads is not always one that attaches: a",
        "hook is listed where an unmodified tool that stands on it reported an activity. The columns marked native are those",
        "kernels' own bpf(2).",
        "",
        "## Commands",
        "",
        f"{len(served)} of bpf(2)'s are served, on every kernel: {', '.join(served)}.",
        "",
        f"Checked as Linux checks them, and then always refused: {', '.join(sorted(REFUSED))}.",
        "",
    ]
    for title in ("Hooks", "Program types", "Map types", "Helpers"):
        lines += table(title, columns, sides)
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-k", "--kernel", action="append", default=[], help="only this kernel (repeatable)")
    parser.add_argument("-o", "--output", type=Path, default=REPO / "docs/support.md")
    args = parser.parse_args()
    subprocess.run(["make", "-s", "-C", REPO / "shim/preload", f"OUT={LIBRARY.parent}"], check=True)
    build("act")
    kernels: list[Kernel] = [k for k in list_kernels() if k.bootable and not k.is_debug]
    columns, sides = [], []
    for kernel in kernels:
        if args.kernel and kernel.name not in args.kernel:
            continue
        vm = VM(kernel)
        try:
            for native in (False, True) if kernel.is_reference else (False,):
                columns.append(kernel.name + (" native" if native else ""))
                sides.append(probe(vm, native))
        finally:
            vm.kill()
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.write_text(document(columns, sides))
    print(f"{args.output}: {', '.join(columns)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
