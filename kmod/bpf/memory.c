// SPDX-License-Identifier: GPL-2.0-only
/*
 * The module's memory: counted per object and in total, and capped. Never charged to RLIMIT_MEMLOCK (libbpf does not raise that limit
 * on a kernel as new as the one that we show it).
 */
#include "core.h"
#include <linux/cache.h>
#include <linux/topology.h>

static unsigned long max_memory;
module_param(max_memory, ulong, 0644);
MODULE_PARM_DESC(max_memory, "most bytes that maps, programs and BTF may take; default: a quarter of the machine's memory");

static atomic64_t total = ATOMIC64_INIT(0);

u64 bc_memory_total(void)
{
	return atomic64_read(&total);
}

u64 bc_memory_max(void)
{
	return READ_ONCE(max_memory);
}

int bc_memory_init(void)
{
	if (!max_memory) {
		struct sysinfo info;

		si_meminfo(&info);
		max_memory = (u64)info.totalram * info.mem_unit / 4;
	}
	return 0;
}

bool bc_memory_charge(struct bc_object *obj, size_t size)
{
	if (atomic64_add_return(size, &total) > (s64)READ_ONCE(max_memory)) {
		atomic64_sub(size, &total);
		return false;
	}
	if (obj)
		atomic64_add(size, &obj->bytes);
	return true;
}

void bc_memory_uncharge(struct bc_object *obj, size_t size)
{
	atomic64_sub(size, &total);
	if (obj)
		atomic64_sub(size, &obj->bytes);
}

static void *alloc_pages_or_slab(size_t size, int node)
{
	if (size <= PAGE_SIZE)
		return kzalloc_node(size, BC_GFP | __GFP_NOWARN, node);
	return bc_vzalloc(size);
}

void *bc_alloc(struct bc_object *obj, size_t size)
{
	void *p;

	if (!size || !bc_memory_charge(obj, size))
		return NULL;
	p = alloc_pages_or_slab(size, NUMA_NO_NODE);
	if (!p)
		bc_memory_uncharge(obj, size);
	return p;
}

void *bc_alloc_user(struct bc_object *obj, size_t size)
{
	void *p;

	if (!size || !bc_memory_charge(obj, PAGE_ALIGN(size)))
		return NULL;
	p = bc_vzalloc_user(PAGE_ALIGN(size));
	if (!p)
		bc_memory_uncharge(obj, PAGE_ALIGN(size));
	return p;
}

void bc_free(struct bc_object *obj, void *p, size_t size)
{
	if (!p)
		return;
	bc_kvfree(p);
	bc_memory_uncharge(obj, size);
}

void bc_free_user(struct bc_object *obj, void *p, size_t size)
{
	if (!p)
		return;
	vfree(p);
	bc_memory_uncharge(obj, PAGE_ALIGN(size));
}

/*
 * alloc_percpu serves a few KiB at most on 3.10, and its chunks can't be given back. So a per-CPU block is an array of pointers, one for
 * each CPU, to blocks in that CPU's own memory.
 */
void *bc_alloc_percpu(struct bc_object *obj, size_t size)
{
	size_t block = ALIGN(size, SMP_CACHE_BYTES);
	void **blocks;
	int cpu;

	if (!size || size > ULONG_MAX / nr_cpu_ids / 2 || !bc_memory_charge(obj, block * num_possible_cpus()))
		return NULL;
	blocks = kzalloc(nr_cpu_ids * sizeof(*blocks), BC_GFP);
	if (blocks) {
		for_each_possible_cpu(cpu) {
			blocks[cpu] = alloc_pages_or_slab(block, cpu_to_node(cpu));
			if (!blocks[cpu])
				break;
			cond_resched();
		}
		if (cpu >= (int)nr_cpu_ids)
			return blocks;
	}
	bc_free_percpu(obj, blocks, size);
	if (!blocks)
		bc_memory_uncharge(obj, block * num_possible_cpus());
	return NULL;
}

void bc_free_percpu(struct bc_object *obj, void *p, size_t size)
{
	void **blocks = p;
	int cpu;

	if (!p)
		return;
	for_each_possible_cpu(cpu)
		bc_kvfree(blocks[cpu]);
	kfree(blocks);
	bc_memory_uncharge(obj, ALIGN(size, SMP_CACHE_BYTES) * num_possible_cpus());
}

void *bc_percpu_ptr(void *p, size_t size, int cpu)
{
	return ((void **)p)[cpu];
}
