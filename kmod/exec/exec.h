/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Running a verified program: the interpreter (and later the JIT), in the module and in user space alike.
 * Kernel-independent but for the per-CPU area that the caller brings.
 */
#ifndef BPFCOMPAT_EXEC_H
#define BPFCOMPAT_EXEC_H

#include "../../verifier/verifier.h"

typedef u64 (*bc_helper_fn)(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);

/* What can be run: the part of a program that execution needs. Embedded in the module's struct bc_prog. */
struct bc_exec_prog {
	const struct bpf_insn *insns;
	const struct bc_insn_aux *aux;
	const struct bc_subprog *subprogs;
	u32 insn_cnt;
	u32 subprog_cnt;
	/* Generated code, or NULL for the interpreter; @stack is where BPF frames begin. See jit.h. */
	u64 (*jit_entry)(const void *ctx, void *stack);
	u64 jit_tail;			/* where tail calls enter it */
	u32 frames_bytes;		/* of C stack, for the frames of its subprograms */
	bool has_tail_call;
};

/*
 * Memory that runs programs, one per CPU and never entered twice: BPF stacks live here, not on the kernel's stack (8 KiB on 3.10,
 * 4 KiB at an int3). Frames of bpf2bpf calls and tail calls are pushed on it; an overflow ends the program with 0 and is counted.
 */
#define BC_EXEC_STACK_BYTES	(32 * 1024)
struct bc_exec_area {
	u8 stack[BC_EXEC_STACK_BYTES] __attribute__((aligned(16)));
	u32 used;			/* bytes of stack in use, for nested callbacks */
	const struct bc_exec_prog *prog;	/* running now */
	u64 overflows;
};

/* Everything the interpreter asks of its surroundings. */
struct bc_exec_env {
	/* Indexed by helper number; entries may be NULL (the verifier refuses those). */
	const bc_helper_fn *helpers;
	/* The program in slot @index of a prog array, or NULL: a tail call falls through then. */
	const struct bc_exec_prog *(*tail_call_target)(u64 map, u32 index);
	/* Reads @size bytes at a kernel address that may fault into *@dst; on a fault *@dst is 0. For aux.probe_mem loads. */
	void (*probe_load)(void *dst, const void *src, u32 size);
	/* @size bytes of a socket's field for aux.sock loads, @what by bc_sock_what(). NULL: there are no sockets. */
	u64 (*sock_load)(const void *sk, u32 what, u32 size);
};

/* The struct that is read as the program sees it, and the offset in it. */
static inline u32 bc_sock_what(const struct bc_insn_aux *aux, const struct bpf_insn *insn)
{
	return (u32)aux->sock << 16 | (u16)insn->off;
}

/* The kernel functions of bc_kfuncs[], in their order; and the kernel object that they hand out: do the bytes lie in it? */
extern const bc_helper_fn bc_kfunc_table[__BC_KFUNCS];
bool bc_kfunc_object_has(u64 addr, u32 size);

/* Of these functions, those that are the kernel's own: the host calls them. */
u64 bc_host_cgroup_rstat_updated(u64 cgroup, u64 cpu, u64 r3, u64 r4, u64 r5);
u64 bc_host_cgroup_rstat_flush(u64 cgroup, u64 r2, u64 r3, u64 r4, u64 r5);

/* Runs @prog on @ctx in @area; returns r0. The caller holds off preemption and re-entry on @area. */
u64 bc_interp_run(const struct bc_exec_env *env, struct bc_exec_area *area, const struct bc_exec_prog *prog, const void *ctx);

/*
 * Calls back subprogram @subprog of the program now running in @area (bpf_loop, for_each_map_elem, timers), nested in the helper
 * that was given it. @callback is the value that the program passed (ld_imm64 of BPF_PSEUDO_FUNC), opaque to helpers.
 */
u64 bc_interp_callback(const struct bc_exec_env *env, struct bc_exec_area *area, u64 callback, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);

#endif
