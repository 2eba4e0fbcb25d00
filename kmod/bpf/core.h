/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of kmod/bpf/ share among themselves, beyond the object model of bpf.h.
 */
#ifndef BPFCOMPAT_CORE_H
#define BPFCOMPAT_CORE_H

#include "../bpf.h"
#include "commands.h"

/* object.c */
int bc_objects_init(void);
void bc_objects_exit(void);
void bc_objects_flush(void);
u32 bc_objects_alive(enum bc_obj_kind kind);

/* memory.c */
int bc_memory_init(void);
u64 bc_memory_max(void);

/* device.c */
int bc_device_init(void);
void bc_device_exit(void);

/* dispatch.c */
long bc_ioctl(struct file *file, unsigned int request, unsigned long arg);
long bc_dispatch(u32 cmd, union bpf_attr __user *uattr, u32 size);

/* stats.c */
int bc_stats_init(void);
void bc_stats_exit(void);
void bc_stats_fill(struct bpfcompat_stats *stats);

/* counted in dispatch.c */
u64 bc_commands_served(void);

#endif
