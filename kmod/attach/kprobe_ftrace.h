/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs of a kprobe called by the function tracer itself (kprobe_ftrace.c).
 */
#ifndef BPFCOMPAT_KPROBE_FTRACE_H
#define BPFCOMPAT_KPROBE_FTRACE_H

struct bc_hook;
struct kprobe;
struct pt_regs;

struct bc_ftrace_probe {
	struct bc_ftrace_probe *next;
	unsigned long ip;
	struct kprobe *kp;
	struct bc_hook **progs;
	unsigned long func_ip;
	/* a hit that the programs let pass, or finds none; interrupts are off, and it is not called from within itself */
	void (*pass)(struct bc_ftrace_probe *fp, struct pt_regs *regs);
	bool taken;
};

/* Is it worth trying? @kp may be enabled. */
bool bc_ftrace_can_take(const struct kprobe *kp);
/*
 * @kp is registered and disabled, the other members but next, ip and taken are set. False: it can't be, and the kprobe must be enabled.
 * Process context, with no lock that a hit could want.
 */
bool bc_ftrace_take(struct bc_ftrace_probe *fp);
/* Hits may use @fp till an RCU-sched grace period has passed. Does nothing unless taken. */
void bc_ftrace_give_back(struct bc_ftrace_probe *fp);

#endif
