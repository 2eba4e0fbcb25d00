/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Loads through pointers to the kernel's structs: which member an access falls on, and what it gives. Rules and messages are those of
 * Linux 6.1.
 */
#include "btf_internal.h"
#include "internal.h"

struct walk {
	struct bpf_verifier_env *env;
	const struct bc_btf *btf;
	const struct btf_type *t;	/* struct or union at hand */
	const struct btf_type *named;	/* what messages call it */
	u32 off, size;			/* of the access, in it */
};

/* A member, or the element of an array that the access begins in. */
struct place {
	const char *name;
	const struct btf_type *t;
	u32 id;
	u32 off, size;
	u32 end;			/* of the member as a whole */
};

enum found { FOUND_NONE = 0, FOUND_SCALAR, FOUND_PTR, FOUND_STRUCT, FOUND_FAR };

static const char *name_of(const struct walk *w)
{
	return bc_btf_name(w->btf, w->named->name_off);
}

/*
 * Goes on in a member. A struct that is all of a nameless one has become so by shim/bpfcompat/btf/adapt.py, and keeps its name in
 * messages.
 */
static void enter(struct walk *w, const struct btf_type *t)
{
	if (t->name_off || t->size != w->t->size)
		w->named = t;
	w->t = t;
}

static int beyond(struct walk *w)
{
	bc_log(w->env, "access beyond struct %s at off %u size %u\n", name_of(w), w->off, w->size);
	return -EACCES;
}

/* Past the end there may be the elements of a flexible array: goes on in one that is a struct. */
static int past_end(struct walk *w)
{
	const struct btf_type *arr, *elem;
	const struct btf_member *last;
	u32 id, off;

	if (!bt_vlen(w->t))
		return beyond(w);
	last = bt_members(w->t) + bt_vlen(w->t) - 1;
	id = last->type;
	arr = bc_btf_skip_modifiers(w->btf, &id);
	off = bt_member_bit_off(w->t, last) / 8;
	if (!arr || !bt_is(arr, KIND_BIT(ARRAY)) || bt_array_of(arr)->nelems || w->off < off)
		return beyond(w);
	id = bt_array_of(arr)->type;
	elem = bc_btf_skip_modifiers(w->btf, &id);
	if (elem && bt_is(elem, KIND_BIT(INT)))
		return FOUND_SCALAR;
	if (!elem || !bt_is(elem, KINDS_STRUCT) || !elem->size)
		return beyond(w);
	w->off = (w->off - off) % elem->size;
	enter(w, elem);
	return FOUND_STRUCT;
}

/* False: the member has no bytes. */
static bool member_place(const struct walk *w, const struct btf_member *m, struct place *p)
{
	s64 total;

	p->name = bc_btf_name(w->btf, m->name_off);
	p->id = m->type;
	p->off = bt_member_bit_off(w->t, m) / 8;
	p->t = bc_btf_skip_modifiers(w->btf, &p->id);
	total = p->t ? bc_btf_size(w->btf, p->id) : -EINVAL;
	if (total <= 0)
		return false;
	p->size = (u32)total;
	p->end = p->off + p->size;
	return true;
}

static bool to_element(const struct walk *w, struct place *p)
{
	s64 size;

	if (!bt_is(p->t, KIND_BIT(ARRAY)))
		return true;
	while (p->t && bt_is(p->t, KIND_BIT(ARRAY))) {
		p->id = bt_array_of(p->t)->type;
		p->t = bc_btf_skip_modifiers(w->btf, &p->id);
	}
	size = p->t ? bc_btf_size(w->btf, p->id) : -EINVAL;
	if (size <= 0)
		return false;
	p->size = (u32)size;
	p->off += (w->off - p->off) / p->size * p->size;
	return true;
}

static int at_pointer(struct walk *w, const struct place *p, u32 *next_id, u32 *flags)
{
	const struct btf_type *t = bc_btf_type(w->btf, p->t->type);
	u32 id = p->t->type;

	/* a part of a pointer is worth nothing */
	if (p->size != w->size || w->off != p->off) {
		bc_log(w->env, "cannot access ptr member %s with moff %u in struct %s with off %u size %u\n", p->name, p->off, name_of(w),
		       w->off, w->size);
		return -EACCES;
	}
	*flags = 0;
	if (t && bt_is(t, KIND_BIT(TYPE_TAG))) {
		if (!strcmp(bc_btf_name(w->btf, t->name_off), "user"))
			*flags = MEM_USER;
		else if (!strcmp(bc_btf_name(w->btf, t->name_off), "percpu"))
			*flags = MEM_PERCPU;
	}
	t = bc_btf_skip_modifiers(w->btf, &id);
	*next_id = id;
	return t && bt_is(t, KINDS_STRUCT) ? FOUND_PTR : FOUND_SCALAR;
}

