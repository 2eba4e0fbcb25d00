// SPDX-License-Identifier: GPL-2.0-only
/*
 * SHA-1 as FIPS 180-4 section 6.1 describes it.
 */
#include "core.h"
#include "sha1.h"
#include <linux/bitops.h>
#include <asm/unaligned.h>

void bc_sha1_init(struct bc_sha1 *ctx)
{
	static const u32 initial[5] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0 };

	memset(ctx, 0, sizeof(*ctx));
	memcpy(ctx->state, initial, sizeof(initial));
}

static void compress(struct bc_sha1 *ctx)
{
	u32 *w = ctx->words, a = ctx->state[0], b = ctx->state[1], c = ctx->state[2], d = ctx->state[3], e = ctx->state[4];
	int t;

	for (t = 0; t < 80; t++) {
		u32 f, k, next;

		w[t] = t < 16 ? get_unaligned_be32(ctx->block + 4 * t) : rol32(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
		if (t < 20) {
			f = (b & c) | (~b & d);
			k = 0x5a827999;
		} else if (t < 40) {
			f = b ^ c ^ d;
			k = 0x6ed9eba1;
		} else if (t < 60) {
			f = (b & c) | (b & d) | (c & d);
			k = 0x8f1bbcdc;
		} else {
			f = b ^ c ^ d;
			k = 0xca62c1d6;
		}
		next = rol32(a, 5) + f + e + k + w[t];
		e = d;
		d = c;
		c = rol32(b, 30);
		b = a;
		a = next;
	}
	ctx->state[0] += a;
	ctx->state[1] += b;
	ctx->state[2] += c;
	ctx->state[3] += d;
	ctx->state[4] += e;
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
			compress(ctx);
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
