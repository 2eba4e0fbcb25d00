# SPDX-License-Identifier: MIT
"""Calls of bpf(2) that must fail (and a few that must not), run inside a machine: prints one JSON object, case -> errno name or "ok".

A case is a function that returns what the call returned. Fixed objects come from `setup()`. test_errno.py compares the answers
of the module with those of Linux 6.1's own bpf(2).
"""

import contextlib
import ctypes
import errno
import json
import mmap
import os
import struct
import tempfile

import bpfsys as b

CASES = {}


def case(name):
    def add(function):
        assert name not in CASES, name
        CASES[name] = function
        return function

    return add


def simple(name, function, /, *args, **kwargs):
    case(name)(lambda: function(*args, **kwargs))


class Objects:
    """What the cases share: made once, before the first of them."""

    def __init__(self):
        self.array = b.check(b.map_create(b.ARRAY, 4, 8, 4))
        self.hash = b.check(b.map_create(b.HASH, 4, 8, 2))
        b.check(b.update(self.hash, b"\1\0\0\0", b"x" * 8))
        b.check(b.update(self.hash, b"\2\0\0\0", b"y" * 8))
        self.progs = b.check(b.map_create(b.PROG_ARRAY, 4, 4, 4))
        self.events = b.check(b.map_create(b.PERF_EVENT_ARRAY, 4, 4, 4))
        self.stacks = b.check(b.map_create(b.STACK_TRACE, 4, 8 * 8, 4))
        self.ring = b.check(b.map_create(b.RINGBUF, 0, 0, 4096))
        self.read_only = b.check(b.map_create(b.ARRAY, 4, 8, 4, b.F_RDONLY))
        self.write_only = b.check(b.map_create(b.ARRAY, 4, 8, 4, b.F_WRONLY))
        self.frozen = b.check(b.map_create(b.ARRAY, 4, 8, 4))
        b.check(b.call(b.MAP_FREEZE, struct.pack("<I", self.frozen)))
        self.filter = b.check(b.prog_load())
        self.kprobe = b.check(b.prog_load(kind=b.KPROBE))
        self.raw_tp = b.check(b.prog_load(kind=b.RAW_TRACEPOINT))
        self.btf = b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\0int\0")))
        self.file = os.open("/dev/null", os.O_RDWR)

    def one_entry(self):
        fd = b.check(b.map_create(b.HASH, 4, 8, 1))
        b.check(b.update(fd, KEY, bytes(8)))
        return fd


BAD_FD = 987654
BAD_POINTER = 0x10
KEY = b"\1\0\0\0"
objects = None  # set by main()

# ---- the call itself

for number in (36, 40, 100, 127, 128, 200, 65536 + b.MAP_CREATE, 0x7FFFFFFF, 0xFFFFFFFF):
    simple("command %d" % number, b.call, number, bytes(72))
simple("command unknown, attr NULL", b.call, 99, 0, 16)
for command in (b.MAP_CREATE, b.MAP_LOOKUP_ELEM, b.PROG_LOAD, b.BTF_LOAD, b.LINK_CREATE, b.OBJ_GET_INFO_BY_FD, b.PROG_TEST_RUN):
    simple("command %d, size 0" % command, b.call, command, bytes(1), 0)
    simple("command %d, attr NULL" % command, b.call, command, 0, 72)
    simple("command %d, bad attr" % command, b.call, command, BAD_POINTER, 72)
    simple("command %d, larger than a page" % command, b.call, command, bytes(5000))
    simple("command %d, size of 2^20" % command, b.call, command, bytes(1 << 20))
    simple("command %d, size of 2^32 - 1" % command, b.call, command, bytes(8), 0xFFFFFFFF)
    simple("command %d, unknown tail set" % command, b.call, command, bytes(400) + b"\1")
    simple("command %d, unused tail set" % command, b.call, command, bytes(143) + b"\1")
simple("map create, zero tail", lambda: b.call(b.MAP_CREATE, b.map_attr(b.ARRAY, 4, 8, 1) + bytes(300)))
simple("map create, short attr", lambda: b.call(b.MAP_CREATE, b.map_attr(b.ARRAY, 4, 8, 1)[:16]))
simple("map create, odd attr size", lambda: b.call(b.MAP_CREATE, b.map_attr(b.ARRAY, 4, 8, 1)[:21]))

# ---- maps: creation

for kind in (0, 99, 0xFFFFFFFF):
    simple("map type %d" % kind, b.map_create, kind, 4, 4, 1)
KINDS = {
    "array": (b.ARRAY, 4, 8),
    "per-CPU array": (b.PERCPU_ARRAY, 4, 8),
    "hash": (b.HASH, 4, 8),
    "per-CPU hash": (b.PERCPU_HASH, 4, 8),
    "LRU hash": (b.LRU_HASH, 4, 8),
    "LRU per-CPU hash": (b.LRU_PERCPU_HASH, 4, 8),
    "prog array": (b.PROG_ARRAY, 4, 4),
    "perf event array": (b.PERF_EVENT_ARRAY, 4, 4),
    "cgroup array": (b.CGROUP_ARRAY, 4, 4),
    "stack trace": (b.STACK_TRACE, 4, 64),
    "ring buffer": (b.RINGBUF, 0, 0),
    "Bloom filter": (b.BLOOM_FILTER, 0, 8),
    "device map": (b.DEVMAP, 4, 8),
    "device hash": (b.DEVMAP_HASH, 4, 4),
    "CPU map": (b.CPUMAP, 4, 8),
}
for label, (kind, key, value) in KINDS.items():
    entries = 4096 if kind == b.RINGBUF else 4
    simple("%s" % label, b.map_create, kind, key, value, entries)
    simple("%s, no entries" % label, b.map_create, kind, key, value, 0)
    simple("%s, key of 0" % label, b.map_create, kind, 0, value, entries)
    simple("%s, key of 3" % label, b.map_create, kind, 3, value, entries)
    simple("%s, key of 8" % label, b.map_create, kind, 8, value, entries)
    simple("%s, key of 513" % label, b.map_create, kind, 513, value, entries)
    simple("%s, value of 0" % label, b.map_create, kind, key, 0, entries)
    simple("%s, value of 3" % label, b.map_create, kind, key, 3, entries)
    simple("%s, value of 16" % label, b.map_create, kind, key, 16, entries)
    simple("%s, value of 2^20" % label, b.map_create, kind, key, 1 << 20, entries)
    simple("%s, value of 2^31" % label, b.map_create, kind, key, 1 << 31, entries)
    simple("%s, 2^32 - 1 entries" % label, b.map_create, kind, key, value, 0xFFFFFFFF)
    for flag in (b.F_NO_PREALLOC, b.F_NO_COMMON_LRU, b.F_RDONLY, b.F_RDONLY | b.F_WRONLY, b.F_RDONLY_PROG, b.F_WRONLY_PROG,
                 b.F_RDONLY_PROG | b.F_WRONLY_PROG, b.F_MMAPABLE, 1 << 5, 1 << 6, 1 << 9, 1 << 12, 1 << 31):
        simple("%s, flags %#x" % (label, flag), b.map_create, kind, key, value, entries, flag)
    simple("%s, node without its flag" % label, b.map_create, kind, key, value, entries, node=1)
    simple("%s, node 0" % label, b.map_create, kind, key, value, entries, b.F_NUMA_NODE, node=0)
    simple("%s, node 5000" % label, b.map_create, kind, key, value, entries, b.F_NUMA_NODE, node=5000)
    simple("%s, extra" % label, b.map_create, kind, key, value, entries, extra=1)
    simple("%s, inner map" % label, b.map_create, kind, key, value, entries, inner=1)
    simple("%s, BTF key without BTF" % label, b.map_create, kind, key, value, entries, btf_key=1)
    simple("%s, bad BTF fd" % label, b.map_create, kind, key, value, entries, btf=BAD_FD, btf_key=1, btf_value=1)
    case("%s, BTF value id past the end" % label)(
        lambda kind=kind, key=key, value=value, entries=entries: b.map_create(kind, key, value, entries, btf=objects.btf, btf_key=1, btf_value=9)
    )
    case("%s, BTF types of other sizes" % label)(
        lambda kind=kind, key=key, value=value, entries=entries: b.map_create(kind, key, value + 8, entries, btf=objects.btf, btf_key=1, btf_value=1)
    )

