/* SPDX-License-Identifier: GPL-2.0-only */
/* Probes of the kernel's table of generated code. */
#include <linux/module.h>
#ifdef HAVE_LINUX_BPF_H
#include <linux/bpf.h>
#endif

#line 1 "BASELINE"
static inline void probe_baseline(void) { might_sleep(); }

#line 1 "HAVE_BPF_KSYM"
static inline void probe_bpf_ksym(struct bpf_ksym *k) { k->start = k->end; k->name[0] = 0; INIT_LIST_HEAD(&k->lnode); k->prog = false; }
