# SPDX-License-Identifier: MIT
"""`make demo`: boots the oldest kernel at hand and runs unmodified tools from Debian's packages in it."""

from __future__ import annotations

import argparse
import json
import re
import secrets
import signal
import sys
import time

from vm.kernels import Kernel, find_kernel, list_kernels, missing_families, trees_dir
from vm.machine import VM, GateError, VMError
from vm.module import BuildError, build_module

ASK_BPF = """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
attr = ctypes.create_string_buffer(128)
print("bpf(2) answers", libc.syscall(321, 0, attr, 128), errno.errorcode[ctypes.get_errno()])
"""
_begin = time.monotonic()


def say(text: str) -> None:
    print(f"\n\033[1m[{time.monotonic() - _begin:5.1f} s] {text}\033[0m", flush=True)


def indent(text: str, lines: int = 0) -> str:
    rows = text.rstrip("\n").splitlines()
    if lines and len(rows) > lines:
        rows = [*rows[:lines], f"… {len(rows) - lines} more lines"]
    return "\n".join("    " + row for row in rows)


def oldest() -> Kernel:
    """The oldest kernel that can be booted and built for, the plain flavour of it."""
    kernels = [k for k in list_kernels() if k.bootable and k.can_build and not k.is_debug]
    without = [k for k in kernels if not k.has_bpf]
    if not kernels:
        raise LookupError("no bootable kernel at hand")
    return (without or kernels)[0]


def show_tool(
    vm: VM, tool: list[str], header: str, activity: str, expected: str, also: list[list[str]], at_end: bool = False
) -> bool:
    """Runs a tool against activity, prints what it and the commands beside it print; whether it saw the activity.

    `expected` is what it must print, as a regular expression; with `at_end` it does so when it is interrupted.
    """
    say(f"$ bpfcompat run {' '.join(tool)}")
    # With a terminal, as a user has it: into a pipe the tools would buffer what they print.
    process = vm.popen(["bpfcompat", "run", "--", *tool], tty=True)
    seen = False
    try:
        process.wait_for(header, timeout=60)
        time.sleep(0.5)
        vm.run(activity).check()
        if not at_end:
            try:
                process.wait_for(expected, timeout=15)
                seen = True
            except TimeoutError:
                pass
        beside = [(command, vm.run(["bpfcompat", "run", "--", *command])) for command in also]
    except TimeoutError as error:
        print(indent(str(error)))
        beside = []
    process.kill(signal.SIGINT)
    try:
        process.wait(15)
    except TimeoutError as error:
        print(indent(str(error).splitlines()[0]))
    lines = process.stdout.splitlines()
    around = [i for i, line in enumerate(lines) if re.search(expected, line)]
    seen = seen or (at_end and bool(around))
    if around and len(lines) > 14:
        lines = [*lines[:3], "…", *lines[max(3, around[0] - 3) : around[0] + 4], "…"]
    print(indent("\n".join(lines)))
    print(f"  the activity was: {activity}")
    print(f"  reported: {'yes' if seen else 'NO'}")
    for command, result in beside:
        print(f"  beside it: $ bpfcompat run {' '.join(command)}")
        print(indent(result.stdout + result.stderr, 12))
        seen = seen and result.returncode == 0 and bool(result.stdout)
    return seen


def demo(kernel: Kernel) -> bool:
    state = "has a bpf(2), which is denied here" if kernel.has_bpf else "was built without bpf(2)"
    say(f"kernel {kernel.release} ({kernel.name}), which {state}")
    if build_module(kernel) is None:
        print("there are no module sources")
        return False
    say("booting it, and loading the module")
    with VM(kernel) as vm:
        print(f"  up after {vm.boot_seconds:.1f} s, and the module is loaded: {vm.module_loaded}")
        print(indent(vm.run("uname -sr; ls -l /dev/bpfcompat").stdout))
        say("without the shim")
        print(indent(vm.run([sys.executable, "-c", ASK_BPF]).check().stdout))

        name = f"demo-{secrets.token_hex(3)}"
        ok = show_tool(
            vm, ["execsnoop"], "PCOMM", f"cp /bin/true /tmp/{name} && /tmp/{name} one two", name,
            [["bpftool", "prog", "show"], ["bpftool", "map", "show"]],
        )  # fmt: skip
        name = f"demo-{secrets.token_hex(3)}.txt"
        ok &= show_tool(vm, ["opensnoop"], "PID", f"touch /tmp/{name} && cat /tmp/{name}", f"/tmp/{name}", [])
        count = 5 + secrets.randbelow(10)
        ok &= show_tool(
            vm, ["syscount", "-T", "300"], "Tracing syscalls",
            f"i=0; while [ $i -lt {count} ]; do rmdir /tmp/{name}-none 2>/dev/null; i=$((i+1)); done; true",
            rf"^rmdir\s+{count}\b", [["bpftool", "map", "dump", "name", "data"]], at_end=True,
        )  # fmt: skip

        say("the driver's counters")
        status = vm.run(["bpfcompat", "status"])
        print(indent(status.stdout + status.stderr))
        counters = json.loads(vm.run(["bpfcompat", "status", "--json"]).check().stdout)
        ok &= counters["commands"] > 0 and counters["programs_run"] > 0
        say("unloading the module, and looking through the kernel's log")
    print("  nothing is left behind, and the log is clean")
    return ok


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m vm.demo", description=__doc__)
    parser.add_argument("-k", "--kernel", help="a name from `python3 -m vm list`")
    args = parser.parse_args()
    for family in missing_families(list_kernels()):
        print(f"*** no kernel of the family {family} at hand (put a built tree into {trees_dir()}) ***")
    try:
        ok = demo(find_kernel(args.kernel) if args.kernel else oldest())
    except (BuildError, LookupError, VMError, GateError, OSError) as error:
        print(f"demo: {error}", file=sys.stderr)
        ok = False
    say("the demo worked" if ok else "THE DEMO FAILED")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main())
