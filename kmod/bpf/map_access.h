/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the commands on elements, one by one and in batches, share.
 */
#ifndef BPFCOMPAT_MAP_ACCESS_H
#define BPFCOMPAT_MAP_ACCESS_H

#include "../maps/maps.h"

struct bc_map_access {
	struct file *file;
	struct bc_map *map;
	bool writes;
};

/* The map behind @fd if it may be read and written as @need (FMODE_*) says: 0, -EBADF, -EINVAL, -EPERM. */
int bc_map_open(u32 fd, fmode_t need, struct bc_map_access *a);
void bc_map_close(struct bc_map_access *a);

#endif
