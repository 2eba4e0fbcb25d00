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

/* copy_from_user() and copy_to_user(), for what is mostly one word: 0 or not. */
static inline unsigned long bc_copy_in(void *to, const void __user *from, size_t size)
{
	if (size == sizeof(u64))
		return get_user(*(u64 *)to, (const u64 __user *)from);
	if (size == sizeof(u32))
		return get_user(*(u32 *)to, (const u32 __user *)from);
	return copy_from_user(to, from, size);
}

static inline unsigned long bc_copy_out(void __user *to, const void *from, size_t size)
{
	if (size == sizeof(u64))
		return put_user(*(const u64 *)from, (u64 __user *)to);
	if (size == sizeof(u32))
		return put_user(*(const u32 *)from, (u32 __user *)to);
	return copy_to_user(to, from, size);
}

/* 1 when all @size bytes are zero, 0 when not, -EFAULT (newer kernels: check_zeroed_user). */
int bc_user_is_zero(const void __user *from, size_t size);
/* A copy in bc_kvfree() memory, or ERR_PTR(-EFAULT, -ENOMEM). */
void *bc_memdup_user(const void __user *from, size_t size);

#endif
