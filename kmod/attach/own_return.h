/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Returns of probed functions caught by a trampoline of ours (own_return.c).
 */
#ifndef BPFCOMPAT_OWN_RETURN_H
#define BPFCOMPAT_OWN_RETURN_H

#include "../bpf.h"
#include <linux/ftrace.h>

/* Where tasks are preempted in the kernel, one may be so in the trampoline's last instruction, with nothing to tell that it still is there. */
#if defined(HAVE_FTRACE_PT_REGS) && defined(HAVE_TRACEPOINT_BY_NAME) && defined(CONFIG_DYNAMIC_FTRACE_WITH_REGS) && \
	defined(CONFIG_KPROBES_ON_FTRACE) && defined(CONFIG_KRETPROBES) && defined(CONFIG_X86_64) && !defined(CONFIG_PREEMPT)
#define BC_HAVE_OWN_RETURNS

#define BC_RETURN_BUCKET_BITS 9
#define BC_RETURNS_IN_BUCKET 8	/* so many functions of one stack at a time */

struct bc_return {
	unsigned long to;	/* what stood in the slot */
	unsigned long ip;	/* of the probe */
	u64 since;		/* bc_return_clock then */
	u64 args[6];		/* only where a probe wants them */
};

/*
 * The functions of a stack that have not returned yet. Each is known by its slot, which is where its return address lies. 0: free. All of
 * one task's process stack are in one bucket, so that a dying task's are found, and others may be among them.
 */
struct bc_return_bucket {
	unsigned long slot[BC_RETURNS_IN_BUCKET];
	struct bc_return ret[BC_RETURNS_IN_BUCKET];
} ____cacheline_aligned;

extern struct bc_return_bucket *bc_returns;	/* NULL: not in use */
extern u64 bc_return_clock;			/* counts probes that came: what a function is in was there before it, or not */
#define BC_RETURNS_NOT_CAUGHT (~0ULL)		/* later than any of them */
extern unsigned long bc_graph_trampoline;	/* the graph tracer's, or 0 */
extern char bc_return_trampoline[];

static __always_inline struct bc_return_bucket *bc_return_bucket_of(unsigned long slot)
{
	/* Knuth's multiplicative hash */
	return &bc_returns[slot / THREAD_SIZE * 0x9e3779b97f4a7c15UL >> (BITS_PER_LONG - BC_RETURN_BUCKET_BITS)];
}

/* In which order a bucket is gone through, by slot. */
static __always_inline u32 bc_return_first(unsigned long slot)
{
	return slot / sizeof(u64) % BC_RETURNS_IN_BUCKET;
}

/*
 * At a function's entry, with interrupts off: has it return to us. NULL, and nothing done, where it returns to somebody's trampoline
 * already (then it was called by a jump, from a probed function; another entry for the slot could not be told from the first), where
 * the slot has an entry though none of these lies there (one left of a function that was made to return otherwise, as a jprobe can do, or
 * one that somebody unknown returns to), in a task that is exiting (from some point on nobody finds out what it leaves), and where there is
 * no place: the kernel's kretprobe is to be entered then. Any context, NMIs too.
 */
static __always_inline struct bc_return *bc_return_catch(unsigned long ip, struct pt_regs *regs)
{
	unsigned long slot = regs->sp, to = *(unsigned long *)slot, found;
	struct bc_return_bucket *b;
	struct bc_return *r;
	u32 n, i = bc_return_first(slot);

	if (unlikely(!bc_returns || (current->flags & PF_EXITING) || to == (unsigned long)bc_return_trampoline ||
		     to == (unsigned long)bc_sym.kretprobe_trampoline || to == bc_graph_trampoline))
		return NULL;
	b = bc_return_bucket_of(slot);
	for (n = 0; n < BC_RETURNS_IN_BUCKET; n++, i = (i + 1) % BC_RETURNS_IN_BUCKET) {
		found = READ_ONCE(b->slot[i]);
		if (likely(!found && !cmpxchg(&b->slot[i], 0, slot))) {
			r = &b->ret[i];
			r->to = to;
			r->ip = ip;
			r->since = READ_ONCE(bc_return_clock);
			barrier();
			WRITE_ONCE(*(unsigned long *)slot, (unsigned long)bc_return_trampoline);
			return r;
		}
		if (found == slot)
			break;
	}
	return NULL;
}

/*
 * A probe comes: the number that bc_return_clock shall have once it sees all calls, or BC_RETURNS_NOT_CAUGHT. It sees them. A probe has
 * gone, and a grace period passed. Under one mutex.
 */
u64 bc_return_get(void);
void bc_return_begin(u64 since);
void bc_return_put(void);
/* Called on a return, interrupts are off. */
void bc_returned(const struct bc_return *r, struct pt_regs *regs);
#endif

/* At unload. */
void bc_return_exit(void);

#endif
