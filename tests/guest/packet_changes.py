# SPDX-License-Identifier: MIT
"""Helpers that change packets, their checksums and what is known of them beside, as packets.py does: case -> [return value
or -errno, packet after the run in hex (of a long one its length, and how it begins and ends)]."""

from __future__ import annotations

import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import asm as a
import bpfsys as b
import packets as p
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R10
from programs.case import CGROUP_SKB, SCHED_CLS

L3, L4, LEVEL, SET_CE, SET_TSTAMP = 10, 11, 135, 97, 192
PROTO, TYPE, TAIL, HEAD = 31, 32, 38, 43
GET_KEY, SET_KEY, GET_OPT, SET_OPT, XFRM = 20, 21, 29, 30, 66
UNDER, ID, ANCESTOR, CLASSID, OWN_CLASSID, UID = 33, 79, 83, 151, 17, 47
PKT_TYPE, TSTAMP, GSO_SIZE, TSTAMP_TYPE = 4, 152, 176, 180  # in struct __sk_buff
DONE = p.DONE

PLAIN = p.PACKET
LINK = bytes(range(12))
IPV6, VLAN = LINK + b"\x86\xdd", LINK + b"\x81\x00"


def ipv4(tos: int, check: int = 0x1234) -> bytes:
    header = struct.pack(">BBHHHBBH", 0x45, tos, 40, 1, 0, 64, 17, check) + bytes([10, 0, 0, 1, 10, 0, 0, 2])
    return LINK + b"\x08\x00" + header + bytes(range(20))


def ipv6(tos: int) -> bytes:
    return IPV6 + struct.pack(">IHBB", 6 << 28 | tos << 20 | 0x12345, 10, 17, 64) + bytes(range(32)) + bytes(10)


TAGGED = VLAN + b"\0\1\x08\0" + ipv4(1)[14:]
SIZES = (4, 8, 20, 22, 24, 28, 43)  # of a tunnel's key, at some time or never


def sums(value: int) -> bytes:
    """A packet with a checksum in its 20th byte."""
    return PLAIN[:20] + struct.pack("<H", value) + PLAIN[22:]


def call(func: int, *args: int) -> tuple[object, ...]:
    """Of the context, which R6 has."""
    loads = [a.ld_imm64(R2 + i, arg & (1 << 64) - 1) for i, arg in enumerate(args)]
    return (a.mov(R1, R6), *[item for load in loads for item in load], a.call(func))


def calls(*parts: tuple[object, ...], then: tuple[object, ...] = ()) -> tuple[object, ...]:
    return (a.mov(R6, R1), *[item for part in parts for item in part], *then, *DONE)


def one(func: int, *args: int) -> tuple[object, ...]:
    return calls(call(func, *args))


def field(offset: int, size: int = 4) -> tuple[object, ...]:
    return (a.ldx(size, R0, R6, offset),)


# -- keys of tunnels: on the stack below -48 what is set, below -96 what is got


def words(at: int, *values: int) -> tuple[object, ...]:
    return tuple(a.st(4, R10, at + 4 * i, value) for i, value in enumerate(values))


KEY = words(-48, 0x01020304, 0x0A000001, 11, 12, 13, 0x4005, 0, 0x0A000002, 21, 22, 23)
LABELLED = words(-48, 0x01020304, 0x0A000001, 11, 12, 13, 0x4005, 0x765432, 0x0A000002, 21, 22, 23)
EXTENDED = words(-48, 0x01020304, 0x0A000001, 11, 12, 13, 0x14005, 0, 0x0A000002, 21, 22, 23)


def on_stack(func: int, at: int, size: int, *more: int) -> tuple[object, ...]:
    flags = tuple(a.mov_imm(R4 + i, value) for i, value in enumerate(more))
    return (a.mov(R1, R6), a.mov(R2, R10), a.add_imm(R2, at), a.mov_imm(R3, size), *flags, a.call(func))


def set_key(flags: int = 0, size: int = 44) -> tuple[object, ...]:
    return on_stack(SET_KEY, -48, size, flags)


