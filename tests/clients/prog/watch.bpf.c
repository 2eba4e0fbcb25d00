// SPDX-License-Identifier: MIT
/*
 * Watches one process call uname(2), and uses on the way what libbpf programs use: constants and variables mapped by the
 * loader, hash, per-CPU array, ring and perf buffer, stack traces, a tail call, calls of own functions, a bounded loop.
 */
#include <linux/bpf.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "shared.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

const volatile unsigned int watched = 0;	/* .rodata: process id */
const volatile unsigned int factor = 1;
const volatile unsigned int uname_number = 0;
unsigned long long calls = 0;			/* .bss */
unsigned long long scaled = 0;
unsigned int tail_calls = 0;
unsigned int last_parent = 0;
int stack_error = 0;
unsigned int limit = 0xffffffff;		/* .data */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 64);
	__type(key, unsigned int);
	__type(value, unsigned long long);
} by_number SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 2);
	__type(key, unsigned int);
	__type(value, unsigned long long);
} per_cpu SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096 * 16);
} ring SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERF_EVENT_ARRAY);
	__uint(key_size, 4);
	__uint(value_size, 4);
} perf SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_STACK_TRACE);
	__uint(max_entries, 8192);		/* two stacks in one place would be one too many */
	__uint(key_size, 4);
	__uint(value_size, 127 * 8);
} stacks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, unsigned int);		/* stack id */
	__type(value, unsigned int);
} stack_counts SEC(".maps");

int finish(void *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, 4);
	__array(values, int (void *));
} programs SEC(".maps") = { .values = { [1] = (void *)&finish } };

struct task_struct {
	struct task_struct *real_parent;
	int tgid;
} __attribute__((preserve_access_index));

static __attribute__((noinline)) unsigned long long squares(unsigned int number)
{
	unsigned long long sum = 0;
	unsigned int i;

	for (i = 1; i <= STEPS; i++) {
		if (i > number)
			break;
		sum += (unsigned long long)i * i;
		asm volatile("" : "+r"(sum));	/* or the compiler makes a formula of it, and there is no loop */
	}
	return sum;
}

/* A global function: verified by itself. */
__attribute__((noinline)) int fill(struct event *event, unsigned int number)
{
	if (!event)
		return 1;
	event->number = number;
	event->sum = squares(number);
	event->pid = bpf_get_current_pid_tgid() >> 32;
	return 0;
}

static __always_inline void count_stack(void *ctx, unsigned long long flags)
{
	unsigned int one = 1, *count, id;
	long stack;

	stack = bpf_get_stackid(ctx, &stacks, flags);
	if (stack < 0) {
		stack_error = stack;
		return;
	}
	id = stack;
	count = bpf_map_lookup_elem(&stack_counts, &id);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&stack_counts, &id, &one, BPF_ANY);
}

/* At a system call's own tracepoint the registers are the process's, and there is no kernel stack to be had, on Linux too. */
SEC("raw_tp/sys_enter")
int entered(struct bpf_raw_tracepoint_args *ctx)
{
	if (bpf_get_current_pid_tgid() >> 32 == watched && ctx->args[1] == uname_number && calls < limit)
		count_stack(ctx, 0);
	return 0;
}

SEC("tracepoint/syscalls/sys_enter_newuname")
int watch(void *ctx)
{
	struct task_struct *task = (struct task_struct *)bpf_get_current_task();
	unsigned int zero = 0, number;
	unsigned long long *slot, value;
	struct event *event;

	if (bpf_get_current_pid_tgid() >> 32 != watched)
		return 0;
	if (calls >= limit)
		return 0;
	number = __sync_fetch_and_add(&calls, 1) + 1;
	scaled += number * factor;
	last_parent = BPF_CORE_READ(task, real_parent, tgid);

	value = (unsigned long long)number * number;
	bpf_map_update_elem(&by_number, &number, &value, BPF_NOEXIST);
	slot = bpf_map_lookup_elem(&per_cpu, &zero);
	if (slot)
		*slot += 1;

	event = bpf_ringbuf_reserve(&ring, sizeof(*event), 0);
	if (event) {
		__builtin_memset(event, 0, sizeof(*event));
		bpf_get_current_comm(event->comm, sizeof(event->comm));
		event->pid = watched;
		event->number = number;
		event->sum = squares(number);
		if (number % 2)
			bpf_ringbuf_submit(event, 0);
		else
			bpf_ringbuf_discard(event, 0);
	}
	count_stack(ctx, BPF_F_USER_STACK);
	bpf_tail_call(ctx, &programs, 0);	/* an empty slot: goes on */
	bpf_tail_call(ctx, &programs, 1);
	calls = 1ULL << 40;			/* not reached */
	return 0;
}

SEC("tracepoint")
int finish(void *ctx)
{
	unsigned int one = 1;
	unsigned long long *slot;
	struct event event = {};

	__sync_fetch_and_add(&tail_calls, 1);
	slot = bpf_map_lookup_elem(&per_cpu, &one);
	if (slot)
		*slot += 2;
	bpf_get_current_comm(event.comm, sizeof(event.comm));
	if (!fill(&event, calls))
		bpf_perf_event_output(ctx, &perf, BPF_F_CURRENT_CPU, &event, sizeof(event));
	return 0;
}
