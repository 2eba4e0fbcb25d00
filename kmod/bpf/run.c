// SPDX-License-Identifier: GPL-2.0-only
/*
 * Running programs: the per-CPU guard that keeps each CPU inside once, the memory that programs run in, and statistics.
 */
#include "core.h"
#include "jit.h"
#include "../maps/maps.h"
#include "../compat/cgroup_rstat.h"
#include "../compat/clock.h"
#include "../compat/nofault.h"
#include "../compat/sock_fields.h"
#include "../compat/stack_left.h"
#include "../compat/virtual_field.h"
#include <linux/srcu.h>

/* Interpreter or the first frame of generated code, the deepest helper (output to perf, formatting, a fault on the way) and what the kernel needs below them, in bytes. */
#define STACK_NEEDED 1536

/* All that one CPU needs to run a program. */
struct cpu_state {
	struct bc_run run;
	u64 misses;
	unsigned long irq_stack_end;
	struct bc_exec_area area;
};

DEFINE_PER_CPU(int, bc_inside);
DEFINE_PER_CPU(struct bc_run *, bc_run_memory);
static void *states;
static struct cpu_state *spare;		/* of programs on top of a run that is suspended */
static atomic_t spare_taken = ATOMIC_INIT(0);

static inline struct cpu_state *this_state(void)
{
	return container_of(bc_this_run(), struct cpu_state, run);
}

static u64 area_limit(const struct cpu_state *cs)
{
	return (unsigned long)cs->area.stack + sizeof(cs->area.stack) - BC_JIT_AREA_NEEDED;
}

/*
 * Who wants statistics. While anybody does, all programs run with care, so that they cost nothing else where they are off. No jump
 * label: vanilla 3.10 writes those in place, and NMIs run programs.
 */
static u32 stats_users;
static LIST_HEAD(runnable);
static DEFINE_SPINLOCK(runnable_lock);	/* guards both, and each program's page_needed */

bool bc_run_begin(void)
{
	preempt_disable_notrace();
	if (likely(bc_run_begin_atomic()))
		return true;
	preempt_enable_notrace();
	return false;
}

void bc_run_end(void)
{
	bc_run_end_atomic();
	preempt_enable_notrace();
}

void bc_syscall_enter(void)
{
	/* Whoever is inside on this CPU holds off preemption, so a process finds it free: this does not loop. */
	while (!bc_run_begin()) {
		WARN_ON_ONCE(1);
		cpu_relax();
	}
}

void bc_syscall_exit(void)
{
	bc_run_end();
}

static void probe_load(void *dst, const void *src, u32 size)
{
	if (!compat_virtual_field(dst, src, size) && compat_read_kernel(dst, src, size))
		memset(dst, 0, size);
}

static const struct bc_exec_env exec_env = {
	.helpers = bc_helper_table,
	.tail_call_target = bc_tail_call_target,
	.probe_load = probe_load,
	.sock_load = bc_sock_load,
};

static u64 interpret(const void *ctx, void *stack)
{
	struct cpu_state *cs = this_state();

	cs->area.used = 0;
	return bc_interp_run(&exec_env, &cs->area, &cs->run.prog->exec, ctx);
}

static void set_page_needed(struct bc_prog *prog)
{
	u32 needed = prog->stack_needed + COMPAT_STACK_END_BYTES;	/* in the last page there is more than stack */

	if (prog->exec.has_tail_call)
		needed = PAGE_SIZE;	/* whether one still has room is found with the exact number */
	WRITE_ONCE(prog->page_needed, stats_users ? UINT_MAX : needed);
}

void bc_run_prepare(struct bc_prog *prog)
{
	prog->entry = prog->exec.jit_entry ? prog->exec.jit_entry : interpret;
	prog->stack_needed = STACK_NEEDED + prog->exec.frames_bytes;
	spin_lock_bh(&runnable_lock);
	list_add(&prog->runnable, &runnable);
	set_page_needed(prog);
	spin_unlock_bh(&runnable_lock);
}

