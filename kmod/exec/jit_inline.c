/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator's short ways: helpers whose work is a few instructions are done in place.
 */
#include "jit_emit.h"

/* rax, the index of an element, times @stride: no overflow, as arrays have bounds. */
static void scale(struct jit *j, u32 stride)
{
	if (is_power_of_2(stride)) {
		if (stride > 1) {
			x_rr(j, W, 0xc1, 4, RAX);	/* shl */
			emit(j, fls(stride) - 1);
		}
	} else {
		x_rr(j, W, 0x69, RAX, RAX);		/* imul */
		emit32(j, stride);
	}
}

/* bpf_map_lookup_elem in an array; rsi points to the index. */
static bool lookup(struct jit *j, const struct bc_insn_aux *aux)
{
	struct bc_jit_array array;
	u32 outside, done;

	/* What a map's creator chose would be a constant in the code, too. */
	if (j->env->blind || !j->env->array || !aux->used_map || !j->env->array(j->env->host, aux->used_map - 1, &array))
		return false;
	if (array.stride > S32_MAX)
		return false;
	x_rm(j, 0, 0x8b, RAX, RSI, 0);
	x_ri(j, 0, 7, RAX, array.max_entries);
	outside = x_ahead(j, CC_AE);
	scale(j, array.stride);
	jit_imm64(j, R11, array.values);
	if (array.percpu) {
		x_cpu(j, 0, 0x8b, R10, offsetof(struct bc_jit_cpu, number));
		x_rx(j, W, 0x03, RAX, R11, R10, 3);
	} else {
		x_rr(j, W, 0x01, R11, RAX);
	}
	done = x_ahead(j, -1);
	x_here(j, outside);
	x_rr(j, 0, 0x31, RAX, RAX);
	x_here(j, done);
	return true;
}

bool jit_inline_call(struct jit *j, const struct bpf_insn *insn, const struct bc_insn_aux *aux)
{
	switch (insn->imm) {
	case BPF_FUNC_map_lookup_elem:
		return lookup(j, aux);
	case BPF_FUNC_get_smp_processor_id:
		x_cpu(j, 0, 0x8b, RAX, offsetof(struct bc_jit_cpu, number));
		return true;
	case BPF_FUNC_get_current_task:
	case BPF_FUNC_get_current_task_btf:
		if (!j->env->current_task)
			return false;
		emit(j, 0x65);
		x_opcode(j, W, 0x8b, RAX, 0, 0);
		emit(j, 4);
		emit(j, 0x25);
		emit32(j, j->env->current_task);
		return true;
	}
	return false;
}
