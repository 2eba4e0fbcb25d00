/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The shape of the program before any of it is judged: where its functions start, that jumps stay within them, that everything can be
 * reached, and where paths meet. And after: how deep its stacks get.
 */
#include "internal.h"

static bool is_ldimm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL);
}

/* Refers to a function of the program: called, or taken the address of. */
static bool names_subprog(const struct bpf_insn *insn)
{
	return (is_call(insn) && insn->src_reg == BPF_PSEUDO_CALL) || (is_ldimm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC);
}

static s64 jump_target(const struct bpf_insn *insn, u32 idx)
{
	return (s64)idx + 1 + (insn->code == (BPF_JMP32 | BPF_JA) ? insn->imm : insn->off);
}

/* ---- functions ---- */

int bc_find_subprog(const struct bpf_verifier_env *env, u32 insn_idx)
{
	u32 lo = 0, hi = env->subprog_cnt;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (env->subprogs[mid].start == insn_idx)
			return (int)mid;
		if (env->subprogs[mid].start < insn_idx)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -ENOENT;
}

static int add_subprog(struct bpf_verifier_env *env, s64 start)
{
	u32 i;

	if (start < 0 || start >= env->insn_cnt) {
		bc_log(env, "call to invalid destination\n");
		return -EINVAL;
	}
	if (bc_find_subprog(env, (u32)start) >= 0)
		return 0;
	if (env->subprog_cnt >= BC_MAX_SUBPROGS) {
		bc_log(env, "too many subprograms\n");
		return -E2BIG;
	}
	for (i = env->subprog_cnt++; i && env->subprogs[i - 1].start > start; i--)
		env->subprogs[i].start = env->subprogs[i - 1].start;
	env->subprogs[i].start = (u32)start;
	return 0;
}

int bc_add_subprogs(struct bpf_verifier_env *env)
{
	u32 i;
	int err;

	err = add_subprog(env, 0);
	for (i = 0; !err && i < env->insn_cnt; i++) {
		if (names_subprog(&env->insns[i]))
			err = add_subprog(env, (s64)i + env->insns[i].imm + 1);
		else if (is_call(&env->insns[i]) && env->insns[i].src_reg == BPF_PSEUDO_KFUNC_CALL)
			err = bc_find_kfunc(env, i);
	}
	if (err)
		return err;
	env->subprogs[env->subprog_cnt].start = env->insn_cnt;
	if (env->log.level & BC_LOG_LEVEL2)
		for (i = 0; i < env->subprog_cnt; i++)
			bc_log(env, "func#%d @%d\n", i, env->subprogs[i].start);
	return 0;
}

static int check_jump_within(struct bpf_verifier_env *env, u32 idx, const struct bpf_subprog_info *sub)
{
	const struct bpf_insn *insn = &env->insns[idx];
	s64 target = jump_target(insn, idx);

	if (BPF_CLASS(insn->code) != BPF_JMP && BPF_CLASS(insn->code) != BPF_JMP32)
		return 0;
	if (BPF_OP(insn->code) == BPF_EXIT || BPF_OP(insn->code) == BPF_CALL)
		return 0;
	if (target >= sub[0].start && target < sub[1].start)
		return 0;
	bc_log(env, "jump out of range from insn %d to %d\n", idx, (s32)target);
	return -EINVAL;
}

/* No path leads from one function into another but by call and exit. */
int bc_check_subprogs(struct bpf_verifier_env *env)
{
	struct bpf_subprog_info *sub = env->subprogs;
	u32 i;
	int err;

	for (i = 0; i < env->insn_cnt; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		if (is_call(insn) && insn->imm == BPF_FUNC_tail_call && !insn->src_reg)
			sub->has_tail_call = true;
		if (BPF_CLASS(insn->code) == BPF_LD && (BPF_MODE(insn->code) == BPF_ABS || BPF_MODE(insn->code) == BPF_IND))
			sub->has_ld_abs = true;
		err = check_jump_within(env, i, sub);
		if (err)
			return err;
		if (i + 1 != sub[1].start)
			continue;
		if (insn->code != (BPF_JMP | BPF_EXIT) && insn->code != (BPF_JMP32 | BPF_JA) && insn->code != (BPF_JMP | BPF_JA)) {
			bc_log(env, "last insn is not an exit or jmp\n");
			return -EINVAL;
		}
		sub++;
	}
	return 0;
}

