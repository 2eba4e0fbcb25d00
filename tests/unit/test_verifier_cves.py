# SPDX-License-Identifier: MIT
"""The holes that Linux's verifier and JITs had, one program or more each (tests/programs/cves.py and the tests below): refused,
or run within what the verifier believed and by every engine alike. docs/verifier-cves.md is the table of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import asm as a
import pytest
from asm import R0, R1, R2, R3, R4, R6
from engines import ENGINES, EngineWorld
from program_world import Stage
from programs import btf as b
from programs.case import SCHED_CLS
from programs.cves import HOLES, Hole
from programs.reject import OUT, PACKET
from verifier_lib import Verdict, World

DOC = Path(__file__).resolve().parents[2] / "docs/verifier-cves.md"
FATAL = re.compile(r"BUG|verifier internal error|verifier bug|REG INVARIANTS", re.I)
PACKETS = bytes(64)
SPECIAL: list[tuple[str, bool, str]] = []

REFUSED = [hole for hole in HOLES if hole.case.error]
RUN = [hole for hole in HOLES if not hole.case.error]


def name_of(hole: Hole) -> str:
    return hole.case.name


def hole(cve: str, runs: bool = False) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The test is after that one: of programs that are refused, or that run."""

    def note(test: Callable[..., None]) -> Callable[..., None]:
        SPECIAL.append((cve, runs, f"`{test.__name__}`"))
        return test

    return note


@pytest.mark.parametrize("hole", REFUSED, ids=name_of)
def test_refused(hole: Hole) -> None:
    with World() as world:
        stage = Stage(world)
        verdict = stage.load(hole.case)
        assert verdict.error == hole.case.error, verdict.log[-3000:]
        assert hole.case.message in verdict.log
        assert not FATAL.search(verdict.log)
        assert stage.load(hole.case, log_level=0).error == hole.case.error


@pytest.mark.parametrize("hole", RUN, ids=name_of)
@pytest.mark.parametrize("pruned", [False, True], ids=["every path", "pruned"])
def test_watched(hole: Hole, pruned: bool) -> None:
    """Each register, each access of the runs is one that a state of the verifier allows."""
    # Without pruning callbacks are walked for ever; with it the states tell of numbers only where these matter.
    every_path = not pruned and not hole.case.func_starts
    with World() as world:
        stage = Stage(world)
        verdict = stage.load(hole.case, record=every_path, no_prune=every_path, log_level=0)
        assert verdict.ok, stage.load(hole.case).log[-3000:]
        assert hole.runs
        for run in hole.runs:
            if "array" in stage.fds:
                assert world.update(stage.fds["array"], bytes(4), run.content) == 0
            result = world.run(verdict.fd, packet=PACKETS, max_insns=200_000)
            assert not (result.mem_violations or result.state_violations or result.ref_leaks or result.timed_out), result.message
            assert result.retval & 0xFFFFFFFF == run.result, run


@pytest.mark.parametrize("hole", RUN, ids=name_of)
@pytest.mark.parametrize("engine", ENGINES)
def test_engines(hole: Hole, engine: str) -> None:
    with EngineWorld(engine) as world:
        stage = Stage(world)
        verdict = stage.load(hole.case, log_level=0)
        assert verdict.ok, verdict.error
        for run in hole.runs:
            if "array" in stage.fds:
                assert world.update(stage.fds["array"], bytes(4), run.content) == 0
            assert world.run(verdict.fd, packet=PACKETS).retval & 0xFFFFFFFF == run.result, run


# ---- what takes more than a program ----


@hole("CVE-2016-4557")
def test_fd_of_something_else() -> None:
    """It is refused, and what it names is as it was: it is neither put too often nor freed."""
    with World() as world:
        prog = world.load(a.asm(*OUT)).fd
        btf, _ = world.btf(b.lock_btf()[0])
        for fd in (prog, btf):
            for _ in range(5):
                verdict = world.load(a.asm(a.ld_map(R1, fd), *OUT))
                assert (verdict.error, "is not pointing to valid bpf_map" in verdict.log) == ("EINVAL", True), verdict.log
        assert world.run(prog).retval == 0
        assert world.map(2, 4, 16, 1, 0, btf, b.lock_btf()[2]) >= 0


