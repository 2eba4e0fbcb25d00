/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sockets: which of what looks like one is one as a whole, and what not all kernels have of them.
 */
#ifndef BPFCOMPAT_COMPAT_SOCK_H
#define BPFCOMPAT_COMPAT_SOCK_H

#include "compat.h"
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/inet_timewait_sock.h>
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

/* A reference to one of any kind, unless it is going; or is coming, as those in TIME_WAIT are found before they have one. */
static inline bool compat_sock_hold(struct sock *sk)
{
	return atomic_inc_not_zero((atomic_t *)&sk->sk_refcnt);
}

static inline void compat_sock_put(struct sock *sk)
{
#ifdef HAVE_SOCK_GEN_PUT
	sock_gen_put(sk);
#else
	if (sk->sk_state == COMPAT_TIME_WAIT)
		inet_twsk_put(inet_twsk(sk));
	else
		sock_put(sk);
#endif
}

/* Whose owner is that of a held one of any kind: NULL, nobody's. */
static inline struct sock *compat_sock_owner(struct sock *sk)
{
	if (compat_is_whole_state(sk->sk_state))
		return sk;
#ifdef HAVE_RSK_LISTENER
	if (sk->sk_state == COMPAT_NEW_SYN_RECV)
		return inet_reqsk(sk)->rsk_listener;
#endif
	return NULL;
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
