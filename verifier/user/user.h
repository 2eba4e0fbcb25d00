/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user-space library offers beside verifier.h, btf.h and exec.h; bound to Python by build_ffi.py.
 */
#ifndef BPFCOMPAT_USER_H
#define BPFCOMPAT_USER_H

#include "../port.h"

/* Makes the allocation after @after more ones fail, once; -1 switches it off. */
void bc_user_fail_alloc(s64 after);
/* Blocks allocated through port.h and not freed yet. */
u64 bc_user_live_blocks(void);

#endif
