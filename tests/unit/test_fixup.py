# SPDX-License-Identifier: MIT
"""Fix-up: what runs is what was verified, without what no path reaches, with every distance and reference right."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import asm as a
import pytest
from programs.btf import Btf
from verifier_lib import World

R0, R1, R2, R6 = a.R0, a.R1, a.R2, a.R6
EXIT = a.encode(a.exit_())


@pytest.fixture
def world() -> Iterator[World]:
    with World() as w:
        yield w


def fixed(world: World, *items: object, prog_type: int = 1, **options: object) -> list[tuple[int, int, int, int, int]]:
    """Instructions after fix-up: code, dst, src, off, imm."""
    verdict = world.load(a.asm(*items), prog_type, **options)  # type: ignore[arg-type]
    assert verdict.ok, verdict.log
    out = []
    code = world.insns(verdict.fd)
    for at in range(0, len(code), 8):
        opcode, regs, off, imm = struct.unpack_from("<BBhi", code, at)
        out.append((opcode, regs & 15, regs >> 4, off, imm))
    return out


def plain(*items: a.Insn) -> list[tuple[int, int, int, int, int]]:
    return [(i.code, i.dst, i.src, i.off, i.imm) for i in items]


def test_nothing_to_do(world: World) -> None:
    code = [a.mov_imm(R0, 7), a.exit_()]
    assert fixed(world, *code) == plain(*code)


def test_branch_always_taken(world: World) -> None:
    got = fixed(world, a.mov_imm(R0, 1), a.jmp_imm("eq", R0, 1, "on"), a.call(9999), a.call(195896080), "on", a.exit_())
    assert got == plain(a.mov_imm(R0, 1), a.exit_())


def test_branch_never_taken(world: World) -> None:
    got = fixed(world, a.mov_imm(R0, 1), a.jmp_imm("ne", R0, 1, "dead"), a.exit_(), "dead", a.call(9999), a.exit_())
    assert got == plain(a.mov_imm(R0, 1), a.exit_())


def test_distances_shrink(world: World) -> None:
    got = fixed(
        world, a.ldx(4, R2, R1, 0), a.mov_imm(R0, 0),
        "again", a.jmp_imm("gt", R2, 100, "out"), a.jmp_imm("eq", R0, 50, "dead"), a.add_imm(R0, 1),
        a.jmp_imm("lt", R0, 3, "again"), a.mov_imm(R0, 9), "out", a.exit_(), "dead", a.ld_imm64(R0, 1), a.exit_(),
    )
    assert got == plain(
        a.ldx(4, R2, R1, 0), a.mov_imm(R0, 0), a.jmp_imm("gt", R2, 100, 3), a.add_imm(R0, 1),
        a.jmp_imm("lt", R0, 3, -3), a.mov_imm(R0, 9), a.exit_(),
    )


def test_long_goto(world: World) -> None:
    got = fixed(
        world, a.ldx(4, R0, R1, 0), a.jmp_imm("eq", R0, 1, 1), a.gotol("end"), a.mov_imm(R0, 2), a.mov_imm(R2, 1),
        a.jmp_imm("eq", R2, 1, "end"), a.mov_imm(R0, 3), "end", a.exit_(),
    )
    assert got == plain(
        a.ldx(4, R0, R1, 0), a.jmp_imm("eq", R0, 1, 1), a.gotol(2), a.mov_imm(R0, 2), a.mov_imm(R2, 1), a.exit_()
    )


def test_subprogram_without_callers_goes(world: World) -> None:
    got = fixed(
        world, a.mov_imm(R0, 0), a.jmp_imm("eq", R0, 0, "out"), a.call_sub("gone"), "out", a.mov_imm(R1, 4),
        a.call_sub("kept"), a.exit_(), "gone", a.mov_imm(R0, 1), a.exit_(), "kept", a.mov(R0, R1), a.exit_(),
    )
    assert got == plain(
        a.mov_imm(R0, 0), a.mov_imm(R1, 4), a.call_sub(1), a.exit_(), a.mov(R0, R1), a.exit_()
    )


def test_map_references_are_addresses(world: World) -> None:
    fd = world.map(2, 4, 16, 1)
    got = fixed(world, a.ld_map(R1, fd), a.ld_map_value(R2, fd, 8), a.mov_imm(R0, 0), a.exit_())

    def value(at: int) -> int:
        assert got[at][2] == 0
        return got[at][4] & 0xFFFFFFFF | (got[at + 1][4] & 0xFFFFFFFF) << 32

    assert value(0) == world.map_address(fd)
    assert value(2) == world.value_address(fd) + 8


def test_callbacks_are_numbered_anew(world: World) -> None:
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    code = a.asm(
        a.mov_imm(R0, 0), a.jmp_imm("eq", R0, 0, "go"), a.call_sub("gone"), "go", a.mov_imm(R1, 3), a.ld_func(R2, "cb"),
        a.mov_imm(3, 0), a.mov_imm(4, 0), a.call(181), a.exit_(), "gone", a.mov_imm(R0, 1), a.exit_(),
        "cb", a.mov_imm(R0, 0), a.exit_(),
    )
    records = b"".join(struct.pack("<II", at, btf.func(f"f{at}", proto)) for at in (0, 10, 12))
    btf_fd, log = world.btf(btf.blob())
    assert btf_fd > 0, log
    verdict = world.load(code, btf_fd=btf_fd, func_info=records)
    assert verdict.ok, verdict.log
    out = world.insns(verdict.fd)
    assert struct.unpack_from("<BBhi", out, 16) == (0x18, a.PSEUDO_FUNC << 4 | R2, 0, 1)
    assert world.run(verdict.fd).retval == 3


@pytest.mark.parametrize(("prog_type", "fields"), [(3, (76, 80, 140)), (6, (0, 4, 8))])
def test_packet_pointers_are_widened(world: World, prog_type: int, fields: tuple[int, ...]) -> None:
    got = fixed(world, *[a.ldx(4, reg + 2, R1, off) for reg, off in enumerate(fields)], a.mov_imm(R0, 0), a.exit_(),
                prog_type=prog_type)
    base = 192 if prog_type == 3 else 24  # sizes of __sk_buff and xdp_md
    assert got[:3] == plain(*[a.ldx(8, index + 2, R1, base + 8 * index) for index in range(3)])


def test_other_loads_of_that_offset_stay(world: World) -> None:
    got = fixed(world, a.st(4, a.R10, -4, 1), a.mov(R2, a.R10), a.add_imm(R2, -80), a.ldx(4, R0, R2, 76), a.exit_(),
                prog_type=3)
    assert got[3] == plain(a.ldx(4, R0, R2, 76))[0]


def load_loop(world: World, items: list[object]) -> tuple[int, bool]:
    """The program with names for its functions, and whether bpf_loop() is in line."""
    code = a.asm(*items)  # type: ignore[arg-type]
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    starts = {0} | {at // 8 + 1 + struct.unpack_from("<i", code, at + 4)[0] for at in range(0, len(code), 8)
                    if (code[at], code[at + 1] >> 4) == (0x18, 4)}  # fmt: skip
    records = b"".join(struct.pack("<II", at, btf.func(f"f{at}", proto)) for at in sorted(starts))
    btf_fd, log = world.btf(btf.blob())
    assert btf_fd > 0, log
    verdict = world.load(code, btf_fd=btf_fd, func_info=records, log_level=0)
    assert verdict.ok, verdict.log
    out = world.insns(verdict.fd)
    return verdict.fd, struct.pack("<BBhi", 0x85, 0, 0, 181) not in [out[at : at + 8] for at in range(0, len(out), 8)]


CALLBACK = ["callback", a.ldx(8, R0, R2, 0), a.add(R0, R1), a.add_imm(R0, 1), a.stx(8, R2, 0, R0)]


@pytest.mark.parametrize(
    ("rounds", "ends", "want"), [(0, 0, 5), (1, 0, 0x10105), (10, 0, 0x370A05), (10, 1, 0x10105), (1 << 23 | 1, 0, 0xFFF905)]
)
def test_loop_in_line(world: World, rounds: int, ends: int, want: int) -> None:
    """What it counts, its answer, and a register of the caller's."""
    items = [a.mov_imm(R6, 5), a.st(8, a.R10, -16, 0), a.mov_imm(R1, rounds), a.ld_func(R2, "callback"), a.mov(3, a.R10),
             a.add_imm(3, -16), a.mov_imm(4, 0), a.call(181), a.mov(R1, R0), a.alu64_imm("and", R1, 0xFFFF),
             a.ldx(8, R0, a.R10, -16), a.alu64_imm("lsh", R0, 8), a.alu64("xor", R0, R1), a.alu64_imm("lsh", R0, 8),
             a.add(R0, R6), a.exit_(), *CALLBACK, a.mov_imm(R0, ends), a.exit_()]  # fmt: skip
    fd, inline = load_loop(world, items)
    assert inline
    assert hex(world.run(fd).retval) == hex(want)
    code = world.insns(fd)
    stores = [struct.unpack_from("<h", code, at + 2)[0] for at in range(0, len(code), 8)
              if code[at] == 0x7B and code[at + 1] & 15 == 10]  # fmt: skip
    assert stores == [-40, -32, -24]  # below the 16 bytes of the frame


def test_loop_with_unknown_flags_is_called(world: World) -> None:
    items = [a.call(7), a.mov(4, R0), a.mov_imm(R1, 3), a.ld_func(R2, "callback"), a.mov_imm(3, 0), a.call(181), a.exit_(),
             "callback", a.mov_imm(R0, 0), a.exit_()]  # fmt: skip
    assert not load_loop(world, items)[1]


@pytest.mark.parametrize(("padding", "inline"), [(32767 - 6, False), (32767 - 6 - 18, True)])
def test_loop_stays_a_call_where_jumps_would_not_reach(world: World, padding: int, inline: bool) -> None:
    items = [a.ldx(4, R1, R1, 0), a.mov_imm(R0, 0), a.jmp_imm("eq", R1, 7, "far"), a.mov_imm(R1, 3),
             a.ld_func(R2, "callback"), a.mov_imm(3, 0), a.mov_imm(4, 0), a.call(181), *[a.mov_imm(R6, 1)] * padding,
             "far", a.mov_imm(R0, 0), a.exit_(), "callback", a.mov_imm(R0, 0), a.exit_()]  # fmt: skip
    assert load_loop(world, items)[1] is inline
