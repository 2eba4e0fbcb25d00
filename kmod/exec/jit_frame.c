/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The code generator's frames: what a (sub)program saves and gives back, how C and tail calls enter it, and the branches that leave its code.
 */
#include "jit_emit.h"

/* ---- what leaves the image ---- */

static void add_reloc(struct jit *j, u64 target)
{
	struct bc_jit_image *img = j->img;
	struct bc_jit_reloc *more;
	u32 room;

	if (j->out) {
		if (img->reloc_cnt == img->reloc_room) {
			room = img->reloc_room ? img->reloc_room * 2 : 16;
			more = port_realloc(img->relocs, img->reloc_room * sizeof(*more), room * sizeof(*more));
			if (!more) {
				j->failed = true;
				return;
			}
			img->relocs = more;
			img->reloc_room = room;
		}
		img->relocs[img->reloc_cnt].at = j->pos;
		img->relocs[img->reloc_cnt++].target = target;
	}
	emit32(j, 0);
}

/* Of the registers that may hold a target only r11 and rax are never an argument; r11 is one for the loads that may fault. */
void jit_call(struct jit *j, u64 target)
{
	if (!j->env->calls_far) {
		emit(j, 0xe8);
		add_reloc(j, target);
		return;
	}
	x_opcode(j, W, 0xb8 | (R10 & 7), 0, 0, R10);
	emit64(j, target);
	x_rr(j, 0, 0xff, 2, R10);
}

static void jump_out(struct jit *j, u64 target)
{
	emit(j, 0xe9);
	add_reloc(j, target);
}

/* Speculation that takes the return address for what it was ends in a loop of pauses. */
static void retpoline_r11(struct jit *j)
{
	static const u8 call_and_loop[] = { 0xe8, 7, 0, 0, 0, 0xf3, 0x90, 0x0f, 0xae, 0xe8, 0xeb, 0xf9 };
	u32 i;

	for (i = 0; i < sizeof(call_and_loop); i++)
		emit(j, call_and_loop[i]);
	x_rm(j, W, 0x89, R11, RSP, 0);
	emit(j, 0xc3);
}

static void jump_r11(struct jit *j)
{
	if (j->env->retpolines)
		retpoline_r11(j);
	else if (j->env->indirect_thunk_r11)
		jump_out(j, j->env->indirect_thunk_r11);
	else
		x_rr(j, 0, 0xff, 4, R11);
	emit(j, 0xcc);		/* nothing is to be speculated behind it */
}

static void landing_pad(struct jit *j)
{
	if (j->env->landing_pads)
		emit32(j, 0xfa1e0ff3);		/* endbr64 */
}

/* ---- frames ---- */

bool jit_keeps_r12(const struct jit_sub *sub)
{
	return sub->frame != FRAME_SUB && sub->stack;
}

/* Registers pushed behind rbp. */
static u32 pushes(const struct jit_sub *sub)
{
	return jit_keeps_r12(sub) + (sub->saves & 1) + (sub->saves >> 1 & 1) + (sub->saves >> 2 & 1) + (sub->saves >> 3 & 1);
}

static bool padded(const struct jit *j)
{
	return j->env->align_calls && j->sub->calls && pushes(j->sub) & 1;
}

static void save_registers(struct jit *j)
{
	int i;

	for (i = 0; i < 4; i++)
		if (j->sub->saves & 1 << i)
			x_push(j, jit_reg(BPF_REG_6 + i));
	if (padded(j))
		x_ri(j, W, 5, RSP, 8);
}

static void restore_registers(struct jit *j)
{
	int i;

	if (padded(j))
		x_ri(j, W, 0, RSP, 8);
	for (i = 3; i >= 0; i--)
		if (j->sub->saves & 1 << i)
			x_pop(j, jit_reg(BPF_REG_6 + i));
}

/* r12 by the bytes of this frame's BPF stack up, or down again. */
static void move_frame(struct jit *j, bool up)
{
	if (j->sub->depth && j->sub->stack)
		x_ri(j, W, up ? 0 : 5, R12, j->sub->depth);
}

/*
 * A callback that is called by instructions, too, is a subprogram like others, and C enters it through a frame of its own.
 */
static void callback_thunk(struct jit *j)
{
	u32 call;

	j->sub->callback_entry = j->pos;
	landing_pad(j);
	x_push(j, RBP);
	x_mov(j, true, RBP, RSP);
	x_push(j, R12);
	if (j->env->align_calls)
		x_push(j, R12);
	x_mov(j, true, R12, R9);
	emit(j, 0xe8);
	call = j->pos;
	emit32(j, 0);
	if (j->env->align_calls)
		x_pop(j, R12);
	x_pop(j, R12);
	x_pop(j, RBP);
	if (j->env->return_thunk)
		jump_out(j, j->env->return_thunk);
	else
		emit(j, 0xc3);
	emit(j, 0xcc);
	if (j->out) {
		u32 dist = j->pos - (call + 4);

		memcpy(j->out + call, &dist, sizeof(dist));
	}
}

