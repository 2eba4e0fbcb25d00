/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The generator of well-typed programs: what it makes, and what its files share. A program is made from its seed alone, so that any can be made
 * again. Most are meant to be accepted; some step over the line on purpose.
 */
#ifndef TYPED_GEN_H
#define TYPED_GEN_H

#include "../../../verifier/user/lib.h"

#define GEN_MAX_INSNS	1024
#define GEN_MAX_FUNCS	32
#define GEN_MAX_LABELS	512
#define GEN_VALUE	48	/* bytes of a value of each map with values, but for the constants */
#define GEN_TEXT	208	/* ... of the constants: numbers, then texts and formats at every 16 */

/* What programs may use; each seed uses some of what the caller allows. */
#define GEN_NEW_INSNS	1	/* encodings later than Linux 6.1 */
#define GEN_CALLBACKS	2
#define GEN_RECORDS	4
#define GEN_PACKETS	8
#define GEN_TYPES	16	/* BTF: global functions, spin locks, line records */
#define GEN_KERNEL	32	/* the small kernel's types: tracing programs */
#define GEN_TIMERS	64
#define GEN_DYNPTRS	128
#define GEN_KFUNCS	256
#define GEN_OWNED	512	/* kernel objects that maps own */
#define GEN_STORAGE	1024
#define GEN_ALL		2047

enum gen_map {
	GEN_ARRAY, GEN_HASH, GEN_PERCPU, GEN_PERCPU_HASH, GEN_LOCKED, GEN_TIMER, GEN_KPTR, GEN_KPTR_PERCPU,	/* look-ups give GEN_VALUE bytes */
	GEN_ONE,	/* an array of one value, addressed directly */
	GEN_KEPT,	/* ... whose value begins with an object that it owns */
	GEN_CONST,	/* constants */
	GEN_TASKS, GEN_SOCKS, GEN_CGROUP,	/* storage */
	GEN_RING, GEN_EVENTS, GEN_PROGS, GEN_USER_RING, GEN_MAPS
};

/* Functions of the kernel's. */
enum gen_kfunc {
	GEN_KF_ACQUIRE, GEN_KF_RELEASE, GEN_KF_RDWR, GEN_KF_RDONLY, GEN_KF_REF, GEN_KF_CTX, GEN_KF_PASS, GEN_KF_LEN, GEN_KF_SUM,
	GEN_KF_SUM4, GEN_KF_KPTR_GET, GEN_KF_DESTROY, GEN_KFUNC_CNT
};

struct gen_fds {
	int map[GEN_MAPS];
	int btf, module;
	s32 kfunc[GEN_KFUNC_CNT];	/* their types */
};

struct gen_prog {
	u32 type, attach_type, attach_btf_id, flags;
	struct bpf_insn insns[GEN_MAX_INSNS];
	u32 cnt;
	bool needs_btf;
	bool calls_back;	/* walking it without pruning does not end */
	struct bpf_func_info funcs[GEN_MAX_FUNCS];
	u32 func_cnt;
	struct bpf_line_info lines[GEN_MAX_FUNCS * 2];
	u32 line_cnt;
};

/* What r6 points to. */
enum gen_base { BASE_NONE, BASE_VALUE, BASE_STACK, BASE_MEM, BASE_LOCKED };

enum gen_func_kind { FUNC_STATIC, FUNC_GLOBAL_MEM, FUNC_GLOBAL_CTX, FUNC_LOOP, FUNC_EACH, FUNC_TIMER, FUNC_DRAIN, FUNC_VMA };

struct gen_func {
	enum gen_func_kind kind;
	int label;
	u32 depth;
	enum gen_base base;	/* FUNC_STATIC: of its first argument */
	u32 start;
};

/* A frame at work. */
struct gen_frame {
	u32 depth;
	enum gen_base base;
	u32 base_size;
	u16 nums;		/* registers that hold numbers */
	u16 slots;		/* whole stack slots that have been written: bit n is fp - 8 * (n + 1) */
	bool has_ctx;		/* it lies at CTX_SLOT */
	bool has_dynptr;	/* ... one to a map's value at DYNPTR_SLOT */
	bool held;		/* a reference or a lock: no way out */
	int out;		/* label */
	bool leaves;		/* something jumps there */
	u32 jumps;		/* paths double with each */
};

struct gen_open {
	int label;
	u32 steps;
	u16 nums, slots;
	bool has_dynptr;
};

struct gen {
	struct gen_prog *p;
	const struct gen_fds *fds;
	u64 rng;
	u32 features;
	struct gen_frame f;
	struct gen_open open[32];
	u32 open_cnt;
	u32 label_at[GEN_MAX_LABELS];
	int label_cnt;
	struct { u32 insn; int label; bool in_imm; } fixes[GEN_MAX_LABELS * 2];
	u32 fix_cnt;
	struct gen_func funcs[GEN_MAX_FUNCS];
	u32 func_cnt;
	bool full;
};

#define DATA_SLOTS	8	/* fp-8 to fp-64: numbers, spills */
#define CTX_SLOT	(-72)
#define BASE_SLOT	(-80)
#define KEY_SLOT	(-88)
#define BUFFER		(-136)	/* GEN_VALUE bytes */
#define DYNPTR_SLOT	(-152)

