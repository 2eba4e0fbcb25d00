// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs: BPF_PROG_LOAD in Linux 6.1's order of checks, and BPF_PROG_BIND_MAP.
 */
#include "core.h"
#include "prog.h"
#include "jit.h"
#include "../compat/cgroup_rstat.h"
#include "../maps/maps.h"
#include "../maps/sock_cookie.h"
#include <linux/bitmap.h>
#include <linux/ctype.h>

#define LICENSE_MAX 128

#define PROG_FLAGS_KNOWN (BPF_F_STRICT_ALIGNMENT | BPF_F_ANY_ALIGNMENT | BPF_F_TEST_STATE_FREQ | BPF_F_SLEEPABLE | \
			  BPF_F_TEST_RND_HI32 | BPF_F_XDP_HAS_FRAGS)

/* ---- what the verifier asks ---- */

static struct bc_map_desc *host_map_get(void *host, u32 fd)
{
	struct bc_map *map = bc_map_get_fd(fd);

	return IS_ERR(map) ? ERR_CAST(map) : &map->desc;
}

static void host_map_put(void *host, struct bc_map_desc *desc)
{
	bc_map_put(bc_map_of(desc));
}

static int host_map_value_addr(void *host, const struct bc_map_desc *desc, u32 off, u64 *addr)
{
	struct bc_map *map = bc_map_of((struct bc_map_desc *)desc);

	if (!map->ops->direct_addr)
		return -EINVAL;
	if (desc->max_entries != 1)
		return -ENOTSUPP;
	*addr = off < desc->value_size ? map->ops->direct_addr(map, off) : 0;
	return *addr ? 0 : -EINVAL;
}

static int host_map_value_read(void *host, const struct bc_map_desc *desc, u32 off, u32 size, u64 *value)
{
	u64 addr;
	int err;

	if (off > desc->value_size || size > desc->value_size - off)
		return -EINVAL;
	if (!bc_map_of((struct bc_map_desc *)desc)->ops->direct_addr)
		return -ENOTSUPP;	/* no one place to read from: any value */
	err = host_map_value_addr(host, desc, off, &addr);
	if (err)
		return err;
	switch (size) {
	case 1:
		*value = *(u8 *)addr;
		return 0;
	case 2:
		*value = *(u16 *)addr;
		return 0;
	case 4:
		*value = *(u32 *)addr;
		return 0;
	case 8:
		*value = *(u64 *)addr;
		return 0;
	}
	return -EINVAL;
}

static bool host_helper_available(void *host, u32 func_id)
{
	struct bc_prog *prog = host;

	if (func_id == BPF_FUNC_probe_write_user) {
		if (!capable(CAP_SYS_ADMIN))
			return false;
		pr_warn_ratelimited(BC_LOG "%s[%d] is installing a program with bpf_probe_write_user helper that may corrupt user memory!\n",
				    current->comm, task_pid_nr(current));
	}
	/* Objects are printed where nothing can wait for it. */
	if (func_id == BPF_FUNC_snprintf_btf || func_id == BPF_FUNC_seq_printf_btf)
		bc_btf_vmlinux();
	/* Of these programs sockets are real; where they have no cookies of their own, these are kept while there are such programs. */
	if (func_id == BPF_FUNC_get_socket_cookie && prog->type == BPF_PROG_TYPE_TRACING && !prog->sock_cookies)
		prog->sock_cookies = !bc_sock_cookies_get();
	return func_id == BPF_FUNC_get_socket_cookie && prog->type == BPF_PROG_TYPE_TRACING ? prog->sock_cookies :
											      bc_helper_available(func_id);
}

static const struct bc_btf *host_btf_vmlinux(void *host)
{
	return bc_btf_vmlinux();
}

static struct bc_btf *host_btf_get(void *host, u32 fd)
{
	return bc_btf_get_fd(fd);
}

static void host_btf_put(void *host, struct bc_btf *btf)
{
	bc_btf_put(btf);
}

static u64 host_ksym_addr(void *host, const char *name)
{
	return bc_lookup_symbol(name);
}

/* All that there are to call are on the statistics of cgroups. */
static bool host_kfunc_available(void *host, const char *name)
{
	return compat_rstat_available();
}

static int host_raw_tp_args(void *host, const char *name)
{
	return bc_raw_tp_args(name);
}

static bool host_iter_target(void *host, const char *name)
{
	return bc_iter_offered(name);
}

static bool host_may_destroy(void *host)
{
	return capable(CAP_SYS_BOOT);
}

static u64 host_jiffies_addr(void *host)
{
#ifdef CONFIG_64BIT
	return (unsigned long)&jiffies;
#else
	return 0;	/* not to be read in one piece */
#endif
}

