# SPDX-License-Identifier: MIT
"""Calls of kernel functions, against a small kernel that has Linux's functions for testing them. Messages and verdicts are
those of Linux 6.1, whose own test_verifier (tests/suites) has more of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import asm as a
import pytest
from asm import R0, R1, R2, R3, R4, R5, R6, R7, R10
from programs import btf as b
from programs.case import KPROBE, RAW_TRACEPOINT, SCHED_CLS
from verifier_lib import Verdict, World

SCHED_ACT = 4
STORE_CTX = a.mov(R6, R1)
OUT = [a.mov_imm(R0, 0), a.exit_()]
SLOT = [a.st(8, R10, -8, 0), a.mov(R1, R10), a.add_imm(R1, -8)]


@dataclass
class Kernel:
    """Types of a kernel, and its functions by name."""

    ids: dict[str, int] = field(default_factory=dict)

    def blob(self, test1_third: int = 8) -> bytes:
        btf = b.Btf()
        u32, u64, ulong = (
            btf.int("unsigned int", 4, 0),
            btf.int("long long unsigned int", 8, 0),
            btf.int("long unsigned int", 8, 0),
        )
        number, void_ptr = btf.int("int", 4), btf.ptr(0)
        ctx = btf.ptr(btf.struct("__sk_buff", 4, [("len", u32, 0)]))
        sock = btf.ptr(btf.struct("sock", 8, [("flags", ulong, 0)]))
        plain = btf.ptr(btf.struct("prog_test_pass1", 8, [("x0", number, 0), ("x1", number, 32)]))
        inner = btf.struct("prog_test_member1", 4, [("a", number, 0)])
        member = btf.struct("prog_test_member", 8, [("m", inner, 0), ("c", number, 32)])
        # the struct that follows points to itself: its number is known beforehand
        this = btf.ptr(member + 2)
        held = btf.struct(
            "prog_test_ref_kfunc", 32,
            [("a", number, 0), ("b", number, 32), ("memb", member, 64), ("next", this, 128), ("cnt", number, 192)],
        )  # fmt: skip
        assert held == member + 2
        third = u64 if test1_third == 8 else u32

        def func(name: str, returns: int, *params: tuple[str, int]) -> None:
            self.ids[name] = btf.func(name, btf.proto(returns, list(params)))

        test = "bpf_kfunc_call_test"
        func(f"{test}1", u64, ("sk", sock), ("a", u32), ("b", third), ("c", u32), ("d", u64))
        func(f"{test}2", number, ("sk", sock), ("a", u32), ("b", u32))
        func(f"{test}_acquire", this, ("scalar_ptr", btf.ptr(ulong)))
        func(f"{test}_release", 0, ("p", this))
        func("bpf_kfunc_call_memb_release", 0, ("p", btf.ptr(member)))
        func(f"{test}_get_rdwr_mem", btf.ptr(number), ("p", this), ("rdwr_buf_size", number))
        func(f"{test}_get_rdonly_mem", btf.ptr(number), ("p", this), ("rdonly_buf_size", number))
        func("bpf_kfunc_call_int_mem_release", 0, ("p", btf.ptr(number)))
        func(f"{test}_pass_ctx", 0, ("skb", ctx))
        func(f"{test}_pass1", 0, ("p", plain))
        func(f"{test}_fail1", 0, ("p", this))
        func(f"{test}_mem_len_pass1", 0, ("mem", void_ptr), ("mem__sz", number))
        func(f"{test}_mem_len_fail1", 0, ("mem", void_ptr), ("len", number))
        func(f"{test}_mem_len_fail2", 0, ("mem", btf.ptr(u64)), ("len", number))
        func(f"{test}_ref", 0, ("p", this))
        func(f"{test}_destructive", 0)
        func("do_exit", 0, ("code", number))
        return btf.blob()

    def call(self, name: str, off: int = 0) -> a.Insn:
        short = {"pass_ctx", "pass1", "acquire", "release", "ref", "destructive", "get_rdwr_mem", "get_rdonly_mem"}
        if name in short or name.startswith(("mem_len", "fail", "1", "2")):
            name = f"bpf_kfunc_call_test{name}" if name in ("1", "2") else f"bpf_kfunc_call_test_{name}"
        return a.call_kfunc(self.ids[name], off)


@pytest.fixture
def types() -> Kernel:
    return Kernel()


@pytest.fixture
def world(types: Kernel) -> Iterator[World]:
    with World() as world:
        fd, log = world.btf(types.blob(), kernel=True)
        assert fd >= 0, log
        yield world


def load(world: World, *items: a.Insn | list[a.Insn] | str, prog_type: int = SCHED_CLS, **options: object) -> Verdict:
    return world.load(a.asm(*items), prog_type, **options)  # type: ignore[arg-type]


def refused(verdict: Verdict, error: str, message: str) -> None:
    assert verdict.error == error, verdict.log
    assert message in verdict.log


def acquired(types: Kernel) -> list[a.Insn]:
    """r6 = the object, held; else the program ends."""
    return [*SLOT, types.call("acquire"), a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.mov(R6, R0)]


# -- what may be called, and by whom ----------------------------------------------------------------------------------


@pytest.mark.parametrize("jit", [False, True], ids=["interpreter", "code"])
def test_a_call_and_its_result(world: World, types: Kernel, jit: bool) -> None:
    """Numbers as wide as their types: what lies above them is not the function's."""
    verdict = load(
        world, *acquired(types), a.mov(R1, R6), a.mov_imm(R2, 2 * 4), types.call("get_rdwr_mem"), a.jmp_imm("ne", R0, 0, 4),
        a.mov(R1, R6), types.call("release"), *OUT,
        a.st(4, R0, 0, 40), a.ldx(4, R7, R0, 0), a.ldx(4, R0, R0, 4), a.add(R7, R0), a.ldx(4, R0, R6, 4), a.add(R7, R0),
        a.mov(R1, R6), types.call("release"), a.mov(R0, R7), a.exit_(), record=True, no_prune=True,
    )  # fmt: skip
    assert verdict.ok, verdict.log
    run = world.run(verdict.fd, packet=bytes(64), jit=jit)
    assert (run.retval, run.message) == (40 + 108 + 108, "")


