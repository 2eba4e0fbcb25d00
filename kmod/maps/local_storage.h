/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Storage of objects (tasks, sockets, inodes): maps whose keys are the kernel's own objects. Elements of all maps for one kind of objects
 * are in one table, by the object's address, so that an object that goes is looked for once.
 */
#ifndef BPFCOMPAT_LOCAL_STORAGE_H
#define BPFCOMPAT_LOCAL_STORAGE_H

#include "maps.h"
#include "../compat/object_life.h"
#include <linux/llist.h>

struct bc_storage_map;

struct bc_storage_elem {
	struct bc_storage_elem *next;	/* in its bucket; who still looks at one that was taken out goes on by it */
	struct bc_storage_map *smap;
	const void *owner;
	u32 epoch;			/* compat_life_epoch() when it was put there */
	union {
		struct llist_node dead;
		struct bc_storage_elem *next_free;
	};
	u64 value[];
};

/* ---- storage_pool.c: where a map's elements come from, in any context, and where they rest till nobody looks at them any more ---- */

struct bc_storage_chunk;

struct bc_storage_pool {
	struct bc_object *obj;		/* that memory is charged to */
	u32 elem_size;
	struct bc_lock lock;
	struct bc_storage_elem *free;	/* under the lock, as is their number */
	u32 spare;
	u32 low;			/* spare elements below which more are made */
	u32 total;			/* under grow_lock */
	struct bc_storage_chunk *chunks;
	struct mutex grow_lock;
	struct irq_work irq;
	struct work_struct grow_work;
	struct llist_head dead;		/* were in the table */
	struct llist_node *waiting;	/* of these, those that a grace period is running for */
	atomic_t state;
	atomic_t holds;
	struct rcu_head rcu;
};

/* Process context. 0 or -ENOMEM. */
int bc_storage_pool_init(struct bc_storage_pool *pool, struct bc_object *obj, u32 value_size);
/* Nobody may use it any more, but grace periods that were begun may be running. */
void bc_storage_pool_free(struct bc_storage_pool *pool);
/* Both inside the guard, or with interrupts off on top of who is. Of an element everything is the caller's to fill in. NULL: none left. */
struct bc_storage_elem *bc_storage_pool_get(struct bc_storage_pool *pool);
void bc_storage_pool_put(struct bc_storage_pool *pool, struct bc_storage_elem *e);
/* The same for one that was in the table: it is used again after a grace period. */
void bc_storage_pool_put_later(struct bc_storage_pool *pool, struct bc_storage_elem *e);
/* Process context, outside the guard: makes elements if few are left. */
void bc_storage_pool_grow(struct bc_storage_pool *pool);
/* Process context: while held, no element is used again. */
void bc_storage_pool_hold(struct bc_storage_pool *pool);
void bc_storage_pool_unhold(struct bc_storage_pool *pool);

/*
 * For what the kernel calls where it likes, with interrupts off, maybe on top of a program: from here on none begins on this CPU. True:
 * to be undone.
 */
static inline bool bc_programs_stop(void)
{
	return bc_run_begin_atomic();
}

static inline void bc_programs_go_on(bool stopped)
{
	if (stopped)
		bc_run_end_atomic();
}

/* ---- for helpers, inside the guard ---- */

/* The value, or NULL. @value: what a new one begins with, NULL: zeroes; @create: whether one is made. */
void *bc_storage_get(struct bc_map *map, const void *owner, const void *value, bool create);
long bc_storage_delete(struct bc_map *map, const void *owner);

/* ---- for iterators over a map of sockets' storage ---- */

/* Where it stands: buckets that it is through with, and elements of the one after these. */
struct bc_storage_pos {
	u32 bucket, shown;
};

/* The element at @pos with a reference to its socket, NULL: no more. The pool is held. */
struct bc_storage_elem *bc_storage_walk(struct bc_map *map, struct bc_storage_pos *pos);
void bc_storage_hold(struct bc_map *map);
void bc_storage_unhold(struct bc_map *map);

#endif
