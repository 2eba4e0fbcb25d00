// SPDX-License-Identifier: GPL-2.0-only
/*
 * Steps with what is kept with maps: references to kernel objects in values, and storage of tasks, sockets and cgroups.
 */
#include "gen.h"
#include "types.h"

#define OWNED	8	/* where the values of GEN_KPTR and GEN_KPTR_PERCPU own an object; those of GEN_KEPT do at 0 */
#define BORROWED 16	/* ... and where they point to one that they do not own */

static void over(struct gen *g, int label)
{
	place(g, label);
	g->f.nums &= ~0x3f;
	MOVI(0, some_imm(g));
	g->f.nums |= 1;
	some_numbers(g);
}

/* ---- objects ---- */

/* What the register points to is looked at. */
static void look(struct gen *g, int reg)
{
	static const u8 members[] = { 0, 4, 8, 12, 24 };

	if (chance(g, 60))
		emit(g, LD_MEM(4), 1, reg, members[rnd(g, ARRAY_SIZE(members))], 0);
	else if (chance(g, 50))
		emit(g, LD_MEM(8), 1, reg, 16, 0);
	else
		emit(g, LD_MEM(1), 1, reg, chance(g, 95) ? rnd(g, 28) : 60, 0);
}

/* r8: a value that may own an object, which lies at what this returns. */
static s32 owner(struct gen *g, int none)
{
	u32 pick = rnd(g, 10);

	g->f.nums &= ~(3u << 8);
	if (pick < 3) {
		load_value_of(g, 8, GEN_KEPT, 0);
		g->f.nums &= ~(1 << 8);
		return 0;
	}
	lookup(g, pick < 8 ? GEN_KPTR : GEN_KPTR_PERCPU);
	if (chance(g, 98))
		JI(BPF_JEQ, 0, 0, none);
	MOV(8, 0);
	return OWNED;
}

static void exchange(struct gen *g, s32 at, int with)
{
	MOV(1, 8);
	if (chance(g, 3))	/* another's place, or none */
		at = chance(g, 60) ? BORROWED : 4 * (s32)rnd(g, 6);
	if (at)
		ADDI(1, at);
	if (with >= 0)
		MOV(2, with);
	else
		MOVI(2, chance(g, 98) ? 0 : 1);
	helper(g, BPF_FUNC_kptr_xchg);
	g->f.nums &= ~1;
}

static void give_back(struct gen *g, int reg)
{
	MOV(1, reg);
	call_kfunc(g, GEN_KF_RELEASE);
}

/* The object in r0, if it is one, is looked at and given back. */
static void end_of(struct gen *g)
{
	int nothing = new_label(g);

	if (chance(g, 97))
		JI(BPF_JEQ, 0, 0, nothing);
	if (chance(g, 40)) {
		MOV(9, 0);
		look(g, 9);
		give_back(g, 9);
		if (chance(g, 3))
			look(g, 9);
	} else if (chance(g, 97)) {
		give_back(g, 0);
	}
	place(g, nothing);
}

/* r9: an object that is held; away to the label where there is none. */
static void hold(struct gen *g, s32 at, int none)
{
	switch (rnd(g, 5)) {
	case 0:		/* what the map owns, too */
		MOV(1, 8);
		if (at)
			ADDI(1, at);
		MOVI(2, some_imm(g));
		MOVI(3, 1);
		call_kfunc(g, GEN_KF_KPTR_GET);
		break;
	case 1:
		exchange(g, at, -1);
		break;
	default:
		emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER, 0);
		stack_pointer(g, 1, BUFFER);
		call_kfunc(g, GEN_KF_ACQUIRE);
	}
	if (chance(g, 98))
		JI(BPF_JEQ, 0, 0, none);
	MOV(9, 0);
}

