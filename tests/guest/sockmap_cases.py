# SPDX-License-Identifier: MIT
"""Maps of sockets, by fd, from programs and from iterators, run inside a machine, natively too: prints one JSON object
(casework.py)."""

import errno
import os
import random
import signal
import socket
import struct
import time

import bpfsys as b
import iter_cases as it
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
    call,
    exit_,
    ja,
    jmp_imm,
    ld_map,
    ld_map_value,
    ldsx,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import (
    E2BIG,
    EACCES,
    EBADF,
    EEXIST,
    EINVAL,
    ENOENT,
    ENOSPC,
    ENOTSUPP,
    EPERM,
    Cases,
    Map,
    Prog,
    changing,
    k32,
    same,
    v64,
    without_net_admin,
)
from sock_cases import own_cookie

case = Cases()
SOCKMAP, SOCKHASH = 15, 18
BOTH = (SOCKMAP, SOCKHASH)
SCHED_CLS, XDP = 3, 6
LOOKUP, UPDATE, DELETE, COOKIE, RELEASE, FULLSOCK, TCP_SOCK, LISTENER = 1, 2, 3, 46, 86, 95, 96, 98
OPNOTSUPP, ENOTSOCK = -errno.EOPNOTSUPP, -errno.ENOTSOCK
LOOPBACK = ("127.0.0.1", 0)
libc = b.libc


# -- sockets ----------------------------------------------------------------------------------------------------------


def listening(where=LOOPBACK, family=socket.AF_INET):
    sock = socket.socket(family)
    sock.bind(where)
    sock.listen(64)
    return sock


def connected(listener):
    """A client, and the socket accepted for it."""
    client = socket.socket(listener.family)
    client.connect(listener.getsockname())
    return client, listener.accept()[0]


def bound(family=socket.AF_INET, where=LOOPBACK):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.bind(where)
    return sock


def disconnect(sock):
    address = struct.pack("<H14x", socket.AF_UNSPEC)
    same(libc.connect(sock.fileno(), address, 16), 0, "disconnect")


def has_ipv6():
    try:
        bound(socket.AF_INET6, ("::1", 0)).close()
    except OSError:
        return False
    return True


def of_sock(sock, size=8):
    return sock.fileno().to_bytes(size, "little")


def sockmap(kind, entries=8, value=8, flags=0):
    return Map(kind, 4, value, entries, flags)


def empty(kind):
    """What deleting says where there is nothing."""
    return EINVAL if kind == SOCKMAP else ENOENT


# -- making them ------------------------------------------------------------------------------------------------------


@case
def what_can_be_made():
    for kind in BOTH:
        for value in (4, 8):
            with sockmap(kind, 1, value), sockmap(kind, 100000, value, b.F_RDONLY), sockmap(kind, 3, value, b.F_WRONLY):
                pass
        same([b.map_create(kind, 4, size, 1) for size in (0, 1, 2, 5, 7, 9, 16)], [EINVAL] * 7, "value")
        same(b.map_create(kind, 4, 8, 0), EINVAL, "entries")
        flags = [1, 2, 1 << 5, 1 << 6, b.F_RDONLY_PROG, b.F_WRONLY_PROG, 1 << 9, b.F_MMAPABLE, 1 << 11, 1 << 12]
        same([b.map_create(kind, 4, 8, 1, flag) for flag in flags], [EINVAL] * len(flags), "flags")
        same(b.map_create(kind, 0, 8, 1), EINVAL, "key")
        with Map(kind, 4, 8, 1, b.F_NUMA_NODE):
            pass
    same([b.map_create(SOCKMAP, size, 8, 1) for size in (1, 2, 3, 5, 8, 600)], [EINVAL] * 6, "key")
    same(b.map_create(SOCKMAP, 4, 8, 0x80000000), EINVAL, "entries")
    for size in (1, 3, 4, 16, 511, 512):
        with Map(SOCKHASH, size, 8, 1):
            pass
    same([b.map_create(SOCKHASH, size, 8, 1) for size in (513, 4096, 0xFFFFFFFF)], [E2BIG] * 3, "key")
    same([b.map_create(SOCKHASH, 4, 8, n) for n in (0x08000001, 0x80000000, 0xFFFFFFFF)], [EINVAL] * 3, "entries")
    # types of keys and values are for other maps
    types = struct.pack("<8I", 1, 1 << 24, 4, 1 << 24 | 32, 5, 1 << 24, 8, 64)
    btf = b.check(b.btf_load(b.btf_blob(types, b"\0int\0u64\0")), "btf")
    same([b.map_create(kind, 4, 8, 1, btf=btf, btf_key=1, btf_value=2) for kind in BOTH], [ENOTSUPP] * 2, "BTF")
    os.close(btf)


@case
def they_are_for_who_may_manage_networks():
    """CAP_BPF alone does not do."""
    without_net_admin(lambda: same([b.map_create(kind, 4, 8, 1) for kind in BOTH], [EPERM] * 2))


@case
def what_they_tell_of_themselves():
    for kind in BOTH:
        with Map(kind, 4, 8, 5, name=b"some_sockets") as m:
            info = m.info()
            same((info[0], info[2:6], info[6].rstrip(b"\0")), (kind, (4, 8, 5, 0), b"some_sockets"))
            with open("/proc/self/fdinfo/%d" % m.fd) as file:
                told = dict(line.split(":", 1) for line in file.read().splitlines())
            same([told[name].strip() for name in ("map_type", "key_size", "value_size", "max_entries")], [str(kind), "4", "8", "5"])
            assert int(told["memlock"]) > 0
            same(m.freeze(), 0)
            same(m.put(k32(0), v64(0)), EPERM)


