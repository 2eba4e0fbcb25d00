// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at the entry (fentry) and at the return (fexit) of kernel functions: what BPF_LINK_CREATE and BPF_RAW_TRACEPOINT_OPEN make
 * of programs of type TRACING. Linux builds a trampoline for each function; here a probe for each program stands there, which
 * the kernel turns into a call where it can. The program gets the arguments out of the registers by the function's prototype.
 */
#include "attach.h"
#include "../compat/kprobes.h"
#include <linux/list.h>

#define MAX_LINKS	38	/* at one function; Linux: BPF_MAX_TRAMP_LINKS */
#define MAX_REGS	6	/* that hold arguments */

/* The context: helpers find the number of words before it, as they do on Linux. */
struct words {
	u64 cnt;
	u64 word[BC_MAX_FUNC_ARGS + 1];	/* arguments, then the result */
};

struct tracing_link {
	struct bc_link link;
	struct list_head node;
	struct kretprobe rp;	/* rp.kp alone at an entry */
	struct bc_ftrace_probe direct;
	bool is_exit;
	u64 cookie;
	unsigned long addr;	/* of the function */
	struct module *owner;	/* of the function; NULL: the kernel */
	u32 reg_cnt;
	u64 mask[MAX_REGS];	/* bits of each word: the rest of a register that holds a smaller argument is garbage */
	u64 ret_mask;
};

static DEFINE_MUTEX(lock);
static LIST_HEAD(links);

static struct tracing_link *tracing_of(const struct bc_link *link)
{
	return container_of(link, struct tracing_link, link);
}

/* ---- hits ---- */

static void read_args(const struct tracing_link *tl, const struct pt_regs *regs, u64 *to)
{
	const u64 reg[MAX_REGS] = { regs->di, regs->si, regs->dx, regs->cx, regs->r8, regs->r9 };
	u32 i;

	for (i = 0; i < tl->reg_cnt; i++)
		to[i] = reg[i] & tl->mask[i];
}

static void run(struct tracing_link *tl, struct words *w, struct pt_regs *regs)
{
	struct bc_run *this_run;

	w->cnt = tl->reg_cnt;
	this_run = bc_this_run();
	this_run->regs = regs;
	this_run->func_ip = tl->addr;
	this_run->cookie = tl->cookie;
	this_run->event = NULL;
	this_run->event_data = NULL;
	bc_prog_run(tl->link.prog, w->word);
}

static void run_at_entry(struct tracing_link *tl, struct pt_regs *regs)
{
	struct words w;

	if (!bc_run_begin_atomic()) {
		bc_prog_count_miss(tl->link.prog);
		return;
	}
	memset(&w, 0, sizeof(w));
	read_args(tl, regs, w.word);
	run(tl, &w, regs);
	bc_run_end_atomic();
}

static int on_entry(struct kprobe *kp, struct pt_regs *regs)
{
	bool made = false;

	if (bc_rcu_may_not_look() && !bc_rcu_look(&made))
		return 0;
	run_at_entry(container_of(kp, struct tracing_link, rp.kp), regs);
	bc_rcu_look_end(made);
	return 0;
}

static void on_direct_entry(struct bc_ftrace_probe *fp, struct pt_regs *regs)
{
	run_at_entry(container_of(fp, struct tracing_link, direct), regs);
}

/* The registers are the function's own from here on, so a program at its return gets them as they were. */
static int save_args(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = bc_kretprobe_of(ri);

	if (!rp)
		return 1;
	read_args(container_of(rp, struct tracing_link, rp), regs, (u64 *)ri->data);
	return 0;
}

static void run_at_return(struct tracing_link *tl, const u64 *args, struct pt_regs *regs)
{
	struct words w;

	if (!bc_run_begin_atomic()) {
		bc_prog_count_miss(tl->link.prog);
		return;
	}
	memset(&w, 0, sizeof(w));
	memcpy(w.word, args, tl->reg_cnt * sizeof(u64));
	w.word[tl->reg_cnt] = regs->ax & tl->ret_mask;
	run(tl, &w, regs);
	bc_run_end_atomic();
}

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = bc_kretprobe_of(ri);
	bool made = false;

	if (!rp || (bc_rcu_may_not_look() && !bc_rcu_look(&made)))
		return 0;
	run_at_return(container_of(rp, struct tracing_link, rp), (const u64 *)ri->data, regs);
	bc_rcu_look_end(made);
	return 0;
}

/* @regs_then: the registers that hold arguments, at the entry */
static void on_direct_return(struct bc_ftrace_probe *fp, struct pt_regs *regs, const u64 *regs_then)
{
	struct tracing_link *tl = container_of(fp, struct tracing_link, direct);
	u64 args[MAX_REGS];
	u32 i;

	for (i = 0; i < tl->reg_cnt; i++)
		args[i] = regs_then[i] & tl->mask[i];
	run_at_return(tl, args, regs);
}

/* ---- links ---- */

