/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The interpreter: runs verified programs of the whole instruction set of RFC 9669 (and its deprecated packet loads). BPF frames live
 * in the caller's struct bc_exec_area; C recursion happens only where a helper calls back into the program.
 */
#include "exec.h"
#include "../../verifier/ctx.h"

/* What a call leaves on the area's stack, below the callee's BPF stack. */
struct frame {
	const struct bc_exec_prog *prog;	/* the caller; a tail call may have left for another one meanwhile */
	const struct bpf_insn *ret;		/* instruction to go on with; NULL: leave interp() */
	struct frame *up;			/* the caller's frame */
	u64 saved[5];				/* r6 to r10 of the caller */
	u32 below;				/* area->used before */
};

#ifdef BC_TRACE
void (*bc_trace_insn)(void *arg, const struct bc_exec_area *area, u32 insn, const u64 *regs);
void *bc_trace_arg;
#define TRACE() do { if (bc_trace_insn) bc_trace_insn(bc_trace_arg, area, insn - prog->insns, regs); } while (0)
#else
#define TRACE() do { } while (0)
#endif

#define FRAME_BYTES(depth) ((u32)(sizeof(struct frame) + (((depth) + 7) & ~7u)))

/*
 * Enters a subprogram: saves the caller, makes room. The new frame's struct is returned, NULL when the area is full.
 */
static struct frame *push_frame(struct bc_exec_area *area, const struct bc_exec_prog *prog, u32 subprog, u64 *regs)
{
	u32 need = FRAME_BYTES(prog->subprogs[subprog].stack_depth);
	struct frame *f;

	if (need > BC_EXEC_STACK_BYTES - area->used) {
		area->overflows++;
		return NULL;
	}
	f = (struct frame *)(area->stack + area->used);
	f->below = area->used;
	memcpy(f->saved, &regs[BPF_REG_6], sizeof(f->saved));
	area->used += need;
	regs[BPF_REG_10] = (unsigned long)(area->stack + area->used);
	return f;
}

/* A load that may fault, or that is of a socket's field: through the environment. */
static u64 guarded_load(const struct bc_exec_env *env, const struct bc_insn_aux *aux, const struct bpf_insn *insn, u64 base, u32 size)
{
	u64 addr = base + (s64)insn->off;
	union {
		u64 v64;
		u32 v32;
		u16 v16;
		u8 v8;
	} v;

	v.v64 = 0;
	if (aux->sock)
		v.v64 = env->sock_load ? env->sock_load((const void *)(unsigned long)base, bc_sock_what(aux, insn), size) : 0;
	else
		env->probe_load(&v, (const void *)(unsigned long)addr, size);
	switch (size) {
	case 1:
		return v.v8;
	case 2:
		return v.v16;
	case 4:
		return v.v32;
	default:
		return v.v64;
	}
}

static u64 swap_bytes(u64 v, u32 bits)
{
	switch (bits) {
	case 16:
		return (u16)((v & 0xff) << 8 | (v >> 8 & 0xff));
	case 32:
		return __builtin_bswap32((u32)v);
	default:
		return __builtin_bswap64(v);
	}
}

/* BPF_END, little-endian machine (RFC 9669, 4.2): ALU class converts to the order named, ALU64 swaps always. */
static u64 convert_order(u64 v, u8 code, u32 bits)
{
	if (code == (BPF_ALU | BPF_END | BPF_TO_LE))
		return bits == 16 ? (u16)v : bits == 32 ? (u32)v : v;
	return swap_bytes(v, bits);
}

static u64 sign_extend(u64 v, u32 bits)
{
	switch (bits) {
	case 8:
		return (u64)(s64)(s8)v;
	case 16:
		return (u64)(s64)(s16)v;
	default:
		return (u64)(s64)(s32)v;
	}
}

/* Division: by zero gives 0, the remainder is the dividend then; the one overflow wraps (RFC 9669, 4.1). */
static u64 div64(u64 a, u64 b, bool is_signed)
{
	if (!b)
		return 0;
	if (!is_signed)
		return a / b;
	if (b == U64_MAX)
		return 0 - a;
	return (u64)((s64)a / (s64)b);
}

