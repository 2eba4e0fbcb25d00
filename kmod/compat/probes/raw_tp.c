/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of tracepoints whose arguments changed before there were raw tracepoint programs. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/blkdev.h>
#include <linux/blktrace_api.h>
#include <linux/tracepoint.h>
#include <trace/events/sched.h>
#include <trace/events/block.h>

#define SAME_TYPE(a, b) typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1]
typedef void old_switch_fn(void *, struct task_struct *, struct task_struct *);
typedef void old_complete_fn(void *, struct request_queue *, struct request *, unsigned int);

#line 1 "BASELINE"
static inline void probe_raw_tp_baseline(void) { might_sleep(); }

#line 1 "HAVE_SCHED_SWITCH_OF_TWO"
static inline void probe_switch(void) { SAME_TYPE(typeof(&register_trace_sched_switch), int (*)(old_switch_fn *, void *)); }

#line 1 "HAVE_BLOCK_RQ_COMPLETE_OF_QUEUE"
static inline void probe_done(void) { SAME_TYPE(typeof(&register_trace_block_rq_complete), int (*)(old_complete_fn *, void *)); }
