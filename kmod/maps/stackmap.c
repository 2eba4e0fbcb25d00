// SPDX-License-Identifier: GPL-2.0-only
/*
 * Stack trace maps: a table of call stacks by hash, and the helpers that fill it or hand a stack to the program. Where build ids are asked
 * for, every frame is given by its address (BPF_STACK_BUILD_ID_IP), as Linux does where it can't look at the process's mappings.
 */
#include "maps.h"
#include "../compat/stack.h"
#include <linux/jhash.h>
#include <linux/log2.h>

#define MAX_DEPTH 127	/* Linux: the default of sysctl kernel.perf_event_max_stack */

struct bucket {
	struct bucket *next_free;
	u32 hash;
	u32 cnt;		/* frames */
	u64 data[];		/* value_size bytes */
};

struct bc_stackmap {
	struct bc_map map;
	struct bucket **buckets;
	u32 bucket_cnt;		/* a power of two */
	struct bc_lock lock;	/* of the free list */
	struct bucket *free;
	void *pool;
	size_t pool_bytes;
};

/* Where the stack of this event is put together; inside the guard, so there is one user at a time. */
struct frames {
	unsigned long ip[MAX_DEPTH];
};
static DEFINE_PER_CPU(struct frames, frames);

static struct bc_stackmap *stackmap_of(const struct bc_map *map)
{
	return container_of(map, struct bc_stackmap, map);
}

static u32 frame_bytes(const struct bc_map *map)
{
	return map->desc.flags & BPF_F_STACK_BUILD_ID ? sizeof(struct bpf_stack_build_id) : 8;
}

static struct bc_map *stackmap_alloc(const union bpf_attr *attr)
{
	u32 frame = attr->map_flags & BPF_F_STACK_BUILD_ID ? sizeof(struct bpf_stack_build_id) : 8, i;
	struct bc_stackmap *s;
	size_t bucket_bytes;

	if (!bc_capable())
		return ERR_PTR(-EPERM);
	if (attr->map_flags & ~(BPF_F_NUMA_NODE | BPF_F_RDONLY | BPF_F_WRONLY | BPF_F_STACK_BUILD_ID))
		return ERR_PTR(-EINVAL);
	if (!attr->max_entries || attr->key_size != 4 || attr->value_size < 8 || attr->value_size % 8 || attr->value_size % frame ||
	    attr->value_size / frame > MAX_DEPTH)
		return ERR_PTR(-EINVAL);
	if (attr->max_entries > 1U << 31)
		return ERR_PTR(-E2BIG);
	s = bc_map_new(attr, sizeof(*s));
	if (!s)
		return ERR_PTR(-ENOMEM);
	s->bucket_cnt = roundup_pow_of_two(attr->max_entries);
	bc_lock_init(&s->lock);
	bucket_bytes = sizeof(struct bucket) + attr->value_size;
	s->pool_bytes = bucket_bytes * attr->max_entries;
	s->buckets = bc_alloc(&s->map.obj, (size_t)s->bucket_cnt * sizeof(*s->buckets));
	s->pool = s->buckets ? bc_alloc(&s->map.obj, s->pool_bytes) : NULL;
	if (!s->pool) {
		bc_free(&s->map.obj, s->buckets, (size_t)s->bucket_cnt * sizeof(*s->buckets));
		bc_map_delete(s, sizeof(*s));
		return ERR_PTR(-ENOMEM);
	}
	for (i = attr->max_entries; i--; ) {
		struct bucket *b = s->pool + bucket_bytes * i;

		b->next_free = s->free;
		s->free = b;
		if (!(i % 4096))
			cond_resched();
	}
	return &s->map;
}

static void stackmap_free(struct bc_map *map)
{
	struct bc_stackmap *s = stackmap_of(map);

	bc_free(&map->obj, s->pool, s->pool_bytes);
	bc_free(&map->obj, s->buckets, (size_t)s->bucket_cnt * sizeof(*s->buckets));
	bc_map_delete(s, sizeof(*s));
}

static struct bucket *take(struct bc_stackmap *s)
{
	unsigned long flags = bc_lock_irqsave(&s->lock);
	struct bucket *b = s->free;

	if (b)
		s->free = b->next_free;
	bc_unlock_irqrestore(&s->lock, flags);
	return b;
}

static void give_back(struct bc_stackmap *s, struct bucket *b)
{
	unsigned long flags;

	if (!b)
		return;
	flags = bc_lock_irqsave(&s->lock);
	b->next_free = s->free;
	s->free = b;
	bc_unlock_irqrestore(&s->lock, flags);
}

/* ---- helpers ---- */

static u32 collect(struct pt_regs *regs, unsigned long *to, u32 max, bool user)
{
	return user ? compat_user_stack(regs, to, max) : compat_kernel_stack(regs, &bc_this_run()->own, to, max);
}

static void put_frames(void *dst, const unsigned long *from, u32 cnt, bool build_id)
{
	struct bpf_stack_build_id *ids = dst;
	u64 *ips = dst;
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (build_id) {
			memset(&ids[i], 0, sizeof(ids[i]));
			ids[i].status = BPF_STACK_BUILD_ID_IP;
			ids[i].ip = from[i];
		} else {
			ips[i] = from[i];
		}
	}
}

static bool same_frames(const struct bucket *b, const unsigned long *frames, u32 cnt, bool build_id)
{
	const struct bpf_stack_build_id *ids = (const void *)b->data;
	u32 i;

	if (b->cnt != cnt)
		return false;
	for (i = 0; i < cnt; i++) {
		if ((build_id ? ids[i].ip : b->data[i]) != frames[i])
			return false;
	}
	return true;
}

