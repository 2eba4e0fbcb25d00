# SPDX-License-Identifier: MIT
"""`bpfcompat exec`: runs one bare program in user space and prints its result. Needs the package bpfcompat_verifier
(verifier/user), which is built on its first use."""

import argparse
import os
import struct
import sys
from typing import Any, List

PACKET_TYPES = {"socket_filter": 1, "sched_cls": 3, "sched_act": 4, "xdp": 6, "cgroup_skb": 8}
LONGEST_CONTEXT = 2048
LD_IMM64, CALL, EXIT = 0x18, 0x85, 0x95
TYPES = dict(PACKET_TYPES, kprobe=2, tracepoint=5, perf_event=7, raw_tracepoint=17)


def verifier() -> Any:
    """The package, installed or in the tree that this file is in."""
    try:
        import bpfcompat_verifier
    except ImportError:
        tree = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "verifier", "user")
        sys.path.insert(0, tree)
        import bpfcompat_verifier
    return bpfcompat_verifier


def hexadecimal(text: str) -> bytes:
    return bytes.fromhex("".join(text.split()))


def program(text: str, memory: bytes) -> bytes:
    """The instructions, after one that sets r2: nothing else gives a program its memory's length."""
    code = hexadecimal(text)
    if not code or len(code) % 8:
        raise ValueError("a program is a number of 8-byte instructions")
    return struct.pack("<BBhIBBhI", 0x18, 2, 0, len(memory), 0, 0, 0, 0) + code


def check_paths(code: bytes) -> None:
    """What neither engine looks at, since a verifier has: jumps lead to instructions, and the program has an end."""
    insns = list(struct.iter_unpack("<BBhi", code))
    inner = {at + 1 for at, insn in enumerate(insns) if insn[0] == LD_IMM64}
    inner = {at for at in inner if at - 1 not in inner}
    for at, (opcode, _, off, imm) in enumerate(insns):
        if at in inner or opcode & 7 not in (5, 6) or opcode in (CALL, EXIT):
            continue
        to = at + 1 + (imm if opcode == 0x06 else off)
        if not 0 <= to < len(insns) or to in inner:
            # One instruction of ours comes before the program's, and has two slots.
            raise ValueError("instruction {}: a jump to {}, which is none".format(at - 2, to - 2))
    if len(insns) - 1 in inner or insns[-1][0] not in (EXIT, 0x05, 0x06):
        raise ValueError("the last instruction is neither an exit nor a jump")


def main(argv: List[str]) -> int:
    about = "Runs the program on standard input, in hexadecimal, and prints r0."
    parser = argparse.ArgumentParser(prog="bpfcompat exec", description=about)
    parser.add_argument("--engine", choices=("interp", "jit"), default="jit")
    parser.add_argument("--memory", type=hexadecimal, default=b"", metavar="HEX", help="what r1 points to; r2 is its length")
    parser.add_argument("--type", choices=sorted(TYPES), default="tracepoint",
                        help="of the program; for those on packets the memory is one")
    parser.add_argument("--no-verify", action="store_true", help="run it whatever it does")
    options = parser.parse_args(argv)
    try:
        code = program(sys.stdin.read(), options.memory)
        if options.no_verify:
            check_paths(code)
    except ValueError as error:
        sys.stderr.write("bpfcompat exec: {}\n".format(error))
        return 2
    try:
        package = verifier()
    except ImportError as error:
        sys.stderr.write("bpfcompat exec: {}: this command needs the package in verifier/user\n".format(error))
        return 1
    on_packet = options.type in PACKET_TYPES and not options.no_verify
    # Verified programs may read all that a context of their type can have.
    context = options.memory if options.no_verify else options.memory.ljust(LONGEST_CONTEXT, b"\0")
    with package.World() as world:
        if options.no_verify:
            fd = world.raw(code, TYPES["tracepoint"])
            if not world.code(fd):
                sys.stderr.write("bpfcompat exec: an instruction or a helper that is none\n")
                return 2
        else:
            verdict = world.load(code, TYPES[options.type])
            if not verdict.ok:
                sys.stderr.write(verdict.log + "bpfcompat exec: refused: {}\n".format(verdict.error))
                return 1
            fd = verdict.fd
        given = {"packet": options.memory} if on_packet else {"ctx": context}
        result = world.run(fd, jit=options.engine == "jit", **given)
    if result.mem_violations:
        sys.stderr.write("bpfcompat exec: {}\n".format(result.message))
        return 1
    sys.stdout.write("{:x}\n".format(result.retval))
    return 0
