# SPDX-License-Identifier: MIT
"""Builds BTF blobs (Linux Documentation/bpf/btf.rst) for tests: good ones, and malformed ones on purpose."""

from __future__ import annotations

import struct

(
    UNKN, INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC,
    FLOAT, DECL_TAG, TYPE_TAG, ENUM64,
) = range(20)
SIGNED, CHAR, BOOL = 1, 2, 4
STATIC, GLOBAL, EXTERN = 0, 1, 2


class Btf:
    """Types are added in order; each method returns the new type's id."""

    def __init__(self) -> None:
        self.types = b""
        self.count = 0
        self.strings = b"\0"

    def name(self, text: str) -> int:
        """Offset of a string; the empty one is 0."""
        if not text:
            return 0
        offset = len(self.strings)
        self.strings += text.encode() + b"\0"
        return offset

    def raw(self, name_off: int, info: int, size: int, tail: bytes = b"") -> int:
        """A type with every field as given."""
        self.types += struct.pack("<III", name_off, info, size) + tail
        self.count += 1
        return self.count

    def add(
        self, kind: int, name: str = "", size: int = 0, vlen: int = 0, kflag: bool = False, tail: bytes = b""
    ) -> int:
        return self.raw(self.name(name), kind << 24 | vlen | kflag << 31, size, tail)

    def int(self, name: str, size: int, encoding: int = SIGNED, bits: int | None = None, offset: int = 0) -> int:
        data = encoding << 24 | offset << 16 | (8 * size if bits is None else bits)
        return self.add(INT, name, size, tail=struct.pack("<I", data))

    def ptr(self, to: int) -> int:
        return self.add(PTR, size=to)

    def array(self, of: int, index: int, count: int) -> int:
        return self.add(ARRAY, tail=struct.pack("<III", of, index, count))

    def struct(
        self, name: str, size: int, members: list[tuple[str, int, int]], kind: int = STRUCT, kflag: bool = False
    ) -> int:
        """@members: name, type, offset in bits (with @kflag: the whole word)."""
        tail = b"".join(struct.pack("<III", self.name(member), to, off) for member, to, off in members)
        return self.add(kind, name, size, len(members), kflag, tail)

    def enum(self, name: str, size: int, values: list[tuple[str, int]]) -> int:
        tail = b"".join(struct.pack("<Ii", self.name(value), number) for value, number in values)
        return self.add(ENUM, name, size, len(values), tail=tail)

    def enum64(self, name: str, size: int, values: list[tuple[str, int]]) -> int:
        tail = b"".join(struct.pack("<IQ", self.name(value), number) for value, number in values)
        return self.add(ENUM64, name, size, len(values), tail=tail)

    def modifier(self, kind: int, to: int, name: str = "") -> int:
        return self.add(kind, name, to)

    def proto(self, returns: int, params: list[tuple[str, int]]) -> int:
        tail = b"".join(struct.pack("<II", self.name(param), to) for param, to in params)
        return self.add(FUNC_PROTO, size=returns, vlen=len(params), tail=tail)

    def func(self, name: str, proto: int, linkage: int = STATIC) -> int:
        return self.add(FUNC, name, proto, linkage)

    def var(self, name: str, to: int, linkage: int = GLOBAL) -> int:
        return self.add(VAR, name, to, tail=struct.pack("<I", linkage))

    def datasec(self, name: str, size: int, entries: list[tuple[int, int, int]]) -> int:
        """@entries: type, offset, size."""
        return self.add(DATASEC, name, size, len(entries), tail=b"".join(struct.pack("<III", *e) for e in entries))

    def decl_tag(self, value: str, to: int, component: int = -1) -> int:
        return self.add(DECL_TAG, value, to, tail=struct.pack("<i", component))

    def blob(self, **header: int) -> bytes:
        """The whole; @header overrides fields of it."""
        fields = {
            "magic": 0xEB9F, "version": 1, "flags": 0, "hdr_len": 24, "type_off": 0, "type_len": len(self.types),
            "str_off": len(self.types), "str_len": len(self.strings), **header,
        }
        return struct.pack("<HBBIIIII", *fields.values()) + self.types + self.strings


def lock_btf() -> tuple[bytes, int, int]:
    """Types of a map value that holds a spin lock at 0 and a number at 8: blob, key type, value type."""
    btf = Btf()
    u32 = btf.int("unsigned int", 4, 0)
    u64 = btf.int("unsigned long long", 8, 0)
    lock = btf.struct("bpf_spin_lock", 4, [("val", u32, 0)])
    value = btf.struct("val", 16, [("lock", lock, 0), ("number", u64, 64)])
    return btf.blob(), u32, value


def kptr_btf() -> tuple[bytes, int, int]:
    """Types of a map value that holds a pointer to a task at 0 and a number at 8: blob, key type, value type."""
    btf = Btf()
    u32 = btf.int("unsigned int", 4, 0)
    u64 = btf.int("unsigned long long", 8, 0)
    task = btf.struct("task_struct", 0, [])
    tagged = btf.ptr(btf.modifier(TYPE_TAG, task, "kptr"))
    value = btf.struct("val", 16, [("task", tagged, 0), ("number", u64, 64)])
    return btf.blob(), u32, value


def timer_btf() -> tuple[bytes, int, int]:
    """Types of a map value that holds a number at 0 and a timer at 8: blob, key type, value type."""
    btf = Btf()
    u32 = btf.int("unsigned int", 4, 0)
    u64 = btf.int("unsigned long long", 8, 0)
    timer = btf.struct("bpf_timer", 16, [("opaque", u64, 0)])
    value = btf.struct("val", 24, [("number", u64, 0), ("timer", timer, 64)])
    return btf.blob(), u32, value
