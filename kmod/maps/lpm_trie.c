// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tries for the longest prefix that matches (BPF_MAP_TYPE_LPM_TRIE): a key is a length in bits and so many bits of data. A node stands
 * for its prefix, its two children for longer ones that go on with 0 or 1. Nodes where two branches part and nobody put a value are mere
 * forks. Readers take no lock: a node that leaves the trie keeps leading where it led, until no reader can be on it (pool.c).
 */
#include "pool.h"
#include <asm/unaligned.h>
#include <linux/rcupdate.h>

#define LPM_MIN_DATA	1
#define LPM_MAX_DATA	256
#define LPM_MAX_VALUE	((4U << 20) - LPM_MAX_DATA - 40)	/* Linux: what a node of its own can hold */
/* Nodes beside the wanted ones that wait for their readers. */
#define LPM_SPARE	8192

struct lpm_node {
	struct bc_pooled pooled;
	struct lpm_node *child[2];
	u32 len;		/* bits of the prefix */
	bool valued;		/* it came from the stock of those with a value, */
	bool fork;		/* which it has not, or not any more */
	u8 data[] __attribute__((aligned(8)));	/* rounded up to 8; then the value */
};

struct bc_lpm {
	struct bc_map map;
	struct lpm_node *root;
	struct bc_lock lock;	/* writers'; the stocks' locks are taken inside it */
	u32 cnt;		/* keys */
	u32 data_size, max_len;
	struct bc_pool nodes, forks;
};

static struct bc_lpm *lpm_of(const struct bc_map *map)
{
	return container_of(map, struct bc_lpm, map);
}

static int alloc_check(const union bpf_attr *attr)
{
	u32 known = BPF_F_NO_PREALLOC | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
	u32 data_size = attr->key_size - sizeof(u32);

	if (!bc_capable())
		return -EPERM;
	if (!attr->max_entries || !(attr->map_flags & BPF_F_NO_PREALLOC) || (attr->map_flags & ~known) ||
	    !bc_map_access_flags_ok(attr->map_flags))
		return -EINVAL;
	if (attr->key_size < sizeof(u32) + LPM_MIN_DATA || data_size > LPM_MAX_DATA)
		return -EINVAL;
	return attr->value_size && attr->value_size <= LPM_MAX_VALUE ? 0 : -EINVAL;
}

static void lpm_free(struct bc_map *map)
{
	struct bc_lpm *lpm = lpm_of(map);

	bc_pool_free(&lpm->nodes);
	bc_pool_free(&lpm->forks);
	bc_map_delete(lpm, sizeof(*lpm));
}

static struct bc_map *lpm_alloc(const union bpf_attr *attr)
{
	struct bc_lpm *lpm = bc_map_new(attr, sizeof(*lpm));
	u32 most, first;
	size_t size;
	int err;

	if (!lpm)
		return ERR_PTR(-ENOMEM);
	bc_lock_init(&lpm->lock);
	lpm->data_size = attr->key_size - sizeof(u32);
	lpm->max_len = lpm->data_size * 8;
	size = sizeof(struct lpm_node) + round_up(lpm->data_size, 8);
	/* Nodes that were deleted stay where two ways part: nearly as many as there are others. Saturates. */
	most = min_t(u64, 2 * (u64)attr->max_entries + LPM_SPARE, UINT_MAX);
	first = min_t(u32, attr->max_entries, LPM_SPARE) + 32 * num_possible_cpus();
	bc_pool_prepare(&lpm->nodes, &lpm->map.obj, size + round_up(attr->value_size, 8), most);
	bc_pool_prepare(&lpm->forks, &lpm->map.obj, size, most);
	err = bc_pool_fill(&lpm->nodes, first);
	if (!err)
		err = bc_pool_fill(&lpm->forks, first);
	if (!err)
		return &lpm->map;
	lpm_free(&lpm->map);
	return ERR_PTR(err);
}

/* ---- bits ---- */

static u32 key_len(const void *key)
{
	return READ_ONCE(*(const u32 *)key);	/* it may lie in a map, and change between two looks */
}

static const u8 *key_data(const void *key)
{
	return key + sizeof(u32);
}

static u32 bit_of(const u8 *data, u32 n)
{
	return data[n / 8] >> (7 - n % 8) & 1;
}

static void *value_of(const struct bc_lpm *lpm, struct lpm_node *node)
{
	return node->data + round_up(lpm->data_size, 8);
}

