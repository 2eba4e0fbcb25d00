# SPDX-License-Identifier: MIT
"""Runs programs that call helpers on packets inside a machine and prints one JSON object: case -> [return value or
-errno, packet after the run in hex]. Run as a script, natively or under the shim; standard library only."""

from __future__ import annotations

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a
import bpfsys as b
from asm import R0, R1, R2, R3, R4, R5, R6, R10
from programs.case import CGROUP_SKB, SCHED_CLS, SOCKET_FILTER, XDP

LEN, PROTOCOL, VLAN_PRESENT, VLAN_TCI, VLAN_PROTO = 0, 16, 20, 24, 28  # in struct __sk_buff
DATA, DATA_END, DATA_META = 0, 4, 8  # in struct xdp_md
STORE, CSUM_DIFF, PULL, HASH_INVALID, LOAD, CSUM_UPDATE, HASH, PUSH, POP = 9, 28, 39, 41, 26, 40, 34, 18, 19
ADJUST_HEAD, ADJUST_META, ADJUST_TAIL, BUFF_LEN, XDP_LOAD, XDP_STORE = 44, 54, 65, 188, 189, 190
ADJUST_ROOM, SCHED_ACT = 50, 4
LOAD_RELATIVE, SK_LOOKUP_TCP, SK_LOOKUP_UDP, SKC_LOOKUP = 68, 84, 85, 99
PACKET = bytes(range(12)) + b"\x08\x00" + bytes(range(0x40, 0x40 + 50))

DONE = (a.exit_(),)
KEEP = (a.mov(R6, R1), a.st(8, R10, -8, 0))
RESULT_OR = (a.jmp_imm("ne", R0, 0, "out"), a.ldx(4, R0, R10, -8), "out", a.exit_())


def load(offset: int, size: int = 4, func: int = LOAD, start: int | None = None) -> tuple[object, ...]:
    """The first 4 bytes that the helper read, or its error."""
    more = () if start is None else (a.mov_imm(R5, start),)
    return (*KEEP, a.mov_imm(R2, offset), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, size), *more, a.call(func), *RESULT_OR)


def store(offset: int, flags: int | None, func: int = STORE) -> tuple[object, ...]:
    more = () if flags is None else (a.mov_imm(R5, flags),)
    return (
        a.st(8, R10, -8, 0x11223344), a.mov_imm(R2, offset), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 4), *more,
        a.call(func), *DONE,
    )  # fmt: skip


def csum(from_size: int, to_size: int, seed: int) -> tuple[object, ...]:
    return (
        a.st(8, R10, -8, 0x01020304), a.st(8, R10, -16, 0x0A0B0C0D), a.mov(R1, R10), a.add_imm(R1, -8), a.mov_imm(R2, from_size),
        a.mov(R3, R10), a.add_imm(R3, -16), a.mov_imm(R4, to_size), a.mov_imm(R5, seed), a.call(CSUM_DIFF),
        # sums are equal modulo 0xffff; how far they are folded is the implementation's own
        a.jmp_imm("slt", R0, 0, "out"), a.alu64_imm("mod", R0, 0xFFFF), "out", *DONE,
    )  # fmt: skip


def adjust(func: int, by: int, *then: object) -> tuple[object, ...]:
    return (a.mov(R6, R1), a.mov_imm(R2, by), a.call(func), *then, *DONE)


def field(offset: int) -> object:
    return a.ldx(4, R0, R6, offset)


def push(tci: int, proto: int = 0x0081) -> tuple[object, ...]:
    return (a.mov(R1, R6), a.mov_imm(R2, proto), a.mov_imm(R3, tci), a.call(PUSH))


POPPED = (a.mov(R1, R6), a.call(POP))
NET, MAC = 0, 1  # where room is made
IP4, IP6, GRE, UDP, NO_CSUM, ETH = 2, 4, 8, 16, 32, 64


def room(by: int, mode: int = MAC, flags: int = 0, link: int = 0) -> tuple[object, ...]:
    return (
        a.mov(R1, R6), a.mov_imm(R2, by), a.mov_imm(R3, mode), *a.ld_imm64(R4, link << 56 | flags), a.call(ADJUST_ROOM),
    )  # fmt: skip