void gen_make(struct gen_prog *p, u64 seed, u32 features, const struct gen_fds *fds);
/* Contents for values: edges and noise. */
void gen_values(u64 *words, u32 cnt, u64 seed);

/* gen.c */
u32 rnd(struct gen *g, u32 below);
bool chance(struct gen *g, u32 percent);
u64 rnd64(struct gen *g);
s32 some_imm(struct gen *g);
int new_label(struct gen *g);
void place(struct gen *g, int label);
void emit(struct gen *g, u8 code, u8 dst, u8 src, s16 off, s32 imm);
void jump(struct gen *g, u8 code, u8 dst, u8 src, s32 imm, int label);	/* with off to @label */
void call_label(struct gen *g, int label);
void load_map(struct gen *g, u8 dst, enum gen_map map);
void load_value_of(struct gen *g, u8 dst, enum gen_map map, u32 off);
void load_func(struct gen *g, u8 dst, int label);
void load_imm64(struct gen *g, u8 dst, u64 value);
void helper(struct gen *g, s32 id);		/* a call, after which only r0 is a number */
int add_func(struct gen *g, enum gen_func_kind kind, enum gen_base base);	/* its label, -1 when there are too many */
int num(struct gen *g);				/* a register that holds a number */
int dst(struct gen *g);				/* one that may be written (it holds a number from now on) */
int scratch(struct gen *g, u32 without);	/* one to hold a pointer for a while, not in the mask */
bool straight_steps(struct gen *g, u32 cnt);
void steps(struct gen *g, u32 cnt);

/* gen_data.c: numbers, bounds, memory */
void step_alu(struct gen *g);
void step_odd_alu(struct gen *g);
void step_new_alu(struct gen *g);
void step_jump(struct gen *g);
void step_bound(struct gen *g);
void step_base_access(struct gen *g);
void step_stack_access(struct gen *g);
void step_spill(struct gen *g);
void step_diamond(struct gen *g);
void step_loop(struct gen *g);
void step_const(struct gen *g);
void step_ctx(struct gen *g);
void bound(struct gen *g, int reg, u32 max);
void access_mem(struct gen *g, int ptr, s32 off, u32 size);

/* gen_calls.c: helpers, functions, packets, records */
void step_call(struct gen *g);
void step_lookup(struct gen *g);
void step_map_write(struct gen *g);
void step_memory_helper(struct gen *g);
void step_text_helper(struct gen *g);
void step_function(struct gen *g);
void step_callback(struct gen *g);
void step_record(struct gen *g);
void step_packet(struct gen *g);
void step_socket(struct gen *g);
void step_lock(struct gen *g);
void step_timer(struct gen *g);
void step_tail_call(struct gen *g);
void step_kernel(struct gen *g);

/* gen_more.c: rarer things */
void step_format(struct gen *g);
void step_kptr(struct gen *g);
void step_walk(struct gen *g);
void step_fields(struct gen *g);
void step_ld_abs(struct gen *g);
void step_packet_key(struct gen *g);

/* gen_objects.c: dynptrs, kernel functions, iterators */
void step_dynptr(struct gen *g);
void step_dynptr_record(struct gen *g);
void step_drain(struct gen *g);
void step_kfunc(struct gen *g);
void step_iter(struct gen *g);
void step_find_vma(struct gen *g);
void lent_dynptr(struct gen *g);
void call_kfunc(struct gen *g, enum gen_kfunc which);

/* gen_kept.c: objects that maps own, storage */
void step_owned(struct gen *g);
void step_more_kfuncs(struct gen *g);
void step_storage(struct gen *g);

/* gen_kernel.c: what only a kernel has */
void step_variable(struct gen *g);
void step_attached(struct gen *g);
void step_cast(struct gen *g);

void some_numbers(struct gen *g);
void stack_pointer(struct gen *g, int reg, s32 off);
void fill_region(struct gen *g);
void lookup(struct gen *g, enum gen_map map);

#define ALU64(op)	(BPF_ALU64 | (op))
#define LD_MEM(bytes)	(BPF_LDX | BPF_MEM | size_code(bytes))
#define STX_MEM(bytes)	(BPF_STX | BPF_MEM | size_code(bytes))
#define ST_MEM(bytes)	(BPF_ST | BPF_MEM | size_code(bytes))
#define MOV(d, s)	emit(g, BPF_ALU64 | BPF_MOV | BPF_X, d, s, 0, 0)
#define MOVI(d, i)	emit(g, BPF_ALU64 | BPF_MOV | BPF_K, d, 0, 0, i)
#define ADD(d, s)	emit(g, BPF_ALU64 | BPF_ADD | BPF_X, d, s, 0, 0)
#define ADDI(d, i)	emit(g, BPF_ALU64 | BPF_ADD | BPF_K, d, 0, 0, i)
#define JI(op, d, i, l)	jump(g, BPF_JMP | (op) | BPF_K, d, 0, i, l)
#define JR(op, d, s, l)	jump(g, BPF_JMP | (op) | BPF_X, d, s, 0, l)

static inline u8 size_code(u32 bytes)
{
	return bytes == 8 ? BPF_DW : bytes == 4 ? BPF_W : bytes == 2 ? BPF_H : BPF_B;
}

#endif