# -- by fd ------------------------------------------------------------------------------------------------------------


@case
def which_sockets():
    listener = listening()
    client, accepted = connected(listener)
    one, two = socket.socketpair()
    good = [listener, client, accepted, bound(), one, two, *socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)]
    good.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.connect(("127.0.0.1", 9))
    good.append(udp)
    if has_ipv6():
        six = listening(("::1", 0), socket.AF_INET6)
        good += [six, *connected(six), bound(socket.AF_INET6, ("::1", 0))]
    fresh = socket.socket()
    fresh.bind(LOOPBACK)
    bad = [
        socket.socket(),
        fresh,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM),
        socket.socket(socket.AF_UNIX),
        socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET),
        socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)[0],
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0),
        listening("\0sockmap", socket.AF_UNIX),
    ]
    for kind in BOTH:
        for value in (4, 8):
            with sockmap(kind, 64, value) as m:
                same([m.put(k32(i), of_sock(sock, value)) for i, sock in enumerate(good)], [0] * len(good), "good")
                found = [m.put(k32(40), of_sock(sock, value)) for sock in bad]
                same(found, [OPNOTSUPP] * len(bad), "bad")
                same(m.put(k32(0), m.fd.to_bytes(value, "little")), ENOTSOCK)
                same(m.put(k32(0), (555).to_bytes(value, "little")), EBADF)
                same(m.put(k32(0), (1 << 31).to_bytes(value, "little")), EINVAL)
                # what the socket is, is looked at before the flags and the place
                same(m.put(k32(64), of_sock(bad[0], value), 3), OPNOTSUPP)
                same(m.put(k32(64), of_sock(good[0], value), 3), EINVAL)
            if value == 8:
                with sockmap(kind) as m:
                    same(m.put(k32(0), v64(1 << 32 | good[0].fileno())), EINVAL)
    for sock in good + bad:
        sock.close()


@case
def elements():
    with listening() as one, bound() as two:
        for kind in BOTH:
            with sockmap(kind, 4) as m:
                same([m.get(k32(0)), m.drop(k32(0))], [ENOENT, empty(kind)])
                same(m.put(k32(0), of_sock(one), b.EXIST), ENOENT)
                same(m.put(k32(0), of_sock(one), b.NOEXIST), 0)
                same(m.put(k32(0), of_sock(two), b.NOEXIST), EEXIST)
                cookie = m.get(k32(0))
                same(m.put(k32(0), of_sock(two), b.EXIST), 0)
                assert m.get(k32(0)) != cookie
                same(m.put(k32(0), of_sock(one)), 0)
                same(m.get(k32(0)), cookie)
                same([m.put(k32(0), of_sock(one), flags) for flags in (3, 4, 8, 1 << 32)], [EINVAL] * 4)
                same(m.get(k32(0), b.F_LOCK), EINVAL)
                same([m.drop(k32(0)), m.drop(k32(0))], [0, empty(kind)])
                same(m.pop(k32(0)), ENOTSUPP)
    for kind in BOTH:
        with sockmap(kind, 4, 4) as m, listening() as one:
            same([m.get(k32(0)), m.get(k32(9))], [ENOSPC] * 2, "4 bytes hold no cookie")
            same(m.put(k32(0), of_sock(one, 4)), 0)
            same(m.get(k32(0)), ENOSPC)


@case
def places_and_keys():
    with sockmap(SOCKMAP, 4) as m, listening() as sock:
        same([m.put(k32(3), of_sock(sock)), m.put(k32(4), of_sock(sock))], [0, E2BIG])
        same([m.drop(k32(4)), m.get(k32(4))], [EINVAL, ENOENT])
        same([m.after(key) for key in (None, k32(0), k32(2), k32(3), k32(77))], [k32(0), k32(1), k32(3), ENOENT, k32(0)])
    with Map(SOCKHASH, 7, 8, 20) as m, listening() as sock:
        same(m.after(None), ENOENT)
        keys = [b"key%4d" % i for i in range(20)]
        same([m.put(key, of_sock(sock)) for key in keys], [0] * 20)
        same(sorted(m.keys()), keys)
        same(m.put(b"another", of_sock(sock)), E2BIG)
        same(m.put(keys[7], of_sock(sock)), 0, "in the place of itself")
        same(m.put(b"another", of_sock(sock), b.EXIST), ENOENT)
        same(m.drop(keys[3]), 0)
        same(m.put(b"another", of_sock(sock)), 0)
        same(sorted(m.keys()), sorted([*keys[:3], *keys[4:], b"another"]))
        first = m.after(None)
        same(m.after(b"nowhere"), first, "of a key that is not there, the first")


@case
def not_in_batches():
    for kind in BOTH:
        with sockmap(kind) as m:
            keys, values = b.buf(32), b.buf(64)
            commands = (b.MAP_LOOKUP_BATCH, b.MAP_LOOKUP_AND_DELETE_BATCH, b.MAP_UPDATE_BATCH, b.MAP_DELETE_BATCH)
            same([b.call(cmd, b.batch_attr(m.fd, keys, values, 4)) for cmd in commands], [ENOTSUPP] * 4)


