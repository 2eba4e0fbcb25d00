/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's headers as the rest of the module wants them: one modern interface, whatever kernel this is built for. Each topic has a
 * small file; what differs was found by kmod/compat/probe.sh.
 */
#ifndef BPFCOMPAT_COMPAT_H
#define BPFCOMPAT_COMPAT_H

#include <linux/anon_inodes.h>
#include <linux/atomic.h>
#include <linux/capability.h>
#include <linux/compiler.h>
#include <linux/cpu.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/fdtable.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hardirq.h>
#include <linux/idr.h>
#include <linux/irq_work.h>
#include <linux/kernel.h>
#include <linux/ktime.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu.h>
#include <linux/perf_event.h>
#include <linux/poll.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <linux/uidgid.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "bc_features.h"	/* generated */

#ifdef HAVE_LINUX_SCHED_MM_H
#include <linux/sched/mm.h>
#endif
#ifdef HAVE_LINUX_SCHED_TASK_H
#include <linux/sched/task.h>
#endif
#ifdef HAVE_LINUX_SCHED_TASK_STACK_H
#include <linux/sched/task_stack.h>
#endif
#ifdef HAVE_LINUX_SCHED_SIGNAL_H
#include <linux/sched/signal.h>
#endif
#ifdef HAVE_LINUX_SCHED_CLOCK_H
#include <linux/sched/clock.h>
#endif
#ifdef HAVE_LINUX_TIMEKEEPING_H
#include <linux/timekeeping.h>
#endif

#include "atomic.h"
#include "files.h"
#include "rcu.h"
#include "memory.h"
#include "time.h"
#include "user.h"
#include "symbols.h"

#endif
