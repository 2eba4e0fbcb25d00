/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The BPF stack: which bytes an access may touch, and what lies there: spilled registers that come back as they were, zeros,
 * or anything. Memory never written reads as anything, as Linux has it for privileged programs.
 */
#include "internal.h"

static struct bpf_func_state *frame_of(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	return env->cur->frame[reg->frameno];
}

/* The type of the byte at @off from the frame pointer. */
static u8 *byte_at(struct bpf_func_state *f, s32 off)
{
	u32 n = -off - 1;

	return &f->stack[n / BC_REG_BYTES].slot_type[n % BC_REG_BYTES];
}

static u32 slot_of(s32 off)
{
	return (u32)(-off - 1) / BC_REG_BYTES;
}

/* What was part of a spilled register becomes some initialised byte. */
static void spoil(struct bpf_stack_state *s)
{
	u32 i;

	for (i = 0; i < BC_REG_BYTES; i++)
		if (s->slot_type[i] != STACK_INVALID)
			s->slot_type[i] = STACK_MISC;
}

/* An access through another pointer than r10: note the slot, as the instruction does not show it. */
static int note_slot(struct bpf_verifier_env *env, const struct bpf_func_state *f, s32 off, u32 base_reg)
{
	struct bpf_jmp_step step;

	if (base_reg == BPF_REG_10)
		return 0;
	memset(&step, 0, sizeof(step));
	step.stack = true;
	step.frame = f->frameno;
	step.slot = slot_of(off);
	return bc_history_push(env, env->cur, &step);
}

static void spill(struct bpf_func_state *f, u32 slot, const struct bpf_reg_state *reg, u32 bytes)
{
	struct bpf_stack_state *s = &f->stack[slot];
	u32 i;

	s->spilled = *reg;
	if (bytes == BC_REG_BYTES)
		f->live.slot_written |= 1ULL << slot;
	for (i = 0; i < BC_REG_BYTES; i++) {
		/* the low bytes of the value are at the top of slot_type */
		if (i >= BC_REG_BYTES - bytes)
			s->slot_type[i] = STACK_SPILL;
		else if (s->slot_type[i] != STACK_INVALID)
			s->slot_type[i] = STACK_MISC;
	}
}

static bool nothing_known(const struct bpf_scalar *v)
{
	return bc_tnum_is_unknown(v->t) && v->smin == S64_MIN && v->smax == S64_MAX && v->umin == 0 && v->umax == U64_MAX &&
	       v->smin32 == S32_MIN && v->smax32 == S32_MAX && v->umin32 == 0 && v->umax32 == U32_MAX;
}

static bool spillable_pointer(u32 type)
{
	switch (BC_BASE_TYPE(type)) {
	case NOT_INIT:
	case SCALAR_VALUE:
	case PTR_TO_TP_BUFFER:
	case PTR_TO_DYNPTR:
		return false;
	default:
		return true;
	}
}

static int write_data(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 off, u32 bytes, int value_regno, bool zero)
{
	u32 slot = slot_of(off), i;
	struct bpf_stack_state *s = &f->stack[slot];
	int err;

	if (bc_spilled_reg(f, slot))
		spoil(s);
	bc_reg_not_init(&s->spilled);
	/* a part of a slot does not screen off reads of the rest */
	if (bytes == BC_REG_BYTES)
		f->live.slot_written |= 1ULL << slot;
	if (zero && value_regno >= 0) {
		/* bytes are not followed back to the register they came from */
		err = bc_mark_precise(env, value_regno);
		if (err)
			return err;
	}
	for (i = 0; i < bytes; i++)
		*byte_at(f, off + (s32)i) = zero ? STACK_ZERO : STACK_MISC;
	return 0;
}

static int write_at(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 off, u32 bytes, int value_regno)
{
	const struct bpf_insn *insn = &env->insns[env->insn_idx];
	bool immediate = value_regno < 0 && BPF_CLASS(insn->code) == BPF_ST && BPF_MODE(insn->code) == BPF_MEM;
	struct bpf_reg_state *reg = value_regno >= 0 ? &bc_cur_regs(env)[value_regno] : NULL;
	u32 slot = slot_of(off);
	bool whole = !(off % BC_REG_BYTES);
	int err;

	env->scratched_slots |= 1ULL << slot;
	err = bc_spoil_dynptr(env, f, slot);
	if (err)
		return err;
	if (reg && whole && reg->type == SCALAR_VALUE && !nothing_known(&reg->v) && !bc_reg_is_null(reg)) {
		err = note_slot(env, f, off, insn->dst_reg);
		if (err)
			return err;
		spill(f, slot, reg, bytes);
		/* what comes back is the same value only when nothing was cut off */
		if (bytes < BC_REG_BYTES && reg->v.umax >> (bytes * 8))
			f->stack[slot].spilled.id = 0;
		return 0;
	}
	if (immediate && whole && insn->imm) {
		bc_reg_const(&env->tmp_reg[0], (u64)(s64)insn->imm);
		err = note_slot(env, f, off, insn->dst_reg);
		if (err)
			return err;
		spill(f, slot, &env->tmp_reg[0], bytes);
		return 0;
	}
	if (reg && spillable_pointer(reg->type)) {
		if (bytes != BC_REG_BYTES) {
			bc_log_source(env, env->insn_idx, "; ");
			bc_log(env, "invalid size of register spill\n");
			return -EACCES;
		}
		if (f != bc_cur_func(env) && reg->type == PTR_TO_STACK) {
			bc_log(env, "cannot spill pointers to stack into stack frame of the caller\n");
			return -EINVAL;
		}
		spill(f, slot, reg, bytes);
		return 0;
	}
	return write_data(env, f, off, bytes, value_regno, reg ? bc_reg_is_null(reg) : immediate && !insn->imm);
}

