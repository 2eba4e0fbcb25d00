// SPDX-License-Identifier: GPL-2.0-only
/*
 * Hash maps: buckets with a lock each, look-ups without one. A look-up that strays into another bucket, because the element it stood on
 * was recycled, notices by the list's end marker (hlist_nulls, Linux Documentation/RCU/rculist_nulls.rst) and starts again.
 */
#include "hashtab.h"
#include <linux/log2.h>

/* Linux's bounds of what it accepts: KMALLOC_MAX_SIZE less its own element, and the buckets that 32 bits of bytes can hold. */
#define HTAB_MAX_KEY_VALUE	((4U << 20) - 48)
#define HTAB_MAX_BUCKETS	(U32_MAX / 16)

static int alloc_check(const union bpf_attr *attr)
{
	bool lru = attr->map_type == BPF_MAP_TYPE_LRU_HASH || attr->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	bool percpu = attr->map_type == BPF_MAP_TYPE_PERCPU_HASH || attr->map_type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	u32 known = BPF_F_NO_PREALLOC | BPF_F_NO_COMMON_LRU | BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG |
		    BPF_F_WRONLY_PROG | BPF_F_ZERO_SEED;
	u32 flags = attr->map_flags;

	if (lru && !bc_capable())
		return -EPERM;
	if ((flags & BPF_F_ZERO_SEED) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if ((flags & ~known) || !bc_map_access_flags_ok(flags))
		return -EINVAL;
	if (!lru && (flags & BPF_F_NO_COMMON_LRU))
		return -EINVAL;
	if (lru && (flags & BPF_F_NO_PREALLOC))
		return -ENOTSUPP;
	if (bc_map_attr_node(attr) != NUMA_NO_NODE && (percpu || (flags & BPF_F_NO_COMMON_LRU)))
		return -EINVAL;
	if (!attr->max_entries || !attr->key_size || !attr->value_size)
		return -EINVAL;
	if ((u64)attr->key_size + attr->value_size >= HTAB_MAX_KEY_VALUE)
		return -E2BIG;
	if (percpu && round_up(attr->value_size, 8) > BC_PCPU_MAX_VALUE)
		return -E2BIG;
	return 0;
}

/* The maps that a map of maps still holds. */
static void drop_maps(struct bc_htab *htab)
{
	struct hlist_nulls_node *n;
	struct htab_elem *e;
	u32 i;

	for (i = 0; i < htab->bucket_cnt; i++) {
		hlist_nulls_for_each_entry(e, n, &htab->buckets[i].head, node)
			bc_map_put(htab_inner_map(htab, e));
		cond_resched();
	}
}

static void htab_free(struct bc_map *map)
{
	struct bc_htab *htab = htab_of(map);

	if (htab->of_maps && htab->buckets)
		drop_maps(htab);
	htab_pool_free(htab);
	lru_free(htab);
	bc_free(&map->obj, htab->buckets, (size_t)htab->bucket_cnt * sizeof(*htab->buckets));
	bc_map_delete(htab, sizeof(*htab));
}

static struct bc_map *htab_alloc(const union bpf_attr *attr)
{
	struct bc_htab *htab = bc_map_new(attr, sizeof(*htab));
	struct bc_map_desc *desc;
	u32 i, cpus = num_possible_cpus();
	int err = -E2BIG;

	if (!htab)
		return ERR_PTR(-ENOMEM);
	htab_pool_prepare(htab);
	desc = &htab->map.desc;
	htab->lru = desc->type == BPF_MAP_TYPE_LRU_HASH || desc->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	htab->percpu = desc->type == BPF_MAP_TYPE_PERCPU_HASH || desc->type == BPF_MAP_TYPE_LRU_PERCPU_HASH;
	htab->prealloc = !(desc->flags & BPF_F_NO_PREALLOC);
	htab->of_maps = desc->type == BPF_MAP_TYPE_HASH_OF_MAPS;
	if (desc->flags & BPF_F_NO_COMMON_LRU) {
		/* the same number for every CPU's list */
		u32 rounded = roundup(desc->max_entries, cpus);

		desc->max_entries = rounded < desc->max_entries ? rounddown(desc->max_entries, cpus) : rounded;
	}
	htab->elem_size = sizeof(struct htab_elem) + round_up(desc->key_size, 8);
	if (!htab->percpu)
		htab->elem_size += round_up(desc->value_size, 8);
	if (desc->max_entries > 1U << 31)
		goto fail;
	htab->bucket_cnt = roundup_pow_of_two(desc->max_entries);
	if (htab->bucket_cnt > HTAB_MAX_BUCKETS) {
		htab->bucket_cnt = 0;
		goto fail;
	}
	err = -ENOMEM;
	htab->buckets = bc_alloc(&htab->map.obj, (size_t)htab->bucket_cnt * sizeof(*htab->buckets));
	if (!htab->buckets)
		goto fail;
	for (i = 0; i < htab->bucket_cnt; i++) {
		INIT_HLIST_NULLS_HEAD(&htab->buckets[i].head, i);
		bc_lock_init(&htab->buckets[i].lock);
		if (!(i % 4096))
			cond_resched();
	}
	bc_hash_seed_init(&htab->seed, !(desc->flags & BPF_F_ZERO_SEED));
	if (htab->lru) {
		err = lru_init(htab);
		if (err)
			goto fail;
	}
	err = htab_pool_init(htab);
	if (err)
		goto fail;
	return &htab->map;
fail:
	htab_free(&htab->map);
	return ERR_PTR(err);
}

/* ---- finding ---- */

static u32 hash_key(const struct bc_htab *htab, const void *key)
{
	return bc_hash(key, htab->map.desc.key_size, &htab->seed);
}

/* With the bucket locked. */
static struct htab_elem *find_locked(struct htab_bucket *b, u32 hash, const void *key, u32 key_size)
{
	struct hlist_nulls_node *n;
	struct htab_elem *e;

	hlist_nulls_for_each_entry_rcu(e, n, &b->head, node)
		if (e->hash == hash && bc_same_key(e->key, key, key_size))
			return e;
	return NULL;
}

/* Without a lock. */
static __always_inline struct htab_elem *find_sized(struct bc_htab *htab, u32 hash, const void *key, u32 key_size)
{
	u32 bucket = hash & (htab->bucket_cnt - 1);
	struct hlist_nulls_node *n;
	struct htab_elem *e;

again:
	hlist_nulls_for_each_entry_rcu(e, n, &htab->buckets[bucket].head, node)
		if (e->hash == hash && bc_same_key(e->key, key, key_size))
			return e;
	if (unlikely(get_nulls_value(n) != bucket))
		goto again;
	return NULL;
}

static struct htab_elem *find(struct bc_htab *htab, u32 hash, const void *key)
{
	return find_sized(htab, hash, key, htab->map.desc.key_size);
}

static __always_inline struct htab_elem *lookup_sized(struct bc_map *map, const void *key, u32 key_size)
{
	struct bc_htab *htab = htab_of(map);

	return find_sized(htab, bc_hash(key, key_size, &htab->seed), key, key_size);
}

static struct htab_elem *lookup_elem(struct bc_map *map, const void *key)
{
	return lookup_sized(map, key, map->desc.key_size);
}

static void *htab_lookup(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_elem(map, key);

	return e ? htab_value(htab_of(map), e) : NULL;
}

/* The same for the commonest sizes of keys. */
static void *htab_lookup_4(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_sized(map, key, 4);

	return e ? e->key + 8 : NULL;
}

static void *htab_lookup_8(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_sized(map, key, 8);

	return e ? e->key + 8 : NULL;
}

static bc_lookup_fn htab_lookup_of(const struct bc_map *map)
{
	return map->desc.key_size == 4 ? htab_lookup_4 : map->desc.key_size == 8 ? htab_lookup_8 : htab_lookup;
}

static void *htab_percpu_lookup(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_elem(map, key);

	return e ? htab_value_cpu(htab_of(map), e, raw_smp_processor_id()) : NULL;
}

static void *htab_lru_lookup(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_elem(map, key);

	if (!e)
		return NULL;
	lru_touch(e);
	return htab_value(htab_of(map), e);
}

static void *htab_lru_percpu_lookup(struct bc_map *map, const void *key)
{
	struct htab_elem *e = lookup_elem(map, key);

	if (!e)
		return NULL;
	lru_touch(e);
	return htab_value_cpu(htab_of(map), e, raw_smp_processor_id());
}

static void *htab_lookup_percpu(struct bc_map *map, const void *key, u32 cpu)
{
	struct htab_elem *e;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return NULL;
	e = lookup_elem(map, key);
	if (!e)
		return NULL;
	if (htab_of(map)->lru)
		lru_touch(e);
	return htab_value_cpu(htab_of(map), e, cpu);
}

/* ---- changing ---- */

static int check_flags(const struct htab_elem *old, u64 flags)
{
	flags &= ~(u64)BPF_F_LOCK;
	if (old && flags == BPF_NOEXIST)
		return -EEXIST;
	if (!old && flags == BPF_EXIST)
		return -ENOENT;
	return 0;
}

/* The element is out of the table. */
static void drop_fields(struct bc_htab *htab, struct htab_elem *e)
{
	if (!htab->percpu)
		bc_map_drop_fields(&htab->map, htab_value(htab, e));
}

bool htab_unlink(struct bc_htab *htab, struct htab_elem *e)
{
	struct htab_bucket *b = htab_bucket(htab, e->hash);
	struct hlist_nulls_node *n;
	struct htab_elem *at;
	unsigned long flags;
	bool found = false;

	flags = bc_lock_irqsave(&b->lock);
	hlist_nulls_for_each_entry_rcu(at, n, &b->head, node) {
		if (at == e) {
			hlist_nulls_del_rcu(&e->node);
			found = true;
			break;
		}
	}
	bc_unlock_irqrestore(&b->lock, flags);
	if (found)
		drop_fields(htab, e);
	return found;
}

void htab_release(struct bc_htab *htab, struct htab_elem *e)
{
	if (htab->of_maps)
		bc_map_put(htab_inner_map(htab, e));
	drop_fields(htab, e);
	if (htab->lru) {
		lru_put(htab, e);
		return;
	}
	if (!htab->prealloc)
		atomic_dec(&htab->count);
	htab_pool_put(htab, e);
}

/* With the bucket locked. An element to stand for @old (NULL: for a new key), or ERR_PTR. */
static struct htab_elem *get_elem(struct bc_htab *htab, struct htab_elem *old)
{
	struct htab_elem *e;

	if (htab->prealloc) {
		if (old) {
			struct htab_free *free = htab_pool_this_cpu(htab);

			e = free->extra;
			free->extra = old;
			return e;
		}
		e = htab_pool_get(htab);
		return e ? e : ERR_PTR(-E2BIG);
	}
	if (!old && atomic_inc_return(&htab->count) > (int)htab->map.desc.max_entries) {
		atomic_dec(&htab->count);
		return ERR_PTR(-E2BIG);
	}
	e = htab_pool_get(htab);
	if (!e) {
		if (!old)
			atomic_dec(&htab->count);
		return ERR_PTR(-ENOMEM);
	}
	return e;
}

static void fill(struct bc_htab *htab, struct htab_elem *e, u32 hash, const void *key, const void *value)
{
	void *p = htab_value(htab, e);

	e->hash = hash;
	memcpy(e->key, key, htab->map.desc.key_size);
	if (htab->of_maps) {
		WRITE_ONCE(*(void **)p, *(void *const *)value);
		return;
	}
	/* a program that still saw the element it was may have begun a timer since, or put an object there */
	bc_map_drop_fields(&htab->map, p);
	/* The value's lock stays as it is: who found this element before may hold it. All elements start zeroed. */
	bc_map_copy_value(&htab->map, p, value);
}

long htab_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_htab *htab = htab_of(map);
	struct htab_elem *old, *new;
	struct bc_map *replaced = NULL;
	struct htab_bucket *b;
	unsigned long irq;
	long err;
	u32 hash;

	if (unlikely((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST))
		return -EINVAL;
	hash = hash_key(htab, key);
	b = htab_bucket(htab, hash);
	if (unlikely((flags & BPF_F_LOCK) && !bc_map_has_lock(map)))
		return -EINVAL;

	irq = bc_lock_irqsave(&b->lock);
	old = find_locked(b, hash, key, map->desc.key_size);
	err = check_flags(old, flags);
	if (err)
		goto unlock;
	if (unlikely(old && (flags & BPF_F_LOCK))) {
		/* Whoever holds the value's lock is a program on another CPU, and may call no helper meanwhile. */
		bc_map_copy_value_locked(map, htab_value(htab, old), value, false);
		goto unlock;
	}
	new = get_elem(htab, old);
	if (IS_ERR(new)) {
		err = PTR_ERR(new);
		goto unlock;
	}
	if (old && htab->of_maps)
		replaced = htab_inner_map(htab, old);
	fill(htab, new, hash, key, value);
	/* A reader finds the new one first, or still the old one. */
	hlist_nulls_add_head_rcu(&new->node, &b->head);
	if (old)
		hlist_nulls_del_rcu(&old->node);
	bc_unlock_irqrestore(&b->lock, irq);
	if (old)
		drop_fields(htab, old);
	if (old && !htab->prealloc)
		htab_pool_put(htab, old);
	if (replaced)
		bc_map_put(replaced);
	return 0;
unlock:
	bc_unlock_irqrestore(&b->lock, irq);
	return err;
}

/* On the other CPUs a new element starts from zero; @all: the value is of all CPUs (from a system call). */
static void fill_percpu(struct bc_htab *htab, struct htab_elem *e, const void *value, bool all, bool fresh)
{
	u32 stride = bc_pcpu_stride(&htab->map);
	int cpu, n = 0;

	if (!all && !fresh) {
		memcpy(htab_value_cpu(htab, e, raw_smp_processor_id()), value, htab->map.desc.value_size);
		return;
	}
	for_each_possible_cpu(cpu) {
		void *p = htab_value_cpu(htab, e, cpu);

		if (all)
			bc_copy_words(p, value + (size_t)stride * n++, stride);
		else if (cpu == raw_smp_processor_id())
			memcpy(p, value, htab->map.desc.value_size);
		else
			memset(p, 0, stride);
	}
}

static long percpu_update(struct bc_map *map, const void *key, const void *value, u64 flags, bool all)
{
	struct bc_htab *htab = htab_of(map);
	struct htab_elem *old, *new = NULL;
	struct htab_bucket *b;
	unsigned long irq;
	long err;
	u32 hash;

	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	hash = hash_key(htab, key);
	b = htab_bucket(htab, hash);
	if (htab->lru && flags != BPF_EXIST) {
		/* before the bucket is locked: eviction locks others */
		new = lru_get(htab, hash);
		if (!new)
			return -ENOMEM;
	}
	irq = bc_lock_irqsave(&b->lock);
	old = find_locked(b, hash, key, map->desc.key_size);
	err = check_flags(old, flags);
	if (err)
		goto unlock;
	if (old) {
		if (htab->lru)
			lru_touch(old);
		fill_percpu(htab, old, value, all, false);
	} else {
		if (!new)
			new = get_elem(htab, NULL);
		if (IS_ERR(new)) {
			err = PTR_ERR(new);
			new = NULL;
			goto unlock;
		}
		new->hash = hash;
		memcpy(new->key, key, map->desc.key_size);
		fill_percpu(htab, new, value, all, true);
		hlist_nulls_add_head_rcu(&new->node, &b->head);
		new = NULL;
	}
unlock:
	bc_unlock_irqrestore(&b->lock, irq);
	if (new)
		lru_put(htab, new);
	return err;
}

static long htab_percpu_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	return percpu_update(map, key, value, flags, false);
}

