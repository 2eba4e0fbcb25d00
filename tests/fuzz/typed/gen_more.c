// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps with what is rarer: formats, pointers kept in maps, walks through the kernel's structs, fields of contexts, packet loads of old, keys in
 * packets.
 */
#include "gen.h"

void step_format(struct gen *g)
{
	/* where the texts lie among the constants, and the arguments that each wants */
	static const u8 texts[][2] = { { 8, 0 }, { 16, 1 }, { 48, 2 }, { 64, 2 }, { 80, 2 }, { 96, 2 }, { 112, 2 }, { 128, 2 }, { 144, 2 }, { 160, 2 },
					 { 176, 2 }, { 192, 2 } };
	u32 pick = rnd(g, ARRAY_SIZE(texts)), cnt = texts[pick][1], i;

	g->f.nums &= ~0x3f;
	for (i = 0; i < 4; i++)
		emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, 0);
	if (chance(g, 5))
		cnt++;
	MOVI(5, 8 * (s32)cnt);
	if (cnt)
		stack_pointer(g, 4, BUFFER);
	else
		MOVI(4, 0);
	load_value_of(g, 3, GEN_CONST, texts[pick][0]);
	MOVI(2, 16);
	stack_pointer(g, 1, BUFFER + 16);
	helper(g, BPF_FUNC_snprintf);
	some_numbers(g);
}

