/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own statistics of cgroups (rstat), where it has them: noting that a group's counts have changed on a CPU, and collecting
 * them. A pointer with a type may lead nowhere: what is no cgroup is left alone.
 */
#ifndef BPFCOMPAT_COMPAT_CGROUP_RSTAT_H
#define BPFCOMPAT_COMPAT_CGROUP_RSTAT_H

#include "compat.h"

struct cgroup;

/* Can all of this be called? */
bool compat_rstat_available(void);

/* Any context, preemption off. */
void compat_rstat_updated(struct cgroup *cgrp, int cpu);
bool compat_is_cgroup(const struct cgroup *cgrp);
/* Of what is one. Process context, preemption off; calls bpf_rstat_flush(), at which there may be programs. */
void compat_rstat_flush(struct cgroup *cgrp);

#endif
