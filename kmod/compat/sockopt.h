/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Options of sockets, by what the kernel has for its own programs: it works on a locked socket, does not sleep, and keeps to options that
 * programs may have. Kernels before 5.10 have none of it, and what they do for system calls locks the socket itself.
 */
#ifndef BPFCOMPAT_COMPAT_SOCKOPT_H
#define BPFCOMPAT_COMPAT_SOCKOPT_H

#include "compat.h"

static inline bool compat_has_sockopt(void)
{
#if defined(HAVE_SOCKOPT_LOCK_SOCK) && !defined(HAVE_TASK_BPF_CTX)
	return false;	/* without bpf(2) of its own the kernel never takes the socket for locked, and would lock it */
#else
	return bc_sym.bpf_sk_setsockopt && bc_sym.bpf_sk_getsockopt;
#endif
}

/* 0 or -errno. The caller has locked @sk, and runs as a program does, with preemption off. */
static inline long compat_sockopt(u64 (*fn)(u64, u64, u64, u64, u64), struct sock *sk, u64 level, u64 name, u64 value, u64 len)
{
	long ret;
#ifdef HAVE_TASK_BPF_CTX
	/* By this the kernel sees that a program asks, and that the socket is locked. */
	struct bpf_run_ctx *outer = current->bpf_ctx;

	current->bpf_ctx = (struct bpf_run_ctx *)&outer;	/* nobody looks into it */
#endif
	ret = (int)fn((unsigned long)sk, level, name, value, len);
#ifdef HAVE_TASK_BPF_CTX
	current->bpf_ctx = outer;
#endif
	return ret;
}

#endif
