// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps with what a program holds for a while: dynptrs on its stack, objects that kernel functions hand out, what iterators show.
 */
#include "gen.h"
#include "types.h"

#define RECORD_SLOT	(-64)	/* the other place for a dynptr: the last two of the data slots */

/* ---- dynptrs ---- */

/* Into @reg: a number up to @max, known or not. */
static void some_size(struct gen *g, int reg, u32 max)
{
	int from;

	if (g->f.nums & ~(1 << reg) && chance(g, 40)) {
		from = num(g);
		if (from != reg)
			MOV(reg, from);
		g->f.nums |= 1 << reg;
		bound(g, reg, max);
	} else {
		MOVI(reg, rnd(g, max + 1));
	}
	g->f.nums &= ~(1 << reg);
}

/* Into @reg: a place, which is judged when the program runs. */
static void some_place(struct gen *g, int reg)
{
	if (g->f.nums && chance(g, 30))
		MOV(reg, num(g));
	else
		MOVI(reg, chance(g, 90) ? (s32)rnd(g, 42) : some_imm(g));
}

static void fill_buffer(struct gen *g, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes / 8; i++)
		emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, some_imm(g));
}

static void make_local(struct gen *g)
{
	u32 off = chance(g, 30) ? rnd(g, 24) : 0;

	some_size(g, 2, GEN_VALUE - off);
	if (g->f.base == BASE_VALUE && g->f.base_size == GEN_VALUE && chance(g, 70))
		MOV(1, 6);
	else
		load_value_of(g, 1, GEN_ONE, 0);
	if (off)
		ADDI(1, off + (chance(g, 3) ? GEN_VALUE : 0));
	MOVI(3, chance(g, 95) ? 0 : 1);
	stack_pointer(g, 4, DYNPTR_SLOT + (chance(g, 98) ? 0 : 4));
	helper(g, BPF_FUNC_dynptr_from_mem);
	g->f.has_dynptr = true;
	some_numbers(g);
}

static void read_dynptr(struct gen *g, s32 at)
{
	bool value = g->f.base == BASE_VALUE && chance(g, 50);

	if (value)
		some_size(g, 2, GEN_VALUE);
	else
		MOVI(2, rnd(g, GEN_VALUE + 1));
	some_place(g, 4);
	if (value)
		MOV(1, 6);
	else
		stack_pointer(g, 1, BUFFER);
	stack_pointer(g, 3, at);
	MOVI(5, 0);
	helper(g, BPF_FUNC_dynptr_read);
	if (!value && chance(g, 40)) {
		emit(g, LD_MEM(8), 0, BPF_REG_10, BUFFER, 0);
		/* bytes past those that were asked for may never have been written */
		if (g->p->cnt && chance(g, 50))
			MOVI(0, 1);
	}
	some_numbers(g);
}

static void write_dynptr(struct gen *g, s32 at)
{
	bool value = g->f.base == BASE_VALUE && chance(g, 50);

	if (!value)
		fill_buffer(g, 16);
	some_size(g, 4, value ? GEN_VALUE : 16);
	some_place(g, 2);
	if (value)
		MOV(3, 6);
	else
		stack_pointer(g, 3, BUFFER);
	stack_pointer(g, 1, at);
	MOVI(5, 0);
	helper(g, BPF_FUNC_dynptr_write);
	some_numbers(g);
}

/* r0: @len bytes of it, or NULL. */
static void slice(struct gen *g, s32 at, u32 len, u32 size)
{
	if (size >= len && chance(g, 60))
		MOVI(2, size - len);	/* up to its end */
	else
		some_place(g, 2);
	MOVI(3, len);
	stack_pointer(g, 1, at);
	helper(g, BPF_FUNC_dynptr_data);
	g->f.nums &= ~1;
}

