/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Generated code of programs in the module: made at load, told of in BPF_OBJ_GET_INFO_BY_FD, freed with the program.
 */
#ifndef BPFCOMPAT_BPF_JIT_H
#define BPFCOMPAT_BPF_JIT_H

#include "core.h"
#include "../exec/jit.h"

/* The CPU's own, used inside the guard. */
DECLARE_PER_CPU(struct bc_jit_cpu, bc_jit_cpu);

int bc_jit_init(void);
/* Generates @prog's code. A program that gets none runs in the interpreter. */
void bc_jit_prog(struct bc_prog *prog);
void bc_jit_free(struct bc_prog *prog);
/* Names in the kernel's symbol table, from when the program is complete; jit_symbols.c */
void bc_jit_symbols_add(struct bc_prog *prog);
void bc_jit_symbols_del(struct bc_prog *prog);
int bc_jit_fill_info(const struct bc_prog *prog, struct bpf_prog_info *info);

#endif
