# SPDX-License-Identifier: MIT
"""Attaches small programs to everything there is and tells what they saw: one JSON object on stdout.

Runs in a guest; see test_attach.py.
"""

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import random
import select
import signal
import struct
import sys
import time
import traceback

_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir)
sys.path[:0] = [os.path.join(_TESTS, "unit"), _TESTS]

import asm as a
import bpfsys as b
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R10
from bpfsys import symbols

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
TRACING = next(d for d in ("/sys/kernel/tracing", "/sys/kernel/debug/tracing") if os.path.exists(d + "/events"))
CPUS = os.cpu_count()
TRACEPOINT_TYPE, SOFTWARE, BPF_OUTPUT, SAMPLE_RAW = 2, 1, 10, 1 << 10
IOC_ENABLE, IOC_SET_BPF = 0x2400, 0x40042408
SYS_PERF_EVENT_OPEN, SYS_GETPGID, PR_SET_NAME = 298, 121, 15
HITS = 20  # on each CPU
ESRCH = 3
PERF_LINK, RAW_TP_LINK = 7, 1


# ---- events ----


def perf_open(kind, config=0, config1=0, config2=0, cpu=0, pid=-1, period=0, sample_type=0, flags=0, wakeup=0):
    attr = struct.pack("<IIQQQQQIIQQ", kind, 112, config, period, sample_type, 0, flags, wakeup, 0, config1, config2)
    attr = b.buf(attr.ljust(112, b"\0"))
    fd = libc.syscall(SYS_PERF_EVENT_OPEN, ctypes.byref(attr), pid, cpu, -1, 0)
    return fd if fd >= 0 else -ctypes.get_errno()


def ioctl(fd, request, arg=0):
    ret = libc.ioctl(fd, ctypes.c_ulong(request), ctypes.c_ulong(arg))
    return ret if ret >= 0 else -ctypes.get_errno()


def read(path):
    with open(path) as file:
        return file.read().strip()


def kprobe_type():
    return int(read("/sys/bus/event_source/devices/kprobe/type"))


def kprobe(name, ret=0, offset=0):
    return perf_open(kprobe_type(), ret, b.addr(b.buf(name.encode() + b"\0")), offset)


def event_id(name):
    return int(read(f"{TRACING}/events/{name}/id"))


def tracepoint(name, **more):
    return perf_open(TRACEPOINT_TYPE, event_id(name), **more)


def field(event, name):
    """Offset of a field in a trace record."""
    for line in read(f"{TRACING}/events/{event}/format").splitlines():
        if line.strip().startswith("field:") and line.split(";")[0].split()[-1].split("[")[0] == name:
            return int(line.split("offset:")[1].split(";")[0])
    raise KeyError(name)


def set_bpf(event, prog):
    return ioctl(event, IOC_SET_BPF, prog)


def link_create(prog, target, cookie=0, flags=0, kind=41):
    return b.call(b.LINK_CREATE, struct.pack("<IIIIQ", prog, target & 0xFFFFFFFF, kind, flags, cookie))


def raw_tp_open(name, prog):
    return b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(b.buf(name.encode() + b"\0")), prog))


PGID = symbols("sys_getpgid", "__x64_sys_getpgid")
PGID_NAME = "__x64_sys_getpgid" if "__x64_sys_getpgid" in PGID else "sys_getpgid"


# ---- programs: they count their hits by CPU in slots 0 to 3 and put what they see in the slots after ----


class Seen:
    """A map of 32 numbers."""

    def __init__(self):
        self.fd = b.check(b.map_create(b.ARRAY, 4, 256, 1), "map")

    def slots(self):
        return struct.unpack("<32Q", b.lookup(self.fd, struct.pack("<I", 0), 256))

    def hits(self):
        return list(self.slots()[:CPUS])

    def clear(self):
        b.check(b.update(self.fd, struct.pack("<I", 0), bytes(256)), "update")