static void use_slice(struct gen *g, s32 at, u32 size)
{
	u32 width = 1 << rnd(g, 4), len = width + rnd(g, 33 - width), kept = g->f.nums & ~0x3f;
	int none = new_label(g), index = -1, ptr;

	if (kept & 0x380 && chance(g, 30)) {
		for (index = 7; !(kept >> index & 1); index++)
			;
		bound(g, index, len - width);
	}
	slice(g, at, len, size);
	if (chance(g, 97))
		JI(BPF_JEQ, 0, 0, none);
	if (index >= 0) {
		ptr = 1;
		MOV(ptr, 0);
		ADD(ptr, index);
		access_mem(g, ptr, chance(g, 96) ? 0 : 1, width);
	} else {
		access_mem(g, 0, chance(g, 96) ? rnd(g, len - width + 1) / width * width : len - width + 1, width);
	}
	place(g, none);
	g->f.nums = (g->f.nums & kept) | 1;
	MOVI(0, some_imm(g));
	some_numbers(g);
}

/* @size: of what it leads to, where that is known. */
static void use_dynptr(struct gen *g, s32 at, u32 size)
{
	switch (rnd(g, 4)) {
	case 0:
		read_dynptr(g, at);
		break;
	case 1:
		write_dynptr(g, at);
		break;
	default:
		use_slice(g, at, size);
	}
}

/* A dynptr on one of two ways, plain bytes on the other; then it is used as either. */
static void on_one_way(struct gen *g)
{
	int other = new_label(g), join = new_label(g), more = new_label(g);
	bool first = chance(g, 50);
	u32 i;

	JI(BPF_JGT, num(g), some_imm(g), other);
	for (i = 0; i < 2; i++) {
		if (first == !i) {
			make_local(g);
			g->f.nums &= ~0x3f;
		} else {
			emit(g, ST_MEM(8), BPF_REG_10, 0, DYNPTR_SLOT, 0);
			emit(g, ST_MEM(8), BPF_REG_10, 0, DYNPTR_SLOT + 8, 1);
		}
		if (!i) {
			jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
			place(g, other);
		}
	}
	place(g, join);
	g->f.has_dynptr = false;
	MOVI(0, 1);
	g->f.nums = (g->f.nums & ~0x3f) | 1;
	/* enough for a state to be kept */
	JI(BPF_JSGT, num(g), some_imm(g), more);
	emit(g, BPF_ALU64 | BPF_NEG, 0, 0, 0, 0);
	emit(g, BPF_ALU64 | BPF_NEG, 0, 0, 0, 0);
	place(g, more);
	if (first) {
		use_dynptr(g, DYNPTR_SLOT, 0);
		g->f.has_dynptr = true;
		return;
	}
	emit(g, LD_MEM(8), 0, BPF_REG_10, DYNPTR_SLOT + 8 * (s16)rnd(g, 2), 0);
	/* plain bytes from here on */
	emit(g, ST_MEM(8), BPF_REG_10, 0, DYNPTR_SLOT, 0);
	emit(g, ST_MEM(8), BPF_REG_10, 0, DYNPTR_SLOT + 8, 0);
}

void step_dynptr(struct gen *g)
{
	if (g->f.has_dynptr && chance(g, 12)) {		/* written over: it is none any more */
		s32 half = DYNPTR_SLOT + 8 * (s32)rnd(g, 2), other = 2 * DYNPTR_SLOT + 8 - half;

		if (g->features & GEN_NEW_INSNS && chance(g, 50)) {	/* Linux 6.1 forgets but the half that is written to */
			emit(g, ST_MEM(1), BPF_REG_10, 0, half + (s32)rnd(g, 8), 1);
		} else {
			emit(g, ST_MEM(8), BPF_REG_10, 0, half, 0);
			emit(g, ST_MEM(8), BPF_REG_10, 0, other, 1);
		}
		if (chance(g, 90))
			g->f.has_dynptr = false;
	}
	if (!g->f.has_dynptr && chance(g, 8)) {
		on_one_way(g);
		return;
	}
	if (!g->f.has_dynptr)
		make_local(g);
	use_dynptr(g, DYNPTR_SLOT + (chance(g, 2) ? 8 : 0), 0);
	if (chance(g, 40))
		use_dynptr(g, DYNPTR_SLOT, 0);
}

static void give_back(struct gen *g, s32 at)
{
	MOVI(2, 0);
	stack_pointer(g, 1, at);
	helper(g, chance(g, 50) ? BPF_FUNC_ringbuf_submit_dynptr : BPF_FUNC_ringbuf_discard_dynptr);
	g->f.nums &= ~1;
}

