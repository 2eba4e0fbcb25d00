// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that make text: bpf_trace_printk(), bpf_trace_vprintk(), bpf_snprintf().
 */
#include "helpers.h"
#include "../compat/trace_puts.h"

#define TRACE_BYTES 1024	/* of a text; Linux: BPF_TRACE_PRINTK_SIZE */

/* Writes to the kernel's trace buffer (trace_pipe); the line names the helper, as Linux's does. Returns the length or -EINVAL. */
static long print_to_trace(const char *fmt, u32 fmt_size, const u64 *args, u32 nargs)
{
	char *buf = bc_helper_scratch();
	long len = bc_format(buf, TRACE_BYTES, fmt, fmt_size, args, nargs);

	if (len < 0)
		return len;
	len = min_t(long, len, TRACE_BYTES - 1);
	if (len)
		compat_trace_puts(buf, len);
	return len;
}

BC_HELPER(trace_printk)
{
	u64 args[3] = { r3, r4, r5 };

	return print_to_trace((const char *)r1, (u32)r2, args, ARRAY_SIZE(args));
}

static inline bool bad_args(u64 data, u32 len)
{
	return len & 7 || len > BC_FMT_MAX_ARGS * 8 || (len && !data);
}

BC_HELPER(trace_vprintk)
{
	if (bad_args(r3, (u32)r4))
		return (s64)-EINVAL;
	return print_to_trace((const char *)r1, (u32)r2, (const u64 *)r3, (u32)r4 / 8);
}

/* Returns the size that the whole text needs, its NUL included. */
BC_HELPER(snprintf)
{
	const char *fmt = (const char *)r3;
	char none[1];
	long len;

	if (bad_args(r4, (u32)r5))
		return (s64)-EINVAL;
	len = bc_format(r1 ? (char *)r1 : none, r1 ? (u32)r2 : 0, fmt, strlen(fmt) + 1, (const u64 *)r4, (u32)r5 / 8);
	return len < 0 ? len : len + 1;
}
