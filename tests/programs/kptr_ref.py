# SPDX-License-Identifier: MIT
"""Programs that exchange objects which map values own (bpf_kptr_xchg), with the type that Linux tests such calls by and its
kernel functions. What they are called by in the kernel's BTF differs, so the cases are made for it: of a machine, or of a
small one."""

from __future__ import annotations

from collections.abc import Callable

import asm as a
from asm import R0, R1, R2, R6, R7, R8, R10
from programs import btf as b
from programs.case import SCHED_CLS, Case
from programs.reject import OUT, Item

XCHG = 194
OWNED, MEMBER, NUMBER, BORROWED, SIZE = 0, 8, 16, 24, 32
MAP, PLAIN, UNTYPED, MANY, NO_DTOR = range(0x6B707400, 0x6B707405)  # stand for the fds of these maps


def value_btf(kind: int) -> tuple[bytes, int, int, int]:
    """Types of a map's values: blob, key type, value type, bytes of a value."""
    btf = b.Btf()
    u32, u64 = btf.int("unsigned int", 4, 0), btf.int("unsigned long long", 8, 0)
    held, member = btf.struct("prog_test_ref_kfunc", 0, []), btf.struct("prog_test_member", 0, [])

    def tagged(tag: str, to: int) -> int:
        return btf.ptr(btf.modifier(b.TYPE_TAG, to, tag))

    fields = [
        ("owned", tagged("kptr_ref", held)), ("member", tagged("kptr_ref", member)), ("number", u64),
        ("borrowed", tagged("kptr", held)),
    ]  # fmt: skip
    if kind == MANY:
        fields = [(f"f{i}", tagged("kptr", held)) for i in range(9)]
    elif kind == NO_DTOR:
        fields = [("task", tagged("kptr_ref", btf.struct("task_struct", 0, [])))]
    elif kind == PLAIN:
        fields = [("number", u64)]
    value = btf.struct("val", 8 * len(fields), [(name, to, 64 * i) for i, (name, to) in enumerate(fields)])
    return btf.blob(), u32, value, 8 * len(fields)


def acquired(kfunc: Callable[[str], a.Insn], to: int, base: int = R10) -> list[Item]:
    """The object, held, in a register; else the program ends."""
    return [a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -8), kfunc("call_test_acquire"), a.jmp_imm("ne", R0, 0, 1),
            a.exit_(), a.mov(to, R0)]  # fmt: skip