static const struct bc_verifier_ops host_ops = {
	.map_get = host_map_get,
	.map_put = host_map_put,
	.map_value_addr = host_map_value_addr,
	.map_value_read = host_map_value_read,
	.helper_available = host_helper_available,
	.btf_vmlinux = host_btf_vmlinux,
	.btf_get = host_btf_get,
	.btf_put = host_btf_put,
	.ksym_addr = host_ksym_addr,
	.kfunc_available = host_kfunc_available,
	.raw_tp_args = host_raw_tp_args,
	.iter_target = host_iter_target,
	.may_destroy = host_may_destroy,
	.jiffies_addr = host_jiffies_addr,
};

/* ---- the object ---- */

static void prog_free(struct bc_object *obj)
{
	struct bc_prog *prog = container_of(obj, struct bc_prog, obj);
	u32 i;

	for (i = 0; i < prog->bound_map_cnt; i++)
		bc_map_put(prog->bound_maps[i]);
	bc_free(obj, prog->bound_maps, prog->bound_map_cnt * sizeof(*prog->bound_maps));
	bc_run_forget(prog);
	bc_jit_free(prog);
	bc_verified_free(&prog->v, &host_ops, prog);
	if (prog->sock_cookies)
		bc_sock_cookies_put();
	if (prog->btf)
		bc_btf_put(prog->btf);
	bc_free_percpu(obj, prog->stats, sizeof(*prog->stats));
	bc_free(NULL, prog, sizeof(*prog));
}

static const struct bc_obj_ops prog_obj_ops = { .free = prog_free };

struct bc_prog *bc_prog_get_fd(u32 fd)
{
	struct bc_object *obj = bc_object_get_fd(fd, BC_OBJ_PROG);

	return IS_ERR(obj) ? ERR_CAST(obj) : container_of(obj, struct bc_prog, obj);
}

void bc_prog_get(struct bc_prog *prog)
{
	bc_object_get(&prog->obj);
}

void bc_prog_put(struct bc_prog *prog)
{
	bc_object_put(&prog->obj);
}

static struct bc_prog *prog_new(void)
{
	struct bc_prog *prog = bc_alloc(NULL, sizeof(*prog));

	if (!prog)
		return NULL;
	prog->stats = bc_alloc_percpu(&prog->obj, sizeof(*prog->stats));
	if (!prog->stats) {
		bc_free(NULL, prog, sizeof(*prog));
		return NULL;
	}
	mutex_init(&prog->maps_lock);
	bc_object_init(&prog->obj, BC_OBJ_PROG, &prog_obj_ops);
	return prog;
}

size_t bc_prog_memory(const struct bc_prog *prog)
{
	const struct bc_verified *v = &prog->v;

	return atomic64_read(&prog->obj.bytes) + sizeof(*prog) + v->insn_cnt * (sizeof(*v->insns) + sizeof(*v->aux)) +
	       v->subprog_cnt * sizeof(*v->subprogs) + v->func_info_cnt * sizeof(*v->func_info) +
	       v->line_info_cnt * sizeof(*v->line_info);
}

/* ---- BPF_PROG_LOAD ---- */

