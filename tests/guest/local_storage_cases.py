# SPDX-License-Identifier: MIT
"""Storage of tasks, sockets and inodes, by fd and from programs, run inside a machine: prints one JSON object (casework.py)."""

import ctypes
import errno
import os
import socket
import struct
import threading
import time

import attach_cases as c
import bpfsys as b
import iter_cases as it
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R10,
    add_imm,
    alu64_imm,
    asm,
    atomic,
    call,
    exit_,
    jmp_imm,
    ld_map,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import E2BIG, EBADF, EEXIST, EINVAL, ENOENT, ENOTSUPP, EOPNOTSUPP, Cases, Map, k32, refused, same, v64
from tracing_cases import BTF, FENTRY, FUNC, link

case = Cases()
SK, INODE, TASK = 24, 28, 29
F_CLONE = 1 << 9
GET = {TASK: 156, SK: 107}
DELETE = {TASK: 157, SK: 108}
TASK_BTF, PID_TGID, SOCK_FROM_FILE = 158, 14, 162
ENOTSOCK = -errno.ENOTSOCK
NAMES = b"\0int\0u64\0bpf_spin_lock\0v\0val\0cnt\0"


def case_of_watched(function):
    """For sockets and inodes: they are seen to go by the hooks of security modules, and refused where the kernel has none."""

    def refused():
        same([made(kind) for kind in (SK, INODE)], [EOPNOTSUPP] * 2, "refused")

    refused.__name__ = function.__name__
    case(refused if b.OURS and not c.symbols("security_sk_free") else function)
    return function


def at(name):
    return NAMES.index(b"\0" + name + b"\0") + 1


# [1] int, [2] u64, [3] struct bpf_spin_lock, [4] struct v { struct bpf_spin_lock val; u64 cnt; }
TYPES = (
    struct.pack("<IIII", at(b"int"), 1 << 24, 4, 1 << 24 | 32)
    + struct.pack("<IIII", at(b"u64"), 1 << 24, 8, 64)
    + struct.pack("<IIIIII", at(b"bpf_spin_lock"), 4 << 24 | 1, 4, at(b"val"), 1, 0)
    + struct.pack("<IIIIIIIII", at(b"v"), 4 << 24 | 2, 16, at(b"val"), 3, 0, at(b"cnt"), 2, 64)
    + struct.pack("<IIIIII", 0, 3 << 24, 0, 2, 1, 8)  # [5] u64[8]
    + struct.pack("<IIIIII", 0, 3 << 24, 0, 1, 1, 16384)  # [6] int[16384]: too much
)
BTF_FD = b.check(b.btf_load(b.btf_blob(TYPES, NAMES)), "btf")


def made(kind, value=8, flags=b.F_NO_PREALLOC, key=4, entries=0, btf=BTF_FD, btf_key=1, btf_value=2):
    return b.map_create(kind, key, value, entries, flags, btf=btf, btf_key=btf_key, btf_value=btf_value)


def storage(kind, flags=0, value=8, btf_value=2):
    return Map(kind, 4, value, 0, flags | b.F_NO_PREALLOC, btf=BTF_FD, btf_key=1, btf_value=btf_value)


def pidfd(pid):
    """Where the kernel has none, a directory in /proc is as good to the module."""
    try:
        return os.pidfd_open(pid)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise
        return os.open("/proc/%d" % pid, os.O_RDONLY | os.O_DIRECTORY)


