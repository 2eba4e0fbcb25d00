// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fds of objects: anonymous inodes with their own file operations, so that dup, fork, SCM_RIGHTS, poll and mmap are the kernel's
 * business and not ours.
 */
#include "core.h"
#include "../maps/maps.h"

static const struct file_operations object_fops[__BC_OBJ_KINDS];

static struct bc_object *object_of(const struct file *file)
{
	return file->private_data;
}

static struct bc_map *map_of(const struct file *file)
{
	return container_of(object_of(file), struct bc_map, obj);
}

static int map_release(struct inode *inode, struct file *file)
{
	struct bc_map *map = map_of(file);

	if (map->ops->release_file)
		map->ops->release_file(map, file);
	bc_map_uref_put(map);
	bc_map_put(map);
	return 0;
}

static int map_mmap(struct file *file, struct vm_area_struct *vma)
{
	return bc_map_mmap(map_of(file), vma);
}

static __poll_t map_poll(struct file *file, struct poll_table_struct *pts)
{
	return bc_map_poll(map_of(file), file, pts);
}

static BC_FDINFO_RET map_fdinfo(struct seq_file *m, struct file *file)
{
	bc_map_show_fdinfo(map_of(file), m);
	BC_FDINFO_RETURN;
}

static int prog_release(struct inode *inode, struct file *file)
{
	bc_prog_put(container_of(object_of(file), struct bc_prog, obj));
	return 0;
}

static BC_FDINFO_RET prog_fdinfo(struct seq_file *m, struct file *file)
{
	bc_prog_show_fdinfo(container_of(object_of(file), struct bc_prog, obj), m);
	BC_FDINFO_RETURN;
}

static int link_release(struct inode *inode, struct file *file)
{
	bc_link_put(container_of(object_of(file), struct bc_link, obj));
	return 0;
}

static BC_FDINFO_RET link_fdinfo(struct seq_file *m, struct file *file)
{
	bc_link_show_fdinfo(container_of(object_of(file), struct bc_link, obj), m);
	BC_FDINFO_RETURN;
}

static int btf_release(struct inode *inode, struct file *file)
{
	bc_object_put(object_of(file));
	return 0;
}

static BC_FDINFO_RET btf_fdinfo(struct seq_file *m, struct file *file)
{
	seq_printf(m, "btf_id:\t%u\n", object_of(file)->id);
	BC_FDINFO_RETURN;
}

#ifdef CONFIG_COMPAT
#define COMPAT_IOCTL .compat_ioctl = bc_compat_ioctl,
#else
#define COMPAT_IOCTL
#endif

#define OBJECT_FOPS(kind) \
	.owner = THIS_MODULE, \
	.release = kind##_release, \
	.show_fdinfo = kind##_fdinfo, \
	.unlocked_ioctl = bc_ioctl, \
	COMPAT_IOCTL \
	.llseek = noop_llseek

static const struct file_operations object_fops[__BC_OBJ_KINDS] = {
	[BC_OBJ_MAP] = { OBJECT_FOPS(map), .mmap = map_mmap, .poll = map_poll },
	[BC_OBJ_PROG] = { OBJECT_FOPS(prog) },
	[BC_OBJ_LINK] = { OBJECT_FOPS(link) },
	[BC_OBJ_BTF] = { OBJECT_FOPS(btf) },
};

static int object_fd(struct bc_object *obj, int flags, const char *name)
{
	struct bc_map *map = obj->kind == BC_OBJ_MAP ? container_of(obj, struct bc_map, obj) : NULL;
	int fd;

	if (map)
		bc_map_uref_get(map);
	if (obj->kind == BC_OBJ_LINK)
		flags = O_RDONLY;	/* as Linux's */
	fd = anon_inode_getfd(name, &object_fops[obj->kind], obj, flags | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	if (map)
		bc_map_uref_put(map);
	if (obj->kind == BC_OBJ_LINK)
		bc_link_put(container_of(obj, struct bc_link, obj));
	else
		bc_object_put(obj);
	return fd;
}

int bc_object_fd(struct bc_object *obj, int flags)
{
	static const char *const names[__BC_OBJ_KINDS] = {
		[BC_OBJ_MAP] = "bpf-map", [BC_OBJ_PROG] = "bpf-prog", [BC_OBJ_LINK] = "bpf-link", [BC_OBJ_BTF] = "btf",
	};

	return object_fd(obj, flags, names[obj->kind]);
}

int bc_new_link_fd(struct bc_object *obj)
{
	return object_fd(obj, O_RDWR, "bpf_link");
}

struct bc_object *bc_object_of_file(struct file *file, enum bc_obj_kind kind)
{
	return file->f_op == &object_fops[kind] ? file->private_data : NULL;
}

struct bc_object *bc_any_object_of_file(struct file *file)
{
	u32 kind;

	for (kind = 0; kind < __BC_OBJ_KINDS; kind++)
		if (file->f_op == &object_fops[kind])
			return file->private_data;
	return NULL;
}

struct bc_object *bc_object_get_fd(u32 fd, enum bc_obj_kind kind)
{
	struct file *file = fget(fd);
	struct bc_object *obj;

	if (!file)
		return ERR_PTR(-EBADF);
	obj = bc_object_of_file(file, kind);
	if (obj)
		bc_object_get(obj);
	fput(file);
	return obj ? obj : ERR_PTR(-EINVAL);
}
