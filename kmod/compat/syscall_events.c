// SPDX-License-Identifier: GPL-2.0-only
/*
 * syscalls/sys_enter_execve and its like, where the kernel has none. Before 4.6 the table of system calls held an assembly stub for those
 * that need all registers (execve, clone, fork ...); the tracer matches table and metadata by name, finds no sys_execve, and makes
 * no event. Every tool that follows processes opens them, so they are supplied here: real trace events with id and format, on the
 * kernel's lists, fed from the sys_enter and sys_exit tracepoints, which do see these calls.
 */
#include "../bpf.h"
#include "perf.h"
#include "syscall_events.h"

#ifndef HAVE_LINUX_TRACE_EVENTS_H

#include <linux/compat.h>
#include <linux/tracepoint.h>
#include <asm/syscall.h>
#include <asm/unistd.h>

#define MAX_ARGS 6

struct stub_syscall {
	const char *name, *stub;
	int nr;
	int args;
	struct {
		const char *type, *name;
	} arg[MAX_ARGS];
};

static const struct stub_syscall syscalls[] = {
	{ "execve", "stub_execve", __NR_execve, 3,
	  { { "const char *", "filename" }, { "const char *const *", "argv" }, { "const char *const *", "envp" } } },
#ifdef __NR_execveat
	{ "execveat", "stub_execveat", __NR_execveat, 5,
	  { { "int", "fd" }, { "const char *", "filename" }, { "const char *const *", "argv" }, { "const char *const *", "envp" },
	    { "int", "flags" } } },
#endif
	{ "clone", "stub_clone", __NR_clone, 5,
	  { { "unsigned long", "clone_flags" }, { "unsigned long", "newsp" }, { "int *", "parent_tidptr" }, { "int *", "child_tidptr" },
	    { "int", "tls_val" } } },
	{ "fork", "stub_fork", __NR_fork, 0, { { NULL, NULL } } },
	{ "vfork", "stub_vfork", __NR_vfork, 0, { { NULL, NULL } } },
	{ "iopl", "stub_iopl", __NR_iopl, 1, { { "unsigned int", "level" } } },
};

/* As the kernel lays out its own: common fields, the number, a hole, then arguments or result. */
struct record {
	struct trace_entry ent;
	int nr;
	unsigned long words[MAX_ARGS];
};

struct stub_event {
	struct trace_event_call call;
	struct ftrace_event_class class;
	const struct stub_syscall *syscall;
	bool exit;
	bool added;
	bool enabled;		/* perf has it open; changed under the kernel's event mutex */
	char name[32];
	char print_fmt[256];
};

static struct stub_event events[2 * ARRAY_SIZE(syscalls)];	/* entry and exit in turn */
static unsigned int users[2];					/* of sys_enter, sys_exit; under the kernel's event mutex */

static struct stub_event *event_of(struct trace_event_call *call)
{
	return container_of(call, struct stub_event, call);
}

/* ---- records ---- */

static void emit(struct stub_event *e, struct pt_regs *regs, long ret)
{
	struct hlist_head *head = this_cpu_ptr(e->call.perf_events);
	int words = e->exit ? 1 : e->syscall->args;
	int size, rctx;
	struct record *rec;

	if (hlist_empty(head))
		return;
	/* with the u32 of the record's size before it in perf's buffer, a multiple of 8 */
	size = ALIGN(offsetof(struct record, words) + words * sizeof(long) + sizeof(u32), sizeof(u64)) - sizeof(u32);
	rec = perf_trace_buf_prepare(size, e->call.event.type, NULL, &rctx);
	if (!rec)
		return;
	rec->nr = e->syscall->nr;
	if (e->exit)
		rec->words[0] = ret;
	else
		syscall_get_arguments(current, regs, 0, words, rec->words);
	perf_trace_buf_submit(rec, size, rctx, 0, 1, regs, head, NULL);
}

static void on_syscall(struct pt_regs *regs, long nr, bool exit, long ret)
{
	size_t i;

	/* A 32-bit task's numbers are others. */
	if (is_compat_task())
		return;
	for (i = 0; i < ARRAY_SIZE(syscalls); i++) {
		struct stub_event *e = &events[2 * i + exit];

		if (syscalls[i].nr == nr && READ_ONCE(e->enabled))
			emit(e, regs, ret);
	}
}

static void on_enter(void *unused, struct pt_regs *regs, long nr)
{
	on_syscall(regs, nr, false, 0);
}

static void on_exit(void *unused, struct pt_regs *regs, long ret)
{
	on_syscall(regs, syscall_get_nr(current, regs), true, ret);
}

/* ---- what the kernel asks of an event; under its event mutex ---- */

static int listen(bool exit)
{
	int err = 0;

	if (!users[exit])
		err = exit ? tracepoint_probe_register("sys_exit", on_exit, NULL) :
			     tracepoint_probe_register("sys_enter", on_enter, NULL);
	if (!err)
		users[exit]++;
	return err;
}

