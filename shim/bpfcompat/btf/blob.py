# SPDX-License-Identifier: MIT
"""A small BTF editor: reads a blob's types and strings, renames, appends, and writes it back (Documentation/bpf/btf.rst)."""

import struct
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

MAGIC = 0xEB9F
HEADER = struct.Struct("<HBBIIIII")
TYPE = struct.Struct("<III")
MEMBER = struct.Struct("<III")

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF = range(1, 9)
VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO, VAR, DATASEC, FLOAT, DECL_TAG, TYPE_TAG, ENUM64 = range(9, 20)
KINDS = (
    "void int ptr array struct union enum fwd typedef volatile const restrict func func_proto var datasec float "
    "decl_tag type_tag enum64"
).split()

# Bytes after the common part of a type: fixed, and for each of its vlen entries.
_FIXED = {INT: 4, ARRAY: 12, VAR: 4, DECL_TAG: 4}
_SIZED = (INT, STRUCT, UNION, ENUM, DATASEC, FLOAT, ENUM64)
_REFERS = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, DATASEC: 12, ENUM64: 12}


class BtfError(Exception):
    """Not BTF, or not what it should be; the message is for the user."""


class Type(NamedTuple):
    """One type: its id, where it stands among the types, and the common part."""

    id: int
    at: int
    size: int
    name_off: int
    kind: int
    vlen: int
    flag: bool
    value: int  # size, or the type referred to


class Blob:
    """A BTF blob, open to change."""

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER.size:
            raise BtfError("not a BTF file: too short")
        magic, version, flags, self.hdr_len, type_off, type_len, str_off, str_len = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise BtfError("not a BTF file for this machine (magic {:#x})".format(magic))
        if version != 1 or flags or self.hdr_len < HEADER.size:
            raise BtfError("BTF of an unknown version")
        types, strings = self.hdr_len + type_off, self.hdr_len + str_off
        if types + type_len > len(data) or strings + str_len > len(data) or type_len % 4:
            raise BtfError("BTF header points outside the file")
        self.types = bytearray(data[types : types + type_len])
        self.strings = bytearray(data[strings : strings + str_len])
        if not self.strings or self.strings[0] or self.strings[-1]:
            raise BtfError("malformed BTF strings")
        self.list = list(self._walk())
        self._added = {}  # type: Dict[str, int]

    def _walk(self) -> Iterator[Type]:
        at, number, end = 0, 1, len(self.types)
        while at < end:
            if at + TYPE.size > end:
                raise BtfError("BTF types end in the midst of one")
            name_off, info, value = TYPE.unpack_from(self.types, at)
            kind, vlen = info >> 24 & 0x1F, info & 0xFFFF
            if not 0 < kind < len(KINDS):
                raise BtfError("BTF type {} is of unknown kind {}".format(number, kind))
            if name_off >= len(self.strings):
                raise BtfError("BTF type {} has no valid name".format(number))
            size = TYPE.size + _FIXED.get(kind, 0) + vlen * _EACH.get(kind, 0)
            if at + size > end:
                raise BtfError("BTF types end in the midst of one")
            yield Type(number, at, size, name_off, kind, vlen, bool(info >> 31), value)
            at += size
            number += 1

    def string(self, offset: int) -> str:
        """The string at that offset."""
        if offset >= len(self.strings):
            raise BtfError("BTF string offset {} is out of range".format(offset))
        return self.strings[offset : self.strings.index(0, offset)].decode("utf-8", "replace")

    def members(self, entry: Type) -> List[Tuple[int, int, int]]:
        """Name offset, type and bit offset of each member of a struct or union."""
        start = entry.at + TYPE.size
        return list(MEMBER.iter_unpack(bytes(self.types[start : start + entry.vlen * MEMBER.size])))

    def find(self, kind: int, name: str) -> Optional[Type]:
        """The first type of that kind and name."""
        offsets = self._offsets_of(name.encode())
        for entry in self.list:
            if entry.kind == kind and entry.name_off in offsets:
                return entry
        return None

    def _offsets_of(self, name: bytes) -> List[int]:
        """Everywhere that this string can be read: strings may share their ends."""
        found, at = [], self.strings.find(name + b"\0")
        while at >= 0:
            found.append(at)
            at = self.strings.find(name + b"\0", at + 1)
        return found

    def size_of(self, type_id: int) -> int:
        """Bytes of a type; 0 where it has no size."""
        factor = 1
        for _ in range(64):
            if not 0 < type_id <= len(self.list):
                break
            entry = self.list[type_id - 1]
            if entry.kind in _SIZED:
                return factor * entry.value
            if entry.kind == PTR:
                return factor * 8
            if entry.kind == ARRAY:
                type_id, _, count = struct.unpack_from("<III", self.types, entry.at + TYPE.size)
                factor *= count
            elif entry.kind in _REFERS:
                type_id = entry.value
            else:
                break
        return 0

    def set_size(self, entry: Type, size: int) -> None:
        struct.pack_into("<I", self.types, entry.at + 8, size)
        self.list[entry.id - 1] = entry._replace(value=size)

    def add_string(self, text: str) -> int:
        if text not in self._added:
            self._added[text] = len(self.strings)
            self.strings += text.encode() + b"\0"
        return self._added[text]

    def rename_member(self, entry: Type, index: int, name: str) -> None:
        struct.pack_into("<I", self.types, entry.at + TYPE.size + index * MEMBER.size, self.add_string(name))

    def _append(self, data: bytes, entry: Type) -> int:
        self.list.append(entry)
        self.types += data
        return entry.id

    def add_copy(self, entry: Type, name: str) -> int:
        """Appends a type that is another in all but its name; returns its id."""
        data = bytearray(self.types[entry.at : entry.at + entry.size])
        name_off = self.add_string(name)
        struct.pack_into("<I", data, 0, name_off)
        new = entry._replace(id=len(self.list) + 1, at=len(self.types), name_off=name_off)
        return self._append(bytes(data), new)

    def add_struct(self, name: str, size: int) -> int:
        """Appends a struct that has no members; returns its id."""
        name_off = self.add_string(name)
        new = Type(len(self.list) + 1, len(self.types), TYPE.size, name_off, STRUCT, 0, False, size)
        return self._append(TYPE.pack(name_off, STRUCT << 24, size), new)

    def pack(self) -> bytes:
        header = HEADER.pack(
            MAGIC, 1, 0, HEADER.size, 0, len(self.types), len(self.types), len(self.strings)
        )
        return header + bytes(self.types) + bytes(self.strings)
