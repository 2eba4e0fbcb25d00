# SPDX-License-Identifier: MIT
"""Malformed BTF, each with the errno and a part of the message that Linux 6.1 answers. Standard library only."""

from __future__ import annotations

import struct
from collections.abc import Callable

from programs import btf as b
from programs.btf import Btf

Maker = Callable[[Btf], "dict[str, int] | None"]
BAD: list[tuple[str, str, str, Maker]] = []


def bad(name: str, error: str, message: str) -> Callable[[Maker], Maker]:
    def note(make: Maker) -> Maker:
        BAD.append((name, error, message, make))
        return make

    return note


def simple(name: str, error: str, message: str, make: Maker) -> None:
    BAD.append((name, error, message, make))


def header(**fields: int) -> Maker:
    def make(btf: Btf) -> dict[str, int]:
        btf.int("int", 4)
        return fields

    return make


simple("magic", "EINVAL", "Invalid magic", header(magic=0xEB9E))
simple("version", "ENOTSUPP", "Unsupported version", header(version=2))
simple("flags", "ENOTSUPP", "Unsupported flags", header(flags=1))
simple("header length past the end", "EINVAL", "btf_header not found", header(hdr_len=4096))
simple("types past the end", "EINVAL", "Total section length too long", header(type_len=4096))
simple("type section too far", "EINVAL", "Invalid section offset", header(type_off=4096, str_off=4096))
simple("gap", "EINVAL", "Unsupported section found", header(str_off=17))
simple("overlap", "EINVAL", "Section overlap found", header(str_off=12))
simple("strings too short", "EINVAL", "Unsupported section found", header(str_len=2))
simple("no strings", "EINVAL", "", header(str_len=0))
simple("no types", "EINVAL", "No type found", lambda btf: None)


@bad("strings not at the end", "EINVAL", "String section is not at the end")
def _strings_first(btf: Btf) -> dict[str, int]:
    btf.int("int", 4)
    return {"str_off": 0, "str_len": len(btf.types), "type_off": len(btf.types), "type_len": len(btf.strings)}


@bad("strings not closed", "EINVAL", "Invalid string section")
def _open_strings(btf: Btf) -> None:
    btf.int("int", 4)
    btf.strings += b"x"


@bad("strings do not begin with an empty one", "EINVAL", "Invalid string section")
def _no_empty(btf: Btf) -> None:
    btf.int("int", 4)
    btf.strings = b"x" + btf.strings[1:]


simple("half a type", "EINVAL", "meta_left:8 meta_needed:12", lambda btf: setattr(btf, "types", bytes(8)))
simple("kind 0", "EINVAL", "[1] Invalid kind:0", lambda btf: btf.raw(0, 0, 0) and None)
simple("kind 20", "EINVAL", "[1] Invalid kind:20", lambda btf: btf.raw(0, 20 << 24, 0) and None)
simple("reserved bits", "EINVAL", "[1] Invalid btf_info:", lambda btf: btf.raw(0, 1 << 24 | 1 << 20, 4) and None)
simple("name past the strings", "EINVAL", "[1] Invalid name_offset:999", lambda btf: btf.raw(999, 1 << 24, 4) and None)
simple("int without its data", "EINVAL", "meta_left:0 meta_needed:4", lambda btf: btf.add(b.INT, "int", 4) and None)
simple("int with members", "EINVAL", "vlen != 0",
       lambda btf: btf.add(b.INT, "int", 4, 1, tail=struct.pack("<I", 32)) and None)
simple("int with kind flag", "EINVAL", "Invalid btf_info kind_flag",
       lambda btf: btf.add(b.INT, "int", 4, 0, True, struct.pack("<I", 32)) and None)
simple("int wider than its size", "EINVAL", "nr_bits exceeds type_size",
       lambda btf: btf.int("int", 4, bits=33) and None)
simple("int of 129 bits", "EINVAL", "nr_bits exceeds 128", lambda btf: btf.int("int", 32, bits=129) and None)
simple("int of two encodings", "ENOTSUPP", "Unsupported encoding", lambda btf: btf.int("int", 4, 3) and None)
simple("int with reserved bits", "EINVAL", "Invalid int_data:",
       lambda btf: btf.add(b.INT, "int", 4, tail=struct.pack("<I", 0x10000020)) and None)
simple("pointer to nowhere", "EINVAL", "Invalid type_id", lambda btf: btf.ptr(55) and None)
simple("pointer with a name", "EINVAL", "Invalid name", lambda btf: btf.add(b.PTR, "p", 0) and None)
simple("pointer past all ids", "EINVAL", "Invalid type_id", lambda btf: btf.ptr(0x200000) and None)
simple("pointer to itself", "EEXIST", "Loop detected", lambda btf: btf.ptr(1) and None)
simple("typedef without name", "EINVAL", "Invalid name", lambda btf: btf.modifier(b.TYPEDEF, 0) and None)
simple("typedef with a bad name", "EINVAL", "Invalid name", lambda btf: btf.modifier(b.TYPEDEF, 0, "a-b") and None)
simple("typedef that begins with a digit", "EINVAL", "Invalid name",
       lambda btf: btf.modifier(b.TYPEDEF, 0, "1a") and None)
