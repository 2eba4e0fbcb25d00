// SPDX-License-Identifier: GPL-2.0-only
/*
 * BPF_MAP_TYPE_TASK_STORAGE, SK_STORAGE and INODE_STORAGE: what programs keep for the kernel's objects, till these go. Linux has a pointer
 * to it in each object; here it is found by the object's address, and its end is seen by compat/object_life.c.
 *
 * Elements are put into a bucket and taken out under its lock, which is only ever held with interrupts off and where no program can begin
 * on its CPU. An object that goes was given up by its last user before the function was called that is watched: who puts an element
 * there under the lock and finds the object in use does so before its end takes the lock to clear it away.
 */
#include "local_storage.h"
#include "../compat/tasks.h"
#include <linux/net.h>
#include <net/sock.h>

/* Linux: BPF_LOCAL_STORAGE_MAX_VALUE_SIZE, of an element whose head is 128 bytes there. */
#define MAX_VALUE (U16_MAX - 128)

struct bucket {
	struct bc_storage_elem *first;
	struct bc_lock lock;
};

/* The object behind a process's fd, and what keeps it. */
struct owner {
	const void *object;
	struct task_struct *task;
	struct file *file;
};

struct storage_kind {
	enum compat_object object;
	u32 bits;			/* of the number of buckets */
	int (*find)(u32 fd, struct owner *owner);
	struct bucket *buckets;		/* while there are maps */
	u32 maps;
};

struct bc_storage_map {
	struct bc_map map;
	struct storage_kind *kind;
	bool dying;			/* nothing is put there any more */
	struct bc_storage_pool pool;
};

static DEFINE_MUTEX(kinds_lock);	/* guards who has a table */

static struct bc_storage_map *storage_of(const struct bc_map *map)
{
	return container_of(map, struct bc_storage_map, map);
}

/* ---- the table; inside the guard, or with interrupts off on top of who is ---- */

static struct bucket *bucket_of(const struct storage_kind *kind, const void *owner)
{
	return &kind->buckets[(u64)(unsigned long)owner * 0x9e3779b97f4a7c15ULL >> (64 - kind->bits)];
}

static u32 epoch_of(const struct storage_kind *kind)
{
	return compat_life_epoch(kind->object);
}

static struct bc_storage_elem *find(const struct bc_storage_map *smap, const void *owner)
{
	struct bc_storage_elem *e = smp_load_acquire(&bucket_of(smap->kind, owner)->first);

	for (; e; e = READ_ONCE(e->next))
		if (e->owner == owner && e->smap == smap)
			return e->epoch == epoch_of(smap->kind) && !compat_life_blind() ? e : NULL;
	return NULL;
}

/* Under the lock: where an element hangs, or the end of the list. */
static struct bc_storage_elem **place_of(struct bucket *b, const struct bc_storage_map *smap, const void *owner)
{
	struct bc_storage_elem **at = &b->first;

	while (*at && ((*at)->owner != owner || (*at)->smap != smap))
		at = &(*at)->next;
	return at;
}

/* Under the lock. */
static void take_out(struct bc_storage_elem **at)
{
	struct bc_storage_elem *e = *at;

	WRITE_ONCE(*at, e->next);
	bc_storage_pool_put_later(&e->smap->pool, e);
}

static long check_flags(const struct bc_storage_elem *old, u64 flags)
{
	flags &= ~(u64)BPF_F_LOCK;
	if (old && flags == BPF_NOEXIST)
		return -EEXIST;
	return !old && flags == BPF_EXIST ? -ENOENT : 0;
}

static struct bc_storage_elem *new_elem(struct bc_storage_map *smap, const void *owner, const void *value)
{
	struct bc_storage_elem *e = bc_storage_pool_get(&smap->pool);

	if (!e)
		return NULL;
	e->smap = smap;
	e->owner = owner;
	memset(e->value, 0, round_up(smap->map.desc.value_size, 8));
	if (value)
		bc_map_copy_value(&smap->map, e->value, value);
	return e;
}

/* @unborn: the object is not in use yet. */
static long put_in(struct bc_storage_map *smap, struct bc_storage_elem *e, u64 flags, bool unborn)
{
	struct bucket *b = bucket_of(smap->kind, e->owner);
	struct bc_storage_elem **at, *old;
	unsigned long irq;
	long err;

	irq = bc_lock_irqsave(&b->lock);
	e->epoch = epoch_of(smap->kind);
	at = place_of(b, smap, e->owner);
	old = *at;
	if (old && old->epoch != e->epoch) {
		take_out(at);
		old = NULL;
	}
	err = check_flags(old, flags);
	if (!err && (compat_life_blind() || (!unborn && !compat_object_lives(smap->kind->object, e->owner))))
		err = -ENOENT;
	if (!err) {
		/* who looks finds the old one or the new one */
		e->next = old ? old->next : *at;
		smp_store_release(at, e);
		if (old)
			bc_storage_pool_put_later(&smap->pool, old);
	}
	bc_unlock_irqrestore(&b->lock, irq);
	return err;
}

