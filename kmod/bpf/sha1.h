/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * SHA-1 (FIPS 180-4), for program tags alone.
 */
#ifndef BPFCOMPAT_SHA1_H
#define BPFCOMPAT_SHA1_H

#include "../compat/sha1.h"

struct bc_sha1 {
	u32 state[5];
	u64 bytes;
	u8 block[64];
	u32 words[COMPAT_SHA1_WORKSPACE];
};

void bc_sha1_init(struct bc_sha1 *ctx);
void bc_sha1_update(struct bc_sha1 *ctx, const void *data, size_t size);
void bc_sha1_final(struct bc_sha1 *ctx, u8 digest[20]);

#endif
