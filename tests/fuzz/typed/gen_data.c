// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps on numbers and plain memory: arithmetic, comparisons, bounds by all the ways that programs have, accesses at places that depend on them,
 * spills, branches that join again, loops.
 */
#include "gen.h"

static const u8 alu_ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_DIV, BPF_MOD, BPF_MOV };
static const u8 jump_ops[] = { BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET };
static const u8 widths[] = { 1, 2, 4, 8, 8 };

static void alu_on(struct gen *g, int to)
{
	u8 op = alu_ops[rnd(g, ARRAY_SIZE(alu_ops))], class = chance(g, 60) ? BPF_ALU64 : BPF_ALU;
	s32 imm = some_imm(g);

	if (chance(g, 45)) {
		emit(g, class | op | BPF_X, to, num(g), 0, 0);
		return;
	}
	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		imm = rnd(g, class == BPF_ALU64 ? 64 : 32);
	if ((op == BPF_DIV || op == BPF_MOD) && !imm)
		imm = 3;
	emit(g, class | op | BPF_K, to, 0, 0, imm);
}

void step_alu(struct gen *g)
{
	alu_on(g, dst(g));
}

void step_odd_alu(struct gen *g)
{
	static const u8 bits[] = { 16, 32, 64 };
	int from = num(g), to = dst(g);

	switch (rnd(g, 7)) {
	case 0:
		emit(g, BPF_ALU64 | BPF_NEG, to, 0, 0, 0);
		break;
	case 1:
		emit(g, BPF_ALU | BPF_NEG, to, 0, 0, 0);
		break;
	case 2:
		emit(g, BPF_ALU | BPF_END | BPF_TO_BE, to, 0, 0, bits[rnd(g, 3)]);
		break;
	case 3:
		emit(g, BPF_ALU | BPF_END | BPF_TO_LE, to, 0, 0, bits[rnd(g, 3)]);
		break;
	case 4:
		load_imm64(g, to, rnd64(g) >> rnd(g, 64));
		break;
	case 5:
		MOV(to, from);
		break;
	default:
		emit(g, BPF_ALU | BPF_MOV | BPF_X, to, from, 0, 0);
	}
}

void step_new_alu(struct gen *g)
{
	static const u8 bits[] = { 8, 16, 32 };
	int from = num(g), to = dst(g);
	u8 class = chance(g, 50) ? BPF_ALU64 : BPF_ALU;
	s32 imm = some_imm(g);

	switch (rnd(g, 4)) {
	case 0:
		emit(g, class | BPF_MOV | BPF_X, to, from, bits[rnd(g, class == BPF_ALU64 ? 3 : 2)], 0);
		break;
	case 1:
		emit(g, BPF_ALU64 | BPF_END, to, 0, 0, 16 << rnd(g, 3));
		break;
	case 2:
		emit(g, class | (chance(g, 50) ? BPF_DIV : BPF_MOD) | BPF_X, to, from, 1, 0);
		break;
	default:
		emit(g, class | (chance(g, 50) ? BPF_DIV : BPF_MOD) | BPF_K, to, 0, 1, imm ? imm : 7);
	}
}

/* A comparison of a number with another or with a constant. */
static void compare(struct gen *g, int reg, int label)
{
	u8 op = jump_ops[rnd(g, ARRAY_SIZE(jump_ops))], class = chance(g, 60) ? BPF_JMP : BPF_JMP32;

	if (chance(g, 35))
		jump(g, class | op | BPF_X, reg, num(g), 0, label);
	else
		jump(g, class | op | BPF_K, reg, 0, some_imm(g), label);
}

void step_jump(struct gen *g)
{
	struct gen_open *o = &g->open[g->open_cnt];

	if (g->open_cnt == ARRAY_SIZE(g->open))
		return;
	o->label = new_label(g);
	compare(g, num(g), o->label);
	o->steps = 1 + rnd(g, 4);
	o->nums = g->f.nums;
	o->slots = g->f.slots;
	o->has_dynptr = g->f.has_dynptr;
	g->open_cnt++;
}

