/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the verifier offers to whoever loads programs (the module; the user-space library), and what it wants from them.
 * It knows nothing of the kernel: maps, BTF objects and helpers reach it through descriptions and call-backs.
 * Global names carry the prefix bc_, since Linux's own headers may be included beside this one.
 */
#ifndef BPFCOMPAT_VERIFIER_H
#define BPFCOMPAT_VERIFIER_H

#include "port.h"

#define BC_MAX_INSNS		1000000	/* instructions of a program, and processed by the verifier (Linux: BPF_COMPLEXITY_LIMIT_INSNS) */
#define BC_MAX_STACK		512	/* bytes of BPF stack along any call chain (Linux: MAX_BPF_STACK) */
#define BC_MAX_CALL_FRAMES	8
#define BC_MAX_SUBPROGS		256
#define BC_MAX_USED_MAPS	64
#define BC_MAX_USED_BTFS	64
#define BC_MAX_TAIL_CALLS	33

struct bc_btf;			/* verifier/btf.h */

/* ---- maps, as the verifier sees them ---- */

#define BC_MAX_KPTRS		8	/* in a value (Linux: BPF_MAP_VALUE_OFF_MAX) */

/* A pointer to a kernel object in a map's value. */
struct bc_kptr {
	u32 off;		/* bytes */
	u32 btf_id;		/* what it points to */
	bool ref;		/* holds a reference: exchanged, never stored */
	u8 dtor;		/* which gives it back: enum bc_kfunc_id */
};

/*
 * Embedded as the first member of the module's struct bc_map, so that the address of the description is the address that a
 * program holds as its map pointer.
 */
struct bc_map_desc {
	u32 type;		/* enum bpf_map_type */
	u32 key_size;		/* bytes */
	u32 value_size;		/* bytes */
	u32 max_entries;
	u32 flags;		/* BPF_F_* of MAP_CREATE */
	u32 id;
	u64 map_extra;
	char name[BPF_OBJ_NAME_LEN];
	s32 spin_lock_off;	/* byte offset of struct bpf_spin_lock in the value, or -1 */
	s32 timer_off;		/* the same of struct bpf_timer */
	bool frozen_rdonly;	/* BPF_F_RDONLY_PROG and frozen, with no writer left: contents are constants */
	const struct bc_btf *btf;	/* NULL without BTF */
	u32 btf_key_type_id;
	u32 btf_value_type_id;
	const struct bc_map_desc *inner;	/* template of a map-in-map */
	const struct bc_btf *kptr_btf;	/* whose types kptrs[] point to */
	struct bc_kptr kptrs[BC_MAX_KPTRS];
	u32 kptr_cnt;
	s32 kptr_err;		/* why there are none: what bc_btf_find_kptrs() said */
};

/* ---- helpers ---- */

enum bc_arg_type {
	BC_ARG_NONE = 0,		/* the helper has no such argument */
	BC_ARG_ANYTHING,		/* any initialised value */
	BC_ARG_CONST_MAP_PTR,
	BC_ARG_MAP_KEY,			/* initialised memory of the map's key size */
	BC_ARG_MAP_VALUE,		/* initialised memory of the map's value size */
	BC_ARG_UNINIT_MAP_VALUE,	/* memory of the map's value size, written by the helper */
	BC_ARG_MEM,			/* readable memory; the next argument is its size */
	BC_ARG_UNINIT_MEM,		/* memory that the helper writes; the next argument is its size */
	BC_ARG_CONST_SIZE,		/* bytes, > 0 */
	BC_ARG_CONST_SIZE_OR_ZERO,
	BC_ARG_CTX,
	BC_ARG_SPIN_LOCK,
	BC_ARG_SOCK_COMMON,
	BC_ARG_BTF_SOCK_COMMON,		/* the same, or a pointer to the kernel's own struct */
	BC_ARG_INT_FIXED_MEM,		/* initialised memory whose size the prototype gives (fixed_size) */
	BC_ARG_UNINIT_FIXED_MEM,
	BC_ARG_BTF_ID,			/* pointer to the kernel type arg_btf_name[] */
	BC_ARG_ALLOC_MEM,		/* memory from ringbuf_reserve, given back by the helper (releases) */
	BC_ARG_CONST_ALLOC_SIZE,	/* constant; the size of the memory that the helper returns */
	BC_ARG_PERCPU_BTF_ID,
	BC_ARG_FUNC,			/* a callback subprogram */
	BC_ARG_STACK,			/* pointer to the stack, for callbacks' context */
	BC_ARG_CONST_STR,		/* NUL-terminated string in a frozen read-only map */
	BC_ARG_TIMER,
	BC_ARG_DYNPTR,
	BC_ARG_KPTR,
	BC_ARG_LONG,			/* 8-byte aligned pointer to a u64 that the helper writes */
	BC_ARG_INT,			/* the same, 4 bytes */
	__BC_ARG_TYPES,