def outer_map(kind, inner=None, key=4, value=4, entries=4, flags=0, **more):
    return b.map_create(kind, key, value, entries, flags, inner=objects.array if inner is None else inner, **more)


def with_outer(kind, function):
    """What @function says of an outer map that holds one map, under KEY."""
    fd = b.check(outer_map(kind))
    try:
        b.check(b.update(fd, KEY, struct.pack("<I", objects.array)))
        return function(fd)
    finally:
        os.close(fd)


def outer_batch(command, fd, **fields):
    keys, values, token = b.buf(KEY + bytes(60)), b.buf(struct.pack("<I", objects.array) + bytes(60)), b.buf(16)
    return b.call(command, b.batch_attr(fd, keys, values, fields.pop("count", 1), out_batch=token, **fields))


def put_in_outer(fd, value, key=KEY, flags=0):
    return b.update(fd, key, struct.pack("<I", value), flags)


def made_and_put(fd, *attr, **more):
    inner = b.check(b.map_create(*attr, **more))
    result = put_in_outer(fd, inner)
    os.close(inner)
    return result


def with_bloom(function):
    fd = b.check(b.map_create(b.BLOOM_FILTER, 0, 8, 4))
    try:
        return function(fd)
    finally:
        os.close(fd)


def on_element(command, fd, key, flags=0):
    return b.call(command, b.elem_attr(fd, key, b.buf(bytes(8)), flags))


BLOOM_DO = {
    "look up": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, None),
    "look up with a key": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, b.buf(8)),
    "look up, locked": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, None, b.F_LOCK),
    "look up, bad value": lambda fd: b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(fd, None, BAD_POINTER)),
    **{"update, flags %d" % flags: (lambda fd, flags=flags: on_element(b.MAP_UPDATE_ELEM, fd, None, flags)) for flags in (0, 1, 2, 4, 8)},
    "update with a key": lambda fd: on_element(b.MAP_UPDATE_ELEM, fd, b.buf(8)),
    "update, then look up": lambda fd: on_element(b.MAP_UPDATE_ELEM, fd, None) or on_element(b.MAP_LOOKUP_ELEM, fd, None),
    "delete": lambda fd: b.call(b.MAP_DELETE_ELEM, b.elem_attr(fd, None)[:16]),
    "next key": lambda fd: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, None, b.buf(8))[:24]),
    "look up and delete": lambda fd: on_element(b.MAP_LOOKUP_AND_DELETE_ELEM, fd, None),
    "look up batch": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd),
    "update batch": lambda fd: outer_batch(b.MAP_UPDATE_BATCH, fd),
    "freeze": lambda fd: b.call(b.MAP_FREEZE, struct.pack("<I", fd)),
    "map into memory": lambda fd: map_memory(fd),
}
for name, function in BLOOM_DO.items():
    case("Bloom filter: %s" % name)(lambda function=function: with_bloom(function))
for extra in (1, 15, 16, 1 << 32):
    simple("Bloom filter, %d hash functions" % extra, b.map_create, b.BLOOM_FILTER, 0, 8, 4, extra=extra)
simple("Bloom filter, value of 2^22", b.map_create, b.BLOOM_FILTER, 0, 1 << 22, 4)
simple("Bloom filter, value of 2^22 + 1", b.map_create, b.BLOOM_FILTER, 0, (1 << 22) + 1, 4)
simple("Bloom filter, value of 2^22 + 1 and key", b.map_create, b.BLOOM_FILTER, 4, (1 << 22) + 1, 4)


def lpm_map(key=8, value=8, entries=4, flags=0, **more):
    return b.map_create(b.LPM_TRIE, key, value, entries, b.F_NO_PREALLOC | flags, **more)


def with_lpm(function):
    """What @function says of a trie that holds one prefix of 8 bits."""
    fd = b.check(lpm_map())
    try:
        b.check(b.update(fd, LPM_KEY, bytes(8)))
        return function(fd)
    finally:
        os.close(fd)


