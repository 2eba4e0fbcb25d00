/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls within the program: static functions are walked into with what the caller knows, global ones are judged by their prototype, and
 * callbacks of helpers are walked as often as their state changes. Then returns, and what a program may return.
 */
#include "internal.h"

#define LOGS_PATH(env) ((env)->log.level & (BC_LOG_LEVEL1 | BC_LOG_LEVEL2))

/* A new top frame in @st, not yet entered. */
static struct bpf_func_state *add_frame(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u32 subprogno, int *err)
{
	struct bpf_func_state *callee;

	*err = -E2BIG;
	if (st->curframe + 1 >= BC_MAX_CALL_FRAMES) {
		bc_log(env, "the call stack of %d frames is too deep\n", st->curframe + 2);
		return NULL;
	}
	*err = -ENOMEM;
	callee = bc_frame_new(env, (s32)env->insn_idx, st->curframe + 1, subprogno);
	if (!callee)
		return NULL;
	*err = bc_refs_copy(callee, st->frame[st->curframe]);
	if (*err) {
		bc_frame_free(callee);
		return NULL;
	}
	callee->callback_frame = st->frame[st->curframe]->callback_frame;
	st->frame[st->curframe + 1] = callee;
	return callee;
}

static int call_global(struct bpf_verifier_env *env, u32 subprogno)
{
	struct bpf_func_state *f = bc_cur_func(env);
	int err;

	err = bc_global_args_match(env, subprogno);
	if (err) {
		bc_log(env, "Caller passes invalid args into func#%d\n", subprogno);
		return err;
	}
	if (LOGS_PATH(env))
		bc_log(env, "Func#%d is global and valid. Skipping.\n", subprogno);
	bc_clear_caller_saved(env, f);
	bc_reg_unknown(&f->regs[BPF_REG_0]);
	if (env->subprogs[subprogno].moves_packet)
		bc_forget_packets(env);
	return 0;
}

int bc_check_call(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_verifier_state *st = env->cur;
	struct bpf_func_state *caller = bc_cur_func(env), *callee;
	int subprogno = bc_find_subprog(env, env->insn_idx + insn->imm + 1);
	int i, err;

	if (subprogno < 0) {
		bc_log(env, "verifier bug. No program starts at insn %d\n", env->insn_idx + insn->imm + 1);
		return -EFAULT;
	}
	if (env->subprogs[subprogno].is_global && st->curframe + 1 < BC_MAX_CALL_FRAMES)
		return call_global(env, subprogno);
	bc_note_arg_types(env, (u32)subprogno, caller->regs);
	callee = add_frame(env, st, subprogno, &err);
	if (!callee)
		return err;
	for (i = BPF_REG_1; i <= BPF_REG_5; i++)
		callee->regs[i] = caller->regs[i];
	/* arguments come from where the caller's registers came from: see place_in_parent() */
	callee->live.reg_written = caller->live.reg_written & 0x3e;
	bc_clear_caller_saved(env, caller);
	st->curframe++;
	/* the walk steps on by one */
	env->insn_idx = env->subprogs[subprogno].start - 1;
	if (LOGS_PATH(env)) {
		bc_log(env, "caller:\n");
		bc_print_frame(env, caller, true);
		bc_log(env, "callee:\n");
		bc_print_frame(env, callee, true);
	}
	return 0;
}

/* ---- callbacks ---- */

static bool map_can_iterate(const struct bc_map_desc *map)
{
	switch (map->type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		return true;
	default:
		return false;
	}
}

static void point_to_entry(struct bpf_verifier_env *env, struct bpf_reg_state *reg, u32 type, const struct bpf_call_meta *meta)
{
	const struct bc_map_desc *map = meta->map;

	bc_reg_pointer(reg, type);
	reg->map = map;
	/* of that map, and not of another one that is like it */
	reg->map_uid = meta->map_uid;
	/* a lock taken in one call must not be given back in another */
	if (type == PTR_TO_MAP_VALUE && map->spin_lock_off >= 0)
		reg->id = ++env->id_gen;
}

static int point_to_kernel_type(struct bpf_verifier_env *env, struct bpf_reg_state *reg, const char *name)
{
	const struct bc_btf *btf = env->ops->btf_vmlinux(env->args->host);
	s32 id = btf ? bc_btf_find(btf, name, BTF_KIND_STRUCT) : -ENOENT;

	if (id <= 0) {
		bc_log(env, "the kernel's BTF has no struct %s\n", name);
		return -EINVAL;
	}
	bc_reg_pointer(reg, PTR_TO_BTF_ID);
	reg->btf = btf;
	reg->btf_id = id;
	return 0;
}

