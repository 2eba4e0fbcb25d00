/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * High-resolution timers that expire in softirq context. Since 4.16 the kernel's own can do that; before, they expire with interrupts off,
 * and a tasklet goes on from there.
 */
#ifndef BPFCOMPAT_COMPAT_TIMER_H
#define BPFCOMPAT_COMPAT_TIMER_H

#include <linux/hrtimer.h>
#include <linux/interrupt.h>

struct compat_timer {
	struct hrtimer hr;
	void (*expired)(struct compat_timer *timer);
#ifndef HAVE_HRTIMER_SOFT
	struct tasklet_struct tasklet;
#endif
};

/* @expired is called in softirq context. */
void compat_timer_init(struct compat_timer *timer, clockid_t clock, void (*expired)(struct compat_timer *timer));
/* In @ns from now, whatever was asked for before. Not from where the kernel's own timer code may be at work on this CPU. */
void compat_timer_start(struct compat_timer *timer, u64 ns);
/*
 * Process context: not queued, and not expiring, on return. Others must have stopped starting it, but for its own function, which must see
 * that it is not to any more.
 */
void compat_timer_kill(struct compat_timer *timer);

#endif