void jit_prologue(struct jit *j)
{
	struct jit_sub *sub = j->sub;

	if (sub->callback && sub->frame == FRAME_SUB)
		callback_thunk(j);
	sub->entry = j->pos;
	if (sub->frame == FRAME_CALLBACK)
		sub->callback_entry = j->pos;
	if (sub->frame != FRAME_SUB)
		landing_pad(j);
	x_push(j, RBP);
	x_mov(j, true, RBP, RSP);
	if (jit_keeps_r12(sub)) {
		x_push(j, R12);
		x_mov(j, true, R12, sub->frame == FRAME_MAIN ? RSI : R9);
	}
	if (sub->frame == FRAME_MAIN) {
		if (j->img->has_tail_call) {
			x_cpu(j, 0, 0xc7, 0, offsetof(struct bc_jit_cpu, tail_calls));
			emit32(j, BC_MAX_TAIL_CALLS);
		}
		/* Tail calls come with rbp and r12 saved, and r12 where this program's frame begins. */
		if (jit_keeps_r12(sub)) {
			j->img->tail_off = j->pos;
			landing_pad(j);
		}
	}
	move_frame(j, true);
	save_registers(j);
}

void jit_epilogue(struct jit *j)
{
	restore_registers(j);
	if (jit_keeps_r12(j->sub))
		x_pop(j, R12);
	else
		move_frame(j, false);
	x_pop(j, RBP);
	if (j->env->return_thunk)
		jump_out(j, j->env->return_thunk);
	else
		emit(j, 0xc3);
	emit(j, 0xcc);
}

/* To a place of the image: the offset known from the pass before is final in the last one. */
void jit_distance_to(struct jit *j, u32 offset)
{
	emit32(j, offset - (j->pos + 4));
}

/* ---- tail calls ---- */

/*
 * bpf_tail_call: the target takes this frame's place. The main program's frame has the shape that the target's will have; a subprogram's
 * gets it here, and is one more frame on both stacks for as long as the chain lasts: so both are asked.
 */
void jit_tail_call(struct jit *j, const struct bc_insn_aux *aux)
{
	s64 entry = j->env->entries_off + 8 * (s64)aux->map_off;
	bool from_main = j->sub->frame != FRAME_SUB, one = aux->one_index && fits32(entry) && !j->env->blind;
	u32 none[6], used_up, n = 0;

	if (!one) {
		x_mov(j, false, R10, RDX);
		x_rm(j, 0, 0x3b, R10, RSI, offsetof(struct bc_map_desc, max_entries));
		none[n++] = x_ahead(j, CC_AE);
	}
	x_cpu(j, 0, 0xff, 1, offsetof(struct bc_jit_cpu, tail_calls));		/* dec */
	used_up = x_ahead(j, CC_S);
	if (one)
		x_rm(j, W, 0x8b, R11, RSI, entry);
	else
		x_rx_disp(j, W, 0x8b, R11, RSI, R10, 3, j->env->entries_off);
	x_rr(j, W, 0x85, R11, R11);
	none[n++] = x_ahead(j, CC_E);
	if (!from_main) {
		x_cpu(j, W, 0x3b, RSP, offsetof(struct bc_jit_cpu, stack_limit));
		none[n++] = x_ahead(j, CC_B);
		x_cpu(j, W, 0x3b, R12, offsetof(struct bc_jit_cpu, area_limit));
		none[n++] = x_ahead(j, CC_A);
	}
	restore_registers(j);
	move_frame(j, false);
	if (!from_main)
		x_push(j, R12);
	jump_r11(j);
	/* However often a program tries again. */
	x_here(j, used_up);
	x_cpu(j, 0, 0xc7, 0, offsetof(struct bc_jit_cpu, tail_calls));
	emit32(j, 0);
	while (n)
		x_here(j, none[--n]);
}

/* A program without BPF stack has saved nothing but rbp, so what tail calls saved beside it is dropped. */
void jit_stackless_tail_entry(struct jit *j)
{
	j->img->tail_off = j->pos;
	landing_pad(j);
	x_pop(j, R12);
	save_registers(j);
	emit(j, 0xe9);
	jit_distance_to(j, j->img->insn_off[0]);
}
