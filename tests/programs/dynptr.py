# SPDX-License-Identifier: MIT
"""Programs with dynptrs: made, read and written through, given back; and all the ways to write over one."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R5, R6, R10
from programs.case import LOOP, PRANDOM, Case, ld_map, ld_value
from programs.reject import OUT, Item

FROM_MEM, RESERVE, SUBMIT, DISCARD, READ, WRITE, DATA = range(197, 204)
DRAIN = 209
CASES: list[Case] = []
STRICT = "Linux 6.1 lets a program write over a dynptr; 6.3 and later do not"


def case(name: str, error: str, message: str, *items: Item, result: int | None = None, native_differs: str = "") -> None:
    CASES.append(
        Case(
            f"dynptr/{name}", "dynptr", a.asm(*items), error=error, message=message, result=result, native_differs=native_differs
        )
    )


def at(reg: int, off: int) -> list[a.Insn]:
    return [a.mov(reg, R10), a.add_imm(reg, off)]


def local(off: int = -16, size: int = 48, flags: int = 0) -> list[Item]:
    """To the first value of the array, which is 48 bytes."""
    return [
        a.st(4, R10, -72, 0), *at(R2, -72), ld_map(R1, "array"), a.call(1), a.jmp_imm("ne", R0, 0, 2), *OUT, a.mov(R1, R0),
        a.mov_imm(R2, size), a.mov_imm(R3, flags), *at(R4, off), a.call(FROM_MEM),
    ]  # fmt: skip


def record(off: int = -16, size: int = 32) -> list[Item]:
    return [ld_map(R1, "ring"), a.mov_imm(R2, size), a.mov_imm(R3, 0), *at(R4, off), a.call(RESERVE)]


def give(off: int = -16, how: int = DISCARD) -> list[Item]:
    return [*at(R1, off), a.mov_imm(R2, 0), a.call(how)]


def data(off: int = -16, length: int = 8, start: int = 0) -> list[Item]:
    return [*at(R1, off), a.mov_imm(R2, start), a.mov_imm(R3, length), a.call(DATA)]


def read(to: int, length: int, off: int = -16, start: int = 0) -> list[Item]:
    return [*at(R1, to), a.mov_imm(R2, length), *at(R3, off), a.mov_imm(R4, start), a.mov_imm(R5, 0), a.call(READ)]


def write(of: int, length: int, off: int = -16, start: int = 0) -> list[Item]:
    return [*at(R1, off), a.mov_imm(R2, start), *at(R3, of), a.mov_imm(R4, length), a.mov_imm(R5, 0), a.call(WRITE)]


ONE = [a.st(8, R10, -24, 0x1234)]
CHECKED = [a.jmp_imm("ne", R0, 0, 2), *OUT]

# -- in order ---------------------------------------------------------------------------------------------------------

case("written and read", "", "", *local(), *ONE, *write(-24, 8), *read(-32, 8), a.ldx(8, R0, R10, -32), a.exit_(), result=0x1234)
case("written in the midst", "", "", *local(), *ONE, *write(-24, 2, start=46), *read(-32, 2, start=46), a.ldx(2, R0, R10, -32),
     a.exit_(), result=0x1234)  # fmt: skip
case("read past the end", "", "", *local(), *read(-32, 8, start=41), a.exit_(), result=-7 & 0xFFFFFFFF)
case("read far past the end", "", "", *local(), *read(-32, 8, start=-1), a.exit_(), result=-7 & 0xFFFFFFFF)
case("written past the end", "", "", *local(), *ONE, *write(-24, 8, start=41), a.exit_(), result=-7 & 0xFFFFFFFF)
case("made with flags", "", "", *local(flags=1), a.exit_(), result=-22 & 0xFFFFFFFF)
case("made with flags leads nowhere", "", "", *local(flags=1), *read(-32, 8), a.exit_(), result=-22 & 0xFFFFFFFF)
case("slice", "", "", *local(), *ONE, *write(-24, 8, start=8), *data(start=8), *CHECKED, a.ldx(8, R0, R0, 0), a.exit_(),
     result=0x1234)  # fmt: skip
case("slice written", "", "", *local(), *data(start=40), *CHECKED, a.st(8, R0, 0, 77), *read(-32, 8, start=40),
     a.ldx(8, R0, R10, -32), a.exit_(), result=77)  # fmt: skip
case(
    "slice past the end",
    "",
    "",
    *local(),
    *data(start=41),
    a.jmp_imm("eq", R0, 0, 2),
    *OUT,
    a.mov_imm(R0, 5),
    a.exit_(),
    result=5,
)  # fmt: skip
case("record", "", "", *record(), *ONE, *write(-24, 8), *read(-32, 8), a.ldx(8, R6, R10, -32), *give(), a.mov(R0, R6), a.exit_(),
     result=0x1234)  # fmt: skip
case("record submitted", "", "", *record(), *data(length=32), a.jmp_imm("eq", R0, 0, 1), a.st(8, R0, 24, 1),
     *give(how=SUBMIT), *OUT,
     result=0)  # fmt: skip
case("record too large", "", "", *record(size=1 << 20), a.mov(R6, R0), *give(), a.mov(R0, R6), a.exit_(), result=-22 & 0xFFFFFFFF)
case("two records", "", "", *record(), *record(-32), *give(-32), *give(), *OUT, result=0)
case("record after another in its place", "", "", *record(), *give(), *record(), *give(), *OUT, result=0)
case("local one after a record", "", "", *record(), *give(), *local(), *read(-32, 8), a.exit_(), result=0)
case(
    "place of a record given back", "", "", *record(), *give(), a.st(8, R10, -16, 3), a.ldx(8, R0, R10, -16), a.exit_(), result=3
)  # fmt: skip
case("lowest place", "", "", *record(-512), *give(-512), *OUT, result=0)
case("given to a function", "", "", *local(), *at(R1, -16), a.call_sub("f"), a.exit_(),
     "f", a.mov(R3, R1), *at(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R4, 0), a.mov_imm(R5, 0), a.call(READ), a.exit_(),
     result=0)  # fmt: skip
case("made in a caller's frame", "", "", *at(R1, -16), a.call_sub("f"), *give(), *OUT,
     "f", a.mov(R4, R1), ld_map(R1, "ring"), a.mov_imm(R2, 8), a.mov_imm(R3, 0), a.call(RESERVE), *OUT, result=0)  # fmt: skip

# -- what is no dynptr ------------------------------------------------------------------------------------------------

case(
    "never made",
    "EINVAL",
    "Expected an initialized dynptr as arg #3",
    a.st(8, R10, -16, 0),
    a.st(8, R10, -8, 0),
    *read(-32, 8),
    *OUT,
)  # fmt: skip
case("never made, never stored to", "EINVAL", "Expected an initialized dynptr as arg #1", *data(), *OUT)
case("second half", "EINVAL", "Expected an initialized dynptr as arg #3", *local(-24), *read(-40, 8, off=-16), *OUT)
case("half a slot in", "EINVAL", "cannot pass in dynptr at an offset", *local(), *read(-32, 8, off=-12), *OUT)
case("made half a slot in", "EINVAL", "cannot pass in dynptr at an offset", *local(-20), *OUT)
for kind in ("hash", "array", "user ring"):
    case(f"record of a map that is no ring buffer: {kind}", "EINVAL", "into func bpf_ringbuf_reserve_dynptr#198",
         ld_map(R1, kind), a.mov_imm(R2, 32), a.mov_imm(R3, 0), *at(R4, -16), a.call(RESERVE), *give(), *OUT)  # fmt: skip
case("made at the frame's end", "EACCES", "invalid write to stack R4 off=0 size=8", *record(-8), *OUT)
case("in a map", "EACCES", "R4 type=map_value expected=fp", ld_value(R4, "small"), ld_map(R1, "ring"), a.mov_imm(R2, 8),
     a.mov_imm(R3, 0),
     a.call(RESERVE), *OUT)  # fmt: skip
case("of the stack's memory", "EACCES", "Unsupported reg type fp for bpf_dynptr_from_mem data", a.st(8, R10, -32, 0), *at(R1,
     -32),
     a.mov_imm(R2, 8), a.mov_imm(R3, 0), *at(R4, -16), a.call(FROM_MEM), *OUT)  # fmt: skip
case("of more than there is", "EACCES", "invalid access to map value, value_size=48 off=0 size=49", *local(size=49), *OUT)
case("at a variable place", "EINVAL", "dynptr has to be at a constant offset", *local(), *local(-32), a.call(PRANDOM),
     a.alu64_imm("and", R0, 16), *at(R3, -32), a.add(R3, R0), *at(R1, -40), a.mov_imm(R2, 8), a.mov_imm(R4, 0), a.mov_imm(R5, 0),
     a.call(READ), *OUT, native_differs="Linux 6.1 looks at the fixed part of the offset alone")  # fmt: skip
case("of another kind", "EINVAL", "arg 1 is an unacquired reference", *local(), *give(), *OUT)
case("two in one place", "EINVAL", "Dynptr has to be an uninitialized dynptr", *local(), *local(), *OUT)
case("two that overlap, the second below", "EINVAL", "Dynptr has to be an uninitialized dynptr", *local(-16), *local(-24), *OUT)
case("two that overlap, the second above", "EINVAL", "Dynptr has to be an uninitialized dynptr", *local(-24), *local(-16), *OUT)

# -- references -------------------------------------------------------------------------------------------------------

case("record kept", "EINVAL", "Unreleased reference id=", *record(), *OUT)
case("record given back twice", "EINVAL", "arg 1 is an unacquired reference", *record(), *give(), *give(), *OUT)
case("record used after", "EINVAL", "Expected an initialized dynptr as arg #3", *record(), *give(), *read(-32, 8), *OUT)
case("slice used after", "EACCES", "R6 invalid mem access 'scalar'", *record(), *data(), a.mov(R6, R0), a.jmp_imm("ne", R6,
     0, "there"),
     *give(), *OUT, "there", *give(), a.ldx(8, R0, R6, 0), *OUT)  # fmt: skip
case("slice used before", "", "", *record(), *data(), a.mov(R6, R0), a.jmp_imm("eq", R6, 0, 1), a.st(8, R6, 0, 1), *give(), *OUT)
case("slice not checked", "EACCES", "R0 invalid mem access 'mem_or_null'", *record(), *data(), a.ldx(8, R0, R0, 0), *give(), *OUT)
case("slice too short", "EACCES", "mem_size=8 off=8 size=1", *record(), *data(), a.mov(R6, R0), a.jmp_imm("ne", R6, 0,
     "there"), *give(), *OUT,
     "there", a.st(1, R6, 8, 1), *give(), *OUT)  # fmt: skip
case("slice of unknown length", "EACCES", "R3 is not a known constant", *local(), a.call(PRANDOM), *at(R1, -16), a.mov_imm(R2, 0),
     a.mov(R3, R0), a.call(DATA), *OUT)  # fmt: skip
case("slice given back as a record", "EACCES", "R1 type=mem expected=alloc_mem", *record(), *data(), a.mov(R6, R0),
     a.jmp_imm("ne", R6, 0, "there"), *give(), *OUT, "there", a.mov(R1, R6), a.mov_imm(R2, 0), a.call(132), *give(),
     *OUT)  # fmt: skip
case("record kept by a callback", "EINVAL", "Unreleased reference id=", a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0),
     a.mov_imm(R4, 0), a.call(LOOP), *OUT, "cb", *record(), *OUT)  # fmt: skip
case("record given back by a callback", "EINVAL", "reference has not been acquired before", *record(), a.mov_imm(R1, 5),
     a.ld_func(R2, "cb"), *at(R3, -16), a.mov_imm(R4, 0), a.call(LOOP), *give(), *OUT,
     "cb", a.mov(R1, R2), a.mov_imm(R2, 0), a.call(DISCARD), *OUT,
     native_differs="what Linux 6.1 says differs")  # fmt: skip
case("one of two ways makes it", "EINVAL", "Expected an initialized dynptr as arg #3", a.call(PRANDOM), a.jmp_imm("eq", R0,
     0, "on"),
     *local(), "on", *read(-32, 8), *OUT,
     native_differs="Linux 6.1 does not count what a dynptr is used for as a read of it: one way covers the other")  # fmt: skip

# -- written over -----------------------------------------------------------------------------------------------------

BYTES = [*local(), *ONE]
case("bytes read", "EACCES", "invalid read from stack off -16+0 size 8", *local(), a.ldx(8, R0, R10, -16), *OUT)
case("bytes read at the end", "EACCES", "invalid read from stack off -1+0 size 1", *local(), a.ldx(1, R0, R10, -1), *OUT)
case("bytes given to a helper", "EACCES", "invalid indirect read from stack", *BYTES, *write(-20, 8), *OUT)
case("bytes added to", "EACCES", "invalid read from stack", *local(), a.mov_imm(R1, 1), a.atomic(8, "add", R10, -16, R1), *OUT)
case("its own memory as what is written", "EACCES", "invalid indirect read from stack", *local(), *write(-16, 8), *OUT)
case("its own memory as what is read to", "EACCES", "potential write to dynptr at off=-16 disallowed", *local(), *read(-16,
     8), *OUT,
     native_differs=STRICT)  # fmt: skip
case("another helper writes over it", "EACCES", "potential write to dynptr at off=-16 disallowed", *record(), *at(R1, -24),
     a.mov_imm(R2, 17), a.mov_imm(R3, 0), a.call(113), *give(), *OUT, native_differs=STRICT)  # fmt: skip
for byte in (-16, -9, -8, -1):
    case(f"local one stored to at {byte}", "EINVAL", "Expected an initialized dynptr as arg #3", *local(), a.st(1, R10, byte, 0),
         *read(-32, 8), *OUT)  # fmt: skip
    case(f"record stored to at {byte}", "EINVAL", "cannot overwrite referenced dynptr", *record(), a.st(1, R10, byte, 0),
     *give(), *OUT,
         native_differs=STRICT)  # fmt: skip
case("record spilled over", "EINVAL", "cannot overwrite referenced dynptr", *record(), a.stx(8, R10, -16, R10), *give(), *OUT,
     native_differs=STRICT)  # fmt: skip
case("stored to somewhere", "EINVAL", "Expected an initialized dynptr as arg #3", *local(), a.call(PRANDOM),
     a.alu64_imm("and", R0, 7),
     *at(R1, -16), a.add(R1, R0), a.st(1, R1, 0, 0), *read(-40, 8), *OUT)  # fmt: skip
case("record stored to somewhere", "EINVAL", "cannot overwrite referenced dynptr", *record(), a.call(PRANDOM),
     a.alu64_imm("and", R0, 31),
     *at(R1, -40), a.add(R1, R0), a.st(1, R1, 0, 0), *give(), *OUT, native_differs=STRICT)  # fmt: skip
case("halves of two", "EINVAL", "Expected an initialized dynptr as arg #3", *local(-24), a.st(8, R10, -24, 0), a.st(8, R10,
     -16, 0),
     *local(-16), *local(-32), *read(-64, 8, off=-24), *OUT,
     native_differs="CVE-2023-39191: Linux 6.1 forgets what a half was")  # fmt: skip
case("half left over by another", "EINVAL", "Expected an initialized dynptr as arg #3", *local(-16), a.st(8, R10, -8, 0),
     *local(-24),
     *read(-64, 8, off=-16), *OUT, native_differs="Linux 6.1 takes the half that is left for a dynptr in the way")  # fmt: skip
case(
    "replaced after it was stored to",
    "",
    "",
    *local(),
    a.st(8, R10, -8, 0),
    a.st(8, R10, -16, 0),
    *record(),
    *give(),
    *OUT,
    result=0,
)  # fmt: skip
case("stored to on one of two ways", "EINVAL", "Expected an initialized dynptr as arg #3", *local(), a.call(PRANDOM),
     a.jmp_imm("eq", R0, 0, "on"), a.st(8, R10, -8, 0), "on", *read(-32, 8), *OUT)  # fmt: skip
case("a number on one way, a dynptr on the other", "EACCES", "invalid read from stack", a.st(8, R10, -16, 0), a.st(8, R10, -8, 0),
     a.call(PRANDOM), a.jmp_imm("eq", R0, 0, "on"), *local(), "on", a.ldx(8, R0, R10, -16), *OUT)  # fmt: skip

# the states meet where the first way has had no stack at all
CASES.append(
    Case(
        "dynptr/made on one of two ways, and then on both", "dynptr",
        a.asm(a.call(PRANDOM), a.jmp_imm("ne", R0, 0, "make"), "on", *record(), *give(), *OUT, "make", *local(), a.ja("on")),
        error="EINVAL", message="Dynptr has to be an uninitialized dynptr", flags=1 << 3,
        native_differs="Linux 6.1 compares no more of the stack than the first way has had",
    )
)  # fmt: skip

# -- user ring buffers: a callback is lent a dynptr of the kernel's ---------------------------------------------------


def drain(*callback: Item, flags: int = 0) -> list[Item]:
    return [
        ld_map(R1, "user ring"),
        a.ld_func(R2, "cb"),
        a.mov_imm(R3, 0),
        a.mov_imm(R4, flags),
        a.call(DRAIN),
        *OUT,
        "cb",
        *callback,
    ]


case("lent", "", "", *drain(a.mov_imm(R2, 0), a.mov_imm(R3, 8), a.call(DATA), a.jmp_imm("eq", R0, 0, 1), a.ldx(8, R1, R0, 0),
     *OUT),
     result=0)  # fmt: skip
case("lent and read", "", "", *drain(a.mov(R3, R1), *at(R1, -8), a.mov_imm(R2, 8), a.mov_imm(R4, 0), a.mov_imm(R5, 0),
     a.call(READ),
     *OUT), result=0)  # fmt: skip
case("drained with flags that are none", "", "", ld_map(R1, "user ring"), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 4),
     a.call(DRAIN), a.exit_(), "cb", *OUT, result=-22 & 0xFFFFFFFF)  # fmt: skip
case("lent and moved", "EACCES", "dereference of modified dynptr_ptr ptr R1 off=16 disallowed", *drain(a.add_imm(R1, 16),
     a.mov_imm(R2, 0), a.mov_imm(R3, 8), a.call(DATA), *OUT))  # fmt: skip
case("lent and stored to", "EACCES", "R1 invalid mem access 'dynptr_ptr'", *drain(a.st(8, R1, 0, 0), *OUT))
case("lent and given back", "EINVAL", "arg 1 is an unacquired reference", *drain(a.mov_imm(R2, 0), a.call(DISCARD), *OUT))
case("lent and made anew", "EINVAL", "cannot be initialized", *drain(a.mov(R4, R1), ld_map(R1, "ring"), a.mov_imm(R2, 8),
     a.mov_imm(R3, 0), a.call(RESERVE), *OUT), native_differs="Linux 6.1 lets helpers write over its own dynptr")  # fmt: skip
case("unchecked slice of it", "EACCES", "R0 invalid mem access 'mem_or_null'", *drain(a.mov_imm(R2, 0), a.mov_imm(R3, 8),
     a.call(DATA),
     a.ldx(8, R1, R0, 0), *OUT))  # fmt: skip
case("callback's other result", "EINVAL", "At callback return the register R0 has value", *drain(a.mov_imm(R0, 2), a.exit_()))
case("drained, and no user ring buffer", "EINVAL", "cannot pass map_type 27 into func bpf_user_ringbuf_drain#209", ld_map(R1,
     "ring"),
     a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(DRAIN), *OUT, "cb", *OUT)  # fmt: skip
