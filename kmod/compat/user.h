/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory of the calling process.
 */
#ifndef BPFCOMPAT_COMPAT_USER_H
#define BPFCOMPAT_COMPAT_USER_H

#ifdef HAVE_ACCESS_OK_TYPE
#define bc_access_ok(addr, size) access_ok(VERIFY_WRITE, addr, size)
#else
#define bc_access_ok(addr, size) access_ok(addr, size)
#endif

static inline void __user *bc_user_ptr(u64 address)
{
	return (void __user *)(unsigned long)address;
}

/* 1 when all @size bytes are zero, 0 when not, -EFAULT (newer kernels: check_zeroed_user). */
int bc_user_is_zero(const void __user *from, size_t size);
/* A copy in bc_kvfree() memory, or ERR_PTR(-EFAULT, -ENOMEM). */
void *bc_memdup_user(const void __user *from, size_t size);

#endif
