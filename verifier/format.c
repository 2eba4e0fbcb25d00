/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The format string of bpf_snprintf, known when the program is loaded: are its conversions supported, and are there arguments for them?
 * Source: bpf-helpers(7), bpf_snprintf and bpf_trace_printk.
 */
#include "internal.h"

struct format {
	struct bpf_verifier_env *env;
	const struct bc_map_desc *map;
	u32 off;
};

/* The next character; 0 at the end of the string. */
static int peek(const struct format *f)
{
	u64 c = 0;

	if (f->off >= f->map->value_size || f->env->ops->map_value_read(f->env->args->host, f->map, f->off, 1, &c))
		return 0;
	return (u8)c;
}

static int next(struct format *f)
{
	int c = peek(f);

	if (c)
		f->off++;
	return c;
}

static bool text_char(int c)
{
	return (c >= ' ' && c < 127) || (c >= '\t' && c <= '\r');
}

static bool ends_pointer(int c)
{
	return !c || c == ' ' || (c >= '\t' && c <= '\r') || (c >= '!' && c <= '/') || (c >= ':' && c <= '@') || (c >= '[' && c <= '`') ||
	       (c >= '{' && c <= '~');
}

/* After %p: the kinds of addresses that may be printed. */
static int pointer(struct format *f)
{
	int c = peek(f);

	if ((c == 'k' || c == 'u')) {
		f->off++;
		return next(f) == 's' ? 0 : -EINVAL;
	}
	if (ends_pointer(c))
		return 0;
	switch (next(f)) {
	case 'K':
	case 'x':
	case 's':
	case 'S':
	case 'B':
		return 0;
	case 'i':
	case 'I':
		c = next(f);
		return c == '4' || c == '6' ? 0 : -EINVAL;
	default:
		return -EINVAL;
	}
}

static int conversion(struct format *f, u32 *used)
{
	int c = peek(f), longs = 0;

	if (c == '%') {
		f->off++;
		return 0;
	}
	while (c == '0' || c == '+' || c == '-' || c == ' ') {
		f->off++;
		c = peek(f);
	}
	while (c >= '0' && c <= '9') {
		f->off++;
		c = peek(f);
	}
	++*used;
	f->off += c ? 1 : 0;
	if (c == 'p')
		return pointer(f);
	if (c == 's' || c == 'c')
		return 0;
	for (; c == 'l' && longs < 2; longs++)
		c = next(f);
	return c == 'i' || c == 'd' || c == 'u' || c == 'x' || c == 'X' ? 0 : -EINVAL;
}

int bc_check_snprintf(struct bpf_verifier_env *env)
{
	const struct bpf_reg_state *fmt = &bc_cur_regs(env)[BPF_REG_3], *len = &bc_cur_regs(env)[BPF_REG_5];
	struct format f;
	u32 used = 0;
	int c, err = 0;

	/* the data are an array of u64 */
	if (len->v.t.value % 8)
		return -EINVAL;
	f.env = env;
	f.map = fmt->map;
	f.off = (u32)fmt->off + (u32)fmt->v.t.value;
	while (!err && (c = next(&f)) != 0) {
		if (!text_char(c))
			err = -EINVAL;
		else if (c == '%')
			err = conversion(&f, &used);
		if (!err && used > len->v.t.value / 8)
			err = -EINVAL;
	}
	if (err)
		bc_log(env, "Invalid format string\n");
	return err;
}
