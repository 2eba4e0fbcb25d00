// SPDX-License-Identifier: GPL-2.0-only
/*
 * libFuzzer's way into the user-space build: an input holds the fields of a load request, instructions, BTF, function and line records, and the
 * attributes of one map. All of it is parsed and verified; what is accepted runs, watched; the instructions are printed once more as
 * objects of the kernel's types, where the BTF is to be that. libfuzzer.py writes inputs of this shape.
 */
#include "../../verifier/user/lib.h"

#include <stdlib.h>

#define MAX_INSNS	512
#define MAX_RECORDS	64
#define LIMIT		4000	/* instructions to verify, and to run */
#define MAX_VALUE	4096
#define FIXED_MAPS	6
#define SHOW_AT		0xffff888000001000ULL
#define SHOW_STEPS	(1 << 17)	/* for all objects of an input; begins no other then */

struct input {
	u8 prog_type, attach_type, prog_flags, log_level;
	u16 insn_cnt, btf_size;
	u8 func_cnt, line_cnt, no_licence, btf_of_kernel;
	u32 map_type, key_size, value_size, max_entries, map_flags, value_type_id;
	u32 attach_btf_id;
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);
size_t LLVMFuzzerMutate(u8 *data, size_t size, size_t max_size);
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed);

static void die(const char *what, const char *message)
{
	fprintf(stderr, "%s: %s\n", what, message);
	abort();
}

/* The fds that programs find: numbers from BCU_FIRST_FD on. */
static void make_maps(struct bcu *w)
{
	static const u64 constants[2] = { 5, 0x6c6c6548 };
	static const u32 zero;
	int fd;

	bcu_map_new(w, BPF_MAP_TYPE_ARRAY, 4, 48, 4, 0, -1, 0);
	bcu_map_new(w, BPF_MAP_TYPE_HASH, 8, 16, 8, 0, -1, 0);
	bcu_map_new(w, BPF_MAP_TYPE_PERCPU_ARRAY, 4, 8, 2, 0, -1, 0);
	bcu_map_new(w, BPF_MAP_TYPE_RINGBUF, 0, 0, 4096, 0, -1, 0);
	fd = bcu_map_new(w, BPF_MAP_TYPE_ARRAY, 4, 16, 1, BPF_F_RDONLY_PROG, -1, 0);
	bcu_map_update(w, fd, &zero, constants, 0);
	bcu_map_freeze(w, fd);
	bcu_map_new(w, BPF_MAP_TYPE_PROG_ARRAY, 4, 4, 4, 0, -1, 0);
}

static void look_at_types(struct bcu *w, const struct bc_btf *btf)
{
	struct bc_map_desc desc;
	u32 i, id;

	for (i = 0; i < btf->type_cnt + 2; i++) {
		memset(&desc, 0, sizeof(desc));
		bc_btf_find_spin_lock(btf, i);
		bc_btf_find_timer(btf, i);
		bc_btf_find_kptrs(btf, i, w->vmlinux, &desc);
		bc_btf_size(btf, i);
		id = i;
		if (bc_btf_type(btf, i))
			bc_btf_skip_modifiers(btf, &id);
	}
}

static void show(struct bcu *w, const struct input *in, const void *memory, u32 size)
{
	u32 i, steps = 0, text_size = in->max_entries % 200 + 1;
	struct bcu_show show;
	char *text;
	int ret;

	for (i = 1; i < w->vmlinux->type_cnt + 2 && steps < SHOW_STEPS; i++) {
		memset(&show, 0, sizeof(show));
		show.text = text = malloc(text_size);
		show.text_size = text_size;
		show.type_id = i;
		show.flags = in->map_flags & 15;
		show.addr = SHOW_AT + (in->map_flags & 16 ? in->key_size % 64 : 0);
		show.memory = memory;
		show.memory_addr = SHOW_AT;
		show.memory_size = size;
		show.field = memory;
		show.field_addr = SHOW_AT + in->value_size % 64;
		show.field_size = min_t(u32, size, in->value_type_id % 17);
		ret = bcu_btf_show(w, &show);
		if (ret >= 0 && strnlen(text, text_size) != min_t(u32, ret, text_size - 1))
			die("a type's text", "has another length than was told");
		steps += show.steps;
		free(text);
	}
}

