# SPDX-License-Identifier: MIT
"""Interpreter and generated code, instruction by instruction: every opcode on edge values, against a model of RFC
9669 in Python."""

from __future__ import annotations

import itertools
import random
import struct
from collections.abc import Callable, Iterator

import asm as a
import pytest
from engines import ENGINES
from engines import EngineWorld as World
from vectors import ALU_OPS, EDGES, IMMS, U32, U64, alu_insn, model_alu, model_jump, signed


@pytest.fixture(scope="module", params=list(ENGINES), autouse=True)
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    """Everything here runs by each engine."""
    World.engine = request.param
    yield request.param
    World.engine = "interp"


@pytest.fixture(scope="module")
def world(engine: str) -> Iterator[World]:
    with World(engine) as w:
        yield w


def run(world: World, *items: object, packet: bytes = b"") -> int:
    """r0 after a program of these instructions."""
    return world.run(world_prog(world, *items), packet=packet, max_insns=100_000).retval


def world_prog(world: World, *items: object) -> int:
    fd = world.raw(a.asm(*items))  # type: ignore[arg-type]
    assert fd >= 0
    return fd


class Batch:
    """Runs many small cases in few programs: each leaves its result in the context, which has room for SIZE of them."""

    SIZE = 512

    def __init__(self) -> None:
        self.cases: list[tuple[list[object], int, str]] = []

    def add(self, items: list[object], want: int, name: str) -> None:
        """@items leave their result in r0; r9 is not theirs."""
        self.cases.append((items, want & U64, name))

    def check(self) -> int:
        for start in range(0, len(self.cases), self.SIZE):
            part = self.cases[start : start + self.SIZE]
            code: list[object] = [a.mov(a.R9, a.R1)]
            for index, (items, _, _) in enumerate(part):
                code += [*items, a.stx(8, a.R9, index * 8, a.R0)]
            code.append(a.exit_())
            with World() as world:
                result = world.run(world.raw(a.asm(*code), 17), ctx=bytes(8 * len(part)))  # type: ignore[arg-type]
            assert not result.mem_violations, result.message
            got = struct.unpack(f"<{len(part)}Q", result.ctx)
            for (_, want, name), value in zip(part, got, strict=True):
                assert value == want, f"{name}: got {value:#x}, want {want:#x}"
        return len(self.cases)


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("op", ALU_OPS)
def test_alu_register(op: str, bits: int) -> None:
    batch = Batch()
    for x, y in itertools.product(EDGES, EDGES):
        items = [a.ld_imm64(a.R0, x), a.ld_imm64(a.R2, y), alu_insn(op, bits, a.R2)]
        batch.add(items, model_alu(op, x, y, bits), f"{op}{bits} {x:#x}, {y:#x}")
    assert batch.check() == len(EDGES) ** 2


@pytest.mark.parametrize("bits", [64, 32])
@pytest.mark.parametrize("op", ALU_OPS)
def test_alu_immediate(op: str, bits: int) -> None:
    batch = Batch()
    for x, imm in itertools.product(EDGES, IMMS):
        items = [a.ld_imm64(a.R0, x), alu_insn(op, bits, None, imm)]
        batch.add(items, model_alu(op, x, imm & U64, bits), f"{op}{bits} {x:#x}, imm {imm}")
    assert batch.check() == len(EDGES) * len(IMMS)


def test_alu_same_register() -> None:
    batch = Batch()
    for op, bits, x in itertools.product(ALU_OPS, (64, 32), EDGES):
        items = [a.ld_imm64(a.R0, x), alu_insn(op, bits, a.R0)]
        batch.add(items, model_alu(op, x, x, bits), f"{op}{bits} r0, r0 = {x:#x}")
    assert batch.check() == len(ALU_OPS) * 2 * len(EDGES)


