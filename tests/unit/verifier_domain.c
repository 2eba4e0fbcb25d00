// SPDX-License-Identifier: GPL-2.0-only
/*
 * Holds the verifier's abstract domain against arithmetic: random numbers, random knowledge that is true of them, and then: is what the
 * domain concludes true of the result? Usage: verifier_domain ROUNDS; prints what failed, exits with 1 then.
 */
#include "../../verifier/internal.h"

#include <stdlib.h>

static u64 seed = 88172645463325252ULL;

static u64 rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static u64 number(void)
{
	switch (rnd() % 8) {
	case 0:
		return rnd();
	case 1:
		return rnd() % 16;
	case 2:
		return -(rnd() % 16);
	case 3:
		return (u32)rnd();
	case 4:
		return (u64)(s64)(s32)rnd();
	case 5:
		return 1ULL << (rnd() % 64);
	case 6:
		return (1ULL << (rnd() % 64)) - 1;
	default:
		return rnd() % 4096;
	}
}

static bool holds(const struct bpf_scalar *v, u64 x)
{
	return !((x ^ v->t.value) & ~v->t.mask) && x >= v->umin && x <= v->umax && (s64)x >= v->smin && (s64)x <= v->smax &&
	       (u32)x >= v->umin32 && (u32)x <= v->umax32 && (s32)x >= v->smin32 && (s32)x <= v->smax32;
}

/* Something true of @x. */
static void learn(struct bpf_scalar *v, u64 x)
{
	u64 far = rnd() % 3 ? rnd() % 64 : rnd() >> (rnd() % 64);
	u64 mask = rnd() & rnd();

	switch (rnd() % 9) {
	case 0:
		v->t = bc_tnum_intersect(v->t, (struct tnum){ x & ~mask, mask });
		break;
	case 1:
		v->umax = x + far >= x ? min(v->umax, x + far) : v->umax;
		break;
	case 2:
		v->umin = x - far <= x ? max(v->umin, x - far) : v->umin;
		break;
	case 3:
		v->smax = (s64)(x + far) >= (s64)x ? min(v->smax, (s64)(x + far)) : v->smax;
		break;
	case 4:
		v->smin = (s64)(x - far) <= (s64)x ? max(v->smin, (s64)(x - far)) : v->smin;
		break;
	case 5:
		v->umax32 = (u32)(x + far) >= (u32)x ? min(v->umax32, (u32)(x + far)) : v->umax32;
		break;
	case 6:
		v->umin32 = (u32)(x - far) <= (u32)x ? max(v->umin32, (u32)(x - far)) : v->umin32;
		break;
	case 7:
		v->smax32 = (s32)(x + far) >= (s32)x ? min(v->smax32, (s32)(x + far)) : v->smax32;
		break;
	default:
		v->smin32 = (s32)(x - far) <= (s32)x ? max(v->smin32, (s32)(x - far)) : v->smin32;
		break;
	}
}

static void describe(struct bpf_scalar *v, u64 x)
{
	int facts;

	bc_scalar_unknown(v);
	if (rnd() % 4 == 0)
		bc_scalar_const(v, x);
	else
		for (facts = rnd() % 4; facts >= 0; facts--)
			learn(v, x);
	if (rnd() % 3)
		bc_bounds_sync(v);
}

/* RFC 9669, section 4.1 */
static u64 compute(u8 op, bool is32, u64 x, u64 y)
{
	u32 bits = is32 ? 32 : 64;
	u64 r;

	if (is32) {
		x = (u32)x;
		y = (u32)y;
	}
	switch (op) {
	case BPF_ADD:
		r = x + y;
		break;
	case BPF_SUB:
		r = x - y;
		break;
	case BPF_MUL:
		r = x * y;
		break;
	case BPF_AND:
		r = x & y;
		break;
	case BPF_OR:
		r = x | y;
		break;
	case BPF_XOR:
		r = x ^ y;
		break;
	case BPF_LSH:
		r = x << (y % bits);
		break;
	case BPF_RSH:
		r = x >> (y % bits);
		break;
	case BPF_ARSH:
		r = (u64)((is32 ? (s32)x : (s64)x) >> (y % bits));
		break;
	case BPF_DIV:
		r = y ? x / y : 0;
		break;
	default:
		r = y ? x % y : x;
		break;
	}
	return is32 ? (u32)r : r;
}

