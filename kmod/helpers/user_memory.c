// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the memory of processes: reads that may wait for pages, and writes that do not.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include <linux/pid.h>
#include <linux/pid_namespace.h>

static u64 read_or_zero(u64 dst, u32 size, int err)
{
	if (unlikely(err))
		memset((void *)dst, 0, size);
	return (s64)err;
}

/* Where the program may sleep what is not in memory is fetched; on events it may not, whatever it was loaded for: they are atomic here. */
static int copy_current(void *dst, u32 size, u64 addr)
{
	struct bc_sleeper *s = bc_this_run()->sleeper;
	int err = compat_read_user(dst, (const void *)addr, size);

	if (!err || !s || !compat_is_user_range(addr, size))
		return err;
	bc_sleep_begin(s);
	err = copy_from_user(dst, bc_user_ptr(addr), size) ? -EFAULT : 0;
	bc_sleep_end(s);
	return err;
}

BC_HELPER(copy_from_user)
{
	return read_or_zero(r1, r2, copy_current((void *)r1, r2, r3));
}

/* A pointer with a type may lead nowhere, as what it was loaded from did. With a reference; NULL: it is no task, or one that is gone. */
static struct task_struct *task_get(const struct task_struct *claimed)
{
	struct task_struct *task = NULL;
	pid_t pid;

	rcu_read_lock();
	if (claimed && !compat_read_kernel(&pid, &claimed->pid, sizeof(pid)))
		task = pid_task(find_pid_ns(pid, &init_pid_ns), PIDTYPE_PID);
	if (task != claimed)
		task = NULL;
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

BC_HELPER(copy_from_user_task)
{
	struct bc_sleeper *s = bc_this_run()->sleeper;
	struct task_struct *task;
	u32 size = r2;
	int ret = -EFAULT;

	if (r5)
		return (s64)-EINVAL;
	if (!size)
		return 0;
	task = s ? task_get((const struct task_struct *)r4) : NULL;
	if (task) {
		bc_sleep_begin(s);
		ret = bc_sym.access_process_vm(task, r3, (void *)r1, size, 0);
		put_task_struct(task);
		bc_sleep_end(s);
		if (ret >= 0)
			ret = ret == size ? 0 : -EFAULT;
	}
	return read_or_zero(r1, size, ret);
}

BC_HELPER(probe_write_user)
{
	if (in_interrupt() || current->flags & (PF_KTHREAD | PF_EXITING) || !compat_user_access_ok())
		return (s64)-EPERM;
	return (s64)compat_write_user((void *)r1, (const void *)r2, (u32)r3);
}
