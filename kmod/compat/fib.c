// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_fib_lookup() by the kernel's own function, which came with 4.18; before 4.0 by what that kernel forwards with. There routes are
 * those that it would take itself: with the MTU that a route was given, locked or not, and without what was learned of paths beyond it.
 * Of IPv6 routes to one destination that through the device asked for comes first, or through one that has the source's address, whatever
 * their metrics; Linux 6.1 looks among those of the smallest metric alone.
 */
#include "../bpf.h"
#include "fib.h"
#include <linux/inetdevice.h>
#include <linux/netdevice.h>
#include <net/addrconf.h>
#include <net/arp.h>
#include <net/ip6_fib.h>
#include <net/ip6_route.h>
#include <net/ip_fib.h>
#include <net/neighbour.h>
#include <net/route.h>

#ifdef HAVE_FIB_LOOKUP_OLD

#define FLAGS \
	(BPF_FIB_LOOKUP_DIRECT | BPF_FIB_LOOKUP_OUTPUT | BPF_FIB_LOOKUP_SKIP_NEIGH | BPF_FIB_LOOKUP_TBID | BPF_FIB_LOOKUP_SRC)
#define IPV4_MTU_MAX 0xffffU	/* of all that a packet's length field can tell */

bool compat_has_fib_lookup(void)
{
	return true;
}

/* Which table is to be looked at, alone; and of the tag, which stands in the same place, nothing is left. */
static u32 table_of(struct bpf_fib_lookup *params, u32 flags)
{
	u32 table = RT_TABLE_MAIN;

	if (flags & BPF_FIB_LOOKUP_TBID) {
		table = params->tbid;
		params->tbid = 0;
	}
	return table;
}

static bool too_long(struct bpf_fib_lookup *params, u32 mtu)
{
	if (params->tot_len <= mtu)
		return false;
	params->mtu_result = mtu;
	return true;
}

/* Takes the reference, which may be none. */
static long to_neighbour(struct bpf_fib_lookup *params, const struct net_device *dev, struct neighbour *neigh)
{
	bool valid = neigh && (READ_ONCE(neigh->nud_state) & NUD_VALID);

	if (valid) {
		memcpy(params->dmac, neigh->ha, ETH_ALEN);
		memcpy(params->smac, dev->dev_addr, ETH_ALEN);
	}
	if (neigh)
		neigh_release(neigh);
	return valid ? BPF_FIB_LKUP_RET_SUCCESS : BPF_FIB_LKUP_RET_NO_NEIGH;
}

static long found(struct bpf_fib_lookup *params, u32 mtu)
{
	params->h_vlan_proto = 0;
	params->h_vlan_TCI = 0;
	params->mtu_result = mtu;
	return BPF_FIB_LKUP_RET_SUCCESS;
}

/* What a route that leads nowhere says; RTN_THROW and a network without a route are the rest. */
static long not_forwarded(int err)
{
	switch (err) {
	case -EINVAL:
		return BPF_FIB_LKUP_RET_BLACKHOLE;
	case -EHOSTUNREACH:
		return BPF_FIB_LKUP_RET_UNREACHABLE;
	case -EACCES:
		return BPF_FIB_LKUP_RET_PROHIBIT;
	default:
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	}
}

/* ---- IPv4 ---- */

static struct fib_table *ipv4_table(struct net *net, u32 id)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return bc_sym.fib_get_table ? bc_sym.fib_get_table(net, id) : NULL;
#else
	return fib_get_table(net, id);
#endif
}

/* By all rules, and with what a route says that leads nowhere: the kernel's own look-up of networks without rules can lose that. */
static int by_rules(struct net *net, struct flowi4 *fl, struct fib_result *res)
{
#ifdef CONFIG_IP_MULTIPLE_TABLES
	return __fib_lookup(net, fl, res);
#else
	int err = fib_table_lookup(fib_get_table(net, RT_TABLE_LOCAL), fl, res, FIB_LOOKUP_NOREF);

	return err ? fib_table_lookup(fib_get_table(net, RT_TABLE_MAIN), fl, res, FIB_LOOKUP_NOREF) : 0;
#endif
}

/* Of a route with several ways, one; the look-up has chosen where a device was asked for. */
static void choose_path(struct net *net, struct fib_result *res, struct flowi4 *fl)
{
#ifdef CONFIG_IP_ROUTE_MULTIPATH
	if (res->fi->fib_nhs < 2 || fl->flowi4_oif)
		return;
#ifdef HAVE_FIB_SELECT_PATH
	fib_select_path(net, res, fl, NULL);
#else
	if (bc_sym.fib_select_multipath)
		bc_sym.fib_select_multipath(res);
#endif
#endif
}

static bool by_tunnel(const struct fib_nh *nh)
{
#ifdef HAVE_FIB_NH_LWTSTATE
	return nh->nh_lwtstate;
#else
	return false;
#endif
}

