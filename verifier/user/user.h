/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the user-space library offers beside verifier.h, btf.h and exec.h: a world of maps, BTF and programs in plain memory, in which programs can be
 * verified and run, and watched while they do. Bound to Python by build_ffi.py; not safe for threads.
 */
#ifndef BPFCOMPAT_USER_H
#define BPFCOMPAT_USER_H

#include "../port.h"

/* Makes the allocation after @after more ones fail, once; -1 switches it off. */
void bc_user_fail_alloc(s64 after);
/* Blocks allocated through port.h and not freed yet. */
u64 bc_user_live_blocks(void);

struct bcu;

struct bcu *bcu_new(void);
void bcu_free(struct bcu *w);

/* Each makes an object and returns its "fd", or a negative errno. Fds are small numbers of this world. */
int bcu_map_new(struct bcu *w, u32 type, u32 key_size, u32 value_size, u32 max_entries, u32 flags, int btf_fd, u32 value_type_id);
int bcu_btf_new(struct bcu *w, const void *data, u32 size, bool kernel, char *log, u32 log_size);

int bcu_map_freeze(struct bcu *w, int fd);
void *bcu_map_lookup(struct bcu *w, int fd, const void *key);
long bcu_map_update(struct bcu *w, int fd, const void *key, const void *value, u64 flags);
/* What ld_imm64 of a map, and of the first value of an array, hold. */
u64 bcu_map_address(struct bcu *w, int fd);
u64 bcu_value_address(struct bcu *w, int fd);
long bcu_map_delete(struct bcu *w, int fd, const void *key);
/* Closes an "fd"; what it named goes with its last user. */
int bcu_close(struct bcu *w, int fd);
/* The template of a map-in-map. */
int bcu_map_set_inner(struct bcu *w, int fd, int inner_fd);
/* May programs of that type call the helper, as far as the verifier is concerned? */
bool bcu_type_has_helper(u32 prog_type, u32 func_id);
/* Lets programs be verified that call helpers which this library has not; they do not run (ENOTSUPP). */
void bcu_allow_all_helpers(struct bcu *w);
/* Without CAP_SYS_BOOT from now on. */
void bcu_forbid_boot(struct bcu *w);
int bcu_prog_array_set(struct bcu *w, int map_fd, u32 index, int prog_fd);	/* prog_fd -1: empty */

struct bcu_load {
	u32 prog_type;
	u32 expected_attach_type;
	u32 attach_btf_id;
	u32 prog_flags;
	bool gpl;
	const void *insns;
	u32 insn_cnt;
	int btf_fd;			/* -1: none */
	const void *func_info;
	u32 func_info_cnt;
	const void *line_info;
	u32 line_info_cnt;
	const s32 *fd_array;
	u32 fd_array_cnt;
	u32 log_level;
	char *log;
	u32 log_size;
	bool record;			/* keep the verifier's states, for bcu_run to compare with */
	bool no_prune;			/* all states are walked: runs are compared with them in full. Else: pointers at their use only */
	u32 max_verified;		/* give up (E2BIG) after so many instructions; 0: the verifier's own limit */
};

struct bcu_stats {
	u32 insn_cnt, subprog_cnt, verified_insns, total_states, peak_states, states_recorded;
};

/* Verifies; the program's fd, or a negative errno. */
int bcu_prog_load(struct bcu *w, const struct bcu_load *l, struct bcu_stats *stats);
/* Takes a program as it is, unverified, for tests of the interpreter alone. Calls to subprograms are found; frames have 512 bytes of stack. */
int bcu_prog_raw(struct bcu *w, u32 prog_type, const void *insns, u32 insn_cnt);
/* Instructions after fix-up: copies up to @room of them, returns how many there are. */
u32 bcu_prog_insns(struct bcu *w, int fd, void *insns, u32 room);

struct bcu_run {
	void *ctx;			/* socket filters and the like: struct bc_skb_ctx is made out of packet */
	u32 ctx_size;
	void *packet;
	u32 packet_size;
	u64 seed;			/* of get_prandom_u32 and the like */
	u64 max_insns;			/* 0: no limit; the run is ended with an exception of its own */
	bool jit;			/* by generated code: nothing is watched then, and no limit holds */

	/* out */
	u64 retval;
	u64 insns;
	u32 mem_violations;		/* loads and stores outside of what a program may touch */
	u32 state_violations;		/* values that no recorded state allows */
	u32 ref_leaks;			/* ring buffer records neither submitted nor discarded */
	u64 overflows;
	bool timed_out;
	char message[256];		/* about the first violation */
};

int bcu_run(struct bcu *w, int fd, struct bcu_run *r);

/* How code is generated from now on, and for the programs at hand; else as fits this machine. */
#define BCU_JIT_BLIND 1		/* constants blinded */
#define BCU_JIT_NO_BMI2 2	/* for older machines */
#define BCU_JIT_FAR 4		/* calls by absolute address */
#define BCU_JIT_THUNKS 8	/* indirect jumps and returns by thunks */
#define BCU_JIT_LANDING_PADS 16
int bcu_jit_flags(struct bcu *w, u32 flags);
/* Generated code: copies up to @room bytes of it, returns how many there are; 0: none. */
u32 bcu_jit_code(struct bcu *w, int fd, void *code, u32 room);

/* bpf_snprintf_btf() by the world's kernel BTF. */
struct bcu_show {
	u32 type_id;
	u64 flags;
	u64 addr;			/* of the object */
	const u8 *memory;		/* all that can be read ... */
	u64 memory_addr;		/* ... is here */
	u32 memory_size;
	const u8 *field;		/* one that is elsewhere; NULL: none */
	u64 field_addr;
	u32 field_size;
	char *text;
	u32 text_size;

	/* out */
	u32 steps;			/* that it took */
	u32 reads;
};

/* As the helper: the length of the text, or a negative errno. */
int bcu_btf_show(struct bcu *w, struct bcu_show *show);

#endif
