// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_MAP_TYPE_SOCKMAP and SOCKHASH: sockets by index, and by key. Linux moves data between them by programs that are attached to the
 * map; no such programs are here, and what is left is what these maps are to other programs: sockets to look up, and to look at.
 *
 * Linux puts itself into a socket's operations, so that one leaves its maps when it is closed. Here nothing of a socket is changed. Each
 * element holds a reference, and one whose socket was closed counts for nothing from then on, whoever comes upon it; what is left of those
 * goes within a second or so. (Linux also takes out a UNIX stream whose peer calls shutdown(). What that leaves in the socket others do,
 * too; here it stays.)
 *
 * Readers take no lock. An element that leaves the map keeps its reference till no program that may have seen it is running (pool.c), so
 * that programs need none of their own.
 */
#include "sockmap.h"
#include "hash.h"
#include "pool.h"
#include "sock_cookie.h"
#include "../compat/sock.h"
#include <linux/file.h>
#include <linux/net.h>

#define FIRST		1024	/* elements that are there from the start */
#define SPARE		8192	/* beside the wanted ones, that wait for their readers */
#define BATCH		256	/* elements that are looked after with interrupts off */
#define SWEEP_EVERY	HZ

struct sock_elem {
	struct bc_pooled pooled;
	struct sock_elem *next;		/* in its bucket; one that was taken out leads on where it led */
	struct list_head live;
	struct sock *sk;		/* a reference */
	u8 key[] __attribute__((aligned(8)));
};

struct bc_sockmap {
	struct bc_map map;
	struct sock_elem **heads;	/* of a SOCKMAP: the places */
	u32 head_cnt;
	struct bc_hash_seed seed;
	struct bc_lock lock;		/* writers' */
	struct list_head live;		/* all elements */
	u32 cnt;
	bool sweeping;			/* the work is on its way, or was asked for */
	struct irq_work kick;
	struct delayed_work sweep;
	struct bc_pool pool;
	struct mutex cookie_lock;
	bool cookies;			/* holds bc_sock_cookies_get() */
};

static struct bc_sockmap *sockmap_of(const struct bc_map *map)
{
	return container_of(map, struct bc_sockmap, map);
}

static bool is_hash(const struct bc_sockmap *smap)
{
	return smap->map.desc.type == BPF_MAP_TYPE_SOCKHASH;
}

/* ---- which sockets ---- */

enum sock_kind { NONE, TCP, UDP, UNIX_STREAM, UNIX_PACKETS };

static enum sock_kind kind_of(const struct sock *sk)
{
	if (sk->sk_family == AF_UNIX)
		return sk->sk_type == SOCK_STREAM ? UNIX_STREAM : UNIX_PACKETS;
	if (sk->sk_family != AF_INET && sk->sk_family != AF_INET6)
		return NONE;
	if (sk->sk_type == SOCK_STREAM && sk->sk_protocol == IPPROTO_TCP)
		return TCP;
	return sk->sk_type == SOCK_DGRAM && sk->sk_protocol == IPPROTO_UDP ? UDP : NONE;
}

static bool may_join(const struct sock *sk)
{
	if (sock_flag(sk, SOCK_DEAD))
		return false;
	switch (kind_of(sk)) {
	case TCP:
		return sk->sk_state == TCP_ESTABLISHED || sk->sk_state == TCP_LISTEN;
	case UDP:
		return sk_hashed(sk);
	case UNIX_STREAM:
		return sk->sk_state == TCP_ESTABLISHED;
	case UNIX_PACKETS:
		return true;
	default:
		return false;
	}
}

/* Sockets that somebody else has taken over, and one kind that can't be taken over. */
static int check_taken(const struct sock *sk)
{
	enum sock_kind kind = kind_of(sk);

	if (kind == TCP && compat_tcp_has_ulp(sk))
		return -EINVAL;
	if (READ_ONCE(sk->sk_user_data))
		return -EBUSY;
	return kind == UNIX_PACKETS && sk->sk_type != SOCK_DGRAM ? -EOPNOTSUPP : 0;
}

/* Closed: by its last fd, not by what became of its connection. */
static bool gone(const struct sock_elem *e)
{
	return sock_flag(e->sk, SOCK_DEAD);
}

/* ---- finding; inside the guard ---- */

