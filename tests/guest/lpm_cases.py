# SPDX-License-Identifier: MIT
"""Tries for the longest prefix that matches, run inside a machine through bpf(2) and from programs: prints one JSON object
(casework.py)."""

import os
import random
import struct
import time

import bpfsys as b
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R6,
    R7,
    R8,
    R10,
    add_imm,
    alu64,
    alu64_imm,
    call,
    exit_,
    jmp_imm,
    ld_map,
    ld_map_value,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)
from casework import EEXIST, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOTSUPP, Cases, Map, Prog, changing, children, same, v64
from programs import btf as types

case = Cases()
LPM, PRANDOM, LOOKUP, UPDATE, DELETE = b.LPM_TRIE, 7, 1, 2, 3


def trie(size=4, entries=100, value=8, **more):
    return Map(LPM, 4 + size, value, entries, b.F_NO_PREALLOC, **more)


def key(length, data):
    return struct.pack("<I", length) + data


def net(text):
    """10.1.0.0/16"""
    address, length = text.split("/")
    return key(int(length), bytes(int(part) for part in address.split(".")))


def bits(text):
    length, data = struct.unpack("<I", text[:4])[0], text[4:]
    return "".join(f"{byte:08b}" for byte in data)[:length]


class Model:
    """What a trie is to say."""

    def __init__(self, size, entries):
        self.size, self.entries, self.there = size, entries, {}

    def put(self, text, value, flags):
        prefix = bits(text)
        if struct.unpack("<I", text[:4])[0] > 8 * self.size:
            return EINVAL
        if prefix in self.there:
            if flags == b.NOEXIST:
                return EEXIST
        elif flags == b.EXIST:
            return ENOENT
        elif len(self.there) == self.entries:
            return ENOSPC
        self.there[prefix] = text, value
        return 0

    def drop(self, text):
        if struct.unpack("<I", text[:4])[0] > 8 * self.size:
            return EINVAL
        return 0 if self.there.pop(bits(text), None) else ENOENT

    def get(self, text):
        if struct.unpack("<I", text[:4])[0] > 8 * self.size:
            return ENOENT
        prefix = bits(text)
        fits = [known for known in self.there if prefix.startswith(known)]
        return self.there[max(fits, key=len)][1] if fits else ENOENT

    def order(self):
        """Longer ones before those that they begin with."""
        return [self.there[prefix][0] for prefix in sorted(self.there, key=lambda p: p + "2")]

    def after(self, text):
        keys, prefix = self.order(), bits(text)
        if prefix not in self.there or struct.unpack("<I", text[:4])[0] > 8 * self.size:
            return keys[0] if keys else ENOENT
        at = keys.index(self.there[prefix][0]) + 1
        return keys[at] if at < len(keys) else ENOENT


@case
def says_what_a_model_says():
    for size, entries, few, steps in ((1, 40, 255, 500), (4, 30, 3, 400), (5, 1000, 3, 400), (8, 60, 15, 400), (256, 60, 1, 300)):
        chance = random.Random(size)
        model = Model(size, entries)

        def any_key(size=size, few=few, chance=chance):
            data = bytes(chance.randrange(256) & few for _ in range(size))
            if size == 256 and chance.randrange(3):  # they differ late
                data = bytes(255) + data[-1:]
            return key(chance.choice((chance.randrange(8 * size + 1), 8 * size, 8 * size - 1, 8 * size + chance.randrange(-8, 2))), data)

        with trie(size, entries) as m:
            for step in range(steps):
                text, flags = any_key(), chance.choice((b.ANY, b.ANY, b.NOEXIST, b.EXIST))
                if chance.randrange(3):
                    same(m.put(text, v64(step), flags), model.put(text, v64(step), flags), f"put {step}")
                else:
                    known = list(model.there.values())
                    text = chance.choice(known)[0] if known and chance.randrange(3) else text
                    same(m.drop(text), model.drop(text), f"drop {step}")
                text = any_key()
                same(m.get(text), model.get(text), f"get {step}")
                same(m.after(text), model.after(text), f"next {step}")
                if not step % 50:
                    same(m.keys(), model.order(), f"keys {step}")
            for text in model.order():
                same(m.after(text), model.after(text), "next")
                same(m.get(text), model.get(text), "get")
            for text in model.order():
                same(m.drop(text), 0)
            same(m.keys(), [])


