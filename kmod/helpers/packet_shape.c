// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that change a packet's length, its protocol and whom it is for. Behaviour and errors are Linux 6.1's for a linear packet.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/slab.h>

/* A packet may be shorter than its headers: what is moved with them may reach that far beyond its end. */
#define BEHIND		(2 * BC_IPV6_BYTES)
#define HEADERS_DIFFER	(BC_IPV6_BYTES - BC_IPV4_BYTES)

/* Test runs are no probes: the slab may be called, as Linux does here. */
int bc_skb_room(struct bc_skb_ctx *skb, u32 before, u32 behind)
{
	struct bc_packet *p = skb->host;
	u8 *first = min(bc_skb_at(skb->pkt.data), p->link), *end = bc_skb_at(skb->pkt.data_end), *head, *to;
	u32 size = end - first;

	if (first - p->head >= before && p->end - end >= (s64)behind + BEHIND)
		return 0;
	/* helpers whose packets may grow without end say so before they come here, but for those in segments */
	if ((u64)size + before + behind > 2 * BC_PACKET_MAX)
		return -ENOMEM;
	head = kzalloc(before + size + behind + BEHIND, GFP_ATOMIC | __GFP_NOWARN);
	if (!head)
		return -ENOMEM;
	to = head + before;
	memcpy(to, first, size);
	skb->network += to - first;
	skb->pkt.data_end += to - first;
	bc_skb_set_data(skb, bc_skb_at(skb->pkt.data) + (to - first));
	kfree(p->head);
	p->head = head;
	p->end = head + before + size + behind + BEHIND;
	return 0;
}

int bc_skb_push(struct bc_skb_ctx *skb, u32 off, u32 len)
{
	struct bc_packet *p = skb->host;
	int err = bc_skb_room(skb, len, 0);
	u8 *data;

	if (err)
		return err;
	data = bc_skb_at(skb->pkt.data) - len;
	memmove(data, data + len, off);
	memset(data + off, 0, len);
	skb->network -= len;
	if (p->transport)
		p->transport += len;
	bc_skb_set_data(skb, data);
	return 0;
}

int bc_skb_pop(struct bc_skb_ctx *skb, u32 off, u32 len)
{
	struct bc_packet *p = skb->host;
	u8 *data = bc_skb_at(skb->pkt.data);

	if (bc_skb_len(skb) < off + len)
		return -ENOMEM;
	memmove(data + len, data, off);
	skb->network += len;
	if (p->transport)
		p->transport -= len;
	bc_skb_set_data(skb, data + len);
	return 0;
}

BC_HELPER(skb_change_proto)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	u32 off = skb->network - skb->link;
	u16 from = skb->user.protocol, to = r2;
	int err;

	if (r3)
		return (s64)-EINVAL;
	if (from == htons(ETH_P_IP) && to == htons(ETH_P_IPV6))
		err = bc_skb_push(skb, off, HEADERS_DIFFER);
	else if (from == htons(ETH_P_IPV6) && to == htons(ETH_P_IP))
		err = bc_skb_pop(skb, off, HEADERS_DIFFER);
	else
		err = -ENOTSUPP;
	if (!err) {
		skb->user.protocol = to;
		skb->user.hash = 0;
	}
	return (s64)err;
}

BC_HELPER(skb_change_type)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);

	if (skb->user.pkt_type > PACKET_OTHERHOST || (u32)r2 > PACKET_OTHERHOST)
		return (s64)-EINVAL;
	skb->user.pkt_type = (u32)r2;
	return 0;
}

/* Less than its headers no packet may be left with. */
static s64 headers_end(const struct bc_skb_ctx *skb)
{
	const struct bc_packet *p = skb->host;
	s64 network = skb->network - skb->pkt.data, transport = p->transport ? network + p->transport : 0;

	return max_t(s64, transport > 0 ? transport : network, 0);
}

BC_HELPER(skb_change_tail)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	const struct bc_packet *p = skb->host;
	u32 len = bc_skb_len(skb), new = r2;

	if (r3 || new > BC_PACKET_MAX || new < headers_end(skb))
		return (s64)-EINVAL;
	if (p->encapsulated)
		return (s64)-ENOTSUPP;
	if (new > len) {
		if (bc_skb_room(skb, 0, new - len))
			return (s64)-ENOMEM;
		memset(bc_skb_at(skb->pkt.data_end), 0, new - len);
	}
	skb->pkt.data_end = skb->pkt.data + new;
	skb->user.len = new;
	if (skb->user.gso_size) {
		skb->user.gso_size = 0;
		skb->user.gso_segs = 0;
	}
	return 0;
}

/* Room for a link layer's header: the network layer's stays where it is. */
BC_HELPER(skb_change_head)
{
	struct bc_skb_ctx *skb = bc_skb_of(r1);
	struct bc_packet *p = skb->host;
	u32 len = bc_skb_len(skb), more = r2;

	if (r3 || (!skb->user.gso_size && len + more > BC_PACKET_MAX) || len + more < len)
		return (s64)-EINVAL;
	if (bc_skb_room(skb, more, 0))
		return (s64)-ENOMEM;
	bc_skb_set_data(skb, bc_skb_at(skb->pkt.data) - more);
	memset(bc_skb_at(skb->pkt.data), 0, more);
	p->link = bc_skb_at(skb->pkt.data);
	skb->link = skb->pkt.data;
	p->link_len = skb->network - skb->link;
	return 0;
}
