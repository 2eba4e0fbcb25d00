/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Lives of the user-space library's objects, for callers that close them one by one (a preloaded bpf(2)): an object goes with its last user.
 */
#include "lib.h"

#include <stdlib.h>
#include <string.h>

void bcu_allow_all_helpers(struct bcu *w)
{
	w->all_helpers = true;
}

void bcu_forbid_boot(struct bcu *w)
{
	w->no_boot = true;
}

bool bcu_type_has_helper(u32 prog_type, u32 func_id)
{
	struct bpf_verifier_env *env = calloc(1, sizeof(*env));
	bool has;

	env->prog_type = prog_type;
	env->prog_class = bc_prog_class(prog_type, 0);
	has = bc_prog_func_proto(env, func_id);
	free(env);
	return has;
}

bool bcu_can_run(const struct bcu_prog *p)
{
	const struct bpf_insn *insn;
	u32 i;

	for (i = 0; i < p->v.insn_cnt; i++) {
		insn = &p->v.insns[i];
		if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm != BPF_FUNC_tail_call &&
		    ((u32)insn->imm >= __BPF_FUNC_MAX_ID || !bcu_helpers[insn->imm]))
			return false;
	}
	return true;
}

int bcu_map_set_inner(struct bcu *w, int fd, int inner_fd)
{
	struct bcu_map *map = bcu_map_of_fd(w, fd), *inner = bcu_map_of_fd(w, inner_fd);

	if (!map || !inner)
		return -EBADF;
	map->inner = inner->desc;
	map->inner.id = 0;
	map->inner.frozen_rdonly = false;
	memset(map->inner.name, 0, sizeof(map->inner.name));
	map->desc.inner = &map->inner;
	return 0;
}

static bool map_uses(const struct bcu_map *m, const void *ptr)
{
	u32 i;

	if (m->desc.btf == ptr || (m->desc.inner && m->inner.btf == ptr))
		return true;
	for (i = 0; i < ARRAY_SIZE(m->progs); i++)
		if (m->progs[i] == ptr)
			return true;
	return false;
}

static bool prog_uses(const struct bcu_prog *p, const void *ptr)
{
	u32 i;

	for (i = 0; i < p->v.used_map_cnt; i++)
		if (p->v.used_maps[i] == ptr)
			return true;
	for (i = 0; i < p->v.used_btf_cnt; i++)
		if (p->v.used_btfs[i] == ptr)
			return true;
	return false;
}

static bool is_used(const struct bcu *w, const struct bcu_object *used)
{
	const struct bcu_object *o;

	for (o = w->objs; o < w->objs + BCU_OBJECTS; o++) {
		if (o == used)
			continue;
		if ((o->kind == BCU_MAP && map_uses(o->ptr, used->ptr)) || (o->kind == BCU_PROG && prog_uses(o->ptr, used->ptr)))
			return true;
	}
	return false;
}

static void drop(struct bcu *w, struct bcu_object *o)
{
	if (o->kind == BCU_PROG) {
		bcu_free_prog(w, o->ptr);
	} else if (o->kind == BCU_MAP) {
		bcu_kptr_map(w, o->ptr, true);
		free(((struct bcu_map *)o->ptr)->data);
		free(o->ptr);
	} else {
		bc_btf_free(o->ptr);
	}
	memset(o, 0, sizeof(*o));
}

int bcu_close(struct bcu *w, int fd)
{
	struct bcu_object *o = &w->objs[fd - BCU_FIRST_FD];
	bool again;

	if (fd < BCU_FIRST_FD || fd >= BCU_FIRST_FD + BCU_OBJECTS || !o->kind || o->closed)
		return -EBADF;
	o->closed = true;
	/* As Linux does with the last fd: the programs in it may hold the array itself. */
	if (o->kind == BCU_MAP)
		memset(((struct bcu_map *)o->ptr)->progs, 0, sizeof(((struct bcu_map *)o->ptr)->progs));
	do {
		again = false;
		for (o = w->objs; o < w->objs + BCU_OBJECTS; o++) {
			if (!o->kind || !o->closed || is_used(w, o))
				continue;
			drop(w, o);
			again = true;
		}
	} while (again);
	return 0;
}
