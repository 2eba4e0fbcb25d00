# SPDX-License-Identifier: MIT
"""Objects printed by their BTF (verifier/btf_show.c), against types made by hand; texts are those of Linux 6.1."""

from __future__ import annotations

import errno
import random
import struct

import kernel_verifier as suite
import pytest
from programs import btf as b
from programs.btf import Btf
from verifier_lib import World, lib

from bpfcompat_verifier import ffi

COMPACT, NONAME, RAW, ZERO = 1, 2, 4, 8
AT = 0xFFFF888000001000


class Shown:
    """The world of one BTF, and what the last run of it took."""

    def __init__(self, btf: Btf | bytes) -> None:
        self.world = World()
        fd, log = self.world.btf(btf if isinstance(btf, bytes) else btf.blob(), kernel=True)
        assert fd >= 0, log
        self.steps = self.reads = 0

    def run(
        self, type_id: int, data: bytes = b"", flags: int = 0, *, at: int = AT, size: int = 1 << 16, readable: int | None = None,
        field: tuple[int, bytes] | None = None,
    ) -> tuple[int, str]:
        """The helper's result and the text."""
        text, memory = ffi.new("char[]", b"\xaa" * size), ffi.from_buffer(data or b"\0")
        show = ffi.new("struct bcu_show *")
        show.type_id, show.flags, show.addr, show.memory, show.memory_addr = type_id, flags, at, ffi.cast("u8 *", memory), AT
        show.memory_size = len(data) if readable is None else readable
        show.text, show.text_size = text, size
        if field:
            elsewhere = ffi.from_buffer(field[1])
            show.field_addr, show.field, show.field_size = AT + field[0], ffi.cast("u8 *", elsewhere), len(field[1])
        result = lib.bcu_btf_show(self.world._world, show)
        self.steps, self.reads = show.steps, show.reads
        return result, bytes(ffi.buffer(text)).split(b"\0")[0].rstrip(b"\xaa").decode("latin-1")

    def text(self, *args: object, **more: object) -> str:
        result, text = self.run(*args, **more)
        assert result == len(text), (result, text)
        return text


@pytest.fixture
def btf() -> Btf:
    return Btf()


def test_numbers(btf: Btf) -> None:
    sizes = (1, 2, 4, 8)
    ids = [(btf.int(f"s{n}", n), btf.int(f"u{n}", n, 0)) for n in sizes]
    wide, odd, flag = btf.int("wide", 16, 0), btf.int("odd", 4, 0, bits=24), btf.int("_Bool", 1, b.BOOL)
    shown = Shown(btf)
    for n, (signed, unsigned) in zip(sizes, ids, strict=True):
        assert shown.text(signed, b"\xfe" + b"\xff" * (n - 1)) == f"(s{n})-2\n"
        assert shown.text(unsigned, b"\xff" * n) == f"(u{n}){(1 << 8 * n) - 1}\n"
        assert shown.text(unsigned, b"\xff" * n, COMPACT | NONAME) == str((1 << 8 * n) - 1)
        assert shown.text(signed, bytes(n)) == f"(s{n})0\n", "the whole is shown even where it is 0"
    assert shown.text(flag, b"\1") == "(_Bool)1\n"
    assert shown.text(wide, struct.pack("<QQ", 5, 0)) == "(wide)0x5\n"
    assert shown.text(wide, struct.pack("<QQ", 5, 0x1F)) == "(wide)0x1f0000000000000005\n"
    assert shown.text(odd, b"\x03\x02\x01\xff") == "(odd)0x10203\n"


