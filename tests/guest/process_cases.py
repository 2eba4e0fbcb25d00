# SPDX-License-Identifier: MIT
"""What programs do to processes: signals, their memory, their time. One JSON object on stdout.

Runs in a guest, natively too; see test_process.py.
"""

import contextlib
import ctypes
import errno
import mmap
import os
import signal
import struct
import tempfile
import threading
import time
import traceback

import attach_cases as events  # first: it finds the assembler
import bpfsys as b
import iter_cases as iters
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10
from attach_cases import a
from casework import Cases

PROBE_WRITE_USER, SEND_SIGNAL, SEND_SIGNAL_THREAD, BRANCH_RECORDS = 36, 109, 117, 119
COPY_FROM_USER, COPY_FROM_USER_TASK, TAI = 148, 191, 208
CLOCK_TAI = 11
case = Cases()
REAL = signal.SIGRTMIN + 3  # queues, so that none is lost


def signed(number):
    return ctypes.c_int64(number).value


class Raw:
    """A raw tracepoint's program, for test runs: its two numbers in r8 and r9, what @body leaves in r0 is kept."""

    def __init__(self, *body, **more):
        self.kept = b.check(b.map_create(b.ARRAY, 4, 8, 1), "map")
        code = a.asm(
            *[a.mov(R6, R1), a.ldx(8, R8, R1, 0), a.ldx(8, R9, R1, 8), *body],
            *[a.ld_map_value(R7, self.kept), a.stx(8, R7, 0, R0), a.mov_imm(R0, 0), a.exit_()],
        )
        prog = b.Prog(code, b.RAW_TRACEPOINT, log_level=1, log_size=1 << 16, **more)
        self.fd = prog.load()
        assert self.fd >= 0, prog.log_text()

    def __call__(self, first=0, second=0):
        b.check(b.run_prog(self.fd, context=struct.pack("<QQ", first, second)).error, "PROG_TEST_RUN")
        return signed(struct.unpack("<Q", b.lookup(self.kept, struct.pack("<I", 0), 8))[0])


def sends(helper):
    return Raw(a.mov(R1, R8), a.call(helper))


@contextlib.contextmanager
def counting(number):
    """How often the signal came."""
    came = []
    before = signal.signal(number, lambda *_: came.append(threading.get_ident()))
    try:
        yield came
    finally:
        signal.signal(number, before)


# ---- signals ----


@case
def a_signal_to_the_process():
    for helper in (SEND_SIGNAL, SEND_SIGNAL_THREAD):
        send = sends(helper)
        with counting(REAL) as came:
            assert [send(REAL) for _ in range(5)] == [0] * 5
            assert len(came) == 5, came
        assert send(0) == 0
        assert [send(bad) for bad in (65, 1 << 20, 1 << 31)] == [-errno.EINVAL] * 3


@case
def whose_it_is():
    """What is sent to a thread waits for that thread; what is sent to the process does for any."""
    found = {}

    def other():
        for name, helper in (("process", SEND_SIGNAL), ("thread", SEND_SIGNAL_THREAD)):
            assert sends(helper)(REAL) == 0
            found[name] = found["look"]()
            taken = signal.sigwaitinfo({REAL})
            found[name + " code"] = (taken.si_code, taken.si_pid)

    signal.pthread_sigmask(signal.SIG_BLOCK, {REAL})
    try:
        with open("/proc/self/status") as status:
            # what waits for the first thread: alone, and with all threads
            def look():
                status.seek(0)
                rows = dict(row.split(":\t") for row in status.read().splitlines() if row[:6] in ("SigPnd", "ShdPnd"))
                return [bool(int(rows[name], 16) >> (REAL - 1) & 1) for name in ("SigPnd", "ShdPnd")]

            found["look"] = look
            thread = threading.Thread(target=other)
            thread.start()
            thread.join()
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {REAL})
    assert found["process"] == [False, True] and found["thread"] == [False, False], found
    assert found["process code"] == found["thread code"] == (0x80, 0), found  # SI_KERNEL


@case
def a_signal_from_every_event():
    """kprobe, raw tracepoint, tracepoint: each call of getpgid() by this process."""

    def attach_kprobe(prog):
        event = events.kprobe(events.PGID_NAME)
        b.check(events.set_bpf(event, prog), "attach")
        return event

    def attach_tracepoint(prog):
        event = events.tracepoint("syscalls/sys_enter_getpgid")
        b.check(events.set_bpf(event, prog), "attach")
        return event

    body = [a.mov_imm(R1, REAL), a.call(SEND_SIGNAL), a.stx(8, R7, 40, R0)]
    only = [a.ldx(8, R1, R6, 8), a.jmp_imm("ne", R1, events.SYS_GETPGID, "out")]
    for kind, attach, steps in (
        (b.KPROBE, attach_kprobe, body),
        (b.TRACEPOINT, attach_tracepoint, body),
        (b.RAW_TRACEPOINT, lambda prog: events.raw_tp_open("sys_enter", prog), only + body),
    ):
        seen = events.Seen()
        fd = b.check(attach(events.program(seen, kind, steps)), "attach")
        with counting(REAL) as came:
            for cpu in range(events.CPUS):
                os.sched_setaffinity(0, {cpu})
                for i in range(events.HITS):
                    events.libc.syscall(events.SYS_GETPGID, ctypes.c_int(0))
                    assert len(came) == cpu * events.HITS + i + 1, (kind, len(came))
        os.sched_setaffinity(0, set(range(events.CPUS)))
        assert seen.slots()[5] == 0
        os.close(fd)


