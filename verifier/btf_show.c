// SPDX-License-Identifier: GPL-2.0-only
/*
 * Prints an object by its BTF type, from any context: no recursion, no allocation, all memory read through the caller's reader. What is
 * printed, and what a value that cannot be read does to the rest, is as in Linux 6.1; where that is odd, a comment says so.
 *
 * Zeroes are left out, and so is an aggregate of nothing but zeroes; whether it is one is known after a walk through it. So each aggregate
 * inside the object is walked twice: "unsure" first, when nothing is put out, and again if that has found something.
 */
#include "btf_internal.h"
#include "btf_show.h"

#define NAME_ROOM 79		/* characters of ".member = (type)" */
#define NAME_STEPS 10		/* from a type to what it is an array of, or a pointer to */
#define FAULT_STEPS 16		/* what a read that fails costs */
#define BASE_BYTES 16		/* no number is larger */
#define KINDS_SHOWN_INSIDE (KINDS_STRUCT | KIND_BIT(ARRAY))

/* ---- text ---- */

static void put(struct bc_btf_show *s, const char *text)
{
	s->ops->put(s->arg, text, strlen(text));
}

static void put_indent(struct bc_btf_show *s)
{
	static const char blanks[] = "                                ";

	s->ops->put(s->arg, blanks, s->flags & BTF_F_COMPACT ? 0 : min_t(u32, s->depth, sizeof(blanks) - 1));
}

static void put_end_of_line(struct bc_btf_show *s)
{
	bool compact = s->flags & BTF_F_COMPACT;

	if (s->depth)
		put(s, compact && s->type && bt_is(s->type, KIND_BIT(UNION)) ? "|" : ",");
	if (!compact)
		put(s, "\n");
}

/* Of a name, whose length is limited as a whole. */
static void put_part(struct bc_btf_show *s, u32 *room, const char *text)
{
	u32 len = min_t(u32, strlen(text), *room);

	s->ops->put(s->arg, text, len);
	*room -= len;
}

static const struct btf_type *past_qualifiers(const struct bc_btf *btf, u32 id)
{
	const struct btf_type *t = bc_btf_type(btf, id);
	int steps = 0;

	while (t && bt_is(t, KINDS_MODIFIER & ~KIND_BIT(TYPEDEF)) && steps++ < BTF_CHAIN_LIMIT)
		t = bc_btf_type(btf, t->type);
	return t;
}

/* What comes between member and value: "(struct path *)", "(int[][])[". Elements have no names, nor have members of structs that are elements. */
static void put_name(struct bc_btf_show *s)
{
	u32 room = NAME_ROOM, kinds = 0, stars = 0, dims = 0, steps, to;
	const struct btf_member *m = s->member;
	const char *name = NULL, *member = "", *keyword = "", *opening = "";
	const struct btf_type *t;

	t = s->in_array ? NULL : bc_btf_type(s->btf, m ? m->type : s->id);
	for (steps = 0; t && steps < NAME_STEPS; steps++) {
		kinds |= 1u << bt_kind(t);
		to = 0;
		if (bt_is(t, KIND_BIT(TYPEDEF))) {
			name = name ? name : bc_btf_name(s->btf, t->name_off);
			to = t->type;
		} else if (bt_is(t, KIND_BIT(ARRAY))) {
			dims++;
			to = bt_array_of(t)->type;
		} else if (bt_is(t, KIND_BIT(PTR))) {
			stars++;
			to = t->type;
		}
		if (!to)
			break;
		t = past_qualifiers(s->btf, to);
	}
	if (!t || steps == NAME_STEPS) {
		put(s, "");
		return;
	}
	if (!name)
		name = bc_btf_name(s->btf, t->name_off);
	if (bt_is(t, KINDS_STRUCT))
		keyword = bt_is(t, KIND_BIT(STRUCT)) ? "struct" : "union";
	else if (bt_is(t, KIND_BIT(ENUM) | KIND_BIT(ENUM64)))
		keyword = "enum";
	if (kinds & KIND_BIT(TYPEDEF))
		keyword = "";
	if (!stars)
		opening = dims ? "[" : bt_is(t, KINDS_STRUCT) ? "{" : "";

	if (!(s->flags & BTF_F_NONAME)) {
		if (m)
			member = bc_btf_name(s->btf, m->name_off);
		if (*member) {
			put_part(s, &room, ".");
			put_part(s, &room, member);
			put_part(s, &room, " = ");
		}
		put_part(s, &room, "(");
		put_part(s, &room, keyword);
		put_part(s, &room, *keyword && *name ? " " : "");
		put_part(s, &room, name);
		if (stars)
			put_part(s, &room, " ");
		while (stars--)
			put_part(s, &room, "*");
		while (dims--)
			put_part(s, &room, "[]");
		put_part(s, &room, ")");
	}
	put_part(s, &room, opening);
}

