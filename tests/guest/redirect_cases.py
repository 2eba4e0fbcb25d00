# SPDX-License-Identifier: MIT
"""Maps of devices and CPUs, helpers that redirect, and test runs of programs of the network types, run inside a machine, natively too:
prints one JSON object (casework.py)."""

import contextlib
import errno
import fcntl
import os
import socket
import struct
import time

import bpfsys as b
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R10,
    add_imm,
    alu64,
    asm,
    call,
    exit_,
    jmp_imm,
    ld_imm64,
    ld_map,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import (
    E2BIG,
    EACCES,
    EEXIST,
    EINVAL,
    ENOENT,
    ENOMEM,
    ENOTSUPP,
    EPERM,
    Cases,
    Map,
    Prog,
    k32,
    possible_cpus,
    same,
    without_net_admin,
)

case = Cases()
DEVMAP, CPUMAP, DEVMAP_HASH = b.DEVMAP, b.CPUMAP, b.DEVMAP_HASH
DEVICES = (DEVMAP, DEVMAP_HASH)
ALL = (DEVMAP, DEVMAP_HASH, CPUMAP)
SCHED_CLS, SCHED_ACT, XDP = 3, 4, 6
FOR_DEVMAP, FOR_CPUMAP = {"expected_attach_type": 33}, {"expected_attach_type": 35}
FRAGS = {"prog_flags": 1 << 5}
LOOKUP, REDIRECT, REALM, REDIRECT_MAP, REDIRECT_NEIGH, REDIRECT_PEER, CHECK_MTU = 1, 23, 24, 51, 152, 155, 163
SHOT, TC_REDIRECT = 2, 7
ABORTED, DROP, PASS, TX, XDP_REDIRECT = range(5)
INGRESS, BROADCAST, EXCLUDE = 1, 8, 16
ENODEV, EOVERFLOW = -errno.ENODEV, -errno.EOVERFLOW
LO, NONE = 1, 4000  # devices' numbers
CLONE_NEWNET = 0x40000000
PASS_ALL = (mov_imm(R0, PASS), exit_())
libc = b.libc


def prog(*code, **fields):
    return Prog(*(code or PASS_ALL), kind=XDP, **fields)


def refused(*code, kind=XDP, **fields):
    """The errno of a load that must fail."""
    fd = b.Prog(asm(*code), kind, **fields).load()
    if fd >= 0:
        os.close(fd)
    return fd


def object_id(fd):
    data = b.buf(232)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 232, b.addr(data))), "info")
    return struct.unpack_from("<I", data.raw, 4)[0]


def lacks(number, get=b.PROG_GET_FD_BY_ID):
    """Is there no such object?"""
    fd = b.call(get, k32(number))
    if fd >= 0:
        os.close(fd)
    return fd == ENOENT


def within(seconds, what, *args):
    """Is it so at some time?"""
    end = time.time() + seconds
    while not what(*args):
        if time.time() > end:
            return False
        time.sleep(0.05)
    return True


def two(first, second=0):
    return struct.pack("<Ii", first, second)


# -- making maps ------------------------------------------------------------------------------------------------------


@case
def what_can_be_made():
    for kind in ALL:
        for value in (4, 8):
            with Map(kind, 4, value, 1), Map(kind, 4, value, 3, b.F_NUMA_NODE):
                pass
        same([b.map_create(kind, 4, size, 1) for size in (0, 1, 2, 5, 7, 9, 12, 16)], [EINVAL] * 8, "value")
        same([b.map_create(kind, size, 4, 1) for size in (0, 1, 2, 5, 8, 600)], [EINVAL] * 6, "key")
        same(b.map_create(kind, 4, 4, 0), EINVAL, "entries")
        flags = [1, 2, 1 << 5, 1 << 6, b.F_RDONLY_PROG, b.F_WRONLY_PROG, 1 << 9, b.F_MMAPABLE, 1 << 11, 1 << 12]
        same([b.map_create(kind, 4, 8, 1, flag) for flag in flags], [EINVAL] * len(flags), "flags")
        for flag in (b.F_RDONLY, b.F_WRONLY):
            fd = b.map_create(kind, 4, 8, 1, flag)
            if kind == CPUMAP:
                same(fd, EINVAL)
            else:
                os.close(b.check(fd))
    same(b.map_create(DEVMAP_HASH, 4, 4, 0x80000001), EINVAL, "entries")
    same(b.map_create(CPUMAP, 4, 4, 1 << 20), E2BIG, "entries")
    types = struct.pack("<8I", 1, 1 << 24, 4, 1 << 24 | 32, 5, 1 << 24, 8, 64)
    btf = b.check(b.btf_load(b.btf_blob(types, b"\0int\0u64\0")), "btf")
    same([b.map_create(kind, 4, 8, 1, btf=btf, btf_key=1, btf_value=2) for kind in ALL], [ENOTSUPP] * 3, "BTF")
    os.close(btf)


