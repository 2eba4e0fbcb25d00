/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the verifier share: the abstract domain, register, frame and program states, what is known of each
 * instruction, the environment of one run, and the functions that one file offers to the others.
 */
#ifndef BPFCOMPAT_VERIFIER_INTERNAL_H
#define BPFCOMPAT_VERIFIER_INTERNAL_H

#include "verifier.h"
#include "btf.h"

#define BC_REG_BYTES		8
#define BC_STACK_SLOTS		(BC_MAX_STACK / BC_REG_BYTES)
#define BC_MAX_VAR_OFF		(1 << 29)	/* Linux: BPF_MAX_VAR_OFF */
#define BC_MAX_VAR_SIZ		(1 << 29)
#define BC_MAX_PACKET_OFF	0xffff
#define BC_MAX_JMP_STACK	8192		/* states waiting: Linux's BPF_COMPLEXITY_LIMIT_JMP_SEQ */
#define BC_MAX_STATES		64		/* per instruction: BPF_COMPLEXITY_LIMIT_STATES */
#define BC_MAX_TP_BUFFER	1024
#define BC_ID_MAP		((MAX_BPF_REG + BC_STACK_SLOTS) * 2)

#ifndef U64_MAX
#define U64_MAX ((u64)~0ULL)
#endif
#ifndef U32_MAX
#define U32_MAX ((u32)~0U)
#endif
#ifndef S64_MAX
#define S64_MAX ((s64)(U64_MAX >> 1))
#endif
#ifndef S64_MIN
#define S64_MIN ((s64)(-S64_MAX - 1))
#endif
#ifndef S32_MAX
#define S32_MAX ((s32)(U32_MAX >> 1))
#endif
#ifndef S32_MIN
#define S32_MIN ((s32)(-S32_MAX - 1))
#endif

/* ---- the abstract domain: tnum.c, bounds.c, scalar.c. Pure functions, so that they can be proven from their source ---- */

/* Bits known (0 in mask, then in value) and unknown (1 in mask, then 0 in value). */
struct tnum {
	u64 value;
	u64 mask;
};

struct tnum bc_tnum_const(u64 value);
struct tnum bc_tnum_unknown(void);
struct tnum bc_tnum_range(u64 min, u64 max);
struct tnum bc_tnum_lsh(struct tnum a, u8 shift);
struct tnum bc_tnum_rsh(struct tnum a, u8 shift);
struct tnum bc_tnum_arsh(struct tnum a, u8 shift, u8 bits);
struct tnum bc_tnum_add(struct tnum a, struct tnum b);
struct tnum bc_tnum_sub(struct tnum a, struct tnum b);
struct tnum bc_tnum_and(struct tnum a, struct tnum b);
struct tnum bc_tnum_or(struct tnum a, struct tnum b);
struct tnum bc_tnum_xor(struct tnum a, struct tnum b);
struct tnum bc_tnum_mul(struct tnum a, struct tnum b);
struct tnum bc_tnum_intersect(struct tnum a, struct tnum b);
struct tnum bc_tnum_cast(struct tnum a, u8 bytes);
struct tnum bc_tnum_low32(struct tnum a);
struct tnum bc_tnum_high32(struct tnum a);		/* low half cleared */
struct tnum bc_tnum_with_low32(struct tnum hi, struct tnum lo);
bool bc_tnum_is_const(struct tnum a);
bool bc_tnum_is_unknown(struct tnum a);
bool bc_tnum_low32_is_const(struct tnum a);
bool bc_tnum_is_aligned(struct tnum a, u64 size);
bool bc_tnum_in(struct tnum outer, struct tnum inner);	/* every value of inner is one of outer */

/* What is known of a 64-bit value (or of the variable part of a pointer's offset): all parts hold at once. */
struct bpf_scalar {
	struct tnum t;
	u64 umin, umax;
	s64 smin, smax;
	u32 umin32, umax32;
	s32 smin32, smax32;
};