static long ipv4_lookup(struct net *net, struct bpf_fib_lookup *params, u32 flags)
{
	struct net_device *dev = dev_get_by_index_rcu(net, params->ifindex);
	struct in_device *in_dev;
	struct fib_result res = { };
	const struct fib_nh *nh;
	struct fib_table *table;
	struct flowi4 fl = { };
	u32 mtu;
	int err;

	if (!dev)
		return -ENODEV;
	in_dev = __in_dev_get_rcu(dev);
	if (!in_dev || !IN_DEV_FORWARD(in_dev))
		return BPF_FIB_LKUP_RET_FWD_DISABLED;
	fl.flowi4_iif = flags & BPF_FIB_LOOKUP_OUTPUT ? 1 : params->ifindex;
	fl.flowi4_oif = flags & BPF_FIB_LOOKUP_OUTPUT ? params->ifindex : 0;
	fl.flowi4_tos = params->tos & IPTOS_RT_MASK;
	fl.flowi4_scope = RT_SCOPE_UNIVERSE;
	fl.flowi4_proto = params->l4_protocol;
	fl.daddr = params->ipv4_dst;
	fl.saddr = params->ipv4_src;
	fl.fl4_sport = params->sport;
	fl.fl4_dport = params->dport;
	if (flags & BPF_FIB_LOOKUP_DIRECT) {
		table = ipv4_table(net, table_of(params, flags));
		if (!table)
			return BPF_FIB_LKUP_RET_NOT_FWDED;
		err = fib_table_lookup(table, &fl, &res, FIB_LOOKUP_NOREF);
	} else {
		err = by_rules(net, &fl, &res);
	}
	if (err)
		return not_forwarded(err);
	if (res.type != RTN_UNICAST)
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	choose_path(net, &res, &fl);
	nh = &FIB_RES_NH(res);
	dev = nh->nh_dev;
	mtu = res.fi->fib_mtu ? : min(READ_ONCE(dev->mtu), IPV4_MTU_MAX);
	if (too_long(params, mtu))
		return BPF_FIB_LKUP_RET_FRAG_NEEDED;
	if (by_tunnel(nh))
		return BPF_FIB_LKUP_RET_UNSUPP_LWT;
	params->rt_metric = res.fi->fib_priority;
	params->ifindex = dev->ifindex;
	if (flags & BPF_FIB_LOOKUP_SRC)
		params->ipv4_src = res.fi->fib_prefsrc ? : inet_select_addr(dev, nh->nh_gw, nh->nh_parent->fib_scope);
	if (nh->nh_gw)
		params->ipv4_dst = nh->nh_gw;
	if (!(flags & BPF_FIB_LOOKUP_SKIP_NEIGH)) {
		long ret = to_neighbour(params, dev, __ipv4_neigh_lookup(dev, (__force u32)params->ipv4_dst));

		if (ret)
			return ret;
	}
	return found(params, mtu);
}

/* ---- IPv6: where it is no module, and so does not go away ---- */

#if IS_BUILTIN(CONFIG_IPV6) && defined(HAVE_RT6I_METRIC)

/* A reference to the route, or NULL. */
static struct rt6_info *ipv6_route(struct net *net, struct bpf_fib_lookup *params, struct flowi6 *fl, u32 flags)
{
	int strict = flags & BPF_FIB_LOOKUP_OUTPUT ? 0 : RT6_LOOKUP_F_HAS_SADDR;
	struct fib6_table *table;

	if (!(flags & BPF_FIB_LOOKUP_DIRECT))
		return (struct rt6_info *)ip6_route_lookup(net, fl, strict);
	table = bc_sym.fib6_get_table && bc_sym.ip6_pol_route_lookup ? bc_sym.fib6_get_table(net, table_of(params, flags)) : NULL;
	return table ? bc_sym.ip6_pol_route_lookup(net, table, fl, strict) : NULL;
}

static bool expired(const struct rt6_info *rt)
{
	return rt->rt6i_flags & RTF_EXPIRES && time_after(jiffies, rt->dst.expires);
}

/* A reference, or NULL. */
static struct neighbour *ipv6_neighbour(struct net_device *dev, const struct in6_addr *addr)
{
	const struct inet6_dev *idev = __in6_dev_get(dev);

	return idev && idev->nd_parms ? neigh_lookup(idev->nd_parms->tbl, addr, dev) : NULL;
}

