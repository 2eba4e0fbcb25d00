// SPDX-License-Identifier: GPL-2.0-only
/*
 * What generated code is called, as Linux calls it: bpf_prog_TAG_NAME, a symbol for each subprogram. Its tag is that of its own instructions, its
 * name that of its function in the program's BTF.
 */
#include "jit.h"
#include "prog.h"
#include "../compat/ksym.h"

static const char *sub_name(const struct bc_prog *prog, u32 i)
{
	const struct bc_verified *v = &prog->v;
	const struct btf_type *func;

	if (!prog->btf || v->func_info_cnt != v->subprog_cnt)
		return prog->name;
	func = bc_btf_type(prog->btf, v->func_info[i].type_id);
	return func ? bc_btf_name(prog->btf, func->name_off) : prog->name;
}

static struct compat_ksym *add(const struct bc_prog *prog, u32 i, const u8 *tag)
{
	unsigned long start = (unsigned long)prog->jit_memory + prog->jit.sub_off[i];
	const char *name = sub_name(prog, i);
	char text[KSYM_NAME_LEN];

	snprintf(text, sizeof(text), "bpf_prog_%*phN%s%s", BPF_TAG_SIZE, tag, *name ? "_" : "", name);
	return compat_ksym_add(start, prog->jit.sub_off[i + 1] - prog->jit.sub_off[i], text);
}

/* Without memory for them there are no symbols: nothing depends on them. */
void bc_jit_symbols_add(struct bc_prog *prog)
{
	u32 cnt = prog->exec.subprog_cnt, i;
	u8 (*tags)[BPF_TAG_SIZE] = NULL;
	size_t size = compat_ksym_size();

	if (!size || !prog->jit_memory)
		return;
	prog->jit_symbols = bc_alloc(&prog->obj, cnt * sizeof(*prog->jit_symbols));
	if (!prog->jit_symbols)
		return;
	if (!bc_memory_charge(&prog->obj, cnt * size))
		goto no_room;
	if (cnt > 1) {
		tags = port_zalloc(cnt * sizeof(*tags));
		if (!tags || bc_prog_sub_tags(prog, tags))
			goto no_tags;
	}
	for (i = 0; i < cnt; i++)
		prog->jit_symbols[i] = add(prog, i, i ? tags[i] : prog->tag);
	port_free(tags);
	return;

no_tags:
	port_free(tags);
	bc_memory_uncharge(&prog->obj, cnt * size);
no_room:
	bc_free(&prog->obj, prog->jit_symbols, cnt * sizeof(*prog->jit_symbols));
	prog->jit_symbols = NULL;
}

void bc_jit_symbols_del(struct bc_prog *prog)
{
	u32 cnt = prog->exec.subprog_cnt, i;

	if (!prog->jit_symbols)
		return;
	for (i = 0; i < cnt; i++)
		compat_ksym_del(prog->jit_symbols[i]);
	bc_memory_uncharge(&prog->obj, cnt * compat_ksym_size());
	bc_free(&prog->obj, prog->jit_symbols, cnt * sizeof(*prog->jit_symbols));
}
