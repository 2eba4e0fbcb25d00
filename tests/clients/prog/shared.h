/* SPDX-License-Identifier: MIT */
/* What the program in the kernel and its loader agree on. */
#ifndef SHARED_H
#define SHARED_H

#define STEPS 8		/* of the bounded loop */
#define TASK_COMM 16

struct event {		/* one uname(2) of the watched process, through the ring buffer and the perf buffer */
	unsigned int pid;
	unsigned int number;	/* counted from 1 */
	unsigned long long sum;	/* 1² + … + number² mod 2^32 over at most STEPS steps: from the bounded loop */
	char comm[TASK_COMM];
};

#endif
