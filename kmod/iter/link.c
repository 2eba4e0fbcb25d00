// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links of iterators: BPF_LINK_CREATE with BPF_TRACE_ITER, what is told of such a link, and BPF_ITER_CREATE on it.
 */
#include "iter.h"
#include "../bpf/commands.h"

struct iter_link {
	struct bc_link link;
	const struct bc_iter_target_ops *target;
	struct bc_iter_aim aim;
};

/* Guards link.prog of all of them. */
static DEFINE_MUTEX(prog_lock);

static struct iter_link *iter_link_of(const struct bc_link *link)
{
	return container_of(link, struct iter_link, link);
}

static void iter_link_free(struct bc_link *link)
{
	struct iter_link *il = iter_link_of(link);

	bc_free(NULL, il, sizeof(*il));
}

static void iter_link_release(struct bc_link *link)
{
	bc_iter_aim_put(&iter_link_of(link)->aim);
}

static bool alike(const struct bc_prog *a, const struct bc_prog *b)
{
	return a->type == b->type && a->expected_attach_type == b->expected_attach_type && a->attach_btf_id == b->attach_btf_id;
}

static int check_sleep(const struct iter_link *il, const struct bc_prog *prog)
{
	return prog->v.sleepable && !il->target->may_sleep ? -EINVAL : 0;
}

static int check_prog(const struct iter_link *il, const struct bc_prog *prog)
{
	return il->target->check_prog ? il->target->check_prog(prog, &il->aim) : 0;
}

/* Sessions go on with the program that they began with. */
static int iter_link_update(struct bc_link *link, struct bc_prog *new_prog, struct bc_prog *old_prog)
{
	struct bc_prog *prog;
	int err;

	mutex_lock(&prog_lock);
	prog = link->prog;
	if (old_prog && prog != old_prog)
		err = -EPERM;
	else if (!alike(prog, new_prog))
		err = -EINVAL;
	else
		err = check_sleep(iter_link_of(link), new_prog);
	if (!err)
		err = check_prog(iter_link_of(link), new_prog);	/* Linux 6.1 takes it unseen */
	if (!err)
		WRITE_ONCE(link->prog, new_prog);
	mutex_unlock(&prog_lock);
	if (!err)
		bc_prog_put(prog);
	return err;
}

void bc_iter_map_fill_info(const struct bc_iter_aim *aim, struct bpf_link_info *info)
{
	info->iter.map.map_id = aim->map->obj.id;
}

void bc_iter_map_show_fdinfo(const struct bc_iter_aim *aim, struct seq_file *m)
{
	seq_printf(m, "map_id:\t%u\n", aim->map->obj.id);
}

static int iter_link_fill_info(const struct bc_link *link, struct bpf_link_info *info, struct bpf_link_info __user *uinfo)
{
	const struct iter_link *il = iter_link_of(link);
	char __user *buf = bc_user_ptr(info->iter.target_name);
	u32 room = info->iter.target_name_len, size = strlen(il->target->name) + 1;

	if (!room != !buf)
		return -EINVAL;
	info->iter.target_name_len = size;
	if (room >= size) {
		if (copy_to_user(buf, il->target->name, size))
			return -EFAULT;
	} else if (room) {
		if (copy_to_user(buf, il->target->name, room - 1) || put_user('\0', buf + room - 1))
			return -EFAULT;
		return -ENOSPC;
	}
	if (il->target->fill_info)
		il->target->fill_info(&il->aim, info);
	return 0;
}

static void iter_link_show_fdinfo(const struct bc_link *link, struct seq_file *m)
{
	const struct iter_link *il = iter_link_of(link);

	seq_printf(m, "target_name:\t%s\n", il->target->name);
	if (il->target->show_fdinfo)
		il->target->show_fdinfo(&il->aim, m);
}

static const struct bc_link_ops iter_link_ops = {
	.release = iter_link_release,
	.free = iter_link_free,
	.update = iter_link_update,
	.fill_info = iter_link_fill_info,
	.show_fdinfo = iter_link_show_fdinfo,
};

static int copy_choice(const union bpf_attr *attr, union bpf_iter_link_info *info)
{
	u8 __user *from = bc_user_ptr(attr->link_create.iter_info);
	u32 len = attr->link_create.iter_info_len;
	int zero;

	memset(info, 0, sizeof(*info));
	if (!from != !len)
		return -EINVAL;
	if (len > PAGE_SIZE)
		return -E2BIG;
	if (len > sizeof(*info)) {
		zero = bc_user_is_zero(from + sizeof(*info), len - sizeof(*info));
		if (zero <= 0)
			return zero ? zero : -E2BIG;
	}
	return copy_from_user(info, from, min_t(u32, len, sizeof(*info))) ? -EFAULT : 0;
}

int bc_iter_attach(const union bpf_attr *attr, struct bc_prog *prog, struct bc_link **link)
{
	union bpf_iter_link_info info;
	struct iter_link *il;
	int err;

	if (attr->link_create.target_fd || attr->link_create.flags)
		return -EINVAL;
	err = copy_choice(attr, &info);
	if (err)
		return err;
	il = bc_alloc(NULL, sizeof(*il));
	if (!il)
		return -ENOMEM;
	/* the verifier saw to it that there is one: bpf_iter_NAME */
	il->target = bc_iter_target(prog->v.attach_func_name + strlen("bpf_iter_"));
	err = -ENOENT;
	if (!il->target)
		goto free;
	err = check_sleep(il, prog);
	if (err)
		goto free;
	err = il->target->attach ? il->target->attach(&info, &il->aim) : 0;
	if (err)
		goto free;
	err = check_prog(il, prog);
	if (err)
		goto put;
	bc_prog_get(prog);
	err = bc_link_init(&il->link, BPF_LINK_TYPE_ITER, &iter_link_ops, prog);
	if (!err) {
		*link = &il->link;
		return 0;
	}
	bc_prog_put(prog);
put:
	bc_iter_aim_put(&il->aim);
free:
	bc_free(NULL, il, sizeof(*il));
	return err;
}

bool bc_iter_is_link(const struct bc_link *link)
{
	return link->ops == &iter_link_ops;
}

struct bc_iter_session *bc_iter_link_session(const struct bc_link *link)
{
	struct bc_iter_session *s;
	struct bc_prog *prog;

	mutex_lock(&prog_lock);
	prog = link->prog;
	bc_prog_get(prog);
	mutex_unlock(&prog_lock);
	s = bc_iter_session_new(prog, iter_link_of(link)->target, &iter_link_of(link)->aim);
	bc_prog_put(prog);
	return s;
}

BC_COMMAND(iter_create)
{
	struct bc_iter_session *s = ERR_PTR(-EINVAL);
	struct bc_link *link;

	if (attr->iter_create.flags)
		return -EINVAL;
	link = bc_link_get_fd(attr->iter_create.link_fd);
	if (IS_ERR(link))
		return PTR_ERR(link);
	if (bc_iter_is_link(link))
		s = bc_iter_link_session(link);
	bc_link_put(link);
	return IS_ERR(s) ? PTR_ERR(s) : bc_iter_session_fd(s);
}
