// SPDX-License-Identifier: GPL-2.0-only
/*
 * A session: the file that BPF_ITER_CREATE returns. read() runs the program over as many objects as fill the reader's buffer, and
 * hands out what it wrote; the text of an object is never torn by the end of the session's own buffer.
 */
#include "iter.h"
#include "../bpf/bpffs.h"
#include "../compat/cgroup_walk.h"

#define BUFFER_BYTES	(8 * PAGE_SIZE)
#define MAX_SILENT	1000000		/* objects in a row that a read looks at */

static atomic64_t session_ids = ATOMIC64_INIT(0);

void bc_iter_aim_get(const struct bc_iter_aim *aim)
{
	if (aim->map) {
		bc_map_get(aim->map);
		bc_map_uref_get(aim->map);
	}
	if (aim->cgroup)
		compat_cgroup_get(aim->cgroup);
}

void bc_iter_aim_put(const struct bc_iter_aim *aim)
{
	if (aim->map) {
		bc_map_uref_put(aim->map);
		bc_map_put(aim->map);
	}
	if (aim->cgroup)
		compat_cgroup_put(aim->cgroup);
}

/* Shows one object, or that there are no more. What did not fit is for the caller to find out. */
static int show(struct bc_iter_session *s, void *obj)
{
	/* programs may read whatever their prototype has */
	u64 ctx[1 + BC_ITER_WORDS] = { (unsigned long)&s->meta };
	struct bc_run *run;
	u32 ret;
	int err = s->target->fill(s, obj, ctx + 1);

	if (err)
		return err;
	if (s->sleeper)
		bc_sleeper_enter(s->sleeper);
	else
		bc_syscall_enter();
	run = bc_this_run();
	run->regs = NULL;
	run->func_ip = 0;
	run->cookie = 0;
	run->event = NULL;
	run->event_data = NULL;
	run->seq = &s->seq;
	run->sock = obj && s->target->sock ? s->target->sock(s, obj) : NULL;
	ret = bc_prog_run(s->prog, ctx);
	run->seq = NULL;
	run->sock = NULL;
	if (s->sleeper)
		bc_sleeper_exit(s->sleeper);
	else
		bc_syscall_exit();
	if (s->target->said) {
		s->target->said(s, ret);
		return 0;
	}
	return ret ? -EAGAIN : 0;
}

static bool overflown(const struct bc_iter_session *s)
{
	return s->seq.count == s->seq.size;
}

/* The same, leaving nothing behind of an object that failed. */
static int show_whole(struct bc_iter_session *s, void *obj)
{
	size_t before = s->seq.count;
	int err = show(s, obj);

	if (!err && overflown(s))
		err = -E2BIG;
	if (err)
		s->seq.count = before;
	return err;
}

/* Saying too much makes it be told again; its result does not. */
static int show_end(struct bc_iter_session *s)
{
	size_t before = s->seq.count;

	show(s, NULL);
	s->ended = !overflown(s);
	if (s->ended)
		return 0;
	s->seq.count = before;
	return -E2BIG;
}

/* Objects till the buffer holds @size bytes or one does not fit. An error counts only where there is nothing else to tell. */
static int fill_buffer(struct bc_iter_session *s, size_t size)
{
	void *obj = s->target->start(s);
	u32 seen = 0;
	int err = 0;

	if (IS_ERR(obj))
		return PTR_ERR(obj);
	while (obj) {
		err = show_whole(s, obj);
		if (err)
			break;
		obj = s->target->next(s, obj);
		if (IS_ERR_OR_NULL(obj))
			break;
		s->meta.seq_num++;
		if (s->seq.count >= size)
			break;
		if (++seen >= MAX_SILENT) {
			err = -EAGAIN;
			break;
		}
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		cond_resched();
	}
	if (IS_ERR(obj))
		err = PTR_ERR(obj);
	else if (obj)
		s->target->stop(s, obj);
	else if (!s->ended)
		err = show_end(s);
	return s->seq.count ? 0 : err;
}

static ssize_t hand_out(struct bc_iter_session *s, char __user *buf, size_t size)
{
	size_t n = min(s->seq.count, size);

	if (copy_to_user(buf, s->seq.buf + s->seq.from, n))
		return -EFAULT;
	s->seq.count -= n;
	s->seq.from += n;
	return n;
}

static ssize_t session_read(struct file *file, char __user *buf, size_t size, loff_t *pos)
{
	struct bc_iter_session *s = file->private_data;
	ssize_t res = 0;

	if (mutex_lock_killable(&s->seq.lock))
		return -EINTR;
	if (!s->seq.buf) {
		s->seq.buf = bc_alloc(NULL, BUFFER_BYTES);
		s->seq.size = BUFFER_BYTES;
	}
	if (!s->seq.buf) {
		res = -ENOMEM;
	} else if (!s->seq.count) {
		s->seq.from = 0;
		res = fill_buffer(s, size);
	}
	if (!res)
		res = hand_out(s, buf, size);
	if (res > 0)
		*pos += res;
	mutex_unlock(&s->seq.lock);
	return res;
}

static void session_free(struct bc_iter_session *s)
{
	size_t bytes = sizeof(*s) + s->target->cursor_bytes;

	if (s->target->close)
		s->target->close(s);
	bc_shadows_free(s);
	bc_sleeper_free(s->sleeper);
	bc_free(NULL, s->seq.buf, BUFFER_BYTES);
	bc_iter_aim_put(&s->aim);
	bc_prog_put(s->prog);
	bc_free(NULL, s, bytes);
}

static int session_release(struct inode *inode, struct file *file)
{
	session_free(file->private_data);
	return 0;
}

/* Of a link that is a file. */
static int session_open(struct inode *inode, struct file *file)
{
	struct bc_iter_session *s = bc_iter_link_session(container_of(bc_fs_object(inode), struct bc_link, obj));

	if (IS_ERR(s))
		return PTR_ERR(s);
	file->private_data = s;
	return 0;
}

#define SESSION_FOPS \
	.owner = THIS_MODULE, \
	.llseek = no_llseek, \
	.read = session_read, \
	.release = session_release

static const struct file_operations session_fops = { SESSION_FOPS };
const struct file_operations bc_iter_link_fops = { SESSION_FOPS, .open = session_open };

struct bc_iter_session *bc_iter_session_new(struct bc_prog *prog, const struct bc_iter_target_ops *target, const struct bc_iter_aim *aim)
{
	struct bc_iter_session *s = bc_alloc(NULL, sizeof(*s) + target->cursor_bytes);
	int err;

	if (!s)
		return ERR_PTR(-ENOMEM);
	mutex_init(&s->seq.lock);
	s->seq.private = s->cursor;
	s->target = target;
	s->aim = *aim;
	s->prog = prog;
	bc_iter_aim_get(aim);
	bc_prog_get(prog);
	s->meta.seq = &s->seq;
	s->meta.session_id = atomic64_inc_return(&session_ids);
	err = target->open ? target->open(s) : 0;
	if (err)
		goto free;
	if (prog->v.sleepable && !target->locked) {
		s->sleeper = bc_sleeper_new();
		err = s->sleeper ? 0 : -ENOMEM;
	}
	if (!err)
		return s;
free:
	session_free(s);
	return ERR_PTR(err);
}

int bc_iter_session_fd(struct bc_iter_session *s)
{
	int fd = anon_inode_getfd("bpf_iter", &session_fops, s, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		session_free(s);
	return fd;
}
