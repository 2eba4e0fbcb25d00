/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Trace events of the system calls that an old kernel leaves out; see syscall_events.c.
 */
#ifndef BPFCOMPAT_COMPAT_SYSCALL_EVENTS_H
#define BPFCOMPAT_COMPAT_SYSCALL_EVENTS_H

int bc_syscall_events_init(void);
void bc_syscall_events_exit(void);

#endif
