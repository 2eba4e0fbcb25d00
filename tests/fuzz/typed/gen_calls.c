// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps with calls: helpers with memory, look-ups, functions and callbacks, records, packets, sockets, locks, timers, kernel objects.
 */
#include "gen.h"
#include "types.h"

/* r0 holds a number anywhere after a call; some of r1 to r5 get one again. */
void some_numbers(struct gen *g)
{
	u32 i;

	for (i = 1; i < 6; i++) {
		if (chance(g, 55) || g->f.nums >> i & 1)
			continue;
		MOVI(i, some_imm(g));
		g->f.nums |= 1 << i;
	}
}

void stack_pointer(struct gen *g, int reg, s32 off)
{
	MOV(reg, 10);
	ADDI(reg, off);
}

/* Writes the key of a look-up in @map, mostly one that is there. */
static void put_key(struct gen *g, enum gen_map map)
{
	bool hash = map == GEN_HASH || map == GEN_PERCPU_HASH;
	int reg;

	if (chance(g, 30) && g->f.nums) {
		reg = num(g);
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, reg, 0, 0, 3);
		emit(g, STX_MEM(hash ? 8 : 4), BPF_REG_10, reg, KEY_SLOT, 0);
	} else {
		emit(g, ST_MEM(hash ? 8 : 4), BPF_REG_10, 0, KEY_SLOT, chance(g, 80) ? (s32)rnd(g, 4) : some_imm(g));
	}
}

void step_call(struct gen *g)
{
	static const s32 calls[] = {
		BPF_FUNC_get_prandom_u32, BPF_FUNC_get_prandom_u32, BPF_FUNC_ktime_get_ns, BPF_FUNC_get_smp_processor_id, BPF_FUNC_jiffies64,
		BPF_FUNC_get_numa_node_id
	};

	if (g->p->type == BPF_PROG_TYPE_KPROBE && g->f.has_ctx && chance(g, 30)) {
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		helper(g, chance(g, 50) ? BPF_FUNC_get_func_ip : BPF_FUNC_get_attach_cookie);
	} else {
		helper(g, calls[rnd(g, ARRAY_SIZE(calls))]);
	}
	some_numbers(g);
}

void lookup(struct gen *g, enum gen_map map)
{
	put_key(g, map);
	stack_pointer(g, 2, KEY_SLOT);
	load_map(g, 1, map);
	helper(g, BPF_FUNC_map_lookup_elem);
	g->f.nums &= ~1;
}

void step_lookup(struct gen *g)
{
	u32 size = 1 << rnd(g, 4), off = rnd(g, GEN_VALUE / size) * size;
	int none = new_label(g), ptr = 0, copy;

	lookup(g, rnd(g, GEN_PERCPU_HASH + 1));
	switch (rnd(g, 8)) {
	case 0:		/* the test is of a copy */
		copy = 1 + rnd(g, 5);
		MOV(copy, 0);
		JI(BPF_JEQ, copy, 0, none);
		if (chance(g, 40))
			ptr = copy;
		break;
	case 1:		/* by a slot */
		emit(g, STX_MEM(8), BPF_REG_10, 0, BASE_SLOT, 0);
		JI(BPF_JEQ, 0, 0, none);
		ptr = 1 + rnd(g, 5);
		emit(g, LD_MEM(8), ptr, BPF_REG_10, BASE_SLOT, 0);
		break;
	case 2:
		if (!chance(g, 40)) {
			JI(BPF_JEQ, 0, 0, none);
			break;
		}
		/* untested, or tested the wrong way */
		if (chance(g, 50))
			JI(BPF_JNE, 0, 0, none);
		break;
	case 3: {
		int some = new_label(g);

		JI(BPF_JNE, 0, 0, some);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, none);
		place(g, some);
		break;
	}
	default:
		JI(BPF_JEQ, 0, 0, none);
	}
	if (chance(g, 20) && ptr == 0)
		ADDI(0, 0);
	access_mem(g, ptr, chance(g, 97) ? off : GEN_VALUE - size + 1, size);
	if (g->f.nums & 1 && g->f.base == BASE_VALUE && chance(g, 20) && ptr != 0)
		MOV(0, 0);
	place(g, none);
	g->f.nums = 1 | (g->f.nums & ~0x3f);
	MOVI(0, some_imm(g));
	some_numbers(g);
}

