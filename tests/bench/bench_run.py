# SPDX-License-Identifier: MIT
"""Run time of programs: PROG_TEST_RUN many times in one call; what a program that returns at once costs is taken off."""

import ctypes
import mmap
import os
import struct

import asm as a
import attach_cases as att
import bpfsys as b
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10
from bench_common import (
    EACH,
    LOOKUP,
    NULL,
    ROUNDS,
    case,
    equals,
    filled,
    getppid_loop,
    host,
    key_on_stack,
    keys,
    kprobe_hook,
    load,
    q,
    spend_event,
    test_run,
    timed,
    timed_calls,
)

DELETE, KTIME, TAIL_CALL, PID_TGID, COMM, PERF_OUTPUT, STACKID = 3, 5, 12, 14, 16, 25, 27
UPDATE, PROBE_READ, PROBE_READ_STR, RB_RESERVE, RB_SUBMIT, LOOP = 2, 113, 115, 131, 132, 181


@case("frame", "null program")
def null_program():
    fd = load(NULL)
    test_run(fd, 20)
    return [test_run(fd, 2000)[1] for _ in range(ROUNDS)]


def loop(times, *body, pre=(), result=R0):
    """A counted loop in r7 whose result is the low half of a register."""
    end = [] if result == R0 else [a.mov32(R0, result)]
    return a.asm(*pre, a.mov_imm(R7, 0), "top", *body, a.add_imm(R7, 1), a.jmp_imm("lt", R7, times, "top"), *end, a.exit_())


@case("run", "ALU64 loop of 100 by 16")
def alu64():
    body = [a.alu64_imm("add", R8, 3), a.alu64_imm("xor", R8, 77), a.alu64_imm("mul", R8, 7), a.alu64_imm("rsh", R8, 1)] * 4
    value = 1
    for _ in range(400):
        value = ((value + 3 ^ 77) * 7 & (1 << 64) - 1) >> 1
    return timed(load(loop(100, *body, pre=[a.mov_imm(R8, 1)], result=R8)), expect=value & 0xFFFFFFFF)


@case("run", "ALU32 loop of 100 by 16")
def alu32():
    body = [a.alu32_imm("add", R8, 3), a.alu32_imm("xor", R8, 77), a.alu32_imm("mul", R8, 7), a.alu32_imm("rsh", R8, 1)] * 4
    value = 1
    for _ in range(400):
        value = ((value + 3 ^ 77) * 7 & 0xFFFFFFFF) >> 1
    return timed(load(loop(100, *body, pre=[a.mov_imm(R8, 1)], result=R8)), expect=value)


@case("run", "division and modulo, 400")
def divmod_():
    body = [
        a.alu64("div", R8, R9),
        a.alu64("mod", R6, R9),
        a.alu32("div", R8, R9),
        a.alu32("mod", R6, R9),
        a.add(R8, R7),
        a.add(R6, R7),
    ]
    one = two = 64
    for i in range(100):
        one, two = one // 64, two % 64
        one, two = (one & 0xFFFFFFFF) // 64 + i, (two & 0xFFFFFFFF) % 64 + i
    code = loop(100, *body, a.mov(R0, R8), a.add(R0, R6), pre=[a.ldx(4, R9, R1, 0), a.mov(R8, R9), a.mov(R6, R9)])
    return timed(load(code), expect=one + two & 0xFFFFFFFF)


def from_c(name):
    def run():
        function = getattr(host.loops, "bench_" + name)
        function.restype = ctypes.c_uint64
        skb = ctypes.c_uint32(64)
        expect = function(ctypes.byref(skb)) & 0xFFFFFFFF
        return timed(load(bytes.fromhex(host.progs[name])), expect=expect)

    return run


case("run", "jhash of 64 bytes")(from_c("jhash64"))
case("run", "string compare of 64 bytes")(from_c("strcmp64"))
case("run", "branch ladder, 64 rounds")(from_c("ladder"))


@case("run", "stack of 512 bytes, filled and summed")
def stack512():
    code = [a.ldx(4, R6, R1, 0)]
    for at in range(64):
        code += [a.stx(8, R10, -8 * (at + 1), R6), a.add_imm(R6, 1)]
    code += [a.mov_imm(R0, 0)]
    for at in range(64):
        code += [a.ldx(8, R1, R10, -8 * (at + 1)), a.add(R0, R1)]
    return timed(load(a.asm(*code, a.exit_())), expect=sum(range(64, 128)))


