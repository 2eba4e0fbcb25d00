// SPDX-License-Identifier: GPL-2.0-only
/*
 * See sock_fields.h. Nothing is locked, as nothing is on Linux.
 */
#include "../bpf.h"
#include "sock_fields.h"
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/inet_connection_sock.h>
#include <net/sock.h>
#include <net/tcp.h>

/* ---- struct bpf_sock ---- */

/* One of the four words of an address: of no other family is there any. */
static u32 v6_word(const struct sock *sk, bool remote, u32 n)
{
#if !IS_ENABLED(CONFIG_IPV6)
	return 0;
#elif defined(HAVE_SKC_V6_DADDR)
	const struct sock_common *c = &sk->__sk_common;

	return (__force u32)(remote ? c->skc_v6_daddr : c->skc_v6_rcv_saddr).s6_addr32[n];
#else
	const struct ipv6_pinfo *np = sk->sk_family == AF_INET6 ? inet_sk(sk)->pinet6 : NULL;

	return np ? (__force u32)(remote ? np->daddr : np->rcv_saddr).s6_addr32[n] : 0;
#endif
}

static u32 rx_queue(const struct sock *sk)
{
#if defined(HAVE_SK_RX_QUEUE_MAPPING) && defined(CONFIG_SOCK_RX_QUEUE_MAPPING)
	u16 queue = READ_ONCE(sk->sk_rx_queue_mapping);

	return queue == (u16)~0 ? U32_MAX : queue;
#else
	return U32_MAX;
#endif
}

#define AT(field) offsetof(struct bpf_sock, field)

static u32 sock_word(const struct sock *sk, u32 at)
{
	const struct sock_common *c = &sk->__sk_common;

	switch (at) {
	case AT(bound_dev_if):
		return sk->sk_bound_dev_if;
	case AT(family):
		return sk->sk_family;
	case AT(type):
		return sk->sk_type;
	case AT(protocol):
		return sk->sk_protocol;
	case AT(mark):
		return sk->sk_mark;
	case AT(priority):
		return sk->sk_priority;
	case AT(src_ip4):
		return (__force u32)c->skc_rcv_saddr;
	case AT(src_ip6[0]):
	case AT(src_ip6[1]):
	case AT(src_ip6[2]):
	case AT(src_ip6[3]):
		return v6_word(sk, false, (at - AT(src_ip6[0])) / 4);
	case AT(src_port):
		return c->skc_num;
	case AT(dst_port):
		return (__force u16)c->skc_dport;
	case AT(dst_ip4):
		return (__force u32)c->skc_daddr;
	case AT(dst_ip6[0]):
	case AT(dst_ip6[1]):
	case AT(dst_ip6[2]):
	case AT(dst_ip6[3]):
		return v6_word(sk, true, (at - AT(dst_ip6[0])) / 4);
	case AT(state):
		return sk->sk_state;
	case AT(rx_queue_mapping):
		return rx_queue(sk);
	default:
		return 0;
	}
}

#undef AT

/* ---- struct bpf_tcp_sock ---- */

#define AT(field) offsetof(struct bpf_tcp_sock, field)

/* What all kernels count. */
static bool tcp_basics(const struct tcp_sock *tp, u32 at, u64 *v)
{
	switch (at) {
	case AT(snd_cwnd):
		*v = tp->snd_cwnd;
		return true;
	case AT(srtt_us):
#ifdef HAVE_TCP_SRTT_US
		*v = tp->srtt_us;
#else
		*v = jiffies_to_usecs(tp->srtt);
#endif
		return true;
	case AT(snd_ssthresh):
		*v = tp->snd_ssthresh;
		return true;
	case AT(rcv_nxt):
		*v = tp->rcv_nxt;
		return true;
	case AT(snd_nxt):
		*v = tp->snd_nxt;
		return true;
	case AT(snd_una):
		*v = tp->snd_una;
		return true;
	case AT(mss_cache):
		*v = tp->mss_cache;
		return true;
	case AT(ecn_flags):
		*v = tp->ecn_flags;
		return true;
	case AT(packets_out):
		*v = tp->packets_out;
		return true;
	case AT(retrans_out):
		*v = tp->retrans_out;
		return true;
	case AT(total_retrans):
		*v = tp->total_retrans;
		return true;
	case AT(lost_out):
		*v = tp->lost_out;
		return true;
	case AT(sacked_out):
		*v = tp->sacked_out;
		return true;
	case AT(icsk_retransmits):
		*v = tp->inet_conn.icsk_retransmits;
		return true;
	default:
		return false;
	}
}

static u64 tcp_field(const struct tcp_sock *tp, u32 at)
{
	u64 v = 0;

	if (tcp_basics(tp, at, &v))
		return v;
	switch (at) {
#ifdef HAVE_TCP_RTT_MIN
	case AT(rtt_min):
		return tcp_min_rtt(tp);
#endif
#ifdef HAVE_TCP_RATE
	case AT(rate_delivered):
		return tp->rate_delivered;
	case AT(rate_interval_us):
		return tp->rate_interval_us;
#endif
#ifdef HAVE_TCP_SEGS
	case AT(segs_in):
		return tp->segs_in;
	case AT(segs_out):
		return tp->segs_out;
#endif
#ifdef HAVE_TCP_DATA_SEGS
	case AT(data_segs_in):
		return tp->data_segs_in;
	case AT(data_segs_out):
		return tp->data_segs_out;
#endif
#ifdef HAVE_TCP_BYTES
	case AT(bytes_received):
		return tp->bytes_received;
	case AT(bytes_acked):
		return tp->bytes_acked;
#endif
#ifdef HAVE_TCP_DSACK_DUPS
	case AT(dsack_dups):
		return tp->dsack_dups;
#endif
#ifdef HAVE_TCP_DELIVERED
	case AT(delivered):
		return tp->delivered;
#endif
#ifdef HAVE_TCP_DELIVERED_CE
	case AT(delivered_ce):
		return tp->delivered_ce;
#endif
	default:
		return 0;
	}
}

#undef AT

u64 bc_sock_load(const void *sk, u32 what, u32 size)
{
	u32 at = what & U16_MAX;
	u64 v;

	if (what >> 16 == BC_SOCK_TCP_FIELD)
		return tcp_field(sk, at);
	v = sock_word(sk, at & ~3U) >> 8 * (at & 3);
	return size < sizeof(u32) ? v & ((1U << 8 * size) - 1) : v;
}