static void run(struct bcu *w, int fd)
{
	static u8 packet[64], ctx[BC_MAX_TRACE_BYTES] __attribute__((aligned(8)));
	struct bcu_run r;

	memset(&r, 0, sizeof(r));
	if (!bcu_can_run(bcu_prog_of_fd(w, fd)))
		return;
	r.packet = packet;
	r.packet_size = sizeof(packet);
	r.ctx = ctx;
	switch (bcu_prog_of_fd(w, fd)->type) {
	case BPF_PROG_TYPE_SOCKET_FILTER:
	case BPF_PROG_TYPE_SCHED_CLS:
	case BPF_PROG_TYPE_XDP:
	case BPF_PROG_TYPE_CGROUP_SKB:
		break;
	case BPF_PROG_TYPE_KPROBE:
	case BPF_PROG_TYPE_TRACEPOINT:
	case BPF_PROG_TYPE_PERF_EVENT:
	case BPF_PROG_TYPE_RAW_TRACEPOINT:
		r.ctx_size = sizeof(ctx);
		break;
	default:	/* their context holds pointers to what only a kernel has */
		return;
	}
	r.seed = 1;
	r.max_insns = LIMIT;
	bcu_run(w, fd, &r);
	if (r.mem_violations || r.state_violations || (r.ref_leaks && !r.timed_out))
		die("a program that was accepted", r.message[0] ? r.message : "lost a reference");
}

static void *take(const u8 **data, size_t *size, size_t want)
{
	void *copy;

	if (want > *size)
		want = *size;
	copy = malloc(want ? want : 1);	/* a block of its own, so that reading past it is noticed */
	memcpy(copy, *data, want);
	*data += want;
	*size -= want;
	return copy;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static char log[1 << 14];
	u64 before = bc_user_live_blocks();
	void *insns, *btf, *funcs, *lines;
	struct bcu_stats stats;
	struct bcu_load load;
	struct input in;
	size_t bytes;
	struct bcu *w;
	int fd = -1;

	if (size < sizeof(in))
		return 0;
	memcpy(&in, data, sizeof(in));
	data += sizeof(in);
	size -= sizeof(in);
	w = bcu_new();
	make_maps(w);

	memset(&load, 0, sizeof(load));
	bytes = size;
	insns = take(&data, &size, (in.insn_cnt % (MAX_INSNS + 1)) * sizeof(struct bpf_insn));
	load.insn_cnt = (bytes - size) / sizeof(struct bpf_insn);
	bytes = size;
	btf = take(&data, &size, in.btf_size);
	load.btf_fd = bytes - size ? bcu_btf_new(w, btf, bytes - size, in.btf_of_kernel & 1, log, in.log_level & 1 ? sizeof(log) : 0) : -1;
	bytes = size;
	funcs = take(&data, &size, (in.func_cnt % MAX_RECORDS) * sizeof(struct bpf_func_info));
	load.func_info_cnt = (bytes - size) / sizeof(struct bpf_func_info);
	bytes = size;
	lines = take(&data, &size, (in.line_cnt % MAX_RECORDS) * sizeof(struct bpf_line_info));
	load.line_info_cnt = (bytes - size) / sizeof(struct bpf_line_info);
	if (load.btf_fd >= 0)
		look_at_types(w, w->objs[load.btf_fd - BCU_FIRST_FD].ptr);
	if (load.btf_fd >= 0 && w->vmlinux)
		show(w, &in, insns, load.insn_cnt * sizeof(struct bpf_insn));
	else
		load.func_info_cnt = load.line_info_cnt = 0;	/* the loader takes none without BTF */

	/* sizes that a map may have are the loader's to check */
	if (in.key_size && in.key_size <= BC_MAX_STACK && in.value_size && in.value_size <= MAX_VALUE && in.max_entries && in.max_entries <= 64)
		bcu_map_new(w, in.map_type, in.key_size, in.value_size, in.max_entries, in.map_flags, load.btf_fd, in.value_type_id);

	load.prog_type = in.prog_type;
	load.expected_attach_type = in.attach_type;
	load.attach_btf_id = in.attach_btf_id;
	load.prog_flags = in.prog_flags;
	load.gpl = !(in.no_licence & 1);
	load.insns = insns;
	load.func_info = funcs;
	load.line_info = lines;
	load.log_level = in.log_level & 7;
	load.log = log;
	load.log_size = load.log_level ? sizeof(log) : 0;
	load.max_verified = LIMIT;
	fd = bcu_prog_load(w, &load, &stats);
	if (fd == -EFAULT || fd == -ENOMEM)
		die("the verifier", fd == -EFAULT ? "lost its way (EFAULT)" : "took too much memory");
	if (fd >= 0)
		run(w, fd);
	bcu_free(w);
	free(insns);
	free(btf);
	free(funcs);
	free(lines);
	if (bc_user_live_blocks() != before)
		die("the verifier", "memory was not given back");
	return 0;
}