static u64 mod64(u64 a, u64 b, bool is_signed)
{
	if (!b)
		return a;
	if (!is_signed)
		return a % b;
	if (b == U64_MAX)
		return 0;
	return (u64)((s64)a % (s64)b);
}

static u32 div32(u32 a, u32 b, bool is_signed)
{
	if (!b)
		return 0;
	if (!is_signed)
		return a / b;
	if (b == U32_MAX)
		return 0 - a;
	return (u32)((s32)a / (s32)b);
}

static u32 mod32(u32 a, u32 b, bool is_signed)
{
	if (!b)
		return a;
	if (!is_signed)
		return a % b;
	if (b == U32_MAX)
		return 0;
	return (u32)((s32)a % (s32)b);
}

/* Atomic operations (RFC 9669, 5.3). r0 and the source register change in @regs. */
static void atomic_op32(const struct bpf_insn *insn, u64 *regs, u32 *p)
{
	u64 *src = &regs[insn->src_reg];
	u32 v = (u32)*src;

	switch (insn->imm) {
	case BPF_ADD:
		__sync_fetch_and_add(p, v);
		break;
	case BPF_AND:
		__sync_fetch_and_and(p, v);
		break;
	case BPF_OR:
		__sync_fetch_and_or(p, v);
		break;
	case BPF_XOR:
		__sync_fetch_and_xor(p, v);
		break;
	case BPF_ADD | BPF_FETCH:
		*src = __sync_fetch_and_add(p, v);
		break;
	case BPF_AND | BPF_FETCH:
		*src = __sync_fetch_and_and(p, v);
		break;
	case BPF_OR | BPF_FETCH:
		*src = __sync_fetch_and_or(p, v);
		break;
	case BPF_XOR | BPF_FETCH:
		*src = __sync_fetch_and_xor(p, v);
		break;
	case BPF_XCHG:
		*src = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
		break;
	case BPF_CMPXCHG:
		regs[BPF_REG_0] = __sync_val_compare_and_swap(p, (u32)regs[BPF_REG_0], v);
		break;
	}
}

static void atomic_op64(const struct bpf_insn *insn, u64 *regs, u64 *p)
{
	u64 *src = &regs[insn->src_reg];
	u64 v = *src;

	switch (insn->imm) {
	case BPF_ADD:
		__sync_fetch_and_add(p, v);
		break;
	case BPF_AND:
		__sync_fetch_and_and(p, v);
		break;
	case BPF_OR:
		__sync_fetch_and_or(p, v);
		break;
	case BPF_XOR:
		__sync_fetch_and_xor(p, v);
		break;
	case BPF_ADD | BPF_FETCH:
		*src = __sync_fetch_and_add(p, v);
		break;
	case BPF_AND | BPF_FETCH:
		*src = __sync_fetch_and_and(p, v);
		break;
	case BPF_OR | BPF_FETCH:
		*src = __sync_fetch_and_or(p, v);
		break;
	case BPF_XOR | BPF_FETCH:
		*src = __sync_fetch_and_xor(p, v);
		break;
	case BPF_XCHG:
		*src = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST);
		break;
	case BPF_CMPXCHG:
		regs[BPF_REG_0] = __sync_val_compare_and_swap(p, regs[BPF_REG_0], v);
		break;
	}
}

/* Deprecated packet load: big-endian, relative to the packet's start or to a header; r6 holds the context. False: outside of the packet. */
static bool packet_load(const struct bpf_insn *insn, const u64 *regs, u64 *value)
{
	static const u8 bytes_of[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1 };
	const struct bc_skb_ctx *skb = (const void *)(unsigned long)regs[BPF_REG_6];
	u32 size = bytes_of[BPF_SIZE(insn->code) >> 3];
	u64 start = skb->pkt.data;
	s64 off = insn->imm;
	const u8 *p;
	u64 v = 0;

	if (BPF_MODE(insn->code) == BPF_IND)
		off = (s32)((u32)off + (u32)regs[insn->src_reg]);
	if (off < 0) {
		start = off >= -BC_PKT_NEGATIVE ? skb->network : skb->link;
		off += off >= -BC_PKT_NEGATIVE ? BC_PKT_NEGATIVE : 2 * BC_PKT_NEGATIVE;
	}
	if (off < 0 || off + size > (s64)(skb->pkt.data_end - start))
		return false;
	for (p = (const u8 *)(unsigned long)(start + off); size; size--)
		v = v << 8 | *p++;
	*value = v;
	return true;
}