def test_the_log_names_the_function(world: World, types: Kernel) -> None:
    verdict = load(world, types.call("pass_ctx"), *OUT, log_level=2)
    assert f"call bpf_kfunc_call_test_pass_ctx#{types.ids['bpf_kfunc_call_test_pass_ctx']}" in verdict.log


@pytest.mark.parametrize("prog_type", [KPROBE, RAW_TRACEPOINT, SCHED_ACT])
def test_other_types_may_not(world: World, types: Kernel, prog_type: int) -> None:
    verdict = load(world, types.call("destructive"), *OUT, prog_type=prog_type)
    refused(verdict, "EACCES", "calling kernel function bpf_kfunc_call_test_destructive is not allowed")


def test_of_the_kernels_other_functions_none_may_be_called(world: World, types: Kernel) -> None:
    refused(load(world, a.mov_imm(R1, 0), a.call_kfunc(types.ids["do_exit"]), *OUT), "EACCES", "function do_exit is not allowed")


def test_one_that_btf_describes_otherwise_is_not_ours(types: Kernel) -> None:
    with World() as world:
        assert world.btf(types.blob(test1_third=4), kernel=True)[0] >= 0
        verdict = load(world, types.call("1"), *OUT)
        refused(verdict, "EACCES", "calling kernel function bpf_kfunc_call_test1 is not allowed")


def test_without_the_gpl(world: World, types: Kernel) -> None:
    verdict = load(world, types.call("destructive"), *OUT, gpl=False)
    refused(verdict, "EINVAL", "cannot call kernel function from non-GPL compatible program")


def test_without_types() -> None:
    with World() as world:
        refused(load(world, a.call_kfunc(1), *OUT), "ENOTSUPP", "not supported without CONFIG_DEBUG_INFO_BTF")