void bc_scalar_const(struct bpf_scalar *s, u64 value);
void bc_scalar_unknown(struct bpf_scalar *s);
bool bc_scalar_is_const(const struct bpf_scalar *s);
/* No contradiction between the bounds (a sanity check after refinement). */
bool bc_scalar_sane(const struct bpf_scalar *s);
/* bounds.c: deductions between tnum, signed and unsigned bounds of both widths. */
void bc_bounds_sync(struct bpf_scalar *s);
void bc_bounds_learn32(struct bpf_scalar *s);		/* bounds out of the known bits */
void bc_bounds_learn64(struct bpf_scalar *s);
void bc_bounds_learn(struct bpf_scalar *s);
void bc_bounds_forget64(struct bpf_scalar *s);		/* 64-bit bounds to the widest */
void bc_bounds_forget32(struct bpf_scalar *s);
void bc_bounds_forget(struct bpf_scalar *s);		/* both */
void bc_bounds_64_from_32(struct bpf_scalar *s);	/* after the 32-bit half was refined */
void bc_bounds_32_from_64(struct bpf_scalar *s);
void bc_scalar_zext32(struct bpf_scalar *s);		/* value becomes its low half, zero-extended */
void bc_scalar_truncate(struct bpf_scalar *s, u32 bytes);	/* keep the low bytes, zero-extended */
void bc_scalar_sext(struct bpf_scalar *s, u32 bytes, bool to32);	/* sign-extend the low bytes */
/* scalar.c: the transfer function of each ALU operation (BPF_OP(code)); dst op= src. */
void bc_scalar_alu(struct bpf_scalar *dst, const struct bpf_scalar *src, u8 op, bool is32);
bool bc_scalar_dead(const struct bpf_scalar *s, bool is32);	/* bounds that contradict: code that cannot be reached */
void bc_scalar_add64(struct bpf_scalar *d, const struct bpf_scalar *s);	/* 64-bit bounds of a sum, of a difference */
void bc_scalar_sub64(struct bpf_scalar *d, const struct bpf_scalar *s);
/* refine.c: is the comparison decided: 1 always taken, 0 never, -1 unknown. */
int bc_scalar_branch(const struct bpf_scalar *a, const struct bpf_scalar *b, u8 op, bool is32);
/* What taken and not-taken branches tell: narrows each operand of each. */
void bc_scalar_refine(struct bpf_scalar *true_a, struct bpf_scalar *true_b, struct bpf_scalar *false_a, struct bpf_scalar *false_b,
		      u8 op, bool is32);
/* Every value that @inner allows is allowed by @outer. */
bool bc_scalar_within(const struct bpf_scalar *outer, const struct bpf_scalar *inner);

/* ---- registers ---- */

enum bpf_reg_type {
	NOT_INIT = 0,
	SCALAR_VALUE,
	PTR_TO_CTX,
	CONST_PTR_TO_MAP,
	PTR_TO_MAP_VALUE,
	PTR_TO_MAP_KEY,
	PTR_TO_STACK,
	PTR_TO_PACKET_META,
	PTR_TO_PACKET,
	PTR_TO_PACKET_END,
	PTR_TO_FLOW_KEYS,
	PTR_TO_SOCKET,
	PTR_TO_SOCK_COMMON,
	PTR_TO_TCP_SOCK,
	PTR_TO_TP_BUFFER,
	PTR_TO_XDP_SOCK,
	PTR_TO_BTF_ID,
	PTR_TO_MEM,
	PTR_TO_BUF,
	PTR_TO_FUNC,
	PTR_TO_DYNPTR,
	__BPF_REG_TYPES,

	/* flags beside the type */
	PTR_MAYBE_NULL	= 1 << 8,
	MEM_RDONLY	= 1 << 9,
	MEM_ALLOC	= 1 << 10,	/* from ringbuf_reserve: given back as a whole */
	MEM_USER	= 1 << 11,
	MEM_PERCPU	= 1 << 12,
	PTR_UNTRUSTED	= 1 << 13,
};
#define BC_BASE_TYPE(type)	((type) & 0xff)
#define BC_TYPE_FLAGS(type)	((type) & ~0xffu)

struct bpf_reg_state {
	u32 type;			/* enum bpf_reg_type with its flags */
	s32 off;			/* fixed part of a pointer's offset */
	struct bpf_scalar v;		/* the value, or the variable part of a pointer's offset */
	union {
		s32 range;		/* packet pointers: bytes known to be there; <0: see refine of PTR_TO_PACKET_END */
		struct {		/* map pointers, map keys and values */
			const struct bc_map_desc *map;
			u32 map_uid;	/* tells look-ups in inner maps apart */
		};
		struct {		/* PTR_TO_BTF_ID */
			const struct bc_btf *btf;
			u32 btf_id;
		};
		u32 mem_size;		/* PTR_TO_MEM */
		struct {		/* half of a dynptr on the stack: see dynptr.c */
			u32 dynptr_type;	/* BC_ARG_LOCAL or BC_ARG_RINGBUF */
			u32 dynptr_first;	/* the half with the lower address */
		};
		u32 subprogno;		/* PTR_TO_FUNC */
		struct {
			u64 raw1, raw2;
		} raw;			/* all of the above, for comparison */
	};
	u32 id;				/* equal in registers known to hold the same value, look-up, or variable offset */
	u32 ref_obj_id;			/* the reference that this pointer depends on */
	u32 frameno;			/* PTR_TO_STACK: whose stack */
	bool precise;			/* scalar: its exact value was relied upon */
};

enum bpf_stack_slot_type {
	STACK_INVALID = 0,	/* nothing stored */
	STACK_SPILL,		/* part of a spilled register; a spill narrower than 8 bytes marks its low bytes only */
	STACK_MISC,		/* some initialised byte */
	STACK_ZERO,		/* a zero byte */
	STACK_DYNPTR,		/* of a dynptr, all 16 bytes of which are there: the slot's two halves are made and go together */
};

