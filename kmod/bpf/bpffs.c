// SPDX-License-Identifier: GPL-2.0-only
/*
 * The file system of type bpf: directories and symbolic links as users make them, and files that hold one object each (made by
 * BPF_OBJ_PIN) till they are unlinked and closed. A kernel that has one of that name has it for its own objects: there ours is of type
 * bpfcompat, and the shim mounts that for who asks for the other.
 */
#include "bpffs.h"
#include "core.h"
#include "../compat/vfs.h"
#include <linux/magic.h>
#include <linux/mount.h>
#include <linux/parser.h>
#include <linux/seq_file.h>

#ifndef BPF_FS_MAGIC
#define BPF_FS_MAGIC	0xcafe4a11
#endif
#define MOUNT_POINT	"/sys/fs/bpf"

static const struct inode_operations dir_iops;

/* What an inode is tells what its object is. */
static const struct inode_operations object_iops[__BC_OBJ_KINDS];

struct bc_object *bc_fs_object(const struct inode *inode)
{
	u32 kind;

	for (kind = 0; kind < __BC_OBJ_KINDS; kind++)
		if (inode->i_op == &object_iops[kind])
			return inode->i_private;
	return NULL;
}

/* ---- inodes ---- */

/* Owned by who makes it; in a directory with S_ISGID by that one's group. @dir NULL: the root. */
static struct inode *make_inode(struct super_block *sb, const struct inode *dir, umode_t mode)
{
	struct inode *inode = new_inode(sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_uid = current_fsuid();
	inode->i_gid = current_fsgid();
	inode->i_mode = mode;
	if (dir && dir->i_mode & S_ISGID) {
		inode->i_gid = dir->i_gid;
		if (S_ISDIR(mode))
			inode->i_mode |= S_ISGID;
	}
	compat_inode_is_new(inode);
	return inode;
}

static void make_dir(struct inode *inode)
{
	inode->i_op = &dir_iops;
	inode->i_fop = &simple_dir_operations;
	inc_nlink(inode);	/* for "." */
}

/* The name stays, though nobody may use it: it is not on any disk. */
static void put_name(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
	d_instantiate(dentry, inode);
	dget(dentry);
	compat_dir_changed(dir);
}

static int object_open(struct inode *inode, struct file *file)
{
	return -EIO;
}

static const struct file_operations object_fops = {
	.owner = THIS_MODULE,
	.open = object_open,
};

static int put_object(struct inode *dir, struct dentry *dentry, umode_t mode, struct bc_object *obj)
{
	struct inode *inode = make_inode(dir->i_sb, dir, mode);

	if (!inode)
		return -ENOSPC;
	inode->i_op = &object_iops[obj->kind];
	inode->i_fop = obj->kind == BC_OBJ_LINK && bc_iter_is_link(container_of(obj, struct bc_link, obj)) ? &bc_iter_link_fops :
													&object_fops;
	inode->i_private = obj;
	put_name(dir, dentry, inode);
	return 0;
}

/* ---- making one, with the checks of the VFS ---- */

#ifdef HAVE_VFS_MKOBJ

static int put_given(struct dentry *dentry, umode_t mode, void *obj)
{
	return put_object(dentry->d_parent->d_inode, dentry, mode, obj);
}

int bc_fs_make(struct inode *dir, struct dentry *dentry, umode_t mode, struct bc_object *obj)
{
	return dir->i_op == &dir_iops ? vfs_mkobj(dentry, mode, put_given, obj) : -EPERM;
}

#define MKNOD

#else

/* The VFS has no way to make a file that is something, but for device nodes: the object goes with the name that it is for. */
int bc_fs_make(struct inode *dir, struct dentry *dentry, umode_t mode, struct bc_object *obj)
{
	int err;

	if (dir->i_op != &dir_iops)
		return -EPERM;
	dentry->d_fsdata = obj;
	err = vfs_mknod(dir, dentry, mode, 0);
	dentry->d_fsdata = NULL;
	return err;
}

static int dir_mknod(struct inode *dir, struct dentry *dentry, umode_t mode, dev_t dev)
{
	return dentry->d_fsdata ? put_object(dir, dentry, mode, dentry->d_fsdata) : -EPERM;
}

#define MKNOD .mknod = dir_mknod,

#endif

/* ---- directories ---- */

/* Names with a dot are Linux's for times to come. */
static struct dentry *dir_lookup(struct inode *dir, struct dentry *dentry, unsigned int flags)
{
	if (dir->i_mode & S_IALLUGO && strchr(dentry->d_name.name, '.'))
		return ERR_PTR(-EPERM);
	return simple_lookup(dir, dentry, flags);
}

static int dir_mkdir(COMPAT_MOUNT_IDS struct inode *dir, struct dentry *dentry, umode_t mode)
{
	struct inode *inode = make_inode(dir->i_sb, dir, mode | S_IFDIR);

	if (!inode)
		return -ENOSPC;
	make_dir(inode);
	inc_nlink(dir);
	put_name(dir, dentry, inode);
	return 0;
}

/* ---- symbolic links: their text must outlive those who follow them without a lock ---- */

#ifdef HAVE_FREE_INODE

#define SYMLINK_IOPS simple_symlink_inode_operations

static void set_text(struct inode *inode, char *text)
{
	inode->i_link = text;
}

/* A grace period after the last use. */
static void fs_free_inode(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_link);
	free_inode_nonrcu(inode);
}

#define FREE_INODE .free_inode = fs_free_inode,

static void free_text(struct inode *inode)
{
}

