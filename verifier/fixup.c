/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Turns a verified program into the one that runs: drops what no path reaches, decides branches that only ever go one way, gives map and
 * function references their final values, and carries line and function information along.
 */
#include "internal.h"
#include "ctx.h"

struct fixup {
	struct bpf_verifier_env *env;
	u32 cnt;		/* instructions before */
	u32 new_cnt;
	u8 *keep;		/* by old index: how many instructions stand for it */
	u32 *new_idx;		/* by old index, and [cnt]: how many kept ones stand before it */
	u32 new_subprog[BC_MAX_SUBPROGS];	/* by old number */
	u32 subprog_cnt;
	bool has_goto, has_more;	/* some instruction becomes several */
	u64 jiffies;		/* address; 0: bpf_jiffies64() is called */
};

static bool is_ld_imm64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static bool is_cond_jump(const struct bpf_insn *insn)
{
	u8 class = BPF_CLASS(insn->code), op = BPF_OP(insn->code);

	return (class == BPF_JMP || class == BPF_JMP32) && op != BPF_JA && op != BPF_CALL && op != BPF_EXIT;
}

/* Distance of an unconditional jump; false when @insn is none. */
static bool is_goto(const struct bpf_insn *insn, s32 *dist)
{
	if (insn->code == (BPF_JMP | BPF_JA))
		*dist = insn->off;
	else if (insn->code == (BPF_JMP32 | BPF_JA))
		*dist = insn->imm;
	else
		return false;
	return true;
}

static bool is_subprog_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static bool sets_callback(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == BPF_FUNC_timer_set_callback;
}

/* A conditional jump one of whose sides was never walked is a goto to the other. */
static void decide_branches(struct fixup *fx)
{
	struct bpf_insn *insns = fx->env->insns;
	const struct bpf_insn_aux_data *aux = fx->env->aux;
	u32 i;

	for (i = 0; i < fx->cnt; i++) {
		if (!is_cond_jump(&insns[i])) {
			i += is_ld_imm64(&insns[i]);
			continue;
		}
		if (!aux[i].seen)
			continue;
		if (!aux[i + 1].seen) {
			insns[i].code = BPF_JMP | BPF_JA;
		} else if (!aux[i + 1 + insns[i].off].seen) {
			insns[i].code = BPF_JMP | BPF_JA;
			insns[i].off = 0;
		} else {
			continue;
		}
		insns[i].dst_reg = 0;
		insns[i].src_reg = 0;
		insns[i].imm = 0;
	}
}

static bool is_jiffies64(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && insn->imm == BPF_FUNC_jiffies64;
}

static void mark_kept(struct fixup *fx)
{
	struct bpf_verifier_env *env = fx->env;
	u32 i;

	for (i = 0; i < fx->cnt; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		fx->keep[i] = env->aux[i].seen;
		if (is_ld_imm64(insn)) {
			fx->keep[i + 1] = fx->keep[i];
			i++;
		} else if (insn->code == (BPF_JMP | BPF_CALL) && env->aux[i].loop == BC_LOOP_INLINE) {
			fx->keep[i] = BC_LOOP_INSNS;
			fx->has_more = true;
		} else if (fx->keep[i] && fx->jiffies && is_jiffies64(insn)) {
			env->aux[i].loop = BC_JIFFIES_INLINE;
			fx->keep[i] = BC_JIFFIES_INSNS;
			fx->has_more = true;
		} else if (insn->code == (BPF_JMP | BPF_CALL) && fx->keep[i] && sets_callback(insn)) {
			fx->keep[i] = 3;
			fx->has_more = true;
		} else {
			fx->has_goto |= insn->code == (BPF_JMP | BPF_JA) || insn->code == (BPF_JMP32 | BPF_JA);
		}
	}
}

static void number(struct fixup *fx)
{
	u32 i, n = 0;

	for (i = 0; i < fx->cnt; i++) {
		fx->new_idx[i] = n;
		n += fx->keep[i];
	}
	fx->new_idx[fx->cnt] = n;
	fx->new_cnt = n;
}

static bool jumps_too_far(const struct fixup *fx)
{
	const struct bpf_insn *insns = fx->env->insns;
	s32 dist;
	u32 i;

	for (i = 0; i < fx->cnt && fx->has_more; i++) {
		if (is_ld_imm64(&insns[i])) {
			i++;
			continue;
		}
		if (!fx->keep[i] || (!is_cond_jump(&insns[i]) && insns[i].code != (BPF_JMP | BPF_JA)))
			continue;
		dist = (s32)(fx->new_idx[i + 1 + insns[i].off] - fx->new_idx[i]) - 1;
		if (dist != (s16)dist)
			return true;
	}
	return false;
}

