# SPDX-License-Identifier: MIT
"""Routes that test runs of packets look up, in a network of the script's own, run inside a machine, natively too: prints one JSON
object (casework.py)."""

import errno
import socket
import struct
import subprocess

import bpfsys as b
from asm import R0, R1, R2, R3, R4, R10, add_imm, call, exit_, ld_map_value, mov, mov_imm, stx
from casework import EACCES, EINVAL, Cases, Map, Prog, k32, same
from redirect_cases import refused, run_it, skb_context

case = Cases()
SCHED_CLS, XDP, FIB_LOOKUP = 3, 6, 69
DIRECT, OUTPUT, SKIP_NEIGH, TBID, SRC = 1, 2, 4, 8, 16
OK, BLACKHOLE, UNREACHABLE, PROHIBIT, NOT_FORWARDED, DISABLED, _TUNNEL, NO_NEIGHBOUR, TOO_LONG, NO_SOURCE = range(10)
ENODEV, EAFNOSUPPORT = -errno.ENODEV, -errno.EAFNOSUPPORT
V4, V6 = socket.AF_INET, socket.AF_INET6
BYTES = 64
NEIGHBOUR, OWN = bytes([2, 0, 0, 0, 0, 7]), bytes([2, 0, 0, 0, 0, 2])
CLONE_NEWNET = 0x40000000
libc = b.libc

NETWORK = f"""
link add d0 type dummy
link add d1 type dummy
link add d2 type dummy
link set d1 address {OWN.hex(":")} arp on mtu 1500
link set d0 arp on up
link set d1 up
link set d2 up
addr add 10.1.0.1/24 dev d0
addr add 10.2.0.1/24 dev d1
addr add 10.2.0.9/24 dev d1
addr add 10.3.0.1/24 dev d2
neigh add 10.1.0.7 lladdr {NEIGHBOUR.hex(":")} dev d0 nud permanent
neigh add 10.2.0.7 lladdr {NEIGHBOUR.hex(":")} dev d1 nud permanent
route add 10.9.0.0/16 via 10.2.0.7 metric 55
route add 10.10.0.0/16 via 10.2.0.7 mtu lock 1300 src 10.2.0.9
route add 10.11.0.0/16 via 10.2.0.8
route add 10.12.0.0/16 nexthop via 10.2.0.7 dev d1 nexthop via 10.1.0.7 dev d0
route add blackhole 10.66.0.0/16
route add unreachable 10.67.0.0/16
route add prohibit 10.68.0.0/16
route add throw 10.69.0.0/16
route add 10.70.0.0/16 via 10.2.0.7 table 100
"""
NETWORK_6 = f"""
addr add fd01::1/64 dev d0 nodad
addr add fd02::1/64 dev d1 nodad
neigh add fd02::7 lladdr {NEIGHBOUR.hex(":")} dev d1 nud permanent
route add fd09::/64 via fd02::7 metric 55
route add fd10::/64 via fd02::7 mtu lock 1300 metric 7
route add fd11::/64 via fd02::8 metric 7
route add blackhole fd66::/64
route add unreachable fd67::/64
route add prohibit fd68::/64
route add fd70::/64 via fd02::7 metric 7 table 100
"""


def make_network():
    same(libc.unshare(CLONE_NEWNET), 0)
    for option, lines in (("-4", NETWORK), ("-6", NETWORK_6)):
        subprocess.run(["ip", option, "-batch", "-"], input=lines.encode(), check=True, capture_output=True)
    for version in ("ipv4", "ipv6"):
        for device in ("d0", "d1"):
            with open(f"/proc/sys/net/{version}/conf/{device}/forwarding", "w") as file:
                file.write("1")


class Lookup:
    """A program that asks, with a map of its question and the answer."""

    def __init__(self, kind, flags=0, size=BYTES):
        self.map = Map(b.ARRAY, 4, BYTES + 8, 1)
        self.kind, self.fd, ask = kind, self.map.fd, [mov_imm(R3, size), mov_imm(R4, flags), call(FIB_LOOKUP)]
        keep = [ld_map_value(R1, self.fd, BYTES), stx(8, R1, 0, R0), mov_imm(R0, 0), exit_()]
        self.prog = Prog(ld_map_value(R2, self.fd, 0), *ask, *keep, kind=kind)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.prog.__exit__()
        self.map.__exit__()

    def __call__(self, params, data=bytes(64), ctx=b""):
        same(self.map.put(k32(0), params + bytes(8)), 0)
        same(run_it(self.prog.fd, ctx, data), 0)
        value = self.map.get(k32(0))
        return struct.unpack("<q", value[BYTES:])[0], value[:BYTES]