@case
def cookies():
    sockets = [listening(), bound(), *socket.socketpair()]
    with sockmap(SOCKMAP) as one, sockmap(SOCKHASH) as two:
        for i, sock in enumerate(sockets):
            same([m.put(k32(i), of_sock(sock)) for m in (one, two)], [0, 0])
        seen = [struct.unpack("<Q", one.get(k32(i)))[0] for i in range(len(sockets))]
        assert len(set(seen)) == len(sockets) and 0 not in seen, seen
        same([struct.unpack("<Q", two.get(k32(i)))[0] for i in range(len(sockets))], seen)
        for i, sock in enumerate(sockets):
            assert own_cookie(sock) in (seen[i], None)
            sock.close()
        with listening() as sock:
            same(one.put(k32(0), of_sock(sock)), 0)
            assert struct.unpack("<Q", one.get(k32(0)))[0] not in seen


# -- sockets that are closed ------------------------------------------------------------------------------------------


class Ending:
    """A socket, and what ends it in some way."""

    def __init__(self, way):
        self.listener = listening()
        self.client, self.accepted = connected(self.listener)
        self.udp, self.unix = bound(), socket.socketpair()
        by_name = {"udp": self.udp, "unix": self.unix[0], "client": self.client, "accepted": self.accepted, "reset": self.accepted}
        self.sock = by_name.get(way, self.listener if way.startswith("listener") else self.client)
        self.end = getattr(self, way.replace(" ", "_"), None)

    def listener_is_shut_down(self):
        self.listener.shutdown(socket.SHUT_RDWR)

    def disconnected(self):
        disconnect(self.client)

    def connected_anew(self):
        disconnect(self.client)
        self.client.connect(self.listener.getsockname())

    def listens(self):
        disconnect(self.client)
        self.client.listen(1)

    def reset(self):
        self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.close()
        closed = 7
        assert waits_for(lambda: self.accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == closed)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for sock in (self.listener, self.client, self.accepted, self.udp, *self.unix):
            sock.close()


@case
def who_is_closed_leaves():
    for kind in BOTH:
        for way in ("udp", "unix", "listener", "client", "accepted"):
            with sockmap(kind, 2) as m, listening() as other, Ending(way) as e:
                same([m.put(k32(i), of_sock(e.sock)) for i in range(2)], [0, 0], way)
                e.sock.close()
                same([m.get(k32(i)) for i in range(2)], [ENOENT] * 2, way)
                same(m.drop(k32(0)), empty(kind), way)
                if kind == SOCKHASH:
                    same(m.keys(), [], way)
                same(m.put(k32(1), of_sock(other), b.EXIST), ENOENT, way)
                same([m.put(k32(i), of_sock(other), b.NOEXIST) for i in range(2)], [0, 0], way)


@case
def who_is_not_closed_stays():
    """Whatever became of the connection; though another map would not take it."""
    for kind in BOTH:
        for way in ("listener is shut down", "disconnected", "connected anew", "listens", "reset"):
            with sockmap(kind, 2) as m, sockmap(kind, 2) as other, Ending(way) as e:
                sock = e.sock
                same(m.put(k32(1), of_sock(sock)), 0, way)
                cookie = m.get(k32(1))
                e.end()
                same(m.get(k32(1)), cookie, way)
                same(other.put(k32(1), of_sock(sock)), 0 if way in ("connected anew", "listens") else OPNOTSUPP, way)
                same(m.put(k32(1), of_sock(sock), b.NOEXIST), EEXIST if way in ("connected anew", "listens") else OPNOTSUPP, way)
                same(m.get(k32(1)), cookie, way)
                sock.close()
                same(m.get(k32(1)), ENOENT, way)


@case
def who_is_gone_takes_no_room():
    with sockmap(SOCKHASH, 3) as m:
        for turn in range(3):
            sockets = [listening() for _ in range(3)]
            same([m.put(k32(10 * turn + i), of_sock(sock)) for i, sock in enumerate(sockets)], [0] * 3)
            with bound() as more:
                same(m.put(k32(99), of_sock(more)), E2BIG)
                sockets[1].close()
                same(m.put(k32(99), of_sock(more)), 0)
                same(sorted(m.keys()), [k32(10 * turn), k32(10 * turn + 2), k32(99)])
            for sock in sockets:
                sock.close()


@case
def who_is_only_shut_down_stays():
    with sockmap(SOCKMAP) as one, sockmap(SOCKHASH) as two, listening() as listener:
        client, accepted = connected(listener)
        copy = client.dup()
        udp = bound()
        udp.connect(("127.0.0.1", 9))
        for i, sock in enumerate((client, accepted, udp)):
            same([m.put(k32(i), of_sock(sock)) for m in (one, two)], [0, 0])
        client.shutdown(socket.SHUT_WR)
        disconnect(udp)
        client.close()
        time.sleep(1.5)
        for m in (one, two):
            assert all(isinstance(m.get(k32(i)), bytes) for i in range(3)), [m.get(k32(i)) for i in range(3)]
        same(accepted.recv(1), b"")
        # half closed, no other map takes it
        for kind in BOTH:
            with sockmap(kind) as other:
                same(other.put(k32(0), of_sock(copy)), OPNOTSUPP)
        copy.close()
        for m in (one, two):
            same([isinstance(m.get(k32(i)), bytes) for i in range(3)], [False, True, True])
        accepted.close()
        udp.close()


