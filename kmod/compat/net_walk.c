// SPDX-License-Identifier: GPL-2.0-only
/*
 * Walks by the seq_operations of files in /proc/net. They know the tables, locks and kinds of sockets of the very kernel, vendors'
 * changes included, where a walk of ours would have to know structs that no header has. The kernel's own way of opening the file makes
 * their state, private to each file: nothing of it is known here but what <linux/seq_file_net.h>, <net/tcp.h> and <net/udp.h> tell.
 *
 * The file is opened in the kernel's own mount of proc: nobody needs to have one, nor sees to it that /proc is one. It is that of process
 * 1, which is there as long as anybody, and then goes through the namespace that is wanted: a thread's own namespace has no name in the
 * proc of old kernels, and names below /proc/self/net may lead to the one that it had before setns().
 */
#include "net_walk.h"
#include <linux/mount.h>
#include <linux/pid_namespace.h>
#include <linux/seq_file_net.h>
#include <net/net_namespace.h>
#include <net/tcp.h>
#include <net/udp.h>
#ifdef HAVE_FIB6_INFO
#include <net/ip6_fib.h>
#endif

static struct vfsmount *proc_mount(void)
{
#ifdef HAVE_PIDNS_PROC_MNT
	return mntget(task_active_pid_ns(current)->proc_mnt);
#else
	struct file_system_type *type = get_fs_type("proc");

	return type ? vfs_kern_mount(type, SB_KERNMOUNT, "proc", NULL) : ERR_PTR(-ENODEV);
#endif
}

static struct file *open_below(struct vfsmount *mnt, const char *path)
{
#ifdef HAVE_FILE_OPEN_ROOT_MODE
	return file_open_root_mnt(mnt, path, O_RDONLY, 0);
#else
	return file_open_root(mnt->mnt_root, mnt, path, O_RDONLY);
#endif
}

/* As the kernel itself: to whom it is shown is the iterator's business. */
static struct file *open_file(const char *name)
{
	static const char *const places[] = { "1/net", "self/net" };
	struct cred *cred = prepare_kernel_cred(&init_task);
	struct file *file = ERR_PTR(-ENOENT);
	const struct cred *old;
	struct vfsmount *mnt;
	char path[32];
	u32 i;

	if (!cred)
		return ERR_PTR(-ENOMEM);
	old = override_creds(cred);
	mnt = proc_mount();
	if (IS_ERR_OR_NULL(mnt)) {
		file = mnt ? ERR_CAST(mnt) : file;
	} else {
		for (i = 0; i < ARRAY_SIZE(places) && IS_ERR(file); i++) {
			snprintf(path, sizeof(path), "%s/%s", places[i], name);
			file = open_below(mnt, path);
		}
		mntput(mnt);
	}
	revert_creds(old);
	put_cred(cred);
	return file;
}

static void set_net(struct seq_file *m, struct net *net)
{
#ifdef CONFIG_NET_NS
	((struct seq_net_private *)m->private)->net = net;
#endif
}

/* Does the file's state begin as all of this kind do? */
static bool is_net(const struct net *net)
{
	const struct net *each;
	bool found = false;

	rcu_read_lock();
	for_each_net_rcu(each)
		found |= each == net;
	rcu_read_unlock();
	return found;
}

int compat_net_walk_open(struct compat_net_walk *w, const char *name, struct net *net)
{
	struct file *file = open_file(name);
	struct seq_file *m;
	int err = -ENOENT;

	if (IS_ERR(file))
		return PTR_ERR(file);
	m = file->private_data;
	/* a file goes with the module that made it, and that is the one that has its text */
	if (!bc_pin_module((unsigned long)m->op->show, &w->owner))
		goto close;
	err = -EOPNOTSUPP;
	if (!m->private || !is_net(seq_file_net(m)))
		goto unpin;
	w->own = seq_file_net(m);
	set_net(m, net);
	w->file = file;
	return 0;
unpin:
	module_put(w->owner);
close:
	fput(file);
	return err;
}

void compat_net_walk_close(struct compat_net_walk *w)
{
	if (!w->file)
		return;
	set_net(w->file->private_data, w->own);
	fput(w->file);
	module_put(w->owner);
	w->file = NULL;
}

int compat_net_walk_on(struct compat_net_walk *w, bool (*take)(struct seq_file *m, void *obj, loff_t pos, void *data), void *data)
{
	struct seq_file *m;
	loff_t pos = w->pos;
	void *obj;

	if (!w->file || w->over)
		return 0;
	m = w->file->private_data;
	obj = m->op->start(m, &pos);
	while (!IS_ERR_OR_NULL(obj)) {
		if (obj != SEQ_START_TOKEN) {
			if (!take(m, obj, pos, data))
				break;
			/* it has no buffer: this writes nothing */
			if (w->shows)
				m->op->show(m, obj);
		}
		obj = m->op->next(m, obj, &pos);
	}
	m->op->stop(m, obj);
	if (IS_ERR(obj))
		return PTR_ERR(obj);
	w->pos = pos;
	w->over = !obj;
	return 0;
}

bool compat_net_walk_at_request(const struct seq_file *m)
{
#ifdef HAVE_TCP_SEQ_OPENREQ
	return ((const struct tcp_iter_state *)m->private)->state == TCP_SEQ_STATE_OPENREQ;
#else
	return false;
#endif
}

int compat_net_walk_bucket(const struct seq_file *m)
{
	return ((const struct udp_iter_state *)m->private)->bucket;
}

#if defined(HAVE_FIB6_INFO) && IS_BUILTIN(CONFIG_IPV6)

bool compat_has_fib6_info(void)
{
	return true;
}

bool compat_fib6_info_hold(void *route)
{
	return fib6_info_hold_safe(route);
}

void compat_fib6_info_put(void *route)
{
	fib6_info_release(route);
}

#else

bool compat_has_fib6_info(void)
{
	return false;
}

bool compat_fib6_info_hold(void *route)
{
	return false;
}

void compat_fib6_info_put(void *route)
{
}

#endif