/* Some bytes of [off + smin, off + smax + bytes) are written, no one knows which. */
static int write_somewhere(struct bpf_verifier_env *env, struct bpf_func_state *f, const struct bpf_reg_state *ptr, s32 off, u32 bytes,
			   int value_regno)
{
	struct bpf_reg_state *value = value_regno >= 0 ? &bc_cur_regs(env)[value_regno] : NULL;
	bool zero = value && bc_reg_is_null(value), zero_counts = false;
	s32 i, last = (s32)ptr->v.smax + off + (s32)bytes;
	int err;

	for (i = (s32)ptr->v.smin + off; i < last; i++) {
		u32 slot = slot_of(i);
		u8 *type = byte_at(f, i);

		err = bc_spoil_dynptr(env, f, slot);
		if (err)
			return err;
		env->scratched_slots |= 1ULL << slot;
		/* what is left of a spilled register can't be read any more (Linux) */
		bc_reg_not_init(&f->stack[slot].spilled);
		if (zero && *type == STACK_ZERO)
			zero_counts = true;
		else
			*type = STACK_MISC;
	}
	return zero_counts ? bc_mark_precise(env, value_regno) : 0;
}

/* Bytes left of a register that was spilled to the slot, its low one not among them; and those of a dynptr. */
static bool is_unreadable(struct bpf_func_state *f, s32 off)
{
	u8 type = *byte_at(f, off);

	return type == STACK_DYNPTR || (type == STACK_SPILL && !bc_spilled_reg(f, slot_of(off)));
}

static int check_readable(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 from, s32 to, const char *what)
{
	s32 i;

	for (i = from; i < to; i++) {
		if (!is_unreadable(f, i))
			continue;
		bc_log(env, "invalid%s stack off %d+%d size %d\n", what, from, i - from, to - from);
		return -EACCES;
	}
	return 0;
}

/* What a helper writes may be the very dynptr that it works on. (Linux since 6.2.) */
static int check_no_dynptr(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 from, s32 to)
{
	s32 i;

	for (i = from; i < to; i++) {
		if (*byte_at(f, i) != STACK_DYNPTR)
			continue;
		bc_log(env, "potential write to dynptr at off=%d disallowed\n", i);
		return -EACCES;
	}
	return 0;
}

/* A register out of bytes that are no spilled register: zero when all of them are. */
static void load_bytes(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 from, s32 to, u32 regno)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	s32 i;

	for (i = from; i < to && *byte_at(f, i) == STACK_ZERO; i++)
		;
	if (i == to) {
		bc_reg_const(reg, 0);
		/* walking back may stop here: what the zero came from was marked when it was stored */
		reg->precise = true;
	} else {
		bc_reg_unknown(reg);
	}
	bc_cur_func(env)->live.reg_written |= 1U << regno;
}

static u32 spilled_bytes(const struct bpf_stack_state *s)
{
	u32 n;

	for (n = 0; n < BC_REG_BYTES && s->slot_type[BC_REG_BYTES - 1 - n] == STACK_SPILL; n++)
		;
	return n;
}

static int read_at(struct bpf_verifier_env *env, struct bpf_func_state *f, s32 off, u32 bytes, int value_regno, u32 base_reg)
{
	u32 slot = slot_of(off), spilled;
	struct bpf_reg_state *reg = bc_spilled_reg(f, slot), *dst = value_regno >= 0 ? &bc_cur_regs(env)[value_regno] : NULL;
	int err;

	err = bc_mark_slot_read(env, env->cur, f->frameno, slot);
	if (err)
		return err;
	if (!reg) {
		err = check_readable(env, f, off, off + (s32)bytes, " read from");
		if (err)
			return err;
		if (dst)
			load_bytes(env, f, off, off + (s32)bytes, value_regno);
		return 0;
	}
	spilled = spilled_bytes(&f->stack[slot]);
	if ((bytes != BC_REG_BYTES || spilled != BC_REG_BYTES) && reg->type != SCALAR_VALUE) {
		bc_log_source(env, env->insn_idx, "; ");
		bc_log(env, "invalid size of register fill\n");
		return -EACCES;
	}
	if (!dst)
		return 0;
	if (bytes == spilled && !(off % BC_REG_BYTES)) {
		err = note_slot(env, f, off, base_reg);
		if (err)
			return err;
		*dst = *reg;
	} else {
		bc_reg_unknown(dst);
	}
	bc_cur_func(env)->live.reg_written |= 1U << value_regno;
	return 0;
}

