// SPDX-License-Identifier: GPL-2.0-only
/* Answers reads of virtual fields: finds the object that the address is in by its slab, so that it is no guess. */
#include "virtual_field.h"

#ifdef COMPAT_VIRTUAL_FIELDS

#include "nofault.h"
#include <linux/ipv6.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <net/inet_sock.h>
#include <net/sock.h>

/* Places inside the structs, as adapt.py gives them. */
#define START_TIME_AT 1
#define V6_DADDR_AT 1
#define V6_RCV_SADDR_AT 3

/* Bytes before each object, where SLUB's checks are on. */
static int left_pad(struct kmem_cache *cache)
{
	int pad = 0;

#ifdef HAVE_SLUB_RED_LEFT_PAD
	if (compat_read_kernel(&pad, &cache->red_left_pad, sizeof(pad)) || pad < 0)
		return 0;
#endif
	return pad;
}

/* The slab cache of an address in a slab, and the start of the object there. */
static struct kmem_cache *object_of(unsigned long addr, unsigned long *base)
{
	struct kmem_cache *cache;
	unsigned long start;
	struct page *page;
	int size;

	if (!virt_addr_valid((void *)addr))
		return NULL;
	page = virt_to_head_page((void *)addr);
	if (!PageSlab(page))
		return NULL;
	/* The page may leave the slab at any moment, and the word is then another's. */
	cache = READ_ONCE(page->slab_cache);
	if (compat_read_kernel(&size, &cache->size, sizeof(size)) || size <= 0 || !PageSlab(page))
		return NULL;
	start = (unsigned long)page_address(page) + left_pad(cache);
	if (addr < start)
		return NULL;
	*base = start + (addr - start) / size * size;
	return cache;
}

#ifdef HAVE_START_TIME_TIMESPEC
/* Nanoseconds, as since Linux 3.17. */
static bool task_field(void *dst, unsigned long base, u32 at, size_t size, struct kmem_cache *cache)
{
	struct task_struct *task = (struct task_struct *)base;
	struct kmem_cache *tasks;
	unsigned long unused;
	u64 ns;

	if (at != START_TIME_AT || size != sizeof(ns))
		return false;
	/* The first task of all is in no slab; every other one shares a cache with all. */
	tasks = object_of((unsigned long)current, &unused);
	if (!tasks)
		tasks = object_of((unsigned long)init_task.children.next, &unused);
	if (cache != tasks)
		return false;
	ns = timespec_to_ns(&task->start_time);
	memcpy(dst, &ns, sizeof(ns));
	return true;
}
#endif

#if !defined(HAVE_SKC_V6_DADDR) && IS_ENABLED(CONFIG_IPV6)
/* In struct sock_common since Linux 3.13; before, in what inet_sock points to, for IPv6 sockets alone. */
static bool sock_field(void *dst, unsigned long base, u32 at, size_t size, struct kmem_cache *cache)
{
	bool daddr = (at & 3) == V6_DADDR_AT;
	u32 part = at - (daddr ? V6_DADDR_AT : V6_RCV_SADDR_AT);
	const struct sock *sk = (const struct sock *)base;
	struct ipv6_pinfo *np;
	struct kmem_cache *slab;

	if (at < (daddr ? V6_DADDR_AT : V6_RCV_SADDR_AT) || part + size > sizeof(struct in6_addr))
		return false;
	/* A socket is in the slab of its protocol. */
	if (compat_read_kernel(&slab, &sk->sk_prot->slab, sizeof(slab)) || slab != cache)
		return false;
	memset(dst, 0, size);
	np = sk->sk_family == AF_INET6 ? inet_sk(sk)->pinet6 : NULL;
	if (np)
		compat_read_kernel(dst, (const u8 *)(daddr ? &np->daddr : &np->rcv_saddr) + part, size);
	return true;
}
#endif

bool compat_virtual_field_read(void *dst, unsigned long addr, size_t size)
{
	struct kmem_cache *cache;
	unsigned long base = 0;
	u32 at;

	cache = object_of(addr, &base);
	if (!cache)
		return false;
	at = addr - base;
	if (at >= V6_RCV_SADDR_AT + sizeof(struct in6_addr))
		return false;
#ifdef HAVE_START_TIME_TIMESPEC
	if (task_field(dst, base, at, size, cache))
		return true;
#endif
#if !defined(HAVE_SKC_V6_DADDR) && IS_ENABLED(CONFIG_IPV6)
	if (sock_field(dst, base, at, size, cache))
		return true;
#endif
	return false;
}

#endif
