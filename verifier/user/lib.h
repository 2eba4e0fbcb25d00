/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the user-space library share.
 */
#ifndef BPFCOMPAT_USER_LIB_H
#define BPFCOMPAT_USER_LIB_H

#include "../internal.h"
#include "../ctx.h"
#include "../../kmod/exec/jit.h"
#include "user.h"

#include <setjmp.h>

#define BCU_FIRST_FD	3
#define BCU_OBJECTS	1024
#define BCU_RECORDS	64
#define BCU_TIMERS	16
#define BCU_DYNPTRS	32
#define BCU_KPTR_MAPS	32	/* ... of which the watch looks at kptrs */
#define BCU_STORAGE	4	/* elements of a map of storage */

enum bcu_kind { BCU_NONE, BCU_MAP, BCU_BTF, BCU_PROG };

struct bcu_object {
	enum bcu_kind kind;
	bool closed;			/* lives for its users only */
	void *ptr;
};

struct bcu_prog;

struct bcu_map {
	struct bc_map_desc desc;	/* first: programs hold its address */
	u32 refs;
	u32 key_stride, value_stride;
	u8 *data;			/* keys, then values; a ring buffer: its bytes */
	size_t data_size;
	u8 *values;
	struct bcu_prog *progs[16];
	u8 *blocks[1];			/* values of each CPU */
	struct bc_map_desc inner;	/* of a map of maps: what those are like (desc.inner) */
	u64 entries[16];		/* where tail calls enter the generated code of progs; 0: none */
	u64 outputs;			/* records that ring and perf buffers took */
};

/* A register of a recorded state. */
struct bcu_reg {
	u32 type;
	s32 off;
	struct bpf_scalar v;
	const struct bc_map_desc *map;
	u32 frameno;
	u32 id;
	s32 range;			/* packet pointers */
	u32 mem_size;			/* PTR_TO_MEM */
	bool ref;			/* it must be given back */
};

struct bcu_slot {
	u32 slot;
	u8 type[BC_REG_BYTES];
	u32 dynptr;			/* of its first half: BC_ARG_LOCAL or BC_ARG_RINGBUF */
	struct bcu_reg spilled;		/* where type[BC_REG_BYTES - 1] says so */
};

struct bcu_state {
	u32 frame;			/* depth of calls */
	struct bcu_reg regs[MAX_BPF_REG];
	u32 slot_cnt;			/* slots of which something is known */
	struct bcu_slot *slots;
};

/* States in which an instruction was verified. */
struct bcu_recorded {
	struct bcu_state *states;
	u32 cnt, room;
};

struct bcu_prog {
	struct bc_verified v;
	struct bc_exec_prog exec;
	u32 type;
	struct bcu_recorded *recorded;	/* by instruction as loaded; NULL when nothing was recorded */
	u32 recorded_cnt;
	u32 state_cnt;
	bool complete;			/* nothing was pruned: each state that a run has is among the recorded ones */
	struct bpf_insn *loaded;	/* as it was loaded; with recorded */
	struct bc_jit_image jit;
	void *jit_memory;
	size_t jit_size;
};

struct bcu_record {		/* a ring buffer record reserved and not given back */
	u8 *data;
	u32 size;
};

struct bcu_timer {		/* that the run has initialised */
	u64 at;
	struct bcu_map *map;
	u64 callback;
	bool has_callback, started;
};

/* A dynptr that the program has on its stack, as helpers have made it. */
struct bcu_dynptr {
	u64 at;
	bool record;			/* it must be given back */
};

/* A frame of the program at work, as the watch sees it. */
struct bcu_frame {
	u64 fp;
	u32 depth;			/* bytes of stack */
	u32 base;			/* the frame that counts as the first: a global function is judged by itself */
};

struct bcu {
	struct bcu_object objs[BCU_OBJECTS];
	const struct bc_btf *vmlinux;
	bool no_boot;			/* the caller has not CAP_SYS_BOOT */
	u64 jiffies;
	struct bcu_map *kptr_maps[BCU_KPTR_MAPS];
	u32 kptr_map_cnt;
	u64 task;			/* where the current one is */
	u8 sample[64];			/* the one record of each user ring buffer */
	bool all_helpers;		/* programs may call helpers that are not here; such programs do not run */
	struct bc_exec_area area;
	struct bc_jit_cpu jit_cpu;
	u32 jit_flags;			/* BCU_JIT_* */

	/* the run at work */
	struct bcu_run *run;
	struct bcu_prog *running;
	bool by_jit;
	u64 seed;
	u64 ticks;
	void *ctx;
	u32 ctx_size;
	struct bcu_record records[BCU_RECORDS];
	struct bcu_timer timers[BCU_TIMERS];
	u32 timer_cnt;
	struct bcu_dynptr dynptrs[BCU_DYNPTRS];
	u32 dynptr_cnt;
	u8 *moved_packet;		/* where skb_pull_data() has put it */
	u32 index[BC_MAX_CALL_FRAMES];	/* keys that for_each_map_elem hands out, by nesting */
	u32 index_depth;
	struct bcu_frame frames[BC_MAX_CALL_FRAMES + 1];
	u32 frame_cnt;
	s64 next_insn;			/* of the program as loaded, by its own arithmetic; -1: not known */
	jmp_buf out_of_time;
};