/* Leaves by the frame's way out, or where there is none by a constant. */
static void bound_by_jump(struct gen *g, int reg, u32 max)
{
	u32 kind = rnd(g, 13);
	int other, over;

	if (g->f.held)
		kind = 12;
	switch (kind) {
	case 0:
		JI(BPF_JGT, reg, max, g->f.out);
		break;
	case 1:
		JI(BPF_JGE, reg, max + 1, g->f.out);
		break;
	case 2:
		jump(g, BPF_JMP32 | BPF_JGT | BPF_K, reg, 0, max, g->f.out);
		emit(g, BPF_ALU | BPF_MOV | BPF_X, reg, reg, 0, 0);
		break;
	case 3:
		JI(BPF_JSGT, reg, max, g->f.out);
		JI(BPF_JSLT, reg, 0, g->f.out);
		break;
	case 4:
		emit(g, BPF_ALU | BPF_MOV | BPF_X, reg, reg, 0, 0);
		jump(g, BPF_JMP32 | BPF_JSGT | BPF_K, reg, 0, max, g->f.out);
		jump(g, BPF_JMP32 | BPF_JSLE | BPF_K, reg, 0, -1, g->f.out);
		break;
	case 5:		/* what is found out about a copy holds here too */
		other = scratch(g, 1u << reg);
		MOV(other, reg);
		g->f.nums |= 1 << other;
		JI(BPF_JGT, other, max, g->f.out);
		break;
	case 6:
		over = new_label(g);
		JI(chance(g, 50) ? BPF_JLE : BPF_JLT, reg, max, over);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, g->f.out);
		place(g, over);
		break;
	case 7:
		other = scratch(g, 1u << reg);
		MOVI(other, max);
		g->f.nums |= 1 << other;
		if (chance(g, 50))
			JR(BPF_JGT, reg, other, g->f.out);
		else
			JR(BPF_JLT, other, reg, g->f.out);
		break;
	case 8:
		JI(BPF_JSET, reg, ~(s32)((1u << (fls(max + 1) - 1)) - 1), g->f.out);
		break;
	case 9:		/* in a window, and moved down */
		other = rnd(g, 1000);
		JI(BPF_JLT, reg, other, g->f.out);
		JI(BPF_JGT, reg, other + max, g->f.out);
		ADDI(reg, -other);
		break;
	case 10:	/* by a slot */
		emit(g, STX_MEM(8), BPF_REG_10, reg, -8, 0);
		JI(BPF_JGT, reg, max, g->f.out);
		emit(g, LD_MEM(chance(g, 70) ? 8 : 4), reg, BPF_REG_10, -8, 0);
		g->f.slots |= 1;
		break;
	case 11:	/* by another number that is less */
		other = num(g);
		JI(BPF_JGT, other, max, g->f.out);
		if (other != reg)
			JR(BPF_JGT, reg, other, g->f.out);
		break;
	default:
		MOVI(reg, rnd(g, max + 1));
	}
}

static void bound_by_alu(struct gen *g, int reg, u32 max)
{
	u32 bits = fls(max + 1) - 1;	/* 2^bits - 1 <= max */

	switch (rnd(g, 10)) {
	case 0:
	case 1:
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, max);
		break;
	case 2:
		emit(g, BPF_ALU | BPF_AND | BPF_K, reg, 0, 0, max);
		break;
	case 3:
		emit(g, BPF_ALU64 | BPF_RSH | BPF_K, reg, 0, 0, bits ? 64 - bits : 63);
		break;
	case 4:
		emit(g, BPF_ALU | BPF_RSH | BPF_K, reg, 0, 0, bits ? 32 - bits : 31);
		break;
	case 5:
		emit(g, BPF_ALU64 | BPF_LSH | BPF_K, reg, 0, 0, 64 - (bits ? bits : 1));
		emit(g, BPF_ALU64 | BPF_RSH | BPF_K, reg, 0, 0, 64 - (bits ? bits : 1));
		break;
	case 6:
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, max / 4);
		emit(g, BPF_ALU64 | BPF_MUL | BPF_K, reg, 0, 0, 1 + rnd(g, 4));
		break;
	case 7:
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, max / 2);
		ADDI(reg, rnd(g, max / 2 + 1));
		break;
	case 8:
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, bits > 1 ? (1 << (bits - 1)) - 1 : 0);
		emit(g, BPF_ALU64 | (chance(g, 50) ? BPF_OR : BPF_XOR) | BPF_K, reg, 0, 0, bits > 1 ? 1 << (bits - 2) : 0);
		break;
	default:	/* not followed by Linux's verifier */
		emit(g, BPF_ALU64 | BPF_MOD | BPF_K, reg, 0, 0, max + 1);
		JI(BPF_JGT, reg, max, g->f.held ? new_label(g) : g->f.out);
		if (g->f.held)
			place(g, g->label_cnt - 1);
	}
}

