# SPDX-License-Identifier: MIT
"""Objects that map values own (tests/programs/kptr_ref.py), against a small kernel's types."""

from __future__ import annotations

import asm as a
import pytest
from programs import btf as b
from programs import kptr_ref
from programs.case import ARRAY, Case
from verifier_lib import World, lib

IDS: dict[str, int] = {}


def small_kernel(*, functions: bool = True) -> bytes:
    btf = b.Btf()
    number, ulong = btf.int("int", 4), btf.int("long unsigned int", 8, 0)
    btf.struct("task_struct", 8, [("flags", ulong, 0)])
    inner = btf.struct("prog_test_member1", 4, [("a", number, 0)])
    member = btf.struct("prog_test_member", 8, [("m", inner, 0), ("c", number, 32)])
    this = btf.ptr(member + 2)
    fields = [("a", number, 0), ("b", number, 32), ("memb", member, 64), ("next", this, 128), ("cnt", number, 192)]
    assert btf.struct("prog_test_ref_kfunc", 32, fields) == member + 2
    if functions:
        for name, returns, param in (
            ("call_test_acquire", this, btf.ptr(ulong)),
            ("call_test_release", 0, this),
            ("call_memb_release", 0, btf.ptr(member)),
        ):
            IDS[name] = btf.func(f"bpf_kfunc_{name}", btf.proto(returns, [("p", param)]))
    return btf.blob()


def world_map(world: World, kind: int) -> int:
    blob, _, value, size = kptr_ref.value_btf(kind)
    fd = -1
    if kind != kptr_ref.UNTYPED:
        fd, log = world.btf(blob)
        assert fd >= 0, log
    return world.map(ARRAY, 4, size, 1, 0, fd, value)


def placed(code: bytes, fds: dict[int, int]) -> bytes:
    for kind, fd in fds.items():
        code = code.replace(kind.to_bytes(4, "little"), fd.to_bytes(4, "little"))
    return code


def judge(case: Case, blob: bytes) -> object:
    with World() as world:
        fd, log = world.btf(blob, kernel=True)
        assert fd >= 0, log
        lib.bcu_allow_all_helpers(world._world)
        kinds = (kptr_ref.MAP, kptr_ref.PLAIN, kptr_ref.UNTYPED, kptr_ref.MANY, kptr_ref.NO_DTOR)
        fds = {kind: world_map(world, kind) for kind in kinds if kind.to_bytes(4, "little") in case.insns}
        return world.load(placed(case.insns, fds), case.prog_type)


small_kernel()
CASES = kptr_ref.cases(lambda name: a.call_kfunc(IDS[name]))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(case: Case) -> None:
    verdict = judge(case, small_kernel())
    assert verdict.error == case.error, verdict.log[-2000:]  # type: ignore[attr-defined]
    assert case.message in verdict.log  # type: ignore[attr-defined]


def test_a_type_that_nobody_gives_back_is_not_owned() -> None:
    """The kernel knows the type and not the function: the value is plain memory."""
    taken = next(case for case in CASES if case.name == "kptr_ref/no kptr")
    code = taken.insns.replace(kptr_ref.PLAIN.to_bytes(4, "little"), kptr_ref.MAP.to_bytes(4, "little"))
    verdict = judge(Case("", "", code, taken.prog_type), small_kernel(functions=False))
    assert "has no valid kptr" in verdict.log  # type: ignore[attr-defined]
