// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at trace events: the kernel's tracepoints, system calls, and what kprobe_events, uprobe_events or the kernel's own PMUs of
 * those names made. One event opened on one CPU makes the program run on all of them.
 *
 * perf keeps, for each trace event that is open, a list of perf events on each CPU, and hands every record to each of them. A stand-in
 * of ours on each of these lists, with a sample period of 1, is given every record through its overflow handler, and costs no change
 * to the kernel's own events. The lists exist as long as a real event is open, and programs go before their event does.
 *
 * A kernel that runs programs of its own there calls ours among them, before perf looks at any event (compat/event_prog.h): then there
 * are no stand-ins, and a program that returns 0 keeps the record from everybody, as on Linux.
 */
#include "attach.h"
#include "../compat/event_prog.h"
#include <linux/ftrace.h>

struct bc_tp_hook {
	struct list_head list;
	struct trace_event_call *call;
	enum bc_trace_kind kind;
	struct bc_hook *progs;
	bool inside_function;		/* the probe is not at a function's entry: no function to name */
	bool tapped;			/* the programs are called by the kprobe, and perf has no stand-ins */
	struct bc_kprobe_tap tap;
	struct compat_event_prog *called;	/* by the kernel, and perf has no stand-ins */
	struct verdict __percpu *verdict;
	struct rcu_head rcu;
	struct perf_event *stand_in[];	/* by CPU */
};

/*
 * What the programs said of the record at hand, for those of their events that take samples: 0 suppresses the sample. Such an event
 * may come before our stand-in on the list; then it runs the programs, and the stand-in does not.
 */
struct verdict {
	u32 ret;
	const void *early;	/* the record that it was given on before the stand-in's turn; an interrupt's is another */
};

static LIST_HEAD(hooks);	/* under the mutex of attach.c */

/* Programs read the number of a system call as 8 bytes; its record holds 4 and a hole. */
static void widen_syscall_number(void *record)
{
	((u32 *)record)[3] = 0;
}

/* The record's first word is perf's; programs may not read it, but helpers find the registers there. */
static u32 run_on_record(struct bc_tp_hook *hook, u64 *record, struct pt_regs *regs)
{
	u64 head = record[0];
	u32 ret;

	record[0] = (unsigned long)regs;
	if (hook->kind == BC_TRACE_SYSCALL)
		widen_syscall_number(record);
	ret = bc_hook_run_on_record(&hook->progs, record) & 1;
	record[0] = head;
	return ret;
}

static u32 run_programs(struct bc_tp_hook *hook, u64 *record, struct pt_regs *regs)
{
	if (likely(hook->kind == BC_TRACE_TRACEPOINT || hook->kind == BC_TRACE_SYSCALL))
		return run_on_record(hook, record, regs);
	/* the record of a kprobe begins with its address, that of a kretprobe with the function's */
	if (hook->kind == BC_TRACE_KPROBE)
		return bc_hook_run(&hook->progs, regs, regs, hook->inside_function ? 0 : bc_function_entry(record[1]));
	return bc_hook_run(&hook->progs, regs, regs, record[1]);
}

/*
 * Most programs return 0, and to find that out in the handler of each of their events takes perf longer than the program. So such an
 * event rests till a program wants a sample: perf takes it for stopped and passes it by. The stand-in, listed after most of them and so
 * before them on the list, then wakes those of its CPU for good, while perf is still on its way to them.
 */
#define RESTING (PERF_HES_STOPPED | 0x10000)

static bool may_rest(const struct perf_event *event)
{
	/* perf comes to the events of a task from elsewhere, too; with another period not each record is a sample */
	return event->attr.sample_period == 1 && !event->attr.freq && !event->attr.exclude_kernel && !(event->attach_state & PERF_ATTACH_TASK);
}

static void wake(struct perf_event *event)
{
	if (READ_ONCE(event->hw.state) == RESTING)
		WRITE_ONCE(event->hw.state, 0);
}

static noinline void wake_all_here(struct perf_event *stand_in, struct perf_sample_data *data, struct pt_regs *regs)
{
	const struct bc_tp_hook *hook = stand_in->overflow_handler_context;
	const struct hlist_head *head = this_cpu_ptr(hook->call->perf_events);
	struct hlist_node *n;
	struct perf_event *event;
	bool passed = true;

	for (n = READ_ONCE(head->first); n; n = READ_ONCE(n->next)) {
		event = hlist_entry(n, struct perf_event, hlist_entry);
		if (event == stand_in)
			passed = false;
		if (READ_ONCE(event->hw.state) != RESTING)
			continue;
		wake(event);
		/* enabled after the stand-in was listed, so perf has been there: this one sample is given by us, unless perf might not */
		if (passed && !event->filter && event->hw.sample_period == 1) {
			local64_inc(&event->count);
			bc_pass_on_sample(event->overflow_handler_context, event, data, regs);
		}
	}
}

