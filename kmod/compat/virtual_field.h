/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fields that current programs read of a struct and that this kernel keeps in another unit, or elsewhere. The BTF made for
 * it (shim/bpfcompat/btf/adapt.py) gives them odd addresses, at which no field of the kernel's own can be; a program's
 * read of such an address is answered here. On kernels that have the fields there is nothing of this.
 */
#ifndef BC_COMPAT_VIRTUAL_FIELD_H
#define BC_COMPAT_VIRTUAL_FIELD_H

#include "compat.h"

#if defined(CONFIG_SLUB) && (defined(HAVE_START_TIME_TIMESPEC) || !defined(HAVE_SKC_V6_DADDR))
#define COMPAT_VIRTUAL_FIELDS

bool compat_virtual_field_read(void *dst, unsigned long addr, size_t size);

/* False: an address like any other. */
static inline bool compat_virtual_field(void *dst, const void *src, size_t size)
{
	return unlikely((unsigned long)src & 1) && size <= 16 && compat_virtual_field_read(dst, (unsigned long)src, size);
}

#else

static inline bool compat_virtual_field(void *dst, const void *src, size_t size)
{
	return false;
}

#endif

#endif
