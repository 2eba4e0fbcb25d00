/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Arguments of helper calls: is each register what the prototype asks for, and may the helper access what it points to?
 */
#include "internal.h"

#define END_OF_LIST 0xffffffff

static const u32 map_data_types[] = { PTR_TO_STACK, PTR_TO_PACKET, PTR_TO_PACKET_META, PTR_TO_MAP_KEY, PTR_TO_MAP_VALUE, END_OF_LIST };
static const u32 mem_types[] = {
	PTR_TO_STACK, PTR_TO_PACKET, PTR_TO_PACKET_META, PTR_TO_MAP_KEY, PTR_TO_MAP_VALUE, PTR_TO_MEM, PTR_TO_MEM | MEM_ALLOC, PTR_TO_BUF,
	END_OF_LIST
};
static const u32 sock_types[] = { PTR_TO_SOCK_COMMON, PTR_TO_SOCKET, PTR_TO_TCP_SOCK, PTR_TO_XDP_SOCK, END_OF_LIST };
static const u32 btf_sock_types[] = {
	PTR_TO_SOCK_COMMON, PTR_TO_SOCKET, PTR_TO_TCP_SOCK, PTR_TO_XDP_SOCK, PTR_TO_BTF_ID, END_OF_LIST
};
static const u32 scalar_types[] = { SCALAR_VALUE, END_OF_LIST };
static const u32 ctx_types[] = { PTR_TO_CTX, END_OF_LIST };
static const u32 map_types[] = { CONST_PTR_TO_MAP, END_OF_LIST };
static const u32 map_value_types[] = { PTR_TO_MAP_VALUE, END_OF_LIST };
static const u32 alloc_mem_types[] = { PTR_TO_MEM | MEM_ALLOC, END_OF_LIST };
static const u32 btf_types[] = { PTR_TO_BTF_ID, END_OF_LIST };
static const u32 percpu_types[] = { PTR_TO_BTF_ID | MEM_PERCPU, END_OF_LIST };
static const u32 func_types[] = { PTR_TO_FUNC, END_OF_LIST };
static const u32 stack_types[] = { PTR_TO_STACK, END_OF_LIST };
static const u32 dynptr_types[] = { PTR_TO_STACK, PTR_TO_DYNPTR, END_OF_LIST };

static const u32 *const accepted[__BC_ARG_TYPES] = {
	[BC_ARG_CONST_MAP_PTR] = map_types,
	[BC_ARG_MAP_KEY] = map_data_types,
	[BC_ARG_MAP_VALUE] = map_data_types,
	[BC_ARG_UNINIT_MAP_VALUE] = map_data_types,
	[BC_ARG_MEM] = mem_types,
	[BC_ARG_UNINIT_MEM] = mem_types,
	[BC_ARG_CONST_SIZE] = scalar_types,
	[BC_ARG_CONST_SIZE_OR_ZERO] = scalar_types,
	[BC_ARG_CTX] = ctx_types,
	[BC_ARG_SPIN_LOCK] = map_value_types,
	[BC_ARG_SOCK_COMMON] = sock_types,
	[BC_ARG_BTF_SOCK_COMMON] = btf_sock_types,
	[BC_ARG_INT_FIXED_MEM] = mem_types,
	[BC_ARG_UNINIT_FIXED_MEM] = mem_types,
	[BC_ARG_BTF_ID] = btf_types,
	[BC_ARG_ALLOC_MEM] = alloc_mem_types,
	[BC_ARG_CONST_ALLOC_SIZE] = scalar_types,
	[BC_ARG_PERCPU_BTF_ID] = percpu_types,
	[BC_ARG_FUNC] = func_types,
	[BC_ARG_STACK] = stack_types,
	[BC_ARG_CONST_STR] = map_value_types,
	[BC_ARG_KPTR] = map_value_types,
	[BC_ARG_TIMER] = map_value_types,
	[BC_ARG_DYNPTR] = dynptr_types,
	[BC_ARG_LONG] = mem_types,
	[BC_ARG_INT] = mem_types,
};

static bool helper_writes(u16 arg)
{
	switch (BC_ARG_TYPE(arg)) {
	case BC_ARG_UNINIT_MEM:
	case BC_ARG_UNINIT_MAP_VALUE:
	case BC_ARG_UNINIT_FIXED_MEM:
	case BC_ARG_LONG:
	case BC_ARG_INT:
		return true;
	default:
		return arg & BC_ARG_WRITE;
	}
}

