# SPDX-License-Identifier: MIT
"""Verifier bugs to be planted one at a time (soundness.py bugs): a file of verifier/, a text that stands there once, and what
replaces it. The generated programs must find each; test_typed_programs.py holds that each still applies."""

from __future__ import annotations

from typing import NamedTuple


class Bug(NamedTuple):
    """A wrong line."""

    name: str
    file: str
    old: str
    new: str


BUGS = [
    # bounds and known bits
    Bug("missed bound: jump if greater leaves one value too many", "refine.c",
        "at_most_u(no, k, is32);\n\t\tat_least_u(yes, k + 1, is32);", "at_most_u(no, k - 1, is32);\n\t\tat_least_u(yes, k + 1, is32);"),
    Bug("bounds of a 32-bit comparison taken for those of all 64 bits", "bounds.c",
        "if (!high.value && !high.mask)\n\t\tbounds_of_low_half(s);", "if (1)\n\t\tbounds_of_low_half(s);"),
    Bug("wrong sign: signed comparison refines by unsigned", "refine.c",
        "case BPF_JSGT:\n\t\tat_most_s(no, sk, is32);", "case BPF_JSGT:\n\t\tat_most_u(no, k, is32);"),
    Bug("branch decided by the wrong end of the range", "refine.c",
        "case BPF_JLT:\n\t\treturn decide(hi < k, lo >= k);\n\tdefault:\n\t\treturn decide(hi <= k, lo > k);\n\t}\n}\n\nstatic int decide_signed",
        "case BPF_JLT:\n\t\treturn decide(lo < k, hi >= k);\n\tdefault:\n\t\treturn decide(hi <= k, lo > k);\n\t}\n}\n\nstatic int decide_signed"),
    Bug("bit test decided by bits that may be set", "refine.c", "return decide(t.value & k,", "return decide((t.value | t.mask) & k,"),
    Bug("sum that wraps keeps its bounds", "scalar.c",
        "if (d->umin > U64_MAX - s->umin || d->umax > U64_MAX - s->umax) {", "if (0) {"),
    Bug("difference with the subtrahend's bounds exchanged", "scalar.c",
        "d->umin -= s->umax;\n\t\td->umax -= s->umin;", "d->umin -= s->umin;\n\t\td->umax -= s->umax;"),
    Bug("product that wraps keeps its bounds", "scalar.c",
        "bool small = s->smin >= 0 && d->smin >= 0 && s->umax <= U32_MAX && d->umax <= U32_MAX;", "bool small = true;"),
    Bug("or of numbers bounded by the greater", "scalar.c",
        "d->umin = max(d->umin, s->umin);\n\t\td->umax = maybe;", "d->umin = max(d->umin, s->umin);\n\t\td->umax = max(d->umax, s->umax);"),
    Bug("shift by a number past the width followed", "scalar.c", "if (src->umax >= bits || n >= bits)", "if (0)"),
    Bug("arithmetic shift right taken for a logical one", "scalar.c",
        "d->t = bc_tnum_arsh(d->t, n, 64);\n\t\td->smin = lo >> n;", "d->t = bc_tnum_rsh(d->t, n);\n\t\td->smin = lo >> n;"),
    Bug("32-bit operation leaves the upper half known", "scalar.c", "if (is32)\n\t\tbc_scalar_zext32(dst);", "if (0)\n\t\tbc_scalar_zext32(dst);"),
    Bug("32-bit move taken for a 64-bit one", "alu.c", "else\n\t\tbc_scalar_zext32(&dst->v);", ""),
    Bug("carry lost in the known bits of a sum", "tnum.c",
        "return make(least, (least ^ greatest) | a.mask | b.mask);", "return make(least, a.mask | b.mask);"),
    # registers that hold one value
    Bug("result of arithmetic still tied to its copies", "alu.c",
        "if (dst->type == SCALAR_VALUE)\n\t\tdst->id = 0;\n\tif (BPF_SRC", "if (BPF_SRC"),
    Bug("32-bit copy tied to its source", "alu.c", "*dst = *src;\n\t\tdst->id = 0;", "*dst = *src;"),
    # memory
    Bug("off by one in the size of an access", "mem.c", "(u64)off + size <= mem_size)", "(u64)off + size <= (u64)mem_size + 1)"),
    Bug("greatest offset not looked at", "mem.c",
        "err = within(env, regno, (s64)v->umax + off, size, mem_size, zero_ok);\n\tif (err)", "err = 0;\n\tif (err)"),
    Bug("negative offset let through", "mem.c",
        "if (v->smin < 0 && (v->smin == S64_MIN || off + v->smin != (s32)(off + v->smin) || v->smin + off < 0))\n"
        "\t\treturn not_negative(env, regno);\n\t/* a minimum past 31 bits may come out small here: its maximum is found too large below */\n"
        "\terr = within(env, regno, (s32)(v->smin + off), size, mem_size, zero_ok);", "err = 0;"),
    Bug("constant read past its place", "mem.c", "map, off + (u32)reg->v.t.value, bytes, &value);",
        "map, off + (u32)reg->v.t.value + 8, bytes, &value);"),
    Bug("packet range too long by one", "jump.c", "range = pkt->off + (below_end ? 1 : 0);", "range = pkt->off + 1;"),
    Bug("packet range kept when a variable is added", "alu.c", "new_packet_base(env, dst, false);\n\t\tbreak;\n\tcase BPF_SUB:",
        "new_packet_base(env, dst, true);\n\t\tbreak;\n\tcase BPF_SUB:"),
    Bug("packet range given to the wrong branch", "jump.c", "packet_reaches(inside, pkt, op", "packet_reaches(outside, pkt, op"),
    # the stack
    Bug("stale spill: a partial store leaves the spilled number", "stack.c",
        "if (bc_spilled_reg(f, slot))\n\t\tspoil(s);\n\tbc_reg_not_init(&s->spilled);\n\t/* a part", "if (0)\n\t\tspoil(s);\n\t/* a part"),
    Bug("stale spill: a store at a variable place leaves what was there", "stack.c",
        "*type = STACK_MISC;\n\t}\n\treturn zero_counts", ";\n\t}\n\treturn zero_counts"),
    Bug("narrow fill of a spilled number taken for all of it", "stack.c", "if (bytes == spilled && !(off % BC_REG_BYTES)) {", "if (1) {"),
    Bug("what a helper writes on the stack leaves what was there", "stack.c",
        "spoil(s);\n\t\t\t\tbc_reg_unknown(&s->spilled);\n\t\t\t} else", ";\n\t\t\t} else"),
    Bug("bytes taken for zero whatever is stored", "stack.c",
        "for (i = from; i < to && *byte_at(f, i) == STACK_ZERO; i++)", "for (i = from; i < to && *byte_at(f, i) != STACK_SPILL; i++)"),
    # pointers and references
    Bug("lost null check: the pointer is valid on both branches", "jump.c",
        "resolve_null(taken, insn->dst_reg, op == BPF_JEQ);", "resolve_null(taken, insn->dst_reg, false);"),
    Bug("null check taken the wrong way round", "jump.c",
        "resolve_null(env->cur, insn->dst_reg, op == BPF_JNE);\n\t\tresolve_null(taken, insn->dst_reg, op == BPF_JEQ);",
        "resolve_null(env->cur, insn->dst_reg, op == BPF_JEQ);\n\t\tresolve_null(taken, insn->dst_reg, op == BPF_JNE);"),
    Bug("lost reference not noticed", "helper.c", "owed += own;", ""),
    Bug("record given back still usable", "helper.c",
        "if (reg->ref_obj_id == ref_obj_id)\n\t\t\tbc_reg_unknown(reg);", ";"),
    Bug("packet pointers still usable after the packet has moved", "helper.c",
        "if (bc_reg_is_pkt_any(reg))\n\t\t\tbc_reg_unknown(reg);", ";"),
    # pruning
    Bug("bad pruning: bounds not compared", "prune.c", "return bc_scalar_within(&old->v, &cur->v) && ids_fit(env, old->id, cur->id);\n}\n\nstatic bool packet",
        "return true;\n}\n\nstatic bool packet"),
    Bug("bad pruning: the stack not compared", "prune.c", "(old->live.slot_read >> i & 1)) && !slot_covers(", "0) && !slot_covers("),
    Bug("bad pruning: pointers into values compared by type alone", "prune.c",
        "return bc_scalar_within(&old->v, &cur->v) && ids_fit(env, old->id, cur->id);\n\tcase PTR_TO_PACKET_META:",
        "return true;\n\tcase PTR_TO_PACKET_META:"),
    Bug("bad pruning: packet ranges compared the wrong way round", "prune.c", "old->range != cur->range : old->range > cur->range)",
        "old->range != cur->range : old->range < cur->range)"),
    Bug("missed precision mark: of the offset added to a pointer", "alu.c",
        "err = bc_mark_precise(env, insn->src_reg);\n\t\treturn err ? err : pointer_math(env, insn, dst, &src->v);",
        "return pointer_math(env, insn, dst, &src->v);"),
    Bug("missed precision mark: of what decided a branch", "jump.c",
        "if (dst->type == SCALAR_VALUE)\n\t\terr = bc_mark_precise(env, insn->dst_reg);", ""),
    Bug("missed precision mark: not carried over a move", "precision.c",
        "if (BPF_SRC(insn->code) == BPF_X && insn->src_reg != BPF_REG_10)\n\t\t*regs |= 1U << insn->src_reg;", ""),
    Bug("missed precision mark: not carried into a spilled slot", "precision.c", "if (slots)\n\t\t*slots |= 1ULL << slot;", ""),
    Bug("missed read mark: a spilled slot that is filled", "stack.c",
        "err = bc_mark_slot_read(env, env->cur, f->frameno, slot);\n\tif (err)\n\t\treturn err;\n\tif (!reg) {", "if (!reg) {"),
    # dynptrs, timers, kernel functions
    Bug("dynptr still one after its record was given back", "dynptr.c",
        "id = f->stack[slot].spilled.ref_obj_id;\n\tforget_both(env, f, (u32)slot);", "id = f->stack[slot].spilled.ref_obj_id;"),
    Bug("dynptr still one after it was written over", "dynptr.c", "forget_both(env, f, first);\n\treturn 0;", "return 0;"),
    Bug("second half of a dynptr taken for one", "dynptr.c", "return dynptr->dynptr_first && (", "return ("),
    Bug("dynptr's record kept unnoticed", "dynptr.c", "if (type == BC_ARG_RINGBUF) {", "if (0) {"),
    Bug("slice still usable after its record was given back", "dynptr.c", "meta->ref_obj_id = id;", ";"),
    Bug("slice longer than what was asked for", "helper_args.c",
        "meta->mem_size = (u32)reg->v.t.value;\n\t\treturn bc_mark_precise", "meta->mem_size = (u32)reg->v.t.value + 8;\n\t\treturn bc_mark_precise"),
    Bug("lost null check of a slice", "helper.c", "bc_reg_pointer(r0, PTR_TO_MEM | PTR_MAYBE_NULL);", "bc_reg_pointer(r0, PTR_TO_MEM);"),
    Bug("bad pruning: dynptrs not compared", "prune.c", "if (is_dynptr(old, slot) || is_dynptr(cur, slot))\n\t\treturn ",
        "if (is_dynptr(old, slot) || is_dynptr(cur, slot))\n\t\treturn true || "),
    Bug("missed read mark: a dynptr that is used", "dynptr.c", "return mark_read(env, f, (u32)first_slot(f, reg));", "return 0;"),
    Bug("timer's callback's element taken for one further on", "timer.c", "r[BPF_REG_1 + i].map = map;",
        "r[BPF_REG_1 + i].map = map;\n\t\tr[BPF_REG_1 + i].off = i == 2 ? -8 : 0;"),
    Bug("timer of another map", "helper_args.c", "if (meta->map && (meta->map != reg->map ||", "if (0 && (meta->map != reg->map ||"),
    Bug("timer anywhere in its element", "timer.c", "if (map->timer_off != off) {", "if (0) {"),
    Bug("timer's bytes written by the program", "mem.c", "if (overlaps(reg, off, size, map->timer_off, sizeof(struct bpf_timer))) {", "if (0) {"),
    Bug("timer's callback not walked", "timer.c",
        "st = bc_async_push(env, sub->start, env->insn_idx, callee);\n\treturn st ? 0 : -EFAULT;", "return 0;"),
    Bug("timer's callback returns any number", "timer.c", "if (!bc_tnum_in(range, r0->v.t)) {", "if (0) {"),
    Bug("kernel function's object kept unnoticed", "kfunc.c", "if (acquires) {\n\t\tid", "if (0) {\n\t\tid"),
    Bug("kernel function's memory not tested for NULL", "kfunc.c", "if (c->fn->flags & BC_KF_RET_NULL) {", "if ((c->fn->flags & BC_KF_RET_NULL) && acquires) {"),
    # what maps own, and storage
    Bug("object taken out of a map kept unnoticed", "helper.c", "case BPF_FUNC_ringbuf_reserve:\n\tcase BPF_FUNC_kptr_xchg:", "case BPF_FUNC_ringbuf_reserve:"),
    Bug("object put into a map still the program's", "helper.c",
        "else if (meta->ref_obj_id)\n\t\terr = bc_ref_release(env, meta->ref_obj_id);",
        "else if (meta->kptr && meta->ref_obj_id)\n\t\terr = 0;\n\telse if (meta->ref_obj_id)\n\t\terr = bc_ref_release(env, meta->ref_obj_id);"),
    Bug("object put where none is owned", "kptr.c", "if (!kptr->ref) {\n\t\tbc_log(env, \"off=%d kptr isn't", "if (0) {\n\t\tbc_log(env, \"off=%d kptr isn't"),
    Bug("owned object written over", "kptr.c", "if (class != BPF_LDX && kptr->ref) {", "if (0) {"),
    Bug("owned object written over by a helper", "kptr.c", "if (by_helper) {", "if (by_helper)\n\t\t\tcontinue;\n\t\tif (0) {"),
    Bug("lost null check of an exchanged object", "helper_protos.c", "BC_ARG_RELEASE, TO(BC_PC_ALL), RET(BTF_ID_OR_NULL)),", "BC_ARG_RELEASE, TO(BC_PC_ALL), RET(BTF_ID)),"),
    Bug("object of a map taken without a reference", "kfunc_table.c", "BC_KF_ACQUIRE | BC_KF_RET_NULL | BC_KF_KPTR_GET", "BC_KF_RET_NULL | BC_KF_KPTR_GET"),
    Bug("lost null check of an element of storage", "helper_protos.c",
        "F4(task_storage_get, MAP, BTF, VALUE | OR_NULL, ANY, TO(BC_PC_TRACING), RET(MAP_VALUE_OR_NULL),",
        "F4(task_storage_get, MAP, BTF, VALUE | OR_NULL, ANY, TO(BC_PC_TRACING), RET(MAP_VALUE),"),
    Bug("first value of an element of storage not looked at", "helper_args.c",
        "if ((arg & BC_ARG_OR_NULL) && bc_reg_is_null(reg))\n\t\t\treturn 0;", "if (arg & BC_ARG_OR_NULL)\n\t\t\treturn 0;"),
    Bug("storage of another type of map", "helper_maps.c", "if (by_func[i].func == func_id)", "if (by_func[i].func == func_id && func_id != BPF_FUNC_task_storage_get)"),
    Bug("size of a kernel function's memory not looked at", "kfunc_args.c", "reg->type = type;\n\tif (err) {", "reg->type = type;\n\tif (0) {"),
]