@case
def the_first_process_of_a_container_dies():
    """Signals that it has no handler for do nothing to it, unless they come from outside, or from the kernel and kill or stop."""

    def container(send):
        assert not events.libc.unshare(0x20000000)  # CLONE_NEWPID
        first = os.fork()
        if not first:
            ok = send(signal.SIGTERM) == 0 and send(signal.SIGSTOP) == 0
            os._exit(7 if ok and send(signal.SIGKILL) == 0 else 8)
        stopped = os.waitpid(first, os.WUNTRACED)[1]
        assert os.WIFSTOPPED(stopped) and os.WSTOPSIG(stopped) == signal.SIGSTOP, hex(stopped)
        os.kill(first, signal.SIGCONT)
        ended = os.waitpid(first, 0)[1]
        assert os.WIFSIGNALED(ended) and os.WTERMSIG(ended) == signal.SIGKILL, hex(ended)

    for helper in (SEND_SIGNAL, SEND_SIGNAL_THREAD):
        send = sends(helper)
        pid = os.fork()
        if not pid:
            try:
                container(send)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0


@case
def no_signal_to_threads_of_the_kernel():
    """Of what is running when a process wakes: EPERM from the kernel's own threads, and from init."""
    kept = events.Seen()
    flags = iters.BTF.offset("task_struct", "flags")
    body = [
        *[a.call(35), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, 4), a.mov(R3, R0), a.add_imm(R3, flags)],
        *[a.st(8, R10, -8, 0), a.call(113), a.ldx(4, R1, R10, -8), a.jmp_imm("set", R1, 0x200000, "kthread"), a.ja("out")],
        *["kthread", a.mov_imm(R1, 0), a.call(SEND_SIGNAL), a.stx(8, R7, 40, R0)],
    ]
    fd = events.raw_tp_open("sched_switch", events.program(kept, b.RAW_TRACEPOINT, body, mine=False))
    b.check(fd, "attach")
    end = time.monotonic() + 20
    while not kept.slots()[5] and time.monotonic() < end:
        time.sleep(0.05)
    os.close(fd)
    assert signed(kept.slots()[5]) == -errno.EPERM, kept.slots()


# ---- memory ----


def untouched(pages=1):
    """Memory of a file that this mapping has not fetched yet, and what is in it."""
    size = mmap.PAGESIZE * pages
    content = os.urandom(size)
    with tempfile.TemporaryFile(buffering=0) as file:
        file.write(content)
        area = mmap.mmap(file.fileno(), size, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_WRITE)
    return area, ctypes.addressof(ctypes.c_char.from_buffer(area)), content


@case
def writing_to_memory():
    write = Raw(
        a.stx(8, R10, -8, R9), a.mov(R1, R8), a.mov(R2, R10), a.add_imm(R2, -8), a.mov_imm(R3, 8), a.call(PROBE_WRITE_USER)
    )
    target = b.buf(struct.pack("<QQ", 1, 2))
    assert write(b.addr(target), 0x1122334455667788) == 0
    assert struct.unpack_from("<QQ", target.raw) == (0x1122334455667788, 2)
    fixed = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ)
    libc = ctypes.CDLL(None)
    libc.mmap.restype = ctypes.c_void_p
    readable = libc.mmap(None, ctypes.c_size_t(4096), 1, 0x22, -1, ctypes.c_long(0))
    for address in (8, readable, 0xFFFFFFFF81000000, 0xFFFF888000000000, (1 << 47) - 4):
        assert write(address, 5) == -errno.EFAULT, hex(address)
    fixed.close()


