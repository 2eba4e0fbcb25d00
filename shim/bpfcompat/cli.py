# SPDX-License-Identifier: MIT
"""The command line. Each command's module is imported when it is asked for, so that `run` starts fast."""

import sys
from typing import List, Optional

USAGE = """usage: bpfcompat COMMAND ...

  run [--] CMD...                 run CMD with bpf(2) answered by the module
  doctor [--json]                 what this kernel offers, what is missing, what to do
  status [--json]                 the module's counters
  btf make VMLINUX [-o FILE]      make BTF of a kernel's image with debug information (anywhere; needs pahole)
  btf load [FILE]                 hand the running kernel's BTF to the module
  btf show FILE                   what a BTF file holds
  check FILE.o [--btf FILE] ...   verify the programs of an object file, in user space
  exec [--engine interp|jit] ...  run one program, in hexadecimal on standard input, in user space

`bpfcompat COMMAND --help` tells more. Exit status of `run`: the command's own; 127: not found; 126: cannot be started.
"""


def main(argv: Optional[List[str]] = None) -> int:
    args = sys.argv[1:] if argv is None else argv
    if not args or args[0] in ("-h", "--help", "help"):
        (sys.stdout if args else sys.stderr).write(USAGE)
        return 0 if args else 2
    if args[0] in ("-V", "--version"):
        from bpfcompat import __version__

        print("bpfcompat " + __version__)
        return 0
    command, rest = args[0], args[1:]
    if command == "run":
        if rest and rest[0] in ("-h", "--help"):
            sys.stdout.write(USAGE)
            return 0
        from bpfcompat.run import run

        return run(rest[1:] if rest and rest[0] == "--" else rest)
    if command == "doctor":
        from bpfcompat.doctor import main as doctor

        return doctor(rest)
    if command == "status":
        from bpfcompat.status import main as status

        return status(rest)
    if command == "btf":
        from bpfcompat.btf import main as btf

        return btf(rest)
    if command == "check":
        from bpfcompat.check import main as check

        return check(rest)
    if command == "exec":
        from bpfcompat.exec import main as execute

        return execute(rest)
    sys.stderr.write("bpfcompat: unknown command {}\n{}".format(command, USAGE))
    return 2
