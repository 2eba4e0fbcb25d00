/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator's middle: jumps, calls, and the passes that settle how long each jump is. See jit.h.
 */
#include "jit_emit.h"

/* After so many passes no more jumps are made short: what little is left to gain is not worth the time. */
#define MAX_PASSES 16
#define MAX_CODE (64u << 20)

/* ---- jumps ---- */

/*
 * To instruction @to; @cc negative: always. Ahead the offset is that of the pass before, so the distance may be overrated, never underrated: a
 * jump that has become short stays so, as code only ever shrinks.
 */
static void jump(struct jit *j, u32 from, u32 to, int cc)
{
	u8 *bits = &j->short_jump[from / 8], bit = 1 << from % 8;
	s64 dist = (s64)j->img->insn_off[to] - (j->pos + 2);

	if (cc < 0 && to == from + 1)
		return;
	if (!j->settle && fits8(dist))
		*bits |= bit;
	if (*bits & bit) {
		emit(j, cc < 0 ? 0xeb : 0x70 | cc);
		emit(j, dist);
		if (j->out && !fits8(dist))
			j->failed = true;
		return;
	}
	if (cc < 0) {
		emit(j, 0xe9);
	} else {
		emit(j, 0x0f);
		emit(j, 0x80 | cc);
	}
	jit_distance_to(j, j->img->insn_off[to]);
}

static int condition(u8 op)
{
	switch (op) {
	case BPF_JEQ:
		return CC_E;
	case BPF_JNE:
	case BPF_JSET:
		return CC_NE;
	case BPF_JGT:
		return CC_A;
	case BPF_JGE:
		return CC_AE;
	case BPF_JLT:
		return CC_B;
	case BPF_JLE:
		return CC_BE;
	case BPF_JSGT:
		return CC_G;
	case BPF_JSGE:
		return CC_GE;
	case BPF_JSLT:
		return CC_L;
	case BPF_JSLE:
		return CC_LE;
	}
	return -1;
}

static void compare(struct jit *j, const struct bpf_insn *insn)
{
	int dst = jit_reg(insn->dst_reg), src = jit_reg(insn->src_reg);
	int w = BPF_CLASS(insn->code) == BPF_JMP ? W : 0;
	bool test = BPF_OP(insn->code) == BPF_JSET;

	if (BPF_SRC(insn->code) == BPF_K) {
		if (!insn->imm && !test) {
			x_rr(j, w, 0x85, dst, dst);
			return;
		}
		if (!j->env->blind) {
			if (!test) {
				x_ri(j, w, 7, dst, insn->imm);
			} else {
				x_rr(j, w, 0xf7, 0, dst);
				emit32(j, insn->imm);
			}
			return;
		}
		jit_imm(j, R10, insn->imm, w);
		src = R10;
	}
	x_rr(j, w, test ? 0x85 : 0x39, src, dst);
}

/* ---- calls ---- */

static u32 sub_starting_at(const struct jit *j, u32 insn)
{
	return j->sub_at[insn] - 1;
}

static bool calls_back(u32 helper)
{
	const struct bc_func_proto *proto = bc_func_proto(helper);
	int i;

	for (i = 0; proto && i < 5; i++)
		if (BC_ARG_TYPE(proto->arg[i]) == BC_ARG_FUNC)
			return true;
	return false;
}

static bool call(struct jit *j, u32 i, const struct bpf_insn *insn)
{
	u64 target = 0;

	if (insn->src_reg == BPF_PSEUDO_CALL) {
		emit(j, 0xe8);
		jit_distance_to(j, j->subs[sub_starting_at(j, i + 1 + insn->imm)].entry);
		return true;
	}
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		if (!j->prog->aux[i].kfunc || j->prog->aux[i].map_off >= __BC_KFUNCS)
			return false;
		jit_call(j, (unsigned long)bc_kfunc_table[j->prog->aux[i].map_off]);
		return true;
	}
	if (insn->imm == BPF_FUNC_tail_call) {
		jit_tail_call(j, &j->prog->aux[i]);
		return true;
	}
	if (insn->imm < 0 || insn->imm >= __BPF_FUNC_MAX_ID || !j->env->helpers[insn->imm])
		return false;
	if (jit_inline_call(j, insn, &j->prog->aux[i]))
		return true;
	if (calls_back(insn->imm))
		x_cpu(j, W, 0x89, R12, offsetof(struct bc_jit_cpu, frame_top));
	if (j->env->function)
		target = j->env->function(j->env->host, insn->imm, (int)j->prog->aux[i].used_map - 1);
	jit_call(j, target ? target : (unsigned long)j->env->helpers[insn->imm]);
	return true;
}

/* ---- instruction by instruction ---- */

