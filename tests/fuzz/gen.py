# SPDX-License-Identifier: MIT
"""Seeded random programs that lean on what a verifier must get right: bounds through arithmetic, comparisons,
copies and spills, and memory accessed at places that depend on them. Many are accepted, many refused."""

from __future__ import annotations

import random
import struct

import asm as a
from programs.case import FOR_EACH, LOOKUP, LOOP, PRANDOM, RB_DISCARD, RB_RESERVE, RB_SUBMIT, SCHED_CLS, Case, ld_map

EDGES32 = [0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 40, 47, 48, 63, 64, 127, 128, 255, 256, 0x7FFF, 0x8000, 0xFFFF,
           0x7FFFFFFF, -0x80000000, -0x7FFFFFFF, -2, -8, -16, -48, -64]
ALU = ["add", "sub", "mul", "or", "and", "xor", "lsh", "rsh", "arsh", "div", "mod", "mov"]
COMPARE = ["eq", "ne", "gt", "ge", "lt", "le", "sgt", "sge", "slt", "sle", "set"]
VALUE_SIZE = 48
NUMBERS = [0, 1, 2, 3, 4, 5, 7, 8, 9]  # registers that hold numbers; r6 holds the map value
POINTER = 6

CONTEXT_SLOT = -72  # where the context is kept

# What a generator may use beside arithmetic, branches, maps, the stack and subprograms.
NEW_ENCODINGS, CALLBACKS, RECORDS, PACKETS = "new encodings", "callbacks", "records", "packets"
EVERYTHING = frozenset({NEW_ENCODINGS, CALLBACKS, RECORDS, PACKETS})

Item = a.Insn | tuple[a.Insn, ...] | str