static int set_callback_args(struct bpf_verifier_env *env, const struct bpf_call_meta *meta, const struct bpf_func_state *caller,
			     struct bpf_func_state *callee)
{
	struct bpf_reg_state *r = callee->regs;

	switch (meta->func_id) {
	case BPF_FUNC_for_each_map_elem:
		/* (map, key, value, ctx) */
		if (env->aux[env->insn_idx].call_map == BC_MAP_POISON) {
			bc_log(env, "tail_call abusing map_ptr\n");
			return -EINVAL;
		}
		if (!map_can_iterate(meta->map)) {
			bc_log(env, "callback function not allowed for map\n");
			return -ENOTSUPP;
		}
		r[BPF_REG_1] = caller->regs[BPF_REG_1];
		point_to_entry(env, &r[BPF_REG_2], PTR_TO_MAP_KEY, meta);
		point_to_entry(env, &r[BPF_REG_3], PTR_TO_MAP_VALUE, meta);
		r[BPF_REG_4] = caller->regs[BPF_REG_3];
		return 0;
	case BPF_FUNC_user_ringbuf_drain:
		/* (dynptr, ctx) */
		bc_reg_pointer(&r[BPF_REG_1], PTR_TO_DYNPTR);
		r[BPF_REG_2] = caller->regs[BPF_REG_3];
		return 0;
	case BPF_FUNC_loop:
		/* (index, ctx) */
		bc_reg_unknown(&r[BPF_REG_1]);
		r[BPF_REG_2] = caller->regs[BPF_REG_3];
		return 0;
	case BPF_FUNC_find_vma:
		/* (task, vma, ctx) */
		r[BPF_REG_1] = caller->regs[BPF_REG_1];
		r[BPF_REG_3] = caller->regs[BPF_REG_4];
		return point_to_kernel_type(env, &r[BPF_REG_2], "vm_area_struct");
	default:
		bc_log(env, "callbacks of %s#%d are not supported\n", bc_helper_name(env, meta->func_id), meta->func_id);
		return -ENOTSUPP;
	}
}

/* Rounds of a callback that are walked with the numbers as they are, if something depends on them; and rounds at all. */
#define EXACT_ROUNDS	64
#define MAX_ROUNDS	256

/*
 * bpf_loop() calls as often as its first argument says, at most; once is always walked, for a callback that is named must be verified.
 * *more: may it call once more?
 */
static int count_loop(struct bpf_verifier_env *env, struct bpf_func_state *f, bool *more)
{
	u64 limit = f->regs[BPF_REG_1].v.umax32;
	int err;

	*more = true;
	/* a pointer is a number too, and one that is not known */
	if (f->regs[BPF_REG_1].type != SCALAR_VALUE || limit > MAX_ROUNDS)
		return 0;
	err = bc_mark_precise(env, BPF_REG_1);
	if (err)
		return err;
	*more = f->callback_depth < max_t(u64, limit, 1);
	f->callback_depth++;
	return 0;
}

/*
 * The helper may call the callback any number of times. The current path goes on as if it did not; another one, put off till later,
 * enters the callback, and comes back to this very instruction.
 */
int bc_push_callback(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_func_state *f = bc_cur_func(env), *callee;
	struct bpf_verifier_state *st;
	bool more = true;
	int err;

	if (env->subprogs[meta->subprogno].is_global) {
		bc_log(env, "callback function not static\n");
		return -EINVAL;
	}
	err = meta->func_id == BPF_FUNC_loop ? count_loop(env, f, &more) : 0;
	if (err)
		return err;
	if (!more) {
		f->callback_depth = 0;
		env->cur->calls_done++;
		return 0;
	}
	st = bc_branch_push(env, env->subprogs[meta->subprogno].start, env->insn_idx);
	if (!st)
		return -EFAULT;
	f->callback_depth = 0;
	env->cur->calls_done++;
	st->rounds++;
	callee = add_frame(env, st, meta->subprogno, &err);
	if (!callee)
		return err;
	err = set_callback_args(env, meta, st->frame[st->curframe], callee);
	if (err)
		return err;
	st->curframe++;
	callee->in_callback_fn = true;
	callee->calls_at_entry = st->calls_done;
	callee->callback_frame = callee->frameno;
	callee->callback_ret_range = bc_tnum_range(0, 1);
	/* the arguments were read by the helper, or made here */
	callee->live.reg_written = 0x3f;
	env->subprogs[meta->subprogno].is_callback = true;
	env->subprogs[meta->subprogno].is_sync_cb = true;
	env->has_callbacks = true;
	return 0;
}

