/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arguments of kernel functions: is each register what the function's BTF says, and may the function access what it points to? Rules and
 * messages are those of Linux 6.1.
 */
#include "btf_internal.h"
#include "internal.h"

#define MAX_NESTING 4	/* of structs in memory that is passed */

/* One argument at work. */
struct kfunc_arg {
	u32 i, regno;
	const struct btf_param *param;
	u32 target_id;			/* what the parameter points to, without modifiers */
	const struct btf_type *target;
	const char *target_name;
};

static bool is_number(const struct btf_type *t)
{
	return bt_is(t, KIND_BIT(INT) | KIND_BIT(ENUM) | KIND_BIT(ENUM64));
}

static const char *kind(const struct btf_type *t)
{
	return bc_btf_kind_name(t);
}

/* ---- numbers ---- */

static int check_number(struct bpf_verifier_env *env, struct bc_kfunc_call *c, const struct kfunc_arg *a)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	const char *name = bc_btf_name(c->btf, a->param->name_off);
	bool rdonly;

	if (reg->type != SCALAR_VALUE) {
		bc_log(env, "R%d is not a scalar\n", a->regno);
		return -EINVAL;
	}
	/* by its name, the size of the memory that is returned */
	rdonly = !strcmp(name, "rdonly_buf_size");
	if (!rdonly && strcmp(name, "rdwr_buf_size"))
		return 0;
	if (c->mem_size) {
		bc_log(env, "2 or more rdonly/rdwr_buf_size parameters for kfunc");
		return -EINVAL;
	}
	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "R%d is not a const\n", a->regno);
		return -EINVAL;
	}
	if (reg->v.t.value > U32_MAX) {
		bc_log(env, "R%d rdonly/rdwr_buf_size exceeds u32 max\n", a->regno);
		return -EINVAL;
	}
	c->mem_size = reg->v.t.value;
	c->mem_rdonly = rdonly;
	return bc_mark_precise(env, a->regno);
}

/* ---- pointers to objects ---- */

/* The type in the kernel's BTF of what programs know by a register type of its own. */
static const char *sock_struct(u32 type)
{
	switch (type) {
	case PTR_TO_SOCKET:
		return "sock";
	case PTR_TO_SOCK_COMMON:
		return "sock_common";
	case PTR_TO_TCP_SOCK:
		return "tcp_sock";
	default:
		return NULL;
	}
}

static int not_supported(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, const struct kfunc_arg *a)
{
	bc_log(env, "kernel function %s args#%d pointer type %s %s is not supported\n", c->name, a->i, kind(a->target), a->target_name);
	return -EINVAL;
}

static int check_object(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, const struct kfunc_arg *a)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	const struct bc_btf *btf = reg->btf;
	u32 id = reg->btf_id;
	const struct btf_type *t;
	bool exact, same;
	s32 found;

	if (!bt_is(a->target, KINDS_STRUCT))
		return not_supported(env, c, a);
	if (reg->type != PTR_TO_BTF_ID) {
		btf = env->ops->btf_vmlinux(env->args->host);
		found = bc_btf_find(btf, sock_struct(reg->type), BTF_KIND_STRUCT);
		id = found > 0 ? found : 0;
	}
	t = bc_btf_skip_modifiers(btf, &id);
	/* what is given back, or must be held, is of that very type; else it may lie in one that is */
	exact = (c->fn->flags & BC_KF_TRUSTED_ARGS) || ((c->fn->flags & BC_KF_RELEASE) && reg->ref_obj_id);
	same = btf == c->btf && id == a->target_id && !reg->off;
	if (same || (!exact && btf == c->btf && bc_btf_struct_within(btf, id, (u32)reg->off, a->target_id)))
		return 0;
	bc_log(env, "kernel function %s args#%d expected pointer to %s %s but R%d has a pointer to %s %s\n", c->name, a->i, kind(a->target),
	       a->target_name, a->regno, kind(t), bc_btf_name(btf, t->name_off));
	return -EINVAL;
}

/* The first argument is a field of a map's value that holds a reference. */
static int check_kptr_field(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, struct kfunc_arg *a)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	const struct bc_kptr *kptr;
	u64 off;

	if (reg->type != PTR_TO_MAP_VALUE) {
		bc_log(env, "arg#0 expected pointer to map value\n");
		return -EINVAL;
	}
	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "arg#0 must have constant offset\n");
		return -EINVAL;
	}
	off = reg->off + reg->v.t.value;
	kptr = bc_kptr_at(reg->map, (s64)off);
	if (!kptr || !kptr->ref) {
		bc_log(env, "arg#0 no referenced kptr at map value offset=%llu\n", off);
		return -EINVAL;
	}
	if (!bt_is(a->target, KIND_BIT(PTR))) {
		bc_log(env, "arg#0 BTF type must be a double pointer\n");
		return -EINVAL;
	}
	a->target_id = a->target->type;
	a->target = bc_btf_skip_modifiers(c->btf, &a->target_id);
	a->target_name = bc_btf_name(c->btf, a->target->name_off);
	if (!bt_is(a->target, KINDS_STRUCT))
		return not_supported(env, c, a);
	if (reg->map->kptr_btf != c->btf || kptr->btf_id != a->target_id) {
		bc_log(env, "kernel function %s args#%d expected pointer to %s %s\n", c->name, a->i, kind(a->target), a->target_name);
		return -EINVAL;
	}
	return 0;
}