/* Where helpers in line would push a jump's end too far away, none is. */
static int keep_in_reach(struct fixup *fx)
{
	u32 i;

	if (!jumps_too_far(fx))
		return 0;
	for (i = 0; i < fx->cnt; i++) {
		if (fx->keep[i] > 1 && (fx->env->aux[i].loop == BC_LOOP_INLINE || fx->env->aux[i].loop == BC_JIFFIES_INLINE)) {
			fx->keep[i] = 1;
			fx->env->aux[i].loop = BC_LOOP_CALL;
		}
	}
	number(fx);
	return jumps_too_far(fx) ? -ERANGE : 0;
}

/* Gotos to what comes next anyway. Dropping some makes others such: a few rounds find all that compilers produce. */
static void drop_empty_gotos(struct fixup *fx)
{
	const struct bpf_insn *insns = fx->env->insns;
	bool again = fx->has_goto;
	int round;
	s32 dist;
	u32 i;

	for (round = 0; again && round < 4; round++) {
		again = false;
		for (i = 0; i < fx->cnt; i++) {
			if (is_ld_imm64(&insns[i])) {
				i++;
				continue;
			}
			if (!fx->keep[i] || !is_goto(&insns[i], &dist) || dist < 0)
				continue;
			if (fx->new_idx[i + 1 + dist] == fx->new_idx[i] + 1) {
				fx->keep[i] = 0;
				again = true;
			}
		}
		if (again)
			number(fx);
	}
}

/* Subprograms of which nothing is left go. */
static void number_subprogs(struct fixup *fx)
{
	const struct bpf_subprog_info *sub = fx->env->subprogs;
	u32 i;

	fx->subprog_cnt = 0;
	for (i = 0; i < fx->env->subprog_cnt; i++) {
		fx->new_subprog[i] = fx->subprog_cnt;
		if (!i || fx->new_idx[sub[i].start] != fx->new_idx[sub[i + 1].start])
			fx->subprog_cnt++;
	}
}

static bool subprog_kept(const struct fixup *fx, u32 i)
{
	u32 next = i + 1 < fx->env->subprog_cnt ? fx->new_subprog[i + 1] : fx->subprog_cnt;

	return next != fx->new_subprog[i];
}

/*
 * A load of a packet pointer: the 32-bit field of the user-visible context stands for 64 bits behind it. Returns the place of those, 0 for
 * any other load.
 */
static u32 packet_field(const struct bpf_verifier_env *env, s32 off)
{
	switch (env->prog_type) {
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_SCHED_ACT:
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (off == offsetof(struct __sk_buff, data))
			return offsetof(struct bc_skb_ctx, pkt.data);
		if (off == offsetof(struct __sk_buff, data_end))
			return offsetof(struct bc_skb_ctx, pkt.data_end);
		if (off == offsetof(struct __sk_buff, data_meta))
			return offsetof(struct bc_skb_ctx, pkt.data_meta);
		return 0;
	case BPF_PROG_TYPE_XDP:
		if (off == offsetof(struct xdp_md, data))
			return offsetof(struct bc_xdp_ctx, pkt.data);
		if (off == offsetof(struct xdp_md, data_end))
			return offsetof(struct bc_xdp_ctx, pkt.data_end);
		if (off == offsetof(struct xdp_md, data_meta))
			return offsetof(struct bc_xdp_ctx, pkt.data_meta);
		return 0;
	default:
		return 0;
	}
}

static enum bc_sock_load sock_load(const struct bpf_insn *insn, u32 ptr_type)
{
	if (BPF_CLASS(insn->code) != BPF_LDX)
		return BC_SOCK_NONE;
	switch (ptr_type) {
	case PTR_TO_SOCKET:
	case PTR_TO_SOCK_COMMON:
		return BC_SOCK_FIELD;
	case PTR_TO_TCP_SOCK:
		return BC_SOCK_TCP_FIELD;
	default:
		return BC_SOCK_NONE;
	}
}

static void set_imm64(struct bpf_insn *pair, u64 value)
{
	pair[0].imm = (u32)value;
	pair[1].imm = (u32)(value >> 32);
}

