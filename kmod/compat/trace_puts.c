// SPDX-License-Identifier: GPL-2.0-only
/*
 * The symbol under which lines of bpf_trace_printk() appear in the trace buffer.
 */
#include "compat.h"
#include "trace_puts.h"

noinline void bpf_trace_printk(void)
{
	barrier();
}