void step_map_write(struct gen *g)
{
	enum gen_map map = rnd(g, GEN_PERCPU_HASH + 1);

	put_key(g, map);
	if (chance(g, 70)) {
		if (g->f.base == BASE_VALUE && chance(g, 50)) {
			MOV(3, 6);
		} else {
			u32 i;

			for (i = 0; i < GEN_VALUE / 8; i++)
				if (chance(g, 99))
					emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, some_imm(g));
			stack_pointer(g, 3, BUFFER);
		}
		MOVI(4, 0);
		stack_pointer(g, 2, KEY_SLOT);
		load_map(g, 1, map);
		helper(g, BPF_FUNC_map_update_elem);
	} else {
		stack_pointer(g, 2, KEY_SLOT);
		load_map(g, 1, map);
		helper(g, BPF_FUNC_map_delete_elem);
	}
	some_numbers(g);
}

static bool traces(const struct gen *g)
{
	return g->p->type == BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE || g->p->type == BPF_PROG_TYPE_KPROBE || g->p->type == BPF_PROG_TYPE_TRACEPOINT || g->p->type == BPF_PROG_TYPE_PERF_EVENT ||
	       g->p->type == BPF_PROG_TYPE_RAW_TRACEPOINT || g->p->type == BPF_PROG_TYPE_TRACING;
}

/* Memory of a variable size that a helper writes or reads. */
void step_memory_helper(struct gen *g)
{
	bool value = (g->f.base == BASE_VALUE || g->f.base == BASE_MEM || g->f.base == BASE_STACK) && chance(g, 50);
	u32 room = value ? g->f.base_size : 32;
	int size = 2, at;

	/* the size lies in r2: move a number there, and bound it */
	if (g->f.nums & ~(1 << 2) && chance(g, 70)) {
		at = num(g);
		if (at != size)
			MOV(size, at);
		g->f.nums |= 1 << 2;
		if (chance(g, 92))
			bound(g, size, room);
	} else {
		MOVI(size, chance(g, 95) ? rnd(g, room + 1) : room + 1);
	}
	at = 1;
	if (value) {
		MOV(at, 6);
		if (chance(g, 10))
			ADDI(at, 1);
	} else {
		if ((g->f.slots & 15) != 15) {
			u32 i;

			for (i = 0; i < 4; i++)
				emit(g, ST_MEM(8), BPF_REG_10, 0, -8 * (s16)(i + 1), 1);
			g->f.slots |= 15;
		}
		stack_pointer(g, at, chance(g, 95) ? -32 : -31);
	}
	switch (rnd(g, 4)) {
	case 0:
		if (!traces(g) || !g->f.has_ctx)
			break;
		MOV(5, 2);
		MOV(4, 1);
		MOVI(3, 0);
		load_map(g, 2, GEN_EVENTS);
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		helper(g, BPF_FUNC_perf_event_output);
		some_numbers(g);
		return;
	case 1:
		MOV(3, 2);
		MOV(2, 1);
		MOVI(4, 0);
		load_map(g, 1, GEN_RING);
		helper(g, BPF_FUNC_ringbuf_output);
		some_numbers(g);
		return;
	case 2:
		if (traces(g) || !g->f.has_ctx || g->p->type == BPF_PROG_TYPE_XDP || g->p->type == BPF_PROG_TYPE_CGROUP_SOCK)
			break;
		MOV(4, 2);
		JI(BPF_JEQ, 4, 0, g->f.out);
		MOV(3, 1);
		MOVI(2, rnd(g, 20));
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		helper(g, BPF_FUNC_skb_load_bytes);
		some_numbers(g);
		return;
	}
	if (g->p->flags & BPF_F_SLEEPABLE && chance(g, 60)) {
		bool of_task = chance(g, 30);

		if (of_task) {
			MOV(8, 1);
			MOV(9, 2);
			g->f.nums &= ~(3 << 8);
			helper(g, BPF_FUNC_get_current_task_btf);
			MOV(4, 0);
			MOV(2, 9);
			MOV(1, 8);
			MOVI(5, 0);
		}
		MOVI(3, 0);
		helper(g, of_task ? BPF_FUNC_copy_from_user_task : BPF_FUNC_copy_from_user);
		some_numbers(g);
		return;
	}
	MOVI(3, 0);
	helper(g, chance(g, 50) ? BPF_FUNC_probe_read_kernel : BPF_FUNC_probe_read_kernel_str);
	if (chance(g, 30) && g->f.base == BASE_VALUE) {	/* how much was read */
		int ptr = 1;

		bound(g, 0, GEN_VALUE - 1);
		MOV(ptr, 6);
		ADD(ptr, 0);
		access_mem(g, ptr, 0, 1);
	}
	some_numbers(g);
}

