// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_clone_redirect(): the one helper on packets of which the network sees something in a test run, too. What is sent, or received, is a
 * real packet made of the bytes that the program has. It goes its way while the run stands still: programs of events are to see it.
 */
#include "helpers.h"
#include "packet.h"
#include "../compat/netdev.h"
#include <linux/etherdevice.h>
#include <linux/if_arp.h>
#include <linux/if_vlan.h>
#include <linux/skbuff.h>

#define HEADROOM (NET_SKB_PAD + NET_IP_ALIGN)

/* Not in all kernels' headers. */
#define TYPE_RAWIP 519

/* Tunnels and the like get a packet without the link layer's header. */
static bool takes_link_header(const struct net_device *dev)
{
	switch (dev->type) {
	case ARPHRD_TUNNEL:
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
	case ARPHRD_IPGRE:
	case ARPHRD_IP6GRE:
	case ARPHRD_VOID:
	case ARPHRD_NONE:
	case ARPHRD_PIMREG:
	case ARPHRD_PPP:
	case TYPE_RAWIP:
		return false;
	default:
		return true;
	}
}

/* NULL: no memory. */
static struct sk_buff *real_packet(const struct bc_skb_ctx *ctx)
{
	u32 len = ctx->pkt.data_end - ctx->pkt.data;
	const struct bc_packet *p = ctx->host;
	struct sk_buff *skb = alloc_skb(HEADROOM + len, GFP_ATOMIC | __GFP_NOWARN);

	if (!skb)
		return NULL;
	skb_reserve(skb, HEADROOM);
	memcpy(skb_put(skb, len), (const void *)(unsigned long)ctx->pkt.data, len);
	skb_set_mac_header(skb, (int)(ctx->link - ctx->pkt.data));
	skb_set_network_header(skb, (int)(ctx->network - ctx->pkt.data));
	skb->dev = p->dev;
	skb->protocol = (__force __be16)(u16)ctx->user.protocol;
	skb->mark = ctx->user.mark;
	skb->priority = ctx->user.priority;
	skb->skb_iif = ctx->user.ingress_ifindex;
	skb->tstamp = ns_to_ktime(ctx->user.tstamp);
	skb_set_queue_mapping(skb, ctx->user.queue_mapping);
	if (ctx->user.vlan_present)
		__vlan_hwaccel_put_tag(skb, (__force __be16)(u16)ctx->user.vlan_proto, ctx->user.vlan_tci);
	return skb;
}

/* As if @dev had received it. */
static long receive(struct sk_buff *skb, struct net_device *dev, bool link_header)
{
	if (!(dev->flags & IFF_UP)) {
		compat_count_rx_dropped(dev);
		kfree_skb(skb);
		return NET_RX_DROP;
	}
	skb->skb_iif = 0;
	skb->priority = 0;
	if (link_header)
		skb->protocol = eth_type_trans(skb, dev);
	else
		skb->dev = dev;
	return netif_rx(skb);
}

static long transmit(struct sk_buff *skb, struct net_device *dev)
{
	skb->dev = dev;
	skb->tstamp = ns_to_ktime(0);
	return dev_queue_xmit(skb);
}

static long give(const struct bc_skb_ctx *ctx, struct net_device *dev, u64 flags)
{
	u32 len = ctx->pkt.data_end - ctx->pkt.data, before = ctx->network - ctx->pkt.data;
	bool link_header = takes_link_header(dev);
	struct sk_buff *skb;

	if (link_header ? ctx->link >= ctx->network || !len : len <= before)
		return -ERANGE;
	skb = real_packet(ctx);
	if (!skb)
		return -ENOMEM;
	if (!link_header) {
		__skb_pull(skb, before);
		skb_reset_mac_header(skb);
		skb_reset_mac_len(skb);
	}
	return flags & BPF_F_INGRESS ? receive(skb, dev, link_header) : transmit(skb, dev);
}

BC_HELPER(clone_redirect)
{
	const struct bc_skb_ctx *ctx = (const struct bc_skb_ctx *)(unsigned long)r1;
	const struct bc_packet *p = ctx->host;
	struct bc_run_suspended suspended;
	struct net_device *dev;
	long ret = -EINVAL;

	if (r3 & ~(u64)BPF_F_INGRESS)
		return (s64)-EINVAL;
	/* of segments without a type there is nothing that a device could do with them */
	if (ctx->user.gso_size)
		return (s64)-EBADMSG;
	bc_run_suspend(&suspended);
	local_bh_disable();	/* who receives is called by its end */
	rcu_read_lock();
	dev = dev_get_by_index_rcu(dev_net(p->dev), (u32)r2);
	if (dev)
		ret = give(ctx, dev, r3);
	rcu_read_unlock();
	local_bh_enable();
	bc_run_resume(&suspended);
	return ret;
}