/* ---- returns ---- */

static bool same_value(const struct bpf_scalar *a, const struct bpf_scalar *b)
{
	return bc_scalar_within(a, b) && bc_scalar_within(b, a);
}

static void widen(const struct bpf_reg_state *old, struct bpf_reg_state *cur, bool all)
{
	if (old->type != SCALAR_VALUE || cur->type != SCALAR_VALUE || (!all && (old->precise || cur->precise)))
		return;
	if (same_value(&old->v, &cur->v) && old->id == cur->id)
		return;
	bc_reg_unknown(cur);
}

/* The state in which the callback was called last by the helper's call at work, and how many rounds that has gone. */
static const struct bpf_verifier_state *last_round(const struct bpf_verifier_state *cur, u32 callsite, u32 *rounds)
{
	const struct bpf_verifier_state *st, *last = NULL;

	*rounds = 0;
	for (st = cur->parent; st && *rounds <= MAX_ROUNDS; st = st->parent) {
		if (st->insn_idx != callsite || st->curframe != cur->curframe || st->calls_done != cur->calls_done)
			continue;
		if (!last)
			last = st;
		++*rounds;
	}
	return last;
}

/*
 * Numbers that changed in a round of a callback, and that nothing depends on so far, become any number, so that further rounds find
 * nothing new. When that does not come to an end, so do those that something depends on.
 */
static int widen_changed(struct bpf_verifier_env *env, u32 callsite)
{
	struct bpf_verifier_state *cur = env->cur;
	const struct bpf_verifier_state *old;
	u32 i, j, rounds;
	bool all;

	old = last_round(cur, callsite, &rounds);
	if (!old)
		return 0;
	if (rounds > MAX_ROUNDS) {
		bc_log(env, "The state after the callback at insn %d differs after each of %d rounds\n", callsite, MAX_ROUNDS);
		return -E2BIG;
	}
	all = rounds > EXACT_ROUNDS;
	for (i = 0; i <= cur->curframe; i++) {
		const struct bpf_func_state *fold = old->frame[i];
		struct bpf_func_state *fcur = cur->frame[i];

		if (fold->callsite != fcur->callsite)
			return 0;
		for (j = 0; j < BPF_REG_10; j++)
			widen(&fold->regs[j], &fcur->regs[j], all);
		for (j = 0; j < fold->slot_cnt && j < fcur->slot_cnt; j++)
			if (bc_spilled_reg(fold, j) && bc_spilled_reg(fcur, j))
				widen(&fold->stack[j].spilled, &fcur->stack[j].spilled, all);
	}
	return 0;
}

static int check_callback_result(struct bpf_verifier_env *env, const struct bpf_func_state *callee)
{
	const struct bpf_reg_state *r0 = &callee->regs[BPF_REG_0];
	int err;

	if (r0->type != SCALAR_VALUE) {
		bc_log(env, "R0 not a scalar value\n");
		return -EACCES;
	}
	err = bc_mark_reg_read(env, env->cur, env->cur->curframe, BPF_REG_0);
	if (!err)
		err = bc_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (!bc_tnum_in(callee->callback_ret_range, r0->v.t)) {
		bc_log_bad_range(env, r0, callee->callback_ret_range, "callback return");
		return -EINVAL;
	}
	return 0;
}

/* Exit of a function that was called: its frame goes; env->insn_idx is where the walk goes on. */
int bc_return_from_call(struct bpf_verifier_env *env)
{
	struct bpf_verifier_state *st = env->cur;
	struct bpf_func_state *callee = bc_cur_func(env), *caller = st->frame[st->curframe - 1];
	const struct bpf_reg_state *r0 = &callee->regs[BPF_REG_0];
	bool callback = callee->in_callback_fn;
	u32 callsite = (u32)callee->callsite;
	int err;

	if (r0->type == PTR_TO_STACK) {
		bc_log(env, "cannot return stack pointer to the caller\n");
		return -EINVAL;
	}
	if (callback) {
		err = check_callback_result(env, callee);
		if (err)
			return err;
		env->insn_idx = callsite;
		st->calls_done = callee->calls_at_entry;
	} else {
		caller->regs[BPF_REG_0] = *r0;
		caller->live.reg_written &= ~1;
		caller->live.reg_written |= callee->live.reg_written & 1;
		err = bc_refs_copy(caller, callee);
		if (err)
			return err;
		env->insn_idx = callsite + 1;
	}
	if (LOGS_PATH(env)) {
		bc_log(env, "returning from callee:\n");
		bc_print_frame(env, callee, true);
		bc_log(env, "to caller at %d:\n", env->insn_idx);
		bc_print_frame(env, caller, true);
	}
	bc_frame_free(callee);
	st->frame[st->curframe--] = NULL;
	return callback ? widen_changed(env, callsite) : 0;
}

