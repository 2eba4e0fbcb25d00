/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking the kernel's cgroups from one of them on. Kernels whose hierarchies are of the old kind alone have none that are to be walked.
 */
#ifndef BPFCOMPAT_COMPAT_CGROUP_WALK_H
#define BPFCOMPAT_COMPAT_CGROUP_WALK_H

#include "compat.h"

struct cgroup;
struct seq_file;

bool compat_cgroup_walk_available(void);

/* A reference to the group behind an fd, or of that id (both 0: the root of the second hierarchy); ERR_PTR. */
struct cgroup *compat_cgroup_find(u32 fd, u64 id);
void compat_cgroup_get(struct cgroup *cgrp);
void compat_cgroup_put(struct cgroup *cgrp);

/* Process context; groups neither come nor go in between. */
void compat_cgroups_lock(void);
void compat_cgroups_unlock(void);

/* Locked: the group after @last (NULL: the first) of a walk that begins at @start; NULL: no more. @order: enum bpf_cgroup_iter_order. */
struct cgroup *compat_cgroup_next(struct cgroup *start, struct cgroup *last, u32 order);
bool compat_cgroup_is_dead(const struct cgroup *cgrp);

u64 compat_cgroup_number(struct cgroup *cgrp);
/* As the caller sees it, in his cgroup namespace. */
void compat_cgroup_show_path(struct cgroup *cgrp, struct seq_file *m);

#endif
