/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line in the kernel's trace buffer. __trace_puts() is called by its name, not through the trace_puts() macro: the macro marks the
 * module as one that uses trace_printk(), and the kernel then warns at load that it is a debug kernel.
 */
#ifndef BPFCOMPAT_COMPAT_TRACE_PUTS_H
#define BPFCOMPAT_COMPAT_TRACE_PUTS_H

#include <linux/kernel.h>

/* The address that the line is shown to come from; kallsyms gives it the name that trace_pipe's readers look for. */
void bpf_trace_printk(void);

static inline void compat_trace_puts(const char *text, int len)
{
	__trace_puts((unsigned long)bpf_trace_printk, text, len);
}

#endif
