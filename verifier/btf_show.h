/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Text of an object in memory by its BTF type, as bpf_snprintf_btf() and bpf_seq_printf_btf() print it.
 */
#ifndef BPFCOMPAT_BTF_SHOW_H
#define BPFCOMPAT_BTF_SHOW_H

#include "btf.h"

#define BC_SHOW_FLAGS (BTF_F_COMPACT | BTF_F_NONAME | BTF_F_PTR_RAW | BTF_F_ZERO)
#define BC_SHOW_DEPTH 32		/* nesting; C needs less */
#define BC_SHOW_STEPS (1U << 20)	/* members and elements looked at: many times what the kernel's largest type has */
#define BC_SHOW_WINDOW 32		/* bytes of the object that are read at once, as Linux does: it decides on what is shown of one half readable */
#define BC_SHOW_FIELD 16		/* largest field that is elsewhere */
#define BC_SHOW_SLACK 32		/* what odd types have read past these; zeroes */

struct bc_show_ops {
	/* 0, or -ERANGE where no kernel memory can be, -EFAULT where none is. */
	int (*read)(void *arg, void *dst, u64 addr, u32 size);
	/* Fills @dst and returns true if the field there is one that the kernel keeps elsewhere. NULL: there are none. */
	bool (*field)(void *arg, void *dst, u64 addr, u32 size);
	void (*put)(void *arg, const char *text, u32 len);
	/* @value as the kernel's %p shows it: NUL-terminated. */
	void (*pointer)(char *text, size_t size, u64 value);
};

/* A struct, union or array at work. */
struct bc_show_frame {
	const struct btf_type *t;
	const struct btf_member *member;	/* that it is; NULL: an element, or the whole */
	u64 at;
	u32 id;			/* as it was referred to: a typedef has a name to show */
	u32 next;		/* member or element */
	u8 bits;		/* its place inside the byte */
	bool unsure;		/* this walk is to find out whether anything in it is to be shown */
};

/* Memory to work in: too much for a stack. */
struct bc_btf_show {
	const struct bc_btf *btf;
	const struct bc_show_ops *ops;
	void *arg;
	u64 flags;
	u32 steps;
	int status;			/* of the latest read; errno */

	/* where the walk is, as far as texts depend on it */
	const struct btf_type *type;	/* being shown; NULL between two */
	u32 id;
	const struct btf_member *member;
	bool in_array, terminated;
	u8 encoding;			/* of the array's elements */
	u32 depth;
	u32 search;			/* depth + 1 of the frame that is unsure and outermost; 0: texts are put out */
	u32 found;			/* depth of the deepest value to show since the search began */

	u64 from, size;			/* the whole object */
	u64 copied;			/* address that window begins at */
	u64 field_at;
	u32 field_size, field_depth;
	u8 window[BC_SHOW_WINDOW + BC_SHOW_SLACK];
	u8 field[BC_SHOW_FIELD + BC_SHOW_SLACK];
	char text[48];

	u32 frame_cnt;
	struct bc_show_frame frames[BC_SHOW_DEPTH];
};

/* What is wrong with a helper's arguments: 0, -EINVAL (also without BTF, which is NULL then) or -ENOENT. */
int bc_btf_show_check(const struct bc_btf *btf, const struct btf_ptr *ptr, u32 ptr_size, u64 flags);
/* Returns the status of the last read (Linux goes on after those that fail), or -E2BIG: too deep, or no end in sight. */
int bc_btf_show(struct bc_btf_show *s, const struct bc_btf *btf, u32 id, u64 addr, u64 flags, const struct bc_show_ops *ops, void *arg);

#endif