def unrolled(*body, pre=(), each=EACH, expect=0, post=(), **more):
    """@body, so often, in a row; it may count in r9, which is the result."""
    code = a.asm(
        *pre,
        a.mov_imm(R9, 0),
        *[part for i in range(each) for part in (body[0](i) if callable(body[0]) else body)],
        a.mov32(R0, R9),
        *post,
        a.exit_(),
    )
    return timed(load(code, **more), each=each, expect=expect)


def look(fd, hit=True):
    """One lookup of the key on the stack; the value's first word is added to r9 (a miss adds 1)."""
    if hit:
        then = [a.jmp_imm("eq", R0, 0, 2), a.ldx(8, R1, R0, 0), a.add(R9, R1)]
    else:
        then = [a.jmp_imm("ne", R0, 0, 1), a.add_imm(R9, 1)]
    return [a.mov(R2, R10), a.add_imm(R2, -64), a.ld_map(R1, fd), a.call(LOOKUP), *then]


def lookup_case(name, kind, key_size, entries, count, hit=True):
    @case("run", name)
    def run():
        if kind in (b.ARRAY, b.PERCPU_ARRAY):
            fd = b.check(b.map_create(kind, 4, 8, entries), "map")
            key = q(5, 4)
            b.check(b.update(fd, key, q(1) * (os.cpu_count() if kind == b.PERCPU_ARRAY else 1)), "update")
        else:
            fd = filled(kind, key_size, 8, entries, count)
            some = keys(count + EACH, key_size)[0 if hit else count :]
        if kind in (b.ARRAY, b.PERCPU_ARRAY):
            return unrolled(*look(fd, hit), pre=key_on_stack(key), expect=EACH)
        # Many keys: how long a bucket's chain is, is chance, and another in each map.
        return unrolled(lambda i: key_on_stack(some[i][:8]) + look(fd, hit), pre=key_on_stack(some[0]), expect=EACH)


lookup_case("array lookup", b.ARRAY, 4, 64, 0)
lookup_case("per-CPU array lookup", b.PERCPU_ARRAY, 4, 64, 0)
for size in (8, 64):
    lookup_case("hash lookup, hit, %d-byte key" % size, b.HASH, size, 1024, 512)
    lookup_case("hash lookup, miss, %d-byte key" % size, b.HASH, size, 1024, 512, hit=False)
lookup_case("LRU hash lookup", b.LRU_HASH, 8, 1024, 512)


def update_body(fd, flags=0):
    return [
        a.mov(R2, R10),
        a.add_imm(R2, -64),
        a.mov(R3, R10),
        a.add_imm(R3, -56),
        a.mov_imm(R4, flags),
        a.ld_map(R1, fd),
        a.call(UPDATE),
        a.add(R9, R0),
    ]


@case("run", "hash update")
def hash_update():
    fd = filled(b.HASH, 8, 8, 1024, 512)
    some = keys(EACH, 8)
    out = unrolled(lambda i: key_on_stack(some[i]) + update_body(fd), pre=[a.st(8, R10, -56, 4711)])
    assert all(b.lookup(fd, key, 8) == q(4711) for key in some)
    return out


@case("run", "hash delete and insert")
def hash_delete_insert():
    fd = filled(b.HASH, 8, 8, 1024, 512)
    some = keys(EACH, 8)
    body = [a.mov(R2, R10), a.add_imm(R2, -64), a.ld_map(R1, fd), a.call(DELETE), a.add(R9, R0), *update_body(fd, b.NOEXIST)]
    out = unrolled(lambda i: key_on_stack(some[i]) + body, pre=[a.st(8, R10, -56, 4712)])
    assert all(b.lookup(fd, key, 8) == q(4712) for key in some)
    return out


@case("run", "atomics on a map value: add, fetch-add, xchg, cmpxchg")
def atomics():
    fd = b.check(b.map_create(b.ARRAY, 4, 32, 1), "map")
    body = [
        a.mov_imm(R1, 1),
        a.atomic(8, "add", R6, 0, R1),
        a.mov_imm(R1, 1),
        a.atomic(8, "add", R6, 8, R1, True),
        a.mov_imm(R1, 9),
        a.atomic(8, "xchg", R6, 16, R1),
        a.mov_imm(R0, 0),
        a.mov_imm(R1, 0),
        a.atomic(8, "cmpxchg", R6, 24, R1),
    ]
    out = unrolled(*body, pre=[a.ld_map_value(R6, fd)])
    value = struct.unpack("<4Q", b.lookup(fd, bytes(4), 32))
    assert value[0] == value[1] > 0 and value[2:] == (9, 0), value
    return out


