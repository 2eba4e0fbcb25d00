/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which loads and stores of the context each program type may do, and what a load gives: tables of the rules by which Linux 6.1
 * judges (is_valid_access of each type).
 */
#include "internal.h"
#include "ctx.h"

enum shape {
	SHAPE_NONE = 0,		/* never */
	SHAPE_EXACT,		/* the field as a whole */
	SHAPE_NARROW,		/* reads of any aligned part of the field; writes of the whole */
	SHAPE_HEAD,		/* the same, but narrow reads at the field's start only */
	SHAPE_INSIDE,		/* any aligned size, within the range */
};

/* One field, or a range of like ones, of a context struct. */
struct ctx_rule {
	u16 start;
	u16 end;		/* past the last byte */
	u8 width;		/* bytes of a field in the range */
	u8 shape;
	u8 reg;			/* enum bpf_reg_type of a load; 0: scalar */
	bool or_null;
	u32 read;		/* BC_PC_* that may read, write it */
	u32 write;
};

#define SF	BC_PC_SOCKET_FILTER
#define TC	BC_PC_SCHED_CLS
#define CG	BC_PC_CGROUP_SKB
#define ALL_SKB	(SF | TC | CG)

#define RANGE(type, first, last, fshape, fwidth) \
	.start = offsetof(struct type, first), .end = offsetof(struct type, last) + sizeof(((struct type *)0)->last), \
	.shape = SHAPE_##fshape, .width = (fwidth)
#define SKB(first, last, fshape, fwidth)	RANGE(__sk_buff, first, last, fshape, fwidth)
#define SOCK(first, last, fshape, fwidth)	RANGE(bpf_sock, first, last, fshape, fwidth)
#define XDP(first, last, fshape, fwidth)	RANGE(xdp_md, first, last, fshape, fwidth)

static const struct ctx_rule skb_rules[] = {
	{ SKB(len, pkt_type, NARROW, 4), .read = ALL_SKB },
	{ SKB(mark, mark, NARROW, 4), .read = ALL_SKB, .write = TC | CG },
	{ SKB(queue_mapping, queue_mapping, NARROW, 4), .read = ALL_SKB, .write = TC },
	{ SKB(protocol, vlan_proto, NARROW, 4), .read = ALL_SKB },
	{ SKB(priority, priority, NARROW, 4), .read = ALL_SKB, .write = TC | CG },
	{ SKB(ingress_ifindex, ifindex, NARROW, 4), .read = ALL_SKB },
	{ SKB(tc_index, tc_index, NARROW, 4), .read = ALL_SKB, .write = TC },
	{ SKB(cb, cb, INSIDE, 8), .read = ALL_SKB, .write = ALL_SKB },
	{ SKB(hash, hash, NARROW, 4), .read = ALL_SKB },
	{ SKB(tc_classid, tc_classid, NARROW, 4), .read = TC, .write = TC },
	{ SKB(data, data, EXACT, 4), .reg = PTR_TO_PACKET, .read = TC | CG },
	{ SKB(data_end, data_end, EXACT, 4), .reg = PTR_TO_PACKET_END, .read = TC | CG },
	{ SKB(napi_id, napi_id, NARROW, 4), .read = ALL_SKB },
	{ SKB(family, family, NARROW, 4), .read = CG },
	{ SKB(remote_ip4, local_ip6, EXACT, 4), .read = CG },
	{ SKB(remote_port, local_port, NARROW, 4), .read = CG },
	{ SKB(data_meta, data_meta, EXACT, 4), .reg = PTR_TO_PACKET_META, .read = TC },
	{ SKB(tstamp, tstamp, EXACT, 8), .read = TC | CG, .write = TC | CG },
	{ SKB(wire_len, wire_len, NARROW, 4), .read = TC },
	{ SKB(gso_segs, gso_segs, NARROW, 4), .read = ALL_SKB },
	{ SKB(sk, sk, EXACT, 8), .reg = PTR_TO_SOCK_COMMON, .or_null = true, .read = ALL_SKB },
	{ SKB(gso_size, gso_size, NARROW, 4), .read = ALL_SKB },
	{ SKB(tstamp_type, tstamp_type, EXACT, 1), .read = TC },
	{ SKB(hwtstamp, hwtstamp, EXACT, 8), .read = TC | CG },
	{ .end = 0 }
};

