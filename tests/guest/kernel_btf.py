# SPDX-License-Identifier: MIT
"""Looks types up in the running kernel's BTF, for scripts inside a machine: standard library only."""

import array
import bisect
import functools
import os
import struct
import zlib

PATH = "/sys/kernel/btf/vmlinux"

INT, PTR, ARRAY, STRUCT, UNION, ENUM, FWD, TYPEDEF, VOLATILE, CONST, RESTRICT, FUNC, FUNC_PROTO = range(1, 14)
MODIFIERS = (TYPEDEF, VOLATILE, CONST, RESTRICT, 18)
_FIXED = {INT: 4, ARRAY: 12, 14: 4, 17: 4}
_EACH = {STRUCT: 12, UNION: 12, ENUM: 8, FUNC_PROTO: 8, 15: 12, 19: 12}


class KernelBtf:
    """Ids by kind and name, and offsets of members."""

    def __init__(self, path=PATH, data=None, keep=None):
        """With @keep, where the types are is kept in files of that folder: to find out takes seconds under emulation."""
        if data is None:
            with open(path, "rb") as file:
                data = file.read()
        hdr_len, type_off, type_len, str_off, _ = struct.unpack_from("<IIIII", data, 4)
        self.types = data[hdr_len + type_off :][:type_len]
        self.strings = data[hdr_len + str_off :]
        name = keep and os.path.join(keep, "kernel_btf.%x.%x" % (len(data), zlib.crc32(data)))
        if not (keep and self._kept(name)):
            self._walk()
            if keep:
                self._keep(name)

    def _walk(self):
        """Where each type is, and of each name offset and kind (in one number, sorted) the first type."""
        self.at, first = array.array("I", [0]), {}
        common, at, number, end = struct.Struct("<II"), 0, 1, len(self.types)
        while at < end:
            name_off, info = common.unpack_from(self.types, at)
            kind = info >> 24 & 31
            self.at.append(at)
            if name_off:
                first.setdefault(name_off << 5 | kind, number)
            at += 12 + _FIXED.get(kind, 0) + (info & 0xFFFF) * _EACH.get(kind, 0)
            number += 1
        self.first = array.array("Q", sorted(key << 32 | number for key, number in first.items()))

    def _kept(self, name):
        try:
            with open(name, "rb") as file:
                data = file.read()
        except FileNotFoundError:
            return False
        count = struct.unpack_from("<Q", data)[0]
        self.at, self.first = array.array("I", data[8 : 8 + 4 * count]), array.array("Q", data[8 + 4 * count :])
        return True

    def _keep(self, name):
        own = "%s.%d" % (name, os.getpid())
        with open(own, "wb") as file:
            file.write(struct.pack("<Q", len(self.at)) + self.at.tobytes() + self.first.tobytes())
        os.rename(own, name)

    def find(self, kind, name):
        """The id of the first type of that kind and name; 0 when there is none."""
        found, at, text = [], -1, name.encode() + b"\0"
        while True:
            at = self.strings.find(text, at + 1)
            if at < 0:
                return min(found, default=0)
            key = at << 5 | kind
            place = bisect.bisect_left(self.first, key << 32)
            if place < len(self.first) and self.first[place] >> 32 == key:
                found.append(self.first[place] & 0xFFFFFFFF)

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
        for entry in self.first:
            if entry >> 32 & 31 == FUNC:
                yield self.string(entry >> 37), self.get(entry & 0xFFFFFFFF)[2]

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


@functools.cache
def of_this_kernel():
    """The running kernel's, for all who ask in this process and, as the machine's /tmp is its own, in this machine."""
    return KernelBtf(keep="/tmp")
