/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Conditional jumps on scalars: whether the outcome is known, and what each outcome tells of the operands.
 * Source: RFC 9669, section 4.3.
 */
#include "internal.h"

/* The comparison with its operands exchanged; 0 where there is none. */
u8 bc_jmp_flip(u8 op)
{
	switch (op) {
	case BPF_JEQ:
	case BPF_JNE:
	case BPF_JSET:
		return op;
	case BPF_JGT:
		return BPF_JLT;
	case BPF_JLT:
		return BPF_JGT;
	case BPF_JGE:
		return BPF_JLE;
	case BPF_JLE:
		return BPF_JGE;
	case BPF_JSGT:
		return BPF_JSLT;
	case BPF_JSLT:
		return BPF_JSGT;
	case BPF_JSGE:
		return BPF_JSLE;
	case BPF_JSLE:
		return BPF_JSGE;
	default:
		return 0;
	}
}

/* One of "all of the range satisfies", "none does", "some do". */
static int decide(bool all, bool none)
{
	if (all)
		return 1;
	return none ? 0 : -1;
}

static int decide_unsigned(u64 lo, u64 hi, u64 k, u8 op)
{
	switch (op) {
	case BPF_JGT:
		return decide(lo > k, hi <= k);
	case BPF_JGE:
		return decide(lo >= k, hi < k);
	case BPF_JLT:
		return decide(hi < k, lo >= k);
	default:
		return decide(hi <= k, lo > k);
	}
}

static int decide_signed(s64 lo, s64 hi, s64 k, u8 op)
{
	switch (op) {
	case BPF_JSGT:
		return decide(lo > k, hi <= k);
	case BPF_JSGE:
		return decide(lo >= k, hi < k);
	case BPF_JSLT:
		return decide(hi < k, lo >= k);
	default:
		return decide(hi <= k, lo > k);
	}
}

int bc_scalar_branch(const struct bpf_scalar *a, const struct bpf_scalar *b, u8 op, bool is32)
{
	struct tnum t = is32 ? bc_tnum_low32(a->t) : a->t;
	u64 k = is32 ? (u32)b->t.value : b->t.value;

	if (is32 ? !bc_tnum_low32_is_const(b->t) : !bc_tnum_is_const(b->t))
		return -1;
	switch (op) {
	case BPF_JEQ:
		return bc_tnum_is_const(t) ? t.value == k : -1;
	case BPF_JNE:
		return bc_tnum_is_const(t) ? t.value != k : -1;
	case BPF_JSET:
		return decide(t.value & k, !((t.value | t.mask) & k));
	case BPF_JGT:
	case BPF_JGE:
	case BPF_JLT:
	case BPF_JLE:
		if (is32)
			return decide_unsigned(a->umin32, a->umax32, k, op);
		return decide_unsigned(a->umin, a->umax, k, op);
	case BPF_JSGT:
	case BPF_JSGE:
	case BPF_JSLT:
	case BPF_JSLE:
		if (is32)
			return decide_signed(a->smin32, a->smax32, (s32)k, op);
		return decide_signed(a->smin, a->smax, (s64)k, op);
	default:
		return -1;
	}
}

static void at_least_u(struct bpf_scalar *s, u64 k, bool is32)
{
	if (is32)
		s->umin32 = max(s->umin32, (u32)k);
	else
		s->umin = max(s->umin, k);
}

static void at_most_u(struct bpf_scalar *s, u64 k, bool is32)
{
	if (is32)
		s->umax32 = min(s->umax32, (u32)k);
	else
		s->umax = min(s->umax, k);
}

static void at_least_s(struct bpf_scalar *s, s64 k, bool is32)
{
	if (is32)
		s->smin32 = max(s->smin32, (s32)k);
	else
		s->smin = max(s->smin, k);
}

static void at_most_s(struct bpf_scalar *s, s64 k, bool is32)
{
	if (is32)
		s->smax32 = min(s->smax32, (s32)k);
	else
		s->smax = min(s->smax, k);
}

static void is_value(struct bpf_scalar *s, u64 k, bool is32)
{
	if (is32) {
		s->t = bc_tnum_with_low32(s->t, bc_tnum_const(k));
		s->umin32 = s->umax32 = (u32)k;
		s->smin32 = s->smax32 = (s32)k;
	} else {
		bc_scalar_const(s, k);
	}
}