/* A slice that outlives the record that it is a part of. */
static void slice_after(struct gen *g, s32 at, u32 size)
{
	int none = new_label(g), end = new_label(g);

	g->f.nums &= ~(1 << 9);
	MOVI(9, 0);
	slice(g, at, 8, size);
	JI(BPF_JEQ, 0, 0, none);
	MOV(9, 0);
	emit(g, ST_MEM(8), 9, 0, 0, 1);
	place(g, none);
	give_back(g, at);
	if (chance(g, 50)) {
		JI(BPF_JEQ, 9, 0, end);
		emit(g, LD_MEM(8), 9, 9, 0, 0);
	}
	place(g, end);
	MOVI(9, 0);
	g->f.nums |= 1 << 9;
}

void step_dynptr_record(struct gen *g)
{
	static const u8 sizes[] = { 8, 16, 24, 40 };
	u32 size = sizes[rnd(g, 4)], uses = rnd(g, 3);
	bool held = g->f.held, second = g->f.has_dynptr || chance(g, 40);
	s32 at = second ? RECORD_SLOT : DYNPTR_SLOT;
	int other, join;

	if (held)
		return;
	if (second)
		g->f.slots &= ~(3 << 6);
	if (chance(g, 20) && g->f.nums) {
		MOV(2, num(g));		/* any size will do: there may be no record behind it */
		size = 0;
	} else {
		MOVI(2, size);
	}
	MOVI(3, chance(g, 96) ? 0 : 1);
	stack_pointer(g, 4, at);
	load_map(g, 1, chance(g, 98) ? GEN_RING : GEN_HASH);
	helper(g, BPF_FUNC_ringbuf_reserve_dynptr);
	some_numbers(g);
	g->f.held = true;
	while (uses--)
		use_dynptr(g, at, size);
	if (chance(g, 4))
		emit(g, ST_MEM(1), BPF_REG_10, 0, at + rnd(g, 16), 0);
	g->f.held = held;
	switch (rnd(g, 12)) {
	case 0:
		if (chance(g, 40))	/* kept */
			break;
		/* fall through */
	case 1:
		slice_after(g, at, size);
		break;
	case 2:
	case 3:		/* on both ways, or on one */
		other = new_label(g);
		join = new_label(g);
		JI(BPF_JGT, num(g), some_imm(g), other);
		give_back(g, at);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
		place(g, other);
		if (chance(g, 85))
			give_back(g, at);
		place(g, join);
		break;
	default:
		give_back(g, at);
	}
	g->f.nums &= ~0x3f;
	if (chance(g, 4))
		give_back(g, at);
	else if (chance(g, 4))
		read_dynptr(g, at);
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

void step_drain(struct gen *g)
{
	int label;

	if (g->f.depth >= 2 || g->f.held)
		return;
	label = add_func(g, FUNC_DRAIN, BASE_NONE);
	if (label < 0)
		return;
	fill_region(g);
	load_map(g, 1, chance(g, 98) ? GEN_USER_RING : GEN_RING);
	load_func(g, 2, label);
	stack_pointer(g, 3, -GEN_VALUE);
	MOVI(4, chance(g, 90) ? 0 : 1 << rnd(g, 3));
	helper(g, BPF_FUNC_user_ringbuf_drain);
	some_numbers(g);
}

/* What a callback is lent, in r1. */
void lent_dynptr(struct gen *g)
{
	u32 len = 8 + rnd(g, 20);
	int none = new_label(g);

	switch (rnd(g, 4)) {
	case 0:
		return;
	case 1:
		MOV(3, 1);
		stack_pointer(g, 1, BUFFER);
		MOVI(2, len);
		MOVI(4, rnd(g, 60));
		MOVI(5, 0);
		helper(g, BPF_FUNC_dynptr_read);
		break;
	default:
		MOVI(2, chance(g, 60) ? 64 - len : rnd(g, 70));
		MOVI(3, len);
		helper(g, BPF_FUNC_dynptr_data);
		JI(BPF_JEQ, 0, 0, none);
		emit(g, LD_MEM(4), 1, 0, chance(g, 96) ? (len - 4) / 4 * 4 : len - 3, 0);
		place(g, none);
		MOVI(0, 0);
	}
	g->f.nums |= 1;
}

/* ---- kernel functions ---- */

void call_kfunc(struct gen *g, enum gen_kfunc which)
{
	emit(g, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_KFUNC_CALL, 0, g->fds->kfunc[which]);
	g->f.nums &= ~0x3f;
}

/* Memory that is a part of the object in r9. */
static void object_memory(struct gen *g)
{
	bool rdonly = chance(g, 50);
	u32 size = 4 + 4 * rnd(g, 2), width = 1 << rnd(g, 3);
	int none = new_label(g);

	if (chance(g, 12))	/* of more than 8 bytes there is none */
		size = rnd(g, 20);
	MOVI(2, size);
	MOV(1, 9);
	call_kfunc(g, rdonly ? GEN_KF_RDONLY : GEN_KF_RDWR);
	if (chance(g, size > 8 ? 60 : 97))
		JI(BPF_JEQ, 0, 0, none);
	if (rdonly && chance(g, 95))
		emit(g, LD_MEM(width), 1, 0, size - width, 0);
	else
		emit(g, ST_MEM(width), 0, 0, chance(g, 96) ? size - width : size - width + 1, 3);
	place(g, none);
}

static void use_object(struct gen *g)
{
	static const u8 members[] = { 0, 4, 8, 12, 24 };

	switch (rnd(g, 5)) {
	case 0:
		emit(g, LD_MEM(4), 1, 9, members[rnd(g, ARRAY_SIZE(members))], 0);
		break;
	case 1:		/* on to the next, which is not held */
		emit(g, LD_MEM(8), 1, 9, 16, 0);
		if (chance(g, 60))
			emit(g, LD_MEM(4), 1, 1, 4, 0);
		else if (chance(g, 50))
			call_kfunc(g, chance(g, 70) ? GEN_KF_REF : GEN_KF_RELEASE);
		break;
	case 2:
		MOV(1, 9);
		if (chance(g, 5))
			ADDI(1, 4);
		call_kfunc(g, GEN_KF_REF);
		break;
	default:
		object_memory(g);
	}
}

static void hold_object(struct gen *g)
{
	int none = new_label(g), other;
	u32 uses = rnd(g, 3);
	bool held = g->f.held;

	emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER, 0);
	stack_pointer(g, 1, BUFFER);
	call_kfunc(g, GEN_KF_ACQUIRE);
	if (chance(g, 98))
		JI(BPF_JEQ, 0, 0, none);
	g->f.held = true;
	g->f.nums &= ~(1 << 9);
	MOV(9, 0);
	while (uses--)
		use_object(g);
	if (chance(g, 10) && g->f.nums & 0x180) {	/* given back on one way alone */
		other = new_label(g);
		JI(BPF_JGT, num(g), some_imm(g), other);
		MOV(1, 9);
		call_kfunc(g, GEN_KF_RELEASE);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, none);
		place(g, other);
	}
	if (chance(g, 96)) {
		MOV(1, 9);
		call_kfunc(g, GEN_KF_RELEASE);
	}
	if (chance(g, 4)) {
		MOV(1, 9);
		call_kfunc(g, chance(g, 50) ? GEN_KF_RELEASE : GEN_KF_REF);
	}
	if (chance(g, 4))
		emit(g, LD_MEM(4), 1, 9, 4, 0);
	g->f.held = held;
	place(g, none);
	g->f.nums &= ~(0x3f | 1 << 9);
}

