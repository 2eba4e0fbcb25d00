// SPDX-License-Identifier: GPL-2.0-only
/*
 * See jit_memory.h. module_alloc gives pages that are writable and executable at once on old kernels, and set_memory_*() are not exported on
 * new ones, so all of them are looked up.
 */
#include "../bpf.h"
#include "jit_memory.h"
#include <asm/cpufeature.h>

/* What an int3 is. */
#define POISON 0xcc

static int pages_of(size_t size)
{
	return (int)(size >> PAGE_SHIFT);
}

bool compat_jit_possible(void)
{
	return bc_sym.set_memory_ro && bc_sym.set_memory_rw && bc_sym.set_memory_x && bc_sym.set_memory_nx;
}

void *compat_jit_alloc(size_t size)
{
	unsigned long addr;
	void *p;

	p = bc_sym.module_alloc ? bc_sym.module_alloc(size) : bc_vzalloc(size);
	if (!p)
		return NULL;
	addr = (unsigned long)p;
	if (bc_sym.set_memory_nx(addr, pages_of(size))) {
		vfree(p);
		return NULL;
	}
	memset(p, POISON, size);
	return p;
}

int compat_jit_seal(void *p, size_t size)
{
	unsigned long addr = (unsigned long)p;
	int err = bc_sym.set_memory_ro(addr, pages_of(size));

	return err ? err : bc_sym.set_memory_x(addr, pages_of(size));
}

void compat_jit_free(void *p, size_t size)
{
	unsigned long addr = (unsigned long)p;

	if (!p)
		return;
	/* A failure leaves the pages as they are: they must not go back to the kernel read-only, nor be written. */
	if (bc_sym.set_memory_nx(addr, pages_of(size)) || bc_sym.set_memory_rw(addr, pages_of(size))) {
		pr_err(BC_LOG "cannot take back %zu bytes of generated code: lost\n", size);
		return;
	}
	memset(p, POISON, size);
	vfree(p);
}

static unsigned long indirect_thunk(void)
{
#ifdef X86_FEATURE_INDIRECT_THUNK_ITS
	if (boot_cpu_has(X86_FEATURE_INDIRECT_THUNK_ITS) && bc_lookup_symbol("__x86_indirect_its_thunk_r11"))
		return bc_lookup_symbol("__x86_indirect_its_thunk_r11");
#endif
#ifdef X86_FEATURE_RETPOLINE
	if (!boot_cpu_has(X86_FEATURE_RETPOLINE))
		return 0;
#endif
	return bc_lookup_symbol("__x86_indirect_thunk_r11");
}

/* Call, overwritten return address, return: as the thunk of this name began, and as the kernel's own generator once put it in line. */
static bool plain_retpolines(unsigned long thunk)
{
#ifdef X86_FEATURE_RETPOLINE
#ifdef X86_FEATURE_RETPOLINE_LFENCE
	if (boot_cpu_has(X86_FEATURE_RETPOLINE_LFENCE))
		return false;
#endif
#ifdef X86_FEATURE_RETPOLINE_AMD
	if (boot_cpu_has(X86_FEATURE_RETPOLINE_AMD))
		return false;
#endif
	return thunk && thunk == bc_lookup_symbol("__x86_indirect_thunk_r11") && boot_cpu_has(X86_FEATURE_RETPOLINE);
#else
	return false;
#endif
}

static unsigned long return_thunk(void)
{
#ifdef X86_FEATURE_RETHUNK
	unsigned long chosen = bc_lookup_symbol("x86_return_thunk");

	if (!boot_cpu_has(X86_FEATURE_RETHUNK))
		return 0;
	/* Where there are several, this variable holds the one that fits the CPU. */
	return chosen ? *(unsigned long *)chosen : bc_lookup_symbol("__x86_return_thunk");
#else
	return 0;
#endif
}

void compat_jit_traits(struct compat_jit_traits *t)
{
	t->indirect_thunk_r11 = indirect_thunk();
	t->return_thunk = return_thunk();
	t->retpolines = plain_retpolines(t->indirect_thunk_r11);
#ifdef CONFIG_X86_KERNEL_IBT
	t->landing_pads = true;
#else
	t->landing_pads = false;
#endif
	t->has_bmi2 = boot_cpu_has(X86_FEATURE_BMI2);
}