struct bpf_stack_state {
	struct bpf_reg_state spilled;	/* valid where slot_type[7] is STACK_SPILL, or STACK_DYNPTR (no register then) */
	u8 slot_type[BC_REG_BYTES];	/* [7] is the byte with the lowest address' partner: index (-off - 1) % 8, so [7] is the low byte */
};

struct bpf_reference_state {
	u32 id;
	u32 insn_idx;		/* where it was acquired, for the message */
	u32 callback_frame;	/* acquired within the callback of that frame, or in a function that it called; 0: not in a callback */
};

/*
 * Liveness lives beside the registers, as bit masks (bit = register or stack slot). A read mark in a stored state says that some
 * continuation read the value it had there; a written mark says that the code between the parent state and here wrote it first.
 */
struct bpf_liveness {
	u16 reg_read;
	u16 reg_written;
	u64 slot_read;
	u64 slot_written;
	bool done;		/* no more reads can come: what was not read has been dropped */
};

struct bpf_func_state {
	struct bpf_reg_state regs[MAX_BPF_REG];
	struct bpf_liveness live;
	s32 callsite;			/* instruction of the call; -1 in main */
	u32 frameno;
	u32 subprogno;
	u32 async_entry_cnt;		/* of frame 0: how many times a callback that runs by itself was entered on the way here */
	u32 callback_frame;		/* the innermost callback that this is, or was called from; 0: none */
	bool in_callback_fn;
	bool in_async_callback_fn;
	struct tnum callback_ret_range;
	u32 calls_at_entry;		/* of a callback's frame: bpf_verifier_state.calls_done when the helper was called */
	u32 callback_depth;		/* calls so far of the callback of the bpf_loop() at work in this frame, where their number is bounded */

	/* owned arrays: state.c */
	u32 ref_cnt;
	struct bpf_reference_state *refs;
	u32 slot_cnt;			/* stack slots in use, from fp-8 downwards */
	struct bpf_stack_state *stack;
};

/*
 * One step of the history of a state, for walking back through it: a jump that was taken, and what the instruction itself does not show
 * (the stack slot that a pointer other than r10 led to; registers that shared an id when a comparison narrowed one of them).
 */
struct bpf_jmp_step {
	u32 idx;
	u32 prev_idx;
	bool stack;		/* the instruction read or wrote slot @slot of frame @frame */
	bool linked;		/* a comparison narrowed all of link_* together; of frame @frame */
	bool linked_far;	/* ... and registers of other frames */
	u8 frame, slot;
	u16 link_regs;
	u64 link_slots;
};

struct bpf_verifier_state {
	struct bpf_func_state *frame[BC_MAX_CALL_FRAMES];
	struct bpf_verifier_state *parent;
	u32 branches;		/* continuations not yet explored to their end; more than 0 on the current path: a loop */
	u32 curframe;
	u32 insn_idx;
	u32 rounds;		/* callbacks entered on the way here */
	u32 calls_done;		/* helpers that call back and have returned on the way here, but for those called in rounds of callbacks that have ended */
	u32 active_spin_lock;	/* id of the lock's map value; 0: none held */
	u32 first_insn_idx, last_insn_idx;
	struct bpf_jmp_step *jmps;	/* jumps from first to last, for walking back */
	u32 jmp_cnt, jmp_room;
};

/* A stored state at an instruction. */
struct bpf_state_list {
	struct bpf_verifier_state state;
	struct bpf_state_list *next;
	u32 hit_cnt, miss_cnt;
};

/* A branch put off. */
struct bpf_pending {
	struct bpf_verifier_state st;
	u32 insn_idx, prev_insn_idx;
	u32 log_pos;
	struct bpf_pending *next;
};

/* ---- instructions ---- */

enum bc_ldimm_kind {
	BC_LDIMM_NONE = 0,	/* not an ld_imm64 that means more than a number */
	BC_LDIMM_MAP,		/* aux.map_index */
	BC_LDIMM_MAP_VALUE,	/* aux.map_index, aux.map_off */
	BC_LDIMM_BTF,		/* ksym: aux.value its address; type_* what it is */
	BC_LDIMM_FUNC,		/* aux.subprogno */
};

#define BC_MAP_INNER	0x8000	/* call_map: called on a map that lies in used_maps[call_map - BC_MAP_INNER - 1] */
#define BC_MAP_POISON	0xffff	/* call_map: called on different maps */

/* The index of a tail call. */
enum bc_index_kind {
	BC_INDEX_UNSEEN,
	BC_INDEX_ONE,		/* always the same, and within the array */
	BC_INDEX_ANY,
};

/* What becomes of a call of bpf_loop(), or of bpf_jiffies64(). */
enum bc_loop_kind {
	BC_LOOP_UNSEEN,
	BC_LOOP_INLINE,
	BC_LOOP_CALL,
	BC_JIFFIES_INLINE,
};