static void on_record(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct bc_tp_hook *hook = event->overflow_handler_context;
	struct verdict *verdict = this_cpu_ptr(hook->verdict);

	if (verdict->early == bc_sample_record(data))
		verdict->early = NULL;
	else
		verdict->ret = run_programs(hook, bc_sample_record(data), regs);
	if (verdict->ret)
		wake_all_here(event, data, regs);
}

/* The same for as long as no event of the hook takes samples, and nobody asks what the programs said. */
static __always_inline void on_unjudged_record(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs, bool syscall)
{
	struct bc_tp_hook *hook = event->overflow_handler_context;
	u64 *record = bc_sample_record(data);
	u64 head = record[0];

	record[0] = (unsigned long)regs;
	if (syscall)
		widen_syscall_number(record);
	bc_hook_run_on_record(&hook->progs, record);
	record[0] = head;
}

static void on_unjudged_tracepoint(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	on_unjudged_record(event, data, regs, false);
}

static void on_unjudged_syscall(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	on_unjudged_record(event, data, regs, true);
}

static perf_overflow_handler_t first_handler(enum bc_trace_kind kind)
{
	switch (kind) {
	case BC_TRACE_TRACEPOINT:
		return on_unjudged_tracepoint;
	case BC_TRACE_SYSCALL:
		return on_unjudged_syscall;
	default:
		return on_record;
	}
}

/* From now on the programs' verdicts are wanted: before the handler that asks for them is there. */
static void judge_records(struct bc_tp_hook *hook)
{
	int cpu;

	for_each_possible_cpu(cpu)
		WRITE_ONCE(hook->stand_in[cpu]->overflow_handler, on_record);
}

/* ---- where the kernel calls us ---- */

static unsigned int on_tracepoint(const void *record, const struct bpf_insn *insns)
{
	return bc_hook_run_on_record(compat_event_prog_data(insns), (void *)record);
}

static unsigned int on_syscall(const void *record, const struct bpf_insn *insns)
{
	widen_syscall_number((void *)record);
	return bc_hook_run_on_record(compat_event_prog_data(insns), (void *)record);
}

static struct compat_event_prog *let_kernel_call(struct bc_tp_hook *hook, const struct perf_event *event)
{
	switch (hook->kind) {
	case BC_TRACE_TRACEPOINT:
		return compat_event_prog_add(event, on_tracepoint, &hook->progs);
	case BC_TRACE_SYSCALL:
		return compat_event_prog_add(event, on_syscall, &hook->progs);
	default:
		return NULL;	/* the address of the probe is not in their context */
	}
}

/* ---- events that take samples themselves ---- */

static bool comes_before_stand_in(const struct perf_event *event, const struct bc_tp_hook *hook)
{
	const struct hlist_node *stand_in = &hook->stand_in[smp_processor_id()]->hlist_entry, *n;
	const struct hlist_head *head = this_cpu_ptr(hook->call->perf_events);

	/* From the list's head: perf also calls events of other tasks, which are on no list or another CPU's. */
	for (n = READ_ONCE(head->first); n && n != stand_in; n = READ_ONCE(n->next))
		if (n == &event->hlist_entry)
			return true;
	return false;
}

/* As Linux: a program that returns 0 keeps the sample from being written. */
static void on_sample(struct perf_event *event, struct perf_sample_data *data, struct pt_regs *regs)
{
	struct bc_attachment *at = event->overflow_handler_context;
	struct bc_tp_hook *hook = READ_ONCE(at->tp);
	struct verdict *verdict;

	if (hook) {
		verdict = this_cpu_ptr(hook->verdict);
		if (comes_before_stand_in(event, hook) && verdict->early != bc_sample_record(data)) {
			verdict->ret = run_programs(hook, bc_sample_record(data), regs);
			verdict->early = bc_sample_record(data);
		}
		if (!verdict->ret)
			return;
	}
	bc_pass_on_sample(at, event, data, regs);
}

/* ---- on and off the lists ---- */

static void list_on_cpu(struct bc_tp_hook *hook, int cpu)
{
	hlist_add_head_rcu(&hook->stand_in[cpu]->hlist_entry, per_cpu_ptr(hook->call->perf_events, cpu));
}

