# SPDX-License-Identifier: MIT
"""A small assembler for tests: each function makes one instruction (RFC 9669); asm() joins them and resolves labels."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass, replace

R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10 = range(11)

LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
W, H, B, DW = 0x00, 0x08, 0x10, 0x18
SIZES = {1: B, 2: H, 4: W, 8: DW}
IMM, ABS, IND, MEM, MEMSX, ATOMIC = 0x00, 0x20, 0x40, 0x60, 0x80, 0xC0
K, X = 0x00, 0x08

ALU_OPS = {
    "add": 0x00, "sub": 0x10, "mul": 0x20, "div": 0x30, "or": 0x40, "and": 0x50, "lsh": 0x60, "rsh": 0x70, "neg": 0x80,
    "mod": 0x90, "xor": 0xA0, "mov": 0xB0, "arsh": 0xC0, "end": 0xD0,
}
JMP_OPS = {
    "ja": 0x00, "eq": 0x10, "gt": 0x20, "ge": 0x30, "set": 0x40, "ne": 0x50, "sgt": 0x60, "sge": 0x70, "call": 0x80,
    "exit": 0x90, "lt": 0xA0, "le": 0xB0, "slt": 0xC0, "sle": 0xD0,
}
FETCH = 0x01
ATOMIC_OPS = {"add": 0x00, "or": 0x40, "and": 0x50, "xor": 0xA0, "xchg": 0xE1, "cmpxchg": 0xF1}

PSEUDO_MAP_FD, PSEUDO_MAP_VALUE, PSEUDO_BTF_ID, PSEUDO_FUNC, PSEUDO_MAP_IDX, PSEUDO_MAP_IDX_VALUE = 1, 2, 3, 4, 5, 6
PSEUDO_CALL, PSEUDO_KFUNC_CALL = 1, 2


@dataclass(frozen=True)
class Insn:
    """One instruction slot. A label stands for a distance: @target goes into off or imm once it is known."""

    code: int
    dst: int = 0
    src: int = 0
    off: int = 0
    imm: int = 0
    label: str = ""  # name of this place
    target: str = ""  # label whose distance goes into @where
    where: str = "off"

    def at(self, label: str) -> Insn:
        """The same, with a name for the place it stands at."""
        return replace(self, label=label)


Program = Iterable["Insn | tuple[Insn, ...] | str"]


def encode(insn: Insn) -> bytes:
    imm = insn.imm & 0xFFFFFFFF
    return struct.pack("<BBhI", insn.code, (insn.dst & 15) | (insn.src & 15) << 4, insn.off, imm)


def asm(*items: Insn | tuple[Insn, ...] | list[Insn] | str) -> bytes:
    """Bytes of a program. A string names the place of the instruction that follows it."""
    flat: list[Insn] = []
    labels: dict[str, int] = {}
    for item in items:
        if isinstance(item, str):
            labels[item] = len(flat)
            continue
        for insn in [item] if isinstance(item, Insn) else item:
            if insn.label:
                labels[insn.label] = len(flat)
            flat.append(insn)
    out = []
    for place, insn in enumerate(flat):
        if insn.target:
            distance = labels[insn.target] - place - 1
            insn = replace(insn, **{insn.where: distance})
        out.append(encode(insn))
    return b"".join(out)


# ---- arithmetic ----

def alu64(op: str, dst: int, src: int) -> Insn:
    return Insn(ALU64 | ALU_OPS[op] | X, dst, src)


def alu64_imm(op: str, dst: int, imm: int) -> Insn:
    return Insn(ALU64 | ALU_OPS[op] | K, dst, imm=imm)


def alu32(op: str, dst: int, src: int) -> Insn:
    return Insn(ALU | ALU_OPS[op] | X, dst, src)


def alu32_imm(op: str, dst: int, imm: int) -> Insn:
    return Insn(ALU | ALU_OPS[op] | K, dst, imm=imm)


def mov(dst: int, src: int) -> Insn:
    return alu64("mov", dst, src)


def mov_imm(dst: int, imm: int) -> Insn:
    return alu64_imm("mov", dst, imm)


def mov32(dst: int, src: int) -> Insn:
    return alu32("mov", dst, src)


def mov32_imm(dst: int, imm: int) -> Insn:
    return alu32_imm("mov", dst, imm)


def movsx(dst: int, src: int, bits: int) -> Insn:
    return Insn(ALU64 | ALU_OPS["mov"] | X, dst, src, bits)


def movsx32(dst: int, src: int, bits: int) -> Insn:
    return Insn(ALU | ALU_OPS["mov"] | X, dst, src, bits)


def add(dst: int, src: int) -> Insn:
    return alu64("add", dst, src)


def add_imm(dst: int, imm: int) -> Insn:
    return alu64_imm("add", dst, imm)


def neg(dst: int) -> Insn:
    return Insn(ALU64 | ALU_OPS["neg"], dst)


def neg32(dst: int) -> Insn:
    return Insn(ALU | ALU_OPS["neg"], dst)


def to_le(dst: int, bits: int) -> Insn:
    return Insn(ALU | ALU_OPS["end"], dst, imm=bits)


def to_be(dst: int, bits: int) -> Insn:
    return Insn(ALU | ALU_OPS["end"] | X, dst, imm=bits)


def bswap(dst: int, bits: int) -> Insn:
    return Insn(ALU64 | ALU_OPS["end"], dst, imm=bits)


# ---- jumps ----

def _jump(code: int, dst: int, src: int, imm: int, to: int | str) -> Insn:
    if isinstance(to, str):
        return Insn(code, dst, src, 0, imm, target=to)
    return Insn(code, dst, src, to, imm)


def jmp(op: str, dst: int, src: int, to: int | str) -> Insn:
    return _jump(JMP | JMP_OPS[op] | X, dst, src, 0, to)


def jmp_imm(op: str, dst: int, imm: int, to: int | str) -> Insn:
    return _jump(JMP | JMP_OPS[op] | K, dst, 0, imm, to)


def jmp32(op: str, dst: int, src: int, to: int | str) -> Insn:
    return _jump(JMP32 | JMP_OPS[op] | X, dst, src, 0, to)


def jmp32_imm(op: str, dst: int, imm: int, to: int | str) -> Insn:
    return _jump(JMP32 | JMP_OPS[op] | K, dst, 0, imm, to)


def ja(to: int | str) -> Insn:
    return _jump(JMP, 0, 0, 0, to)


def gotol(to: int | str) -> Insn:
    """Jump with a 32-bit distance."""
    if isinstance(to, str):
        return Insn(JMP32, target=to, where="imm")
    return Insn(JMP32, imm=to)


def call(func_id: int) -> Insn:
    return Insn(JMP | JMP_OPS["call"], imm=func_id)


def call_kfunc(btf_id: int, off: int = 0) -> Insn:
    """A kernel function by its BTF: the kernel's, or that of the @off-th fd."""
    return Insn(JMP | JMP_OPS["call"], src=PSEUDO_KFUNC_CALL, off=off, imm=btf_id)


