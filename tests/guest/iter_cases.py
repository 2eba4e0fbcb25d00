# SPDX-License-Identifier: MIT
"""Iterators: what their readers get, in one piece or in bits, while what is gone through changes. One JSON object on stdout.

Runs in a guest, natively too; see test_iter.py.
"""

import array
import collections
import ctypes
import errno
import os
import re
import signal
import struct
import threading
import time

import asm as a
import bpfsys as b
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R10
from casework import Cases
from kernel_btf import FUNC, of_this_kernel

BTF = of_this_kernel()
TRACING, ITER, ITER_LINK, SLEEPABLE = 26, 28, 4, 1 << 4
LOOKUP, DELETE, PROBE_READ_KERNEL, SEQ_PRINTF, SEQ_WRITE, TASK_STACK, D_PATH = 1, 3, 113, 126, 127, 141, 147
META, SESSION, NUM = 0, 8, 16  # places in the bpf_iter_meta: seq, session_id, seq_num
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
case = Cases()


# ---- programs: context in r6, the bpf_iter_meta in r7, the seq_file in r8 ----


def iterator(target, *body, ret=0, flags=0, **more):
    code = a.asm(a.mov(R6, R1), a.ldx(8, R7, R6, 0), a.ldx(8, R8, R7, META), *body, "out", a.mov_imm(R0, ret), a.exit_())
    prog = b.Prog(
        code,
        TRACING,
        expected_attach_type=ITER,
        attach_btf_id=BTF.find(FUNC, "bpf_iter_" + target),
        log_level=1,
        log_size=1 << 16,
        prog_flags=flags,
        **more,
    )
    fd = prog.load()
    assert fd >= 0, prog.log_text()
    return fd


def write(size):
    """The @size bytes on top of the stack go out."""
    return [a.mov(R1, R8), a.mov(R2, R10), a.add_imm(R2, -size), a.mov_imm(R3, size), a.call(SEQ_WRITE)]


def pair(first, second):
    """Two numbers, which two lists of instructions leave in r1."""
    return [*first, a.stx(8, R10, -16, R1), *second, a.stx(8, R10, -8, R1), *write(16)]


def load(off, *path):
    """Follows pointers from the object at context offset @off to r1; nothing is shown without the object."""
    steps = unless_over(off)
    for size, owner, *names in path:
        steps.append(a.ldx(size, R1, R1, BTF.offset(owner, *names)))
    return steps


def unless_over(off=8):
    """The pointer at @off of the context in r1."""
    return [a.ldx(8, R1, R6, off), a.jmp_imm("eq", R1, 0, "out")]


def link_create(prog, info=b"", target=0, flags=0):
    data = b.buf(info) if info else None
    return b.call(b.LINK_CREATE, struct.pack("<IIIIQI", prog, target, ITER, flags, b.addr(data), len(info)))


def iter_create(link, flags=0):
    return b.call(b.ITER_CREATE, struct.pack("<II", link, flags))


def opened(prog, info=b""):
    link = b.check(link_create(prog, info), "link")
    fd = b.check(iter_create(link), "session")
    os.close(link)
    os.close(prog)
    return fd


def drain(fd, size=1 << 16):
    out = b""
    while True:
        part = os.read(fd, size)
        if not part:
            return out
        out += part


def numbers(data, each=2):
    assert len(data) % (8 * each) == 0, len(data)
    return list(struct.iter_unpack("<%dQ" % each, data))


def all_of(prog, info=b"", size=1 << 16):
    fd = opened(prog, info)
    out = drain(fd, size)
    os.close(fd)
    return out


def errno_of(function, *arguments):
    try:
        function(*arguments)
    except OSError as error:
        return error.errno
    return 0


def link_info(fd, name_size=64):
    name, data = b.buf(name_size or 1), b.buf(64)
    struct.pack_into("<QI", data, 16, b.addr(name) if name_size else 0, name_size)
    attr = b.buf(struct.pack("<IIQ", fd, 64, b.addr(data)))
    ret = b.call(b.OBJ_GET_INFO_BY_FD, attr)
    return ret, data.raw, name.value.decode()


def object_id(fd):
    """Of a map, program or link."""
    with open("/proc/self/fdinfo/%d" % fd) as file:
        return int(re.search(r"(?:map|prog|link|btf)_id:\t(\d+)", file.read())[1])


def map_of(kind, entries, key=4, value=8, fill=True, entries_more=0, **more):
    fd = b.check(b.map_create(kind, key, value, entries + entries_more, **more), "map")
    for i in range(entries if fill else 0):
        b.check(b.update(fd, struct.pack("<I", i), struct.pack("<Q", 1000 + i)), "update")
    return fd


