// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loads of generated code that may fault. They stand here, in the module's text, since the kernel's tables of exceptions cover that on
 * every version; generated code calls them with the address in r11 and finds the value there, 0 after a fault. r10 is lost.
 */
#include "jit_memory.h"
#include "nofault.h"
#include "virtual_field.h"
#include <asm/asm.h>
#include <linux/linkage.h>

#ifdef ASM_RET
#define RETURN ASM_RET
#else
#define RETURN "ret\n"
#endif

#ifdef COMPAT_VIRTUAL_FIELDS

/* An odd address may be that of a virtual field, which C looks after; all registers but r10 and r11 are the program's. */
#define ODD(bytes, extend)						\
	"	test $1, %r11b\n"					\
	"	jz 4f\n"						\
	"	push %rax\n"						\
	"	push %rdi\n"						\
	"	push %rsi\n"						\
	"	push %rdx\n"						\
	"	push %rcx\n"						\
	"	push %r8\n"						\
	"	push %r9\n"						\
	"	mov %r11, %rdi\n"					\
	"	mov $" #bytes ", %esi\n"				\
	"	call compat_probe_odd\n"				\
	"	mov %rax, %r11\n"					\
	"	pop %r9\n"						\
	"	pop %r8\n"						\
	"	pop %rcx\n"						\
	"	pop %rdx\n"						\
	"	pop %rsi\n"						\
	"	pop %rdi\n"						\
	"	pop %rax\n"						\
	"	" extend						\
	"	" RETURN						\
	"4:\n"

u64 compat_probe_odd(const void *addr, u32 size);

/* The bytes there, zero-extended; 0 where they cannot be read. */
u64 __attribute__((used)) compat_probe_odd(const void *addr, u32 size)
{
	u64 value = 0;

	if (!compat_virtual_field(&value, addr, size) && compat_read_kernel(&value, addr, size))
		value = 0;
	return value;
}

#else
#define ODD(bytes, extend)
#endif

/*
 * User memory is none of a pointer's to kernel objects, with or without SMAP. The page of vsyscalls lies in the upper half and still counts as
 * the user's: a fault there would not be looked up in the table. 8 bytes before it are left out for reads that reach into it.
 */
#define PROBE(name, bytes, load, extend)				\
	".balign 16\n"							\
	".type compat_probe_" #name ", @function\n"			\
	"compat_probe_" #name ":\n"					\
	"	test %r11, %r11\n"					\
	"	jns 2f\n"						\
	ODD(bytes, extend)						\
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
    PROBE(u8, 1, "movzbl (%r11), %r11d", "\n")
    PROBE(u16, 2, "movzwl (%r11), %r11d", "\n")
    PROBE(u32, 4, "movl (%r11), %r11d", "\n")
    PROBE(u64, 8, "movq (%r11), %r11", "\n")
    PROBE(s8, 1, "movsbq (%r11), %r11", "movsbq %r11b, %r11\n")
    PROBE(s16, 2, "movswq (%r11), %r11", "movswq %r11w, %r11\n")
    PROBE(s32, 4, "movslq (%r11), %r11", "movslq %r11d, %r11\n")
    ".popsection\n");

extern const char compat_probe_u8[], compat_probe_u16[], compat_probe_u32[], compat_probe_u64[], compat_probe_s8[], compat_probe_s16[],
	compat_probe_s32[];

const unsigned long compat_jit_probes[7] = {
	(unsigned long)compat_probe_u8, (unsigned long)compat_probe_u16, (unsigned long)compat_probe_u32, (unsigned long)compat_probe_u64,
	(unsigned long)compat_probe_s8, (unsigned long)compat_probe_s16, (unsigned long)compat_probe_s32,
};
