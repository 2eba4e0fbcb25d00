// SPDX-License-Identifier: GPL-2.0-only
/*
 * From an ioctl to the handler of a bpf(2) command: privilege, attribute sizes, unknown attributes, in Linux 6.1's order.
 */
#include "core.h"

struct command {
	bc_cmd_fn handler;
	u16 used;		/* bytes of union bpf_attr that the command knows; what follows must be zero */
	bool creates;		/* refused to the unprivileged before anything is looked at */
};

#define COMMAND(number, name, last) [number] = { .handler = bc_cmd_##name, .used = offsetofend(union bpf_attr, last) }
#define CREATOR(number, name, last) [number] = { .handler = bc_cmd_##name, .used = offsetofend(union bpf_attr, last), .creates = true }

static const struct command commands[] = {
	CREATOR(BPF_MAP_CREATE, map_create, map_extra),
	COMMAND(BPF_MAP_LOOKUP_ELEM, map_lookup_elem, flags),
	COMMAND(BPF_MAP_UPDATE_ELEM, map_update_elem, flags),
	COMMAND(BPF_MAP_DELETE_ELEM, map_delete_elem, key),
	COMMAND(BPF_MAP_GET_NEXT_KEY, map_get_next_key, next_key),
	COMMAND(BPF_MAP_LOOKUP_AND_DELETE_ELEM, map_lookup_and_delete_elem, flags),
	COMMAND(BPF_MAP_FREEZE, map_freeze, map_fd),
	COMMAND(BPF_MAP_LOOKUP_BATCH, map_lookup_batch, batch.flags),
	COMMAND(BPF_MAP_LOOKUP_AND_DELETE_BATCH, map_lookup_and_delete_batch, batch.flags),
	COMMAND(BPF_MAP_UPDATE_BATCH, map_update_batch, batch.flags),
	COMMAND(BPF_MAP_DELETE_BATCH, map_delete_batch, batch.flags),
	CREATOR(BPF_PROG_LOAD, prog_load, core_relo_rec_size),
	COMMAND(BPF_PROG_BIND_MAP, prog_bind_map, prog_bind_map.flags),
	COMMAND(BPF_PROG_TEST_RUN, prog_test_run, test.batch_size),
	COMMAND(BPF_PROG_ATTACH, prog_attach, replace_bpf_fd),
	COMMAND(BPF_PROG_DETACH, prog_detach, attach_type),
	COMMAND(BPF_PROG_QUERY, prog_query, query.prog_attach_flags),
	COMMAND(BPF_OBJ_PIN, obj_pin, file_flags),
	COMMAND(BPF_OBJ_GET, obj_get, file_flags),
	COMMAND(BPF_PROG_GET_NEXT_ID, prog_get_next_id, next_id),
	COMMAND(BPF_MAP_GET_NEXT_ID, map_get_next_id, next_id),
	COMMAND(BPF_BTF_GET_NEXT_ID, btf_get_next_id, next_id),
	COMMAND(BPF_LINK_GET_NEXT_ID, link_get_next_id, next_id),
	COMMAND(BPF_PROG_GET_FD_BY_ID, prog_get_fd_by_id, prog_id),
	COMMAND(BPF_MAP_GET_FD_BY_ID, map_get_fd_by_id, open_flags),
	COMMAND(BPF_BTF_GET_FD_BY_ID, btf_get_fd_by_id, btf_id),
	COMMAND(BPF_LINK_GET_FD_BY_ID, link_get_fd_by_id, link_id),
	COMMAND(BPF_OBJ_GET_INFO_BY_FD, obj_get_info_by_fd, info.info),
	COMMAND(BPF_TASK_FD_QUERY, task_fd_query, task_fd_query.probe_addr),
	COMMAND(BPF_BTF_LOAD, btf_load, btf_log_level),
	COMMAND(BPF_RAW_TRACEPOINT_OPEN, raw_tracepoint_open, raw_tracepoint.prog_fd),
	COMMAND(BPF_LINK_CREATE, link_create, link_create.kprobe_multi.cookies),
	COMMAND(BPF_LINK_UPDATE, link_update, link_update.old_prog_fd),
	COMMAND(BPF_LINK_DETACH, link_detach, link_detach.link_fd),
	COMMAND(BPF_ITER_CREATE, iter_create, iter_create.flags),
	COMMAND(BPF_ENABLE_STATS, enable_stats, enable_stats.type),
};

static atomic64_t served = ATOMIC64_INIT(0);

u64 bc_commands_served(void)
{
	return atomic64_read(&served);
}

bool bc_capable(void)
{
#ifdef CAP_BPF
	if (capable(CAP_BPF))
		return true;
#endif
	return capable(CAP_SYS_ADMIN);
}

bool bc_capable_perfmon(void)
{
#ifdef CAP_PERFMON
	if (capable(CAP_PERFMON))
		return true;
#endif
	return capable(CAP_SYS_ADMIN);
}

long bc_dispatch(u32 cmd, union bpf_attr __user *uattr, u32 size)
{
	const struct command *c = cmd < ARRAY_SIZE(commands) ? &commands[cmd] : NULL;
	union bpf_attr attr;
	int res;

	atomic64_inc(&served);
	if ((cmd == BPF_MAP_CREATE || cmd == BPF_PROG_LOAD || (c && c->creates)) && !bc_capable())
		return -EPERM;
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size > sizeof(attr)) {
		res = bc_user_is_zero((u8 __user *)uattr + sizeof(attr), size - sizeof(attr));
		if (res <= 0)
			return res ? res : -E2BIG;
		size = sizeof(attr);
	}
	if (copy_from_user(&attr, uattr, size))
		return -EFAULT;
	memset((u8 *)&attr + size, 0, sizeof(attr) - size);
	if (!c || !c->handler)
		return -EINVAL;
	if (size > c->used && memchr_inv((u8 *)&attr + c->used, 0, size - c->used))
		return -EINVAL;
	return c->handler(&attr, uattr, size);
}
