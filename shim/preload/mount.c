// SPDX-License-Identifier: MIT
/*
 * mount(2) of type bpf: where the kernel has a file system of that name it is for the kernel's own objects, and the
 * module's goes by another. Whoever runs under this library means the module's.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>

static int shim_is_bpf(const char *type)
{
	/* The kernel reads it first, so that a bad pointer gives EFAULT and not a crash. */
	if (!type || shim_raw3(SYS_faccessat, AT_FDCWD, type, 0) == -EFAULT)
		return 0;
	return type[0] == 'b' && type[1] == 'p' && type[2] == 'f' && !type[3];
}

long shim_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data)
{
	long ret = -ENODEV;

	if (shim_is_bpf(type))
		ret = shim_raw(SYS_mount, (long)source, (long)target, (long)"bpfcompat", (long)flags, (long)data, 0);
	if (ret == -ENODEV)
		ret = shim_raw(SYS_mount, (long)source, (long)target, (long)type, (long)flags, (long)data, 0);
	return ret;
}
