/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory for generated code: near the kernel's text where the kernel has module_alloc, else from vmalloc. Pages are never writable and
 * executable at once. And what generated code must look like on this kernel and CPU.
 */
#ifndef BPFCOMPAT_COMPAT_JIT_MEMORY_H
#define BPFCOMPAT_COMPAT_JIT_MEMORY_H

#include "compat.h"

/* Writable and not executable; NULL when there is none. @size in whole pages. Process context, as all of these. */
void *compat_jit_alloc(size_t size);
/* From then on executable and read-only. 0 or a negative errno. */
int compat_jit_seal(void *p, size_t size);
/* Overwrites the code with int3 and gives the memory back; nothing may run there any more. */
void compat_jit_free(void *p, size_t size);
/* Can code be made executable here at all? */
bool compat_jit_possible(void);

struct compat_jit_traits {
	unsigned long indirect_thunk_r11;	/* or 0 */
	unsigned long return_thunk;		/* or 0 */
	bool retpolines;			/* the first is a plain one */
	bool landing_pads;
	bool has_bmi2;
};
void compat_jit_traits(struct compat_jit_traits *t);

/* Loads that may fault; see enum bc_jit_probe in exec/jit.h. jit_probe.c */
extern const unsigned long compat_jit_probes[7];
extern const unsigned long compat_jit_sock_load;

#endif