struct bpf_insn_aux_data {
	/* for fix-ups */
	bool seen;		/* some path reached it; what is not seen is removed unjudged */
	bool zext;		/* 32-bit definition */
	bool probe_mem;		/* the load may fault */
	u8 ldimm;		/* enum bc_ldimm_kind */
	u16 map_index;		/* used_maps[] */
	u16 call_map;		/* helper call: used_maps index + 1 of the map it is called on; 0 none; BC_MAP_POISON */
	u8 loop;		/* enum bc_loop_kind */
	u8 index_kind;		/* tail call: enum bc_index_kind */
	u32 index;		/* the one index that the tail call is made with */
	u32 map_off;
	u64 value;		/* ld_imm64 other than a plain number: its final 64 bits */
	u32 subprogno;		/* BC_LDIMM_FUNC, BPF_PSEUDO_CALL: target; bpf_loop(): callback */
	u32 ctx_field_size;	/* bytes of the context field loaded from */

	/* the core's own */
	u32 ptr_type;		/* register type of the base of this load or store, when it matters */
	u32 ksym_type;		/* BC_LDIMM_BTF: the register's type */
	const struct bc_btf *ksym_btf;
	u32 ksym_btf_id;
	u32 ksym_mem_size;
	u8 kfunc;		/* call of a kernel function (of ksym_btf): bc_kfuncs[] index + 1; 0: none that may be called */
	bool prune_point;	/* states are stored and compared here */
	bool jmp_point;		/* reaching it is recorded in the history */
	bool callback_point;	/* call of a helper that calls back: where rounds of the callback meet */
	u8 cfg_state, cfg_edges;
	struct bpf_state_list *states;
};

struct bpf_subprog_info {
	u32 start;		/* [subprog_cnt].start is the end of the program */
	u32 stack_depth;	/* bytes used by this frame, not rounded */
	bool has_tail_call;
	bool tail_call_reachable;
	bool has_ld_abs;
	bool is_callback;	/* sync or async */
	bool is_async_cb;
	bool is_sync_cb;		/* callback of a helper that calls it before it returns */
	bool is_global;
	bool moves_packet;	/* it, or what it calls, may move or free the packet (global functions) */
	bool unreliable;	/* its BTF does not describe its arguments */
	bool reached;		/* some path entered it (fix-up drops those that are not) */
};

/* ---- log (log.c) ---- */

#define BC_LOG_LEVEL1	1u
#define BC_LOG_LEVEL2	2u
#define BC_LOG_STATS	4u

struct bpf_verifier_log {
	u32 level;
	u64 ubuf;		/* 0 when there is none */
	u32 len_used;
	u32 len_total;
	bool fault;
	char line[1024];
};

/* ---- the run ---- */

struct bpf_id_pair {
	u32 old, cur;
};

/* What is still looked for while walking back: registers and slots of each frame whose values must be exact. */
struct bpf_backtrack {
	u32 frame;
	u16 regs[BC_MAX_CALL_FRAMES];
	u64 slots[BC_MAX_CALL_FRAMES];
};

struct bpf_verifier_env {
	const struct bc_verify_args *args;
	const struct bc_verifier_ops *ops;
	u32 prog_type;
	u32 expected_attach_type;
	u32 prog_class;			/* BC_PC_* of the program's type */
	bool strict_alignment;
	bool test_state_freq;
	bool allow_ptr_leaks;		/* always, as only privileged callers load programs */

	/* Own copy of the program. ld_imm64 keep their src_reg; what they mean is in aux. Fix-up rewrites. */
	struct bpf_insn *insns;
	struct bpf_insn_aux_data *aux;
	u32 insn_cnt;

	struct bpf_subprog_info subprogs[BC_MAX_SUBPROGS + 1];
	u32 subprog_cnt;

	struct bc_map_desc *used_maps[BC_MAX_USED_MAPS];
	u32 used_map_cnt;
	struct bc_btf *used_btfs[BC_MAX_USED_BTFS];
	u32 used_btf_cnt;

	/* own copies: fix-up moves them into the result */
	struct bpf_func_info *func_info;
	u32 func_info_cnt;
	struct bpf_line_info *line_info;
	u32 line_info_cnt;

	/* where the program attaches (PROG_TYPE_TRACING and raw tracepoints) */
	const struct bc_btf *attach_btf;
	u32 attach_func_proto;		/* type id of the FUNC_PROTO, 0: none */
	const char *attach_func_name;
	u32 attach_arg_cnt;
	struct bc_func_model attach_model;	/* of a function */
	u32 max_tp_access;
	const struct bc_iter_target *iter;	/* what an iterator walks over */
	u32 max_rdonly_access, max_rdwr_access;	/* of buffers, the bytes that are reached */

	/* findings for struct bc_verified */
	bool calls_get_func_ip;
	bool calls_get_stack;
	bool has_callbacks;
	bool has_tail_call;
	bool seen_direct_write;
	bool changes_pkt_data;
	u32 max_ctx_offset;

	/* the walk */
	u32 insn_idx, prev_insn_idx;
	struct bpf_verifier_state *cur;
	struct bpf_pending *pending;
	u32 pending_cnt;
	struct bpf_state_list *free_list;	/* dropped from their lists, but still parents */
	u32 id_gen;
	u32 subprogno;			/* being verified: 0, or a global function */

