/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much is left of the kernel stack that we were called on: a process's (8 KiB on 3.10), a CPU's for interrupts, or one of the small
 * ones for exceptions, where int3 lands on 3.10.
 */
#ifndef BPFCOMPAT_COMPAT_STACK_LEFT_H
#define BPFCOMPAT_COMPAT_STACK_LEFT_H

#define COMPAT_STACK_END_BYTES 256		/* thread_info, which may lie at the low end of a process's stack, and the canary */
#define COMPAT_IRQ_STACK_BYTES (16 * 1024)	/* x86-64, all versions */

/* Address past the interrupt stack of @cpu, 0 when the kernel does not tell. At load. */
unsigned long compat_irq_stack_end(int cpu);

/* Bytes below @here, an address on the stack that is in use. */
static inline size_t compat_stack_left(unsigned long irq_stack_end, unsigned long here)
{
	unsigned long task = (unsigned long)task_stack_page(current);

	if (here - task < THREAD_SIZE)
		return here - task > COMPAT_STACK_END_BYTES ? here - task - COMPAT_STACK_END_BYTES : 0;
	if (irq_stack_end - here < COMPAT_IRQ_STACK_BYTES)
		return COMPAT_IRQ_STACK_BYTES - (irq_stack_end - here);
	if (!irq_stack_end)	/* a kernel newer than those known here: there int3 stays on the stack that it hit */
		return COMPAT_IRQ_STACK_BYTES;
	/* Exception stacks are pages; where one has several, this is too careful at worst. */
	return here & (PAGE_SIZE - 1);
}

#endif
