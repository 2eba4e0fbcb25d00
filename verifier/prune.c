/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * States stored at instructions, so that a path that arrives in a state covered by one walked before need not be walked again, and so
 * that a path that goes round in a circle is found.
 */
#include "internal.h"

/* ---- does a stored register, slot, state cover the current one? ---- */

static bool same_scalar(const struct bpf_scalar *a, const struct bpf_scalar *b)
{
	return a->t.value == b->t.value && a->t.mask == b->t.mask && a->umin == b->umin && a->umax == b->umax && a->smin == b->smin &&
	       a->smax == b->smax && a->umin32 == b->umin32 && a->umax32 == b->umax32 && a->smin32 == b->smin32 && a->smax32 == b->smax32;
}

static bool same_object(const struct bpf_reg_state *a, const struct bpf_reg_state *b)
{
	return a->type == b->type && a->off == b->off && a->raw.raw1 == b->raw.raw1 && a->raw.raw2 == b->raw.raw2;
}

static bool same_reg(const struct bpf_reg_state *a, const struct bpf_reg_state *b)
{
	return same_object(a, b) && a->id == b->id && a->ref_obj_id == b->ref_obj_id && same_scalar(&a->v, &b->v) &&
	       (a->type != PTR_TO_STACK || a->frameno == b->frameno);
}

/* Registers that shared an id in the stored state must share one now; its number does not matter. */
static bool ids_fit(struct bpf_verifier_env *env, u32 old, u32 cur)
{
	u32 i;

	if (!old)
		return true;
	/* alone with its value: an id of its own */
	if (!cur)
		cur = U32_MAX - env->idmap_fresh++;
	for (i = 0; i < env->idmap_cnt; i++)
		if (env->idmap[i].old == old)
			return env->idmap[i].cur == cur;
	if (env->idmap_cnt == BC_ID_MAP)
		return false;
	env->idmap[env->idmap_cnt].old = old;
	env->idmap[env->idmap_cnt++].cur = cur;
	return true;
}

static bool scalar_covers(struct bpf_verifier_env *env, const struct bpf_reg_state *old, const struct bpf_reg_state *cur, bool exact)
{
	if (cur->type != SCALAR_VALUE)
		return false;
	if (!old->precise && !exact)
		return true;
	return bc_scalar_within(&old->v, &cur->v) && ids_fit(env, old->id, cur->id);
}

static bool packet_covers(struct bpf_verifier_env *env, const struct bpf_reg_state *old, const struct bpf_reg_state *cur)
{
	if (cur->type != old->type || cur->off != old->off)
		return false;
	/* at or past the end is a different thing from some bytes before it */
	if (old->range < 0 || cur->range < 0 ? old->range != cur->range : old->range > cur->range)
		return false;
	return ids_fit(env, old->id, cur->id) && bc_scalar_within(&old->v, &cur->v);
}

/* @exact: liveness and precision are not known yet, so that everything counts. */
static bool reg_covers(struct bpf_verifier_env *env, const struct bpf_reg_state *old, const struct bpf_reg_state *cur, bool exact)
{
	if (old->type == NOT_INIT)
		return true;
	switch (BC_BASE_TYPE(old->type)) {
	case SCALAR_VALUE:
		return scalar_covers(env, old, cur, exact);
	case PTR_TO_MAP_KEY:
	case PTR_TO_MAP_VALUE:
		if (!same_object(old, cur))
			return false;
		if (old->type & PTR_MAYBE_NULL)
			return ids_fit(env, old->id, cur->id);
		/* an id says which element, which matters where it has a lock */
		return bc_scalar_within(&old->v, &cur->v) && ids_fit(env, old->id, cur->id);
	case PTR_TO_PACKET_META:
	case PTR_TO_PACKET:
		return packet_covers(env, old, cur);
	default:
		return same_reg(old, cur);
	}
}

/* Never written or any value: whatever is there now is no worse. */
static bool holds_anything(u8 type)
{
	return type == STACK_INVALID || type == STACK_MISC;
}

static bool is_dynptr(const struct bpf_func_state *f, u32 slot)
{
	return slot < f->slot_cnt && f->stack[slot].slot_type[0] == STACK_DYNPTR;
}