@case
def maps_of_devices_are_for_who_may_manage_networks():
    without_net_admin(lambda: same([min(b.map_create(kind, 4, 4, 1), 0) for kind in ALL], [EPERM, EPERM, 0]))


@case
def what_they_tell_of_themselves():
    for kind in ALL:
        with Map(kind, 4, 8, 5, name=b"some_devices") as m:
            info = m.info()
            # programs may not write what they are shown, and so the map says
            flags = 0 if kind == CPUMAP else b.F_RDONLY_PROG
            same((info[0], info[2:6], info[6].rstrip(b"\0")), (kind, (4, 8, 5, flags), b"some_devices"))
            with open("/proc/self/fdinfo/%d" % m.fd) as file:
                told = dict(line.split(":", 1) for line in file.read().splitlines())
            same([told[name].strip() for name in ("map_type", "key_size", "value_size", "max_entries")], [str(kind), "4", "8", "5"])
            assert int(told["memlock"]) > 0
            same(m.freeze(), 0)
            same(m.put(k32(0), two(LO)), EPERM)
            same(m.drop(k32(0)), EPERM)
        with Map(kind, 4, 4, 2) as inner, Map(b.ARRAY_OF_MAPS, 4, 4, 1, inner=inner.fd) as outer:
            same(outer.put(k32(0), k32(inner.fd)), 0)


@case
def no_batches():
    for kind in ALL:
        with Map(kind, 4, 4, 2) as m:
            keys, values, out = b.buf(64), b.buf(64), b.buf(8)
            for cmd in (b.MAP_LOOKUP_BATCH, b.MAP_LOOKUP_AND_DELETE_BATCH, b.MAP_UPDATE_BATCH, b.MAP_DELETE_BATCH):
                same(b.call(cmd, b.batch_attr(m.fd, keys, values, 1, None, out)), ENOTSUPP)
            same(m.pop(k32(0)), ENOTSUPP)


# -- devices ----------------------------------------------------------------------------------------------------------


@case
def devices_by_index():
    with Map(DEVMAP, 4, 4, 4) as m:
        same(m.get(k32(0)), ENOENT)
        same(m.put(k32(1), k32(LO)), 0)
        same([m.get(k32(i)) for i in range(5)], [ENOENT, k32(LO), ENOENT, ENOENT, ENOENT])
        same(m.put(k32(1), k32(LO), b.EXIST), 0)
        same(m.put(k32(2), k32(LO), b.EXIST), 0)
        same(m.put(k32(3), k32(LO), b.NOEXIST), EEXIST)
        same(m.put(k32(3), k32(LO), 3), EINVAL)
        same(m.put(k32(3), k32(LO), b.F_LOCK), EINVAL)
        same(m.put(k32(4), k32(LO)), E2BIG)
        same(m.put(k32(4), k32(LO), 3), EINVAL)
        same(m.put(k32(4), k32(LO), b.NOEXIST), E2BIG)
        same([m.put(k32(1), k32(number)) for number in (NONE, 0x7FFFFFFF, 0xFFFFFFFF)], [EINVAL] * 3)
        same(m.get(k32(1)), k32(LO))
        # no device, and so none is there
        same(m.put(k32(1), k32(0)), 0)
        same(m.get(k32(1)), ENOENT)
        same([m.drop(k32(i)) for i in range(5)], [0, 0, 0, 0, EINVAL])
        same(m.get(k32(2)), ENOENT)
        same(m.keys(), [k32(i) for i in range(4)])
        same(m.after(k32(77)), k32(0))