static int at_member(struct walk *w, const struct btf_member *m, u32 *next_id, u32 *flags)
{
	u32 bits = bt_member_bits(w->t, m), end;
	struct place p;

	if (w->off + w->size <= bt_member_bit_off(w->t, m) / 8)
		return FOUND_FAR;
	if (bits) {
		/* programs load the bytes around it and shift */
		end = (bt_member_bit_off(w->t, m) + bits + 7) / 8;
		return w->off <= bt_member_bit_off(w->t, m) / 8 && end <= w->off + w->size ? FOUND_SCALAR : FOUND_NONE;
	}
	if (w->off < bt_member_bit_off(w->t, m) / 8)
		return FOUND_FAR;
	if (!member_place(w, m, &p) || w->off >= p.end || !to_element(w, &p))
		return FOUND_NONE;
	if (bt_is(p.t, KINDS_STRUCT)) {
		w->off -= p.off;
		enter(w, p.t);
		return FOUND_STRUCT;
	}
	if (bt_is(p.t, KIND_BIT(PTR)))
		return at_pointer(w, &p, next_id, flags);
	if (w->off + w->size > p.end) {
		bc_log(w->env, "access beyond the end of member %s (mend:%u) in struct %s with off %u size %u\n", p.name, p.end, name_of(w),
		       w->off, w->size);
		return -EACCES;
	}
	return FOUND_SCALAR;
}

/*
 * A nameless struct in a union that holds one member, at an odd byte: a field that the kernel keeps elsewhere, put into its BTF by
 * shim/bpfcompat/btf/adapt.py. No compiler lays out a struct like that.
 */
static bool laid_over(const struct walk *w, u32 nr, struct place *p)
{
	const struct btf_member *m = bt_members(w->t) + nr;
	struct walk in = *w;

	if (!bt_is(w->t, KIND_BIT(UNION)) || m->name_off || !member_place(w, m, p) || !bt_is(p->t, KIND_BIT(STRUCT)) ||
	    bt_vlen(p->t) != 1)
		return false;
	in.t = p->t;
	m = bt_members(in.t);
	return !bt_member_bits(in.t, m) && member_place(&in, m, p) && p->off % 2;
}

/* The one of those that is meant: the access is a whole number of words into it. */
static const struct btf_member *at_odd_byte(const struct walk *w)
{
	struct place p;
	u32 i;

	for (i = 0; w->off % 2 && i < bt_vlen(w->t); i++)
		if (laid_over(w, i, &p) && w->off >= p.off && !((w->off - p.off) % 4) && w->off + w->size <= p.end)
			return bt_members(w->t) + i;
	return NULL;
}

static int walk_struct(struct walk *w, u32 *next_id, u32 *flags)
{
	const struct btf_member *m;
	int found = FOUND_NONE;
	struct place p;
	u32 i;

	if ((u64)w->off + w->size > w->t->size)
		return past_end(w);
	m = at_odd_byte(w);
	if (m)
		return at_member(w, m, next_id, flags);
	for (i = 0; i < bt_vlen(w->t) && found == FOUND_NONE; i++)
		if (!laid_over(w, i, &p))
			found = at_member(w, bt_members(w->t) + i, next_id, flags);
	if (found != FOUND_NONE && found != FOUND_FAR)
		return found;
	bc_log(w->env, "struct %s doesn't have field at offset %d\n", name_of(w), w->off);
	return -EINVAL;
}

int bc_btf_struct_access(struct bpf_verifier_env *env, const struct bc_btf *btf, u32 id, u32 off, u32 size, u32 *next_id, u32 *flags)
{
	struct walk w = { .env = env, .btf = btf, .off = off, .size = size };
	int depth, found;

	w.named = w.t = bc_btf_skip_modifiers(btf, &id);
	for (depth = 0; depth < 2 * BTF_MAX_DEPTH; depth++) {
		if (!w.t || !bt_is(w.t, KINDS_STRUCT)) {
			bc_log(env, "Type '%s' is not a struct\n", w.t ? name_of(&w) : "");
			return -EINVAL;
		}
		found = walk_struct(&w, next_id, flags);
		if (found < 0)
			return found;
		if (found != FOUND_STRUCT)
			return found == FOUND_PTR ? BC_WALK_PTR : BC_WALK_SCALAR;
	}
	return -EINVAL;
}

/* Is there a struct @need at @off of struct @id, at whatever depth of first members? */
bool bc_btf_struct_within(const struct bc_btf *btf, u32 id, u32 off, u32 want)
{
	const struct btf_type *t = bc_btf_skip_modifiers(btf, &id);
	struct walk w = { .btf = btf, .off = off, .size = 1 };
	const struct btf_member *m;
	struct place p;
	int depth;
	u32 i;

	for (depth = 0; depth < BTF_MAX_DEPTH && t && bt_is(t, KINDS_STRUCT); depth++) {
		if (!w.off && id == want)
			return true;
		w.t = t;
		t = NULL;
		for (i = 0; i < bt_vlen(w.t) && !t; i++) {
			m = bt_members(w.t) + i;
			if (bt_member_bits(w.t, m) || !member_place(&w, m, &p) || w.off < p.off || w.off >= p.end || !to_element(&w, &p))
				continue;
			w.off -= p.off;
			t = p.t;
			id = p.id;
		}
	}
	return false;
}