LPM_KEY, LPM_OTHER, LPM_LONG = (struct.pack("<II", length, 1) for length in (8, 9, 33))
LPM_CREATE = {
    "": {}, "no entries": {"entries": 0}, "2^32 - 1 entries": {"entries": 0xFFFFFFFF}, "value of 0": {"value": 0},
    "value of 3": {"value": 3}, "extra": {"extra": 1}, "inner map": {"inner": 1}, "node 0": {"flags": b.F_NUMA_NODE},
    "node 5000": {"flags": b.F_NUMA_NODE, "node": 5000}, "node without its flag": {"node": 1}, "BTF key without BTF": {"btf_key": 1},
    "bad BTF": {"btf": BAD_FD, "btf_key": 1, "btf_value": 1},
    **{"key of %d" % size: {"key": size} for size in (0, 1, 4, 5, 7, 260, 261, 0xFFFFFFFF)},
    **{"value of 2^22 - %d" % less: {"value": (1 << 22) - less, "entries": 1} for less in (0, 256, 295, 296, 297, 320)},
    **{"value of %#x" % size: {"value": size} for size in (1 << 20, 1 << 31, 0xFFFFFFFF)},
    **{"flags %#x" % flag: {"flags": flag} for flag in (
        b.F_NO_COMMON_LRU, b.F_RDONLY, b.F_WRONLY, b.F_RDONLY | b.F_WRONLY, b.F_RDONLY_PROG, b.F_WRONLY_PROG,
        b.F_RDONLY_PROG | b.F_WRONLY_PROG, b.F_MMAPABLE, 1 << 5, 1 << 6, 1 << 9, 1 << 12, 1 << 31)},
}  # fmt: skip
for name, fields in LPM_CREATE.items():
    simple("LPM trie, %s" % name, lpm_map, **fields)
simple("LPM trie, preallocated", b.map_create, b.LPM_TRIE, 8, 8, 4)
LPM_DO = {
    **{"look up, flags %d" % flags: (lambda fd, flags=flags: on_element(b.MAP_LOOKUP_ELEM, fd, b.buf(LPM_KEY), flags)) for flags in (0, 1, 4)},
    **{"update, flags %d" % flags: (lambda fd, flags=flags: on_element(b.MAP_UPDATE_ELEM, fd, b.buf(LPM_KEY), flags)) for flags in (0, 1, 2, 3, 4, 5, 8)},
    **{"add, flags %d" % flags: (lambda fd, flags=flags: on_element(b.MAP_UPDATE_ELEM, fd, b.buf(LPM_OTHER), flags)) for flags in (0, 1, 2, 3, 4)},
    "look up, too long": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, b.buf(LPM_LONG)),
    "look up a shorter one": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, b.buf(bytes(8))),
    "look up, no key": lambda fd: on_element(b.MAP_LOOKUP_ELEM, fd, None),
    "look up, bad value": lambda fd: b.call(b.MAP_LOOKUP_ELEM, b.elem_attr(fd, b.buf(LPM_KEY), BAD_POINTER)),
    "update, too long": lambda fd: on_element(b.MAP_UPDATE_ELEM, fd, b.buf(LPM_LONG)),
    "update, too long, flags 3": lambda fd: on_element(b.MAP_UPDATE_ELEM, fd, b.buf(LPM_LONG), 3),
    "delete": lambda fd: b.delete(fd, LPM_KEY),
    "delete, not there": lambda fd: b.delete(fd, LPM_OTHER),
    "delete, too long": lambda fd: b.delete(fd, LPM_LONG),
    "next key, first": lambda fd: min(b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, None, b.buf(8))[:24]), 0),
    "next key, last": lambda fd: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, b.buf(LPM_KEY), b.buf(8))[:24]),
    "next key, not there": lambda fd: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, b.buf(LPM_OTHER), b.buf(8))[:24]),
    "next key, too long": lambda fd: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, b.buf(LPM_LONG), b.buf(8))[:24]),
    "next key, bad result": lambda fd: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, None, BAD_POINTER)[:24]),
    "next key of none": lambda fd: b.delete(fd, LPM_KEY) or b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(fd, None, b.buf(8))[:24]),
    "look up and delete": lambda fd: on_element(b.MAP_LOOKUP_AND_DELETE_ELEM, fd, b.buf(LPM_KEY)),
    "look up batch": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd),
    "look up batch, two": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd, count=2),
    "look up and delete batch": lambda fd: outer_batch(b.MAP_LOOKUP_AND_DELETE_BATCH, fd),
    "update batch": lambda fd: outer_batch(b.MAP_UPDATE_BATCH, fd),
    "delete batch": lambda fd: outer_batch(b.MAP_DELETE_BATCH, fd),
    "freeze": lambda fd: b.call(b.MAP_FREEZE, struct.pack("<I", fd)),
    "map into memory": lambda fd: map_memory(fd),
    "in an array of maps": lambda fd: min(outer_map(b.ARRAY_OF_MAPS, inner=fd), 0),
}
for name, function in LPM_DO.items():
    case("LPM trie: %s" % name)(lambda function=function: with_lpm(function))

