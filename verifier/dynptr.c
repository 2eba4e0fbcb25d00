/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dynptrs: pointers to memory whose size is known when the program runs. A program keeps one on its stack, in two slots, has helpers fill
 * it, read through it and give it back, and must not touch its bytes.
 *
 * Both slots hold what is known of it, in spilled: dynptr_type, which half it is (dynptr_first), and ref_obj_id, the reference of a record
 * that must be given back. Whatever changes one slot changes both, so that a half never meets the half of another (CVE-2023-39191). Rules and
 * messages are those of Linux 6.1; where 6.1 lets a program write over a dynptr, those of 6.3.
 */
#include "internal.h"

#define HALVES 2

static struct bpf_func_state *frame_of(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	return env->cur->frame[reg->frameno];
}

/* The slot that a dynptr at the register's offset begins in, with the lower address; -EINVAL when there is no such place. */
static int first_slot(const struct bpf_func_state *f, const struct bpf_reg_state *reg)
{
	s64 off = reg->off + (s64)reg->v.t.value;

	if (!bc_scalar_is_const(&reg->v) || off % BC_REG_BYTES || off > -HALVES * BC_REG_BYTES || off < -BC_MAX_STACK)
		return -EINVAL;
	off = -off / BC_REG_BYTES - 1;
	return off < f->slot_cnt ? (int)off : -EINVAL;
}

static bool is_half(const struct bpf_func_state *f, u32 slot)
{
	return f->stack[slot].slot_type[0] == STACK_DYNPTR;
}

static int mark_read(struct bpf_verifier_env *env, const struct bpf_func_state *f, u32 slot)
{
	int err = bc_mark_slot_read(env, env->cur, f->frameno, slot);

	return err ? err : bc_mark_slot_read(env, env->cur, f->frameno, slot - 1);
}

static void forget(struct bpf_stack_state *s)
{
	bc_reg_not_init(&s->spilled);
	memset(s->slot_type, STACK_MISC, BC_REG_BYTES);
}

static void forget_both(struct bpf_verifier_env *env, struct bpf_func_state *f, u32 first)
{
	forget(&f->stack[first]);
	forget(&f->stack[first - 1]);
	env->scratched_slots |= 3ULL << (first - 1);
}

bool bc_dynptr_is(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, u32 type, u32 *id)
{
	const struct bpf_func_state *f = frame_of(env, reg);
	const struct bpf_reg_state *dynptr;
	int slot = first_slot(f, reg);

	if (slot < 0 || !is_half(f, slot))
		return false;
	dynptr = &f->stack[slot].spilled;
	if (id)
		*id = dynptr->ref_obj_id;
	return dynptr->dynptr_first && (!type || dynptr->dynptr_type == type);
}

int bc_read_dynptr(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	struct bpf_func_state *f = frame_of(env, reg);

	return mark_read(env, f, (u32)first_slot(f, reg));
}

int bc_spoil_dynptr(struct bpf_verifier_env *env, struct bpf_func_state *f, u32 slot)
{
	u32 first;
	int err;

	if (!is_half(f, slot))
		return 0;
	first = f->stack[slot].spilled.dynptr_first ? slot : slot + 1;
	err = mark_read(env, f, first);
	if (err)
		return err;
	if (f->stack[first].spilled.ref_obj_id) {
		bc_log(env, "cannot overwrite referenced dynptr\n");
		return -EINVAL;
	}
	forget_both(env, f, first);
	return 0;
}

/* ---- arguments ---- */

/* Where the helper is to make one, none must be, whole or half. */
static int check_room(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bpf_func_state *f = frame_of(env, reg);
	int slot = first_slot(f, reg), err;
	s64 off = reg->off + (s64)reg->v.t.value;

	/* of one that begins below what the stack has had so far, the upper half may be there */
	if (slot < 0 && off >= -BC_MAX_STACK && off <= -HALVES * BC_REG_BYTES) {
		err = bc_frame_grow(env, f, (u32)-off);
		if (err)
			return err;
		slot = first_slot(f, reg);
	}
	if (slot >= 0 && (is_half(f, slot) || is_half(f, slot - 1))) {
		bc_log(env, "Dynptr has to be an uninitialized dynptr\n");
		return -EINVAL;
	}
	/* no place at all is found when it is written */
	err = slot >= 0 ? mark_read(env, f, slot) : 0;
	if (!err)
		meta->dynptr_regno = regno;
	return err;
}

