// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_OBJ_PIN and BPF_OBJ_GET. Without a file system of type bpf no path can hold an object.
 */
#include "core.h"
#include <linux/namei.h>

BC_COMMAND(obj_pin)
{
	struct file *file;
	bool ours;

	if (attr->file_flags)
		return -EINVAL;
	file = fget(attr->bpf_fd);
	if (!file)
		return -EBADF;
	ours = bc_any_object_of_file(file) != NULL;
	fput(file);
	return ours ? -EPERM : -EINVAL;
}

BC_COMMAND(obj_get)
{
	struct path path;
	int err;

	if (attr->bpf_fd || attr->file_flags & ~(BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	err = user_path_at(AT_FDCWD, bc_user_ptr(attr->pathname), LOOKUP_FOLLOW, &path);
	if (err)
		return err;
	path_put(&path);
	return -EACCES;
}
