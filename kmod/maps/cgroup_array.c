// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays of cgroups, for bpf_current_task_under_cgroup().
 */
#include "fd_array.h"
#include "../compat/cgroup_fd.h"

long bc_current_under_cgroup(struct bc_map *map, u32 index)
{
	compat_cgroup *cgrp;

	if (unlikely(index >= map->desc.max_entries))
		return -E2BIG;
	cgrp = fd_array_slot(map, index);
	return cgrp ? compat_current_under(cgrp) : -EAGAIN;
}

static int set_slot(struct bc_map *map, u32 index, compat_cgroup *new)
{
	void *old = NULL;
	int err = fd_array_exchange(map, index, new, &old);

	if (err)
		return err;
	if (old) {
		bc_synchronize_sched();
		compat_cgroup_put(old);
	} else if (!new) {
		return -ENOENT;
	}
	return 0;
}

static int cgroup_array_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u32 index = *(const u32 *)key;
	compat_cgroup *cgrp;
	int err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->desc.max_entries)
		return -E2BIG;
	cgrp = compat_cgroup_get(*(const u32 *)value);
	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	err = set_slot(map, index, cgrp);
	if (err)
		compat_cgroup_put(cgrp);
	return err;
}

static int cgroup_array_sys_delete(struct bc_map *map, const void *key)
{
	return set_slot(map, *(const u32 *)key, NULL);
}

static void drop_all(struct bc_map *map)
{
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++) {
		if (READ_ONCE(fd_array_of(map)->slots[i]))
			set_slot(map, i, NULL);
	}
}

static void cgroup_array_free(struct bc_map *map)
{
	drop_all(map);
	fd_array_free(map);
}

const struct bc_map_ops bc_cgroup_array_ops = {
	.alloc_check = fd_array_check,
	.alloc = fd_array_alloc,
	.free = cgroup_array_free,
	.release_uref = drop_all,
	.lookup = bc_map_no_lookup,
	.sys_update = cgroup_array_sys_update,
	.sys_delete = cgroup_array_sys_delete,
	.sys_next_key = bc_array_next_key,
};
