/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conditional jumps: which way they go, and what each way tells of the registers compared: bounds of scalars, pointers that
 * are not NULL, bytes of the packet that are there. Source: RFC 9669, section 4.3.
 */
#include "internal.h"

/* Range of a packet pointer that lies at, or beyond, the packet's end. */
#define AT_PKT_END	(-1)
#define BEYOND_PKT_END	(-2)

static bool never_null(u32 type)
{
	switch (type) {
	case PTR_TO_SOCKET:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_MAP_VALUE:
	case PTR_TO_MAP_KEY:
	case PTR_TO_SOCK_COMMON:
		return true;
	default:
		return false;
	}
}

/* Comparison of packet pointers with the end, where an earlier one has told the outcome. */
static int packet_branch(const struct bpf_reg_state *dst, const struct bpf_reg_state *src, u8 op)
{
	const struct bpf_reg_state *pkt = dst;

	if (src->type != PTR_TO_PACKET_END) {
		if (dst->type != PTR_TO_PACKET_END)
			return -1;
		pkt = src;
		op = bc_jmp_flip(op);
	}
	if (pkt->range >= 0)
		return -1;
	if ((op == BPF_JLE || op == BPF_JGT) && pkt->range == BEYOND_PKT_END)
		return op == BPF_JGT;
	if (op == BPF_JLT || op == BPF_JGE)
		return op == BPF_JGE;
	return -1;
}

/* 1: always taken, 0: never, -1: not known. @src: the operand, a scalar of env->tmp_reg for an immediate. */
static int outcome(const struct bpf_reg_state *dst, const struct bpf_reg_state *src, u8 op, bool is32)
{
	if (src->type == SCALAR_VALUE && dst->type == SCALAR_VALUE)
		return bc_scalar_branch(&dst->v, &src->v, op, is32);
	if (src->type == SCALAR_VALUE) {
		/* a pointer's low half may well be 0 */
		if (is32 || !never_null(dst->type) || !bc_reg_is_null(src))
			return -1;
		if (op == BPF_JEQ || op == BPF_JNE)
			return op == BPF_JNE;
		return -1;
	}
	if (!is32 && bc_reg_is_pkt_any(dst) && bc_reg_is_pkt_any(src))
		return packet_branch(dst, src, op);
	return -1;
}

/* Registers that share an id hold the same value: what is now known of @known is known of them. */
static void spread_to_equals(struct bpf_verifier_state *st, const struct bpf_reg_state *known)
{
	struct bpf_reg_state *reg;
	u32 pos = 0;

	if (known->type != SCALAR_VALUE || !known->id)
		return;
	while ((reg = bc_next_reg(st, &pos)) != NULL)
		if (reg != known && reg->type == SCALAR_VALUE && reg->id == known->id)
			*reg = *known;
}

/* Which registers and slots a comparison of @reg narrows together. */
static u32 collect_equals(struct bpf_verifier_state *st, const struct bpf_reg_state *reg, struct bpf_jmp_step *step)
{
	struct bpf_reg_state *other;
	u32 pos = 0, cnt = 0, per_frame = MAX_BPF_REG + BC_STACK_SLOTS;

	if (reg->type != SCALAR_VALUE || !reg->id)
		return 0;
	while ((other = bc_next_reg(st, &pos)) != NULL) {
		u32 at = (pos - 1) % per_frame;

		if (other->type != SCALAR_VALUE || other->id != reg->id)
			continue;
		cnt++;
		if ((pos - 1) / per_frame != st->curframe)
			step->linked_far = true;
		else if (at < MAX_BPF_REG)
			step->link_regs |= 1U << at;
		else
			step->link_slots |= 1ULL << (at - MAX_BPF_REG);
	}
	return cnt;
}

static int record_equals(struct bpf_verifier_env *env, const struct bpf_reg_state *dst, const struct bpf_reg_state *src)
{
	struct bpf_jmp_step step;
	u32 most;

	memset(&step, 0, sizeof(step));
	most = collect_equals(env->cur, dst, &step);
	most = max(most, collect_equals(env->cur, src, &step));
	if (most < 2)
		return 0;
	step.linked = true;
	step.frame = env->cur->curframe;
	return bc_history_push(env, env->cur, &step);
}