void step_text_helper(struct gen *g)
{
	u32 i;

	for (i = 0; i < 2; i++)
		emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, 0x20333231);
	g->f.nums &= ~0x3f;
	switch (rnd(g, traces(g) ? 5 : 4)) {
	case 0:
		stack_pointer(g, 4, BUFFER + 8);
		MOVI(3, chance(g, 50) ? 10 : 0);
		MOVI(2, 4);
		stack_pointer(g, 1, BUFFER);
		helper(g, chance(g, 50) ? BPF_FUNC_strtol : BPF_FUNC_strtoul);
		emit(g, LD_MEM(8), 1, BPF_REG_10, BUFFER + 8, 0);
		g->f.nums |= 2;
		break;
	case 1:
		load_value_of(g, 3, GEN_CONST, 8);
		MOVI(2, 8);
		stack_pointer(g, 1, BUFFER);
		helper(g, BPF_FUNC_strncmp);
		break;
	case 2:
		MOVI(5, chance(g, 50) ? 0 : 8);
		MOVI(4, 0);
		if (g->p->insns[g->p->cnt - 2].imm)
			stack_pointer(g, 4, BUFFER);
		load_value_of(g, 3, GEN_CONST, g->p->insns[g->p->cnt - 1].imm ? 16 : 8);
		MOVI(2, 16);
		stack_pointer(g, 1, BUFFER);
		helper(g, BPF_FUNC_snprintf);
		break;
	case 3:
		MOVI(3, 7);
		MOVI(2, 8);
		stack_pointer(g, 1, BUFFER);
		helper(g, BPF_FUNC_trace_printk);
		break;
	default:
		MOVI(2, 16);
		stack_pointer(g, 1, BUFFER);
		helper(g, BPF_FUNC_get_current_comm);
	}
	some_numbers(g);
}

void step_tail_call(struct gen *g)
{
	if (!g->f.has_ctx || g->f.depth || g->func_cnt)
		return;
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	load_map(g, 2, GEN_PROGS);
	MOVI(3, rnd(g, 5));
	helper(g, BPF_FUNC_tail_call);
	g->f.nums &= ~1;
	some_numbers(g);
}

/* ---- functions ---- */

void fill_region(struct gen *g)
{
	u32 i;

	for (i = 0; i < GEN_VALUE / 8; i++) {
		emit(g, ST_MEM(8), BPF_REG_10, 0, -8 * (s16)(i + 1), rnd(g, 20));
		g->f.slots |= 1 << i;
	}
}

void step_function(struct gen *g)
{
	enum gen_base base = rnd(g, 3);
	enum gen_func_kind kind = FUNC_STATIC;
	int label, ptr;

	if (g->f.depth >= 2)
		return;
	if (g->features & GEN_TYPES && chance(g, 40))
		kind = chance(g, 75) || !g->f.has_ctx ? FUNC_GLOBAL_MEM : FUNC_GLOBAL_CTX;
	if (base == BASE_VALUE && g->f.base != BASE_VALUE)
		base = BASE_STACK;
	if (kind == FUNC_GLOBAL_MEM && base == BASE_NONE)
		base = BASE_STACK;
	label = add_func(g, kind, base);
	if (label < 0)
		return;
	if (base == BASE_STACK && kind != FUNC_GLOBAL_CTX)
		fill_region(g);
	if (chance(g, 70) && g->f.nums)
		MOV(2, num(g));
	else
		MOVI(2, some_imm(g));
	if (chance(g, 50) && g->f.nums)
		MOV(3, num(g));
	else
		MOVI(3, some_imm(g));
	if (kind == FUNC_GLOBAL_CTX)
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	else if (base == BASE_VALUE)
		MOV(1, 6);
	else if (base == BASE_STACK)
		stack_pointer(g, 1, -GEN_VALUE);
	else
		MOVI(1, 0);
	call_label(g, label);
	if (g->f.base == BASE_VALUE && chance(g, 60)) {
		/* what it gave is a place */
		bound(g, 0, GEN_VALUE - 1);
		ptr = 1;
		MOV(ptr, 6);
		ADD(ptr, 0);
		access_mem(g, ptr, 0, 1);
	}
	some_numbers(g);
}