def test_neg_and_byte_order() -> None:
    batch = Batch()
    for x in EDGES:
        load = a.ld_imm64(a.R0, x)
        batch.add([load, a.neg(a.R0)], -x, f"neg {x:#x}")
        batch.add([load, a.neg32(a.R0)], -x & U32, f"neg32 {x:#x}")
        for bits in (16, 32, 64):
            low = x & ((1 << bits) - 1)
            swapped = int.from_bytes(low.to_bytes(bits // 8, "little"), "big")
            batch.add([load, a.to_le(a.R0, bits)], low, f"le{bits} {x:#x}")
            batch.add([load, a.to_be(a.R0, bits)], swapped, f"be{bits} {x:#x}")
            batch.add([load, a.bswap(a.R0, bits)], swapped, f"bswap{bits} {x:#x}")
    assert batch.check() == len(EDGES) * 11


def test_mov_sign_extended() -> None:
    batch = Batch()
    for x in EDGES:
        load = a.ld_imm64(a.R2, x)
        for bits in (8, 16, 32):
            batch.add([load, a.movsx(a.R0, a.R2, bits)], signed(x, bits), f"movsx{bits} {x:#x}")
        for bits in (8, 16):
            batch.add([load, a.movsx32(a.R0, a.R2, bits)], signed(x, bits) & U32, f"movsx32 {bits} {x:#x}")
    assert batch.check() == len(EDGES) * 5


def jump_items(make: Callable[[str], a.Insn], index: int) -> list[object]:
    """r0 = was the jump taken."""
    yes, done = f"yes{index}", f"done{index}"
    return [make(yes), a.mov_imm(a.R0, 0), a.ja(done), yes, a.mov_imm(a.R0, 1), done]


@pytest.mark.parametrize("op", [op for op in a.JMP_OPS if op not in ("ja", "call", "exit")])
def test_conditional_jumps(op: str) -> None:
    batch = Batch()
    cases = itertools.count()
    for x, y, bits in itertools.product(EDGES, EDGES, (64, 32)):
        jump = a.jmp if bits == 64 else a.jmp32
        items = jump_items(lambda to, jump=jump: jump(op, a.R1, a.R2, to), next(cases))
        batch.add(
            [a.ld_imm64(a.R1, x), a.ld_imm64(a.R2, y), *items], model_jump(op, x, y, bits), f"j{op}{bits} {x:#x} {y:#x}"
        )
    for x, imm, bits in itertools.product(EDGES, IMMS, (64, 32)):
        jump_imm = a.jmp_imm if bits == 64 else a.jmp32_imm
        items = jump_items(lambda to, jump=jump_imm, imm=imm: jump(op, a.R1, imm, to), next(cases))
        batch.add([a.ld_imm64(a.R1, x), *items], model_jump(op, x, imm & U64, bits), f"j{op}{bits} {x:#x} imm {imm}")
    assert batch.check() == 2 * len(EDGES) * (len(EDGES) + len(IMMS))


def test_gotos(world: World) -> None:
    code = [a.mov_imm(a.R0, 1), a.ja("b"), "a", a.alu64_imm("add", a.R0, 10), a.exit_(), "b", a.add_imm(a.R0, 100)]
    assert run(world, *code, a.ja("a")) == 111
    assert run(world, *code, a.gotol("a")) == 111
    far = [a.gotol("end"), *[a.add_imm(a.R0, 1)] * 40_000, "end", a.mov_imm(a.R0, 7), a.exit_()]
    assert run(world, *far) == 7


def test_loads_and_stores(world: World) -> None:
    value = 0x8182838485868788
    for size in (1, 2, 4, 8):
        mask = (1 << (8 * size)) - 1
        for off in (-8, -16, -512):
            store = [a.ld_imm64(a.R1, value), a.st(8, a.R10, off, 0), a.stx(size, a.R10, off, a.R1)]
            assert run(world, *store, a.ldx(size, a.R0, a.R10, off), a.exit_()) == value & mask
            # what lies around the store stays zero
            assert run(world, *store, a.ldx(8, a.R0, a.R10, off), a.exit_()) == value & mask
            if size < 8:
                want = signed(value, 8 * size) & U64
                assert run(world, *store, a.ldsx(size, a.R0, a.R10, off), a.exit_()) == want
        for imm in (0, 1, -1, 0x7FFFFFFF, -0x80000000):
            code = [a.st(8, a.R10, -8, -1), a.st(size, a.R10, -8, imm), a.ldx(8, a.R0, a.R10, -8), a.exit_()]
            assert run(world, *code) == (U64 & ~mask) | (imm & mask)


def test_load_overwrites_its_base(world: World) -> None:
    assert run(world, a.st(8, a.R10, -8, 5), a.mov(a.R1, a.R10), a.ldx(8, a.R1, a.R1, -8), a.mov(a.R0, a.R1),
               a.exit_()) == 5


ATOMIC = {
    "add": lambda m, s, mask: (m + s) & mask,
    "or": lambda m, s, mask: m | s,
    "and": lambda m, s, mask: m & s,
    "xor": lambda m, s, mask: m ^ s,
    "xchg": lambda m, s, mask: s,
}


@pytest.mark.parametrize("size", [4, 8])
@pytest.mark.parametrize("fetch", [False, True])
@pytest.mark.parametrize("op", list(ATOMIC))
def test_atomic(op: str, fetch: bool, size: int) -> None:
    mask = (1 << 8 * size) - 1
    batch = Batch()
    for mem, src in itertools.product(EDGES, EDGES):
        new = ATOMIC[op](mem & mask, src & mask, mask) | (mem & ~mask)
        head = [
            a.ld_imm64(a.R1, mem), a.stx(8, a.R10, -8, a.R1), a.ld_imm64(a.R2, src),
            a.atomic(size, op, a.R10, -8, a.R2, fetch),
        ]
        name = f"atomic {op} {size} fetch={fetch} {mem:#x} {src:#x}"
        batch.add([*head, a.ldx(8, a.R0, a.R10, -8)], new, name)
        after = mem & mask if fetch or op == "xchg" else src
        batch.add([*head, a.mov(a.R0, a.R2)], after, name + " source")
    batch.check()


@pytest.mark.parametrize("size", [4, 8])
def test_atomic_cmpxchg(size: int) -> None:
    mask = (1 << 8 * size) - 1
    batch = Batch()
    for mem, expected in itertools.product(EDGES, EDGES):
        src = 0x1122334455667788
        hit = (mem & mask) == (expected & mask)
        head = [
            a.ld_imm64(a.R1, mem), a.stx(8, a.R10, -8, a.R1), a.ld_imm64(a.R2, src), a.ld_imm64(a.R0, expected),
            a.atomic(size, "cmpxchg", a.R10, -8, a.R2),
        ]
        new = (mem & ~mask) | (src & mask) if hit else mem
        batch.add([*head, a.ldx(8, a.R0, a.R10, -8)], new, f"cmpxchg{size} {mem:#x} {expected:#x}")
        batch.add(head, mem & mask, f"cmpxchg{size} r0 {mem:#x} {expected:#x}")
    batch.check()


def test_ld_imm64(world: World) -> None:
    for value in EDGES:
        assert run(world, a.ld_imm64(a.R0, value), a.exit_()) == value


def test_packet_loads(world: World) -> None:
    packet = bytes(range(0x80, 0xC0))
    for size, off in itertools.product((1, 2, 4), (0, 1, 5, 60)):
        want = int.from_bytes(packet[off : off + size], "big") if off + size <= len(packet) else 0
        assert run(world, a.mov(a.R6, a.R1), a.ld_abs(size, off), a.exit_(), packet=packet) == want
        ind = [a.mov(a.R6, a.R1), a.mov_imm(a.R2, 3), a.ld_ind(size, a.R2, off - 3), a.exit_()]
        assert run(world, *ind, packet=packet) == want
    # past the end: the program ends with 0
    code = [a.mov(a.R6, a.R1), a.mov_imm(a.R0, 9), a.ld_abs(4, 61), a.mov_imm(a.R0, 7), a.exit_()]
    assert run(world, *code, packet=packet) == 0


def test_packet_loads_from_headers(world: World) -> None:
    """At negative offsets; both headers lie at the packet's start here."""
    packet = bytes(range(0x80, 0xC0))
    for size, off, base in itertools.product((1, 2, 4), (0, 5, 60, 63, 64, 0xFFFFF), (0, -0x100000, -0x200000, -0x300000)):
        there = base > -0x300000 and off + size <= len(packet)
        want = int.from_bytes(packet[off : off + size], "big") if there else 0
        for load in ([a.ld_abs(size, base + off)], [a.mov_imm(a.R2, 3), a.ld_ind(size, a.R2, base + off - 3)]):
            assert run(world, a.mov(a.R6, a.R1), *load, a.exit_(), packet=packet) == want, (size, base, off)


def test_subprograms_keep_the_callers_registers(world: World) -> None:
    code = [
        *[a.mov_imm(reg, reg * 11) for reg in range(a.R6, a.R10)],
        a.st(8, a.R10, -8, 77), a.mov_imm(a.R1, 5), a.mov_imm(a.R2, 6), a.call_sub("sub"),
        *[a.add(a.R0, reg) for reg in range(a.R6, a.R10)],
        a.ldx(8, a.R1, a.R10, -8), a.add(a.R0, a.R1), a.exit_(),
        "sub", *[a.mov_imm(reg, 1000) for reg in range(a.R6, a.R10)],
        a.st(8, a.R10, -8, 1), a.mov(a.R0, a.R1), a.alu64("mul", a.R0, a.R2), a.exit_(),
    ]
    assert run(world, *code) == 30 + 11 * (6 + 7 + 8 + 9) + 77


def test_recursion_ends_by_overflow_of_the_area(world: World, engine: str) -> None:
    if engine != "interp":
        pytest.skip("generated code relies on the verifier, which refuses recursion")
    fd = world_prog(world, a.call_sub("again"), a.exit_(), "again", a.call_sub("again"), a.exit_())
    result = world.run(fd, max_insns=100_000)
    assert (result.retval, result.overflows) == (0, 1)
    assert not result.timed_out


def test_pointer_to_callers_stack(world: World) -> None:
    code = [
        a.st(8, a.R10, -16, 40), a.mov(a.R1, a.R10), a.add_imm(a.R1, -16), a.call_sub("sub"),
        a.ldx(8, a.R0, a.R10, -16), a.exit_(),
        "sub", a.ldx(8, a.R2, a.R1), a.add_imm(a.R2, 2), a.stx(8, a.R1, 0, a.R2), a.mov_imm(a.R0, 0), a.exit_(),
    ]
    assert run(world, *code) == 42


def test_tail_calls() -> None:
    prog_array, array = 3, 2
    with World() as world:
        table = world.map(prog_array, 4, 4, 4)
        counter = world.map(array, 4, 8, 1)
        ptr = world.map_address(table)
        count = world.value_address(counter)
        loop = world.raw(a.asm(
            a.mov(a.R6, a.R1), a.ld_imm64(a.R2, count), a.ldx(8, a.R3, a.R2), a.add_imm(a.R3, 1),
            a.stx(8, a.R2, 0, a.R3),
            a.ld_imm64(a.R2, ptr), a.mov_imm(a.R3, 0), a.call(12), a.mov_imm(a.R0, 55), a.exit_(),
        ))
        assert world.run(loop).retval == 55  # empty slot: falls through
        assert world.set_prog(table, 0, loop) == 0
        world.update(counter, bytes(4), bytes(8))
        result = world.run(loop)
        assert result.retval == 55
        assert struct.unpack("<Q", world.lookup(counter, bytes(4), 8) or b"")[0] == 34  # the first and 33 more
        # an index past the end falls through
        past = world.raw(a.asm(a.ld_imm64(a.R2, ptr), a.mov_imm(a.R3, 4), a.call(12), a.mov_imm(a.R0, 3), a.exit_()))
        assert world.run(past).retval == 3
        # from a subprogram: comes back to the caller of that
        world.set_prog(table, 1, world.raw(a.asm(a.mov_imm(a.R0, 8), a.exit_())))
        nested = world.raw(a.asm(
            a.mov_imm(a.R6, 30), a.call_sub("sub"), a.add(a.R0, a.R6), a.exit_(),
            "sub", a.mov_imm(a.R6, 0), a.ld_imm64(a.R2, ptr), a.mov_imm(a.R3, 1), a.call(12), a.mov_imm(a.R0, 1),
            a.exit_(),
        ))
        assert world.run(nested).retval == 38
        assert world.run(nested).overflows == 0


def test_callbacks(world: World) -> None:
    code = [
        a.st(8, a.R10, -8, 0), a.mov_imm(a.R1, 10), a.ld_func(a.R2, "body"), a.mov(a.R3, a.R10), a.add_imm(a.R3, -8),
        a.mov_imm(a.R4, 0), a.call(181), a.alu64_imm("lsh", a.R0, 32), a.ldx(8, a.R1, a.R10, -8), a.add(a.R0, a.R1),
        a.exit_(),
        # sum += index; stop after index 6
        "body", a.ldx(8, a.R3, a.R2), a.add(a.R3, a.R1), a.stx(8, a.R2, 0, a.R3), a.mov_imm(a.R0, 0),
        a.jmp_imm("ne", a.R1, 6, 1), a.mov_imm(a.R0, 1), a.exit_(),
    ]
    assert run(world, *code) == 7 << 32 | 21


def test_random_arithmetic_chains() -> None:
    """Seeded chains of operations on four registers, against the model."""
    rng = random.Random(9669)
    batch = Batch()
    for index in range(400):
        regs = {reg: rng.choice(EDGES) ^ rng.getrandbits(rng.choice((1, 8, 32, 64))) for reg in (0, 1, 2, 3)}
        items: list[object] = [a.ld_imm64(reg, value) for reg, value in regs.items()]
        for _ in range(rng.randrange(1, 20)):
            op, bits, dst = rng.choice(ALU_OPS), rng.choice((64, 32)), rng.randrange(4)
            base = {"sdiv": "div", "smod": "mod"}.get(op, op)
            code = (a.ALU64 if bits == 64 else a.ALU) | a.ALU_OPS[base]
            if rng.random() < 0.5:
                src = rng.randrange(4)
                items.append(a.Insn(code | a.X, dst, src, int(op != base)))
                regs[dst] = model_alu(op, regs[dst], regs[src], bits)
            else:
                imm = rng.choice(IMMS)
                items.append(a.Insn(code | a.K, dst, 0, int(op != base), imm))
                regs[dst] = model_alu(op, regs[dst], imm & U64, bits)
        batch.add([*items, a.alu64("xor", 0, 1), a.alu64("xor", 0, 2), a.alu64("xor", 0, 3)],
                  regs[0] ^ regs[1] ^ regs[2] ^ regs[3], f"chain {index}")
    assert batch.check() == 400
