/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Look-ups in a validated BTF blob: by id, by name, sizes, and what the verifier must guard in map values.
 */
#include "btf_internal.h"

static const struct btf_type void_type;

int bc_btf_add_type(struct bc_btf *btf, const struct btf_type *t, u32 *room)
{
	const struct btf_type **grown;
	u32 more;

	if (btf->type_cnt > BTF_MAX_TYPE)
		return -E2BIG;
	if (btf->type_cnt == *room) {
		more = *room ? *room + *room / 2 : 256;
		grown = port_realloc(btf->types, *room * sizeof(*grown), more * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		btf->types = grown;
		*room = more;
	}
	if (!btf->type_cnt)
		btf->types[btf->type_cnt++] = &void_type;
	btf->types[btf->type_cnt++] = t;
	return 0;
}

const struct btf_type *bc_btf_type(const struct bc_btf *btf, u32 id)
{
	return id < btf->type_cnt ? btf->types[id] : NULL;
}

const char *bc_btf_name(const struct bc_btf *btf, u32 name_off)
{
	return name_off < btf->strings_len ? btf->strings + name_off : "";
}

const char *bc_btf_kind_name(const struct btf_type *t)
{
	static const char *const names[NR_BTF_KINDS] = {
		[BTF_KIND_UNKN] = "UNKNOWN", [BTF_KIND_INT] = "INT", [BTF_KIND_PTR] = "PTR", [BTF_KIND_ARRAY] = "ARRAY",
		[BTF_KIND_STRUCT] = "STRUCT", [BTF_KIND_UNION] = "UNION", [BTF_KIND_ENUM] = "ENUM", [BTF_KIND_FWD] = "FWD",
		[BTF_KIND_TYPEDEF] = "TYPEDEF", [BTF_KIND_VOLATILE] = "VOLATILE", [BTF_KIND_CONST] = "CONST",
		[BTF_KIND_RESTRICT] = "RESTRICT", [BTF_KIND_FUNC] = "FUNC", [BTF_KIND_FUNC_PROTO] = "FUNC_PROTO",
		[BTF_KIND_VAR] = "VAR", [BTF_KIND_DATASEC] = "DATASEC", [BTF_KIND_FLOAT] = "FLOAT",
		[BTF_KIND_DECL_TAG] = "DECL_TAG", [BTF_KIND_TYPE_TAG] = "TYPE_TAG", [BTF_KIND_ENUM64] = "ENUM64",
	};

	return t && BTF_INFO_KIND(t->info) < NR_BTF_KINDS ? names[BTF_INFO_KIND(t->info)] : "UNKNOWN";
}

/* ---- names ---- */

static int name_order(const struct bc_btf *btf, u32 a, u32 b)
{
	const struct btf_type *ta = btf->types[a], *tb = btf->types[b];
	int diff;

	if (bt_kind(ta) != bt_kind(tb))
		return bt_kind(ta) < bt_kind(tb) ? -1 : 1;
	diff = strcmp(bc_btf_name(btf, ta->name_off), bc_btf_name(btf, tb->name_off));
	if (diff)
		return diff;
	return a < b ? -1 : a > b;
}

static void sift_down(const struct bc_btf *btf, u32 *heap, u32 root, u32 cnt)
{
	u32 child, tmp;

	while ((child = 2 * root + 1) < cnt) {
		if (child + 1 < cnt && name_order(btf, heap[child], heap[child + 1]) < 0)
			child++;
		if (name_order(btf, heap[root], heap[child]) >= 0)
			return;
		tmp = heap[root];
		heap[root] = heap[child];
		heap[child] = tmp;
		root = child;
	}
}

/* Heap sort: in place, no recursion, no bad case. The kernel's BTF has 100,000 types and more. */
static int index_names(struct bc_btf *btf)
{
	u32 cnt = btf->type_cnt - 1;
	u32 *ids, i, tmp;

	ids = port_zalloc(cnt * sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	for (i = 0; i < cnt; i++)
		ids[i] = i + 1;
	for (i = cnt / 2; i-- > 0;)
		sift_down(btf, ids, i, cnt);
	for (i = cnt; i-- > 1;) {
		tmp = ids[0];
		ids[0] = ids[i];
		ids[i] = tmp;
		sift_down(btf, ids, 0, i);
		if (!(i & 0x3ff))
			port_poll();
	}
	btf->by_name = ids;
	return 0;
}

static bool is_named(const struct bc_btf *btf, u32 id, const char *name, u32 kind)
{
	const struct btf_type *t = btf->types[id];

	return bt_kind(t) == kind && !strcmp(bc_btf_name(btf, t->name_off), name);
}

s32 bc_btf_find(const struct bc_btf *btf, const char *name, u32 kind)
{
	u32 lo = 0, hi = btf->type_cnt - 1, mid, id;
	const struct btf_type *t;
	bool before;

	if (!btf->by_name) {
		for (id = 1; id < btf->type_cnt; id++) {
			if (is_named(btf, id, name, kind))
				return id;
		}
		return -ENOENT;
	}
	/* the first that is not before (kind, name) */
	while (lo < hi) {
		mid = lo + (hi - lo) / 2;
		t = btf->types[btf->by_name[mid]];
		if (bt_kind(t) != kind)
			before = bt_kind(t) < kind;
		else
			before = strcmp(bc_btf_name(btf, t->name_off), name) < 0;
		if (before)
			lo = mid + 1;
		else
			hi = mid;
	}
	if (lo < btf->type_cnt - 1 && is_named(btf, btf->by_name[lo], name, kind))
		return btf->by_name[lo];
	return -ENOENT;
}

/* ---- types ---- */

const struct btf_type *bc_btf_skip_modifiers(const struct bc_btf *btf, u32 *id)
{
	const struct btf_type *t = bc_btf_type(btf, *id);
	int steps = 0;

	/* The kernel's own BTF is not checked for loops. */
	while (t && bt_is(t, KINDS_MODIFIER) && steps++ < BTF_CHAIN_LIMIT) {
		*id = t->type;
		t = bc_btf_type(btf, *id);
	}
	return t;
}

s64 bc_btf_size(const struct bc_btf *btf, u32 id)
{
	const struct btf_type *t = bc_btf_type(btf, id);
	u64 times = 1;
	int steps;

	for (steps = 0; t && steps < 2 * BTF_CHAIN_LIMIT; steps++) {
		if (bt_is(t, KINDS_OWN_SIZE) || bt_is(t, KIND_BIT(PTR))) {
			times *= bt_is(t, KIND_BIT(PTR)) ? sizeof(void *) : t->size;
			return times > U32_MAX ? -EINVAL : (s64)times;
		}
		if (bt_is(t, KIND_BIT(ARRAY))) {
			times *= bt_array_of(t)->nelems;
			if (times > U32_MAX)
				return -EINVAL;
			t = bc_btf_type(btf, bt_array_of(t)->type);
		} else if (bt_is(t, KINDS_MODIFIER | KIND_BIT(VAR))) {
			t = bc_btf_type(btf, t->type);
		} else {
			break;
		}
	}
	return -EINVAL;
}

/* ---- what map values hold ---- */

struct guarded {
	const char *name;
	u32 size;
	u32 align;
};

static const struct guarded guarded_lock = { "bpf_spin_lock", sizeof(struct bpf_spin_lock), __alignof__(struct bpf_spin_lock) };
static const struct guarded guarded_timer = { "bpf_timer", sizeof(struct bpf_timer), __alignof__(struct bpf_timer) };

static bool is_guarded(const struct bc_btf *btf, u32 id, const struct guarded *g)
{
	const struct btf_type *t = bc_btf_type(btf, id);

	return t && bt_is(t, KINDS_STRUCT) && t->size == g->size && !strcmp(bc_btf_name(btf, t->name_off), g->name);
}

/* Offset of the one @g directly in struct (or data section) @id. */
static s32 find_guarded(const struct bc_btf *btf, u32 id, const struct guarded *g)
{
	const struct btf_type *t = bc_btf_type(btf, id);
	const struct btf_var_secinfo *vsi;
	const struct btf_type *var;
	const struct btf_member *m;
	s32 found = -ENOENT;
	u32 i, off;

	if (!t || !bt_is(t, KINDS_STRUCT | KIND_BIT(DATASEC)))
		return -EINVAL;
	for (i = 0; i < bt_vlen(t); i++) {
		if (bt_is(t, KINDS_STRUCT)) {
			m = bt_members(t) + i;
			if (!is_guarded(btf, m->type, g))
				continue;
			off = bt_member_bit_off(t, m);
			if (off % 8)
				return -EINVAL;
			off /= 8;
		} else {
			vsi = bt_secinfos(t) + i;
			var = bc_btf_type(btf, vsi->type);
			if (!var || vsi->size != g->size || !is_guarded(btf, var->type, g))
				continue;
			off = vsi->offset;
		}
		if (off % g->align)
			return -EINVAL;
		if (found >= 0)
			return -E2BIG;
		found = off;
	}
	return found;
}

s32 bc_btf_find_spin_lock(const struct bc_btf *btf, u32 value_type_id)
{
	return find_guarded(btf, value_type_id, &guarded_lock);
}

s32 bc_btf_find_timer(const struct bc_btf *btf, u32 value_type_id)
{
	return find_guarded(btf, value_type_id, &guarded_timer);
}

/* ---- making and freeing ---- */

struct bc_btf *bc_btf_parse(u8 *data, u32 size, bool kernel, const struct bc_btf_log *log)
{
	struct bc_btf *btf;
	int err;

	if (size > BTF_MAX_BYTES)
		return ERR_PTR(-E2BIG);
	btf = port_zalloc(sizeof(*btf));
	if (!btf)
		return ERR_PTR(-ENOMEM);
	btf->data = data;
	btf->size = size;
	btf->kernel = kernel;
	err = bc_btf_check(btf, log);
	if (!err && kernel)
		err = index_names(btf);
	if (err) {
		btf->data = NULL;
		bc_btf_free(btf);
		return ERR_PTR(err);
	}
	return btf;
}

void bc_btf_free(struct bc_btf *btf)
{
	if (!btf)
		return;
	port_free(btf->by_name);
	port_free(btf->types);
	port_free(btf->data);
	port_free(btf);
}
