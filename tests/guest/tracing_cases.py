# SPDX-License-Identifier: MIT
"""Programs of type TRACING at functions and tracepoints, and what they saw: one JSON object on stdout.

Runs in a guest; see test_tracing.py. Functions and their arguments are the same on every kernel here.
"""

import ctypes
import json
import os
import random
import re
import signal
import socket
import struct
import sys
import time
import traceback

import attach_cases as c  # first: it finds the assembler
import bpfsys as b
from asm import R4, R5, R8
from attach_cases import CPUS, HITS, R0, R1, R2, R3, R6, R7, R10, Seen, a, keep, libc, program
from kernel_btf import FUNC, STRUCT, TYPEDEF, of_this_kernel
from programs.case import Case

BTF = of_this_kernel()
TRACING, RAW_TP, FENTRY, FEXIT, MODIFY_RETURN, ITER = 26, 23, 24, 25, 26, 28
ARG_CNT, FUNC_ARG, FUNC_RET, FUNC_IP, COOKIE = 185, 183, 184, 173, 174
SYS_READ, SYS_MMAP = 0, 9
ZERO = os.open("/dev/zero", os.O_RDONLY)
FILE = os.open("/tmp", os.O_RDONLY | os.O_DIRECTORY)
BUFFER = b.buf(1 << 16)


def tracing(seen, attach, target, body=(), **more):
    """The fd of a program for a function, or for a tracepoint."""
    kind, name = (TYPEDEF, "btf_trace_" + target) if attach == RAW_TP else (FUNC, target)
    return program(seen, TRACING, body, expected_attach_type=attach, attach_btf_id=BTF.find(kind, name), **more)


def attempt(attach, target_id, code=b.RETURN0, **more):
    """What the load of a program says: errno, and the lines of the log that are not the walk's."""
    prog = b.Prog(code, TRACING, expected_attach_type=attach, attach_btf_id=target_id, log_level=1, log_size=65536, **more)
    fd = prog.load()
    if fd >= 0:
        os.close(fd)
        return "loads"
    return [fd, *[line for line in prog.log_text().splitlines() if line and not re.match(r"\d+: |processed |;|R\d+=", line)]]


def link(prog, kind, cookie=0, target=0, btf_id=0):
    return b.call(b.LINK_CREATE, struct.pack("<IIIIIIQ", prog, target, kind, 0, btf_id, 0, cookie))


def old_link(prog, name=0):
    return b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog))


def read(count=64, hits=HITS, fd=ZERO):
    """read() of so many bytes, so often on each CPU; what the last one said."""
    for cpu in range(CPUS):
        os.sched_setaffinity(0, {cpu})
        for _ in range(hits):
            result = libc.syscall(SYS_READ, ctypes.c_int(fd), BUFFER, ctypes.c_size_t(count))
    os.sched_setaffinity(0, set(range(CPUS)))
    return result if result >= 0 else -ctypes.get_errno()


def func_arg(slot, number):
    """bpf_get_func_arg() → what it put there and, in the slot after, what it said."""
    return [
        *[a.st(8, R10, -8, 77), a.mov(R1, R6), a.mov_imm(R2, number), a.mov(R3, R10), a.add_imm(R3, -8), a.call(FUNC_ARG)],
        *[a.stx(8, R7, slot * 8 + 8, R0), a.ldx(8, R1, R10, -8), a.stx(8, R7, slot * 8, R1)],
    ]


def func_ret(slot):
    return [
        *[a.st(8, R10, -8, 77), a.mov(R1, R6), a.mov(R2, R10), a.add_imm(R2, -8), a.call(FUNC_RET)],
        *[a.stx(8, R7, slot * 8 + 8, R0), a.ldx(8, R1, R10, -8), a.stx(8, R7, slot * 8, R1)],
    ]


def signed(number):
    return ctypes.c_long(number).value


# The number of a file's inode, by way of pointers to structs.
INODE = [
    a.ldx(8, R1, R6, 0),
    a.ldx(8, R1, R1, BTF.offset("file", "f_path", "dentry")),
    a.ldx(8, R1, R1, BTF.offset("dentry", "d_inode")),
    a.ldx(8, R1, R1, BTF.offset("inode", "i_ino")),
    a.stx(8, R7, 8 * 8, R1),
]


