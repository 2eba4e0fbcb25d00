/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Going through tasks, their files and their memory, by interfaces that changed over time.
 */
#ifndef BPFCOMPAT_COMPAT_TASKS_H
#define BPFCOMPAT_COMPAT_TASKS_H

#include "compat.h"
#include <linux/pid.h>
#include <linux/pid_namespace.h>

/*
 * The process behind a pidfd, with a reference, or ERR_PTR(-EBADF). Where the kernel has none, the fd of a directory /proc/PID stands for
 * the process, as it did for Linux's own first pidfds.
 */
struct pid *compat_pidfd_pid(u32 fd);

/* 0, or -EINTR where the wait can be killed. */
static inline int compat_mm_read_lock(struct mm_struct *mm)
{
#ifdef HAVE_MMAP_READ_LOCK
	return mmap_read_lock_killable(mm);
#else
	down_read(&mm->mmap_sem);
	return 0;
#endif
}

static inline void compat_mm_read_unlock(struct mm_struct *mm)
{
#ifdef HAVE_MMAP_READ_LOCK
	mmap_read_unlock(mm);
#else
	up_read(&mm->mmap_sem);
#endif
}

#endif
