// SPDX-License-Identifier: GPL-2.0-only
/*
 * Our objects as programs know them from Linux: structs of zeroes, in which the fields that clients read stand where the kernel's BTF
 * says. A kernel that has bpf(2) describes its own there; to others the structs are added when their BTF is made (shim/bpfcompat/btf).
 * A session has one of each kind and fills it anew for each object. Whatever else such a struct points to on Linux is NULL.
 */
#include "iter.h"
#include "../attach/attach.h"
#include "../bpf/core.h"

enum shadow { MAP, PROG, PROG_AUX, LINK, BTF, FILE_COPY, EVENT_FILE, EVENT, __SHADOWS };

/* The struct that each is, or lies in. */
static const char *const names[__SHADOWS] = {
	[MAP] = "bpf_map", [PROG] = "bpf_prog", [PROG_AUX] = "bpf_prog_aux", [LINK] = "bpf_perf_link", [BTF] = "btf", [FILE_COPY] = "file",
	[EVENT_FILE] = "file", [EVENT] = "perf_event",
};

/* What a kernel without bpf(2) need not have. */
static const char *const plain_link = "bpf_link";

struct bc_shadows {
	struct {
		void *memory;
		u32 id, size;
	} of[__SHADOWS];
};

/* What files of each kind of object have for f_op on Linux; 0: unknown, so nobody asks for it. */
static unsigned long fops[__BC_OBJ_KINDS];

void bc_shadows_init(void)
{
	static const char *const symbols[__BC_OBJ_KINDS] = {
		[BC_OBJ_MAP] = "bpf_map_fops", [BC_OBJ_PROG] = "bpf_prog_fops", [BC_OBJ_LINK] = "bpf_link_fops", [BC_OBJ_BTF] = "btf_fops",
	};
	u32 i;

	for (i = 0; i < __BC_OBJ_KINDS; i++)
		fops[i] = bc_lookup_symbol(symbols[i]);
}

/* Where a kernel without bpf(2) has them: clients look them up in /proc/kallsyms. */
#ifndef CONFIG_BPF_SYSCALL
const struct file_operations bpf_map_fops = { .owner = THIS_MODULE };
const struct file_operations bpf_prog_fops = { .owner = THIS_MODULE };
const struct file_operations bpf_link_fops = { .owner = THIS_MODULE };
const struct file_operations btf_fops = { .owner = THIS_MODULE };
#endif

/* ---- memory ---- */

void bc_shadows_free(struct bc_iter_session *s)
{
	struct bc_shadows *sh = s->shadows;
	u32 i;

	for (i = 0; sh && i < __SHADOWS; i++)
		bc_free(NULL, sh->of[i].memory, sh->of[i].size);
	bc_free(NULL, sh, sizeof(*sh));
}

/* Zeroed; NULL: the kernel's BTF has no such struct. */
static void *blank(struct bc_iter_session *s, enum shadow kind)
{
	const struct bc_btf *btf = bc_btf_vmlinux();
	struct bc_shadows *sh;
	s32 id;

	if (!s->shadows)
		s->shadows = bc_alloc(NULL, sizeof(*s->shadows));
	sh = s->shadows;
	if (!sh)
		return ERR_PTR(-ENOMEM);
	if (!sh->of[kind].memory) {
		id = btf ? bc_btf_find(btf, names[kind], BTF_KIND_STRUCT) : -ENOENT;
		if (id < 0 && kind == LINK && btf)
			id = bc_btf_find(btf, plain_link, BTF_KIND_STRUCT);
		if (id < 0)
			return NULL;
		sh->of[kind].id = id;
		sh->of[kind].size = max_t(s64, bc_btf_size(btf, id), 8);
		sh->of[kind].memory = bc_alloc(NULL, sh->of[kind].size);
		if (!sh->of[kind].memory)
			return ERR_PTR(-ENOMEM);
	} else {
		memset(sh->of[kind].memory, 0, sh->of[kind].size);
	}
	return sh->of[kind].memory;
}

