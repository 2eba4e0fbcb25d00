/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's own walks over the sockets and routes of a network namespace: those behind the files in /proc/net.
 */
#ifndef BPFCOMPAT_COMPAT_NET_WALK_H
#define BPFCOMPAT_COMPAT_NET_WALK_H

#include "compat.h"

struct net;

struct compat_net_walk {
	struct file *file;	/* NULL: there is none of that name, and nothing to walk */
	struct net *own;	/* the file's, which goes another's ways for us */
	struct module *owner;
	loff_t pos;
	bool shows;		/* to be set: walks that go on only from what was shown */
	bool over;
};

/* @net must stay as long as the walk. -ENOENT: the kernel has none of that name. Process context. */
int compat_net_walk_open(struct compat_net_walk *w, const char *name, struct net *net);
void compat_net_walk_close(struct compat_net_walk *w);

/*
 * Offers the objects from where it stands on, till @take returns false: the one that it refused is the first of the next time. The kernel
 * holds locks meanwhile, so that @take may do little but take references.
 */
int compat_net_walk_on(struct compat_net_walk *w, bool (*take)(struct seq_file *m, void *obj, loff_t pos, void *data), void *data);

/* Of the file "tcp" or "tcp6": what it is offered is a request that a listening socket keeps, and no socket of any kind. */
bool compat_net_walk_at_request(const struct seq_file *m);
/* Of "udp" or "udp6": the place in the table. */
int compat_net_walk_bucket(const struct seq_file *m);

/* Routes of IPv6: kernels before 4.18 have another struct for them, which no program knows. */
bool compat_has_fib6_info(void);
bool compat_fib6_info_hold(void *route);
void compat_fib6_info_put(void *route);

#endif
