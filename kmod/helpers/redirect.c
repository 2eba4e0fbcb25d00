// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that say where a packet is to go, and whether it would fit there. In a test run nothing more comes of a redirection than the
 * value that the helper returned, on Linux too: what it remembers is looked at by who ran the program for a packet of the network.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/netdevice.h>

/* What a classifier returns (Linux: TC_ACT_*; the second is not in all kernels' headers). */
#define DROP		2
#define REDIRECT	7

static bool is_xdp(void)
{
	return bc_this_run()->prog->type == BPF_PROG_TYPE_XDP;
}

BC_HELPER(redirect)
{
	if (is_xdp())
		return r2 ? XDP_ABORTED : XDP_REDIRECT;
	return r2 & ~(u64)BPF_F_INGRESS ? DROP : REDIRECT;
}

BC_HELPER(redirect_peer)
{
	return r2 ? DROP : REDIRECT;
}

BC_HELPER(redirect_neigh)
{
	u32 size = r3;

	return (size && size < sizeof(struct bpf_redir_neigh)) || r4 ? DROP : REDIRECT;
}

/* The lowest bits of the flags are what is returned where there is nothing in the map. */
BC_HELPER(redirect_map)
{
	struct bc_map *map = bc_map_of((struct bc_map_desc *)(unsigned long)r1);
	u64 on_miss = XDP_ABORTED | XDP_DROP | XDP_PASS | XDP_TX, known = on_miss;
	u32 key = r2;

	if (map->desc.type != BPF_MAP_TYPE_CPUMAP)
		known |= BPF_F_BROADCAST | BPF_F_EXCLUDE_INGRESS;
	if (r3 & ~known)
		return XDP_ABORTED;
	return (r3 & BPF_F_BROADCAST) || map->ops->lookup(map, &key) ? XDP_REDIRECT : r3 & on_miss;
}

/* ---- sizes ---- */

/* The packet's own device, or that one of the same network. Under RCU; NULL. */
static struct net_device *device_of(const struct bc_packet *p, u32 ifindex)
{
	return ifindex ? dev_get_by_index_rcu(dev_net(p->dev), ifindex) : p->dev;
}

/* Is a packet of so many bytes, or, where the caller gave a length for the network layer, of so many, short enough for @dev? */
static bool fits(const struct net_device *dev, u32 mtu, u32 len, u32 given, s32 more)
{
	u32 header = dev->hard_header_len;
	s32 sum = (given ? given + header : len) + (u32)more;

	return sum <= (s32)(mtu + header);
}

static long check_skb(const struct bc_skb_ctx *skb, u32 ifindex, u32 *mtu_len, s32 more, u64 flags, u32 *mtu)
{
	const struct bc_packet *p = skb->host;
	const struct net_device *dev;

	if ((flags & ~(u64)BPF_MTU_CHK_SEGS) || ((flags & BPF_MTU_CHK_SEGS) && (more || *mtu_len)))
		return -EINVAL;
	dev = device_of(p, ifindex);
	if (!dev)
		return -ENODEV;
	*mtu = READ_ONCE(dev->mtu);
	if (fits(dev, *mtu, skb->pkt.data_end - skb->pkt.data, *mtu_len, more))
		return BPF_MTU_CHK_RET_SUCCESS;
	if (!skb->user.gso_size)
		return BPF_MTU_CHK_RET_FRAG_NEEDED;
	if (!(flags & BPF_MTU_CHK_SEGS))
		return BPF_MTU_CHK_RET_SUCCESS;
	/* Where segments would begin is not known of a packet that was not received; and this one error leaves the length as it was. */
	*mtu = *mtu_len;
	return -EINVAL;
}

static long check_xdp(const struct bc_xdp_ctx *xdp, u32 ifindex, u32 *mtu_len, s32 more, u64 flags, u32 *mtu)
{
	const struct net_device *dev;

	if (flags)
		return -EINVAL;
	dev = device_of(xdp->host, ifindex);
	if (!dev)
		return -ENODEV;
	*mtu = READ_ONCE(dev->mtu);
	return fits(dev, *mtu, xdp->pkt.data_end - xdp->pkt.data, *mtu_len, more) ? BPF_MTU_CHK_RET_SUCCESS : BPF_MTU_CHK_RET_FRAG_NEEDED;
}

BC_HELPER(check_mtu)
{
	u32 *mtu_len = (u32 *)(unsigned long)r3, mtu = 0;
	void *ctx = (void *)(unsigned long)r1;
	long ret;

	rcu_read_lock();
	ret = is_xdp() ? check_xdp(ctx, r2, mtu_len, r4, r5, &mtu) : check_skb(ctx, r2, mtu_len, r4, r5, &mtu);
	rcu_read_unlock();
	*mtu_len = mtu;
	return ret;
}

/* That of the route that a packet took: none in a test run. */
BC_HELPER(get_route_realm)
{
	return 0;
}
