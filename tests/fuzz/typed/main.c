// SPDX-License-Identifier: GPL-2.0-only
/*
 * Drives the generator: `run` verifies and runs programs, watched; `show` prints one with the verifier's log; `accepted` is `run` without running
 * rejected ones, for counting coverage; `native` loads programs by bpf(2) as well, and compares verdicts. Prints one JSON object.
 */
#define _GNU_SOURCE
#include "gen.h"
#include "types.h"
#include "../../../verifier/btf.h"

#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

#ifdef COUNT_BRANCHES
void __gcov_reset(void);
#endif

#define RUNS		3
#define RUN_LIMIT	20000		/* instructions */
#define WALK_LIMIT	20000		/* instructions verified */
#define FULL_LIMIT	2500		/* ... without pruning */
#define PACKET_BYTES	64
#define ERRNOS		600
#define MAX_SHOWN	5

static struct bcu *world;
static struct gen_fds fds;
static struct gen_prog prog;
static char log_buf[1 << 20];

struct tally {
	u64 programs, accepted, full, runs, insns, timed_out, verified;
	u64 violations, first_violation, pruned_only;
	u64 errnos[ERRNOS];
};

static void must(long fd, const char *what)
{
	if (fd >= 0)
		return;
	fprintf(stderr, "%s: %ld\n", what, fd);
	exit(2);
}

static const union {
	u64 numbers[GEN_TEXT / 8];
	char texts[GEN_TEXT / 16][16];
} constants = { .texts = {
	"\5\0\0\0\0\0\0\0hello", "%d\0\0\0\0\0\0\3", "\7\0\0\0\1\0\0\0\377\377\377\377\377\377\377", "%s %x", "%pI4 %llu", "%u %% %pK", "%c %-5ld",
	"%pks %pB", "%05d %+i", "% X %lld", "%pI6 %px", "%pus %pS", "%p, %-3u",
} };

static const struct map_spec {
	u32 type, key, value, entries, flags, value_type;
} specs[GEN_MAPS] = {
	[GEN_ARRAY] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 4 },
	[GEN_HASH] = { BPF_MAP_TYPE_HASH, 8, GEN_VALUE, 8 },
	[GEN_PERCPU] = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, GEN_VALUE, 2 },
	[GEN_PERCPU_HASH] = { BPF_MAP_TYPE_PERCPU_HASH, 8, GEN_VALUE, 8 },
	[GEN_LOCKED] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 2, 0, TYPES_LOCKED },
	[GEN_TIMER] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 2, 0, TYPES_TIMER },
	[GEN_KPTR] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 2, 0, TYPES_KEPT },
	[GEN_KPTR_PERCPU] = { BPF_MAP_TYPE_PERCPU_ARRAY, 4, GEN_VALUE, 2, 0, TYPES_KEPT },
	[GEN_ONE] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 1 },
	[GEN_KEPT] = { BPF_MAP_TYPE_ARRAY, 4, GEN_VALUE, 1, 0, TYPES_KEPT_SECTION },
	[GEN_CONST] = { BPF_MAP_TYPE_ARRAY, 4, GEN_TEXT, 1, BPF_F_RDONLY_PROG },
	[GEN_TASKS] = { BPF_MAP_TYPE_TASK_STORAGE, 4, GEN_VALUE, 0, BPF_F_NO_PREALLOC, TYPES_MEMORY },
	[GEN_SOCKS] = { BPF_MAP_TYPE_SK_STORAGE, 4, GEN_VALUE, 0, BPF_F_NO_PREALLOC, TYPES_MEMORY },
	[GEN_CGROUP] = { BPF_MAP_TYPE_CGROUP_STORAGE, 8, GEN_VALUE, 0 },
	[GEN_RING] = { BPF_MAP_TYPE_RINGBUF, 0, 0, 4096 },
	[GEN_EVENTS] = { BPF_MAP_TYPE_PERF_EVENT_ARRAY, 4, 4, 4 },
	[GEN_PROGS] = { BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4 },
	[GEN_USER_RING] = { BPF_MAP_TYPE_USER_RINGBUF, 0, 0, 4096 },
};

