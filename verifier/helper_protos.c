/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each helper takes and gives, and which program types may call it, as in Linux 6.1. A row here promises nothing about the helper
 * being implemented: ops->helper_available() says that.
 */
#include "internal.h"

/* Short names keep a row on a line or two. */
#define NONE	BC_ARG_NONE
#define ANY	BC_ARG_ANYTHING
#define MAP	BC_ARG_CONST_MAP_PTR
#define KEY	BC_ARG_MAP_KEY
#define VALUE	BC_ARG_MAP_VALUE
#define VALUE_OUT BC_ARG_UNINIT_MAP_VALUE
#define MEM	BC_ARG_MEM
#define OUT	BC_ARG_UNINIT_MEM
#define SIZE	BC_ARG_CONST_SIZE
#define SIZE0	BC_ARG_CONST_SIZE_OR_ZERO
#define CTX	BC_ARG_CTX
#define LOCK	BC_ARG_SPIN_LOCK
#define BTF	BC_ARG_BTF_ID
#define SOCK	BC_ARG_SOCK_COMMON
#define FIXED	BC_ARG_INT_FIXED_MEM
#define IPV4_BYTES 20		/* headers without options */
#define IPV6_BYTES 40
#define TCP_BYTES 20
#define BTF_SOCK BC_ARG_BTF_SOCK_COMMON
#define CB	BC_ARG_FUNC
#define STACK	BC_ARG_STACK
#define STR	BC_ARG_CONST_STR
#define TIMER	BC_ARG_TIMER
#define DYNPTR	BC_ARG_DYNPTR
#define OR_NULL	BC_ARG_OR_NULL
#define WRITTEN	BC_ARG_WRITE

#define SKB_TYPES	(BC_PC_SOCKET_FILTER | BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB)
#define SOCK_BASE	(SKB_TYPES | BC_PC_XDP)		/* bpf_sk_base_func_proto's users */
/* Helpers on the current task: all of tracing, and cgroup hooks that run in the task's context. */
#define CURRENT_TYPES	(BC_PC_TRACING | BC_PC_CGROUP_SOCK)
#define STACK_TYPES	BC_PC_TRACING
#define LOOKUP_TYPES	(BC_PC_SCHED_CLS | BC_PC_XDP | BC_PC_CGROUP_SKB)	/* may hold references to sockets */
#define CAST_TYPES	(SOCK_BASE | BC_PC_BTF_TRACING)
#define COOKIE_TYPES	(BC_PC_SCHED_CLS | BC_PC_XDP)
#define SOCK_TYPES	(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB)

