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

u64 bc_commands_served(void);

/* object.c: the two halves of bc_object_put(), for objects with work to do at their last reference. */
bool bc_object_put_last(struct bc_object *obj);
void bc_object_free_later(struct bc_object *obj);

/* device.c */
long bc_compat_ioctl(struct file *file, unsigned int request, unsigned long arg);

/* fd.c: bc_object_fd() for who makes a link: Linux names that fd otherwise than those that come after it, and bpftool goes by it. */
int bc_new_link_fd(struct bc_object *obj);
/* Of whatever kind, without a reference; NULL for a file that is not ours */
struct bc_object *bc_any_object_of_file(struct file *file);

/* run.c */
int bc_run_init(void);
void bc_run_exit(void);
void bc_run_totals(u64 *runs, u64 *misses);
void bc_prog_stats_sum(const struct bc_prog *prog, struct bc_prog_stats *sum);

/* prog.c, prog_info.c */
size_t bc_prog_memory(const struct bc_prog *prog);
int bc_copy_object_name(char *dst, const char *src);
void bc_prog_show_fdinfo(const struct bc_prog *prog, struct seq_file *m);
void bc_prog_show_tag_and_id(const struct bc_prog *prog, struct seq_file *m);

/* link.c */
void bc_link_show_fdinfo(const struct bc_link *link, struct seq_file *m);

/* btf_cmd.c */
struct bc_btf_obj {
	struct bc_object obj;
	struct bc_btf *btf;
};
struct bc_btf_obj *bc_btf_obj_new(struct bc_btf *btf);
int bc_btf_fill_info(const struct bc_btf_obj *b, struct bpf_btf_info *info);

/* btf_vmlinux.c */
int bc_vmlinux_btf_init(void);
void bc_vmlinux_btf_exit(void);
bool bc_btf_vmlinux_loaded(void);
long bc_vmlinux_btf_load(const struct bpfcompat_btf_load *l);

#endif
