/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files about programs share: loading, information, test runs.
 */
#ifndef BPFCOMPAT_PROG_H
#define BPFCOMPAT_PROG_H

/* Function and line records as the loader copied them in, with Linux's negotiation of the record size. */
struct bc_prog_debug_info {
	struct bpf_func_info *func_info;
	struct bpf_line_info *line_info;
	s32 *fd_array;
	u32 fd_array_cnt;
};

/* prog_copyin.c */
int bc_prog_copy_insns(const union bpf_attr *attr, struct bpf_insn **insns);
int bc_prog_copy_debug_info(const union bpf_attr *attr, union bpf_attr __user *uattr, struct bc_prog_debug_info *info);
int bc_prog_copy_fd_array(const union bpf_attr *attr, const struct bpf_insn *insns, struct bc_prog_debug_info *info);
/* Into the loader's log, before there is a verifier to write it. */
void bc_prog_log_message(const union bpf_attr *attr, const char *text, u32 number);
void bc_prog_debug_info_free(struct bc_prog_debug_info *info);
int bc_prog_calc_tag(const struct bpf_insn *insns, u32 cnt, u8 tag[BPF_TAG_SIZE]);

/* prog_info.c */
int bc_prog_fill_info(struct bc_prog *prog, struct bpf_prog_info *info);
/* Of each subprogram: Linux makes it of that one's instructions. 0 or -ENOMEM. */
int bc_prog_sub_tags(const struct bc_prog *prog, u8 (*tags)[BPF_TAG_SIZE]);

#endif