/* Jump taken (@yes) and not taken (@no) on: value @op @k. */
static void refine_by_const(struct bpf_scalar *yes, struct bpf_scalar *no, u64 k, u8 op, bool is32)
{
	s64 sk = is32 ? (s32)k : (s64)k;
	struct tnum bits;

	if (is32)
		k = (u32)k;
	switch (op) {
	case BPF_JEQ:
		is_value(yes, k, is32);
		break;
	case BPF_JNE:
		is_value(no, k, is32);
		break;
	case BPF_JSET:
		/* not taken: all these bits are clear. The bounds are derived anew, as they might contradict on dead code. */
		bits = bc_tnum_and(no->t, bc_tnum_const(~k));
		no->t = is32 ? bc_tnum_with_low32(no->t, bits) : bits;
		bc_bounds_forget(no);
		/* taken: one of them is set */
		if (k && !(k & (k - 1)))
			yes->t = bc_tnum_or(yes->t, bc_tnum_const(k));
		break;
	/* k + 1 and k - 1 wrap only where the outcome is known, and so not refined */
	case BPF_JGT:
		at_most_u(no, k, is32);
		at_least_u(yes, k + 1, is32);
		break;
	case BPF_JGE:
		at_most_u(no, k - 1, is32);
		at_least_u(yes, k, is32);
		break;
	case BPF_JLT:
		at_least_u(no, k, is32);
		at_most_u(yes, k - 1, is32);
		break;
	case BPF_JLE:
		at_least_u(no, k + 1, is32);
		at_most_u(yes, k, is32);
		break;
	case BPF_JSGT:
		at_most_s(no, sk, is32);
		at_least_s(yes, (s64)((u64)sk + 1), is32);
		break;
	case BPF_JSGE:
		at_most_s(no, (s64)((u64)sk - 1), is32);
		at_least_s(yes, sk, is32);
		break;
	case BPF_JSLT:
		at_least_s(no, sk, is32);
		at_most_s(yes, (s64)((u64)sk - 1), is32);
		break;
	case BPF_JSLE:
		at_least_s(no, (s64)((u64)sk + 1), is32);
		at_most_s(yes, sk, is32);
		break;
	default:
		return;
	}
	if (is32) {
		bc_bounds_64_from_32(no);
		bc_bounds_64_from_32(yes);
	} else {
		bc_bounds_32_from_64(no);
		bc_bounds_32_from_64(yes);
	}
}

/* @v is a number that @same stands for too. */
static void learn(struct bpf_scalar *v, const struct bpf_scalar *same)
{
	if (same->umin > v->umin)
		v->umin = same->umin;
	if (same->umax < v->umax)
		v->umax = same->umax;
	if (same->smin > v->smin)
		v->smin = same->smin;
	if (same->smax < v->smax)
		v->smax = same->smax;
	v->t = bc_tnum_intersect(v->t, same->t);
	bc_bounds_sync(v);
}

/* The two are equal: each knows what the other does. */
static void refine_equal(struct bpf_scalar *a, struct bpf_scalar *b)
{
	struct bpf_scalar before = *a;

	learn(a, b);
	learn(b, &before);
}

void bc_scalar_refine(struct bpf_scalar *true_a, struct bpf_scalar *true_b, struct bpf_scalar *false_a, struct bpf_scalar *false_b,
		      u8 op, bool is32)
{
	u8 flipped = bc_jmp_flip(op);

	if (bc_tnum_is_const(false_b->t) || (is32 && bc_tnum_low32_is_const(false_b->t))) {
		refine_by_const(true_a, false_a, false_b->t.value, op, is32);
	} else if (bc_tnum_is_const(false_a->t) || (is32 && bc_tnum_low32_is_const(false_a->t))) {
		refine_by_const(true_b, false_b, false_a->t.value, flipped, is32);
	} else if (!is32 && op == BPF_JEQ) {
		refine_equal(true_a, true_b);
	} else if (!is32 && op == BPF_JNE) {
		refine_equal(false_a, false_b);
	}
}
