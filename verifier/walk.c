/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The walk along all paths: one instruction after the other, each judged in the state it is reached in.
 */
#include "internal.h"

#define LOGS_PATH(env) ((env)->log.level & (BC_LOG_LEVEL1 | BC_LOG_LEVEL2))

/* What the walk does after an instruction. */
#define STEP_NEXT	0	/* on to env->insn_idx + 1 */
#define STEP_JUMP	1	/* on at env->insn_idx */
#define STEP_RETURN	2	/* on at env->insn_idx, in the caller */
#define STEP_END	3	/* this path ends */

static u32 access_bytes(u8 code)
{
	switch (BPF_SIZE(code)) {
	case BPF_B:
		return 1;
	case BPF_H:
		return 2;
	case BPF_W:
		return 4;
	default:
		return 8;
	}
}

/*
 * One instruction may serve pointers of different types only where it is executed the same way for all of them: not for contexts,
 * sockets and kernel objects.
 */
static bool needs_own_insn(u32 type)
{
	switch (BC_BASE_TYPE(type)) {
	case PTR_TO_CTX:
	case PTR_TO_SOCKET:
	case PTR_TO_SOCK_COMMON:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_XDP_SOCK:
	case PTR_TO_BTF_ID:
		return true;
	default:
		return false;
	}
}

static int record_ptr_type(struct bpf_verifier_env *env, u32 type)
{
	u32 *seen = &env->aux[env->insn_idx].ptr_type;

	if (*seen == NOT_INIT) {
		*seen = type;
	} else if (*seen != type && (needs_own_insn(*seen) || needs_own_insn(type))) {
		bc_log(env, "same insn cannot be used with different pointers\n");
		return -EINVAL;
	}
	return 0;
}

static int step_ldx(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	bool sign = BPF_MODE(insn->code) == BPF_MEMSX;
	u32 bytes = access_bytes(insn->code), type;
	int err;

	err = bc_reg_use(env, insn->src_reg);
	if (!err)
		err = bc_reg_def(env, insn->dst_reg);
	if (err)
		return err;
	type = regs[insn->src_reg].type;
	err = bc_check_mem(env, insn->src_reg, insn->off, bytes, BC_READ, insn->dst_reg, false);
	if (err)
		return err;
	if (sign) {
		if (regs[insn->dst_reg].type != SCALAR_VALUE) {
			bc_log(env, "invalid bpf_context access off=%d size=%d\n", insn->off, (s32)bytes);
			return -EACCES;
		}
		bc_scalar_sext(&regs[insn->dst_reg].v, bytes, false);
		regs[insn->dst_reg].id = 0;
	} else if (bytes < 8) {
		env->aux[env->insn_idx].zext = true;
	}
	return record_ptr_type(env, type);
}

static int check_atomic_op(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	/* these give back what was there if asked to, the other two always */
	static const u8 optional[] = { BPF_ADD, BPF_AND, BPF_OR, BPF_XOR };
	bool known = insn->imm == BPF_XCHG || insn->imm == BPF_CMPXCHG;
	u32 i, size = BPF_SIZE(insn->code);

	for (i = 0; i < ARRAY_SIZE(optional); i++)
		known |= (insn->imm & ~BPF_FETCH) == optional[i];
	if (!known)
		bc_log(env, "BPF_ATOMIC uses invalid atomic opcode %02x\n", insn->imm);
	else if (size != BPF_W && size != BPF_DW)
		bc_log(env, "invalid atomic operand size\n");
	else
		return 0;
	return -EINVAL;
}

static int step_atomic(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	u32 bytes = access_bytes(insn->code), load_reg = insn->imm == BPF_CMPXCHG ? BPF_REG_0 : insn->src_reg;
	int err;

	err = check_atomic_op(env, insn);
	if (!err)
		err = bc_reg_use(env, insn->src_reg);
	if (!err)
		err = bc_reg_use(env, insn->dst_reg);
	if (!err && insn->imm == BPF_CMPXCHG)
		err = bc_reg_use(env, BPF_REG_0);
	if (err)
		return err;
	switch (regs[insn->dst_reg].type) {
	case PTR_TO_CTX:
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
	case PTR_TO_FLOW_KEYS:
	case PTR_TO_SOCKET:
	case PTR_TO_SOCK_COMMON:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_XDP_SOCK:
		bc_log(env, "BPF_ATOMIC stores into R%d %s is not allowed\n", insn->dst_reg, bc_type_str(env, regs[insn->dst_reg].type));
		return -EACCES;
	default:
		break;
	}
	if (insn->imm & BPF_FETCH) {
		err = bc_reg_def_unknown(env, load_reg);
		if (err)
			return err;
	}
	/* read, then (with a fetch) loaded into the register, then written: aligned in any case */
	err = bc_check_mem(env, insn->dst_reg, insn->off, bytes, BC_READ, BC_NO_REG, true);
	if (!err && (insn->imm & BPF_FETCH))
		err = bc_check_mem(env, insn->dst_reg, insn->off, bytes, BC_READ, load_reg, true);
	if (!err)
		err = bc_check_mem(env, insn->dst_reg, insn->off, bytes, BC_WRITE, BC_NO_REG, true);
	return err;
}

