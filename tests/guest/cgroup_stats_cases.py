# SPDX-License-Identifier: MIT
"""Iterators over cgroups, and the kernel's functions on their statistics, as its own example has both (cgroup_hierarchical_stats): run
inside a machine, natively too; prints one JSON object (casework.py)."""

import ctypes
import errno
import os
import struct

import asm as a
import bpfsys as b
import iter_cases as it
from asm import R0, R1, R2, R3, R4, R6, R10
from casework import EBADF, EINVAL, ENOENT, Cases, Map, refused, same, v64
from local_storage_cases import AtFunction
from tracing_cases import BTF, FENTRY, FUNC

case = Cases()
CPU, PID_TGID = 8, 14
UPDATED, FLUSH = (BTF.find(FUNC, "cgroup_rstat_" + name) for name in ("updated", "flush"))
libc = b.libc


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


def collect(groups):
    """As the kernel's example has it: an iterator over the group flushes it."""
    body = [*it.load(8), a.call_kfunc(FLUSH)]
    it.all_of(it.iterator("cgroup", *body, flags=it.SLEEPABLE), choose(SELF, cgroup_id=groups.id))


@case_of_rstat
def what_changed_is_collected():
    """A program notes that a group has changed; the flush by another has a third one told of it."""
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
            groups.enter()
            before = struct.unpack("<Q", flushed.get(v64(groups.id)))[0]
            collect(groups)
            assert struct.unpack("<Q", flushed.get(v64(groups.id)))[0] > before


SELF, PRE, POST, UP = 1, 2, 3, 4
SHOW = [*it.load(8, (8, "cgroup", "kn"), (8, "kernfs_node", "id")), a.stx(8, R10, -8, R1), *it.write(8)] if UPDATED else []


def choose(order, fd=0, cgroup_id=0):
    return struct.pack("<IIQ", order, fd, cgroup_id)


class Tree(Groups):
    """The group has two more below it."""

    def __enter__(self):
        self.below = [os.path.join(self.group, name) for name in ("one", "two")]
        for path in self.below:
            os.mkdir(path)
        self.ids = [os.stat(path).st_ino for path in (self.root, self.group, *self.below)]
        self.fd = os.open(self.group, os.O_RDONLY)
        return self

    def __exit__(self, *_):
        os.close(self.fd)
        for path in self.below:
            os.rmdir(path)
        super().__exit__()


def shown(choice, **more):
    return [group for (group,) in it.numbers(it.all_of(it.iterator("cgroup", *SHOW, **more), choice), 1)]


@case_of_rstat
def iterators_go_in_all_orders():
    with Tree() as tree:
        root, group, one, two = tree.ids
        for choice in ({"fd": tree.fd}, {"cgroup_id": group}):
            same(shown(choose(SELF, **choice)), [group])
            same(shown(choose(PRE, **choice)), [group, one, two])
            same(shown(choose(POST, **choice)), [one, two, group])
            same(shown(choose(UP, **choice)), [group, root])
        same(shown(choose(UP, cgroup_id=two)), [two, group, root])
        everything = shown(choose(PRE))
        same((everything[0], {group, one, two} <= set(everything)), (root, True))
        same(shown(choose(POST))[-1], root)
        # what a program returns ends the walk
        same(shown(choose(PRE, fd=tree.fd), ret=1), [group])


@case_of_rstat
def a_walk_is_one_read():
    with Tree() as tree:
        fd = it.opened(it.iterator("cgroup", *SHOW), choose(PRE, fd=tree.fd))
        same(os.read(fd, 8), v64(tree.ids[1]))
        same([it.errno_of(os.read, fd, 100) for _ in range(2)], [errno.EOPNOTSUPP] * 2)
        os.close(fd)
        fd = it.opened(it.iterator("cgroup", *SHOW), choose(PRE, fd=tree.fd))
        same(len(os.read(fd, 100)), 24)
        same([os.read(fd, 100) for _ in range(2)], [b""] * 2)
        os.close(fd)


@case_of_rstat
def groups_that_go_are_not_shown():
    with Tree() as tree:
        link = b.check(it.link_create(it.iterator("cgroup", *SHOW), choose(PRE, fd=tree.fd)), "link")
        extra = tree.group + "/three"
        os.mkdir(extra)
        number = os.stat(extra).st_ino
        for there in (True, False):
            fd = b.check(it.iter_create(link), "session")
            same(v64(number) in [bytes(v64(n)) for (n,) in it.numbers(it.drain(fd), 1)], there)
            os.close(fd)
            if there:
                os.rmdir(extra)
        os.close(link)


@case_of_rstat
def what_links_tell():
    with Tree() as tree:
        prog = it.iterator("cgroup", *SHOW)
        for order, name in ((SELF, "self_only"), (PRE, "descendants_pre"), (POST, "descendants_post"), (UP, "ancestors_up")):
            link = b.check(it.link_create(prog, choose(order, fd=tree.fd)), "link")
            _, info, target = it.link_info(link)
            same((target, struct.unpack_from("<QI", info, 32)), ("cgroup", (tree.ids[1], order)))
            with open("/proc/self/fdinfo/%d" % link) as file:
                lines = file.read().splitlines()
            assert "order: " + name in lines and "cgroup_path:\t/" + os.path.basename(tree.group) in lines, lines
            os.close(link)
        for order in (0, 5, -1 & 0xFFFFFFFF):
            same(it.link_create(prog, choose(order)), EINVAL, order)
        same(it.link_create(prog), EINVAL)
        same(it.link_create(prog, choose(PRE, fd=tree.fd, cgroup_id=tree.ids[1])), EINVAL)
        same(it.link_create(prog, choose(PRE, fd=12345)), EBADF)
        same(it.link_create(prog, choose(PRE, fd=prog)), EBADF)
        same(it.link_create(prog, choose(PRE, cgroup_id=1 << 40)), ENOENT)
        os.close(prog)


@case_of_rstat
def wrong_cpus_are_left_alone():
    for cpu in (-1, 1 << 20, 0x7FFFFFFF):
        with Groups() as groups, Map(b.HASH, 8, 8, 100) as runs:
            body = [a.mov(a.R7, R1), a.ldx(8, R1, R1, 0), a.mov_imm(R2, cpu), a.call_kfunc(UPDATED)]
            with AtFunction("cgroup_attach_task", *body, a.ldx(8, R1, a.R7, 0), *id_of(R1), *count(runs)):
                groups.enter()
            assert isinstance(runs.get(v64(groups.id)), bytes), "the program went on"


@case_of_rstat
def what_is_refused():
    target = {"expected_attach_type": FENTRY, "attach_btf_id": BTF.find(FUNC, "cgroup_attach_task")}
    found = refused([a.ldx(8, R1, R1, 0), a.call_kfunc(FLUSH)], 26, **target)
    same(found, (EINVAL, "kernel function cgroup_rstat_flush is sleepable but the program is not"))
    found = refused([a.mov_imm(R1, 0), a.mov_imm(R2, 0), a.call_kfunc(UPDATED)], b.KPROBE)
    same(found, (-13, "calling kernel function cgroup_rstat_updated is not allowed"))


if __name__ == "__main__":
    case.main()
