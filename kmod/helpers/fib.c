// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_fib_lookup(): where a packet would be sent on to, and between which addresses of the link.
 */
#include "helpers.h"
#include "packet.h"
#include "../compat/fib.h"
#include <linux/if_vlan.h>
#include <linux/netdevice.h>

bool bc_fib_available(u32 func_id)
{
	return func_id != BPF_FUNC_fib_lookup || compat_has_fib_lookup();
}

/* May a packet of so many bytes leave through @dev? With room for a tag. */
static bool forwardable(const struct net_device *dev, u32 len, bool segments)
{
	if (!(dev->flags & IFF_UP))
		return false;
	return segments || len <= READ_ONCE(dev->mtu) + dev->hard_header_len + VLAN_HLEN;
}

static long by_skb(const struct bc_skb_ctx *skb, struct bpf_fib_lookup *params, u32 size, u32 flags)
{
	const struct bc_packet *p = skb->host;
	bool told = size >= sizeof(*params) && params->tot_len;
	const struct net_device *dev;
	long ret;

	ret = compat_fib_lookup(p->dev, params, size, flags);
	if (ret || told)
		return ret;
	/* No length was told: it is the packet's, and the device's own MTU that counts. */
	dev = dev_get_by_index_rcu(dev_net(p->dev), params->ifindex);
	if (!dev)
		return -ENODEV;
	if (!forwardable(dev, bc_skb_len(skb), skb->user.gso_size))
		ret = BPF_FIB_LKUP_RET_FRAG_NEEDED;
	params->mtu_result = READ_ONCE(dev->mtu);
	return ret;
}

static long by_xdp(const struct bc_xdp_ctx *xdp, struct bpf_fib_lookup *params, u32 size, u32 flags)
{
	const struct bc_packet *p = xdp->host;

	return compat_fib_lookup(p->dev, params, size, flags);
}

BC_HELPER(fib_lookup)
{
	struct bpf_fib_lookup *params = (struct bpf_fib_lookup *)(unsigned long)r2;
	void *ctx = (void *)(unsigned long)r1;
	long ret;

	rcu_read_lock();
	ret = bc_this_run()->prog->type == BPF_PROG_TYPE_XDP ? by_xdp(ctx, params, r3, r4) : by_skb(ctx, params, r3, r4);
	rcu_read_unlock();
	return ret;
}
