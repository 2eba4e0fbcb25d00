# SPDX-License-Identifier: MIT
"""
Where two files of a kernel have different structs of one name, pahole keeps all that leads to them twice: 3.10 has two
ring_buffer, of perf and of tracing, and so two task_struct, though those are the same. Programs that ask for the type of such a
name get no answer (libbpf: "relocation decision ambiguity"), and what functions take is not of the type that helpers know. So
those are made one again.

Which of the different structs a pointer leads to is not told reliably: each file sees one alone, and has a perf_event lead there.
A program that followed the wrong one would have a number for a pointer. So pointers to a name that several structs have lead to
the name alone, and nobody follows them.
"""

import struct
from typing import Dict, List, Optional, Tuple

from bpfcompat.btf.blob import (
    ARRAY,
    CONST,
    DECL_TAG,
    ENUM,
    ENUM64,
    FUNC,
    FUNC_PROTO,
    FWD,
    MEMBER,
    PARAM,
    PTR,
    RESTRICT,
    STRUCT,
    TYPE,
    TYPE_TAG,
    TYPEDEF,
    UNION,
    VAR,
    VOLATILE,
    Blob,
    Type,
)

_LINK = (PTR, TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG, FUNC, FUNC_PROTO, VAR, DECL_TAG)
_SAME_OBJECT = (TYPEDEF, VOLATILE, CONST, RESTRICT, TYPE_TAG)
_ARRAY = struct.Struct("<III")
_NAMED = {STRUCT: MEMBER, UNION: MEMBER, FUNC_PROTO: PARAM, ENUM: PARAM, ENUM64: MEMBER}
# What refers to types behind the common part: the form of an entry there, and which of its words do.
_LISTS = {STRUCT: (MEMBER, (1,)), UNION: (MEMBER, (1,)), FUNC_PROTO: (PARAM, (1,)), ARRAY: (_ARRAY, (0, 1))}


def _is_named(entry: Type) -> bool:
    return entry.kind in (STRUCT, UNION) and bool(entry.name_off)


def _references(entry: Type) -> List[int]:
    found = [entry.value] if entry.kind in _LINK else []
    if entry.kind in _LISTS:
        form, words = _LISTS[entry.kind]
        found += [row[word] for row in form.iter_unpack(entry.data[TYPE.size :]) for word in words]
    return found


def _refer(entry: Type, to: Dict[int, int]) -> bytes:
    """The type's bytes, with other types in the places of those that it refers to."""
    name_off, info, value = TYPE.unpack_from(entry.data)
    if entry.kind in _LINK:
        value = to.get(value, value)
    tail = entry.data[TYPE.size :]
    if entry.kind in _LISTS:
        form, words = _LISTS[entry.kind]
        rows = [[to.get(part, part) if nr in words else part for nr, part in enumerate(row)] for row in form.iter_unpack(tail)]
        tail = b"".join(form.pack(*row) for row in rows)
    return TYPE.pack(name_off, info, value) + tail


class _Shapes:
    """What a struct is, down to the names of the structs that it points to: a number for each shape."""

    def __init__(self, blob: Blob) -> None:
        self.blob = blob
        self.numbers = {}  # type: Dict[Tuple, int]
        self.known = {}  # type: Dict[Tuple[int, bool], Optional[int]]

    def of(self, type_id: int, pointed: bool = False) -> Optional[int]:
        """@pointed: seen through a pointer, where a name is enough. None: it leads back to itself under no name."""
        if not 0 < type_id <= len(self.blob.list):
            return 0
        key = (type_id, pointed)
        if key not in self.known:
            self.known[key] = None  # as long as it is being looked at
            shape = self._of(self.blob.list[type_id - 1], pointed)
            self.known[key] = None if shape is None else self.numbers.setdefault(shape, len(self.numbers) + 1)
        return self.known[key]

    def _of(self, entry: Type, pointed: bool) -> Optional[Tuple]:
        name = self.blob.string(entry.name_off)
        if pointed and name and entry.kind in (STRUCT, UNION, FWD, TYPEDEF):
            return (entry.kind, name)
        inner = tuple(self.of(type_id, pointed or entry.kind in (PTR, FUNC_PROTO)) for type_id in _references(entry))
        if None in inner:
            return None
        bare = _refer(entry, dict.fromkeys(_references(entry), 0))
        common, tail = bare[4 : TYPE.size], bare[TYPE.size :]
        if entry.kind in _NAMED:
            rows = tuple(_NAMED[entry.kind].iter_unpack(tail))
            return (name, inner, common, tuple((self.blob.string(row[0]), *row[1:]) for row in rows))
        return (name, inner, common, tail)


def _by_name(blob: Blob) -> Dict[Tuple[int, str], List[Type]]:
    found = {}  # type: Dict[Tuple[int, str], List[Type]]
    for entry in blob.list:
        if _is_named(entry):
            found.setdefault((entry.kind, blob.string(entry.name_off)), []).append(entry)
    return found


def merge_twins(blob: Blob) -> int:
    """Has one of each struct and union that only leads to different ones; how many others there were."""
    shapes, same = _Shapes(blob), {}  # type: _Shapes, Dict[int, int]
    for entries in _by_name(blob).values():
        first = {}  # type: Dict[int, int]
        for entry in entries if len(entries) > 1 else ():
            shape = shapes.of(entry.id)
            if shape is not None:
                one = first.setdefault(shape, entry.id)
                if one != entry.id:
                    same[entry.id] = one
    for index, entry in enumerate(blob.list if same else ()):
        if entry.id in same:
            # ids are places in the list: what nobody refers to any more becomes what bears no name
            blob.list[index] = Type(entry.id, TYPE.pack(0, PTR << 24, same[entry.id]))
        else:
            blob.list[index] = Type(entry.id, _refer(entry, same))
    return len(same)


def hide_ambiguous(blob: Blob) -> int:
    """Has pointers to structs and unions of a name that several have lead to the name; how many such pointers there were."""
    names = {}  # type: Dict[int, Tuple[int, str]]
    for key, entries in _by_name(blob).items():
        if len(entries) > 1:
            names.update((entry.id, key) for entry in entries)
    forwards = {}  # type: Dict[Tuple[int, str], int]
    hidden = 0
    for index, entry in enumerate(list(blob.list)):
        target = entry.value if entry.kind == PTR and entry.value else 0
        while target and blob.list[target - 1].kind in _SAME_OBJECT:
            target = blob.list[target - 1].value
        if target not in names:
            continue
        kind, name = names[target]
        if (kind, name) not in forwards:
            forwards[kind, name] = blob.add_forward(name, kind == UNION)
        blob.list[index] = Type(entry.id, TYPE.pack(0, PTR << 24, forwards[kind, name]))
        hidden += 1
    return hidden
