/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Validation of a BTF blob (format: Linux Documentation/bpf/btf.rst). Accepts and refuses what Linux 6.1's BPF_BTF_LOAD does, with its errno and
 * messages: first the header and sections, then each type by itself (a table of rules a kind), then how types refer to each other.
 */
#include "btf_internal.h"

/* ---- messages ---- */

static void vsay(struct bc_btf_check *c, const char *fmt, va_list ap)
{
	if (c->log)
		c->log->print(c->log->arg, fmt, ap);
}

static __attribute__((format(printf, 2, 3))) void say(struct bc_btf_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, fmt, ap);
	va_end(ap);
}

/* A message that ends the check. */
int bc_btf_refuse(struct bc_btf_check *c, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsay(c, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static const char *name_of(struct bc_btf_check *c, u32 off)
{
	if (!off)
		return "(anon)";
	return off < c->btf->strings_len ? c->btf->strings + off : "(invalid-name-offset)";
}

static const char *encoding_name(u32 encoding)
{
	switch (encoding) {
	case 0:
		return "(none)";
	case BTF_INT_SIGNED:
		return "SIGNED";
	case BTF_INT_CHAR:
		return "CHAR";
	case BTF_INT_BOOL:
		return "BOOL";
	default:
		return "UNKN";
	}
}

static void say_params(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_param *p = bt_params(t);
	u32 i, n = bt_vlen(t);

	say(c, "return=%u args=(", t->type);
	if (!n)
		say(c, "void");
	for (i = 0; i < n; i++) {
		if (i)
			say(c, ", ");
		/* type 0 closes the list of a variadic function */
		if (i + 1 == n && !p[i].type)
			say(c, "vararg");
		else
			say(c, "%u %s", p[i].type, name_of(c, p[i].name_off));
	}
	say(c, ")");
}

static void say_details(struct bc_btf_check *c, const struct btf_type *t)
{
	switch (bt_kind(t)) {
	case BTF_KIND_INT:
		say(c, "size=%u bits_offset=%u nr_bits=%u encoding=%s", t->size, BTF_INT_OFFSET(bt_int_data(t)),
		    BTF_INT_BITS(bt_int_data(t)), encoding_name(BTF_INT_ENCODING(bt_int_data(t))));
		break;
	case BTF_KIND_ARRAY:
		say(c, "type_id=%u index_type_id=%u nr_elems=%u", bt_array_of(t)->type, bt_array_of(t)->index_type,
		    bt_array_of(t)->nelems);
		break;
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
	case BTF_KIND_DATASEC:
		say(c, "size=%u vlen=%u", t->size, bt_vlen(t));
		break;
	case BTF_KIND_FWD:
		say(c, "%s", bt_kflag(t) ? "union" : "struct");
		break;
	case BTF_KIND_FUNC_PROTO:
		say_params(c, t);
		break;
	case BTF_KIND_VAR:
		say(c, "type_id=%u linkage=%u", t->type, ((const struct btf_var *)(t + 1))->linkage);
		break;
	case BTF_KIND_FLOAT:
		say(c, "size=%u", t->size);
		break;
	case BTF_KIND_DECL_TAG:
		say(c, "type=%u component_idx=%d", t->type, ((const struct btf_decl_tag *)(t + 1))->component_idx);
		break;
	default:
		say(c, "type_id=%u", t->type);
		break;
	}
}

/* "[id] KIND name details message". */
static void say_type(struct bc_btf_check *c, const struct btf_type *t, bool details)
{
	say(c, "[%u] %s %s%s", c->log_id, bc_btf_kind_name(t), name_of(c, t->name_off), details ? " " : "");
	if (details)
		say_details(c, t);
}

static void dump_type(struct bc_btf_check *c, const struct btf_type *t)
{
	if (!c->log)
		return;
	say_type(c, t, true);
	say(c, "\n");
}

int bc_btf_bad_type(struct bc_btf_check *c, const struct btf_type *t, const char *why)
{
	say_type(c, t, true);
	return bc_btf_refuse(c, " %s\n", why);
}

int bc_btf_bad_arg(struct bc_btf_check *c, const struct btf_type *t, u32 nr)
{
	say_type(c, t, true);
	return bc_btf_refuse(c, " Invalid arg#%u\n", nr);
}

static void say_member(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m)
{
	if (c->linking)
		dump_type(c, t);
	if (bt_kflag(t))
		say(c, "\t%s type_id=%u bitfield_size=%u bits_offset=%u", name_of(c, m->name_off), m->type,
		    BTF_MEMBER_BITFIELD_SIZE(m->offset), BTF_MEMBER_BIT_OFFSET(m->offset));
	else
		say(c, "\t%s type_id=%u bits_offset=%u", name_of(c, m->name_off), m->type, m->offset);
}

int bc_btf_bad_member(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m, const char *why)
{
	say_member(c, t, m);
	return bc_btf_refuse(c, " %s\n", why);
}

static void say_secinfo(struct bc_btf_check *c, const struct btf_type *t, const struct btf_var_secinfo *v)
{
	if (c->linking)
		dump_type(c, t);
	say(c, "\t type_id=%u offset=%u size=%u", v->type, v->offset, v->size);
}

int bc_btf_bad_secinfo(struct bc_btf_check *c, const struct btf_type *t, const struct btf_var_secinfo *v, const char *why)
{
	say_secinfo(c, t, v);
	return bc_btf_refuse(c, " %s\n", why);
}

/* ---- header and sections ---- */

static int check_sections(struct bc_btf_check *c)
{
	const struct btf_header *h = &c->hdr;
	u32 want = c->btf->size - h->hdr_len, at = 0, i;
	u32 off[2], len[2];
	bool types_first = h->type_off < h->str_off || (h->type_off == h->str_off && h->type_len <= h->str_len);

	off[!types_first] = h->type_off;
	len[!types_first] = h->type_len;
	off[types_first] = h->str_off;
	len[types_first] = h->str_len;
	for (i = 0; i < 2; i++) {
		if (want < off[i])
			return bc_btf_refuse(c, "Invalid section offset");
		if (at < off[i])
			return bc_btf_refuse(c, "Unsupported section found");
		if (at > off[i])
			return bc_btf_refuse(c, "Section overlap found");
		if (want - at < len[i])
			return bc_btf_refuse(c, "Total section length too long");
		at += len[i];
	}
	if (want != at)
		return bc_btf_refuse(c, "Unsupported section found");
	return 0;
}

static int check_header(struct bc_btf_check *c)
{
	struct btf_header *h = &c->hdr;
	struct bc_btf *btf = c->btf;
	u32 hdr_len, i;

	if (btf->size < offsetof(struct btf_header, hdr_len) + sizeof(h->hdr_len))
		return bc_btf_refuse(c, "hdr_len not found");
	memcpy(&hdr_len, btf->data + offsetof(struct btf_header, hdr_len), sizeof(hdr_len));
	if (btf->size < hdr_len)
		return bc_btf_refuse(c, "btf_header not found");
	for (i = sizeof(*h); i < hdr_len; i++) {
		if (btf->data[i]) {
			bc_btf_refuse(c, "Unsupported btf_header");
			return -E2BIG;
		}
	}
	memcpy(h, btf->data, hdr_len < sizeof(*h) ? hdr_len : sizeof(*h));
	say(c, "magic: 0x%x\nversion: %u\nflags: 0x%x\nhdr_len: %u\n", h->magic, h->version, h->flags, h->hdr_len);
	say(c, "type_off: %u\ntype_len: %u\nstr_off: %u\nstr_len: %u\nbtf_total_size: %u\n", h->type_off, h->type_len, h->str_off,
	    h->str_len, btf->size);
	if (h->magic != BTF_MAGIC)
		return bc_btf_refuse(c, "Invalid magic");
	if (h->version != BTF_VERSION) {
		bc_btf_refuse(c, "Unsupported version");
		return -ENOTSUPP;
	}
	if (h->flags) {
		bc_btf_refuse(c, "Unsupported flags");
		return -ENOTSUPP;
	}
	if (btf->size == h->hdr_len)
		return bc_btf_refuse(c, "No data");
	return check_sections(c);
}

static int check_strings(struct bc_btf_check *c)
{
	const struct btf_header *h = &c->hdr;
	const char *s = (const char *)c->btf->data + h->hdr_len + h->str_off;

	if (h->hdr_len + h->str_off + h->str_len != c->btf->size)
		return bc_btf_refuse(c, "String section is not at the end");
	if (!h->str_len || h->str_len - 1 > BTF_MAX_NAME_OFFSET || s[h->str_len - 1] || s[0])
		return bc_btf_refuse(c, "Invalid string section");
	c->btf->strings = s;
	c->btf->strings_len = h->str_len;
	return 0;
}

/* ---- names ---- */

bool bc_btf_name_off_ok(struct bc_btf_check *c, u32 off)
{
	return off <= BTF_MAX_NAME_OFFSET && off < c->btf->strings_len;
}

static bool name_char_ok(char ch, bool first)
{
	if ((ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z') || ch == '_' || ch == '.')
		return true;
	return !first && ch >= '0' && ch <= '9';
}

/* An identifier; sections' names are held to the same rule. */
bool bc_btf_ident_ok(struct bc_btf_check *c, u32 off)
{
	const char *s = c->btf->strings + off;
	u32 i;

	for (i = 0; s[i] || !i; i++) {
		if (i == 512 || !name_char_ok(s[i], !i))	/* Linux: KSYM_NAME_LEN */
			return false;
	}
	return true;
}

static bool optional_ident_ok(struct bc_btf_check *c, u32 off)
{
	return !off || bc_btf_ident_ok(c, off);
}

/* ---- each type by itself ---- */

enum name_rule { NAME_FREE, NAME_NONE, NAME_IDENT, NAME_OPTIONAL, NAME_TEXT };

struct kind_rule {
	u8 tail;		/* bytes behind struct btf_type */
	u8 item;		/* and bytes for each of vlen */
	u8 name;
	bool has_vlen;
	bool may_kflag;
	bool refers;		/* .type is a type id, to be in range */
};

static const struct kind_rule kind_rules[NR_BTF_KINDS] = {
	[BTF_KIND_INT] = { .tail = sizeof(u32) },
	[BTF_KIND_PTR] = { .name = NAME_NONE, .refers = true },
	[BTF_KIND_ARRAY] = { .tail = sizeof(struct btf_array), .name = NAME_NONE },
	[BTF_KIND_STRUCT] = { .item = sizeof(struct btf_member), .name = NAME_OPTIONAL, .has_vlen = true, .may_kflag = true },
	[BTF_KIND_UNION] = { .item = sizeof(struct btf_member), .name = NAME_OPTIONAL, .has_vlen = true, .may_kflag = true },
	[BTF_KIND_ENUM] = { .item = sizeof(struct btf_enum), .name = NAME_OPTIONAL, .has_vlen = true, .may_kflag = true },
	[BTF_KIND_FWD] = { .name = NAME_IDENT, .may_kflag = true },
	[BTF_KIND_TYPEDEF] = { .name = NAME_IDENT, .refers = true },
	[BTF_KIND_VOLATILE] = { .name = NAME_NONE, .refers = true },
	[BTF_KIND_CONST] = { .name = NAME_NONE, .refers = true },
	[BTF_KIND_RESTRICT] = { .name = NAME_NONE, .refers = true },
	[BTF_KIND_FUNC] = { .name = NAME_IDENT, .has_vlen = true },
	[BTF_KIND_FUNC_PROTO] = { .item = sizeof(struct btf_param), .name = NAME_NONE, .has_vlen = true },
	[BTF_KIND_VAR] = { .tail = sizeof(struct btf_var), .name = NAME_IDENT },
	[BTF_KIND_DATASEC] = { .item = sizeof(struct btf_var_secinfo), .name = NAME_IDENT, .has_vlen = true },
	[BTF_KIND_FLOAT] = { .name = NAME_FREE },
	[BTF_KIND_DECL_TAG] = { .tail = sizeof(struct btf_decl_tag), .name = NAME_TEXT },
	[BTF_KIND_TYPE_TAG] = { .name = NAME_TEXT, .refers = true },
	[BTF_KIND_ENUM64] = { .item = sizeof(struct btf_enum64), .name = NAME_OPTIONAL, .has_vlen = true, .may_kflag = true },
};

static bool name_ok(struct bc_btf_check *c, const struct btf_type *t, u8 rule)
{
	switch (rule) {
	case NAME_NONE:
		return !t->name_off;
	case NAME_IDENT:
		return t->name_off && bc_btf_ident_ok(c, t->name_off);
	case NAME_OPTIONAL:
		return optional_ident_ok(c, t->name_off);
	case NAME_TEXT:
		return c->btf->strings[t->name_off] != '\0';
	default:
		return true;
	}
}

static int check_int(struct bc_btf_check *c, const struct btf_type *t)
{
	u32 data = bt_int_data(t), bits, encoding = BTF_INT_ENCODING(data);

	if (data & 0xf0000000) {
		say_type(c, t, false);
		return bc_btf_refuse(c, " Invalid int_data:%x\n", data);
	}
	bits = BTF_INT_BITS(data) + BTF_INT_OFFSET(data);
	if (bits > 128)
		return bc_btf_bad_type(c, t, "nr_bits exceeds 128");
	if ((bits + 7) / 8 > t->size)
		return bc_btf_bad_type(c, t, "nr_bits exceeds type_size");
	if (encoding & (encoding - 1) || encoding > BTF_INT_BOOL) {
		bc_btf_bad_type(c, t, "Unsupported encoding");
		return -ENOTSUPP;
	}
	return 0;
}

static bool id_in_range(u32 id)
{
	return id && id <= BTF_MAX_TYPE;
}

static int check_members(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_member *m = bt_members(t);
	u32 i, off, last = 0;

	for (i = 0; i < bt_vlen(t); i++, m++) {
		if (!bc_btf_name_off_ok(c, m->name_off)) {
			say_member(c, t, m);
			return bc_btf_refuse(c, " Invalid member name_offset:%u\n", m->name_off);
		}
		if (!optional_ident_ok(c, m->name_off))
			return bc_btf_bad_member(c, t, m, "Invalid name");
		if (!id_in_range(m->type))
			return bc_btf_bad_member(c, t, m, "Invalid type_id");
		off = bt_member_bit_off(t, m);
		if ((bt_kind(t) == BTF_KIND_UNION && off) || off < last)
			return bc_btf_bad_member(c, t, m, "Invalid member bits_offset");
		if (off / 8 + !!(off % 8) > t->size)
			return bc_btf_bad_member(c, t, m, "Member bits_offset exceeds its struct size");
		if (c->log) {
			say_member(c, t, m);
			say(c, "\n");
		}
		last = off;
	}
	return 0;
}

static int check_enumerators(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_enum *e32 = (const struct btf_enum *)(t + 1);
	const struct btf_enum64 *e64 = (const struct btf_enum64 *)(t + 1);
	bool wide = bt_kind(t) == BTF_KIND_ENUM64;
	u32 i, name;
	u64 value;

	for (i = 0; i < bt_vlen(t); i++) {
		name = wide ? e64[i].name_off : e32[i].name_off;
		if (!bc_btf_name_off_ok(c, name))
			return bc_btf_refuse(c, "\tInvalid name_offset:%u", name);
		if (!name || !bc_btf_ident_ok(c, name))
			return bc_btf_bad_type(c, t, "Invalid name");
		if (!c->log)
			continue;
		if (wide) {
			value = e64[i].val_lo32 | (u64)e64[i].val_hi32 << 32;
			if (bt_kflag(t))
				say(c, "\t%s val=%lld\n", name_of(c, name), (long long)value);
			else
				say(c, "\t%s val=%llu\n", name_of(c, name), (unsigned long long)value);
		} else if (bt_kflag(t)) {
			say(c, "\t%s val=%d\n", name_of(c, name), e32[i].val);
		} else {
			say(c, "\t%s val=%u\n", name_of(c, name), (u32)e32[i].val);
		}
	}
	return 0;
}

static int check_secinfos(struct bc_btf_check *c, const struct btf_type *t)
{
	const struct btf_var_secinfo *v = bt_secinfos(t);
	u64 end = 0;
	u32 i;

	for (i = 0; i < bt_vlen(t); i++, v++) {
		if (!id_in_range(v->type))
			return bc_btf_bad_secinfo(c, t, v, "Invalid type_id");
		if (v->offset < end || v->offset >= t->size)
			return bc_btf_bad_secinfo(c, t, v, "Invalid offset");
		if (!v->size || v->size > t->size)
			return bc_btf_bad_secinfo(c, t, v, "Invalid size");
		end = (u64)v->offset + v->size;
		if (end > t->size)
			return bc_btf_bad_secinfo(c, t, v, "Invalid offset+size");
		if (c->log) {
			say_secinfo(c, t, v);
			say(c, "\n");
		}
	}
	return 0;
}

/* What a kind demands of its own numbers, before the type is dumped. */
static int check_numbers(struct bc_btf_check *c, const struct btf_type *t)
{
	switch (bt_kind(t)) {
	case BTF_KIND_INT:
		return check_int(c, t);
	case BTF_KIND_ARRAY:
		if (t->size)
			return bc_btf_bad_type(c, t, "size != 0");
		if (!id_in_range(bt_array_of(t)->type))
			return bc_btf_bad_type(c, t, "Invalid elem");
		if (!id_in_range(bt_array_of(t)->index_type))
			return bc_btf_bad_type(c, t, "Invalid index");
		return 0;
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		if (t->size > 8 || !t->size || t->size & (t->size - 1))
			return bc_btf_bad_type(c, t, "Unexpected size");
		return 0;
	case BTF_KIND_FWD:
		return t->type ? bc_btf_bad_type(c, t, "type != 0") : 0;
	case BTF_KIND_FUNC:
		return bt_vlen(t) > BTF_FUNC_GLOBAL ? bc_btf_bad_type(c, t, "Invalid func linkage") : 0;
	case BTF_KIND_VAR:
		if (!id_in_range(t->type))
			return bc_btf_bad_type(c, t, "Invalid type_id");
		if (((const struct btf_var *)(t + 1))->linkage > BTF_VAR_GLOBAL_ALLOCATED)
			return bc_btf_bad_type(c, t, "Linkage not supported");
		return 0;
	case BTF_KIND_DATASEC:
		return t->size ? 0 : bc_btf_bad_type(c, t, "size == 0");
	case BTF_KIND_FLOAT:
		if (t->size != 2 && t->size != 4 && t->size != 8 && t->size != 12 && t->size != 16)
			return bc_btf_bad_type(c, t, "Invalid type_size");
		return 0;
	case BTF_KIND_DECL_TAG:
		if (((const struct btf_decl_tag *)(t + 1))->component_idx < -1)
			return bc_btf_bad_type(c, t, "Invalid component_idx");
		return 0;
	default:
		return 0;
	}
}

/* Bytes that the type takes, or an errno. */
static s32 check_one(struct bc_btf_check *c, const struct btf_type *t, u32 left)
{
	const struct kind_rule *rule;
	u32 need;
	int err;

	if (left < sizeof(*t))
		return bc_btf_refuse(c, "[%u] meta_left:%u meta_needed:%zu", c->log_id, left, sizeof(*t));
	if (t->info & ~0x9f00ffffu)
		return bc_btf_refuse(c, "[%u] Invalid btf_info:%x", c->log_id, t->info);
	if (bt_kind(t) > BTF_KIND_MAX || bt_kind(t) == BTF_KIND_UNKN)
		return bc_btf_refuse(c, "[%u] Invalid kind:%u", c->log_id, bt_kind(t));
	if (!bc_btf_name_off_ok(c, t->name_off))
		return bc_btf_refuse(c, "[%u] Invalid name_offset:%u", c->log_id, t->name_off);

	rule = &kind_rules[bt_kind(t)];
	left -= sizeof(*t);
	need = rule->tail + rule->item * (rule->has_vlen ? bt_vlen(t) : 0);
	if (left < need) {
		say_type(c, t, false);
		return bc_btf_refuse(c, " meta_left:%u meta_needed:%u\n", left, need);
	}
	if (!rule->has_vlen && bt_vlen(t))
		return bc_btf_bad_type(c, t, "vlen != 0");
	/* Kernels after 6.1 set it on tags in their own BTF. */
	if (!rule->may_kflag && bt_kflag(t) && !c->btf->kernel)
		return bc_btf_bad_type(c, t, "Invalid btf_info kind_flag");
	if (rule->refers && t->type > BTF_MAX_TYPE)
		return bc_btf_bad_type(c, t, "Invalid type_id");
	if (!name_ok(c, t, rule->name))
		return bc_btf_bad_type(c, t, bt_kind(t) == BTF_KIND_DECL_TAG ? "Invalid value" : "Invalid name");
	err = check_numbers(c, t);
	if (err)
		return err;
	dump_type(c, t);
	if (bt_is(t, KINDS_STRUCT))
		err = check_members(c, t);
	else if (bt_is(t, KIND_BIT(ENUM) | KIND_BIT(ENUM64)))
		err = check_enumerators(c, t);
	else if (bt_is(t, KIND_BIT(DATASEC)))
		err = check_secinfos(c, t);
	return err ? err : (s32)(sizeof(*t) + need);
}

static int check_types(struct bc_btf_check *c)
{
	const u8 *cur = c->btf->data + c->hdr.hdr_len + c->hdr.type_off;
	const u8 *end = cur + c->hdr.type_len;
	u32 room = 0;
	s32 used;
	int err;

	if (c->hdr.type_off & 3)
		return bc_btf_refuse(c, "Unaligned type_off");
	if (!c->hdr.type_len)
		return bc_btf_refuse(c, "No type found");
	for (c->log_id = 1; cur < end; c->log_id++) {
		used = check_one(c, (const struct btf_type *)cur, end - cur);
		if (used < 0)
			return used;
		err = bc_btf_add_type(c->btf, (const struct btf_type *)cur, &room);
		if (err == -E2BIG)
			bc_btf_refuse(c, "Exceeded max num of types");
		if (err)
			return err;
		cur += used;
		if (!(c->log_id & 0x3ff))
			port_poll();
	}
	return 0;
}

int bc_btf_check(struct bc_btf *btf, const struct bc_btf_log *log)
{
	struct bc_btf_check *c = port_zalloc(sizeof(*c));
	int err;

	if (!c)
		return -ENOMEM;
	c->btf = btf;
	c->log = log;
	err = check_header(c);
	if (!err)
		err = check_strings(c);
	if (!err)
		err = check_types(c);
	/* The kernel's own BTF comes from its build; look-ups in it bear loops. */
	if (!err && btf->kernel)
		err = bc_btf_check_ids(c);
	if (!err && !btf->kernel) {
		c->state = port_zalloc(btf->type_cnt);
		c->final = port_zalloc(btf->type_cnt * sizeof(u32));
		c->bytes = port_zalloc(btf->type_cnt * sizeof(u32));
		err = c->state && c->final && c->bytes ? bc_btf_link(c) : -ENOMEM;
		port_free(c->bytes);
		port_free(c->final);
		port_free(c->state);
	}
	if (!err)
		btf->hdr = (const struct btf_header *)btf->data;
	port_free(c);
	return err;
}
