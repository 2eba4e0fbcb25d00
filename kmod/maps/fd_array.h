/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arrays whose values are kernel objects given by fd: programs, perf events, cgroups, maps. A slot is one pointer, exchanged whole; what
 * it pointed to is let go after every program that may have seen it has ended.
 */
#ifndef BPFCOMPAT_FD_ARRAY_H
#define BPFCOMPAT_FD_ARRAY_H

#include "maps.h"

struct bc_fd_array {
	struct bc_map map;
	void **slots;
	struct mutex lock;	/* of a prog array: its slots and entries are written together */
	u64 entries[];		/* of a prog array: where tail calls enter each program's code, 0 for none */
};

static inline struct bc_fd_array *fd_array_of(const struct bc_map *map)
{
	return container_of(map, struct bc_fd_array, map);
}

/* Inside the guard. */
static inline void *fd_array_slot(struct bc_map *map, u32 index)
{
	return likely(index < map->desc.max_entries) ? READ_ONCE(fd_array_of(map)->slots[index]) : NULL;
}

/* What a perf event array's slot points to. */
struct fd_array_event {
	struct perf_event *event;
	struct file *file;	/* of the event: a reference */
	const struct file *map_file;	/* through which it was put here; compared only */
	struct fd_array_event *next;	/* among those about to be dropped */
};

/* The event in a slot, or NULL; -E2BIG past the end comes from the caller's own check of max_entries. Inside the guard. */
static inline struct perf_event *fd_array_event(struct bc_map *map, u32 index)
{
	struct fd_array_event *e = READ_ONCE(fd_array_of(map)->slots[index]);

	return e ? e->event : NULL;
}

int fd_array_check(const union bpf_attr *attr);
struct bc_map *fd_array_alloc(const union bpf_attr *attr);
/* The slots are to be empty. */
void fd_array_free(struct bc_map *map);
/* Puts @new (NULL: empties) and gives what was there, which programs may use until the next grace period ends; -E2BIG. */
int fd_array_exchange(struct bc_map *map, u32 index, void *new, void **old);

#endif
