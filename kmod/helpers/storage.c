// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the storage of tasks and sockets. That of inodes is for programs of security modules alone, as in Linux 6.1.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include "../compat/sock.h"
#include "../maps/local_storage.h"

static struct bc_map *map_of(u64 r)
{
	return bc_map_of((struct bc_map_desc *)r);
}

BC_HELPER(task_storage_get)
{
	if ((r4 & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE) || !r2)
		return 0;
	return (u64)bc_storage_get(map_of(r1), (const void *)r2, (const void *)r3, r4);
}

BC_HELPER(task_storage_delete)
{
	if (!r2)
		return (s64)-EINVAL;
	return bc_storage_delete(map_of(r1), (const void *)r2);
}

/* The small kinds of sockets have none, and a pointer with a type may lead nowhere. */
static bool may_have_storage(u64 sk)
{
	unsigned char state;

	return sk && !compat_read_kernel(&state, (const void *)&((const struct sock *)sk)->sk_state, sizeof(state)) &&
	       compat_is_whole_state(state);
}

/* Programs at functions and tracepoints may be in the middle of what handles the socket then. */
static bool too_deep(void)
{
	return bc_this_run()->prog->type == BPF_PROG_TYPE_TRACING && (hardirq_count() || in_nmi());
}

BC_HELPER(sk_storage_get)
{
	if (too_deep() || !may_have_storage(r2) || r4 > BPF_SK_STORAGE_GET_F_CREATE)
		return 0;
	return (u64)bc_storage_get(map_of(r1), (const void *)r2, (const void *)r3, r4);
}

BC_HELPER(sk_storage_delete)
{
	if (too_deep())
		return (s64)-EPERM;
	if (!may_have_storage(r2))
		return (s64)-EINVAL;
	if (!compat_object_lives(COMPAT_SOCK, (const void *)r2))
		return (s64)-ENOENT;
	return bc_storage_delete(map_of(r1), (const void *)r2);
}