/* ---- the control-flow graph ---- */

enum { CFG_NEW = 0, CFG_ON_PATH = 1, CFG_DONE = 2 };

struct edge {
	s64 to;
	bool branch;		/* leads elsewhere than on: paths meet there */
	bool may_loop;
};

/* Marks a place where control may arrive from elsewhere. */
static void mark_target(struct bpf_verifier_env *env, s64 idx)
{
	if (idx < 0 || idx >= env->insn_cnt)
		return;
	env->aux[idx].prune_point = true;
	env->aux[idx].jmp_point = true;
}

static u32 edges_of_call(struct bpf_verifier_env *env, u32 idx, struct edge *e)
{
	const struct bpf_insn *insn = &env->insns[idx];
	u32 len = is_ldimm64(insn) ? 2 : 1;

	e[0].to = (s64)idx + len;
	mark_target(env, e[0].to);
	if (is_call(insn) && !insn->src_reg && bc_helper_calls_back(insn->imm)) {
		env->aux[idx].prune_point = true;
		env->aux[idx].jmp_point = true;
		env->aux[idx].callback_point = true;
	}
	/* before the call is judged: else its callback would be put off again and again */
	if (is_call(insn) && !insn->src_reg && insn->imm == BPF_FUNC_timer_set_callback)
		env->aux[idx].prune_point = true;
	if (!names_subprog(insn))
		return 1;
	env->aux[idx].prune_point = true;
	e[1].to = (s64)idx + insn->imm + 1;
	e[1].branch = true;
	/* that a function is reached again through its address is found on the walk */
	e[1].may_loop = is_ldimm64(insn);
	return 2;
}

static bool is_branching(const struct bpf_insn *insn)
{
	return BPF_CLASS(insn->code) == BPF_JMP || BPF_CLASS(insn->code) == BPF_JMP32 || is_ldimm64(insn);
}

/* Where control goes from an instruction: none, one or two ways; or an error. */
static int edges_of(struct bpf_verifier_env *env, u32 idx, struct edge *e)
{
	const struct bpf_insn *insn = &env->insns[idx];

	memset(e, 0, 2 * sizeof(*e));
	if (!is_branching(insn)) {
		e[0].to = (s64)idx + 1;
		return 1;
	}
	if (is_ldimm64(insn) && insn->src_reg == BPF_PSEUDO_FUNC)
		return edges_of_call(env, idx, e);
	if (is_ldimm64(insn)) {
		e[0].to = (s64)idx + 2;
		return 1;
	}
	switch (BPF_OP(insn->code)) {
	case BPF_EXIT:
		return 0;
	case BPF_CALL:
		return edges_of_call(env, idx, e);
	case BPF_JA:
		if (BPF_SRC(insn->code) != BPF_K)
			return -EINVAL;
		e[0].to = jump_target(insn, idx);
		e[0].may_loop = true;
		mark_target(env, e[0].to);
		return 1;
	default:
		env->aux[idx].prune_point = true;
		e[0].to = (s64)idx + 1;
		e[0].may_loop = true;
		e[1].to = jump_target(insn, idx);
		e[1].may_loop = true;
		e[1].branch = true;
		return 2;
	}
}

