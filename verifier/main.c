/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verifier from outside: takes a program and its attributes through all the checks, and hands what passed to the fix-ups.
 */
#include "internal.h"

int bc_prog_type_check(u32 prog_type, u32 expected_attach_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_CGROUP_SOCK:
		switch (expected_attach_type) {
		case 0:		/* programs from before there was a choice */
		case BPF_CGROUP_INET_SOCK_CREATE:
		case BPF_CGROUP_INET_SOCK_RELEASE:
		case BPF_CGROUP_INET4_POST_BIND:
		case BPF_CGROUP_INET6_POST_BIND:
			return 0;
		default:
			return -EINVAL;
		}
	case BPF_PROG_TYPE_CGROUP_SKB:
		if (expected_attach_type != BPF_CGROUP_INET_INGRESS && expected_attach_type != BPF_CGROUP_INET_EGRESS)
			return -EINVAL;
		return 0;
	default:
		return bc_prog_class(prog_type, expected_attach_type) ? 0 : -EINVAL;
	}
}

/* Every function from its start: the program itself, and each global function for any arguments. */
static int walk_from(struct bpf_verifier_env *env, u32 subprogno)
{
	struct bpf_verifier_state *st;
	struct bpf_reg_state *regs;
	int err = -ENOMEM;

	env->prev_linfo = NULL;
	env->subprogno = subprogno;
	env->insn_idx = env->subprogs[subprogno].start;
	st = port_zalloc(sizeof(*st));
	if (!st)
		return -ENOMEM;
	env->cur = st;
	st->branches = 1;
	st->first_insn_idx = env->insn_idx;
	st->last_insn_idx = (u32)-1;
	st->frame[0] = bc_frame_new(env, -1, 0, subprogno);
	if (!st->frame[0])
		goto out;
	regs = st->frame[0]->regs;
	err = 0;
	if (subprogno)
		err = bc_global_args_init(env, subprogno, regs);
	else
		bc_reg_pointer(&regs[BPF_REG_1], PTR_TO_CTX);
	if (!subprogno)
		bc_note_arg_types(env, 0, regs);
	if (!err)
		err = bc_walk(env);
out:
	bc_state_free(env->cur);
	env->cur = NULL;
	bc_branches_drop(env);
	/* the log of what passed is of no interest, but for those who want it all */
	if (!err && !(env->log.level & BC_LOG_LEVEL2))
		bc_log_reset(&env->log, 0);
	bc_states_free(env);
	return err;
}

static int walk_all(struct bpf_verifier_env *env)
{
	u32 i;
	int err;

	for (i = 1; i < env->subprog_cnt; i++) {
		if (!env->subprogs[i].is_global)
			continue;
		err = walk_from(env, i);
		if (err)
			return err;
		if (env->log.level & (BC_LOG_LEVEL1 | BC_LOG_LEVEL2))
			bc_log(env, "Func#%d is safe for any args that match its prototype\n", i);
	}
	return walk_from(env, 0);
}

static int run_checks(struct bpf_verifier_env *env)
{
	int err;

	err = bc_add_subprogs(env);
	if (!err)
		err = bc_check_subprogs(env);
	if (!err)
		err = bc_check_btf_info(env);
	if (!err)
		err = bc_check_attach(env);
	if (!err)
		err = bc_resolve_ldimm64(env);
	if (!err)
		err = bc_check_cfg(env);
	if (!err)
		err = bc_find_packet_movers(env);
	if (!err)
		err = walk_all(env);
	if (!err)
		err = bc_check_stack_depth(env);
	return err;
}

static void log_stats(struct bpf_verifier_env *env)
{
	u32 i;

	if (env->log.level & BC_LOG_STATS) {
		bc_log(env, "verification time %llu usec\n", env->time_ns / 1000);
		bc_log(env, "stack depth ");
		for (i = 0; i < env->subprog_cnt; i++)
			bc_log(env, "%d%s", env->subprogs[i].stack_depth, i + 1 < env->subprog_cnt ? "+" : "");
		bc_log(env, "\n");
	}
	bc_log(env, "processed %d insns (limit %d) max_states_per_insn %d total_states %d peak_states %d mark_read %d\n", env->insn_processed,
	       BC_MAX_INSNS, env->max_states_per_insn, env->total_states, env->peak_states, env->longest_mark_read_walk);
}

static void free_env(struct bpf_verifier_env *env)
{
	u32 i;

	/* what the fix-ups did not take over */
	for (i = 0; i < env->used_map_cnt; i++)
		if (env->used_maps[i])
			env->ops->map_put(env->args->host, env->used_maps[i]);
	for (i = 0; i < env->used_btf_cnt; i++)
		if (env->used_btfs[i])
			env->ops->btf_put(env->args->host, env->used_btfs[i]);
	port_free(env->func_info);
	port_free(env->line_info);
	port_free(env->insns);
	port_free(env->aux);
	port_free(env);
}

static int set_up(struct bpf_verifier_env *env, const struct bc_verify_args *args)
{
	env->args = args;
	env->ops = args->ops;
	env->prog_type = args->prog_type;
	env->expected_attach_type = args->expected_attach_type;
	if (env->prog_type == BPF_PROG_TYPE_CGROUP_SOCK && !env->expected_attach_type)
		env->expected_attach_type = BPF_CGROUP_INET_SOCK_CREATE;
	env->prog_class = bc_prog_class(env->prog_type, env->expected_attach_type);
	env->strict_alignment = (args->prog_flags & BPF_F_STRICT_ALIGNMENT) && !(args->prog_flags & BPF_F_ANY_ALIGNMENT);
	env->test_state_freq = args->prog_flags & BPF_F_TEST_STATE_FREQ;
	env->allow_ptr_leaks = true;
	env->insn_cnt = args->insn_cnt;
	env->aux = port_zalloc(args->insn_cnt * sizeof(*env->aux));
	env->insns = port_zalloc(args->insn_cnt * sizeof(*env->insns));
	if (!env->aux || !env->insns)
		return -ENOMEM;
	memcpy(env->insns, args->insns, args->insn_cnt * sizeof(*env->insns));
	return bc_log_init(&env->log, args);
}

static void fill_stats(const struct bpf_verifier_env *env, struct bc_verified *out)
{
	out->verified_insns = env->insn_processed;
	out->total_states = env->total_states;
	out->peak_states = env->peak_states;
	out->max_states_per_insn = env->max_states_per_insn;
	out->longest_mark_read_walk = env->longest_mark_read_walk;
	out->time_ns = env->time_ns;
}

int bc_verify(const struct bc_verify_args *args, struct bc_verified *out)
{
	u64 start = port_time_ns();
	struct bpf_verifier_env *env;
	int err;

	memset(out, 0, sizeof(*out));
	if (!args->insn_cnt || args->insn_cnt > BC_MAX_INSNS)
		return -E2BIG;
	env = port_zalloc(sizeof(*env));
	if (!env)
		return -ENOMEM;
	err = set_up(env, args);
	if (err) {
		free_env(env);
		return err;
	}
#ifndef __KERNEL__
	bc_test_env(env);
#endif
	err = run_checks(env);
	env->time_ns = port_time_ns() - start;
	log_stats(env);
	if (env->log.level && bc_log_full(&env->log))
		err = -ENOSPC;
	if (env->log.level && !env->log.ubuf)
		err = -EFAULT;
	if (!err)
		err = bc_fixup(env, out);
	if (!err)
		env->time_ns = port_time_ns() - start;
	fill_stats(env, out);
	free_env(env);
	return err;
}
