/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators: what Linux 6.1 has programs walk over, and what of a program's context may be NULL or is plain memory there. The types
 * themselves are those of the function bpf_iter_NAME in the kernel's BTF, which is there for its prototype alone.
 */
#include "internal.h"

static const char prefix[] = "bpf_iter_";

/* An argument that is not simply a pointer to what its prototype says. */
struct iter_arg {
	u32 reg;		/* enum bpf_reg_type and flags; 0: past the last */
	u8 off;			/* in the context */
	const char *type;	/* PTR_TO_BTF_ID */
};

#define MAY_END		(PTR_TO_BTF_ID | PTR_MAYBE_NULL)	/* NULL when the walk is over */
#define KEY		(PTR_TO_BUF | PTR_MAYBE_NULL | MEM_RDONLY)
#define VALUE		(PTR_TO_BUF | PTR_MAYBE_NULL)

/* The first word of every context is the bpf_iter_meta. */
struct bc_iter_target {
	const char *name;
	struct iter_arg args[3];
	bool options;	/* programs may look at and set those of its sockets, which are locked */
};

static const struct bc_iter_target targets[] = {
	{ "task", { { MAY_END, 8, "task_struct" } } },
	{ "task_file", { { MAY_END, 8, "task_struct" }, { MAY_END, 24, "file" } } },
	{ "task_vma", { { MAY_END, 8, "task_struct" }, { MAY_END, 16, "vm_area_struct" } } },
	{ "bpf_map", { { MAY_END, 8, "bpf_map" } } },
	{ "bpf_map_elem", { { KEY, 16 }, { VALUE, 24 } } },
	{ "bpf_prog", { { MAY_END, 8, "bpf_prog" } } },
	{ "bpf_link", { { MAY_END, 8, "bpf_link" } } },
	{ "bpf_sk_storage_map", { { MAY_END, 16, "sock" }, { VALUE, 24 } } },
	{ "cgroup", { { MAY_END, 8, "cgroup" } } },
	{ "ipv6_route", { { MAY_END, 8, "fib6_info" } } },
	{ "ksym", { { MAY_END, 8, "kallsym_iter" } } },
	{ "netlink", { { MAY_END, 8, "netlink_sock" } } },
	{ "sockmap", { { KEY, 16 }, { MAY_END, 24, "sock" } } },
	{ "tcp", { { MAY_END, 8, "sock_common" } }, .options = true },
	{ "udp", { { MAY_END, 8, "udp_sock" } } },
	{ "unix", { { MAY_END, 8, "unix_sock" } }, .options = true },
};

int bc_iter_check_target(struct bpf_verifier_env *env)
{
	const char *name = env->attach_func_name;
	u32 i;

	if (strncmp(name, prefix, sizeof(prefix) - 1))
		return -EINVAL;
	name += sizeof(prefix) - 1;
	for (i = 0; i < ARRAY_SIZE(targets); i++)
		if (!strcmp(targets[i].name, name))
			env->iter = &targets[i];
	if (!env->iter || (env->ops->iter_target && !env->ops->iter_target(env->args->host, name)))
		return -EINVAL;
	return 0;
}

bool bc_iter_has_options(const struct bpf_verifier_env *env)
{
	return env->iter && env->iter->options;
}

static const struct iter_arg *arg_at(const struct bpf_verifier_env *env, u32 off)
{
	u32 i;

	for (i = 0; env->iter && i < ARRAY_SIZE(env->iter->args) && env->iter->args[i].reg; i++)
		if (env->iter->args[i].off == off)
			return &env->iter->args[i];
	return NULL;
}

bool bc_iter_memory_arg(const struct bpf_verifier_env *env, u32 off, struct bc_ctx_access *info)
{
	const struct iter_arg *arg = arg_at(env, off);

	if (!arg || BC_BASE_TYPE(arg->reg) != PTR_TO_BUF)
		return false;
	info->reg_type = arg->reg;
	return true;
}

enum bc_iter_ptr bc_iter_pointer_arg(struct bpf_verifier_env *env, u32 off, struct bc_ctx_access *info)
{
	const struct iter_arg *arg = arg_at(env, off);
	s32 id;

	if (!arg)
		return BC_ITER_PLAIN;
	id = bc_btf_find(env->attach_btf, arg->type, BTF_KIND_STRUCT);
	if (id <= 0) {
		bc_log(env, "invalid btf_id for context argument offset %u\n", off);
		return BC_ITER_BAD;
	}
	info->reg_type = arg->reg;
	info->btf = env->attach_btf;
	info->btf_id = id;
	return BC_ITER_DONE;
}

void bc_note_buffer(struct bpf_verifier_env *env, u32 type, s32 end)
{
	u32 *reach = type & MEM_RDONLY ? &env->max_rdonly_access : &env->max_rdwr_access;

	*reach = max(*reach, (u32)end);
}
