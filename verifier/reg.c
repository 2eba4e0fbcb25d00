/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers: their making, their reading and writing by instructions, and how a read marks the states that the value came from.
 */
#include "internal.h"

void bc_reg_unknown(struct bpf_reg_state *reg)
{
	memset(reg, 0, sizeof(*reg));
	reg->type = SCALAR_VALUE;
	bc_scalar_unknown(&reg->v);
}

void bc_reg_not_init(struct bpf_reg_state *reg)
{
	bc_reg_unknown(reg);
	reg->type = NOT_INIT;
}

void bc_reg_const(struct bpf_reg_state *reg, u64 value)
{
	memset(reg, 0, sizeof(*reg));
	reg->type = SCALAR_VALUE;
	bc_scalar_const(&reg->v, value);
}

void bc_reg_pointer(struct bpf_reg_state *reg, u32 type)
{
	bc_reg_const(reg, 0);
	reg->type = type;
}

bool bc_reg_is_null(const struct bpf_reg_state *reg)
{
	return reg->type == SCALAR_VALUE && bc_scalar_is_const(&reg->v) && !reg->v.t.value;
}

bool bc_reg_is_pkt(const struct bpf_reg_state *reg)
{
	u32 base = BC_BASE_TYPE(reg->type);

	return base == PTR_TO_PACKET || base == PTR_TO_PACKET_META;
}

bool bc_reg_is_pkt_any(const struct bpf_reg_state *reg)
{
	return bc_reg_is_pkt(reg) || reg->type == PTR_TO_PACKET_END;
}

/* Where a value of one state was in the state before it. */
struct place {
	u32 frame;
	u32 idx;
	bool slot;
};

static bool was_written(const struct bpf_verifier_state *st, const struct place *p)
{
	const struct bpf_liveness *live;

	if (p->frame > st->curframe)
		return false;
	live = &st->frame[p->frame]->live;
	return p->slot ? live->slot_written >> p->idx & 1 : live->reg_written >> p->idx & 1;
}

/*
 * Moves @p from @child to its parent. Arguments of a function entered since were its caller's registers; r0 of one that returned since
 * is now its caller's. False when the value had no place there.
 */
static bool place_in_parent(const struct bpf_verifier_state *child, const struct bpf_verifier_state *parent, struct place *p)
{
	if (p->slot)
		return p->frame <= parent->curframe && p->idx < parent->frame[p->frame]->slot_cnt;
	if (p->frame == child->curframe) {
		if (parent->curframe < p->frame) {
			if (p->idx < BPF_REG_1 || p->idx > BPF_REG_5)
				return false;
			p->frame = parent->curframe;
		} else if (parent->curframe > p->frame && p->idx == BPF_REG_0) {
			p->frame = parent->curframe;
		}
	}
	return p->frame <= parent->curframe;
}

static int mark_read(struct bpf_verifier_env *env, struct bpf_verifier_state *st, struct place p)
{
	struct bpf_verifier_state *parent;
	u32 steps = 0;

	for (parent = st->parent; parent; st = parent, parent = st->parent) {
		struct bpf_liveness *live;

		/* written between the two: the value did not come from there */
		if (was_written(st, &p) || !place_in_parent(st, parent, &p))
			break;
		live = &parent->frame[p.frame]->live;
		if (live->done) {
			bc_log(env, "verifier BUG: %s%d of frame %d read after its state was done\n", p.slot ? "slot " : "R", p.idx,
			       p.frame);
			return -EFAULT;
		}
		if (p.slot) {
			if (live->slot_read >> p.idx & 1)
				break;
			live->slot_read |= 1ULL << p.idx;
		} else {
			if (live->reg_read >> p.idx & 1)
				break;
			live->reg_read |= 1U << p.idx;
		}
		steps++;
	}
	if (env->longest_mark_read_walk < steps)
		env->longest_mark_read_walk = steps;
	return 0;
}

int bc_mark_reg_read(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u32 frame, u32 regno)
{
	struct place p;

	p.frame = frame;
	p.idx = regno;
	p.slot = false;
	return mark_read(env, st, p);
}

int bc_mark_slot_read(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u32 frame, u32 slot)
{
	struct place p;

	p.frame = frame;
	p.idx = slot;
	p.slot = true;
	return mark_read(env, st, p);
}

static int reg_exists(struct bpf_verifier_env *env, u32 regno)
{
	if (regno >= MAX_BPF_REG) {
		bc_log(env, "R%d is invalid\n", regno);
		return -EINVAL;
	}
	env->scratched_regs |= 1U << regno;
	return 0;
}

int bc_reg_use(struct bpf_verifier_env *env, u32 regno)
{
	const struct bpf_func_state *f = bc_cur_func(env);
	int err = reg_exists(env, regno);

	if (err)
		return err;
	if (f->regs[regno].type == NOT_INIT) {
		bc_log(env, "R%d !read_ok\n", regno);
		return -EACCES;
	}
	/* the frame pointer never changes, and what was written since the last state did not come from there: mostly it is one of the two */
	if (regno == BPF_REG_10 || f->live.reg_written >> regno & 1)
		return 0;
	return bc_mark_reg_read(env, env->cur, env->cur->curframe, regno);
}

int bc_reg_def(struct bpf_verifier_env *env, u32 regno)
{
	int err = reg_exists(env, regno);

	if (err)
		return err;
	if (regno == BPF_REG_10) {
		bc_log(env, "frame pointer is read only\n");
		return -EACCES;
	}
	bc_cur_func(env)->live.reg_written |= 1U << regno;
	return 0;
}

int bc_reg_def_unknown(struct bpf_verifier_env *env, u32 regno)
{
	int err = bc_reg_def(env, regno);

	if (!err)
		bc_reg_unknown(&bc_cur_regs(env)[regno]);
	return err;
}

/* A call scratches r0 to r5. */
void bc_clear_caller_saved(struct bpf_verifier_env *env, struct bpf_func_state *f)
{
	u32 i;

	for (i = BPF_REG_0; i <= BPF_REG_5; i++) {
		bc_reg_not_init(&f->regs[i]);
		f->live.reg_written |= 1U << i;
		env->scratched_regs |= 1U << i;
	}
}

struct bpf_reg_state *bc_next_reg(struct bpf_verifier_state *st, u32 *pos)
{
	u32 per_frame = MAX_BPF_REG + BC_STACK_SLOTS;

	for (; *pos / per_frame <= st->curframe; ++*pos) {
		struct bpf_func_state *f = st->frame[*pos / per_frame];
		u32 at = *pos % per_frame;
		struct bpf_reg_state *reg;

		if (at < MAX_BPF_REG) {
			++*pos;
			return &f->regs[at];
		}
		reg = bc_spilled_reg(f, at - MAX_BPF_REG);
		if (reg && f->stack[at - MAX_BPF_REG].slot_type[0] == STACK_SPILL) {
			++*pos;
			return reg;
		}
		if (at - MAX_BPF_REG >= f->slot_cnt)
			*pos += per_frame - at - 1;	/* to the next frame */
	}
	return NULL;
}