	/* flags beside the type */
	BC_ARG_OR_NULL = 1 << 8,	/* NULL is allowed (Linux: PTR_MAYBE_NULL) */
	BC_ARG_RELEASE = 1 << 9,	/* the helper releases the reference held by this argument */
	BC_ARG_WRITE = 1 << 10,		/* memory that must be initialised is also written (Linux: MEM_WRITE): none that is read-only */
	BC_ARG_RW_TYPE = 1 << 11,	/* not written, but of a type that could be: Linux's prototype lacks MEM_RDONLY */
	BC_ARG_MAKES = 1 << 12,		/* a dynptr that the helper makes (Linux: MEM_UNINIT) */
	BC_ARG_LOCAL = 1 << 13,		/* a dynptr to memory of the program's; without this and the next, any dynptr */
	BC_ARG_RINGBUF = 1 << 14,	/* a dynptr to a record of a ring buffer */
};
#define BC_ARG_TYPE(arg)	((arg) & 0xff)

enum bc_ret_type {
	BC_RET_INTEGER = 0,
	BC_RET_VOID,
	BC_RET_MAP_VALUE,
	BC_RET_MAP_VALUE_OR_NULL,
	BC_RET_ALLOC_MEM_OR_NULL,
	BC_RET_BTF_ID,			/* trusted pointer to ret_btf_name */
	BC_RET_BTF_ID_OR_NULL,
	BC_RET_MEM_OR_BTF_ID,		/* per-CPU ksym */
	BC_RET_MEM_OR_BTF_ID_OR_NULL,
	BC_RET_DYNPTR_MEM_OR_NULL,
	BC_RET_SOCK_OR_NULL,
	BC_RET_TCP_SOCK_OR_NULL,
	BC_RET_SOCK_COMMON_OR_NULL,
};

/* One row of the table in verifier/helper_protos.c. */
struct bc_func_proto {
	const char *name;		/* without "bpf_" */
	u16 arg[5];			/* enum bc_arg_type | flags */
	u16 ret;			/* enum bc_ret_type */
	u8 fixed_size[5];		/* bytes, for BC_ARG_*_FIXED_MEM */
	u32 prog_classes;		/* BC_PC_*: program types that may call it */
	const char *arg_btf_name[5];
	const char *ret_btf_name;
	bool gpl_only;
	bool pkt_access;		/* packet pointers may be passed */
	bool changes_pkt_data;
	bool might_sleep;
};

#define BC_PC_SOCKET_FILTER	(1u << 0)
#define BC_PC_TRACING		(1u << 1)	/* kprobe, tracepoint, raw_tracepoint, perf_event: whatever all tracing types share */
#define BC_PC_KPROBE		(1u << 2)
#define BC_PC_TRACEPOINT	(1u << 3)
#define BC_PC_RAW_TRACEPOINT	(1u << 4)
#define BC_PC_PERF_EVENT	(1u << 5)
#define BC_PC_BTF_TRACING	(1u << 6)	/* BPF_PROG_TYPE_TRACING: fentry, fexit, tp_btf, iter */
#define BC_PC_SCHED_CLS		(1u << 7)
#define BC_PC_XDP		(1u << 8)
#define BC_PC_CGROUP_SKB	(1u << 9)
#define BC_PC_CGROUP_SOCK	(1u << 10)
#define BC_PC_ALL		0xffffu

