# SPDX-License-Identifier: MIT
"""Programs with timers in map values: what the helpers on them take, and how their callbacks are judged. Here
they run in tests/unit/test_verifier_timer.py alone; tests/guest/timer_cases.py runs such programs in the kernel."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R6, R7, R8, R10
from programs.case import FOR_EACH, KPROBE, LOOKUP, LOOP, RAW_TRACEPOINT, SCHED_CLS, TAIL_CALL, TRACEPOINT, Case, ld_map
from programs.reject import OUT, Item, lookup

INIT, SET_CALLBACK, START, CANCEL = 169, 170, 171, 172
CASES: list[Case] = []


def yes(name: str, *items: Item, **more: object) -> None:
    CASES.append(Case(f"timer/{name}", "timer", a.asm(*items), **more))  # type: ignore[arg-type]


def no(name: str, error: str, message: str, *items: Item, **more: object) -> None:
    yes(name, *items, error=error, message=message, **more)


def element(name: str = "timers", off: int = 8) -> list[Item]:
    """R6: the place of the timer in the value under key 0."""
    return [*lookup(name, 0), a.jmp_imm("ne", R0, 0, 2), a.mov_imm(R0, 0), a.exit_(), a.mov(R6, R0), a.add_imm(R6, off)]


def init(name: str = "timers") -> list[Item]:
    return [a.mov(R1, R6), ld_map(R2, name), a.mov_imm(R3, 1), a.call(INIT)]


SET: list[Item] = [a.mov(R1, R6), a.ld_func(R2, "cb"), a.call(SET_CALLBACK)]
START_IT: list[Item] = [a.mov(R1, R6), a.mov_imm(R2, 0), a.mov_imm(R3, 0), a.call(START)]
CANCEL_IT: list[Item] = [a.mov(R1, R6), a.call(CANCEL)]
ALL: list[Item] = [*element(), *init(), *SET, *START_IT, *CANCEL_IT]
ZERO: list[Item] = ["cb", a.mov_imm(R0, 0), a.exit_()]


def callback(name: str, *body: Item, error: str = "", message: str = "", **more: object) -> None:
    yes(name, *ALL, *OUT, "cb", *body, error=error, message=message, **more)


yes("all of it", *ALL, *OUT, *ZERO)
yes("in a hash map", *element("timers2"), *init("timers2"), *SET, *START_IT, *CANCEL_IT, *OUT, *ZERO)
no(
    "of another map",
    "EINVAL",
    "timer pointer in R1 map_uid=0 doesn't match map pointer in R2 map_uid=0",
    *element(),
    *init("timers2"),
    *OUT,
)
no(
    "elsewhere in the value",
    "EACCES",
    "off 0 doesn't point to 'struct bpf_timer' that is at 8",
    *element(off=0),
    *CANCEL_IT,
    *OUT,
)
no("in a map that has none", "EACCES", "has to have BTF in order to use bpf_timer", *element("array"), *CANCEL_IT, *OUT)
no("beside a lock", "EACCES", "doesn't have 'struct bpf_timer'", *element("locked"), *CANCEL_IT, *OUT, prog_type=SCHED_CLS)
no("on the stack", "EACCES", "R1 type=fp expected=map_value", a.mov(R1, R10), a.add_imm(R1, -16), a.call(CANCEL), *OUT)
no("element not tested", "EACCES", "R1 type=map_value_or_null expected=map_value", *lookup("timers", 0), a.mov(R1, R0),
   a.call(CANCEL), *OUT)  # fmt: skip
no("read", "EACCES", "bpf_timer cannot be accessed directly by load/store", *element(), a.ldx(8, R0, R6, 8), *OUT)
no("written", "EACCES", "bpf_timer cannot be accessed directly by load/store", *element(), a.st(4, R6, 4, 1), *OUT)
yes("number beside it written", *element(), a.st(8, R6, -8, 1), *OUT)
no(
    "without a GPL licence",
    "EINVAL",
    "cannot call GPL-restricted function from non-GPL compatible program",
    *ALL,
    *OUT,
    *ZERO,
    gpl=False,
)
for label, kind in (("kprobe", KPROBE), ("tracepoint", TRACEPOINT), ("raw tracepoint", RAW_TRACEPOINT)):
    no(f"for a {label}", "EINVAL", "tracing progs cannot use bpf_timer yet", *ALL, *OUT, *ZERO, prog_type=kind)
    no(f"in a map of maps for a {label}", "EINVAL", "tracing progs cannot use bpf_timer yet", ld_map(R1, "timer maps"), *OUT,
       prog_type=kind, native_differs="Linux 6.1 does not look at the maps in a map of maps")  # fmt: skip

callback("number counted", a.ldx(8, R0, R3, 0), a.add_imm(R0, 1), a.stx(8, R3, 0, R0), *OUT)
callback("key read", a.ldx(4, R0, R2, 0), a.stx(8, R3, 0, R0), *OUT)
callback("key written", a.st(4, R2, 0, 0), *OUT, error="EACCES", message="write to change key R2 not allowed")
callback("past the value", a.st(8, R3, 24, 0), *OUT, error="EACCES", message="invalid access to map value")
callback(
    "returns 1",
    a.mov_imm(R0, 1),
    a.exit_(),
    error="EINVAL",
    message="At async callback the register R0 has value (0x1; 0x0) should have been in (0x0; 0x0)",
)
callback("returns a pointer", a.mov(R0, R3), a.exit_(), error="EINVAL",
         message="In async callback the register R0 is not a known value (map_value)")  # fmt: skip
callback("returns nothing", a.exit_(), error="EACCES", message="R0 !read_ok")
callback("caller's registers", a.mov(R0, R6), *OUT, error="EACCES", message="R6 !read_ok")
callback(
    "its caller's stack",
    a.ldx(8, R1, R10, -8),
    a.ldx(8, R0, R1, 0),
    *OUT,
    error="EACCES",
    message="R1 invalid mem access 'scalar'",
)
callback("sets itself again", a.mov(R1, R3), a.add_imm(R1, 8), a.ld_func(R2, "cb"), a.call(SET_CALLBACK), *OUT)
callback("starts and cancels", a.mov(R6, R3), a.add_imm(R6, 8), *START_IT, *CANCEL_IT, *OUT)
callback("looks up in its map", a.mov(R7, R2), a.mov(R2, R7), a.call(LOOKUP), *OUT)
callback(
    "initialises its own", a.mov(R6, R3), a.add_imm(R6, 8), a.mov(R2, R1), a.mov(R1, R6), a.mov_imm(R3, 1), a.call(INIT), *OUT
)
# -- maps that are like each other: a timer is of the map that its value is in -------------------------------------------


def inner(reg: int) -> list[Item]:
    """The map under key 0 of a map of maps."""
    return [*lookup("timer maps", 0), a.jmp_imm("ne", R0, 0, 2), *OUT, a.mov(reg, R0)]


def in_inner(reg: int) -> list[Item]:
    """R6: the place of the timer in its value under key 0."""
    return [a.st(4, R10, -4, 0), a.mov(R1, reg), a.mov(R2, R10), a.add_imm(R2, -4), a.call(LOOKUP), a.jmp_imm("ne", R0, 0, 2),
            *OUT, a.mov(R6, R0), a.add_imm(R6, 8)]  # fmt: skip


def each(reg: int) -> list[Item]:
    """Its elements are shown to "each", with the address of what is at R10-16."""
    return [a.mov(R1, reg), a.ld_func(R2, "each"), a.mov(R3, R10), a.add_imm(R3, -16), a.mov_imm(R4, 0), a.call(FOR_EACH)]


def init_with(reg: int) -> list[Item]:
    return [a.mov(R2, reg), a.mov(R1, R6), a.mov_imm(R3, 1), a.call(INIT)]


OTHER = "timer pointer in R1 map_uid="
EXPIRED = "holes of Linux 6.1, which knows an inner map by its looks where a callback is given it"
yes("of an inner map", *inner(R7), *in_inner(R7), *init_with(R7), *SET, *OUT, *ZERO)
no("of one inner map, with another", "EINVAL", OTHER, *inner(R7), *inner(R8), *in_inner(R7), *init_with(R8), *OUT)
yes("of each element of an inner map", *inner(R7), *each(R7), *OUT,
    "each", a.mov(R6, R3), a.add_imm(R6, 8), *init_with(R1), *OUT, native_differs=EXPIRED)  # fmt: skip
no("of each element of one, with another", "EINVAL", OTHER, *inner(R7), *inner(R8), a.stx(8, R10, -16, R8), *each(R7), *OUT,
   "each", a.mov(R6, R3), a.add_imm(R6, 8), a.ldx(8, R4, R4, 0), *init_with(R4), *OUT)  # fmt: skip
yes("of the inner map that expired", *inner(R7), *in_inner(R7), *init_with(R7), *SET, *OUT,
    "cb", a.mov(R7, R3), a.mov(R6, R3), a.add_imm(R6, 8), *init_with(R1), a.mov(R6, R7), a.add_imm(R6, 8),
    *SET, *OUT)  # fmt: skip
no("of each element of one, with the inner map that expired", "EINVAL", OTHER,
   *inner(R7), *in_inner(R7), *init_with(R7), *SET, *OUT,
   "cb", a.stx(8, R10, -16, R1), *inner(R7), *each(R7), *OUT,
   "each", a.mov(R6, R3), a.add_imm(R6, 8), a.ldx(8, R4, R4, 0), *init_with(R4), *OUT, native_differs=EXPIRED)  # fmt: skip

callback(
    "goes round in a circle",
    a.ldx(4, R0, R2, 0),
    a.jmp_imm("eq", R0, 5, -1),
    *OUT,
    error="EINVAL",
    message="infinite loop detected",
)
callback("tail call", ld_map(R2, "progs"), a.mov_imm(R3, 0), a.call(TAIL_CALL), *OUT, error="EACCES",
         message="R1 type=map_ptr expected=ctx")  # fmt: skip
# each has a stack of its own: 400 bytes twice are not too many
yes("deep stacks", a.st(8, R10, -400, 0), *ALL, *OUT, "cb", a.st(8, R10, -400, 0), *OUT)
CALL_IT: list[Item] = [a.mov(R1, R10), a.mov(R2, R10), a.add_imm(R2, -400), a.mov(R3, R2), a.call_sub("cb"), *OUT]
no("called, too", "EACCES", "combined stack size of 2 calls is", a.st(8, R10, -400, 0), *ALL, *CALL_IT,
   "cb", a.st(8, R10, -400, 0), *OUT)  # fmt: skip
LOOP_IT: list[Item] = [a.mov_imm(R1, 1), a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(LOOP)]
no("called by a helper, too", "EACCES", "combined stack size of 2 calls is", a.st(8, R10, -400, 0), *ALL, *LOOP_IT, *OUT,
   "cb", a.st(8, R10, -400, 0), *OUT, native_differs="Linux 6.1 does not count the callback's stack then")  # fmt: skip
