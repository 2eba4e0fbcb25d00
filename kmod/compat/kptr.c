// SPDX-License-Identifier: GPL-2.0-only
/*
 * May the caller see kernel addresses? Linux asks kallsyms_show_value(), which old kernels do not have and new ones do not export; both settings that
 * it goes by are old.
 */
#include "../bpf.h"
#include "kptr.h"

static const int *restriction, *perf_paranoid;

int compat_kptr_init(void)
{
	restriction = (const int *)bc_lookup_symbol("kptr_restrict");
	perf_paranoid = (const int *)bc_lookup_symbol("sysctl_perf_event_paranoid");
	return 0;
}

bool compat_may_see_addresses(void)
{
	int restricted = restriction ? READ_ONCE(*restriction) : 1;

	if (!restricted && perf_paranoid && READ_ONCE(*perf_paranoid) <= 1)
		return true;
	return restricted <= 1 && capable(CAP_SYSLOG);
}
