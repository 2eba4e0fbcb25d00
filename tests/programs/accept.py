# SPDX-License-Identifier: MIT
"""Small programs that must be accepted, with what a run returns where that needs no more than a packet of zeros."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10
from programs.case import (
    CGROUP_SKB,
    CGROUP_SOCK,
    COMM,
    COOKIE,
    FOR_EACH,
    GET_FUNC_IP,
    GET_STACK,
    KPROBE,
    KTIME,
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
    RB_QUERY,
    RB_SUBMIT,
    SCHED_CLS,
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
from programs.reject import (
    LOCKED,
    OUT,
    PACKET,
    RELEASE_R0,
    SK_FULLSOCK,
    SK_RELEASE,
    SKB_SK,
    SOCK_FOUND,
    TCP_SOCK,
    Item,
    found,
    lookup,
    reserve,
)

CASES: list[Case] = []
_group = ""


def group(name: str) -> None:
    """The cases from here on are of this class."""
    global _group
    _group = name


def yes(name: str, result: int | None, *items: Item, **more: object) -> None:
    """A program that must be accepted, and what it returns."""
    CASES.append(Case(f"{_group}/{name}", _group, a.asm(*items), result=result, **more))  # type: ignore[arg-type]


group("arithmetic")
yes("nothing", 0, *OUT)
yes("64 and 32 bits", 0x0FFFFFFF, a.ld_imm64(R0, 0xFFFFFFFF_FFFFFFFF), a.alu32_imm("rsh", R0, 4), a.exit_())
yes("division by a register of 0", 0, a.mov_imm(R0, 5), a.mov_imm(R1, 0), a.alu64("div", R0, R1), a.exit_())
yes("remainder by a register of 0", 5, a.mov_imm(R0, 5), a.mov_imm(R1, 0), a.alu64("mod", R0, R1), a.exit_())
yes("byte order", 0x2211, a.mov_imm(R0, 0x1122), a.to_be(R0, 16), a.exit_())
yes("signed comparison", 1,
    a.mov_imm(R1, -5), a.mov_imm(R0, 1), a.jmp_imm("slt", R1, 0, "out"), a.mov_imm(R0, 2), "out", a.exit_())
yes("unsigned comparison", 2,
    a.mov_imm(R1, -5), a.mov_imm(R0, 1), a.jmp_imm("lt", R1, 7, "out"), a.mov_imm(R0, 2), "out", a.exit_())
yes("32-bit comparison", 1,
    a.ld_imm64(R1, 0x1_0000_0000), a.mov_imm(R0, 1), a.jmp32_imm("eq", R1, 0, "out"), a.mov_imm(R0, 2), "out",
    a.exit_())
yes("difference of two stack pointers", 24,
    a.mov(R0, R10), a.mov(R1, R10), a.add_imm(R1, -24), a.alu64("sub", R0, R1), a.exit_())

group("stack")
yes("spill and fill", 7, a.mov_imm(R1, 7), a.stx(8, R10, -8, R1), a.ldx(8, R0, R10, -8), a.exit_())
yes("pointer spilled and filled", None, a.stx(8, R10, -8, R1), a.ldx(8, R2, R10, -8), a.ldx(4, R0, R2), a.exit_())
yes("all 512 bytes", 9, a.st(8, R10, -512, 9), a.ldx(8, R0, R10, -512), a.exit_())
yes("bytes of a word", 0x33, a.st(4, R10, -4, 0x44332211), a.ldx(1, R0, R10, -2), a.exit_())
yes("variable offset", 5,
    a.st(8, R10, -8, 5), a.st(8, R10, -16, 5), a.call(PRANDOM), a.alu64_imm("and", R0, 8), a.mov(R2, R10),
    a.add_imm(R2, -16), a.add(R2, R0), a.ldx(8, R0, R2), a.exit_())
yes("atomic", 12,
    a.st(8, R10, -8, 5), a.mov_imm(R1, 7), a.atomic(8, "add", R10, -8, R1), a.ldx(8, R0, R10, -8), a.exit_())
yes("fetch", 5, a.st(8, R10, -8, 5), a.mov_imm(R0, 7), a.atomic(8, "add", R10, -8, R0, fetch=True), a.exit_())
yes("cmpxchg", 5,
    a.st(8, R10, -8, 5), a.mov_imm(R0, 5), a.mov_imm(R1, 6), a.atomic(8, "cmpxchg", R10, -8, R1), a.exit_())
yes("address taken by a helper", 3,
    a.st(8, R10, -8, 0x33), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 10), a.mov(R4, R10),
    a.add_imm(R4, -16), a.call(STRTOL), a.ldx(8, R0, R10, -16), a.exit_())

# Privileged programs may read what they never stored: Linux 6.1.y allows it since 2023.
yes("load of nothing", None, a.ldx(8, R0, R10, -8), a.exit_())
yes("half stored", None, a.st(4, R10, -8, 0), a.ldx(8, R0, R10, -8), a.exit_())
yes("variable load of what may be nothing", None,
    a.st(8, R10, -8, 0), a.call(PRANDOM), a.alu64_imm("and", R0, 8), a.mov(R2, R10), a.add_imm(R2, -16), a.add(R2, R0),
    a.ldx(8, R0, R2), a.exit_())
yes("key of nothing", None,
    a.mov(R2, R10), a.add_imm(R2, -8), ld_map(R1, "hash"), a.call(1), *OUT)
yes("pointer negated", None, a.neg(R1), *OUT)

group("maps")
yes("look-up", 1, *lookup("array"), a.jmp_imm("eq", R0, 0, "out"), a.mov_imm(R0, 1), a.exit_(), "out", *OUT)
yes("missing key", 2, *lookup("array", 77), a.jmp_imm("ne", R0, 0, "out"), a.mov_imm(R0, 2), "out", a.exit_())
yes("counter", 1,
    *found("small"), a.mov_imm(R1, 1), a.atomic(8, "add", R0, 0, R1), a.ldx(8, R0, R0), a.exit_())
yes("global data", 8, ld_value(R1, "small"), a.st(8, R1, 0, 8), a.ldx(8, R0, R1), a.exit_())
yes("constant data", 5, ld_value(R1, "rodata"), a.ldx(8, R0, R1), a.exit_())
yes("constant data decides a branch", 1,
    ld_value(R1, "rodata"), a.ldx(8, R2, R1), a.jmp_imm("eq", R2, 5, "five"), a.call(9999), "five", a.mov_imm(R0, 1),
    a.exit_())
yes("index masked", 0,
    *found("array"), a.ldx(8, R1, R0), a.alu64_imm("and", R1, 31), a.add(R0, R1), a.ldx(8, R0, R0), a.exit_())
yes("index tested", 0,
    *found("array"), a.ldx(8, R1, R0), a.jmp_imm("gt", R1, 40, "out"), a.add(R0, R1), a.ldx(8, R0, R0), a.exit_(),
    "out",
    *OUT)
yes("index tested in 32 bits", 0,
    *found("array"), a.ldx(4, R1, R0), a.jmp32_imm("gt", R1, 40, "out"), a.add(R0, R1), a.ldx(8, R0, R0), a.exit_(),
    "out",
    *OUT)
yes("index tested after a copy", 0,
    *found("array"), a.ldx(8, R1, R0), a.mov(R2, R1), a.jmp_imm("gt", R2, 40, "out"), a.add(R0, R1), a.ldx(8, R0, R0),
    a.exit_(), "out", *OUT)
yes("index tested by a signed pair", 0,
    *found("array"), a.ldx(8, R1, R0), a.jmp_imm("sgt", R1, 40, "out"), a.jmp_imm("slt", R1, 0, "out"), a.add(R0, R1),
    a.ldx(8, R0, R0), a.exit_(), "out", *OUT)
yes("update and look-up", 99,
    a.st(8, R10, -8, 1), a.st(8, R10, -24, 99), a.st(8, R10, -16, 0), a.mov(R2, R10), a.add_imm(R2, -8), a.mov(R3, R10),
    a.add_imm(R3, -24), a.mov_imm(R4, 0), ld_map(R1, "hash"), a.call(UPDATE), *lookup("hash", 1, 8),
    a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.ldx(8, R0, R0), a.exit_())
yes("test of one copy counts for the other", 0,
    *lookup("array"), a.mov(R6, R0), a.jmp_imm("ne", R0, 0, 2), *OUT, a.ldx(8, R0, R6), a.exit_())
yes("value of a map as key of another", 0,
    *found("array"), a.mov(R2, R0), ld_map(R1, "hash"), a.call(1), *OUT)
yes("tail call into an empty slot", 4, ld_map(R2, "progs"), a.mov_imm(R3, 1), a.call(TAIL_CALL), a.mov_imm(R0, 4),
    a.exit_())
yes("string comparison", 0,
    a.ld_imm64(R1, 0x6C6C6548), a.stx(8, R10, -8, R1), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8),
    ld_value(R3, "rodata", 8), a.call(STRNCMP), a.exit_())

group("loops")
yes("bounded", 100, a.mov_imm(R0, 0), "again", a.add_imm(R0, 1), a.jmp_imm("lt", R0, 100, "again"), a.exit_())
yes("bounded downwards", 0, a.mov_imm(R0, 50), "again", a.add_imm(R0, -1), a.jmp_imm("sgt", R0, 0, "again"), a.exit_())
yes("over an array", 0,
    *found("array"), a.mov(R6, R0), a.mov_imm(R7, 0), a.mov_imm(R0, 0), "again", a.mov(R1, R6), a.add(R1, R7),
    a.ldx(8, R2, R1), a.add(R0, R2), a.add_imm(R7, 8), a.jmp_imm("lt", R7, 48, "again"), a.exit_())
yes("nested", 12,
    a.mov_imm(R0, 0), a.mov_imm(R1, 3), "outer", a.mov_imm(R2, 4), "inner", a.add_imm(R0, 1), a.add_imm(R2, -1),
    a.jmp_imm("ne", R2, 0, "inner"), a.add_imm(R1, -1), a.jmp_imm("ne", R1, 0, "outer"), a.exit_())
yes("with a way out by chance", None,
    a.mov_imm(R6, 0), "again", a.call(PRANDOM), a.jmp_imm("eq", R0, 7, "out"), a.add_imm(R6, 1),
    a.jmp_imm("lt", R6, 20, "again"), "out", *OUT)
yes("bpf_loop", 45,
    a.st(8, R10, -8, 0), a.mov_imm(R1, 10), a.ld_func(R2, "cb"), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 0),
    a.call(LOOP), a.ldx(8, R0, R10, -8), a.exit_(),
    "cb", a.ldx(8, R3, R2), a.add(R3, R1), a.stx(8, R2, 0, R3), *OUT)
yes("for_each_map_elem", 4,
    ld_map(R1, "array"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(FOR_EACH), a.exit_(),
    "cb", a.ldx(4, R0, R2), a.ldx(8, R1, R3, 40), *OUT)

group("calls")
yes("subprogram", 42,
    a.mov_imm(R1, 40), a.call_sub("sub"), a.exit_(), "sub", a.mov(R0, R1), a.add_imm(R0, 2), a.exit_())
yes("subprogram called twice", 30,
    a.mov_imm(R1, 10), a.call_sub("sub"), a.mov(R6, R0), a.mov_imm(R1, 20), a.call_sub("sub"), a.add(R0, R6), a.exit_(),
    "sub", a.mov(R0, R1), a.exit_())
yes("pointer to the caller's stack", 6,
    a.st(8, R10, -8, 5), a.mov(R1, R10), a.add_imm(R1, -8), a.call_sub("sub"), a.ldx(8, R0, R10, -8), a.exit_(),
    "sub", a.ldx(8, R2, R1), a.add_imm(R2, 1), a.stx(8, R1, 0, R2), *OUT)
yes("callee saved registers", 10,
    a.mov_imm(R6, 1), a.mov_imm(R7, 2), a.mov_imm(R8, 3), a.mov_imm(R9, 4), a.call_sub("sub"), a.mov(R0, R6),
    a.add(R0, R7),
    a.add(R0, R8), a.add(R0, R9), a.exit_(), "sub", a.mov_imm(R6, 0), a.mov_imm(R9, 0), *OUT)
yes("eight frames", 8,
    a.mov_imm(R0, 1),
    *[item for i in range(1, 8) for item in (
        a.call_sub(f"f{i}"), a.add_imm(R0, 1), a.exit_(), f"f{i}", a.mov_imm(R0, 1))], a.exit_())

group("references")
yes("reserve and submit", 1,
    *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.st(8, R6, 0, 1), a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT),
    a.mov_imm(R0, 1), a.exit_(), "out", *OUT)
yes("reserve and discard", 1,
    *reserve(24), a.jmp_imm("eq", R0, 0, "out"), a.st(8, R6, 16, 1), a.mov(R1, R6), a.mov_imm(R2, 0),
    a.call(RB_DISCARD), a.mov_imm(R0, 1), a.exit_(), "out", *OUT)
yes("given back in a subprogram", 1,
    *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R6), a.call_sub("sub"), a.mov_imm(R0, 1), a.exit_(), "out",
    *OUT,
    "sub", a.mov_imm(R2, 0), a.call(RB_DISCARD), *OUT)
yes("output", 0,
    a.st(8, R10, -8, 1), ld_map(R1, "ring"), a.mov(R2, R10), a.add_imm(R2, -8), a.mov_imm(R3, 8), a.mov_imm(R4, 0),
    a.call(RB_OUTPUT), a.exit_())
yes("query", 4096, ld_map(R1, "ring"), a.mov_imm(R2, 1), a.call(RB_QUERY), a.exit_())

group("locks")
yes("taken and given back", 1,
    *LOCKED, a.ldx(8, R7, R6, 8), a.add_imm(R7, 1), a.stx(8, R6, 8, R7), a.mov(R1, R6), a.call(SPIN_UNLOCK),
    a.mov(R0, R7), a.exit_(), prog_type=SCHED_CLS)

group("contexts")
yes("fields of a packet's context", None, a.ldx(4, R0, R1, 0), a.ldx(1, R2, R1, 16), a.stx(8, R1, 48, R2), a.exit_())
yes("registers", None, a.ldx(8, R0, R1, 112), a.ldx(4, R2, R1, 80), a.exit_(), prog_type=KPROBE)
yes("tracepoint's record", None, a.ldx(8, R0, R1, 8), a.ldx(2, R2, R1, 16), a.exit_(), prog_type=TRACEPOINT)
yes("raw tracepoint's arguments", None, a.ldx(8, R0, R1, 88), a.exit_(), prog_type=RAW_TRACEPOINT)
yes("perf event's data", None, a.ldx(8, R0, R1, 160), a.ldx(4, R2, R1, 168), a.ldx(8, R3, R1, 176), a.exit_(),
    prog_type=PERF_EVENT)
yes("cgroup socket", None, a.ldx(4, R2, R1, 4), a.stx(4, R1, 16, R2), a.mov_imm(R0, 1), a.exit_(),
    prog_type=CGROUP_SOCK,
    attach_type=2)
yes("packet", None,
    *PACKET, a.mov(R4, R2), a.add_imm(R4, 8), a.jmp("gt", R4, R3, "out"), a.ldx(8, R0, R2), a.ldx(1, R5, R2, 7),
    a.exit_(), "out", *OUT, prog_type=SCHED_CLS)
yes("packet of XDP", None,
    a.ldx(4, R2, R1, 0), a.ldx(4, R3, R1, 4), a.mov(R4, R2), a.add_imm(R4, 14), a.jmp("gt", R4, R3, "out"),
    a.st(2, R2, 12, 0), "out", a.mov_imm(R0, 2), a.exit_(), prog_type=XDP)

group("tracing helpers")
yes("who is it", None, a.call(PID_TGID), a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(COMM), *OUT,
    prog_type=KPROBE)
yes("kernel memory", None,
    a.ldx(8, R3, R1, 112), a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(PROBE_READ_KERNEL),
    a.ldx(8, R0, R10, -16), a.exit_(), prog_type=KPROBE)
yes("kernel memory of a tested size", None,
    a.ldx(8, R2, R1, 0), a.alu64_imm("and", R2, 15), a.mov_imm(R3, 0), a.st(8, R10, -8, 0), a.st(8, R10, -16, 0),
    a.mov(R1, R10), a.add_imm(R1, -16), a.call(PROBE_READ_KERNEL), *OUT, prog_type=KPROBE)
yes("perf output", None,
    a.st(8, R10, -8, 0), ld_map(R2, "events"), a.ld_imm64(R3, 0xFFFFFFFF), a.mov(R4, R10), a.add_imm(R4, -8),
    a.mov_imm(R5, 8), a.call(PERF_OUTPUT), *OUT, prog_type=TRACEPOINT)
yes("stack id", None, ld_map(R2, "stacks"), a.mov_imm(R3, 0), a.call(STACKID), a.exit_(), prog_type=KPROBE)
yes("stack into a map value", None,
    a.mov(R6, R1), *found("big"), a.mov(R2, R0), a.mov(R1, R6), a.mov_imm(R3, 4096), a.mov_imm(R4, 0),
    a.call(GET_STACK), a.exit_(), prog_type=KPROBE)
yes("address and cookie", None, a.mov(R6, R1), a.call(GET_FUNC_IP), a.mov(R1, R6), a.call(COOKIE), a.exit_(),
    prog_type=KPROBE)
yes("clock", None, a.call(KTIME), a.exit_(), prog_type=PERF_EVENT)

group("writable tracepoints")
yes("argument written", None, a.ldx(8, R6, R1, 0), a.ldx(8, R7, R1, 8), a.st(4, R6, 12, 1), a.ldx(8, R0, R6, 16), a.exit_(),
    prog_type=RAW_TRACEPOINT_WRITABLE)

group("sockets")
yes("looked up and released", 0, *SOCK_FOUND, *RELEASE_R0, *OUT, prog_type=SCHED_CLS)
yes("looked up in a cgroup", 0, *SOCK_FOUND, *RELEASE_R0, *OUT, prog_type=CGROUP_SKB)
yes("released by a function", 0, *SOCK_FOUND, a.mov(R1, R0), a.call_sub("release"), *OUT, "release", a.mov(R0, R1),
    *RELEASE_R0, *OUT,
    prog_type=SCHED_CLS)
yes("fields", None, *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.ldx(4, R1, R0, 8), a.ldx(1, R2, R0, 4), a.ldx(4, R3, R0, 16),
    a.ldx(2, R4, R0, 48), *RELEASE_R0, *OUT, prog_type=SCHED_CLS)
yes("the packet's own", None, *SKB_SK, a.call(SK_FULLSOCK), a.jmp_imm("eq", R0, 0, "out"), a.ldx(4, R0, R0, 8), "out", *OUT,
    prog_type=SCHED_CLS)
yes("TCP's counters", None, *SKB_SK, a.call(TCP_SOCK), a.jmp_imm("eq", R0, 0, "out"), a.ldx(8, R1, R0, 88), a.ldx(4, R1, R0,
    108), "out",
    *OUT, prog_type=CGROUP_SKB)
yes("cast while referenced", None, *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.mov(R6, R0), a.mov(R1, R0), a.call(TCP_SOCK),
    a.jmp_imm("eq", R0, 0, "none"), a.ldx(4, R1, R0, 0), "none", a.mov(R1, R6), a.call(SK_RELEASE), "out", *OUT,
    prog_type=SCHED_CLS)

group("packet loads at negative offsets")
LOADED_5: list[Item] = [a.mov(R6, R1), a.mov_imm(R7, 5)]
THEN_1: list[Item] = [a.mov_imm(R0, 1), a.exit_()]
for label, wanted, offset in (
    ("link layer's header", 1, -0x200000), ("its last byte", 1, -0x200000 + 13), ("past the packet from it", 0, -0x200000 + 64),
    ("network header", 1, -0x100000), ("end of the packet from there", 1, -0x100000 + 49),
    ("past the packet from the network header", 0, -0x100000 + 64), ("before any", 0, -0x200001),
    ("last before the packet", 0, -1), ("least", 0, -0x80000000),
):  # fmt: skip
    yes(label, wanted, *LOADED_5, a.ld_abs(1, offset), *THEN_1)
    yes(f"{label}, in traffic control", wanted, *LOADED_5, a.ld_abs(1, offset), *THEN_1, prog_type=SCHED_CLS)
    if offset > -0x80000000:
        yes(f"{label}, by a register", wanted, *LOADED_5, a.ld_ind(1, R7, offset - 5), *THEN_1)