void step_callback(struct gen *g)
{
	bool each = chance(g, 45);
	int label, ptr;

	if (g->f.depth >= 2)
		return;
	label = add_func(g, each ? FUNC_EACH : FUNC_LOOP, BASE_NONE);
	if (label < 0)
		return;
	fill_region(g);
	if (each) {
		load_map(g, 1, rnd(g, 3));
	} else if (chance(g, 30) && g->f.nums) {
		MOV(1, num(g));
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, 1, 0, 0, 7);
	} else {
		MOVI(1, rnd(g, 7));
	}
	load_func(g, 2, label);
	stack_pointer(g, 3, -GEN_VALUE);
	MOVI(4, 0);
	helper(g, each ? BPF_FUNC_for_each_map_elem : BPF_FUNC_loop);
	if (chance(g, 70)) {	/* what it left behind is a place */
		emit(g, LD_MEM(8), 7, BPF_REG_10, -8 * (s16)(1 + rnd(g, GEN_VALUE / 8)), 0);
		g->f.nums |= 1 << 7;
		if (g->f.base == BASE_VALUE && chance(g, 50)) {
			if (chance(g, 60))
				bound(g, 7, GEN_VALUE - 1);
			ptr = 1;
			MOV(ptr, 6);
			ADD(ptr, 7);
			access_mem(g, ptr, 0, 1);
		}
	}
	some_numbers(g);
}

/* ---- records, packets, sockets ---- */

void step_record(struct gen *g)
{
	static const u8 sizes[] = { 8, 16, 24, 40 };
	u32 size = sizes[rnd(g, 4)], width = 1 << rnd(g, 4);
	int none = new_label(g), index;
	bool held = g->f.held;

	load_map(g, 1, GEN_RING);
	MOVI(2, size);
	MOVI(3, 0);
	helper(g, BPF_FUNC_ringbuf_reserve);
	g->f.nums &= ~1;
	if (chance(g, 97))
		JI(BPF_JEQ, 0, 0, none);
	g->f.held = true;
	if (chance(g, 30)) {
		emit(g, STX_MEM(8), BPF_REG_10, 0, BASE_SLOT, 0);
	}
	MOV(1, 0);
	if (chance(g, 60) && g->f.nums & 0x380) {
		for (index = 7; !(g->f.nums >> index & 1); index++)
			;
		MOV(2, index);
		bound(g, 2, chance(g, 95) ? size - width : size);
		MOV(3, 0);
		ADD(3, 2);
		emit(g, STX_MEM(width), 3, 2, 0, 0);
	} else {
		emit(g, ST_MEM(width), 0, 0, rnd(g, size / width) * width, 1);
	}
	if (chance(g, 6) && g->p->type == BPF_PROG_TYPE_SOCKET_FILTER)
		JI(BPF_JEQ, 7, 0, g->f.out);	/* lost */
	if (chance(g, 95)) {
		MOVI(2, 0);
		helper(g, chance(g, 50) ? BPF_FUNC_ringbuf_submit : BPF_FUNC_ringbuf_discard);
		if (chance(g, 5)) {	/* once more */
			MOVI(2, 0);
			emit(g, LD_MEM(8), 1, BPF_REG_10, BASE_SLOT, 0);
			helper(g, BPF_FUNC_ringbuf_submit);
		}
	}
	g->f.held = held;
	place(g, none);
	g->f.nums = 1 | (g->f.nums & ~0x3f);
	MOVI(0, some_imm(g));
	some_numbers(g);
}