def index(name):
    return socket.if_nametoindex(name)


def question(to, source=None, length=0, device="d0", family=None, tos=0, table=0):
    """struct bpf_fib_lookup, as a program fills it."""
    kind = V6 if ":" in to else V4
    source = source or ("fd01::5" if kind == V6 else "10.1.0.5")
    number = index(device) if isinstance(device, str) else device
    head = struct.pack("<BBHHHII", kind if family is None else family, 17, 0, 0, length, number, tos)
    addresses = b"".join(socket.inet_pton(kind, one).ljust(16, b"\xee") for one in (source, to))
    return head + addresses + struct.pack("<I", table) + b"\xdd" * 12


def told(params):
    """MTU, device, metric, addresses, tag, and the two of the link."""
    family, _, _, _, mtu, device, metric = struct.unpack_from("<BBHHHII", params)
    size = 16 if family == V6 else 4
    addresses = [socket.inet_ntop(family, params[at : at + size]) for at in (16, 32)]
    names = {index(name): name for name in ("d0", "d1", "d2")}
    return mtu, names.get(device, device), metric, *addresses, params[48:52].hex(), params[52:58], params[58:]


def at(net, version, host=1):
    """The address of a host in one of the networks."""
    return f"10.{net}.0.{host}" if version == 4 else f"fd{net:02}::{host}"


def both_kinds(flags=0):
    for kind in (SCHED_CLS, XDP):
        with Lookup(kind, flags) as ask:
            yield ask


UNTOUCHED = (b"\xdd" * 6,) * 2
LINK = (OWN, NEIGHBOUR)


@case
def a_route_is_found():
    for ask in both_kinds():
        for v in (4, 6):
            found = (1500, "d1", 55, at(1, v, 5), at(2, v, 7), "00000000", *LINK)
            same(
                [(ask(question(at(9, v), length=n))[0], told(ask(question(at(9, v), length=n))[1])) for n in (1, 1500)],
                [(OK, found)] * 2,
            )
            answer, after = ask(question(at(2, v, 7), length=100, table=7))
            same((answer, told(after)), (OK, (1500, "d1", 256 if v == 6 else 0, *found[3:])), "on the link")


@case
def none_is_found():
    for ask in both_kinds():
        for v in (4, 6):
            nowhere = [
                (66, BLACKHOLE),
                (67, UNREACHABLE),
                (68, PROHIBIT),
                (69, NOT_FORWARDED),
                (70, NOT_FORWARDED),
                (99, NOT_FORWARDED),
            ]
            for net, why in nowhere:
                asked = question(at(net, v), length=100)
                same(ask(asked), (why, asked), (v, net))
            same(ask(question(at(1, v, 1)))[0], NOT_FORWARDED, "an own address")
            asked = question(at(9, v), device="d2", length=100)
            same(ask(asked), (DISABLED, asked), v)
            asked = question(at(9, v), device=4000)
            same(ask(asked), (ENODEV, asked))
        for one in ("10.2.0.255", "224.0.0.1", "fe80::1", "ff02::1", "::1"):
            same(ask(question(one))[0], NOT_FORWARDED, one)
        same(ask(question("fd09::1", "fe80::2"))[0], NOT_FORWARDED)
        same([ask(question("10.9.0.1", family=n))[0] for n in (0, 1, 7, 255)], [EAFNOSUPPORT] * 4)


@case
def no_neighbour():
    for ask in both_kinds():
        for v in (4, 6):
            answer, after = ask(question(at(11, v), length=100, table=9))
            metric = 7 if v == 6 else 0
            same((answer, told(after)), (NO_NEIGHBOUR, (100, "d1", metric, at(1, v, 5), at(2, v, 8), "09000000", *UNTOUCHED)), v)


