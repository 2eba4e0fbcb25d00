# SPDX-License-Identifier: MIT
"""CO-RE relocations against a kernel's types, as LLVM documents them (kernel: Documentation/bpf/llvm_reloc.rst) and libbpf
resolves them: a field or type of the program's is looked for in the kernel's BTF by name and shape, and the instruction gets
what it is there."""

import struct
from typing import List, NamedTuple, Optional, Tuple

from bpfcompat.btf import blob
from bpfcompat.check.types import COMPOSITE, ENUMS, Types, essential

(BYTE_OFF, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT, ID_LOCAL, ID_TARGET, TYPE_EXISTS, TYPE_SIZE, ENUM_EXISTS, ENUM_VALUE,
 TYPE_MATCHES) = range(13)  # fmt: skip
KINDS = (
    "byte_off byte_sz field_exists signed lshift_u64 rshift_u64 local_type_id target_type_id type_exists type_size "
    "enumval_exists enumval_value type_matches"
).split()
_OF_FIELD = (BYTE_OFF, BYTE_SIZE, EXISTS, SIGNED, LSHIFT, RSHIFT)
_OF_ENUM = (ENUM_EXISTS, ENUM_VALUE)
_IS_EXISTENCE = (EXISTS, TYPE_EXISTS, ENUM_EXISTS, TYPE_MATCHES)
_ZERO_WITHOUT = (ID_TARGET, TYPE_SIZE)  # of a type that is not there, as libbpf has it
DEEPEST = 32
POISON = 195896080  # the helper number that libbpf puts where a relocation has no answer; never reached in a sound program


class CoreError(Exception):
    """A relocation that makes no sense; the message is for the user."""


class Relocation(NamedTuple):
    """One record of .BTF.ext."""

    insn_off: int
    type: int
    access: str
    kind: int


class Field(NamedTuple):
    """Where an access leads to."""

    root: int
    type: int
    bit_offset: int
    bit_size: int
    value: int = 0  # of an enumerator


class Access(NamedTuple):
    """The same in the program's own types, with the way there: names of members, or numbers of elements."""

    field: Field
    first: int
    path: Tuple[object, ...]


def _numbers(access: str) -> List[int]:
    try:
        return [int(part) for part in access.split(":")]
    except ValueError:
        raise CoreError("malformed access string {!r}".format(access))


def local_access(types: Types, relocation: Relocation) -> Access:
    """The access in the types of the program itself."""
    numbers = _numbers(relocation.access)
    root, kind = relocation.type, relocation.kind
    if kind in _OF_ENUM:
        name, value = types.enumerators(types.skip(root))[numbers[0]]
        return Access(Field(root, root, 0, 0, value), 0, (name,))
    if kind not in _OF_FIELD:
        return Access(Field(root, root, 0, 0), 0, ())
    at, size, path = types.skip(root), 0, []  # type: Tuple[int, int, List[object]]
    offset = numbers[0] * types.size(root) * 8
    field = root
    for number in numbers[1:]:
        at = types.skip(at)
        if types.kind(at) in COMPOSITE:
            member = types.members(at)[number]
            offset, size, field = offset + member.bit_offset, member.bit_size, member.type
            if member.name:
                path.append(member.name)
        elif types.kind(at) == blob.ARRAY:
            field, size = types.array(at)[0], 0
            offset += number * types.size(field) * 8
            path.append(number)
        else:
            raise CoreError("access {} goes into a type without parts".format(relocation.access))
        at = field
    return Access(Field(root, field, offset, size), numbers[0], tuple(path))


