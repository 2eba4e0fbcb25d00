/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Precision: most numbers may be any value without the program being less safe, so states that differ in them are equal. Where one is
 * relied upon, the walk goes back over the instructions executed and marks what it was computed from, in each stored state.
 */
#include "internal.h"

#define GIVE_UP		1	/* not followed: everything counts */
#define FUNC_ARGS	0x3e	/* r1 to r5 */
#define CALLEE_SAVED	0x3c0	/* r6 to r9 */

int bc_history_push(struct bpf_verifier_env *env, struct bpf_verifier_state *st, const struct bpf_jmp_step *what)
{
	struct bpf_jmp_step *p;
	u32 room;

	if (env->step_pushed && st->jmp_cnt) {
		p = &st->jmps[st->jmp_cnt - 1];
	} else {
		if (st->jmp_cnt == st->jmp_room) {
			room = st->jmp_room ? st->jmp_room * 2 : 4;
			p = port_realloc(st->jmps, st->jmp_room * sizeof(*p), room * sizeof(*p));
			if (!p)
				return -ENOMEM;
			st->jmps = p;
			st->jmp_room = room;
		}
		p = &st->jmps[st->jmp_cnt++];
		memset(p, 0, sizeof(*p));
		env->step_pushed = true;
	}
	if (what)
		*p = *what;
	p->idx = env->insn_idx;
	p->prev_idx = env->prev_insn_idx;
	return 0;
}

static void mark_frame(struct bpf_func_state *f, bool precise)
{
	struct bpf_reg_state *reg;
	u32 i;

	for (i = 0; i < BPF_REG_10; i++)
		if (f->regs[i].type == SCALAR_VALUE)
			f->regs[i].precise = precise;
	for (i = 0; i < f->slot_cnt; i++) {
		reg = bc_spilled_reg(f, i);
		if (reg && reg->type == SCALAR_VALUE)
			reg->precise = precise;
	}
}

void bc_mark_all_precise(struct bpf_verifier_state *st)
{
	u32 i;

	for (; st; st = st->parent)
		for (i = 0; i <= st->curframe; i++)
			mark_frame(st->frame[i], true);
}

void bc_forget_precise(struct bpf_verifier_state *st)
{
	u32 i;

	for (i = 0; i <= st->curframe; i++)
		mark_frame(st->frame[i], false);
}

/* ---- one instruction back ---- */

/* The stack slot an access went to: the mask of all slots tracked in its frame; NULL when the instruction did not access the stack so. */
static u64 *slot_of_access(struct bpf_backtrack *bt, const struct bpf_insn *insn, u32 base, const struct bpf_jmp_step *step, u32 *slot)
{
	if (base == BPF_REG_10) {
		*slot = (u32)(-insn->off - 1) / BC_REG_BYTES;
		return *slot < BC_STACK_SLOTS ? &bt->slots[bt->frame] : NULL;
	}
	if (!step || !step->stack)
		return NULL;
	*slot = step->slot;
	return &bt->slots[step->frame];
}

static void back_alu(struct bpf_backtrack *bt, const struct bpf_insn *insn)
{
	u16 *regs = &bt->regs[bt->frame];
	u8 op = BPF_OP(insn->code);

	if (!(*regs >> insn->dst_reg & 1) || op == BPF_END || op == BPF_NEG)
		return;
	if (op == BPF_MOV)
		*regs &= ~(1U << insn->dst_reg);
	if (BPF_SRC(insn->code) == BPF_X && insn->src_reg != BPF_REG_10)
		*regs |= 1U << insn->src_reg;
}

static void back_load(struct bpf_backtrack *bt, const struct bpf_insn *insn, u32 load_reg, u32 base, const struct bpf_jmp_step *step)
{
	u16 *regs = &bt->regs[bt->frame];
	u64 *slots;
	u32 slot;

	if (!(*regs & 1U << load_reg))
		return;
	*regs &= ~(1U << load_reg);
	/* elsewhere than on the stack numbers are not kept, and what comes back is any number */
	slots = slot_of_access(bt, insn, base, step, &slot);
	if (slots)
		*slots |= 1ULL << slot;
}

