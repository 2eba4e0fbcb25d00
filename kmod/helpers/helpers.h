/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The helpers' own interface: what their files share. A helper gets five u64 as the program passed them; the verifier has
 * checked them against its prototype (verifier/helper_protos.c), so memory it names is there and as long as its size says.
 */
#ifndef BPFCOMPAT_HELPERS_H
#define BPFCOMPAT_HELPERS_H

#include "../bpf.h"

/* Most arguments of a format (Linux: MAX_BPRINTF_VARARGS). */
#define BC_FMT_MAX_ARGS 12

/*
 * Expands @fmt as bpf_trace_printk(), bpf_snprintf() and bpf_seq_printf() do. Returns the length that the whole text has,
 * without its NUL (which is always written when @size > 0), or -EINVAL for a conversion that programs may not use
 * or one more than @nargs. With @buf NULL the format is only checked.
 */
long bc_format(char *buf, size_t size, const char *fmt, size_t fmt_size, const u64 *args, u32 nargs);

/* Scratch of this CPU, BC_SCRATCH_BYTES long; inside the guard, so there is one user at a time. */
#define BC_SCRATCH_BYTES 2048
char *bc_helper_scratch(void);

/* seq.c: what this run writes to, if @addr is that; else NULL. */
struct seq_file *bc_own_seq(u64 addr);

void bc_prandom_seed(void);
int bc_sock_helpers_init(void);
void bc_sock_helpers_exit(void);
void bc_signal_helpers_init(void);
void bc_signal_helpers_exit(void);
/* What the kernel lacks the means for; true for all other helpers. */
bool bc_syncookie_available(u32 func_id);
bool bc_fib_available(u32 func_id);
bool bc_sockopt_available(u32 func_id);
int bc_vma_helper_init(void);
void bc_vma_helper_exit(void);
int bc_helpers_init(void);
void bc_helpers_exit(void);

BC_HELPER(map_lookup_elem);
BC_HELPER(map_update_elem);
BC_HELPER(map_delete_elem);
BC_HELPER(map_push_elem);
BC_HELPER(map_pop_elem);
BC_HELPER(map_peek_elem);
BC_HELPER(map_lookup_percpu_elem);
BC_HELPER(kptr_xchg);
BC_HELPER(for_each_map_elem);
BC_HELPER(loop);
BC_HELPER(tail_call);

BC_HELPER(probe_read);
BC_HELPER(probe_read_str);
BC_HELPER(probe_read_kernel);
BC_HELPER(probe_read_kernel_str);
BC_HELPER(probe_read_user);
BC_HELPER(probe_read_user_str);
BC_HELPER(probe_write_user);
BC_HELPER(copy_from_user);
BC_HELPER(copy_from_user_task);
BC_HELPER(send_signal);
BC_HELPER(send_signal_thread);

BC_HELPER(ktime_get_ns);
BC_HELPER(ktime_get_boot_ns);
BC_HELPER(ktime_get_tai_ns);
BC_HELPER(ktime_get_coarse_ns);
BC_HELPER(jiffies64);

BC_HELPER(get_current_pid_tgid);
BC_HELPER(get_current_uid_gid);
BC_HELPER(get_current_comm);
BC_HELPER(get_current_task);
BC_HELPER(get_current_task_btf);
BC_HELPER(task_pt_regs);
BC_HELPER(get_current_cgroup_id);
BC_HELPER(get_current_ancestor_cgroup_id);
BC_HELPER(current_task_under_cgroup);
BC_HELPER(get_ns_current_pid_tgid);
BC_HELPER(find_vma);

BC_HELPER(get_smp_processor_id);
BC_HELPER(get_numa_node_id);
BC_HELPER(get_prandom_u32);
BC_HELPER(per_cpu_ptr);
BC_HELPER(this_cpu_ptr);
BC_HELPER(get_func_ip);
BC_HELPER(get_attach_cookie);
BC_HELPER(get_func_arg);
BC_HELPER(get_func_ret);
BC_HELPER(get_func_arg_cnt);

BC_HELPER(trace_printk);
BC_HELPER(trace_vprintk);
BC_HELPER(snprintf);
BC_HELPER(snprintf_btf);
BC_HELPER(seq_printf);
BC_HELPER(seq_printf_btf);
BC_HELPER(seq_write);
BC_HELPER(d_path);
BC_HELPER(strtol);
BC_HELPER(strtoul);
BC_HELPER(strncmp);

BC_HELPER(spin_lock);
BC_HELPER(spin_unlock);
BC_HELPER(timer_init);
BC_HELPER(timer_set_callback);
BC_HELPER(timer_start);
BC_HELPER(timer_cancel);

