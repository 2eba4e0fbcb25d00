// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues and stacks: values without keys, first in first out or last in first out, in a ring of fixed size.
 */
#include "maps.h"

struct bc_queue {
	struct bc_map map;
	struct bc_lock lock;
	u32 head, cnt;		/* the oldest value, and how many there are */
	void *values;
	size_t bytes;
};

static struct bc_queue *queue_of(const struct bc_map *map)
{
	return container_of(map, struct bc_queue, map);
}

static int alloc_check(const union bpf_attr *attr)
{
	u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;

	if (!bc_capable())
		return -EPERM;
	if (!attr->max_entries || attr->key_size || !attr->value_size || (attr->map_flags & ~known) ||
	    !bc_map_access_flags_ok(attr->map_flags))
		return -EINVAL;
	return attr->value_size > 4 << 20 ? -E2BIG : 0;
}

static struct bc_map *queue_alloc(const union bpf_attr *attr)
{
	u64 bytes = (u64)attr->max_entries * attr->value_size;
	struct bc_queue *q;

	if (bytes > BC_MAP_MAX_BYTES)
		return ERR_PTR(-ENOMEM);
	q = bc_map_new(attr, sizeof(*q));
	if (!q)
		return ERR_PTR(-ENOMEM);
	bc_lock_init(&q->lock);
	q->bytes = bytes;
	q->values = bc_alloc(&q->map.obj, bytes);
	if (!q->values) {
		bc_map_delete(q, sizeof(*q));
		return ERR_PTR(-ENOMEM);
	}
	return &q->map;
}

static void queue_free(struct bc_map *map)
{
	struct bc_queue *q = queue_of(map);

	bc_free(&map->obj, q->values, q->bytes);
	bc_map_delete(q, sizeof(*q));
}

/* The @nth value from the oldest. */
static void *value_at(struct bc_queue *q, u32 nth)
{
	u64 slot = (u64)q->head + nth;

	if (slot >= q->map.desc.max_entries)
		slot -= q->map.desc.max_entries;
	return q->values + slot * q->map.desc.value_size;
}

static bool try_lock(struct bc_queue *q, unsigned long *flags)
{
	if (!in_nmi()) {
		*flags = bc_lock_irqsave(&q->lock);
		return true;
	}
	local_irq_save(*flags);
	if (arch_spin_trylock(&q->lock.raw))
		return true;
	local_irq_restore(*flags);
	return false;
}

static void drop_oldest(struct bc_queue *q)
{
	q->head = q->head + 1 == q->map.desc.max_entries ? 0 : q->head + 1;
	q->cnt--;
}

static long push(struct bc_map *map, const void *value, u64 flags)
{
	struct bc_queue *q = queue_of(map);
	unsigned long irq;
	long err = 0;

	if ((flags & BPF_NOEXIST) || flags > BPF_EXIST)
		return -EINVAL;
	if (!try_lock(q, &irq))
		return -EBUSY;
	if (q->cnt == map->desc.max_entries && !(flags & BPF_EXIST)) {
		err = -E2BIG;
	} else {
		if (q->cnt == map->desc.max_entries)
			drop_oldest(q);
		memcpy(value_at(q, q->cnt++), value, map->desc.value_size);
	}
	bc_unlock_irqrestore(&q->lock, irq);
	return err;
}

static long take(struct bc_map *map, void *value, bool remove)
{
	struct bc_queue *q = queue_of(map);
	bool newest = map->desc.type == BPF_MAP_TYPE_STACK;
	unsigned long irq;
	long err = 0;

	if (!try_lock(q, &irq))
		return -EBUSY;
	if (!q->cnt) {
		memset(value, 0, map->desc.value_size);
		err = -ENOENT;
	} else {
		memcpy(value, value_at(q, newest ? q->cnt - 1 : 0), map->desc.value_size);
		if (remove && newest)
			q->cnt--;
		else if (remove)
			drop_oldest(q);
	}
	bc_unlock_irqrestore(&q->lock, irq);
	return err;
}

static long pop(struct bc_map *map, void *value)
{
	return take(map, value, true);
}

static long peek(struct bc_map *map, void *value)
{
	return take(map, value, false);
}

static int sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	long err;

	bc_syscall_enter();
	err = take(map, value, false);
	bc_syscall_exit();
	return err;
}

static int sys_lookup_and_delete(struct bc_map *map, const void *key, void *value, u64 flags)
{
	long err;

	bc_syscall_enter();
	err = take(map, value, true);
	bc_syscall_exit();
	return err;
}

static int sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	long err;

	bc_syscall_enter();
	err = push(map, value, flags);
	bc_syscall_exit();
	return err;
}

static long no_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	return -EINVAL;
}

static long no_delete(struct bc_map *map, const void *key)
{
	return -EINVAL;
}

static int no_next_key(struct bc_map *map, const void *key, void *next)
{
	return -EINVAL;
}

const struct bc_map_ops bc_queue_ops = {
	.alloc_check = alloc_check,
	.alloc = queue_alloc,
	.free = queue_free,
	.lookup = bc_map_no_lookup,
	.update = no_update,
	.delete = no_delete,
	.push = push,
	.pop = pop,
	.peek = peek,
	.sys_lookup = sys_lookup,
	.sys_lookup_and_delete = sys_lookup_and_delete,
	.sys_update = sys_update,
	.sys_next_key = no_next_key,
};