def choose_map(fd):
    return struct.pack("<I", fd)


def choose_task(tid=0, pid=0, pid_fd=0):
    return struct.pack("<III", tid, pid, pid_fd)


# ---- tasks ----

TASK = pair(load(8, (4, "task_struct", "pid")), load(8, (4, "task_struct", "tgid")))


def tids(pid):
    return {int(tid) for tid in os.listdir("/proc/%s/task" % pid)}


class Threads:
    """Some threads that do nothing for as long as this lasts."""

    def __enter__(self):
        self.over = threading.Event()
        self.list = [threading.Thread(target=self.over.wait) for _ in range(3)]
        for thread in self.list:
            thread.start()
        return tids("self")

    def __exit__(self, *_):
        self.over.set()
        for thread in self.list:
            thread.join()


@case
def every_task_once():
    with Threads() as mine:
        for size in (1 << 16, 24, 1):
            seen = numbers(all_of(iterator("task", *unless_over(), *TASK), size=size))
            assert len({tid for tid, _ in seen}) == len(seen)
            assert {tid for tid, pid in seen if pid == os.getpid()} == mine, (seen, mine)
            assert (1, 1) in seen and (2, 2) in seen


@case
def numbers_of_objects_and_sessions():
    body = pair([a.ldx(8, R1, R7, NUM)], [a.ldx(8, R1, R7, SESSION)])
    link = b.check(link_create(iterator("task", *unless_over(), *body)))
    first, second = (iter_create(link) for _ in range(2))
    one, two = numbers(drain(first, 40)), numbers(drain(second))
    assert [number for number, _ in one] == list(range(len(one)))
    assert [number for number, _ in two] == list(range(len(two)))
    sessions = {session for _, session in one} | {session for _, session in two}
    assert len(sessions) == 2 and one[0][1] < two[0][1]
    for fd in (link, first, second):
        os.close(fd)


@case
def the_end_is_told_once():
    marker = a.ld_imm64(R1, 0xE0D)
    body = [
        *[a.ldx(8, R1, R6, 8), a.jmp_imm("ne", R1, 0, "out"), marker, a.stx(8, R10, -8, R1)],
        *[a.ldx(8, R1, R7, NUM), a.stx(8, R10, -16, R1), *write(16)],
    ]
    fd = opened(iterator("task", *body), choose_task(pid=os.getpid()))
    assert numbers(drain(fd)) == [(0, 0xE0D)]
    assert os.read(fd, 100) == b"" and os.read(fd, 100) == b""
    os.close(fd)


def counted(map_fd, *then):
    """r0 counts the calls, from 1 on."""
    return [
        *[a.st(4, R10, -4, 0), a.ld_map(R1, map_fd), a.mov(R2, R10), a.add_imm(R2, -4), a.call(LOOKUP)],
        *[a.jmp_imm("eq", R0, 0, "out"), a.ldx(8, R1, R0, 0), a.add_imm(R1, 1), a.stx(8, R0, 0, R1), *then],
    ]


@case
def a_program_may_ask_to_be_called_again():
    counter = map_of(b.ARRAY, 1, fill=False)
    again = [a.jmp_imm("gt", R1, 2, "go on"), a.mov_imm(R0, 1), a.exit_(), "go on"]
    fd = opened(iterator("task", *unless_over(), *counted(counter, *again), *TASK), choose_task(tid=os.getpid()))
    assert [errno_of(os.read, fd, 100) for _ in range(2)] == [errno.EAGAIN] * 2
    assert numbers(drain(fd)) == [(os.getpid(), os.getpid())]
    os.close(fd)
    os.close(counter)


@case
def an_object_that_waits_does_not_undo_others():
    """Elements 0 to 2 are written, 3 asks twice for more time, and is there when it has had it."""
    counter, elements = map_of(b.ARRAY, 1, fill=False), map_of(b.ARRAY, 6)
    again = [a.jmp_imm("eq", R1, 4, "wait"), a.jmp_imm("ne", R1, 5, "go on"), "wait", a.mov_imm(R0, 1), a.exit_(), "go on"]
    show = pair([*unless_over(16), a.ldx(4, R1, R1, 0)], [a.mov_imm(R1, 7)])
    fd = opened(iterator("bpf_map_elem", *unless_over(16), *counted(counter, *again), *show), choose_map(elements))
    assert numbers(os.read(fd, 1 << 16)) == [(i, 7) for i in range(3)]
    assert errno_of(os.read, fd, 100) == errno.EAGAIN
    assert numbers(drain(fd)) == [(i, 7) for i in range(3, 6)]
    for each in (fd, counter, elements):
        os.close(each)


