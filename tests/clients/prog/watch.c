// SPDX-License-Identifier: MIT
/*
 * Loads watch.bpf.c by its skeleton, calls uname(2) COUNT times, and prints all that came of it as key=value:
 * `watch COUNT FACTOR`. An ordinary libbpf program: it knows nothing of where bpf(2) is answered.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "shared.h"
#include "watch.skel.h"

static void print_event(const char *kind, const struct event *event)
{
	printf("%s=%u:%u:%llu:%s\n", kind, event->pid, event->number, event->sum, event->comm);
}

static int on_ring(void *ctx, void *data, size_t size)
{
	if (size == sizeof(struct event))
		print_event("ring", data);
	return 0;
}

static void on_perf(void *ctx, int cpu, void *data, unsigned int size)
{
	if (size >= sizeof(struct event))
		print_event("perf", data);
}

static void on_lost(void *ctx, int cpu, unsigned long long count)
{
	printf("lost=%llu\n", count);
}

static int fail(const char *what)
{
	fprintf(stderr, "watch: %s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	unsigned int count = argc > 1 ? (unsigned int)atoi(argv[1]) : 1, key, next, i, number;
	unsigned long long value, sum[2] = { 0 }, *values, address[127];
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct perf_buffer *perf;
	struct ring_buffer *ring;
	struct watch *skel;
	struct utsname name;

	skel = watch__open();
	if (!skel)
		return fail("open");
	skel->rodata->watched = (unsigned int)getpid();
	skel->rodata->uname_number = SYS_uname;
	skel->rodata->factor = argc > 2 ? (unsigned int)atoi(argv[2]) : 1;
	if (watch__load(skel))
		return fail("load");
	if (watch__attach(skel))
		return fail("attach");
	ring = ring_buffer__new(bpf_map__fd(skel->maps.ring), on_ring, NULL, NULL);
	if (!ring)
		return fail("ring buffer");
	perf = perf_buffer__new(bpf_map__fd(skel->maps.perf), 8, on_perf, on_lost, NULL, NULL);
	if (!perf)
		return fail("perf buffer");

	for (i = 0; i < count; i++)
		uname(&name);
	/* The loader writes a variable, and the program sees it: what follows is no longer counted. */
	skel->data->limit = count;
	uname(&name);
	uname(&name);

	if (ring_buffer__poll(ring, 1000) < 0 || perf_buffer__poll(perf, 1000) < 0)
		return fail("poll");
	ring_buffer__consume(ring);
	perf_buffer__consume(perf);

	printf("self=%d\nparent=%d\n", getpid(), getppid());
	printf("calls=%llu\nscaled=%llu\ntail_calls=%u\nlast_parent=%u\n", skel->bss->calls, skel->bss->scaled,
	       skel->bss->tail_calls, skel->bss->last_parent);
	for (number = 1; number <= count; number++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.by_number), &number, &value) || value != number * number)
			return fail("by_number");
	}
	printf("by_number=%u\n", number - 1);
	values = calloc((size_t)cpus, sizeof(*values));
	for (key = 0; key < 2; key++) {
		if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.per_cpu), &key, values))
			return fail("per_cpu");
		for (cpu = 0; cpu < cpus; cpu++)
			sum[key] += values[cpu];
	}
	printf("per_cpu=%llu:%llu\n", sum[0], sum[1]);
	for (i = 0, number = 0; !bpf_map_get_next_key(bpf_map__fd(skel->maps.stack_counts), i ? &key : NULL, &next); i++) {
		key = next;
		memset(address, 0, sizeof(address));
		if (bpf_map_lookup_elem(bpf_map__fd(skel->maps.stack_counts), &key, &next) ||
		    bpf_map_lookup_elem(bpf_map__fd(skel->maps.stacks), &key, address))
			return fail("stacks");
		number += next;
		printf("stack=%d:%llx\n", next, address[0]);
	}
	printf("stack_hits=%u\nstack_error=%d\n", number, skel->bss->stack_error);
	fflush(stdout);
	if (getenv("WATCH_STAY")) {
		printf("staying\n");
		fflush(stdout);
		pause();
	}
	perf_buffer__free(perf);
	ring_buffer__free(ring);
	watch__destroy(skel);
	return 0;
}
