// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_skb_adjust_room(): makes room for headers in a packet, or takes them out. Behaviour and errors are Linux 6.1's for a linear packet.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/if_ether.h>

#define MAX_CHANGE	0xfff

#define ENCAP_L3	(BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 | BPF_F_ADJ_ROOM_ENCAP_L3_IPV6)
#define ENCAP_L4	(BPF_F_ADJ_ROOM_ENCAP_L4_GRE | BPF_F_ADJ_ROOM_ENCAP_L4_UDP)
#define IN_ANY_CASE	(BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET)
#define KNOWN_FLAGS	(IN_ANY_CASE | ENCAP_L3 | ENCAP_L4 | BPF_F_ADJ_ROOM_ENCAP_L2_ETH | \
			 (u64)BPF_ADJ_ROOM_ENCAP_L2_MASK << BPF_ADJ_ROOM_ENCAP_L2_SHIFT)

/* Of the network layer's header; 0: of neither protocol. */
static u32 header_bytes(u32 proto)
{
	if (proto == htons(ETH_P_IP))
		return BC_IPV4_BYTES;
	return proto == htons(ETH_P_IPV6) ? BC_IPV6_BYTES : 0;
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
	int err;

	/* segments of datagrams must not change */
	if (skb->user.gso_size)
		return -ENOTSUPP;
	err = bc_skb_room(skb, len, 0);
	if (!err && (flags & ENCAP_L3))
		err = encapsulate(skb, len, flags);
	if (!err)
		err = bc_skb_push(skb, off, len);
	if (err || !(flags & ENCAP_L3))
		return err;
	p->encapsulated = true;
	skb->user.protocol = flags & BPF_F_ADJ_ROOM_ENCAP_L3_IPV6 ? htons(ETH_P_IPV6) : htons(ETH_P_IP);
	if (flags & ENCAP_L4)
		p->transport = header_bytes(skb->user.protocol);
	return 0;
}

static int shrink(struct bc_skb_ctx *skb, u32 off, u32 len, u64 flags)
{
	if (flags & ~(u64)IN_ANY_CASE)
		return -EINVAL;
	if (skb->user.gso_size)
		return -ENOTSUPP;
	return bc_skb_pop(skb, off, len);
}

BC_HELPER(skb_adjust_room)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	struct bc_packet *p = skb->host;
	s32 change = r2;
	u32 len = change < 0 ? -(u32)change : change, mode = r3, least = header_bytes(skb->user.protocol);
	u32 off = skb->network - skb->link, len_net = skb->pkt.data_end - skb->network;
	int err;

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
	if (change >= 0 && bc_skb_len(skb) + len > BC_PACKET_MAX && !skb->user.gso_size)
		return (s64)-ENOTSUPP;
	err = change < 0 ? shrink(skb, off, len, r4) : grow(skb, off, len, r4);
	if (!err && !(r4 & BPF_F_ADJ_ROOM_NO_CSUM_RESET))
		p->sums_known = 0;
	return (s64)err;
}
