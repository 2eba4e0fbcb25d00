/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helper calls: may this program call it, are the arguments right (helper_args.c), and what does it return?
 */
#include "internal.h"

#define MAX_ERRNO_VALUE 4095

bool bc_helper_calls_back(s32 func_id)
{
	switch (func_id) {
	case BPF_FUNC_for_each_map_elem:
	case BPF_FUNC_find_vma:
	case BPF_FUNC_loop:
	case BPF_FUNC_user_ringbuf_drain:
		return true;
	default:
		return false;
	}
}

/* The result is a reference that must be given back. */
static bool acquires(s32 func_id, const struct bc_map_desc *map)
{
	switch (func_id) {
	case BPF_FUNC_sk_lookup_tcp:
	case BPF_FUNC_sk_lookup_udp:
	case BPF_FUNC_skc_lookup_tcp:
	case BPF_FUNC_ringbuf_reserve:
	case BPF_FUNC_kptr_xchg:
		return true;
	case BPF_FUNC_map_lookup_elem:
		return map && (map->type == BPF_MAP_TYPE_SOCKMAP || map->type == BPF_MAP_TYPE_SOCKHASH);
	default:
		return false;
	}
}

/* The result is the argument by another type. */
static bool casts(s32 func_id)
{
	switch (func_id) {
	case BPF_FUNC_tcp_sock:
	case BPF_FUNC_sk_fullsock:
	case BPF_FUNC_skc_to_tcp_sock:
	case BPF_FUNC_skc_to_tcp6_sock:
	case BPF_FUNC_skc_to_udp6_sock:
	case BPF_FUNC_skc_to_mptcp_sock:
	case BPF_FUNC_skc_to_tcp_timewait_sock:
	case BPF_FUNC_skc_to_tcp_request_sock:
	case BPF_FUNC_dynptr_data:	/* a part of it */
		return true;
	default:
		return false;
	}
}

int bc_check_ref_leak(struct bpf_verifier_env *env)
{
	const struct bpf_func_state *f = bc_cur_func(env);
	u32 i, owed = 0;

	for (i = 0; i < f->ref_cnt; i++) {
		/* a function hands what it holds back to its caller; a callback has none to hand to what it took itself */
		bool own = f->in_callback_fn ? f->refs[i].callback_frame == f->frameno : !f->frameno;

		if (own)
			bc_log(env, "Unreleased reference id=%d alloc_insn=%d\n", f->refs[i].id, f->refs[i].insn_idx);
		owed += own;
	}
	return owed ? -EINVAL : 0;
}

/* Every copy of what was given back is a mere number now. */
int bc_ref_release(struct bpf_verifier_env *env, u32 ref_obj_id)
{
	struct bpf_reg_state *reg;
	u32 pos = 0;
	int err;

	err = bc_ref_drop(bc_cur_func(env), ref_obj_id);
	if (err)
		return err;
	while ((reg = bc_next_reg(env->cur, &pos)) != NULL)
		if (reg->ref_obj_id == ref_obj_id)
			bc_reg_unknown(reg);
	return 0;
}

void bc_forget_packets(struct bpf_verifier_env *env)
{
	struct bpf_reg_state *reg;
	u32 pos = 0;

	while ((reg = bc_next_reg(env->cur, &pos)) != NULL)
		if (bc_reg_is_pkt_any(reg))
			bc_reg_unknown(reg);
}

/* bpf_d_path takes locks: only where Linux knows that none of them is held. */
static bool may_call_d_path(const struct bpf_verifier_env *env)
{
	static const char *const functions[] = {
		"security_file_permission", "security_inode_getattr", "security_file_open", "security_path_truncate", "vfs_truncate",
		"vfs_fallocate", "dentry_open", "vfs_getattr", "filp_close",
	};
	u32 i;

	if (env->expected_attach_type == BPF_TRACE_ITER)
		return true;
	for (i = 0; i < ARRAY_SIZE(functions); i++)
		if (env->attach_func_name && !strcmp(env->attach_func_name, functions[i]))
			return true;
	return false;
}

/* Helpers on sockets' storage are not for programs that look at how they work. */
static bool may_call_sk_storage(const struct bpf_verifier_env *env)
{
	static const char prefix[] = "bpf_sk_storage";

	if (env->expected_attach_type != BPF_TRACE_FENTRY && env->expected_attach_type != BPF_TRACE_FEXIT)
		return true;
	return env->attach_func_name && strncmp(env->attach_func_name, prefix, sizeof(prefix) - 1);
}

static bool allowed_here(const struct bpf_verifier_env *env, s32 func_id)
{
	switch (func_id) {
	case BPF_FUNC_d_path:
		return may_call_d_path(env);
	case BPF_FUNC_sk_storage_get:
	case BPF_FUNC_sk_storage_delete:
		return env->prog_type != BPF_PROG_TYPE_TRACING || may_call_sk_storage(env);
	default:
		return true;
	}
}