def test_destructive_ones_need_the_right_to_reboot(world: World, types: Kernel) -> None:
    assert load(world, types.call("destructive"), *OUT).ok
    world.forbid_boot()
    verdict = load(world, types.call("destructive"), *OUT)
    refused(verdict, "EACCES", "destructive kfunc calls require CAP_SYS_BOOT capabilities")


@pytest.mark.parametrize(("btf_id", "message"), [(1, "btf_id 1 is not a function"), (999, "btf_id 999 is not a function")])
def test_what_is_no_function(world: World, btf_id: int, message: str) -> None:
    refused(load(world, a.call_kfunc(btf_id), *OUT), "EINVAL", message)


def test_a_weak_one_that_is_not_there_must_not_be_reached(world: World) -> None:
    refused(load(world, a.call_kfunc(0), *OUT), "EINVAL", "invalid kernel function call not eliminated in verifier pass")
    assert load(world, a.mov_imm(R0, 0), a.jmp_imm("eq", R0, 0, 1), a.call_kfunc(0), *OUT).ok


def test_not_while_a_lock_is_held_whatever_its_number() -> None:
    """Linux 6.1 takes a function whose number is that of bpf_spin_unlock for it."""
    blob, _, value = b.lock_btf()
    kernel = b.Btf()
    proto = kernel.proto(kernel.int("int", 4), [])
    while kernel.func("bpf_kfunc_call_test_x", proto) < 94:
        pass
    with World() as world:
        assert world.btf(kernel.blob(), kernel=True)[0] >= 0
        fd, _ = world.btf(blob)
        locked = world.map(2, 4, 16, 2, 0, fd, value)
        find = [a.st(4, R10, -4, 0), a.mov(R2, R10), a.add_imm(R2, -4), a.ld_map(R1, locked), a.call(1)]
        take = [*find, a.jmp_imm("ne", R0, 0, 1), a.exit_(), a.mov(R1, R0), a.call(93)]
        refused(load(world, *take, a.call_kfunc(94), *OUT), "EINVAL", "function calls are not allowed while holding a lock")


# -- modules' functions -----------------------------------------------------------------------------------------------


def test_modules_functions_are_found_by_fd(types: Kernel) -> None:
    with World() as world:
        module, _ = world.btf(types.blob(), kernel=True)
        own, _ = world.btf(types.blob())
        vmlinux, _ = world.btf(types.blob(), kernel=True)
        call = types.call("destructive", off=1)
        refused(load(world, call, *OUT), "EPROTO", "kfunc offset > 0 without fd_array is invalid")
        refused(load(world, call, *OUT, fd_array=(0,)), "EFAULT", "failed to find BTF for kernel function")
        refused(load(world, call, *OUT, fd_array=(0, 999)), "EBADF", "invalid module BTF fd specified")
        for fd in (own, vmlinux):
            refused(load(world, call, *OUT, fd_array=(0, fd)), "EINVAL", "BTF fd for kfunc is not a module BTF")
        verdict = load(world, call, *OUT, fd_array=(0, module))
        refused(verdict, "EACCES", "calling kernel function bpf_kfunc_call_test_destructive is not allowed")
        verdict = load(world, types.call("destructive", off=-1), *OUT, fd_array=(0,))
        refused(verdict, "EINVAL", "negative offset disallowed for kernel module function call")


# -- arguments --------------------------------------------------------------------------------------------------------

