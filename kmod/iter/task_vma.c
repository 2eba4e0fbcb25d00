// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "task_vma": every mapping of every process. The address space is locked from start to stop, while programs look.
 */
#include "iter.h"
#include "../compat/tasks.h"

struct cursor {
	struct bc_task_walk walk;
	struct task_struct *task;	/* whose mappings are being shown; NULL between two reads */
	struct mm_struct *mm;		/* its own, locked */
	u32 at_tid;			/* the task that next_addr belongs to */
	unsigned long next_addr;	/* the mapping to be shown is the first that ends behind it */
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static void leave(struct cursor *c)
{
	if (c->mm) {
		compat_mm_read_unlock(c->mm);
		mmput(c->mm);
	}
	c->mm = NULL;
	put_task_struct(c->task);
	c->task = NULL;
}

/* 0 or -EINTR; without an mm there is nothing to be shown of the task. */
static int enter(struct cursor *c)
{
	struct mm_struct *mm;

	if (c->at_tid != c->walk.tid)
		c->next_addr = 0;
	c->at_tid = c->walk.tid;
	mm = get_task_mm(c->task);
	if (!mm)
		return 0;
	if (compat_mm_read_lock(mm)) {
		mmput(mm);
		return -EINTR;
	}
	c->mm = mm;
	return 0;
}

static void *find(struct cursor *c)
{
	struct vm_area_struct *vma;
	int err;

	for (;;) {
		if (!c->task) {
			c->task = bc_tasks_get(&c->walk, true);
			if (!c->task)
				return NULL;
			err = enter(c);
			if (err) {
				leave(c);
				return ERR_PTR(err);
			}
		}
		vma = c->mm ? find_vma(c->mm, c->next_addr) : NULL;
		if (vma)
			return vma;
		leave(c);
		c->walk.tid++;
	}
}

static int mapping_open(struct bc_iter_session *s)
{
	bc_tasks_open(&cursor_of(s)->walk, &s->aim);
	return 0;
}

static void mapping_close(struct bc_iter_session *s)
{
	bc_tasks_close(&cursor_of(s)->walk);
}

static void *mapping_start(struct bc_iter_session *s)
{
	return find(cursor_of(s));
}

static void *mapping_next(struct bc_iter_session *s, void *obj)
{
	cursor_of(s)->next_addr = ((struct vm_area_struct *)obj)->vm_end;
	return find(cursor_of(s));
}

static void mapping_stop(struct bc_iter_session *s, void *vma)
{
	leave(cursor_of(s));
}

static int mapping_fill(struct bc_iter_session *s, void *vma, u64 *words)
{
	words[0] = (unsigned long)cursor_of(s)->task;
	words[1] = (unsigned long)vma;
	return 0;
}

const struct bc_iter_target_ops bc_iter_task_vma = {
	.name = "task_vma",
	.may_sleep = true,
	.locked = true,
	.cursor_bytes = sizeof(struct cursor),
	.attach = bc_tasks_attach,
	.open = mapping_open,
	.close = mapping_close,
	.start = mapping_start,
	.next = mapping_next,
	.stop = mapping_stop,
	.fill = mapping_fill,
	.fill_info = bc_tasks_fill_info,
	.show_fdinfo = bc_tasks_show_fdinfo,
};
