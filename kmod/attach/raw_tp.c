// SPDX-License-Identifier: GPL-2.0-only
/*
 * Raw tracepoints: a program at a tracepoint of the kernel or of a module, which gets the tracepoint's arguments as they are.
 */
#include "attach.h"
#include "../compat/raw_tp_args.h"
#include <linux/kallsyms.h>
#include <linux/tracepoint.h>

#define MAX_ARGS 12	/* Linux: MAX_BPF_FUNC_ARGS */

/* ---- finding tracepoints ---- */

static struct tracepoint *find_tracepoint(const char *name)
{
	char symbol[KSYM_NAME_LEN];

	if (!*name || snprintf(symbol, sizeof(symbol), "__tracepoint_%s", name) >= sizeof(symbol))
		return NULL;
	return (struct tracepoint *)bc_lookup_symbol(symbol);
}

/* ---- their arguments ---- */

struct raw_args {
	u32 count;
	u64 mask[MAX_ARGS];	/* bits of each: the rest of a register that holds a smaller argument is garbage */
	const struct compat_raw_tp_args *form;	/* in which the program gets them; NULL: as they are */
	bool as_passed;		/* neither */
};

struct raw_tp_link {
	struct bc_link link;
	struct tracepoint *tp;
	struct module *owner;	/* of the tracepoint; NULL: the kernel */
	void *probe;
	bool attached;
	struct raw_args args;
	char name[128];
};

/* Without types: how many there are, where the kernel has a table of that; else as many as there can be. */
static u32 untyped_count(const struct tracepoint *tp)
{
#ifdef HAVE_BPF_RAW_EVENT_MAP
	const struct bpf_raw_event_map *map = (void *)bc_sym.__start__bpf_raw_tp, *end = (void *)bc_sym.__stop__bpf_raw_tp;

	for (; map && map < end; map++)
		if (map->tp == tp)
			return map->num_args;
#endif
	return MAX_ARGS;
}

/* Name of the function through which perf listens to the tracepoint: its prototype is the tracepoint's. */
static bool perf_probe_name(const char *name, char *out)
{
	char symbol[KSYM_NAME_LEN];
	struct trace_event_call *call;
	char *plus;

	snprintf(symbol, sizeof(symbol), "event_%s", name);
	call = (void *)bc_lookup_symbol(symbol);
	if (!call || !call->class || !call->class->perf_probe)
		return false;
	sprint_symbol(out, (unsigned long)call->class->perf_probe);
	plus = strchr(out, '+');
	if (plus)
		*plus = '\0';
	return !strncmp(out, "perf_trace_", 11);
}

/* The prototype in the kernel's BTF: (void *data, arguments ...). @typedefs: by what programs of type TRACING go by. */
static const struct btf_type *find_proto(const struct bc_btf *btf, const char *name, bool typedefs)
{
	const struct btf_type *t;
	char text[KSYM_SYMBOL_LEN];
	u32 type;
	s32 id;

	snprintf(text, sizeof(text), "btf_trace_%s", name);
	id = typedefs ? bc_btf_find(btf, text, BTF_KIND_TYPEDEF) : -ENOENT;
	if (id > 0) {
		type = bc_btf_type(btf, id)->type;
		t = bc_btf_skip_modifiers(btf, &type);
		if (!t || BTF_INFO_KIND(t->info) != BTF_KIND_PTR)
			return NULL;
	} else {
		if (!perf_probe_name(name, text))
			return NULL;
		id = bc_btf_find(btf, text, BTF_KIND_FUNC);
		if (id <= 0)
			return NULL;
		t = bc_btf_type(btf, id);
	}
	t = bc_btf_type(btf, t->type);
	return t && BTF_INFO_KIND(t->info) == BTF_KIND_FUNC_PROTO ? t : NULL;
}

