# SPDX-License-Identifier: MIT
"""The C of the domain compiled as it is, and called through ctypes: what the translated functions are held against."""

from __future__ import annotations

import ctypes
import random
import subprocess
from pathlib import Path
from typing import Any

import z3

from proof import csource
from proof.cvalue import Pointer, PointerType, StructType, Value, VoidType
from proof.translate import Machine, State

CTYPES = {
    (8, False): ctypes.c_uint8,
    (16, False): ctypes.c_uint16,
    (32, False): ctypes.c_uint32,
    (32, True): ctypes.c_int32,
    (64, False): ctypes.c_uint64,
    (64, True): ctypes.c_int64,
}


def build(where: Path, source: csource.Source) -> ctypes.CDLL:
    files = sorted({str(csource.VERIFIER / name) for name in source.file_of.values()})
    library = where / "domain.so"
    flags = ["-std=gnu89", "-O2", "-fno-strict-aliasing", "-shared", "-fPIC", f"-I{csource.REPO}"]
    subprocess.run(["gcc", *flags, "-o", str(library), *files], check=True, timeout=120)
    return ctypes.CDLL(str(library))


def ctype(kind: Any, known: dict[str, Any]) -> Any:
    if isinstance(kind, VoidType):
        return None
    if isinstance(kind, PointerType):
        return ctypes.POINTER(ctype(kind.target, known))
    if isinstance(kind, StructType):
        if kind.name not in known:
            fields = [(name, ctype(inner, known)) for name, inner in kind.fields]
            known[kind.name] = type(kind.name, (ctypes.Structure,), {"_fields_": fields})
        return known[kind.name]
    return ctypes.c_bool if kind.is_bool else CTYPES[kind.width, kind.signed]


def number(rng: random.Random, width: int) -> int:
    """Numbers near the edges more often than not."""
    choice = rng.randrange(6)
    edge = 1 << rng.randrange(width)
    picked = (rng.getrandbits(width), rng.randrange(16), -rng.randrange(16), edge, edge - 1, rng.getrandbits(32))[choice]
    return picked & ((1 << width) - 1)


def around(rng: random.Random) -> dict[str, Any]:
    """A scalar's parts as they may be known of one number: exactly, or loosely."""
    top, half = (1 << 64) - 1, (1 << 32) - 1
    x = number(rng, 64) if rng.random() < 0.7 else rng.randrange(64)
    loose = rng.random() < 0.4
    mask = number(rng, 64) & rng.getrandbits(64) if loose else 0
    parts: dict[str, Any] = {"t": {"value": x & ~mask, "mask": mask}}
    for width, suffix, most in ((64, "", top), (32, "32", half)):
        low = x & most
        signed = low - (1 << width) if low >> (width - 1) else low
        room = [number(rng, width) if loose else 0 for _ in range(4)]
        parts["umin" + suffix] = max(low - room[0], 0)
        parts["umax" + suffix] = min(low + room[1], most)
        parts["smin" + suffix] = max(signed - room[2], -(1 << (width - 1)))
        parts["smax" + suffix] = min(signed + room[3], (1 << (width - 1)) - 1)
    return parts


def of_plain(kind: Any, given: Any) -> Value:
    if isinstance(kind, StructType):
        return Value(kind, {name: of_plain(inner, given[name]) for name, inner in kind.fields})
    return Value(kind, z3.BitVecVal(given, kind.width))


def random_value(kind: Any, rng: random.Random) -> Value:
    """Of a scalar, mostly what may be known of a number; a quarter of the time anything."""
    if isinstance(kind, StructType) and rng.random() < 0.75:
        if kind.name == "bpf_scalar":
            return of_plain(kind, around(rng))
        if kind.name == "tnum":
            return of_plain(kind, around(rng)["t"])
    if isinstance(kind, StructType):
        members = {name: random_value(inner, rng) for name, inner in kind.fields}
        return Value(kind, members)
    if kind.is_bool:
        return Value(kind, truth=z3.BoolVal(rng.random() < 0.5))
    return Value(kind, z3.BitVecVal(number(rng, kind.width), kind.width))


def plain(value: Value) -> Any:
    """A value of constants as Python has it; structs as dictionaries."""
    if isinstance(value.kind, StructType):
        return {name: plain(inner) for name, inner in value.term.items()}
    if isinstance(value.kind, VoidType):
        return None
    if value.kind.is_bool:
        term = z3.simplify(value.term)
        return bool(term.as_long())
    term = z3.simplify(value.term)
    return term.as_signed_long() if value.kind.signed else term.as_long()


def to_c(kind: Any, number_or_members: Any, known: dict[str, Any]) -> Any:
    made = ctype(kind, known)
    if isinstance(kind, StructType):
        return made(**{name: to_c(inner, number_or_members[name], known) for name, inner in kind.fields})
    return made(number_or_members).value


def from_c(kind: Any, value: Any) -> Any:
    if isinstance(kind, StructType):
        return {name: from_c(inner, getattr(value, name)) for name, inner in kind.fields}
    return value


def both(library: ctypes.CDLL, source: csource.Source, function: str, args: list[Any], aliased: bool = False) -> tuple[Any, Any]:
    """What the translated and the compiled function make of the same arguments: the result, and what pointers lead to then."""
    machine, state, known = Machine(source), State({}), {}
    params = machine.parameters(function)
    result_kind = machine.type_of(source.functions[function].decl.type.type)
    given, c_args, memory = [], [], {}
    for (name, kind), arg in zip(params, args, strict=True):
        if isinstance(kind, PointerType):
            shared = next(iter(memory), name) if aliased else name
            if shared not in memory:
                state.memory[shared] = arg
                memory[shared] = to_c(kind.target, plain(arg), known)
            given.append(Value(kind, Pointer(shared)))
            c_args.append(ctypes.byref(memory[shared]))
        else:
            given.append(arg)
            c_args.append(to_c(kind, plain(arg), known))
    called = getattr(library, function)
    called.restype = ctype(result_kind, known)
    called.argtypes = [ctype(kind, known) for _, kind in params]
    c_result = from_c(result_kind, called(*c_args))
    result = plain(machine.call(function, given, state))
    kinds = {name: kind.target for name, kind in params if isinstance(kind, PointerType)}
    after = {name: plain(state.memory[name]) for name in memory}
    c_after = {name: from_c(kinds[name], value) for name, value in memory.items()}
    return (result, after), (c_result, c_after)