/* NULL when no such helper exists in Linux 6.1 or it is not one of ours. */
const struct bc_func_proto *bc_func_proto(u32 func_id);
/* Name of a helper for messages and dumps: "map_lookup_elem"; "unknown" past the last. */
const char *bc_func_name(u32 func_id);

/* ---- kernel functions that programs may call by their BTF (BPF_PSEUDO_KFUNC_CALL): verifier/kfunc_table.c ---- */

enum bc_kfunc_flags {
	BC_KF_ACQUIRE = 1 << 0,		/* returns a reference */
	BC_KF_RELEASE = 1 << 1,		/* gives the one among its arguments back */
	BC_KF_RET_NULL = 1 << 2,
	BC_KF_KPTR_GET = 1 << 3,	/* the first argument is a field of a map's value that holds a reference */
	BC_KF_TRUSTED_ARGS = 1 << 4,	/* takes pointers to objects that the program has a reference to */
	BC_KF_SLEEPABLE = 1 << 5,
	BC_KF_DESTRUCTIVE = 1 << 6,
};

enum bc_kfunc_id {
	BC_KFUNC_call_test1,
	BC_KFUNC_call_test2,
	BC_KFUNC_call_test3,
	BC_KFUNC_call_test_acquire,
	BC_KFUNC_call_memb_acquire,
	BC_KFUNC_call_test_release,
	BC_KFUNC_call_memb_release,
	BC_KFUNC_call_memb1_release,
	BC_KFUNC_call_test_get_rdwr_mem,
	BC_KFUNC_call_test_get_rdonly_mem,
	BC_KFUNC_call_test_acq_rdonly_mem,
	BC_KFUNC_call_int_mem_release,
	BC_KFUNC_call_test_kptr_get,
	BC_KFUNC_call_test_pass_ctx,
	BC_KFUNC_call_test_pass1,
	BC_KFUNC_call_test_pass2,
	BC_KFUNC_call_test_fail1,
	BC_KFUNC_call_test_fail2,
	BC_KFUNC_call_test_fail3,
	BC_KFUNC_call_test_mem_len_pass1,
	BC_KFUNC_call_test_mem_len_fail1,
	BC_KFUNC_call_test_mem_len_fail2,
	BC_KFUNC_call_test_ref,
	BC_KFUNC_call_test_destructive,
	BC_KFUNC_cgroup_rstat_updated,
	BC_KFUNC_cgroup_rstat_flush,
	__BC_KFUNCS
};

struct bc_kfunc {
	const char *name;
	/*
	 * What it takes and, after a colon, returns, as it is implemented here; what BTF says must be the same. A digit: a number of so many
	 * bytes; s: a pointer to a struct; m: to a number or to anything; p: to a pointer to a struct; v: nothing.
	 */
	const char *proto;
	u32 flags;			/* enum bc_kfunc_flags */
	u64 prog_types;			/* that may call it: 1 << enum bpf_prog_type */
	bool of_kernel;			/* the kernel's own of that name is called: it must be there */
};

extern const struct bc_kfunc bc_kfuncs[__BC_KFUNCS];

/* The one by which a map gives references to objects of a type back, the name of a struct: enum bc_kfunc_id, or -ENOENT. */
int bc_kfunc_dtor(const char *type);

/* ---- what the loader supplies ---- */

