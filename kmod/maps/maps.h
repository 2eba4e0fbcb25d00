/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the map types share, and what they offer to the rest of the module beyond struct bc_map_ops: the file of a map's fd,
 * ring buffers, stack traces, arrays of fds.
 */
#ifndef BPFCOMPAT_MAPS_H
#define BPFCOMPAT_MAPS_H

#include "../bpf.h"
#include "../bpf/value_lock.h"

/* ---- for bpf/fd.c and bpf/obj_info.c (bpf/map_file.c) ---- */

int bc_map_mmap(struct bc_map *map, struct vm_area_struct *vma);
__poll_t bc_map_poll(struct bc_map *map, struct file *file, struct poll_table_struct *pts);
/* The lines of Linux's /proc/PID/fdinfo. */
void bc_map_show_fdinfo(struct bc_map *map, struct seq_file *m);
/* Everything that BPF_OBJ_GET_INFO_BY_FD tells of a map; @info is zeroed before. */
void bc_map_fill_info(struct bc_map *map, struct bpf_map_info *info);

/* ---- making maps (bpf/map_create.c) ---- */

/* Zeroed memory for a map and whatever surrounds it (struct bc_map first), with desc filled from @attr; NULL past the cap. */
void *bc_map_new(const union bpf_attr *attr, size_t size);
void bc_map_delete(void *map, size_t size);
/* BPF_F_RDONLY_PROG and BPF_F_WRONLY_PROG exclude each other. */
bool bc_map_access_flags_ok(u32 flags);
/* NUMA node that the attributes ask for, or NUMA_NO_NODE. */
int bc_map_attr_node(const union bpf_attr *attr);

/* ---- access from system calls (bpf/map_cmd.c, bpf/map_batch.c) ---- */

/* Bytes of a value as system calls see it. */
size_t bc_map_sys_value_size(const struct bc_map *map);
int bc_map_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags);
int bc_map_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags);
int bc_map_sys_delete(struct bc_map *map, const void *key);

int bc_generic_lookup_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
int bc_generic_update_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);
int bc_generic_delete_batch(struct bc_map *map, const union bpf_attr *attr, union bpf_attr __user *uattr);

/* Zeroed memory for the time of one system call; bc_kvfree() it. */
void *bc_temp_alloc(size_t size);

/* Writers (system calls, writable mappings) hold off BPF_MAP_FREEZE. */
void bc_map_writer_get(struct bc_map *map);
void bc_map_writer_put(struct bc_map *map);

/* ---- values ---- */

static inline bool bc_map_has_lock(const struct bc_map *map)
{
	return map->desc.spin_lock_off >= 0;
}

static inline bool bc_map_has_timer(const struct bc_map *map)
{
	return map->desc.timer_off >= 0;
}

static inline struct bpf_spin_lock *bc_map_lock_of(const struct bc_map *map, void *value)
{
	return value + map->desc.spin_lock_off;
}

/* Copies a value into the map under its lock, or out of it; inside the guard. */
void bc_map_copy_value_locked(struct bc_map *map, void *dst, const void *src, bool lock_src);
/* Zeroes lock, timer and kptrs: in what is shown to user space. */
void bc_map_init_value(struct bc_map *map, void *value);
/* Lock, timer and kptrs lie in the value and beside each other: 0, -EINVAL, or -EEXIST as Linux says since 6.2. At creation. */
int bc_map_check_holes(const struct bc_map *map);
/* kptr.c: forgets the kernel objects that a value points to, and gives back those that it owns; any context. */
void bc_map_drop_kptrs(struct bc_map *map, void *value);
/* timer.c: a map's stock of timers, if its values hold any; process context. 0 or -ENOMEM. */
int bc_timers_new(struct bc_map *map);
void bc_timers_release(struct bc_map *map);	/* the last fd is gone: ends all */
void bc_timers_free(struct bc_map *map);
/* Cancels the value's timer, and takes it from it; inside the guard. */
void bc_timer_end(struct bc_map *map, void *value);

/* What a value holds of its own goes: it was replaced, taken out of the map, or is about to be used again. Inside the guard. */
static inline void bc_map_drop_fields(struct bc_map *map, void *value)
{
	if (unlikely(map->timers))
		bc_timer_end(map, value);
	if (unlikely(map->desc.kptr_cnt))
		bc_map_drop_kptrs(map, value);
}

/* Copies a value that has nothing of its own, in words of 8 bytes as far as these go. */
void bc_copy_words(void *dst, const void *src, u32 size);

/* Most bytes of a value in a per-CPU map (Linux: PCPU_MIN_UNIT_SIZE). */
#define BC_PCPU_MAX_VALUE (32 << 10)
/* Beyond this a map's size is not even worth an attempt. */
#define BC_MAP_MAX_BYTES (1ULL << 46)