static int back_store(struct bpf_backtrack *bt, const struct bpf_insn *insn, const struct bpf_jmp_step *step)
{
	u16 *regs = &bt->regs[bt->frame];
	u64 *slots;
	u32 slot;

	/* the base is a pointer, so a number is no longer the one sought */
	if (*regs & 1U << insn->dst_reg)
		return GIVE_UP;
	slots = slot_of_access(bt, insn, insn->dst_reg, step, &slot);
	if (!slots || !(*slots & 1ULL << slot))
		return 0;
	*slots &= ~(1ULL << slot);
	if (BPF_CLASS(insn->code) == BPF_STX)
		*regs |= 1U << insn->src_reg;
	return 0;
}

/* Back over a call instruction; @next is what was executed after it. */
static int back_call(struct bpf_verifier_env *env, struct bpf_backtrack *bt, const struct bpf_insn *insn, u32 idx, u32 next)
{
	u16 *regs = &bt->regs[bt->frame];
	u16 args;

	if (next == idx + 1) {
		/* it was not walked into: it set r0 */
		*regs &= ~1U;
		return *regs & FUNC_ARGS ? GIVE_UP : 0;
	}
	if (insn->src_reg != BPF_PSEUDO_CALL || next != (u32)(idx + insn->imm + 1) || !bt->frame)
		return GIVE_UP;
	/* out of the function's start, into its caller */
	if ((*regs & ~FUNC_ARGS) || bt->slots[bt->frame])
		return GIVE_UP;
	args = *regs;
	*regs = 0;
	bt->frame--;
	bt->regs[bt->frame] |= args;
	return 0;
}

/* Back over an exit, into the function that returned. */
static int back_exit(struct bpf_verifier_env *env, struct bpf_backtrack *bt, u32 next)
{
	const struct bpf_insn *call;
	u16 *regs = &bt->regs[bt->frame];
	u16 result;

	if (!next || next > env->insn_cnt || bt->frame + 1 >= BC_MAX_CALL_FRAMES)
		return GIVE_UP;
	call = &env->insns[next - 1];
	if (call->code != (BPF_JMP | BPF_CALL) || call->src_reg != BPF_PSEUDO_CALL || (*regs & FUNC_ARGS))
		return GIVE_UP;
	result = *regs & 1;
	*regs &= ~1U;
	bt->frame++;
	bt->regs[bt->frame] = result;
	bt->slots[bt->frame] = 0;
	return 0;
}

/* A comparison narrowed all that shared the id of what it compared: if one of them counts, all do. */
static int back_linked(struct bpf_backtrack *bt, const struct bpf_jmp_step *step)
{
	u32 i;

	if (!step || !step->linked)
		return 0;
	if (step->frame != bt->frame)
		return GIVE_UP;
	if (step->linked_far)
		for (i = 0; i < bt->frame; i++)
			if (bt->regs[i] || bt->slots[i])
				return GIVE_UP;
	if (!(bt->regs[bt->frame] & step->link_regs) && !(bt->slots[bt->frame] & step->link_slots))
		return 0;
	bt->regs[bt->frame] |= step->link_regs;
	bt->slots[bt->frame] |= step->link_slots;
	return step->linked_far ? GIVE_UP : 0;
}

static int back_jump(struct bpf_verifier_env *env, struct bpf_backtrack *bt, u32 idx, u32 next, const struct bpf_jmp_step *step)
{
	const struct bpf_insn *insn = &env->insns[idx];
	u16 both = 1U << insn->dst_reg | 1U << insn->src_reg;

	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		return back_call(env, bt, insn, idx, next);
	case BPF_EXIT:
		return back_exit(env, bt, next);
	case BPF_JA:
		return 0;
	default:
		break;
	}
	if (back_linked(bt, step))
		return GIVE_UP;
	if (BPF_SRC(insn->code) != BPF_X || !(bt->regs[bt->frame] & both))
		return 0;
	bt->regs[bt->frame] |= both & ~(1U << BPF_REG_10);
	return back_linked(bt, step);
}