/* Bytes of a packet, after a test of its end that may be wrong. */
void step_packet(struct gen *g)
{
	static const u8 reaches[] = { 1, 2, 4, 8, 14, 20, 34 };
	static const u16 masks[] = { 7, 31, 63, 255, 0x3fff };
	u32 size = 1 << rnd(g, 4), reach = reaches[rnd(g, ARRAY_SIZE(reaches))], data, end;
	int out = new_label(g), index;
	s32 off;

	if (!g->f.has_ctx || g->f.held)
		return;
	data = g->p->type == BPF_PROG_TYPE_XDP ? 0 : offsetof(struct __sk_buff, data);
	end = g->p->type == BPF_PROG_TYPE_XDP ? 4 : offsetof(struct __sk_buff, data_end);
	g->f.nums &= ~0x3e;
	emit(g, LD_MEM(8), 3, BPF_REG_10, CTX_SLOT, 0);
	emit(g, LD_MEM(4), 1, 3, data, 0);
	emit(g, LD_MEM(4), 2, 3, end, 0);
	if (chance(g, 50) && g->f.nums) {
		index = num(g);
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, masks[rnd(g, ARRAY_SIZE(masks))]);
		ADD(1, index);
	}
	if (chance(g, 20))
		ADDI(1, rnd(g, 20));
	if (reach < size && chance(g, 80))
		reach = size;
	MOV(3, 1);
	ADDI(3, reach);
	switch (rnd(g, 9)) {
	case 0:
		JR(BPF_JGE, 3, 2, out);
		break;
	case 1:
		JR(BPF_JLT, 2, 3, out);
		break;
	case 2:
		JR(BPF_JLE, 2, 3, out);
		break;
	case 3: {
		int some = new_label(g);

		JR(chance(g, 50) ? BPF_JLE : BPF_JLT, 3, 2, some);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, out);
		place(g, some);
		break;
	}
	case 5: {	/* past the end; and then the same is asked again */
		int past = new_label(g), some = new_label(g);

		JR(chance(g, 50) ? BPF_JGT : BPF_JGE, 3, 2, past);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, some);
		place(g, past);
		JR(BPF_JGE, 3, 2, out);
		JR(chance(g, 50) ? BPF_JGT : BPF_JLE, 3, 2, out);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, out);
		place(g, some);
		break;
	}
	case 4:
		if (chance(g, 50))
			JR(chance(g, 50) ? BPF_JLT : BPF_JLE, 3, 2, out);
		else
			JR(BPF_JGT, 2, 3, out);
		break;
	default:
		JR(BPF_JGT, 3, 2, out);
	}
	if (chance(g, 8) && g->f.nums & 0x380) {	/* on by a variable, which must be tested again */
		for (index = 7; !(g->f.nums >> index & 1); index++)
			;
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, 7);
		ADD(1, index);
		if (chance(g, 50)) {
			MOV(3, 1);
			ADDI(3, reach);
			JR(BPF_JGT, 3, 2, out);
		}
	}
	if (chance(g, 12) && g->f.nums & 0x380) {	/* how much is known to be there depends on the way */
		u32 more = reach + 1 + rnd(g, 16), i;
		int other = new_label(g), join = new_label(g);
		bool swapped = chance(g, 30);

		for (index = 7; !(g->f.nums >> index & 1); index++)
			;
		JI(BPF_JGT, index, some_imm(g), other);
		MOV(3, 1);
		ADDI(3, swapped ? (s32)reach : (s32)more);
		JR(BPF_JGT, 3, 2, out);
		jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
		place(g, other);
		MOV(3, 1);
		ADDI(3, swapped ? (s32)more : (s32)reach);
		JR(BPF_JGT, 3, 2, out);
		place(g, join);
		MOVI(3, 0);
		for (i = 0; i < 2; i++) {	/* enough for a state to be kept */
			other = new_label(g);
			JI(BPF_JSGT, index, some_imm(g), other);
			ADDI(3, 1);
			ADDI(3, 1);
			place(g, other);
		}
		emit(g, LD_MEM(1), 4, 1, (chance(g, 50) ? reach : more) - 1, 0);
		place(g, out);
		g->f.nums &= ~0x3e;
		MOVI(0, some_imm(g));
		g->f.nums |= 1;
		some_numbers(g);
		return;
	}
	off = chance(g, 60) ? (s32)reach - (s32)size : chance(g, 80) ? 0 : (s32)reach - (s32)size + 1;
	if (g->p->type == BPF_PROG_TYPE_CGROUP_SKB || chance(g, 70))
		emit(g, LD_MEM(size), 4, 1, off, 0);
	else
		emit(g, ST_MEM(size), 1, 0, off, 1);
	if (chance(g, 15))
		emit(g, LD_MEM(1), 4, 3, -(s16)(1 + rnd(g, reach + 1)), 0);
	if (chance(g, 6) && g->p->type == BPF_PROG_TYPE_SCHED_CLS) {	/* the packet moves */
		emit(g, STX_MEM(8), BPF_REG_10, 1, BASE_SLOT, 0);
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		MOVI(2, 0);
		helper(g, BPF_FUNC_skb_pull_data);
		if (chance(g, 30)) {
			emit(g, LD_MEM(8), 1, BPF_REG_10, BASE_SLOT, 0);
			emit(g, LD_MEM(1), 1, 1, 0, 0);
		}
	}
	place(g, out);
	g->f.nums &= ~0x3e;
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