class Child:
    """A process that waits to be told to end."""

    def __init__(self, work=None):
        gate, self.gate = os.pipe()
        done, ready = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            os.close(self.gate)
            if work:
                work()
            os.write(ready, b"!")
            os.read(gate, 1)
            os._exit(0)
        os.close(gate)
        os.close(ready)
        os.read(done, 1)
        os.close(done)
        self.fd = pidfd(self.pid)

    def end(self):
        os.close(self.gate)
        os.waitpid(self.pid, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()
        os.close(self.fd)


def has_inodes():
    """Linux takes such a map only where security modules may be programs."""
    fd = made(INODE)
    if fd == EOPNOTSUPP and not b.OURS:
        return False
    os.close(b.check(fd, "inode storage"))
    return True


# ---- by fd ----


@case_of_watched
def what_can_be_made():
    for kind in (TASK, SK, INODE) if has_inodes() else (TASK, SK):
        os.close(b.check(made(kind), str(kind)))
        os.close(b.check(made(kind, flags=b.F_NO_PREALLOC | F_CLONE), "clone"))
        same(made(kind, flags=0), EINVAL, "preallocated")
        same(made(kind, flags=b.F_NO_PREALLOC | b.F_RDONLY_PROG), EINVAL, "flags")
        same(made(kind, entries=1), EINVAL, "entries")
        same(made(kind, key=8), EINVAL, "key")
        same(made(kind, value=0), EINVAL, "no value")
        same(made(kind, btf_key=0), EINVAL, "no type of keys")
        same(made(kind, btf_value=0), EINVAL, "no type of values")
        same(made(kind, value=65536, btf_value=6), E2BIG)
        same(made(kind, btf_key=3), EINVAL, "a struct for a key")
        same(made(kind, btf=9999), EBADF, "no BTF")
        same(made(kind, value=16), EINVAL, "another size")


def by_fd(m, fd, other):
    """The same for all kinds: @fd and @other are of two objects."""
    same(m.get(k32(fd)), ENOENT)
    same(m.drop(k32(fd)), ENOENT)
    same(m.put(k32(fd), v64(1), b.EXIST), ENOENT)
    same(m.put(k32(fd), v64(1), b.NOEXIST), 0)
    same(m.put(k32(fd), v64(2), b.NOEXIST), EEXIST)
    same(m.get(k32(fd)), v64(1))
    same(m.put(k32(fd), v64(3), b.EXIST), 0)
    same(m.get(k32(fd)), v64(3))
    same(m.put(k32(fd), v64(4)), 0)
    same(m.get(k32(fd)), v64(4))
    same(m.get(k32(other)), ENOENT)
    same(m.put(k32(other), v64(5)), 0)
    same([m.get(k32(fd)), m.get(k32(other))], [v64(4), v64(5)])
    same(m.put(k32(fd), v64(1), 3), EINVAL)
    same(m.put(k32(fd), v64(1), b.F_LOCK), EINVAL)
    same(m.get(k32(fd), b.F_LOCK), EINVAL)
    same(m.drop(k32(fd)), 0)
    same([m.get(k32(fd)), m.get(k32(other)), m.drop(k32(fd))], [ENOENT, v64(5), ENOENT])
    same(m.after(None), ENOTSUPP)
    same(m.after(k32(fd)), ENOTSUPP)
    same(m.pop(k32(other)), ENOTSUPP)
    for call_ in (lambda key: m.get(key), lambda key: m.put(key, v64(1)), lambda key: m.drop(key)):
        same([call_(k32(9999)), call_(k32(-1))], [EBADF, EBADF])


@case
def tasks_by_fd():
    with storage(TASK) as m, storage(TASK) as second, Child() as child:
        me = pidfd(os.getpid())
        by_fd(m, me, child.fd)
        same(second.get(k32(child.fd)), ENOENT, "of another map")
        for call_ in (lambda key: m.get(key), lambda key: m.put(key, v64(1)), lambda key: m.drop(key)):
            same([call_(k32(fd)) for fd in (m.fd, 0, BTF_FD)], [EBADF] * 3, "no process")
        os.close(me)


@case
def a_process_that_went_has_none():
    with storage(TASK) as m:
        child = Child()
        same(m.put(k32(child.fd), v64(7)), 0)
        os.close(child.gate)
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        same(m.get(k32(child.fd)), v64(7), "not yet waited for")
        os.waitpid(child.pid, 0)
        gone = ENOENT if has_pidfds() else EBADF
        same([m.get(k32(child.fd)), m.put(k32(child.fd), v64(1)), m.drop(k32(child.fd))], [gone] * 3)
        os.close(child.fd)


def switch_of_watching():
    """What switches off all that sees objects go: the tracer's sysctl, or, where the tracer pauses, the kprobes' file."""
    paused = c.symbols("function_trace_stop")
    return "/sys/kernel/debug/kprobes/enabled" if paused else "/proc/sys/kernel/ftrace_enabled"


def write(path, text):
    with open(path, "w") as file:
        file.write(text)


@case
def nothing_is_shown_of_what_may_have_gone_unseen():
    with storage(TASK) as m, Child() as child:
        same(m.put(k32(child.fd), v64(7)), 0)
        try:
            write(switch_of_watching(), "0")
        except OSError as error:  # a permanent tracer, as ours is where there are such, can't be switched off
            same((error.errno, m.get(k32(child.fd))), (errno.EBUSY, v64(7)))
            return
        try:
            off = [m.get(k32(child.fd)), m.put(k32(child.fd), v64(8)), m.get(k32(child.fd))]
        finally:
            write(switch_of_watching(), "1")
        if b.OURS:
            same(off, [ENOENT] * 3, "while it is off")
            same(m.get(k32(child.fd)), ENOENT, "noted before")
        same([m.put(k32(child.fd), v64(9)), m.get(k32(child.fd))], [0, v64(9)])


def has_pidfds():
    """Without them the directory in /proc stands for the process, and as no other may have its number it is nobody's then."""
    fd = pidfd(os.getpid())
    found = not os.path.isdir("/proc/self/fd/%d" % fd)
    os.close(fd)
    return found


@case_of_watched
def sockets_by_fd():
    with storage(SK) as m, socket.socket() as one, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as two:
        by_fd(m, one.fileno(), two.fileno())
        for call_ in (lambda key: m.get(key), lambda key: m.put(key, v64(1)), lambda key: m.drop(key)):
            same([call_(k32(fd)) for fd in (m.fd, 0)], [ENOTSOCK] * 2)


@case_of_watched
def inodes_by_fd():
    if not has_inodes():
        return
    with storage(INODE) as m:
        one, again = os.open("/etc/passwd", os.O_RDONLY), os.open("/etc/passwd", os.O_RDONLY)
        two, path = os.open("/etc", os.O_RDONLY), os.open("/etc/passwd", os.O_PATH)
        by_fd(m, one, two)
        same(m.put(k32(one), v64(9)), 0)
        same([m.get(k32(again)), m.get(k32(path))], [v64(9), v64(9)])
        os.close(one)
        same(m.get(k32(again)), v64(9), "the file is still open")
        # a file that goes takes it along
        for i in range(50):
            name = "/tmp/storage-%d" % i
            fd = os.open(name, os.O_CREAT | os.O_RDWR, 0o600)
            same(m.get(k32(fd)), ENOENT, "a new file")
            same(m.put(k32(fd), v64(i)), 0)
            same(m.get(k32(fd)), v64(i))
            os.unlink(name)
            os.close(fd)
        for fd in (again, two, path):
            os.close(fd)


@case_of_watched
def values_with_a_lock():
    for kind, fd in ((TASK, pidfd(os.getpid())), (SK, socket.socket(socket.AF_UNIX).detach())):
        with storage(kind, value=16, btf_value=4) as m:
            same(m.put(k32(fd), struct.pack("<QQ", 77, 5), b.F_LOCK), 0)
            same(m.get(k32(fd), b.F_LOCK), struct.pack("<QQ", 0, 5))
            same(m.put(k32(fd), struct.pack("<QQ", 77, 6), b.F_LOCK), 0)
            same(m.get(k32(fd)), struct.pack("<QQ", 0, 6))
            same(m.put(k32(fd), bytes(16), b.F_LOCK | b.NOEXIST), EEXIST)
            same(m.drop(k32(fd)), 0)
            same(m.put(k32(fd), bytes(16), b.F_LOCK | b.EXIST), ENOENT)
        os.close(fd)


# ---- from programs ----


def loaded(code, kind, **more):
    prog = b.Prog(asm(*code), kind, log_level=1, log_size=65536, **more)
    fd = prog.load()
    assert fd >= 0, f"PROG_LOAD: {fd}\n{prog.log_text()[-1500:]}"
    return fd


def only_mine():
    return [call(PID_TGID), alu64_imm("rsh", R0, 32), jmp_imm("ne", R0, os.getpid(), "out")]


def current():
    """R6: the current task."""
    return [call(TASK_BTF), mov(R6, R0)]


def get(m, kind, flags=1, begin=None):
    """R0: the value of R6's storage, or NULL."""
    value = [mov_imm(R3, 0)] if begin is None else [st(8, R10, -8, begin), mov(R3, R10), add_imm(R3, -8)]
    return [ld_map(R1, m.fd), mov(R2, R6), *value, mov_imm(R4, flags), call(GET[kind])]


def count(m, kind, **more):
    return [*get(m, kind, **more), jmp_imm("eq", R0, 0, "out"), mov_imm(R1, 1), atomic(8, "add", R0, 0, R1)]


END = ["out", mov_imm(R0, 0), exit_()]


class At:
    """A program at getpgid(2), through a kprobe."""

    def __init__(self, *code):
        self.prog = loaded([*code, *END], b.KPROBE)
        self.event = c.kprobe(c.PGID_NAME)
        same(c.set_bpf(self.event, self.prog), 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.event)
        os.close(self.prog)


def hit(times=1):
    for _ in range(times):
        c.libc.syscall(c.SYS_GETPGID, ctypes.c_int(0))


@case
def programs_count_for_each_task():
    with storage(TASK) as m, At(*current(), *count(m, TASK, begin=100)), Child(lambda: hit(3)) as child, Child() as idle:
        me = pidfd(os.getpid())
        hit(5)
        same([m.get(k32(fd)) for fd in (me, child.fd, idle.fd)], [v64(105), v64(103), ENOENT])
        same(m.put(k32(me), v64(7)), 0)
        hit()
        same(m.get(k32(me)), v64(8), "written from outside")
        same(m.drop(k32(me)), 0)
        hit()
        same(m.get(k32(me)), v64(101), "begun anew")
        os.close(me)


@case
def programs_make_none_unless_asked():
    with storage(TASK) as m:
        me = pidfd(os.getpid())
        for flags in (0, 2, 3, -1):
            with At(*current(), *count(m, TASK, flags=flags)):
                hit()
                same(m.get(k32(me)), ENOENT, flags)
        same(m.put(k32(me), v64(1)), 0)
        with At(*current(), *count(m, TASK, flags=0)):
            hit(2)
        same(m.get(k32(me)), v64(3))
        os.close(me)


@case
def programs_delete():
    with storage(TASK) as m, Map(b.ARRAY, 4, 8, 1) as out:
        me = pidfd(os.getpid())
        keep = [
            *[stx(8, R10, -16, R0), st(4, R10, -4, 0), ld_map(R1, out.fd), mov(R2, R10), add_imm(R2, -4)],
            *[mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(2)],
        ]
        drop = [*only_mine(), *current(), ld_map(R1, m.fd), mov(R2, R6), call(DELETE[TASK]), *keep]
        with At(*drop):
            for _ in range(2):
                same(m.put(k32(me), v64(1)), 0)
                hit()
                same([m.get(k32(me)), out.get(k32(0))[:4]], [ENOENT, k32(0)])
                hit()
                same(out.get(k32(0))[:4], k32(ENOENT))
        os.close(me)


def memory_of(m):
    with open("/proc/self/fdinfo/%d" % m.fd) as file:
        return next(int(line.split()[1]) for line in file if line.startswith("memlock"))


@case
def threads_begin_with_nothing():
    """Memory of tasks is used again at once; what was of another never shows, and none of it stays."""
    seen = set()
    with storage(TASK) as m, Map(b.ARRAY, 4, 8, 2) as out:

        def put(slot):
            return [
                *[stx(8, R10, -16, R1), st(4, R10, -4, slot), ld_map(R1, out.fd), mov(R2, R10), add_imm(R2, -4)],
                *[mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(2)],
            ]

        body = [*count(m, TASK), ldx(8, R1, R0, 0), *put(0), mov(R1, R6), *put(1)]
        with At(*only_mine(), *current(), *body):
            before = memory_of(m)
            for _ in range(1100):
                thread = threading.Thread(target=hit)
                thread.start()
                thread.join()
                same(out.get(k32(0)), v64(1))
                seen.add(out.get(k32(1)))
            # KASAN keeps what was freed for a while
            assert len(seen) < 1000 or c.symbols("kasan_quarantine_put"), "no task's memory was used again: %d" % len(seen)
            if b.OURS:
                # not one of its elements stayed with a thread that went
                assert memory_of(m) <= 3 * before, (before, memory_of(m))


@case
def processes_come_and_go_under_maps_that_do():
    """Maps are freed while tasks with storage in them are."""
    stop = threading.Event()
    ended = []

    def churn():
        while not stop.is_set():
            pid = os.fork()
            if not pid:
                hit(2)
                os._exit(0)
            ended.append(os.waitpid(pid, 0)[1])

    workers = [threading.Thread(target=churn) for _ in range(2)]
    for worker in workers:
        worker.start()
    try:
        end = time.monotonic() + b.for_races(6)
        rounds = 0
        while time.monotonic() < end or rounds < 5:
            with storage(TASK) as m, At(*current(), *count(m, TASK)):
                time.sleep(0.05)
                me = pidfd(os.getpid())
                hit(20)  # Linux gives up where a task that was put off has the lock
                assert isinstance(m.get(k32(me)), bytes)
                os.close(me)
            rounds += 1
    finally:
        stop.set()
        for worker in workers:
            worker.join()
    assert len(ended) > 5 and not any(ended), ended


@case
def programs_on_samples():
    """A perf event's program runs wherever its clock ticks."""
    with storage(TASK) as m:
        prog = loaded([*only_mine(), *current(), *count(m, TASK), *END], b.PERF_EVENT)
        event = c.perf_open(c.SOFTWARE, 0, cpu=-1, pid=0, period=1000000)
        same(c.set_bpf(event, prog), 0)
        me, end = pidfd(os.getpid()), time.monotonic() + 30
        while not isinstance(m.get(k32(me)), bytes) and time.monotonic() < end:
            sum(range(10000))
        assert struct.unpack("<Q", m.get(k32(me)))[0] >= 1
        for fd in (event, prog, me):
            os.close(fd)


class AtFunction:
    """A program at a kernel function's entry, which has R1 = its context."""

    def __init__(self, function, *code):
        fd = BTF.find(FUNC, function)
        self.prog = loaded([*code, *END], 26, expected_attach_type=FENTRY, attach_btf_id=fd)
        self.link = b.check(link(self.prog, FENTRY), "link")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.link)
        os.close(self.prog)