def case_entry():
    """vfs_read(struct file *file, char *buf, size_t count, loff_t *pos)"""
    seen, count, cookie = Seen(), random.randrange(1, 4096), random.randrange(1, 1 << 63)
    body = [
        *[*keep(4, 8, 8), *keep(5, 8, 16), *INODE, *c.keep_result(6, FUNC_IP), *c.keep_result(7, COOKIE)],
        *[*c.keep_result(9, ARG_CNT), *func_arg(10, 2), *func_arg(12, 4), *func_ret(14)],
    ]
    fd = link(tracing(seen, FENTRY, "vfs_read", body), FENTRY, cookie)
    read(count)
    slot = seen.slots()
    out = {
        "link": fd >= 0,
        "buffer": slot[4] == ctypes.addressof(BUFFER),
        "count": slot[5] == count,
        "address": slot[6] == c.symbols("vfs_read")["vfs_read"],
        "cookie": slot[7] == cookie,
        "inode": slot[8] == os.fstat(ZERO).st_ino,
        "arguments": slot[9],
        "by number": [slot[10] == count, slot[11]],
        "past the last": [slot[12], signed(slot[13])],
        "result": [slot[14], signed(slot[15])],
    }
    seen.clear()
    out.update(c.during_and_after(seen, fd, read))
    return out


def case_return():
    seen, count = Seen(), random.randrange(1, 4096)
    body = [*keep(4, 8, 8), *keep(5, 8, 16), *keep(6, 8, 32), *INODE, *c.keep_result(9, ARG_CNT), *func_arg(10, 2), *func_ret(12)]
    fd = link(tracing(seen, FEXIT, "vfs_read", body), FEXIT)
    read(count)
    slot = seen.slots()
    out = {
        "link": fd >= 0,
        "buffer": slot[4] == ctypes.addressof(BUFFER),
        "count": slot[5] == count,
        "result": slot[6] == count,
        "inode": slot[8] == os.fstat(ZERO).st_ino,
        "arguments": slot[9],
        "by number": [slot[10] == count, slot[11]],
        "result by helper": [slot[12] == count, slot[13]],
    }
    out["read of a folder"] = read(fd=FILE)
    out["its result"] = signed(seen.slots()[6])
    seen.clear()
    out.update(c.during_and_after(seen, fd, read))
    return out


def case_narrow_argument():
    """fget(unsigned int fd), which returns a struct file *, in mmap()."""
    out = {}
    for name, fd in (("no file", random.randrange(1 << 16, 1 << 20)), ("file", 777)):
        seen = Seen()
        if name == "file":
            os.dup2(ZERO, fd)
        # only of this fd, since the look-up of what was seen may go through fget() too
        body = [
            *[a.ldx(4, R1, R6, 0), a.jmp_imm("ne", R1, fd, "out"), *keep(4, 8, 0), *keep(5, 4, 0), *keep(6, 8, 8)],
            *[a.ldx(8, R1, R6, 8), a.jmp_imm("eq", R1, 0, "out"), a.ldx(8, R1, R1, BTF.offset("file", "f_path", "dentry"))],
            *[a.ldx(8, R1, R1, BTF.offset("dentry", "d_inode")), a.ldx(8, R1, R1, BTF.offset("inode", "i_ino"))],
            a.stx(8, R7, 8 * 8, R1),
        ]
        link_fd = link(tracing(seen, FEXIT, "fget", body), FEXIT)
        libc.syscall(SYS_MMAP, 0, ctypes.c_size_t(4096), 1, 2, fd, ctypes.c_size_t(0))
        slot = seen.slots()
        os.close(link_fd)
        inode = slot[8] == (os.fstat(ZERO).st_ino if name == "file" else 0)
        out[name] = {"argument": slot[4] & 0xFFFFFFFF == fd, "half": slot[5] == fd, "result": slot[6] != 0, "inode": inode}
    return out


def case_old_way():
    """BPF_RAW_TRACEPOINT_OPEN without a name."""
    seen = Seen()
    fd = old_link(tracing(seen, FENTRY, "vfs_read"))
    return c.during_and_after(seen, fd, read)


def case_several():
    """Entry and return of one function, two of each; they go one by one."""
    seen = [Seen() for _ in range(4)]
    kinds = [FENTRY, FENTRY, FEXIT, FEXIT]
    fds = [link(tracing(s, kind, "vfs_read"), kind) for s, kind in zip(seen, kinds, strict=True)]
    out = []
    for fd in fds:
        read()
        out.append([sum(s.hits()) for s in seen])
        os.close(fd)
    read()
    out.append([sum(s.hits()) for s in seen])
    return out


