// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_OBJ_GET_INFO_BY_FD for every kind of object, and BPF_TASK_FD_QUERY.
 */
#include "core.h"
#include "prog.h"
#include "../maps/maps.h"
#include <linux/pid.h>

union any_info {
	struct bpf_prog_info prog;
	struct bpf_map_info map;
	struct bpf_btf_info btf;
	struct bpf_link_info link;
};

/* Bytes of each struct that we know; more must be zero. */
static const u16 known[__BC_OBJ_KINDS] = {
	[BC_OBJ_PROG] = offsetofend(struct bpf_prog_info, attach_btf_id),
	[BC_OBJ_MAP] = sizeof(struct bpf_map_info),
	[BC_OBJ_BTF] = sizeof(struct bpf_btf_info),
	[BC_OBJ_LINK] = sizeof(struct bpf_link_info),
};

static const u16 full[__BC_OBJ_KINDS] = {
	[BC_OBJ_PROG] = sizeof(struct bpf_prog_info),
	[BC_OBJ_MAP] = sizeof(struct bpf_map_info),
	[BC_OBJ_BTF] = sizeof(struct bpf_btf_info),
	[BC_OBJ_LINK] = sizeof(struct bpf_link_info),
};

static int fill_link(struct bc_link *link, struct bpf_link_info *info, struct bpf_link_info __user *uinfo)
{
	struct bc_prog *prog;

	info->type = link->type;
	info->id = link->obj.id;
	/* BPF_LINK_UPDATE may drop it */
	rcu_read_lock_sched();
	prog = READ_ONCE(link->prog);
	info->prog_id = prog ? prog->obj.id : 0;
	rcu_read_unlock_sched();
	return link->ops->fill_info ? link->ops->fill_info(link, info, uinfo) : 0;
}

static int fill(struct bc_object *obj, union any_info *info, void __user *uinfo)
{
	switch (obj->kind) {
	case BC_OBJ_PROG:
		return bc_prog_fill_info(container_of(obj, struct bc_prog, obj), &info->prog);
	case BC_OBJ_MAP:
		memset(&info->map, 0, sizeof(info->map));
		bc_map_fill_info(container_of(obj, struct bc_map, obj), &info->map);
		return 0;
	case BC_OBJ_BTF:
		return bc_btf_fill_info(container_of(obj, struct bc_btf_obj, obj), &info->btf);
	case BC_OBJ_LINK:
		return fill_link(container_of(obj, struct bc_link, obj), &info->link, uinfo);
	}
	return -EINVAL;
}

static int get_info(struct bc_object *obj, const union bpf_attr *attr, union bpf_attr __user *uattr)
{
	u8 __user *uinfo = bc_user_ptr(attr->info.info);
	u32 len = attr->info.info_len;
	union any_info *info;
	int err, filled;

	if (len > PAGE_SIZE)
		return -E2BIG;
	if (len > known[obj->kind]) {
		err = bc_user_is_zero(uinfo + known[obj->kind], len - known[obj->kind]);
		if (err <= 0)
			return err ? err : -E2BIG;
	}
	len = min_t(u32, len, full[obj->kind]);
	info = kzalloc(sizeof(*info), GFP_KERNEL);
	if (!info)
		return -ENOMEM;
	err = -EFAULT;
	if (copy_from_user(info, uinfo, len))
		goto out;
	filled = fill(obj, info, uinfo);
	err = filled;
	if (filled && filled != -ENOSPC)
		goto out;
	/* A name that did not fit is told after the rest. */
	err = copy_to_user(uinfo, info, len) || put_user(len, &uattr->info.info_len) ? -EFAULT : filled;
out:
	kfree(info);
	return err;
}

BC_COMMAND(obj_get_info_by_fd)
{
	struct file *file = fget(attr->info.bpf_fd);
	struct bc_object *obj;
	int err;

	if (!file)
		return -EBADFD;		/* so in Linux, here alone */
	obj = bc_any_object_of_file(file);
	err = obj ? get_info(obj, attr, uattr) : -EINVAL;
	fput(file);
	return err;
}

/* ---- BPF_TASK_FD_QUERY ---- */

static struct file *file_of_task(pid_t pid, u32 fd, int *err)
{
	struct task_struct *task;
	struct files_struct *files;
	struct file *file = NULL;

	rcu_read_lock();
	task = get_pid_task(find_vpid(pid), PIDTYPE_PID);
	rcu_read_unlock();
	*err = -ENOENT;
	if (!task)
		return NULL;
	*err = -EBADF;
	task_lock(task);
	files = task->files;
	if (files) {
		/* The table holds a reference for as long as its lock is held. */
		spin_lock(&files->file_lock);
		if (fd < files_fdtable(files)->max_fds)
			file = rcu_dereference_protected(files_fdtable(files)->fd[fd], lockdep_is_held(&files->file_lock));
		if (file)
			get_file(file);
		spin_unlock(&files->file_lock);
	}
	task_unlock(task);
	put_task_struct(task);
	return file;
}

static int copy_answer(const union bpf_attr *attr, union bpf_attr __user *uattr, const struct bc_fd_query *q)
{
	char __user *buf = bc_user_ptr(attr->task_fd_query.buf);
	u32 len = strlen(q->name), room = attr->task_fd_query.buf_len;
	int err = 0;

	if (put_user(len, &uattr->task_fd_query.buf_len))
		return -EFAULT;
	if (room && buf) {
		if (room > len) {
			if (copy_to_user(buf, q->name, len + 1))
				return -EFAULT;
		} else {
			if (copy_to_user(buf, q->name, room - 1) || put_user('\0', buf + room - 1))
				return -EFAULT;
			err = -ENOSPC;
		}
	}
	if (put_user(q->prog_id, &uattr->task_fd_query.prog_id) || put_user(q->fd_type, &uattr->task_fd_query.fd_type) ||
	    put_user(q->offset, &uattr->task_fd_query.probe_offset) ||
	    put_user(q->addr, &uattr->task_fd_query.probe_addr))
		return -EFAULT;
	return err;
}

static int query(struct file *file, struct bc_fd_query *q)
{
	struct bc_object *obj = bc_object_of_file(file, BC_OBJ_LINK);

	return obj ? bc_link_query(container_of(obj, struct bc_link, obj), q) : bc_perf_event_query(file, q);
}

BC_COMMAND(task_fd_query)
{
	struct bc_fd_query *q;
	struct file *file;
	int err;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (attr->task_fd_query.flags)
		return -EINVAL;
	file = file_of_task(attr->task_fd_query.pid, attr->task_fd_query.fd, &err);
	if (!file)
		return err;
	q = kzalloc(sizeof(*q), GFP_KERNEL);
	err = q ? query(file, q) : -ENOMEM;
	if (!err)
		err = copy_answer(attr, uattr, q);
	kfree(q);
	fput(file);
	return err;
}
