// SPDX-License-Identifier: GPL-2.0-only
/*
 * Ring buffer (Linux Documentation/bpf/ringbuf.rst): many producers, one consumer in user space. One page holds the consumer's position,
 * one the producers', then the data follow, mapped twice so that a record never wraps.
 */
#include "maps.h"
#include "../helpers/helpers.h"
#include "../exec/dynptr.h"
#include <linux/log2.h>

#define RB_MAX_RECORD	(UINT_MAX / 4)
/* A record's header says in 24 bits how many pages it lies behind the start. */
#define RB_MAX_DATA	(((1ULL << 24) - 3) * PAGE_SIZE)

struct rb_header {
	u32 len;		/* with BPF_RINGBUF_BUSY_BIT and BPF_RINGBUF_DISCARD_BIT */
	u32 pages;		/* from the control page to this record */
};

struct rb_consumer {
	unsigned long pos;
};

struct rb_producer {
	unsigned long pos;
	unsigned long pending;	/* the oldest record that is not committed yet */
};

struct bc_ringbuf;

/* The first page of the mapping: user space has no access to it. */
struct rb_control {
	struct bc_ringbuf *rb;
};

struct bc_ringbuf {
	struct bc_map map;
	wait_queue_head_t waiters;
	struct irq_work wake;
	struct bc_lock lock;	/* of producers */
	atomic_t busy;		/* of a user ring buffer: somebody drains it */
	u64 mask;
	void *memory;		/* the pages: control, consumer, producer, data */
	size_t memory_bytes;
	void *mapping;		/* the same, and the data once more */
	struct rb_consumer *consumer;
	struct rb_producer *producer;
	void *data;
};

static struct bc_ringbuf *ringbuf_of(const struct bc_map *map)
{
	return container_of(map, struct bc_ringbuf, map);
}

static void wake(struct irq_work *work)
{
	wake_up_all(&container_of(work, struct bc_ringbuf, wake)->waiters);
}

static void *map_twice(void *memory, u32 head, u32 data)
{
	struct page **pages;
	void *mapping;
	u32 i;

	pages = bc_temp_alloc((head + 2 * (size_t)data) * sizeof(*pages));
	if (!pages)
		return NULL;
	for (i = 0; i < head + data; i++) {
		pages[i] = vmalloc_to_page(memory + (size_t)i * PAGE_SIZE);
		if (i >= head)
			pages[i + data] = pages[i];
	}
	mapping = vmap(pages, head + 2 * data, VM_MAP, PAGE_KERNEL);
	bc_kvfree(pages);
	return mapping;
}

static struct bc_map *ringbuf_alloc(const union bpf_attr *attr)
{
	struct bc_ringbuf *rb;
	u32 size = attr->max_entries;

	if (attr->map_flags & ~BPF_F_NUMA_NODE)
		return ERR_PTR(-EINVAL);
	if (attr->key_size || attr->value_size || !is_power_of_2(size) || size % PAGE_SIZE)
		return ERR_PTR(-EINVAL);
	if (size > RB_MAX_DATA)
		return ERR_PTR(-E2BIG);
	rb = bc_map_new(attr, sizeof(*rb));
	if (!rb)
		return ERR_PTR(-ENOMEM);
	rb->mask = size - 1;
	rb->memory_bytes = 3 * PAGE_SIZE + (size_t)size;
	rb->memory = bc_alloc_user(&rb->map.obj, rb->memory_bytes);
	if (rb->memory)
		rb->mapping = map_twice(rb->memory, 3, size >> PAGE_SHIFT);
	if (!rb->mapping) {
		bc_free_user(&rb->map.obj, rb->memory, rb->memory_bytes);
		bc_map_delete(rb, sizeof(*rb));
		return ERR_PTR(-ENOMEM);
	}
	((struct rb_control *)rb->mapping)->rb = rb;
	rb->consumer = rb->mapping + PAGE_SIZE;
	rb->producer = rb->mapping + 2 * PAGE_SIZE;
	rb->data = rb->mapping + 3 * PAGE_SIZE;
	init_waitqueue_head(&rb->waiters);
	init_irq_work(&rb->wake, wake);
	bc_lock_init(&rb->lock);
	return &rb->map;
}