def test_members_and_zeroes(btf: Btf) -> None:
    number = btf.int("int", 4)
    inner = btf.struct("inner", 8, [("x", number, 0), ("y", number, 32)])
    alias = btf.modifier(b.TYPEDEF, inner, "inner_t")
    constant = btf.modifier(b.CONST, number)
    nameless = btf.struct("", 4, [("left", number, 0), ("right", number, 0)], b.UNION)
    outer = btf.struct(
        "outer", 28, [("a", number, 0), ("in", inner, 32), ("as", alias, 96), ("", nameless, 160), ("k", constant, 192)]
    )
    shown = Shown(btf)
    assert shown.text(outer, struct.pack("<7i", 1, 0, 2, 0, 0, 3, 4)) == (
        "(struct outer){\n .a = (int)1,\n .in = (struct inner){\n  .y = (int)2,\n },\n"
        " (union){\n  .left = (int)3,\n  .right = (int)3,\n },\n .k = ()4,\n}\n"
    )
    assert shown.text(outer, struct.pack("<7i", 0, 0, 0, 0, 7, 0, 0), COMPACT) == "(struct outer){.as = (inner_t){.y = (int)7,},}"
    assert shown.text(outer, struct.pack("<7i", 0, 0, 0, 0, 7, 0, 0), COMPACT | NONAME) == "{{7,},}"
    assert shown.text(outer, bytes(28), COMPACT) == "(struct outer){}"
    assert shown.text(outer, bytes(28), COMPACT | ZERO | NONAME) == "{0,{0,0,},{0,0,},{0,0,},0,}"
    assert shown.text(alias, struct.pack("<2i", 1, 2), COMPACT) == "(inner_t){.x = (int)1,.y = (int)2,}"


def test_bit_fields(btf: Btf) -> None:
    number, wide = btf.int("int", 4), btf.int("u64", 8, 0)
    bits = btf.struct("bits", 16, [("a", number, 3 << 24), ("b", number, 7 << 24 | 3), ("c", wide, 60 << 24 | 66)], kflag=True)
    old_bit = btf.int("bit", 4, 0, bits=5)
    old = btf.struct("old", 4, [("p", old_bit, 0), ("q", old_bit, 7)])
    shown = Shown(btf)
    data = struct.pack("<QQ", 5 | 0x55 << 3, 0x123456789ABCDEF << 2)
    assert shown.text(bits, data, COMPACT) == "(struct bits){.a = (int)0x5,.b = (int)0x55,.c = (u64)0x123456789abcdef,}"
    assert shown.text(old, struct.pack("<I", 1 | 0x1E << 7), COMPACT) == "(struct old){.p = (bit)0x1,.q = (bit)0x1e,}"


def test_enums(btf: Btf) -> None:
    number = btf.int("int", 4)
    small = btf.enum("small", 4, [("NONE", 0), ("ONE", 1)])
    big = btf.enum64("big", 8, [("HUGE", 1 << 40)])
    holder = btf.struct("holder", 16, [("e", small, 0), ("n", number, 32), ("g", big, 64)])
    shown = Shown(btf)
    assert shown.text(small, struct.pack("<i", 1)) == "(enum small)ONE\n"
    assert shown.text(small, struct.pack("<i", -1)) == "(enum small)4294967295\n"
    assert shown.text(big, struct.pack("<Q", 1 << 40)) == "(enum big)HUGE\n"
    assert shown.text(big, struct.pack("<q", -1)) == f"(enum big){(1 << 64) - 1}\n"
    assert shown.text(holder, bytes(16), COMPACT) == "(struct holder){.e = (enum small)NONE,}", "a name is shown for a 0 as well"


def test_arrays(btf: Btf) -> None:
    number, char = btf.int("int", 4), btf.int("char", 1)
    ints, chars, ptrs = btf.array(number, number, 4), btf.array(char, number, 6), btf.array(btf.ptr(number), number, 2)
    square = btf.array(btf.array(number, number, 2), number, 2)
    pair = btf.struct("pair", 8, [("x", number, 0), ("y", number, 32)])
    pairs = btf.array(pair, number, 2)
    holder = btf.struct("holder", 24, [("s", chars, 0), ("p", pairs, 64)])
    shown = Shown(btf)
    assert shown.text(ints, struct.pack("<4i", 1, 0, 3, 0)) == "(int[])[\n 1,\n 3,\n]\n"
    assert shown.text(chars, b"ab\0cd\0", COMPACT) == "(char[])['a','b',]", "a string ends at its NUL"
    assert shown.text(chars, b"\x7f\x80\xa0\xffz\n", COMPACT) == "(char[])[127,-128,'\xa0','\xff','z',10,]"
    assert shown.text(chars, b"\0abcde", COMPACT | ZERO) == "(char[])[]"
    assert shown.text(ptrs, struct.pack("<QQ", 1, 2), COMPACT | RAW) == "(int *[])0x0000000000000001,0x0000000000000001,]"
    assert shown.text(square, struct.pack("<4i", 1, 2, 3, 4), COMPACT) == "(int[][])[(int[])[1,2,],(int[])[1,2,],]"
    assert shown.text(square, struct.pack("<4i", 1, 2, 3, 4), COMPACT | ZERO) == "(int[][])[1,2,],1,2,],]"
    assert shown.text(pairs, struct.pack("<4i", 0, 2, 0, 0), COMPACT) == "(struct pair[])[2,},]"
    assert shown.text(holder, b"\0x\0\0\0\0\0\0" + struct.pack("<4i", 1, 0, 0, 0), COMPACT) == (
        "(struct holder){.p = (struct pair[])[1,},],}"
    )


