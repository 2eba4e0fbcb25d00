// SPDX-License-Identifier: GPL-2.0-only
/*
 * The PMU `kprobe` for kernels whose perf has none: opening an event of it puts a kprobe or kretprobe, a program may be attached, and
 * closing takes the probe out. As in Linux: config bit 0 is retprobe, config1 the symbol's name (a user pointer) or 0, config2 the
 * offset in the symbol, or the address.
 */
#include "attach.h"
#include "../compat/kprobes.h"
#include "../compat/nofault.h"
#include <linux/kallsyms.h>

struct own_kprobe {
	struct kretprobe rp;		/* rp.kp alone when this is not a kretprobe */
	struct bc_ftrace_probe direct;
	bool is_ret;
	bool at_entry;
	unsigned long func_ip;		/* for bpf_get_func_ip(): 0 inside a function */
	struct perf_event *event;
	struct bc_hook *hook;
	u64 offset;
	char name[KSYM_NAME_LEN];	/* empty when given by address */
};

static struct pmu kprobe_pmu;
static bool registered;

/* A member of the hardware's part of the event: this PMU has no hardware. */
static struct own_kprobe *own_of(const struct perf_event *event)
{
	return (struct own_kprobe *)event->hw.config_base;
}

bool bc_is_own_kprobe(const struct perf_event *event)
{
	return event->pmu == &kprobe_pmu;
}

/* ---- addresses ---- */

static const u8 endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };

static bool is_landing_pad(unsigned long addr)
{
	u8 insn[sizeof(endbr64)];

	return !compat_read_kernel(insn, (void *)addr, sizeof(insn)) && !memcmp(insn, endbr64, sizeof(insn));
}

bool bc_addr_is_function(unsigned long addr)
{
	char text[KSYM_SYMBOL_LEN];
	unsigned long off;
	char *plus;

	/* "name+0x0/0x10 [module]" */
	sprint_symbol(text, addr);
	plus = strrchr(text, '+');
	if (!plus || sscanf(plus, "+%lx/", &off) != 1)
		return false;
	return off == 0 || (off == sizeof(endbr64) && is_landing_pad(addr - off));
}

unsigned long bc_function_entry(unsigned long addr)
{
	return is_landing_pad(addr - sizeof(endbr64)) ? addr - sizeof(endbr64) : addr;
}

/* ---- hits ---- */

/* Racy by a hit or two: it is what `perf stat` shows. As in Linux, a program that returns 0 keeps a hit from being counted. */
static void count_hit(struct perf_event *event)
{
	if (event->oncpu == smp_processor_id() && !(event->hw.state & PERF_HES_STOPPED))
		local64_inc(&event->count);
}

static int on_entry(struct kprobe *kp, struct pt_regs *regs)
{
	struct own_kprobe *own = container_of(kp, struct own_kprobe, rp.kp);

	if (!READ_ONCE(own->hook) || bc_hook_run_at_probe(&own->hook, regs, own->func_ip))
		count_hit(own->event);
	return 0;
}

static void count_direct(struct bc_ftrace_probe *fp, struct pt_regs *regs)
{
	count_hit(container_of(fp, struct own_kprobe, direct)->event);
}

static void count_direct_return(struct bc_ftrace_probe *fp, struct pt_regs *regs, const u64 *args)
{
	count_direct(fp, regs);
}

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct own_kprobe *own = container_of(bc_kretprobe_of(ri), struct own_kprobe, rp);

	if (!READ_ONCE(own->hook) || bc_hook_run_at_probe(&own->hook, regs, own->func_ip))
		count_hit(own->event);
	return 0;
}

/* ---- events ---- */

bool bc_is_own_text(unsigned long addr)
{
	return within_module_core(addr, THIS_MODULE) || within_module_init(addr, THIS_MODULE);
}

static int set_place(struct own_kprobe *own)
{
	struct kprobe *kp = &own->rp.kp;
	unsigned long addr;

	if (own->name[0]) {
		addr = bc_lookup_symbol(own->name);
		if (!addr)
			return -ENOENT;
		if (own->offset > UINT_MAX)	/* a kprobe keeps 32 bits of it */
			return -EINVAL;
		kp->symbol_name = own->name;
		kp->offset = own->offset;
		addr += own->offset;
		own->at_entry = !own->offset;
	} else {
		addr = own->offset;
		if (!addr)
			return -EINVAL;
		kp->addr = (kprobe_opcode_t *)addr;
		own->at_entry = bc_addr_is_function(addr);
	}
	if (bc_is_own_text(addr) || (own->is_ret && !own->at_entry))
		return -EINVAL;
	own->func_ip = own->at_entry ? addr : 0;
	return 0;
}

static int register_own(struct own_kprobe *own)
{
	own->direct.kp = &own->rp.kp;
	own->direct.is_ret = own->is_ret;
	own->direct.func_ip = own->func_ip;
	if (own->is_ret) {
		own->direct.return_progs = &own->hook;
		own->direct.pass_return = count_direct_return;
		own->rp.handler = on_return;
		/* The kernel's own default is one per CPU, which functions that sleep exhaust at once. */
		own->rp.maxactive = max_t(int, 64, 4 * num_possible_cpus());
	} else {
		own->rp.kp.pre_handler = on_entry;
		own->direct.progs = &own->hook;
		own->direct.pass = count_direct;
	}
	return bc_ftrace_register(&own->direct);
}

