# SPDX-License-Identifier: MIT
"""Objects printed by the kernel's BTF (bpf_snprintf_btf, bpf_seq_printf_btf). One JSON object on stdout.

Runs in a guest; see test_show.py. With "compare" as its argument each case is put to the kernel's own bpf(2) and to the
module, in the same boot: hashes of addresses are the same there too.
"""

import ctypes
import itertools
import os
import random
import re
import signal
import struct
import sys

import bpfsys as b
import iter_cases as i  # first: it finds the assembler
from asm import R9
from casework import Cases
from iter_cases import BTF, R0, R1, R2, R3, R4, R5, R6, R7, R8, a
from kernel_btf import ARRAY, FUNC, INT, PTR, STRUCT, UNION

SNPRINTF_BTF, SEQ_PRINTF_BTF, CURRENT_TASK, CURRENT_PID = 149, 150, 35, 14
COMPACT, NONAME, RAW, ZERO = 1, 2, 4, 8
EINVAL, ENOENT, EFAULT, ERANGE = -22, -2, -14, -34
OBJECT, TEXT, HEAD = 1 << 14, 1 << 14, 64
ENUM64, DATASEC, FLOAT = 19, 15, 16
case, compared = Cases(), Cases()
RANDOM = random.Random(1)
native_call = b.call


def module_call(cmd, attr, size=None):
    """bpf(2) as the shim hands it on."""
    if isinstance(attr, bytes):
        attr = ctypes.create_string_buffer(attr, max(len(attr), 1))
        size = len(attr) if size is None else size
    size = ctypes.sizeof(attr) if size is None else size
    if module_call.device is None:
        module_call.device = os.open("/dev/bpfcompat", os.O_RDWR | os.O_CLOEXEC)
    request = 3 << 30 | size << 16 | 0xBF << 8 | cmd
    ret = b.libc.ioctl(module_call.device, ctypes.c_ulong(request), ctypes.byref(attr))
    return -ctypes.get_errno() if ret < 0 else ret


module_call.device = None


