/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tristate numbers: what is known of each bit of a value.
 * Source: H. Vishwanathan et al., "Sound, Precise, and Fast Abstract Interpretation with Tristate Numbers", CGO 2022.
 */
#include "internal.h"

/* A tnum of these bits; a bit that is unknown carries no value. */
static struct tnum make(u64 bits, u64 unknown)
{
	struct tnum t;

	t.value = bits & ~unknown;
	t.mask = unknown;
	return t;
}

struct tnum bc_tnum_const(u64 value)
{
	return make(value, 0);
}

struct tnum bc_tnum_unknown(void)
{
	return make(0, U64_MAX);
}

/* The common high bits of min and max are known. */
struct tnum bc_tnum_range(u64 min, u64 max)
{
	u64 low = min ^ max;	/* and then all the bits below its highest */

	low |= low >> 1;
	low |= low >> 2;
	low |= low >> 4;
	low |= low >> 8;
	low |= low >> 16;
	low |= low >> 32;
	return make(min, low);
}

struct tnum bc_tnum_lsh(struct tnum a, u8 shift)
{
	return make(a.value << shift, a.mask << shift);
}

struct tnum bc_tnum_rsh(struct tnum a, u8 shift)
{
	return make(a.value >> shift, a.mask >> shift);
}

/* An unknown sign bit makes all the bits shifted in unknown, as it moves into them both in value and in mask. */
struct tnum bc_tnum_arsh(struct tnum a, u8 shift, u8 bits)
{
	if (bits == 32)
		return make((u32)((s32)a.value >> shift), (u32)((s32)a.mask >> shift));
	return make((s64)a.value >> shift, (s64)a.mask >> shift);
}

/* Bits that differ between the least and the greatest sum may carry. */
struct tnum bc_tnum_add(struct tnum a, struct tnum b)
{
	u64 least = a.value + b.value;
	u64 greatest = least + (a.mask + b.mask);

	return make(least, (least ^ greatest) | a.mask | b.mask);
}

struct tnum bc_tnum_sub(struct tnum a, struct tnum b)
{
	u64 diff = a.value - b.value;
	u64 greatest = diff + a.mask;
	u64 least = diff - b.mask;

	return make(diff, (greatest ^ least) | a.mask | b.mask);
}

struct tnum bc_tnum_and(struct tnum a, struct tnum b)
{
	u64 ones = a.value & b.value;
	u64 maybe = (a.value | a.mask) & (b.value | b.mask);

	return make(ones, maybe & ~ones);
}

struct tnum bc_tnum_or(struct tnum a, struct tnum b)
{
	u64 ones = a.value | b.value;

	return make(ones, (a.mask | b.mask) & ~ones);
}

struct tnum bc_tnum_xor(struct tnum a, struct tnum b)
{
	return make(a.value ^ b.value, a.mask | b.mask);
}

/* Long multiplication: the known product, and the sum of what each bit of @a may add to it. */
struct tnum bc_tnum_mul(struct tnum a, struct tnum b)
{
	u64 known = a.value * b.value;
	struct tnum doubt = make(0, 0);
	int i;

	for (i = 0; i < 64; i++) {
		u64 bit = 1ULL << i;

		if (a.value < bit && a.mask < bit)
			break;
		if (a.value & bit)
			doubt = bc_tnum_add(doubt, make(0, b.mask << i));
		else if (a.mask & bit)
			doubt = bc_tnum_add(doubt, make(0, (b.value | b.mask) << i));
	}
	return bc_tnum_add(make(known, 0), doubt);
}

/* Both hold: a bit known to either is known. Contradictory bits give some value, as the case cannot arise. */
struct tnum bc_tnum_intersect(struct tnum a, struct tnum b)
{
	return make(a.value | b.value, a.mask & b.mask);
}

struct tnum bc_tnum_cast(struct tnum a, u8 bytes)
{
	u64 keep = bytes >= 8 ? U64_MAX : (1ULL << (bytes * 8)) - 1;

	return make(a.value & keep, a.mask & keep);
}

struct tnum bc_tnum_low32(struct tnum a)
{
	return make((u32)a.value, (u32)a.mask);
}

struct tnum bc_tnum_high32(struct tnum a)
{
	return make(a.value >> 32 << 32, a.mask >> 32 << 32);
}

struct tnum bc_tnum_with_low32(struct tnum hi, struct tnum lo)
{
	return make(hi.value >> 32 << 32 | (u32)lo.value, hi.mask >> 32 << 32 | (u32)lo.mask);
}

bool bc_tnum_is_const(struct tnum a)
{
	return a.mask == 0;
}

bool bc_tnum_is_unknown(struct tnum a)
{
	return a.mask == U64_MAX;
}

bool bc_tnum_low32_is_const(struct tnum a)
{
	return (u32)a.mask == 0;
}

bool bc_tnum_is_aligned(struct tnum a, u64 size)
{
	return !size || !((a.value | a.mask) & (size - 1));
}

bool bc_tnum_in(struct tnum outer, struct tnum inner)
{
	if (inner.mask & ~outer.mask)
		return false;
	return outer.value == (inner.value & ~outer.mask);
}
