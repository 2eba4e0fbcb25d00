// SPDX-License-Identifier: GPL-2.0-only
/*
 * The elements of objects' storage. They are made in chunks by a work item, as programs may neither sleep nor call the slab. One that
 * leaves the table is used again, for another object, only when no program can be looking at it: after an RCU-sched grace period,
 * which an irq_work asks for since programs may run within RCU's own functions.
 */
#include "local_storage.h"

enum { IDLE, IN_GRACE, PARKED };	/* pool->state; PARKED: the grace period is over, and the pool held */

struct bc_storage_chunk {
	struct bc_storage_chunk *next;
	size_t bytes;
	void *elems;
};

/* ---- taking and giving back ---- */

struct bc_storage_elem *bc_storage_pool_get(struct bc_storage_pool *pool)
{
	struct bc_storage_elem *e;
	unsigned long flags;
	bool low;

	flags = bc_lock_irqsave(&pool->lock);
	e = pool->free;
	if (e) {
		pool->free = e->next_free;
		pool->spare--;
	}
	low = pool->spare < READ_ONCE(pool->low);
	bc_unlock_irqrestore(&pool->lock, flags);
	if (low)
		irq_work_queue(&pool->irq);
	return e;
}

/* A list of them, up to @last. */
static void put_all(struct bc_storage_pool *pool, struct bc_storage_elem *first, struct bc_storage_elem *last, u32 cnt)
{
	unsigned long flags = bc_lock_irqsave(&pool->lock);

	last->next_free = pool->free;
	pool->free = first;
	pool->spare += cnt;
	bc_unlock_irqrestore(&pool->lock, flags);
}

void bc_storage_pool_put(struct bc_storage_pool *pool, struct bc_storage_elem *e)
{
	put_all(pool, e, e, 1);
}

void bc_storage_pool_put_later(struct bc_storage_pool *pool, struct bc_storage_elem *e)
{
	llist_add(&e->dead, &pool->dead);
	irq_work_queue(&pool->irq);
}

/* ---- grace periods ---- */

static void grace_over(struct rcu_head *rcu);

static void grace_begin(struct bc_storage_pool *pool)
{
	while (!llist_empty(&pool->dead) && atomic_cmpxchg(&pool->state, IDLE, IN_GRACE) == IDLE) {
		pool->waiting = llist_del_all(&pool->dead);
		if (pool->waiting) {
			bc_call_rcu_sched(&pool->rcu, grace_over);
			return;
		}
		atomic_set(&pool->state, IDLE);
	}
}

/* Softirq, maybe on top of a program. */
static void use_again(struct bc_storage_pool *pool)
{
	struct llist_node *node = pool->waiting, *next;
	struct bc_storage_elem *first = NULL, *last = NULL, *e;
	unsigned long flags;
	bool stopped;
	u32 cnt = 0;

	pool->waiting = NULL;
	for (; node; node = next) {
		next = node->next;
		e = container_of(node, struct bc_storage_elem, dead);
		e->next_free = first;
		if (!first)
			last = e;
		first = e;
		cnt++;
	}
	if (!first)
		return;
	local_irq_save(flags);
	stopped = bc_programs_stop();
	put_all(pool, first, last, cnt);
	bc_programs_go_on(stopped);
	local_irq_restore(flags);
}

static void grace_over(struct rcu_head *rcu)
{
	struct bc_storage_pool *pool = container_of(rcu, struct bc_storage_pool, rcu);

	if (atomic_read(&pool->holds)) {
		atomic_set(&pool->state, PARKED);
		smp_mb();	/* with that of bc_storage_pool_unhold(): one of the two sees the other */
		if (atomic_read(&pool->holds) || atomic_cmpxchg(&pool->state, PARKED, IN_GRACE) != PARKED)
			return;
	}
	use_again(pool);
	smp_mb();
	atomic_set(&pool->state, IDLE);
	grace_begin(pool);
}

void bc_storage_pool_hold(struct bc_storage_pool *pool)
{
	atomic_inc(&pool->holds);
	/* what was about to be used again is, before anybody looks */
	bc_synchronize_sched();
}

void bc_storage_pool_unhold(struct bc_storage_pool *pool)
{
	if (!atomic_dec_and_test(&pool->holds))
		return;
	smp_mb();
	if (atomic_cmpxchg(&pool->state, PARKED, IN_GRACE) == PARKED)
		bc_call_rcu_sched(&pool->rcu, grace_over);
}

