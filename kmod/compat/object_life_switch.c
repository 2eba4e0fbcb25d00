// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whether the kernel's own switch is off: sysctl kernel.ftrace_enabled, or kprobes/enabled in debugfs. Who writes to it is seen to
 * begin and to end; in between, and while it is off, all watching is blind, and after that what was noted before is void.
 */
#include "../bpf.h"
#include "kprobes.h"
#include "object_life.h"

#ifdef HAVE_FTRACE_PERMANENT	/* tracing can't be switched off then */

bool compat_life_blind(void)
{
	return false;
}

u32 compat_life_switched(void)
{
	return 0;
}

int compat_life_switch_watch(bool of_kprobes)
{
	return 0;
}

void compat_life_switch_unwatch(void)
{
}

#else

#define WRITERS 64	/* at once; the kernel lets one after the other do it */

static bool kprobes_switch;
static struct kretprobe probe;
static atomic_t writing = ATOMIC_INIT(0), uses = ATOMIC_INIT(0);

bool compat_life_blind(void)
{
	bool off = kprobes_switch ? bc_kprobes_are_off() : !READ_ONCE(*bc_sym.ftrace_enabled);

	/* an end in between has made what was noted void */
	return atomic_read(&writing) || off;
}

/*
 * int ftrace_enable_sysctl(struct ctl_table *table, int write, ...), and
 * ssize_t write_enabled_file_bool(struct file *file, const char __user *user_buf, ...)
 */
static int on_write(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	if (!kprobes_switch && !regs->si)
		return 1;
	atomic_inc(&uses);
	atomic_inc(&writing);
	return 0;
}

static int on_written(struct kretprobe_instance *ri, struct pt_regs *regs)
{
	atomic_inc(&uses);
	smp_mb();
	atomic_dec(&writing);
	return 0;
}

u32 compat_life_switched(void)
{
	return atomic_read(&uses) + READ_ONCE(probe.nmissed) + READ_ONCE(probe.kp.nmissed);
}

int compat_life_switch_watch(bool of_kprobes)
{
	int err;

	kprobes_switch = of_kprobes;
	if (of_kprobes ? !bc_sym.kprobes_all_disarmed : !bc_sym.ftrace_enabled)
		return -EOPNOTSUPP;
	memset(&probe, 0, sizeof(probe));
	probe.kp.addr = (void *)bc_lookup_symbol(of_kprobes ? "write_enabled_file_bool" : "ftrace_enable_sysctl");
	/* no switch */
	if (!probe.kp.addr)
		return 0;
	probe.kp.addr = bc_kprobe_past_tracer((unsigned long)probe.kp.addr);
	probe.entry_handler = on_write;
	probe.handler = on_written;
	probe.maxactive = WRITERS;
	err = register_kretprobe(&probe);
	if (err)
		probe.kp.addr = NULL;
	return err;
}

void compat_life_switch_unwatch(void)
{
	if (probe.kp.addr)
		unregister_kretprobe(&probe);
	/* who is still at it is not seen to end */
	atomic_set(&writing, 0);
}

#endif
