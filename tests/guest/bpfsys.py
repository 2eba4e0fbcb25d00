# SPDX-License-Identifier: MIT
"""bpf(2) with nothing in between, for scripts inside a machine: standard library only, as every import costs under emulation.

Numbers and layouts are those of Linux's include/uapi/linux/bpf.h. The call goes through libc's syscall(), as libbpf's does, so
that it meets the kernel natively and the module under the shim.
"""

import collections
import contextlib
import ctypes
import functools
import os
import struct

SYS_BPF = 321
OURS = "bpfcompat" in os.environ.get("LD_PRELOAD", "")  # else the kernel's own
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long

(
    MAP_CREATE,
    MAP_LOOKUP_ELEM,
    MAP_UPDATE_ELEM,
    MAP_DELETE_ELEM,
    MAP_GET_NEXT_KEY,
    PROG_LOAD,
    OBJ_PIN,
    OBJ_GET,
    PROG_ATTACH,
    PROG_DETACH,
    PROG_TEST_RUN,
    PROG_GET_NEXT_ID,
    MAP_GET_NEXT_ID,
    PROG_GET_FD_BY_ID,
    MAP_GET_FD_BY_ID,
    OBJ_GET_INFO_BY_FD,
    PROG_QUERY,
    RAW_TRACEPOINT_OPEN,
    BTF_LOAD,
    BTF_GET_FD_BY_ID,
    TASK_FD_QUERY,
    MAP_LOOKUP_AND_DELETE_ELEM,
    MAP_FREEZE,
    BTF_GET_NEXT_ID,
    MAP_LOOKUP_BATCH,
    MAP_LOOKUP_AND_DELETE_BATCH,
    MAP_UPDATE_BATCH,
    MAP_DELETE_BATCH,
    LINK_CREATE,
    LINK_UPDATE,
    LINK_GET_FD_BY_ID,
    LINK_GET_NEXT_ID,
    ENABLE_STATS,
    ITER_CREATE,
    LINK_DETACH,
    PROG_BIND_MAP,
) = range(36)

(
    HASH,
    ARRAY,
    PROG_ARRAY,
    PERF_EVENT_ARRAY,
    PERCPU_HASH,
    PERCPU_ARRAY,
    STACK_TRACE,
    CGROUP_ARRAY,
    LRU_HASH,
    LRU_PERCPU_HASH,
) = range(1, 11)
LPM_TRIE, ARRAY_OF_MAPS, HASH_OF_MAPS, RINGBUF, BLOOM_FILTER = 11, 12, 13, 27, 30
DEVMAP, CPUMAP, DEVMAP_HASH = 14, 16, 25
SOCKET_FILTER, KPROBE = 1, 2
TRACEPOINT, PERF_EVENT, CGROUP_SOCK, RAW_TRACEPOINT = 5, 7, 9, 17

ANY, NOEXIST, EXIST, F_LOCK = 0, 1, 2, 4
F_NO_PREALLOC, F_NO_COMMON_LRU, F_NUMA_NODE, F_RDONLY, F_WRONLY = 1, 2, 4, 8, 16
F_RDONLY_PROG, F_WRONLY_PROG, F_MMAPABLE = 1 << 7, 1 << 8, 1 << 10


def call(cmd, attr, size=None):
    """bpf(cmd, attr, size): the result, or the negative errno.

    `attr` is bytes (copied, so results in it are lost), a ctypes buffer, or an address.
    """
    if isinstance(attr, bytes):
        attr = ctypes.create_string_buffer(attr, max(len(attr), 1))
        size = len(attr) if size is None else size
    elif size is None:
        size = ctypes.sizeof(attr)
    pointer = ctypes.c_void_p(attr) if isinstance(attr, int) else ctypes.byref(attr)
    ret = libc.syscall(ctypes.c_long(SYS_BPF), ctypes.c_long(cmd), pointer, ctypes.c_ulong(size))
    return -ctypes.get_errno() if ret < 0 else ret


def check(result, what="bpf"):
    """The result where it is none of an error; raises OSError otherwise."""
    if result < 0:
        raise OSError(-result, "%s: %s" % (what, os.strerror(-result)))
    return result


# An address alone keeps no buffer alive; the last ones asked for stay till long after their call.
_alive = collections.deque(maxlen=512)


def addr(buffer):
    """Address of a ctypes buffer, or 0 for None; a number is an address already."""
    if buffer is None:
        return 0
    if isinstance(buffer, int):
        return buffer
    _alive.append(buffer)
    return ctypes.addressof(buffer)


def buf(data):
    """A buffer that holds these bytes, or that many zero ones."""
    return ctypes.create_string_buffer(data, data if isinstance(data, int) else max(len(data), 1))


def map_attr(
    kind, key, value, entries, flags=0, name=b"", inner=0, node=0, ifindex=0, btf=0, btf_key=0, btf_value=0, extra=0
):
    return struct.pack(
        "<7I16s5IQ", kind, key, value, entries, flags, inner, node, name, ifindex, btf, btf_key, btf_value, 0, extra
    )


def map_create(kind, key, value, entries, flags=0, **more):
    return call(MAP_CREATE, map_attr(kind, key, value, entries, flags, **more))


def elem_attr(fd, key, value=None, flags=0):
    return struct.pack("<I4xQQQ", fd & 0xFFFFFFFF, addr(key), addr(value), flags)


def lookup(fd, key, size, flags=0, cmd=MAP_LOOKUP_ELEM):
    """The value as bytes, or the negative errno."""
    value = buf(size)
    ret = call(cmd, elem_attr(fd, buf(key), value, flags))
    return ret if ret < 0 else value.raw