static void stop_listening(bool exit)
{
	if (--users[exit])
		return;
	if (exit)
		tracepoint_probe_unregister("sys_exit", on_exit, NULL);
	else
		tracepoint_probe_unregister("sys_enter", on_enter, NULL);
}

static int on_reg(struct trace_event_call *call, enum trace_reg type, void *data)
{
	struct stub_event *e = event_of(call);
	int err;

	switch (type) {
	case TRACE_REG_PERF_REGISTER:
		err = listen(e->exit);
		if (!err)
			WRITE_ONCE(e->enabled, true);
		return err;
	case TRACE_REG_PERF_UNREGISTER:
		/* perf waits for whoever is still in a tracepoint before it frees its lists */
		WRITE_ONCE(e->enabled, false);
		stop_listening(e->exit);
		return 0;
	case TRACE_REG_PERF_OPEN:
	case TRACE_REG_PERF_CLOSE:
	case TRACE_REG_PERF_ADD:
	case TRACE_REG_PERF_DEL:
		return 0;
	default:
		return -EOPNOTSUPP;	/* ftrace's own buffer: to enable it there fails */
	}
}

static int define_fields(struct trace_event_call *call)
{
	struct stub_event *e = event_of(call);
	int i, err = trace_define_field(call, "int", "nr", offsetof(struct record, nr), sizeof(int), 1, FILTER_OTHER);

	if (!err && e->exit)
		return trace_define_field(call, "long", "ret", offsetof(struct record, words), sizeof(long), 1, FILTER_OTHER);
	for (i = 0; !err && i < e->syscall->args; i++)
		err = trace_define_field(call, e->syscall->arg[i].type, e->syscall->arg[i].name,
					 offsetof(struct record, words) + i * sizeof(long), sizeof(long), 0, FILTER_OTHER);
	return err;
}

static enum print_line_t print_record(struct trace_iterator *iter, int flags, struct trace_event *event)
{
	return TRACE_TYPE_UNHANDLED;
}

static struct trace_event_functions functions = { .trace = print_record };

/* ---- start and end ---- */

static void describe(struct stub_event *e)
{
	char *fmt = e->print_fmt;
	size_t size = sizeof(e->print_fmt);
	int i, n;

	if (e->exit) {
		snprintf(fmt, size, "\"0x%%lx\", REC->ret");
		return;
	}
	n = scnprintf(fmt, size, "\"");
	for (i = 0; i < e->syscall->args; i++)
		n += scnprintf(fmt + n, size - n, "%s%s: 0x%%08lx", i ? ", " : "", e->syscall->arg[i].name);
	n += scnprintf(fmt + n, size - n, "\"");
	for (i = 0; i < e->syscall->args; i++)
		n += scnprintf(fmt + n, size - n, ", ((unsigned long)(REC->%s))", e->syscall->arg[i].name);
}

static int add_event(struct stub_event *e, const struct stub_syscall *syscall, bool exit)
{
	int err;

	e->syscall = syscall;
	e->exit = exit;
	snprintf(e->name, sizeof(e->name), "sys_%s_%s", exit ? "exit" : "enter", syscall->name);
	describe(e);
	e->class.system = "syscalls";
	e->class.reg = on_reg;
	e->class.define_fields = define_fields;
	INIT_LIST_HEAD(&e->class.fields);
	e->call.name = e->name;
	e->call.class = &e->class;
	e->call.event.funcs = &functions;
	*(const char **)&e->call.print_fmt = e->print_fmt;
	/* Not TRACE_EVENT_FL_IGNORE_ENABLE: bpftrace takes for there only what is in available_events. */
	INIT_LIST_HEAD(&e->call.list);

	if (!register_ftrace_event(&e->call.event))
		return -ENOMEM;
	err = bc_sym.trace_add_event_call(&e->call);
	if (err < 0) {
		unregister_ftrace_event(&e->call.event);
		return err;
	}
	/* whoever opens it holds us */
	e->call.mod = THIS_MODULE;
	e->added = true;
	return 0;
}

int bc_syscall_events_init(void)
{
	size_t i;
	int err = 0;

	if (!bc_sym.trace_add_event_call || !bc_sym.trace_remove_event_call) {
		pr_info(BC_LOG "cannot add the trace events of execve, clone, fork\n");
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(syscalls) && !err; i++) {
		if (!bc_lookup_symbol(syscalls[i].stub))
			continue;	/* no stub: the kernel has the event itself, or not the call */
		err = add_event(&events[2 * i], &syscalls[i], false);
		if (!err)
			err = add_event(&events[2 * i + 1], &syscalls[i], true);
	}
	if (err)
		bc_syscall_events_exit();
	return err;
}

void bc_syscall_events_exit(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(events); i++) {
		if (!events[i].added)
			continue;
		WARN_ON_ONCE(bc_sym.trace_remove_event_call(&events[i].call) < 0);
		events[i].added = false;
	}
}

#else

int bc_syscall_events_init(void)
{
	return 0;
}

void bc_syscall_events_exit(void)
{
}

#endif
