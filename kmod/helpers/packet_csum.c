// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that keep checksums in packets right (RFC 1624), and marks of congestion (RFC 3168), which are under one. The packets of test
 * runs come without a sum from the hardware, so only those in the packet matter.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/if_ether.h>
#include <net/checksum.h>

#define SUM_LEVELS_MAX	3	/* below the outermost; Linux: SKB_MAX_CSUM_LEVEL */
#define L4_FLAGS	(BPF_F_MARK_MANGLED_0 | BPF_F_MARK_ENFORCE | BPF_F_PSEUDO_HDR | BPF_F_HDR_FIELD_MASK | BPF_F_IPV6)
#define SUM_OF_ZERO	0xffff	/* UDP: 0 stands for no sum (Linux: CSUM_MANGLED_0) */
#define ECN_BITS	3
#define ECN_CE		3
#define VLAN_HEADER	4
#define VLAN_DEPTH_MAX	8

/* One's complement addition, of words in either byte order. */
static u16 sum16(u32 a, u32 b)
{
	u32 sum = a + b;

	return (sum & 0xffff) + (sum >> 16);
}

static u16 folded(u32 sum)
{
	return sum16(sum & 0xffff, sum >> 16);
}

/* The checksum @old once @add, a sum itself, has come to what it covers. */
static u16 with_difference(u16 old, u32 add)
{
	__wsum sum = csum_add((__force __wsum)add, (__force __wsum)~(u32)old);

	return ~folded((__force u32)sum);
}

/* The same once a word has become another one. */
static u16 with_word(u16 old, u32 from, u32 to)
{
	u32 without = (__force u32)csum_add((__force __wsum)~(u32)old, (__force __wsum)~from);

	return ~folded((__force u32)csum_add((__force __wsum)without, (__force __wsum)to));
}

/* Where the checksum is, or NULL. */
static u8 *sum_at(const struct bc_skb_ctx *skb, u32 off)
{
	return off > 0xffff || off % 2 || off + 2 > bc_skb_len(skb) ? NULL : bc_skb_at(skb->pkt.data) + off;
}

BC_HELPER(l3_csum_replace)
{
	u8 *to = sum_at(bc_skb_of(r1), r2);
	u16 sum;

	if (r5 & ~(u64)BPF_F_HDR_FIELD_MASK)
		return (s64)-EINVAL;
	if (!to)
		return (s64)-EFAULT;
	memcpy(&sum, to, sizeof(sum));
	switch (r5) {
	case 0:
		if (r3)
			return (s64)-EINVAL;
		sum = with_difference(sum, r4);
		break;
	case 2:
		sum = ~sum16(sum16((u16)~sum, (u16)~r3), (u16)r4);
		break;
	case 4:
		sum = with_word(sum, r3, r4);
		break;
	default:
		return (s64)-EINVAL;
	}
	memcpy(to, &sum, sizeof(sum));
	return 0;
}

BC_HELPER(l4_csum_replace)
{
	u8 *to = sum_at(bc_skb_of(r1), r2);
	bool zero_is_none = r5 & BPF_F_MARK_MANGLED_0;
	u16 sum;

	if (r5 & ~(u64)L4_FLAGS)
		return (s64)-EINVAL;
	if (!to)
		return (s64)-EFAULT;
	memcpy(&sum, to, sizeof(sum));
	if (zero_is_none && !(r5 & BPF_F_MARK_ENFORCE) && !sum)
		return 0;
	switch (r5 & BPF_F_HDR_FIELD_MASK) {
	case 0:
		if (r3)
			return (s64)-EINVAL;
		sum = with_difference(sum, r4);
		break;
	case 2:
		sum = with_word(sum, (u16)r3, (u16)r4);
		break;
	case 4:
		sum = with_word(sum, r3, r4);
		break;
	default:
		return (s64)-EINVAL;
	}
	if (zero_is_none && !sum)
		sum = SUM_OF_ZERO;
	memcpy(to, &sum, sizeof(sum));
	return 0;
}

BC_HELPER(csum_level)
{
	struct bc_packet *p = bc_skb_of(r1)->host;

	switch (r2) {
	case BPF_CSUM_LEVEL_INC:
		p->sums_known = min(p->sums_known + 1, SUM_LEVELS_MAX + 1);
		return 0;
	case BPF_CSUM_LEVEL_DEC:
		p->sums_known = max(p->sums_known - 1, 0);
		return 0;
	case BPF_CSUM_LEVEL_RESET:
		p->sums_known = 0;
		return 0;
	case BPF_CSUM_LEVEL_QUERY:
		return p->sums_known ? p->sums_known - 1 : (s64)-EACCES;
	default:
		return (s64)-EINVAL;
	}
}

/* Of what the packet carries inside VLAN tags; 0 when it ends before that is known. */
static u32 inner_protocol(const struct bc_skb_ctx *skb)
{
	const struct bc_packet *p = skb->host;
	u32 proto = skb->user.protocol, tags = 0;
	u32 off = p->link_len ? p->link_len - VLAN_HEADER : BC_ETH_BYTES;

	while (bc_is_vlan(proto)) {
		u16 inner;

		if (off + VLAN_HEADER > bc_skb_len(skb) || ++tags == VLAN_DEPTH_MAX)
			return 0;
		memcpy(&inner, bc_skb_at(skb->pkt.data) + off + 2, sizeof(inner));
		proto = inner;
		off += VLAN_HEADER;
	}
	return proto;
}

static s64 mark_ipv4(u8 *header)
{
	u8 ecn = header[1] & ECN_BITS;
	u16 sum;

	if (!ecn || ecn == ECN_CE)
		return ecn == ECN_CE;
	header[1] |= ECN_CE;
	memcpy(&sum, header + 10, sizeof(sum));
	sum = sum16(sum, htons(~(ECN_CE - ecn)));
	memcpy(header + 10, &sum, sizeof(sum));
	return 1;
}

/* Its class of traffic begins in the middle of the first byte. */
static s64 mark_ipv6(u8 *header)
{
	if (!(header[1] >> 4 & ECN_BITS))
		return 0;
	header[1] |= ECN_CE << 4;
	return 1;
}

BC_HELPER(skb_ecn_set_ce)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	u32 proto = inner_protocol(skb), bytes = proto == htons(ETH_P_IP) ? BC_IPV4_BYTES : BC_IPV6_BYTES;

	if ((proto != htons(ETH_P_IP) && proto != htons(ETH_P_IPV6)) || bc_skb_len(skb) < bytes ||
	    skb->network + bytes > skb->pkt.data_end)
		return 0;
	return proto == htons(ETH_P_IP) ? mark_ipv4(bc_skb_at(skb->network)) : mark_ipv6(bc_skb_at(skb->network));
}

BC_HELPER(skb_set_tstamp)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	bool is_delivery = (u32)r3 == BPF_SKB_TSTAMP_DELIVERY_MONO;

	if (skb->user.protocol != htons(ETH_P_IP) && skb->user.protocol != htons(ETH_P_IPV6))
		return (s64)-EOPNOTSUPP;
	if ((!is_delivery && (u32)r3 != BPF_SKB_TSTAMP_UNSPEC) || is_delivery != !!r2)
		return (s64)-EINVAL;
	skb->user.tstamp = r2;
	skb->user.tstamp_type = (u32)r3;
	return 0;
}
