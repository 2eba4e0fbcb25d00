/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * BTF: a validated blob and the look-ups in it that verifier, module and user-space library share.
 * Source: Linux Documentation/bpf/btf.rst.
 */
#ifndef BPFCOMPAT_BTF_H
#define BPFCOMPAT_BTF_H

#include "port.h"

struct bc_btf_log {		/* where validation writes its messages; NULL for none */
	void (*print)(void *arg, const char *fmt, va_list ap);
	void *arg;
};

struct bc_btf {
	u8 *data;		/* the blob as given, owned */
	u32 size;		/* bytes */
	const struct btf_header *hdr;
	const char *strings;
	u32 strings_len;
	const struct btf_type **types;	/* by type id; [0] is void */
	u32 type_cnt;		/* with void */
	bool kernel;		/* describes the kernel (trusted) */
	/* name index, made for the kernel's BTF only: sorted by (kind, name) */
	u32 *by_name;
	char name[BPF_OBJ_NAME_LEN];
	void *host;		/* the loader's own (struct bc_object) */
};

/*
 * Checks @data (size bytes; taken over on success, left to the caller on failure) and indexes it. Messages and errno as Linux's
 * BPF_BTF_LOAD: -EINVAL, -E2BIG, -EMSGSIZE, -ENOTSUPP, -ENOMEM.
 */
struct bc_btf *bc_btf_parse(u8 *data, u32 size, bool kernel, const struct bc_btf_log *log);
void bc_btf_free(struct bc_btf *btf);

const struct btf_type *bc_btf_type(const struct bc_btf *btf, u32 id);		/* NULL past the end */
const char *bc_btf_name(const struct bc_btf *btf, u32 name_off);		/* "" when anonymous or bad */
const char *bc_btf_kind_name(const struct btf_type *t);				/* of its kind, as Linux prints it */
/* Type id of that kind and name, or -ENOENT. */
s32 bc_btf_find(const struct bc_btf *btf, const char *name, u32 kind);
/* Follows typedef and the modifiers; *id is updated. */
const struct btf_type *bc_btf_skip_modifiers(const struct bc_btf *btf, u32 *id);
/* Size in bytes of a type that has one, or -EINVAL. */
s64 bc_btf_size(const struct bc_btf *btf, u32 id);

/*
 * The byte at which a member of a struct lies, and its type; -ENOENT. @path may lead on into members that are structs ("refcnt.counter") and
 * through anonymous ones; bit-fields are not found.
 */
s64 bc_btf_member(const struct bc_btf *btf, u32 id, const char *path, u32 *type_id);

/* What the value type of a map holds that the verifier guards. Offsets in bytes, -1 (ENOENT) when absent, other errno when malformed. */
s32 bc_btf_find_spin_lock(const struct bc_btf *btf, u32 value_type_id);
s32 bc_btf_find_timer(const struct bc_btf *btf, u32 value_type_id);
struct bc_map_desc;
/*
 * Fills kptrs of the map; @kernel has the types that they point to. With an error there are none, and the value is plain memory: -ENOENT: the
 * kernel has no such type, -ENXIO: none that gives references to that type back, -E2BIG, -EINVAL: BTF that describes none rightly. kptr.c.
 */
int bc_btf_find_kptrs(const struct bc_btf *btf, u32 value_type_id, const struct bc_btf *kernel, struct bc_map_desc *map);

#endif
