// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_spin_lock() and bpf_spin_unlock(). The guard keeps every other program off this CPU while one holds a lock, so that the
 * holder can only be running on another CPU; bc_value_lock() says the rest.
 */
#include "helpers.h"
#include "../bpf/value_lock.h"

BC_HELPER(spin_lock)
{
	bc_value_lock((struct bpf_spin_lock *)r1);
	return 0;
}

BC_HELPER(spin_unlock)
{
	bc_value_unlock((struct bpf_spin_lock *)r1);
	return 0;
}
