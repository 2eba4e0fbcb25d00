# SPDX-License-Identifier: MIT
"""Iterators over sockets and routes, held against what /proc/net tells, inside a machine, natively too: prints one JSON object
(casework.py)."""

import collections
import errno
import os
import socket
import struct
import threading
import time

import asm as a
import bpfsys as b
import iter_cases as it
from asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10
from casework import Cases, k32, same
from local_storage_cases import SK, storage

case = Cases()
BTF = it.BTF
STORAGE_GET, SETSOCKOPT, GETSOCKOPT = 107, 49, 57
TCP_FILES, UDP_FILES = ("tcp", "tcp6"), ("udp", "udp6")
LISTEN, TIME_WAIT = 10, 6
FAMILY = {"tcp": 2, "udp": 2, "tcp6": 10, "udp6": 10}
CLONE_NEWNET = 0x40000000
# Linux loses the rest of a bucket where a read ends.
# Small pieces are slow on Linux: it begins each where its buckets begin.
INET_SIZES = (1 << 16, 48, 1) if b.OURS else (1 << 16, 480)
UNIX_SIZES = (1 << 16, 48, 1) if b.OURS else (1 << 20,)
libc = b.libc


# -- programs ---------------------------------------------------------------------------------------------------------


def shown(target, *body):
    """A program that does nothing at the end; the object is in r9."""
    return it.iterator(target, *it.unless_over(), a.mov(R9, R1), *body)


def row(*values):
    """Numbers, each of which a list of instructions leaves in r1."""
    steps = []
    for i, value in enumerate(values):
        steps += [*value, a.stx(8, R10, -8 * (len(values) - i), R1)]
    return [*steps, *it.write(8 * len(values))]


def of_context(off, size=8):
    return [a.ldx(size, R1, R6, off)]


def field(size, owner, *names):
    return [a.ldx(size, R1, R9, BTF.offset(owner, *names))]


NUMBER = [a.ldx(8, R1, R7, it.NUM)]


def inet(*way):
    """Family, state, local and remote port of a socket's common part."""
    owner, *names = way
    return [
        field(2, owner, *names, "skc_family"),
        field(1, owner, *names, "skc_state"),
        field(2, owner, *names, "skc_num"),
        field(2, owner, *names, "skc_dport"),
    ]


def tcp(*more):
    return shown("tcp", *row(NUMBER, *inet("sock_common"), of_context(16, 4), *more))


def udp():
    common = inet("udp_sock", "inet", "sk", "__sk_common")
    return shown("udp", *row(NUMBER, *common, of_context(16, 4), of_context(24, 4)))


def told(prog, columns, size=1 << 16):
    """Rows without their numbers, which are one after the other."""
    rows = it.numbers(it.all_of(prog, size=size), columns)
    same([each[0] for each in rows], list(range(len(rows))))
    return [each[1:] for each in rows]


def inet_rows(rows):
    return [(family, state, port, socket.ntohs(to), *rest) for family, state, port, to, *rest in rows]


# -- what proc tells --------------------------------------------------------------------------------------------------


def lines(name):
    with open("/proc/thread-self/net/" + name if os.path.exists("/proc/thread-self") else "/proc/net/" + name) as file:
        return file.read().splitlines()


def proc_inet(files, bucket=False):
    rows = []
    for name in files:
        for line in lines(name)[1:]:
            words = line.split()
            ports = [int(word.rsplit(":", 1)[1], 16) for word in words[1:3]]
            more = (int(words[0].rstrip(":")),) if bucket else ()
            rows.append((FAMILY[name], int(words[3], 16), *ports, int(words[7]), *more))
    return rows


def proc_and(ask, proc):
    """What both told while nothing changed; others may change something now and then."""
    for _ in range(5):
        before, rows, after = proc(), ask(), proc()
        if sorted(before) == sorted(after):
            break
    same(sorted(rows), sorted(before))
    return rows


# -- sockets ----------------------------------------------------------------------------------------------------------


def bound(family, kind, where=None):
    sock = socket.socket(family, kind)
    sock.bind(where or (("::1" if family == socket.AF_INET6 else "127.0.0.1"), 0))
    if kind == socket.SOCK_STREAM:
        sock.listen(8)
    return sock


def pair_of(listener):
    client = socket.socket(listener.family)
    client.connect(listener.getsockname())
    return client, listener.accept()[0]


class Sockets(list):
    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in self:
            sock.close()


def port(sock):
    return sock.getsockname()[1]


# -- cases ------------------------------------------------------------------------------------------------------------


