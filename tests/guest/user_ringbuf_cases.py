# SPDX-License-Identifier: MIT
"""Runs inside a machine: a user ring buffer that this script fills and programs drain. Prints one JSON object of answers; the same
natively and on the module. Standard library only."""

import errno
import json
import mmap
import os
import select
import struct
import sys

import bpfsys as b

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a
from programs.btf import Btf

USER_RINGBUF, DRAIN, READ = 31, 209, 201
SIZE, PAGE = 8192, 4096
BUSY, DISCARD = 1 << 31, 1 << 30
STOP = 77  # a record that ends the drain


def load(ring):
    """Drains: what the helper returned in the low half, the sum of the records' first bytes above."""
    code = a.asm(
        a.st(8, a.R10, -8, 0), a.ld_map(a.R1, ring), a.ld_func(a.R2, "each"), a.mov(a.R3, a.R10), a.add_imm(a.R3, -8),
        a.mov_imm(a.R4, 0), a.call(DRAIN), a.alu64_imm("and", a.R0, 0xFFFF), a.ldx(8, a.R1, a.R10, -8),
        a.alu64_imm("lsh", a.R1, 16), a.alu64("or", a.R0, a.R1), a.exit_(),
        "each", a.mov(a.R6, a.R2), a.mov(a.R3, a.R1), a.mov(a.R1, a.R10), a.add_imm(a.R1, -8), a.mov_imm(a.R2, 1), a.mov_imm(a.R4, 0),
        a.mov_imm(a.R5, 0), a.call(READ), a.ldx(1, a.R1, a.R10, -8), a.ldx(8, a.R2, a.R6, 0), a.add(a.R2, a.R1),
        a.stx(8, a.R6, 0, a.R2), a.mov_imm(a.R0, 0), a.jmp_imm("ne", a.R1, STOP, 1), a.mov_imm(a.R0, 1), a.exit_(),
    )  # fmt: skip
    btf = Btf()
    proto = btf.proto(btf.int("int", 4), [])
    starts = (0, next(at for at in range(1, len(code) // 8) if code[8 * at - 8] == 0x95 and at < len(code) // 8))
    records = b.buf(b"".join(struct.pack("<II", at, btf.func("f%d" % at, proto)) for at in starts))
    prog = b.Prog(code, log_level=1, log_size=1 << 16, prog_btf_fd=b.check(b.btf_load(btf.blob()), "BTF"),
                  func_info_rec_size=8, func_info=b.addr(records), func_info_cnt=2)  # fmt: skip
    fd = prog.load()
    assert fd >= 0, prog.log_text()
    return fd


class Ring:
    def __init__(self):
        self.fd = b.check(b.map_create(USER_RINGBUF, 0, 0, SIZE), "map")
        self.consumer = mmap.mmap(self.fd, PAGE, mmap.MAP_SHARED, mmap.PROT_READ)
        self.memory = mmap.mmap(self.fd, PAGE + 2 * SIZE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, offset=PAGE)
        self.prog = load(self.fd)
        self.pos = 0

    def put(self, data, flags=0, length=None):
        at = PAGE + self.pos % SIZE
        self.memory[at : at + 8 + len(data)] = struct.pack("<II", (len(data) if length is None else length) | flags, 0) + data
        self.pos += (8 + len(data) + 7) // 8 * 8
        self.produced(self.pos)

    def flags(self, pos, data, flags):
        at = PAGE + pos % SIZE
        self.memory[at : at + 4] = struct.pack("<I", len(data) | flags)

    def produced(self, pos):
        self.memory[:8] = struct.pack("<Q", pos)

    def drain(self):
        """What the helper returned, the sum, and how many bytes are left."""
        packet = b.buf(bytes(64))
        attr = b.buf(struct.pack("<IIIIQQIIQQIIII", self.prog, 0, 64, 0, b.addr(packet), 0, 1, 0, 0, 0, 0, 0, 0, 0))
        b.check(b.call(b.PROG_TEST_RUN, attr), "PROG_TEST_RUN")
        word = struct.unpack_from("<I", attr.raw, 4)[0]
        low = word & 0xFFFF
        return [low - 0x10000 if low & 0x8000 else low, word >> 16, self.pos - struct.unpack("<Q", self.consumer[:8])[0]]


def refused(ring, length, protection, offset):
    try:
        mmap.mmap(ring.fd, length, mmap.MAP_SHARED, protection, offset=offset).close()
    except OSError as problem:
        return errno.errorcode[problem.errno]
    return "mapped"


def events(ring):
    poll = select.poll()
    poll.register(ring.fd, select.POLLIN | select.POLLOUT)
    return [mask for _, mask in poll.poll(0)]


def main():
    answers = {}
    ring = Ring()
    answers["empty"] = [ring.drain(), events(ring)]
    for byte in (1, 2, 3):
        ring.put(bytes([byte]) * 20)
    answers["three"] = ring.drain()
    ring.put(b"\4" * 8)
    ring.put(b"\x80" * 8, DISCARD)
    ring.put(b"\5" * 8)
    answers["one discarded"] = ring.drain()
    at = ring.pos
    ring.put(b"\6" * 8, BUSY)
    answers["busy"] = ring.drain()
    ring.flags(at, b"\6" * 8, 0)
    answers["no more"] = ring.drain()
    ring.put(bytes([STOP]) * 8)
    ring.put(b"\7" * 8)
    answers["ended by the callback"] = ring.drain()
    answers["the rest"] = ring.drain()
    rounds = 0
    for _ in range(40):
        ring.put(b"\1" * 500)
        rounds += ring.drain()[0]
    answers["round and round"] = rounds
    while ring.pos - struct.unpack("<Q", ring.consumer[:8])[0] + 512 <= SIZE:
        ring.put(b"\1" * 504)
    answers["full"] = events(ring)
    answers["and drained"] = [ring.drain()[0], events(ring)]
    ring.put(b"\1" * 8, length=9000)
    answers["longer than what there is"] = ring.drain()
    ring.produced(ring.pos + 1 << 20)
    answers["longer than the buffer"] = ring.drain()[0]
    ring.produced(ring.pos + 4)
    answers["producer at an odd place"] = ring.drain()[0]
    answers["consumer's page to write"] = refused(ring, PAGE, mmap.PROT_READ | mmap.PROT_WRITE, 0)
    answers["beyond the end"] = refused(ring, PAGE, mmap.PROT_READ, 2 * PAGE + 2 * SIZE)
    answers["update"] = b.update(ring.fd, b"", b"")
    print(json.dumps(answers))


main()