static void fix_ld_imm64(const struct fixup *fx, u32 old, struct bpf_insn *pair, struct bc_insn_aux *aux)
{
	const struct bpf_verifier_env *env = fx->env;
	const struct bpf_insn_aux_data *from = &env->aux[old];

	if (from->ldimm == BC_LDIMM_NONE)
		return;
	pair[0].src_reg = 0;
	pair[0].off = 0;
	switch (from->ldimm) {
	case BC_LDIMM_MAP:
		aux->map_ptr = 1;
		aux->used_map = from->map_index;
		set_imm64(pair, (unsigned long)env->used_maps[from->map_index]);
		break;
	case BC_LDIMM_MAP_VALUE:
		aux->map_value = 1;
		aux->used_map = from->map_index;
		aux->map_off = from->map_off;
		set_imm64(pair, from->value);
		break;
	case BC_LDIMM_FUNC:
		aux->func_ptr = 1;
		pair[0].src_reg = BPF_PSEUDO_FUNC;
		set_imm64(pair, fx->new_subprog[from->subprogno]);
		break;
	default:
		set_imm64(pair, from->value);
		break;
	}
}

/* Of the frame that instruction @old runs in. */
static u32 stack_depth(const struct fixup *fx, u32 old)
{
	u32 i = 0;

	while (i + 1 < fx->env->subprog_cnt && fx->env->subprogs[i + 1].start <= old)
		i++;
	return fx->env->subprogs[i].stack_depth;
}

/* r0 = the address; r0 = what lies there */
static void expand_jiffies(const struct fixup *fx, struct bpf_insn *insn)
{
	memset(insn, 0, BC_JIFFIES_INSNS * sizeof(*insn));
	insn[0].code = BPF_LD | BPF_IMM | BPF_DW;
	set_imm64(insn, fx->jiffies);
	insn[2].code = BPF_LDX | BPF_MEM | BPF_DW;
}

static void expand(const struct fixup *fx, u32 old, struct bpf_insn *insn, struct bc_insn_aux *aux)
{
	const struct bpf_verifier_env *env = fx->env;
	u32 callback, i;

	for (i = 0; i < fx->keep[old]; i++)
		aux[i].orig_insn = old;
	if (env->aux[old].loop == BC_JIFFIES_INLINE) {
		expand_jiffies(fx, insn);
		return;
	}
	callback = fx->new_idx[env->subprogs[env->aux[old].subprogno].start];
	bc_expand_loop(insn, stack_depth(fx, old), (s32)callback - (s32)fx->new_idx[old]);
}

/* bpf_timer_set_callback() is told whose function it is given. */
static void tell_program(const struct fixup *fx, u32 old, struct bpf_insn *insn, struct bc_insn_aux *aux)
{
	u32 i;

	insn[2] = insn[0];
	memset(insn, 0, 2 * sizeof(*insn));
	insn[0].code = BPF_LD | BPF_IMM | BPF_DW;
	insn[0].dst_reg = BPF_REG_3;
	set_imm64(insn, fx->env->args->program);
	aux[0].program = 1;
	for (i = 0; i < 3; i++)
		aux[i].orig_insn = old;
}

static void fix_insn(const struct fixup *fx, u32 old, struct bpf_insn *insn, struct bc_insn_aux *aux)
{
	const struct bpf_verifier_env *env = fx->env;
	const struct bpf_insn_aux_data *from = &env->aux[old];
	const u32 *to = fx->new_idx;
	s32 dist;
	u32 field;

	if (sets_callback(insn)) {
		tell_program(fx, old, insn, aux);
		return;
	}
	if (fx->keep[old] > 1) {
		expand(fx, old, insn, aux);
		return;
	}
	aux->orig_insn = old;
	aux->probe_mem = from->probe_mem;
	aux->zext = from->zext;
	if (BPF_CLASS(insn->code) == BPF_ALU || BPF_CLASS(insn->code) == BPF_ALU64)
		return;
	if (is_ld_imm64(insn)) {
		fix_ld_imm64(fx, old, insn, aux);
	} else if (is_cond_jump(insn) || insn->code == (BPF_JMP | BPF_JA)) {
		insn->off = to[old + 1 + insn->off] - to[old] - 1;
	} else if (is_goto(insn, &dist)) {
		insn->imm = to[old + 1 + dist] - to[old] - 1;
	} else if (is_subprog_call(insn)) {
		insn->imm = to[env->subprogs[from->subprogno].start] - to[old] - 1;
		insn->off = 0;
	} else if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_KFUNC_CALL) {
		aux->kfunc = 1;
		aux->map_off = from->kfunc - 1u;
	} else if (insn->code == (BPF_JMP | BPF_CALL)) {
		if (!(from->call_map & BC_MAP_INNER))
			aux->used_map = from->call_map;
		aux->one_index = from->index_kind == BC_INDEX_ONE;
		if (aux->one_index)
			aux->map_off = from->index;
	} else if (sock_load(insn, from->ptr_type)) {
		aux->sock = sock_load(insn, from->ptr_type);
		aux->probe_mem = 1;
	} else if (insn->code == (BPF_LDX | BPF_MEM | BPF_W) && from->ptr_type == PTR_TO_CTX) {
		field = packet_field(env, insn->off);
		if (field) {
			insn->code = BPF_LDX | BPF_MEM | BPF_DW;
			insn->off = field;
		}
	}
}