def call_sub(to: int | str) -> Insn:
    if isinstance(to, str):
        return Insn(JMP | JMP_OPS["call"], src=PSEUDO_CALL, target=to, where="imm")
    return Insn(JMP | JMP_OPS["call"], src=PSEUDO_CALL, imm=to)


def exit_() -> Insn:
    return Insn(JMP | JMP_OPS["exit"])


# ---- memory ----

def ldx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    return Insn(LDX | MEM | SIZES[size], dst, src, off)


def ldsx(size: int, dst: int, src: int, off: int = 0) -> Insn:
    return Insn(LDX | MEMSX | SIZES[size], dst, src, off)


def stx(size: int, dst: int, off: int, src: int) -> Insn:
    return Insn(STX | MEM | SIZES[size], dst, src, off)


def st(size: int, dst: int, off: int, imm: int) -> Insn:
    return Insn(ST | MEM | SIZES[size], dst, 0, off, imm)


def atomic(size: int, op: str, dst: int, off: int, src: int, fetch: bool = False) -> Insn:
    return Insn(STX | ATOMIC | SIZES[size], dst, src, off, ATOMIC_OPS[op] | (FETCH if fetch else 0))


def ld_abs(size: int, imm: int) -> Insn:
    return Insn(LD | ABS | SIZES[size], imm=imm)


def ld_ind(size: int, src: int, imm: int) -> Insn:
    return Insn(LD | IND | SIZES[size], src=src, imm=imm)


def ld_imm64(dst: int, value: int, src: int = 0) -> tuple[Insn, Insn]:
    value &= (1 << 64) - 1
    return Insn(LD | IMM | DW, dst, src, imm=value & 0xFFFFFFFF), Insn(0, imm=value >> 32)


def ld_map(dst: int, fd: int) -> tuple[Insn, Insn]:
    return ld_imm64(dst, fd, PSEUDO_MAP_FD)


def ld_map_value(dst: int, fd: int, off: int = 0) -> tuple[Insn, Insn]:
    return ld_imm64(dst, fd | off << 32, PSEUDO_MAP_VALUE)


def ld_func(dst: int, to: int | str) -> tuple[Insn, Insn]:
    """Address of a callback."""
    if isinstance(to, str):
        return Insn(LD | IMM | DW, dst, PSEUDO_FUNC, target=to, where="imm"), Insn(0)
    return Insn(LD | IMM | DW, dst, PSEUDO_FUNC, imm=to), Insn(0)