static void find_args(struct raw_args *args, const struct tracepoint *tp, const char *name)
{
	const struct bc_btf *btf = bc_btf_vmlinux();
	const struct btf_param *param;
	const struct btf_type *proto;
	s64 size;
	u32 i;

	args->form = compat_raw_tp_args(name);
	/* the typedef tells of the form that programs get (shim/bpfcompat/btf/tracepoints.py) */
	proto = btf ? find_proto(btf, name, !args->form) : NULL;
	memset(args->mask, 0xff, sizeof(args->mask));
	args->as_passed = !args->form;
	args->count = min_t(u32, untyped_count(tp), MAX_ARGS);
	if (!proto || !BTF_INFO_VLEN(proto->info) || BTF_INFO_VLEN(proto->info) > MAX_ARGS + 1)
		return;
	args->count = BTF_INFO_VLEN(proto->info) - 1;
	param = (const struct btf_param *)(proto + 1) + 1;
	for (i = 0; i < args->count; i++) {
		size = bc_btf_size(btf, param[i].type);
		if (size > 0 && size < 8) {
			args->mask[i] = (1ULL << size * 8) - 1;
			args->as_passed = false;
		}
	}
}

static u32 program_args(const struct raw_args *args)
{
	return args->form ? args->form->count : args->count;
}

int bc_raw_tp_args(const char *name)
{
	const struct tracepoint *tp = find_tracepoint(name);
	struct raw_args args;

	if (!tp)
		return -ENOENT;
	find_args(&args, tp, name);
	return program_args(&args);
}

/* ---- probes: one for each number of arguments, since only so many were passed ---- */

static noinline void adapt(const struct raw_args *how, u64 *args, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		args[i] &= how->mask[i];
	if (how->form)
		how->form->translate(args);
}

static __always_inline void run(struct raw_tp_link *rl, u64 *args, u32 count)
{
	struct bc_run *this_run;

	if (!bc_run_begin_atomic()) {
		bc_prog_count_miss(rl->link.prog);
		return;
	}
	if (unlikely(!rl->args.as_passed))
		adapt(&rl->args, args, count);
	this_run = bc_this_run();
	this_run->regs = NULL;	/* made by what asks for them */
	bc_prog_run_here(rl->link.prog, this_run, args);
	bc_run_end_atomic();
}

#define A1 u64 a1
#define A2 A1, u64 a2
#define A3 A2, u64 a3
#define A4 A3, u64 a4
#define A5 A4, u64 a5
#define A6 A5, u64 a6
#define A7 A6, u64 a7
#define A8 A7, u64 a8
#define A9 A8, u64 a9
#define A10 A9, u64 a10
#define A11 A10, u64 a11
#define A12 A11, u64 a12
#define V1 a1
#define V2 V1, a2
#define V3 V2, a3
#define V4 V3, a4
#define V5 V4, a5
#define V6 V5, a6
#define V7 V6, a7
#define V8 V7, a8
#define V9 V8, a9
#define V10 V9, a10
#define V11 V10, a11
#define V12 V11, a12

