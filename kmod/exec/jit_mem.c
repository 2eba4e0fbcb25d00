/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator's loads, stores and atomic operations, and the deprecated packet loads.
 */
#include "jit_emit.h"
#include "../../verifier/ctx.h"

/* Of u8, u16, u32, u64, s8, s16, s32, in the order of enum bc_jit_probe. */
static enum bc_jit_probe kind_of_load(u8 code)
{
	bool sign = BPF_MODE(code) == BPF_MEMSX;

	switch (BPF_SIZE(code)) {
	case BPF_B:
		return sign ? BC_PROBE_S8 : BC_PROBE_U8;
	case BPF_H:
		return sign ? BC_PROBE_S16 : BC_PROBE_U16;
	case BPF_W:
		return sign ? BC_PROBE_S32 : BC_PROBE_U32;
	default:
		return BC_PROBE_U64;
	}
}

static void load(struct jit *j, const struct bpf_insn *insn)
{
	static const struct {
		u8 flags, op;
	} ops[__BC_PROBES] = {
		{ X0F, 0xb6 }, { X0F, 0xb7 }, { 0, 0x8b }, { W, 0x8b }, { W | X0F, 0xbe }, { W | X0F, 0xbf }, { W, 0x63 },
	};
	enum bc_jit_probe kind = kind_of_load(insn->code);

	x_rm(j, ops[kind].flags, ops[kind].op, jit_reg(insn->dst_reg), jit_reg(insn->src_reg), insn->off);
}

/* Tables of exceptions do not cover generated code on old kernels, so a load that may fault is made by code that they do cover. */
static void load_guarded(struct jit *j, const struct bpf_insn *insn)
{
	x_rm(j, W, 0x8d, R11, jit_reg(insn->src_reg), insn->off);	/* lea */
	jit_call(j, j->env->probe[kind_of_load(insn->code)]);
	x_mov(j, true, jit_reg(insn->dst_reg), R11);
}

static void load_of_sock(struct jit *j, const struct bpf_insn *insn, const struct bc_insn_aux *aux)
{
	int dst = jit_reg(insn->dst_reg);

	if (!j->env->sock_load) {
		x_rr(j, 0, 0x31, dst, dst);
		return;
	}
	x_mov(j, true, R11, jit_reg(insn->src_reg));
	jit_imm(j, R9, (s32)(bc_sock_what(aux, insn) | (u32)kind_of_load(insn->code) << BC_JIT_SOCK_KIND_SHIFT), false);
	jit_call(j, j->env->sock_load);
	x_mov(j, true, dst, R11);
}

static void store(struct jit *j, const struct bpf_insn *insn)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);

	switch (BPF_SIZE(insn->code)) {
	case BPF_B:
		x_rm(j, B8, 0x88, src, dst, insn->off);
		break;
	case BPF_H:
		x_rm(j, O16, 0x89, src, dst, insn->off);
		break;
	case BPF_W:
		x_rm(j, 0, 0x89, src, dst, insn->off);
		break;
	default:
		x_rm(j, W, 0x89, src, dst, insn->off);
		break;
	}
}

static void store_imm(struct jit *j, const struct bpf_insn *insn)
{
	int dst = jit_reg(insn->dst_reg), flags = 0;

	if (BPF_SIZE(insn->code) == BPF_DW)
		flags = W;
	else if (BPF_SIZE(insn->code) == BPF_H)
		flags = O16;
	if (j->env->blind) {
		jit_imm(j, R10, insn->imm, true);
		if (BPF_SIZE(insn->code) == BPF_B)
			x_rm(j, B8, 0x88, R10, dst, insn->off);
		else
			x_rm(j, flags, 0x89, R10, dst, insn->off);
		return;
	}
	x_rm(j, flags, BPF_SIZE(insn->code) == BPF_B ? 0xc6 : 0xc7, 0, dst, insn->off);
	if (BPF_SIZE(insn->code) == BPF_B) {
		emit(j, insn->imm);
	} else if (BPF_SIZE(insn->code) == BPF_H) {
		emit(j, insn->imm);
		emit(j, insn->imm >> 8);
	} else {
		emit32(j, insn->imm);
	}
}

/* and, or, xor that give back what was there: the machine has no such instruction, so it tries until nobody came in between. */
static void fetch_loop(struct jit *j, const struct bpf_insn *insn, u8 op, int w)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);
	int base = dst == RAX ? R10 : dst, operand = src == RAX ? R10 : src;
	u32 loop;

	x_mov(j, true, R10, RAX);
	x_rm(j, w, 0x8b, RAX, base, insn->off);
	loop = j->pos;
	x_mov(j, w, R11, RAX);
	x_rr(j, w, op, operand, R11);
	x_rm(j, w | X0F | LOCKED, 0xb1, R11, base, insn->off);	/* cmpxchg; rax is what it found */
	emit(j, 0x70 | CC_NE);
	emit(j, loop - (j->pos + 1));
	if (src != RAX) {
		x_mov(j, w, src, RAX);
		x_mov(j, true, RAX, R10);
	}
}

