# SPDX-License-Identifier: MIT
"""Runs inside a machine: programs that call kernel functions by their BTF. Prints one JSON object of answers; test_kfunc.py judges them.

The same natively and on the module. Standard library only. A kernel without the functions in its BTF answers for the weak call alone.
"""

import json
import os
import struct
import sys

import bpfsys as b
from kernel_btf import FUNC, of_this_kernel

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a

SCHED_CLS, SK_FULLSOCK, JIFFIES64 = 3, 95, 118
btf = of_this_kernel()


def kfunc(name):
    number = btf.find(FUNC, "bpf_kfunc_" + name)
    assert number, name
    return a.call_kfunc(number)


def run(*items, license=b"GPL", fd_array=None):
    """What a program returns, or the errno and the line of the log that says why."""
    fds = b.buf(struct.pack("<%di" % len(fd_array), *fd_array)) if fd_array else None
    prog = b.Prog(a.asm(*items), SCHED_CLS, license=license, log_level=1, log_size=1 << 16, fd_array=b.addr(fds))
    fd = prog.load()
    if fd < 0:
        said = [line for line in prog.log_text().splitlines() if "processed" not in line and "verification time" not in line]
        return [fd, said[-1] if said else ""]
    packet = b.buf(bytes(64))
    attr = b.buf(struct.pack("<IIIIQQIIQQIIII", fd, 0, 64, 0, b.addr(packet), 0, 1, 0, 0, 0, 0, 0, 0, 0))
    b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
    os.close(fd)
    return struct.unpack_from("<I", attr.raw, 4)[0]


OUT = [a.mov_imm(a.R0, 0), a.exit_()]


def held(*items):
    """With the test object in r6; else 99."""
    return [
        a.mov(a.R9, a.R1),
        a.st(8, a.R10, -8, 0),
        a.mov(a.R1, a.R10),
        a.add_imm(a.R1, -8),
        kfunc("call_test_acquire"),
        a.jmp_imm("ne", a.R0, 0, 2),
        a.mov_imm(a.R0, 99),
        a.exit_(),
        a.mov(a.R6, a.R0),
        *items,
        a.mov(a.R1, a.R6),
        kfunc("call_test_release"),
        a.mov(a.R0, a.R7),
        a.exit_(),
    ]


def socket(*items):
    """With the packet's socket in r1; else 99."""
    return [
        a.ldx(8, a.R1, a.R1, 168),
        a.jmp_imm("ne", a.R1, 0, 2),
        a.mov_imm(a.R0, 99),
        a.exit_(),
        a.call(SK_FULLSOCK),
        a.jmp_imm("ne", a.R0, 0, 2),
        a.mov_imm(a.R0, 98),
        a.exit_(),
        a.mov(a.R1, a.R0),
        *items,
    ]


def memory(name):
    return [
        a.mov(a.R1, a.R6),
        a.mov_imm(a.R2, 8),
        kfunc("call_test_get_" + name),
        a.mov_imm(a.R7, 97),
        a.jmp_imm("eq", a.R0, 0, 3),
        a.ldx(4, a.R7, a.R0, 4),
        a.ldx(4, a.R8, a.R0, 0),
        a.add(a.R7, a.R8),
    ]


def calls():
    test1 = kfunc("call_test1")
    own = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")), "BTF")
    return {
        "object": run(*held(a.ldx(4, a.R7, a.R6, 0), a.ldx(4, a.R8, a.R6, 4), a.add(a.R7, a.R8))),
        "walked": run(*held(a.ldx(8, a.R8, a.R6, 16), a.ldx(4, a.R7, a.R8, 4))),
        "memory": run(*held(*memory("rdwr_mem"))),
        "memory read": run(*held(*memory("rdonly_mem"))),
        "memory too large": run(*held(
            a.mov(a.R1, a.R6), a.mov_imm(a.R2, 12), kfunc("call_test_get_rdwr_mem"), a.mov_imm(a.R7, 1),
            a.jmp_imm("eq", a.R0, 0, 1), a.mov_imm(a.R7, 2))),
        "context": run(kfunc("call_test_pass_ctx"), *OUT),
        "sum": run(*socket(
            a.mov_imm(a.R2, -1), a.mov_imm(a.R3, 2), a.mov_imm(a.R4, 3), a.mov_imm(a.R5, 4), test1, a.mov(a.R6, a.R0),
            a.alu64_imm("rsh", a.R0, 32), a.alu64_imm("lsh", a.R0, 8), a.add(a.R0, a.R6), a.exit_())),
        "sum of two": run(*socket(a.mov_imm(a.R2, 7), a.mov_imm(a.R3, 8), kfunc("call_test2"), a.exit_())),
        "given back twice": run(*held(
            a.mov(a.R1, a.R6), kfunc("call_test_release"), a.mov_imm(a.R7, 0))),
        "not given back": run(*held()[:9], *OUT),
        "no licence": run(kfunc("call_test_pass_ctx"), *OUT, license=b"none"),
        "other function": run(a.mov_imm(a.R1, 0), a.call_kfunc(btf.find(FUNC, "do_exit")), *OUT),
        "no fds": run(a.call_kfunc(1, 1), *OUT),
        "no such fd": run(a.call_kfunc(1, 1), *OUT, fd_array=[0, 999]),
        "not a module's": run(a.call_kfunc(1, 1), *OUT, fd_array=[0, own]),
        "negative": run(a.call_kfunc(1, -1), *OUT, fd_array=[0, 0]),
        "destructive": run(kfunc("call_test_destructive"), *OUT),
    }  # fmt: skip


def ticks():
    """Ticks pass between two runs, and not many within one."""
    twice = [a.call(JIFFIES64), a.mov(a.R6, a.R0), a.call(JIFFIES64), a.alu64("sub", a.R0, a.R6),
             a.jmp_imm("le", a.R0, 1000, 1), a.mov_imm(a.R0, 5000), a.alu64_imm("rsh", a.R0, 10), a.exit_()]  # fmt: skip
    return [run(*twice), run(a.call(JIFFIES64), a.jmp_imm("ne", a.R0, 0, 2), a.mov_imm(a.R0, 1), a.exit_(), *OUT)]


def main():
    there = bool(btf.find(FUNC, "bpf_kfunc_call_test1"))
    answers = calls() if there else {}
    answers["weak, reached"] = run(a.call_kfunc(0), *OUT)
    answers["weak, not reached"] = run(a.mov_imm(a.R0, 0), a.jmp_imm("eq", a.R0, 0, 1), a.call_kfunc(0), *OUT)
    answers["no function"] = run(a.call_kfunc(1), *OUT)
    answers["ticks"] = ticks()
    print(json.dumps({"there": there, "answers": answers}))


main()
