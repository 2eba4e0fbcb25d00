// SPDX-License-Identifier: GPL-2.0-only
/*
 * See timer.h.
 */
#include "compat.h"
#include "timer.h"

#ifdef HAVE_HRTIMER_SOFT
#define EXPIRE_MODE HRTIMER_MODE_REL_SOFT

static enum hrtimer_restart on_expiry(struct hrtimer *hr)
{
	struct compat_timer *timer = container_of(hr, struct compat_timer, hr);

	timer->expired(timer);
	return HRTIMER_NORESTART;
}

static void prepare(struct compat_timer *timer)
{
}

static void settle(struct compat_timer *timer)
{
}
#else
#define EXPIRE_MODE HRTIMER_MODE_REL

static enum hrtimer_restart on_expiry(struct hrtimer *hr)
{
	tasklet_schedule(&container_of(hr, struct compat_timer, hr)->tasklet);
	return HRTIMER_NORESTART;
}

static void in_tasklet(unsigned long data)
{
	struct compat_timer *timer = (void *)data;

	timer->expired(timer);
}

static void prepare(struct compat_timer *timer)
{
	tasklet_init(&timer->tasklet, in_tasklet, (unsigned long)timer);
}

/* What the tasklet was still about to start has to be cancelled again. */
static void settle(struct compat_timer *timer)
{
	tasklet_kill(&timer->tasklet);
	hrtimer_cancel(&timer->hr);
	tasklet_kill(&timer->tasklet);
}
#endif

void compat_timer_init(struct compat_timer *timer, clockid_t clock, void (*expired)(struct compat_timer *timer))
{
	hrtimer_init(&timer->hr, clock, EXPIRE_MODE);
	timer->hr.function = on_expiry;
	timer->expired = expired;
	prepare(timer);
}

void compat_timer_start(struct compat_timer *timer, u64 ns)
{
	hrtimer_start(&timer->hr, ns_to_ktime(min_t(u64, ns, S64_MAX)), EXPIRE_MODE);
}

void compat_timer_kill(struct compat_timer *timer)
{
	hrtimer_cancel(&timer->hr);
	settle(timer);
}
