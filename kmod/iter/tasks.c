// SPDX-License-Identifier: GPL-2.0-only
/*
 * The walk over tasks by their ids, and the target "task". Threads of one process come by their ids, too, where Linux goes by age.
 */
#include "iter.h"
#include "../compat/tasks.h"

int bc_tasks_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim)
{
	struct pid *pid;

	if (!bc_sym.find_ge_pid)
		return -EOPNOTSUPP;
	if (!!info->task.tid + !!info->task.pid + !!info->task.pid_fd > 1)
		return -EINVAL;
	if (info->task.tid) {
		aim->tasks = BC_TASKS_TID;
		aim->pid = info->task.tid;
	} else if (info->task.pid) {
		aim->tasks = BC_TASKS_PID;
		aim->pid = info->task.pid;
	} else if (info->task.pid_fd) {
		pid = compat_pidfd_pid(info->task.pid_fd);
		if (IS_ERR(pid))
			return PTR_ERR(pid);
		aim->tasks = BC_TASKS_PID;
		aim->pid = pid_nr_ns(pid, task_active_pid_ns(current));
		put_pid(pid);
	}
	return 0;
}

void bc_tasks_fill_info(const struct bc_iter_aim *aim, struct bpf_link_info *info)
{
	if (aim->tasks == BC_TASKS_TID)
		info->iter.task.tid = aim->pid;
	else if (aim->tasks == BC_TASKS_PID)
		info->iter.task.pid = aim->pid;
}

void bc_tasks_show_fdinfo(const struct bc_iter_aim *aim, struct seq_file *m)
{
	static const char *const names[] = { [BC_TASKS_ALL] = "ALL", [BC_TASKS_TID] = "TID", [BC_TASKS_PID] = "PID" };

	seq_printf(m, "task_type:\t%s\n", names[aim->tasks]);
	if (aim->tasks != BC_TASKS_ALL)
		seq_printf(m, "%s:\t%u\n", aim->tasks == BC_TASKS_TID ? "tid" : "pid", aim->pid);
}

void bc_tasks_open(struct bc_task_walk *w, const struct bc_iter_aim *aim)
{
	w->ns = get_pid_ns(task_active_pid_ns(current));
	w->tasks = aim->tasks;
	w->pid = aim->pid;
}

void bc_tasks_close(struct bc_task_walk *w)
{
	put_pid_ns(w->ns);
}

static bool wanted(const struct bc_task_walk *w, struct task_struct *task, bool leaders)
{
	if (w->tasks == BC_TASKS_PID && task_tgid_nr_ns(task, w->ns) != w->pid)
		return false;
	return !leaders || thread_group_leader(task) || task->files != task->group_leader->files;
}

static struct task_struct *the_one(struct bc_task_walk *w)
{
	struct task_struct *task;

	if (w->tid > w->pid)
		return NULL;
	w->tid = w->pid;
	rcu_read_lock();
	task = get_pid_task(find_pid_ns(w->pid, w->ns), PIDTYPE_PID);
	rcu_read_unlock();
	return task;
}

struct task_struct *bc_tasks_get(struct bc_task_walk *w, bool leaders)
{
	struct task_struct *task = NULL;
	struct pid *pid;

	if (w->tasks == BC_TASKS_TID)
		return the_one(w);
	/* a process's first thread has the lowest id but after a wrap: others are looked for in all of them */
	for (; !task; w->tid++) {
		rcu_read_lock();
		pid = w->tid <= INT_MAX ? bc_sym.find_ge_pid(w->tid, w->ns) : NULL;
		if (pid) {
			w->tid = pid_nr_ns(pid, w->ns);
			task = get_pid_task(pid, PIDTYPE_PID);
			if (task && !wanted(w, task, leaders)) {
				put_task_struct(task);
				task = NULL;
			}
		}
		rcu_read_unlock();
		if (!pid || task)
			return task;
		cond_resched();
	}
	return task;
}

/* ---- "task" ---- */

static struct bc_task_walk *walk_of(struct bc_iter_session *s)
{
	return (struct bc_task_walk *)s->cursor;
}

static int task_open(struct bc_iter_session *s)
{
	bc_tasks_open(walk_of(s), &s->aim);
	return 0;
}

static void task_close(struct bc_iter_session *s)
{
	bc_tasks_close(walk_of(s));
}

static void *task_start(struct bc_iter_session *s)
{
	return bc_tasks_get(walk_of(s), false);
}

static void task_stop(struct bc_iter_session *s, void *task)
{
	put_task_struct(task);
}

static void *task_next(struct bc_iter_session *s, void *task)
{
	put_task_struct(task);
	walk_of(s)->tid++;
	return bc_tasks_get(walk_of(s), false);
}

static int task_fill(struct bc_iter_session *s, void *task, u64 *words)
{
	words[0] = (unsigned long)task;
	return 0;
}

const struct bc_iter_target_ops bc_iter_task = {
	.name = "task",
	.may_sleep = true,
	.cursor_bytes = sizeof(struct bc_task_walk),
	.attach = bc_tasks_attach,
	.open = task_open,
	.close = task_close,
	.start = task_start,
	.next = task_next,
	.stop = task_stop,
	.fill = task_fill,
	.fill_info = bc_tasks_fill_info,
	.show_fdinfo = bc_tasks_show_fdinfo,
};