class Resolver:
    """The kernel's side of relocations of one object."""

    def __init__(self, local: Types, kernel: Types) -> None:
        self.local, self.kernel = local, kernel

    # -- may a type of the program's stand for one of the kernel's? --

    def _alike(self, mine: int, theirs: int, depth: int = 0) -> bool:
        """As types (libbpf: bpf_core_types_are_compat)."""
        mine, theirs = self.local.skip(mine), self.kernel.skip(theirs)
        kind, other = self.local.kind(mine), self.kernel.kind(theirs)
        if depth > DEEPEST:
            return False
        if kind != other:
            return kind in ENUMS and other in ENUMS
        if kind == blob.PTR:
            return self._alike(self.local.get(mine).value, self.kernel.get(theirs).value, depth + 1)
        if kind == blob.ARRAY:
            return self._alike(self.local.array(mine)[0], self.kernel.array(theirs)[0], depth + 1)
        if kind == blob.INT:
            return not self.local.int_bits(mine)[0] and not self.kernel.int_bits(theirs)[0]
        if kind == blob.FUNC_PROTO:
            ours, other_one = self.local.get(mine), self.kernel.get(theirs)
            assert ours is not None and other_one is not None
            pairs = [(ours.value, other_one.value)] + [(a[1], b[1]) for a, b in zip(ours.params, other_one.params)]
            return ours.vlen == other_one.vlen and all(self._alike(a, b, depth + 1) for a, b in pairs)
        return kind in COMPOSITE or kind in (0, blob.ENUM, blob.ENUM64, blob.FWD)

    def _fits(self, mine: int, theirs: int, depth: int = 0) -> bool:
        """As types of a field (libbpf: bpf_core_fields_are_compat)."""
        mine, theirs = self.local.skip(mine), self.kernel.skip(theirs)
        kind, other = self.local.kind(mine), self.kernel.kind(theirs)
        if kind in COMPOSITE and other in COMPOSITE:
            return True
        if kind in ENUMS and other in ENUMS:
            names = self.local.name(mine) or "", self.kernel.name(theirs) or ""
            return not all(names) or essential(names[0]) == essential(names[1])
        if kind != other or depth > DEEPEST:
            return False
        if kind == blob.FWD:
            names = self.local.name(mine), self.kernel.name(theirs)
            return not all(names) or essential(names[0]) == essential(names[1])
        if kind == blob.INT:
            return not self.local.int_bits(mine)[0] and not self.kernel.int_bits(theirs)[0]
        if kind == blob.ARRAY:
            return self._fits(self.local.array(mine)[0], self.kernel.array(theirs)[0], depth + 1)
        return kind in (blob.PTR, blob.FLOAT)

    # -- the way through the kernel's types --

    def _member(self, type_id: int, name: str, mine: int, depth: int = 0) -> Optional[Tuple[int, int, int]]:
        """Bit offset, bit size and type of a member, in whatever unnamed struct or union it lies."""
        if depth > DEEPEST:
            return None
        for member in self.kernel.members(type_id):
            inner = self.kernel.skip(member.type)
            if not member.name and self.kernel.kind(inner) in COMPOSITE:
                found = self._member(inner, name, mine, depth + 1)
                if found:
                    return member.bit_offset + found[0], found[1], found[2]
            elif member.name == name and self._fits(mine, member.type):
                return member.bit_offset, member.bit_size, member.type
        return None

    def _mine(self, access: Access) -> List[int]:
        """The program's types along the way, one for each part of the path."""
        at, found = self.local.skip(access.field.root), []
        for part in access.path:
            at = self.local.skip(at)
            at = self.local.array(at)[0] if isinstance(part, int) else self._local_member(at, str(part))
            found.append(at)
        return found

    def _local_member(self, type_id: int, name: str) -> int:
        for member in self.local.members(type_id):
            inner = self.local.skip(member.type)
            if member.name == name:
                return member.type
            if not member.name and self.local.kind(inner) in COMPOSITE:
                found = self._local_member(inner, name)
                if found:
                    return found
        return 0

    def _follow(self, access: Access, root: int, kind: int) -> Optional[Field]:
        """The same access from a type of the kernel's; None: it is not there."""
        if kind in _OF_ENUM:
            wanted = essential(str(access.path[0]))
            for name, value in self.kernel.enumerators(self.kernel.skip(root)):
                if essential(name) == wanted:
                    return Field(root, root, 0, 0, value)
            return None
        if kind not in _OF_FIELD:
            return Field(root, root, 0, 0) if self._alike(access.field.root, root) else None
        at, offset, size, field = root, access.first * self.kernel.size(root) * 8, 0, root
        for part, mine in zip(access.path, self._mine(access)):
            at = self.kernel.skip(at)
            if isinstance(part, int):
                if self.kernel.kind(at) != blob.ARRAY:
                    return None
                field, count = self.kernel.array(at)
                if count and part >= count:
                    return None
                offset, size = offset + part * self.kernel.size(field) * 8, 0
            else:
                found = self._member(at, str(part), mine) if self.kernel.kind(at) in COMPOSITE else None
                if found is None:
                    return None
                offset, size, field = offset + found[0], found[1], found[2]
            at = field
        return Field(root, field, offset, size)

    def candidates(self, type_id: int) -> List[int]:
        name, kind = self.local.name(type_id), self.local.kind(type_id)
        kinds = ENUMS if kind in ENUMS else (kind,)
        return [number for number in self.kernel.named(name) if self.kernel.kind(number) in kinds] if name else []

    def describe(self, relocation: Relocation) -> str:
        """A relocation in words, for messages."""
        kind = KINDS[relocation.kind] if relocation.kind < len(KINDS) else str(relocation.kind)
        text = "<{}> {}".format(kind, self.local.name(relocation.type) or "(unnamed)")
        try:
            path = local_access(self.local, relocation).path
        except (CoreError, IndexError):
            path = ()
        return text + "".join("[{}]".format(part) if isinstance(part, int) else ".{}".format(part) for part in path)

    def resolve(self, relocation: Relocation) -> "Answer":
        """What the instruction is to hold."""
        kind = relocation.kind
        if kind == ID_LOCAL:
            return Answer(relocation.type, relocation.type)
        access = local_access(self.local, relocation)
        before = _value(self.local, access.field, kind)
        fields = {}  # type: Dict[Tuple[int, int, int], Field]
        for root in self.candidates(relocation.type):
            field = self._follow(access, root, kind)
            if field is not None:
                place = (field.bit_offset, field.bit_size, field.value)
                fields.setdefault(place if kind != ID_TARGET else (root, 0, 0), field)
        if kind in _IS_EXISTENCE:
            return Answer(1, int(bool(fields)))
        if not fields:
            return Answer(before, 0 if kind in _ZERO_WITHOUT else None)
        answers = {_value(self.kernel, field, kind) for field in fields.values()}
        if len(answers) > 1:
            raise CoreError("{}: the kernel has several such types, and they differ".format(self.describe(relocation)))
        field = next(iter(fields.values()))
        return Answer(before, answers.pop(), access.field, field if kind == BYTE_OFF else None)


