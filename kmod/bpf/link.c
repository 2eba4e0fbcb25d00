// SPDX-License-Identifier: GPL-2.0-only
/*
 * Links: an attachment as an object, and the commands that make, change and end them.
 */
#include "core.h"

static void link_free(struct bc_object *obj)
{
	struct bc_link *link = container_of(obj, struct bc_link, obj);
	struct bc_prog *prog = link->prog;

	link->ops->free(link);
	if (prog)
		bc_prog_put(prog);
}

static const struct bc_obj_ops link_obj_ops = { .free = link_free };

int bc_link_init(struct bc_link *link, u32 type, const struct bc_link_ops *ops, struct bc_prog *prog)
{
	link->type = type;
	link->ops = ops;
	link->prog = prog;
	return bc_object_init(&link->obj, BC_OBJ_LINK, &link_obj_ops);
}

/* Links are put by processes only, so that the last one detaches before it returns. */
void bc_link_put(struct bc_link *link)
{
	if (bc_object_put_last(&link->obj)) {
		if (link->ops->release)
			link->ops->release(link);
		bc_object_free_later(&link->obj);
	}
}

struct bc_prog *bc_link_prog_get(const struct bc_link *link)
{
	struct bc_prog *prog;

	rcu_read_lock_sched();
	prog = READ_ONCE(link->prog);
	if (prog && !bc_object_get_unless_zero(&prog->obj))
		prog = NULL;
	rcu_read_unlock_sched();
	return prog;
}

struct bc_link *bc_link_get_fd(u32 fd)
{
	struct bc_object *obj = bc_object_get_fd(fd, BC_OBJ_LINK);

	return IS_ERR(obj) ? ERR_CAST(obj) : container_of(obj, struct bc_link, obj);
}

int bc_link_fd(struct bc_link *link)
{
	int err = bc_object_publish(&link->obj);

	if (err) {
		bc_link_put(link);
		return err;
	}
	return bc_new_link_fd(&link->obj);
}

void bc_link_show_fdinfo(const struct bc_link *link, struct seq_file *m)
{
	static const char *const names[] = {
		[BPF_LINK_TYPE_RAW_TRACEPOINT] = "raw_tracepoint",
		[BPF_LINK_TYPE_TRACING] = "tracing",
		[BPF_LINK_TYPE_CGROUP] = "cgroup",
		[BPF_LINK_TYPE_ITER] = "iter",
		[BPF_LINK_TYPE_NETNS] = "netns",
		[BPF_LINK_TYPE_XDP] = "xdp",
		[BPF_LINK_TYPE_PERF_EVENT] = "perf",
		[BPF_LINK_TYPE_KPROBE_MULTI] = "kprobe_multi",
		[BPF_LINK_TYPE_STRUCT_OPS] = "struct_ops",
	};
	const struct bc_prog *prog;

	if (link->type < ARRAY_SIZE(names) && names[link->type])
		seq_printf(m, "link_type:\t%s\n", names[link->type]);
	else
		seq_printf(m, "link_type:\t<%u>\n", link->type);
	seq_printf(m, "link_id:\t%u\n", link->obj.id);
	/* BPF_LINK_UPDATE may drop it */
	rcu_read_lock_sched();
	prog = READ_ONCE(link->prog);
	if (prog)
		bc_prog_show_tag_and_id(prog, m);
	rcu_read_unlock_sched();
	if (link->ops->show_fdinfo)
		link->ops->show_fdinfo(link, m);
}

/* ---- commands ---- */

#define TP_NAME_MAX 128

static int link_tracing(struct bc_prog *prog, u64 cookie, struct bc_link **link)
{
	if (prog->expected_attach_type == BPF_TRACE_RAW_TP)
		return bc_raw_tp_open(prog->v.attach_func_name, prog, link);
	return bc_tracing_attach(prog, cookie, link);
}