#define F(fn, a1, a2, a3, a4, a5, ...) \
	[BPF_FUNC_##fn] = { .name = #fn, .arg = { a1, a2, a3, a4, a5 }, __VA_ARGS__ }
#define F0(fn, ...)			F(fn, NONE, NONE, NONE, NONE, NONE, __VA_ARGS__)
#define F1(fn, a1, ...)			F(fn, a1, NONE, NONE, NONE, NONE, __VA_ARGS__)
#define F2(fn, a1, a2, ...)		F(fn, a1, a2, NONE, NONE, NONE, __VA_ARGS__)
#define F3(fn, a1, a2, a3, ...)		F(fn, a1, a2, a3, NONE, NONE, __VA_ARGS__)
#define F4(fn, a1, a2, a3, a4, ...)	F(fn, a1, a2, a3, a4, NONE, __VA_ARGS__)
#define F5(fn, a1, a2, a3, a4, a5, ...)	F(fn, a1, a2, a3, a4, a5, __VA_ARGS__)

#define TO(types)	.prog_classes = (types)
#define RET(kind)	.ret = BC_RET_##kind
#define GPL		.gpl_only = true
#define PKT		.pkt_access = true
#define MOVES_PKT	.changes_pkt_data = true
#define SLEEPS		.might_sleep = true

static const struct bc_func_proto protos[__BPF_FUNC_MAX_ID] = {
	/* maps */
	F2(map_lookup_elem, MAP, KEY, TO(BC_PC_ALL), RET(MAP_VALUE_OR_NULL), PKT),
	F4(map_update_elem, MAP, KEY, VALUE, ANY, TO(BC_PC_ALL), PKT),
	F2(map_delete_elem, MAP, KEY, TO(BC_PC_ALL), PKT),
	F3(map_push_elem, MAP, VALUE, ANY, TO(BC_PC_ALL), PKT),
	F2(map_pop_elem, MAP, VALUE_OUT, TO(BC_PC_ALL)),
	F2(map_peek_elem, MAP, VALUE_OUT, TO(BC_PC_ALL)),
	F3(map_lookup_percpu_elem, MAP, KEY, ANY, TO(BC_PC_ALL), RET(MAP_VALUE_OR_NULL), PKT),
	F4(for_each_map_elem, MAP, CB, STACK | OR_NULL, ANY, TO(BC_PC_ALL)),
	F3(tail_call, CTX, MAP, ANY, TO(BC_PC_ALL), RET(VOID)),
	F2(kptr_xchg, BC_ARG_KPTR, BTF | OR_NULL | BC_ARG_RELEASE, TO(BC_PC_ALL), RET(BTF_ID_OR_NULL)),
	F1(spin_lock, LOCK, TO(BC_PC_ALL), RET(VOID)),
	F1(spin_unlock, LOCK, TO(BC_PC_ALL), RET(VOID)),
	F3(timer_init, TIMER, MAP, ANY, TO(BC_PC_ALL), GPL),
	F2(timer_set_callback, TIMER, CB, TO(BC_PC_ALL), GPL),
	F3(timer_start, TIMER, ANY, ANY, TO(BC_PC_ALL), GPL),
	F1(timer_cancel, TIMER, TO(BC_PC_ALL), GPL),
	F4(loop, ANY, CB, STACK | OR_NULL, ANY, TO(BC_PC_ALL)),

	/* ring buffer, perf buffer, counters */
	F4(ringbuf_output, MAP, MEM, SIZE0, ANY, TO(BC_PC_ALL)),
	F3(ringbuf_reserve, MAP, BC_ARG_CONST_ALLOC_SIZE, ANY, TO(BC_PC_ALL), RET(ALLOC_MEM_OR_NULL)),
	F2(ringbuf_submit, BC_ARG_ALLOC_MEM | BC_ARG_RELEASE, ANY, TO(BC_PC_ALL), RET(VOID)),
	F2(ringbuf_discard, BC_ARG_ALLOC_MEM | BC_ARG_RELEASE, ANY, TO(BC_PC_ALL), RET(VOID)),
	F2(ringbuf_query, MAP, ANY, TO(BC_PC_ALL)),
	F4(ringbuf_reserve_dynptr, MAP, ANY, ANY, DYNPTR | BC_ARG_MAKES | BC_ARG_RINGBUF, TO(BC_PC_ALL)),
	F2(ringbuf_submit_dynptr, DYNPTR | BC_ARG_RINGBUF | BC_ARG_RELEASE, ANY, TO(BC_PC_ALL), RET(VOID)),
	F2(ringbuf_discard_dynptr, DYNPTR | BC_ARG_RINGBUF | BC_ARG_RELEASE, ANY, TO(BC_PC_ALL), RET(VOID)),

	F4(user_ringbuf_drain, MAP, CB, STACK | OR_NULL, ANY, TO(BC_PC_ALL)),

	/* dynptrs */
	F4(dynptr_from_mem, OUT, SIZE0, ANY, DYNPTR | BC_ARG_MAKES | BC_ARG_LOCAL, TO(BC_PC_ALL)),
	F5(dynptr_read, OUT, SIZE0, DYNPTR, ANY, ANY, TO(BC_PC_ALL)),
	F5(dynptr_write, DYNPTR, ANY, MEM, SIZE0, ANY, TO(BC_PC_ALL)),
	F3(dynptr_data, DYNPTR, ANY, BC_ARG_CONST_ALLOC_SIZE, TO(BC_PC_ALL), RET(DYNPTR_MEM_OR_NULL)),
	F5(perf_event_output, CTX, MAP, ANY, MEM, SIZE0, TO(BC_PC_ALL), GPL),
	F5(skb_output, BTF, MAP, ANY, MEM, SIZE0, TO(BC_PC_BTF_TRACING), GPL, .arg_btf_name = { "sk_buff" }),
	F5(xdp_output, BTF, MAP, ANY, MEM, SIZE0, TO(BC_PC_BTF_TRACING), GPL, .arg_btf_name = { "xdp_buff" }),
	F2(perf_event_read, MAP, ANY, TO(BC_PC_TRACING), GPL),
	F4(perf_event_read_value, MAP, ANY, OUT, SIZE, TO(BC_PC_TRACING), GPL),
	F3(perf_prog_read_value, CTX, OUT, SIZE, TO(BC_PC_PERF_EVENT), GPL),
	F4(read_branch_records, CTX, MEM | OR_NULL | WRITTEN, SIZE0, ANY, TO(BC_PC_PERF_EVENT), GPL),
	F2(get_branch_snapshot, OUT, SIZE0, TO(BC_PC_TRACING), GPL),

	/* clocks, CPU, random numbers */
	F0(ktime_get_ns, TO(BC_PC_ALL)),
	F0(ktime_get_boot_ns, TO(BC_PC_ALL)),
	F0(ktime_get_tai_ns, TO(BC_PC_ALL)),
	/* Not for tracing: 6.1 withholds it there, as its sequence lock may be held by whom a probe interrupted. */
	F0(ktime_get_coarse_ns, TO(SOCK_BASE | BC_PC_CGROUP_SOCK)),
	F0(jiffies64, TO(BC_PC_ALL)),
	F0(get_prandom_u32, TO(BC_PC_ALL)),
	F0(get_smp_processor_id, TO(BC_PC_ALL)),
	F0(get_numa_node_id, TO(BC_PC_ALL)),

	/* the current task */
	F0(get_current_pid_tgid, TO(CURRENT_TYPES)),
	F0(get_current_uid_gid, TO(CURRENT_TYPES)),
	F2(get_current_comm, OUT, SIZE, TO(CURRENT_TYPES)),
	F0(get_current_cgroup_id, TO(CURRENT_TYPES)),
	F1(get_current_ancestor_cgroup_id, ANY, TO(CURRENT_TYPES)),
	F0(get_current_task, TO(BC_PC_ALL), GPL),
	F0(get_current_task_btf, TO(BC_PC_ALL), RET(BTF_ID), GPL, .ret_btf_name = "task_struct"),
	F1(task_pt_regs, BTF, TO(BC_PC_ALL), RET(BTF_ID), GPL,
	   .arg_btf_name = { "task_struct" }, .ret_btf_name = "pt_regs"),
	F2(current_task_under_cgroup, MAP, ANY, TO(BC_PC_TRACING)),
	F4(task_storage_get, MAP, BTF, VALUE | OR_NULL, ANY, TO(BC_PC_TRACING), RET(MAP_VALUE_OR_NULL),
	   .arg_btf_name = { NULL, "task_struct" }),
	F2(task_storage_delete, MAP, BTF, TO(BC_PC_TRACING), .arg_btf_name = { NULL, "task_struct" }),
	F4(get_ns_current_pid_tgid, ANY, ANY, OUT, SIZE, TO(BC_PC_TRACING)),
	F1(send_signal, ANY, TO(BC_PC_TRACING)),
	F1(send_signal_thread, ANY, TO(BC_PC_TRACING)),

	F5(find_vma, BTF, ANY, CB, STACK | OR_NULL, ANY, TO(BC_PC_TRACING), .arg_btf_name = { "task_struct" }),

	/* memory of others */
	F3(probe_read, OUT, SIZE0, ANY, TO(BC_PC_TRACING), GPL),
	F3(probe_read_str, OUT, SIZE0, ANY, TO(BC_PC_TRACING), GPL),
	F3(probe_read_user, OUT, SIZE0, ANY, TO(BC_PC_ALL), GPL),
	F3(probe_read_kernel, OUT, SIZE0, ANY, TO(BC_PC_ALL), GPL),
	F3(probe_read_user_str, OUT, SIZE0, ANY, TO(BC_PC_ALL), GPL),
	F3(probe_read_kernel_str, OUT, SIZE0, ANY, TO(BC_PC_ALL), GPL),
	F3(probe_write_user, ANY, MEM, SIZE, TO(BC_PC_TRACING), GPL),
	F3(copy_from_user, OUT, SIZE0, ANY, TO(BC_PC_TRACING), SLEEPS),
	F5(copy_from_user_task, OUT, SIZE0, ANY, BTF, ANY, TO(BC_PC_TRACING), GPL, SLEEPS,
	   .arg_btf_name = { NULL, NULL, NULL, "task_struct" }),
	F2(per_cpu_ptr, BC_ARG_PERCPU_BTF_ID, ANY, TO(BC_PC_ALL), RET(MEM_OR_BTF_ID_OR_NULL)),
	F1(this_cpu_ptr, BC_ARG_PERCPU_BTF_ID, TO(BC_PC_ALL), RET(MEM_OR_BTF_ID)),

	/* where we are */
	F3(get_stackid, CTX, MAP, ANY, TO(STACK_TYPES), GPL),
	F4(get_stack, CTX, OUT, SIZE0, ANY, TO(STACK_TYPES), GPL),
	F4(get_task_stack, BTF, OUT, SIZE0, ANY, TO(BC_PC_TRACING), .arg_btf_name = { "task_struct" }),
	F1(get_func_ip, CTX, TO(BC_PC_TRACING), GPL),
	F1(get_attach_cookie, CTX, TO(BC_PC_KPROBE | BC_PC_TRACEPOINT | BC_PC_PERF_EVENT | BC_PC_BTF_TRACING)),
	F3(get_func_arg, CTX, ANY, BC_ARG_LONG, TO(BC_PC_BTF_TRACING)),
	F2(get_func_ret, CTX, BC_ARG_LONG, TO(BC_PC_BTF_TRACING)),
	F1(get_func_arg_cnt, CTX, TO(BC_PC_BTF_TRACING)),

	/* text */
	F2(trace_printk, MEM, SIZE, TO(BC_PC_ALL), GPL),
	F4(trace_vprintk, MEM, SIZE, MEM | OR_NULL, SIZE0, TO(BC_PC_ALL), GPL),
	F5(snprintf, MEM | OR_NULL | WRITTEN, SIZE0, STR, MEM | OR_NULL, SIZE0, TO(BC_PC_ALL), GPL),
	F5(snprintf_btf, MEM | WRITTEN, SIZE, MEM, SIZE, ANY, TO(BC_PC_ALL)),
	F4(strtol, MEM, SIZE, ANY, BC_ARG_LONG, TO(BC_PC_ALL)),
	F4(strtoul, MEM, SIZE, ANY, BC_ARG_LONG, TO(BC_PC_ALL)),
	F3(strncmp, MEM | BC_ARG_RW_TYPE, SIZE, STR, TO(BC_PC_ALL)),
	F5(seq_printf, BTF, MEM, SIZE, MEM | OR_NULL, SIZE0, TO(BC_PC_BTF_TRACING), GPL, .arg_btf_name = { "seq_file" }),
	F3(seq_write, BTF, MEM, SIZE0, TO(BC_PC_BTF_TRACING), GPL, .arg_btf_name = { "seq_file" }),
	F4(seq_printf_btf, BTF, MEM, SIZE0, ANY, TO(BC_PC_BTF_TRACING), GPL, .arg_btf_name = { "seq_file" }),
	F3(d_path, BTF, MEM | WRITTEN, SIZE0, TO(BC_PC_BTF_TRACING), .arg_btf_name = { "path" }),

	/* packets */
	F4(skb_load_bytes, CTX, ANY, OUT, SIZE, TO(SKB_TYPES)),
	F5(skb_load_bytes_relative, CTX, ANY, OUT, SIZE, ANY, TO(SKB_TYPES)),
	F5(skb_store_bytes, CTX, ANY, MEM, SIZE, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F2(skb_pull_data, CTX, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F5(l3_csum_replace, CTX, ANY, ANY, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F5(l4_csum_replace, CTX, ANY, ANY, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F5(csum_diff, MEM | OR_NULL, SIZE0, MEM | OR_NULL, SIZE0, ANY, TO(BC_PC_SCHED_CLS | BC_PC_XDP), PKT),
	F2(csum_update, CTX, ANY, TO(BC_PC_SCHED_CLS)),
	F2(csum_level, CTX, ANY, TO(BC_PC_SCHED_CLS)),
	F3(clone_redirect, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F2(redirect, ANY, ANY, TO(BC_PC_SCHED_CLS | BC_PC_XDP)),
	F2(redirect_peer, ANY, ANY, TO(BC_PC_SCHED_CLS)),
	F3(redirect_map, MAP, ANY, ANY, TO(BC_PC_XDP)),
	F3(skb_vlan_push, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F1(skb_vlan_pop, CTX, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F3(skb_change_proto, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F2(skb_change_type, CTX, ANY, TO(BC_PC_SCHED_CLS)),
	F3(skb_change_tail, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F3(skb_change_head, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F4(skb_adjust_room, CTX, ANY, ANY, ANY, TO(BC_PC_SCHED_CLS), MOVES_PKT),
	F1(get_hash_recalc, CTX, TO(BC_PC_SCHED_CLS)),
	F1(set_hash_invalid, CTX, TO(BC_PC_SCHED_CLS)),
	F2(set_hash, CTX, ANY, TO(BC_PC_SCHED_CLS)),
	F1(get_route_realm, CTX, TO(BC_PC_SCHED_CLS)),
	F1(get_cgroup_classid, CTX, TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SOCK)),
	F0(get_retval, TO(BC_PC_CGROUP_SOCK)),
	F1(set_retval, ANY, TO(BC_PC_CGROUP_SOCK)),
	F3(skb_under_cgroup, CTX, MAP, ANY, TO(BC_PC_SCHED_CLS)),
	F1(get_socket_cookie, CTX, TO(SKB_TYPES | BC_PC_CGROUP_SOCK | BC_PC_BTF_TRACING)),
	F1(get_netns_cookie, CTX | OR_NULL, TO(BC_PC_CGROUP_SOCK)),
	F1(get_socket_uid, CTX, TO(SKB_TYPES)),
	F1(skb_cgroup_id, CTX, TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB)),
	F2(skb_ancestor_cgroup_id, CTX, ANY, TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB)),
	F2(xdp_adjust_head, CTX, ANY, TO(BC_PC_XDP), MOVES_PKT),
	F2(xdp_adjust_tail, CTX, ANY, TO(BC_PC_XDP), MOVES_PKT),
	F2(xdp_adjust_meta, CTX, ANY, TO(BC_PC_XDP), MOVES_PKT),
	F1(xdp_get_buff_len, CTX, TO(BC_PC_XDP)),
	F4(xdp_load_bytes, CTX, ANY, OUT, SIZE, TO(BC_PC_XDP)),
	F4(xdp_store_bytes, CTX, ANY, MEM, SIZE, TO(BC_PC_XDP)),
	F1(skb_ecn_set_ce, CTX, TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB)),
	F4(skb_get_tunnel_key, CTX, OUT, SIZE, ANY, TO(BC_PC_SCHED_CLS)),
	F4(skb_set_tunnel_key, CTX, MEM, SIZE, ANY, TO(BC_PC_SCHED_CLS)),
	F3(skb_get_tunnel_opt, CTX, OUT, SIZE, TO(BC_PC_SCHED_CLS)),
	F3(skb_set_tunnel_opt, CTX, MEM, SIZE, TO(BC_PC_SCHED_CLS)),
	F5(skb_get_xfrm_state, CTX, ANY, OUT, SIZE, ANY, TO(BC_PC_SCHED_CLS)),
	F3(skb_set_tstamp, CTX, ANY, ANY, TO(BC_PC_SCHED_CLS)),
	F1(skb_cgroup_classid, CTX, TO(BC_PC_SCHED_CLS)),
	F4(redirect_neigh, ANY, MEM | OR_NULL, SIZE0, ANY, TO(BC_PC_SCHED_CLS)),
	F4(fib_lookup, CTX, MEM | WRITTEN, SIZE, ANY, TO(BC_PC_SCHED_CLS | BC_PC_XDP), GPL),
	F5(check_mtu, CTX, ANY, BC_ARG_INT, ANY, ANY, TO(BC_PC_SCHED_CLS | BC_PC_XDP), GPL),

	/* sockets */
	F5(sk_lookup_tcp, CTX, MEM, SIZE, ANY, ANY, TO(LOOKUP_TYPES), RET(SOCK_OR_NULL), PKT),
	F5(sk_lookup_udp, CTX, MEM, SIZE, ANY, ANY, TO(LOOKUP_TYPES), RET(SOCK_OR_NULL), PKT),
	F5(skc_lookup_tcp, CTX, MEM, SIZE, ANY, ANY, TO(LOOKUP_TYPES), RET(SOCK_COMMON_OR_NULL), PKT),
	F1(sk_release, BTF_SOCK | BC_ARG_RELEASE, TO(LOOKUP_TYPES)),
	F1(sk_fullsock, SOCK, TO(SOCK_TYPES), RET(SOCK_OR_NULL)),
	F1(tcp_sock, SOCK, TO(SOCK_TYPES), RET(TCP_SOCK_OR_NULL)),
	F1(get_listener_sock, SOCK, TO(SOCK_TYPES), RET(SOCK_OR_NULL)),
	F3(sk_assign, CTX, BTF_SOCK, ANY, TO(BC_PC_SCHED_CLS)),
	F1(sk_cgroup_id, BTF_SOCK, TO(BC_PC_CGROUP_SKB)),
	F2(sk_ancestor_cgroup_id, BTF_SOCK, ANY, TO(BC_PC_CGROUP_SKB)),
	F5(tcp_check_syncookie, BTF_SOCK, MEM, SIZE, MEM, SIZE, TO(COOKIE_TYPES), PKT, GPL),
	F5(tcp_gen_syncookie, BTF_SOCK, MEM, SIZE, MEM, SIZE, TO(COOKIE_TYPES), PKT, GPL),
	F3(tcp_raw_gen_syncookie_ipv4, FIXED, MEM, SIZE, TO(COOKIE_TYPES), PKT, GPL, .fixed_size = { IPV4_BYTES }),
	F3(tcp_raw_gen_syncookie_ipv6, FIXED, MEM, SIZE, TO(COOKIE_TYPES), PKT, GPL, .fixed_size = { IPV6_BYTES }),
	F2(tcp_raw_check_syncookie_ipv4, FIXED, FIXED, TO(COOKIE_TYPES), PKT, GPL, .fixed_size = { IPV4_BYTES, TCP_BYTES }),
	F2(tcp_raw_check_syncookie_ipv6, FIXED, FIXED, TO(COOKIE_TYPES), PKT, GPL, .fixed_size = { IPV6_BYTES, TCP_BYTES }),
	F4(sk_storage_get, MAP, BTF_SOCK, VALUE | OR_NULL, ANY,
	   TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB | BC_PC_CGROUP_SOCK | BC_PC_BTF_TRACING), RET(MAP_VALUE_OR_NULL)),
	F2(sk_storage_delete, MAP, BTF_SOCK, TO(BC_PC_SCHED_CLS | BC_PC_CGROUP_SKB | BC_PC_BTF_TRACING)),
	F2(get_local_storage, MAP, ANY, TO(BC_PC_CGROUP_SKB | BC_PC_CGROUP_SOCK), RET(MAP_VALUE)),
	F5(setsockopt, BTF_SOCK, ANY, ANY, MEM, SIZE, TO(BC_PC_BTF_TRACING)),
	F5(getsockopt, BTF_SOCK, ANY, ANY, OUT, SIZE, TO(BC_PC_BTF_TRACING)),
	F1(skc_to_tcp_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "tcp_sock"),
	F1(skc_to_tcp6_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "tcp6_sock"),
	F1(skc_to_tcp_timewait_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "tcp_timewait_sock"),
	F1(skc_to_tcp_request_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "tcp_request_sock"),
	F1(skc_to_udp6_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "udp6_sock"),
	F1(skc_to_unix_sock, BTF_SOCK, TO(CAST_TYPES), RET(BTF_ID_OR_NULL), .ret_btf_name = "unix_sock"),
	F1(sock_from_file, BTF, TO(BC_PC_BTF_TRACING), RET(BTF_ID_OR_NULL), .arg_btf_name = { "file" }, .ret_btf_name = "socket"),
	F1(skc_to_mptcp_sock, SOCK, TO(SOCK_BASE), RET(BTF_ID_OR_NULL), .ret_btf_name = "mptcp_sock"),
};

/* get_stackid is open to programs without a GPL licence on perf events alone. */
static const struct bc_func_proto get_stackid_perf_event =
	{ .name = "get_stackid", .arg = { CTX, MAP, ANY }, TO(BC_PC_PERF_EVENT) };

/* Hooks on sockets know their socket by their context, and the class of the task that they run in. */
static const struct bc_func_proto sk_storage_get_cgroup_sock =
	{ .name = "sk_storage_get", .arg = { MAP, CTX, VALUE | OR_NULL, ANY }, TO(BC_PC_CGROUP_SOCK), RET(MAP_VALUE_OR_NULL) };
/* Programs at functions and tracepoints are given the kernel's own. */
static const struct bc_func_proto sk_storage_get_tracing =
	{ .name = "sk_storage_get", .arg = { MAP, BTF, VALUE | OR_NULL, ANY }, TO(BC_PC_BTF_TRACING), RET(MAP_VALUE_OR_NULL),
	  .arg_btf_name = { NULL, "sock_common" } };
static const struct bc_func_proto sk_storage_delete_tracing =
	{ .name = "sk_storage_delete", .arg = { MAP, BTF }, TO(BC_PC_BTF_TRACING), .arg_btf_name = { NULL, "sock_common" } };
static const struct bc_func_proto get_socket_cookie_tracing =
	{ .name = "get_socket_cookie", .arg = { BTF_SOCK }, TO(BC_PC_BTF_TRACING) };
static const struct bc_func_proto get_cgroup_classid_current = { .name = "get_cgroup_classid", TO(BC_PC_CGROUP_SOCK) };

const struct bc_func_proto *bc_func_proto(u32 func_id)
{
	if (func_id >= __BPF_FUNC_MAX_ID || !protos[func_id].name)
		return NULL;
	return &protos[func_id];
}

u32 bc_prog_class(u32 prog_type, u32 expected_attach_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
		return BC_PC_SOCKET_FILTER;
	case BPF_PROG_TYPE_KPROBE:
		return BC_PC_TRACING | BC_PC_KPROBE;
	case BPF_PROG_TYPE_TRACEPOINT:
		return BC_PC_TRACING | BC_PC_TRACEPOINT;
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return BC_PC_TRACING | BC_PC_RAW_TRACEPOINT;
	case BPF_PROG_TYPE_PERF_EVENT:
		return BC_PC_TRACING | BC_PC_PERF_EVENT;
	case BPF_PROG_TYPE_TRACING:
		return BC_PC_TRACING | BC_PC_BTF_TRACING;
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
		return BC_PC_SCHED_CLS;
	case BPF_PROG_TYPE_XDP:
		return BC_PC_XDP;
	case BPF_PROG_TYPE_CGROUP_SKB:
		return BC_PC_CGROUP_SKB;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		return BC_PC_CGROUP_SOCK;
	default:
		return 0;
	}
}

/* Of the helpers for TRACING, some go with functions alone, some with iterators. */
static bool tracing_may(const struct bpf_verifier_env *env, u32 func_id)
{
	u32 attach_type = env->expected_attach_type;

	switch (func_id) {
	case BPF_FUNC_get_func_arg:
	case BPF_FUNC_get_func_ret:
	case BPF_FUNC_get_func_arg_cnt:
	case BPF_FUNC_get_attach_cookie:
		return attach_type == BPF_TRACE_FENTRY || attach_type == BPF_TRACE_FEXIT;
	case BPF_FUNC_seq_printf:
	case BPF_FUNC_seq_write:
	case BPF_FUNC_seq_printf_btf:
		return attach_type == BPF_TRACE_ITER;
	case BPF_FUNC_setsockopt:
	case BPF_FUNC_getsockopt:
		return bc_iter_has_options(env);
	default:
		return true;
	}
}

const struct bc_func_proto *bc_prog_func_proto(const struct bpf_verifier_env *env, u32 func_id)
{
	const struct bc_func_proto *proto = bc_func_proto(func_id);

	if (!proto || !(proto->prog_classes & env->prog_class))
		return NULL;
	if (env->prog_type == BPF_PROG_TYPE_TRACING && !tracing_may(env, func_id))
		return NULL;
	if (func_id == BPF_FUNC_get_stackid && (env->prog_class & BC_PC_PERF_EVENT))
		return &get_stackid_perf_event;
	if (func_id == BPF_FUNC_sk_storage_get && (env->prog_class & BC_PC_CGROUP_SOCK))
		return &sk_storage_get_cgroup_sock;
	if (func_id == BPF_FUNC_sk_storage_get && (env->prog_class & BC_PC_BTF_TRACING))
		return &sk_storage_get_tracing;
	if (func_id == BPF_FUNC_sk_storage_delete && (env->prog_class & BC_PC_BTF_TRACING))
		return &sk_storage_delete_tracing;
	if (func_id == BPF_FUNC_get_socket_cookie && (env->prog_class & BC_PC_BTF_TRACING))
		return &get_socket_cookie_tracing;
	if (func_id == BPF_FUNC_get_cgroup_classid && (env->prog_class & BC_PC_CGROUP_SOCK))
		return &get_cgroup_classid_current;
	return proto;
}
