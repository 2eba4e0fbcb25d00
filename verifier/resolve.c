/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Opcodes that exist, and ld_imm64 that mean more than a number: maps, their values, kernel variables, functions of the program.
 */
#include "internal.h"

/* ---- opcodes: a bit for each (RFC 9669, table of opcodes); the operations of a class are the bits of a mask, by code >> 4 ---- */

#define OP(op)		(1u << ((op) >> 4))
#define ALU_BOTH	(OP(BPF_ADD) | OP(BPF_SUB) | OP(BPF_MUL) | OP(BPF_DIV) | OP(BPF_OR) | OP(BPF_AND) | OP(BPF_LSH) | OP(BPF_RSH) | \
			 OP(BPF_MOD) | OP(BPF_XOR) | OP(BPF_MOV) | OP(BPF_ARSH))
#define JMP_BOTH	(OP(BPF_JEQ) | OP(BPF_JGT) | OP(BPF_JGE) | OP(BPF_JSET) | OP(BPF_JNE) | OP(BPF_JSGT) | OP(BPF_JSGE) | \
			 OP(BPF_JLT) | OP(BPF_JLE) | OP(BPF_JSLT) | OP(BPF_JSLE))

/* Operations by class and source (immediate, register). */
static const u16 operations[8][2] = {
	[BPF_ALU] = { ALU_BOTH | OP(BPF_NEG) | OP(BPF_END), ALU_BOTH | OP(BPF_END) },
	[BPF_ALU64] = { ALU_BOTH | OP(BPF_NEG) | OP(BPF_END), ALU_BOTH },
	[BPF_JMP] = { JMP_BOTH | OP(BPF_JA) | OP(BPF_CALL) | OP(BPF_EXIT), JMP_BOTH },
	[BPF_JMP32] = { JMP_BOTH | OP(BPF_JA), JMP_BOTH },
};

/* Sizes by class and mode: a bit for each value of BPF_SIZE(code) >> 3 (W, H, B, DW). */
#define S_ALL 0xf
#define S_W 1
#define S_DW 8
#define S_NARROW 7
static const u8 sizes[4][8] = {
	[BPF_LD] = { [BPF_IMM >> 5] = S_DW, [BPF_ABS >> 5] = S_NARROW, [BPF_IND >> 5] = S_NARROW },
	[BPF_LDX] = { [BPF_MEM >> 5] = S_ALL, [BPF_MEMSX >> 5] = S_NARROW },
	[BPF_ST] = { [BPF_MEM >> 5] = S_ALL },
	[BPF_STX] = { [BPF_MEM >> 5] = S_ALL, [BPF_ATOMIC >> 5] = S_W | S_DW },
};

static bool opcode_exists(u8 code)
{
	u8 class = BPF_CLASS(code);

	if (class < BPF_ALU)
		return sizes[class][code >> 5] >> (BPF_SIZE(code) >> 3) & 1;
	return operations[class][BPF_SRC(code) >> 3] >> (code >> 4) & 1;
}

/* ---- maps ---- */

static bool is_tracing(u32 prog_type)
{
	switch (prog_type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
		return true;
	default:
		return false;
	}
}

/* A program that sleeps may hold on to what it found in a map for long. */
static bool sleepers_may_use(u32 map_type)
{
	static const u64 types = 1ULL << BPF_MAP_TYPE_HASH | 1ULL << BPF_MAP_TYPE_LRU_HASH | 1ULL << BPF_MAP_TYPE_ARRAY |
		1ULL << BPF_MAP_TYPE_PERCPU_HASH | 1ULL << BPF_MAP_TYPE_PERCPU_ARRAY | 1ULL << BPF_MAP_TYPE_LRU_PERCPU_HASH |
		1ULL << BPF_MAP_TYPE_ARRAY_OF_MAPS | 1ULL << BPF_MAP_TYPE_HASH_OF_MAPS | 1ULL << BPF_MAP_TYPE_RINGBUF |
		1ULL << BPF_MAP_TYPE_USER_RINGBUF | 1ULL << BPF_MAP_TYPE_INODE_STORAGE | 1ULL << BPF_MAP_TYPE_SK_STORAGE |
		1ULL << BPF_MAP_TYPE_TASK_STORAGE;

	return map_type < 64 && (types & 1ULL << map_type);
}

