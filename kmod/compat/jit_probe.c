// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loads of generated code that may fault. They stand here, in the module's text, since the kernel's tables of exceptions cover that on
 * every version; generated code calls them with the address in r11 and finds the value there, 0 after a fault. r10 is lost.
 */
#include "jit_memory.h"
#include <asm/asm.h>
#include <linux/linkage.h>

#ifdef ASM_RET
#define RETURN ASM_RET
#else
#define RETURN "ret\n"
#endif

/*
 * User memory is none of a pointer's to kernel objects, with or without SMAP. The page of vsyscalls lies in the upper half and still counts as
 * the user's: a fault there would not be looked up in the table. 8 bytes before it are left out for reads that reach into it.
 */
#define PROBE(name, load)						\
	".balign 16\n"							\
	".type compat_probe_" #name ", @function\n"			\
	"compat_probe_" #name ":\n"					\
	"	test %r11, %r11\n"					\
	"	jns 2f\n"						\
	"	lea 0xa00008(%r11), %r10\n"				\
	"	cmp $0x1008, %r10\n"					\
	"	jb 2f\n"						\
	"1:	" load "\n"						\
	"	" RETURN						\
	"2:	xor %r11d, %r11d\n"					\
	"	" RETURN						\
	_ASM_EXTABLE(1b, 2b)						\
	".size compat_probe_" #name ", . - compat_probe_" #name "\n"

asm(".pushsection .text\n"
    PROBE(u8, "movzbl (%r11), %r11d")
    PROBE(u16, "movzwl (%r11), %r11d")
    PROBE(u32, "movl (%r11), %r11d")
    PROBE(u64, "movq (%r11), %r11")
    PROBE(s8, "movsbq (%r11), %r11")
    PROBE(s16, "movswq (%r11), %r11")
    PROBE(s32, "movslq (%r11), %r11")
    ".popsection\n");

extern const char compat_probe_u8[], compat_probe_u16[], compat_probe_u32[], compat_probe_u64[], compat_probe_s8[], compat_probe_s16[],
	compat_probe_s32[];

const unsigned long compat_jit_probes[7] = {
	(unsigned long)compat_probe_u8, (unsigned long)compat_probe_u16, (unsigned long)compat_probe_u32, (unsigned long)compat_probe_u64,
	(unsigned long)compat_probe_s8, (unsigned long)compat_probe_s16, (unsigned long)compat_probe_s32,
};
