// SPDX-License-Identifier: GPL-2.0-only
/*
 * Batches of hash maps: whole buckets at a time, so that what is handed out is neither doubled nor left out by changes elsewhere in the
 * table. in_batch and out_batch are a bucket's number.
 */
#include "hashtab.h"

struct batch {
	struct bc_htab *htab;
	u32 key_size, value_size;	/* of the user's layout */
	u64 elem_flags;
	bool delete;
	u32 room;			/* elements that the buffers hold */
	void *keys, *values;
};

static void free_buffers(struct batch *b)
{
	bc_kvfree(b->keys);
	bc_kvfree(b->values);
}

static int make_buffers(struct batch *b, u32 room)
{
	free_buffers(b);
	b->room = room;
	b->keys = bc_temp_alloc((size_t)room * b->key_size);
	b->values = bc_temp_alloc((size_t)room * b->value_size + 8);
	return b->keys && b->values ? 0 : -ENOMEM;
}

/* Inside the guard. */
static u32 bucket_size(struct htab_bucket *bucket)
{
	struct hlist_nulls_node *n;
	struct htab_elem *e;
	u32 cnt = 0;

	hlist_nulls_for_each_entry_rcu(e, n, &bucket->head, node)
		cnt++;
	return cnt;
}

/* Copies one bucket (and empties it). The number of its elements; more than @most or than there is room for: nothing was done. */
static u32 take_bucket(struct batch *b, u32 number, u32 most)
{
	struct htab_bucket *bucket = &b->htab->buckets[number];
	struct htab_elem *e, *gone = NULL, *next;
	struct hlist_nulls_node *n, *after;
	unsigned long flags;
	void *value;
	u32 cnt, i = 0;

	bc_syscall_enter();
	flags = bc_lock_irqsave(&bucket->lock);
	cnt = bucket_size(bucket);
	if (cnt && cnt <= most && cnt <= b->room) {
		for (n = bucket->head.first; !is_a_nulls(n); n = after) {
			after = n->next;
			e = hlist_nulls_entry(n, struct htab_elem, node);
			memcpy(b->keys + (size_t)i * b->key_size, e->key, b->key_size);
			value = b->values + (size_t)i * b->value_size;
			htab_copy_out(b->htab, e, value, b->elem_flags);
			i++;
			if (!b->delete)
				continue;
			hlist_nulls_del_rcu(&e->node);
			/* The LRU's locks come before the bucket's, so elements are given back later: chained by a field that no reader looks at. */
			e->node.pprev = (struct hlist_nulls_node **)gone;
			gone = e;
		}
	}
	bc_unlock_irqrestore(&bucket->lock, flags);
	for (e = gone; e; e = next) {
		next = (struct htab_elem *)e->node.pprev;
		htab_release(b->htab, e);
	}
	bc_syscall_exit();
	return cnt;
}

static int run_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr, bool delete)
{
	struct bc_htab *htab = htab_of(map);
	u32 max = attr->batch.count, total = 0, number = 0, cnt;
	struct batch b = { .htab = htab, .delete = delete, .elem_flags = attr->batch.elem_flags };
	int err;

	if ((attr->batch.elem_flags & ~(u64)BPF_F_LOCK) || ((attr->batch.elem_flags & BPF_F_LOCK) && !bc_map_has_lock(map)))
		return -EINVAL;
	if (attr->batch.flags)
		return -EINVAL;
	if (!max)
		return 0;
	if (put_user((u32)0, &uattr->batch.count))
		return -EFAULT;
	if (attr->batch.in_batch && copy_from_user(&number, bc_user_ptr(attr->batch.in_batch), sizeof(number)))
		return -EFAULT;
	if (number >= htab->bucket_cnt)
		return -ENOENT;

	b.key_size = map->desc.key_size;
	b.value_size = bc_map_sys_value_size(map);
	err = make_buffers(&b, 5);
	if (err)
		goto out;
	while (number < htab->bucket_cnt) {
		if (is_a_nulls(READ_ONCE(htab->buckets[number].head.first))) {
			if (!(++number % 4096))
				cond_resched();
			continue;
		}
		cnt = take_bucket(&b, number, max - total);
		if (cnt > max - total) {
			/* A bucket that can never fit is an error; else the rest comes with the next call. */
			err = total ? 0 : -ENOSPC;
			break;
		}
		if (cnt > b.room) {
			err = make_buffers(&b, cnt);
			if (err)
				break;
			continue;
		}
		if (cnt && (copy_to_user(bc_user_ptr(attr->batch.keys + (u64)total * b.key_size), b.keys, (size_t)cnt * b.key_size) ||
			    copy_to_user(bc_user_ptr(attr->batch.values + (u64)total * b.value_size), b.values,
					 (size_t)cnt * b.value_size))) {
			err = -EFAULT;
			goto out;
		}
		total += cnt;
		number++;
		cond_resched();
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	if (!err && number >= htab->bucket_cnt)
		err = -ENOENT;
	if (copy_to_user(bc_user_ptr(attr->batch.out_batch), &number, sizeof(number)) || put_user(total, &uattr->batch.count))
		err = -EFAULT;
out:
	free_buffers(&b);
	return err;
}

int htab_lookup_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	return run_batch(map, attr, uattr, false);
}

int htab_lookup_and_delete_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	return run_batch(map, attr, uattr, true);
}
