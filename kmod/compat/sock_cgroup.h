/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The cgroup that a socket was made in, and a task's class for traffic control (net_cls). Where there is no default hierarchy all is in the
 * root group, as in cgroup.h.
 */
#ifndef BPFCOMPAT_COMPAT_SOCK_CGROUP_H
#define BPFCOMPAT_COMPAT_SOCK_CGROUP_H

#include "cgroup.h"
#include "nofault.h"
#include "sock.h"
#include <net/cls_cgroup.h>

static inline u32 compat_task_classid(struct task_struct *task)
{
#ifdef HAVE_TASK_CLS_CLASSID
	return task_cls_classid(task);
#else
	return 0;
#endif
}

/* A pointer with a type may lead nowhere; a whole socket has its group for as long as it lives. */
static inline bool compat_sock_is_there(const struct sock *sk)
{
	unsigned char state;

	return sk && !compat_read_kernel(&state, (const void *)&sk->__sk_common.skc_state, sizeof(state)) && compat_is_whole_state(state);
}

#if defined(HAVE_SOCK_CGROUP_PTR) && defined(HAVE_CGROUP_DFL) && defined(CONFIG_SOCK_CGROUP_DATA)

/* NULL: there is no such socket. */
static inline struct cgroup *compat_sock_cgroup(const struct sock *sk)
{
	struct sock_cgroup_data data;

	if (!compat_sock_is_there(sk) || compat_read_kernel(&data, &sk->sk_cgrp_data, sizeof(data)))
		return NULL;
	return sock_cgroup_ptr(&data);
}

/* Of what may be no group at all: 0, then. */
static inline u64 compat_read_cgroup_id(const struct cgroup *cgrp)
{
	struct kernfs_node *kn;
	u64 id;

	return cgrp && !compat_read_kernel(&kn, &cgrp->kn, sizeof(kn)) && !compat_read_kernel(&id, &kn->id, sizeof(id)) ? id : 0;
}

static inline u64 compat_sock_cgroup_id(const struct sock *sk)
{
	return compat_read_cgroup_id(compat_sock_cgroup(sk));
}

static inline u64 compat_sock_ancestor_cgroup_id(const struct sock *sk, int level)
{
	struct cgroup *cgrp = compat_sock_cgroup(sk);
	struct cgroup_subsys_state *parent;
	int at, last = INT_MAX;

	/* levels fall, or it is no group */
	while (cgrp && !compat_read_kernel(&at, &cgrp->level, sizeof(at)) && at >= level && at < last) {
		if (at == level)
			return compat_read_cgroup_id(cgrp);
		last = at;
		if (compat_read_kernel(&parent, &cgrp->self.parent, sizeof(parent)) || !parent)
			break;
		cgrp = container_of(parent, struct cgroup, self);
	}
	return 0;
}

#else

static inline u64 compat_sock_cgroup_id(const struct sock *sk)
{
	return compat_sock_is_there(sk) ? COMPAT_ROOT_CGROUP_ID : 0;
}

static inline u64 compat_sock_ancestor_cgroup_id(const struct sock *sk, int level)
{
	return compat_sock_is_there(sk) && !level ? COMPAT_ROOT_CGROUP_ID : 0;
}

#endif

#endif