#define DST	regs[insn->dst_reg]
#define SRC	regs[insn->src_reg]
#define IMM	((u64)(s64)insn->imm)
#define AT(type, reg) (*(volatile type *)(unsigned long)((reg) + (s64)insn->off))

/* An operation in its four forms: 64 and 32 bits, operand immediate or register. */
#define ALU(op, expr64, expr32)						\
	case BPF_ALU64 | op | BPF_X:					\
		b = SRC;						\
		DST = expr64;						\
		break;							\
	case BPF_ALU64 | op | BPF_K:					\
		b = IMM;						\
		DST = expr64;						\
		break;							\
	case BPF_ALU | op | BPF_X:					\
		b = SRC;						\
		DST = (u32)(expr32);					\
		break;							\
	case BPF_ALU | op | BPF_K:					\
		b = IMM;						\
		DST = (u32)(expr32);					\
		break;
#define A	DST
#define A32	((u32)DST)
#define B32	((u32)b)

#define JUMP(op, type64, type32, cmp)					\
	case BPF_JMP | op | BPF_X:					\
		if ((type64)DST cmp (type64)SRC)			\
			insn += insn->off;				\
		break;							\
	case BPF_JMP | op | BPF_K:					\
		if ((type64)DST cmp (type64)IMM)			\
			insn += insn->off;				\
		break;							\
	case BPF_JMP32 | op | BPF_X:					\
		if ((type32)DST cmp (type32)SRC)			\
			insn += insn->off;				\
		break;							\
	case BPF_JMP32 | op | BPF_K:					\
		if ((type32)DST cmp (type32)insn->imm)			\
			insn += insn->off;				\
		break;

#define ACCESS(size, type)						\
	case BPF_STX | BPF_MEM | size:					\
		AT(type, DST) = (type)SRC;				\
		break;							\
	case BPF_ST | BPF_MEM | size:					\
		AT(type, DST) = (type)IMM;				\
		break;							\
	case BPF_LDX | BPF_MEM | size:					\
		if (unlikely(prog->aux[insn - prog->insns].probe_mem))	\
			DST = guarded_load(env, &prog->aux[insn - prog->insns], insn, SRC, sizeof(type)); \
		else							\
			DST = AT(type, SRC);				\
		break;

#define ACCESS_SIGNED(size, type)					\
	case BPF_LDX | BPF_MEMSX | size:				\
		if (unlikely(prog->aux[insn - prog->insns].probe_mem))	\
			DST = sign_extend(guarded_load(env, &prog->aux[insn - prog->insns], insn, SRC, sizeof(type)), \
					  8 * sizeof(type));		\
		else							\
			DST = (u64)(s64)AT(type, SRC);			\
		break;

