/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * bpf_loop() in line: where the callback is always the same and the flags always 0, the call of the helper becomes a loop around a call of
 * the function. What it looks like to those who dump the program is as on Linux 6.1.
 */
#include "internal.h"

#define MAX_LOOPS (8 * 1024 * 1024)	/* Linux: BPF_MAX_LOOPS */

int bc_note_loop(struct bpf_verifier_env *env, u32 subprogno)
{
	struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	bool fit = bc_reg_is_null(&bc_cur_regs(env)[BPF_REG_4]);
	int err = 0;

	/* States with other flags are others from here on. */
	if (fit)
		err = bc_mark_precise(env, BPF_REG_4);
	if (aux->loop == BC_LOOP_UNSEEN) {
		aux->loop = fit ? BC_LOOP_INLINE : BC_LOOP_CALL;
		aux->subprogno = subprogno;
	} else if (!fit || aux->subprogno != subprogno) {
		aux->loop = BC_LOOP_CALL;
	}
	return err;
}

static struct bpf_insn *put(struct bpf_insn *at, u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	at->code = code;
	at->dst_reg = dst;
	at->src_reg = src;
	at->off = off;
	at->imm = imm;
	return at + 1;
}

/* r6 the rounds wanted, r7 the rounds done, r8 the callback's context; what they held before is on the stack below @depth bytes. */
void bc_expand_loop(struct bpf_insn *at, u32 depth, s32 callback)
{
	const u8 set = BPF_ALU64 | BPF_MOV, saved = BPF_MEM | BPF_DW;
	s16 slot = -(s16)(((depth + 7) & ~7u) + BC_LOOP_STACK);
	struct bpf_insn *start = at;
	int i;

	at = put(at, BPF_JMP | BPF_JLE | BPF_K, BPF_REG_1, 0, 2, MAX_LOOPS);
	at = put(at, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, -E2BIG);
	at = put(at, BPF_JMP | BPF_JA, 0, 0, BC_LOOP_INSNS - 3, 0);
	for (i = 0; i < 3; i++)
		at = put(at, BPF_STX | saved, BPF_REG_10, BPF_REG_6 + i, slot + 8 * i, 0);
	at = put(at, set | BPF_X, BPF_REG_6, BPF_REG_1, 0, 0);
	at = put(at, BPF_ALU | BPF_MOV | BPF_K, BPF_REG_7, 0, 0, 0);
	at = put(at, set | BPF_X, BPF_REG_8, BPF_REG_3, 0, 0);

	at = put(at, BPF_JMP | BPF_JGE | BPF_X, BPF_REG_7, BPF_REG_6, 5, 0);
	at = put(at, set | BPF_X, BPF_REG_1, BPF_REG_7, 0, 0);
	at = put(at, set | BPF_X, BPF_REG_2, BPF_REG_8, 0, 0);
	at = put(at, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, callback - (s32)(at - start) - 1);
	at = put(at, BPF_ALU64 | BPF_ADD | BPF_K, BPF_REG_7, 0, 0, 1);
	at = put(at, BPF_JMP | BPF_JEQ | BPF_K, BPF_REG_0, 0, -6, 0);

	at = put(at, set | BPF_X, BPF_REG_0, BPF_REG_7, 0, 0);
	for (i = 0; i < 3; i++)
		at = put(at, BPF_LDX | saved, BPF_REG_6 + i, BPF_REG_10, slot + 8 * i, 0);
}
