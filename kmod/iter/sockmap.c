// SPDX-License-Identifier: GPL-2.0-only
/*
 * The target "sockmap": the places of one SOCKMAP, empty ones too, or the sockets of one SOCKHASH, with their keys.
 */
#include "iter.h"
#include "../maps/sockmap.h"
#include <net/sock.h>

/* Is itself what is shown: a place has nothing else that always is there. */
struct cursor {
	struct bc_sockmap_pos pos;
	struct sock *sk;	/* a reference, while shown; NULL: an empty place */
	void *key;
};

static struct cursor *cursor_of(struct bc_iter_session *s)
{
	return (struct cursor *)s->cursor;
}

static size_t key_bytes(const struct bc_iter_session *s)
{
	return round_up(s->aim.map->desc.key_size, 8);
}

static int sockmap_attach(const union bpf_iter_link_info *info, struct bc_iter_aim *aim)
{
	struct bc_map *map;

	if (!info->map.map_fd)
		return -EBADF;
	map = bc_map_get_fd(info->map.map_fd);
	if (IS_ERR(map))
		return PTR_ERR(map);
	if (map->desc.type != BPF_MAP_TYPE_SOCKMAP && map->desc.type != BPF_MAP_TYPE_SOCKHASH) {
		bc_map_put(map);
		return -EINVAL;
	}
	bc_map_uref_get(map);
	aim->map = map;
	return 0;
}

/* Programs behind a tail call may reach further than the one that is known here. (Linux 6.1 lets them.) */
static int sockmap_check_prog(const struct bc_prog *prog, const struct bc_iter_aim *aim)
{
	return prog->v.has_tail_call || prog->v.max_rdonly_access > aim->map->desc.key_size ? -EACCES : 0;
}

static int sockmap_open(struct bc_iter_session *s)
{
	cursor_of(s)->key = bc_alloc(NULL, key_bytes(s));
	return cursor_of(s)->key ? 0 : -ENOMEM;
}

static void sockmap_close(struct bc_iter_session *s)
{
	bc_free(NULL, cursor_of(s)->key, key_bytes(s));
}

static void *sockmap_start(struct bc_iter_session *s)
{
	struct cursor *c = cursor_of(s);

	return bc_sockmap_at(s->aim.map, &c->pos, c->key, &c->sk) ? c : NULL;
}

static void sockmap_stop(struct bc_iter_session *s, void *obj)
{
	struct cursor *c = obj;

	if (c->sk)
		sock_put(c->sk);
	c->sk = NULL;
}

static void *sockmap_next(struct bc_iter_session *s, void *obj)
{
	sockmap_stop(s, obj);
	bc_sockmap_step(s->aim.map, &cursor_of(s)->pos);
	return sockmap_start(s);
}

static struct sock *sockmap_sock(struct bc_iter_session *s, void *obj)
{
	return cursor_of(s)->sk;
}

static int sockmap_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	struct cursor *c = obj;
	void *map;

	map = bc_shadow_map(s, s->aim.map);
	if (IS_ERR(map))
		return PTR_ERR(map);
	words[0] = (unsigned long)map;
	if (!c)
		return 0;
	words[1] = (unsigned long)c->key;
	words[2] = (unsigned long)c->sk;
	return 0;
}

const struct bc_iter_target_ops bc_iter_sockmap = {
	.name = "sockmap",
	.cursor_bytes = sizeof(struct cursor),
	.attach = sockmap_attach,
	.check_prog = sockmap_check_prog,
	.open = sockmap_open,
	.close = sockmap_close,
	.start = sockmap_start,
	.next = sockmap_next,
	.stop = sockmap_stop,
	.sock = sockmap_sock,
	.fill = sockmap_fill,
	.fill_info = bc_iter_map_fill_info,
	.show_fdinfo = bc_iter_map_show_fdinfo,
};
