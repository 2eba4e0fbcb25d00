/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the watch knows of dynptrs and of the kernel functions' object: it follows what helpers and functions do, apart from all that the
 * verifier thinks.
 */
#include "lib.h"
#include "../../kmod/exec/dynptr.h"

#define COUNT_OFF 24	/* struct prog_test_ref_kfunc.cnt */

struct bcu_dynptr *bcu_dynptr_at(struct bcu *w, u64 at, u32 size)
{
	u32 i;

	for (i = 0; i < w->dynptr_cnt; i++)
		if (at < w->dynptrs[i].at + sizeof(struct bc_dynptr) && at + size > w->dynptrs[i].at)
			return &w->dynptrs[i];
	return NULL;
}

void bcu_dynptr_gone(struct bcu *w, u64 at)
{
	u32 i;

	for (i = 0; i < w->dynptr_cnt; i++) {
		if (w->dynptrs[i].at != at)
			continue;
		w->dynptrs[i] = w->dynptrs[--w->dynptr_cnt];
		return;
	}
}

void bcu_dynptr_made(struct bcu *w, u64 at, bool record)
{
	bcu_dynptr_gone(w, at);
	if (w->dynptr_cnt == BCU_DYNPTRS)
		return;
	w->dynptrs[w->dynptr_cnt].at = at;
	w->dynptrs[w->dynptr_cnt++].record = record;
}

void bcu_dynptrs_of_frame(struct bcu *w, const struct bcu_frame *f)
{
	u32 i;

	for (i = w->dynptr_cnt; i--; )
		if (w->dynptrs[i].at >= f->fp - f->depth && w->dynptrs[i].at < f->fp)
			bcu_dynptr_gone(w, w->dynptrs[i].at);
}

bool bcu_dynptr_slot(const struct bcu *w, u64 at, bool record)
{
	u32 i;

	for (i = 0; i < w->dynptr_cnt; i++)
		if (w->dynptrs[i].at == at)
			return w->dynptrs[i].record == record;
	return false;
}

/* The memory that it leads to is still there. */
static bool leads_somewhere(const struct bcu *w, u64 at)
{
	const struct bc_dynptr *p = BC_DYNPTR(at);

	return !p->data || bcu_may_touch(w, (unsigned long)p->data, p->size);
}

bool bcu_dynptr_arg(struct bcu *w, u64 at, u16 arg)
{
	bool lent = !(at - (unsigned long)w->area.stack < sizeof(w->area.stack));

	if (arg & BC_ARG_MAKES)
		return bcu_may_touch(w, at, sizeof(struct bc_dynptr)) && !bcu_dynptr_at(w, at, sizeof(struct bc_dynptr));
	if (arg & BC_ARG_RELEASE)
		return bcu_dynptr_slot(w, at, true);
	/* one that the kernel lends lies on no stack of a program's */
	return lent || ((bcu_dynptr_slot(w, at, true) || bcu_dynptr_slot(w, at, false)) && leads_somewhere(w, at));
}

bool bcu_object_held(u64 addr)
{
	return bc_kfunc_object_has(addr, COUNT_OFF + sizeof(s32)) && *(s32 *)(unsigned long)(addr + COUNT_OFF) > 1;
}

u32 bcu_object_refs(void)
{
	u64 object = bc_kfunc_table[BC_KFUNC_call_test_acquire](0, 0, 0, 0, 0);
	s32 *count = (s32 *)(unsigned long)(object + COUNT_OFF), held = *count - 2;

	*count = 1;
	return held;
}

bool bcu_kfunc_args(const struct bcu *w, u32 kfunc, const u64 *regs)
{
	u64 r1 = regs[BPF_REG_1];

	switch (kfunc) {
	case BC_KFUNC_call_test_acquire:
		return bcu_may_touch(w, r1, sizeof(u64));
	case BC_KFUNC_call_test_release:
	case BC_KFUNC_call_test_ref:
		return bcu_object_held(r1);
	case BC_KFUNC_call_test_get_rdwr_mem:
	case BC_KFUNC_call_test_get_rdonly_mem:
		return bc_kfunc_object_has(r1, COUNT_OFF + sizeof(s32));
	case BC_KFUNC_call_test_kptr_get:
		return bcu_kptr_arg(w, r1);
	case BC_KFUNC_call_test_pass_ctx:
		return r1 == (unsigned long)w->ctx;
	case BC_KFUNC_call_test_pass1:
		return bcu_may_touch(w, r1, 4 * sizeof(s32));
	case BC_KFUNC_call_test_mem_len_pass1:
		return (s32)regs[BPF_REG_2] >= 0 && (!(u32)regs[BPF_REG_2] || !r1 || bcu_may_touch(w, r1, (u32)regs[BPF_REG_2]));
	default:
		return true;
	}
}