@hole("CVE-2017-9150", runs=True)
@pytest.mark.parametrize("level", [1, 2, 4, 7])
def test_log_shows_no_address(level: int) -> None:
    with World() as world:
        fd = world.map(2, 4, 8, 1)
        verdict = world.load(a.asm(a.ld_map(R1, fd), a.ld_map_value(R2, fd), a.mov(R3, R2), a.ldx(8, R0, R2), a.exit_()),
                             log_level=level)
        assert verdict.ok, verdict.log
        assert verdict.log
        for address in (world.map_address(fd), world.value_address(fd)):
            assert f"{address:x}" not in verdict.log
            assert f"{address & 0xFFFFFFFF:x}" not in verdict.log


PULL: list[object] = [a.mov_imm(R2, 8), a.call(39), *OUT]
# The fourth byte of a packet that was long enough before a call.
CALLER: list[object] = [
    *PACKET, a.mov(R6, R2), a.add_imm(R2, 8), a.jmp("gt", R2, R3, "short"), a.call_sub("one"), a.ldx(1, R0, R6, 4), a.exit_(),
    "short", *OUT,
]


def load_functions(world: World, linkage: int, *functions: list[object]) -> Verdict:
    """CALLER, and these functions of the context behind it."""
    btf = b.Btf()
    number = btf.int("int", 4)
    proto = btf.proto(number, [("skb", btf.ptr(btf.struct("__sk_buff", 192, [("len", number, 0)])))])
    items, records = [], b""
    for function in (CALLER, *functions):
        start = sum(len(item) if isinstance(item, tuple) else 1 for item in items if not isinstance(item, str))
        kind = linkage if items else b.STATIC
        records += start.to_bytes(4, "little") + btf.func(f"f{start}", proto, kind).to_bytes(4, "little")
        items += function
    btf_fd, log = world.btf(btf.blob())
    assert btf_fd >= 0, log
    return world.load(a.asm(*items), SCHED_CLS, btf_fd=btf_fd, func_info=records)  # type: ignore[arg-type]


def tail_call(world: World) -> list[object]:
    return [a.ld_map(R2, world.map(3, 4, 4, 1)), a.mov_imm(R3, 0), a.call(12), *OUT]


@hole("CVE-2024-58098")
def test_global_function_that_moves_the_packet() -> None:
    with World() as world:
        quiet = load_functions(world, b.GLOBAL, ["one", *OUT])
        assert quiet.ok, quiet.log
        for functions in (
            [["one", *PULL]],
            [["one", a.call_sub("two"), a.exit_()], ["two", *PULL]],
            # never taken; found beforehand, as on Linux
            [["one", a.mov_imm(R0, 0), a.jmp_imm("eq", R0, 0, "end"), a.call_sub("two"), "end", a.exit_()], ["two", *PULL]],
        ):
            verdict = load_functions(world, b.GLOBAL, *functions)
            assert (verdict.error, "R6 invalid mem access 'scalar'" in verdict.log) == ("EACCES", True), verdict.log


@hole("CVE-2024-58237")
@pytest.mark.parametrize("linkage", [b.GLOBAL, b.STATIC])
def test_tail_call_that_moves_the_packet(linkage: int) -> None:
    with World() as world:
        verdict = load_functions(world, linkage, ["one", *tail_call(world)])
        assert (verdict.error, "R6 invalid mem access 'scalar'" in verdict.log) == ("EACCES", True), verdict.log


