# SPDX-License-Identifier: MIT
"""Programs after the verifier and JIT holes of Linux's eBPF (docs/verifier-cves.md): each must be refused, or must run
safely and return what its instructions say. They were written from what is known of each defect."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import asm as a
from asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10
from programs.case import (
    COMM,
    KPROBE,
    LOOP,
    PROBE_READ_KERNEL,
    RB_OUTPUT,
    RB_QUERY,
    RB_RESERVE,
    RB_SUBMIT,
    SCHED_CLS,
    SKB_LOAD,
    STRTOL,
    TAIL_CALL,
    Case,
    ld_map,
    ld_value,
)
from programs.reject import OUT, SK_RELEASE, SOCK_FOUND, Item, found, reserve

U64 = (1 << 64) - 1
LATER = "an instruction of later kernels"
PERF_READ_VALUE, DYNPTR_FROM_MEM, DYNPTR_DATA = 55, 197, 203


@dataclass(frozen=True)
class Run:
    """One run: the 48 bytes of the map "array" begin with these numbers, and that is returned."""

    values: tuple[int, ...]
    result: int

    @property
    def content(self) -> bytes:
        return struct.pack("<6Q", *[value & U64 for value in self.values], *[0] * (6 - len(self.values)))


@dataclass(frozen=True)
class Hole:
    """A program after a hole: refused (case.error), or accepted and run."""

    case: Case
    runs: tuple[Run, ...] = ()

    @property
    def cve(self) -> str:
        return self.case.group


HOLES: list[Hole] = []
_cve = ""


def hole(cve: str) -> None:
    """The programs from here on are after this one."""
    global _cve
    _cve = f"CVE-{cve}"


def no(name: str, error: str, message: str, *items: Item, **more: object) -> None:
    """A program that must be refused."""
    code = a.asm(*items)
    HOLES.append(Hole(Case(f"{_cve}/{name}", _cve, code, error=error, message=message, **more)))  # type: ignore[arg-type]


def runs(name: str, results: list[tuple[tuple[int, ...] | int, int]], *items: Item, **more: object) -> None:
    """A program that must run: what is in the map, and what is returned."""
    inputs = [Run(values if isinstance(values, tuple) else (values,), result) for values, result in results]
    # what machines run finds zeros in the map
    zeros = next((run.result for run in inputs if not any(run.values)), None)
    case = Case(f"{_cve}/{name}", _cve, a.asm(*items), result=zeros, **more)  # type: ignore[arg-type]
    HOLES.append(Hole(case, tuple(inputs)))


# r6: a value of 48 bytes in a map; r7: its first number, of which nothing is known.
UNKNOWN: list[Item] = [*found("array"), a.mov(R6, R0), a.ldx(8, R7, R6, 0)]
BAD: list[Item] = ["bad", a.mov_imm(R3, 0x1000), a.ldx(8, R0, R3), a.exit_()]
NOT_MEMORY = "R3 invalid mem access 'scalar'"
PAST_VALUE = "invalid access to map value, value_size=48"


def zero_or_one(name: str, results: list[tuple[int, int]], *items: Item) -> None:
    """
    What a verifier with the hole takes for 0 is 1 for some input: @items leave it in r7. As an index of 48-byte values it
    must be refused; as one that fits, it must run and be what the instructions make of it.
    """
    assert any(result == 1 for _, result in results)
    way_out = ["out", *OUT] if any(isinstance(item, a.Insn) and item.target == "out" for item in items) else []
    index = [a.mov(R8, R7), a.alu64_imm("mul", R8, 48), a.add(R6, R8), a.ldx(1, R0, R6), a.exit_()]
    no(f"{name}, past the value", "EACCES", PAST_VALUE, *UNKNOWN, *items, *index, *way_out)
    index = [a.mov(R8, R7), a.alu64_imm("mul", R8, 40), a.add(R6, R8), a.ldx(1, R0, R6), a.mov(R0, R7), a.exit_()]
    runs(f"{name}, within it", list(results), *UNKNOWN, *items, *index, *way_out)


# ---- 2016 ----

hole("2016-2383")
runs("backward jump over loads of the context", [(0, 3 * (64 + 64) + 3)],
     a.mov(R6, R1), a.mov_imm(R7, 0), a.mov_imm(R8, 0), "again", a.ldx(4, R0, R6, 0), a.add(R8, R0), a.ldx(4, R2, R6, 80),
     a.ldx(4, R3, R6, 76), a.alu64("sub", R2, R3), a.add(R8, R2), a.add_imm(R7, 1), a.jmp_imm("lt", R7, 3, "again"),
     a.mov(R0, R8), a.add(R0, R7), a.exit_(), prog_type=SCHED_CLS)
runs("backward jump over what is cut out", [(1, 30), (0, 30)],
     *UNKNOWN, a.mov_imm(R8, 0), a.mov_imm(R0, 0), "again", a.mov_imm(R2, 1), a.jmp_imm("eq", R2, 1, "on"),
     *[a.call(9999)] * 40, "on", a.add_imm(R0, 10), a.add_imm(R8, 1), a.jmp_imm("lt", R8, 3, "again"), a.exit_())

# ---- 2017 ----

hole("2017-16995")
no("32-bit -1 compared with 64-bit -1", "EACCES", NOT_MEMORY,
   a.mov32_imm(R2, -1), a.jmp_imm("ne", R2, -1, "bad"), *OUT, *BAD)
runs("32-bit -1 is 0xffffffff", [(0, 1)],
     a.mov32_imm(R2, -1), a.ld_imm64(R1, 0xFFFFFFFF), a.mov_imm(R0, 1), a.jmp("eq", R2, R1, "out"), a.mov_imm(R0, 2), "out",
     a.exit_())

hole("2017-16996")
zero_or_one("cut to 32 bits about 2^32", [(0, 1), (1, 0)],
            a.alu64_imm("and", R7, 1), a.ld_imm64(R8, 0xFFFFFFFF), a.add(R7, R8), a.mov32(R7, R7), a.alu64_imm("rsh", R7, 31))
zero_or_one("stored as 32 bits", [(1 << 32, 0), (1 << 32 | 1, 1), (2, 1)],
            a.ld_imm64(R8, 0x3_0000_0003), a.alu64("and", R7, R8), a.stx(4, R10, -8, R7), a.ldx(4, R7, R10, -8),
            a.jmp_imm("eq", R7, 0, 1), a.mov_imm(R7, 1))

hole("2017-17852")
no("32-bit difference below 0", "EACCES", NOT_MEMORY,
   a.mov_imm(R7, 0), a.alu32_imm("sub", R7, 1), a.alu64_imm("rsh", R7, 32), a.jmp_imm("eq", R7, 0, "bad"), *OUT, *BAD)
zero_or_one("32-bit sum carries nothing", [(0, 0), (1, 1)],
            a.alu64_imm("and", R7, 1), a.mov32_imm(R8, -1), a.alu32("add", R7, R8), a.alu64_imm("rsh", R7, 31),
            a.alu64_imm("xor", R7, 1), a.jmp_imm("gt", R7, 1, "out"))

hole("2017-17853")
no("logical shift of a negative number", "EACCES", NOT_MEMORY,
   *UNKNOWN, a.jmp_imm("sgt", R7, 2, "out"), a.jmp_imm("slt", R7, -2, "out"), a.alu64_imm("rsh", R7, 1),
   a.jmp_imm("sgt", R7, 1, "bad"), "out", *OUT, *BAD)
runs("logical shift of a negative number's halves", [(-2, 0x7FFF_FFFF), (2, 0)],
     *UNKNOWN, a.jmp_imm("sgt", R7, 2, "out"), a.jmp_imm("slt", R7, -2, "out"), a.alu64_imm("rsh", R7, 1),
     a.mov(R0, R7), a.alu64_imm("rsh", R0, 32), a.exit_(), "out", *OUT)

hole("2017-17854")
no("offsets that overflow together", "EINVAL", "map_value pointer",
   *UNKNOWN, *[a.add_imm(R6, 0x1FFFFFFF)] * 8, a.ldx(1, R0, R6), a.exit_())
no("variable offset that overflows", "EINVAL", "math between map_value pointer and",
   *UNKNOWN, a.ld_imm64(R8, 0x7FFFFFFF_FFFFFFFF), a.alu64("and", R7, R8), a.add(R6, R7), a.add(R6, R7), a.ldx(1, R0, R6),
   a.exit_())

hole("2017-17855")
no("pointer for a size, on the path walked second", "EACCES", "R2 type=fp expected=",
   a.ldx(8, R7, R1, 0), a.mov_imm(R2, 8), a.jmp_imm("ne", R7, 0, "join"), a.ja("go"), "join", a.mov(R2, R10), "go",
   a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -8), a.call(COMM), *OUT, prog_type=KPROBE)

hole("2017-17856")
no("misaligned store to the stack", "EACCES", "misaligned stack access", a.st(8, R10, -12, 0), *OUT)
no("misaligned atomic on the stack", "EACCES", "misaligned stack access",
   a.st(8, R10, -8, 0), a.st(8, R10, -16, 0), a.mov_imm(R1, 1), a.atomic(8, "add", R10, -12, R1), *OUT)

hole("2017-17857")
no("helper at a variable place past the frame", "EINVAL", "invalid variable-offset indirect access to stack",
   *UNKNOWN, a.alu64_imm("and", R7, 0x3F8), a.mov(R2, R10), a.add_imm(R2, -512), a.add(R2, R7), ld_map(R1, "hash"),
   a.call(1), *OUT)

hole("2017-17862")
runs("what is never reached is not compiled", [(0, 7)],
     a.mov_imm(R0, 7), a.jmp_imm("eq", R0, 7, "out"), a.call(9999), a.ldx(8, R0, R3, 0), "out", a.exit_())
no("what no jump reaches", "EINVAL", "unreachable insn", a.mov_imm(R0, 0), a.ja(1), a.add_imm(R0, 1), a.exit_())

hole("2017-17863")
no("stack pointer that wraps round", "EINVAL", "fp pointer offset -1073741822 is not allowed",
   a.mov(R2, R10), *[a.add_imm(R2, -0x1FFFFFFF)] * 8, a.add_imm(R2, -16), a.st(8, R2, 0, 0), *OUT)
no("stack pointer and its offset", "EACCES", "invalid write to stack R2",
   a.mov(R2, R10), a.add_imm(R2, 0x1FFF7FFF), a.st(1, R2, 0x7FFF, 0), *OUT)

hole("2017-17864")
no("number on one path, pointer on the other", "EACCES", "R8 bitwise operator &= on pointer prohibited",
   *UNKNOWN, a.mov(R8, R7), a.ldx(8, R9, R6, 8), a.jmp_imm("ne", R9, 0, "pointer"), a.ja("join"), "pointer", a.mov(R8, R6),
   "join",
   a.alu64_imm("and", R8, 7), a.mov(R0, R8), a.exit_())

# ---- 2018 and 2019 ----

hole("2018-18445")
no("32-bit shift of a wide constant", "EACCES", NOT_MEMORY,
   a.ld_imm64(R7, 2 << 32), a.alu32_imm("rsh", R7, 31), a.jmp_imm("eq", R7, 0, "bad"), *OUT, *BAD)
zero_or_one("32-bit shift of a wide number", [(0, 1), (2 << 32, 1)],
            a.ld_imm64(R8, 2 << 32), a.alu64("and", R7, R8), a.alu64("or", R7, R8), a.alu32_imm("rsh", R7, 31),
            a.alu64_imm("xor", R7, 1), a.alu64_imm("and", R7, 1))

hole("2018-25020")
FAR: list[Item] = [a.ldx(4, R0, R6, 80), a.ldx(4, R2, R6, 76)] * 16_000
runs("jump over much that is rewritten", [(0, 64), (1, 9)],
     a.mov(R9, R1), *UNKNOWN, a.mov(R6, R9), a.mov_imm(R0, 9), a.mov_imm(R2, 0), a.jmp_imm("ne", R7, 0, "end"), *FAR,
     a.alu64("sub", R0, R2), "end", a.exit_(), prog_type=SCHED_CLS)
no("jump over more than an offset holds", "EINVAL", "jump out of range",
   a.mov(R6, R1), a.mov_imm(R0, 0), a.Insn(a.JMP | 0x50 | a.K, R1, 0, -32768), *FAR, a.exit_(), prog_type=SCHED_CLS)

hole("2020-0430")
no("moved context given to a helper", "EACCES", "dereference of modified ctx ptr R1 off=4 disallowed",
   a.add_imm(R1, 4), a.mov_imm(R2, 0), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 4), a.call(SKB_LOAD), *OUT)

# ---- 2020 ----

hole("2020-8835")
zero_or_one("low half of a range that wraps", [(2, 1), (1, 0), (1 << 32 | 1, 0)],
            a.ld_imm64(R8, 1 << 32 | 1), a.jmp("gt", R7, R8, "out"), a.jmp_imm("lt", R7, 1, "out"),
            a.jmp32_imm("gt", R7, 5, "out"),
            a.alu64_imm("and", R7, 2), a.alu64_imm("rsh", R7, 1))

hole("2020-27194")
zero_or_one("32-bit or of a 64-bit range", [(2, 1), (1, 0), (0x6_0000_0001, 0)],
            a.ld_imm64(R8, 0x6_0000_0001), a.jmp("gt", R7, R8, "out"), a.jmp_imm("lt", R7, 1, "out"), a.alu64_imm("or", R7, 0),
            a.mov32(R7, R7), a.alu64_imm("and", R7, 2), a.alu64_imm("rsh", R7, 1))

# ---- 2021 ----

hole("2021-3444")
for _op in ("mod", "div"):
    runs(f"32-bit {_op} by 0 leaves no high half", [(0xAAAABBBB_CCCCDDDD, 0), (0, 0)],
         *UNKNOWN, a.ldx(8, R8, R6, 8), a.alu32(_op, R7, R8), a.alu64_imm("rsh", R7, 32), a.mov(R0, R7), a.exit_())

hole("2021-3489")
runs("more than the ring holds is not reserved", [(0, 5)], *reserve(8192), a.jmp_imm("ne", R0, 0, "got"), a.mov_imm(R0, 5),
     a.exit_(),
     "got", a.mov(R1, R6), a.mov_imm(R2, 0), a.call(RB_SUBMIT), *OUT)
no("a record of negative size", "EACCES", "", *reserve(-1), a.jmp_imm("eq", R0, 0, "out"), a.st(1, R0, 0, 1), a.mov(R1, R0),
   a.mov_imm(R2, 0), a.call(RB_SUBMIT), a.ldx(8, R0, R6, 0), "out", *OUT)

hole("2021-3490")
for _op, _low, _with, _result in (("and", 1, 1 << 32 | 2, 0), ("or", 0, 1, 1), ("xor", 1, 1 << 32 | 1, 0)):
    zero_or_one(f"{_op} where the low halves are known", [(0, 1), (U64, 1)],
                a.ld_imm64(R8, 0xFFFFFFFF_00000000), a.alu64("and", R7, R8), a.add_imm(R7, _low), a.ld_imm64(R8, _with),
                a.alu64(_op, R7, R8), a.mov32(R7, R7), *([] if _result else [a.add_imm(R7, 1)]))

hole("2021-3600")
for _op, _result in (("div", 0), ("mod", 77)):
    runs(f"32-bit {_op} by a number whose low half is 0", [(1 << 32, _result), (0, _result)],
         *UNKNOWN, a.mov_imm(R0, 77), a.alu32(_op, R0, R7), a.exit_())
    runs(f"32-bit {_op} by 2^32", [(0, _result)], a.mov_imm(R0, 77), a.ld_imm64(R7, 1 << 32), a.alu32(_op, R0, R7), a.exit_())

hole("2021-4001")
no("read-only map that is not frozen is no constant", "EACCES", NOT_MEMORY,
   ld_value(R1, "rdonly"), a.ldx(8, R2, R1), a.jmp_imm("ne", R2, 0, "bad"), *OUT, *BAD)

hole("2021-4204")
no("record given back from within", "EACCES", "dereference of modified alloc_mem ptr R1 off=4 disallowed",
   *reserve(16), a.jmp_imm("eq", R0, 0, "out"), a.mov(R1, R0), a.add_imm(R1, 4), a.mov_imm(R2, 0), a.call(RB_SUBMIT),
   "out", *OUT)
no("record given back from a place of chance", "EACCES", "",
   *UNKNOWN, a.mov(R9, R7), *reserve(16), a.jmp_imm("eq", R0, 0, "out"), a.alu64_imm("and", R9, 7), a.mov(R1, R0),
   a.add(R1, R9),
   a.mov_imm(R2, 0), a.call(RB_SUBMIT), "out", *OUT)

hole("2021-20268")
no("32-bit sum past the greatest", "EACCES", NOT_MEMORY,
   *UNKNOWN, a.jmp32_imm("slt", R7, 0x7FFFFFFE, "out"), a.alu32_imm("add", R7, 2), a.jmp32_imm("slt", R7, 0, "bad"),
   "out", *OUT, *BAD)
no("32-bit difference past the least", "EACCES", NOT_MEMORY,
   *UNKNOWN, a.jmp32_imm("sgt", R7, -0x7FFFFFFF, "out"), a.alu32_imm("sub", R7, 2), a.jmp32_imm("sgt", R7, 0, "bad"),
   "out", *OUT,
   *BAD)

hole("2021-29154")
_far: list[Item] = [*UNKNOWN, a.mov_imm(R0, 0)]
for _length in range(1, 60):
    _far += [a.jmp_imm("set", R7, 1, f"over{_length}"), *[a.add_imm(R0, 1)] * _length, f"over{_length}",
             a.jmp_imm("sgt", R7, 9, f"past{_length}"), *[a.alu64_imm("xor", R0, 0x1000000)] * (2 * (_length // 2)),
             f"past{_length}"]
runs("jumps about the length of a short branch", [(0, 1770), (1, 0), (10, 1770), (11, 0)], *_far, a.exit_())
_back: list[Item] = [*UNKNOWN, a.mov_imm(R0, 0), a.alu64_imm("and", R7, 3)]
for _length in range(1, 40):
    _back += [a.mov_imm(R8, 0), f"back{_length}", *[a.add_imm(R0, 1)] * _length, a.add_imm(R8, 1),
              a.jmp("gt", R7, R8, f"back{_length}")]
runs("loops about the length of a short branch", [(0, 780), (1, 780), (2, 1560), (3, 2340)], *_back, a.exit_())

hole("2021-31440")
zero_or_one("32-bit bounds from one 64-bit bound that fits", [(1 << 32, 1), (1, 0)],
            a.jmp_imm("lt", R7, 1, "out"), a.jmp32_imm("gt", R7, 1, "out"), a.mov32(R7, R7), a.mov_imm(R8, 1),
            a.alu64("sub", R8, R7),
            a.mov(R7, R8))

hole("2021-34866")
no("ring buffer's output to an array", "EINVAL", "cannot pass map_type 2 into func bpf_ringbuf_output#130",
   a.st(8, R10, -8, 0), ld_map(R1, "array"), a.mov(R2, R10), a.add_imm(R2, -8), a.mov_imm(R3, 8), a.mov_imm(R4, 0),
   a.call(RB_OUTPUT),
   *OUT)
no("record reserved in a hash map", "EINVAL", "cannot pass map_type 1 into func bpf_ringbuf_reserve#131",
   ld_map(R1, "hash"), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(RB_RESERVE), *OUT)
no("query of a stack map", "EINVAL", "cannot pass map_type 7 into func bpf_ringbuf_query#134",
   ld_map(R1, "stacks"), a.mov_imm(R2, 0), a.call(RB_QUERY), *OUT)

hole("2021-45402")
zero_or_one("32-bit -1 moved", [(0xFFFFFFFF, 1), (U64, 1)],
            a.jmp32_imm("ne", R7, -1, "out"), a.mov32(R7, R7), a.add_imm(R7, 1), a.alu64_imm("rsh", R7, 32))
no("negative 32-bit number moved", "EACCES", NOT_MEMORY,
   *UNKNOWN, a.jmp32_imm("sge", R7, 0, "out"), a.mov32(R7, R7), a.jmp_imm("sgt", R7, 0, "bad"), "out", *OUT, *BAD)

# ---- 2022 ----

hole("2022-0500")
no("helper writes to a read-only map", "EACCES", "write into map forbidden",
   *found("rdonly"), a.mov(R1, R0), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(PROBE_READ_KERNEL), *OUT, prog_type=KPROBE)

hole("2022-2905")
for _index in (4, -1, 1 << 31):
    runs(f"tail call through slot {_index} of 4", [(0, 6)], ld_map(R2, "progs"), a.mov32_imm(R3, _index), a.call(TAIL_CALL),
         a.mov_imm(R0, 6), a.exit_())
runs("tail call through a tested slot", [(0, 6), (4, 6), (7, 6), (U64, 6)],
     a.mov(R9, R1), *UNKNOWN, a.alu64_imm("and", R7, 7), a.mov(R1, R9), ld_map(R2, "progs"), a.mov(R3, R7), a.call(TAIL_CALL),
     a.mov_imm(R0, 6), a.exit_())

hole("2022-23222")
no("record moved before it is tested", "EACCES", "prohibited, null-check it first",
   *reserve(16), a.mov(R7, R0), a.add_imm(R7, 8), a.jmp_imm("eq", R7, 0, "out"), a.st(8, R7, 0, 1), "out", *OUT)
no("record moved by a variable before it is tested", "EACCES", "prohibited, null-check it first",
   *UNKNOWN, a.mov(R9, R7), *reserve(16), a.add(R0, R9), a.jmp_imm("ne", R0, 0, "out"), "out", *OUT)
no("socket moved before it is tested", "EACCES", "R0 pointer arithmetic on sock_or_null prohibited",
   *SOCK_FOUND, a.add_imm(R0, 1), a.jmp_imm("eq", R0, 0, "out"), "out", *OUT, prog_type=SCHED_CLS)

hole("2022-49658")
runs("number that is constant by its bits only", [(7, 5), (8, 0)],
     *UNKNOWN, a.alu64_imm("or", R7, 7), a.jmp_imm("gt", R7, 8, "out"), a.add_imm(R7, -7), a.st(8, R10, -8, 5),
     a.mov(R1, R10), a.add(R1, R7),
     a.ldx(8, R0, R1, -8), a.exit_(), "out", *OUT)

hole("2022-49873")
no("socket read after it is released", "EACCES", "R6 invalid mem access 'scalar'",
   *SOCK_FOUND, a.jmp_imm("eq", R0, 0, "out"), a.mov(R6, R0), a.stx(8, R10, -24, R0), a.mov(R1, R0), a.call(SK_RELEASE),
   a.ldx(4, R0, R6, 4), "out", *OUT, prog_type=SCHED_CLS)
no("copy on the stack read after the release", "EACCES", "R6 invalid mem access 'scalar'",
   *reserve(), a.jmp_imm("eq", R0, 0, "out"), a.stx(8, R10, -24, R0), a.mov(R1, R0), a.mov_imm(R2, 0), a.call(RB_SUBMIT),
   a.ldx(8, R6, R10, -24), a.ldx(8, R0, R6, 0), "out", *OUT)

hole("2022-49961")
no("smaller record on the path walked second", "EACCES", "invalid access to memory, mem_size=8 off=8 size=8",
   *UNKNOWN, a.mov_imm(R2, 16), a.jmp_imm("eq", R7, 0, "small"), a.ja("join"), "small", a.mov_imm(R2, 8), "join",
   ld_map(R1, "ring"), a.mov_imm(R3, 0), a.call(RB_RESERVE), a.jmp_imm("eq", R0, 0, "out"), a.st(8, R0, 8, 1), a.mov(R1, R0),
   a.mov_imm(R2, 0), a.call(RB_SUBMIT), "out", *OUT)

# ---- 2023 ----

TWO_WAYS: list[Item] = [*UNKNOWN, a.ldx(8, R8, R6, 8), a.mov_imm(R9, 0), a.jmp_imm("eq", R7, 5, "wide"), a.ja("join"), "wide",
                        a.mov_imm(R9, 48), "join"]
hole("2023-2163")
for _op in ("gt", "sgt"):
    no(f"bound by a register ({_op}) that differs by path", "EACCES", PAST_VALUE,
       *TWO_WAYS, a.jmp_imm("slt", R8, 0, "out"), a.jmp(_op, R8, R9, "out"), a.add(R6, R8), a.ldx(1, R0, R6), a.exit_(),
       "out", *OUT)
no("bound from the other side", "EACCES", PAST_VALUE,
   *TWO_WAYS, a.jmp("ge", R9, R8, "in"), *OUT, "in", a.add(R6, R8), a.ldx(1, R0, R6), a.exit_())

hole("2023-39191")
no("dynptr overwritten in part", "EINVAL", "",
   *found("big"), a.mov(R1, R0), a.mov_imm(R2, 4096), a.mov_imm(R3, 0), a.mov(R4, R10), a.add_imm(R4, -16),
   a.call(DYNPTR_FROM_MEM),
   a.st(8, R10, -8, -1), a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 0), a.mov_imm(R3, 8), a.call(DYNPTR_DATA),
   a.jmp_imm("eq", R0, 0, "out"), a.st(8, R0, 0, 1), "out", *OUT, prog_type=KPROBE)

hole("2023-52452")
runs("variable load of stack that was never stored to", [(0, 1), (0x1F8, 1)],
     *UNKNOWN, a.alu64_imm("and", R7, 0x1F8), a.mov(R2, R10), a.add_imm(R2, -512), a.add(R2, R7), a.ldx(8, R3, R2),
     a.mov_imm(R0, 1),
     a.exit_())
no("and a callee's frame beside it", "EACCES", "combined stack size",
   *UNKNOWN, a.alu64_imm("and", R7, 0x1F8), a.mov(R2, R10), a.add_imm(R2, -512), a.add(R2, R7), a.ldx(8, R3, R2),
   a.call_sub("sub"),
   a.exit_(), "sub", a.st(8, R10, -64, 1), *OUT)
no("plain load and a callee's frame beside it", "EACCES", "combined stack size",
   a.ldx(8, R3, R10, -504), a.call_sub("sub"), a.exit_(), "sub", a.st(8, R10, -64, 1), *OUT)

hole("2023-52462")
for _size, _off in ((1, -1), (2, -2), (4, -4), (1, -8), (1, -5)):
    no(f"{_size} bytes of a spilled pointer overwritten at {_off}", "EACCES", "R2 invalid mem access 'scalar'",
       a.stx(8, R10, -8, R1), a.st(_size, R10, _off, 0), a.ldx(8, R2, R10, -8), a.ldx(4, R0, R2), a.exit_())

hole("2023-52676")
no("variable offset from the stack up to 2^31", "EACCES", "invalid unbounded variable-offset read from stack R2",
   *UNKNOWN, a.ld_imm64(R8, 0x7FFFFFF8), a.alu64("and", R7, R8), a.mov(R2, R10), a.add_imm(R2, -8), a.add(R2, R7),
   a.ldx(8, R0, R2),
   a.exit_())
no("variable and fixed offset beyond 2^31", "EINVAL", "fp pointer offset 1073741808 is not allowed",
   *UNKNOWN, a.ld_imm64(R8, 0x1FFFFFF8), a.alu64("and", R7, R8), a.mov(R2, R10), a.add_imm(R2, 0x1FFFFFF8), a.add(R2, R7),
   a.add_imm(R2, 0x1FFFFFF8), a.st(8, R2, 0x7FF8, 0), *OUT)

hole("2023-52920")
no("index spilled through a copy of the frame pointer", "EACCES", PAST_VALUE,
   *TWO_WAYS, a.mov(R8, R10), a.add_imm(R8, -64), a.stx(8, R8, 8, R9), a.mov(R1, R10), a.add_imm(R1, -48), a.ldx(8, R9, R1, -8),
   a.add(R6, R9), a.ldx(1, R0, R6), a.exit_())
no("index spilled into the caller's frame", "EACCES", PAST_VALUE,
   *TWO_WAYS, a.mov(R1, R10), a.add_imm(R1, -24), a.mov(R2, R9), a.call_sub("sub"), a.ldx(8, R9, R10, -16), a.add(R6, R9),
   a.ldx(1, R0, R6), a.exit_(), "sub", a.stx(8, R1, 8, R2), *OUT)

# ---- 2024 ----

hole("2024-35905")
for _size in (-1, -0x80000000):
    no(f"size {_size} for a helper", "EACCES", "R2",
       a.mov32_imm(R2, _size), a.mov(R1, R10), a.add_imm(R1, -16), a.call(COMM), *OUT, prog_type=KPROBE)

hole("2024-42072")
no("may_goto", "EINVAL", "unknown opcode e5", a.mov_imm(R0, 0), a.Insn(0xE5, off=-1), a.exit_())

hole("2024-45020")
runs("callback entered with much and with little stack", [(0, 4), (1, 4)],
     *UNKNOWN, a.jmp_imm("eq", R7, 0, "little"), a.st(8, R10, -256, 1), "little", a.st(8, R10, -8, 0), a.mov_imm(R1, 4),
     a.ld_func(R2, "body"), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 0), a.call(LOOP), a.ldx(8, R0, R10, -8), a.exit_(),
     "body", a.ldx(8, R3, R2), a.add_imm(R3, 1), a.jmp_imm("gt", R1, 1, "deep"), a.st(8, R10, -128, 1),
     "deep", a.stx(8, R2, 0, R3), *OUT)

hole("2024-47702")
for _field, _name in ((76, "start"), (80, "end"), (140, "metadata")):
    no(f"packet's {_name} with a sign", "EACCES", "invalid bpf_context access", a.ldsx(4, R2, R1, _field),
       *OUT, prog_type=SCHED_CLS, native_differs=LATER)

hole("2024-49861")
no("result of strtol in a read-only map", "EACCES", "write into map forbidden",
   a.st(8, R10, -8, 0x31), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 10), ld_value(R4, "rdonly"),
   a.call(STRTOL), *OUT)
no("result of strtol in a frozen map", "EACCES", "write into map forbidden",
   a.st(8, R10, -8, 0x31), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 10), ld_value(R4, "rodata"),
   a.call(STRTOL), *OUT)

hole("2024-49888")
for _name, _make, _min in (("64", a.alu64, 1 << 63), ("32", a.alu32, 1 << 31)):
    for _op, _result in (("div", 1), ("mod", 0)):
        _insn = _make(_op, R7, R8)
        runs(f"least {_name}-bit number, signed {_op} by -1", [((_min, U64), _result), ((_min, 1), 1 if _op == "div" else 0)],
             *UNKNOWN, a.ldx(8, R8, R6, 8), a.Insn(_insn.code, R7, R8, 1), a.alu64_imm("rsh", R7, int(_name) - 1),
             a.mov(R0, R7), a.exit_(), native_differs=LATER)
        _insn = a.alu64_imm(_op, R7, -1) if _name == "64" else a.alu32_imm(_op, R7, -1)
        runs(f"least {_name}-bit number, signed {_op} by the constant -1", [(_min, _result)],
             *UNKNOWN, a.Insn(_insn.code, R7, 0, 1, -1), a.alu64_imm("rsh", R7, int(_name) - 1),
             a.mov(R0, R7), a.exit_(), native_differs=LATER)

hole("2024-50164")
no("perf counter read into a read-only map", "EACCES", "write into map forbidden",
   ld_value(R3, "rdonly"), ld_map(R1, "events"), a.mov_imm(R2, 0), a.mov_imm(R4, 16),
   a.call(PERF_READ_VALUE), *OUT, prog_type=KPROBE)
no("result of strtol past a map's value", "EACCES", "invalid access to map value",
   a.st(8, R10, -8, 0x31), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R3, 10), *[ld_value(R4, "small"),
   a.add_imm(R4, 8)],
   a.call(STRTOL), *OUT)

hole("2024-53125")
runs("32-bit test says nothing of a copy's high half", [(5, 0), (7 << 32 | 5, 7), (7 << 32 | 9, 99)],
     *UNKNOWN, a.mov(R8, R7), a.jmp32_imm("ne", R7, 5, "out"), a.mov(R0, R8), a.alu64_imm("rsh", R0, 32), a.exit_(), "out",
     a.mov_imm(R0, 99), a.exit_())
runs("32-bit copy has no high half", [(7 << 32 | 5, 0), (5, 0)],
     *UNKNOWN, a.mov32(R8, R7), a.mov(R9, R8), a.jmp_imm("ne", R8, 5, "out"), a.alu64_imm("rsh", R9, 32), a.mov(R0, R9),
     a.exit_(), "out",
     *OUT)

# ---- 2025 ----

hole("2025-38279")
runs("number compared with the frame pointer", [(0, 1), (U64, 1)],
     *UNKNOWN, a.mov(R1, R7), a.call_sub("sub"), a.mov_imm(R0, 1), a.exit_(),
     "sub", a.ld_imm64(R2, 0x20202000256C6C78), a.jmp("le", R2, R10, "on"), a.jmp_imm("le", R2, 8, "on"),
     a.jmp("lt", R10, R2, "on"),
     "on", a.jmp_imm("gt", R1, 4, "out"), a.mov(R3, R10), a.add_imm(R3, -16), a.st(8, R10, -16, 0), a.st(8, R10, -8, 0),
     a.add(R3, R1),
     a.ldx(1, R0, R3), "out", *OUT)

hole("2025-38591")
for _size in (1, 2, 4):
    no(f"{_size} bytes of the socket's pointer", "EACCES", "invalid bpf_context access off=168", a.ldx(_size, R2, R1, 168),
       *OUT,
       prog_type=SCHED_CLS)
no("4 bytes of the pointer to the flow's keys", "EACCES", "invalid bpf_context access off=144", a.ldx(4, R2, R1, 144), *OUT,
   prog_type=SCHED_CLS)

hole("2025-39748")
runs("bits tested in a range", [(8, 1), (7, 0), (12, 1), (16, 2)],
     *UNKNOWN, a.mov_imm(R0, 2), a.jmp_imm("gt", R7, 15, "out"), a.jmp_imm("lt", R7, 7, "out"), a.mov_imm(R0, 1),
     a.jmp_imm("set", R7, 8, "out"), a.mov_imm(R0, 0), a.jmp_imm("eq", R7, 7, "out"), a.mov_imm(R0, 3), "out", a.exit_())
no("bits that are not set in a range that has them", "EACCES", NOT_MEMORY,
   *UNKNOWN, a.jmp_imm("gt", R7, 15, "out"), a.jmp_imm("lt", R7, 7, "out"), a.jmp_imm("set", R7, 8, "out"),
   a.jmp_imm("eq", R7, 7, "bad"),
   "out", *OUT, *BAD)

hole("2025-40169")
for _op in ("div", "mod"):
    for _off in (-1, 2):
        no(f"{_op} with offset {_off}", "EINVAL", "uses reserved fields",
           a.mov_imm(R0, 9), a.mov_imm(R1, 3), a.Insn(a.alu64(_op, R0, R1).code, R0, R1, _off), a.exit_())

CASES = [hole.case for hole in HOLES]
