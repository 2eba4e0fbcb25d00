/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Registers, stack slots and frames as the log shows them, in the notation of Linux 6.1.
 */
#include "internal.h"

static const char *const type_names[__BPF_REG_TYPES] = {
	[NOT_INIT] = "?",
	[SCALAR_VALUE] = "scalar",
	[PTR_TO_CTX] = "ctx",
	[CONST_PTR_TO_MAP] = "map_ptr",
	[PTR_TO_MAP_VALUE] = "map_value",
	[PTR_TO_MAP_KEY] = "map_key",
	[PTR_TO_STACK] = "fp",
	[PTR_TO_PACKET_META] = "pkt_meta",
	[PTR_TO_PACKET] = "pkt",
	[PTR_TO_PACKET_END] = "pkt_end",
	[PTR_TO_FLOW_KEYS] = "flow_keys",
	[PTR_TO_SOCKET] = "sock",
	[PTR_TO_SOCK_COMMON] = "sock_common",
	[PTR_TO_TCP_SOCK] = "tcp_sock",
	[PTR_TO_TP_BUFFER] = "tp_buffer",
	[PTR_TO_XDP_SOCK] = "xdp_sock",
	[PTR_TO_BTF_ID] = "ptr_",
	[PTR_TO_MEM] = "mem",
	[PTR_TO_BUF] = "buf",
	[PTR_TO_FUNC] = "func",
	[PTR_TO_DYNPTR] = "dynptr_ptr",
};

/* One buffer: not to be used twice in one message. */
const char *bc_type_str(struct bpf_verifier_env *env, u32 type)
{
	u32 base = BC_BASE_TYPE(type);
	const char *before = "", *after = "";

	if (type & PTR_MAYBE_NULL)
		after = base == PTR_TO_BTF_ID ? "or_null_" : "_or_null";
	if (type & PTR_UNTRUSTED)
		before = "untrusted_";
	else if (type & MEM_PERCPU)
		before = "percpu_";
	else if (type & MEM_USER)
		before = "user_";
	else if (type & MEM_ALLOC)
		before = "alloc_";
	else if (type & MEM_RDONLY)
		before = "rdonly_";
	scnprintf(env->type_str, sizeof(env->type_str), "%s%s%s", before, base < __BPF_REG_TYPES ? type_names[base] : "?", after);
	return env->type_str;
}

const char *bc_btf_type_name(const struct bc_btf *btf, u32 id)
{
	const struct btf_type *t = bc_btf_type(btf, id);

	return t ? bc_btf_name(btf, t->name_off) : "";
}

static void print_liveness(struct bpf_verifier_env *env, bool read, bool written, bool done)
{
	if (read || written || done)
		bc_log(env, "_%s%s%s", read ? "r" : "", written ? "w" : "", done ? "D" : "");
}

/* What is known of a value: only what the other parts do not imply. */
static void print_bounds(struct bpf_verifier_env *env, const struct bpf_scalar *v, const char *sep)
{
	if (bc_tnum_is_const(v->t)) {
		bc_log(env, "%simm=%llx", sep, v->t.value);
		return;
	}
	if (v->smin != (s64)v->umin && v->smin != S64_MIN) {
		bc_log(env, "%ssmin=%lld", sep, v->smin);
		sep = ",";
	}
	if (v->smax != (s64)v->umax && v->smax != S64_MAX) {
		bc_log(env, "%ssmax=%lld", sep, v->smax);
		sep = ",";
	}
	if (v->umin) {
		bc_log(env, "%sumin=%llu", sep, v->umin);
		sep = ",";
	}
	if (v->umax != U64_MAX) {
		bc_log(env, "%sumax=%llu", sep, v->umax);
		sep = ",";
	}
	if (!bc_tnum_is_unknown(v->t)) {
		bc_log(env, "%svar_off=%s", sep, bc_tnum_str(env, v->t));
		sep = ",";
	}
	if (v->smin32 != v->smin && v->smin32 != S32_MIN) {
		bc_log(env, "%ss32_min=%d", sep, v->smin32);
		sep = ",";
	}
	if (v->smax32 != v->smax && v->smax32 != S32_MAX) {
		bc_log(env, "%ss32_max=%d", sep, v->smax32);
		sep = ",";
	}
	if (v->umin32 != v->umin && v->umin32) {
		bc_log(env, "%su32_min=%d", sep, (s32)v->umin32);
		sep = ",";
	}
	if (v->umax32 != v->umax && v->umax32 != U32_MAX)
		bc_log(env, "%su32_max=%d", sep, (s32)v->umax32);
}

static bool may_be_counted(u32 type)
{
	switch (BC_BASE_TYPE(type)) {
	case PTR_TO_SOCKET:
	case PTR_TO_TCP_SOCK:
	case PTR_TO_MEM:
	case PTR_TO_BTF_ID:
		return true;
	default:
		return false;
	}
}

