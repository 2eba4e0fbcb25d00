/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Operations of inodes, as file systems see them.
 */
#ifndef BPFCOMPAT_COMPAT_VFS_H
#define BPFCOMPAT_COMPAT_VFS_H

#include "compat.h"
#include <linux/kobject.h>
#include <linux/namei.h>
#include <linux/security.h>
#include <linux/sysfs.h>

/* What an operation is told of the mount's ids, before its other parameters. */
#if defined(HAVE_VFS_IDMAP)
#define COMPAT_MOUNT_IDS struct mnt_idmap *ids,
#elif defined(HAVE_VFS_USERNS)
#define COMPAT_MOUNT_IDS struct user_namespace *ids,
#else
#define COMPAT_MOUNT_IDS
#endif

static inline void compat_inode_is_new(struct inode *inode)
{
#if defined(HAVE_SIMPLE_INODE_INIT_TS)
	simple_inode_init_ts(inode);
#elif defined(HAVE_CURRENT_TIME)
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
#else
	inode->i_atime = inode->i_mtime = inode->i_ctime = CURRENT_TIME;
#endif
}

/* Something was added to the directory. */
static inline void compat_dir_changed(struct inode *dir)
{
#if defined(HAVE_SIMPLE_INODE_INIT_TS)
	inode_set_mtime_to_ts(dir, inode_set_ctime_current(dir));
#elif defined(HAVE_CURRENT_TIME)
	dir->i_mtime = dir->i_ctime = current_time(dir);
#else
	dir->i_mtime = dir->i_ctime = CURRENT_TIME;
#endif
}

static inline int compat_path_permission(const struct path *path, int mask)
{
#ifdef HAVE_PATH_PERMISSION
	return path_permission(path, mask);
#else
	return inode_permission(path->dentry->d_inode, mask);
#endif
}

/* An empty directory in sysfs to mount on: one that stays empty, where the kernel has a way to tell. */
struct compat_mount_point {
	struct kobject *kobject;
	bool made;
};

static inline void compat_mount_point_make(struct compat_mount_point *m, struct kobject *parent, const char *name)
{
#ifdef HAVE_SYSFS_MOUNT_POINT
	m->made = !sysfs_create_mount_point(parent, name);
#else
	m->kobject = kobject_create_and_add(name, parent);
#endif
}

static inline void compat_mount_point_remove(struct compat_mount_point *m, struct kobject *parent, const char *name)
{
#ifdef HAVE_SYSFS_MOUNT_POINT
	if (m->made)
		sysfs_remove_mount_point(parent, name);
#endif
	kobject_put(m->kobject);
}

#endif
