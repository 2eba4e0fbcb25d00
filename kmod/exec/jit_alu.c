/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator's arithmetic: constants (blinded when asked), operations, shifts, division, byte order.
 */
#include "jit_emit.h"

/* A constant of the program's in @reg, so that neither it nor a part of it stands in the code. Of one length, whatever the noise. */
static void blinded(struct jit *j, int reg, s32 imm, bool wide)
{
	u32 mask;

	j->noise = j->noise * 6364136223846793005ULL + 1442695040888963407ULL;
	mask = j->noise >> 32;
	x_rr(j, wide ? W : 0, 0xc7, 0, reg);
	emit32(j, (u32)imm ^ mask);
	x_rr(j, wide ? W : 0, 0x81, 6, reg);
	emit32(j, mask);
}

void jit_imm(struct jit *j, int reg, s32 imm, bool wide)
{
	if (!imm) {
		x_rr(j, 0, 0x31, reg, reg);
	} else if (j->env->blind) {
		blinded(j, reg, imm, wide);
	} else if (wide && imm < 0) {
		x_rr(j, W, 0xc7, 0, reg);
		emit32(j, imm);
	} else {
		x_opcode(j, 0, 0xb8 | (reg & 7), 0, 0, reg);
		emit32(j, imm);
	}
}

void jit_imm64(struct jit *j, int reg, u64 imm)
{
	if (fits32((s64)imm)) {
		jit_imm(j, reg, (s32)imm, true);
	} else if (imm == (u32)imm) {
		jit_imm(j, reg, (s32)imm, false);
	} else if (j->env->blind) {
		blinded(j, reg, (s32)(imm >> 32), false);
		x_rr(j, W, 0xc1, 4, reg);		/* shl */
		emit(j, 32);
		blinded(j, R11, (s32)imm, false);
		x_rr(j, W, 0x09, R11, reg);
	} else {
		x_opcode(j, W, 0xb8 | (reg & 7), 0, 0, reg);
		emit64(j, imm);
	}
}

/* add, or, and, sub, xor: by their number in the group 0x81 */
static void simple(struct jit *j, const struct bpf_insn *insn, int group, int w)
{
	int dst = jit_reg(insn->dst_reg);

	if (BPF_SRC(insn->code) == BPF_X) {
		x_rr(j, w, group << 3 | 1, jit_reg(insn->src_reg), dst);
	} else if (j->env->blind) {
		blinded(j, R10, insn->imm, w);
		x_rr(j, w, group << 3 | 1, R10, dst);
	} else {
		x_ri(j, w, group, dst, insn->imm);
	}
}

static void multiply(struct jit *j, const struct bpf_insn *insn, int w)
{
	int dst = jit_reg(insn->dst_reg);

	if (BPF_SRC(insn->code) == BPF_X) {
		x_rr(j, w | X0F, 0xaf, dst, jit_reg(insn->src_reg));
	} else if (j->env->blind) {
		blinded(j, R10, insn->imm, w);
		x_rr(j, w | X0F, 0xaf, dst, R10);
	} else {
		x_rr(j, w, fits8(insn->imm) ? 0x6b : 0x69, dst, dst);
		if (fits8(insn->imm))
			emit(j, insn->imm);
		else
			emit32(j, insn->imm);
	}
}

static void move(struct jit *j, const struct bpf_insn *insn, int w)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);

	if (BPF_SRC(insn->code) == BPF_K)
		jit_imm(j, dst, insn->imm, w);
	else if (insn->off == 8)
		x_rr(j, w | X0F | B8RM, 0xbe, dst, src);
	else if (insn->off == 16)
		x_rr(j, w | X0F, 0xbf, dst, src);
	else if (insn->off == 32 && w)
		x_rr(j, W, 0x63, dst, src);
	else
		x_mov(j, w, dst, src);
}

/* Does nothing to 64 bits; 32-bit operations always clear the upper half. */
static void truncate(struct jit *j, int reg, int w)
{
	if (!w)
		x_mov(j, false, reg, reg);
}

/* shlx, shrx, sarx: three operands and any register for the count */
static void shift_bmi2(struct jit *j, int group, int dst, int count, int w)
{
	u8 pp = group == 4 ? 1 : group == 5 ? 3 : 2;

	emit(j, 0xc4);
	emit(j, (dst & 8 ? 0 : 0x80) | 0x40 | (dst & 8 ? 0 : 0x20) | 2);
	emit(j, (w ? 0x80 : 0) | (~count & 15) << 3 | pp);
	emit(j, 0xf7);
	emit(j, 0xc0 | (dst & 7) << 3 | (dst & 7));
}

/* lsh, rsh, arsh are 4, 5, 7 of the group 0xd3; the machine masks the count as BPF wants it */
static void shift(struct jit *j, const struct bpf_insn *insn, int group, int w)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);
	u8 count = insn->imm & (w ? 63 : 31);

	if (BPF_SRC(insn->code) == BPF_K) {
		if (!count) {
			truncate(j, dst, w);
			return;
		}
		x_rr(j, w, count == 1 ? 0xd1 : 0xc1, group, dst);
		if (count != 1)
			emit(j, count);
	} else if (j->env->has_bmi2) {
		shift_bmi2(j, group, dst, src, w);
	} else if (src == RCX) {
		x_rr(j, w, 0xd3, group, dst);
	} else if (dst == RCX) {
		x_mov(j, true, R11, RCX);
		x_mov(j, false, RCX, src);
		x_rr(j, w, 0xd3, group, R11);
		x_mov(j, true, RCX, R11);
	} else {
		x_mov(j, true, R11, RCX);
		x_mov(j, false, RCX, src);
		x_rr(j, w, 0xd3, group, dst);
		x_mov(j, true, RCX, R11);
	}
}

