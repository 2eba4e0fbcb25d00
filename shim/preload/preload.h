/* SPDX-License-Identifier: MIT */
/*
 * What the files of libbpfcompat-preload.so share. Everything here is safe in signal handlers, in threads and after
 * fork: no allocation, no lock, no libc call but the one that finds errno.
 */
#ifndef SHIM_PRELOAD_H
#define SHIM_PRELOAD_H

#include "raw.h"

/* Results are as the kernel gives them: negative errno on failure. */
long shim_device(void);
long shim_device_ioctl(unsigned long request, const void *arg);
long shim_bpf(unsigned int cmd, const void *attr, unsigned int size);
long shim_perf_event_open(const void *attr, int pid, int cpu, int group, unsigned long flags);
long shim_ioctl(int fd, unsigned long request, void *arg);
long shim_memfd_create(const char *name, unsigned int flags);
long shim_mount(const char *source, const char *target, const char *type, unsigned long flags, const void *data);

#endif
