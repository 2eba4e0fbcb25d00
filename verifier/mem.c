/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads and stores: for each kind of pointer, which bytes behind it may be accessed, how they must be aligned, and what a load gives.
 */
#include "internal.h"

int bc_check_alignment(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, s32 off, u32 bytes, bool strict)
{
	const char *what = "";
	struct tnum at;

	switch (reg->type) {
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
		/* packets start 2 bytes past a word where alignment matters (NET_IP_ALIGN) */
		at = bc_tnum_add(reg->v.t, bc_tnum_const((u64)(s64)(2 + reg->off + off)));
		if (!(strict || env->strict_alignment) || bytes == 1 || bc_tnum_is_aligned(at, bytes))
			return 0;
		bc_log(env, "misaligned packet access off %d+%s+%d+%d size %d\n", 2, bc_tnum_str(env, reg->v.t), reg->off, off,
		       (s32)bytes);
		return -EACCES;
	case PTR_TO_STACK:
		/* spilled registers are followed slot by slot */
		strict = true;
		what = "stack ";
		break;
	case PTR_TO_FLOW_KEYS:
		what = "flow keys ";
		break;
	case PTR_TO_MAP_KEY:
		what = "key ";
		break;
	case PTR_TO_MAP_VALUE:
		what = "value ";
		break;
	case PTR_TO_CTX:
		what = "context ";
		break;
	case PTR_TO_SOCKET:
		what = "sock ";
		break;
	case PTR_TO_SOCK_COMMON:
		what = "sock_common ";
		break;
	case PTR_TO_TCP_SOCK:
		what = "tcp_sock ";
		break;
	case PTR_TO_XDP_SOCK:
		what = "xdp_sock ";
		break;
	default:
		break;
	}
	at = bc_tnum_add(reg->v.t, bc_tnum_const((u64)(s64)(reg->off + off)));
	if (!(strict || env->strict_alignment) || bytes == 1 || bc_tnum_is_aligned(at, bytes))
		return 0;
	bc_log(env, "misaligned %saccess off %s+%d+%d size %d\n", what, bc_tnum_str(env, reg->v.t), reg->off, off, (s32)bytes);
	return -EACCES;
}

static int within(struct bpf_verifier_env *env, u32 regno, s64 off, s32 size, u32 mem_size, bool zero_ok)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];

	if (off >= 0 && (size > 0 || (!size && zero_ok)) && (u64)off + size <= mem_size)
		return 0;
	switch (reg->type) {
	case PTR_TO_MAP_KEY:
		bc_log(env, "invalid access to map key, key_size=%d off=%d size=%d\n", mem_size, (s32)off, size);
		break;
	case PTR_TO_MAP_VALUE:
		bc_log(env, "invalid access to map value, value_size=%d off=%d size=%d\n", mem_size, (s32)off, size);
		break;
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
	case PTR_TO_PACKET_END:
		bc_log(env, "invalid access to packet, off=%d size=%d, R%d(id=%d,off=%d,r=%d)\n", (s32)off, size, regno, reg->id,
		       (s32)off, mem_size);
		break;
	default:
		bc_log(env, "invalid access to memory, mem_size=%u off=%d size=%d\n", mem_size, (s32)off, size);
		break;
	}
	return -EACCES;
}

static int not_negative(struct bpf_verifier_env *env, u32 regno)
{
	bc_log(env, "R%d min value is negative, either use unsigned index or do a if (index >=0) check.\n", regno);
	return -EACCES;
}