def test_tail_call_of_the_program_itself_leaves_the_packet() -> None:
    """Where it comes back nothing has run."""
    with World() as world:
        table = world.map(3, 4, 4, 1)
        code = a.asm(*PACKET, a.mov(R6, R2), a.add_imm(R2, 8), a.jmp("gt", R2, R3, "short"), a.ld_map(R2, table),
                     a.mov_imm(R3, 0), a.call(12), a.ldx(1, R0, R6, 4), a.exit_(), "short", *OUT)
        verdict = world.load(code, SCHED_CLS)
        assert verdict.ok, verdict.log


def refused_type(kind: int) -> str:
    with World() as world:
        return world.load(a.asm(*OUT), kind).error


@hole("CVE-2022-2785")
def test_programs_that_make_system_calls() -> None:
    """BPF_PROG_TYPE_SYSCALL, whose programs could run others on any address."""
    assert refused_type(31) == "EINVAL"


@hole("CVE-2024-26589")
def test_flow_dissectors() -> None:
    """BPF_PROG_TYPE_FLOW_DISSECTOR, whose keys could be indexed by a variable."""
    assert refused_type(22) == "EINVAL"


# ---- after the years of the table ----


def load_with_numbers(world: World, starts: list[int], *items: object) -> Verdict:
    """A program whose functions begin at @starts, and give and take a number each."""
    btf = b.Btf()
    number = btf.int("int", 4)
    proto = btf.proto(number, [("number", number)])
    records = b"".join(start.to_bytes(4, "little") + btf.func(f"f{start}", proto).to_bytes(4, "little") for start in starts)
    btf_fd, log = world.btf(btf.blob())
    assert btf_fd >= 0, log
    return world.load(a.asm(*items), btf_fd=btf_fd, func_info=records, record=True, no_prune=True)  # type: ignore[arg-type]


@hole("CVE-2026-53090", runs=True)
@pytest.mark.parametrize("engine", ENGINES)
def test_packet_load_that_fails_in_a_function(engine: str) -> None:
    """The function returns 0, whatever it would have returned."""
    with EngineWorld(engine) as world:
        verdict = load_with_numbers(
            world, [0, 7], a.mov(R6, R1), a.call_sub("load"), a.mov(R1, R0), a.mov_imm(R0, 1), a.jmp_imm("eq", R1, 5, "five"),
            a.mov_imm(R0, 2), "five", a.exit_(), "load", a.mov(R6, R1), a.ld_abs(4, 60), a.mov_imm(R0, 5), a.exit_(),
        )
        assert verdict.ok, verdict.log
        for size, want in ((64, 1), (63, 2), (0, 2)):
            result = world.run(verdict.fd, packet=bytes(size))
            assert (result.retval, result.state_violations, result.mem_violations) == (want, 0, 0), result.message


@hole("CVE-2026-98075")
def test_program_that_is_its_own_callback() -> None:
    with World() as world:
        verdict = load_with_numbers(world, [0], "prog", a.mov_imm(R1, 3), a.ld_func(R2, "prog"), a.mov_imm(R3, 0),
                                    a.mov_imm(R4, 0), a.call(181), *OUT)
        assert (verdict.error, "callback function cannot be the main program" in verdict.log) == ("EINVAL", True), verdict.log


# ---- the table ----


def test_table_is_of_these_tests() -> None:
    rows = re.findall(r"^\| (CVE-\d+-\d+) \| ([^|]+) \| ([^|]*?) ?\| ([^|]*?) ?\|$", DOC.read_text(), re.M)
    order = [[int(part) for part in row[0].split("-")[1:]] for row in rows]
    assert sum(year < 2026 for year, _ in order) >= 25
    assert order == sorted(order)
    assert len({row[0] for row in rows}) == len(rows)
    tests: dict[str, tuple[list[str], list[str]]] = {}
    for cve, runs, test in [*SPECIAL, *((one.cve, bool(one.runs), one.case.name.split("/", 1)[1]) for one in HOLES)]:
        tests.setdefault(cve, ([], []))[runs].append(test)
    told = {cve: tuple(map("; ".join, names)) for cve, names in tests.items()}
    assert {cve: (refused, run) for cve, _, refused, run in rows} == told
