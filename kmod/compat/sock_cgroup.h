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
	struct kernfs_node *kn;
	struct cgroup *cgrp;
	u64 id;

	if (!compat_sock_is_there(sk) || compat_read_kernel(&data, &sk->sk_cgrp_data, sizeof(data)))
		return NULL;
	cgrp = sock_cgroup_ptr(&data);
	if (compat_read_kernel(&kn, &cgrp->kn, sizeof(kn)) || compat_read_kernel(&id, &kn->id, sizeof(id)))
		return NULL;
	return cgrp;
}

static inline u64 compat_sock_cgroup_id(const struct sock *sk)
{
	struct cgroup *cgrp = compat_sock_cgroup(sk);

	return cgrp ? cgroup_id(cgrp) : 0;
}

static inline u64 compat_sock_ancestor_cgroup_id(const struct sock *sk, int level)
{
	struct cgroup *cgrp = compat_sock_cgroup(sk);

	cgrp = cgrp && level >= 0 ? cgroup_ancestor(cgrp, level) : NULL;
	return cgrp ? cgroup_id(cgrp) : 0;
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