/* The pointer turned out not to be NULL. */
static void becomes_valid(struct bpf_reg_state *reg)
{
	const struct bc_map_desc *map;

	reg->type &= ~(u32)PTR_MAYBE_NULL;
	if (BC_BASE_TYPE(reg->type) != PTR_TO_MAP_VALUE)
		return;
	map = reg->map;
	if (map->inner) {
		reg->type = CONST_PTR_TO_MAP;
		reg->map = map->inner;
		if (map->inner->timer_off >= 0)
			reg->map_uid = reg->id;
	} else if (map->type == BPF_MAP_TYPE_XSKMAP) {
		reg->type = PTR_TO_XDP_SOCK;
	} else if (map->type == BPF_MAP_TYPE_SOCKMAP || map->type == BPF_MAP_TYPE_SOCKHASH) {
		reg->type = PTR_TO_SOCKET;
	}
}

/* All pointers of one look-up are NULL together, or none is. */
static void resolve_null(struct bpf_verifier_state *st, u32 regno, bool is_null)
{
	const struct bpf_reg_state *tested = &st->frame[st->curframe]->regs[regno];
	u32 id = tested->id, ref = tested->ref_obj_id;
	struct bpf_reg_state *reg;
	u32 pos = 0;

	if (is_null && ref && ref == id)
		bc_ref_drop(st->frame[st->curframe], id);
	while ((reg = bc_next_reg(st, &pos)) != NULL) {
		if (!(reg->type & PTR_MAYBE_NULL) || reg->id != id)
			continue;
		/* arithmetic before the test is refused, so that NULL means 0 */
		if (reg->off || !bc_scalar_is_const(&reg->v) || reg->v.t.value)
			continue;
		if (is_null) {
			bc_reg_const(reg, 0);
			continue;
		}
		becomes_valid(reg);
		/* a look-up's identity matters on for locks only */
		if (reg->type != PTR_TO_MAP_VALUE || reg->map->spin_lock_off < 0)
			reg->id = 0;
	}
}

static bool at_packet_start(const struct bpf_reg_state *reg)
{
	return reg->type == PTR_TO_PACKET && !reg->id && !reg->off && bc_scalar_is_const(&reg->v) && !reg->v.t.value;
}

/* [pkt, pkt + off) is known to lie in the packet; one byte more where the pointer is even below the end. */
static void packet_reaches(struct bpf_verifier_state *st, const struct bpf_reg_state *pkt, bool below_end)
{
	u32 type = pkt->type, id = pkt->id, pos = 0;
	struct bpf_reg_state *reg;
	s32 range;

	if (pkt->off < 0 || (!pkt->off && below_end))
		return;
	/* a sum that may wrap says nothing */
	if (pkt->v.umax > BC_MAX_PACKET_OFF || pkt->v.umax + pkt->off > BC_MAX_PACKET_OFF)
		return;
	range = pkt->off + (below_end ? 1 : 0);
	while ((reg = bc_next_reg(st, &pos)) != NULL)
		if (reg->type == type && reg->id == id)
			reg->range = max(reg->range, range);
}

static void packet_past_end(struct bpf_verifier_state *st, u32 regno, bool beyond)
{
	struct bpf_reg_state *reg = &st->frame[st->curframe]->regs[regno];

	if (reg->type == PTR_TO_PACKET)
		reg->range = beyond ? BEYOND_PKT_END : AT_PKT_END;
}

/* Packet pointer against the end (or metadata against the packet's start). @taken, @fall_through: the two ways. */
static void compare_packet(const struct bpf_insn *insn, const struct bpf_reg_state *dst, const struct bpf_reg_state *src,
			   struct bpf_verifier_state *fall_through, struct bpf_verifier_state *taken)
{
	struct bpf_verifier_state *inside, *outside;
	const struct bpf_reg_state *pkt;
	u8 op = BPF_OP(insn->code);
	u32 regno;

	if ((dst->type == PTR_TO_PACKET && src->type == PTR_TO_PACKET_END) || (dst->type == PTR_TO_PACKET_META && at_packet_start(src))) {
		pkt = dst;
		regno = insn->dst_reg;
	} else if ((dst->type == PTR_TO_PACKET_END && src->type == PTR_TO_PACKET) ||
		   (at_packet_start(dst) && src->type == PTR_TO_PACKET_META)) {
		pkt = src;
		regno = insn->src_reg;
		op = bc_jmp_flip(op);
	} else {
		return;
	}
	/* now: pkt op end */
	if (op == BPF_JGT || op == BPF_JGE) {
		outside = taken;
		inside = fall_through;
	} else if (op == BPF_JLT || op == BPF_JLE) {
		outside = fall_through;
		inside = taken;
	} else {
		return;
	}
	/* inside is "<" where outside is ">=" */
	packet_reaches(inside, pkt, op == BPF_JGE || op == BPF_JLT);
	packet_past_end(outside, regno, op == BPF_JGT || op == BPF_JLE);
}