static long htab_lru_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_htab *htab = htab_of(map);
	struct htab_elem *old, *new;
	struct htab_bucket *b;
	unsigned long irq;
	long err;
	u32 hash;

	if (unlikely(flags > BPF_EXIST))
		return -EINVAL;
	hash = hash_key(htab, key);
	b = htab_bucket(htab, hash);
	new = lru_get(htab, hash);
	if (!new)
		return -ENOMEM;
	fill(htab, new, hash, key, value);

	irq = bc_lock_irqsave(&b->lock);
	old = find_locked(b, hash, key, map->desc.key_size);
	err = check_flags(old, flags);
	if (!err) {
		hlist_nulls_add_head_rcu(&new->node, &b->head);
		if (old) {
			lru_touch(new);
			hlist_nulls_del_rcu(&old->node);
		}
	}
	bc_unlock_irqrestore(&b->lock, irq);
	if (err) {
		lru_put(htab, new);
	} else if (old) {
		drop_fields(htab, old);
		lru_put(htab, old);
	}
	return err;
}

static struct htab_elem *unlink_key(struct bc_htab *htab, const void *key, void *value, u64 flags)
{
	u32 hash = hash_key(htab, key);
	struct htab_bucket *b = htab_bucket(htab, hash);
	struct htab_elem *e;
	unsigned long irq;

