# SPDX-License-Identifier: MIT
"""Runs inside a machine: what the kernel tells of a program's generated code. Prints one JSON object of facts; test_code.py judges them.

The same natively and on the module. Standard library only.
"""

import ctypes
import json
import mmap
import os
import struct
import subprocess
import sys
import time

import bpfsys as b

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a
from programs.btf import Btf

LAYOUT = "<II8sIIQQQIIQ16sIIQQIIQQIIQIIQQIIIIQQQQIII4x"
FIELDS = (
    "type id tag jited_prog_len xlated_prog_len jited_prog_insns xlated_prog_insns load_time created_by_uid nr_map_ids map_ids name "
    "ifindex gpl_compatible netns_dev netns_ino nr_jited_ksyms nr_jited_func_lens jited_ksyms jited_func_lens btf_id "
    "func_info_rec_size func_info nr_func_info nr_line_info line_info jited_line_info nr_jited_line_info line_info_rec_size "
    "jited_line_info_rec_size nr_prog_tags prog_tags run_time_ns run_cnt recursion_misses verified_insns attach_btf_obj_id attach_btf_id"
).split()
# Each array: its address, its count, bytes of an element.
ARRAYS = (
    ("jited_prog_insns", "jited_prog_len", 1), ("jited_ksyms", "nr_jited_ksyms", 8), ("jited_func_lens", "nr_jited_func_lens", 4),
    ("line_info", "nr_line_info", 16), ("jited_line_info", "nr_jited_line_info", 8), ("prog_tags", "nr_prog_tags", 8),
)
GET_STACK, PERF_EVENT_OPEN, KSYMBOL = 67, 298, 17
LINES = {0: 1, 2: 2, 5: 3, 9: 10, 14: 11}  # by instruction
libc = ctypes.CDLL(None, use_errno=True)


def load(stack_map):
    """A program of two functions, with lines; the inner one leaves the stack that it finds in the map."""
    code = a.asm(
        a.mov(a.R6, a.R1), a.call_sub("inner"), a.mov(a.R7, a.R0), a.add_imm(a.R7, 1), a.mov(a.R0, a.R7), a.mov(a.R8, a.R0),
        a.add_imm(a.R8, 0), a.mov(a.R0, a.R8), a.exit_(),
        "inner", a.ld_map_value(a.R2, stack_map), a.mov_imm(a.R3, 256), a.mov_imm(a.R4, 0), a.call(GET_STACK), a.mov_imm(a.R0, 40),
        a.exit_(),
    )
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    names = [btf.func(name, proto) for name in ("outer_fn", "inner_fn")]
    records = b.buf(b"".join(struct.pack("<II", at, func) for at, func in zip((0, 9), names, strict=True)))
    lines = b"".join(struct.pack("<IIII", at, btf.name("a.c"), btf.name("line %d;" % line), line << 10 | 1)
                     for at, line in sorted(LINES.items()))
    kept = b.buf(lines)
    prog = b.Prog(code, b.RAW_TRACEPOINT, log_level=1, log_size=1 << 16, prog_name=b"short",
                  prog_btf_fd=b.check(b.btf_load(btf.blob()), "BTF"), func_info_rec_size=8, func_info=b.addr(records), func_info_cnt=2,
                  line_info_rec_size=16, line_info=b.addr(kept), line_info_cnt=len(LINES))
    fd = prog.load()
    if fd < 0:
        raise AssertionError("PROG_LOAD: %d\n%s" % (fd, prog.log_text()))
    return fd


def ask(fd, **values):
    """struct bpf_prog_info as a dict; @values: what it is asked with."""
    fields = dict.fromkeys(FIELDS, 0)
    fields.update(tag=b"", name=b"")
    fields.update(values)
    out = b.buf(struct.pack(LAYOUT, *[fields[name] for name in FIELDS]))
    b.check(b.call(b.OBJ_GET_INFO_BY_FD, struct.pack("<IIQ", fd, struct.calcsize(LAYOUT), b.addr(out))), "info")
    return dict(zip(FIELDS, struct.unpack_from(LAYOUT, out.raw), strict=True))