def program(seen, kind, body=(), ret=0, mine=True, **more):
    """The program's fd. The context is in r6, the map's value in r7."""
    only_mine = [a.call(14), a.alu64_imm("rsh", R0, 32), a.jmp_imm("ne", R0, os.getpid(), "out")] if mine else []
    code = a.asm(
        a.mov(R6, R1),
        *only_mine,
        a.call(8),
        a.alu64_imm("and", R0, 3),
        a.alu64_imm("lsh", R0, 3),
        a.ld_map_value(R7, seen.fd),
        a.mov(R1, R7),
        a.add(R1, R0),
        a.mov_imm(R2, 1),
        a.atomic(8, "add", R1, 0, R2),
        *body,
        "out",
        a.mov_imm(R0, ret),
        a.exit_(),
    )
    prog = b.Prog(code, kind, log_level=1, log_size=65536, **more)
    fd = prog.load()
    if fd < 0:
        raise OSError(-fd, f"load: {os.strerror(-fd)}\n{prog.log_text()}")
    return fd


def keep(slot, size, off):
    """Context field → slot."""
    return [a.ldx(size, R1, R6, off), a.stx(8, R7, slot * 8, R1)]


def keep_result(slot, helper):
    return [a.mov(R1, R6), a.call(helper), a.stx(8, R7, slot * 8, R0)]


def act(arg=0, hits=HITS):
    """getpgid(arg) so often on each CPU."""
    for cpu in range(CPUS):
        os.sched_setaffinity(0, {cpu})
        for _ in range(hits):
            libc.syscall(SYS_GETPGID, ctypes.c_int(arg))
    os.sched_setaffinity(0, set(range(CPUS)))


def rename(name, hits=HITS):
    for cpu in range(CPUS):
        os.sched_setaffinity(0, {cpu})
        for _ in range(hits):
            libc.prctl(PR_SET_NAME, b.buf(name.encode() + b"\0"))
    os.sched_setaffinity(0, set(range(CPUS)))


def during_and_after(seen, event, activity):
    """Hits while the event is open, and after it was closed."""
    activity()
    during = seen.hits()
    os.close(event)
    seen.clear()
    activity()
    return {"during": during, "after": seen.hits()}


# ---- cases ----


def case_kprobe():
    seen = Seen()
    prog = program(seen, b.KPROBE, [*keep_result(4, 173), *keep_result(5, 174)])
    event = kprobe(PGID_NAME)
    out = {"attach": set_bpf(event, prog), "again": set_bpf(event, prog)}
    act()
    out["func_ip"] = seen.slots()[4] == PGID[PGID_NAME]
    out["cookie"] = seen.slots()[5]
    out.update(during_and_after(seen, event, act))
    return out


def case_kretprobe():
    seen = Seen()
    prog = program(seen, b.KPROBE, [*keep(4, 8, 80), *keep_result(5, 173)])
    event = kprobe(PGID_NAME, ret=1)
    out = {"attach": set_bpf(event, prog)}
    act(-random.randrange(2, 1 << 20))
    out["result"] = ctypes.c_int(seen.slots()[4] & 0xFFFFFFFF).value
    out["func_ip"] = seen.slots()[5] == PGID[PGID_NAME]
    seen.clear()
    out.update(during_and_after(seen, event, act))
    return out


def case_kprobe_by_address():
    seen = Seen()
    event = perf_open(kprobe_type(), 0, 0, PGID[PGID_NAME])
    out = {"attach": set_bpf(event, program(seen, b.KPROBE))}
    out.update(during_and_after(seen, event, act))
    return out