/* Turns what counts after instruction @idx into what counts before it. 0, or GIVE_UP. */
static int back_over(struct bpf_verifier_env *env, u32 idx, u32 next, const struct bpf_jmp_step *step)
{
	const struct bpf_insn *insn = &env->insns[idx];
	struct bpf_backtrack *bt = &env->bt;

	if (unlikely(env->log.level & BC_LOG_LEVEL2) && insn->code) {
		bc_log(env, "regs=%x stack=%llx before %d: ", bt->regs[bt->frame], bt->slots[bt->frame], idx);
		bc_print_insn(env, idx);
	}
	/* first, as there are most of them */
	if (BPF_CLASS(insn->code) == BPF_ALU64 || BPF_CLASS(insn->code) == BPF_ALU) {
		back_alu(bt, insn);
		return 0;
	}
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		back_load(bt, insn, insn->dst_reg, insn->src_reg, step);
		return 0;
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC && (insn->imm & BPF_FETCH)) {
			back_load(bt, insn, insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg, insn->dst_reg, step);
			return 0;
		}
		return back_store(bt, insn, step);
	case BPF_ST:
		return back_store(bt, insn, step);
	case BPF_JMP:
	case BPF_JMP32:
		return back_jump(env, bt, idx, next, step);
	default:
		/* of a 64-bit constant, the second half */
		if (!insn->code)
			return 0;
		/* a packet load may have ended its function; else it set r0 */
		if (BPF_MODE(insn->code) != BPF_IMM)
			return next == idx + 1 && !(bt->regs[bt->frame] & 0x3f) ? 0 : GIVE_UP;
		bt->regs[bt->frame] &= ~(1U << insn->dst_reg);
		return 0;
	}
}

/* ---- the walk back ---- */

static noinline bool nothing_above(const struct bpf_backtrack *bt)
{
	u32 i;

	for (i = 0; i < bt->frame; i++)
		if (bt->regs[i] || bt->slots[i])
			return false;
	return true;
}

static inline bool nothing_left(const struct bpf_backtrack *bt)
{
	return !bt->regs[bt->frame] && !bt->slots[bt->frame] && nothing_above(bt);
}

/* Marks in a stored state what counts there. 0: none of it is new; 1: some is; GIVE_UP + 1: a slot did not exist yet. */
static int mark_in_state(struct bpf_verifier_state *st, struct bpf_backtrack *bt)
{
	int found = 0;
	u32 fr, i;

	for (fr = 0; fr <= bt->frame; fr++) {
		struct bpf_func_state *f = st->frame[fr];

		for (i = 0; bt->regs[fr] >> i; i++) {
			if (!(bt->regs[fr] >> i & 1))
				continue;
			if (f->regs[i].type != SCALAR_VALUE) {
				bt->regs[fr] &= ~(1U << i);
				continue;
			}
			if (!f->regs[i].precise)
				found = 1;
			f->regs[i].precise = true;
		}
		for (i = 0; i < BC_STACK_SLOTS && bt->slots[fr] >> i; i++) {
			struct bpf_reg_state *reg;

			if (!(bt->slots[fr] >> i & 1))
				continue;
			if (i >= f->slot_cnt)
				return GIVE_UP + 1;
			reg = bc_spilled_reg(f, i);
			if (!reg || reg->type != SCALAR_VALUE) {
				bt->slots[fr] &= ~(1ULL << i);
				continue;
			}
			if (!reg->precise)
				found = 1;
			reg->precise = true;
		}
	}
	return found;
}

static void log_marks(struct bpf_verifier_env *env, const struct bpf_verifier_state *st, bool found)
{
	const struct bpf_backtrack *bt = &env->bt;

	if (!(env->log.level & BC_LOG_LEVEL2))
		return;
	bc_log(env, "parent %s regs=%x stack=%llx marks:", found ? "didn't have" : "already had", bt->regs[bt->frame],
	       bt->slots[bt->frame]);
	bc_print_frame(env, st->frame[bt->frame], true);
}

/* Back over the segment of @st, from @idx. 1: all found; 0: at its start; GIVE_UP + 1. Long walks are many: each step counts. */
static int walk_segment(struct bpf_verifier_env *env, const struct bpf_verifier_state *st, u32 idx, u32 next, bool skip)
{
	/* entries of the history not yet used, and what the last of them is of */
	const struct bpf_jmp_step *step, *last = st->jmp_cnt ? st->jmps + st->jmp_cnt : st->jmps;
	u32 stop = st->first_insn_idx, last_idx;

	for (;;) {
		last_idx = last == st->jmps ? U32_MAX : last[-1].idx;
		do {
			step = idx == last_idx ? last - 1 : NULL;
			if (likely(!skip) && back_over(env, idx, next, step))
				return GIVE_UP + 1;
			skip = false;
			if (nothing_left(&env->bt))
				return 1;
			if (idx == stop && (step ? step : last) == st->jmps)
				return 0;
			/* an entry says where it was come from; else it was the instruction before */
			next = idx;
			idx = step ? step->prev_idx : idx - 1;
			if (idx >= env->insn_cnt)
				return GIVE_UP + 1;
		} while (!step);
		last = step;
	}
}

