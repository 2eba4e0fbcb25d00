// SPDX-License-Identifier: GPL-2.0-only
/*
 * Where the elements of hash maps come from: all made at creation, or (BPF_F_NO_PREALLOC) in growing chunks by a work item that
 * a low free list starts through irq_work, since a probe may neither sleep nor call the slab.
 */
#include "hashtab.h"

struct htab_free *htab_pool_this_cpu(struct bc_htab *htab)
{
	return bc_percpu_ptr(htab->free_lists, sizeof(struct htab_free), raw_smp_processor_id());
}

static struct htab_free *free_of(struct bc_htab *htab, int cpu)
{
	return bc_percpu_ptr(htab->free_lists, sizeof(struct htab_free), cpu);
}

static struct htab_elem *take(struct htab_free *list)
{
	struct htab_elem *e;
	unsigned long flags;

	if (!READ_ONCE(list->first))
		return NULL;
	flags = bc_lock_irqsave(&list->lock);
	e = list->first;
	if (e)
		list->first = e->next_free;
	bc_unlock_irqrestore(&list->lock, flags);
	return e;
}

struct htab_elem *htab_pool_get(struct bc_htab *htab)
{
	int this = raw_smp_processor_id(), cpu;
	struct htab_elem *e = take(free_of(htab, this));

	if (!e) {
		for_each_possible_cpu(cpu) {
			e = cpu == this ? NULL : take(free_of(htab, cpu));
			if (e)
				break;
		}
	}
	if (!htab->prealloc) {
		int spare = e ? atomic_dec_return(&htab->spare) : 0;

		if (spare < (int)READ_ONCE(htab->low))
			irq_work_queue(&htab->grow_irq);
	}
	return e;
}

void htab_pool_put(struct bc_htab *htab, struct htab_elem *e)
{
	struct htab_free *list = htab_pool_this_cpu(htab);
	unsigned long flags = bc_lock_irqsave(&list->lock);

	e->next_free = list->first;
	list->first = e;
	bc_unlock_irqrestore(&list->lock, flags);
	if (!htab->prealloc)
		atomic_inc(&htab->spare);
}

static struct htab_elem *elem_at(struct bc_htab *htab, struct htab_chunk *chunk, u32 i)
{
	return chunk->elems + (size_t)htab->elem_size * i;
}

/* Free elements too: a program that saw one until the last may have put something there. */
static void drop_kptrs(struct bc_htab *htab, struct htab_chunk *chunk)
{
	u32 i;

	for (i = 0; i < chunk->cnt; i++) {
		bc_map_drop_kptrs(&htab->map, htab_value(htab, elem_at(htab, chunk, i)));
		if (!(i % 4096))
			cond_resched();
	}
}

static void free_chunk(struct bc_htab *htab, struct htab_chunk *chunk)
{
	if (htab->map.desc.kptr_cnt && chunk->elems)
		drop_kptrs(htab, chunk);
	bc_free_percpu(&htab->map.obj, chunk->pcpu, chunk->pcpu_bytes);
	bc_free(&htab->map.obj, chunk->elems, (size_t)htab->elem_size * chunk->cnt);
	bc_free(&htab->map.obj, chunk, sizeof(*chunk));
}

static struct htab_chunk *make_chunk(struct bc_htab *htab, u32 cnt)
{
	u64 bytes = (u64)htab->elem_size * cnt;
	struct htab_chunk *chunk;
	u32 i;

	if (bytes > BC_MAP_MAX_BYTES)
		return NULL;
	chunk = bc_alloc(&htab->map.obj, sizeof(*chunk));
	if (!chunk)
		return NULL;
	chunk->cnt = cnt;
	chunk->elems = bc_alloc(&htab->map.obj, bytes);
	if (htab->percpu) {
		chunk->pcpu_bytes = (size_t)bc_pcpu_stride(&htab->map) * cnt;
		chunk->pcpu = bc_alloc_percpu(&htab->map.obj, chunk->pcpu_bytes);
	}
	if (!chunk->elems || (htab->percpu && !chunk->pcpu)) {
		free_chunk(htab, chunk);
		return NULL;
	}
	for (i = 0; i < cnt; i++) {
		struct htab_elem *e = elem_at(htab, chunk, i);

		e->index = i;
		e->chunk = chunk;
		if (!(i % 4096))
			cond_resched();
	}
	chunk->next = htab->chunks;
	htab->chunks = chunk;
	return chunk;
}

