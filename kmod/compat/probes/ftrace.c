/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of the function tracer as newer kernels have it; attach.c has that of old ones. */
#include <linux/module.h>
#include <linux/ftrace.h>

#line 1 "BASELINE"
static inline void probe_ftrace_baseline(void) { might_sleep(); }

#line 1 "HAVE_FTRACE_REGS"
static void probe_call(unsigned long ip, unsigned long parent, struct ftrace_ops *op, struct ftrace_regs *regs) { ftrace_get_regs(regs); }
static struct ftrace_ops probe_ops = { .func = probe_call };
static inline void *probe_ops_used(void) { return &probe_ops; }

#line 1 "HAVE_FTRACE_PERMANENT"
static inline int probe_permanent(void) { return FTRACE_OPS_FL_PERMANENT; }
