// SPDX-License-Identifier: GPL-2.0-only
/*
 * The loads of generated code that may fault. They stand here, in the module's text, since the kernel's tables of exceptions cover that on
 * every version; generated code calls them with the address in r11 and finds the value there, 0 after a fault. r10 is lost.
 */
#include "../bpf.h"
#include "jit_memory.h"
#include "nofault.h"
#include "sock_fields.h"
#include "virtual_field.h"
#include <asm/asm.h>
#include <linux/linkage.h>

#ifdef ASM_RET
#define RETURN ASM_RET
#else
#define RETURN "ret\n"
#endif

#ifdef COMPAT_VIRTUAL_FIELDS

/* Fields that this kernel keeps elsewhere have odd addresses: see virtual_field.h. Such a load goes the interpreter's way. */
#define ODD(kind)							\
	"	test $1, %r11b\n"					\
	"	jnz 3f\n"
#define ODD_WAY(kind)							\
	"3:	mov $" #kind ", %r10d\n"				\
	"	jmp compat_probe_odd\n"

asm(".pushsection .text\n"
    ".type compat_probe_odd, @function\n"
    "compat_probe_odd:\n"
    "	push %rbp\n"
    "	mov %rsp, %rbp\n"
    "	push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8; push %r9\n"
    "	mov %r11, %rdi\n"
    "	mov %r10d, %esi\n"
    "	call compat_probe_odd_c\n"
    "	mov %rax, %r11\n"
    "	pop %r9; pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax\n"
    "	pop %rbp\n"
    "	" RETURN
    ".size compat_probe_odd, . - compat_probe_odd\n"
    ".popsection\n");

u64 compat_probe_odd_c(const void *src, u32 kind) __attribute__((used));

u64 compat_probe_odd_c(const void *src, u32 kind)
{
	u32 size = bc_jit_probe_size(kind);
	u64 v = 0;

	if (!compat_virtual_field(&v, src, size) && compat_read_kernel(&v, src, size))
		v = 0;
	return bc_jit_probe_value(kind, v);
}

#else
#define ODD(kind)
#define ODD_WAY(kind)
#endif

/*
 * User memory is none of a pointer's to kernel objects, with or without SMAP. The page of vsyscalls lies in the upper half and still counts as
 * the user's: a fault there would not be looked up in the table. 8 bytes before it are left out for reads that reach into it.
 */
#define PROBE(name, kind, load)						\
	".balign 16\n"							\
	".type compat_probe_" #name ", @function\n"			\
	"compat_probe_" #name ":\n"					\
	"	test %r11, %r11\n"					\
	"	jns 2f\n"						\
	"	lea 0xa00008(%r11), %r10\n"				\
	"	cmp $0x1008, %r10\n"					\
	"	jb 2f\n"						\
	ODD(kind)							\
	"1:	" load "\n"						\
	"	" RETURN						\
	"2:	xor %r11d, %r11d\n"					\
	"	" RETURN						\
	ODD_WAY(kind)							\
	_ASM_EXTABLE(1b, 2b)						\
	".size compat_probe_" #name ", . - compat_probe_" #name "\n"

asm(".pushsection .text\n"
    PROBE(u8, 0, "movzbl (%r11), %r11d")
    PROBE(u16, 1, "movzwl (%r11), %r11d")
    PROBE(u32, 2, "movl (%r11), %r11d")
    PROBE(u64, 3, "movq (%r11), %r11")
    PROBE(s8, 4, "movsbq (%r11), %r11")
    PROBE(s16, 5, "movswq (%r11), %r11")
    PROBE(s32, 6, "movslq (%r11), %r11")
    ".popsection\n");

extern const char compat_probe_u8[], compat_probe_u16[], compat_probe_u32[], compat_probe_u64[], compat_probe_s8[], compat_probe_s16[],
	compat_probe_s32[];

const unsigned long compat_jit_probes[7] = {
	(unsigned long)compat_probe_u8, (unsigned long)compat_probe_u16, (unsigned long)compat_probe_u32, (unsigned long)compat_probe_u64,
	(unsigned long)compat_probe_s8, (unsigned long)compat_probe_s16, (unsigned long)compat_probe_s32,
};

/* Of sockets' fields: r9 tells which (see exec/jit.h), and is lost, too. */
asm(".pushsection .text\n"
    ".balign 16\n"
    ".type compat_sock_load, @function\n"
    "compat_sock_load:\n"
    "	push %rbp\n"
    "	mov %rsp, %rbp\n"
    "	push %rax; push %rcx; push %rdx; push %rsi; push %rdi; push %r8\n"
    "	mov %r11, %rdi\n"
    "	mov %r9d, %esi\n"
    "	call compat_sock_load_c\n"
    "	mov %rax, %r11\n"
    "	pop %r8; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rax\n"
    "	pop %rbp\n"
    "	" RETURN
    ".size compat_sock_load, . - compat_sock_load\n"
    ".popsection\n");

extern const char compat_sock_load[];

const unsigned long compat_jit_sock_load = (unsigned long)compat_sock_load;

u64 compat_sock_load_c(const void *sk, u32 which) __attribute__((used));

u64 compat_sock_load_c(const void *sk, u32 which)
{
	u32 kind = which >> BC_JIT_SOCK_KIND_SHIFT;

	return bc_jit_probe_value(kind, bc_sock_load(sk, which & ((1u << BC_JIT_SOCK_KIND_SHIFT) - 1), bc_jit_probe_size(kind)));
}
