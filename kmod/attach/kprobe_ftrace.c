// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of a kprobe called by the function tracer itself. Where a kprobe is at the place of a function's call to the tracer, the
 * kernel does not set a breakpoint but has the tracer call kprobes, and on 3.10 that way is longer than all that we do: through the
 * list of all tracers, since that of kprobes does not claim to be safe against recursion, and a search for the probe with interrupts
 * off. Here such a kprobe stays registered, so that the kernel has checked its place and shows it, yet disabled; and its
 * function is traced by a tracer of ours, one for all of them.
 *
 * A kretprobe of ours has the function return to a trampoline of ours (own_return.c). Where that can't be, the kernel's kretprobe is
 * entered from here: its instances, and its trampoline.
 */
#include "attach.h"
#include "own_return.h"
#include "../compat/kprobes.h"
#include "../compat/nofault.h"
#include <linux/ftrace.h>

#if defined(HAVE_FTRACE_PT_REGS) && defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && defined(CONFIG_KPROBES_ON_FTRACE)

#define SLOT_BITS	8
#define FUNC_ALIGN_BITS 4

/* Changed under the lock, read by hits. */
static struct bc_ftrace_probe *probes[1 << SLOT_BITS];
static DEFINE_MUTEX(lock);
static u32 traced;	/* places */
static DEFINE_PER_CPU(bool, passing);
static const bool never;
static const bool *kprobes_off = &never;	/* the kernel's own switch, where it can be found */

static struct bc_ftrace_probe **slot_of(unsigned long ip)
{
	return &probes[(ip >> FUNC_ALIGN_BITS) & ((1 << SLOT_BITS) - 1)];
}

/* ---- hits ---- */

/* What the kernel does with a hit it may do in functions that are traced too: such a hit inside would never end. */
static noinline void notrace pass(struct bc_ftrace_probe *fp, struct pt_regs *regs, const u64 *args)
{
	if (__this_cpu_read(passing))
		return;
	__this_cpu_write(passing, true);
	if (fp->is_ret)
		fp->pass_return(fp, regs, args);
	else
		fp->pass(fp, regs);
	__this_cpu_write(passing, false);
}

static noinline void notrace enter_kernels(struct bc_ftrace_probe *fp, struct pt_regs *regs)
{
	bc_kretprobe_enter(container_of(fp->kp, struct kretprobe, kp), regs);
}

#ifdef BC_HAVE_OWN_RETURNS

void notrace bc_returned(const struct bc_return *r, struct pt_regs *regs)
{
	struct bc_ftrace_probe *fp;

	for (fp = READ_ONCE(*slot_of(r->ip)); fp; fp = READ_ONCE(fp->next)) {
		if (unlikely(fp->ip != r->ip || !fp->is_ret || fp->since > r->since || READ_ONCE(*kprobes_off)))
			continue;
		if (!fp->return_progs)
			fp->pass_return(fp, regs, r->args);
		else if (!READ_ONCE(*fp->return_progs) || bc_hook_run(fp->return_progs, regs, regs, fp->func_ip))
			pass(fp, regs, r->args);
	}
}

static void save_args(u64 *args, const struct pt_regs *regs)
{
	args[0] = regs->di;
	args[1] = regs->si;
	args[2] = regs->dx;
	args[3] = regs->cx;
	args[4] = regs->r8;
	args[5] = regs->r9;
}

/* Once for all of a function's return probes: @caught is what has become of the call already. Interrupts are off. */
static __always_inline void enter(struct bc_ftrace_probe *fp, struct pt_regs *regs, bool in_idle, struct bc_return **caught)
{
	/* The idle task's functions may never return, as its CPU goes; and RCU may not look when they do. */
	if (!*caught && !in_idle && fp->since != BC_RETURNS_NOT_CAUGHT)
		*caught = bc_return_catch(fp->ip, regs);
	if (unlikely(!*caught || fp->since == BC_RETURNS_NOT_CAUGHT))
		enter_kernels(fp, regs);
	else if (fp->wants_args)
		save_args((*caught)->args, regs);
}

#else

struct bc_return;

static __always_inline void enter(struct bc_ftrace_probe *fp, struct pt_regs *regs, bool in_idle, struct bc_return **caught)
{
	enter_kernels(fp, regs);
}

#endif

