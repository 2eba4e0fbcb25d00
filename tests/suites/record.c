// SPDX-License-Identifier: MIT
/*
 * Preloaded into a test suite: writes the verdict on each program that the suite judges into the suite's own output, in its place, as
 * "{load TYPE ERRNO}", for the suite itself tells only whether it got what it expected. Loads that are not the case's own (probes of libbpf,
 * targets of tail calls) lack the flag BPF_F_TEST_RND_HI32, which test_verifier sets for its cases. Where the kernel is too old for
 * CAP_BPF, root has it nevertheless, and keeps CAP_SYS_ADMIN: the suite would give that up and go on with the other alone.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define NR_BPF			321
#define CMD_PROG_LOAD		5
#define TEST_RND_HI32		4
#define AT_PROG_TYPE		0	/* offsets in union bpf_attr */
#define AT_PROG_FLAGS		44

static uint32_t word(const void *attr, int off)
{
	uint32_t value;

	memcpy(&value, (const char *)attr + off, sizeof(value));
	return value;
}

long syscall(long nr, long a1, long a2, long a3, long a4, long a5, long a6)
{
	static long (*next)(long, long, long, long, long, long, long);
	const void *attr = (const void *)a2;
	long ret;
	int error;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "syscall");
	ret = next(nr, a1, a2, a3, a4, a5, a6);
	if (nr != NR_BPF || a1 != CMD_PROG_LOAD || a3 < AT_PROG_FLAGS + 4 || !(word(attr, AT_PROG_FLAGS) & TEST_RND_HI32))
		return ret;
	error = errno;
	printf("{load %u %d} ", word(attr, AT_PROG_TYPE), ret < 0 ? error : 0);
	errno = error;
	return ret;
}

static bool kernel_has_cap_bpf(void)
{
	FILE *f = fopen("/proc/sys/kernel/cap_last_cap", "r");
	int last = 0;

	if (f && fscanf(f, "%d", &last) != 1)
		last = 0;
	if (f)
		fclose(f);
	return last >= CAP_BPF;
}

int capget(void *header, struct __user_cap_data_struct *data)
{
	static int (*next)(void *, struct __user_cap_data_struct *);

	*(void **)&next = dlsym(RTLD_NEXT, "capget");
	if (kernel_has_cap_bpf())
		return next(header, data);
	memset(data, 0xff, 2 * sizeof(*data));
	return 0;
}

int capset(void *header, const struct __user_cap_data_struct *data)
{
	static int (*next)(void *, const struct __user_cap_data_struct *);

	*(void **)&next = dlsym(RTLD_NEXT, "capset");
	return kernel_has_cap_bpf() ? next(header, data) : 0;
}