static int step_store(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	bool from_reg = BPF_CLASS(insn->code) == BPF_STX;
	u32 type;
	int err = 0;

	if (BPF_MODE(insn->code) != BPF_MEM || (from_reg ? insn->imm != 0 : insn->src_reg != 0)) {
		bc_log(env, "%s uses reserved fields\n", from_reg ? "BPF_STX" : "BPF_ST");
		return -EINVAL;
	}
	if (from_reg)
		err = bc_reg_use(env, insn->src_reg);
	if (!err)
		err = bc_reg_use(env, insn->dst_reg);
	if (err)
		return err;
	type = regs[insn->dst_reg].type;
	if (!from_reg && type == PTR_TO_CTX) {
		bc_log(env, "BPF_ST stores into R%d %s is not allowed\n", insn->dst_reg, bc_type_str(env, type));
		return -EACCES;
	}
	err = bc_check_mem(env, insn->dst_reg, insn->off, access_bytes(insn->code), BC_WRITE, from_reg ? insn->src_reg : BC_NO_REG, false);
	return err || !from_reg ? err : record_ptr_type(env, type);
}

static int load_map_or_func(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	struct bpf_reg_state *dst = &bc_cur_regs(env)[insn->dst_reg];

	switch (aux->ldimm) {
	case BC_LDIMM_MAP:
		bc_reg_pointer(dst, CONST_PTR_TO_MAP);
		dst->map = env->used_maps[aux->map_index];
		return 0;
	case BC_LDIMM_MAP_VALUE:
		bc_reg_pointer(dst, PTR_TO_MAP_VALUE);
		dst->map = env->used_maps[aux->map_index];
		dst->off = (s32)aux->map_off;
		if (dst->map->spin_lock_off >= 0)
			dst->id = ++env->id_gen;
		return 0;
	case BC_LDIMM_BTF:
		bc_reg_pointer(dst, aux->ksym_type);
		if (BC_BASE_TYPE(aux->ksym_type) == PTR_TO_MEM) {
			dst->mem_size = aux->ksym_mem_size;
		} else {
			dst->btf = aux->ksym_btf;
			dst->btf_id = aux->ksym_btf_id;
		}
		return 0;
	case BC_LDIMM_FUNC:
		if (!env->func_info) {
			bc_log(env, "missing btf func_info\n");
			return -EINVAL;
		}
		if (env->subprogs[aux->subprogno].is_global) {
			bc_log(env, "callback function not static\n");
			return -EINVAL;
		}
		if (!aux->subprogno) {
			bc_log(env, "callback function cannot be the main program\n");
			return -EINVAL;
		}
		bc_reg_pointer(dst, PTR_TO_FUNC);
		dst->subprogno = aux->subprogno;
		return 0;
	default:
		bc_log(env, "bpf verifier is misconfigured\n");
		return -EINVAL;
	}
}

static int step_ld_imm(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	int err;

	if (BPF_SIZE(insn->code) != BPF_DW) {
		bc_log(env, "invalid BPF_LD_IMM insn\n");
		return -EINVAL;
	}
	if (insn->off) {
		bc_log(env, "BPF_LD_IMM64 uses reserved fields\n");
		return -EINVAL;
	}
	err = bc_reg_def_unknown(env, insn->dst_reg);
	if (err)
		return err;
	if (!insn->src_reg)
		bc_reg_const(&bc_cur_regs(env)[insn->dst_reg], (u64)(u32)insn[1].imm << 32 | (u32)insn->imm);
	else
		err = load_map_or_func(env, insn);
	/* over the second half */
	env->insn_idx++;
	env->aux[env->insn_idx].seen = true;
	return err;
}

