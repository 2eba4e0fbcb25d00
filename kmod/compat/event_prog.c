// SPDX-License-Identifier: GPL-2.0-only
/*
 * See event_prog.h. The kernel's own linux/bpf.h is included here, so the module's copy of the interface must not be.
 */
#include "bc_features.h"

#if defined(HAVE_EVENT_PROG_FUNC) && defined(HAVE_EVENT_PROG_ATTACH)

#include <linux/bpf.h>
#include <linux/filter.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include <linux/trace_events.h>
#include "symbols.h"
#include "event_prog.h"

struct compat_event_prog {
	struct bpf_prog *prog;
	struct perf_event event;	/* as much of one as the kernel looks at when it attaches a program */
};

/* One that nobody can see, and whose code is our function. */
static struct bpf_prog *new_prog(compat_event_func func, void *data)
{
	struct bpf_prog *prog = bpf_prog_alloc(bpf_prog_size(1), GFP_KERNEL | __GFP_NOWARN);

	if (!prog)
		return NULL;
	BUILD_BUG_ON(sizeof(prog->insnsi[0]) != sizeof(data));
	prog->type = BPF_PROG_TYPE_TRACEPOINT;
	prog->len = 1;
	prog->bpf_func = func;
	memcpy(prog->insnsi, &data, sizeof(data));
	/* The kernel drops a reference when it detaches; the other is ours, so that it never frees what may still run. */
	atomic64_set(&prog->aux->refcnt, 2);
	return prog;
}

struct compat_event_prog *compat_event_prog_add(const struct perf_event *event, compat_event_func func, void *data)
{
	struct compat_event_prog *ep;

	if (!bc_sym.perf_event_attach_bpf_prog || !bc_sym.perf_event_detach_bpf_prog)
		return NULL;
	ep = kzalloc(sizeof(*ep), GFP_KERNEL | __GFP_NOWARN);
	if (!ep)
		return NULL;
	ep->prog = new_prog(func, data);
	ep->event.tp_event = event->tp_event;
	if (!ep->prog || bc_sym.perf_event_attach_bpf_prog(&ep->event, ep->prog, 0)) {
		compat_event_prog_free(ep);
		return NULL;
	}
	return ep;
}

void compat_event_prog_remove(struct compat_event_prog *ep)
{
	bc_sym.perf_event_detach_bpf_prog(&ep->event);
}

void compat_event_prog_free(struct compat_event_prog *ep)
{
	if (!ep)
		return;
	if (ep->prog)
		bpf_prog_free(ep->prog);
	kfree(ep);
}

#else

#include <linux/kernel.h>
#include "event_prog.h"

struct compat_event_prog *compat_event_prog_add(const struct perf_event *event, compat_event_func func, void *data)
{
	return NULL;
}

void compat_event_prog_remove(struct compat_event_prog *ep)
{
}

void compat_event_prog_free(struct compat_event_prog *ep)
{
}

#endif
