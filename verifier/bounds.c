/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bounds of a scalar, signed and unsigned, in 64 and 32 bits, and what they tell each other and the tnum.
 */
#include "internal.h"

void bc_scalar_const(struct bpf_scalar *s, u64 value)
{
	s->t = bc_tnum_const(value);
	s->umin = s->umax = value;
	s->smin = s->smax = (s64)value;
	s->umin32 = s->umax32 = (u32)value;
	s->smin32 = s->smax32 = (s32)value;
}

void bc_scalar_unknown(struct bpf_scalar *s)
{
	s->t = bc_tnum_unknown();
	bc_bounds_forget(s);
}

bool bc_scalar_is_const(const struct bpf_scalar *s)
{
	return bc_tnum_is_const(s->t);
}

bool bc_scalar_sane(const struct bpf_scalar *s)
{
	if (s->umin > s->umax || s->smin > s->smax || s->umin32 > s->umax32 || s->smin32 > s->smax32)
		return false;
	return !(s->t.value & s->t.mask);
}

void bc_bounds_forget64(struct bpf_scalar *s)
{
	s->umin = 0;
	s->umax = U64_MAX;
	s->smin = S64_MIN;
	s->smax = S64_MAX;
}

void bc_bounds_forget32(struct bpf_scalar *s)
{
	s->umin32 = 0;
	s->umax32 = U32_MAX;
	s->smin32 = S32_MIN;
	s->smax32 = S32_MAX;
}

void bc_bounds_forget(struct bpf_scalar *s)
{
	bc_bounds_forget64(s);
	bc_bounds_forget32(s);
}

/* Least and greatest values that the known bits allow. */
void bc_bounds_learn32(struct bpf_scalar *s)
{
	u32 ones = (u32)s->t.value, maybe = (u32)s->t.mask;
	u32 sign = 1U << 31;

	s->umin32 = max(s->umin32, ones);
	s->umax32 = min(s->umax32, ones | maybe);
	/* as a signed number: an unknown sign bit is set for the least, clear for the greatest */
	s->smin32 = max(s->smin32, (s32)(ones | (maybe & sign)));
	s->smax32 = min(s->smax32, (s32)(ones | (maybe & ~sign)));
}

void bc_bounds_learn64(struct bpf_scalar *s)
{
	u64 ones = s->t.value, maybe = s->t.mask;
	u64 sign = 1ULL << 63;

	s->umin = max(s->umin, ones);
	s->umax = min(s->umax, ones | maybe);
	s->smin = max(s->smin, (s64)(ones | (maybe & sign)));
	s->smax = min(s->smax, (s64)(ones | (maybe & ~sign)));
}

void bc_bounds_learn(struct bpf_scalar *s)
{
	bc_bounds_learn32(s);
	bc_bounds_learn64(s);
}

/*
 * A range that lies on one side of the sign boundary has the same order signed and unsigned, so each bound may take the better
 * of both. Where the signed range crosses the boundary, the unsigned one may still tell the side.
 */
static void exchange32(struct bpf_scalar *s)
{
	u32 low, high;

	if (s->smin32 >= 0 || s->smax32 < 0) {
		low = max((u32)s->smin32, s->umin32);
		high = min((u32)s->smax32, s->umax32);
	} else if (s->umax32 <= (u32)S32_MAX) {
		low = s->umin32;
		high = min((u32)s->smax32, s->umax32);
	} else if (s->umin32 > (u32)S32_MAX) {
		low = max((u32)s->smin32, s->umin32);
		high = s->umax32;
	} else {
		return;
	}
	s->umin32 = low;
	s->umax32 = high;
	s->smin32 = (s32)low;
	s->smax32 = (s32)high;
}

static void exchange64(struct bpf_scalar *s)
{
	u64 low, high;

	if (s->smin >= 0 || s->smax < 0) {
		low = max((u64)s->smin, s->umin);
		high = min((u64)s->smax, s->umax);
	} else if (s->umax <= (u64)S64_MAX) {
		low = s->umin;
		high = min((u64)s->smax, s->umax);
	} else if (s->umin > (u64)S64_MAX) {
		low = max((u64)s->smin, s->umin);
		high = s->umax;
	} else {
		return;
	}
	s->umin = low;
	s->umax = high;
	s->smin = (s64)low;
	s->smax = (s64)high;
}

