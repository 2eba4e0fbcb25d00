// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's functions on the statistics of cgroups, which programs call by their BTF.
 */
#include "helpers.h"
#include "../compat/cgroup_rstat.h"

u64 bc_host_cgroup_rstat_updated(u64 cgroup, u64 cpu, u64 r3, u64 r4, u64 r5)
{
	compat_rstat_updated((struct cgroup *)cgroup, (int)cpu);
	return 0;
}

/* Only programs that may sleep call it: in process context. What others count is collected by programs of theirs. */
u64 bc_host_cgroup_rstat_flush(u64 cgroup, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bc_run_suspended suspended;

	if (!compat_is_cgroup((const struct cgroup *)cgroup))
		return 0;
	bc_run_suspend(&suspended);
	compat_rstat_flush((struct cgroup *)cgroup);
	bc_run_resume(&suspended);
	return 0;
}
