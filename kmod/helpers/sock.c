// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on sockets, for test runs: their packets belong to no socket and to no network in which one could be found, and so each look-up
 * finds none. What takes a socket can therefore never be reached by a run; it answers as for a socket that is of no such kind.
 */
#include "helpers.h"
#include <linux/highuid.h>

BC_HELPER(sk_lookup_tcp)
{
	return 0;
}

BC_HELPER(sk_lookup_udp)
{
	return 0;
}

BC_HELPER(skc_lookup_tcp)
{
	return 0;
}

BC_HELPER(sk_release)
{
	return 0;
}

BC_HELPER(sk_fullsock)
{
	return 0;
}

BC_HELPER(tcp_sock)
{
	return 0;
}

BC_HELPER(get_listener_sock)
{
	return 0;
}

BC_HELPER(skc_to_tcp_sock)
{
	return 0;
}

BC_HELPER(skc_to_tcp6_sock)
{
	return 0;
}

BC_HELPER(skc_to_tcp_timewait_sock)
{
	return 0;
}

BC_HELPER(skc_to_tcp_request_sock)
{
	return 0;
}

BC_HELPER(skc_to_udp6_sock)
{
	return 0;
}

BC_HELPER(skc_to_unix_sock)
{
	return 0;
}

/* No socket has no cookie, and an owner that is nobody. */
BC_HELPER(get_socket_cookie)
{
	return 0;
}

BC_HELPER(get_socket_uid)
{
	return (u32)overflowuid;
}

/* That of the first network: a test run is in none of its own. */
BC_HELPER(get_netns_cookie)
{
	return 1;
}

/* That of the task's group for traffic control; a test run's task stands for no sender. */
BC_HELPER(get_cgroup_classid)
{
	return 0;
}