struct bc_verifier_ops {
	/* A reference to the map behind @fd, or ERR_PTR(-EBADF: no such fd, -EINVAL: not a map). */
	struct bc_map_desc *(*map_get)(void *host, u32 fd);
	void (*map_put)(void *host, struct bc_map_desc *map);
	/* Address of byte @off of the value of a one-element array. 0, -EINVAL (not possible), -ENOTSUPP. */
	int (*map_value_addr)(void *host, const struct bc_map_desc *map, u32 off, u64 *addr);
	/* @size (1, 2, 4, 8) bytes at @off of the value of a frozen read-only map. */
	int (*map_value_read)(void *host, const struct bc_map_desc *map, u32 off, u32 size, u64 *value);
	/* Is the helper implemented here and now (a missing kernel symbol may switch one off)? */
	bool (*helper_available)(void *host, u32 func_id);
	/* BTF of the kernel; NULL when none is loaded. No reference is taken. */
	const struct bc_btf *(*btf_vmlinux)(void *host);
	/* BTF object behind an fd, with a reference; ERR_PTR(-EBADF/-EINVAL). */
	struct bc_btf *(*btf_get)(void *host, u32 fd);
	void (*btf_put)(void *host, struct bc_btf *btf);
	/* Address of a kernel symbol, 0 when there is none. */
	u64 (*ksym_addr)(void *host, const char *name);
	/* Can programs call this function of the kernel's own here? NULL: all that Linux's can. */
	bool (*kfunc_available)(void *host, const char *name);
	/* Is a tracepoint of that name here, with how many arguments (raw_tp)? -ENOENT. May be NULL. */
	int (*raw_tp_args)(void *host, const char *name);
	/* Are there iterators over these (Linux's name: "task_file")? NULL: all that Linux has. */
	bool (*iter_target)(void *host, const char *name);
	/* May the caller bring the machine down (CAP_SYS_BOOT)? */
	bool (*may_destroy)(void *host);
	/* Where the count of ticks lies that bpf_jiffies64() returns; 0: the helper is to be called. May be NULL. */
	u64 (*jiffies_addr)(void *host);
};

/* The attributes of BPF_PROG_LOAD that matter here; pointers are to memory of this side (already copied in). */
struct bc_verify_args {
	const struct bc_verifier_ops *ops;
	void *host;			/* handed to every call-back */

	const struct bpf_insn *insns;
	u32 insn_cnt;
	u32 prog_type;
	u32 expected_attach_type;
	u32 prog_flags;
	u32 attach_btf_id;
	bool gpl_compatible;
	u64 program;			/* what bpf_timer_set_callback() is given for the program that calls it */
	char name[BPF_OBJ_NAME_LEN];

	struct bc_btf *prog_btf;	/* NULL without BTF */
	const struct bpf_func_info *func_info;
	u32 func_info_cnt;
	const struct bpf_line_info *line_info;
	u32 line_info_cnt;
	const s32 *fd_array;		/* NULL, or copied in by the loader */
	u32 fd_array_cnt;

	u32 log_level;			/* BPF_LOG_LEVEL1 1, LEVEL2 2, STATS 4 */
	u64 log_buf;			/* address in the caller's process */
	u32 log_size;
};

/* The struct that a load is made from as the program sees it; what lies there is the kernel's own. */
enum bc_sock_load { BC_SOCK_NONE, BC_SOCK_FIELD /* struct bpf_sock */, BC_SOCK_TCP_FIELD /* struct bpf_tcp_sock */ };

/* Properties of one instruction after verification, in step with struct bc_verified.insns. */
struct bc_insn_aux {
	u8 probe_mem:1;		/* load through a BTF pointer that may fault: read 0 then */
	u8 map_ptr:1;		/* ld_imm64 of a map: imm holds the address of struct bc_map_desc */
	u8 map_value:1;		/* ld_imm64 of a map's value */
	u8 func_ptr:1;		/* ld_imm64 of a callback: imm holds the subprogram's number */
	u8 program:1;		/* ld_imm64 of bc_verify_args.program */
	u8 one_index:1;		/* tail call: the index is always map_off, and in the array */
	u8 zext:1;		/* 32-bit result whose upper half is observed (for JITs that need it) */
	u8 kfunc:1;		/* call of a kernel function: enum bc_kfunc_id in map_off */
	u8 sock;		/* a probe_mem load of a field of a socket as programs know it: enum bc_sock_load */
	u16 used_map;		/* index in used_maps, for map_ptr and map_value; for helper calls index + 1 of the one map it is called on, 0 unknown */
	u32 map_off;		/* map_value: byte offset in it */
	u32 orig_insn;		/* index in the program as loaded */
};