static const char *map_refused(const struct bpf_verifier_env *env, const struct bc_map_desc *map)
{
	if (map->spin_lock_off >= 0) {
		if (env->prog_type == BPF_PROG_TYPE_SOCKET_FILTER)
			return "socket filter progs cannot use bpf_spin_lock yet\n";
		if (is_tracing(env->prog_type))
			return "tracing progs cannot use bpf_spin_lock yet\n";
		if (env->args->prog_flags & BPF_F_SLEEPABLE)
			return "sleepable progs cannot use bpf_spin_lock yet\n";
	}
	/* Linux 6.1 forgets the maps in a map of maps */
	if (is_tracing(env->prog_type) && (map->timer_off >= 0 || (map->inner && map->inner->timer_off >= 0)))
		return "tracing progs cannot use bpf_timer yet\n";
	if (map->type == BPF_MAP_TYPE_STRUCT_OPS)
		return "bpf_struct_ops map cannot be used in prog\n";
	if ((env->args->prog_flags & BPF_F_SLEEPABLE) && !sleepers_may_use(map->type))
		return "Sleepable programs can only use array, hash, and ringbuf maps\n";
	return NULL;
}

static int map_fd(struct bpf_verifier_env *env, const struct bpf_insn *insn, u32 *fd)
{
	if (insn->src_reg != BPF_PSEUDO_MAP_IDX && insn->src_reg != BPF_PSEUDO_MAP_IDX_VALUE) {
		*fd = (u32)insn->imm;
		return 0;
	}
	if (!env->args->fd_array) {
		bc_log(env, "fd_idx without fd_array is invalid\n");
		return -EPROTO;
	}
	if (insn->imm < 0 || (u32)insn->imm >= env->args->fd_array_cnt)
		return -EFAULT;
	*fd = (u32)env->args->fd_array[insn->imm];
	return 0;
}

static int map_value_address(struct bpf_verifier_env *env, const struct bc_map_desc *map, u32 off, struct bpf_insn_aux_data *aux)
{
	int err;

	if (off >= BC_MAX_VAR_OFF) {
		bc_log(env, "direct value offset of %u is not allowed\n", off);
		return -EINVAL;
	}
	if (map->type != BPF_MAP_TYPE_ARRAY) {
		bc_log(env, "no direct value access support for this map type\n");
		return -EINVAL;
	}
	err = env->ops->map_value_addr(env->args->host, map, off, &aux->value);
	if (err)
		bc_log(env, "invalid access to map value pointer, value_size=%u off=%u\n", map->value_size, off);
	aux->map_off = off;
	return err;
}

/* A program has storage of one kind once. */
static bool second_storage(const struct bpf_verifier_env *env, const struct bc_map_desc *map)
{
	u32 i;

	if (map->type != BPF_MAP_TYPE_CGROUP_STORAGE && map->type != BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE)
		return false;
	for (i = 0; i < env->used_map_cnt; i++)
		if (env->used_maps[i]->type == map->type)
			return true;
	return false;
}

/* Keeps the map with the program, once; the reference is taken over, or put. */
static int use_map(struct bpf_verifier_env *env, struct bc_map_desc *map, struct bpf_insn_aux_data *aux)
{
	u32 i;

	for (i = 0; i < env->used_map_cnt && env->used_maps[i] != map; i++)
		;
	aux->map_index = i;
	if (i == BC_MAX_USED_MAPS) {
		env->ops->map_put(env->args->host, map);
		return -E2BIG;
	}
	if (i < env->used_map_cnt) {
		env->ops->map_put(env->args->host, map);
		return 0;
	}
	if (second_storage(env, map)) {
		bc_log(env, "only one cgroup storage of each type is allowed\n");
		env->ops->map_put(env->args->host, map);
		return -EBUSY;
	}
	env->used_maps[env->used_map_cnt++] = map;
	return 0;
}

