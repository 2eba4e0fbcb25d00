// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that read memory which may not be there: bpf_probe_read*(). A failed read leaves the destination zeroed, so that a
 * program which ignores the error reads no stale stack.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include "../compat/virtual_field.h"

typedef int (*read_fn)(void *dst, const void *src, size_t size);

static inline int read_kernel(void *dst, const void *src, size_t size)
{
	return compat_virtual_field(dst, src, size) ? 0 : compat_read_kernel(dst, src, size);
}

static __always_inline u64 read_block(read_fn read, u64 dst, u64 size, u64 src)
{
	int err;

	err = read((void *)dst, (const void *)src, (u32)size);
	if (unlikely(err))
		memset((void *)dst, 0, (u32)size);
	return (s64)err;
}

/*
 * Reads in pieces that never cross a page, so that a piece is readable whole or not at all, and stores nothing
 * past the NUL: programs compare whole keys that hold strings. Returns the bytes stored, NUL included.
 */
static __always_inline u64 read_string(read_fn read, u64 dst_addr, u64 size_arg, u64 src_addr)
{
	char *dst = (char *)dst_addr;
	const char *src = (const char *)src_addr;
	u32 size = (u32)size_arg, done = 0;
	char piece[32];

	if (!size)
		return 0;
	while (done < size) {
		u32 room = PAGE_SIZE - offset_in_page((unsigned long)(src + done));
		u32 n = min_t(u32, min_t(u32, room, sizeof(piece)), size - done);
		u32 len;

		if (read(piece, src + done, n)) {
			memset(dst, 0, size);
			return (s64)-EFAULT;
		}
		len = strnlen(piece, n);
		if (len < n) {
			memcpy(dst + done, piece, len + 1);
			return done + len + 1;
		}
		memcpy(dst + done, piece, n);
		done += n;
	}
	dst[size - 1] = '\0';
	return size;
}

static inline bool is_user_address(u64 addr)
{
	return addr < TASK_SIZE_MAX;
}

BC_HELPER(probe_read)
{
	return is_user_address(r3) ? read_block(compat_read_user, r1, r2, r3) :
				     read_block(read_kernel, r1, r2, r3);
}

BC_HELPER(probe_read_str)
{
	return is_user_address(r3) ? read_string(compat_read_user, r1, r2, r3) :
				     read_string(compat_read_kernel, r1, r2, r3);
}

BC_HELPER(probe_read_kernel)
{
	return read_block(read_kernel, r1, r2, r3);
}

BC_HELPER(probe_read_kernel_str)
{
	return read_string(compat_read_kernel, r1, r2, r3);
}

BC_HELPER(probe_read_user)
{
	return read_block(compat_read_user, r1, r2, r3);
}

BC_HELPER(probe_read_user_str)
{
	return read_string(compat_read_user, r1, r2, r3);
}
