// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_PROG_TEST_RUN: a program run on what the caller brings, in place of an event. Packets are plain memory here: programs see their
 * bytes and the fields of their context, and no socket is involved.
 */
#include "core.h"
#include "../compat/netdev.h"
#include "../helpers/packet.h"
#include <linux/etherdevice.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/nsproxy.h>
#include <net/net_namespace.h>

/* Inside the guard. There is no event: nothing of the last one on this CPU may show. */
static void clear_event(void)
{
	struct bc_run *run = bc_this_run();

	bc_run_clear(run);
	run->own.chained = true;	/* Kbuild sees to that */
}

static void enter(void)
{
	bc_syscall_enter();
	clear_event();
}

static void leave(void)
{
	bc_this_run()->own.chained = false;
	bc_syscall_exit();
}

#define ROOM_AROUND 512		/* what Linux keeps free around a packet, about: decides the largest that is taken */
#define ETH_FRAMES_WITH_TYPES 0x600	/* IEEE 802.3: below, it is a length */
#define GSO_SEGS_MAX 65535
#define GSO_SIZE_MAX 65536

/* ---- repeated runs ---- */

#define RUNS_AT_ONCE 64		/* inside one guard: programs of events on this CPU must get their turn */

/* The clock stands still while others have the CPU. *@duration: ns of one run. */
static int run_repeated(struct bc_prog *prog, void *ctx, u32 repeat, u32 *retval, u32 *duration)
{
	u32 left = max_t(u32, repeat, 1);
	u64 start, spent = 0;
	int err = 0;

	while (left && !err) {
		u32 i, n = min_t(u32, left, RUNS_AT_ONCE);

		enter();
		start = bc_ktime_ns();
		for (i = 0; i < n && !need_resched(); i++)
			*retval = bc_prog_run(prog, ctx);
		/* at least one, lest it never end */
		if (!i) {
			*retval = bc_prog_run(prog, ctx);
			i = 1;
		}
		spent += bc_ktime_ns() - start;
		leave();
		left -= i;
		err = left && port_poll() ? -EINTR : 0;
	}
	if (err)
		return err;
	spent = div_u64(spent, max_t(u32, repeat, 1));
	*duration = min_t(u64, spent, UINT_MAX);
	return 0;
}

/* ---- raw tracepoints ---- */

struct raw_tp_run {
	struct bc_prog *prog;
	u64 args[BC_MAX_FUNC_ARGS];
	u32 retval;
	bool ran;
};

static void run_raw_tp(void *arg)
{
	struct raw_tp_run *r = arg;

	/* On another CPU this is an interrupt, and may have hit a program. */
	r->ran = bc_run_begin();
	if (!r->ran)
		return;
	clear_event();
	r->retval = bc_prog_run(r->prog, r->args);
	bc_this_run()->own.chained = false;
	bc_run_end();
}

static int run_raw_tp_on(struct raw_tp_run *r, u32 cpu, bool chosen)
{
	int err = 0, tries = 1000;

	do {
		int here = get_cpu();

		if (!chosen || cpu == here)
			run_raw_tp(r);
		else if (cpu >= nr_cpu_ids || !cpu_online(cpu))
			err = -ENXIO;
		else
			err = smp_call_function_single(cpu, run_raw_tp, r, 1);
		put_cpu();
	} while (!err && !r->ran && --tries);
	return err ? err : r->ran ? 0 : -EBUSY;
}

static int test_raw_tp(struct bc_prog *prog, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	u32 size = attr->test.ctx_size_in;
	bool chosen = attr->test.flags & BPF_F_TEST_RUN_ON_CPU;
	struct raw_tp_run *r;
	int err;

	if (attr->test.data_in || attr->test.data_out || attr->test.ctx_out || attr->test.duration || attr->test.repeat ||
	    attr->test.batch_size)
		return -EINVAL;
	if (size < prog->v.max_ctx_offset || size > sizeof(r->args) || (!chosen && attr->test.cpu))
		return -EINVAL;
	r = kzalloc(sizeof(*r), GFP_KERNEL);
	if (!r)
		return -ENOMEM;
	r->prog = prog;
	err = size && copy_from_user(r->args, bc_user_ptr(attr->test.ctx_in), size) ? -EFAULT : 0;
	if (!err)
		err = run_raw_tp_on(r, attr->test.cpu, chosen);
	if (!err)
		err = put_user(r->retval, &uattr->test.retval);
	kfree(r);
	return err;
}

/* ---- packets ---- */

