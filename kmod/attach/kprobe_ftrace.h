/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Probes called by the function tracer itself (kprobe_ftrace.c).
 */
#ifndef BPFCOMPAT_KPROBE_FTRACE_H
#define BPFCOMPAT_KPROBE_FTRACE_H

struct bc_hook;
struct kprobe;
struct pt_regs;

struct bc_ftrace_probe {
	struct bc_ftrace_probe *next;
	unsigned long ip;
	struct kprobe *kp;	/* with is_ret a kretprobe's */
	bool is_ret;		/* hits when the function returns */
	bool taken;
	bool wants_args;	/* with is_ret: pass_return is given the registers that hold arguments, as they were at the entry */
	u64 since;		/* bc_return_clock when it came; BC_RETURNS_NOT_CAUGHT */
	/* Either may be NULL; the second is for is_ret. */
	struct bc_hook **progs, **return_progs;
	unsigned long func_ip;
	/*
	 * A hit that the programs let pass, or finds none; interrupts are off, and it is not called from within itself. Without programs:
	 * every hit, and then it may be.
	 */
	void (*pass)(struct bc_ftrace_probe *fp, struct pt_regs *regs);
	void (*pass_return)(struct bc_ftrace_probe *fp, struct pt_regs *regs, const u64 *args);
};

/* Is it worth trying? kp may be enabled. */
bool bc_ftrace_can_take(const struct bc_ftrace_probe *fp);
/*
 * @fp->kp is registered and disabled, the other members but next, ip and taken are set. False: it can't be, and the kprobe must be
 * enabled. Process context, with no lock that a hit could want.
 */
bool bc_ftrace_take(struct bc_ftrace_probe *fp);
/* Hits may use @fp till an RCU-sched grace period has passed. Does nothing unless taken. */
void bc_ftrace_give_back(struct bc_ftrace_probe *fp);

/* Registers a probe of ours, and takes its hits where that can be; all but next, ip and taken are set, as are the handlers of kp. */
int bc_ftrace_register(struct bc_ftrace_probe *fp);
/* Waits till no handler runs any more, by whichever way. */
void bc_ftrace_unregister(struct bc_ftrace_probe *fp);

#endif