def tell(fd):
    """Counts, and what the arrays hold: the code as hex, the others as lists."""
    first = ask(fd)
    request = {"line_info_rec_size": 16, "jited_line_info_rec_size": 8}
    buffers = {}
    for pointer, count, size in ARRAYS:
        request[count] = first[count]
        buffers[pointer] = b.buf(max(1, size * first[count]))
        request[pointer] = b.addr(buffers[pointer])
    second = ask(fd, **request)
    told = {"tag": first["tag"].hex(), "rec_sizes": [second["line_info_rec_size"], second["jited_line_info_rec_size"]],
            "shown": [second[pointer] != 0 for pointer, _, _ in ARRAYS]}
    for pointer, count, size in ARRAYS:
        assert first[count] == second[count], count
        told[count] = first[count]
        raw = buffers[pointer].raw[: size * first[count]]
        told[pointer] = raw.hex() if size == 1 else [raw[at : at + size].hex() if size == 16 or pointer == "prog_tags"
                                                     else int.from_bytes(raw[at : at + size], "little")
                                                     for at in range(0, len(raw), size)]
    told["line_insns"] = [struct.unpack_from("<I", bytes.fromhex(record))[0] for record in told.pop("line_info")]
    return told


def symbols():
    """Of programs: {name: address}."""
    with open("/proc/kallsyms") as file:
        return {line.split()[2]: int(line.split()[0], 16) for line in file if " bpf_prog_" in line and line.rstrip().endswith("[bpf]")}


class Perf:
    """What the kernel tells perf of symbols that come and go."""

    def __init__(self):
        attr = struct.pack("<IIQQQQQ", 1, 112, 9, 1, 0, 0, 1 << 29 | 1 << 18).ljust(112, b"\0")
        libc.syscall.restype = ctypes.c_long
        self.fd = libc.syscall(ctypes.c_long(PERF_EVENT_OPEN), b.buf(attr), ctypes.c_long(-1), ctypes.c_long(0), ctypes.c_long(-1),
                               ctypes.c_long(8))
        self.map = mmap.mmap(self.fd, 17 * 4096) if self.fd >= 0 else None
        self.tail = 0

    def records(self):
        """[name, whether it went, address, bytes]"""
        found = []
        if not self.map:
            return found
        head = struct.unpack_from("<Q", self.map, 1024)[0]
        ring = self.map[4096:]
        while self.tail < head:
            kind, _, size = struct.unpack("<IHH", bytes(ring[(self.tail + i) % len(ring)] for i in range(8)))
            record = bytes(ring[(self.tail + i) % len(ring)] for i in range(size))
            if kind == KSYMBOL:
                address, length, sort, flags = struct.unpack_from("<QIHH", record, 8)
                assert sort == 1, sort
                found.append([record[24:].split(b"\0")[0].decode(), bool(flags & 1), address, length])
            self.tail += size
        return found


def pinned():
    """On CPU 0, whose events are looked at."""
    os.sched_setaffinity(0, {0})


def main():
    pinned()
    facts = {"has_table": any(line.split()[2] == "bpf_ksym_add" for line in open("/proc/kallsyms"))}
    perf = Perf()
    before = symbols()
    stack_map = b.check(b.map_create(b.ARRAY, 4, 256, 1), "map")
    prog = load(stack_map)
    facts["told"] = tell(prog)
    with open("/proc/sys/kernel/kptr_restrict") as file:
        restriction = file.read()
    try:
        with open("/proc/sys/kernel/kptr_restrict", "w") as file:
            file.write("2")
        facts["restricted"] = tell(prog)
    finally:
        with open("/proc/sys/kernel/kptr_restrict", "w") as file:
            file.write(restriction)
    facts["symbols"] = {name: address for name, address in symbols().items() if name not in before}
    attr = b.buf(struct.pack("<IIIIQQIIIIQQIII", prog, *[0] * 14))
    b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
    facts["result"] = struct.unpack_from("<I", attr, 4)[0]
    facts["stack"] = [entry for entry in struct.unpack("<32Q", b.lookup(stack_map, bytes(4), 256)) if entry]
    facts["bpftool"] = subprocess.run(["bpftool", "prog", "dump", "xlated", "name", "short", "linum"], stdout=subprocess.PIPE,
                                      stderr=subprocess.STDOUT).stdout.decode()
    facts["records"] = perf.records()
    os.close(prog)
    for _ in range(50):
        left = [name for name in symbols() if name in facts["symbols"]]
        gone = perf.records()
        facts.setdefault("gone", []).extend(gone)
        if not left and len([r for r in facts["gone"] if r[1]]) >= len([r for r in facts["records"] if not r[1]]):
            break
        time.sleep(0.1)
    facts["left"] = left
    print(json.dumps(facts))


main()
