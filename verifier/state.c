/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Program states: made, copied, freed; references held; and the branches put off till later.
 */
#include "internal.h"

static int copy_array(void **dst, u32 *dst_cnt, const void *src, u32 cnt, size_t size)
{
	void *p;

	if (!cnt) {
		port_free(*dst);
		*dst = NULL;
		*dst_cnt = 0;
		return 0;
	}
	if (*dst_cnt != cnt || !*dst) {
		p = port_zalloc(cnt * size);
		if (!p)
			return -ENOMEM;
		port_free(*dst);
		*dst = p;
		*dst_cnt = cnt;
	}
	memcpy(*dst, src, cnt * size);
	return 0;
}

int bc_refs_copy(struct bpf_func_state *dst, const struct bpf_func_state *src)
{
	return copy_array((void **)&dst->refs, &dst->ref_cnt, src->refs, src->ref_cnt, sizeof(*src->refs));
}

static int frame_copy(struct bpf_func_state *dst, const struct bpf_func_state *src)
{
	struct bpf_reference_state *refs = dst->refs;
	struct bpf_stack_state *stack = dst->stack;
	u32 ref_cnt = dst->ref_cnt, slot_cnt = dst->slot_cnt;
	int err;

	*dst = *src;
	dst->refs = refs;
	dst->ref_cnt = ref_cnt;
	dst->stack = stack;
	dst->slot_cnt = slot_cnt;
	err = bc_refs_copy(dst, src);
	if (err)
		return err;
	return copy_array((void **)&dst->stack, &dst->slot_cnt, src->stack, src->slot_cnt, sizeof(*src->stack));
}

void bc_frame_free(struct bpf_func_state *f)
{
	if (!f)
		return;
	port_free(f->refs);
	port_free(f->stack);
	port_free(f);
}

struct bpf_func_state *bc_frame_new(struct bpf_verifier_env *env, s32 callsite, u32 frameno, u32 subprogno)
{
	struct bpf_func_state *f = port_zalloc(sizeof(*f));
	u32 i;

	if (!f)
		return NULL;
	f->callsite = callsite;
	f->frameno = frameno;
	f->subprogno = subprogno;
	f->callback_ret_range = bc_tnum_range(0, 0);
	for (i = 0; i < MAX_BPF_REG; i++)
		bc_reg_not_init(&f->regs[i]);
	bc_reg_pointer(&f->regs[BPF_REG_10], PTR_TO_STACK);
	f->regs[BPF_REG_10].frameno = frameno;
	env->subprogs[subprogno].reached = true;
	bc_scratch_all(env);
	return f;
}

/* @dst may hold frames and history of before; on failure it holds some, to be released. */
int bc_state_copy(struct bpf_verifier_state *dst, const struct bpf_verifier_state *src)
{
	u32 i;
	int err;

	err = copy_array((void **)&dst->jmps, &dst->jmp_cnt, src->jmps, src->jmp_cnt, sizeof(*src->jmps));
	if (err)
		return err;
	dst->jmp_room = dst->jmp_cnt;
	for (i = src->curframe + 1; i < BC_MAX_CALL_FRAMES; i++) {
		bc_frame_free(dst->frame[i]);
		dst->frame[i] = NULL;
	}
	dst->parent = src->parent;
	dst->branches = src->branches;
	dst->curframe = src->curframe;
	dst->insn_idx = src->insn_idx;
	dst->rounds = src->rounds;
	dst->calls_done = src->calls_done;
	dst->active_spin_lock = src->active_spin_lock;
	dst->first_insn_idx = src->first_insn_idx;
	dst->last_insn_idx = src->last_insn_idx;
	for (i = 0; i <= src->curframe; i++) {
		if (!dst->frame[i]) {
			dst->frame[i] = port_zalloc(sizeof(*dst->frame[i]));
			if (!dst->frame[i])
				return -ENOMEM;
		}
		err = frame_copy(dst->frame[i], src->frame[i]);
		if (err)
			return err;
	}
	return 0;
}

void bc_state_release(struct bpf_verifier_state *st)
{
	u32 i;

	for (i = 0; i < BC_MAX_CALL_FRAMES; i++) {
		bc_frame_free(st->frame[i]);
		st->frame[i] = NULL;
	}
	port_free(st->jmps);
	st->jmps = NULL;
	st->jmp_cnt = 0;
	st->jmp_room = 0;
}

void bc_state_free(struct bpf_verifier_state *st)
{
	if (!st)
		return;
	bc_state_release(st);
	port_free(st);
}