def case_kprobe_errors():
    kind = kprobe_type()
    data = symbols("jiffies", "jiffies_64")
    seen = Seen()
    prog = program(seen, b.KPROBE)
    event = kprobe(PGID_NAME)
    out = {
        "no such symbol": kprobe("no_such_function_of_any_kernel"),
        "neither name nor address": perf_open(kind),
        "bad pointer": perf_open(kind, 0, 16),
        "return probe inside a function": kprobe(PGID_NAME, 1, 3),
        "address of data": perf_open(kind, 0, 0, min(data.values())),
        "name too long": kprobe("x" * 4000),
        "program of another type": set_bpf(event, program(seen, b.TRACEPOINT)),
        "bad program fd": set_bpf(event, 9999),
        "fd of a map": set_bpf(event, seen.fd),
        "not an event": set_bpf(prog, prog),
        "bad event fd": set_bpf(9999, prog),
        "link to no fd": link_create(prog, -1),
        "link to a program": link_create(prog, prog),
        "link with flags": link_create(prog, event, flags=1),
        "link of another kind": link_create(prog, event, kind=0),
    }
    os.close(event)
    return out


def case_syscall_enter():
    seen = Seen()
    arg = random.randrange(1 << 22, 1 << 30)
    event = tracepoint("syscalls/sys_enter_getpgid")
    out = {"attach": set_bpf(event, program(seen, b.TRACEPOINT, [*keep(4, 8, 8), *keep(5, 8, 16)]))}
    act(arg)
    out["nr"], out["arg"] = seen.slots()[4], seen.slots()[5] == arg
    seen.clear()
    out.update(during_and_after(seen, event, act))
    return out


def case_syscall_exit():
    seen = Seen()
    event = tracepoint("syscalls/sys_exit_getpgid")
    out = {"attach": set_bpf(event, program(seen, b.TRACEPOINT, [*keep(4, 8, 8), *keep(5, 8, 16)]))}
    act(random.randrange(1 << 22, 1 << 30))
    out["nr"], out["ret"] = seen.slots()[4], ctypes.c_long(seen.slots()[5]).value
    seen.clear()
    out.update(during_and_after(seen, event, act))
    return out


def case_tracepoint():
    seen = Seen()
    name = f"n{random.randrange(1 << 28):07x}"
    off = field("task/task_rename", "newcomm")
    body = [*keep(4, 4, off), a.ldx(4, R1, R6, off + 4), a.stx(4, R7, 36, R1)]
    event = tracepoint("task/task_rename")
    out = {"attach": set_bpf(event, program(seen, b.TRACEPOINT, body))}
    rename(name)
    out["comm"] = struct.pack("<Q", seen.slots()[4]).decode() == name
    seen.clear()
    out.update(during_and_after(seen, event, lambda: rename(name)))
    return out


def case_tracepoint_errors():
    seen = Seen()
    event = tracepoint("task/task_rename")
    other = tracepoint("task/task_rename")
    prog = program(seen, b.TRACEPOINT)
    out = {
        "program of another type": set_bpf(event, program(seen, b.KPROBE)),
        "reads past the record": set_bpf(event, program(seen, b.TRACEPOINT, keep(4, 8, 1024))),
        "attach": set_bpf(event, prog),
        "another on the same event": set_bpf(event, program(seen, b.TRACEPOINT)),
        "the same on another event": set_bpf(other, prog),
    }
    os.close(event)
    os.close(other)
    return out


def case_several():
    """Two programs at one tracepoint, through two events; one goes."""
    one, two = Seen(), Seen()
    first, second = tracepoint("task/task_rename"), tracepoint("task/task_rename")
    out = {"attach": [set_bpf(first, program(one, b.TRACEPOINT)), set_bpf(second, program(two, b.TRACEPOINT))]}
    rename("both")
    out["both"] = [one.hits(), two.hits()]
    os.close(first)
    rename("second")
    out["one gone"] = [one.hits(), two.hits()]
    os.close(second)
    rename("none")
    out["both gone"] = [one.hits(), two.hits()]
    return out