/* The user's context struct of @known bytes; NULL when there is neither in nor out. */
static void *context_in(const union bpf_attr *attr, u32 known, size_t size)
{
	u32 given = attr->test.ctx_size_in;
	u8 __user *from = bc_user_ptr(attr->test.ctx_in);
	void *ctx;
	int zero;

	ctx = kzalloc(size, GFP_KERNEL);
	if (!ctx)
		return ERR_PTR(-ENOMEM);
	if (!from)
		return ctx;
	if (given > PAGE_SIZE)
		goto too_big;
	if (given > known) {
		zero = bc_user_is_zero(from + known, given - known);
		if (zero < 0)
			goto fault;
		if (!zero)
			goto too_big;
	}
	if (copy_from_user(ctx, from, min(given, known)))
		goto fault;
	return ctx;
fault:
	kfree(ctx);
	return ERR_PTR(-EFAULT);
too_big:
	kfree(ctx);
	return ERR_PTR(-E2BIG);
}

static int context_out(const union bpf_attr *attr, union bpf_attr __user *uattr, const void *ctx, u32 known)
{
	u32 room = attr->test.ctx_size_out;
	int err = 0;

	if (!attr->test.ctx_out)
		return 0;
	if (room && known > room)
		err = -ENOSPC;
	if (copy_to_user(bc_user_ptr(attr->test.ctx_out), ctx, room ? min(room, known) : known) ||
	    put_user(known, &uattr->test.ctx_size_out))
		return -EFAULT;
	return err;
}

static int data_out(const union bpf_attr *attr, union bpf_attr __user *uattr, const void *data, u32 size, u32 retval, u32 duration)
{
	u32 room = attr->test.data_size_out, copy = size;
	int err = 0;

	if (room && copy > room) {
		copy = room;
		err = -ENOSPC;
	}
	if (attr->test.data_out && copy_to_user(bc_user_ptr(attr->test.data_out), data, copy))
		return -EFAULT;
	if (put_user(size, &uattr->test.data_size_out) || put_user(retval, &uattr->test.retval) ||
	    put_user(duration, &uattr->test.duration))
		return -EFAULT;
	return err;
}

/* The device of the caller's network, with a reference; 0: loopback, the number of which is 1. NULL. */
static struct net_device *device_in(u32 ifindex)
{
	return dev_get_by_index(current->nsproxy->net_ns, ifindex ? ifindex : 1);
}

/* The caller's packet, with room around it; @link, where it comes to lie, leaves @meta bytes of it before its beginning. */
static int packet_in(struct bc_packet *p, const union bpf_attr *attr, u32 meta)
{
	u32 size = attr->test.data_size_in;

	if (size < meta + BC_ETH_BYTES || size - meta > PAGE_SIZE - ROOM_AROUND)
		return -EINVAL;
	memset(p, 0, sizeof(*p));
	p->head = kzalloc(BC_PACKET_BYTES, GFP_KERNEL);
	if (!p->head)
		return -ENOMEM;
	p->end = p->head + BC_PACKET_BYTES;
	p->link = p->head + BC_PACKET_HEADROOM;
	if (!copy_from_user(p->link - meta, bc_user_ptr(attr->test.data_in), size))
		return 0;
	kfree(p->head);
	return -EFAULT;
}

/* Zero from the end of one field (or the start) to the next that may be set. */
#define ZERO_BETWEEN(ctx, from, to) (!memchr_inv((const u8 *)(ctx) + (from), 0, (to) - (from)))
#define FIELD_END(field) offsetofend(struct __sk_buff, field)
#define FIELD(field) offsetof(struct __sk_buff, field)

static bool skb_ok(const struct __sk_buff *skb, u32 len)
{
	return ZERO_BETWEEN(skb, 0, FIELD(mark)) && ZERO_BETWEEN(skb, FIELD_END(mark), FIELD(priority)) &&
	       ZERO_BETWEEN(skb, FIELD_END(ifindex), FIELD(cb)) && ZERO_BETWEEN(skb, FIELD_END(cb), FIELD(tstamp)) &&
	       ZERO_BETWEEN(skb, FIELD_END(gso_segs), FIELD(gso_size)) &&
	       ZERO_BETWEEN(skb, FIELD_END(gso_size), FIELD(hwtstamp)) &&
	       ZERO_BETWEEN(skb, FIELD_END(hwtstamp), sizeof(*skb)) &&
	       (!skb->wire_len || (skb->wire_len >= len && skb->wire_len <= GSO_SIZE_MAX)) && skb->gso_segs <= GSO_SEGS_MAX;
}

