/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A function of ours among the programs that the kernel itself calls on each record of a trace event, before any perf event gets it: for
 * kernels that can run programs there. It is called as theirs are: the record is its context, the registers are the record's first
 * word, and when it returns 0 nobody gets the record. Programs of the kernel's own and perf events lose nothing by it.
 */
#ifndef BPFCOMPAT_COMPAT_EVENT_PROG_H
#define BPFCOMPAT_COMPAT_EVENT_PROG_H

struct bpf_insn;
struct compat_event_prog;
struct perf_event;

/* Preemption is off. */
typedef unsigned int (*compat_event_func)(const void *record, const struct bpf_insn *insns);

/* What compat_event_prog_add() was given, from the second argument of the function. */
static inline void *compat_event_prog_data(const struct bpf_insn *insns)
{
	return *(void *const *)insns;
}

/* Process context; @event tells the trace event alone. NULL where the kernel can't, won't or has no memory. */
struct compat_event_prog *compat_event_prog_add(const struct perf_event *event, compat_event_func func, void *data);
/* Process context; calls may go on until an RCU-sched grace period has passed. */
void compat_event_prog_remove(struct compat_event_prog *ep);
/* After that; may be NULL. Any context but NMI. */
void compat_event_prog_free(struct compat_event_prog *ep);

#endif
