/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The lock inside a map value (struct bpf_spin_lock, 4 bytes): 0 free, 1 held. Taken by programs (bpf_spin_lock) and by system calls
 * with BPF_F_LOCK, always inside the per-CPU guard: what interrupts the holder on its CPU can therefore never want the lock,
 * and interrupts stay on.
 */
#ifndef BPFCOMPAT_VALUE_LOCK_H
#define BPFCOMPAT_VALUE_LOCK_H

#include "../bpf.h"

static inline void bc_value_lock(struct bpf_spin_lock *lock)
{
	while (unlikely(xchg(&lock->val, 1))) {
		while (*(volatile u32 *)&lock->val)
			cpu_relax();
	}
}

static inline void bc_value_unlock(struct bpf_spin_lock *lock)
{
	smp_mb();
	*(volatile u32 *)&lock->val = 0;
}

#endif
