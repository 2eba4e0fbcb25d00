/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Routes and neighbours of a packet that a program would send on.
 */
#ifndef BPFCOMPAT_COMPAT_FIB_H
#define BPFCOMPAT_COMPAT_FIB_H

#include "compat.h"

struct bpf_fib_lookup;
struct net_device;

/* Is there a way? Kernels between 4.0 and 4.17 have routes of another form, and no function of their own. */
bool compat_has_fib_lookup(void);

/*
 * As bpf_fib_lookup() does for XDP: in the network of @dev, and against the MTU on the way whatever length @params have. -errno, or
 * BPF_FIB_LKUP_RET_*. Under RCU.
 */
long compat_fib_lookup(struct net_device *dev, struct bpf_fib_lookup *params, u32 size, u32 flags);

#endif
