// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs of a kprobe called by the function tracer itself. Where a kprobe is at the place of a function's call to the tracer, the
 * kernel does not set a breakpoint but has the tracer call kprobes, and on 3.10 that way is longer than all that we do: through the
 * list of all tracers, since that of kprobes does not claim to be safe against recursion, and a search for the probe with interrupts
 * off. Here such a kprobe stays registered, so that the kernel has checked its place and shows it, yet disabled; and its
 * function is traced by a tracer of ours, one for all of them.
 */
#include "attach.h"
#include "../compat/kprobes.h"
#include "../compat/nofault.h"
#include <linux/ftrace.h>

#if defined(HAVE_FTRACE_PT_REGS) && defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && defined(CONFIG_KPROBES_ON_FTRACE)

#define SLOT_BITS	8
#define FUNC_ALIGN_BITS 4
#define CALL_BYTES	5

/* Changed under the lock, read by hits. */
static struct bc_ftrace_probe *probes[1 << SLOT_BITS];
static DEFINE_MUTEX(lock);
static u32 traced;	/* places */
static DEFINE_PER_CPU(bool, passing);

static struct bc_ftrace_probe **slot_of(unsigned long ip)
{
	return &probes[(ip >> FUNC_ALIGN_BITS) & ((1 << SLOT_BITS) - 1)];
}

/* ---- hits ---- */

/* What the kernel does with a hit it may do in functions that are traced too: such a hit inside would never end. */
static noinline void notrace pass(struct bc_ftrace_probe *fp, struct pt_regs *regs)
{
	if (__this_cpu_read(passing))
		return;
	__this_cpu_write(passing, true);
	fp->pass(fp, regs);
	__this_cpu_write(passing, false);
}

/*
 * Calls may come for functions that are not ours, or without registers, while the kernel changes from one set of tracers to another.
 * Nothing before the guard of bc_hook_run(), and nothing that is done when it is taken, calls what could be traced. Interrupts are off, as in
 * every kprobe of 3.10: else the programs on all that an interrupt does would be missed while one runs here.
 */
static void notrace on_call(unsigned long ip, unsigned long parent_ip, struct ftrace_ops *op, struct pt_regs *regs)
{
	struct bc_ftrace_probe *fp;
	unsigned long next, flags;

	raw_local_irq_save(flags);
	for (fp = READ_ONCE(*slot_of(ip)); fp; fp = READ_ONCE(fp->next)) {
		if (unlikely(fp->ip != ip || !regs))
			continue;
		/* what programs see at a kprobe: a breakpoint's hit */
		next = regs->ip;
		regs->ip = ip + sizeof(kprobe_opcode_t);
		if (!READ_ONCE(*fp->progs) || bc_hook_run(fp->progs, regs, regs, fp->func_ip))
			pass(fp, regs);
		regs->ip = next;
	}
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
	u8 insn[CALL_BYTES];
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
bool bc_ftrace_can_take(const struct kprobe *kp)
{
	return (kp->flags & KPROBE_FLAG_FTRACE) && bc_sym.ftrace_enabled && *bc_sym.ftrace_enabled && bc_sym.ftrace_call &&
	       bc_sym.ftrace_regs_call && bc_sym.__module_address && !bc_sym.__module_address((unsigned long)kp->addr);
}

bool bc_ftrace_take(struct bc_ftrace_probe *fp)
{
	bool new;

	if (!bc_ftrace_can_take(fp->kp))
		return false;
	fp->ip = (unsigned long)fp->kp->addr;
	mutex_lock(&lock);
	new = !is_traced(fp->ip);
	fp->next = *slot_of(fp->ip);
	smp_store_release(slot_of(fp->ip), fp);
	fp->taken = !new || !trace(fp->ip);
	if (!fp->taken)
		WRITE_ONCE(*slot_of(fp->ip), fp->next);
	mutex_unlock(&lock);
	if (!fp->taken)
		bc_synchronize_sched();
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
	mutex_unlock(&lock);
	fp->taken = false;
}

#else

bool bc_ftrace_can_take(const struct kprobe *kp)
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
