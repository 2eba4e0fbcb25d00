# SPDX-License-Identifier: MIT
"""What maps do, seen through bpf(2), run inside a machine: prints one JSON object (casework.py)."""

import ctypes
import errno
import mmap
import os
import random
import re
import select
import struct
import time

import bpfsys as b
from casework import (
    E2BIG,
    EACCES,
    EBADF,
    EBUSY,
    EEXIST,
    EFAULT,
    EINVAL,
    ENOENT,
    ENOTSUPP,
    EPERM,
    LRU_ROOM,
    Cases,
    Map,
    children,
    k32,
    possible_cpus,
    same,
    v64,
)

case = Cases()
NCPU = possible_cpus()
PAGE = 4096
QUEUE, STACK = 22, 23


# ---- arrays


@case
def array_elements():
    with Map(b.ARRAY, 4, 12, 5) as m:
        same(m.get(k32(4)), bytes(12))
        same(m.put(k32(0), b"abcdefghijkl"), 0)
        same(m.put(k32(4), b"ABCDEFGHIJKL", b.EXIST), 0)
        same([m.get(k32(i)) for i in (0, 1, 4)], [b"abcdefghijkl", bytes(12), b"ABCDEFGHIJKL"])
        same(m.put(k32(5), bytes(12)), E2BIG)
        same(m.put(k32(1), bytes(12), b.NOEXIST), EEXIST)
        same(m.put(k32(1), bytes(12), 3), EINVAL)
        same(m.put(k32(1), bytes(12), b.F_LOCK), EINVAL)
        same(m.get(k32(5)), ENOENT)
        same(m.drop(k32(0)), EINVAL)
        same(m.pop(k32(0)), ENOTSUPP)
        same(m.keys(), [k32(i) for i in range(5)])
        same(m.after(k32(77)), k32(0))


@case
def array_mapped():
    with Map(b.ARRAY, 4, 8, 1000, b.F_MMAPABLE) as m:
        with mmap.mmap(m.fd, 8000) as view:
            view[0:8] = v64(11)
            view[7992:8000] = v64(12)
            same(m.get(k32(0)), v64(11))
            same(m.get(k32(999)), v64(12))
            same(m.put(k32(512), v64(13)), 0)
            same(view[4096:4104], v64(13))
            same(m.freeze(), EBUSY, "freeze while mapped for writing")
            pid = os.fork()
            if not pid:
                view[8:16] = v64(14)
                os._exit(0)
            same(os.waitpid(pid, 0)[1], 0)
            same(m.get(k32(1)), v64(14), "written by a child")
        same(m.freeze(), 0)
        same(m.freeze(), EBUSY, "twice")
        same(m.put(k32(0), v64(1)), EPERM)
        same(m.get(k32(0)), v64(11))
        try:
            mmap.mmap(m.fd, 4096)
            raise AssertionError("a frozen map was mapped for writing")
        except PermissionError:
            pass
        with mmap.mmap(m.fd, 4096, prot=mmap.PROT_READ) as view:
            same(view[0:8], v64(11))
        with open("/proc/self/fdinfo/%d" % m.fd) as f:
            assert "frozen:\t1\n" in f.read()


@case
def array_mapping_limits():
    def fails(m, length, code, **how):
        try:
            mmap.mmap(m.fd, length, **how).close()
        except OSError as error:
            same(error.errno, code)
        else:
            raise AssertionError(f"mapped {how}")

    with Map(b.ARRAY, 4, 8, 1000, b.F_MMAPABLE) as m:
        fails(m, 12288, errno.EINVAL)
        fails(m, 8192, errno.EINVAL, offset=4096)
        fails(m, 4096, errno.EINVAL, flags=mmap.MAP_PRIVATE)
        mmap.mmap(m.fd, 4096, offset=4096).close()
        # an offset that overflows together with the length
        raw = b.libc.mmap
        raw.argtypes, raw.restype = (
            [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long],
            ctypes.c_long,
        )
        for offset in (-4096, -8192):
            same(raw(None, 4096, 1, 1, m.fd, offset), -1, "offset %d" % offset)
            assert ctypes.get_errno() in (errno.EINVAL, errno.EOVERFLOW)
    with Map(b.ARRAY, 4, 8, 1000) as m:
        fails(m, 4096, errno.EINVAL)
    with Map(b.ARRAY, 4, 8, 1000, b.F_MMAPABLE | b.F_RDONLY_PROG) as m:
        fails(m, 4096, errno.EACCES)
    with Map(b.HASH, 4, 8, 1000) as m:
        fails(m, 4096, 524)