static void free_own(struct own_kprobe *own)
{
	bc_free(NULL, own, sizeof(*own));
	module_put(THIS_MODULE);
}

static void kprobe_event_destroy(struct perf_event *event)
{
	struct own_kprobe *own = own_of(event);

	bc_ftrace_unregister(&own->direct);
	free_own(own);
}

static void copied_event_destroy(struct perf_event *event)
{
	module_put(THIS_MODULE);
}

static int read_name(struct own_kprobe *own, const struct perf_event_attr *attr)
{
	long len;

	own->offset = attr->config2;
	if (!attr->config1)
		return 0;
	len = strncpy_from_user(own->name, (const char __user *)(unsigned long)attr->config1, sizeof(own->name));
	if (len == sizeof(own->name))
		return -E2BIG;
	return len < 0 ? len : 0;
}

static int kprobe_event_init(struct perf_event *event)
{
	struct own_kprobe *own;
	int err;

	if (event->attr.type != kprobe_pmu.type)
		return -ENOENT;
	if (!event->parent && !bc_capable_perfmon())
		return -EACCES;
	if (has_branch_stack(event))
		return -EOPNOTSUPP;
	/* By hand, since vanilla 3.10 has no pmu->module. */
	if (!try_module_get(THIS_MODULE))
		return -ENOENT;
	/* A copy in a child task: the parent's probe hits for all tasks already, and refusing would fail the fork. */
	if (event->parent) {
		event->destroy = copied_event_destroy;
		return 0;
	}
	own = bc_alloc(NULL, sizeof(*own));
	if (!own) {
		module_put(THIS_MODULE);
		return -ENOMEM;
	}
	own->event = event;
	own->is_ret = event->attr.config & 1;
	err = read_name(own, &event->attr);
	if (!err)
		err = set_place(own);
	if (!err)
		err = register_own(own);
	if (err) {
		free_own(own);
		return err;
	}
	event->hw.config_base = (unsigned long)own;
	event->destroy = kprobe_event_destroy;
	return 0;
}

static int kprobe_event_add(struct perf_event *event, int flags)
{
	event->hw.state = flags & PERF_EF_START ? 0 : PERF_HES_STOPPED;
	return 0;
}

static void kprobe_event_start(struct perf_event *event, int flags)
{
	event->hw.state = 0;
}

static void kprobe_event_stop(struct perf_event *event, int flags)
{
	event->hw.state = PERF_HES_STOPPED;
}

static void kprobe_event_read(struct perf_event *event)
{
}

static int kprobe_event_idx(struct perf_event *event)
{
	return 0;
}

PMU_FORMAT_ATTR(retprobe, "config:0");

static struct attribute *kprobe_format_attrs[] = { &format_attr_retprobe.attr, NULL };
static const struct attribute_group kprobe_format = { .name = "format", .attrs = kprobe_format_attrs };
static const struct attribute_group *kprobe_groups[] = { &kprobe_format, NULL };

static struct pmu kprobe_pmu = {
	.task_ctx_nr = perf_sw_context,
	.attr_groups = kprobe_groups,
	.event_init = kprobe_event_init,
	.add = kprobe_event_add,
	.del = kprobe_event_stop,
	.start = kprobe_event_start,
	.stop = kprobe_event_stop,
	.read = kprobe_event_read,
	.event_idx = kprobe_event_idx,
};

/* ---- programs ---- */

int bc_kprobe_attach(struct bc_attachment *at, struct bc_prog *prog, u64 cookie)
{
	struct own_kprobe *own = own_of(at->event);
	int err;

	if (prog->type != BPF_PROG_TYPE_KPROBE || prog->v.sleepable)
		return -EINVAL;
	if (at->prog)
		return -EEXIST;
	err = bc_hook_add(&own->hook, prog, cookie);
	if (err)
		return err;
	bc_prog_get(prog);
	at->cookie = cookie;
	WRITE_ONCE(at->prog, prog);
	return 0;
}

void bc_kprobe_detach(struct bc_attachment *at)
{
	bc_hook_remove(&own_of(at->event)->hook, at->prog);
}

int bc_kprobe_query(struct bc_attachment *at, struct bc_fd_query *q)
{
	const struct own_kprobe *own = own_of(at->event);

	q->fd_type = own->is_ret ? BPF_FD_TYPE_KRETPROBE : BPF_FD_TYPE_KPROBE;
	if (own->name[0]) {
		memcpy(q->name, own->name, sizeof(q->name));
		q->offset = own->offset;
	} else {
		q->addr = own->offset;
	}
	return 0;
}

int bc_kprobe_pmu_init(void)
{
	int err;

	if (bc_sym.perf_kprobe_init)
		return 0;	/* perf has one: programs go to its trace events */
	err = bc_pmu_register(&kprobe_pmu, "kprobe");
	if (err)
		pr_err(BC_LOG "cannot register a PMU for kprobes (%d)\n", err);
	registered = !err;
	return err;
}

void bc_kprobe_pmu_exit(void)
{
	if (registered)
		bc_sym.perf_pmu_unregister(&kprobe_pmu);
}
