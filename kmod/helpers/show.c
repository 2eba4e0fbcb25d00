// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that print an object by the kernel's BTF: bpf_snprintf_btf(), bpf_seq_printf_btf(). What is printed: verifier/btf_show.c.
 */
#include "helpers.h"
#include <linux/seq_file.h>
#include "btf_show.h"
#include "../compat/nofault.h"
#include "../compat/virtual_field.h"

struct text {
	char *buf;
	u32 size;
	u32 len;	/* of the whole text, written or not */
};

/* Linux tells addresses that are no kernel memory's from those where there is none. */
static int read_object(void *arg, void *dst, u64 addr, u32 size)
{
	if (!compat_is_kernel_address(addr))
		return -ERANGE;
	/* Nothing is there; and Linux warns of an address that has too many bits for the page tables, and of a read that goes on at 0. */
	if (addr < PAGE_OFFSET || addr + size < addr)
		return -EFAULT;
	return compat_read_kernel(dst, (const void *)addr, size);
}

static bool read_field(void *arg, void *dst, u64 addr, u32 size)
{
	return compat_virtual_field(dst, (const void *)addr, size);
}

/* A hash where this kernel's %p is one, so that it is the same as in the kernel's own texts. */
static void show_address(char *text, size_t size, u64 value)
{
	scnprintf(text, size, "%p", (void *)value);
}

static void put_text(void *arg, const char *text, u32 len)
{
	struct text *t = arg;
	u32 room = t->size - 1;

	if (t->len < room)
		memcpy(t->buf + t->len, text, min(len, room - t->len));
	t->len += len;
	t->buf[min(t->len, room)] = '\0';
}

static void put_seq(void *arg, const char *text, u32 len)
{
	struct seq_file *seq = arg;

	/* As Linux has it, all full is overflown, and the reader comes again with more room. */
	if (len >= seq->size - seq->count) {
		seq->count = seq->size;
		return;
	}
	memcpy(seq->buf + seq->count, text, len);
	seq->count += len;
}

static const struct bc_show_ops to_text = {
	.read = read_object,
	.field = read_field,
	.put = put_text,
	.pointer = show_address,
};

static const struct bc_show_ops to_seq = {
	.read = read_object,
	.field = read_field,
	.put = put_seq,
	.pointer = show_address,
};

static long show(const struct btf_ptr *given, u32 given_size, u64 flags, const struct bc_show_ops *ops, void *arg)
{
	const struct bc_btf *btf = bc_btf_vmlinux_now();
	struct btf_ptr ptr = { NULL };
	int err;

	BUILD_BUG_ON(sizeof(struct bc_btf_show) > BC_SCRATCH_BYTES);
	/* read once: a map's value may change meanwhile */
	if (given_size == sizeof(ptr))
		memcpy(&ptr, given, sizeof(ptr));
	err = bc_btf_show_check(btf, &ptr, given_size, flags);
	if (err)
		return err;
	return bc_btf_show((void *)bc_helper_scratch(), btf, ptr.type_id, (unsigned long)ptr.ptr, flags, ops, arg);
}

BC_HELPER(snprintf_btf)
{
	struct text t = { (char *)r1, (u32)r2, 0 };
	long err = show((const struct btf_ptr *)r3, (u32)r4, r5, &to_text, &t);

	return err ? err : t.len;
}

BC_HELPER(seq_printf_btf)
{
	struct seq_file *seq = bc_own_seq(r1);

	if (!seq)
		return (s64)-EINVAL;
	return show((const struct btf_ptr *)r2, (u32)r3, r4, &to_seq, seq);
}
