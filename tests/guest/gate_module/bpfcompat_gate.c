// SPDX-License-Identifier: GPL-2.0-only
/*
 * Plants, when it is loaded, what the gate must catch: plant=warn, plant=atomic (sleeping while atomic), plant=bug (an oops), or plant=leak
 * (memory of bpfcompat's that is never given back, so that bpfcompat's own account shows it).
 */
#include <linux/bottom_half.h>
#include <linux/bug.h>
#include <linux/delay.h>
#include <linux/kprobes.h>
#include <linux/module.h>
#include <linux/string.h>

static char *plant = "";
module_param(plant, charp, 0);

/* A probe finds the address on every kernel, whether or not the symbol look-up is exported. */
static void *find(const char *name)
{
	struct kprobe probe = { .symbol_name = name };
	void *addr;

	if (register_kprobe(&probe))
		return NULL;
	addr = probe.addr;
	unregister_kprobe(&probe);
	return addr;
}

static int plant_leak(void)
{
	void *(*alloc)(void *obj, size_t size) = find("bc_alloc");

	/* The probed address may lie after the landing mark of indirect branches, which does no harm. */
	return alloc && alloc(NULL, 64) ? 0 : -ENOENT;
}

static int __init gate_init(void)
{
	if (!strcmp(plant, "warn"))
		WARN(1, "planted by a test of the gate\n");
	else if (!strcmp(plant, "bug"))
		BUG();
	else if (!strcmp(plant, "leak"))
		return plant_leak();
	else if (!strcmp(plant, "atomic")) {
		/* Counted on every kernel, where preempt_disable() is nothing on one that is not preemptible. */
		local_bh_disable();
		msleep(1);
		local_bh_enable();
	} else
		return -EINVAL;
	return 0;
}
module_init(gate_init);

static void __exit gate_exit(void)
{
}
module_exit(gate_exit);

MODULE_LICENSE("GPL");