/* ---- memory ---- */

/* May a member's type be in memory that a program passes? 1: a struct, to be looked into (*t). */
static int member_kind(const struct bc_btf *btf, u32 id, const struct btf_type **t)
{
	*t = bc_btf_skip_modifiers(btf, &id);
	if (bt_is(*t, KINDS_STRUCT))
		return 1;
	if (bt_is(*t, KIND_BIT(ARRAY))) {
		if (!bt_array_of(*t)->nelems)
			return -EINVAL;
		id = bt_array_of(*t)->type;
		*t = bc_btf_skip_modifiers(btf, &id);
	}
	return is_number(*t) ? 0 : -EINVAL;
}

/* A struct of numbers alone, at any depth there may be. */
static bool is_plain_struct(struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *t)
{
	const struct btf_type *open[MAX_NESTING], *inner;
	u32 next[MAX_NESTING], depth = 0;
	int found;

	if (!bt_is(t, KINDS_STRUCT))
		return false;
	open[0] = t;
	next[0] = 0;
	for (;;) {
		if (next[depth] == bt_vlen(open[depth])) {
			if (!depth--)
				return true;
			continue;
		}
		found = member_kind(btf, bt_members(open[depth])[next[depth]++].type, &inner);
		if (found < 0)
			return false;
		if (!found)
			continue;
		if (++depth == MAX_NESTING) {
			bc_log(env, "max struct nesting depth exceeded\n");
			return false;
		}
		open[depth] = inner;
		next[depth] = 0;
	}
}

/* Does the parameter say, by its name, how long the memory before it is? */
static bool is_size(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, const struct btf_param *param, u32 regno)
{
	const char *name = bc_btf_name(c->btf, param->name_off);
	size_t len = strlen(name), suffix = sizeof("__sz") - 1;
	u32 id = param->type;

	return is_number(bc_btf_skip_modifiers(c->btf, &id)) && bc_cur_regs(env)[regno].type == SCALAR_VALUE && len >= suffix &&
	       !strcmp(name + len - suffix, "__sz");
}

static int check_sized(struct bpf_verifier_env *env, const struct kfunc_arg *a)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	struct bpf_call_meta meta;
	u32 type = reg->type;
	int err;

	memset(&meta, 0, sizeof(meta));
	/* judged as if it were not NULL */
	reg->type &= ~(u32)PTR_MAYBE_NULL;
	err = bc_check_mem_size(env, a->regno + 1, BC_READ, true, &meta);
	if (!err)
		err = bc_check_mem_size(env, a->regno + 1, BC_WRITE, true, &meta);
	reg->type = type;
	if (err) {
		bc_log(env, "arg#%d arg#%d memory, len pair leads to invalid memory access\n", a->i, a->i + 1);
		return -EINVAL;
	}
	return 0;
}

/* A dynptr of the program's own, to memory of its own. */
static int check_dynptr(struct bpf_verifier_env *env, const struct kfunc_arg *a)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	const char *why = NULL;

	if (reg->type != PTR_TO_STACK)
		why = "not to stack";
	else if (!bc_dynptr_is(env, reg, 0, NULL))
		why = "must be valid and initialized";
	else if (!bc_dynptr_is(env, reg, BC_ARG_LOCAL, NULL))
		why = "points to unsupported dynamic pointer type";
	if (!why)
		return bc_read_dynptr(env, reg);
	bc_log(env, "arg#%d pointer type %s %s %s\n", a->i, kind(a->target), a->target_name, why);
	return -EINVAL;
}

/* *two: the next argument was its size. */
static int check_memory(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, const struct kfunc_arg *a, bool *two)
{
	s64 size;

	if (bt_is(a->target, KINDS_STRUCT) && !strcmp(a->target_name, "bpf_dynptr_kern"))
		return check_dynptr(env, a);
	*two = a->i + 1 < bt_vlen(c->proto) && is_size(env, c, a->param + 1, a->regno + 1);
	if (!is_number(a->target) && !is_plain_struct(env, c->btf, a->target) && !(*two && !a->target_id)) {
		bc_log(env, "arg#%d pointer type %s %s must point to %sscalar, or struct with scalar\n", a->i, kind(a->target),
		       a->target_name, *two ? "void, " : "");
		return -EINVAL;
	}
	if (*two)
		return check_sized(env, a);
	size = bc_btf_size(c->btf, a->target_id);
	if (size < 0 || size > BC_MAX_VAR_SIZ) {
		bc_log(env, "arg#%d reference type('%s %s') size cannot be determined: %d\n", a->i, kind(a->target), a->target_name,
		       (s32)size);
		return -EINVAL;
	}
	return bc_pass_mem(env, a->regno, (u32)size);
}