@case
def more_text_than_there_is_room_for():
    big = map_of(b.ARRAY, 1, value=40000, fill=False)
    body = [a.mov(R1, R8), a.ld_map_value(R2, big), a.mov_imm(R3, 40000), a.call(SEQ_WRITE)]
    fd = opened(iterator("task", *body), choose_task(tid=os.getpid()))
    assert [errno_of(os.read, fd, 100) for _ in range(2)] == [errno.E2BIG] * 2
    os.close(fd)
    kept = [*body, a.stx(8, R10, -8, R0), *write(8)]
    fd = opened(iterator("task", *kept), choose_task(tid=os.getpid()))
    assert errno_of(os.read, fd, 100) == errno.E2BIG
    os.close(fd)
    half = [a.mov(R1, R8), a.ld_map_value(R2, big), a.mov_imm(R3, 20000), a.call(SEQ_WRITE)]
    with Threads() as mine:
        fd = opened(iterator("task", *unless_over(), *half), choose_task(pid=os.getpid()))
        parts = [len(os.read(fd, 1 << 16)) for _ in range(len(mine) + 1)]
    assert parts == [20000] * len(mine) + [0], parts
    os.close(fd)
    os.close(big)


@case
def chosen_tasks():
    with Threads() as mine:
        prog = iterator("task", *unless_over(), *TASK)
        thread = max(mine - {os.getpid()})
        assert numbers(all_of(os.dup(prog), choose_task(tid=thread))) == [(thread, os.getpid())]
        assert {tid for tid, _ in numbers(all_of(os.dup(prog), choose_task(pid=os.getpid()), 16))} == mine
        assert all_of(os.dup(prog), choose_task(pid=1 << 22)) == b""
        assert all_of(os.dup(prog), choose_task(tid=1 << 22)) == b""
        assert link_create(prog, choose_task(tid=1, pid=1)) == -errno.EINVAL
        assert link_create(prog, choose_task(pid_fd=os.open("/", os.O_RDONLY))) == -errno.EBADF
        pidfd = libc.syscall(434, os.getpid(), 0)
        if pidfd >= 0:
            assert {tid for tid, _ in numbers(all_of(os.dup(prog), choose_task(pid_fd=pidfd)))} == mine
        link = b.check(link_create(prog, choose_task(tid=thread)))
        ret, info, name = link_info(link)
        assert (ret, name, struct.unpack_from("<III", info), struct.unpack_from("<I", info, 24)[0]) == (
            0,
            "task",
            (ITER_LINK, object_id(link), object_id(prog)),
            5,
        )
        assert struct.unpack_from("<I", info, 32)[0] == thread
        assert link_info(link, 3)[0] == -errno.ENOSPC and link_info(link, 3)[2] == "ta" and link_info(link, 0)[0] == 0
        with open("/proc/self/fdinfo/%d" % link) as file:
            text = file.read()
        assert "link_type:\titer\n" in text and "target_name:\ttask\ntask_type:\tTID\ntid:\t%d\n" % thread in text, text
        os.close(link)


@case
def stacks_of_tasks():
    read_end, _ = os.pipe()
    child = os.fork()
    if not child:
        os.read(read_end, 1)
        os._exit(0)
    time.sleep(0.3)
    stack = [*unless_over(), a.mov(R2, R10), a.add_imm(R2, -64), a.mov_imm(R3, 64), a.mov_imm(R4, 0), a.call(TASK_STACK)]
    user = [*unless_over(), a.mov(R2, R10), a.add_imm(R2, -64), a.mov_imm(R3, 64), a.mov_imm(R4, 256), a.call(TASK_STACK)]
    body = [*stack, a.mov(R7, R0), *user, a.stx(8, R10, -8, R0), a.stx(8, R10, -16, R7), *write(16)]
    try:
        kernel, other = struct.unpack("<qq", all_of(iterator("task", *body), choose_task(tid=child)))
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert kernel >= 24 and other == -errno.EOPNOTSUPP, (kernel, other)
    # of a kernel thread, the first of which sleeps
    kernel, other = struct.unpack("<qq", all_of(iterator("task", *unless_over(), *body), choose_task(tid=2)))
    assert kernel >= 16 and other == -errno.EFAULT, (kernel, other)