/* [pointer + off, + size) within @mem_size bytes, for the least and for the greatest offset that the pointer may have. */
int bc_check_region(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, u32 mem_size, bool zero_ok)
{
	const struct bpf_scalar *v = &bc_cur_regs(env)[regno].v;
	int err;

	if (v->smin < 0 && (v->smin == S64_MIN || off + v->smin != (s32)(off + v->smin) || v->smin + off < 0))
		return not_negative(env, regno);
	/* a minimum past 31 bits may come out small here: its maximum is found too large below */
	err = within(env, regno, (s32)(v->smin + off), size, mem_size, zero_ok);
	if (err) {
		bc_log(env, "R%d min value is outside of the allowed memory range\n", regno);
		return err;
	}
	if (v->umax >= BC_MAX_VAR_OFF) {
		bc_log(env, "R%d unbounded memory access, make sure to bounds check any such access\n", regno);
		return -EACCES;
	}
	err = within(env, regno, (s64)v->umax + off, size, mem_size, zero_ok);
	if (err)
		bc_log(env, "R%d max value is outside of the allowed memory range\n", regno);
	return err;
}

int bc_check_ptr_unmodified(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, u32 regno, bool fixed_off_ok)
{
	bool moved = reg->off < 0 || (reg->off && !fixed_off_ok);
	bool varies = reg->v.t.value || !bc_scalar_is_const(&reg->v);
	const char *type;

	if (!moved && !varies)
		return 0;
	type = bc_type_str(env, reg->type);
	if (moved)
		bc_log(env, "%s %s ptr R%d off=%d disallowed\n", reg->off < 0 ? "negative offset" : "dereference of modified", type, regno,
		       reg->off);
	else
		bc_log(env, "variable %s access var_off=%s disallowed\n", type, bc_tnum_str(env, reg->v.t));
	return -EACCES;
}

/* ---- map values ---- */

int bc_check_map_rights(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, enum bc_access access)
{
	const struct bc_map_desc *map = bc_cur_regs(env)[regno].map;

	if (access == BC_WRITE && (map->flags & BPF_F_RDONLY_PROG)) {
		bc_log(env, "write into map forbidden, value_size=%d off=%d size=%d\n", map->value_size, off, size);
		return -EACCES;
	}
	if (access == BC_READ && (map->flags & BPF_F_WRONLY_PROG)) {
		bc_log(env, "read from map forbidden, value_size=%d off=%d size=%d\n", map->value_size, off, size);
		return -EACCES;
	}
	return 0;
}

/* Could the access touch the @len bytes at @at of the value? */
static bool overlaps(const struct bpf_reg_state *reg, s32 off, s32 size, s32 at, s32 len)
{
	if (at < 0)
		return false;
	return reg->v.smin + off < (s64)at + len && (s64)at < (s64)reg->v.umax + off + size;
}

int bc_check_map_value(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok, bool by_helper)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	int err;

	err = bc_check_region(env, regno, off, size, map->value_size, zero_ok);
	if (err)
		return err;
	if (overlaps(reg, off, size, map->spin_lock_off, sizeof(struct bpf_spin_lock))) {
		bc_log(env, "bpf_spin_lock cannot be accessed directly by load/store\n");
		return -EACCES;
	}
	if (overlaps(reg, off, size, map->timer_off, sizeof(struct bpf_timer))) {
		bc_log(env, "bpf_timer cannot be accessed directly by load/store\n");
		return -EACCES;
	}
	return bc_check_kptr_bounds(env, regno, off, size, by_helper);
}

/* Nobody can change the contents any more: they may be read now. */
bool bc_map_is_constant(const struct bc_map_desc *map)
{
	return (map->flags & BPF_F_RDONLY_PROG) && map->frozen_rdonly;
}

static int access_map_value(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	const struct bc_kptr *kptr = bc_scalar_is_const(&reg->v) ? bc_kptr_at(map, off + (s64)reg->v.t.value) : NULL;
	struct bpf_reg_state *dst;
	u64 value = 0;
	int err;

	err = bc_check_map_rights(env, regno, off, bytes, access);
	if (!err)
		err = bc_check_map_value(env, regno, off, bytes, false, false);
	if (!err && kptr)
		return bc_access_kptr(env, map, kptr, value_regno);
	if (err || access == BC_WRITE || value_regno < 0)
		return err;
	dst = &bc_cur_regs(env)[value_regno];
	if (bc_scalar_is_const(&reg->v) && bc_map_is_constant(map)) {
		err = env->ops->map_value_read(env->args->host, map, off + (u32)reg->v.t.value, bytes, &value);
		if (!err) {
			bc_reg_const(dst, value);
			return 0;
		}
		/* contents that cannot be looked at now: any value */
		if (err != -ENOTSUPP)
			return err;
	}
	bc_reg_unknown(dst);
	return 0;
}