def test_pointers(btf: Btf) -> None:
    number, void = btf.int("int", 4), btf.ptr(0)
    twice = btf.ptr(btf.ptr(btf.modifier(b.CONST, number)))
    proto = btf.ptr(btf.proto(0, []))
    fn = btf.modifier(b.TYPEDEF, proto, "fn_t")
    shown, value = Shown(btf), struct.pack("<Q", 0xFFFF888012345678)
    assert shown.text(void, value, RAW) == "( *)0xffff888012345678\n"
    assert shown.text(twice, value, RAW) == "(int **)0xffff888012345678\n"
    assert shown.text(fn, value, RAW) == "(fn_t *)0xffff888012345678\n"
    assert shown.text(twice, value) == "(int **)0x00000000edcba987\n", "what the caller makes of it"
    assert shown.text(twice, bytes(8)) == "(int **)0x0000000000000000\n"
    assert shown.text(twice, struct.pack("<q", -22)) == "(int **)0xffffffffffffffea\n", "an errno is no secret"


def test_names_are_cut(btf: Btf) -> None:
    number = btf.int("n" * 70, 4)
    holder = btf.struct("s", 4, [("m" * 20, number, 0)])
    shown = Shown(btf)
    whole = f".{'m' * 20} = ({'n' * 70})"[:79]
    assert shown.text(holder, b"\1\0\0\0") == f"(struct s){{\n {whole}1,\n}}\n"
    deep = Btf()
    to = deep.int("int", 4)
    for _ in range(11):
        to = deep.ptr(to)
    assert Shown(deep).text(to, b"\1" * 8, RAW) == "0x0101010101010101\n", "too many stars for a name"


def test_other_kinds(btf: Btf) -> None:
    number, real = btf.int("int", 4), btf.add(b.FLOAT, "double", 8)
    func, forward = btf.func("f", btf.proto(0, [])), btf.add(b.FWD, "later")
    var = btf.var("v", btf.modifier(b.CONST, number))
    section = btf.datasec(".data", 4, [(var, 0, 4)])
    void = btf.modifier(b.CONST, 0)
    holder = btf.struct("holder", 16, [("d", real, 0), ("n", number, 64)])
    shown = Shown(btf)
    assert shown.text(var, struct.pack("<i", 3)) == "(int)3\n"
    assert shown.run(section, b"\1\0\0\0") == (-errno.EINVAL, "")
    for kind, type_id in ((16, real), (12, func), (7, forward), (0, void)):
        assert shown.text(type_id, at=0) == f"<unsupported kind:{kind}>"
    assert shown.text(holder, struct.pack("<dii", 1.5, 9, 0), COMPACT) == "(struct holder){<unsupported kind:16>.n = (int)9,}"


def test_errors(btf: Btf) -> None:
    number = btf.int("int", 4)
    shown = Shown(btf)
    for flags in (16, 1 << 63):
        assert shown.run(number, b"\1\0\0\0", flags) == (-errno.EINVAL, "")
    assert shown.run(0) == (-errno.EINVAL, "")
    for type_id in (number + 1, 1 << 31, 0xFFFFFFFF):
        assert shown.run(type_id) == (-errno.ENOENT, "")
    assert shown.run(number, at=0) == (-errno.ERANGE, "")
    assert shown.run(number, at=AT + 1) == (-errno.EFAULT, "")
    with World() as empty:
        assert lib.bcu_btf_show(empty._world, ffi.new("struct bcu_show *", {"type_id": 1})) == -errno.EINVAL