def pair():
    """A listener, a socket connected to it, and the one accepted."""
    listener, client = socket.socket(), socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)
    client.connect(listener.getsockname())
    return listener, client, listener.accept()[0]


@case_of_watched
def programs_count_for_each_socket():
    first_arg = [ldx(8, R6, R1, 0)]
    with storage(SK) as m, storage(SK) as other, AtFunction("tcp_v4_connect", *first_arg, *count(m, SK, begin=10)):
        sockets = pair()
        same([m.get(k32(sock.fileno())) for sock in sockets], [ENOENT, v64(11), ENOENT])
        same([other.get(k32(sock.fileno())) for sock in sockets], [ENOENT] * 3)
        for sock in sockets:
            sock.close()
        # memory of sockets is used again
        for _ in range(60):
            with socket.socket() as sock:
                same(m.get(k32(sock.fileno())), ENOENT)
                sock.connect_ex(("127.0.0.1", 1))
                same(m.get(k32(sock.fileno())), v64(11))
                sock.connect_ex(("127.0.0.1", 1))
                same(m.get(k32(sock.fileno())), v64(12))


@case_of_watched
def accepted_sockets_have_their_listeners():
    with storage(SK, F_CLONE) as m, storage(SK, F_CLONE, 16, 4) as locked, storage(SK) as plain:
        for _ in range(20):
            listener = socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen(1)
            same(m.put(k32(listener.fileno()), v64(5)), 0)
            same(locked.put(k32(listener.fileno()), struct.pack("<QQ", 0, 6)), 0)
            same(plain.put(k32(listener.fileno()), v64(7)), 0)
            with listener, socket.socket() as client:
                client.connect(listener.getsockname())
                same(m.get(k32(client.fileno())), ENOENT)
                with listener.accept()[0] as sock:
                    key = k32(sock.fileno())
                    same([m.get(key), locked.get(key), plain.get(key)], [v64(5), struct.pack("<QQ", 0, 6), ENOENT])
                    same(m.put(key, v64(8)), 0)
                    same(m.get(k32(listener.fileno())), v64(5), "its own copy")


