/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks in nanoseconds, as newer kernels name them.
 */
#ifndef BPFCOMPAT_COMPAT_TIME_H
#define BPFCOMPAT_COMPAT_TIME_H

/* Process context. */
static inline u64 bc_ktime_ns(void)
{
	return ktime_to_ns(ktime_get());
}

static inline u64 bc_ktime_boot_ns(void)
{
	return ktime_to_ns(ktime_get_boottime());
}

#endif
