/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hashing and comparing of keys. The hash multiplies the key, mixed with one secret number, by another, and folds the upper half of the
 * product into the lower (as in Wang Yi's wyhash, public domain): whoever knows neither number cannot choose keys that meet.
 */
#ifndef BPFCOMPAT_HASH_H
#define BPFCOMPAT_HASH_H

#include "../bpf.h"
#include <linux/random.h>

struct bc_hash_seed {
	u64 mix, by;
};

static inline void bc_hash_seed_init(struct bc_hash_seed *seed, bool random)
{
	seed->mix = 0;
	seed->by = 0x9e3779b97f4a7c15ULL;	/* 2^64 by the golden ratio */
	if (random)
		get_random_bytes(seed, sizeof(*seed));
	seed->by |= 1;
}

typedef u64 __attribute__((aligned(1), may_alias)) bc_word64;
typedef u32 __attribute__((aligned(1), may_alias)) bc_word32;
typedef u16 __attribute__((aligned(1), may_alias)) bc_word16;

static __always_inline u64 bc_hash_fold(u64 a, u64 b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (u64)product ^ (u64)(product >> 64);
}

/* All keys of one table are of one size, so that it is no part of the hash. */
static __always_inline u32 bc_hash(const void *key, u32 size, const struct bc_hash_seed *seed)
{
	u64 hash = seed->mix, last = 0;

	for (; size >= 16; size -= 16, key += 16)
		hash = bc_hash_fold(*(const bc_word64 *)key ^ hash, *(const bc_word64 *)(key + 8) ^ seed->by);
	if (size & 8) {
		hash = bc_hash_fold(*(const bc_word64 *)key ^ hash, seed->by);
		key += 8;
	}
	if (!(size & 7))
		return hash;
	if (size & 4) {
		last = *(const bc_word32 *)key;
		key += 4;
	}
	if (size & 2) {
		last = last << 16 | *(const bc_word16 *)key;
		key += 2;
	}
	if (size & 1)
		last = last << 8 | *(const u8 *)key;
	return bc_hash_fold(last ^ hash, seed->by);
}

static __always_inline bool bc_same_key(const void *a, const void *b, u32 size)
{
	for (; size >= 8; size -= 8, a += 8, b += 8)
		if (*(const bc_word64 *)a != *(const bc_word64 *)b)
			return false;
	if (size & 4) {
		if (*(const bc_word32 *)a != *(const bc_word32 *)b)
			return false;
		a += 4;
		b += 4;
	}
	if (size & 2) {
		if (*(const bc_word16 *)a != *(const bc_word16 *)b)
			return false;
		a += 2;
		b += 2;
	}
	return !(size & 1) || *(const u8 *)a == *(const u8 *)b;
}

#endif
