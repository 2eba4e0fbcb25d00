// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers on timers in map values; maps/timer.c has what they do.
 */
#include "helpers.h"
#include "../maps/timer.h"

BC_HELPER(timer_init)
{
	return bc_timer_init((struct bc_timer_value *)r1, bc_map_of((struct bc_map_desc *)r2), r3);
}

/* The program is named by the verifier: it need not be the one that the run began with. */
BC_HELPER(timer_set_callback)
{
	return bc_timer_set_callback((struct bc_timer_value *)r1, r2, (struct bc_prog *)r3);
}

BC_HELPER(timer_start)
{
	return bc_timer_start((struct bc_timer_value *)r1, r2, r3);
}

BC_HELPER(timer_cancel)
{
	return bc_timer_cancel((struct bc_timer_value *)r1);
}
