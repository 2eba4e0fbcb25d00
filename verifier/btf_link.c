/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Second half of a BTF blob's validation: how types refer to each other. A walk in depth over the references, without recursion, finds
 * loops, nesting that is too deep, what must have a size and has none, and members that do not fit.
 */
#include "btf_internal.h"

#define SEEN	1
#define DONE	2

/* Concrete type behind modifiers and variables that are DONE; NULL when it has no size. */
static const struct btf_type *concrete(struct bc_btf_check *c, u32 id)
{
	const struct btf_type *t = bc_btf_type(c->btf, id);

	if (t && bt_is(t, KINDS_MODIFIER | KIND_BIT(VAR)))
		t = bc_btf_type(c->btf, c->final[id]);
	return t && !bt_is(t, KINDS_NO_SIZE | KINDS_MODIFIER | KINDS_TOP_ONLY) ? t : NULL;
}

static u32 final_id(struct bc_btf_check *c, u32 id)
{
	return bt_is(c->btf->types[id], KINDS_MODIFIER | KIND_BIT(VAR)) ? c->final[id] : id;
}

static u32 concrete_size(struct bc_btf_check *c, u32 id)
{
	const struct btf_type *t;

	id = final_id(c, id);
	t = c->btf->types[id];
	if (bt_is(t, KIND_BIT(ARRAY)))
		return c->bytes[id];
	return bt_is(t, KIND_BIT(PTR)) ? sizeof(void *) : t->size;
}

static bool is_regular_int(const struct btf_type *t)
{
	u32 bits;

	if (!bt_is(t, KIND_BIT(INT)) || BTF_INT_OFFSET(bt_int_data(t)))
		return false;
	bits = BTF_INT_BITS(bt_int_data(t));
	return bits == 8 || bits == 16 || bits == 32 || bits == 64 || bits == 128;
}

/* Do @bits from bit @off lie within @size bytes; an integer's bytes at once may be 16 at most. */
static int check_bit_range(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m, u32 off, u32 bits)
{
	u32 copy = bits + off % 8;

	if (copy > 128)
		return bc_btf_bad_member(c, t, m, "nr_copy_bits exceeds 128");
	if (t->size < off / 8 || t->size - off / 8 < (copy + 7) / 8)
		return bc_btf_bad_member(c, t, m, "Member exceeds struct_size");
	return 0;
}

static int check_int_member(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m, const struct btf_type *mt)
{
	u32 off = bt_member_bit_off(t, m), bits = bt_member_bits(t, m), int_bits = BTF_INT_BITS(bt_int_data(mt));

	if (!bt_kflag(t)) {
		if (U32_MAX - off < BTF_INT_OFFSET(bt_int_data(mt)))
			return bc_btf_bad_member(c, t, m, "bits_offset exceeds U32_MAX");
		return check_bit_range(c, t, m, off + BTF_INT_OFFSET(bt_int_data(mt)), int_bits);
	}
	if (!is_regular_int(mt))
		return bc_btf_bad_member(c, t, m, "Invalid member base type");
	if (!bits && off % 8)
		return bc_btf_bad_member(c, t, m, "Invalid member offset");
	if (bits > int_bits)
		return bc_btf_bad_member(c, t, m, "Invalid member bitfield_size");
	return check_bit_range(c, t, m, off, bits ? bits : int_bits);
}

static int check_enum_bits(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m)
{
	u32 off = bt_member_bit_off(t, m), bits = bt_member_bits(t, m);

	if (!bits && off % 8)
		return bc_btf_bad_member(c, t, m, "Member is not byte aligned");
	if (bits > 32)
		return bc_btf_bad_member(c, t, m, "Invalid member bitfield_size");
	if (t->size < (off + (bits ? bits : 32) + 7) / 8)
		return bc_btf_bad_member(c, t, m, "Member exceeds struct_size");
	return 0;
}

static int check_member_fits(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *given)
{
	const struct btf_type *mt = concrete(c, given->type);
	struct btf_member m = *given;
	u32 off, align;

	if (!mt)
		return bc_btf_bad_member(c, t, given, "Invalid member");
	m.type = final_id(c, given->type);	/* messages name what the member comes down to */
	off = bt_member_bit_off(t, &m);
	if (bt_is(mt, KIND_BIT(INT)))
		return check_int_member(c, t, &m, mt);
	if (bt_is(mt, KIND_BIT(ENUM) | KIND_BIT(ENUM64)) && bt_kflag(t))
		return check_enum_bits(c, t, &m);
	if (bt_member_bits(t, &m))
		return bc_btf_bad_member(c, t, &m, "Invalid member bitfield_size");
	if (bt_is(mt, KIND_BIT(FLOAT))) {
		align = 8 * (mt->size < sizeof(void *) ? mt->size : sizeof(void *));
		if (off % align)
			return bc_btf_bad_member(c, t, &m, "Member is not properly aligned");
	}
	if (off % 8)
		return bc_btf_bad_member(c, t, &m, "Member is not byte aligned");
	if (t->size < off / 8 || t->size - off / 8 < concrete_size(c, m.type))
		return bc_btf_bad_member(c, t, &m, "Member exceeds struct_size");
	return 0;
}