OUTER = {"array of maps": b.ARRAY_OF_MAPS, "hash of maps": b.HASH_OF_MAPS}
OUTER_CREATE = {
    "": {}, "key of 8": {"key": 8}, "key of 0": {"key": 0}, "value of 8": {"value": 8}, "value of 0": {"value": 0},
    "no entries": {"entries": 0}, "2^32 - 1 entries": {"entries": 0xFFFFFFFF}, "BTF key without BTF": {"btf_key": 1},
    "bad BTF": {"btf": BAD_FD, "btf_key": 1, "btf_value": 1}, "bad inner fd": {"inner": BAD_FD}, "extra": {"extra": 1},
    "no NUMA node": {"node": 5000, "flags": b.F_NUMA_NODE}, "bad name": {"name": b"a b"}, "network device": {"ifindex": 1},
    "bad inner fd, value of 8": {"inner": BAD_FD, "value": 8}, "bad inner fd, bad name": {"inner": BAD_FD, "name": b"a b"},
    **{"flags %#x" % (1 << bit): {"flags": 1 << bit} for bit in range(14)},
}  # fmt: skip
OUTER_INNER = {
    "hash": "hash", "prog array": "progs", "event array": "events", "stack trace": "stacks", "ring buffer": "ring",
    "read-only fd": "read_only", "write-only fd": "write_only", "frozen": "frozen", "program": "filter", "BTF": "btf", "file": "file",
}  # fmt: skip
OUTER_DO = {
    "look up": lambda fd: 0 if isinstance(b.lookup(fd, KEY, 4), bytes) else -1,
    "look up what is not there": lambda fd: b.lookup(fd, b"\3\0\0\0", 4),
    "look up past the end": lambda fd: b.lookup(fd, b"\7\0\0\0", 4),
    "look up, locked": lambda fd: b.lookup(fd, KEY, 4, b.F_LOCK),
    "look up and delete": lambda fd: b.lookup(fd, KEY, 4, cmd=b.MAP_LOOKUP_AND_DELETE_ELEM),
    "delete": lambda fd: b.delete(fd, KEY),
    "delete what is not there": lambda fd: b.delete(fd, b"\3\0\0\0"),
    "delete past the end": lambda fd: b.delete(fd, b"\7\0\0\0"),
    "first key": lambda fd: 0 if isinstance(b.next_key(fd, None, 4), bytes) else -1,
    "freeze": lambda fd: b.call(b.MAP_FREEZE, struct.pack("<I", fd)),
    "freeze, update": lambda fd: b.call(b.MAP_FREEZE, struct.pack("<I", fd)) or put_in_outer(fd, objects.array),
    "put itself": lambda fd: put_in_outer(fd, fd),
    "put bad fd": lambda fd: put_in_outer(fd, BAD_FD),
    "put bad fd past the end": lambda fd: put_in_outer(fd, BAD_FD, b"\7\0\0\0"),
    "put bad fd, flags 9": lambda fd: put_in_outer(fd, BAD_FD, KEY, 9),
    "put program": lambda fd: put_in_outer(fd, objects.filter),
    "put hash": lambda fd: put_in_outer(fd, objects.hash),
    "put frozen": lambda fd: put_in_outer(fd, objects.frozen),
    "put more entries": lambda fd: made_and_put(fd, b.ARRAY, 4, 8, 5),
    "put larger value": lambda fd: made_and_put(fd, b.ARRAY, 4, 16, 4),
    "put other flags": lambda fd: made_and_put(fd, b.ARRAY, 4, 8, 4, b.F_RDONLY_PROG),
    "put other fd flags": lambda fd: made_and_put(fd, b.ARRAY, 4, 8, 4, b.F_RDONLY),
    "put per-CPU": lambda fd: made_and_put(fd, b.PERCPU_ARRAY, 4, 8, 4),
    "put another name": lambda fd: made_and_put(fd, b.ARRAY, 4, 8, 4, name=b"another"),
    **{"put, flags %d" % flags: (lambda fd, flags=flags: put_in_outer(fd, objects.array, KEY, flags)) for flags in (1, 2, 3, 4, 5, 8)},
    **{"put new, flags %d" % flags: (lambda fd, flags=flags: put_in_outer(fd, objects.array, b"\2\0\0\0", flags)) for flags in (1, 2, 4)},
    "put a fifth": lambda fd: [put_in_outer(fd, objects.array, struct.pack("<I", key)) for key in (0, 2, 3, 4)][-1],
    "look up batch": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd),
    "look up batch of 9": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd, count=9),
    "look up batch, locked": lambda fd: outer_batch(b.MAP_LOOKUP_BATCH, fd, elem_flags=b.F_LOCK),
    "look up and delete batch": lambda fd: outer_batch(b.MAP_LOOKUP_AND_DELETE_BATCH, fd, count=9),
    "update batch": lambda fd: outer_batch(b.MAP_UPDATE_BATCH, fd),
    "update batch, bad fds": lambda fd: outer_batch(b.MAP_UPDATE_BATCH, fd, count=2),
    "delete batch": lambda fd: outer_batch(b.MAP_DELETE_BATCH, fd),
    "map into memory": lambda fd: map_memory(fd),
}  # fmt: skip


def map_memory(fd):
    try:
        mmap.mmap(fd, 4096).close()
    except OSError as e:
        return -e.errno
    return 0


for label, kind in OUTER.items():
    for name, fields in OUTER_CREATE.items():
        case("%s, %s" % (label, name))(lambda kind=kind, fields=fields: outer_map(kind, **fields))
    for name, inner in OUTER_INNER.items():
        case("%s, inner: %s" % (label, name))(lambda kind=kind, inner=inner: outer_map(kind, getattr(objects, inner)))
    case("%s in one" % label)(lambda kind=kind: with_outer(kind, lambda fd: outer_map(b.ARRAY_OF_MAPS, fd)))
    for name, function in OUTER_DO.items():
        case("%s: %s" % (label, name))(lambda kind=kind, function=function: with_outer(kind, function))

for name in (b"ok_name.1", b"bad name", b"bad-name", b"bad/", b"\xc3\xa4", b"x" * 16, b"abc\0def"):
    simple("map name %r" % name, b.map_create, b.ARRAY, 4, 8, 1, name=name)
simple("map on a network device", b.map_create, b.HASH, 4, 8, 1, ifindex=1)
for size in (1, 4095, 4097, 12288, 1 << 31):
    simple("ring buffer of %d" % size, b.map_create, b.RINGBUF, 0, 0, size)
simple("stack trace, value of 12", b.map_create, b.STACK_TRACE, 4, 12, 4)
simple("stack trace, value of 8 * 128", b.map_create, b.STACK_TRACE, 4, 8 * 128, 4)
simple("per-CPU array, value of 32769", b.map_create, b.PERCPU_ARRAY, 4, 32769, 4)

# ---- maps: elements

for command in (b.MAP_LOOKUP_ELEM, b.MAP_UPDATE_ELEM, b.MAP_DELETE_ELEM, b.MAP_GET_NEXT_KEY, b.MAP_LOOKUP_AND_DELETE_ELEM):
    width = {b.MAP_DELETE_ELEM: 16, b.MAP_GET_NEXT_KEY: 24}.get(command, 32)

    def element(fd, key=b.buf(KEY), value=b.buf(64), flags=0, command=command, width=width):
        target = getattr(objects, fd) if isinstance(fd, str) else fd
        return b.call(command, b.elem_attr(target, key, value, flags)[:width])

    label = "element command %d" % command
    simple("%s, bad fd" % label, element, BAD_FD)
    simple("%s, fd of -1" % label, element, -1)
    simple("%s, fd of a file" % label, element, "file")
    simple("%s, fd of a program" % label, element, "filter")
    simple("%s, no key" % label, element, "hash", None)
    simple("%s, bad key" % label, element, "hash", BAD_POINTER)
    simple("%s, missing key" % label, element, "hash", b.buf(b"\x63\0\0\0"))
    simple("%s, index past the end" % label, element, "array", b.buf(b"\x63\0\0\0"))
    simple("%s, read-only" % label, element, "read_only")
    simple("%s, write-only" % label, element, "write_only")
    simple("%s, frozen" % label, element, "frozen")
    if width == 32:
        simple("%s, bad value" % label, element, "array", value=BAD_POINTER)
        for flags in (1, 2, 3, 4, 5, 8, 1 << 63):
            simple("%s, hash, flags %#x" % (label, flags), element, "hash", flags=flags)
            simple("%s, array, flags %#x" % (label, flags), element, "array", flags=flags)
    for kind in ("progs", "events", "stacks", "ring"):
        simple("%s, %s" % (label, kind), element, kind)
        simple("%s, %s, index past the end" % (label, kind), element, kind, b.buf(b"\x63\0\0\0"))