void bc_run_forget(struct bc_prog *prog)
{
	/* one that failed to load was never prepared */
	if (!prog->entry)
		return;
	spin_lock_bh(&runnable_lock);
	list_del(&prog->runnable);
	spin_unlock_bh(&runnable_lock);
}

static void want_stats(int more)
{
	struct bc_prog *prog;

	spin_lock_bh(&runnable_lock);
	stats_users += more;
	list_for_each_entry(prog, &runnable, runnable)
		set_page_needed(prog);
	spin_unlock_bh(&runnable_lock);
}

/* @here: the frame that is there for as long as the program runs. */
static __always_inline u32 enter(struct bc_prog *prog, struct cpu_state *cs, void *ctx, unsigned long here)
{
	u64 ret;

	cs->run.prog = prog;
	cs->run.ctx = ctx;
	cs->run.own.frame = (void *)here;
	cs->run.runs++;
	ret = prog->entry(ctx, cs->area.stack);
	barrier();	/* no tail call, or the frame would go before */
	return ret;
}

/* With what few need: the exact size of the stack, the room for tail calls, statistics. */
u32 bc_prog_run_with_care(struct bc_prog *prog, void *ctx)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	struct cpu_state *cs = this_state();
	size_t left = compat_stack_left(cs->irq_stack_end, here);
	struct bc_prog_stats *stats;
	u64 start;
	u32 ret;

	if (unlikely(left < prog->stack_needed)) {
		bc_prog_count_miss(prog);
		return 0;
	}
	/* What is asked for above is left for the program behind any tail call. */
	if (prog->exec.has_tail_call)
		__this_cpu_write(bc_jit_cpu.stack_limit, here - left + prog->stack_needed);
	if (likely(!READ_ONCE(stats_users)))
		return enter(prog, cs, ctx, here);
	start = compat_clock_mono();
	ret = enter(prog, cs, ctx, here);
	stats = bc_percpu_ptr(prog->stats, sizeof(*stats), smp_processor_id());
	stats->nsecs += compat_clock_mono() - start;
	stats->cnt++;
	return ret;
}

u32 bc_prog_run(struct bc_prog *prog, void *ctx)
{
	return bc_prog_run_here(prog, bc_this_run(), ctx);
}

u64 bc_callback_call(bc_callback cb, u64 r1, u64 r2, u64 r3, u64 r4, u64 r5)
{
	struct cpu_state *cs = this_state();
	const struct bc_exec_prog *exec = &cs->run.prog->exec;
	u64 top, ret;

	/* Callbacks nest in C. 1 ends the loop that calls. */
	if (unlikely(compat_stack_left(cs->irq_stack_end, (unsigned long)__builtin_frame_address(0)) < STACK_NEEDED + exec->frames_bytes)) {
		bc_prog_count_miss((struct bc_prog *)cs->run.prog);
		return 1;
	}
	/* Tail calls lead to programs of the same kind only. */
	if (likely(exec->jit_entry)) {
		top = __this_cpu_read(bc_jit_cpu.frame_top);
		if (unlikely(top > __this_cpu_read(bc_jit_cpu.area_limit))) {
			bc_prog_count_miss((struct bc_prog *)cs->run.prog);
			return 1;
		}
		ret = ((bc_jit_callback_fn)(unsigned long)cb)(r1, r2, r3, r4, r5, (void *)(unsigned long)top);
		__this_cpu_write(bc_jit_cpu.frame_top, top);
		return ret;
	}
	return bc_interp_callback(&exec_env, &cs->area, cb, r1, r2, r3, r4, r5);
}

