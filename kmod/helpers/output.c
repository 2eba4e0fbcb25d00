// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that take what the event offers: stacks, counters.
 */
#include "helpers.h"
#include "../compat/perf_read.h"
#include "../maps/fd_array.h"

static inline struct bc_map *map_arg(u64 r)
{
	return bc_map_of((struct bc_map_desc *)r);
}

/* The counter in the slot that @flags name. 0 or -EINVAL (flags), -E2BIG (index), -ENOENT (empty), what compat_perf_read() answers. */
static int read_counter(struct bc_map *map, u64 flags, u64 *value, u64 *enabled, u64 *running)
{
	u64 index = flags & BPF_F_INDEX_MASK;
	struct perf_event *event;

	if (flags & ~BPF_F_INDEX_MASK)
		return -EINVAL;
	if (index == BPF_F_CURRENT_CPU)
		index = smp_processor_id();
	if (index >= map->desc.max_entries)
		return -E2BIG;
	event = fd_array_event(map, index);
	if (!event)
		return -ENOENT;
	return compat_perf_read(event, value, enabled, running);
}

/* The counter's value, or a negative errno in the same word: Linux's own interface cannot tell them apart either. */
BC_HELPER(perf_event_read)
{
	u64 value = 0;
	int err = read_counter(map_arg(r1), r2, &value, NULL, NULL);

	return err ? (u64)(s64)err : value;
}

BC_HELPER(perf_event_read_value)
{
	struct bpf_perf_event_value *out = (void *)r3;
	int err = -EINVAL;

	if ((u32)r4 == sizeof(*out))
		err = read_counter(map_arg(r1), r2, &out->counter, &out->enabled, &out->running);
	if (err)
		memset(out, 0, (u32)r4);
	return (s64)err;
}

BC_HELPER(perf_prog_read_value)
{
	struct bpf_perf_event_value *out = (void *)r2;
	struct perf_event *event = bc_this_run()->event;
	int err = -EINVAL;

	if ((u32)r3 == sizeof(*out) && event)
		err = compat_perf_read(event, &out->counter, &out->enabled, &out->running);
	if (err)
		memset(out, 0, (u32)r3);
	return (s64)err;
}

BC_HELPER(read_branch_records)
{
	const u32 record = sizeof(struct perf_branch_entry);
	const struct perf_branch_stack *stack = compat_branch_stack(bc_this_run()->event_data);
	u32 size = r3;

	if (r4 & ~(u64)BPF_F_GET_BRANCH_RECORDS_SIZE)
		return (s64)-EINVAL;
	if (!stack)
		return (s64)-ENOENT;
	if (r4 & BPF_F_GET_BRANCH_RECORDS_SIZE)
		return stack->nr * record;
	if (!r2 || size % record)
		return (s64)-EINVAL;
	size = min_t(u64, stack->nr * record, size);
	memcpy((void *)r2, stack->entries, size);
	return size;
}

BC_HELPER(get_stackid)
{
	struct bc_run *run = bc_this_run();
	long ret;

	run->own.helper = __builtin_frame_address(0);
	ret = bc_get_stackid(map_arg(r2), bc_run_regs(run), r3);
	barrier();	/* no tail call, or the frame would go before */
	return (s64)ret;
}

BC_HELPER(get_stack)
{
	struct bc_run *run = bc_this_run();
	long ret;

	run->own.helper = __builtin_frame_address(0);
	ret = bc_get_stack(bc_run_regs(run), (void *)r2, (u32)r3, r4);
	barrier();
	return (s64)ret;
}

BC_HELPER(get_task_stack)
{
	struct bc_run *run = bc_this_run();
	long ret;

	/* a program may have found NULL where it looked for a task */
	if (!r1) {
		memset((void *)r2, 0, (u32)r3);
		return (s64)-EFAULT;
	}
	run->own.helper = __builtin_frame_address(0);
	ret = bc_get_task_stack((struct task_struct *)r1, (void *)r2, (u32)r3, r4);
	barrier();
	return (s64)ret;
}