/* Known bits out of the unsigned ranges. */
static void bits_from_bounds(struct bpf_scalar *s)
{
	struct tnum whole = bc_tnum_intersect(s->t, bc_tnum_range(s->umin, s->umax));
	struct tnum low = bc_tnum_intersect(bc_tnum_low32(whole), bc_tnum_range(s->umin32, s->umax32));

	s->t = bc_tnum_with_low32(whole, low);
}

void bc_bounds_sync(struct bpf_scalar *s)
{
	bc_bounds_learn(s);
	exchange32(s);
	exchange64(s);
	bits_from_bounds(s);
	/* better known bits may tighten the bounds once more */
	bc_bounds_learn(s);
}

/* 64-bit bounds of a value whose high half is zero. */
static void bounds_of_low_half(struct bpf_scalar *s)
{
	s->umin = s->umin32;
	s->umax = s->umax32;
	if (s->smin32 >= 0 && s->smax32 >= 0) {
		s->smin = s->smin32;
		s->smax = s->smax32;
	} else {
		s->smin = 0;
		s->smax = U32_MAX;
	}
}

void bc_bounds_64_from_32(struct bpf_scalar *s)
{
	struct tnum high = bc_tnum_high32(s->t);

	if (!high.value && !high.mask)
		bounds_of_low_half(s);
	else
		/* the low half moved, so the old bounds of the whole tell nothing; the known bits do */
		bc_bounds_forget64(s);
	bc_bounds_sync(s);
}

void bc_bounds_32_from_64(struct bpf_scalar *s)
{
	bc_bounds_forget32(s);
	if (s->smin >= S32_MIN && s->smin <= S32_MAX && s->smax >= S32_MIN && s->smax <= S32_MAX) {
		s->smin32 = (s32)s->smin;
		s->smax32 = (s32)s->smax;
	}
	if (s->umin <= U32_MAX && s->umax <= U32_MAX) {
		s->umin32 = (u32)s->umin;
		s->umax32 = (u32)s->umax;
	}
	bc_bounds_sync(s);
}

void bc_scalar_zext32(struct bpf_scalar *s)
{
	s->t = bc_tnum_low32(s->t);
	bounds_of_low_half(s);
}

void bc_scalar_truncate(struct bpf_scalar *s, u32 bytes)
{
	u64 keep = (1ULL << (bytes * 8)) - 1;

	s->t = bc_tnum_cast(s->t, bytes);
	if ((s->umin & ~keep) == (s->umax & ~keep)) {
		/* no wrap between the bounds */
		s->umin &= keep;
		s->umax &= keep;
	} else {
		s->umin = 0;
		s->umax = keep;
	}
	s->smin = (s64)s->umin;
	s->smax = (s64)s->umax;
	/* at 4 bytes the 32-bit bounds are untouched, and at least as good */
	if (bytes < 4)
		bc_bounds_32_from_64(s);
}

/* Sign extension from @bytes (1, 2, 4) to 64 bits, or to 32 with the upper half cleared. */
void bc_scalar_sext(struct bpf_scalar *s, u32 bytes, bool to32)
{
	u32 bits = bytes * 8;
	u64 sign = 1ULL << (bits - 1);
	s64 least = -(s64)sign, greatest = (s64)sign - 1;
	bool fits = s->smin >= least && s->smax <= greatest;
	struct tnum low = bc_tnum_cast(s->t, bytes);

	/* shifting up and arithmetically down again moves the sign, known or not, into all upper bits */
	s->t = bc_tnum_arsh(bc_tnum_lsh(low, 64 - bits), 64 - bits, 64);
	if (!fits) {
		s->smin = least;
		s->smax = greatest;
	}
	s->umin = 0;
	s->umax = U64_MAX;
	bc_bounds_forget32(s);
	if (to32) {
		/* the 64-bit bounds lie within 32 bits */
		s->smin32 = (s32)s->smin;
		s->smax32 = (s32)s->smax;
		s->t = bc_tnum_low32(s->t);
		bc_bounds_forget64(s);
		bc_bounds_learn32(s);
		exchange32(s);
		bounds_of_low_half(s);
	} else {
		bc_bounds_32_from_64(s);
	}
	bc_bounds_sync(s);
}

bool bc_scalar_within(const struct bpf_scalar *outer, const struct bpf_scalar *inner)
{
	return outer->umin <= inner->umin && outer->umax >= inner->umax && outer->smin <= inner->smin && outer->smax >= inner->smax &&
	       outer->umin32 <= inner->umin32 && outer->umax32 >= inner->umax32 && outer->smin32 <= inner->smin32 &&
	       outer->smax32 >= inner->smax32 && bc_tnum_in(outer->t, inner->t);
}