static long set(struct bc_storage_map *smap, const void *owner, const void *value, u64 flags, bool unborn, void **out)
{
	struct bc_storage_elem *e;
	long err;

	if ((flags & ~(u64)BPF_F_LOCK) > BPF_EXIST || ((flags & BPF_F_LOCK) && !bc_map_has_lock(&smap->map)))
		return -EINVAL;
	e = find(smap, owner);
	err = check_flags(e, flags);
	if (err)
		return err;
	if (e && (flags & BPF_F_LOCK)) {
		bc_map_copy_value_locked(&smap->map, e->value, value, false);
		return 0;
	}
	e = new_elem(smap, owner, value);
	if (!e)
		return -ENOMEM;
	err = put_in(smap, e, flags, unborn);
	if (err)
		bc_storage_pool_put(&smap->pool, e);
	else if (out)
		*out = e->value;
	return err;
}

void *bc_storage_get(struct bc_map *map, const void *owner, const void *value, bool create)
{
	struct bc_storage_map *smap = storage_of(map);
	struct bc_storage_elem *e = find(smap, owner);
	void *made = NULL;

	if (e)
		return e->value;
	if (create)
		set(smap, owner, value, BPF_NOEXIST, false, &made);
	return made;
}

long bc_storage_delete(struct bc_map *map, const void *owner)
{
	struct bc_storage_map *smap = storage_of(map);
	struct bucket *b = bucket_of(smap->kind, owner);
	struct bc_storage_elem **at;
	unsigned long flags;
	long err = -ENOENT;

	if (!READ_ONCE(b->first))
		return -ENOENT;
	flags = bc_lock_irqsave(&b->lock);
	at = place_of(b, smap, owner);
	if (*at) {
		err = (*at)->epoch == epoch_of(smap->kind) ? 0 : -ENOENT;
		take_out(at);
	}
	bc_unlock_irqrestore(&b->lock, flags);
	return err;
}

/* ---- objects that come and go ---- */

static struct storage_kind kinds[COMPAT_OBJECT_KINDS];

static void object_changed(enum compat_object object, const void *owner)
{
	struct bucket *b = bucket_of(&kinds[object], owner);
	struct bc_storage_elem **at;
	unsigned long flags;
	bool stopped;

	if (!READ_ONCE(b->first))
		return;
	local_irq_save(flags);
	stopped = bc_programs_stop();
	arch_spin_lock(&b->lock.raw);
	at = &b->first;
	while (*at) {
		if ((*at)->owner == owner)
			take_out(at);
		else
			at = &(*at)->next;
	}
	arch_spin_unlock(&b->lock.raw);
	bc_programs_go_on(stopped);
	local_irq_restore(flags);
}

/* A socket that was accepted has what its listener has, of maps that want it so. */
static void socket_copied(const struct sock *from, const struct sock *to)
{
	const struct bucket *b = bucket_of(&kinds[COMPAT_SOCK], from);
	struct bc_storage_elem *e, *copy;
	struct bc_map *map;
	unsigned long flags;
	bool stopped;

	if (!READ_ONCE(b->first))
		return;
	local_irq_save(flags);
	stopped = bc_programs_stop();
	for (e = smp_load_acquire(&b->first); e; e = READ_ONCE(e->next)) {
		map = &e->smap->map;
		if (e->owner != from || e->epoch != epoch_of(e->smap->kind) || !(map->desc.flags & BPF_F_CLONE) || READ_ONCE(e->smap->dying))
			continue;
		copy = new_elem(e->smap, to, NULL);
		if (!copy)
			continue;
		/* the program that this came on top of may hold the lock */
		if (bc_map_has_lock(map) && stopped)
			bc_map_copy_value_locked(map, copy->value, e->value, true);
		else
			bc_map_copy_value(map, copy->value, e->value);
		if (put_in(e->smap, copy, BPF_NOEXIST, true))
			bc_storage_pool_put(&e->smap->pool, copy);
	}
	bc_programs_go_on(stopped);
	local_irq_restore(flags);
}

static const struct compat_life_ops life_ops = {
	.changed = object_changed,
	.copied = socket_copied,
};

/* ---- objects by fd ---- */