def tcp_sockets():
    """That there are: in use, orphaned, allocated."""
    with open("/proc/net/sockstat") as file:
        words = next(line for line in file if line.startswith("TCP:")).split()
    return int(words[words.index("alloc") + 1])


def waits_for(condition, seconds=10):
    for _ in range(seconds * 20):
        if condition():
            return True
        time.sleep(0.05)
    return False


@case
def nothing_is_held_for_long():
    before = tcp_sockets()
    with sockmap(SOCKMAP, 300) as one, sockmap(SOCKHASH, 300) as two:
        sockets = [listening() for _ in range(300)]
        for i, sock in enumerate(sockets):
            same([m.put(k32(i), of_sock(sock)) for m in (one, two)], [0, 0])
        assert tcp_sockets() >= before + 300
        for sock in sockets:
            sock.close()
        assert waits_for(lambda: tcp_sockets() <= before), (before, tcp_sockets())
        # nor when the map goes first
        sockets = [listening() for _ in range(100)]
        for i, sock in enumerate(sockets):
            same([m.put(k32(i), of_sock(sock)) for m in (one, two)], [0, 0])
    for sock in sockets:
        sock.close()
    assert waits_for(lambda: tcp_sockets() <= before), (before, tcp_sockets())


@case
def a_network_may_go():
    with sockmap(SOCKMAP) as m:
        for _ in range(3):
            read, write = os.pipe()
            pid = os.fork()
            if not pid:
                ok = not libc.unshare(0x40000000)
                sockets = [listening(("0.0.0.0", 0)) for _ in range(4)] + [bound(where=("0.0.0.0", 0))] if ok else []
                ok = ok and not any(m.put(k32(i), of_sock(sock)) for i, sock in enumerate(sockets))
                os.write(write, b"1" if ok else b"0")
                signal.pause()
            same(os.read(read, 1), b"1")
            assert all(isinstance(m.get(k32(i)), bytes) for i in range(5))
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            same([m.get(k32(i)) for i in range(5)], [ENOENT] * 5)
            os.close(read)
            os.close(write)


def churn(maps, seed, entries, turns):
    """A process that puts sockets into places of maps and closes them, and looks at what others have put there."""
    rng = random.Random(seed)
    sockets, listener = [], listening()
    for _ in range(turns):
        m, key = rng.choice(maps), k32(rng.randrange(entries))
        action = rng.random()
        if action < 0.5:
            kind = rng.randrange(4)
            if kind < 2:
                sock = listening()
            elif kind == 2:
                sock = bound()
            else:
                sock, other = connected(listener)
                sockets.append(other)
            sockets.append(sock)
            assert m.put(key, of_sock(sock), rng.choice((b.ANY, b.ANY, b.NOEXIST, b.EXIST))) in (0, EEXIST, ENOENT, E2BIG)
        elif action < 0.7 and sockets:
            sockets.pop(rng.randrange(len(sockets))).close()
        elif action < 0.8:
            assert m.drop(key) in (0, EINVAL, ENOENT)
        elif action < 0.9:
            assert isinstance(m.get(key), bytes) or m.get(key) in (ENOENT, 0) or True
        else:
            m.after(key)
    for sock in sockets:
        sock.close()


@case
def many_processes():
    before = tcp_sockets()
    entries = 64
    with sockmap(SOCKMAP, entries) as one, sockmap(SOCKHASH, entries) as two, sockmap(SOCKHASH, entries) as three:
        pids = []
        for seed in range(4):
            pid = os.fork()
            if not pid:
                signal.alarm(200)
                code = 1
                try:
                    churn((one, two), seed, entries, 400)
                    code = 0
                finally:
                    os._exit(code)
            pids.append(pid)
        copiers = [copier(one, three, i) for i in range(0, entries, 4)]
        walk = copying_iterator(two, three) if it.BTF else None
        while pids:
            for prog in copiers:
                prog.run(repeat=20)
            if walk is not None:
                it.all_of(os.dup(walk), it.choose_map(two.fd))
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid:
                same(status, 0)
                pids.remove(pid)
        for prog in copiers:
            os.close(prog.fd)
        if walk is not None:
            os.close(walk)
        same([m.get(k32(i)) for m in (one, two, three) for i in range(entries)], [ENOENT] * (3 * entries))
        assert waits_for(lambda: tcp_sockets() <= before), (before, tcp_sockets())


# -- programs ---------------------------------------------------------------------------------------------------------


def key_at(number, off=-4):
    return [st(4, R10, off, number), mov(R2, R10), add_imm(R2, off)]


def found(m, number=0):
    """R6: the socket with that key, else the program returns 77."""
    return [
        *[*key_at(number), ld_map(R1, m.fd), call(LOOKUP)],
        *[jmp_imm("ne", R0, 0, 2), mov_imm(R0, 77), exit_(), mov(R6, R0)],
    ]


def put_r6(m, number=0, flags=0):
    return [*key_at(number), ld_map(R1, m.fd), mov(R3, R6), mov_imm(R4, flags), call(UPDATE)]


LET_GO = [mov(R1, R6), call(RELEASE)]


def s32(number):
    return struct.unpack("<i", struct.pack("<I", number))[0]


def answer(*code, kind=SCHED_CLS):
    with Prog(*code, kind=kind) as prog:
        return s32(prog.run())