static bool only_reads_mem(u16 arg)
{
	u16 type = BC_ARG_TYPE(arg);

	return (type == BC_ARG_MEM || type == BC_ARG_INT_FIXED_MEM) && !(arg & (BC_ARG_WRITE | BC_ARG_RW_TYPE));
}

static int check_btf_type(struct bpf_verifier_env *env, u32 regno, const char *wanted, bool release)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const char *name = bc_btf_type_name(reg->btf, reg->btf_id);
	s32 want = wanted && reg->btf->kernel ? bc_btf_find(reg->btf, wanted, BTF_KIND_STRUCT) : -ENOENT;

	/* the type itself, or one that holds it where the pointer points; what is given back is of that type and no other */
	if (want > 0 && reg->off >= 0 && !(release && ((u32)want != reg->btf_id || reg->off)) &&
	    bc_btf_struct_within(reg->btf, reg->btf_id, (u32)reg->off, want))
		return 0;
	bc_log(env, "R%d is of type %s but %s is expected\n", regno, name, wanted ? wanted : "?");
	return -EACCES;
}

static int check_btf_arg(struct bpf_verifier_env *env, u32 regno, u16 arg, const char *btf_name, const struct bpf_call_meta *meta)
{
	if (meta->kptr)
		return bc_kptr_match(env, meta->kptr_map, meta->kptr, regno) ? -EACCES : 0;
	if (BC_ARG_TYPE(arg) == BC_ARG_BTF_SOCK_COMMON)
		btf_name = "sock_common";
	/* sk_release() takes any kind of socket */
	return check_btf_type(env, regno, btf_name, (arg & BC_ARG_RELEASE) && meta->func_id != BPF_FUNC_sk_release);
}

static int check_type(struct bpf_verifier_env *env, u32 regno, u16 arg, const char *btf_name, const struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const u32 *list = BC_ARG_TYPE(arg) < __BC_ARG_TYPES ? accepted[BC_ARG_TYPE(arg)] : NULL;
	u32 type = reg->type;
	u32 i;

	if (!list) {
		bc_log(env, "verifier internal error: unsupported arg type %d\n", arg);
		return -EFAULT;
	}
	if (only_reads_mem(arg))
		type &= ~(u32)MEM_RDONLY;
	if (arg & BC_ARG_OR_NULL)
		type &= ~(u32)PTR_MAYBE_NULL;
	for (i = 0; list[i] != END_OF_LIST; i++)
		if (type == list[i])
			return reg->type == PTR_TO_BTF_ID ? check_btf_arg(env, regno, arg, btf_name, meta) : 0;
	bc_log(env, "R%d type=%s expected=", regno, bc_type_str(env, reg->type));
	for (i = 0; list[i] != END_OF_LIST; i++)
		bc_log(env, "%s%s", bc_type_str(env, list[i]), list[i + 1] == END_OF_LIST ? "\n" : ", ");
	return -EACCES;
}

int bc_check_arg_offset(struct bpf_verifier_env *env, u32 regno, u16 arg)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

	switch (reg->type) {
	case PTR_TO_STACK:
		if (BC_ARG_TYPE(arg) != BC_ARG_DYNPTR)
			return 0;
		if (!bc_scalar_is_const(&reg->v)) {
			bc_log(env, "dynptr has to be at a constant offset\n");
			return -EINVAL;
		}
		if ((reg->off + (s64)reg->v.t.value) % BC_REG_BYTES) {
			bc_log(env, "cannot pass in dynptr at an offset\n");
			return -EINVAL;
		}
		return 0;
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
	case PTR_TO_MAP_KEY:
	case PTR_TO_MAP_VALUE:
	case PTR_TO_MEM:
	case PTR_TO_MEM | MEM_RDONLY:
	case PTR_TO_MEM | MEM_ALLOC:
	case PTR_TO_BUF:
	case PTR_TO_BUF | MEM_RDONLY:
	case SCALAR_VALUE:
		/* what is given back must be what was handed out */
		if (BC_ARG_TYPE(arg) != BC_ARG_ALLOC_MEM)
			return 0;
		break;
	case PTR_TO_BTF_ID:
		if ((arg & BC_ARG_RELEASE) && reg->off) {
			bc_log(env, "R%d must have zero offset when passed to release func\n", regno);
			return -EINVAL;
		}
		return bc_check_ptr_unmodified(env, reg, regno, true);
	default:
		break;
	}
	return bc_check_ptr_unmodified(env, reg, regno, false);
}

