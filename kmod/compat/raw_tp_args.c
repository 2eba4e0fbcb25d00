// SPDX-License-Identifier: GPL-2.0-only
/* The arguments of tracepoints as Linux 4.17 has them, made of those that this kernel passes. */
#include "raw_tp_args.h"
#include <linux/blkdev.h>

#ifdef HAVE_SCHED_SWITCH_OF_TWO
/* (prev, next) → (preempt, prev, next). Before 4.4 a preempted task is told by the count that the switch itself sets. */
static void sched_switch(u64 *args)
{
	args[2] = args[1];
	args[1] = args[0];
	args[0] = !!(preempt_count() & PREEMPT_ACTIVE);
}
#endif

#ifdef HAVE_BLOCK_RQ_COMPLETE_OF_QUEUE
/* (queue, rq, bytes) → (rq, error, bytes) */
static void block_rq_complete(u64 *args)
{
	const struct request *rq = (const struct request *)(unsigned long)args[1];

	args[0] = args[1];
	args[1] = rq->errors ? (u32)-EIO : 0;
}
#endif

static const struct compat_raw_tp_args forms[] = {
#ifdef HAVE_SCHED_SWITCH_OF_TWO
	{ "sched_switch", 3, sched_switch },
#endif
#ifdef HAVE_BLOCK_RQ_COMPLETE_OF_QUEUE
	{ "block_rq_complete", 3, block_rq_complete },
#endif
	{ NULL }
};

const struct compat_raw_tp_args *compat_raw_tp_args(const char *name)
{
	const struct compat_raw_tp_args *form;

	for (form = forms; form->name; form++)
		if (!strcmp(form->name, name))
			return form;
	return NULL;
}
