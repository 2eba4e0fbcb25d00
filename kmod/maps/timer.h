/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers in map values: what a value holds of one, and the bodies of the helpers.
 */
#ifndef BPFCOMPAT_TIMER_H
#define BPFCOMPAT_TIMER_H

#include "maps.h"

struct bc_timer;

/* In the place of struct bpf_timer. */
struct bc_timer_value {
	struct bc_timer *timer;
	u64 unused;
};

/* All inside the guard. */
long bc_timer_init(struct bc_timer_value *at, struct bc_map *map, u64 clockid);
long bc_timer_set_callback(struct bc_timer_value *at, bc_callback callback, struct bc_prog *prog);
long bc_timer_start(struct bc_timer_value *at, u64 nsecs, u64 mode);
long bc_timer_cancel(struct bc_timer_value *at);

#endif