#define KINDS_NEED_LINK	(KINDS_MODIFIER | KINDS_STRUCT | KIND_BIT(PTR) | KIND_BIT(ARRAY) | KIND_BIT(VAR) | KIND_BIT(FUNC) | \
			 KIND_BIT(DECL_TAG) | KIND_BIT(DATASEC))

/*
 * Must the walk go down to @id? Loops through pointers are legal in aggregates, and through aggregates behind pointers; a walk that
 * began at one of them goes down to its own sort alone.
 */
static bool must_descend(struct bc_btf_check *c, const struct btf_type *t, u32 id)
{
	u32 kinds = KINDS_NEED_LINK;

	if (c->mode == MODE_PTR)
		kinds = KINDS_MODIFIER | KIND_BIT(PTR);
	else if (c->mode == MODE_AGGREGATE)
		kinds = KINDS_MODIFIER | KINDS_STRUCT | KIND_BIT(ARRAY);
	return bt_is(t, kinds) && c->state[id] != DONE;
}

static int descend(struct bc_btf_check *c, u32 id)
{
	const struct btf_type *t = c->btf->types[id];

	if (c->depth == BTF_MAX_DEPTH)
		return -E2BIG;
	if (c->state[id])
		return -EEXIST;
	c->state[id] = SEEN;
	c->path[c->depth].id = id;
	c->path[c->depth].edge = 0;
	c->depth++;
	if (c->mode == MODE_OPEN) {
		if (bt_is(t, KIND_BIT(PTR)))
			c->mode = MODE_PTR;
		else if (bt_is(t, KINDS_STRUCT | KIND_BIT(ARRAY)))
			c->mode = MODE_AGGREGATE;
	}
	return 0;
}

static u32 edge_cnt(const struct btf_type *t)
{
	switch (bt_kind(t)) {
	case BTF_KIND_ARRAY:
		return 2;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_DATASEC:
		return bt_vlen(t);
	default:
		return 1;
	}
}

static u32 edge_target(const struct btf_type *t, u32 i)
{
	switch (bt_kind(t)) {
	case BTF_KIND_ARRAY:
		return i ? bt_array_of(t)->type : bt_array_of(t)->index_type;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return bt_members(t)[i].type;
	case BTF_KIND_DATASEC:
		return bt_secinfos(t)[i].type;
	default:
		return t->type;
	}
}

#define KINDS_TAGGABLE	(KINDS_STRUCT | KIND_BIT(FUNC) | KIND_BIT(VAR) | KIND_BIT(TYPEDEF))

/* May @t refer to @to (NULL: no such id) at all? */
static int check_target(struct bc_btf_check *c, const struct btf_type *t, u32 edge, const struct btf_type *to)
{
	switch (bt_kind(t)) {
	case BTF_KIND_ARRAY:
		if (!to || bt_is(to, KINDS_NO_SIZE | KINDS_TOP_ONLY))
			return bc_btf_bad_type(c, t, edge ? "Invalid elem" : "Invalid index");
		return 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		if (!to || bt_is(to, KINDS_NO_SIZE | KINDS_TOP_ONLY))
			return bc_btf_bad_member(c, t, bt_members(t) + edge, "Invalid member");
		return 0;
	case BTF_KIND_DATASEC:
		if (!to || !bt_is(to, KIND_BIT(VAR)))
			return bc_btf_bad_secinfo(c, t, bt_secinfos(t) + edge, "Not a VAR kind member");
		return 0;
	case BTF_KIND_DECL_TAG:
		return to && bt_is(to, KINDS_TAGGABLE) ? 0 : bc_btf_bad_type(c, t, "Invalid type_id");
	case BTF_KIND_FUNC:
		return to && bt_is(to, KIND_BIT(FUNC_PROTO)) ? 0 : bc_btf_bad_type(c, t, "Invalid type_id");
	default:
		return !to || bt_is(to, KINDS_TOP_ONLY) ? bc_btf_bad_type(c, t, "Invalid type_id") : 0;
	}
}

