// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_MAP_CREATE: checks in Linux 6.1's order, the map's BTF, its id and its first fd; and the map's life up to its last reference.
 */
#include "core.h"
#include "../maps/maps.h"
#include <linux/ctype.h>
#include <linux/netdevice.h>
#include <linux/nodemask.h>
#include <linux/nsproxy.h>
#include <linux/topology.h>

void *bc_map_new(const union bpf_attr *attr, size_t size)
{
	struct bc_map *map = bc_alloc(NULL, size);

	if (!map)
		return NULL;
	map->desc.type = attr->map_type;
	map->desc.key_size = attr->key_size;
	map->desc.value_size = attr->value_size;
	map->desc.max_entries = attr->max_entries;
	map->desc.flags = attr->map_flags & ~(BPF_F_RDONLY | BPF_F_WRONLY);	/* these are the fd's */
	map->desc.map_extra = attr->map_extra;
	map->desc.spin_lock_off = -1;
	map->desc.timer_off = -1;
	return map;
}

void bc_map_delete(void *map, size_t size)
{
	bc_free(NULL, map, size);
}

bool bc_map_access_flags_ok(u32 flags)
{
	return (flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG)) != (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG);
}

int bc_map_attr_node(const union bpf_attr *attr)
{
	return attr->map_flags & BPF_F_NUMA_NODE ? (int)attr->numa_node : NUMA_NO_NODE;
}

static void map_object_free(struct bc_object *obj)
{
	struct bc_map *map = container_of(obj, struct bc_map, obj);
	struct bc_btf *btf = map->btf;

	bc_timers_free(map);
	map->ops->free(map);
	if (btf)
		bc_btf_put(btf);
}

static const struct bc_obj_ops map_object_ops = {
	.free = map_object_free,
};

/* Letters, digits, '_' and '.', with a NUL before the end. */
static int copy_name(char *dst, const char *src)
{
	u32 i;

	for (i = 0; i < BPF_OBJ_NAME_LEN && src[i]; i++) {
		if (!isascii(src[i]) || (!isalnum(src[i]) && src[i] != '_' && src[i] != '.'))
			return -EINVAL;
	}
	if (i == BPF_OBJ_NAME_LEN)
		return -EINVAL;
	memcpy(dst, src, BPF_OBJ_NAME_LEN);
	return 0;
}

static bool is_number(const struct bc_btf *btf, u32 id, u32 bits)
{
	const struct btf_type *t = bc_btf_skip_modifiers(btf, &id);
	u32 data;

	if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_INT)
		return false;
	data = *(const u32 *)(t + 1);
	return BTF_INT_BITS(data) == bits && !BTF_INT_OFFSET(data) && t->size * 8 == bits;
}

/* Of a cgroup's storage: the cgroup's number, or struct bpf_cgroup_storage_key. */
static int check_storage_key(const struct bc_btf *btf, u32 size, const struct btf_type *key)
{
	const struct btf_member *m = (const struct btf_member *)(key + 1);
	u32 data;

	if (!key)
		return -EINVAL;
	if (size == sizeof(u64)) {
		if (BTF_INFO_KIND(key->info) != BTF_KIND_INT)
			return -EINVAL;
		data = *(const u32 *)(key + 1);
		return BTF_INT_BITS(data) == 64 && !BTF_INT_OFFSET(data) ? 0 : -EINVAL;
	}
	if (BTF_INFO_KIND(key->info) != BTF_KIND_STRUCT || BTF_INFO_VLEN(key->info) != 2)
		return -EINVAL;
	return !m[0].offset && is_number(btf, m[0].type, 64) && m[1].offset == 64 && is_number(btf, m[1].type, 32) ? 0 : -EINVAL;
}

/* An integer of 4 bytes. */
static bool is_word(const struct btf_type *t)
{
	u32 data;

	if (BTF_INFO_KIND(t->info) != BTF_KIND_INT)
		return false;
	data = *(const u32 *)(t + 1);
	return BTF_INT_BITS(data) == 32 && !BTF_INT_OFFSET(data);
}