@case
def addresses():
    with trie() as m:
        nets = ["0.0.0.0/0", "10.0.0.0/8", "10.1.0.0/16", "10.1.2.0/24", "10.1.2.3/32", "192.168.0.0/16", "192.168.128.0/24"]
        for i, text in enumerate(nets):
            same(m.put(net(text), v64(i)), 0)
        asked = {"10.1.2.3/32": 4, "10.1.2.4/32": 3, "10.1.3.3/32": 2, "10.2.0.0/32": 1, "11.0.0.0/32": 0, "192.168.128.9/32": 6,
                 "192.168.1.1/32": 5, "10.1.2.0/20": 2, "10.1.2.3/31": 3, "0.0.0.0/0": 0}  # fmt: skip
        for text, wanted in asked.items():
            same(m.get(net(text)), v64(wanted), text)
        same(m.drop(net("10.1.0.0/17")), ENOENT)
        same(m.drop(net("10.1.0.0/16")), 0)
        same([m.get(net("10.1.3.3/32")), m.get(net("10.1.2.4/32"))], [v64(1), v64(3)])


@case
def full():
    with trie(4, 3) as m:
        for text in ("10.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"):
            same(m.put(net(text), v64(1)), 0)
        same(m.put(net("10.3.0.0/16"), v64(1)), ENOSPC)
        same(m.put(net("10.3.0.0/16"), v64(1), b.EXIST), ENOENT)
        same(m.put(net("10.1.0.0/16"), v64(2)), 0, "takes another's place")
        same(m.put(net("10.1.0.0/16"), v64(2), b.NOEXIST), EEXIST)
        same(m.drop(net("10.0.0.0/8")), 0)
        same(m.put(net("10.0.0.0/8"), v64(3), b.EXIST), ENOENT, "it is but a fork")
        same(m.put(net("10.3.0.0/16"), v64(3)), 0)
        same(m.put(net("10.0.0.0/8"), v64(3)), ENOSPC)


@case
def a_key_keeps_the_bits_behind_its_prefix():
    with trie() as m:
        same(m.put(key(8, b"\x0a\1\2\3"), v64(1)), 0)
        same(m.keys(), [key(8, b"\x0a\1\2\3")])
        same(m.put(key(8, b"\x0a\7\7\7"), v64(2)), 0)
        same(m.keys(), [key(8, b"\x0a\7\7\7")])


@case
def batches():
    with trie(4, 200) as m:
        keys = [key(24, bytes((10, i % 7, i, 0))) for i in range(100)]
        attr = b.batch_attr(m.fd, b.buf(b"".join(keys)), b.buf(b"".join(v64(i) for i in range(100))), 100)
        same(b.call(b.MAP_UPDATE_BATCH, attr), 0)
        same(len(m.keys()), 100)
        found, token = {}, None
        while True:
            out, names, values = b.buf(8), b.buf(8 * 30), b.buf(8 * 30)
            attr = b.batch_attr(m.fd, names, values, 30, token, out)
            said = b.call(b.MAP_LOOKUP_BATCH, attr)
            assert said in (0, ENOENT), said
            count = struct.unpack_from("<I", attr.raw, 32)[0]
            found.update((names.raw[8 * i : 8 * i + 8], values.raw[8 * i : 8 * i + 8]) for i in range(count))
            token = out
            if said:
                break
        same(found, {text: v64(i) for i, text in enumerate(keys)})
        attr = b.batch_attr(m.fd, b.buf(b"".join(keys[:60]) + key(24, b"\1\1\1\1") + keys[60]), None, 62)
        same([b.call(b.MAP_DELETE_BATCH, attr), struct.unpack_from("<I", attr.raw, 32)[0]], [ENOENT, 60])
        same(len(m.keys()), 40)
        same(b.call(b.MAP_LOOKUP_AND_DELETE_BATCH, b.batch_attr(m.fd, b.buf(80), b.buf(80), 10, None, b.buf(8))), ENOTSUPP)
        same(m.pop(keys[70]), ENOTSUPP)


@case
def types_of_keys():
    btf = types.Btf()
    u32, u64 = btf.int("unsigned int", 4, 0), btf.int("unsigned long long", 8, 0)
    struct_key = btf.struct("key", 8, [("len", u32, 0), ("data", u32, 32)])
    fd = b.check(b.btf_load(btf.blob()))
    wanted = {struct_key: 0, u64: EINVAL, 0: EINVAL, u32: EINVAL}
    for key_type, said in wanted.items():
        made = b.map_create(LPM, 8, 8, 4, b.F_NO_PREALLOC, btf=fd, btf_key=key_type, btf_value=u64)
        same(min(made, 0), said, f"type {key_type}")
        if made >= 0:
            os.close(made)
    os.close(fd)


def on_stack(length, base=-8):
    """The key is the length and the number in R7; R2 points to it."""
    return [st(4, R10, base, length), stx(4, R10, base + 4, R7), mov(R2, R10), add_imm(R2, base)]


