// SPDX-License-Identifier: GPL-2.0-only
/*
 * The targets "bpf_map", "bpf_prog" and "bpf_link": the module's own objects, by id, as Linux lays them out. What another bpf(2) of the
 * kernel's own may hold is not seen.
 */
#include "iter.h"

struct cursor {
	u32 id;
};

static void *find(struct bc_iter_session *s, enum bc_obj_kind kind)
{
	struct cursor *c = (struct cursor *)s->cursor;
	struct bc_object *obj;

	while (!(obj = bc_object_by_id(kind, c->id))) {
		c->id = bc_object_next_id(kind, c->id);
		if (!c->id) {
			c->id = U32_MAX;	/* past all */
			return NULL;
		}
	}
	return obj;
}

static void *find_behind(struct bc_iter_session *s, enum bc_obj_kind kind)
{
	((struct cursor *)s->cursor)->id++;
	return find(s, kind);
}

/* ---- maps ---- */

static void map_stop(struct bc_iter_session *s, void *obj)
{
	bc_map_put(container_of(obj, struct bc_map, obj));
}

static void *map_start(struct bc_iter_session *s)
{
	return find(s, BC_OBJ_MAP);
}

static void *map_next(struct bc_iter_session *s, void *obj)
{
	map_stop(s, obj);
	return find_behind(s, BC_OBJ_MAP);
}

static int give(void *shadow, u64 *word)
{
	if (IS_ERR(shadow))
		return PTR_ERR(shadow);
	*word = (unsigned long)shadow;
	return 0;
}

static int map_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	return obj ? give(bc_shadow_map(s, container_of(obj, struct bc_map, obj)), words) : 0;
}

const struct bc_iter_target_ops bc_iter_bpf_map = {
	.name = "bpf_map",
	.cursor_bytes = sizeof(struct cursor),
	.start = map_start,
	.next = map_next,
	.stop = map_stop,
	.fill = map_fill,
};

/* ---- programs ---- */

static void prog_stop(struct bc_iter_session *s, void *obj)
{
	bc_prog_put(container_of(obj, struct bc_prog, obj));
}

static void *prog_start(struct bc_iter_session *s)
{
	return find(s, BC_OBJ_PROG);
}

static void *prog_next(struct bc_iter_session *s, void *obj)
{
	prog_stop(s, obj);
	return find_behind(s, BC_OBJ_PROG);
}

static int prog_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	return obj ? give(bc_shadow_prog(s, container_of(obj, struct bc_prog, obj)), words) : 0;
}

const struct bc_iter_target_ops bc_iter_bpf_prog = {
	.name = "bpf_prog",
	.cursor_bytes = sizeof(struct cursor),
	.start = prog_start,
	.next = prog_next,
	.stop = prog_stop,
	.fill = prog_fill,
};

/* ---- links ---- */

static void link_stop(struct bc_iter_session *s, void *obj)
{
	bc_link_put(container_of(obj, struct bc_link, obj));
}

static void *link_start(struct bc_iter_session *s)
{
	return find(s, BC_OBJ_LINK);
}

static void *link_next(struct bc_iter_session *s, void *obj)
{
	link_stop(s, obj);
	return find_behind(s, BC_OBJ_LINK);
}

static int link_fill(struct bc_iter_session *s, void *obj, u64 *words)
{
	return obj ? give(bc_shadow_link(s, container_of(obj, struct bc_link, obj)), words) : 0;
}

const struct bc_iter_target_ops bc_iter_bpf_link = {
	.name = "bpf_link",
	.cursor_bytes = sizeof(struct cursor),
	.start = link_start,
	.next = link_next,
	.stop = link_stop,
	.fill = link_fill,
};
