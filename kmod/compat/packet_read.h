/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The bytes of the kernel's own packets (struct sk_buff, struct xdp_buff), wherever they lie. A pointer with a type may lead nowhere, and
 * so may what is behind it: all is read with care, in any context.
 */
#ifndef BPFCOMPAT_COMPAT_PACKET_READ_H
#define BPFCOMPAT_COMPAT_PACKET_READ_H

#include "compat.h"

enum compat_packet_kind {
	COMPAT_SKB,
	COMPAT_XDP,
};

/* Its length, or -EFAULT: there is none. */
s64 compat_packet_len(const void *packet, enum compat_packet_kind kind);

/* @len bytes from @off; what cannot be read is 0. */
void compat_packet_read(const void *packet, enum compat_packet_kind kind, void *to, u64 off, u64 len);

#endif
