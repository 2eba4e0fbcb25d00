/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * perf events and trace events under one set of names: the record of a sample, a sample's output, what kind of trace event one is.
 */
#ifndef BPFCOMPAT_COMPAT_PERF_H
#define BPFCOMPAT_COMPAT_PERF_H

#include <linux/perf_event.h>
#ifdef HAVE_LINUX_TRACE_EVENTS_H
#include <linux/trace_events.h>
#else
#include <linux/ftrace_event.h>
#define trace_event_call ftrace_event_call
#define trace_event_class ftrace_event_class
#endif

#define BC_SW_BPF_OUTPUT 10	/* PERF_COUNT_SW_BPF_OUTPUT, whether or not the kernel knows it */

/* The trace record that came with a sample. */
static inline void *bc_sample_record(const struct perf_sample_data *data)
{
#ifdef HAVE_PERF_RAW_FRAG
	return data->raw->frag.data;
#else
	return data->raw->data;
#endif
}

static inline u64 bc_sample_addr(const struct perf_sample_data *data)
{
#ifdef HAVE_PERF_SAMPLE_FLAGS
	if (!(data->sample_flags & PERF_SAMPLE_ADDR))
		return 0;
#endif
	return data->addr;
}

/* A sample that carries @size bytes at @record. Kernels without fragments want (size + 4) % 8 == 0: see bc_raw_padded(). */
static inline void bc_sample_init_raw(struct perf_sample_data *data, struct perf_raw_record *raw, void *record, u32 size)
{
	perf_sample_data_init(data, 0, 0);
#ifdef HAVE_PERF_RAW_FRAG
	*raw = (struct perf_raw_record){ .frag = { .data = record, .size = size } };
#else
	*raw = (struct perf_raw_record){ .data = record, .size = size };
#endif
	data->raw = raw;
#ifdef HAVE_PERF_SAMPLE_FLAGS
	data->sample_flags |= PERF_SAMPLE_RAW;
#endif
}

/* Writes a sample to the event's buffer, as perf's own overflow handler does: 0, -ENOSPC ... Any context. */
int bc_perf_sample_output(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs);

enum bc_trace_kind {
	BC_TRACE_OTHER,		/* no programs here (ftrace's function event) */
	BC_TRACE_TRACEPOINT,
	BC_TRACE_SYSCALL,
	BC_TRACE_KPROBE,
	BC_TRACE_UPROBE,
};

enum bc_trace_kind bc_trace_kind(const struct trace_event_call *call);
const char *bc_trace_name(struct trace_event_call *call);
/* End of the last field of the event's record, in bytes from its start; 0 when that can't be told. */
int bc_trace_record_end(struct trace_event_call *call);

/* Where a kprobe is that tracefs or perf itself made. */
struct bc_kprobe_place {
	const char *symbol;	/* valid as long as the event; NULL: @addr holds */
	u64 offset;
	u64 addr;
	u32 fd_type;		/* BPF_FD_TYPE_KPROBE or _KRETPROBE */
};

struct kprobe;
/* The kprobe (of a kretprobe, if @is_ret gets true) of a trace event, while its handler is the tracer's; NULL where it isn't found. */
struct kprobe *bc_trace_kprobe_of(const struct perf_event *event, bool *is_ret);

void bc_kprobe_place_of(const struct kprobe *kp, bool is_ret, struct bc_kprobe_place *place);
/* -EOPNOTSUPP where that can't be told; while the handler is the tracer's, like the above. */
int bc_trace_kprobe_place(const struct perf_event *event, struct bc_kprobe_place *place);

static inline bool bc_perf_is_event_file(const struct file *file)
{
	return file->f_op == bc_sym.perf_fops;
}

/* CPUs neither come nor go in between. */
static inline void bc_cpus_lock(void)
{
#ifdef HAVE_CPUS_READ_LOCK
	cpus_read_lock();
#else
	get_online_cpus();
#endif
}

static inline void bc_cpus_unlock(void)
{
#ifdef HAVE_CPUS_READ_LOCK
	cpus_read_unlock();
#else
	put_online_cpus();
#endif
}

#endif