/* NULL: an index past the end. What a program gives may lie in a map, and change between two looks. */
static struct sock_elem **head_of(const struct bc_sockmap *smap, const void *key)
{
	u32 at;

	if (is_hash(smap))
		at = bc_hash(key, smap->map.desc.key_size, &smap->seed) & (smap->head_cnt - 1);
	else
		at = READ_ONCE(*(const u32 *)key);
	return likely(at < smap->head_cnt) ? &smap->heads[at] : NULL;
}

static struct sock_elem *find(const struct bc_sockmap *smap, const void *key)
{
	struct sock_elem **head = head_of(smap, key), *e;

	if (!head)
		return NULL;
	for (e = smp_load_acquire(head); e; e = READ_ONCE(e->next))
		if (bc_same_key(e->key, key, smap->map.desc.key_size))
			return gone(e) ? NULL : e;
	return NULL;
}

static void *sockmap_lookup(struct bc_map *map, const void *key)
{
	struct sock_elem *e = find(sockmap_of(map), key);

	return e ? e->sk : NULL;
}

/* ---- changing; with the lock held ---- */

/* Where the element with that key hangs from @head, or its end. */
static struct sock_elem **place_behind(const struct bc_sockmap *smap, struct sock_elem **head, const void *key)
{
	struct sock_elem **at = head;

	/* an index has but one */
	while (*at && is_hash(smap) && !bc_same_key((*at)->key, key, smap->map.desc.key_size))
		at = &(*at)->next;
	return at;
}

/* The same of a key that is an element's own, and good. */
static struct sock_elem **place_of(const struct bc_sockmap *smap, const struct sock_elem *e)
{
	return place_behind(smap, head_of(smap, e->key), e->key);
}

static void take_out(struct bc_sockmap *smap, struct sock_elem **at)
{
	struct sock_elem *e = *at;

	WRITE_ONCE(*at, e->next);
	list_del(&e->live);
	smap->cnt--;
	bc_pool_retire(&smap->pool, e);
}

/* Of up to @look elements takes out those whose socket is gone, and says whether there were any. The others are looked at later. */
static bool take_out_gone(struct bc_sockmap *smap, u32 look)
{
	struct sock_elem *e;
	bool found = false;

	for (look = min(look, smap->cnt); look; look--) {
		e = list_first_entry(&smap->live, struct sock_elem, live);
		list_move_tail(&e->live, &smap->live);
		if (!gone(e))
			continue;
		take_out(smap, place_of(smap, e));
		found = true;
	}
	return found;
}

static long check_flags(const struct sock_elem *old, u64 flags)
{
	if (old)
		return flags == BPF_NOEXIST ? -EEXIST : 0;
	return flags == BPF_EXIST ? -ENOENT : 0;
}

/* A new element in the place of what has its key. */
static long link_in(struct bc_sockmap *smap, struct sock_elem *new, u64 flags)
{
	struct sock_elem **at = place_of(smap, new), *old = *at;
	long err;

	if (old && gone(old)) {
		take_out(smap, at);
		old = NULL;
	}
	err = check_flags(old, flags);
	if (err)
		return err;
	if (!old && smap->cnt >= smap->map.desc.max_entries) {
		if (!take_out_gone(smap, BATCH))
			return -E2BIG;
		at = place_of(smap, new);
	}
	sock_hold(new->sk);
	new->next = old ? old->next : *at;
	smp_store_release(at, new);
	list_add_tail(&new->live, &smap->live);
	if (old) {
		list_del(&old->live);
		bc_pool_retire(&smap->pool, old);
	} else {
		smap->cnt++;
	}
	return 0;
}

/* ---- from programs and, under the guard, from system calls; @sk is held by somebody ---- */

static long put_in(struct bc_sockmap *smap, const void *key, struct sock *sk, u64 flags)
{
	struct sock_elem *new, *old;
	unsigned long irq;
	bool kick = false;
	long err;

	if (!may_join(sk))
		return -EOPNOTSUPP;
	if (flags > BPF_EXIST)
		return -EINVAL;
	if (!head_of(smap, key))
		return -E2BIG;
	err = check_taken(sk);
	if (err)
		return err;
	old = find(smap, key);
	if (old && old->sk == sk && flags != BPF_NOEXIST)
		return 0;
	new = bc_pool_get(&smap->pool);
	if (!new)
		return -ENOMEM;
	new->sk = sk;
	memcpy(new->key, key, smap->map.desc.key_size);
	irq = bc_lock_irqsave(&smap->lock);
	err = likely(head_of(smap, new->key)) ? link_in(smap, new, flags) : -E2BIG;
	if (!err && !smap->sweeping)
		smap->sweeping = kick = true;
	bc_unlock_irqrestore(&smap->lock, irq);
	if (err)
		bc_pool_put(&smap->pool, new);
	if (kick)
		irq_work_queue(&smap->kick);
	return err;
}

