# SPDX-License-Identifier: MIT
"""How the verifier walks: paths that a careless one would take for walked already, callbacks, counts, and the log."""

from __future__ import annotations

import asm as a
import pytest
from asm import R0, R1, R2, R3, R4, R6, R7, R8, R9, R10
from program_world import Stage
from programs.case import FOR_EACH, LOOP, PRANDOM, TAIL_CALL, Case, ld_map
from programs.reject import Item, found
from verifier_lib import Verdict, World

STATE_FREQ = 1 << 3  # BPF_F_TEST_STATE_FREQ: a state at every place where paths meet
OUT = (a.mov_imm(R0, 0), a.exit_())
VALUE = found("array")  # r0: 48 bytes


def load(*items: Item, flags: int = STATE_FREQ, log_level: int = 1) -> Verdict:
    with World() as world:
        return Stage(world).load(Case("case", "paths", a.asm(*items), flags=flags), log_level=log_level)


def choose(first: Item, second: Item, name: str) -> tuple[Item, ...]:
    """One of two instructions, by a number that nobody knows; the walk takes the first one first."""
    return (
        a.call(PRANDOM), a.jmp_imm("ne", R0, 0, f"{name}_second"), first, a.ja(f"{name}_end"), f"{name}_second", second,
        f"{name}_end",
    )


def test_bounds_learned_through_an_equal_register_count() -> None:
    # On the first path r7 equals r6, so the comparison of r6 bounds it; on the second it does not.
    verdict = load(
        a.call(PRANDOM), a.mov(R6, R0), a.call(PRANDOM), a.mov(R7, R0), *VALUE, a.mov(R9, R0),
        *choose(a.mov(R7, R6), a.mov(R8, R6), "which"),
        a.jmp_imm("gt", R6, 3, "out"), a.add(R9, R7), a.st(1, R9, 0, 1), "out", *OUT,
    )
    assert verdict.error in ("EACCES", "EINVAL"), verdict.log


@pytest.mark.parametrize("spill_base", [R10, R2])
@pytest.mark.parametrize("fill_base", [R10, R2])
def test_a_spilled_number_counts_whatever_pointer_it_came_back_through(spill_base: int, fill_base: int) -> None:
    verdict = load(
        *VALUE, a.mov(R9, R0), *choose(a.mov_imm(R7, 8), a.mov_imm(R7, 4096), "which"),
        a.mov(R2, R10), a.stx(8, spill_base, -8, R7), a.mov_imm(R7, 0), a.ja("on"), "on",
        a.call(PRANDOM), a.jmp_imm("eq", R0, 0, "here"), "here",
        a.mov(R2, R10), a.ldx(8, R3, fill_base, -8), a.add(R9, R3), a.ldx(8, R0, R9), *OUT,
    )
    assert verdict.error == "EACCES", verdict.log
    assert "off=4096" in verdict.log


def test_a_number_counts_through_a_function_and_back() -> None:
    verdict = load(
        *VALUE, a.mov(R9, R0), *choose(a.mov_imm(R7, 8), a.mov_imm(R7, 4096), "which"),
        a.mov(R1, R7), a.mov_imm(R7, 0), a.call_sub("same"), a.add(R9, R0), a.ldx(8, R0, R9), *OUT,
        "same", a.jmp_imm("eq", R1, 1, "odd"), "odd", a.mov(R0, R1), a.exit_(),
    )
    assert verdict.error == "EACCES", verdict.log
    assert "off=4096" in verdict.log


def test_a_saved_register_counts_across_a_call() -> None:
    verdict = load(
        *VALUE, a.mov(R9, R0), *choose(a.mov_imm(R7, 8), a.mov_imm(R7, 4096), "which"),
        a.mov_imm(R1, 0), a.call_sub("other"), a.add(R9, R7), a.ldx(8, R0, R9), *OUT,
        "other", a.mov_imm(R7, 0), a.jmp_imm("eq", R1, 1, "odd"), "odd", a.mov_imm(R0, 0), a.exit_(),
    )
    assert verdict.error == "EACCES", verdict.log


def loop(*after: Item, callback: tuple[Item, ...]) -> tuple[Item, ...]:
    """fp-8 is 0, a callback gets its address any number of times, and then @after."""
    return (
        *VALUE, a.mov(R9, R0), a.st(8, R10, -8, 0), a.mov_imm(R1, 100), a.ld_func(R2, "callback"), a.mov(R3, R10),
        a.add_imm(R3, -8), a.mov_imm(R4, 0), a.call(LOOP), *after, "callback", *callback, *OUT,
    )


def test_every_round_of_a_callback_counts() -> None:
    # after one round fp-8 is 8, which would be in range
    verdict = load(*loop(
        a.ldx(8, R1, R10, -8), a.add(R9, R1), a.ldx(8, R0, R9), *OUT,
        callback=(a.ldx(8, R1, R2), a.add_imm(R1, 8), a.stx(8, R2, 0, R1)),
    ))
    assert not verdict.ok, verdict.log


