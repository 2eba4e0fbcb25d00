# SPDX-License-Identifier: MIT
"""Programs of type TRACING against a small kernel's types: the cases of tests/programs/tracing.py, and what no kernel has."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "guest"))

import asm as a
from asm import R0, R1, R2
from kernel_btf import FUNC, KernelBtf
from program_world import Stage
from programs import btf as b
from programs.tracing import FENTRY, FEXIT, RAW_TP, TRACING, cases, target_id
from verifier_lib import Verdict, World


def small_kernel() -> bytes:
    btf = b.Btf()
    number, long, char = btf.int("int", 4), btf.int("long unsigned int", 8, 0), btf.int("char", 1)
    chars, void_ptr = btf.ptr(char), btf.ptr(0)
    inode = btf.struct("inode", 80, [("i_mode", number, 0), ("i_ino", long, 512)])
    dentry = btf.struct("dentry", 64, [("d_flags", number, 0), ("d_inode", btf.ptr(inode), 384)])
    path = btf.struct("path", 16, [("mnt", void_ptr, 0), ("dentry", btf.ptr(dentry), 64)])
    file = btf.struct("file", 64, [("f_u", long, 0), ("f_path", path, 64), ("f_flags", number, 256)])
    comm = btf.array(char, number, 16)
    # start_time and v6 are as shim/bpfcompat/btf/adapt.py gives them: at odd bytes, in a union with what is really there.
    long_long = btf.int("long long unsigned int", 8, 0)
    address = btf.struct("in6_addr", 16, [("words", btf.array(number, number, 4), 0)])
    members = [("state", long, 0), ("pid", number, 64), ("tgid", number, 96)]
    members += [("comm", comm, 128), ("low", number, 3 << 24 | 256), ("high", number, 7 << 24 | 259)]
    layers = [btf.struct("", 64, members, kflag=True), btf.struct("", 9, [("start_time", long_long, 8)])]
    layers.append(btf.struct("", 19, [("v6", address, 24)]))
    union = btf.struct("", 64, [("", layer, 0) for layer in layers], b.UNION)
    task = btf.struct("task_struct", 64, [("", union, 0)], kflag=True)
    page = btf.ptr(btf.struct("page", 8, [("flags", long, 0)]))
    pair = btf.struct("pair", 16, [("a", long, 0), ("b", long, 64)])
    triple = btf.struct("triple", 24, [("a", long, 0), ("b", long, 64), ("c", long, 128)])
    btf.struct("pt_regs", 168, [("di", long, 896)])
    read = [("file", btf.ptr(file)), ("buf", chars), ("count", long), ("pos", btf.ptr(long))]
    btf.func("vfs_read", btf.proto(long, read))
    btf.func("mark_page_accessed", btf.proto(0, [("page", page)]))
    btf.func("of_pointers", btf.proto(number, [("p", btf.ptr(btf.ptr(number))), ("n", number)]))
    btf.func("of_pair", btf.proto(number, [("n", number), ("pair", pair), ("last", number)]))
    btf.func("of_triple", btf.proto(number, [("triple", triple)]))
    btf.func("to_pair", btf.proto(pair, [("n", number)]))
    btf.func("of_many", btf.proto(number, [(f"n{i}", number) for i in range(13)]))
    btf.func("variadic", btf.proto(number, [("n", number), ("", 0)]))
    btf.func("of_float", btf.proto(number, [("f", btf.add(b.FLOAT, "double", 8))]))
    btf.func("migrate_disable", btf.proto(0, []))
    meta = btf.ptr(btf.struct("bpf_iter_meta", 24, [("seq", btf.ptr(btf.struct("seq_file", 8, [("buf", chars, 0)])), 0),
                                                    ("session_id", long, 64), ("seq_num", long, 128)]))  # fmt: skip
    bpf_map = btf.struct("bpf_map", 8, [("id", number, 0)])
    shown = [("meta", meta), ("task", btf.ptr(task)), ("fd", number), ("file", btf.ptr(file))]
    btf.func("bpf_iter_task_file", btf.proto(number, shown))
    shown = [("meta", meta), ("map", btf.ptr(bpf_map)), ("key", void_ptr), ("value", void_ptr)]
    btf.func("bpf_iter_bpf_map_elem", btf.proto(number, shown))
    rename = btf.proto(0, [("__data", void_ptr), ("task", btf.ptr(task)), ("comm", chars)])
    btf.modifier(b.TYPEDEF, btf.ptr(rename), "btf_trace_task_rename")
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
        yield world


def test_cases(world: World, types: KernelBtf) -> None:
    stage = Stage(world)
    for case in cases(types):
        verdict = stage.load(case, attach_btf_id=target_id(types, case))
        told = f"{case.name}: {verdict.error} {verdict.log[-600:]}"
        assert (verdict.error, case.message in verdict.log) == (case.error, True), told


def load(world: World, types: KernelBtf, name: str, *items: object, kind: int = FENTRY, **more: object) -> Verdict:
    code = a.asm(*items, a.mov_imm(R0, 0), a.exit_())  # type: ignore[arg-type]
    return world.load(code, TRACING, attach_type=kind, attach_btf_id=types.find(FUNC, name), **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("of_triple", "The function of_triple arg0 type STRUCT is unsupported."),
        ("to_pair", "The function to_pair return type STRUCT is unsupported."),
        ("of_many", "The function of_many has 13 arguments. Too many."),
        ("variadic", "The function variadic with variable args is unsupported."),
        ("of_float", "The function of_float arg0 type FLOAT is unsupported."),
        ("migrate_disable", ""),
    ],
)
def test_unsuitable_functions(world: World, types: KernelBtf, name: str, message: str) -> None:
    verdict = load(world, types, name)
    assert (verdict.error, message in verdict.log) == ("EINVAL", True), verdict.log


def test_struct_by_value(world: World, types: KernelBtf) -> None:
    """It takes two words; what follows comes after them."""
    for off in (0, 8, 24):
        assert not load(world, types, "of_pair", a.ldx(8, R2, R1, off)).error
    assert "offset 20 is not" in load(world, types, "of_pair", a.ldx(4, R2, R1, 20)).log
    assert "doesn't have 4-th argument" in load(world, types, "of_pair", a.ldx(8, R2, R1, 32)).log
    assert not load(world, types, "of_pair", a.ldx(8, R2, R1, 32), kind=FEXIT).error
    assert "doesn't have 5-th argument" in load(world, types, "of_pair", a.ldx(8, R2, R1, 40), kind=FEXIT).log


def test_no_address(world: World, types: KernelBtf) -> None:
    with World() as empty:
        assert "can only be attached to another program" in load(empty, types, "vfs_read").log
    verdict = load(world, types, "vfs_read", flags=16)
    assert (verdict.error, "vfs_read is not sleepable" in verdict.log) == ("EINVAL", True)


@pytest.mark.parametrize(
    ("size", "off", "message"),
    [
        (8, 1, ""),  # fields that the kernel keeps elsewhere, whole or in words
        (4, 3, ""),
        (4, 15, ""),
        (4, 30, "access beyond the end of member comm"),
        (4, 6, "access beyond the end of member state"),
        (4, 32, ""),  # both bit-fields, the first, and a part of the second
        (1, 32, ""),
        (1, 33, "doesn't have field at offset 33"),
        (4, 36, "doesn't have field at offset 36"),
    ],
)
def test_members(world: World, types: KernelBtf, size: int, off: int, message: str) -> None:
    code = a.asm(a.ldx(8, R2, R1, 0), a.ldx(size, R2, R2, off), a.mov_imm(R0, 0), a.exit_())
    target = types.find(8, "btf_trace_task_rename")
    verdict = world.load(code, TRACING, attach_type=RAW_TP, attach_btf_id=target)
    assert (bool(verdict.error), message in verdict.log) == (bool(message), True), verdict.log