static void ringbuf_free(struct bc_map *map)
{
	struct bc_ringbuf *rb = ringbuf_of(map);

	irq_work_sync(&rb->wake);
	vunmap(rb->mapping);
	bc_free_user(&map->obj, rb->memory, rb->memory_bytes);
	bc_map_delete(rb, sizeof(*rb));
}

static int ringbuf_mmap(struct bc_map *map, struct vm_area_struct *vma)
{
	if (vma->vm_flags & VM_WRITE) {
		/* the consumer's position and nothing else */
		if (vma->vm_pgoff || vma->vm_end - vma->vm_start != PAGE_SIZE)
			return -EPERM;
	}
	if (!bc_vma_fits(vma, 2 + 2 * (map->desc.max_entries >> PAGE_SHIFT)))
		return -EINVAL;
	return bc_vma_map(vma, ringbuf_of(map)->mapping + ((size_t)vma->vm_pgoff + 1) * PAGE_SIZE);
}

static u64 unread(const struct bc_ringbuf *rb)
{
	unsigned long consumer = smp_load_acquire(&rb->consumer->pos);

	return smp_load_acquire(&rb->producer->pos) - consumer;
}

static unsigned int ringbuf_poll(struct bc_map *map, struct file *file, struct poll_table_struct *pts)
{
	struct bc_ringbuf *rb = ringbuf_of(map);

	poll_wait(file, &rb->waiters, pts);
	return unread(rb) ? POLLIN | POLLRDNORM : 0;
}

/* ---- helpers ---- */

static __always_inline bool lock_producers(struct bc_ringbuf *rb, unsigned long *flags)
{
	if (!in_nmi()) {
		*flags = bc_lock_irqsave(&rb->lock);
		return true;
	}
	/* Another CPU may hold it for long; an NMI does not wait. */
	local_irq_save(*flags);
	if (arch_spin_trylock(&rb->lock.raw))
		return true;
	local_irq_restore(*flags);
	return false;
}

/* With the lock: the oldest record that may still be written to. */
static __always_inline unsigned long oldest_pending(struct bc_ringbuf *rb)
{
	unsigned long pos = rb->producer->pending, end = rb->producer->pos;
	struct rb_header *header;
	u32 len;

	while (pos < end) {
		header = rb->data + (pos & rb->mask);
		len = READ_ONCE(header->len);
		if (len & BPF_RINGBUF_BUSY_BIT)
			break;
		pos += round_up((len & ~BPF_RINGBUF_DISCARD_BIT) + BPF_RINGBUF_HDR_SZ, 8);
	}
	rb->producer->pending = pos;
	return pos;
}

static __always_inline void *reserve(struct bc_ringbuf *rb, u64 size)
{
	unsigned long consumer, producer, end, flags;
	struct rb_header *header = NULL;
	u32 len;

	if (unlikely(size > RB_MAX_RECORD))
		return NULL;
	len = round_up(size + BPF_RINGBUF_HDR_SZ, 8);
	if (len > rb->mask + 1)
		return NULL;
	consumer = smp_load_acquire(&rb->consumer->pos);
	if (!lock_producers(rb, &flags))
		return NULL;
	producer = rb->producer->pos;
	end = producer + len;
	/* The consumer's word is not to be trusted: the second test keeps its lies from making us overwrite a record in use. */
	if (end - consumer <= rb->mask && end - oldest_pending(rb) <= rb->mask) {
		header = rb->data + (producer & rb->mask);
		header->len = size | BPF_RINGBUF_BUSY_BIT;
		header->pages = ((void *)header - rb->mapping) >> PAGE_SHIFT;
		smp_store_release(&rb->producer->pos, end);
	}
	bc_unlock_irqrestore(&rb->lock, flags);
	return header ? header + 1 : NULL;
}