@case
def devices_by_key():
    with Map(DEVMAP_HASH, 4, 4, 4) as m:
        same(m.keys(), [])
        same(m.put(k32(1000), k32(0)), EINVAL)
        same(m.put(k32(1000), k32(NONE)), EINVAL)
        same(m.put(k32(1000), k32(LO)), 0)
        same((m.get(k32(1000)), m.get(k32(0))), (k32(LO), ENOENT))
        same(m.put(k32(1000), k32(LO), b.NOEXIST), EEXIST)
        same(m.put(k32(1000), k32(NONE), b.NOEXIST), EEXIST)
        same(m.put(k32(1000), k32(0), b.NOEXIST), EINVAL)
        same(m.put(k32(1000), k32(LO), 3), EINVAL)
        same(m.put(k32(1), k32(LO), b.EXIST), 0)
        # 0 and 4, 1000 and 8 share a bucket: the latest comes first there
        same([m.put(k32(key), k32(LO)) for key in (4, 0xFFFFFFFF)], [0, 0])
        same(m.put(k32(8), k32(LO)), E2BIG)
        same(m.put(k32(8), k32(NONE)), EINVAL)
        same(m.keys(), [k32(key) for key in (4, 1000, 1, 0xFFFFFFFF)])
        same(m.put(k32(1000), k32(LO)), 0)
        same(m.keys(), [k32(key) for key in (1000, 4, 1, 0xFFFFFFFF)])
        same(m.after(k32(77)), k32(1000))
        same(m.drop(k32(4)), 0)
        same(m.drop(k32(4)), ENOENT)
        same(m.put(k32(8), k32(LO)), 0)
        same([m.drop(k32(key)) for key in (8, 1000, 1, 0xFFFFFFFF)], [0] * 4)
        same(m.keys(), [])


@case
def programs_for_devices():
    with prog(**FOR_DEVMAP) as good, prog() as plain, prog(**FOR_CPUMAP) as other, Prog(mov_imm(R0, 0), exit_()) as filter:
        for kind in DEVICES:
            with Map(kind, 4, 8, 4) as m, Map(kind, 4, 4, 4) as small:
                same(m.put(k32(1), two(LO, good.fd)), 0)
                same(m.get(k32(1)), two(LO, object_id(good.fd)))
                same(m.put(k32(1), two(LO, -1)), 0)
                same(m.get(k32(1)), two(LO))
                same(m.put(k32(1), two(LO, 0)), 0)
                bad = [plain.fd, other.fd, filter.fd, m.fd, 999]
                same([m.put(k32(2), two(LO, fd)) for fd in bad], [EINVAL] * len(bad))
                same(m.put(k32(2), two(NONE, good.fd)), EINVAL)
                same(m.put(k32(2), two(0, good.fd)), EINVAL)
                same(m.put(k32(2), two(0, -1)), EINVAL if kind == DEVMAP_HASH else 0)
                same(m.get(k32(2)), ENOENT)
                same(small.put(k32(1), k32(LO)), 0)
                same(small.get(k32(1)), k32(LO))
    # those that have no frags do not go with those that have
    with prog(**FOR_DEVMAP) as one, prog(**FOR_DEVMAP, **FRAGS) as many:
        for kind in DEVICES:
            for first, second in ((one, many), (many, one)):
                with Map(kind, 4, 8, 4) as m:
                    same(m.put(k32(0), two(LO, first.fd)), 0)
                    same(m.put(k32(1), two(LO, second.fd)), EINVAL)
                    same(m.put(k32(1), two(LO, first.fd)), 0)


def redirecting(m, key=0, flags=0):
    return (mov_imm(R2, key), *ld_imm64(R3, flags), ld_map(R1, m.fd), call(REDIRECT_MAP), exit_())


@case
def who_redirects_and_who_is_in():
    """By the program that redirects to a map it is known which programs may be in it; a hash asks only those."""
    for kind, attach in ((DEVMAP, FOR_DEVMAP), (DEVMAP_HASH, FOR_DEVMAP), (CPUMAP, FOR_CPUMAP)):
        with Map(kind, 4, 8, 1) as m, prog(*redirecting(m)), prog(**attach) as one, prog(**attach, **FRAGS) as many:
            wrong = {DEVMAP: EINVAL, CPUMAP: ENOMEM, DEVMAP_HASH: 0}[kind]
            if kind != DEVMAP_HASH:
                same(refused(*redirecting(m), prog_flags=1 << 5), EINVAL)
            same(m.put(k32(0), two(LO, many.fd)), wrong)
            if kind == DEVMAP_HASH:
                wrong = EINVAL
                same(m.put(k32(0), two(LO, one.fd)), wrong)
            else:
                same(m.put(k32(0), two(LO, one.fd)), 0)


@case
def a_program_goes_with_its_element():
    for kind, attach in ((DEVMAP, FOR_DEVMAP), (DEVMAP_HASH, FOR_DEVMAP), (CPUMAP, FOR_CPUMAP)):
        with Map(kind, 4, 8, 1) as m:
            for leave in (lambda: m.drop(k32(0)), lambda: m.put(k32(0), two(LO))):
                with prog(**attach) as held:
                    number = object_id(held.fd)
                    same(m.put(k32(0), two(LO, held.fd)), 0)
                time.sleep(0.2)
                assert not lacks(number), "the map holds it"
                same(leave(), 0)
                assert within(10, lacks, number), "nobody holds it"
            with prog(**attach) as held:
                number = object_id(held.fd)
                same(m.put(k32(0), two(LO, held.fd)), 0)
        assert within(10, lacks, number), "the map is gone"


