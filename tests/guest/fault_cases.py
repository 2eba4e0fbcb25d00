# SPDX-License-Identifier: MIT
"""Runs inside a machine whose kernel injects faults: each request is made again and again, and each time the next of the
allocations that it makes in the kernel fails (/proc/self/fail-nth), until none is left.

Prints {case: [allocations that failed, answers other than success and ENOMEM]} as JSON.
"""

import ctypes
import errno
import json
import os
import struct

import asm as a
import attach_cases as events
import bpfsys as b
from asm import R0, R1, R2, R10
from kernel_btf import of_this_kernel

FAIL_NTH = "/proc/self/fail-nth"
MOST = 2000  # allocations of one request
DEBUGFS = "/sys/kernel/debug"
libc = events.libc
CASES = {}
_kept = []


def set_up():
    """Faults by count alone, in allocations that may sleep too, and without a stack in the log for each."""
    for kind in ("failslab", "fail_page_alloc"):
        for name, value in (("ignore-gfp-wait", "N"), ("verbose", "0"), ("probability", "0"), ("times", "-1")):
            with open(f"{DEBUGFS}/{kind}/{name}", "w") as file:
                file.write(value)
    with open(f"{DEBUGFS}/fail_page_alloc/min-order", "w") as file:
        file.write("0")


def case(name):
    def add(make):
        CASES[name] = make
        return make

    return add


def request(cmd, attr):
    """A bpf(2) call, ready to be made without anything being allocated on this side of it."""
    data = ctypes.create_string_buffer(bytes(attr), max(len(attr), 1))
    _kept.append(data)
    args = ctypes.c_long(b.SYS_BPF), ctypes.c_long(cmd), ctypes.byref(data), ctypes.c_ulong(len(attr))
    return lambda: libc.syscall(*args)


def fail_each(call, undo):
    """How many allocations failed in turn, and what else was answered than success and ENOMEM."""
    switch = os.open(FAIL_NTH, os.O_RDWR)
    odd = set()
    failed = 0
    try:
        for nth in range(1, MOST):
            word = str(nth).encode()
            os.pwrite(switch, word, 0)
            result = call()
            error = ctypes.get_errno()
            left = int(os.pread(switch, 16, 0))
            os.pwrite(switch, b"0", 0)
            if result >= 0:
                undo(result)
            if left:
                if result < 0:
                    odd.add("%s without a fault" % errno.errorcode[error])
                return failed, sorted(odd)
            failed += 1
            if result < 0 and error != errno.ENOMEM:
                odd.add(errno.errorcode[error])
    finally:
        os.close(switch)
    raise AssertionError("over %d allocations in one request" % MOST)


def close(fd):
    os.close(fd)


def nothing(result):
    del result


MAPS = {
    "array": (b.ARRAY, 4, 64, 100, 0), "mmapable array": (b.ARRAY, 4, 64, 100, b.F_MMAPABLE),
    "per-CPU array": (b.PERCPU_ARRAY, 4, 64, 100, 0), "hash": (b.HASH, 8, 64, 100, 0),
    "hash without preallocation": (b.HASH, 8, 64, 100, b.F_NO_PREALLOC), "per-CPU hash": (b.PERCPU_HASH, 8, 64, 100, 0),
    "LRU hash": (b.LRU_HASH, 8, 64, 100, 0), "per-CPU LRU hash": (b.LRU_PERCPU_HASH, 8, 64, 100, 0),
    "program array": (b.PROG_ARRAY, 4, 4, 20, 0), "perf event array": (b.PERF_EVENT_ARRAY, 4, 4, 20, 0),
    "stack trace": (b.STACK_TRACE, 4, 1016, 100, 0), "cgroup array": (b.CGROUP_ARRAY, 4, 4, 4, 0),
    "ring buffer": (b.RINGBUF, 0, 0, 8192, 0),
}  # fmt: skip

for _name, _spec in MAPS.items():

    @case(f"map: {_name}")
    def _(spec=_spec):
        return request(b.MAP_CREATE, b.map_attr(*spec)), close


