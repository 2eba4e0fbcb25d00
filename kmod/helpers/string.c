// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on strings in the program's own memory.
 */
#include "helpers.h"
#include <linux/ctype.h>

/*
 * Parses as bpf_strtoul(): white space, sign, prefix by base (0: found out; 8, 10, 16), digits. Returns the characters used.
 * -EINVAL: no digits or a bad base; -ERANGE: does not fit 64 bits.
 */
static long parse_number(const char *buf, size_t len, u64 flags, u64 *value, bool *negative)
{
	u32 base = flags & 0x1f;
	size_t i = 0, first;
	u64 v = 0;

	if (!buf || !len)
		return -EINVAL;
	if ((base != 0 && base != 8 && base != 10 && base != 16) || flags & ~0x1fULL)
		return -EINVAL;
	while (i < len && isspace(buf[i]))
		i++;
	*negative = i < len && buf[i] == '-';
	if (*negative)
		i++;
	if (i >= len || !buf[i])
		return -EINVAL;
	if (buf[i] == '0') {
		bool hex = i + 2 < len && (buf[i + 1] | 0x20) == 'x' && isxdigit(buf[i + 2]);

		if (!base)
			base = hex ? 16 : 8;
		if (hex && base == 16)
			i += 2;
	} else if (!base) {
		base = 10;
	}
	for (first = i; i < len; i++) {
		u32 digit;

		if (isdigit(buf[i]))
			digit = buf[i] - '0';
		else if (isxdigit(buf[i]))
			digit = (buf[i] | 0x20) - 'a' + 10;
		else
			break;
		if (digit >= base)
			break;
		if (v > (~0ULL - digit) / base)
			return -ERANGE;
		v = v * base + digit;
	}
	if (i == first)
		return -EINVAL;
	*value = v;
	return i;
}

BC_HELPER(strtol)
{
	bool negative;
	u64 v;
	long used = parse_number((const char *)r1, r2, r3, &v, &negative);

	if (used < 0)
		return used;
	if (v > (u64)S64_MAX + negative)
		return (s64)-ERANGE;
	*(s64 *)r4 = negative ? (s64)-v : (s64)v;
	return used;
}

BC_HELPER(strtoul)
{
	bool negative;
	u64 v;
	long used = parse_number((const char *)r1, r2, r3, &v, &negative);

	if (used < 0)
		return used;
	if (negative)
		return (s64)-EINVAL;
	*(u64 *)r4 = v;
	return used;
}

BC_HELPER(strncmp)
{
	return (s64)strncmp((const char *)r1, (const char *)r3, (u32)r2);
}
