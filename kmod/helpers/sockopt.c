// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of the socket that an iterator shows: of no other, as no other is locked meanwhile.
 */
#include "helpers.h"
#include "../compat/sockopt.h"

bool bc_sockopt_available(u32 func_id)
{
	return (func_id != BPF_FUNC_setsockopt && func_id != BPF_FUNC_getsockopt) || compat_has_sockopt();
}

/* NULL: it is another, or too small a kind for options. */
static struct sock *shown(u64 sk)
{
	struct sock *own = bc_this_run()->sock;

	return own && (unsigned long)own == sk ? own : NULL;
}

BC_HELPER(setsockopt)
{
	struct sock *sk = shown(r1);

	return sk ? compat_sockopt(bc_sym.bpf_sk_setsockopt, sk, r2, r3, r4, r5) : (s64)-EINVAL;
}

BC_HELPER(getsockopt)
{
	struct sock *sk = shown(r1);

	if (sk)
		return compat_sockopt(bc_sym.bpf_sk_getsockopt, sk, r2, r3, r4, r5);
	memset((void *)(unsigned long)r4, 0, (u32)r5);
	return (s64)-EINVAL;
}