/*
 * What programs of the network types have for a socket is held, or they were not loaded. Iterators may have found a pointer anywhere, that
 * leads nowhere: they may put the one that they are shown.
 */
static long sockmap_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	const struct bc_run *run = bc_this_run();
	struct sock *sk = (struct sock *)value;

	if (!sk)
		return -EINVAL;
	if (run->prog->type == BPF_PROG_TYPE_TRACING && sk != run->sock)
		return -EOPNOTSUPP;
	if (!compat_is_whole_state(sk->sk_state))
		return -EINVAL;
	return put_in(sockmap_of(map), key, sk, flags);
}

static long sockmap_delete(struct bc_map *map, const void *key)
{
	struct bc_sockmap *smap = sockmap_of(map);
	long none = is_hash(smap) ? -ENOENT : -EINVAL, err = none;
	struct sock_elem **head = head_of(smap, key), **at;
	unsigned long irq;

	if (!head)
		return -EINVAL;
	irq = bc_lock_irqsave(&smap->lock);
	at = place_behind(smap, head, key);
	if (*at) {
		err = gone(*at) ? none : 0;
		take_out(smap, at);
	}
	bc_unlock_irqrestore(&smap->lock, irq);
	return err;
}

/* ---- system calls ---- */

/* All elements once, as good as that goes while others change the map. */
static void sweep_all(struct bc_sockmap *smap)
{
	unsigned long irq;
	u32 left = READ_ONCE(smap->cnt), look;

	while (left) {
		look = min_t(u32, left, BATCH);
		bc_syscall_enter();
		irq = bc_lock_irqsave(&smap->lock);
		take_out_gone(smap, look);
		bc_unlock_irqrestore(&smap->lock, irq);
		bc_syscall_exit();
		left -= look;
		cond_resched();
	}
}

static int sys_put_in(struct bc_sockmap *smap, const void *key, struct sock *sk, u64 flags)
{
	bool swept = false;
	int tries = 0;
	long err;

	for (;;) {
		bc_pool_ready(&smap->pool);
		bc_syscall_enter();
		err = put_in(smap, key, sk, flags);
		bc_syscall_exit();
		if (err == -E2BIG && is_hash(smap) && !swept) {
			sweep_all(smap);
			swept = true;
		} else if (err != -ENOMEM || ++tries == 10) {
			/* programs may have emptied the stock in between */
			return err;
		}
	}
}

static int sockmap_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u64 fd = map->desc.value_size == sizeof(u64) ? *(const u64 *)value : *(const u32 *)value;
	struct socket *sock;
	int err;

	if (fd > S32_MAX)
		return -EINVAL;
	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return err;
	err = sock->sk ? sys_put_in(sockmap_of(map), key, sock->sk, flags) : -EINVAL;
	sockfd_put(sock);
	return err;
}

/* Some kernels give sockets their cookies only where somebody asks for them. */
static int want_cookies(struct bc_sockmap *smap)
{
	int err = 0;

	mutex_lock(&smap->cookie_lock);
	if (!smap->cookies) {
		err = bc_sock_cookies_get();
		smap->cookies = !err;
	}
	mutex_unlock(&smap->cookie_lock);
	return err;
}

/* What there is to see of a socket is its cookie. */
static int sockmap_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct bc_sockmap *smap = sockmap_of(map);
	struct sock *sk;
	u64 cookie = 0;
	int err;

	if (map->desc.value_size != sizeof(u64))
		return -ENOSPC;
	bc_syscall_enter();
	sk = sockmap_lookup(map, key);
	if (sk)
		sock_hold(sk);
	bc_syscall_exit();
	if (!sk)
		return -ENOENT;
	err = want_cookies(smap);
	if (!err)
		err = bc_sock_cookie_wait(sk, &cookie);
	sock_put(sk);
	*(u64 *)value = cookie;
	return err;
}

