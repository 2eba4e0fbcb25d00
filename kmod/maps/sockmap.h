/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Walking over a map of sockets, for iterators.
 */
#ifndef BPFCOMPAT_SOCKMAP_H
#define BPFCOMPAT_SOCKMAP_H

#include "maps.h"

struct sock;

/* Where the walk stands: places (SOCKMAP) or buckets (SOCKHASH) that it is through with, and sockets of the one after these. */
struct bc_sockmap_pos {
	u32 at, shown;
	const void *here, *last;	/* what stands at the position, and stood at the one before it; to be compared only */
};

/*
 * Process context. False: past the end. Else the key of the position, and the socket there with a reference: NULL for an empty place of a
 * SOCKMAP.
 */
bool bc_sockmap_at(struct bc_map *map, struct bc_sockmap_pos *pos, void *key, struct sock **sk);
void bc_sockmap_step(struct bc_map *map, struct bc_sockmap_pos *pos);

#endif