/* The classic packet loads: r6 is the context, the result goes to r0, r1 to r5 are lost, and a failure ends the program. */
static int step_ld_packet(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	int err;

	if (!(env->prog_class & (BC_PC_SOCKET_FILTER | BC_PC_SCHED_CLS))) {
		bc_log(env, "BPF_LD_[ABS|IND] instructions not allowed for this program type\n");
		return -EINVAL;
	}
	if (insn->dst_reg || insn->off || BPF_SIZE(insn->code) == BPF_DW || (BPF_MODE(insn->code) == BPF_ABS && insn->src_reg)) {
		bc_log(env, "BPF_LD_[ABS|IND] uses reserved fields\n");
		return -EINVAL;
	}
	err = bc_reg_use(env, BPF_REG_6);
	if (err)
		return err;
	err = bc_check_ref_leak(env);
	if (err) {
		bc_log(env, "BPF_LD_[ABS|IND] cannot be mixed with socket references\n");
		return err;
	}
	if (env->cur->active_spin_lock) {
		bc_log(env, "BPF_LD_[ABS|IND] cannot be used inside bpf_spin_lock-ed region\n");
		return -EINVAL;
	}
	if (regs[BPF_REG_6].type != PTR_TO_CTX) {
		bc_log(env, "at the time of BPF_LD_ABS|IND R6 != pointer to skb\n");
		return -EINVAL;
	}
	if (BPF_MODE(insn->code) == BPF_IND) {
		err = bc_reg_use(env, insn->src_reg);
		if (err)
			return err;
	}
	err = bc_check_ptr_unmodified(env, &regs[BPF_REG_6], BPF_REG_6, false);
	if (err)
		return err;
	bc_clear_caller_saved(env, bc_cur_func(env));
	bc_reg_unknown(&regs[BPF_REG_0]);
	/* in a function the failure is a return of 0 to the caller: walk that way, and the other one later */
	if (env->cur->curframe) {
		if (!bc_branch_push(env, env->insn_idx + 1, env->insn_idx))
			return -EFAULT;
		bc_reg_const(&regs[BPF_REG_0], 0);
		err = bc_return_from_call(env);
		return err ? err : STEP_RETURN;
	}
	return 0;
}

static int step_ld(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	switch (BPF_MODE(insn->code)) {
	case BPF_IMM:
		return step_ld_imm(env, insn);
	case BPF_ABS:
	case BPF_IND:
		return step_ld_packet(env, insn);
	default:
		bc_log(env, "invalid BPF_LD mode\n");
		return -EINVAL;
	}
}

static int step_call(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	if (BPF_SRC(insn->code) != BPF_K || (insn->src_reg != BPF_PSEUDO_KFUNC_CALL && insn->off) || insn->src_reg > BPF_PSEUDO_KFUNC_CALL ||
	    insn->dst_reg || BPF_CLASS(insn->code) == BPF_JMP32) {
		bc_log(env, "BPF_CALL uses reserved fields\n");
		return -EINVAL;
	}
	if (env->cur->active_spin_lock && (insn->src_reg || insn->imm != BPF_FUNC_spin_unlock)) {
		bc_log(env, "function calls are not allowed while holding a lock\n");
		return -EINVAL;
	}
	if (insn->src_reg == BPF_PSEUDO_CALL)
		return bc_check_call(env, insn);
	if (insn->src_reg == BPF_PSEUDO_KFUNC_CALL)
		return bc_check_kfunc_call(env, insn);
	return bc_check_helper_call(env, insn);
}

static int step_exit(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	int err;

	if (BPF_SRC(insn->code) != BPF_K || insn->imm || insn->src_reg || insn->dst_reg || BPF_CLASS(insn->code) == BPF_JMP32) {
		bc_log(env, "BPF_EXIT uses reserved fields\n");
		return -EINVAL;
	}
	if (env->cur->active_spin_lock) {
		bc_log(env, "bpf_spin_unlock is missing\n");
		return -EINVAL;
	}
	/* before the frame of a callback is gone */
	err = bc_check_ref_leak(env);
	if (err)
		return err;
	if (env->cur->curframe) {
		err = bc_return_from_call(env);
		return err ? err : STEP_RETURN;
	}
	err = bc_check_return_code(env);
	return err ? err : STEP_END;
}

