/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs keep with maps in the user-space library: references to the kernel functions' object in map values (kptrs), and storage of
 * tasks, sockets and cgroups, whose elements are found by the address of what they belong to.
 */
#include "lib.h"

#include <string.h>

#define PTR(r) ((void *)(unsigned long)(r))

/* ---- kptrs ---- */

static bool may_have_kptrs(u32 map_type)
{
	return map_type == BPF_MAP_TYPE_ARRAY || map_type == BPF_MAP_TYPE_PERCPU_ARRAY || map_type == BPF_MAP_TYPE_HASH ||
	       map_type == BPF_MAP_TYPE_LRU_HASH;
}

void bcu_kptr_map(struct bcu *w, struct bcu_map *m, bool gone)
{
	u32 i;

	if (!gone && m->desc.kptr_cnt && may_have_kptrs(m->desc.type) && w->kptr_map_cnt < BCU_KPTR_MAPS)
		w->kptr_maps[w->kptr_map_cnt++] = m;
	for (i = 0; gone && i < w->kptr_map_cnt; i++)
		if (w->kptr_maps[i] == m)
			w->kptr_maps[i] = w->kptr_maps[--w->kptr_map_cnt];
}

/* The kptr that the bytes have a part in, and which of them is its first. */
static const struct bc_kptr *kptr_under(const struct bcu *w, u64 addr, u64 size, u64 *at)
{
	const struct bcu_map *m;
	u64 off, value;
	u32 i, k;

	for (i = 0; i < w->kptr_map_cnt; i++) {
		m = w->kptr_maps[i];
		off = addr - (unsigned long)m->values;
		if (off >= (u64)m->value_stride * m->desc.max_entries)
			continue;
		value = addr - off % m->value_stride;
		for (k = 0; k < m->desc.kptr_cnt; k++) {
			*at = value + m->desc.kptrs[k].off;
			if (addr < *at + sizeof(u64) && addr + size > *at)
				return &m->desc.kptrs[k];
		}
	}
	return NULL;
}

bool bcu_kptr_access(const struct bcu *w, u64 addr, u32 size, bool write)
{
	u64 at;
	const struct bc_kptr *kptr = kptr_under(w, addr, size, &at);

	return !kptr || (addr == at && size == sizeof(u64) && !(write && kptr->ref));
}

bool bcu_has_kptr(const struct bcu *w, u64 addr, u64 size)
{
	u64 at;

	return kptr_under(w, addr, size, &at);
}

bool bcu_kptr_arg(const struct bcu *w, u64 addr)
{
	u64 at;
	const struct bc_kptr *kptr = kptr_under(w, addr, 1, &at);

	return kptr && kptr->ref && addr == at;
}

u64 bcu_kptr_xchg(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	u64 *place = PTR(r1), old = *place;

	(void)r3;
	(void)r4;
	(void)r5;
	*place = r2;
	return old;
}

u32 bcu_kptrs_drop(struct bcu *w)
{
	const struct bcu_map *m;
	u32 i, k, e, bad = 0;
	u64 *place;

	for (i = 0; i < w->kptr_map_cnt; i++) {
		m = w->kptr_maps[i];
		for (k = 0; k < m->desc.kptr_cnt; k++) {
			if (!m->desc.kptrs[k].ref)
				continue;
			for (e = 0; e < m->desc.max_entries; e++) {
				place = (u64 *)(m->values + (size_t)m->value_stride * e + m->desc.kptrs[k].off);
				bad += *place && !bc_kfunc_object_has(*place, 1);
				if (*place)
					bc_kfunc_table[BC_KFUNC_call_test_release](*place, 0, 0, 0, 0);
				*place = 0;
			}
		}
	}
	return bad;
}

/* ---- storage ---- */

bool bcu_is_storage(u32 map_type)
{
	switch (map_type) {
	case BPF_MAP_TYPE_TASK_STORAGE:
	case BPF_MAP_TYPE_SK_STORAGE:
	case BPF_MAP_TYPE_INODE_STORAGE:
	case BPF_MAP_TYPE_CGROUP_STORAGE:
	case BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE:
		return true;
	default:
		return false;
	}
}

/* An element's owner lies where other maps have their keys. */
static u64 *owner_of(const struct bcu_map *m, u32 i)
{
	return (u64 *)(m->data + (size_t)m->key_stride * i);
}

static u8 *value_of(const struct bcu_map *m, u32 i)
{
	return m->values + (size_t)m->value_stride * i;
}

u64 bcu_storage_get(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_map *m = PTR(r1);
	u32 i;

	(void)r5;
	if (!r2 || r4 & ~(u64)BPF_LOCAL_STORAGE_GET_F_CREATE)
		return 0;
	for (i = 0; i < BCU_STORAGE; i++)
		if (*owner_of(m, i) == r2)
			return (unsigned long)value_of(m, i);
	for (i = 0; r4 && i < BCU_STORAGE; i++) {
		if (*owner_of(m, i))
			continue;
		*owner_of(m, i) = r2;
		memset(value_of(m, i), 0, m->desc.value_size);
		if (r3)
			memcpy(value_of(m, i), PTR(r3), m->desc.value_size);
		return (unsigned long)value_of(m, i);
	}
	return 0;
}

u64 bcu_storage_delete(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_map *m = PTR(r1);
	u32 i;

	(void)r3;
	(void)r4;
	(void)r5;
	for (i = 0; i < BCU_STORAGE; i++) {
		if (!r2 || *owner_of(m, i) != r2)
			continue;
		*owner_of(m, i) = 0;
		return 0;
	}
	return (u64)-ENOENT;
}

/* There is one cgroup, and it has its element from the beginning. */
u64 bcu_local_storage(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	return (unsigned long)((struct bcu_map *)PTR(r1))->values;
}
