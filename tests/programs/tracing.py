# SPDX-License-Identifier: MIT
"""Programs of type TRACING, judged with a kernel's types: at functions and tracepoints that are alike on every kernel.

The offsets in them are the kernel's, so the cases are made for its BTF: of a machine, or of a small one in the unit tests.
"""

from __future__ import annotations

from typing import Any

import asm as a
from asm import R0, R1, R2, R3, R4, R6, R10
from programs.case import COMM, COOKIE, GET_FUNC_IP, PRANDOM, PROBE_READ_KERNEL, UPDATE, Case, ld_map
from programs.reject import OUT, Item

TRACING, RAW_TP, FENTRY, FEXIT, ITER, SLEEPABLE = 26, 23, 24, 25, 28, 16
CURRENT_TASK_BTF, TASK_PT_REGS, FUNC_ARG, FUNC_RET, ARG_CNT = 158, 175, 183, 184, 185
FUNC, TYPEDEF, PTR = 12, 8, 2
KINDS = {"entry": FENTRY, "return": FEXIT, "tracepoint": RAW_TP, "iterator": ITER}
SEQ_WRITE, SEQ_PRINTF, D_PATH = 127, 126, 147


def target_id(btf: Any, case: Case) -> int:
    """What attach_btf_id holds; 0 for a case without a target."""
    if not case.target:
        return 0
    if case.attach_type == RAW_TP:
        return int(btf.find(TYPEDEF, "btf_trace_" + case.target))
    return int(btf.find(FUNC, case.target))


def takes_pointer_to_pointer(btf: Any) -> str:
    """A function whose first argument is a pointer to a pointer; the rest are numbers or pointers."""
    found = []
    for name, proto in btf.functions():
        params = [btf.bare(param) for param in btf.params(proto)]
        if not params or not all(param and btf.get(param)[0] in (1, PTR, 6) for param in params):
            continue
        inner = btf.bare(btf.get(params[0])[2]) if btf.get(params[0])[0] == PTR else 0
        if inner and btf.get(inner)[0] == PTR and len(params) < 6 and "." not in name:
            found.append(name)
    return min(found)