/* ---- packets ---- */

bool bc_may_access_packet(struct bpf_verifier_env *env, bool by_helper, bool helper_may, enum bc_access access)
{
	switch (env->prog_type) {
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (access == BC_WRITE)
			return false;
		break;
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_XDP:
		break;
	default:
		return false;
	}
	if (by_helper)
		return helper_may;
	env->seen_direct_write = true;
	return true;
}

int bc_check_packet(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	int err;

	/* a variable part is inside what was compared with the end, if it is not negative */
	if (reg->v.smin < 0)
		return not_negative(env, regno);
	err = reg->range < 0 ? -EINVAL : within(env, regno, off, size, reg->range, zero_ok);
	if (err)
		bc_log(env, "R%d offset is outside of the packet\n", regno);
	return err;
}

/* ---- the context, sockets, buffers, kernel types ---- */

static int access_ctx(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	struct bpf_insn_aux_data *aux = &env->aux[env->insn_idx];
	struct bc_ctx_access info;
	struct bpf_reg_state *dst;
	int err;

	err = bc_check_ptr_unmodified(env, &bc_cur_regs(env)[regno], regno, false);
	if (err)
		return err;
	memset(&info, 0, sizeof(info));
	info.reg_type = SCALAR_VALUE;
	if (!bc_ctx_access_ok(env, off, bytes, access == BC_WRITE, &info)) {
		bc_log(env, "invalid bpf_context access off=%d size=%d\n", off, (s32)bytes);
		bc_log_source(env, env->insn_idx, "; ");
		return -EACCES;
	}
	if (BC_BASE_TYPE(info.reg_type) != PTR_TO_BTF_ID)
		aux->ctx_field_size = info.field_size;
	env->max_ctx_offset = max(env->max_ctx_offset, (u32)off + bytes);
	if (access == BC_WRITE || value_regno < 0)
		return 0;
	dst = &bc_cur_regs(env)[value_regno];
	if (info.reg_type == SCALAR_VALUE) {
		bc_reg_unknown(dst);
		return 0;
	}
	bc_reg_pointer(dst, info.reg_type);
	if (info.reg_type & PTR_MAYBE_NULL)
		dst->id = ++env->id_gen;
	if (BC_BASE_TYPE(info.reg_type) == PTR_TO_BTF_ID) {
		dst->btf = info.btf;
		dst->btf_id = info.btf_id;
	}
	return 0;
}

static int access_sock(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bc_ctx_access info;

	if (access == BC_WRITE) {
		bc_log(env, "R%d cannot write into %s\n", regno, bc_type_str(env, reg->type));
		return -EACCES;
	}
	if (reg->v.smin < 0)
		return not_negative(env, regno);
	memset(&info, 0, sizeof(info));
	if (!bc_ctx_sock_ok(reg->type, off, bytes, &info)) {
		bc_log(env, "R%d invalid %s access off=%d size=%d\n", regno, bc_type_str(env, reg->type), off, (s32)bytes);
		return -EACCES;
	}
	if (value_regno >= 0)
		bc_reg_unknown(&bc_cur_regs(env)[value_regno]);
	return 0;
}

int bc_check_buffer(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, const char *what, u32 regno, s32 off, s32 size)
{
	if (off < 0) {
		bc_log(env, "R%d invalid %s buffer access: off=%d, size=%d\n", regno, what, off, size);
		return -EACCES;
	}
	if (!bc_scalar_is_const(&reg->v) || reg->v.t.value) {
		bc_log(env, "R%d invalid variable buffer offset: off=%d, var_off=%s\n", regno, off, bc_tnum_str(env, reg->v.t));
		return -EACCES;
	}
	return 0;
}