static int move_insns(const struct fixup *fx, struct bc_verified *out)
{
	u32 i;

	out->insns = port_zalloc(fx->new_cnt * sizeof(*out->insns));
	out->aux = port_zalloc(fx->new_cnt * sizeof(*out->aux));
	if (!out->insns || !out->aux)
		return -ENOMEM;
	out->insn_cnt = fx->new_cnt;
	for (i = 0; i < fx->cnt; i++) {
		const struct bpf_insn *insn = &fx->env->insns[i];
		u32 at = fx->new_idx[i];

		if (fx->keep[i])
			out->insns[at] = *insn;
		if (is_ld_imm64(insn) && fx->keep[i]) {
			out->insns[at + 1] = insn[1];
			out->aux[at + 1].orig_insn = i + 1;
		}
		if (fx->keep[i])
			fix_insn(fx, i, &out->insns[at], &out->aux[at]);
		i += is_ld_imm64(insn);
	}
	return 0;
}

static bool has_loop_inline(const struct fixup *fx, u32 sub)
{
	u32 i;

	for (i = fx->env->subprogs[sub].start; fx->has_more && i < fx->env->subprogs[sub + 1].start; i++)
		if (fx->keep[i] > 1 && fx->env->aux[i].loop == BC_LOOP_INLINE)
			return true;
	return false;
}

static int move_subprogs(const struct fixup *fx, struct bc_verified *out)
{
	const struct bpf_subprog_info *from = fx->env->subprogs;
	struct bc_subprog *to;
	u32 i;

	out->subprogs = port_zalloc(fx->subprog_cnt * sizeof(*to));
	if (!out->subprogs)
		return -ENOMEM;
	out->subprog_cnt = fx->subprog_cnt;
	for (i = 0; i < fx->env->subprog_cnt; i++, from++) {
		if (!subprog_kept(fx, i))
			continue;
		to = &out->subprogs[fx->new_subprog[i]];
		to->start = fx->new_idx[from[0].start];
		to->len = fx->new_idx[from[1].start] - to->start;
		to->stack_depth = (from->stack_depth + 7) & ~7u;
		if (has_loop_inline(fx, i))
			to->stack_depth += BC_LOOP_STACK;
		to->has_tail_call = from->has_tail_call;
		to->tail_call_reachable = from->tail_call_reachable;
		to->is_callback = from->is_callback;
		to->is_global = from->is_global;
	}
	return 0;
}

/* func_info has a record a subprogram, in order; those of dropped ones go. */
static void adjust_func_info(const struct fixup *fx)
{
	struct bpf_verifier_env *env = fx->env;
	u32 i, n = 0;

	for (i = 0; i < env->func_info_cnt && i < env->subprog_cnt; i++) {
		if (!subprog_kept(fx, i))
			continue;
		env->func_info[n] = env->func_info[i];
		env->func_info[n].insn_off = fx->new_idx[env->subprogs[i].start];
		n++;
	}
	env->func_info_cnt = n;
}

/* Of several lines that now begin at the same instruction, the last one is its own. */
static void adjust_line_info(const struct fixup *fx)
{
	struct bpf_verifier_env *env = fx->env;
	u32 i, off, n = 0;

	for (i = 0; i < env->line_info_cnt; i++) {
		off = fx->new_idx[env->line_info[i].insn_off];
		if (off == fx->new_cnt)
			continue;
		if (n && env->line_info[n - 1].insn_off == off)
			n--;
		env->line_info[n] = env->line_info[i];
		env->line_info[n].insn_off = off;
		n++;
	}
	env->line_info_cnt = n;
}