simple("next key, bad pointer for it", lambda: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(objects.array, b.buf(KEY), BAD_POINTER)[:24]))
simple("next key past the last of an array", lambda: b.call(b.MAP_GET_NEXT_KEY, b.elem_attr(objects.array, b.buf(b"\3\0\0\0"), b.buf(4))[:24]))
simple("update of a full hash", lambda: b.update(objects.hash, b"\x09\0\0\0", bytes(8)))
simple("update, must exist, of a full hash", lambda: b.update(objects.hash, b"\x09\0\0\0", bytes(8), b.EXIST))
simple("update, must not exist, that does", lambda: b.update(objects.hash, b"\1\0\0\0", bytes(8), b.NOEXIST))
simple("prog array, fd of a map", lambda: b.update(objects.progs, KEY, struct.pack("<I", objects.array)))
simple("prog array, bad fd", lambda: b.update(objects.progs, KEY, struct.pack("<I", BAD_FD)))
simple("prog array, a program", lambda: b.update(objects.progs, KEY, struct.pack("<I", objects.filter)))
simple("prog array, a program of another type", lambda: b.update(objects.progs, b"\2\0\0\0", struct.pack("<I", objects.kprobe)))
simple("perf event array, fd of a file", lambda: b.update(objects.events, KEY, struct.pack("<I", objects.file)))
simple("freeze, bad fd", b.call, b.MAP_FREEZE, struct.pack("<I", BAD_FD))
simple("freeze twice", lambda: b.call(b.MAP_FREEZE, struct.pack("<I", objects.frozen)))
simple("freeze read-only", lambda: b.call(b.MAP_FREEZE, struct.pack("<I", objects.read_only)))

# ---- maps: batches

for command in (b.MAP_LOOKUP_BATCH, b.MAP_LOOKUP_AND_DELETE_BATCH, b.MAP_UPDATE_BATCH, b.MAP_DELETE_BATCH):

    def batch(fd, command=command, count=1, **more):
        # one entry, so that no answer hangs on which bucket a key falls in
        target = objects.one_entry() if fd == "hash" else getattr(objects, fd) if isinstance(fd, str) else fd
        fields = {"keys": b.buf(b"\x40\0\0\0" * 8), "values": b.buf(64 * 8), "out_batch": b.buf(8), **more}
        return b.call(command, b.batch_attr(target, count=count, **fields), 56)

    label = "batch command %d" % command
    simple("%s, bad fd" % label, batch, BAD_FD)
    simple("%s, none" % label, batch, "hash", count=0)
    simple("%s, flags" % label, batch, "hash", flags=1)
    simple("%s, element flags" % label, batch, "hash", elem_flags=8)
    simple("%s, element flag for a lock" % label, batch, "hash", elem_flags=4)
    simple("%s, bad keys" % label, batch, "hash", keys=BAD_POINTER)
    for kind in ("array", "ring", "progs", "stacks", "read_only", "write_only", "frozen"):
        simple("%s, %s" % (label, kind), batch, kind)

# ---- programs: loading

simple("program of no instructions", lambda: b.prog_load(b"\0" * 8, insn_cnt=0))
simple("program of a million and one", lambda: b.prog_load(insn_cnt=1000001))
simple("program of 2^32 - 1", lambda: b.prog_load(insn_cnt=0xFFFFFFFF))
for kind in (0, 60, 0xFFFFFFFF):
    simple("program type %d" % kind, b.prog_load, kind=kind)
simple("program, licence NULL", lambda: b.call(b.PROG_LOAD, b.Prog().attr[:16] + bytes(8) + b.Prog().attr[24:]))
for flags in (1 << 6, 1 << 31, 1, 2, 1 | 2, 4, 8, 16):
    simple("program flags %#x" % flags, b.prog_load, prog_flags=flags)
simple("program, bad instructions pointer", lambda: b.prog_load(insns=BAD_POINTER))
for name in (b"ok_name.1", b"bad name", b"x" * 16):
    simple("program name %r" % name, b.prog_load, prog_name=name)
simple("program on a network device", b.prog_load, prog_ifindex=1)
for kind in (b.SOCKET_FILTER, b.KPROBE, b.TRACEPOINT, b.PERF_EVENT, b.RAW_TRACEPOINT, b.CGROUP_SOCK):
    for attach in (0, 1, 2, 3, 9, 99):
        simple("program type %d for attach type %d" % (kind, attach), b.prog_load, kind=kind, expected_attach_type=attach)
    simple("program type %d with a BTF target" % kind, b.prog_load, kind=kind, attach_btf_id=1)
    simple("program type %d with a target program" % kind, b.prog_load, kind=kind, attach_prog_fd=1)
simple("program, bad BTF fd", b.prog_load, prog_btf_fd=BAD_FD)
simple("program, function records without BTF", lambda: b.prog_load(func_info_cnt=1, func_info_rec_size=8, func_info=b.addr(b.buf(8))))
case("program, function records of 4 bytes")(lambda: b.prog_load(prog_btf_fd=objects.btf, func_info_cnt=1, func_info_rec_size=4))
case("program, line records of 4 bytes")(lambda: b.prog_load(prog_btf_fd=objects.btf, line_info_cnt=1, line_info_rec_size=4))
case("program, bad function records")(lambda: b.prog_load(prog_btf_fd=objects.btf, func_info_cnt=1, func_info_rec_size=8, func_info=BAD_POINTER))
LOG = b.buf(4096)
for level, size, pointer in ((1, 0, 0), (1, 4096, 0), (1, 0, b.addr(LOG)), (1, 100, b.addr(LOG)), (1, 128, b.addr(LOG)), (8, 4096, b.addr(LOG)),
                             (0, 4096, b.addr(LOG)), (0, 4096, 0), (1, 4096, BAD_POINTER), (2, 4096, b.addr(LOG)), (1, 1 << 31, b.addr(LOG))):
    kind = "none" if not pointer else "bad" if pointer == BAD_POINTER else "there"
    case("log level %d, size %d, buffer %s" % (level, size, kind))(
        lambda level=level, size=size, pointer=pointer: b.prog_load(log_level=level, log_size=size, log_buf=pointer)
    )
