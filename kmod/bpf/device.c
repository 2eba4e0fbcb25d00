// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/bpfcompat, and the requests that it and every object's fd accept.
 */
#include "core.h"
#include <linux/compat.h>
#include <linux/miscdevice.h>

#define VERSION "0.1.0"

static long own_version(void __user *arg)
{
	struct bpfcompat_version v;

	memset(&v, 0, sizeof(v));
	v.abi = BPFCOMPAT_ABI;
	strcpy(v.version, VERSION);
	return copy_to_user(arg, &v, sizeof(v)) ? -EFAULT : 0;
}

static long own_stats(void __user *arg)
{
	struct bpfcompat_stats stats;

	bc_stats_fill(&stats);
	return copy_to_user(arg, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static long own_set_bpf(void __user *arg)
{
	struct bpfcompat_set_bpf s;

	if (copy_from_user(&s, arg, sizeof(s)))
		return -EFAULT;
	return bc_perf_event_set_bpf(s.event_fd, s.prog_fd);
}

static long own_btf_load(void __user *arg)
{
	struct bpfcompat_btf_load l;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (copy_from_user(&l, arg, sizeof(l)))
		return -EFAULT;
	return bc_vmlinux_btf_load(&l);
}

long bc_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	void __user *uarg = (void __user *)arg;
	long ret;

	if (_IOC_TYPE(request) == BPFCOMPAT_MAGIC) {
		ret = bc_dispatch(_IOC_NR(request), uarg, _IOC_SIZE(request));
		/* What restarts a system call is for the kernel to read. */
		if (_IOC_DIR(request) != _IOC_WRITE || (ret <= -ERESTARTSYS && ret >= -ERESTART_RESTARTBLOCK))
			return ret;
		return BPFCOMPAT_SERVED + ret;
	}
	switch (request) {
	case BPFCOMPAT_IOC_VERSION:
		return own_version(uarg);
	case BPFCOMPAT_IOC_STATS:
		return own_stats(uarg);
	case BPFCOMPAT_IOC_SET_BPF:
		return own_set_bpf(uarg);
	case BPFCOMPAT_IOC_BTF_LOAD:
		return own_btf_load(uarg);
	}
	return -ENOTTY;
}

#ifdef CONFIG_COMPAT
/* union bpf_attr looks the same to 32-bit programs: that is what its 64-bit fields are for. */
long bc_compat_ioctl(struct file *file, unsigned int request, unsigned long arg)
{
	return bc_ioctl(file, request, (unsigned long)compat_ptr(arg));
}
#endif

static const struct file_operations device_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bc_ioctl,
#ifdef CONFIG_COMPAT
	.compat_ioctl = bc_compat_ioctl,
#endif
	.llseek = noop_llseek,
};

/* Open to all: what a caller may do is decided at each call, by its capabilities. */
static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "bpfcompat",
	.fops = &device_fops,
	.mode = 0666,
};

int bc_device_init(void)
{
	return misc_register(&device);
}

void bc_device_exit(void)
{
	misc_deregister(&device);
}

MODULE_VERSION(VERSION);