/* Some types take no BTF at all, or only that of a 4-byte integer key. */
static int check_key_btf(const struct bc_map *map, const struct bc_btf *btf, const struct btf_type *key, const struct btf_type *value)
{
	switch (map->desc.type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_PERCPU_ARRAY:
		if (!key) {
			/* .bss, .data, .rodata: one value, which is a data section */
			if (map->desc.type != BPF_MAP_TYPE_ARRAY || map->desc.max_entries != 1)
				return -EINVAL;
			return BTF_INFO_KIND(value->info) == BTF_KIND_DATASEC ? 0 : -EINVAL;
		}
		return is_word(key) ? 0 : -EINVAL;
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
		return key && is_word(key) ? 0 : -EINVAL;
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		return 0;
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return check_storage_key(btf, map->desc.key_size, key);
	case BPF_MAP_TYPE_LPM_TRIE:
		return key && BTF_INFO_KIND(key->info) == BTF_KIND_STRUCT ? 0 : -EINVAL;
	case BPF_MAP_TYPE_BLOOM_FILTER:
		return key ? -EINVAL : 0;
	default:
		return -ENOTSUPP;
	}
}

/* Types that may be described by a value type alone. */
static bool keyless_btf(u32 type)
{
	switch (type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
	case BPF_MAP_TYPE_RINGBUF:
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_QUEUE:
	case BPF_MAP_TYPE_STACK:
		return false;
	default:
		return true;
	}
}

static bool may_hold_lock(u32 type)
{
	switch (type) {
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
		return true;
	default:
		return false;
	}
}

static int check_btf(struct bc_map *map, const struct bc_btf *btf, u32 key_id, u32 value_id)
{
	const struct btf_type *key = NULL, *value;
	struct bc_map_desc *desc = &map->desc;
	int err;

	if (key_id) {
		if (bc_btf_size(btf, key_id) != desc->key_size)
			return -EINVAL;
		key = bc_btf_skip_modifiers(btf, &key_id);
		if (!key)
			return -EINVAL;
	} else if (!keyless_btf(desc->type)) {
		return -EINVAL;
	}
	if (bc_btf_size(btf, value_id) != desc->value_size)
		return -EINVAL;
	value = bc_btf_skip_modifiers(btf, &value_id);
	if (!value)
		return -EINVAL;

	desc->spin_lock_off = bc_btf_find_spin_lock(btf, value_id);
	if (bc_map_has_lock(map)) {
		if (desc->flags & BPF_F_RDONLY_PROG)
			return -EACCES;
		if (!may_hold_lock(desc->type))
			return -ENOTSUPP;
	}
	desc->timer_off = bc_btf_find_timer(btf, value_id);
	if (bc_map_has_timer(map)) {
		if (desc->flags & BPF_F_RDONLY_PROG)
			return -EACCES;
		if (desc->type != BPF_MAP_TYPE_HASH && desc->type != BPF_MAP_TYPE_LRU_HASH && desc->type != BPF_MAP_TYPE_ARRAY)
			return -EOPNOTSUPP;
	}
	/* Linux takes the value for plain memory then. Refused here: what a program stores there would be held to no type. */
	if (bc_btf_find_kptrs(btf, value_id, bc_btf_vmlinux(), desc) == -ENOENT)
		return -EOPNOTSUPP;
	if (desc->kptr_cnt) {
		if (desc->flags & (BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG))
			return -EACCES;
		if (desc->type != BPF_MAP_TYPE_HASH && desc->type != BPF_MAP_TYPE_LRU_HASH && desc->type != BPF_MAP_TYPE_ARRAY &&
		    desc->type != BPF_MAP_TYPE_PERCPU_ARRAY)
			return -EOPNOTSUPP;
	}
	err = bc_map_check_holes(map);
	return err ? err : check_key_btf(map, btf, key, value);
}

static int set_btf(struct bc_map *map, const union bpf_attr *attr)
{
	struct bc_btf *btf;
	int err;

	if (!attr->btf_key_type_id && !attr->btf_value_type_id)
		return 0;
	btf = bc_btf_get_fd(attr->btf_fd);
	if (IS_ERR(btf))
		return PTR_ERR(btf);
	err = btf->kernel ? -EACCES : 0;
	if (!err && attr->btf_value_type_id)
		err = check_btf(map, btf, attr->btf_key_type_id, attr->btf_value_type_id);
	if (err) {
		/* Whoever frees the map looks for what its values hold, and in maps that may hold none there is no place for it. */
		map->desc.kptr_cnt = 0;
		bc_btf_put(btf);
		return err;
	}
	map->btf = btf;
	map->desc.btf = btf;
	map->desc.btf_key_type_id = attr->btf_key_type_id;
	map->desc.btf_value_type_id = attr->btf_value_type_id;
	return 0;
}

