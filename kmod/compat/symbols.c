// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fills the table of unexported symbols. kallsyms_lookup_name is exported by some kernels only, but every kernel with kprobes tells its
 * address to who registers a probe there.
 */
#include "../bpf.h"
#include <linux/kprobes.h>

struct bc_symbols bc_sym;

static unsigned long (*lookup_name)(const char *name);

struct bc_symbol_row {
	const char *name;
	const char *why;
	void **slot;
	bool required, quiet;
};

#define ROW(n, w, r, q) { .name = #n, .why = w, .slot = (void **)&bc_sym.n, .required = r, .quiet = q },
#define ROW_REQUIRED_FN(ret, n, args, w) ROW(n, w, true, false)
#define ROW_FN(ret, n, args, w) ROW(n, w, false, false)
#define ROW_QUIET_FN(ret, n, args, w) ROW(n, w, false, true)
#define ROW_DATA(type, n, w) ROW(n, w, false, false)
#define ROW_QUIET_DATA(type, n, w) ROW(n, w, false, true)

static const struct bc_symbol_row rows[] = {
	BC_SYMBOLS(ROW_REQUIRED_FN, ROW_FN, ROW_QUIET_FN, ROW_DATA, ROW_QUIET_DATA)
};

unsigned long bc_lookup_symbol(const char *name)
{
	/* Old kernels go through all of their symbols for one. */
	cond_resched();
	return lookup_name ? lookup_name(name) : 0;
}

bool bc_pin_module(unsigned long addr, struct module **owner)
{
	bool ok;

	preempt_disable();
	*owner = bc_sym.__module_address ? bc_sym.__module_address(addr) : NULL;
	ok = try_module_get(*owner);
	preempt_enable();
	return ok;
}

static int find_kallsyms(void)
{
	static const u8 endbr64[4] = { 0xf3, 0x0f, 0x1e, 0xfa };
	struct kprobe kp = { .symbol_name = "kallsyms_lookup_name" };
	u8 *addr;
	int err = register_kprobe(&kp);

	if (err)
		return err;
	addr = (u8 *)kp.addr;
	unregister_kprobe(&kp);
	/* A kernel with indirect branch tracking puts the probe behind the landing pad; the call must go to it. */
	if (!memcmp(addr - sizeof(endbr64), endbr64, sizeof(endbr64)) && memcmp(addr, endbr64, sizeof(endbr64)))
		addr -= sizeof(endbr64);
	lookup_name = (void *)addr;
	return 0;
}

int bc_symbols_init(void)
{
	int err = find_kallsyms();
	size_t i;

	if (err) {
		pr_err(BC_LOG "cannot find kallsyms_lookup_name (%d): this needs CONFIG_KALLSYMS and CONFIG_KPROBES\n", err);
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		*rows[i].slot = (void *)bc_lookup_symbol(rows[i].name);
		if (*rows[i].slot || rows[i].quiet)
			continue;
		if (rows[i].required) {
			pr_err(BC_LOG "this kernel has no %s, which %s needs\n", rows[i].name, rows[i].why);
			return -EOPNOTSUPP;
		}
		pr_info(BC_LOG "this kernel has no %s: %s is off\n", rows[i].name, rows[i].why);
	}
	return 0;
}
