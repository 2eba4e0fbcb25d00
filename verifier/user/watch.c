/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soundness, watched: keeps the states in which the verifier passed each instruction, and holds what the interpreter does against them. Apart from
 * that, every load and store of a run must stay within what a program may touch.
 */
#include "lib.h"

#include <stdlib.h>

extern void (*bc_trace_insn)(void *arg, const struct bc_exec_area *area, u32 insn, const u64 *regs);
extern void *bc_trace_arg;

/* ---- while the verifier works ---- */

static struct bcu_prog *watched;
static const struct bcu_load *watched_load;

static void copy_reg(struct bcu_reg *to, const struct bpf_reg_state *from)
{
	to->type = from->type;
	to->off = from->off;
	to->v = from->v;
	to->map = NULL;
	to->frameno = from->frameno;
	switch (BC_BASE_TYPE(from->type)) {
	case CONST_PTR_TO_MAP:
	case PTR_TO_MAP_VALUE:
	case PTR_TO_MAP_KEY:
		to->map = from->map;
		break;
	}
}

static void copy_slots(struct bcu_state *to, const struct bpf_func_state *from)
{
	const struct bpf_reg_state *r;
	u32 i;

	to->spilled_slots = 0;
	to->slots = NULL;
	for (i = 0; i < from->slot_cnt; i++) {
		r = bc_spilled_reg(from, i);
		/* whole 8-byte spills of numbers: the rest needs no copy to be checked when it is loaded */
		if (!r || r->type != SCALAR_VALUE || from->stack[i].slot_type[0] != STACK_SPILL)
			continue;
		if (!to->slots)
			to->slots = calloc(BC_STACK_SLOTS, sizeof(*to->slots));
		copy_reg(&to->slots[i], r);
		to->spilled_slots |= 1ULL << i;
	}
}

static void record(void *arg, const struct bpf_verifier_env *env, u32 insn_idx)
{
	const struct bpf_func_state *f = env->cur->frame[env->cur->curframe];
	struct bcu_prog *p = arg;
	struct bcu_recorded *rec;
	struct bcu_state *s;
	u32 i;

	if (!p->recorded) {
		p->recorded_cnt = env->insn_cnt;
		p->recorded = calloc(env->insn_cnt, sizeof(*p->recorded));
	}
	if (insn_idx >= p->recorded_cnt)
		return;
	rec = &p->recorded[insn_idx];
	if (rec->cnt == rec->room) {
		rec->room = rec->room ? rec->room * 2 : 4;
		rec->states = realloc(rec->states, rec->room * sizeof(*rec->states));
	}
	s = &rec->states[rec->cnt++];
	p->state_cnt++;
	s->frame = env->cur->curframe;
	for (i = 0; i < MAX_BPF_REG; i++)
		copy_reg(&s->regs[i], &f->regs[i]);
	copy_slots(s, f);
}

void bc_test_env(struct bpf_verifier_env *env)
{
	if (!watched)
		return;
	env->no_prune = watched_load->no_prune;
	if (watched_load->max_verified) {
		/* as if that much had been done already */
		env->insn_processed = BC_MAX_INSNS - watched_load->max_verified;
		env->prev_insn_processed = env->insn_processed;
	}
	if (watched_load->record) {
		env->record = record;
		env->record_arg = watched;
	}
}

void bcu_watch_begin(struct bcu_prog *p, const struct bcu_load *l)
{
	watched = p;
	watched_load = l;
}

void bcu_watch_end(void)
{
	watched = NULL;
}

/* ---- while a program runs ---- */

static bool in_bounds(const struct bpf_scalar *v, u64 x)
{
	return ((x ^ v->t.value) & ~v->t.mask) == 0 && x >= v->umin && x <= v->umax && (s64)x >= v->smin && (s64)x <= v->smax &&
	       (u32)x >= v->umin32 && (u32)x <= v->umax32 && (s32)x >= v->smin32 && (s32)x <= v->smax32;
}

/* Pointer @x, @off and the variable part away from @base? */
static bool points_from(const struct bcu_reg *r, u64 base, u64 x)
{
	return in_bounds(&r->v, x - base - (s64)r->off);
}

static bool reg_holds(const struct bcu *w, const struct bcu_reg *r, u32 frame, u64 fp, u64 x)
{
	const struct bcu_map *m;
	u64 base;

	if (r->type & PTR_MAYBE_NULL && !x)
		return true;
	switch (BC_BASE_TYPE(r->type)) {
	case SCALAR_VALUE:
		return in_bounds(&r->v, x);
	case PTR_TO_CTX:
		return points_from(r, (unsigned long)w->ctx, x);
	case CONST_PTR_TO_MAP:
		return x == (unsigned long)r->map;
	case PTR_TO_STACK:
		return r->frameno != frame || points_from(r, fp, x);
	case PTR_TO_MAP_VALUE:
		m = container_of((struct bc_map_desc *)r->map, struct bcu_map, desc);
		/* which value is not known: some one of them must do */
		for (base = (unsigned long)m->values; base < (unsigned long)(m->data + m->data_size); base += m->value_stride) {
			if (points_from(r, base, x))
				return true;
		}
		return false;
	default:
		return true;
	}
}