struct bc_subprog {
	u32 start;		/* first instruction */
	u32 len;		/* instructions */
	u32 stack_depth;	/* bytes, of this frame alone, rounded up to 8 */
	bool has_tail_call;
	bool tail_call_reachable;
	bool is_callback;
	bool is_global;
};

/* How a function is called that a tracing program attaches to; its arguments take registers in their order. */
struct bc_func_model {
	u8 arg_cnt;
	u8 reg_cnt;		/* registers of all the arguments: more than 6 are not all in registers */
	u8 ret_size;		/* bytes, 0: void */
	u8 arg_size[12];	/* bytes, up to 16 */
};

/*
 * A verified and fixed-up program; all arrays are the caller's to free with bc_verified_free().
 *
 * The instructions are those of RFC 9669 with these conventions, for interpreter and JIT alike:
 *  - call, src_reg 0: imm is the helper's number. Tail calls too (BPF_FUNC_tail_call).
 *  - call, src_reg 1 (BPF_PSEUDO_CALL): imm is relative to the next instruction, in instructions; off holds 0.
 *  - call, src_reg 2 (BPF_PSEUDO_KFUNC_CALL): a function of bc_kfuncs[], by aux.map_off; imm and off are as the program had them.
 *  - ld_imm64 holds a final 64-bit value (src_reg 0), but for aux.func_ptr (src_reg BPF_PSEUDO_FUNC, imm = subprogram number).
 *  - loads and stores on the context are as the program wrote them, at the offsets of the user-visible struct; the runner lays that
 *    struct out. Only packet pointers (data, data_end, data_meta: 32-bit fields) are turned into 64-bit loads: see verifier/ctx.h.
 *  - so are loads through pointers to sockets, by aux.sock: the runner makes them (struct bc_exec_env).
 *  - dead code is removed.
 */
struct bc_verified {
	struct bpf_insn *insns;
	struct bc_insn_aux *aux;
	u32 insn_cnt;

	struct bc_subprog *subprogs;
	u32 subprog_cnt;

	struct bc_map_desc **used_maps;	/* each holds a reference, put by the owner (ops->map_put) */
	u32 used_map_cnt;
	struct bc_btf **used_btfs;
	u32 used_btf_cnt;

	struct bpf_func_info *func_info;	/* adjusted to the new instruction offsets */
	u32 func_info_cnt;
	struct bpf_line_info *line_info;
	u32 line_info_cnt;

	/* raw tracepoint / tracing targets */
	const struct bc_btf *attach_btf;
	const char *attach_func_name;
	u32 attach_func_proto;		/* type id */
	u32 attach_arg_cnt;
	struct bc_func_model attach_model;	/* of a function */
	u32 max_ctx_offset;		/* bytes of the context that the program reaches */
	u32 max_rdonly_access, max_rdwr_access;	/* bytes that it reaches of an iterator's key and value */
	u32 max_tp_access;		/* bytes that it reaches of a writable tracepoint's argument */

	bool calls_get_func_ip;
	bool calls_get_stack;		/* get_stack/get_stackid: attach may need callchain buffers */
	bool has_callbacks;
	bool has_tail_call;
	bool sleepable;

	/* statistics: info.verified_insns, log level 4, `bpfcompat check` */
	u32 verified_insns;
	u32 total_states, peak_states, max_states_per_insn, longest_mark_read_walk;
	u64 time_ns;
};

/*
 * Verifies and fixes up. 0 and a filled @out, or a negative errno as Linux's BPF_PROG_LOAD gives it (-EACCES, -EINVAL,
 * -E2BIG, -ENOSPC when the log did not fit, -EFAULT, -ENOMEM, -EAGAIN ...) and an empty @out.
 */
int bc_verify(const struct bc_verify_args *args, struct bc_verified *out);
/* Frees the arrays; references in used_maps and used_btfs are put through @ops. */
void bc_verified_free(struct bc_verified *v, const struct bc_verifier_ops *ops, void *host);

/* Can programs of this type be loaded; with this expected attach type? 0 or -EINVAL as Linux answers. */
int bc_prog_type_check(u32 prog_type, u32 expected_attach_type);

#endif
