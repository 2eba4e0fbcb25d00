# SPDX-License-Identifier: MIT
"""Programs that use maps in maps: what they may do with the inner map, and what they may not. They are judged, not run:
tests/guest/map_of_maps_cases.py runs such programs."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R6, R7, R10
from programs.case import DELETE, FOR_EACH, LOOKUP, PUSH, UPDATE, Case, ld_map
from programs.reject import OUT, Item, lookup

CASES: list[Case] = []


def yes(name: str, *items: Item, **more: object) -> None:
    CASES.append(Case(f"map in map/{name}", "map in map", a.asm(*items), **more))  # type: ignore[arg-type]


def no(name: str, error: str, message: str, *items: Item, **more: object) -> None:
    yes(name, *items, error=error, message=message, **more)


def inner(name: str, reg: int = R6, size: int = 4) -> list[Item]:
    """The map under key 0 of an outer one, or out."""
    return [*lookup(name, 0, size), a.jmp_imm("ne", R0, 0, 2), a.mov_imm(R0, 0), a.exit_(), a.mov(reg, R0)]


def in_inner(reg: int = R6, func: int = LOOKUP) -> list[Item]:
    """Looks key 0 up in it."""
    return [a.mov(R1, reg), a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -8), a.call(func)]


FOUND: list[Item] = [a.jmp_imm("ne", R0, 0, 2), a.mov_imm(R0, 0), a.exit_()]
CALLBACK: list[Item] = [*OUT, "cb", a.mov_imm(R0, 0), a.exit_()]
EACH: list[Item] = [a.ld_func(R2, "cb"), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(FOR_EACH)]

for label, size in (("arrays", 4), ("hashes", 8)):
    yes(f"{label}: value read", *inner(label, size=size), *in_inner(), *FOUND, a.ldx(8, R0, R0, 8), a.exit_())
    yes(f"{label}: value written", *inner(label, size=size), *in_inner(), *FOUND, a.st(8, R0, 8, 1), *OUT)
    no(
        f"{label}: past the value",
        "EACCES",
        "invalid access to map value",
        *inner(label, size=size),
        *in_inner(),
        *FOUND,
        a.ldx(8, R0, R0, 48),
        a.exit_(),
    )
    no(
        f"{label}: value not tested",
        "EACCES",
        "R0 invalid mem access 'map_value_or_null'",
        *inner(label, size=size),
        *in_inner(),
        a.ldx(8, R0, R0, 0),
        a.exit_(),
    )
    no(
        f"{label}: map not tested",
        "EACCES",
        "R1 type=map_value_or_null expected=map_ptr",
        *lookup(label, 0, size),
        a.mov(R1, R0),
        a.mov(R2, R10),
        a.add_imm(R2, -8),
        a.call(LOOKUP),
        *OUT,
    )
    no(
        f"{label}: arithmetic on the map",
        "EACCES",
        "R6 pointer arithmetic on map_ptr prohibited",
        *inner(label, size=size),
        a.add_imm(R6, 8),
        *in_inner(),
        *OUT,
    )
    no(
        f"{label}: outer map updated",
        "EINVAL",
        "cannot pass map_type",
        *lookup(label, 0, size),
        a.mov(R3, R10),
        a.add_imm(R3, -8),
        a.mov(R2, R10),
        a.add_imm(R2, -8),
        ld_map(R1, label),
        a.mov_imm(R4, 0),
        a.call(UPDATE),
        *OUT,
    )
    no(
        f"{label}: outer map's element deleted",
        "EINVAL",
        "cannot pass map_type",
        *lookup(label, 0, size),
        ld_map(R1, label),
        a.mov(R2, R10),
        a.add_imm(R2, -8),
        a.call(DELETE),
        *OUT,
    )
    yes(
        f"{label}: inner map updated",
        *inner(label, size=size),
        a.mov(R1, R6),
        a.st(8, R10, -8, 0),
        a.mov(R2, R10),
        a.add_imm(R2, -8),
        *[a.st(8, R10, off, 0) for off in range(-64, -8, 8)],
        a.mov(R3, R10),
        a.add_imm(R3, -64),
        a.mov_imm(R4, 0),
        a.call(UPDATE),
        *OUT,
    )
    yes(f"{label}: each element", *inner(label, size=size), a.mov(R1, R6), *EACH, *CALLBACK)
    no(f"{label}: each map", "ENOTSUPP", "callback function not allowed for map", ld_map(R1, label), *EACH, *CALLBACK)
    no(
        f"{label}: a map in the inner map",
        "EACCES",
        "R1 type=map_value expected=map_ptr",
        *inner(label, size=size),
        *in_inner(),
        *FOUND,
        a.mov(R6, R0),
        *in_inner(),
        *OUT,
    )
no(
    "key of the inner map too short",
    "EINVAL",
    "invalid indirect access to stack",
    *inner("hashes", size=8),
    a.mov(R1, R6),
    a.mov(R2, R10),
    a.add_imm(R2, -4),
    a.call(LOOKUP),
    *OUT,
)
no(
    "each element of one or the other",
    "EINVAL",
    "tail_call abusing map_ptr",
    a.ldx(4, R7, R1, 0),
    *inner("arrays"),
    a.jmp_imm("eq", R7, 0, "each"),
    *inner("hashes", size=8),
    "each",
    a.mov(R1, R6),
    *EACH,
    *CALLBACK,
)
yes(
    "element of one or the other",
    a.ldx(4, R7, R1, 0),
    *inner("arrays"),
    a.jmp_imm("eq", R7, 0, "use"),
    *inner("hashes", size=8),
    "use",
    *in_inner(),
    *FOUND,
    a.ldx(8, R0, R0, 8),
    a.exit_(),
)
no(
    "past the end of one of them",
    "EACCES",
    "invalid access to map value, value_size=16 off=16 size=8",
    a.ldx(4, R7, R1, 0),
    *inner("arrays"),
    a.jmp_imm("eq", R7, 0, "use"),
    *inner("hashes", size=8),
    "use",
    *in_inner(),
    *FOUND,
    a.ldx(8, R0, R0, 16),
    a.exit_(),
)
no(
    "wrong helper for the inner map",
    "EINVAL",
    "map_push_elem#87",
    *inner("arrays"),
    a.mov(R1, R6),
    a.st(8, R10, -8, 0),
    *[a.st(8, R10, off, 0) for off in range(-64, -8, 8)],
    a.mov(R2, R10),
    a.add_imm(R2, -56),
    a.mov_imm(R3, 0),
    a.call(PUSH),
    *OUT,
)
# what lies in them is not known, even where the template's contents were
no(
    "contents of the read-only map that the others are like",
    "EACCES",
    "invalid write to stack R10 off=8 size=8",
    *inner("rodatas"),
    *in_inner(),
    *FOUND,
    a.ldx(8, R4, R0),
    a.jmp_imm("eq", R4, 5, 1),
    a.st(8, R10, 8, 0),
    *OUT,
)
no(
    "read-only inner map written",
    "EACCES",
    "write into map forbidden",
    *inner("rodatas"),
    *in_inner(),
    *FOUND,
    a.st(8, R0, 0, 1),
    *OUT,
)