static long by_route(struct net *net, struct bpf_fib_lookup *params, struct rt6_info *rt, u32 flags)
{
	struct in6_addr *dst = (struct in6_addr *)params->ipv6_dst, *src = (struct in6_addr *)params->ipv6_src, to = *dst;
	struct net_device *dev = rt->dst.dev;
	u32 mtu;

	if (rt == net->ipv6.ip6_null_entry || expired(rt))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
#ifdef CONFIG_IPV6_MULTIPLE_TABLES
	/* a rule's, which count for none */
	if (rt == net->ipv6.ip6_prohibit_entry || rt == net->ipv6.ip6_blk_hole_entry)
		return BPF_FIB_LKUP_RET_NOT_FWDED;
#endif
	/* before 3.13 that of an unreachable destination was the network's */
	if (rt->rt6i_flags & RTF_REJECT)
		return not_forwarded(rt->dst.error == -ENETUNREACH ? -EHOSTUNREACH : rt->dst.error);
	if (rt->rt6i_flags & (RTF_LOCAL | RTF_ANYCAST))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	mtu = dst_mtu(&rt->dst);
	if (too_long(params, mtu))
		return BPF_FIB_LKUP_RET_FRAG_NEEDED;
#ifdef HAVE_DST_LWTSTATE
	if (rt->dst.lwtstate)
		return BPF_FIB_LKUP_RET_UNSUPP_LWT;
#endif
	if (rt->rt6i_flags & RTF_GATEWAY)
		*dst = rt->rt6i_gateway;
	params->rt_metric = rt->rt6i_metric;
	params->ifindex = dev->ifindex;
	if (flags & BPF_FIB_LOOKUP_SRC) {
		if (rt->rt6i_prefsrc.plen)
			*src = rt->rt6i_prefsrc.addr;
		else if (ipv6_dev_get_saddr(net, dev, &to, 0, src))
			return BPF_FIB_LKUP_RET_NO_SRC_ADDR;
	}
	if (!(flags & BPF_FIB_LOOKUP_SKIP_NEIGH)) {
		long ret = to_neighbour(params, dev, ipv6_neighbour(dev, dst));

		if (ret)
			return ret;
	}
	return found(params, mtu);
}

/* Such are never forwarded. */
static bool of_the_link(const struct in6_addr *addr)
{
	return ipv6_addr_type(addr) & (IPV6_ADDR_MULTICAST | IPV6_ADDR_LINKLOCAL | IPV6_ADDR_LOOPBACK);
}

static long ipv6_lookup(struct net *net, struct bpf_fib_lookup *params, u32 flags)
{
	struct in6_addr *dst = (struct in6_addr *)params->ipv6_dst, *src = (struct in6_addr *)params->ipv6_src;
	const struct inet6_dev *idev;
	struct net_device *dev;
	struct flowi6 fl = { };
	struct rt6_info *rt;
	long ret;

	if (of_the_link(dst) || of_the_link(src))
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	dev = dev_get_by_index_rcu(net, params->ifindex);
	if (!dev)
		return -ENODEV;
	idev = __in6_dev_get(dev);
	if (!idev || !idev->cnf.forwarding)
		return BPF_FIB_LKUP_RET_FWD_DISABLED;
	fl.flowi6_iif = flags & BPF_FIB_LOOKUP_OUTPUT ? 1 : params->ifindex;
	fl.flowi6_oif = flags & BPF_FIB_LOOKUP_OUTPUT ? params->ifindex : 0;
	fl.flowlabel = params->flowinfo;
	fl.flowi6_proto = params->l4_protocol;
	fl.daddr = *dst;
	fl.saddr = *src;
	fl.fl6_sport = params->sport;
	fl.fl6_dport = params->dport;
	rt = ipv6_route(net, params, &fl, flags);
	if (!rt)
		return BPF_FIB_LKUP_RET_NOT_FWDED;
	ret = by_route(net, params, rt, flags);
	dst_release(&rt->dst);
	return ret;
}

#else

static long ipv6_lookup(struct net *net, struct bpf_fib_lookup *params, u32 flags)
{
	return -EAFNOSUPPORT;
}

#endif

long compat_fib_lookup(struct net_device *dev, struct bpf_fib_lookup *params, u32 size, u32 flags)
{
	if (size < sizeof(*params) || flags & ~FLAGS)
		return -EINVAL;
	switch (params->family) {
	case AF_INET:
		return ipv4_lookup(dev_net(dev), params, flags);
	case AF_INET6:
		return ipv6_lookup(dev_net(dev), params, flags);
	default:
		return -EAFNOSUPPORT;
	}
}

#elif defined(HAVE_XDP_BUFF_RXQ)
#include <net/xdp.h>

bool compat_has_fib_lookup(void)
{
	return bc_sym.bpf_xdp_fib_lookup;
}

/* All that it looks at of its packet is the device. */
long compat_fib_lookup(struct net_device *dev, struct bpf_fib_lookup *params, u32 size, u32 flags)
{
	struct xdp_rxq_info rxq = { .dev = dev };
	struct xdp_buff xdp = { .rxq = &rxq };

	return (int)bc_sym.bpf_xdp_fib_lookup((unsigned long)&xdp, (unsigned long)params, size, flags, 0);
}

#else

bool compat_has_fib_lookup(void)
{
	return false;
}

long compat_fib_lookup(struct net_device *dev, struct bpf_fib_lookup *params, u32 size, u32 flags)
{
	return -EOPNOTSUPP;
}

#endif
