// SPDX-License-Identifier: MIT
/*
 * What sampler.py builds upon: random arguments for the obligations' calls, near the edges and around a member, and how much
 * two results tell. The generated part has the domain's functions with all their mutants, and the obligations' tables.
 */
#include "verifier/internal.h"

#define OBJECTS 4
#define CALLS 8

/* What a call leaves: the objects that pointers lead to, and what is returned. */
struct outs {
	struct bpf_scalar o[OBJECTS];
	struct tnum t;
	u64 r[CALLS];
};

struct table_entry {
	void (*fill)(u64 *v);
	void (*call)(const u64 *v, struct outs *out);
	int (*assumed)(const u64 *v);		/* 1: well-formed arguments, 3: and the numbers are members */
	int (*broken)(const u64 *v, const struct outs *out, int members);	/* 1 + the claim's place; 0: none */
	int variables, objects, calls, tnum, verdict;
};

enum { SAME, LESS, MORE };

static int mutant;		/* which one the functions are; 0: the original */
static int undefined;		/* a shift by the width or more, or a signed overflow, since it was last cleared */
static u64 seed;

#define HANDLER(name) void __ubsan_handle_##name(void) { undefined = 1; }
HANDLER(shift_out_of_bounds)
HANDLER(add_overflow)
HANDLER(sub_overflow)
HANDLER(mul_overflow)
HANDLER(negate_overflow)

static u64 any(void)
{
	seed ^= seed >> 12;
	seed ^= seed << 25;
	seed ^= seed >> 27;
	return seed * 0x2545F4914F6CDD1DULL;
}

static u64 below(u64 n)
{
	return (any() >> 32) % n;
}

/* One that is at an edge more often than not. */
static u64 edge(void)
{
	static const u64 edges[] = { 0, U64_MAX, U32_MAX, 1ULL << 63, 1ULL << 31, 1ULL << 32, 0xffffffff80000000ULL, 0xffff, 0x80, 0x8000 };
	u64 at = edges[below(sizeof(edges) / sizeof(*edges))];

	return below(3) ? at + below(5) - 2 : at;
}

static u64 number(void)
{
	u64 bit;

	switch (below(10)) {
	case 0:
		return below(16);
	case 1:
		return -below(16);
	case 2:
		bit = 1ULL << below(64);
		return below(2) ? bit : bit - 1;
	case 3:
		return -(1ULL << below(64));
	case 4:
		return any() >> below(64);
	case 5:
		return (u64)((s64)any() >> below(64));
	case 6:
		return (u32)any();
	case 7:
		return edge() << 32 | (u32)edge();
	default:
		return edge();
	}
}

/* One that has to do with @x. */
static u64 near(u64 x)
{
	switch (below(9)) {
	case 0:
	case 1:
		return x;
	case 2:
		return x + below(5) - 2;
	case 3:
		return x ^ 1ULL << below(64);
	case 4:
		return any() << 32 | (u32)x;
	case 5:
		return number() << 32 | (u32)x;
	case 6:
		return ~x;
	case 7:
		return -x;
	default:
		return (x & ~(u64)U32_MAX) | (u32)number();
	}
}

static u64 some_mask(void)
{
	u64 low = (1ULL << below(64)) - 1;

	switch (below(9)) {
	case 0:
		return 0;
	case 1:
		return U64_MAX;
	case 2:
		return low;
	case 3:
		return ~low;
	case 4:
		return below(2) ? U32_MAX : ~(u64)U32_MAX;
	case 5:
		return 1ULL << below(64);
	case 6:
		return any() & any();
	case 7:
		return low & ~(low >> below(64));
	default:
		return number();
	}
}