def case_once():
    """A program is at its function once at a time."""
    prog = tracing(Seen(), FENTRY, "vfs_read")
    fd = link(prog, FENTRY)
    out = [link(prog, FENTRY), old_link(prog)]
    os.close(fd)
    again = link(prog, FENTRY)
    os.close(again)
    return [*out, again >= 0]


def case_most():
    """So many programs may be at one function."""
    seen = Seen()
    fds = [link(tracing(seen, FENTRY, "vfs_fsync"), FENTRY) for _ in range(39)]
    for fd in fds[:-1]:
        os.close(fd)
    return [min(fds[:-1]) >= 0, fds[-1]]


def case_tracepoint():
    seen, name = Seen(), f"t{random.randrange(1 << 28):07x}"
    pid = BTF.offset("task_struct", "pid")
    body = [
        *[a.ldx(8, R1, R6, 0), a.ldx(4, R2, R1, pid), a.stx(8, R7, 64, R2), a.stx(8, R7, 48, R1)],
        *[a.ldx(8, R3, R6, 8), a.mov(R1, R7), a.add_imm(R1, 32), a.mov_imm(R2, 16), a.call(115), *c.keep_result(7, 35)],
    ]
    fd = link(tracing(seen, RAW_TP, "task_rename", body), RAW_TP)
    c.rename(name)
    slot = seen.slots()
    out = {
        "name": struct.pack("<Q", slot[4]).decode() == name,
        "task": slot[6] == slot[7],
        "pid": slot[8] == os.getpid(),
        "kind": c.link_info(fd)[0],
    }
    seen.clear()
    out.update(c.during_and_after(seen, fd, lambda: c.rename(name)))
    fd = old_link(tracing(seen, RAW_TP, "task_rename"))
    out["the old way"] = c.during_and_after(seen, fd, lambda: c.rename(name))
    return out


def case_switch():
    """sched_switch(preempt, prev, next): prev is the task that it runs in. The first is a bool: a preemptible kernel may set it."""
    seen = Seen()
    pid = BTF.offset("task_struct", "pid")
    body = [
        *[*keep(4, 8, 0), a.ldx(8, R1, R6, 8), a.ldx(4, R2, R1, pid), a.stx(8, R7, 40, R2)],
        *[a.ldx(8, R1, R6, 16), a.ldx(4, R2, R1, pid), a.stx(8, R7, 48, R2)],
    ]
    fd = link(tracing(seen, RAW_TP, "sched_switch", body), RAW_TP)
    for _ in range(20):
        time.sleep(0.002)
    os.close(fd)
    slot = seen.slots()
    return {"hits": sum(seen.hits()) > 0, "preempt": slot[4] >> 1, "prev": slot[5] == os.getpid(), "next": slot[6] != slot[5]}


