/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Transfer functions: what each ALU operation makes of two scalars. Source: RFC 9669, section 4.1. Where an operation is not
 * followed closely, the result is any value.
 */
#include "internal.h"

/* A 64-bit result is written as [lo, hi] of both orders; wrapping loses the order it happens in. */
static bool s64_add_wraps(s64 a, s64 b)
{
	s64 sum = (s64)((u64)a + (u64)b);

	return b < 0 ? sum > a : sum < a;
}

static bool s64_sub_wraps(s64 a, s64 b)
{
	s64 diff = (s64)((u64)a - (u64)b);

	return b < 0 ? diff < a : diff > a;
}

static bool fits_s32(s64 v)
{
	return v >= S32_MIN && v <= S32_MAX;
}

static void add32(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	s64 slo = (s64)d->smin32 + s->smin32, shi = (s64)d->smax32 + s->smax32;
	u64 ulo = (u64)d->umin32 + s->umin32, uhi = (u64)d->umax32 + s->umax32;

	bc_bounds_forget32(d);
	if (fits_s32(slo) && fits_s32(shi)) {
		d->smin32 = (s32)slo;
		d->smax32 = (s32)shi;
	}
	if (ulo <= U32_MAX && uhi <= U32_MAX) {
		d->umin32 = (u32)ulo;
		d->umax32 = (u32)uhi;
	}
}

void bc_scalar_add64(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	if (s64_add_wraps(d->smin, s->smin) || s64_add_wraps(d->smax, s->smax)) {
		d->smin = S64_MIN;
		d->smax = S64_MAX;
	} else {
		d->smin += s->smin;
		d->smax += s->smax;
	}
	if (d->umin > U64_MAX - s->umin || d->umax > U64_MAX - s->umax) {
		d->umin = 0;
		d->umax = U64_MAX;
	} else {
		d->umin += s->umin;
		d->umax += s->umax;
	}
}

static void sub32(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	s64 slo = (s64)d->smin32 - s->smax32, shi = (s64)d->smax32 - s->smin32;
	bool borrows = d->umin32 < s->umax32;
	u32 ulo = d->umin32 - s->umax32, uhi = d->umax32 - s->umin32;

	bc_bounds_forget32(d);
	if (fits_s32(slo) && fits_s32(shi)) {
		d->smin32 = (s32)slo;
		d->smax32 = (s32)shi;
	}
	if (!borrows) {
		d->umin32 = ulo;
		d->umax32 = uhi;
	}
}

void bc_scalar_sub64(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	if (s64_sub_wraps(d->smin, s->smax) || s64_sub_wraps(d->smax, s->smin)) {
		d->smin = S64_MIN;
		d->smax = S64_MAX;
	} else {
		d->smin -= s->smax;
		d->smax -= s->smin;
	}
	if (d->umin < s->umax) {
		d->umin = 0;
		d->umax = U64_MAX;
	} else {
		d->umin -= s->umax;
		d->umax -= s->umin;
	}
}

/* Followed for factors that are not negative and too small for the product to wrap. */
static void mul32(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	u32 lo = d->umin32 * s->umin32, hi = d->umax32 * s->umax32;
	bool small = s->smin32 >= 0 && d->smin32 >= 0 && s->umax32 <= 0xffff && d->umax32 <= 0xffff;

	bc_bounds_forget32(d);
	if (!small)
		return;
	d->umin32 = lo;
	d->umax32 = hi;
	if (hi <= (u32)S32_MAX) {
		d->smin32 = (s32)lo;
		d->smax32 = (s32)hi;
	}
}

static void mul64(struct bpf_scalar *d, const struct bpf_scalar *s)
{
	u64 lo = d->umin * s->umin, hi = d->umax * s->umax;
	bool small = s->smin >= 0 && d->smin >= 0 && s->umax <= U32_MAX && d->umax <= U32_MAX;

	bc_bounds_forget64(d);
	if (!small)
		return;
	d->umin = lo;
	d->umax = hi;
	if (hi <= (u64)S64_MAX) {
		d->smin = (s64)lo;
		d->smax = (s64)hi;
	}
}

