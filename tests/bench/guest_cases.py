# SPDX-License-Identifier: MIT
"""Runs the benchmarks inside a machine: the same script natively, under the shim, and on kernels that have neither.

usage: guest_cases.py CLASS LOOPS.so PROGS.json [PATTERN]; PROGS.json is the C programs' code, {name: hex}
Prints one JSON object: {case: [ns per operation of each round]}. Under QEMU's -icount a nanosecond is an instruction. Every case
first proves that what it measures does its work. Standard library only.
"""

import ctypes
import fnmatch
import json
import mmap
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", part) for part in ("guest", "unit")]

import asm as a  # noqa: E402
import attach_cases as att  # noqa: E402
import bpfsys as b  # noqa: E402
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10  # noqa: E402

LOOKUP, UPDATE, DELETE, KTIME, SMP_ID, TAIL_CALL, PID_TGID, COMM, PERF_OUTPUT, STACKID = 1, 2, 3, 5, 8, 12, 14, 16, 25, 27
PROBE_READ, PROBE_READ_STR, RB_RESERVE, RB_SUBMIT, LOOP = 113, 115, 131, 132, 181
SCHED_CLS = 3
ROUNDS = 2
CASES = {}
libc = ctypes.CDLL(None, use_errno=True)
loops = None
progs = {}


def case(kind, name):
    def keep(function):
        CASES.setdefault(kind, {})[name] = function
        return function

    return keep


def load(code, kind=SCHED_CLS, **more):
    prog = b.Prog(code, kind, **more)
    fd = prog.load()
    if fd < 0:
        prog = b.Prog(code, kind, log_level=1, log_size=1 << 20, **more)
        prog.load()
        raise OSError(-fd, "load: %s\n%s" % (os.strerror(-fd), prog.log_text()[-1500:]))
    return fd


def q(value, size=8):
    return value.to_bytes(size, "little")


# ---- run time: PROG_TEST_RUN, many times in one call; what a program that returns at once costs is taken off ----


def test_run(fd, repeat):
    """(result, ns per run), of 64 bytes of data"""
    data = b.buf(64)
    attr = b.buf(struct.pack("<IIIIQQIIIIQQ", fd, 0, 64, 0, b.addr(data), 0, repeat, 0, 0, 0, 0, 0))
    b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
    return struct.unpack_from("<I", attr, 4)[0], struct.unpack_from("<I", attr, 36)[0]


NULL = a.asm(a.mov_imm(R0, 0), a.exit_())


def timed(fd, each=1, repeat=200, expect=0):
    null = load(NULL)
    out = []
    for _ in range(ROUNDS):
        test_run(null, 20)
        base = test_run(null, 2000)[1]
        result, _ = test_run(fd, 1)
        assert expect is None or result == expect, "returned %#x, not %#x" % (result, expect)
        out.append((test_run(fd, repeat)[1] - base) / each)
    os.close(null)
    return out


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
        function = getattr(loops, "bench_" + name)
        function.restype = ctypes.c_uint64
        skb = ctypes.c_uint32(64)
        expect = function(ctypes.byref(skb)) & 0xFFFFFFFF
        return timed(load(bytes.fromhex(progs[name])), expect=expect)

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


EACH = 32


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


def look(fd, key, size, hit=True, helper=LOOKUP):
    """One lookup with a constant key, written out before; the value's first word is added to r9 (a miss adds 1)."""
    if hit:
        then = [a.jmp_imm("eq", R0, 0, 2), a.ldx(8, R1, R0, 0), a.add(R9, R1)]
    else:
        then = [a.jmp_imm("ne", R0, 0, 1), a.add_imm(R9, 1)]
    return [a.mov(R2, R10), a.add_imm(R2, -64), a.ld_map(R1, fd), a.call(helper), *then]


def key_on_stack(key):
    out = []
    for at in range(0, len(key), 4):
        out.append(a.st(4, R10, -64 + at, struct.unpack_from("<i", key, at)[0]))
    return out


def keys(count, size):
    return [q(i * 0x9E3779B97F4A7C15 & (1 << 64) - 1).ljust(8, b"\0")[:size].ljust(size, b"k") for i in range(1, count + 1)]


