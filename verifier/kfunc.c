/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls of kernel functions that BTF describes: which function an instruction names, may this program call it, and what does it return?
 * The arguments are kfunc_args.c's. Rules and messages are those of Linux 6.1.
 */
#include "btf_internal.h"
#include "internal.h"

/* ---- before the walk ---- */

static struct bc_btf *module_btf(struct bpf_verifier_env *env, s16 off)
{
	struct bc_btf *btf;

	if (off < 0) {
		bc_log(env, "negative offset disallowed for kernel module function call\n");
		return ERR_PTR(-EINVAL);
	}
	if (!env->args->fd_array) {
		bc_log(env, "kfunc offset > 0 without fd_array is invalid\n");
		return ERR_PTR(-EPROTO);
	}
	if ((u32)off >= env->args->fd_array_cnt)
		return ERR_PTR(-EFAULT);
	btf = env->ops->btf_get(env->args->host, (u32)env->args->fd_array[off]);
	if (IS_ERR(btf)) {
		bc_log(env, "invalid module BTF fd specified\n");
		return btf;
	}
	if (!btf->kernel || btf == env->ops->btf_vmlinux(env->args->host)) {
		bc_log(env, "BTF fd for kfunc is not a module BTF\n");
		env->ops->btf_put(env->args->host, btf);
		return ERR_PTR(-EINVAL);
	}
	return btf;
}

/* The BTF that the call's function is in, kept with the program. */
static const struct bc_btf *btf_of(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bc_btf *btf;
	int err;

	if (!insn->off)
		return env->ops->btf_vmlinux(env->args->host);
	btf = module_btf(env, insn->off);
	if (IS_ERR(btf)) {
		bc_log(env, "failed to find BTF for kernel function\n");
		return btf;
	}
	err = bc_use_btf(env, btf);
	return err ? ERR_PTR(err) : btf;
}

static bool fits(const struct bc_btf *btf, u32 type_id, char form)
{
	const struct btf_type *t = bc_btf_skip_modifiers(btf, &type_id);

	if (!t || !type_id)
		return t && form == 'v';
	if (form >= '1' && form <= '8')
		return bt_is(t, KIND_BIT(INT) | KIND_BIT(ENUM) | KIND_BIT(ENUM64)) && t->size == (u32)(form - '0');
	if (!bt_is(t, KIND_BIT(PTR)))
		return false;
	type_id = t->type;
	t = bc_btf_skip_modifiers(btf, &type_id);
	switch (form) {
	case 's':
		return t && bt_is(t, KINDS_STRUCT);
	case 'p':
		return t && bt_is(t, KIND_BIT(PTR));
	default:
		return !type_id || (t && bt_is(t, KIND_BIT(INT)));
	}
}

/* A function of that name whose BTF describes another than ours is not ours. */
static bool is_ours(const struct bc_btf *btf, const struct btf_type *proto, const char *form)
{
	u32 i;

	for (i = 0; i < bt_vlen(proto); i++)
		if (form[i] == ':' || !fits(btf, bt_params(proto)[i].type, form[i]))
			return false;
	return form[i] == ':' && fits(btf, proto->type, form[i + 1]);
}

/* Index in bc_kfuncs[] + 1, or 0. */
static u8 find(const struct bpf_verifier_env *env, const struct bc_btf *btf, const struct btf_type *proto, const char *name)
{
	u32 i;

	/* modules' functions are none of ours */
	if (btf != env->ops->btf_vmlinux(env->args->host))
		return 0;
	for (i = 0; i < __BC_KFUNCS; i++) {
		if (strcmp(bc_kfuncs[i].name, name))
			continue;
		if (bc_kfuncs[i].of_kernel && env->ops->kfunc_available && !env->ops->kfunc_available(env->args->host, name))
			return 0;
		return is_ours(btf, proto, bc_kfuncs[i].proto) ? i + 1 : 0;
	}
	return 0;
}

int bc_find_kfunc(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	struct bpf_insn_aux_data *aux = &env->aux[idx];
	const struct btf_type *func, *proto;
	struct bc_func_model model;
	const struct bc_btf *btf;
	const char *name;

	if (!env->ops->btf_vmlinux(env->args->host)) {
		bc_log(env, "calling kernel function is not supported without CONFIG_DEBUG_INFO_BTF\n");
		return -ENOTSUPP;
	}
	if (!env->args->gpl_compatible) {
		bc_log(env, "cannot call kernel function from non-GPL compatible program\n");
		return -EINVAL;
	}
	/* what libbpf leaves for a weak function that was not found: not to be reached */
	if (!insn->imm && !insn->off)
		return 0;
	btf = btf_of(env, insn);
	if (IS_ERR(btf))
		return PTR_ERR(btf);
	func = bc_btf_type(btf, (u32)insn->imm);
	if (!func || !bt_is(func, KIND_BIT(FUNC))) {
		bc_log(env, "kernel btf_id %u is not a function\n", (u32)insn->imm);
		return -EINVAL;
	}
	proto = bc_btf_type(btf, func->type);
	if (!proto || !bt_is(proto, KIND_BIT(FUNC_PROTO))) {
		bc_log(env, "kernel function btf_id %u does not have a valid func_proto\n", (u32)insn->imm);
		return -EINVAL;
	}
	name = bc_btf_name(btf, func->name_off);
	aux->ksym_btf = btf;
	aux->kfunc = find(env, btf, proto, name);
	if (!aux->kfunc && !env->ops->ksym_addr(env->args->host, name)) {
		bc_log(env, "cannot find address for kernel function %s\n", name);
		return -EINVAL;
	}
	memset(&model, 0, sizeof(model));
	return bc_func_model(env, btf, proto, name, &model);
}

