/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kprobes: a return probe's instance no longer points at its probe where probes are built on rethooks. And what a kernel's own kprobe
 * does at a function's entry, for who comes there another way.
 */
#ifndef BPFCOMPAT_COMPAT_KPROBES_H
#define BPFCOMPAT_COMPAT_KPROBES_H

#include <linux/kprobes.h>
#include <linux/kernel.h>
#include <linux/mutex.h>
#include <asm/current.h>

static inline struct kretprobe *bc_kretprobe_of(struct kretprobe_instance *ri)
{
#ifdef HAVE_GET_KRETPROBE
	return get_kretprobe(ri);
#else
	return ri->rp;
#endif
}

/* Has somebody switched off all kprobes (debugfs, kprobes/enabled)? Their handlers are not called till he switches them on. */
static inline bool bc_kprobes_are_off(void)
{
	return bc_sym.kprobes_all_disarmed && READ_ONCE(*bc_sym.kprobes_all_disarmed);
}

#define BC_TRACER_CALL_BYTES 5

/*
 * Where a function's kprobe can be that is none of the function tracer's: behind the call to it, if that is what the function begins with;
 * arguments and stack are as at the entry.
 */
static inline kprobe_opcode_t *bc_kprobe_past_tracer(unsigned long function)
{
	bool traced = bc_sym.ftrace_location && bc_sym.ftrace_location(function);

	return (kprobe_opcode_t *)(function + (traced ? BC_TRACER_CALL_BYTES : 0));
}

/*
 * enable_kprobe() does nothing where all are off, and says that it did: then the mark is taken off here, so that the probe is among
 * those that are switched on again.
 */
static inline int bc_kprobe_enable(struct kprobe *kp)
{
	int err = enable_kprobe(kp);
	struct kprobe *at;

	if (err || !bc_kprobes_are_off() || !bc_sym.kprobe_mutex || !bc_sym.get_kprobe)
		return err;
	mutex_lock(bc_sym.kprobe_mutex);
	at = bc_sym.get_kprobe(kp->addr);
	if (at && bc_kprobes_are_off())
		at->flags &= ~KPROBE_FLAG_DISABLED;
	mutex_unlock(bc_sym.kprobe_mutex);
	return 0;
}

#ifdef HAVE_FTRACE_PT_REGS

static inline bool bc_kretprobe_can_enter(void)
{
	/* Of per-CPU symbols, kernels that move themselves have told wrong addresses. */
	return bc_sym.current_kprobe && bc_sym.kprobe_ctlblk && bc_sym.kretprobe_trampoline && bc_sym.__kprobes_text_start &&
	       bc_sym.__kprobes_text_end && bc_sym.current_task == &current_task;
}

/*
 * What the kprobe of @rp does when it hits; @regs are those at the function's entry, interrupts are off. Like it, this misses what comes
 * while a kprobe's handler runs. It also misses two things that would find a lock of kretprobes taken by this CPU itself, where the kernel
 * hangs: NMIs, and calls of functions by kretprobes themselves. (Functions that tail-call return to kretprobes, but are not called by them.)
 */
static __always_inline void bc_kretprobe_enter(struct kretprobe *rp, struct pt_regs *regs)
{
	unsigned long caller = *(unsigned long *)regs->sp;
	bool by_kprobes = caller - (unsigned long)bc_sym.__kprobes_text_start <
			  (unsigned long)(bc_sym.__kprobes_text_end - bc_sym.__kprobes_text_start) &&
			  caller != (unsigned long)bc_sym.kretprobe_trampoline;

	if (unlikely(by_kprobes || __this_cpu_read(*bc_sym.current_kprobe) || in_nmi())) {
		rp->kp.nmissed++;
		return;
	}
	__this_cpu_write(*bc_sym.current_kprobe, &rp->kp);
	this_cpu_ptr(bc_sym.kprobe_ctlblk)->kprobe_status = KPROBE_HIT_ACTIVE;
	rp->kp.pre_handler(&rp->kp, regs);
	__this_cpu_write(*bc_sym.current_kprobe, NULL);
}

#else

static inline bool bc_kretprobe_can_enter(void)
{
	return false;
}

static inline void bc_kretprobe_enter(struct kretprobe *rp, struct pt_regs *regs)
{
}

#endif

#endif