simple("const with a name", "EINVAL", "Invalid name", lambda btf: btf.modifier(b.CONST, 0, "c") and None)
simple("tag without text", "EINVAL", "Invalid name", lambda btf: btf.modifier(b.TYPE_TAG, 0) and None)


def loop(*kinds: int) -> Maker:
    def make(btf: Btf) -> None:
        for index, kind in enumerate(kinds):
            btf.modifier(kind, (index + 1) % len(kinds) + 1, "t" if kind == b.TYPEDEF else "")

    return make


simple("typedefs in a ring", "EEXIST", "Loop detected", loop(b.TYPEDEF, b.CONST, b.VOLATILE))
simple("pointers in a ring", "EEXIST", "Loop detected", loop(b.PTR, b.CONST, b.PTR))


@bad("too deep", "E2BIG", "Exceeded max resolving depth:32")
def _deep(btf: Btf) -> None:
    for index in range(40):
        btf.ptr(index + 2)
    btf.int("int", 4)


@bad("tag behind a modifier", "EINVAL", "Type tags don't precede modifiers")
def _tag_order(btf: Btf) -> None:
    btf.int("int", 4)
    btf.modifier(b.CONST, 3)
    btf.modifier(b.TYPE_TAG, 1, "user")


@bad("struct that holds itself", "EEXIST", "Loop detected")
def _struct_loop(btf: Btf) -> None:
    btf.struct("s", 8, [("s", 1, 0)])


@bad("array of itself", "EEXIST", "Loop detected")
def _array_loop(btf: Btf) -> None:
    btf.int("int", 4)
    btf.array(2, 1, 4)


def with_int(error: str, message: str, name: str, make: Callable[[Btf, int], object]) -> None:
    def build(btf: Btf) -> None:
        make(btf, btf.int("int", 4))

    BAD.append((name, error, message, build))


with_int("EINVAL", "Invalid elem", "array of void", lambda btf, i: btf.array(0, i, 1))
with_int("EINVAL", "Invalid index", "array over void", lambda btf, i: btf.array(i, 0, 1))
with_int("EINVAL", "Invalid elem", "array of nothing", lambda btf, i: btf.array(77, i, 1))
with_int("EINVAL", "Invalid index", "array over itself", lambda btf, i: btf.array(i, btf.ptr(i), 1))
with_int("EINVAL", "Array size overflows U32_MAX", "array too large", lambda btf, i: btf.array(i, i, 1 << 31))
with_int("EINVAL", "size != 0", "array with a size",
         lambda btf, i: btf.add(b.ARRAY, size=4, tail=struct.pack("<III", i, i, 1)))
with_int("EINVAL", "Invalid name", "array with a name",
         lambda btf, i: btf.add(b.ARRAY, "a", tail=struct.pack("<III", i, i, 1)))
with_int("EINVAL", "meta_left:0 meta_needed:12", "struct without its members",
         lambda btf, i: btf.add(b.STRUCT, "s", 4, 1))
with_int("EINVAL", "Invalid type_id", "member of void", lambda btf, i: btf.struct("s", 4, [("m", 0, 0)]))
with_int("EINVAL", "Invalid member", "member of nothing", lambda btf, i: btf.struct("s", 4, [("m", 66, 0)]))
with_int("EINVAL", "Member bits_offset exceeds its struct size", "member past the end",
         lambda btf, i: btf.struct("s", 4, [("m", i, 64)]))
with_int("EINVAL", "Member exceeds struct_size", "member across the end",
         lambda btf, i: btf.struct("s", 4, [("m", i, 16)]))
with_int("EINVAL", "Invalid member bits_offset", "members out of order",
         lambda btf, i: btf.struct("s", 8, [("m", i, 32), ("n", i, 0)]))
with_int("EINVAL", "Invalid member bits_offset", "union member that is not at 0",
         lambda btf, i: btf.struct("u", 8, [("m", i, 32)], b.UNION))
with_int("EINVAL", "Member is not byte aligned", "pointer at a bit",
         lambda btf, i: btf.struct("s", 16, [("m", btf.ptr(i), 3)]))
with_int("EINVAL", "Invalid member bitfield_size", "bit-field of a pointer",
         lambda btf, i: btf.struct("s", 16, [("m", btf.ptr(i), 3 << 24)], kflag=True))
with_int("EINVAL", "Invalid member bitfield_size", "bit-field wider than its type",
         lambda btf, i: btf.struct("s", 16, [("m", i, 33 << 24)], kflag=True))
with_int("EINVAL", "Invalid member offset", "plain member at a bit",
         lambda btf, i: btf.struct("s", 16, [("m", i, 3)], kflag=True))