static void load_imm64(struct jit *j, u32 i, const struct bpf_insn *insn)
{
	int dst = jit_reg(insn->dst_reg);

	if (!j->prog->aux[i].func_ptr && insn->src_reg != BPF_PSEUDO_FUNC) {
		jit_imm64(j, dst, (u32)insn[0].imm | (u64)(u32)insn[1].imm << 32);
		return;
	}
	x_opcode(j, W, 0x8d, dst, 0, 0);		/* lea, relative to what follows */
	emit(j, (dst & 7) << 3 | 5);
	jit_distance_to(j, j->subs[insn->imm].callback_entry);
}

static bool translate_jump(struct jit *j, u32 i, const struct bpf_insn *insn)
{
	switch (insn->code) {
	case BPF_JMP | BPF_JA:
		jump(j, i, i + 1 + insn->off, -1);
		return true;
	case BPF_JMP32 | BPF_JA:
		jump(j, i, i + 1 + insn->imm, -1);
		return true;
	case BPF_JMP | BPF_CALL:
		return call(j, i, insn);
	case BPF_JMP | BPF_EXIT:
		jit_epilogue(j);
		return true;
	}
	if (condition(BPF_OP(insn->code)) < 0)
		return false;
	if (insn->off) {
		compare(j, insn);
		jump(j, i, i + 1 + insn->off, condition(BPF_OP(insn->code)));
	}
	return true;
}

static bool translate(struct jit *j, u32 i)
{
	const struct bpf_insn *insn = &j->prog->insns[i];

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return jit_alu(j, insn);
	case BPF_JMP:
	case BPF_JMP32:
		return translate_jump(j, i, insn);
	case BPF_LD:
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			load_imm64(j, i, insn);
			return true;
		}
		if ((BPF_MODE(insn->code) != BPF_ABS && BPF_MODE(insn->code) != BPF_IND) || BPF_SIZE(insn->code) == BPF_DW)
			return false;
		jit_packet_load(j, insn);
		return true;
	default:
		return jit_mem(j, insn, &j->prog->aux[i]);
	}
}

/* Between two subprograms. */
static void begin_sub(struct jit *j, u32 number, u32 index)
{
	j->sub = &j->subs[number];
	j->img->sub_off[index] = j->pos;
	jit_prologue(j);
}

static void end_sub(struct jit *j)
{
	if (j->sub && j->sub->frame == FRAME_MAIN && !jit_keeps_r12(j->sub))
		jit_stackless_tail_entry(j);
}

static int one_pass(struct jit *j)
{
	struct bc_jit_image *img = j->img;
	u32 i, subs = 0;

	j->pos = 0;
	j->noise = j->env->seed;
	j->sub = NULL;
	j->failed = false;
	img->reloc_cnt = 0;
	for (i = 0; i < j->prog->insn_cnt; i++) {
		if (j->sub_at[i]) {
			end_sub(j);
			begin_sub(j, sub_starting_at(j, i), subs++);
		}
		img->insn_off[i] = j->pos;
		if (!translate(j, i))
			return -EINVAL;
		if (j->prog->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			img->insn_off[++i] = j->pos;
		/* A signal waits: a program without code would be another one for its prog arrays. */
		if (!(i % 1024))
			port_poll();
	}
	img->insn_off[i] = j->pos;
	end_sub(j);
	img->sub_off[subs] = j->pos;
	return j->pos > MAX_CODE ? -E2BIG : 0;
}

/* ---- what there is to know before ---- */

static void note_register(struct jit_sub *sub, u8 reg)
{
	if (reg >= BPF_REG_6 && reg <= BPF_REG_9)
		sub->saves |= 1 << (reg - BPF_REG_6);
	else if (reg == BPF_REG_10)
		sub->stack = true;
}

static int note_insn(struct jit *j, struct jit_sub *sub, u32 i, bool *deep)
{
	const struct bpf_insn *insn = &j->prog->insns[i];
	bool is_call = insn->code == (BPF_JMP | BPF_CALL);
	bool is_func = insn->code == (BPF_LD | BPF_IMM | BPF_DW) && (j->prog->aux[i].func_ptr || insn->src_reg == BPF_PSEUDO_FUNC);
	u32 target;

	note_register(sub, insn->dst_reg);
	if (!is_call && !is_func)
		note_register(sub, insn->src_reg);
	if (BPF_CLASS(insn->code) == BPF_LD && BPF_MODE(insn->code) != BPF_IMM)
		note_register(sub, BPF_REG_6);
	if (is_func) {
		if ((u32)insn->imm >= j->prog->subprog_cnt || !insn->imm)
			return -EINVAL;
		j->subs[insn->imm].callback = true;
	}
	if (!is_call)
		return 0;
	sub->calls = true;
	if (insn->src_reg == BPF_PSEUDO_CALL) {
		target = i + 1 + insn->imm;
		if (target >= j->prog->insn_cnt || !target || !j->sub_at[target])
			return -EINVAL;
		j->subs[sub_starting_at(j, target)].called = true;
		*deep = true;
	} else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		return 0;
	} else if (insn->imm == BPF_FUNC_tail_call) {
		j->img->has_tail_call = true;
		*deep = true;
	} else if (calls_back(insn->imm)) {
		*deep = true;
	}
	return 0;
}

