# SPDX-License-Identifier: MIT
"""`bpfcompat btf`: makes, shows and loads the type information that CO-RE programs need of the kernel."""

import argparse
import sys
from typing import List


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="bpfcompat btf", description="The kernel's BTF.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    make = commands.add_parser("make", help="make BTF of a vmlinux with DWARF (needs pahole and pyelftools)")
    make.add_argument("vmlinux", metavar="VMLINUX", help="the kernel's image with debug information")
    make.add_argument("-o", "--output", metavar="FILE", help="default: VMLINUX.btf; FILE.json goes beside it")
    make.add_argument("--pahole", default="pahole", help="the pahole to run (1.22 or newer)")
    load = commands.add_parser("load", help="hand the running kernel's BTF to the module")
    load.add_argument("file", metavar="FILE", nargs="?", help="made by `btf make`, or BTFHub's RELEASE.btf[.tar.xz]")
    load.add_argument(
        "--trust",
        action="store_true",
        help="FILE has no build id and no release in its name: you know that it is of the running kernel",
    )
    show = commands.add_parser("show", help="what a BTF file holds")
    show.add_argument("file", metavar="FILE")
    args = parser.parse_args(argv)
    if args.command is None:
        parser.print_usage(sys.stderr)
        return 2
    from bpfcompat.btf.blob import BtfError

    try:
        if args.command == "make":
            from bpfcompat.btf.make import make as make_btf

            make_btf(args.vmlinux, args.output, args.pahole)
        elif args.command == "load":
            from bpfcompat.btf.load import load as load_btf

            print(load_btf(args.file, args.trust))
        else:
            from bpfcompat.btf.load import show as show_btf

            print(show_btf(args.file))
    except (BtfError, OSError) as error:
        sys.stderr.write("bpfcompat: {}\n".format(error))
        return 1
    return 0