static int step_jump(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32;

	env->jmps_processed++;
	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
		return step_call(env, insn);
	case BPF_EXIT:
		return step_exit(env, insn);
	case BPF_JA:
		if (BPF_SRC(insn->code) != BPF_K || insn->src_reg || insn->dst_reg || (is32 ? insn->off != 0 : insn->imm != 0)) {
			bc_log(env, "BPF_JA uses reserved fields\n");
			return -EINVAL;
		}
		env->insn_idx += (is32 ? insn->imm : insn->off) + 1;
		return STEP_JUMP;
	default:
		return bc_check_cond_jmp(env, insn);
	}
}

static int step(struct bpf_verifier_env *env)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];

	switch (BPF_CLASS(insn->code)) {
	case BPF_ALU:
	case BPF_ALU64:
		return bc_check_alu(env, insn);
	case BPF_LDX:
		return step_ldx(env, insn);
	case BPF_STX:
		if (BPF_MODE(insn->code) == BPF_ATOMIC)
			return step_atomic(env, insn);
		return step_store(env, insn);
	case BPF_ST:
		return step_store(env, insn);
	case BPF_JMP:
	case BPF_JMP32:
		return step_jump(env, insn);
	default:
		return step_ld(env, insn);
	}
}

static void log_insn(struct bpf_verifier_env *env)
{
	if (env->scratched_regs || env->scratched_slots)
		bc_print_change(env, bc_cur_func(env));
	bc_log_source(env, env->insn_idx, "; ");
	env->prev_log_len = env->log.len_used;
	bc_log(env, "%d: ", env->insn_idx);
	bc_print_insn(env, env->insn_idx);
	env->prev_insn_print_len = env->log.len_used - env->prev_log_len;
	env->prev_log_len = env->log.len_used;
}

/* Ends the path that was walked, and takes up one that was put off. -ENOENT: there is none. */
static int next_path(struct bpf_verifier_env *env, u32 *prev_insn_idx)
{
	bc_scratch_all(env);
	bc_branch_done(env, env->cur);
	return bc_branch_pop(env, prev_insn_idx, &env->insn_idx, !(env->log.level & BC_LOG_LEVEL2));
}

static int count_insn(struct bpf_verifier_env *env)
{
	if (env->insn_idx >= env->insn_cnt) {
		bc_log(env, "invalid insn idx %d insn_cnt %d\n", env->insn_idx, env->insn_cnt);
		return -EFAULT;
	}
	if (++env->insn_processed > BC_MAX_INSNS) {
		bc_log(env, "BPF program is too large. Processed %d insn\n", env->insn_processed);
		return -E2BIG;
	}
	return 0;
}

int bc_walk(struct bpf_verifier_env *env)
{
	bool new_path = false;
	u32 prev = (u32)-1;
	int err;

	for (;;) {
		env->prev_insn_idx = prev;
		err = count_insn(env);
		if (err)
			return err;
		err = bc_state_seen(env);
		if (err < 0)
			return err;
		if (err) {
			if (LOGS_PATH(env)) {
				if (new_path)
					bc_log(env, "\nfrom %d to %d: safe\n", env->prev_insn_idx, env->insn_idx);
				else
					bc_log(env, "%d: safe\n", env->insn_idx);
			}
			goto path_ends;
		}
		/* It costs as much as a simple instruction. */
		err = env->insn_processed % 16 ? 0 : port_poll();
		if (err)
			return err;
		if ((env->log.level & BC_LOG_LEVEL2) && new_path) {
			bc_log(env, "\nfrom %d to %d:", env->prev_insn_idx, env->insn_idx);
			bc_print_frame(env, bc_cur_func(env), true);
			new_path = false;
		}
		if (LOGS_PATH(env))
			log_insn(env);
#ifndef __KERNEL__
		if (env->record)
			env->record(env->record_arg, env, env->insn_idx);
#endif
		env->aux[env->insn_idx].seen = true;
		prev = env->insn_idx;
		err = step(env);
		if (err < 0)
			return err;
		switch (err) {
		case STEP_NEXT:
			env->insn_idx++;
			continue;
		case STEP_JUMP:
			continue;
		case STEP_RETURN:
			new_path = true;
			continue;
		default:
			break;
		}
path_ends:
		err = next_path(env, &prev);
		if (err == -ENOENT)
			return 0;
		if (err)
			return err;
		new_path = true;
	}
}