static int check_func(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_type *proto = c->btf->types[t->type];
	const struct btf_param *p = bt_params(proto);
	u32 i;

	for (i = 0; i < bt_vlen(proto); i++) {
		if (!p[i].name_off && p[i].type)
			return bc_btf_bad_arg(c, t, i + 1);
	}
	return 0;
}

static int check_tag(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_type *to = c->btf->types[t->type];
	s32 component = ((const struct btf_decl_tag *)(t + 1))->component_idx;

	if (component == -1)
		return 0;
	if (bt_is(to, KIND_BIT(VAR) | KIND_BIT(TYPEDEF)))
		return bc_btf_bad_type(c, t, "Invalid component_idx");
	if (bt_is(to, KIND_BIT(FUNC)))
		to = c->btf->types[to->type];
	return (u32)component < bt_vlen(to) ? 0 : bc_btf_bad_type(c, t, "Invalid component_idx");
}

/* Pointers and modifiers may end at what has no size, if it is one of these. */
static bool sizeless_target_ok(const struct btf_type *t)
{
	return t && bt_is(t, KIND_BIT(UNKN) | KIND_BIT(FWD) | KIND_BIT(FUNC_PROTO));
}

/* The target of @edge needs no further descent: does what is known of it now fit? */
static int check_edge(struct bc_btf_check *c, const struct btf_type *t, u32 edge, u32 to_id)
{
	const struct btf_type *to = concrete(c, to_id);
	const struct btf_var_secinfo *v;
	u32 id = c->path[c->depth - 1].id, nelems;

	switch (bt_kind(t)) {
	case BTF_KIND_ARRAY:
		if (!edge)
			return to && is_regular_int(to) ? 0 : bc_btf_bad_type(c, t, "Invalid index");
		if (!to)
			return bc_btf_bad_type(c, t, "Invalid elem");
		if (bt_is(to, KIND_BIT(INT)) && !is_regular_int(to))
			return bc_btf_bad_type(c, t, "Invalid array of int");
		nelems = bt_array_of(t)->nelems;
		if (nelems && concrete_size(c, to_id) > U32_MAX / nelems)
			return bc_btf_bad_type(c, t, "Array size overflows U32_MAX");
		c->bytes[id] = concrete_size(c, to_id) * nelems;
		return 0;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return check_member_fits(c, t, bt_members(t) + edge);
	case BTF_KIND_DATASEC:
		v = bt_secinfos(t) + edge;
		to_id = c->btf->types[to_id]->type;
		if (!concrete(c, to_id))
			return bc_btf_bad_secinfo(c, t, v, "Invalid type");
		return v->size < concrete_size(c, to_id) ? bc_btf_bad_secinfo(c, t, v, "Invalid size") : 0;
	case BTF_KIND_FUNC:
		return check_func(c, t);
	case BTF_KIND_DECL_TAG:
		return check_tag(c, t);
	case BTF_KIND_VAR:
		if (!to)
			return bc_btf_bad_type(c, t, "Invalid type_id");
		c->final[id] = final_id(c, to_id);
		return 0;
	default:
		if (!to && !sizeless_target_ok(bc_btf_type(c->btf, final_id(c, to_id))))
			return bc_btf_bad_type(c, t, "Invalid type_id");
		c->final[id] = final_id(c, to_id);
		return 0;
	}
}

/* One move of the walk: down to what the topmost type refers to, or on to its next reference, or up. */
static int advance(struct bc_btf_check *c)
{
	struct bc_btf_step *top = &c->path[c->depth - 1];
	const struct btf_type *t = c->btf->types[top->id], *to;
	u32 to_id;
	int err;

	c->log_id = top->id;
	if (bt_is(t, KIND_BIT(DATASEC)))
		c->mode = MODE_OPEN;
	if (top->edge == edge_cnt(t)) {
		c->state[top->id] = DONE;
		c->depth--;
		return 0;
	}
	to_id = edge_target(t, top->edge);
	to = bc_btf_type(c->btf, to_id);
	err = check_target(c, t, top->edge, to);
	if (err)
		return err;
	if (must_descend(c, to, to_id))
		return descend(c, to_id);
	/* A modifier done in an aggregate's walk stopped at a pointer: a pointer's walk must go on there, or miss a loop. */
	if (bt_is(t, KIND_BIT(PTR) | KIND_BIT(VAR)) && bt_is(to, KINDS_MODIFIER)) {
		u32 last = c->final[to_id];

		if (bt_is(c->btf->types[last], KIND_BIT(PTR)) && must_descend(c, c->btf->types[last], last))
			return descend(c, last);
	}
	err = check_edge(c, t, top->edge, to_id);
	if (!err)
		top->edge++;
	return err;
}

