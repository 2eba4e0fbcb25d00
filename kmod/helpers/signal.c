// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_send_signal(), bpf_send_signal_thread(). The event may have come while the kernel held the locks that sending takes: an interrupt
 * of our own sends, at once where interrupts are on.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include "../compat/tasks.h"
#include <linux/irq_work.h>
#include <linux/signal.h>

struct later {
	struct irq_work work;
	struct task_struct *task;	/* with a reference; NULL: not in use */
	int sig;
	bool thread;			/* to this thread alone; else to its process */
};

static DEFINE_PER_CPU(struct later, signals);

/*
 * To the first process of a container, too, which may ignore whatever else comes; where there is no such way a signal of the kernel's is
 * not ignored.
 */
static bool send_forced(struct task_struct *task, int sig)
{
#ifdef SEND_SIG_FORCED
	if (sig && sig_kernel_only(sig)) {
		send_sig_info(sig, SEND_SIG_FORCED, task);
		return true;
	}
#endif
	return false;
}

static void send_now(struct irq_work *work)
{
	struct later *l = container_of(work, struct later, work);
	struct task_struct *task = l->task;

	if (send_forced(task, l->sig)) {
		/* that goes to the process, whichever thread is told */
	} else if (l->thread) {
		/* 0 only asks whether a signal could be sent; send_sig() takes it for one */
		if (l->sig)
			send_sig(l->sig, task, 1);
	} else {
		rcu_read_lock();
		kill_pid(task_pid(task), l->sig, 1);
		rcu_read_unlock();
	}
	WRITE_ONCE(l->task, NULL);
	put_task_struct(task);
}

void bc_signal_helpers_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		init_irq_work(&per_cpu(signals, cpu).work, send_now);
}

void bc_signal_helpers_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu(signals, cpu).work);
}

static s64 send(u32 sig, bool thread)
{
	struct later *l = this_cpu_ptr(&signals);

	if (current->flags & (PF_KTHREAD | PF_EXITING) || !compat_user_access_ok() || task_tgid_nr(current) == 1)
		return -EPERM;
	if (!valid_signal(sig))
		return -EINVAL;
	if (READ_ONCE(l->task))
		return -EBUSY;
	get_task_struct(current);
	l->sig = sig;
	l->thread = thread;
	WRITE_ONCE(l->task, current);
	irq_work_queue(&l->work);
	return 0;
}

BC_HELPER(send_signal)
{
	return send(r1, false);
}

BC_HELPER(send_signal_thread)
{
	return send(r1, true);
}
