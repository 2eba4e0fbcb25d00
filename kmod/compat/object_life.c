// SPDX-License-Identifier: GPL-2.0-only
/*
 * Watching tasks, sockets and inodes come and go; see object_life.h.
 */
#include "../bpf.h"
#include "object_life.h"
#include "kprobes.h"
#include "nofault.h"
#include <linux/ftrace.h>
#include <net/sock.h>

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

#define LANDING_BYTES	16	/* the call to the tracer is behind an indirect branch's landing pad */

enum { ENDS, BEGINS, COPIES, PLACES };

/*
 * Each is the last thing done with an object before its memory goes, and the first before others see it; those of security modules are
 * called whether there are any or not. All take the object first, but the one that is told of a copy: that takes both.
 */
static const struct {
	const char *what, *functions[PLACES];
} names[COMPAT_OBJECT_KINDS] = {
	[COMPAT_TASK] = { "tasks", { "free_task", "arch_dup_task_struct" } },
	[COMPAT_SOCK] = { "sockets", { "security_sk_free", "security_sk_alloc", "security_sk_clone" } },
	[COMPAT_INODE] = { "inodes", { "security_inode_free", "security_inode_alloc" } },
};

struct watch {
	struct ftrace_ops ops;
	struct kprobe probes[PLACES];		/* in place of it, where the tracer pauses */
	enum compat_object kind;
	unsigned long functions[PLACES];	/* 0: not watched */
	bool tested;				/* objects were seen to go */
	bool stuck;				/* the tracer did not let go */
	u32 users;
	atomic_t unseen;			/* calls that came without registers, misses of probes that were */
	const void *expected;
	bool met;
};

static DEFINE_MUTEX(lock);
static const struct compat_life_ops *life;
static u32 watched;

/* ---- hits ---- */

static __always_inline void seen(struct watch *w, int place, const struct pt_regs *regs)
{
	const void *object = (const void *)regs->di;

	if (place == COPIES) {
		life->copied(object, (const struct sock *)regs->si);
		return;
	}
	if (unlikely(object == READ_ONCE(w->expected)) && place == ENDS)
		WRITE_ONCE(w->met, true);
	life->changed(w->kind, object);
}

/* Calls may come for functions that are not ours while the kernel changes from one set of tracers to another. */
static __always_inline void hit(struct ftrace_ops *op, unsigned long ip, struct pt_regs *regs)
{
	struct watch *w = container_of(op, struct watch, ops);
	int place = ENDS;

	while (!w->functions[place] || ip - w->functions[place] >= LANDING_BYTES)
		if (++place == PLACES)
			return;
	if (likely(regs))
		seen(w, place, regs);
	else
		atomic_inc(&w->unseen);
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

/* Kernels that stop all tracing while one of its functions changes have this. */
static bool tracer_pauses(void)
{
	return bc_sym.function_trace_stop;
}

static int on_probe(struct kprobe *kp, struct pt_regs *regs)
{
	struct watch *w;

	for (w = watches; w < watches + COMPAT_OBJECT_KINDS; w++)
		if (kp >= w->probes && kp < w->probes + PLACES)
			seen(w, kp - w->probes, regs);
	return 0;
}

u32 compat_life_epoch(enum compat_object kind)
{
	const struct watch *w = &watches[kind];
	u32 epoch = compat_life_switched() + atomic_read(&w->unseen), i;

	/* A miss is counted before the function goes on. */
	if (tracer_pauses())
		for (i = 0; i < PLACES; i++)
			epoch += READ_ONCE(w->probes[i].nmissed);
	return epoch;
}

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
	for (tries = 0; tries < 500 && !READ_ONCE(watches[kind].met) && !fatal_signal_pending(current); tries++)
		schedule_timeout_killable(msecs_to_jiffies(20));
	WRITE_ONCE(watches[kind].expected, NULL);
	return watches[kind].met;
}

static int place_probe(struct watch *w, int place)
{
	struct kprobe *kp = &w->probes[place];

	memset(kp, 0, sizeof(*kp));
	kp->addr = bc_kprobe_past_tracer(w->functions[place]);
	kp->pre_handler = on_probe;
	return register_kprobe(kp);
}