static void put_object(struct gen *g, s32 at, int none)
{
	int other = -1, join = -1;

	hold(g, at, none);
	if (chance(g, 40))
		look(g, 9);
	if (chance(g, 15) && at == OWNED)	/* the map's value may point to what it does not own */
		emit(g, STX_MEM(8), 8, 9, BORROWED, 0);
	if (chance(g, 3))	/* lost */
		return;
	if (chance(g, 4)) {		/* the next one is not held */
		MOV(1, 8);
		if (at)
			ADDI(1, at);
		emit(g, LD_MEM(8), 2, 9, 16, 0);
		helper(g, BPF_FUNC_kptr_xchg);
		end_of(g);
		give_back(g, 9);
		return;
	}
	if (chance(g, 4))
		ADDI(9, 8);
	if (chance(g, 15) && g->f.nums) {	/* into the map on one of two ways, back on the other */
		other = new_label(g);
		join = new_label(g);
		JI(BPF_JGT, num(g), some_imm(g), other);
	}
	exchange(g, at, 9);
	end_of(g);
	if (chance(g, 5))	/* it is the map's now */
		chance(g, 50) ? look(g, 9) : give_back(g, 9);
	if (other < 0)
		return;
	jump(g, BPF_JMP | BPF_JA, 0, 0, 0, join);
	place(g, other);
	if (chance(g, 90))
		give_back(g, 9);
	place(g, join);
}

/* What a map owns, without taking it: of use for reading alone. */
static void borrow(struct gen *g, s32 at, int none)
{
	if (at == OWNED && chance(g, 40))
		at = BORROWED;
	emit(g, LD_MEM(8), 9, 8, chance(g, 97) ? at : at + 4, 0);
	if (chance(g, 95))
		JI(BPF_JEQ, 9, 0, none);
	switch (rnd(g, 12)) {
	case 0:
		MOV(1, 9);
		call_kfunc(g, chance(g, 50) ? GEN_KF_REF : GEN_KF_RELEASE);
		break;
	case 1:
		emit(g, STX_MEM(8), 8, 9, at, 0);
		break;
	case 2:
		exchange(g, at, 9);
		end_of(g);
		break;
	default:
		look(g, 9);
	}
}

/* A helper writes into the value, beside what is kept there. */
static void write_beside(struct gen *g, s32 at)
{
	u32 from = (at == OWNED ? BORROWED : at) + 8, room = GEN_VALUE - from;

	MOVI(2, chance(g, 95) ? rnd(g, room) + 1 : room + 1);
	MOV(1, 8);
	ADDI(1, chance(g, 93) ? from : from - 1 - rnd(g, 8));
	MOVI(3, 0);
	helper(g, BPF_FUNC_probe_read_kernel);
}

void step_owned(struct gen *g)
{
	bool held = g->f.held, calls = g->p->type == BPF_PROG_TYPE_SCHED_CLS || g->p->type == BPF_PROG_TYPE_TRACING;
	int none = new_label(g);
	s32 at;

	/* programs of other types cannot give back what they take */
	if (held || (!calls && chance(g, 95)))
		return;
	at = owner(g, none);
	g->f.held = true;
	switch (rnd(g, 8)) {
	case 0:
	case 1:
		exchange(g, at, -1);
		end_of(g);
		break;
	case 2:
		borrow(g, at, none);
		break;
	case 3:
		if (chance(g, 90))
			write_beside(g, at);
		else
			emit(g, ST_MEM(8), 8, 0, at, 0);
		break;
	default:
		put_object(g, at, none);
	}
	g->f.held = held;
	g->f.nums &= ~(3u << 8);
	over(g, none);
}

/* Kernel functions that are rarer. */
void step_more_kfuncs(struct gen *g)
{
	int none = new_label(g);
	u32 i;

	if ((g->p->type != BPF_PROG_TYPE_SCHED_CLS && g->p->type != BPF_PROG_TYPE_TRACING) || g->f.held)
		return;
	if (chance(g, 40) || g->p->type != BPF_PROG_TYPE_SCHED_CLS || !g->f.has_ctx) {
		call_kfunc(g, GEN_KF_DESTROY);
		over(g, none);
		return;
	}
	g->f.nums &= ~0x3f;
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	emit(g, LD_MEM(8), 1, 1, offsetof(struct __sk_buff, sk), 0);
	JI(BPF_JEQ, 1, 0, none);
	helper(g, BPF_FUNC_sk_fullsock);
	JI(BPF_JEQ, 0, 0, none);
	MOV(1, 0);
	for (i = 2; i < 6; i++)
		MOVI(i, some_imm(g));
	call_kfunc(g, GEN_KF_SUM4);
	over(g, none);
}

/* ---- storage ---- */