static int may_call(struct bpf_verifier_env *env, s32 func_id, const struct bc_func_proto **proto)
{
	const struct bc_func_proto *fn;

	if (func_id < 0 || func_id >= __BPF_FUNC_MAX_ID) {
		bc_log(env, "invalid func %s#%d\n", bc_helper_name(env, func_id), func_id);
		return -EINVAL;
	}
	fn = bc_prog_func_proto(env, func_id);
	if (!fn || !env->ops->helper_available(env->args->host, func_id)) {
		bc_log(env, "unknown func %s#%d\n", bc_helper_name(env, func_id), func_id);
		return -EINVAL;
	}
	if (fn->gpl_only && !env->args->gpl_compatible) {
		bc_log(env, "cannot call GPL-restricted function from non-GPL compatible program\n");
		return -EINVAL;
	}
	if (!allowed_here(env, func_id)) {
		bc_log(env, "helper call is not allowed in probe\n");
		return -EINVAL;
	}
	if (fn->might_sleep && !(env->args->prog_flags & BPF_F_SLEEPABLE)) {
		bc_log(env, "helper call might sleep in a non-sleepable prog\n");
		return -EINVAL;
	}
	*proto = fn;
	return 0;
}

/* Remembers which map an instruction calls its helper on, for whoever runs the program. */
static int record_map(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	u32 i, found = BC_MAP_POISON;

	switch (meta->func_id) {
	case BPF_FUNC_map_delete_elem:
	case BPF_FUNC_map_update_elem:
	case BPF_FUNC_map_push_elem:
	case BPF_FUNC_map_pop_elem:
		if (meta->map && (meta->map->flags & BPF_F_RDONLY_PROG)) {
			bc_log(env, "write into map forbidden\n");
			return -EACCES;
		}
		break;
	default:
		break;
	}
	if (!meta->map)
		return 0;
	for (i = 0; i < env->used_map_cnt; i++) {
		if (env->used_maps[i] == meta->map)
			found = i + 1;
		else if (env->used_maps[i]->inner == meta->map)
			found = (i + 1) | BC_MAP_INNER;
	}
	if (!aux->call_map)
		aux->call_map = found;
	else if (aux->call_map != found)
		aux->call_map = BC_MAP_POISON;
	return 0;
}

/* An index that is always the same is a property of the instruction, so other values of it are another state. */
static int record_tail_call(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *index = &bc_cur_regs(env)[BPF_REG_3];
	struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	int err;

	if (index->type == SCALAR_VALUE && bc_scalar_is_const(&index->v) && meta->map && index->v.t.value < meta->map->max_entries) {
		err = bc_mark_precise(env, BPF_REG_3);
		if (err)
			return err;
		if (aux->index_kind == BC_INDEX_UNSEEN) {
			aux->index_kind = BC_INDEX_ONE;
			aux->index = index->v.t.value;
		} else if (aux->index != index->v.t.value) {
			aux->index_kind = BC_INDEX_ANY;
		}
	} else {
		aux->index_kind = BC_INDEX_ANY;
	}
	env->has_tail_call = true;
	err = bc_check_ref_leak(env);
	if (err)
		bc_log(env, "tail_call would lead to reference leak\n");
	return err;
}

static int check_release(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	int err = -EINVAL;

	if (!meta->release_regno)
		return 0;
	if (BC_ARG_TYPE(meta->proto->arg[meta->release_regno - BPF_REG_1]) == BC_ARG_DYNPTR)
		err = bc_release_dynptr(env, meta->release_regno);
	else if (meta->ref_obj_id)
		err = bc_ref_release(env, meta->ref_obj_id);
	else if (bc_reg_is_null(&bc_cur_regs(env)[meta->release_regno]))
		err = 0;
	if (err)
		bc_log(env, "func %s#%d reference has not been acquired before\n", bc_helper_name(env, meta->func_id), meta->func_id);
	return err;
}

/* What a helper writes on the stack is anything. */
static int mark_written(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	s32 i;
	int err;

	for (i = 0; i < meta->raw_size; i++) {
		err = bc_check_mem(env, meta->raw_regno, i, 1, BC_WRITE, BC_NO_REG, false);
		if (err)
			return err;
	}
	return 0;
}

