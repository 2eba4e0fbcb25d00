// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "task_file": every open file of every process, by task and fd.
 */
#include "iter.h"
#include <linux/magic.h>
#include <net/sock.h>

struct cursor {
	struct bc_task_walk walk;
	struct task_struct *task;	/* whose files are being shown; NULL between two reads */
	u32 at_tid;			/* the task that fd belongs to */
	u32 fd;
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

/* The first open file at or behind *fd, with a reference. */
static struct file *file_from(struct task_struct *task, u32 *fd)
{
	struct files_struct *files;
	struct file *file = NULL;
	struct fdtable *fdt;

	task_lock(task);
	files = task->files;
	if (files) {
		/* The table holds a reference for as long as its lock is held. */
		spin_lock(&files->file_lock);
		fdt = files_fdtable(files);
		for (; !file && *fd < fdt->max_fds; *fd += !file) {
			*fd = find_next_bit(fdt->open_fds, fdt->max_fds, *fd);
			if (*fd < fdt->max_fds)
				file = rcu_dereference_protected(fdt->fd[*fd], lockdep_is_held(&files->file_lock));
		}
		if (file)
			get_file(file);
		spin_unlock(&files->file_lock);
	}
	task_unlock(task);
	return file;
}

static void *find(struct cursor *c)
{
	struct file *file;

	for (;;) {
		if (!c->task) {
			c->task = bc_tasks_get(&c->walk, true);
			if (!c->task)
				return NULL;
			if (c->at_tid != c->walk.tid)
				c->fd = 0;
			c->at_tid = c->walk.tid;
		}
		file = file_from(c->task, &c->fd);
		if (file)
			return file;
		put_task_struct(c->task);
		c->task = NULL;
		c->walk.tid++;
	}
}

static int file_open(struct bc_iter_session *s)
{
	bc_tasks_open(&cursor_of(s)->walk, &s->aim);
	return 0;
}

static void file_close(struct bc_iter_session *s)
{
	bc_tasks_close(&cursor_of(s)->walk);
}

static void *file_start(struct bc_iter_session *s)
{
	return find(cursor_of(s));
}

static void *file_next(struct bc_iter_session *s, void *file)
{
	struct cursor *c = cursor_of(s);

	fput(file);
	c->fd++;
	return find(c);
}

static void file_stop(struct bc_iter_session *s, void *file)
{
	struct cursor *c = cursor_of(s);

	fput(file);
	put_task_struct(c->task);
	c->task = NULL;
}

/* Another file of a socket's inode (O_PATH) has not the socket behind it. */
static struct sock *file_sock(struct bc_iter_session *s, void *obj)
{
	struct file *file = obj;
	struct inode *inode = file_inode(file);

	return inode->i_sb->s_magic == SOCKFS_MAGIC && file->private_data == SOCKET_I(inode) ? SOCKET_I(inode)->sk : NULL;
}

static int file_fill(struct bc_iter_session *s, void *file, u64 *words)
{
	struct cursor *c = cursor_of(s);
	void *shown = NULL;

	if (file) {
		shown = bc_shadow_file(s, file);
		if (IS_ERR(shown))
			return PTR_ERR(shown);
	}
	words[0] = (unsigned long)c->task;
	words[1] = c->fd;
	words[2] = (unsigned long)shown;
	return 0;
}

const struct bc_iter_target_ops bc_iter_task_file = {
	.name = "task_file",
	.may_sleep = true,
	.cursor_bytes = sizeof(struct cursor),
	.attach = bc_tasks_attach,
	.open = file_open,
	.close = file_close,
	.start = file_start,
	.next = file_next,
	.stop = file_stop,
	.fill = file_fill,
	.sock = file_sock,
	.fill_info = bc_tasks_fill_info,
	.show_fdinfo = bc_tasks_show_fdinfo,
};