/* 1: the edge's end is to be visited first; 0: nothing to do; or an error. */
static int follow(struct bpf_verifier_env *env, u32 from, const struct edge *e)
{
	if (e->to < 0 || e->to >= env->insn_cnt) {
		bc_log_source_at(env, from);
		bc_log(env, "jump out of range from insn %d to %d\n", from, (s32)e->to);
		return -EINVAL;
	}
	if (e->branch)
		mark_target(env, e->to);
	if (env->aux[e->to].cfg_state == CFG_NEW)
		return 1;
	if (env->aux[e->to].cfg_state == CFG_DONE || e->may_loop)
		return 0;
	bc_log_source_at(env, from);
	bc_log_source_at(env, (u32)e->to);
	bc_log(env, "back-edge from insn %d to %d\n", from, (s32)e->to);
	return -EINVAL;
}

static int visit_all(struct bpf_verifier_env *env, u32 *path)
{
	struct edge e[2];
	u32 depth = 1, steps = 0;
	int cnt, i, err = 0;

	env->aux[0].cfg_state = CFG_ON_PATH;
	path[0] = 0;
	while (depth) {
		u32 idx = path[depth - 1];

		/* most only lead on: back from there, they are done */
		if (env->aux[idx].cfg_edges && !is_branching(&env->insns[idx])) {
			env->aux[idx].cfg_state = CFG_DONE;
			depth--;
			continue;
		}
		cnt = edges_of(env, idx, e);
		if (cnt < 0)
			return cnt;
		for (i = env->aux[idx].cfg_edges; i < cnt; i++) {
			err = follow(env, idx, &e[i]);
			if (err < 0)
				return err;
			env->aux[idx].cfg_edges++;
			if (err)
				break;
		}
		if (i < cnt) {
			env->aux[e[i].to].cfg_state = CFG_ON_PATH;
			path[depth++] = (u32)e[i].to;
		} else {
			env->aux[idx].cfg_state = CFG_DONE;
			depth--;
		}
		err = ++steps % 64 ? 0 : port_poll();
		if (err)
			return err;
	}
	return 0;
}

int bc_check_cfg(struct bpf_verifier_env *env)
{
	/* every instruction is on the path once at most */
	u32 *path = port_zalloc(env->insn_cnt * sizeof(*path));
	u32 i;
	int err;

	if (!path)
		return -ENOMEM;
	err = visit_all(env, path);
	port_free(path);
	for (i = 0; !err && i < env->insn_cnt; i++) {
		if (env->aux[i].cfg_state != CFG_DONE) {
			bc_log(env, "unreachable insn %d\n", i);
			return -EINVAL;
		}
		if (!is_ldimm64(&env->insns[i]))
			continue;
		if (i + 1 < env->insn_cnt && env->aux[i + 1].cfg_state != CFG_NEW) {
			bc_log(env, "jump into the middle of ldimm64 insn %d\n", i);
			return -EINVAL;
		}
		i++;
	}
	return err;
}

/* ---- who moves the packet ---- */

static bool may_move_packet(const struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	const struct bc_func_proto *proto;

	if (names_subprog(insn))
		return env->subprogs[env->aux[idx].subprogno].moves_packet;
	if (!is_call(insn) || insn->src_reg)
		return false;
	proto = bc_prog_func_proto(env, (u32)insn->imm);
	return proto && (proto->changes_pkt_data || insn->imm == BPF_FUNC_tail_call);
}

/*
 * A global function is not walked into where it is called, so what it does to the packet is found beforehand: what its instructions do, reached
 * or not, and what those do that it calls or hands out as callbacks. Linux since 6.13 (CVE-2024-58098).
 */
int bc_find_packet_movers(struct bpf_verifier_env *env)
{
	bool again = false;
	u32 i, sub;
	int err;

	for (sub = 1; sub < env->subprog_cnt; sub++)
		again |= env->subprogs[sub].is_global;
	while (again) {
		err = port_poll();
		if (err)
			return err;
		again = false;
		for (sub = env->subprog_cnt; sub-- > 0;) {
			struct bpf_subprog_info *s = &env->subprogs[sub];

			for (i = s->start; !s->moves_packet && i < s[1].start; i++) {
				s->moves_packet = may_move_packet(env, i);
				again |= s->moves_packet;
				i += is_ldimm64(&env->insns[i]);
			}
		}
	}
	return 0;
}

