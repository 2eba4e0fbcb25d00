// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bloom filters: sets of which one may ask whether a value was put in. "No" is certain, "yes" is probable. Values are never taken out, so
 * that setting bits needs no lock.
 */
#include "maps.h"
#include <linux/bitops.h>
#include <linux/jhash.h>
#include <linux/log2.h>
#include <linux/random.h>

#define BLOOM_MAX_VALUE		(4U << 20)	/* Linux: KMALLOC_MAX_SIZE */
#define BLOOM_HASHES		0xf		/* of map_extra: how many hash functions; 0: the default */
#define BLOOM_DEFAULT_HASHES	5
#define BLOOM_MAX_BITS		(1ULL << 32)

struct bc_bloom {
	struct bc_map map;
	u32 mask;		/* of a bit's number */
	u32 hashes;
	u32 seed;
	size_t bytes;
	unsigned long *bits;
};

static struct bc_bloom *bloom_of(const struct bc_map *map)
{
	return container_of(map, struct bc_bloom, map);
}

static int alloc_check(const union bpf_attr *attr)
{
	u32 known = BPF_F_NUMA_NODE | BPF_F_ZERO_SEED | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

	if (attr->value_size > BLOOM_MAX_VALUE)
		return -E2BIG;
	if (attr->key_size || !attr->value_size || !attr->max_entries || (attr->map_flags & ~known) ||
	    !bc_map_access_flags_ok(attr->map_flags) || (attr->map_extra & ~(u64)BLOOM_HASHES))
		return -EINVAL;
	return 0;
}

/* With k hash functions and n values, n * k / ln(2) bits make the fewest false answers; a power of two of them makes masks. */
static u64 bits_for(u64 entries, u32 hashes)
{
	u64 bits = entries * hashes / 5 * 7;

	if (bits > BLOOM_MAX_BITS / 2)
		return BLOOM_MAX_BITS;
	return bits <= BITS_PER_LONG ? BITS_PER_LONG : roundup_pow_of_two(bits);
}

static struct bc_map *bloom_alloc(const union bpf_attr *attr)
{
	struct bc_bloom *bloom = bc_map_new(attr, sizeof(*bloom));
	u64 bits;

	if (!bloom)
		return ERR_PTR(-ENOMEM);
	bloom->hashes = attr->map_extra ? attr->map_extra : BLOOM_DEFAULT_HASHES;
	bits = bits_for(attr->max_entries, bloom->hashes);
	bloom->mask = bits - 1;
	bloom->bytes = bits / 8;
	if (!(attr->map_flags & BPF_F_ZERO_SEED))
		get_random_bytes(&bloom->seed, sizeof(bloom->seed));
	bloom->bits = bc_alloc(&bloom->map.obj, bloom->bytes);
	if (!bloom->bits) {
		bc_map_delete(bloom, sizeof(*bloom));
		return ERR_PTR(-ENOMEM);
	}
	return &bloom->map;
}

static void bloom_free(struct bc_map *map)
{
	struct bc_bloom *bloom = bloom_of(map);

	bc_free(&map->obj, bloom->bits, bloom->bytes);
	bc_map_delete(bloom, sizeof(*bloom));
}

static u32 bit_of(const struct bc_bloom *bloom, const void *value, u32 number)
{
	return jhash(value, bloom->map.desc.value_size, bloom->seed + number) & bloom->mask;
}

/* The kernel's own takes a signed number of 32 bits on 3.10. */
static void set_bit_at(struct bc_bloom *bloom, u32 bit)
{
	set_bit(bit % BITS_PER_LONG, bloom->bits + bit / BITS_PER_LONG);
}

static long bloom_push(struct bc_map *map, const void *value, u64 flags)
{
	struct bc_bloom *bloom = bloom_of(map);
	u32 i;

	if (flags != BPF_ANY)
		return -EINVAL;
	for (i = 0; i < bloom->hashes; i++)
		set_bit_at(bloom, bit_of(bloom, value, i));
	return 0;
}

static long bloom_peek(struct bc_map *map, void *value)
{
	struct bc_bloom *bloom = bloom_of(map);
	u32 i;

	for (i = 0; i < bloom->hashes; i++) {
		u32 bit = bit_of(bloom, value, i);

		if (!test_bit(bit % BITS_PER_LONG, bloom->bits + bit / BITS_PER_LONG))
			return -ENOENT;
	}
	return 0;
}

static int bloom_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	return bloom_peek(map, value);
}

static int bloom_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	return bloom_push(map, value, flags);
}

static int bloom_sys_delete(struct bc_map *map, const void *key)
{
	return -EOPNOTSUPP;
}

static int bloom_next_key(struct bc_map *map, const void *key, void *next)
{
	return -EOPNOTSUPP;
}

const struct bc_map_ops bc_bloom_ops = {
	.alloc_check = alloc_check,
	.alloc = bloom_alloc,
	.free = bloom_free,
	.lookup = bc_map_no_lookup,
	.push = bloom_push,
	.peek = bloom_peek,
	.sys_lookup = bloom_sys_lookup,
	.sys_update = bloom_sys_update,
	.sys_delete = bloom_sys_delete,
	.sys_next_key = bloom_next_key,
};