static struct bc_map *map_arg(u64 r)
{
	return bc_map_of((struct bc_map_desc *)r);
}

BC_HELPER(ringbuf_reserve)
{
	return unlikely(r3) ? 0 : (u64)reserve(ringbuf_of(map_arg(r1)), r2);
}

static __always_inline void commit(void *sample, u64 flags, bool discard)
{
	struct rb_header *header = sample - BPF_RINGBUF_HDR_SZ;
	struct rb_control *control = (void *)((unsigned long)header & PAGE_MASK) - ((unsigned long)header->pages << PAGE_SHIFT);
	struct bc_ringbuf *rb = control->rb;
	u32 len = header->len ^ BPF_RINGBUF_BUSY_BIT;

	if (discard)
		len |= BPF_RINGBUF_DISCARD_BIT;
	/* A full barrier: the record before its header, the header before the look at the consumer. */
	xchg(&header->len, len);
	if (flags & BPF_RB_FORCE_WAKEUP)
		irq_work_queue(&rb->wake);
	else if (((void *)header - rb->data) == (smp_load_acquire(&rb->consumer->pos) & rb->mask) && !(flags & BPF_RB_NO_WAKEUP))
		irq_work_queue(&rb->wake);	/* the consumer waits for just this one */
}

BC_HELPER(ringbuf_submit)
{
	commit((void *)r1, r2, false);
	return 0;
}

BC_HELPER(ringbuf_discard)
{
	commit((void *)r1, r2, true);
	return 0;
}

BC_HELPER(ringbuf_reserve_dynptr)
{
	u32 size = r2;
	int err = r3 ? -EINVAL : size > BC_DYNPTR_MAX ? -E2BIG : 0;
	void *sample = err ? NULL : reserve(ringbuf_of(map_arg(r1)), size);

	return bc_dynptr_make(BC_DYNPTR(r4), sample, size, err ? err : sample ? 0 : -EINVAL);
}

static u64 commit_dynptr(struct bc_dynptr *p, u64 flags, bool discard)
{
	if (p->data)
		commit(p->data, flags, discard);
	return bc_dynptr_make(p, NULL, 0, 0);
}

BC_HELPER(ringbuf_submit_dynptr)
{
	return commit_dynptr(BC_DYNPTR(r1), r2, false);
}

BC_HELPER(ringbuf_discard_dynptr)
{
	return commit_dynptr(BC_DYNPTR(r1), r2, true);
}

BC_HELPER(ringbuf_output)
{
	void *sample;

	if (unlikely(r4 & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP)))
		return (s64)-EINVAL;
	sample = reserve(ringbuf_of(map_arg(r1)), r3);
	if (!sample)
		return (s64)-EAGAIN;
	memcpy(sample, (const void *)r2, r3);
	commit(sample, r4, false);
	return 0;
}

BC_HELPER(ringbuf_query)
{
	struct bc_ringbuf *rb = ringbuf_of(map_arg(r1));

	switch (r2) {
	case BPF_RB_AVAIL_DATA:
		return unread(rb);
	case BPF_RB_RING_SIZE:
		return rb->mask + 1;
	case BPF_RB_CONS_POS:
		return smp_load_acquire(&rb->consumer->pos);
	case BPF_RB_PROD_POS:
		return smp_load_acquire(&rb->producer->pos);
	default:
		return 0;
	}
}

const struct bc_map_ops bc_ringbuf_ops = {
	.alloc = ringbuf_alloc,
	.free = ringbuf_free,
	.lookup = bc_map_no_lookup,
	.mmap = ringbuf_mmap,
	.poll = ringbuf_poll,
};

/* ---- user ring buffers: user space is the producer, programs consume ---- */

#define DRAIN_MAX (128 * 1024)	/* records of one call (Linux: BPF_MAX_USER_RINGBUF_SAMPLES) */

