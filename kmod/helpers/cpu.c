// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the CPU and the run they are in: processor, node, random numbers, per-CPU variables, the event's address and cookie.
 */
#include "helpers.h"
#include <linux/random.h>
#include <linux/topology.h>

static DEFINE_PER_CPU(u64, prandom_state);

BC_HELPER(get_smp_processor_id)
{
	return smp_processor_id();
}

BC_HELPER(get_numa_node_id)
{
	return numa_node_id();
}

/*
 * splitmix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, 2014) on state of this CPU: no lock, so it
 * serves in NMI. Not for secrets, as Linux says of its own.
 */
BC_HELPER(get_prandom_u32)
{
	u64 z = __this_cpu_read(prandom_state) + 0x9e3779b97f4a7c15ULL;

	__this_cpu_write(prandom_state, z);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
	return (u32)((z ^ (z >> 31)) >> 32);
}

void bc_prandom_seed(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		get_random_bytes(per_cpu_ptr(&prandom_state, cpu), sizeof(u64));
}

BC_HELPER(per_cpu_ptr)
{
	u32 cpu = (u32)r2;

	if (cpu >= nr_cpu_ids || !cpu_possible(cpu))
		return 0;
	return (u64)per_cpu_ptr((void __percpu *)r1, cpu);
}

BC_HELPER(this_cpu_ptr)
{
	return (u64)this_cpu_ptr((void __percpu *)r1);
}

BC_HELPER(get_func_ip)
{
	return bc_this_run()->func_ip;
}

BC_HELPER(get_attach_cookie)
{
	return bc_this_run()->cookie;
}