@case
def text_by_format():
    fmt = b"%d:%s:%x\n\0"
    text = b.check(b.map_create(b.ARRAY, 4, 16, 1), "map")
    b.check(b.update(text, bytes(4), fmt.ljust(16, b"\0")))
    body = [
        *[*unless_over(), a.ldx(4, R2, R1, BTF.offset("task_struct", "pid")), a.stx(8, R10, -24, R2)],
        *[a.add_imm(R1, BTF.offset("task_struct", "comm")), a.stx(8, R10, -16, R1), a.st(8, R10, -8, 0xABC)],
        *[
            a.mov(R1, R8),
            a.ld_map_value(R2, text),
            a.mov_imm(R3, len(fmt)),
            a.mov(R4, R10),
            a.add_imm(R4, -24),
            a.mov_imm(R5, 24),
        ],
        a.call(SEQ_PRINTF),
    ]
    with open("/proc/self/comm") as file:
        comm = file.read().strip()
    out = all_of(iterator("task", *unless_over(), *body), choose_task(tid=os.getpid()))
    assert out.decode() == "%d:%s:abc\n" % (os.getpid(), comm), out
    assert all_of(iterator("task", *body), choose_task(tid=os.getpid()))
    os.close(text)


# ---- files ----


@case
def every_file_of_a_task():
    inode = load(24, (8, "file", "f_path", "dentry"), (8, "dentry", "d_inode"), (8, "inode", "i_ino"))
    body = [*unless_over(24), *pair([a.ldx(4, R1, R6, 16)], inode)]
    high = os.dup2(0, 900)
    prog = iterator("task_file", *body)
    for size in (1 << 16, 20):
        seen = dict(numbers(all_of(os.dup(prog), choose_task(pid=os.getpid()), size)))
        # but for the one by which they were listed
        listed = {fd for fd in map(int, os.listdir("/proc/self/fd")) if not errno_of(os.fstat, fd)}
        assert set(seen) >= listed and high in seen, (seen, listed)
        for fd in listed:
            assert os.fstat(fd).st_ino & 0xFFFFFFFF == seen[fd] & 0xFFFFFFFF, fd
    everybody = numbers(
        all_of(iterator("task_file", *unless_over(24), *pair([a.ldx(4, R1, R6, 16)], load(8, (4, "task_struct", "tgid")))))
    )
    assert {pid for _, pid in everybody} >= {os.getpid()} and len(everybody) == len(set(everybody))
    os.close(high)
    os.close(prog)


@case
def threads_share_their_files():
    body = [*unless_over(24), *pair([a.ldx(4, R1, R6, 16)], load(8, (4, "task_struct", "pid")))]
    with Threads():
        seen = numbers(all_of(iterator("task_file", *body)))
        assert len([fd for fd, tid in seen if fd == 0 and tid in tids("self")]) == 1
        assert {tid for _, tid in seen if tid in tids("self")} == {os.getpid()}


@case
def paths_of_files():
    fd = os.open("/etc/passwd", os.O_RDONLY)
    path = [*unless_over(24), a.add_imm(R1, BTF.offset("file", "f_path")), a.mov(R2, R10), a.add_imm(R2, -64), a.mov_imm(R3, 64)]
    body = [
        *unless_over(24),
        a.ldx(4, R1, R6, 16),
        a.jmp_imm("ne", R1, fd, "out"),
        *[a.st(8, R10, -8 * i, 0) for i in range(1, 9)],
    ]
    out = all_of(iterator("task_file", *body, *path, a.call(D_PATH), *write(64)), choose_task(tid=os.getpid()))
    assert out[: out.index(b"\0")] == os.readlink("/proc/self/fd/%d" % fd).encode(), out
    os.close(fd)


