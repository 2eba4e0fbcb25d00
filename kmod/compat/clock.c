// SPDX-License-Identifier: GPL-2.0-only
/*
 * Clocks for any context. Where the kernel has ktime_get_mono_fast_ns() (3.17; CentOS 7.9) that is used. Elsewhere ktime_get() is, but
 * it spins while the time-keeping code writes, for ever when a probe has hit inside that code; so while its sequence count is
 * odd (or cannot be looked at), the time is carried on from a recent reading by the scheduler's clock.
 */
#include "compat.h"
#include "clock.h"
#include <linux/suspend.h>
#include <linux/notifier.h>
#include <linux/pvclock_gtod.h>
#include <linux/timekeeper_internal.h>

static u64 boot_offset;		/* CLOCK_BOOTTIME - CLOCK_MONOTONIC, ns: changes in suspend only */

static u64 tai_offset;		/* CLOCK_TAI - CLOCK_MONOTONIC, ns: changes where the clock is set */

/* The time-keeping code's own word of its offsets, with each of its updates. */
static int on_timekeeping(struct notifier_block *nb, unsigned long was_set, void *timekeeper)
{
	const struct timekeeper *tk = timekeeper;

	WRITE_ONCE(tai_offset, ktime_to_ns(tk->offs_tai));
	return NOTIFY_DONE;
}

static struct notifier_block timekeeping_notifier = { .notifier_call = on_timekeeping };

static void update_boot_offset(void)
{
	WRITE_ONCE(boot_offset, ktime_to_ns(ktime_get_boottime()) - ktime_to_ns(ktime_get()));
}

static int on_resume(struct notifier_block *nb, unsigned long event, void *unused)
{
	if (event == PM_POST_SUSPEND || event == PM_POST_HIBERNATION)
		update_boot_offset();
	return NOTIFY_DONE;
}

static struct notifier_block resume_notifier = { .notifier_call = on_resume };

#ifdef HAVE_KTIME_GET_MONO_FAST_NS

u64 compat_clock_mono(void)
{
	return ktime_get_mono_fast_ns();
}

static void readings_start(void) { }
static void readings_stop(void) { }

#else

#define READING_INTERVAL (HZ / 4)

struct reading {
	u64 mono, local;	/* taken together */
};

/* Written by one work item, read in any context: the copy that is not being written is named by the count's low bit. */
static struct reading readings[2];
static unsigned int readings_seq;

static void take_reading(struct work_struct *work);
static DECLARE_DELAYED_WORK(reading_work, take_reading);

static void take_reading(struct work_struct *work)
{
	unsigned int next = readings_seq + 1;
	struct reading r;

	preempt_disable();
	r.mono = ktime_to_ns(ktime_get());
	r.local = local_clock();
	preempt_enable();
	readings[next & 1] = r;
	smp_wmb();
	WRITE_ONCE(readings_seq, next);
	if (work)
		schedule_delayed_work(&reading_work, READING_INTERVAL);
}

static u64 carried_on(void)
{
	struct reading r;
	unsigned int seq;
	s64 since;

	do {
		seq = READ_ONCE(readings_seq);
		smp_rmb();
		r = readings[seq & 1];
		smp_rmb();
		/* two writes later this copy may be torn; that takes half a second, so once is enough */
	} while (READ_ONCE(readings_seq) - seq > 1);
	since = local_clock() - r.local;
	return r.mono + max_t(s64, since, 0);
}

u64 compat_clock_mono(void)
{
	const seqcount_t *seq = bc_sym.timekeeper_seq;

	if (!seq || READ_ONCE(seq->sequence) & 1)
		return carried_on();
	return ktime_to_ns(ktime_get());
}

static void readings_start(void)
{
	take_reading(NULL);
	schedule_delayed_work(&reading_work, READING_INTERVAL);
}

static void readings_stop(void)
{
	cancel_delayed_work_sync(&reading_work);
}

#endif

u64 compat_clock_boot(void)
{
	return compat_clock_mono() + READ_ONCE(boot_offset);
}

u64 compat_clock_tai(void)
{
	return compat_clock_mono() + READ_ONCE(tai_offset);
}

/* The coarse clock's promise is the time of some tick not long ago; the tick's own copy of it cannot be read in NMI. */
u64 compat_clock_coarse(void)
{
	u64 now = compat_clock_mono();

	return now - now % TICK_NSEC;
}

int bc_clock_init(void)
{
	int err = register_pm_notifier(&resume_notifier);

	if (err)
		return err;
	err = pvclock_gtod_register_notifier(&timekeeping_notifier);	/* calls it, too */
	if (err) {
		unregister_pm_notifier(&resume_notifier);
		return err;
	}
	update_boot_offset();
	readings_start();
	return 0;
}

void bc_clock_exit(void)
{
	readings_stop();
	pvclock_gtod_unregister_notifier(&timekeeping_notifier);
	unregister_pm_notifier(&resume_notifier);
}