def cases(kfunc: Callable[[str], a.Insn]) -> list[Case]:
    """@kfunc: the call of a kernel function by its name without bpf_kfunc_."""
    out: list[Case] = []

    def case(name: str, error: str, message: str, *items: Item, **more: object) -> None:
        out.append(Case(f"kptr_ref/{name}", "kptr_ref", a.asm(*items), SCHED_CLS, error, message, **more))  # type: ignore[arg-type]

    def value(which: int = MAP, off: int = 0) -> Item:
        return a.ld_map_value(R7, which, off)

    held = [value(), *acquired(kfunc, R6)]

    def give(off: int = OWNED) -> list[Item]:
        return [a.mov(R1, R7), a.add_imm(R1, off), a.mov(R2, R6), a.call(XCHG)]

    take = [a.mov(R1, R7), a.mov_imm(R2, 0), a.call(XCHG)]
    release = [a.jmp_imm("eq", R0, 0, 2), a.mov(R1, R0), kfunc("call_test_release")]

    case("put and taken", "", "", *held, *give(), *release, *take, *release, *OUT)
    case("what was there is read", "", "", value(), *take, a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.mov(R6, R0),
         a.ldx(4, R8, R0, 4), a.mov(R1, R6), kfunc("call_test_release"), a.mov(R0, R8), a.exit_())  # fmt: skip
    case("read where it lies", "", "", value(), a.ldx(8, R1, R7, OWNED), a.jmp_imm("ne", R1, 0, 2), *OUT, a.ldx(4, R0, R1, 0),
         a.exit_())  # fmt: skip
    case("the old one is kept", "EINVAL", "Unreleased reference id=4 alloc_insn=12", *held, *give(), *OUT)
    case("the old one is kept unchecked", "EINVAL", "Unreleased reference id=", value(), *take, *OUT)
    case("used after it was put", "EACCES", "R6 invalid mem access 'scalar'", *held, *give(), *release, a.ldx(4, R0, R6, 0), *OUT)
    case("released after it was put", "EINVAL", "arg#0", *held, *give(), *release, a.mov(R1, R6), kfunc("call_test_release"),
         *OUT)  # fmt: skip
    case("put unchecked", "EINVAL", "Unreleased reference id=4 alloc_insn=9", value(), *take, a.mov(R6, R0), *give(MEMBER), *OUT)
    case("read unchecked", "EACCES", "R0 invalid mem access 'ptr_or_null_'", value(), *take, a.ldx(4, R0, R0, 0), *OUT)
    case("put into another type's place", "EACCES",
         "invalid kptr access, R2 type=ptr_prog_test_ref_kfunc expected=ptr_prog_test_member", *held, *give(MEMBER), *OUT)
    case("put where none is owned", "EACCES", "off=24 kptr isn't referenced kptr", *held, *give(BORROWED), *OUT)
    case("put where a number is", "EACCES", "off=16 doesn't point to kptr", *held, *give(NUMBER), *OUT)
    case("put past it", "EACCES", "off=4 doesn't point to kptr", *held, *give(4), *OUT)
    case("put somewhere", "EACCES", "R1 doesn't have constant offset. kptr has to be at the constant offset", *held, a.call(7),
         a.alu64_imm("and", R0, 8), a.mov(R1, R7), a.add(R1, R0), a.mov(R2, R6), a.call(XCHG), *OUT)  # fmt: skip
    case("a part of it", "EACCES", "invalid kptr access, R2 type=ptr_prog_test_ref_kfunc expected=ptr_prog_test_ref_kfunc", *held,
         a.add_imm(R6, 8), *give(), *OUT)  # fmt: skip
    case("a number", "EACCES", "R2 type=scalar expected=ptr_", value(), a.mov_imm(R6, 5), *give(), *OUT)
    case("the stack", "EACCES", "R2 type=fp expected=ptr_", value(), a.mov(R6, R10), *give(), *OUT)
    case("into the stack", "EACCES", "R1 type=fp expected=map_value", *acquired(kfunc, R6), a.mov(R7, R10), *give(-8), *OUT)
    case("a borrowed one", "EACCES", "R2 type=untrusted_ptr_ expected=ptr_", value(), a.ldx(8, R6, R7, BORROWED),
         a.jmp_imm("ne", R6, 0, 2), *OUT, *give(), *OUT)  # fmt: skip
    case("one that is not owned", "EINVAL", "R2 must be referenced when passed to release function", *held,
         a.ldx(8, R8, R6, 16), a.mov(R1, R6), kfunc("call_test_release"), a.mov(R6, R8), *give(), *OUT)  # fmt: skip
    case("stored", "EACCES", "store to referenced kptr disallowed", *held, a.stx(8, R7, OWNED, R6), *OUT)
    case("NULL stored", "EACCES", "store to referenced kptr disallowed", value(), a.st(8, R7, OWNED, 0), *OUT)
    case("borrowed from what is held", "", "", *held, a.stx(8, R7, BORROWED, R6), a.mov(R1, R6), kfunc("call_test_release"), *OUT)
    case("the same by a pointer at it", "", "", a.ld_map_value(R7, MAP, OWNED), *acquired(kfunc, R6), *give(), *release, *OUT)
    case("no types", "EACCES", "has to have BTF in order to use bpf_kptr_xchg", value(UNTYPED), *take, *OUT)
    case("no kptr", "EACCES", "has no valid kptr", value(PLAIN), *take, *OUT)
    case("too many", "EACCES", "has more than 8 kptr", value(MANY), *take, *OUT)
    case("nobody to give it back", "EACCES", "has no valid kptr", value(NO_DTOR), *take, *OUT)
    case("plain memory then", "", "", value(NO_DTOR), a.st(8, R7, 0, 5), a.ldx(8, R0, R7, 0), a.exit_(), result=5)
    return out
