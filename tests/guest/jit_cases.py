# SPDX-License-Identifier: MIT
"""Runs inside a machine: programs as they run there, by the engine that the module's parameter chose. Prints one JSON object as its answer.

usage: jit_cases.py VECTORS BTF [native [CASE...]]
VECTORS holds programs made by tests/vectors.py, pickled; BTF is the kernel's. The same natively and on the module. Standard library only.
"""

import ctypes
import json
import os
import pickle
import struct
import subprocess
import sys
import traceback

import bpfsys as b
from kernel_btf import KernelBtf

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a
from programs.btf import Btf

TASK_BTF, TAIL_CALL, LOOP = 158, 12, 181
SET_ROBUST_LIST = 273
libc = ctypes.CDLL(None, use_errno=True)
CASES = []


def case(function):
    CASES.append(function)
    return function


def functions(code):
    """Attributes that name each subprogram; callbacks and tail calls in subprograms need that."""
    starts = {0}
    for at in range(0, len(code), 8):
        if (code[at], code[at + 1] >> 4) in ((0x85, 1), (0x18, 4)):
            starts.add(at // 8 + 1 + struct.unpack_from("<i", code, at + 4)[0])
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    records = b.buf(b"".join(struct.pack("<II", at, btf.func("f%d" % at, proto)) for at in sorted(starts)))
    return {"prog_btf_fd": b.check(b.btf_load(btf.blob()), "BTF"), "func_info_rec_size": 8, "func_info": b.addr(records),
            "func_info_cnt": len(starts)}


def load(code, kind=b.RAW_TRACEPOINT, **fields):
    prog = b.Prog(code, kind, log_level=1, log_size=1 << 16, **fields)
    fd = prog.load()
    if fd < 0:
        raise AssertionError("PROG_LOAD: %d\n%s" % (fd, prog.log_text()[-1500:]))
    return fd


def run(fd):
    """What a raw tracepoint program returned: 32 bits of it."""
    attr = b.buf(struct.pack("<IIIIQQIIIIQQIII", fd, *[0] * 14))
    b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
    return struct.unpack_from("<I", attr, 4)[0]


def patched(code, fd):
    """The program with the map's fd where a map's value is loaded."""
    code = bytearray(code)
    for at in range(0, len(code), 8):
        if code[at] == 0x18 and code[at + 1] >> 4 == 2:
            struct.pack_into("<I", code, at + 4, fd)
    return bytes(code)


@case
def vectors():
    wrong = []
    with open(sys.argv[1], "rb") as file:
        parts = pickle.load(file)
    for code, before, after, names in parts:
        fd = b.check(b.map_create(b.ARRAY, 4, len(before), 1), "map")
        b.check(b.update(fd, bytes(4), before), "update")
        prog = b.check(b.prog_load(patched(code, fd), b.RAW_TRACEPOINT), "PROG_LOAD")
        assert run(prog) == 0
        value = b.lookup(fd, bytes(4), len(before))
        os.close(prog)
        os.close(fd)
        half = len(before) // 2
        for index, name in enumerate(names):
            place = half + index * 80
            if value[place : place + 80] != after[place : place + 80]:
                got, want = value[place : place + 80], after[place : place + 80]
                wrong.append("%s: %s, not %s" % (name, struct.unpack("<10Q", got), struct.unpack("<10Q", want)))
    assert parts
    assert not wrong, "%d wrong: %s" % (len(wrong), wrong[:3])


def info(fd):
    """jited_prog_len, nr_jited_ksyms, nr_jited_func_lens, code, addresses, lengths"""
    data = bytearray(224)
    out = b.buf(bytes(data))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 224, b.addr(out))), "info")
    length, syms, lens = struct.unpack_from("<I", out, 16)[0], *struct.unpack_from("<II", out, 104)
    code, addresses, lengths = b.buf(max(length, 1)), b.buf(8 * max(syms, 1)), b.buf(4 * max(lens, 1))
    request = bytearray(224)
    struct.pack_into("<I", request, 16, length)
    struct.pack_into("<Q", request, 24, b.addr(code))
    struct.pack_into("<II", request, 104, syms, lens)
    struct.pack_into("<QQ", request, 112, b.addr(addresses), b.addr(lengths))
    out = b.buf(bytes(request))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 224, b.addr(out))), "info")
    shown = [struct.unpack_from("<Q", out, at)[0] != 0 for at in (24, 112, 120)]
    return (length, syms, lens, code.raw[:length], struct.unpack("<%dQ" % syms, addresses.raw[: 8 * syms]),
            struct.unpack("<%dI" % lens, lengths.raw[: 4 * lens]), shown)


