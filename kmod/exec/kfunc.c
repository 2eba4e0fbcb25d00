/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel functions that programs may call by their BTF (verifier/kfunc_table.c). Most are our own, that do what Linux 6.1's of the
 * same names do: they are Linux's to test such calls with, and work on one object that is always there.
 */
#include "exec.h"

/* struct prog_test_ref_kfunc of Linux's BTF, which programs read and write by. */
static struct test_object {
	s32 a, b;
	s32 memb[2];
	struct test_object *next;
	s32 cnt;
} object = { 42, 108, { 0, 0 }, &object, 1 };

#define OBJECT ((u64)(unsigned long)&object)

bool bc_kfunc_object_has(u64 addr, u32 size)
{
	return addr >= OBJECT && addr - OBJECT < sizeof(object) && size <= sizeof(object) - (addr - OBJECT);
}

#define KFUNC(name) static u64 kf_##name(u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)

KFUNC(nothing)
{
	return 0;
}

/* Arguments are as wide as their types: what is above them is not theirs. */
KFUNC(sum)
{
	return (u32)r2 + r3 + (u32)r4 + r5;
}

KFUNC(sum32)
{
	return (u32)r2 + (u32)r3;
}

KFUNC(same)
{
	return r1;
}

KFUNC(acquire)
{
	__sync_fetch_and_add(&object.cnt, 1);
	return OBJECT;
}

KFUNC(release)
{
	if (r1 == OBJECT)
		__sync_fetch_and_sub(&object.cnt, 1);
	return 0;
}

/* The first two numbers of the object, when no more is asked for. */
KFUNC(get_mem)
{
	return r1 == OBJECT && (u32)r2 <= 2 * sizeof(s32) ? r1 : 0;
}

KFUNC(kptr_get)
{
	u64 p = *(volatile u64 *)(unsigned long)r1;

	if (p != OBJECT)
		return 0;
	__sync_fetch_and_add(&object.cnt, 1);
	return p;
}

const bc_helper_fn bc_kfunc_table[__BC_KFUNCS] = {
	[BC_KFUNC_call_test1] = kf_sum,
	[BC_KFUNC_call_test2] = kf_sum32,
	[BC_KFUNC_call_test3] = kf_same,
	[BC_KFUNC_call_test_acquire] = kf_acquire,
	[BC_KFUNC_call_memb_acquire] = kf_nothing,
	[BC_KFUNC_call_test_release] = kf_release,
	[BC_KFUNC_call_memb_release] = kf_nothing,
	[BC_KFUNC_call_memb1_release] = kf_nothing,
	[BC_KFUNC_call_test_get_rdwr_mem] = kf_get_mem,
	[BC_KFUNC_call_test_get_rdonly_mem] = kf_get_mem,
	[BC_KFUNC_call_test_acq_rdonly_mem] = kf_get_mem,
	[BC_KFUNC_call_int_mem_release] = kf_nothing,
	[BC_KFUNC_call_test_kptr_get] = kf_kptr_get,
	[BC_KFUNC_call_test_pass_ctx] = kf_nothing,
	[BC_KFUNC_call_test_pass1] = kf_nothing,
	[BC_KFUNC_call_test_pass2] = kf_nothing,
	[BC_KFUNC_call_test_fail1] = kf_nothing,
	[BC_KFUNC_call_test_fail2] = kf_nothing,
	[BC_KFUNC_call_test_fail3] = kf_nothing,
	[BC_KFUNC_call_test_mem_len_pass1] = kf_nothing,
	[BC_KFUNC_call_test_mem_len_fail1] = kf_nothing,
	[BC_KFUNC_call_test_mem_len_fail2] = kf_nothing,
	[BC_KFUNC_call_test_ref] = kf_nothing,
	[BC_KFUNC_call_test_destructive] = kf_nothing,
	[BC_KFUNC_cgroup_rstat_updated] = bc_host_cgroup_rstat_updated,
	[BC_KFUNC_cgroup_rstat_flush] = bc_host_cgroup_rstat_flush,
};