@case
def tcp_sockets_of_all_states():
    with Sockets() as mine:
        waits = []
        for family in (socket.AF_INET, socket.AF_INET6):
            listener = bound(family, socket.SOCK_STREAM)
            mine += [listener, *pair_of(listener)]
            client, server = pair_of(listener)
            waits.append((family, TIME_WAIT, port(client), port(listener), 0))
            client.close()
            time.sleep(0.2)
            server.close()
            mine += pair_of(listener)
        time.sleep(0.3)
        for size in INET_SIZES:
            rows = proc_and(lambda size=size: inet_rows(told(tcp(), 6, size)), lambda: proc_inet(TCP_FILES))
            assert len(rows) == len(set(rows)), collections.Counter(rows).most_common(3)
            for sock in mine[:3]:
                assert any(port(sock) == each[2] for each in rows)
            for each in waits:
                assert each in rows, (each, rows)


@case
def udp_sockets():
    with Sockets() as mine:
        for family in (socket.AF_INET, socket.AF_INET6):
            mine += [bound(family, socket.SOCK_DGRAM) for _ in range(3)]
            mine[-1].connect(mine[-2].getsockname())
        for size in (1 << 16, 56, 1):
            rows = proc_and(lambda size=size: inet_rows(told(udp(), 7, size)), lambda: proc_inet(UDP_FILES, True))
            assert {port(sock) for sock in mine} <= {each[2] for each in rows}