	irq = bc_lock_irqsave(&b->lock);
	e = find_locked(b, hash, key, htab->map.desc.key_size);
	if (e) {
		if (value)
			htab_copy_out(htab, e, value, flags);
		hlist_nulls_del_rcu(&e->node);
	}
	bc_unlock_irqrestore(&b->lock, irq);
	return e;
}

static long htab_delete(struct bc_map *map, const void *key)
{
	struct htab_elem *e = unlink_key(htab_of(map), key, NULL, 0);

	if (!e)
		return -ENOENT;
	htab_release(htab_of(map), e);
	return 0;
}

static long htab_for_each(struct bc_map *map, bc_callback cb, u64 ctx, u64 flags)
{
	struct bc_htab *htab = htab_of(map);
	struct hlist_nulls_node *n;
	struct htab_elem *e;
	long cnt = 0;
	u32 i;

	if (flags)
		return -EINVAL;
	for (i = 0; i < htab->bucket_cnt; i++) {
		hlist_nulls_for_each_entry_rcu(e, n, &htab->buckets[i].head, node) {
			void *value = htab->percpu ? htab_value_cpu(htab, e, raw_smp_processor_id()) : htab_value(htab, e);

			cnt++;
			if (bc_callback_call(cb, (u64)(unsigned long)map, (u64)(unsigned long)e->key, (u64)(unsigned long)value, ctx, 0))
				return cnt;
			/* A callback that deletes and inserts can put elements where the walk comes by again, for ever. */
			if (unlikely(cnt >= 2LL * map->desc.max_entries + num_possible_cpus()))
				return cnt;
		}
	}
	return cnt;
}