	struct bpf_id_pair idmap[BC_ID_MAP];
	u32 idmap_cnt;
	u32 idmap_fresh;		/* ids made up for registers that have none */
	bool step_pushed;		/* the current instruction has its entry in the history */
	struct bpf_backtrack bt;

	/* counters: log level 4 and struct bc_verified */
	u32 insn_processed;
	u32 jmps_processed;
	u32 prev_insn_processed, prev_jmps_processed;
	u32 total_states, peak_states, max_states_per_insn;
	u32 longest_mark_read_walk;
	u64 time_ns;

	struct bpf_verifier_log log;
	/* what changed since the state was last printed */
	u32 scratched_regs;
	u64 scratched_slots;
	u32 prev_log_len, prev_insn_print_len;
	const struct bpf_line_info *prev_linfo;
	char type_str[64];		/* results of bc_type_str(), bc_tnum_str(), bc_helper_name() */
	char tnum_str[48];
	char func_str[64];

	struct bpf_reg_state tmp_reg[2];	/* scratch, off the C stack */

#ifndef __KERNEL__
	/* Tests: called before each instruction is processed, with the state it is processed in. */
	void (*record)(void *arg, const struct bpf_verifier_env *env, u32 insn_idx);
	void *record_arg;
	bool no_prune;		/* take no state as covered by an earlier one, so that all that was recorded holds as it stands */
#endif
};

#ifndef __KERNEL__
/* Tests (user/lib.c): called by bc_verify() on each new environment, before anything is checked; sets record and no_prune. */
void bc_test_env(struct bpf_verifier_env *env);
#endif

static inline struct bpf_func_state *bc_cur_func(struct bpf_verifier_env *env)
{
	return env->cur->frame[env->cur->curframe];
}

static inline struct bpf_reg_state *bc_cur_regs(struct bpf_verifier_env *env)
{
	return bc_cur_func(env)->regs;
}

/* The spilled register of a slot, NULL when it holds none. */
static inline struct bpf_reg_state *bc_spilled_reg(const struct bpf_func_state *f, u32 slot)
{
	if (slot >= f->slot_cnt || f->stack[slot].slot_type[BC_REG_BYTES - 1] != STACK_SPILL)
		return NULL;
	return &f->stack[slot].spilled;
}

/* ---- log.c, print.c, disasm.c ---- */