/* Narrows a number to 0 .. @max as programs do. */
void bound(struct gen *g, int reg, u32 max)
{
	if (chance(g, 50))
		bound_by_jump(g, reg, max);
	else
		bound_by_alu(g, reg, max);
}

void step_bound(struct gen *g)
{
	static const u32 limits[] = { 1, 7, 8, 15, 31, 40, 47, 48, 255 };

	bound(g, dst(g), limits[rnd(g, ARRAY_SIZE(limits))]);
}

/* One load, store or atomic of @size bytes. */
void access_mem(struct gen *g, int ptr, s32 off, u32 size)
{
	static const s32 atomics[] = { BPF_ADD, BPF_OR, BPF_AND, BPF_XOR, BPF_ADD | BPF_FETCH, BPF_OR | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG };
	u32 kind = rnd(g, 100);
	int reg = num(g);
	s32 op;

	if (kind < 50 || reg == ptr) {
		reg = rnd(g, 8);
		reg = reg == 6 ? 8 : reg;
		emit(g, LD_MEM(size), reg, ptr, off, 0);
		g->f.nums |= 1 << reg;
	} else if (kind < 78) {
		emit(g, STX_MEM(size), ptr, reg, off, 0);
	} else if (kind < 90 || size < 4) {
		emit(g, ST_MEM(size), ptr, 0, off, some_imm(g));
	} else {
		op = atomics[rnd(g, ARRAY_SIZE(atomics))];
		if (op == BPF_CMPXCHG && !(g->f.nums & 1))
			op = BPF_XCHG;
		if (op == BPF_CMPXCHG && ptr == 0)
			op = BPF_ADD;
		emit(g, BPF_STX | BPF_ATOMIC | size_code(size), ptr, reg, off, op);
	}
}

