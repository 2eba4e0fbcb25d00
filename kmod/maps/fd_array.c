// SPDX-License-Identifier: GPL-2.0-only
/*
 * What arrays of fds have in common.
 */
#include "fd_array.h"

int fd_array_check(const union bpf_attr *attr)
{
	u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY;

	if (attr->map_type == BPF_MAP_TYPE_PERF_EVENT_ARRAY)
		known |= BPF_F_PRESERVE_ELEMS;
	if (attr->value_size != 4 || !attr->max_entries || attr->key_size != 4 || (attr->map_flags & ~known))
		return -EINVAL;
	return 0;
}

static size_t table_bytes(u32 type, u32 max_entries)
{
	size_t entries = type == BPF_MAP_TYPE_PROG_ARRAY ? max_entries : 0;

	return sizeof(struct bc_fd_array) + entries * sizeof(u64);
}

struct bc_map *fd_array_alloc(const union bpf_attr *attr)
{
	size_t size = table_bytes(attr->map_type, attr->max_entries);
	struct bc_fd_array *array = bc_map_new(attr, size);

	if (!array)
		return ERR_PTR(-ENOMEM);
	array->slots = bc_alloc(&array->map.obj, (size_t)attr->max_entries * sizeof(void *));
	if (!array->slots) {
		bc_map_delete(array, size);
		return ERR_PTR(-ENOMEM);
	}
	mutex_init(&array->lock);
	return &array->map;
}

void fd_array_free(struct bc_map *map)
{
	struct bc_fd_array *array = fd_array_of(map);

	bc_free(&map->obj, array->slots, (size_t)map->desc.max_entries * sizeof(void *));
	bc_map_delete(array, table_bytes(map->desc.type, map->desc.max_entries));
}

int fd_array_exchange(struct bc_map *map, u32 index, void *new, void **old)
{
	if (index >= map->desc.max_entries)
		return -E2BIG;
	*old = xchg(&fd_array_of(map)->slots[index], new);
	return 0;
}
