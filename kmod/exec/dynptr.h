/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a dynptr is when a program runs: struct bpf_dynptr's 16 bytes, which lie on the program's stack and which the verifier keeps it from
 * touching. For the helpers of the module and of the user-space library.
 */
#ifndef BPFCOMPAT_DYNPTR_H
#define BPFCOMPAT_DYNPTR_H

#include "exec.h"

#define BC_DYNPTR_MAX ((1U << 24) - 1)	/* bytes that one may lead to */

struct bc_dynptr {
	void *data;	/* NULL: leads nowhere */
	u32 size;
	u32 reserved;
};

#define BC_DYNPTR(r) ((struct bc_dynptr *)(unsigned long)(r))

/* Fills it in, or with nothing when there is an error, which is handed on. */
static inline u64 bc_dynptr_make(struct bc_dynptr *p, void *data, u32 size, int err)
{
	p->data = err ? NULL : data;
	p->size = err ? 0 : size;
	p->reserved = 0;
	return (s64)err;
}

/* The @len bytes at @off, or NULL. */
static inline void *bc_dynptr_at(const struct bc_dynptr *p, u32 off, u32 len)
{
	if (!p->data || len > p->size || off > p->size - len)
		return NULL;
	return (u8 *)p->data + off;
}

static inline u64 bc_dynptr_copy(void *dst, const void *src, u32 len)
{
	memmove(dst, src, len);
	return 0;
}

static inline u64 bc_dynptr_from_mem(u64 data, u32 size, u64 flags, u64 dynptr)
{
	int err = size > BC_DYNPTR_MAX ? -E2BIG : flags ? -EINVAL : 0;

	return bc_dynptr_make(BC_DYNPTR(dynptr), (void *)(unsigned long)data, size, err);
}

static inline u64 bc_dynptr_read(u64 dst, u32 len, u64 dynptr, u32 off, u64 flags)
{
	const struct bc_dynptr *p = BC_DYNPTR(dynptr);
	void *src = bc_dynptr_at(p, off, len);

	if (!p->data || flags)
		return (s64)-EINVAL;
	return src ? bc_dynptr_copy((void *)(unsigned long)dst, src, len) : (u64)(s64)-E2BIG;
}

static inline u64 bc_dynptr_write(u64 dynptr, u32 off, u64 src, u32 len, u64 flags)
{
	const struct bc_dynptr *p = BC_DYNPTR(dynptr);
	void *dst = bc_dynptr_at(p, off, len);

	if (!p->data || flags)
		return (s64)-EINVAL;
	return dst ? bc_dynptr_copy(dst, (const void *)(unsigned long)src, len) : (u64)(s64)-E2BIG;
}

#endif