def get_key(flags: int = 0, size: int = 44) -> tuple[object, ...]:
    """What is got comes back as the beginning of the packet."""
    return (*words(-96, *[0x55555555] * 11), *on_stack(GET_KEY, -96, size, flags), a.mov(R7, R0), *shown(-96, 44), a.mov(R0, R7))


def shown(at: int, size: int) -> tuple[object, ...]:
    return (
        a.mov(R1, R6), a.mov_imm(R2, 14), a.mov(R3, R10), a.add_imm(R3, at), a.mov_imm(R4, size), a.mov_imm(R5, 0),
        a.call(p.STORE),
    )  # fmt: skip


def get_opt(size: int) -> tuple[object, ...]:
    return (*words(-96, *[0x55555555] * 11), *on_stack(GET_OPT, -96, size), a.mov(R7, R0), *shown(-96, 44), a.mov(R0, R7))


def set_opt(size: int) -> tuple[object, ...]:
    """Of memory that has just been written, all of it."""
    zeros = tuple(a.st(8, R10, -96 - 8 - 8 * i, 0x101010 * i) for i in range((size + 7) // 8))
    return (*zeros, *on_stack(SET_OPT, -96 - (size + 7) // 8 * 8, size))


XFRM_STATE = (
    *words(-96, *[0x55555555] * 11), a.mov(R1, R6), a.mov_imm(R2, 0), a.mov(R3, R10), a.add_imm(R3, -96), a.mov_imm(R4, 28),
    a.mov_imm(R5, 0), a.call(XFRM), a.mov(R7, R0), *shown(-96, 44), a.mov(R0, R7),
)  # fmt: skip

def is_value(value: int) -> tuple[object, ...]:
    """1 if R0 is, 0 if not: what programs of cgroups may answer."""
    return (a.mov(R7, R0), a.mov_imm(R0, 1), *a.ld_imm64(R1, value), a.jmp("eq", R7, R1, "out"), a.mov_imm(R0, 0), "out")


SOCKET_FIELDS = {
    ("family", "IPv4"): 2, ("family", "IPv6"): 10, ("own address", "IPv4"): 0x0100000A, ("remote address", "IPv4"): 0x0200000A,
    ("remote word", "IPv6"): 0x1B1A1918, ("own word", "IPv6"): 0x07060504,
}  # fmt: skip
LOW_BIT = (a.alu64_imm("and", R0, 1),)  # what programs of cgroups may answer
MANGLED, FORCED, PSEUDO, V6 = 0x20, 0x40, 0x10, 0x80

CASES: dict[str, tuple[int, tuple[object, ...], bytes]] = {
    "network sum by difference": (SCHED_CLS, one(L3, 20, 0, 0x12345678, 0), PLAIN),
    "network sum by difference from something": (SCHED_CLS, one(L3, 20, 1, 0x12345678, 0), PLAIN),
    "network sum of two bytes": (SCHED_CLS, one(L3, 20, 0x1234, 0xABCD, 2), PLAIN),
    "network sum of four bytes": (SCHED_CLS, one(L3, 20, 0x12345678, 0x9ABCDEF0, 4), PLAIN),
    "network sum of three bytes": (SCHED_CLS, one(L3, 20, 1, 2, 3), PLAIN),
    "network sum with flags": (SCHED_CLS, one(L3, 20, 1, 2, 0x12), PLAIN),
    "network sum at an odd byte": (SCHED_CLS, one(L3, 21, 1, 2, 2), PLAIN),
    "network sum past the end": (SCHED_CLS, one(L3, 64, 1, 2, 2), PLAIN),
    "network sum at the end": (SCHED_CLS, one(L3, 62, 1, 2, 2), PLAIN),
    "network sum far away": (SCHED_CLS, one(L3, 0x10000, 1, 2, 2), PLAIN),
    "transport sum by difference": (SCHED_CLS, one(L4, 20, 0, 0x12345678, 0), PLAIN),
    "transport sum by difference from something": (SCHED_CLS, one(L4, 20, 1, 0x12345678, 0), PLAIN),
    "transport sum of two bytes": (SCHED_CLS, one(L4, 20, 0x1234, 0xABCD, 2), PLAIN),
    "transport sum of two bytes of more": (SCHED_CLS, one(L4, 20, 0x991234, 0x88ABCD, 2), PLAIN),
    "transport sum of four bytes": (SCHED_CLS, one(L4, 20, 0x12345678, 0x9ABCDEF0, 4 | PSEUDO), PLAIN),
    "transport sum of eight bytes": (SCHED_CLS, one(L4, 20, 1, 2, 8), PLAIN),
    "transport sum for IPv6": (SCHED_CLS, one(L4, 20, 0, 0x12345678, PSEUDO | V6), PLAIN),
    "transport sum with unknown flags": (SCHED_CLS, one(L4, 20, 1, 2, 0x102), PLAIN),
    "transport sum that is none": (SCHED_CLS, one(L4, 20, 1, 2, 2 | MANGLED), sums(0)),
    "transport sum that is none, all the same": (SCHED_CLS, one(L4, 20, 1, 2, 2 | MANGLED | FORCED), sums(0)),
    "transport sum that is 0": (SCHED_CLS, one(L4, 20, 1, 2, 2), sums(0)),
    "transport sum past the end": (SCHED_CLS, one(L4, 63, 1, 2, 2), PLAIN),
    **{
        f"{layer} sum {value:#x} from {old:#x} to {new:#x} by {size}": (
            SCHED_CLS, one(func, 20, old, new, size | flags), sums(value),
        )
        for layer, func, flags in (("network", L3, 0), ("transport", L4, 0), ("mangled", L4, MANGLED))
        for size in (2, 4)
        for value, old, new in (
            (0, 0, 0), (0xFFFF, 0, 0), (0xFFFF, 0, 0xFFFF), (0, 0xFFFF, 0), (1, 0, 1), (1, 0, 0xFFFE), (0xFFFE, 1, 0), (5, 7, 7),
        )
    },
    "no level of sums": (SCHED_CLS, one(LEVEL, 0), PLAIN),
    "one level of sums": (SCHED_CLS, calls(call(LEVEL, 1), call(LEVEL, 0)), PLAIN),
    "two levels of sums": (SCHED_CLS, calls(*[call(LEVEL, 1)] * 2, call(LEVEL, 0)), PLAIN),
    "many levels of sums": (SCHED_CLS, calls(*[call(LEVEL, 1)] * 7, call(LEVEL, 0)), PLAIN),
    "one level less": (SCHED_CLS, calls(*[call(LEVEL, 1)] * 3, call(LEVEL, 2), call(LEVEL, 0)), PLAIN),
    "the last level": (SCHED_CLS, calls(call(LEVEL, 1), call(LEVEL, 2), call(LEVEL, 0)), PLAIN),
    "levels forgotten": (SCHED_CLS, calls(*[call(LEVEL, 1)] * 3, call(LEVEL, 3), call(LEVEL, 0)), PLAIN),
    "levels forgotten by room": (SCHED_CLS, calls(call(LEVEL, 1), p.room(8), call(LEVEL, 0)), PLAIN),
    "levels kept with room": (SCHED_CLS, calls(call(LEVEL, 1), p.room(8, flags=p.NO_CSUM), call(LEVEL, 0)), PLAIN),
    "another level": (SCHED_CLS, one(LEVEL, 4), PLAIN),
    **{f"congestion, IPv4, {tos:#x}": (SCHED_CLS, one(SET_CE), ipv4(tos)) for tos in (0, 1, 2, 3, 0x55, 0xFE)},
    **{f"congestion, IPv4, sum {check:#x}": (SCHED_CLS, one(SET_CE), ipv4(2, check)) for check in (0, 1, 0xFFFE, 0xFFFF)},
    **{f"congestion, IPv6, {tos:#x}": (SCHED_CLS, one(SET_CE), ipv6(tos)) for tos in (0, 1, 2, 3, 0x55, 0xFE)},
    "congestion of a cgroup": (CGROUP_SKB, calls(call(SET_CE), LOW_BIT), ipv4(1)),
    "congestion in a tag": (SCHED_CLS, one(SET_CE), TAGGED),
    "congestion in two tags": (SCHED_CLS, one(SET_CE), VLAN + b"\0\1\x81\0\0\2\x86\xdd" + ipv6(1)[14:]),
    "congestion in many tags": (SCHED_CLS, one(SET_CE), VLAN + b"\0\1\x81\0" * 8 + b"\0\1\x08\0" + ipv4(1)[14:]),
    "congestion in a tag pushed": (SCHED_CLS, (a.mov(R6, R1), *p.push(1), *p.push(2), *call(SET_CE), *DONE), ipv4(1)),
    "congestion in a tag popped": (SCHED_CLS, (a.mov(R6, R1), *p.POPPED, *call(SET_CE), *DONE), TAGGED),
    "congestion of something else": (SCHED_CLS, one(SET_CE), LINK + b"\x08\x06" + bytes(60)),
    "congestion after a longer head": (SCHED_CLS, calls(call(HEAD, 14, 0), call(SET_CE)), ipv4(1)),
    "time of delivery": (SCHED_CLS, calls(call(SET_TSTAMP, 77, 1), then=field(TSTAMP, 8)), ipv4(0)),
    "kind of time": (SCHED_CLS, calls(call(SET_TSTAMP, 77, 1), then=field(TSTAMP_TYPE, 1)), ipv6(0)),
    "kind of no time": (SCHED_CLS, calls(call(SET_TSTAMP, 77, 1), call(SET_TSTAMP, 0, 0), then=field(TSTAMP_TYPE, 1)), ipv6(0)),
    "no time": (SCHED_CLS, one(SET_TSTAMP, 0, 0), ipv4(0)),
    "no time of delivery": (SCHED_CLS, one(SET_TSTAMP, 0, 1), ipv4(0)),
    "a time of no kind": (SCHED_CLS, one(SET_TSTAMP, 1, 0), ipv4(0)),
    "a time of another kind": (SCHED_CLS, one(SET_TSTAMP, 1, 2), ipv4(0)),
    "time of something else": (SCHED_CLS, one(SET_TSTAMP, 1, 1), LINK + b"\x08\x06" + bytes(60)),
    "for another host": (SCHED_CLS, calls(then=field(PKT_TYPE)), PLAIN),
    "for this host": (SCHED_CLS, calls(then=field(PKT_TYPE)), bytes(12) + PLAIN[12:]),
    "for all": (SCHED_CLS, calls(then=field(PKT_TYPE)), b"\xff" * 6 + PLAIN[6:]),
    "for many": (SCHED_CLS, calls(then=field(PKT_TYPE)), b"\1" + PLAIN[1:]),
    "made for this host": (SCHED_CLS, calls(call(TYPE, 0), then=field(PKT_TYPE)), PLAIN),
    "made for many": (SCHED_CLS, calls(call(TYPE, 2), then=field(PKT_TYPE)), PLAIN),
    "made for none": (SCHED_CLS, one(TYPE, 4), PLAIN),
    "length in place of a type": (SCHED_CLS, calls(then=field(p.PROTOCOL)), LINK + b"\x00\x20" + bytes(40)),
    "length of another kind": (SCHED_CLS, calls(then=field(p.PROTOCOL)), LINK + b"\x00\x20" + b"\xff" * 40),
    "short for IPv4": (SCHED_CLS, calls(then=field(p.LEN)), ipv4(0)[:33]),
    "just IPv4": (SCHED_CLS, calls(then=field(p.LEN)), ipv4(0)[:34]),
    "short for IPv6": (SCHED_CLS, calls(then=field(p.LEN)), ipv6(0)[:53]),
    "IPv4 becomes IPv6": (SCHED_CLS, calls(call(PROTO, 0xDD86, 0)), PLAIN),
    "IPv4 becomes longer": (SCHED_CLS, calls(call(PROTO, 0xDD86, 0), then=field(p.LEN)), PLAIN),
    "protocol becomes IPv6": (SCHED_CLS, calls(call(PROTO, 0xDD86, 0), then=field(p.PROTOCOL)), PLAIN),
    "IPv6 becomes IPv4": (SCHED_CLS, calls(call(PROTO, 0x0008, 0)), ipv6(0)),
    "protocol becomes IPv4": (SCHED_CLS, calls(call(PROTO, 0x0008, 0), then=field(p.PROTOCOL)), ipv6(0)),
    "IPv4 there and back": (SCHED_CLS, calls(call(PROTO, 0xDD86, 0), call(PROTO, 0x0008, 0)), ipv4(3)),
    "IPv4 becomes IPv4": (SCHED_CLS, one(PROTO, 0x0008, 0), PLAIN),
    "IPv4 becomes ARP": (SCHED_CLS, one(PROTO, 0x0608, 0), PLAIN),
    "protocol with flags": (SCHED_CLS, one(PROTO, 0xDD86, 1), PLAIN),
    "protocol of a cut packet": (SCHED_CLS, calls(call(TAIL, 33, 0), call(PROTO, 0x0008, 0)), ipv6(0)),
    "hash forgotten with the protocol": (
        SCHED_CLS, calls((a.mov(R1, R6), a.mov_imm(R2, 5), a.call(48)), call(PROTO, 0xDD86, 0), then=field(68)), PLAIN,
    ),
    "longer": (SCHED_CLS, one(TAIL, 80, 0), PLAIN),
    "longer by its field": (SCHED_CLS, calls(call(TAIL, 80, 0), then=field(p.LEN)), PLAIN),
    "much longer": (SCHED_CLS, one(TAIL, 9000, 0), PLAIN),
    "as long as may be": (SCHED_CLS, one(TAIL, 16064, 0), PLAIN),
    "longer than may be": (SCHED_CLS, one(TAIL, 16065, 0), PLAIN),
    "shorter": (SCHED_CLS, one(TAIL, 40, 0), PLAIN),
    "as short as may be": (SCHED_CLS, one(TAIL, 14, 0), PLAIN),
    "shorter than may be": (SCHED_CLS, one(TAIL, 13, 0), PLAIN),
    "shorter and longer": (SCHED_CLS, calls(call(TAIL, 20, 0), call(TAIL, 64, 0)), PLAIN),
    "as long as it is": (SCHED_CLS, one(TAIL, 64, 0), PLAIN),
    "longer with flags": (SCHED_CLS, one(TAIL, 80, 1), PLAIN),
    "longer in another header": (SCHED_CLS, calls(p.room(20, p.MAC, p.IP4), call(TAIL, 100, 0)), PLAIN),
    "shorter than another header": (SCHED_CLS, calls(p.room(40, p.MAC, p.IP4 | p.UDP), call(TAIL, 33, 0)), PLAIN),
    "shorter than another header with room": (
        SCHED_CLS, calls(p.room(40, p.MAC, p.IP4 | p.UDP), p.room(8, p.NET), call(TAIL, 41, 0)), PLAIN,
    ),
    "not shorter than another header": (SCHED_CLS, calls(p.room(40, p.MAC, p.IP4 | p.UDP), call(TAIL, 34, 0)), PLAIN),
    "shorter behind a tag": (SCHED_CLS, (a.mov(R6, R1), *p.push(1), *p.push(2), *call(TAIL, 17, 0), *DONE), PLAIN),
    "shorter behind a tag, just": (SCHED_CLS, (a.mov(R6, R1), *p.push(1), *p.push(2), *call(TAIL, 18, 0), *DONE), PLAIN),
    "shorter before a tag": (SCHED_CLS, (a.mov(R6, R1), *p.POPPED, *call(TAIL, 13, 0), *DONE), VLAN + b"\0\1\x08\0" + bytes(40)),
    "a head": (SCHED_CLS, one(HEAD, 14, 0), PLAIN),
    "a head by its field": (SCHED_CLS, calls(call(HEAD, 14, 0), then=field(p.LEN)), PLAIN),
    "a long head": (SCHED_CLS, one(HEAD, 9000, 0), PLAIN),
    "as long a head as may be": (SCHED_CLS, one(HEAD, 16000, 0), PLAIN),
    "too long a head": (SCHED_CLS, one(HEAD, 16001, 0), PLAIN),
    "a head beyond all": (SCHED_CLS, one(HEAD, 0xFFFFFFF0, 0), PLAIN),
    "a head with flags": (SCHED_CLS, one(HEAD, 14, 1), PLAIN),
    "no head": (SCHED_CLS, one(HEAD, 0, 0), PLAIN),
    "two heads": (SCHED_CLS, calls(call(HEAD, 200, 0), call(HEAD, 300, 0)), PLAIN),
    "a head and room": (SCHED_CLS, calls(call(HEAD, 14, 0), p.room(8)), PLAIN),
    "a head and a tail": (SCHED_CLS, calls(call(HEAD, 500, 0), call(TAIL, 700, 0)), PLAIN),
    "a head and a short tail": (SCHED_CLS, calls(call(HEAD, 14, 0), call(TAIL, 27, 0)), PLAIN),
    "a head and another protocol": (SCHED_CLS, calls(call(HEAD, 14, 0), call(PROTO, 0xDD86, 0)), PLAIN),
    "a head read from the link layer": (
        SCHED_CLS, (a.mov(R6, R1), *call(HEAD, 4, 0), a.mov(R1, R6), *p.load(2, func=p.LOAD_RELATIVE, start=0)), PLAIN,
    ),
    "a head and two tags": (SCHED_CLS, (a.mov(R6, R1), *call(HEAD, 14, 0), *p.push(1), *p.push(2), *DONE), PLAIN),
    "much room three times": (SCHED_CLS, calls(*[p.room(4000)] * 3, then=field(p.LEN)), PLAIN),
    "much room four times": (SCHED_CLS, calls(*[p.room(4000)] * 4), PLAIN),
    "more room than may be": (SCHED_CLS, calls(*[p.room(4000)] * 4, p.room(1)), PLAIN),
    "no tunnel": (SCHED_CLS, calls(get_key()), PLAIN),
    "tunnel": (SCHED_CLS, calls(KEY, set_key(), get_key()), PLAIN),
    "tunnel set": (SCHED_CLS, calls(KEY, set_key()), PLAIN),
    "tunnel's flags": (SCHED_CLS, calls(KEY, set_key(), get_key(16)), PLAIN),
    "tunnel with flags": (SCHED_CLS, calls(KEY, set_key(2 | 4 | 8), get_key(16)), PLAIN),
    "tunnel with unknown flags": (SCHED_CLS, calls(KEY, set_key(16), get_key()), PLAIN),
    "tunnel asked for with unknown flags": (SCHED_CLS, calls(KEY, set_key(), get_key(2)), PLAIN),
    "tunnel of IPv6": (SCHED_CLS, calls(LABELLED, set_key(1), get_key(1)), PLAIN),
    "tunnel of IPv6 as of IPv4": (SCHED_CLS, calls(LABELLED, set_key(1), get_key()), PLAIN),
    "tunnel of IPv4 as of IPv6": (SCHED_CLS, calls(KEY, set_key(), get_key(1)), PLAIN),
    "tunnel of IPv4 with a label": (SCHED_CLS, calls(LABELLED, set_key(), get_key()), PLAIN),
    "tunnel with an extension": (SCHED_CLS, calls(EXTENDED, set_key(), get_key()), PLAIN),
    "tunnel set anew": (SCHED_CLS, calls(KEY, set_key(), set_opt(8), LABELLED, set_key(1), get_key(17)), PLAIN),
    **{f"tunnel of {size} bytes": (SCHED_CLS, calls(KEY, set_key(size=size), get_key()), PLAIN) for size in SIZES},
    **{f"tunnel got in {size} bytes": (SCHED_CLS, calls(KEY, set_key(), get_key(size=size)), PLAIN) for size in SIZES},
    **{f"IPv6 got in {size} bytes": (SCHED_CLS, calls(KEY, set_key(1), get_key(1, size)), PLAIN) for size in (4, 8, 22, 24, 28)},
    "options without a tunnel": (SCHED_CLS, calls(set_opt(8)), PLAIN),
    "no options without a tunnel": (SCHED_CLS, calls(get_opt(8)), PLAIN),
    "no options": (SCHED_CLS, calls(KEY, set_key(), get_opt(8)), PLAIN),
    "options": (SCHED_CLS, calls(KEY, set_key(), set_opt(8), get_opt(8)), PLAIN),
    "options in more room": (SCHED_CLS, calls(KEY, set_key(), set_opt(8), get_opt(40)), PLAIN),
    "options in less room": (SCHED_CLS, calls(KEY, set_key(), set_opt(8), get_opt(7)), PLAIN),
    "options of odd size": (SCHED_CLS, calls(KEY, set_key(), set_opt(7)), PLAIN),
    "most options": (SCHED_CLS, calls(KEY, set_key(), set_opt(252)), PLAIN),
    "too many options": (SCHED_CLS, calls(KEY, set_key(), set_opt(256)), PLAIN),
    "options in the flags": (SCHED_CLS, calls(KEY, set_key(), set_opt(12), get_key(16)), PLAIN),
    "tunnel kept by another protocol": (SCHED_CLS, calls(KEY, set_key(), call(PROTO, 0xDD86, 0), get_key()), PLAIN),
    "no security": (SCHED_CLS, calls(XFRM_STATE), PLAIN),
    "cgroup": (SCHED_CLS, one(ID), PLAIN),
    "cgroup of a cgroup's": (CGROUP_SKB, calls(call(ID), LOW_BIT), PLAIN),
    "cgroup above all": (SCHED_CLS, one(ANCESTOR, 0), PLAIN),
    "cgroup below": (SCHED_CLS, one(ANCESTOR, 200), PLAIN),
    "cgroup above that": (SCHED_CLS, one(ANCESTOR, -1), PLAIN),
    **{
        f"socket's {name}, {kind}": (CGROUP_SKB, calls(then=(*field(offset), *is_value(value))), packet)
        for kind, packet in (("IPv4", ipv4(0)), ("IPv6", ipv6(0)), ("neither", LINK + b"\x08\x06" + bytes(60)))
        for name, offset in (("family", 88), ("remote address", 92), ("own address", 96), ("remote word", 108), ("own word", 120))
        for value in (SOCKET_FIELDS.get((name, kind), 0),)
    },
    "class": (SCHED_CLS, one(CLASSID), PLAIN),
    "class of who runs it": (SCHED_CLS, one(OWN_CLASSID), PLAIN),
    "owner": (SCHED_CLS, one(UID), PLAIN),
}  # fmt: skip

LONG = 400  # bytes


def short(packet: str) -> str:
    return packet if len(packet) <= 2 * LONG else f"{len(packet) // 2} bytes: {packet[:200]}...{packet[-200:]}"


def under(index: int) -> list[object]:
    """In an array of two cgroups, none of which is there."""
    fd = b.check(b.map_create(b.CGROUP_ARRAY, 4, 4, 2))
    result = p.run(SCHED_CLS, (a.mov(R6, R1), a.mov(R1, R6), a.ld_map(R2, fd), a.mov_imm(R3, index), a.call(UNDER), *DONE))
    os.close(fd)
    return result


def main() -> None:
    said = {name: p.run(kind, items, packet) for name, (kind, items, packet) in CASES.items()}
    said["under a cgroup that is not there"] = under(0)
    said["under a cgroup past the end"] = under(2)
    json.dump({name: [value, short(packet)] for name, (value, packet) in said.items()}, sys.stdout, indent=0)


if __name__ == "__main__":
    main()