/* ---- system calls ---- */

void htab_copy_out(struct bc_htab *htab, struct htab_elem *e, void *value, u64 flags)
{
	u32 stride = bc_pcpu_stride(&htab->map);
	int cpu, n = 0;

	if (htab->percpu) {
		for_each_possible_cpu(cpu)
			bc_copy_words(value + (size_t)stride * n++, htab_value_cpu(htab, e, cpu), stride);
		return;
	}
	if (htab->of_maps) {
		*(u32 *)value = htab_inner_map(htab, e)->desc.id;
		return;
	}
	if (flags & BPF_F_LOCK)
		bc_map_copy_value_locked(&htab->map, value, htab_value(htab, e), true);
	else
		bc_map_copy_value(&htab->map, value, htab_value(htab, e));
	bc_map_init_value(&htab->map, value);
}

int htab_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct htab_elem *e;

	bc_syscall_enter();
	e = lookup_elem(map, key);	/* not a use, for LRU */
	if (e)
		htab_copy_out(htab_of(map), e, value, flags);
	bc_syscall_exit();
	return e ? 0 : -ENOENT;
}

static int htab_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_htab *htab = htab_of(map);
	int tries = 0;
	long err;

	do {
		htab_pool_grow(htab);
		bc_syscall_enter();
		err = htab->percpu ? percpu_update(map, key, value, flags, true) : map->ops->update(map, key, value, flags);
		bc_syscall_exit();
		/* programs may have emptied the free lists in between */
	} while (err == -ENOMEM && !htab->prealloc && ++tries < 10);
	return err;
}

