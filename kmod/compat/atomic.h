/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Single accesses and ordered ones, under the names that newer kernels give them. Vanilla 3.10 has ACCESS_ONCE alone.
 */
#ifndef BPFCOMPAT_COMPAT_ATOMIC_H
#define BPFCOMPAT_COMPAT_ATOMIC_H

#ifndef READ_ONCE
#define READ_ONCE(x) (*(const volatile typeof(x) *)&(x))
#endif
#ifndef WRITE_ONCE
#define WRITE_ONCE(x, val) (*(volatile typeof(x) *)&(x) = (val))
#endif

/* Loads and stores of x86 are ordered already; elsewhere the full barrier is right, if slow. */
#ifdef CONFIG_X86
#define bc_acquire_barrier() barrier()
#else
#define bc_acquire_barrier() smp_mb()
#endif
#ifndef smp_load_acquire
#define smp_load_acquire(p) ({ typeof(*(p)) bc_v__ = READ_ONCE(*(p)); bc_acquire_barrier(); bc_v__; })
#endif
#ifndef smp_store_release
#define smp_store_release(p, v) do { bc_acquire_barrier(); WRITE_ONCE(*(p), v); } while (0)
#endif

#ifndef offsetofend
#define offsetofend(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))
#endif

#ifndef fallthrough
#if defined(__GNUC__) && __GNUC__ >= 7
#define fallthrough __attribute__((__fallthrough__))
#else
#define fallthrough do {} while (0)
#endif
#endif

#endif