/* A bound below (or, @up, above) @x in the order of @is_signed numbers of @bits; at times @x itself, or the order's end. */
static u64 bound(u64 x, u64 hint, bool up, int bits, bool is_signed)
{
	u64 keep = bits == 64 ? U64_MAX : U32_MAX, flip = is_signed ? 1ULL << (bits - 1) : 0;
	u64 at = (x ^ flip) & keep, room = up ? keep - at : at, by;

	switch (below(7)) {
	case 0:
		by = 0;
		break;
	case 1:
		by = room;
		break;
	case 2:
		by = below(4);
		break;
	case 3:
	case 4:
		/* to where @hint is, if that is on this side */
		by = (hint ^ flip) & keep;
		by = up ? by - at : at - by;
		by &= keep;
		break;
	case 5:
		by = any() >> below(64);
		break;
	default:
		by = (number() ^ flip) & keep;
		by = up ? by - at : at - by;
		by &= keep;
		break;
	}
	if (by > room)
		by = below(2) ? room : 0;
	return ((up ? at + by : at - by) ^ flip) & keep;
}

static void exact(struct bpf_scalar *s, u64 x)
{
	s->t.value = x;
	s->t.mask = 0;
	s->umin = s->umax = x;
	s->smin = s->smax = (s64)x;
	s->umin32 = s->umax32 = (u32)x;
	s->smin32 = s->smax32 = (s32)x;
}

/* Widens it to have @x, too. */
static void widen(struct bpf_scalar *s, u64 x)
{
	s->t.mask |= s->t.value ^ x;
	s->t.value &= ~s->t.mask;
	s->umin = x < s->umin ? x : s->umin;
	s->umax = x > s->umax ? x : s->umax;
	s->smin = (s64)x < s->smin ? (s64)x : s->smin;
	s->smax = (s64)x > s->smax ? (s64)x : s->smax;
	s->umin32 = (u32)x < s->umin32 ? (u32)x : s->umin32;
	s->umax32 = (u32)x > s->umax32 ? (u32)x : s->umax32;
	s->smin32 = (s32)x < s->smin32 ? (s32)x : s->smin32;
	s->smax32 = (s32)x > s->smax32 ? (s32)x : s->smax32;
}

static void around(struct bpf_scalar *s, u64 x)
{
	u64 mask = some_mask(), least, most;

	exact(s, x);
	s->t.value &= ~mask;
	s->t.mask = mask;
	least = below(2) ? s->t.value : number();
	most = below(2) ? s->t.value | mask : number();
	s->umin = bound(x, least, false, 64, false);
	s->umax = bound(x, most, true, 64, false);
	s->smin = (s64)bound(x, below(2) ? s->umin : least, false, 64, true);
	s->smax = (s64)bound(x, below(2) ? s->umax : most, true, 64, true);
	s->umin32 = (u32)bound(x, below(2) ? s->umin : least, false, 32, false);
	s->umax32 = (u32)bound(x, below(2) ? s->umax : most, true, 32, false);
	s->smin32 = (s32)bound(x, below(2) ? s->smin : least, false, 32, true);
	s->smax32 = (s32)bound(x, below(2) ? s->smax : most, true, 32, true);
}

static void anything(struct bpf_scalar *s)
{
	s->t.mask = some_mask();
	s->t.value = number() & ~s->t.mask;
	s->umin = number();
	s->umax = near(s->umin);
	s->smin = (s64)number();
	s->smax = (s64)near((u64)s->smin);
	s->umin32 = (u32)number();
	s->umax32 = (u32)near(s->umin32);
	s->smin32 = (s32)number();
	s->smax32 = (s32)near((u64)(s64)s->smin32);
}

/* Sets the bounds of one width alone as they are known of @x: what jumps and casts leave is known in parts. */
static void tighten(struct bpf_scalar *s, u64 x)
{
	if (below(2)) {
		s->umin = s->umax = x;
		s->smin = s->smax = (s64)x;
	} else {
		s->umin32 = s->umax32 = (u32)x;
		s->smin32 = s->smax32 = (s32)x;
		if (below(2)) {
			s->t.value = (s->t.value & ~(u64)U32_MAX) | (u32)x;
			s->t.mask &= ~(u64)U32_MAX;
		}
	}
}