/* r2 is the owner. Its element is asked for, maybe made; or taken away. */
static void element(struct gen *g, enum gen_map map, s32 get, s32 delete, int none)
{
	u32 width = 1 << rnd(g, 4), off = rnd(g, GEN_VALUE / width) * width, i;

	if (delete && chance(g, 20)) {
		load_map(g, 1, chance(g, 97) ? map : GEN_HASH);
		helper(g, delete);
		return;
	}
	if (chance(g, 60)) {
		MOVI(3, 0);
	} else if (g->f.base == BASE_VALUE && chance(g, 40)) {
		MOV(3, 6);
	} else {
		for (i = 0; i < GEN_VALUE / 8; i++)
			if (chance(g, 99))
				emit(g, ST_MEM(8), BPF_REG_10, 0, BUFFER + 8 * (s16)i, some_imm(g));
		stack_pointer(g, 3, BUFFER);
	}
	MOVI(4, chance(g, 65) ? BPF_LOCAL_STORAGE_GET_F_CREATE : chance(g, 90) ? 0 : some_imm(g));
	load_map(g, 1, chance(g, 97) ? map : rnd(g, GEN_MAPS));
	helper(g, get);
	g->f.nums &= ~1;
	if (chance(g, 97))
		JI(BPF_JEQ, 0, 0, none);
	access_mem(g, 0, chance(g, 97) ? off : GEN_VALUE - width + 1, width);
}

static void of_task(struct gen *g, int none)
{
	helper(g, BPF_FUNC_get_current_task_btf);
	MOV(2, 0);
	if (chance(g, 3))
		ADDI(2, 8);
	element(g, GEN_TASKS, BPF_FUNC_task_storage_get, BPF_FUNC_task_storage_delete, none);
}

static void of_packets_socket(struct gen *g, int none)
{
	emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
	emit(g, LD_MEM(8), 2, 1, offsetof(struct __sk_buff, sk), 0);
	if (chance(g, 97))
		JI(BPF_JEQ, 2, 0, none);
	if (chance(g, 50)) {
		MOV(1, 2);
		helper(g, BPF_FUNC_sk_fullsock);
		JI(BPF_JEQ, 0, 0, none);
		MOV(2, 0);
	}
	element(g, GEN_SOCKS, BPF_FUNC_sk_storage_get, BPF_FUNC_sk_storage_delete, none);
}

static void of_cgroup(struct gen *g)
{
	u32 width = 1 << rnd(g, 4), off = rnd(g, GEN_VALUE / width) * width;

	load_map(g, 1, GEN_CGROUP);
	MOVI(2, chance(g, 95) ? 0 : some_imm(g));
	helper(g, BPF_FUNC_get_local_storage);
	g->f.nums &= ~1;
	access_mem(g, 0, chance(g, 95) ? off : GEN_VALUE - width + 1, width);
}

void step_storage(struct gen *g)
{
	int none = new_label(g);

	if (!g->f.has_ctx)
		return;
	g->f.nums &= ~0x3e;
	switch (g->p->type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_XDP:
		break;
	case BPF_PROG_TYPE_CGROUP_SOCK:
		if (chance(g, 40)) {
			of_cgroup(g);
			break;
		}
		emit(g, LD_MEM(8), 2, BPF_REG_10, CTX_SLOT, 0);
		element(g, GEN_SOCKS, BPF_FUNC_sk_storage_get, 0, none);
		break;
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (chance(g, 50)) {
			of_cgroup(g);
			break;
		}
		/* fall through */
	case BPF_PROG_TYPE_SCHED_CLS:
		of_packets_socket(g, none);
		break;
	case BPF_PROG_TYPE_TRACING:
		if (g->p->attach_btf_id == KERNEL_READ && chance(g, 60)) {	/* a file may be one of a socket's */
			emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
			emit(g, LD_MEM(8), 1, 1, 0, 0);
			helper(g, BPF_FUNC_sock_from_file);
			JI(BPF_JEQ, 0, 0, none);
			emit(g, LD_MEM(8), 2, 0, 8, 0);
			element(g, GEN_SOCKS, BPF_FUNC_sk_storage_get, BPF_FUNC_sk_storage_delete, none);
			break;
		}
		if (g->p->attach_btf_id == KERNEL_CLOSE && chance(g, 80)) {
			emit(g, LD_MEM(8), 1, BPF_REG_10, CTX_SLOT, 0);
			emit(g, LD_MEM(8), 2, 1, 0, 0);
			element(g, GEN_SOCKS, BPF_FUNC_sk_storage_get, BPF_FUNC_sk_storage_delete, none);
			break;
		}
		/* fall through */
	default:
		of_task(g, none);
	}
	over(g, none);
}
