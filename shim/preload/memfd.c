// SPDX-License-Identifier: MIT
/*
 * memfd_create(2) for kernels before 3.17: newer libbpf holds each map's place with one until the map exists, and gives
 * up without it. An unlinked file on a tmpfs is the same thing but for sealing.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <time.h>

#define SHIM_MFD_CLOEXEC	1U
#define SHIM_MFD_ALLOW_SEALING	2U
#define SHIM_MFD_NAME_MAX	249
#define SHIM_MFD_TRIES		64

/* The first is a tmpfs on every usual system; on the others the file may reach a disk. */
static const char *const shim_dirs[] = { "/dev/shm", "/run", "/tmp", "/var/tmp" };

static unsigned int shim_sequence;

static char *shim_put_hex(char *to, unsigned long long value)
{
	int shift;

	for (shift = 60; shift >= 0; shift -= 4)
		*to++ = "0123456789abcdef"[value >> shift & 15];
	return to;
}

static char *shim_put(char *to, const char *text)
{
	while (*text)
		*to++ = *text++;
	return to;
}

static long shim_unlinked(const char *dir, int cloexec)
{
	struct timespec now = { 0, 0 };
	char path[96], *end;
	long fd = -EEXIST;
	int tries;

	for (tries = 0; fd == -EEXIST && tries < SHIM_MFD_TRIES; tries++) {
		shim_raw3(SYS_clock_gettime, CLOCK_MONOTONIC, &now, 0);
		end = shim_put(path, dir);
		end = shim_put(end, "/.bpfcompat-memfd-");
		end = shim_put_hex(end, (unsigned long long)shim_raw3(SYS_gettid, 0, 0, 0) << 32 |
						__sync_fetch_and_add(&shim_sequence, 1));
		end = shim_put_hex(end, (unsigned long long)now.tv_nsec);
		*end = '\0';
		fd = shim_raw4(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | cloexec, 0700);
		if (fd >= 0)
			shim_raw3(SYS_unlinkat, AT_FDCWD, path, 0);
	}
	return fd;
}

/* The kernel reads the name, so that a bad pointer gives EFAULT and not a crash; its length is checked after. */
static long shim_name_error(const char *name)
{
	long ret = shim_raw3(SYS_faccessat, AT_FDCWD, name, 0);
	unsigned int len;

	if (ret == -EFAULT)
		return ret;
	if (ret == -ENAMETOOLONG)
		return -EINVAL;
	for (len = 0; len <= SHIM_MFD_NAME_MAX; len++) {
		if (!name[len])
			return 0;
	}
	return -EINVAL;
}

long shim_memfd_create(const char *name, unsigned int flags)
{
	long fd = shim_raw3(SYS_memfd_create, name, flags, 0);
	unsigned int i;

	if (fd != -ENOSYS)
		return fd;
	if (flags & ~(SHIM_MFD_CLOEXEC | SHIM_MFD_ALLOW_SEALING))
		return -EINVAL;
	fd = shim_name_error(name);
	if (fd)
		return fd;
	for (i = 0; i < sizeof(shim_dirs) / sizeof(shim_dirs[0]); i++) {
		fd = shim_unlinked(shim_dirs[i], flags & SHIM_MFD_CLOEXEC ? O_CLOEXEC : 0);
		if (fd >= 0 || fd == -EMFILE || fd == -ENFILE)
			return fd;
	}
	return -ENOSYS;
}