/* r6 and what lies behind it, at a variable place. */
void step_base_access(struct gen *g)
{
	u32 size = widths[rnd(g, 4)], room = g->f.base_size - size, fixed = 0;
	int index, ptr;

	if (g->f.base == BASE_NONE || g->f.base == BASE_LOCKED)
		return;
	if (chance(g, 25)) {
		access_mem(g, BPF_REG_6, rnd(g, 100) < 97 ? rnd(g, room + 1) / size * size : room + 1, size);
		return;
	}
	index = num(g);
	if (chance(g, 30))
		fixed = rnd(g, room + 1);
	if (chance(g, 88))
		bound(g, index, room - fixed);
	ptr = scratch(g, 1u << index);
	MOV(ptr, 6);
	if (chance(g, 20)) {		/* from the other end */
		ADDI(ptr, room - fixed);
		emit(g, BPF_ALU64 | BPF_SUB | BPF_X, ptr, index, 0, 0);
	} else if (chance(g, 15)) {
		MOV(ptr, index);
		ADD(ptr, 6);
	} else {
		ADD(ptr, index);
	}
	if (chance(g, 20) && fixed) {
		ADDI(ptr, fixed);
		fixed = 0;
	}
	access_mem(g, ptr, chance(g, 96) ? fixed : fixed + (chance(g, 50) ? 1 : -1), size);
	if (chance(g, 25))	/* once more, with what has been learnt */
		access_mem(g, ptr, fixed, size);
	if (chance(g, 50)) {
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
}

void step_stack_access(struct gen *g)
{
	u32 size = widths[rnd(g, ARRAY_SIZE(widths))], slot = rnd(g, DATA_SLOTS);
	s32 off = -8 * (s32)(slot + 1) + (s32)(rnd(g, 8 / size) * size);
	int index, ptr;

	if (chance(g, 65) || (g->f.slots & 15) != 15) {
		if (!(g->f.slots >> slot & 1)) {
			emit(g, STX_MEM(8), BPF_REG_10, num(g), -8 * (s16)(slot + 1), 0);
			g->f.slots |= 1 << slot;
		}
		access_mem(g, BPF_REG_10, off, size);
		return;
	}
	/* a variable place in the first four slots */
	index = num(g);
	bound(g, index, 32 - size);
	ptr = scratch(g, 1u << index);
	MOV(ptr, 10);
	ADDI(ptr, -32);
	ADD(ptr, index);
	access_mem(g, ptr, chance(g, 95) ? 0 : -1, size);
	if (chance(g, 50)) {
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
}

static void spill_pointer(struct gen *g)
{
	int ptr;

	emit(g, STX_MEM(8), BPF_REG_10, BPF_REG_6, BASE_SLOT, 0);
	if (chance(g, 5))	/* a piece of it becomes something else */
		emit(g, ST_MEM(1), BPF_REG_10, 0, BASE_SLOT + rnd(g, 8), 0);
	straight_steps(g, rnd(g, 3));
	ptr = scratch(g, 0);
	emit(g, LD_MEM(8), ptr, BPF_REG_10, BASE_SLOT, 0);
	access_mem(g, ptr, rnd(g, g->f.base_size - 7) / 8 * 8, 8);
	if (!(g->f.nums >> ptr & 1)) {
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
}

/* Out and back, perhaps in parts; and what came back is used. */
void step_spill(struct gen *g)
{
	static const u8 pairs[][2] = { { 8, 8 }, { 8, 8 }, { 8, 8 }, { 4, 4 }, { 8, 4 }, { 4, 8 }, { 8, 1 }, { 2, 8 }, { 8, 2 }, { 4, 2 } };
	u32 pick = rnd(g, ARRAY_SIZE(pairs)), slot = rnd(g, DATA_SLOTS), store = pairs[pick][0], load = pairs[pick][1], size;
	s32 off = -8 * (s32)(slot + 1);
	int from = num(g), to, ptr;

	if (g->f.base != BASE_NONE && g->f.base != BASE_LOCKED && chance(g, 20)) {
		spill_pointer(g);
		return;
	}
	if (chance(g, 40))
		bound(g, from, chance(g, 70) ? 40 : 255);
	if (store < 8 && !(g->f.slots >> slot & 1))
		emit(g, ST_MEM(8), BPF_REG_10, 0, off, 0);
	emit(g, STX_MEM(store), BPF_REG_10, from, off, 0);
	g->f.slots |= 1 << slot;
	if (chance(g, 6))	/* over a part of it */
		emit(g, STX_MEM(chance(g, 50) ? 1 : 4), BPF_REG_10, num(g), off + 4 * (s32)rnd(g, 2), 0);
	straight_steps(g, rnd(g, 2));
	if (chance(g, 40) && !g->f.held)	/* found out about the register, or about the slot */
		JI(chance(g, 70) ? BPF_JGT : BPF_JEQ, from, 40, g->f.out);
	to = dst(g);
	emit(g, LD_MEM(load), to, BPF_REG_10, off + (chance(g, 85) ? 0 : (s32)(rnd(g, 8 / load) * load)), 0);
	if (g->f.base == BASE_NONE || g->f.base == BASE_LOCKED || chance(g, 50))
		return;
	size = chance(g, 70) ? 8 : 1;
	if (chance(g, 40))
		bound(g, to, g->f.base_size - size);
	ptr = scratch(g, 1u << to);
	MOV(ptr, 6);
	ADD(ptr, to);
	access_mem(g, ptr, 0, size);
	if (!(g->f.nums >> ptr & 1)) {
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
}

/* A place for a number that two branches leave different values in: the register itself, or a slot. */
static void set_number(struct gen *g, int reg, bool in_slot, u32 max)
{
	switch (rnd(g, 4)) {
	case 0:
		MOVI(reg, rnd(g, max + 1));
		break;
	case 1:
		bound_by_alu(g, reg, max);
		break;
	default:
		MOVI(reg, chance(g, 90) ? max - rnd(g, max / 2 + 1) : max + 1 + rnd(g, 9));
	}
	if (in_slot)
		emit(g, chance(g, 80) ? STX_MEM(8) : STX_MEM(4), BPF_REG_10, reg, -16, 0);
}

/* A pointer with a variable part that may reach further on one branch than on the other. */
static void pointer_diamond(struct gen *g, u32 size)
{
	u32 room = g->f.base_size - size, far = chance(g, 15) ? 63 : 15, near = 1 << rnd(g, 4), i, more = 1 + rnd(g, 3);
	int other = new_label(g), join = new_label(g), index = num(g), ptr = scratch(g, 1u << index);
	bool swapped = chance(g, 30);
	s16 off;

	compare(g, num(g), other);
	emit(g, BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, swapped ? far : near - 1);
	MOV(ptr, 6);
	ADD(ptr, index);
	jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
	place(g, other);
	emit(g, BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, swapped ? near - 1 : far);
	MOV(ptr, 6);
	ADD(ptr, index);
	place(g, join);
	/* enough for a state to be kept; the number itself is forgotten */
	MOVI(index, some_imm(g));
	for (i = 0; i < more; i++) {
		int label = new_label(g);

		compare(g, num(g), label);
		alu_on(g, index);
		alu_on(g, index);
		place(g, label);
	}
	off = room - min_t(u32, room, chance(g, 50) ? near - 1 : far);
	if (chance(g, 60))
		emit(g, LD_MEM(size), ptr, ptr, off, 0);
	else
		emit(g, ST_MEM(size), ptr, 0, off, 1);
	MOVI(ptr, some_imm(g));
	g->f.nums |= 1 << ptr;
}

/*
 * Two branches that join with different values, and an access that relies on them: states met again, of which the later may allow more than the
 * earlier did.
 */
void step_diamond(struct gen *g)
{
	u32 size = widths[rnd(g, 4)], room = g->f.base_size - size, i, more;
	int other = new_label(g), join = new_label(g), reg, ptr;
	bool in_slot = chance(g, 35), pointers = chance(g, 25);

	if (g->f.base == BASE_NONE || g->f.base == BASE_LOCKED)
		return;
	if (in_slot)
		emit(g, ST_MEM(8), BPF_REG_10, 0, -16, 0);
	if (pointers && chance(g, 40)) {
		pointer_diamond(g, size);
		return;
	}
	if (pointers) {		/* the pointer itself differs */
		ptr = scratch(g, 0);
		compare(g, num(g), other);
		MOV(ptr, 6);
		if (chance(g, 50))
			ADDI(ptr, rnd(g, room + 1));
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
		place(g, other);
		MOV(ptr, chance(g, 75) ? 6 : 10);
		ADDI(ptr, g->p->insns[g->p->cnt - 1].src_reg == 10 ? -32 : (s32)rnd(g, room + 2));
		if (g->p->insns[g->p->cnt - 2].src_reg == 10 && (g->f.slots & 15) != 15)
			for (i = 0; i < 4; i++)
				emit(g, ST_MEM(8), BPF_REG_10, 0, -8 * (s16)(i + 1), 0);
		place(g, join);
		straight_steps(g, rnd(g, 2));
		if (!(g->f.nums >> ptr & 1))
			access_mem(g, ptr, 0, size);
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
		g->f.slots |= 2;
		return;
	}
	reg = dst(g);
	g->f.nums &= ~(1u << reg);
	compare(g, num(g), other);
	set_number(g, reg, in_slot, room);
	jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
	place(g, other);
	g->f.nums |= 1 << reg;
	set_number(g, reg, in_slot, room);
	place(g, join);
	/* enough going on for a state to be kept here */
	more = rnd(g, 3);
	g->f.nums &= ~(1u << reg);
	for (i = 0; i < more; i++) {
		int label = new_label(g);
		u32 k, cnt = 1 + rnd(g, 4);
		int d = num(g);

		compare(g, num(g), label);
		for (k = 0; k < cnt; k++)
			alu_on(g, d);
		place(g, label);
	}
	if (in_slot)
		emit(g, LD_MEM(8), reg, BPF_REG_10, -16, 0);
	g->f.nums |= 1 << reg;
	g->f.slots |= 2;
	if (chance(g, 25)) {	/* the number goes through others first */
		ptr = scratch(g, 1u << reg);
		MOV(ptr, reg);
		g->f.nums |= 1 << ptr;
		if (chance(g, 50) && room >= 8)
			emit(g, BPF_ALU64 | BPF_AND | BPF_K, ptr, 0, 0, 63);
		reg = ptr;
	}
	ptr = scratch(g, 1u << reg);
	MOV(ptr, 6);
	ADD(ptr, reg);
	access_mem(g, ptr, 0, size);
	if (!(g->f.nums >> ptr & 1)) {
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
}

void step_loop(struct gen *g)
{
	int counter = scratch(g, 0), top = new_label(g), end, ptr, limit;
	u32 rounds = 2 + rnd(g, 5), i;
	u16 kept = g->f.nums;

	MOVI(counter, 0);
	limit = -1;
	if (chance(g, 30) && g->f.nums) {	/* as often as a number says */
		limit = num(g);
		bound(g, limit, rounds);
	}
	place(g, top);
	end = new_label(g);
	if (limit >= 0 && limit != counter) {
		JR(BPF_JGE, counter, limit, end);
		g->f.nums &= ~(1u << limit);
	}
	if (g->f.base != BASE_NONE && g->f.base != BASE_LOCKED && chance(g, 60)) {
		ptr = scratch(g, 1u << counter | (limit >= 0 ? 1u << limit : 0));
		MOV(ptr, 6);
		ADD(ptr, counter);
		if (chance(g, 50))
			emit(g, ST_MEM(1), ptr, 0, g->f.base_size - rounds, 0);
		else
			emit(g, LD_MEM(1), ptr, ptr, g->f.base_size - rounds, 0);
		MOVI(ptr, some_imm(g));
		g->f.nums |= 1 << ptr;
	}
	for (i = rnd(g, 3); i && g->f.nums; i--)
		alu_on(g, num(g));
	ADDI(counter, 1);
	if (limit >= 0 && limit != counter)
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, top);
	else
		jump(g, (chance(g, 70) ? BPF_JMP : BPF_JMP32) | (chance(g, 70) ? BPF_JLT : BPF_JNE) | BPF_K, counter, 0, rounds, top);
	place(g, end);
	g->f.nums = (kept & g->f.nums) | 1 << counter;
}

/* Constants out of a map that nobody can write, addressed directly. */
void step_const(struct gen *g)
{
	u32 size = widths[rnd(g, 4)];
	int ptr = scratch(g, 0), to = dst(g), index;

	load_value_of(g, ptr, chance(g, 70) ? GEN_CONST : GEN_ONE, chance(g, 50) ? 0 : 8);
	if (chance(g, 30)) {
		index = num(g);
		bound(g, index, 8 - size);
		if (index != ptr)
			ADD(ptr, index);
	}
	emit(g, LD_MEM(size), to, ptr, chance(g, 95) ? 0 : 48, 0);
	g->f.nums |= 1 << to;
	if (to != ptr)
		g->f.nums &= ~(1u << ptr);
}

void step_ctx(struct gen *g)
{
	int ptr = scratch(g, 0), to = dst(g);

	if (!g->f.has_ctx)
		return;
	emit(g, LD_MEM(8), ptr, BPF_REG_10, CTX_SLOT, 0);
	switch (g->p->type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (chance(g, 20))
			emit(g, STX_MEM(4), ptr, to == ptr ? 10 : to, offsetof(struct __sk_buff, cb) + 4 * rnd(g, 5), 0);
		emit(g, LD_MEM(chance(g, 70) ? 4 : 1), to, ptr, 4 * (s16)rnd(g, 17), 0);
		break;
	case BPF_PROG_TYPE_XDP:
		emit(g, LD_MEM(4), to, ptr, 12 + 4 * (s16)rnd(g, 2), 0);
		break;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		emit(g, LD_MEM(4), to, ptr, 4 * (s16)rnd(g, 7), 0);
		break;
	case BPF_PROG_TYPE_TRACING:
		MOVI(to, 1);
		break;
	case BPF_PROG_TYPE_PERF_EVENT:
		emit(g, LD_MEM(chance(g, 50) ? 8 : 4), to, ptr, chance(g, 50) ? 168 : 176, 0);
		break;
	default:
		emit(g, LD_MEM(8), to, ptr, 8 * (s16)rnd(g, 12), 0);
	}
	g->f.nums |= 1 << to;
}
