// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which element of an LRU hash map goes when a new key comes: an active and an inactive list with a reference bit each, second chance
 * for what was looked up. List lengths, scan widths and the batches by which CPUs take free elements are those of Linux 6.1, since tests
 * and users see them: a full common map evicts up to 128 elements at a time.
 */
#include "hashtab.h"

#define COMMON_BATCH	128	/* elements that a CPU takes from the common list at once, and most that one scan looks at */
#define PERCPU_BATCH	4	/* the same where each CPU has a list of its own */

static u32 scan_width(const struct bc_htab *htab)
{
	return htab->lru_percpu ? PERCPU_BATCH : COMMON_BATCH;
}

static struct htab_elem *elem_of(struct list_head *list)
{
	return container_of(list, struct htab_elem, lru.list);
}

static struct lru_local *local_of(struct bc_htab *htab, int cpu)
{
	return bc_percpu_ptr(htab->lru_locals, sizeof(struct lru_local), cpu);
}

static struct lru_chain *list_of_cpu(struct bc_htab *htab, int cpu)
{
	return htab->lru_percpu ? bc_percpu_ptr(htab->lru_percpu, sizeof(struct lru_chain), cpu) : &htab->lru_common;
}

static void list_init(struct lru_chain *l)
{
	int i;

	bc_lock_init(&l->lock);
	for (i = 0; i < __LRU_LIST_COUNT; i++)
		INIT_LIST_HEAD(&l->lists[i]);
	l->next_rotation = &l->lists[IN_INACTIVE];
}

int lru_init(struct bc_htab *htab)
{
	int cpu;

	if (htab->map.desc.flags & BPF_F_NO_COMMON_LRU) {
		htab->lru_percpu = bc_alloc_percpu(&htab->map.obj, sizeof(struct lru_chain));
		if (!htab->lru_percpu)
			return -ENOMEM;
		for_each_possible_cpu(cpu)
			list_init(list_of_cpu(htab, cpu));
		return 0;
	}
	htab->lru_locals = bc_alloc_percpu(&htab->map.obj, sizeof(struct lru_local));
	if (!htab->lru_locals)
		return -ENOMEM;
	list_init(&htab->lru_common);
	for_each_possible_cpu(cpu) {
		struct lru_local *local = local_of(htab, cpu);

		bc_lock_init(&local->lock);
		INIT_LIST_HEAD(&local->free);
		INIT_LIST_HEAD(&local->pending);
		local->next_steal = cpu;
	}
	return 0;
}

void lru_free(struct bc_htab *htab)
{
	bc_free_percpu(&htab->map.obj, htab->lru_percpu, sizeof(struct lru_chain));
	bc_free_percpu(&htab->map.obj, htab->lru_locals, sizeof(struct lru_local));
}

/* At creation. */
void lru_add_chunk(struct bc_htab *htab, struct htab_chunk *chunk)
{
	u32 each = chunk->cnt / num_possible_cpus(), i, on_cpu = 0;
	int cpu = cpumask_first(cpu_possible_mask);

	for (i = 0; i < chunk->cnt; i++) {
		struct htab_elem *e = chunk->elems + (size_t)htab->elem_size * i;
		int next = cpumask_next(cpu, cpu_possible_mask);

		if (htab->lru_percpu && on_cpu == each && next < (int)nr_cpu_ids) {
			cpu = next;
			on_cpu = 0;
		}
		on_cpu++;
		e->lru.cpu = cpu;
		e->lru.place = IN_FREE;
		list_add_tail(&e->lru.list, &list_of_cpu(htab, cpu)->lists[IN_FREE]);
		if (!(i % 4096))
			cond_resched();
	}
}

/* ---- a list, with its lock held ---- */

static void count(struct lru_chain *l, u8 place, int by)
{
	if (place <= IN_INACTIVE)
		l->counts[place] += by;
}

/* From wherever it is to the head of list @to of @l, or (to a local list) to the head of @local. */
static void move(struct lru_chain *l, struct htab_elem *e, enum lru_place to, struct list_head *local)
{
	/* The scan that stands here goes on one further. */
	if (&e->lru.list == l->next_rotation)
		l->next_rotation = l->next_rotation->prev;
	count(l, e->lru.place, -1);
	count(l, to, 1);
	e->lru.place = to;
	if (!local)
		WRITE_ONCE(e->lru.ref, 0);
	list_move(&e->lru.list, local ? local : &l->lists[to]);
}