def copier(source, target, number):
    """Copies what it finds at the key."""
    return Prog(*found(source, number), *put_r6(target, number), *LET_GO, mov_imm(R0, 0), exit_(), kind=SCHED_CLS)


@case
def programs_copy_sockets():
    """As the kernel's own example does."""
    for kind in (SCHED_CLS, XDP):
        with sockmap(SOCKMAP, 1) as source, sockmap(SOCKMAP, 1) as one, sockmap(SOCKHASH, 1) as two, listening() as sock:
            body = [
                *found(source),
                *[*put_r6(one), mov(R7, R0), *put_r6(two), mov(R8, R0), *LET_GO],
                *[jmp_imm("ne", R7, 0, "bad"), jmp_imm("ne", R8, 0, "bad"), mov_imm(R0, 1), exit_(), "bad", mov_imm(R0, 2), exit_()],
            ]
            with Prog(*body, kind=kind) as prog:
                same(prog.run(), 77, "nothing is there")
                same(source.put(k32(0), of_sock(sock)), 0)
                same(prog.run(), 1)
                same([m.get(k32(0)) for m in (one, two)], [source.get(k32(0))] * 2)
                same(prog.run(repeat=500), 1)
                sock.close()
                same(prog.run(), 77, "the socket is closed")
                same([m.get(k32(0)) for m in (one, two)], [ENOENT] * 2)


@case
def what_updates_say():
    with sockmap(SOCKMAP, 2) as source, sockmap(SOCKMAP, 2) as one, sockmap(SOCKHASH, 1) as two, listening() as listener:
        client, accepted = connected(listener)
        same(source.put(k32(0), of_sock(client)), 0)

        def says(*code):
            return answer(*found(source), *code, mov(R7, R0), *LET_GO, mov(R0, R7), exit_())

        for m in (one, two):
            same(says(*put_r6(m, 0, b.EXIST)), ENOENT)
            same(says(*put_r6(m, 0, b.NOEXIST)), 0)
            same(says(*put_r6(m, 0, b.NOEXIST)), EEXIST)
            same(says(*put_r6(m, 0, 3)), EINVAL)
        same([says(*put_r6(one, 2)), says(*put_r6(two, 1))], [E2BIG] * 2)
        client.shutdown(socket.SHUT_WR)
        same(says(*put_r6(one)), OPNOTSUPP, "half closed")
        client.close()
        accepted.close()


@case
def programs_exchange_sockets():
    """More often than there is room to keep for who may still be looking."""
    first, second = listening(), bound()
    with sockmap(SOCKMAP, 2) as source, sockmap(SOCKMAP, 1) as one, sockmap(SOCKHASH, 1) as two, first, second:
        same([source.put(k32(i), of_sock(sock)) for i, sock in enumerate((first, second))], [0, 0])
        for m in (one, two):
            body = [mov_imm(R7, 0)]
            for i in range(2):
                body += [*found(source, i), *put_r6(m), jmp_imm("eq", R0, 0, 1), mov(R7, R0), *LET_GO]
            same(answer(*body, mov(R0, R7), exit_()), 0)
            with Prog(*body, mov(R0, R7), exit_(), kind=SCHED_CLS) as prog:
                same(prog.run(repeat=100), 0)
                for _ in range(20):
                    assert s32(prog.run(repeat=500)) in (0, -errno.ENOMEM)
                    same(m.put(k32(0), of_sock(first)), 0)
            same(m.get(k32(0)), source.get(k32(0)))


@case
def programs_delete():
    for kind in (b.SOCKET_FILTER, SCHED_CLS, XDP):
        with sockmap(SOCKMAP, 2) as one, sockmap(SOCKHASH, 2) as two, listening() as sock:
            for m, none in ((one, EINVAL), (two, ENOENT)):
                same(m.put(k32(1), of_sock(sock)), 0)
                body = [*key_at(1), ld_map(R1, m.fd), call(DELETE), exit_()]
                same([answer(*body, kind=kind), answer(*body, kind=kind)], [0, none])
                same(m.get(k32(1)), ENOENT)
            same(answer(*key_at(2), ld_map(R1, one.fd), call(DELETE), exit_(), kind=kind), EINVAL)


@case
def a_key_that_changes_between_two_looks():
    for kind in BOTH:
        with Map(b.ARRAY, 4, 16, 1) as array, sockmap(kind, 2) as source, sockmap(kind, 2) as m, listening() as sock:
            same(source.put(k32(1), of_sock(sock)), 0)
            one_key = [ld_map(R1, m.fd), ld_map_value(R2, array.fd)]
            body = [*one_key, mov(R3, R6), mov_imm(R4, 0), call(UPDATE), *one_key, call(DELETE)]
            with Prog(*found(source, 1), *body * 8, *LET_GO, mov_imm(R0, 0), exit_(), kind=SCHED_CLS) as prog, changing(array):
                end = time.monotonic() + b.for_races(1)
                while time.monotonic() < end:
                    same(prog.run(200), 0)


