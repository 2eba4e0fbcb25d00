/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One instruction as the log shows it. The notation is that of Linux's verifier log and of bpftool.
 */
#include "internal.h"

static const char *const alu_ops[16] = {
	"+=", "-=", "*=", "/=", "|=", "&=", "<<=", ">>=", "neg", "%=", "^=", "=", "s>>=", "endian", NULL, NULL,
};

static const char *const jmp_ops[16] = {
	"jmp", "==", ">", ">=", "&", "!=", "s>", "s>=", "call", "exit", "<", "<=", "s<", "s<=", NULL, NULL,
};

static const char *const size_names[4] = { "u32", "u16", "u8", "u64" };
static const char *const signed_names[4] = { "s32", "s16", "s8", "s64" };
static const char *const class_names[8] = { "ld", "ldx", "st", "stx", "alu", "jmp", "jmp32", "alu64" };

/* "+=" and the like, for messages; never NULL. */
const char *bc_alu_op_str(u8 op)
{
	return alu_ops[op >> 4] ? alu_ops[op >> 4] : "?";
}

static void print_alu(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	bool is32 = BPF_CLASS(insn->code) == BPF_ALU;
	char r = is32 ? 'w' : 'r';
	u8 op = BPF_OP(insn->code);
	const char *sign = "";

	if (op == BPF_END) {
		const char *kind = BPF_SRC(insn->code) == BPF_TO_BE ? "be" : "le";

		if (!is32)
			kind = "bswap";
		bc_log(env, "(%02x) r%d = %s%d r%d\n", insn->code, insn->dst_reg, kind, insn->imm, insn->dst_reg);
		return;
	}
	if (op == BPF_NEG) {
		bc_log(env, "(%02x) %c%d = -%c%d\n", insn->code, r, insn->dst_reg, r, insn->dst_reg);
		return;
	}
	if (op == BPF_MOV && insn->off && BPF_SRC(insn->code) == BPF_X) {
		bc_log(env, "(%02x) %c%d = (s%d)%c%d\n", insn->code, r, insn->dst_reg, insn->off, r, insn->src_reg);
		return;
	}
	if ((op == BPF_DIV || op == BPF_MOD) && insn->off == 1)
		sign = "s";
	if (BPF_SRC(insn->code) == BPF_X)
		bc_log(env, "(%02x) %c%d %s%s %c%d\n", insn->code, r, insn->dst_reg, sign, bc_alu_op_str(op), r, insn->src_reg);
	else
		bc_log(env, "(%02x) %c%d %s%s %d\n", insn->code, r, insn->dst_reg, sign, bc_alu_op_str(op), insn->imm);
}

static const char *atomic_name(s32 imm)
{
	switch (BPF_OP(imm)) {
	case BPF_ADD:
		return "add";
	case BPF_AND:
		return "and";
	case BPF_OR:
		return "or";
	case BPF_XOR:
		return "xor";
	default:
		return NULL;
	}
}

static void print_atomic(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	const char *wide = BPF_SIZE(insn->code) == BPF_DW ? "64" : "";
	const char *name = (insn->imm & ~(0xf0 | BPF_FETCH)) ? NULL : atomic_name(insn->imm);

	if (insn->imm == BPF_CMPXCHG)
		bc_log(env, "(%02x) r0 = atomic%s_cmpxchg((%s *)(r%d %+d), r0, r%d)\n", insn->code, wide, size, insn->dst_reg,
		       insn->off, insn->src_reg);
	else if (insn->imm == BPF_XCHG)
		bc_log(env, "(%02x) r%d = atomic%s_xchg((%s *)(r%d %+d), r%d)\n", insn->code, insn->src_reg, wide, size,
		       insn->dst_reg, insn->off, insn->src_reg);
	else if (!name)
		bc_log(env, "BUG_%02x\n", insn->code);
	else if (insn->imm & BPF_FETCH)
		bc_log(env, "(%02x) r%d = atomic%s_fetch_%s((%s *)(r%d %+d), r%d)\n", insn->code, insn->src_reg, wide, name, size,
		       insn->dst_reg, insn->off, insn->src_reg);
	else
		bc_log(env, "(%02x) lock *(%s *)(r%d %+d) %s r%d\n", insn->code, size, insn->dst_reg, insn->off,
		       bc_alu_op_str(BPF_OP(insn->imm)), insn->src_reg);
}

