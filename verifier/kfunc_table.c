/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Kernel functions that programs may call, with their flags and the program types that may, as Linux 6.1 registers them: those that its
 * selftests go by, and those of cgroups' statistics. What they do is in kmod/exec/kfunc.c.
 */
#include "verifier.h"

#define TEST_TYPES (1ULL << BPF_PROG_TYPE_SCHED_CLS | 1ULL << BPF_PROG_TYPE_TRACING | 1ULL << BPF_PROG_TYPE_SYSCALL)

#define ROW(id, form, bits) [BC_KFUNC_##id] = { .name = "bpf_kfunc_" #id, .proto = form, .flags = bits, .prog_types = TEST_TYPES }

#define KERNEL_ROW(id, form, bits) \
	[BC_KFUNC_##id] = { .name = #id, .proto = form, .flags = bits, .prog_types = 1ULL << BPF_PROG_TYPE_TRACING, .of_kernel = true }

const struct bc_kfunc bc_kfuncs[__BC_KFUNCS] = {
	ROW(call_test1, "s4848:8", 0),
	ROW(call_test2, "s44:4", 0),
	ROW(call_test3, "s:s", 0),
	ROW(call_test_acquire, "m:s", BC_KF_ACQUIRE | BC_KF_RET_NULL),
	ROW(call_memb_acquire, ":s", BC_KF_ACQUIRE | BC_KF_RET_NULL),
	ROW(call_test_release, "s:v", BC_KF_RELEASE),
	ROW(call_memb_release, "s:v", BC_KF_RELEASE),
	ROW(call_memb1_release, "s:v", BC_KF_RELEASE),
	ROW(call_test_get_rdwr_mem, "s4:m", BC_KF_RET_NULL),
	ROW(call_test_get_rdonly_mem, "s4:m", BC_KF_RET_NULL),
	ROW(call_test_acq_rdonly_mem, "s4:m", BC_KF_ACQUIRE | BC_KF_RET_NULL),
	ROW(call_int_mem_release, "m:v", BC_KF_RELEASE),
	ROW(call_test_kptr_get, "p44:s", BC_KF_ACQUIRE | BC_KF_RET_NULL | BC_KF_KPTR_GET),
	ROW(call_test_pass_ctx, "s:v", 0),
	ROW(call_test_pass1, "s:v", 0),
	ROW(call_test_pass2, "s:v", 0),
	ROW(call_test_fail1, "s:v", 0),
	ROW(call_test_fail2, "s:v", 0),
	ROW(call_test_fail3, "s:v", 0),
	ROW(call_test_mem_len_pass1, "m4:v", 0),
	ROW(call_test_mem_len_fail1, "m4:v", 0),
	ROW(call_test_mem_len_fail2, "m4:v", 0),
	ROW(call_test_ref, "s:v", BC_KF_TRUSTED_ARGS),
	ROW(call_test_destructive, ":v", BC_KF_DESTRUCTIVE),
	KERNEL_ROW(cgroup_rstat_updated, "s4:v", 0),
	KERNEL_ROW(cgroup_rstat_flush, "s:v", BC_KF_SLEEPABLE),
};

/* Linux 6.1 lets maps own objects of these types alone. */
static const struct {
	const char *type;
	enum bc_kfunc_id dtor;
} dtors[] = {
	{ "prog_test_ref_kfunc", BC_KFUNC_call_test_release },
	{ "prog_test_member", BC_KFUNC_call_memb_release },
};

int bc_kfunc_dtor(const char *type)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(dtors); i++)
		if (!strcmp(dtors[i].type, type))
			return dtors[i].dtor;
	return -ENOENT;
}