def two_subprograms():
    return a.asm(a.mov_imm(a.R1, 20), a.call_sub("sub"), a.mov(a.R6, a.R0), a.add_imm(a.R6, 1), a.mov(a.R0, a.R6), a.exit_(),
                 "sub", a.mov(a.R0, a.R1), a.add(a.R0, a.R0), a.exit_())


@case
def code_is_told():
    prog = load(two_subprograms())
    assert run(prog) == 41
    length, syms, lens, code, addresses, lengths, shown = info(prog)
    jited = "prog_jited:\t1" in open("/proc/self/fdinfo/%d" % prog).read()
    assert jited == bool(length)
    if jited:
        assert (syms, lens) == (2, 2), (syms, lens)
        assert sum(lengths) == length == len(code)
        assert code.strip(b"\0")
        assert all(address >> 47 == 0x1FFFF for address in addresses), addresses
        assert addresses[0] != addresses[1]
        assert shown == [True] * 3
    os.close(prog)
    return jited


@case
def addresses_are_kept():
    """From whoever may not see them: nobody may at kptr_restrict 2."""
    prog = load(two_subprograms())
    before = open("/proc/sys/kernel/kptr_restrict").read()
    try:
        with open("/proc/sys/kernel/kptr_restrict", "w") as file:
            file.write("2")
        length, _, _, code, addresses, lengths, shown = info(prog)
    finally:
        with open("/proc/sys/kernel/kptr_restrict", "w") as file:
            file.write(before)
    assert not code.strip(b"\0")
    assert not any(addresses)
    assert not any(lengths)
    assert shown == [False] * 3 or not length, shown
    os.close(prog)


@case
def bpftool_tells_of_code():
    """Debian's bpftool is built without a disassembler: it cannot dump the code."""
    prog = load(two_subprograms(), prog_name=b"told")
    length = info(prog)[0]
    out = subprocess.run(["bpftool", "-j", "prog", "show", "name", "told"], stdout=subprocess.PIPE, check=True).stdout
    told = json.loads(out)
    assert told["jited"] == bool(length), told
    assert told.get("bytes_jited", 0) == length, told
    os.close(prog)


@case
def loads_survive_bad_addresses():
    """robust_list is a pointer to a struct that a process sets to whatever it likes."""
    task_off = KernelBtf(sys.argv[2]).offset("task_struct", "robust_list")
    banner = next(int(line.split()[0], 16) for line in open("/proc/kallsyms") if line.split()[2] == "linux_banner")
    places = {
        "null": 0, "user": 0x10000, "hole": 0x8000_0000_0000_0000, "poison": 0xDEAD_0000_0000_0100,
        "unmapped": 0xFFFF_F7FF_FFFF_F000, "vsyscall": 0xFFFF_FFFF_FF60_0000, "before vsyscall": 0xFFFF_FFFF_FF5F_FFFC,
        "last": U64 - 7, "wraps": U64 - 11, "good": banner,
    }
    if sys.argv[3:4] == ["native"]:
        # Linux 6.1 itself goes down there: its fault handler takes the page for the user's.
        places = {name: place for name, place in places.items() if "vsyscall" not in name}
    answers = {}
    for name, address in places.items():
        prog = load(a.asm(a.call(TASK_BTF), a.ldx(8, a.R1, a.R0, task_off), a.ldx(8, a.R0, a.R1, 8), a.mov_imm(a.R2, 7),
                          a.mov(a.R3, a.R0), a.alu64_imm("rsh", a.R3, 32), a.add(a.R0, a.R3), a.exit_()))
        assert libc.syscall(ctypes.c_long(SET_ROBUST_LIST), ctypes.c_ulong((address - 8) & U64), ctypes.c_ulong(24)) == 0
        answers[name] = run(prog)
        libc.syscall(ctypes.c_long(SET_ROBUST_LIST), ctypes.c_ulong(0), ctypes.c_ulong(24))
        os.close(prog)
    want = sum(struct.unpack("<II", b"Linux ve")) & 0xFFFFFFFF
    assert answers.pop("good") == want
    # Old kernels let the kernel read the page of vsyscalls; what counts is that it survives.
    assert not any(answer for name, answer in answers.items() if "vsyscall" not in name), answers