@case
def programs():
    with trie() as m:
        same(m.put(net("10.1.0.0/16"), v64(7)), 0)
        address = struct.unpack("<I", bytes((10, 1, 2, 3)))[0]
        found = [ld_map(R1, m.fd), call(LOOKUP), jmp_imm("ne", R0, 0, 2), mov_imm(R0, 99), exit_()]
        with Prog(mov_imm(R7, address), *on_stack(32), *found, ldx(8, R6, R0, 0), st(8, R0, 0, 8), mov(R0, R6), exit_()) as prog:
            same([prog.run(), prog.run()], [7, 8], "what programs write is there")
        same(m.get(net("10.1.9.9/32")), v64(8))
        change = [ld_map(R1, m.fd), mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(UPDATE), exit_()]
        with Prog(mov_imm(R7, address), st(8, R10, -16, 9), *on_stack(32), *change) as prog:
            same(prog.run(), 0)
        same([m.get(net("10.1.2.3/32")), m.get(net("10.1.2.2/32"))], [v64(9), v64(8)])
        with Prog(mov_imm(R7, address), st(8, R10, -16, 9), *on_stack(33), *change) as prog:
            same(prog.run(), EINVAL & 0xFFFFFFFF)
        with Prog(mov_imm(R7, address), *on_stack(32), ld_map(R1, m.fd), call(DELETE), exit_()) as prog:
            same([prog.run(), prog.run()], [0, ENOENT & 0xFFFFFFFF])
        same(m.get(net("10.1.2.3/32")), v64(8))


def churner(m, fixed):
    """
    Puts, looks up and takes out a random address of a few; returns 1 when a network that stays was not found. On a machine that is
    busy a put may find all spare memory still waiting for readers to be gone.
    """
    pick = [call(PRANDOM), mov(R7, R0), alu64_imm("and", R7, 0x0F0F000F)]
    return Prog(
        *pick, st(8, R10, -16, 1), *on_stack(32), ld_map(R1, m.fd), mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(UPDATE),
        mov(R8, R0),
        *pick, *on_stack(32), ld_map(R1, m.fd), call(DELETE),
        *pick, *on_stack(24), ld_map(R1, m.fd), mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(UPDATE),
        *pick, *on_stack(24), ld_map(R1, m.fd), call(DELETE),
        mov_imm(R7, fixed), *on_stack(32), ld_map(R1, m.fd), call(LOOKUP), jmp_imm("ne", R0, 0, 2), mov_imm(R0, 1), exit_(),
        ldx(8, R0, R0, 0), jmp_imm("eq", R0, 5, 2), mov_imm(R0, 2), exit_(),
        jmp_imm("ne", R8, ENOMEM, 1), mov_imm(R8, 0),
        alu64_imm("rsh", R8, 63), alu64_imm("lsh", R8, 1), mov_imm(R0, 0), alu64("or", R0, R8), exit_(),
    )  # fmt: skip


@case
def what_stays_is_found_whatever_changes_around_it():
    with trie(4, 5000) as m:
        same(m.put(net("0.0.0.0/0"), v64(4)), 0)
        for text in ("15.0.0.0/8", "15.0.128.0/17", "15.15.0.15/32", "240.0.0.0/4"):
            same(m.put(net(text), v64(5)), 0)
        stays = [net("15.0.200.1/32"), net("15.15.0.15/32"), net("241.0.0.0/32"), net("15.240.0.0/32")]

        def work(number):
            chance = random.Random(number)
            end = time.monotonic() + b.for_races(4)
            if number < 2:
                fixed = struct.unpack("<I", bytes((15, 0, 200, 1)))[0]
                with churner(m, fixed) as prog:
                    while time.monotonic() < end:
                        same(prog.run(50), 0, "program")
            while time.monotonic() < end:
                text = key(chance.choice((12, 20, 24, 32)), bytes(chance.choice((0, 15, 5)) for _ in range(4)))
                if text not in stays[1:2]:
                    m.put(text, v64(5))
                    m.drop(text) if chance.randrange(2) else None
                for known in stays:
                    same(m.get(known), v64(5), known)
                m.after(text)

        children(4, work)
        assert m.get(net("15.0.200.1/32")) == v64(5)


@case
def a_length_that_changes_between_two_looks():
    """Linux 6.1 looks at it twice: not for its own kernel."""
    if "LD_PRELOAD" not in os.environ:
        return
    with Map(b.ARRAY, 4, 16, 1) as array, trie(entries=4) as m:
        one_key = [ld_map(R1, m.fd), ld_map_value(R2, array.fd)]
        body = [*one_key, mov(R3, R10), add_imm(R3, -8), mov_imm(R4, 0), call(UPDATE), *one_key, call(LOOKUP), *one_key, call(DELETE)]
        with Prog(st(8, R10, -8, 0), *body * 8, mov_imm(R0, 0), exit_()) as prog, changing(array):
            end = time.monotonic() + b.for_races(2)
            while time.monotonic() < end:
                prog.run(200)
        assert set(m.keys()) <= {key(0, bytes(4))}


if __name__ == "__main__":
    case.main()