static int find_task(u32 fd, struct owner *owner)
{
	struct pid *pid = compat_pidfd_pid(fd);

	if (IS_ERR(pid))
		return PTR_ERR(pid);
	owner->task = get_pid_task(pid, PIDTYPE_PID);
	owner->object = owner->task;
	put_pid(pid);
	return owner->task ? 0 : -ENOENT;
}

static int find_sock(u32 fd, struct owner *owner)
{
	struct socket *sock;
	int err;

	sock = sockfd_lookup(fd, &err);
	if (!sock)
		return err;
	owner->file = sock->file;
	owner->object = sock->sk;
	return 0;
}

static int find_inode(u32 fd, struct owner *owner)
{
	owner->file = fget_raw(fd);
	if (!owner->file)
		return -EBADF;
	owner->object = file_inode(owner->file);
	return 0;
}

static void owner_put(const struct owner *owner)
{
	if (owner->task)
		put_task_struct(owner->task);
	if (owner->file)
		fput(owner->file);
}

static struct storage_kind kinds[COMPAT_OBJECT_KINDS] = {
	[COMPAT_TASK] = { .object = COMPAT_TASK, .bits = 10, .find = find_task },
	[COMPAT_SOCK] = { .object = COMPAT_SOCK, .bits = 13, .find = find_sock },
	[COMPAT_INODE] = { .object = COMPAT_INODE, .bits = 13, .find = find_inode },
};

static int find_owner(struct bc_map *map, const void *key, struct owner *owner)
{
	memset(owner, 0, sizeof(*owner));
	return storage_of(map)->kind->find(*(const u32 *)key, owner);
}

static int storage_sys_lookup(struct bc_map *map, const void *key, void *value, u64 flags)
{
	struct bc_storage_elem *e;
	struct owner owner;
	int err = find_owner(map, key, &owner);

	if (err)
		return err;
	bc_syscall_enter();
	e = find(storage_of(map), owner.object);
	if (e && (flags & BPF_F_LOCK))
		bc_map_copy_value_locked(map, value, e->value, true);
	else if (e)
		bc_map_copy_value(map, value, e->value);
	bc_syscall_exit();
	owner_put(&owner);
	if (!e)
		return -ENOENT;
	bc_map_init_value(map, value);
	return 0;
}

static int storage_sys_update(struct bc_map *map, const void *key, const void *value, u64 flags)
{
	struct owner owner;
	int err = find_owner(map, key, &owner);

	if (err)
		return err;
	bc_storage_pool_grow(&storage_of(map)->pool);
	bc_syscall_enter();
	err = set(storage_of(map), owner.object, value, flags, false, NULL);
	bc_syscall_exit();
	owner_put(&owner);
	return err;
}

static int storage_sys_delete(struct bc_map *map, const void *key)
{
	struct owner owner;
	int err = find_owner(map, key, &owner);

	if (err)
		return err;
	bc_syscall_enter();
	err = bc_storage_delete(map, owner.object);
	bc_syscall_exit();
	owner_put(&owner);
	return err;
}

/* ---- maps ---- */

static int storage_check(const union bpf_attr *attr)
{
	if ((attr->map_flags & ~(BPF_F_NO_PREALLOC | BPF_F_CLONE)) || !(attr->map_flags & BPF_F_NO_PREALLOC) || attr->max_entries ||
	    attr->key_size != sizeof(u32) || !attr->value_size || !attr->btf_key_type_id || !attr->btf_value_type_id)
		return -EINVAL;
	if (!bc_capable())
		return -EPERM;
	return attr->value_size > MAX_VALUE ? -E2BIG : 0;
}

static size_t table_bytes(const struct storage_kind *kind)
{
	return sizeof(struct bucket) << kind->bits;
}

static void free_table(struct storage_kind *kind)
{
	bc_free(NULL, kind->buckets, table_bytes(kind));
	kind->buckets = NULL;
}

static int kind_get(struct storage_kind *kind)
{
	int err = 0;
	u32 i;

	mutex_lock(&kinds_lock);
	if (!kind->maps && kind->buckets) {
		err = -EOPNOTSUPP;	/* still in use by who does not let go */
	} else if (!kind->maps) {
		kind->buckets = bc_alloc(NULL, table_bytes(kind));
		for (i = 0; kind->buckets && i < 1U << kind->bits; i++)
			bc_lock_init(&kind->buckets[i].lock);
		err = kind->buckets ? compat_life_watch(kind->object, &life_ops) : -ENOMEM;
		if (err && compat_life_over(kind->object))
			free_table(kind);
	}
	if (!err)
		kind->maps++;
	mutex_unlock(&kinds_lock);
	return err;
}