@case
def mapping_outlives_fd():
    m = Map(b.ARRAY, 4, 8, 512, b.F_MMAPABLE)
    view = mmap.mmap(m.fd, 4096)
    os.close(m.fd)
    view[8:16] = v64(5)
    time.sleep(0.1)
    same(view[0:16], v64(0, 5))
    view.close()


@case
def percpu_array_elements():
    size = 16 * NCPU
    with Map(b.PERCPU_ARRAY, 4, 12, 3) as m:
        same(m.get(k32(2), size=size), bytes(size))
        value = b"".join(struct.pack("<12s4x", b"cpu%09d" % i) for i in range(NCPU))
        same(m.put(k32(1), value), 0)
        same(m.get(k32(1), size=size), value)
        same(m.get(k32(0), size=size), bytes(size))
        same(m.put(k32(3), value), E2BIG)
        same(m.get(k32(3), size=size), ENOENT)
        same(m.put(k32(1), value, b.NOEXIST), EEXIST)
        same(m.put(k32(1), value, 3), EINVAL)
        same(m.drop(k32(1)), EINVAL)
        same(len(m.keys()), 3)


# ---- hashes


def hash_semantics(kind, flags=0):
    percpu = kind in (b.PERCPU_HASH, b.LRU_PERCPU_HASH)
    size = 16 * NCPU if percpu else 16
    with Map(kind, 8, 16, LRU_ROOM if kind in (b.LRU_HASH, b.LRU_PERCPU_HASH) else 3, flags) as m:
        values = [os.urandom(size) for _ in range(4)]
        keys = [v64(i * 0x123456789) for i in range(4)]
        same(m.get(keys[0], size=size), ENOENT)
        same(m.put(keys[0], values[0], b.EXIST), ENOENT)
        same(m.put(keys[0], values[0], b.NOEXIST), 0)
        same(m.put(keys[0], values[1], b.NOEXIST), EEXIST)
        same(m.get(keys[0], size=size), values[0])
        same(m.put(keys[0], values[1]), 0)
        same(m.put(keys[0], values[2], b.EXIST), 0)
        same(m.get(keys[0], size=size), values[2])
        same(m.put(keys[0], values[2], 3), EINVAL)
        same(m.put(keys[0], values[2], b.F_LOCK), EINVAL)
        same(m.get(keys[0], b.F_LOCK, size=size), EINVAL)
        same(m.drop(keys[1]), ENOENT)
        same(m.put(keys[1], values[1]), 0)
        same(sorted(m.keys()), sorted(keys[:2]))
        same(m.pop(keys[1], size=size), values[1])
        same(m.pop(keys[1], size=size), ENOENT)
        same(m.drop(keys[0]), 0)
        same(m.keys(), [])
        same(m.after(keys[3]), ENOENT)


@case
def hash_elements():
    hash_semantics(b.HASH)


@case
def hash_without_prealloc_elements():
    hash_semantics(b.HASH, b.F_NO_PREALLOC)


@case
def percpu_hash_elements():
    hash_semantics(b.PERCPU_HASH)


@case
def percpu_hash_without_prealloc_elements():
    hash_semantics(b.PERCPU_HASH, b.F_NO_PREALLOC)


@case
def lru_hash_elements():
    hash_semantics(b.LRU_HASH)


@case
def lru_hash_without_common_list_elements():
    hash_semantics(b.LRU_HASH, b.F_NO_COMMON_LRU)


@case
def lru_percpu_hash_elements():
    hash_semantics(b.LRU_PERCPU_HASH)


