/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading memory that may not be there, from any context. Current kernels have copy_from_{kernel,user}_nofault(); 3.10's
 * probe_kernel_read() reads user memory too, even under SMAP, so the range is checked here first.
 */
#ifndef BPFCOMPAT_COMPAT_NOFAULT_H
#define BPFCOMPAT_COMPAT_NOFAULT_H

#include "compat.h"
#include "symbols.h"
#include <linux/uaccess.h>
#include <linux/sched.h>

/* Is the memory of the current task where its addresses say? Not while the kernel has another in place for a moment. */
static inline bool compat_user_access_ok(void)
{
	return !bc_sym.nmi_uaccess_okay || bc_sym.nmi_uaccess_okay();
}

/* access_ok() alone takes any address while the kernel works for itself (3.10: set_fs()), and an event may have come then. */
static inline bool compat_is_user_range(unsigned long addr, size_t size)
{
	return size <= TASK_SIZE_MAX && addr <= TASK_SIZE_MAX - size && bc_access_ok((void __user *)addr, size);
}

/* 0 or -EFAULT; what is not in memory is not fetched. Never in a kernel thread. */
static inline int compat_write_user(void *to, const void *src, size_t size)
{
	unsigned long left;

	if (!compat_is_user_range((unsigned long)to, size))
		return -EFAULT;
	pagefault_disable();
	left = __copy_to_user_inatomic((void __user *)to, src, size);
	pagefault_enable();
	return left ? -EFAULT : 0;
}

/* An address at which kernel memory can be: in the upper half, and not the page of the old system calls, which is user memory. */
static inline bool compat_is_kernel_address(unsigned long addr)
{
	int unused = 64 - boot_cpu_data.x86_virt_bits;

	return addr >= TASK_SIZE_MAX + PAGE_SIZE && (addr & PAGE_MASK) != 0xffffffffff600000UL &&
	       (unsigned long)((long)(addr << unused) >> unused) == addr;
}

#ifdef HAVE_COPY_FROM_KERNEL_NOFAULT

static inline int compat_read_kernel(void *dst, const void *src, size_t size)
{
	return copy_from_kernel_nofault(dst, src, size) ? -EFAULT : 0;
}

static inline int compat_read_user(void *dst, const void *src, size_t size)
{
	return copy_from_user_nofault(dst, (const void __user *)src, size) ? -EFAULT : 0;
}

#else

/* The lowest address that kernel memory can have with 4-level page tables, which is all that such kernels know. */
#define COMPAT_KERNEL_START 0xffff800000000000UL

static inline int compat_read_kernel(void *dst, const void *src, size_t size)
{
	unsigned long addr = (unsigned long)src;

	if (addr < COMPAT_KERNEL_START || addr + size < addr)
		return -EFAULT;
	return probe_kernel_read(dst, (void *)src, size) ? -EFAULT : 0;
}

static inline int compat_read_user(void *dst, const void *src, size_t size)
{
	unsigned long addr = (unsigned long)src, left;

	/* A kernel thread runs on a borrowed address space: nothing there is its own. */
	if (!current->mm || size > TASK_SIZE_MAX || addr > TASK_SIZE_MAX - size)
		return -EFAULT;
	pagefault_disable();
	left = __copy_from_user_inatomic(dst, (const void __user *)src, size);
	pagefault_enable();
	return left ? -EFAULT : 0;
}

#endif

#endif
