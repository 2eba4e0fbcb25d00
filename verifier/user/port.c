/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verifier/port.h in user space. Allocations can be made to fail on demand, so that tests can walk every failure path.
 */
#include "../port.h"
#include "user.h"

#include <stdlib.h>
#include <time.h>

static s64 fail_after = -1;
static u64 live_blocks;

/* -1: never fail; 0: the next allocation fails (once), and so on. */
void bc_user_fail_alloc(s64 after)
{
	fail_after = after;
}

u64 bc_user_live_blocks(void)
{
	return live_blocks;
}

static bool must_fail(void)
{
	if (fail_after < 0)
		return false;
	return fail_after-- == 0;
}

void *port_zalloc(size_t size)
{
	void *p;

	if (must_fail())
		return NULL;
	p = calloc(1, size ? size : 1);
	if (p)
		live_blocks++;
	return p;
}

void *port_realloc(void *p, size_t old_size, size_t new_size)
{
	char *n;

	if (!p)
		return port_zalloc(new_size);
	if (must_fail())
		return NULL;
	n = realloc(p, new_size ? new_size : 1);
	if (n && new_size > old_size)
		memset(n + old_size, 0, new_size - old_size);
	return n;
}

void port_free(void *p)
{
	if (p)
		live_blocks--;
	free(p);
}

u64 port_time_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000ULL + (u64)ts.tv_nsec;
}

int port_poll(void)
{
	return 0;
}

int port_copy_from_user(void *dst, u64 src, size_t size)
{
	memcpy(dst, (const void *)(uintptr_t)src, size);
	return 0;
}

int port_copy_to_user(u64 dst, const void *src, size_t size)
{
	memcpy((void *)(uintptr_t)dst, src, size);
	return 0;
}

void port_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
}