@case
def users():
    with Sockets() as mine:
        os.seteuid(12345)
        try:
            mine += [bound(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
            mine.append(bound(socket.AF_UNIX, socket.SOCK_STREAM, "\0users"))
        finally:
            os.seteuid(0)
        assert (2, LISTEN, port(mine[0]), 0, 12345) in inet_rows(told(tcp(), 6))
        assert (2, 7, port(mine[1]), 0, 12345) in {each[:5] for each in inet_rows(told(udp(), 7))}
        assert 12345 in [each[1] for each in unix_rows()]


def unix():
    """Number, user, state, length and 16 bytes of the name; the length counts the 2 of the family too."""
    clear = [a.st(8, R10, place, 0) for place in (-8, -16, -24)]
    name = BTF.offset("unix_address", "name") + 2
    path = [
        *[a.ldx(8, R3, R9, BTF.offset("unix_sock", "addr")), a.jmp_imm("eq", R3, 0, "nameless")],
        *[a.ldx(4, R1, R3, BTF.offset("unix_address", "len")), a.stx(8, R10, -24, R1), a.add_imm(R3, name)],
        *[a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(it.PROBE_READ_KERNEL), "nameless"],
    ]
    numbers = [NUMBER, of_context(16, 4), field(1, "unix_sock", "sk", "__sk_common", "skc_state")]
    stores = []
    for i, value in enumerate(numbers):
        stores += [*value, a.stx(8, R10, -48 + 8 * i, R1)]
    return shown("unix", *clear, *path, *stores, *it.write(48))


def unix_rows(size=1 << 16, fd=-1):
    data = it.drain(fd, size) if fd >= 0 else it.all_of(unix(), size=size)
    rows = [(*each[:3], each[4][: max(each[3] - 2, 0)].rstrip(b"\0")) for each in struct.iter_unpack("<QQQQ16s", data)]
    same([each[0] for each in rows], list(range(len(rows))))
    return rows


@case
def unix_sockets():
    name, abstract = "/tmp/bc-it.%05d" % os.getpid(), "\0bc-abs.%05d" % os.getpid()
    with Sockets() as mine:
        mine += [bound(socket.AF_UNIX, socket.SOCK_STREAM, name), bound(socket.AF_UNIX, socket.SOCK_DGRAM, abstract)]
        mine += socket.socketpair()
        try:
            for size in UNIX_SIZES:
                rows = proc_and(
                    lambda size=size: [each[3:] for each in unix_rows(size)],
                    lambda: [(proc_name(line),) for line in lines("unix")[1:]],
                )
                names = [each[0] for each in rows]
                assert names.count(name.encode()[:16]) == 1 and names.count(abstract.encode()[:16]) == 1, names
                assert names.count(b"") >= 2
        finally:
            os.unlink(name)


def proc_name(line):
    words = line.split(None, 7)
    text = words[7].encode() if len(words) > 7 else b""
    return (b"\0" + text[1:] if text[:1] == b"@" else text)[:16]


@case
def netlink_sockets():
    prog = shown("netlink", *row(NUMBER, field(4, "netlink_sock", "portid")))
    with Sockets() as mine:
        for _ in range(3):
            mine.append(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))
            mine[-1].bind((0, 0))
        for size in (1 << 16, 16, 1):
            rows = proc_and(
                lambda size=size: [each[0] for each in told(os.dup(prog), 2, size)],
                lambda: [int(line.split()[2]) for line in lines("netlink")[1:]],
            )
            assert {sock.getsockname()[0] for sock in mine} <= set(rows)
    os.close(prog)


@case
def routes():
    """Kernels before 4.18 have another struct for them."""
    if not BTF.find(it.FUNC, "bpf_iter_ipv6_route"):
        assert BTF.find(4, "rt6_info") and not BTF.find(4, "fib6_info")
        return
    body = row(NUMBER, field(4, "fib6_info", "fib6_metric"), field(4, "fib6_info", "fib6_dst", "plen"))
    prog = shown("ipv6_route", *body)
    for size in (1 << 16, 24, 1):
        rows = proc_and(
            lambda size=size: [(metric, plen & 0xFFFFFFFF) for metric, plen in told(os.dup(prog), 3, size)],
            lambda: [(int(each[5], 16), int(each[1], 16)) for each in map(str.split, lines("ipv6_route"))],
        )
        assert rows
    os.close(prog)


@case
def many_in_small_pieces():
    """Each of 300 once, more than a batch, whatever is read at a time."""
    for family, kind, ask in (
        (socket.AF_INET, socket.SOCK_STREAM, lambda size: inet_rows(told(tcp(), 6, size))),
        (socket.AF_INET6, socket.SOCK_STREAM, lambda size: inet_rows(told(tcp(), 6, size))),
        (socket.AF_INET, socket.SOCK_DGRAM, lambda size: inet_rows(told(udp(), 7, size))),
    ):
        with Sockets() as mine:
            mine += [bound(family, kind) for _ in range(300)]
            for size in (1 << 16, 100, 7) if b.OURS else (1 << 16, 4000):
                seen = collections.Counter(each[2] for each in ask(size) if each[0] == family and not each[3])
                wanted = {port(sock) for sock in mine}
                assert all(seen[each] == 1 for each in wanted), (family, kind, size, len(wanted - set(seen)))


@case
def many_unix_sockets():
    with Sockets() as mine:
        names = ["\0many.%05d" % i for i in range(300)]
        mine += [bound(socket.AF_UNIX, socket.SOCK_DGRAM, name) for name in names]
        for size in UNIX_SIZES:
            seen = collections.Counter(each[3] for each in unix_rows(size))
            assert all(seen[name.encode()] == 1 for name in names), size


@case
def sockets_close_during_the_walk():
    """Who stays is told; who has gone is not told later; nobody twice."""
    with Sockets() as mine:
        mine += [bound(socket.AF_INET, socket.SOCK_STREAM) for _ in range(600)]
        ports = [port(sock) for sock in mine]
        fd = it.opened(tcp())
        first = os.read(fd, 48)
        for sock in mine[::2]:
            sock.close()
        rest = first + it.drain(fd, 48)
        os.close(fd)
        # another's connection may have the number of a port that was given up
        seen = collections.Counter(each[3] for each in it.numbers(rest, 6) if each[2] == LISTEN)
        told_first = {each[3] for each in it.numbers(first, 6)}
        assert not {each for each in ports[::2] if seen[each]} - told_first
        assert all(seen[each] < 2 for each in ports)
        lost = [each for each in ports[1::2] if not seen[each]]
        # Linux has gone by the sockets' cookies since late; here and in /proc, places move where a batch ends
        assert len(lost) <= 40, len(lost)


@case
def sockets_come_and_go_all_the_while():
    over = threading.Event()

    def churn(family, kind):
        while not over.is_set():
            with Sockets() as some:
                some += [bound(family, kind) for _ in range(50)]
                if kind == socket.SOCK_STREAM:
                    for _ in range(5):
                        some += pair_of(some[0])

    kinds = [(socket.AF_INET, socket.SOCK_STREAM), (socket.AF_INET6, socket.SOCK_STREAM), (socket.AF_INET, socket.SOCK_DGRAM)]
    threads = [threading.Thread(target=churn, args=each) for each in kinds]
    for thread in threads:
        thread.start()
    try:
        with Sockets() as mine:
            mine += [bound(socket.AF_INET, socket.SOCK_STREAM) for _ in range(10)]
            wanted = {port(sock) for sock in mine}
            until = time.monotonic() + b.for_races(4)
            while time.monotonic() < until:
                for size in (1 << 16, 200):
                    rows = it.numbers(it.all_of(tcp(), size=size), 6)
                    same([each[0] for each in rows], list(range(len(rows))))
                    it.all_of(udp(), size=size)
            assert wanted & {each[3] for each in rows}
    finally:
        over.set()
        for thread in threads:
            thread.join()


@case
def sessions_released_half_way():
    with Sockets() as mine:
        mine += [bound(socket.AF_INET, socket.SOCK_STREAM) for _ in range(300)]
        mine += [bound(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(300)]
        for make, size in ((tcp, 48), (udp, 56)):
            fd, other = it.opened(make()), it.opened(make())
            assert len(os.read(fd, size)) == size
            os.close(fd)
            os.close(other)


@case
def a_session_outlives_its_sockets():
    with Sockets() as mine:
        mine += [bound(socket.AF_INET, socket.SOCK_STREAM) for _ in range(20)]
        ports = {port(sock) for sock in mine}
        fd = it.opened(tcp())
        assert len(os.read(fd, 48)) == 48
    time.sleep(0.1)
    seen = {each[3] for each in it.numbers(it.drain(fd), 6) if each[2] == LISTEN}
    os.close(fd)
    assert not seen & ports


@case
def the_end_is_numbered():
    """Its number is that of the last object; where there is none, -1 for what Linux has counted and takes off."""
    body = [*of_context(8), a.jmp_imm("ne", R1, 0, "out"), *row(NUMBER)]
    with Sockets() as mine:
        mine.append(bound(socket.AF_INET, socket.SOCK_STREAM))
        count = len(proc_inet(TCP_FILES))
        same(it.numbers(it.all_of(it.iterator("tcp", *body)), 1), [(count - 1,)])
    found = []

    def elsewhere():
        if not libc.unshare(CLONE_NEWNET):
            found.append(it.numbers(it.all_of(it.iterator("tcp", *body)), 1))

    thread = threading.Thread(target=elsewhere, daemon=True)
    thread.start()
    thread.join()
    same(found, [[((1 << 64) - 1,)]])


@case
def the_namespace_is_of_who_opens():
    """That of the very thread; the session may be read elsewhere."""
    found = {}

    def elsewhere():
        if libc.unshare(CLONE_NEWNET):
            return
        with Sockets() as mine:
            mine += [bound(socket.AF_INET, kind, ("0.0.0.0", 0)) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
            mine.append(bound(socket.AF_UNIX, socket.SOCK_STREAM, "\0elsewhere"))
            found["ports"] = [port(sock) for sock in mine[:2]]
            found["fds"] = [it.opened(make()) for make in (tcp, udp, unix)]
            ready.set()
            done.wait()

    ready, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=elsewhere, daemon=True)
    thread.start()
    assert ready.wait(20)
    with Sockets() as mine:
        mine += [bound(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM)]
        rows = [it.drain(fd, 1) for fd in found["fds"][:2]]
        same([each[3] for each in it.numbers(rows[0], 6)], found["ports"][:1])
        same([each[3] for each in it.numbers(rows[1], 7)], found["ports"][1:])
        same([each[3] for each in unix_rows(1, found["fds"][2])], [b"\0elsewhere"])
        # the namespace ends while sessions of it are there
        done.set()
        thread.join()
        for fd in found["fds"]:
            same(os.read(fd, 100), b"")
            os.close(fd)
        assert {port(mine[0])} <= {each[2] for each in inet_rows(told(tcp(), 6))}


@case
def a_namespace_ends_before_its_session():
    fds = []

    def elsewhere():
        if not libc.unshare(CLONE_NEWNET):
            with Sockets() as mine:
                mine += [bound(socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0)) for _ in range(5)]
                fds.append(it.opened(tcp()))
                assert len(os.read(fds[0], 48)) == 48

    thread = threading.Thread(target=elsewhere, daemon=True)
    thread.start()
    thread.join()
    time.sleep(0.5)
    same([each for each in it.numbers(it.drain(fds[0]), 6) if each[2] == LISTEN], [])
    os.close(fds[0])


@case
def a_program_asks_for_more_time():
    counter = it.map_of(b.ARRAY, 1, fill=False)
    again = [a.jmp_imm("gt", R1, 2, "go on"), a.mov_imm(R0, 1), a.exit_(), "go on"]
    body = [*it.counted(counter, *again), *row(NUMBER, field(2, "sock_common", "skc_num"))]
    with Sockets() as mine:
        mine.append(bound(socket.AF_INET, socket.SOCK_STREAM))
        fd = it.opened(shown("tcp", *body))
        same([it.errno_of(os.read, fd, 100) for _ in range(2)], [errno.EAGAIN] * 2)
        rows = it.numbers(it.drain(fd))
        same([each[0] for each in rows], list(range(len(rows))))
        same([each[1] for each in rows].count(port(mine[0])), 1)
        os.close(fd)
    os.close(counter)


@case
def text_that_does_not_fit():
    big = it.map_of(b.ARRAY, 1, value=40000, fill=False)
    for target, size, wanted in (("tcp", 40000, errno.E2BIG), ("udp", 20000, 0), ("tcp", 20000, 0), ("unix", 20000, 0)):
        text = [a.mov(R1, R8), a.ld_map_value(R2, big), a.mov_imm(R3, size), a.call(it.SEQ_WRITE)]
        with Sockets() as mine:
            mine += [bound(socket.AF_INET, kind) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM) for _ in range(4)]
            mine += [bound(socket.AF_UNIX, socket.SOCK_DGRAM, "\0fits.%d" % i) for i in range(4 if b.OURS else 1)]
            fd = it.opened(shown(target, *text))
            if wanted:
                same([it.errno_of(os.read, fd, 100) for _ in range(2)], [wanted] * 2)
            else:
                parts = []
                while not parts or parts[-1]:
                    parts.append(len(os.read(fd, 1 << 16)))
                same(set(parts), {20000, 0}, target)
                assert len(parts) > (4 if target != "unix" or b.OURS else 1)
            os.close(fd)
    os.close(big)


