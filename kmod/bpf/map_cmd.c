// SPDX-License-Identifier: GPL-2.0-only
/*
 * The commands on a map's elements: look-up, update, delete, next key, look-up and delete, freeze. Errno and the order of checks are
 * those of Linux 6.1.
 */
#include "core.h"
#include "map_access.h"

int bc_map_open(u32 fd, fmode_t need, struct bc_map_access *a)
{
	struct bc_object *obj;
	fmode_t mode;

	a->writes = false;
	a->file = fget(fd);
	if (!a->file)
		return -EBADF;
	obj = bc_object_of_file(a->file, BC_OBJ_MAP);
	if (!obj) {
		fput(a->file);
		return -EINVAL;
	}
	a->map = container_of(obj, struct bc_map, obj);
	if (need & FMODE_WRITE) {
		/* before the look at frozen: BPF_MAP_FREEZE sees either this writer or makes it see the map frozen */
		bc_map_writer_get(a->map);
		a->writes = true;
	}
	mode = a->file->f_mode;
	if (READ_ONCE(a->map->frozen))
		mode &= ~FMODE_WRITE;
	if (need & ~mode) {
		bc_map_close(a);
		return -EPERM;
	}
	return 0;
}

void bc_map_close(struct bc_map_access *a)
{
	if (a->writes)
		bc_map_writer_put(a->map);
	fput(a->file);
}

void bc_map_writer_get(struct bc_map *map)
{
	atomic_inc(&map->writers);
	smp_mb();	/* with that of map_freeze */
}

static void note_constant(struct bc_map *map)
{
	if (READ_ONCE(map->frozen) && (map->desc.flags & BPF_F_RDONLY_PROG) && !atomic_read(&map->writers))
		map->desc.frozen_rdonly = true;
}

void bc_map_writer_put(struct bc_map *map)
{
	if (atomic_dec_and_test(&map->writers))
		note_constant(map);
}

/* A key and a value for the time of one call: most are small, and the slab costs as much as the rest of the call. */
struct scratch {
	u64 key[8];
	u64 value[16];
};

static void scratch_free(void *p, const u64 *own)
{
	if (p != own)
		bc_kvfree(p);
}

/* NULL for a map without keys. */
static void *scratch_key(struct scratch *s, u64 ukey, u32 size)
{
	if (!size)
		return ukey ? ERR_PTR(-EINVAL) : NULL;
	if (size > sizeof(s->key))
		return bc_memdup_user(bc_user_ptr(ukey), size);
	return bc_copy_in(s->key, bc_user_ptr(ukey), size) ? ERR_PTR(-EFAULT) : s->key;
}

/* Zeroed. */
static void *scratch_value(u64 *own, size_t room, size_t size)
{
	size_t i;

	if (size > room)
		return bc_temp_alloc(round_up(size, 8));
	for (i = 0; i < DIV_ROUND_UP(size, 8); i++)
		own[i] = 0;
	return own;
}

void *bc_temp_alloc(size_t size)
{
	return size <= PAGE_SIZE ? kzalloc(max_t(size_t, size, 8), BC_GFP | __GFP_NOWARN) : bc_vzalloc(size);
}

static int check_lock_flag(const struct bc_map *map, u64 flags)
{
	return (flags & BPF_F_LOCK) && !bc_map_has_lock(map) ? -EINVAL : 0;
}

/* ---- element access, for these commands and the batch ones ---- */

size_t bc_map_sys_value_size(const struct bc_map *map)
{
	return map->ops->sys_value_size ? map->ops->sys_value_size(map) : map->desc.value_size;
}

int bc_map_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	void *p;

	if (map->ops->sys_lookup)
		return map->ops->sys_lookup(map, key, value, flags);
	if (!map->ops->lookup || map->ops->lookup == bc_map_no_lookup)
		return -ENOTSUPP;
	bc_syscall_enter();
	p = map->ops->lookup(map, key);
	if (p) {
		if (flags & BPF_F_LOCK)
			bc_map_copy_value_locked(map, value, p, true);
		else
			bc_map_copy_value(map, value, p);
	}
	bc_syscall_exit();
	if (!p)
		return -ENOENT;
	bc_map_init_value(map, value);
	return 0;
}

int bc_map_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	long err;

	if (map->ops->sys_update)
		return map->ops->sys_update(map, key, value, flags);
	if (!map->ops->update)
		return -ENOTSUPP;
	bc_syscall_enter();
	err = map->ops->update(map, key, value, flags);
	bc_syscall_exit();
	return err;
}

int bc_map_sys_delete(struct bc_map *map, const void *key)
{
	long err;

	if (map->ops->sys_delete)
		return map->ops->sys_delete(map, key);
	if (!map->ops->delete)
		return -ENOTSUPP;
	bc_syscall_enter();
	err = map->ops->delete(map, key);
	bc_syscall_exit();
	return err;
}

/* ---- commands ---- */