def cases(btf: Any) -> list[Case]:
    """Accepted ones have no error."""
    out: list[Case] = []

    def case(name: str, place: str, target: str, error: str, message: str, *items: Item, **more: Any) -> None:
        out.append(Case(f"tracing/{name}", "tracing", a.asm(*items), TRACING, error, message, attach_type=KINDS[place],
                        target=target, **more))  # fmt: skip

    def yes(name: str, place: str, target: str, *items: Item) -> None:
        case(name, place, target, "", "", *items)

    def entry(name: str, error: str, message: str, *items: Item, **more: Any) -> None:
        case(name, "entry", "vfs_read", error, message, *items, **more)

    def point(name: str, error: str, message: str, *items: Item) -> None:
        case(name, "tracepoint", "task_rename", error, message, *items)

    dentry = btf.offset("file", "f_path", "dentry")
    pid, comm = btf.offset("task_struct", "pid"), btf.offset("task_struct", "comm")
    file = a.ldx(8, R2, R1, 0)
    task = a.ldx(8, R2, R1, 0)

    yes("pointers followed", "entry", "vfs_read", file, a.ldx(8, R2, R2, dentry),
        a.ldx(8, R2, R2, btf.offset("dentry", "d_inode")), a.ldx(8, R2, R2, btf.offset("inode", "i_ino")), *OUT)
    yes("half of an argument", "entry", "vfs_read", a.ldx(4, R2, R1, 16), a.ldx(1, R3, R1, 16), *OUT)
    yes("result", "return", "vfs_read", a.ldx(8, R2, R1, 32), a.ldx(8, R3, R1, 16), a.add(R2, R3), *OUT)
    yes("tested for NULL", "entry", "vfs_read",
        file, a.jmp_imm("eq", R2, 0, "out"), a.ldx(8, R3, R2, dentry), "out", *OUT)
    yes("not tested for NULL", "tracepoint", "task_rename", task, a.ldx(4, R0, R2, pid), a.exit_())
    yes("offset added", "entry", "vfs_read", file, a.add_imm(R2, dentry), a.ldx(8, R3, R2, 0), *OUT)
    yes("offset added and taken back", "entry", "vfs_read",
        file, a.add_imm(R2, 4096), a.add_imm(R2, dentry - 4096), a.ldx(8, R3, R2, 0), *OUT)
    yes("on the stack and back", "entry", "vfs_read",
        file, a.stx(8, R10, -8, R2), a.ldx(8, R3, R10, -8), a.ldx(8, R3, R3, dentry), *OUT)
    yes("element of an array", "tracepoint", "task_rename", task, a.ldx(1, R3, R2, comm + 3), *OUT)
    yes("across an array", "tracepoint", "task_rename", task, a.ldx(8, R3, R2, comm + 4), *OUT)
    yes("address for a helper", "entry", "vfs_read",
        a.ldx(8, R3, R1, 0), a.mov(R1, R10), a.add_imm(R1, -16), a.mov_imm(R2, 16), a.call(PROBE_READ_KERNEL), *OUT)
    yes("arguments by number", "return", "vfs_read",
        a.mov(R6, R1), a.mov_imm(R2, 2), a.mov(R3, R10), a.add_imm(R3, -8), a.call(FUNC_ARG), a.mov(R1, R6),
        a.mov(R2, R10), a.add_imm(R2, -8), a.call(FUNC_RET), a.mov(R1, R6), a.call(ARG_CNT), a.mov(R1, R6),
        a.call(GET_FUNC_IP), a.mov(R1, R6), a.call(COOKIE), *OUT)
    yes("any result at a tracepoint", "tracepoint", "task_rename", a.mov_imm(R0, 5), a.exit_())
    yes("task for a helper", "tracepoint", "task_rename", a.ldx(8, R1, R1, 0), a.call(TASK_PT_REGS), *OUT)
    yes("current task", "entry", "vfs_read", a.call(CURRENT_TASK_BTF), a.ldx(4, R1, R0, pid), *OUT)
    yes("pointers compared", "tracepoint", "task_rename",
        a.mov(R6, R1), a.call(CURRENT_TASK_BTF), a.ldx(8, R1, R6, 0), a.jmp("eq", R0, R1, "out"), "out", *OUT)

    entry("argument's type", "EINVAL", "func 'vfs_read' arg0 has btf_id", file, a.mov_imm(R0, 1), a.exit_())
    entry("result other than 0", "EINVAL", "At program exit the register R0 has value (0x1; 0x0) should have been in (0x0; 0x0)",
          a.mov_imm(R0, 1), a.exit_())
    entry("result not known", "EINVAL", "At program exit the register R0 has unknown scalar value should have been in (0x0; 0x0)",
          a.call(PRANDOM), a.ldx(8, R0, R10, -8), a.exit_())
    entry("pointer as the result", "EINVAL", "At program exit the register R0 is not a known value (ptr_)",
          a.ldx(8, R0, R1, 0), a.exit_())
    entry("past the arguments", "EACCES", "func 'vfs_read' doesn't have 5-th argument", a.ldx(8, R2, R1, 32), *OUT)
    case("past the result", "return", "vfs_read", "EACCES", "func 'vfs_read' doesn't have 6-th argument",
         a.ldx(8, R2, R1, 40), *OUT)
    case("result of void", "return", "mark_page_accessed", "EACCES", "func 'mark_page_accessed' doesn't have 3-th argument",
         a.ldx(8, R2, R1, 8), *OUT)
    point("past a tracepoint's arguments", "EACCES", "func 'task_rename' doesn't have 3-th argument", a.ldx(8, R2, R1, 16), *OUT)
    entry("middle of an argument", "EACCES", "func 'vfs_read' offset 4 is not multiple of 8", a.ldx(4, R2, R1, 4), *OUT)
    entry("misaligned", "EACCES", "invalid bpf_context access off=4 size=8", a.ldx(8, R2, R1, 4), *OUT)
    entry("before the context", "EACCES", "invalid bpf_context access off=-8 size=8", a.ldx(8, R2, R1, -8), *OUT)
    entry("past the context", "EACCES", "invalid bpf_context access off=96 size=8", a.ldx(8, R2, R1, 96), *OUT)
    entry("store into the context", "EACCES", "invalid bpf_context access off=0 size=8", a.stx(8, R1, 0, R10), *OUT)
    name = takes_pointer_to_pointer(btf)
    case("pointer to a pointer", "entry", name, "EACCES", f"func '{name}' arg0 type PTR is not a struct",
         a.ldx(8, R2, R1, 0), *OUT)
    entry("load through a number", "EACCES", "R2 invalid mem access 'scalar'", a.ldx(8, R2, R1, 8), a.ldx(1, R2, R2, 0), *OUT)
    entry("store", "EACCES", "only read is supported", file, a.st(8, R2, 0, 0), *OUT)
    entry("atomic", "EACCES", "only read is supported",
          a.ldx(8, R2, R1, 0), a.mov_imm(R3, 1), a.atomic(4, "add", R2, btf.offset("file", "f_flags"), R3), *OUT)
    entry("beyond the struct", "EACCES", "access beyond struct file at off 8184 size 8", file, a.ldx(8, R3, R2, 8184), *OUT)
    entry("before the struct", "EACCES", "R2 is ptr_file invalid negative access: off=-8", file, a.ldx(8, R3, R2, -8), *OUT)
    entry("variable offset", "EACCES", "R2 is ptr_file invalid variable offset: off=0, var_off=(0x0; 0x8)",
          file, a.ldx(8, R3, R1, 16), a.alu64_imm("and", R3, 8), a.add(R2, R3), a.ldx(8, R3, R2, 0), *OUT)
    entry("part of a pointer", "EACCES", "cannot access ptr member dentry with moff 8 in struct path with off 8 size 4",
          file, a.ldx(4, R3, R2, dentry), *OUT)
    entry("middle of a pointer", "EACCES", "cannot access ptr member dentry with moff 8 in struct path with off 12 size 4",
          file, a.ldx(4, R3, R2, dentry + 4), *OUT)
    point("two members at once", "EACCES", "access beyond the end of member pid (mend:", task, a.ldx(8, R3, R2, pid), *OUT)
    point("past an array", "EACCES", "access beyond the end of member comm (mend:", task, a.ldx(8, R3, R2, comm + 12), *OUT)
    entry("as memory for a helper", "EACCES", "R1 type=ptr_ expected=fp",
          a.ldx(8, R1, R1, 0), a.mov_imm(R2, 16), a.call(COMM), *OUT)
    entry("as a value", "EACCES", "R3 type=ptr_ expected=fp",
          a.ldx(8, R3, R1, 0), a.st(4, R10, -8, 0), a.mov(R2, R10), a.add_imm(R2, -8), ld_map(R1, "array"), a.mov_imm(R4, 0),
          a.call(UPDATE), *OUT)
    entry("another type for a helper", "EACCES", "R1 is of type file but task_struct is expected",
          a.ldx(8, R1, R1, 0), a.call(TASK_PT_REGS), *OUT)
    entry("number for a helper", "EACCES", "R1 type=scalar expected=ptr_", a.ldx(8, R1, R1, 8), a.call(TASK_PT_REGS), *OUT)
    entry("context for a helper", "EACCES", "R1 type=ctx expected=ptr_", a.call(TASK_PT_REGS), *OUT)
    entry("arguments of no context", "EACCES", "R1 type=fp expected=ctx", a.mov(R1, R10), a.call(ARG_CNT), *OUT)
    point("result of a tracepoint", "EINVAL", "unknown func bpf_get_func_ret#184",
          a.mov(R2, R10), a.add_imm(R2, -8), a.call(FUNC_RET), *OUT)
    point("arguments of a tracepoint", "EINVAL", "unknown func bpf_get_func_arg_cnt#185", a.call(ARG_CNT), *OUT)
    point("cookie of a tracepoint", "EINVAL", "unknown func bpf_get_attach_cookie#174", a.call(COOKIE), *OUT)
    point("address of a tracepoint", "ENOTSUPP", "func bpf_get_func_ip#173 supported only for fentry/fexit/fmod_ret programs",
          a.call(GET_FUNC_IP), *OUT)
    entry("text of an iterator", "EINVAL", "unknown func bpf_seq_write#127", a.call(127), *OUT)
    entry("two sorts of pointers", "EINVAL", "same insn cannot be used with different pointers",
          a.ldx(8, R2, R1, 0), a.ldx(8, R3, R1, 16), a.st(8, R10, -8, 0), a.jmp_imm("eq", R3, 0, "load"), a.mov(R2, R10),
          a.add_imm(R2, -8), "load", a.ldx(8, R4, R2, 0), *OUT)
    return out + iterators(btf)