/* Makes room for @bytes of stack, counted from the frame pointer down. */
int bc_frame_grow(struct bpf_verifier_env *env, struct bpf_func_state *f, u32 bytes)
{
	u32 slots = (bytes + BC_REG_BYTES - 1) / BC_REG_BYTES;
	struct bpf_stack_state *stack;

	if (slots <= f->slot_cnt)
		return 0;
	stack = port_realloc(f->stack, f->slot_cnt * sizeof(*stack), slots * sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	f->stack = stack;
	f->slot_cnt = slots;
	if (env->subprogs[f->subprogno].stack_depth < slots * BC_REG_BYTES)
		env->subprogs[f->subprogno].stack_depth = slots * BC_REG_BYTES;
	return 0;
}

int bc_ref_acquire(struct bpf_verifier_env *env, u32 insn_idx)
{
	struct bpf_func_state *f = bc_cur_func(env);
	struct bpf_reference_state *refs;

	refs = port_realloc(f->refs, f->ref_cnt * sizeof(*refs), (f->ref_cnt + 1) * sizeof(*refs));
	if (!refs)
		return -ENOMEM;
	f->refs = refs;
	refs += f->ref_cnt++;
	refs->id = ++env->id_gen;
	refs->insn_idx = insn_idx;
	refs->callback_frame = f->callback_frame;
	return refs->id;
}

int bc_ref_drop(struct bpf_func_state *f, u32 id)
{
	u32 i;

	for (i = 0; i < f->ref_cnt; i++) {
		if (f->refs[i].id != id)
			continue;
		/*
		 * A callback, or a function that it calls, may not give back what the callback's caller holds: it may be called again. (Linux
		 * 6.1 looks at the callback itself only.)
		 */
		if (f->refs[i].callback_frame != f->callback_frame)
			return -EINVAL;
		f->refs[i] = f->refs[--f->ref_cnt];
		memset(&f->refs[f->ref_cnt], 0, sizeof(f->refs[0]));
		if (!f->ref_cnt) {
			port_free(f->refs);
			f->refs = NULL;
		}
		return 0;
	}
	return -EINVAL;
}

/* @p's state is to be walked later, from @insn_idx. NULL, with @p queued all the same, when there are too many. */
static struct bpf_verifier_state *queue(struct bpf_verifier_env *env, struct bpf_pending *p, u32 insn_idx, u32 prev_insn_idx, const char *of)
{
	p->insn_idx = insn_idx;
	p->prev_insn_idx = prev_insn_idx;
	p->log_pos = env->log.len_used;
	p->next = env->pending;
	env->pending = p;
	env->pending_cnt++;
	if (env->pending_cnt > BC_MAX_JMP_STACK) {
		bc_log(env, "The sequence of %d jumps is too complex%s.\n", env->pending_cnt, of);
		return NULL;
	}
	return &p->st;
}

struct bpf_verifier_state *bc_branch_push(struct bpf_verifier_env *env, u32 insn_idx, u32 prev_insn_idx)
{
	struct bpf_pending *p = port_zalloc(sizeof(*p));

	if (!p)
		return NULL;
	if (bc_state_copy(&p->st, env->cur)) {
		bc_state_release(&p->st);
		port_free(p);
		return NULL;
	}
	if (p->st.parent)
		p->st.parent->branches++;
	return queue(env, p, insn_idx, prev_insn_idx, "");
}

struct bpf_verifier_state *bc_async_push(struct bpf_verifier_env *env, u32 insn_idx, u32 prev_insn_idx, struct bpf_func_state *frame)
{
	struct bpf_pending *p = port_zalloc(sizeof(*p));

	if (!p) {
		bc_frame_free(frame);
		return NULL;
	}
	p->st.frame[0] = frame;
	p->st.branches = 1;
	p->st.first_insn_idx = insn_idx;
	return queue(env, p, insn_idx, prev_insn_idx, " for async cb");
}

int bc_branch_pop(struct bpf_verifier_env *env, u32 *prev_insn_idx, u32 *insn_idx, bool pop_log)
{
	struct bpf_pending *p = env->pending;
	struct bpf_verifier_state old;

	if (!p)
		return -ENOENT;
	if (pop_log)
		bc_log_reset(&env->log, p->log_pos);
	*insn_idx = p->insn_idx;
	*prev_insn_idx = p->prev_insn_idx;
	env->pending = p->next;
	env->pending_cnt--;
	/* the put-off state becomes the current one; no copying needed */
	old = *env->cur;
	*env->cur = p->st;
	bc_state_release(&old);
	port_free(p);
	return 0;
}

void bc_branches_drop(struct bpf_verifier_env *env)
{
	while (env->pending) {
		struct bpf_pending *p = env->pending;

		env->pending = p->next;
		bc_state_release(&p->st);
		port_free(p);
	}
	env->pending_cnt = 0;
}

/* A path from @st has ended: states whose last path this was are complete. */
void bc_branch_done(struct bpf_verifier_env *env, struct bpf_verifier_state *st)
{
	while (st) {
		if (st->branches)
			st->branches--;
		if (st->branches)
			break;
		st = st->parent;
	}
}
