/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The target of tracing programs: the kernel function or tracepoint that attach_btf_id names, how its arguments are passed, and what
 * a program may read of them. Rules and messages are those of Linux 6.1.
 */
#include "btf_internal.h"
#include "internal.h"
#include "ctx.h"

static int bad_target(struct bpf_verifier_env *env, const char *what)
{
	bc_log(env, "%s\n", what);
	return -EINVAL;
}

/* typedef void (*btf_trace_NAME)(void *, args...) */
static int raw_tp_target(struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *t, const char *name)
{
	static const char prefix[] = "btf_trace_";

	if (!bt_is(t, KIND_BIT(TYPEDEF))) {
		bc_log(env, "attach_btf_id %u is not a typedef\n", env->args->attach_btf_id);
		return -EINVAL;
	}
	if (strncmp(name, prefix, sizeof(prefix) - 1)) {
		bc_log(env, "attach_btf_id %u points to wrong type name %s\n", env->args->attach_btf_id, name);
		return -EINVAL;
	}
	t = bc_btf_type(btf, t->type);
	if (!t || !bt_is(t, KIND_BIT(PTR)))
		return -EINVAL;
	env->attach_func_proto = t->type;
	env->attach_func_name = name + sizeof(prefix) - 1;
	return 0;
}

/* ---- how a function's arguments are passed ---- */

/* Bytes of a type that is passed or returned by value (0: void), or -EINVAL; *t is what it comes down to. */
static s32 value_size(const struct bc_btf *btf, u32 id, const struct btf_type **t)
{
	*t = bc_btf_skip_modifiers(btf, &id);
	if (!*t || !id)
		return *t ? 0 : -EINVAL;
	if (bt_is(*t, KIND_BIT(PTR)))
		return sizeof(void *);
	if (bt_is(*t, KIND_BIT(INT) | KIND_BIT(ENUM) | KIND_BIT(ENUM64) | KIND_BIT(STRUCT)))
		return (s32)(*t)->size;
	return -EINVAL;
}

int bc_func_model(struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *proto, const char *name,
		  struct bc_func_model *m)
{
	const struct btf_param *p = bt_params(proto);
	u32 i, n = bt_vlen(proto);
	const struct btf_type *t;
	s32 size;

	if (n > BC_MAX_FUNC_ARGS) {
		bc_log(env, "The function %s has %d arguments. Too many.\n", name, n);
		return -EINVAL;
	}
	size = value_size(btf, proto->type, &t);
	if (size < 0 || (size && bt_is(t, KIND_BIT(STRUCT)))) {
		bc_log(env, "The function %s return type %s is unsupported.\n", name, bc_btf_kind_name(t));
		return -EINVAL;
	}
	m->ret_size = (u8)(size > 8 ? 8 : size);
	for (i = 0; i < n; i++) {
		if (i == n - 1 && !p[i].type) {
			bc_log(env, "The function %s with variable args is unsupported.\n", name);
			return -EINVAL;
		}
		size = value_size(btf, p[i].type, &t);
		if (size < 0 || size > 16) {
			bc_log(env, "The function %s arg%d type %s is unsupported.\n", name, i, bc_btf_kind_name(t));
			return -EINVAL;
		}
		if (!size) {
			bc_log(env, "The function %s has malformed void argument.\n", name);
			return -EINVAL;
		}
		m->arg_size[i] = (u8)size;
		m->reg_cnt += (u8)((size + 7) / 8);
	}
	m->arg_cnt = (u8)n;
	return 0;
}

/* Functions that the running of a program itself goes through, on Linux. */
static bool denied(const char *name)
{
	static const char *const names[] = {
		"migrate_disable", "migrate_enable", "rcu_read_unlock_strict", "preempt_count_add", "preempt_count_sub",
	};
	u32 i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(name, names[i]))
			return true;
	return false;
}