static void print_reg(struct bpf_verifier_env *env, const struct bpf_reg_state *reg)
{
	u32 base = BC_BASE_TYPE(reg->type);
	const char *sep = "";

	if (reg->type == SCALAR_VALUE && reg->precise)
		bc_log(env, "P");
	if ((reg->type == SCALAR_VALUE || reg->type == PTR_TO_STACK) && bc_scalar_is_const(&reg->v)) {
		bc_log(env, "%s%lld", reg->type == SCALAR_VALUE ? "" : "fp", (s64)(reg->v.t.value + reg->off));
		return;
	}
	bc_log(env, "%s%s(", bc_type_str(env, reg->type), base == PTR_TO_BTF_ID ? bc_btf_type_name(reg->btf, reg->btf_id) : "");
	if (reg->id) {
		bc_log(env, "id=%d", reg->id);
		sep = ",";
	}
	if (reg->ref_obj_id && may_be_counted(reg->type)) {
		bc_log(env, "%sref_obj_id=%d", sep, reg->ref_obj_id);
		sep = ",";
	}
	if (reg->type != SCALAR_VALUE) {
		bc_log(env, "%soff=%d", sep, reg->off);
		sep = ",";
	}
	if (base == PTR_TO_PACKET || base == PTR_TO_PACKET_META)
		bc_log(env, "%sr=%d", sep, reg->range);
	else if (base == CONST_PTR_TO_MAP || base == PTR_TO_MAP_KEY || base == PTR_TO_MAP_VALUE)
		bc_log(env, "%sks=%d,vs=%d", sep, reg->map->key_size, reg->map->value_size);
	print_bounds(env, &reg->v, sep);
	bc_log(env, ")");
}

static void print_slot(struct bpf_verifier_env *env, const struct bpf_func_state *f, u32 slot)
{
	static const char kinds[] = { '?', 'r', 'm', '0', 'd' };
	const struct bpf_stack_state *s = &f->stack[slot];
	const struct bpf_reg_state *reg = bc_spilled_reg(f, slot);
	char text[BC_REG_BYTES + 1];
	u32 i;

	if (!reg) {
		for (i = 0; i < BC_REG_BYTES; i++)
			text[i] = kinds[s->slot_type[i]];
		text[i] = '\0';
		bc_log(env, "=%s", text);
		return;
	}
	bc_log(env, "=%s%s", reg->type == SCALAR_VALUE ? "" : bc_type_str(env, reg->type),
	       reg->type == SCALAR_VALUE && reg->precise ? "P" : "");
	if (reg->type == SCALAR_VALUE && bc_scalar_is_const(&reg->v))
		bc_log(env, "%lld", (s64)(reg->v.t.value + reg->off));
}

static bool slot_used(const struct bpf_func_state *f, u32 slot)
{
	u32 i;

	for (i = 0; i < BC_REG_BYTES; i++)
		if (f->stack[slot].slot_type[i] != STACK_INVALID)
			return true;
	return false;
}

/* A frame on one line: all of it, or what was touched since the last time. */
void bc_print_frame(struct bpf_verifier_env *env, const struct bpf_func_state *f, bool all)
{
	const struct bpf_liveness *live = &f->live;
	u32 i;

	if (!bc_log_needed(&env->log)) {
		if (!all)
			bc_scratch_clear(env);
		return;
	}
	if (f->frameno)
		bc_log(env, " frame%d:", f->frameno);
	for (i = 0; i < MAX_BPF_REG; i++) {
		if (f->regs[i].type == NOT_INIT || (!all && !(env->scratched_regs >> i & 1)))
			continue;
		bc_log(env, " R%d", i);
		print_liveness(env, live->reg_read >> i & 1, live->reg_written >> i & 1, live->done && i != BPF_REG_10);
		bc_log(env, "=");
		print_reg(env, &f->regs[i]);
	}
	for (i = 0; i < f->slot_cnt; i++) {
		if (!slot_used(f, i) || (!all && !(env->scratched_slots >> i & 1)))
			continue;
		bc_log(env, " fp%d", -(s32)(i + 1) * BC_REG_BYTES);
		print_liveness(env, live->slot_read >> i & 1, live->slot_written >> i & 1, live->done);
		print_slot(env, f, i);
	}
	for (i = 0; i < f->ref_cnt; i++)
		bc_log(env, "%s%d", i ? "," : " refs=", f->refs[i].id);
	bc_log(env, "%s%s\n", f->in_callback_fn ? " cb" : "", f->in_async_callback_fn ? " async_cb" : "");
	if (!all)
		bc_scratch_clear(env);
}

/* What the last instruction changed, on its own line when nothing else was printed since. */
void bc_print_change(struct bpf_verifier_env *env, const struct bpf_func_state *f)
{
	if (env->prev_log_len && env->prev_log_len == env->log.len_used) {
		u32 pos = env->prev_insn_print_len;
		u32 column = max(pos + 4, 40u);

		/* take back the newline; changes start at a multiple of 8, from column 40 on */
		column = (column + 7) / 8 * 8;
		bc_log_reset(&env->log, env->prev_log_len - 1);
		bc_log(env, "%*c;", (int)(column - pos - 1), ' ');
	} else {
		bc_log(env, "%d:", env->insn_idx);
	}
	bc_print_frame(env, f, false);
}

void bc_scratch_clear(struct bpf_verifier_env *env)
{
	env->scratched_regs = 0;
	env->scratched_slots = 0;
}

void bc_scratch_all(struct bpf_verifier_env *env)
{
	env->scratched_regs = U32_MAX;
	env->scratched_slots = U64_MAX;
}

/* A return value that is not in the range it must be in. */
void bc_log_bad_range(struct bpf_verifier_env *env, const struct bpf_reg_state *reg, struct tnum range, const char *where)
{
	bc_log(env, "At %s the register R0 ", where);
	if (bc_tnum_is_unknown(reg->v.t))
		bc_log(env, "has unknown scalar value");
	else
		bc_log(env, "has value %s", bc_tnum_str(env, reg->v.t));
	bc_log(env, " should have been in %s\n", bc_tnum_str(env, range));
}