/* References are compared by their numbers (refs_same), and so is whose record it is. */
static bool same_dynptr(const struct bpf_reg_state *a, const struct bpf_reg_state *b)
{
	return a->dynptr_type == b->dynptr_type && a->dynptr_first == b->dynptr_first && a->ref_obj_id == b->ref_obj_id;
}

static bool slot_covers(struct bpf_verifier_env *env, const struct bpf_func_state *old, const struct bpf_func_state *cur, u32 slot, bool exact)
{
	const struct bpf_stack_state *o = &old->stack[slot], *c;
	u32 i;

	/* a dynptr is not even any bytes, for it may not be read and written as they may */
	if (is_dynptr(old, slot) || is_dynptr(cur, slot))
		return is_dynptr(old, slot) && is_dynptr(cur, slot) && same_dynptr(&o->spilled, &cur->stack[slot].spilled);
	for (i = 0; i < BC_REG_BYTES; i++) {
		if (holds_anything(o->slot_type[i]))
			continue;
		if (slot >= cur->slot_cnt)
			return false;
		if (o->slot_type[i] != cur->stack[slot].slot_type[i])
			return false;
	}
	if (!bc_spilled_reg(old, slot))
		return true;
	c = &cur->stack[slot];
	return reg_covers(env, &o->spilled, &c->spilled, exact);
}

static bool refs_same(const struct bpf_func_state *old, const struct bpf_func_state *cur)
{
	u32 i;

	if (old->ref_cnt != cur->ref_cnt)
		return false;
	for (i = 0; i < old->ref_cnt; i++)
		if (old->refs[i].id != cur->refs[i].id || old->refs[i].insn_idx != cur->refs[i].insn_idx ||
		    old->refs[i].callback_frame != cur->refs[i].callback_frame)
			return false;
	return true;
}

static bool frame_covers(struct bpf_verifier_env *env, const struct bpf_func_state *old, const struct bpf_func_state *cur, bool exact)
{
	u32 i;

	/* fewer calls left than there were on the way that was walked */
	if (old->callback_depth > cur->callback_depth)
		return false;
	for (i = 0; i < BPF_REG_10; i++)
		if ((exact || (old->live.reg_read >> i & 1)) && !reg_covers(env, &old->regs[i], &cur->regs[i], exact))
			return false;
	for (i = 0; i < old->slot_cnt; i++)
		if ((exact || (old->live.slot_read >> i & 1)) && !slot_covers(env, old, cur, i, exact))
			return false;
	/* below what the stack was then, a dynptr may have been made since, where by now there is one */
	for (; i < cur->slot_cnt; i++)
		if (is_dynptr(cur, i))
			return false;
	return refs_same(old, cur);
}

static bool same_callsites(const struct bpf_verifier_state *a, const struct bpf_verifier_state *b)
{
	u32 i;

	if (a->curframe != b->curframe)
		return false;
	for (i = 0; i <= a->curframe; i++)
		if (a->frame[i]->callsite != b->frame[i]->callsite)
			return false;
	return a->frame[0]->in_async_callback_fn == b->frame[0]->in_async_callback_fn;
}

static bool state_covers(struct bpf_verifier_env *env, const struct bpf_verifier_state *old, const struct bpf_verifier_state *cur, bool exact)
{
	u32 i;

	if (!same_callsites(old, cur) || old->active_spin_lock != cur->active_spin_lock)
		return false;
	env->idmap_cnt = 0;
	env->idmap_fresh = 0;
	if (old->active_spin_lock && !ids_fit(env, old->active_spin_lock, cur->active_spin_lock))
		return false;
	for (i = 0; i <= old->curframe; i++)
		if (!frame_covers(env, old->frame[i], cur->frame[i], exact))
			return false;
	return true;
}

/* The registers are the very same: a circle, unless memory differs. The next call of a callback is none, for the helper ends it. */
static bool may_circle(const struct bpf_verifier_state *old, const struct bpf_verifier_state *cur)
{
	u32 i;

	if (old->curframe != cur->curframe || old->rounds != cur->rounds)
		return false;
	for (i = 0; i < MAX_BPF_REG; i++)
		if (!same_reg(&old->frame[old->curframe]->regs[i], &cur->frame[cur->curframe]->regs[i]))
			return false;
	return true;
}

/* ---- a covered state takes on what was found out about the one that covers it ---- */