static int func_target(struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *t, const char *name)
{
	int err;

	if (!bt_is(t, KIND_BIT(FUNC))) {
		bc_log(env, "attach_btf_id %u is not a function\n", env->args->attach_btf_id);
		return -EINVAL;
	}
	env->attach_func_proto = t->type;
	env->attach_func_name = name;
	t = bc_btf_type(btf, t->type);
	if (!t || !bt_is(t, KIND_BIT(FUNC_PROTO)))
		return -EINVAL;
	err = bc_func_model(env, btf, t, name, &env->attach_model);
	if (err)
		return err;
	if (env->expected_attach_type == BPF_TRACE_ITER)
		return bc_iter_check_target(env);
	if (!env->ops->ksym_addr(env->args->host, name)) {
		bc_log(env, "The address of function %s cannot be found\n", name);
		return -ENOENT;
	}
	if (env->args->prog_flags & BPF_F_SLEEPABLE) {
		/* our programs run in a breakpoint's handler, so that this holds of every function */
		bc_log(env, "%s is not sleepable\n", name);
		return -EINVAL;
	}
	if (env->expected_attach_type == BPF_MODIFY_RETURN) {
		bc_log(env, "%s() is not modifiable\n", name);
		return -EINVAL;
	}
	return denied(name) ? -EINVAL : 0;
}

static int resolve_target(struct bpf_verifier_env *env, const struct bc_btf *btf)
{
	u32 id = env->args->attach_btf_id;
	const struct btf_type *t = bc_btf_type(btf, id);
	const char *name;

	if (!t) {
		bc_log(env, "attach_btf_id %u is invalid\n", id);
		return -EINVAL;
	}
	name = bc_btf_name(btf, t->name_off);
	switch (env->expected_attach_type) {
	case BPF_TRACE_RAW_TP:
		return raw_tp_target(env, btf, t, name);
	case BPF_TRACE_FENTRY:
	case BPF_TRACE_FEXIT:
	case BPF_MODIFY_RETURN:
	case BPF_TRACE_ITER:
		return func_target(env, btf, t, name);
	default:
		return -EINVAL;
	}
}

int bc_check_attach(struct bpf_verifier_env *env)
{
	const struct bc_btf *btf;
	const struct btf_type *t;
	int err;

	if (env->args->prog_flags & BPF_F_SLEEPABLE && env->prog_type != BPF_PROG_TYPE_TRACING && env->prog_type != BPF_PROG_TYPE_KPROBE) {
		bc_log(env, "Only fentry/fexit/fmod_ret, lsm, iter, uprobe, and struct_ops programs can be sleepable\n");
		return -EINVAL;
	}
	if (env->prog_type != BPF_PROG_TYPE_TRACING)
		return 0;
	if (!env->args->attach_btf_id)
		return bad_target(env, "Tracing programs must provide btf_id");
	btf = env->ops->btf_vmlinux(env->args->host);
	if (!btf)
		return bad_target(env, "FENTRY/FEXIT program can only be attached to another program annotated with BTF");
	err = resolve_target(env, btf);
	if (err)
		return err;
	t = bc_btf_type(btf, env->attach_func_proto);
	if (!t || !bt_is(t, KIND_BIT(FUNC_PROTO)))
		return -EINVAL;
	if (env->expected_attach_type == BPF_TRACE_RAW_TP && (env->args->prog_flags & BPF_F_SLEEPABLE)) {
		bc_log(env, "%s is not sleepable\n", env->attach_func_name);
		return -EINVAL;
	}
	env->attach_btf = btf;
	/* a raw tracepoint's first parameter is the tracepoint's own */
	env->attach_arg_cnt = bt_vlen(t) - (env->expected_attach_type == BPF_TRACE_RAW_TP && bt_vlen(t) ? 1 : 0);
	return 0;
}

/* ---- the context: a word for each register of arguments, then the result ---- */

static u32 words_end(const struct bc_btf *btf, u32 id, u32 end)
{
	const struct btf_type *t;
	s32 size = value_size(btf, id, &t);

	return size > 0 ? end + (((u32)size + 7) & ~7u) : end;
}