static const struct ctx_rule xdp_rules[] = {
	{ XDP(data, data, EXACT, 4), .reg = PTR_TO_PACKET, .read = BC_PC_XDP },
	{ XDP(data_end, data_end, EXACT, 4), .reg = PTR_TO_PACKET_END, .read = BC_PC_XDP },
	{ XDP(data_meta, data_meta, EXACT, 4), .reg = PTR_TO_PACKET_META, .read = BC_PC_XDP },
	{ XDP(ingress_ifindex, rx_queue_index, EXACT, 4), .read = BC_PC_XDP },
	{ XDP(egress_ifindex, egress_ifindex, EXACT, 4), .read = BC_PC_XDP },	/* in a devmap only: see below */
	{ .end = 0 }
};

/*
 * struct bpf_sock serves as context of cgroup socket programs and as what skb->sk points to. The write column is for the former; where it
 * depends on the attach type, sock_attach_ok() has the last word.
 */
#define SK_CTX	BC_PC_CGROUP_SOCK
static const struct ctx_rule sock_rules[] = {
	{ SOCK(bound_dev_if, bound_dev_if, EXACT, 4), .read = SK_CTX, .write = SK_CTX },
	{ SOCK(family, protocol, HEAD, 4), .read = SK_CTX },
	{ SOCK(mark, priority, EXACT, 4), .read = SK_CTX, .write = SK_CTX },
	{ SOCK(src_ip4, src_ip6, NARROW, 4), .read = SK_CTX },
	{ SOCK(src_port, src_port, HEAD, 4), .read = SK_CTX },
	/* A 4-byte load of the 2-byte dst_port is an old ABI; fix-up need not care, the runner keeps the padding zero. */
	{ SOCK(dst_port, dst_port, NARROW, 2), .read = SK_CTX },
	{ SOCK(dst_ip4, dst_ip6, NARROW, 4), .read = SK_CTX },
	{ SOCK(state, rx_queue_mapping, HEAD, 4), .read = SK_CTX },
	{ .end = 0 }
};

static const struct ctx_rule perf_event_rules[] = {
	{ RANGE(bc_perf_event_data, regs, regs, EXACT, 8), .read = BC_PC_PERF_EVENT },
	{ RANGE(bc_perf_event_data, sample_period, addr, NARROW, 8), .read = BC_PC_PERF_EVENT },
	{ .end = 0 }
};

static const struct ctx_rule *find_rule(const struct ctx_rule *rules, int off)
{
	const struct ctx_rule *r;

	for (r = rules; r->end; r++) {
		if (off >= r->start && off < r->end)
			return r;
	}
	return NULL;
}

static bool shape_ok(const struct ctx_rule *r, int off, int size, bool write)
{
	bool narrow;

	switch (r->shape) {
	case SHAPE_INSIDE:
		return off + size <= r->end;
	case SHAPE_EXACT:
		return size == r->width;
	case SHAPE_NARROW:
	case SHAPE_HEAD:
		if (write)
			return size == r->width;
		narrow = size <= r->width;
		if (r->shape == SHAPE_HEAD && (off - r->start) % r->width)
			return false;
		return narrow;
	default:
		return false;
	}
}

/* Common part: alignment, the field's rule, the program type's right. */
static const struct ctx_rule *judge(const struct ctx_rule *rules, u32 classes, int off, int size, bool write,
				    struct bc_ctx_access *info)
{
	const struct ctx_rule *r;

	if (off < 0 || off % size)
		return NULL;
	r = find_rule(rules, off);
	if (!r || !((write ? r->write : r->read) & classes) || !shape_ok(r, off, size, write))
		return NULL;
	if (r->shape == SHAPE_NARROW || r->shape == SHAPE_HEAD)
		info->field_size = r->width;
	if (r->reg && !write)
		info->reg_type = r->reg | (r->or_null ? PTR_MAYBE_NULL : 0);
	return r;
}

static bool is_dst_port_word(int off, int size)
{
	return off == offsetof(struct bpf_sock, dst_port) && size == 4;
}

