// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the calling process: what older kernels have no function for.
 */
#include "../bpf.h"

int bc_user_is_zero(const void __user *from, size_t size)
{
	u8 buf[64];
	size_t step;

	for (; size; size -= step, from = (const u8 __user *)from + step) {
		step = min(size, sizeof(buf));
		if (copy_from_user(buf, from, step))
			return -EFAULT;
		if (memchr_inv(buf, 0, step))
			return 0;
	}
	return 1;
}

void *bc_memdup_user(const void __user *from, size_t size)
{
	void *p = size <= PAGE_SIZE ? kmalloc(size, BC_GFP) : bc_vzalloc(size);

	if (!p)
		return ERR_PTR(-ENOMEM);
	if (copy_from_user(p, from, size)) {
		bc_kvfree(p);
		return ERR_PTR(-EFAULT);
	}
	return p;
}