@case
def files_of_bpf_objects():
    """What bpftool does to find out who holds what: by the file's operations, then the id behind private_data."""
    map_fd = map_of(b.HASH, 3, name=b"of_three")
    prog = b.check(b.prog_load(kind=b.RAW_TRACEPOINT))
    name = b.buf(b"sched_switch\0")
    link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)))
    btf = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")))

    def read_kernel(size, owner, *names):
        """Follows r3 to what it holds there, into r3."""
        return [
            *[
                a.add_imm(R3, BTF.offset(owner, *names)),
                a.st(8, R10, -8, 0),
                a.mov(R1, R10),
                a.add_imm(R1, -8),
                a.mov_imm(R2, size),
            ],
            *[a.call(PROBE_READ_KERNEL), a.ldx(8, R3, R10, -8)],
        ]

    kinds = {
        "bpf_map_fops": (map_fd, read_kernel(4, "bpf_map", "id")),
        "bpf_prog_fops": (prog, [*read_kernel(8, "bpf_prog", "aux"), *read_kernel(4, "bpf_prog_aux", "id")]),
        "bpf_link_fops": (link, read_kernel(4, "bpf_link", "id")),
        "btf_fops": (btf, read_kernel(4, "btf", "id")),
    }
    for name, (fd, find) in kinds.items():
        address = b.symbols(name).get(name, 0)
        assert address, name
        f_op = [
            *unless_over(24),
            a.ldx(8, R1, R1, BTF.offset("file", "f_op")),
            a.ld_imm64(R2, address),
            a.jmp("ne", R1, R2, "out"),
        ]
        follow = [*unless_over(24), a.ldx(8, R3, R1, BTF.offset("file", "private_data")), *find, a.stx(8, R10, -16, R3)]
        then = [a.ldx(4, R1, R6, 16), a.stx(8, R10, -8, R1), *write(16)]
        seen = {
            at: number
            for number, at in numbers(
                all_of(iterator("task_file", *unless_over(24), *f_op, *follow, *then), choose_task(pid=os.getpid()))
            )
        }
        assert seen[fd] == object_id(fd), (name, seen, fd)
        assert not {other for other, _ in kinds.values()} - {fd} & set(seen)
    for fd in (map_fd, prog, link, btf):
        os.close(fd)


# ---- mappings ----


def mappings():
    with open("/proc/self/maps") as file:
        rows = [line.split() for line in file]
    return {tuple(int(part, 16) for part in row[0].split("-")) for row in rows if row[-1] != "[vsyscall]"}


@case
def every_mapping_of_a_task():
    body = [*unless_over(16), *pair(load(16, (8, "vm_area_struct", "vm_start")), load(16, (8, "vm_area_struct", "vm_end")))]
    prog = iterator("task_vma", *body)
    before = mappings()
    for size in (1 << 16, 16, 3):
        # by process: of a thread's, Linux 6.1 begins anew whenever it has come to the end
        seen = numbers(all_of(os.dup(prog), choose_task(pid=os.getpid()), size))
        assert len(seen) == len(set(seen)) and seen == sorted(seen)
        stayed = before & mappings()
        assert stayed <= set(seen), stayed - set(seen)
    everybody = all_of(prog)
    assert len(everybody) > 16 * len(stayed)


# ---- objects ----


def every(target, what, owner):
    body = [*unless_over(), *pair(what, load(8, (8, *owner)))]
    return numbers(all_of(iterator(target, *body), size=32))


@case
def every_map():
    mine = map_of(b.HASH, 3, 4, 16, name=b"sixteen", fill=False)
    fields = pair(load(8, (4, "bpf_map", "id")), load(8, (4, "bpf_map", "value_size")))
    more = pair(load(8, (4, "bpf_map", "max_entries")), load(8, (8, "bpf_map", "name")))
    seen = numbers(all_of(iterator("bpf_map", *unless_over(), *fields, *unless_over(), *more), size=32), 4)
    assert [row[1:] for row in seen if row[0] == object_id(mine)] == [(16, 3, int.from_bytes(b"sixteen", "little"))], seen
    os.close(mine)


@case
def every_program_and_link():
    prog = b.check(b.prog_load(kind=b.RAW_TRACEPOINT, prog_name=b"seven_l"))
    name = b.buf(b"sched_switch\0")
    link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)))
    ids = load(8, (8, "bpf_prog", "aux"), (4, "bpf_prog_aux", "id"))
    seen = numbers(
        all_of(iterator("bpf_prog", *unless_over(), *pair(ids, load(8, (8, "bpf_prog", "aux"), (8, "bpf_prog_aux", "name")))))
    )
    assert dict(seen)[object_id(prog)] == int.from_bytes(b"seven_l", "little"), seen
    of_prog = load(8, (8, "bpf_link", "prog"), (8, "bpf_prog", "aux"), (4, "bpf_prog_aux", "id"))
    seen = numbers(all_of(iterator("bpf_link", *unless_over(), *pair(load(8, (4, "bpf_link", "id")), of_prog))))
    assert dict(seen)[object_id(link)] == object_id(prog), seen
    os.close(link)
    os.close(prog)


