# SPDX-License-Identifier: MIT
"""What the scripts of cases have in common: maps and programs that close by themselves, and the run of all cases.

They run inside a machine. A case is a function that asserts what Linux documents or does; most tests run them natively too, so
that no assertion is ours alone. By hand:

    python3 -m vm run -k debian-6.1 --native -- env PYTHONPATH=tests/unit:tests /usr/bin/python3 tests/guest/map_cases.py WORD
"""

import contextlib
import errno
import json
import os
import signal
import struct
import sys
import time
import traceback

import bpfsys as b
from asm import R0, R2, asm, exit_, ld_map_value, mov_imm, st

EBADF, EPERM, EINVAL = -errno.EBADF, -errno.EPERM, -errno.EINVAL
ENOENT, EEXIST, E2BIG, EBUSY = -errno.ENOENT, -errno.EEXIST, -errno.E2BIG, -errno.EBUSY
ENOTSUPP, ENOSPC, EFAULT, EACCES = -524, -errno.ENOSPC, -errno.EFAULT, -errno.EACCES
EOPNOTSUPP, ENOMEM = -errno.EOPNOTSUPP, -errno.ENOMEM
# Entries of an LRU map that loses none of a few: each CPU takes 128 free ones at a time, and evicts when no more are to be had.
LRU_ROOM = 1024


class Cases(dict):
    """By name; a decorator puts functions in."""

    def __call__(self, function):
        self[function.__name__.replace("_", " ")] = function
        return function

    def main(self, seconds=380, each=0):
        """
        Runs those that have one of the script's arguments in their names, and prints one JSON object: case -> "ok" or what went
        wrong. A case that takes longer than @each is wrong; at @seconds it ends, or the machine would be waited for in vain.
        """
        end, results = time.monotonic() + seconds, {}
        if each:
            signal.signal(signal.SIGALRM, _out_of_time)
        for name, function in self.items():
            if sys.argv[1:] and not any(word in name for word in sys.argv[1:]):
                continue
            start = time.monotonic()
            left = max(int(end - start), 1)
            signal.alarm(min(each, left) if each else left)
            try:
                function()
                results[name] = "ok"
            except Exception:
                results[name] = traceback.format_exc(limit=-4)[-6000:]
            print(f"{time.monotonic() - start:6.2f} s  {name}: {results[name].splitlines()[-1]}", file=sys.stderr)
        print(json.dumps(results, indent=1))


def _out_of_time(*_):
    raise TimeoutError("takes too long")


def same(got, want, what=""):
    assert got == want, f"{what}: got {got!r}, want {want!r}"


def k32(number):
    return struct.pack("<I", number & 0xFFFFFFFF)


def v64(*numbers):
    return struct.pack("<%dQ" % len(numbers), *numbers)


def s32(data):
    """A helper's answer. The upper half is not looked at: 6.1 leaves it zero for map helpers that it calls directly."""
    return struct.unpack("<i", data[:4])[0]


def possible_cpus():
    last = 0
    with open("/sys/devices/system/cpu/possible") as f:
        for part in f.read().strip().split(","):
            last = max(last, int(part.split("-")[-1]))
    return last + 1


class Map:
    """A map's fd, closed at the end of the case."""

    def __init__(self, kind, key, value, entries, flags=0, **more):
        self.fd = b.check(b.map_create(kind, key, value, entries, flags, **more), "MAP_CREATE")
        self.key, self.value = key, value

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.fd >= 0:
            os.close(self.fd)

    def get(self, key, flags=0, size=None):
        return b.lookup(self.fd, key, size or self.value, flags)

    def put(self, key, value, flags=0):
        return b.update(self.fd, key, value, flags)

    def drop(self, key):
        return b.delete(self.fd, key)

    def pop(self, key, flags=0, size=None):
        return b.lookup(self.fd, key, size or self.value, flags, cmd=b.MAP_LOOKUP_AND_DELETE_ELEM)

    def after(self, key):
        return b.next_key(self.fd, key, self.key)

    def __iter__(self):
        return iter(self.keys())

    def keys(self):
        found, key = [], None
        while True:
            key = self.after(key)
            if not isinstance(key, bytes):
                same(key, ENOENT, "end of the keys")
                return found
            found.append(key)
            assert len(found) < 1000000

    def info(self):
        data = b.buf(88)
        attr = struct.pack("<IIQ", self.fd, 88, b.addr(data))
        b.check(b.call(b.OBJ_GET_INFO_BY_FD, attr), "OBJ_GET_INFO_BY_FD")
        return struct.unpack("<6I16s", data.raw[:40])

    def freeze(self):
        return b.call(b.MAP_FREEZE, k32(self.fd))