/* ---- making more ---- */

/* Enough for a burst of new objects until the work item has run. */
static u32 first_elems(const struct bc_storage_pool *pool)
{
	return clamp_t(u32, (256 << 10) / pool->elem_size, 8, 512);
}

static struct bc_storage_chunk *make_chunk(struct bc_storage_pool *pool, u32 cnt)
{
	struct bc_storage_chunk *chunk = bc_alloc(pool->obj, sizeof(*chunk));

	if (!chunk)
		return NULL;
	chunk->bytes = (size_t)pool->elem_size * cnt;
	chunk->elems = bc_alloc(pool->obj, chunk->bytes);
	if (!chunk->elems) {
		bc_free(pool->obj, chunk, sizeof(*chunk));
		return NULL;
	}
	return chunk;
}

static void add_chunk(struct bc_storage_pool *pool, struct bc_storage_chunk *chunk, u32 cnt)
{
	struct bc_storage_elem *first = NULL, *last = NULL, *e;
	u32 i;

	for (i = 0; i < cnt; i++) {
		e = chunk->elems + (size_t)pool->elem_size * i;
		e->next_free = first;
		if (!first)
			last = e;
		first = e;
		if (!(i % 4096))
			cond_resched();
	}
	chunk->next = pool->chunks;
	pool->chunks = chunk;
	bc_syscall_enter();
	put_all(pool, first, last, cnt);
	bc_syscall_exit();
}

void bc_storage_pool_grow(struct bc_storage_pool *pool)
{
	struct bc_storage_chunk *chunk;
	u32 cnt;

	if (READ_ONCE(pool->spare) >= READ_ONCE(pool->low))
		return;
	mutex_lock(&pool->grow_lock);
	/* doubles, up to a few MB at once */
	cnt = max(first_elems(pool), min_t(u32, pool->total, (4 << 20) / pool->elem_size));
	if (READ_ONCE(pool->spare) < pool->low) {
		chunk = make_chunk(pool, cnt);
		if (chunk) {
			add_chunk(pool, chunk, cnt);
			pool->total += cnt;
			WRITE_ONCE(pool->low, cnt / 2);
		}
	}
	mutex_unlock(&pool->grow_lock);
}

static void grow_work(struct work_struct *work)
{
	bc_storage_pool_grow(container_of(work, struct bc_storage_pool, grow_work));
}

static void on_irq(struct irq_work *work)
{
	struct bc_storage_pool *pool = container_of(work, struct bc_storage_pool, irq);

	/* on any CPU: this one may be busy with the very programs that want elements */
	if (READ_ONCE(pool->spare) < READ_ONCE(pool->low))
		queue_work(system_unbound_wq, &pool->grow_work);
	grace_begin(pool);
}

int bc_storage_pool_init(struct bc_storage_pool *pool, struct bc_object *obj, u32 value_size)
{
	pool->obj = obj;
	pool->elem_size = sizeof(struct bc_storage_elem) + round_up(value_size, 8);
	pool->low = 1;
	bc_lock_init(&pool->lock);
	mutex_init(&pool->grow_lock);
	init_irq_work(&pool->irq, on_irq);
	INIT_WORK(&pool->grow_work, grow_work);
	init_llist_head(&pool->dead);
	atomic_set(&pool->state, IDLE);
	atomic_set(&pool->holds, 0);
	bc_storage_pool_grow(pool);
	return pool->total ? 0 : -ENOMEM;
}

void bc_storage_pool_free(struct bc_storage_pool *pool)
{
	struct bc_storage_chunk *chunk;

	irq_work_sync(&pool->irq);
	/* One grace period may begin the next; at last the callback that said so is to be over, too. */
	while (atomic_read(&pool->state) != IDLE || !llist_empty(&pool->dead))
		bc_rcu_barrier_sched();
	bc_rcu_barrier_sched();
	cancel_work_sync(&pool->grow_work);
	while ((chunk = pool->chunks)) {
		pool->chunks = chunk->next;
		bc_free(pool->obj, chunk->elems, chunk->bytes);
		bc_free(pool->obj, chunk, sizeof(*chunk));
	}
}