void step_kfunc(struct gen *g)
{
	u32 i;

	if ((g->p->type != BPF_PROG_TYPE_SCHED_CLS && g->p->type != BPF_PROG_TYPE_TRACING) || g->f.held)
		return;
	switch (rnd(g, 6)) {
	case 0:
		if (g->f.has_ctx && g->p->type == BPF_PROG_TYPE_SCHED_CLS) {
			emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
			call_kfunc(g, GEN_KF_CTX);
		}
		break;
	case 1:
		if (g->f.base == BASE_VALUE && chance(g, 60)) {
			MOV(1, 6);
		} else {
			for (i = 0; i < 2; i++)
				if (chance(g, 98))
					emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, 0);
			stack_pointer(g, 1, BUFFER);
		}
		call_kfunc(g, GEN_KF_PASS);
		break;
	case 2:
		if (g->f.base == BASE_VALUE && chance(g, 50)) {
			some_size(g, 2, chance(g, 92) ? GEN_VALUE : GEN_VALUE + 8);
			MOV(1, 6);
		} else {
			fill_buffer(g, GEN_VALUE);
			some_size(g, 2, GEN_VALUE);
			stack_pointer(g, 1, BUFFER);
		}
		call_kfunc(g, GEN_KF_LEN);
		break;
	case 3:
		if (g->f.has_ctx && g->p->type == BPF_PROG_TYPE_SCHED_CLS) {
			int none = new_label(g);

			emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
			emit(g, LD_MEM(8), 1, 1, offsetof(struct __sk_buff, sk), 0);
			JI(BPF_JEQ, 1, 0, none);
			helper(g, BPF_FUNC_sk_fullsock);
			JI(BPF_JEQ, 0, 0, none);
			MOV(1, 0);
			for (i = 2; i < 6; i++)
				MOVI(i, some_imm(g));
			call_kfunc(g, GEN_KF_SUM);
			place(g, none);
			g->f.nums &= ~0x3f;
		}
		break;
	default:
		hold_object(g);
	}
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* ---- iterators, and what is told of a task ---- */