/* Nothing before the guard of bc_hook_run(), and nothing that is done when it is taken, calls what could be traced. */
static __always_inline void hit_all(unsigned long ip, struct pt_regs *regs, bool in_idle)
{
	struct bc_return *caught = NULL;
	struct bc_ftrace_probe *fp;
	unsigned long next;

	if (unlikely(!regs))
		return;
	for (fp = READ_ONCE(*slot_of(ip)); fp; fp = READ_ONCE(fp->next)) {
		if (unlikely(fp->ip != ip || READ_ONCE(*kprobes_off)))
			continue;
		/* what programs see at a kprobe: a breakpoint's hit */
		next = regs->ip;
		regs->ip = ip + sizeof(kprobe_opcode_t);
		if (fp->progs) {
			if (!READ_ONCE(*fp->progs) || bc_hook_run(fp->progs, regs, regs, fp->func_ip))
				pass(fp, regs, NULL);
		} else if (fp->is_ret) {
			enter(fp, regs, in_idle, &caught);
		} else {
			fp->pass(fp, regs);
		}
		regs->ip = next;
	}
}

static noinline void notrace hit_all_in_idle(unsigned long ip, struct pt_regs *regs)
{
	bool made;

	if (!bc_rcu_look(&made))
		return;
	hit_all(ip, regs, true);
	bc_rcu_look_end(made);
}

/*
 * Calls may come for functions that are not ours, or without registers, while the kernel changes from one set of tracers to another.
 * Interrupts are off, as in every kprobe of 3.10: else the programs on all that an interrupt does would be missed while one runs here.
 */
static void notrace on_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op, struct pt_regs *regs)
{
	unsigned long flags;

	raw_local_irq_save(flags);
	if (unlikely(bc_rcu_may_not_look()))
		hit_all_in_idle(ip, regs);
	else
		hit_all(ip, regs, false);
	raw_local_irq_restore(flags);
}

static void notrace on_other_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op, struct pt_regs *regs)
{
}

/* ---- the tracer ---- */

static struct ftrace_ops ops = {
	.func = on_call,
	.flags = FTRACE_OPS_FL_SAVE_REGS | FTRACE_OPS_FL_RECURSION_SAFE,
};

/* Comes and goes at once. */
static struct ftrace_ops other_ops = {
	.func = on_other_call,
	.flags = FTRACE_OPS_FL_RECURSION_SAFE,
};

static bool calls_us(const char *call)
{
	u8 insn[BC_TRACER_CALL_BYTES];
	s32 off;

	if (!call || compat_read_kernel(insn, call, sizeof(insn)))
		return true;
	memcpy(&off, insn + 1, sizeof(off));
	return bc_is_own_text((unsigned long)call + sizeof(insn) + off);
}

/*
 * A tracer in a module counts as one that may be freed, and is called through the list, which is what keeps it till calls have ended where
 * tasks are preempted in the kernel. Where they are not, an RCU-sched grace period keeps it no less when it is called directly. So the mark
 * is taken off; whether it is there the kernel looks at when tracers come and go. (With the mark the kernel would have a
 * worker run on every CPU, which a busy real-time task may put off for ever.)
 */
static void call_directly(unsigned long ip)
{
	if (IS_ENABLED(CONFIG_PREEMPT) || calls_us(bc_sym.ftrace_call) || calls_us(bc_sym.ftrace_regs_call))
		return;
	ops.flags &= ~FTRACE_OPS_FL_DYNAMIC;
	if (ftrace_set_filter_ip(&other_ops, ip, 0, 0))
		return;
	if (!register_ftrace_function(&other_ops)) {
		other_ops.flags &= ~FTRACE_OPS_FL_DYNAMIC;
		unregister_ftrace_function(&other_ops);
		bc_synchronize_sched();
	}
	ftrace_set_filter_ip(&other_ops, ip, 1, 0);
}

static void stop(void)
{
	int err;

	err = unregister_ftrace_function(&ops);
	bc_synchronize_sched();
	/* When tracing has been switched off or has died, the kernel leaves its call to us as it is: then we have to stay. */
	if (err || calls_us(bc_sym.ftrace_call) || calls_us(bc_sym.ftrace_regs_call)) {
		pr_warn(BC_LOG "the function tracer does not let go of the module (%d): it can't be unloaded\n", err);
		__module_get(THIS_MODULE);
	}
}

static int trace(unsigned long ip)
{
	int err = ftrace_set_filter_ip(&ops, ip, 0, 0);

	if (err)
		return err;
	if (!traced) {
		err = register_ftrace_function(&ops);
		if (err) {
			ftrace_set_filter_ip(&ops, ip, 1, 0);
			return err;
		}
		call_directly(ip);
	}
	traced++;
	return 0;
}

/* In this order: a tracer of no function traces all. */
static void untrace(unsigned long ip)
{
	if (!--traced)
		stop();
	ftrace_set_filter_ip(&ops, ip, 1, 0);
}

/* ---- probes ---- */