static int htab_sys_lookup_and_delete(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct htab_elem *e;

	bc_syscall_enter();
	e = unlink_key(htab_of(map), key, value, flags);
	if (e)
		htab_release(htab_of(map), e);
	bc_syscall_exit();
	return e ? 0 : -ENOENT;
}

static int first_key_from(struct bc_htab *htab, u32 bucket, void *next)
{
	struct hlist_nulls_node *n;
	bool found = false;

	for (; bucket < htab->bucket_cnt && !found; bucket++) {
		if (!(bucket % 4096))
			cond_resched();
		n = READ_ONCE(htab->buckets[bucket].head.first);
		if (is_a_nulls(n))
			continue;
		bc_syscall_enter();
		n = READ_ONCE(htab->buckets[bucket].head.first);
		if (!is_a_nulls(n)) {
			memcpy(next, hlist_nulls_entry(n, struct htab_elem, node)->key, htab->map.desc.key_size);
			found = true;
		}
		bc_syscall_exit();
	}
	return found ? 0 : -ENOENT;
}

int htab_sys_next_key(struct bc_map *map, const void *key, void *next)
{
	struct bc_htab *htab = htab_of(map);
	struct hlist_nulls_node *n = NULL;
	struct htab_elem *e;
	u32 hash;

	if (!key)
		return first_key_from(htab, 0, next);
	hash = hash_key(htab, key);
	bc_syscall_enter();
	e = find(htab, hash, key);
	if (e) {
		n = READ_ONCE(e->node.next);
		if (!is_a_nulls(n))
			memcpy(next, hlist_nulls_entry(n, struct htab_elem, node)->key, map->desc.key_size);
	}
	bc_syscall_exit();
	if (!e)		/* deleted meanwhile: start again */
		return first_key_from(htab, 0, next);
	if (!is_a_nulls(n))
		return 0;
	return first_key_from(htab, (hash & (htab->bucket_cnt - 1)) + 1, next);
}

