/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random programs by the interpreter and by generated code of every kind, compared in what they return and leave in memory. It is built over the
 * user-space library by differ.py, which calls main() with START PROGRAMS [spoil]. The last line that it prints is a JSON object.
 *
 * Programs are of two kinds. Raw ones need no verifier to be safe: every instruction, on all registers, jumps ahead, subprograms, a stack.
 * The others have a map's value as well, at places that depend on what is in it, go through the verifier, and run as its fix-ups left
 * them; those that it refuses are counted.
 */
#include "verifier/user/lib.h"

#include <stdio.h>
#include <stdlib.h>

#define ROOM		8192
#define RESULTS		10	/* registers, kept at the end of a run */
#define VALUE		256	/* bytes of the map's value: the results, then memory */
#define MEMORY		80
#define SAVED		-8	/* where context or map value is kept */
#define SLOTS		6	/* of the stack, from -16 down */
#define SUBS		3
#define PENDING		256
#define LIMIT		6000	/* instructions to verify */
#define RUNS		2	/* of a verified program, on different values */
#define ARRAY_LEN(a)	(sizeof(a) / sizeof((a)[0]))

static const struct {
	const char *name;
	u32 flags;
} kinds[] = {
	{ "jit", 0 },
	{ "without bmi2", BCU_JIT_NO_BMI2 },
	{ "blinded", BCU_JIT_BLIND },
	{ "blinded, without bmi2", BCU_JIT_BLIND | BCU_JIT_NO_BMI2 },
	{ "far calls", BCU_JIT_FAR },
	{ "retpolines, landing pads", BCU_JIT_THUNKS | BCU_JIT_LANDING_PADS },
};

/* ---- what programs are made of ---- */

struct pending {
	u32 at, left;
};

static struct gen {
	u64 state;
	bool verified;
	int map_fd;
	struct bpf_insn code[ROOM];
	u32 cnt;
	struct pending jumps[PENDING];
	u32 jump_cnt;
	struct pending calls[PENDING];	/* left: which subprogram */
	u32 call_cnt;
	u32 subs, sub_start[SUBS];
} g;

