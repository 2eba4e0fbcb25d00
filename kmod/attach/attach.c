// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at perf events: what PERF_EVENT_IOC_SET_BPF and a perf link do. The program goes when the event does (no reference to its
 * file is held: close() or death of the owner detaches), so the event's destroy function is chained.
 */
#include "attach.h"
#include "own_return.h"
#include <linux/hashtable.h>
#include <linux/tracepoint.h>

/* Guards all of the below and the hooks of trace events. Taken when an event is freed, so nothing under it may close an event. */
static DEFINE_MUTEX(attach_mutex);
static DEFINE_HASHTABLE(attachments, 8);

struct perf_event *bc_event_of_file(const struct file *file)
{
	return bc_perf_is_event_file(file) ? file->private_data : NULL;
}

static struct bc_attachment *find(struct perf_event *event)
{
	struct bc_attachment *at;

	hash_for_each_possible(attachments, at, node, (unsigned long)event)
		if (at->event == event)
			return at;
	return NULL;
}

static void detach(struct bc_attachment *at)
{
	struct bc_prog *prog = at->prog;

	if (!prog)
		return;
	switch (at->kind) {
	case BC_ATTACHED_TRACE:
		bc_trace_detach(at);
		break;
	case BC_ATTACHED_KPROBE:
		bc_kprobe_detach(at);
		break;
	case BC_ATTACHED_SAMPLE:
		break;
	}
	/* A handler that runs now has preemption off, and the program outlives it. */
	WRITE_ONCE(at->prog, NULL);
	bc_prog_put(prog);
}

static void free_rcu_attachment(struct rcu_head *rcu)
{
	bc_free(NULL, container_of(rcu, struct bc_attachment, rcu), sizeof(struct bc_attachment));
}

/* The event goes: the last moment at which its trace event and probe are still there. */
static void destroy_event(struct perf_event *event)
{
	struct bc_attachment *at;

	mutex_lock(&attach_mutex);
	at = find(event);
	if (!WARN_ON_ONCE(!at)) {
		detach(at);
		hash_del(&at->node);
	}
	mutex_unlock(&attach_mutex);
	if (!at)
		return;
	event->destroy = at->destroy;
	if (event->destroy)
		event->destroy(event);
	/* perf frees events after a grace period, since handlers may still be at work on another CPU; what they look at goes no sooner */
	bc_call_rcu_sched(&at->rcu, free_rcu_attachment);
	module_put(THIS_MODULE);
}

static struct bc_attachment *find_or_make(struct perf_event *event)
{
	struct bc_attachment *at = find(event);

	if (at)
		return at;
	at = bc_alloc(NULL, sizeof(*at));
	if (!at)
		return NULL;
	at->event = event;
	if (bc_is_own_kprobe(event))
		at->kind = BC_ATTACHED_KPROBE;
	else if (event->tp_event)
		at->kind = BC_ATTACHED_TRACE;
	else
		at->kind = BC_ATTACHED_SAMPLE;
	at->destroy = event->destroy;
	__module_get(THIS_MODULE);
	hash_add(attachments, &at->node, (unsigned long)event);
	WRITE_ONCE(event->destroy, destroy_event);
	return at;
}

static int attach(struct perf_event *event, struct bc_prog *prog, u64 cookie)
{
	struct bc_attachment *at;
	int err;

	mutex_lock(&attach_mutex);
	at = find_or_make(event);
	err = -ENOMEM;
	if (!at)
		goto unlock;
	switch (at->kind) {
	case BC_ATTACHED_TRACE:
		err = bc_trace_attach(at, prog, cookie);
		break;
	case BC_ATTACHED_KPROBE:
		err = bc_kprobe_attach(at, prog, cookie);
		break;
	default:
		err = bc_sample_attach(at, prog, cookie);
	}
unlock:
	mutex_unlock(&attach_mutex);
	return err;
}

void bc_perf_event_detach(struct perf_event *event)
{
	struct bc_attachment *at;

	mutex_lock(&attach_mutex);
	at = find(event);
	if (at)
		detach(at);
	mutex_unlock(&attach_mutex);
}

int bc_perf_event_attach(struct file *event_file, struct bc_prog *prog, u64 cookie, struct bc_link **link)
{
	struct perf_event *event = bc_event_of_file(event_file);
	int err;

	if (!event)
		return -EBADF;
	if (link) {
		*link = bc_perf_link_new(event_file, prog, cookie);
		if (IS_ERR(*link))
			return PTR_ERR(*link);
	}
	err = attach(event, prog, cookie);
	if (!link)
		return err;
	if (err)
		bc_link_put(*link);
	else
		bc_perf_link_attached(*link);
	return err;
}

int bc_perf_event_set_bpf(int event_fd, u32 prog_fd)
{
	struct bc_prog *prog;
	struct file *file;
	int err;

	file = fget(event_fd);
	if (!file)
		return -EBADF;
	err = -ENOTTY;
	if (!bc_event_of_file(file))
		goto out;
	prog = bc_prog_get_fd(prog_fd);
	err = PTR_ERR(prog);
	if (IS_ERR(prog))
		goto out;
	err = bc_perf_event_attach(file, prog, 0, NULL);
	bc_prog_put(prog);
out:
	fput(file);
	return err;
}

int bc_perf_event_query(struct file *event_file, struct bc_fd_query *q)
{
	struct perf_event *event = bc_event_of_file(event_file);
	struct bc_attachment *at;
	int err = -ENOENT;

	if (!event)
		return -ENOTSUPP;
	memset(q, 0, sizeof(*q));
	mutex_lock(&attach_mutex);
	at = find(event);
	if (at && at->prog) {
		q->prog_id = at->prog->obj.id;
		switch (at->kind) {
		case BC_ATTACHED_TRACE:
			err = bc_trace_query(at, q);
			break;
		case BC_ATTACHED_KPROBE:
			err = bc_kprobe_query(at, q);
			break;
		default:
			err = -EOPNOTSUPP;
		}
	}
	mutex_unlock(&attach_mutex);
	return err;
}

int bc_attach_init(void)
{
	int err = bc_kprobe_pmu_init();

	if (err)
		return err;
	err = bc_output_pmu_init();
	if (err)
		bc_kprobe_pmu_exit();
	return err;
}

void bc_attach_exit(void)
{
	bc_output_pmu_exit();
	bc_kprobe_pmu_exit();
	bc_return_exit();
	tracepoint_synchronize_unregister();
	/* hooks still on their way out */
	bc_rcu_barrier_sched();
}