class Answer(NamedTuple):
    """What an instruction held, and what it is to hold (None: there is no such thing in the kernel)."""

    before: int
    value: Optional[int]
    mine: Optional[Field] = None
    theirs: Optional[Field] = None  # of loads and stores: their width may change too


def _container(types: Types, field: Field) -> Tuple[int, int]:
    """Offset and size in bytes of the load that reads a field, bitfields included."""
    size = types.size(field.type)
    if not field.bit_size:
        return field.bit_offset // 8, size
    start = field.bit_offset // 8 // size * size
    while field.bit_offset + field.bit_size - start * 8 > size * 8:
        size *= 2
        start = field.bit_offset // 8 // size * size
    if size > 8:
        raise CoreError("a bitfield does not fit in 8 bytes")
    return start, size


def _value(types: Types, field: Field, kind: int) -> int:
    if kind in (TYPE_EXISTS, EXISTS, ENUM_EXISTS, TYPE_MATCHES):
        return 1
    if kind == ENUM_VALUE:
        return field.value
    if kind == TYPE_SIZE:
        return types.size(field.type)
    if kind in (ID_TARGET, ID_LOCAL):
        return field.root
    if kind == SIGNED:
        return int(types.is_signed(field.type))
    start, size = _container(types, field)
    if kind == BYTE_OFF:
        return start
    if kind == BYTE_SIZE:
        return size
    bits = field.bit_size or size * 8
    if kind == LSHIFT:
        return 64 - (field.bit_offset + bits - start * 8)
    if kind == RSHIFT:
        return 64 - bits
    raise CoreError("relocation of unknown kind {}".format(kind))


_WIDTH = {1: 0x10, 2: 0x08, 4: 0x00, 8: 0x18}
_LDX, _ST, _STX, _ALU, _ALU64, _LD = 1, 2, 3, 4, 7, 0


def _poison(code: bytearray, at: int) -> None:
    struct.pack_into("<BBhi", code, at * 8, 0x85, 0, 0, POISON)


def patch(code: bytearray, at: int, answer: Answer, local: Types, kernel: Types) -> None:
    """Changes the instruction at @at; where there is no answer it becomes a call that the verifier refuses if it is reached."""
    opcode, regs, off, imm = struct.unpack_from("<BBhi", code, at * 8)
    wide = opcode == 0x18
    if answer.value is None:
        _poison(code, at)
        if wide:
            _poison(code, at + 1)
        return
    kind = opcode & 7
    if kind in (_LDX, _ST, _STX):
        if not -32768 <= answer.value <= 32767:
            raise CoreError("offset {} does not fit in an instruction".format(answer.value))
        if answer.theirs is not None and answer.mine is not None and not answer.theirs.bit_size:
            mine, theirs = local.size(answer.mine.type), kernel.size(answer.theirs.type)
            if mine != theirs and _WIDTH.get(mine) == opcode & 0x18:
                if not _may_resize(answer, local, kernel) or theirs not in _WIDTH:
                    _poison(code, at)
                    return
                opcode = opcode & ~0x18 | _WIDTH[theirs]
        struct.pack_into("<BBhi", code, at * 8, opcode, regs, answer.value, imm)
    elif kind in (_ALU, _ALU64):
        struct.pack_into("<BBhI", code, at * 8, opcode, regs, off, answer.value & 0xFFFFFFFF)
    elif wide:
        value = answer.value & 0xFFFFFFFFFFFFFFFF
        struct.pack_into("<BBhI", code, at * 8, opcode, regs, off, value & 0xFFFFFFFF)
        struct.pack_into("<I", code, at * 8 + 12, value >> 32)
    else:
        raise CoreError("instruction {} (code {:#x}) cannot be relocated".format(at, opcode))


def _may_resize(answer: Answer, local: Types, kernel: Types) -> bool:
    """Another width reads the same only of a pointer, or of an unsigned integer."""
    assert answer.mine is not None and answer.theirs is not None
    mine, theirs = local.skip(answer.mine.type), kernel.skip(answer.theirs.type)
    if local.kind(mine) == kernel.kind(theirs) == blob.PTR:
        return True
    if local.kind(mine) == kernel.kind(theirs) == blob.INT:
        return not local.is_signed(mine) and not kernel.is_signed(theirs)
    return False
