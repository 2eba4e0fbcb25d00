# SPDX-License-Identifier: MIT
"""The command line: `python3 -m vm list|run|shell|build|build-debug|fetch`."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import struct
import sys
import termios
import threading
import tty

from vm.debug_kernel import build_debug
from vm.fetch import fetch
from vm.kernels import find_kernel, list_extra, list_kernels, missing_families, trees_dir
from vm.machine import VM, GateError, VMError
from vm.module import BuildError, build_module

EXIT_GATE = 98
EXIT_MACHINE = 97

EPILOG = f"""The status is the command's own (128 + n for signal n), {EXIT_GATE} when the kernel log shows a warning, an
oops or a leak or when the module will not unload, {EXIT_MACHINE} when the module does not build or the machine does not
come up, 124 after a timeout."""


def _list() -> int:
    kernels = list_kernels()
    for kernel in kernels:
        kind = "package" if kernel.modules else "tree"
        bpf = "has bpf(2)" if kernel.has_bpf else "no bpf(2)"
        print(f"{kernel.name:24} {kernel.release:24} {kind:8} {bpf}")
        print(f"    {kernel.image if kernel.modules else kernel.build}")
        if kernel.lacks:
            verdict = "" if kernel.bootable else "; CANNOT BE BOOTED HERE"
            print(f"    lacks: {', '.join(kernel.lacks)}{verdict}")
        if not kernel.can_build:
            print(f"    no build files for modules at {kernel.build}")
    for kernel in list_extra():
        print(f"{kernel.name:24} {kernel.release:24} unpacked, to compare with by name: no test runs on it by itself")
    if not kernels:
        print("no kernel found: run `make setup`")
    for family in missing_families(kernels):
        text = f"*** MISSING: no kernel of the family {family}; put a built tree into {trees_dir()} ***"
        print(text, file=sys.stderr)
    return 0 if kernels else 1


def _stream(kind: str, data: bytes) -> None:
    os.write(1 if kind == "o" else 2, data)


def _run(args: argparse.Namespace) -> int:
    kernel = find_kernel(args.kernel)
    vm = VM(kernel, module=not args.no_module, cpus=args.cpus, memory=args.memory, icount=args.icount,
            params=args.param, append=args.append)  # fmt: skip
    try:
        if not args.quiet:
            print(f"vm: {kernel.name} up after {vm.boot_seconds:.1f} s", file=sys.stderr, flush=True)
        process = vm.popen(args.cmd, native=args.native, sink=_stream)
        if args.stdin:
            while data := os.read(0, 32768):
                process.send(data)
        process.send(b"", eof=True)
        try:
            status = process.wait(args.timeout).returncode
        except KeyboardInterrupt:
            process.kill(signal.SIGINT)
            status = process.wait(10).returncode
        except TimeoutError as error:
            print(f"vm: {str(error).splitlines()[0]}", file=sys.stderr)
            status = 124
        if args.dmesg:
            print(vm.dmesg(), end="", file=sys.stderr)
        vm.close()
    except GateError as error:
        print(f"vm: {error}", file=sys.stderr)
        return EXIT_GATE
    finally:
        if not vm._closed:
            vm.kill(keep=True)
    return status if status >= 0 else 128 - status


def _shell(args: argparse.Namespace) -> int:
    kernel = find_kernel(args.kernel)
    vm = VM(kernel, module=not args.no_module, cpus=args.cpus, memory=args.memory, icount=args.icount,
            params=args.param, append=args.append)  # fmt: skip
    is_tty = sys.stdin.isatty()
    saved = termios.tcgetattr(0) if is_tty else None
    try:
        process = vm.popen([os.environ.get("SHELL", "/bin/bash")], native=args.native, tty=is_tty, sink=_stream)

        def resize(*_: object) -> None:
            columns, rows = shutil.get_terminal_size()
            vm._send(process.ident, "W", struct.pack("<HHHH", rows, columns, 0, 0))

        def pump() -> None:
            while data := os.read(0, 4096):
                process.send(data)
            process.send(b"", eof=True)

        if saved:
            tty.setraw(0)
            resize()
            signal.signal(signal.SIGWINCH, resize)
        threading.Thread(target=pump, daemon=True).start()
        status = process.wait().returncode
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        vm.close()
    except GateError as error:
        print(f"vm: {error}", file=sys.stderr)
        return EXIT_GATE
    finally:
        if saved:
            termios.tcsetattr(0, termios.TCSADRAIN, saved)
        if not vm._closed:
            vm.kill(keep=True)
    return status if status >= 0 else 128 - status


def _build(args: argparse.Namespace) -> int:
    ko = build_module(find_kernel(args.kernel), *args.make)
    if ko is None:
        print("vm: there are no module sources", file=sys.stderr)
        return 1
    print(ko)
    return 0


def _fetch(args: argparse.Namespace) -> int:
    print(fetch(args.series).image)
    return 0


def _build_debug(args: argparse.Namespace) -> int:
    print(build_debug(args.jobs).build)
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python3 -m vm", description=__doc__, epilog=EPILOG)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="the kernels at hand, and what each lacks")
    build = commands.add_parser("build", help="build the module for a kernel; prints the file's path")
    build.add_argument("-k", "--kernel", help="a name from `list`, or the path of a built tree")
    build.add_argument("make", nargs="*", help="arguments for make, such as CC=gcc-11")
    debug = commands.add_parser("build-debug", help="build, once, a Linux 6.1 without bpf(2) and with checkers on")
    debug.add_argument("-j", "--jobs", type=int, default=2)
    get = commands.add_parser("fetch", help="get another of the distribution's kernels, to compare with natively")
    get.add_argument("series", nargs="?", default="6.12", help="such as 6.12, of which there is a package linux-image-6.12-amd64")
    for name, text in (("run", "boot, run a command, end with its status"), ("shell", "boot, and give a shell")):
        sub = commands.add_parser(name, help=text, epilog=EPILOG)
        sub.add_argument("-k", "--kernel", help="a name from `list`, or the path of a built tree")
        sub.add_argument("--native", action="store_true", help="leave the kernel's own bpf(2) to the command")
        sub.add_argument("--no-module", action="store_true", help="do not build and load the module")
        sub.add_argument("--cpus", type=int, default=2)
        sub.add_argument("--memory", default="1536M")
        sub.add_argument("--icount", action="store_true", help="one CPU, virtual time counted in instructions")
        sub.add_argument("--param", action="append", default=[], help="module parameter, such as memory_limit=64")
        sub.add_argument("--append", default="", help="more of the kernel's command line")
        if name == "run":
            sub.add_argument("--timeout", type=float, default=600)
            sub.add_argument("--dmesg", action="store_true", help="print the kernel log at the end, on stderr")
            sub.add_argument("-i", "--stdin", action="store_true", help="pass standard input on")
            sub.add_argument("-q", "--quiet", action="store_true")
            sub.add_argument("cmd", nargs="+", metavar="CMD")
    args = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    actions = {"list": lambda _: _list(), "run": _run, "shell": _shell}
    actions |= {"build": _build, "build-debug": _build_debug, "fetch": _fetch}
    try:
        return actions[args.command](args)
    except (BuildError, LookupError, VMError, OSError, RuntimeError) as error:
        print(f"vm: {error}", file=sys.stderr)
        return EXIT_MACHINE


if __name__ == "__main__":
    sys.exit(main())
