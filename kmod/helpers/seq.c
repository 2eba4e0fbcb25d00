// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that write to what an iterator's reader reads: bpf_seq_printf(), bpf_seq_write(); and bpf_d_path().
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include <linux/dcache.h>

/* Only what this run writes to, whatever other pointer to such a struct a program may have found. */
struct seq_file *bc_own_seq(u64 addr)
{
	struct seq_file *seq = bc_this_run()->seq;

	return seq && (unsigned long)seq == addr ? seq : NULL;
}

/* As Linux has it, all full is overflown. */
static long note_written(struct seq_file *seq, size_t bytes)
{
	if (bytes >= seq->size - seq->count) {
		seq->count = seq->size;
		return -EOVERFLOW;
	}
	seq->count += bytes;
	return 0;
}

BC_HELPER(seq_printf)
{
	struct seq_file *seq = bc_own_seq(r1);
	u32 bytes = (u32)r5;
	long len;

	if (!seq || bytes & 7 || bytes > BC_FMT_MAX_ARGS * 8 || (bytes && !r4))
		return (s64)-EINVAL;
	len = bc_format(seq->buf + seq->count, seq->size - seq->count, (const char *)r2, (u32)r3, (const u64 *)r4, bytes / 8);
	return len < 0 ? len : note_written(seq, len);
}

BC_HELPER(seq_write)
{
	struct seq_file *seq = bc_own_seq(r1);
	u32 bytes = (u32)r3;

	if (!seq)
		return (s64)-EINVAL;
	if (bytes < seq->size - seq->count)
		memcpy(seq->buf + seq->count, (const void *)r2, bytes);
	return note_written(seq, bytes);
}

BC_HELPER(d_path)
{
	char *buf = (char *)r2, *path;
	struct path copy;
	long len;

	if (!(u32)r3)
		return 0;
	/* a pointer that led nowhere on the way here, or a struct that is only shown as one (iter/shadows.c) */
	if (compat_read_kernel(&copy, (const void *)r1, sizeof(copy)) || !copy.dentry || !copy.mnt)
		return (s64)-EFAULT;
	path = d_path(&copy, buf, (u32)r3);
	if (IS_ERR(path))
		return PTR_ERR(path);
	len = buf + (u32)r3 - path;
	memmove(buf, path, len);
	return len;
}