@case
def a_program_in_the_map_that_it_uses():
    """On Linux the two stay for ever."""
    if not b.OURS:
        return
    for kind, attach in ((DEVMAP, FOR_DEVMAP), (DEVMAP_HASH, FOR_DEVMAP), (CPUMAP, FOR_CPUMAP)):
        with Map(kind, 4, 8, 1) as m, prog(*redirecting(m), **attach) as held:
            numbers = object_id(held.fd), object_id(m.fd)
            same(m.put(k32(0), two(LO, held.fd)), 0)
        assert within(10, lacks, numbers[0])
        assert within(10, lacks, numbers[1], b.MAP_GET_FD_BY_ID)


@contextlib.contextmanager
def another_network():
    """A process with a network of its own, of which it is the only one: run(function) is run there."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if not pid:
        ours.close()
        code = libc.unshare(CLONE_NEWNET)
        theirs.send(b"." if not code else b"!")
        theirs.recv(1)
        os._exit(0)
    theirs.close()
    try:
        same(ours.recv(1), b".", "a network")
        yield pid
    finally:
        ours.close()
        os.waitpid(pid, 0)


@contextlib.contextmanager
def entered(pid):
    old = os.open("/proc/self/ns/net", os.O_RDONLY)
    new = os.open("/proc/%d/ns/net" % pid, os.O_RDONLY)
    try:
        same(libc.setns(new, CLONE_NEWNET), 0)
        yield
    finally:
        same(libc.setns(old, CLONE_NEWNET), 0)
        os.close(old)
        os.close(new)


@case
def a_device_that_goes_leaves_the_maps():
    with prog(**FOR_DEVMAP) as held, contextlib.ExitStack() as stack:
        maps = [stack.enter_context(Map(kind, 4, 8, 64)) for kind in DEVICES for _ in range(3)]
        with another_network() as pid:
            for m in maps:
                with entered(pid):
                    same([m.put(k32(i), two(LO, held.fd)) for i in (0, 5, 64 - 1)], [0] * 3)
                same([m.put(k32(i), two(LO)) for i in (1, 6)], [0] * 2)
            # a map may go while others hold the device
            with entered(pid), Map(DEVMAP, 4, 4, 1) as short:
                same(short.put(k32(0), k32(LO)), 0)
        for m in maps:
            assert within(20, lambda m: m.get(k32(0)) == ENOENT, m), "its network is gone"
            same([m.get(k32(i)) for i in (0, 1, 5, 6, 63)], [ENOENT, two(LO), ENOENT, two(LO), ENOENT])
            if m is maps[-1]:
                same(sorted(m.keys()), [k32(1), k32(6)])
                same([m.put(k32(i), two(LO)) for i in range(64)], [0] * 64)


# -- CPUs -------------------------------------------------------------------------------------------------------------


@case
def cpus():
    cpu = possible_cpus() - 1
    with Map(CPUMAP, 4, 4, cpu + 3) as m:
        same(m.get(k32(0)), ENOENT)
        same(m.put(k32(cpu), k32(192)), 0)
        same(m.get(k32(cpu)), k32(192))
        same(m.put(k32(cpu), k32(16384), b.EXIST), 0)
        same(m.get(k32(cpu)), k32(16384))
        same(m.put(k32(cpu), k32(16385)), EOVERFLOW)
        same(m.put(k32(cpu), k32(0xFFFFFFFF)), EOVERFLOW)
        same(m.put(k32(cpu), k32(1), b.NOEXIST), EEXIST)
        same(m.put(k32(cpu), k32(1), 3), EINVAL)
        same(m.put(k32(cpu + 1), k32(1)), ENODEV)
        same(m.put(k32(cpu + 1), k32(0)), ENODEV)
        same(m.put(k32(cpu + 1), k32(16385)), EOVERFLOW)
        same(m.put(k32(cpu + 3), k32(1)), E2BIG)
        same([m.drop(k32(i)) for i in (cpu, cpu, cpu + 1, cpu + 3)], [0, 0, 0, EINVAL])
        same(m.get(k32(cpu)), ENOENT)
        same(m.put(k32(0), k32(8)), 0)
        same(m.put(k32(0), k32(0)), 0)
        same(m.get(k32(0)), ENOENT)
        same(m.keys(), [k32(i) for i in range(cpu + 3)])
    with prog(**FOR_CPUMAP) as good, prog(**FOR_DEVMAP) as other, prog() as plain, Map(CPUMAP, 4, 8, 1) as m:
        same(m.put(k32(0), two(8, good.fd)), 0)
        same(m.get(k32(0)), two(8, object_id(good.fd)))
        same([m.put(k32(0), two(8, fd)) for fd in (other.fd, plain.fd, m.fd, 999)], [ENOMEM] * 4)
        same(m.get(k32(0)), two(8, object_id(good.fd)))
        same(m.put(k32(0), two(9, -1)), 0)
        same(m.get(k32(0)), two(9))


# -- test runs --------------------------------------------------------------------------------------------------------


def run_it(fd, ctx=b"", data=bytes(64), ctx_out=0, flags=0, repeat=0):
    """What the program returned and, where asked for, packet and context after it; or the negative errno."""
    done = b.run_prog(fd, data, ctx, 4096, ctx_out, repeat, flags)
    if done.error < 0:
        return done.error
    return (done.value, done.data, done.context) if ctx_out else done.value


def ran(*code, kind=XDP, ctx=b"", data=bytes(64), **fields):
    with Prog(*code, kind=kind, **fields) as p:
        return run_it(p.fd, ctx, data)


@case
def redirect_says():
    def to(func, *args, kind):
        body = [item for reg, arg in zip((R1, R2, R3, R4), args, strict=False) for item in ld_imm64(reg, arg)]
        return ran(*body, call(func), exit_(), kind=kind)

    flags = (0, INGRESS, 2, BROADCAST, 3, 1 << 16, 1 << 17, 1 << 32, 1 << 63)
    for kind in (SCHED_CLS, SCHED_ACT):
        same([to(REDIRECT, NONE, flag, kind=kind) for flag in flags], [TC_REDIRECT] * 2 + [SHOT] * 7)
        same([to(REDIRECT_PEER, NONE, flag, kind=kind) for flag in flags], [TC_REDIRECT] + [SHOT] * 8)
        same([to(REDIRECT_NEIGH, NONE, 0, 0, flag, kind=kind) for flag in flags], [TC_REDIRECT] + [SHOT] * 8)
    same([to(REDIRECT, NONE, flag, kind=XDP) for flag in flags], [XDP_REDIRECT] + [ABORTED] * 8)
    zeros = [st(8, R10, off, 0) for off in (-8, -16, -24, -32)]
    for size, said in ((1, SHOT), (19, SHOT), (20, TC_REDIRECT), (32, TC_REDIRECT)):
        body = [*zeros, mov_imm(R1, NONE), mov(R2, R10), add_imm(R2, -32), mov_imm(R3, size), mov_imm(R4, 0)]
        same(ran(*body, call(REDIRECT_NEIGH), exit_(), kind=SCHED_CLS), said, size)
    same(ran(mov_imm(R0, 7), call(REALM), exit_(), kind=SCHED_CLS), 0)


@case
def redirect_map_says():
    for kind in ALL:
        cpu = kind == CPUMAP
        with Map(kind, 4, 4, 4) as m:
            same(m.put(k32(0), k32(LO)), 0)

            def to(key, flags, m=m):
                return ran(*redirecting(m, key, flags))

            same([to(0, flag) for flag in range(4)], [XDP_REDIRECT] * 4)
            same([to(1, flag) for flag in range(4)], [ABORTED, DROP, PASS, TX], "nothing there")
            same([to(77, flag) for flag in range(4)], [ABORTED, DROP, PASS, TX], "past the end")
            same([to(-1, flag) for flag in range(4)], [ABORTED, DROP, PASS, TX], "past the end")
            same([to(0, flag) for flag in (4, 1 << 5, 1 << 32, 1 << 63)], [ABORTED] * 4, "no such flag")
            found = [to(key, flag) for key in (0, 1) for flag in (BROADCAST, EXCLUDE, BROADCAST | EXCLUDE, BROADCAST | 2, EXCLUDE | 2)]
            all_of = [XDP_REDIRECT] * 5 + [XDP_REDIRECT, ABORTED, XDP_REDIRECT, XDP_REDIRECT, PASS]
            same(found, [ABORTED] * 10 if cpu else all_of)
            # what is at the upper half of the key's register is not looked at
            wide = (*ld_imm64(R2, 1 << 32), mov_imm(R3, 2), ld_map(R1, m.fd), call(REDIRECT_MAP), exit_())
            same(ran(*wide), XDP_REDIRECT)
            same(m.drop(k32(0)), 0)
            same(to(0, 2), PASS)


def looking(m, *then):
    return [st(4, R10, -4, 0), mov(R2, R10), add_imm(R2, -4), ld_map(R1, m.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"), *then, "out", exit_()]


@case
def programs_look_up_devices():
    with prog(**FOR_DEVMAP) as held:
        for kind in DEVICES:
            with Map(kind, 4, 8, 1) as m, Map(kind, 4, 4, 1) as small:
                for at in (m, small):
                    same(ran(*looking(at, ldx(4, R0, R0, 0))), 0)
                    same(at.put(k32(0), two(LO, held.fd)[: at.value]), 0)
                    same(ran(*looking(at, ldx(4, R0, R0, 0))), LO)
                same(ran(*looking(m, ldx(4, R0, R0, 4))), object_id(held.fd))
                same(refused(*looking(small, ldx(4, R0, R0, 4))), EACCES)
                same(refused(*looking(m, st(4, R0, 0, 0), mov_imm(R0, 0))), EACCES, "writing")
                # update, delete, push, pop, peek, for each, look up for a CPU
                args = (st(8, R10, -8, 0), mov(R2, R10), add_imm(R2, -8), mov(R3, R2), mov_imm(R4, 0), ld_map(R1, m.fd))
                found = [refused(*args, call(func), exit_()) for func in (2, 3, 87, 88, 89, 164, 195)]
                same(found, [EACCES, EACCES, EACCES, EACCES, EINVAL, EACCES, EINVAL])
    with Map(CPUMAP, 4, 8, 1) as m:
        same(refused(*looking(m, ldx(4, R0, R0, 0))), EINVAL)
    with Map(b.ARRAY, 4, 8, 1) as m:
        same(refused(*redirecting(m)), EINVAL)


def mtu(kind, ifindex=0, given=0, more=0, flags=0, size=64, ctx=b""):
    """What bpf_check_mtu() says, and the length that it leaves."""
    body = [st(8, R10, -8, given), mov_imm(R2, ifindex), mov(R3, R10), add_imm(R3, -8), mov_imm(R4, more), *ld_imm64(R5, flags)]
    with Map(b.ARRAY, 4, 16, 1) as out:
        keep = [mov(R6, R0), ldx(4, R1, R10, -8), stx(8, R10, -16, R1), stx(8, R10, -24, R6)]
        store = [st(4, R10, -4, 0), mov(R2, R10), add_imm(R2, -4), mov(R3, R10), add_imm(R3, -24), mov_imm(R4, 0), ld_map(R1, out.fd), call(2)]
        same(ran(*body, call(CHECK_MTU), *keep, *store, mov_imm(R0, 0), exit_(), kind=kind, ctx=ctx, data=bytes(size)), 0)
        return struct.unpack("<qq", out.get(k32(0)))


def lo_mtu():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        return struct.unpack_from("<i", fcntl.ioctl(sock, 0x8921, struct.pack("16s24x", b"lo")), 16)[0]


def set_lo_mtu(value):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8922, struct.pack("16si20x", b"lo", value))


@case
def check_mtu_says():
    old, header = lo_mtu(), 14
    set_lo_mtu(1500)  # not below 1280, or the device loses its IPv6 address
    try:
        for kind in (SCHED_CLS, SCHED_ACT, XDP):
            for ifindex in (0, LO):
                same(mtu(kind, ifindex), (0, 1500))
                same(mtu(kind, ifindex, size=1500 + header), (0, 1500))
                same(mtu(kind, ifindex, size=1501 + header), (1, 1500))
                same(mtu(kind, ifindex, more=1500 + header - 64), (0, 1500))
                same(mtu(kind, ifindex, more=1500 + header - 63), (1, 1500))
                same(mtu(kind, ifindex, more=-3000, size=2000), (0, 1500))
                same(mtu(kind, ifindex, more=-3000), (0, 1500))
                same(mtu(kind, ifindex, given=1500), (0, 1500))
                same(mtu(kind, ifindex, given=1501), (1, 1500))
                same(mtu(kind, ifindex, given=1501, more=-1), (0, 1500))
                same(mtu(kind, ifindex, given=-1), (0, 1500))
            same(mtu(kind, NONE), (ENODEV, 0))
            same(mtu(kind, -1), (ENODEV, 0))
            same(mtu(kind, NONE, flags=2), (EINVAL, 0))
            same(mtu(kind, given=5, flags=1 << 32), (EINVAL, 0))
            same(mtu(kind, flags=1), (EINVAL, 0) if kind == XDP else (0, 1500))
            same(mtu(kind, given=1, flags=1), (EINVAL, 0))
            same(mtu(kind, more=1, flags=1), (EINVAL, 0))
            if kind == XDP:
                continue
            # of segments it is not known where they begin
            gso = skb_context(gso_size=100)
            same(mtu(kind, size=2000, ctx=gso), (0, 1500))
            same(mtu(kind, size=2000, ctx=gso, flags=1), (EINVAL, 0))
            same(mtu(kind, size=500, ctx=gso, flags=1), (0, 1500))
            same(mtu(kind, size=2000, flags=1), (1, 1500))
    finally:
        set_lo_mtu(old)


SKB_FIELDS = {"mark": 8, "priority": 32, "ingress_ifindex": 36, "ifindex": 40, "gso_segs": 164, "gso_size": 176}


def skb_context(**fields):
    data = bytearray(192)
    for name, value in fields.items():
        struct.pack_into("<I", data, SKB_FIELDS[name], value)
    return bytes(data)


@case
def the_device_of_a_test_run():
    reads = (ldx(4, R0, R1, SKB_FIELDS["ifindex"]), exit_())
    same(ran(*reads, kind=SCHED_CLS), LO)
    same(ran(*reads, kind=SCHED_CLS, ctx=skb_context(ifindex=LO)), LO)
    same([ran(*reads, kind=SCHED_CLS, ctx=skb_context(ifindex=n)) for n in (NONE, 0x80000000, 0xFFFFFFFF)], [ENODEV] * 3)
    with Prog(*reads, kind=SCHED_CLS) as p:
        told = run_it(p.fd, skb_context(), ctx_out=192)[2]
        same(struct.unpack_from("<I", told, SKB_FIELDS["ifindex"])[0], LO)
        # headers that are cut short
        for proto, least in ((0x0800, 20), (0x86DD, 40)):
            frame = bytes(12) + struct.pack(">H", proto)
            same([run_it(p.fd, data=frame + bytes(size)) for size in (0, least - 1, least)], [EINVAL, EINVAL, LO])


def xdp_context(data=0, end=64, meta=0, ingress=0, queue=0, egress=0):
    return struct.pack("<6I", data, end, meta, ingress, queue, egress)


@case
def contexts_of_xdp():
    fields = {name: 4 * i for i, name in enumerate(("data", "end", "meta", "ingress", "queue", "egress"))}

    def read(name, **given):
        return ran(ldx(4, R0, R1, fields[name]), exit_(), ctx=xdp_context(**given) if given else b"")

    same((read("ingress"), read("queue")), (LO, 0))
    same((read("ingress", ingress=LO), read("queue", ingress=LO)), (LO, 0))
    same(read("ingress", ingress=0, data=0), LO)
    same([read("queue", ingress=n) for n in (NONE, 0xFFFFFFFF)], [ENODEV] * 2)
    same([read("queue", queue=1), read("queue", ingress=LO, queue=1000), read("queue", egress=1)], [EINVAL] * 3)
    same([read("queue", meta=4), read("queue", end=65), read("queue", data=2), read("queue", data=36)], [EINVAL] * 4)
    same(read("queue", ingress=NONE, egress=1), EINVAL)
    # metadata: what is before the packet
    size = (ldx(4, R0, R1, fields["data"]), ldx(4, R2, R1, fields["meta"]), alu64("sub", R0, R2), exit_())
    same([ran(*size, ctx=xdp_context(data=n)) for n in (0, 4, 32)], [0, 4, 32])
    first = (
        *(ldx(4, R2, R1, fields["meta"]), ldx(4, R3, R1, fields["data"]), mov(R4, R2), add_imm(R4, 4), mov_imm(R0, -1)),
        *(alu64("sub", R3, R4), jmp_imm("slt", R3, 0, "out"), mov_imm(R0, 0), "out", exit_()),
    )
    same([ran(*first, ctx=xdp_context(data=n)) for n in (0, 4, 8)], [-1, 0, 0])
    packet = bytes(range(64))
    with prog() as p:
        value, out, told = run_it(p.fd, xdp_context(data=8, ingress=LO), packet, 24)
        same((value, out, struct.unpack("<6I", told)), (PASS, packet, (8, 64, 0, LO, 0, 0)))
        value, out, told = run_it(p.fd, xdp_context(), packet, 24)
        same((value, out, struct.unpack("<6I", told)), (PASS, packet, (0, 64, 0, 0, 0, 0)))
        same([run_it(p.fd, xdp_context(data=n, end=n + 13), bytes(n + 13)) for n in (0, 4, 32)], [EINVAL] * 3)
        same([run_it(p.fd, xdp_context(data=n, end=n + 14), bytes(n + 14)) for n in (0, 4, 32)], [PASS] * 3)
    # metadata may be moved, and the packet too
    moved = (mov(R6, R1), mov_imm(R2, 4), call(54), mov(R1, R6), mov_imm(R2, -8), call(44), mov_imm(R0, PASS), exit_())
    with prog(*moved) as p:
        value, out, told = run_it(p.fd, xdp_context(data=8), packet, 24)
        same((value, out[:4], out[12:]), (PASS, packet[4:8], packet[8:]))
        same(struct.unpack("<6I", told), (4, 68, 0, 0, 0, 0))


@case
def programs_of_maps_are_not_run():
    for attach in (FOR_DEVMAP, FOR_CPUMAP):
        with prog(**attach) as p:
            same(run_it(p.fd), EINVAL)
    with prog() as p:
        same(run_it(p.fd), PASS)
    egress = (ldx(4, R0, R1, 20), exit_())
    with prog(*egress, **FOR_DEVMAP):
        pass
    same([refused(*egress), refused(*egress, **FOR_CPUMAP)], [EACCES] * 2)
    # no tail calls between them
    with Map(b.PROG_ARRAY, 4, 4, 4) as jumps, prog(**FOR_DEVMAP) as one, prog() as plain, prog(**FOR_DEVMAP, **FRAGS) as many:
        same([jumps.put(k32(0), k32(p.fd)) for p in (one, plain, many)], [0, EINVAL, EINVAL])


# -- sending for real -------------------------------------------------------------------------------------------------

CLONE, STORE, KIND = 13, 9, 0x88B5  # the last is for experiments
EBADMSG = -errno.EBADMSG


def lo_up():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh22x", b"lo", 1))


def cloning(ifindex=LO, flags=0, *then):
    return (mov(R6, R1), *ld_imm64(R2, ifindex), *ld_imm64(R3, flags), call(CLONE), mov(R7, R0), *then, mov(R0, R7), exit_())


def frame(payload=bytes(range(50)), kind=KIND, to=bytes(6)):
    return to + bytes(6) + struct.pack(">H", kind) + payload


def received(sock, count=1):
    """So many frames, and more if there are more by then; and to whom they are: 0 to this host, 3 to another."""
    found = []
    while True:
        sock.settimeout(5 if len(found) < count else 0.05)
        try:
            data, where = sock.recvfrom(4096)
        except TimeoutError:
            return found
        found.append((data, where[2]))


def listening():
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(KIND))
    sock.bind(("lo", KIND))
    return sock


@case
def clones_are_sent():
    with another_network() as pid, entered(pid):
        same([ran(*cloning(flags=flag), kind=SCHED_CLS, data=frame()) for flag in (0, INGRESS)], [2, 1], "a device that is down")
        lo_up()
        with listening() as sock:
            for kind in (SCHED_CLS, SCHED_ACT):
                for flag in (0, INGRESS):
                    same(ran(*cloning(flags=flag), kind=kind, data=frame()), 0)
                    same(received(sock), [(frame(), 0)])
                    other = frame(to=b"\2\0\0\0\0\1")
                    same(ran(*cloning(flags=flag), kind=kind, data=other), 0)
                    same(received(sock), [(other, 3)])
            # the header is all there is
            for flag in (0, INGRESS):
                assert ran(*cloning(flags=flag), kind=SCHED_CLS, data=frame(b"")) >= 0
                same(received(sock), [(frame(b""), 0)])
            # what is written later is not in it, and what was written before is
            write = (st(8, R10, -8, 0x55), mov(R1, R6), mov_imm(R2, 20), mov(R3, R10), add_imm(R3, -8), mov_imm(R4, 1), mov_imm(R5, 0), call(STORE))
            with Prog(*cloning(LO, INGRESS, *write), kind=SCHED_CLS) as p:
                same(run_it(p.fd, skb_context(), frame(), 192)[1], frame()[:20] + b"\x55" + frame()[21:])
            same(received(sock), [(frame(), 0)])
            with Prog(mov(R6, R1), *write, mov(R1, R6), *cloning(), kind=SCHED_CLS) as p:
                same(run_it(p.fd, data=frame(), repeat=70), 0)
            same(received(sock, 70), [(frame()[:20] + b"\x55" + frame()[21:], 0)] * 70)
            # refused
            bad = (2, BROADCAST, 1 << 16, 1 << 17, 1 << 32, 1 << 63)
            same([ran(*cloning(NONE, flag), kind=SCHED_CLS, data=frame()) for flag in bad], [EINVAL] * len(bad))
            same([ran(*cloning(number), kind=SCHED_CLS, data=frame()) for number in (0, NONE, 0xFFFFFFFF)], [EINVAL] * 3)
            gso = skb_context(gso_size=20)
            same([ran(*cloning(number), kind=SCHED_CLS, data=frame(), ctx=gso) for number in (LO, NONE)], [EBADMSG] * 2)
            same(ran(*cloning(LO, 2), kind=SCHED_CLS, data=frame(), ctx=gso), EINVAL)
            same(received(sock, 0), [])


if __name__ == "__main__":
    case.main()