#define PROBE(n) \
	static void probe##n(void *data, A##n) \
	{ \
		u64 args[n + 1] = { V##n };	/* a form may have one more */ \
		run(data, args, n); \
	}

static void probe0(void *data)
{
	u64 args[1] = { 0 };

	run(data, args, 0);
}
PROBE(1)
PROBE(2)
PROBE(3)
PROBE(4)
PROBE(5)
PROBE(6)
PROBE(7)
PROBE(8)
PROBE(9)
PROBE(10)
PROBE(11)
PROBE(12)

static void *const probes[MAX_ARGS + 1] = {
	probe0, probe1, probe2, probe3, probe4, probe5, probe6, probe7, probe8, probe9, probe10, probe11, probe12,
};

/* ---- links ---- */

static struct raw_tp_link *raw_tp_of(const struct bc_link *link)
{
	return container_of(link, struct raw_tp_link, link);
}

static int set_probe(struct raw_tp_link *rl)
{
#ifdef HAVE_TRACEPOINT_BY_NAME
	return tracepoint_probe_register(rl->name, rl->probe, rl);
#else
	return tracepoint_probe_register(rl->tp, rl->probe, rl);
#endif
}

static void clear_probe(struct raw_tp_link *rl)
{
#ifdef HAVE_TRACEPOINT_BY_NAME
	tracepoint_probe_unregister(rl->name, rl->probe, rl);
#else
	tracepoint_probe_unregister(rl->tp, rl->probe, rl);
#endif
}

/* Probes that still run have preemption off, and the link is freed after a grace period for such. */
static void raw_tp_release(struct bc_link *link)
{
	struct raw_tp_link *rl = raw_tp_of(link);

	if (rl->attached)
		clear_probe(rl);
	module_put(rl->owner);
}

static void raw_tp_free(struct bc_link *link)
{
	bc_free(NULL, raw_tp_of(link), sizeof(struct raw_tp_link));
}

static int raw_tp_fill_info(const struct bc_link *link, struct bpf_link_info *info, struct bpf_link_info __user *uinfo)
{
	const struct raw_tp_link *rl = raw_tp_of(link);
	char __user *ubuf = (char __user *)(unsigned long)info->raw_tracepoint.tp_name;
	u32 room = info->raw_tracepoint.tp_name_len, len = strlen(rl->name) + 1;

	if (!room != !ubuf)
		return -EINVAL;
	info->raw_tracepoint.tp_name_len = len;
	if (!ubuf)
		return 0;
	if (room >= len)
		return copy_to_user(ubuf, rl->name, len) ? -EFAULT : 0;
	if (copy_to_user(ubuf, rl->name, room - 1) || put_user('\0', ubuf + room - 1))
		return -EFAULT;
	return -ENOSPC;
}

static void raw_tp_show_fdinfo(const struct bc_link *link, struct seq_file *m)
{
	seq_printf(m, "tp_name:\t%s\n", raw_tp_of(link)->name);
}

static const struct bc_link_ops raw_tp_ops = {
	.release = raw_tp_release,
	.free = raw_tp_free,
	.fill_info = raw_tp_fill_info,
	.show_fdinfo = raw_tp_show_fdinfo,
};

int bc_raw_tp_open(const char *name, struct bc_prog *prog, struct bc_link **link)
{
	struct tracepoint *tp = find_tracepoint(name);
	struct raw_tp_link *rl;
	int err;

	if (!tp)
		return -ENOENT;
	rl = bc_alloc(NULL, sizeof(*rl));
	if (!rl)
		return -ENOMEM;
	rl->tp = tp;
	find_args(&rl->args, tp, name);
	rl->probe = probes[rl->args.count];
	strlcpy(rl->name, name, sizeof(rl->name));
	err = -EINVAL;
	/* none of our tracepoints is one of those that may be written to */
	if (prog->v.max_ctx_offset > program_args(&rl->args) * sizeof(u64) || prog->v.max_tp_access)
		goto free;
	err = -ENOENT;
	/* a module's tracepoint goes with the module */
	if (!bc_pin_module((unsigned long)rl->tp, &rl->owner))
		goto free;
	bc_prog_get(prog);
	err = bc_link_init(&rl->link, BPF_LINK_TYPE_RAW_TRACEPOINT, &raw_tp_ops, prog);
	if (err) {
		bc_prog_put(prog);
		module_put(rl->owner);
		goto free;
	}
	err = set_probe(rl);
	if (err) {
		bc_link_put(&rl->link);
		return err;
	}
	rl->attached = true;
	*link = &rl->link;
	return 0;
free:
	bc_free(NULL, rl, sizeof(*rl));
	return err;
}

int bc_link_query(const struct bc_link *link, struct bc_fd_query *q)
{
	if (link->ops != &raw_tp_ops)
		return -ENOTSUPP;
	memset(q, 0, sizeof(*q));
	q->prog_id = link->prog->obj.id;
	q->fd_type = BPF_FD_TYPE_RAW_TRACEPOINT;
	strlcpy(q->name, raw_tp_of(link)->name, sizeof(q->name));
	return 0;
}
