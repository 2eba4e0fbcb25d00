// SPDX-License-Identifier: GPL-2.0-only
/*
 * Helpers of programs at functions: their arguments and result by number. The context is the words of the arguments, then the result;
 * the word before it says how many arguments there are (kmod/attach/tracing.c).
 */
#include "helpers.h"

BC_HELPER(get_func_arg)
{
	const u64 *words = (const u64 *)r1;

	if ((u32)r2 >= words[-1])
		return (s64)-EINVAL;
	*(u64 *)r3 = words[(u32)r2];
	return 0;
}

BC_HELPER(get_func_ret)
{
	const u64 *words = (const u64 *)r1;

	if (bc_this_run()->prog->expected_attach_type != BPF_TRACE_FEXIT)
		return (s64)-EOPNOTSUPP;
	*(u64 *)r2 = words[words[-1]];
	return 0;
}

BC_HELPER(get_func_arg_cnt)
{
	return ((const u64 *)r1)[-1];
}
