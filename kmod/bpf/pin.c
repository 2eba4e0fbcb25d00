// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_OBJ_PIN and BPF_OBJ_GET: a path in the file system of bpffs.c holds an object, and gives fds of it.
 */
#include "core.h"
#include "bpffs.h"
#include "../compat/vfs.h"

void bc_pin_get(struct bc_object *obj)
{
	bc_object_get(obj);
	if (obj->kind == BC_OBJ_MAP)
		bc_map_uref_get(container_of(obj, struct bc_map, obj));
}

void bc_pin_put(struct bc_object *obj)
{
	struct bc_map *map = container_of(obj, struct bc_map, obj);

	switch (obj->kind) {
	case BC_OBJ_MAP:
		bc_map_uref_put(map);
		bc_map_put(map);
		break;
	case BC_OBJ_LINK:
		bc_link_put(container_of(obj, struct bc_link, obj));
		break;
	default:
		bc_object_put(obj);
	}
}

static struct bc_object *object_to_pin(u32 fd)
{
	struct file *file = fget(fd);
	struct bc_object *obj;

	if (!file)
		return ERR_PTR(-EINVAL);	/* as Linux has it here */
	obj = bc_any_object_of_file(file);
	if (obj && obj->kind != BC_OBJ_BTF)
		bc_pin_get(obj);
	else
		obj = ERR_PTR(-EINVAL);
	fput(file);
	return obj;
}

static int pin_at(const char __user *pathname, struct bc_object *obj)
{
	umode_t mode = S_IFREG | ((S_IRUSR | S_IWUSR) & ~current_umask());
	struct dentry *dentry;
	struct path path;
	int err;

	dentry = user_path_create(AT_FDCWD, pathname, &path, 0);
	if (IS_ERR(dentry))
		return PTR_ERR(dentry);
	err = security_path_mknod(&path, dentry, mode, 0);
	if (!err)
		err = bc_fs_make(path.dentry->d_inode, dentry, mode, obj);
	done_path_create(&path, dentry);
	return err;
}

BC_COMMAND(obj_pin)
{
	struct bc_object *obj;
	int err;

	if (attr->file_flags)
		return -EINVAL;
	obj = object_to_pin(attr->bpf_fd);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	err = pin_at(bc_user_ptr(attr->pathname), obj);
	if (err)
		bc_pin_put(obj);
	return err;
}

static int fd_of_pin(const struct path *path, int flags)
{
	static const int wanted[] = { [O_RDONLY] = MAY_READ, [O_WRONLY] = MAY_WRITE, [O_RDWR] = MAY_READ | MAY_WRITE };
	int err = compat_path_permission(path, wanted[flags]);
	struct bc_object *obj;

	if (err)
		return err;
	obj = bc_fs_object(path->dentry->d_inode);
	if (!obj)
		return -EACCES;
	if (obj->kind == BC_OBJ_LINK && flags != O_RDWR)
		return -EINVAL;
	bc_object_get(obj);
	/* as long as the path is held, the pin is there, and with it the uref that a new fd starts from */
	return bc_object_fd(obj, obj->kind == BC_OBJ_MAP ? flags : O_RDWR);
}

BC_COMMAND(obj_get)
{
	u32 access = attr->file_flags & (BPF_F_RDONLY | BPF_F_WRONLY);
	struct path path;
	int res;

	if (attr->bpf_fd || attr->file_flags != access || access == (BPF_F_RDONLY | BPF_F_WRONLY))
		return -EINVAL;
	res = user_path_at(AT_FDCWD, bc_user_ptr(attr->pathname), LOOKUP_FOLLOW, &path);
	if (res)
		return res;
	res = fd_of_pin(&path, access == BPF_F_RDONLY ? O_RDONLY : access ? O_WRONLY : O_RDWR);
	if (res >= 0)
		touch_atime(&path);
	path_put(&path);
	return res;
}