@case("run", "tail calls, a chain of 32")
def tail_calls():
    table = b.check(b.map_create(b.PROG_ARRAY, 4, 4, 64), "map")
    first = -1
    for at in range(33):
        if at < 32:
            code = [a.ld_map(R2, table), a.mov_imm(R3, at + 1), a.call(TAIL_CALL), a.mov_imm(R0, at), a.exit_()]
        else:
            code = [a.mov_imm(R0, 4242), a.exit_()]
        fd = load(a.asm(*code))
        b.check(b.update(table, q(at, 4), q(fd, 4)), "update")
        first = fd if not at else first
    return timed(first, expect=4242)


@case("run", "calls of subprograms, a chain of 7")
def subprograms():
    code = [a.ldx(4, R1, R1, 0)]
    for at in range(7):
        code += [a.call_sub("f%d" % at), *([a.add_imm(R0, 1)] if at else []), a.exit_(), "f%d" % at, a.add_imm(R1, 1)]
    code += [a.mov(R0, R1), a.exit_()]
    return timed(load(a.asm(*code)), expect=64 + 7 + 6)


@case("run", "bpf_loop of 100")
def bpf_loop():
    code = a.asm(
        a.st(8, R10, -8, 0),
        a.mov_imm(R1, 100),
        a.ld_func(R2, "body"),
        a.mov(R3, R10),
        a.add_imm(R3, -8),
        a.mov_imm(R4, 0),
        a.call(LOOP),
        a.ldx(8, R0, R10, -8),
        a.exit_(),
        "body",
        a.ldx(8, R3, R2, 0),
        a.add(R3, R1),
        a.stx(8, R2, 0, R3),
        a.mov_imm(R0, 0),
        a.exit_(),
    )
    return timed(load(code, **functions(code)), expect=4950)