def case_legacy_kprobe():
    seen, ret = Seen(), Seen()
    group = f"g{random.randrange(1 << 24):06x}"

    def write(text):
        fd = os.open(TRACING + "/kprobe_events", os.O_WRONLY | os.O_APPEND)
        os.write(fd, text.encode())
        os.close(fd)

    write(f"p:{group}/enter {PGID_NAME}\n")
    write(f"r:{group}/leave {PGID_NAME}\n")
    enter, leave = tracepoint(group + "/enter"), tracepoint(group + "/leave")
    out = {
        "wrong type": set_bpf(enter, program(seen, b.TRACEPOINT)),
        "attach": [
            set_bpf(enter, program(seen, b.KPROBE, keep_result(4, 173))),
            set_bpf(leave, program(ret, b.KPROBE, keep(4, 8, 80))),
        ],
    }
    act(random.randrange(1 << 22, 1 << 30))
    out["func_ip"] = seen.slots()[4] == PGID[PGID_NAME]
    out["result"] = ctypes.c_int(ret.slots()[4] & 0xFFFFFFFF).value
    out["leave"] = ret.hits()
    out["queries"] = [fd_query(enter), fd_query(leave)]
    seen.clear()
    out.update(during_and_after(seen, enter, act))
    os.close(leave)
    write(f"-:{group}/enter\n")
    write(f"-:{group}/leave\n")
    return out


def case_raw_tracepoint():
    seen = Seen()
    name = f"r{random.randrange(1 << 28):07x}"
    # args[1] of task_rename(task, comm): the new name
    body = [
        a.ldx(8, R3, R6, 8),
        a.mov(R1, R7),
        a.add_imm(R1, 32),
        a.mov_imm(R2, 16),
        a.call(115),
        *keep(6, 8, 0),
        *keep_result(7, 35),
    ]
    link = raw_tp_open("task_rename", program(seen, b.RAW_TRACEPOINT, body))
    out = {"link": link >= 0}
    rename(name)
    out["comm"] = struct.pack("<Q", seen.slots()[4]).decode() == name
    out["task"] = seen.slots()[6] == seen.slots()[7]
    seen.clear()
    out.update(during_and_after(seen, link, lambda: rename(name)))
    return out


def case_raw_tracepoint_errors():
    seen = Seen()
    prog = program(seen, b.RAW_TRACEPOINT)
    return {
        "no such tracepoint": raw_tp_open("no_such_tracepoint", prog),
        "empty name": raw_tp_open("", prog),
        "name that is no string": b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", 16, prog)),
        "program of another type": raw_tp_open("task_rename", program(seen, b.KPROBE)),
        "bad program fd": raw_tp_open("task_rename", 9999),
    }


def case_raw_tracepoint_arguments():
    """Refused past the last argument where the number is known (types, or the kernel's own table)."""
    fd = raw_tp_open("task_rename", program(Seen(), b.RAW_TRACEPOINT, keep(4, 8, 16)))
    return fd if fd < 0 else "attached"


def case_perf_event():
    seen = Seen()
    event = perf_open(SOFTWARE, 0, cpu=0, period=1000000)
    body = keep(4, 8, 168)
    out = {
        "program of another type": set_bpf(event, program(seen, b.TRACEPOINT)),
        "attach": set_bpf(event, program(seen, b.PERF_EVENT, body, mine=False)),
        "again": set_bpf(event, program(seen, b.PERF_EVENT, mine=False)),
    }
    end = time.time() + 1
    os.sched_setaffinity(0, {0})
    while time.time() < end and not seen.hits()[0]:
        pass
    os.sched_setaffinity(0, set(range(CPUS)))
    out["hit"] = seen.hits()[0] > 0
    out["elsewhere"] = sum(seen.hits()[1:])
    out["period"] = seen.slots()[4]
    os.close(event)
    seen.clear()
    time.sleep(0.1)
    out["after"] = seen.hits()
    return out


def records(ring, pages):
    """Raw data of the samples in a perf buffer."""
    head = struct.unpack_from("<Q", ring, 1024)[0]
    data = ring[4096 : 4096 * (1 + pages)]
    at, out = 0, []
    while at < head:
        kind, _, size = struct.unpack_from("<IHH", data, at)
        if kind == 9:
            length = struct.unpack_from("<I", data, at + 8)[0]
            out.append(data[at + 12 : at + 12 + length])
        at += size
    return out


