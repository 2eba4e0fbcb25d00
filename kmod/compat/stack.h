/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call stacks of the kernel and of the current process, from any context. Kernels differ in the interface to their unwinder, and 3.10 saves
 * few registers on entry to a system call.
 */
#ifndef BPFCOMPAT_COMPAT_STACK_H
#define BPFCOMPAT_COMPAT_STACK_H

#include "compat.h"

/* What of the stack is the module's own, so that nobody has to unwind it. */
struct compat_own_frames {
	void *frame;		/* frame pointer of the function that runs the program */
	bool chained;		/* every function of the module above it keeps one, too */
	void *helper;		/* frame pointer of the helper that wants the stack: generated code below it keeps frame pointers, too */
};

/* Addresses from the innermost on. @regs: where to start; NULL: whoever called into the module. The number of entries, at most @max. */
u32 compat_kernel_stack(struct pt_regs *regs, const struct compat_own_frames *own, unsigned long *entries, u32 max);
/* The same of a task, as far as it is not running elsewhere. */
u32 compat_task_stack(struct task_struct *task, unsigned long *entries, u32 max);
/* The same of the current process, by frame pointers; 0 for a kernel thread. @regs: of the event, or NULL. */
u32 compat_user_stack(struct pt_regs *regs, unsigned long *entries, u32 max);

#endif
