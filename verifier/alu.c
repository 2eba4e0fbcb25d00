/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ALU instructions: their fields, moves, arithmetic on scalars (the domain does that) and on pointers.
 * Source: RFC 9669, section 4.1. Loads are privileged, so that a pointer may become a number; never the reverse.
 */
#include "internal.h"

static int reserved(struct bpf_verifier_env *env, const char *what)
{
	bc_log(env, "%s uses reserved fields\n", what);
	return -EINVAL;
}

/* No offset of a pointer may get so far that later sums overflow. */
static bool offset_sane(struct bpf_verifier_env *env, const struct bpf_scalar *v, s32 off, u32 type)
{
	s64 val = (s64)v->t.value;

	if (bc_scalar_is_const(v) && (val >= BC_MAX_VAR_OFF || val <= -BC_MAX_VAR_OFF)) {
		bc_log(env, "math between %s pointer and %lld is not allowed\n", bc_type_str(env, type), val);
		return false;
	}
	if (off >= BC_MAX_VAR_OFF || off <= -BC_MAX_VAR_OFF) {
		bc_log(env, "%s pointer offset %d is not allowed\n", bc_type_str(env, type), off);
		return false;
	}
	if (v->smin == S64_MIN) {
		bc_log(env, "math between %s pointer and register with unbounded min value is not allowed\n", bc_type_str(env, type));
		return false;
	}
	if (v->smin >= BC_MAX_VAR_OFF || v->smin <= -BC_MAX_VAR_OFF) {
		bc_log(env, "value %lld makes %s pointer be out of bounds\n", v->smin, bc_type_str(env, type));
		return false;
	}
	return true;
}

static bool type_allows_math(u32 type, const struct bpf_scalar *off, u8 op)
{
	bool known = bc_scalar_is_const(off);

	switch (BC_BASE_TYPE(type)) {
	case PTR_TO_FLOW_KEYS:
		return known;
	case CONST_PTR_TO_MAP:
		return known && !off->t.value && op == BPF_ADD;
	case PTR_TO_PACKET_END:
	case PTR_TO_SOCKET:
	case PTR_TO_SOCK_COMMON:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_XDP_SOCK:
		return false;
	default:
		return true;
	}
}

/* A packet pointer that a variable was added to is a base of its own; what was known to follow the old one says nothing. */
static void new_packet_base(struct bpf_verifier_env *env, struct bpf_reg_state *dst, bool keep_range)
{
	if (!bc_reg_is_pkt(dst))
		return;
	dst->id = ++env->id_gen;
	if (!keep_range) {
		dst->raw.raw1 = 0;
		dst->raw.raw2 = 0;
	}
}

static int move_pointer(struct bpf_verifier_env *env, u8 op, u32 dst_no, struct bpf_reg_state *dst, const struct bpf_scalar *off)
{
	bool known = bc_scalar_is_const(off);
	s64 fixed;

	switch (op) {
	case BPF_ADD:
		fixed = (s64)dst->off + off->smin;
		if (known && fixed == (s32)fixed) {
			dst->off = (s32)fixed;
			break;
		}
		bc_scalar_add64(&dst->v, off);
		dst->v.t = bc_tnum_add(dst->v.t, off->t);
		new_packet_base(env, dst, false);
		break;
	case BPF_SUB:
		if (dst->type == PTR_TO_STACK) {
			bc_log(env, "R%d subtraction from stack pointer prohibited\n", dst_no);
			return -EACCES;
		}
		fixed = (s64)dst->off - off->smin;
		if (known && fixed == (s32)fixed) {
			dst->off = (s32)fixed;
			break;
		}
		bc_scalar_sub64(&dst->v, off);
		dst->v.t = bc_tnum_sub(dst->v.t, off->t);
		/* going back by something not negative: what followed still does */
		new_packet_base(env, dst, off->smin >= 0);
		break;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		bc_log(env, "R%d bitwise operator %s on pointer prohibited\n", dst_no, bc_alu_op_str(op));
		return -EACCES;
	default:
		bc_log(env, "R%d pointer arithmetic with %s operator prohibited\n", dst_no, bc_alu_op_str(op));
		return -EACCES;
	}
	return 0;
}