def copied(*arguments, helper, target="task", size=8, more=()):
    """Writes @size bytes, preset to 0xff, that @helper puts there by @arguments, and what it said."""
    preset = [a.st(8, R10, -8 * (i + 1), -1) for i in range(1, size // 8 + 1)]
    call = [a.mov(R1, R10), a.add_imm(R1, -8 - size), a.mov_imm(R2, size), *arguments, *more, a.call(helper)]
    out = [a.stx(8, R10, -8, R0), a.mov(R1, R8), a.mov(R2, R10), a.add_imm(R2, -8 - size), a.mov_imm(R3, size + 8)]
    return iters.iterator(
        target, *iters.unless_over(), a.mov(R9, R1), *preset, *call, *out, a.call(iters.SEQ_WRITE), flags=iters.SLEEPABLE
    )


def of_task(prog, tid):
    out = iters.all_of(prog, iters.choose_task(tid=tid))
    return out[:-8], struct.unpack("<q", out[-8:])[0]


@case
def reading_own_memory():
    """What is there, what has to be fetched first, what is not there."""

    def read(address):
        return of_task(copied(a.ld_imm64(R3, address), helper=COPY_FROM_USER), os.getpid())

    there = b.buf(b"12345678")
    assert read(b.addr(there)) == (b"12345678", 0)
    _area, address, content = untouched(4)
    assert read(address + 4092) == (content[4092:4100], 0)
    anonymous = mmap.mmap(-1, 4096)
    assert read(ctypes.addressof(ctypes.c_char.from_buffer(anonymous))) == (bytes(8), 0)
    for bad in (8, 0xFFFFFFFF81000000, (1 << 47) - 4):
        assert read(bad) == (bytes(8), -errno.EFAULT), hex(bad)


@case
def reading_the_memory_of_others():
    def read(address, tid, flags=0, size=8):
        task = [a.mov(R4, R9), a.mov_imm(R5, flags)]
        return of_task(copied(a.ld_imm64(R3, address), *task, helper=COPY_FROM_USER_TASK, size=size), tid)

    own = b.buf(b"of the parent...")
    _area, address, content = untouched(4)
    _second, unread, other_content = untouched(1)
    ready, go = os.pipe(), os.pipe()
    child = os.fork()
    if not child:
        ctypes.memmove(own, b"of the child....", 16)
        os.write(ready[1], b"!")
        os.read(go[0], 1)
        os._exit(0)
    os.read(ready[0], 1)
    try:
        assert read(b.addr(own), child, size=16) == (b"of the child....", 0)
        assert read(b.addr(own), os.getpid(), size=16) == (b"of the parent...", 0)
        assert read(address + 4092, child) == (content[4092:4100], 0)
        assert read(unread, child, size=64) == (other_content[:64], 0)
        assert read(b.addr(own), child, flags=1) == (b"\xff" * 8, -errno.EINVAL)
        for bad in (8, (1 << 47) - 4):
            assert read(bad, child) == (bytes(8), -errno.EFAULT), hex(bad)
        assert read(8, 2) == (bytes(8), -errno.EFAULT)  # a thread of the kernel
    finally:
        os.write(go[1], b"!")
        os.waitpid(child, 0)


@case
def many_sleep_at_once():
    """Sleeping programs come back on another CPU and find what they had; others run there meanwhile."""
    seen = events.Seen()
    kprobe = events.kprobe(events.PGID_NAME)
    b.check(events.set_bpf(kprobe, events.program(seen, b.KPROBE)), "attach")
    failed, pages = [], 48

    def reader():
        try:
            area, address, content = untouched(pages)
            for page in range(0, pages, 2):
                at = address + (page + 1) * mmap.PAGESIZE - 32
                prog = copied(a.ld_imm64(R3, at), helper=COPY_FROM_USER, size=64)
                found = of_task(prog, os.getpid())
                assert found == (content[at - address :][:64], 0), (page, found, content[at - address :][:64])
            del area
        except BaseException:
            failed.append(traceback.format_exc())

    threads = [threading.Thread(target=reader) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        events.act(hits=5)
    for thread in threads:
        thread.join()
    os.close(kprobe)
    assert not failed, failed[0]


# ---- time, hardware ----


@case
def atomic_time():
    tai = Raw(a.call(TAI))

    def check():
        before = time.clock_gettime_ns(CLOCK_TAI)
        shown = tai()
        after = time.clock_gettime_ns(CLOCK_TAI)
        # the helper's clock may be behind by what the time-keeping code corrects within a tick
        assert before - 50_000_000 <= shown <= after + 50_000_000, (before, shown, after)

    check()
    now, steady = time.time(), time.monotonic()
    try:
        time.clock_settime(time.CLOCK_REALTIME, now + 1000)
        assert time.clock_gettime(CLOCK_TAI) > now + 900
        check()
    finally:
        time.clock_settime(time.CLOCK_REALTIME, now + time.monotonic() - steady)
    check()


@case
def branches_where_none_are_recorded():
    def attached(flags):
        seen = events.Seen()
        body = [
            a.mov(R1, R6),
            a.mov_imm(R2, 0),
            a.mov_imm(R3, 0),
            a.ld_imm64(R4, flags),
            a.call(BRANCH_RECORDS),
            a.stx(8, R7, 40, R0),
        ]
        event = events.perf_open(events.SOFTWARE, 0, cpu=0, period=1000000)
        b.check(events.set_bpf(event, events.program(seen, b.PERF_EVENT, body, mine=False)), "attach")
        os.sched_setaffinity(0, {0})
        end = time.monotonic() + 10
        while time.monotonic() < end and not seen.hits()[0]:
            pass
        os.sched_setaffinity(0, set(range(events.CPUS)))
        os.close(event)
        return signed(seen.slots()[5])

    assert attached(0) == attached(1) == -errno.ENOENT
    assert attached(2) == -errno.EINVAL


if __name__ == "__main__":
    case.main(each=60)