BC_COMMAND(raw_tracepoint_open)
{
	const char __user *uname = bc_user_ptr(attr->raw_tracepoint.name);
	struct bc_prog *prog = bc_prog_get_fd(attr->raw_tracepoint.prog_fd);
	struct bc_link *link;
	char name[TP_NAME_MAX];
	int res;

	if (IS_ERR(prog))
		return PTR_ERR(prog);
	switch (prog->type) {
	case BPF_PROG_TYPE_TRACING:
		/* the place was named at load */
		res = uname ? -EINVAL : link_tracing(prog, 0, &link);
		break;
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		res = strncpy_from_user(name, uname, sizeof(name) - 1) < 0 ? -EFAULT : 0;
		name[sizeof(name) - 1] = '\0';
		if (!res)
			res = bc_raw_tp_open(name, prog, &link);
		break;
	default:
		res = -EINVAL;
	}
	bc_prog_put(prog);
	return res ? res : bc_link_fd(link);
}

static int link_perf_event(const union bpf_attr *attr, struct bc_prog *prog, struct bc_link **link)
{
	struct file *file;
	int err;

	if (attr->link_create.flags)
		return -EINVAL;
	file = fget(attr->link_create.target_fd);
	if (!file)
		return -EBADF;
	err = bc_perf_event_attach(file, prog, attr->link_create.perf_event.bpf_cookie, link);
	fput(file);
	return err;
}

static int link_function(const union bpf_attr *attr, struct bc_prog *prog, struct bc_link **link)
{
	if (attr->link_create.attach_type != prog->expected_attach_type)
		return -EINVAL;
	if (prog->expected_attach_type == BPF_TRACE_ITER)
		return bc_iter_attach(attr, prog, link);
	/* another target than at load: for extensions alone */
	if (prog->expected_attach_type != BPF_TRACE_RAW_TP && (attr->link_create.target_fd || attr->link_create.target_btf_id))
		return -EINVAL;
	return link_tracing(prog, attr->link_create.tracing.cookie, link);
}

BC_COMMAND(link_create)
{
	struct bc_prog *prog = bc_prog_get_fd(attr->link_create.prog_fd);
	struct bc_link *link;
	int res = -EINVAL;

	if (IS_ERR(prog))
		return PTR_ERR(prog);
	switch (prog->type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
		if (attr->link_create.attach_type == BPF_PERF_EVENT)
			res = link_perf_event(attr, prog, &link);
		else if (attr->link_create.attach_type == BPF_TRACE_KPROBE_MULTI && prog->type == BPF_PROG_TYPE_KPROBE)
			res = -EOPNOTSUPP;	/* as a kernel without fprobe */
		break;
	case BPF_PROG_TYPE_TRACING:
		res = link_function(attr, prog, &link);
		break;
	}
	bc_prog_put(prog);
	return res ? res : bc_link_fd(link);
}

BC_COMMAND(link_update)
{
	u32 flags = attr->link_update.flags;
	struct bc_prog *new_prog, *old_prog = NULL;
	struct bc_link *link;
	int err;

	if (flags & ~BPF_F_REPLACE)
		return -EINVAL;
	link = bc_link_get_fd(attr->link_update.link_fd);
	if (IS_ERR(link))
		return PTR_ERR(link);
	new_prog = bc_prog_get_fd(attr->link_update.new_prog_fd);
	err = PTR_ERR(new_prog);
	if (IS_ERR(new_prog))
		goto put_link;
	if (flags & BPF_F_REPLACE) {
		old_prog = bc_prog_get_fd(attr->link_update.old_prog_fd);
		err = PTR_ERR(old_prog);
		if (IS_ERR(old_prog)) {
			old_prog = NULL;
			goto put_progs;
		}
	} else if (attr->link_update.old_prog_fd) {
		err = -EINVAL;
		goto put_progs;
	}
	err = link->ops->update ? link->ops->update(link, new_prog, old_prog) : -EINVAL;
	if (!err)
		new_prog = NULL;	/* the link's now */
put_progs:
	if (old_prog)
		bc_prog_put(old_prog);
	if (new_prog)
		bc_prog_put(new_prog);
put_link:
	bc_link_put(link);
	return err;
}

BC_COMMAND(link_detach)
{
	struct bc_link *link = bc_link_get_fd(attr->link_detach.link_fd);
	int err;

	if (IS_ERR(link))
		return PTR_ERR(link);
	err = link->ops->detach ? link->ops->detach(link) : -EOPNOTSUPP;
	bc_link_put(link);
	return err;
}