/* The division itself, of @dst by @by (none of rax, rdx), which is neither 0 nor (when signed) -1. */
static void divide(struct jit *j, int dst, int by, bool want_rest, bool is_signed, int w)
{
	int result = want_rest ? RDX : RAX;

	if (dst != RDX)
		x_mov(j, true, R10, RDX);
	if (dst != RAX) {
		x_mov(j, true, R9, RAX);
		x_mov(j, w, RAX, dst);
	}
	if (is_signed) {
		x_opcode(j, w, 0x99, 0, 0, 0);		/* cdq, cqo */
		x_rr(j, w, 0xf7, 7, by);
	} else {
		x_rr(j, 0, 0x31, RDX, RDX);
		x_rr(j, w, 0xf7, 6, by);
	}
	if (dst != result)
		x_mov(j, true, dst, result);
	if (dst != RDX)
		x_mov(j, true, RDX, R10);
	if (dst != RAX)
		x_mov(j, true, RAX, R9);
}

/* What RFC 9669, 4.1 wants of division by zero, and of the one overflow, the machine answers with an exception. */
static void division(struct jit *j, const struct bpf_insn *insn, int w)
{
	bool want_rest = BPF_OP(insn->code) == BPF_MOD, is_signed = insn->off, constant = BPF_SRC(insn->code) == BPF_K;
	int dst = jit_reg(insn->dst_reg), by = constant ? R11 : jit_reg(insn->src_reg), exits = 0;
	u32 done[2], other;

	if (constant) {
		jit_imm(j, R11, insn->imm, w);
	} else if (by == RAX || by == RDX) {
		x_mov(j, w, R11, by);
		by = R11;
	}
	if (!constant || !insn->imm) {
		x_rr(j, w, 0x85, by, by);
		if (want_rest && w) {
			done[exits++] = x_ahead(j, CC_E);
		} else {
			other = x_ahead(j, CC_NE);
			x_rr(j, 0, want_rest ? 0x89 : 0x31, dst, dst);
			done[exits++] = x_ahead(j, -1);
			x_here(j, other);
		}
	}
	if (is_signed && (!constant || insn->imm == -1)) {
		x_ri(j, w, 7, by, -1);
		other = x_ahead(j, CC_NE);
		if (want_rest)
			x_rr(j, 0, 0x31, dst, dst);
		else
			x_rr(j, w, 0xf7, 3, dst);	/* neg */
		done[exits++] = x_ahead(j, -1);
		x_here(j, other);
	}
	divide(j, dst, by, want_rest, is_signed, w);
	while (exits)
		x_here(j, done[--exits]);
}

static void byte_order(struct jit *j, const struct bpf_insn *insn)
{
	bool swap_bytes = insn->code != (BPF_ALU | BPF_END | BPF_TO_LE);
	int dst = jit_reg(insn->dst_reg);

	switch (insn->imm) {
	case 16:
		if (swap_bytes) {
			x_rr(j, O16, 0xc1, 1, dst);	/* ror */
			emit(j, 8);
		}
		x_rr(j, X0F, 0xb7, dst, dst);
		break;
	case 32:
		if (swap_bytes)
			x_opcode(j, X0F, 0xc8 | (dst & 7), 0, 0, dst);
		else
			truncate(j, dst, 0);
		break;
	default:
		if (swap_bytes)
			x_opcode(j, W | X0F, 0xc8 | (dst & 7), 0, 0, dst);
		break;
	}
}

bool jit_alu(struct jit *j, const struct bpf_insn *insn)
{
	int w = BPF_CLASS(insn->code) == BPF_ALU64 ? W : 0;

	switch (BPF_OP(insn->code)) {
	case BPF_ADD:
		simple(j, insn, 0, w);
		return true;
	case BPF_SUB:
		simple(j, insn, 5, w);
		return true;
	case BPF_OR:
		simple(j, insn, 1, w);
		return true;
	case BPF_AND:
		simple(j, insn, 4, w);
		return true;
	case BPF_XOR:
		simple(j, insn, 6, w);
		return true;
	case BPF_MUL:
		multiply(j, insn, w);
		return true;
	case BPF_MOV:
		move(j, insn, w);
		return true;
	case BPF_NEG:
		x_rr(j, w, 0xf7, 3, jit_reg(insn->dst_reg));
		return true;
	case BPF_LSH:
		shift(j, insn, 4, w);
		return true;
	case BPF_RSH:
		shift(j, insn, 5, w);
		return true;
	case BPF_ARSH:
		shift(j, insn, 7, w);
		return true;
	case BPF_DIV:
	case BPF_MOD:
		division(j, insn, w);
		return true;
	case BPF_END:
		byte_order(j, insn);
		return true;
	}
	return false;
}