@case
def a_socket_may_move():
    """It is taken out where it was found, and is still what it was."""
    with sockmap(SOCKMAP, 1) as one, sockmap(SOCKHASH, 1) as two, listening() as sock:
        same(one.put(k32(0), of_sock(sock)), 0)
        cookie = one.get(k32(0))
        body = [*found(one), *key_at(0), ld_map(R1, one.fd), call(DELETE), *put_r6(two), mov(R7, R0), ldx(4, R8, R6, 72), *LET_GO]
        same(answer(*body, jmp_imm("ne", R7, 0, "bad"), mov(R0, R8), exit_(), "bad", mov_imm(R0, -1), exit_()), 10, "it listens")
        same([one.get(k32(0)), two.get(k32(0))], [ENOENT, cookie])


def fields_of(sock, *loads):
    """What loads of struct bpf_sock give."""
    with sockmap(SOCKMAP, 1) as m, Map(b.ARRAY, 4, 8 * len(loads), 1) as out:
        same(m.put(k32(0), of_sock(sock)), 0)
        body = found(m)
        body += [*key_at(0), ld_map(R1, out.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"), mov(R7, R0)]
        for i, load in enumerate(loads):
            insn = load if not isinstance(load, tuple) else ldx(load[0], R8, R6, load[1])
            body += [insn, stx(8, R7, 8 * i, R8)]
        same(answer(*body, "out", *LET_GO, mov_imm(R0, 0), exit_()), 0)
        return list(struct.unpack("<%dQ" % len(loads), out.get(k32(0))))


DEV, FAMILY, TYPE, PROTOCOL, MARK, PRIORITY, SRC4, SRC6, SPORT, DPORT, DST4, DST6, STATE, QUEUE = (
    0, 4, 8, 12, 16, 20, 24, 28, 44, 48, 52, 56, 72, 76,
)  # fmt: skip
ADDRESS = int.from_bytes(socket.inet_aton("127.0.0.1"), "little")


def words(base):
    return [(4, base + 4 * i) for i in range(4)]


@case
def fields():
    listener = listening()
    client, accepted = connected(listener)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, 0x1234567)
    accepted.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, 5)
    here, there = accepted.getsockname()[1], accepted.getpeername()[1]
    seen = fields_of(accepted, *[(4, at) for at in (DEV, FAMILY, TYPE, PROTOCOL, MARK, PRIORITY, SRC4, SPORT, DPORT, DST4, STATE)])
    same(seen, [0, 2, 1, 6, 0x1234567, 5, ADDRESS, here, socket.htons(there), ADDRESS, 1])
    # parts of fields
    loads = [(2, DPORT), (1, DPORT), (1, DPORT + 1), (2, SRC4), (2, SRC4 + 2), (1, SRC4), (1, SRC4 + 3), (2, SPORT), (1, FAMILY), (1, STATE)]
    port = socket.htons(there)
    want = [port, port & 255, port >> 8, 127, 256, 127, 1, here, 2, 1]
    same(fields_of(accepted, *loads), want)
    # there is no queue that it came by, or there is one
    assert fields_of(client, (4, QUEUE))[0] in (0xFFFFFFFF, 0)
    same(fields_of(listener, (4, STATE), (4, SPORT), (4, DPORT)), [10, listener.getsockname()[1], 0])
    for sock in (listener, client, accepted):
        sock.close()
    with bound() as sock:
        same(fields_of(sock, (4, FAMILY), (4, TYPE), (4, PROTOCOL), (4, SPORT), (4, SRC4)), [2, 2, 17, sock.getsockname()[1], ADDRESS])
    one, two = socket.socketpair()
    with one, two:
        same(fields_of(one, (4, FAMILY), (4, TYPE), (4, PROTOCOL), (4, STATE), *words(SRC6), (4, SRC4)), [1, 1, 0, 1, *[0] * 5])


@case
def fields_of_ipv6():
    if not has_ipv6():
        return
    listener = listening(("::1", 0), socket.AF_INET6)
    client, accepted = connected(listener)
    one = [0, 0, 0, 1 << 24]
    seen = fields_of(client, (4, FAMILY), *words(SRC6), *words(DST6), (2, SRC6 + 14), (1, DST6 + 15), (4, DPORT))
    same(seen, [10, *one, *one, 256, 1, socket.htons(client.getpeername()[1])])
    same(fields_of(listener, *words(SRC6), *words(DST6)), [*one, 0, 0, 0, 0])
    for sock in (listener, client, accepted):
        sock.close()
    with bound(socket.AF_INET6, ("::1", 0)) as sock:
        same(fields_of(sock, *words(SRC6), (4, SPORT)), [*one, sock.getsockname()[1]])


@case
def the_same_by_the_interpreter():
    """Generated code and the interpreter have ways of their own to a socket's fields."""
    switch = "/sys/module/bpfcompat/parameters/jit"
    if not b.OURS:
        return
    with open(switch, "w") as file:
        file.write("0")
    try:
        fields()
        fields_of_ipv6()
        fields_of_tcp()
        programs_copy_sockets()
    finally:
        with open(switch, "w") as file:
            file.write("1")


@case
def all_registers_are_kept():
    """A load in between changes none but its own."""
    with sockmap(SOCKMAP, 1) as m, listening() as sock:
        same(m.put(k32(0), of_sock(sock)), 0)
        body = [*found(m), mov_imm(R1, 1), mov_imm(R2, 2), mov_imm(R3, 3), mov_imm(R4, 4), mov_imm(R7, 7), mov_imm(R8, 8)]
        body += [ldx(4, R0, R6, STATE), stx(8, R10, -16, R0)]
        for i, reg in enumerate((R1, R2, R3, R4, R7, R8)):
            body += [jmp_imm("ne", reg, (1, 2, 3, 4, 7, 8)[i], "bad")]
        body += [mov(R7, R6), ldx(4, R7, R7, FAMILY), *LET_GO, ldx(8, R0, R10, -16), jmp_imm("ne", R7, 2, "wrong"), exit_()]
        body += ["bad", *LET_GO, "wrong", mov_imm(R0, -1), exit_()]
        same(answer(*body), 10)