/* Kernel functions: the small kernel's types, and their names in any kernel's. */
static const struct kfunc_spec {
	s32 id;
	const char *name;
} kfuncs[GEN_KFUNC_CNT] = {
#define KFUNC(id, name) [GEN_KF_##id] = { KERNEL_KF_##id, "bpf_kfunc_call_test" name }
	KFUNC(ACQUIRE, "_acquire"), KFUNC(RELEASE, "_release"), KFUNC(RDWR, "_get_rdwr_mem"), KFUNC(RDONLY, "_get_rdonly_mem"),
	KFUNC(REF, "_ref"), KFUNC(CTX, "_pass_ctx"), KFUNC(PASS, "_pass1"), KFUNC(LEN, "_mem_len_pass1"), KFUNC(SUM, "2"),
	KFUNC(SUM4, "1"), KFUNC(KPTR_GET, "_kptr_get"), KFUNC(DESTROY, "_destructive"),
};

static void make_world(void)
{
	static const u32 zero;
	int i;

	for (i = 0; i < GEN_KFUNC_CNT; i++)
		fds.kfunc[i] = kfuncs[i].id;

	world = bcu_new();
	fds.module = bcu_btf_new(world, module_blob, sizeof(module_blob), true, log_buf, sizeof(log_buf));
	must(fds.module, "a module's types");
	must(bcu_btf_new(world, kernel_blob, sizeof(kernel_blob), true, log_buf, sizeof(log_buf)), "the kernel's types");
	fds.btf = bcu_btf_new(world, types_blob, sizeof(types_blob), false, log_buf, sizeof(log_buf));
	must(fds.btf, log_buf);
	for (i = 0; i < GEN_MAPS; i++) {
		const struct map_spec *s = &specs[i];

		fds.map[i] = bcu_map_new(world, s->type, s->key, s->value, s->entries, s->flags, s->value_type ? fds.btf : -1, s->value_type);
		must(fds.map[i], "map");
	}
	must(bcu_map_update(world, fds.map[GEN_CONST], &zero, &constants, 0), "constants");
	must(bcu_map_freeze(world, fds.map[GEN_CONST]), "freezing");
}

static int load(bool full, u32 log_level, u64 *verified)
{
	struct bcu_stats stats;
	struct bcu_load l;
	int fd;

	memset(&l, 0, sizeof(l));
	l.prog_type = prog.type;
	l.expected_attach_type = prog.attach_type;
	l.attach_btf_id = prog.attach_btf_id;
	l.prog_flags = prog.flags;
	l.gpl = true;
	l.insns = prog.insns;
	l.insn_cnt = prog.cnt;
	l.fd_array = fds.map;
	l.fd_array_cnt = GEN_MAPS;
	l.btf_fd = -1;
	if (prog.needs_btf) {
		l.btf_fd = fds.btf;
		l.func_info = prog.funcs;
		l.func_info_cnt = prog.func_cnt;
		l.line_info = prog.lines;
		l.line_info_cnt = prog.line_cnt;
	}
	l.record = true;
	l.no_prune = full;
	l.max_verified = full ? FULL_LIMIT : WALK_LIMIT;
	l.log_level = log_level;
	l.log = log_level ? log_buf : NULL;
	l.log_size = log_level ? sizeof(log_buf) : 0;
	fd = bcu_prog_load(world, &l, &stats);
	if (verified && fd >= 0)
		*verified += stats.verified_insns - (BC_MAX_INSNS - l.max_verified);
	return fd;
}