void step_socket(struct gen *g)
{
	int none = new_label(g);
	u32 i;

	if (!g->f.has_ctx || g->f.held)
		return;
	g->f.nums &= ~0x3f;
	if (g->p->type != BPF_PROG_TYPE_XDP && chance(g, 40)) {
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		emit(g, LD_MEM(8), 1, 1, offsetof(struct __sk_buff, sk), 0);
		JI(BPF_JEQ, 1, 0, none);
		if (chance(g, 50)) {
			helper(g, chance(g, 50) ? BPF_FUNC_sk_fullsock : BPF_FUNC_tcp_sock);
			JI(BPF_JEQ, 0, 0, none);
			emit(g, LD_MEM(chance(g, 70) ? 4 : 8), 1, 0, 4 * (s16)rnd(g, 24), 0);
		} else {
			emit(g, LD_MEM(4), 1, 1, chance(g, 70) ? 4 : 24, 0);
		}
	} else {
		for (i = 0; i < 2; i++)
			emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, 0);
		emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
		stack_pointer(g, 2, BUFFER);
		MOVI(3, 12);
		MOVI(4, -1);
		MOVI(5, 0);
		helper(g, chance(g, 50) ? BPF_FUNC_sk_lookup_tcp : BPF_FUNC_sk_lookup_udp);
		JI(BPF_JEQ, 0, 0, none);
		MOV(1, 0);
		emit(g, LD_MEM(4), 2, 0, chance(g, 90) ? 4 * (s16)rnd(g, 3) : 200, 0);
		if (chance(g, 92))
			helper(g, BPF_FUNC_sk_release);
	}
	place(g, none);
	g->f.nums &= ~0x3f;
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* ---- what map values guard; kernel objects ---- */

void step_lock(struct gen *g)
{
	int none = new_label(g);
	bool held = g->f.held;

	/* programs of these types may not hold a spin lock */
	if (traces(g) || g->p->type == BPF_PROG_TYPE_SOCKET_FILTER || g->p->type == BPF_PROG_TYPE_CGROUP_SOCK || held)
		return;
	lookup(g, GEN_LOCKED);
	JI(BPF_JEQ, 0, 0, none);
	g->f.held = true;
	MOV(9, 0);
	g->f.nums &= ~(1 << 9);
	MOV(1, 0);
	helper(g, BPF_FUNC_spin_lock);
	if (chance(g, 5))
		helper(g, BPF_FUNC_ktime_get_ns);
	emit(g, LD_MEM(8), 7, 9, 8, 0);
	g->f.nums |= 1 << 7;
	if (chance(g, 50))
		emit(g, STX_MEM(8), 9, 7, chance(g, 95) ? 16 : 0, 0);
	MOV(1, 9);
	if (chance(g, 95))
		helper(g, BPF_FUNC_spin_unlock);
	g->f.held = held;
	place(g, none);
	g->f.nums &= ~(0x3f | 1 << 7 | 1 << 9);
	MOVI(0, some_imm(g));
	MOVI(7, some_imm(g));
	g->f.nums |= 1 | 1 << 7;
	some_numbers(g);
}

