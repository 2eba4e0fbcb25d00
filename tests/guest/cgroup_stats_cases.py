# SPDX-License-Identifier: MIT
"""The kernel's functions on cgroups' statistics, called by programs, as its own example does (cgroup_hierarchical_stats): run inside
a machine, natively too; prints one JSON object as map_cases.py does."""

import ctypes
import os
import signal
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "unit")]

import asm as a  # noqa: E402
import bpfsys as b  # noqa: E402
import iter_cases as it  # noqa: E402
import map_cases  # noqa: E402
from asm import R0, R1, R2, R3, R4, R6, R10  # noqa: E402
from local_storage_cases import AtFunction, refused  # noqa: E402
from map_cases import EINVAL, Map, same, v64  # noqa: E402
from tracing_cases import BTF, FENTRY, FUNC  # noqa: E402

CASES = {}
CPU, PID_TGID = 8, 14
UPDATED, FLUSH = (BTF.find(FUNC, "cgroup_rstat_" + name) for name in ("updated", "flush"))
libc = ctypes.CDLL(None, use_errno=True)


def case(function):
    CASES[function.__name__.replace("_", " ")] = function
    return function


def case_of_rstat(function):
    """Where the kernel has none of that, there is nothing to call."""
    if UPDATED:
        return case(function)
    return function


@case
def the_functions_are_the_kernels():
    same(bool(UPDATED), bool(BTF.find(FUNC, "bpf_rstat_flush")))


class Groups:
    """The second hierarchy, and a new group in it."""

    def __init__(self):
        self.root = "/tmp/cgroups"
        os.makedirs(self.root, exist_ok=True)
        if libc.mount(b"none", self.root.encode(), b"cgroup2", 0, None):
            raise OSError(ctypes.get_errno(), "mount")
        self.group = self.root + "/group-%d" % os.getpid()
        os.mkdir(self.group)
        self.id = os.stat(self.group).st_ino

    def __enter__(self):
        return self

    def enter(self, path=None):
        with open((path or self.group) + "/cgroup.procs", "w") as file:
            file.write(str(os.getpid()))

    def __exit__(self, *_):
        self.enter(self.root)
        os.rmdir(self.group)
        libc.umount(self.root.encode())


def id_of(group):
    """R6 = the number of the group in that register."""
    return [a.ldx(8, R6, group, BTF.offset("cgroup", "kn")), a.ldx(8, R6, R6, BTF.offset("kernfs_node", "id"))]


def count(m):
    """One more of what R6 says."""
    return [
        *[a.stx(8, R10, -8, R6), a.ld_map(R1, m.fd), a.mov(R2, R10), a.add_imm(R2, -8), a.call(1), a.jmp_imm("eq", R0, 0, 3)],
        *[a.mov_imm(R1, 1), a.atomic(8, "add", R0, 0, R1), a.jmp_imm("eq", R10, 0, "out"), a.jmp_imm("ne", R0, 0, "out")],
        *[a.st(8, R10, -16, 1), a.ld_map(R1, m.fd), a.mov(R2, R10), a.add_imm(R2, -8), a.mov(R3, R10), a.add_imm(R3, -16)],
        *[a.mov_imm(R4, 0), a.call(2)],
    ]


def flush_mine():
    """Through an iterator that may sleep, over this process."""
    way = [(8, "task_struct", "cgroups"), (8, "css_set", "dfl_cgrp")]
    prog = it.iterator("task", *it.load(8, *way), a.call_kfunc(FLUSH), flags=it.SLEEPABLE)
    it.all_of(prog, it.choose_task(tid=os.getpid()))


@case_of_rstat
def what_changed_is_collected():
    """A program notes that a group has changed; the flush by another has a third one told of it, and of the group above."""
    mine = [a.mov(a.R7, R1), a.call(PID_TGID), a.alu64_imm("rsh", R0, 32), a.jmp_imm("ne", R0, os.getpid(), "out")]
    note = [a.ldx(8, R1, R1, 0), a.call(CPU)]
    with Groups() as groups, Map(b.HASH, 8, 8, 100) as flushed:
        seen = [*mine, a.ldx(8, R1, a.R7, 0), *id_of(R1), *count(flushed)]
        body = [a.mov(a.R7, R1), *note[1:], a.mov(R2, R0), a.ldx(8, R1, a.R7, 0), a.call_kfunc(UPDATED)]
        with AtFunction("cgroup_attach_task", *body), AtFunction("bpf_rstat_flush", *seen):
            groups.enter()
            flush_mine()
            assert isinstance(flushed.get(v64(groups.id)), bytes), "the group was not told of"
            first = struct.unpack("<Q", flushed.get(v64(groups.id)))[0]
            assert first >= 1
            for _ in range(5):
                groups.enter(groups.root)
                groups.enter()
                flush_mine()
            assert struct.unpack("<Q", flushed.get(v64(groups.id)))[0] >= first + 5


@case_of_rstat
def wrong_cpus_are_left_alone():
    for cpu in (-1, 1 << 20, 0x7FFFFFFF):
        with Groups() as groups:
            body = [a.ldx(8, R1, R1, 0), a.mov_imm(R2, cpu), a.call_kfunc(UPDATED)]
            with AtFunction("cgroup_attach_task", *body):
                groups.enter()


@case_of_rstat
def what_is_refused():
    target = {"expected_attach_type": FENTRY, "attach_btf_id": BTF.find(FUNC, "cgroup_attach_task")}
    found = refused([a.ldx(8, R1, R1, 0), a.call_kfunc(FLUSH)], 26, **target)
    same(found, (EINVAL, "kernel function cgroup_rstat_flush is sleepable but the program is not"))
    found = refused([a.mov_imm(R1, 0), a.mov_imm(R2, 0), a.call_kfunc(UPDATED)], b.KPROBE)
    same(found, (-13, "calling kernel function cgroup_rstat_updated is not allowed"))


def main():
    map_cases.CASES = CASES
    map_cases.main(sys.argv[1:])


if __name__ == "__main__":
    signal.alarm(380)
    main()