def update(fd, key, value, flags=0):
    return call(MAP_UPDATE_ELEM, elem_attr(fd, buf(key), buf(value), flags))


def delete(fd, key):
    return call(MAP_DELETE_ELEM, elem_attr(fd, buf(key))[:16])


def next_key(fd, key, size):
    out = buf(size)
    ret = call(MAP_GET_NEXT_KEY, elem_attr(fd, None if key is None else buf(key), out)[:24])
    return ret if ret < 0 else out.raw


def batch_attr(fd, keys, values, count, in_batch=None, out_batch=None, elem_flags=0, flags=0):
    return buf(
        struct.pack(
            "<QQQQIIQQ", addr(in_batch), addr(out_batch), addr(keys), addr(values), count, fd, elem_flags, flags
        )
    )


def insn(code, dst=0, src=0, off=0, imm=0):
    return struct.pack("<BBhi", code, src << 4 | dst, off, imm)


def ld_imm64(dst, src, low, high=0):
    return struct.pack("<BBhIBBhI", 0x18, src << 4 | dst, 0, low & 0xFFFFFFFF, 0, 0, 0, high & 0xFFFFFFFF)


MOV0 = insn(0xB7, 0, 0, 0, 0)
EXIT = insn(0x95)
RETURN0 = MOV0 + EXIT


class Prog:
    """Attributes of PROG_LOAD that differ from those of a program that returns 0."""

    LAYOUT = "<IIQQIIQII16sIIIIQIIQIIIIQQI4x"
    FIELDS = (
        "prog_type insn_cnt insns license log_level log_size log_buf kern_version prog_flags prog_name prog_ifindex "
        "expected_attach_type prog_btf_fd func_info_rec_size func_info func_info_cnt line_info_rec_size line_info "
        "line_info_cnt attach_btf_id attach_prog_fd core_relo_cnt fd_array core_relos core_relo_rec_size"
    ).split()

    def __init__(self, code=RETURN0, kind=SOCKET_FILTER, license=b"GPL", **fields):
        self.code, self.license = buf(code), buf(license + b"\0")
        self.log = buf(fields.get("log_size", 0)) if fields.get("log_size") and "log_buf" not in fields else None
        values = dict.fromkeys(self.FIELDS, 0)
        values.update(
            prog_name=b"", prog_type=kind, insn_cnt=len(code) // 8, insns=addr(self.code), license=addr(self.license)
        )
        if self.log is not None:
            values["log_buf"] = addr(self.log)
        values.update(fields)
        self.attr = struct.pack(self.LAYOUT, *[values[name] for name in self.FIELDS])[:-4]

    def load(self):
        return call(PROG_LOAD, self.attr)

    def log_text(self):
        return self.log.value.decode() if self.log is not None else ""


@functools.cache
def _all_symbols():
    with open("/proc/kallsyms") as file:
        return "\n" + file.read()


def symbols(*names):
    """Addresses of those that are there, the first of each; as they were when one was first asked for."""
    found, text = {}, _all_symbols()
    for name in names:
        places = [at for at in (text.find(" " + name + end) for end in "\n\t") if at >= 0]
        if places:
            found[name] = int(text[text.rindex("\n", 0, min(places)) :][:17], 16)
    return found


def for_races(seconds):
    """So long things are tried that may go wrong by chance; of the kernel's own only as long as shows that the case works."""
    return seconds if OURS else min(seconds, 0.3)


@contextlib.contextmanager
def on_one_cpu():
    """
    Keeps the process on CPU 0. Each CPU has free and new elements of an LRU map to itself, so that those of one outlast what
    is put in on another.
    """
    os.sched_setaffinity(0, {0})
    try:
        yield
    finally:
        os.sched_setaffinity(0, set(range(os.cpu_count())))


def prog_load(code=RETURN0, kind=SOCKET_FILTER, **fields):
    return Prog(code, kind, **fields).load()


def btf_blob(types=b"", strings=b"\0", magic=0xEB9F, version=1, flags=0, hdr_len=24, type_off=0, str_off=None):
    str_off = len(types) if str_off is None else str_off
    header = struct.pack("<HBBIIIII", magic, version, flags, hdr_len, type_off, len(types), str_off, len(strings))
    return header + types + strings


TestRun = collections.namedtuple("TestRun", "error value data context")


def run_prog(prog, data=b"", context=b"", room=0, context_room=0, repeat=0, flags=0):
    """
    BPF_PROG_TEST_RUN: 0 or the negative errno, what the program returned, and so much of packet and context after it as there
    is room for.
    """
    given, out = (buf(item) if item else None for item in (data, room))
    before, after = (buf(item) if item else None for item in (context, context_room))
    attr = buf(
        struct.pack("<4I2Q", prog, 0, len(data), room, addr(given), addr(out))
        + struct.pack("<4I2Q", repeat, 0, len(context), context_room, addr(before), addr(after))
        + struct.pack("<3I4x", flags, 0, 0)
    )
    error = call(PROG_TEST_RUN, attr)
    value, size = struct.unpack_from("<i4xI", attr.raw, 4)
    return TestRun(error, value, out.raw[:size] if out else b"", after.raw if after else b"")


BTF_INT = struct.pack("<IIII", 1, 1 << 24, 4, 32 | 1 << 24)  # [1] INT 'int' size=4 bits=32 SIGNED


def btf_load(blob, size=None, log_level=0, log=None):
    data = buf(blob)
    attr = struct.pack(
        "<QQIII",
        addr(data),
        addr(log),
        len(blob) if size is None else size,
        ctypes.sizeof(log) if log else 0,
        log_level,
    )
    return call(BTF_LOAD, attr)
