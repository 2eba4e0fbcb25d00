// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads and unloads the module: a table of subsystems, started in order and stopped in reverse. The device comes late, so that nobody
 * calls before all is there; last what does not fail, since a file system may be mounted as soon as its name is known.
 */
#include "core.h"
#include "bpffs.h"
#include "jit.h"
#include "../compat/clock.h"
#include "../compat/syscall_events.h"
#include "../helpers/helpers.h"
#include "../maps/maps.h"
#include <linux/security.h>

static int refuse_lockdown(void)
{
#ifdef HAVE_SECURITY_LOCKED_DOWN
	if (security_locked_down(LOCKDOWN_BPF_READ_KERNEL)) {
		pr_err(BC_LOG "this kernel is locked down (confidentiality): programs may not read kernel memory, not loading\n");
		return -EPERM;
	}
#endif
	if (bc_sym.get_securelevel && bc_sym.get_securelevel() > 0) {
		pr_err(BC_LOG "this kernel runs at a raised securelevel (Secure Boot): not loading\n");
		return -EPERM;
	}
	return 0;
}

/* Objects go first at start and last at the end: all others drop theirs before. */
static const struct bc_subsystem subsystems[] = {
	{ "symbols", bc_symbols_init, NULL },
	{ "lockdown", refuse_lockdown, NULL },
	{ "memory", bc_memory_init, NULL },
	{ "objects", bc_objects_init, bc_objects_exit },
	{ "maps of devices", bc_devmap_init, bc_devmap_exit },
	{ "clock", bc_clock_init, bc_clock_exit },
	{ "helpers", bc_helpers_init, bc_helpers_exit },
	{ "run", bc_run_init, bc_run_exit },
	{ "jit", bc_jit_init, NULL },
	{ "btf", bc_vmlinux_btf_init, bc_vmlinux_btf_exit },
	{ "syscall events", bc_syscall_events_init, bc_syscall_events_exit },
	{ "iterators", bc_iter_init, NULL },
	{ "attach", bc_attach_init, bc_attach_exit },
	{ "stats", bc_stats_init, bc_stats_exit },
	{ "device", bc_device_init, bc_device_exit },
	{ "file system", bc_fs_init, bc_fs_exit },
};

static void stop(size_t count)
{
	while (count--)
		if (subsystems[count].exit)
			subsystems[count].exit();
}

static int __init bc_init(void)
{
	size_t i;
	int err;

	for (i = 0; i < ARRAY_SIZE(subsystems); i++) {
		err = subsystems[i].init();
		if (err) {
			pr_err(BC_LOG "%s: %d, not loading\n", subsystems[i].name, err);
			stop(i);
			return err;
		}
	}
	pr_info(BC_LOG "loaded\n");
	return 0;
}

static void __exit bc_exit(void)
{
	stop(ARRAY_SIZE(subsystems));
}

module_init(bc_init);
module_exit(bc_exit);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("eBPF of a current Linux for kernels without bpf(2)");
