/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one header between the kernel-independent C (verifier/ and kmod/exec/) and where it runs: in the module, or in
 * the user-space library. Implemented by kmod/bpf/port.c and by verifier/user/port.c.
 */
#ifndef BPFCOMPAT_PORT_H
#define BPFCOMPAT_PORT_H

#ifdef __KERNEL__
#include <linux/types.h>
#include <linux/bug.h>
#include <linux/kernel.h>
#include <linux/string.h>
#include <linux/errno.h>
#include <linux/err.h>
#else
#include "user/kernel_types.h"
#endif

#include "../kmod/uapi/bpf_abi.h"
#include "../kmod/uapi/btf_abi.h"

/* Zeroed memory of any size; may sleep. NULL when there is none, or when the program's memory cap is reached. */
void *port_zalloc(size_t size);
/* Grows or shrinks; new bytes are zero. @old_size is the size given before (0 with NULL). The old block stays on failure. */
void *port_realloc(void *p, size_t old_size, size_t new_size);
void port_free(void *p);

/* Nanoseconds of a monotonic clock. */
u64 port_time_ns(void);

/*
 * To be called often enough in long loops: gives the CPU to others where the kernel does not preempt.
 * Returns 0, or -EAGAIN when the calling task has a signal to handle (as Linux's verifier answers it).
 */
int port_poll(void);

/* Copies between this side and the address of the caller's process (in user space: plain memory). 0 or -EFAULT. */
int port_copy_from_user(void *dst, u64 src, size_t size);
int port_copy_to_user(u64 dst, const void *src, size_t size);

/* A line for the operator (dmesg, rate-limited; stderr in user space). */
void port_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