def hash_map(value=8):
    fd = b.check(b.map_create(b.HASH, 8, value, 4000, b.F_NO_PREALLOC))
    _kept.append(fd)
    return fd


@case("map: update of a hash")
def _():
    fd = hash_map(value=512)  # smaller ones are copied to the stack
    number = [0]
    keys, value = (ctypes.c_uint64 * 4000)(*range(4000)), (ctypes.c_uint64 * 64)(7)
    _kept.append((keys, value))

    def one():
        key = ctypes.addressof(keys) + 8 * number[0]
        number[0] += 1
        return b.call(b.MAP_UPDATE_ELEM, struct.pack("<I4xQQQ", fd, key, ctypes.addressof(value), 0))

    return one, nothing


@case("map: batch of updates")
def _():
    fd, count = hash_map(), 300
    keys, values = b.buf(struct.pack(f"<{count}Q", *range(count))), b.buf(8 * count)
    _kept.append((keys, values))
    return request(b.MAP_UPDATE_BATCH, b.batch_attr(fd, keys, values, count).raw), nothing


@case("map: batch of look-ups")
def _():
    fd, count = hash_map(), 300
    keys, values, out = b.buf(struct.pack(f"<{count}Q", *range(count))), b.buf(8 * count), b.buf(8)
    _kept.append((keys, values, out))
    b.check(b.call(b.MAP_UPDATE_BATCH, b.batch_attr(fd, keys, values, count)))
    return request(b.MAP_LOOKUP_BATCH, b.batch_attr(fd, keys, values, count // 2, out_batch=out).raw), nothing


def program_code():
    """Branches, a loop, a subprogram, a map and its value, so that every part of the verifier has something to store."""
    fd = b.check(b.map_create(b.ARRAY, 4, 64, 4))
    value = b.check(b.map_create(b.ARRAY, 4, 64, 1))
    _kept.append((fd, value))
    return a.asm(
        a.st(4, R10, -4, 1), a.mov(R2, R10), a.alu64_imm("add", R2, -4), a.ld_map(R1, fd), a.call(1),
        a.jmp_imm("eq", R0, 0, "none"), a.ldx(8, R1, R0, 8), a.jmp_imm("gt", R1, 40, "none"),
        a.ld_map_value(R2, value), a.alu64_imm("and", R1, 7), a.add(R2, R1), a.st(1, R2, 0, 3),
        a.mov_imm(R1, 0), "again", a.alu64_imm("add", R1, 1), a.jmp_imm("lt", R1, 9, "again"),
        "none", a.mov_imm(R0, 0), a.exit_(),
    )  # fmt: skip


for _kind in ("SOCKET_FILTER", "KPROBE", "TRACEPOINT", "RAW_TRACEPOINT", "PERF_EVENT"):

    @case(f"load: {_kind.lower()}")
    def _(kind=_kind):
        prog = b.Prog(program_code(), getattr(b, kind), log_level=2, log_size=1 << 20, prog_name=b"faults")
        # Pages that the log is the first to touch would be allocated by the request, and EFAULT be right where one fails.
        ctypes.memset(prog.log, 1, len(prog.log))
        _kept.append(prog)
        return request(b.PROG_LOAD, prog.attr), close


@case("BTF")
def _():
    blob = b.buf(b.btf_blob(b.BTF_INT, b"\0int\0"))
    _kept.append(blob)
    return request(b.BTF_LOAD, struct.pack("<QQIII", b.addr(blob), 0, len(blob), 0, 0)), close


@case("test run")
def _():
    prog, data, out = b.check(b.prog_load(program_code())), b.buf(200), b.buf(200)
    _kept.append((prog, data, out))
    attr = struct.pack("<IIIIQQII", prog, 0, 200, 200, b.addr(data), b.addr(out), 3, 0)
    return request(b.PROG_TEST_RUN, attr), nothing


@case("info of a program")
def _():
    prog, data = b.check(b.prog_load(program_code())), b.buf(224)
    attr = struct.pack("<IIQ", prog, 224, b.addr(data))
    _kept.append((prog, data))

    def call():
        ctypes.memset(data, 0, 224)  # what came back the last time is no wish
        return b.call(b.OBJ_GET_INFO_BY_FD, attr)

    return call, nothing


@case("a program by its id")
def _():
    prog, data = b.check(b.prog_load()), b.buf(224)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", prog, 224, b.addr(data))))
    _kept.append(prog)
    return request(b.PROG_GET_FD_BY_ID, struct.pack("<III", struct.unpack_from("<I", data, 4)[0], 0, 0)), close


@case("statistics")
def _():
    return request(b.ENABLE_STATS, struct.pack("<I", 0)), close


@case("attach: raw tracepoint")
def _():
    prog, name = b.check(b.prog_load(kind=b.RAW_TRACEPOINT)), b.buf(b"sched_switch\0")
    _kept.append((prog, name))
    return request(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)), close


TRACING, TRACED = 26, {"entry": (24, 12, "vfs_read"), "return": (25, 12, "vfs_read"), "typed tracepoint": (23, 8, "btf_trace_task_rename")}


def tracing(place):
    attach, kind, name = TRACED[place]
    return {"kind": TRACING, "expected_attach_type": attach, "attach_btf_id": of_this_kernel().find(kind, name)}


for _place in TRACED:

    @case(f"load: {_place}")
    def _(place=_place):
        prog = b.Prog(program_code(), log_level=2, log_size=1 << 20, **tracing(place))
        _kept.append(prog)
        return request(b.PROG_LOAD, prog.attr), close

    @case(f"attach: {_place}")
    def _(place=_place):
        prog = b.check(b.prog_load(**tracing(place)))
        _kept.append(prog)
        return request(b.LINK_CREATE, struct.pack("<IIIIIIQ", prog, 0, TRACED[place][0], 0, 0, 0, 7)), close


def to_event(kind, make_event, link):
    """A program to an event that is opened anew each time, since SET_BPF stays till the event goes."""
    prog = b.check(b.prog_load(kind=kind))
    _kept.append(prog)
    attr = b.buf(struct.pack("<IIIIQ", prog, 0, 41, 0, 5))
    event = [make_event()]

    def call():
        if link:
            struct.pack_into("<I", attr, 4, event[0])
            return libc.syscall(ctypes.c_long(b.SYS_BPF), ctypes.c_long(b.LINK_CREATE), attr, ctypes.c_ulong(24))
        return libc.ioctl(event[0], ctypes.c_ulong(events.IOC_SET_BPF), ctypes.c_ulong(prog))

    def undo(result):
        if link:
            os.close(result)
        os.close(event[0])
        event[0] = make_event()

    return call, undo


for _how, _link in (("event", False), ("link", True)):

    @case(f"attach: kprobe by {_how}")
    def _(link=_link):
        return to_event(b.KPROBE, lambda: events.kprobe(events.PGID_NAME), link)

    @case(f"attach: kretprobe by {_how}")
    def _(link=_link):
        return to_event(b.KPROBE, lambda: events.kprobe(events.PGID_NAME, ret=1), link)

    @case(f"attach: tracepoint by {_how}")
    def _(link=_link):
        return to_event(b.TRACEPOINT, lambda: events.tracepoint("syscalls/sys_enter_getpgid"), link)

    @case(f"attach: software event by {_how}")
    def _(link=_link):
        return to_event(b.PERF_EVENT, lambda: events.perf_open(events.SOFTWARE, 0, period=1000000), link)


def opened(kind, *args, **more):
    attr = struct.pack("<IIQQQQQIIQQ", kind, 112, *args, *[0] * (9 - len(args))).ljust(112, b"\0")
    data = b.buf(attr)
    _kept.append(data)
    call = ctypes.c_long(events.SYS_PERF_EVENT_OPEN), ctypes.byref(data), -1, 0, -1, 0
    return (lambda: libc.syscall(*call)), close


@case("open: BPF output event")
def _():
    return opened(events.SOFTWARE, events.BPF_OUTPUT, 0, events.SAMPLE_RAW)


def main():
    set_up()
    answers = {}
    for name, make in CASES.items():
        call, undo = make()
        answers[name] = fail_each(call, undo)
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
