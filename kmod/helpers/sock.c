// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on sockets. The packets of test runs belong to no socket and to no network in which one could be found, and so each look-up
 * there finds none. What their programs have of sockets they found in a map of these.
 */
#include "helpers.h"
#include "../compat/nofault.h"
#include "../compat/sock.h"
#include "../maps/sock_cookie.h"
#include <linux/in.h>
#include <linux/magic.h>

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

/* What a map had when it was looked at stays till all programs that ran then have ended: nothing was taken. */
BC_HELPER(sk_release)
{
	return 0;
}

/* All that programs find are whole. */
BC_HELPER(sk_fullsock)
{
	return r1;
}

BC_HELPER(tcp_sock)
{
	return ((const struct sock *)r1)->sk_protocol == IPPROTO_TCP ? r1 : 0;
}

BC_HELPER(get_listener_sock)
{
	return ((const struct sock *)r1)->sk_state == TCP_LISTEN ? r1 : 0;
}

/* ---- sockets by another type: those of programs at functions and tracepoints are real ---- */

static void *copies;	/* per CPU, struct sock: a pointer with a type may lead nowhere */
static const struct proto *tcp_protos[2];

/* What is there, or NULL. Of the two small kinds, which share no more, only the common part. */
static const struct sock *look(u64 sk, bool *full)
{
	struct sock *copy = bc_percpu_ptr(copies, sizeof(*copy), smp_processor_id());

	if (!sk || compat_read_kernel(&copy->__sk_common, (const void *)sk, sizeof(copy->__sk_common)))
		return NULL;
	*full = compat_is_whole_state(copy->__sk_common.skc_state);
	if (*full && compat_read_kernel(copy, (const void *)sk, sizeof(*copy)))
		return NULL;
	return copy;
}

/* The socket, if it is a whole one of @protocol and @family (negative: any). */
static u64 whole(u64 sk, int protocol, int family, int type)
{
	const struct sock *copy;
	bool full;

	copy = look(sk, &full);
	if (!copy || !full || (protocol >= 0 && copy->sk_protocol != protocol) ||
	    (family >= 0 && copy->__sk_common.skc_family != family) || (type >= 0 && copy->sk_type != type))
		return 0;
	return sk;
}

static u64 small_tcp(u64 sk, int state)
{
	const struct sock *copy;
	const struct proto *prot;
	bool full;

	copy = look(sk, &full);
	if (!copy || copy->__sk_common.skc_state != state)
		return 0;
	prot = copy->__sk_common.skc_prot;
	return prot && (prot == tcp_protos[0] || prot == tcp_protos[1]) ? sk : 0;
}

BC_HELPER(skc_to_tcp_sock)
{
	return whole(r1, IPPROTO_TCP, -1, -1);
}

BC_HELPER(skc_to_tcp6_sock)
{
	return whole(r1, IPPROTO_TCP, AF_INET6, -1);
}

BC_HELPER(skc_to_tcp_timewait_sock)
{
	return small_tcp(r1, COMPAT_TIME_WAIT);
}

BC_HELPER(skc_to_tcp_request_sock)
{
	return small_tcp(r1, COMPAT_NEW_SYN_RECV);
}

BC_HELPER(skc_to_udp6_sock)
{
	return whole(r1, IPPROTO_UDP, AF_INET6, SOCK_DGRAM);
}

BC_HELPER(skc_to_unix_sock)
{
	return whole(r1, -1, AF_UNIX, -1);
}

/* Another file of a socket's inode (O_PATH) has not the socket behind it. The pointer may lead nowhere. */
BC_HELPER(sock_from_file)
{
	const struct file *file = (const struct file *)r1;
	const struct super_block *sb;
	struct inode *inode;
	unsigned long magic;
	void *private;

	if (!r1 || compat_read_kernel(&inode, &file->f_inode, sizeof(inode)) || !inode ||
	    compat_read_kernel(&private, &file->private_data, sizeof(private)) || private != SOCKET_I(inode) ||
	    compat_read_kernel(&sb, &inode->i_sb, sizeof(sb)) || compat_read_kernel(&magic, &sb->s_magic, sizeof(magic)))
		return 0;
	return magic == SOCKFS_MAGIC ? (unsigned long)private : 0;
}

int bc_sock_helpers_init(void)
{
	tcp_protos[0] = (const struct proto *)bc_lookup_symbol("tcp_prot");
	tcp_protos[1] = (const struct proto *)bc_lookup_symbol("tcpv6_prot");
	copies = bc_alloc_percpu(NULL, sizeof(struct sock));
	return copies ? 0 : -ENOMEM;
}

void bc_sock_helpers_exit(void)
{
	bc_free_percpu(NULL, copies, sizeof(struct sock));
}

/* The packets of test runs have no socket, and so no cookie. */
BC_HELPER(get_socket_cookie)
{
	return bc_this_run()->prog->type == BPF_PROG_TYPE_TRACING ? bc_sock_cookie((struct sock *)r1) : 0;
}

/* On Linux they have one that the kernel made, and so root's. */
BC_HELPER(get_socket_uid)
{
	return 0;
}

/* That of the first network: a test run is in none of its own. */
BC_HELPER(get_netns_cookie)
{
	return 1;
}