def test_buffers_that_are_too_small(btf: Btf) -> None:
    number = btf.int("int", 4)
    holder = btf.struct("holder", 8, [("a", number, 0), ("b", number, 32)])
    shown, data = Shown(btf), struct.pack("<2i", 12345, -9)
    whole = shown.text(holder, data)
    for size in range(1, len(whole) + 3):
        assert shown.run(holder, data, size=size) == (len(whole), whole[: size - 1])


def test_what_cannot_be_read(btf: Btf) -> None:
    """A part is left out, and the result is that of the last read."""
    number, wide = btf.int("int", 4), btf.int("u64", 8, 0)
    half = btf.struct("half", 64, [("a", number, 0), ("z", wide, 448)])
    shown, data = Shown(btf), b"\1\0\0\0" + bytes(52) + b"\2" * 8
    assert shown.run(half, data, COMPACT, readable=48) == (-errno.EFAULT, "(struct half){.a = (int)1,}")
    assert shown.run(half, data, COMPACT, readable=16) == (-errno.EFAULT, ""), "32 bytes are read at once"


def test_fields_that_are_elsewhere(btf: Btf) -> None:
    """At addresses inside other fields, as the BTF made for old kernels has them: a number, and a struct with its parts."""
    number, wide, byte = btf.int("int", 4), btf.int("u64", 8, 0), btf.int("u8", 1, 0)
    bytes16, ints = btf.array(byte, number, 16), btf.array(number, number, 4)
    address = btf.struct("in6_addr", 16, [("b", bytes16, 0), ("i", ints, 0)], b.UNION)
    task = btf.struct("task", 32, [("state", wide, 0), ("start", wide, 8), ("a", address, 8), ("at8", number, 64)])
    shown, data = Shown(btf), struct.pack("<QiiQQ", 1, 2, 0, 0, 0)
    assert ".start = (u64)77,.a" in shown.text(task, data, COMPACT, field=(1, struct.pack("<Q", 77)))
    text = shown.text(task, data, COMPACT, field=(1, b"x\0yz" + bytes(8) + b"\1\0\0\0"))
    assert text.endswith(".a = (union in6_addr){.b = (u8[])['x',],.i = (int[])[2054750328,1,],},.at8 = (int)2,}")


def test_bad_types_come_to_an_end(btf: Btf) -> None:
    number = btf.int("int", 4)
    itself = btf.struct("itself", 8, [("next", 2, 0)])
    assert itself == 2
    large = btf.array(number, number, 0xFFFFFFFF)
    empty = btf.struct("empty", 0, [])
    many = btf.array(empty, number, 0xFFFFFFFF)
    loop = btf.modifier(b.CONST, btf.count + 2)
    btf.modifier(b.VOLATILE, loop)
    shown, before = Shown(btf), lib.bc_user_live_blocks()
    assert shown.run(itself, bytes(64))[0] == -errno.E2BIG
    assert shown.run(large, bytes(64))[0] < 0
    assert shown.run(many, bytes(64))[0] == -errno.E2BIG
    assert shown.steps == 1 << 20
    assert shown.run(loop, bytes(64))[0] > 0
    assert lib.bc_user_live_blocks() == before, "memory was asked for"


def test_the_kernels_own_types() -> None:
    """Each of Debian's kernel: far below the limits, and the same length whatever the buffer."""
    shown, data, most = Shown(suite.debian_btf().read_bytes()), random.Random(7).randbytes(1 << 16), 0
    type_id = 1
    while True:
        result, _ = shown.run(type_id, data, ZERO, size=16)
        if result == -errno.ENOENT:
            break
        assert result != -errno.E2BIG, type_id
        most = max(most, shown.steps)
        type_id += 1
    assert type_id > 50000
    assert most < 1 << 19