long bc_get_stackid(struct bc_map *map, struct pt_regs *regs, u64 flags)
{
	u64 known = BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_FAST_STACK_CMP | BPF_F_REUSE_STACKID;
	u32 skip = flags & BPF_F_SKIP_FIELD_MASK, depth, cnt, hash, id;
	bool build_id = map->desc.flags & BPF_F_STACK_BUILD_ID;
	struct bc_stackmap *s = stackmap_of(map);
	unsigned long *ips = this_cpu_ptr(&frames)->ip;
	struct bucket *b, *new;
	bool match;

	if (unlikely(flags & ~known))
		return -EINVAL;
	depth = map->desc.value_size / frame_bytes(map);
	cnt = collect(regs, ips, min_t(u32, depth + skip, MAX_DEPTH), flags & BPF_F_USER_STACK);
	if (cnt <= skip)
		return -EFAULT;
	cnt -= skip;
	ips += skip;
	hash = jhash2((const u32 *)ips, cnt * sizeof(*ips) / sizeof(u32), 0);
	id = hash & (s->bucket_cnt - 1);
	b = READ_ONCE(s->buckets[id]);
	match = b && b->hash == hash;
	if (match && (flags & BPF_F_FAST_STACK_CMP))
		return id;
	if (match && same_frames(b, ips, cnt, build_id))
		return id;
	if (b && !(flags & BPF_F_REUSE_STACKID))
		return -EEXIST;
	new = take(s);
	if (unlikely(!new))
		return -ENOMEM;
	put_frames(new->data, ips, cnt, build_id);
	new->hash = hash;
	new->cnt = cnt;
	give_back(s, xchg(&s->buckets[id], new));
	return id;
}

/* @task NULL: of the event. Another task's kernel stack may be empty: it runs just now. */
static long get_stack(struct task_struct *task, struct pt_regs *regs, void *buf, u32 size, u64 flags)
{
	bool user = flags & BPF_F_USER_STACK, build_id = flags & BPF_F_USER_BUILD_ID;
	u32 skip = flags & BPF_F_SKIP_FIELD_MASK, cnt, depth, bytes, frame = build_id ? sizeof(struct bpf_stack_build_id) : 8;
	unsigned long *ips = this_cpu_ptr(&frames)->ip;
	long err = -EINVAL;

	if (unlikely(flags & ~(u64)(BPF_F_SKIP_FIELD_MASK | BPF_F_USER_STACK | BPF_F_USER_BUILD_ID)))
		goto clear;
	if (!user && build_id)
		goto clear;
	if (unlikely(size % frame))
		goto clear;
	if (task && user && task != current) {
		err = task->flags & PF_KTHREAD ? -EFAULT : -EOPNOTSUPP;
		goto clear;
	}
	err = -EFAULT;
	depth = min_t(u64, (u64)size / frame + skip, MAX_DEPTH);
	cnt = task && !user ? compat_task_stack(task, ips, depth) : collect(regs, ips, depth, user);
	if ((!cnt && !task) || cnt < skip)
		goto clear;
	cnt = min(cnt - skip, size / frame);
	put_frames(buf, ips + skip, cnt, build_id);
	bytes = cnt * frame;
	memset(buf + bytes, 0, size - bytes);
	return bytes;
clear:
	memset(buf, 0, size);
	return err;
}

long bc_get_stack(struct pt_regs *regs, void *buf, u32 size, u64 flags)
{
	return get_stack(NULL, regs, buf, size, flags);
}

long bc_get_task_stack(struct task_struct *task, void *buf, u32 size, u64 flags)
{
	return get_stack(task, NULL, buf, size, flags);
}

/* ---- system calls ---- */

static int stackmap_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct bc_stackmap *s = stackmap_of(map);
	u32 id = *(const u32 *)key, bytes;
	struct bucket *b;

	if (id >= s->bucket_cnt)
		return -ENOENT;
	bc_syscall_enter();
	/* Out of the table while it is read, or it could be recycled meanwhile. */
	b = xchg(&s->buckets[id], NULL);
	if (b) {
		bytes = b->cnt * frame_bytes(map);
		memcpy(value, b->data, bytes);
		memset(value + bytes, 0, map->desc.value_size - bytes);
		give_back(s, xchg(&s->buckets[id], b));
	}
	bc_syscall_exit();
	return b ? 0 : -ENOENT;
}

static long stackmap_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	return -EINVAL;
}

static long stackmap_delete(struct bc_map *map, const void *key)
{
	struct bc_stackmap *s = stackmap_of(map);
	u32 id = *(const u32 *)key;
	struct bucket *b;

	if (id >= s->bucket_cnt)
		return -E2BIG;
	b = xchg(&s->buckets[id], NULL);
	give_back(s, b);
	return b ? 0 : -ENOENT;
}

static int stackmap_next_key(struct bc_map *map, const void *key, void *next)
{
	struct bc_stackmap *s = stackmap_of(map);
	u32 id = 0;

	if (key) {
		id = *(const u32 *)key;
		id = id >= s->bucket_cnt || !READ_ONCE(s->buckets[id]) ? 0 : id + 1;
	}
	while (id < s->bucket_cnt && !READ_ONCE(s->buckets[id]))
		id++;
	if (id >= s->bucket_cnt)
		return -ENOENT;
	*(u32 *)next = id;
	return 0;
}

const struct bc_map_ops bc_stackmap_ops = {
	.alloc = stackmap_alloc,
	.free = stackmap_free,
	.lookup = bc_map_no_lookup,
	.update = stackmap_update,
	.delete = stackmap_delete,
	.sys_lookup = stackmap_sys_lookup,
	.sys_next_key = stackmap_next_key,
};
