// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on packets, for test runs: nothing else runs programs of the network types. Behaviour and errors are Linux 6.1's for a linear
 * packet without a checksum from the hardware.
 */
#include "helpers.h"
#include "packet.h"
#include <linux/if_ether.h>
#include <linux/jhash.h>
#include <net/checksum.h>

#define VLAN_BYTES	4
#define VLAN_ETH_TYPE	12	/* where a frame's type is, and its tags begin */
#define XDP_FRAME_BYTES	40	/* Linux keeps a struct of its own at the start of the headroom */
#define XDP_TAIL_BYTES	320	/* and another at the end of the page */

static u8 *at(u64 address)
{
	return (u8 *)(unsigned long)address;
}

static struct bc_skb_ctx *skb_of(u64 r)
{
	return (struct bc_skb_ctx *)(unsigned long)r;
}

static struct bc_xdp_ctx *xdp_of(u64 r)
{
	return (struct bc_xdp_ctx *)(unsigned long)r;
}

static u64 length(const struct bc_pkt_ptrs *pkt)
{
	return pkt->data_end - pkt->data;
}

/* @len bytes at @off of the packet, NULL when they are not all there. */
static u8 *bytes_at(const struct bc_pkt_ptrs *pkt, u32 off, u32 len)
{
	return (u64)off + len <= length(pkt) ? at(pkt->data + off) : NULL;
}

static u64 give(void *to, const u8 *from, u32 len)
{
	if (from) {
		memcpy(to, from, len);
		return 0;
	}
	memset(to, 0, len);
	return (s64)-EFAULT;
}

BC_HELPER(skb_load_bytes)
{
	return give(at(r3), (u32)r2 > INT_MAX ? NULL : bytes_at(&skb_of(r1)->pkt, r2, r4), (u32)r4);
}

BC_HELPER(skb_load_bytes_relative)
{
	const struct bc_skb_ctx *skb = skb_of(r1);
	const struct bc_packet *p = skb->host;
	const u8 *from = p->link + (u32)r2;

	if ((u32)r5 == BPF_HDR_START_NET)
		from += BC_ETH_BYTES;
	else if ((u32)r5 != BPF_HDR_START_MAC)
		from = NULL;
	if ((u32)r2 > 0xffff || (from && from + (u32)r4 > at(skb->pkt.data_end)))
		from = NULL;
	return give(at(r3), from, (u32)r4);
}

BC_HELPER(skb_store_bytes)
{
	struct bc_skb_ctx *skb = skb_of(r1);
	u8 *to = (u32)r2 > INT_MAX ? NULL : bytes_at(&skb->pkt, r2, r4);

	if (r5 & ~(u64)(BPF_F_RECOMPUTE_CSUM | BPF_F_INVALIDATE_HASH))
		return (s64)-EINVAL;
	if (!to)
		return (s64)-EFAULT;
	memcpy(to, at(r3), (u32)r4);
	if (r5 & BPF_F_INVALIDATE_HASH)
		skb->user.hash = 0;
	return 0;
}

/* All of it is where programs can reach it. */
BC_HELPER(skb_pull_data)
{
	return (u32)r2 > length(&skb_of(r1)->pkt) ? (s64)-ENOMEM : 0;
}

BC_HELPER(csum_diff)
{
	u32 *diff = (u32 *)bc_helper_scratch();
	u32 from_size = r2, to_size = r4, i;

	if ((from_size | to_size) % sizeof(u32) || (u64)from_size + to_size > BC_MAX_STACK)
		return (s64)-EINVAL;
	for (i = 0; i < from_size / sizeof(u32); i++)
		diff[i] = ~((const u32 *)at(r1))[i];
	if (to_size)
		memcpy(diff + i, at(r3), to_size);
	return (__force u32)csum_partial(diff, from_size + to_size, (__force __wsum)(u32)r5);
}

/* For packets whose sum the hardware has taken. */
BC_HELPER(csum_update)
{
	return (s64)-ENOTSUPP;
}

/* Of the headers: the same for all packets of a flow. Never 0, which stands for none. */
BC_HELPER(get_hash_recalc)
{
	struct bc_skb_ctx *skb = skb_of(r1);

	if (!skb->user.hash)
		skb->user.hash = jhash(at(skb->pkt.data), min_t(u64, length(&skb->pkt), BC_ETH_BYTES + 24), 0) | 1;
	return skb->user.hash;
}

BC_HELPER(set_hash_invalid)
{
	skb_of(r1)->user.hash = 0;
	return 0;
}

BC_HELPER(set_hash)
{
	skb_of(r1)->user.hash = (u32)r2;
	return 0;
}

/* ---- VLAN tags: the outer one beside the packet, as hardware gives it, others in it ---- */

void bc_skb_set_data(struct bc_skb_ctx *skb, u8 *data)
{
	struct bc_packet *p = skb->host;

	p->link += data - at(skb->pkt.data);
	skb->link = (unsigned long)p->link;
	skb->pkt.data = (unsigned long)data;
	skb->pkt.data_meta = skb->pkt.data;
	skb->user.len = length(&skb->pkt);
}

bool bc_is_vlan(u32 proto)
{
	return proto == htons(ETH_P_8021Q) || proto == htons(ETH_P_8021AD);
}

static void put_tag(struct bc_skb_ctx *skb, u32 proto, u32 tci)
{
	skb->user.vlan_present = 1;
	skb->user.vlan_proto = proto;
	skb->user.vlan_tci = tci;
}