def case_start_time():
    """A field that old kernels keep in another unit (kmod/compat/virtual_field.c), by a load that is checked for faults."""
    seen, at = Seen(), BTF.offset("task_struct", "start_time")
    body = [a.ldx(8, R2, R6, 0), a.ldx(8, R1, R2, at), a.stx(8, R7, 4 * 8, R1)]
    fd = link(tracing(seen, RAW_TP, "task_rename", body), RAW_TP)
    c.rename("born")
    with open("/proc/self/stat") as file:
        ticks = int(file.read().rpartition(")")[2].split()[19])
    ns = seen.slots()[4]
    os.close(fd)
    # The other clock of the two runs on in suspend, which no machine here has seen; a tick is 10 ms.
    return {"since boot": abs(ns // 10000000 - ticks) <= 2 or [ns, ticks]}


def case_typed_raw_tracepoint_past_the_end():
    return attempt(RAW_TP, BTF.find(TYPEDEF, "btf_trace_task_rename"), a.asm(a.ldx(8, R0, R1, 16), a.exit_()))


def case_infos():
    out = {}
    for name, kind in (("entry", FENTRY), ("return", FEXIT)):
        fd = link(tracing(Seen(), kind, "vfs_read"), kind)
        info = b.buf(256)
        b.check(b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", fd, 256, b.addr(info)))), "info")
        link_type, ident, prog_id, _, attach, obj, target = struct.unpack_from("<IIIIIII", info.raw)
        with open(f"/proc/self/fdinfo/{fd}") as file:
            lines = [line.split() for line in file]
        out[name] = {
            "type": link_type,
            "ids": ident > 0 and prog_id > 0 and obj > 0,
            "attach type": attach,
            "target": target == BTF.find(FUNC, "vfs_read"),
            "fdinfo": [words for words in lines if words[0] in ("link_type:", "attach_type:")],
            "query": c.fd_query(fd),
            "detach": b.call(b.LINK_DETACH, struct.pack("<I", fd)),
        }
        os.close(fd)
    prog = tracing(Seen(), FENTRY, "vfs_read")
    info = b.buf(256)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", prog, 232, b.addr(info)))), "info")
    prog_type, target = struct.unpack_from("<I", info.raw)[0], struct.unpack_from("<I", info.raw, 224)[0]
    out["program"] = {"type": prog_type, "target": target == BTF.find(FUNC, "vfs_read")}
    return out


def case_attach_errors():
    entry = tracing(Seen(), FENTRY, "vfs_read")
    point = tracing(Seen(), RAW_TP, "task_rename")
    filter_prog = b.check(b.prog_load())
    return {
        "return of an entry": link(entry, FEXIT),
        "another type's": link(entry, 41),
        "with a target program": link(entry, FENTRY, target=filter_prog, btf_id=1),
        "with a target alone": link(entry, FENTRY, target=filter_prog),
        "with a type id alone": link(entry, FENTRY, btf_id=1),
        "with a name": old_link(entry, b.buf(b"vfs_read\0")),
        "tracepoint with a name": old_link(point, b.buf(b"task_rename\0")),
        "tracepoint as an entry": link(point, FENTRY),
        "tracepoint with a target": min(link(point, RAW_TP, target=filter_prog), 0),
        "another program": link(filter_prog, FENTRY),
        "as a kprobe": c.set_bpf(c.kprobe("vfs_read"), entry),
    }


def find_function(wanted):
    """The first function whose arguments are @wanted (a test of their sizes in registers), and that is there."""
    found = [name for name, proto in BTF.functions() if wanted(proto)]
    return next(name for name in sorted(found) if c.symbols(name))


def _scalars(proto):
    kinds = [BTF.get(BTF.bare(p))[0] if BTF.bare(p) else 0 for p in BTF.params(proto)]
    return all(kind in (1, 2, 6) for kind in kinds)


def case_more_than_six():
    """Arguments beyond the sixth are on the stack: loads, but does not attach."""
    name = find_function(lambda proto: len(BTF.params(proto)) == 8 and _scalars(proto))
    return {kind: link(tracing(Seen(), kind, name), kind) for kind in (FENTRY, FEXIT)}


def case_unsuitable_functions():
    """Variable arguments; a struct as the result."""

    def returns_struct(proto):
        result = BTF.bare(BTF.get(proto)[2])
        return result and BTF.get(result)[0] == STRUCT and _scalars(proto)

    out = {"snprintf": attempt(FENTRY, BTF.find(FUNC, "snprintf"))}
    said = attempt(FENTRY, BTF.find(FUNC, find_function(returns_struct)))
    out["result"] = [said[0], said[1].split()[3:]] if said != "loads" else said
    return out


def case_load_errors():
    read_id, point = BTF.find(FUNC, "vfs_read"), BTF.find(TYPEDEF, "btf_trace_task_rename")
    program_fd = b.check(b.prog_load())
    btf_fd = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")))
    return {
        "no target": attempt(FENTRY, 0),
        "id past the end": attempt(FENTRY, 0x7FFFF)[0],
        "id beyond any": attempt(FENTRY, 0x7FFFFFFF),
        "id of no function": attempt(FENTRY, 1),
        "id of a struct": attempt(FENTRY, BTF.find(STRUCT, "task_struct"))[0],
        "id of no typedef": attempt(RAW_TP, read_id)[0],
        "id of another typedef": attempt(RAW_TP, BTF.find(TYPEDEF, "size_t"))[0],
        "id of a tracepoint for a function": attempt(FENTRY, point)[0],
        "no attach type": attempt(0, read_id),
        "unknown attach type": attempt(77, read_id),
        "change of the result": attempt(MODIFY_RETURN, read_id),
        "iterator": attempt(ITER, read_id),
        "at a program": attempt(FENTRY, 1, attach_prog_fd=program_fd)[0],
        "BTF of a program": attempt(FENTRY, 1, attach_prog_fd=btf_fd),
        "no such fd": attempt(FENTRY, read_id, attach_prog_fd=9999),
        "sleepable": attempt(FENTRY, read_id, prog_flags=16),
        "another type with a target": b.prog_load(kind=b.KPROBE, attach_btf_id=read_id),
        "denied": attempt(FENTRY, BTF.find(FUNC, "migrate_disable")) if BTF.find(FUNC, "migrate_disable") else [-22],
    }


def vmlinux_fd():
    """The kernel's own types by an fd."""
    ident = 0
    while True:
        attr = b.buf(struct.pack("<II", ident, 0))
        b.check(b.call(b.BTF_GET_NEXT_ID, attr), "vmlinux")
        ident = struct.unpack_from("<I", attr.raw, 4)[0]
        fd = b.check(b.call(b.BTF_GET_FD_BY_ID, struct.pack("<II", ident, 0)))
        name = b.buf(64)
        info = b.buf(struct.pack("<QIIQII", 0, 0, 0, b.addr(name), 64, 0))
        b.check(b.call(b.OBJ_GET_INFO_BY_FD, b.buf(struct.pack("<IIQ", fd, 32, b.addr(info)))))
        if name.value == b"vmlinux" and struct.unpack_from("<I", info.raw, 28)[0]:
            return fd
        os.close(fd)


def case_types_by_fd():
    tracing(Seen(), FENTRY, "vfs_read")  # whoever reads the kernel's types at first use has them from here on
    fd, target = vmlinux_fd(), BTF.find(FUNC, "vfs_read")
    out = [attempt(FENTRY, target, attach_prog_fd=fd), attempt(FENTRY, 0, attach_prog_fd=fd)]
    return [*out, attempt(FENTRY, 1, attach_prog_fd=fd), b.prog_load(kind=b.KPROBE, attach_prog_fd=fd)]


def case_prog_array():
    """Tail calls stay among programs of the same prototype."""

    def user(kind, name, array):
        code = a.asm(a.ld_map(R2, array), a.mov_imm(R3, 0), a.call(12), a.mov_imm(R0, 0), a.exit_())
        more = {"expected_attach_type": kind, "attach_btf_id": BTF.find(FUNC, name)}
        return b.prog_load(code, TRACING, **more)

    array = b.check(b.map_create(b.PROG_ARRAY, 4, 4, 1))
    out = {"first": user(FENTRY, "vfs_read", array) >= 0}
    for name, kind in (("vfs_read", FENTRY), ("vfs_fsync", FENTRY), ("vfs_read", FEXIT)):
        prog = tracing(Seen(), kind, name)
        out[f"{name} {kind}"] = b.update(array, bytes(4), struct.pack("<I", prog))
    return out


def case_run():
    return [b.call(b.PROG_TEST_RUN, struct.pack("<II", tracing(Seen(), RAW_TP, "task_rename"), 0) + bytes(72)) < 0]


def case_inside():
    """Taken away while a task is in the function, which returns later."""
    seen = Seen()
    out, into = os.pipe()
    fd = link(tracing(seen, FEXIT, "vfs_read", mine=False), FEXIT)
    pid = os.fork()
    if not pid:
        os._exit(0 if os.read(out, 1) == b"x" else 1)
    time.sleep(0.2)
    os.close(fd)
    seen.clear()
    os.write(into, b"x")
    # On Linux a call that came in through the trampoline leaves through it; a probe that is gone is gone.
    return {"status": os.waitpid(pid, 0)[1], "hits": sum(seen.hits()) <= 1}


def case_killed():
    counts = [Seen() for _ in range(3)]
    ready, tell = os.pipe()
    pid = os.fork()
    if not pid:
        link(tracing(counts[0], FENTRY, "vfs_read", mine=False), FENTRY)
        link(tracing(counts[1], FEXIT, "vfs_read", mine=False), FEXIT)
        link(tracing(counts[2], RAW_TP, "task_rename", mine=False), RAW_TP)
        os.write(tell, b"x")
        signal.pause()
    os.read(ready, 1)
    read()
    c.rename("alive")
    out = {"alive": [sum(s.hits()) >= HITS for s in counts]}
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    time.sleep(0.1)
    for s in counts:
        s.clear()
    read()
    c.rename("dead")
    out["dead"] = [sum(s.hits()) for s in counts]
    return out


def find_vma(addr, flags=0):
    """What bpf_find_vma() says of an address of this process, and where the mapping begins that its callback is shown."""
    seen = Seen()
    code = a.asm(
        *[a.call(14), a.alu64_imm("rsh", R0, 32), a.jmp_imm("ne", R0, os.getpid(), "out")],
        *[a.st(8, R10, -8, 0), a.call(158), a.mov(R1, R0), a.ld_imm64(R2, addr), a.ld_func(R3, "callback")],
        *[a.mov(R4, R10), a.add_imm(R4, -8), a.mov_imm(R5, flags), a.call(180)],
        *[a.ld_map_value(R7, seen.fd), a.stx(8, R7, 0, R0), a.ldx(8, R1, R10, -8), a.stx(8, R7, 8, R1)],
        *["out", a.mov_imm(R0, 0), a.exit_()],
        *["callback", a.ldx(8, R1, R2, BTF.offset("vm_area_struct", "vm_start")), a.stx(8, R3, 0, R1), a.mov_imm(R0, 0), a.exit_()],
    )
    blob, records = Case("", "", code).func_info()
    btf, info = b.check(b.btf_load(blob)), b.buf(records)
    fields = {"prog_btf_fd": btf, "func_info": b.addr(info), "func_info_cnt": len(records) // 8, "func_info_rec_size": 8}
    target = BTF.find(FUNC, "vfs_read")
    prog = b.Prog(code, TRACING, expected_attach_type=FENTRY, attach_btf_id=target, log_level=1, log_size=65536, **fields)
    fd = prog.load()
    if fd < 0:
        raise OSError(-fd, prog.log_text())
    with_it = link(fd, FENTRY)
    libc.syscall(SYS_READ, ZERO, BUFFER, ctypes.c_size_t(16))
    os.close(with_it)
    said, start = seen.slots()[:2]
    for one in (fd, btf, seen.fd):
        os.close(one)
    return [signed(said), start]


def case_find_vma():
    addr = ctypes.addressof(BUFFER)
    lines = [line.split()[0].split("-") for line in open("/proc/self/maps")]
    start = [int(low, 16) for low, high in lines if int(low, 16) <= addr < int(high, 16)]
    found = [find_vma(addr) for _ in range(20)]
    # it does not wait for the mappings, should they be in use
    return {
        "found": {str(said) for said, _ in found if said != -16} == {"0"},
        "begins there": {at for said, at in found if not said} == set(start),
        "nothing there": find_vma(1),
        "flags": find_vma(addr, 1),
    }


def case_unix_socket():
    """unix_listen(struct socket *sock, int backlog)"""
    seen, family = Seen(), BTF.offset("sock", "__sk_common", "skc_family")
    body = [
        *[a.ldx(8, R1, R6, 0), a.ldx(8, R6, R1, BTF.offset("socket", "sk")), a.mov(R1, R6), a.call(178)],
        *[a.jmp_imm("eq", R0, 0, "out"), a.mov(R8, R0), a.ldx(2, R1, R8, family), a.stx(8, R7, 4 * 8, R1)],
        *[a.mov(R1, R6), a.call(137), a.mov_imm(R1, 1), a.jmp_imm("eq", R0, 0, "none"), a.mov_imm(R1, 2), "none", a.stx(8, R7, 5 * 8, R1)],
    ]
    fd = link(tracing(seen, FENTRY, "unix_listen", body), FENTRY)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind("\0bpfcompat %d" % os.getpid())
    listener.listen(1)
    listener.close()
    os.close(fd)
    return {"family": seen.slots()[4], "as TCP": {1: "none"}.get(seen.slots()[5])}


def case_race():
    """Attached and detached over and over while other processes keep hitting; the harness reads the kernel log."""
    seen = Seen()
    progs = [(tracing(seen, kind, "vfs_read", mine=False), kind) for kind in (FENTRY, FEXIT, FENTRY, FEXIT)]
    progs += [(tracing(seen, RAW_TP, name, mine=False), RAW_TP) for name in ("task_rename", "sched_switch")]
    with c.hammers(lambda: libc.syscall(SYS_READ, ZERO, BUFFER, ctypes.c_size_t(16))):
        results = c.attach_and_close(lambda: [link(prog, kind) for prog, kind in progs], 8)
        hit = sum(seen.hits()) > 0
    seen.clear()
    read()
    return {"results": sorted(results), "hit": hit, "after": sum(seen.hits())}


def main():
    out = {}
    wanted = sys.argv[1:]
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