/* @size bytes behind the register, for a helper. */
int bc_check_helper_mem(struct bpf_verifier_env *env, u32 regno, s32 size, enum bc_access access, bool zero_ok, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u32 base = BC_BASE_TYPE(reg->type);
	int err;

	if (access == BC_WRITE && (base == PTR_TO_MAP_KEY || (reg->type & MEM_RDONLY))) {
		bc_log(env, "R%d cannot write into %s\n", regno, bc_type_str(env, reg->type));
		return -EACCES;
	}
	switch (base) {
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
		return bc_check_packet(env, regno, reg->off, size, zero_ok);
	case PTR_TO_MAP_KEY:
		return bc_check_region(env, regno, reg->off, size, reg->map->key_size, false);
	case PTR_TO_MAP_VALUE:
		if (bc_check_map_rights(env, regno, reg->off, size, access))
			return -EACCES;
		return bc_check_map_value(env, regno, reg->off, size, zero_ok, true);
	case PTR_TO_MEM:
		return bc_check_region(env, regno, reg->off, size, reg->mem_size, zero_ok);
	case PTR_TO_BUF:
		err = bc_check_buffer(env, reg, reg->type & MEM_RDONLY ? "rdonly" : "rdwr", regno, reg->off, size);
		if (!err)
			bc_note_buffer(env, reg->type, reg->off + size);
		return err;
	case PTR_TO_STACK:
		return bc_check_stack_range(env, regno, reg->off, size, zero_ok, true, meta);
	default:
		if (zero_ok && !size && bc_reg_is_null(reg))
			return 0;
		bc_log(env, "R%d type=%s ", regno, bc_type_str(env, reg->type));
		bc_log(env, "expected=%s\n", bc_type_str(env, PTR_TO_STACK));
		return -EACCES;
	}
}

int bc_check_mem_size(struct bpf_verifier_env *env, u32 regno, enum bc_access access, bool zero_ok, struct bpf_call_meta *meta)
{
	const struct bpf_scalar *v = &bc_cur_regs(env)[regno].v;
	int err;

	meta->msize_max = v->umax;
	/* a helper that writes fewer bytes than the greatest size leaves the rest as it was */
	if (!bc_scalar_is_const(v))
		meta = NULL;
	if (v->smin < 0) {
		bc_log(env, "R%d min value is negative, either use unsigned or 'var &= const'\n", regno);
		return -EACCES;
	}
	if (!v->umin) {
		err = bc_check_helper_mem(env, regno - 1, 0, access, zero_ok, meta);
		if (err)
			return err;
	}
	if (v->umax >= BC_MAX_VAR_SIZ) {
		bc_log(env, "R%d unbounded memory access, use 'var &= const' or 'if (var < const)'\n", regno);
		return -EACCES;
	}
	err = bc_check_helper_mem(env, regno - 1, (s32)v->umax, access, zero_ok, meta);
	return err ? err : bc_mark_precise(env, regno);
}

static int check_map_value_arg(struct bpf_verifier_env *env, u32 regno, u16 arg, struct bpf_call_meta *meta)
{
	if (!meta->map) {
		bc_log(env, "invalid map_ptr to access map->value\n");
		return -EACCES;
	}
	/* peeking into a Bloom filter asks for a value instead of filling one */
	if (meta->map->type == BPF_MAP_TYPE_BLOOM_FILTER && meta->func_id == BPF_FUNC_map_peek_elem)
		arg = BC_ARG_MAP_VALUE;
	meta->raw_mode = BC_ARG_TYPE(arg) == BC_ARG_UNINIT_MAP_VALUE;
	return bc_check_helper_mem(env, regno, meta->map->value_size, helper_writes(arg) ? BC_WRITE : BC_READ, false, meta);
}

/* A string that cannot change: in a frozen map, with its end. */
static int check_const_str(struct bpf_verifier_env *env, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	u32 off, end = map->value_size;
	u64 c;
	int err;

	if (!bc_map_is_constant(map)) {
		bc_log(env, "R%d does not point to a readonly map'\n", regno);
		return -EACCES;
	}
	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "R%d is not a constant address'\n", regno);
		return -EACCES;
	}
	if (map->type != BPF_MAP_TYPE_ARRAY) {
		bc_log(env, "no direct value access support for this map type\n");
		return -EACCES;
	}
	err = bc_check_map_value(env, regno, reg->off, (s32)(end - (u32)reg->off), false, true);
	if (err)
		return err;
	for (off = (u32)reg->off + (u32)reg->v.t.value; off < end; off++) {
		err = env->ops->map_value_read(env->args->host, map, off, 1, &c);
		if (err) {
			bc_log(env, "direct value access on string failed\n");
			return err;
		}
		if (!c)
			return 0;
	}
	bc_log(env, "string is not zero-terminated\n");
	return -EINVAL;
}

