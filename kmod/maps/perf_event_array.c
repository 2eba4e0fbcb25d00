// SPDX-License-Identifier: GPL-2.0-only
/*
 * Arrays of perf events: perf buffers, and counters that programs read. A slot holds the event's file; it is emptied when the fd
 * through which it was filled goes, unless the map was made with BPF_F_PRESERVE_ELEMS.
 */
#include "fd_array.h"
#include "../compat/perf.h"

static void drop(struct fd_array_event *e)
{
	fput(e->file);
	kfree(e);
}

static int set_slot(struct bc_map *map, u32 index, struct fd_array_event *new)
{
	void *old = NULL;
	int err = fd_array_exchange(map, index, new, &old);

	if (err)
		return err;
	if (old) {
		bc_synchronize_sched();
		drop(old);
	} else if (!new) {
		return -ENOENT;
	}
	return 0;
}

/* The event behind a file: -EBADF for another kind; -EOPNOTSUPP for one that counts children as well, which no program can read. */
static struct perf_event *event_of_file(struct file *file)
{
	struct perf_event *event = file->private_data;

	if (!bc_perf_is_event_file(file))
		return ERR_PTR(-EBADF);
	return event->attr.inherit ? ERR_PTR(-EOPNOTSUPP) : event;
}

static int event_array_sys_update(struct bc_map *map, struct file *map_file, const void *key, const void *value, u64 flags)
{
	u32 index = *(const u32 *)key;
	struct perf_event *event;
	struct fd_array_event *e;
	struct file *file;
	int err;

	if (flags != BPF_ANY)
		return -EINVAL;
	if (index >= map->desc.max_entries)
		return -E2BIG;
	file = fget(*(const u32 *)value);
	if (!file)
		return -EBADF;
	event = event_of_file(file);
	if (IS_ERR(event)) {
		fput(file);
		return PTR_ERR(event);
	}
	e = kzalloc(sizeof(*e), GFP_KERNEL);
	if (!e) {
		fput(file);
		return -ENOMEM;
	}
	e->event = event;
	e->file = file;
	e->map_file = map_file;
	err = set_slot(map, index, e);
	if (err)
		drop(e);
	return err;
}

static int event_array_sys_delete(struct bc_map *map, const void *key)
{
	return set_slot(map, *(const u32 *)key, NULL);
}

static void event_array_release_file(struct bc_map *map, const struct file *map_file)
{
	struct fd_array_event *e, *gone = NULL;
	void *old;
	u32 i;

	if (map->desc.flags & BPF_F_PRESERVE_ELEMS)
		return;
	for (i = 0; i < map->desc.max_entries; i++) {
		bc_syscall_enter();
		e = fd_array_slot(map, i);
		old = e && e->map_file == map_file ? xchg(&fd_array_of(map)->slots[i], NULL) : NULL;
		bc_syscall_exit();
		if (old) {
			((struct fd_array_event *)old)->next = gone;
			gone = old;
		}
	}
	/* one grace period for all */
	if (gone)
		bc_synchronize_sched();
	while ((e = gone)) {
		gone = e->next;
		drop(e);
	}
}

static void event_array_free(struct bc_map *map)
{
	u32 i;

	for (i = 0; i < map->desc.max_entries; i++) {
		if (fd_array_of(map)->slots[i])
			drop(fd_array_of(map)->slots[i]);
	}
	fd_array_free(map);
}

const struct bc_map_ops bc_perf_event_array_ops = {
	.alloc_check = fd_array_check,
	.alloc = fd_array_alloc,
	.free = event_array_free,
	.release_file = event_array_release_file,
	.lookup = bc_map_no_lookup,
	.sys_update_file = event_array_sys_update,
	.sys_delete = event_array_sys_delete,
	.sys_next_key = bc_array_next_key,
};