@case
def every_symbol():
    """As /proc/kallsyms has them; modules may come first or last there, and programs among them come and go."""
    body = pair(
        load(8, (8, "kallsym_iter", "value")),
        [*unless_over(), a.add_imm(R1, BTF.offset("kallsym_iter", "name")), a.ldx(8, R1, R1, 0)],
    )
    told = array.array("Q", all_of(iterator("ksym", *body)))
    exactly = set(zip(told[0::2], told[1::2], strict=True))
    with open("/proc/kallsyms") as file:
        rows = [line.split() for line in file.read().splitlines()[::5]]  # to take them all apart takes seconds
    wanted = {(int(row[0], 16), int.from_bytes(row[2].encode()[:8], "little")) for row in rows if len(row) == 3} - exactly
    # what stands behind a shorter name is of a longer one before it
    places = {value for value, _ in wanted}
    shorter = {(value, name.to_bytes(8, "little").split(b"\0")[0]) for value, name in exactly if value in places}
    lost = [(hex(value), name) for value, name in wanted if (value, name.to_bytes(8, "little").rstrip(b"\0")) not in shorter]
    assert not lost, (len(lost), lost[:5])


@case
def whose_symbol_it_is():
    """Behind the end of the kernel's own they are of modules, and have their names."""
    ends = pair(load(8, (8, "kallsym_iter", "pos_arch_end")), load(8, (8, "kallsym_iter", "pos")))
    first = [*unless_over(), a.add_imm(R1, BTF.offset("kallsym_iter", "module_name")), a.ldx(1, R1, R1, 0)]
    more = pair(first, load(8, (4, "kallsym_iter", "show_value")))
    seen = numbers(all_of(iterator("ksym", *unless_over(), *ends, *unless_over(), *more)), 4)
    wrong = [row for row in seen if (not row[0] or row[0] > row[1]) != (not row[2])]
    assert not wrong, (len(wrong), wrong[:5])
    assert {bool(row[2]) for row in seen} == {False, True} and {row[3] for row in seen} == {1}


# ---- elements ----

KEY = [*unless_over(16), a.ldx(4, R1, R1, 0)]
VALUE = [*unless_over(24), a.ldx(8, R1, R1, 0)]
ELEMENT = pair(KEY, VALUE)


def elements():
    return iterator("bpf_map_elem", *ELEMENT)


# An LRU map drops some before it is full: each CPU takes 128 free ones at a time.
LRU_MORE = collections.defaultdict(int, {b.LRU_HASH: 1800, b.LRU_PERCPU_HASH: 1800})


@case
def every_element_once():
    for kind in (b.HASH, b.ARRAY, b.LRU_HASH):
        fd = map_of(kind, 200, entries_more=LRU_MORE[kind])
        wanted = [(i, 1000 + i) for i in range(200)]
        for size in (1 << 16, 16, 3):
            assert sorted(numbers(all_of(elements(), choose_map(fd), size))) == wanted, kind
        os.close(fd)
    empty = map_of(b.HASH, 10, fill=False)
    assert all_of(elements(), choose_map(empty)) == b""
    os.close(empty)


@case
def values_of_every_cpu():
    with open("/sys/devices/system/cpu/possible") as file:
        cpus = int(file.read().strip().split("-")[-1]) + 1
    for kind in (b.PERCPU_HASH, b.PERCPU_ARRAY, b.LRU_PERCPU_HASH):
        fd = b.check(b.map_create(kind, 4, 8, 5 + LRU_MORE[kind]))
        for i in range(5):
            b.check(b.update(fd, struct.pack("<I", i), struct.pack("<%dQ" % cpus, *[10 * i + cpu for cpu in range(cpus)])))
        body = pair(KEY, [*unless_over(24), a.ldx(8, R1, R1, 8 * (cpus - 1))])
        assert sorted(numbers(all_of(iterator("bpf_map_elem", *body), choose_map(fd)))) == [
            (i, 10 * i + cpus - 1) for i in range(5)
        ], kind
        os.close(fd)


@case
def values_can_be_written():
    for kind in (b.HASH, b.ARRAY, b.LRU_HASH):
        fd = map_of(kind, 10, entries_more=LRU_MORE[kind])
        body = [*unless_over(24), a.ldx(8, R2, R1, 0), a.add_imm(R2, 5), a.stx(8, R1, 0, R2)]
        assert all_of(iterator("bpf_map_elem", *body), choose_map(fd)) == b""
        assert [struct.unpack("<Q", b.lookup(fd, struct.pack("<I", i), 8))[0] for i in range(10)] == [1005 + i for i in range(10)]
        os.close(fd)