/* Nothing is noted of the kind by now. */
static void displace_probe(struct watch *w, int place)
{
	struct kprobe *kp = &w->probes[place];

	unregister_kprobe(kp);
	atomic_add(kp->nmissed, &w->unseen);
	kp->nmissed = 0;
}

static int watch_place(struct watch *w, int place)
{
	unsigned long addr = bc_lookup_symbol(names[w->kind].functions[place]);
	int err;

	if (!addr)
		return -ENOENT;
	w->functions[place] = addr;
	err = tracer_pauses() ? place_probe(w, place) : ftrace_set_filter_ip(&w->ops, addr, 0, 0);
	if (err)
		w->functions[place] = 0;
	return err;
}

/* Of the tracer, not while it is registered: one of no function traces all. */
static void displace_all(struct watch *w)
{
	int i;

	for (i = 0; i < PLACES; i++) {
		if (!w->functions[i])
			continue;
		if (tracer_pauses())
			displace_probe(w, i);
		else
			ftrace_set_filter_ip(&w->ops, w->functions[i], 1, 0);
		w->functions[i] = 0;
	}
}

static void stop(struct watch *w)
{
	int err = tracer_pauses() ? 0 : unregister_ftrace_function(&w->ops);

	bc_synchronize_sched();
	if (err) {
		/* and keeps its filter: without one it would trace all */
		pr_warn(BC_LOG "the function tracer does not let go of the module (%d): it can't be unloaded\n", err);
		__module_get(THIS_MODULE);
		w->stuck = true;
		return;
	}
	displace_all(w);
}

static int start(struct watch *w)
{
	const char *function = names[w->kind].functions[ENDS];
	int err = watch_place(w, ENDS);

	if (!err) {
		function = names[w->kind].functions[BEGINS];
		err = watch_place(w, BEGINS);
	}
	if (!err && names[w->kind].functions[COPIES])
		watch_place(w, COPIES);
	if (!err && !tracer_pauses())
		err = register_ftrace_function(&w->ops);
	if (err) {
		pr_info(BC_LOG "maps of %s' storage are refused: %s can't be watched (%d)\n", names[w->kind].what, function, err);
		displace_all(w);
		return err == -ENOMEM ? err : -EOPNOTSUPP;
	}
	if (w->tested)
		return 0;
	if (compat_life_blind()) {
		pr_info(BC_LOG "maps of %s' storage are refused while %s is 0\n", names[w->kind].what,
			tracer_pauses() ? "kprobes/enabled in debugfs" : "sysctl kernel.ftrace_enabled");
		stop(w);
		return -EOPNOTSUPP;
	}
	/* A compiler may have put the function into its callers. */
	err = compat_life_test(w->kind);
	if (err) {
		pr_info(BC_LOG "maps of %s' storage are refused: one was not seen to go by %s (%d)\n", names[w->kind].what,
			names[w->kind].functions[ENDS], err);
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
			err = compat_life_switch_watch(tracer_pauses());
		if (err) {
			pr_info(BC_LOG "maps of %s' storage are refused: the switch of what watches them can't be heeded (%d)\n",
				names[kind].what, err);
		} else {
			err = start(w);
			if (!err)
				watched++;
			else if (!watched)
				compat_life_switch_unwatch();
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
			compat_life_switch_unwatch();
	}
	mutex_unlock(&lock);
}

bool compat_life_over(enum compat_object kind)
{
	return !READ_ONCE(watches[kind].stuck);
}

bool compat_life_sees_copies(void)
{
	return watches[COMPAT_SOCK].functions[COPIES];
}

#else

u32 compat_life_epoch(enum compat_object kind)
{
	return 0;
}

int compat_life_watch(enum compat_object kind, const struct compat_life_ops *ops)
{
	pr_info(BC_LOG "maps of objects' storage are refused: they need a kernel with CONFIG_DYNAMIC_FTRACE_WITH_REGS\n");
	return -EOPNOTSUPP;
}

void compat_life_unwatch(enum compat_object kind)
{
}

bool compat_life_over(enum compat_object kind)
{
	return true;
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
