/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Global functions: each is judged once, for any arguments that its prototype allows, and its calls are judged by the prototype alone.
 */
#include "internal.h"

static const char *kind_name(const struct bc_btf *btf, u32 id)
{
	return bc_btf_kind_name(bc_btf_skip_modifiers(btf, &id));
}

static bool is_number(const struct btf_type *t)
{
	switch (BTF_INFO_KIND(t->info)) {
	case BTF_KIND_INT:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return true;
	default:
		return false;
	}
}

const char *bc_ctx_struct_name(u32 prog_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_KPROBE:
		return "pt_regs";
	case BPF_PROG_TYPE_PERF_EVENT:
		return "bpf_perf_event_data";
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return "bpf_raw_tracepoint_args";
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_CGROUP_SKB:
		return "__sk_buff";
	case BPF_PROG_TYPE_XDP:
		return "xdp_md";
	case BPF_PROG_TYPE_CGROUP_SOCK:
		return "bpf_sock";
	default:
		return NULL;
	}
}

enum arg_kind { ARG_BAD, ARG_NUMBER, ARG_CTX, ARG_MEM };

struct func_arg {
	enum arg_kind kind;
	bool pointer;
	u32 bytes;		/* ARG_MEM */
	u32 type_id;		/* without modifiers; of what a pointer points to */
};

static void classify(struct bpf_verifier_env *env, const struct bc_btf *btf, u32 type_id, struct func_arg *arg)
{
	const struct btf_type *t = bc_btf_skip_modifiers(btf, &type_id);
	const char *ctx = bc_ctx_struct_name(env->prog_type);
	s64 bytes;

	arg->kind = ARG_BAD;
	arg->pointer = false;
	arg->bytes = 0;
	arg->type_id = type_id;
	if (!t)
		return;
	if (is_number(t)) {
		arg->kind = ARG_NUMBER;
		return;
	}
	if (BTF_INFO_KIND(t->info) != BTF_KIND_PTR)
		return;
	arg->pointer = true;
	type_id = t->type;
	t = bc_btf_skip_modifiers(btf, &type_id);
	arg->type_id = type_id;
	if (t && ctx && BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT && !strcmp(bc_btf_name(btf, t->name_off), ctx)) {
		arg->kind = ARG_CTX;
		return;
	}
	bytes = t ? bc_btf_size(btf, type_id) : -EINVAL;
	if (bytes < 0 || bytes > BC_MAX_VAR_SIZ)
		return;
	arg->kind = ARG_MEM;
	arg->bytes = (u32)bytes;
}

/* The FUNC_PROTO of a function of the program, and its name. */
static const struct btf_type *proto_of(const struct bpf_verifier_env *env, u32 subprogno, const char **name)
{
	const struct bc_btf *btf = env->args->prog_btf;
	const struct btf_type *func;

	if (!btf || subprogno >= env->func_info_cnt)
		return NULL;
	func = bc_btf_type(btf, env->func_info[subprogno].type_id);
	if (!func)
		return NULL;
	*name = bc_btf_name(btf, func->name_off);
	return bc_btf_type(btf, func->type);
}

int bc_global_args_init(struct bpf_verifier_env *env, u32 subprogno, struct bpf_reg_state *regs)
{
	const struct bc_btf *btf = env->args->prog_btf;
	const char *name = "";
	const struct btf_type *proto = proto_of(env, subprogno, &name), *t;
	const struct btf_param *param;
	struct func_arg arg;
	u32 i, ret;

	if (!proto)
		return -EFAULT;
	param = (const struct btf_param *)(proto + 1);
	if (BTF_INFO_VLEN(proto->info) > 5) {
		bc_log(env, "Global function %s() with %d > %d args. Buggy compiler.\n", name, BTF_INFO_VLEN(proto->info), 5);
		return -EINVAL;
	}
	ret = proto->type;
	t = bc_btf_skip_modifiers(btf, &ret);
	if (!t || !is_number(t)) {
		bc_log(env, "Global function %s() doesn't return scalar. Only those are supported.\n", name);
		return -EINVAL;
	}
	for (i = 0; i < BTF_INFO_VLEN(proto->info); i++) {
		struct bpf_reg_state *reg = &regs[BPF_REG_1 + i];

		classify(env, btf, param[i].type, &arg);
		switch (arg.kind) {
		case ARG_NUMBER:
			bc_reg_unknown(reg);
			break;
		case ARG_CTX:
			bc_reg_pointer(reg, PTR_TO_CTX);
			break;
		case ARG_MEM:
			bc_reg_pointer(reg, PTR_TO_MEM | PTR_MAYBE_NULL);
			reg->mem_size = arg.bytes;
			reg->id = ++env->id_gen;
			break;
		default:
			bc_log(env, "Arg#%d type %s in %s() is not supported yet.\n", i, kind_name(btf, param[i].type), name);
			return -EINVAL;
		}
	}
	return 0;
}

