// SPDX-License-Identifier: GPL-2.0-only
/*
 * A map seen through its fd: mmap, poll, fdinfo, info; and the copying of values.
 */
#include "core.h"
#include "../maps/maps.h"

/* ---- values ---- */

void bc_copy_words(void *dst, const void *src, u32 size)
{
	u64 *to = dst;
	const u64 *from = src;
	u32 i;

	/* Word by word, so that a counter is never seen half written. */
	for (i = 0; i < size / 8; i++)
		WRITE_ONCE(to[i], READ_ONCE(from[i]));
	if (size % 8)
		memcpy(to + i, from + i, size % 8);
}

#define MAX_HOLES (2 + BC_MAX_KPTRS)

struct hole {
	u32 off, len;
};

static int put_hole(struct hole *holes, int n, u32 off, u32 len)
{
	int i = n;

	for (; i && holes[i - 1].off > off; i--)
		holes[i] = holes[i - 1];
	holes[i].off = off;
	holes[i].len = len;
	return n + 1;
}

/* What must not be copied of a value: lock, timer and kptrs, in order. */
static int find_holes(const struct bc_map *map, struct hole *holes)
{
	const struct bc_map_desc *desc = &map->desc;
	int n = 0;
	u32 i;

	if (bc_map_has_lock(map))
		n = put_hole(holes, n, desc->spin_lock_off, sizeof(struct bpf_spin_lock));
	if (bc_map_has_timer(map))
		n = put_hole(holes, n, desc->timer_off, sizeof(struct bpf_timer));
	for (i = 0; i < desc->kptr_cnt; i++)
		n = put_hole(holes, n, desc->kptrs[i].off, sizeof(u64));
	return n;
}

/* BTF may lay members over each other; a value in which one of these is part of another is none that can be kept apart. */
int bc_map_check_holes(const struct bc_map *map)
{
	struct hole holes[MAX_HOLES];
	int n = find_holes(map, holes), i;

	for (i = 0; i < n; i++) {
		if (holes[i].off > map->desc.value_size || holes[i].len > map->desc.value_size - holes[i].off)
			return -EINVAL;
		if (i && holes[i].off < holes[i - 1].off + holes[i - 1].len)
			return -EEXIST;
	}
	return 0;
}

static bool has_holes(const struct bc_map *map)
{
	return (map->desc.spin_lock_off & map->desc.timer_off) >= 0 || map->desc.kptr_cnt;
}

static void copy_around_holes(const struct bc_map *map, void *dst, const void *src)
{
	struct hole holes[MAX_HOLES];
	int n = find_holes(map, holes), i;
	u32 at = 0;

	for (i = 0; i < n; i++) {
		memcpy(dst + at, src + at, holes[i].off - at);
		at = holes[i].off + holes[i].len;
	}
	memcpy(dst + at, src + at, map->desc.value_size - at);
}

void bc_map_copy_value(struct bc_map *map, void *dst, const void *src)
{
	if (unlikely(has_holes(map)))
		copy_around_holes(map, dst, src);
	else
		bc_copy_words(dst, src, map->desc.value_size);
}

void bc_map_copy_value_locked(struct bc_map *map, void *dst, const void *src, bool lock_src)
{
	struct bpf_spin_lock *lock = bc_map_lock_of(map, lock_src ? (void *)src : dst);

	bc_value_lock(lock);
	bc_map_copy_value(map, dst, src);
	bc_value_unlock(lock);
}

static void clear_holes(const struct bc_map *map, void *value)
{
	struct hole holes[MAX_HOLES];
	int n = find_holes(map, holes), i;

	for (i = 0; i < n; i++)
		memset(value + holes[i].off, 0, holes[i].len);
}

void bc_map_init_value(struct bc_map *map, void *value)
{
	if (unlikely(has_holes(map)))
		clear_holes(map, value);
}

/* ---- fd ---- */

static void vma_open(struct vm_area_struct *vma)
{
	struct bc_map *map = vma->vm_private_data;

	if (vma->vm_flags & VM_MAYWRITE)
		bc_map_writer_get(map);
}

static void vma_close(struct vm_area_struct *vma)
{
	struct bc_map *map = vma->vm_private_data;

	if (vma->vm_flags & VM_MAYWRITE)
		bc_map_writer_put(map);
}

static const struct vm_operations_struct map_vm_ops = {
	.open = vma_open,
	.close = vma_close,
};

int bc_map_mmap(struct bc_map *map, struct vm_area_struct *vma)
{
	bool writes = vma->vm_flags & VM_WRITE;
	int err = 0;

	if (!map->ops->mmap || bc_map_has_lock(map) || bc_map_has_timer(map) || map->desc.kptr_cnt)
		return -ENOTSUPP;
	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	mutex_lock(&map->freeze_lock);
	if (writes) {
		if (map->frozen)
			err = -EPERM;
		else if (map->desc.flags & BPF_F_RDONLY_PROG)
			err = -EACCES;	/* what the verifier takes for constant must have no writable mapping left */
		else
			bc_map_writer_get(map);
	}
	mutex_unlock(&map->freeze_lock);
	if (err)
		return err;

	vma->vm_ops = &map_vm_ops;
	vma->vm_private_data = map;
	bc_vma_clear_flags(vma, VM_MAYEXEC);
	if (!writes)
		bc_vma_clear_flags(vma, VM_MAYWRITE);
	err = map->ops->mmap(map, vma);
	if (err && writes)
		bc_map_writer_put(map);
	return err;
}

__poll_t bc_map_poll(struct bc_map *map, struct file *file, struct poll_table_struct *pts)
{
	return map->ops->poll ? map->ops->poll(map, file, pts) : POLLERR;
}

void bc_map_show_fdinfo(struct bc_map *map, struct seq_file *m)
{
	u32 type = 0;

	spin_lock(&map->owner_lock);
	if (map->owner_set)
		type = map->owner_type;
	spin_unlock(&map->owner_lock);
	seq_printf(m, "map_type:\t%u\nkey_size:\t%u\nvalue_size:\t%u\nmax_entries:\t%u\nmap_flags:\t%#x\nmap_extra:\t%#llx\n",
		   map->desc.type, map->desc.key_size, map->desc.value_size, map->desc.max_entries, map->desc.flags,
		   (unsigned long long)map->desc.map_extra);
	seq_printf(m, "memlock:\t%llu\nmap_id:\t%u\nfrozen:\t%u\n", (unsigned long long)atomic64_read(&map->obj.bytes), map->desc.id,
		   READ_ONCE(map->frozen));
	if (type)
		seq_printf(m, "owner_prog_type:\t%u\nowner_jited:\t%u\n", type, map->owner_jited);
	if (map->ops->show_fdinfo)
		map->ops->show_fdinfo(map, m);
}

void bc_map_fill_info(struct bc_map *map, struct bpf_map_info *info)
{
	info->type = map->desc.type;
	info->id = map->desc.id;
	info->key_size = map->desc.key_size;
	info->value_size = map->desc.value_size;
	info->max_entries = map->desc.max_entries;
	info->map_flags = map->desc.flags;
	info->map_extra = map->desc.map_extra;
	memcpy(info->name, map->desc.name, sizeof(info->name));
	if (map->btf) {
		info->btf_id = bc_btf_id(map->btf);
		info->btf_key_type_id = map->desc.btf_key_type_id;
		info->btf_value_type_id = map->desc.btf_value_type_id;
	}
}