/* ---- fields ---- */

/* The place of a field; NULL: this kernel's struct has none. @room: bytes. */
static void *place(struct bc_iter_session *s, enum shadow kind, const char *path, u32 *room)
{
	const struct bc_btf *btf = bc_btf_vmlinux();
	u32 type;
	s64 off = bc_btf_member(btf, s->shadows->of[kind].id, path, &type), size;

	if (off < 0)
		return NULL;
	size = bc_btf_size(btf, type);
	if (size <= 0 || off + size > s->shadows->of[kind].size)
		return NULL;
	*room = size;
	return s->shadows->of[kind].memory + off;
}

static void set(struct bc_iter_session *s, enum shadow kind, const char *path, u64 value)
{
	u32 room;
	void *at = place(s, kind, path, &room);

	if (at)
		memcpy(at, &value, min_t(u32, room, sizeof(value)));
}

static void set_bytes(struct bc_iter_session *s, enum shadow kind, const char *path, const void *from, u32 size)
{
	u32 room;
	void *at = place(s, kind, path, &room);

	if (at)
		memcpy(at, from, min(room, size));
}

static u64 address(const void *p)
{
	return (unsigned long)p;
}

/* ---- the objects ---- */

void *bc_shadow_map(struct bc_iter_session *s, const struct bc_map *map)
{
	const struct bc_map_desc *d = &map->desc;
	void *shadow = blank(s, MAP);

	if (IS_ERR_OR_NULL(shadow))
		return shadow;
	set(s, MAP, "id", map->obj.id);
	set(s, MAP, "map_type", d->type);
	set(s, MAP, "key_size", d->key_size);
	set(s, MAP, "value_size", d->value_size);
	set(s, MAP, "max_entries", d->max_entries);
	set(s, MAP, "map_flags", d->flags);
	set(s, MAP, "map_extra", d->map_extra);
	set(s, MAP, "btf_key_type_id", d->btf_key_type_id);
	set(s, MAP, "btf_value_type_id", d->btf_value_type_id);
	set(s, MAP, "frozen", map->frozen);
	set(s, MAP, "refcnt.counter", atomic_read(&map->obj.refs));
	set(s, MAP, "usercnt.counter", atomic_read(&map->urefs));
	set_bytes(s, MAP, "name", d->name, sizeof(d->name));
	return shadow;
}

void *bc_shadow_prog(struct bc_iter_session *s, const struct bc_prog *prog)
{
	void *shadow = blank(s, PROG), *aux = blank(s, PROG_AUX);

	if (IS_ERR_OR_NULL(shadow))
		return shadow;
	if (IS_ERR_OR_NULL(aux))
		return aux;
	set(s, PROG, "type", prog->type);
	set(s, PROG, "expected_attach_type", prog->expected_attach_type);
	set(s, PROG, "len", prog->v.insn_cnt);
	set(s, PROG, "jited_len", prog->jit.len);
	set_bytes(s, PROG, "tag", prog->tag, sizeof(prog->tag));
	set(s, PROG, "aux", address(aux));
	set(s, PROG_AUX, "id", prog->obj.id);
	set(s, PROG_AUX, "prog", address(shadow));
	set(s, PROG_AUX, "refcnt.counter", atomic_read(&prog->obj.refs));
	set(s, PROG_AUX, "used_map_cnt", prog->v.used_map_cnt);
	set(s, PROG_AUX, "used_btf_cnt", prog->v.used_btf_cnt);
	set(s, PROG_AUX, "attach_btf_id", prog->attach_btf_id);
	set(s, PROG_AUX, "attach_func_name", address(prog->v.attach_func_name));
	set(s, PROG_AUX, "func_cnt", prog->v.subprog_cnt);
	set(s, PROG_AUX, "verified_insns", prog->v.verified_insns);
	set(s, PROG_AUX, "load_time", prog->load_time);
	set_bytes(s, PROG_AUX, "name", prog->name, sizeof(prog->name));
	return shadow;
}

