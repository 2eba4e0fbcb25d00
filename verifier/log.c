/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The verifier's log: lines formatted here and copied out to the caller's buffer as they come, as bpf(2) does.
 */
#include "internal.h"

#define LOG_MIN		128		/* Linux refuses smaller buffers */
#define LOG_MAX		(U32_MAX >> 2)

int bc_log_init(struct bpf_verifier_log *log, const struct bc_verify_args *args)
{
	log->level = args->log_level;
	log->ubuf = args->log_buf;
	log->len_total = args->log_size;
	if (!args->log_level && !args->log_buf && !args->log_size)
		return 0;
	if (log->len_total < LOG_MIN || log->len_total > LOG_MAX)
		return -EINVAL;
	if (!log->level || !log->ubuf || (log->level & ~(BC_LOG_LEVEL1 | BC_LOG_LEVEL2 | BC_LOG_STATS)))
		return -EINVAL;
	return 0;
}

bool bc_log_full(const struct bpf_verifier_log *log)
{
	return log->len_used >= log->len_total - 1;
}

bool bc_log_needed(const struct bpf_verifier_log *log)
{
	return log->level && log->ubuf && !bc_log_full(log);
}

void bc_vlog(struct bpf_verifier_log *log, const char *fmt, va_list ap)
{
	u32 n, room;

	if (!bc_log_needed(log))
		return;
	n = vscnprintf(log->line, sizeof(log->line), fmt, ap);
	room = log->len_total - log->len_used - 1;
	if (n > room)
		n = room;
	log->line[n] = '\0';
	if (port_copy_to_user(log->ubuf + log->len_used, log->line, n + 1))
		log->ubuf = 0;
	else
		log->len_used += n;
}

void bc_log_reset(struct bpf_verifier_log *log, u32 pos)
{
	if (!bc_log_needed(log))
		return;
	log->len_used = pos;
	if (port_copy_to_user(log->ubuf + pos, "", 1))
		log->ubuf = 0;
}

void bc_log(struct bpf_verifier_env *env, const char *fmt, ...)
{
	va_list ap;

	if (!bc_log_needed(&env->log))
		return;
	va_start(ap, fmt);
	bc_vlog(&env->log, fmt, ap);
	va_end(ap);
}

/* The last line record at or before an instruction. */
static const struct bpf_line_info *line_of(const struct bpf_verifier_env *env, u32 insn_idx)
{
	u32 lo = 0, hi = env->line_info_cnt;

	if (!env->line_info || insn_idx >= env->insn_cnt)
		return NULL;
	while (hi - lo > 1) {
		u32 mid = lo + (hi - lo) / 2;

		if (env->line_info[mid].insn_off <= insn_idx)
			lo = mid;
		else
			hi = mid;
	}
	return hi ? &env->line_info[lo] : NULL;
}

/* The source line of an instruction, when it is not the one printed last. */
void bc_log_source(struct bpf_verifier_env *env, u32 insn_idx, const char *prefix)
{
	const struct bpf_line_info *line;
	const char *text;

	if (!bc_log_needed(&env->log))
		return;
	line = line_of(env, insn_idx);
	if (!line || line == env->prev_linfo)
		return;
	text = bc_btf_name(env->args->prog_btf, line->line_off);
	while (*text == ' ' || (*text >= '\t' && *text <= '\r'))
		text++;
	bc_log(env, "%s%s\n", prefix, text);
	env->prev_linfo = line;
}

/* As bc_log_source(), with the instruction's number in front. */
void bc_log_source_at(struct bpf_verifier_env *env, u32 insn_idx)
{
	char prefix[16];

	scnprintf(prefix, sizeof(prefix), "%u: ", insn_idx);
	bc_log_source(env, insn_idx, prefix);
}

const char *bc_tnum_str(struct bpf_verifier_env *env, struct tnum t)
{
	scnprintf(env->tnum_str, sizeof(env->tnum_str), "(0x%llx; 0x%llx)", t.value, t.mask);
	return env->tnum_str;
}