def case_perf_buffer():
    """Every size from 1 to 24 bytes, from every CPU; a reader that polls wakes up."""
    outputs = [perf_open(SOFTWARE, BPF_OUTPUT, cpu=cpu, sample_type=SAMPLE_RAW, wakeup=1) for cpu in range(CPUS)]
    rings = [mmap.mmap(fd, 9 * 4096) for fd in outputs]
    array = b.check(b.map_create(b.PERF_EVENT_ARRAY, 4, 4, CPUS))
    for cpu, fd in enumerate(outputs):
        b.check(b.update(array, struct.pack("<I", cpu), struct.pack("<I", fd)))
        ioctl(fd, IOC_ENABLE)
    poll = select.epoll()
    for fd in outputs:
        poll.register(fd, select.EPOLLIN)
    out = {"idle": len(poll.poll(0))}
    number = random.randrange(1, 1 << 31)
    sizes = (1, 4, 7, 8, 12, 20, 24)
    seen = Seen()
    body = [a.ld_imm64(R1, number | number << 32)]
    body += [a.stx(8, R10, off, R1) for off in (-24, -16, -8)]
    for size in sizes:
        body += [
            a.mov(R1, R6),
            a.ld_map(R2, array),
            a.ld_imm64(R3, 0xFFFFFFFF),
            a.mov(R4, R10),
            a.add_imm(R4, -24),
            a.mov_imm(R5, size),
            a.call(25),
            a.stx(8, R7, 32, R0),
        ]
    event = kprobe(PGID_NAME)
    out["attach"] = set_bpf(event, program(seen, b.KPROBE, body))
    act(hits=1)
    out["result"] = seen.slots()[4]
    out["woken"] = len(poll.poll(2))
    payload = struct.pack("<I", number) * 6
    want_all = [payload[:size] for size in sizes]
    got = [records(ring, 8) for ring in rings]
    out["counts"] = [len(r) for r in got]
    out["payloads"] = all(r[: len(want)] == want for part in got for r, want in zip(part, want_all, strict=True))
    out["padding"] = sorted({len(r) % 8 for part in got for r in part})
    os.close(event)
    return out


def case_perf_buffer_errors():
    array = b.check(b.map_create(b.PERF_EVENT_ARRAY, 4, 4, CPUS + 1))
    clock = perf_open(SOFTWARE, 0, cpu=0)
    out = {"output event": perf_open(SOFTWARE, BPF_OUTPUT, cpu=0) >= 0, "unknown event": perf_open(SOFTWARE, 99, cpu=0)}
    b.check(b.update(array, struct.pack("<I", CPUS), struct.pack("<I", clock)))
    seen = Seen()
    body = []
    for slot, flags in ((4, 0xFFFFFFFF), (5, CPUS + 1), (6, CPUS), (7, 1 << 33)):
        body += [
            a.st(8, R10, -8, 0),
            a.mov(R1, R6),
            a.ld_map(R2, array),
            a.ld_imm64(R3, flags),
            a.mov(R4, R10),
            a.add_imm(R4, -8),
            a.mov_imm(R5, 8),
            a.call(25),
            a.stx(8, R7, slot * 8, R0),
        ]
    event = kprobe(PGID_NAME)
    set_bpf(event, program(seen, b.KPROBE, body))
    act(hits=1)
    results = [ctypes.c_long(x).value for x in seen.slots()[4:8]]
    out.update(zip(("empty slot", "past the end", "another kind of event", "bad flags"), results, strict=True))
    return out


def link_info(link):
    info = b.buf(256)
    attr = b.buf(struct.pack("<IIQ", link, 256, b.addr(info)))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, attr), "info")
    return struct.unpack_from("<III", info.raw)


def fd_query(fd):
    name = b.buf(256)
    attr = b.buf(struct.pack("<IIIIQIIQQ", os.getpid(), fd, 0, 256, b.addr(name), 0, 0, 0, 0))
    ret = b.call(b.TASK_FD_QUERY, attr)
    if ret < 0:
        return ret
    _, _, _, length, _, prog, kind, offset, address = struct.unpack_from("<IIIIQIIQQ", attr.raw)
    text = name.value.decode()
    return {
        "name": "getpgid" if text == PGID_NAME else text,
        "length": length == len(text),
        "kind": kind,
        "offset": offset,
        "addr": address != 0,
        "prog": prog > 0,
    }