static void put_value(struct bc_btf_show *s, const char *text)
{
	put_indent(s);
	put_name(s);
	put(s, text);
	put_end_of_line(s);
}

/* Is there a value to put out now? */
static bool wanted(struct bc_btf_show *s, bool zero)
{
	if (zero && s->depth && !(s->flags & BTF_F_ZERO))
		return false;
	s->found = max(s->found, s->depth);
	return !s->search;
}

/* ---- memory ---- */

/*
 * A field that is elsewhere is read as a whole, and its parts are taken from there. Its address may be inside of another field's, so what
 * was read holds for its parts alone.
 */
static const u8 *read_elsewhere(struct bc_btf_show *s, u64 at, u32 size)
{
	if (s->field_size && s->depth > s->field_depth)
		return at - s->field_at <= s->field_size ? s->field + (at - s->field_at) : NULL;
	s->field_size = 0;
	if (!s->ops->field || !size || size > BC_SHOW_FIELD || !s->ops->field(s->arg, s->field, at, size))
		return NULL;
	s->field_at = at;
	s->field_size = size;
	s->field_depth = s->depth;
	return s->field;
}

/* Begins to show a type. Where its first bytes are now, NULL if they cannot be read. */
static const u8 *start(struct bc_btf_show *s, const struct btf_type *t, u32 id, u64 at)
{
	s64 size = t && !bt_is(t, KIND_BIT(DATASEC)) ? bc_btf_size(s->btf, id) : -EINVAL, left;
	u8 fresh[BC_SHOW_WINDOW];
	const u8 *p;

	s->type = t;
	s->id = id;
	if (size < 0) {
		s->status = size;
		return NULL;
	}
	if (!s->depth) {
		s->from = at;
		s->size = size;
	}
	p = read_elsewhere(s, at, size);
	if (p)
		return p;
	/* What ends where the window does is read anew, as in Linux. */
	if (s->depth && at >= s->copied && at + min_t(u32, size, BASE_BYTES) < s->copied + BC_SHOW_WINDOW)
		return s->window + (at - s->copied);
	left = min_t(s64, s->from + s->size - at, BC_SHOW_WINDOW);
	s->status = left < 0 ? -EFAULT : s->ops->read(s->arg, fresh, at, left);
	if (s->status) {
		s->steps -= min_t(u32, s->steps, FAULT_STEPS);
		return NULL;	/* The window stays as it was. In Linux it then has whatever was in a register. */
	}
	memcpy(s->window, fresh, left);
	s->copied = at;
	return s->window;
}

static void end(struct bc_btf_show *s)
{
	s->type = NULL;
	s->id = 0;
}

/* ---- values ---- */

static void show_wide(struct bc_btf_show *s, u64 low, u64 high)
{
	if (!wanted(s, !low && !high))
		return;
	if (high)
		scnprintf(s->text, sizeof(s->text), "0x%llx%016llx", high, low);
	else
		scnprintf(s->text, sizeof(s->text), "0x%llx", low);
	put_value(s, s->text);
}

