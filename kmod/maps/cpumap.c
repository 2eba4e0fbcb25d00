// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_MAP_TYPE_CPUMAP: CPUs that packets may be handed to, each with the length of its queue and a program for what arrives there. Nothing
 * is handed over in a test run: an element is what it says, and needs no queue and no thread.
 */
#include "fd_array.h"
#include "../compat/rcu.h"

#define MOST_QUEUED 16384

struct cpu_entry {
	struct bpf_cpumap_val value;
	struct bc_prog *prog;		/* a reference, or NULL */
};

static void entry_free(struct bc_map *map, struct cpu_entry *e)
{
	if (e->prog)
		bc_prog_put(e->prog);
	bc_free(&map->obj, e, sizeof(*e));
}

/* NULL as Linux has it: whatever goes wrong is want of memory to the caller. */
static struct cpu_entry *entry_new(struct bc_map *map, const struct bpf_cpumap_val *value)
{
	struct cpu_entry *e = bc_alloc(&map->obj, sizeof(*e));
	struct bc_prog *prog;

	if (!e)
		return NULL;
	e->value.qsize = value->qsize;
	if (value->bpf_prog.fd <= 0)
		return e;
	prog = bc_prog_get_fd(value->bpf_prog.fd);
	if (!IS_ERR(prog)) {
		e->prog = prog;
		e->value.bpf_prog.id = prog->obj.id;
		if (prog->type == BPF_PROG_TYPE_XDP && prog->expected_attach_type == BPF_XDP_CPUMAP && bc_prog_map_compatible(map, prog))
			return e;
	}
	entry_free(map, e);
	return NULL;
}

/* @e NULL: empties the place. */
static void set_slot(struct bc_map *map, u32 cpu, struct cpu_entry *e)
{
	void *old = NULL;

	mutex_lock(&fd_array_of(map)->lock);
	fd_array_exchange(map, cpu, e, &old);
	mutex_unlock(&fd_array_of(map)->lock);
	if (!old)
		return;
	bc_synchronize_sched();
	entry_free(map, old);
}

static void *cpumap_lookup(struct bc_map *map, const void *key)
{
	struct cpu_entry *e = fd_array_slot(map, READ_ONCE(*(const u32 *)key));

	return e ? &e->value : NULL;
}

static int cpumap_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bpf_cpumap_val given = { 0 };
	struct cpu_entry *e = NULL;
	u32 cpu = *(const u32 *)key;

	memcpy(&given, value, map->desc.value_size);
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (cpu >= map->desc.max_entries)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	if (given.qsize > MOST_QUEUED)
		return -EOVERFLOW;
	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return -ENODEV;
	if (given.qsize) {
		e = entry_new(map, &given);
		if (!e)
			return -ENOMEM;
	}
	set_slot(map, cpu, e);
	return 0;
}

static int cpumap_sys_delete(struct bc_map *map, const void *key)
{
	u32 cpu = *(const u32 *)key;

	if (cpu >= map->desc.max_entries)
		return -EINVAL;
	set_slot(map, cpu, NULL);
	return 0;
}

/* A program that is in the map may use it, and the two would hold each other for ever. It is never run: that it was there is left. */
static void release_uref(struct bc_map *map)
{
	struct bc_fd_array *array = fd_array_of(map);
	struct cpu_entry *e;
	u32 i;

	mutex_lock(&array->lock);
	for (i = 0; i < map->desc.max_entries; i++) {
		e = array->slots[i];
		if (!e || !e->prog)
			continue;
		bc_prog_put(e->prog);
		e->prog = NULL;
	}
	mutex_unlock(&array->lock);
}

static void cpumap_free(struct bc_map *map)
{
	struct bc_fd_array *array = fd_array_of(map);
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++)
		if (array->slots[i])
			entry_free(map, array->slots[i]);
	fd_array_free(map);
}

static struct bc_map *cpumap_alloc(const union bpf_attr *attr)
{
	if (!attr->max_entries || attr->key_size != sizeof(u32) || (attr->map_flags & ~BPF_F_NUMA_NODE) ||
	    (attr->value_size != offsetofend(struct bpf_cpumap_val, qsize) && attr->value_size != sizeof(struct bpf_cpumap_val)))
		return ERR_PTR(-EINVAL);
	if (attr->max_entries > NR_CPUS)
		return ERR_PTR(-E2BIG);
	return fd_array_alloc(attr);
}

const struct bc_map_ops bc_cpumap_ops = {
	.alloc = cpumap_alloc,
	.free = cpumap_free,
	.release_uref = release_uref,
	.lookup = cpumap_lookup,
	.sys_update = cpumap_sys_update,
	.sys_delete = cpumap_sys_delete,
	.sys_next_key = bc_array_next_key,
};