BC_HELPER(skb_vlan_push)
{
	struct bc_skb_ctx *skb = skb_of(r1);
	struct bc_packet *p = skb->host;
	u16 proto = bc_is_vlan((u16)r2) ? (u16)r2 : htons(ETH_P_8021Q), tag[2];
	u8 *data;

	if (skb->user.vlan_present) {
		if (length(&skb->pkt) < BC_ETH_BYTES || bc_skb_room(skb, VLAN_BYTES, 0))
			return (s64)-ENOMEM;
		data = at(skb->pkt.data);
		tag[0] = skb->user.vlan_proto;
		tag[1] = htons(skb->user.vlan_tci);
		memmove(data - VLAN_BYTES, data, VLAN_ETH_TYPE);
		bc_skb_set_data(skb, data - VLAN_BYTES);
		memcpy(at(skb->pkt.data) + VLAN_ETH_TYPE, tag, sizeof(tag));
		skb->user.protocol = tag[0];
		p->link_len += VLAN_BYTES;
	}
	put_tag(skb, proto, (u16)r3);
	return 0;
}

/* Takes the first tag out of the packet. */
static int take_tag(struct bc_skb_ctx *skb, u32 *tci)
{
	u8 *data = at(skb->pkt.data);
	u16 word;

	if (length(&skb->pkt) < BC_ETH_BYTES + VLAN_BYTES)
		return -ENOMEM;
	memcpy(&word, data + BC_ETH_BYTES, sizeof(word));
	*tci = ntohs(word);
	memcpy(&word, data + BC_ETH_BYTES + 2, sizeof(word));
	memmove(data + VLAN_BYTES, data, VLAN_ETH_TYPE);
	bc_skb_set_data(skb, data + VLAN_BYTES);
	if (skb->network < skb->pkt.data + BC_ETH_BYTES)
		skb->network = skb->pkt.data + BC_ETH_BYTES;
	((struct bc_packet *)skb->host)->link_len = skb->network - skb->link;
	skb->user.protocol = word;
	return 0;
}

BC_HELPER(skb_vlan_pop)
{
	struct bc_skb_ctx *skb = skb_of(r1);
	u32 proto, tci;
	int err = 0;

	if (skb->user.vlan_present)
		put_tag(skb, 0, 0);
	else if (bc_is_vlan(skb->user.protocol))
		err = take_tag(skb, &tci);
	else
		return 0;
	skb->user.vlan_present = 0;
	proto = skb->user.protocol;
	/* the next one is the outer one now */
	if (!err && bc_is_vlan(proto)) {
		err = take_tag(skb, &tci);
		if (!err)
			put_tag(skb, proto, tci);
	}
	return (s64)err;
}

/* ---- XDP: the packet's ends may move ---- */

BC_HELPER(xdp_adjust_head)
{
	struct bc_xdp_ctx *xdp = xdp_of(r1);
	const struct bc_packet *p = xdp->host;
	u64 meta = xdp->pkt.data - xdp->pkt.data_meta;
	u64 data = xdp->pkt.data + (s64)(s32)r2;

	if (at(data) < p->head + XDP_FRAME_BYTES + meta || data + BC_ETH_BYTES > xdp->pkt.data_end)
		return (s64)-EINVAL;
	memmove(at(data - meta), at(xdp->pkt.data_meta), meta);
	xdp->pkt.data_meta = data - meta;
	xdp->pkt.data = data;
	return 0;
}

BC_HELPER(xdp_adjust_tail)
{
	struct bc_xdp_ctx *xdp = xdp_of(r1);
	const struct bc_packet *p = xdp->host;
	u64 end = xdp->pkt.data_end + (s64)(s32)r2;

	if (at(end) > p->head + PAGE_SIZE - XDP_TAIL_BYTES || end < xdp->pkt.data + BC_ETH_BYTES)
		return (s64)-EINVAL;
	if (end > xdp->pkt.data_end)
		memset(at(xdp->pkt.data_end), 0, end - xdp->pkt.data_end);
	xdp->pkt.data_end = end;
	return 0;
}

BC_HELPER(xdp_adjust_meta)
{
	struct bc_xdp_ctx *xdp = xdp_of(r1);
	const struct bc_packet *p = xdp->host;
	u64 meta = xdp->pkt.data_meta + (s64)(s32)r2;
	u64 bytes = xdp->pkt.data - meta;

	if (at(meta) < p->head + XDP_FRAME_BYTES || meta > xdp->pkt.data)
		return (s64)-EINVAL;
	if (bytes % sizeof(u32) || bytes > BC_XDP_META_MAX)
		return (s64)-EACCES;
	xdp->pkt.data_meta = meta;
	return 0;
}

BC_HELPER(xdp_get_buff_len)
{
	return length(&xdp_of(r1)->pkt);
}

static u8 *xdp_bytes(u64 ctx, u32 off, u32 len, s64 *err)
{
	u8 *p = bytes_at(&xdp_of(ctx)->pkt, off, len);

	*err = off > 0xffff || len > 0xffff ? -EFAULT : p ? 0 : -EINVAL;
	return p;
}

BC_HELPER(xdp_load_bytes)
{
	s64 err;
	const u8 *from = xdp_bytes(r1, r2, r4, &err);

	if (!err)
		memcpy(at(r3), from, (u32)r4);
	return err;
}

BC_HELPER(xdp_store_bytes)
{
	s64 err;
	u8 *to = xdp_bytes(r1, r2, r4, &err);

	if (!err)
		memcpy(to, at(r3), (u32)r4);
	return err;
}

/* The one helper that finds its run by itself: the program's callbacks have no context to give. */
BC_HELPER(get_local_storage)
{
	const struct bc_run *run = bc_this_run();
	const struct bc_skb_ctx *skb = run->prog->type == BPF_PROG_TYPE_CGROUP_SKB ? run->ctx : NULL;
	const struct bc_packet *p = skb ? skb->host : NULL;

	return (u64)(unsigned long)bc_run_storage_value(p ? &p->storage : NULL, bc_map_of((struct bc_map_desc *)r1));
}