#define HTAB_COMMON_OPS \
	.alloc_check = alloc_check, \
	.alloc = htab_alloc, \
	.free = htab_free, \
	.delete = htab_delete, \
	.for_each = htab_for_each, \
	.walk = htab_walk, \
	.walk_elem = htab_walk_elem, \
	.sys_lookup = htab_sys_lookup, \
	.sys_update = htab_sys_update, \
	.sys_lookup_and_delete = htab_sys_lookup_and_delete, \
	.sys_next_key = htab_sys_next_key, \
	.lookup_batch = htab_lookup_batch, \
	.lookup_and_delete_batch = htab_lookup_and_delete_batch, \
	.update_batch = bc_generic_update_batch, \
	.delete_batch = bc_generic_delete_batch

const struct bc_map_ops bc_htab_ops = {
	HTAB_COMMON_OPS,
	.lookup = htab_lookup,
	.lookup_of = htab_lookup_of,
	.update = htab_update,
};

const struct bc_map_ops bc_htab_lru_ops = {
	HTAB_COMMON_OPS,
	.lookup = htab_lru_lookup,
	.update = htab_lru_update,
};

const struct bc_map_ops bc_htab_percpu_ops = {
	HTAB_COMMON_OPS,
	.lookup = htab_percpu_lookup,
	.update = htab_percpu_update,
	.lookup_percpu = htab_lookup_percpu,
	.sys_value_size = bc_pcpu_sys_value_size,
};

const struct bc_map_ops bc_htab_lru_percpu_ops = {
	HTAB_COMMON_OPS,
	.lookup = htab_lru_percpu_lookup,
	.update = htab_percpu_update,
	.lookup_percpu = htab_lookup_percpu,
	.sys_value_size = bc_pcpu_sys_value_size,
};
