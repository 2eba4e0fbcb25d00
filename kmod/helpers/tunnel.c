// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the tunnel that a packet goes through. No packet of a test run came through one; what a program sets is what it gets back,
 * as if it had come from where it was to be sent.
 */
#include "helpers.h"
#include "packet.h"

#define KEY_BEFORE(field)	offsetof(struct bpf_tunnel_key, field)
#define SET_FLAGS		(BPF_F_TUNINFO_IPV6 | BPF_F_ZERO_CSUM_TX | BPF_F_DONT_FRAGMENT | BPF_F_SEQ_NUMBER)
#define LABEL_BITS		0xfffff

/* Of bpf_tunnel_key's tunnel_flags: Linux's TUNNEL_*, in network byte order. */
#define HAS_CSUM		0x0001
#define HAS_KEY			0x0004
#define HAS_SEQ			0x0008
#define DONT_FRAGMENT		0x0100
#define NO_CACHE		0x2000
#define HAS_OPTIONS		0xd800	/* of one kind or another: Geneve's, VXLAN's, ERSPAN's, GTP's */

static struct bc_tunnel *tunnel_of(u64 r)
{
	struct bc_packet *p = bc_skb_of(r)->host;

	return &p->tunnel;
}

/* The struct has grown; programs may be of any of its times. */
static bool is_old_size(u32 size)
{
	return size == KEY_BEFORE(remote_ipv6[1]) || size == KEY_BEFORE(tunnel_ext) || size == KEY_BEFORE(tunnel_label) ||
	       size == KEY_BEFORE(local_ipv6[0]);
}

static int get_key(const struct bc_tunnel *t, struct bpf_tunnel_key *key, u32 size, u64 flags)
{
	bool ipv6 = flags & BPF_F_TUNINFO_IPV6;

	if (!t->flags || (flags & ~(u64)(BPF_F_TUNINFO_IPV6 | BPF_F_TUNINFO_FLAGS)))
		return -EINVAL;
	if (t->ipv6 != ipv6)
		return -EPROTO;
	/* an address of the other protocol does not fit the oldest one */
	if (size != sizeof(*key) && (!is_old_size(size) || (ipv6 && size == KEY_BEFORE(remote_ipv6[1]))))
		return -EINVAL;
	memset(key, 0, sizeof(*key));
	key->tunnel_id = t->id;
	key->tunnel_tos = t->tos;
	key->tunnel_ttl = t->ttl;
	if (flags & BPF_F_TUNINFO_FLAGS)
		key->tunnel_flags = htons(t->flags);
	memcpy(key->remote_ipv6, t->from, sizeof(t->from));
	memcpy(key->local_ipv6, t->to, sizeof(t->to));
	key->tunnel_label = t->label;
	return 0;
}

BC_HELPER(skb_get_tunnel_key)
{
	struct bpf_tunnel_key key;
	int err = get_key(tunnel_of(r1), &key, r3, r4);

	if (err)
		memset((void *)r2, 0, (u32)r3);
	else
		memcpy((void *)r2, &key, (u32)r3);
	return (s64)err;
}

BC_HELPER(skb_set_tunnel_key)
{
	struct bc_tunnel *t = tunnel_of(r1);
	struct bpf_tunnel_key key;
	bool ipv6 = r4 & BPF_F_TUNINFO_IPV6;
	u32 words = ipv6 ? 4 : 1;

	if ((r4 & ~(u64)SET_FLAGS) || ((u32)r3 != sizeof(key) && !is_old_size(r3)))
		return (s64)-EINVAL;
	memset(&key, 0, sizeof(key));
	memcpy(&key, (const void *)r2, (u32)r3);
	if ((!ipv6 && key.tunnel_label) || key.tunnel_ext)
		return (s64)-EINVAL;
	memset(t, 0, offsetof(struct bc_tunnel, opts));
	t->flags = HAS_KEY | NO_CACHE | (r4 & BPF_F_ZERO_CSUM_TX ? 0 : HAS_CSUM) | (r4 & BPF_F_DONT_FRAGMENT ? DONT_FRAGMENT : 0) |
		   (r4 & BPF_F_SEQ_NUMBER ? HAS_SEQ : 0);
	t->ipv6 = ipv6;
	t->id = key.tunnel_id;
	t->tos = key.tunnel_tos;
	t->ttl = key.tunnel_ttl;
	t->label = key.tunnel_label & LABEL_BITS;
	memcpy(t->to, key.remote_ipv6, words * sizeof(u32));
	memcpy(t->from, key.local_ipv6, words * sizeof(u32));
	return 0;
}

BC_HELPER(skb_get_tunnel_opt)
{
	const struct bc_tunnel *t = tunnel_of(r1);
	u8 *to = (u8 *)r2;
	u32 size = r3;

	if (!(t->flags & HAS_OPTIONS) || size < t->opts_len) {
		memset(to, 0, size);
		return (s64)(t->flags & HAS_OPTIONS ? -ENOMEM : -ENOENT);
	}
	memcpy(to, t->opts, t->opts_len);
	memset(to + t->opts_len, 0, size - t->opts_len);
	return t->opts_len;
}

BC_HELPER(skb_set_tunnel_opt)
{
	struct bc_tunnel *t = tunnel_of(r1);
	u32 size = r3;

	if (!t->flags || size % sizeof(u32))
		return (s64)-EINVAL;
	if (size > BC_TUNNEL_OPTS_MAX)
		return (s64)-ENOMEM;
	memcpy(t->opts, (const void *)r2, size);
	t->opts_len = size;
	t->flags |= HAS_OPTIONS;
	return 0;
}

/* No packet of a test run has been through IPsec. */
BC_HELPER(skb_get_xfrm_state)
{
	memset((void *)r3, 0, (u32)r4);
	return (s64)-EINVAL;
}
