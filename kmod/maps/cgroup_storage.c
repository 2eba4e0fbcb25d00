// SPDX-License-Identifier: GPL-2.0-only
/*
 * Storage of cgroups for the programs attached to them. None can be attached here, so that a map has no element for system calls to find;
 * a test run has storage of its own, as on Linux, for as long as it lasts.
 */
#include "cgroup_storage.h"
#include "maps.h"

/* Linux: BPF_LOCAL_STORAGE_MAX_VALUE_SIZE, which leaves room for the head of an element in 16 bits of bytes. */
#define MAX_VALUE (U16_MAX - 128)

struct cgroup_storage {
	struct bc_map map;
	void *stray;		/* for programs that run without a cgroup and without a test: callbacks of timers, targets of tail calls */
};

static struct cgroup_storage *storage_of(const struct bc_map *map)
{
	return container_of(map, struct cgroup_storage, map);
}

static bool is_percpu(u32 type)
{
	return type == BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE;
}

static int storage_check(const union bpf_attr *attr)
{
	u32 known = BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG;
	u32 most = is_percpu(attr->map_type) ? BC_PCPU_MAX_VALUE : MAX_VALUE;

	if ((attr->key_size != sizeof(struct bpf_cgroup_storage_key) && attr->key_size != sizeof(u64)) || !attr->value_size)
		return -EINVAL;
	if (attr->value_size > most)
		return -E2BIG;
	if ((attr->map_flags & ~known) || !bc_map_access_flags_ok(attr->map_flags) || attr->max_entries)
		return -EINVAL;
	return 0;
}

static void storage_free(struct bc_map *map)
{
	bc_free(&map->obj, storage_of(map)->stray, map->desc.value_size);
	bc_map_delete(storage_of(map), sizeof(struct cgroup_storage));
}

static struct bc_map *storage_alloc(const union bpf_attr *attr)
{
	struct cgroup_storage *s = bc_map_new(attr, sizeof(*s));

	if (!s)
		return ERR_PTR(-ENOMEM);
	s->stray = bc_alloc(&s->map.obj, attr->value_size);
	if (!s->stray) {
		bc_map_delete(s, sizeof(*s));
		return ERR_PTR(-ENOMEM);
	}
	return &s->map;
}

static int storage_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	return -ENOENT;
}

static int storage_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u64 known = is_percpu(map->desc.type) ? BPF_EXIST : BPF_EXIST | BPF_F_LOCK;

	return flags & ~known ? -EINVAL : -ENOENT;
}

static int storage_sys_delete(struct bc_map *map, const void *key)
{
	return -EINVAL;
}

static int storage_sys_next_key(struct bc_map *map, const void *key, void *next)
{
	return -ENOENT;
}

static size_t storage_sys_value_size(const struct bc_map *map)
{
	return is_percpu(map->desc.type) ? bc_pcpu_sys_value_size(map) : map->desc.value_size;
}

const struct bc_map_ops bc_cgroup_storage_ops = {
	.alloc_check = storage_check,
	.alloc = storage_alloc,
	.free = storage_free,
	.lookup = bc_map_no_lookup,
	.sys_lookup = storage_sys_lookup,
	.sys_update = storage_sys_update,
	.sys_delete = storage_sys_delete,
	.sys_next_key = storage_sys_next_key,
	.sys_value_size = storage_sys_value_size,
};

/* ---- test runs ---- */

int bc_run_storage_make(const struct bc_prog *prog, struct bc_run_storage *run)
{
	u32 i, n = 0;

	memset(run, 0, sizeof(*run));
	for (i = 0; i < prog->v.used_map_cnt && n < ARRAY_SIZE(run->of); i++) {
		struct bc_map *map = bc_map_of(prog->v.used_maps[i]);

		if (map->ops != &bc_cgroup_storage_ops)
			continue;
		run->of[n].value = bc_alloc(NULL, map->desc.value_size);
		if (!run->of[n].value) {
			bc_run_storage_free(run);
			return -ENOMEM;
		}
		run->of[n++].map = map;
	}
	return 0;
}

void bc_run_storage_free(struct bc_run_storage *run)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(run->of) && run->of[i].map; i++)
		bc_free(NULL, run->of[i].value, run->of[i].map->desc.value_size);
}

void *bc_run_storage_value(const struct bc_run_storage *run, const struct bc_map *map)
{
	u32 i;

	for (i = 0; run && i < ARRAY_SIZE(run->of); i++)
		if (run->of[i].map == map)
			return run->of[i].value;
	return storage_of(map)->stray;
}