static int adopt_reads(struct bpf_verifier_env *env, const struct bpf_verifier_state *old)
{
	struct bpf_verifier_state *cur = env->cur;
	u32 fr, i;
	int err;

	for (fr = 0; fr <= old->curframe; fr++) {
		const struct bpf_liveness *live = &old->frame[fr]->live;

		/* of a caller's registers only r6 to r9 outlive the call */
		for (i = fr < old->curframe ? BPF_REG_6 : 0; i < BPF_REG_10; i++) {
			if (!(live->reg_read >> i & 1))
				continue;
			err = bc_mark_reg_read(env, cur, fr, i);
			if (err)
				return err;
		}
		for (i = 0; i < old->frame[fr]->slot_cnt && i < cur->frame[fr]->slot_cnt; i++) {
			if (!(live->slot_read >> i & 1))
				continue;
			err = bc_mark_slot_read(env, cur, fr, i);
			if (err)
				return err;
		}
	}
	return 0;
}

/*
 * A round of a callback came back in a state that the walk of the first one covers, but that walk is not finished: what it will have
 * read is not known. So all of it counts as read, and as relied upon, in the states of this path.
 */
static int adopt_everything(struct bpf_verifier_env *env)
{
	struct bpf_verifier_state *cur = env->cur;
	u32 fr, i;
	int err;

	for (fr = 0; fr <= cur->curframe; fr++) {
		for (i = fr < cur->curframe ? BPF_REG_6 : 0; i < BPF_REG_10; i++) {
			if (cur->frame[fr]->regs[i].type == NOT_INIT)
				continue;
			err = bc_mark_reg_read(env, cur, fr, i);
			if (err)
				return err;
		}
		for (i = 0; i < cur->frame[fr]->slot_cnt; i++) {
			err = bc_mark_slot_read(env, cur, fr, i);
			if (err)
				return err;
		}
	}
	bc_mark_all_precise(cur->parent);
	return 0;
}

/* ---- the lists ---- */

/* Nothing more will be found out about this state: what was not read need not be compared. */
static void drop_unread(struct bpf_verifier_state *st)
{
	u32 fr, i;

	if (st->frame[0]->live.done)
		return;
	for (fr = 0; fr <= st->curframe; fr++) {
		struct bpf_func_state *f = st->frame[fr];

		for (i = 0; i < BPF_REG_10; i++)
			if (!(f->live.reg_read >> i & 1))
				bc_reg_not_init(&f->regs[i]);
		for (i = 0; i < f->slot_cnt; i++)
			if (!(f->live.slot_read >> i & 1)) {
				bc_reg_not_init(&f->stack[i].spilled);
				memset(f->stack[i].slot_type, STACK_INVALID, BC_REG_BYTES);
			}
		f->live.done = true;
	}
}

static void list_free(struct bpf_state_list *sl)
{
	while (sl) {
		struct bpf_state_list *next = sl->next;

		bc_state_release(&sl->state);
		port_free(sl);
		sl = next;
	}
}

void bc_states_free(struct bpf_verifier_env *env)
{
	u32 i;

	list_free(env->free_list);
	env->free_list = NULL;
	for (i = 0; i < env->insn_cnt; i++) {
		list_free(env->aux[i].states);
		env->aux[i].states = NULL;
	}
}

/* Takes a state that never covers anything out of its list. */
static void retire(struct bpf_verifier_env *env, struct bpf_state_list **pos)
{
	struct bpf_state_list *sl = *pos;

	*pos = sl->next;
	if (sl->state.frame[0]->live.done) {
		sl->next = NULL;
		list_free(sl);
		env->peak_states--;
	} else {
		/* still some state's parent */
		sl->next = env->free_list;
		env->free_list = sl;
	}
}

static int store_current(struct bpf_verifier_env *env)
{
	struct bpf_verifier_state *cur = env->cur;
	struct bpf_state_list *sl = port_zalloc(sizeof(*sl));
	u32 i;
	int err;

	if (!sl)
		return -ENOMEM;
	env->total_states++;
	env->peak_states++;
	env->prev_jmps_processed = env->jmps_processed;
	env->prev_insn_processed = env->insn_processed;
	/* what is relied upon from here on will be marked in the new state */
	bc_forget_precise(cur);
	err = bc_state_copy(&sl->state, cur);
	if (err) {
		bc_state_release(&sl->state);
		port_free(sl);
		return err;
	}
	sl->state.insn_idx = env->insn_idx;
	sl->next = env->aux[env->insn_idx].states;
	env->aux[env->insn_idx].states = sl;

	cur->parent = &sl->state;
	cur->first_insn_idx = env->insn_idx;
	cur->jmp_cnt = 0;
	/* what was written so far was written before the new state */
	for (i = 0; i <= cur->curframe; i++) {
		cur->frame[i]->live.reg_read = 0;
		cur->frame[i]->live.reg_written = 0;
		cur->frame[i]->live.slot_read = 0;
		cur->frame[i]->live.slot_written = 0;
	}
	return 0;
}