static bool state_holds(const struct bcu *w, const struct bcu_state *s, const u64 *regs, int *bad)
{
	u64 slot;
	u32 i;

	for (i = 0; i < MAX_BPF_REG; i++) {
		if (!reg_holds(w, &s->regs[i], s->frame, regs[BPF_REG_10], regs[i])) {
			*bad = i;
			return false;
		}
	}
	for (i = 0; s->spilled_slots >> i; i++) {
		if (!(s->spilled_slots >> i & 1))
			continue;
		memcpy(&slot, (void *)(unsigned long)(regs[BPF_REG_10] - 8 * (i + 1)), sizeof(slot));
		if (!in_bounds(&s->slots[i].v, slot)) {
			*bad = MAX_BPF_REG + i;
			return false;
		}
		if (i == BC_STACK_SLOTS - 1)
			break;
	}
	return true;
}

static void check_state(struct bcu *w, struct bcu_prog *p, u32 insn, const u64 *regs)
{
	const struct bcu_recorded *rec;
	u32 orig = p->v.aux[insn].orig_insn, i;
	int bad = 0;

	if (!p->recorded || orig >= p->recorded_cnt)
		return;
	rec = &p->recorded[orig];
	for (i = 0; i < rec->cnt; i++) {
		if (state_holds(w, &rec->states[i], regs, &bad))
			return;
	}
	if (!w->run->state_violations++ && !w->run->message[0])
		scnprintf(w->run->message, sizeof(w->run->message),
			  "insn %u: none of %u states allows the registers; in the last one %s%d = 0x%llx does not fit", orig, rec->cnt,
			  bad < MAX_BPF_REG ? "r" : "slot ", bad < MAX_BPF_REG ? bad : bad - MAX_BPF_REG,
			  bad < MAX_BPF_REG ? regs[bad] : 0);
}

static bool within(u64 addr, u32 size, const void *start, u64 len)
{
	u64 s = (unsigned long)start;

	return addr >= s && addr - s <= len && size <= len - (addr - s);
}

static bool map_memory(const struct bcu_map *m, u64 addr, u32 size)
{
	if (!within(addr, size, m->data, m->data_size) || m->desc.type == BPF_MAP_TYPE_RINGBUF)
		return false;
	if (addr < (unsigned long)m->values)	/* keys: for_each_map_elem hands them out */
		return (addr - (unsigned long)m->data) % m->key_stride + size <= m->desc.key_size;
	return (addr - (unsigned long)m->values) % m->value_stride + size <= round_up(m->desc.value_size, 8);
}

static bool may_touch(const struct bcu *w, u64 addr, u32 size)
{
	int i;

	if (within(addr, size, w->index, sizeof(w->index)))
		return true;
	if (within(addr, size, w->area.stack, w->area.used) || within(addr, size, w->ctx, w->ctx_size))
		return true;
	if (w->run->packet && within(addr, size, w->run->packet, w->run->packet_size))
		return true;
	for (i = 0; i < BCU_RECORDS; i++) {
		if (w->records[i].data && within(addr, size, w->records[i].data, w->records[i].size))
			return true;
	}
	for (i = 0; i < BCU_OBJECTS; i++) {
		if (w->objs[i].kind == BCU_MAP && map_memory(w->objs[i].ptr, addr, size))
			return true;
	}
	return false;
}

static void check_access(struct bcu *w, const struct bc_exec_prog *prog, u32 idx, const u64 *regs)
{
	static const u8 sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };
	const struct bpf_insn *insn = &prog->insns[idx];
	u64 base;

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		if (prog->aux[idx].probe_mem)
			return;
		base = regs[insn->src_reg];
		break;
	case BPF_ST:
	case BPF_STX:
		base = regs[insn->dst_reg];
		break;
	default:
		return;
	}
	if (may_touch(w, base + (s64)insn->off, sizes[BPF_SIZE(insn->code) >> 3]))
		return;
	w->run->mem_violations++;
	if (!w->run->message[0])
		scnprintf(w->run->message, sizeof(w->run->message), "insn %u (0x%02x): %u bytes at 0x%llx are none of the program's",
			  prog->aux[idx].orig_insn, insn->code, sizes[BPF_SIZE(insn->code) >> 3], base + (s64)insn->off);
	/* The access itself may bring the process down: the run ends here. */
	longjmp(w->out_of_time, 1);
}

static void trace(void *arg, const struct bc_exec_area *area, u32 insn, const u64 *regs)
{
	struct bcu *w = arg;

	if (w->run->max_insns && w->run->insns >= w->run->max_insns)
		longjmp(w->out_of_time, 1);
	w->run->insns++;
	if (area->prog == &w->running->exec)
		check_state(w, w->running, insn, regs);
	check_access(w, area->prog, insn, regs);
}

int bcu_trace_begin_(struct bcu *w)
{
	bc_trace_insn = trace;
	bc_trace_arg = w;
	return 0;
}

void bcu_trace_end(void)
{
	bc_trace_insn = NULL;
}