/* The first at or behind @e that is there. */
static struct sock_elem *present(struct sock_elem *e)
{
	while (e && gone(e))
		e = READ_ONCE(e->next);
	return e;
}

/* The first of the buckets from *@at on that holds any; inside the guard, for so many of them that it is not held for long. */
static struct sock_elem *first_from(struct bc_sockmap *smap, u32 *at)
{
	u32 end = min_t(u64, (u64)*at + 4096, smap->head_cnt);
	struct sock_elem *e = NULL;

	for (; *at < end; ++*at) {
		e = present(smp_load_acquire(&smap->heads[*at]));
		if (e)
			break;
	}
	return e;
}

static int sockhash_sys_next_key(struct bc_map *map, const void *key, void *next)
{
	struct bc_sockmap *smap = sockmap_of(map);
	struct sock_elem *e = NULL, *old;
	u32 at = 0;

	bc_syscall_enter();
	old = key ? find(smap, key) : NULL;
	if (old) {
		e = present(READ_ONCE(old->next));
		at = head_of(smap, key) - smap->heads + 1;
	}
	while (!e && at < smap->head_cnt) {
		e = first_from(smap, &at);
		if (e)
			break;
		bc_syscall_exit();
		cond_resched();
		bc_syscall_enter();
	}
	if (e)
		memcpy(next, e->key, map->desc.key_size);
	bc_syscall_exit();
	return e ? 0 : -ENOENT;
}

/* ---- iterators ---- */

static struct sock_elem *nth(struct sock_elem *e, u32 n)
{
	for (e = present(e); e && n; n--)
		e = present(READ_ONCE(e->next));
	return e;
}

/* Where the walk goes on in a bucket: behind what it showed last or, if that is gone, behind what it showed before that. */
static struct sock_elem *go_on(struct sock_elem *first, struct bc_sockmap_pos *pos)
{
	struct sock_elem *e;

	if (!pos->shown)
		return present(first);
	for (e = first; e; e = READ_ONCE(e->next))
		if (e == pos->last)
			return present(READ_ONCE(e->next));
	return nth(first, --pos->shown);
}

static bool index_at(struct bc_sockmap *smap, struct bc_sockmap_pos *pos, u32 *key, struct sock **sk)
{
	if (pos->at >= smap->head_cnt)
		return false;
	*key = pos->at;
	bc_syscall_enter();
	*sk = sockmap_lookup(&smap->map, key);
	if (*sk)
		sock_hold(*sk);
	bc_syscall_exit();
	return true;
}

bool bc_sockmap_at(struct bc_map *map, struct bc_sockmap_pos *pos, void *key, struct sock **sk)
{
	struct bc_sockmap *smap = sockmap_of(map);
	struct sock_elem *e = NULL;

	if (!is_hash(smap))
		return index_at(smap, pos, key, sk);
	while (!e && pos->at < smap->head_cnt) {
		bc_syscall_enter();
		e = go_on(smp_load_acquire(&smap->heads[pos->at]), pos);
		if (!e) {
			pos->at++;
			pos->shown = 0;
			e = first_from(smap, &pos->at);
		}
		if (e) {
			memcpy(key, e->key, map->desc.key_size);
			*sk = e->sk;
			sock_hold(*sk);
		}
		bc_syscall_exit();
		cond_resched();
	}
	pos->here = e;
	return e;
}

void bc_sockmap_step(struct bc_map *map, struct bc_sockmap_pos *pos)
{
	if (is_hash(sockmap_of(map))) {
		pos->shown++;
		pos->last = pos->here;
	} else {
		pos->at++;
	}
}

/* ---- maps ---- */

static void kicked(struct irq_work *work)
{
	schedule_delayed_work(&container_of(work, struct bc_sockmap, kick)->sweep, SWEEP_EVERY);
}

static void sweep_work(struct work_struct *work)
{
	struct bc_sockmap *smap = container_of(to_delayed_work(work), struct bc_sockmap, sweep);
	unsigned long irq;
	bool again;

	sweep_all(smap);
	bc_syscall_enter();
	irq = bc_lock_irqsave(&smap->lock);
	again = smap->sweeping = smap->cnt;
	bc_unlock_irqrestore(&smap->lock, irq);
	bc_syscall_exit();
	if (again)
		schedule_delayed_work(&smap->sweep, SWEEP_EVERY);
}