void step_timer(struct gen *g)
{
	int none = new_label(g), label;

	/* not for tracing */
	if (traces(g) || g->f.depth >= 2 || g->f.held)
		return;
	label = add_func(g, FUNC_TIMER, BASE_VALUE);
	if (label < 0)
		return;
	lookup(g, GEN_TIMER);
	if (chance(g, 97))
		JI(BPF_JEQ, 0, 0, none);
	MOV(9, 0);
	g->f.nums &= ~(1 << 9);
	MOV(1, 9);
	load_map(g, 2, chance(g, 97) ? GEN_TIMER : GEN_ARRAY);
	MOVI(3, 1);
	helper(g, BPF_FUNC_timer_init);
	MOV(1, 9);
	load_func(g, 2, label);
	helper(g, BPF_FUNC_timer_set_callback);
	if (chance(g, 15)) {	/* its place is no memory of the program's */
		MOV(1, 9);
		emit(g, LD_MEM(4), 1, 1, chance(g, 90) ? 16 + 8 * (s16)rnd(g, 4) : 4 * (s16)rnd(g, 4), 0);
	}
	MOV(1, 9);
	if (chance(g, 4))
		ADDI(1, 8);
	MOVI(2, 0);
	MOVI(3, chance(g, 95) ? 0 : 1);
	helper(g, BPF_FUNC_timer_start);
	if (chance(g, 15)) {
		MOV(1, 9);
		helper(g, BPF_FUNC_timer_cancel);
	}
	place(g, none);
	g->f.nums &= ~(0x3f | 1 << 9);
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* Walks from the arguments of what a tracing program attaches to. */
void step_kernel(struct gen *g)
{
	int to = 7 + rnd(g, 3), out = new_label(g);

	if (!g->f.has_ctx)
		return;
	g->f.nums &= ~(1u << to);
	emit(g, LD_MEM(8), 3, BPF_REG_10, CTX_SLOT, 0);
	g->f.nums &= ~(1 << 3);
	if (chance(g, 30)) {
		helper(g, BPF_FUNC_get_current_task_btf);
		g->f.nums &= ~1;
		emit(g, LD_MEM(4), to, 0, 8 + 4 * (s16)rnd(g, 2), 0);
	} else if (g->p->attach_btf_id == KERNEL_READ) {
		emit(g, LD_MEM(8), 3, 3, 0, 0);
		if (chance(g, 50))
			JI(BPF_JEQ, 3, 0, out);
		if (chance(g, 50)) {
			emit(g, LD_MEM(4), to, 3, 32, 0);
		} else {
			emit(g, LD_MEM(8), 3, 3, 16, 0);	/* dentry */
			if (chance(g, 50))
				emit(g, LD_MEM(8), 3, 3, 48, 0);	/* inode */
			emit(g, LD_MEM(4), to, 3, 0, 0);
		}
	} else if (g->p->attach_btf_id == KERNEL_PAGE) {
		emit(g, LD_MEM(8), 3, 3, 0, 0);
		emit(g, LD_MEM(chance(g, 70) ? 8 : 4), to, 3, 0, 0);
	} else if (g->p->attach_btf_id == KERNEL_RENAME) {
		emit(g, LD_MEM(8), 3, 3, 0, 0);
		emit(g, LD_MEM(4), to, 3, chance(g, 80) ? 8 : 32, 0);
	} else {
		emit(g, LD_MEM(8), to, 3, 8 * (s16)rnd(g, 4), 0);
	}
	place(g, out);
	MOVI(3, 0);
	if (chance(g, 60))
		MOVI(to, some_imm(g));
	else
		MOVI(to, 3);
	g->f.nums |= 1u << to | 1 << 3;
}
