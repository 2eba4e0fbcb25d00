// SPDX-License-Identifier: GPL-2.0-only
/*
 * See packet_read.h. A packet is some bytes in a row, then some in pages, then maybe a list of other packets.
 */
#include "../bpf.h"
#include "nofault.h"
#include "packet_read.h"
#include <linux/mm.h>
#include <linux/skbuff.h>
#ifdef HAVE_XDP_BUFF_FRAGS
#include <net/xdp.h>
#endif

#define MAX_LISTED 64	/* packets in a list: one that leads to itself must come to an end */

/* What is still wanted. */
struct wanted {
	u8 *to;
	u64 skip, len;
};

static void take(struct wanted *w, const void *from, u64 size)
{
	u64 n;

	if (w->skip >= size) {
		w->skip -= size;
		return;
	}
	n = min(size - w->skip, w->len);
	if (compat_read_kernel(w->to, (const u8 *)from + w->skip, n))
		memset(w->to, 0, n);
	w->skip = 0;
	w->to += n;
	w->len -= n;
}

static u32 frag_offset(const skb_frag_t *frag)
{
#ifdef HAVE_SKB_FRAG_OFF
	return skb_frag_off(frag);
#else
	return frag->page_offset;
#endif
}

static void take_frags(struct wanted *w, const struct skb_shared_info *info)
{
	unsigned char count;
	skb_frag_t frag;
	u32 i;

	if (compat_read_kernel(&count, &info->nr_frags, sizeof(count)))
		return;
	for (i = 0; w->len && i < min_t(u32, count, MAX_SKB_FRAGS); i++) {
		if (compat_read_kernel(&frag, &info->frags[i], sizeof(frag)))
			return;
		take(w, (const u8 *)page_address(skb_frag_page(&frag)) + frag_offset(&frag), skb_frag_size(&frag));
	}
}

/* The parts of a struct sk_buff that tell where its bytes are. */
struct place {
	unsigned int len, data_len;
	unsigned char *data;
	const struct skb_shared_info *info;
};

static int skb_place(const struct sk_buff *skb, struct place *p)
{
	unsigned char *head;
	sk_buff_data_t end;

	if (!skb || compat_read_kernel(&p->len, &skb->len, sizeof(p->len)) ||
	    compat_read_kernel(&p->data_len, &skb->data_len, sizeof(p->data_len)) ||
	    compat_read_kernel(&p->data, &skb->data, sizeof(p->data)) || compat_read_kernel(&head, &skb->head, sizeof(head)) ||
	    compat_read_kernel(&end, &skb->end, sizeof(end)) || p->data_len > p->len)
		return -EFAULT;
#ifdef NET_SKBUFF_DATA_USES_OFFSET
	p->info = (const struct skb_shared_info *)(head + end);
#else
	p->info = (const struct skb_shared_info *)end;
#endif
	return 0;
}

static void take_skb(struct wanted *w, const struct sk_buff *skb)
{
	const struct sk_buff *listed;
	struct place p;
	u32 i;

	if (skb_place(skb, &p))
		return;
	take(w, p.data, p.len - p.data_len);
	if (!p.data_len || !w->len)
		return;
	take_frags(w, p.info);
	if (compat_read_kernel(&listed, &p.info->frag_list, sizeof(listed)))
		return;
	for (i = 0; w->len && listed && i < MAX_LISTED; i++) {
		if (skb_place(listed, &p))
			return;
		take(w, p.data, p.len - p.data_len);
		if (p.data_len)
			take_frags(w, p.info);
		if (compat_read_kernel(&listed, &listed->next, sizeof(listed)))
			return;
	}
}

#ifdef HAVE_XDP_BUFF_FRAGS

static s64 xdp_len(const struct xdp_buff *from, struct xdp_buff *xdp)
{
	const struct skb_shared_info *info;
	unsigned int more = 0;

	if (!from || compat_read_kernel(xdp, from, sizeof(*xdp)) || xdp->data_end < xdp->data)
		return -EFAULT;
	info = xdp_get_shared_info_from_buff(xdp);
	if (xdp_buff_has_frags(xdp) && compat_read_kernel(&more, &info->xdp_frags_size, sizeof(more)))
		return -EFAULT;
	return (u64)(xdp->data_end - xdp->data) + more;
}

static void take_xdp(struct wanted *w, const struct xdp_buff *from)
{
	struct xdp_buff xdp;

	if (xdp_len(from, &xdp) < 0)
		return;
	take(w, xdp.data, xdp.data_end - xdp.data);
	if (w->len && xdp_buff_has_frags(&xdp))
		take_frags(w, xdp_get_shared_info_from_buff(&xdp));
}

static s64 xdp_packet_len(const void *packet)
{
	struct xdp_buff xdp;

	return xdp_len(packet, &xdp);
}

#else

/* Such a kernel has no type of that name, and so the verifier has no such pointer. */
static void take_xdp(struct wanted *w, const void *packet)
{
}

static s64 xdp_packet_len(const void *packet)
{
	return -EFAULT;
}

#endif

s64 compat_packet_len(const void *packet, enum compat_packet_kind kind)
{
	struct place p;

	if (kind == COMPAT_XDP)
		return xdp_packet_len(packet);
	return skb_place(packet, &p) ? -EFAULT : (s64)p.len;
}

void compat_packet_read(const void *packet, enum compat_packet_kind kind, void *to, u64 off, u64 len)
{
	struct wanted w = { .to = to, .skip = off, .len = len };

	if (kind == COMPAT_XDP)
		take_xdp(&w, packet);
	else
		take_skb(&w, packet);
	memset(w.to, 0, w.len);
}
