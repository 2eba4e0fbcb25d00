/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note OR MIT */
/*
 * The ioctl interface between the shim and the module. bpf(cmd, attr, size) is
 * ioctl(fd, BPFCOMPAT_BPF(cmd, size), attr): the request number carries command and size, the argument the pointer.
 */
#ifndef BPFCOMPAT_UAPI_H
#define BPFCOMPAT_UAPI_H

#include <linux/types.h>
#include <linux/ioctl.h>

#define BPFCOMPAT_DEVICE	"/dev/bpfcompat"
#define BPFCOMPAT_ABI		1	/* raised when module and shim no longer understand each other */

#define BPFCOMPAT_MAGIC		0xBF	/* bpf(2) commands */
#define BPFCOMPAT_OWN_MAGIC	0xBE	/* the driver's own requests */

/* What does not fit the request is clamped to the largest: the driver refuses command 127 with EINVAL and size 16383 with E2BIG. */
#define BPFCOMPAT_CMD_MAX	127
#define BPFCOMPAT_SIZE_MAX	16383
#define BPFCOMPAT_BPF(cmd, size) \
	_IOC(_IOC_READ | _IOC_WRITE, BPFCOMPAT_MAGIC, \
	     (cmd) > BPFCOMPAT_CMD_MAX ? BPFCOMPAT_CMD_MAX : (cmd), \
	     (size) > BPFCOMPAT_SIZE_MAX ? BPFCOMPAT_SIZE_MAX : (size))

/*
 * The same, told by its direction, with an answer that no other file gives: BPFCOMPAT_SERVED + result, be that an errno or a
 * descriptor. So the shim knows without asking first that its descriptor still is the driver's. Any other answer is the kernel's (an
 * interrupted call), an older driver's, or another file's, which knows no request of this type.
 */
#define BPFCOMPAT_BPF_SERVED(cmd, size)	(BPFCOMPAT_BPF(cmd, size) & ~((__u32)_IOC_READ << _IOC_DIRSHIFT))
#define BPFCOMPAT_SERVED		0x40000000
#define BPFCOMPAT_SERVED_MIN		(BPFCOMPAT_SERVED - 4095)

struct bpfcompat_version {
	__u32 abi;		/* BPFCOMPAT_ABI of the module */
	__u32 reserved;
	char version[32];	/* of the module, NUL-terminated */
};

struct bpfcompat_set_bpf {	/* PERF_EVENT_IOC_SET_BPF */
	__s32 event_fd;
	__u32 prog_fd;
};


struct bpfcompat_btf_load {	/* the kernel's BTF, once */
	__u64 data;
	__u32 size;		/* bytes */
	__u32 reserved;
	__u8 build_id[20];	/* of the kernel that it describes; the module compares it with its own kernel's */
	__u8 build_id_len;
	__u8 pad[3];
};

struct bpfcompat_stats {
	__u64 commands;		/* bpf(2) commands served */
	__u64 programs_run;	/* programs run by events */
	__u64 missed;		/* events not served because this CPU was inside already */
	__u64 memory;		/* bytes in use */
	__u64 memory_max;	/* cap, bytes */
	__u32 maps, progs, links, btfs;	/* objects alive, less the kernel's own BTF */
};

#define BPFCOMPAT_IOC_VERSION	_IOR(BPFCOMPAT_OWN_MAGIC, 1, struct bpfcompat_version)
#define BPFCOMPAT_IOC_SET_BPF	_IOW(BPFCOMPAT_OWN_MAGIC, 2, struct bpfcompat_set_bpf)
#define BPFCOMPAT_IOC_BTF_LOAD	_IOW(BPFCOMPAT_OWN_MAGIC, 3, struct bpfcompat_btf_load)
#define BPFCOMPAT_IOC_STATS	_IOR(BPFCOMPAT_OWN_MAGIC, 4, struct bpfcompat_stats)

#endif