void bc_run_suspend(struct bc_run_suspended *s)
{
	s->run = bc_this_run();
	s->jit = *this_cpu_ptr(&bc_jit_cpu);
	while (atomic_cmpxchg(&spare_taken, 0, 1))
		cpu_relax();
	spare->irq_stack_end = this_state()->irq_stack_end;
	__this_cpu_write(bc_jit_cpu.area_limit, area_limit(spare));
	__this_cpu_write(bc_run_memory, &spare->run);
	bc_run_end_atomic();
}

/* Preemption was off, so that nobody is inside on this CPU. */
void bc_run_resume(const struct bc_run_suspended *s)
{
	__this_cpu_write(bc_inside, 1);
	barrier();
	s->run->runs += spare->run.runs;
	spare->run.runs = 0;
	__this_cpu_write(bc_run_memory, s->run);
	*this_cpu_ptr(&bc_jit_cpu) = s->jit;
	smp_mb();
	atomic_set(&spare_taken, 0);
}

/* ---- programs that sleep ---- */

struct bc_sleeper {
	struct cpu_state state;
	struct cpu_state *displaced;	/* the CPU's own, while the sleeper stands in its place */
	struct bc_jit_cpu jit;		/* as it was when it went to sleep */
	int srcu;
};

static struct srcu_struct sleeping;
static atomic_t sleepers = ATOMIC_INIT(0);

struct bc_sleeper *bc_sleeper_new(void)
{
	struct bc_sleeper *s = bc_alloc(NULL, sizeof(*s));

	if (!s)
		return NULL;
	s->state.run.stack = s->state.area.stack;
	s->state.run.sleeper = s;
	atomic_inc(&sleepers);
	return s;
}

void bc_sleeper_free(struct bc_sleeper *s)
{
	if (!s)
		return;
	atomic_dec(&sleepers);
	bc_free(NULL, s, sizeof(*s));
}

/* Nobody looks for a sleeper that was made later: it cannot find what was gone from all maps a grace period ago. */
void bc_sleepers_wait(void)
{
	if (atomic_read(&sleepers))
		synchronize_srcu(&sleeping);
}

static void use(struct cpu_state *cs)
{
	__this_cpu_write(bc_run_memory, &cs->run);
	__this_cpu_write(bc_jit_cpu.area_limit, area_limit(cs));
}

static void come(struct bc_sleeper *s)
{
	bc_syscall_enter();
	s->displaced = this_state();
	s->state.irq_stack_end = s->displaced->irq_stack_end;
	use(&s->state);
}

static void go(struct bc_sleeper *s)
{
	s->displaced->run.runs += s->state.run.runs;
	s->state.run.runs = 0;
	use(s->displaced);
	bc_syscall_exit();
}

void bc_sleeper_enter(struct bc_sleeper *s)
{
	s->srcu = srcu_read_lock(&sleeping);
	come(s);
}

void bc_sleeper_exit(struct bc_sleeper *s)
{
	go(s);
	srcu_read_unlock(&sleeping, s->srcu);
}

void bc_sleep_begin(struct bc_sleeper *s)
{
	s->jit = *this_cpu_ptr(&bc_jit_cpu);
	go(s);
}

void bc_sleep_end(struct bc_sleeper *s)
{
	come(s);
	__this_cpu_write(bc_jit_cpu.frame_top, s->jit.frame_top);
	__this_cpu_write(bc_jit_cpu.stack_limit, s->jit.stack_limit);
	__this_cpu_write(bc_jit_cpu.tail_calls, s->jit.tail_calls);
}

void bc_prog_run_callback(struct bc_prog *prog, bc_callback cb, u64 r1, u64 r2, u64 r3)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	const struct bc_exec_prog *exec = &prog->exec;
	struct cpu_state *cs = this_state();

	if (unlikely(compat_stack_left(cs->irq_stack_end, here) < prog->stack_needed)) {
		bc_prog_count_miss(prog);
		return;
	}
	bc_run_clear(&cs->run);
	cs->run.runs++;
	cs->run.prog = prog;
	cs->run.own.frame = (void *)here;
	if (likely(exec->jit_entry)) {
		((bc_jit_callback_fn)(unsigned long)cb)(r1, r2, r3, 0, 0, cs->area.stack);
	} else {
		cs->area.used = 0;
		cs->area.prog = exec;
		bc_interp_callback(&exec_env, &cs->area, cb, r1, r2, r3, 0, 0);
		cs->area.prog = NULL;
	}
	barrier();	/* no tail call, or the frame would go before */
}