/* Is the network layer's header there, if it is IP's? */
static bool header_ok(u16 proto, u32 size)
{
	if (proto == htons(ETH_P_IP))
		return size >= BC_ETH_BYTES + sizeof(struct iphdr);
	return proto != htons(ETH_P_IPV6) || size >= BC_ETH_BYTES + sizeof(struct ipv6hdr);
}

/* To whom the frame goes, as the device sees it. Loopback has zeros for an address, and for all others' too. */
static u32 packet_type(const struct net_device *dev, const u8 *to)
{
	if (!memcmp(to, dev->dev_addr, ETH_ALEN))
		return PACKET_HOST;
	if (!is_multicast_ether_addr(to))
		return PACKET_OTHERHOST;
	return memcmp(to, dev->broadcast, ETH_ALEN) ? PACKET_MULTICAST : PACKET_BROADCAST;
}

/* What the frame's type stands for, or its length where it has that in its place. In the packet's own byte order. */
static u16 packet_protocol(const u8 *frame)
{
	u16 type = *(const u16 *)(frame + 12);

	if (ntohs(type) >= ETH_FRAMES_WITH_TYPES)
		return type;
	return htons(*(const u16 *)(frame + BC_ETH_BYTES) == 0xffff ? ETH_P_802_3 : ETH_P_802_2);
}

/* Of the socket that the packet has on Linux: it is made up, and has the packet's addresses for its own. */
static void socket_fields(struct __sk_buff *skb, const u8 *header)
{
	if (skb->protocol == htons(ETH_P_IP)) {
		const struct iphdr *ip = (const struct iphdr *)header;

		skb->family = AF_INET;
		skb->local_ip4 = (__force u32)ip->saddr;
		skb->remote_ip4 = (__force u32)ip->daddr;
	} else if (skb->protocol == htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip6 = (const struct ipv6hdr *)header;

		skb->family = AF_INET6;
		memcpy(skb->local_ip6, &ip6->saddr, sizeof(skb->local_ip6));
		memcpy(skb->remote_ip6, &ip6->daddr, sizeof(skb->remote_ip6));
	}
}

static int test_skb(struct bc_prog *prog, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	/* Traffic control sees the link layer's header; sockets and cgroups do not. */
	u32 skip = prog->type == BPF_PROG_TYPE_SCHED_CLS || prog->type == BPF_PROG_TYPE_SCHED_ACT ? 0 : BC_ETH_BYTES;
	u32 retval, duration, gso_size, size = attr->test.data_size_in;
	struct bc_skb_ctx *ctx;
	struct bc_packet p;
	u16 proto;
	u8 *data;
	int err;

	if (attr->test.flags || attr->test.cpu || attr->test.batch_size)
		return -EINVAL;
	err = packet_in(&p, attr, 0);
	if (err)
		return err;
	ctx = context_in(attr, sizeof(ctx->user), sizeof(*ctx));
	err = PTR_ERR(ctx);
	if (IS_ERR(ctx))
		goto free_data;
	p.dev = device_in(ctx->user.ifindex);
	err = -ENODEV;
	if (!p.dev)
		goto free_ctx;
	err = -EINVAL;
	proto = packet_protocol(p.link);
	if (!header_ok(proto, size) || !skb_ok(&ctx->user, size - skip))
		goto free_ctx;
	gso_size = ctx->user.gso_size;
	ctx->user.len = size - skip;
	ctx->user.protocol = proto;
	ctx->user.pkt_type = packet_type(p.dev, p.link);
	socket_fields(&ctx->user, p.link + BC_ETH_BYTES);
	ctx->user.ifindex = p.dev->ifindex;
	/* Linux knows it only where a context is asked for */
	if (!ctx->user.wire_len && (attr->test.ctx_in || attr->test.ctx_out))
		ctx->user.wire_len = size - skip;
	ctx->host = &p;
	ctx->link = (unsigned long)p.link;
	ctx->network = ctx->link + BC_ETH_BYTES;
	ctx->pkt.data = (unsigned long)p.link + skip;
	ctx->pkt.data_end = (unsigned long)p.link + size;
	ctx->pkt.data_meta = ctx->pkt.data;
	err = bc_run_storage_make(prog, &p.storage);
	if (err)
		goto free_ctx;
	err = run_repeated(prog, ctx, attr->test.repeat, &retval, &duration);
	bc_run_storage_free(&p.storage);
	if (err)
		goto free_ctx;
	data = (u8 *)(unsigned long)ctx->pkt.data - skip;
	memset(data, 0, skip);		/* the header comes back as zeros */
	err = data_out(attr, uattr, data, (u8 *)(unsigned long)ctx->pkt.data_end - data, retval, duration);
	/* What is told back of the context is what a program may write, and what the caller brought. */
	ctx->user.gso_size = gso_size;
	ctx->user.tstamp_type = 0;
	ctx->user.pkt_type = 0;
	memset((u8 *)&ctx->user + FIELD(family), 0, FIELD(local_port) - FIELD(family));
	ctx->user.len = 0;
	ctx->user.protocol = 0;
	ctx->user.hash = 0;
	ctx->user.vlan_present = 0;
	ctx->user.vlan_tci = 0;
	ctx->user.vlan_proto = 0;
	if (!err)
		err = context_out(attr, uattr, &ctx->user, sizeof(ctx->user));
free_ctx:
	if (p.dev)
		dev_put(p.dev);
	kfree(ctx);
free_data:
	kfree(p.head);
	return err;
}