/* An object for the value, where it may own one. */
static void own(struct bcu_map *m, u32 k, u64 seed)
{
	u32 i;

	for (i = 0; i < m->desc.kptr_cnt; i++)
		if (m->desc.kptrs[i].ref && seed % 3)
			*(u64 *)(m->values + (size_t)m->value_stride * k + m->desc.kptrs[i].off) =
				bc_kfunc_table[BC_KFUNC_call_test_acquire](0, 0, 0, 0, 0);
}

/* Fresh contents for all values; a few entries in hash tables; now and then an element for the task. */
static void fill_maps(u64 seed)
{
	u64 words[GEN_VALUE / 8], key;
	struct bcu_map *m;
	u32 i, k;

	for (i = 0; i < GEN_MAPS; i++) {
		m = bcu_map_of_fd(world, fds.map[i]);
		if (i == GEN_CONST || i >= GEN_RING)
			continue;
		memset(m->data, 0, m->data_size);
		for (k = 0; k < (m->desc.max_entries < 4 ? m->desc.max_entries : 4); k++) {
			gen_values(words, ARRAY_SIZE(words), seed * 64 + i * 8 + k);
			key = k;
			bcu_map_update(world, fds.map[i], &key, words, 0);
			own(m, k, seed + i + k);
		}
		if (i == GEN_TASKS && seed % 2) {
			gen_values(words, ARRAY_SIZE(words), seed);
			bcu_storage_get((unsigned long)m, (unsigned long)&world->task, (unsigned long)words, BPF_LOCAL_STORAGE_GET_F_CREATE, 0);
		}
	}
}

/* Runs what was loaded; false when something was not as the verifier thought. */
static bool run(int fd, u64 seed, struct tally *t, char *message, size_t size)
{
	static const u8 lengths[] = { 64, 20, 0, 1, 14, 40, 63, 34 };
	static u8 packet[PACKET_BYTES];
	static u64 ctx[BC_MAX_TRACE_BYTES / 8];
	struct bcu_run r;
	u32 i, k;

	for (i = 0; i < RUNS; i++) {
		fill_maps(seed * RUNS + i);
		memset(&r, 0, sizeof(r));
		gen_values(ctx, ARRAY_SIZE(ctx), seed + i);
		if (prog.type == BPF_PROG_TYPE_TRACING)	/* no kernel objects here */
			memset(ctx, 0, sizeof(ctx));
		if (prog.attach_type == BPF_TRACE_ITER && prog.attach_btf_id == KERNEL_ITER_ELEM && i)	/* key and value of an element */
			ctx[2] = ctx[3] = (unsigned long)world->sample;
		for (k = 0; k < sizeof(packet); k++)
			packet[k] = seed + k;
		r.ctx = ctx;
		r.packet = packet;
		r.packet_size = lengths[(seed + i) % ARRAY_SIZE(lengths)];
		switch (prog.type) {
		case BPF_PROG_TYPE_SOCKET_FILTER:
		case BPF_PROG_TYPE_SCHED_CLS:
		case BPF_PROG_TYPE_CGROUP_SKB:
		case BPF_PROG_TYPE_XDP:
			break;
		default:
			r.ctx_size = sizeof(ctx);
		}
		r.seed = seed * 77 + i;
		r.max_insns = RUN_LIMIT;
		bcu_run(world, fd, &r);
		t->runs++;
		t->insns += r.insns;
		t->timed_out += r.timed_out && !r.mem_violations;
		if (r.mem_violations || r.state_violations || r.overflows || (r.ref_leaks && !r.timed_out)) {
			snprintf(message, size, "run %u: %s", i, r.message[0] ? r.message : r.overflows ? "the stack ran over" :
				 "a reference was lost");
			return false;
		}
	}
	return true;
}

static void drop(int fd)
{
	if (fd >= 0)
		bcu_close(world, fd);
}

