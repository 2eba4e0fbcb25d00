/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of the helpers that Linux 6.1 numbers, for messages and dumps; those that are not implemented here included.
 */
#include "verifier.h"

#define N(name) [BPF_FUNC_##name] = #name

static const char *const helper_names[__BPF_FUNC_MAX_ID] = {
	[BPF_FUNC_unspec] = "unspec",
	N(map_lookup_elem), N(map_update_elem), N(map_delete_elem), N(probe_read), N(ktime_get_ns), N(trace_printk),
	N(get_prandom_u32), N(get_smp_processor_id), N(skb_store_bytes), N(l3_csum_replace), N(l4_csum_replace),
	N(tail_call), N(clone_redirect), N(get_current_pid_tgid), N(get_current_uid_gid), N(get_current_comm),
	N(get_cgroup_classid), N(skb_vlan_push), N(skb_vlan_pop), N(skb_get_tunnel_key), N(skb_set_tunnel_key),
	N(perf_event_read), N(redirect), N(get_route_realm), N(perf_event_output), N(skb_load_bytes), N(get_stackid),
	N(csum_diff), N(skb_get_tunnel_opt), N(skb_set_tunnel_opt), N(skb_change_proto), N(skb_change_type),
	N(skb_under_cgroup), N(get_hash_recalc), N(get_current_task), N(probe_write_user),
	N(current_task_under_cgroup), N(skb_change_tail), N(skb_pull_data), N(csum_update), N(set_hash_invalid),
	N(get_numa_node_id), N(skb_change_head), N(xdp_adjust_head), N(probe_read_str), N(get_socket_cookie),
	N(get_socket_uid), N(set_hash), N(setsockopt), N(skb_adjust_room), N(redirect_map), N(sk_redirect_map),
	N(sock_map_update), N(xdp_adjust_meta), N(perf_event_read_value), N(perf_prog_read_value), N(getsockopt),
	N(override_return), N(sock_ops_cb_flags_set), N(msg_redirect_map), N(msg_apply_bytes), N(msg_cork_bytes),
	N(msg_pull_data), N(bind), N(xdp_adjust_tail), N(skb_get_xfrm_state), N(get_stack),
	N(skb_load_bytes_relative), N(fib_lookup), N(sock_hash_update), N(msg_redirect_hash), N(sk_redirect_hash),
	N(lwt_push_encap), N(lwt_seg6_store_bytes), N(lwt_seg6_adjust_srh), N(lwt_seg6_action), N(rc_repeat),
	N(rc_keydown), N(skb_cgroup_id), N(get_current_cgroup_id), N(get_local_storage), N(sk_select_reuseport),
	N(skb_ancestor_cgroup_id), N(sk_lookup_tcp), N(sk_lookup_udp), N(sk_release), N(map_push_elem),
	N(map_pop_elem), N(map_peek_elem), N(msg_push_data), N(msg_pop_data), N(rc_pointer_rel), N(spin_lock),
	N(spin_unlock), N(sk_fullsock), N(tcp_sock), N(skb_ecn_set_ce), N(get_listener_sock), N(skc_lookup_tcp),
	N(tcp_check_syncookie), N(sysctl_get_name), N(sysctl_get_current_value), N(sysctl_get_new_value),
	N(sysctl_set_new_value), N(strtol), N(strtoul), N(sk_storage_get), N(sk_storage_delete), N(send_signal),
	N(tcp_gen_syncookie), N(skb_output), N(probe_read_user), N(probe_read_kernel), N(probe_read_user_str),
	N(probe_read_kernel_str), N(tcp_send_ack), N(send_signal_thread), N(jiffies64), N(read_branch_records),
	N(get_ns_current_pid_tgid), N(xdp_output), N(get_netns_cookie), N(get_current_ancestor_cgroup_id),
	N(sk_assign), N(ktime_get_boot_ns), N(seq_printf), N(seq_write), N(sk_cgroup_id), N(sk_ancestor_cgroup_id),
	N(ringbuf_output), N(ringbuf_reserve), N(ringbuf_submit), N(ringbuf_discard), N(ringbuf_query),
	N(csum_level), N(skc_to_tcp6_sock), N(skc_to_tcp_sock), N(skc_to_tcp_timewait_sock),
	N(skc_to_tcp_request_sock), N(skc_to_udp6_sock), N(get_task_stack), N(load_hdr_opt), N(store_hdr_opt),
	N(reserve_hdr_opt), N(inode_storage_get), N(inode_storage_delete), N(d_path), N(copy_from_user),
	N(snprintf_btf), N(seq_printf_btf), N(skb_cgroup_classid), N(redirect_neigh), N(per_cpu_ptr),
	N(this_cpu_ptr), N(redirect_peer), N(task_storage_get), N(task_storage_delete), N(get_current_task_btf),
	N(bprm_opts_set), N(ktime_get_coarse_ns), N(ima_inode_hash), N(sock_from_file), N(check_mtu),
	N(for_each_map_elem), N(snprintf), N(sys_bpf), N(btf_find_by_name_kind), N(sys_close), N(timer_init),
	N(timer_set_callback), N(timer_start), N(timer_cancel), N(get_func_ip), N(get_attach_cookie),
	N(task_pt_regs), N(get_branch_snapshot), N(trace_vprintk), N(skc_to_unix_sock), N(kallsyms_lookup_name),
	N(find_vma), N(loop), N(strncmp), N(get_func_arg), N(get_func_ret), N(get_func_arg_cnt), N(get_retval),
	N(set_retval), N(xdp_get_buff_len), N(xdp_load_bytes), N(xdp_store_bytes), N(copy_from_user_task),
	N(skb_set_tstamp), N(ima_file_hash), N(kptr_xchg), N(map_lookup_percpu_elem), N(skc_to_mptcp_sock),
	N(dynptr_from_mem), N(ringbuf_reserve_dynptr), N(ringbuf_submit_dynptr), N(ringbuf_discard_dynptr),
	N(dynptr_read), N(dynptr_write), N(dynptr_data), N(tcp_raw_gen_syncookie_ipv4),
	N(tcp_raw_gen_syncookie_ipv6), N(tcp_raw_check_syncookie_ipv4), N(tcp_raw_check_syncookie_ipv6),
	N(ktime_get_tai_ns), N(user_ringbuf_drain),
};

const char *bc_func_name(u32 func_id)
{
	return func_id < __BPF_FUNC_MAX_ID ? helper_names[func_id] : "unknown";
}
