// SPDX-License-Identifier: MIT
/*
 * What the benchmarks run that is better said in C: compiled for BPF (each function one program, ctx->len its only input), and for
 * this processor, to know the result.
 */
#ifndef HOST
#define SEC(name) __attribute__((section(name), used))
struct __sk_buff { unsigned int len; };
#endif
typedef unsigned int u32;
typedef unsigned long long u64;

#define ROL(x, n) ((x) << (n) | (x) >> (32 - (n)))
/* Keeps the compiler from knowing what is in memory, or a number to be that of the last round. */
#ifdef __clang__
#define NO_UNROLL _Pragma("clang loop unroll(disable)")
#else
#define NO_UNROLL
#endif
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))
#define MEMORY(p) __asm__ volatile("" : : "r"(p) : "memory")

/* Bob Jenkins' lookup3 mixing over 64 bytes (http://burtleburtle.net/bob/c/lookup3.c, public domain) */
SEC("jhash64")
u64 bench_jhash64(struct __sk_buff *ctx)
{
	u32 words[16], a, b, c, i, n = ctx->len;

	for (i = 0; i < 16; i++)
		words[i] = n * (i + 1);
	MEMORY(words);
	a = b = c = 0xdeadbeef + 64 + n;
	for (i = 0; i < 15; i += 3) {
		a += words[i];
		b += words[i + 1];
		c += words[i + 2];
		a -= c; a ^= ROL(c, 4); c += b;
		b -= a; b ^= ROL(a, 6); a += c;
		c -= b; c ^= ROL(b, 8); b += a;
		a -= c; a ^= ROL(c, 16); c += b;
		b -= a; b ^= ROL(a, 19); a += c;
		c -= b; c ^= ROL(b, 4); b += a;
	}
	a += words[15];
	c ^= b; c -= ROL(b, 14);
	a ^= c; a -= ROL(c, 11);
	b ^= a; b -= ROL(a, 25);
	c ^= b; c -= ROL(b, 16);
	a ^= c; a -= ROL(c, 4);
	b ^= a; b -= ROL(a, 14);
	c ^= b; c -= ROL(b, 24);
	return c;
}

SEC("strcmp64")
u64 bench_strcmp64(struct __sk_buff *ctx)
{
	unsigned char one[64], two[64];
	u64 n = ctx->len;
	u32 i;

	for (i = 0; i < 8; i++) {
		((u64 *)one)[i] = n * 0x0101010101010101ull;
		((u64 *)two)[i] = n * 0x0101010101010101ull;
	}
	two[63] ^= 1;
	MEMORY(one);
	MEMORY(two);
	NO_UNROLL
	for (i = 0; i < 64; i++) {
		if (one[i] != two[i] || !one[i])
			break;
		OPAQUE(i);
		if (i > 63)
			break;
	}
	return i;
}

#define RUNG(k, op) if (n == (k)) { acc op; } else
SEC("ladder")
u64 bench_ladder(struct __sk_buff *ctx)
{
	u64 acc = ctx->len, n;
	u32 i;

	NO_UNROLL
	for (i = 0; i < 64; i++) {
		n = acc & 15;
		OPAQUE(n);
		RUNG(0, += 3) RUNG(1, ^= 0x55) RUNG(2, *= 5) RUNG(3, += 7) RUNG(4, ^= 0x1234) RUNG(5, *= 9) RUNG(6, -= 11) RUNG(7, ^= 77)
		RUNG(8, += 13) RUNG(9, *= 3) RUNG(10, -= 1) RUNG(11, ^= 0x808) RUNG(12, += 99) RUNG(13, *= 7) RUNG(14, -= 5) { acc ^= 0x777; }
		OPAQUE(acc);
	}
	return acc & 0x7fffffff;
}