static int resolve_map(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	struct bpf_insn_aux_data *aux = &env->aux[idx];
	bool value = insn->src_reg == BPF_PSEUDO_MAP_VALUE || insn->src_reg == BPF_PSEUDO_MAP_IDX_VALUE;
	struct bc_map_desc *map;
	const char *refusal;
	u32 fd;
	int err;

	err = map_fd(env, insn, &fd);
	if (err)
		return err;
	map = env->ops->map_get(env->args->host, fd);
	if (IS_ERR(map)) {
		bc_log(env, "fd %d is not pointing to valid bpf_map\n", fd);
		return PTR_ERR(map);
	}
	refusal = map_refused(env, map);
	if (refusal) {
		bc_log(env, "%s", refusal);
		err = -EINVAL;
	} else if (value) {
		err = map_value_address(env, map, (u32)insn[1].imm, aux);
	} else {
		aux->value = (u64)(unsigned long)map;
	}
	if (err) {
		env->ops->map_put(env->args->host, map);
		return err;
	}
	aux->ldimm = value ? BC_LDIMM_MAP_VALUE : BC_LDIMM_MAP;
	return use_map(env, map, aux);
}

/* ---- kernel variables ---- */

static bool is_percpu(const struct bc_btf *btf, u32 id)
{
	s32 sec = bc_btf_find(btf, ".data..percpu", BTF_KIND_DATASEC);
	const struct btf_var_secinfo *var;
	const struct btf_type *t;
	u32 i;

	if (sec <= 0)
		return false;
	t = bc_btf_type(btf, (u32)sec);
	var = (const struct btf_var_secinfo *)(t + 1);
	for (i = 0; i < BTF_INFO_VLEN(t->info); i++)
		if (var[i].type == id)
			return true;
	return false;
}

static int describe_variable(struct bpf_verifier_env *env, struct bpf_insn_aux_data *aux, const struct bc_btf *btf, u32 id)
{
	const struct btf_type *var = bc_btf_type(btf, id), *t;
	const char *name;
	u32 type, bare;
	s64 size;

	if (!var) {
		bc_log(env, "ldimm64 insn specifies invalid btf_id %d.\n", id);
		return -ENOENT;
	}
	if (BTF_INFO_KIND(var->info) != BTF_KIND_VAR) {
		bc_log(env, "pseudo btf_id %d in ldimm64 isn't KIND_VAR.\n", id);
		return -EINVAL;
	}
	name = bc_btf_name(btf, var->name_off);
	aux->value = env->ops->ksym_addr(env->args->host, name);
	if (!aux->value) {
		bc_log(env, "ldimm64 failed to find the address for kernel symbol '%s'.\n", name);
		return -ENOENT;
	}
	type = bare = var->type;
	t = bc_btf_skip_modifiers(btf, &bare);
	aux->ldimm = BC_LDIMM_BTF;
	aux->ksym_btf = btf;
	aux->ksym_btf_id = type;
	if (is_percpu(btf, id)) {
		aux->ksym_type = PTR_TO_BTF_ID | MEM_PERCPU;
		return 0;
	}
	if (t && (BTF_INFO_KIND(t->info) == BTF_KIND_STRUCT || BTF_INFO_KIND(t->info) == BTF_KIND_UNION)) {
		aux->ksym_type = PTR_TO_BTF_ID;
		return 0;
	}
	size = bc_btf_size(btf, bare);
	if (size < 0) {
		bc_log(env, "ldimm64 unable to resolve the size of type '%s': %d\n", bc_btf_type_name(btf, bare), (s32)size);
		return -EINVAL;
	}
	aux->ksym_type = PTR_TO_MEM | MEM_RDONLY;
	aux->ksym_mem_size = (u32)size;
	return 0;
}

