/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own SYN cookies. Kernels before 3.13 or so make them for a whole packet alone, and those before 5.4 have no function that
 * decides for who asks whether a socket wants one: there the helpers are withheld.
 */
#ifndef BPFCOMPAT_COMPAT_SYNCOOKIE_H
#define BPFCOMPAT_COMPAT_SYNCOOKIE_H

#include "compat.h"
#include "sock.h"
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/ipv6.h>
#include <net/tcp.h>

#if defined(HAVE_COOKIE_CHECK) && defined(CONFIG_SYN_COOKIES)

static inline bool compat_has_cookies(void)
{
	return bc_sym.__cookie_v4_check && bc_sym.__cookie_v4_init_sequence &&
	       (!IS_BUILTIN(CONFIG_IPV6) || (bc_sym.__cookie_v6_check && bc_sym.__cookie_v6_init_sequence));
}

/* May cookies be needed: not 0; are they always: 2. */
static inline int compat_cookies_wanted(const struct sock *sk)
{
#ifdef HAVE_NETNS_TCP_SYNCOOKIES
	return READ_ONCE(sock_net(sk)->ipv4.sysctl_tcp_syncookies);
#else
	return sysctl_tcp_syncookies;
#endif
}

static inline bool compat_cookies_not_used(const struct sock *sk)
{
	return tcp_synq_no_recent_overflow(sk);
}

/* Either protocol's: the size of segments that the cookie stands for, or 0. IPv6 only where it is built in. */
static inline int compat_cookie_check(const void *iph, bool ipv6, const struct tcphdr *th, u32 cookie)
{
	return ipv6 ? bc_sym.__cookie_v6_check(iph, th, cookie) : bc_sym.__cookie_v4_check(iph, th, cookie);
}

static inline u32 compat_cookie_make(const void *iph, bool ipv6, const struct tcphdr *th, u16 *mss)
{
	return ipv6 ? bc_sym.__cookie_v6_init_sequence(iph, th, mss) : bc_sym.__cookie_v4_init_sequence(iph, th, mss);
}

#else

static inline bool compat_has_cookies(void) { return false; }
static inline int compat_cookies_wanted(const struct sock *sk) { return 0; }
static inline bool compat_cookies_not_used(const struct sock *sk) { return true; }
static inline int compat_cookie_check(const void *iph, bool ipv6, const struct tcphdr *th, u32 cookie) { return 0; }
static inline u32 compat_cookie_make(const void *iph, bool ipv6, const struct tcphdr *th, u16 *mss) { return 0; }

#endif

static inline bool compat_has_cookies_of_sockets(void)
{
	return compat_has_cookies() && bc_sym.tcp_v4_get_syncookie && (!IS_BUILTIN(CONFIG_IPV6) || bc_sym.tcp_v6_get_syncookie);
}

/* The size of segments, or 0: the socket wants none. */
static inline u16 compat_cookie_of_socket(struct sock *sk, void *iph, bool ipv6, struct tcphdr *th, u32 *cookie)
{
	return ipv6 ? bc_sym.tcp_v6_get_syncookie(sk, iph, th, cookie) : bc_sym.tcp_v4_get_syncookie(sk, iph, th, cookie);
}

#endif