/* A pointer to a task, taken out of a map's value or put there. */
void step_kptr(struct gen *g)
{
	int none = new_label(g);

	lookup(g, GEN_KPTR);
	JI(BPF_JEQ, 0, 0, none);
	g->f.nums &= ~(1 << 9);
	MOV(9, 0);
	switch (rnd(g, 4)) {
	case 0:
		helper(g, BPF_FUNC_get_current_task_btf);
		emit(g, STX_MEM(8), 9, 0, chance(g, 95) ? 0 : 4, 0);
		break;
	case 1:
		emit(g, ST_MEM(8), 9, 0, 0, chance(g, 90) ? 0 : 1);
		break;
	default:
		emit(g, LD_MEM(8), 1, 9, 0, 0);
		if (chance(g, 90))
			JI(BPF_JEQ, 1, 0, none);
		emit(g, LD_MEM(4), 1, 1, chance(g, 80) ? 8 : 4 * (s16)rnd(g, 62), 0);
	}
	place(g, none);
	g->f.nums &= ~(0x3f | 1 << 9);
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* Any member of a task, and on from there. */
void step_walk(struct gen *g)
{
	static const u8 pointers[] = { 32, 48, 240 };	/* to files, to a dentry */
	u32 size = 1 << rnd(g, 4);

	helper(g, BPF_FUNC_get_current_task_btf);
	g->f.nums &= ~1;
	if (chance(g, 25)) {
		MOV(1, 0);
		helper(g, BPF_FUNC_task_pt_regs);
		emit(g, LD_MEM(8), 1, 0, 112, 0);
	} else if (chance(g, 50)) {
		emit(g, LD_MEM(8), 0, 0, pointers[rnd(g, 3)], 0);
		size = chance(g, 50) ? 4 : 8;
		emit(g, LD_MEM(size), 1, 0, size * (s16)rnd(g, 64 / size), 0);
	} else {
		/* some members lie at odd bytes, over others */
		emit(g, LD_MEM(size), 1, 0, size * (s16)rnd(g, (chance(g, 90) ? 248 : 320) / size) + (chance(g, 15) ? 1 : 0), 0);
	}
	MOVI(0, 0);
	MOVI(1, some_imm(g));
	g->f.nums |= 3;
	some_numbers(g);
}

/* Fields of the context by all their names. */
void step_fields(struct gen *g)
{
	static const u8 skb[] = { 0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 40, 44, 48, 56, 64, 68, 72, 84, 88, 92, 96, 108, 124, 128, 132, 152, 160, 164,
				  176, 180 };
	static const u8 writable[] = { 8, 12, 32, 44, 48, 60, 72, 152 };
	u32 size = 4, off;

	if (!g->f.has_ctx)
		return;
	g->f.nums &= ~(3 << 2);
	emit(g, LD_MEM(8), 2, BPF_REG_10, CTX_SLOT, 0);
	MOVI(3, 1);
	switch (g->p->type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (chance(g, 20)) {
			emit(g, LD_MEM(chance(g, 80) ? 4 : 8), 3, 2, 4 * (s16)rnd(g, 48), 0);
			/* some are pointers */
			MOVI(3, 1);
			break;
		}
		if (chance(g, 30)) {
			off = writable[rnd(g, ARRAY_SIZE(writable))];
			emit(g, STX_MEM(off == 152 ? 8 : 4), 2, 3, off, 0);
			break;
		}
		off = skb[rnd(g, ARRAY_SIZE(skb))];
		if (off == 152)
			size = 8;
		else if (chance(g, 25))
			size = 1 + rnd(g, 2);
		emit(g, LD_MEM(size), 3, 2, off, 0);
		break;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		if (chance(g, 30))
			emit(g, STX_MEM(4), 2, 3, chance(g, 50) ? 0 : 16 + 4 * (s16)rnd(g, 2), 0);
		else
			emit(g, LD_MEM(4), 3, 2, 4 * (s16)rnd(g, 20), 0);
		break;
	case BPF_PROG_TYPE_PERF_EVENT:
		emit(g, LD_MEM(8), 3, 2, 8 * (s16)rnd(g, 23), 0);
		break;
	case BPF_PROG_TYPE_XDP:
		emit(g, LD_MEM(4), 3, 2, 12 + 4 * (s16)rnd(g, 2), 0);
		break;
	case BPF_PROG_TYPE_TRACEPOINT:
		emit(g, LD_MEM(1 << rnd(g, 4)), 3, 2, 8 * (s16)rnd(g, 20), 0);
		break;
	case BPF_PROG_TYPE_KPROBE:
		emit(g, LD_MEM(8), 3, 2, 8 * (s16)rnd(g, 21), 0);
		break;
	}
	MOVI(2, some_imm(g));
	g->f.nums |= 3 << 2;
}

/* r6 must be the context: it is put away meanwhile. */
void step_ld_abs(struct gen *g)
{
	static const u8 sizes[] = { BPF_W, BPF_H, BPF_B };

	if (!g->f.has_ctx || g->f.held || (g->p->type != BPF_PROG_TYPE_SOCKET_FILTER && g->p->type != BPF_PROG_TYPE_SCHED_CLS))
		return;
	if (g->f.base != BASE_NONE && (g->f.base != BASE_VALUE || g->f.depth))
		return;
	if (g->f.base == BASE_VALUE)
		emit(g, STX_MEM(8), BPF_REG_10, 6, BASE_SLOT, 0);
	emit(g, LD_MEM(8), 6, BPF_REG_10, CTX_SLOT, 0);
	if (chance(g, 60) || !g->f.nums)
		emit(g, BPF_LD | BPF_ABS | sizes[rnd(g, 3)], 0, 0, 0, rnd(g, 60));
	else
		emit(g, BPF_LD | BPF_IND | sizes[rnd(g, 3)], 0, num(g), 0, rnd(g, 60));
	g->f.nums = (g->f.nums & ~0x3f) | 1;
	if (g->f.base == BASE_VALUE)
		emit(g, LD_MEM(8), 6, BPF_REG_10, BASE_SLOT, 0);
	some_numbers(g);
}

/* A look-up, or a sum, whose memory lies in the packet. */
void step_packet_key(struct gen *g)
{
	u32 data = g->p->type == BPF_PROG_TYPE_XDP ? 0 : offsetof(struct __sk_buff, data);
	u32 end = g->p->type == BPF_PROG_TYPE_XDP ? 4 : offsetof(struct __sk_buff, data_end);
	int out = new_label(g);

	if (!g->f.has_ctx || g->f.held)
		return;
	g->f.nums &= ~0x3f;
	emit(g, LD_MEM(8), 3, BPF_REG_10, CTX_SLOT, 0);
	if (g->p->type != BPF_PROG_TYPE_CGROUP_SKB && chance(g, 25)) {	/* metadata: up to where the packet begins */
		emit(g, LD_MEM(4), 1, 3, g->p->type == BPF_PROG_TYPE_XDP ? 8 : offsetof(struct __sk_buff, data_meta), 0);
		emit(g, LD_MEM(4), 2, 3, data, 0);
		MOV(3, 1);
		ADDI(3, 8);
		JR(BPF_JGT, 3, 2, out);
		emit(g, LD_MEM(4), 1, 1, chance(g, 90) ? 4 : 5, 0);
	} else {
		emit(g, LD_MEM(4), 2, 3, data, 0);
		emit(g, LD_MEM(4), 4, 3, end, 0);
		MOV(3, 2);
		ADDI(3, chance(g, 90) ? 8 : 7);
		JR(BPF_JGT, 3, 4, out);
		load_map(g, 1, chance(g, 50) ? GEN_HASH : GEN_ARRAY);
		helper(g, chance(g, 50) ? BPF_FUNC_map_lookup_elem : BPF_FUNC_map_delete_elem);
	}
	place(g, out);
	g->f.nums &= ~0x3f;
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}
