// SPDX-License-Identifier: GPL-2.0-only
/*
 * Program arrays, the targets of tail calls. A program in the array and the array in the program would keep each other alive, so
 * the array lets go of its programs when no fd and no pin holds it any more.
 */
#include "fd_array.h"

bool bc_map_has_owner(const struct bc_map *map)
{
	return map->desc.type == BPF_MAP_TYPE_PROG_ARRAY || map->desc.type == BPF_MAP_TYPE_DEVMAP || map->desc.type == BPF_MAP_TYPE_CPUMAP;
}

bool bc_prog_map_compatible(struct bc_map *map, const struct bc_prog *prog)
{
	bool jited = prog->exec.jit_entry != NULL, ok;

	spin_lock(&map->owner_lock);
	if (!map->owner_set) {
		map->owner_set = true;
		map->owner_type = prog->type;
		map->owner_attach_type = prog->expected_attach_type;
		map->owner_attach_proto = prog->v.attach_func_proto;
		map->owner_jited = jited;
		map->owner_xdp_frags = prog->xdp_frags;
	}
	ok = map->owner_type == prog->type && map->owner_attach_proto == prog->v.attach_func_proto && map->owner_jited == jited &&
	     map->owner_xdp_frags == prog->xdp_frags;
	/* What is in a map of devices or CPUs is not what redirects to it. */
	if (map->desc.type == BPF_MAP_TYPE_PROG_ARRAY)
		ok &= map->owner_attach_type == prog->expected_attach_type;
	spin_unlock(&map->owner_lock);
	return ok;
}

const struct bc_exec_prog *bc_tail_call_target(u64 map, u32 index)
{
	struct bc_prog *prog = fd_array_slot(bc_map_of((struct bc_map_desc *)(unsigned long)map), index);

	return prog ? &prog->exec : NULL;
}

/* Programs are freed after a grace period anyway. */
static int set_slot(struct bc_map *map, u32 index, struct bc_prog *prog)
{
	struct bc_fd_array *array = fd_array_of(map);
	void *old = NULL;
	int err;

	mutex_lock(&array->lock);
	err = fd_array_exchange(map, index, prog, &old);
	if (!err)
		WRITE_ONCE(array->entries[index], prog ? prog->exec.jit_tail : 0);
	mutex_unlock(&array->lock);
	if (err)
		return err;
	if (old)
		bc_prog_put(old);
	else if (!prog)
		return -ENOENT;
	return 0;
}

static int prog_array_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u32 index = *(const u32 *)key;
	struct bc_prog *prog;
	int err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->desc.max_entries)
		return -E2BIG;
	prog = bc_prog_get_fd(*(const u32 *)value);
	if (IS_ERR(prog))
		return PTR_ERR(prog);
	err = bc_prog_map_compatible(map, prog) ? set_slot(map, index, prog) : -EINVAL;
	if (err)
		bc_prog_put(prog);
	return err;
}

static int prog_array_sys_delete(struct bc_map *map, const void *key)
{
	return set_slot(map, *(const u32 *)key, NULL);
}

static int prog_array_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct bc_prog *prog;

	bc_syscall_enter();
	prog = fd_array_slot(map, *(const u32 *)key);
	if (prog)
		*(u32 *)value = prog->obj.id;
	bc_syscall_exit();
	return prog ? 0 : -ENOENT;
}

static void release_uref(struct bc_map *map)
{
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++) {
		if (READ_ONCE(fd_array_of(map)->slots[i]))
			set_slot(map, i, NULL);
	}
}

static void prog_array_free(struct bc_map *map)
{
	release_uref(map);
	fd_array_free(map);
}

const struct bc_map_ops bc_prog_array_ops = {
	.alloc_check = fd_array_check,
	.alloc = fd_array_alloc,
	.free = prog_array_free,
	.release_uref = release_uref,
	.lookup = bc_map_no_lookup,
	.sys_lookup = prog_array_sys_lookup,
	.sys_update = prog_array_sys_update,
	.sys_delete = prog_array_sys_delete,
	.sys_next_key = bc_array_next_key,
};