int bc_log_init(struct bpf_verifier_log *log, const struct bc_verify_args *args);
bool bc_log_needed(const struct bpf_verifier_log *log);
bool bc_log_full(const struct bpf_verifier_log *log);
void bc_log_reset(struct bpf_verifier_log *log, u32 pos);
void bc_vlog(struct bpf_verifier_log *log, const char *fmt, va_list ap);
/* A message at any level (no newline is added). */
void bc_log(struct bpf_verifier_env *env, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

void bc_log_source(struct bpf_verifier_env *env, u32 insn_idx, const char *prefix);
void bc_log_source_at(struct bpf_verifier_env *env, u32 insn_idx);
const char *bc_tnum_str(struct bpf_verifier_env *env, struct tnum t);
const char *bc_type_str(struct bpf_verifier_env *env, u32 type);
const char *bc_helper_name(struct bpf_verifier_env *env, s32 func_id);
const char *bc_alu_op_str(u8 op);
const char *bc_btf_type_name(const struct bc_btf *btf, u32 id);
void bc_print_insn(struct bpf_verifier_env *env, u32 idx);
void bc_print_frame(struct bpf_verifier_env *env, const struct bpf_func_state *f, bool all);
void bc_print_change(struct bpf_verifier_env *env, const struct bpf_func_state *f);
void bc_scratch_clear(struct bpf_verifier_env *env);
void bc_scratch_all(struct bpf_verifier_env *env);
void bc_log_bad_range(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, struct tnum range, const char *where);

/* ---- state.c: owning and copying ---- */

int bc_state_copy(struct bpf_verifier_state *dst, const struct bpf_verifier_state *src);
void bc_state_release(struct bpf_verifier_state *st);	/* what it owns */
void bc_state_free(struct bpf_verifier_state *st);
void bc_frame_free(struct bpf_func_state *f);
struct bpf_func_state *bc_frame_new(struct bpf_verifier_env *env, s32 callsite, u32 frameno, u32 subprogno);
int bc_frame_grow(struct bpf_verifier_env *env, struct bpf_func_state *f, u32 bytes);
int bc_refs_copy(struct bpf_func_state *dst, const struct bpf_func_state *src);
int bc_ref_acquire(struct bpf_verifier_env *env, u32 insn_idx);	/* the new id, or an error */
int bc_ref_drop(struct bpf_func_state *f, u32 id);		/* -EINVAL when not held */
/* Puts a copy of the current state off till later; NULL with a message when there are too many, or no memory. */
struct bpf_verifier_state *bc_branch_push(struct bpf_verifier_env *env, u32 insn_idx, u32 prev_insn_idx);
/* The same of a state of @frame alone, which it takes over, and which has no past. */
struct bpf_verifier_state *bc_async_push(struct bpf_verifier_env *env, u32 insn_idx, u32 prev_insn_idx, struct bpf_func_state *frame);
/* -ENOENT when nothing is left. */
int bc_branch_pop(struct bpf_verifier_env *env, u32 *prev_insn_idx, u32 *insn_idx, bool pop_log);
void bc_branches_drop(struct bpf_verifier_env *env);
void bc_branch_done(struct bpf_verifier_env *env, struct bpf_verifier_state *st);

/* ---- reg.c: registers, their use and liveness ---- */

void bc_reg_unknown(struct bpf_reg_state *reg);
void bc_reg_not_init(struct bpf_reg_state *reg);
void bc_reg_const(struct bpf_reg_state *reg, u64 value);
void bc_reg_zero_offset(struct bpf_reg_state *reg);	/* cleared, but for its type, id and object */
void bc_reg_pointer(struct bpf_reg_state *reg, u32 type);	/* fresh pointer to the start of something */
bool bc_reg_is_null(const struct bpf_reg_state *reg);	/* the number 0 */
bool bc_reg_is_pkt(const struct bpf_reg_state *reg);
bool bc_reg_is_pkt_any(const struct bpf_reg_state *reg);
/* An instruction reads or writes a register. 0 or an error with its message. */
int bc_reg_use(struct bpf_verifier_env *env, u32 regno);
int bc_reg_def(struct bpf_verifier_env *env, u32 regno);
int bc_reg_def_unknown(struct bpf_verifier_env *env, u32 regno);
/* The value of register, stack slot or all of a frame flows on from the states above. */
int bc_mark_reg_read(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u32 frame, u32 regno);
int bc_mark_slot_read(struct bpf_verifier_env *env, struct bpf_verifier_state *st, u32 frame, u32 slot);
void bc_clear_caller_saved(struct bpf_verifier_env *env, struct bpf_func_state *f);
/* Every register and wholly spilled register of a state (as Linux goes through them): *pos starts at 0; NULL at the end. */
struct bpf_reg_state *bc_next_reg(struct bpf_verifier_state *st, u32 *pos);

/* ---- the checks of instructions: walk.c, alu.c, jump.c, mem.c, stack.c, helper.c, call.c ---- */

enum bc_access { BC_READ, BC_WRITE };

#define BC_NO_REG	(-1)	/* the value does not come from, or go to, a register */

int bc_check_alu(struct bpf_verifier_env *env, const struct bpf_insn *insn);
u8 bc_jmp_flip(u8 op);
int bc_check_cond_jmp(struct bpf_verifier_env *env, const struct bpf_insn *insn);

int bc_check_mem(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno, bool aligned_once);
int bc_check_alignment(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, s32 off, u32 bytes, bool strict);
int bc_check_region(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, u32 mem_size, bool zero_ok);
int bc_check_map_value(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok, bool by_helper);
int bc_check_map_rights(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, enum bc_access access);
int bc_check_packet(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok);
int bc_check_buffer(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, const char *what, u32 regno, s32 off, s32 size);
int bc_check_ptr_unmodified(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, u32 regno, bool fixed_off_ok);
bool bc_may_access_packet(struct bpf_verifier_env *env, bool by_helper, bool helper_may, enum bc_access access);
bool bc_map_is_constant(const struct bc_map_desc *map);

struct bpf_call_meta;
int bc_check_stack(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno);
int bc_check_stack_range(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok, bool by_helper,
			 struct bpf_call_meta *meta);

/* What is gathered while the arguments of a helper are checked. */
struct bpf_call_meta {
	s32 func_id;
	const struct bc_func_proto *proto;
	const struct bc_map_desc *map;
	u32 map_uid;
	bool raw_mode;		/* the memory argument at hand is written, and need not be initialised */
	u32 raw_regno;		/* memory on the stack that the helper writes: raw_size bytes at raw_regno */
	s32 raw_size;
	u64 msize_max;
	u32 mem_size;
	u32 ref_obj_id;
	u32 release_regno;
	u32 dynptr_regno;	/* dynptr that the helper makes */
	u32 subprogno;
	const struct bc_btf *ret_btf;
	u32 ret_btf_id;
	const struct bc_kptr *kptr;		/* bpf_kptr_xchg: the field, and the map that it is in */
	const struct bc_map_desc *kptr_map;
};

int bc_check_helper_call(struct bpf_verifier_env *env, const struct bpf_insn *insn);
int bc_check_args(struct bpf_verifier_env *env, struct bpf_call_meta *meta);
int bc_check_helper_mem(struct bpf_verifier_env *env, u32 regno, s32 size, enum bc_access access, bool zero_ok, struct bpf_call_meta *meta);
int bc_check_map_func(struct bpf_verifier_env *env, const struct bc_map_desc *map, s32 func_id);
int bc_check_ref_leak(struct bpf_verifier_env *env);
int bc_ref_release(struct bpf_verifier_env *env, u32 ref_obj_id);
bool bc_helper_calls_back(s32 func_id);
void bc_forget_packets(struct bpf_verifier_env *env);	/* pointers to packets are numbers from here on */
int bc_check_snprintf(struct bpf_verifier_env *env);

/* helper_args.c: pointers to memory may point into it; all others are passed as they were made. */
int bc_check_arg_offset(struct bpf_verifier_env *env, u32 regno, u16 arg);
/* The size of the memory in the register before. */
int bc_check_mem_size(struct bpf_verifier_env *env, u32 regno, enum bc_access access, bool zero_ok, struct bpf_call_meta *meta);

/* ---- kfunc.c, kfunc_args.c: calls of kernel functions ---- */

/* A call at work. */
struct bc_kfunc_call {
	const struct bc_kfunc *fn;
	const struct bc_btf *btf;
	const struct btf_type *proto;
	const char *name;
	u32 func_id;
	u32 ref_obj_id;			/* of the argument that is a reference; 0: none */
	u64 mem_size;			/* of the memory that is returned; 0: not told */
	bool mem_rdonly;
};

/* Before the walk: does the call of @idx name a function? */
int bc_find_kfunc(struct bpf_verifier_env *env, u32 idx);
/* Its name, for the log. */
const char *bc_kfunc_name(const struct bpf_verifier_env *env, u32 idx);
int bc_check_kfunc_call(struct bpf_verifier_env *env, const struct bpf_insn *insn);
int bc_check_kfunc_args(struct bpf_verifier_env *env, struct bc_kfunc_call *c);
/* btf_args.c: the struct that programs of the type get as their context; NULL when it has none. */
const char *bc_ctx_struct_name(u32 prog_type);
/* The function may read and write all of the memory, or find NULL. */
int bc_pass_mem(struct bpf_verifier_env *env, u32 regno, u32 bytes);
/* target.c: how a function takes its arguments, with Linux's messages about those that cannot be called. */
int bc_func_model(struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *proto, const char *name,
		  struct bc_func_model *m);
int bc_use_btf(struct bpf_verifier_env *env, struct bc_btf *btf);	/* resolve.c: keeps it with the program; takes the reference over */

int bc_check_call(struct bpf_verifier_env *env, const struct bpf_insn *insn);
int bc_push_callback(struct bpf_verifier_env *env, const struct bpf_call_meta *meta);
int bc_return_from_call(struct bpf_verifier_env *env);
int bc_check_return_code(struct bpf_verifier_env *env);
int bc_check_spin_lock(struct bpf_verifier_env *env, u32 regno, bool lock);

/* timer.c */
int bc_check_timer_arg(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta);
int bc_push_async_callback(struct bpf_verifier_env *env, const struct bpf_call_meta *meta);
int bc_check_async_result(struct bpf_verifier_env *env);

int bc_walk(struct bpf_verifier_env *env);	/* from env->cur at env->insn_idx to the end of all paths */

/* ---- btf_walk.c ---- */

enum bc_btf_walk { BC_WALK_SCALAR, BC_WALK_PTR };
/* What a load of @size bytes at @off of struct @id gives (with *next_id and flags of the register, for a pointer), or an error with its message. */
int bc_btf_struct_access(struct bpf_verifier_env *env, const struct bc_btf *btf, u32 id, u32 off, u32 size, u32 *next_id, u32 *flags);
/* Struct @want lies @off bytes into struct @id. */
bool bc_btf_struct_within(const struct bc_btf *btf, u32 id, u32 off, u32 want);

/* ---- dynptr.c ---- */

/* The argument is a dynptr of the kind that the prototype says. */
int bc_check_dynptr_arg(struct bpf_verifier_env *env, u32 n, struct bpf_call_meta *meta);
int bc_check_dynptr_release(struct bpf_verifier_env *env, u32 regno);	/* ... and one that can be given back */
/* The register's dynptr, where it is a good one; id: of the reference, 0: none. */
bool bc_dynptr_is(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, u32 type, u32 *id);
int bc_read_dynptr(struct bpf_verifier_env *env, const struct bpf_reg_state *reg);	/* it is used: its slots count as read */
int bc_make_dynptr(struct bpf_verifier_env *env, const struct bpf_call_meta *meta);
int bc_release_dynptr(struct bpf_verifier_env *env, u32 regno);
/* A slot is about to be written: what was a dynptr is none any more, which one with a reference must not be. */
int bc_spoil_dynptr(struct bpf_verifier_env *env, struct bpf_func_state *f, u32 slot);

/* ---- kptr.c ---- */

const struct bc_kptr *bc_kptr_at(const struct bc_map_desc *map, s64 off);	/* NULL: none begins there */
/* An access that touches a kptr must be to the whole of it, at a known place, and by the program itself. */
int bc_check_kptr_bounds(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool by_helper);
int bc_access_kptr(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, int value_regno);
/* May the register's pointer go into the field? */
int bc_kptr_match(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, u32 regno);
int bc_check_kptr_arg(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta);

/* ---- btf_args.c: global functions ---- */

int bc_global_args_init(struct bpf_verifier_env *env, u32 subprogno, struct bpf_reg_state *regs);
void bc_note_arg_types(struct bpf_verifier_env *env, u32 subprogno, const struct bpf_reg_state *regs);
int bc_global_args_match(struct bpf_verifier_env *env, u32 subprogno);

/* ---- prune.c, precision.c ---- */

/* 1: the path may end here, an equal one was walked; 0; or an error. */
int bc_state_seen(struct bpf_verifier_env *env);
void bc_states_free(struct bpf_verifier_env *env);
int bc_history_push(struct bpf_verifier_env *env, struct bpf_verifier_state *st, const struct bpf_jmp_step *what);
int bc_mark_precise(struct bpf_verifier_env *env, u32 regno);
int bc_precision_of(struct bpf_verifier_env *env, const struct bpf_verifier_state *old);	/* as the equal state needs it */
void bc_mark_all_precise(struct bpf_verifier_state *st);	/* @st and all before it */
void bc_forget_precise(struct bpf_verifier_state *st);

/* ---- before the walk: cfg.c, resolve.c, info.c, target.c ---- */

int bc_find_subprog(const struct bpf_verifier_env *env, u32 insn_idx);	/* -ENOENT */
int bc_add_subprogs(struct bpf_verifier_env *env);
int bc_check_subprogs(struct bpf_verifier_env *env);
int bc_check_cfg(struct bpf_verifier_env *env);
int bc_find_packet_movers(struct bpf_verifier_env *env);
int bc_check_stack_depth(struct bpf_verifier_env *env);
int bc_resolve_ldimm64(struct bpf_verifier_env *env);
int bc_check_btf_info(struct bpf_verifier_env *env);
int bc_check_attach(struct bpf_verifier_env *env);

/* ---- by the engine's files ---- */

/* loop.c: bpf_loop() in line. */
#define BC_LOOP_INSNS	19
#define BC_LOOP_STACK	24	/* bytes that it takes of the frame */
#define BC_JIFFIES_INSNS 3	/* that bpf_jiffies64() becomes */
/* The helper is about to be called with callback @subprogno. */
int bc_note_loop(struct bpf_verifier_env *env, u32 subprogno);
/* BC_LOOP_INSNS instructions, in a frame of @depth bytes; the callback stands @callback instructions behind the first of them. */
void bc_expand_loop(struct bpf_insn *at, u32 depth, s32 callback);

/* fixup.c: out of a verified env, the program to run. Moves used_maps, used_btfs, func_info, line_info into @out on success. */
int bc_fixup(struct bpf_verifier_env *env, struct bc_verified *out);

/* ctx.c: is a load or store of @size bytes at constant @off of the context allowed, and what does a load give? */
struct bc_ctx_access {
	u32 reg_type;		/* out: enum bpf_reg_type of the loaded value; set to SCALAR_VALUE by the caller */
	u32 field_size;		/* out: bytes of the field when the access may be narrower, else 0 */
	const struct bc_btf *btf;	/* out: PTR_TO_BTF_ID */
	u32 btf_id;
};
bool bc_ctx_access_ok(struct bpf_verifier_env *env, int off, int size, bool write, struct bc_ctx_access *info);
/* target.c: the same for programs of type TRACING, with messages. */
bool bc_tracing_ctx_ok(struct bpf_verifier_env *env, int off, int size, bool write, struct bc_ctx_access *info);
/* iter.c: does the function that the program is for stand for an iterator that is here? -EINVAL. */
int bc_iter_check_target(struct bpf_verifier_env *env);
/* Is the pointer at @off of an iterator's context one to plain memory? */
bool bc_iter_memory_arg(const struct bpf_verifier_env *env, u32 off, struct bc_ctx_access *info);
/* The same to a struct that comes with more, or less, than its prototype says. */
enum bc_iter_ptr { BC_ITER_PLAIN, BC_ITER_DONE, BC_ITER_BAD };
enum bc_iter_ptr bc_iter_pointer_arg(struct bpf_verifier_env *env, u32 off, struct bc_ctx_access *info);
/* May programs over it look at the options of its sockets, and set them? */
bool bc_iter_has_options(const struct bpf_verifier_env *env);
/* A buffer of register type @type is accessed up to byte @end. */
void bc_note_buffer(struct bpf_verifier_env *env, u32 type, s32 end);
/* The same for loads through pointers to sockets. */
bool bc_ctx_sock_ok(u32 reg_type, int off, int size, struct bc_ctx_access *info);
/* The prototype of a helper for programs of env's type, or NULL ("unknown func" for Linux: not in that type's table). */
const struct bc_func_proto *bc_prog_func_proto(const struct bpf_verifier_env *env, u32 func_id);
/* BC_PC_* of a program type, 0 when the type is not supported. */
u32 bc_prog_class(u32 prog_type, u32 expected_attach_type);

#endif