def functions(code):
    """Attributes that name each function: callbacks need that."""
    from programs.btf import Btf

    starts = {0}
    for at in range(0, len(code), 8):
        if (code[at], code[at + 1] >> 4) in ((0x85, 1), (0x18, 4)):
            starts.add(at // 8 + 1 + struct.unpack_from("<i", code, at + 4)[0])
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    records = b.buf(b"".join(struct.pack("<II", at, btf.func("f%d" % at, proto)) for at in sorted(starts)))
    return {
        "prog_btf_fd": b.check(b.btf_load(btf.blob()), "BTF"),
        "func_info_rec_size": 8,
        "func_info": b.addr(records),
        "func_info_cnt": len(starts),
    }


def produced(fd):
    """What a ring buffer's producer has written so far, in bytes."""
    page = mmap.mmap(fd, 8192, mmap.MAP_SHARED, mmap.PROT_READ, offset=4096)
    at = struct.unpack_from("<Q", page, 0)[0]
    page.close()
    return at


def ringbuf_case(size):
    @case("run", "ring buffer reserve and submit, %d bytes" % size)
    def run():
        each, repeat = 8, 100
        fd = b.check(b.map_create(b.RINGBUF, 0, 0, 16 << 20), "map")
        body = [
            a.ld_map(R1, fd),
            a.mov_imm(R2, size),
            a.mov_imm(R3, 0),
            a.call(RB_RESERVE),
            a.jmp_imm("eq", R0, 0, 5),
            a.stx(8, R0, 0, R9),
            a.mov(R1, R0),
            a.mov_imm(R2, 0),
            a.call(RB_SUBMIT),
            a.add_imm(R9, 1),
        ]
        code = a.asm(a.mov_imm(R9, 0), *body * each, a.mov(R0, R9), a.exit_())
        out = timed(load(code), each=each, repeat=repeat, expect=each)
        assert produced(fd) == ROUNDS * (repeat + 1) * each * (size + 8), produced(fd)
        return out


ringbuf_case(64)
ringbuf_case(4096)


# What tracing programs alone may call: a raw tracepoint program runs once a call, so the calls are counted from outside.


def tracing_case(name, body, wanted, pre=(), each=EACH):
    @case("run", name)
    def run():
        want = wanted() if callable(wanted) else wanted
        code = a.asm(*pre, a.mov_imm(R9, 0), *body * each, a.mov32(R0, R9), a.exit_())
        return timed_calls(code, each, check=equals(want))


def read_case(size):
    """A whole read of the kernel's memory: the value of an array's element, as the verifier lets it be named."""

    @case("run", "probe_read_kernel of %d bytes" % size)
    def run():
        fd = b.check(b.map_create(b.ARRAY, 4, size, 1), "map")
        b.check(b.update(fd, bytes(4), b"\7" * size), "update")
        body = [a.mov(R1, R10), a.add_imm(R1, -size), a.mov_imm(R2, size), a.mov(R3, R6), a.call(PROBE_READ), a.add(R9, R0)]
        code = a.asm(
            a.ld_map_value(R6, fd),
            a.mov_imm(R9, 0),
            *body * EACH,
            a.ldx(1, R1, R10, -1),
            a.add(R9, R1),
            a.mov32(R0, R9),
            a.exit_(),
        )
        return timed_calls(code, EACH, check=equals(7))


read_case(8)
read_case(256)


@case("run", "probe_read_kernel_str of 32 bytes")
def read_str():
    fd = b.check(b.map_create(b.ARRAY, 4, 64, 1), "map")
    b.check(b.update(fd, bytes(4), b"x" * 31 + bytes(33)), "update")
    body = [a.mov(R1, R10), a.add_imm(R1, -64), a.mov_imm(R2, 64), a.mov(R3, R6), a.call(PROBE_READ_STR), a.add(R9, R0)]
    code = a.asm(a.ld_map_value(R6, fd), a.mov_imm(R9, 0), *body * EACH, a.mov32(R0, R9), a.exit_())
    return timed_calls(code, EACH, check=equals(32 * EACH))


tracing_case(
    "get_current_comm",
    [a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(COMM), a.add(R9, R0), a.ldx(1, R1, R10, -16), a.add(R9, R1)],
    lambda: EACH * open("/proc/self/comm", "rb").read(1)[0],
)
tracing_case("get_current_pid_tgid", [a.call(PID_TGID), a.add(R9, R0)], lambda: EACH * os.getpid() & 0xFFFFFFFF)


@case("run", "ktime_get_ns")
def ktime():
    code = a.asm(
        *[a.call(KTIME), a.mov(R6, R0)] * EACH,
        a.call(KTIME),
        a.mov_imm(R9, 0),
        a.jmp("lt", R0, R6, "out"),
        a.mov_imm(R9, 1),
        "out",
        a.mov(R0, R9),
        a.exit_(),
    )
    return timed(load(code), each=EACH + 1, expect=1)


@case("run", "perf_event_output of 64 bytes")
def perf_output():
    each, calls = 8, 50
    fd = b.check(b.map_create(b.PERF_EVENT_ARRAY, 4, 4, os.cpu_count()), "map")
    event = b.check(att.perf_open(att.SOFTWARE, att.BPF_OUTPUT, period=1, sample_type=att.SAMPLE_RAW, wakeup=1), "perf event")
    ring = mmap.mmap(event, 4096 * 257, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)
    b.check(b.update(fd, bytes(4), q(event, 4)), "update")
    att.ioctl(event, att.IOC_ENABLE)
    body = [
        a.mov(R1, R6),
        a.ld_map(R2, fd),
        a.mov_imm(R3, -1),
        a.alu32("mov", R3, R3),
        a.mov(R4, R10),
        a.add_imm(R4, -64),
        a.mov_imm(R5, 64),
        a.call(PERF_OUTPUT),
        a.add(R9, R0),
    ]
    code = a.asm(
        a.mov(R6, R1),
        *[a.st(8, R10, -8 * (i + 1), 1) for i in range(8)],
        a.mov_imm(R9, 0),
        *body * each,
        a.mov32(R0, R9),
        a.exit_(),
    )
    out = timed_calls(code, each, calls=calls, check=equals(0))
    written = struct.unpack_from("<Q", ring, 1024)[0]
    # perf_event_header, size, 64 bytes and what aligns the whole to 8
    assert written == ROUNDS * 2 * calls * each * (8 + 4 + 64 + 4), written
    return out


@case("run", "get_stackid")
def stackid():
    """Of a kprobe's registers, so that what lies above is the same whoever calls the program."""
    each = 8
    fd = b.check(b.map_create(b.STACK_TRACE, 4, 8 * 127, 1024), "map")
    seen = att.Seen()
    body = [a.mov(R1, R6), a.ld_map(R2, fd), a.mov_imm(R3, 0), a.call(STACKID), a.stx(8, R7, 0, R0)]
    out = []
    spent = {}
    for what, code in (
        ("null", a.asm(a.ld_map_value(R7, seen.fd), a.mov(R6, R1), a.mov_imm(R0, 0), a.exit_())),
        ("all", a.asm(a.ld_map_value(R7, seen.fd), a.mov(R6, R1), *body * each, a.mov_imm(R0, 0), a.exit_())),
    ):
        event = kprobe_hook(0)(load(code, b.KPROBE))
        spent[what] = [spend_event(getppid_loop) for _ in range(ROUNDS)]
        os.close(event)
    out = [(x - y) / each for x, y in zip(spent["all"], spent["null"], strict=True)]
    ident = seen.slots()[0]
    assert ident < 1024, ident
    assert struct.unpack_from("<Q", b.lookup(fd, q(ident, 4), 8 * 127))[0] > 1 << 63
    return out