/* Shares the elements from @from on out over the CPUs' free lists. */
static void spread(struct bc_htab *htab, struct htab_chunk *chunk, u32 from)
{
	u32 each = DIV_ROUND_UP(chunk->cnt - from, num_possible_cpus()), i = from, end;
	int cpu;

	for_each_possible_cpu(cpu) {
		struct htab_free *list = free_of(htab, cpu);
		struct htab_elem *first, *last;
		unsigned long flags;

		if (i >= chunk->cnt)
			break;
		end = min(chunk->cnt, i + each);
		first = elem_at(htab, chunk, i);
		last = elem_at(htab, chunk, end - 1);
		if (!htab->prealloc)
			atomic_add(end - i, &htab->spare);
		for (; i + 1 < end; i++)
			elem_at(htab, chunk, i)->next_free = elem_at(htab, chunk, i + 1);
		i = end;
		bc_syscall_enter();
		flags = bc_lock_irqsave(&list->lock);
		last->next_free = list->first;
		list->first = first;
		bc_unlock_irqrestore(&list->lock, flags);
		bc_syscall_exit();
	}
}

/* Elements that may be needed at once: a full table, and on each CPU one that is about to replace another. */
static u32 most_elems(const struct bc_htab *htab)
{
	return htab->map.desc.max_entries + (htab->percpu ? 0 : num_possible_cpus());
}

/* Enough for a burst of new keys until the work item has run. */
static u32 first_elems(const struct bc_htab *htab)
{
	return max_t(u32, 32 * num_possible_cpus(), min_t(u32, 4096, (1 << 20) / htab->elem_size));
}

void htab_pool_grow(struct bc_htab *htab)
{
	struct htab_chunk *chunk;
	u32 cnt, low;
	bool small;

	if (htab->prealloc || htab->lru || atomic_read(&htab->spare) >= (int)READ_ONCE(htab->low))
		return;
	mutex_lock(&htab->grow_lock);
	/* Small maps double; of a large one, half as much again is enough of a stock. */
	small = (u64)htab->total * htab->elem_size < 8 << 20;
	cnt = min(max(small ? htab->total : htab->total / 2, first_elems(htab)), most_elems(htab) - htab->total);
	if (cnt && atomic_read(&htab->spare) < (int)htab->low) {
		chunk = make_chunk(htab, cnt);
		if (chunk) {
			htab->total += cnt;
			low = max_t(u32, small ? htab->total / 2 : htab->total / 4, 16 * num_possible_cpus());
			WRITE_ONCE(htab->low, htab->total == most_elems(htab) ? 0 : low);
			spread(htab, chunk, 0);
		}
	}
	mutex_unlock(&htab->grow_lock);
}

static void grow_work(struct work_struct *work)
{
	htab_pool_grow(container_of(work, struct bc_htab, grow_work));
}

static void grow_irq(struct irq_work *work)
{
	/* on any CPU: this one may be busy with the very programs that want elements */
	queue_work(system_unbound_wq, &container_of(work, struct bc_htab, grow_irq)->grow_work);
}

void htab_pool_prepare(struct bc_htab *htab)
{
	mutex_init(&htab->grow_lock);
	init_irq_work(&htab->grow_irq, grow_irq);
	INIT_WORK(&htab->grow_work, grow_work);
}

int htab_pool_init(struct bc_htab *htab)
{
	u32 max = htab->map.desc.max_entries, extra = 0;
	struct htab_chunk *chunk;
	int cpu;

	if (htab->lru) {
		chunk = make_chunk(htab, max);
		if (!chunk)
			return -ENOMEM;
		lru_add_chunk(htab, chunk);
		return 0;
	}

	htab->free_lists = bc_alloc_percpu(&htab->map.obj, sizeof(struct htab_free));
	if (!htab->free_lists)
		return -ENOMEM;
	for_each_possible_cpu(cpu)
		bc_lock_init(&free_of(htab, cpu)->lock);
	if (!htab->prealloc) {
		htab->low = 1;
		htab_pool_grow(htab);
		return htab->total ? 0 : -ENOMEM;
	}

	if (!htab->percpu)
		extra = num_possible_cpus();
	chunk = make_chunk(htab, max + extra);
	if (!chunk)
		return -ENOMEM;
	if (extra) {
		for_each_possible_cpu(cpu)
			free_of(htab, cpu)->extra = elem_at(htab, chunk, --extra);
		extra = num_possible_cpus();
	}
	spread(htab, chunk, extra);
	return 0;
}

void htab_pool_free(struct bc_htab *htab)
{
	struct htab_chunk *chunk;

	/* The map is unreachable, so nothing starts these again. */
	irq_work_sync(&htab->grow_irq);
	cancel_work_sync(&htab->grow_work);
	while ((chunk = htab->chunks)) {
		htab->chunks = chunk->next;
		free_chunk(htab, chunk);
	}
	bc_free_percpu(&htab->map.obj, htab->free_lists, sizeof(struct htab_free));
}
