// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walking the kernel's cgroups; see cgroup_walk.h.
 */
#include "../bpf.h"
#include "cgroup_walk.h"
#include <linux/cgroup.h>
#include <linux/nsproxy.h>
#include <linux/seq_file.h>

#if defined(HAVE_CGROUP_WALK) && defined(CONFIG_CGROUPS)

bool compat_cgroup_walk_available(void)
{
	return bc_sym.cgroup_v1v2_get_from_fd && bc_sym.css_next_descendant_post && bc_sym.cgroup_mutex;
}

struct cgroup *compat_cgroup_find(u32 fd, u64 id)
{
	if (fd)
		return bc_sym.cgroup_v1v2_get_from_fd(fd);
	return id ? cgroup_get_from_id(id) : cgroup_get_from_path("/");
}

void compat_cgroup_get(struct cgroup *cgrp)
{
	css_get(&cgrp->self);
}

void compat_cgroup_put(struct cgroup *cgrp)
{
	css_put(&cgrp->self);
}

void compat_cgroups_lock(void)
{
	mutex_lock(bc_sym.cgroup_mutex);
}

void compat_cgroups_unlock(void)
{
	mutex_unlock(bc_sym.cgroup_mutex);
}

struct cgroup *compat_cgroup_next(struct cgroup *start, struct cgroup *last, u32 order)
{
	struct cgroup_subsys_state *css, *from = last ? &last->self : NULL;

	switch (order) {
	case BPF_CGROUP_ITER_DESCENDANTS_PRE:
		css = css_next_descendant_pre(from, &start->self);
		break;
	case BPF_CGROUP_ITER_DESCENDANTS_POST:
		css = bc_sym.css_next_descendant_post(from, &start->self);
		break;
	case BPF_CGROUP_ITER_ANCESTORS_UP:
		css = from ? from->parent : &start->self;
		break;
	default:
		css = from ? NULL : &start->self;
		break;
	}
	return css ? css->cgroup : NULL;
}

bool compat_cgroup_is_dead(const struct cgroup *cgrp)
{
	return !(cgrp->self.flags & CSS_ONLINE);
}

u64 compat_cgroup_number(struct cgroup *cgrp)
{
	return cgroup_id(cgrp);
}

void compat_cgroup_show_path(struct cgroup *cgrp, struct seq_file *m)
{
	char *buf = kzalloc(PATH_MAX, GFP_KERNEL);

	if (buf) {
		cgroup_path_ns(cgrp, buf, PATH_MAX, current->nsproxy->cgroup_ns);
		seq_printf(m, "cgroup_path:\t%s\n", buf);
	} else {
		seq_puts(m, "cgroup_path:\t<unknown>\n");
	}
	kfree(buf);
}

#else

bool compat_cgroup_walk_available(void)
{
	return false;
}

struct cgroup *compat_cgroup_find(u32 fd, u64 id)
{
	return ERR_PTR(-EOPNOTSUPP);
}

void compat_cgroup_get(struct cgroup *cgrp)
{
}

void compat_cgroup_put(struct cgroup *cgrp)
{
}

void compat_cgroups_lock(void)
{
}

void compat_cgroups_unlock(void)
{
}

struct cgroup *compat_cgroup_next(struct cgroup *start, struct cgroup *last, u32 order)
{
	return NULL;
}

bool compat_cgroup_is_dead(const struct cgroup *cgrp)
{
	return true;
}

u64 compat_cgroup_number(struct cgroup *cgrp)
{
	return 0;
}

void compat_cgroup_show_path(struct cgroup *cgrp, struct seq_file *m)
{
}

#endif
