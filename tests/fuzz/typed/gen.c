// SPDX-License-Identifier: GPL-2.0-only
/*
 * The generator's frame: random numbers, instructions, labels, functions; and the choice of steps.
 */
#include "gen.h"

u64 rnd64(struct gen *g)
{
	u64 x = g->rng += 0x9e3779b97f4a7c15ULL;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ x >> 27) * 0x94d049bb133111ebULL;
	return x ^ x >> 31;
}

u32 rnd(struct gen *g, u32 below)
{
	return (rnd64(g) >> 33) % below;
}

bool chance(struct gen *g, u32 percent)
{
	return rnd(g, 100) < percent;
}

static const s32 edges[] = {
	0, 1, -1, 2, 3, 4, 7, 8, 15, 16, 31, 32, 40, 47, 48, 63, 64, 127, 128, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff, (s32)0x80000000,
	-0x7fffffff, -2, -8, -16, -48, -64
};

s32 some_imm(struct gen *g)
{
	static const u8 shifts[] = { 0, 8, 16, 24 };

	if (chance(g, 70))
		return edges[rnd(g, ARRAY_SIZE(edges))];
	return (s32)rnd64(g) >> shifts[rnd(g, 4)];
}

void gen_values(u64 *words, u32 cnt, u64 seed)
{
	struct gen g;
	u32 i;

	g.rng = seed ^ 0x5851f42d4c957f2dULL;
	for (i = 0; i < cnt; i++) {
		if (chance(&g, 60))
			words[i] = (u64)(s64)edges[rnd(&g, ARRAY_SIZE(edges))] << (chance(&g, 25) ? 32 : 0);
		else
			words[i] = rnd64(&g);
	}
}

/* ---- instructions and labels ---- */

void emit(struct gen *g, u8 code, u8 dst_reg, u8 src_reg, s16 off, s32 imm)
{
	struct bpf_insn *insn = &g->p->insns[g->p->cnt];

	if (g->p->cnt >= GEN_MAX_INSNS) {
		g->full = true;
		return;
	}
	g->p->cnt++;
	insn->code = code;
	insn->dst_reg = dst_reg;
	insn->src_reg = src_reg;
	insn->off = off;
	insn->imm = imm;
}

int new_label(struct gen *g)
{
	if (g->label_cnt == GEN_MAX_LABELS) {
		g->full = true;
		return 0;
	}
	return g->label_cnt++;
}

void place(struct gen *g, int label)
{
	g->label_at[label] = g->p->cnt;
}

static void fix_later(struct gen *g, int label, bool in_imm)
{
	if (g->fix_cnt == ARRAY_SIZE(g->fixes) || g->full) {
		g->full = true;
		return;
	}
	g->fixes[g->fix_cnt].insn = g->p->cnt;
	g->fixes[g->fix_cnt].label = label;
	g->fixes[g->fix_cnt++].in_imm = in_imm;
}

void jump(struct gen *g, u8 code, u8 dst_reg, u8 src_reg, s32 imm, int label)
{
	g->f.leaves |= label == g->f.out;
	fix_later(g, label, false);
	emit(g, code, dst_reg, src_reg, 0, imm);
}

