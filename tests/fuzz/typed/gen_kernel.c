// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps with what only a kernel has. In a run there is nothing behind it, or it is stepped over: it is verified alone.
 */
#include "gen.h"
#include "types.h"

/* Jumps to the label in every run, which the verifier does not know: there is but one CPU. */
static void step_over(struct gen *g, int label)
{
	helper(g, BPF_FUNC_get_smp_processor_id);
	JI(BPF_JEQ, 0, 0, label);
}

static void end(struct gen *g, int label)
{
	place(g, label);
	g->f.nums &= ~0x3f;
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* Variables of the kernel's, of one CPU or of each. */
void step_variable(struct gen *g)
{
	static const u32 vars[] = { KERNEL_VAR_NUMBER, KERNEL_VAR_STRUCT, KERNEL_VAR_PERCPU, KERNEL_VAR_PERCPU_STRUCT };
	u32 pick = rnd(g, ARRAY_SIZE(vars)), width = 1 << rnd(g, 3);
	int out = new_label(g);

	step_over(g, out);
	if (chance(g, 15)) {
		pick = 0;
		emit(g, BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_BTF_ID, 0, MODULE_VAR);
		emit(g, 0, 0, 0, 0, g->fds->module);
	} else {
		emit(g, BPF_LD | BPF_IMM | BPF_DW, 1, BPF_PSEUDO_BTF_ID, 0, vars[pick]);
		emit(g, 0, 0, 0, 0, 0);
	}
	if (pick < 2) {
		if (chance(g, 95))
			emit(g, LD_MEM(width), 2, 1, 0, 0);
		else
			emit(g, ST_MEM(4), 1, 0, 0, 1);
	} else if (chance(g, 50)) {
		helper(g, BPF_FUNC_this_cpu_ptr);
		emit(g, LD_MEM(pick == 2 ? width : 4), 2, 0, 0, 0);
	} else {
		MOVI(2, rnd(g, 3));
		helper(g, BPF_FUNC_per_cpu_ptr);
		if (chance(g, 95))
			JI(BPF_JEQ, 0, 0, out);
		emit(g, LD_MEM(pick == 2 ? width : 4), 2, 0, 0, 0);
	}
	end(g, out);
}

/* What is told of the function that the program is attached to. */
void step_attached(struct gen *g)
{
	int out = new_label(g);

	if (!g->f.has_ctx)
		return;
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	if (g->p->attach_type == BPF_TRACE_ITER) {
		if (g->p->attach_btf_id == KERNEL_ITER_FILE) {	/* the path of a file */
			emit(g, LD_MEM(8), 1, 1, 24, 0);
			JI(BPF_JEQ, 1, 0, out);
			ADDI(1, chance(g, 95) ? 16 : 0);
			stack_pointer(g, 2, BUFFER);
			MOVI(3, 1 + rnd(g, GEN_VALUE));
			helper(g, BPF_FUNC_d_path);
		}
		end(g, out);
		return;
	}
	switch (rnd(g, 4)) {
	case 0:
		helper(g, BPF_FUNC_get_func_ip);
		break;
	case 1:
		helper(g, BPF_FUNC_get_func_arg_cnt);
		break;
	case 2:
		MOVI(2, rnd(g, 3));
		stack_pointer(g, 3, BUFFER + (chance(g, 95) ? 0 : 4));
		helper(g, BPF_FUNC_get_func_arg);
		break;
	default:
		stack_pointer(g, 2, BUFFER);
		helper(g, BPF_FUNC_get_func_ret);
	}
	end(g, out);
}

/* A socket as what it may be. */
void step_cast(struct gen *g)
{
	static const s32 casts[] = { BPF_FUNC_skc_to_tcp_sock, BPF_FUNC_skc_to_tcp6_sock, BPF_FUNC_skc_to_udp6_sock };
	int out = new_label(g), none;
	u32 i;

	if (!g->f.has_ctx || g->f.held || g->p->type != BPF_PROG_TYPE_SCHED_CLS)
		return;
	g->f.nums &= ~0x3f;
	if (chance(g, 50)) {
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		emit(g, LD_MEM(8), 1, 1, offsetof(struct __sk_buff, sk), 0);
		JI(BPF_JEQ, 1, 0, out);
		helper(g, casts[rnd(g, ARRAY_SIZE(casts))]);
		if (chance(g, 95))
			JI(BPF_JEQ, 0, 0, out);
		emit(g, LD_MEM(8), 2, 0, 0, 0);
		end(g, out);
		return;
	}
	for (i = 0; i < 2; i++)
		emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, 0);
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	stack_pointer(g, 2, BUFFER);
	MOVI(3, 12);
	MOVI(4, -1);
	MOVI(5, 0);
	helper(g, BPF_FUNC_skc_lookup_tcp);
	JI(BPF_JEQ, 0, 0, out);
	g->f.nums &= ~(1 << 9);
	MOV(9, 0);
	MOV(1, 0);
	helper(g, casts[rnd(g, ARRAY_SIZE(casts))]);
	none = new_label(g);
	JI(BPF_JEQ, 0, 0, none);
	emit(g, LD_MEM(8), 2, 0, 0, 0);
	place(g, none);
	MOV(1, 9);
	helper(g, BPF_FUNC_sk_release);
	place(g, out);
	MOVI(9, 1);
	g->f.nums |= 1 << 9;
	end(g, new_label(g));
}
