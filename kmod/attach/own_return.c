// SPDX-License-Identifier: GPL-2.0-only
/*
 * Returns of probed functions caught by a trampoline of ours. A kretprobe of 3.10 costs more than twice of what all else of an event does:
 * its instances come from one locked list and go to another, and on the return both are locked again. Here the place of the return address
 * is the key of a table that is changed without locks.
 *
 * What a kretprobe of the kernel's is safe against by its locks, this is by leaving it to the kernel: see bc_return_catch(). As to
 * tasks that die in a function: the entries of a task go in the tracepoint sched_process_exit, and from before on it is given none. As to the
 * module: the trampoline is its text, which stack walks therefore take for what it is. When the last probe goes, who still
 * sleeps in a function gets the true return address back; where somebody else's lies over ours, the module is held till that one returns.
 * As to others who replace return addresses, the kernel's kretprobes and the graph tracer: whoever comes second finds
 * the first one's trampoline and returns there.
 */
#include "own_return.h"

#ifdef BC_HAVE_OWN_RETURNS

#include <linux/stop_machine.h>
#include <linux/tracepoint.h>
#include <linux/workqueue.h>

#define SIZE (sizeof(struct bc_return_bucket) << BC_RETURN_BUCKET_BITS)
#define PATIENCE (HZ / 4)

struct bc_return_bucket *bc_returns;
u64 bc_return_clock;
unsigned long bc_graph_trampoline;

static u32 users;	/* under the mutex of kprobe_ftrace.c */
static DEFINE_MUTEX(keeper_lock);
static bool kept;	/* the module, until nobody is to return any more */

/*
 * The function has returned: above the stack pointer is its caller's frame, and just below it was the address that it returned to, where
 * now the true one is put. Between lies a struct pt_regs.
 */
asm(".pushsection .text\n"
    ".globl bc_return_trampoline\n"
    ".type bc_return_trampoline, @function\n"
    "bc_return_trampoline:\n"
    "	subq $8, %rsp\n"
    "	pushq $" __stringify(__KERNEL_DS) "\n"
    "	pushq %rsp\n"
    "	addq $16, (%rsp)\n"
    "	pushfq\n"
    "	pushq $" __stringify(__KERNEL_CS) "\n"
    "	subq $8, %rsp\n"	/* ip */
    "	pushq $-1\n"		/* orig_ax */
    "	pushq %rdi\n"
    "	pushq %rsi\n"
    "	pushq %rdx\n"
    "	pushq %rcx\n"
    "	pushq %rax\n"
    "	pushq %r8\n"
    "	pushq %r9\n"
    "	pushq %r10\n"
    "	pushq %r11\n"
    "	pushq %rbx\n"
    "	pushq %rbp\n"
    "	pushq %r12\n"
    "	pushq %r13\n"
    "	pushq %r14\n"
    "	pushq %r15\n"
    "	movq %rsp, %rdi\n"
    "	call bc_on_function_return\n"
    "	movq %rax, 168(%rsp)\n"
    "	popq %r15\n"
    "	popq %r14\n"
    "	popq %r13\n"
    "	popq %r12\n"
    "	popq %rbp\n"
    "	popq %rbx\n"
    "	popq %r11\n"
    "	popq %r10\n"
    "	popq %r9\n"
    "	popq %r8\n"
    "	popq %rax\n"
    "	popq %rcx\n"
    "	popq %rdx\n"
    "	popq %rsi\n"
    "	popq %rdi\n"
    "	addq $24, %rsp\n"
    "	popfq\n"
    "	leaq 16(%rsp), %rsp\n"	/* changes no flags */
    "	ret\n"
    ".size bc_return_trampoline, . - bc_return_trampoline\n"
    ".popsection\n");

unsigned long bc_on_function_return(struct pt_regs *regs);

/* Of the slot's entry, which there must be. One left of a function that was made to return otherwise may come behind it. */
static __always_inline u32 entry_of(const struct bc_return_bucket *b, unsigned long slot)
{
	u32 n, i = bc_return_first(slot);

	for (n = 0; READ_ONCE(b->slot[i]) != slot; i = (i + 1) % BC_RETURNS_IN_BUCKET)
		BUG_ON(++n == BC_RETURNS_IN_BUCKET);
	return i;
}

