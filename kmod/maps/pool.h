/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A stock of objects of one size for a map whose readers follow pointers from one to the next: programs take from it and give to it in any
 * context, and what they gave is handed out again only when nobody can be on his way through it any more.
 */
#ifndef BPFCOMPAT_POOL_H
#define BPFCOMPAT_POOL_H

#include "maps.h"

/* Begins each object; readers see nothing of it. */
struct bc_pooled {
	struct bc_pooled *next;
};

struct bc_pool_chunk;

struct bc_pool {
	struct bc_object *obj;		/* who pays */
	size_t size;			/* of an object */
	u32 most;			/* objects that there may be */
	void (*release)(void *object);	/* process context: readers of one that was retired are gone. Optional; set before there are any */
	struct bc_lock lock;		/* guards the two lists */
	struct bc_pooled *free, *retired;
	u32 free_cnt, retired_cnt;
	u32 low;			/* free ones below which there are to be more */
	u32 total;			/* under grow_lock */
	struct bc_pool_chunk *chunks;
	struct mutex grow_lock;
	struct irq_work kick;
	struct work_struct work;
};

/* Before anything that may fail; bc_pool_free() then does no harm. */
void bc_pool_prepare(struct bc_pool *pool, struct bc_object *obj, size_t size, u32 most);
/* Makes the first ones, so many if they are not large: 0 or -ENOMEM. */
int bc_pool_fill(struct bc_pool *pool, u32 cnt);
/* Nobody uses the map any more. */
void bc_pool_free(struct bc_pool *pool);

/* Inside the guard; NULL when there is none. Its bytes are what they were. */
void *bc_pool_get(struct bc_pool *pool);
/* One that no reader has ever seen since bc_pool_get(). */
void bc_pool_put(struct bc_pool *pool, void *object);
/* One that readers may be at. */
void bc_pool_retire(struct bc_pool *pool, void *object);

/* Process context, outside the guard: sees to it that there are some, if that can be. */
void bc_pool_ready(struct bc_pool *pool);

#endif
