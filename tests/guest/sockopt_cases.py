# SPDX-License-Identifier: MIT
"""Options of sockets, as programs over iterators ask for and set them, run inside a machine, natively too: prints one JSON object
(casework.py)."""

import errno
import socket
import struct

import asm as a
import iter_cases as it
from asm import R1, R2, R3, R4, R5, R9, R10
from casework import EINVAL, ENOENT, ENOTSUPP, Cases, same
from net_iter_cases import Sockets, bound, field, pair_of, port, row, shown

case = Cases()
BTF = it.BTF
SET, GET = 49, 57
TCP, IP, IPV6 = socket.IPPROTO_TCP, socket.IPPROTO_IP, socket.IPPROTO_IPV6
SOL = socket.SOL_SOCKET


VALUE = -128  # where in the stack a value of 16 bytes stands


def put(data):
    return [
        step for i, word in enumerate(struct.unpack("<4i", data.ljust(16, b"\0"))) for step in [a.st(4, R10, VALUE + 4 * i, word)]
    ]


def called(func, level, name, size):
    return [
        a.mov(R1, R9),
        a.mov_imm(R2, level),
        a.mov_imm(R3, name),
        a.mov(R4, R10),
        a.add_imm(R4, VALUE),
        a.mov_imm(R5, size),
        a.call(func),
    ]


ANSWER = [a.mov(R1, a.R0)]


def set_to(level, name, value):
    """What the helper says, in r1."""
    data = value if isinstance(value, bytes) else struct.pack("<i", value)
    return [*put(data), *called(SET, level, name, len(data)), *ANSWER]


def got(level, name, size=4):
    """The same, and two words of the value."""
    ask = [*put(b"\x55" * 16), *called(GET, level, name, size), *ANSWER]
    return [ask, [a.ldx(8, R1, R10, VALUE)], [a.ldx(8, R1, R10, VALUE + 8)]]


def answers(target, mine, *asked):
    """What each of the lists of instructions leaves in r1 when the iterator shows the socket at port or inode @mine."""
    lead = {
        "tcp": [*field(2, "sock_common", "skc_num"), a.jmp_imm("ne", R1, mine, "out")],
        "unix": [*field(4, "unix_sock", "sk", "sk_sndbuf"), a.jmp_imm("ne", R1, mine, "out")],
    }[target]
    prog = shown(target, *lead, *row(*asked))
    rows = list(struct.iter_unpack(f"<{len(asked)}q", it.all_of(prog)))
    assert len(rows) == 1, rows
    return list(rows[0])


def of_tcp(sock, *asked):
    return answers("tcp", port(sock), *asked)


@case
def names_of_congestion_control():
    with Sockets() as mine:
        for family in (socket.AF_INET, socket.AF_INET6):
            mine.append(bound(family, socket.SOCK_STREAM))
            name = mine[-1].getsockopt(TCP, socket.TCP_CONGESTION, 16)
            first, second = struct.unpack("<qq", name)
            same(of_tcp(mine[-1], *got(TCP, socket.TCP_CONGESTION, 16)), [0, first, second], name)
            asked = [set_to(TCP, socket.TCP_CONGESTION, b"reno\0"), *got(TCP, socket.TCP_CONGESTION, 16)]
            same(of_tcp(mine[-1], *asked), [0, 0, *struct.unpack("<qq", b"reno".ljust(16, b"\0"))])
            same(mine[-1].getsockopt(TCP, socket.TCP_CONGESTION, 16), b"reno".ljust(16, b"\0"))
            wrong = [set_to(TCP, socket.TCP_CONGESTION, value) for value in (b"nosuch\0", b"cdg", b"r")]
            same(of_tcp(mine[-1], *wrong), [ENOENT, ENOTSUPP, EINVAL])
            same(mine[-1].getsockopt(TCP, socket.TCP_CONGESTION, 16), b"reno".ljust(16, b"\0"))