/* Called by the trampoline alone. Returns what the function would have returned to. */
unsigned long __used notrace bc_on_function_return(struct pt_regs *regs)
{
	unsigned long slot = regs->sp - sizeof(slot), flags, to;
	struct bc_return_bucket *b;
	u32 i;

	BUILD_BUG_ON(sizeof(struct pt_regs) != 168);
	raw_local_irq_save(flags);
	b = bc_return_bucket_of(slot);
	i = entry_of(b, slot);
	to = b->ret[i].to;
	regs->ip = to;
	bc_returned(&b->ret[i], regs);
	smp_store_release(&b->slot[i], 0);
	raw_local_irq_restore(flags);
	return to;
}

/* The frames that this task has entered are left for good: it is in do_exit(), and has not been given an entry since it was marked. */
static void notrace on_exit(void *data, struct task_struct *task)
{
	unsigned long stack = (unsigned long)task_stack_page(task), found;
	struct bc_return_bucket *b = bc_return_bucket_of(stack);
	u32 i;

	for (i = 0; task == current && i < BC_RETURNS_IN_BUCKET; i++) {
		found = READ_ONCE(b->slot[i]);
		if (found - stack < THREAD_SIZE)
			smp_store_release(&b->slot[i], 0);
	}
}

/* ---- while somebody has yet to return ---- */

static bool is_empty(void)
{
	u32 i, j;

	for (i = 0; i < 1U << BC_RETURN_BUCKET_BITS; i++)
		for (j = 0; j < BC_RETURNS_IN_BUCKET; j++)
			if (READ_ONCE(bc_returns[i].slot[j]))
				return false;
	return true;
}

/*
 * All CPUs run this or wait for it. Without preemption nobody is between the function's return and the end of the trampoline then: the
 * task would have to be scheduled there. So who has not returned finds the address where the function was called with it.
 */
static int give_addresses_back(void *unused)
{
	struct bc_return_bucket *b;
	unsigned long slot;
	u32 i, live;

	for (b = bc_returns; b < bc_returns + (1U << BC_RETURN_BUCKET_BITS); b++) {
		for (i = 0; i < BC_RETURNS_IN_BUCKET; i++) {
			slot = b->slot[i];
			if (!slot || *(unsigned long *)slot != (unsigned long)bc_return_trampoline)
				continue;
			live = entry_of(b, slot);
			*(unsigned long *)slot = b->ret[live].to;
			b->slot[live] = 0;
		}
	}
	return 0;
}

static void look_again(struct work_struct *work);
static DECLARE_DELAYED_WORK(keeper, look_again);

/* Under keeper_lock. */
static void let_go_if_empty(void)
{
	if (!is_empty()) {
		schedule_delayed_work(&keeper, PATIENCE);
		return;
	}
	/* the last one may be at the trampoline's end: without preemption, no longer than till its CPU does something else */
	bc_synchronize_sched();
	kept = false;
	module_put(THIS_MODULE);
}

static void look_again(struct work_struct *work)
{
	mutex_lock(&keeper_lock);
	if (kept)
		let_go_if_empty();
	mutex_unlock(&keeper_lock);
}

/* After a grace period, so who is still in a function sleeps there. The caller holds the module. */
void bc_return_put(void)
{
	if (--users)
		return;
	if (!is_empty())
		stop_machine(give_addresses_back, NULL, NULL);
	mutex_lock(&keeper_lock);
	if (!kept)
		__module_get(THIS_MODULE);
	kept = true;
	let_go_if_empty();
	mutex_unlock(&keeper_lock);
}

/* ---- beginning and end ---- */

static bool start(void)
{
	struct bc_return_bucket *table;

	bc_graph_trampoline = (unsigned long)bc_sym.return_to_handler;
	if (IS_ENABLED(CONFIG_FUNCTION_GRAPH_TRACER) && !bc_graph_trampoline)
		return false;
	table = bc_alloc(NULL, SIZE);
	if (!table)
		return false;
	smp_store_release(&bc_returns, table);
	if (!tracepoint_probe_register("sched_process_exit", on_exit, NULL))
		return true;
	/* no probe is there yet */
	bc_returns = NULL;
	bc_free(NULL, table, SIZE);
	return false;
}

u64 bc_return_get(void)
{
	if (!bc_returns && !start())
		return BC_RETURNS_NOT_CAUGHT;
	users++;
	return bc_return_clock + 1;
}

void bc_return_begin(u64 since)
{
	WRITE_ONCE(bc_return_clock, since);
}

void bc_return_exit(void)
{
	/* what let go of the module may not have ended itself */
	cancel_delayed_work_sync(&keeper);
	if (!bc_returns)
		return;
	tracepoint_probe_unregister("sched_process_exit", on_exit, NULL);
	tracepoint_synchronize_unregister();
	bc_free(NULL, bc_returns, SIZE);
	bc_returns = NULL;
}

#else

void bc_return_exit(void)
{
}

#endif