def refused(code, kind=b.KPROBE, **more):
    """The errno of a load that must fail, and the last line of its log but one."""
    prog = b.Prog(asm(*code, mov_imm(R0, 0), exit_()), kind, log_level=1, log_size=65536, **more)
    err = prog.load()
    if err >= 0:
        os.close(err)
        return "loads"
    return err, [line for line in prog.log_text().splitlines() if line and not line[0].isdigit()][-2]


class Prog:
    """A loaded program, closed at the end of the case."""

    def __init__(self, *code, kind=b.SOCKET_FILTER, **fields):
        load = b.Prog(asm(*code), kind, log_level=1, log_size=65536, **fields)
        self.fd = load.load()
        if self.fd < 0:
            raise AssertionError(f"PROG_LOAD: {self.fd}\n{load.log_text()[-1500:]}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.fd)

    def run(self, repeat=1):
        """What the program returned."""
        done = b.run_prog(self.fd, bytes(64), repeat=repeat)
        b.check(done.error, "PROG_TEST_RUN")
        return done.value & 0xFFFFFFFF


@contextlib.contextmanager
def changing(array):
    """
    A program on another CPU keeps changing the first word of an array map: 0, and all ones. Emulated CPUs change places between
    instructions only where each is a thread (BPFCOMPAT_TCG=multi; see vm/qemu.py).
    """
    flip = [ld_map_value(R2, array.fd), *[st(4, R2, 0, -1), st(4, R2, 0, 0)] * 200, mov_imm(R0, 0), exit_()]
    pid = os.fork()
    if not pid:
        try:
            os.sched_setaffinity(0, {os.cpu_count() - 1})
            with Prog(*flip) as prog:
                while True:
                    prog.run(1000)
        except BaseException:
            traceback.print_exc()
        os._exit(1)
    try:
        with b.on_one_cpu():
            yield
    finally:
        same(os.waitpid(pid, os.WNOHANG), (0, 0), "still at it")
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def children(count, work):
    pids = []
    for number in range(count):
        pid = os.fork()
        if not pid:
            code = 1
            try:
                os.sched_setaffinity(0, {number % os.cpu_count()})
                work(number)
                code = 0
            except BaseException:
                traceback.print_exc()
            os._exit(code)
        pids.append(pid)
    same([os.waitpid(pid, 0)[1] for pid in pids], [0] * count, "children")


def in_child(function):
    """In a process of its own; an assertion there fails here."""
    pid = os.fork()
    if not pid:
        try:
            function()
        except BaseException as e:
            sys.stderr.write("in a child: %r\n" % e)
            os._exit(1)
        os._exit(0)
    same(os.waitpid(pid, 0)[1], 0, "a child")


def without_net_admin(function):
    """In a child that has all capabilities but CAP_NET_ADMIN."""

    def without():
        cap_net_admin = 12
        header, data = struct.pack("<II", 0x20080522, 0), b.buf(24)
        b.libc.capget(header, data)
        words = list(struct.unpack("<6I", data.raw))
        for i in range(3):
            words[i] &= ~(1 << cap_net_admin)
        assert not b.libc.capset(header, struct.pack("<6I", *words))
        function()

    in_child(without)
