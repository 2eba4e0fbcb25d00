/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Clocks that can be read in any context, NMI and the time-keeping code itself included. In nanoseconds.
 */
#ifndef BPFCOMPAT_COMPAT_CLOCK_H
#define BPFCOMPAT_COMPAT_CLOCK_H

#include <linux/types.h>
#include <linux/ktime.h>
#include <linux/hrtimer.h>

u64 compat_clock_mono(void);	/* CLOCK_MONOTONIC */
/* The function that the first comes to, for callers that call it by its address. */
#ifdef HAVE_KTIME_GET_MONO_FAST_NS
#define COMPAT_CLOCK_MONO ktime_get_mono_fast_ns
#else
#define COMPAT_CLOCK_MONO compat_clock_mono
#endif
u64 compat_clock_boot(void);	/* CLOCK_BOOTTIME */
u64 compat_clock_tai(void);	/* CLOCK_TAI */
u64 compat_clock_coarse(void);	/* CLOCK_MONOTONIC_COARSE */

int bc_clock_init(void);
void bc_clock_exit(void);

#endif
