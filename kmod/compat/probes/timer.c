/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of timers. */
#include <linux/module.h>
#include <linux/hrtimer.h>

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_HRTIMER_SOFT"
static inline int probe_hrtimer_soft(void) { return HRTIMER_MODE_REL_SOFT; }