def test_a_callback_may_not_be_called_at_all() -> None:
    # a walk that takes the callback as called once would not look at the address 0
    verdict = load(*loop(
        a.ldx(8, R1, R10, -8), a.jmp_imm("eq", R1, 1, "fine"), a.mov_imm(R2, 0), a.ldx(8, R0, R2), "fine", *OUT,
        callback=(a.st(8, R2, 0, 1),),
    ))
    assert verdict.error == "EACCES"
    assert "invalid mem access 'scalar'" in verdict.log


def test_a_callback_that_keeps_within_its_bounds_is_accepted() -> None:
    verdict = load(*loop(
        a.ldx(8, R1, R10, -8), a.jmp_imm("gt", R1, 40, "out"), a.add(R9, R1), a.ldx(8, R0, R9), "out", *OUT,
        callback=(a.ldx(8, R1, R2), a.add_imm(R1, 8), a.stx(8, R2, 0, R1)),
    ))
    assert verdict.ok, verdict.log
    assert verdict.stats["verified_insns"] < 2000


def on_context(first: Item, *callback: Item, rounds: int = 1000) -> tuple[Item, ...]:
    """@first stores something at fp-8, whose address a callback gets."""
    return (
        *VALUE, first, a.mov_imm(R1, rounds), a.ld_func(R2, "callback"), a.mov(R3, R10), a.add_imm(R3, -8),
        a.mov_imm(R4, 0), a.call(LOOP), *OUT, "callback", *callback, *OUT,
    )


def test_a_callback_without_end_is_refused_soon() -> None:
    # a pointer moves on with each round, so that no two rounds are alike
    program = on_context(a.stx(8, R10, -8, R0), a.ldx(8, R1, R2), a.add_imm(R1, 1), a.stx(8, R2, 0, R1))
    assert "differs after each" in load(*program).log
    verdict = load(*program, log_level=0)
    assert verdict.error == "E2BIG"
    assert verdict.stats["verified_insns"] < 10000


def test_a_callback_is_called_as_often_as_the_program_says() -> None:
    # each round moves a pointer on by one, in a value of 48 bytes, and reads there
    def program(rounds: int) -> tuple[Item, ...]:
        step = (a.ldx(8, R1, R2), a.ldx(1, R3, R1), a.add_imm(R1, 1), a.stx(8, R2, 0, R1))
        return on_context(a.stx(8, R10, -8, R0), *step, rounds=rounds)

    assert load(*program(48)).ok, load(*program(48)).log
    assert "invalid access to map value" in load(*program(49)).log
    # none at all: the callback is verified nevertheless
    assert load(*program(0)).ok, load(*program(0)).log
    assert not load(*on_context(a.stx(8, R10, -8, R0), a.ldx(8, R0, R9), rounds=0)).ok


def test_no_tail_call_out_of_a_callback() -> None:
    program = on_context(
        a.stx(8, R10, -8, R6), a.ldx(8, R1, R2), *ld_map(R2, "progs"), a.mov_imm(R3, 0), a.call(TAIL_CALL),
    )
    verdict = load(a.mov(R6, R1), *program)
    assert verdict.error == "EINVAL"
    assert "cannot tail call within callback" in verdict.log


def test_counts_of_a_bounded_loop() -> None:
    verdict = load(
        a.mov_imm(R6, 0), "again", a.add_imm(R6, 1), a.jmp_imm("lt", R6, 1000, "again"), *OUT, flags=0,
    )
    assert verdict.ok
    assert verdict.stats["verified_insns"] == 2003  # what Linux 6.1 processes


def test_equal_paths_are_walked_once() -> None:
    branches: list[Item] = []
    for place in range(40):
        branches += [a.call(PRANDOM), a.jmp_imm("eq", R0, 0, f"b{place}"), a.mov_imm(R8, place), f"b{place}"]
    verdict = load(a.mov_imm(R8, 0), *branches, *OUT)
    assert verdict.ok
    assert verdict.stats["verified_insns"] < 400