/* @bits bits, the first at bit @skip (below 8) of *p: always unsigned and in hex. */
static void show_bits(struct bc_btf_show *s, const u8 *p, u32 skip, u32 bits)
{
	u64 part[2] = { 0, 0 };

	memcpy(part, p, min_t(u32, DIV_ROUND_UP(skip + bits, 8), sizeof(part)));
	if (skip) {
		part[0] = part[0] >> skip | part[1] << (64 - skip);
		part[1] >>= skip;
	}
	if (bits <= 64)
		part[1] = 0;
	else if (bits < 128)
		part[1] &= (1ULL << (bits - 64)) - 1;
	if (bits < 64)
		part[0] &= (1ULL << bits) - 1;
	show_wide(s, part[0], part[1]);
}

static void show_number(struct bc_btf_show *s, u64 value, bool is_signed)
{
	if (!wanted(s, !value))
		return;
	scnprintf(s->text, sizeof(s->text), is_signed ? "%lld" : "%llu", value);
	put_value(s, s->text);
}

/* As the kernel's isprint(), which knows Latin-1. */
static bool prints(u8 c)
{
	return (c >= ' ' && c < 0x7f) || c >= 0xa0;
}

/* An element of bytes that may be a string: true if that is all that there is to say. */
static bool show_char(struct bc_btf_show *s, u8 c)
{
	if (!c)
		s->terminated = true;
	if (s->terminated)
		return true;
	if (!prints(c))
		return false;
	if (wanted(s, false)) {
		scnprintf(s->text, sizeof(s->text), "'%c'", c);
		put_value(s, s->text);
	}
	return true;
}

static void show_int(struct bc_btf_show *s, const struct btf_type *t, const u8 *p, u32 skip)
{
	u32 data = bt_int_data(t), bits = BTF_INT_BITS(data), off = skip + BTF_INT_OFFSET(data);
	bool is_signed = BTF_INT_ENCODING(data) & BTF_INT_SIGNED;
	u64 value[2] = { 0, 0 };

	if (off || (bits != 8 && bits != 16 && bits != 32 && bits != 64 && bits != 128)) {
		show_bits(s, p + off / 8, off % 8, bits);
		return;
	}
	if (bits == 8 && s->encoding == BTF_INT_CHAR && show_char(s, *p))
		return;
	memcpy(value, p, bits / 8);
	if (bits == 128)
		show_wide(s, value[0], value[1]);
	else
		show_number(s, is_signed ? (u64)((s64)(value[0] << (64 - bits)) >> (64 - bits)) : value[0], is_signed);
}

static void show_pointer(struct bc_btf_show *s, const u8 *p)
{
	u64 value;

	memcpy(&value, p, sizeof(value));
	if (!wanted(s, !value))
		return;
	strcpy(s->text, "0x");
	/* NULL and errors are no secret */
	if ((s->flags & BTF_F_PTR_RAW) || !value || value >= (u64)-MAX_ERRNO)
		scnprintf(s->text + 2, sizeof(s->text) - 2, "%016llx", value);
	else
		s->ops->pointer(s->text + 2, sizeof(s->text) - 2, value);
	put_value(s, s->text);
}

/* A value that has a name is shown even where it is 0. */
static void show_enum_name(struct bc_btf_show *s, u32 name_off)
{
	if (wanted(s, false))
		put_value(s, name_off ? bc_btf_name(s->btf, name_off) : "(anon)");
}

static void show_enum(struct bc_btf_show *s, const struct btf_type *t, const u8 *p)
{
	const struct btf_enum *values = (const struct btf_enum *)(t + 1);
	u32 i;
	s32 v;

	/* four bytes even of smaller ones */
	memcpy(&v, p, sizeof(v));
	for (i = 0; i < bt_vlen(t); i++) {
		if (values[i].val == v) {
			show_enum_name(s, values[i].name_off);
			return;
		}
	}
	show_number(s, bt_kflag(t) ? (u64)(s64)v : (u32)v, bt_kflag(t));
}