extern struct bcu *bcu_cur;
extern const struct bc_verifier_ops bcu_ops;
extern const struct bc_exec_env bcu_exec_env;
extern const bc_helper_fn bcu_helpers[__BPF_FUNC_MAX_ID];

struct bcu_map *bcu_map_of_fd(struct bcu *w, int fd);
struct bcu_prog *bcu_prog_of_fd(struct bcu *w, int fd);
void *bcu_lookup(struct bcu_map *m, const void *key);
long bcu_update(struct bcu_map *m, const void *key, const void *value, u64 flags);
long bcu_delete(struct bcu_map *m, const void *key);
bool bcu_entry_used(struct bcu_map *m, u32 i);
void bcu_free_prog(struct bcu *w, struct bcu_prog *p);
/* objects.c: are all helpers that the program calls here? */
bool bcu_can_run(const struct bcu_prog *p);
/* helpers.c: records left over after a run; how many there were. */
u32 bcu_ringbuf_drop_all(struct bcu *w);

/* jit.c */
int bcu_jit_run(struct bcu *w, struct bcu_prog *p, const void *ctx, u64 *retval);
void bcu_jit_drop(struct bcu_prog *p);
/* A program's callback from a helper, by whichever engine runs it. */
u64 bcu_callback(u64 cb, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);

/* timers.c */
u64 bcu_timer_init(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_timer_set_callback(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_timer_start(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_timer_cancel(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
void bcu_timers_expire(struct bcu *w);	/* those that were started */

/* kept.c */
u64 bcu_kptr_xchg(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_storage_get(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_storage_delete(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
u64 bcu_local_storage(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5);
bool bcu_is_storage(u32 map_type);
void bcu_kptr_map(struct bcu *w, struct bcu_map *m, bool gone);	/* one comes, or goes */
bool bcu_kptr_access(const struct bcu *w, u64 addr, u32 size, bool write);	/* may a program load or store there, as for kptrs? */
bool bcu_has_kptr(const struct bcu *w, u64 addr, u64 size);	/* has any a part in these bytes? */
bool bcu_kptr_arg(const struct bcu *w, u64 addr);		/* is it where a reference is kept? */
u32 bcu_kptrs_drop(struct bcu *w);	/* gives all references in maps back; how many were to something else than an object */

/* watch_objects.c: dynptrs and kernel objects of the run at work. */
void bcu_dynptr_made(struct bcu *w, u64 at, bool record);
void bcu_dynptr_gone(struct bcu *w, u64 at);
struct bcu_dynptr *bcu_dynptr_at(struct bcu *w, u64 at, u32 size);	/* one that the bytes have a part in */
void bcu_dynptrs_of_frame(struct bcu *w, const struct bcu_frame *f);	/* ... go with it */
bool bcu_dynptr_arg(struct bcu *w, u64 at, u16 arg);	/* is it what a helper with such an argument may be given? */
bool bcu_dynptr_slot(const struct bcu *w, u64 at, bool record);	/* does a dynptr of that kind lie there? */
bool bcu_object_held(u64 addr);			/* is it the kernel functions' object, with a reference taken? */
u32 bcu_object_refs(void);			/* references to the kernel functions' object, which are given back */
bool bcu_kfunc_args(const struct bcu *w, u32 kfunc, const u64 *regs);	/* is what the function is given the program's? */

/* watch_check.c: do values fit what was recorded, and accesses their objects? */
bool bcu_frame_is(const struct bcu *w, u32 frameno);
bool bcu_state_holds(const struct bcu *w, const struct bcu_state *s, const u64 *regs, int *bad);
bool bcu_reg_holds(const struct bcu *w, const struct bcu_reg *r, u64 x);
bool bcu_may_touch(const struct bcu *w, u64 addr, u32 size);
bool bcu_object_allows(const struct bcu *w, const struct bcu_reg *r, u64 addr, u32 size);
bool bcu_jump_taken(const struct bpf_insn *insn, const u64 *regs);

/* watch.c: recording what the verifier thinks, and holding runs against it. */
void bcu_watch_begin(struct bcu_prog *p, const struct bcu_load *l);
void bcu_watch_end(void);
int bcu_trace_begin_(struct bcu *w);
/* Non-zero the second time: the run took too many instructions. A macro, as setjmp() must not return before the run is over. */
#define bcu_trace_begin(w) (bcu_trace_begin_(w), setjmp((w)->out_of_time))
void bcu_trace_end(void);

#endif