static u32 next(u32 *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return *seed >> 8;
}

/* Half of the time as libFuzzer does; else whole instructions, and their fields. */
size_t LLVMFuzzerCustomMutator(u8 *data, size_t size, size_t max_size, unsigned int seed)
{
	static const s32 numbers[] = { 0, 1, -1, 2, 4, 7, 8, 16, 31, 32, 47, 48, 63, 64, 255, 0x7fffffff, (s32)0x80000000 };
	struct bpf_insn *insn, *other;
	struct input in;
	u32 cnt;

	if (size < sizeof(in) + sizeof(*insn) || !(next(&seed) & 1))
		return LLVMFuzzerMutate(data, size, max_size);
	memcpy(&in, data, sizeof(in));
	cnt = min_t(u32, in.insn_cnt % (MAX_INSNS + 1), (size - sizeof(in)) / sizeof(*insn));
	if (!cnt)
		return LLVMFuzzerMutate(data, size, max_size);
	insn = (struct bpf_insn *)(data + sizeof(in)) + next(&seed) % cnt;
	other = (struct bpf_insn *)(data + sizeof(in)) + next(&seed) % cnt;
	switch (next(&seed) % 9) {
	case 0:
		insn->dst_reg = next(&seed) % 11;
		break;
	case 1:
		insn->src_reg = next(&seed) % 11;
		break;
	case 2:
		insn->imm = numbers[next(&seed) % ARRAY_SIZE(numbers)];
		break;
	case 3:
		insn->off = next(&seed) % 2 ? (s16)(next(&seed) % 32) - 8 : (s16)-(next(&seed) % 65);
		break;
	case 4:
		insn->code ^= 1 << next(&seed) % 8;
		break;
	case 5:
		*insn = *other;
		break;
	case 6:
		insn->imm = (s32)((u32)insn->imm + next(&seed) % 5 - 2);
		break;
	case 7:		/* one more */
		if (size + sizeof(*insn) > max_size || in.insn_cnt >= MAX_INSNS)
			break;
		memmove(insn + 1, insn, data + size - (u8 *)insn);
		in.insn_cnt = cnt + 1;
		memcpy(data, &in, sizeof(in));
		size += sizeof(*insn);
		*insn = *(other >= insn ? other + 1 : other);
		break;
	default: {	/* trade places */
		struct bpf_insn t = *insn;

		*insn = *other;
		*other = t;
	}
	}
	return size;
}