static void show_enum64(struct bc_btf_show *s, const struct btf_type *t, const u8 *p)
{
	const struct btf_enum64 *values = (const struct btf_enum64 *)(t + 1);
	u64 v;
	u32 i;

	memcpy(&v, p, sizeof(v));
	for (i = 0; i < bt_vlen(t); i++) {
		if (((u64)values[i].val_hi32 << 32 | values[i].val_lo32) == v) {
			show_enum_name(s, values[i].name_off);
			return;
		}
	}
	show_number(s, v, bt_kflag(t));
}

/* ---- aggregates ---- */

static void give_up(struct bc_btf_show *s)
{
	s->status = -E2BIG;
	s->frame_cnt = 0;
}

/* False if it cannot be read. */
static bool begin(struct bc_btf_show *s, struct bc_show_frame *f)
{
	const struct btf_type *elem;
	u32 id;

	f->next = 0;
	if (bt_is(f->t, KIND_BIT(ARRAY))) {
		id = bt_array_of(f->t)->type;
		elem = bc_btf_skip_modifiers(s->btf, &id);
		s->encoding = 0;
		/* Compilers call no type CHAR: any bytes may be characters. */
		if (elem && bt_is(elem, KIND_BIT(INT)))
			s->encoding = elem->size == 1 ? BTF_INT_CHAR : BTF_INT_ENCODING(bt_int_data(elem));
		s->terminated = false;
	}
	if (!start(s, f->t, f->id, f->at))
		return false;
	if (!s->search) {
		put_indent(s);
		put_name(s);
		if (!(s->flags & BTF_F_COMPACT))
			put(s, "\n");
	}
	s->depth++;
	return true;
}

/* A walk through the innermost frame has ended, or could not begin. */
static void leave(struct bc_btf_show *s, struct bc_show_frame *f)
{
	if (f->unsure) {
		f->unsure = false;
		s->member = f->member;
		if (s->search == s->depth + 1) {
			s->search = 0;
			if (s->found > s->depth && begin(s, f))
				return;
		}
	}
	s->frame_cnt--;
}

static void close(struct bc_btf_show *s, struct bc_show_frame *f)
{
	bool array = bt_is(f->t, KIND_BIT(ARRAY));

	if (array) {
		s->encoding = 0;
		s->terminated = false;
	}
	s->depth--;
	if (!s->search) {
		put_indent(s);
		put(s, array ? "]" : "}");
		put_end_of_line(s);
	}
	end(s);
	leave(s, f);
}

static void enter(struct bc_btf_show *s, const struct btf_type *t, u32 id, u64 at, u8 bits)
{
	struct bc_show_frame *f = &s->frames[s->frame_cnt];

	if (s->frame_cnt == BC_SHOW_DEPTH) {
		give_up(s);
		return;
	}
	s->frame_cnt++;
	f->t = t;
	f->member = s->member;
	f->at = at;
	f->id = id;
	f->bits = bits;
	f->unsure = s->depth && !(s->flags & BTF_F_ZERO);
	if (f->unsure && !s->search) {
		s->search = s->depth + 1;
		s->found = 0;
	}
	if (!begin(s, f))
		leave(s, f);
}

/* What is at @at, @bits into the byte: a value is shown at once, an aggregate is entered. */
static void show(struct bc_btf_show *s, u32 id, u64 at, u8 bits)
{
	const struct btf_type *t = bc_btf_type(s->btf, id);
	const u8 *p;

	if (t && bt_is(t, KIND_BIT(VAR))) {
		id = t->type;
		t = bc_btf_skip_modifiers(s->btf, &id);
	} else {
		u32 bare = id;

		t = bc_btf_skip_modifiers(s->btf, &bare);
	}
	if (t && bt_is(t, KINDS_SHOWN_INSIDE)) {
		enter(s, t, id, at, bits);
		return;
	}
	if (!t || !bt_is(t, KIND_BIT(INT) | KIND_BIT(PTR) | KIND_BIT(ENUM) | KIND_BIT(ENUM64) | KIND_BIT(DATASEC))) {
		scnprintf(s->text, sizeof(s->text), "<unsupported kind:%u>", t ? bt_kind(t) : 0);
		if (!s->search)
			put(s, s->text);
		return;
	}
	/* A section has no size to read, so this is all that becomes of one. */
	p = start(s, t, id, at);
	if (!p)
		return;
	if (bt_is(t, KIND_BIT(INT)))
		show_int(s, t, p, bits);
	else if (bt_is(t, KIND_BIT(PTR)))
		show_pointer(s, p);
	else if (bt_is(t, KIND_BIT(ENUM)))
		show_enum(s, t, p);
	else
		show_enum64(s, t, p);
	end(s);
}

