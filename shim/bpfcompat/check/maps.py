# SPDX-License-Identifier: MIT
"""Definitions of maps in an object file: those of the section .maps (told by BTF), of the older section "maps" (records of
numbers), and those that libbpf makes of a program's global data."""

import struct
from typing import List, NamedTuple, Optional

from bpfcompat.btf import blob
from bpfcompat.check.types import Types

HASH, ARRAY, PROG_ARRAY, PERF_EVENT_ARRAY = 1, 2, 3, 4
ARRAY_OF_MAPS, HASH_OF_MAPS, RINGBUF, USER_RINGBUF = 12, 13, 27, 31
RDONLY_PROG, MMAPABLE = 1 << 7, 1 << 10
PAGE = 4096
BITS = 0xFFFFFFFF


class MapError(Exception):
    """A definition that makes no sense; the message is for the user."""


class MapDef(NamedTuple):
    """What BPF_MAP_CREATE is to be told."""

    name: str
    type: int
    key_size: int = 0
    value_size: int = 0
    max_entries: int = 0
    flags: int = 0
    key_type: int = 0
    value_type: int = 0
    inner: Optional["MapDef"] = None
    data: bytes = b""  # what its only value holds
    constant: bool = False


def _number(types: Types, type_id: int, what: str) -> int:
    """__uint(): a pointer to an array of so many."""
    pointer = types.get(type_id)
    if pointer is None or pointer.kind != blob.PTR or types.kind(pointer.value) != blob.ARRAY:
        raise MapError("{} is not given by __uint()".format(what))
    return types.array(pointer.value)[1] & BITS


def _pointee(types: Types, type_id: int, what: str) -> int:
    pointer = types.get(type_id)
    if pointer is None or pointer.kind != blob.PTR:
        raise MapError("{} is not given by __type()".format(what))
    return pointer.value


_NUMBERS = {
    "type": "type",
    "max_entries": "max_entries",
    "map_flags": "flags",
    "key_size": "key_size",
    "value_size": "value_size",
}


def of_struct(types: Types, name: str, type_id: int, cpus: int = 1) -> MapDef:
    """A map's definition out of the type of its variable."""
    found = MapDef(name, 0)
    if types.kind(type_id) != blob.STRUCT:
        raise MapError("map {} is not defined by a struct".format(name))
    for member in types.members(type_id):
        what = "map {}: {}".format(name, member.name)
        if member.name in _NUMBERS:
            number = _number(types, member.type, what)
            found = found._replace(**{_NUMBERS[member.name]: number})
        elif member.name in ("key", "value"):
            target = _pointee(types, member.type, what)
            fields = {member.name + "_type": target, member.name + "_size": types.size(target)}
            found = found._replace(**fields)
        elif member.name == "values":
            found = found._replace(inner=_inner(types, name, member.type), value_size=4)
    return adjusted(found, cpus)


def _inner(types: Types, name: str, type_id: int) -> Optional[MapDef]:
    """The template of a map of maps; None for an array of programs."""
    if types.kind(type_id) != blob.ARRAY:
        raise MapError("map {}: values is not an array".format(name))
    target = types.skip(_pointee(types, types.skip(types.array(type_id)[0]), "map {}: values".format(name)))
    return of_struct(types, name + ".inner", target) if types.kind(target) == blob.STRUCT else None


def adjusted(found: MapDef, cpus: int) -> MapDef:
    """As libbpf changes definitions before it makes the maps."""
    if found.type == PERF_EVENT_ARRAY and not found.max_entries:
        found = found._replace(max_entries=cpus)
    if found.type in (PERF_EVENT_ARRAY, PROG_ARRAY, ARRAY_OF_MAPS, HASH_OF_MAPS):
        found = found._replace(key_type=0, value_type=0, key_size=found.key_size or 4, value_size=found.value_size or 4)
    if found.type in (RINGBUF, USER_RINGBUF) and found.max_entries:
        size = PAGE
        while size < found.max_entries:
            size *= 2
        found = found._replace(max_entries=size)
    return found


def of_records(data: bytes, symbols: List[object], size_of_each: int) -> List[MapDef]:
    """The older section: at each of the symbols five numbers, and perhaps more that must be 0."""
    found = []
    for symbol in symbols:
        name, at = symbol.name, symbol.value
        if size_of_each < 20 or at + size_of_each > len(data):
            raise MapError("map {}: its record is too short".format(name))
        if any(data[at + 20 : at + size_of_each]):
            raise MapError("map {}: unknown fields are set behind the first five".format(name))
        found.append(adjusted(MapDef(name, *struct.unpack_from("<IIIII", data, at)), 1))
    return found


def of_data(section: str, data: bytes, datasec: int) -> MapDef:
    """The map that libbpf makes of a section of global data."""
    constant = section.startswith(".rodata") or section == ".kconfig"
    flags = MMAPABLE | (RDONLY_PROG if constant else 0)
    return MapDef(section, ARRAY, 4, len(data), 1, flags, 0, datasec, None, data, constant)
