// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_dynptr_*: those to records of ring buffers are made and given back in maps/ringbuf.c.
 */
#include "helpers.h"
#include "../exec/dynptr.h"

BC_HELPER(dynptr_from_mem)
{
	return bc_dynptr_from_mem(r1, r2, r3, r4);
}

BC_HELPER(dynptr_read)
{
	return bc_dynptr_read(r1, r2, r3, r4, r5);
}

BC_HELPER(dynptr_write)
{
	return bc_dynptr_write(r1, r2, r3, r4, r5);
}

BC_HELPER(dynptr_data)
{
	return (unsigned long)bc_dynptr_at(BC_DYNPTR(r1), r2, r3);
}