/* A link to a perf event leads to it, for the sake of its cookie. */
static int add_event(struct bc_iter_session *s, const struct bc_link *link)
{
	void *file = blank(s, EVENT_FILE), *event = blank(s, EVENT);

	if (IS_ERR(file) || IS_ERR(event))
		return -ENOMEM;
	if (!file || !event)
		return 0;
	set(s, EVENT, "bpf_cookie", bc_perf_link_cookie(link));
	set(s, EVENT_FILE, "private_data", address(event));
	set(s, LINK, "perf_file", address(file));
	return 0;
}

void *bc_shadow_link(struct bc_iter_session *s, const struct bc_link *link)
{
	/* in struct bpf_perf_link the link comes first; a plain one has the same fields under no other name */
	static const char *const fields[2][4] = {
		{ "id", "type", "refcnt.counter", "prog" },
		{ "link.id", "link.type", "link.refcnt.counter", "link.prog" },
	};
	void *shadow = blank(s, LINK), *prog = NULL;
	const char *const *field;
	struct bc_prog *held;
	u32 type;

	if (IS_ERR_OR_NULL(shadow))
		return shadow;
	field = fields[bc_btf_member(bc_btf_vmlinux(), s->shadows->of[LINK].id, "link", &type) == 0];
	held = bc_link_prog_get(link);
	if (held) {
		prog = bc_shadow_prog(s, held);
		bc_prog_put(held);
		if (IS_ERR(prog))
			return prog;
	}
	if (link->type == BPF_LINK_TYPE_PERF_EVENT && add_event(s, link))
		return ERR_PTR(-ENOMEM);
	set(s, LINK, field[0], link->obj.id);
	set(s, LINK, field[1], link->type);
	set(s, LINK, field[2], atomic_read(&link->obj.refs));
	set(s, LINK, field[3], address(prog));
	return shadow;
}

static void *shadow_btf(struct bc_iter_session *s, const struct bc_btf_obj *b)
{
	void *shadow = blank(s, BTF);

	if (IS_ERR_OR_NULL(shadow))
		return shadow;
	set(s, BTF, "id", b->obj.id);
	set(s, BTF, "nr_types", b->btf->type_cnt);
	set(s, BTF, "data_size", b->btf->size);
	set(s, BTF, "kernel_btf", b->btf->kernel);
	set(s, BTF, "refcnt.refs.counter", atomic_read(&b->obj.refs));
	set_bytes(s, BTF, "name", b->btf->name, sizeof(b->btf->name));
	return shadow;
}

static void *shadow_of(struct bc_iter_session *s, const struct bc_object *obj)
{
	switch (obj->kind) {
	case BC_OBJ_MAP:
		return bc_shadow_map(s, container_of(obj, struct bc_map, obj));
	case BC_OBJ_PROG:
		return bc_shadow_prog(s, container_of(obj, struct bc_prog, obj));
	case BC_OBJ_LINK:
		return bc_shadow_link(s, container_of(obj, struct bc_link, obj));
	default:
		return shadow_btf(s, container_of(obj, struct bc_btf_obj, obj));
	}
}

/* A file of ours is shown as a copy that Linux's own could be, so that programs find out what it is and what is behind it. */
void *bc_shadow_file(struct bc_iter_session *s, struct file *file)
{
	struct bc_object *obj = bc_any_object_of_file(file);
	struct file *copy;
	void *shadow;

	if (!obj || !fops[obj->kind])
		return file;
	shadow = shadow_of(s, obj);
	if (IS_ERR(shadow))
		return shadow;
	copy = shadow ? blank(s, FILE_COPY) : NULL;
	if (IS_ERR(copy))
		return copy;
	if (!copy || s->shadows->of[FILE_COPY].size != sizeof(*copy))
		return file;
	memcpy(copy, file, sizeof(*copy));
	copy->f_op = (const struct file_operations *)fops[obj->kind];
	copy->private_data = shadow;
	return copy;
}