def sockets_in(m, *body):
    """What an iterator over the map shows: its values."""
    # r1: the value, r2: what it holds
    shown = [ldx(8, R2, R1, 0), stx(8, R10, -8, R2)]
    prog = it.iterator("bpf_sk_storage_map", *it.unless_over(24), *shown, *body, *it.write(8))
    out = it.all_of(prog, it.choose_map(m.fd))
    return sorted(struct.unpack("<%dQ" % (len(out) // 8), out))


@case_of_watched
def iterators_show_sockets():
    with storage(SK) as m:
        same(sockets_in(m), [])
        sockets = [socket.socket(socket.AF_UNIX) for _ in range(40)]
        for i, sock in enumerate(sockets):
            same(m.put(k32(sock.fileno()), v64(i)), 0)
        same(sockets_in(m), list(range(40)))
        double = [alu64_imm("lsh", R2, 1), stx(8, R1, 0, R2)]
        same(sockets_in(m, *double), list(range(40)))
        same(sockets_in(m), list(range(0, 80, 2)), "written by a program")
        for sock in sockets[10:]:
            sock.close()
        same(sockets_in(m), list(range(0, 20, 2)), "of those that are left")
        for sock in sockets[:10]:
            sock.close()
        same(sockets_in(m), [])
    with storage(TASK) as m:
        prog = it.iterator("bpf_sk_storage_map", *it.unless_over(24))
        same(it.link_create(prog, it.choose_map(m.fd)), EINVAL, "a map of tasks")
        same(it.link_create(prog, it.choose_map(0)), EBADF)


@case_of_watched
def sockets_of_files():
    """As the kernel's own example does it: an iterator over a task's files leaves each socket its fd."""
    with storage(SK) as m, socket.socket() as one, socket.socket(socket.AF_UNIX) as two:
        body = [
            *[*it.unless_over(24), call(SOCK_FROM_FILE), jmp_imm("eq", R0, 0, "out")],
            *[ldx(8, R2, R0, BTF.offset("socket", "sk")), ld_map(R1, m.fd), mov_imm(R3, 0), mov_imm(R4, 1), call(GET[SK])],
            *[jmp_imm("eq", R0, 0, "out"), ldx(4, R1, R6, 16), stx(8, R0, 0, R1)],
        ]
        it.all_of(it.iterator("task_file", *body), it.choose_task(pid=os.getpid()))
        same([m.get(k32(sock.fileno())) for sock in (one, two)], [v64(one.fileno()), v64(two.fileno())])
        mine = [fd for fd in map(int, os.listdir("/proc/self/fd")) if isinstance(m.get(k32(fd)), bytes)]
        same(mine, [fd for fd in mine if os.readlink("/proc/self/fd/%d" % fd).startswith("socket:")])


# ---- what is refused ----


@case_of_watched
def what_programs_may_not():
    with storage(TASK) as m, Map(b.HASH, 4, 8, 1) as plain, storage(SK) as sockets:
        found = refused([*current(), *get(plain, TASK)])
        same(found, (EINVAL, "cannot pass map_type 1 into func bpf_task_storage_get#156"))
        key = [st(4, R10, -4, 0), ld_map(R1, m.fd), mov(R2, R10), add_imm(R2, -4)]
        same(refused([*key, call(1)]), (EINVAL, "cannot pass map_type 29 into func bpf_map_lookup_elem#1"))
        same(refused([*key, call(3)]), (EINVAL, "cannot pass map_type 29 into func bpf_map_delete_elem#3"))
        found = refused([mov_imm(R6, 1), *get(m, TASK)])
        same(found[0], -errno.EACCES)
        assert found[1].startswith("R2 type=scalar expected=ptr_"), found
        found = refused([*current(), *get(m, TASK), ldx(8, R1, R0, 0)])
        same(found, (-errno.EACCES, "R0 invalid mem access 'map_value_or_null'"))
        found = refused([*current(), *get(m, TASK), jmp_imm("eq", R0, 0, 1), ldx(8, R1, R0, 8)])
        same(found[0], -errno.EACCES)
        assert found[1] == "R0 min value is outside of the allowed memory range", found
        same(refused([*current(), *get(sockets, SK)]), (EINVAL, "unknown func bpf_sk_storage_get#107"))
        same(refused([*current(), *get(m, TASK)], b.SOCKET_FILTER)[0], EINVAL)
        inode = [*current(), ld_map(R1, m.fd), mov(R2, R6), mov_imm(R3, 0), mov_imm(R4, 0), call(145)]
        same(refused(inode), (EINVAL, "unknown func bpf_inode_storage_get#145"))


if __name__ == "__main__":
    case.main()