static u64 next(void)
{
	u64 z = g.state += 0x9e3779b97f4a7c15ULL;	/* splitmix64 */

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

static u32 below(u32 n)
{
	return (u32)(next() >> 32) % n;
}

static bool chance(u32 percent)
{
	return below(100) < percent;
}

#define pick(a) ((a)[below(ARRAY_LEN(a))])

static const s32 edges[] = { 0, 1, -1, 2, 7, 8, 31, 32, 33, 63, 64, 127, 128, -128, -129, 255, 256, 0x7fff, 0x8000, 0xffff, 0x7fffffff,
			     -0x7fffffff - 1, -0x7fffffff, -2 };
static const u8 alu_ops[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_OR, BPF_AND, BPF_XOR, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_DIV, BPF_MOD, BPF_MOV };
static const u8 compare_ops[] = { BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET };
static const u8 sizes[] = { BPF_B, BPF_H, BPF_W, BPF_DW };
static const s32 atomic_ops[] = { BPF_ADD, BPF_OR, BPF_AND, BPF_XOR, BPF_ADD | BPF_FETCH, BPF_OR | BPF_FETCH, BPF_AND | BPF_FETCH,
				  BPF_XOR | BPF_FETCH, BPF_XCHG, BPF_CMPXCHG };

static u32 bytes_of(u8 size)
{
	return size == BPF_B ? 1 : size == BPF_H ? 2 : size == BPF_W ? 4 : 8;
}

static void put(u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	struct bpf_insn *insn;

	if (g.cnt == ROOM) {
		fprintf(stderr, "differ: a program of more than %d instructions\n", ROOM);
		exit(2);
	}
	insn = &g.code[g.cnt++];
	insn->code = code;
	insn->dst_reg = dst;
	insn->src_reg = src;
	insn->off = off;
	insn->imm = imm;
}

static void put64(u8 dst, u8 src, u64 value)
{
	put(BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (s32)value);
	put(0, 0, 0, 0, (s32)(value >> 32));
}

static u8 reg(void)
{
	return below(10);
}

static u8 reg_but(u8 other)
{
	u8 r = below(9);

	return r + (r >= other);
}

static s32 imm(void)
{
	return chance(70) ? pick(edges) : (s32)next();
}

static u64 wide(void)
{
	static const u8 bits[] = { 1, 8, 31, 32, 33, 63, 64 };
	u64 v = next() >> (64 - pick(bits));

	return chance(33) ? v : chance(50) ? -v : (u64)(s64)pick(edges);
}

static s16 slot(u32 bytes)
{
	return -8 * (s16)(2 + below(SLOTS)) + (s16)(below(8 / bytes) * bytes);
}

/* ---- steps ---- */

static void forget(u8 from, u8 to)
{
	for (; from <= to; from++)
		put(BPF_ALU64 | BPF_MOV | BPF_K, from, 0, 0, imm());
}

static void alu(void)
{
	u8 op = pick(alu_ops), class = chance(50) ? BPF_ALU : BPF_ALU64;
	static const s16 extend[] = { 0, 8, 16, 32 };
	s16 off = op == BPF_DIV || op == BPF_MOD ? below(2) : 0;
	s32 value = imm();

	if (chance(50)) {
		if (op == BPF_MOV)
			off = extend[below(class == BPF_ALU64 ? 4 : 3)];
		put(class | op | BPF_X, reg(), reg(), off, 0);
		return;
	}
	/* Refused by every verifier. */
	if (g.verified && (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH))
		value &= class == BPF_ALU64 ? 63 : 31;
	if (g.verified && (op == BPF_DIV || op == BPF_MOD) && !value)
		value = 3;
	put(class | op | BPF_K, reg(), 0, off, value);
}

static void other(void)
{
	static const s32 bits[] = { 16, 32, 64 };

	switch (below(6)) {
	case 0:
		put(BPF_ALU64 | BPF_NEG, reg(), 0, 0, 0);
		return;
	case 1:
		put(BPF_ALU | BPF_NEG, reg(), 0, 0, 0);
		return;
	case 2:
		put(BPF_ALU | BPF_END | BPF_TO_BE, reg(), 0, 0, pick(bits));
		return;
	case 3:
		put(BPF_ALU | BPF_END | BPF_TO_LE, reg(), 0, 0, pick(bits));
		return;
	case 4:
		put(BPF_ALU64 | BPF_END, reg(), 0, 0, pick(bits));
		return;
	default:
		put64(reg(), 0, wide());
	}
}

/* A load, a store or an atomic operation at @base + @off, with registers that are not @base. */
static void access_at(u8 base, s16 off, u8 size)
{
	switch (below(5)) {
	case 0:
		put(BPF_ST | BPF_MEM | size, base, 0, off, imm());
		return;
	case 1:
		put(BPF_STX | BPF_MEM | size, base, reg_but(base), off, 0);
		return;
	case 2:
		if (size != BPF_DW) {
			put(BPF_LDX | BPF_MEMSX | size, reg_but(base), base, off, 0);
			return;
		}
		break;
	case 3:
		if (size == BPF_W || size == BPF_DW) {
			s32 op = pick(atomic_ops);

			/* Comparing needs a number in r0. */
			if (op != BPF_CMPXCHG || base)
				put(BPF_STX | BPF_ATOMIC | size, base, reg_but(base), off, op);
			return;
		}
		break;
	}
	put(BPF_LDX | BPF_MEM | size, reg_but(base), base, off, 0);
}

static void stack(void)
{
	u8 size = pick(sizes);

	access_at(BPF_REG_10, slot(bytes_of(size)), size);
}

static void stack_by_pointer(void)
{
	static const s16 offs[] = { -128, -136, 0, 8, 120, 128, -32768 + 64 };
	u8 base = reg(), size = pick(sizes);
	s16 off = pick(offs);

	put(BPF_ALU64 | BPF_MOV | BPF_X, base, BPF_REG_10, 0, 0);
	put(BPF_ALU64 | BPF_ADD | BPF_K, base, 0, 0, slot(8) - off);
	access_at(base, off, size);
	put(BPF_ALU64 | BPF_MOV | BPF_K, base, 0, 0, imm());
}

/* The main program of the verified kind: the map's memory, at a place that a register decides. */
static void map_by_index(void)
{
	u8 base = reg(), index = reg_but(base), size = pick(sizes);
	bool narrow = chance(30);

	put(BPF_LDX | BPF_MEM | BPF_DW, base, BPF_REG_10, SAVED, 0);
	if (narrow) {
		put(BPF_ALU | BPF_AND | BPF_K, index, 0, 0, 56);
	} else if (chance(40)) {
		put(BPF_JMP | (chance(50) ? BPF_JGT : BPF_JGE) | BPF_K, index, 0, 2, 56);
		put(BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, -8);
		put(BPF_JMP | BPF_JA, 0, 0, 1, 0);
		put(BPF_ALU64 | BPF_MOV | BPF_K, index, 0, 0, 8 * below(8));
	} else {
		put(BPF_ALU64 | BPF_AND | BPF_K, index, 0, 0, 56);
	}
	put(BPF_ALU64 | BPF_ADD | BPF_X, base, index, 0, 0);
	access_at(base, MEMORY + 8 * below(12), size);
	put(BPF_ALU64 | BPF_MOV | BPF_K, base, 0, 0, imm());
}

static void jump(void)
{
	static const u32 far[] = { 1, 2, 5, 20, 60 };
	u8 class = chance(50) ? BPF_JMP : BPF_JMP32;

	if (g.jump_cnt == PENDING)
		return;
	g.jumps[g.jump_cnt].at = g.cnt;
	g.jumps[g.jump_cnt++].left = pick(far);
	if (chance(10))
		put(class | BPF_JA, 0, 0, 0, 0);
	else if (chance(50))
		put(class | pick(compare_ops) | BPF_X, reg(), reg(), 0, 0);
	else
		put(class | pick(compare_ops) | BPF_K, reg(), 0, 0, imm());
}

/* A step is over: jumps that lead here are told so. */
static void land(bool all)
{
	struct bpf_insn *insn;
	u32 i = 0, dist;

	while (i < g.jump_cnt) {
		if (!all && --g.jumps[i].left) {
			i++;
			continue;
		}
		insn = &g.code[g.jumps[i].at];
		dist = g.cnt - g.jumps[i].at - 1;
		if (insn->code == (BPF_JMP32 | BPF_JA))
			insn->imm = dist;
		else
			insn->off = dist;
		g.jumps[i] = g.jumps[--g.jump_cnt];
	}
}

static void call(u32 first_sub)
{
	if (first_sub < g.subs && g.call_cnt < PENDING) {
		g.calls[g.call_cnt].at = g.cnt;
		g.calls[g.call_cnt++].left = first_sub + below(g.subs - first_sub);
		put(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, 0);
	} else {
		put(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_prandom_u32);
	}
	forget(1, 5);
}

static void body(u32 steps, u32 first_sub, bool main_program)
{
	u32 choice;

	while (steps--) {
		choice = below(100);
		if (choice < 50)
			alu();
		else if (choice < 60)
			other();
		else if (choice < 72)
			stack();
		else if (choice < 80 && g.verified && main_program)
			map_by_index();
		else if (choice < 80)
			stack_by_pointer();
		else if (choice < 95)
			jump();
		else
			call(first_sub);
		land(false);
	}
	land(true);
}

static void clear_stack(void)
{
	int i;

	for (i = 2; i < 2 + SLOTS; i++)
		put(BPF_ST | BPF_MEM | BPF_DW, BPF_REG_10, 0, -8 * i, imm());
}

static void make(u64 seed, int map_fd)
{
	static const u8 lengths[] = { 5, 20, 60, 200 }, sub_lengths[] = { 3, 10, 40 };
	u32 i;

	g.state = seed;
	next();
	g.cnt = g.jump_cnt = g.call_cnt = 0;
	g.verified = map_fd >= 0;
	g.subs = below(SUBS + 1);
	if (g.verified)
		put64(BPF_REG_1, BPF_PSEUDO_MAP_VALUE, (u32)map_fd);
	put(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_1, SAVED, 0);
	clear_stack();
	for (i = 0; i < RESULTS; i++) {
		/* What the verifier can't know is in the map. */
		if (g.verified && i != BPF_REG_1 && chance(60))
			put(BPF_LDX | BPF_MEM | BPF_DW, i, BPF_REG_1, MEMORY + 8 * i, 0);
		else if (i != BPF_REG_1)
			put64(i, 0, wide());
	}
	put64(BPF_REG_1, 0, wide());
	body(lengths[below(g.verified ? 3 : 4)], 0, true);
	/* r0 goes through the stack, so that all ten reach the results */
	put(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_10, BPF_REG_0, -16, 0);
	put(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_10, SAVED, 0);
	for (i = 1; i < RESULTS; i++)
		put(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_0, i, 8 * i, 0);
	put(BPF_LDX | BPF_MEM | BPF_DW, BPF_REG_1, BPF_REG_10, -16, 0);
	put(BPF_STX | BPF_MEM | BPF_DW, BPF_REG_0, BPF_REG_1, 0, 0);
	put(BPF_ALU64 | BPF_MOV | BPF_X, BPF_REG_0, BPF_REG_1, 0, 0);
	put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	for (i = 0; i < g.subs; i++) {
		g.sub_start[i] = g.cnt;
		clear_stack();
		forget(0, 0);
		forget(6, 9);
		body(pick(sub_lengths), i + 1, false);
		put(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	}
	for (i = 0; i < g.call_cnt; i++)
		g.code[g.calls[i].at].imm = g.sub_start[g.calls[i].left] - g.calls[i].at - 1;
}

/* A verified program's subprograms must all be called. */
static bool all_called(void)
{
	u32 i, called = 0;

	for (i = 0; i < g.call_cnt; i++)
		called |= 1 << g.calls[i].left;
	return called == (1u << g.subs) - 1;
}

/* ---- which instructions there were ---- */

static bool seen[1 << 20], known[1 << 20];

/* Code, and what else tells one instruction from another. */
static u32 key_of(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	if (class == BPF_ALU || class == BPF_ALU64) {
		if (op == BPF_END)
			return insn->code | insn->imm << 8;
		return insn->code | (u32)insn->off << 8;
	}
	if (class == BPF_STX && BPF_MODE(insn->code) == BPF_ATOMIC)
		return insn->code | insn->imm << 8;
	if (insn->code == (BPF_JMP | BPF_CALL) || insn->code == (BPF_LD | BPF_IMM | BPF_DW))
		return insn->code | (u32)insn->src_reg << 8;
	return insn->code;
}

static void note(void)
{
	u32 i;

	for (i = 0; i < g.cnt; i++) {
		seen[key_of(&g.code[i])] = true;
		if (g.code[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
	}
}

static void know(u32 code, u32 more)
{
	known[code | more << 8] = true;
}

/* RFC 9669 and the later encodings, but for packet loads and the ld_imm64 of whole maps and callbacks, which the verifier's fuzzing has. */
static void know_all(void)
{
	static const u8 alu_classes[] = { BPF_ALU, BPF_ALU64 }, jump_classes[] = { BPF_JMP, BPF_JMP32 };
	u32 c, i, op, wide;

	for (c = 0; c < 2; c++) {
		wide = alu_classes[c] == BPF_ALU64;
		for (i = 0; i < ARRAY_LEN(alu_ops); i++) {
			op = alu_classes[c] | alu_ops[i];
			know(op | BPF_K, 0);
			know(op | BPF_X, 0);
			if (alu_ops[i] == BPF_DIV || alu_ops[i] == BPF_MOD) {
				know(op | BPF_K, 1);
				know(op | BPF_X, 1);
			} else if (alu_ops[i] == BPF_MOV) {
				know(op | BPF_X, 8);
				know(op | BPF_X, 16);
				if (wide)
					know(op | BPF_X, 32);
			}
		}
		know(alu_classes[c] | BPF_NEG, 0);
		for (i = 16; i <= 64; i *= 2) {
			know(alu_classes[c] | BPF_END | BPF_TO_LE, i);
			if (!wide)
				know(BPF_ALU | BPF_END | BPF_TO_BE, i);
		}
		for (i = 0; i < ARRAY_LEN(compare_ops); i++) {
			know(jump_classes[c] | compare_ops[i] | BPF_K, 0);
			know(jump_classes[c] | compare_ops[i] | BPF_X, 0);
		}
		know(jump_classes[c] | BPF_JA, 0);
	}
	for (i = 0; i < ARRAY_LEN(sizes); i++) {
		know(BPF_LDX | BPF_MEM | sizes[i], 0);
		know(BPF_ST | BPF_MEM | sizes[i], 0);
		know(BPF_STX | BPF_MEM | sizes[i], 0);
		if (sizes[i] != BPF_DW)
			know(BPF_LDX | BPF_MEMSX | sizes[i], 0);
	}
	for (i = 0; i < ARRAY_LEN(atomic_ops); i++) {
		know(BPF_STX | BPF_ATOMIC | BPF_W, atomic_ops[i]);
		know(BPF_STX | BPF_ATOMIC | BPF_DW, atomic_ops[i]);
	}
	know(BPF_JMP | BPF_CALL, 0);
	know(BPF_JMP | BPF_CALL, BPF_PSEUDO_CALL);
	know(BPF_JMP | BPF_EXIT, 0);
	know(BPF_LD | BPF_IMM | BPF_DW, 0);
	know(BPF_LD | BPF_IMM | BPF_DW, BPF_PSEUDO_MAP_VALUE);
}

/* How many of the known ones there were; one that is not known is an error of this file. */
static u32 covered(u32 *of)
{
	u32 i, cnt = 0;

	*of = 0;
	for (i = 0; i < ARRAY_LEN(known); i++) {
		*of += known[i];
		cnt += known[i] && seen[i];
		if (seen[i] && !known[i]) {
			fprintf(stderr, "differ: instruction %#x is not on the list\n", i);
			exit(2);
		}
	}
	return cnt;
}

/* ---- runs ---- */

struct outcome {
	u64 retval;
	u8 memory[VALUE];
};

static u64 programs, verified, refused, runs, insns;
static u32 problems;
static bool spoil;

static bool run(struct bcu *w, int fd, int map_fd, u64 seed, bool jit, struct outcome *out)
{
	const u32 key = 0;
	struct bcu_run r;
	u64 words[VALUE / 8];
	u32 i;
	int err;

	memset(&r, 0, sizeof(r));
	memset(out, 0, sizeof(*out));
	r.seed = seed;
	r.jit = jit;
	r.max_insns = jit ? 0 : 1000000;
	r.ctx = out->memory;
	r.ctx_size = 8 * RESULTS;
	if (map_fd >= 0) {
		g.state = seed;
		for (i = 0; i < VALUE / 8; i++)
			words[i] = chance(50) ? wide() : (u64)(s64)pick(edges);
		bcu_map_update(w, map_fd, &key, words, 0);
	}
	err = bcu_run(w, fd, &r);
	runs++;
	insns += r.insns;
	if (err || r.timed_out || r.mem_violations || r.overflows) {
		printf("a run failed: error %d, %s\n", err, r.message);
		return false;
	}
	if (map_fd >= 0)
		memcpy(out->memory, bcu_map_lookup(w, map_fd, &key), VALUE);
	out->retval = r.retval;
	if (jit && spoil)
		out->memory[3] ^= 1;
	return true;
}

static void tell(u64 seed, const char *kind, const struct outcome *got, const struct outcome *want)
{
	u32 i;

	problems++;
	printf("seed %llu, %s: r0 %#llx, not %#llx\n", seed, kind, got->retval, want->retval);
	for (i = 0; i < VALUE; i += 8)
		if (memcmp(got->memory + i, want->memory + i, 8))
			printf("  %s %u: %#llx, not %#llx\n", i < 8 * RESULTS ? "register" : "memory", i < 8 * RESULTS ? i / 8 : i,
			       *(u64 *)(got->memory + i), *(u64 *)(want->memory + i));
}

static void compare(struct bcu *w, int fd, int map_fd, u64 seed)
{
	struct outcome want[RUNS], got;
	u32 k, i, n = map_fd >= 0 ? RUNS : 1;

	for (i = 0; i < n; i++) {
		if (!run(w, fd, map_fd, seed * 1000 + i, false, &want[i])) {
			printf("seed %llu by the interpreter\n", seed);
			problems++;
			return;
		}
	}
	for (k = 0; k < ARRAY_LEN(kinds); k++) {
		bcu_jit_flags(w, kinds[k].flags);
		for (i = 0; i < n; i++) {
			if (!run(w, fd, map_fd, seed * 1000 + i, true, &got)) {
				printf("seed %llu, %s\n", seed, kinds[k].name);
				problems++;
			} else if (memcmp(&got, &want[i], sizeof(got))) {
				tell(seed, kinds[k].name, &got, &want[i]);
			}
		}
	}
}

static int load(struct bcu *w, bool verify)
{
	struct bcu_load l;
	struct bcu_stats stats;

	if (!verify)
		return bcu_prog_raw(w, BPF_PROG_TYPE_RAW_TRACEPOINT, g.code, g.cnt);
	memset(&l, 0, sizeof(l));
	l.prog_type = BPF_PROG_TYPE_RAW_TRACEPOINT;
	l.gpl = true;
	l.insns = g.code;
	l.insn_cnt = g.cnt;
	l.btf_fd = -1;
	l.max_verified = LIMIT;
	return bcu_prog_load(w, &l, &stats);
}

int main(int argc, char **argv)
{
	u64 start = argc > 1 ? strtoull(argv[1], NULL, 0) : 1, wanted = argc > 2 ? strtoull(argv[2], NULL, 0) : 1000, seed;
	u32 cnt, of;
	struct bcu *w = bcu_new();
	int map_fd = bcu_map_new(w, BPF_MAP_TYPE_ARRAY, 4, VALUE, 1, 0, -1, 0), fd;

	spoil = argc > 3;
	know_all();
	for (seed = start; programs < wanted && problems < 10; seed++) {
		bool verify = seed % 3 == 0;

		make(seed, verify ? map_fd : -1);
		if (verify && !all_called())
			continue;
		fd = load(w, verify);
		if (fd < 0 && verify) {
			refused++;
			continue;
		}
		if (fd < 0) {
			printf("seed %llu: error %d\n", seed, fd);
			return 2;
		}
		note();
		programs++;
		verified += verify;
		compare(w, fd, verify ? map_fd : -1, seed);
		bcu_close(w, fd);
	}
	cnt = covered(&of);
	printf("{\"start\": %llu, \"end\": %llu, \"programs\": %llu, \"verified\": %llu, \"refused\": %llu, \"kinds\": %u, \"runs\": %llu, "
	       "\"insns_interpreted\": %llu, \"instructions\": %u, \"of\": %u, \"problems\": %u}\n",
	       start, seed, programs, verified, refused, (u32)ARRAY_LEN(kinds), runs, insns, cnt, of, problems);
	bcu_free(w);
	fflush(stdout);
	return problems ? 1 : 0;
}