/* dst = @ptr op @off; @ptr is the destination itself, or for "scalar += pointer" the source. */
static int pointer_math(struct bpf_verifier_env *env, const struct bpf_insn *insn, const struct bpf_reg_state *ptr,
			const struct bpf_scalar *off_reg)
{
	struct bpf_reg_state *dst = &bc_cur_regs(env)[insn->dst_reg];
	struct bpf_scalar off = *off_reg;	/* may be dst's, which is about to be overwritten */
	u8 op = BPF_OP(insn->code);
	bool reversed = dst != ptr;
	int err;

	if (bc_scalar_dead(&off, false)) {
		bc_reg_unknown(dst);
		return 0;
	}
	if (BPF_CLASS(insn->code) != BPF_ALU64) {
		if (op == BPF_SUB) {
			bc_reg_unknown(dst);
			return 0;
		}
		bc_log(env, "R%d 32-bit pointer arithmetic prohibited\n", insn->dst_reg);
		return -EACCES;
	}
	if (ptr->type & PTR_MAYBE_NULL) {
		bc_log(env, "R%d pointer arithmetic on %s prohibited, null-check it first\n", insn->dst_reg, bc_type_str(env, ptr->type));
		return -EACCES;
	}
	if (!type_allows_math(ptr->type, &off, op)) {
		bc_log(env, "R%d pointer arithmetic on %s prohibited\n", insn->dst_reg, bc_type_str(env, ptr->type));
		return -EACCES;
	}
	if (reversed)
		*dst = *ptr;
	if (!offset_sane(env, &off, 0, dst->type) || !offset_sane(env, &dst->v, dst->off, dst->type))
		return -EINVAL;
	bc_bounds_forget32(&dst->v);
	if (op == BPF_SUB && reversed) {
		bc_log(env, "R%d tried to subtract pointer from scalar\n", insn->dst_reg);
		return -EACCES;
	}
	err = move_pointer(env, op, insn->dst_reg, dst, &off);
	if (err)
		return err;
	if (!offset_sane(env, &dst->v, dst->off, dst->type))
		return -EINVAL;
	bc_bounds_sync(&dst->v);
	return 0;
}

static int arithmetic(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	struct bpf_reg_state *dst = &regs[insn->dst_reg], *src;
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	u8 op = BPF_OP(insn->code);
	struct bpf_scalar operand;
	int err;

	/* the result is no longer what others with its id hold */
	if (dst->type == SCALAR_VALUE)
		dst->id = 0;
	if (BPF_SRC(insn->code) == BPF_K) {
		bc_scalar_const(&operand, (u64)(s64)insn->imm);
		if (dst->type != SCALAR_VALUE)
			return pointer_math(env, insn, dst, &operand);
		bc_scalar_alu(&dst->v, &operand, op, is32);
		return 0;
	}
	src = &regs[insn->src_reg];
	if (src->type != SCALAR_VALUE) {
		if (dst->type == SCALAR_VALUE) {
			err = bc_mark_precise(env, insn->dst_reg);
			return err ? err : pointer_math(env, insn, src, &dst->v);
		}
		if (op != BPF_SUB) {
			bc_log(env, "R%d pointer %s pointer prohibited\n", insn->dst_reg, bc_alu_op_str(op));
			return -EACCES;
		}
		bc_reg_unknown(dst);
		return 0;
	}
	if (dst->type != SCALAR_VALUE) {
		err = bc_mark_precise(env, insn->src_reg);
		return err ? err : pointer_math(env, insn, dst, &src->v);
	}
	if (dst->precise) {
		err = bc_mark_precise(env, insn->src_reg);
		if (err)
			return err;
	}
	operand = src->v;
	bc_scalar_alu(&dst->v, &operand, op, is32);
	return 0;
}

static bool move_size_ok(const struct bpf_insn *insn)
{
	switch (insn->off) {
	case 0:
	case 8:
	case 16:
		return true;
	case 32:
		return BPF_CLASS(insn->code) == BPF_ALU64;
	default:
		return false;
	}
}

