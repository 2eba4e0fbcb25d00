// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints objects by their BTF in user space: memory is what the caller says that there is.
 */
#include "lib.h"
#include "../btf_show.h"

/* No kernel memory is below. */
#define KERNEL_START 0x800000001000ULL

struct target {
	struct bcu_show *show;
	u32 len;
};

static int show_read(void *arg, void *dst, u64 addr, u32 size)
{
	struct bcu_show *show = ((struct target *)arg)->show;

	show->reads++;
	if (addr < KERNEL_START)
		return -ERANGE;
	if (addr < show->memory_addr || addr - show->memory_addr + size > show->memory_size)
		return -EFAULT;
	memcpy(dst, show->memory + (addr - show->memory_addr), size);
	return 0;
}

static bool show_field(void *arg, void *dst, u64 addr, u32 size)
{
	struct bcu_show *show = ((struct target *)arg)->show;

	if (!show->field || addr != show->field_addr || size != show->field_size)
		return false;
	memcpy(dst, show->field, size);
	return true;
}

static void show_put(void *arg, const char *text, u32 len)
{
	struct target *t = arg;
	struct bcu_show *show = t->show;
	u32 room = show->text_size - 1;

	if (t->len < room)
		memcpy(show->text + t->len, text, min_t(u32, len, room - t->len));
	t->len += len;
	show->text[min_t(u32, t->len, room)] = '\0';
}

/* No hash, but not what it was. */
static void show_address(char *text, size_t size, u64 value)
{
	scnprintf(text, size, "%016llx", (u64)(u32)~value);
}

static const struct bc_show_ops show_ops = {
	.read = show_read,
	.field = show_field,
	.put = show_put,
	.pointer = show_address,
};

int bcu_btf_show(struct bcu *w, struct bcu_show *show)
{
	const struct btf_ptr ptr = { (void *)(unsigned long)show->addr, show->type_id, 0 };
	struct target target = { show, 0 };
	static struct bc_btf_show work;
	int err;

	show->reads = 0;
	err = bc_btf_show_check(w->vmlinux, &ptr, sizeof(ptr), show->flags);
	if (err)
		return err;
	err = bc_btf_show(&work, w->vmlinux, show->type_id, show->addr, show->flags, &show_ops, &target);
	show->steps = BC_SHOW_STEPS - work.steps;
	return err ? err : (int)target.len;
}