/* Of what a caller may say of metadata and ends of the packet, that which can be here: packets are in one piece. */
static bool xdp_ends_ok(const struct xdp_md *xdp, u32 size)
{
	return !xdp->data_meta && xdp->data_end == size && xdp->data <= size && xdp->data % sizeof(u32) == 0 && xdp->data <= BC_XDP_META_MAX;
}

/* Where it came from, into @p. */
static int xdp_source(struct bc_packet *p, const struct xdp_md *xdp)
{
	if (xdp->egress_ifindex || (!xdp->ingress_ifindex && xdp->rx_queue_index))
		return -EINVAL;
	p->dev = device_in(xdp->ingress_ifindex);
	if (!p->dev)
		return -ENODEV;
	return xdp->rx_queue_index < compat_rx_queues(p->dev) ? 0 : -EINVAL;
}

static int test_xdp(struct bc_prog *prog, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	u32 retval, duration, ifindex, meta, size = attr->test.data_size_in;
	struct bc_xdp_ctx *ctx;
	struct bc_packet p;
	int err;

	if (prog->expected_attach_type == BPF_XDP_DEVMAP || prog->expected_attach_type == BPF_XDP_CPUMAP)
		return -EINVAL;
	if (attr->test.flags || attr->test.cpu || attr->test.batch_size)
		return -EINVAL;
	ctx = context_in(attr, sizeof(ctx->user), sizeof(*ctx));
	if (IS_ERR(ctx))
		return PTR_ERR(ctx);
	err = -EINVAL;
	if ((attr->test.ctx_in || attr->test.ctx_out) && !xdp_ends_ok(&ctx->user, size))
		goto free_ctx;
	meta = ctx->user.data;
	err = packet_in(&p, attr, meta);
	if (err)
		goto free_ctx;
	err = xdp_source(&p, &ctx->user);
	if (err)
		goto free_data;
	ifindex = ctx->user.ingress_ifindex;
	ctx->user.ingress_ifindex = p.dev->ifindex;
	ctx->host = &p;
	ctx->pkt.data = (unsigned long)p.link;
	ctx->pkt.data_meta = ctx->pkt.data - meta;
	ctx->pkt.data_end = ctx->pkt.data_meta + size;
	err = run_repeated(prog, ctx, attr->test.repeat, &retval, &duration);
	if (err)
		goto free_data;
	/* metadata comes back before the packet, and the context tells where it ends */
	size = ctx->pkt.data_end - ctx->pkt.data_meta;
	err = data_out(attr, uattr, (void *)(unsigned long)ctx->pkt.data_meta, size, retval, duration);
	ctx->user.ingress_ifindex = ifindex;
	ctx->user.data = ctx->pkt.data - ctx->pkt.data_meta;
	ctx->user.data_end = size;
	if (!err)
		err = context_out(attr, uattr, &ctx->user, sizeof(ctx->user));
free_data:
	if (p.dev)
		dev_put(p.dev);
	kfree(p.head);
free_ctx:
	kfree(ctx);
	return err;
}

BC_COMMAND(prog_test_run)
{
	struct bc_prog *prog;
	int err = -ENOTSUPP;

	if (!attr->test.ctx_size_in != !attr->test.ctx_in || !attr->test.ctx_size_out != !attr->test.ctx_out)
		return -EINVAL;
	prog = bc_prog_get_fd(attr->test.prog_fd);
	if (IS_ERR(prog))
		return PTR_ERR(prog);
	switch (prog->type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_CGROUP_SKB:
		err = test_skb(prog, attr, uattr);
		break;
	case BPF_PROG_TYPE_XDP:
		err = test_xdp(prog, attr, uattr);
		break;
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		err = test_raw_tp(prog, attr, uattr);
		break;
	}
	bc_prog_put(prog);
	return err;
}
