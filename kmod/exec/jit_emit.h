/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the code generator share: its state, and the encoding of x86-64 instructions (Intel's manual, volume 2).
 */
#ifndef BPFCOMPAT_JIT_EMIT_H
#define BPFCOMPAT_JIT_EMIT_H

#include "jit.h"

/* Machine registers by their number in encodings. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Condition codes of jcc. */
enum { CC_B = 2, CC_AE, CC_E, CC_NE, CC_BE, CC_A, CC_S, CC_NS, CC_L = 12, CC_GE, CC_LE, CC_G };

/* How a (sub)program is entered, and so what its frame holds. */
enum jit_frame {
	FRAME_MAIN,		/* from C, BPF stack in rsi; r12 is saved first. Tail calls arrive behind that */
	FRAME_CALLBACK,		/* from C, BPF stack in r9; r12 is saved first */
	FRAME_SUB,		/* from generated code, r12 is the caller's */
};

struct jit_sub {
	u32 start, end;		/* instructions */
	u32 depth;		/* bytes of BPF stack */
	u8 saves;		/* bit n: register r6 + n is used, so saved */
	bool calls;		/* into C or other subprograms */
	bool deep;		/* into other subprograms or programs, directly or by a helper */
	bool stack;		/* it needs r12: for its own frame; where C enters, for the frames below, too */
	bool called;		/* by instructions, not only from helpers */
	bool callback;
	enum jit_frame frame;
	u32 entry;		/* code offsets: for calls, */
	u32 callback_entry;	/* from C */
};

struct jit {
	const struct bc_jit_env *env;
	const struct bc_exec_prog *prog;
	struct bc_jit_image *img;
	u8 *out;		/* room for JIT_SLACK bytes more than there is code; NULL in the first pass */
	u32 pos;
	u8 *short_jump;		/* bit by instruction: its jump reaches in 8 bits */
	bool settle;		/* no more jumps become short */
	struct jit_sub *subs;
	u16 *sub_at;		/* by instruction: 1 + the subprogram that starts there */
	struct jit_sub *sub;	/* being translated */
	u64 noise;		/* for blinding */
	bool failed;		/* in this pass: no memory for a relocation; a jump that does not reach */
};

/* jit_alu.c, jit_mem.c: false for an instruction that is none */
bool jit_alu(struct jit *j, const struct bpf_insn *insn);
bool jit_mem(struct jit *j, const struct bpf_insn *insn, const struct bc_insn_aux *aux);
void jit_packet_load(struct jit *j, const struct bpf_insn *insn);
/* jit_alu.c: @reg = @imm, sign-extended unless @wide is false */
void jit_imm(struct jit *j, int reg, s32 imm, bool wide);
void jit_imm64(struct jit *j, int reg, u64 imm);
/* jit_inline.c: true when the call was made without calling */
bool jit_inline_call(struct jit *j, const struct bpf_insn *insn, const struct bc_insn_aux *aux);
/* jit_frame.c */
bool jit_keeps_r12(const struct jit_sub *sub);
void jit_prologue(struct jit *j);
void jit_epilogue(struct jit *j);	/* leaves the subprogram being translated; rax is set */
void jit_call(struct jit *j, u64 target);
void jit_tail_call(struct jit *j, const struct bc_insn_aux *aux);
void jit_stackless_tail_entry(struct jit *j);
/* 4 bytes: how far it is from behind them to @offset in the image */
void jit_distance_to(struct jit *j, u32 offset);

/* The machine register of a BPF one. */
static inline int jit_reg(u8 reg)
{
	static const u8 map[] = { RAX, RDI, RSI, RDX, RCX, R8, RBX, R13, R14, R15, R12 };

	return map[reg];
}

typedef u64 jit_word __attribute__((aligned(1), may_alias));

/* @len bytes, the first in the lowest bits; what more is written is overwritten by what follows. */
static inline void emit_bytes(struct jit *j, u64 bytes, u32 len)
{
	if (j->out)
		*(jit_word *)(j->out + j->pos) = bytes;
	j->pos += len;
}

#define JIT_SLACK sizeof(jit_word)

static inline void emit(struct jit *j, u8 byte)
{
	emit_bytes(j, byte, 1);
}

static inline void emit32(struct jit *j, u32 v)
{
	emit_bytes(j, v, 4);
}

static inline void emit64(struct jit *j, u64 v)
{
	emit_bytes(j, v, 8);
}

/* Flags of an operation, beside its opcode byte. */
#define W	1	/* 64 bits */
#define B8	2	/* the register field names a byte register */
#define B8RM	4	/* the r/m field does */
#define O16	8	/* 16 bits */
#define X0F	16	/* two-byte opcode */
#define LOCKED	32

static inline bool fits8(s64 v)
{
	return v >= -128 && v <= 127;
}

static inline bool fits32(s64 v)
{
	return v >= S32_MIN && v <= S32_MAX;
}

/*
 * Prefixes and opcode, followed by the @len bytes of @rest (2 at the most). Byte registers 4 to 7 mean the old high halves unless there is
 * a REX prefix.
 */
static inline void x_opcode_and(struct jit *j, int flags, u8 op, int reg, int index, int base, u32 rest, u32 len)
{
	u8 rex = (flags & W ? 8 : 0) | (reg & 8) >> 1 | (index & 8) >> 2 | (base & 8) >> 3;
	u64 bytes = op | (u64)rest << 8;

	len++;
	if (flags & X0F) {
		bytes = bytes << 8 | 0x0f;
		len++;
	}
	if (rex || (flags & B8 && reg >= 4) || (flags & B8RM && base >= 4)) {
		bytes = bytes << 8 | 0x40 | rex;
		len++;
	}
	if (flags & O16) {
		bytes = bytes << 8 | 0x66;
		len++;
	}
	if (flags & LOCKED) {
		bytes = bytes << 8 | 0xf0;
		len++;
	}
	emit_bytes(j, bytes, len);
}

static inline void x_opcode(struct jit *j, int flags, u8 op, int reg, int index, int base)
{
	x_opcode_and(j, flags, op, reg, index, base, 0, 0);
}

/* op with two registers, the second in the r/m field. */
static inline void x_rr(struct jit *j, int flags, u8 op, int reg, int rm)
{
	x_opcode_and(j, flags, op, reg, 0, rm, 0xc0 | (reg & 7) << 3 | (rm & 7), 1);
}

/* op with a register and memory at @base + @disp. */
static inline void x_rm(struct jit *j, int flags, u8 op, int reg, int base, s32 disp)
{
	u8 mod = !disp && (base & 7) != RBP ? 0 : fits8(disp) ? 0x40 : 0x80;

	x_opcode(j, flags & ~B8RM, op, reg, 0, base);
	emit(j, mod | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == RSP)
		emit(j, 0x24);
	if (mod == 0x40)
		emit(j, disp);
	else if (mod == 0x80)
		emit32(j, disp);
}

/* op with a register and memory at @base + (@index << @scale). */
static inline void x_rx(struct jit *j, int flags, u8 op, int reg, int base, int index, int scale)
{
	bool disp = (base & 7) == RBP;

	x_opcode(j, flags, op, reg, index, base);
	emit(j, (disp ? 0x40 : 0) | (reg & 7) << 3 | 4);
	emit(j, scale << 6 | (index & 7) << 3 | (base & 7));
	if (disp)
		emit(j, 0);
}

/* The same, and @disp of 32 bits. */
static inline void x_rx_disp(struct jit *j, int flags, u8 op, int reg, int base, int index, int scale, s32 disp)
{
	x_opcode(j, flags, op, reg, index, base);
	emit(j, 0x80 | (reg & 7) << 3 | 4);
	emit(j, scale << 6 | (index & 7) << 3 | (base & 7));
	emit32(j, disp);
}

/* op of the group 0x81/0x83 (add 0, or 1, and 4, sub 5, xor 6, cmp 7) with a constant. */
static inline void x_ri(struct jit *j, int flags, int op, int rm, s32 imm)
{
	bool small = fits8(imm);

	x_rr(j, flags, small ? 0x83 : 0x81, op, rm);
	emit_bytes(j, (u32)imm, small ? 1 : 4);
}

/* op with a register and a field of struct bc_jit_cpu; r9 is lost where that is not in gs. */
static inline void x_cpu(struct jit *j, int flags, u8 op, int reg, u32 field)
{
	if (!j->env->cpu_in_gs) {
		x_opcode(j, W, 0xb8 | (R9 & 7), 0, 0, R9);
		emit64(j, j->env->cpu);
		x_rm(j, flags, op, reg, R9, field);
		return;
	}
	emit(j, 0x65);
	x_opcode(j, flags, op, reg, 0, 0);
	emit(j, (reg & 7) << 3 | 4);
	emit(j, 0x25);
	emit32(j, (u32)j->env->cpu + field);
}

static inline void x_mov(struct jit *j, bool wide, int dst, int src)
{
	x_rr(j, wide ? W : 0, 0x89, src, dst);
}

static inline void x_push(struct jit *j, int reg)
{
	x_opcode(j, 0, 0x50 | (reg & 7), 0, 0, reg);
}

static inline void x_pop(struct jit *j, int reg)
{
	x_opcode(j, 0, 0x58 | (reg & 7), 0, 0, reg);
}

/* A short jump ahead within one instruction's code (@cc negative: always); x_here() says where to. */
static inline u32 x_ahead(struct jit *j, int cc)
{
	emit(j, cc < 0 ? 0xeb : 0x70 | cc);
	emit(j, 0);
	return j->pos;
}

static inline void x_here(struct jit *j, u32 from)
{
	if (!j->out)
		return;
	j->out[from - 1] = j->pos - from;
	if (j->pos - from > 127)
		j->failed = true;
}

#endif