static int check_fixed_mem(struct bpf_verifier_env *env, u32 regno, u16 arg, u32 bytes, struct bpf_call_meta *meta)
{
	u16 type = BC_ARG_TYPE(arg);
	int err;

	meta->raw_mode = type != BC_ARG_INT_FIXED_MEM;
	err = bc_check_helper_mem(env, regno, bytes, helper_writes(arg) ? BC_WRITE : BC_READ, false, meta);
	if (!err && (type == BC_ARG_LONG || type == BC_ARG_INT))
		err = bc_check_alignment(env, &bc_cur_regs(env)[regno], 0, bytes, true);
	return err;
}

static int check_references(struct bpf_verifier_env *env, u32 regno, u16 arg, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

	if ((arg & BC_ARG_RELEASE) && BC_ARG_TYPE(arg) == BC_ARG_DYNPTR) {
		meta->release_regno = regno;
		return bc_check_dynptr_release(env, regno);
	}
	if (arg & BC_ARG_RELEASE) {
		if (!reg->ref_obj_id && !bc_reg_is_null(reg)) {
			bc_log(env, "R%d must be referenced when passed to release function\n", regno);
			return -EINVAL;
		}
		meta->release_regno = regno;
	}
	if (!reg->ref_obj_id)
		return 0;
	if (meta->ref_obj_id) {
		bc_log(env, "verifier internal error: more than one arg with ref_obj_id R%d %u %u\n", regno, reg->ref_obj_id,
		       meta->ref_obj_id);
		return -EFAULT;
	}
	meta->ref_obj_id = reg->ref_obj_id;
	return 0;
}

static int check_map_ptr(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

	if (meta->map && (meta->map != reg->map || meta->map_uid != reg->map_uid)) {
		bc_log(env, "timer pointer in R1 map_uid=%d doesn't match map pointer in R2 map_uid=%d\n", meta->map_uid, reg->map_uid);
		return -EINVAL;
	}
	meta->map = reg->map;
	meta->map_uid = reg->map_uid;
	return 0;
}

/* What the argument's type asks for beyond the register's type. */
static int check_by_kind(struct bpf_verifier_env *env, u32 n, u16 arg, struct bpf_call_meta *meta)
{
	const struct bc_func_proto *fn = meta->proto;
	u32 regno = BPF_REG_1 + n;
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	enum bc_access access;

	switch (BC_ARG_TYPE(arg)) {
	case BC_ARG_CONST_MAP_PTR:
		return check_map_ptr(env, regno, meta);
	case BC_ARG_MAP_KEY:
		if (!meta->map) {
			bc_log(env, "invalid map_ptr to access map->key\n");
			return -EACCES;
		}
		return bc_check_helper_mem(env, regno, meta->map->key_size, BC_READ, false, NULL);
	case BC_ARG_MAP_VALUE:
	case BC_ARG_UNINIT_MAP_VALUE:
		if ((arg & BC_ARG_OR_NULL) && bc_reg_is_null(reg))
			return 0;
		return check_map_value_arg(env, regno, arg, meta);
	case BC_ARG_MEM:
	case BC_ARG_UNINIT_MEM:
		/* judged with its size, which is next */
		meta->raw_mode = BC_ARG_TYPE(arg) == BC_ARG_UNINIT_MEM;
		return 0;
	case BC_ARG_CONST_SIZE:
	case BC_ARG_CONST_SIZE_OR_ZERO:
		access = n && helper_writes(fn->arg[n - 1]) ? BC_WRITE : BC_READ;
		return bc_check_mem_size(env, regno, access, BC_ARG_TYPE(arg) == BC_ARG_CONST_SIZE_OR_ZERO, meta);
	case BC_ARG_INT_FIXED_MEM:
	case BC_ARG_UNINIT_FIXED_MEM:
		return check_fixed_mem(env, regno, arg, fn->fixed_size[n], meta);
	case BC_ARG_LONG:
		return check_fixed_mem(env, regno, arg, 8, meta);
	case BC_ARG_INT:
		return check_fixed_mem(env, regno, arg, 4, meta);
	case BC_ARG_SPIN_LOCK:
		return bc_check_spin_lock(env, regno, meta->func_id == BPF_FUNC_spin_lock) ? -EACCES : 0;
	case BC_ARG_CONST_ALLOC_SIZE:
		if (!bc_scalar_is_const(&reg->v)) {
			bc_log(env, "R%d is not a known constant'\n", regno);
			return -EACCES;
		}
		meta->mem_size = (u32)reg->v.t.value;
		return bc_mark_precise(env, regno);
	case BC_ARG_PERCPU_BTF_ID:
		if (!reg->btf_id) {
			bc_log(env, "Helper has invalid btf_id in R%d\n", regno);
			return -EACCES;
		}
		meta->ret_btf = reg->btf;
		meta->ret_btf_id = reg->btf_id;
		return 0;
	case BC_ARG_FUNC:
		meta->subprogno = reg->subprogno;
		return 0;
	case BC_ARG_CONST_STR:
		return check_const_str(env, regno);
	case BC_ARG_TIMER:
		return bc_check_timer_arg(env, regno, meta) ? -EACCES : 0;
	case BC_ARG_KPTR:
		return bc_check_kptr_arg(env, regno, meta);
	case BC_ARG_DYNPTR:
		return bc_check_dynptr_arg(env, n, meta);
	default:
		return 0;
	}
}

