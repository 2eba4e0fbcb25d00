# SPDX-License-Identifier: MIT
"""Sockets' cookies, run inside a machine, natively too: prints one JSON object (casework.py)."""

import errno
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
    R6,
    R10,
    add_imm,
    call,
    exit_,
    ld_map,
    ldx,
    mov,
    mov_imm,
    st,
    stx,
)  # fmt: skip
from casework import EINVAL, Cases, Map, k32, refused, same
from local_storage_cases import AtFunction, loaded, pair, switch_of_watching, write
from tracing_cases import BTF, FENTRY, FEXIT, FUNC, link

case = Cases()
COOKIE, SO_COOKIE = 46, 57
TRACING = 26
UNKNOWN = "unknown func bpf_get_socket_cookie#46"
# Else they are given their cookies by watching them go: at the hooks of security modules.
HAS_COOKIES = c.symbols("__sock_gen_cookie")
OFFERED = not b.OURS or HAS_COOKIES or c.symbols("security_sk_free")


def own_cookie(sock):
    """What the kernel says itself; None where it has no such option."""
    try:
        return struct.unpack("<Q", sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))[0]
    except OSError as error:
        if error.errno != errno.ENOPROTOOPT:
            raise
        return None


def tell(out):
    """The cookie of the socket in R6 goes into the array."""
    return [
        *[mov(R1, R6), call(COOKIE), stx(8, R10, -16, R0), st(4, R10, -4, 0), ld_map(R1, out.fd), mov(R2, R10), add_imm(R2, -4)],
        *[mov(R3, R10), add_imm(R3, -16), mov_imm(R4, 0), call(2)],
    ]


def told(out):
    return struct.unpack("<Q", out.get(k32(0)))[0]


def attempt(sock):
    sock.connect_ex(("127.0.0.1", 1))


@case
def sockets_keep_their_cookies():
    if not OFFERED:
        same(refused([ldx(8, R1, R1, 0), call(COOKIE)], TRACING, **at("tcp_v4_connect")), (EINVAL, UNKNOWN))
        return
    with Map(b.ARRAY, 4, 8, 1) as out, AtFunction("tcp_v4_connect", ldx(8, R6, R1, 0), *tell(out)):
        sockets = [socket.socket() for _ in range(20)]
        cookies = []
        for sock in sockets:
            attempt(sock)
            cookies.append(told(out))
        assert 0 not in cookies and len(set(cookies)) == len(cookies), cookies
        for sock, cookie in [(sock, cookies[i]) for i, sock in enumerate(sockets)]:
            attempt(sock)
            same(told(out), cookie)
            assert own_cookie(sock) in (cookie, None)
            sock.close()
        # memory of sockets is used again, their cookies are not
        for _ in range(100):
            with socket.socket() as sock:
                before = own_cookie(sock)
                attempt(sock)
                assert told(out) not in cookies and (before is None or told(out) == before), (told(out), before)
                cookies.append(told(out))


def at(name, kind=FENTRY):
    return {"expected_attach_type": kind, "attach_btf_id": BTF.find(FUNC, name)}


@case
def programs_agree():
    """Two programs see the same cookie, before and after; one that goes does not take it along."""
    if not OFFERED:
        return
    with Map(b.ARRAY, 4, 8, 1) as one, Map(b.ARRAY, 4, 8, 1) as two, socket.socket() as sock:
        entry = AtFunction("tcp_v4_connect", ldx(8, R6, R1, 0), *tell(one))
        attempt(sock)
        # a socket by the file's: another way to it
        body = [ldx(8, R6, R1, 0), ldx(8, R6, R6, BTF.offset("socket", "sk")), *tell(two)]
        prog = loaded([*body, "out", mov_imm(R0, 0), exit_()], TRACING, **at("inet_stream_connect", FEXIT))
        fd = b.check(link(prog, FEXIT), "link")
        attempt(sock)
        same(told(two), told(one))
        os.close(fd)
        os.close(prog)
        before = told(one)
        attempt(sock)
        same(told(one), before)
        entry.__exit__()


@case
def accepted_sockets_have_their_own():
    if not OFFERED:
        return
    with Map(b.HASH, 8, 8, 64) as out:
        keep = [
            *[mov(R1, R6), call(COOKIE), stx(8, R10, -8, R0), ld_map(R1, out.fd), mov(R2, R10), add_imm(R2, -8)],
            *[mov(R3, R10), add_imm(R3, -8), mov_imm(R4, 0), call(2)],
        ]
        with AtFunction("tcp_sendmsg", ldx(8, R6, R1, 0 if has_sk_first() else 8), *keep):
            sockets = pair()
            for sock in sockets[1:]:
                sock.send(b"x")
            seen = [own_cookie(sock) for sock in sockets[1:]]
            keys = out.keys()
            assert bytes(8) not in keys
            if seen[0] is not None:
                same(sorted(keys), sorted(struct.pack("<Q", cookie) for cookie in seen))
            same(len(set(keys)), 2)
            for sock in sockets:
                sock.close()


def first_arg(name):
    """The struct that a function's first argument points to."""
    proto = BTF.get(BTF.find(FUNC, name))[2]
    at_ = BTF.get(proto)[3]
    kind, _, to, _ = BTF.get(BTF.bare(struct.unpack_from("<I", BTF.types, at_ + 4)[0]))
    return BTF.name(BTF.bare(to)) if kind == 2 else ""


def has_sk_first():
    """Linux 3.10 hands the sock over second."""
    return first_arg("tcp_sendmsg") != "kiocb"


@case
def another_way_to_a_socket():
    """The one behind a socket's file, which is being made."""
    if not OFFERED:
        return
    with Map(b.ARRAY, 4, 8, 1) as out:
        body = [ldx(8, R6, R1, 0), ldx(8, R6, R6, BTF.offset("socket", "sk")), *tell(out)]
        with AtFunction("sock_alloc_file", *body), socket.socket() as sock:
            kernels = own_cookie(sock)
            assert told(out) and kernels in (told(out), None), (told(out), kernels)


@case
def no_cookies_while_nobody_sees_sockets_go():
    """Where they are the module's own."""
    if not OFFERED or not b.OURS or HAS_COOKIES:
        return
    with Map(b.ARRAY, 4, 8, 1) as out, AtFunction("tcp_v4_connect", ldx(8, R6, R1, 0), *tell(out)), socket.socket() as sock:
        attempt(sock)
        before = told(out)
        try:
            write(switch_of_watching(), "0")
        except OSError as error:  # CentOS's tracer, too, can't be switched off
            same(error.errno, errno.EBUSY)
            return
        try:
            attempt(sock)
            # it stays as it was where the switch keeps the program from running
            assert told(out) in (0, before), told(out)
        finally:
            write(switch_of_watching(), "1")
        attempt(sock)
        assert told(out) > before, (told(out), before)


@case
def what_is_no_socket_is_refused():
    found = refused([mov(R1, R10), call(COOKIE)], TRACING, **at("tcp_v4_connect"))
    if OFFERED:
        same(found, (-errno.EACCES, "R1 type=fp expected=sock_common, sock, tcp_sock, xdp_sock, ptr_"))
    same(refused([call(COOKIE)], b.KPROBE), (EINVAL, UNKNOWN))


if __name__ == "__main__":
    case.main()