static bool sock_attach_ok(u32 attach_type, const struct ctx_rule *r)
{
	bool created = attach_type == BPF_CGROUP_INET_SOCK_CREATE || attach_type == BPF_CGROUP_INET_SOCK_RELEASE;
	bool bound4 = attach_type == BPF_CGROUP_INET4_POST_BIND;
	bool bound6 = attach_type == BPF_CGROUP_INET6_POST_BIND;

	if (r->write)
		return created;
	if (r->start == offsetof(struct bpf_sock, src_port))
		return bound4 || bound6;
	return true;
}

static bool sock_ctx_ok(u32 attach_type, int off, int size, bool write, struct bc_ctx_access *info)
{
	const struct ctx_rule *r;

	if (!write && is_dst_port_word(off, size))
		return true;
	r = judge(sock_rules, BC_PC_CGROUP_SOCK, off, size, write, info);
	if (!r || !sock_attach_ok(attach_type, r))
		return false;
	if (off >= (int)offsetof(struct bpf_sock, src_ip4) && off < (int)offsetofend(struct bpf_sock, src_ip4))
		return attach_type == BPF_CGROUP_INET4_POST_BIND;
	if (off >= (int)offsetof(struct bpf_sock, src_ip6) && off < (int)offsetofend(struct bpf_sock, src_ip6))
		return attach_type == BPF_CGROUP_INET6_POST_BIND;
	return true;
}

static bool sock_ok(int off, int size, bool full, struct bc_ctx_access *info)
{
	if (is_dst_port_word(off, size))
		return true;
	if (!full && off >= (int)offsetof(struct bpf_sock, type) && off < (int)offsetofend(struct bpf_sock, priority))
		return false;
	return judge(sock_rules, BC_PC_CGROUP_SOCK, off, size, false, info);
}

/* 32-bit counters, but for two of 64 bits. */
static bool tcp_sock_ok(int off, int size)
{
	bool wide = off >= (int)offsetof(struct bpf_tcp_sock, bytes_received) && off < (int)offsetofend(struct bpf_tcp_sock, bytes_acked);

	return off >= 0 && off < (int)sizeof(struct bpf_tcp_sock) && off % size == 0 && size == (wide ? 8 : 4);
}

bool bc_ctx_sock_ok(u32 reg_type, int off, int size, struct bc_ctx_access *info)
{
	switch (reg_type) {
	case PTR_TO_SOCK_COMMON:
		return sock_ok(off, size, false, info);
	case PTR_TO_SOCKET:
		return sock_ok(off, size, true, info);
	case PTR_TO_TCP_SOCK:
		return tcp_sock_ok(off, size);
	case PTR_TO_XDP_SOCK:
		return off == 0 && size == 4;	/* the queue's number is all there is */
	default:
		return false;
	}
}

bool bc_ctx_access_ok(struct bpf_verifier_env *env, int off, int size, bool write, struct bc_ctx_access *info)
{
	info->field_size = 0;
	switch (env->prog_type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_CGROUP_SKB:
		return judge(skb_rules, env->prog_class, off, size, write, info);
	case BPF_PROG_TYPE_XDP:
		if (off == offsetof(struct xdp_md, egress_ifindex) && env->expected_attach_type != BPF_XDP_DEVMAP)
			return false;
		return judge(xdp_rules, env->prog_class, off, size, write, info);
	case BPF_PROG_TYPE_CGROUP_SOCK:
		return sock_ctx_ok(env->expected_attach_type, off, size, write, info);
	case BPF_PROG_TYPE_PERF_EVENT:
		return judge(perf_event_rules, env->prog_class, off, size, write, info);
	case BPF_PROG_TYPE_KPROBE:
		return !write && off >= 0 && off % size == 0 && off + size <= BC_PT_REGS_BYTES;
	case BPF_PROG_TYPE_TRACEPOINT:
		/* The first 8 bytes are perf's own (hidden from programs on Linux, and here). */
		return !write && off >= 8 && off < BC_MAX_TRACE_BYTES && off % size == 0;
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		/* the first argument of the latter is what the tracepoint offers to be written to */
		if (!off && env->prog_type == BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE) {
			info->reg_type = PTR_TO_TP_BUFFER;
			return size == sizeof(u64) && !write;
		}
		return !write && off >= 0 && off < BC_MAX_FUNC_ARGS * 8 && off % size == 0;
	case BPF_PROG_TYPE_TRACING:
		return bc_tracing_ctx_ok(env, off, size, write, info);
	default:
		return false;
	}
}