static int get_func_ip(struct bpf_verifier_env *env)
{
	if (env->prog_type == BPF_PROG_TYPE_TRACING) {
		switch (env->expected_attach_type) {
		case BPF_TRACE_FENTRY:
		case BPF_TRACE_FEXIT:
		case BPF_MODIFY_RETURN:
			break;
		default:
			bc_log(env, "func %s#%d supported only for fentry/fexit/fmod_ret programs\n",
			       bc_helper_name(env, BPF_FUNC_get_func_ip), BPF_FUNC_get_func_ip);
			return -ENOTSUPP;
		}
	} else if (env->prog_type != BPF_PROG_TYPE_KPROBE) {
		bc_log(env, "func %s#%d not supported for program type %d\n", bc_helper_name(env, BPF_FUNC_get_func_ip),
		       BPF_FUNC_get_func_ip, env->prog_type);
		return -ENOTSUPP;
	}
	env->calls_get_func_ip = true;
	return 0;
}

/* Per helper: what the prototype cannot say. Before the registers are scratched. */
static int special_rules(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	int err;

	switch (meta->func_id) {
	case BPF_FUNC_tail_call:
		return record_tail_call(env, meta);
	case BPF_FUNC_get_local_storage:
		if (!bc_reg_is_null(&bc_cur_regs(env)[BPF_REG_2])) {
			bc_log(env, "get_local_storage() doesn't support non-zero flags\n");
			return -EINVAL;
		}
		return 0;
	case BPF_FUNC_snprintf:
		return bc_check_snprintf(env);
	case BPF_FUNC_get_stackid:
	case BPF_FUNC_get_stack:
		env->calls_get_stack = true;
		return 0;
	case BPF_FUNC_dynptr_from_mem:
		if (bc_cur_regs(env)[BPF_REG_1].type == PTR_TO_MAP_VALUE)
			return 0;
		bc_log(env, "Unsupported reg type %s for bpf_dynptr_from_mem data\n", bc_type_str(env, bc_cur_regs(env)[BPF_REG_1].type));
		return -EACCES;
	case BPF_FUNC_loop:
		err = bc_note_loop(env, meta->subprogno);
		return err ? err : bc_push_callback(env, meta);
	case BPF_FUNC_timer_set_callback:
		return bc_push_async_callback(env, meta);
	default:
		return bc_helper_calls_back(meta->func_id) ? bc_push_callback(env, meta) : 0;
	}
}

static int returns_btf(struct bpf_verifier_env *env, const struct bpf_call_meta *meta, u32 flags)
{
	const struct bc_btf *btf = env->ops->btf_vmlinux(env->args->host);
	struct bpf_reg_state *r0 = bc_cur_regs(env);
	s32 id = btf && meta->proto->ret_btf_name ? bc_btf_find(btf, meta->proto->ret_btf_name, BTF_KIND_STRUCT) : -ENOENT;

	if (meta->kptr) {
		btf = meta->kptr_map->kptr_btf;
		id = meta->kptr->btf_id;
	}
	if (id <= 0) {
		bc_log(env, "invalid return type %u of func %s#%d\n", meta->proto->ret, bc_helper_name(env, meta->func_id),
		       meta->func_id);
		return -EINVAL;
	}
	bc_reg_pointer(r0, PTR_TO_BTF_ID | flags);
	r0->btf = btf;
	r0->btf_id = id;
	return 0;
}

static int returns_percpu(struct bpf_verifier_env *env, const struct bpf_call_meta *meta, u32 flags)
{
	struct bpf_reg_state *r0 = bc_cur_regs(env);
	u32 id = meta->ret_btf_id;
	const struct btf_type *t = bc_btf_skip_modifiers(meta->ret_btf, &id);
	s64 size;

	if (t && (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT || BTF_INFO_KIND(t->info) == BTF_KIND_UNION)) {
		bc_reg_pointer(r0, PTR_TO_BTF_ID | flags);
		r0->btf = meta->ret_btf;
		r0->btf_id = meta->ret_btf_id;
		return 0;
	}
	size = bc_btf_size(meta->ret_btf, id);
	if (size < 0) {
		bc_log(env, "unable to resolve the size of type '%s': %d\n", bc_btf_type_name(meta->ret_btf, id), (s32)size);
		return -EINVAL;
	}
	bc_reg_pointer(r0, PTR_TO_MEM | MEM_RDONLY | flags);
	r0->mem_size = (u32)size;
	return 0;
}