@case
def a_packet_may_be_too_long():
    for ask in both_kinds():
        for v in (4, 6):
            answer, after = ask(question(at(9, v), length=1501, table=9))
            same((answer, told(after)), (TOO_LONG, (1500, "d0", 0, at(1, v, 5), at(9, v), "09000000", *UNTOUCHED)))
            answer, after = ask(question(at(10, v), length=1300))
            same((answer, told(after)[0]), (OK, 1300))
            answer, after = ask(question(at(10, v), length=1301))
            same((answer, told(after)[:2]), (TOO_LONG, (1300, "d0")))
            # where no length is told: classifiers' packets have theirs, and the device's room is what counts
            answer, after = ask(question(at(10, v)))
            same((answer, told(after)[0]), (OK, 1500 if ask.kind == SCHED_CLS else 1300))
    with Lookup(SCHED_CLS) as ask:
        room = 1500 + 14 + 4
        for size, answer in ((room, OK), (room + 1, TOO_LONG)):
            same(ask(question("10.9.0.1"), bytes(size))[0], answer, size)
        same(ask(question("10.9.0.1"), bytes(room + 1), skb_context(gso_size=100))[0], OK)


@case
def what_flags_do():
    rules = {4: "10.1.0.77", 6: "fd01::77"}
    for ask in both_kinds(DIRECT):
        for v in (4, 6):
            same(ask(question(at(70, v), rules[v], length=9))[0], NOT_FORWARDED, "the main table alone")
            same(ask(question(at(9, v), rules[v], length=9))[0], OK)
    for ask in both_kinds(OUTPUT):
        for v in (4, 6):
            answers = [ask(question(at(9, v), device=name, length=9))[0] for name in ("d0", "d1")]
            # IPv6's look-up takes the device as a wish
            same(answers, [OK if v == 6 else NOT_FORWARDED, OK], v)
        ways = [told(ask(question("10.12.0.1", device=name, length=9))[1])[1] for name in ("d0", "d1") * 6]
        same(ways, ["d0", "d1"] * 6, "of a route with two ways, that by the device")
    for ask in both_kinds(DIRECT | TBID):
        for v in (4, 6):
            answer, after = ask(question(at(70, v), length=9, table=100))
            same((answer, told(after)[1:6]), (OK, ("d1", 7 if v == 6 else 0, at(1, v, 5), at(2, v, 7), "00000000")))
            same(ask(question(at(9, v), length=9, table=100))[0], NOT_FORWARDED)
            same(ask(question(at(70, v), length=9, table=12345))[0], NOT_FORWARDED)
    for ask in both_kinds(SKIP_NEIGH):
        for v in (4, 6):
            answer, after = ask(question(at(11, v), length=9))
            same((answer, told(after)), (OK, (1500, "d1", 7 if v == 6 else 0, at(1, v, 5), at(2, v, 8), "00000000", *UNTOUCHED)))
    for ask in both_kinds(SRC):
        for v in (4, 6):
            sources = [told(ask(question(at(net, v, 3), length=9))[1])[3] for net in (9, 2, 10)]
            same(sources, [at(2, v)] * 2 + [at(2, v, 9 if v == 4 else 1)])


@case
def what_is_wrong():
    for kind in (SCHED_CLS, XDP):
        with Lookup(kind, size=63) as ask:
            same(ask(question("10.9.0.1"))[0], EINVAL)
        for flag in (1 << 16, 1 << 31):
            with Lookup(kind, flag) as ask:
                same(ask(question("10.9.0.1"))[0], EINVAL, flag)
        args = [mov(R2, R10), add_imm(R2, -64), mov_imm(R4, 0), call(FIB_LOOKUP), mov_imm(R0, 0), exit_()]
        same([refused(mov_imm(R3, size), *args, kind=kind) for size in (0, 65)], [EACCES, EINVAL])
    same(refused(mov_imm(R3, 64), *args, kind=1), EINVAL)


@case
def rules():
    """The last: a network that had rules once is looked at in another way on old kernels."""
    for option, net in (("-4", "10.1.0."), ("-6", "fd01::")):
        for rule in (f"from {net}77 table 100", f"from {net}66 prohibit", f"from {net}67 blackhole"):
            subprocess.run(["ip", option, "rule", "add", *rule.split()], check=True, capture_output=True)
    for ask in both_kinds():
        for v in (4, 6):
            found = [ask(question(at(70, v), at(1, v, host), length=9))[0] for host in (77, 78)]
            same(found, [OK, NOT_FORWARDED], "a rule's table")
            found = [ask(question(at(9, v), at(1, v, host), length=9))[0] for host in (66, 67, 68)]
            same(found, [PROHIBIT, BLACKHOLE, OK] if v == 4 else [NOT_FORWARDED, NOT_FORWARDED, OK])
    for ask in both_kinds(DIRECT):
        same([ask(question(at(9, v), at(1, v, 66), length=9))[0] for v in (4, 6)], [OK, OK], "no rules")


if __name__ == "__main__":
    make_network()
    case.main()