@case
def other_views_of_a_socket():
    listener = listening()
    client, accepted = connected(listener)
    udp = bound()
    with sockmap(SOCKMAP, 4) as m:
        for i, sock in enumerate((listener, client, udp)):
            same(m.put(k32(i), of_sock(sock)), 0)

        def seen(number, helper):
            body = [*found(m, number), mov(R1, R6), call(helper), mov_imm(R7, 0), jmp_imm("eq", R0, 0, "none"), mov_imm(R7, 1)]
            return answer(*body, "none", *LET_GO, mov(R0, R7), exit_())

        same([seen(i, FULLSOCK) for i in range(3)], [1, 1, 1])
        same([seen(i, TCP_SOCK) for i in range(3)], [1, 1, 0])
        same([seen(i, LISTENER) for i in range(3)], [1, 0, 0])
    for sock in (listener, client, accepted, udp):
        sock.close()


@case
def fields_of_tcp():
    listener = listening()
    client, accepted = connected(listener)
    client.send(bytes(1000))
    same(accepted.recv(2000), bytes(1000))
    snd_cwnd, rcv_nxt, snd_nxt, snd_una, mss, packets, bytes_acked, retransmits = 0, 16, 20, 24, 28, 44, 88, 108
    offsets = [snd_cwnd, rcv_nxt, snd_nxt, snd_una, mss, packets, retransmits]
    with sockmap(SOCKMAP, 2) as m, Map(b.ARRAY, 4, 64, 2) as out:
        for i, sock in enumerate((client, accepted)):
            same(m.put(k32(i), of_sock(sock)), 0)
            body = [*found(m, i), *key_at(i), ld_map(R1, out.fd), call(LOOKUP), jmp_imm("eq", R0, 0, "out"), mov(R7, R0)]
            body += [mov(R1, R6), call(TCP_SOCK), jmp_imm("eq", R0, 0, "out")]
            for n, off in enumerate(offsets):
                body += [ldx(4, R1, R0, off), stx(8, R7, 8 * n, R1)]
            body += [ldx(8, R1, R0, bytes_acked), stx(8, R7, 56, R1)]
            same(answer(*body, "out", *LET_GO, mov_imm(R0, 0), exit_()), 0)
        mine, other = (struct.unpack("<8Q", out.get(k32(i))) for i in range(2))
    assert mine[0] > 0 and mine[4] > 500, mine
    same(mine[2], other[1], "what one sends next the other expects")
    same(other[2], mine[1])
    assert mine[3] in (mine[2], (mine[2] - 1000) & 0xFFFFFFFF) and mine[6] == 0, mine
    for sock in (listener, client, accepted):
        sock.close()


@case
def signed_loads_are_of_later_kernels():
    if not b.OURS:
        return
    with bound() as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, k32(0x89ABCDEF))
        same(fields_of(sock, ldsx(4, R8, R6, MARK)), [0xFFFFFFFF89ABCDEF])


# -- iterators --------------------------------------------------------------------------------------------------------


def keys_and_cookies(m):
    """Of all that an iterator shows: the key, and the cookie (0 for none)."""
    body = [
        *[ldx(8, R1, R6, 16), jmp_imm("eq", R1, 0, "out"), ldx(4, R2, R1, 0), stx(8, R10, -16, R2), st(8, R10, -8, 0)],
        *[ldx(8, R1, R6, 24), jmp_imm("eq", R1, 0, "show"), call(COOKIE), stx(8, R10, -8, R0), "show", *it.write(16)],
    ]
    return it.numbers(it.all_of(it.iterator("sockmap", *body), it.choose_map(m.fd)))


def copying_iterator(source, target):
    """The kernel's own example: what is shown goes into another map, and what is not there goes from it."""
    shown = [
        *[ldx(8, R1, R6, 16), jmp_imm("eq", R1, 0, "out"), ldx(4, R2, R1, 0), stx(4, R10, -4, R2)],
        *[mov(R2, R10), add_imm(R2, -4), ld_map(R1, target.fd), ldx(8, R3, R6, 24), jmp_imm("eq", R3, 0, "gone")],
        *[mov_imm(R4, 0), call(UPDATE), ja("said"), "gone", call(DELETE), "said", stx(8, R10, -16, R0), *it.write(16)],
    ]
    return it.iterator("sockmap", *shown)


@case
def iterators_show_places():
    with sockmap(SOCKMAP, 10) as m:
        same(keys_and_cookies(m), [(i, 0) for i in range(10)])
        sockets = {1: listening(), 4: bound(), 9: listening()}
        for i, sock in sockets.items():
            same(m.put(k32(i), of_sock(sock)), 0)
        cookie = {i: struct.unpack("<Q", m.get(k32(i)))[0] for i in sockets}
        same(keys_and_cookies(m), [(i, cookie.get(i, 0)) for i in range(10)])
        sockets[4].close()
        del cookie[4]
        same(keys_and_cookies(m), [(i, cookie.get(i, 0)) for i in range(10)])
        for sock in sockets.values():
            sock.close()