/*
 * and, or, xor: the unsigned bounds follow from the operands' and from the known bits of the result (in d->t already); the signed ones
 * are the same where neither operand can be negative.
 */
static void bitwise32(struct bpf_scalar *d, const struct bpf_scalar *s, u8 op, bool both_const)
{
	u32 ones = (u32)d->t.value, maybe = ones | (u32)d->t.mask;
	bool positive = d->smin32 >= 0 && s->smin32 >= 0;

	if (both_const) {
		d->umin32 = d->umax32 = ones;
		d->smin32 = d->smax32 = (s32)ones;
		return;
	}
	switch (op) {
	case BPF_AND:
		d->umax32 = min(d->umax32, s->umax32);
		d->umin32 = ones;
		break;
	case BPF_OR:
		d->umin32 = max(d->umin32, s->umin32);
		d->umax32 = maybe;
		break;
	default:
		d->umin32 = ones;
		d->umax32 = maybe;
		break;
	}
	positive &= d->umax32 <= (u32)S32_MAX;
	d->smin32 = positive ? (s32)d->umin32 : S32_MIN;
	d->smax32 = positive ? (s32)d->umax32 : S32_MAX;
}

static void bitwise64(struct bpf_scalar *d, const struct bpf_scalar *s, u8 op, bool both_const)
{
	u64 ones = d->t.value, maybe = ones | d->t.mask;
	bool positive = d->smin >= 0 && s->smin >= 0;

	if (both_const) {
		bc_scalar_const(d, ones);
		return;
	}
	switch (op) {
	case BPF_AND:
		d->umax = min(d->umax, s->umax);
		d->umin = ones;
		break;
	case BPF_OR:
		d->umin = max(d->umin, s->umin);
		d->umax = maybe;
		break;
	default:
		d->umin = ones;
		d->umax = maybe;
		break;
	}
	positive &= d->umax <= (u64)S64_MAX;
	d->smin = positive ? (s64)d->umin : S64_MIN;
	d->smax = positive ? (s64)d->umax : S64_MAX;
	bc_bounds_learn(d);
}

static void bitwise(struct bpf_scalar *d, const struct bpf_scalar *s, u8 op)
{
	switch (op) {
	case BPF_AND:
		d->t = bc_tnum_and(d->t, s->t);
		break;
	case BPF_OR:
		d->t = bc_tnum_or(d->t, s->t);
		break;
	default:
		d->t = bc_tnum_xor(d->t, s->t);
		break;
	}
	/* a known result is what counts, not two known operands: and with 0 is 0 whatever the other */
	bitwise32(d, s, op, bc_tnum_low32_is_const(s->t) && bc_tnum_low32_is_const(d->t));
	bitwise64(d, s, op, bc_tnum_is_const(s->t) && bc_tnum_is_const(d->t));
}

/* Unsigned 32-bit bounds of a left shift by @n; the signed ones are left to the known bits. */
static void lsh_bounds32(struct bpf_scalar *d, u64 n)
{
	u32 lo = d->umin32, hi = d->umax32;

	bc_bounds_forget32(d);
	/* no set bit leaves at the top */
	if (n > 31 || hi > (1ULL << (31 - n)))
		return;
	d->umin32 = lo << n;
	d->umax32 = hi << n;
}

static void lsh(struct bpf_scalar *d, u64 n, bool is32)
{
	u64 lo = d->umin, hi = d->umax;

	if (is32) {
		lsh_bounds32(d, n);
		d->t = bc_tnum_low32(bc_tnum_lsh(bc_tnum_low32(d->t), n));
		bc_bounds_forget64(d);
		bc_bounds_learn32(d);
		return;
	}
	bc_bounds_forget64(d);
	if (n == 32) {
		/* compilers sign-extend by << 32, s>> 32: keep the signed bounds of the low half */
		d->smin = (s64)((u64)(s64)d->smin32 << 32);
		d->smax = (s64)((u64)(s64)d->smax32 << 32);
	}
	if (hi <= (1ULL << (63 - n))) {
		d->umin = lo << n;
		d->umax = hi << n;
	}
	lsh_bounds32(d, n);
	d->t = bc_tnum_lsh(d->t, n);
	bc_bounds_learn(d);
}

