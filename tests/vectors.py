# SPDX-License-Identifier: MIT
"""The table of test vectors of the instruction set: each instruction on edge values, with every register as
destination and as source, and what RFC 9669 says all ten registers hold afterwards. They make programs that any
verifier accepts: values come out of a map, and go back to it."""

from __future__ import annotations

import random
import struct
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent / "unit"))

import asm as a

U64 = (1 << 64) - 1
U32 = (1 << 32) - 1
EDGES = [
    0, 1, 2, 7, 31, 32, 33, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, U32, 1 << 32,
    0x123456789ABCDEF0, (1 << 63) - 1, 1 << 63, U64 - 1, U64,
]
IMMS = [0, 1, 2, 31, 32, 63, 64, 127, 128, -128, -129, 0x7FFF, -1, -2, 0x7FFFFFFF, -0x80000000]
ALU_OPS = ["add", "sub", "mul", "or", "and", "xor", "mov", "lsh", "rsh", "arsh", "div", "mod", "sdiv", "smod"]
JUMPS = [op for op in a.JMP_OPS if op not in ("ja", "call", "exit")]
REGISTERS = range(10)
SLOT = -16  # on the stack, for vectors on memory
SAVED = -8


def signed(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def trunc_div(x: int, y: int) -> int:
    quotient = abs(x) // abs(y)
    return quotient if (x < 0) == (y < 0) else -quotient


def model_alu(op: str, x: int, y: int, bits: int) -> int:
    """dst op src, in @bits bits; the result as 64-bit register."""
    mask = (1 << bits) - 1
    x, y = x & mask, y & mask
    sx, sy = signed(x, bits), signed(y, bits)
    shift = y & (bits - 1)
    result = {
        "add": lambda: x + y,
        "sub": lambda: x - y,
        "mul": lambda: x * y,
        "or": lambda: x | y,
        "and": lambda: x & y,
        "xor": lambda: x ^ y,
        "mov": lambda: y,
        "lsh": lambda: x << shift,
        "rsh": lambda: x >> shift,
        "arsh": lambda: sx >> shift,
        "div": lambda: x // y if y else 0,
        "mod": lambda: x % y if y else x,
        "sdiv": lambda: trunc_div(sx, sy) if sy else 0,
        "smod": lambda: sx - sy * trunc_div(sx, sy) if sy else sx,
    }[op]()
    return result & mask


def model_jump(op: str, x: int, y: int, bits: int) -> bool:
    mask = (1 << bits) - 1
    x, y = x & mask, y & mask
    sx, sy = signed(x, bits), signed(y, bits)
    return bool(
        {
            "eq": x == y, "ne": x != y, "gt": x > y, "ge": x >= y, "lt": x < y, "le": x <= y, "set": x & y,
            "sgt": sx > sy, "sge": sx >= sy, "slt": sx < sy, "sle": sx <= sy,
        }[op]
    )


def alu_insn(op: str, bits: int, src: int | None, imm: int = 0, dst: int = a.R0) -> a.Insn:
    """@src None: the immediate."""
    base = {"sdiv": "div", "smod": "mod"}.get(op, op)
    code = (a.ALU64 if bits == 64 else a.ALU) | a.ALU_OPS[base] | (a.K if src is None else a.X)
    return a.Insn(code, dst, src or 0, 1 if op != base else 0, imm)


@dataclass
class Vector:
    """Instructions, what the ten registers hold before, and after."""

    name: str
    code: list[object]
    before: list[int]
    after: list[int]
    later: bool = False  # an encoding of Linux 6.6 and later


class Table:
    """Builds the vectors; values turn with each, so that the whole table sees all pairs of edges."""

    def __init__(self) -> None:
        self.rng = random.Random(1)
        self.vectors: list[Vector] = []

    def registers(self, **fixed: int) -> list[int]:
        values = [self.rng.choice(EDGES) for _ in REGISTERS]
        for name, value in fixed.items():
            values[int(name[1:])] = value & U64
        return values

    def add(self, name: str, code: list[object], before: list[int], changes: dict[int, int], later: bool = False) -> None:
        after = list(before)
        for reg, value in changes.items():
            after[reg] = value & U64
        self.vectors.append(Vector(name, code, before, after, later))

    def each_pair(self, times: int) -> Iterator[tuple[int, int, list[int]]]:
        for dst in REGISTERS:
            for src in REGISTERS:
                for _ in range(times):
                    yield dst, src, self.registers()

    def alu(self) -> None:
        for op in ALU_OPS:
            for bits in (64, 32):
                later = op in ("sdiv", "smod")
                for dst, src, regs in self.each_pair(2):
                    self.add(f"{op}{bits} r{dst} = {regs[dst]:#x}, r{src} = {regs[src]:#x}", [alu_insn(op, bits, src, 0, dst)],
                             regs, {dst: model_alu(op, regs[dst], regs[src], bits)}, later)
                for dst in REGISTERS:
                    for imm in IMMS:
                        if (op in ("div", "mod", "sdiv", "smod") and not imm) or ("sh" in op and not 0 <= imm < bits):
                            continue  # refused by every verifier
                        regs = self.registers()
                        self.add(f"{op}{bits} r{dst} = {regs[dst]:#x}, imm {imm}", [alu_insn(op, bits, None, imm, dst)], regs,
                                 {dst: model_alu(op, regs[dst], imm & U64, bits)}, later)

    def one_register(self) -> None:
        for dst in REGISTERS:
            for _ in range(4):
                regs = self.registers()
                x = regs[dst]
                self.add(f"neg64 r{dst} = {x:#x}", [a.neg(dst)], regs, {dst: -x})
                self.add(f"neg32 r{dst} = {x:#x}", [a.neg32(dst)], regs, {dst: -x & U32})
                for bits in (16, 32, 64):
                    low = x & ((1 << bits) - 1)
                    swapped = int.from_bytes(low.to_bytes(bits // 8, "little"), "big")
                    self.add(f"le{bits} r{dst} = {x:#x}", [a.to_le(dst, bits)], regs, {dst: low})
                    self.add(f"be{bits} r{dst} = {x:#x}", [a.to_be(dst, bits)], regs, {dst: swapped})
                    self.add(f"bswap{bits} r{dst} = {x:#x}", [a.bswap(dst, bits)], regs, {dst: swapped}, True)
                value = self.rng.choice(EDGES)
                self.add(f"ld_imm64 r{dst} = {value:#x}", [a.ld_imm64(dst, value)], regs, {dst: value})

    def moves(self) -> None:
        for dst, src, regs in self.each_pair(1):
            x = regs[src]
            for bits in (8, 16, 32):
                self.add(f"movsx{bits} r{dst}, r{src} = {x:#x}", [a.movsx(dst, src, bits)], regs, {dst: signed(x, bits)}, True)
            for bits in (8, 16):
                self.add(f"movsx32 {bits} r{dst}, r{src} = {x:#x}", [a.movsx32(dst, src, bits)], regs,
                         {dst: signed(x, bits) & U32}, True)

    def jump(self, name: str, make: Callable[[str], a.Insn], regs: list[int], taken: bool) -> None:
        """A register that the comparison does not use tells."""
        insn = make("")
        tell = next(reg for reg in REGISTERS if reg not in (insn.dst, insn.src))
        label = f"v{len(self.vectors)}"
        self.add(name, [a.mov_imm(tell, 1), make(label), a.mov_imm(tell, 2), label], regs, {tell: 1 if taken else 2})

    def jumps(self) -> None:
        for op in JUMPS:
            for bits in (64, 32):
                make, make_imm = (a.jmp, a.jmp_imm) if bits == 64 else (a.jmp32, a.jmp32_imm)
                for dst, src, regs in self.each_pair(1):
                    if self.rng.random() < 0.3:
                        regs[src] = regs[dst]
                    self.jump(f"j{op}{bits} r{dst} = {regs[dst]:#x}, r{src} = {regs[src]:#x}",
                              lambda to, op=op, dst=dst, src=src, make=make: make(op, dst, src, to), regs,
                              model_jump(op, regs[dst], regs[src], bits))
                for dst in REGISTERS:
                    for imm in IMMS:
                        regs = self.registers()
                        if self.rng.random() < 0.3:
                            regs[dst] = imm & U64
                        self.jump(f"j{op}{bits} r{dst} = {regs[dst]:#x}, imm {imm}",
                                  lambda to, op=op, dst=dst, imm=imm, make=make_imm: make(op, dst, imm, to), regs,
                                  model_jump(op, regs[dst], imm & U64, bits))

    def place(self, base: int, off: int) -> list[object]:
        """@base + @off is the slot."""
        return [a.mov(base, a.R10), a.add_imm(base, SLOT - off)]

    def loads_and_stores(self) -> None:
        offs = (0, 8, -8, 127, -128, 128, -129, 0x7FF0, -0x7FF0)
        for base, reg, regs in self.each_pair(1):
            for size in (1, 2, 4, 8):
                off, mask = self.rng.choice(offs), (1 << 8 * size) - 1
                word = self.rng.choice(EDGES)
                fill = [a.ld_imm64(reg, word), a.stx(8, a.R10, SLOT, reg)]
                done = {base: 0} if base != reg else {}
                zero: list[object] = [a.mov_imm(base, 0)] if base != reg else []
                self.add(f"ldx{size} r{reg}, r{base} + {off}",
                         [*fill, *self.place(base, off), a.ldx(size, reg, base, off), *zero], regs, {**done, reg: word & mask})
                if size < 8:
                    self.add(f"ldsx{size} r{reg}, r{base} + {off}",
                             [*fill, *self.place(base, off), a.ldsx(size, reg, base, off), *zero],
                             regs, {**done, reg: signed(word, 8 * size)}, True)
                if base == reg:
                    continue
                x, old = regs[reg], [a.st(8, a.R10, SLOT, -1)]
                self.add(f"stx{size} r{base} + {off}, r{reg} = {x:#x}",
                         [*old, *self.place(base, off), a.stx(size, base, off, reg), a.ldx(8, base, a.R10, SLOT)], regs,
                         {base: (U64 & ~mask) | (x & mask)})
                imm = self.rng.choice(IMMS)
                self.add(f"st{size} r{base} + {off}, {imm}",
                         [*old, *self.place(base, off), a.st(size, base, off, imm), a.ldx(8, base, a.R10, SLOT)], regs,
                         {base: (U64 & ~mask) | (imm & mask)})

    def atomics(self) -> None:
        model = {"add": lambda m, s: m + s, "or": lambda m, s: m | s, "and": lambda m, s: m & s, "xor": lambda m, s: m ^ s,
                 "xchg": lambda m, s: s}
        for base, src, regs in self.each_pair(1):
            if base == src:
                continue
            for size in (4, 8):
                mask = (1 << 8 * size) - 1
                for op, fetch in [(op, fetch) for op in model for fetch in (False, True) if op != "xchg" or not fetch]:
                    off, word, x = self.rng.choice((0, 8, -128, 128)), self.rng.choice(EDGES), regs[src]
                    code = [a.ld_imm64(base, word), a.stx(8, a.R10, SLOT, base), *self.place(base, off),
                            a.atomic(size, op, base, off, src, fetch), a.ldx(8, base, a.R10, SLOT)]
                    after = (word & ~mask) | (model[op](word & mask, x & mask) & mask)
                    changes = {base: after, src: word & mask if fetch or op == "xchg" else x}
                    self.add(f"{op}{size} fetch={fetch} r{base} + {off} = {word:#x}, r{src} = {x:#x}", code, regs, changes)
                if a.R0 in (base, src):
                    continue
                word, x = self.rng.choice(EDGES), regs[src]
                if self.rng.random() < 0.5:
                    regs = [(word & mask) | (regs[0] & ~mask), *regs[1:]]
                hit = (word & mask) == (regs[0] & mask)
                code = [a.ld_imm64(base, word), a.stx(8, a.R10, SLOT, base), *self.place(base, 0),
                        a.atomic(size, "cmpxchg", base, 0, src), a.ldx(8, base, a.R10, SLOT)]
                self.add(f"cmpxchg{size} r{base} = {word:#x}, r{src}, r0 = {regs[0]:#x}", code, regs,
                         {base: (word & ~mask) | (x & mask) if hit else word, a.R0: word & mask})


def table() -> list[Vector]:
    """All vectors."""
    t = Table()
    for part in (t.alu, t.one_register, t.moves, t.jumps, t.loads_and_stores, t.atomics):
        part()
    return t.vectors


ROW = 8 * len(REGISTERS)  # bytes that a vector takes in the map, before and after


def contents(vectors: list[Vector], after: bool = False) -> bytes:
    """The map's value: what registers are loaded from, then what they are stored to."""
    before = b"".join(struct.pack("<10Q", *v.before) for v in vectors)
    return before + (b"".join(struct.pack("<10Q", *v.after) for v in vectors) if after else bytes(len(before)))


def program(vectors: list[Vector], map_fd: int) -> bytes:
    """All of @vectors in one program, on the one value of an array with room for contents()."""
    code: list[object] = []
    for index, vector in enumerate(vectors):
        code += [a.ld_map_value(a.R0, map_fd, index * ROW), *[a.ldx(8, reg, a.R0, 8 * reg) for reg in REGISTERS[1:]],
                 a.ldx(8, a.R0, a.R0), *vector.code, a.stx(8, a.R10, SAVED, a.R0),
                 a.ld_map_value(a.R0, map_fd, (len(vectors) + index) * ROW),
                 *[a.stx(8, a.R0, 8 * reg, reg) for reg in REGISTERS[1:]],
                 a.ldx(8, a.R1, a.R10, SAVED), a.stx(8, a.R0, 0, a.R1)]
    return a.asm(*code, a.mov_imm(a.R0, 0), a.exit_())  # type: ignore[arg-type]


def difference(vectors: list[Vector], value: bytes) -> str:
    """What is wrong in a map's value after the run; "" when nothing is."""
    size = len(vectors) * ROW
    for index, vector in enumerate(vectors):
        got = struct.unpack_from("<10Q", value, size + index * ROW)
        if list(got) != vector.after:
            pairs = enumerate(zip(got, vector.after, strict=True))
            wrong = [f"r{reg} = {x:#x}, not {want:#x}" for reg, (x, want) in pairs if x != want]
            return f"{vector.name}: {', '.join(wrong)}"
    return ""
