/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What perf keeps of this CPU or the current task, read from any context: a counter's value, the branches that came with a sample.
 */
#ifndef BPFCOMPAT_COMPAT_PERF_READ_H
#define BPFCOMPAT_COMPAT_PERF_READ_H

#include "compat.h"
#include <asm/local64.h>

/*
 * Value of @event, and where asked for the nanoseconds that it was enabled and on the hardware. 0, -EINVAL (event of another CPU or
 * task), -EOPNOTSUPP (inherited: its children's counts are elsewhere), -EBUSY (pinned, and not running).
 */
#ifdef HAVE_PERF_EVENT_READ_LOCAL

static inline int compat_perf_read(struct perf_event *event, u64 *value, u64 *enabled, u64 *running)
{
	return bc_sym.perf_event_read_local ? bc_sym.perf_event_read_local(event, value, enabled, running) : -EOPNOTSUPP;
}

#else

static inline int compat_perf_read(struct perf_event *event, u64 *value, u64 *enabled, u64 *running)
{
	bool of_task = event->attach_state & PERF_ATTACH_TASK;
	unsigned long flags;
	u64 time;

	if (event->attr.inherit)
		return -EOPNOTSUPP;
	if (of_task ? event->ctx->task != current : event->cpu != smp_processor_id())
		return -EINVAL;
	if (event->attr.pinned && event->oncpu != smp_processor_id())
		return -EBUSY;

	/* Counters are scheduled, rotated and read from other CPUs with interrupts only. */
	local_irq_save(flags);
	if (event->oncpu == smp_processor_id())
		event->pmu->read(event);
	*value = local64_read(&event->count);
	time = event->shadow_ctx_time + local_clock();
	if (enabled)
		*enabled = time - event->tstamp_enabled;
	if (running)
		*running = (event->state == PERF_EVENT_STATE_ACTIVE ? time : event->tstamp_stopped) - event->tstamp_running;
	local_irq_restore(flags);
	return 0;
}

#endif

/* The branches that the hardware recorded up to this sample, NULL when none were asked for. */
static inline const struct perf_branch_stack *compat_branch_stack(const struct perf_sample_data *data)
{
#ifdef HAVE_PERF_SAMPLE_FLAGS
	if (data && !(data->sample_flags & PERF_SAMPLE_BRANCH_STACK))
		return NULL;
#endif
	return data ? data->br_stack : NULL;
}

#endif