static void unlist_on_cpu(struct bc_tp_hook *hook, int cpu)
{
	hlist_del_rcu(&hook->stand_in[cpu]->hlist_entry);
}

static void list_here(void *hook)
{
	list_on_cpu(hook, smp_processor_id());
}

static void unlist_here(void *hook)
{
	unlist_on_cpu(hook, smp_processor_id());
}

/* A CPU's list is changed on that CPU with interrupts off, by perf and so by us too. A CPU that is off changes nothing. */
static void on_all_lists(struct bc_tp_hook *hook, smp_call_func_t here, void (*there)(struct bc_tp_hook *hook, int cpu))
{
	int cpu;

	bc_cpus_lock();
	on_each_cpu(here, hook, 1);
	for_each_possible_cpu(cpu)
		if (!cpu_online(cpu))
			there(hook, cpu);
	bc_cpus_unlock();
}

/* ---- hooks ---- */

static size_t hook_size(void)
{
	return sizeof(struct bc_tp_hook) + nr_cpu_ids * sizeof(struct perf_event *);
}

static void free_tp_hook(struct bc_tp_hook *hook)
{
	int cpu;

	compat_event_prog_free(hook->called);
	for_each_possible_cpu(cpu)
		bc_free(NULL, hook->stand_in[cpu], sizeof(struct perf_event));
	free_percpu(hook->verdict);
	bc_free(NULL, hook, hook_size());
}

static bool has_stand_ins(const struct bc_tp_hook *hook)
{
	return !hook->tapped && !hook->called;
}

static void free_rcu_tp_hook(struct rcu_head *rcu)
{
	free_tp_hook(container_of(rcu, struct bc_tp_hook, rcu));
}

/* As much of an event as perf looks at on its way from a record to the overflow handler. */
static void init_stand_in(struct perf_event *event, struct bc_tp_hook *hook, int cpu)
{
	event->attr.type = PERF_TYPE_TRACEPOINT;
	event->attr.size = sizeof(event->attr);
	event->attr.config = hook->call->event.type;
	/*
	 * One overflow for a record, whatever it counts for: sched_stat_* count nanoseconds, and would overflow till perf throttles
	 * the stand-in, for ever.
	 */
	event->attr.sample_type = PERF_SAMPLE_PERIOD;
	event->attr.sample_period = 1;
	event->hw.sample_period = 1;
	event->hw.last_period = 1;
	event->cpu = cpu;
	event->oncpu = cpu;
	event->state = PERF_EVENT_STATE_ACTIVE;
	event->tp_event = hook->call;
	event->overflow_handler = first_handler(hook->kind);
	event->overflow_handler_context = hook;
}

static struct bc_tp_hook *find_tp_hook(const struct trace_event_call *call)
{
	struct bc_tp_hook *hook;

	list_for_each_entry(hook, &hooks, list)
		if (hook->call == call)
			return hook;
	return NULL;
}

/* The search for a kprobe knows it by its handler, so it would pass one that has ours, and find another event's. */
static int kprobe_place(const struct perf_event *event, struct bc_kprobe_place *place)
{
	const struct bc_tp_hook *hook = find_tp_hook(event->tp_event);

	if (!hook || !hook->tapped)
		return bc_trace_kprobe_place(event, place);
	bc_kprobe_place_of(hook->tap.kp, hook->tap.is_ret, place);
	return 0;
}

/* Where that can't be told it is taken for one: probes mostly are there. */
static bool at_function_entry(const struct perf_event *event)
{
	struct bc_kprobe_place place;

	if (kprobe_place(event, &place))
		return true;
	return place.symbol ? !place.offset : bc_addr_is_function(place.addr);
}

static struct bc_tp_hook *new_tp_hook(struct perf_event *event, enum bc_trace_kind kind)
{
	struct bc_tp_hook *hook = bc_alloc(NULL, hook_size());
	int cpu;

	if (!hook)
		return NULL;
	hook->call = event->tp_event;
	hook->kind = kind;
	hook->inside_function = kind == BC_TRACE_KPROBE && !at_function_entry(event);
	hook->verdict = alloc_percpu(struct verdict);
	if (!hook->verdict) {
		free_tp_hook(hook);
		return NULL;
	}
	for_each_possible_cpu(cpu) {
		hook->stand_in[cpu] = bc_alloc(NULL, sizeof(struct perf_event));
		if (!hook->stand_in[cpu]) {
			free_tp_hook(hook);
			return NULL;
		}
		init_stand_in(hook->stand_in[cpu], hook, cpu);
	}
	return hook;
}

