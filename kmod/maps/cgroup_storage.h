/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test run brings for the storage of cgroups that its program uses: one map of each of the two types at most.
 */
#ifndef BPFCOMPAT_CGROUP_STORAGE_H
#define BPFCOMPAT_CGROUP_STORAGE_H

#include "../bpf.h"

struct bc_run_storage {
	struct {
		struct bc_map *map;
		void *value;
	} of[2];
};

/* Zeroed; process context. 0 or -ENOMEM, with nothing to free then. */
int bc_run_storage_make(const struct bc_prog *prog, struct bc_run_storage *run);
void bc_run_storage_free(struct bc_run_storage *run);
/* The value of a map in this run (NULL: of no test). */
void *bc_run_storage_value(const struct bc_run_storage *run, const struct bc_map *map);

#endif
