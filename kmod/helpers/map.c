// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on maps, and the two that call a program's own function back: bpf_for_each_map_elem() and bpf_loop().
 */
#include "helpers.h"

#define BC_MAX_LOOPS (8 * 1024 * 1024)	/* Linux: BPF_MAX_LOOPS */

static inline struct bc_map *map_arg(u64 r)
{
	return bc_map_of((struct bc_map_desc *)r);
}

BC_HELPER(map_lookup_elem)
{
	struct bc_map *map = map_arg(r1);

	return (u64)map->ops->lookup(map, (const void *)r2);
}

BC_HELPER(map_update_elem)
{
	struct bc_map *map = map_arg(r1);

	return map->ops->update ? map->ops->update(map, (const void *)r2, (const void *)r3, r4) : (s64)-EOPNOTSUPP;
}

BC_HELPER(map_delete_elem)
{
	struct bc_map *map = map_arg(r1);

	return map->ops->delete ? map->ops->delete(map, (const void *)r2) : (s64)-EOPNOTSUPP;
}

BC_HELPER(map_push_elem)
{
	struct bc_map *map = map_arg(r1);

	return map->ops->push ? map->ops->push(map, (const void *)r2, r3) : (s64)-EOPNOTSUPP;
}

BC_HELPER(map_pop_elem)
{
	struct bc_map *map = map_arg(r1);

	return map->ops->pop ? map->ops->pop(map, (void *)r2) : (s64)-EOPNOTSUPP;
}

BC_HELPER(map_peek_elem)
{
	struct bc_map *map = map_arg(r1);

	return map->ops->peek ? map->ops->peek(map, (void *)r2) : (s64)-EOPNOTSUPP;
}

BC_HELPER(map_lookup_percpu_elem)
{
	struct bc_map *map = map_arg(r1);

	if (!map->ops->lookup_percpu || r3 >= nr_cpu_ids)
		return 0;
	return (u64)map->ops->lookup_percpu(map, (const void *)r2, (u32)r3);
}

/* Whoever exchanges owns what was there, and it owns no more what it gave: the value does. */
BC_HELPER(kptr_xchg)
{
	return xchg((u64 *)r1, r2);
}

BC_HELPER(for_each_map_elem)
{
	struct bc_map *map = map_arg(r1);

	if (r4)
		return (s64)-EINVAL;
	return map->ops->for_each ? map->ops->for_each(map, r2, r3, r4) : (s64)-EOPNOTSUPP;
}

BC_HELPER(loop)
{
	u32 n = (u32)r1, i;

	if (r4)
		return (s64)-EINVAL;
	if (n > BC_MAX_LOOPS)
		return (s64)-E2BIG;
	for (i = 0; i < n; i++) {
		if (bc_callback_call(r2, i, r3, 0, 0, 0))
			return i + 1;
	}
	return i;
}

/* Interpreter and JIT carry a tail call out themselves; it gets here only through a bug of theirs. */
BC_HELPER(tail_call)
{
	return (s64)-EINVAL;
}