static int fd_flags(u32 map_flags)
{
	switch (map_flags & (BPF_F_RDONLY | BPF_F_WRONLY)) {
	case 0:
		return O_RDWR;
	case BPF_F_RDONLY:
		return O_RDONLY;
	case BPF_F_WRONLY:
		return O_WRONLY;
	default:
		return -EINVAL;
	}
}

/* A map in a network device: none can hold one. */
static int offload(const union bpf_attr *attr)
{
	struct net_device *dev;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (attr->map_type != BPF_MAP_TYPE_ARRAY && attr->map_type != BPF_MAP_TYPE_HASH)
		return -EINVAL;
	dev = dev_get_by_index(current->nsproxy->net_ns, attr->map_ifindex);
	if (!dev)
		return -EINVAL;
	dev_put(dev);
	return -EOPNOTSUPP;
}

int bc_cmd_map_create(union bpf_attr *attr, union bpf_attr __user *uattr, u32 size)
{
	int node = bc_map_attr_node(attr);
	const struct bc_map_ops *ops;
	struct bc_map *map;
	int flags, err;

	/* struct_ops is the one type that takes a kernel type, and there is none of it here */
	if (attr->btf_vmlinux_value_type_id &&
	    (attr->map_type != BPF_MAP_TYPE_STRUCT_OPS || attr->btf_key_type_id || attr->btf_value_type_id))
		return -EINVAL;
	if (!attr->btf_vmlinux_value_type_id && attr->btf_key_type_id && !attr->btf_value_type_id)
		return -EINVAL;
	if (attr->map_type != BPF_MAP_TYPE_BLOOM_FILTER && attr->map_extra)
		return -EINVAL;
	flags = fd_flags(attr->map_flags);
	if (flags < 0)
		return flags;
	if (node != NUMA_NO_NODE && ((u32)node >= nr_node_ids || !node_online(node)))
		return -EINVAL;

	ops = bc_map_ops_for(attr->map_type);
	if (!ops)
		return -EINVAL;
	if (ops->alloc_check) {
		err = ops->alloc_check(attr);
		if (err)
			return err;
	}
	if (attr->map_ifindex)
		return offload(attr);
	map = ops->alloc(attr);
	if (IS_ERR(map))
		return PTR_ERR(map);
	map->ops = ops;
	mutex_init(&map->freeze_lock);
	spin_lock_init(&map->owner_lock);
	err = copy_name(map->desc.name, attr->map_name);
	if (!err)
		err = set_btf(map, attr);
	if (err) {
		ops->free(map);
		return err;
	}
	err = bc_object_init(&map->obj, BC_OBJ_MAP, &map_object_ops);
	if (err) {
		if (map->btf)
			bc_btf_put(map->btf);
		ops->free(map);
		return err;
	}
	err = bc_map_has_timer(map) ? bc_timers_new(map) : 0;
	if (!err)
		err = bc_object_publish(&map->obj);
	if (err) {
		bc_map_put(map);
		return err;
	}
	map->desc.id = map->obj.id;
	return bc_object_fd(&map->obj, flags);
}

void bc_map_get(struct bc_map *map)
{
	bc_object_get(&map->obj);
}

void bc_map_put(struct bc_map *map)
{
	bc_object_put(&map->obj);
}

void bc_map_uref_get(struct bc_map *map)
{
	atomic_inc(&map->urefs);
}

void bc_map_uref_put(struct bc_map *map)
{
	if (!atomic_dec_and_test(&map->urefs))
		return;
	if (map->timers)
		bc_timers_release(map);
	if (map->ops->release_uref)
		map->ops->release_uref(map);
}

struct bc_map *bc_map_get_fd(u32 fd)
{
	struct file *file = fget(fd);
	struct bc_object *obj;

	if (!file)
		return ERR_PTR(-EBADF);
	obj = bc_object_of_file(file, BC_OBJ_MAP);
	if (obj)
		bc_object_get(obj);
	fput(file);
	return obj ? container_of(obj, struct bc_map, obj) : ERR_PTR(-EINVAL);
}
