// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that make and check SYN cookies (RFC 4987), with a listening socket or without one, and one that hands a packet to a socket.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include "../compat/sock_cgroup.h"
#include "../compat/syncookie.h"

#define TCP_BYTES	20
#define MSS_DEFAULT	536	/* RFC 9293, 3.7.1 */
#define MSS_IPV6	1220	/* of the smallest packet that any link takes: RFC 8200, 5 */
#define OPT_END		0	/* RFC 9293, 3.1 */
#define OPT_NOP		1
#define OPT_MSS		2
#define OPT_MSS_BYTES	4

static u32 bytes_of(const struct tcphdr *th)
{
	return th->doff * 4;
}

/* The sender's, by its options; 0 where it tells none. The last one holds. */
static u16 mss_option(const struct tcphdr *th)
{
	const u8 *opt = (const u8 *)(th + 1), *end = (const u8 *)th + bytes_of(th);
	u16 mss = 0, told;

	while (opt < end && *opt != OPT_END) {
		if (*opt == OPT_NOP) {
			opt++;
			continue;
		}
		if (end - opt < 2 || opt[1] < 2 || opt[1] > end - opt)
			break;
		told = opt[1] == OPT_MSS_BYTES ? opt[2] << 8 | opt[3] : 0;
		if (*opt == OPT_MSS && told)
			mss = told;
		opt += opt[1];
	}
	return mss;
}

static u64 raw_cookie(const void *iph, bool ipv6, const struct tcphdr *th, u32 len)
{
	u16 mss;
	u32 cookie;

	if (ipv6 && !IS_BUILTIN(CONFIG_IPV6))
		return (s64)-EPROTONOSUPPORT;
	if (len < TCP_BYTES || len != bytes_of(th))
		return (s64)-EINVAL;
	mss = mss_option(th);
	if (!mss)
		mss = ipv6 ? MSS_IPV6 : MSS_DEFAULT;
	cookie = compat_cookie_make(iph, ipv6, th, &mss);
	return cookie | (u64)mss << 32;
}

static u32 cookie_of(const struct tcphdr *th)
{
	return ntohl(th->ack_seq) - 1;
}

BC_HELPER(tcp_raw_gen_syncookie_ipv4)
{
	return raw_cookie((const void *)r1, false, (const struct tcphdr *)r2, r3);
}

BC_HELPER(tcp_raw_gen_syncookie_ipv6)
{
	return raw_cookie((const void *)r1, true, (const struct tcphdr *)r2, r3);
}

BC_HELPER(tcp_raw_check_syncookie_ipv4)
{
	const struct tcphdr *th = (const struct tcphdr *)r2;

	return compat_cookie_check((const void *)r1, false, th, cookie_of(th)) > 0 ? 0 : (s64)-EACCES;
}

BC_HELPER(tcp_raw_check_syncookie_ipv6)
{
	const struct tcphdr *th = (const struct tcphdr *)r2;

	if (!IS_BUILTIN(CONFIG_IPV6))
		return (s64)-EPROTONOSUPPORT;
	return compat_cookie_check((const void *)r1, true, th, cookie_of(th)) > 0 ? 0 : (s64)-EACCES;
}

/* A socket that waits for connections over TCP. */
static bool listens(const struct sock *sk)
{
	return compat_sock_is_there(sk) && sk->sk_state == TCP_LISTEN && sk->sk_protocol == IPPROTO_TCP;
}

/* Does the socket take packets with this header? 0 or -errno; the length is that of the shorter one at least. */
static int takes(const struct sock *sk, const struct iphdr *iph, u32 len, bool *ipv6)
{
	*ipv6 = iph->version == 6;
	if (iph->version == 4)
		return sk->sk_family == AF_INET6 && ipv6_only_sock(sk) ? -EINVAL : 0;
	if (!*ipv6 || !IS_BUILTIN(CONFIG_IPV6))
		return -EPROTONOSUPPORT;
	return len < sizeof(struct ipv6hdr) || sk->sk_family != AF_INET6 ? -EINVAL : 0;
}

BC_HELPER(tcp_check_syncookie)
{
	const struct sock *sk = (const struct sock *)r1;
	const struct iphdr *iph = (const struct iphdr *)r2;
	const struct tcphdr *th = (const struct tcphdr *)r4;
	bool ipv6;
	int err;

	if ((u32)r5 < TCP_BYTES || !listens(sk) || !compat_cookies_wanted(sk))
		return (s64)-EINVAL;
	if (!th->ack || th->rst || th->syn)
		return (s64)-ENOENT;
	if ((u32)r3 < sizeof(*iph))
		return (s64)-EINVAL;
	if (compat_cookies_not_used(sk))
		return (s64)-ENOENT;
	err = takes(sk, iph, r3, &ipv6);
	if (err)
		return (s64)err;
	return compat_cookie_check(iph, ipv6, th, cookie_of(th)) > 0 ? 0 : (s64)-ENOENT;
}

BC_HELPER(tcp_gen_syncookie)
{
	struct sock *sk = (struct sock *)r1;
	struct iphdr *iph = (struct iphdr *)r2;
	struct tcphdr *th = (struct tcphdr *)r4;
	u32 cookie;
	bool ipv6;
	u16 mss;
	int err;

	if ((u32)r5 < TCP_BYTES || (u32)r5 != bytes_of(th) || !listens(sk))
		return (s64)-EINVAL;
	if (!compat_cookies_wanted(sk))
		return (s64)-ENOENT;
	if (!th->syn || th->ack || th->fin || th->rst || (u32)r3 < sizeof(*iph))
		return (s64)-EINVAL;
	err = takes(sk, iph, r3, &ipv6);
	if (err)
		return (s64)err;
	mss = compat_cookie_of_socket(sk, iph, ipv6, th, &cookie);
	return mss ? cookie | (u64)mss << 32 : (s64)-ENOENT;
}

bool bc_syncookie_available(u32 func_id)
{
	switch (func_id) {
	case BPF_FUNC_tcp_gen_syncookie:
		return compat_has_cookies_of_sockets();
	case BPF_FUNC_tcp_check_syncookie:
	case BPF_FUNC_tcp_raw_gen_syncookie_ipv4:
	case BPF_FUNC_tcp_raw_gen_syncookie_ipv6:
	case BPF_FUNC_tcp_raw_check_syncookie_ipv4:
	case BPF_FUNC_tcp_raw_check_syncookie_ipv6:
		return compat_has_cookies();
	default:
		return true;
	}
}

/* The packet of a test run is not coming in, as one must be that a socket is chosen for. */
BC_HELPER(sk_assign)
{
	return (s64)(!r2 || r3 ? -EINVAL : -EOPNOTSUPP);
}

/* The connection of several paths that a TCP socket is one of. */
BC_HELPER(skc_to_mptcp_sock)
{
	struct sock *sk = (struct sock *)r1;

	return bc_sym.bpf_mptcp_sock_from_subflow && compat_sock_is_there(sk) ?
		       (unsigned long)bc_sym.bpf_mptcp_sock_from_subflow(sk) : 0;
}