MEM = [*SLOT, a.mov_imm(R2, 8)]
ARGUMENTS = [
    ("the context", [STORE_CTX], "pass_ctx", ""),
    ("no context", SLOT, "pass_ctx", "arg#0 expected pointer to ctx, but got PTR"),
    ("a number for a pointer", [a.mov_imm(R1, 5)], "pass1", "R1 type=scalar expected=fp"),
    ("nothing for a pointer", [a.mov_imm(R1, 0)], "pass1", ""),
    ("a struct of numbers", SLOT, "pass1", ""),
    ("a struct beyond the stack", [a.mov(R1, R10), a.add_imm(R1, -4)], "pass1", "invalid indirect access to stack R1 off=-4"),
    ("a struct with a pointer", SLOT, "fail1", "STRUCT prog_test_ref_kfunc must point to scalar, or struct"),
    ("memory and its size", MEM, "mem_len_pass1", ""),
    ("memory and a size too large", [*SLOT, a.mov_imm(R2, 9)], "mem_len_pass1", "arg#0 arg#1 memory, len pair leads to invalid"),
    ("memory and no size at all", [*SLOT, a.mov_imm(R2, -1)], "mem_len_pass1", "R2 min value is negative"),
    ("no memory of no size", [a.mov_imm(R1, 0), a.mov_imm(R2, 0)], "mem_len_pass1", ""),
    ("no memory of some size", [a.mov_imm(R1, 0), a.mov_imm(R2, 8)], "mem_len_pass1", "memory, len pair leads to invalid"),
    ("memory of a size not told", MEM, "mem_len_fail1", "arg#0 pointer type UNKNOWN  must point to scalar"),
    ("a pointer for a number", [*SLOT, a.mov(R2, R10)], "mem_len_fail2", "R2 is not a scalar"),
    ("a register never set", [a.mov(R1, R10)], "mem_len_pass1", "must point to scalar"),
]  # fmt: skip


@pytest.mark.parametrize(("setup", "name", "message"), [row[1:] for row in ARGUMENTS], ids=[row[0] for row in ARGUMENTS])
def test_argument(world: World, types: Kernel, setup: list[a.Insn], name: str, message: str) -> None:
    verdict = load(world, setup, types.call(name), *OUT)
    if message:
        refused(verdict, "EINVAL", message)
    else:
        assert verdict.ok, verdict.log


def test_memory_is_no_more_what_it_was(world: World, types: Kernel) -> None:
    """What was known of the bytes is not."""
    verdict = load(world, *MEM, types.call("mem_len_pass1"), a.ldx(8, R0, R10, -8), a.mov(R1, R10), a.add(R1, R0), *OUT)
    refused(verdict, "EINVAL", "math between fp pointer and register with unbounded min value is not allowed")


def test_registers_are_lost(world: World, types: Kernel) -> None:
    refused(load(world, a.mov_imm(R2, 1), types.call("destructive"), a.mov(R0, R2), a.exit_()), "EACCES", "R2 !read_ok")
    refused(load(world, a.mov_imm(R0, 1), types.call("destructive"), a.exit_()), "EACCES", "R0 !read_ok")


def test_a_number_read_by_a_function_counts(world: World, types: Kernel) -> None:
    """Two paths that differ in the size alone: the second one is not covered by the first."""
    verdict = load(
        world, *SLOT, a.call(7), a.mov_imm(R2, 8), a.jmp_imm("eq", R0, 1, 1),
        a.mov_imm(R2, 16), a.mov(R1, R10), a.add_imm(R1, -8), types.call("mem_len_pass1"), *OUT,
    )  # fmt: skip
    refused(verdict, "EINVAL", "memory, len pair leads to invalid memory access")


# -- references -------------------------------------------------------------------------------------------------------


def test_a_reference_must_be_given_back(world: World, types: Kernel) -> None:
    refused(load(world, *acquired(types), *OUT), "EINVAL", "Unreleased reference id=")
    assert load(world, *acquired(types), a.mov(R1, R6), types.call("release"), *OUT).ok


def test_and_once_only(world: World, types: Kernel) -> None:
    verdict = load(world, *acquired(types), a.mov(R1, R6), types.call("release"), a.mov(R1, R6), types.call("release"), *OUT)
    refused(verdict, "EINVAL", "arg#0 pointer type STRUCT prog_test_ref_kfunc must point to scalar")


def test_it_may_be_none(world: World, types: Kernel) -> None:
    verdict = load(world, *SLOT, types.call("acquire"), a.ldx(4, R0, R0, 0), a.exit_())
    refused(verdict, "EACCES", "R0 invalid mem access 'ptr_or_null_'")