/* r1: the file that the iterator writes to. */
static void write_out(struct gen *g)
{
	fill_buffer(g, 16);
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	emit(g, LD_MEM(8), 1, 1, 0, 0);		/* meta */
	emit(g, LD_MEM(8), 1, 1, 0, 0);		/* seq */
	if (chance(g, 50)) {
		stack_pointer(g, 2, BUFFER);
		MOVI(3, 1 + rnd(g, 17));
		helper(g, BPF_FUNC_seq_write);
	} else {
		load_value_of(g, 2, GEN_CONST, 16);	/* wants one argument */
		MOVI(3, 4);
		stack_pointer(g, 4, BUFFER);
		MOVI(5, chance(g, 95) ? 8 : 16);
		helper(g, BPF_FUNC_seq_printf);
	}
	g->f.nums = (g->f.nums & ~0x3f) | 1;
}

void step_iter(struct gen *g)
{
	u32 width = 1 << rnd(g, 4), kept = g->f.nums & ~0x3f;
	bool elem = g->p->attach_btf_id == KERNEL_ITER_ELEM;
	int none = new_label(g);
	s16 word = 8;

	if (g->p->attach_type != BPF_TRACE_ITER || !g->f.has_ctx)
		return;
	if (chance(g, 30)) {
		write_out(g);
		some_numbers(g);
		return;
	}
	if (elem)
		word = chance(g, 50) ? 16 : 24;
	else if (g->p->attach_btf_id == KERNEL_ITER_FILE && chance(g, 50))
		word = chance(g, 50) ? 24 : 16;
	g->f.nums &= ~0x3f;
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	emit(g, LD_MEM(word == 16 && !elem ? 4 : 8), 1, 1, word, 0);
	if (word == 16 && !elem) {
		g->f.nums |= 2;
		return;
	}
	if (chance(g, 97))
		JI(BPF_JEQ, 1, 0, none);
	if (!elem)
		emit(g, LD_MEM(4), 2, 1, 8 * (s16)rnd(g, 4), 0);
	else if (word == 16 && chance(g, 95))
		emit(g, LD_MEM(width), 2, 1, rnd(g, 32) / width * width, 0);
	else
		access_mem(g, 1, rnd(g, 48) / width * width, width);
	place(g, none);
	g->f.nums = (g->f.nums & kept) | 2;
	MOVI(1, some_imm(g));
	MOVI(0, 0);
	g->f.nums |= 1;
}

void step_find_vma(struct gen *g)
{
	int label;

	if (g->f.depth >= 2 || g->f.held)
		return;
	label = add_func(g, FUNC_VMA, BASE_NONE);
	if (label < 0)
		return;
	fill_region(g);
	helper(g, BPF_FUNC_get_current_task_btf);
	MOV(1, 0);
	MOVI(2, some_imm(g));
	load_func(g, 3, label);
	stack_pointer(g, 4, -GEN_VALUE);
	MOVI(5, 0);
	helper(g, BPF_FUNC_find_vma);
	some_numbers(g);
}
