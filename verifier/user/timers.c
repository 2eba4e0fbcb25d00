/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers of the user-space library: those that a run has started expire when the program is over, one after the other, in the run's own
 * area. What they are is kept beside the map values that hold them.
 */
#include "lib.h"

#include <string.h>

#define MOST_EXPIRED 8	/* in one run: a callback may start its timer again */

/* Is it the place of a timer in a value? */
static bool is_place(const struct bcu_map *m, u64 at)
{
	u64 off = at - (unsigned long)m->values;

	return m->desc.timer_off >= 0 && off < (u64)m->value_stride * m->desc.max_entries && off % m->value_stride == (u64)m->desc.timer_off;
}

static void violation(const char *what)
{
	bcu_cur->run->mem_violations++;
	if (!bcu_cur->run->message[0])
		scnprintf(bcu_cur->run->message, sizeof(bcu_cur->run->message), "%s", what);
}

/* What was initialised there. */
static struct bcu_timer *find(u64 at)
{
	struct bcu_timer *t = bcu_cur->timers;
	u32 i;

	for (i = 0; i < BCU_OBJECTS; i++)
		if (bcu_cur->objs[i].kind == BCU_MAP && is_place(bcu_cur->objs[i].ptr, at))
			break;
	if (i == BCU_OBJECTS)
		violation("a helper was given a timer that is none");
	for (; t < bcu_cur->timers + bcu_cur->timer_cnt; t++)
		if (t->at == at)
			return t;
	return NULL;
}

u64 bcu_timer_init(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_timer *t;

	(void)r4;
	(void)r5;
	/* CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME */
	if (r3 != 0 && r3 != 1 && r3 != 7)
		return (u64)-EINVAL;
	if (find(r1))
		return (u64)-EBUSY;
	if (bcu_cur->timer_cnt == BCU_TIMERS)
		return (u64)-ENOMEM;
	t = &bcu_cur->timers[bcu_cur->timer_cnt];
	memset(t, 0, sizeof(*t));
	t->at = r1;
	t->map = (struct bcu_map *)(unsigned long)r2;
	if (!is_place(t->map, r1)) {
		violation("a timer was initialised for another map than that which holds it");
		return (u64)-EINVAL;
	}
	bcu_cur->timer_cnt++;
	return 0;
}

u64 bcu_timer_set_callback(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_timer *t = find(r1);

	(void)r3;
	(void)r4;
	(void)r5;
	if (!t)
		return (u64)-EINVAL;
	t->callback = r2;
	t->has_callback = true;
	return 0;
}

u64 bcu_timer_start(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_timer *t = find(r1);

	(void)r2;
	(void)r4;
	(void)r5;
	if (r3 || !t || !t->has_callback)
		return (u64)-EINVAL;
	t->started = true;
	return 0;
}

u64 bcu_timer_cancel(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct bcu_timer *t = find(r1);
	bool was;

	(void)r2;
	(void)r3;
	(void)r4;
	(void)r5;
	if (!t)
		return (u64)-EINVAL;
	was = t->started;
	t->started = false;
	return was;
}

static void expire(struct bcu *w, struct bcu_timer *t)
{
	const struct bc_map_desc *desc = &t->map->desc;
	u64 value = t->at - (u64)desc->timer_off, key;

	w->index[0] = (u32)((value - (unsigned long)t->map->values) / t->map->value_stride);
	key = (unsigned long)w->index;
	if (desc->type != BPF_MAP_TYPE_ARRAY)
		key = (unsigned long)(t->map->data + (size_t)t->map->key_stride * w->index[0]);
	t->started = false;
	/* by itself: nothing of the program that set it is there any more */
	w->index_depth = 1;
	w->frame_cnt = 0;
	w->dynptr_cnt = 0;
	w->next_insn = -1;
	w->area.used = 0;
	w->area.prog = &w->running->exec;
	w->jit_cpu.frame_top = (unsigned long)w->area.stack;
	if (bcu_callback(t->callback, (unsigned long)desc, key, value, 0, 0))
		violation("a timer's callback returned another number than 0");
	w->area.prog = NULL;
}

void bcu_timers_expire(struct bcu *w)
{
	u32 i, left = MOST_EXPIRED;

	for (i = 0; i < w->timer_cnt; i++) {
		if (!w->timers[i].started || !left)
			continue;
		left--;
		expire(w, &w->timers[i]);
		i = U32_MAX;	/* from the first again: it may have started any */
	}
}
