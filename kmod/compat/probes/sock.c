/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of what sockets have: fields that came with later kernels. */
#include <linux/module.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <net/cls_cgroup.h>
#include <net/inet_connection_sock.h>
#include <net/inet_hashtables.h>
#include <net/ip6_fib.h>
#include <net/sock.h>
#include <net/tcp.h>
#ifdef HAVE_NET_XDP_H
#include <net/xdp.h>
#endif

#define SAME_TYPE(a, b) do { typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1] __attribute__((unused)); } while (0)

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_ICSK_ULP"
static inline const void *probe_ulp(const struct sock *sk) { return inet_csk(sk)->icsk_ulp_ops; }

#line 1 "HAVE_SK_RX_QUEUE_MAPPING"
static inline u16 probe_rx_queue(const struct sock *sk) { return sk->sk_rx_queue_mapping; }

#line 1 "HAVE_TCP_SRTT_US"
static inline u32 probe_srtt(const struct tcp_sock *tp) { return tp->srtt_us; }

#line 1 "HAVE_TCP_RTT_MIN"
static inline u32 probe_rtt_min(const struct tcp_sock *tp) { return tcp_min_rtt(tp); }

#line 1 "HAVE_TCP_RATE"
static inline u32 probe_rate(const struct tcp_sock *tp) { return tp->rate_delivered + tp->rate_interval_us; }

#line 1 "HAVE_TCP_SEGS"
static inline u32 probe_segs(const struct tcp_sock *tp) { return tp->segs_in + tp->segs_out; }

#line 1 "HAVE_TCP_DATA_SEGS"
static inline u32 probe_data_segs(const struct tcp_sock *tp) { return tp->data_segs_in + tp->data_segs_out; }

#line 1 "HAVE_TCP_BYTES"
static inline u64 probe_bytes(const struct tcp_sock *tp) { return tp->bytes_received + tp->bytes_acked; }

#line 1 "HAVE_TCP_DSACK_DUPS"
static inline u32 probe_dsack(const struct tcp_sock *tp) { return tp->dsack_dups; }

#line 1 "HAVE_TCP_DELIVERED"
static inline u32 probe_delivered(const struct tcp_sock *tp) { return tp->delivered; }

#line 1 "HAVE_TCP_DELIVERED_CE"
static inline u32 probe_delivered_ce(const struct tcp_sock *tp) { return tp->delivered_ce; }

#line 1 "HAVE_SOCK_GEN_PUT"
static inline void probe_gen_put(struct sock *sk) { sock_gen_put(sk); }

#line 1 "HAVE_RSK_LISTENER"
static inline struct sock *probe_listener(struct sock *sk) { return inet_reqsk(sk)->rsk_listener; }

#line 1 "HAVE_TCP_SEQ_OPENREQ"
static inline bool probe_openreq(struct tcp_iter_state *st) { return st->state == TCP_SEQ_STATE_OPENREQ; }

#line 1 "HAVE_FIB6_INFO"
static inline void probe_fib6_info(struct fib6_info *rt) { if (fib6_info_hold_safe(rt)) fib6_info_release(rt); }

#line 1 "HAVE_TASK_CLS_CLASSID"
static inline u32 probe_classid(struct task_struct *p) { return task_cls_classid(p); }

#line 1 "HAVE_SOCK_CGROUP_PTR"
static inline struct cgroup *probe_sock_cgroup(struct sock *sk) { return sock_cgroup_ptr(&sk->sk_cgrp_data); }

#line 1 "HAVE_COOKIE_CHECK"
static inline void probe_cookie_check(void)
{
	SAME_TYPE(typeof(__cookie_v4_check), int (const struct iphdr *, const struct tcphdr *, u32));
	SAME_TYPE(typeof(__cookie_v6_check), int (const struct ipv6hdr *, const struct tcphdr *, u32));
	SAME_TYPE(typeof(__cookie_v4_init_sequence), u32 (const struct iphdr *, const struct tcphdr *, u16 *));
	SAME_TYPE(typeof(__cookie_v6_init_sequence), u32 (const struct ipv6hdr *, const struct tcphdr *, u16 *));
}

#line 1 "HAVE_NETNS_TCP_SYNCOOKIES"
static inline int probe_netns_cookies(const struct sock *sk) { return sock_net(sk)->ipv4.sysctl_tcp_syncookies; }

#line 1 "HAVE_SKB_FRAG_OFF"
static inline u32 probe_frag_off(const skb_frag_t *frag) { return skb_frag_off(frag); }

#line 1 "HAVE_XDP_BUFF_FRAGS"
static inline u32 probe_xdp_frags(struct xdp_buff *xdp) { return xdp_buff_has_frags(xdp) ? xdp_get_shared_info_from_buff(xdp)->xdp_frags_size : 0; }

#line 1 "HAVE_TASK_BPF_CTX"
static inline const void *probe_bpf_ctx(const struct task_struct *task) { return task->bpf_ctx; }

#line 1 "HAVE_SOCKOPT_LOCK_SOCK"
static inline void probe_sockopt_lock(struct sock *sk) { sockopt_lock_sock(sk); }
