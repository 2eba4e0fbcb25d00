// SPDX-License-Identifier: MIT
/* Perf events: the flag that old kernels refuse, and the ioctl that hands a program to an event, which is the module's. */
#include "preload.h"

#include <errno.h>
#include <fcntl.h>

#include "../../kmod/uapi/bpfcompat.h"

/* linux/perf_event.h of 3.10 has neither. */
#define SHIM_PERF_FLAG_FD_CLOEXEC	(1UL << 3)
#define SHIM_PERF_IOC_SET_BPF		_IOW('$', 8, __u32)

static const char shim_perf_link[] = "anon_inode:[perf_event]";

long shim_perf_event_open(const void *attr, int pid, int cpu, int group, unsigned long flags)
{
	long fd = shim_raw(SYS_perf_event_open, (long)attr, pid, cpu, group, (long)flags, 0);

	if (fd != -EINVAL || !(flags & SHIM_PERF_FLAG_FD_CLOEXEC))
		return fd;
	/* Before 3.14 the flag is unknown. Where it is known the answer stays EINVAL. */
	fd = shim_raw(SYS_perf_event_open, (long)attr, pid, cpu, group, (long)(flags & ~SHIM_PERF_FLAG_FD_CLOEXEC), 0);
	if (fd >= 0)
		shim_raw3(SYS_fcntl, fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* Whether the descriptor is known to be something else than a perf event: the request number is then another driver's. */
static int shim_not_perf(int fd)
{
	char path[sizeof("/proc/self/fd/") + 12] = "/proc/self/fd/", target[sizeof(shim_perf_link)];
	unsigned int n = (unsigned int)fd, at = sizeof("/proc/self/fd/") - 1, digits = 1, rest, i;
	long len;

	if (fd < 0)
		return 1;
	for (rest = n; rest >= 10; rest /= 10)
		digits++;
	for (i = digits; i-- > 0; n /= 10)
		path[at + i] = (char)('0' + n % 10);
	path[at + digits] = '\0';
	len = shim_raw4(SYS_readlinkat, AT_FDCWD, path, target, sizeof(target));
	if (len < 0)
		return 0;
	if (len != sizeof(shim_perf_link) - 1)
		return 1;
	for (i = 0; i < (unsigned int)len; i++) {
		if (target[i] != shim_perf_link[i])
			return 1;
	}
	return 0;
}

long shim_ioctl(int fd, unsigned long request, void *arg)
{
	struct bpfcompat_set_bpf set;
	long ret;

	if ((unsigned int)request != SHIM_PERF_IOC_SET_BPF || shim_not_perf(fd))
		return shim_raw3(SYS_ioctl, fd, request, arg);
	set.event_fd = fd;
	set.prog_fd = (__u32)(unsigned long)arg;
	ret = shim_device_ioctl(BPFCOMPAT_IOC_SET_BPF, &set);
	/* A kernel without bpf(2) does not know the request. */
	return ret == -ENOSYS ? -ENOTTY : ret;
}