static void kind_put(struct storage_kind *kind)
{
	mutex_lock(&kinds_lock);
	if (!--kind->maps) {
		compat_life_unwatch(kind->object);
		if (compat_life_over(kind->object))
			free_table(kind);
	}
	mutex_unlock(&kinds_lock);
}

static struct storage_kind *kind_of(u32 map_type)
{
	switch (map_type) {
	case BPF_MAP_TYPE_TASK_STORAGE:
		return &kinds[COMPAT_TASK];
	case BPF_MAP_TYPE_SK_STORAGE:
		return &kinds[COMPAT_SOCK];
	default:
		return &kinds[COMPAT_INODE];
	}
}

static struct bc_map *storage_alloc(const union bpf_attr *attr)
{
	struct bc_storage_map *smap = bc_map_new(attr, sizeof(*smap));
	int err;

	if (!smap)
		return ERR_PTR(-ENOMEM);
	smap->kind = kind_of(attr->map_type);
	err = kind_get(smap->kind);
	if (err)
		goto free;
	err = -EOPNOTSUPP;
	if ((attr->map_flags & BPF_F_CLONE) && attr->map_type == BPF_MAP_TYPE_SK_STORAGE && !compat_life_sees_copies()) {
		pr_info(BC_LOG "BPF_F_CLONE is refused: this kernel does not tell of sockets that are made as copies\n");
		goto put_kind;
	}
	err = bc_storage_pool_init(&smap->pool, &smap->map.obj, attr->value_size);
	if (err)
		goto put_kind;
	return &smap->map;
put_kind:
	kind_put(smap->kind);
free:
	bc_map_delete(smap, sizeof(*smap));
	return ERR_PTR(err);
}

static void take_out_all(struct bc_storage_map *smap)
{
	struct storage_kind *kind = smap->kind;
	struct bc_storage_elem **at;
	unsigned long flags;
	struct bucket *b;
	u32 i;

	for (i = 0; i < 1U << kind->bits; i++) {
		b = &kind->buckets[i];
		if (!READ_ONCE(b->first))
			continue;
		bc_syscall_enter();
		flags = bc_lock_irqsave(&b->lock);
		at = &b->first;
		while (*at) {
			if ((*at)->smap == smap)
				WRITE_ONCE(*at, (*at)->next);
			else
				at = &(*at)->next;
		}
		bc_unlock_irqrestore(&b->lock, flags);
		bc_syscall_exit();
		cond_resched();
	}
}

/* Programs on other maps, and objects that go, may be on their way past the map's elements. */
static void storage_free(struct bc_map *map)
{
	struct bc_storage_map *smap = storage_of(map);

	/* Copies for new sockets might come into buckets that were seen to. */
	WRITE_ONCE(smap->dying, true);
	bc_synchronize_sched();
	take_out_all(smap);
	bc_synchronize_sched();
	bc_storage_pool_free(&smap->pool);
	kind_put(smap->kind);
	bc_map_delete(smap, sizeof(*smap));
}

const struct bc_map_ops bc_local_storage_ops = {
	.alloc_check = storage_check,
	.alloc = storage_alloc,
	.free = storage_free,
	.lookup = bc_map_no_lookup,
	.sys_lookup = storage_sys_lookup,
	.sys_update = storage_sys_update,
	.sys_delete = storage_sys_delete,
};

/* ---- iterators ---- */

void bc_storage_hold(struct bc_map *map)
{
	bc_storage_pool_hold(&storage_of(map)->pool);
}

void bc_storage_unhold(struct bc_map *map)
{
	bc_storage_pool_unhold(&storage_of(map)->pool);
}

struct bc_storage_elem *bc_storage_walk(struct bc_map *map, struct bc_storage_pos *pos)
{
	struct bc_storage_map *smap = storage_of(map);
	struct bc_storage_elem *e;
	unsigned long flags;
	struct bucket *b;
	u32 nth;

	for (; pos->bucket < 1U << smap->kind->bits; pos->bucket++, pos->shown = 0) {
		b = &smap->kind->buckets[pos->bucket];
		if (!READ_ONCE(b->first))
			continue;
		bc_syscall_enter();
		flags = bc_lock_irqsave(&b->lock);
		for (e = b->first, nth = 0; e; e = e->next) {
			/* one that is in the table is there */
			if (e->smap == smap && e->epoch == epoch_of(smap->kind) && !compat_life_blind() && nth++ >= pos->shown &&
			    atomic_inc_not_zero((atomic_t *)&((struct sock *)e->owner)->sk_refcnt))
				break;
		}
		bc_unlock_irqrestore(&b->lock, flags);
		bc_syscall_exit();
		if (e)
			return e;
	}
	return NULL;
}
