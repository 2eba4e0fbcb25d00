/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The packet of a test run: plain memory with room before and behind, which helpers may move the packet's ends into.
 */
#ifndef BPFCOMPAT_PACKET_H
#define BPFCOMPAT_PACKET_H

#include "../bpf.h"
#include "../../verifier/ctx.h"
#include "../maps/cgroup_storage.h"

#define BC_ETH_BYTES		14
#define BC_PACKET_HEADROOM	256	/* Linux: XDP_PACKET_HEADROOM */
#define BC_XDP_META_MAX		32
#define BC_PACKET_BYTES		(BC_PACKET_HEADROOM + PAGE_SIZE)
#define BC_PACKET_MAX		(4 * PAGE_SIZE - 320)	/* what helpers may make of one; Linux: SKB_MAX_ALLOC */
#define BC_IPV4_BYTES		20
#define BC_IPV6_BYTES		40
#define BC_TUNNEL_OPTS_MAX	252	/* Linux has 255 bytes for them, and takes whole words */

/* Where the packet is to be sent, by bpf_skb_set_tunnel_key(): numbers as the program gave them. */
struct bc_tunnel {
	u16 flags;		/* struct bpf_tunnel_key's; 0: there is no tunnel */
	bool ipv6;
	u8 tos, ttl, opts_len;
	u32 id, label;
	u32 to[4], from[4];
	u8 opts[BC_TUNNEL_OPTS_MAX];
};

/* What the contexts' host points to. */
struct bc_packet {
	u8 *head, *end;		/* all of the memory */
	u8 *link;		/* where the link layer's header begins: for programs on sockets and cgroups, before the data */
	struct net_device *dev;	/* that it came from: a reference */
	bool encapsulated;	/* a header was put around it (packet_room.c) */
	u32 link_len;		/* of that header, where a helper has found it out; 0: none has (Linux: skb->mac_len) */
	u32 transport;		/* of the transport layer's header, from the network layer's; 0: not known */
	u8 sums_known;		/* that hardware is said to have checked, one inside the other (Linux: CHECKSUM_UNNECESSARY, csum_level) */
	struct bc_tunnel tunnel;
	struct bc_run_storage storage;
};

static inline struct bc_skb_ctx *bc_skb_of(u64 r)
{
	return (struct bc_skb_ctx *)(unsigned long)r;
}

static inline u8 *bc_skb_at(u64 address)
{
	return (u8 *)(unsigned long)address;
}

static inline u32 bc_skb_len(const struct bc_skb_ctx *skb)
{
	return skb->pkt.data_end - skb->pkt.data;
}

/* packet.c: the packet begins at @data now, and the link layer's header as far from there as it did. */
void bc_skb_set_data(struct bc_skb_ctx *skb, u8 *data);
bool bc_is_vlan(u32 proto);

/*
 * packet_shape.c: memory for that much more at either end, which may move the packet; 0 or -ENOMEM. Then @len zeros put in at @off, or
 * as much taken out: what is before them moves, and headers with it.
 */
int bc_skb_room(struct bc_skb_ctx *skb, u32 before, u32 behind);
int bc_skb_push(struct bc_skb_ctx *skb, u32 off, u32 len);
int bc_skb_pop(struct bc_skb_ctx *skb, u32 off, u32 len);

#endif
