// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHA-1 as FIPS 180-4 describes it, around the kernel's own step.
 */
#include "core.h"
#include "sha1.h"
#include <asm/unaligned.h>

void bc_sha1_init(struct bc_sha1 *ctx)
{
	static const u32 initial[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	memset(ctx, 0, sizeof(*ctx));
	memcpy(ctx->state, initial, sizeof(initial));
}

void bc_sha1_update(struct bc_sha1 *ctx, const void *data, size_t size)
{
	const u8 *p = data;

	while (size) {
		u32 have = ctx->bytes % 64;
		u32 take = min_t(size_t, size, 64 - have);

		memcpy(ctx->block + have, p, take);
		ctx->bytes += take;
		p += take;
		size -= take;
		if (have + take == 64)
			compat_sha1_transform(ctx->state, (const char *)ctx->block, ctx->words);
	}
}

void bc_sha1_final(struct bc_sha1 *ctx, u8 digest[20])
{
	static const u8 padding[64] = { 0x80 };
	__be64 bits = cpu_to_be64(ctx->bytes * 8);
	int i;

	bc_sha1_update(ctx, padding, 1 + (119 - ctx->bytes % 64) % 64);
	bc_sha1_update(ctx, &bits, sizeof(bits));
	for (i = 0; i < 5; i++)
		put_unaligned_be32(ctx->state[i], digest + 4 * i);
}