const char *bc_kfunc_name(const struct bpf_verifier_env *env, u32 idx)
{
	const struct bc_btf *btf = env->aux[idx].ksym_btf;

	return btf ? bc_btf_type_name(btf, (u32)env->insns[idx].imm) : "kernel-function";
}

/* ---- the call ---- */

static bool points_to_struct(const struct bc_btf *btf, const struct btf_type *ptr, u32 *id)
{
	const struct btf_type *t;

	if (!bt_is(ptr, KIND_BIT(PTR)))
		return false;
	*id = ptr->type;
	t = bc_btf_skip_modifiers(btf, id);
	return t && bt_is(t, KINDS_STRUCT);
}

static int returns_mem(struct bpf_verifier_env *env, const struct bc_kfunc_call *c, u32 id)
{
	struct bpf_reg_state *r0 = bc_cur_regs(env);
	const struct btf_type *t = bc_btf_type(c->btf, id);

	if (!c->mem_size) {
		bc_log(env, "kernel function %s returns pointer type %s %s is not supported\n", c->name, bc_btf_kind_name(t),
		       bc_btf_name(c->btf, t->name_off));
		return -EINVAL;
	}
	bc_reg_pointer(r0, PTR_TO_MEM | (c->mem_rdonly ? MEM_RDONLY : 0));
	r0->mem_size = (u32)c->mem_size;
	/* it goes with the object that it is a part of */
	r0->ref_obj_id = c->ref_obj_id;
	return 0;
}

static int set_return(struct bpf_verifier_env *env, const struct bc_kfunc_call *c)
{
	struct bpf_reg_state *r0 = bc_cur_regs(env);
	u32 type_id = c->proto->type, target = 0;
	const struct btf_type *t = bc_btf_skip_modifiers(c->btf, &type_id);
	bool acquires = c->fn->flags & BC_KF_ACQUIRE;
	int err, id;

	if (acquires && !points_to_struct(c->btf, t, &target)) {
		bc_log(env, "acquire kernel function does not return PTR_TO_BTF_ID\n");
		return -EINVAL;
	}
	if (!type_id)
		return 0;
	if (!bt_is(t, KIND_BIT(PTR))) {
		bc_reg_unknown(r0);
		return 0;
	}
	if (points_to_struct(c->btf, t, &target)) {
		bc_reg_pointer(r0, PTR_TO_BTF_ID);
		r0->btf = c->btf;
		r0->btf_id = target;
	} else {
		err = returns_mem(env, c, target);
		if (err)
			return err;
	}
	if (c->fn->flags & BC_KF_RET_NULL) {
		r0->type |= PTR_MAYBE_NULL;
		r0->id = ++env->id_gen;
	}
	if (acquires) {
		id = bc_ref_acquire(env, env->insn_idx);
		if (id < 0)
			return id;
		r0->id = id;
		r0->ref_obj_id = id;
	}
	return 0;
}

static int may_call(struct bpf_verifier_env *env, struct bc_kfunc_call *c, const struct bpf_insn_aux_data *aux)
{
	c->fn = aux->kfunc ? &bc_kfuncs[aux->kfunc - 1] : NULL;
	if (!c->fn || !(c->fn->prog_types >> env->prog_type & 1)) {
		bc_log(env, "calling kernel function %s is not allowed\n", c->name);
		return -EACCES;
	}
	if ((c->fn->flags & BC_KF_DESTRUCTIVE) && !env->ops->may_destroy(env->args->host)) {
		bc_log(env, "destructive kfunc calls require CAP_SYS_BOOT capabilities\n");
		return -EACCES;
	}
	return 0;
}

int bc_check_kfunc_call(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	const struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	const struct btf_type *func;
	struct bc_kfunc_call c;
	int err;

	if (!insn->imm) {
		bc_log(env, "invalid kernel function call not eliminated in verifier pass\n");
		return -EINVAL;
	}
	memset(&c, 0, sizeof(c));
	c.btf = aux->ksym_btf;
	c.func_id = (u32)insn->imm;
	func = bc_btf_type(c.btf, c.func_id);
	c.name = bc_btf_name(c.btf, func->name_off);
	c.proto = bc_btf_type(c.btf, func->type);
	err = may_call(env, &c, aux);
	if (!err)
		err = bc_check_kfunc_args(env, &c);
	if (err)
		return err;
	if (c.fn->flags & BC_KF_RELEASE) {
		err = bc_ref_release(env, c.ref_obj_id);
		if (err) {
			bc_log(env, "kfunc %s#%d reference has not been acquired before\n", c.name, c.func_id);
			return err;
		}
	}
	bc_clear_caller_saved(env, bc_cur_func(env));
	return set_return(env, &c);
}
