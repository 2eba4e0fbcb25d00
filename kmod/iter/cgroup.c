// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "cgroup": a cgroup with what is below it, in either order, or above it, or alone. As in Linux, groups stand still while a
 * reader is shown them, so that a walk must come to its end in one read; and a program that returns other than 0 ends it.
 */
#include "iter.h"
#include "../compat/cgroup_walk.h"

struct cursor {
	bool begun, over;
	bool enough;		/* the program wants no more */
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static int cgroup_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim)
{
	struct cgroup *cgrp;

	if (info->cgroup.order < BPF_CGROUP_ITER_SELF_ONLY || info->cgroup.order > BPF_CGROUP_ITER_ANCESTORS_UP)
		return -EINVAL;
	if (info->cgroup.cgroup_fd && info->cgroup.cgroup_id)
		return -EINVAL;
	cgrp = compat_cgroup_find(info->cgroup.cgroup_fd, info->cgroup.cgroup_id);
	if (IS_ERR(cgrp))
		return PTR_ERR(cgrp);
	aim->cgroup = cgrp;
	aim->order = info->cgroup.order;
	return 0;
}

/* The lock is held as long as there is one. */
static void *walk(struct bc_iter_session *s, struct cgroup *last)
{
	struct cgroup *cgrp = cursor_of(s)->enough ? NULL : compat_cgroup_next(s->aim.cgroup, last, s->aim.order);

	while (cgrp && compat_cgroup_is_dead(cgrp)) {
		s->meta.seq_num++;
		cgrp = compat_cgroup_next(s->aim.cgroup, cgrp, s->aim.order);
	}
	if (cgrp)
		return cgrp;
	cursor_of(s)->over = true;
	compat_cgroups_unlock();
	return NULL;
}

static void *cgroup_start(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);

	if (c->begun)
		return c->over ? NULL : ERR_PTR(-EOPNOTSUPP);
	c->begun = true;
	compat_cgroups_lock();
	return walk(s, NULL);
}

static void *cgroup_next(struct bc_iter_session *s, void *obj)
{
	return walk(s, obj);
}

static void cgroup_stop(struct bc_iter_session *s, void *obj)
{
	compat_cgroups_unlock();
}

static int cgroup_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	words[0] = (unsigned long)obj;
	return 0;
}

static void cgroup_said(struct bc_iter_session *s, u32 ret)
{
	cursor_of(s)->enough |= ret;
}

static void cgroup_fill_info(const struct bc_iter_aim *aim, struct bpf_link_info *info)
{
	info->iter.cgroup.order = aim->order;
	info->iter.cgroup.cgroup_id = compat_cgroup_number(aim->cgroup);
}

static void cgroup_show_fdinfo(const struct bc_iter_aim *aim, struct seq_file *m)
{
	static const char *const names[] = {
		[BPF_CGROUP_ITER_SELF_ONLY] = "self_only",
		[BPF_CGROUP_ITER_DESCENDANTS_PRE] = "descendants_pre",
		[BPF_CGROUP_ITER_DESCENDANTS_POST] = "descendants_post",
		[BPF_CGROUP_ITER_ANCESTORS_UP] = "ancestors_up",
	};

	compat_cgroup_show_path(aim->cgroup, m);
	seq_printf(m, "order: %s\n", names[aim->order]);
}

const struct bc_iter_target_ops bc_iter_cgroup = {
	.name = "cgroup",
	.may_sleep = true,
	.locked = true,
	.cursor_bytes = sizeof(struct cursor),
	.available = compat_cgroup_walk_available,
	.attach = cgroup_attach,
	.start = cgroup_start,
	.next = cgroup_next,
	.stop = cgroup_stop,
	.fill = cgroup_fill,
	.said = cgroup_said,
	.fill_info = cgroup_fill_info,
	.show_fdinfo = cgroup_show_fdinfo,
};
