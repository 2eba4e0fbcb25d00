// SPDX-License-Identifier: GPL-2.0-only
/*
 * Format strings of programs: checked conversion by conversion, so that nothing the kernel's vsnprintf() would dereference comes from a
 * program. Conversions as Linux 6.1 documents for bpf_trace_printk() and bpf_snprintf() (bpf-helpers(7)).
 */
#include "helpers.h"
#include <linux/ctype.h>
#include "../compat/nofault.h"

struct out {
	char *buf;
	size_t size;
	size_t len;	/* of the whole text, written or not */
};

static void put(struct out *o, const char *s, size_t n)
{
	if (o->len < o->size)
		memcpy(o->buf + o->len, s, min(n, o->size - o->len));
	o->len += n;
}

/* One conversion, as text from its '%' on; @spec_len bytes of it go to snprintf() with one argument. */
static void put_spec(struct out *o, const char *spec, size_t spec_len, const char *type, u64 arg)
{
	char fmt[24], text[160];
	int n;

	if (spec_len + strlen(type) >= sizeof(fmt))
		spec_len = 1;	/* a width so long that it is senseless: leave it out */
	memcpy(fmt, spec, spec_len);
	strcpy(fmt + spec_len, type);
	if (type[0] == 'p' || type[0] == 's')
		n = snprintf(text, sizeof(text), fmt, (void *)arg);
	else if (type[0] == 'l')
		n = snprintf(text, sizeof(text), fmt, arg);
	else
		n = snprintf(text, sizeof(text), fmt, (u32)arg);
	put(o, text, min_t(size_t, n, sizeof(text) - 1));
}

/* A string argument: read as bpf_probe_read_str() does, since its address is any number that the program has. */
static void put_string(struct out *o, const char *spec, size_t spec_len, char space, u64 addr)
{
	bool user = space == 'u' || (space == 's' && addr < TASK_SIZE_MAX);
	char text[128];
	size_t i;

	for (i = 0; i < sizeof(text) - 1; i++) {
		const char *src = (const char *)addr + i;
		int err = user ? compat_read_user(text + i, src, 1) : compat_read_kernel(text + i, src, 1);

		if (err)
			i = 0;
		if (err || !text[i])
			break;
	}
	text[i] = '\0';
	put_spec(o, spec, spec_len, "s", (u64)text);
}

/* An address in the notation of %pi4, %pI4, %pi6, %pI6; @addr points to its bytes, in network order. */
static void put_ip(struct out *o, char kind, bool v6, u64 addr)
{
	char spec[] = "%pXX", text[64];
	u8 bytes[16] = { 0 };
	int n;

	if (compat_read_kernel(bytes, (const void *)addr, v6 ? 16 : 4))
		memset(bytes, 0, sizeof(bytes));
	spec[2] = kind;
	spec[3] = v6 ? '6' : '4';
	n = snprintf(text, sizeof(text), spec, bytes);
	put(o, text, min_t(size_t, n, sizeof(text) - 1));
}

/*
 * The conversion at fmt[i] (past its '%'). Returns the index past it or -EINVAL; writes when o->buf is there.
 */
static long convert(struct out *o, const char *fmt, size_t i, u64 arg)
{
	size_t start = i - 1, flags_end;
	char c;

	/* flags, then a width, which begins with no 0: that is a flag */
	i += strspn(fmt + i, "0+- ");
	while (isdigit(fmt[i]))
		i++;
	flags_end = i - start;
	c = fmt[i];

	if (c == 'p') {
		char next = fmt[i + 1];

		if ((next == 'k' || next == 'u') && fmt[i + 2] == 's') {
			if (o->buf)
				put_string(o, fmt + start, flags_end, next, arg);
			return i + 3;
		}
		if (next == 'K' || next == 'x' || next == 's' || next == 'S' || next == 'B') {
			/* %px is younger than 3.10; it prints the plain number, as %lx does with a width of 16 */
			const char *type = next == 'x' ? "llx" : next == 'K' ? "pK" : next == 's' ? "ps" : next == 'S' ? "pS" : "pB";

			if (o->buf && next == 'x')
				put_spec(o, "%016", 4, type, arg);
			else if (o->buf)
				put_spec(o, fmt + start, flags_end, type, arg);
			return i + 2;
		}
		if (next == 'i' || next == 'I') {
			if (fmt[i + 2] != '4' && fmt[i + 2] != '6')
				return -EINVAL;
			if (o->buf)
				put_ip(o, next, fmt[i + 2] == '6', arg);
			return i + 3;
		}
		if (next && !isspace(next) && !ispunct(next))
			return -EINVAL;
		if (o->buf)
			put_spec(o, fmt + start, flags_end, "p", arg);
		return i + 1;
	}
	if (c == 's') {
		if (o->buf)
			put_string(o, fmt + start, flags_end, 's', arg);
		return i + 1;
	}
	if (c == 'c') {
		char ch[2] = { (char)arg, '\0' };

		if (o->buf)
			put_spec(o, fmt + start, flags_end, "s", (u64)ch);
		return i + 1;
	}
	if (c == 'l') {
		char type[4] = "llX";

		i++;
		if (fmt[i] == 'l')
			i++;
		if (!fmt[i] || !strchr("iduxX", fmt[i]))
			return -EINVAL;
		type[2] = fmt[i];
		if (o->buf)
			put_spec(o, fmt + start, flags_end, type, arg);
		return i + 1;
	}
	if (!c || !strchr("iduxX", c))
		return -EINVAL;
	if (o->buf) {
		char type[2] = { c, '\0' };

		put_spec(o, fmt + start, flags_end, type, arg);
	}
	return i + 1;
}

long bc_format(char *buf, size_t size, const char *fmt, size_t fmt_size, const u64 *args, u32 nargs)
{
	struct out o = { .buf = buf, .size = size ? size - 1 : 0 };
	size_t len = strnlen(fmt, fmt_size), i = 0;
	u32 used = 0;

	if (len == fmt_size)
		return -EINVAL;		/* no NUL */
	while (i < len) {
		unsigned char c = fmt[i];
		long next;

		if (isascii(c) && !isprint(c) && !isspace(c))
			return -EINVAL;
		if (c != '%') {
			if (buf)
				put(&o, fmt + i, 1);
			i++;
			continue;
		}
		if (fmt[i + 1] == '%') {
			if (buf)
				put(&o, "%", 1);
			i += 2;
			continue;
		}
		if (used >= nargs)
			return -EINVAL;
		next = convert(&o, fmt, i + 1, buf ? args[used] : 0);
		if (next < 0)
			return next;
		used++;
		i = next;
	}
	if (buf && size)
		buf[min(o.len, o.size)] = '\0';
	return o.len;
}
