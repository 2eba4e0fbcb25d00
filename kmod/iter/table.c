// SPDX-License-Identifier: GPL-2.0-only
/*
 * The targets by name.
 */
#include "iter.h"

const struct bc_iter_target_ops *bc_iter_target(const char *name)
{
	static const struct bc_iter_target_ops *const targets[] = {
		&bc_iter_task, &bc_iter_task_file, &bc_iter_task_vma, &bc_iter_bpf_map, &bc_iter_bpf_prog, &bc_iter_bpf_link,
		&bc_iter_bpf_map_elem, &bc_iter_sk_storage_map, &bc_iter_ksym, &bc_iter_cgroup,
		&bc_iter_sockmap, &bc_iter_tcp, &bc_iter_udp, &bc_iter_unix, &bc_iter_netlink, &bc_iter_ipv6_route,
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i]->name, name))
			return targets[i];
	return NULL;
}

bool bc_iter_offered(const char *name)
{
	const struct bc_iter_target_ops *target = bc_iter_target(name);

	return target && (!target->available || target->available());
}

int bc_iter_init(void)
{
	bc_shadows_init();
	bc_iter_ksym_init();
	return 0;
}