/* Once pruned, and once with every path walked where that ends. */
static void try_seed(u64 seed, u32 features, struct tally *t)
{
	char message[400];
	int pruned, full;
	bool ok;

	gen_make(&prog, seed, features, &fds);
	t->programs++;
	pruned = load(false, 0, &t->verified);
	if (pruned < 0) {
		t->errnos[-pruned < ERRNOS ? -pruned : 0]++;
		if (pruned != -EFAULT && pruned != -ENOMEM)
			return;
		snprintf(message, sizeof(message), "the verifier gave up: %d", pruned);
		ok = false;
	} else {
		t->accepted++;
		ok = run(pruned, seed, t, message, sizeof(message));
		drop(pruned);
	}
	full = ok && !prog.calls_back ? load(true, 0, NULL) : -E2BIG;
	if (full >= 0) {
		t->full++;
		ok = run(full, seed, t, message, sizeof(message));
		drop(full);
	} else if (full != -E2BIG) {
		if (t->pruned_only++ < MAX_SHOWN)
			fprintf(stderr, "seed %llu: accepted with pruning alone (%d without)\n", seed, full);
	}
	if (ok)
		return;
	if (!t->violations++)
		t->first_violation = t->programs;
	if (t->violations <= MAX_SHOWN)
		fprintf(stderr, "seed %llu: %s\n", seed, message);
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void print_tally(const struct tally *t, double seconds)
{
	const char *comma = "";
	u32 i;

	printf("{\"programs\": %llu, \"accepted\": %llu, \"full\": %llu, \"runs\": %llu, \"insns\": %llu, \"timed_out\": %llu, \"verified\": %llu, "
	       "\"violations\": %llu, \"first_violation\": %llu, \"pruned_only\": %llu, \"seconds\": %.1f, \"cpu\": %.1f, \"errnos\": {",
	       t->programs, t->accepted, t->full, t->runs, t->insns, t->timed_out, t->verified, t->violations, t->first_violation,
	       t->pruned_only, seconds, (double)clock() / CLOCKS_PER_SEC);
	for (i = 0; i < ERRNOS; i++) {
		if (!t->errnos[i])
			continue;
		printf("%s\"%u\": %llu", comma, i, t->errnos[i]);
		comma = ", ";
	}
	printf("}}\n");
}

static int do_run(u64 seed, u64 count, u32 features, u32 stop_after)
{
	struct tally *t = calloc(1, sizeof(*t));
	double begun = now();
	u64 i;

	for (i = 0; i < count && (!stop_after || t->violations < stop_after); i++)
		try_seed(seed + i, features, t);
	print_tally(t, now() - begun);
	return t->violations != 0;
}

/* Verifies programs that are known to be accepted and counts the branches of that alone. */
static int do_accepted(u64 seed, u64 count, u32 features)
{
	u8 *good = calloc(count, 1);
	u64 i, cnt = 0;
	int fd;

	for (i = 0; i < count; i++) {
		gen_make(&prog, seed + i, features, &fds);
		fd = load(false, i % 8, NULL);
		good[i] = fd >= 0;
		drop(fd);
	}
#ifdef COUNT_BRANCHES
	__gcov_reset();
#endif
	/* the world's types are accepted as well */
	make_world();
	for (i = 0; i < count; i++) {
		if (!good[i])
			continue;
		gen_make(&prog, seed + i, features, &fds);
		fd = load(false, i % 8, NULL);
		must(fd, "a program that was accepted before");
		drop(fd);
		cnt++;
	}
	printf("{\"programs\": %llu, \"accepted\": %llu}\n", count, cnt);
	return 0;
}

static int do_show(u64 seed, u32 features)
{
	char message[400] = "all is well";
	struct tally t;
	int fd;

	memset(&t, 0, sizeof(t));
	gen_make(&prog, seed, features, &fds);
	fd = load(false, 6, NULL);
	printf("%s\npruned: %d\n", log_buf, fd);
	if (fd >= 0 && !run(fd, seed, &t, message, sizeof(message)))
		printf("%s\n", message);
	if (!prog.calls_back) {
		fd = load(true, 6, NULL);
		printf("%s\nfull: %d\n", fd < 0 ? log_buf : "", fd);
		if (fd >= 0 && !run(fd, seed, &t, message, sizeof(message)))
			printf("%s\n%s\n", log_buf, message);
	}
	return 0;
}

/* ---- natively ---- */

static long bpf(int cmd, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, cmd, attr, sizeof(*attr));

	return ret < 0 ? -errno : ret;
}