static void print_mem(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	u8 mode = BPF_MODE(insn->code);

	switch (BPF_CLASS(insn->code)) {
	case BPF_STX:
		if (mode == BPF_MEM)
			bc_log(env, "(%02x) *(%s *)(r%d %+d) = r%d\n", insn->code, size, insn->dst_reg, insn->off, insn->src_reg);
		else if (mode == BPF_ATOMIC)
			print_atomic(env, insn);
		else
			bc_log(env, "BUG_%02x\n", insn->code);
		break;
	case BPF_ST:
		if (mode == BPF_MEM)
			bc_log(env, "(%02x) *(%s *)(r%d %+d) = %d\n", insn->code, size, insn->dst_reg, insn->off, insn->imm);
		else
			bc_log(env, "BUG_st_%02x\n", insn->code);
		break;
	default:
		if (mode == BPF_MEMSX)
			size = signed_names[BPF_SIZE(insn->code) >> 3];
		if (mode == BPF_MEM || mode == BPF_MEMSX)
			bc_log(env, "(%02x) r%d = *(%s *)(r%d %+d)\n", insn->code, insn->dst_reg, size, insn->src_reg, insn->off);
		else
			bc_log(env, "BUG_ldx_%02x\n", insn->code);
		break;
	}
}

static void print_ld(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	const char *size = size_names[BPF_SIZE(insn->code) >> 3];
	u64 imm;

	if (BPF_MODE(insn->code) == BPF_ABS) {
		bc_log(env, "(%02x) r0 = *(%s *)skb[%d]\n", insn->code, size, insn->imm);
	} else if (BPF_MODE(insn->code) == BPF_IND) {
		bc_log(env, "(%02x) r0 = *(%s *)skb[r%d + %d]\n", insn->code, size, insn->src_reg, insn->imm);
	} else if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
		imm = (u64)(u32)insn[1].imm << 32 | (u32)insn->imm;
		/* an address is nobody's business; Linux, too, prints 0 where it hides one (CVE-2017-9150) */
		if (insn->src_reg && insn->src_reg != BPF_PSEUDO_FUNC)
			imm = 0;
		bc_log(env, "(%02x) r%d = 0x%llx\n", insn->code, insn->dst_reg, imm);
	} else {
		bc_log(env, "BUG_ld_%02x\n", insn->code);
	}
}

static void print_jmp(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	char r = BPF_CLASS(insn->code) == BPF_JMP32 ? 'w' : 'r';
	u8 op = BPF_OP(insn->code);

	if (op == BPF_CALL) {
		if (insn->src_reg == BPF_PSEUDO_CALL)
			bc_log(env, "(%02x) call pc%+d\n", insn->code, insn->imm);
		else if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
			bc_log(env, "(%02x) call %s#%d\n", insn->code, bc_kfunc_name(env, (u32)(insn - env->insns)), insn->imm);
		else
			bc_log(env, "(%02x) call %s#%d\n", insn->code, bc_helper_name(env, insn->imm), insn->imm);
	} else if (insn->code == (BPF_JMP | BPF_JA)) {
		bc_log(env, "(%02x) goto pc%+d\n", insn->code, insn->off);
	} else if (insn->code == (BPF_JMP32 | BPF_JA)) {
		bc_log(env, "(%02x) gotol pc%+d\n", insn->code, insn->imm);
	} else if (insn->code == (BPF_JMP | BPF_EXIT)) {
		bc_log(env, "(%02x) exit\n", insn->code);
	} else if (BPF_SRC(insn->code) == BPF_X) {
		bc_log(env, "(%02x) if %c%d %s %c%d goto pc%+d\n", insn->code, r, insn->dst_reg, jmp_ops[op >> 4] ? jmp_ops[op >> 4] : "?",
		       r, insn->src_reg, insn->off);
	} else {
		bc_log(env, "(%02x) if %c%d %s 0x%x goto pc%+d\n", insn->code, r, insn->dst_reg,
		       jmp_ops[op >> 4] ? jmp_ops[op >> 4] : "?", insn->imm, insn->off);
	}
}

/* "bpf_map_lookup_elem", or "unknown". */
const char *bc_helper_name(struct bpf_verifier_env *env, s32 func_id)
{
	const char *name = func_id > 0 ? bc_func_name(func_id) : "unknown";

	if (func_id == 0)
		return "bpf_unspec";
	if (!strcmp(name, "unknown"))
		return name;
	scnprintf(env->func_str, sizeof(env->func_str), "bpf_%s", name);
	return env->func_str;
}

void bc_print_insn(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];

	if (!bc_log_needed(&env->log))
		return;
	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		print_alu(env, insn);
		break;
	case BPF_STX:
	case BPF_ST:
	case BPF_LDX:
		print_mem(env, insn);
		break;
	case BPF_LD:
		print_ld(env, idx);
		break;
	case BPF_JMP:
	case BPF_JMP32:
		print_jmp(env, insn);
		break;
	default:
		bc_log(env, "(%02x) %s\n", insn->code, class_names[BPF_CLASS(insn->code)]);
		break;
	}
}
