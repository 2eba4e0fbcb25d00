// SPDX-License-Identifier: GPL-2.0-only
/*
 * See ksym.h. The kernel's own linux/bpf.h is included here, so the module's copy of the interface must not be.
 */
#include "bc_features.h"

#ifdef HAVE_BPF_KSYM

#include <linux/bpf.h>
#include <linux/perf_event.h>
#include <linux/slab.h>
#include "symbols.h"
#include "ksym.h"

struct compat_ksym {
	struct bpf_ksym ksym;
	struct rcu_head rcu;
};

static bool possible(void)
{
	return bc_sym.bpf_ksym_add && bc_sym.bpf_ksym_del;
}

static void tell_perf(const struct compat_ksym *sym, bool gone)
{
	if (bc_sym.perf_event_ksymbol)
		bc_sym.perf_event_ksymbol(PERF_RECORD_KSYMBOL_TYPE_BPF, sym->ksym.start, sym->ksym.end - sym->ksym.start, gone,
					  sym->ksym.name);
}

struct compat_ksym *compat_ksym_add(unsigned long start, unsigned int len, const char *name)
{
	struct compat_ksym *sym = possible() ? kzalloc(sizeof(*sym), GFP_KERNEL | __GFP_NOWARN) : NULL;

	if (!sym)
		return NULL;
	/* Not a program: the kernel would look for the struct bpf_prog around it. */
	sym->ksym.start = start;
	sym->ksym.end = start + len;
	strscpy(sym->ksym.name, name, sizeof(sym->ksym.name));
	INIT_LIST_HEAD(&sym->ksym.lnode);
	bc_sym.bpf_ksym_add(&sym->ksym);
	tell_perf(sym, false);
	return sym;
}

void compat_ksym_del(struct compat_ksym *sym)
{
	if (!sym)
		return;
	tell_perf(sym, true);
	bc_sym.bpf_ksym_del(&sym->ksym);
	/* Whoever walks the table may stand on it. */
	kfree_rcu(sym, rcu);
}

unsigned long compat_ksym_size(void)
{
	return possible() ? sizeof(struct compat_ksym) : 0;
}

#else

#include <linux/kernel.h>
#include "ksym.h"

struct compat_ksym *compat_ksym_add(unsigned long start, unsigned int len, const char *name)
{
	return NULL;
}

void compat_ksym_del(struct compat_ksym *sym)
{
}

unsigned long compat_ksym_size(void)
{
	return 0;
}

#endif
