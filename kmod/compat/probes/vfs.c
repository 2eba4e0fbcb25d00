/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of what a file system meets: operations of inodes and superblocks. */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/fs.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid_namespace.h>
#include <linux/sysfs.h>

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_VFS_IDMAP"
static inline int probe_idmap(struct mnt_idmap *m, struct inode *dir, struct dentry *d) { return dir->i_op->mknod(m, dir, d, 0, 0); }

#line 1 "HAVE_VFS_USERNS"
static inline int probe_userns(struct user_namespace *n, struct inode *dir, struct dentry *d) { return dir->i_op->mknod(n, dir, d, 0, 0); }

#line 1 "HAVE_VFS_MKOBJ"
static inline int probe_mkobj(struct dentry *d, int (*f)(struct dentry *, umode_t, void *)) { return vfs_mkobj(d, 0, f, NULL); }

#line 1 "HAVE_PATH_PERMISSION"
static inline int probe_path_permission(const struct path *p) { return path_permission(p, MAY_READ); }

#line 1 "HAVE_CURRENT_TIME"
static inline void probe_current_time(struct inode *i) { i->i_mtime = current_time(i); }

#line 1 "HAVE_SIMPLE_INODE_INIT_TS"
static inline void probe_init_ts(struct inode *i) { simple_inode_init_ts(i); }

#line 1 "HAVE_FREE_INODE"
static inline void probe_free_inode(struct super_operations *o, struct inode *i) { o->free_inode = NULL; i->i_link = NULL; }

#line 1 "HAVE_SYSFS_MOUNT_POINT"
static inline int probe_mount_point(struct kobject *k) { return sysfs_create_mount_point(k, ""); }

#line 1 "HAVE_ND_SET_LINK"
static inline void probe_nd_set_link(struct nameidata *nd, char *s) { nd_set_link(nd, s); }

#line 1 "HAVE_FILE_OPEN_ROOT_MODE"
static inline struct file *probe_open_root(struct vfsmount *m) { return file_open_root_mnt(m, "", O_RDONLY, 0); }

#line 1 "HAVE_PIDNS_PROC_MNT"
static inline struct vfsmount *probe_proc_mnt(struct pid_namespace *ns) { return ns->proc_mnt; }
