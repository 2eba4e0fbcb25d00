/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets: which of what looks like one is one as a whole, and what not all kernels have of them.
 */
#ifndef BPFCOMPAT_COMPAT_SOCK_H
#define BPFCOMPAT_COMPAT_SOCK_H

#include "compat.h"
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp_states.h>

/* enum TCP_TIME_WAIT, TCP_NEW_SYN_RECV: the latter is not on all kernels */
#define COMPAT_TIME_WAIT	6
#define COMPAT_NEW_SYN_RECV	12

/* Sockets in these two states share no more than its beginning with a struct sock. */
static inline bool compat_is_whole_state(unsigned char state)
{
	return state != COMPAT_TIME_WAIT && state != COMPAT_NEW_SYN_RECV;
}

/* Has another protocol been put on top of TCP? */
static inline bool compat_tcp_has_ulp(const struct sock *sk)
{
#ifdef HAVE_ICSK_ULP
	return inet_csk(sk)->icsk_ulp_ops;
#else
	return false;
#endif
}

#endif