/* Runs from @insn until the frame that bc_interp_run or bc_interp_callback pushed is left. r0 in regs[0]. */
static void interp(const struct bc_exec_env *env, struct bc_exec_area *area, const struct bpf_insn *insn, struct frame *frame, u64 *regs)
{
	const struct bc_exec_prog *prog = area->prog;
	u32 tail_calls = 0;
	u64 b;

	for (;; insn++) {
		TRACE();
		switch (insn->code) {
		ALU(BPF_ADD, A + b, A32 + B32)
		ALU(BPF_SUB, A - b, A32 - B32)
		ALU(BPF_MUL, A * b, A32 * B32)
		ALU(BPF_OR, A | b, A32 | B32)
		ALU(BPF_AND, A & b, A32 & B32)
		ALU(BPF_XOR, A ^ b, A32 ^ B32)
		ALU(BPF_LSH, A << (b & 63), A32 << (b & 31))
		ALU(BPF_RSH, A >> (b & 63), A32 >> (b & 31))
		ALU(BPF_ARSH, (u64)((s64)A >> (b & 63)), (s32)A32 >> (b & 31))
		ALU(BPF_DIV, div64(A, b, insn->off), div32(A32, B32, insn->off))
		ALU(BPF_MOD, mod64(A, b, insn->off), mod32(A32, B32, insn->off))
		case BPF_ALU64 | BPF_MOV | BPF_K:
			DST = IMM;
			break;
		case BPF_ALU64 | BPF_MOV | BPF_X:
			DST = insn->off ? sign_extend(SRC, insn->off) : SRC;
			break;
		case BPF_ALU | BPF_MOV | BPF_K:
			DST = (u32)insn->imm;
			break;
		case BPF_ALU | BPF_MOV | BPF_X:
			DST = (u32)(insn->off ? sign_extend(SRC, insn->off) : SRC);
			break;
		case BPF_ALU64 | BPF_NEG:
			DST = 0 - DST;
			break;
		case BPF_ALU | BPF_NEG:
			DST = (u32)(0 - A32);
			break;
		case BPF_ALU | BPF_END | BPF_TO_LE:
		case BPF_ALU | BPF_END | BPF_TO_BE:
		case BPF_ALU64 | BPF_END:
			DST = convert_order(DST, insn->code, insn->imm);
			break;

		JUMP(BPF_JEQ, u64, u32, ==)
		JUMP(BPF_JNE, u64, u32, !=)
		JUMP(BPF_JGT, u64, u32, >)
		JUMP(BPF_JGE, u64, u32, >=)
		JUMP(BPF_JLT, u64, u32, <)
		JUMP(BPF_JLE, u64, u32, <=)
		JUMP(BPF_JSET, u64, u32, &)
		JUMP(BPF_JSGT, s64, s32, >)
		JUMP(BPF_JSGE, s64, s32, >=)
		JUMP(BPF_JSLT, s64, s32, <)
		JUMP(BPF_JSLE, s64, s32, <=)
		case BPF_JMP | BPF_JA:
			insn += insn->off;
			break;
		case BPF_JMP32 | BPF_JA:
			insn += insn->imm;
			break;

		ACCESS(BPF_B, u8)
		ACCESS(BPF_H, u16)
		ACCESS(BPF_W, u32)
		ACCESS(BPF_DW, u64)
		ACCESS_SIGNED(BPF_B, s8)
		ACCESS_SIGNED(BPF_H, s16)
		ACCESS_SIGNED(BPF_W, s32)
		case BPF_STX | BPF_ATOMIC | BPF_W:
			atomic_op32(insn, regs, (u32 *)(unsigned long)(DST + (s64)insn->off));
			break;
		case BPF_STX | BPF_ATOMIC | BPF_DW:
			atomic_op64(insn, regs, (u64 *)(unsigned long)(DST + (s64)insn->off));
			break;
		case BPF_LD | BPF_IMM | BPF_DW:
			/* Callbacks (aux.func_ptr) too: their value is the subprogram's number. */
			DST = (u32)insn[0].imm | (u64)(u32)insn[1].imm << 32;
			insn++;
			break;
		case BPF_LD | BPF_ABS | BPF_W:
		case BPF_LD | BPF_ABS | BPF_H:
		case BPF_LD | BPF_ABS | BPF_B:
		case BPF_LD | BPF_IND | BPF_W:
		case BPF_LD | BPF_IND | BPF_H:
		case BPF_LD | BPF_IND | BPF_B:
			if (packet_load(insn, regs, &regs[BPF_REG_0]))
				break;
			regs[BPF_REG_0] = 0;
			goto leave_frame;

		case BPF_JMP | BPF_CALL:
			if (insn->src_reg == BPF_PSEUDO_CALL) {
				const struct bpf_insn *target = insn + 1 + insn->imm;
				struct frame *callee;
				u32 n;

				/* Few subprograms: a search is cheap beside the call, and imm stays what tools expect. */
				for (n = 0; prog->insns + prog->subprogs[n].start != target; n++)
					;
				callee = push_frame(area, prog, n, regs);
				if (!callee) {
					regs[BPF_REG_0] = 0;
					return;
				}
				callee->prog = prog;
				callee->ret = insn + 1;
				callee->up = frame;
				frame = callee;
				insn = target - 1;
				break;
			}
			if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
				regs[BPF_REG_0] = bc_kfunc_table[prog->aux[insn - prog->insns].map_off](
					regs[BPF_REG_1], regs[BPF_REG_2], regs[BPF_REG_3], regs[BPF_REG_4], regs[BPF_REG_5]);
				break;
			}
			if (insn->imm == BPF_FUNC_tail_call) {
				const struct bc_map_desc *map = (const void *)(unsigned long)regs[BPF_REG_2];
				const struct bc_exec_prog *next;
				u32 need;

				/* As on Linux, one that leads to an empty slot counts, too. */
				if ((u32)regs[BPF_REG_3] >= map->max_entries || tail_calls >= BC_MAX_TAIL_CALLS)
					break;
				tail_calls++;
				next = env->tail_call_target(regs[BPF_REG_2], (u32)regs[BPF_REG_3]);
				if (!next)
					break;
				/* The new program takes this frame's place and returns where this frame would have. */
				need = FRAME_BYTES(next->subprogs[0].stack_depth);
				if (need > BC_EXEC_STACK_BYTES - ((u8 *)frame - area->stack)) {
					area->overflows++;
					regs[BPF_REG_0] = 0;
					return;
				}
				area->used = (u32)((u8 *)frame - area->stack) + need;
				regs[BPF_REG_10] = (unsigned long)(area->stack + area->used);
				area->prog = prog = next;
				insn = prog->insns - 1;
				break;
			}
			regs[BPF_REG_0] = env->helpers[insn->imm](regs[BPF_REG_1], regs[BPF_REG_2], regs[BPF_REG_3], regs[BPF_REG_4],
								  regs[BPF_REG_5]);
			break;
		case BPF_JMP | BPF_EXIT:
leave_frame:
			if (!frame->ret)
				return;
			area->used = frame->below;
			area->prog = prog = frame->prog;
			insn = frame->ret - 1;
			memcpy(&regs[BPF_REG_6], frame->saved, sizeof(frame->saved));
			frame = frame->up;
			break;
		default:
			/* The verifier lets nothing else through. */
			port_warn("bpfcompat: interpreter met opcode 0x%02x\n", insn->code);
			regs[BPF_REG_0] = 0;
			return;
		}
	}
}