BC_HELPER(perf_event_output);
BC_HELPER(skb_output);
BC_HELPER(xdp_output);
BC_HELPER(perf_event_read);
BC_HELPER(perf_event_read_value);
BC_HELPER(perf_prog_read_value);
BC_HELPER(read_branch_records);
BC_HELPER(ringbuf_output);
BC_HELPER(ringbuf_reserve);
BC_HELPER(ringbuf_submit);
BC_HELPER(ringbuf_discard);
BC_HELPER(ringbuf_query);
BC_HELPER(ringbuf_reserve_dynptr);
BC_HELPER(ringbuf_submit_dynptr);
BC_HELPER(ringbuf_discard_dynptr);
BC_HELPER(dynptr_from_mem);
BC_HELPER(dynptr_read);
BC_HELPER(dynptr_write);
BC_HELPER(dynptr_data);
BC_HELPER(user_ringbuf_drain);
BC_HELPER(get_stackid);
BC_HELPER(get_stack);
BC_HELPER(get_task_stack);

BC_HELPER(task_storage_get);
BC_HELPER(task_storage_delete);
BC_HELPER(sk_storage_get);
BC_HELPER(sk_storage_delete);
BC_HELPER(get_local_storage);
BC_HELPER(skb_load_bytes);
BC_HELPER(skb_load_bytes_relative);
BC_HELPER(skb_store_bytes);
BC_HELPER(skb_pull_data);
BC_HELPER(csum_diff);
BC_HELPER(csum_update);
BC_HELPER(get_hash_recalc);
BC_HELPER(set_hash_invalid);
BC_HELPER(set_hash);
BC_HELPER(skb_vlan_push);
BC_HELPER(skb_vlan_pop);
BC_HELPER(skb_adjust_room);
BC_HELPER(l3_csum_replace);
BC_HELPER(l4_csum_replace);
BC_HELPER(csum_level);
BC_HELPER(skb_change_type);
BC_HELPER(skb_change_head);
BC_HELPER(skb_change_tail);
BC_HELPER(skb_change_proto);
BC_HELPER(skb_ecn_set_ce);
BC_HELPER(skb_set_tstamp);
BC_HELPER(skb_set_tunnel_key);
BC_HELPER(skb_get_tunnel_key);
BC_HELPER(skb_set_tunnel_opt);
BC_HELPER(skb_get_tunnel_opt);
BC_HELPER(skb_get_xfrm_state);
BC_HELPER(skb_under_cgroup);
BC_HELPER(skb_cgroup_classid);
BC_HELPER(skb_cgroup_id);
BC_HELPER(skb_ancestor_cgroup_id);
BC_HELPER(sk_cgroup_id);
BC_HELPER(sk_ancestor_cgroup_id);
BC_HELPER(get_retval);
BC_HELPER(set_retval);
BC_HELPER(xdp_adjust_head);
BC_HELPER(xdp_adjust_tail);
BC_HELPER(xdp_adjust_meta);
BC_HELPER(xdp_get_buff_len);
BC_HELPER(xdp_load_bytes);
BC_HELPER(xdp_store_bytes);

BC_HELPER(clone_redirect);
BC_HELPER(redirect);
BC_HELPER(redirect_peer);
BC_HELPER(redirect_neigh);
BC_HELPER(redirect_map);
BC_HELPER(check_mtu);
BC_HELPER(get_route_realm);
BC_HELPER(fib_lookup);

BC_HELPER(sk_lookup_tcp);
BC_HELPER(sk_lookup_udp);
BC_HELPER(skc_lookup_tcp);
BC_HELPER(sk_release);
BC_HELPER(sk_fullsock);
BC_HELPER(tcp_sock);
BC_HELPER(get_listener_sock);
BC_HELPER(skc_to_tcp_sock);
BC_HELPER(skc_to_tcp6_sock);
BC_HELPER(skc_to_tcp_timewait_sock);
BC_HELPER(skc_to_tcp_request_sock);
BC_HELPER(skc_to_udp6_sock);
BC_HELPER(skc_to_unix_sock);
BC_HELPER(sock_from_file);
BC_HELPER(sk_assign);
BC_HELPER(tcp_check_syncookie);
BC_HELPER(tcp_gen_syncookie);
BC_HELPER(tcp_raw_gen_syncookie_ipv4);
BC_HELPER(tcp_raw_gen_syncookie_ipv6);
BC_HELPER(tcp_raw_check_syncookie_ipv4);
BC_HELPER(tcp_raw_check_syncookie_ipv6);
BC_HELPER(skc_to_mptcp_sock);
BC_HELPER(get_socket_cookie);
BC_HELPER(get_socket_uid);
BC_HELPER(get_cgroup_classid);
BC_HELPER(get_netns_cookie);
BC_HELPER(setsockopt);
BC_HELPER(getsockopt);

#endif
