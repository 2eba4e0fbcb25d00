# SPDX-License-Identifier: MIT
"""Programs with pointers to kernel objects in map values. What they point to, struct task_struct, is in every kernel's BTF."""

from __future__ import annotations

import asm as a
from asm import R0, R1, R2, R3, R4, R6, R7, R10
from programs.case import RAW_TRACEPOINT, UPDATE, Case, ld_map, ld_value
from programs.reject import OUT, Item

CURRENT_TASK_BTF, TASK_PT_REGS = 158, 175
CASES: list[Case] = []
VALUE = [ld_value(R6, "kptr")]
LOADED = [*VALUE, a.ldx(8, R1, R6, 0)]
CHECKED = [*LOADED, a.jmp_imm("ne", R1, 0, "there"), *OUT, "there"]


def case(name: str, error: str, message: str, *items: Item) -> None:
    CASES.append(Case(f"kptr/{name}", "kptr", a.asm(*items), prog_type=RAW_TRACEPOINT, error=error, message=message))


case("stored", "", "", *VALUE, a.call(CURRENT_TASK_BTF), a.stx(8, R6, 0, R0), *OUT)
case("loaded and read", "", "", *CHECKED, a.ldx(8, R0, R1, 0), *OUT)
case("stored again", "", "", *CHECKED, a.stx(8, R6, 0, R1), *OUT)
case("stored unchecked", "", "", *LOADED, a.stx(8, R6, 0, R1), *OUT)
case("NULL stored", "", "", *VALUE, a.st(8, R6, 0, 0), *OUT)
case("NULL stored from a register", "", "", *VALUE, a.mov_imm(R1, 0), a.stx(8, R6, 0, R1), *OUT)
case("number beside it", "", "", *VALUE, a.st(8, R6, 8, 5), a.ldx(8, R0, R6, 8), *OUT)
case("number stored", "EACCES", "BPF_ST imm must be 0 when storing to kptr at off=0", *VALUE, a.st(8, R6, 0, 5), *OUT)
case("number stored from a register", "EACCES",
     "invalid kptr access, R1 type=scalar expected=ptr_task_struct or untrusted_ptr_task_struct",
     *VALUE, a.mov_imm(R1, 5), a.stx(8, R6, 0, R1), *OUT)  # fmt: skip
case("pointer to the stack stored", "EACCES", "invalid kptr access, R1 type=fp", *VALUE, a.mov(R1, R10), a.stx(8, R6, 0, R1),
     *OUT)
case("moved pointer stored", "EACCES", "invalid kptr access, R0 type=ptr_task_struct", *VALUE, a.call(CURRENT_TASK_BTF),
     a.add_imm(R0, 8),
     a.stx(8, R6, 0, R0), *OUT)  # fmt: skip
case("another type stored", "EACCES", "invalid kptr access, R0 type=ptr_pt_regs", *VALUE, a.call(CURRENT_TASK_BTF), a.mov(R1, R0),
     a.call(TASK_PT_REGS), a.stx(8, R6, 0, R0), *OUT)  # fmt: skip
case("read unchecked", "EACCES", "R1 invalid mem access 'untrusted_ptr_or_null_'", *LOADED, a.ldx(8, R0, R1, 0), *OUT)
case("written through", "EACCES", "only read is supported", *CHECKED, a.st(8, R1, 0, 0), *OUT)
case("given to a helper", "EACCES", "R1 type=untrusted_ptr_ expected=ptr_", *CHECKED, a.call(TASK_PT_REGS), *OUT)
case("half of it", "EACCES", "kptr access size must be BPF_DW", *VALUE, a.ldx(4, R0, R6, 0), *OUT)
case("across its end", "EACCES", "kptr access misaligned expected=0 off=4", *VALUE, a.ldx(8, R0, R6, 4), *OUT)
case("somewhere in it", "EACCES", "kptr access cannot have variable offset", *VALUE, a.call(7), a.alu64_imm("and", R0, 8),
     a.add(R6, R0),
     a.ldx(8, R0, R6, 0), *OUT)  # fmt: skip
case("by an atomic operation", "EACCES", "kptr in map can only be accessed using BPF_MEM instruction mode", *VALUE,
     a.mov_imm(R1, 1),
     a.atomic(8, "add", R6, 0, R1), *OUT)  # fmt: skip
case("by a helper", "EACCES", "kptr cannot be accessed indirectly by helper", *VALUE, a.st(4, R10, -4, 0), ld_map(R1, "small"),
     a.mov(R2, R10), a.add_imm(R2, -4), a.mov(R3, R6), a.mov_imm(R4, 0), a.call(UPDATE), *OUT)  # fmt: skip
case("beside it by a helper", "", "", *VALUE, a.st(4, R10, -4, 0), ld_map(R1, "small"), a.mov(R2, R10), a.add_imm(R2, -4),
     a.mov(R3, R6),
     a.add_imm(R3, 8), a.mov_imm(R4, 0), a.call(UPDATE), *OUT)  # fmt: skip
case("kept over a call", "", "", *LOADED, a.mov(R7, R1), a.call(7), a.jmp_imm("eq", R7, 0, "none"), a.ldx(8, R0, R7, 0),
     "none", *OUT)
