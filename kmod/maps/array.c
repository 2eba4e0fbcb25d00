// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays and per-CPU arrays: all elements exist from the start, zeroed. A plain array may be mapped into a process, and its first
 * value has an address that programs use directly (global data).
 */
#include "maps.h"

struct bc_array {
	struct bc_map map;
	u32 stride;		/* bytes from one element to the next */
	size_t bytes;		/* of data; of a per-CPU array, on each CPU */
	void *data;
};

static struct bc_array *array_of(const struct bc_map *map)
{
	return container_of(map, struct bc_array, map);
}

static u32 index_of(const void *key)
{
	return READ_ONCE(*(const u32 *)key);
}

static int alloc_check(const union bpf_attr *attr)
{
	bool percpu = attr->map_type == BPF_MAP_TYPE_PERCPU_ARRAY;
	u32 known = BPF_F_NUMA_NODE | BPF_F_MMAPABLE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_RDONLY_PROG | BPF_F_WRONLY_PROG |
		    BPF_F_INNER_MAP | BPF_F_PRESERVE_ELEMS;

	if (!attr->max_entries || attr->key_size != 4 || !attr->value_size || (attr->map_flags & ~known) ||
	    !bc_map_access_flags_ok(attr->map_flags) || (percpu && bc_map_attr_node(attr) != NUMA_NO_NODE))
		return -EINVAL;
	if (percpu && (attr->map_flags & (BPF_F_MMAPABLE | BPF_F_INNER_MAP)))
		return -EINVAL;
	if (attr->map_flags & BPF_F_PRESERVE_ELEMS)
		return -EINVAL;
	if (attr->value_size > INT_MAX)
		return -E2BIG;
	if (percpu && round_up(attr->value_size, 8) > BC_PCPU_MAX_VALUE)
		return -E2BIG;
	return 0;
}

static struct bc_map *array_alloc(const union bpf_attr *attr)
{
	bool percpu = attr->map_type == BPF_MAP_TYPE_PERCPU_ARRAY;
	u64 stride = round_up((u64)attr->value_size, 8), bytes = stride * attr->max_entries;
	struct bc_array *array;

	if (bytes > BC_MAP_MAX_BYTES)
		return ERR_PTR(-ENOMEM);
	array = bc_map_new(attr, sizeof(*array));
	if (!array)
		return ERR_PTR(-ENOMEM);
	array->stride = stride;
	array->bytes = bytes;
	if (percpu)
		array->data = bc_alloc_percpu(&array->map.obj, bytes);
	else if (attr->map_flags & BPF_F_MMAPABLE)
		array->data = bc_alloc_user(&array->map.obj, bytes);
	else
		array->data = bc_alloc(&array->map.obj, bytes);
	if (!array->data) {
		bc_map_delete(array, sizeof(*array));
		return ERR_PTR(-ENOMEM);
	}
	return &array->map;
}

static void drop_all(struct bc_map *map, void *data)
{
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++) {
		bc_map_drop_kptrs(map, data + (u64)array_of(map)->stride * i);
		if (!(i % 4096))
			cond_resched();
	}
}

static void drop_kptrs(struct bc_array *array)
{
	int cpu;

	if (array->map.desc.type != BPF_MAP_TYPE_PERCPU_ARRAY) {
		drop_all(&array->map, array->data);
		return;
	}
	for_each_possible_cpu(cpu)
		drop_all(&array->map, bc_percpu_ptr(array->data, array->bytes, cpu));
}

static void array_free(struct bc_map *map)
{
	struct bc_array *array = array_of(map);

	if (map->desc.kptr_cnt)
		drop_kptrs(array);
	if (map->desc.type == BPF_MAP_TYPE_PERCPU_ARRAY)
		bc_free_percpu(&map->obj, array->data, array->bytes);
	else if (map->desc.flags & BPF_F_MMAPABLE)
		bc_free_user(&map->obj, array->data, array->bytes);
	else
		bc_free(&map->obj, array->data, array->bytes);
	bc_map_delete(array, sizeof(*array));
}

int bc_array_next_key(struct bc_map *map, const void *key, void *next)
{
	u32 index = key ? index_of(key) : U32_MAX;

	if (index >= map->desc.max_entries) {
		*(u32 *)next = 0;
		return 0;
	}
	if (index == map->desc.max_entries - 1)
		return -ENOENT;
	*(u32 *)next = index + 1;
	return 0;
}

