// SPDX-License-Identifier: MIT
/*
 * Tight loops for the benchmarks, and the C programs compiled for this processor, whose results the programs' are held against.
 * Loaded into the guest's Python, so that nothing but the measured call runs between two readings of the clock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SYS_BPF 321

static long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000L + ts.tv_nsec;
}

static long call3(long number, long a, long b, long c)
{
	long ret;

	__asm__ volatile("syscall" : "=a"(ret) : "0"(number), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return ret;
}

/* ns for @n calls of bpf(2), through libc as libbpf does; -errno of the first that failed */
long bench_bpf(int cmd, void *attr, unsigned int size, long n)
{
	long begin = now(), i;

	for (i = 0; i < n; i++)
		if (syscall(SYS_BPF, (long)cmd, attr, (unsigned long)size) < 0)
			return -errno;
	return now() - begin;
}

/* ns to walk a map of @n keys of 8 bytes; attr is that of BPF_MAP_GET_NEXT_KEY, its key and next_key pointing to @key and @next */
long bench_walk(void *attr, unsigned int size, void *key, void *next, unsigned int key_size, long n)
{
	long begin, i;

	begin = now();
	for (i = 0; i < n; i++) {
		if (syscall(SYS_BPF, 4L, attr, (unsigned long)size) < 0)
			return -errno;
		memcpy(key, next, key_size);
	}
	return now() - begin;
}

/* ns for @n loads of a program, each closed again */
long bench_load(void *attr, unsigned int size, long n)
{
	long begin = now(), i, fd;

	for (i = 0; i < n; i++) {
		fd = syscall(SYS_BPF, 5L, attr, (unsigned long)size);
		if (fd < 0)
			return -errno;
		close(fd);
	}
	return now() - begin;
}

long bench_getppid(long n)
{
	long begin = now(), i;

	for (i = 0; i < n; i++)
		call3(SYS_getppid, 0, 0, 0);
	return now() - begin;
}

long bench_set_name(long n)
{
	long begin = now(), i;

	for (i = 0; i < n; i++)
		call3(SYS_prctl, PR_SET_NAME, (long)"bench", 0);
	return now() - begin;
}

#define SEC(name)
#define HOST 1
struct __sk_buff { unsigned int len; };
#include "progs.c"
