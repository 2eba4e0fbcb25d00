// SPDX-License-Identifier: GPL-2.0-only
/*
 * Preloaded into a test suite: answers bpf(2) with the user-space library, so that a suite runs against the verifier with no kernel involved.
 * The library's "fds" are those from 3 on; real ones of these numbers are taken at start so that none is ever handed out. What else a
 * suite asks the machine about (privilege, the kernel's BTF) is answered as on a machine where programs may be loaded by root alone.
 */
#define _GNU_SOURCE
#include "../../verifier/user/lib.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdlib.h>

#define NR_BPF		321
#define ETH_BYTES	14
#define NEXT(name)	dlsym(RTLD_NEXT, name)
#define P(address)	((void *)(unsigned long)(address))
#define KERNEL_BTF	"/sys/kernel/btf/vmlinux"
#define SYSCTL		"/proc/sys/kernel/unprivileged_bpf_disabled"

int dup2(int from, int to);	/* unistd.h declares syscall() with variable arguments */

static struct bcu *world;

static void *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *data = NULL;

	if (!f)
		return NULL;
	if (!fseek(f, 0, SEEK_END)) {
		*size = ftell(f);
		rewind(f);
		data = malloc(*size);
		if (data && fread(data, 1, *size, f) != *size)
			data = NULL;
	}
	fclose(f);
	return data;
}

static void __attribute__((constructor)) start(void)
{
	const char *path = getenv("OFFLINE_BTF");
	size_t size;
	void *btf;
	int fd, i;

	world = bcu_new();
	bcu_allow_all_helpers(world);
	btf = path ? read_file(path, &size) : NULL;
	if (btf && bcu_btf_new(world, btf, size, true, NULL, 0) < 0) {
		fprintf(stderr, "offline: %s is no BTF\n", path);
		_Exit(125);
	}
	free(btf);
	fd = open("/dev/null", O_RDWR);
	for (i = BCU_FIRST_FD; i < BCU_FIRST_FD + BCU_OBJECTS; i++)
		if (fd != i && fcntl(i, F_GETFD) < 0)
			dup2(fd, i);
}

/* ---- commands ---- */

static bool known_map_type(u32 type)
{
	return type > BPF_MAP_TYPE_UNSPEC && (type <= BPF_MAP_TYPE_BLOOM_FILTER || type == BPF_MAP_TYPE_USER_RINGBUF);
}

static long map_create(const union bpf_attr *attr)
{
	bool outer = attr->map_type == BPF_MAP_TYPE_ARRAY_OF_MAPS || attr->map_type == BPF_MAP_TYPE_HASH_OF_MAPS;
	long fd, err;

	if (attr->map_type == BPF_MAP_TYPE_RINGBUF && !attr->max_entries)
		return -EINVAL;
	if (attr->map_type == BPF_MAP_TYPE_USER_RINGBUF && !attr->max_entries)
		return -EINVAL;
	if (!known_map_type(attr->map_type) || (outer && !bcu_map_of_fd(world, attr->inner_map_fd)))
		return -EINVAL;
	fd = bcu_map_new(world, attr->map_type, attr->key_size, attr->value_size, attr->max_entries, attr->map_flags,
			 attr->btf_value_type_id ? (int)attr->btf_fd : -1, attr->btf_value_type_id);
	err = outer && fd >= 0 ? bcu_map_set_inner(world, fd, attr->inner_map_fd) : 0;
	return err ? err : fd;
}

static long map_update(const union bpf_attr *attr)
{
	struct bcu_map *map = bcu_map_of_fd(world, attr->map_fd);

	if (!map)
		return -EBADF;
	if (map->desc.type == BPF_MAP_TYPE_PROG_ARRAY)
		return bcu_prog_array_set(world, attr->map_fd, *(u32 *)P(attr->key), *(int *)P(attr->value));
	return bcu_map_update(world, attr->map_fd, P(attr->key), P(attr->value), attr->flags);
}

static long btf_load(const union bpf_attr *attr)
{
	return bcu_btf_new(world, P(attr->btf), attr->btf_size, false, attr->btf_log_level ? P(attr->btf_log_buf) : NULL,
			   attr->btf_log_level ? attr->btf_log_size : 0);
}

static long prog_load(const union bpf_attr *attr)
{
	struct bcu_load load;
	struct bcu_stats stats;

	memset(&load, 0, sizeof(load));
	load.prog_type = attr->prog_type;
	load.expected_attach_type = attr->expected_attach_type;
	load.prog_flags = attr->prog_flags;
	load.attach_btf_id = attr->attach_btf_id;
	load.gpl = attr->license && strstr(P(attr->license), "GPL");
	load.insns = P(attr->insns);
	load.insn_cnt = attr->insn_cnt;
	load.btf_fd = attr->prog_btf_fd ? (int)attr->prog_btf_fd : -1;
	load.func_info = P(attr->func_info);
	load.func_info_cnt = attr->func_info_cnt;
	load.line_info = P(attr->line_info);
	load.line_info_cnt = attr->line_info_cnt;
	load.log_level = attr->log_level;
	load.log = P(attr->log_buf);
	load.log_size = attr->log_size;
	if ((attr->func_info_cnt && attr->func_info_rec_size != 8) || (attr->line_info_cnt && attr->line_info_rec_size != 16))
		return -EINVAL;
	return bcu_prog_load(world, &load, &stats);
}

