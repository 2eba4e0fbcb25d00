// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stocks of objects that programs take and give back (see pool.h). A work item makes more when few are left, and waits for the readers of
 * those that were given back: programs can do neither.
 */
#include "pool.h"
#include "../compat/rcu.h"

struct bc_pool_chunk {
	struct bc_pool_chunk *next;
	u32 cnt;
	void *objects;
};

static void push(struct bc_pool *pool, struct bc_pooled *first, struct bc_pooled *last, u32 cnt)
{
	unsigned long flags = bc_lock_irqsave(&pool->lock);

	last->next = pool->free;
	pool->free = first;
	WRITE_ONCE(pool->free_cnt, pool->free_cnt + cnt);
	bc_unlock_irqrestore(&pool->lock, flags);
}

void *bc_pool_get(struct bc_pool *pool)
{
	unsigned long flags = bc_lock_irqsave(&pool->lock);
	struct bc_pooled *object = pool->free;
	bool few;

	if (object) {
		pool->free = object->next;
		WRITE_ONCE(pool->free_cnt, pool->free_cnt - 1);
	}
	few = pool->free_cnt < pool->low;
	bc_unlock_irqrestore(&pool->lock, flags);
	if (few)
		irq_work_queue(&pool->kick);
	return object;
}

void bc_pool_put(struct bc_pool *pool, void *object)
{
	push(pool, object, object, 1);
}

void bc_pool_retire(struct bc_pool *pool, void *object)
{
	unsigned long flags = bc_lock_irqsave(&pool->lock);
	struct bc_pooled *p = object;

	p->next = pool->retired;
	pool->retired = p;
	WRITE_ONCE(pool->retired_cnt, pool->retired_cnt + 1);
	bc_unlock_irqrestore(&pool->lock, flags);
	irq_work_queue(&pool->kick);
}

/* ---- process context ---- */

static void release(const struct bc_pool *pool, struct bc_pooled *first)
{
	for (; first && pool->release; first = first->next) {
		pool->release(first);
		cond_resched();
	}
}

/* False: there were none. */
static bool reclaim(struct bc_pool *pool)
{
	struct bc_pooled *first, *last;
	unsigned long flags;
	u32 cnt;

	if (!READ_ONCE(pool->retired_cnt))
		return false;
	bc_syscall_enter();
	flags = bc_lock_irqsave(&pool->lock);
	first = pool->retired;
	cnt = pool->retired_cnt;
	pool->retired = NULL;
	WRITE_ONCE(pool->retired_cnt, 0);
	bc_unlock_irqrestore(&pool->lock, flags);
	bc_syscall_exit();
	if (!first)
		return false;
	bc_synchronize_sched();
	release(pool, first);
	for (last = first; last->next; last = last->next)
		;
	bc_syscall_enter();
	push(pool, first, last, cnt);
	bc_syscall_exit();
	return true;
}

static void free_chunk(struct bc_pool *pool, struct bc_pool_chunk *chunk)
{
	bc_free(pool->obj, chunk->objects, pool->size * chunk->cnt);
	bc_free(pool->obj, chunk, sizeof(*chunk));
}

/* With grow_lock held. 0 or -ENOMEM. */
static int add_chunk(struct bc_pool *pool, u32 cnt)
{
	struct bc_pool_chunk *chunk;
	struct bc_pooled *p;
	u32 i;

	if ((u64)pool->size * cnt > BC_MAP_MAX_BYTES)
		return -ENOMEM;
	chunk = bc_alloc(pool->obj, sizeof(*chunk));
	if (!chunk)
		return -ENOMEM;
	chunk->cnt = cnt;
	chunk->objects = bc_alloc(pool->obj, pool->size * cnt);
	if (!chunk->objects) {
		bc_free(pool->obj, chunk, sizeof(*chunk));
		return -ENOMEM;
	}
	for (i = 0; i + 1 < cnt; i++) {
		p = chunk->objects + pool->size * i;
		p->next = chunk->objects + pool->size * (i + 1);
		if (!(i % 4096))
			cond_resched();
	}
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	pool->total += cnt;
	WRITE_ONCE(pool->low, pool->total < pool->most ? max_t(u32, pool->total / 4, 1) : 0);
	bc_syscall_enter();
	push(pool, chunk->objects, chunk->objects + pool->size * (cnt - 1), cnt);
	bc_syscall_exit();
	return 0;
}

/* Enough for a burst until the work item has run, and no more than a megabyte of it unless they are large. */
static u32 burst(const struct bc_pool *pool)
{
	return clamp_t(u32, (1 << 20) / pool->size, 2, 4096);
}

static void grow(struct bc_pool *pool)
{
	u32 cnt;

	mutex_lock(&pool->grow_lock);
	cnt = min(max(pool->total / 2, burst(pool)), pool->most - pool->total);
	if (cnt && READ_ONCE(pool->free_cnt) < pool->low)
		add_chunk(pool, cnt);
	mutex_unlock(&pool->grow_lock);
}

static void pool_work(struct work_struct *work)
{
	struct bc_pool *pool = container_of(work, struct bc_pool, work);

	/* a burst may be on: what it can use at once comes first */
	grow(pool);
	reclaim(pool);
}

static void kicked(struct irq_work *work)
{
	/* on any CPU: this one may be busy with the very programs that want objects */
	queue_work(system_unbound_wq, &container_of(work, struct bc_pool, kick)->work);
}

void bc_pool_ready(struct bc_pool *pool)
{
	u32 cnt = READ_ONCE(pool->free_cnt);

	if (cnt && cnt >= READ_ONCE(pool->low))
		return;
	grow(pool);
	if (!READ_ONCE(pool->free_cnt) && !reclaim(pool))
		flush_work(&pool->work);	/* they are on their way back there */
}

void bc_pool_prepare(struct bc_pool *pool, struct bc_object *obj, size_t size, u32 most)
{
	pool->obj = obj;
	pool->size = size;
	pool->most = most;
	pool->low = 1;
	bc_lock_init(&pool->lock);
	mutex_init(&pool->grow_lock);
	init_irq_work(&pool->kick, kicked);
	INIT_WORK(&pool->work, pool_work);
}

int bc_pool_fill(struct bc_pool *pool, u32 cnt)
{
	int err;

	mutex_lock(&pool->grow_lock);
	err = add_chunk(pool, min3(cnt, burst(pool), pool->most));
	mutex_unlock(&pool->grow_lock);
	return err;
}

void bc_pool_free(struct bc_pool *pool)
{
	struct bc_pool_chunk *chunk;

	irq_work_sync(&pool->kick);
	cancel_work_sync(&pool->work);
	release(pool, pool->retired);
	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		free_chunk(pool, chunk);
		cond_resched();
	}
}