int bc_check_dynptr_arg(struct bpf_verifier_env *env, u32 n, struct bpf_call_meta *meta)
{
	u32 regno = BPF_REG_1 + n, type;
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u16 arg = meta->proto->arg[n];
	u32 id = 0;

	if (reg->type == PTR_TO_DYNPTR) {
		/* the kernel's own, which a callback is lent: to memory of the program's, for reading and writing through it */
		if (!(arg & (BC_ARG_MAKES | BC_ARG_RELEASE | BC_ARG_RINGBUF)))
			return 0;
		bc_log(env, "dynptr of a callback cannot be %s\n", arg & BC_ARG_MAKES ? "initialized" : "released");
		return -EINVAL;
	}
	if (arg & BC_ARG_MAKES)
		return check_room(env, regno, meta);
	type = arg & (BC_ARG_LOCAL | BC_ARG_RINGBUF);
	if (!bc_dynptr_is(env, reg, 0, &id)) {
		bc_log(env, "Expected an initialized dynptr as arg #%d\n", n + 1);
		return -EINVAL;
	}
	if (type && !bc_dynptr_is(env, reg, type, NULL)) {
		bc_log(env, "Expected a dynptr of type %s as arg #%d\n", type == BC_ARG_LOCAL ? "local" : "ringbuf", n + 1);
		return -EINVAL;
	}
	/* what is made of it depends on the same reference */
	if (meta->func_id == BPF_FUNC_dynptr_data)
		meta->ref_obj_id = id;
	return bc_read_dynptr(env, reg);
}

int bc_check_dynptr_release(struct bpf_verifier_env *env, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u32 id = 0;

	if (reg->type != PTR_TO_STACK || !bc_dynptr_is(env, reg, 0, &id) || !id) {
		bc_log(env, "arg %d is an unacquired reference\n", regno);
		return -EINVAL;
	}
	return 0;
}

/* ---- made and given back ---- */

int bc_make_dynptr(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	u32 regno = meta->dynptr_regno, type, i;
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bpf_func_state *f = frame_of(env, reg);
	int err, slot, id = 0;

	/* a write like any other, but in the helper */
	for (i = 0; i < HALVES; i++) {
		err = bc_check_mem(env, regno, (s32)(i * BC_REG_BYTES), BC_REG_BYTES, BC_WRITE, BC_NO_REG, false);
		if (err)
			return err;
	}
	slot = first_slot(f, reg);
	if (slot < 0) {
		bc_log(env, "cannot pass in dynptr at an offset\n");
		return -EINVAL;
	}
	type = meta->proto->arg[regno - BPF_REG_1] & (BC_ARG_LOCAL | BC_ARG_RINGBUF);
	if (type == BC_ARG_RINGBUF) {
		id = bc_ref_acquire(env, env->insn_idx);
		if (id < 0)
			return id;
	}
	for (i = 0; i < HALVES; i++) {
		struct bpf_stack_state *s = &f->stack[slot - (int)i];

		bc_reg_not_init(&s->spilled);
		s->spilled.dynptr_type = type;
		s->spilled.dynptr_first = !i;
		s->spilled.ref_obj_id = (u32)id;
		memset(s->slot_type, STACK_DYNPTR, BC_REG_BYTES);
	}
	env->scratched_slots |= 3ULL << (slot - 1);
	return 0;
}

int bc_release_dynptr(struct bpf_verifier_env *env, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bpf_func_state *f = frame_of(env, reg);
	int slot = first_slot(f, reg);
	u32 id;

	if (slot < 0 || !is_half(f, slot))
		return -EINVAL;
	id = f->stack[slot].spilled.ref_obj_id;
	forget_both(env, f, (u32)slot);
	return bc_ref_release(env, id);
}
