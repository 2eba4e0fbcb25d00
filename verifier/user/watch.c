/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Soundness, watched: keeps the states in which the verifier passed each instruction, and holds what the interpreter does against them. Where
 * nothing was pruned that is all registers and slots; else pointers where they are used, as what was pruned may differ in what is never relied
 * upon. Apart from that, every access must stay within what a program may touch, and control must go where the program as loaded goes.
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
	to->id = from->id;
	to->range = 0;
	to->mem_size = 0;
	to->ref = from->ref_obj_id;
	switch (BC_BASE_TYPE(from->type)) {
	case CONST_PTR_TO_MAP:
	case PTR_TO_MAP_VALUE:
	case PTR_TO_MAP_KEY:
		to->map = from->map;
		break;
	case PTR_TO_PACKET:
	case PTR_TO_PACKET_META:
		to->range = from->range;
		break;
	case PTR_TO_MEM:
		to->mem_size = from->mem_size;
		break;
	}
}

static void copy_slots(struct bcu_state *to, const struct bpf_func_state *from)
{
	struct bcu_slot *slot;
	u32 i, k;

	to->slot_cnt = 0;
	to->slots = NULL;
	for (i = 0; i < from->slot_cnt; i++) {
		for (k = 0; k < BC_REG_BYTES; k++)
			if (from->stack[i].slot_type[k] == STACK_SPILL || from->stack[i].slot_type[k] == STACK_ZERO ||
			    from->stack[i].slot_type[k] == STACK_DYNPTR)
				break;
		if (k == BC_REG_BYTES)
			continue;
		if (!to->slots)
			to->slots = malloc((from->slot_cnt - i) * sizeof(*to->slots));
		slot = &to->slots[to->slot_cnt++];
		slot->slot = i;
		memcpy(slot->type, from->stack[i].slot_type, BC_REG_BYTES);
		if (slot->type[0] == STACK_DYNPTR) {
			slot->dynptr = from->stack[i].spilled.dynptr_first ? from->stack[i].spilled.dynptr_type : 0;
			memset(&slot->spilled, 0, sizeof(slot->spilled));
			continue;
		}
		copy_reg(&slot->spilled, &from->stack[i].spilled);
		/* a register that went there in part is kept whole: of it the low bytes are there */
		for (k = 0; k < BC_REG_BYTES && slot->type[BC_REG_BYTES - 1 - k] == STACK_SPILL; k++)
			;
		if (k && k < BC_REG_BYTES && slot->spilled.type == SCALAR_VALUE)
			bc_scalar_truncate(&slot->spilled.v, k);
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
		p->loaded = malloc(env->insn_cnt * sizeof(*p->loaded));
		memcpy(p->loaded, env->insns, env->insn_cnt * sizeof(*p->loaded));
		p->complete = env->no_prune;
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

static void __attribute__((format(printf, 2, 3))) note(struct bcu *w, const char *fmt, ...)
{
	va_list ap;

	if (w->run->message[0])
		return;
	va_start(ap, fmt);
	vscnprintf(w->run->message, sizeof(w->run->message), fmt, ap);
	va_end(ap);
}

/* The access itself may bring the process down: the run ends here. */
static void stop(struct bcu *w)
{
	w->run->mem_violations++;
	longjmp(w->out_of_time, 1);
}

static void check_state(struct bcu *w, struct bcu_prog *p, u32 insn, const u64 *regs)
{
	const struct bcu_recorded *rec;
	u32 orig = p->v.aux[insn].orig_insn, i;
	int bad = 0;

	if (!p->recorded || orig >= p->recorded_cnt)
		return;
	/* Of several instructions that stand for one, the first begins as that one did. */
	if (insn && p->v.aux[insn - 1].orig_insn == orig)
		return;
	rec = &p->recorded[orig];
	if (!p->complete) {
		if (!rec->cnt) {
			w->run->state_violations++;
			note(w, "insn %u runs, and was never walked", orig);
		}
		return;
	}
	for (i = 0; i < rec->cnt; i++) {
		if (bcu_state_holds(w, &rec->states[i], regs, &bad))
			return;
	}
	w->run->state_violations++;
	note(w, "insn %u: none of %u states allows the registers; in the last one %s%d = 0x%llx does not fit", orig, rec->cnt,
	     bad < MAX_BPF_REG ? "r" : "slot ", bad < MAX_BPF_REG ? bad : bad - MAX_BPF_REG, bad < MAX_BPF_REG ? regs[bad] : 0);
}

/* What the program as loaded does after instruction @at. */
static s64 follow(const struct bpf_insn *insn, s64 at, const u64 *regs)
{
	u8 class = BPF_CLASS(insn->code);

	/* a load from a packet that fails leaves the function */
	if (class == BPF_LD && BPF_MODE(insn->code) != BPF_IMM)
		return -1;
	if (class != BPF_JMP && class != BPF_JMP32)
		return at + (insn->code == (BPF_LD | BPF_IMM | BPF_DW) ? 2 : 1);
	switch (BPF_OP(insn->code)) {
	case BPF_CALL:
	case BPF_EXIT:
		return -1;
	case BPF_JA:
		return at + 1 + (class == BPF_JMP32 ? insn->imm : insn->off);
	default:
		return at + 1 + (bcu_jump_taken(insn, regs) ? insn->off : 0);
	}
}

static bool is_jump(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && BPF_OP(insn->code) != BPF_CALL && BPF_OP(insn->code) != BPF_EXIT;
}

/* Branches that the verifier decided, and code that it took for dead: would the program as loaded have come here? */
static void check_way(struct bcu *w, struct bcu_prog *p, u32 insn, const u64 *regs)
{
	s64 here = p->v.aux[insn].orig_insn;

	if (!p->loaded)
		return;
	while (w->next_insn >= 0 && w->next_insn != here) {
		if (w->next_insn >= p->recorded_cnt || !is_jump(&p->loaded[w->next_insn])) {
			w->run->state_violations++;
			note(w, "insn %lld runs, where the program as loaded goes to %lld", here, w->next_insn);
			break;
		}
		w->next_insn = follow(&p->loaded[w->next_insn], w->next_insn, regs);
	}
	w->next_insn = follow(&p->loaded[here], here, regs);
}

/* Frames by their r10: one that is not known is a new callee's. */
static void track_frames(struct bcu *w, const struct bc_exec_prog *prog, u32 insn, u64 fp)
{
	u32 i;

	for (i = w->frame_cnt; i--; ) {
		if (w->frames[i].fp == fp) {
			while (w->frame_cnt > i + 1)
				bcu_dynptrs_of_frame(w, &w->frames[--w->frame_cnt]);
			return;
		}
	}
	if (w->frame_cnt == ARRAY_SIZE(w->frames))
		return;
	for (i = 0; i + 1 < prog->subprog_cnt && prog->subprogs[i + 1].start <= insn; i++)
		;
	w->frames[w->frame_cnt].base = prog->subprogs[i].is_global ? w->frame_cnt : w->frame_cnt ? w->frames[w->frame_cnt - 1].base : 0;
	w->frames[w->frame_cnt].fp = fp;
	w->frames[w->frame_cnt++].depth = round_up(prog->subprogs[i].stack_depth, 8);
}

static void check_access(struct bcu *w, const struct bc_exec_prog *prog, u32 idx, int reg, u32 size, const u64 *regs)
{
	const struct bpf_insn *insn = &prog->insns[idx];
	u64 addr = regs[reg] + (s64)insn->off;
	const struct bcu_recorded *rec;
	u32 orig = prog->aux[idx].orig_insn, i;

	if (!bcu_may_touch(w, addr, size)) {
		note(w, "insn %u (0x%02x): %u bytes at 0x%llx are none of the program's", orig, insn->code, size, addr);
		stop(w);
	}
	if (!bcu_kptr_access(w, addr, size, BPF_CLASS(insn->code) != BPF_LDX)) {
		note(w, "insn %u (0x%02x): %u bytes at 0x%llx of a kept pointer", orig, insn->code, size, addr);
		stop(w);
	}
	if (prog != &w->running->exec || !w->running->recorded || orig >= w->running->recorded_cnt)
		return;
	/* an access of a helper's that is done in place */
	if (w->running->loaded && w->running->loaded[orig].code != insn->code)
		return;
	rec = &w->running->recorded[orig];
	for (i = 0; i < rec->cnt; i++) {
		const struct bcu_reg *r = &rec->states[i].regs[reg];

		if (bcu_frame_is(w, rec->states[i].frame) && bcu_reg_holds(w, r, regs[reg]) && bcu_object_allows(w, r, addr, size))
			return;
	}
	note(w, "insn %u (0x%02x): %u bytes at 0x%llx lie in no object that r%d pointed to in %u states", orig, insn->code, size, addr, reg,
	     rec->cnt);
	stop(w);
}

/* Memory that a helper is given, by its prototype. */
static void check_helper(struct bcu *w, const struct bc_exec_prog *prog, u32 idx, const u64 *regs)
{
	const struct bc_func_proto *proto = bc_func_proto(prog->insns[idx].imm);
	const struct bcu_map *map = NULL;
	u64 size;
	int i;

	for (i = 0; proto && i < 5; i++) {
		switch (BC_ARG_TYPE(proto->arg[i])) {
		case BC_ARG_CONST_MAP_PTR:
			map = (const struct bcu_map *)(unsigned long)regs[i + 1];
			continue;
		case BC_ARG_MAP_KEY:
			size = map ? map->desc.key_size : 0;
			break;
		case BC_ARG_MAP_VALUE:
		case BC_ARG_UNINIT_MAP_VALUE:
			size = map ? map->desc.value_size : 0;
			break;
		case BC_ARG_MEM:
		case BC_ARG_UNINIT_MEM:
			size = i < 4 ? regs[i + 2] : 0;
			break;
		case BC_ARG_LONG:
			size = 8;
			break;
		case BC_ARG_DYNPTR:
			if (bcu_dynptr_arg(w, regs[i + 1], proto->arg[i]))
				continue;
			note(w, "insn %u: what lies at 0x%llx is no dynptr for %s", prog->aux[idx].orig_insn, regs[i + 1], proto->name);
			stop(w);
			continue;
		case BC_ARG_KPTR:
			if (bcu_kptr_arg(w, regs[i + 1]))
				continue;
			note(w, "insn %u: 0x%llx keeps no reference for %s", prog->aux[idx].orig_insn, regs[i + 1], proto->name);
			stop(w);
			continue;
		case BC_ARG_BTF_ID:
			if (!(proto->arg[i] & BC_ARG_RELEASE) || !regs[i + 1] || bcu_object_held(regs[i + 1]))
				continue;
			note(w, "insn %u: nothing is held at 0x%llx, given to %s", prog->aux[idx].orig_insn, regs[i + 1], proto->name);
			stop(w);
			continue;
		default:
			continue;
		}
		if (!size || (!regs[i + 1] && (proto->arg[i] & BC_ARG_OR_NULL)))
			continue;
		if (size <= U32_MAX && bcu_may_touch(w, regs[i + 1], size) && !bcu_has_kptr(w, regs[i + 1], size))
			continue;
		note(w, "insn %u: %llu bytes at 0x%llx, given to %s, are none of the program's", prog->aux[idx].orig_insn, size, regs[i + 1],
		     proto->name);
		stop(w);
	}
}

/* Over a dynptr: one of a record must stay, another is gone. */
static void check_store(struct bcu *w, const struct bc_exec_prog *prog, u32 idx, u32 size, const u64 *regs)
{
	const struct bpf_insn *insn = &prog->insns[idx];
	struct bcu_dynptr *d;

	while ((d = bcu_dynptr_at(w, regs[insn->dst_reg] + (s64)insn->off, size))) {
		if (d->record) {
			note(w, "insn %u: written over the dynptr of a record", prog->aux[idx].orig_insn);
			stop(w);
		}
		bcu_dynptr_gone(w, d->at);
	}
}

static void check_insn(struct bcu *w, const struct bc_exec_prog *prog, u32 idx, const u64 *regs)
{
	static const u8 sizes[] = { [BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8 };
	const struct bpf_insn *insn = &prog->insns[idx];

	switch (BPF_CLASS(insn->code)) {
	case BPF_LDX:
		if (bcu_dynptr_at(w, regs[insn->src_reg] + (s64)insn->off, sizes[BPF_SIZE(insn->code) >> 3])) {
			note(w, "insn %u: bytes of a dynptr are read", prog->aux[idx].orig_insn);
			stop(w);
		}
		if (!prog->aux[idx].probe_mem)
			check_access(w, prog, idx, insn->src_reg, sizes[BPF_SIZE(insn->code) >> 3], regs);
		break;
	case BPF_ST:
	case BPF_STX:
		check_store(w, prog, idx, sizes[BPF_SIZE(insn->code) >> 3], regs);
		check_access(w, prog, idx, insn->dst_reg, sizes[BPF_SIZE(insn->code) >> 3], regs);
		break;
	case BPF_JMP:
		if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg)
			check_helper(w, prog, idx, regs);
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL &&
		    !bcu_kfunc_args(w, prog->aux[idx].map_off, regs)) {
			note(w, "insn %u: what %s is given is none of the program's", prog->aux[idx].orig_insn,
			     bc_kfuncs[prog->aux[idx].map_off].name);
			stop(w);
		}
		break;
	}
}

static void trace(void *arg, const struct bc_exec_area *area, u32 insn, const u64 *regs)
{
	struct bcu *w = arg;

	if (w->run->max_insns && w->run->insns >= w->run->max_insns)
		longjmp(w->out_of_time, 1);
	w->run->insns++;
	track_frames(w, area->prog, insn, regs[BPF_REG_10]);
	if (area->prog == &w->running->exec) {
		check_way(w, w->running, insn, regs);
		check_state(w, w->running, insn, regs);
	}
	check_insn(w, area->prog, insn, regs);
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