static int user_ringbuf_mmap(struct bc_map *map, struct vm_area_struct *vma)
{
	/* all but the consumer's position */
	if ((vma->vm_flags & VM_WRITE) && !vma->vm_pgoff)
		return -EPERM;
	if (!bc_vma_fits(vma, 2 + 2 * (map->desc.max_entries >> PAGE_SHIFT)))
		return -EINVAL;
	return bc_vma_map(vma, ringbuf_of(map)->mapping + ((size_t)vma->vm_pgoff + 1) * PAGE_SIZE);
}

static unsigned int user_ringbuf_poll(struct bc_map *map, struct file *file, struct poll_table_struct *pts)
{
	struct bc_ringbuf *rb = ringbuf_of(map);

	poll_wait(file, &rb->waiters, pts);
	return unread(rb) < rb->mask + 1 ? POLLOUT | POLLWRNORM : 0;
}

/*
 * The next record, as a dynptr. The producer's word, and what it wrote in the header, are not to be trusted, and are read once. -ENODATA: there is
 * none; -EAGAIN: one that was discarded has been passed over.
 */
static int next_record(struct bc_ringbuf *rb, struct bc_dynptr *p)
{
	u64 producer = smp_load_acquire(&rb->producer->pos), consumer = smp_load_acquire(&rb->consumer->pos);
	struct rb_header *header = rb->data + (consumer & rb->mask);
	u32 word, len, total;

	if (producer % 8)
		return -EINVAL;
	if (consumer >= producer)
		return -ENODATA;
	word = smp_load_acquire(&header->len);
	len = word & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
	total = round_up(len + BPF_RINGBUF_HDR_SZ, 8);
	if (total > producer - consumer)
		return -EINVAL;
	if (total > rb->mask + 1 || len > BC_DYNPTR_MAX)
		return -E2BIG;
	if (word & BPF_RINGBUF_DISCARD_BIT) {
		smp_store_release(&rb->consumer->pos, consumer + total);
		return -EAGAIN;
	}
	if (word & BPF_RINGBUF_BUSY_BIT)
		return -ENODATA;
	bc_dynptr_make(p, rb->data + ((consumer + BPF_RINGBUF_HDR_SZ) & rb->mask), len, 0);
	return 0;
}

static s64 drain(struct bc_ringbuf *rb, bc_callback callback, u64 ctx, u32 *seen)
{
	struct bc_dynptr p;
	s64 taken = 0;
	u64 end = 0;
	int err;

	for (*seen = 0; *seen < DRAIN_MAX && !end; ++*seen) {
		err = next_record(rb, &p);
		if (err == -ENODATA)
			break;
		if (err == -EAGAIN)
			continue;
		if (err)
			return err;
		end = bc_callback_call(callback, (unsigned long)&p, ctx, 0, 0, 0);
		smp_store_release(&rb->consumer->pos, rb->consumer->pos + round_up(p.size + BPF_RINGBUF_HDR_SZ, 8));
		taken++;
	}
	return taken;
}

BC_HELPER(user_ringbuf_drain)
{
	struct bc_ringbuf *rb = ringbuf_of(map_arg(r1));
	u32 seen;
	s64 ret;

	if (r4 & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return (s64)-EINVAL;
	if (atomic_cmpxchg(&rb->busy, 0, 1))
		return (s64)-EBUSY;
	ret = drain(rb, r2, r3, &seen);
	smp_mb();	/* the positions before others may drain */
	atomic_set(&rb->busy, 0);
	if ((r4 & BPF_RB_FORCE_WAKEUP) || (seen && !(r4 & BPF_RB_NO_WAKEUP)))
		irq_work_queue(&rb->wake);
	return ret;
}

const struct bc_map_ops bc_user_ringbuf_ops = {
	.alloc = ringbuf_alloc,
	.free = ringbuf_free,
	.lookup = bc_map_no_lookup,
	.mmap = user_ringbuf_mmap,
	.poll = user_ringbuf_poll,
};
