/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of the kernel's own way to call programs on trace events. */
#include <linux/module.h>
#ifdef HAVE_LINUX_BPF_H
#include <linux/bpf.h>
#endif
#include <linux/filter.h>
#include <linux/perf_event.h>
#ifdef HAVE_LINUX_TRACE_EVENTS_H
#include <linux/trace_events.h>
#else
#include <linux/ftrace_event.h>
#endif

#define SAME_TYPE(a, b) typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1]

#line 1 "BASELINE"
static inline void probe_event_prog_baseline(void) { might_sleep(); }

#line 1 "HAVE_EVENT_PROG_FUNC"
static inline void probe_event_prog_func(struct bpf_prog *prog, unsigned int (*func)(const void *ctx, const struct bpf_insn *insn)) { SAME_TYPE(typeof(prog->bpf_func), typeof(func)); prog->bpf_func = func; atomic64_set(&prog->aux->refcnt, 2); }

#line 1 "HAVE_EVENT_PROG_ATTACH"
static inline void probe_event_prog_attach(void) { SAME_TYPE(typeof(perf_event_attach_bpf_prog), int (struct perf_event *, struct bpf_prog *, u64)); }