/* The user's side of a per-CPU value: its stride, and the number of copies. */
static inline u32 bc_pcpu_stride(const struct bc_map *map)
{
	return round_up(map->desc.value_size, 8);
}

size_t bc_pcpu_sys_value_size(const struct bc_map *map);

/* ---- locks of buckets and lists ---- */

/*
 * Taken in any context, NMI included, yet only inside the per-CPU guard (or from where no program can run), so the holder is always on
 * another CPU. An arch spinlock, since lockdep knows nothing of the guard and its own code may be probed.
 */
struct bc_lock {
	arch_spinlock_t raw;
};

static inline void bc_lock_init(struct bc_lock *lock)
{
	arch_spinlock_t unlocked = __ARCH_SPIN_LOCK_UNLOCKED;

	lock->raw = unlocked;
}

static __always_inline unsigned long bc_lock_irqsave(struct bc_lock *lock)
{
	unsigned long flags;

	local_irq_save(flags);
	arch_spin_lock(&lock->raw);
	return flags;
}

static __always_inline void bc_unlock_irqrestore(struct bc_lock *lock, unsigned long flags)
{
	arch_spin_unlock(&lock->raw);
	local_irq_restore(flags);
}

/* Does the mapping lie within @pages, the first of which stands at offset 0? */
static inline bool bc_vma_fits(const struct vm_area_struct *vma, unsigned long pages)
{
	unsigned long len = (vma->vm_end - vma->vm_start) >> PAGE_SHIFT;

	return vma->vm_pgoff <= pages && len <= pages - vma->vm_pgoff;
}

/*
 * Maps memory of bc_alloc_user() (or pages of it) into a process, whose mapping begins at @memory. To be asked first: bc_vma_fits().
 * remap_vmalloc_range() is not up to it: its own check overflows on vanilla 3.10, and on CentOS 7 lets the guard page behind the
 * memory through.
 */
static inline int bc_vma_map(struct vm_area_struct *vma, const void *memory)
{
	unsigned long at;
	int err;

	for (at = vma->vm_start; at < vma->vm_end; at += PAGE_SIZE, memory += PAGE_SIZE) {
		err = vm_insert_page(vma, at, vmalloc_to_page(memory));
		if (err)
			return err;
	}
	bc_vma_set_flags(vma, VM_DONTEXPAND | VM_DONTDUMP);
	return 0;
}

/* ---- operations that many types answer alike ---- */

/* Programs' look-up in a map that they may not read (the verifier lets none through): NULL. */
void *bc_map_no_lookup(struct bc_map *map, const void *key);
int bc_array_next_key(struct bc_map *map, const void *key, void *next);

/* ---- helpers' bodies, all inside the guard ---- */

/*
 * stackmap.c: bpf_get_stackid() and bpf_get_stack(). @regs: where the event hit (NULL: the stack from here). Of a task's user stack,
 * frames are followed by frame pointers.
 */
long bc_get_stackid(struct bc_map *map, struct pt_regs *regs, u64 flags);
long bc_get_stack(struct pt_regs *regs, void *buf, u32 size, u64 flags);
long bc_get_task_stack(struct task_struct *task, void *buf, u32 size, u64 flags);

/* array.c: for generated code; false for maps of other types. */
bool bc_array_describe(struct bc_map *map, struct bc_jit_array *desc);

/* prog_array.c: bc_exec_env.tail_call_target. */
const struct bc_exec_prog *bc_tail_call_target(u64 map, u32 index);
/* Does @map hold programs that those which use it must be like? */
bool bc_map_has_owner(const struct bc_map *map);
/* May @prog be put into this map (all programs in it must be alike), or use it? Called at load, too. */
bool bc_prog_map_compatible(struct bc_map *map, const struct bc_prog *prog);

/* cgroup_array.c: bpf_current_task_under_cgroup(): 0, 1 or -errno. */
long bc_current_under_cgroup(struct bc_map *map, u32 index);

/* devmap.c: devices that are unregistered leave these maps. */
int bc_devmap_init(void);
void bc_devmap_exit(void);

/* Table of the types (maps/table.c). */
extern const struct bc_map_ops bc_array_ops, bc_percpu_array_ops, bc_htab_ops, bc_htab_percpu_ops, bc_htab_lru_ops,
	bc_htab_lru_percpu_ops, bc_prog_array_ops, bc_perf_event_array_ops, bc_stackmap_ops, bc_cgroup_array_ops, bc_ringbuf_ops,
	bc_user_ringbuf_ops, bc_queue_ops, bc_lpm_ops, bc_array_of_maps_ops, bc_hash_of_maps_ops, bc_bloom_ops,
	bc_cgroup_storage_ops, bc_local_storage_ops, bc_sockmap_ops, bc_sockhash_ops,
	bc_devmap_ops, bc_cpumap_ops;

#endif