def full(kind, flags):
    percpu = kind == b.PERCPU_HASH
    size = 8 * NCPU if percpu else 8
    count = 400
    with Map(kind, 4, 8, count, flags) as m:
        for i in range(count):
            same(m.put(k32(i), v64(i) * (size // 8)), 0, "key %d" % i)
        same(m.put(k32(count), bytes(size)), E2BIG)
        for i in range(0, count, 7):
            same(m.put(k32(i), v64(i + 1) * (size // 8)), 0, "replace %d" % i)
        same(m.put(k32(count), bytes(size)), E2BIG)
        same(sorted(m.keys()), sorted(k32(i) for i in range(count)))
        same(m.drop(k32(0)), 0)
        same(m.put(k32(count), v64(9) * (size // 8)), 0)
        same(m.put(k32(0), bytes(size)), E2BIG)
        for i in range(1, count):
            same(m.get(k32(i), size=size), v64(i + (i % 7 == 0)) * (size // 8))
        for i in range(1, count + 1):
            same(m.drop(k32(i)), 0)
        same(m.keys(), [])
        for i in range(count):
            same(m.put(k32(i), bytes(size)), 0, "again %d" % i)


@case
def hash_full():
    full(b.HASH, 0)


@case
def hash_without_prealloc_full():
    full(b.HASH, b.F_NO_PREALLOC)


@case
def percpu_hash_full():
    full(b.PERCPU_HASH, 0)


@case
def percpu_hash_without_prealloc_full():
    full(b.PERCPU_HASH, b.F_NO_PREALLOC)


@case
def hash_odd_sizes():
    for key, value in ((1, 1), (3, 5), (5, 7), (13, 3), (64, 1000), (500, 100000)):
        for flags in (0, b.F_NO_PREALLOC):
            with Map(b.HASH, key, value, 16, flags) as m:
                pairs = {bytes([i]) + os.urandom(key - 1): os.urandom(value) for i in range(16)}
                for k, v in pairs.items():
                    same(m.put(k, v), 0)
                same({k: m.get(k) for k in m}, pairs, "%d %d" % (key, value))


@case
def lru_evicts_the_oldest():
    # A common list gives in batches of 128, so what is left is less than a full map; the newest are always there.
    with Map(b.LRU_HASH, 4, 8, 1024) as m:
        for i in range(2000):
            same(m.put(k32(i), v64(i)), 0)
        left = sorted(struct.unpack("<I", k)[0] for k in m)
        assert 1024 - 128 * NCPU <= len(left) <= 1024, len(left)
        same([i for i in range(2000 - 512, 2000) if i not in left], [])
        same(m.get(k32(1999)), v64(1999))


@case
def lru_single_entry_never_fails():
    for kind in (b.LRU_HASH, b.LRU_PERCPU_HASH):
        with Map(kind, 4, 8, 1) as m:
            for i in range(100):
                same(m.put(k32(i), v64(i) * (NCPU if kind == b.LRU_PERCPU_HASH else 1)), 0)
                same(m.keys(), [k32(i)])


@case
def lru_without_common_list():
    with Map(b.LRU_HASH, 4, 8, 401, b.F_NO_COMMON_LRU) as m:
        rounded = (401 + NCPU - 1) // NCPU * NCPU
        same(m.info()[4], rounded, "max_entries")
        with b.on_one_cpu():
            for i in range(1000):
                same(m.put(k32(i), v64(i)), 0)
            left = sorted(struct.unpack("<I", k)[0] for k in m)
            assert rounded // NCPU - 4 <= len(left) <= rounded // NCPU, len(left)
            same(left[-100:], list(range(900, 1000)))


@case
def lru_keeps_what_is_used():
    # An update of an existing key is a use.
    with b.on_one_cpu(), Map(b.LRU_HASH, 4, 8, 256) as m:
        for i in range(256):
            same(m.put(k32(i), v64(i)), 0)
        kept = list(range(32))
        for number in range(1000, 1600):
            for i in kept if number % 16 == 0 else ():
                same(m.put(k32(i), v64(i)), 0)
            same(m.put(k32(number), v64(number)), 0)
        same([i for i in kept if not isinstance(m.get(k32(i)), bytes)], [])


# ---- locks in values

SPIN_STRINGS = b"\0int\0bpf_spin_lock\0val\0value\0lock\0count\0"


def spin_btf():
    def off(name):
        return SPIN_STRINGS.index(b"\0" + name + b"\0") + 1

    types = struct.pack("<IIII", off(b"int"), 1 << 24, 4, 32)  # 1: int
    types += struct.pack("<III", off(b"bpf_spin_lock"), 4 << 24 | 1, 4) + struct.pack("<III", off(b"val"), 1, 0)  # 2
    types += struct.pack("<III", off(b"value"), 4 << 24 | 3, 12)  # 3: count, lock, count
    types += (
        struct.pack("<III", off(b"count"), 1, 0)
        + struct.pack("<III", off(b"lock"), 2, 32)
        + struct.pack("<III", off(b"int"), 1, 64)
    )
    return b.btf_blob(types, SPIN_STRINGS)


@case
def values_with_a_lock():
    btf = b.check(b.btf_load(spin_btf()), "BTF_LOAD")
    for kind in (b.HASH, b.ARRAY):
        with Map(kind, 4, 12, 4, btf=btf, btf_key=1, btf_value=3) as m:
            same(m.put(k32(1), b"aaaaLOCKbbbb"), 0)
            same(m.get(k32(1)), b"aaaa\0\0\0\0bbbb", "the lock is not shown")
            same(m.put(k32(1), b"ccccLOCKdddd", b.F_LOCK | (b.EXIST if kind == b.HASH else 0)), 0)
            same(m.get(k32(1), b.F_LOCK), b"cccc\0\0\0\0dddd")
            if kind == b.HASH:
                same(m.put(k32(2), b"eeeeLOCKffff", b.F_LOCK), 0)
                same(m.pop(k32(2), b.F_LOCK), b"eeee\0\0\0\0ffff")
    same(b.map_create(b.LRU_HASH, 4, 12, 4, btf=btf, btf_key=1, btf_value=3), ENOTSUPP)
    same(b.map_create(b.PERCPU_ARRAY, 4, 12, 4, btf=btf, btf_key=1, btf_value=3), ENOTSUPP)
    same(b.map_create(b.ARRAY, 4, 12, 4, b.F_RDONLY_PROG, btf=btf, btf_key=1, btf_value=3), EACCES)
    same(b.map_create(b.HASH, 4, 8, 4, btf=btf, btf_key=1, btf_value=3), EINVAL, "sizes differ")
    os.close(btf)


# ---- batches


def run_batch(cmd, m, keys, values, count, in_batch=None, out_batch=None, **flags):
    attr = b.batch_attr(m.fd, keys, values, count, in_batch, out_batch, **flags)
    result = b.call(cmd, attr)
    return result, struct.unpack("<I", attr.raw[32:36])[0]


def batches(kind, flags=0, value_size=8):
    count = 300
    with Map(kind, 4, 8, count, flags) as m:
        keys, values = (
            b.buf(b"".join(k32(i) for i in range(count))),
            b.buf(b"".join(v64(i) * (value_size // 8) for i in range(count))),
        )
        same(run_batch(b.MAP_UPDATE_BATCH, m, keys, values, count), (0, count))
        want = {k32(i): v64(i) * (value_size // 8) for i in range(count)}
        same({k: m.get(k, size=value_size) for k in m}, want)
        for cmd in (b.MAP_LOOKUP_BATCH, b.MAP_LOOKUP_AND_DELETE_BATCH):
            got, position, rounds = {}, None, 0
            while True:
                out_keys, out_values, after = b.buf(4 * 100), b.buf(value_size * 100), b.buf(4)
                result, number = run_batch(cmd, m, out_keys, out_values, 100, position, after)
                assert result in (0, ENOENT), result
                for i in range(number):
                    key = out_keys.raw[4 * i : 4 * i + 4]
                    assert key not in got
                    got[key] = out_values.raw[value_size * i : value_size * (i + 1)]
                position, rounds = after, rounds + 1
                if result == ENOENT:
                    break
                assert rounds < 100
            same(got, want)
        same(m.keys(), [])
        same(run_batch(b.MAP_LOOKUP_BATCH, m, b.buf(400), b.buf(value_size * 100), 100, None, b.buf(4)), (ENOENT, 0))
        same(run_batch(b.MAP_UPDATE_BATCH, m, keys, values, 10), (0, 10))
        same(run_batch(b.MAP_DELETE_BATCH, m, keys, None, 11), (ENOENT, 10))
        same(m.keys(), [])
        same(run_batch(b.MAP_LOOKUP_BATCH, m, keys, values, 10, flags=1)[0], EINVAL)
        same(run_batch(b.MAP_LOOKUP_BATCH, m, keys, values, 10, elem_flags=4)[0], EINVAL)
        same(run_batch(b.MAP_LOOKUP_BATCH, m, keys, values, 0, b.buf(4), b.buf(4)), (0, 0))
        same(run_batch(b.MAP_LOOKUP_BATCH, m, keys, values, 10, b.buf(k32(1 << 30)), b.buf(4))[0], ENOENT)
        same(run_batch(b.MAP_UPDATE_BATCH, m, 8, values, 10)[0], EFAULT)


@case
def hash_batches():
    batches(b.HASH)


@case
def hash_without_prealloc_batches():
    batches(b.HASH, b.F_NO_PREALLOC)


@case
def percpu_hash_batches():
    batches(b.PERCPU_HASH, 0, 8 * NCPU)


@case
def lru_hash_batches():
    with Map(b.LRU_HASH, 4, 8, 4000) as m:
        keys, values = b.buf(b"".join(k32(i) for i in range(500))), b.buf(b"".join(v64(i) for i in range(500)))
        same(run_batch(b.MAP_UPDATE_BATCH, m, keys, values, 500), (0, 500))
        out_keys, out_values = b.buf(4 * 1000), b.buf(8 * 1000)
        same(run_batch(b.MAP_LOOKUP_AND_DELETE_BATCH, m, out_keys, out_values, 1000, None, b.buf(4)), (ENOENT, 500))
        same(m.keys(), [])
        same(run_batch(b.MAP_UPDATE_BATCH, m, keys, values, 500), (0, 500))
        same(len(m.keys()), 500)


@case
def array_batches():
    with Map(b.ARRAY, 4, 8, 10) as m:
        keys, values = b.buf(b"".join(k32(i) for i in range(10))), b.buf(b"".join(v64(i * i) for i in range(10)))
        same(run_batch(b.MAP_UPDATE_BATCH, m, keys, values, 10), (0, 10))
        out_keys, out_values, after = b.buf(40), b.buf(80), b.buf(4)
        same(run_batch(b.MAP_LOOKUP_BATCH, m, out_keys, out_values, 6, None, after), (0, 6))
        same(out_values.raw[:48], v64(*(i * i for i in range(6))))
        same(run_batch(b.MAP_LOOKUP_BATCH, m, out_keys, out_values, 6, after, after), (ENOENT, 4))
        same(out_keys.raw[:16], b"".join(k32(i) for i in range(6, 10)))
        same(run_batch(b.MAP_DELETE_BATCH, m, keys, None, 1)[0], ENOTSUPP)
        same(run_batch(b.MAP_LOOKUP_AND_DELETE_BATCH, m, keys, values, 1)[0], ENOTSUPP)


@case
def bucket_larger_than_the_batch():
    # With one bucket for all, a batch of fewer than all can never be served.
    with Map(b.HASH, 4, 8, 1) as m:
        same(m.put(k32(1), v64(1)), 0)
        same(run_batch(b.MAP_LOOKUP_BATCH, m, b.buf(4), b.buf(8), 1, None, b.buf(4)), (ENOENT, 1))


# ---- access


@case
def fd_modes():
    with Map(b.HASH, 4, 8, 4, b.F_RDONLY) as m:
        same(m.put(k32(1), v64(1)), EPERM)
        same(m.drop(k32(1)), EPERM)
        same(m.pop(k32(1)), EPERM)
        same(m.get(k32(1)), ENOENT)
        same(m.keys(), [])
        same(m.info()[5], 0, "map_flags")
    with Map(b.HASH, 4, 8, 4, b.F_WRONLY) as m:
        same(m.put(k32(1), v64(1)), 0)
        same(m.get(k32(1)), EPERM)
        same(m.after(None), EPERM)
        same(m.pop(k32(1)), EPERM)
        same(m.drop(k32(1)), 0)


@case
def bad_addresses():
    for kind in (b.ARRAY, b.HASH):
        with Map(kind, 4, 8, 4) as m:
            same(m.put(k32(1), v64(1)), 0)
            same(b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(m.fd, 8, b.buf(8))), EFAULT)
            same(b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(m.fd, b.buf(k32(1)), 8)), EFAULT)
            same(b.call(b.MAP_UPDATE_ELEM, b.elem_attr(m.fd, b.buf(k32(1)), 8)), EFAULT)
            same(b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(m.fd, None, 8)[:24]), EFAULT)
            same(m.get(k32(1)), v64(1))


@case
def info_and_ids():
    name = b"some.name_%d" % (os.getpid() % 10000)
    with Map(b.LRU_HASH, 12, 20, 30, name=name) as m:
        kind, ident, key, value, entries, flags, shown = m.info()
        same((kind, key, value, entries, flags, shown.rstrip(b"\0")), (b.LRU_HASH, 12, 20, 30, 0, name))
        other = b.check(b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)))
        same(b.update(other, bytes(12), b"z" * 20), 0)
        same(m.get(bytes(12)), b"z" * 20)
        os.close(other)
        with open("/proc/self/fdinfo/%d" % m.fd) as f:
            lines = dict(re.findall(r"^(\w+):\t(\S+)$", f.read(), re.M))
        want = {
            "map_type": "9",
            "key_size": "12",
            "value_size": "20",
            "max_entries": "30",
            "map_flags": "0x0",
            "map_extra": "0x0",
        }
        want.update(map_id=str(ident), frozen="0")
        same({k: lines.get(k) for k in want}, want)
        assert int(lines["memlock"]) > 0
    deadline = time.time() + 5
    while b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)) != ENOENT:
        assert time.time() < deadline, "the id stays"
        time.sleep(0.05)


@case
def dup_and_fork():
    m = Map(b.HASH, 4, 8, 4)
    copy = os.dup(m.fd)
    pid = os.fork()
    if not pid:
        os._exit(0 if m.put(k32(7), v64(7)) == 0 else 1)
    same(os.waitpid(pid, 0)[1], 0)
    os.close(m.fd)
    same(b.lookup(copy, k32(7), 8), v64(7))
    os.close(copy)
    same(b.lookup(copy, k32(7), 8), EBADF)


# ---- arrays of fds


def prog_info_id(fd):
    data = b.buf(232)
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, 232, b.addr(data))))
    return struct.unpack("<II", data.raw[:8])[1]


@case
def prog_array_elements():
    with Map(b.PROG_ARRAY, 4, 4, 4) as m:
        prog = b.check(b.prog_load())
        ident = prog_info_id(prog)
        same(m.get(k32(1)), ENOENT)
        same(m.put(k32(1), k32(prog)), 0)
        same(m.get(k32(1)), k32(ident))
        same(m.put(k32(4), k32(prog)), E2BIG)
        same(m.put(k32(1), k32(prog), b.NOEXIST), EINVAL)
        same(m.put(k32(1), k32(m.fd)), EINVAL)
        same(m.put(k32(1), k32(9999)), EBADF)
        kprobe = b.check(b.prog_load(kind=b.KPROBE))
        same(m.put(k32(2), k32(kprobe)), EINVAL, "of another type")
        os.close(kprobe)
        same(m.drop(k32(2)), ENOENT)
        same(m.drop(k32(9)), E2BIG)
        os.close(prog)
        same(m.get(k32(1)), k32(ident), "held by the array")
        same(m.keys(), [k32(i) for i in range(4)])
    deadline = time.time() + 5
    while b.call(b.PROG_GET_FD_BY_ID, struct.pack("<III", ident, 0, 0)) != ENOENT:
        assert time.time() < deadline, "the program stays"
        time.sleep(0.05)


def perf_event_open(kind, config, cpu=0, pid=-1, sample_type=1 << 10):
    attr = bytearray(112)
    struct.pack_into("<IIQQQ", attr, 0, kind, 112, config, 0, sample_type)
    struct.pack_into("<I", attr, 48, 1)  # wakeup_events
    data = b.buf(bytes(attr))
    fd = b.libc.syscall(298, ctypes.byref(data), pid, cpu, -1, 0)
    return fd if fd >= 0 else -ctypes.get_errno()


@case
def perf_event_array_elements():
    with Map(b.PERF_EVENT_ARRAY, 4, 4, 4) as m:
        event = b.check(perf_event_open(1, 0), "perf_event_open")
        same(m.put(k32(1), k32(event)), 0)
        same(m.get(k32(1)), ENOTSUPP)
        same(m.put(k32(4), k32(event)), E2BIG)
        same(m.put(k32(1), k32(m.fd)), EBADF)
        same(m.put(k32(1), k32(9999)), EBADF)
        same(m.put(k32(1), k32(event), b.EXIST), EINVAL)
        same(m.drop(k32(1)), 0)
        same(m.drop(k32(1)), ENOENT)
        same(m.put(k32(0), k32(event)), 0)
        os.close(event)
        # goes with the fd through which it came, though the map lives
        copy = b.check(b.call(b.MAP_GET_FD_BY_ID, struct.pack("<III", m.info()[1], 0, 0)))
        os.close(m.fd)
        same(b.delete(copy, k32(0)), ENOENT)
        m.fd = copy


@case
def cgroup_array_elements():
    with Map(b.CGROUP_ARRAY, 4, 4, 4) as m:
        directory = os.open("/", os.O_RDONLY)
        same(m.put(k32(0), k32(directory)), EBADF)
        os.close(directory)
        same(m.put(k32(0), k32(9999)), EBADF)
        same(m.get(k32(0)), ENOTSUPP)
        same(m.drop(k32(0)), ENOENT)
        same(m.drop(k32(4)), E2BIG)


@case
def stack_map_elements():
    with Map(b.STACK_TRACE, 4, 8 * 10, 5) as m:
        same(m.keys(), [])
        same(m.get(k32(0)), ENOENT)
        same(m.get(k32(8)), ENOENT)
        same(m.drop(k32(0)), ENOENT)
        same(m.drop(k32(8)), E2BIG)
        same(m.put(k32(0), bytes(80)), EINVAL)


# ---- ring buffer


@case
def ring_buffer_mapping():
    def fails(code, *args, **how):
        try:
            mmap.mmap(*args, **how).close()
        except OSError as error:
            same(error.errno, code)
        else:
            raise AssertionError(f"mapped {how}")

    size = 4 * PAGE
    with Map(b.RINGBUF, 0, 0, size) as m:
        consumer = mmap.mmap(m.fd, PAGE)
        producer = mmap.mmap(m.fd, PAGE + 2 * size, prot=mmap.PROT_READ, offset=PAGE)
        same(consumer[:PAGE], bytes(PAGE))
        same(producer[: PAGE + 2 * size], bytes(PAGE + 2 * size))
        fails(errno.EPERM, m.fd, PAGE, offset=PAGE)
        fails(errno.EPERM, m.fd, 2 * PAGE)
        fails(errno.EINVAL, m.fd, 3 * PAGE + 2 * size, prot=mmap.PROT_READ)
        poll = select.poll()
        poll.register(m.fd, select.POLLIN)
        same(poll.poll(0), [])
        for result in (m.put(b"", b""), m.drop(b""), m.pop(b"", size=1)):
            assert result in (EINVAL, ENOTSUPP), result
        same(b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(m.fd, None, b.buf(8))), ENOTSUPP)
        same(b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(m.fd, None, b.buf(8))[:24]), ENOTSUPP)
        same(m.freeze(), EBUSY)
        consumer.close()
        producer.close()


# ---- queues and stacks


@case
def queue_and_stack():
    for kind, order in ((QUEUE, (2, 3, 4)), (STACK, (4, 3, 2))):
        with Map(kind, 0, 8, 3) as m:
            same(b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(m.fd, None, b.buf(8))), ENOENT)

            def push(value, flags=0):
                return b.call(b.MAP_UPDATE_ELEM, b.elem_attr(m.fd, None, b.buf(v64(value)), flags))

            def take(cmd):
                value = b.buf(8)
                result = b.call(cmd, b.elem_attr(m.fd, None, value))
                return value.raw[:8] if result == 0 else result

            same([push(i) for i in range(1, 5)], [0, 0, 0, E2BIG])
            same(push(4, b.EXIST), 0, "replaces the oldest")
            same(push(4, b.NOEXIST), EINVAL)
            same(push(4, 3), EINVAL)
            same(take(b.MAP_LOOKUP_ELEM), v64(order[0]))
            same([take(b.MAP_LOOKUP_AND_DELETE_ELEM) for _ in range(4)], [*map(v64, order), ENOENT])
            for i in range(20):
                same(push(i), 0)
                same(take(b.MAP_LOOKUP_AND_DELETE_ELEM), v64(i))
            same(b.call(b.MAP_DELETE_ELEM, b.elem_attr(m.fd, None)[:16]), EINVAL)
            same(b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(m.fd, None, b.buf(8))[:24]), EINVAL)
            same(m.put(k32(1), v64(1)), EINVAL, "with a key")
        same(b.map_create(kind, 4, 8, 3), EINVAL)
        same(b.map_create(kind, 0, 0, 3), EINVAL)
        same(b.map_create(kind, 0, 8, 0), EINVAL)
        same(b.map_create(kind, 0, 8, 3, b.F_NO_PREALLOC), EINVAL)


# ---- many at once


def hammer(kind, flags, percpu=False):
    size = 8 * NCPU if percpu else 8
    lru = kind in (b.LRU_HASH, b.LRU_PERCPU_HASH)
    with Map(kind, 4, 8, 200, flags) as m:

        def work(number):
            rng = random.Random(number)
            stop = time.time() + 0.7
            while time.time() < stop:
                for _ in range(50):
                    key = rng.randrange(300)
                    what = rng.randrange(4)
                    if what < 2:
                        result = m.put(k32(key), v64(key) * (size // 8))
                        assert result == 0 or (result == E2BIG and not lru), result
                    elif what == 2:
                        assert m.drop(k32(key)) in (0, ENOENT)
                    else:
                        value = m.get(k32(key), size=size)
                        assert (
                            value == ENOENT
                            or value in (v64(key) * (size // 8),)
                            or struct.unpack("<Q", value[:8])[0] < 300
                        ), value
                if rng.randrange(10) == 0:
                    b.call(
                        b.MAP_LOOKUP_AND_DELETE_BATCH,
                        b.batch_attr(m.fd, b.buf(1200), b.buf(300 * size), 300, None, b.buf(4)),
                    )

        children(4, work)
        for key in m:
            same(m.drop(key), 0)
        same(m.keys(), [])
        # nothing was lost on the way: the map still takes all that it is made for
        if not lru:
            for i in range(200):
                same(m.put(k32(i), v64(i) * (size // 8)), 0, "after all: %d" % i)
            same(m.put(k32(999), bytes(size)), E2BIG)


@case
def hash_hammered():
    hammer(b.HASH, 0)


@case
def hash_without_prealloc_hammered():
    hammer(b.HASH, b.F_NO_PREALLOC)


@case
def percpu_hash_hammered():
    hammer(b.PERCPU_HASH, 0, True)


@case
def lru_hash_hammered():
    hammer(b.LRU_HASH, 0)


@case
def lru_hash_without_common_list_hammered():
    hammer(b.LRU_HASH, b.F_NO_COMMON_LRU)


@case
def lru_percpu_hash_hammered():
    hammer(b.LRU_PERCPU_HASH, 0, True)


if __name__ == "__main__":
    case.main()