@case
def iterators_show_keys():
    with sockmap(SOCKHASH, 200) as m:
        same(keys_and_cookies(m), [])
        sockets = [listening() for _ in range(100)]
        for i, sock in enumerate(sockets):
            same(m.put(k32(i), of_sock(sock)), 0)
        cookie = [struct.unpack("<Q", m.get(k32(i)))[0] for i in range(100)]
        same(sorted(keys_and_cookies(m)), list(enumerate(cookie)))
        for sock in sockets[50:]:
            sock.close()
        same(sorted(keys_and_cookies(m)), list(enumerate(cookie))[:50])
        for sock in sockets:
            sock.close()


@case
def iterators_copy():
    for kind in BOTH:
        with sockmap(kind, 64) as source, sockmap(SOCKHASH, 64) as target:
            sockets = [listening() for _ in range(63)]
            for i, sock in enumerate(sockets):
                same(source.put(k32(i), of_sock(sock)), 0)
            said = it.numbers(it.all_of(copying_iterator(source, target), it.choose_map(source.fd)))
            results = sorted(struct.unpack("<i", struct.pack("<I", first & 0xFFFFFFFF))[0] for first, _ in said)
            same(results, [ENOENT] * (64 - 63) * (kind == SOCKMAP) + [0] * 63)
            same([target.get(k32(i)) for i in range(64)], [source.get(k32(i)) for i in range(64)])
            # again, with some gone
            for sock in sockets[::2]:
                sock.close()
            it.all_of(copying_iterator(source, target), it.choose_map(source.fd))
            same([isinstance(target.get(k32(i)), bytes) for i in range(63)], [bool(i % 2) for i in range(63)])
            for sock in sockets:
                sock.close()


@case
def iterators_may_empty_the_map():
    for kind in BOTH:
        with sockmap(kind, 100) as m, listening() as sock:
            for i in range(100):
                same(m.put(k32(i), of_sock(sock)), 0)
            shown = [*[ldx(8, R1, R6, 24), jmp_imm("eq", R1, 0, "out")]]
            shown += [ldx(8, R1, R6, 16), jmp_imm("eq", R1, 0, "out"), ldx(4, R2, R1, 0), stx(4, R10, -4, R2)]
            shown += [mov(R2, R10), add_imm(R2, -4), ld_map(R1, m.fd), call(DELETE)]
            it.all_of(it.iterator("sockmap", *shown), it.choose_map(m.fd))
            same([m.get(k32(i)) for i in range(100)], [ENOENT] * 100)


@case
def in_small_pieces():
    """Linux begins a bucket anew with each read, and gets nowhere so."""
    if not b.OURS:
        return
    with sockmap(SOCKHASH, 64) as m:
        sockets = [listening() for _ in range(64)]
        for i, sock in enumerate(sockets):
            same(m.put(k32(i), of_sock(sock)), 0)
        body = [ldx(8, R1, R6, 16), jmp_imm("eq", R1, 0, "out"), ldx(4, R2, R1, 0), stx(8, R10, -8, R2), *it.write(8)]
        fd = it.opened(it.iterator("sockmap", *body), it.choose_map(m.fd))
        out = it.drain(fd, 8)
        os.close(fd)
        same(sorted(struct.unpack("<%dQ" % (len(out) // 8), out)), list(range(64)))
        for sock in sockets:
            sock.close()


@case
def what_iterators_refuse():
    reads = [ldx(8, R1, R6, 16), jmp_imm("eq", R1, 0, "out"), ldx(8, R2, R1, 0)]
    with sockmap(SOCKMAP) as m, Map(SOCKHASH, 8, 8, 1) as wide, Map(b.ARRAY, 4, 8, 1) as array:
        prog = it.iterator("sockmap", *reads)
        same(it.link_create(prog, it.choose_map(m.fd)), EACCES, "8 bytes of a key of 4")
        link = b.check(it.link_create(prog, it.choose_map(wide.fd)), "a key of 8")
        ret, info, name = it.link_info(link)
        same((ret, name, struct.unpack_from("<I", info, 28)[0]), (0, "sockmap", it.object_id(wide.fd)))
        os.close(link)
        same(it.link_create(prog, it.choose_map(array.fd)), EINVAL)
        same(it.link_create(prog, it.choose_map(0)), EBADF)
        same(it.link_create(prog, it.choose_map(999)), EBADF)
        same(it.link_create(prog), EBADF)
        os.close(prog)


@case
def sockets_of_files():
    """Another iterator that is shown sockets puts these."""
    with sockmap(SOCKHASH, 100) as m, listening() as one, bound() as two, socket.socket() as three:
        body = [
            *[*it.unless_over(24), call(162), jmp_imm("eq", R0, 0, "out")],
            *[ldx(8, R3, R0, it.BTF.offset("socket", "sk")), ldx(4, R1, R6, 16), stx(4, R10, -4, R1), ld_map(R1, m.fd)],
            *[mov(R2, R10), add_imm(R2, -4), mov_imm(R4, 0), call(UPDATE)],
        ]
        it.all_of(it.iterator("task_file", *body), it.choose_task(pid=os.getpid()))
        keys = [struct.unpack("<I", key)[0] for key in m]
        assert one.fileno() in keys and two.fileno() in keys and three.fileno() not in keys, keys


if __name__ == "__main__":
    case.main()
