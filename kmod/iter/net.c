// SPDX-License-Identifier: GPL-2.0-only
/*
 * The targets "tcp", "udp", "unix", "netlink" and "ipv6_route": the sockets and routes of the network namespace of who opened the session.
 * The kernel's walks hold locks under which no program can run (compat/net_walk.h), and start anew by counting: so they are taken in
 * batches, with a reference each. What is left of a batch is kept from one read to the next, so that a walk needs not to go back: places
 * in the kernel's tables move up when others go, and somebody would be lost. Only routes are not kept, since network devices wait for them.
 */
#include "iter.h"
#include "../compat/net_walk.h"
#include "../compat/sock.h"
#include <linux/nsproxy.h>
#include <net/net_namespace.h>

#define BATCH	256
#define FILES	2

struct entry {
	void *obj;
	loff_t pos;
	int bucket;
};

struct net_kind {
	const char *files[FILES];	/* in /proc/net; the kernel may lack the second */
	bool anew;			/* nothing is kept between two reads */
	bool counts_head;		/* Linux counts what stands before the first object, and takes it off again */
	bool (*hold)(struct seq_file *m, void *obj);
	void (*put)(void *obj);
	/* Keeps it as it is while it is shown; false: it has gone. NULL: that needs nothing. */
	bool (*claim)(void *obj);
	void (*unclaim)(void *obj);
	int (*bucket)(const struct seq_file *m);
};

struct cursor {
	const struct net_kind *kind;
	struct net *net;
	const struct cred *cred;	/* of who opened the session: users are told as he knows them */
	struct compat_net_walk walks[FILES];
	u32 walk;			/* the one that it is at */
	u32 at, count;
	struct entry *batch;
	bool any;			/* was shown */
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static int net_open(struct bc_iter_session *s, const struct net_kind *kind)
{
	struct cursor *c = cursor_of(s);
	int err = 0;
	u32 i;

	c->kind = kind;
	c->net = get_net(current->nsproxy->net_ns);
	c->cred = get_current_cred();
	c->batch = bc_alloc(NULL, BATCH * sizeof(*c->batch));
	if (!c->batch)
		return -ENOMEM;
	for (i = 0; !err && i < FILES && kind->files[i]; i++) {
		err = compat_net_walk_open(&c->walks[i], kind->files[i], c->net);
		c->walks[i].shows = kind->anew;
		if (i && err == -ENOENT)
			err = 0;
	}
	return err;
}

static void drop_batch(struct cursor *c)
{
	while (c->at < c->count)
		c->kind->put(c->batch[c->at++].obj);
	c->at = c->count = 0;
}

static void net_close(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);
	u32 i;

	drop_batch(c);
	for (i = 0; i < FILES; i++)
		compat_net_walk_close(&c->walks[i]);
	bc_free(NULL, c->batch, BATCH * sizeof(*c->batch));
	put_net(c->net);
	put_cred(c->cred);
}

static bool take(struct seq_file *m, void *obj, loff_t pos, void *data)
{
	struct cursor *c = data;
	struct entry *e = &c->batch[c->count];

	if (c->count == BATCH)
		return false;
	if (!c->kind->hold(m, obj))
		return true;
	e->obj = obj;
	e->pos = pos;
	e->bucket = c->kind->bucket ? c->kind->bucket(m) : 0;
	c->count++;
	return true;
}

static int refill(struct cursor *c)
{
	int err;

	c->at = c->count = 0;
	for (; c->walk < FILES; c->walk++) {
		err = compat_net_walk_on(&c->walks[c->walk], take, c);
		if (err) {
			drop_batch(c);
			return err;
		}
		if (c->count)
			return 0;
	}
	return 0;
}

static void *net_start(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);
	int err;

	for (;; c->at++) {
		if (c->at == c->count) {
			err = refill(c);
			if (err)
				return ERR_PTR(err);
			if (!c->count)
				return NULL;
		}
		if (!c->kind->claim || c->kind->claim(c->batch[c->at].obj))
			return &c->batch[c->at];
		c->kind->put(c->batch[c->at].obj);
	}
}

static void net_stop(struct bc_iter_session *s, void *obj)
{
	struct cursor *c = cursor_of(s);
	struct entry *e = obj;

	if (c->kind->unclaim)
		c->kind->unclaim(e->obj);
	if (!c->kind->anew)
		return;
	c->walks[c->walk].pos = e->pos;
	c->walks[c->walk].over = false;
	drop_batch(c);
}

static void *net_next(struct bc_iter_session *s, void *obj)
{
	struct cursor *c = cursor_of(s);
	struct entry *e = obj;

	if (c->kind->unclaim)
		c->kind->unclaim(e->obj);
	c->kind->put(e->obj);
	c->at++;
	return net_start(s);
}

/* The end has the number of the last object; and so, of none, -1 where one is taken off. */
static struct entry *object(struct bc_iter_session *s, void *obj, u64 *words)
{
	struct cursor *c = cursor_of(s);
	struct entry *e = obj;