def iterators(btf: Any) -> list[Case]:
    """Programs for iterators over files of tasks, and over elements of a map whose sizes are not known yet."""
    out: list[Case] = []

    def case(name: str, error: str, message: str, *items: Item, target: str = "task_file", **more: Any) -> None:
        out.append(Case(f"tracing/iterator: {name}", "tracing", a.asm(*items), TRACING, error, message, attach_type=ITER,
                        target=f"bpf_iter_{target}", **more))  # fmt: skip

    def yes(name: str, *items: Item, **more: Any) -> None:
        case(name, "", "", *items, **more)

    def elem(name: str, error: str, message: str, *items: Item) -> None:
        case(name, error, message, *items, *OUT, target="bpf_map_elem")

    flags, inode = btf.offset("file", "f_flags"), btf.offset("file", "f_path", "dentry")
    seq = [a.ldx(8, R1, R1, 0), a.ldx(8, R1, R1, 0)]
    text = [a.st(8, R10, -8, 7), a.mov(R2, R10), a.add_imm(R2, -8)]
    file = [a.ldx(8, R2, R1, 24), a.jmp_imm("eq", R2, 0, "out")]
    key = [a.ldx(8, R2, R1, 16), a.jmp_imm("eq", R2, 0, "out")]
    value = [a.ldx(8, R2, R1, 24), a.jmp_imm("eq", R2, 0, "out")]

    yes("writes", *seq, *text, a.mov_imm(R3, 8), a.call(SEQ_WRITE), *OUT)
    yes("writes nothing", *seq, *text, a.mov_imm(R3, 0), a.call(SEQ_WRITE), *OUT)
    yes("asks for more time", a.mov_imm(R0, 1), a.exit_())
    yes("looks at a file", *file, a.ldx(4, R3, R2, flags), a.ldx(8, R3, R2, inode), "out", *OUT)
    yes("number of the file", a.ldx(4, R3, R1, 16), *OUT)
    yes("may sleep", *file, "out", *OUT, flags=SLEEPABLE)
    yes("path of a file", *file, a.mov(R1, R2), a.add_imm(R1, btf.offset("file", "f_path")), *text, a.mov_imm(R3, 8),
        a.call(D_PATH), "out", *OUT)
    yes("reads an element", *key, a.ldx(4, R3, R2, 0), *value, a.ldx(8, R3, R2, 4096), "out", *OUT, target="bpf_map_elem")
    yes("writes to a value", *value, a.st(8, R2, 64, 1), "out", *OUT, target="bpf_map_elem")
    case("result 2", "EINVAL", "At program exit the register R0 has value (0x2; 0x0) should have been in (0x0; 0x1)",
         a.mov_imm(R0, 2), a.exit_())
    case("not tested for NULL", "EACCES", "R2 invalid mem access 'ptr_or_null_'",
         a.ldx(8, R2, R1, 24), a.ldx(4, R3, R2, flags), *OUT)
    case("past the arguments", "EACCES", "func 'bpf_iter_task_file' doesn't have 5-th argument", a.ldx(8, R2, R1, 32), *OUT)
    case("store", "EACCES", "only read is supported", a.ldx(8, R1, R1, 0), a.st(8, R1, 8, 0), *OUT)
    case("stack instead of its file", "EACCES", "R1 type=fp expected=ptr_",
         a.mov(R1, R10), *text, a.mov_imm(R3, 8), a.call(SEQ_WRITE), *OUT)
    case("another struct instead of its file", "EACCES", "R1 is of type bpf_iter_meta but seq_file is expected",
         a.ldx(8, R1, R1, 0), *text, a.mov_imm(R3, 8), a.call(SEQ_WRITE), *OUT)
    case("without a licence", "EINVAL", "cannot call GPL-restricted function",
         *seq, *text, a.mov_imm(R3, 8), a.call(SEQ_WRITE), *OUT, gpl=False)
    case("arguments of a function", "EINVAL", "unknown func bpf_get_func_arg_cnt#185", a.call(ARG_CNT), *OUT)
    case("address of a function", "ENOTSUPP", "func bpf_get_func_ip#173 supported only for fentry/fexit/fmod_ret programs",
         a.call(GET_FUNC_IP), *OUT)
    case("sleeps with a map for none that do", "EINVAL", "Sleepable programs can only use array, hash, and ringbuf maps",
         ld_map(R2, "events"), *OUT, flags=SLEEPABLE)
    out.append(Case("tracing/iterator: over no iterator's function", "tracing", a.asm(*OUT), TRACING, "EINVAL", "",
                    attach_type=ITER, target="vfs_read"))  # fmt: skip
    elem("key not tested for NULL", "EACCES", "R2 invalid mem access 'rdonly_buf_or_null'",
         a.ldx(8, R2, R1, 16), a.ldx(4, R3, R2, 0))
    elem("write to a key", "EACCES", "R2 cannot write into rdonly_buf", *key, a.st(4, R2, 0, 1), "out")
    elem("before a key", "EACCES", "R2 invalid rdonly buffer access: off=-4, size=4", *key, a.ldx(4, R3, R2, -4), "out")
    elem("before a value", "EACCES", "R2 invalid rdwr buffer access: off=-8, size=8", *value, a.st(8, R2, -8, 1), "out")
    elem("somewhere in a value", "EACCES", "R2 invalid variable buffer offset: off=0, var_off=(0x0; 0x8)",
         *value, a.ldx(8, R3, R1, 0), a.ldx(8, R3, R3, 8), a.alu64_imm("and", R3, 8), a.add(R2, R3), a.ldx(8, R3, R2, 0), "out")
    return out
