/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers of the user-space library: real for maps, ring buffer, loops and text; for what only a kernel has, the shape of an answer
 * (deterministic, from the run's seed), so that programs run.
 */
#include "lib.h"
#include "../../kmod/exec/dynptr.h"

#include <stdlib.h>

#define HELPER(name) static u64 h_##name(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
#define UNUSED(...) unused(0, __VA_ARGS__)
#define MAP(r) ((struct bcu_map *)(unsigned long)(r))
#define PTR(r) ((void *)(unsigned long)(r))

static void unused(int first, ...)
{
	(void)first;
}

static u64 next_random(void)
{
	bcu_cur->seed = bcu_cur->seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return bcu_cur->seed >> 17;
}

HELPER(map_lookup_elem)
{
	UNUSED(r3, r4, r5);
	return (unsigned long)bcu_lookup(MAP(r1), PTR(r2));
}

HELPER(map_update_elem)
{
	UNUSED(r5);
	return bcu_update(MAP(r1), PTR(r2), PTR(r3), r4);
}

HELPER(map_delete_elem)
{
	UNUSED(r3, r4, r5);
	return bcu_delete(MAP(r1), PTR(r2));
}

HELPER(map_lookup_percpu_elem)
{
	UNUSED(r4, r5);
	return r3 ? 0 : (unsigned long)bcu_lookup(MAP(r1), PTR(r2));
}

HELPER(for_each_map_elem)
{
	struct bcu_map *m = MAP(r1);
	u32 *index = &bcu_cur->index[bcu_cur->index_depth++ % BC_MAX_CALL_FRAMES];
	u32 i;
	u64 n = 0;

	UNUSED(r5);
	if (r4) {
		bcu_cur->index_depth--;
		return (u64)-EINVAL;
	}
	for (i = 0; i < m->desc.max_entries; i++) {
		const void *key = m->data + (size_t)m->key_stride * i;

		if (!bcu_entry_used(m, i))
			continue;
		if (m->desc.type == BPF_MAP_TYPE_ARRAY || m->desc.type == BPF_MAP_TYPE_PERCPU_ARRAY) {
			*index = i;
			key = index;
		}
		n++;
		if (bcu_callback(r2, r1, (unsigned long)key, (unsigned long)(m->values + (size_t)m->value_stride * i), r3, 0))
			break;
	}
	bcu_cur->index_depth--;
	return n;
}

HELPER(loop)
{
	u32 i;

	UNUSED(r5);
	if (r4)
		return (u64)-EINVAL;
	if ((u32)r1 > 8 * 1024 * 1024)
		return (u64)-E2BIG;
	for (i = 0; i < (u32)r1; i++) {
		if (bcu_callback(r2, i, r3, 0, 0, 0))
			return i + 1;
	}
	return i;
}

HELPER(ringbuf_reserve)
{
	u32 i;

	UNUSED(r3, r4, r5);
	if (r2 > MAP(r1)->desc.max_entries)
		return 0;
	for (i = 0; i < BCU_RECORDS; i++) {
		if (bcu_cur->records[i].data)
			continue;
		bcu_cur->records[i].data = calloc(1, r2 ? r2 : 1);
		bcu_cur->records[i].size = r2;
		return (unsigned long)bcu_cur->records[i].data;
	}
	return 0;
}

static u64 give_back(u64 r1)
{
	u32 i;

	for (i = 0; i < BCU_RECORDS; i++) {
		if (bcu_cur->records[i].data != PTR(r1))
			continue;
		free(bcu_cur->records[i].data);
		bcu_cur->records[i].data = NULL;
		return 0;
	}
	if (bcu_cur->run)
		bcu_cur->run->mem_violations++;
	return 0;
}

HELPER(ringbuf_submit)
{
	UNUSED(r2, r3, r4, r5);
	return give_back(r1);
}

HELPER(ringbuf_discard)
{
	UNUSED(r2, r3, r4, r5);
	return give_back(r1);
}

u32 bcu_ringbuf_drop_all(struct bcu *w)
{
	u32 i, n = 0;

	for (i = 0; i < BCU_RECORDS; i++) {
		if (!w->records[i].data)
			continue;
		free(w->records[i].data);
		w->records[i].data = NULL;
		n++;
	}
	return n;
}

HELPER(ringbuf_reserve_dynptr)
{
	int err = r3 ? -EINVAL : (u32)r2 > BC_DYNPTR_MAX ? -E2BIG : 0;
	void *sample = err ? NULL : PTR(h_ringbuf_reserve(r1, (u32)r2, 0, 0, 0));

	UNUSED(r5);
	bcu_dynptr_made(bcu_cur, r4, true);
	return bc_dynptr_make(BC_DYNPTR(r4), sample, r2, err ? err : sample ? 0 : -EINVAL);
}

HELPER(ringbuf_submit_dynptr)
{
	UNUSED(r3, r4, r5);
	bcu_dynptr_gone(bcu_cur, r1);
	if (BC_DYNPTR(r1)->data)
		h_ringbuf_submit((unsigned long)BC_DYNPTR(r1)->data, r2, 0, 0, 0);
	return bc_dynptr_make(BC_DYNPTR(r1), NULL, 0, 0);
}

HELPER(dynptr_from_mem)
{
	UNUSED(r5);
	bcu_dynptr_made(bcu_cur, r4, false);
	return bc_dynptr_from_mem(r1, r2, r3, r4);
}

HELPER(dynptr_read)
{
	return bc_dynptr_read(r1, r2, r3, r4, r5);
}

HELPER(dynptr_write)
{
	return bc_dynptr_write(r1, r2, r3, r4, r5);
}

HELPER(dynptr_data)
{
	UNUSED(r4, r5);
	return (unsigned long)bc_dynptr_at(BC_DYNPTR(r1), r2, r3);
}

HELPER(user_ringbuf_drain)
{
	struct bc_dynptr p;

	UNUSED(r1, r5);
	if (r4 & ~(u64)(BPF_RB_NO_WAKEUP | BPF_RB_FORCE_WAKEUP))
		return (u64)-EINVAL;
	bc_dynptr_make(&p, bcu_cur->sample, sizeof(bcu_cur->sample), 0);
	bcu_callback(r2, (unsigned long)&p, r3, 0, 0, 0);
	return 1;
}

HELPER(ringbuf_output)
{
	UNUSED(r2, r3, r4, r5);
	MAP(r1)->outputs++;
	return 0;
}

HELPER(ringbuf_query)
{
	UNUSED(r3, r4, r5);
	return r2 == BPF_RB_RING_SIZE ? MAP(r1)->desc.max_entries : 0;
}

HELPER(perf_event_output)
{
	UNUSED(r1, r3, r4, r5);
	MAP(r2)->outputs++;
	return 0;
}

HELPER(clock)
{
	UNUSED(r1, r2, r3, r4, r5);
	bcu_cur->ticks += 1000;
	return bcu_cur->ticks;
}

HELPER(random)
{
	UNUSED(r1, r2, r3, r4, r5);
	return (u32)next_random();
}

HELPER(zero)
{
	UNUSED(r1, r2, r3, r4, r5);
	return 0;
}

/* A task: nothing of it can be read here, but it has an address. */
HELPER(current_task_btf)
{
	UNUSED(r1, r2, r3, r4, r5);
	return (unsigned long)&bcu_cur->task;
}

HELPER(pid_tgid)
{
	UNUSED(r1, r2, r3, r4, r5);
	return 1234ULL << 32 | 1235;
}

HELPER(current_comm)
{
	UNUSED(r3, r4, r5);
	memset(PTR(r1), 0, r2);
	scnprintf(PTR(r1), r2, "tester");
	return 0;
}

/* Fills what it was given with bytes of the run's seed: a read of memory that this library cannot see. */
HELPER(probe_read)
{
	u8 *p = PTR(r1);
	u64 i;

	UNUSED(r3, r4, r5);
	for (i = 0; i < r2; i++)
		p[i] = (u8)next_random();
	return next_random() & 1 ? (u64)-EFAULT : 0;
}

HELPER(probe_read_str)
{
	u64 n;

	UNUSED(r3, r4, r5);
	if (!r2)
		return 0;
	n = 1 + next_random() % r2;
	memset(PTR(r1), 'x', n - 1);
	((char *)PTR(r1))[n - 1] = '\0';
	return n;
}

HELPER(get_stack)
{
	UNUSED(r1, r4, r5);
	memset(PTR(r2), 0, r3);
	return (u64)-EFAULT;
}

HELPER(fault)
{
	UNUSED(r1, r2, r3, r4, r5);
	return (u64)-EFAULT;
}

HELPER(printk)
{
	UNUSED(r1, r3, r4, r5);
	return r2;
}

HELPER(snprintf)
{
	UNUSED(r3, r4, r5);
	if (r1 && r2)
		*(char *)PTR(r1) = '\0';
	return 1;
}

static u64 parse_number(u64 buf, u64 size, u64 base, u64 out, bool is_signed)
{
	char text[24];
	char *end;
	u64 n = min_t(u64, size, sizeof(text) - 1);

	memcpy(text, PTR(buf), n);
	text[n] = '\0';
	if (base != 0 && base != 8 && base != 10 && base != 16)
		return (u64)-EINVAL;
	*(u64 *)PTR(out) = is_signed ? (u64)strtoll(text, &end, base) : strtoull(text, &end, base);
	return end == text ? (u64)-EINVAL : (u64)(end - text);
}

HELPER(strtol)
{
	UNUSED(r5);
	return parse_number(r1, r2, r3, r4, true);
}

HELPER(strtoul)
{
	UNUSED(r5);
	return parse_number(r1, r2, r3, r4, false);
}

HELPER(strncmp)
{
	UNUSED(r4, r5);
	return strncmp(PTR(r1), PTR(r3), r2);
}

HELPER(load_bytes)
{
	struct bc_skb_ctx *skb = PTR(r1);

	UNUSED(r5);
	if (r2 > 0xffff || skb->pkt.data + r2 + r4 > skb->pkt.data_end) {
		memset(PTR(r3), 0, r4);
		return (u64)-EFAULT;
	}
	memcpy(PTR(r3), PTR(skb->pkt.data + r2), r4);
	return 0;
}

HELPER(perf_value)
{
	UNUSED(r1, r2, r5);
	memset(PTR(r3), 0, r4);
	return (u64)-EINVAL;
}

HELPER(ns_pid_tgid)
{
	UNUSED(r1, r2, r5);
	memset(PTR(r3), 0, r4);
	return (u64)-EINVAL;
}

/* The packet lies elsewhere from now on, and is no longer where it was. */
HELPER(pull_data)
{
	struct bcu *w = bcu_cur;
	struct bc_skb_ctx *skb = PTR(r1);
	u8 *moved = malloc(w->run->packet_size + 1);

	UNUSED(r2, r3, r4, r5);
	if (!moved)
		return (u64)-ENOMEM;
	memcpy(moved, w->run->packet, w->run->packet_size);
	free(w->moved_packet);
	w->moved_packet = moved;
	w->run->packet = moved;
	skb->pkt.data = (unsigned long)moved;
	skb->pkt.data_end = skb->pkt.data + w->run->packet_size;
	skb->pkt.data_meta = skb->pkt.data;
	skb->link = skb->network = skb->pkt.data;
	return 0;
}

const bc_helper_fn bcu_helpers[__BPF_FUNC_MAX_ID] = {
	[BPF_FUNC_map_lookup_elem] = h_map_lookup_elem,
	[BPF_FUNC_map_update_elem] = h_map_update_elem,
	[BPF_FUNC_map_delete_elem] = h_map_delete_elem,
	[BPF_FUNC_map_lookup_percpu_elem] = h_map_lookup_percpu_elem,
	[BPF_FUNC_for_each_map_elem] = h_for_each_map_elem,
	[BPF_FUNC_loop] = h_loop,
	[BPF_FUNC_ringbuf_reserve] = h_ringbuf_reserve,
	[BPF_FUNC_ringbuf_submit] = h_ringbuf_submit,
	[BPF_FUNC_ringbuf_discard] = h_ringbuf_discard,
	[BPF_FUNC_ringbuf_output] = h_ringbuf_output,
	[BPF_FUNC_ringbuf_query] = h_ringbuf_query,
	[BPF_FUNC_ringbuf_reserve_dynptr] = h_ringbuf_reserve_dynptr,
	[BPF_FUNC_ringbuf_submit_dynptr] = h_ringbuf_submit_dynptr,
	[BPF_FUNC_ringbuf_discard_dynptr] = h_ringbuf_submit_dynptr,	/* nobody reads what was submitted */
	[BPF_FUNC_user_ringbuf_drain] = h_user_ringbuf_drain,
	[BPF_FUNC_dynptr_from_mem] = h_dynptr_from_mem,
	[BPF_FUNC_dynptr_read] = h_dynptr_read,
	[BPF_FUNC_dynptr_write] = h_dynptr_write,
	[BPF_FUNC_dynptr_data] = h_dynptr_data,
	[BPF_FUNC_perf_event_output] = h_perf_event_output,
	[BPF_FUNC_perf_event_read] = h_fault,
	[BPF_FUNC_perf_event_read_value] = h_perf_value,
	[BPF_FUNC_spin_lock] = h_zero,
	[BPF_FUNC_spin_unlock] = h_zero,
	[BPF_FUNC_ktime_get_ns] = h_clock,
	[BPF_FUNC_ktime_get_boot_ns] = h_clock,
	[BPF_FUNC_ktime_get_coarse_ns] = h_clock,
	[BPF_FUNC_jiffies64] = h_clock,
	[BPF_FUNC_get_prandom_u32] = h_random,
	[BPF_FUNC_get_smp_processor_id] = h_zero,
	[BPF_FUNC_get_numa_node_id] = h_zero,
	[BPF_FUNC_get_current_pid_tgid] = h_pid_tgid,
	[BPF_FUNC_get_current_uid_gid] = h_zero,
	[BPF_FUNC_get_current_comm] = h_current_comm,
	[BPF_FUNC_get_current_cgroup_id] = h_zero,
	[BPF_FUNC_get_current_task] = h_zero,
	[BPF_FUNC_current_task_under_cgroup] = h_zero,
	[BPF_FUNC_get_ns_current_pid_tgid] = h_ns_pid_tgid,
	[BPF_FUNC_probe_read] = h_probe_read,
	[BPF_FUNC_probe_read_user] = h_probe_read,
	[BPF_FUNC_probe_read_kernel] = h_probe_read,
	[BPF_FUNC_probe_read_str] = h_probe_read_str,
	[BPF_FUNC_probe_read_user_str] = h_probe_read_str,
	[BPF_FUNC_probe_read_kernel_str] = h_probe_read_str,
	[BPF_FUNC_get_stackid] = h_fault,
	[BPF_FUNC_get_stack] = h_get_stack,
	[BPF_FUNC_get_task_stack] = h_get_stack,	/* what the first argument leads to is not here */
	[BPF_FUNC_seq_printf] = h_fault,
	[BPF_FUNC_seq_write] = h_fault,
	[BPF_FUNC_d_path] = h_get_stack,
	[BPF_FUNC_get_func_ip] = h_zero,
	[BPF_FUNC_get_func_arg] = h_zero,
	[BPF_FUNC_get_func_ret] = h_zero,
	[BPF_FUNC_get_func_arg_cnt] = h_zero,
	[BPF_FUNC_get_current_task_btf] = h_current_task_btf,
	[BPF_FUNC_task_pt_regs] = h_zero,
	[BPF_FUNC_get_attach_cookie] = h_zero,
	[BPF_FUNC_trace_printk] = h_printk,
	[BPF_FUNC_trace_vprintk] = h_printk,
	[BPF_FUNC_snprintf] = h_snprintf,
	[BPF_FUNC_strtol] = h_strtol,
	[BPF_FUNC_strtoul] = h_strtoul,
	[BPF_FUNC_strncmp] = h_strncmp,
	[BPF_FUNC_skb_load_bytes] = h_load_bytes,
	[BPF_FUNC_skb_pull_data] = h_pull_data,
	[BPF_FUNC_timer_init] = bcu_timer_init,
	[BPF_FUNC_timer_set_callback] = bcu_timer_set_callback,
	[BPF_FUNC_timer_start] = bcu_timer_start,
	[BPF_FUNC_timer_cancel] = bcu_timer_cancel,
	[BPF_FUNC_kptr_xchg] = bcu_kptr_xchg,
	[BPF_FUNC_task_storage_get] = bcu_storage_get,
	[BPF_FUNC_task_storage_delete] = bcu_storage_delete,
	[BPF_FUNC_sk_storage_get] = bcu_storage_get,
	[BPF_FUNC_sk_storage_delete] = bcu_storage_delete,
	[BPF_FUNC_get_local_storage] = bcu_local_storage,
	[BPF_FUNC_sock_from_file] = h_zero,
	[BPF_FUNC_copy_from_user] = h_probe_read,
	[BPF_FUNC_copy_from_user_task] = h_probe_read,
	[BPF_FUNC_find_vma] = h_fault,	/* none is found */
	[BPF_FUNC_sk_lookup_tcp] = h_zero,	/* none is found: there are no sockets here */
	[BPF_FUNC_sk_lookup_udp] = h_zero,
	[BPF_FUNC_skc_lookup_tcp] = h_zero,
	[BPF_FUNC_sk_release] = h_zero,
	[BPF_FUNC_sk_fullsock] = h_zero,
	[BPF_FUNC_skc_to_tcp_sock] = h_zero,
	[BPF_FUNC_skc_to_tcp6_sock] = h_zero,
	[BPF_FUNC_skc_to_udp6_sock] = h_zero,
	[BPF_FUNC_this_cpu_ptr] = h_zero,
	[BPF_FUNC_per_cpu_ptr] = h_zero,	/* this library has no variables of a kernel's */
	[BPF_FUNC_tcp_sock] = h_zero,
};

/* There are no cgroups here, and so no statistics of theirs. */
u64 bc_host_cgroup_rstat_updated(u64 cgroup, u64 cpu, u64 r3, u64 r4, u64 r5)
{
	return 0;
}

u64 bc_host_cgroup_rstat_flush(u64 cgroup, u64 r2, u64 r3, u64 r4, u64 r5)
{
	return 0;
}