int bc_cmd_map_lookup_elem(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map_access a;
	struct scratch s;
	void *key, *value;
	size_t value_size;
	int err;

	if (attr->flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	err = bc_map_open(attr->map_fd, FMODE_READ, &a);
	if (err)
		return err;
	err = check_lock_flag(a.map, attr->flags);
	if (err)
		goto close;
	key = scratch_key(&s, attr->key, a.map->desc.key_size);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
		goto close;
	}
	value_size = bc_map_sys_value_size(a.map);
	value = scratch_value(s.value, sizeof(s.value), value_size);
	if (!value) {
		err = -ENOMEM;
		goto free_key;
	}
	/* the value is what is asked for */
	if (a.map->desc.type == BPF_MAP_TYPE_BLOOM_FILTER) {
		if (bc_copy_in(value, bc_user_ptr(attr->value), value_size))
			err = -EFAULT;
		else
			err = bc_map_sys_lookup(a.map, key, value, attr->flags);
	} else {
		err = bc_map_sys_lookup(a.map, key, value, attr->flags);
		if (!err && bc_copy_out(bc_user_ptr(attr->value), value, value_size))
			err = -EFAULT;
	}
	scratch_free(value, s.value);
free_key:
	scratch_free(key, s.key);
close:
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_update_elem(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map_access a;
	struct scratch s;
	void *key, *value;
	size_t value_size;
	int err;

	err = bc_map_open(attr->map_fd, FMODE_WRITE, &a);
	if (err)
		return err;
	err = check_lock_flag(a.map, attr->flags);
	if (err)
		goto close;
	key = scratch_key(&s, attr->key, a.map->desc.key_size);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
		goto close;
	}
	value_size = bc_map_sys_value_size(a.map);
	value = scratch_value(s.value, sizeof(s.value), value_size);
	if (!value)
		err = -ENOMEM;
	else if (bc_copy_in(value, bc_user_ptr(attr->value), value_size))
		err = -EFAULT;
	else if (a.map->ops->sys_update_file)
		err = a.map->ops->sys_update_file(a.map, a.file, key, value, attr->flags);
	else
		err = bc_map_sys_update(a.map, key, value, attr->flags);
	scratch_free(value, s.value);
	scratch_free(key, s.key);
close:
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_delete_elem(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map_access a;
	struct scratch s;
	void *key;
	int err;

	err = bc_map_open(attr->map_fd, FMODE_WRITE, &a);
	if (err)
		return err;
	key = scratch_key(&s, attr->key, a.map->desc.key_size);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
	} else {
		err = bc_map_sys_delete(a.map, key);
		scratch_free(key, s.key);
	}
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_get_next_key(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map_access a;
	struct scratch s;
	void *key = NULL, *next;
	u32 key_size;
	int err;

	err = bc_map_open(attr->map_fd, FMODE_READ, &a);
	if (err)
		return err;
	key_size = a.map->desc.key_size;
	if (attr->key) {
		key = scratch_key(&s, attr->key, key_size);
		if (IS_ERR(key)) {
			err = PTR_ERR(key);
			goto close;
		}
	}
	next = scratch_value(s.value, sizeof(s.value), key_size);
	if (!next)
		err = -ENOMEM;
	else if (!a.map->ops->sys_next_key)
		err = -ENOTSUPP;
	else
		err = a.map->ops->sys_next_key(a.map, key, next);
	if (!err && bc_copy_out(bc_user_ptr(attr->next_key), next, key_size))
		err = -EFAULT;
	scratch_free(next, s.value);
	scratch_free(key, s.key);
close:
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_lookup_and_delete_elem(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map_access a;
	struct scratch s;
	void *key, *value;
	size_t value_size;
	u32 type;
	int err;

	if (attr->flags & ~(u64)BPF_F_LOCK)
		return -EINVAL;
	err = bc_map_open(attr->map_fd, FMODE_READ | FMODE_WRITE, &a);
	if (err)
		return err;
	type = a.map->desc.type;
	if (attr->flags && (type == BPF_MAP_TYPE_QUEUE || type == BPF_MAP_TYPE_STACK))
		err = -EINVAL;
	else
		err = check_lock_flag(a.map, attr->flags);
	if (err)
		goto close;
	key = scratch_key(&s, attr->key, a.map->desc.key_size);
	if (IS_ERR(key)) {
		err = PTR_ERR(key);
		goto close;
	}
	value_size = bc_map_sys_value_size(a.map);
	value = scratch_value(s.value, sizeof(s.value), value_size);
	if (!value)
		err = -ENOMEM;
	else if (!a.map->ops->sys_lookup_and_delete)
		err = -ENOTSUPP;
	else
		err = a.map->ops->sys_lookup_and_delete(a.map, key, value, attr->flags);
	if (!err && bc_copy_out(bc_user_ptr(attr->value), value, value_size))
		err = -EFAULT;
	scratch_free(value, s.value);
	scratch_free(key, s.key);
close:
	bc_map_close(&a);
	return err;
}

int bc_cmd_map_freeze(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	struct bc_map *map = bc_map_get_fd(attr->map_fd);
	int err = 0;

	if (IS_ERR(map))
		return PTR_ERR(map);
	if (bc_map_has_timer(map) || map->desc.kptr_cnt) {
		bc_map_put(map);
		return -ENOTSUPP;
	}
	mutex_lock(&map->freeze_lock);
	if (atomic_read(&map->writers) || map->frozen) {
		err = -EBUSY;
	} else if (!bc_capable()) {
		err = -EPERM;
	} else {
		WRITE_ONCE(map->frozen, true);
		smp_mb();	/* with that of bc_map_writer_get: a writer that slipped in is seen, and marks the map when it ends */
		note_constant(map);
	}
	mutex_unlock(&map->freeze_lock);
	bc_map_put(map);
	return err;
}
