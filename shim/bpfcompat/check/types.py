# SPDX-License-Identifier: MIT
"""BTF as a graph to walk: what relocation needs to know of types, over the editor in bpfcompat.btf.blob."""

import struct
from typing import List, NamedTuple, Optional, Tuple

from bpfcompat.btf import blob
from bpfcompat.btf.blob import Blob, Type

MODIFIERS = (blob.TYPEDEF, blob.VOLATILE, blob.CONST, blob.RESTRICT, blob.TYPE_TAG)
COMPOSITE = (blob.STRUCT, blob.UNION)
ENUMS = (blob.ENUM, blob.ENUM64)
DEEPEST = 32


class Member(NamedTuple):
    """A field of a struct or union."""

    name: str
    type: int
    bit_offset: int
    bit_size: int  # of a bitfield, else 0


def essential(name: str) -> str:
    """A name without its flavour: what follows "___" tells apart versions of one type."""
    at = name.find("___", 1)
    return name if at < 0 else name[:at]


class Types:
    """A blob's types, by id and by name."""

    def __init__(self, data: Blob) -> None:
        self.blob = data
        self._by_name = None  # type: Optional[Dict[str, List[int]]]

    def get(self, type_id: int) -> Optional[Type]:
        """None for void."""
        if not type_id:
            return None
        if type_id > len(self.blob.list):
            raise blob.BtfError("BTF type id {} is out of range".format(type_id))
        return self.blob.list[type_id - 1]

    def kind(self, type_id: int) -> int:
        entry = self.get(type_id)
        return entry.kind if entry else 0

    def name(self, type_id: int) -> str:
        entry = self.get(type_id)
        return self.blob.string(entry.name_off) if entry else "void"

    def skip(self, type_id: int) -> int:
        """The type behind typedefs and qualifiers."""
        for _ in range(DEEPEST):
            entry = self.get(type_id)
            if entry is None or entry.kind not in MODIFIERS:
                return type_id
            type_id = entry.value
        raise blob.BtfError("BTF type {} has no end".format(type_id))

    def named(self, name: str) -> List[int]:
        """The ids of types that have this name, of whatever flavour."""
        if self._by_name is None:
            self._by_name = {}
            for entry in self.blob.list:
                if entry.name_off:
                    self._by_name.setdefault(essential(self.blob.string(entry.name_off)), []).append(entry.id)
        return self._by_name.get(essential(name), [])

    def find(self, kind: int, name: str) -> int:
        """The type of exactly this name and kind; 0: none."""
        for number in self.named(name):
            if self.kind(number) == kind and self.name(number) == name:
                return number
        return 0

    def members(self, type_id: int) -> List[Member]:
        entry = self.get(type_id)
        assert entry is not None
        found = []
        for name_off, member, offset in entry.members:
            place, size = entry.place(offset)
            found.append(Member(self.blob.string(name_off), member, place, size))
        return found

    def array(self, type_id: int) -> Tuple[int, int]:
        """Element type and count."""
        entry = self.get(type_id)
        assert entry is not None
        element, _, count = struct.unpack_from("<III", entry.data, blob.TYPE.size)
        return element, count

    def enumerators(self, type_id: int) -> List[Tuple[str, int]]:
        """Names and values of an enum."""
        entry = self.get(type_id)
        assert entry is not None
        found = []
        if entry.kind == blob.ENUM:
            for name_off, value in struct.iter_unpack("<Ii" if entry.flag else "<II", entry.data[blob.TYPE.size :]):
                found.append((self.blob.string(name_off), value))
        else:
            for name_off, low, high in struct.iter_unpack("<III", entry.data[blob.TYPE.size :]):
                value = high << 32 | low
                found.append((self.blob.string(name_off), value - (1 << 64) if entry.flag and value >> 63 else value))
        return found

    def is_signed(self, type_id: int) -> bool:
        """Of an integer or an enum."""
        entry = self.get(self.skip(type_id))
        if entry is None:
            return False
        if entry.kind in ENUMS:
            return entry.flag
        return entry.kind == blob.INT and bool(entry.data[blob.TYPE.size + 3] & 1)

    def int_bits(self, type_id: int) -> Tuple[int, int]:
        """Offset and number of an integer's bits."""
        entry = self.get(type_id)
        assert entry is not None
        bits = struct.unpack_from("<I", entry.data, blob.TYPE.size)[0]
        return bits >> 16 & 0xFF, bits & 0xFF

    def size(self, type_id: int) -> int:
        return self.blob.size_of(type_id)

    def datasec(self, name: str) -> List[Tuple[int, int, int]]:
        """Variable, offset and size of each entry of a section; none where there is no such section."""
        found = self.blob.find(blob.DATASEC, name)
        return list(struct.iter_unpack("<III", found.data[blob.TYPE.size :])) if found else []

    def linkage(self, var: int) -> int:
        """Of a variable: 0 static, 1 global, 2 extern."""
        entry = self.get(var)
        assert entry is not None
        return int(struct.unpack_from("<I", entry.data, blob.TYPE.size)[0])