@case
def storage_of_sockets_that_are_shown():
    """The program turns the sign of what the socket has."""
    with storage(SK) as m, Sockets() as mine:
        turn = [
            *it.unless_over(),
            *[a.mov(R2, R1), a.ld_map(R1, m.fd), a.mov_imm(R3, 0), a.mov_imm(R4, 0), a.call(STORAGE_GET)],
            *[a.jmp_imm("eq", R0, 0, "out"), a.ldx(8, R1, R0, 0), a.neg(R1), a.stx(8, R0, 0, R1)],
        ]
        mine += [bound(socket.AF_INET, socket.SOCK_STREAM), bound(socket.AF_INET6, socket.SOCK_STREAM)]
        mine += pair_of(mine[0])
        for i, sock in enumerate(mine):
            same(m.put(k32(sock.fileno()), struct.pack("<q", i + 1)), 0)
        it.all_of(it.iterator("tcp", *turn))
        same([struct.unpack("<q", m.get(k32(sock.fileno())))[0] for sock in mine], [-1, -2, -3, -4])


@case
def what_is_told_of_links():
    for name in ("tcp", "udp", "unix", "netlink"):
        prog = it.iterator(name)
        link = b.check(it.link_create(prog), "link")
        ret, _, told_name = it.link_info(link)
        same((ret, told_name), (0, name))
        os.close(link)
        os.close(prog)


