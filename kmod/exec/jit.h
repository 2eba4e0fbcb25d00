/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator for x86-64: verified programs in, machine code out. It knows nothing of the kernel; what generated code reaches
 * outside of itself comes in struct bc_jit_env, and where the code goes is the caller's business.
 *
 * How generated code uses the machine: r0 to r5 of BPF are rax, rdi, rsi, rdx, rcx, r8, as C passes them, so helpers are called as they
 * are. r6 to r9 are rbx, r13, r14, r15, which C keeps. r10 is r12, and points into the CPU's struct bc_exec_area as it does in the
 * interpreter: of the C stack a frame takes its return address and saved registers alone. rbp is a conventional frame pointer, for the
 * kernel's stack walkers. r9, r10, r11 are the generator's own.
 */
#ifndef BPFCOMPAT_JIT_H
#define BPFCOMPAT_JIT_H

#include "exec.h"

/* What running code shares with the C around it, for each CPU. */
struct bc_jit_cpu {
	u64 frame_top;		/* free part of the area, set before a helper that calls back */
	u64 stack_limit;	/* a tail call that would leave another frame on the C stack needs the stack pointer above this, */
	u64 area_limit;		/* and its BPF frame below this; else it falls through */
	s32 tail_calls;		/* left to be made in this run */
	u32 number;		/* of this CPU */
};

/* BPF stack that must be free where a program or a callback is entered: all frames of one call chain, and one more for safety. */
#define BC_JIT_AREA_NEEDED (2 * BC_MAX_STACK)
/* Bytes that each frame takes on the C stack: return address, rbp, r12, rbx, r13, r14, r15. */
#define BC_JIT_FRAME_BYTES 56

/* Generated code of a callback, which is what ld_imm64 of one holds; @stack is what frame_top was when the helper was called. */
typedef u64 (*bc_jit_callback_fn)(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5, void *stack);

/* Loads that may fault: code with r11 the address on entry and the value on return; r10 may change, all else is kept. */
enum bc_jit_probe { BC_PROBE_U8, BC_PROBE_U16, BC_PROBE_U32, BC_PROBE_U64, BC_PROBE_S8, BC_PROBE_S16, BC_PROBE_S32, __BC_PROBES };

/* Of a socket's field: r11 is the socket, the low bits of r9 are by bc_sock_what(), enum bc_jit_probe from this one on. */
#define BC_JIT_SOCK_KIND_SHIFT 24

/* An array that programs look up by index: where its values are. */
struct bc_jit_array {
	u64 values;		/* their address; of a per-CPU array: of pointers to each CPU's values, in the order of their numbers */
	u32 stride, max_entries;
	bool percpu;
};

struct bc_jit_env {
	const bc_helper_fn *helpers;
	u64 probe[__BC_PROBES];
	u64 sock_load;			/* the same of sockets' fields: r9 says which (BC_JIT_SOCK_KIND_SHIFT); 0: there are no sockets */
	u64 cpu;			/* struct bc_jit_cpu: its address, or its offset from the base of gs */
	bool cpu_in_gs;
	bool calls_far;			/* code lies beyond the reach of a relative call */
	bool align_calls;		/* C code wants rsp a multiple of 16 when called */
	bool landing_pads;		/* endbr64 where indirect branches arrive */
	bool has_bmi2;
	bool blind;			/* no constant of the program is to be found in its code */
	u64 seed;			/* for that */
	u64 indirect_thunk_r11;		/* code that jumps to r11 in place of `jmp *r11`, or 0 */
	u64 return_thunk;		/* code to jump to in place of `ret`, or 0 */
	bool retpolines;		/* that thunk may be put in place: it is one of call, store, return */
	s32 entries_off;		/* of a prog array's u64s in the map: bc_exec_prog.jit_tail of each slot's program, 0 for none */
	/* Describes the map that a program has under @index in bc_verified.used_maps; false when it is no array. May be NULL. */
	bool (*array)(void *host, u32 index, struct bc_jit_array *array);
	/* Code to be called in place of a helper, with its arguments; 0: the helper. @used_map as above, negative: none. May be NULL. */
	u64 (*function)(void *host, u32 helper, int used_map);
	void *host;
	u32 current_task;		/* offset from the base of gs of the pointer to the current task; 0 unknown */
};

static inline u32 bc_jit_probe_size(u32 kind)
{
	return 1u << (kind < BC_PROBE_S8 ? kind : kind - BC_PROBE_S8);
}

/* What such a load leaves of the bytes @v that it read. */
static inline u64 bc_jit_probe_value(u32 kind, u64 v)
{
	switch (kind) {
	case BC_PROBE_S8:
		return (s64)(s8)v;
	case BC_PROBE_S16:
		return (s64)(s16)v;
	case BC_PROBE_S32:
		return (s64)(s32)v;
	default:
		return v;
	}
}

/* A relative call or jump to a fixed address: its 4 bytes at @at are to hold the distance from their end. */
struct bc_jit_reloc {
	u32 at;
	u64 target;
};

struct bc_jit_image {
	u8 *code;
	u32 len;
	u32 *insn_off;		/* where each instruction begins, and [insn_cnt]: the end */
	u32 *sub_off;		/* the same of each subprogram, prologue included, and [subprog_cnt]; in the order of their code */
	u32 tail_off;		/* where tail calls enter */
	u32 insn_cnt, subprog_cnt;
	bool has_tail_call;
	struct bc_jit_reloc *relocs;
	u32 reloc_cnt, reloc_room;
};

/* 0, or -ENOMEM, -EINVAL for what it does not know, -E2BIG; nothing to be freed then. */
int bc_jit_compile(const struct bc_jit_env *env, const struct bc_exec_prog *prog, struct bc_jit_image *img);
/* Makes the code fit for address @addr; -ERANGE when a target is out of reach from there. */
int bc_jit_relocate(struct bc_jit_image *img, u64 addr);
void bc_jit_image_free(struct bc_jit_image *img);

#endif