/* Which argument lies at @off: its number, n for the result of n arguments, n + 1 past that. */
static u32 arg_at(const struct bc_btf *btf, const struct btf_type *proto, u32 off)
{
	u32 i, end = 0, n = bt_vlen(proto);

	for (i = 0; i < n; i++) {
		end = words_end(btf, bt_params(proto)[i].type, end);
		if (off < end)
			return i;
	}
	return off < words_end(btf, proto->type, end) ? n : n + 1;
}

static bool no_such_arg(struct bpf_verifier_env *env, u32 arg)
{
	bc_log(env, "func '%s' doesn't have %d-th argument\n", env->attach_func_name, arg + 1);
	return false;
}

/* A pointer's target as the program gets it. */
static bool pointer_arg(struct bpf_verifier_env *env, const struct btf_type *ptr, u32 arg, u32 off, struct bc_ctx_access *info)
{
	const struct bc_btf *btf = env->attach_btf;
	const struct btf_type *t = bc_btf_type(btf, ptr->type);
	u32 id = ptr->type, flags = 0;

	if (bc_iter_memory_arg(env, off, info))
		return true;
	/* what leads nowhere is a number like any other */
	if (!id)
		return true;
	if (t && bt_is(t, KIND_BIT(TYPE_TAG))) {
		if (!strcmp(bc_btf_name(btf, t->name_off), "user"))
			flags = MEM_USER;
		else if (!strcmp(bc_btf_name(btf, t->name_off), "percpu"))
			flags = MEM_PERCPU;
	}
	t = bc_btf_skip_modifiers(btf, &id);
	if (t && bt_is(t, KIND_BIT(INT)))
		return true;
	switch (bc_iter_pointer_arg(env, off, info)) {
	case BC_ITER_DONE:
		return true;
	case BC_ITER_BAD:
		return false;
	case BC_ITER_PLAIN:
		break;
	}
	if (!t || !bt_is(t, KINDS_STRUCT)) {
		bc_log(env, "func '%s' arg%d type %s is not a struct\n", env->attach_func_name, arg, bc_btf_kind_name(t));
		return false;
	}
	bc_log(env, "func '%s' arg%d has btf_id %d type %s '%s'\n", env->attach_func_name, arg, id, bc_btf_kind_name(t),
	       bc_btf_name(btf, t->name_off));
	info->reg_type = PTR_TO_BTF_ID | flags;
	info->btf = btf;
	info->btf_id = id;
	return true;
}

bool bc_tracing_ctx_ok(struct bpf_verifier_env *env, int off, int size, bool write, struct bc_ctx_access *info)
{
	const struct bc_btf *btf = env->attach_btf;
	const struct btf_type *proto = bc_btf_type(btf, env->attach_func_proto), *t;
	bool raw_tp = env->expected_attach_type == BPF_TRACE_RAW_TP;
	u32 arg, n, id;

	if (off < 0 || off >= BC_MAX_FUNC_ARGS * 8 || write || off % size)
		return false;
	if (off % 8) {
		bc_log(env, "func '%s' offset %d is not multiple of 8\n", env->attach_func_name, off);
		return false;
	}
	arg = arg_at(btf, proto, off);
	n = env->attach_arg_cnt;
	if (arg > n || (arg == n && env->expected_attach_type != BPF_TRACE_FEXIT))
		return no_such_arg(env, arg);
	id = arg == n ? proto->type : bt_params(proto)[arg + raw_tp].type;
	t = bc_btf_skip_modifiers(btf, &id);
	if (!t)
		return false;
	if ((bt_is(t, KIND_BIT(INT)) && t->size <= 8) || bt_is(t, KIND_BIT(ENUM) | KIND_BIT(ENUM64) | KIND_BIT(STRUCT)))
		return true;
	if (!bt_is(t, KIND_BIT(PTR))) {
		bc_log(env, "func '%s' arg%d '%s' has type %s. Only pointer access is allowed\n", env->attach_func_name, arg,
		       bc_btf_name(btf, t->name_off), bc_btf_kind_name(t));
		return false;
	}
	return pointer_arg(env, t, arg, (u32)off, info);
}
