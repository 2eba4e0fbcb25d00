/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory allocation: __vmalloc lost its protection argument in 5.8, and vanilla 3.10 has no kvfree.
 */
#ifndef BPFCOMPAT_COMPAT_MEMORY_H
#define BPFCOMPAT_COMPAT_MEMORY_H

/* Charged to the memory cgroup where the kernel can do that. */
#ifdef GFP_KERNEL_ACCOUNT
#define BC_GFP GFP_KERNEL_ACCOUNT
#else
#define BC_GFP GFP_KERNEL
#endif

static inline void *bc_vmalloc_zeroed(size_t size, gfp_t gfp)
{
	gfp |= __GFP_ZERO | __GFP_NOWARN | __GFP_HIGHMEM;
#ifdef HAVE_VMALLOC_PROT
	return __vmalloc(size, gfp, PAGE_KERNEL);
#else
	return __vmalloc(size, gfp);
#endif
}

static inline void *bc_vzalloc(size_t size)
{
	return bc_vmalloc_zeroed(size, BC_GFP);
}

/*
 * For mapping into a process. Unlike vmalloc_user() it does not fill the log when there is no memory. Not charged to a cgroup: kernels
 * before 5.11 mark such pages where the count of a page's mappings is kept.
 */
static inline void *bc_vzalloc_user(size_t size)
{
	return bc_vmalloc_zeroed(size, GFP_KERNEL);
}

static inline void bc_kvfree(const void *p)
{
	if (is_vmalloc_addr(p))
		vfree(p);
	else
		kfree(p);
}

#endif
