// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on the cgroup that a packet or a socket belongs to, and on what a hook of a cgroup answers. On Linux the packet of a test run has
 * a socket that was made for it then and there, and that is in the group of who asks for the run.
 */
#include "helpers.h"
#include "../compat/cgroup.h"
#include "../compat/sock_cgroup.h"
#include "../maps/maps.h"

BC_HELPER(skb_cgroup_id)
{
	return compat_task_cgroup_id(current);
}

BC_HELPER(skb_ancestor_cgroup_id)
{
	return compat_task_ancestor_cgroup_id(current, (int)r2);
}

BC_HELPER(skb_under_cgroup)
{
	return (s64)bc_current_under_cgroup(bc_map_of((struct bc_map_desc *)r2), (u32)r3);
}

BC_HELPER(skb_cgroup_classid)
{
	return compat_task_classid(current);
}

BC_HELPER(get_cgroup_classid)
{
	return compat_task_classid(current);
}

BC_HELPER(sk_cgroup_id)
{
	return compat_sock_cgroup_id((const struct sock *)r1);
}

BC_HELPER(sk_ancestor_cgroup_id)
{
	return compat_sock_ancestor_cgroup_id((const struct sock *)r1, (int)r2);
}

/* Of the hook: what has been answered so far, which the next program may change. */
BC_HELPER(get_retval)
{
	return (s64)bc_this_run()->retval;
}

BC_HELPER(set_retval)
{
	bc_this_run()->retval = (s32)r1;
	return 0;
}
