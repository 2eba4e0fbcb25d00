// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at the kprobe behind an event of perf's own PMU `kprobe`. Such a probe is one event's alone: no file of tracefs shows or
 * counts it. So its handler, which makes a record for perf's lists, is put off till the programs have let the hit pass; a program
 * that only looks on costs no record. As in Linux, what the programs return decides whether the event itself sees the hit. Where it can
 * be, the function tracer calls the programs, and the kprobe is disabled meanwhile.
 */
#include "attach.h"
#include "../compat/kprobes.h"
#include "../compat/nofault.h"
#include <linux/hash.h>
#include <linux/kallsyms.h>

#define TAP_BITS 6

/* Changed under the mutex of attach.c, read by hits. */
static struct bc_kprobe_tap *taps[1 << TAP_BITS];

static struct bc_kprobe_tap **tap_slot(const struct kprobe *kp)
{
	return &taps[hash_ptr((void *)kp, TAP_BITS)];
}

static struct bc_kprobe_tap *find_tap(const struct kprobe *kp)
{
	struct bc_kprobe_tap *tap;

	for (tap = READ_ONCE(*tap_slot(kp)); tap; tap = READ_ONCE(tap->next))
		if (likely(tap->kp == kp))
			break;
	return tap;
}

static bool is_passed_on(const struct kprobe *kp, struct pt_regs *regs)
{
	struct bc_kprobe_tap *tap = find_tap(kp);

	/* none: it is being taken out */
	return !tap || bc_hook_run_at_probe(tap->progs, regs, tap->func_ip);
}

static int on_entry(struct kprobe *kp, struct pt_regs *regs)
{
	return is_passed_on(kp, regs) ? bc_sym.kprobe_dispatcher(kp, regs) : 0;
}

static int on_return(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	struct kretprobe *rp = bc_kretprobe_of(ri);

	return rp && is_passed_on(&rp->kp, regs) ? bc_sym.kretprobe_dispatcher(ri, regs) : 0;
}

static void pass_on(struct bc_ftrace_probe *fp, struct pt_regs *regs)
{
	bc_sym.kprobe_dispatcher(fp->kp, regs);
}

/* perf's handler is a kretprobe's; of the instance it looks at no more than this. */
static void pass_return_on(struct bc_ftrace_probe *fp, struct pt_regs *regs, const u64 *args)
{
#ifndef HAVE_GET_KRETPROBE
	struct kretprobe_instance ri;

	memset(&ri, 0, sizeof(ri));
	ri.rp = container_of(fp->kp, struct kretprobe, kp);
	ri.ret_addr = (kprobe_opcode_t *)regs->ip;
	ri.task = current;
	bc_sym.kretprobe_dispatcher(&ri, regs);
#endif
}

/* No hit is seen twice; one in between may not be, as before any program was there. */
static bool take_directly(struct bc_kprobe_tap *tap)
{
	tap->direct.kp = tap->kp;
	tap->direct.is_ret = tap->is_ret;
	tap->direct.func_ip = tap->func_ip;
	if (tap->is_ret) {
		tap->direct.return_progs = tap->progs;
		tap->direct.pass_return = pass_return_on;
	} else {
		tap->direct.progs = tap->progs;
		tap->direct.pass = pass_on;
	}
	if (!bc_ftrace_can_take(&tap->direct) || disable_kprobe(tap->kp))
		return false;
	if (bc_ftrace_take(&tap->direct))
		return true;
	bc_kprobe_enable(tap->kp);
	return false;
}

/* The search for an event's kprobe can go wrong; perf's own events tell where theirs is. */
static bool is_of(const struct perf_event *event, const struct kprobe *kp, bool is_ret)
{
	const char *name = bc_trace_name(event->tp_event);
	unsigned long addr = (unsigned long)kp->addr;
	char symbol[KSYM_NAME_LEN];
	size_t len = strlen(name) + 1;

	if (is_ret != (event->attr.config & 1))
		return false;
	if (!event->attr.config1)
		/* a landing pad lies between the function's address and the probe's */
		return !kp->symbol_name && (addr == event->attr.config2 || bc_function_entry(addr) == event->attr.config2);
	/* such an event is called like its function */
	return kp->symbol_name && kp->offset == event->attr.config2 && len <= sizeof(symbol) &&
	       !compat_read_kernel(symbol, kp->symbol_name, len) && !memcmp(symbol, name, len);
}

bool bc_kprobe_tap_add(struct bc_kprobe_tap *tap, const struct perf_event *event, struct bc_hook **progs, bool at_entry)
{
	struct kretprobe *rp;
	bool is_ret;

	/* what tracefs made it also counts, and may write to its own buffer: its handler runs on every hit */
	if (event->attr.type == PERF_TYPE_TRACEPOINT)
		return false;
	tap->kp = bc_trace_kprobe_of(event, &is_ret);
	if (!tap->kp || !is_of(event, tap->kp, is_ret))
		return false;
	tap->is_ret = is_ret;
	tap->progs = progs;
	tap->func_ip = at_entry ? bc_function_entry((unsigned long)tap->kp->addr) : 0;
	if (!is_ret && take_directly(tap))
		return true;
	tap->next = *tap_slot(tap->kp);
	smp_store_release(tap_slot(tap->kp), tap);
	rp = container_of(tap->kp, struct kretprobe, kp);
	if (is_ret) {
		smp_store_release(&rp->handler, on_return);
		take_directly(tap);
	} else {
		smp_store_release(&tap->kp->pre_handler, on_entry);
	}
	return true;
}

/* The tap may be read till an RCU-sched grace period has passed. */
void bc_kprobe_tap_remove(struct bc_kprobe_tap *tap)
{
	struct kretprobe *rp = container_of(tap->kp, struct kretprobe, kp);
	bool taken = tap->direct.taken;
	struct bc_kprobe_tap **at;

	if (taken) {
		bc_ftrace_give_back(&tap->direct);
		/* perf's again, whether the event stays or goes; that fails only where the function itself is gone */
		bc_kprobe_enable(tap->kp);
	}
	if (tap->is_ret)
		WRITE_ONCE(rp->handler, bc_sym.kretprobe_dispatcher);
	else if (!taken)
		WRITE_ONCE(tap->kp->pre_handler, bc_sym.kprobe_dispatcher);
	else
		return;
	for (at = tap_slot(tap->kp); *at != tap; at = &(*at)->next)
		;
	WRITE_ONCE(*at, tap->next);
}
