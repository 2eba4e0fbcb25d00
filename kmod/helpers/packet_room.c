// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_skb_adjust_room(): makes room for headers in a packet, or takes them out. Behaviour and errors are Linux 6.1's for a linear packet.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/if_ether.h>

#define MAX_CHANGE	0xfff
#define IPV4_BYTES	20
#define IPV6_BYTES	40

#define ENCAP_L3	(BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
#define ENCAP_L4	(BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP)
#define IN_ANY_CASE	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)
#define KNOWN_FLAGS	(IN_ANY_CASE | ENCAP_L3 | ENCAP_L4 | BPF_F_ADJ_ROOM_ENCAP_L2_ETH | \
			 (u64)BPF_ADJ_ROOM_ENCAP_L2_MASK << BPF_ADJ_ROOM_ENCAP_L2_SHIFT)

static u8 *at(u64 address)
{
	return (u8 *)(unsigned long)address;
}

/* Of the network layer's header; 0: of neither protocol. */
static u32 header_bytes(u32 proto)
{
	if (proto == htons(ETH_P_IP))
		return IPV4_BYTES;
	return proto == htons(ETH_P_IPV6) ? IPV6_BYTES : 0;
}

/*
 * Linux finds a packet other memory where there is too little before it; here it moves to the end of its own, but for what a packet
 * that is shorter than its headers is moved beyond its end.
 */
static int make_headroom(struct bc_skb_ctx *skb, u32 len)
{
	struct bc_packet *p = skb->host;
	u64 size = skb->pkt.data_end - skb->pkt.data;
	u8 *data = at(skb->pkt.data), *first = min(data, p->link), *to;
	u32 before = data - first;

	if (first - p->head >= len)
		return 0;
	if (p->end - p->head < size + before + len + IPV6_BYTES)
		return -ENOMEM;
	to = p->end - IPV6_BYTES - size;
	memmove(to - before, first, size + before);
	skb->network += to - data;
	bc_skb_set_data(skb, to);
	skb->pkt.data_end = (unsigned long)(to + size);
	skb->user.len = size;
	return 0;
}

static int encapsulate(struct bc_skb_ctx *skb, u32 len, u64 flags)
{
	struct bc_packet *p = skb->host;
	u8 inner_link = flags >> BPF_ADJ_ROOM_ENCAP_L2_SHIFT;

	if ((flags & ENCAP_L3) == ENCAP_L3 || (flags & ENCAP_L4) == ENCAP_L4)
		return -EINVAL;
	if ((flags & BPF_F_ADJ_ROOM_ENCAP_L2_ETH) && inner_link < ETH_HLEN)
		return -EINVAL;
	if (p->encapsulated)
		return -EALREADY;
	return inner_link > len ? -EINVAL : 0;
}

static int grow(struct bc_skb_ctx *skb, u32 off, u32 len, u64 flags)
{
	struct bc_packet *p = skb->host;
	u8 *data;
	int err;

	/* segments of datagrams must not change */
	if (skb->user.gso_size)
		return -ENOTSUPP;
	err = make_headroom(skb, len);
	if (!err && (flags & ENCAP_L3))
		err = encapsulate(skb, len, flags);
	if (err)
		return err;
	data = at(skb->pkt.data) - len;
	memmove(data, data + len, off);
	memset(data + off, 0, len);
	skb->network -= len;
	bc_skb_set_data(skb, data);
	if (!(flags & ENCAP_L3))
		return 0;
	p->encapsulated = true;
	skb->user.protocol = flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	return 0;
}

static int shrink(struct bc_skb_ctx *skb, u32 off, u32 len, u64 flags)
{
	u8 *data = at(skb->pkt.data);

	if (flags & ~(u64)IN_ANY_CASE)
		return -EINVAL;
	if (skb->user.gso_size)
		return -ENOTSUPP;
	if (data + off + len > at(skb->pkt.data_end))
		return -ENOMEM;
	memmove(data + len, data, off);
	skb->network += len;
	bc_skb_set_data(skb, data + len);
	return 0;
}

BC_HELPER(skb_adjust_room)
{
	struct bc_skb_ctx *skb = (struct bc_skb_ctx *)(unsigned long)r1;
	s32 change = r2;
	u32 len = change < 0 ? -(u32)change : change, mode = r3, least = header_bytes(skb->user.protocol);
	u32 off = skb->network - skb->link, len_net = skb->pkt.data_end - skb->network;

	if (r4 & ~KNOWN_FLAGS)
		return (s64)-EINVAL;
	if (len > MAX_CHANGE)
		return (s64)-EFAULT;
	if (!least || (mode != BPF_ADJ_ROOM_NET && mode != BPF_ADJ_ROOM_MAC))
		return (s64)-ENOTSUPP;
	if (mode == BPF_ADJ_ROOM_NET)
		off += least;
	if (change < 0 && (len >= len_net || len_net - len < least))
		return (s64)-ENOTSUPP;
	return (s64)(change < 0 ? shrink(skb, off, len, r4) : grow(skb, off, len, r4));
}