/* Sockets' and cgroups' programs see a packet from its network header on. */
static bool has_no_link_header(int fd)
{
	const struct bcu_object *o = &world->objs[fd - BCU_FIRST_FD];
	u32 type = ((struct bcu_prog *)o->ptr)->type;

	return type == BPF_PROG_TYPE_SOCKET_FILTER || type == BPF_PROG_TYPE_CGROUP_SKB;
}

static bool can_test(int fd)
{
	const struct bcu_object *o = &world->objs[fd - BCU_FIRST_FD];
	u32 type = ((struct bcu_prog *)o->ptr)->type;

	return type == BPF_PROG_TYPE_SOCKET_FILTER || type == BPF_PROG_TYPE_CGROUP_SKB || type == BPF_PROG_TYPE_SCHED_CLS ||
	       type == BPF_PROG_TYPE_SCHED_ACT || type == BPF_PROG_TYPE_XDP;
}

static long test_run(union bpf_attr *attr)
{
	static u8 packet[4096];
	struct bcu_run run;
	u32 skip;
	long err;

	if (!can_test(attr->test.prog_fd))
		return -ENOTSUPP;
	if (attr->test.data_size_in < ETH_BYTES || attr->test.data_size_in > sizeof(packet))
		return -EINVAL;
	skip = has_no_link_header(attr->test.prog_fd) ? ETH_BYTES : 0;
	memcpy(packet, P(attr->test.data_in), attr->test.data_size_in);
	memset(&run, 0, sizeof(run));
	run.packet = packet + skip;
	run.packet_size = attr->test.data_size_in - skip;
	run.seed = 1;
	err = bcu_run(world, attr->test.prog_fd, &run);
	if (err)
		return err;
	if (run.mem_violations || run.state_violations || run.ref_leaks)
		printf("{violation %s} ", run.message);
	attr->test.retval = run.retval;
	attr->test.data_size_out = 0;
	return 0;
}

static long info(const union bpf_attr *attr)
{
	struct bpf_prog_info *out = P(attr->info.info);
	u32 cnt;

	if (!bcu_prog_of_fd(world, attr->info.bpf_fd))
		return -EINVAL;
	cnt = bcu_prog_insns(world, attr->info.bpf_fd, P(out->xlated_prog_insns),
			     out->xlated_prog_insns ? out->xlated_prog_len / sizeof(struct bpf_insn) : 0);
	out->xlated_prog_len = cnt * sizeof(struct bpf_insn);
	return cnt ? 0 : -EBADF;
}

static long command(long cmd, union bpf_attr *attr)
{
	switch (cmd) {
	case BPF_MAP_CREATE:
		return map_create(attr);
	case BPF_MAP_UPDATE_ELEM:
		return map_update(attr);
	case BPF_BTF_LOAD:
		return btf_load(attr);
	case BPF_MAP_FREEZE:
		return bcu_map_freeze(world, attr->map_fd);
	case BPF_BTF_GET_NEXT_ID:
		return -ENOENT;			/* no modules' */
	case BPF_PROG_LOAD:
		return prog_load(attr);
	case BPF_PROG_TEST_RUN:
		return test_run(attr);
	case BPF_OBJ_GET_INFO_BY_FD:
		return info(attr);
	default:
		return -EINVAL;
	}
}

/* ---- libc's functions that are stood in front of ---- */

long syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	static long (*next)(long, long, long, long, long, long, long);
	static union bpf_attr attr;
	u32 size;
	long ret;

	if (nr != NR_BPF) {
		if (!next)
			*(void **)&next = NEXT("syscall");
		return next(nr, a1, a2, a3, a4, a5, a6);
	}
	size = min_t(u32, a3, sizeof(attr));
	memset(&attr, 0, sizeof(attr));
	memcpy(&attr, P(a2), size);
	ret = command(a1, &attr);
	memcpy(P(a2), &attr, size);
	if (ret >= 0)
		return ret;
	errno = -ret;
	return -1;
}

int close(int fd)
{
	static int (*next)(int);

	if (world && fd >= BCU_FIRST_FD && fd < BCU_FIRST_FD + BCU_OBJECTS)
		return bcu_close(world, fd);
	if (!next)
		*(void **)&next = NEXT("close");
	return next(fd);
}

static const char *place_of(const char *path)
{
	const char *btf = getenv("OFFLINE_BTF");

	if (!strcmp(path, SYSCTL))
		return "/nonexistent";		/* a kernel without that switch: for root alone */
	return strcmp(path, KERNEL_BTF) ? path : btf ? btf : "/nonexistent";
}

FILE *fopen(const char *path, const char *mode)
{
	static FILE *(*next)(const char *, const char *);

	if (!next)
		*(void **)&next = NEXT("fopen");
	return next(place_of(path), mode);
}

FILE *fopen64(const char *path, const char *mode)
{
	return fopen(path, mode);
}

int access(const char *path, int mode)
{
	static int (*next)(const char *, int);

	if (!next)
		*(void **)&next = NEXT("access");
	return next(place_of(path), mode);
}

int capget(void *header, struct __user_cap_data_struct *data)
{
	(void)header;
	memset(data, 0xff, 2 * sizeof(*data));
	return 0;
}

int capset(void *header, const void *data)
{
	(void)header;
	(void)data;
	return 0;
}
