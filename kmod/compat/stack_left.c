// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the stacks that interrupts run on. Each CPU has a pointer to the top of its own; the name changed over time.
 */
#include "../bpf.h"
#include "stack_left.h"

unsigned long compat_irq_stack_end(int cpu)
{
	unsigned long offset = bc_lookup_symbol("irq_stack_ptr");

	if (!offset)
		offset = bc_lookup_symbol("hardirq_stack_ptr");
	if (!offset)
		return 0;
	/* A per-CPU symbol's address is its offset in each CPU's area; the pointer is a few words short of the end. */
	return PAGE_ALIGN(*(unsigned long *)(offset + per_cpu_offset(cpu)));
}
