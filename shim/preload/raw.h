/* SPDX-License-Identifier: MIT */
/*
 * System calls made directly, without libc's syscall(), which this library replaces. Results are the kernel's own:
 * negative errno on failure. A unit test may supply its own kernel by defining SHIM_FAKE_KERNEL.
 */
#ifndef SHIM_RAW_H
#define SHIM_RAW_H

#include <sys/syscall.h>

/* The headers of a CentOS 7 host lack some of these. */
#if defined(__x86_64__)
#ifndef SYS_memfd_create
#define SYS_memfd_create 319
#endif
#ifndef SYS_bpf
#define SYS_bpf 321
#endif
#endif

#ifdef SHIM_FAKE_KERNEL
long shim_raw(long nr, long a1, long a2, long a3, long a4, long a5, long a6);
#elif defined(__x86_64__)
static inline long shim_raw(long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	register long r10 __asm__("r10") = a4;
	register long r8 __asm__("r8") = a5;
	register long r9 __asm__("r9") = a6;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a1), "S"(a2), "d"(a3), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}
#elif defined(__aarch64__)
static inline long shim_raw(long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	register long x8 __asm__("x8") = nr;
	register long x0 __asm__("x0") = a1;
	register long x1 __asm__("x1") = a2;
	register long x2 __asm__("x2") = a3;
	register long x3 __asm__("x3") = a4;
	register long x4 __asm__("x4") = a5;
	register long x5 __asm__("x5") = a6;

	__asm__ volatile("svc 0"
			 : "+r"(x0)
			 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
			 : "memory");
	return x0;
}
#else
#error "no system call sequence for this architecture"
#endif

#define shim_raw3(nr, a, b, c) shim_raw(nr, (long)(a), (long)(b), (long)(c), 0, 0, 0)
#define shim_raw4(nr, a, b, c, d) shim_raw(nr, (long)(a), (long)(b), (long)(c), (long)(d), 0, 0)

#endif