/* From the current instruction (not itself) back, with env->bt set. */
static void walk_back(struct bpf_verifier_env *env)
{
	struct bpf_verifier_state *st = env->cur;
	u32 idx = env->insn_idx, next = (u32)-1;
	bool skip = true;
	int found;

	while (!nothing_left(&env->bt)) {
		if (env->log.level & BC_LOG_LEVEL2)
			bc_log(env, "last_idx %d first_idx %d\n", idx, st->first_insn_idx);
		found = walk_segment(env, st, idx, next, skip);
		if (found == 1)
			return;
		skip = false;
		next = st->first_insn_idx;
		st = st->parent;
		if (!st)
			return;
		if (found == GIVE_UP + 1 || st->curframe != env->bt.frame) {
			bc_mark_all_precise(st);
			return;
		}
		found = mark_in_state(st, &env->bt);
		if (found == GIVE_UP + 1) {
			bc_mark_all_precise(st);
			return;
		}
		log_marks(env, st, found);
		/* where all was marked before, so was everything further back */
		if (!found)
			return;
		idx = st->last_insn_idx;
		/* the first instruction of all: what counts are arguments */
		if (idx == (u32)-1)
			return;
	}
}

int bc_mark_precise(struct bpf_verifier_env *env, u32 regno)
{
	struct bpf_backtrack *bt = &env->bt;

	if (bc_cur_regs(env)[regno].type != SCALAR_VALUE)
		return -EFAULT;
	memset(bt, 0, sizeof(*bt));
	bt->frame = env->cur->curframe;
	bt->regs[bt->frame] = 1U << regno;
	walk_back(env);
	return 0;
}

/* Starts anew in the current state, and adds a register or slot; with the whole log on, one is followed at a time, as Linux shows it. */
static void begin(struct bpf_verifier_env *env)
{
	memset(&env->bt, 0, sizeof(env->bt));
	env->bt.frame = env->cur->curframe;
}

static void follow(struct bpf_verifier_env *env, u32 frame, const char *what, s32 which)
{
	if (!(env->log.level & BC_LOG_LEVEL2))
		return;
	bc_log(env, "frame %d: propagating %s%d\n", frame, what, which);
	walk_back(env);
	begin(env);
}

static void adopt_frame(struct bpf_verifier_env *env, u32 fr, const struct bpf_func_state *old, const struct bpf_func_state *cur)
{
	const struct bpf_reg_state *reg, *mine;
	u32 i;

	for (i = 0; i < BPF_REG_10; i++) {
		reg = &old->regs[i];
		if (reg->type != SCALAR_VALUE || !reg->precise || !(old->live.reg_read >> i & 1) || cur->regs[i].type != SCALAR_VALUE)
			continue;
		env->bt.regs[fr] |= 1U << i;
		follow(env, fr, "r", (s32)i);
	}
	for (i = 0; i < old->slot_cnt; i++) {
		reg = bc_spilled_reg(old, i);
		mine = bc_spilled_reg(cur, i);
		if (!reg || !mine || reg->type != SCALAR_VALUE || !reg->precise || !(old->live.slot_read >> i & 1) ||
		    mine->type != SCALAR_VALUE)
			continue;
		env->bt.slots[fr] |= 1ULL << i;
		follow(env, fr, "fp", -(s32)(i + 1) * BC_REG_BYTES);
	}
}

/* The current state equals @old: what counted there counts here. */
int bc_precision_of(struct bpf_verifier_env *env, const struct bpf_verifier_state *old)
{
	u32 fr;

	begin(env);
	for (fr = old->curframe + 1; fr-- > 0;)
		adopt_frame(env, fr, old->frame[fr], env->cur->frame[fr]);
	walk_back(env);
	return 0;
}
