/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Inside of the hash maps: hash, per-CPU hash, LRU hash, LRU per-CPU hash. Elements live in chunks and never go back to
 * the allocator before the map does, so whoever still looks at one reads a valid, if recycled, element.
 *
 * Order of locks: a local LRU list, an LRU list, a bucket, a free list. All are taken inside the guard.
 */
#ifndef BPFCOMPAT_HASHTAB_H
#define BPFCOMPAT_HASHTAB_H

#include "maps.h"
#include "hash.h"
#include <linux/list_nulls.h>
#include <linux/rculist_nulls.h>

enum lru_place {
	IN_ACTIVE,
	IN_INACTIVE,
	IN_FREE,
	__LRU_LIST_COUNT,
	IN_LOCAL_FREE = __LRU_LIST_COUNT,
	IN_LOCAL_PENDING,
};

struct lru_node {
	struct list_head list;
	u16 cpu;		/* whose list it is on */
	u8 place;		/* enum lru_place */
	u8 ref;			/* looked up since it was last judged */
};

struct htab_chunk;

struct htab_elem {
	struct hlist_nulls_node node;
	u32 hash;
	u32 index;			/* in its chunk */
	struct htab_chunk *chunk;
	union {
		struct htab_elem *next_free;
		struct lru_node lru;
	};
	u8 key[] __attribute__((aligned(8)));	/* rounded up to 8; then the value, where it is not per CPU */
};

struct htab_chunk {
	struct htab_chunk *next;
	u32 cnt;
	void *elems;
	void *pcpu;		/* per-CPU values */
	size_t pcpu_bytes;
};

struct htab_bucket {
	struct hlist_nulls_head head;
	struct bc_lock lock;
};

/* One per CPU. */
struct htab_free {
	struct bc_lock lock;
	struct htab_elem *first;
	struct htab_elem *extra;	/* takes the place of an element that is replaced in a full map */
};

struct lru_chain {
	struct bc_lock lock;
	struct list_head lists[__LRU_LIST_COUNT];
	u32 counts[2];				/* active, inactive */
	struct list_head *next_rotation;	/* where the scan of the inactive list goes on */
};

/* One per CPU: what this CPU took from the common list, and what it filled and has not given back yet. */
struct lru_local {
	struct bc_lock lock;
	struct list_head free, pending;
	int next_steal;
};

struct bc_htab {
	struct bc_map map;
	struct htab_bucket *buckets;
	u32 bucket_cnt;		/* a power of two */
	struct bc_hash_seed seed;
	u32 elem_size;
	bool percpu;		/* values are */
	bool lru;
	bool prealloc;
	bool of_maps;		/* an element's value is the address of a map, with a reference; to system calls it is 4 bytes */
	void *free_lists;	/* per CPU, struct htab_free; not LRU */
	struct htab_chunk *chunks;

	/* not preallocated */
	atomic_t count;		/* elements in the table */
	atomic_t spare;		/* elements on the free lists */
	u32 total;		/* elements there are; under grow_lock */
	u32 low;		/* spare elements below which more are made */
	struct mutex grow_lock;
	struct irq_work grow_irq;
	struct work_struct grow_work;

	/* LRU */
	void *lru_percpu;	/* struct lru_chain, with BPF_F_NO_COMMON_LRU */
	void *lru_locals;	/* struct lru_local, without */
	struct lru_chain lru_common;
};

static inline struct bc_htab *htab_of(const struct bc_map *map)
{
	return container_of(map, struct bc_htab, map);
}

static inline struct htab_bucket *htab_bucket(struct bc_htab *htab, u32 hash)
{
	return &htab->buckets[hash & (htab->bucket_cnt - 1)];
}

/* The value, of a map whose values are not per CPU. */
static inline void *htab_value(const struct bc_htab *htab, struct htab_elem *e)
{
	return e->key + round_up(htab->map.desc.key_size, 8);
}

static inline void *htab_value_cpu(const struct bc_htab *htab, struct htab_elem *e, int cpu)
{
	return bc_percpu_ptr(e->chunk->pcpu, e->chunk->pcpu_bytes, cpu) + (size_t)bc_pcpu_stride(&htab->map) * e->index;
}

/* Of a map of maps. */
static inline struct bc_map *htab_inner_map(const struct bc_htab *htab, struct htab_elem *e)
{
	return READ_ONCE(*(struct bc_map **)htab_value(htab, e));
}

/* hashtab.c; operations that maps of maps share. */
long htab_update(struct bc_map *map, const void *key, const void *value, u64 flags);
int htab_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags);
int htab_sys_next_key(struct bc_map *map, const void *key, void *next);

/* hashtab.c; inside the guard. Takes the element out of its bucket: false when it is not there (any more). */
bool htab_unlink(struct bc_htab *htab, struct htab_elem *e);
/* Copies out for a system call. */
void htab_copy_out(struct bc_htab *htab, struct htab_elem *e, void *value, u64 flags);
/* Gives back an element that was unlinked by the caller. */
void htab_release(struct bc_htab *htab, struct htab_elem *e);

/* hashtab_pool.c */
void htab_pool_prepare(struct bc_htab *htab);
int htab_pool_init(struct bc_htab *htab);
void htab_pool_free(struct bc_htab *htab);
/* Inside the guard. NULL when there is none. */
struct htab_elem *htab_pool_get(struct bc_htab *htab);
void htab_pool_put(struct bc_htab *htab, struct htab_elem *e);
struct htab_free *htab_pool_this_cpu(struct bc_htab *htab);
/* Makes elements, if few are left; process context, outside the guard. */
void htab_pool_grow(struct bc_htab *htab);

/* lru.c */
int lru_init(struct bc_htab *htab);
void lru_free(struct bc_htab *htab);
void lru_add_chunk(struct bc_htab *htab, struct htab_chunk *chunk);
/* Inside the guard. An element for @hash, evicting others where needed; NULL only when every element is busy elsewhere. */
struct htab_elem *lru_get(struct bc_htab *htab, u32 hash);
void lru_put(struct bc_htab *htab, struct htab_elem *e);

static inline void lru_touch(struct htab_elem *e)
{
	if (!READ_ONCE(e->lru.ref))
		WRITE_ONCE(e->lru.ref, 1);
}

/* hashtab_walk.c */
void *htab_walk(struct bc_map *map, struct bc_map_pos *pos, void *last);
void htab_walk_elem(struct bc_map *map, struct bc_map_pos *pos, void *elem, void *copy, void **key, void **value);

/* hashtab_batch.c */
int htab_lookup_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
int htab_lookup_and_delete_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);

#endif
