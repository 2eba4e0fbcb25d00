# SPDX-License-Identifier: MIT
"""Small programs that must be refused, by class, with the errno and a part of the message that Linux 6.1 answers."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R10
from programs.case import (
    CGROUP_SOCK,
    COMM,
    COOKIE,
    FOR_EACH,
    GET_FUNC_IP,
    GET_STACK,
    KPROBE,
    KTIME,
    LOOKUP,
    LOOP,
    PERF_EVENT,
    PERF_OUTPUT,
    PID_TGID,
    PRANDOM,
    PROBE_READ_KERNEL,
    RAW_TRACEPOINT,
    RAW_TRACEPOINT_WRITABLE,
    RB_DISCARD,
    RB_OUTPUT,
    RB_RESERVE,
    RB_SUBMIT,
    SCHED_CLS,
    SKB_LOAD,
    SNPRINTF,
    SPIN_LOCK,
    SPIN_UNLOCK,
    STACKID,
    STRNCMP,
    STRTOL,
    TAIL_CALL,
    TRACEPOINT,
    UPDATE,
    XDP,
    Case,
    ld_map,
    ld_value,
)

CASES: list[Case] = []
_group = ""

Item = a.Insn | tuple[a.Insn, ...] | list[a.Insn] | str


def group(name: str) -> None:
    """The cases from here on are of this class."""
    global _group
    _group = name


def no(name: str, error: str, message: str, *items: Item, **more: object) -> None:
    """A program that must be refused."""
    CASES.append(Case(f"{_group}/{name}", _group, a.asm(*items), error=error, message=message,
    **more))  # type: ignore[arg-type]


def lookup(name: str, key: int = 0, size: int = 4) -> list[a.Insn]:
    """r0 = map_lookup_elem(name, &key); the key lies at fp-8."""
    return [
        a.st(size if size == 8 else 4, R10, -8, key), a.mov(R2, R10), a.add_imm(R2, -8), *ld_map(R1, name),
        a.call(LOOKUP),
    ]


def found(name: str) -> list[Item]:
    """The same, and out with 0 when there is none."""
    return [*lookup(name), a.jmp_imm("ne", R0, 0, 2), a.mov_imm(R0, 0), a.exit_()]


def reserve(size: int = 8) -> list[a.Insn]:
    """r6 = ringbuf_reserve(ring, size, 0)."""
    return [*ld_map(R1, "ring"), a.mov_imm(R2, size), a.mov_imm(R3, 0), a.call(RB_RESERVE), a.mov(R6, R0)]


OUT = [a.mov_imm(R0, 0), a.exit_()]

group("uninitialised")
no("exit without r0", "EACCES", "R0 !read_ok", a.exit_())
no("move of r2", "EACCES", "R2 !read_ok", a.mov(R0, R2), a.exit_())
no("32-bit move of r3", "EACCES", "R3 !read_ok", a.mov32(R0, R3), a.exit_())
no("argument after a call", "EACCES", "R1 !read_ok", a.call(KTIME), a.mov(R0, R1), a.exit_())
no("r5 after a call", "EACCES", "R5 !read_ok", a.mov_imm(R5, 1), a.call(KTIME), a.add(R0, R5), a.exit_())
no("set on one way only", "EACCES", "R0 !read_ok",
   a.ldx(4, R2, R1, 0), a.jmp_imm("eq", R2, 0, "out"), a.mov_imm(R0, 1), "out", a.exit_())
no("comparison", "EACCES", "R3 !read_ok", a.jmp_imm("eq", R3, 0, 0), *OUT)
no("comparison source", "EACCES", "R4 !read_ok", a.jmp("eq", R1, R4, 0), *OUT)
no("stored register", "EACCES", "R2 !read_ok", a.stx(8, R10, -8, R2), *OUT)
no("base of a load", "EACCES", "R2 !read_ok", a.ldx(8, R0, R2), a.exit_())
no("atomic source", "EACCES", "R2 !read_ok", a.st(8, R10, -8, 0), a.atomic(8, "add", R10, -8, R2), *OUT)
no("cmpxchg without r0", "EACCES", "R0 !read_ok",
   a.st(8, R10, -8, 0), a.mov_imm(R2, 0), a.atomic(8, "cmpxchg", R10, -8, R2), *OUT)
no("caller's r6 in a subprogram", "EACCES", "R6 !read_ok",
   a.mov_imm(R6, 1), a.call_sub("sub"), a.exit_(), "sub", a.mov(R0, R6), a.exit_())
no("helper argument", "EACCES", "R2 !read_ok", ld_map(R1, "array"), a.call(LOOKUP), *OUT)
no("r1 of a called subprogram", "EACCES", "R2 !read_ok",
   a.mov_imm(R1, 1), a.call_sub("sub"), a.exit_(), "sub", a.mov(R0, R2), a.exit_())

group("stack")
no("below the frame", "EACCES", "invalid write to stack R10 off=-520 size=8", a.st(8, R10, -520, 0), *OUT)
no("across the frame's end", "EACCES", "misaligned stack access", a.st(8, R10, -4, 0), *OUT)
no("above the frame", "EACCES", "invalid write to stack R10 off=0 size=8", a.st(8, R10, 0, 0), *OUT)
no("load above the frame", "EACCES", "invalid read from stack", a.ldx(8, R0, R10, 8), a.exit_())
no("misaligned", "EACCES", "misaligned stack access", a.st(8, R10, -12, 0), *OUT)
no("misaligned by arithmetic", "EACCES", "misaligned stack access",
   a.mov(R2, R10), a.add_imm(R2, -15), a.st(4, R2, 0, 0), *OUT)
no("frame pointer written", "EACCES", "frame pointer is read only", a.mov_imm(R10, 0), *OUT)
no("frame pointer moved", "EACCES", "frame pointer is read only", a.add_imm(R10, -8), *OUT)
no("unbounded offset", "EINVAL", "unbounded min value", a.call(KTIME), a.mov(R2, R10), a.add(R2, R0), a.st(1, R2, 0, 0),
   *OUT)
no("variable write past the frame", "EINVAL", "invalid variable-offset write to stack",
   a.call(PRANDOM), a.alu64_imm("and", R0, 0xFF), a.mov(R2, R10), a.add_imm(R2, -8), a.add(R2, R0), a.st(1, R2, 0, 0),
   *OUT)
no("frames too large together", "EACCES", "combined stack size",
   a.st(8, R10, -304, 0), a.call_sub("sub"), a.exit_(), "sub", a.st(8, R10, -304, 0), *OUT)
no("pointer returned to the caller", "EINVAL", "cannot return stack pointer",
   a.call_sub("sub"), *OUT, "sub", a.mov(R0, R10), a.exit_())
no("callee's frame kept in the caller's", "EINVAL", "cannot spill",
   a.mov(R1, R10), a.add_imm(R1, -8), a.st(8, R10, -8, 0), a.call_sub("sub"), *OUT,
   "sub", a.stx(8, R1, 0, R10), *OUT)
no("spilled pointer overwritten", "EACCES", "invalid mem access 'scalar'",
   a.stx(8, R10, -8, R1), a.st(1, R10, -8, 0), a.ldx(8, R2, R10, -8), a.ldx(4, R0, R2), a.exit_())
no("half of a spilled pointer", "EACCES", "invalid size of register fill",
   a.stx(8, R10, -8, R1), a.ldx(4, R0, R10, -8), a.exit_())

group("map value")
no("past the end", "EACCES", "invalid access to map value, value_size=48 off=48 size=8",
   *found("array"), a.ldx(8, R0, R0, 48), a.exit_())
no("across the end", "EACCES", "invalid access to map value", *found("array"), a.ldx(8, R0, R0, 44), a.exit_())
no("before the start", "EACCES", "invalid access to map value", *found("array"), a.ldx(8, R0, R0, -8), a.exit_())
no("write past the end", "EACCES", "invalid access to map value", *found("array"), a.st(4, R0, 48, 1), *OUT)
no("may be NULL", "EACCES", "invalid mem access 'map_value_or_null'", *lookup("array"), a.ldx(8, R0, R0), a.exit_())
no("tested the wrong way", "EACCES", "invalid mem access 'scalar'",
   *lookup("array"), a.jmp_imm("eq", R0, 0, 1), a.exit_(), a.ldx(8, R0, R0), a.exit_())
no("other copy tested", "EACCES", "invalid mem access 'map_value_or_null'",
   *lookup("array"), a.mov(R6, R0), *lookup("array"), a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.ldx(8, R0, R6), a.exit_())
no("arithmetic before the test", "EACCES", "null-check it first",
   *lookup("array"), a.add_imm(R0, 8), a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.ldx(8, R0, R0), a.exit_())
no("unbounded index", "EACCES", "unbounded memory access",
   *found("array"), a.mov(R6, R0), a.call(PRANDOM), a.mov32(R0, R0), a.add(R6, R0), a.ldx(1, R0, R6), a.exit_())
no("signed index", "EACCES", "min value is negative",
   *found("array"), a.ldx(8, R1, R0), a.jmp_imm("sgt", R1, 40, "out"), a.jmp_imm("slt", R1, -8, "out"), a.add(R0, R1),
   a.ldx(1, R0, R0), "out", *OUT)
no("index bounded too late", "EACCES", "outside of the allowed memory range",
   *found("array"), a.ldx(4, R1, R0), a.alu64_imm("and", R1, 0x3F), a.add(R0, R1), a.ldx(8, R0, R0), a.exit_())
no("only the upper bound in 32 bits", "EINVAL", "unbounded min value",
   *found("array"), a.ldx(8, R1, R0), a.jmp32_imm("gt", R1, 40, "out"), a.add(R0, R1), a.ldx(1, R0, R0), a.exit_(),
   "out", *OUT)
no("unknown offset added", "EINVAL", "unbounded min value",
   *found("array"), a.ldx(8, R1, R0), a.add(R0, R1), a.ldx(1, R0, R0), a.exit_())
no("off by one", "EACCES", "outside of the allowed memory range",
   *found("array"), a.ldx(8, R1, R0), a.jmp_imm("gt", R1, 48, "out"), a.add(R0, R1), a.ldx(1, R0, R0), a.exit_(),
   "out", *OUT)
no("far offset", "EINVAL", "math between map_value pointer and 1073741824 is not allowed", *found("array"),
   a.add_imm(R0, 1 << 30), a.ldx(1, R0, R0), a.exit_())
no("direct past the end", "EINVAL", "invalid access to map value pointer", ld_value(R1, "small", 8), *OUT)
no("direct in a hash map", "EINVAL", "no direct value access support", ld_value(R1, "hash"), *OUT)
no("direct in an array of four", "ENOTSUPP", "invalid access to map value pointer", ld_value(R1, "array"), *OUT)
no("write to read-only", "EACCES", "write into map forbidden", *found("rdonly"), a.st(8, R0, 0, 1), *OUT)
no("write to frozen", "EACCES", "write into map forbidden", ld_value(R1, "rodata"), a.st(8, R1, 0, 1), *OUT)
no("read of write-only", "EACCES", "read from map forbidden", *found("wronly"), a.ldx(8, R0, R0), a.exit_())
no("atomic on read-only", "EACCES", "map forbidden",
   *found("rdonly"), a.mov_imm(R1, 1), a.atomic(8, "add", R0, 0, R1), *OUT)
no("misaligned atomic", "EACCES", "misaligned value access",
   *found("array"), a.mov_imm(R1, 1), a.atomic(8, "add", R0, 1, R1), *OUT)

group("map arguments")
no("fd of nothing", "EBADF", "is not pointing to valid bpf_map", a.ld_map(R1, 987654), *OUT)
no("store through a map pointer", "EACCES", "only read from bpf_array is supported",
   ld_map(R1, "array"), a.st(8, R1, 0, 0), *OUT, needs_btf=True)
no("arithmetic on a map pointer", "EACCES", "pointer arithmetic on map_ptr prohibited",
   ld_map(R1, "array"), a.add_imm(R1, 8), *OUT)
no("number as map", "EACCES", "R1 type=scalar expected=map_ptr",
   a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -8), a.mov_imm(R1, 5), a.call(LOOKUP), *OUT)
no("context as map", "EACCES", "R1 type=ctx expected=map_ptr",
   a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -8), a.call(LOOKUP), *OUT)
no("key above the frame", "EACCES", "stack", a.mov(R2, R10), ld_map(R1, "array"), a.call(LOOKUP), *OUT)
no("number as key", "EACCES", "R2 type=scalar expected=fp", a.mov_imm(R2, 0), ld_map(R1, "array"), a.call(LOOKUP), *OUT)
no("value past a map value", "EACCES", "invalid access to map value",
   *found("array"), a.mov(R3, R0), a.add_imm(R3, 40), a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -8),
   a.mov_imm(R4, 0), ld_map(R1, "hash"), a.call(UPDATE), *OUT)
no("look-up in a ring buffer", "EACCES", "invalid zero-sized read", *lookup("ring"), *OUT)
no("look-up in a prog array", "EINVAL", "cannot pass map_type 3", *lookup("progs"), *OUT)
no("output to an array", "EINVAL", "cannot pass map_type 2 into func bpf_perf_event_output#25",
   a.st(8, R10, -8, 0), ld_map(R2, "array"), a.mov_imm(R3, 0), a.mov(R4, R10), a.add_imm(R4, -8), a.mov_imm(R5, 8),
   a.call(PERF_OUTPUT), *OUT, prog_type=KPROBE)
no("tail call into an array", "EINVAL", "",
   ld_map(R2, "array"), a.mov_imm(R3, 0), a.call(TAIL_CALL), *OUT)
no("stack id into an array", "EINVAL", "cannot pass map_type 2",
   ld_map(R2, "array"), a.mov_imm(R3, 0), a.call(STACKID), *OUT, prog_type=KPROBE)
no("reserve in an array", "EINVAL", "cannot pass map_type 2",
   ld_map(R1, "array"), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(RB_RESERVE), *OUT)

group("context")
no("past the end", "EACCES", "invalid bpf_context access off=200 size=4", a.ldx(4, R0, R1, 200), a.exit_())
no("negative", "EACCES", "invalid bpf_context access off=-4 size=4", a.ldx(4, R0, R1, -4), a.exit_())
no("write to len", "EACCES", "invalid bpf_context access off=0 size=4", a.mov_imm(R0, 0), a.stx(4, R1, 0, R0),
   a.exit_())
no("write of an immediate", "EACCES", "BPF_ST stores into R1 ctx is not allowed", a.st(4, R1, 48, 0), *OUT)
no("packet pointer in a socket filter", "EACCES", "invalid bpf_context access off=76 size=4", a.ldx(4, R0, R1, 76),
   a.exit_())
no("misaligned", "EACCES", "invalid bpf_context access off=1 size=4", a.ldx(4, R0, R1, 1), a.exit_())
no("too wide", "EACCES", "invalid bpf_context access off=0 size=8", a.ldx(8, R0, R1, 0), a.exit_())
no("padding", "EACCES", "invalid bpf_context access", a.ldx(1, R0, R1, 181), a.exit_())
no("write in a kprobe", "EACCES", "invalid bpf_context access off=0 size=8", a.mov_imm(R0, 0),
   a.stx(8, R1, 0, R0), a.exit_(), prog_type=KPROBE)
no("past pt_regs", "EACCES", "invalid bpf_context access off=168 size=8", a.ldx(8, R0, R1, 168), a.exit_(),
   prog_type=KPROBE)
no("across the end of pt_regs", "EACCES", "invalid bpf_context access", a.ldx(8, R0, R1, 164), a.exit_(),
   prog_type=KPROBE)
no("hidden start of a tracepoint", "EACCES", "invalid bpf_context access off=0 size=8", a.ldx(8, R0, R1, 0), a.exit_(),
   prog_type=TRACEPOINT)
no("past a tracepoint", "EACCES", "invalid bpf_context access", a.ldx(8, R0, R1, 8192), a.exit_(), prog_type=TRACEPOINT)
no("raw tracepoint's thirteenth", "EACCES", "invalid bpf_context access off=96 size=8", a.ldx(8, R0, R1, 96), a.exit_(),
   prog_type=RAW_TRACEPOINT)
no("write in a raw tracepoint", "EACCES", "invalid bpf_context access", a.mov_imm(R0, 0), a.stx(8, R1, 0, R0),
   a.exit_(),
   prog_type=RAW_TRACEPOINT)
no("half a register of a perf event", "EACCES", "invalid bpf_context access off=0 size=4", a.ldx(4, R0, R1, 0),
   a.exit_(), prog_type=PERF_EVENT)
no("read as bound socket", "EACCES", "invalid bpf_context access", a.ldx(4, R0, R1, 24), *OUT, prog_type=CGROUP_SOCK,
   attach_type=2)
no("moved pointer", "EACCES", "dereference of modified ctx ptr R1 off=8 disallowed",
   a.add_imm(R1, 8), a.ldx(4, R0, R1, 0), a.exit_())
no("variable offset", "EACCES", "ctx access var_off=",
   a.ldx(4, R2, R1, 0), a.alu64_imm("and", R2, 4), a.add(R1, R2), a.ldx(4, R0, R1, 0), a.exit_())
no("atomic", "EACCES", "BPF_ATOMIC stores into R1 ctx is not allowed",
   a.mov_imm(R2, 1), a.atomic(4, "add", R1, 48, R2), *OUT)
no("moved pointer to a helper", "EACCES", "dereference of modified ctx ptr R1 off=8 disallowed",
   a.add_imm(R1, 8), a.mov_imm(R2, 0), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 4), a.call(SKB_LOAD), *OUT)
no("number as context", "EACCES", "R1 type=scalar expected=ctx",
   a.mov_imm(R1, 8), a.mov_imm(R2, 0), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 4), a.call(SKB_LOAD), *OUT)
no("writable argument at a variable offset", "EACCES", "R6 invalid variable buffer offset: off=0, var_off=",
   a.ldx(8, R6, R1, 0), a.ldx(8, R7, R1, 8), a.alu64_imm("and", R7, 8), a.add(R6, R7), a.ldx(8, R0, R6, 0), a.exit_(),
   prog_type=RAW_TRACEPOINT_WRITABLE)
no("writable argument before its start", "EACCES", "R6 invalid tracepoint buffer access: off=-8, size=8", a.ldx(8, R6, R1, 0),
   a.ldx(8, R0, R6, -8), a.exit_(), prog_type=RAW_TRACEPOINT_WRITABLE)
no("half of a writable argument's address", "EACCES", "invalid bpf_context access off=0 size=4", a.ldx(4, R6, R1, 0), *OUT,
   prog_type=RAW_TRACEPOINT_WRITABLE)

group("packet")
PACKET = [a.ldx(4, R2, R1, 76), a.ldx(4, R3, R1, 80)]
no("no test of the end", "EACCES", "invalid access to packet, off=0 size=1", *PACKET, a.ldx(1, R0, R2), a.exit_(),
   prog_type=SCHED_CLS)
no("one byte too far", "EACCES", "invalid access to packet",
   *PACKET, a.mov(R4, R2), a.add_imm(R4, 8), a.jmp("gt", R4, R3, "out"), a.ldx(1, R0, R2, 8), a.exit_(), "out", *OUT,
   prog_type=SCHED_CLS)
no("tested the wrong way", "EACCES", "invalid access to packet",
   *PACKET, a.mov(R4, R2), a.add_imm(R4, 8), a.jmp("lt", R4, R3, "out"), a.ldx(1, R0, R2, 0), a.exit_(), "out", *OUT,
   prog_type=SCHED_CLS)
no("arithmetic on the end", "EACCES", "pointer arithmetic on pkt_end prohibited", *PACKET, a.add_imm(R3, 1), *OUT,
   prog_type=SCHED_CLS)
no("after the packet may have moved", "EACCES", "R7 invalid mem access 'scalar'",
   a.mov(R6, R1), *PACKET, a.mov(R7, R2), a.mov(R4, R2), a.add_imm(R4, 8), a.jmp("gt", R4, R3, "out"), a.mov_imm(R2, 8),
   a.mov(R1, R6), a.call(39), a.ldx(1, R0, R7), a.exit_(), "out", *OUT, prog_type=SCHED_CLS)
no("write in XDP's context", "EACCES", "invalid bpf_context access", a.mov_imm(R0, 0), a.stx(4, R1, 0, R0), a.exit_(),
   prog_type=XDP)
no("ld_abs without r6", "EINVAL", "R6 != pointer to skb", a.mov_imm(R6, 0), a.ld_abs(4, 0), a.exit_())
no("ld_abs in a kprobe", "EINVAL", "instructions not allowed for this program type",
   a.mov(R6, R1), a.ld_abs(4, 0), a.exit_(), prog_type=KPROBE)
no("r1 after ld_abs", "EACCES", "R1 !read_ok", a.mov(R6, R1), a.ld_abs(4, 0), a.ldx(4, R0, R1, 0), a.exit_())

group("sockets")
SK_LOOKUP, SK_RELEASE, SK_FULLSOCK, TCP_SOCK, CHECK_SYNCOOKIE = 84, 86, 95, 96, 100
SOCK_TUPLE = [a.st(8, R10, -16, 0), a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -16), a.mov_imm(R3, 12), a.mov_imm(R4, -1),
              a.mov_imm(R5, 0)]  # fmt: skip
SOCK_FOUND = [*SOCK_TUPLE, a.call(SK_LOOKUP)]
RELEASE_R0 = [a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R0), a.call(SK_RELEASE), "out"]
SKB_SK = [a.ldx(8, R1, R1, 168), a.jmp_imm("ne", R1, 0, "sk"), *OUT, "sk"]
no("never released", "EINVAL", "Unreleased reference id=", *SOCK_FOUND, *OUT, prog_type=SCHED_CLS)
no("released twice", "EACCES", "R1 type=scalar expected=sock", *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.mov(R6, R0),
   a.mov(R1, R0), a.call(SK_RELEASE), a.mov(R1, R6), a.call(SK_RELEASE), "out", *OUT, prog_type=SCHED_CLS)
no("released unseen", "EACCES", "R1 type=sock_or_null expected=sock", *SOCK_FOUND, a.mov(R1, R0), a.call(SK_RELEASE), *OUT,
   prog_type=SCHED_CLS)
no("released in one branch", "EINVAL", "Unreleased reference id=", a.ldx(4, R7, R1, 0), *SOCK_FOUND, a.jmp_imm("eq", R0, 0,
   "out"),
   a.jmp_imm("gt", R7, 40, "out"), a.mov(R1, R0), a.call(SK_RELEASE), "out", *OUT, prog_type=SCHED_CLS)
no("read after release", "EACCES", "R6 invalid mem access 'scalar'", *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.mov(R6, R0),
   a.mov(R1, R0), a.call(SK_RELEASE), a.ldx(4, R0, R6, 8), "out", *OUT, prog_type=SCHED_CLS)
no("cast used after release", "EACCES", "R7 invalid mem access 'scalar'", *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.mov(R6,
   R0),
   a.mov(R1, R0), a.call(TCP_SOCK), a.mov(R7, R0), a.mov(R1, R6), a.call(SK_RELEASE), a.jmp_imm("eq", R7, 0, "out"),
   a.ldx(4, R0, R7, 0), "out", *OUT, prog_type=SCHED_CLS)
no("the packet's own released", "EINVAL", "R1 must be referenced when passed to release function", *SKB_SK, a.call(SK_RELEASE),
   *OUT,
   prog_type=SCHED_CLS)
no("written to", "EACCES", "cannot write into sock", *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "o"), a.st(4, R0, 16, 1), "o",
   *RELEASE_R0, *OUT,
   prog_type=SCHED_CLS)
no("moved", "EACCES", "R0 pointer arithmetic on sock_or_null prohibited", *SOCK_FOUND, a.add_imm(R0, 8), *RELEASE_R0, *OUT,
   prog_type=SCHED_CLS)
no("type of a common socket", "EACCES", "R1 invalid sock_common access off=8 size=4", *SKB_SK, a.ldx(4, R0, R1, 8), a.exit_(),
   prog_type=SCHED_CLS)
no("beyond a socket", "EACCES", "invalid sock access off=80 size=4", *SKB_SK, a.call(SK_FULLSOCK), a.jmp_imm("eq", R0, 0, "out"),
   a.ldx(4, R0, R0, 80), "out", *OUT, prog_type=SCHED_CLS)
no("beyond a TCP socket", "EACCES", "invalid tcp_sock access off=112 size=4", *SKB_SK, a.call(TCP_SOCK), a.jmp_imm("eq", R0, 0,
   "out"),
   a.ldx(4, R0, R0, 112), "out", *OUT, prog_type=SCHED_CLS)
no("half a counter of TCP", "EACCES", "invalid tcp_sock access off=80 size=4", *SKB_SK, a.call(TCP_SOCK), a.jmp_imm("eq", R0,
   0, "out"),
   a.ldx(4, R0, R0, 80), "out", *OUT, prog_type=SCHED_CLS)
no("look-up in a socket filter", "EINVAL", "unknown func bpf_sk_lookup_tcp#84", *SOCK_FOUND, *RELEASE_R0, *OUT)
no("tail call with a reference", "EINVAL", "tail_call would lead to reference leak", a.mov(R6, R1), *SOCK_FOUND, a.mov(R7, R0),
   a.mov(R1, R6), ld_map(R2, "progs"), a.mov_imm(R3, 0), a.call(TAIL_CALL), a.mov(R0, R7), *RELEASE_R0, *OUT, prog_type=SCHED_CLS)

group("pointers")
no("sum of two", "EACCES", "pointer += pointer prohibited", a.add(R1, R10), *OUT)
no("product", "EACCES", "pointer arithmetic with *= operator prohibited", a.alu64_imm("mul", R1, 2), *OUT)
no("32-bit sum", "EACCES", "32-bit pointer arithmetic prohibited", a.alu32_imm("add", R1, 4), *OUT)
no("subtracted from a number", "EACCES", "tried to subtract pointer from scalar",
   a.mov_imm(R2, 100), a.alu64("sub", R2, R10), *OUT)
no("masked", "EACCES", "bitwise operator &= on pointer prohibited", a.mov(R2, R10), a.alu64_imm("and", R2, -8), *OUT)
no("shifted", "EACCES", "pointer arithmetic with <<= operator prohibited",
   a.mov(R2, R10), a.alu64_imm("lsh", R2, 1), *OUT)
no("number dereferenced", "EACCES", "R2 invalid mem access 'scalar'", a.mov_imm(R2, 4096), a.ldx(8, R0, R2), a.exit_())
no("NULL dereferenced", "EACCES", "R2 invalid mem access 'scalar'", a.mov_imm(R2, 0), a.st(8, R2, 0, 0), *OUT)
no("loaded number dereferenced", "EACCES", "invalid mem access 'scalar'",
   a.ldx(8, R2, R1, 0), a.ldx(8, R0, R2), a.exit_(), prog_type=KPROBE)
no("context or stack by branch", "EINVAL", "same insn cannot be used with different pointers",
   a.mov(R6, R1), a.st(8, R10, -8, 0), a.call(PRANDOM), a.jmp_imm("eq", R0, 0, "ctx"), a.mov(R6, R10),
   a.add_imm(R6, -8), a.ja("go"), "ctx", a.mov(R2, R6), "go", a.ldx(4, R0, R6), a.exit_())
no("byte-swapped", "EACCES", "R1 invalid mem access 'scalar'", a.to_be(R1, 64), a.ldx(4, R0, R1), a.exit_())
no("truncated", "EACCES", "R1 invalid mem access 'scalar'", a.mov32(R1, R1), a.ldx(4, R0, R1), a.exit_())

group("calls")
no("unknown helper", "EINVAL", "invalid func unknown#9999", a.call(9999), *OUT)
no("helper 0", "EINVAL", "unknown func", a.call(0), *OUT)
no("helper of another type", "EINVAL", "unknown func bpf_get_current_comm#16",
   a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(COMM), *OUT)
no("coarse clock in a kprobe", "EINVAL", "unknown func bpf_ktime_get_coarse_ns#160", a.call(160), a.exit_(),
   prog_type=KPROBE)
no("cookie in a raw tracepoint", "EINVAL", "unknown func bpf_get_attach_cookie#174", a.call(COOKIE), a.exit_(),
   prog_type=RAW_TRACEPOINT)
no("GPL helper without licence", "EINVAL", "cannot call GPL-restricted function",
   a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(PROBE_READ_KERNEL), *OUT,
   prog_type=KPROBE, gpl=False)
no("function address in a tracepoint", "ENOTSUPP", "func bpf_get_func_ip#173 not supported for program type 5",
   a.call(GET_FUNC_IP), a.exit_(), prog_type=TRACEPOINT)
no("size 0", "EACCES", "invalid zero-sized read",
   a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 0), a.call(COMM), *OUT, prog_type=KPROBE)
no("size unknown", "EACCES", "unbounded memory access",
   a.ldx(8, R2, R1, 0), a.mov32(R2, R2), a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R3, 0),
   a.call(PROBE_READ_KERNEL), *OUT, prog_type=KPROBE)
no("size may be negative", "EACCES", "min value is negative",
   a.ldx(8, R2, R1, 0), a.jmp_imm("sgt", R2, 16, "out"), a.mov(R1, R10), a.add_imm(R1, -16), a.call(COMM), "out", *OUT,
   prog_type=KPROBE)
no("size past the buffer", "EINVAL", "invalid indirect access to stack",
   a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 64), a.call(COMM), *OUT, prog_type=KPROBE)
no("size past a map value", "EACCES", "invalid access to map value",
   *found("array"), a.mov(R1, R0), a.mov_imm(R2, 49), a.mov_imm(R3, 0), a.call(PROBE_READ_KERNEL), *OUT,
   prog_type=KPROBE)
no("helper writes to read-only", "EACCES", "write into map forbidden",
   *found("rdonly"), a.mov(R1, R0), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(PROBE_READ_KERNEL), *OUT,
   prog_type=KPROBE)
no("result of strtol misaligned", "EACCES", "misaligned stack access",
   a.st(8, R10, -8, 0x31), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 10), a.mov(R4, R10),
   a.add_imm(R4, -20), a.call(STRTOL), *OUT)
no("string on the stack", "EACCES", "R3 type=fp expected=map_value",
   a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov(R3, R1), a.call(STRNCMP), *OUT)
no("string that may change", "EACCES", "does not point to a readonly map",
   a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), ld_value(R3, "small"), a.call(STRNCMP),
   *OUT)
no("format with an argument too many", "EINVAL", "",
   ld_value(R3, "rodata", 8), a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -16), a.st(8, R10, -16, 0),
   a.mov_imm(R2, 8), a.mov(R4, R10), a.add_imm(R4, -8), a.mov_imm(R5, 7), a.call(SNPRINTF), *OUT)
no("stack buffer of a number", "EACCES", "R2 type=scalar expected=fp",
   a.mov_imm(R2, 4096), a.mov_imm(R3, 8), a.mov_imm(R4, 0), a.call(GET_STACK), *OUT, prog_type=KPROBE)
no("cgroup verdict out of range", "EINVAL", "At program exit the register R0 has value", a.mov_imm(R0, 2), a.exit_(),
   prog_type=CGROUP_SOCK, attach_type=2)
no("call to nowhere", "EINVAL", "call to invalid destination", a.call_sub(100), *OUT)
no("kernel function", "EINVAL", "kernel btf_id 1 is not a function", a.call_kfunc(1), *OUT, prog_type=KPROBE, needs_btf=True)

group("jumps")
no("past the end", "EINVAL", "jump out of range from insn 0 to 100", a.ja(99), *OUT)
no("before the start", "EINVAL", "jump out of range", a.ja(-2), *OUT)
no("into ld_imm64", "EINVAL", "unreachable insn 1", a.ja(1), a.ld_imm64(R0, 1), a.exit_())
no("conditional past the end", "EINVAL", "jump out of range", a.jmp_imm("eq", R1, 0, 7), *OUT)
no("out of a subprogram", "EINVAL", "jump out of range",
   a.call_sub("sub"), "home", *OUT, "sub", a.mov_imm(R0, 0), a.ja("home"))
no("unreachable", "EINVAL", "unreachable insn 1", a.ja(1), a.mov_imm(R0, 1), *OUT)
no("unreachable after exit", "EINVAL", "unreachable insn", *OUT, a.mov_imm(R0, 1), a.exit_())
no("end of the program", "EINVAL", "not an exit", a.mov_imm(R0, 0))
no("subprogram's end", "EINVAL", "not an exit", a.call_sub("sub"), a.exit_(), "sub", a.mov_imm(R0, 0))
no("into the next subprogram", "EINVAL", "not an exit",
   a.call_sub("sub"), a.mov_imm(R0, 1), "sub", a.mov_imm(R0, 0), a.exit_())
no("to itself", "EINVAL", "infinite loop detected", a.mov_imm(R0, 0), "here", a.jmp_imm("ge", R0, 0, "here"),
   a.exit_())
no("endless", "EINVAL", "infinite loop detected",
   a.mov_imm(R0, 0), "again", a.mov_imm(R0, 1), a.jmp_imm("eq", R0, 1, "again"), a.exit_())
no("until a number of chance", "EINVAL", "infinite loop detected",
   "again", a.call(PRANDOM), a.jmp_imm("ne", R0, 0, "again"), *OUT)
no("counter that does not count", "EINVAL", "infinite loop detected",
   a.mov_imm(R1, 10), "again", a.mov_imm(R2, 1), a.jmp_imm("gt", R1, 0, "again"), *OUT)
no("recursion", "EINVAL", "back-edge", a.call_sub("sub"), a.exit_(), "sub", a.call_sub("sub"), a.exit_())
no("mutual recursion", "EINVAL", "back-edge",
   a.call_sub("one"), a.exit_(), "one", a.call_sub("two"), a.exit_(), "two", a.call_sub("one"), a.exit_())
no("nine frames", "E2BIG", "too deep",
   *[a.call_sub(1) if i % 2 == 0 else a.exit_() for i in range(16)], *OUT)
no("a million turns", "E2BIG", "",
   a.mov_imm(R0, 0), "again", a.add_imm(R0, 1), a.jmp_imm("lt", R0, 10_000_000, "again"), *OUT)

group("encoding")
no("opcode ff", "EINVAL", "unknown opcode ff", a.Insn(0xFF), *OUT)
no("opcode 0", "EINVAL", "unknown opcode 00", a.Insn(0x00), *OUT)
no("move with offset", "EINVAL", "uses reserved fields", a.Insn(a.ALU64 | 0xB0, 0, 0, 5, 1), a.exit_())
no("immediate with source", "EINVAL", "uses reserved fields", a.Insn(a.ALU64 | 0x00, 0, 3, 0, 1), *OUT)
no("register with immediate", "EINVAL", "uses reserved fields", a.Insn(a.ALU64 | a.X, 1, 10, 0, 1), *OUT)
no("negation with immediate", "EINVAL", "uses reserved fields", a.Insn(a.ALU64 | 0x80, 0, 0, 0, 1), *OUT)
no("load with immediate", "EINVAL", "uses reserved fields", a.Insn(a.LDX | a.MEM | a.W, 0, 1, 0, 1), a.exit_())
no("store with immediate", "EINVAL", "uses reserved fields", a.Insn(a.STX | a.MEM | a.DW, 10, 1, -8, 1), *OUT)
no("store of immediate with source", "EINVAL", "uses reserved fields", a.Insn(a.ST | a.MEM | a.DW, 10, 1, -8, 1), *OUT)
no("call with destination", "EINVAL", "uses reserved fields", a.Insn(a.JMP | 0x80, 1, 0, 0, KTIME), *OUT)
no("exit with immediate", "EINVAL", "uses reserved fields", a.mov_imm(R0, 0), a.Insn(a.JMP | 0x90, imm=1))
no("goto with immediate", "EINVAL", "uses reserved fields", a.Insn(a.JMP, imm=1), *OUT)
no("swap of 24 bits", "EINVAL", "uses reserved fields", a.mov_imm(R0, 0), a.to_be(R0, 24), a.exit_())
no("register 11", "EINVAL", "R11 is invalid", a.mov_imm(11, 0), *OUT)
no("register 15 as source", "EINVAL", "R15 is invalid", a.mov(R0, 15), a.exit_())
no("division by 0", "EINVAL", "div by zero", a.mov_imm(R0, 1), a.alu64_imm("div", R0, 0), a.exit_())
no("remainder by 0", "EINVAL", "div by zero", a.mov_imm(R0, 1), a.alu32_imm("mod", R0, 0), a.exit_())
no("shift by 64", "EINVAL", "invalid shift 64", a.mov_imm(R0, 1), a.alu64_imm("lsh", R0, 64), a.exit_())
no("32-bit shift by 32", "EINVAL", "invalid shift 32", a.mov_imm(R0, 1), a.alu32_imm("rsh", R0, 32), a.exit_())
no("negative shift", "EINVAL", "invalid shift -1", a.mov_imm(R0, 1), a.alu64_imm("arsh", R0, -1), a.exit_())
no("atomic operation 0x22", "EINVAL", "invalid atomic opcode 22",
   a.st(8, R10, -8, 0), a.Insn(a.STX | a.ATOMIC | a.DW, 10, 1, -8, 0x22), *OUT)
no("atomic byte", "EINVAL", "unknown opcode d3",
   a.st(8, R10, -8, 0), a.Insn(a.STX | a.ATOMIC | a.B, 10, 1, -8, 0), *OUT)
no("half an ld_imm64", "EINVAL", "invalid bpf_ld_imm64 insn", a.Insn(a.LD | a.DW, 0, 0, 0, 1), a.exit_())
no("ld_imm64 with a bad second half", "EINVAL", "invalid bpf_ld_imm64 insn",
   a.Insn(a.LD | a.DW, 0, 0, 0, 1), a.Insn(0, 1), a.exit_())
no("ld_imm64 of kind 9", "EINVAL", "unrecognized bpf_ld_imm64 insn", a.ld_imm64(R1, 1, 9), *OUT)
no("packet load with register", "EINVAL", "uses reserved fields",
   a.mov(R6, R1), a.Insn(a.LD | a.ABS | a.W, 1), a.exit_())

group("references")
no("never given back", "EINVAL", "Unreleased reference", *reserve(), *OUT)
no("given back on one way", "EINVAL", "Unreleased reference",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.ldx(8, R2, R0, 0), a.jmp_imm("eq", R2, 0, "out"), a.mov(R1, R6),
   a.mov_imm(R2, 0), a.call(RB_SUBMIT), "out", *OUT)
no("given back twice", "EACCES", "R1 type=scalar expected=alloc_mem",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT), a.mov(R1, R6),
   a.mov_imm(R2, 0), a.call(RB_DISCARD), "out", *OUT)
no("used after giving back", "EACCES", "R6 invalid mem access 'scalar'",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT), a.st(8, R6, 0, 1),
   "out", *OUT)
no("given back unseen", "EACCES", "R1 type=", *reserve(), a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT), *OUT)
no("given back from the middle", "EACCES", "dereference of modified alloc_mem ptr R1 off=8 disallowed",
   *reserve(16), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R6), a.add_imm(R1, 8), a.mov_imm(R2, 0), a.call(RB_SUBMIT),
   "out", *OUT)
no("stack given back", "EACCES", "R1 type=fp", a.mov(R1, R10), a.add_imm(R1, -8), a.st(8, R10, -8, 0), a.mov_imm(R2, 0),
   a.call(RB_SUBMIT), *OUT)
no("past what was reserved", "EACCES", "invalid access to memory, mem_size=8 off=8 size=8",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.st(8, R6, 8, 1), "out", *OUT)
no("written unseen", "EACCES", "invalid mem access", *reserve(), a.st(8, R6, 0, 1), *OUT)
no("size not constant", "EACCES", "is not a known constant",
   a.call(PRANDOM), a.mov(R2, R0), ld_map(R1, "ring"), a.mov_imm(R3, 0), a.call(RB_RESERVE), *OUT)
no("tail call on the way", "EINVAL", "tail_call would lead to reference leak",
   a.mov(R7, R1), *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R7), ld_map(R2, "progs"), a.mov_imm(R3, 0),
   a.call(TAIL_CALL), "out", *OUT)
no("left in a subprogram", "EINVAL", "Unreleased reference", a.call_sub("sub"), *OUT, "sub", *reserve(), *OUT)
no("lost by a look-up", "EINVAL", "Unreleased reference",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), *lookup("array"), a.mov_imm(R6, 0), "out", *OUT)

group("locks")
LOCKED = [*found("locked"), a.mov(R6, R0), a.mov(R1, R6), a.call(SPIN_LOCK)]
no("not given back", "EINVAL", "bpf_spin_unlock is missing", *LOCKED, *OUT, prog_type=SCHED_CLS)
no("not taken", "EACCES", "bpf_spin_unlock without taking a lock", *found("locked"), a.mov(R1, R0), a.call(SPIN_UNLOCK),
   *OUT, prog_type=SCHED_CLS)
no("taken twice", "EINVAL", "function calls are not allowed while holding a lock", *LOCKED, a.mov(R1, R6),
   a.call(SPIN_LOCK),
   *OUT, prog_type=SCHED_CLS)
no("helper while held", "EINVAL", "calls are not allowed while holding a lock",
   *LOCKED, a.call(KTIME), a.mov(R1, R6), a.call(SPIN_UNLOCK), *OUT, prog_type=SCHED_CLS)
no("subprogram while held", "EINVAL", "calls are not allowed while holding a lock",
   *LOCKED, a.call_sub("sub"), a.mov(R1, R6), a.call(SPIN_UNLOCK), *OUT, "sub", *OUT, prog_type=SCHED_CLS)
no("written", "EACCES", "bpf_spin_lock cannot be accessed directly", *found("locked"), a.st(4, R0, 0, 1), *OUT,
   prog_type=SCHED_CLS)
no("read", "EACCES", "bpf_spin_lock cannot be accessed directly", *found("locked"), a.ldx(4, R0, R0, 0), a.exit_(),
   prog_type=SCHED_CLS)
no("at the wrong place", "EACCES", "doesn't point to 'struct bpf_spin_lock'",
   *found("locked"), a.mov(R1, R0), a.add_imm(R1, 8), a.call(SPIN_LOCK), *OUT, prog_type=SCHED_CLS)
no("in a map without", "EACCES", "has to have BTF in order to use bpf_spin_lock",
   *found("array"), a.mov(R1, R0), a.call(SPIN_LOCK), *OUT, prog_type=SCHED_CLS)
no("another one given back", "EACCES", "bpf_spin_unlock of different lock",
   *found("locked2"), a.mov(R7, R0), *LOCKED, a.mov(R1, R7), a.call(SPIN_UNLOCK), *OUT, prog_type=SCHED_CLS)
no("in a kprobe", "EINVAL", "tracing progs cannot use bpf_spin_lock yet", *LOCKED, a.mov(R1, R6), a.call(SPIN_UNLOCK),
   *OUT, prog_type=KPROBE)
no("of a number", "EACCES", "R1 type=scalar expected=map_value", a.mov_imm(R1, 0), a.call(SPIN_LOCK), *OUT,
   prog_type=SCHED_CLS)
no("given to a helper", "EACCES", "bpf_spin_lock",
   *found("locked"), a.mov(R1, R0), a.mov_imm(R2, 16), a.mov_imm(R3, 0), a.call(PROBE_READ_KERNEL), *OUT,
   prog_type=SCHED_CLS)
no("in a socket filter", "EINVAL", "socket filter progs cannot use bpf_spin_lock yet",
   *LOCKED, a.mov(R1, R6), a.call(SPIN_UNLOCK), *OUT)

group("callbacks")
OF_FUNCTION = "Linux 6.1 asks whose a reference is in the callback itself only"
no("number as callback", "EACCES", "R2 type=scalar expected=func",
   a.mov_imm(R1, 1), a.mov_imm(R2, 1), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT)
no("returns 2", "EINVAL", "At callback return the register R0 has value",
   a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT,
   "cb", a.mov_imm(R0, 2), a.exit_())
no("number as context", "EACCES", "R3 type=scalar expected=fp",
   a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 8), a.mov_imm(R4, 0), a.call(LOOP), *OUT, "cb", *OUT)
no("each of a ring buffer", "ENOTSUPP", "callback function not allowed for map",
   ld_map(R1, "ring"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(FOR_EACH), *OUT, "cb", *OUT)
no("key written", "EACCES", "write to change key", ld_map(R1, "array"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0),
   a.mov_imm(R4, 0), a.call(FOR_EACH), *OUT, "cb", a.st(4, R2, 0, 1), *OUT)
no("past the key", "EACCES", "invalid access to map key",
   ld_map(R1, "array"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(FOR_EACH), *OUT,
   "cb", a.ldx(8, R0, R2, 0), *OUT)
no("past the value", "EACCES", "invalid access to map value",
   ld_map(R1, "array"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(FOR_EACH), *OUT,
   "cb", a.ldx(8, R0, R3, 48), *OUT)
no("NULL context used", "EACCES", "invalid mem access 'scalar'",
   a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT,
   "cb", a.st(8, R2, 0, 1), *OUT)
no("fifth argument", "EACCES", "R5 !read_ok",
   a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT,
   "cb", a.mov(R0, R5), a.exit_())
no("called directly too early", "EACCES", "R8 !read_ok",
   a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT,
   "cb", a.mov(R0, R8), a.exit_())
# A function that a callback calls is the callback's, as to references: it may be called again.
no("record lost in a function that it calls", "EINVAL", "Unreleased reference",
   a.mov_imm(R1, 2), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP), *OUT,
   "cb", a.call_sub("loses"), a.mov_imm(R0, 0), a.exit_(),
   "loses", *reserve(8), a.mov_imm(R0, 0), a.exit_(), native_differs=OF_FUNCTION)
no("record of the caller given back in a function that it calls", "EINVAL", "acquired before",
   *reserve(8), a.jmp_imm("eq", R6, 0, "none"), a.stx(8, R10, -8, R6), a.mov_imm(R1, 2), a.ld_func(R2, "cb"), a.mov(R3, R10),
   a.add_imm(R3, -8), a.mov_imm(R4, 0), a.call(LOOP), a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT), "none", *OUT,
   "cb", a.ldx(8, R1, R2, 0), a.call_sub("gives"), a.mov_imm(R0, 0), a.exit_(),
   "gives", a.mov_imm(R2, 0), a.call(RB_SUBMIT), a.mov_imm(R0, 0), a.exit_(), native_differs=OF_FUNCTION)

group("output")
no("ring buffer takes a number", "EACCES", "R2 type=scalar expected=fp",
   ld_map(R1, "ring"), a.mov_imm(R2, 0), a.mov_imm(R3, 8), a.mov_imm(R4, 0), a.call(RB_OUTPUT), *OUT)
no("pid in a socket filter", "EINVAL", "unknown func bpf_get_current_pid_tgid#14", a.call(PID_TGID), a.exit_())