/* Bits that node and key begin with alike, neither being longer. */
static u32 common_len(const struct bc_lpm *lpm, const struct lpm_node *node, u32 len, const u8 *data)
{
	u32 limit = min(node->len, len), i = 0, differ;

	for (; i + 4 <= lpm->data_size && i * 8 < limit; i += 4) {
		differ = get_unaligned_be32(node->data + i) ^ get_unaligned_be32(data + i);
		if (differ)
			return min_t(u32, limit, i * 8 + 32 - fls(differ));
	}
	for (; i < lpm->data_size && i * 8 < limit; i++) {
		differ = node->data[i] ^ data[i];
		if (differ)
			return min_t(u32, limit, i * 8 + 8 - fls(differ));
	}
	return limit;
}

/* ---- finding ---- */

static void *lpm_lookup(struct bc_map *map, const void *key)
{
	struct bc_lpm *lpm = lpm_of(map);
	struct lpm_node *node, *found = NULL;
	const u8 *data = key_data(key);
	u32 len = key_len(key), common;

	if (len > lpm->max_len)
		return NULL;
	for (node = rcu_dereference_raw(lpm->root); node; node = rcu_dereference_raw(node->child[bit_of(data, common)])) {
		common = common_len(lpm, node, len, data);
		if (common < node->len)
			break;
		if (!READ_ONCE(node->fork))
			found = node;
		if (common == lpm->max_len)
			break;
	}
	return found ? value_of(lpm, found) : NULL;
}

/* Where the way to a key ends: the pointer to the node that bears it, to one that it parts from, or to none. */
struct lpm_place {
	struct lpm_node **at, **above;	/* the pointer to the node that holds @at; NULL at the root */
	u32 common;			/* bits of the key that the node at @at has */
};

static void find_place(struct bc_lpm *lpm, u32 len, const u8 *data, struct lpm_place *place)
{
	struct lpm_node *node;

	place->at = &lpm->root;
	place->above = NULL;
	place->common = 0;
	while ((node = *place->at)) {
		place->common = common_len(lpm, node, len, data);
		if (place->common < node->len || node->len == len)
			return;
		place->above = place->at;
		place->at = &node->child[bit_of(data, node->len)];
	}
}

static bool bears(const struct lpm_place *place, u32 len)
{
	const struct lpm_node *node = *place->at;

	return node && node->len == len && place->common == len;
}

/* ---- changing; with the lock held ---- */

static void retire(struct bc_lpm *lpm, struct lpm_node *node)
{
	bc_pool_retire(node->valued ? &lpm->nodes : &lpm->forks, node);
}

static int check_flags(const struct bc_lpm *lpm, bool there, u64 flags)
{
	if (there)
		return flags == BPF_NOEXIST ? -EEXIST : 0;
	if (flags == BPF_EXIST)
		return -ENOENT;
	return lpm->cnt == lpm->map.desc.max_entries ? -ENOSPC : 0;
}

/* A fork at which @a and @b part. */
static struct lpm_node *new_fork(struct bc_lpm *lpm, struct lpm_node *a, struct lpm_node *b, u32 len)
{
	struct lpm_node *fork = bc_pool_get(&lpm->forks);
	u32 bit = bit_of(a->data, len);

	if (!fork)
		return NULL;
	fork->valued = false;
	fork->fork = true;
	fork->len = len;
	memcpy(fork->data, a->data, lpm->data_size);
	fork->child[bit] = a;
	fork->child[!bit] = b;
	return fork;
}

static int insert(struct bc_lpm *lpm, struct lpm_node *new, u64 flags)
{
	struct lpm_place place;
	struct lpm_node *old, *top = new;
	bool there, same;
	int err;

	find_place(lpm, new->len, new->data, &place);
	old = *place.at;
	same = bears(&place, new->len);
	there = same && !old->fork;
	err = check_flags(lpm, there, flags);
	if (err)
		return err;
	new->child[0] = new->child[1] = NULL;
	if (same) {
		new->child[0] = old->child[0];
		new->child[1] = old->child[1];
	} else if (old && place.common == new->len) {
		new->child[bit_of(old->data, new->len)] = old;
	} else if (old) {
		top = new_fork(lpm, old, new, place.common);
		if (!top)
			return -ENOMEM;
	}
	rcu_assign_pointer(*place.at, top);
	if (same)
		retire(lpm, old);
	lpm->cnt += !there;
	return 0;
}

static long lpm_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_lpm *lpm = lpm_of(map);
	struct lpm_node *node;
	u32 len = key_len(key);
	unsigned long irq;
	int err;

	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	if (len > lpm->max_len)
		return -EINVAL;
	node = bc_pool_get(&lpm->nodes);
	if (!node)
		return -ENOMEM;
	node->valued = true;
	node->fork = false;
	node->len = len;
	memcpy(node->data, key_data(key), lpm->data_size);
	bc_map_copy_value(map, value_of(lpm, node), value);
	irq = bc_lock_irqsave(&lpm->lock);
	err = insert(lpm, node, flags);
	bc_unlock_irqrestore(&lpm->lock, irq);
	if (err)
		bc_pool_put(&lpm->nodes, node);
	return err;
}

