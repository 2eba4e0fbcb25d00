// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes by fd; see tasks.h.
 */
#include "../bpf.h"
#include "tasks.h"
#include <linux/magic.h>

/*
 * The number that the directory is named by, in the namespace that its file system shows. Whose it is is found before the
 * kernel is asked whether the directory is still that of a living process: then nobody else can have had the number in between.
 */
static struct pid *pid_of_directory(struct dentry *dentry)
{
	struct pid_namespace *ns = dentry->d_sb->s_fs_info;
	struct pid *pid = NULL;
	char name[16];
	int nr;

	if (dentry->d_sb->s_magic != PROC_SUPER_MAGIC || !dentry->d_inode || !S_ISDIR(dentry->d_inode->i_mode) ||
	    dentry->d_parent != dentry->d_sb->s_root || !dentry->d_op || !dentry->d_op->d_revalidate)
		return NULL;
	spin_lock(&dentry->d_lock);
	strlcpy(name, dentry->d_name.name, sizeof(name));
	spin_unlock(&dentry->d_lock);
	if (kstrtoint(name, 10, &nr))
		return NULL;
	rcu_read_lock();
	pid = get_pid(find_pid_ns(nr, ns));
	rcu_read_unlock();
	if (pid && dentry->d_op->d_revalidate(dentry, 0) > 0)
		return pid;
	put_pid(pid);
	return NULL;
}

struct pid *compat_pidfd_pid(u32 fd)
{
	struct pid *pid = NULL;
	unsigned int flags;
	struct file *file;

	if (bc_sym.pidfd_get_pid)
		return bc_sym.pidfd_get_pid(fd, &flags);
	file = fget_raw(fd);
	if (file) {
		pid = pid_of_directory(file->f_path.dentry);
		fput(file);
	}
	return pid ? pid : ERR_PTR(-EBADF);
}