/* The types of the kernel's functions, out of its own BTF. */
static void find_kfuncs(struct gen_fds *n)
{
	static char bytes[32 << 20];
	FILE *file = fopen("/sys/kernel/btf/vmlinux", "r");
	struct bcu *other = bcu_new();
	size_t size;
	int i;

	must(file ? 0 : -ENOENT, "the kernel's BTF");
	size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	must(bcu_btf_new(other, bytes, size, true, log_buf, sizeof(log_buf)), log_buf);
	for (i = 0; i < GEN_KFUNC_CNT; i++) {
		n->kfunc[i] = bc_btf_find(other->vmlinux, kfuncs[i].name, BTF_KIND_FUNC);
		must(n->kfunc[i], kfuncs[i].name);
	}
	bcu_free(other);
}

static void make_native(struct gen_fds *n)
{
	static const u32 zero;
	union bpf_attr attr;
	int i;

	find_kfuncs(n);
	memset(&attr, 0, sizeof(attr));
	attr.btf = (unsigned long)types_blob;
	attr.btf_size = sizeof(types_blob);
	attr.btf_log_buf = (unsigned long)log_buf;
	attr.btf_log_size = sizeof(log_buf);
	attr.btf_log_level = 1;
	n->btf = bpf(BPF_BTF_LOAD, &attr);
	must(n->btf, log_buf);
	for (i = 0; i < GEN_MAPS; i++) {
		memset(&attr, 0, sizeof(attr));
		attr.map_type = specs[i].type;
		attr.key_size = specs[i].key;
		attr.value_size = specs[i].value;
		attr.max_entries = specs[i].entries;
		attr.map_flags = specs[i].flags;
		if (specs[i].value_type) {
			attr.btf_fd = n->btf;
			/* the values of a section have no key */
			attr.btf_key_type_id = i == GEN_KEPT ? 0 : TYPES_KEY;
			attr.btf_value_type_id = specs[i].value_type;
		}
		n->map[i] = bpf(BPF_MAP_CREATE, &attr);
		must(n->map[i], "a map, natively");
	}
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = n->map[GEN_CONST];
	attr.key = (unsigned long)&zero;
	attr.value = (unsigned long)&constants;
	must(bpf(BPF_MAP_UPDATE_ELEM, &attr), "constants, natively");
	memset(&attr, 0, sizeof(attr));
	attr.map_fd = n->map[GEN_CONST];
	must(bpf(BPF_MAP_FREEZE, &attr), "freezing, natively");
}

static int load_native(const struct gen_fds *n, u32 log_level)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = prog.type;
	attr.expected_attach_type = prog.attach_type;
	attr.prog_flags = prog.flags;
	attr.license = (unsigned long)"GPL";
	attr.insns = (unsigned long)prog.insns;
	attr.insn_cnt = prog.cnt;
	attr.fd_array = (unsigned long)n->map;
	if (prog.needs_btf) {
		attr.prog_btf_fd = n->btf;
		attr.func_info = (unsigned long)prog.funcs;
		attr.func_info_cnt = prog.func_cnt;
		attr.func_info_rec_size = sizeof(prog.funcs[0]);
		attr.line_info = (unsigned long)prog.lines;
		attr.line_info_cnt = prog.line_cnt;
		attr.line_info_rec_size = sizeof(prog.lines[0]);
	}
	if (log_level) {
		attr.log_level = log_level;
		attr.log_buf = (unsigned long)log_buf;
		attr.log_size = sizeof(log_buf);
	}
	return bpf(BPF_PROG_LOAD, &attr);
}

