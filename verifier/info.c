/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What comes with the program: types of its functions, and lines of its source.
 */
#include "internal.h"

static int no_func_info(struct bpf_verifier_env *env)
{
	u32 i;

	/* without their types it is not known that such functions return a number */
	for (i = 1; i < env->subprog_cnt; i++) {
		if (env->subprogs[i].has_ld_abs) {
			bc_log(env, "LD_ABS is not allowed in subprogs without BTF\n");
			return -EINVAL;
		}
		if (env->subprogs[i].has_tail_call) {
			bc_log(env, "tail_call is not allowed in subprogs without BTF\n");
			return -EINVAL;
		}
	}
	return 0;
}

static bool returns_number(const struct bc_btf *btf, const struct btf_type *proto)
{
	u32 id = proto->type;
	const struct btf_type *t = bc_btf_skip_modifiers(btf, &id);

	if (!t)
		return false;
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
		return t->size <= 8;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return true;
	default:
		return false;
	}
}

static int check_func(struct bpf_verifier_env *env, u32 i)
{
	const struct bc_btf *btf = env->args->prog_btf;
	const struct bpf_func_info *rec = &env->func_info[i];
	struct bpf_subprog_info *sub = &env->subprogs[i];
	const struct btf_type *func, *proto;

	if (!i && rec->insn_off) {
		bc_log(env, "nonzero insn_off %u for the first func info record", rec->insn_off);
		return -EINVAL;
	}
	if (i && rec->insn_off <= rec[-1].insn_off) {
		bc_log(env, "same or smaller insn offset (%u) than previous func info record (%u)", rec->insn_off, rec[-1].insn_off);
		return -EINVAL;
	}
	if (sub->start != rec->insn_off) {
		bc_log(env, "func_info BTF section doesn't match subprog layout in BPF program\n");
		return -EINVAL;
	}
	func = bc_btf_type(btf, rec->type_id);
	if (!func || BTF_INFO_KIND(func->info) != BTF_KIND_FUNC) {
		bc_log(env, "invalid type id %d in func info", rec->type_id);
		return -EINVAL;
	}
	sub->is_global = i && BTF_INFO_VLEN(func->info) == BTF_FUNC_GLOBAL;
	proto = bc_btf_type(btf, func->type);
	if (!proto || BTF_INFO_KIND(proto->info) != BTF_KIND_FUNC_PROTO)
		return -EINVAL;
	if (i && sub->has_ld_abs && !returns_number(btf, proto)) {
		bc_log(env, "LD_ABS is only allowed in functions that return 'int'.\n");
		return -EINVAL;
	}
	if (i && sub->has_tail_call && !returns_number(btf, proto)) {
		bc_log(env, "tail_call is only allowed in functions that return 'int'.\n");
		return -EINVAL;
	}
	return 0;
}

static int check_funcs(struct bpf_verifier_env *env)
{
	const struct bc_verify_args *args = env->args;
	u32 i;
	int err;

	if (!args->func_info_cnt)
		return no_func_info(env);
	if (args->func_info_cnt != env->subprog_cnt) {
		bc_log(env, "number of funcs in func_info doesn't match number of subprogs\n");
		return -EINVAL;
	}
	env->func_info = port_zalloc(args->func_info_cnt * sizeof(*env->func_info));
	if (!env->func_info)
		return -ENOMEM;
	memcpy(env->func_info, args->func_info, args->func_info_cnt * sizeof(*env->func_info));
	env->func_info_cnt = args->func_info_cnt;
	for (i = 0; i < env->func_info_cnt; i++) {
		err = check_func(env, i);
		if (err)
			return err;
	}
	return 0;
}

static int check_line(struct bpf_verifier_env *env, u32 i, u32 *sub)
{
	const struct bpf_line_info *rec = &env->args->line_info[i];
	const struct bc_btf *btf = env->args->prog_btf;
	u32 prev = i ? rec[-1].insn_off : 0;

	if ((i && rec->insn_off <= prev) || rec->insn_off >= env->insn_cnt) {
		bc_log(env, "Invalid line_info[%u].insn_off:%u (prev_offset:%u prog->len:%u)\n", i, rec->insn_off, prev, env->insn_cnt);
		return -EINVAL;
	}
	if (!env->insns[rec->insn_off].code) {
		bc_log(env, "Invalid insn code at line_info[%u].insn_off\n", i);
		return -EINVAL;
	}
	if (rec->line_off >= btf->strings_len || rec->file_name_off >= btf->strings_len) {
		bc_log(env, "Invalid line_info[%u].line_off or .file_name_off\n", i);
		return -EINVAL;
	}
	if (*sub == env->subprog_cnt)
		return 0;
	if (rec->insn_off == env->subprogs[*sub].start) {
		++*sub;
	} else if (env->subprogs[*sub].start < rec->insn_off) {
		bc_log(env, "missing bpf_line_info for func#%u\n", *sub);
		return -EINVAL;
	}
	return 0;
}

static int check_lines(struct bpf_verifier_env *env)
{
	const struct bc_verify_args *args = env->args;
	u32 i, sub = 0;
	int err;

	if (!args->line_info_cnt)
		return 0;
	for (i = 0; i < args->line_info_cnt; i++) {
		err = check_line(env, i, &sub);
		if (err)
			return err;
	}
	if (sub != env->subprog_cnt) {
		bc_log(env, "missing bpf_line_info for %u funcs starting from func#%u\n", env->subprog_cnt - sub, sub);
		return -EINVAL;
	}
	env->line_info = port_zalloc(args->line_info_cnt * sizeof(*env->line_info));
	if (!env->line_info)
		return -ENOMEM;
	memcpy(env->line_info, args->line_info, args->line_info_cnt * sizeof(*env->line_info));
	env->line_info_cnt = args->line_info_cnt;
	return 0;
}

int bc_check_btf_info(struct bpf_verifier_env *env)
{
	const struct bc_verify_args *args = env->args;
	int err;

	if (!args->func_info_cnt && !args->line_info_cnt)
		return no_func_info(env);
	if (!args->prog_btf)
		return -EBADF;
	if (args->prog_btf->kernel)
		return -EACCES;
	err = check_funcs(env);
	return err ? err : check_lines(env);
}
