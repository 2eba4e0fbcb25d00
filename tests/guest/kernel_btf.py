# SPDX-License-Identifier: MIT
"""Looks types up in the running kernel's BTF, for scripts inside a machine: standard library only."""

import struct

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = range(1, 14)
MODIFIERS = (TYPEDEF, VOLATILE, CONST, RESTRICT, 18)
_FIXED = {INT: 4, ARRAY: 12, 14: 4, 17: 4}
_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, 15: 12, 19: 12}


class KernelBtf:
    """Ids by kind and name, and offsets of members."""

    def __init__(self, path="/sys/kernel/btf/vmlinux", data=None):
        if data is None:
            with open(path, "rb") as file:
                data = file.read()
        hdr_len, type_off, type_len, str_off, _ = struct.unpack_from("<IIIII", data, 4)
        self.types = data[hdr_len + type_off :][:type_len]
        self.strings = data[hdr_len + str_off :]
        self.at, self.ids = [0], {}
        common, at, number = struct.Struct("<III"), 0, 1
        while at < type_len:
            name_off, info, _ = common.unpack_from(self.types, at)
            kind = info >> 24 & 31
            self.at.append(at)
            if name_off:
                self.ids.setdefault((kind, name_off), number)
            at += 12 + _FIXED.get(kind, 0) + (info & 0xFFFF) * _EACH.get(kind, 0)
            number += 1

    def find(self, kind, name):
        """The id of the first type of that kind and name; 0 when there is none."""
        found, at, text = [], -1, name.encode() + b"\0"
        while True:
            at = self.strings.find(text, at + 1)
            if at < 0:
                return min(found, default=0)
            if (kind, at) in self.ids:
                found.append(self.ids[kind, at])

    def get(self, number):
        """Kind, entries, size or type referred to, and the place behind."""
        _, info, value = struct.unpack_from("<III", self.types, self.at[number])
        return info >> 24 & 31, info & 0xFFFF, value, self.at[number] + 12

    def name(self, number):
        off = struct.unpack_from("<I", self.types, self.at[number])[0]
        return self.string(off)

    def string(self, off):
        return self.strings[off : self.strings.index(b"\0", off)].decode()

    def bare(self, number):
        """Without typedefs and modifiers."""
        while number and self.get(number)[0] in MODIFIERS:
            number = self.get(number)[2]
        return number

    def params(self, proto):
        _, count, _, at = self.get(proto)
        return [struct.unpack_from("<II", self.types, at + 8 * i)[1] for i in range(count)]

    def functions(self):
        """Name and prototype of each."""
        for (kind, off), number in self.ids.items():
            if kind == FUNC:
                yield self.string(off), self.get(number)[2]

    def _member(self, number, name):
        _, count, _, at = self.get(number)
        flag = struct.unpack_from("<I", self.types, at - 8)[0] >> 31
        for i in range(count):
            off, to, place = struct.unpack_from("<III", self.types, at + 12 * i)
            place = (place & 0xFFFFFF if flag else place) // 8
            if self.string(off) == name:
                return place, to
            to = self.bare(to)
            if not off and to and self.get(to)[0] in (STRUCT, UNION):
                inner = self._member(to, name)
                if inner:
                    return place + inner[0], inner[1]
        return None

    def offset(self, owner, *names):
        """Of a member of struct @owner, by way of the structs in it."""
        number, total = self.find(STRUCT, owner), 0
        for name in names:
            found = self._member(self.bare(number), name)
            if not found:
                raise KeyError((owner, name))
            total += found[0]
            number = found[1]
        return total