void bc_prog_count_miss(struct bc_prog *prog)
{
	struct bc_prog_stats *stats;
	int cpu = raw_smp_processor_id();

	/* In whatever context interrupted us; a lost count is no harm. */
	stats = bc_percpu_ptr(prog->stats, sizeof(*stats), cpu);
	stats->misses++;
	((struct cpu_state *)bc_percpu_ptr(states, sizeof(struct cpu_state), cpu))->misses++;
}

void bc_prog_stats_sum(const struct bc_prog *prog, struct bc_prog_stats *sum)
{
	const struct bc_prog_stats *s;
	int cpu;

	memset(sum, 0, sizeof(*sum));
	for_each_possible_cpu(cpu) {
		s = bc_percpu_ptr(prog->stats, sizeof(*s), cpu);
		sum->cnt += s->cnt;
		sum->nsecs += s->nsecs;
		sum->misses += s->misses;
	}
}

void bc_run_totals(u64 *runs, u64 *misses)
{
	const struct cpu_state *cs;
	int cpu;

	*runs = 0;
	*misses = 0;
	for_each_possible_cpu(cpu) {
		cs = bc_percpu_ptr(states, sizeof(*cs), cpu);
		*runs += cs->run.runs;
		*misses += cs->misses;
	}
}

static int stats_release(struct inode *inode, struct file *file)
{
	want_stats(-1);
	return 0;
}

static const struct file_operations stats_fops = {
	.owner = THIS_MODULE,
	.release = stats_release,
	.llseek = noop_llseek,
};

/* Statistics are on as long as somebody holds such an fd. */
BC_COMMAND(enable_stats)
{
	int fd;

	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	if (attr->enable_stats.type != BPF_STATS_RUN_TIME)
		return -EINVAL;
	want_stats(1);
	fd = anon_inode_getfd("bpf-stats", &stats_fops, NULL, O_CLOEXEC);
	if (fd < 0)
		want_stats(-1);
	return fd;
}

int bc_run_init(void)
{
	int cpu, err;

	err = init_srcu_struct(&sleeping);
	if (err)
		return err;
	states = bc_alloc_percpu(NULL, sizeof(struct cpu_state));
	if (!states) {
		cleanup_srcu_struct(&sleeping);
		return -ENOMEM;
	}
	for_each_possible_cpu(cpu) {
		struct cpu_state *cs = bc_percpu_ptr(states, sizeof(*cs), cpu);

		cs->irq_stack_end = compat_irq_stack_end(cpu);
		cs->run.stack = cs->area.stack;
		per_cpu(bc_run_memory, cpu) = &cs->run;
		per_cpu(bc_jit_cpu, cpu).number = cpu;
		per_cpu(bc_jit_cpu, cpu).area_limit = area_limit(cs);
	}
	spare = bc_alloc(NULL, sizeof(*spare));
	if (!spare) {
		bc_free_percpu(NULL, states, sizeof(struct cpu_state));
		cleanup_srcu_struct(&sleeping);
		return -ENOMEM;
	}
	spare->run.stack = spare->area.stack;
	return 0;
}

void bc_run_exit(void)
{
	bc_objects_flush();		/* what waits for those that sleep */
	bc_synchronize_sched();		/* whoever was still running on this memory */
	bc_free(NULL, spare, sizeof(*spare));
	bc_free_percpu(NULL, states, sizeof(struct cpu_state));
	cleanup_srcu_struct(&sleeping);
}
