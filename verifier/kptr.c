/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pointers to kernel objects kept in map values (kptrs): where BTF says that they lie, and how programs may load, store and exchange
 * them. Rules and messages are those of Linux 6.1.
 */
#include "btf_internal.h"
#include "internal.h"

/* ---- in the BTF of a map's value ---- */

/* 1: a kptr, filled in; 0: some other type; -EINVAL: a kptr as none may be. */
static int kptr_of_type(const struct bc_btf *btf, u32 type_id, struct bc_kptr *kptr)
{
	const struct btf_type *t = bc_btf_type(btf, type_id), *tag;

	if (!t || !bt_is(t, KIND_BIT(PTR)))
		return 0;
	tag = bc_btf_type(btf, t->type);
	if (!tag || !bt_is(tag, KIND_BIT(TYPE_TAG)))
		return 0;
	t = bc_btf_type(btf, tag->type);
	if (!t || bt_is(t, KIND_BIT(TYPE_TAG)))
		return -EINVAL;
	kptr->ref = !strcmp(bc_btf_name(btf, tag->name_off), "kptr_ref");
	if (!kptr->ref && strcmp(bc_btf_name(btf, tag->name_off), "kptr"))
		return -EINVAL;
	kptr->btf_id = tag->type;
	t = bc_btf_skip_modifiers(btf, &kptr->btf_id);
	return t && bt_is(t, KINDS_STRUCT) ? 1 : -EINVAL;
}

/* What gives the map's references back must be in the kernel's BTF too, like all that programs call. */
static int find_dtor(const struct bc_btf *kernel, const char *type)
{
	int id = bc_kfunc_dtor(type);

	if (id < 0 || bc_btf_find(kernel, bc_kfuncs[id].name, BTF_KIND_FUNC) < 0)
		return -ENXIO;
	return id;
}

/* One member, or variable of a data section, at @off. */
static int add_kptr(const struct bc_btf *btf, const struct bc_btf *kernel, u32 type_id, u32 off, struct bc_map_desc *map)
{
	const struct btf_type *t;
	struct bc_kptr kptr;
	const char *name;
	s32 id;
	int ret;

	/* Linux wants that of every member, once it looks for any */
	if (off % sizeof(u64))
		return -EINVAL;
	kptr.off = off;
	ret = kptr_of_type(btf, type_id, &kptr);
	if (ret <= 0)
		return ret;
	if (map->kptr_cnt == BC_MAX_KPTRS)
		return -E2BIG;
	t = bc_btf_type(btf, kptr.btf_id);
	name = bc_btf_name(btf, t->name_off);
	id = kernel ? bc_btf_find(kernel, name, bt_kind(t)) : -ENOENT;
	if (id < 0)
		return id;
	kptr.btf_id = id;
	ret = kptr.ref ? find_dtor(kernel, name) : 0;
	if (ret < 0)
		return ret;
	kptr.dtor = ret;
	map->kptrs[map->kptr_cnt++] = kptr;
	return 0;
}

static int in_struct(const struct bc_btf *btf, const struct bc_btf *kernel, const struct btf_type *t, struct bc_map_desc *map)
{
	const struct btf_member *m;
	int err = 0;
	u32 i, off;

	for (i = 0; i < bt_vlen(t) && !err; i++) {
		m = bt_members(t) + i;
		off = bt_member_bit_off(t, m);
		err = off % 8 ? -EINVAL : add_kptr(btf, kernel, m->type, off / 8, map);
	}
	return err;
}

static int in_section(const struct bc_btf *btf, const struct bc_btf *kernel, const struct btf_type *t, struct bc_map_desc *map)
{
	const struct btf_var_secinfo *v;
	const struct btf_type *var;
	int err = 0;
	u32 i;

	for (i = 0; i < bt_vlen(t) && !err; i++) {
		v = bt_secinfos(t) + i;
		var = bc_btf_type(btf, v->type);
		if (var && v->size == sizeof(u64))
			err = add_kptr(btf, kernel, var->type, v->offset, map);
	}
	return err;
}

int bc_btf_find_kptrs(const struct bc_btf *btf, u32 value_type_id, const struct bc_btf *kernel, struct bc_map_desc *map)
{
	const struct btf_type *t = bc_btf_type(btf, value_type_id);
	int err = 0;

	map->kptr_cnt = 0;
	map->kptr_btf = kernel;
	if (t && bt_is(t, KIND_BIT(STRUCT)))
		err = in_struct(btf, kernel, t, map);
	else if (t && bt_is(t, KIND_BIT(DATASEC)))
		err = in_section(btf, kernel, t, map);
	/* as on Linux: the value is plain memory then */
	if (err)
		map->kptr_cnt = 0;
	map->kptr_err = err;
	return err;
}

/* ---- types ---- */

static int bad_type(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const char *target = bc_btf_type_name(map->kptr_btf, kptr->btf_id);

	bc_log(env, "invalid kptr access, R%d type=%s%s ", regno, bc_type_str(env, reg->type),
	       BC_BASE_TYPE(reg->type) == PTR_TO_BTF_ID ? bc_btf_type_name(reg->btf, reg->btf_id) : "");
	bc_log(env, "expected=%s%s", bc_type_str(env, PTR_TO_BTF_ID), target);
	if (!kptr->ref)
		bc_log(env, " or %s%s", bc_type_str(env, PTR_TO_BTF_ID | PTR_UNTRUSTED), target);
	bc_log(env, "\n");
	return -EINVAL;
}