/* What was used since stays active; the rest gets a last chance. */
static void rotate_active(struct bc_htab *htab, struct lru_chain *l)
{
	struct list_head *active = &l->lists[IN_ACTIVE], *first = active->next, *at, *prev;
	u32 scans = scan_width(htab);

	for (at = active->prev; at != active && scans; at = prev, scans--) {
		bool last = at == first;

		prev = at->prev;
		move(l, elem_of(at), READ_ONCE(elem_of(at)->lru.ref) ? IN_ACTIVE : IN_INACTIVE, NULL);
		if (last)
			break;
	}
}

/* Used ones become active. The scan goes on where the last one stopped, so that all are seen in turn. */
static void rotate_inactive(struct bc_htab *htab, struct lru_chain *l)
{
	struct list_head *inactive = &l->lists[IN_INACTIVE], *at, *last, *prev = inactive;
	u32 scans = scan_width(htab);

	if (list_empty(inactive))
		return;
	last = l->next_rotation->next;
	if (last == inactive)
		last = last->next;
	at = l->next_rotation;
	while (scans) {
		if (at == inactive) {
			at = at->prev;
			continue;
		}
		prev = at->prev;
		if (READ_ONCE(elem_of(at)->lru.ref))
			move(l, elem_of(at), IN_ACTIVE, NULL);
		if (at == last)
			break;
		at = prev;
		scans--;
	}
	l->next_rotation = prev;
}

static void rotate(struct bc_htab *htab, struct lru_chain *l)
{
	if (l->counts[IN_INACTIVE] < l->counts[IN_ACTIVE])
		rotate_active(htab, l);
	rotate_inactive(htab, l);
}

/* Evicts up to @want inactive elements, or, where all are in use, one that is. To @local, or to the free list of @l. */
static void evict(struct bc_htab *htab, struct lru_chain *l, u32 want, struct list_head *local)
{
	enum lru_place to = local ? IN_LOCAL_FREE : IN_FREE;
	struct list_head *inactive = &l->lists[IN_INACTIVE], *from, *at, *prev;
	struct list_head *target = local ? local : &l->lists[IN_FREE];
	u32 scans = scan_width(htab), evicted = 0;

	for (at = inactive->prev; at != inactive && scans; at = prev, scans--) {
		prev = at->prev;
		if (READ_ONCE(elem_of(at)->lru.ref)) {
			move(l, elem_of(at), IN_ACTIVE, NULL);
		} else if (htab_unlink(htab, elem_of(at))) {
			move(l, elem_of(at), to, target);
			if (++evicted == want)
				break;
		}
	}
	if (evicted)
		return;
	from = list_empty(inactive) ? &l->lists[IN_ACTIVE] : inactive;
	for (at = from->prev; at != from; at = prev) {
		prev = at->prev;
		if (htab_unlink(htab, elem_of(at))) {
			move(l, elem_of(at), to, target);
			return;
		}
	}
}

/* ---- each CPU its own list ---- */

static struct htab_elem *percpu_get(struct bc_htab *htab, u32 hash)
{
	struct lru_chain *l = list_of_cpu(htab, raw_smp_processor_id());
	struct list_head *free = &l->lists[IN_FREE];
	struct htab_elem *e = NULL;
	unsigned long flags;

	flags = bc_lock_irqsave(&l->lock);
	rotate(htab, l);
	if (list_empty(free))
		evict(htab, l, PERCPU_BATCH, NULL);
	if (!list_empty(free)) {
		e = elem_of(free->next);
		e->hash = hash;		/* under the lock: eviction reads it */
		move(l, e, IN_INACTIVE, NULL);
	}
	bc_unlock_irqrestore(&l->lock, flags);
	return e;
}

/* ---- one common list, with a stock of free and freshly used elements on each CPU ---- */

static struct htab_elem *take_free(struct lru_local *local)
{
	struct htab_elem *e;

	if (list_empty(&local->free))
		return NULL;
	e = elem_of(local->free.next);
	list_del(&e->lru.list);
	return e;
}

