# SPDX-License-Identifier: MIT
"""Programs on sockets and on cgroups' statistics, against a small kernel's types: maps of sockets, cookies, the functions of
rstat. Messages and verdicts are those of Linux 6.1."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))

import asm as a
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R10
from kernel_btf import FUNC, KernelBtf
from programs import btf as b
from programs.case import CGROUP_SKB, KPROBE, SCHED_CLS, SOCKET_FILTER, XDP
from programs.tracing import FENTRY, TRACING
from verifier_lib import Verdict, World

SOCKMAP, SOCKHASH, ARRAY = 15, 18, 2
LOOKUP, UPDATE, DELETE, PUSH, POP = 1, 2, 3, 87, 88
SK_RELEASE, SK_FULLSOCK, SOCKET_COOKIE, SOCK_MAP_UPDATE = 86, 95, 46, 53
TCP_SOCK, TO_TCP, TO_UNIX = 96, 137, 178
ITER, SLEEPABLE = 28, 16
SET_OPTION, GET_OPTION = 49, 57
OUT = [a.mov_imm(R0, 0), a.exit_()]


def small_kernel() -> bytes:
    btf = b.Btf()
    number, long, void_ptr = btf.int("int", 4), btf.int("long unsigned int", 8, 0), btf.ptr(0)
    common = btf.struct("sock_common", 16, [("skc_state", number, 0)])
    sock_struct = btf.struct("sock", 32, [("__sk_common", common, 0), ("sk_mark", number, 128)])
    sock = btf.ptr(sock_struct)
    btf.struct("tcp_sock", 32, [("sk", sock_struct, 0)])
    unix = btf.struct("unix_sock", 40, [("sk", sock_struct, 0), ("peer", sock, 256)])
    group = btf.ptr(btf.struct("cgroup", 16, [("id", long, 0)]))
    task = btf.ptr(btf.struct("task_struct", 16, [("pid", number, 0)]))
    meta = btf.ptr(btf.struct("bpf_iter_meta", 24, [("session_id", long, 64)]))
    bpf_map = btf.ptr(btf.struct("bpf_map", 8, [("id", number, 0)]))
    btf.func("tcp_connect", btf.proto(number, [("sk", sock)]))
    btf.func("cgroup_attach_task", btf.proto(number, [("cgrp", group), ("task", task)]))
    btf.func("cgroup_rstat_updated", btf.proto(0, [("cgrp", group), ("cpu", number)]))
    btf.func("cgroup_rstat_flush", btf.proto(0, [("cgrp", group)]))
    btf.func("bpf_iter_cgroup", btf.proto(number, [("meta", meta), ("cgrp", group)]))
    btf.func("bpf_iter_tcp", btf.proto(number, [("meta", meta), ("sk_common", btf.ptr(common))]))
    btf.func("bpf_iter_unix", btf.proto(number, [("meta", meta), ("unix_sk", btf.ptr(unix))]))
    btf.func("bpf_iter_sockmap", btf.proto(number, [("meta", meta), ("map", bpf_map), ("key", void_ptr), ("sk", sock)]))
    return btf.blob()


@pytest.fixture(scope="module")
def types(tmp_path_factory: pytest.TempPathFactory) -> KernelBtf:
    path = tmp_path_factory.mktemp("btf") / "vmlinux"
    path.write_bytes(small_kernel())
    return KernelBtf(str(path))


@pytest.fixture
def world() -> Iterator[World]:
    with World() as world:
        fd, log = world.btf(small_kernel(), kernel=True)
        assert fd >= 0, log
        world.allow_all_helpers()
        yield world


def tracing(world: World, types: KernelBtf, name: str, *items: object, kind: int = FENTRY, **more: object) -> Verdict:
    code = a.asm(*items, "out", *OUT)  # type: ignore[arg-type]
    return world.load(code, TRACING, attach_type=kind, attach_btf_id=types.find(FUNC, name), **more)  # type: ignore[arg-type]


def refused(verdict: Verdict, error: str, message: str) -> None:
    assert verdict.error == error, verdict.log
    assert message in verdict.log, verdict.log


def accepted(verdict: Verdict) -> None:
    assert verdict.ok, verdict.log


# -- maps of sockets --------------------------------------------------------------------------------------------------


def key(fd: int) -> list[a.Insn]:
    return [a.st(4, R10, -4, 0), a.ld_map(R1, fd), a.mov(R2, R10), a.add_imm(R2, -4)]


def found(fd: int) -> list[a.Insn | str]:
    """r6: a socket of the map, held; else the program ends."""
    return [*key(fd), a.call(LOOKUP), a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.mov(R6, R0)]  # type: ignore[list-item]


RELEASE = [a.mov(R1, R6), a.call(SK_RELEASE)]


@pytest.mark.parametrize("kind", [SOCKMAP, SOCKHASH])
def test_what_is_found_is_a_socket_that_is_held(world: World, kind: int) -> None:
    fd = world.map(kind, 4, 8, 1)
    accepted(world.load(a.asm(*found(fd), a.ldx(4, R7, R6, 4), *RELEASE, *OUT), SCHED_CLS))
    refused(world.load(a.asm(*found(fd), *OUT), SCHED_CLS), "EINVAL", "Unreleased reference")
    refused(world.load(a.asm(*found(fd), *RELEASE, a.ldx(4, R0, R6, 4), *OUT), SCHED_CLS), "EACCES", "R6 invalid mem access")
    refused(world.load(a.asm(*found(fd), a.st(4, R6, 4, 1), *RELEASE, *OUT), SCHED_CLS), "EACCES", "cannot write into sock")


@pytest.mark.parametrize("kind", [SOCKMAP, SOCKHASH])
def test_the_value_is_a_socket(world: World, kind: int) -> None:
    one, two = world.map(kind, 4, 8, 1), world.map(kind, 4, 8, 1)
    update = [*key(two), a.mov(R3, R6), a.mov_imm(R4, 0), a.call(UPDATE)]
    for prog_type in (SCHED_CLS, XDP):
        accepted(world.load(a.asm(*found(one), *update, *RELEASE, *OUT), prog_type))
    verdict = world.load(a.asm(*found(one), *update, *RELEASE, *OUT), CGROUP_SKB)
    refused(verdict, "EINVAL", "cannot update sockmap in this context\n")
    refused(verdict, "EINVAL", f"cannot pass map_type {kind} into func bpf_map_update_elem#2")
    memory = [a.st(8, R10, -16, 0), *key(two), a.mov(R3, R10), a.add_imm(R3, -16), a.mov_imm(R4, 0), a.call(UPDATE)]
    refused(
        world.load(a.asm(*memory, *OUT), SCHED_CLS), "EACCES",
        "R3 type=fp expected=sock_common, sock, tcp_sock, xdp_sock, ptr_",
    )  # fmt: skip
    # what may be NULL is none
    unchecked = [*key(one), a.call(LOOKUP), a.mov(R6, R0), *update]
    refused(world.load(a.asm(*unchecked, *OUT), SCHED_CLS), "EACCES", "R3 type=map_value_or_null expected=")


def test_the_socket_is_held(world: World) -> None:
    """By whatever type that keeps the reference; not what a field of it happens to point to."""
    one, two = world.map(SOCKMAP, 4, 8, 1), world.map(SOCKHASH, 4, 8, 1)

    def program(*cast: a.Insn) -> bytes:
        update = [a.mov(R7, R0), *key(two), a.mov(R3, R7), a.mov_imm(R4, 0), a.call(UPDATE), "none", *RELEASE]
        # asm() takes what stands in @update, instructions and a label: a list of both is one of objects to the type checker
        return a.asm(*found(one), a.mov(R1, R6), *cast, *update, *OUT)  # type: ignore[arg-type]

    checked = a.jmp_imm("eq", R0, 0, "none")
    for cast in (TO_TCP, TCP_SOCK, SK_FULLSOCK):
        accepted(world.load(program(a.call(cast), checked), SCHED_CLS))
    peer = [a.call(TO_UNIX), checked, a.ldx(8, R0, R0, 32), checked]
    refused(world.load(program(*peer), SCHED_CLS), "EINVAL", "R3 must be referenced\n")


@pytest.mark.parametrize("kind", [SOCKMAP, SOCKHASH])
def test_who_may_delete(world: World, kind: int) -> None:
    fd = world.map(kind, 4, 8, 1)
    for prog_type in (SOCKET_FILTER, SCHED_CLS, XDP):
        accepted(world.load(a.asm(*key(fd), a.call(DELETE), *OUT), prog_type))
    for prog_type in (CGROUP_SKB, KPROBE):
        verdict = world.load(a.asm(*key(fd), a.call(DELETE), *OUT), prog_type)
        refused(verdict, "EINVAL", "cannot update sockmap in this context")


def test_other_helpers_do_not_go_with_them(world: World) -> None:
    fd = world.map(SOCKMAP, 4, 8, 1)
    pop = [a.ld_map(R1, fd), a.mov(R2, R10), a.add_imm(R2, -8), a.call(POP), *OUT]
    refused(world.load(a.asm(*pop), SCHED_CLS), "EINVAL", "invalid arg_type for sockmap/sockhash")
    push = [*found(fd), a.ld_map(R1, fd), a.mov(R2, R6), a.mov_imm(R3, 0), a.call(PUSH), *RELEASE, *OUT]
    refused(world.load(a.asm(*push), SCHED_CLS), "EINVAL", "cannot pass map_type 15 into func bpf_map_push_elem#87")
    update = [*key(fd), a.mov(R3, R2), a.mov(R2, R1), a.mov_imm(R4, 0), a.call(SOCK_MAP_UPDATE), *OUT]
    refused(world.load(a.asm(*update), SCHED_CLS), "EINVAL", "unknown func bpf_sock_map_update#53")


def test_iterators_update(world: World, types: KernelBtf) -> None:
    fd, other = world.map(SOCKHASH, 4, 8, 1), world.map(ARRAY, 4, 8, 1)
    shown = [a.mov(R7, R1), a.ldx(8, R6, R7, 24), a.jmp_imm("eq", R6, 0, "out")]
    update = [*key(fd), a.mov(R3, R6), a.mov_imm(R4, 0), a.call(UPDATE)]
    accepted(tracing(world, types, "bpf_iter_sockmap", *shown, *update, *key(fd), a.call(DELETE), kind=ITER))
    refused(tracing(world, types, "bpf_iter_sockmap", *shown[:2], *update, kind=ITER), "EACCES", "R3 type=ptr_or_null_ expected=")
    update = [*key(other), a.mov(R3, R6), a.mov_imm(R4, 0), a.call(UPDATE)]
    refused(tracing(world, types, "bpf_iter_sockmap", *shown, *update, kind=ITER), "EACCES", "R3 type=ptr_ expected=fp, pkt")
    # the entry of a function may be in the middle of what handles the socket
    update = [a.ldx(8, R6, R1, 0), *key(fd), a.mov(R3, R6), a.mov_imm(R4, 0), a.call(UPDATE)]
    refused(tracing(world, types, "tcp_connect", *update), "EINVAL", "cannot update sockmap in this context")


def test_the_key_is_read_only(world: World, types: KernelBtf) -> None:
    shown = [a.ldx(8, R6, R1, 16), a.jmp_imm("eq", R6, 0, "out")]
    accepted(tracing(world, types, "bpf_iter_sockmap", *shown, a.ldx(4, R0, R6, 0), kind=ITER))
    verdict = tracing(world, types, "bpf_iter_sockmap", *shown, a.st(4, R6, 0, 1), kind=ITER)
    refused(verdict, "EACCES", "R6 cannot write into rdonly_buf")


# -- cookies ----------------------------------------------------------------------------------------------------------


def test_cookies_of_typed_sockets(world: World, types: KernelBtf) -> None:
    accepted(tracing(world, types, "tcp_connect", a.ldx(8, R1, R1, 0), a.call(SOCKET_COOKIE)))
    accepted(tracing(world, types, "tcp_connect", a.ldx(8, R1, R1, 0), a.call(SOCKET_COOKIE), gpl=False))
    verdict = tracing(world, types, "cgroup_attach_task", a.ldx(8, R1, R1, 8), a.call(SOCKET_COOKIE))
    refused(verdict, "EACCES", "R1 is of type task_struct but sock_common is expected")
    refused(
        tracing(world, types, "tcp_connect", a.call(SOCKET_COOKIE)), "EACCES",
        "R1 type=ctx expected=sock_common, sock, tcp_sock, xdp_sock, ptr_",
    )  # fmt: skip
    accepted(world.load(a.asm(a.call(SOCKET_COOKIE), *OUT), SOCKET_FILTER))
    refused(world.load(a.asm(a.call(SOCKET_COOKIE), *OUT), KPROBE), "EINVAL", "unknown func bpf_get_socket_cookie#46")


# -- options: of sockets that an iterator has locked ----------------------------------------------------------------------


def option(func: int, size: int = 4) -> list[a.Insn]:
    return [a.mov_imm(R2, 1), a.mov_imm(R3, 7), a.mov(R4, R10), a.add_imm(R4, -8), a.mov_imm(R5, size), a.call(func)]


@pytest.mark.parametrize("func", [SET_OPTION, GET_OPTION])
def test_options_of_iterators(world: World, types: KernelBtf, func: int) -> None:
    shown = [a.ldx(8, R1, R1, 8), a.jmp_imm("eq", R1, 0, "out")]
    value = [a.st(8, R10, -8, 0)]
    for target in ("tcp", "unix"):
        accepted(tracing(world, types, f"bpf_iter_{target}", *shown, *value, *option(func), kind=ITER))
        accepted(tracing(world, types, f"bpf_iter_{target}", *shown, *value, *option(func), kind=ITER, gpl=False))
        unchecked = [a.ldx(8, R1, R1, 8), *value, *option(func)]
        refused(tracing(world, types, f"bpf_iter_{target}", *unchecked, kind=ITER), "EACCES", "R1 type=ptr_or_null_ expected=")
        verdict = tracing(world, types, f"bpf_iter_{target}", *shown, *value, *option(func, 9), kind=ITER)
        refused(verdict, "EINVAL", "invalid indirect access")
        refused(tracing(world, types, f"bpf_iter_{target}", *value, *option(func), kind=ITER), "EACCES", "R1 type=ctx expected=")
    name = {SET_OPTION: "setsockopt#49", GET_OPTION: "getsockopt#57"}[func]
    at_function = [a.ldx(8, R1, R1, 0), *value, *option(func)]
    refused(tracing(world, types, "tcp_connect", *at_function), "EINVAL", f"unknown func bpf_{name}")
    at_map = [a.ldx(8, R1, R1, 24), a.jmp_imm("eq", R1, 0, "out"), *value, *option(func)]
    refused(tracing(world, types, "bpf_iter_sockmap", *at_map, kind=ITER), "EINVAL", f"unknown func bpf_{name}")


# -- statistics of cgroups --------------------------------------------------------------------------------------------


def test_cgroup_rstat_updated(world: World, types: KernelBtf) -> None:
    updated = a.call_kfunc(types.find(FUNC, "cgroup_rstat_updated"))
    accepted(tracing(world, types, "cgroup_attach_task", a.ldx(8, R1, R1, 0), a.mov_imm(R2, 0), updated))
    verdict = tracing(world, types, "cgroup_attach_task", a.ldx(8, R1, R1, 8), a.mov_imm(R2, 0), updated)
    refused(verdict, "EINVAL", "args#0 expected pointer to STRUCT cgroup but R1 has a pointer to STRUCT task_struct")
    verdict = world.load(a.asm(a.mov_imm(R1, 0), a.mov_imm(R2, 0), updated, *OUT), SCHED_CLS)
    refused(verdict, "EACCES", "calling kernel function cgroup_rstat_updated is not allowed")


def test_cgroup_rstat_flush_may_sleep(world: World, types: KernelBtf) -> None:
    flush = [a.ldx(8, R1, R1, 8), a.jmp_imm("eq", R1, 0, "out"), a.call_kfunc(types.find(FUNC, "cgroup_rstat_flush"))]
    accepted(tracing(world, types, "bpf_iter_cgroup", *flush, kind=ITER, flags=SLEEPABLE))
    verdict = tracing(world, types, "bpf_iter_cgroup", *flush, kind=ITER)
    refused(verdict, "EINVAL", "kernel function cgroup_rstat_flush is sleepable but the program is not")