int bc_kptr_match(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, u32 regno)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	u32 allowed = PTR_MAYBE_NULL | (kptr->ref ? 0 : PTR_UNTRUSTED);

	if (BC_BASE_TYPE(reg->type) != PTR_TO_BTF_ID || (BC_TYPE_FLAGS(reg->type) & ~allowed))
		return bad_type(env, map, kptr, regno);
	if (!reg->btf->kernel) {
		bc_log(env, "R%d must point to kernel BTF\n", regno);
		return -EINVAL;
	}
	if (bc_check_ptr_unmodified(env, reg, regno, true))
		return -EACCES;
	/* a reference is given back as what it was taken for */
	if (reg->btf != map->kptr_btf || (kptr->ref && (reg->off || reg->btf_id != kptr->btf_id)) ||
	    !bc_btf_struct_within(reg->btf, reg->btf_id, (u32)reg->off, kptr->btf_id))
		return bad_type(env, map, kptr, regno);
	return 0;
}

/* ---- loads and stores ---- */

const struct bc_kptr *bc_kptr_at(const struct bc_map_desc *map, s64 off)
{
	u32 i;

	for (i = 0; i < map->kptr_cnt; i++)
		if (map->kptrs[i].off == off)
			return &map->kptrs[i];
	return NULL;
}

int bc_check_kptr_bounds(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool by_helper)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	u32 i, at;

	for (i = 0; i < map->kptr_cnt; i++) {
		at = map->kptrs[i].off;
		if (reg->v.smin + off >= (s64)at + (s64)sizeof(u64) || (s64)at >= (s64)reg->v.umax + off + size)
			continue;
		if (by_helper) {
			bc_log(env, "kptr cannot be accessed indirectly by helper\n");
			return -EACCES;
		}
		if (!bc_scalar_is_const(&reg->v)) {
			bc_log(env, "kptr access cannot have variable offset\n");
			return -EACCES;
		}
		if (at != off + reg->v.t.value) {
			bc_log(env, "kptr access misaligned expected=%u off=%llu\n", at, off + reg->v.t.value);
			return -EACCES;
		}
		if (size != sizeof(u64)) {
			bc_log(env, "kptr access size must be BPF_DW\n");
			return -EACCES;
		}
	}
	return 0;
}

static int load(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, int value_regno)
{
	struct bpf_reg_state *dst;

	if (value_regno < 0)
		return 0;
	/* the object may be gone: of use only for reading what it was */
	dst = &bc_cur_regs(env)[value_regno];
	bc_reg_pointer(dst, PTR_TO_BTF_ID | PTR_MAYBE_NULL | PTR_UNTRUSTED);
	dst->btf = map->kptr_btf;
	dst->btf_id = kptr->btf_id;
	dst->id = ++env->id_gen;
	return 0;
}

int bc_access_kptr(struct bpf_verifier_env *env, const struct bc_map_desc *map, const struct bc_kptr *kptr, int value_regno)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];
	u8 class = BPF_CLASS(insn->code);

	if (BPF_MODE(insn->code) != BPF_MEM) {
		bc_log(env, "kptr in map can only be accessed using BPF_MEM instruction mode\n");
		return -EACCES;
	}
	if (class != BPF_LDX && kptr->ref) {
		bc_log(env, "store to referenced kptr disallowed\n");
		return -EACCES;
	}
	switch (class) {
	case BPF_LDX:
		return load(env, map, kptr, value_regno);
	case BPF_STX:
		if (bc_reg_is_null(&bc_cur_regs(env)[value_regno]))
			return 0;
		return bc_kptr_match(env, map, kptr, value_regno) ? -EACCES : 0;
	case BPF_ST:
		if (!insn->imm)
			return 0;
		bc_log(env, "BPF_ST imm must be 0 when storing to kptr at off=%u\n", kptr->off);
		return -EACCES;
	default:
		bc_log(env, "kptr in map can only be accessed using BPF_LDX/BPF_STX/BPF_ST\n");
		return -EACCES;
	}
}

/* ---- bpf_kptr_xchg ---- */

int bc_check_kptr_arg(struct bpf_verifier_env *env, u32 regno, struct bpf_call_meta *meta)
{
	const struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const struct bc_map_desc *map = reg->map;
	const struct bc_kptr *kptr;
	s64 off;

	if (!bc_scalar_is_const(&reg->v)) {
		bc_log(env, "R%d doesn't have constant offset. kptr has to be at the constant offset\n", regno);
		return -EACCES;
	}
	if (!map->btf) {
		bc_log(env, "map '%s' has to have BTF in order to use bpf_kptr_xchg\n", map->name);
		return -EACCES;
	}
	if (!map->kptr_cnt) {
		if (map->kptr_err == -E2BIG)
			bc_log(env, "map '%s' has more than %d kptr\n", map->name, BC_MAX_KPTRS);
		else
			bc_log(env, "map '%s' has no valid kptr\n", map->name);
		return -EACCES;
	}
	off = reg->off + (s64)reg->v.t.value;
	kptr = bc_kptr_at(map, off);
	if (!kptr) {
		bc_log(env, "off=%d doesn't point to kptr\n", (s32)off);
		return -EACCES;
	}
	if (!kptr->ref) {
		bc_log(env, "off=%d kptr isn't referenced kptr\n", (s32)off);
		return -EACCES;
	}
	meta->kptr = kptr;
	meta->kptr_map = map;
	return 0;
}
