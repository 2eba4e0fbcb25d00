/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names for generated code: in /proc/kallsyms, in the kernel's stack traces and in perf. Kernels from 5.7 on take them from anybody (struct
 * bpf_ksym). Older ones name programs of their own alone (CentOS 7.9 finds a name and a length through its struct bpf_prog), and
 * vanilla 3.10 nothing but modules: code has no name there.
 */
#ifndef BPFCOMPAT_COMPAT_KSYM_H
#define BPFCOMPAT_COMPAT_KSYM_H

struct compat_ksym;

/* Process context. NULL where the kernel offers no way, or has no memory: the code is nameless then. */
struct compat_ksym *compat_ksym_add(unsigned long start, unsigned int len, const char *name);
/* Before the code goes; @sym may be NULL. */
void compat_ksym_del(struct compat_ksym *sym);
/* Bytes that each takes; 0 where the kernel offers no way. */
unsigned long compat_ksym_size(void);

#endif