def case_link():
    seen = Seen()
    cookie = random.randrange(1, 1 << 63)
    event = kprobe(PGID_NAME)
    prog = program(seen, b.KPROBE, keep_result(4, 174))
    link = b.check(link_create(prog, event, cookie), "link")
    kind, ident, prog_id = link_info(link)
    out = {"second": link_create(prog, event), "kind": kind, "ids": ident > 0 and prog_id > 0}
    out["detach command"] = b.call(b.LINK_DETACH, struct.pack("<I", link))
    os.close(event)  # the link holds it
    act()
    out["cookie"] = seen.slots()[4] == cookie
    seen.clear()
    out.update(during_and_after(seen, link, act))
    return out


def case_link_then_again():
    """A link that goes leaves its event free for another program."""
    seen = Seen()
    event = tracepoint("task/task_rename")
    link = b.check(link_create(program(seen, b.TRACEPOINT), event), "link")
    os.close(link)
    rename("free")
    out = {"gone": seen.hits(), "attach": set_bpf(event, program(seen, b.TRACEPOINT))}
    out.update(during_and_after(seen, event, lambda: rename("again")))
    return out


def case_queries():
    seen = Seen()
    out = {}
    kprobe_event = kprobe(PGID_NAME)
    out["no program"] = fd_query(kprobe_event)
    for name, event, kind in (
        ("kprobe", kprobe_event, b.KPROBE),
        ("kretprobe", kprobe(PGID_NAME, ret=1), b.KPROBE),
        ("tracepoint", tracepoint("task/task_rename"), b.TRACEPOINT),
        ("syscall", tracepoint("syscalls/sys_enter_getpgid"), b.TRACEPOINT),
    ):
        set_bpf(event, program(seen, kind))
        out[name] = fd_query(event)
        os.close(event)
    link = raw_tp_open("task_rename", program(seen, b.RAW_TRACEPOINT))
    out["raw tracepoint"] = fd_query(link)
    os.close(link)
    out["neither"] = fd_query(seen.fd)
    return out


def case_killed():
    """What a process had attached goes with it, even when it is killed."""
    counts = [Seen() for _ in range(4)]
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        set_bpf(kprobe(PGID_NAME), program(counts[0], b.KPROBE, mine=False))
        set_bpf(tracepoint("task/task_rename"), program(counts[1], b.TRACEPOINT, mine=False))
        link_create(program(counts[2], b.KPROBE, mine=False), kprobe(PGID_NAME, ret=1))
        raw_tp_open("task_rename", program(counts[3], b.RAW_TRACEPOINT, mine=False))
        os.write(tell, b"x")
        signal.pause()
    os.read(ready, 1)
    act()
    rename("alive")
    out = {"alive": [min(c.hits()) >= HITS for c in counts]}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0.1)
    for c in counts:
        c.clear()
    act()
    rename("dead")
    out["dead"] = [sum(c.hits()) for c in counts]
    return out


def case_suppressed_samples():
    """A program that returns 0 keeps its event's own sample from being written, whichever was there first."""
    out = {}
    for disabled in (0, 1):
        for ret in (0, 1):
            seen = Seen()
            event = tracepoint("syscalls/sys_enter_getpgid", period=1, sample_type=SAMPLE_RAW, flags=disabled, wakeup=1)
            ring = mmap.mmap(event, 9 * 4096)
            set_bpf(event, program(seen, b.TRACEPOINT, ret=ret))
            if disabled:
                fcntl.ioctl(event, IOC_ENABLE)
            act(hits=5)
            out[f"disabled={disabled} ret={ret}"] = [seen.hits(), len(records(ring, 8))]
            ring.close()
            os.close(event)
    return out