/* The end of the log, with the message, as a line of JSON. */
static void print_end(const char *name)
{
	size_t len = strlen(log_buf), from = len > 700 ? len - 700 : 0;

	printf(", \"%s\": \"", name);
	for (; from < len; from++) {
		if (log_buf[from] == '\n')
			printf("\\n");
		else if (log_buf[from] != '"' && log_buf[from] != '\\' && log_buf[from] >= ' ')
			putchar(log_buf[from]);
	}
	printf("\"");
}

static int prog_array_of(u32 type, u32 attach_type)
{
	static int fd_of[32][64];
	union bpf_attr attr;

	if (!fd_of[type][attach_type]) {
		memset(&attr, 0, sizeof(attr));
		attr.map_type = BPF_MAP_TYPE_PROG_ARRAY;
		attr.key_size = attr.value_size = attr.max_entries = 4;
		fd_of[type][attach_type] = bpf(BPF_MAP_CREATE, &attr);
		must(fd_of[type][attach_type], "a prog array, natively");
	}
	return fd_of[type][attach_type];
}

static int do_native(u64 seed, u64 count, u32 features)
{
	u64 i, both = 0, neither = 0, stricter = 0, looser = 0, shown = 0;
	struct gen_fds native;
	int ours, theirs;

	features &= ~(GEN_NEW_INSNS | GEN_KERNEL);
	make_native(&native);
	printf("{\"differences\": [");
	for (i = 0; i < count; i++) {
		gen_make(&prog, seed + i, features, &fds);
		/* a prog array belongs to the type of program, and of attachment, that was first to use it */
		native.map[GEN_PROGS] = prog_array_of(prog.type, prog.attach_type);
		log_buf[0] = '\0';
		ours = load(false, 0, NULL);
		drop(ours);
		gen_make(&prog, seed + i, features, &native);
		theirs = load_native(&native, 0);
		if (theirs >= 0)
			close(theirs);
		if (ours >= 0 && theirs >= 0) {
			both++;
			continue;
		}
		/* by another errno: both reject it */
		if (ours < 0 && theirs < 0) {
			neither++;
			continue;
		}
		if (ours >= 0)
			looser++;
		else
			stricter++;
		if (shown >= 200)
			continue;
		printf("%s\n{\"seed\": %llu, \"type\": %u, \"ours\": %d, \"native\": %d", shown++ ? "," : "", seed + i, prog.type, ours < 0 ? ours : 0,
		       theirs < 0 ? theirs : 0);
		log_buf[0] = '\0';
		if (theirs < 0) {
			load_native(&native, 1);
			print_end("log");
		} else {
			gen_make(&prog, seed + i, features, &fds);
			drop(load(false, 1, NULL));
			print_end("log");
		}
		printf("}");
	}
	printf("],\n\"programs\": %llu, \"both\": %llu, \"neither\": %llu, \"stricter\": %llu, \"looser\": %llu}\n", count, both, neither,
	       stricter, looser);
	return 0;
}

int main(int argc, char **argv)
{
	u64 seed = argc > 2 ? strtoull(argv[2], NULL, 0) : 1, count = argc > 3 ? strtoull(argv[3], NULL, 0) : 1000;
	u32 features = argc > 4 ? strtoul(argv[4], NULL, 0) : GEN_ALL;

	if (argc < 2)
		return 2;
	make_world();
	if (!strcmp(argv[1], "run"))
		return do_run(seed, count, features, argc > 5 ? strtoul(argv[5], NULL, 0) : 0);
	if (!strcmp(argv[1], "accepted"))
		return do_accepted(seed, count, features);
	if (!strcmp(argv[1], "show"))
		return do_show(seed, argc > 3 ? count : GEN_ALL);
	if (!strcmp(argv[1], "native"))
		return do_native(seed, count, features);
	return 2;
}