/* With @local locked: the fresh ones join the common list, and free ones come back. */
static void restock(struct bc_htab *htab, struct lru_local *local)
{
	struct lru_chain *l = &htab->lru_common;
	struct list_head *at, *prev;
	unsigned long flags;
	u32 got = 0;

	flags = bc_lock_irqsave(&l->lock);
	for (at = local->pending.prev; at != &local->pending; at = prev) {
		prev = at->prev;
		move(l, elem_of(at), READ_ONCE(elem_of(at)->lru.ref) ? IN_ACTIVE : IN_INACTIVE, NULL);
	}
	rotate(htab, l);
	while (got < COMMON_BATCH && !list_empty(&l->lists[IN_FREE])) {
		move(l, elem_of(l->lists[IN_FREE].next), IN_LOCAL_FREE, &local->free);
		got++;
	}
	if (got < COMMON_BATCH)
		evict(htab, l, COMMON_BATCH - got, &local->free);
	bc_unlock_irqrestore(&l->lock, flags);
}

static void add_pending(struct lru_local *local, struct htab_elem *e, int cpu, u32 hash)
{
	e->hash = hash;
	e->lru.cpu = cpu;
	e->lru.place = IN_LOCAL_PENDING;
	WRITE_ONCE(e->lru.ref, 0);
	list_add(&e->lru.list, &local->pending);
}

/* Evicts from what @local holds: what was not used since first. */
static struct htab_elem *take_pending(struct bc_htab *htab, struct lru_local *local)
{
	struct list_head *at;
	int force;

	for (force = 0; force < 2; force++) {
		for (at = local->pending.prev; at != &local->pending; at = at->prev) {
			if (!force && READ_ONCE(elem_of(at)->lru.ref))
				continue;
			if (htab_unlink(htab, elem_of(at))) {
				list_del(at);
				return elem_of(at);
			}
		}
	}
	return NULL;
}

static struct htab_elem *common_get(struct bc_htab *htab, u32 hash)
{
	int cpu = raw_smp_processor_id(), steal, first;
	struct lru_local *local = local_of(htab, cpu), *victim;
	struct htab_elem *e;
	unsigned long flags;

	flags = bc_lock_irqsave(&local->lock);
	e = take_free(local);
	if (!e) {
		restock(htab, local);
		e = take_free(local);
	}
	if (e)
		add_pending(local, e, cpu, hash);
	bc_unlock_irqrestore(&local->lock, flags);
	if (e)
		return e;

	/* All is on the CPUs' own lists. One of them gives, each in its turn. */
	first = local->next_steal;
	steal = first;
	do {
		victim = local_of(htab, steal);
		flags = bc_lock_irqsave(&victim->lock);
		e = take_free(victim);
		if (!e)
			e = take_pending(htab, victim);
		bc_unlock_irqrestore(&victim->lock, flags);
		steal = cpumask_next(steal, cpu_possible_mask);
		if (steal >= (int)nr_cpu_ids)
			steal = cpumask_first(cpu_possible_mask);
	} while (!e && steal != first);
	local->next_steal = steal;
	if (e) {
		flags = bc_lock_irqsave(&local->lock);
		add_pending(local, e, cpu, hash);
		bc_unlock_irqrestore(&local->lock, flags);
	}
	return e;
}

/* ---- */

struct htab_elem *lru_get(struct bc_htab *htab, u32 hash)
{
	return htab->lru_percpu ? percpu_get(htab, hash) : common_get(htab, hash);
}

void lru_put(struct bc_htab *htab, struct htab_elem *e)
{
	struct lru_chain *l = list_of_cpu(htab, e->lru.cpu);
	struct lru_local *local;
	unsigned long flags;
	bool done = false;

	if (htab->lru_locals && READ_ONCE(e->lru.place) == IN_LOCAL_PENDING) {
		local = local_of(htab, e->lru.cpu);
		flags = bc_lock_irqsave(&local->lock);
		/* It may have joined the common list meanwhile. */
		if (e->lru.place == IN_LOCAL_PENDING) {
			e->lru.place = IN_LOCAL_FREE;
			WRITE_ONCE(e->lru.ref, 0);
			list_move(&e->lru.list, &local->free);
			done = true;
		}
		bc_unlock_irqrestore(&local->lock, flags);
	}
	if (done)
		return;
	flags = bc_lock_irqsave(&l->lock);
	move(l, e, IN_FREE, NULL);
	bc_unlock_irqrestore(&l->lock, flags);
}
