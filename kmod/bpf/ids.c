// SPDX-License-Identifier: GPL-2.0-only
/*
 * *_GET_NEXT_ID and *_GET_FD_BY_ID: how bpftool finds what lives in the kernel. For CAP_SYS_ADMIN alone, as on Linux.
 */
#include "core.h"

static int next_id(enum bc_obj_kind kind, union bpf_attr *attr, union bpf_attr __user *uattr)
{
	u32 id;

	if (attr->start_id >= INT_MAX)
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (kind == BC_OBJ_BTF)
		bc_btf_vmlinux();	/* has an id as soon as somebody looks */
	id = bc_object_next_id(kind, attr->start_id);
	if (!id)
		return -ENOENT;
	return put_user(id, &uattr->next_id);
}

BC_COMMAND(prog_get_next_id)
{
	return next_id(BC_OBJ_PROG, attr, uattr);
}

BC_COMMAND(map_get_next_id)
{
	return next_id(BC_OBJ_MAP, attr, uattr);
}

BC_COMMAND(btf_get_next_id)
{
	return next_id(BC_OBJ_BTF, attr, uattr);
}

BC_COMMAND(link_get_next_id)
{
	return next_id(BC_OBJ_LINK, attr, uattr);
}

static int fd_by_id(enum bc_obj_kind kind, u32 id, int flags)
{
	struct bc_object *obj;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	obj = bc_object_by_id(kind, id);
	return obj ? bc_object_fd(obj, flags) : -ENOENT;
}

BC_COMMAND(prog_get_fd_by_id)
{
	return fd_by_id(BC_OBJ_PROG, attr->prog_id, O_RDWR);
}

BC_COMMAND(map_get_fd_by_id)
{
	u32 access = attr->open_flags & (BPF_F_RDONLY | BPF_F_WRONLY);

	if (attr->open_flags & ~(BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (access == (BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	return fd_by_id(BC_OBJ_MAP, attr->map_id,
			access == BPF_F_RDONLY ? O_RDONLY : access == BPF_F_WRONLY ? O_WRONLY : O_RDWR);
}

BC_COMMAND(btf_get_fd_by_id)
{
	return fd_by_id(BC_OBJ_BTF, attr->btf_id, O_RDONLY);
}

BC_COMMAND(link_get_fd_by_id)
{
	return fd_by_id(BC_OBJ_LINK, attr->link_id, O_RDWR);
}