@case
def deleted_while_shown():
    """By the program itself, each as it comes."""
    for kind, more in ((b.HASH, {}), (b.HASH, {"flags": b.F_NO_PREALLOC})):
        fd = map_of(kind, 100, **more)
        delete = [*KEY, a.stx(4, R10, -4, R1), a.ld_map(R1, fd), a.mov(R2, R10), a.add_imm(R2, -4), a.call(DELETE)]
        seen = numbers(all_of(iterator("bpf_map_elem", *ELEMENT, *delete), choose_map(fd)))
        assert sorted(seen) == [(i, 1000 + i) for i in range(100)]
        assert b.next_key(fd, None, 4) == -errno.ENOENT
        os.close(fd)


@case
def deleted_in_the_midst():
    """By others, between reads: what stays comes once at least, and what went before it could be shown does not."""
    fd = map_of(b.HASH, 300)
    session = opened(elements(), choose_map(fd))
    seen = [key for _ in range(10) for key, _ in numbers(os.read(session, 16))]
    gone = [i for i in range(300) if i % 3 and i not in seen]
    for i in gone:
        assert b.delete(fd, struct.pack("<I", i)) == 0
    for i in range(400, 500):
        b.check(b.update(fd, struct.pack("<I", i), struct.pack("<Q", i)))
    rest = [key for key, _ in numbers(drain(session, 64))]
    # the one object that the session stood at may have been looked at before
    assert len(set(gone) & set(rest)) == 0, set(gone) & set(rest)
    missed = set(range(0, 300, 3)) - set(seen) - set(rest)
    assert len(missed) <= 2, missed
    assert len(rest) == len(set(rest))
    os.close(session)
    os.close(fd)


@case
def changed_without_end():
    """A thread deletes and inserts for as long as it is read: the walk ends, and shows what nobody touched."""
    fd = map_of(b.HASH, 400)
    stop = threading.Event()

    def churn():
        i = 0
        while not stop.is_set():
            key = struct.pack("<I", 200 + i % 200)
            b.delete(fd, key)
            b.update(fd, key, bytes(8))
            i += 1

    thread = threading.Thread(target=churn)
    thread.start()
    try:
        for size in (1 << 16, 160):
            seen = [key for key, _ in numbers(all_of(elements(), choose_map(fd), size))]
            assert len(set(range(200)) - set(seen)) <= 20
    finally:
        stop.set()
        thread.join()
    os.close(fd)


@case
def reach_of_a_program():
    """Known when it meets its map."""
    far_key = iterator("bpf_map_elem", *unless_over(16), a.ldx(4, R2, R1, 4))
    far_value = iterator("bpf_map_elem", *unless_over(24), a.ldx(8, R2, R1, 8))
    small, wide = map_of(b.HASH, 1, 4, 8, fill=False), b.check(b.map_create(b.HASH, 8, 16, 1))
    queue = b.check(b.map_create(22, 0, 8, 1))
    for prog in (far_key, far_value):
        assert link_create(prog, choose_map(small)) == -errno.EACCES
        os.close(b.check(link_create(prog, choose_map(wide))))
    assert link_create(far_key, choose_map(queue)) == -errno.EINVAL
    assert link_create(far_key, choose_map(0)) == -errno.EBADF
    assert link_create(far_key) == -errno.EBADF
    assert link_create(far_key, choose_map(999)) == -errno.EBADF
    link = b.check(link_create(far_key, choose_map(wide)))
    ret, info, name = link_info(link)
    assert (ret, name, struct.unpack_from("<I", info, 28)[0]) == (0, "bpf_map_elem", object_id(wide))
    for fd in (link, far_key, far_value, small, wide, queue):
        os.close(fd)


@case
def reach_of_another_program():
    """That takes a link's place, or is called by its program: where Linux 6.1 does not look."""
    if not b.OURS:
        return
    near = iterator("bpf_map_elem", *unless_over(24), a.ldx(8, R2, R1, 0))
    far = iterator("bpf_map_elem", *unless_over(24), a.st(8, R1, 8, 1))
    progs = b.check(b.map_create(b.PROG_ARRAY, 4, 4, 1))
    calls = iterator("bpf_map_elem", a.mov(R1, R6), a.ld_map(R2, progs), a.mov_imm(R3, 0), a.call(12))
    small, wide = map_of(b.HASH, 1, 4, 8), map_of(b.HASH, 1, 8, 16, fill=False)
    links = [b.check(link_create(near, choose_map(fd))) for fd in (small, wide)]
    update = [b.call(b.LINK_UPDATE, struct.pack("<IIII", link, far, 0, 0)) for link in links]
    assert update == [-errno.EACCES, 0]
    assert numbers(drain(b.check(iter_create(links[0])))) == []
    assert [link_create(calls, choose_map(fd)) for fd in (small, wide)] == [-errno.EACCES] * 2
    for fd in (near, far, progs, calls, small, wide, *links):
        os.close(fd)