static int access_btf(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_btf *btf = reg->btf;
	const char *name = bc_btf_type_name(btf, reg->btf_id);
	u32 type = reg->type, next_id = 0, flags = 0;
	struct bpf_reg_state *dst;
	int kind;

	if (off < 0) {
		bc_log(env, "R%d is ptr_%s invalid negative access: off=%d\n", regno, name, off);
		return -EACCES;
	}
	if (!bc_scalar_is_const(&reg->v) || reg->v.t.value) {
		bc_log(env, "R%d is ptr_%s invalid variable offset: off=%d, var_off=%s\n", regno, name, off, bc_tnum_str(env, reg->v.t));
		return -EACCES;
	}
	if (type & (MEM_USER | MEM_PERCPU)) {
		bc_log(env, "R%d is ptr_%s access %s memory: off=%d\n", regno, name, type & MEM_USER ? "user" : "percpu", off);
		return -EACCES;
	}
	if (access == BC_WRITE) {
		bc_log(env, "only read is supported\n");
		return -EACCES;
	}
	kind = bc_btf_struct_access(env, btf, reg->btf_id, off, bytes, &next_id, &flags);
	if (kind < 0)
		return kind;
	env->aux[env->insn_idx].probe_mem = true;
	if (value_regno < 0)
		return 0;
	dst = &bc_cur_regs(env)[value_regno];
	if (kind == BC_WALK_PTR) {
		bc_reg_pointer(dst, PTR_TO_BTF_ID | flags | (type & PTR_UNTRUSTED));
		dst->btf = btf;
		dst->btf_id = next_id;
	} else {
		bc_reg_unknown(dst);
	}
	return 0;
}

static int access_mem(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	int err;

	if (access == BC_WRITE && (reg->type & MEM_RDONLY)) {
		bc_log(env, "R%d cannot write into %s\n", regno, bc_type_str(env, reg->type));
		return -EACCES;
	}
	if (BC_BASE_TYPE(reg->type) == PTR_TO_BUF) {
		err = bc_check_buffer(env, reg, reg->type & MEM_RDONLY ? "rdonly" : "rdwr", regno, off, bytes);
		if (!err)
			bc_note_buffer(env, reg->type, off + (s32)bytes);
	} else {
		err = bc_check_region(env, regno, off, bytes, reg->mem_size, false);
	}
	if (!err && access == BC_READ && value_regno >= 0)
		bc_reg_unknown(&bc_cur_regs(env)[value_regno]);
	return err;
}

/* Structs of Linux's that maps are laid out as; map_ptr accesses are judged by their BTF. */
static const char *const map_structs[] = {
	[BPF_MAP_TYPE_HASH] = "bpf_htab", [BPF_MAP_TYPE_PERCPU_HASH] = "bpf_htab", [BPF_MAP_TYPE_LRU_HASH] = "bpf_htab",
	[BPF_MAP_TYPE_LRU_PERCPU_HASH] = "bpf_htab", [BPF_MAP_TYPE_HASH_OF_MAPS] = "bpf_htab",
	[BPF_MAP_TYPE_ARRAY] = "bpf_array", [BPF_MAP_TYPE_PERCPU_ARRAY] = "bpf_array", [BPF_MAP_TYPE_PROG_ARRAY] = "bpf_array",
	[BPF_MAP_TYPE_PERF_EVENT_ARRAY] = "bpf_array", [BPF_MAP_TYPE_CGROUP_ARRAY] = "bpf_array",
	[BPF_MAP_TYPE_ARRAY_OF_MAPS] = "bpf_array", [BPF_MAP_TYPE_STACK_TRACE] = "bpf_stack_map",
	[BPF_MAP_TYPE_QUEUE] = "bpf_queue_stack", [BPF_MAP_TYPE_STACK] = "bpf_queue_stack", [BPF_MAP_TYPE_RINGBUF] = "bpf_ringbuf_map",
};