static bool in_own_text(const struct perf_event *event)
{
	struct bc_kprobe_place place;

	if (kprobe_place(event, &place))
		return false;
	return bc_is_own_text(place.symbol ? bc_lookup_symbol(place.symbol) + place.offset : place.addr);
}

static int check(struct perf_event *event, enum bc_trace_kind kind, const struct bc_prog *prog)
{
	u32 wanted = BPF_PROG_TYPE_TRACEPOINT;

	if (kind == BC_TRACE_OTHER)
		return -EINVAL;
	if (kind == BC_TRACE_KPROBE || kind == BC_TRACE_UPROBE)
		wanted = BPF_PROG_TYPE_KPROBE;
	if (prog->type != wanted)
		return -EINVAL;
	if (prog->v.sleepable && kind != BC_TRACE_UPROBE)
		return -EINVAL;
	if (wanted == BPF_PROG_TYPE_TRACEPOINT && prog->v.max_ctx_offset > bc_trace_record_end(event->tp_event))
		return -EACCES;
	if (kind == BC_TRACE_KPROBE && in_own_text(event))
		return -EINVAL;
	return 0;
}

int bc_trace_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie)
{
	struct perf_event *event = at->event;
	enum bc_trace_kind kind = bc_trace_kind(event->tp_event);
	struct bc_tp_hook *hook;
	bool made = false;
	int err = check(event, kind, prog);

	if (err)
		return err;
	if (at->prog)
		return -EEXIST;
	hook = find_tp_hook(event->tp_event);
	if (!hook) {
		hook = new_tp_hook(event, kind);
		if (!hook)
			return -ENOMEM;
		made = true;
	}
	err = bc_hook_add(&hook->progs, prog, cookie);
	if (err) {
		if (made)
			free_tp_hook(hook);
		return err;
	}
	if (made) {
		list_add(&hook->list, &hooks);
		if (kind == BC_TRACE_KPROBE)
			hook->tapped = bc_kprobe_tap_add(&hook->tap, event, &hook->progs, !hook->inside_function);
		else
			hook->called = let_kernel_call(hook, event);
		if (has_stand_ins(hook))
			on_all_lists(hook, list_here, list_on_cpu);
	}
	bc_prog_get(prog);
	WRITE_ONCE(at->tp, hook);
	at->cookie = cookie;
	WRITE_ONCE(at->prog, prog);
	if (is_sampling_event(event) && has_stand_ins(hook)) {
		judge_records(hook);
		bc_take_over_samples(at, on_sample);
	}
	if (event->overflow_handler == on_sample && has_stand_ins(hook) && may_rest(event))
		WRITE_ONCE(event->hw.state, RESTING);
	return 0;
}

void bc_trace_detach(struct bc_attachment *at)
{
	struct bc_tp_hook *hook = at->tp;

	WRITE_ONCE(at->tp, NULL);
	wake(at->event);
	if (!bc_hook_remove(&hook->progs, at->prog))
		return;
	if (hook->tapped)
		bc_kprobe_tap_remove(&hook->tap);
	else if (hook->called)
		compat_event_prog_remove(hook->called);
	else
		on_all_lists(hook, unlist_here, unlist_on_cpu);
	list_del(&hook->list);
	bc_call_rcu_sched(&hook->rcu, free_rcu_tp_hook);
}

int bc_trace_query(struct bc_attachment *at, struct bc_fd_query *q)
{
	struct perf_event *event = at->event;
	bool by_id = event->attr.type == PERF_TYPE_TRACEPOINT;
	struct bc_kprobe_place place;
	const char *name = NULL;
	int err = -EOPNOTSUPP;

	switch (at->tp->kind) {
	case BC_TRACE_TRACEPOINT:
	case BC_TRACE_SYSCALL:
		q->fd_type = BPF_FD_TYPE_TRACEPOINT;
		name = bc_trace_name(event->tp_event);
		err = 0;
		break;
	case BC_TRACE_KPROBE:
		err = kprobe_place(event, &place);
		q->fd_type = place.fd_type;
		q->offset = place.offset;
		q->addr = place.addr;
		name = place.symbol;
		break;
	case BC_TRACE_UPROBE:
		if (bc_sym.bpf_get_uprobe_info)
			err = bc_sym.bpf_get_uprobe_info(event, &q->fd_type, &name, &q->offset, &q->addr, by_id);
		break;
	default:
		break;
	}
	if (!err && name)
		strlcpy(q->name, name, sizeof(q->name));
	return err;
}