void call_label(struct gen *g, int label)
{
	fix_later(g, label, true);
	emit(g, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
	g->f.nums = (g->f.nums & ~0x3f) | 1;
}

void load_imm64(struct gen *g, u8 to, u64 value)
{
	emit(g, BPF_LD | BPF_IMM | BPF_DW, to, 0, 0, (s32)value);
	emit(g, 0, 0, 0, 0, (s32)(value >> 32));
}

void load_map(struct gen *g, u8 to, enum gen_map map)
{
	if (chance(g, 10))
		emit(g, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_IDX, 0, map);
	else
		emit(g, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_FD, 0, g->fds->map[map]);
	emit(g, 0, 0, 0, 0, 0);
}

void load_value_of(struct gen *g, u8 to, enum gen_map map, u32 off)
{
	if (chance(g, 10))
		emit(g, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_IDX_VALUE, 0, map);
	else
		emit(g, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_MAP_VALUE, 0, g->fds->map[map]);
	emit(g, 0, 0, 0, 0, off);
}

void load_func(struct gen *g, u8 to, int label)
{
	fix_later(g, label, true);
	emit(g, BPF_LD | BPF_IMM | BPF_DW, to, BPF_PSEUDO_FUNC, 0, 0);
	emit(g, 0, 0, 0, 0, 0);
}

void helper(struct gen *g, s32 id)
{
	emit(g, BPF_JMP | BPF_CALL, 0, 0, 0, id);
	g->f.nums = (g->f.nums & ~0x3f) | 1;
}

int add_func(struct gen *g, enum gen_func_kind kind, enum gen_base base)
{
	struct gen_func *f = &g->funcs[g->func_cnt];

	if (g->func_cnt == 8 || g->p->cnt > GEN_MAX_INSNS / 2)
		return -1;
	g->func_cnt++;
	f->kind = kind;
	f->base = base;
	f->depth = g->f.depth + 1;
	f->label = new_label(g);
	if (kind != FUNC_STATIC)
		g->p->needs_btf = true;
	if (kind == FUNC_LOOP || kind == FUNC_EACH || kind == FUNC_DRAIN || kind == FUNC_VMA)
		g->p->calls_back = true;
	return f->label;
}

/* ---- registers ---- */

int num(struct gen *g)
{
	int i, n;

	if (!g->f.nums) {
		g->f.nums |= 1;
		MOVI(0, some_imm(g));
	}
	n = rnd(g, hweight32(g->f.nums));
	for (i = 0; ; i++)
		if (g->f.nums >> i & 1 && !n--)
			return i;
}

static const u8 writable[] = { 0, 1, 2, 3, 4, 5, 7, 8, 9 };

int dst(struct gen *g)
{
	/* mostly one that holds a number already: what was found out about it goes on */
	int reg = chance(g, 60) ? num(g) : writable[rnd(g, ARRAY_SIZE(writable))];

	if (!(g->f.nums >> reg & 1)) {
		MOVI(reg, some_imm(g));
		g->f.nums |= 1 << reg;
	}
	return reg;
}

int scratch(struct gen *g, u32 without)
{
	int reg;

	do {
		reg = writable[rnd(g, ARRAY_SIZE(writable))];
	} while (without >> reg & 1);
	g->f.nums &= ~(1 << reg);
	return reg;
}

/* ---- steps ---- */

struct step {
	void (*make)(struct gen *g);
	u8 weight;
	u16 feature;	/* it needs */
	bool branches;
};

static const struct step all_steps[] = {
	{ step_alu, 22 },
	{ step_odd_alu, 6 },
	{ step_new_alu, 6, GEN_NEW_INSNS },
	{ step_jump, 12, 0, true },
	{ step_bound, 8, 0, true },
	{ step_base_access, 16, 0, true },
	{ step_stack_access, 9 },
	{ step_spill, 9 },
	{ step_diamond, 10, 0, true },
	{ step_loop, 3, 0, true },
	{ step_const, 3 },
	{ step_ctx, 3 },
	{ step_call, 2 },
	{ step_lookup, 6, 0, true },
	{ step_map_write, 2 },
	{ step_memory_helper, 4, 0, true },
	{ step_text_helper, 1 },
	{ step_function, 4 },
	{ step_tail_call, 1 },
	{ step_callback, 6, GEN_CALLBACKS },
	{ step_record, 7, GEN_RECORDS, true },
	{ step_packet, 12, GEN_PACKETS, true },
	{ step_socket, 3, GEN_PACKETS, true },
	{ step_lock, 5, GEN_TYPES, true },
	{ step_timer, 4, GEN_TIMERS, true },
	{ step_dynptr, 8, GEN_DYNPTRS },
	{ step_dynptr_record, 6, GEN_DYNPTRS, true },
	{ step_drain, 2, GEN_DYNPTRS, true },
	{ step_kfunc, 12, GEN_KFUNCS, true },
	{ step_more_kfuncs, 1, GEN_KFUNCS, true },
	{ step_owned, 10, GEN_OWNED, true },
	{ step_storage, 7, GEN_STORAGE, true },
	{ step_iter, 20, GEN_KERNEL, true },
	{ step_find_vma, 2, GEN_KERNEL, true },
	{ step_variable, 6, GEN_KERNEL, true },
	{ step_attached, 6, GEN_KERNEL, true },
	{ step_cast, 3, GEN_PACKETS, true },
	{ step_kernel, 12, GEN_KERNEL, true },
	{ step_kptr, 12, GEN_KERNEL, true },
	{ step_walk, 12, GEN_KERNEL, true },
	{ step_format, 1 },
	{ step_fields, 3 },
	{ step_ld_abs, 1 },
	{ step_packet_key, 3, GEN_PACKETS, true },
};

static void close_labels(struct gen *g, bool all)
{
	u32 i, kept = 0;

	for (i = 0; i < g->open_cnt; i++) {
		struct gen_open *o = &g->open[i];

		if (!all && o->steps--) {
			g->open[kept++] = *o;
			continue;
		}
		place(g, o->label);
		g->f.nums &= o->nums;
		g->f.slots &= o->slots;
		g->f.has_dynptr &= o->has_dynptr;
	}
	g->open_cnt = kept;
}

/* Steps without jumps ahead over what follows them. */
bool straight_steps(struct gen *g, u32 cnt)
{
	static void (*const some[])(struct gen *g) = { step_alu, step_alu, step_odd_alu, step_base_access, step_stack_access, step_spill };

	while (cnt--)
		some[rnd(g, ARRAY_SIZE(some))](g);
	return !g->full;
}

void steps(struct gen *g, u32 cnt)
{
	u32 i, total = 0, pick;

	for (i = 0; i < ARRAY_SIZE(all_steps); i++)
		if (!all_steps[i].feature || all_steps[i].feature & g->features)
			total += all_steps[i].weight;
	while (cnt-- && !g->full) {
		pick = rnd(g, total);
		for (i = 0; i < ARRAY_SIZE(all_steps); i++) {
			if (all_steps[i].feature && !(all_steps[i].feature & g->features))
				continue;
			if (pick < all_steps[i].weight)
				break;
			pick -= all_steps[i].weight;
		}
		if (all_steps[i].branches && ++g->f.jumps > 8)
			continue;
		all_steps[i].make(g);
		close_labels(g, false);
	}
	close_labels(g, true);
}

/* ---- programs ---- */

static void fill_slots(struct gen *g)
{
	u32 i;

	for (i = 0; i < DATA_SLOTS; i++) {
		if (chance(g, 40))
			continue;
		if (chance(g, 50) && g->f.nums)
			emit(g, STX_MEM(8), BPF_REG_10, num(g), -8 * (s16)(i + 1), 0);
		else
			emit(g, ST_MEM(8), BPF_REG_10, 0, -8 * (s16)(i + 1), chance(g, 50) ? 0 : (s32)rnd(g, 40));
		g->f.slots |= 1 << i;
	}
}

/* Numbers out of what r6 points to, of all widths. */
static void load_numbers(struct gen *g)
{
	static const u8 regs[] = { 7, 8, 9, 0, 1, 2 }, sizes[] = { 8, 4, 2, 1 };
	u32 i, size;

	for (i = 0; i < ARRAY_SIZE(regs); i++) {
		if (i > 2 && chance(g, 50))
			continue;
		size = sizes[rnd(g, 4)];
		emit(g, LD_MEM(size), regs[i], BPF_REG_6, 8 * (s16)rnd(g, GEN_VALUE / 8), 0);
		g->f.nums |= 1 << regs[i];
	}
}

static bool small_result(const struct gen_prog *p)
{
	return p->type == BPF_PROG_TYPE_CGROUP_SKB || p->type == BPF_PROG_TYPE_CGROUP_SOCK || p->type == BPF_PROG_TYPE_TRACING;
}

static void way_out(struct gen *g)
{
	place(g, g->f.out);
	if (!g->f.leaves)	/* unreachable code is refused */
		return;
	MOVI(0, 0);
	emit(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

static void end_frame(struct gen *g, bool small)
{
	int r = num(g);

	if (r)
		MOV(0, r);
	if (small && g->p->type == BPF_PROG_TYPE_TRACING)
		MOVI(0, 0);
	else if (small)
		emit(g, BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 1);
	emit(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	way_out(g);
}

static void note_func(struct gen *g, u32 start, u32 type_id)
{
	g->p->funcs[g->p->func_cnt].insn_off = start;
	g->p->funcs[g->p->func_cnt++].type_id = type_id;
}

static void begin_frame(struct gen *g, u32 depth)
{
	memset(&g->f, 0, sizeof(g->f));
	g->f.depth = depth;
	g->f.out = new_label(g);
	g->open_cnt = 0;
}

static void main_frame(struct gen *g)
{
	enum gen_map map = chance(g, 70) ? GEN_ARRAY : rnd(g, 3);

	begin_frame(g, 0);
	if (g->features & (GEN_PACKETS | GEN_STORAGE) || chance(g, 40)) {
		emit(g, STX_MEM(8), BPF_REG_10, BPF_REG_1, CTX_SLOT, 0);
		g->f.has_ctx = true;
	}
	if (chance(g, 25)) {
		load_value_of(g, BPF_REG_6, GEN_ONE, 0);
	} else {
		emit(g, ST_MEM(8), BPF_REG_10, 0, KEY_SLOT, rnd(g, 4) % 2);
		MOV(2, 10);
		ADDI(2, KEY_SLOT);
		load_map(g, 1, map);
		helper(g, BPF_FUNC_map_lookup_elem);
		g->f.nums = 0;
		JI(BPF_JEQ, 0, 0, g->f.out);
		MOV(6, 0);
	}
	g->f.base = BASE_VALUE;
	g->f.base_size = GEN_VALUE;
	load_numbers(g);
	fill_slots(g);
	steps(g, 3 + rnd(g, 16));
	end_frame(g, small_result(g->p));
}

/* A function's arguments become what the steps expect. */
static void func_frame(struct gen *g, struct gen_func *f)
{
	static const u8 numbers[] = { 0, 7, 8, 9 };
	u32 size = GEN_VALUE, i;

	begin_frame(g, f->depth);
	f->start = g->p->cnt;
	place(g, f->label);
	switch (f->kind) {
	case FUNC_STATIC:
		MOV(6, 1);
		g->f.base = f->base;
		g->f.nums = 1 << 2 | 1 << 3;
		break;
	case FUNC_GLOBAL_MEM:
		JI(BPF_JEQ, 1, 0, g->f.out);
		MOV(6, 1);
		g->f.base = BASE_MEM;
		g->f.nums = 1 << 2;
		break;
	case FUNC_GLOBAL_CTX:
		emit(g, STX_MEM(8), BPF_REG_10, BPF_REG_1, CTX_SLOT, 0);
		g->f.has_ctx = true;
		g->f.nums = 1 << 2;
		break;
	case FUNC_LOOP:		/* index, context */
		MOV(6, 2);
		g->f.base = BASE_STACK;
		g->f.nums = 1 << 1;
		break;
	case FUNC_DRAIN:	/* dynptr, context */
		MOV(6, 2);
		g->f.base = BASE_STACK;
		lent_dynptr(g);
		break;
	case FUNC_VMA:		/* task, mapping, context */
		MOV(6, 3);
		g->f.base = BASE_STACK;
		if (chance(g, 60))
			emit(g, LD_MEM(8), 1, BPF_REG_2, 0, 0);
		break;
	case FUNC_TIMER:	/* map, key, value */
		MOV(6, 3);
		ADDI(6, 16);	/* the timer lies before */
		g->f.base = BASE_MEM;
		size -= 16;
		if (chance(g, 50)) {
			emit(g, LD_MEM(4), 7, BPF_REG_2, 0, 0);
			g->f.nums = 1 << 7;
		}
		break;
	case FUNC_EACH:		/* map, key, value, context */
		MOV(6, 3);
		g->f.base = BASE_VALUE;
		if (chance(g, 50)) {
			emit(g, LD_MEM(4), 7, BPF_REG_2, 0, 0);
			g->f.nums = 1 << 7;
		}
		break;
	}
	g->f.base_size = size;
	for (i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (g->f.base != BASE_NONE && chance(g, 40))
			emit(g, LD_MEM(8), numbers[i], BPF_REG_6, 8 * (s16)rnd(g, size / 8), 0);
		else if (g->f.nums && chance(g, 30))
			MOV(numbers[i], num(g));
		else if (chance(g, 40))
			MOVI(numbers[i], some_imm(g));
		else
			continue;
		g->f.nums |= 1 << numbers[i];
	}
	fill_slots(g);
	g->f.jumps = 5;
	/* rounds of a callback that all differ are walked one by one */
	steps(g, 1 + rnd(g, 5));
	if (f->kind >= FUNC_LOOP) {
		if (f->kind == FUNC_TIMER || f->kind == FUNC_VMA ? chance(g, 98) : chance(g, 70)) {
			MOVI(0, 0);
		} else {
			MOV(0, num(g));
			emit(g, BPF_ALU64 | BPF_AND | BPF_K, 0, 0, 0, 1);
		}
		emit(g, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
		way_out(g);
		return;
	}
	end_frame(g, false);
}

static void choose_type(struct gen *g)
{
	static const u8 any[] = {
		BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_SOCKET_FILTER, BPF_PROG_TYPE_KPROBE, BPF_PROG_TYPE_TRACEPOINT,
		BPF_PROG_TYPE_PERF_EVENT, BPF_PROG_TYPE_RAW_TRACEPOINT, BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE, BPF_PROG_TYPE_CGROUP_SOCK
	};
	static const u8 packets[] = { BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_SCHED_CLS, BPF_PROG_TYPE_XDP, BPF_PROG_TYPE_CGROUP_SKB };

	static const u8 sockets[] = {
		BPF_CGROUP_INET_SOCK_CREATE, BPF_CGROUP_INET_SOCK_RELEASE, BPF_CGROUP_INET4_POST_BIND, BPF_CGROUP_INET6_POST_BIND
	};

	if (g->features & GEN_KERNEL)
		g->p->type = BPF_PROG_TYPE_TRACING;
	else if (g->features & GEN_PACKETS)
		g->p->type = packets[rnd(g, ARRAY_SIZE(packets))];
	else
		g->p->type = any[rnd(g, ARRAY_SIZE(any))];
	if (g->p->type == BPF_PROG_TYPE_CGROUP_SOCK)
		g->p->attach_type = sockets[rnd(g, ARRAY_SIZE(sockets))];
	if (g->p->type == BPF_PROG_TYPE_CGROUP_SKB && chance(g, 50))
		g->p->attach_type = BPF_CGROUP_INET_EGRESS;
	if (g->p->type == BPF_PROG_TYPE_XDP && chance(g, 10))
		g->p->attach_type = BPF_XDP_DEVMAP;
}

#include "types.h"

static void choose_target(struct gen *g)
{
	static const u32 targets[] = { KERNEL_READ, KERNEL_PAGE, KERNEL_PAIR, KERNEL_RENAME, KERNEL_CLOSE, KERNEL_TAGGED };
	static const u32 iters[] = { KERNEL_ITER_TASK, KERNEL_ITER_FILE, KERNEL_ITER_ELEM };
	u32 pick = rnd(g, ARRAY_SIZE(targets));

	if (chance(g, 35)) {
		g->p->attach_btf_id = iters[rnd(g, ARRAY_SIZE(iters))];
		g->p->attach_type = BPF_TRACE_ITER;
		if (chance(g, 25))
			g->p->flags |= BPF_F_SLEEPABLE;
		return;
	}

	g->p->attach_btf_id = targets[pick];
	g->p->attach_type = pick == 3 ? BPF_TRACE_RAW_TP : chance(g, 50) ? BPF_TRACE_FENTRY : BPF_TRACE_FEXIT;
}

static void describe(struct gen *g)
{
	static const u32 protos[] = {
		[FUNC_STATIC] = TYPES_STATIC, [FUNC_GLOBAL_MEM] = TYPES_GLOBAL_MEM, [FUNC_GLOBAL_CTX] = TYPES_GLOBAL_CTX, [FUNC_LOOP] = TYPES_STATIC,
		[FUNC_EACH] = TYPES_STATIC, [FUNC_TIMER] = TYPES_STATIC, [FUNC_DRAIN] = TYPES_STATIC, [FUNC_VMA] = TYPES_STATIC
	};
	struct bpf_line_info *line;
	u32 i, k;

	if (!g->p->needs_btf)
		return;
	note_func(g, 0, TYPES_STATIC);
	for (i = 0; i < g->func_cnt; i++)
		note_func(g, g->funcs[i].start, protos[g->funcs[i].kind]);
	if (!chance(g, 60))
		return;
	for (i = 0; i < g->p->func_cnt; i++) {
		for (k = 0; k < 2; k++) {
			if (k && g->p->funcs[i].insn_off + 3 >= (i + 1 < g->p->func_cnt ? g->p->funcs[i + 1].insn_off : g->p->cnt))
				continue;
			line = &g->p->lines[g->p->line_cnt++];
			/* in no middle of a ld_imm64 */
			line->insn_off = g->p->funcs[i].insn_off + 2 * k;
			if (k && !g->p->insns[line->insn_off].code)
				line->insn_off--;
			line->file_name_off = TYPES_FILE;
			line->line_off = k ? TYPES_LINE : TYPES_OTHER_LINE;
			line->line_col = (10 * i + k) << 10 | k;
		}
	}
}

void gen_make(struct gen_prog *p, u64 seed, u32 features, const struct gen_fds *fds)
{
	struct gen gen, *g = &gen;
	u32 i;

	g->p = p;
	g->fds = fds;
	g->rng = seed * 0xd1342543de82ef95ULL + 1;
	g->open_cnt = g->fix_cnt = g->func_cnt = 0;
	g->label_cnt = 0;
	g->full = false;
	p->cnt = p->func_cnt = p->line_cnt = 0;
	p->attach_type = p->attach_btf_id = 0;
	p->needs_btf = p->calls_back = false;
	p->flags = (chance(g, 40) ? BPF_F_TEST_STATE_FREQ : 0) | (chance(g, 6) ? BPF_F_STRICT_ALIGNMENT : 0);
	g->features = features & rnd64(g);
	if (g->features & GEN_KERNEL && chance(g, 85))
		g->features &= ~GEN_KERNEL;
	if (g->features & GEN_KERNEL)
		g->features &= ~GEN_PACKETS;
	choose_type(g);
	if (p->type == BPF_PROG_TYPE_TRACING)
		choose_target(g);
	if (p->type == BPF_PROG_TYPE_KPROBE && chance(g, 30))
		p->flags |= BPF_F_SLEEPABLE;
	main_frame(g);
	for (i = 0; i < g->func_cnt; i++)
		func_frame(g, &g->funcs[i]);
	for (i = 0; i < g->fix_cnt; i++) {
		struct bpf_insn *insn = &p->insns[g->fixes[i].insn];
		s32 dist = (s32)g->label_at[g->fixes[i].label] - (s32)g->fixes[i].insn - 1;

		if (g->fixes[i].in_imm)
			insn->imm = dist;
		else
			insn->off = dist;
	}
	describe(g);
}