/*
 * Types that do not fit make a function unreliable, no more: what is passed is known from the walk. Linux says so in the log, once a function.
 */
void bc_note_arg_types(struct bpf_verifier_env *env, u32 subprogno, const struct bpf_reg_state *regs)
{
	const struct bc_btf *btf = env->args->prog_btf;
	const char *name = "";
	const struct btf_type *proto = proto_of(env, subprogno, &name);
	struct bpf_subprog_info *sub = &env->subprogs[subprogno];
	const struct btf_param *param;
	struct func_arg arg;
	u32 i;

	if (!proto || sub->unreliable || !bc_log_needed(&env->log))
		return;
	param = (const struct btf_param *)(proto + 1);
	if (BTF_INFO_VLEN(proto->info) > 5) {
		bc_log(env, "Function %s has %d > %d args\n", name, BTF_INFO_VLEN(proto->info), 5);
		sub->unreliable = true;
	}
	for (i = 0; i < BTF_INFO_VLEN(proto->info) && !sub->unreliable; i++) {
		const struct bpf_reg_state *reg = &regs[BPF_REG_1 + i];

		classify(env, btf, param[i].type, &arg);
		if (arg.kind == ARG_NUMBER) {
			if (reg->type == SCALAR_VALUE)
				continue;
			bc_log(env, "R%d is not a scalar\n", BPF_REG_1 + i);
		} else if (!arg.pointer) {
			bc_log(env, "Unrecognized arg#%d type %s\n", i, kind_name(btf, param[i].type));
		} else if (arg.kind == ARG_CTX) {
			if (reg->type == PTR_TO_CTX)
				continue;
			bc_log(env, "arg#%d expected pointer to ctx, but got PTR\n", i);
		} else {
			bc_log(env, "reg type unsupported for arg#%d function %s#%d\n", i, name, env->func_info[subprogno].type_id);
		}
		sub->unreliable = true;
	}
}

int bc_pass_mem(struct bpf_verifier_env *env, u32 regno, u32 bytes)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u32 type = reg->type;
	int err;

	if (bc_reg_is_null(reg))
		return 0;
	/* judged as if it were not NULL */
	reg->type &= ~(u32)PTR_MAYBE_NULL;
	err = bc_check_helper_mem(env, regno, (s32)bytes, BC_READ, true, NULL);
	if (!err)
		err = bc_check_helper_mem(env, regno, (s32)bytes, BC_WRITE, true, NULL);
	reg->type = type;
	return err ? -EINVAL : 0;
}

int bc_global_args_match(struct bpf_verifier_env *env, u32 subprogno)
{
	const struct bc_btf *btf = env->args->prog_btf;
	const char *name = "";
	const struct btf_type *proto = proto_of(env, subprogno, &name);
	const struct btf_param *param;
	struct func_arg arg;
	u32 i;
	int err;

	if (!proto)
		return -EINVAL;
	param = (const struct btf_param *)(proto + 1);
	if (BTF_INFO_VLEN(proto->info) > 5) {
		bc_log(env, "Function %s has %d > %d args\n", name, BTF_INFO_VLEN(proto->info), 5);
		return -EINVAL;
	}
	for (i = 0; i < BTF_INFO_VLEN(proto->info); i++) {
		u32 regno = BPF_REG_1 + i;
		const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

		classify(env, btf, param[i].type, &arg);
		if (arg.kind == ARG_NUMBER && reg->type != SCALAR_VALUE) {
			bc_log(env, "R%d is not a scalar\n", regno);
			return -EINVAL;
		}
		err = bc_reg_use(env, regno);
		if (err)
			return -EINVAL;
		switch (arg.kind) {
		case ARG_NUMBER:
			err = 0;
			break;
		case ARG_CTX:
			if (reg->type != PTR_TO_CTX) {
				bc_log(env, "arg#%d expected pointer to ctx, but got PTR\n", i);
				return -EINVAL;
			}
			err = bc_check_ptr_unmodified(env, reg, regno, false);
			break;
		case ARG_MEM:
			err = bc_pass_mem(env, regno, arg.bytes);
			break;
		default:
			bc_log(env, "Unrecognized arg#%d type %s\n", i, kind_name(btf, param[i].type));
			return -EINVAL;
		}
		if (err)
			return -EINVAL;
	}
	return 0;
}