static bool license_is_gpl(const char *license)
{
	static const char *const compatible[] = {
		"GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(compatible); i++)
		if (!strcmp(license, compatible[i]))
			return true;
	return false;
}

int bc_copy_object_name(char *dst, const char *src)
{
	u32 i;

	for (i = 0; i < BPF_OBJ_NAME_LEN && src[i]; i++)
		if (!isalnum(src[i]) && src[i] != '_' && src[i] != '.')
			return -EINVAL;
	if (i == BPF_OBJ_NAME_LEN)
		return -EINVAL;
	memset(dst, 0, BPF_OBJ_NAME_LEN);
	memcpy(dst, src, i);
	return 0;
}

static bool is_tracing_type(u32 type)
{
	switch (type) {
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT_WRITABLE:
	case BPF_PROG_TYPE_TRACING:
	case BPF_PROG_TYPE_LSM:
	case BPF_PROG_TYPE_STRUCT_OPS:
	case BPF_PROG_TYPE_EXT:
		return true;
	}
	return false;
}

static bool is_network_type(u32 type)
{
	static const u32 types = 1u << BPF_PROG_TYPE_SCHED_CLS | 1u << BPF_PROG_TYPE_SCHED_ACT | 1u << BPF_PROG_TYPE_XDP |
		1u << BPF_PROG_TYPE_LWT_IN | 1u << BPF_PROG_TYPE_LWT_OUT | 1u << BPF_PROG_TYPE_LWT_XMIT |
		1u << BPF_PROG_TYPE_LWT_SEG6LOCAL | 1u << BPF_PROG_TYPE_SK_SKB | 1u << BPF_PROG_TYPE_SK_MSG |
		1u << BPF_PROG_TYPE_LIRC_MODE2 | 1u << BPF_PROG_TYPE_FLOW_DISSECTOR | 1u << BPF_PROG_TYPE_CGROUP_DEVICE |
		1u << BPF_PROG_TYPE_CGROUP_SOCK | 1u << BPF_PROG_TYPE_CGROUP_SOCK_ADDR | 1u << BPF_PROG_TYPE_CGROUP_SOCKOPT |
		1u << BPF_PROG_TYPE_CGROUP_SYSCTL | 1u << BPF_PROG_TYPE_SOCK_OPS | 1u << BPF_PROG_TYPE_EXT;

	return type < 32 && (types & 1u << type);
}

static int check_privilege(u32 type)
{
	if (!bc_capable())
		return -EPERM;
	if (is_network_type(type) && !capable(CAP_NET_ADMIN) && !capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (is_tracing_type(type) && !bc_capable_perfmon())
		return -EPERM;
	return 0;
}

/* The target of a program that attaches to a kernel function or to another program. */
static int check_target(const union bpf_attr *attr)
{
	struct bc_prog *target;
	struct bc_btf *btf;

	if (attr->attach_prog_fd) {
		target = bc_prog_get_fd(attr->attach_prog_fd);
		if (!IS_ERR(target)) {
			bc_prog_put(target);	/* freplace and tracing of programs: not yet */
			return -EINVAL;
		}
		btf = bc_btf_get_fd(attr->attach_btf_obj_fd);
		if (IS_ERR(btf))
			return -EINVAL;
		if (!btf->kernel) {
			bc_btf_put(btf);
			return -ENOTSUPP;
		}
		bc_btf_put(btf);
		if (!attr->attach_btf_id)
			return -EINVAL;
	} else if (attr->attach_btf_id && !bc_btf_vmlinux()) {
		return -EINVAL;
	}
	if (!attr->attach_btf_id)
		return 0;
	if (attr->attach_btf_id > BTF_MAX_TYPE)
		return -EINVAL;
	if (attr->prog_type == BPF_PROG_TYPE_TRACING)
		return 0;
	/*
	 * LSM, STRUCT_OPS and EXT may have one, but are no types of ours. That is said in the log: libbpf's probe of LSM looks at what it finds
	 * there, which may be left over from its probe of TRACING.
	 */
	bc_prog_log_message(attr, "programs of type %u cannot attach to a type id\n", attr->prog_type);
	return -EINVAL;
}

static int verify(struct bc_prog *prog, const union bpf_attr *attr, union bpf_attr __user *uattr, const struct bpf_insn *insns)
{
	struct bc_prog_debug_info info;
	struct bc_verify_args *args;
	int err;

	memset(&info, 0, sizeof(info));
	args = kzalloc(sizeof(*args), GFP_KERNEL);
	if (!args)
		return -ENOMEM;

	if (attr->func_info_cnt || attr->line_info_cnt) {
		struct bc_btf *btf = bc_btf_get_fd(attr->prog_btf_fd);

		err = PTR_ERR(btf);
		if (IS_ERR(btf))
			goto out;
		prog->btf = btf;
		err = -EACCES;
		if (btf->kernel)
			goto out;
		err = bc_prog_copy_debug_info(attr, uattr, &info);
		if (err)
			goto out;
	}
	err = bc_prog_copy_fd_array(attr, insns, &info);
	if (err)
		goto out;

	args->ops = &host_ops;
	args->host = prog;
	args->insns = insns;
	args->insn_cnt = attr->insn_cnt;
	args->prog_type = attr->prog_type;
	args->expected_attach_type = prog->expected_attach_type;
	args->prog_flags = attr->prog_flags;
	args->attach_btf_id = attr->attach_btf_id;
	args->gpl_compatible = prog->gpl;
	args->program = (unsigned long)prog;
	memcpy(args->name, prog->name, sizeof(args->name));
	args->prog_btf = prog->btf;
	args->func_info = info.func_info;
	args->func_info_cnt = attr->func_info_cnt;
	args->line_info = info.line_info;
	args->line_info_cnt = attr->line_info_cnt;
	args->fd_array = info.fd_array;
	args->fd_array_cnt = info.fd_array_cnt;
	args->log_level = attr->log_level;
	args->log_buf = attr->log_buf;
	args->log_size = attr->log_size;
	err = bc_verify(args, &prog->v);
out:
	bc_prog_debug_info_free(&info);
	kfree(args);
	return err;
}

/* Programs that share a map of programs must be alike; a program joins those that it calls into, or redirects to, when it is loaded. */
static int join_maps_of_progs(struct bc_prog *prog)
{
	u32 i;

	for (i = 0; i < prog->v.used_map_cnt; i++) {
		struct bc_map *map = bc_map_of(prog->v.used_maps[i]);

		if (bc_map_has_owner(map) && !bc_prog_map_compatible(map, prog))
			return -EINVAL;
	}
	return 0;
}

static void make_runnable(struct bc_prog *prog)
{
	prog->exec.insns = prog->v.insns;
	prog->exec.aux = prog->v.aux;
	prog->exec.insn_cnt = prog->v.insn_cnt;
	prog->exec.subprogs = prog->v.subprogs;
	prog->exec.subprog_cnt = prog->v.subprog_cnt;
	bc_jit_prog(prog);
	bc_run_prepare(prog);
}

BC_COMMAND(prog_load)
{
	char license[LICENSE_MAX];
	struct bpf_insn *insns = NULL;
	struct bc_prog *prog;
	u32 expected;
	int err;

	if (attr->prog_flags & ~PROG_FLAGS_KNOWN)
		return -EINVAL;
	if (strncpy_from_user(license, bc_user_ptr(attr->license), sizeof(license) - 1) < 0)
		return -EFAULT;
	license[sizeof(license) - 1] = '\0';
	if (!attr->insn_cnt || attr->insn_cnt > BC_MAX_INSNS)
		return -E2BIG;
	err = check_privilege(attr->prog_type);
	if (err)
		return err;
	err = check_target(attr);
	if (err)
		return err;
	expected = attr->expected_attach_type;
	if (attr->prog_type == BPF_PROG_TYPE_CGROUP_SOCK && !expected)
		expected = BPF_CGROUP_INET_SOCK_CREATE;
	err = bc_prog_type_check(attr->prog_type, expected);
	if (err)
		return err;

	prog = prog_new();
	if (!prog)
		return -ENOMEM;
	prog->type = attr->prog_type;
	prog->expected_attach_type = expected;
	prog->attach_btf_id = attr->attach_btf_id;
	prog->gpl = license_is_gpl(license);
	prog->xdp_frags = attr->prog_flags & BPF_F_XDP_HAS_FRAGS;
	prog->load_time = bc_ktime_boot_ns();
	err = bc_prog_copy_insns(attr, &insns);
	if (err)
		goto fail;
	err = -EINVAL;
	if (attr->prog_ifindex)		/* offload to a network card */
		goto fail;
	err = bc_copy_object_name(prog->name, attr->prog_name);
	if (err)
		goto fail;
	err = bc_prog_calc_tag(insns, attr->insn_cnt, prog->tag);
	if (err)
		goto fail;
	err = verify(prog, attr, uattr, insns);
	if (err)
		goto fail;
	make_runnable(prog);
	err = join_maps_of_progs(prog);
	if (err)
		goto fail;
	err = bc_object_publish(&prog->obj);
	if (err)
		goto fail;
	bc_jit_symbols_add(prog);
	port_free(insns);
	return bc_object_fd(&prog->obj, O_RDWR);
fail:
	port_free(insns);
	bc_prog_put(prog);
	return err;
}

/* ---- BPF_PROG_BIND_MAP ---- */

static bool has_map(const struct bc_prog *prog, const struct bc_map *map)
{
	u32 i;

	for (i = 0; i < prog->v.used_map_cnt; i++)
		if (prog->v.used_maps[i] == &map->desc)
			return true;
	for (i = 0; i < prog->bound_map_cnt; i++)
		if (prog->bound_maps[i] == map)
			return true;
	return false;
}

/* Takes over the reference when it returns 0 and *taken. */
static int bind(struct bc_prog *prog, struct bc_map *map, bool *taken)
{
	u32 cnt = prog->bound_map_cnt;
	struct bc_map **maps;

	*taken = false;
	if (has_map(prog, map))
		return 0;
	maps = bc_alloc(&prog->obj, (cnt + 1) * sizeof(*maps));
	if (!maps)
		return -ENOMEM;
	if (cnt)
		memcpy(maps, prog->bound_maps, cnt * sizeof(*maps));
	bc_free(&prog->obj, prog->bound_maps, cnt * sizeof(*maps));
	maps[cnt] = map;
	prog->bound_maps = maps;
	prog->bound_map_cnt = cnt + 1;
	*taken = true;
	return 0;
}

BC_COMMAND(prog_bind_map)
{
	struct bc_prog *prog;
	struct bc_map *map;
	bool taken;
	int err;

	if (attr->prog_bind_map.flags)
		return -EINVAL;
	prog = bc_prog_get_fd(attr->prog_bind_map.prog_fd);
	if (IS_ERR(prog))
		return PTR_ERR(prog);
	map = bc_map_get_fd(attr->prog_bind_map.map_fd);
	if (IS_ERR(map)) {
		bc_prog_put(prog);
		return PTR_ERR(map);
	}
	mutex_lock(&prog->maps_lock);
	err = bind(prog, map, &taken);
	mutex_unlock(&prog->maps_lock);
	if (!taken)
		bc_map_put(map);
	bc_prog_put(prog);
	return err;
}
