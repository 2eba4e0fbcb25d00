/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files on BTF share: views of a type's trailing data, predicates on kinds, and the entry of the validation.
 */
#ifndef BPFCOMPAT_BTF_INTERNAL_H
#define BPFCOMPAT_BTF_INTERNAL_H

#include "btf.h"

#define BTF_MAX_BYTES		(16 * 1024 * 1024)	/* of a blob; Linux: BTF_MAX_SIZE */
#define BTF_MAX_DEPTH		32			/* nesting of types; Linux: MAX_RESOLVE_DEPTH */
#define BTF_CHAIN_LIMIT		64			/* steps through modifiers: more than any valid blob has */

#define KIND_BIT(k)		(1u << BTF_KIND_##k)
#define KINDS_MODIFIER		(KIND_BIT(TYPEDEF) | KIND_BIT(VOLATILE) | KIND_BIT(CONST) | KIND_BIT(RESTRICT) | KIND_BIT(TYPE_TAG))
#define KINDS_STRUCT		(KIND_BIT(STRUCT) | KIND_BIT(UNION))
#define KINDS_OWN_SIZE		(KIND_BIT(INT) | KINDS_STRUCT | KIND_BIT(ENUM) | KIND_BIT(ENUM64) | KIND_BIT(FLOAT) | KIND_BIT(DATASEC))
#define KINDS_NO_SIZE		(KIND_BIT(UNKN) | KIND_BIT(FWD) | KIND_BIT(FUNC) | KIND_BIT(FUNC_PROTO))
/* Nothing but the type section itself (or a section) may point to these. */
#define KINDS_TOP_ONLY		(KIND_BIT(VAR) | KIND_BIT(DECL_TAG) | KIND_BIT(DATASEC))

static inline u32 bt_kind(const struct btf_type *t)
{
	return BTF_INFO_KIND(t->info);
}

static inline bool bt_is(const struct btf_type *t, u32 kinds)
{
	return kinds & (1u << bt_kind(t));
}

static inline u32 bt_vlen(const struct btf_type *t)
{
	return BTF_INFO_VLEN(t->info);
}

static inline bool bt_kflag(const struct btf_type *t)
{
	return BTF_INFO_KFLAG(t->info);
}

static inline u32 bt_int_data(const struct btf_type *t)
{
	return *(const u32 *)(t + 1);
}

static inline const struct btf_array *bt_array_of(const struct btf_type *t)
{
	return (const struct btf_array *)(t + 1);
}

static inline const struct btf_member *bt_members(const struct btf_type *t)
{
	return (const struct btf_member *)(t + 1);
}

static inline const struct btf_param *bt_params(const struct btf_type *t)
{
	return (const struct btf_param *)(t + 1);
}

static inline const struct btf_var_secinfo *bt_secinfos(const struct btf_type *t)
{
	return (const struct btf_var_secinfo *)(t + 1);
}

static inline u32 bt_member_bit_off(const struct btf_type *t, const struct btf_member *m)
{
	return bt_kflag(t) ? BTF_MEMBER_BIT_OFFSET(m->offset) : m->offset;
}

static inline u32 bt_member_bits(const struct btf_type *t, const struct btf_member *m)
{
	return bt_kflag(t) ? BTF_MEMBER_BITFIELD_SIZE(m->offset) : 0;
}

enum bc_btf_mode { MODE_OPEN, MODE_PTR, MODE_AGGREGATE };

struct bc_btf_step {
	u32 id;
	u32 edge;		/* next reference of this type to look at */
};

/* One validation at work. */
struct bc_btf_check {
	struct bc_btf *btf;
	const struct bc_btf_log *log;
	struct btf_header hdr;
	u32 log_id;		/* type that messages are about */
	bool linking;		/* second phase: types have been dumped already */

	u8 *state;		/* by type id: SEEN, DONE */
	u32 *final;		/* modifiers and variables, when done: what they come down to */
	u32 *bytes;		/* arrays, when done: size */
	u32 depth;
	enum bc_btf_mode mode;
	struct bc_btf_step path[BTF_MAX_DEPTH];
};

/* btf_check.c: fills types, type_cnt, hdr, strings out of data and size. */
int bc_btf_check(struct bc_btf *btf, const struct bc_btf_log *log);
/* The messages that end a check: each returns -EINVAL. */
int bc_btf_refuse(struct bc_btf_check *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
int bc_btf_bad_type(struct bc_btf_check *c, const struct btf_type *t, const char *why);
int bc_btf_bad_arg(struct bc_btf_check *c, const struct btf_type *t, u32 nr);
int bc_btf_bad_member(struct bc_btf_check *c, const struct btf_type *t, const struct btf_member *m, const char *why);
int bc_btf_bad_secinfo(struct bc_btf_check *c, const struct btf_type *t, const struct btf_var_secinfo *v, const char *why);
bool bc_btf_name_off_ok(struct bc_btf_check *c, u32 off);
bool bc_btf_ident_ok(struct bc_btf_check *c, u32 off);
/* btf_link.c: the references of all types, once each type was found good by itself. */
int bc_btf_link(struct bc_btf_check *c);
/* ... alone that they are to types which there are, as look-ups take for granted. */
int bc_btf_check_ids(struct bc_btf_check *c);
/* btf.c: makes room for one more type. */
int bc_btf_add_type(struct bc_btf *btf, const struct btf_type *t, u32 *room);

#endif
