/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the watch asks: does a value fit what the verifier knew of it, does memory belong to a program, and to the object that its pointer leads to?
 */
#include "lib.h"

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

static bool within(u64 addr, u32 size, const void *start, u64 len)
{
	u64 s = (unsigned long)start;

	return addr >= s && addr - s <= len && size <= len - (addr - s);
}

/* A packet pointer: bytes up to its range, counted without its fixed offset, are there. */
static bool packet_holds(const struct bcu *w, const struct bcu_reg *r, u64 x)
{
	u64 data = (unsigned long)w->run->packet, end = data + w->run->packet_size;

	return points_from(r, data, x) && (r->range <= 0 || x - (s64)r->off + r->range <= end);
}

static bool record_holds(const struct bcu *w, const struct bcu_reg *r, u64 x)
{
	int i;

	for (i = 0; i < BCU_RECORDS; i++)
		if (w->records[i].data && w->records[i].size == r->mem_size && points_from(r, (unsigned long)w->records[i].data, x))
			return true;
	return false;
}

/* The verifier's frame @frameno, counted from the main program or from the global function that is at work. */
static const struct bcu_frame *frame_of(const struct bcu *w, u32 frameno)
{
	u32 i = w->frame_cnt ? w->frames[w->frame_cnt - 1].base + frameno : 0;

	return i < w->frame_cnt ? &w->frames[i] : NULL;
}

/* Is it the one at work? */
bool bcu_frame_is(const struct bcu *w, u32 frameno)
{
	return w->frame_cnt && frame_of(w, frameno) == &w->frames[w->frame_cnt - 1];
}

bool bcu_reg_holds(const struct bcu *w, const struct bcu_reg *r, u64 x)
{
	const struct bcu_frame *f;
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
		f = frame_of(w, r->frameno);
		return !f || points_from(r, f->fp, x);
	case PTR_TO_MAP_VALUE:
		m = container_of((struct bc_map_desc *)r->map, struct bcu_map, desc);
		/* which value is not known: some one of them must do */
		for (base = (unsigned long)m->values; base < (unsigned long)(m->data + m->data_size); base += m->value_stride) {
			if (points_from(r, base, x))
				return true;
		}
		return false;
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:	/* no metadata here: it begins where the packet does */
		return packet_holds(w, r, x);
	case PTR_TO_PACKET_END:
		return x == (unsigned long)w->run->packet + w->run->packet_size;
	case PTR_TO_MEM:
		return !(r->type & MEM_ALLOC) || record_holds(w, r, x);
	case PTR_TO_BTF_ID:	/* a reference is to something that is there */
		return !r->ref || bcu_object_held(x - (s64)r->off);
	default:
		return true;
	}
}

/* Registers with one id: the same number; for pointers, the same answer to whether they are NULL. */
static bool ids_hold(const struct bcu_reg *a, u64 x, const struct bcu_reg *b, u64 y)
{
	if (!a->id || a->id != b->id || a->type != b->type)
		return true;
	if (a->type == SCALAR_VALUE)
		return x == y;
	return !(a->type & PTR_MAYBE_NULL) || !x == !y;
}

static bool slot_holds(const struct bcu *w, const struct bcu_state *s, const struct bcu_slot *slot, const u64 *regs)
{
	const u8 *bytes = (const u8 *)(unsigned long)(regs[BPF_REG_10] - 8 * (slot->slot + 1));
	u64 x;
	u32 i;

	for (i = 0; i < BC_REG_BYTES; i++)
		/* index 7 is the low byte, which lies first */
		if (slot->type[i] == STACK_ZERO && bytes[BC_REG_BYTES - 1 - i])
			return false;
	if (slot->type[0] == STACK_DYNPTR)
		return !slot->dynptr || bcu_dynptr_slot(w, (unsigned long)bytes, slot->dynptr == BC_ARG_RINGBUF);
	if (slot->type[BC_REG_BYTES - 1] != STACK_SPILL)
		return true;
	memcpy(&x, bytes, sizeof(x));
	for (i = 0; i < BC_REG_BYTES && slot->type[BC_REG_BYTES - 1 - i] == STACK_SPILL; i++)
		;
	if (i < BC_REG_BYTES)
		x &= (1ULL << 8 * i) - 1;
	if (!bcu_reg_holds(w, &slot->spilled, x))
		return false;
	for (i = 0; i < MAX_BPF_REG; i++)
		if (!ids_hold(&s->regs[i], regs[i], &slot->spilled, x))
			return false;
	return true;
}