static int set_return(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_reg_state *r0 = bc_cur_regs(env);

	switch (meta->proto->ret) {
	case BC_RET_INTEGER:
		bc_reg_unknown(r0);
		return 0;
	case BC_RET_VOID:
		return 0;
	case BC_RET_MAP_VALUE:
	case BC_RET_MAP_VALUE_OR_NULL:
		if (!meta->map) {
			bc_log(env, "kernel subsystem misconfigured verifier\n");
			return -EINVAL;
		}
		bc_reg_pointer(r0, PTR_TO_MAP_VALUE);
		r0->map = meta->map;
		r0->map_uid = meta->map_uid;
		if (meta->proto->ret == BC_RET_MAP_VALUE_OR_NULL)
			r0->type |= PTR_MAYBE_NULL;
		else if (meta->map->spin_lock_off >= 0)
			r0->id = ++env->id_gen;
		return 0;
	case BC_RET_ALLOC_MEM_OR_NULL:
		bc_reg_pointer(r0, PTR_TO_MEM | MEM_ALLOC | PTR_MAYBE_NULL);
		r0->mem_size = meta->mem_size;
		return 0;
	case BC_RET_DYNPTR_MEM_OR_NULL:
		bc_reg_pointer(r0, PTR_TO_MEM | PTR_MAYBE_NULL);
		r0->mem_size = meta->mem_size;
		return 0;
	case BC_RET_BTF_ID:
		return returns_btf(env, meta, 0);
	case BC_RET_BTF_ID_OR_NULL:
		return returns_btf(env, meta, PTR_MAYBE_NULL);
	case BC_RET_MEM_OR_BTF_ID:
		return returns_percpu(env, meta, 0);
	case BC_RET_MEM_OR_BTF_ID_OR_NULL:
		return returns_percpu(env, meta, PTR_MAYBE_NULL);
	case BC_RET_SOCK_OR_NULL:
		bc_reg_pointer(r0, PTR_TO_SOCKET | PTR_MAYBE_NULL);
		return 0;
	case BC_RET_TCP_SOCK_OR_NULL:
		bc_reg_pointer(r0, PTR_TO_TCP_SOCK | PTR_MAYBE_NULL);
		return 0;
	case BC_RET_SOCK_COMMON_OR_NULL:
		bc_reg_pointer(r0, PTR_TO_SOCK_COMMON | PTR_MAYBE_NULL);
		return 0;
	default:
		bc_log(env, "unknown return type %u of func %s#%d\n", meta->proto->ret, bc_helper_name(env, meta->func_id), meta->func_id);
		return -EINVAL;
	}
}

/* These return how much they wrote, or an error. */
static void refine_return(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_scalar *v = &bc_cur_regs(env)[BPF_REG_0].v;

	switch (meta->func_id) {
	case BPF_FUNC_get_stack:
	case BPF_FUNC_get_task_stack:
	case BPF_FUNC_probe_read_str:
	case BPF_FUNC_probe_read_kernel_str:
	case BPF_FUNC_probe_read_user_str:
		v->smax = (s64)meta->msize_max;
		v->smax32 = (s32)meta->msize_max;
		v->smin = -MAX_ERRNO_VALUE;
		v->smin32 = -MAX_ERRNO_VALUE;
		bc_bounds_sync(v);
		break;
	default:
		break;
	}
}

static int finish_return(struct bpf_verifier_env *env, const struct bpf_call_meta *meta)
{
	struct bpf_reg_state *r0 = bc_cur_regs(env);
	int id;

	if (r0->type & PTR_MAYBE_NULL)
		r0->id = ++env->id_gen;
	if (casts(meta->func_id)) {
		r0->ref_obj_id = meta->ref_obj_id;
	} else if (acquires(meta->func_id, meta->map)) {
		id = bc_ref_acquire(env, env->insn_idx);
		if (id < 0)
			return id;
		r0->id = id;
		r0->ref_obj_id = id;
	}
	refine_return(env, meta);
	return 0;
}

int bc_check_helper_call(struct bpf_verifier_env *env, const struct bpf_insn *insn)
{
	struct bpf_call_meta meta;
	int err;

	memset(&meta, 0, sizeof(meta));
	meta.func_id = insn->imm;
	err = may_call(env, insn->imm, &meta.proto);
	if (!err)
		err = bc_check_args(env, &meta);
	if (!err)
		err = record_map(env, &meta);
	if (!err)
		err = mark_written(env, &meta);
	if (!err && meta.dynptr_regno)
		err = bc_make_dynptr(env, &meta);
	if (!err)
		err = check_release(env, &meta);
	if (!err)
		err = special_rules(env, &meta);
	if (err)
		return err;

	bc_clear_caller_saved(env, bc_cur_func(env));
	err = set_return(env, &meta);
	if (!err)
		err = finish_return(env, &meta);
	if (!err)
		err = bc_check_map_func(env, meta.map, meta.func_id);
	if (!err && meta.func_id == BPF_FUNC_get_func_ip)
		err = get_func_ip(env);
	if (!err && meta.proto->changes_pkt_data) {
		env->changes_pkt_data = true;
		bc_forget_packets(env);
	} else if (!err && meta.func_id == BPF_FUNC_tail_call && env->cur->curframe) {
		/* the other program may move the packet, and comes back to this function's caller */
		bc_forget_packets(env);
	}
	return err;
}
