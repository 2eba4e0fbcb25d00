// SPDX-License-Identifier: GPL-2.0-only
/*
 * The table of helpers by number, and the memory they share. A helper that this kernel cannot serve is withheld from the verifier, which
 * then answers as a kernel without it.
 */
#include "helpers.h"

#define ROW(name) [BPF_FUNC_##name] = bc_h_##name

const bc_helper_fn bc_helper_table[__BPF_FUNC_MAX_ID] = {
	ROW(map_lookup_elem),
	ROW(map_update_elem),
	ROW(map_delete_elem),
	ROW(map_push_elem),
	ROW(map_pop_elem),
	ROW(map_peek_elem),
	ROW(map_lookup_percpu_elem),
	ROW(kptr_xchg),
	ROW(for_each_map_elem),
	ROW(loop),
	ROW(tail_call),
	ROW(probe_read),
	ROW(probe_read_str),
	ROW(probe_read_kernel),
	ROW(probe_read_kernel_str),
	ROW(probe_read_user),
	ROW(probe_read_user_str),
	ROW(probe_write_user),
	ROW(copy_from_user),
	ROW(copy_from_user_task),
	ROW(send_signal),
	ROW(send_signal_thread),
	ROW(ktime_get_ns),
	ROW(ktime_get_boot_ns),
	ROW(ktime_get_tai_ns),
	ROW(ktime_get_coarse_ns),
	ROW(jiffies64),
	ROW(get_current_pid_tgid),
	ROW(get_current_uid_gid),
	ROW(get_current_comm),
	ROW(get_current_task),
	ROW(get_current_task_btf),
	ROW(task_pt_regs),
	ROW(get_current_cgroup_id),
	ROW(get_current_ancestor_cgroup_id),
	ROW(current_task_under_cgroup),
	ROW(get_ns_current_pid_tgid),
	ROW(find_vma),
	ROW(get_smp_processor_id),
	ROW(get_numa_node_id),
	ROW(get_prandom_u32),
	ROW(per_cpu_ptr),
	ROW(this_cpu_ptr),
	ROW(get_func_ip),
	ROW(get_attach_cookie),
	ROW(get_func_arg),
	ROW(get_func_ret),
	ROW(get_func_arg_cnt),
	ROW(trace_printk),
	ROW(trace_vprintk),
	ROW(snprintf),
	ROW(snprintf_btf),
	ROW(seq_printf),
	ROW(seq_printf_btf),
	ROW(seq_write),
	ROW(d_path),
	ROW(strtol),
	ROW(strtoul),
	ROW(strncmp),
	ROW(spin_lock),
	ROW(spin_unlock),
	ROW(timer_init),
	ROW(timer_set_callback),
	ROW(timer_start),
	ROW(timer_cancel),
	ROW(perf_event_output),
	ROW(skb_output),
	ROW(xdp_output),
	ROW(perf_event_read),
	ROW(perf_event_read_value),
	ROW(perf_prog_read_value),
	ROW(read_branch_records),
	ROW(ringbuf_output),
	ROW(ringbuf_reserve),
	ROW(ringbuf_submit),
	ROW(ringbuf_discard),
	ROW(ringbuf_query),
	ROW(ringbuf_reserve_dynptr),
	ROW(ringbuf_submit_dynptr),
	ROW(ringbuf_discard_dynptr),
	ROW(dynptr_from_mem),
	ROW(dynptr_read),
	ROW(dynptr_write),
	ROW(dynptr_data),
	ROW(user_ringbuf_drain),
	ROW(get_stackid),
	ROW(get_stack),
	ROW(get_task_stack),
	ROW(task_storage_get),
	ROW(task_storage_delete),
	ROW(sk_storage_get),
	ROW(sk_storage_delete),
	ROW(get_local_storage),
	ROW(skb_load_bytes),
	ROW(skb_load_bytes_relative),
	ROW(skb_store_bytes),
	ROW(skb_pull_data),
	ROW(csum_diff),
	ROW(csum_update),
	ROW(get_hash_recalc),
	ROW(set_hash_invalid),
	ROW(set_hash),
	ROW(skb_vlan_push),
	ROW(skb_vlan_pop),
	ROW(skb_adjust_room),
	ROW(l3_csum_replace),
	ROW(l4_csum_replace),
	ROW(csum_level),
	ROW(skb_change_type),
	ROW(skb_change_head),
	ROW(skb_change_tail),
	ROW(skb_change_proto),
	ROW(skb_ecn_set_ce),
	ROW(skb_set_tstamp),
	ROW(skb_set_tunnel_key),
	ROW(skb_get_tunnel_key),
	ROW(skb_set_tunnel_opt),
	ROW(skb_get_tunnel_opt),
	ROW(skb_get_xfrm_state),
	ROW(skb_under_cgroup),
	ROW(skb_cgroup_classid),
	ROW(skb_cgroup_id),
	ROW(skb_ancestor_cgroup_id),
	ROW(sk_cgroup_id),
	ROW(sk_ancestor_cgroup_id),
	ROW(get_retval),
	ROW(set_retval),
	ROW(xdp_adjust_head),
	ROW(xdp_adjust_tail),
	ROW(xdp_adjust_meta),
	ROW(xdp_get_buff_len),
	ROW(xdp_load_bytes),
	ROW(xdp_store_bytes),
	ROW(clone_redirect),
	ROW(redirect),
	ROW(redirect_peer),
	ROW(redirect_neigh),
	ROW(redirect_map),
	ROW(check_mtu),
	ROW(get_route_realm),
	ROW(fib_lookup),
	ROW(sk_lookup_tcp),
	ROW(sk_lookup_udp),
	ROW(skc_lookup_tcp),
	ROW(sk_release),
	ROW(sk_fullsock),
	ROW(tcp_sock),
	ROW(get_listener_sock),
	ROW(skc_to_tcp_sock),
	ROW(skc_to_tcp6_sock),
	ROW(skc_to_tcp_timewait_sock),
	ROW(skc_to_tcp_request_sock),
	ROW(skc_to_udp6_sock),
	ROW(skc_to_unix_sock),
	ROW(sock_from_file),
	ROW(sk_assign),
	ROW(tcp_check_syncookie),
	ROW(tcp_gen_syncookie),
	ROW(tcp_raw_gen_syncookie_ipv4),
	ROW(tcp_raw_gen_syncookie_ipv6),
	ROW(tcp_raw_check_syncookie_ipv4),
	ROW(tcp_raw_check_syncookie_ipv6),
	ROW(skc_to_mptcp_sock),
	ROW(get_socket_cookie),
	ROW(get_socket_uid),
	ROW(get_cgroup_classid),
	ROW(get_netns_cookie),
	ROW(setsockopt),
	ROW(getsockopt),
};

static void *scratch;

bool bc_helper_available(u32 func_id)
{
	if (func_id == BPF_FUNC_copy_from_user_task && !bc_sym.access_process_vm)
		return false;
	return func_id < __BPF_FUNC_MAX_ID && bc_helper_table[func_id] && bc_syncookie_available(func_id) &&
	       bc_fib_available(func_id) && bc_sockopt_available(func_id);
}

char *bc_helper_scratch(void)
{
	return bc_percpu_ptr(scratch, BC_SCRATCH_BYTES, smp_processor_id());
}

int bc_helpers_init(void)
{
	scratch = bc_alloc_percpu(NULL, BC_SCRATCH_BYTES);
	if (!scratch)
		return -ENOMEM;
	if (bc_sock_helpers_init()) {
		bc_free_percpu(NULL, scratch, BC_SCRATCH_BYTES);
		return -ENOMEM;
	}
	bc_prandom_seed();
	bc_signal_helpers_init();
	return bc_vma_helper_init();
}

void bc_helpers_exit(void)
{
	bc_vma_helper_exit();
	bc_signal_helpers_exit();
	bc_sock_helpers_exit();
	bc_free_percpu(NULL, scratch, BC_SCRATCH_BYTES);
}
