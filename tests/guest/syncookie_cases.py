# SPDX-License-Identifier: MIT
"""SYN cookies, sockets for packets, and the packets of others in the perf buffer, run inside a machine, natively too: prints one JSON
object (casework.py)."""

import errno
import mmap
import os
import socket
import struct

import attach_cases as c
import bpfsys as b
from asm import (
    R0,
    R1,
    R2,
    R3,
    R4,
    R5,
    R6,
    R7,
    R8,
    R10,
    add_imm,
    alu64,
    alu64_imm,
    call,
    exit_,
    ld_imm64,
    ld_map,
    ld_map_value,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import E2BIG, EACCES, EFAULT, EINVAL, ENOENT, EOPNOTSUPP, Cases, Map, Prog, k32, refused, same
from local_storage_cases import AtFunction, only_mine
from sockmap_cases import LET_GO, SOCKMAP, bound, connected, found, has_ipv6, listening, of_sock, sockmap
from tracing_cases import BTF, FENTRY, FUNC

case = Cases()
CHECK, GEN, ASSIGN, MPTCP, SKB_OUTPUT, XDP_OUTPUT = 100, 110, 124, 196, 111, 121
RAW_GEN, RAW_CHECK = {4: 204, 6: 205}, {4: 206, 6: 207}
TRACING, STRUCT = 26, 4
EPROTONOSUPPORT = -errno.EPROTONOSUPPORT
FIN, SYN, RST, ACK = 1, 2, 4, 16
MSS = b"\2\4"
# Kernels before 3.13 make cookies for a whole packet alone, those before 5.4 for sockets that decide themselves.
COOKIES = not b.OURS or c.symbols("__cookie_v4_check", "__cookie_v4_init_sequence")
OF_SOCKETS = not b.OURS or (COOKIES and c.symbols("tcp_v4_get_syncookie"))
SWITCH = "/proc/sys/net/ipv4/tcp_syncookies"


def ip(version):
    if version == 6:
        return struct.pack(">IHBB", 6 << 28, 24, 6, 64) + bytes(range(32))
    return struct.pack(">BBHHHBBH", version << 4 | 5, 0, 44, 1, 0, 64, 6, 0) + bytes([10, 0, 0, 1, 10, 0, 0, 2])


def tcp(flags=SYN, options=MSS + struct.pack(">H", 1460), seq=1000, ack=0, words=None):
    words = 5 + len(options) // 4 if words is None else words
    return struct.pack(">HHIIBBHHH", 4321, 80, seq, ack, words << 4, flags, 1000, 0, 0) + options


class Headers:
    """A map with both headers, and what a program finds for them."""

    def __init__(self):
        self.map = Map(b.ARRAY, 4, 128, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.map.__exit__()

    def put(self, network, transport):
        same(self.map.put(k32(0), network.ljust(48, b"\0") + transport.ljust(72, b"\0") + bytes(8)), 0)

    def at(self, reg, off):
        return ld_map_value(reg, self.map.fd, off)

    def run(self, network, transport, *code, before=(), after=()):
        self.put(network, transport)
        keep = [self.at(R1, 120), stx(8, R1, 0, R0)]
        with Prog(*before, *code, *keep, *after, mov_imm(R0, 0), exit_(), kind=3) as prog:
            same(prog.run(), 0)
        return struct.unpack("<q", self.map.get(k32(0))[120:])[0]

    def made(self, version, transport, size=None):
        size = len(transport) if size is None else size
        return self.run(ip(version), transport, self.at(R1, 0), self.at(R2, 48), mov_imm(R3, size), call(RAW_GEN[version]))

    def checked(self, version, cookie, seq=1001):
        answer = tcp(ACK, b"", seq, (cookie + 1) & 0xFFFFFFFF)
        return self.run(ip(version), answer, self.at(R1, 0), self.at(R2, 48), call(RAW_CHECK[version]))


def said_no(func, *code):
    answer = refused([*code, call(func)], 3)
    assert answer[0] == EINVAL and answer[1].startswith("unknown func"), answer


@case
def cookies_without_a_socket():
    with Headers() as h:
        if not COOKIES:
            for version in (4, 6):
                said_no(RAW_GEN[version], h.at(R1, 0), h.at(R2, 48), mov_imm(R3, 20))
                said_no(RAW_CHECK[version], h.at(R1, 0), h.at(R2, 48))
            return
        for version, usual, least in ((4, 1460, 536), (6, 1440, 1220)):
            made = h.made(version, tcp())
            same(made >> 32, usual, version)
            same(h.checked(version, made), 0, version)
            same(h.checked(version, made + 10), EACCES, version)
            same(h.checked(version, made, 1011), EACCES, version)
            for options in (b"", b"\0" * 4, b"\1\1\1\0", MSS + b"\0\0", b"\2\3\5\xb4", b"\x1e\1\5\xb4", b"\2\5\5\xb4"):
                made = h.made(version, tcp(options=options))
                same((made >> 32, h.checked(version, made)), (least, 0), options)
            same(h.made(version, tcp(options=b"\1\1\3\3\7\1" + MSS + struct.pack(">H", 1460) + b"\0\0")) >> 32, usual)
            for size, words in ((19, 6), (23, 6), (24, 5), (24, 4), (20, 6)):
                same(h.made(version, tcp(words=words), size), EINVAL, size)


class Sysctl:
    """Cookies always (2), never (0), or at need."""

    def __init__(self, value):
        with open(SWITCH) as file:
            self.before = file.read()
        self.set(value)

    def set(self, value):
        with open(SWITCH, "w") as file:
            file.write(str(value))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.set(self.before)


def of_socket(h, m, func, network, transport, network_size=None, transport_size=None):
    """What the helper says of the map's first socket."""
    sizes = (network_size or len(network), transport_size or len(transport))
    args = [mov(R1, R6), h.at(R2, 0), mov_imm(R3, sizes[0]), h.at(R4, 48), mov_imm(R5, sizes[1]), call(func)]
    return h.run(network, transport, *args, before=found(m), after=LET_GO)


@case
def cookies_of_sockets_are_checked():
    if not os.path.exists(SWITCH):  # a kernel without them
        assert not COOKIES
        return
    with Headers() as h, sockmap(SOCKMAP) as m, listening() as sock, Sysctl(2) as switch:
        client, accepted = connected(sock)
        same([m.put(k32(0), of_sock(sock)), m.put(k32(1), of_sock(client))], [0, 0])
        answer = tcp(ACK, b"", 1001, 7)
        if not COOKIES:
            same(refused([*found(m), mov(R1, R6), h.at(R2, 0), mov_imm(R3, 20), h.at(R4, 48), mov_imm(R5, 20), call(CHECK)], 3)[0], EINVAL)
            return

        def check(network=ip(4), transport=answer, *sizes):
            return of_socket(h, m, CHECK, network, transport, *sizes)

        same(check(), ENOENT, "none was made")
        same([check(transport=tcp(flags, b"")) for flags in (0, SYN, SYN | ACK, RST | ACK)], [ENOENT] * 4)
        same(check(ip(4), answer, 20, 19), EINVAL)
        same(check(ip(4), answer, 19, 20), EINVAL)
        switch.set(0)
        same(check(), EINVAL)
        switch.set(2)
        same(m.put(k32(0), of_sock(client)), 0)
        same(check(), EINVAL, "does not listen")
        with bound() as udp:
            same(m.put(k32(0), of_sock(udp)), 0)
            same(check(), EINVAL, "not TCP")
        for one in (client, accepted):
            one.close()


@case
def cookies_of_sockets_are_made():
    if not os.path.exists(SWITCH):  # a kernel without them
        assert not COOKIES
        return
    families = [(4, socket.AF_INET, ("127.0.0.1", 0))] + ([(6, socket.AF_INET6, ("::1", 0))] if has_ipv6() else [])
    for version, family, where in families:
        with Headers() as h, sockmap(SOCKMAP) as m, listening(where, family) as sock, Sysctl(2) as switch:
            same(m.put(k32(0), of_sock(sock)), 0)
            if not OF_SOCKETS:
                code = [*found(m), mov(R1, R6), h.at(R2, 0), mov_imm(R3, 20), h.at(R4, 48), mov_imm(R5, 20), call(GEN)]
                same(refused(code, 3)[0], EINVAL)
                continue

            def gen(network=ip(version), transport=tcp(), *sizes, h=h, m=m):
                return of_socket(h, m, GEN, network, transport, *sizes)

            made = gen()
            same(made >> 32, 1460 if version == 4 else 1440)
            same(of_socket(h, m, CHECK, ip(version), tcp(ACK, b"", 1001, (made + 1) & 0xFFFFFFFF)), 0)
            same(of_socket(h, m, CHECK, ip(version), tcp(ACK, b"", 1001, (made + 12) & 0xFFFFFFFF)), ENOENT)
            same(gen(transport=tcp(options=b"")) >> 32, 536 if version == 4 else 1220)
            same([gen(transport=tcp(flags)) for flags in (0, ACK, SYN | ACK, SYN | FIN, SYN | RST)], [EINVAL] * 5)
            same([gen(ip(version), tcp(words=5)), gen(ip(version), tcp(), 19)], [EINVAL] * 2)
            same(gen(ip(5)), EPROTONOSUPPORT)
            same(of_socket(h, m, CHECK, ip(5), tcp(ACK, b"", 1001, 7)), EPROTONOSUPPORT)
            if version == 4:
                same(gen(ip(6)), EINVAL)
            else:
                same(gen(ip(6), tcp(), 39), EINVAL)
                same(gen(ip(4)), EINVAL, "bound to an address of IPv6")
                with listening(("::", 0), family) as both:
                    same(m.put(k32(0), of_sock(both)), 0)
                    same([gen() >> 32, gen(ip(4)) >> 32], [1440, 1460])
                    same(m.put(k32(0), of_sock(sock)), 0)
            switch.set(0)
            same(gen(), ENOENT)


@case
def no_packet_is_coming_in():
    """In a test run: none can be handed to a socket."""
    with sockmap(SOCKMAP) as m, listening() as sock, Headers() as h:
        same(m.put(k32(0), of_sock(sock)), 0)
        for flags, says in ((0, EOPNOTSUPP), (1, EINVAL)):
            code = [mov(R8, R1), *found(m), mov(R1, R8), mov(R2, R6), mov_imm(R3, flags), call(ASSIGN)]
            same(h.run(b"", b"", *code, after=LET_GO), says)


@case
def one_path_alone():
    """No connection over several."""
    if not BTF.find(STRUCT, "mptcp_sock"):
        return
    with sockmap(SOCKMAP) as m, listening() as sock, Headers() as h:
        client, accepted = connected(sock)
        for one in (sock, client):
            same(m.put(k32(0), of_sock(one)), 0)
            same(h.run(b"", b"", mov(R1, R6), call(MPTCP), before=found(m), after=LET_GO), 0)
        for one in (client, accepted):
            one.close()


# -- packets of others ------------------------------------------------------------------------------------------------


class Buffer:
    """Perf buffers of all CPUs in a map."""

    def __init__(self):
        self.map = Map(b.PERF_EVENT_ARRAY, 4, 4, c.CPUS)
        self.fds = [c.perf_open(c.SOFTWARE, c.BPF_OUTPUT, cpu=cpu, sample_type=c.SAMPLE_RAW, wakeup=1) for cpu in range(c.CPUS)]
        self.rings = [mmap.mmap(fd, 33 * 4096) for fd in self.fds]
        for cpu, fd in enumerate(self.fds):
            same(self.map.put(k32(cpu), k32(fd)), 0)
            c.ioctl(fd, c.IOC_ENABLE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.map.__exit__()
        for ring in self.rings:
            ring.close()
        for fd in self.fds:
            os.close(fd)

    def records(self):
        return [record for ring in self.rings for record in c.records(ring, 32)]


def output(buffer, size):
    """The first word of the stack, and the packet in R6 behind; R7: what else is in the flags."""
    return [
        *[mov(R1, R6), ld_map(R2, buffer.map.fd), mov(R3, R7), mov(R4, R10), add_imm(R4, -8), mov_imm(R5, size), call(SKB_OUTPUT)],
    ]


def whole(buffer, size=8):
    """All of the packet."""
    return [
        *[ldx(4, R7, R6, BTF.offset("sk_buff", "len")), alu64_imm("lsh", R7, 32), ld_imm64(R3, 0xFFFFFFFF), alu64("or", R7, R3)],
        *output(buffer, size),
    ]


def tell(results, slot):
    return [
        *[stx(8, R10, -24, R0), st(4, R10, -12, slot), ld_map(R1, results.fd), mov(R2, R10), add_imm(R2, -12)],
        *[mov(R3, R10), add_imm(R3, -24), mov_imm(R4, 0), call(2)],
    ]


@case
def packets_in_the_perf_buffer():
    mark = struct.pack("<Q", 0x1122334455667788)
    with Buffer() as buffer, Map(b.ARRAY, 4, 8, 4) as results, listening() as listener:
        client, accepted = connected(listener)
        body = [
            *[ldx(8, R6, R1, 0), *only_mine(), ld_imm64(R1, 0x1122334455667788), stx(8, R10, -8, R1)],
            *[*whole(buffer), *tell(results, 0)],
        ]
        # data in a row, in pages, and nothing but headers
        texts = [os.urandom(100), os.urandom(3001), os.urandom(20000)]
        with AtFunction("ip_rcv", *body), bound() as receiver, bound() as sender:
            for text in texts:
                client.sendall(text)
                sender.sendto(text, receiver.getsockname())
        same(results.get(k32(0)), bytes(8))
        records = buffer.records()
        assert len(records) >= 2 * len(texts)
        for record in records:
            same(record[:8], mark)
            version, length = record[8], struct.unpack_from(">H", record, 10)[0]
            same(version >> 4, 4)
            assert 0 <= len(record) - 8 - length < 8, (len(record), length)
            same(set(record[8 + length :]) - {0}, set())
        payload = {17: [], 6: []}
        for record in records:
            length, proto = struct.unpack_from(">H", record, 10)[0], record[17]
            header = 28 if proto == 17 else 20 + (record[28 + 12] >> 4) * 4
            payload[proto].append(record[8 + header : 8 + length])
        same(payload[17], texts)
        same(b"".join(payload[6]), b"".join(texts))
        for one in (client, accepted):
            one.close()


@case
def parts_of_packets():
    with Buffer() as buffer, Map(b.ARRAY, 4, 8, 8) as results:
        cpu = 0xFFFFFFFF
        asked = [(cpu, 8), (cpu | 24 << 32, 0), (cpu | 29 << 32, 3), (cpu | 1 << 52, 8), (cpu | 0xFFFFF << 32, 8), (c.CPUS + 1, 8)]
        body = [ldx(8, R6, R1, 0), *only_mine(), st(8, R10, -8, 0x41424344)]
        for slot, (flags, size) in enumerate(asked):
            body += [ld_imm64(R7, flags), *output(buffer, size), *tell(results, slot)]
        with AtFunction("ip_rcv", *body), bound() as receiver, bound() as sender:
            sender.sendto(b"abcdefgh", receiver.getsockname())
            port = sender.getsockname()[1]
        answers = [struct.unpack("<q", results.get(k32(slot)))[0] for slot in range(len(asked))]
        same(answers, [0, 0, 0, EINVAL, EFAULT, E2BIG])
        word, headers, more = buffer.records()
        same(word[:8], struct.pack("<Q", 0x41424344))
        same(headers[20:22], struct.pack(">H", port))
        same((more[:3], more[3:23], more[31:32]), (b"DCB", headers[:20], b"a"))


@case
def nothing_in_the_perf_buffer():
    """A pointer that leads nowhere."""
    with Buffer() as buffer, Map(b.ARRAY, 4, 8, 1) as results:
        off = BTF.offset("sk_buff", "next")
        body = [ldx(8, R6, R1, 0), *only_mine(), ldx(8, R6, R6, off), st(8, R10, -8, 1), mov_imm(R7, -1), alu64_imm("rsh", R7, 32)]
        with AtFunction("ip_rcv", *body, *output(buffer, 8), *tell(results, 0)), bound() as receiver, bound() as sender:
            sender.sendto(b"abcdefgh", receiver.getsockname())
        same(struct.unpack("<q", results.get(k32(0)))[0], EFAULT)
        same(buffer.records(), [])


@case
def packets_of_drivers():
    """Where the kernel has such."""
    with Buffer() as buffer:
        function = BTF.find(FUNC, "xdp_do_redirect")
        code = [
            *[ldx(8, R1, R1, 8), st(8, R10, -8, 1), ld_map(R2, buffer.map.fd), ld_imm64(R3, 0xFFFFFFFF), mov(R4, R10)],
            *[add_imm(R4, -8), mov_imm(R5, 8), call(XDP_OUTPUT)],
        ]
        if function:
            same(refused(code, TRACING, expected_attach_type=FENTRY, attach_btf_id=function), "loads")
        same(refused([mov(R6, R1), *whole_of_context(buffer)], b.KPROBE)[0], EINVAL)


def whole_of_context(buffer):
    return [ld_imm64(R7, 0xFFFFFFFF), st(8, R10, -8, 1), *output(buffer, 8)]


if __name__ == "__main__":
    case.main()