def case_samples_after_counts():
    """An event that only counts, then one that takes samples: programs of either may keep them from being written."""
    out = {}
    for name in ("syscalls/sys_enter_getpgid", "task/task_rename"):
        for rets in ((0, 0), (0, 1), (1, 0), (1, 1)):
            seen = [Seen(), Seen()]
            events = [tracepoint(name), tracepoint(name, period=1, sample_type=SAMPLE_RAW, wakeup=1)]
            links = [link_create(program(seen[0], b.TRACEPOINT, ret=rets[0]), events[0])]
            act(hits=5)
            rename("counts")
            before = seen[0].hits()
            ring = mmap.mmap(events[1], 9 * 4096)
            links.append(link_create(program(seen[1], b.TRACEPOINT, ret=rets[1]), events[1]))
            act(hits=5)
            rename("samples")
            out[f"{name} {rets}"] = [before, [s.hits() for s in seen], len(records(ring, 8))]
            ring.close()
            for fd in links + events:
                os.close(fd)
    return out


def case_samples_wanted_later():
    """Two events, of which one's program wants no samples until it goes: then both events get each."""
    out = {}
    for disabled in (0, 1):
        more = {"period": 1, "sample_type": SAMPLE_RAW, "flags": disabled, "wakeup": 1}
        events = [tracepoint("syscalls/sys_enter_getpgid", **more) for _ in range(2)]
        rings = [mmap.mmap(event, 9 * 4096) for event in events]
        links = [link_create(program(Seen(), b.TRACEPOINT, ret=ret), event) for ret, event in enumerate(events)]
        if disabled:
            for event in events:
                fcntl.ioctl(event, IOC_ENABLE)
        act(hits=5)
        before = [len(records(ring, 8)) for ring in rings]
        os.close(links[0])
        act(hits=5)
        out[f"disabled={disabled}"] = [before, [len(records(ring, 8)) for ring in rings]]
        os.close(links[1])
        for ring, event in zip(rings, events, strict=True):
            ring.close()
            os.close(event)
    return out


