# SPDX-License-Identifier: MIT
"""A small BTF editor: reads a blob's types and strings, renames, appends, and writes it back (Documentation/bpf/btf.rst)."""

import struct
from typing import Iterator, List, Optional, Sequence, Tuple

MAGIC = 0xEB9F
HEADER = struct.Struct("<HBBIIIII")
TYPE = struct.Struct("<III")
MEMBER = struct.Struct("<III")
PARAM = struct.Struct("<II")

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


class Type:
    """One type of a blob: its id, the common part, and all its bytes."""

    __slots__ = ("data", "flag", "id", "kind", "name_off", "value", "vlen")

    def __init__(self, number: int, data: bytes) -> None:
        self.id, self.data = number, data
        self.name_off, info, self.value = TYPE.unpack_from(data)  # value: size, or the type referred to
        self.kind, self.vlen, self.flag = info >> 24 & 0x1F, info & 0xFFFF, bool(info >> 31)

    @property
    def members(self) -> List[Tuple[int, int, int]]:
        """Name offset, type and place of each member of a struct or union."""
        return list(MEMBER.iter_unpack(self.data[TYPE.size :]))

    @property
    def params(self) -> List[Tuple[int, int]]:
        """Name offset and type of each parameter of a prototype."""
        return list(PARAM.iter_unpack(self.data[TYPE.size :]))

    def place(self, offset: int) -> Tuple[int, int]:
        """A member's bit offset, and its size in bits where it is a bitfield, else 0."""
        return (offset & 0xFFFFFF, offset >> 24) if self.flag else (offset, 0)


class Blob:
    """A BTF blob, open to change."""

    def __init__(self, data: bytes) -> None:
        if len(data) < HEADER.size:
            raise BtfError("not a BTF file: too short")
        magic, version, flags, hdr_len, type_off, type_len, str_off, str_len = HEADER.unpack_from(data)
        if magic != MAGIC:
            raise BtfError("not a BTF file for this machine (magic {:#x})".format(magic))
        if version != 1 or flags or hdr_len < HEADER.size:
            raise BtfError("BTF of an unknown version")
        types, strings = hdr_len + type_off, hdr_len + str_off
        if types + type_len > len(data) or strings + str_len > len(data) or type_len % 4:
            raise BtfError("BTF header points outside the file")
        self.strings = bytearray(data[strings : strings + str_len])
        if not self.strings or self.strings[0] or self.strings[-1]:
            raise BtfError("malformed BTF strings")
        self.list = list(self._walk(bytes(data[types : types + type_len])))
        self._added = {}  # type: Dict[str, int]

    def _walk(self, data: bytes) -> Iterator[Type]:
        at, number, end = 0, 1, len(data)
        while at < end:
            if at + TYPE.size > end:
                raise BtfError("BTF types end in the midst of one")
            name_off, info, _ = TYPE.unpack_from(data, at)
            kind, vlen = info >> 24 & 0x1F, info & 0xFFFF
            if not 0 < kind < len(KINDS):
                raise BtfError("BTF type {} is of unknown kind {}".format(number, kind))
            if name_off >= len(self.strings):
                raise BtfError("BTF type {} has no valid name".format(number))
            size = TYPE.size + _FIXED.get(kind, 0) + vlen * _EACH.get(kind, 0)
            if at + size > end:
                raise BtfError("BTF types end in the midst of one")
            yield Type(number, data[at : at + size])
            at += size
            number += 1

    def string(self, offset: int) -> str:
        """The string at that offset."""
        if offset >= len(self.strings):
            raise BtfError("BTF string offset {} is out of range".format(offset))
        return self.strings[offset : self.strings.index(0, offset)].decode("utf-8", "replace")

    def find_all(self, kind: int, name: str) -> List[Type]:
        """Every type of that kind and name."""
        offsets, found = set(), []
        at = self.strings.find(name.encode() + b"\0")
        while at >= 0:  # strings may share their ends
            offsets.add(at)
            at = self.strings.find(name.encode() + b"\0", at + 1)
        for entry in self.list:
            if entry.kind == kind and entry.name_off in offsets:
                found.append(entry)
        return found

    def find(self, kind: int, name: str) -> Optional[Type]:
        """The first type of that kind and name."""
        found = self.find_all(kind, name)
        return found[0] if found else None

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
                type_id, _, count = struct.unpack_from("<III", entry.data, TYPE.size)
                factor *= count
            elif entry.kind in _REFERS:
                type_id = entry.value
            else:
                break
        return 0

    def add_string(self, text: str) -> int:
        if text not in self._added:
            self._added[text] = len(self.strings)
            self.strings += text.encode() + b"\0"
        return self._added[text]

    def add_copy(self, entry: Type, name: str) -> int:
        """Appends a type that is another in all but its name; returns its id."""
        return self._append(struct.pack("<I", self.add_string(name) if name else 0) + entry.data[4:])

    def add_struct(self, kind: int, name: str, size: int, members: Sequence[Tuple[int, int, int]] = ()) -> int:
        """Appends a struct or union; returns its id."""
        name_off = self.add_string(name) if name else 0
        data = TYPE.pack(name_off, kind << 24 | len(members), size)
        return self._append(data + b"".join(MEMBER.pack(*member) for member in members))

    def add_reference(self, kind: int, name: str, target: int) -> int:
        """Appends a pointer, typedef or the like; returns its id."""
        return self._append(TYPE.pack(self.add_string(name) if name else 0, kind << 24, target))

    def add_forward(self, name: str, union: bool = False) -> int:
        """Appends the name of a struct or union that is not described; returns its id."""
        return self._append(TYPE.pack(self.add_string(name), FWD << 24 | union << 31, 0))

    def add_array(self, element: int, index: int, count: int) -> int:
        """Appends an array; returns its id."""
        return self._append(TYPE.pack(0, ARRAY << 24, 0) + struct.pack("<III", element, index, count))

    def add_proto(self, result: int, params: Sequence[Tuple[int, int]]) -> int:
        """Appends a prototype; returns its id."""
        data = TYPE.pack(0, FUNC_PROTO << 24 | len(params), result)
        return self._append(data + b"".join(PARAM.pack(*param) for param in params))

    def _append(self, data: bytes) -> int:
        self.list.append(Type(len(self.list) + 1, data))
        return len(self.list)

    def change(self, entry: Type, members: Sequence[Tuple[int, int, int]], size: Optional[int] = None) -> None:
        """Gives a struct or union other members, in the order of their places, and perhaps another size."""
        info = int(entry.flag) << 31 | entry.kind << 24 | len(members)
        ordered = sorted(members, key=lambda member: entry.place(member[2])[0])
        data = TYPE.pack(entry.name_off, info, entry.value if size is None else size)
        self.list[entry.id - 1] = Type(entry.id, data + b"".join(MEMBER.pack(*member) for member in ordered))

    def pack(self) -> bytes:
        types = b"".join(entry.data for entry in self.list)
        header = HEADER.pack(MAGIC, 1, 0, HEADER.size, 0, len(types), len(types), len(self.strings))
        return header + types + bytes(self.strings)
