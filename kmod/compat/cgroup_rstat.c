// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's own statistics of cgroups; see cgroup_rstat.h.
 */
#include "../bpf.h"
#include "cgroup_rstat.h"
#include "nofault.h"
#include <linux/cgroup.h>

#if defined(HAVE_CGROUP_RSTAT) && defined(CONFIG_CGROUPS) && !defined(CONFIG_PREEMPT_RT)

/* Who changes a CPU's list of changed groups holds its lock for as long, with interrupts off; who collects, while it empties the list. */
#define TRIES 500

bool compat_rstat_available(void)
{
	return bc_sym.cgroup_rstat_updated && bc_sym.cgroup_rstat_flush_irqsafe && bc_sym.cgroup_rstat_cpu_lock;
}

/* Each cgroup is its own state's group. */
bool compat_is_cgroup(const struct cgroup *cgrp)
{
	const struct cgroup *self;
	void __percpu *rstat;

	return cgrp && !compat_read_kernel(&self, &cgrp->self.cgroup, sizeof(self)) && self == cgrp &&
	       !compat_read_kernel(&rstat, &cgrp->rstat_cpu, sizeof(rstat)) && rstat;
}

/*
 * A program may have come upon the holder of the lock, which it then would wait for in vain: one that does not let go in time is taken for
 * that. What changed is collected with the next change then. (Linux would stand still.)
 */
static bool lock_is_free(int cpu)
{
	raw_spinlock_t *lock = per_cpu_ptr((raw_spinlock_t __percpu *)bc_sym.cgroup_rstat_cpu_lock, cpu);
	u32 tries;

	for (tries = 0; tries < TRIES; tries++) {
		if (!raw_spin_is_locked(lock))
			return true;
		cpu_relax();
	}
	return false;
}

/* Then it is on the CPU's list already. */
static bool is_known(const struct cgroup *cgrp, int cpu)
{
	const struct cgroup *next;

	return !compat_read_kernel(&next, &per_cpu_ptr(cgrp->rstat_cpu, cpu)->updated_next, sizeof(next)) && next;
}

void compat_rstat_updated(struct cgroup *cgrp, int cpu)
{
	if (cpu >= 0 && cpu < nr_cpu_ids && cpu_possible(cpu) && compat_is_cgroup(cgrp) && !is_known(cgrp, cpu) && lock_is_free(cpu))
		bc_sym.cgroup_rstat_updated(cgrp, cpu);
}

void compat_rstat_flush(struct cgroup *cgrp)
{
	bc_sym.cgroup_rstat_flush_irqsafe(cgrp);
}

#else

bool compat_rstat_available(void)
{
	return false;
}

bool compat_is_cgroup(const struct cgroup *cgrp)
{
	return false;
}

void compat_rstat_updated(struct cgroup *cgrp, int cpu)
{
}

void compat_rstat_flush(struct cgroup *cgrp)
{
}

#endif