#elif defined(HAVE_ND_SET_LINK)

static void *follow(struct dentry *dentry, struct nameidata *nd)
{
	nd_set_link(nd, dentry->d_inode->i_private);
	return NULL;
}

static const struct inode_operations symlink_iops = {
	.readlink = generic_readlink,
	.follow_link = follow,
};

#define SYMLINK_IOPS symlink_iops
#define FREE_INODE

static void set_text(struct inode *inode, char *text)
{
	inode->i_private = text;
}

/* Whoever follows it holds the inode. */
static void free_text(struct inode *inode)
{
	if (S_ISLNK(inode->i_mode))
		kfree(inode->i_private);
}

#else

#define FREE_INODE

static void free_text(struct inode *inode)
{
}

#endif

#ifdef SYMLINK_IOPS

static int dir_symlink(COMPAT_MOUNT_IDS struct inode *dir, struct dentry *dentry, const char *target)
{
	char *text = kstrdup(target, GFP_KERNEL);
	struct inode *inode;

	if (!text)
		return -ENOMEM;
	inode = make_inode(dir->i_sb, dir, S_IFLNK | S_IRWXUGO);
	if (!inode) {
		kfree(text);
		return -ENOSPC;
	}
	inode->i_op = &SYMLINK_IOPS;
	set_text(inode, text);
	inode->i_size = strlen(text);
	put_name(dir, dentry, inode);
	return 0;
}

#define SYMLINK .symlink = dir_symlink,

#else
#define SYMLINK
#endif

static const struct inode_operations dir_iops = {
	.lookup = dir_lookup,
	.mkdir = dir_mkdir,
	MKNOD
	SYMLINK
	.link = simple_link,
	.unlink = simple_unlink,
	.rmdir = simple_rmdir,
	.rename = simple_rename,
};

/* ---- the superblock ---- */

/* Others than mode= are taken and of no account, as on Linux. */
static int read_options(char *options, umode_t *mode)
{
	static const match_table_t known = { { 1, "mode=%o" }, { 0, NULL } };
	substring_t args[MAX_OPT_ARGS];
	char *word;
	int number;

	while (options && (word = strsep(&options, ",")) != NULL) {
		if (strncmp(word, "mode=", 5))
			continue;
		if (match_token(word, known, args) != 1 || match_octal(&args[0], &number))
			return -EINVAL;
		*mode = number & S_IALLUGO;
	}
	return 0;
}

static void fs_evict_inode(struct inode *inode)
{
	struct bc_object *obj = bc_fs_object(inode);

	truncate_inode_pages(&inode->i_data, 0);
	clear_inode(inode);
	free_text(inode);
	if (obj)
		bc_pin_put(obj);
}

/* Changes nothing, as on Linux. */
static int fs_remount(struct super_block *sb, int *flags, char *options)
{
	umode_t mode;

	return read_options(options, &mode);
}

static int fs_show_options(struct seq_file *m, struct dentry *root)
{
	umode_t mode = root->d_inode->i_mode & S_IALLUGO & ~S_ISVTX;

	if (mode != S_IRWXUGO)
		seq_printf(m, ",mode=%o", mode);
	return 0;
}

static const struct super_operations super_ops = {
	.statfs = simple_statfs,
	.drop_inode = generic_delete_inode,
	.evict_inode = fs_evict_inode,
	.remount_fs = fs_remount,
	.show_options = fs_show_options,
	FREE_INODE
};

static int fs_fill_super(struct super_block *sb, void *data, int silent)
{
	umode_t mode = S_IRWXUGO;
	struct inode *root;
	int err = read_options(data, &mode);

	if (err)
		return err;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_blocksize = PAGE_SIZE;
	sb->s_blocksize_bits = PAGE_SHIFT;
	sb->s_magic = BPF_FS_MAGIC;
	sb->s_op = &super_ops;
	sb->s_time_gran = 1;
	root = make_inode(sb, NULL, S_IFDIR | S_ISVTX | mode);
	if (!root)
		return -ENOMEM;
	root->i_ino = 1;
	root->i_uid = GLOBAL_ROOT_UID;
	root->i_gid = GLOBAL_ROOT_GID;
	make_dir(root);
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static struct dentry *fs_mount(struct file_system_type *type, int flags, const char *name, void *data)
{
	return mount_nodev(type, flags, data, fs_fill_super);
}

static struct file_system_type fs_type = { .owner = THIS_MODULE, .name = "bpf", .mount = fs_mount, .kill_sb = kill_litter_super };
static bool registered;
static struct compat_mount_point mount_point;

/* Where everybody looks for it. A warning comes of making what is there. */
static void make_mount_point(void)
{
	struct path path;

	if (!kern_path(MOUNT_POINT, LOOKUP_FOLLOW, &path))
		path_put(&path);
	else
		compat_mount_point_make(&mount_point, fs_kobj, "bpf");
}

/* Never fails: it is in use from here on, so that the module may not go any more. */
int bc_fs_init(void)
{
	int err = register_filesystem(&fs_type);

	if (!err) {
		make_mount_point();
	} else {
		fs_type.name = "bpfcompat";
		err = register_filesystem(&fs_type);
	}
	registered = !err;
	if (err)
		pr_warn(BC_LOG "no file system for objects (%d): BPF_OBJ_PIN is refused\n", err);
	return 0;
}

void bc_fs_exit(void)
{
	compat_mount_point_remove(&mount_point, fs_kobj, "bpf");
	if (registered)
		unregister_filesystem(&fs_type);
	rcu_barrier();	/* for inodes that are still being freed */
}
