/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock of an address space's mappings, as programs may take it: without waiting, to be given back by an interrupt where it must not be
 * given back at once.
 */
#ifndef BPFCOMPAT_COMPAT_MMAP_LOCK_H
#define BPFCOMPAT_COMPAT_MMAP_LOCK_H

#include <linux/mm.h>
#include <linux/rwsem.h>

#ifdef HAVE_MMAP_LOCK
#include <linux/mmap_lock.h>
#define COMPAT_MMAP_SEM(mm) (&(mm)->mmap_lock)
#else
#define COMPAT_MMAP_SEM(mm) (&(mm)->mmap_sem)
#endif

static inline bool compat_mmap_read_trylock(struct mm_struct *mm)
{
	return down_read_trylock(COMPAT_MMAP_SEM(mm));
}

static inline void compat_mmap_read_unlock(struct mm_struct *mm)
{
	up_read(COMPAT_MMAP_SEM(mm));
}

/* In two steps: lockdep is told by whom it was taken, */
static inline void compat_mmap_read_disown(struct mm_struct *mm)
{
#ifdef HAVE_RWSEM_RELEASE_NESTED
	rwsem_release(&COMPAT_MMAP_SEM(mm)->dep_map, 1, _RET_IP_);
#else
	rwsem_release(&COMPAT_MMAP_SEM(mm)->dep_map, _RET_IP_);
#endif
}

/* and somebody else gives it back. */
static inline void compat_mmap_read_unlock_disowned(struct mm_struct *mm)
{
	up_read_non_owner(COMPAT_MMAP_SEM(mm));
}

#endif
