# SPDX-License-Identifier: MIT
"""Seeded random programs for comparing engines: every instruction that needs no verifier to be safe, on all
registers, with jumps ahead, subprograms and a stack. They are run as they are; the context takes ten registers at the
end."""

from __future__ import annotations

import random

import asm as a

ALU = ["add", "sub", "mul", "or", "and", "xor", "lsh", "rsh", "arsh", "div", "mod", "mov"]
COMPARE = ["eq", "ne", "gt", "ge", "lt", "le", "sgt", "sge", "slt", "sle", "set"]
EDGES = [0, 1, -1, 2, 7, 8, 31, 32, 33, 63, 64, 127, 128, -128, -129, 255, 256, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF,
         -0x80000000, -0x7FFFFFFF, -2]
SAVED = -8  # where the context is kept
SLOTS = 6  # of the stack, from -16 down
PRANDOM = 7
RESULTS = 10  # registers that the context takes

Item = a.Insn | tuple[a.Insn, ...] | str


class Chain:
    """One program."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.labels = 0

    def reg(self) -> int:
        return self.rng.randrange(10)

    def imm(self) -> int:
        return self.rng.choice(EDGES) if self.rng.random() < 0.7 else self.rng.randrange(-(1 << 31), 1 << 31)

    def wide(self) -> int:
        value = self.rng.getrandbits(self.rng.choice((1, 8, 31, 32, 33, 63, 64)))
        return self.rng.choice((value, -value, self.rng.choice(EDGES)))

    def slot(self, size: int) -> int:
        return -8 * self.rng.randrange(2, 2 + SLOTS) + self.rng.randrange(0, 8, size)

    def alu(self) -> Item:
        op, code = self.rng.choice(ALU), self.rng.choice((a.ALU, a.ALU64))
        off = 0
        if op in ("div", "mod"):
            off = self.rng.randrange(2)
        if self.rng.random() < 0.5:
            if op == "mov":
                off = self.rng.choice((0, 8, 16, 32) if code == a.ALU64 else (0, 8, 16))
            return a.Insn(code | a.ALU_OPS[op] | a.X, self.reg(), self.reg(), off)
        return a.Insn(code | a.ALU_OPS[op] | a.K, self.reg(), 0, off, self.imm())

    def other(self) -> Item:
        dst, bits = self.reg(), self.rng.choice((16, 32, 64))
        return self.rng.choice([a.neg(dst), a.neg32(dst), a.to_be(dst, bits), a.to_le(dst, bits), a.bswap(dst, bits),
                                a.ld_imm64(dst, self.wide())])

    def memory(self) -> Item:
        size = self.rng.choice((1, 2, 4, 8))
        kind = self.rng.randrange(6)
        if kind == 0:
            return a.st(size, a.R10, self.slot(size), self.imm())
        if kind == 1:
            return a.stx(size, a.R10, self.slot(size), self.reg())
        if kind == 2 and size < 8:
            return a.ldsx(size, self.reg(), a.R10, self.slot(size))
        if kind == 3:
            size = self.rng.choice((4, 8))
            op = self.rng.choice(("add", "or", "and", "xor", "xchg", "cmpxchg"))
            return a.atomic(size, op, a.R10, self.slot(size), self.reg(),
                            fetch=op not in ("xchg", "cmpxchg") and self.rng.random() < 0.6)
        return a.ldx(size, self.reg(), a.R10, self.slot(size))

    def by_pointer(self) -> list[Item]:
        """Memory by another register than r10."""
        base, size = self.reg(), self.rng.choice((4, 8))
        off = self.rng.choice((-128, -136, 0, 8, 120, 128, -32768 + 64))
        slot = self.slot(8)
        item = self.rng.choice([
            a.ldx(size, self.reg(), base, off), a.st(size, base, off, self.imm()),
            a.atomic(size, self.rng.choice(("add", "or", "and", "xor", "xchg", "cmpxchg")), base, off,
                     self.rng.choice([reg for reg in range(10) if reg != base]), fetch=False),
            a.atomic(size, self.rng.choice(("add", "or", "and", "xor")), base, off,
                     self.rng.choice([reg for reg in range(10) if reg != base]), fetch=True),
        ])
        return [a.mov(base, a.R10), a.add_imm(base, slot - off), item, a.mov_imm(base, self.imm())]

    def jump(self) -> tuple[Item, str]:
        self.labels += 1
        to = f"l{self.labels}"
        op, wide = self.rng.choice(COMPARE), self.rng.random() < 0.5
        if self.rng.random() < 0.1:
            return self.rng.choice((a.ja, a.gotol))(to), to
        if self.rng.random() < 0.5:
            return (a.jmp if wide else a.jmp32)(op, self.reg(), self.reg(), to), to
        return (a.jmp_imm if wide else a.jmp32_imm)(op, self.reg(), self.imm(), to), to

    def body(self, length: int, subs: list[str]) -> list[Item]:
        code: list[Item] = []
        ends: dict[int, list[str]] = {}
        for at in range(length):
            code += ends.pop(at, [])
            choice = self.rng.random()
            if choice < 0.5:
                code.append(self.alu())
            elif choice < 0.6:
                code.append(self.other())
            elif choice < 0.75:
                code.append(self.memory())
            elif choice < 0.8:
                code += self.by_pointer()
            elif choice < 0.95:
                item, label = self.jump()
                code.append(item)
                ends.setdefault(at + self.rng.choice((1, 2, 5, 20, 60)), []).append(label)
            elif subs:
                code.append(a.call_sub(self.rng.choice(subs)))
                code += [a.mov_imm(reg, self.imm()) for reg in range(1, 6)]
            else:
                code += [a.call(PRANDOM), *[a.mov_imm(reg, self.imm()) for reg in range(1, 6)]]
        for labels in ends.values():
            code += labels
        return code

    def program(self) -> bytes:
        subs = [f"sub{n}" for n in range(self.rng.randrange(4))]
        clear = [a.st(8, a.R10, -8 * n, self.imm()) for n in range(2, 2 + SLOTS)]
        code: list[Item] = [a.stx(8, a.R10, SAVED, a.R1), *clear, *[a.ld_imm64(reg, self.wide()) for reg in range(10)]]
        code += self.body(self.rng.choice((5, 20, 60, 200)), subs)
        # r10's slots are not needed any more: r0 goes through one, so that all ten reach the context
        code += [a.stx(8, a.R10, -16, a.R0), a.ldx(8, a.R0, a.R10, SAVED)]
        code += [a.stx(8, a.R0, 8 * reg, reg) for reg in range(1, 10)]
        code += [a.ldx(8, a.R1, a.R10, -16), a.stx(8, a.R0, 0, a.R1), a.mov(a.R0, a.R1), a.exit_()]
        for at, name in enumerate(subs):
            code += [name, *clear, *[a.mov_imm(reg, self.imm()) for reg in (0, 6, 7, 8, 9)],
                     *self.body(self.rng.choice((3, 10, 40)), subs[at + 1:]), a.exit_()]
        return a.asm(*code)


def make(seed: int) -> bytes:
    """The program of a seed."""
    return Chain(seed).program()