def test_what_was_walked_to_is_not_held(world: World, types: Kernel) -> None:
    walked = [*acquired(types), a.ldx(8, R7, R6, 16), a.mov(R1, R7)]
    refused(load(world, *walked, types.call("release"), *OUT), "EINVAL", "expects refcounted PTR_TO_BTF_ID")
    refused(load(world, *walked, types.call("ref"), *OUT), "EINVAL", "R1 must be referenced")
    held = load(world, *walked, a.mov(R1, R6), types.call("ref"), a.mov(R1, R6), types.call("release"), *OUT)
    assert held.ok, held.log


def test_a_part_of_it_is_not_it(world: World, types: Kernel) -> None:
    moved = [*acquired(types), a.mov(R1, R6), a.add_imm(R1, 8), a.call_kfunc(types.ids["bpf_kfunc_call_memb_release"]), *OUT]
    refused(load(world, *moved), "EINVAL", "R1 must have zero offset when passed to release func")
    at = [*acquired(types), a.mov(R1, R6), a.call_kfunc(types.ids["bpf_kfunc_call_memb_release"]), *OUT]
    refused(
        load(world, *at),
        "EINVAL",
        "expected pointer to STRUCT prog_test_member but R1 has a pointer to STRUCT prog_test_ref_kfunc",
    )


def memory(types: Kernel, name: str, size: int) -> list[a.Insn]:
    """r7 = memory of the object in r6."""
    return [
        *acquired(types), a.mov(R1, R6), a.mov_imm(R2, size), types.call(name), a.jmp_imm("ne", R0, 0, 4), a.mov(R1, R6),
        types.call("release"), *OUT, a.mov(R7, R0),
    ]  # fmt: skip


def test_memory_that_is_returned(world: World, types: Kernel) -> None:
    end = [a.mov(R1, R6), types.call("release"), *OUT]
    assert load(world, *memory(types, "get_rdwr_mem", 8), a.st(4, R7, 4, 1), *end).ok
    refused(load(world, *memory(types, "get_rdwr_mem", 8), a.st(4, R7, 8, 1), *end), "EACCES", "mem_size=8 off=8 size=4")
    refused(
        load(world, *memory(types, "get_rdonly_mem", 8), a.st(4, R7, 0, 1), *end), "EACCES", "R7 cannot write into rdonly_mem"
    )
    late = [*memory(types, "get_rdwr_mem", 8), a.mov(R1, R6), types.call("release"), a.ldx(4, R0, R7, 0), *OUT]
    refused(load(world, *late), "EACCES", "R7 invalid mem access 'scalar'")


def test_its_size_must_be_known(world: World, types: Kernel) -> None:
    unknown = [*acquired(types), a.call(7), a.mov(R2, R0), a.mov(R1, R6), types.call("get_rdwr_mem"), *OUT]
    refused(load(world, *unknown), "EINVAL", "R2 is not a const")


def test_memory_of_a_held_object_may_be_what_is_given_back(world: World, types: Kernel) -> None:
    give = [a.mov(R1, R7), a.call_kfunc(types.ids["bpf_kfunc_call_int_mem_release"])]
    assert load(world, *memory(types, "get_rdwr_mem", 8), *give, *OUT).ok
    both = [*memory(types, "get_rdwr_mem", 8), *give, a.mov(R1, R6), types.call("release"), *OUT]
    refused(load(world, *both), "EINVAL", "must point to scalar")


def test_two_references_in_one_call(world: World, types: Kernel) -> None:
    """The sum wants a socket alone: an object is none, whatever its reference."""
    verdict = load(world, *acquired(types), a.mov(R1, R6), a.mov_imm(R2, 1), a.mov_imm(R3, 1), a.mov_imm(R4, 1), a.mov_imm(R5, 1),
                   types.call("1"), *OUT)  # fmt: skip
    refused(verdict, "EINVAL", "args#0 expected pointer to STRUCT sock but R1 has a pointer to STRUCT prog_test_ref_kfunc")