def case_unprivileged():
    """Kernel probes are for the privileged, whoever supplies the PMU."""
    back, tell = os.pipe()
    pid = os.fork()
    if not pid:
        os.setuid(65534)
        os.write(tell, str(kprobe(PGID_NAME)).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    return int(os.read(back, 20))


@contextlib.contextmanager
def hammers(hit):
    """A process on each CPU calls @hit, and renames itself, over and over."""
    pids = []
    for cpu in range(CPUS):
        pid = os.fork()
        if not pid:
            os.sched_setaffinity(0, {cpu})
            while True:
                hit()
                libc.prctl(PR_SET_NAME, b"hammer")
        pids.append(pid)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def attach_and_close(attach, turns):
    """Attaches @turns times what @attach gives fds (or errnos) for, and closes them in any order; their errnos."""
    results = set()
    for _ in range(turns):
        fds = attach()
        results.update(min(fd, 0) for fd in fds)
        random.shuffle(fds)
        for fd in fds:
            os.close(fd)
    return results


def case_race():
    """Attached and detached over and over while other processes keep hitting; the harness reads the kernel log."""
    seen = Seen()
    kprobe_prog = program(seen, b.KPROBE, mine=False)
    trace_prog = program(seen, b.TRACEPOINT, mine=False)
    raw_prog = program(seen, b.RAW_TRACEPOINT, mine=False)
    results = set()

    def attach():
        events = [kprobe(PGID_NAME), kprobe(PGID_NAME, ret=1)]
        results.update(set_bpf(event, kprobe_prog) for event in events)
        for name in ("task/task_rename", "syscalls/sys_enter_getpgid", "sched/sched_switch"):
            events.append(tracepoint(name))
            results.add(set_bpf(events[-1], trace_prog))
        link = link_create(kprobe_prog, kprobe(PGID_NAME))
        return [*events, raw_tp_open("sched_switch", raw_prog), raw_tp_open("sys_enter", raw_prog), link]

    with hammers(lambda: libc.syscall(SYS_GETPGID, 0)):
        results |= attach_and_close(attach, 5)
        hit = sum(seen.hits()) > 0
    seen.clear()
    act()
    return {"results": sorted(results), "hit": hit, "after": sum(seen.hits())}


def relink(turns):
    """Programs come to open kprobes and go, @turns times, by links and with them: errnos, and hits while there and after."""
    seen = [Seen(), Seen()]
    events = [kprobe(PGID_NAME), kprobe(PGID_NAME, ret=1)]
    progs = [program(s, b.KPROBE, mine=False) for s in seen]
    results = set()
    for turn in range(turns):
        links = [link_create(prog, event) for prog, event in zip(progs, events, strict=True)]
        results.update(min(link, 0) for link in links)
        if not turn:
            results.update(link_create(prog, event) for prog, event in zip(progs, events, strict=True))
            act()
        for link in links:
            os.close(link)
    hit = [min(s.hits()) >= HITS for s in seen]
    for s in seen:
        s.clear()
    act()
    after = [sum(s.hits()) for s in seen]
    for event in events:
        os.close(event)
    return {"results": sorted(results), "hit": hit, "after": after}


def case_relink():
    with hammers(lambda: libc.syscall(SYS_GETPGID, 0)):
        return relink(10)


def churn():
    """The same without end, for somebody to kill in the middle."""
    print("churning", flush=True)
    while True:
        relink(3)


def wait_nmi():
    """A program at the tracepoint of the NMI handler writes to a perf buffer, while one at system calls does so too."""
    out = perf_open(SOFTWARE, BPF_OUTPUT, cpu=0, sample_type=SAMPLE_RAW, wakeup=1)
    ring = mmap.mmap(out, 9 * 4096)
    array = b.check(b.map_create(b.PERF_EVENT_ARRAY, 4, 4, CPUS))
    b.check(b.update(array, struct.pack("<I", 0), struct.pack("<I", out)))
    ioctl(out, IOC_ENABLE)
    body = [
        *[a.st(8, R10, off, 7) for off in (-16, -8)],
        *[a.mov(R1, R6), a.ld_map(R2, array), a.ld_imm64(R3, 0xFFFFFFFF), a.mov(R4, R10), a.add_imm(R4, -16)],
        *[a.mov_imm(R5, 16), a.call(25), a.stx(8, R7, 32, R0)],
    ]
    nmi, calls = Seen(), Seen()
    events = [tracepoint("nmi/nmi_handler"), kprobe(PGID_NAME)]
    attached = [
        set_bpf(events[0], program(nmi, b.TRACEPOINT, body, mine=False)),
        set_bpf(events[1], program(calls, b.KPROBE, body, mine=False)),
    ]
    print("ready", attached, flush=True)
    end = time.time() + 30
    act()
    while time.time() < end and sum(nmi.hits()) < 5:
        act()
    print("hits", sum(nmi.hits()) >= 5, sum(calls.hits()) > 0, len(records(ring, 8)) > 0, flush=True)


def case_module_text():
    """The module's own functions can't be probed through its PMU, nor get programs where the PMU is the kernel's."""
    names = symbols("bc_prog_run", "bc_run_begin")
    if not names:
        return "no module"
    event = kprobe("bc_prog_run")
    if event >= 0:
        ret = set_bpf(event, program(Seen(), b.KPROBE))
        os.close(event)
        return ret
    return event


def main():
    out = {}
    wanted = sys.argv[1:]
    if wanted == ["churn"]:
        churn()
    if wanted == ["wait_nmi"]:
        wait_nmi()
        return
    for name, case in sorted(globals().items()):
        if not name.startswith("case_") or (wanted and name[5:] not in wanted):
            continue
        try:
            out[name[5:]] = case()
        except Exception:
            out[name[5:]] = {"failed": traceback.format_exc()}
    json.dump(out, sys.stdout, indent=1, sort_keys=True)
    print()


if __name__ == "__main__":
    main()