bool bcu_state_holds(const struct bcu *w, const struct bcu_state *s, const u64 *regs, int *bad)
{
	u32 i, k;

	*bad = BPF_REG_10;
	if (!bcu_frame_is(w, s->frame))
		return false;
	for (i = 0; i < MAX_BPF_REG; i++) {
		*bad = i;
		if (!bcu_reg_holds(w, &s->regs[i], regs[i]))
			return false;
		for (k = 0; k < i; k++)
			if (!ids_hold(&s->regs[i], regs[i], &s->regs[k], regs[k]))
				return false;
	}
	for (i = 0; i < s->slot_cnt; i++) {
		*bad = MAX_BPF_REG + s->slots[i].slot;
		if (!slot_holds(w, s, &s->slots[i], regs))
			return false;
	}
	return true;
}

static bool in_frame(const struct bcu_frame *f, u64 addr, u32 size)
{
	return addr >= f->fp - f->depth && addr <= f->fp && size <= f->fp - addr;
}

static bool in_stack(const struct bcu *w, u64 addr, u32 size)
{
	u32 i;

	for (i = 0; i < w->frame_cnt; i++)
		if (in_frame(&w->frames[i], addr, size))
			return true;
	return false;
}

static bool overlap(u32 off, u32 size, s32 field, u32 field_size)
{
	return field >= 0 && off < (u32)field + field_size && off + size > (u32)field;
}

static bool map_memory(const struct bcu_map *m, u64 addr, u32 size)
{
	u32 off;

	if (!within(addr, size, m->data, m->data_size) || m->desc.type == BPF_MAP_TYPE_RINGBUF)
		return false;
	if (addr < (unsigned long)m->values)	/* keys: for_each_map_elem hands them out */
		return (addr - (unsigned long)m->data) % m->key_stride + size <= m->desc.key_size;
	off = (addr - (unsigned long)m->values) % m->value_stride;
	/* what locks and timers are made of is theirs */
	if (overlap(off, size, m->desc.timer_off, sizeof(struct bpf_timer)) || overlap(off, size, m->desc.spin_lock_off, sizeof(struct bpf_spin_lock)))
		return false;
	return off + size <= m->desc.value_size;
}

bool bcu_may_touch(const struct bcu *w, u64 addr, u32 size)
{
	int i;

	if (within(addr, size, w->index, sizeof(w->index)))
		return true;
	if (in_stack(w, addr, size) || within(addr, size, w->ctx, w->ctx_size))
		return true;
	if (bc_kfunc_object_has(addr, size) || within(addr, size, &w->jiffies, sizeof(w->jiffies)) ||
	    within(addr, size, w->sample, sizeof(w->sample)))
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

/* Do the bytes lie in the object that the register was known to point to? */
bool bcu_object_allows(const struct bcu *w, const struct bcu_reg *r, u64 addr, u32 size)
{
	const struct bcu_frame *f;
	const struct bcu_map *m;

	switch (BC_BASE_TYPE(r->type)) {
	case PTR_TO_CTX:
		return within(addr, size, w->ctx, w->ctx_size);
	case PTR_TO_STACK:
		f = frame_of(w, r->frameno);
		return !f || in_frame(f, addr, size);
	case PTR_TO_MAP_VALUE:
		m = container_of((struct bc_map_desc *)r->map, struct bcu_map, desc);
		return addr >= (unsigned long)m->values && map_memory(m, addr, size);
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
		return within(addr, size, w->run->packet, w->run->packet_size);
	case SCALAR_VALUE:
	case NOT_INIT:
	case CONST_PTR_TO_MAP:
	case PTR_TO_PACKET_END:
		return false;
	default:
		return true;
	}
}

bool bcu_jump_taken(const struct bpf_insn *insn, const u64 *regs)
{
	bool is32 = BPF_CLASS(insn->code) == BPF_JMP32;
	u64 a = regs[insn->dst_reg], b = insn->code & BPF_X ? regs[insn->src_reg] : (u64)(s64)insn->imm;
	s64 sa = a, sb = b;

	if (is32) {
		a = (u32)a;
		b = (u32)b;
		sa = (s32)a;
		sb = (s32)b;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_JEQ:
		return a == b;
	case BPF_JNE:
		return a != b;
	case BPF_JGT:
		return a > b;
	case BPF_JGE:
		return a >= b;
	case BPF_JLT:
		return a < b;
	case BPF_JLE:
		return a <= b;
	case BPF_JSGT:
		return sa > sb;
	case BPF_JSGE:
		return sa >= sb;
	case BPF_JSLT:
		return sa < sb;
	case BPF_JSLE:
		return sa <= sb;
	default:	/* BPF_JSET */
		return a & b;
	}
}
