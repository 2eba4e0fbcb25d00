/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of fields that older kernels keep in another unit or another struct. */
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/time.h>
#include <net/sock.h>

#define SAME_TYPE(a, b) typedef char probe_same_type[__builtin_types_compatible_p(a, b) ? 1 : -1]

#line 1 "BASELINE"
static inline void probe_virtual_baseline(void) { might_sleep(); }

#line 1 "HAVE_START_TIME_TIMESPEC"
static inline void probe_start(struct task_struct *t) { SAME_TYPE(typeof(t->start_time), struct timespec); }

#line 1 "HAVE_SKC_V6_DADDR"
static inline void *probe_v6(struct sock *sk) { return &sk->__sk_common.skc_v6_daddr; }

#line 1 "HAVE_SLUB_RED_LEFT_PAD"
static inline int probe_pad(struct kmem_cache *cache) { return cache->red_left_pad; }