static void put(u64 *v, const struct bpf_scalar *s)
{
	v[0] = s->t.value;
	v[1] = s->t.mask;
	v[2] = s->umin;
	v[3] = s->umax;
	v[4] = (u64)s->smin;
	v[5] = (u64)s->smax;
	v[6] = s->umin32;
	v[7] = s->umax32;
	v[8] = (u32)s->smin32;
	v[9] = (u32)s->smax32;
}

/* A scalar with @members numbers, the first @x and the second @y. */
static void make_scalar(u64 *v, int members, u64 x, u64 y)
{
	struct bpf_scalar s;
	int was = mutant;

	if (below(16) == 0) {
		anything(&s);
	} else {
		if (!members)
			x = number();
		if (below(4))
			around(&s, x);
		else
			exact(&s, x);
		if (below(8) == 0)
			tighten(&s, x);
		if (members > 1)
			widen(&s, y);
		if (below(4) == 0) {
			mutant = 0;
			bc_bounds_sync(&s);
			mutant = was;
		}
	}
	put(v, &s);
}

static void make_tnum(u64 *v, int members, u64 x, u64 y)
{
	u64 mask = below(4) ? some_mask() : 0;

	if (!members)
		x = number();
	if (members > 1)
		mask |= x ^ y;
	v[0] = x & ~mask;
	v[1] = mask;
}

static u64 times(u64 a, u64 b)
{
	return a * b;
}

static u64 shifted_left(u64 a, u64 by, u64 width)
{
	return by < width ? a << by : 0;
}

static u64 shifted_right(u64 a, u64 by, u64 width)
{
	return by < width ? a >> by : 0;
}

static u64 sign_extended(u64 a, u64 width)
{
	u64 sign = 1ULL << (width - 1);

	return (a ^ sign) - sign;
}

/* -- how much two results tell ------------------------------------------------------------------------------------- */

static bool same_scalar(const struct bpf_scalar *a, const struct bpf_scalar *b)
{
	return a->t.value == b->t.value && a->t.mask == b->t.mask && a->umin == b->umin && a->umax == b->umax &&
	       a->smin == b->smin && a->smax == b->smax && a->umin32 == b->umin32 && a->umax32 == b->umax32 &&
	       a->smin32 == b->smin32 && a->smax32 == b->smax32;
}

/*
 * Does the inner one stand for no number that the outer one does not? By parts, then by parts once each has been deduced from. One
 * whose bounds then contradict each other stands for none: so it is with that of a branch which is never taken.
 */
static bool within(const struct bpf_scalar *outer, const struct bpf_scalar *inner)
{
	struct bpf_scalar o = *outer, i = *inner;
	int turn;

	for (turn = 0; turn < 4; turn++) {
		if (bc_scalar_within(&o, &i))
			return true;
		bc_bounds_sync(&o);
		bc_bounds_sync(&i);
		if (!bc_scalar_sane(&i))
			return true;
	}
	return false;
}

static int relation(const struct table_entry *e, const struct outs *was, const struct outs *now)
{
	int i, found = SAME;

	for (i = 0; i < e->calls; i++)
		if (was->r[i] != now->r[i]) {
			/* of a verdict: -1 is "not known" */
			if (!e->verdict || (u32)now->r[i] != U32_MAX)
				return MORE;
			found = LESS;
		}
	if (e->tnum && (was->t.value != now->t.value || was->t.mask != now->t.mask)) {
		if (!bc_tnum_in(now->t, was->t))
			return MORE;
		found = LESS;
	}
	for (i = 0; i < e->objects; i++)
		if (!same_scalar(&was->o[i], &now->o[i])) {
			if (!within(&now->o[i], &was->o[i]))
				return MORE;
			found = LESS;
		}
	return found;
}
