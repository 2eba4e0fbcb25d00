// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "bpf_map_elem": the elements of one map, by key and value. A program may write to the value, in place, unless that is one of a
 * per-CPU map, or holds what programs must not touch: then it gets a copy.
 */
#include "iter.h"
#include "../maps/maps.h"

struct cursor {
	struct bc_map_pos pos;
	void *copy;		/* of a value, as system calls see it */
	size_t copy_bytes;
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static bool is_percpu(const struct bc_map *map)
{
	switch (map->desc.type) {
	case BPF_MAP_TYPE_PERCPU_ARRAY:
	case BPF_MAP_TYPE_PERCPU_HASH:
	case BPF_MAP_TYPE_LRU_PERCPU_HASH:
		return true;
	default:
		return false;
	}
}

static bool is_plain(const struct bc_map *map)
{
	switch (map->desc.type) {
	case BPF_MAP_TYPE_ARRAY:
	case BPF_MAP_TYPE_HASH:
	case BPF_MAP_TYPE_LRU_HASH:
		return true;
	default:
		return false;
	}
}

/*
 * Linux lets programs write to these in place. Here they write to a copy: what the verifier knows of a constant map, of locks, timers
 * and pointers in a value would not hold otherwise.
 */
static bool is_guarded(const struct bc_map *map)
{
	return (map->desc.flags & BPF_F_RDONLY_PROG) || bc_map_has_lock(map) || bc_map_has_timer(map) || map->desc.kptr_cnt;
}

static int elem_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim)
{
	struct bc_map *map;

	if (!info->map.map_fd)
		return -EBADF;
	map = bc_map_get_fd(info->map.map_fd);
	if (IS_ERR(map))
		return PTR_ERR(map);
	if (!is_plain(map) && !is_percpu(map)) {
		bc_map_put(map);
		return -EINVAL;
	}
	bc_map_uref_get(map);
	aim->map = map;
	return 0;
}

/* Programs behind a tail call may reach further than the one that is known here. (Linux 6.1 lets them.) */
static int elem_check_prog(const struct bc_prog *prog, const struct bc_iter_aim *aim)
{
	if (prog->v.has_tail_call || prog->v.max_rdonly_access > aim->map->desc.key_size ||
	    prog->v.max_rdwr_access > bc_map_sys_value_size(aim->map))
		return -EACCES;
	return 0;
}

static int elem_open(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);

	if (!is_percpu(s->aim.map) && !is_guarded(s->aim.map))
		return 0;
	/* copied in words */
	c->copy_bytes = round_up(bc_map_sys_value_size(s->aim.map), 8);
	c->copy = bc_alloc(NULL, c->copy_bytes);
	return c->copy ? 0 : -ENOMEM;
}

static void elem_close(struct bc_iter_session *s)
{
	bc_free(NULL, cursor_of(s)->copy, cursor_of(s)->copy_bytes);
}

static void *elem_start(struct bc_iter_session *s)
{
	return s->aim.map->ops->walk(s->aim.map, &cursor_of(s)->pos, NULL);
}

static void *elem_next(struct bc_iter_session *s, void *elem)
{
	return s->aim.map->ops->walk(s->aim.map, &cursor_of(s)->pos, elem);
}

static void elem_stop(struct bc_iter_session *s, void *elem)
{
}

static int elem_fill(struct bc_iter_session *s, void *elem, u64 *words)
{
	struct cursor *c = cursor_of(s);
	void *map, *key, *value;

	map = bc_shadow_map(s, s->aim.map);
	if (IS_ERR(map))
		return PTR_ERR(map);
	words[0] = (unsigned long)map;
	if (!elem)
		return 0;
	s->aim.map->ops->walk_elem(s->aim.map, &c->pos, elem, c->copy, &key, &value);
	words[1] = (unsigned long)key;
	words[2] = (unsigned long)value;
	return 0;
}

const struct bc_iter_target_ops bc_iter_bpf_map_elem = {
	.name = "bpf_map_elem",
	.cursor_bytes = sizeof(struct cursor),
	.attach = elem_attach,
	.check_prog = elem_check_prog,
	.open = elem_open,
	.close = elem_close,
	.start = elem_start,
	.next = elem_next,
	.stop = elem_stop,
	.fill = elem_fill,
	.fill_info = bc_iter_map_fill_info,
	.show_fdinfo = bc_iter_map_show_fdinfo,
};