R0_1 = b.insn(0xB7, 0, 0, 0, 1)
PROGRAMS = {
    "no exit": b.MOV0,
    "exit alone": b.EXIT,
    "bad opcode": b.insn(0xFF) + b.RETURN0,
    "opcode 0": b.insn(0) + b.RETURN0,
    "register 11": b.insn(0xB7, 11) + b.RETURN0,
    "register 15": b.insn(0xBF, 0, 15) + b.RETURN0,
    "write to r10": b.insn(0xB7, 10) + b.RETURN0,
    "reserved field": b.insn(0xB7, 0, 1) + b.RETURN0,
    "jump past the end": b.insn(0x05, off=5) + b.RETURN0,
    "jump before the start": b.insn(0x05, off=-5) + b.RETURN0,
    "jump to itself": b.insn(0x05, off=-1) + b.RETURN0,
    "unreachable": b.MOV0 + b.EXIT + b.RETURN0,
    "half of ld_imm64": b.MOV0 + b.insn(0x18),
    "ld_imm64 with a bad half": b.insn(0x18) + b.RETURN0,
    "jump into ld_imm64": b.insn(0x05, off=1) + b.ld_imm64(0, 0, 1) + b.EXIT,
    "division by the constant 0": b.MOV0 + b.insn(0x37, 0, 0, 0, 0) + b.EXIT,
    "shift by 64": b.MOV0 + b.insn(0x67, 0, 0, 0, 64) + b.EXIT,
    "load without memory": b.insn(0x79, 0, 0) + b.EXIT,
    "uninitialised register": b.insn(0xBF, 0, 2) + b.EXIT,
    "stack below 512": b.insn(0x7A, 10, 0, -520) + b.RETURN0,
    "stack above 0": b.insn(0x7A, 10, 0, 0) + b.RETURN0,
    "stack misaligned": b.insn(0x7A, 10, 0, -12) + b.RETURN0,
    "stack uninitialised": b.insn(0x79, 0, 10, -8) + b.EXIT,
    "map fd bad": b.ld_imm64(1, 1, BAD_FD) + b.RETURN0,
    "map fd of a file": b.ld_imm64(1, 1, 0) + b.RETURN0,
    "map fd with high half": b.ld_imm64(1, 1, 3, 1) + b.RETURN0,
    "ld_imm64 of kind 9": b.ld_imm64(1, 9, 3) + b.RETURN0,
    "helper 0": b.insn(0x85, imm=0) + b.RETURN0,
    "helper 9999": b.insn(0x85, imm=9999) + b.RETURN0,
    "helper -1": b.insn(0x85, imm=-1) + b.RETURN0,
    "call of kind 5": b.insn(0x85, src=5, imm=1) + b.RETURN0,
    "call past the end": b.insn(0x85, src=1, imm=9) + b.RETURN0,
    "call of itself": b.insn(0x85, src=1, imm=-1) + b.RETURN0,
    "endless loop": b.MOV0 + b.insn(0x07, 0, 0, 0, 1) + b.insn(0x05, off=-2) + b.EXIT,
    "returns a pointer": b.insn(0xBF, 0, 10) + b.EXIT,
    "lookup without a map": b.insn(0xB7, 1) + b.insn(0xBF, 2, 10) + b.insn(0x85, imm=1) + b.RETURN0,
    "context write": b.insn(0x7A, 1, 0, 0) + b.RETURN0,
    "context past the end": b.insn(0x79, 0, 1, 4096) + b.EXIT,
    "context before the start": b.insn(0x79, 0, 1, -8) + b.EXIT,
    "context misaligned": b.insn(0x79, 0, 1, 3) + b.EXIT,
    "kernel function": b.insn(0x85, src=2, imm=1) + b.RETURN0,
    "classic load of the packet": b.insn(0x20) + b.EXIT,
}
for label, code in PROGRAMS.items():
    simple("kprobe program: %s" % label, b.prog_load, code, kind=b.KPROBE)
PRINTK = b.insn(0xBF, 1, 10) + b.insn(0x07, 1, 0, 0, -8) + b.insn(0x7A, 10, 0, -8) + b.insn(0xB7, 2, 0, 0, 8) + b.insn(0x85, imm=6) + b.RETURN0
simple("GPL helper under another licence", b.prog_load, PRINTK, kind=b.KPROBE, license=b"Proprietary")
simple("GPL helper under GPL", b.prog_load, PRINTK, kind=b.KPROBE)
simple("licence of 128 characters", b.prog_load, license=b"GPL" + b"x" * 125)
simple("tracing helper in a socket filter", b.prog_load, b.insn(0x85, imm=35) + b.EXIT, kind=b.SOCKET_FILTER)

# ---- programs: runs


def run(fd, data=bytes(64), out=None, repeat=0, ctx=None, flags=0, cpu=0, batch=0, data_size=None):
    target = getattr(objects, fd) if isinstance(fd, str) else fd
    inp, ctx_buf = b.buf(data) if data else None, b.buf(ctx) if ctx else None
    attr = struct.pack(
        "<IIIIQQIIIIQQIII",
        target, 0, len(data) if data_size is None else data_size, len(out) if out else 0, b.addr(inp), b.addr(out), repeat, 0,
        len(ctx) if ctx else 0, 0, b.addr(ctx_buf), 0, flags, cpu, batch,
    )
    return b.call(b.PROG_TEST_RUN, attr)


simple("run, bad fd", run, BAD_FD)
simple("run of a map", run, "array")
simple("run of a socket filter", run, "filter")
simple("run on 13 bytes", run, "filter", bytes(13))
simple("run on nothing", run, "filter", b"")
simple("run on 2^20 bytes", run, "filter", bytes(1 << 20))
simple("run with unknown flags", run, "filter", flags=1 << 7)
simple("run on a CPU", run, "filter", cpu=1)
simple("run of a kprobe program", run, "kprobe")
simple("run of a raw tracepoint program", run, "raw_tp", b"", ctx=bytes(16))
simple("run of a raw tracepoint program on data", run, "raw_tp", bytes(64))
simple("run of a raw tracepoint program twice", run, "raw_tp", b"", repeat=2)
simple("run of a raw tracepoint program, context too large", run, "raw_tp", b"", ctx=bytes(13 * 8))
simple("run of a raw tracepoint program, CPU without its flag", run, "raw_tp", b"", cpu=1)
simple("run of a raw tracepoint program, CPU 5000", run, "raw_tp", b"", cpu=5000, flags=1)
simple("run of a raw tracepoint program, CPU 0", run, "raw_tp", b"", cpu=0, flags=1)

# ---- ids, info, BTF, links