static void *copy_array(const void *from, size_t size)
{
	void *to = port_zalloc(size);

	if (to && size)
		memcpy(to, from, size);
	return to;
}

static void fill_findings(const struct bpf_verifier_env *env, struct bc_verified *out)
{
	out->attach_btf = env->attach_btf;
	out->attach_func_name = env->attach_func_name;
	out->attach_func_proto = env->attach_func_proto;
	out->attach_arg_cnt = env->attach_arg_cnt;
	out->attach_model = env->attach_model;
	out->calls_get_func_ip = env->calls_get_func_ip;
	out->calls_get_stack = env->calls_get_stack;
	out->has_callbacks = env->has_callbacks;
	out->has_tail_call = env->has_tail_call;
	out->sleepable = env->args->prog_flags & BPF_F_SLEEPABLE;
	out->verified_insns = env->insn_processed;
	out->max_ctx_offset = env->max_ctx_offset;
	out->max_tp_access = env->max_tp_access;
	out->max_rdonly_access = env->max_rdonly_access;
	out->max_rdwr_access = env->max_rdwr_access;
	out->total_states = env->total_states;
	out->peak_states = env->peak_states;
	out->max_states_per_insn = env->max_states_per_insn;
	out->longest_mark_read_walk = env->longest_mark_read_walk;
	out->time_ns = env->time_ns;
}

static int build(struct fixup *fx, struct bc_verified *out)
{
	struct bpf_verifier_env *env = fx->env;
	int err;

	decide_branches(fx);
	mark_kept(fx);
	number(fx);
	err = keep_in_reach(fx);
	if (err)
		return err;
	drop_empty_gotos(fx);
	number_subprogs(fx);

	err = move_insns(fx, out);
	if (!err)
		err = move_subprogs(fx, out);
	if (err)
		return err;
	out->used_maps = copy_array(env->used_maps, env->used_map_cnt * sizeof(*out->used_maps));
	out->used_btfs = copy_array(env->used_btfs, env->used_btf_cnt * sizeof(*out->used_btfs));
	if (!out->used_maps || !out->used_btfs)
		return -ENOMEM;

	/* From here on nothing fails: what env held goes over. */
	out->used_map_cnt = env->used_map_cnt;
	out->used_btf_cnt = env->used_btf_cnt;
	env->used_map_cnt = 0;
	env->used_btf_cnt = 0;
	adjust_func_info(fx);
	adjust_line_info(fx);
	out->func_info = env->func_info;
	out->func_info_cnt = env->func_info_cnt;
	out->line_info = env->line_info;
	out->line_info_cnt = env->line_info_cnt;
	env->func_info = NULL;
	env->func_info_cnt = 0;
	env->line_info = NULL;
	env->line_info_cnt = 0;
	fill_findings(env, out);
	return 0;
}

int bc_fixup(struct bpf_verifier_env *env, struct bc_verified *out)
{
	struct fixup *fx;
	int err = -ENOMEM;

	memset(out, 0, sizeof(*out));
	fx = port_zalloc(sizeof(*fx));
	if (!fx)
		return -ENOMEM;
	fx->env = env;
	fx->cnt = env->insn_cnt;
	fx->jiffies = env->ops->jiffies_addr ? env->ops->jiffies_addr(env->args->host) : 0;
	fx->keep = port_zalloc(fx->cnt + 1);
	fx->new_idx = port_zalloc((fx->cnt + 1) * sizeof(*fx->new_idx));
	if (fx->keep && fx->new_idx)
		err = build(fx, out);
	port_free(fx->new_idx);
	port_free(fx->keep);
	port_free(fx);
	if (err) {
		port_free(out->insns);
		port_free(out->aux);
		port_free(out->subprogs);
		port_free(out->used_maps);
		port_free(out->used_btfs);
		memset(out, 0, sizeof(*out));
	}
	return err;
}

void bc_verified_free(struct bc_verified *v, const struct bc_verifier_ops *ops, void *host)
{
	u32 i;

	for (i = 0; i < v->used_map_cnt; i++)
		ops->map_put(host, v->used_maps[i]);
	for (i = 0; i < v->used_btf_cnt; i++)
		ops->btf_put(host, v->used_btfs[i]);
	port_free(v->insns);
	port_free(v->aux);
	port_free(v->subprogs);
	port_free(v->used_maps);
	port_free(v->used_btfs);
	port_free(v->func_info);
	port_free(v->line_info);
	memset(v, 0, sizeof(*v));
}