with_int("EINVAL", "Invalid name", "bad member name", lambda btf, i: btf.struct("s", 4, [("m-n", i, 0)]))
with_int("EINVAL", "Invalid name", "bad struct name", lambda btf, i: btf.struct("s s", 4, [("m", i, 0)]))
with_int("EINVAL", "Invalid member", "member that is a function",
         lambda btf, i: btf.struct("s", 8, [("m", btf.proto(0, []), 0)]))
with_int("EINVAL", "Member is not properly aligned", "float that is not aligned",
         lambda btf, i: btf.struct("s", 16, [("m", btf.add(b.FLOAT, "float", 4), 8)]))
with_int("EINVAL", "Unexpected size", "enum of 3 bytes", lambda btf, i: btf.enum("e", 3, [("A", 1)]))
with_int("EINVAL", "Unexpected size", "enum of 16 bytes", lambda btf, i: btf.enum64("e", 16, [("A", 1)]))
with_int("EINVAL", "Invalid name", "enumerator without name", lambda btf, i: btf.enum("e", 4, [("", 1)]))
with_int("EINVAL", "type != 0", "forward declaration with a type", lambda btf, i: btf.add(b.FWD, "f", 1))
with_int("EINVAL", "Invalid name", "forward declaration without name", lambda btf, i: btf.add(b.FWD))
with_int("EINVAL", "Invalid type_size", "float of 3 bytes", lambda btf, i: btf.add(b.FLOAT, "f", 3))
with_int("EINVAL", "Invalid return type", "function that returns a forward declaration",
         lambda btf, i: btf.proto(btf.add(b.FWD, "f"), []))
with_int("EINVAL", "Invalid arg#1", "argument of nothing", lambda btf, i: btf.proto(i, [("a", 99)]))
with_int("EINVAL", "Invalid arg#1", "void argument in front", lambda btf, i: btf.proto(i, [("", 0), ("b", i)]))
with_int("EINVAL", "Invalid arg#2", "variadic argument with a name", lambda btf, i: btf.proto(i, [("a", i), ("b", 0)]))
with_int("EINVAL", "Invalid arg#1", "argument with a bad name", lambda btf, i: btf.proto(i, [("a b", i)]))
with_int("EINVAL", "Invalid type_id", "function of no prototype", lambda btf, i: btf.func("f", i))
with_int("EINVAL", "Invalid func linkage", "function of linkage 2", lambda btf, i: btf.func("f", btf.proto(0, []), 2))
with_int("EINVAL", "Invalid name", "function without name", lambda btf, i: btf.func("", btf.proto(0, [])))
with_int("EINVAL", "Invalid arg#1", "function with a nameless argument",
         lambda btf, i: btf.func("f", btf.proto(0, [("", i)])))
with_int("EINVAL", "Invalid type_id", "variable of void", lambda btf, i: btf.var("v", 0))
with_int("EINVAL", "Linkage not supported", "extern variable", lambda btf, i: btf.var("v", i, b.EXTERN))
with_int("EINVAL", "Invalid type_id", "pointer to a variable", lambda btf, i: btf.ptr(btf.var("v", i)))
with_int("EINVAL", "Not a VAR kind member", "section of a type", lambda btf, i: btf.datasec(".data", 4, [(i, 0, 4)]))
with_int("EINVAL", "size == 0", "section without size",
         lambda btf, i: btf.datasec(".data", 0, [(btf.var("v", i), 0, 4)]))
with_int("EINVAL", "Invalid size", "section entry too small",
         lambda btf, i: btf.datasec(".data", 4, [(btf.var("v", i), 0, 2)]))
with_int("EINVAL", "Invalid offset+size", "section entry past the end",
         lambda btf, i: btf.datasec(".data", 4, [(btf.var("v", i), 2, 4)]))
with_int("EINVAL", "Invalid offset", "section entries that overlap",
         lambda btf, i: btf.datasec(".data", 8, [(btf.var("v", i), 0, 4), (btf.var("w", i), 2, 4)]))
with_int("EINVAL", "Invalid value", "declaration tag without text", lambda btf, i: btf.decl_tag("", btf.var("v", i)))
with_int("EINVAL", "Invalid type_id", "declaration tag of an int", lambda btf, i: btf.decl_tag("t", i))
with_int("EINVAL", "Invalid component_idx", "declaration tag of a variable's member",
         lambda btf, i: btf.decl_tag("t", btf.var("v", i), 0))
with_int("EINVAL", "Invalid component_idx", "declaration tag past the members",
         lambda btf, i: btf.decl_tag("t", btf.struct("s", 4, [("m", i, 0)]), 1))
with_int("EINVAL", "Invalid component_idx", "declaration tag at -2",
         lambda btf, i: btf.decl_tag("t", btf.var("v", i), -2))


def blob_of(make: Maker) -> bytes:
    """The malformed blob."""
    btf = Btf()
    fields = make(btf)
    return btf.blob(**fields if isinstance(fields, dict) else {})