int bc_use_btf(struct bpf_verifier_env *env, struct bc_btf *btf)
{
	u32 i;

	for (i = 0; i < env->used_btf_cnt && env->used_btfs[i] != btf; i++)
		;
	if (i < env->used_btf_cnt || i == BC_MAX_USED_BTFS) {
		env->ops->btf_put(env->args->host, btf);
		return i < env->used_btf_cnt ? 0 : -E2BIG;
	}
	env->used_btfs[env->used_btf_cnt++] = btf;
	return 0;
}

static int resolve_variable(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	struct bc_btf *module;
	const struct bc_btf *btf;
	int err;

	if (!insn[1].imm) {
		btf = env->ops->btf_vmlinux(env->args->host);
		if (!btf) {
			bc_log(env, "kernel is missing BTF, make sure CONFIG_DEBUG_INFO_BTF=y is specified in Kconfig.\n");
			return -EINVAL;
		}
		return describe_variable(env, &env->aux[idx], btf, (u32)insn->imm);
	}
	module = env->ops->btf_get(env->args->host, (u32)insn[1].imm);
	if (IS_ERR(module)) {
		bc_log(env, "invalid module BTF object FD specified.\n");
		return -EINVAL;
	}
	/* its addresses are the kernel's, so it must have come from the kernel */
	err = module->kernel ? describe_variable(env, &env->aux[idx], module, (u32)insn->imm) : -EINVAL;
	if (err) {
		env->ops->btf_put(env->args->host, module);
		return err;
	}
	return bc_use_btf(env, module);
}

static int resolve_ldimm64(struct bpf_verifier_env *env, u32 idx)
{
	const struct bpf_insn *insn = &env->insns[idx];
	int subprogno;

	if (idx + 1 == env->insn_cnt || insn[1].code || insn[1].dst_reg || insn[1].src_reg || insn[1].off) {
		bc_log(env, "invalid bpf_ld_imm64 insn\n");
		return -EINVAL;
	}
	switch (insn->src_reg) {
	case 0:
		return 0;
	case BPF_PSEUDO_BTF_ID:
		return resolve_variable(env, idx);
	case BPF_PSEUDO_FUNC:
		subprogno = bc_find_subprog(env, idx + insn->imm + 1);
		if (subprogno < 0)
			return -EFAULT;
		env->aux[idx].ldimm = BC_LDIMM_FUNC;
		env->aux[idx].subprogno = (u32)subprogno;
		return 0;
	case BPF_PSEUDO_MAP_FD:
	case BPF_PSEUDO_MAP_IDX:
		if (insn[1].imm)
			break;
		return resolve_map(env, idx);
	case BPF_PSEUDO_MAP_VALUE:
	case BPF_PSEUDO_MAP_IDX_VALUE:
		return resolve_map(env, idx);
	default:
		break;
	}
	bc_log(env, "unrecognized bpf_ld_imm64 insn\n");
	return -EINVAL;
}

int bc_resolve_ldimm64(struct bpf_verifier_env *env)
{
	u32 i;
	int err;

	for (i = 0; i < env->insn_cnt; i++) {
		const struct bpf_insn *insn = &env->insns[i];

		if (BPF_CLASS(insn->code) == BPF_LDX &&
		    ((BPF_MODE(insn->code) != BPF_MEM && BPF_MODE(insn->code) != BPF_MEMSX) || insn->imm)) {
			bc_log(env, "BPF_LDX uses reserved fields\n");
			return -EINVAL;
		}
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW)) {
			err = resolve_ldimm64(env, i++);
			if (err)
				return err;
			continue;
		}
		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
			env->aux[i].subprogno = (u32)bc_find_subprog(env, i + insn->imm + 1);
		if (!opcode_exists(insn->code)) {
			bc_log(env, "unknown opcode %02x\n", insn->code);
			return -EINVAL;
		}
	}
	return 0;
}
