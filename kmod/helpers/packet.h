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
#define BC_PACKET_BYTES		(BC_PACKET_HEADROOM + PAGE_SIZE)

/* What the contexts' host points to. */
struct bc_packet {
	u8 *head, *end;		/* all of the memory */
	u8 *link;		/* where the link layer's header begins: for programs on sockets and cgroups, before the data */
	struct net_device *dev;	/* that it came from: a reference */
	bool encapsulated;	/* a header was put around it (packet_room.c) */
	struct bc_run_storage storage;
};

/* packet.c: the packet begins at @data now, and the link layer's header as far from there as it did. */
void bc_skb_set_data(struct bc_skb_ctx *skb, u8 *data);

#endif
