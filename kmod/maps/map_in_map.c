// SPDX-License-Identifier: GPL-2.0-only
/*
 * Maps whose values are maps: arrays and hash maps. The verifier judges what programs do with an inner map by a template, taken from a map
 * at creation: every map that is put in is alike in all that a verdict may rest on. An inner map that is taken out lives until no program
 * can see it any more.
 */
#include "fd_array.h"
#include "hashtab.h"

/* Types that may be inner maps: none that could hold the outer one again, and none whose meaning depends on the program. */
static bool may_be_inner(const struct bc_map *map)
{
	switch (map->desc.type) {
	case BPF_MAP_TYPE_PROG_ARRAY:
	case BPF_MAP_TYPE_STRUCT_OPS:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return false;
	default:
		return true;
	}
}

static void template_free(struct bc_map_desc *inner)
{
	if (inner->btf)
		bc_btf_put((struct bc_btf *)inner->btf);
	bc_free(NULL, inner, sizeof(*inner));
}

static struct bc_map_desc *template_of(struct bc_map *map)
{
	struct bc_map_desc *inner;

	if (map->desc.inner)
		return ERR_PTR(-EINVAL);
	if (!may_be_inner(map) || bc_map_has_lock(map))
		return ERR_PTR(-ENOTSUPP);
	inner = bc_alloc(NULL, sizeof(*inner));
	if (!inner)
		return ERR_PTR(-ENOMEM);
	*inner = map->desc;
	/* what belongs to that one map alone */
	inner->id = 0;
	inner->frozen_rdonly = false;
	inner->kptr_err = 0;
	memset(inner->name, 0, sizeof(inner->name));
	if (map->btf)
		bc_btf_get(map->btf);
	return inner;
}

static struct bc_map_desc *template_of_fd(u32 fd)
{
	struct bc_map *map = bc_map_get_fd(fd);
	struct bc_map_desc *inner;

	if (IS_ERR(map))
		return ERR_CAST(map);
	inner = template_of(map);
	bc_map_put(map);
	return inner;
}

static bool same_kptrs(const struct bc_map_desc *a, const struct bc_map_desc *b)
{
	u32 i;

	if (a->kptr_cnt != b->kptr_cnt || (a->kptr_cnt && a->kptr_btf != b->kptr_btf))
		return false;
	for (i = 0; i < a->kptr_cnt; i++) {
		if (a->kptrs[i].off != b->kptrs[i].off || a->kptrs[i].btf_id != b->kptrs[i].btf_id || a->kptrs[i].ref != b->kptrs[i].ref)
			return false;
	}
	return true;
}

static bool alike(const struct bc_map_desc *template, const struct bc_map_desc *map)
{
	if (template->type != map->type || template->key_size != map->key_size || template->value_size != map->value_size ||
	    max(template->timer_off, -1) != max(map->timer_off, -1) || template->flags != map->flags || !same_kptrs(template, map))
		return false;
	/* programs know of no lock in it (the template has none), and would write over it; Linux 6.1 lets them, later ones do not */
	if (map->spin_lock_off >= 0)
		return false;
	return template->type != BPF_MAP_TYPE_ARRAY || (template->flags & BPF_F_INNER_MAP) || template->max_entries == map->max_entries;
}

static struct bc_map *get_inner(const struct bc_map *outer, u32 fd)
{
	struct bc_map *map = bc_map_get_fd(fd);

	if (!IS_ERR(map) && !alike(outer->desc.inner, &map->desc)) {
		bc_map_put(map);
		return ERR_PTR(-EINVAL);
	}
	return map;
}

/* Whoever changed an outer map may rely on it that no program runs on with what was there. */
static int wait_for_programs(int err)
{
	bc_synchronize_sched();
	return err;
}

static struct bc_map *alloc_outer(const union bpf_attr *attr, struct bc_map *(*alloc)(const union bpf_attr *attr))
{
	struct bc_map_desc *inner = template_of_fd(attr->inner_map_fd);
	struct bc_map *map;

	if (IS_ERR(inner))
		return ERR_CAST(inner);
	map = alloc(attr);
	if (IS_ERR(map))
		template_free(inner);
	else
		map->desc.inner = inner;
	return map;
}

/* ---- arrays ---- */

