// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers that tell the time, from any context.
 */
#include "helpers.h"
#include "../compat/clock.h"

BC_HELPER(ktime_get_ns)
{
	return compat_clock_mono();
}

BC_HELPER(ktime_get_boot_ns)
{
	return compat_clock_boot();
}

BC_HELPER(ktime_get_coarse_ns)
{
	return compat_clock_coarse();
}

BC_HELPER(ktime_get_tai_ns)
{
	return compat_clock_tai();
}

BC_HELPER(jiffies64)
{
	return get_jiffies_64();
}