for label, nxt, by_id in (("program", b.PROG_GET_NEXT_ID, b.PROG_GET_FD_BY_ID), ("map", b.MAP_GET_NEXT_ID, b.MAP_GET_FD_BY_ID),
                          ("BTF", b.BTF_GET_NEXT_ID, b.BTF_GET_FD_BY_ID), ("link", b.LINK_GET_NEXT_ID, b.LINK_GET_FD_BY_ID)):
    simple("%s after id 2^31 - 1" % label, b.call, nxt, struct.pack("<II", 0x7FFFFFFF, 0))
    simple("%s after id 2^31 - 2" % label, b.call, nxt, struct.pack("<II", 0x7FFFFFFE, 0))
    simple("%s after id 2^32 - 1" % label, b.call, nxt, struct.pack("<II", 0xFFFFFFFF, 0))
    for number in (0, 0x7FFFFFF0, 0xFFFFFFFF):
        simple("%s by id %d" % (label, number), b.call, by_id, struct.pack("<II", number, 0))
    simple("%s by id, flags" % label, b.call, by_id, struct.pack("<III", 1, 0, 1 << 9))


def info(fd, size=256, data=None, pointer=None):
    target = getattr(objects, fd) if isinstance(fd, str) else fd
    data = b.buf(data if data is not None else bytes(size))
    return b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", target, size, b.addr(data) if pointer is None else pointer))


simple("info, bad fd", info, BAD_FD)
simple("info of a file", info, "file")
for kind in ("array", "filter", "btf"):
    simple("info of %s" % kind, info, kind, 64 if kind == "btf" else 256)
    simple("info of %s, size 0" % kind, info, kind, 0)
    simple("info of %s, 8 bytes" % kind, info, kind, 8)
    simple("info of %s, bad pointer" % kind, info, kind, pointer=BAD_POINTER)
    simple("info of %s, unknown tail set" % kind, info, kind, 512, bytes(511) + b"\1")
    simple("info of %s, larger than a page" % kind, info, kind, 5000)

STRINGS = b"\0int\0"
simple("BTF", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS))
simple("BTF of no bytes", b.btf_load, b"")
simple("BTF of 8 bytes", b.btf_load, bytes(8))
simple("BTF of zeroes", b.btf_load, bytes(64))
simple("BTF of 2^31 bytes", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS), size=1 << 31)
simple("BTF, truncated", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS)[:-4])
simple("BTF, with a tail", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS) + bytes(4))
simple("BTF, other magic", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, magic=0x9FEB))
simple("BTF, version 2", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, version=2))
simple("BTF, flags", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, flags=1))
simple("BTF, header of 20", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, hdr_len=20))
simple("BTF, types at 2", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, type_off=2))
simple("BTF, strings in the types", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS, str_off=4))
simple("BTF, no strings", b.btf_load, b.btf_blob(b.BTF_INT, b""))
simple("BTF, strings without NUL", b.btf_load, b.btf_blob(b.BTF_INT, b"\0int"))
simple("BTF, strings that start otherwise", b.btf_load, b.btf_blob(b.BTF_INT, b"xint\0"))
simple("BTF, no types", b.btf_load, b.btf_blob(b"", STRINGS))
TYPES = {
    "kind 20": struct.pack("<III", 0, 20 << 24, 0),
    "kind 0": struct.pack("<III", 0, 0, 0),
    "int of 17 bytes": struct.pack("<IIII", 1, 1 << 24, 17, 32),
    "int of 200 bits": struct.pack("<IIII", 1, 1 << 24, 4, 200),
    "int cut off": struct.pack("<III", 1, 1 << 24, 4),
    "int without name": struct.pack("<IIII", 0, 1 << 24, 4, 32),
    "name past the end": struct.pack("<IIII", 99, 1 << 24, 4, 32),
    "pointer to nothing": struct.pack("<III", 0, 2 << 24, 77),
    "pointer with a name": struct.pack("<III", 1, 2 << 24, 0),
    "typedef of itself": struct.pack("<III", 1, 8 << 24, 1),
    "const of itself": struct.pack("<III", 0, 10 << 24, 1),
    "array of void": struct.pack("<IIIIII", 0, 3 << 24, 0, 0, 0, 4),
    "struct with its member past its end": b.BTF_INT + struct.pack("<IIIIII", 0, 4 << 24 | 1, 4, 1, 1, 32),
    "struct in itself": struct.pack("<IIIIII", 0, 4 << 24 | 1, 4, 1, 1, 0),
    "struct with members cut off": struct.pack("<III", 0, 4 << 24 | 3, 12),
    "func of no prototype": b.BTF_INT + struct.pack("<III", 1, 12 << 24, 1),
    "func without name": struct.pack("<III", 0, 13 << 24, 0) + struct.pack("<III", 0, 12 << 24, 1),
    "func": struct.pack("<III", 0, 13 << 24, 0) + struct.pack("<III", 1, 12 << 24, 1),
    "datasec of nothing": struct.pack("<III", 1, 15 << 24, 0),
    "float of 3 bytes": struct.pack("<III", 1, 16 << 24, 3),
    "enum of 3 bytes": struct.pack("<IIIII", 0, 6 << 24 | 1, 3, 1, 0),
    "reserved bits": struct.pack("<IIII", 1, 1 << 24 | 1 << 20, 4, 32),
}
for label, types in TYPES.items():
    simple("BTF: %s" % label, b.btf_load, b.btf_blob(types, STRINGS))
simple("BTF, log level without a log", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS), log_level=1)
simple("BTF, log", b.btf_load, b.btf_blob(b.BTF_INT, STRINGS), log_level=1, log=b.buf(4096))
simple("BTF, bad log", lambda: b.call(b.BTF_LOAD, struct.pack("<QQIII", b.addr(b.buf(b.btf_blob(b.BTF_INT, STRINGS))), BAD_POINTER, 45, 4096, 1)))


def link(prog, target=BAD_FD, kind=41, flags=0, cookie=0):
    prog = getattr(objects, prog) if isinstance(prog, str) else prog
    target = getattr(objects, target) if isinstance(target, str) else target
    return b.call(b.LINK_CREATE, struct.pack("<IIIIQ", prog, target & 0xFFFFFFFF, kind, flags, cookie))


simple("link, bad program", link, BAD_FD)
simple("link of a map", link, "array")
simple("link, bad target", link, "kprobe")
simple("link, target -1", link, "kprobe", -1)
simple("link, target a file", link, "kprobe", "file")
simple("link, target a map", link, "kprobe", "array")
simple("link, flags", link, "kprobe", -1, flags=1)
for kind in (0, 3, 24, 42, 99):
    simple("link, attach type %d" % kind, link, "kprobe", -1, kind=kind)


def tracing(attach, target, prog_fd=0, kind=26, **more):
    prog_fd = getattr(objects, prog_fd) if isinstance(prog_fd, str) else prog_fd
    return b.prog_load(kind=kind, expected_attach_type=attach, attach_btf_id=target, attach_prog_fd=prog_fd, **more)