	if (e) {
		c->any = true;
		words[0] = (unsigned long)e->obj;
	} else if (!c->any && c->kind->counts_head) {
		s->meta.seq_num = -1;
	}
	return e;
}

static int fill_object(struct bc_iter_session *s, void *obj, u64 *words)
{
	object(s, obj, words);
	return 0;
}

static int fill_socket(struct bc_iter_session *s, void *obj, u64 *words)
{
	struct entry *e = object(s, obj, words);
	struct sock *owner = e ? compat_sock_owner(e->obj) : NULL;

	if (owner)
		words[1] = from_kuid_munged(cursor_of(s)->cred->user_ns, sock_i_uid(owner));
	return 0;
}

static int fill_udp(struct bc_iter_session *s, void *obj, u64 *words)
{
	if (obj)
		words[2] = (u32)((struct entry *)obj)->bucket;
	return fill_socket(s, obj, words);
}

/* For helpers: the small kinds have no storage and no cookie of their own. */
static struct sock *net_sock(struct bc_iter_session *s, void *obj)
{
	struct sock *sk = ((struct entry *)obj)->obj;

	return compat_is_whole_state(sk->sk_state) ? sk : NULL;
}

static bool hold_socket(struct seq_file *m, void *obj)
{
	return compat_sock_hold(obj);
}

static void put_socket(void *obj)
{
	compat_sock_put(obj);
}

/* ---- tcp, udp: gone is what is in no table any more ---- */

static bool tcp_hold(struct seq_file *m, void *obj)
{
	return !compat_net_walk_at_request(m) && compat_sock_hold(obj);
}

static void unlock(void *obj)
{
	struct sock *sk = obj;

	if (compat_is_whole_state(sk->sk_state))
		release_sock(sk);
}

/* As in Linux, with the socket locked. */
static bool tcp_claim(void *obj)
{
	struct sock *sk = obj;

	if (compat_is_whole_state(sk->sk_state))
		lock_sock(sk);
	if (!sk_unhashed(sk))
		return true;
	unlock(sk);
	return false;
}

static bool udp_claim(void *obj)
{
	return !sk_unhashed(obj);
}

/* ---- unix, netlink: gone is what has no file any more ---- */

static bool living(void *obj)
{
	return !sock_flag(obj, SOCK_DEAD);
}

static bool unix_claim(void *obj)
{
	lock_sock(obj);
	if (living(obj))
		return true;
	release_sock(obj);
	return false;
}

static bool hold_route(struct seq_file *m, void *obj)
{
	return compat_fib6_info_hold(obj);
}

/* clang-format off */
static const struct net_kind tcp_kind = {
	.files = { "tcp", "tcp6" },
	.counts_head = true,
	.hold = tcp_hold,
	.put = put_socket,
	.claim = tcp_claim,
	.unclaim = unlock,
}, udp_kind = {
	.files = { "udp", "udp6" },
	.counts_head = true,
	.hold = hold_socket,
	.put = put_socket,
	.claim = udp_claim,
	.bucket = compat_net_walk_bucket,
}, unix_kind = {
	.files = { "unix" },
	.counts_head = true,
	.hold = hold_socket,
	.put = put_socket,
	.claim = unix_claim,
	.unclaim = unlock,
}, netlink_kind = {
	.files = { "netlink" },
	.counts_head = true,
	.hold = hold_socket,
	.put = put_socket,
	.claim = living,
}, route_kind = {
	.files = { "ipv6_route" },
	.anew = true,
	.hold = hold_route,
	.put = compat_fib6_info_put,
};
/* clang-format on */

static int tcp_open(struct bc_iter_session *s)
{
	return net_open(s, &tcp_kind);
}

static int udp_open(struct bc_iter_session *s)
{
	return net_open(s, &udp_kind);
}

static int unix_open(struct bc_iter_session *s)
{
	return net_open(s, &unix_kind);
}

static int netlink_open(struct bc_iter_session *s)
{
	return net_open(s, &netlink_kind);
}

static int route_open(struct bc_iter_session *s)
{
	return net_open(s, &route_kind);
}

#define NET_TARGET \
	.cursor_bytes = sizeof(struct cursor), \
	.close = net_close, \
	.start = net_start, \
	.next = net_next, \
	.stop = net_stop

const struct bc_iter_target_ops bc_iter_tcp = { NET_TARGET, .name = "tcp", .open = tcp_open, .fill = fill_socket, .sock = net_sock };
const struct bc_iter_target_ops bc_iter_udp = { NET_TARGET, .name = "udp", .open = udp_open, .fill = fill_udp, .sock = net_sock };
const struct bc_iter_target_ops bc_iter_unix = { NET_TARGET, .name = "unix", .open = unix_open, .fill = fill_socket, .sock = net_sock };
const struct bc_iter_target_ops bc_iter_netlink = {
	NET_TARGET,
	.name = "netlink",
	.open = netlink_open,
	.fill = fill_object,
	.sock = net_sock,
};
const struct bc_iter_target_ops bc_iter_ipv6_route = {
	NET_TARGET,
	.name = "ipv6_route",
	.available = compat_has_fib6_info,
	.open = route_open,
	.fill = fill_object,
};