static int access_map_ptr(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access)
{
	const struct bc_btf *btf = env->ops->btf_vmlinux(env->args->host);
	u32 type = bc_cur_regs(env)[regno].map->type;
	const char *name = type < ARRAY_SIZE(map_structs) ? map_structs[type] : NULL;
	u32 next_id, flags;
	s32 id;

	if (btf && !name) {
		bc_log(env, "map_ptr access not supported for map type %d\n", type);
		return -ENOTSUPP;
	}
	if (btf && off < 0) {
		bc_log(env, "R%d is %s invalid negative access: off=%d\n", regno, name, off);
		return -EACCES;
	}
	if (btf && access == BC_WRITE) {
		bc_log(env, "only read from %s is supported\n", name);
		return -EACCES;
	}
	id = btf ? bc_btf_find(btf, name, BTF_KIND_STRUCT) : -ENOENT;
	if (id > 0 && bc_btf_struct_access(env, btf, id, off, bytes, &next_id, &flags) < 0)
		return -EACCES;
	/* what the struct would hold is not there to be read */
	bc_log(env, "map_ptr access not supported without CONFIG_DEBUG_INFO_BTF\n");
	return -ENOTSUPP;
}

static int access_by_type(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	struct bpf_reg_state *regs = bc_cur_regs(env), *reg = &regs[regno];
	int err;

	/* of all the types, these alone may be NULL and still be told apart by their base type below */
	if (reg->type & PTR_MAYBE_NULL)
		goto invalid;
	switch (BC_BASE_TYPE(reg->type)) {
	case PTR_TO_MAP_KEY:
		if (access == BC_WRITE) {
			bc_log(env, "write to change key R%d not allowed\n", regno);
			return -EACCES;
		}
		err = bc_check_region(env, regno, off, bytes, reg->map->key_size, false);
		break;
	case PTR_TO_MAP_VALUE:
		return access_map_value(env, regno, off, bytes, access, value_regno);
	case PTR_TO_MEM:
	case PTR_TO_BUF:
		return access_mem(env, regno, off, bytes, access, value_regno);
	case PTR_TO_CTX:
		return access_ctx(env, regno, off, bytes, access, value_regno);
	case PTR_TO_STACK:
		return bc_check_stack(env, regno, off, bytes, access, value_regno);
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
		if (access == BC_WRITE && !bc_may_access_packet(env, false, false, access)) {
			bc_log(env, "cannot write into packet\n");
			return -EACCES;
		}
		err = bc_check_packet(env, regno, off, bytes, false);
		break;
	case PTR_TO_SOCKET:
	case PTR_TO_SOCK_COMMON:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_XDP_SOCK:
		return access_sock(env, regno, off, bytes, access, value_regno);
	case PTR_TO_TP_BUFFER:
		err = bc_check_buffer(env, reg, "tracepoint", regno, off, bytes);
		env->max_tp_access = max(env->max_tp_access, (u32)off + bytes);
		break;
	case PTR_TO_BTF_ID:
		return access_btf(env, regno, off, bytes, access, value_regno);
	case CONST_PTR_TO_MAP:
		return access_map_ptr(env, regno, off, bytes, access);
	default:
		goto invalid;
	}
	if (!err && access == BC_READ && value_regno >= 0)
		bc_reg_unknown(&regs[value_regno]);
	return err;
invalid:
	bc_log(env, "R%d invalid mem access '%s'\n", regno, bc_type_str(env, reg->type));
	return -EACCES;
}

/*
 * A load or store of @bytes through @regno. @value_regno: the register stored, or loaded into; BC_NO_REG when there is none (an immediate,
 * an atomic operation, a helper).
 */
int bc_check_mem(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno, bool aligned_once)
{
	struct bpf_reg_state *regs = bc_cur_regs(env);
	int err;

	err = bc_check_alignment(env, &regs[regno], off, bytes, aligned_once);
	if (err)
		return err;
	err = access_by_type(env, regno, off + regs[regno].off, bytes, access, value_regno);
	if (!err && bytes < BC_REG_BYTES && access == BC_READ && value_regno >= 0 && regs[value_regno].type == SCALAR_VALUE)
		bc_scalar_truncate(&regs[value_regno].v, bytes);
	return err;
}
