// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watching tasks, sockets and inodes come and go; see object_life.h.
 */
#include "../bpf.h"
#include "object_life.h"
#include "nofault.h"
#include <linux/delay.h>
#include <linux/ftrace.h>
#include <linux/kprobes.h>
#include <net/sock.h>

atomic_t compat_life_epoch = ATOMIC_INIT(1);

bool compat_object_lives(enum compat_object kind, const void *object)
{
	unsigned long state;
	int count = 0;

	switch (kind) {
	case COMPAT_TASK:
		return !compat_read_kernel(&count, &((const struct task_struct *)object)->usage, sizeof(count)) && count > 0;
	case COMPAT_SOCK:
		return !compat_read_kernel(&count, &((const struct sock *)object)->sk_refcnt, sizeof(count)) && count > 0;
	default:
		return !compat_read_kernel(&state, &((const struct inode *)object)->i_state, sizeof(state)) &&
		       !(state & (I_WILL_FREE | I_FREEING | I_CLEAR));
	}
}

#if defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && (defined(HAVE_FTRACE_PT_REGS) || defined(HAVE_FTRACE_REGS))

#define PLACES		3
#define LANDING_BYTES	16	/* the call to the tracer is behind an indirect branch's landing pad */

/*
 * Each is the last thing done with an object before its memory goes, and the first before others see it; those of security modules are
 * called whether there are any or not. All take the object first, but the one that is told of a copy: that takes both.
 */
static const struct {
	const char *what, *ends, *begins, *copies;
} names[COMPAT_OBJECT_KINDS] = {
	[COMPAT_TASK] = { "tasks", "free_task", "arch_dup_task_struct" },
	[COMPAT_SOCK] = { "sockets", "security_sk_free", "security_sk_alloc", "security_sk_clone" },
	[COMPAT_INODE] = { "inodes", "security_inode_free", "security_inode_alloc" },
};

struct watch {
	struct ftrace_ops ops;
	enum compat_object kind;
	unsigned long ends, begins, copies;	/* 0: not traced */
	bool tested;				/* objects were seen to go */
	u32 users;
	const void *expected;
	bool met;
};

static DEFINE_MUTEX(lock);
static const struct compat_life_ops *life;
static u32 watched;

/* ---- hits ---- */

static bool at(unsigned long ip, unsigned long function)
{
	return function && ip - function < LANDING_BYTES;
}

/* Calls may come for functions that are not ours while the kernel changes from one set of tracers to another. */
static __always_inline void hit(struct ftrace_ops *op, unsigned long ip, struct pt_regs *regs)
{
	struct watch *w = container_of(op, struct watch, ops);
	const void *object;

	if (!at(ip, w->ends) && !at(ip, w->begins) && !at(ip, w->copies))
		return;
	if (unlikely(!regs)) {
		atomic_inc(&compat_life_epoch);
		return;
	}
	object = (const void *)regs->di;
	if (at(ip, w->copies)) {
		life->copied(object, (const struct sock *)regs->si);
		return;
	}
	if (unlikely(object == READ_ONCE(w->expected)) && at(ip, w->ends))
		WRITE_ONCE(w->met, true);
	life->changed(w->kind, object);
}

#ifdef HAVE_FTRACE_REGS

static void notrace on_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op, struct ftrace_regs *fregs)
{
	hit(op, ip, ftrace_get_regs(fregs));
}

#define SAFE_IN_ITSELF	0	/* unless it says otherwise */

#else

static void notrace on_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op, struct pt_regs *regs)
{
	hit(op, ip, regs);
}

#define SAFE_IN_ITSELF	FTRACE_OPS_FL_RECURSION_SAFE

#endif

/* Tracing can't be switched off then. */
#ifdef HAVE_FTRACE_PERMANENT
#define PERMANENT	FTRACE_OPS_FL_PERMANENT
#else
#define PERMANENT	0
#endif

#define WATCH(k) [k] = { .ops = { .func = on_call, .flags = FTRACE_OPS_FL_SAVE_REGS | SAFE_IN_ITSELF | PERMANENT }, .kind = k }
static struct watch watches[COMPAT_OBJECT_KINDS] = { WATCH(COMPAT_TASK), WATCH(COMPAT_SOCK), WATCH(COMPAT_INODE) };

/* ---- the switch of all tracing ---- */

bool compat_life_blind(void)
{
	return bc_sym.ftrace_enabled && !READ_ONCE(*bc_sym.ftrace_enabled);
}

#ifdef HAVE_FTRACE_PERMANENT

static int switch_watch(void)
{
	return 0;
}

static void switch_unwatch(void)
{
}

#else

/* int ftrace_enable_sysctl(struct ctl_table *table, int write, ...); that file is not traced itself. */
static int on_switch(struct kprobe *kp, struct pt_regs *regs)
{
	if (regs->si)
		atomic_inc(&compat_life_epoch);
	return 0;
}

static struct kprobe switch_probe;