static long array_delete(struct bc_map *map, const void *key)
{
	return -EINVAL;
}

/* ---- plain ---- */

static void *array_lookup(struct bc_map *map, const void *key)
{
	struct bc_array *array = array_of(map);
	u32 index = index_of(key);

	if (unlikely(index >= map->desc.max_entries))
		return NULL;
	return array->data + (u64)array->stride * index;
}

bool bc_array_describe(struct bc_map *map, struct bc_jit_array *desc)
{
	struct bc_array *array = array_of(map);

	if (map->ops != &bc_array_ops && map->ops != &bc_percpu_array_ops)
		return false;
	desc->percpu = map->ops == &bc_percpu_array_ops;
	desc->values = (unsigned long)array->data;	/* of a per-CPU array: the pointers that bc_alloc_percpu made */
	desc->stride = array->stride;
	desc->max_entries = map->desc.max_entries;
	return true;
}

static long check_update(const struct bc_map *map, u32 index, u64 flags)
{
	if (unlikely((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST))
		return -EINVAL;
	if (unlikely(index >= map->desc.max_entries))
		return -E2BIG;
	if (unlikely(flags & BPF_NOEXIST))
		return -EEXIST;
	return 0;
}

static long array_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct bc_array *array = array_of(map);
	u32 index = index_of(key);
	long err = check_update(map, index, flags);
	void *p;

	if (err)
		return err;
	if (unlikely((flags & BPF_F_LOCK) && !bc_map_has_lock(map)))
		return -EINVAL;
	p = array->data + (u64)array->stride * index;
	if (flags & BPF_F_LOCK)
		bc_map_copy_value_locked(map, p, value, false);
	else
		bc_map_copy_value(map, p, value);
	bc_map_drop_fields(map, p);
	return 0;
}

static long array_for_each(struct bc_map *map, bc_callback cb, u64 ctx, u64 flags)
{
	bool percpu = map->desc.type == BPF_MAP_TYPE_PERCPU_ARRAY;
	struct bc_array *array = array_of(map);
	void *data = percpu ? bc_percpu_ptr(array->data, array->bytes, raw_smp_processor_id()) : array->data;
	u32 i, key;

	if (flags)
		return -EINVAL;
	for (i = 0; i < map->desc.max_entries; i++) {
		key = i;
		if (bc_callback_call(cb, (u64)(unsigned long)map, (u64)(unsigned long)&key,
				     (u64)(unsigned long)(data + (u64)array->stride * i), ctx, 0)) {
			i++;
			break;
		}
	}
	return i;
}

static void *array_walk(struct bc_map *map, struct bc_map_pos *pos, void *last)
{
	if (last)
		pos->at++;
	return pos->at < map->desc.max_entries ? map : NULL;	/* any address: it is the index that says which */
}

static void array_walk_elem(struct bc_map *map, struct bc_map_pos *pos, void *elem, void *copy, void **key, void **value)
{
	struct bc_array *array = array_of(map);

	*key = &pos->at;
	*value = array->data + (u64)array->stride * pos->at;
	if (copy) {
		bc_syscall_enter();
		bc_map_copy_value(map, copy, *value);
		bc_syscall_exit();
		bc_map_init_value(map, copy);
		*value = copy;
	}
}

static u64 array_direct_addr(struct bc_map *map, u32 off)
{
	if (map->desc.max_entries != 1 || off >= map->desc.value_size)
		return 0;
	return (u64)(unsigned long)array_of(map)->data + off;
}

static int array_mmap(struct bc_map *map, struct vm_area_struct *vma)
{
	struct bc_array *array = array_of(map);

	if (!(map->desc.flags & BPF_F_MMAPABLE))
		return -EINVAL;
	if (!bc_vma_fits(vma, PAGE_ALIGN((u64)array->bytes) >> PAGE_SHIFT))
		return -EINVAL;
	return bc_vma_map(vma, array->data + (size_t)vma->vm_pgoff * PAGE_SIZE);
}

