# SPDX-License-Identifier: MIT
"""What the cases of all classes share: the table of cases, loading, keys and maps, and the ways to measure."""

import ctypes
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, os.pardir, part) for part in ("guest", "unit")]
sys.path.append(os.path.join(HERE, os.pardir))

import asm as a
import attach_cases as att
import bpfsys as b
from asm import R0, R10

SCHED_CLS = 3
ROUNDS = 2
CASES = {}
LOOKUP = 1


class Host:
    """What was compiled for this run: the loops, and the code of the C programs by name."""

    loops = None
    progs = {}

    def open(self, library, progs):
        self.loops, self.progs = ctypes.CDLL(library), progs
        for name in ("bpf", "walk", "load", "getppid", "set_name"):
            getattr(self.loops, "bench_" + name).restype = ctypes.c_long
        self.loops.bench_getppid.argtypes = self.loops.bench_set_name.argtypes = [ctypes.c_long]


host = Host()


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


EACH = 32


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


def timed_calls(code, each, calls=100, check=lambda: None, kind=b.RAW_TRACEPOINT):
    def spend(fd):
        attr = b.buf(struct.pack("<IIIIQQIIIIQQIII", fd, *[0] * 14))
        ns = host.loops.bench_bpf(b.PROG_TEST_RUN, attr, len(attr.raw) - 1, calls)
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


CALLS = 1000
GETPPID = next(name for name in ("__x64_sys_getppid", "sys_getppid") if name in att.symbols("__x64_sys_getppid", "sys_getppid"))


def spend_event(function):
    """ns a call; the best of ten parts, as the timer's tick falls into some."""
    function(50)
    return min(function(CALLS // 10) for _ in range(10)) / (CALLS // 10)


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
    return host.loops.bench_getppid(n)


def set_name_loop(n):
    return host.loops.bench_set_name(n)


# name: attach, program type, what makes it happen, its rival in tracefs