/* Maps of sockets take the socket itself for the value. */
static int resolve_value_arg(struct bpf_verifier_env *env, const struct bpf_call_meta *meta, u16 *arg)
{
	if (BC_ARG_TYPE(*arg) != BC_ARG_MAP_VALUE && BC_ARG_TYPE(*arg) != BC_ARG_UNINIT_MAP_VALUE)
		return 0;
	if (!meta->map) {
		bc_log(env, "invalid map_ptr to access map->type\n");
		return -EACCES;
	}
	if (meta->map->type != BPF_MAP_TYPE_SOCKMAP && meta->map->type != BPF_MAP_TYPE_SOCKHASH)
		return 0;
	if (*arg != BC_ARG_MAP_VALUE) {
		bc_log(env, "invalid arg_type for sockmap/sockhash\n");
		return -EINVAL;
	}
	*arg = BC_ARG_BTF_SOCK_COMMON;
	return 0;
}

/*
 * A socket that is put into a map gets a reference there, so that it is to be one that is held here: not what some field happened to point
 * to. (Linux 6.1 takes that; later ones call it untrusted.) In an iterator, the host knows which one is shown.
 */
static int check_sock_value(struct bpf_verifier_env *env, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

	if (BC_BASE_TYPE(reg->type) != PTR_TO_BTF_ID || reg->ref_obj_id || env->prog_type == BPF_PROG_TYPE_TRACING)
		return 0;
	bc_log(env, "R%d must be referenced\n", regno);
	return -EINVAL;
}

static int check_arg(struct bpf_verifier_env *env, u32 n, struct bpf_call_meta *meta)
{
	const struct bc_func_proto *fn = meta->proto;
	u32 regno = BPF_REG_1 + n;
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u16 arg = fn->arg[n];
	int err;

	if (arg == BC_ARG_NONE)
		return 0;
	err = bc_reg_use(env, regno);
	if (err || BC_ARG_TYPE(arg) == BC_ARG_ANYTHING)
		return err;
	if (bc_reg_is_pkt(reg) && !bc_may_access_packet(env, true, fn->pkt_access, BC_READ)) {
		bc_log(env, "helper access to the packet is not allowed\n");
		return -EACCES;
	}
	err = resolve_value_arg(env, meta, &arg);
	if (err)
		return err;
	if (!(bc_reg_is_null(reg) && (arg & BC_ARG_OR_NULL))) {
		err = check_type(env, regno, arg, fn->arg_btf_name[n], meta);
		if (!err)
			err = bc_check_arg_offset(env, regno, arg);
		if (!err && arg != fn->arg[n])
			err = check_sock_value(env, regno);
		if (err)
			return err;
	}
	err = check_references(env, regno, arg, meta);
	return err ? err : check_by_kind(env, n, arg, meta);
}

int bc_check_args(struct bpf_verifier_env *env, struct bpf_call_meta *meta)
{
	u32 i;
	int err;

	for (i = 0; i < 5; i++) {
		err = check_arg(env, i, meta);
		if (err)
			return err;
	}
	return 0;
}