U64 = (1 << 64) - 1


@case
def fields_kept_elsewhere():
    """Old kernels keep a task's start in another unit; the types made for them give it an address that no field has."""
    off = KernelBtf(sys.argv[2]).offset("task_struct", "start_time")
    prog = load(a.asm(a.call(TASK_BTF), a.ldx(8, a.R0, a.R0, off), a.alu64_imm("div", a.R0, 10_000_000), a.exit_()))
    ticks = int(open("/proc/self/stat").read().rsplit(") ", 1)[1].split()[19])
    assert abs(run(prog) - ticks) <= 1
    os.close(prog)


@case
def tail_calls_from_subprograms():
    """The chain is long, and each link leaves a frame of its subprogram behind."""
    table = b.check(b.map_create(b.PROG_ARRAY, 4, 4, 1), "prog array")
    counter = b.check(b.map_create(b.ARRAY, 4, 8, 1), "counter")
    code = a.asm(
        a.mov(a.R6, a.R1), a.ld_map_value(a.R2, counter), a.ldx(8, a.R3, a.R2), a.add_imm(a.R3, 1), a.stx(8, a.R2, 0, a.R3),
        a.mov(a.R1, a.R6), a.call_sub("sub"), a.add_imm(a.R0, 1), a.exit_(),
        "sub", a.st(8, a.R10, -64, 1), a.ld_map(a.R2, table), a.mov_imm(a.R3, 0), a.call(TAIL_CALL), a.mov_imm(a.R0, 100), a.exit_(),
    )
    prog = load(code, **functions(code))
    b.check(b.update(table, bytes(4), struct.pack("<I", prog)), "slot")
    result = run(prog)
    count = struct.unpack("<Q", b.lookup(counter, bytes(4), 8))[0]
    for fd in (prog, table, counter):
        os.close(fd)
    assert (result, count) == (134, 34), (result, count)


@case
def callbacks_nest():
    """A loop in a loop's callback, both on the outermost frame's stack; each frame has its own beside."""
    code = a.asm(
        a.st(8, a.R10, -8, 0), a.mov_imm(a.R1, 10), a.ld_func(a.R2, "outer"), a.mov(a.R3, a.R10), a.add_imm(a.R3, -8),
        a.mov_imm(a.R4, 0), a.call(LOOP), a.ldx(8, a.R0, a.R10, -8), a.exit_(),
        "outer", a.stx(8, a.R10, -8, a.R1), a.mov(a.R6, a.R2), a.mov_imm(a.R1, 5), a.ld_func(a.R2, "inner"), a.mov(a.R3, a.R6),
        a.mov_imm(a.R4, 0), a.call(LOOP), a.ldx(8, a.R1, a.R6), a.ldx(8, a.R2, a.R10, -8), a.add(a.R1, a.R2),
        a.stx(8, a.R6, 0, a.R1), a.mov_imm(a.R0, 0), a.exit_(),
        "inner", a.ldx(8, a.R3, a.R2), a.add_imm(a.R3, 100), a.stx(8, a.R2, 0, a.R3), a.st(8, a.R10, -8, 77), a.mov_imm(a.R0, 0),
        a.exit_(),
    )
    prog = load(code, **functions(code))
    assert run(prog) == 10 * 5 * 100 + 45
    os.close(prog)


def main():
    answers = {}
    for function in CASES:
        if sys.argv[4:] and function.__name__ not in sys.argv[4:]:
            continue
        try:
            told = function()
            answers[function.__name__] = "ok" if told is None else told
        except Exception:
            answers[function.__name__] = traceback.format_exc(limit=4)
    print(json.dumps(answers))


main()