class Printer:
    """A program that prints what its map says; the object is in another map, or at an address of choice."""

    def __init__(self, call=None, ptr_size=16):
        self.call = call or native_call
        b.call = self.call
        self.order = b.check(b.map_create(b.ARRAY, 4, HEAD + TEXT, 1), "map")
        # by itself in whole pages: nothing can be read past it
        self.object = b.check(b.map_create(b.ARRAY, 4, OBJECT, 1, b.F_MMAPABLE), "map")
        code = [a.mov(R6, R1), *self.place(), *self.text_size(), *self.arguments(), a.mov_imm(R4, ptr_size)]
        code += [a.call(SNPRINTF_BTF), a.stx(8, R7, 32, R0), "out", a.mov_imm(R0, 0), a.exit_()]
        prog = b.Prog(a.asm(*code), b.SOCKET_FILTER, log_level=1, log_size=1 << 16)
        self.prog = prog.load()
        assert self.prog >= 0, (self.prog, prog.log_text()[-600:])

    def place(self):
        """r7: the order; the object's address is in it."""
        return [
            *[*a.ld_map_value(R7, self.order), a.ldx(4, R1, R7, 24), a.jmp_imm("eq", R1, 0, "given")],
            *[*a.ld_map_value(R9, self.object), a.stx(8, R7, 40, R9), a.ldx(8, R2, R7, 40), a.ldx(8, R3, R7, 56)],
            *[a.add(R2, R3), a.stx(8, R7, 0, R2), "given"],
        ]

    @staticmethod
    def text_size():
        return [a.ldx(4, R2, R7, 28), a.jmp_imm("lt", R2, 1, "out"), a.jmp_imm("gt", R2, TEXT, "out")]

    @staticmethod
    def arguments():
        return [a.mov(R1, R7), a.add_imm(R1, HEAD), a.mov(R3, R7), a.ldx(8, R5, R7, 16)]

    def set(self, data):
        b.call = self.call
        b.check(b.update(self.object, bytes(4), data.ljust(OBJECT, b"\0")), "update")

    def prepare(self, type_id, flags=0, at=None, offset=0, size=TEXT):
        b.call = self.call
        head = struct.pack("<QIIQIIqQQQ", at or 0, type_id, 7, flags, at is None, size, -1, 0, 0, offset)
        b.check(b.update(self.order, bytes(4), head + b"\xaa" * TEXT), "update")

    def run(self, *args, **more):
        """Result, and what is in the buffer."""
        self.prepare(*args, **more)
        b.check(b.run_prog(self.prog, bytes(64), repeat=1).error, "PROG_TEST_RUN")
        return self.answer()

    def answer(self):
        b.call = self.call
        value = b.lookup(self.order, bytes(4), HEAD + TEXT)
        return struct.unpack_from("<q", value, 32)[0], value[HEAD:].rstrip(b"\xaa")

    def text(self, *args, **more):
        length, text = self.run(*args, **more)
        assert text.endswith(b"\0"), (length, text)
        assert length == len(text) - 1
        return text[:-1].decode("latin-1")

    def sequence(self, type_id, flags=0, at=None, offset=0, task=None):
        """The same by an iterator: what is read from it. With @task it is that one's struct that is printed."""
        self.prepare(type_id, flags, at, offset)
        given = [*a.ld_map_value(R7, self.order), *i.unless_over(), a.stx(8, R7, 0, R1)]
        where = given if task else self.place()
        result = [a.stx(8, R7, 32, R0)]
        body = [*where, a.mov(R1, R8), a.mov(R2, R7), a.mov_imm(R3, 16), a.ldx(8, R4, R7, 16), a.call(SEQ_PRINTF_BTF)]
        prog = i.iterator("task", *i.unless_over(), *body, *result)
        out = i.all_of(prog, i.choose_task(tid=task or os.getpid()))
        return self.answer()[0], out

    def close(self):
        for fd in (self.order, self.object, self.prog):
            os.close(fd)


def both(*args, **more):
    """A printer of each side."""
    return Printer(native_call, *args, **more), Printer(module_call, *args, **more)


def same(printers, *args, what="", **more):
    """What both say."""
    said = [one.run(*args, **more) for one in printers]
    assert said[0] == said[1], (what, args, more, difference(*said))
    return said[0]


def difference(*said):
    """Results, and where the texts part."""
    at = sum(1 for _ in itertools.takewhile(lambda pair: pair[0] == pair[1], zip(said[0][1], said[1][1], strict=False)))
    return [(result, len(text), at, text[max(at - 200, 0) : at + 60]) for result, text in said]


def size_of(type_id):
    for _ in range(64):
        kind, _, value, at = BTF.get(type_id)
        if kind in (INT, STRUCT, UNION, 6, ENUM64, FLOAT):
            return value
        if kind == PTR:
            return 8
        if kind == ARRAY:
            of, _, count = struct.unpack_from("<III", BTF.types, at)
            size = size_of(of)
            return None if size is None else size * count
        if kind in (8, 9, 10, 11, 18, 14):
            type_id = value
        else:
            return None
    return None