/* Are all bytes that the access may touch within the stack? Makes room for them. */
static int within_stack(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool by_helper, enum bc_access access)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	const char *what = by_helper ? " indirect access to" : access == BC_READ ? " read from" : " write to";
	bool fixed = bc_scalar_is_const(&reg->v);
	s64 lo, hi;
	int err = 0;

	if (fixed) {
		lo = (s64)reg->v.t.value + off;
		hi = lo + size;
	} else {
		if (reg->v.smax >= BC_MAX_VAR_OFF || reg->v.smin <= -BC_MAX_VAR_OFF) {
			bc_log(env, "invalid unbounded variable-offset%s stack R%d\n", what, regno);
			return -EACCES;
		}
		lo = reg->v.smin + off;
		hi = reg->v.smax + off + size;
	}
	if (lo < -BC_MAX_STACK || lo > -1)
		err = -EACCES;
	else if (hi > 0)
		err = -EINVAL;
	else if (size < 0)
		err = -EFAULT;
	if (err) {
		if (fixed)
			bc_log(env, "invalid%s stack R%d off=%d size=%d\n", what, regno, off, size);
		else
			bc_log(env, "invalid variable-offset%s stack R%d var_off=%s size=%d\n", what, regno,
			       bc_tnum_str(env, reg->v.t), size);
		return err;
	}
	return bc_frame_grow(env, frame_of(env, reg), (u32)-lo);
}

/*
 * Memory on the stack that a helper is given (or a read at a variable offset): every byte counts as read, and what a helper is given
 * it may write.
 */
int bc_check_stack_range(struct bpf_verifier_env *env, u32 regno, s32 off, s32 size, bool zero_ok, bool by_helper,
			 struct bpf_call_meta *meta)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bpf_func_state *f = frame_of(env, reg);
	bool fixed = bc_scalar_is_const(&reg->v);
	s32 i, lo, hi;
	int err;

	if (!size && !zero_ok) {
		bc_log(env, "invalid zero-sized read\n");
		return -EACCES;
	}
	err = within_stack(env, regno, off, size, by_helper, by_helper ? BC_WRITE : BC_READ);
	if (err)
		return err;
	lo = (s32)(fixed ? (s64)reg->v.t.value : reg->v.smin) + off;
	hi = (s32)(fixed ? (s64)reg->v.t.value : reg->v.smax) + off;
	/* at a variable offset no one can say which bytes the helper will have written */
	if (fixed && meta && meta->raw_mode) {
		err = check_no_dynptr(env, f, lo, lo + size);
		if (err)
			return err;
		meta->raw_size = size;
		meta->raw_regno = regno;
		return 0;
	}
	err = check_readable(env, f, lo, hi + size, by_helper ? " indirect read from" : " read from");
	if (err)
		return err;
	for (i = lo; i < hi + size; i++) {
		u32 slot = slot_of(i);
		struct bpf_stack_state *s = &f->stack[slot];
		u8 *type = byte_at(f, i);

		if (by_helper) {
			if (bc_spilled_reg(f, slot)) {
				spoil(s);
				bc_reg_unknown(&s->spilled);
			} else if (*type == STACK_ZERO || *type == STACK_INVALID) {
				*type = STACK_MISC;
			}
		}
		/* not marked as written: the helper need not write it */
		err = bc_mark_slot_read(env, env->cur, f->frameno, slot);
		if (err)
			return err;
	}
	return 0;
}

int bc_check_stack(struct bpf_verifier_env *env, u32 regno, s32 off, u32 bytes, enum bc_access access, int value_regno)
{
	struct bpf_reg_state *reg = &bc_cur_regs(env)[regno];
	struct bpf_func_state *f = frame_of(env, reg);
	bool fixed = bc_scalar_is_const(&reg->v);
	s32 lo, hi;
	int err;

	err = within_stack(env, regno, off, (s32)bytes, false, access);
	if (err)
		return err;
	if (fixed) {
		off += (s32)reg->v.t.value;
		if (access == BC_WRITE)
			return write_at(env, f, off, bytes, value_regno);
		return read_at(env, f, off, bytes, value_regno, regno);
	}
	if (access == BC_WRITE)
		return write_somewhere(env, f, reg, off, bytes, value_regno);
	if (value_regno < 0) {
		bc_log(env, "variable offset stack pointer cannot be passed into helper function; var_off=%s off=%d size=%d\n",
		       bc_tnum_str(env, reg->v.t), off, (s32)bytes);
		return -EACCES;
	}
	lo = (s32)reg->v.smin + off;
	hi = (s32)reg->v.smax + off;
	err = bc_check_stack_range(env, regno, off, (s32)bytes, false, false, NULL);
	if (err)
		return err;
	load_bytes(env, f, lo, hi + (s32)bytes, value_regno);
	return 0;
}
