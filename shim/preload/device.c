// SPDX-License-Identifier: MIT
/*
 * Finds the module's device, and turns bpf(2) into an ioctl on it. The only state is the number of a descriptor, and
 * that number is never trusted: the program may have closed it and opened something else there. An answer to bpf(2) says
 * by itself that it is the driver's; only where it does not, and before other requests, the descriptor is looked at.
 */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "../../kmod/uapi/bpfcompat.h"

/* Above what programs expect of the first free number, and below the usual limit of 1024; lower where the limit is. */
static const int shim_high_fd[] = { 1000, 200, 60 };

/* Descriptor and device number in one word, so that no thread sees one without the other; 0: none yet. */
static unsigned long long shim_cached;

static unsigned long long shim_pack(int fd, unsigned long rdev)
{
	return (unsigned long long)(unsigned int)rdev << 32 | (unsigned int)(fd + 1);
}

static long shim_is_device(int fd, unsigned int *rdev)
{
	struct stat st;
	long ret;

	ret = shim_raw3(SYS_fstat, fd, &st, 0);
	if (ret < 0)
		return ret;
	if (!S_ISCHR(st.st_mode))
		return -ENOTTY;
	*rdev = (unsigned int)st.st_rdev;
	return 0;
}

/* The kernel without the module is a kernel without bpf(2); where the device is forbidden, so is bpf(2). */
static long shim_open_error(long err)
{
	switch (-err) {
	case EACCES:
	case EPERM:
		return -EPERM;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EINTR:
		return err;
	default:
		return -ENOSYS;
	}
}

static long shim_open(void)
{
	struct bpfcompat_version version;
	unsigned int rdev, i;
	long fd, high;

	fd = shim_raw4(SYS_openat, AT_FDCWD, BPFCOMPAT_DEVICE, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0);
	if (fd < 0)
		return shim_open_error(fd);
	if (shim_is_device((int)fd, &rdev) ||
	    shim_raw3(SYS_ioctl, fd, BPFCOMPAT_IOC_VERSION, &version) || version.abi != BPFCOMPAT_ABI) {
		shim_raw3(SYS_close, fd, 0, 0);
		return -ENOSYS;
	}
	for (i = 0; i < sizeof(shim_high_fd) / sizeof(shim_high_fd[0]); i++) {
		high = shim_raw3(SYS_fcntl, fd, F_DUPFD_CLOEXEC, shim_high_fd[i]);
		if (high >= 0) {
			shim_raw3(SYS_close, fd, 0, 0);
			fd = high;
			break;
		}
	}
	return fd;
}

/* A descriptor of the device, opened when there is none (any more). */
long shim_device(void)
{
	unsigned long long old = __sync_fetch_and_add(&shim_cached, 0), now;
	unsigned int rdev;
	int fd = (int)(unsigned int)old - 1;
	long ret;

	if (fd >= 0 && !shim_is_device(fd, &rdev) && rdev == (unsigned int)(old >> 32))
		return fd;
	ret = shim_open();
	if (ret < 0)
		return ret;
	if (shim_is_device((int)ret, &rdev))
		return -ENOSYS;
	now = shim_pack((int)ret, rdev);
	if (!__sync_bool_compare_and_swap(&shim_cached, old, now)) {
		/* Another thread was first; but its descriptor is good only where both share a table. */
		old = __sync_fetch_and_add(&shim_cached, 0);
		fd = (int)(unsigned int)old - 1;
		if (fd != ret && !shim_is_device(fd, &rdev) && rdev == (unsigned int)(old >> 32)) {
			shim_raw3(SYS_close, ret, 0, 0);
			return fd;
		}
	}
	return ret;
}

long shim_device_ioctl(unsigned long request, const void *arg)
{
	long fd = shim_device();

	return fd < 0 ? fd : shim_raw3(SYS_ioctl, fd, request, arg);
}

long shim_bpf(unsigned int cmd, const void *attr, unsigned int size)
{
	unsigned long request = BPFCOMPAT_BPF_SERVED(cmd, size);
	unsigned long long cached = __sync_fetch_and_add(&shim_cached, 0);
	int fd = (int)(unsigned int)cached - 1;
	unsigned int rdev;
	long ret;

	if (fd >= 0) {
		ret = shim_raw3(SYS_ioctl, fd, request, attr);
		if (ret >= BPFCOMPAT_SERVED_MIN)
			return ret - BPFCOMPAT_SERVED;
		/* The device's all the same: an interrupted call, or an older driver. It must not be made twice. */
		if (!shim_is_device(fd, &rdev) && rdev == (unsigned int)(cached >> 32))
			return ret;
	}
	ret = shim_device_ioctl(request, attr);
	return ret >= BPFCOMPAT_SERVED_MIN ? ret - BPFCOMPAT_SERVED : ret;
}