static void next_member(struct bc_btf_show *s, struct bc_show_frame *f)
{
	const struct btf_member *m = bt_members(f->t) + f->next;
	u32 off = bt_member_bit_off(f->t, m), bits = bt_member_bits(f->t, m);
	const u8 *p;

	s->member = NULL;
	if (f->next == bt_vlen(f->t)) {
		close(s, f);
		return;
	}
	f->next++;
	s->member = m;
	if (!bits) {
		show(s, m->type, f->at + off / 8, off % 8);
		return;
	}
	p = start(s, bc_btf_type(s->btf, m->type), m->type, f->at + off / 8);
	if (p)
		show_bits(s, p, off % 8, bits);
	end(s);
}

static void next_element(struct bc_btf_show *s, struct bc_show_frame *f)
{
	const struct btf_array *array = bt_array_of(f->t);
	u32 id = array->type, nr = f->next;
	const struct btf_type *elem;

	if (nr) {
		s->in_array = false;
		s->member = NULL;
	}
	elem = bc_btf_skip_modifiers(s->btf, &id);
	if (nr == array->nelems || (nr && s->terminated) || !elem) {
		close(s, f);
		return;
	}
	f->next++;
	s->in_array = true;
	s->member = NULL;
	/* Linux knows no size of pointers and arrays here: the first of them is shown again and again. */
	show(s, array->type, f->at + (bt_is(elem, KINDS_OWN_SIZE) ? (u64)nr * elem->size : 0), f->bits);
}

/* How long one step may take: an enum's names are gone through. */
static u32 cost(const struct bc_btf_show *s, u32 id)
{
	const struct btf_type *t = bc_btf_skip_modifiers(s->btf, &id);

	return t && bt_is(t, KIND_BIT(ENUM) | KIND_BIT(ENUM64)) ? 1 + bt_vlen(t) / 16 : 1;
}

int bc_btf_show(struct bc_btf_show *s, const struct bc_btf *btf, u32 id, u64 addr, u64 flags, const struct bc_show_ops *ops, void *arg)
{
	memset(s, 0, offsetof(struct bc_btf_show, frames));
	s->btf = btf;
	s->ops = ops;
	s->arg = arg;
	s->flags = flags;
	s->steps = BC_SHOW_STEPS;
	show(s, id, addr, 0);
	while (s->frame_cnt) {
		struct bc_show_frame *f = &s->frames[s->frame_cnt - 1];
		bool array = bt_is(f->t, KIND_BIT(ARRAY));
		u32 price = 1;

		if (array)
			price = cost(s, bt_array_of(f->t)->type);
		else if (f->next < bt_vlen(f->t))
			price = cost(s, bt_members(f->t)[f->next].type);
		if (s->steps < price) {
			give_up(s);
			break;
		}
		s->steps -= price;
		if (array)
			next_element(s, f);
		else
			next_member(s, f);
	}
	return s->status;
}

int bc_btf_show_check(const struct bc_btf *btf, const struct btf_ptr *ptr, u32 ptr_size, u64 flags)
{
	if (flags & ~(u64)BC_SHOW_FLAGS || ptr_size != sizeof(*ptr) || !btf || !ptr->type_id)
		return -EINVAL;
	return bc_btf_type(btf, ptr->type_id) ? 0 : -ENOENT;
}
