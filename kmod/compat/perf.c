// SPDX-License-Identifier: GPL-2.0-only
/*
 * What differs between kernels in perf events and trace events; see perf.h.
 */
#include "../bpf.h"
#include "kprobes.h"
#include "nofault.h"
#include "perf.h"

int bc_perf_sample_output(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
#ifdef HAVE_PERF_EVENT_OUTPUT
	if (!bc_sym.perf_event_output)
		return -EOPNOTSUPP;
#ifdef HAVE_PERF_EVENT_OUTPUT_INT
	return bc_sym.perf_event_output(event, data, regs);
#else
	bc_sym.perf_event_output(event, data, regs);
	return 0;
#endif
#else
	/* Only perf_output_sample() counts towards the event's wakeup_events: without it nobody who polls wakes up. */
	struct perf_output_handle handle;
	struct perf_event_header header;
	int err;

	if (!bc_sym.perf_prepare_sample || !bc_sym.perf_output_sample || !bc_sym.perf_output_begin || !bc_sym.perf_output_end)
		return -EOPNOTSUPP;
	rcu_read_lock();
	bc_sym.perf_prepare_sample(&header, data, event, regs);
	err = bc_sym.perf_output_begin(&handle, event, header.size);
	if (!err) {
		bc_sym.perf_output_sample(&handle, &header, data, event);
		bc_sym.perf_output_end(&handle);
	}
	rcu_read_unlock();
	return err;
#endif
}

enum bc_trace_kind bc_trace_kind(const struct trace_event_call *call)
{
#ifdef HAVE_TRACE_EVENT_FL_KPROBE
	if (call->flags & TRACE_EVENT_FL_KPROBE)
		return BC_TRACE_KPROBE;
	if (call->flags & TRACE_EVENT_FL_UPROBE)
		return BC_TRACE_UPROBE;
	if (call->flags & TRACE_EVENT_FL_TRACEPOINT)
		return BC_TRACE_TRACEPOINT;
#else
	/* Older kernels tell them apart by the functions alone. */
	void *reg = call->class->reg;

	if (reg == (void *)bc_sym.kprobe_register)
		return BC_TRACE_KPROBE;
	if (reg == (void *)bc_sym.trace_uprobe_register)
		return BC_TRACE_UPROBE;
	if (reg == (void *)ftrace_event_reg)
		return BC_TRACE_TRACEPOINT;
#endif
	if (call->class->system && !strcmp(call->class->system, "syscalls"))
		return BC_TRACE_SYSCALL;
	return BC_TRACE_OTHER;
}

const char *bc_trace_name(struct trace_event_call *call)
{
#ifdef HAVE_TRACE_EVENT_NAME
	return trace_event_name(call);
#else
	return call->name;
#endif
}

/* The head of the kernel's private struct ftrace_event_field: the same in every kernel that has no trace_event_get_offsets(). */
struct event_field {
	struct list_head link;
	const char *name;
	const char *type;
	int filter_type;
	int offset;
	int size;
};

int bc_trace_record_end(struct trace_event_call *call)
{
	struct event_field *last;
	struct list_head *fields;

	if (bc_sym.trace_event_get_offsets)
		return bc_sym.trace_event_get_offsets(call);
	fields = call->class->get_fields ? call->class->get_fields(call) : &call->class->fields;
	if (list_empty(fields))
		return 0;
	/* Each field was added at the head, so the first is the last in the record. */
	last = list_first_entry(fields, struct event_field, link);
	return last->offset + last->size;
}

static void *word_at(unsigned long addr)
{
	void *word;

	return compat_read_kernel(&word, (void *)addr, sizeof(word)) ? NULL : word;
}

/* Is there one of the tracer's kprobes? The place may be anything. */
static bool is_tracer_kprobe(const struct kretprobe *rp, bool *is_ret)
{
	void *handler = word_at((unsigned long)&rp->kp.pre_handler);

	*is_ret = handler == (void *)bc_sym.pre_handler_kretprobe;
	if (*is_ret)
		return word_at((unsigned long)&rp->handler) == (void *)bc_sym.kretprobe_dispatcher;
	return handler == (void *)bc_sym.kprobe_dispatcher;
}

/* No kprobe and trace event that belong together are further apart. */
#define KPROBE_REACH 2048

/*
 * Where the kernel does not tell: its kprobe and its trace event lie in one struct, the kprobe first, so the nearest kprobe before the
 * event that has the tracer's handler is the one.
 */
static struct kprobe *kprobe_before_call(unsigned long call, bool *is_ret)
{
	struct kretprobe *rp;
	unsigned long at;

	for (at = call - sizeof(*rp); at > call - KPROBE_REACH; at -= sizeof(void *)) {
		rp = (struct kretprobe *)at;
		if (is_tracer_kprobe(rp, is_ret))
			return &rp->kp;
	}
	return NULL;
}

/* How kernels since 5.4 lay it out, where a trace event may have several kprobes: the event ... */
struct event_of_kprobes {
	unsigned int flags;
	struct trace_event_class class;
	struct trace_event_call call;
	struct list_head files;
	struct list_head probes;
};

/* ... and each of its kprobes. */
struct kprobe_of_event {
	struct kretprobe rp;
	unsigned long __percpu *nhit;
	const char *symbol;
	struct list_head node;
	struct event_of_kprobes *event;
};

static struct kprobe *kprobe_on_list(const struct trace_event_call *call, bool *is_ret)
{
	const struct event_of_kprobes *event = container_of(call, struct event_of_kprobes, call);
	struct kprobe_of_event *probe;
	struct list_head *first = word_at((unsigned long)&event->probes.next);

	if (!first || first == &event->probes)
		return NULL;
	probe = container_of(first, struct kprobe_of_event, node);
	/* That these kernels are as this is checked on every event: the two point to each other, and there is but one. */
	if (word_at((unsigned long)&probe->event) != event || word_at((unsigned long)&first->next) != &event->probes)
		return NULL;
	return is_tracer_kprobe(&probe->rp, is_ret) ? &probe->rp.kp : NULL;
}

struct kprobe *bc_trace_kprobe_of(const struct perf_event *event, bool *is_ret)
{
	struct kprobe *kp;

	if (!bc_sym.kprobe_dispatcher || !bc_sym.kretprobe_dispatcher || !bc_sym.pre_handler_kretprobe)
		return NULL;
	kp = kprobe_on_list(event->tp_event, is_ret);
	return kp ? kp : kprobe_before_call((unsigned long)event->tp_event, is_ret);
}

void bc_kprobe_place_of(const struct kprobe *kp, bool is_ret, struct bc_kprobe_place *place)
{
	place->fd_type = is_ret ? BPF_FD_TYPE_KRETPROBE : BPF_FD_TYPE_KPROBE;
	place->symbol = kp->symbol_name;
	place->offset = kp->symbol_name ? kp->offset : 0;
	place->addr = kp->symbol_name ? 0 : (unsigned long)kp->addr;
}

int bc_trace_kprobe_place(const struct perf_event *event, struct bc_kprobe_place *place)
{
	const struct kprobe *kp;
	bool is_ret;

	memset(place, 0, sizeof(*place));
	if (bc_sym.bpf_get_kprobe_info)
		return bc_sym.bpf_get_kprobe_info(event, &place->fd_type, &place->symbol, &place->offset, &place->addr,
						  event->attr.type == PERF_TYPE_TRACEPOINT);
	kp = bc_trace_kprobe_of(event, &is_ret);
	if (!kp)
		return -EOPNOTSUPP;
	bc_kprobe_place_of(kp, is_ret, place);
	return 0;
}