static int record_jump(struct bpf_verifier_env *env)
{
	return env->aux[env->insn_idx].jmp_point ? bc_history_push(env, env->cur, NULL) : 0;
}

/* Tests want to see every state that can be. */
static bool may_prune(const struct bpf_verifier_env *env)
{
#ifndef __KERNEL__
	return !env->no_prune;
#else
	return true;
#endif
}

/*
 * A callback that runs by itself, and was entered once more before the walk of an earlier entry was done: no circle, however alike they
 * are, and nothing to rely on either.
 */
static bool async_again(const struct bpf_verifier_state *old, const struct bpf_verifier_state *cur)
{
	return old->frame[0]->in_async_callback_fn && old->frame[0]->async_entry_cnt != cur->frame[0]->async_entry_cnt;
}

/* Since a state was stored last. */
static bool few_since(const struct bpf_verifier_env *env)
{
	return env->jmps_processed - env->prev_jmps_processed < 20 && env->insn_processed - env->prev_insn_processed < 100;
}

/* Looks for a stored state that covers the current one. 1: found; 0: none; or an error. *add: whether to store the current one. */
static int search(struct bpf_verifier_env *env, bool *add)
{
	struct bpf_verifier_state *cur = env->cur;
	struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	struct bpf_state_list **pos = &aux->states, *sl;
	u32 cnt = 0;
	int err;

	while ((sl = *pos) != NULL) {
		struct bpf_verifier_state *old = &sl->state;

		if (!same_callsites(old, cur)) {
			pos = &sl->next;
			continue;
		}
		cnt++;
		if (!old->branches) {
			drop_unread(old);
			if (may_prune(env) && state_covers(env, old, cur, false)) {
				sl->hit_cnt++;
				err = adopt_reads(env, old);
				if (!err)
					err = record_jump(env);
				if (!err)
					err = bc_precision_of(env, old);
				return err ? err : 1;
			}
		} else if (async_again(old, cur)) {
			if (few_since(env))
				*add = false;
		} else if (aux->callback_point && old->calls_done == cur->calls_done) {
			if (state_covers(env, old, cur, true)) {
				err = adopt_everything(env);
				return err ? err : 1;
			}
		} else {
			/* rounds of callbacks end; a path that comes again to the helper's call, with nothing new, does not */
			if (may_circle(old, cur) ? state_covers(env, old, cur, false) : aux->callback_point && state_covers(env, old, cur, true)) {
				bc_log_source(env, env->insn_idx, "; ");
				bc_log(env, "infinite loop detected at insn %d\n", env->insn_idx);
				return -EINVAL;
			}
			/* rounds of a loop differ, and are not worth storing one by one */
			if (few_since(env))
				*add = false;
		}
		if (*add)
			sl->miss_cnt++;
		if (sl->miss_cnt > sl->hit_cnt * 3 + 3 && !aux->callback_point) {
			retire(env, pos);
			continue;
		}
		pos = &sl->next;
	}
	env->max_states_per_insn = max(env->max_states_per_insn, cnt);
	return 0;
}

static noinline int seen_at_prune_point(struct bpf_verifier_env *env)
{
	const struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	bool add;
	int err;

	/* not every branch is worth a state */
	add = env->test_state_freq || aux->callback_point ||
	      (env->jmps_processed - env->prev_jmps_processed >= 2 && env->insn_processed - env->prev_insn_processed >= 8);
	err = search(env, &add);
	if (err)
		return err;
	return add || aux->callback_point ? store_current(env) : record_jump(env);
}

/* Of most instructions the answer is no, at once. */
int bc_state_seen(struct bpf_verifier_env *env)
{
	env->cur->last_insn_idx = env->prev_insn_idx;
	env->step_pushed = false;
	return env->aux[env->insn_idx].prune_point ? seen_at_prune_point(env) : record_jump(env);
}
