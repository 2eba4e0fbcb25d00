/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ids of a task's cgroups in the default (v2) hierarchy. A kernel that has no such hierarchy answers as a current one with nothing
 * mounted on it: every task is in the root group, whose id is 1.
 */
#ifndef BPFCOMPAT_COMPAT_CGROUP_H
#define BPFCOMPAT_COMPAT_CGROUP_H

#include <linux/cgroup.h>

#define COMPAT_ROOT_CGROUP_ID 1

#if defined(HAVE_CGROUP_DFL) && defined(CONFIG_CGROUPS)

static inline u64 compat_task_cgroup_id(struct task_struct *task)
{
	u64 id;

	rcu_read_lock();
	id = cgroup_id(task_dfl_cgroup(task));
	rcu_read_unlock();
	return id;
}

static inline u64 compat_task_ancestor_cgroup_id(struct task_struct *task, int level)
{
	struct cgroup *cgrp;
	u64 id;

	rcu_read_lock();
	cgrp = level < 0 ? NULL : cgroup_ancestor(task_dfl_cgroup(task), level);
	id = cgrp ? cgroup_id(cgrp) : 0;
	rcu_read_unlock();
	return id;
}

#else

static inline u64 compat_task_cgroup_id(struct task_struct *task)
{
	return COMPAT_ROOT_CGROUP_ID;
}

static inline u64 compat_task_ancestor_cgroup_id(struct task_struct *task, int level)
{
	return level ? 0 : COMPAT_ROOT_CGROUP_ID;
}

#endif

#endif