static void tracing_release(struct bc_link *link)
{
	struct tracing_link *tl = tracing_of(link);

	bc_ftrace_unregister(&tl->direct);
	mutex_lock(&lock);
	list_del(&tl->node);
	mutex_unlock(&lock);
	module_put(tl->owner);
}

static void tracing_free(struct bc_link *link)
{
	bc_free(NULL, tracing_of(link), sizeof(struct tracing_link));
}

static int tracing_fill_info(const struct bc_link *link, struct bpf_link_info *info, struct bpf_link_info __user *uinfo)
{
	info->tracing.attach_type = link->prog->expected_attach_type;
	info->tracing.target_obj_id = bc_btf_id(link->prog->v.attach_btf);
	info->tracing.target_btf_id = link->prog->attach_btf_id;
	return 0;
}

static void tracing_show_fdinfo(const struct bc_link *link, struct seq_file *m)
{
	seq_printf(m, "attach_type:\t%d\n", link->prog->expected_attach_type);
}

static const struct bc_link_ops tracing_ops = {
	.release = tracing_release,
	.free = tracing_free,
	.fill_info = tracing_fill_info,
	.show_fdinfo = tracing_show_fdinfo,
};

static u64 low_bytes(u32 n)
{
	return n < 8 ? (1ULL << n * 8) - 1 : ~0ULL;
}

static void lay_out(struct tracing_link *tl, const struct bc_func_model *m)
{
	u32 i, left, reg = 0;

	for (i = 0; i < m->arg_cnt; i++)
		for (left = m->arg_size[i]; left && reg < MAX_REGS; left -= min(left, 8u))
			tl->mask[reg++] = low_bytes(left);
	tl->reg_cnt = reg;
	tl->ret_mask = m->ret_size ? low_bytes(m->ret_size) : ~0ULL;
}

/* Under the lock: a program is at its function once, and so many programs are. */
static int check_others(const struct bc_prog *prog)
{
	struct tracing_link *tl;
	u32 cnt = 0;

	list_for_each_entry(tl, &links, node) {
		if (tl->link.prog == prog)
			return -EBUSY;
		cnt += tl->link.prog->attach_btf_id == prog->attach_btf_id;
	}
	return cnt >= MAX_LINKS ? -E2BIG : 0;
}

static int set_probe(struct tracing_link *tl)
{
	tl->rp.kp.addr = (kprobe_opcode_t *)tl->addr;
	tl->direct.kp = &tl->rp.kp;
	tl->direct.is_ret = tl->is_exit;
	tl->direct.wants_args = tl->is_exit;
	tl->direct.pass_return = on_direct_return;
	if (!tl->is_exit) {
		tl->rp.kp.pre_handler = on_entry;
		tl->direct.pass = on_direct_entry;
		return bc_ftrace_register(&tl->direct);
	}
	tl->rp.handler = on_return;
	tl->rp.entry_handler = save_args;
	tl->rp.data_size = MAX_REGS * sizeof(u64);
	/* the kernel's own default is one per CPU, which functions that sleep exhaust at once */
	tl->rp.maxactive = max_t(int, 64, 4 * num_possible_cpus());
	return bc_ftrace_register(&tl->direct);
}

static int attach(struct tracing_link *tl, struct bc_prog *prog)
{
	int err = check_others(prog);

	if (err)
		return err;
	if (!bc_pin_module(tl->addr, &tl->owner))
		return -ENOENT;
	err = set_probe(tl);
	if (err)
		module_put(tl->owner);
	else
		list_add(&tl->node, &links);
	return err;
}

int bc_tracing_attach(struct bc_prog *prog, u64 cookie, struct bc_link **link)
{
	struct tracing_link *tl;
	int err;

	if (prog->type != BPF_PROG_TYPE_TRACING ||
	    (prog->expected_attach_type != BPF_TRACE_FENTRY && prog->expected_attach_type != BPF_TRACE_FEXIT))
		return -EINVAL;
	if (prog->v.attach_model.reg_cnt > MAX_REGS)
		return -ENOTSUPP;
	tl = bc_alloc(NULL, sizeof(*tl));
	if (!tl)
		return -ENOMEM;
	tl->is_exit = prog->expected_attach_type == BPF_TRACE_FEXIT;
	tl->cookie = cookie;
	tl->addr = bc_lookup_symbol(prog->v.attach_func_name);
	lay_out(tl, &prog->v.attach_model);
	err = -EINVAL;
	if (!tl->addr || bc_is_own_text(tl->addr))
		goto free;
	bc_prog_get(prog);
	/* before the probe: it may hit at once */
	tl->link.prog = prog;
	mutex_lock(&lock);
	err = attach(tl, prog);
	mutex_unlock(&lock);
	if (err)
		goto put;
	err = bc_link_init(&tl->link, BPF_LINK_TYPE_TRACING, &tracing_ops, prog);
	if (err) {
		tracing_release(&tl->link);
		goto put;
	}
	*link = &tl->link;
	return 0;
put:
	bc_prog_put(prog);
free:
	bc_free(NULL, tl, sizeof(*tl));
	return err;
}
