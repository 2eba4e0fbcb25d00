/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers in map values: the argument of the helpers on them, and their callbacks, which run by themselves, long after the program that
 * set them.
 */
#include "internal.h"

/* The register points to the timer of its map's values. */
int bc_check_timer_arg(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	s64 off = (s64)reg->v.t.value + reg->off;

	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "R%d doesn't have constant offset. bpf_timer has to be at the constant offset\n", regno);
		return -EINVAL;
	}
	if (!map->btf) {
		bc_log(env, "map '%s' has to have BTF in order to use bpf_timer\n", map->name);
		return -EINVAL;
	}
	if (map->timer_off < 0) {
		if (map->timer_off == -E2BIG)
			bc_log(env, "map '%s' has more than one 'struct bpf_timer'\n", map->name);
		else if (map->timer_off == -ENOENT)
			bc_log(env, "map '%s' doesn't have 'struct bpf_timer'\n", map->name);
		else
			bc_log(env, "map '%s' is not a struct type or bpf_timer is mangled\n", map->name);
		return -EINVAL;
	}
	if (map->timer_off != off) {
		bc_log(env, "off %lld doesn't point to 'struct bpf_timer' that is at %d\n", off, map->timer_off);
		return -EINVAL;
	}
	meta->map = map;
	meta->map_uid = reg->map_uid;
	return 0;
}

/* Of the inner map whose timer expired: none that the callback looks up itself, nor the elements of one, are taken for that map's. */
#define EXPIRED_UID U32_MAX

/* (map, key, value) of the element whose timer @timer is. */
static void set_args(struct bpf_verifier_env *env, const struct bpf_reg_state *timer, struct bpf_func_state *callee)
{
	static const u32 types[] = { CONST_PTR_TO_MAP, PTR_TO_MAP_KEY, PTR_TO_MAP_VALUE };
	const struct bc_map_desc *map = timer->map;
	struct bpf_reg_state *r = callee->regs;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		bc_reg_pointer(&r[BPF_REG_1 + i], types[i]);
		r[BPF_REG_1 + i].map = map;
		r[BPF_REG_1 + i].map_uid = timer->map_uid ? EXPIRED_UID : 0;
	}
	/* a lock taken here is this element's */
	if (map->spin_lock_off >= 0)
		r[BPF_REG_3].id = ++env->id_gen;
}

/*
 * bpf_timer_set_callback() returns at once. The callback is walked by itself, from a state that holds nothing of the caller's: nothing that
 * is learnt there flows back.
 */
int bc_push_async_callback(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_subprog_info *sub = &env->subprogs[meta->subprogno];
	struct bpf_verifier_state *st;
	struct bpf_func_state *callee;

	sub->is_callback = true;
	sub->is_async_cb = true;
	env->has_callbacks = true;
	callee = bc_frame_new(env, -1, 0, meta->subprogno);
	if (!callee)
		return -ENOMEM;
	callee->async_entry_cnt = env->cur->frame[0]->async_entry_cnt + 1;
	callee->in_async_callback_fn = true;
	callee->callback_ret_range = bc_tnum_const(0);
	set_args(env, &bc_cur_regs(env)[BPF_REG_1], callee);
	st = bc_async_push(env, sub->start, env->insn_idx, callee);
	return st ? 0 : -EFAULT;
}

int bc_check_async_result(struct bpf_verifier_env *env)
{
	const struct bpf_reg_state *r0 = &bc_cur_regs(env)[BPF_REG_0];
	struct tnum range = bc_cur_func(env)->callback_ret_range;
	int err;

	if (r0->type != SCALAR_VALUE) {
		bc_log(env, "In async callback the register R0 is not a known value (%s)\n", bc_type_str(env, r0->type));
		return -EINVAL;
	}
	/* other values might not be 0: this one counts, as on Linux since 6.8 */
	err = bc_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (!bc_tnum_in(range, r0->v.t)) {
		bc_log_bad_range(env, r0, range, "async callback");
		return -EINVAL;
	}
	return 0;
}
