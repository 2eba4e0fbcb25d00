// SPDX-License-Identifier: GPL-2.0-only
/*
 * The four batch commands, and the generic way to do them by single elements. Hash maps have a way of their own
 * (maps/hashtab_batch.c).
 */
#include "core.h"
#include "map_access.h"

typedef int (*batch_fn)(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);

static int check_flags(struct bc_map *map, const union bpf_attr *attr)
{
	if (attr->batch.elem_flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	return (attr->batch.elem_flags & BPF_F_LOCK) && !bc_map_has_lock(map) ? -EINVAL : 0;
}

/* The count is 0 in the caller's attributes until something was done. */
static int clear_count(union bpf_attr __user *uattr)
{
	return put_user((u32)0, &uattr->batch.count) ? -EFAULT : 0;
}

static int put_count(union bpf_attr __user *uattr, u32 count, int err)
{
	return put_user(count, &uattr->batch.count) ? -EFAULT : err;
}

int bc_generic_lookup_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	u32 key_size = map->desc.key_size, done = 0, max = attr->batch.count;
	size_t value_size = bc_map_sys_value_size(map);
	void *prev, *key, *value, *tmp;
	bool first = !attr->batch.in_batch;
	int err;

	err = check_flags(map, attr);
	if (err || !max)
		return err;
	err = clear_count(uattr);
	if (err)
		return err;
	prev = bc_temp_alloc(key_size);
	key = bc_temp_alloc(key_size);
	value = bc_temp_alloc(round_up(value_size, 8));
	if (!prev || !key || !value) {
		err = -ENOMEM;
		goto out;
	}
	if (!first && copy_from_user(prev, bc_user_ptr(attr->batch.in_batch), key_size)) {
		err = -EFAULT;
		goto out;
	}
	while (done < max) {
		err = map->ops->sys_next_key ? map->ops->sys_next_key(map, first ? NULL : prev, key) : -ENOTSUPP;
		if (err)
			break;
		err = bc_map_sys_lookup(map, key, value, attr->batch.elem_flags);
		if (err && err != -ENOENT)
			goto out;
		if (!err) {
			if (copy_to_user(bc_user_ptr(attr->batch.keys + (u64)done * key_size), key, key_size) ||
			    copy_to_user(bc_user_ptr(attr->batch.values + (u64)done * value_size), value, value_size)) {
				err = -EFAULT;
				goto out;
			}
			done++;
		}
		err = 0;
		first = false;
		tmp = prev;
		prev = key;
		key = tmp;
		cond_resched();
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	err = put_count(uattr, done, err);
	if (done && copy_to_user(bc_user_ptr(attr->batch.out_batch), prev, key_size))
		err = -EFAULT;
out:
	bc_kvfree(prev);
	bc_kvfree(key);
	bc_kvfree(value);
	return err;
}

/* @values 0: the keys are deleted. */
static int change_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr, bool update)
{
	u32 key_size = map->desc.key_size, done, max = attr->batch.count;
	size_t value_size = bc_map_sys_value_size(map);
	void *key, *value;
	int err;

	err = check_flags(map, attr);
	if (err || !max)
		return err;
	err = clear_count(uattr);
	if (err)
		return err;
	key = bc_temp_alloc(key_size);
	value = bc_temp_alloc(round_up(value_size, 8));
	if (!key || !value) {
		err = -ENOMEM;
		goto out;
	}
	for (done = 0; done < max; done++) {
		err = -EFAULT;
		if (copy_from_user(key, bc_user_ptr(attr->batch.keys + (u64)done * key_size), key_size))
			break;
		if (update && copy_from_user(value, bc_user_ptr(attr->batch.values + (u64)done * value_size), value_size))
			break;
		err = update ? bc_map_sys_update(map, key, value, attr->batch.elem_flags) : bc_map_sys_delete(map, key);
		if (err)
			break;
		cond_resched();
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
	}
	err = put_count(uattr, done, err);
out:
	bc_kvfree(key);
	bc_kvfree(value);
	return err;
}

int bc_generic_update_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	return change_batch(map, attr, uattr, true);
}

int bc_generic_delete_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	return change_batch(map, attr, uattr, false);
}

static int do_batch(union bpf_attr *attr, union bpf_attr __user *uattr, fmode_t need, size_t op)
{
	struct bc_map_access a;
	batch_fn fn;
	int err;

	err = bc_map_open(attr->batch.map_fd, need, &a);
	if (err)
		return err;
	fn = *(const batch_fn *)((const char *)a.map->ops + op);
	err = fn ? fn(a.map, attr, uattr) : -ENOTSUPP;
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_lookup_batch(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	return do_batch(attr, uattr, FMODE_READ, offsetof(struct bc_map_ops, lookup_batch));
}

int bc_cmd_map_lookup_and_delete_batch(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	return do_batch(attr, uattr, FMODE_READ | FMODE_WRITE, offsetof(struct bc_map_ops, lookup_and_delete_batch));
}

int bc_cmd_map_update_batch(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	return do_batch(attr, uattr, FMODE_WRITE, offsetof(struct bc_map_ops, update_batch));
}

int bc_cmd_map_delete_batch(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	return do_batch(attr, uattr, FMODE_WRITE, offsetof(struct bc_map_ops, delete_batch));
}