def filled(kind, key, value, entries, count, **more):
    fd = b.check(b.map_create(kind, key, value, entries, **more), "map")
    for k in keys(count, key):
        b.check(b.update(fd, k, q(1) * (value // 8)), "update")
    return fd


def lookup_case(name, kind, key_size, entries, count, hit=True):
    @case("run", name)
    def run():
        if kind in (b.ARRAY, b.PERCPU_ARRAY):
            fd = b.check(b.map_create(kind, 4, 8, entries), "map")
            key = q(5, 4)
            b.check(b.update(fd, key, q(1) * (os.cpu_count() if kind == b.PERCPU_ARRAY else 1)), "update")
        else:
            fd = filled(kind, key_size, 8, entries, count)
            key = keys(count, key_size)[count // 2] if hit else b"\xff" * key_size
        return unrolled(*look(fd, key, key_size, hit), pre=key_on_stack(key), expect=EACH)


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
    key = keys(512, 8)[77]
    out = unrolled(*update_body(fd), pre=[*key_on_stack(key), a.st(8, R10, -56, 4711)])
    assert b.lookup(fd, key, 8) == q(4711)
    return out


@case("run", "hash delete and insert")
def hash_delete_insert():
    fd = filled(b.HASH, 8, 8, 1024, 512)
    key = keys(512, 8)[77]
    body = [a.mov(R2, R10), a.add_imm(R2, -64), a.ld_map(R1, fd), a.call(DELETE), a.add(R9, R0), *update_body(fd, b.NOEXIST)]
    out = unrolled(*body, pre=[*key_on_stack(key), a.st(8, R10, -56, 4712)])
    assert b.lookup(fd, key, 8) == q(4712)
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


def timed_calls(code, each, calls=100, check=lambda: None, kind=b.RAW_TRACEPOINT):
    def spend(fd):
        attr = b.buf(struct.pack("<IIIIQQIIIIQQIII", fd, *[0] * 14))
        ns = loops.bench_bpf(b.PROG_TEST_RUN, attr, len(attr.raw) - 1, calls)
        b.check(ns, "PROG_TEST_RUN")
        return ns / calls, struct.unpack_from("<I", attr, 4)[0]

    fd, null = load(code, kind), load(NULL, kind)
    out = []
    for _ in range(ROUNDS):
        spend(null)
        base, _ = spend(null)
        spend(fd)
        ns, result = spend(fd)
        check(result)
        out.append((ns - base) / each)
    return out


def equals(wanted):
    def check(result):
        assert result == wanted, "returned %#x, not %#x" % (result, wanted)

    return check


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


# ---- events: a loop of system calls, with and without ----

GETPPID = next(name for name in ("__x64_sys_getppid", "sys_getppid") if name in att.symbols("__x64_sys_getppid", "sys_getppid"))
CALLS = 1000


def spend_event(function):
    function(50)
    return function(CALLS) / CALLS


def kprobe_hook(ret):
    def attach(prog):
        event = b.check(att.kprobe(GETPPID, ret), "perf_event_open")
        b.check(att.set_bpf(event, prog), "SET_BPF")
        b.check(att.ioctl(event, att.IOC_ENABLE), "ENABLE")
        return event

    return attach


def tracepoint_hook(name):
    def attach(prog):
        event = b.check(att.tracepoint(name), "perf_event_open")
        b.check(att.set_bpf(event, prog), "SET_BPF")
        b.check(att.ioctl(event, att.IOC_ENABLE), "ENABLE")
        return event

    return attach


def raw_hook(name):
    return lambda prog: b.check(att.raw_tp_open(name, prog), "RAW_TRACEPOINT_OPEN")


def getppid_loop(n):
    return loops.bench_getppid(n)


def set_name_loop(n):
    return loops.bench_set_name(n)


# name: attach, program type, what makes it happen, its rival in tracefs
HOOKS = {
    "kprobe": (kprobe_hook(0), b.KPROBE, getppid_loop, "p:bench %s" % GETPPID),
    "kretprobe": (kprobe_hook(1), b.KPROBE, getppid_loop, "r:bench %s" % GETPPID),
    "tracepoint": (tracepoint_hook("task/task_rename"), b.TRACEPOINT, set_name_loop, "task/task_rename"),
    "raw tracepoint": (raw_hook("task_rename"), b.RAW_TRACEPOINT, set_name_loop, "task/task_rename"),
    "syscall tracepoint": (
        tracepoint_hook("syscalls/sys_enter_getppid"),
        b.TRACEPOINT,
        getppid_loop,
        "syscalls/sys_enter_getppid",
    ),
}


def event_case(name, counting):
    attach, kind, cause, _ = HOOKS[name]

    @case("events", "%s, %s" % (name, "hash increment" if counting else "null program"))
    def run():
        fd = filled(b.HASH, 8, 8, 1024, 512)
        key = keys(512, 8)[9]
        b.check(b.update(fd, key, q(0)), "update")
        if counting:
            code = a.asm(
                *key_on_stack(key),
                a.mov(R2, R10),
                a.add_imm(R2, -64),
                a.ld_map(R1, fd),
                a.call(LOOKUP),
                a.jmp_imm("eq", R0, 0, "out"),
                a.mov_imm(R1, 1),
                a.atomic(8, "add", R0, 0, R1),
                "out",
                a.mov_imm(R0, 0),
                a.exit_(),
            )
        else:
            code = NULL
        prog = load(code, kind)
        out = []
        for turn in range(ROUNDS):
            bare = spend_event(cause)
            event = attach(prog)
            out.append(spend_event(cause) - bare)
            os.close(event)
            if counting:
                hits = struct.unpack("<Q", b.lookup(fd, key, 8))[0]
                assert hits == (turn + 1) * (CALLS + 50), "%d hits, not %d" % (hits, (turn + 1) * (CALLS + 50))
        return out


for hook in HOOKS:
    event_case(hook, False)
    event_case(hook, True)


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


# ---- what its users have instead on a kernel without bpf(2): tracing by kprobe_events and trace events ----


def write(path, text):
    with open(path, "w" if not path.endswith("kprobe_events") else "a") as file:
        file.write(text)


def tracefs_case(name):
    _, _, cause, rival = HOOKS[name]

    @case("tracefs", "%s, null program" % name)
    def run():
        base = att.TRACING
        if ":" in rival:
            write(base + "/kprobe_events", rival + "\n")
            enable = base + "/events/kprobes/bench/enable"
        else:
            enable = base + "/events/%s/enable" % rival
        out = []
        for _ in range(ROUNDS):
            bare = spend_event(cause)
            write(enable, "1")
            out.append(spend_event(cause) - bare)
            write(enable, "0")
        if ":" in rival:
            write(base + "/kprobe_events", "-:bench\n")
        assert max(out) > 0
        return out


for hook in HOOKS:
    tracefs_case(hook)


# ---- maps from user space, and loading ----

OPS = 500


def map_case(name, kind, key_size, cmd, per_cpu=False):
    @case("maps", name)
    def run():
        count = 512
        if kind in (b.ARRAY, b.PERCPU_ARRAY):
            fd = b.check(b.map_create(kind, 4, 8, count), "map")
            all_keys = [q(i, 4) for i in range(count)]
        else:
            fd = filled(kind, key_size, 8, 1024, count)
            all_keys = keys(count, key_size)
        room = 8 * (os.cpu_count() if per_cpu else 1)
        key, value = b.buf(all_keys[100]), b.buf(q(7) * (room // 8))
        b.check(b.update(fd, all_keys[100], value.raw[:room]), "update")
        attr = b.buf(b.elem_attr(fd, key, value))
        if cmd == b.MAP_GET_NEXT_KEY:
            first, following = b.buf(b.next_key(fd, None, len(all_keys[0]))), b.buf(64)
            attr = b.buf(b.elem_attr(fd, first, following)[:24])
            out = []
            for _ in range(ROUNDS):
                ctypes.memmove(first, b.next_key(fd, None, len(all_keys[0])), len(all_keys[0]))
                ns = b.check(loops.bench_walk(attr, 24, first, following, len(all_keys[0]), count - 1), "walk")
                out.append(ns / (count - 1))
            return out
        out = []
        for _ in range(ROUNDS):
            b.check(loops.bench_bpf(cmd, attr, 32, 20), "warm up")
            out.append(b.check(loops.bench_bpf(cmd, attr, 32, OPS), "loop") / OPS)
        assert b.lookup(fd, all_keys[100], room) == q(7) * (room // 8)
        return out


for label, map_kind in (("hash", b.HASH), ("LRU hash", b.LRU_HASH), ("array", b.ARRAY), ("per-CPU array", b.PERCPU_ARRAY)):
    for op, command in (("lookup", b.MAP_LOOKUP_ELEM), ("update", b.MAP_UPDATE_ELEM), ("next key", b.MAP_GET_NEXT_KEY)):
        map_case("%s %s" % (label, op), map_kind, 8, command, map_kind == b.PERCPU_ARRAY)

BATCH = 1000


def batch_case(name, cmd):
    @case("maps", "hash, batch of 1000: %s" % name)
    def run():
        fd = b.check(b.map_create(b.HASH, 8, 8, 2048), "map")
        every = b"".join(keys(BATCH, 8))
        store = b.batch_attr(fd, b.buf(every), b.buf(q(3) * BATCH), BATCH)
        out = []
        for _ in range(ROUNDS):
            b.check(b.call(b.MAP_UPDATE_BATCH, store), "fill")
            room_keys, room_values, at = b.buf(8 * 2048), b.buf(8 * 2048), b.buf(8)
            if cmd in (b.MAP_UPDATE_BATCH, b.MAP_DELETE_BATCH):
                attr = b.batch_attr(fd, b.buf(every), b.buf(q(4) * BATCH), BATCH)
            else:
                attr = b.batch_attr(fd, room_keys, room_values, BATCH - 200, None, at)
            ns = loops.bench_bpf(cmd, attr, 56, 1)
            b.check(ns, name)
            done = struct.unpack_from("<I", attr, 32)[0]
            assert BATCH - 200 >= done > 500 or done == BATCH, done
            out.append(ns / done)
        left = 0 if cmd in (b.MAP_DELETE_BATCH,) else 4 if cmd == b.MAP_UPDATE_BATCH else 3
        got = b.lookup(fd, keys(BATCH, 8)[500], 8)
        assert cmd == b.MAP_LOOKUP_AND_DELETE_BATCH or (got == q(left) if left else got == -2), got
        return out


batch_case("lookup", b.MAP_LOOKUP_BATCH)
batch_case("update", b.MAP_UPDATE_BATCH)
batch_case("delete", b.MAP_DELETE_BATCH)
batch_case("lookup and delete", b.MAP_LOOKUP_AND_DELETE_BATCH)


def load_case(name, body):
    @case("load", name)
    def run():
        parts = [a.ldx(4, R6, R1, 0), a.mov_imm(R7, 1), a.mov_imm(R0, 0)]
        while len(parts) < 3999:
            parts += body(len(parts))
        prog = b.Prog(a.asm(*parts[:3999], a.exit_()), SCHED_CLS)
        b.check(prog.load(), "load")
        attr = b.buf(prog.attr)
        return [b.check(loops.bench_load(attr, len(prog.attr), 3), "load") / 3 for _ in range(ROUNDS)]


load_case(
    "program of 4000 instructions: arithmetic", lambda at: [a.add(R7, R6), a.alu64_imm("xor", R7, at), a.alu64_imm("rsh", R7, 1)]
)
load_case(
    "program of 4000 instructions: memory and jumps",
    lambda at: [
        a.stx(8, R10, -8 - at % 64 * 8, R6),
        a.ldx(8, R8, R10, -8 - at % 64 * 8),
        a.jmp_imm("gt", R8, at, 1),
        a.add_imm(R7, 1),
    ],
)


def main():
    global loops
    kind, library, table = sys.argv[1:4]
    pattern = sys.argv[4] if len(sys.argv) > 4 else "*"
    loops = ctypes.CDLL(library)
    for name in ("bpf", "walk", "load", "getppid", "set_name"):
        getattr(loops, "bench_" + name).restype = ctypes.c_long
    loops.bench_getppid.argtypes = loops.bench_set_name.argtypes = [ctypes.c_long]
    with open(table) as file:
        progs.update(json.load(file))
    sys.path.append(os.path.join(HERE, ".."))
    out = {}
    for name, function in CASES[kind].items():
        if fnmatch.fnmatch(name, pattern):
            try:
                out[name] = function()
            except (OSError, AssertionError) as error:
                out[name] = "%s: %s" % (type(error).__name__, error)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