@case
def options_of_connections():
    listener = bound(socket.AF_INET, socket.SOCK_STREAM)
    client, server = pair_of(listener)
    with Sockets([listener, client, server]):
        numbers = [
            (SOL, socket.SO_SNDBUF, 10000, 20000), (SOL, socket.SO_RCVBUF, 10000, 20000), (SOL, socket.SO_KEEPALIVE, 1, 1),
            (SOL, socket.SO_PRIORITY, 3, 3), (SOL, socket.SO_MARK, 77, 77), (SOL, socket.SO_RCVLOWAT, 9, 9), (SOL, socket.SO_REUSEADDR, 1, 1),
            (IP, socket.IP_TOS, 16, 16), (TCP, socket.TCP_NODELAY, 1, 1), (TCP, socket.TCP_KEEPIDLE, 33, 33), (TCP, socket.TCP_KEEPINTVL, 34, 34),
            (TCP, socket.TCP_KEEPCNT, 35, 35), (TCP, socket.TCP_SYNCNT, 4, 4), (TCP, socket.TCP_USER_TIMEOUT, 3000, 3000),
        ]  # fmt: skip
        for level, name, value, wanted in numbers:
            found = of_tcp(client, set_to(level, name, value), *got(level, name))
            same(found, [0, 0, 0x5555555500000000 | wanted, 0x5555555555555555], (level, name))
            same(client.getsockopt(level, name), wanted, (level, name))
        device = set_to(SOL, socket.SO_BINDTODEVICE, b"lo\0")
        same(of_tcp(client, device, set_to(SOL, socket.SO_BINDTODEVICE, b"nosuch\0")), [0, -errno.ENODEV])
        same(client.getsockopt(SOL, socket.SO_BINDTODEVICE, 16), b"lo\0")
        # they go on as before
        client.sendall(b"to")
        same(server.recv(16), b"to")


@case
def options_of_ipv6():
    with Sockets([bound(socket.AF_INET6, socket.SOCK_STREAM)]) as mine:
        found = of_tcp(mine[0], set_to(IPV6, socket.IPV6_TCLASS, 32), *got(IPV6, socket.IPV6_TCLASS))
        same(found, [0, 0, 0x5555555500000020, 0x5555555555555555])
        same(mine[0].getsockopt(IPV6, socket.IPV6_TCLASS), 32)
    with Sockets([bound(socket.AF_INET, socket.SOCK_STREAM)]) as mine:
        same(of_tcp(mine[0], set_to(IPV6, socket.IPV6_TCLASS, 32)), [EINVAL])


@case
def what_is_refused():
    """And a value that was not got is zeros."""
    with Sockets([bound(socket.AF_INET, socket.SOCK_STREAM)]) as mine:
        none = [EINVAL, 0, 0]
        for level, name, size in (
            (SOL, socket.SO_LINGER, 8),
            (99, 1, 4),
            (SOL, socket.SO_SNDBUF, 8),
            (IP, socket.IP_TTL, 4),
            (TCP, 999, 4),
        ):
            asked = got(level, name, size)
            found = of_tcp(mine[0], set_to(level, name, bytes(size)), *asked)
            same(found[0:2], [EINVAL, EINVAL], (level, name))
            same(struct.pack("<qq", *found[2:])[:size], bytes(size))
        wide = set_to(SOL, socket.SO_SNDBUF, bytes(8))
        same(of_tcp(mine[0], wide), none[:1])


@case
def small_sockets_have_none():
    listener = bound(socket.AF_INET, socket.SOCK_STREAM)
    client, server = pair_of(listener)
    here = port(client)
    client.close()
    server.close()
    with Sockets([listener]):
        state = field(1, "sock_common", "skc_state")
        found = answers("tcp", here, set_to(SOL, socket.SO_MARK, 1), *got(SOL, socket.SO_MARK), state)
        same(found, [EINVAL, EINVAL, 0x5555555500000000, 0x5555555555555555, 6], "in TIME_WAIT")


@case
def options_of_unix_sockets():
    one, other = socket.socketpair()
    with Sockets([one, other]):
        one.setsockopt(SOL, socket.SO_SNDBUF, 34567)
        mine = 2 * 34567
        same(answers("unix", mine, *got(SOL, socket.SO_SNDBUF)), [0, 0x5555555500000000 | mine, 0x5555555555555555])
        same(answers("unix", mine, set_to(TCP, socket.TCP_NODELAY, 1), set_to(IP, socket.IP_TOS, 1)), [EINVAL] * 2)
        same(answers("unix", mine, set_to(SOL, socket.SO_SNDBUF, 20000)), [0])
        same(one.getsockopt(SOL, socket.SO_SNDBUF), 40000)
        one.sendall(b"to")
        same(other.recv(16), b"to")


if __name__ == "__main__":
    case.main()