# ---- links and sessions ----


@case
def what_is_refused():
    task, elem = iterator("task"), iterator("bpf_map_elem", flags=SLEEPABLE)
    sleeper, other = iterator("task", flags=SLEEPABLE), b.check(b.prog_load(kind=b.RAW_TRACEPOINT))
    assert link_create(task, target=1) == -errno.EINVAL
    assert link_create(task, flags=1) == -errno.EINVAL
    assert link_create(task, bytes(24) + b"\1") == -errno.E2BIG
    assert link_create(task, bytes(5000)) == -errno.E2BIG
    assert b.call(b.LINK_CREATE, struct.pack("<IIIIQI", task, 0, ITER, 0, 0, 4)) == -errno.EINVAL
    assert b.call(b.LINK_CREATE, struct.pack("<IIIIQI", task, 0, ITER, 0, 4096, 0)) == -errno.EINVAL
    assert b.call(b.LINK_CREATE, struct.pack("<IIIIQI", task, 0, ITER, 0, 4096, 4)) == -errno.EFAULT
    assert b.call(b.LINK_CREATE, struct.pack("<IIII", task, 0, 24, 0)) == -errno.EINVAL
    mine = map_of(b.HASH, 1)
    assert link_create(elem, choose_map(mine)) == -errno.EINVAL
    os.close(b.check(link_create(sleeper)))
    name = b.buf(b"sched_switch\0")
    raw = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), other)))
    assert iter_create(raw) == -errno.EINVAL
    assert b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", 0, task)) == -errno.EINVAL
    link = b.check(link_create(task))
    assert iter_create(link, 1) == -errno.EINVAL
    assert iter_create(mine) == -errno.EINVAL and iter_create(999) == -errno.EBADF
    assert b.call(b.LINK_DETACH, struct.pack("<I", link)) == -errno.EOPNOTSUPP
    for fd in (task, elem, sleeper, other, mine, raw, link):
        os.close(fd)


@case
def another_program_for_a_link():
    def says(number):
        return iterator("task", *unless_over(), *pair([a.mov_imm(R1, number)], [a.mov_imm(R1, 0)]))

    def update(new, old=0, flags=0):
        return b.call(b.LINK_UPDATE, struct.pack("<IIII", link, new, flags, old))

    one, two, third = says(1), says(2), iterator("task_file")
    link = b.check(link_create(one, choose_task(tid=os.getpid())))
    before = b.check(iter_create(link))
    assert update(third) == -errno.EINVAL
    assert update(two, two, 4) == -errno.EPERM
    assert update(two, one, 4) == 0
    after = b.check(iter_create(link))
    assert (numbers(drain(before)), numbers(drain(after))) == ([(1, 0)], [(2, 0)])
    assert struct.unpack_from("<I", link_info(link)[1], 8)[0] == object_id(two)
    for fd in (one, two, third, link, before, after):
        os.close(fd)


@case
def sessions_outlive_links_and_maps():
    fd = map_of(b.HASH, 50)
    session = opened(elements(), choose_map(fd))
    first = numbers(os.read(session, 160))
    os.close(fd)
    assert len(first) + len(numbers(drain(session, 160))) == 50
    assert errno_of(os.lseek, session, 0, 0) == errno.ESPIPE
    os.close(session)


@case
def a_killed_reader():
    fd = map_of(b.HASH, 50)
    for prog, info in (
        (elements(), choose_map(fd)),
        (iterator("task_vma", *unless_over(16), *TASK), b""),
        (iterator("task_file", *unless_over(24), *TASK), b""),
    ):
        session = opened(prog, info)
        child = os.fork()
        if not child:
            while True:
                os.read(session, 16)
        time.sleep(0.1)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.read(session, 16)
        os.close(session)
    os.close(fd)


@case
def readers_share_a_session():
    fd = map_of(b.HASH, 400)
    session, parts = opened(elements(), choose_map(fd)), []

    def read():
        while True:
            part = os.read(session, 16)
            if not part:
                return
            parts.append(part)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers(b"".join(parts))) == [(i, 1000 + i) for i in range(400)]
    os.close(session)
    os.close(fd)


if __name__ == "__main__":
    case.main(each=60)