static void rsh(struct bpf_scalar *d, u64 n, bool is32)
{
	if (is32) {
		u32 lo = d->umin32, hi = d->umax32;

		bc_bounds_forget(d);
		d->t = bc_tnum_rsh(bc_tnum_low32(d->t), n);
		d->umin32 = lo >> n;
		d->umax32 = hi >> n;
		bc_bounds_learn32(d);
	} else {
		u64 lo = d->umin, hi = d->umax;

		/* bits of the high half arrive in the low one: its bounds come from the known bits */
		bc_bounds_forget(d);
		d->t = bc_tnum_rsh(d->t, n);
		d->umin = lo >> n;
		d->umax = hi >> n;
		bc_bounds_learn(d);
	}
}

static void arsh(struct bpf_scalar *d, u64 n, bool is32)
{
	if (is32) {
		s32 lo = d->smin32, hi = d->smax32;

		bc_bounds_forget(d);
		d->t = bc_tnum_arsh(bc_tnum_low32(d->t), n, 32);
		d->smin32 = lo >> n;
		d->smax32 = hi >> n;
		bc_bounds_learn32(d);
	} else {
		s64 lo = d->smin, hi = d->smax;

		bc_bounds_forget(d);
		d->t = bc_tnum_arsh(d->t, n, 64);
		d->smin = lo >> n;
		d->smax = hi >> n;
		bc_bounds_learn(d);
	}
}

/* A constant whose bounds disagree, or empty bounds: the code is dead, and nothing should be concluded from it. */
bool bc_scalar_dead(const struct bpf_scalar *s, bool is32)
{
	if (is32)
		return s->smin32 > s->smax32 || s->umin32 > s->umax32 ||
		       (bc_tnum_low32_is_const(s->t) && (s->smin32 != s->smax32 || s->umin32 != s->umax32));
	return s->smin > s->smax || s->umin > s->umax || (bc_tnum_is_const(s->t) && (s->smin != s->smax || s->umin != s->umax));
}

void bc_scalar_alu(struct bpf_scalar *dst, const struct bpf_scalar *src, u8 op, bool is32)
{
	bool src_known = is32 ? bc_tnum_low32_is_const(src->t) : bc_tnum_is_const(src->t);
	u64 n = is32 ? (u32)src->t.value : src->t.value;
	u64 bits = is32 ? 32 : 64;

	if (bc_scalar_dead(src, is32) || (!src_known && op != BPF_ADD && op != BPF_SUB && op != BPF_AND)) {
		bc_scalar_unknown(dst);
		return;
	}
	switch (op) {
	case BPF_ADD:
		add32(dst, src);
		bc_scalar_add64(dst, src);
		dst->t = bc_tnum_add(dst->t, src->t);
		break;
	case BPF_SUB:
		sub32(dst, src);
		bc_scalar_sub64(dst, src);
		dst->t = bc_tnum_sub(dst->t, src->t);
		break;
	case BPF_MUL:
		dst->t = bc_tnum_mul(dst->t, src->t);
		mul32(dst, src);
		mul64(dst, src);
		break;
	case BPF_AND:
	case BPF_OR:
	case BPF_XOR:
		bitwise(dst, src, op);
		break;
	case BPF_LSH:
	case BPF_RSH:
	case BPF_ARSH:
		/* where only the low half is known, umax may be another amount than the one that is known */
		if (src->umax >= bits || n >= bits)
			bc_scalar_unknown(dst);
		else if (op == BPF_LSH)
			lsh(dst, n, is32);
		else if (op == BPF_RSH)
			rsh(dst, n, is32);
		else
			arsh(dst, n, is32);
		break;
	default:
		bc_scalar_unknown(dst);
		break;
	}
	if (is32)
		bc_scalar_zext32(dst);
	bc_bounds_sync(dst);
}
