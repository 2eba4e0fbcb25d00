/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Members of structs by name.
 */
#include "btf_internal.h"

#define MAX_NESTING 8	/* of anonymous structs and unions; C has no need of more */

struct level {
	const struct btf_type *t;
	u32 nr, off;
};

/* Goes through @t and the anonymous structs and unions in it, in order. */
static s64 find_member(const struct bc_btf *btf, const struct btf_type *t, const char *name, u32 *type_id)
{
	struct level path[MAX_NESTING] = { { .t = t } }, *at = path;
	const struct btf_member *m;
	const char *member;
	u32 id, off;

	for (;;) {
		if (at->nr == bt_vlen(at->t)) {
			if (at == path)
				return -ENOENT;
			at--;
			continue;
		}
		m = bt_members(at->t) + at->nr++;
		member = bc_btf_name(btf, m->name_off);
		off = at->off + bt_member_bit_off(at->t, m) / 8;
		if (*member) {
			if (strcmp(member, name) || bt_member_bits(at->t, m))
				continue;
			*type_id = m->type;
			return off;
		}
		id = m->type;
		t = bc_btf_skip_modifiers(btf, &id);
		if (!t || !bt_is(t, KINDS_STRUCT) || at == path + MAX_NESTING - 1)
			continue;
		at++;
		at->t = t;
		at->nr = 0;
		at->off = off;
	}
}

s64 bc_btf_member(const struct bc_btf *btf, u32 id, const char *path, u32 *type_id)
{
	const struct btf_type *t;
	char name[64];
	s64 off = 0, at;
	u32 len;

	for (;;) {
		for (len = 0; path[len] && path[len] != '.'; len++)
			;
		if (len >= sizeof(name))
			return -EINVAL;
		memcpy(name, path, len);
		name[len] = '\0';
		t = bc_btf_skip_modifiers(btf, &id);
		if (!t || !bt_is(t, KINDS_STRUCT))
			return -ENOENT;
		at = find_member(btf, t, name, &id);
		if (at < 0)
			return at;
		off += at;
		if (!path[len])
			break;
		path += len + 1;
	}
	*type_id = id;
	return off;
}
