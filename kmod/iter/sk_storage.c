// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "bpf_sk_storage_map": the sockets that have storage in one map, with it. A program may write to the value, in place, unless
 * that holds a lock: then it gets a copy.
 */
#include "iter.h"
#include "../maps/local_storage.h"
#include <net/sock.h>

struct cursor {
	struct bc_storage_pos pos;
	void *copy;		/* of a value with a lock, which programs must not touch */
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static size_t copy_bytes(const struct bc_iter_session *s)
{
	return round_up(s->aim.map->desc.value_size, 8);
}

static int storage_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim)
{
	struct bc_map *map;

	if (!info->map.map_fd)
		return -EBADF;
	map = bc_map_get_fd(info->map.map_fd);
	if (IS_ERR(map))
		return PTR_ERR(map);
	if (map->desc.type != BPF_MAP_TYPE_SK_STORAGE) {
		bc_map_put(map);
		return -EINVAL;
	}
	bc_map_uref_get(map);
	aim->map = map;
	return 0;
}

/* Programs behind a tail call may reach further than the one that is known here. (Linux 6.1 lets them.) */
static int storage_check_prog(const struct bc_prog *prog, const struct bc_iter_aim *aim)
{
	return prog->v.has_tail_call || prog->v.max_rdwr_access > aim->map->desc.value_size ? -EACCES : 0;
}

static int storage_open(struct bc_iter_session *s)
{
	if (!bc_map_has_lock(s->aim.map))
		return 0;
	cursor_of(s)->copy = bc_alloc(NULL, copy_bytes(s));
	return cursor_of(s)->copy ? 0 : -ENOMEM;
}

static void storage_close(struct bc_iter_session *s)
{
	bc_free(NULL, cursor_of(s)->copy, copy_bytes(s));
}

/* Between start() and its end no element is used again. */
static void *walk(struct bc_iter_session *s)
{
	struct bc_storage_elem *e = bc_storage_walk(s->aim.map, &cursor_of(s)->pos);

	if (!e)
		bc_storage_unhold(s->aim.map);
	return e;
}

static void *storage_start(struct bc_iter_session *s)
{
	bc_storage_hold(s->aim.map);
	return walk(s);
}

static void put_socket(struct bc_storage_elem *e)
{
	sock_put((struct sock *)e->owner);
}

static void *storage_next(struct bc_iter_session *s, void *obj)
{
	cursor_of(s)->pos.shown++;
	put_socket(obj);
	return walk(s);
}

static void storage_stop(struct bc_iter_session *s, void *obj)
{
	put_socket(obj);
	bc_storage_unhold(s->aim.map);
}

static struct sock *storage_sock(struct bc_iter_session *s, void *obj)
{
	return (struct sock *)((struct bc_storage_elem *)obj)->owner;
}

static int storage_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	struct bc_storage_elem *e = obj;
	struct cursor *c = cursor_of(s);
	void *map, *value;

	map = bc_shadow_map(s, s->aim.map);
	if (IS_ERR(map))
		return PTR_ERR(map);
	words[0] = (unsigned long)map;
	if (!e)
		return 0;
	value = e->value;
	if (c->copy) {
		bc_syscall_enter();
		bc_map_copy_value_locked(s->aim.map, c->copy, value, true);
		bc_syscall_exit();
		bc_map_init_value(s->aim.map, c->copy);
		value = c->copy;
	}
	words[1] = (unsigned long)e->owner;
	words[2] = (unsigned long)value;
	return 0;
}

const struct bc_iter_target_ops bc_iter_sk_storage_map = {
	.name = "bpf_sk_storage_map",
	.cursor_bytes = sizeof(struct cursor),
	.attach = storage_attach,
	.check_prog = storage_check_prog,
	.open = storage_open,
	.close = storage_close,
	.start = storage_start,
	.next = storage_next,
	.stop = storage_stop,
	.fill = storage_fill,
	.sock = storage_sock,
	.fill_info = bc_iter_map_fill_info,
	.show_fdinfo = bc_iter_map_show_fdinfo,
};
