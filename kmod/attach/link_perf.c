// SPDX-License-Identifier: GPL-2.0-only
/*
 * The link that BPF_LINK_CREATE makes of a program and a perf event: it holds the event's file, and detaches when it goes.
 */
#include "attach.h"

struct perf_link {
	struct bc_link link;
	struct file *file;	/* of the event */
	u64 cookie;
	bool attached;
};

static struct perf_link *perf_link_of(struct bc_link *link)
{
	return container_of(link, struct perf_link, link);
}

u64 bc_perf_link_cookie(const struct bc_link *link)
{
	return perf_link_of((struct bc_link *)link)->cookie;
}

static void perf_link_release(struct bc_link *link)
{
	struct perf_link *pl = perf_link_of(link);

	if (pl->attached)
		bc_perf_event_detach(pl->file->private_data);
	fput(pl->file);
}

static void perf_link_free(struct bc_link *link)
{
	bc_free(NULL, perf_link_of(link), sizeof(struct perf_link));
}

static const struct bc_link_ops perf_link_ops = {
	.release = perf_link_release,
	.free = perf_link_free,
};

void bc_perf_link_attached(struct bc_link *link)
{
	perf_link_of(link)->attached = true;
}

struct bc_link *bc_perf_link_new(struct file *event_file, struct bc_prog *prog, u64 cookie)
{
	struct perf_link *pl = bc_alloc(NULL, sizeof(*pl));
	int err;

	if (!pl)
		return ERR_PTR(-ENOMEM);
	bc_prog_get(prog);
	err = bc_link_init(&pl->link, BPF_LINK_TYPE_PERF_EVENT, &perf_link_ops, prog);
	if (err) {
		bc_prog_put(prog);
		bc_free(NULL, pl, sizeof(*pl));
		return ERR_PTR(err);
	}
	get_file(event_file);
	pl->file = event_file;
	pl->cookie = cookie;
	return &pl->link;
}