static int switch_watch(void)
{
	int err;

	memset(&switch_probe, 0, sizeof(switch_probe));
	switch_probe.symbol_name = "ftrace_enable_sysctl";
	switch_probe.pre_handler = on_switch;
	err = register_kprobe(&switch_probe);
	/* no switch */
	if (err == -ENOENT) {
		switch_probe.addr = NULL;
		return 0;
	}
	if (!err && !bc_sym.ftrace_enabled) {
		unregister_kprobe(&switch_probe);
		switch_probe.addr = NULL;
		err = -EOPNOTSUPP;
	}
	return err;
}

static void switch_unwatch(void)
{
	if (switch_probe.addr)
		unregister_kprobe(&switch_probe);
}

#endif

/* ---- watching ---- */

void compat_life_expect(enum compat_object kind, const void *object)
{
	watches[kind].met = false;
	WRITE_ONCE(watches[kind].expected, object);
}

bool compat_life_met(enum compat_object kind)
{
	int tries;

	/* what is freed after a grace period takes a while */
	for (tries = 0; tries < 500 && !READ_ONCE(watches[kind].met); tries++)
		msleep(20);
	WRITE_ONCE(watches[kind].expected, NULL);
	return watches[kind].met;
}

static int trace(struct watch *w, const char *name, unsigned long *function)
{
	unsigned long addr = bc_lookup_symbol(name);
	int err;

	if (!addr)
		return -ENOENT;
	err = ftrace_set_filter_ip(&w->ops, addr, 0, 0);
	if (!err)
		*function = addr;
	return err;
}

static void untrace(struct watch *w, unsigned long *function)
{
	if (*function)
		ftrace_set_filter_ip(&w->ops, *function, 1, 0);
	*function = 0;
}

/* Not while it is registered: a tracer of no function traces all. */
static void untrace_all(struct watch *w)
{
	untrace(w, &w->ends);
	untrace(w, &w->begins);
	untrace(w, &w->copies);
}

static void stop(struct watch *w)
{
	int err = unregister_ftrace_function(&w->ops);

	bc_synchronize_sched();
	if (err) {
		pr_warn(BC_LOG "the function tracer does not let go of the module (%d): it can't be unloaded\n", err);
		__module_get(THIS_MODULE);
	}
	untrace_all(w);
}

static int start(struct watch *w)
{
	const char *function = names[w->kind].ends;
	int err = trace(w, function, &w->ends);

	if (!err) {
		function = names[w->kind].begins;
		err = trace(w, function, &w->begins);
	}
	if (!err && names[w->kind].copies)
		trace(w, names[w->kind].copies, &w->copies);
	if (!err)
		err = register_ftrace_function(&w->ops);
	if (err) {
		pr_info(BC_LOG "maps of %s' storage are refused: the function tracer does not take %s (%d)\n", names[w->kind].what, function,
			err);
		untrace_all(w);
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	}
	if (w->tested)
		return 0;
	/* A compiler may have put the function into its callers. */
	err = compat_life_test(w->kind);
	if (err) {
		pr_info(BC_LOG "maps of %s' storage are refused: one was not seen to go by %s (%d)\n", names[w->kind].what, names[w->kind].ends,
			err);
		stop(w);
		return err == -ENOMEM || err == -EINTR ? err : -EOPNOTSUPP;
	}
	w->tested = true;
	return 0;
}

int compat_life_watch(enum compat_object kind, const struct compat_life_ops *ops)
{
	struct watch *w = &watches[kind];
	int err = 0;

	mutex_lock(&lock);
	life = ops;
	if (!w->users) {
		if (!watched)
			err = switch_watch();
		if (err) {
			pr_info(BC_LOG "maps of %s' storage are refused: the switch of function tracing can't be watched (%d)\n",
				names[kind].what, err);
		} else {
			err = start(w);
			if (!err)
				watched++;
			else if (!watched)
				switch_unwatch();
		}
	}
	if (!err)
		w->users++;
	mutex_unlock(&lock);
	return err;
}

void compat_life_unwatch(enum compat_object kind)
{
	struct watch *w = &watches[kind];

	mutex_lock(&lock);
	if (!--w->users) {
		stop(w);
		if (!--watched)
			switch_unwatch();
	}
	mutex_unlock(&lock);
}

bool compat_life_sees_copies(void)
{
	return watches[COMPAT_SOCK].copies;
}

#else

bool compat_life_blind(void)
{
	return true;
}

int compat_life_watch(enum compat_object kind, const struct compat_life_ops *ops)
{
	pr_info(BC_LOG "maps of objects' storage are refused: they need a kernel with CONFIG_DYNAMIC_FTRACE_WITH_REGS\n");
	return -EOPNOTSUPP;
}

void compat_life_unwatch(enum compat_object kind)
{
}

bool compat_life_sees_copies(void)
{
	return false;
}

void compat_life_expect(enum compat_object kind, const void *object)
{
}

bool compat_life_met(enum compat_object kind)
{
	return false;
}

#endif
