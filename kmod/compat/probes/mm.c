/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of address spaces. */
#include <linux/module.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <linux/rwsem.h>
#include <linux/lockdep.h>
#ifdef HAVE_LINUX_MMAP_LOCK_H
#include <linux/mmap_lock.h>
#endif

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_MMAP_LOCK"
static inline void *probe_mmap_lock(struct mm_struct *mm) { return &mm->mmap_lock; }

#line 1 "HAVE_RWSEM_RELEASE_NESTED"
static inline void probe_rwsem_release(struct mm_struct *mm) { rwsem_release(&mm->mmap_sem.dep_map, 1, _RET_IP_); }