# Attach types 23 to 28: typed raw tracepoint, entry, return, changed return, LSM, iterator. No function has the type id 1.
for attach in (0, 1, 23, 24, 25, 26, 27, 28, 41, 99):
    simple("tracing program, attach type %d, no target" % attach, tracing, attach, 0)
    simple("tracing program, attach type %d, type id 1" % attach, tracing, attach, 1)
    simple("tracing program, attach type %d, type id 2^20 + 1" % attach, tracing, attach, (1 << 20) + 1)
    simple("tracing program, attach type %d, type id 2^20 - 1" % attach, tracing, attach, (1 << 20) - 1)
    simple("tracing program, attach type %d, at a program" % attach, tracing, attach, 1, "filter")
    simple("tracing program, attach type %d, at a map" % attach, tracing, attach, 1, "array")
    simple("tracing program, attach type %d, types of a program" % attach, tracing, attach, 1, "btf")
    simple("tracing program, attach type %d, bad fd" % attach, tracing, attach, 1, BAD_FD)
simple("tracing program at a program, no type id", tracing, 24, 0, "filter")
simple("tracing program, sleepable", tracing, 24, 1, prog_flags=16)
for kind in (1, 2, 5, 7, 17):
    simple("program of type %d with a type id" % kind, tracing, 0, 1, kind=kind)
    simple("program of type %d at a program" % kind, tracing, 0, 1, "filter", kind=kind)
for kind in (23, 24, 25, 26, 28):
    simple("link of a kprobe program, attach type %d" % kind, link, "kprobe", 0, kind=kind)
    simple("link of a filter, attach type %d" % kind, link, "filter", 0, kind=kind)
simple("link of a socket filter", link, "filter", -1)
simple("link detach, bad fd", b.call, b.LINK_DETACH, struct.pack("<I", BAD_FD))
simple("link detach of a map", lambda: b.call(b.LINK_DETACH, struct.pack("<I", objects.array)))
simple("link update, bad fd", b.call, b.LINK_UPDATE, struct.pack("<IIII", BAD_FD, BAD_FD, 0, 0))
simple("iterator, bad fd", b.call, b.ITER_CREATE, struct.pack("<II", BAD_FD, 0))
simple("iterator, flags", b.call, b.ITER_CREATE, struct.pack("<II", BAD_FD, 1))


def raw_tracepoint(prog, name):
    prog = getattr(objects, prog) if isinstance(prog, str) else prog
    return b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(b.buf(name) if isinstance(name, bytes) else name), prog))


simple("raw tracepoint, bad program", raw_tracepoint, BAD_FD, b"sched_switch\0")
simple("raw tracepoint, program of another type", raw_tracepoint, "kprobe", b"sched_switch\0")
simple("raw tracepoint that is none", raw_tracepoint, "raw_tp", b"no_such_tracepoint\0")
simple("raw tracepoint, no name", raw_tracepoint, "raw_tp", 0)
simple("raw tracepoint, bad name", raw_tracepoint, "raw_tp", BAD_POINTER)
simple("raw tracepoint, name of 200", raw_tracepoint, "raw_tp", b"x" * 200 + b"\0")
simple("statistics of kind 9", b.call, b.ENABLE_STATS, struct.pack("<I", 9))
simple("statistics", b.call, b.ENABLE_STATS, struct.pack("<I", 0))
simple("bind, bad program", b.call, b.PROG_BIND_MAP, struct.pack("<III", BAD_FD, BAD_FD, 0))
simple("bind, bad map", lambda: b.call(b.PROG_BIND_MAP, struct.pack("<III", objects.filter, BAD_FD, 0)))
simple("bind, flags", lambda: b.call(b.PROG_BIND_MAP, struct.pack("<III", objects.filter, objects.array, 1)))
simple("bind", lambda: b.call(b.PROG_BIND_MAP, struct.pack("<III", objects.filter, objects.array, 0)))
simple("bind again", lambda: b.call(b.PROG_BIND_MAP, struct.pack("<III", objects.filter, objects.array, 0)))
simple("task query, no such process", b.call, b.TASK_FD_QUERY, struct.pack("<IIIIQIIQQ", 0x7FFFFFF0, 0, 0, 0, 0, 0, 0, 0, 0))
simple("task query, bad fd", lambda: b.call(b.TASK_FD_QUERY, struct.pack("<IIIIQIIQQ", os.getpid(), BAD_FD, 0, 0, 0, 0, 0, 0, 0)))
simple("task query of a file", lambda: b.call(b.TASK_FD_QUERY, struct.pack("<IIIIQIIQQ", os.getpid(), objects.file, 0, 0, 0, 0, 0, 0, 0)))
simple("get of a path that is not there", lambda: b.call(b.OBJ_GET, struct.pack("<QII", b.addr(b.buf(b"/no/such/path\0")), 0, 0)))
simple("get of a file", lambda: b.call(b.OBJ_GET, struct.pack("<QII", b.addr(b.buf(b"/dev/null\0")), 0, 0)))
simple("get, bad path", b.call, b.OBJ_GET, struct.pack("<QII", BAD_POINTER, 0, 0))
simple("pin on another file system", lambda: b.call(b.OBJ_PIN, struct.pack("<QII", b.addr(b.buf(("%s/pin\0" % tempfile.gettempdir()).encode())), objects.array, 0)))
simple("pin of a file", lambda: b.call(b.OBJ_PIN, struct.pack("<QII", b.addr(b.buf(b"/tmp/pin\0")), objects.file, 0)))
simple("attach to no kind", b.call, b.PROG_ATTACH, struct.pack("<IIII", BAD_FD, BAD_FD, 99, 0))
simple("detach from no kind", b.call, b.PROG_DETACH, struct.pack("<IIII", BAD_FD, BAD_FD, 99, 0))
simple("query of no kind", b.call, b.PROG_QUERY, struct.pack("<IIII", BAD_FD, 99, 0, 0))


def answer(function):
    """Runs a case; a fd that it made is closed."""
    before = set(os.listdir("/proc/self/fd"))
    result = function()
    for fd in set(os.listdir("/proc/self/fd")) - before:
        with contextlib.suppress(OSError):
            os.close(int(fd))
    if result >= 0:
        return "ok"
    return {524: "ENOTSUPP"}.get(-result) or errno.errorcode[-result]


def main():
    global objects
    objects = Objects()
    print(json.dumps({name: answer(function) for name, function in CASES.items()}, indent=0))


if __name__ == "__main__":
    assert ctypes.sizeof(ctypes.c_long) == 8
    main()
