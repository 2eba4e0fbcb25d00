// SPDX-License-Identifier: GPL-2.0-only
/*
 * Which map types there are, and the answers that several of them give alike.
 */
#include "maps.h"

static const struct bc_map_ops *const types[] = {
	[BPF_MAP_TYPE_HASH] = &bc_htab_ops,
	[BPF_MAP_TYPE_ARRAY] = &bc_array_ops,
	[BPF_MAP_TYPE_PERCPU_HASH] = &bc_htab_percpu_ops,
	[BPF_MAP_TYPE_PERCPU_ARRAY] = &bc_percpu_array_ops,
	[BPF_MAP_TYPE_PROG_ARRAY] = &bc_prog_array_ops,
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = &bc_perf_event_array_ops,
	[BPF_MAP_TYPE_STACK_TRACE] = &bc_stackmap_ops,
	[BPF_MAP_TYPE_CGROUP_ARRAY] = &bc_cgroup_array_ops,
	[BPF_MAP_TYPE_LRU_HASH] = &bc_htab_lru_ops,
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = &bc_htab_lru_percpu_ops,
	[BPF_MAP_TYPE_LPM_TRIE] = &bc_lpm_ops,
	[BPF_MAP_TYPE_ARRAY_OF_MAPS] = &bc_array_of_maps_ops,
	[BPF_MAP_TYPE_HASH_OF_MAPS] = &bc_hash_of_maps_ops,
	[BPF_MAP_TYPE_DEVMAP] = &bc_devmap_ops,
	[BPF_MAP_TYPE_DEVMAP_HASH] = &bc_devmap_ops,	/* as an array, with more behind each place */
	[BPF_MAP_TYPE_CPUMAP] = &bc_cpumap_ops,
	[BPF_MAP_TYPE_CGROUP_STORAGE] = &bc_cgroup_storage_ops,
	[BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE] = &bc_cgroup_storage_ops,
	[BPF_MAP_TYPE_TASK_STORAGE] = &bc_local_storage_ops,
	[BPF_MAP_TYPE_SK_STORAGE] = &bc_local_storage_ops,
	[BPF_MAP_TYPE_INODE_STORAGE] = &bc_local_storage_ops,
	[BPF_MAP_TYPE_SOCKMAP] = &bc_sockmap_ops,
	[BPF_MAP_TYPE_SOCKHASH] = &bc_sockhash_ops,
	[BPF_MAP_TYPE_QUEUE] = &bc_queue_ops,
	[BPF_MAP_TYPE_STACK] = &bc_queue_ops,	/* they differ in which end is taken from */
	[BPF_MAP_TYPE_BLOOM_FILTER] = &bc_bloom_ops,
	[BPF_MAP_TYPE_RINGBUF] = &bc_ringbuf_ops,
	[BPF_MAP_TYPE_USER_RINGBUF] = &bc_user_ringbuf_ops,
};

const struct bc_map_ops *bc_map_ops_for(u32 map_type)
{
	return map_type < ARRAY_SIZE(types) ? types[map_type] : NULL;
}

void *bc_map_no_lookup(struct bc_map *map, const void *key)
{
	return NULL;
}