def test_log_is_that_of_linux() -> None:
    verdict = load(
        a.mov_imm(R0, 1), a.stx(8, R10, -8, R0), a.call(PRANDOM), a.alu64_imm("and", R0, 7), a.mov(R1, R10),
        a.add(R1, R0), a.ldx(1, R0, R1, -8), a.jmp_imm("eq", R0, 5, "five"), a.exit_(), "five",
        a.ldx(4, R0, R1, -7), a.exit_(), flags=0,
    )
    assert verdict.error == "EACCES"
    assert verdict.log == (
        "0: R1=ctx(off=0,imm=0) R10=fp0\n"
        "0: (b7) r0 = 1                        ; R0_w=1\n"
        "1: (7b) *(u64 *)(r10 -8) = r0         ; R0_w=1 R10=fp0 fp-8_w=1\n"
        "2: (85) call bpf_get_prandom_u32#7    ; R0_w=scalar()\n"
        "3: (57) r0 &= 7                       ; R0_w=scalar(umax=7,var_off=(0x0; 0x7))\n"
        "4: (bf) r1 = r10                      ; R1_w=fp0 R10=fp0\n"
        "5: (0f) r1 += r0                      ; R0_w=scalar(umax=7,var_off=(0x0; 0x7))"
        " R1_w=fp(off=0,umax=7,var_off=(0x0; 0x7))\n"
        "6: (71) r0 = *(u8 *)(r1 -8)           ; R0_w=scalar(umax=255,var_off=(0x0; 0xff))"
        " R1_w=fp(off=0,umax=7,var_off=(0x0; 0x7))\n"
        "7: (15) if r0 == 0x5 goto pc+1 9: R0=5 R1=fp(off=0,umax=7,var_off=(0x0; 0x7)) R10=fp0 fp-8=1\n"
        "9: (61) r0 = *(u32 *)(r1 -7)\n"
        "misaligned stack access off (0x0; 0x7)+0+-7 size 4\n"
        "processed 10 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1\n"
    )


def test_a_full_log_is_an_error_of_its_own() -> None:
    with World() as world:
        case = Case("case", "paths", a.asm(*[a.mov_imm(R0, 0)] * 50, a.exit_()))
        assert world.load(case.insns, log_level=2, log_size=256).error == "ENOSPC"
        assert world.load(case.insns, log_level=1, log_size=127).error == "EINVAL"
        assert world.load(case.insns, log_level=8, log_size=4096).error == "EINVAL"




def calling_back(where: str, callback: str, helper: int = LOOP, rounds: int = 1000) -> tuple[Item, ...]:
    """bpf_loop() or bpf_for_each_map_elem() at a label, with the word at fp-8 for its callback's context."""
    first = ld_map(R1, "array") if helper == FOR_EACH else a.mov_imm(R1, rounds)
    return (where, first, a.ld_func(R2, callback), a.mov(R3, R10), a.add_imm(R3, -8), a.mov_imm(R4, 0), a.call(helper))


# The context is the callback's second argument, or, of an element of a map, the fourth.
SETS_ONE = {LOOP: a.st(8, R2, 0, 1), FOR_EACH: a.st(8, R4, 0, 1)}


@pytest.mark.parametrize("flags", [0, STATE_FREQ])
@pytest.mark.parametrize("helper", [LOOP, FOR_EACH])
def test_a_circle_around_a_callback_is_no_round_of_it(helper: int, flags: int) -> None:
    """The helper ends its rounds; nothing ends the program's own, in which the same call is made again and again."""
    verdict = load(
        a.st(8, R10, -8, 0), *calling_back("again", "callback", helper), a.ldx(8, R1, R10, -8), a.jmp_imm("eq", R1, 0, "out"),
        a.st(8, R10, -8, 0), a.ja("again"), "out", *OUT, "callback", SETS_ONE[helper], *OUT, flags=flags,
    )
    assert verdict.error == "EINVAL", verdict.log
    assert "infinite loop detected" in verdict.log


def test_a_circle_of_calls_around_a_callback() -> None:
    """The frame that calls the helper is a new one each time."""
    verdict = load(
        a.mov_imm(R6, 0), "again", a.call_sub("function"), a.jmp_imm("eq", R6, 0, "again"), *OUT,
        "function", a.st(8, R10, -8, 0), *calling_back("call", "callback"), *OUT, "callback", SETS_ONE[LOOP], *OUT, flags=0,
    )
    assert verdict.error == "EINVAL", verdict.log


@pytest.mark.parametrize("inner", [3, 1000])
def test_a_callback_in_each_round_of_another(inner: int) -> None:
    verdict = load(
        a.st(8, R10, -8, 0), *calling_back("call", "outer"), *OUT,
        "outer", a.mov(R6, R2), a.st(8, R10, -8, 0), *calling_back("inner_call", "inner", rounds=inner),
        a.ldx(8, R1, R6), a.add_imm(R1, 1), a.stx(8, R6, 0, R1), *OUT,
        "inner", a.ldx(8, R1, R2), a.add_imm(R1, 1), a.stx(8, R2, 0, R1), *OUT, flags=0,
    )
    assert verdict.ok, verdict.log


def test_a_bounded_loop_of_callbacks() -> None:
    """Each call's rounds are counted by themselves."""
    verdict = load(
        a.mov_imm(R6, 0), a.st(8, R10, -8, 0), *calling_back("again", "callback"), a.add_imm(R6, 1),
        a.jmp_imm("lt", R6, 300, "again"), *OUT,
        "callback", a.ldx(8, R1, R2), a.add_imm(R1, 1), a.stx(8, R2, 0, R1), *OUT, flags=0,
    )
    assert verdict.ok, verdict.log