static struct bc_map *array_of_maps_alloc(const union bpf_attr *attr)
{
	return alloc_outer(attr, fd_array_alloc);
}

static int set_slot(struct bc_map *map, u32 index, struct bc_map *new)
{
	void *old = NULL;
	int err = fd_array_exchange(map, index, new, &old);

	if (err)
		return err;
	if (old)
		bc_map_put(old);
	else if (!new)
		return -ENOENT;
	return 0;
}

static void array_of_maps_free(struct bc_map *map)
{
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++) {
		if (fd_array_of(map)->slots[i])
			set_slot(map, i, NULL);
	}
	template_free((struct bc_map_desc *)map->desc.inner);
	fd_array_free(map);
}

static void *array_of_maps_lookup(struct bc_map *map, const void *key)
{
	return fd_array_slot(map, READ_ONCE(*(const u32 *)key));
}

static int array_of_maps_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct bc_map *inner;

	bc_syscall_enter();
	inner = fd_array_slot(map, *(const u32 *)key);
	if (inner)
		*(u32 *)value = inner->desc.id;
	bc_syscall_exit();
	return inner ? 0 : -ENOENT;
}

static int array_of_maps_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u32 index = *(const u32 *)key;
	struct bc_map *inner;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->desc.max_entries)
		return -E2BIG;
	inner = get_inner(map, *(const u32 *)value);
	if (IS_ERR(inner))
		return PTR_ERR(inner);
	return wait_for_programs(set_slot(map, index, inner));
}

static int array_of_maps_sys_delete(struct bc_map *map, const void *key)
{
	return wait_for_programs(set_slot(map, *(const u32 *)key, NULL));
}

const struct bc_map_ops bc_array_of_maps_ops = {
	.alloc_check = fd_array_check,
	.alloc = array_of_maps_alloc,
	.free = array_of_maps_free,
	.lookup = array_of_maps_lookup,
	.sys_lookup = array_of_maps_sys_lookup,
	.sys_update = array_of_maps_sys_update,
	.sys_delete = array_of_maps_sys_delete,
	.sys_next_key = bc_array_next_key,
	.lookup_batch = bc_generic_lookup_batch,
	.update_batch = bc_generic_update_batch,
};

/* ---- hash maps: elements hold the map's address (struct bc_htab.of_maps) ---- */

static int hash_of_maps_check(const union bpf_attr *attr)
{
	return attr->value_size == sizeof(u32) ? bc_htab_ops.alloc_check(attr) : -EINVAL;
}

static struct bc_map *hash_of_maps_alloc(const union bpf_attr *attr)
{
	return alloc_outer(attr, bc_htab_ops.alloc);
}

static void hash_of_maps_free(struct bc_map *map)
{
	template_free((struct bc_map_desc *)map->desc.inner);
	bc_htab_ops.free(map);
}

static void *hash_of_maps_lookup(struct bc_map *map, const void *key)
{
	struct bc_map **value = bc_htab_ops.lookup(map, key);

	return value ? READ_ONCE(*value) : NULL;
}

static int hash_of_maps_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_map *inner = get_inner(map, *(const u32 *)value);
	int err;

	if (IS_ERR(inner))
		return PTR_ERR(inner);
	err = bc_htab_ops.sys_update(map, key, &inner, flags);
	if (err)
		bc_map_put(inner);
	return wait_for_programs(err);
}

static int hash_of_maps_sys_delete(struct bc_map *map, const void *key)
{
	long err;

	bc_syscall_enter();
	err = bc_htab_ops.delete(map, key);
	bc_syscall_exit();
	return wait_for_programs(err);
}

const struct bc_map_ops bc_hash_of_maps_ops = {
	.alloc_check = hash_of_maps_check,
	.alloc = hash_of_maps_alloc,
	.free = hash_of_maps_free,
	.lookup = hash_of_maps_lookup,
	.update = htab_update,
	.sys_lookup = htab_sys_lookup,
	.sys_update = hash_of_maps_sys_update,
	.sys_delete = hash_of_maps_sys_delete,
	.sys_next_key = htab_sys_next_key,
	.lookup_batch = htab_lookup_batch,
	.lookup_and_delete_batch = htab_lookup_and_delete_batch,
	.update_batch = bc_generic_update_batch,
	.delete_batch = bc_generic_delete_batch,
};