def contents(size):
    """Bytes of an object: any, few, or text."""
    way = RANDOM.randrange(4)
    if way == 0:
        return RANDOM.randbytes(size)
    if way == 1:
        data = bytearray(size)
        for _ in range(RANDOM.randrange(1, 9)):
            data[RANDOM.randrange(size)] = RANDOM.randrange(256)
        return bytes(data)
    if way == 2:
        return bytes(RANDOM.choice(b"ab z\0~\x7f\x80\x9f\xa0\xff\n'") for _ in range(size))
    return b"".join(struct.pack("<I", RANDOM.choice([0, 0, 0, 1, 5, 0xFFFFFFFF])) for _ in range(size // 4 + 1))[:size]


def types(count):
    """Of any kind; those with much in them more often."""
    last = len(BTF.at) - 1
    found = 0
    while found < count:
        type_id = RANDOM.randrange(1, last + 1)
        kind, vlen = BTF.get(type_id)[:2]
        size = size_of(type_id)
        if size and size > OBJECT:
            continue
        if not (kind in (STRUCT, UNION, ARRAY) and (vlen > 3 or kind == ARRAY)) and RANDOM.randrange(4):
            continue
        found += 1
        yield type_id, size or 8


def flags_of():
    return RANDOM.choice([0, 0, COMPACT, NONAME, RAW, ZERO, COMPACT | NONAME, COMPACT | ZERO, RANDOM.randrange(16)])


@compared
def any_types():
    printers, most, kinds = both(), 0, set()
    for type_id, size in types(700):
        data = contents(size)
        for one in printers:
            one.set(data)
        length, _ = same(printers, type_id, flags_of(), what=BTF.name(type_id), size=RANDOM.choice([TEXT, TEXT, 1, 2, 100]))
        most = max(most, length)
        kinds.add(BTF.get(type_id)[0])
    assert most > 10000, most
    assert {PTR, ARRAY, STRUCT, UNION, 6, 8} <= kinds, kinds
    for one in printers:
        one.close()


@compared
def kinds_of_their_own():
    """Sections, functions, what has no size."""
    printers, seen = both(), {}
    for type_id in range(1, len(BTF.at)):
        kind = BTF.get(type_id)[0]
        if seen.setdefault(kind, 0) < 3:
            seen[kind] += 1
            same(printers, type_id, what=kind)
            same(printers, type_id, what=kind, at=0)
    assert {DATASEC, FUNC, 7, 13, 14} <= set(seen), seen
    for one in printers:
        one.close()


@compared
def objects_half_readable():
    """
    Near the end of what is mapped: what is read at once, and what is made of that which is not there. After a read that fails
    Linux may print a register that nobody has set.
    """
    printers, results, same_texts, count = both(), set(), 0, 0
    for one in printers:
        one.set(bytes(range(1, 252)) * 66)
    for type_id, size in types(500):
        if size > 8:
            # in the page after the map's there is nothing, but after that one there may be
            offset = RANDOM.randrange(OBJECT - size + 1, min(OBJECT, OBJECT - size + 4097))
            flags = flags_of()
            said = [one.run(type_id, flags, offset=offset) for one in printers]
            assert said[0][0] == said[1][0], (BTF.name(type_id), type_id, flags, offset, difference(*said))
            results.add(said[0][0])
            count += 1
            same_texts += said[0] == said[1]
    assert same_texts > count * 0.9, (same_texts, count)
    assert EFAULT in results
    assert max(results) > 0
    for one in printers:
        one.close()


@compared
def addresses():
    printers, results = both(), set()
    # Linux warns where an address is a kernel's by the width of the CPU's, and not by that of the page tables.
    bases = [0, (1 << 47) - 12288, 1 << 63, 0xFFFF800000002000, 0xFFFFFFFFFF600000, 0xFFFFFFFFFFFFF000]
    for name in ("int", "char"):
        for base in bases:
            for more in (-4096, -1, 0, 1, 4095, 4096, 4097):
                at = (base + more) & (1 << 64) - 1
                if at < (1 << 64) - 4:  # Linux warns of what would go on at 0
                    results.add(same(printers, BTF.find(INT, name), at=at)[0])
    for name in ("list_head", "task_struct", "in6_addr"):
        for base in bases:
            results.add(same(printers, BTF.find(STRUCT, name), at=base)[0])
    assert {EFAULT, ERANGE} <= results, results
    for one in printers:
        one.close()


@compared
def hashed_addresses():
    printers = both()
    with open("/proc/kallsyms") as file:
        where = {line.split()[2]: int(line.split()[0], 16) for line in file if line.split()[2] in ("init_uts_ns", "init_nsproxy")}
    for name, symbol in (("uts_namespace", "init_uts_ns"), ("nsproxy", "init_nsproxy")):
        for flags in range(16):
            assert same(printers, BTF.find(STRUCT, name), flags, at=where[symbol])[0] > 100
    for one in printers:
        one.set(struct.pack("<QQ", 0x1234, (1 << 64) - 1))
    hashed = same(printers, BTF.find(STRUCT, "list_head"))[1].decode()
    assert "0x0000000000001234" not in hashed
    assert "0xffffffffffffffff" in hashed
    for one in printers:
        one.close()


@compared
def sequences():
    printers = both()
    for type_id, size in types(25):
        data, flags = contents(size), flags_of()
        for one in printers:
            one.set(data)
        said = [one.sequence(type_id, flags) for one in printers]
        assert said[0] == said[1], (BTF.name(type_id), flags, difference(*said))
    said = [one.sequence(BTF.find(STRUCT, "list_head"), at=0) for one in printers]
    assert said[0] == said[1] == (ERANGE, b"")
    for one in printers:
        one.close()


@compared
def a_task():
    """One that does nothing, so that it is the same twice."""
    printers = both()
    child = os.fork()
    if not child:
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    os.waitpid(child, os.WUNTRACED)
    try:
        for _ in range(5):
            said = [one.sequence(BTF.find(STRUCT, "task_struct"), task=child) for one in printers]
            if said[0] == said[1]:
                break
        assert said[0][1].count(b"\n") > 400, said[0]
        assert said[0] == said[1], difference(*said)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    for one in printers:
        one.close()


@compared
def arguments_that_are_wrong():
    last = len(BTF.at) - 1
    for size in (8, 24):
        printers = both(ptr_size=size)
        assert same(printers, 1) == (EINVAL, b"")
        for one in printers:
            one.close()
    printers = both()
    for type_id, flags in ((0, 0), (1, 16), (1, 1 << 63), (last + 1, 0), (1 << 31, 0), ((1 << 32) - 1, 0), (0, 16), (last, 0)):
        same(printers, type_id, flags)
    for one in printers:
        one.close()


# ---- on every kernel ----


@case
def pointers_in_full():
    p, kind = Printer(), BTF.find(STRUCT, "list_head")
    p.set(struct.pack("<QQ", 1, 2))
    assert p.text(kind, RAW) == (
        "(struct list_head){\n .next = (struct list_head *)0x0000000000000001,\n .prev = (struct list_head *)0x0000000000000002,\n}\n"
    )
    assert p.text(kind, RAW | COMPACT | NONAME) == "{0x0000000000000001,0x0000000000000002,}"
    p.set(struct.pack("<QQ", 0, 2))
    assert p.text(kind, RAW | COMPACT) == "(struct list_head){.prev = (struct list_head *)0x0000000000000002,}"
    assert p.text(kind, ZERO | COMPACT).startswith("(struct list_head){.next = (struct list_head *)0x0000000000000000,")
    p.close()


@case
def texts_cut_short():
    p, kind = Printer(), BTF.find(STRUCT, "list_head")
    p.set(struct.pack("<QQ", 1, 2))
    whole = p.text(kind, RAW)
    for size in (1, 2, 3, 20, 21, len(whole) - 1, len(whole), len(whole) + 1):
        assert p.run(kind, RAW, size=size) == (len(whole), whole[: size - 1].encode() + b"\0"), size
    p.close()


@case
def wrong_arguments():
    p, kind = Printer(), BTF.find(STRUCT, "list_head")
    assert p.run(0) == (EINVAL, b"")
    assert p.run(kind, 16) == (EINVAL, b"")
    assert p.run(1 << 31) == (ENOENT, b"")
    assert p.run(len(BTF.at)) == (ENOENT, b"")
    assert p.run(kind, at=0) == (ERANGE, b"")
    assert p.run(kind, at=1 << 63) == (ERANGE, b"")
    assert p.run(kind, at=0xFFFFFFFFFFFFF000) == (EFAULT, b"")
    assert p.run(kind, offset=OBJECT) == (EFAULT, b"")
    if b.OURS:
        assert p.run(kind, at=(1 << 64) - 8) == (EFAULT, b"")
        with open("/proc/cpuinfo") as file:
            half = 1 << (56 if " la57" in file.read() else 47)  # with five levels of page tables there is memory in more places
        for at in (half, (1 << 64) - half - 4096):
            result, text = p.run(kind, at=at)
            assert result in (EFAULT, ERANGE), (at, result)
            assert not text
    p.close()
    p = Printer(ptr_size=8)
    assert p.run(kind) == (EINVAL, b"")
    p.close()


@case
def the_largest_types():
    """Whatever is in them: an end is found, and no more than the stack that there is is used."""
    p = Printer()
    sizes = sorted((size_of(t) or 0, t) for t in range(1, len(BTF.at)) if BTF.get(t)[0] in (STRUCT, UNION, ARRAY))
    big = [t for size, t in sizes if size <= OBJECT][-30:]
    for data in (bytes(OBJECT), b"a" * OBJECT, RANDOM.randbytes(OBJECT)):
        p.set(data)
        for type_id in big:
            for flags in (0, ZERO):
                assert p.run(type_id, flags)[0] > 0, BTF.name(type_id)
    p.close()


@case
def in_an_event():
    """At the entry of a system call: a string of the task that makes it."""
    p = Printer()
    at, kind = BTF._member(BTF.find(STRUCT, "task_struct"), "comm")
    p.prepare(kind)
    code = [a.mov(R6, R1), a.call(CURRENT_PID), a.alu64_imm("rsh", R0, 32), a.jmp_imm("ne", R0, os.getpid(), "out")]
    code += [*a.ld_map_value(R7, p.order), a.call(CURRENT_TASK), a.add_imm(R0, at), a.stx(8, R7, 0, R0), *p.text_size()]
    code += [*p.arguments(), a.mov_imm(R4, 16), a.call(SNPRINTF_BTF), a.stx(8, R7, 32, R0), "out", a.mov_imm(R0, 0), a.exit_()]
    prog = b.Prog(a.asm(*code), b.RAW_TRACEPOINT, log_level=1, log_size=1 << 16)
    fd = prog.load()
    assert fd >= 0, prog.log_text()
    name = b.buf(b"sys_enter\0")
    link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), fd)), "raw tracepoint")
    os.getppid()
    os.close(link)
    os.close(fd)
    length, text = p.answer()
    with open("/proc/self/comm") as file:
        comm = file.read().strip()
    assert text[:-1].decode() == "(char[])[\n" + "".join(" '%s',\n" % c for c in comm) + "]\n", text
    assert length == len(text) - 1
    p.close()


@case
def iterators():
    p, kind = Printer(), BTF.find(STRUCT, "list_head")
    p.set(struct.pack("<QQ", 1, 2))
    assert p.sequence(kind, RAW) == (0, p.text(kind, RAW).encode())
    assert p.sequence(kind, at=0) == (ERANGE, b"")
    assert p.sequence(kind, 16) == (EINVAL, b"")
    result, text = p.sequence(BTF.find(STRUCT, "task_struct"), task=os.getpid())
    assert result == 0
    assert re.search(rb"\n +\.pid = \(pid_t\)%d,\n" % os.getpid(), text), text[-3000:]
    # kept otherwise by old kernels
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rsplit(")", 1)[1].split()[19])
    started = re.search(rb"\n +\.start_time = \([a-z0-9 ]+\)(\d+),\n", text)
    assert started, text[-3000:]
    assert abs(int(started[1]) / 1e9 - ticks / os.sysconf("SC_CLK_TCK")) < 0.5, (started[1], ticks)
    assert text.endswith(b"\n}\n")
    p.close()


if __name__ == "__main__":
    if "compare" in sys.argv:
        sys.argv.remove("compare")
        case = compared
    case.main(880, each=240)