static int walk_from(struct bc_btf_check *c, u32 id)
{
	const struct btf_type *t = c->btf->types[id];
	u32 outer = c->log_id;
	int err;

	c->depth = 0;
	c->mode = MODE_OPEN;
	err = descend(c, id);
	while (!err && c->depth)
		err = advance(c);
	c->log_id = id;
	if (err == -E2BIG)
		bc_btf_bad_type(c, t, "Exceeded max resolving depth:32");
	else if (err == -EEXIST)
		bc_btf_bad_type(c, t, "Loop detected");
	c->log_id = outer;
	return err;
}

/* Return and argument types: there, walked, and of a size. */
static int check_proto_type(struct bc_btf_check *c, u32 id, bool *ok)
{
	const struct btf_type *t = bc_btf_type(c->btf, id);
	int err;

	*ok = false;
	if (!t || bt_is(t, KINDS_TOP_ONLY))
		return 0;
	if (bt_is(t, KINDS_NEED_LINK) && c->state[id] != DONE) {
		err = walk_from(c, id);
		if (err)
			return err;
	}
	*ok = concrete(c, id) != NULL;
	return 0;
}

static int check_proto(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_param *p = bt_params(t);
	u32 i, n = bt_vlen(t);
	bool ok;
	int err;

	if (t->type) {
		err = check_proto_type(c, t->type, &ok);
		if (err)
			return err;
		if (!ok)
			return bc_btf_bad_type(c, t, "Invalid return type");
	}
	if (n && !p[n - 1].type) {
		if (p[n - 1].name_off)
			return bc_btf_bad_arg(c, t, n);
		n--;
	}
	for (i = 0; i < n; i++) {
		if (p[i].name_off && (!bc_btf_name_off_ok(c, p[i].name_off) || !bc_btf_ident_ok(c, p[i].name_off)))
			return bc_btf_bad_arg(c, t, i + 1);
		err = check_proto_type(c, p[i].type, &ok);
		if (err)
			return err;
		if (!ok)
			return bc_btf_bad_arg(c, t, i + 1);
	}
	return 0;
}

/* Type tags stand before all other modifiers of a chain; chains are short (up to 32 until a type that was looked at before). */
static int check_tag_order(struct bc_btf_check *c)
{
	const struct btf_type *t;
	u32 id, cur, len;
	bool tags;

	for (id = 1; id < c->btf->type_cnt; id++) {
		t = c->btf->types[id];
		if (!bt_is(t, KINDS_MODIFIER))
			continue;
		tags = bt_is(t, KIND_BIT(TYPE_TAG));
		for (cur = id, len = 0; bt_is(t, KINDS_MODIFIER); len++) {
			if (len == 32) {
				bc_btf_refuse(c, "Max chain length or cycle detected");
				return -ELOOP;
			}
			if (!bt_is(t, KIND_BIT(TYPE_TAG)))
				tags = false;
			else if (!tags)
				return bc_btf_refuse(c, "Type tags don't precede modifiers");
			if (cur < id)
				break;
			cur = t->type;
			t = bc_btf_type(c->btf, cur);
			if (!t)
				return -EINVAL;
		}
	}
	return 0;
}

int bc_btf_check_ids(struct bc_btf_check *c)
{
	const struct btf_type *t;
	bool is_proto, known;
	u32 id, i, edges;

	c->linking = true;
	for (id = 1; id < c->btf->type_cnt; id++) {
		t = c->btf->types[id];
		c->log_id = id;
		is_proto = bt_is(t, KIND_BIT(FUNC_PROTO));
		edges = bt_is(t, KINDS_NEED_LINK) || is_proto ? edge_cnt(t) : 0;
		known = true;
		for (i = 0; i < edges; i++)
			known &= edge_target(t, i) < c->btf->type_cnt;
		for (i = 0; is_proto && i < bt_vlen(t); i++)
			known &= bt_params(t)[i].type < c->btf->type_cnt;
		if (!known)
			return bc_btf_bad_type(c, t, "Invalid type_id");
		if (!(id & 0x3ff))
			port_poll();
	}
	return 0;
}

int bc_btf_link(struct bc_btf_check *c)
{
	const struct btf_type *t;
	u32 id;
	int err;

	c->linking = true;
	for (id = 1; id < c->btf->type_cnt; id++) {
		t = c->btf->types[id];
		c->log_id = id;
		if (bt_is(t, KINDS_NEED_LINK) && c->state[id] != DONE) {
			err = walk_from(c, id);
			if (err)
				return err;
		}
		if (bt_is(t, KIND_BIT(FUNC_PROTO))) {
			err = check_proto(c, t);
			if (err)
				return err;
		}
		if (!(id & 0x3ff))
			port_poll();
	}
	return check_tag_order(c);
}
