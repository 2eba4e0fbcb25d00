// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the current task: ids, name, cgroup, namespace.
 */
#include "helpers.h"
#include "../compat/cgroup.h"
#include "../compat/nofault.h"
#include "../compat/pidns.h"
#include "../maps/maps.h"

BC_HELPER(get_current_pid_tgid)
{
	return (u64)current->tgid << 32 | (u32)current->pid;
}

BC_HELPER(get_current_uid_gid)
{
	u32 uid = from_kuid(&init_user_ns, current_uid());
	u32 gid = from_kgid(&init_user_ns, current_gid());

	return (u64)gid << 32 | uid;
}

BC_HELPER(get_current_comm)
{
	char *dst = (char *)r1;
	u32 size = (u32)r2;
	u32 len = min_t(u32, strnlen(current->comm, sizeof(current->comm)), size - 1);

	memcpy(dst, current->comm, len);
	memset(dst + len, 0, size - len);
	return 0;
}

BC_HELPER(get_current_task)
{
	return (u64)current;
}

BC_HELPER(get_current_task_btf)
{
	return (u64)current;
}

/* A pointer with a type may be NULL, or lead nowhere, as what it was loaded from did: it is looked at before it is followed. */
BC_HELPER(task_pt_regs)
{
	struct task_struct *task = (struct task_struct *)r1;
	unsigned long word;

	if (compat_read_kernel(&word, &task->stack, sizeof(word)) || compat_read_kernel(&word, &task->thread, sizeof(word)))
		return 0;
	return (u64)task_pt_regs(task);
}

BC_HELPER(get_current_cgroup_id)
{
	return compat_task_cgroup_id(current);
}

BC_HELPER(get_current_ancestor_cgroup_id)
{
	return compat_task_ancestor_cgroup_id(current, (int)r1);
}

BC_HELPER(current_task_under_cgroup)
{
	return (s64)bc_current_under_cgroup(bc_map_of((struct bc_map_desc *)r1), (u32)r2);
}

BC_HELPER(get_ns_current_pid_tgid)
{
	struct bpf_pidns_info *info = (struct bpf_pidns_info *)r3;
	struct pid_namespace *ns;

	if ((u32)r4 != sizeof(*info)) {
		memset(info, 0, (u32)r4);
		return (s64)-EINVAL;
	}
	memset(info, 0, sizeof(*info));
	if ((u64)(dev_t)r1 != r1)
		return (s64)-EINVAL;
	ns = task_active_pid_ns(current);
	if (!ns)
		return (s64)-ENOENT;
	if (!compat_pidns_match(ns, (dev_t)r1, r2))
		return (s64)-EINVAL;
	info->pid = task_pid_nr_ns(current, ns);
	info->tgid = task_tgid_nr_ns(current, ns);
	return 0;
}