/* ---- stack depth ---- */

static u32 frame_bytes(const struct bpf_subprog_info *sub)
{
	/* Linux counts in the granularity of its interpreter's stacks */
	return (max(sub->stack_depth, 1u) + 31) / 32 * 32;
}

struct chain {
	u32 sub[BC_MAX_CALL_FRAMES];	/* functions along the chain of calls */
	u32 at[BC_MAX_CALL_FRAMES];	/* the next instruction to look at in each */
	u32 cnt;
	u32 bytes;
	bool tail_call;
};

static int enter(struct bpf_verifier_env *env, struct chain *c, u32 sub)
{
	u32 i;

	if (c->cnt >= BC_MAX_CALL_FRAMES) {
		bc_log(env, "the call stack of %d frames is too deep !\n", c->cnt);
		return -E2BIG;
	}
	/* a tail call leaves its callers' frames where they are, 33 times over */
	if (sub && env->subprogs[sub].has_tail_call && c->bytes >= 256) {
		bc_log(env, "tail_calls are not allowed when call stack of previous frames is %d bytes. Too large\n", c->bytes);
		return -EACCES;
	}
	c->bytes += frame_bytes(&env->subprogs[sub]);
	if (c->bytes > BC_MAX_STACK) {
		bc_log(env, "combined stack size of %d calls is %d. Too large\n", c->cnt + 1, c->bytes);
		return -EACCES;
	}
	c->sub[c->cnt] = sub;
	c->at[c->cnt++] = env->subprogs[sub].start;
	/* the program that is called in its place would return to the helper */
	for (i = 0; env->subprogs[sub].has_tail_call && i < c->cnt; i++) {
		if (!env->subprogs[c->sub[i]].is_callback)
			continue;
		bc_log(env, "cannot tail call within callback\n");
		return -EINVAL;
	}
	return 0;
}

/* The next call in the function at the chain's end; its target, or -1 (none), or another error. */
static int next_callee(struct bpf_verifier_env *env, struct chain *c)
{
	u32 *at = &c->at[c->cnt - 1], end = env->subprogs[c->sub[c->cnt - 1] + 1].start;

	while (*at < end) {
		const struct bpf_insn *insn = &env->insns[(*at)++];
		int callee;

		if (!names_subprog(insn))
			continue;
		callee = bc_find_subprog(env, *at + insn->imm);
		if (callee < 0 || !env->subprogs[callee].is_async_cb)
			return callee;
		if (env->subprogs[callee].has_tail_call) {
			bc_log(env, "verifier bug. subprog has tail_call and async cb\n");
			return -EFAULT;
		}
		/* what runs by itself begins on a stack of its own, unless it is called, too (of helpers that call it Linux 6.1 is not aware) */
		if (is_call(insn) || env->subprogs[callee].is_sync_cb)
			return callee;
	}
	return -1;
}

static int check_depth_from(struct bpf_verifier_env *env, u32 sub)
{
	struct chain c;
	int callee, err;
	u32 i;

	memset(&c, 0, sizeof(c));
	err = enter(env, &c, sub);
	while (!err && c.cnt) {
		callee = next_callee(env, &c);
		if (callee < -1)
			return callee;
		if (callee >= 0) {
			if (env->subprogs[callee].has_tail_call)
				c.tail_call = true;
			err = enter(env, &c, (u32)callee);
			if (!err)
				err = port_poll();
			continue;
		}
		c.cnt--;
		if (c.tail_call)
			for (i = 0; i < c.cnt; i++)
				env->subprogs[c.sub[i]].tail_call_reachable = true;
		c.bytes -= frame_bytes(&env->subprogs[c.sub[c.cnt]]);
	}
	return err;
}

int bc_check_stack_depth(struct bpf_verifier_env *env)
{
	int err = check_depth_from(env, 0);
	u32 i;

	for (i = 1; !err && i < env->subprog_cnt; i++)
		if (env->subprogs[i].is_async_cb)
			err = check_depth_from(env, i);
	return err;
}
