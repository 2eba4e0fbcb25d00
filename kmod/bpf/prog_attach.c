// SPDX-License-Identifier: GPL-2.0-only
/*
 * PROG_ATTACH, PROG_DETACH and PROG_QUERY: hooks of cgroups, sockets and network namespaces. None is served yet, so what is left is to
 * answer as a kernel configured without them.
 */
#include "core.h"

#define ATTACH_FLAGS (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI | BPF_F_REPLACE)

BC_COMMAND(prog_attach)
{
	struct bc_prog *prog;

	if (attr->attach_flags & ~ATTACH_FLAGS || attr->attach_type >= MAX_BPF_ATTACH_TYPE)
		return -EINVAL;
	prog = bc_prog_get_fd(attr->attach_bpf_fd);
	if (IS_ERR(prog))
		return PTR_ERR(prog);
	bc_prog_put(prog);
	return -EINVAL;
}

BC_COMMAND(prog_detach)
{
	return -EINVAL;
}

BC_COMMAND(prog_query)
{
	if (!capable(CAP_NET_ADMIN))
		return -EPERM;
	return -EINVAL;
}