/* RFC 9669, section 4.3 */
static bool jumps(u8 op, bool is32, u64 x, u64 y)
{
	u64 a = is32 ? (u32)x : x, b = is32 ? (u32)y : y;
	s64 c = is32 ? (s32)x : (s64)x, d = is32 ? (s32)y : (s64)y;

	switch (op) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return c > d;
	case BPF_JSGE:
		return c >= d;
	case BPF_JSLT:
		return c < d;
	case BPF_JSLE:
		return c <= d;
	default:
		return a & b;
	}
}

static int failed(const char *what, u8 op, bool is32, u64 x, u64 y)
{
	printf("%s: op %#x, %d bits, x %#llx, y %#llx\n", what, op, is32 ? 32 : 64, x, y);
	return 1;
}

static int one_round(void)
{
	static const u8 alu[] = { BPF_ADD, BPF_SUB, BPF_MUL, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH, BPF_ARSH, BPF_DIV, BPF_MOD };
	static const u8 jmp[] = { BPF_JEQ, BPF_JNE, BPF_JGT, BPF_JGE, BPF_JLT, BPF_JLE, BPF_JSGT, BPF_JSGE, BPF_JSLT, BPF_JSLE, BPF_JSET };
	struct bpf_scalar a, b, r, yes_a, yes_b, no_a, no_b;
	u64 x = number(), y = rnd() % 3 ? number() : rnd() % 70, extended;
	bool is32 = rnd() & 1, taken;
	u8 op = alu[rnd() % ARRAY_SIZE(alu)];
	u32 bytes = 1U << (rnd() % 3);
	int known;

	describe(&a, x);
	describe(&b, y);
	if (!holds(&a, x) || !holds(&b, y))
		return failed("deduction", 0, false, x, y);
	r = a;
	bc_scalar_alu(&r, &b, op, is32);
	if (!holds(&r, compute(op, is32, x, y)) || !bc_scalar_sane(&r))
		return failed("transfer", op, is32, x, y);

	op = jmp[rnd() % ARRAY_SIZE(jmp)];
	taken = jumps(op, is32, x, y);
	known = bc_scalar_branch(&a, &b, op, is32);
	if (known >= 0 && known != taken)
		return failed("decision", op, is32, x, y);
	yes_a = no_a = a;
	yes_b = no_b = b;
	bc_scalar_refine(&yes_a, &yes_b, &no_a, &no_b, op, is32);
	if (known < 0 && (!holds(taken ? &yes_a : &no_a, x) || !holds(taken ? &yes_b : &no_b, y)))
		return failed("refinement", op, is32, x, y);

	r = a;
	bc_scalar_truncate(&r, bytes);
	if (!holds(&r, x & ((1ULL << (bytes * 8)) - 1)))
		return failed("truncation", (u8)bytes, false, x, 0);
	is32 &= bytes < 4;
	extended = (u64)((s64)(x << (64 - bytes * 8)) >> (64 - bytes * 8));
	r = a;
	bc_scalar_sext(&r, bytes, is32);
	if (!holds(&r, is32 ? (u32)extended : extended))
		return failed("sign extension", (u8)bytes, is32, x, 0);
	if (bc_scalar_within(&a, &b) && !holds(&a, y))
		return failed("inclusion", 0, false, x, y);
	return 0;
}

int main(int argc, char **argv)
{
	long rounds = argc > 1 ? atol(argv[1]) : 100000;
	int bad = 0;

	while (rounds-- > 0 && bad < 10)
		bad += one_round();
	return bad != 0;
}