static int decided(struct bpf_verifier_env *env, const struct bpf_insn *insn, const struct bpf_reg_state *dst,
		   const struct bpf_reg_state *src, bool taken)
{
	int err = 0;

	/* the values decided, so other values might not: they count */
	if (dst->type == SCALAR_VALUE)
		err = bc_mark_precise(env, insn->dst_reg);
	if (!err && BPF_SRC(insn->code) == BPF_X && src->type == SCALAR_VALUE)
		err = bc_mark_precise(env, insn->src_reg);
	if (err)
		return err;
	if (env->log.level & (BC_LOG_LEVEL1 | BC_LOG_LEVEL2))
		bc_print_change(env, bc_cur_func(env));
	if (taken)
		env->insn_idx += insn->off;
	return 0;
}

static void refine(const struct bpf_insn *insn, struct bpf_verifier_state *here, struct bpf_verifier_state *there, struct bpf_reg_state *imm)
{
	struct bpf_reg_state *regs = here->frame[here->curframe]->regs;
	struct bpf_reg_state *taken = there->frame[there->curframe]->regs;
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32, by_reg = BPF_SRC(insn->code) == BPF_X;
	struct bpf_reg_state *dst = &regs[insn->dst_reg], *src = by_reg ? &regs[insn->src_reg] : imm;
	struct bpf_scalar imm_taken;

	if (dst->type == SCALAR_VALUE && src->type == SCALAR_VALUE) {
		imm_taken = src->v;
		bc_scalar_refine(&taken[insn->dst_reg].v, by_reg ? &taken[insn->src_reg].v : &imm_taken, &dst->v, &src->v,
				 BPF_OP(insn->code), is32);
		if (by_reg) {
			spread_to_equals(here, src);
			spread_to_equals(there, &taken[insn->src_reg]);
		}
	}
	if (dst->type == SCALAR_VALUE) {
		spread_to_equals(here, dst);
		spread_to_equals(there, &taken[insn->dst_reg]);
	}
}

static int check_fields(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	u8 op = BPF_OP(insn->code);
	bool by_reg = BPF_SRC(insn->code) == BPF_X;
	int err;

	if (op == BPF_JA || op > BPF_JSLE) {
		bc_log(env, "invalid BPF_JMP/JMP32 opcode %x\n", op);
		return -EINVAL;
	}
	err = bc_reg_use(env, insn->dst_reg);
	if (err)
		return err;
	if (by_reg ? insn->imm != 0 : insn->src_reg != 0) {
		bc_log(env, "BPF_JMP/JMP32 uses reserved fields\n");
		return -EINVAL;
	}
	return by_reg ? bc_reg_use(env, insn->src_reg) : 0;
}

int bc_check_cond_jmp(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32, by_reg = BPF_SRC(insn->code) == BPF_X;
	struct bpf_reg_state *regs = bc_cur_regs(env);
	struct bpf_reg_state *dst, *src;
	struct bpf_verifier_state *taken;
	u8 op = BPF_OP(insn->code);
	int err, pred;

	err = check_fields(env, insn);
	if (err)
		return err;
	dst = &regs[insn->dst_reg];
	src = by_reg ? &regs[insn->src_reg] : &env->tmp_reg[0];
	if (!by_reg)
		bc_reg_const(src, (u64)(s64)insn->imm);
	pred = outcome(dst, src, op, is32);
	if (pred >= 0)
		return decided(env, insn, dst, src, pred);

	err = record_equals(env, dst, src);
	if (err)
		return err;
	taken = bc_branch_push(env, env->insn_idx + insn->off + 1, env->insn_idx);
	if (!taken)
		return -EFAULT;
	refine(insn, env->cur, taken, src);

	if (!is32 && !by_reg && !insn->imm && (op == BPF_JEQ || op == BPF_JNE) && (dst->type & PTR_MAYBE_NULL)) {
		resolve_null(env->cur, insn->dst_reg, op == BPF_JNE);
		resolve_null(taken, insn->dst_reg, op == BPF_JEQ);
	} else if (!is32 && by_reg) {
		compare_packet(insn, dst, src, env->cur, taken);
	}
	if (env->log.level & (BC_LOG_LEVEL1 | BC_LOG_LEVEL2))
		bc_print_change(env, bc_cur_func(env));
	return 0;
}
