# SPDX-License-Identifier: MIT
"""Pointers to kernel objects in map values (tests/programs/kptr.py), against a small kernel's types."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from program_world import Stage
from programs import btf as b
from programs.case import Case
from programs.kptr import CASES
from verifier_lib import World, lib


def small_kernel() -> bytes:
    btf = b.Btf()
    long = btf.int("long unsigned int", 8, 0)
    btf.struct("task_struct", 64, [("flags", long, 0)])
    btf.struct("pt_regs", 168, [("di", long, 896)])
    return btf.blob()


@pytest.fixture
def stage() -> Iterator[Stage]:
    with World() as world:
        fd, log = world.btf(small_kernel(), kernel=True)
        assert fd >= 0, log
        lib.bcu_allow_all_helpers(world._world)
        yield Stage(world)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_verdict(stage: Stage, case: Case) -> None:
    verdict = stage.load(case)
    assert verdict.error == case.error, verdict.log[-2000:]
    assert case.message in verdict.log


def test_without_the_kernels_type_the_value_is_plain_memory() -> None:
    """As on Linux, and the module makes no such map."""
    plain = {case.name: case for case in CASES}["kptr/number stored"]
    with World() as world:
        assert Stage(world).load(plain).ok