/* RFC 9669, 5.3 */
static void atomic(struct jit *j, const struct bpf_insn *insn)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);
	int w = BPF_SIZE(insn->code) == BPF_DW ? W : 0;

	switch (insn->imm) {
	case BPF_ADD:
		x_rm(j, w | LOCKED, 0x01, src, dst, insn->off);
		break;
	case BPF_AND:
		x_rm(j, w | LOCKED, 0x21, src, dst, insn->off);
		break;
	case BPF_OR:
		x_rm(j, w | LOCKED, 0x09, src, dst, insn->off);
		break;
	case BPF_XOR:
		x_rm(j, w | LOCKED, 0x31, src, dst, insn->off);
		break;
	case BPF_ADD | BPF_FETCH:
		x_rm(j, w | X0F | LOCKED, 0xc1, src, dst, insn->off);
		break;
	case BPF_AND | BPF_FETCH:
		fetch_loop(j, insn, 0x21, w);
		break;
	case BPF_OR | BPF_FETCH:
		fetch_loop(j, insn, 0x09, w);
		break;
	case BPF_XOR | BPF_FETCH:
		fetch_loop(j, insn, 0x31, w);
		break;
	case BPF_XCHG:
		x_rm(j, w, 0x87, src, dst, insn->off);
		break;
	case BPF_CMPXCHG:
		x_rm(j, w | X0F | LOCKED, 0xb1, src, dst, insn->off);
		/* The machine leaves the upper half of rax alone when the comparison succeeds. */
		if (!w)
			x_mov(j, false, RAX, RAX);
		break;
	}
}

/* r0 = bytes of the packet, in network order; outside of it the program ends with 0. The context is in r6. */
void jit_packet_load(struct jit *j, const struct bpf_insn *insn)
{
	u32 size = BPF_SIZE(insn->code) == BPF_W ? 4 : BPF_SIZE(insn->code) == BPF_H ? 2 : 1;
	u32 positive, from_network, from_link, before, outside, done;
	int ctx = jit_reg(BPF_REG_6);

	if (BPF_MODE(insn->code) == BPF_IND) {
		x_mov(j, false, R10, jit_reg(insn->src_reg));
		if (j->env->blind) {
			jit_imm(j, R11, insn->imm, false);
			x_rr(j, 0, 0x01, R11, R10);
		} else {
			x_ri(j, 0, 0, R10, insn->imm);
		}
	} else {
		jit_imm(j, R10, insn->imm, false);
	}
	x_rr(j, 0, 0x85, R10, R10);
	positive = x_ahead(j, CC_NS);
	x_rm(j, W, 0x8b, R11, ctx, offsetof(struct bc_skb_ctx, network));
	x_ri(j, 0, 0, R10, BC_PKT_NEGATIVE);
	from_network = x_ahead(j, CC_NS);
	x_rm(j, W, 0x8b, R11, ctx, offsetof(struct bc_skb_ctx, link));
	x_ri(j, 0, 0, R10, BC_PKT_NEGATIVE);
	before = x_ahead(j, CC_S);
	from_link = x_ahead(j, -1);
	x_here(j, positive);
	x_rm(j, W, 0x8b, R11, ctx, offsetof(struct bc_skb_ctx, pkt.data));
	x_here(j, from_network);
	x_here(j, from_link);
	x_rm(j, W, 0x8b, R9, ctx, offsetof(struct bc_skb_ctx, pkt.data_end));
	x_rr(j, W, 0x29, R11, R9);
	x_rm(j, W, 0x8d, RAX, R10, size);
	x_rr(j, W, 0x39, R9, RAX);
	outside = x_ahead(j, CC_G);
	if (size == 4) {
		x_rx(j, 0, 0x8b, RAX, R11, R10, 0);
		x_opcode(j, X0F, 0xc8 | RAX, 0, 0, RAX);
	} else if (size == 2) {
		x_rx(j, X0F, 0xb7, RAX, R11, R10, 0);
		x_rr(j, O16, 0xc1, 1, RAX);
		emit(j, 8);
	} else {
		x_rx(j, X0F, 0xb6, RAX, R11, R10, 0);
	}
	done = x_ahead(j, -1);
	x_here(j, before);
	x_here(j, outside);
	x_rr(j, 0, 0x31, RAX, RAX);
	jit_epilogue(j);
	x_here(j, done);
}

bool jit_mem(struct jit *j, const struct bpf_insn *insn, const struct bc_insn_aux *aux)
{
	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		if (BPF_MODE(insn->code) != BPF_MEM && (BPF_MODE(insn->code) != BPF_MEMSX || BPF_SIZE(insn->code) == BPF_DW))
			return false;
		if (aux->sock)
			load_of_sock(j, insn, aux);
		else if (aux->probe_mem)
			load_guarded(j, insn);
		else
			load(j, insn);
		return true;
	case BPF_ST:
		if (BPF_MODE(insn->code) != BPF_MEM)
			return false;
		store_imm(j, insn);
		return true;
	default:
		if (BPF_MODE(insn->code) == BPF_MEM)
			store(j, insn);
		else if (BPF_MODE(insn->code) == BPF_ATOMIC && (BPF_SIZE(insn->code) == BPF_W || BPF_SIZE(insn->code) == BPF_DW))
			atomic(j, insn);
		else
			return false;
		return true;
	}
}
