// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "ksym": what /proc/kallsyms shows, by the kernel's own walk through it. Its position is a struct that only the kernel's BTF
 * describes.
 */
#include "iter.h"

struct cursor {
	loff_t pos;
	void *iter;		/* struct kallsym_iter */
	u32 bytes;
	s64 at, end, module;	/* where its fields are: pos, pos_arch_end, module_name; negative: nowhere */
};

static const struct seq_operations *kallsyms;

void bc_iter_ksym_init(void)
{
	kallsyms = (const struct seq_operations *)bc_lookup_symbol("kallsyms_op");
}

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static s32 iter_type(void)
{
	const struct bc_btf *btf = bc_btf_vmlinux();

	return btf ? bc_btf_find(btf, "kallsym_iter", BTF_KIND_STRUCT) : -ENOENT;
}

static bool ksym_available(void)
{
	return kallsyms && iter_type() > 0;
}

/* Negative, or the place of a field of that size; 0: of any. */
static s64 field(s32 id, const char *name, s64 size)
{
	const struct bc_btf *btf = bc_btf_vmlinux();
	u32 type;
	s64 off = bc_btf_member(btf, id, name, &type);

	return off >= 0 && size && bc_btf_size(btf, type) != size ? -EINVAL : off;
}

/* As /proc/kallsyms judges, for programs that ask. */
static bool may_see_addresses(void)
{
	return bc_sym.kallsyms_show_value ? bc_sym.kallsyms_show_value(current_cred()) : capable(CAP_SYSLOG);
}

static int ksym_open(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);
	s32 id = iter_type();
	s64 shows = field(id, "show_value", sizeof(int));

	c->bytes = bc_btf_size(bc_btf_vmlinux(), id);
	c->at = field(id, "pos", sizeof(loff_t));
	c->end = field(id, "pos_arch_end", sizeof(loff_t));
	c->module = field(id, "module_name", 0);
	/* zeroes are where it starts */
	c->iter = bc_alloc(NULL, c->bytes);
	if (!c->iter)
		return -ENOMEM;
	if (shows >= 0)
		*(int *)(c->iter + shows) = may_see_addresses();
	s->seq.private = c->iter;
	return 0;
}

static void ksym_close(struct bc_iter_session *s)
{
	bc_free(NULL, cursor_of(s)->iter, cursor_of(s)->bytes);
}

static void *ksym_start(struct bc_iter_session *s)
{
	return kallsyms->start(&s->seq, &cursor_of(s)->pos);
}

static void *ksym_next(struct bc_iter_session *s, void *iter)
{
	return kallsyms->next(&s->seq, iter, &cursor_of(s)->pos);
}

static void ksym_stop(struct bc_iter_session *s, void *iter)
{
	kallsyms->stop(&s->seq, iter);
}

/*
 * Programs tell by this where the kernel's own symbols end. Kernels that do not note it have none but modules' behind those, and so the
 * other ends stay where they have not been reached.
 */
static void note_end(const struct cursor *c)
{
	loff_t *end = c->iter + c->end;

	if (c->at >= 0 && c->end >= 0 && c->module >= 0 && !*end && *(const char *)(c->iter + c->module))
		*end = *(const loff_t *)(c->iter + c->at);
}

static int ksym_fill(struct bc_iter_session *s, void *iter, u64 *words)
{
	if (iter)
		note_end(cursor_of(s));
	words[0] = (unsigned long)iter;
	return 0;
}

const struct bc_iter_target_ops bc_iter_ksym = {
	.name = "ksym",
	.may_sleep = true,
	.cursor_bytes = sizeof(struct cursor),
	.available = ksym_available,
	.open = ksym_open,
	.close = ksym_close,
	.start = ksym_start,
	.next = ksym_next,
	.stop = ksym_stop,
	.fill = ksym_fill,
};