static bool is_traced(unsigned long ip)
{
	const struct bc_ftrace_probe *fp;

	for (fp = *slot_of(ip); fp; fp = fp->next)
		if (fp->ip == ip)
			return true;
	return false;
}

/* A module's functions may go, and their place be another's: the kernel's kprobes know of that. */
bool bc_ftrace_can_take(const struct bc_ftrace_probe *fp)
{
	return (fp->kp->flags & KPROBE_FLAG_FTRACE) && bc_sym.ftrace_enabled && *bc_sym.ftrace_enabled && bc_sym.ftrace_call &&
	       bc_sym.ftrace_regs_call && bc_sym.__module_address && !bc_sym.__module_address((unsigned long)fp->kp->addr) &&
	       (!fp->is_ret || bc_kretprobe_can_enter());
}

#ifdef BC_HAVE_OWN_RETURNS

static void return_get(struct bc_ftrace_probe *fp)
{
	fp->since = fp->is_ret ? bc_return_get() : BC_RETURNS_NOT_CAUGHT;
}

/*
 * A call that is on its way past the function's other probes may miss this one, and have its return caught for them: to this one it
 * must not come, for nobody kept the arguments.
 */
static void return_begin(const struct bc_ftrace_probe *fp, bool alone)
{
	if (fp->since == BC_RETURNS_NOT_CAUGHT)
		return;
	if (fp->wants_args && !alone)
		bc_synchronize_sched();
	bc_return_begin(fp->since);
}

static void return_put(struct bc_ftrace_probe *fp)
{
	if (fp->since == BC_RETURNS_NOT_CAUGHT)
		return;
	/* from here on only who sleeps in the function is still there */
	bc_synchronize_sched();
	bc_return_put();
	fp->since = BC_RETURNS_NOT_CAUGHT;
}

#else

static void return_get(struct bc_ftrace_probe *fp)
{
}

static void return_begin(const struct bc_ftrace_probe *fp, bool alone)
{
}

static void return_put(struct bc_ftrace_probe *fp)
{
}

#endif

bool bc_ftrace_take(struct bc_ftrace_probe *fp)
{
	bool new;

	if (!bc_ftrace_can_take(fp))
		return false;
	fp->ip = (unsigned long)fp->kp->addr;
	mutex_lock(&lock);
	if (bc_sym.kprobes_all_disarmed)
		kprobes_off = bc_sym.kprobes_all_disarmed;
	return_get(fp);
	new = !is_traced(fp->ip);
	fp->next = *slot_of(fp->ip);
	smp_store_release(slot_of(fp->ip), fp);
	fp->taken = !new || !trace(fp->ip);
	if (fp->taken) {
		return_begin(fp, new);
	} else {
		WRITE_ONCE(*slot_of(fp->ip), fp->next);
		bc_synchronize_sched();
		return_put(fp);
	}
	mutex_unlock(&lock);
	return fp->taken;
}

void bc_ftrace_give_back(struct bc_ftrace_probe *fp)
{
	struct bc_ftrace_probe **at;

	if (!fp->taken)
		return;
	mutex_lock(&lock);
	for (at = slot_of(fp->ip); *at != fp; at = &(*at)->next)
		;
	WRITE_ONCE(*at, fp->next);
	if (!is_traced(fp->ip))
		untrace(fp->ip);
	return_put(fp);
	mutex_unlock(&lock);
	fp->taken = false;
}

#else

bool bc_ftrace_can_take(const struct bc_ftrace_probe *fp)
{
	return false;
}

bool bc_ftrace_take(struct bc_ftrace_probe *fp)
{
	return false;
}

void bc_ftrace_give_back(struct bc_ftrace_probe *fp)
{
}

#endif

/* ---- probes of ours ---- */

static void unregister(struct bc_ftrace_probe *fp)
{
	if (fp->is_ret)
		unregister_kretprobe(container_of(fp->kp, struct kretprobe, kp));
	else
		unregister_kprobe(fp->kp);
}

int bc_ftrace_register(struct bc_ftrace_probe *fp)
{
	int err;

	fp->kp->flags = KPROBE_FLAG_DISABLED;
	if (fp->is_ret)
		err = register_kretprobe(container_of(fp->kp, struct kretprobe, kp));
	else
		err = register_kprobe(fp->kp);
	if (err || bc_ftrace_take(fp))
		return err;
	err = bc_kprobe_enable(fp->kp);
	if (err)
		unregister(fp);
	return err;
}

void bc_ftrace_unregister(struct bc_ftrace_probe *fp)
{
	bc_ftrace_give_back(fp);
	unregister(fp);
}
