/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of attach/ share: programs at a hook, and the attachment of a program to a perf event.
 */
#ifndef BPFCOMPAT_ATTACH_H
#define BPFCOMPAT_ATTACH_H

#include "../bpf.h"
#include "kprobe_ftrace.h"
#include "../compat/perf.h"
#include "../../verifier/ctx.h"

/* ---- several programs at one place (hook.c) ---- */

#define BC_HOOK_MAX_PROGS 64	/* Linux: BPF_TRACE_MAX_PROGS */

/* -EEXIST when @prog is there already, -E2BIG, -ENOMEM. Callers hold a mutex of theirs for @slot. */
int bc_hook_add(struct bc_hook **slot, struct bc_prog *prog, u64 cookie);
/* True when that was the last one. Readers may run @prog until an RCU-sched grace period has passed. */
bool bc_hook_remove(struct bc_hook **slot, struct bc_prog *prog);
u32 bc_hook_missed(struct bc_hook **slot);
/* Inside the guard; @hook may be NULL. */
u32 bc_hook_run_all(struct bc_hook *hook, void *ctx, struct pt_regs *regs, u64 func_ip);

/*
 * Runs all programs of a hook: the conjunction of what they return, 0 when this CPU is inside already. Any context with preemption off.
 * In line, and without a loop for the one program that most hooks have, since events pay for each instruction here.
 */
static __always_inline u32 bc_hook_run_for(struct bc_hook **slot, void *ctx, struct pt_regs *regs, u64 func_ip, bool record)
{
	struct bc_prog *only;
	struct bc_hook *hook;
	struct bc_run *run;
	u32 ret;

	if (!bc_run_begin_atomic())
		return bc_hook_missed(slot);
	hook = smp_load_acquire(slot);
	if (likely(hook) && likely((only = READ_ONCE(hook->only)))) {
		run = bc_this_run();
		if (!record) {
			run->regs = regs;
			run->func_ip = func_ip;
		}
		run->cookie = hook->e[0].cookie;
		ret = bc_prog_run_here(only, run, ctx);
	} else {
		ret = bc_hook_run_all(hook, ctx, regs, func_ip);
	}
	bc_run_end_atomic();
	return record ? ret : ret & 1;	/* a kernel that calls us at a record takes the lowest bit itself */
}

static __always_inline u32 bc_hook_run(struct bc_hook **slot, void *ctx, struct pt_regs *regs, u64 func_ip)
{
	return bc_hook_run_for(slot, ctx, regs, func_ip, false);
}

/* Programs of type TRACEPOINT, which find registers in their record (bc_run_regs()). */
static __always_inline u32 bc_hook_run_on_record(struct bc_hook **slot, void *record)
{
	return bc_hook_run_for(slot, record, NULL, 0, true);
}

u32 bc_hook_run_in_idle(struct bc_hook **slot, struct pt_regs *regs, u64 func_ip);

/* The same for handlers of kprobes and kretprobes, which on old kernels come where nobody waits for them; interrupts are off there. */
static __always_inline u32 bc_hook_run_at_probe(struct bc_hook **slot, struct pt_regs *regs, u64 func_ip)
{
	if (unlikely(bc_rcu_may_not_look()))
		return bc_hook_run_in_idle(slot, regs, func_ip);
	return bc_hook_run(slot, regs, regs, func_ip);
}

/* ---- a program at a perf event (attach.c) ---- */

struct bc_tp_hook;

enum bc_attachment_kind {
	BC_ATTACHED_SAMPLE,	/* run on each sample of the event */
	BC_ATTACHED_TRACE,	/* run on each hit of the event's trace event */
	BC_ATTACHED_KPROBE,	/* run on each hit of a kprobe that our own PMU made */
};

/* One for each perf event that has or had a program; lives as long as the event, since copies of it (inheritance) may point here. */
struct bc_attachment {
	struct hlist_node node;
	struct rcu_head rcu;
	struct perf_event *event;
	enum bc_attachment_kind kind;
	struct bc_prog *prog;				/* a reference; NULL after detaching */
	u64 cookie;
	struct bc_tp_hook *tp;				/* BC_ATTACHED_TRACE */
	void (*destroy)(struct perf_event *event);	/* the event's own */
	perf_overflow_handler_t overflow;		/* the event's own; NULL is perf's default */
};

/* The perf event behind a file, or NULL. */
struct perf_event *bc_event_of_file(const struct file *file);
/* Detaches whatever bc_perf_event_attach() attached. */
void bc_perf_event_detach(struct perf_event *event);

/* perf_event.c */
int bc_sample_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie);
/*
 * Puts @handler in front of the event's own, unless something has been there already. It stays till the event goes, since events that
 * inherited it share it; without a program it only passes samples on.
 */
void bc_take_over_samples(struct bc_attachment *at, perf_overflow_handler_t handler);
void bc_pass_on_sample(struct bc_attachment *at, struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs);

/* tracepoint.c: callers hold the mutex of attach.c */
int bc_trace_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie);
void bc_trace_detach(struct bc_attachment *at);
int bc_trace_query(struct bc_attachment *at, struct bc_fd_query *q);

/* kprobe_pmu.c */
int bc_kprobe_pmu_init(void);
void bc_kprobe_pmu_exit(void);
bool bc_is_own_kprobe(const struct perf_event *event);
int bc_kprobe_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie);
void bc_kprobe_detach(struct bc_attachment *at);
int bc_kprobe_query(struct bc_attachment *at, struct bc_fd_query *q);
/* A probe in this module could hit while a program runs, and on 3.10 nothing marks module text as out of bounds. */
bool bc_is_own_text(unsigned long addr);
/* Is @addr the first byte of a function that may be called (an indirect branch's landing pad before it counts)? */
bool bc_addr_is_function(unsigned long addr);
/* What bpf_get_func_ip() says of a probe at @addr. */
unsigned long bc_function_entry(unsigned long addr);

/* kprobe_tap.c: programs called by the kprobe of an event of perf's own PMU */
struct bc_kprobe_tap {
	struct bc_kprobe_tap *next;
	struct kprobe *kp;
	struct bc_ftrace_probe direct;	/* unless that can't be, it takes the hits, and the kprobe is disabled */
	bool is_ret;
	struct bc_hook **progs;
	u64 func_ip;
};

/* False where that can't be: the event is tracefs's, or its kprobe isn't found. Callers hold the mutex of attach.c. */
bool bc_kprobe_tap_add(struct bc_kprobe_tap *tap, const struct perf_event *event, struct bc_hook **progs, bool at_entry);
void bc_kprobe_tap_remove(struct bc_kprobe_tap *tap);

/* bpf_output.c */
int bc_output_pmu_init(void);
void bc_output_pmu_exit(void);

/* link_perf.c */
struct bc_link *bc_perf_link_new(struct file *event_file, struct bc_prog *prog, u64 cookie);
u64 bc_perf_link_cookie(const struct bc_link *link);
/* From here on its release detaches. */
void bc_perf_link_attached(struct bc_link *link);
/* raw_tp.c: registers of the caller of a tracepoint, for helpers that walk the stack; inside the guard */
struct pt_regs *bc_caller_regs(void);

/* PMUs are registered and unregistered by pointer: vanilla 3.10 does not export them. */
static inline int bc_pmu_register(struct pmu *pmu, const char *name)
{
	return bc_sym.perf_pmu_register ? bc_sym.perf_pmu_register(pmu, name, -1) : -EOPNOTSUPP;
}

#endif
