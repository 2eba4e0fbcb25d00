/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of what the map types lean on: the stack unwinder, cgroups by fd. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/cgroup.h>
#include <linux/stacktrace.h>

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_STACK_TRACE_SAVE"
static inline unsigned int probe_stack_trace_save(unsigned long *store) { return stack_trace_save(store, 1, 0); }

#line 1 "HAVE_CGROUP_GET_FROM_FD"
static inline void *probe_cgroup_from_fd(void) { return cgroup_get_from_fd(0); }

#line 1 "HAVE_WITHIN_MODULE"
static inline bool probe_within_module(void) { return within_module(0, NULL); }
