// SPDX-License-Identifier: MIT
/*
 * The functions of libc that this library stands in front of: syscall(), ioctl(), memfd_create() and mount(). What is not ours
 * goes to the kernel with the same registers. libc's headers are left out where they would declare them variadic: with
 * six named arguments the calling convention is the same, and all six are passed on exactly.
 */
#include "preload.h"

#include <errno.h>

#define SHIM_EXPORT __attribute__((visibility("default")))

SHIM_EXPORT long syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6);
SHIM_EXPORT int ioctl(int fd, unsigned long request, void *arg);
SHIM_EXPORT int memfd_create(const char *name, unsigned int flags);
SHIM_EXPORT int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

static inline long shim_result(long ret)
{
	if (ret >= 0 || ret < -4095)
		return ret;
	errno = (int)-ret;
	return -1;
}

long syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	switch (nr) {
	case SYS_bpf:
		return shim_result(shim_bpf((unsigned int)a1, (const void *)a2, (unsigned int)a3));
	case SYS_perf_event_open:
		return shim_result(
			shim_perf_event_open((const void *)a1, (int)a2, (int)a3, (int)a4, (unsigned long)a5));
	case SYS_ioctl:
		return shim_result(shim_ioctl((int)a1, (unsigned long)a2, (void *)a3));
	case SYS_memfd_create:
		return shim_result(shim_memfd_create((const char *)a1, (unsigned int)a2));
	case SYS_mount:
		return shim_result(shim_mount((const char *)a1, (const char *)a2, (const char *)a3, (unsigned long)a4,
					      (const void *)a5));
	default:
		return shim_result(shim_raw(nr, a1, a2, a3, a4, a5, a6));
	}
}

int ioctl(int fd, unsigned long request, void *arg)
{
	return (int)shim_result(shim_ioctl(fd, request, arg));
}

int memfd_create(const char *name, unsigned int flags)
{
	return (int)shim_result(shim_memfd_create(name, flags));
}

int mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
	return (int)shim_result(shim_mount(source, target, type, flags, data));
}