static void move_reg(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	struct bpf_reg_state *dst = &regs[insn->dst_reg], *src = &regs[insn->src_reg];
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;

	if (!is32 && !insn->off) {
		/* a later comparison of one tells of the other too */
		if (src->type == SCALAR_VALUE && !src->id)
			src->id = ++env->id_gen;
		*dst = *src;
		return;
	}
	if (src->type == SCALAR_VALUE) {
		*dst = *src;
		dst->id = 0;
	} else {
		bc_reg_unknown(dst);
	}
	if (insn->off)
		bc_scalar_sext(&dst->v, insn->off / 8, is32);
	else
		bc_scalar_zext32(&dst->v);
	bc_bounds_sync(&dst->v);
}

static int check_move(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	int err;

	if (BPF_SRC(insn->code) == BPF_X) {
		if (insn->imm || !move_size_ok(insn))
			return reserved(env, "BPF_MOV");
		err = bc_reg_use(env, insn->src_reg);
		if (err)
			return err;
	} else if (insn->src_reg || insn->off) {
		return reserved(env, "BPF_MOV");
	}
	err = bc_reg_def(env, insn->dst_reg);
	if (err)
		return err;
	if (BPF_SRC(insn->code) == BPF_X)
		move_reg(env, insn);
	else if (BPF_CLASS(insn->code) == BPF_ALU64)
		bc_reg_const(&bc_cur_regs(env)[insn->dst_reg], (u64)(s64)insn->imm);
	else
		bc_reg_const(&bc_cur_regs(env)[insn->dst_reg], (u32)insn->imm);
	return 0;
}

/* Negation and byte swaps: any value comes out. */
static int check_unary(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	int err;

	if (BPF_OP(insn->code) == BPF_NEG) {
		if (BPF_SRC(insn->code) != BPF_K || insn->src_reg || insn->off || insn->imm)
			return reserved(env, "BPF_NEG");
	} else {
		if (insn->src_reg || insn->off || (insn->imm != 16 && insn->imm != 32 && insn->imm != 64) ||
		    (BPF_CLASS(insn->code) == BPF_ALU64 && BPF_SRC(insn->code) != BPF_TO_LE))
			return reserved(env, "BPF_END");
	}
	err = bc_reg_use(env, insn->dst_reg);
	return err ? err : bc_reg_def_unknown(env, insn->dst_reg);
}

static bool divides(u8 op)
{
	return op == BPF_DIV || op == BPF_MOD;
}

static bool shifts(u8 op)
{
	return op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH;
}

static int check_binary(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	u8 op = BPF_OP(insn->code);
	int err;

	if (insn->off && !(insn->off == 1 && divides(op)))
		return reserved(env, "BPF_ALU");
	if (BPF_SRC(insn->code) == BPF_X) {
		if (insn->imm)
			return reserved(env, "BPF_ALU");
		err = bc_reg_use(env, insn->src_reg);
		if (err)
			return err;
	} else if (insn->src_reg) {
		return reserved(env, "BPF_ALU");
	}
	err = bc_reg_use(env, insn->dst_reg);
	if (err)
		return err;
	if (BPF_SRC(insn->code) == BPF_K && !insn->imm && divides(op)) {
		bc_log(env, "div by zero\n");
		return -EINVAL;
	}
	if (BPF_SRC(insn->code) == BPF_K && shifts(op) && (u32)insn->imm >= (BPF_CLASS(insn->code) == BPF_ALU64 ? 64 : 32)) {
		bc_log(env, "invalid shift %d\n", insn->imm);
		return -EINVAL;
	}
	err = bc_reg_def(env, insn->dst_reg);
	return err ? err : arithmetic(env, insn);
}

int bc_check_alu(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	u8 op = BPF_OP(insn->code);

	if (BPF_CLASS(insn->code) == BPF_ALU)
		env->aux[env->insn_idx].zext = true;
	if (op == BPF_NEG || op == BPF_END)
		return check_unary(env, insn);
	if (op == BPF_MOV)
		return check_move(env, insn);
	if (op > BPF_END) {
		bc_log(env, "invalid BPF_ALU opcode %x\n", op);
		return -EINVAL;
	}
	return check_binary(env, insn);
}
