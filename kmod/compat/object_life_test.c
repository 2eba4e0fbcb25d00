// SPDX-License-Identifier: GPL-2.0-only
/*
 * Objects that are made to be seen going: whether a kernel's objects do pass the function that is watched is tried, not assumed.
 */
#include "../bpf.h"
#include "object_life.h"
#include <linux/kthread.h>
#include <linux/net.h>
#include <linux/netlink.h>
#include <net/sock.h>

static int idle_thread(void *unused)
{
	set_current_state(TASK_INTERRUPTIBLE);
	while (!kthread_should_stop()) {
		schedule();
		set_current_state(TASK_INTERRUPTIBLE);
	}
	__set_current_state(TASK_RUNNING);
	return 0;
}

static int outcome(enum compat_object kind)
{
	if (compat_life_met(kind))
		return 0;
	return fatal_signal_pending(current) ? -EINTR : -ENXIO;
}

static int test_task(void)
{
	struct task_struct *task = kthread_run(idle_thread, NULL, "bpfcompat_test");

	if (IS_ERR(task))
		return PTR_ERR(task);
	compat_life_expect(COMPAT_TASK, task);
	kthread_stop(task);
	return outcome(COMPAT_TASK);
}

/* A socket's inode goes with it. */
static int test_socket(enum compat_object kind)
{
	struct socket *sock;
	int err = sock_create(PF_NETLINK, SOCK_RAW, NETLINK_USERSOCK, &sock);

	if (err)
		return err;
	compat_life_expect(kind, kind == COMPAT_SOCK ? (const void *)sock->sk : SOCK_INODE(sock));
	sock_release(sock);
	return outcome(kind);
}

int compat_life_test(enum compat_object kind)
{
	return kind == COMPAT_TASK ? test_task() : test_socket(kind);
}
