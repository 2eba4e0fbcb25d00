/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of perf events, trace events and tracepoints: what programs are attached to. */
#include <linux/module.h>
#include <linux/cpu.h>
#include <linux/kprobes.h>
#include <linux/perf_event.h>
#include <linux/tracepoint.h>
#ifdef HAVE_LINUX_TRACE_EVENTS_H
#include <linux/trace_events.h>
#else
#include <linux/ftrace_event.h>
#define trace_event_call ftrace_event_call
#endif

#define SAME_TYPE(a, b) typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1]

#line 1 "BASELINE"
static inline void probe_attach_baseline(void) { might_sleep(); }

#line 1 "HAVE_TRACEPOINT_BY_NAME"
static inline void probe_tp_name(void) { SAME_TYPE(typeof(tracepoint_probe_register), int (const char *, void *, void *)); }

#line 1 "HAVE_TRACE_EVENT_FL_KPROBE"
static inline int probe_fl_kprobe(void) { return TRACE_EVENT_FL_KPROBE | TRACE_EVENT_FL_UPROBE | TRACE_EVENT_FL_TRACEPOINT; }

#line 1 "HAVE_TRACE_EVENT_NAME"
static inline const char *probe_event_name(struct trace_event_call *call) { return trace_event_name(call); }

#line 1 "HAVE_PERF_RAW_FRAG"
static inline void *probe_raw_frag(struct perf_raw_record *raw) { return raw->frag.data; }

#line 1 "HAVE_PERF_SAMPLE_FLAGS"
static inline u64 probe_sample_flags(struct perf_sample_data *data) { return data->sample_flags; }

#line 1 "HAVE_SW_BPF_OUTPUT"
static inline int probe_bpf_output(void) { return PERF_COUNT_SW_BPF_OUTPUT; }

#line 1 "HAVE_PERF_ATTR_KPROBE"
static inline u64 probe_attr_kprobe(struct perf_event *event) { return event->attr.kprobe_func; }

#line 1 "HAVE_PERF_EVENT_OUTPUT"
static inline void *probe_event_output(void) { return perf_event_output; }

#line 1 "HAVE_PERF_EVENT_OUTPUT_INT"
static inline int probe_event_output_int(struct perf_event *e, struct perf_sample_data *d) { int err = perf_event_output(e, d, NULL); return err; }

#line 1 "HAVE_CPUS_READ_LOCK"
static inline void probe_cpus_lock(void) { cpus_read_lock(); cpus_read_unlock(); }

#line 1 "HAVE_BPF_RAW_EVENT_MAP"
static inline u32 probe_raw_event_map(struct bpf_raw_event_map *map) { return map->num_args; }

#line 1 "HAVE_GET_KRETPROBE"
static inline struct kretprobe *probe_get_kretprobe(struct kretprobe_instance *ri) { return get_kretprobe(ri); }

#line 1 "HAVE_FTRACE_PT_REGS"
static void probe_ftrace_call(unsigned long ip, unsigned long parent, struct ftrace_ops *op, struct pt_regs *regs) { }
static struct ftrace_ops probe_ftrace_ops = { .func = probe_ftrace_call, .flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE };
static inline int probe_ftrace(void) { return ftrace_set_filter_ip(&probe_ftrace_ops, 0, 0, 0) + register_ftrace_function(&probe_ftrace_ops); }
