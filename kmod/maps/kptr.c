// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pointers to kernel objects in map values (kptrs): what becomes of them when the value goes.
 */
#include "maps.h"
#include "../exec/exec.h"

void bc_map_drop_kptrs(struct bc_map *map, void *value)
{
	const struct bc_kptr *kptr = map->desc.kptrs, *end = kptr + map->desc.kptr_cnt;
	u64 *at, old;

	for (; kptr < end; kptr++) {
		at = value + kptr->off;
		if (!kptr->ref) {
			WRITE_ONCE(*at, 0);
			continue;
		}
		/* a program may be exchanging it at this moment: one of the two gets the object */
		old = READ_ONCE(*at) ? xchg(at, 0) : 0;
		if (old)
			bc_kfunc_table[kptr->dtor](old, 0, 0, 0, 0);
	}
}