# -- options of sockets: those that are offered are in sockopt_cases.py -----------------------------------------------


def unknown(target, *code):
    """The message that such a program is refused with."""
    prog = b.Prog(
        a.asm(a.mov(R6, R1), a.ldx(8, R7, R6, 0), *code, "out", a.mov_imm(R0, 0), a.exit_()),
        it.TRACING,
        expected_attach_type=it.ITER,
        attach_btf_id=BTF.find(it.FUNC, "bpf_iter_" + target),
        log_level=1,
        log_size=1 << 16,
    )
    same(prog.load(), -errno.EINVAL, target)
    return [line for line in prog.log_text().splitlines() if line.startswith("unknown func")]


def has_field(owner, name):
    try:
        return BTF.offset(owner, name) >= 0
    except LookupError:
        return False


@case
def options_that_are_not_offered():
    # where the kernel has them for its own programs, and can be told that one asks
    offered = not b.OURS or (b.symbols("bpf_sk_setsockopt", "bpf_sk_getsockopt") and has_field("task_struct", "bpf_ctx"))
    targets = ["udp", "netlink", "task"] + ([] if offered else ["tcp", "unix"])
    option = [a.st(4, R10, -8, 0), a.mov_imm(R2, 1), a.mov_imm(R3, 36), a.mov(R4, R10), a.add_imm(R4, -8), a.mov_imm(a.R5, 4)]
    for target in targets:
        start = [*it.unless_over(), a.mov(R9, R1)]
        same(unknown(target, *start, *option, a.call(SETSOCKOPT)), ["unknown func bpf_setsockopt#49"])
        same(unknown(target, *start, *option, a.call(GETSOCKOPT)), ["unknown func bpf_getsockopt#57"])


if __name__ == "__main__":
    case.main()