def rooms(*calls: tuple[object, ...], then: tuple[object, ...] = ()) -> tuple[object, ...]:
    return (a.mov(R6, R1), *[item for call in calls for item in call], *then, *DONE)


TUPLE = (a.st(8, R10, -16, 0), a.st(8, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -16), a.mov_imm(R3, 12), a.mov_imm(R4, -1),
         a.mov_imm(R5, 0))  # fmt: skip
IF_FOUND = (
    a.jmp_imm("eq", R0, 0, "none"), a.mov(R1, R0), a.call(86), a.mov_imm(R0, 1), a.exit_(), "none", a.mov_imm(R0, 0), *DONE,
)  # fmt: skip

CASES: dict[str, tuple[int, tuple[object, ...]]] = {
    "load": (SCHED_CLS, load(0)),
    "load in a socket filter": (SOCKET_FILTER, load(0)),
    "load in a cgroup": (CGROUP_SKB, (*load(5)[:-1], a.alu64_imm("and", R0, 1), *DONE)),
    "load to the end": (SCHED_CLS, load(60)),
    "load past the end": (SCHED_CLS, load(61)),
    "load at a negative offset": (SCHED_CLS, load(-1)),
    "load from the link layer": (SOCKET_FILTER, load(2, func=LOAD_RELATIVE, start=0)),
    "load from the network layer": (SCHED_CLS, load(2, func=LOAD_RELATIVE, start=1)),
    "load from another layer": (SCHED_CLS, load(2, func=LOAD_RELATIVE, start=2)),
    "load far": (SCHED_CLS, load(0x10000, func=LOAD_RELATIVE, start=1)),
    "store": (SCHED_CLS, store(20, 0)),
    "store and forget the hash": (SCHED_CLS, store(0, 2)),
    "store with unknown flags": (SCHED_CLS, store(0, 4)),
    "store past the end": (SCHED_CLS, store(62, 0)),
    "pull": (SCHED_CLS, adjust(PULL, 40)),
    "pull too much": (SCHED_CLS, adjust(PULL, 4000)),
    "sum of nothing": (SCHED_CLS, csum(0, 0, 77)),
    "sum": (SCHED_CLS, csum(0, 8, 0)),
    "difference of sums": (XDP, csum(8, 8, 0x1234)),
    "sum of odd bytes": (SCHED_CLS, csum(0, 6, 0)),
    "sum for hardware": (SCHED_CLS, adjust(CSUM_UPDATE, 1)),
    "hash is there": (SCHED_CLS, (a.mov(R6, R1), a.call(HASH), a.jmp_imm("eq", R0, 0, "out"), a.mov_imm(R0, 1), "out", *DONE)),
    "tag": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), field(VLAN_TCI), *DONE)),
    "tag is marked": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), field(VLAN_PRESENT), *DONE)),
    "tag's protocol": (SCHED_CLS, (a.mov(R6, R1), *push(0x123, 0xA888), field(VLAN_PROTO), *DONE)),
    "tag of an unknown protocol": (SCHED_CLS, (a.mov(R6, R1), *push(0x123, 7), field(VLAN_PROTO), *DONE)),
    "tag beside the packet": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), field(LEN), *DONE)),
    "second tag": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), *push(0x456), field(LEN), *DONE)),
    "second tag's protocol": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), *push(0x456), field(PROTOCOL), *DONE)),
    "second tag taken": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), *push(0x456), *POPPED, field(VLAN_TCI), *DONE)),
    "both tags taken": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), *push(0x456), *POPPED, *POPPED, field(VLAN_PRESENT), *DONE)),
    "no tag taken": (SCHED_CLS, (a.mov(R6, R1), *POPPED, *DONE)),
    "load in an action": (SCHED_ACT, load(0)),
    "room before the header": (SCHED_CLS, rooms(room(20))),
    "room behind the header": (SCHED_CLS, rooms(room(8, NET))),
    "room makes it longer": (SCHED_CLS, rooms(room(20), then=(field(LEN),))),
    "much room": (SCHED_CLS, rooms(room(440), then=(field(LEN),))),
    "too much room": (SCHED_CLS, rooms(room(0x1000))),
    "less before the header": (SCHED_CLS, rooms(room(-20))),
    "less behind the header": (SCHED_CLS, rooms(room(-8, NET))),
    "less than a header left": (SCHED_CLS, rooms(room(-31))),
    "a header is left": (SCHED_CLS, rooms(room(-30, NET))),
    "all of it": (SCHED_CLS, rooms(room(-50))),
    "there and back": (SCHED_CLS, rooms(room(60), room(-60))),
    "room elsewhere": (SCHED_CLS, rooms(room(8, 2))),
    "room with unknown flags": (SCHED_CLS, rooms(room(8, MAC, 128))),
    "no room with unknown flags": (SCHED_CLS, rooms(room(-8, MAC, IP4))),
    "less with the sum kept": (SCHED_CLS, rooms(room(-8, MAC, NO_CSUM | 1))),
    "in another header": (SCHED_CLS, rooms(room(20, MAC, IP4 | GRE), then=(field(LEN),))),
    "in a longer header": (SCHED_CLS, rooms(room(40, MAC, IP6), then=(field(PROTOCOL),))),
    "in both headers": (SCHED_CLS, rooms(room(40, MAC, IP4 | IP6))),
    "in both tunnels": (SCHED_CLS, rooms(room(40, MAC, IP4 | GRE | UDP))),
    "in two headers": (SCHED_CLS, rooms(room(20, MAC, IP4), room(20, MAC, IP4))),
    "in a link layer": (SCHED_CLS, rooms(room(50, MAC, IP4 | UDP | ETH, 14))),
    "in a short link layer": (SCHED_CLS, rooms(room(50, MAC, IP4 | UDP | ETH, 13))),
    "in a link layer longer than the room": (SCHED_CLS, rooms(room(20, MAC, IP4, 21))),
    "behind a longer header": (SCHED_CLS, rooms(room(40, MAC, IP6), room(8, NET))),
    "behind two tags": (SCHED_CLS, (a.mov(R6, R1), *push(0x123), *push(0x456), *room(8), *DONE)),
    "head forward": (XDP, adjust(ADJUST_HEAD, 8)),
    "head back": (XDP, adjust(ADJUST_HEAD, -32)),
    "head past the room": (XDP, adjust(ADJUST_HEAD, -217)),
    "head to the end of the room": (XDP, adjust(ADJUST_HEAD, -216)),
    "head past the end": (XDP, adjust(ADJUST_HEAD, 51)),
    "tail back": (XDP, adjust(ADJUST_TAIL, -20)),
    "tail forward": (XDP, adjust(ADJUST_TAIL, 20)),
    "tail past the room": (XDP, adjust(ADJUST_TAIL, 4096)),
    "tail before the head": (XDP, adjust(ADJUST_TAIL, -51)),
    "metadata": (XDP, adjust(ADJUST_META, -8)),
    "metadata of odd size": (XDP, adjust(ADJUST_META, -6)),
    "metadata too large": (XDP, adjust(ADJUST_META, -36)),
    "metadata after the head": (XDP, adjust(ADJUST_META, 4)),
    "length": (XDP, (a.mov(R6, R1), a.call(BUFF_LEN), *DONE)),
    "load in XDP": (XDP, load(12, func=XDP_LOAD)),
    "load past the end in XDP": (XDP, load(62, func=XDP_LOAD)),
    "load far in XDP": (XDP, load(0x10000, func=XDP_LOAD)),
    "store in XDP": (XDP, store(12, None, XDP_STORE)),
    "store past the end in XDP": (XDP, store(64, None, XDP_STORE)),
    "TCP socket": (SCHED_CLS, (*TUPLE, a.call(SK_LOOKUP_TCP), *IF_FOUND)),
    "UDP socket": (XDP, (*TUPLE, a.call(SK_LOOKUP_UDP), *IF_FOUND)),
    "socket of some kind": (CGROUP_SKB, (*TUPLE, a.call(SKC_LOOKUP), *IF_FOUND)),
}  # fmt: skip


ROOM = 20000  # for what a packet may become


def run(kind: int, items: tuple[object, ...], packet: bytes = PACKET) -> list[object]:
    fd = b.prog_load(a.asm(*items), kind)
    if fd < 0:
        return [f"load: {fd}", ""]
    done = b.run_prog(fd, packet, room=ROOM)
    os.close(fd)
    return [done.error if done.error < 0 else done.value, done.data.hex()]


if __name__ == "__main__":
    json.dump({name: run(kind, items) for name, (kind, items) in CASES.items()}, sys.stdout, indent=0)