class Generator:
    """Makes one program."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.code: list[Item] = []
        self.labels = 0
        self.open: list[tuple[str, int]] = []  # labels to be placed after so many more steps
        self.subprograms: list[Item] = []
        self.spilled: list[int] = []  # slots that hold a whole number

    # ---- small choices ----

    def number(self) -> int:
        return self.rng.choice(NUMBERS)

    def imm(self) -> int:
        if self.rng.random() < 0.7:
            return self.rng.choice(EDGES32)
        return self.rng.randrange(-(1 << 31), 1 << 31) >> self.rng.choice((0, 8, 16, 24))

    def label(self) -> str:
        self.labels += 1
        return f"l{self.labels}"

    def emit(self, *items: Item) -> None:
        self.code += items

    # ---- steps ----

    def step_alu(self) -> None:
        op, wide, dst = self.rng.choice(ALU), self.rng.random() < 0.6, self.number()
        if self.rng.random() < 0.5:
            self.emit((a.alu64 if wide else a.alu32)(op, dst, self.number()))
            return
        imm = self.imm()
        if op in ("lsh", "rsh", "arsh"):
            imm = self.rng.randrange(64 if wide else 32)
        if op in ("div", "mod") and imm == 0:
            imm = 3
        self.emit((a.alu64_imm if wide else a.alu32_imm)(op, dst, imm))

    def step_odd_alu(self) -> None:
        dst, src = self.number(), self.number()
        self.emit(self.rng.choice([
            a.neg(dst), a.neg32(dst), a.to_be(dst, self.rng.choice((16, 32, 64))),
            a.to_le(dst, self.rng.choice((16, 32, 64))),
            a.ld_imm64(dst, self.rng.getrandbits(self.rng.choice((8, 33, 64)))), a.mov(dst, src), a.mov32(dst, src),
        ]))

    def step_new_alu(self) -> None:
        """Encodings that Linux has since 6.6."""
        dst, src, wide = self.number(), self.number(), self.rng.random() < 0.5
        divide = a.ALU_OPS[self.rng.choice(("div", "mod"))] | (a.ALU64 if wide else a.ALU)
        self.emit(self.rng.choice([
            a.movsx(dst, src, self.rng.choice((8, 16, 32))), a.movsx32(dst, src, self.rng.choice((8, 16))),
            a.bswap(dst, self.rng.choice((16, 32, 64))), a.Insn(divide | a.X, dst, src, 1),
            a.Insn(divide | a.K, dst, 0, 1, self.imm() or 7),
        ]))

    def step_jump(self) -> None:
        op, wide, dst, to = self.rng.choice(COMPARE), self.rng.random() < 0.6, self.number(), self.label()
        if self.rng.random() < 0.35:
            self.emit((a.jmp if wide else a.jmp32)(op, dst, self.number(), to))
        else:
            self.emit((a.jmp_imm if wide else a.jmp32_imm)(op, dst, self.imm(), to))
        self.open.append((to, self.rng.randrange(1, 5)))

    def step_bound(self) -> None:
        """Narrows a number as programs do, often enough to make the next access legal."""
        reg, limit, out = self.number(), self.rng.choice((7, 8, 15, 31, 40, 47, 48)), "out"
        other = self.number()
        self.emit(*self.rng.choice([
            [a.alu64_imm("and", reg, limit)], [a.alu32_imm("and", reg, limit)],
            [a.jmp_imm("gt", reg, limit, out)], [a.jmp32_imm("gt", reg, limit, out)],
            [a.jmp_imm("ge", reg, limit, out)],
            [a.jmp_imm("sgt", reg, limit, out), a.jmp_imm("slt", reg, 0, out)],
            [a.jmp32_imm("sgt", reg, limit, out), a.jmp32_imm("slt", reg, 0, out)],
            [a.mov(other, reg), a.jmp_imm("gt", other, limit, out)] if other != reg else [a.alu64_imm("rsh", reg, 60)],
            [a.alu64_imm("rsh", reg, self.rng.choice((56, 58, 60)))],
            [a.alu32_imm("rsh", reg, self.rng.choice((24, 27, 29)))],
            [a.alu64_imm("mod", reg, limit)], [a.jmp_imm("set", reg, ~limit, out)],
            [a.alu64_imm("lsh", reg, 32), a.alu64_imm("arsh", reg, 32), a.jmp_imm("gt", reg, limit, out)],
        ]))

    def access(self, pointer: int, off: int, size: int) -> Item:
        reg = self.number()
        choice = self.rng.random()
        if choice < 0.55 or reg == pointer:
            return a.ldx(size, self.number(), pointer, off)
        if choice < 0.8:
            return a.stx(size, pointer, off, reg)
        if choice < 0.9 or size < 4:
            return a.st(size, pointer, off, self.imm())
        return a.atomic(size, self.rng.choice(("add", "or", "and", "xor", "xchg")), pointer, off, reg,
                        fetch=self.rng.random() < 0.5)

    def step_map_access(self) -> None:
        """The map's value at a place of its own."""
        pointer, index = self.number(), self.number()
        size = self.rng.choice((1, 1, 2, 4, 8))
        if index == pointer:
            index = NUMBERS[(NUMBERS.index(pointer) + 1) % len(NUMBERS)]
        self.emit(a.mov(pointer, POINTER))
        if self.rng.random() < 0.3:
            self.emit(a.add_imm(pointer, self.rng.choice((-8, 0, 4, 8, 16, 40))))
        self.emit(a.alu64(self.rng.choice(("add", "add", "add", "sub")), pointer, index))
        off = self.rng.choice((0, 0, 0, -1, 1, 8, 40, -8, VALUE_SIZE - size))
        self.emit(self.access(pointer, off, size), a.mov_imm(pointer, self.imm()))

    def step_stack_access(self) -> None:
        size = self.rng.choice((1, 2, 4, 8, 8))
        if self.rng.random() < 0.6:
            self.emit(self.access(a.R10, -self.rng.randrange(1, 9) * 8 + self.rng.randrange(0, 8, size), size))
            return
        pointer, index = self.number(), self.number()
        if index == pointer:
            index = NUMBERS[(NUMBERS.index(pointer) + 1) % len(NUMBERS)]
        self.emit(a.mov(pointer, a.R10), a.add_imm(pointer, -64), a.add(pointer, index))
        self.emit(self.access(pointer, self.rng.choice((0, 0, 8, -8)), self.rng.choice((1, 1, 2, 8))))
        self.emit(a.mov_imm(pointer, self.imm()))

    def step_spill(self) -> None:
        """Out and back, perhaps in parts."""
        slot = -8 * self.rng.randrange(1, 9)
        store, load = self.rng.choice(((8, 8), (8, 8), (4, 4), (8, 4), (4, 8), (8, 1), (2, 8)))
        off = slot + self.rng.randrange(0, 8, load)
        self.emit(a.stx(store, a.R10, slot, self.number()))
        for _ in range(self.rng.randrange(3)):
            self.rng.choice((self.step_alu, self.step_jump))()
        self.emit(a.ldx(load, self.number(), a.R10, off))

    def step_call(self) -> None:
        if self.rng.random() < 0.5:
            self.emit(a.call(PRANDOM))
        else:
            name = self.label()
            reg = self.rng.choice((1, 2, 3))
            self.emit(*[a.mov_imm(r, self.imm()) for r in (1, 2, 3) if self.rng.random() < 0.3])
            self.emit(a.call_sub(name))
            self.subprograms += [name, a.mov(a.R0, reg), a.alu64_imm(self.rng.choice(("and", "add", "rsh")), a.R0, 15),
                                 *([a.jmp_imm("gt", a.R0, 7, 1), a.mov_imm(a.R0, 7)] if reg == 1 else []), a.exit_()]
        self.emit(*[a.mov_imm(reg, self.imm()) for reg in range(1, 6)])

    def step_loop(self) -> None:
        counter, top = self.number(), self.label()
        self.emit(a.mov_imm(counter, 0), top)
        for _ in range(self.rng.randrange(1, 3)):
            reg = self.number()
            if reg != counter:
                self.emit(a.alu64_imm(self.rng.choice(("add", "xor", "lsh", "and")), reg, self.rng.randrange(1, 30)))
        self.emit(a.add_imm(counter, 1), a.jmp_imm("lt", counter, self.rng.randrange(2, 6), top))

    def forget(self) -> None:
        """Numbers for the registers that a call has taken."""
        self.emit(*[a.mov_imm(reg, self.imm()) for reg in range(1, 6)])

    def step_callback(self) -> None:
        """A loop over a callback that works on this frame's stack, or on each value of a map."""
        name, slot = self.label(), -8 * self.rng.randrange(1, 9)
        each = self.rng.random() < 0.4
        self.emit(a.st(8, a.R10, slot, self.rng.randrange(8)))
        self.emit(ld_map(a.R1, "array") if each else a.mov_imm(a.R1, self.rng.choice((0, 1, 2, 10))))
        self.emit(a.ld_func(a.R2, name))
        self.emit(a.mov(a.R3, a.R10), a.add_imm(a.R3, slot), a.mov_imm(a.R4, 0), a.call(FOR_EACH if each else LOOP))
        self.forget()
        if self.rng.random() < 0.7:
            self.emit(a.ldx(8, self.number(), a.R10, slot))
        context, value = (4, 3) if each else (2, 5)
        body: list[Item] = [a.mov(a.R6, context), a.ldx(8, a.R7, a.R6), a.mov(a.R8, a.R1)]
        if each:
            body = [a.ldx(4, a.R8, a.R2), a.mov(a.R9, value), *body[:2]]
        for _ in range(self.rng.randrange(1, 4)):
            body += self.rng.choice([
                [a.alu64_imm(self.rng.choice(("add", "and", "lsh", "rsh")), a.R7, self.rng.choice((1, 2, 7, 8)))],
                [a.alu64(self.rng.choice(("add", "or", "mov")), a.R7, a.R8)],
                [a.alu64_imm("and", a.R8, self.rng.choice((7, 31, 40)))],
                [a.jmp_imm(self.rng.choice(COMPARE), a.R8, self.imm(), 1), a.mov_imm(a.R7, self.rng.randrange(9))],
                [a.stx(8, a.R6, 0, a.R7)], [a.stx(8, a.R6, 0, a.R8)],
                [a.add(a.R9, a.R8), a.ldx(8, a.R7, a.R9), a.mov_imm(a.R9, 0)] if each else [],
            ])
            if each and body[-1] == a.mov_imm(a.R9, 0):
                break
        # A result that depends on r7, which turns with each call, would be walked a million times, in Linux as well.
        out = [a.mov_imm(a.R0, 0)] if self.rng.random() < 0.6 else [a.mov(a.R0, a.R8), a.alu64_imm("and", a.R0, 1)]
        self.subprograms += [name, *body, a.stx(8, a.R6, 0, a.R7), *out, a.exit_()]

    def step_record(self) -> None:
        """A ring buffer record that is filled at places of its own, and given back (mostly)."""
        size, index, skip = self.rng.choice((8, 16, 24, 40)), self.rng.choice((7, 8, 9)), self.label()
        self.emit(ld_map(a.R1, "ring"), a.mov_imm(a.R2, size), a.mov_imm(a.R3, 0), a.call(RB_RESERVE))
        self.emit(a.jmp_imm("eq", a.R0, 0, skip), a.mov(a.R1, a.R0))
        self.emit(a.mov(a.R2, index), a.alu64_imm("and", a.R2, self.rng.choice((3, 7, 15, 16))), a.mov(a.R3, a.R0))
        self.emit(a.add(a.R3, a.R2), a.stx(self.rng.choice((1, 2, 4, 8)), a.R3, 0, a.R2))
        if self.rng.random() < 0.9:
            self.emit(a.mov_imm(a.R2, 0), a.call(self.rng.choice((RB_SUBMIT, RB_DISCARD))))
        self.emit(skip, a.mov_imm(a.R0, self.imm()))
        self.forget()

    def step_packet(self) -> None:
        """Bytes of a packet at a variable place, after a test of its end that may be wrong."""
        pointer, end, moved = self.rng.sample((1, 2, 3, 4, 5), 3)
        index, out = self.rng.choice((7, 8, 9)), self.label()
        self.emit(a.ldx(8, moved, a.R10, CONTEXT_SLOT), a.ldx(4, pointer, moved, 76), a.ldx(4, end, moved, 80))
        if self.rng.random() < 0.6:
            self.emit(a.alu64_imm("and", index, self.rng.choice((7, 31, 63, 255, 0xFFFF))), a.add(pointer, index))
        reach, size = self.rng.choice((1, 2, 4, 8, 14, 20)), self.rng.choice((1, 2, 4, 8))
        test = self.rng.choice((("gt", moved, end), ("gt", moved, end), ("ge", moved, end), ("lt", end, moved),
                                ("le", end, moved), ("lt", moved, end), ("le", moved, end), ("gt", end, moved)))
        self.emit(a.mov(moved, pointer), a.add_imm(moved, reach), a.jmp(*test, out))
        off = self.rng.choice((0, 0, reach - size, reach - size, reach - 1, 1, -1))
        self.emit(a.ldx(size, index, pointer, off) if self.rng.random() < 0.7 else a.st(size, pointer, off, 1))
        if self.rng.random() < 0.2:
            self.emit(a.ldx(size, index, moved, -self.rng.randrange(1, 9)))
        self.emit(out, *[a.mov_imm(reg, self.imm()) for reg in (pointer, end, moved)])

    STEPS = ((step_alu, 24), (step_odd_alu, 6), (step_new_alu, 0), (step_jump, 14), (step_bound, 16),
             (step_map_access, 14), (step_stack_access, 9), (step_spill, 9), (step_call, 3), (step_loop, 2),
             (step_callback, 0), (step_record, 0), (step_packet, 0))

    STRAIGHT = (step_alu, step_odd_alu, step_new_alu, step_map_access, step_stack_access)

    def close_labels(self, last: bool = False) -> None:
        still = []
        for name, steps in self.open:
            if steps <= 0 or last:
                self.emit(name)
            else:
                still.append((name, steps - 1))
        self.open = still

    def program(self, features: frozenset[str]) -> bytes:
        loads = [(7, 8, 0), (8, 4, 8), (9, 2, 12), (0, 1, 14), (1, 8, 16)]
        if PACKETS in features:
            self.emit(a.stx(8, a.R10, CONTEXT_SLOT, a.R1))
        self.emit(
            a.st(4, a.R10, -4, 0), a.mov(a.R2, a.R10), a.add_imm(a.R2, -4), ld_map(a.R1, "array"), a.call(LOOKUP),
            a.jmp_imm("eq", a.R0, 0, "out"), a.mov(POINTER, a.R0),
            *[a.ldx(size, reg, POINTER, off) for reg, size, off in loads],
            *[a.mov_imm(reg, self.imm()) for reg in range(2, 6)],
        )
        special = {Generator.step_new_alu: NEW_ENCODINGS, Generator.step_callback: CALLBACKS,
                   Generator.step_record: RECORDS, Generator.step_packet: PACKETS}
        steps = [step for step, _ in self.STEPS]
        weights = [10 if special.get(step) in features else weight for step, weight in self.STEPS]
        jumps = 0
        for _ in range(self.rng.randrange(3, 22)):
            step = self.rng.choices(steps, weights)[0]
            if step not in self.STRAIGHT:
                jumps += 1
                if jumps > 9:  # paths double with each, and tests walk all of them
                    continue
            step(self)
            self.close_labels()
        self.close_labels(last=True)
        self.emit(a.mov(a.R0, self.number()), a.exit_(), "out", a.mov_imm(a.R0, 0), a.exit_(), *self.subprograms)
        return a.asm(*self.code)


def make(seed: int, features: frozenset[str] = frozenset()) -> Case:
    """The program of a seed."""
    code = Generator(seed).program(features)
    return Case(f"fuzz/{seed}", "fuzz", code, SCHED_CLS if PACKETS in features else 1)


def values(seed: int) -> bytes:
    """Contents for the map's value: edges and noise."""
    rng = random.Random(~seed)
    words = []
    for _ in range(VALUE_SIZE // 8):
        if rng.random() < 0.6:
            words.append((rng.choice(EDGES32) << rng.choice((0, 0, 0, 32))) & (1 << 64) - 1)
        else:
            words.append(rng.getrandbits(64))
    return struct.pack(f"<{len(words)}Q", *words)