static void release_elem(void *object)
{
	sock_put(((struct sock_elem *)object)->sk);
}

static void sockmap_free(struct bc_map *map)
{
	struct bc_sockmap *smap = sockmap_of(map);
	struct sock_elem *e;

	irq_work_sync(&smap->kick);
	cancel_delayed_work_sync(&smap->sweep);
	list_for_each_entry(e, &smap->live, live) {
		sock_put(e->sk);
		cond_resched();
	}
	bc_pool_free(&smap->pool);
	if (smap->cookies)
		bc_sock_cookies_put();
	bc_free(&map->obj, smap->heads, (size_t)smap->head_cnt * sizeof(*smap->heads));
	bc_map_delete(smap, sizeof(*smap));
}

#define KNOWN_FLAGS (BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY)
#define LINUX_BUCKET_BYTES 16

static bool attr_ok(const union bpf_attr *attr)
{
	return attr->max_entries && attr->key_size && (attr->value_size == sizeof(u32) || attr->value_size == sizeof(u64)) &&
	       !(attr->map_flags & ~KNOWN_FLAGS);
}

static struct bc_map *alloc(const union bpf_attr *attr, u32 head_cnt)
{
	struct bc_sockmap *smap = bc_map_new(attr, sizeof(*smap));
	u32 most = min_t(u64, (u64)attr->max_entries + SPARE, UINT_MAX);
	int err;

	if (!smap)
		return ERR_PTR(-ENOMEM);
	bc_lock_init(&smap->lock);
	INIT_LIST_HEAD(&smap->live);
	init_irq_work(&smap->kick, kicked);
	INIT_DELAYED_WORK(&smap->sweep, sweep_work);
	mutex_init(&smap->cookie_lock);
	bc_hash_seed_init(&smap->seed, true);
	bc_pool_prepare(&smap->pool, &smap->map.obj, sizeof(struct sock_elem) + round_up(attr->key_size, 8), most);
	smap->pool.release = release_elem;
	smap->heads = bc_alloc(&smap->map.obj, (size_t)head_cnt * sizeof(*smap->heads));
	if (smap->heads)
		smap->head_cnt = head_cnt;
	err = smap->heads ? bc_pool_fill(&smap->pool, min_t(u32, attr->max_entries, FIRST) + FIRST / 4) : -ENOMEM;
	if (!err)
		return &smap->map;
	sockmap_free(&smap->map);
	return ERR_PTR(err);
}

static struct bc_map *sockmap_alloc(const union bpf_attr *attr)
{
	if (!capable(CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	if (!attr_ok(attr) || attr->key_size != sizeof(u32) || attr->max_entries > INT_MAX)
		return ERR_PTR(-EINVAL);
	return alloc(attr, attr->max_entries);
}

static struct bc_map *sockhash_alloc(const union bpf_attr *attr)
{
	u64 buckets;

	if (!capable(CAP_NET_ADMIN))
		return ERR_PTR(-EPERM);
	if (!attr_ok(attr))
		return ERR_PTR(-EINVAL);
	if (attr->key_size > BC_MAX_STACK)
		return ERR_PTR(-E2BIG);
	buckets = roundup_pow_of_two((unsigned long)attr->max_entries);
	if (buckets > U32_MAX / LINUX_BUCKET_BYTES)
		return ERR_PTR(-EINVAL);
	return alloc(attr, buckets);
}

const struct bc_map_ops bc_sockmap_ops = {
	.alloc = sockmap_alloc,
	.free = sockmap_free,
	.lookup = sockmap_lookup,
	.update = sockmap_update,
	.delete = sockmap_delete,
	.sys_lookup = sockmap_sys_lookup,
	.sys_update = sockmap_sys_update,
	.sys_next_key = bc_array_next_key,
};

const struct bc_map_ops bc_sockhash_ops = {
	.alloc = sockhash_alloc,
	.free = sockmap_free,
	.lookup = sockmap_lookup,
	.update = sockmap_update,
	.delete = sockmap_delete,
	.sys_lookup = sockmap_sys_lookup,
	.sys_update = sockmap_sys_update,
	.sys_next_key = sockhash_sys_next_key,
};