/* Which results may a program of this type return? False: any. */
static bool result_range(const struct bpf_verifier_env *env, struct tnum *range, int *err)
{
	*err = 0;
	switch (env->prog_type) {
	case BPF_PROG_TYPE_CGROUP_SKB:
		*range = env->expected_attach_type == BPF_CGROUP_INET_EGRESS ? bc_tnum_range(0, 3) : bc_tnum_range(0, 1);
		return true;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		*range = bc_tnum_range(0, 1);
		return true;
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		*range = bc_tnum_const(0);
		return env->args->attach_btf_id != 0;
	case BPF_PROG_TYPE_TRACING:
		switch (env->expected_attach_type) {
		case BPF_TRACE_FENTRY:
		case BPF_TRACE_FEXIT:
			*range = bc_tnum_const(0);
			return true;
		case BPF_TRACE_RAW_TP:
		case BPF_MODIFY_RETURN:
			return false;
		case BPF_TRACE_ITER:
			*range = bc_tnum_range(0, 1);
			return true;
		default:
			*err = -ENOTSUPP;
			return false;
		}
	default:
		return false;
	}
}

int bc_check_return_code(struct bpf_verifier_env *env)
{
	const struct bpf_reg_state *r0 = &bc_cur_regs(env)[BPF_REG_0];
	struct tnum range;
	int err;

	err = bc_reg_use(env, BPF_REG_0);
	if (err)
		return err;
	if (env->cur->frame[0]->in_async_callback_fn)
		return bc_check_async_result(env);
	if (env->cur->frame[0]->subprogno) {
		if (r0->type == SCALAR_VALUE)
			return 0;
		bc_log(env, "At subprogram exit the register R0 is not a scalar value (%s)\n", bc_type_str(env, r0->type));
		return -EINVAL;
	}
	if (!result_range(env, &range, &err))
		return err;
	if (r0->type != SCALAR_VALUE) {
		bc_log(env, "At program exit the register R0 is not a known value (%s)\n", bc_type_str(env, r0->type));
		return -EINVAL;
	}
	/* other values might be out of range: this one counts */
	err = bc_mark_precise(env, BPF_REG_0);
	if (err)
		return err;
	if (!bc_tnum_in(range, r0->v.t)) {
		bc_log_bad_range(env, r0, range, "program exit");
		return -EINVAL;
	}
	return 0;
}

/* ---- spin locks ---- */

int bc_check_spin_lock(struct bpf_verifier_env *env, u32 regno, bool lock)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	struct bpf_verifier_state *st = env->cur;
	s64 off = (s64)reg->v.t.value + reg->off;

	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "R%d doesn't have constant offset. bpf_spin_lock has to be at the constant offset\n", regno);
		return -EINVAL;
	}
	if (!map->btf) {
		bc_log(env, "map '%s' has to have BTF in order to use bpf_spin_lock\n", map->name);
		return -EINVAL;
	}
	if (map->spin_lock_off < 0) {
		if (map->spin_lock_off == -E2BIG)
			bc_log(env, "map '%s' has more than one 'struct bpf_spin_lock'\n", map->name);
		else if (map->spin_lock_off == -ENOENT || map->spin_lock_off == -1)
			bc_log(env, "map '%s' doesn't have 'struct bpf_spin_lock'\n", map->name);
		else
			bc_log(env, "map '%s' is not a struct type or bpf_spin_lock is mangled\n", map->name);
		return -EINVAL;
	}
	if (map->spin_lock_off != off) {
		bc_log(env, "off %lld doesn't point to 'struct bpf_spin_lock'\n", off);
		return -EINVAL;
	}
	if (lock) {
		if (st->active_spin_lock) {
			bc_log(env, "Locking two bpf_spin_locks are not allowed\n");
			return -EINVAL;
		}
		st->active_spin_lock = reg->id;
		return 0;
	}
	if (!st->active_spin_lock) {
		bc_log(env, "bpf_spin_unlock without taking a lock\n");
		return -EINVAL;
	}
	if (st->active_spin_lock != reg->id) {
		bc_log(env, "bpf_spin_unlock of different lock\n");
		return -EINVAL;
	}
	st->active_spin_lock = 0;
	return 0;
}