static int take_out(struct bc_lpm *lpm, u32 len, const u8 *data)
{
	struct lpm_node *node, *above;
	struct lpm_place place;

	find_place(lpm, len, data, &place);
	if (!bears(&place, len) || (*place.at)->fork)
		return -ENOENT;
	node = *place.at;
	lpm->cnt--;
	if (node->child[0] && node->child[1]) {
		WRITE_ONCE(node->fork, true);
		return 0;
	}
	above = place.above ? *place.above : NULL;
	if (above && above->fork && !node->child[0] && !node->child[1]) {
		/* nothing parts there any more */
		rcu_assign_pointer(*place.above, above->child[place.at == &above->child[0]]);
		retire(lpm, above);
	} else {
		rcu_assign_pointer(*place.at, node->child[0] ? node->child[0] : node->child[1]);
	}
	retire(lpm, node);
	return 0;
}

static long lpm_delete(struct bc_map *map, const void *key)
{
	struct bc_lpm *lpm = lpm_of(map);
	u32 len = key_len(key);
	unsigned long irq;
	int err;

	if (len > lpm->max_len)
		return -EINVAL;
	irq = bc_lock_irqsave(&lpm->lock);
	err = take_out(lpm, len, key_data(key));
	bc_unlock_irqrestore(&lpm->lock, irq);
	return err;
}

/* ---- system calls ---- */

static int lpm_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_lpm *lpm = lpm_of(map);
	int tries = 0;
	long err;

	do {
		bc_pool_ready(&lpm->nodes);
		bc_pool_ready(&lpm->forks);
		bc_syscall_enter();
		err = lpm_update(map, key, value, flags);
		bc_syscall_exit();
		/* programs may have emptied the stocks in between */
	} while (err == -ENOMEM && ++tries < 10);
	return err;
}

/* The first below @node, and with it, of an order in which longer prefixes come before those that they begin with. */
static struct lpm_node *first_of(struct lpm_node *node)
{
	struct lpm_node *down;

	for (;;) {
		down = rcu_dereference_raw(node->child[0]);
		if (!down)
			down = rcu_dereference_raw(node->child[1]);
		if (!down)
			return node;
		node = down;
	}
}

/* The one behind the key in that order, NULL past the last; of a key that is not there, the first. */
static struct lpm_node *next_of(struct bc_lpm *lpm, struct lpm_node *root, u32 len, const u8 *data)
{
	struct lpm_node *node = root, *next = NULL, *other;
	u32 common;

	while (node) {
		common = common_len(lpm, node, len, data);
		if (common < node->len)
			break;
		if (node->len == len)
			return READ_ONCE(node->fork) ? first_of(root) : next;
		/* What follows all that is below the child on the key's way; deeper nodes have nearer ones. */
		other = bit_of(data, common) ? NULL : rcu_dereference_raw(node->child[1]);
		if (other)
			next = first_of(other);
		else if (!READ_ONCE(node->fork))
			next = node;
		node = rcu_dereference_raw(node->child[bit_of(data, common)]);
	}
	return first_of(root);
}

static int lpm_sys_next_key(struct bc_map *map, const void *key, void *next)
{
	struct bc_lpm *lpm = lpm_of(map);
	struct lpm_node *root, *node = NULL;

	bc_syscall_enter();
	root = rcu_dereference_raw(lpm->root);
	if (root)
		node = key && key_len(key) <= lpm->max_len ? next_of(lpm, root, key_len(key), key_data(key)) : first_of(root);
	if (node) {
		put_unaligned(node->len, (u32 *)next);
		memcpy(next + sizeof(u32), node->data, lpm->data_size);
	}
	bc_syscall_exit();
	return node ? 0 : -ENOENT;
}

const struct bc_map_ops bc_lpm_ops = {
	.alloc_check = alloc_check,
	.alloc = lpm_alloc,
	.free = lpm_free,
	.lookup = lpm_lookup,
	.update = lpm_update,
	.delete = lpm_delete,
	.sys_update = lpm_sys_update,
	.sys_next_key = lpm_sys_next_key,
	.lookup_batch = bc_generic_lookup_batch,
	.update_batch = bc_generic_update_batch,
	.delete_batch = bc_generic_delete_batch,
};