static int look_over(struct jit *j)
{
	const struct bc_exec_prog *prog = j->prog;
	struct jit_sub *sub = NULL;
	bool any = false;
	u32 i;
	int err;

	for (i = 0; i < prog->subprog_cnt; i++) {
		if (prog->subprogs[i].start >= prog->insn_cnt || j->sub_at[prog->subprogs[i].start])
			return -EINVAL;
		j->sub_at[prog->subprogs[i].start] = i + 1;
		j->subs[i].depth = (prog->subprogs[i].stack_depth + 7) & ~7u;
	}
	if (j->sub_at[0] != 1)
		return -EINVAL;
	for (i = 0; i < prog->insn_cnt; i++) {
		bool deep = false;

		if (j->sub_at[i])
			sub = &j->subs[sub_starting_at(j, i)];
		err = note_insn(j, sub, i, &deep);
		if (err)
			return err;
		/* Who calls on saves r12, whose frame it is that the others begin at. */
		sub->deep |= deep;
		any |= deep || sub->stack;
		if (prog->insns[i].code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
	}
	for (i = 0; i < prog->subprog_cnt; i++) {
		sub = &j->subs[i];
		sub->frame = !i ? FRAME_MAIN : sub->called || !sub->callback ? FRAME_SUB : FRAME_CALLBACK;
		if (sub->frame == FRAME_CALLBACK)
			sub->stack |= sub->deep;
	}
	j->subs[0].stack = any;
	return 0;
}

/* ---- the whole ---- */

/*
 * Every pass but the first writes the code; where nothing has become shorter any more, that is what stays. Only there a jump that does not reach
 * is a failure: before, its place is of this pass and its target still of the one before.
 */
static int write_code(struct jit *j)
{
	u32 i, last = 0;
	int err;

	for (i = 0; i <= j->prog->insn_cnt; i++)
		j->img->insn_off[i] = i * 256;		/* no instruction's code is as long */
	for (i = 0; i < MAX_PASSES + 3; i++) {
		j->settle = i >= MAX_PASSES;
		err = one_pass(j);
		if (err)
			return err;
		if (j->out && j->pos == last) {
			j->img->len = last;
			return j->failed ? -ENOMEM : 0;
		}
		last = j->pos;
		if (!j->out)
			j->out = j->img->code = port_zalloc(last + JIT_SLACK);
		if (!j->out)
			return -ENOMEM;
	}
	return -E2BIG;
}

int bc_jit_compile(const struct bc_jit_env *env, const struct bc_exec_prog *prog, struct bc_jit_image *img)
{
	struct jit *j = port_zalloc(sizeof(*j));
	int err = -ENOMEM;

	memset(img, 0, sizeof(*img));
	if (!j)
		return -ENOMEM;
	j->env = env;
	j->prog = prog;
	j->img = img;
	img->insn_cnt = prog->insn_cnt;
	img->subprog_cnt = prog->subprog_cnt;
	img->insn_off = port_zalloc((prog->insn_cnt + 1) * sizeof(*img->insn_off));
	img->sub_off = port_zalloc((prog->subprog_cnt + 1) * sizeof(*img->sub_off));
	j->short_jump = port_zalloc(prog->insn_cnt / 8 + 1);
	j->subs = port_zalloc(prog->subprog_cnt * sizeof(*j->subs));
	j->sub_at = port_zalloc(prog->insn_cnt * sizeof(*j->sub_at));
	if (img->insn_off && img->sub_off && j->short_jump && j->subs && j->sub_at) {
		err = look_over(j);
		if (!err)
			err = write_code(j);
	}
	port_free(j->sub_at);
	port_free(j->subs);
	port_free(j->short_jump);
	port_free(j);
	if (err)
		bc_jit_image_free(img);
	return err;
}

int bc_jit_relocate(struct bc_jit_image *img, u64 addr)
{
	u32 i, dist32;
	s64 dist;

	for (i = 0; i < img->reloc_cnt; i++) {
		dist = (s64)(img->relocs[i].target - (addr + img->relocs[i].at + 4));
		if (!fits32(dist))
			return -ERANGE;
		dist32 = (u32)dist;
		memcpy(img->code + img->relocs[i].at, &dist32, sizeof(dist32));
	}
	return 0;
}

void bc_jit_image_free(struct bc_jit_image *img)
{
	port_free(img->code);
	port_free(img->insn_off);
	port_free(img->sub_off);
	port_free(img->relocs);
	memset(img, 0, sizeof(*img));
}