/* ---- each argument ---- */

static int note_reference(struct bpf_verifier_env *env, struct bc_kfunc_call *c, const struct kfunc_arg *a)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];

	if (!reg->ref_obj_id)
		return 0;
	if (c->ref_obj_id) {
		bc_log(env, "verifier internal error: more than one arg with ref_obj_id R%d %u %u\n", a->regno, reg->ref_obj_id,
		       c->ref_obj_id);
		return -EFAULT;
	}
	c->ref_obj_id = reg->ref_obj_id;
	return 0;
}

static bool is_ctx(const struct bpf_verifier_env *env, const struct kfunc_arg *a)
{
	const char *ctx = bc_ctx_struct_name(env->prog_type);

	return ctx && bt_is(a->target, KINDS_STRUCT) && !strcmp(a->target_name, ctx);
}

static int check_pointer(struct bpf_verifier_env *env, struct bc_kfunc_call *c, struct kfunc_arg *a, bool *two)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[a->regno];
	bool object = reg->type == PTR_TO_BTF_ID || sock_struct(BC_BASE_TYPE(reg->type));
	bool trusted = c->fn->flags & BC_KF_TRUSTED_ARGS;
	u16 arg = 0;
	int err;

	if (trusted && object && !reg->ref_obj_id) {
		bc_log(env, "R%d must be referenced\n", a->regno);
		return -EINVAL;
	}
	if ((trusted && (object || reg->type == PTR_TO_CTX)) || ((c->fn->flags & BC_KF_RELEASE) && reg->ref_obj_id))
		arg |= BC_ARG_RELEASE;
	err = bc_check_arg_offset(env, a->regno, arg);
	if (!err)
		err = note_reference(env, c, a);
	if (err)
		return err;
	if (!a->i && (c->fn->flags & BC_KF_KPTR_GET))
		return check_kptr_field(env, c, a);
	if (is_ctx(env, a)) {
		if (reg->type == PTR_TO_CTX)
			return 0;
		bc_log(env, "arg#%d expected pointer to ctx, but got %s\n", a->i, "PTR");
		return -EINVAL;
	}
	if (reg->type == PTR_TO_BTF_ID || sock_struct(reg->type))
		return check_object(env, c, a);
	return check_memory(env, c, a, two);
}

static int check_arg(struct bpf_verifier_env *env, struct bc_kfunc_call *c, struct kfunc_arg *a, bool *two)
{
	u32 id = a->param->type;
	const struct btf_type *t = bc_btf_skip_modifiers(c->btf, &id);

	if (is_number(t))
		return check_number(env, c, a);
	if (!bt_is(t, KIND_BIT(PTR))) {
		bc_log(env, "Unrecognized arg#%d type %s\n", a->i, kind(t));
		return -EINVAL;
	}
	a->target_id = t->type;
	a->target = bc_btf_skip_modifiers(c->btf, &a->target_id);
	a->target_name = bc_btf_name(c->btf, a->target->name_off);
	return check_pointer(env, c, a, two);
}

/* What the function was given counts as read. */
static int mark_args(struct bpf_verifier_env *env, u32 cnt)
{
	int err = 0;
	u32 i;

	for (i = 0; i < cnt && !err; i++)
		err = bc_reg_use(env, BPF_REG_1 + i);
	return err;
}

int bc_check_kfunc_args(struct bpf_verifier_env *env, struct bc_kfunc_call *c)
{
	u32 cnt = bt_vlen(c->proto);
	struct kfunc_arg a;
	bool two = false;
	int err;

	if (cnt > 5) {
		bc_log(env, "Function %s has %d > %d args\n", c->name, cnt, 5);
		return -EINVAL;
	}
	memset(&a, 0, sizeof(a));
	for (a.i = 0; a.i < cnt; a.i += two ? 2 : 1) {
		two = false;
		a.regno = BPF_REG_1 + a.i;
		a.param = bt_params(c->proto) + a.i;
		err = check_arg(env, c, &a, &two);
		if (err)
			return err;
	}
	if ((c->fn->flags & BC_KF_RELEASE) && !c->ref_obj_id) {
		bc_log(env, "release kernel function %s expects refcounted PTR_TO_BTF_ID\n", c->name);
		return -EINVAL;
	}
	if ((c->fn->flags & BC_KF_SLEEPABLE) && !(env->args->prog_flags & BPF_F_SLEEPABLE)) {
		bc_log(env, "kernel function %s is sleepable but the program is not\n", c->name);
		return -EINVAL;
	}
	return mark_args(env, cnt);
}
