/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kprobes: a return probe's instance no longer points at its probe where probes are built on rethooks.
 */
#ifndef BPFCOMPAT_COMPAT_KPROBES_H
#define BPFCOMPAT_COMPAT_KPROBES_H

#include <linux/kprobes.h>

static inline struct kretprobe *bc_kretprobe_of(struct kretprobe_instance *ri)
{
#ifdef HAVE_GET_KRETPROBE
	return get_kretprobe(ri);
#else
	return ri->rp;
#endif
}

#endif
