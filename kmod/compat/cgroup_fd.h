/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A cgroup given by the fd of its directory. Kernels with the default (v2) hierarchy take a cgroup of that; 3.10 has but the v1
 * hierarchies, where a task is in one cgroup of each, and here a cgroup of any hierarchy with a controller will do.
 */
#ifndef BPFCOMPAT_COMPAT_CGROUP_FD_H
#define BPFCOMPAT_COMPAT_CGROUP_FD_H

#include "compat.h"
#include <linux/cgroup.h>

#if !defined(CONFIG_CGROUPS)

typedef void compat_cgroup;
static inline compat_cgroup *compat_cgroup_get(int fd) { return ERR_PTR(-EOPNOTSUPP); }
static inline void compat_cgroup_put(compat_cgroup *cgrp) { }
static inline bool compat_current_under(compat_cgroup *cgrp) { return false; }

#elif defined(HAVE_CGROUP_GET_FROM_FD)

typedef struct cgroup compat_cgroup;

static inline compat_cgroup *compat_cgroup_get(int fd)
{
	return cgroup_get_from_fd(fd);
}

static inline void compat_cgroup_put(compat_cgroup *cgrp)
{
	cgroup_put(cgrp);
}

static inline bool compat_current_under(compat_cgroup *cgrp)
{
	bool under;

	rcu_read_lock();
	under = task_under_cgroup_hierarchy(current, cgrp);
	rcu_read_unlock();
	return under;
}

#else

/* The open directory keeps the cgroup. */
typedef struct file compat_cgroup;

static inline struct cgroup *compat_cgroup_of(const struct file *file)
{
	return file->f_path.dentry->d_fsdata;
}

static inline compat_cgroup *compat_cgroup_get(int fd)
{
	struct file *file = fget(fd);
	struct dentry *dentry;

	if (!file)
		return ERR_PTR(-EBADF);
	dentry = file->f_path.dentry;
	if (strcmp(dentry->d_sb->s_type->name, "cgroup") || !dentry->d_inode || !S_ISDIR(dentry->d_inode->i_mode) || !dentry->d_fsdata) {
		fput(file);
		return ERR_PTR(-EBADF);
	}
	return file;
}

static inline void compat_cgroup_put(compat_cgroup *file)
{
	fput(file);
}

static inline bool compat_current_under(compat_cgroup *file)
{
	struct cgroup *wanted = compat_cgroup_of(file), *at = NULL;
	struct cgroup_subsys_state *css;
	bool under = false;
	int i;

	rcu_read_lock();
	for (i = 0; i < CGROUP_SUBSYS_COUNT && !at; i++) {
		css = rcu_dereference_raw(current->cgroups)->subsys[i];
		if (css && css->cgroup && css->cgroup->root == wanted->root)
			at = css->cgroup;
	}
	for (; at && !under; at = at->parent)
		under = at == wanted;
	rcu_read_unlock();
	return under;
}

#endif

#endif