const struct bc_map_ops bc_array_ops = {
	.alloc_check = alloc_check,
	.alloc = array_alloc,
	.free = array_free,
	.lookup = array_lookup,
	.update = array_update,
	.delete = array_delete,
	.for_each = array_for_each,
	.walk = array_walk,
	.walk_elem = array_walk_elem,
	.sys_next_key = bc_array_next_key,
	.lookup_batch = bc_generic_lookup_batch,
	.update_batch = bc_generic_update_batch,
	.direct_addr = array_direct_addr,
	.mmap = array_mmap,
};

/* ---- per CPU ---- */

static void *percpu_value(struct bc_array *array, u32 index, int cpu)
{
	return bc_percpu_ptr(array->data, array->bytes, cpu) + (u64)array->stride * index;
}

static void *percpu_lookup(struct bc_map *map, const void *key)
{
	u32 index = index_of(key);

	if (unlikely(index >= map->desc.max_entries))
		return NULL;
	return percpu_value(array_of(map), index, raw_smp_processor_id());
}

static void *percpu_lookup_percpu(struct bc_map *map, const void *key, u32 cpu)
{
	u32 index = index_of(key);

	if (unlikely(index >= map->desc.max_entries || cpu >= nr_cpu_ids || !cpu_possible(cpu)))
		return NULL;
	return percpu_value(array_of(map), index, cpu);
}

static long percpu_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u32 index = index_of(key);
	long err = check_update(map, index, flags);
	void *p;

	if (err)
		return err;
	if (unlikely(flags & BPF_F_LOCK))
		return -EINVAL;
	p = percpu_value(array_of(map), index, raw_smp_processor_id());
	if (unlikely(map->desc.kptr_cnt)) {
		bc_map_copy_value(map, p, value);
		bc_map_drop_kptrs(map, p);
		return 0;
	}
	memcpy(p, value, map->desc.value_size);
	return 0;
}

/* One CPU's value for a system call, with all of its stride. */
static void copy_out(struct bc_map *map, void *dst, const void *src)
{
	u32 stride = bc_pcpu_stride(map);

	if (unlikely(map->desc.kptr_cnt)) {
		memset(dst, 0, stride);
		bc_map_copy_value(map, dst, src);
		return;
	}
	bc_copy_words(dst, src, stride);
}

static void copy_in(struct bc_map *map, void *dst, const void *src)
{
	if (unlikely(map->desc.kptr_cnt)) {
		bc_map_copy_value(map, dst, src);
		bc_map_drop_kptrs(map, dst);
		return;
	}
	bc_copy_words(dst, src, bc_pcpu_stride(map));
}

static int percpu_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	u32 index = index_of(key), stride = bc_pcpu_stride(map);
	int cpu, n = 0;

	if (index >= map->desc.max_entries)
		return -ENOENT;
	for_each_possible_cpu(cpu)
		copy_out(map, value + (size_t)stride * n++, percpu_value(array_of(map), index, cpu));
	return 0;
}

static int percpu_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	u32 index = index_of(key), stride = bc_pcpu_stride(map);
	int cpu, n = 0;

	if (flags > BPF_EXIST)
		return -EINVAL;
	if (index >= map->desc.max_entries)
		return -E2BIG;
	if (flags == BPF_NOEXIST)
		return -EEXIST;
	for_each_possible_cpu(cpu)
		copy_in(map, percpu_value(array_of(map), index, cpu), value + (size_t)stride * n++);
	return 0;
}

static void percpu_walk_elem(struct bc_map *map, struct bc_map_pos *pos, void *elem, void *copy, void **key, void **value)
{
	percpu_sys_lookup(map, &pos->at, copy, 0);
	*key = &pos->at;
	*value = copy;
}

size_t bc_pcpu_sys_value_size(const struct bc_map *map)
{
	return (size_t)bc_pcpu_stride(map) * num_possible_cpus();
}

const struct bc_map_ops bc_percpu_array_ops = {
	.alloc_check = alloc_check,
	.alloc = array_alloc,
	.free = array_free,
	.lookup = percpu_lookup,
	.update = percpu_update,
	.delete = array_delete,
	.lookup_percpu = percpu_lookup_percpu,
	.for_each = array_for_each,
	.walk = array_walk,
	.walk_elem = percpu_walk_elem,
	.sys_lookup = percpu_sys_lookup,
	.sys_update = percpu_sys_update,
	.sys_next_key = bc_array_next_key,
	.sys_value_size = bc_pcpu_sys_value_size,
	.lookup_batch = bc_generic_lookup_batch,
	.update_batch = bc_generic_update_batch,
};