/* The part that both entries share: @subprog of area->prog in a frame of its own, on what is free of the area. */
static u64 enter(const struct bc_exec_env *env, struct bc_exec_area *area, u32 subprog, u64 *regs)
{
	const struct bc_exec_prog *prog = area->prog;
	u32 used = area->used;
	struct frame *f;

	f = push_frame(area, prog, subprog, regs);
	if (!f)
		return 0;
	f->prog = NULL;
	f->ret = NULL;
	f->up = NULL;
	interp(env, area, prog->insns + prog->subprogs[subprog].start, f, regs);
	area->used = used;
	area->prog = prog;
	return regs[BPF_REG_0];
}

u64 bc_interp_run(const struct bc_exec_env *env, struct bc_exec_area *area, const struct bc_exec_prog *prog, const void *ctx)
{
	const struct bc_exec_prog *outer = area->prog;
	u64 regs[MAX_BPF_REG];
	u64 ret;

	memset(regs, 0, sizeof(regs));
	regs[BPF_REG_1] = (unsigned long)ctx;
	area->prog = prog;
	ret = enter(env, area, 0, regs);
	area->prog = outer;
	return ret;
}

u64 bc_interp_callback(const struct bc_exec_env *env, struct bc_exec_area *area, u64 callback, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	u64 regs[MAX_BPF_REG];

	memset(regs, 0, sizeof(regs));
	regs[BPF_REG_1] = r1;
	regs[BPF_REG_2] = r2;
	regs[BPF_REG_3] = r3;
	regs[BPF_REG_4] = r4;
	regs[BPF_REG_5] = r5;
	return enter(env, area, (u32)callback, regs);
}
