// SPDX-License-Identifier: GPL-2.0-only
/*
 * Timers in map values (struct bpf_timer). A value holds the address of a struct bc_timer out of a stock that its map keeps: programs
 * may not allocate. One that was in use goes back there when its clock is known to rest, and to the allocator with the map; so whoever
 * still has its address finds a timer there, and sees by the place it serves whether it is the one that was meant.
 *
 * Programs run in all sorts of places, the kernel's timer code among them. So they only note what is wanted, under the timer's own lock,
 * and an interrupt of our own (irq_work) sets the kernel's timer: no CPU takes interrupts while it holds locks of that code. A clock that
 * expires early, or after the timer was cancelled, is of no account.
 */
#include "timer.h"
#include "../bpf/prog.h"
#include "../compat/clock.h"
#include "../compat/timer.h"

#define FIRST_TIMERS	256
#define BUSY_NS		200000		/* until the next attempt where the CPU was busy with another program */
#define MAX_WAIT_NS	1000000000	/* for a callback at work elsewhere, which may be waiting for what the caller holds */

struct bc_timer {
	struct compat_timer clock;
	struct irq_work arm;
	struct bc_timers *stock;
	struct bc_timer *next;		/* free, or ended */
	struct bc_lock lock;		/* guards the rest */
	struct bc_timer_value *at;	/* what it serves; NULL: nothing */
	struct bc_prog *prog;		/* a reference; whose @callback is */
	bc_callback callback;
	clockid_t clockid;
	bool armed;
	u32 arming;			/* CPUs that are about to set the clock */
	u64 deadline;			/* in ns of its clock */
	bool running;
	u32 runs;
	atomic_t cancelling;		/* callbacks of others that are waiting for this one, or about to */
};

struct timer_chunk {
	struct timer_chunk *next;
	u32 cnt;
	struct bc_timer timers[];
};

struct bc_timers {
	struct bc_map *map;
	struct bc_lock lock;		/* guards the two lists */
	struct bc_timer *free, *ended;
	u32 free_cnt;
	u32 low;			/* free ones below which more are made */
	u32 total, most;		/* under chunk_lock */
	struct timer_chunk *chunks;
	struct mutex chunk_lock;
	struct irq_work kick;
	struct work_struct work;
};

/* The timer whose callback is running on this CPU. */
static DEFINE_PER_CPU(struct bc_timer *, running_timer);

static size_t chunk_bytes(u32 cnt)
{
	return sizeof(struct timer_chunk) + (size_t)cnt * sizeof(struct bc_timer);
}

/* In an interrupt: keeps programs away while a lock is held. What was interrupted may be inside the guard itself, and keeps them away then. */
static bool keep_out(void)
{
	preempt_disable_notrace();
	return bc_run_begin_atomic();
}

static void let_in(bool kept_out)
{
	if (kept_out)
		bc_run_end_atomic();
	preempt_enable_notrace();
}

static u64 now_of(const struct bc_timer *t)
{
	return t->clockid == CLOCK_BOOTTIME ? compat_clock_boot() : compat_clock_mono();
}

/* ---- the clock ---- */

/* Sets the clock to what is wanted by now. May be at work for one timer on several CPUs. */
static void arm(struct irq_work *work)
{
	struct bc_timer *t = container_of(work, struct bc_timer, arm);
	bool set = false, done, kept_out = keep_out();
	u64 deadline = 0, now;
	unsigned long flags;

	flags = bc_lock_irqsave(&t->lock);
	t->arming++;
	for (;;) {
		done = !t->armed || (set && t->deadline == deadline);
		deadline = t->deadline;
		now = now_of(t);
		if (done)
			break;
		bc_unlock_irqrestore(&t->lock, flags);
		compat_timer_start(&t->clock, deadline > now ? deadline - now : 0);
		set = true;
		flags = bc_lock_irqsave(&t->lock);
	}
	t->arming--;
	bc_unlock_irqrestore(&t->lock, flags);
	let_in(kept_out);
}

static void call_back(struct bc_timer *t, struct bc_timer_value *at, struct bc_prog *prog, bc_callback callback)
{
	struct bc_map *map = t->stock->map;
	void *value = (void *)at - map->desc.timer_off, *key = value - round_up(map->desc.key_size, 8);
	struct bc_jit_array array;
	u32 index;

	if (bc_array_describe(map, &array)) {
		index = ((unsigned long)value - array.values) / array.stride;
		key = &index;
	}
	__this_cpu_write(running_timer, t);
	bc_prog_run_callback(prog, callback, (unsigned long)map, (unsigned long)key, (unsigned long)value);
	__this_cpu_write(running_timer, NULL);
}

static void try_again(struct bc_timer *t)
{
	bool kept_out = keep_out(), armed;
	unsigned long flags = bc_lock_irqsave(&t->lock);

	armed = t->armed;
	bc_unlock_irqrestore(&t->lock, flags);
	if (armed)
		compat_timer_start(&t->clock, BUSY_NS);
	let_in(kept_out);
}

static void expired(struct compat_timer *clock)
{
	struct bc_timer *t = container_of(clock, struct bc_timer, clock);
	bool early, due;
	struct bc_timer_value *at;
	struct bc_prog *prog;
	bc_callback callback;
	unsigned long flags;

	if (!bc_run_begin()) {
		try_again(t);
		return;
	}
	flags = bc_lock_irqsave(&t->lock);
	early = t->armed && now_of(t) < t->deadline;
	due = t->armed && !early && t->prog && !t->running;
	at = t->at;
	/* stays as long as preemption is off, even if its last reference goes meanwhile */
	prog = t->prog;
	callback = t->callback;
	if (due) {
		t->armed = false;
		t->running = true;
		t->runs++;
	}
	bc_unlock_irqrestore(&t->lock, flags);
	if (due) {
		call_back(t, at, prog, callback);
		flags = bc_lock_irqsave(&t->lock);
		t->running = false;
		bc_unlock_irqrestore(&t->lock, flags);
	}
	bc_run_end();
	if (early)
		irq_work_queue(&t->arm);
}

static bool is_arming(struct bc_timer *t)
{
	unsigned long flags;
	bool arming;

	bc_syscall_enter();
	flags = bc_lock_irqsave(&t->lock);
	arming = t->arming;
	bc_unlock_irqrestore(&t->lock, flags);
	bc_syscall_exit();
	return arming;
}

/*
 * Process context: nothing of the timer is at work on return. It serves no value any more. irq_work_sync() alone does not wait for all of the CPUs
 * that are at the same work.
 */
static void quiesce(struct bc_timer *t)
{
	irq_work_sync(&t->arm);
	while (is_arming(t))
		cpu_relax();
	compat_timer_kill(&t->clock);
	irq_work_sync(&t->arm);
	while (is_arming(t))
		cpu_relax();
}

/* ---- the stock; all inside the guard ---- */

static struct bc_timer *take(struct bc_timers *stock)
{
	unsigned long flags = bc_lock_irqsave(&stock->lock);
	struct bc_timer *t = stock->free;
	bool few;

	if (t) {
		stock->free = t->next;
		stock->free_cnt--;
	}
	few = stock->free_cnt < stock->low;
	bc_unlock_irqrestore(&stock->lock, flags);
	if (few)
		irq_work_queue(&stock->kick);
	return t;
}

static void give_back(struct bc_timer *t)
{
	struct bc_timers *stock = t->stock;
	unsigned long flags = bc_lock_irqsave(&stock->lock);

	t->next = stock->free;
	stock->free = t;
	stock->free_cnt++;
	bc_unlock_irqrestore(&stock->lock, flags);
}

/* Takes what the timer holds, with its lock held; to be put when that is not. */
static struct bc_prog *disarm(struct bc_timer *t)
{
	struct bc_prog *prog = t->prog;

	t->prog = NULL;
	t->callback = 0;
	t->armed = false;
	return prog;
}

/* The timer of a value, locked; NULL when it has none. */
static struct bc_timer *lock_timer(struct bc_timer_value *at, unsigned long *flags)
{
	struct bc_timer *t = READ_ONCE(at->timer);

	if (!t)
		return NULL;
	*flags = bc_lock_irqsave(&t->lock);
	if (likely(t->at == at))
		return t;
	bc_unlock_irqrestore(&t->lock, *flags);
	return NULL;
}

void bc_timer_end(struct bc_map *map, void *value)
{
	struct bc_timer_value *at = value + map->desc.timer_off;
	struct bc_timers *stock = map->timers;
	struct bc_prog *prog;
	unsigned long flags;
	struct bc_timer *t;

	if (likely(!READ_ONCE(at->timer)))
		return;
	t = xchg(&at->timer, NULL);
	if (!t)
		return;
	flags = bc_lock_irqsave(&t->lock);
	t->at = NULL;
	prog = disarm(t);
	bc_unlock_irqrestore(&t->lock, flags);
	if (prog)
		bc_prog_put(prog);
	flags = bc_lock_irqsave(&stock->lock);
	t->next = stock->ended;
	stock->ended = t;
	bc_unlock_irqrestore(&stock->lock, flags);
	irq_work_queue(&stock->kick);
}

/* ---- the stock, in process context ---- */

static void make_timer(struct bc_timers *stock, struct bc_timer *t)
{
	t->stock = stock;
	bc_lock_init(&t->lock);
	init_irq_work(&t->arm, arm);
	atomic_set(&t->cancelling, 0);
	/* a clock to be cancelled, even if it is never set */
	compat_timer_init(&t->clock, CLOCK_MONOTONIC, expired);
}

/* 0 or -ENOMEM; with chunk_lock held. */
static int add_chunk(struct bc_timers *stock, u32 cnt)
{
	struct timer_chunk *chunk = bc_alloc(&stock->map->obj, chunk_bytes(cnt));
	u32 i;

	if (!chunk)
		return -ENOMEM;
	chunk->cnt = cnt;
	for (i = 0; i < cnt; i++)
		make_timer(stock, &chunk->timers[i]);
	chunk->next = stock->chunks;
	stock->chunks = chunk;
	stock->total += cnt;
	for (i = 0; i < cnt; i++) {
		bc_syscall_enter();
		give_back(&chunk->timers[i]);
		bc_syscall_exit();
	}
	WRITE_ONCE(stock->low, stock->total < stock->most ? max_t(u32, stock->total / 4, min_t(u32, stock->total, 16)) : 0);
	return 0;
}

static void grow(struct bc_timers *stock)
{
	mutex_lock(&stock->chunk_lock);
	if (READ_ONCE(stock->free_cnt) < stock->low && stock->total < stock->most)
		add_chunk(stock, min(stock->total, stock->most - stock->total));
	mutex_unlock(&stock->chunk_lock);
}

static void stock_work(struct work_struct *work)
{
	struct bc_timers *stock = container_of(work, struct bc_timers, work);
	struct bc_timer *t, *next;
	unsigned long flags;

	bc_syscall_enter();
	flags = bc_lock_irqsave(&stock->lock);
	t = stock->ended;
	stock->ended = NULL;
	bc_unlock_irqrestore(&stock->lock, flags);
	bc_syscall_exit();
	for (; t; t = next) {
		next = t->next;
		quiesce(t);
		bc_syscall_enter();
		give_back(t);
		bc_syscall_exit();
		cond_resched();
	}
	grow(stock);
}

static void kicked(struct irq_work *work)
{
	/* on any CPU: this one may be busy with the very programs that want timers */
	queue_work(system_unbound_wq, &container_of(work, struct bc_timers, kick)->work);
}

int bc_timers_new(struct bc_map *map)
{
	struct bc_timers *stock = bc_alloc(&map->obj, sizeof(*stock));
	int err;

	if (!stock)
		return -ENOMEM;
	stock->map = map;
	bc_lock_init(&stock->lock);
	mutex_init(&stock->chunk_lock);
	init_irq_work(&stock->kick, kicked);
	INIT_WORK(&stock->work, stock_work);
	/* one for each element, and some that are on their way back */
	stock->most = max(map->desc.max_entries, map->desc.max_entries + 2 * FIRST_TIMERS);
	map->timers = stock;
	mutex_lock(&stock->chunk_lock);
	err = add_chunk(stock, min_t(u32, stock->most, FIRST_TIMERS));
	mutex_unlock(&stock->chunk_lock);
	if (err)
		bc_timers_free(map);
	return err;
}

/* Ends all timers: nobody in user space is left to do it. */
void bc_timers_release(struct bc_map *map)
{
	struct bc_timers *stock = map->timers;
	struct timer_chunk *chunk;
	struct bc_timer_value *at;
	u32 i;

	mutex_lock(&stock->chunk_lock);
	for (chunk = stock->chunks; chunk; chunk = chunk->next) {
		for (i = 0; i < chunk->cnt; i++) {
			at = READ_ONCE(chunk->timers[i].at);
			if (!at)
				continue;
			bc_syscall_enter();
			bc_timer_end(map, (void *)at - map->desc.timer_off);
			bc_syscall_exit();
		}
		cond_resched();
	}
	mutex_unlock(&stock->chunk_lock);
}

/* The map is unreachable; none of its timers was left to a value. */
void bc_timers_free(struct bc_map *map)
{
	struct bc_timers *stock = map->timers;
	struct timer_chunk *chunk;
	u32 i;

	if (!stock)
		return;
	bc_timers_release(map);
	irq_work_sync(&stock->kick);
	cancel_work_sync(&stock->work);
	while ((chunk = stock->chunks)) {
		for (i = 0; i < chunk->cnt; i++)
			quiesce(&chunk->timers[i]);
		stock->chunks = chunk->next;
		bc_free(&map->obj, chunk, chunk_bytes(chunk->cnt));
	}
	bc_free(&map->obj, stock, sizeof(*stock));
	map->timers = NULL;
}

/* ---- what programs do ---- */

long bc_timer_init(struct bc_timer_value *at, struct bc_map *map, u64 clockid)
{
	unsigned long flags;
	struct bc_timer *t;

	if (in_nmi())
		return -EOPNOTSUPP;
	if (clockid != CLOCK_MONOTONIC && clockid != CLOCK_REALTIME && clockid != CLOCK_BOOTTIME)
		return -EINVAL;
	if (READ_ONCE(at->timer))
		return -EBUSY;
	t = take(map->timers);
	if (!t)
		return -ENOMEM;
	compat_timer_init(&t->clock, clockid, expired);
	flags = bc_lock_irqsave(&t->lock);
	t->clockid = clockid;
	t->at = at;
	bc_unlock_irqrestore(&t->lock, flags);
	if (cmpxchg(&at->timer, NULL, t)) {
		flags = bc_lock_irqsave(&t->lock);
		t->at = NULL;
		bc_unlock_irqrestore(&t->lock, flags);
		give_back(t);
		return -EBUSY;
	}
	smp_mb();	/* with the last user's going: it sees the timer, or is seen here */
	if (atomic_read(&map->urefs))
		return 0;
	bc_timer_end(map, (void *)at - map->desc.timer_off);
	return -EPERM;
}

long bc_timer_set_callback(struct bc_timer_value *at, bc_callback callback, struct bc_prog *prog)
{
	struct bc_prog *put = NULL;
	unsigned long flags;
	struct bc_timer *t;
	long err = 0;

	if (in_nmi())
		return -EOPNOTSUPP;
	t = lock_timer(at, &flags);
	if (!t)
		return -EINVAL;
	if (!atomic_read(&t->stock->map->urefs)) {
		err = -EPERM;
	} else if (t->prog != prog) {
		/* a program may still run when its last reference is gone */
		if (bc_object_get_unless_zero(&prog->obj)) {
			put = t->prog;
			t->prog = prog;
		} else {
			err = -ENOENT;
		}
	}
	if (!err)
		t->callback = callback;
	bc_unlock_irqrestore(&t->lock, flags);
	if (put)
		bc_prog_put(put);
	return err;
}

long bc_timer_start(struct bc_timer_value *at, u64 nsecs, u64 mode)
{
	unsigned long flags;
	struct bc_timer *t;
	bool ready;

	if (in_nmi())
		return -EOPNOTSUPP;
	if (mode)
		return -EINVAL;
	t = lock_timer(at, &flags);
	if (!t)
		return -EINVAL;
	ready = t->prog;
	if (ready) {
		/* more than a clock can count to is, to Linux, a time that is past */
		t->deadline = min_t(u64, now_of(t) + min_t(u64, nsecs, S64_MAX), S64_MAX);	/* what lies too far ahead never comes */
		t->armed = true;
	}
	bc_unlock_irqrestore(&t->lock, flags);
	if (!ready)
		return -EINVAL;
	irq_work_queue(&t->arm);
	return 0;
}

/* A callback that runs elsewhere is waited for. */
static long await(struct bc_timer *t, u32 run)
{
	u64 start = compat_clock_mono();

	while (READ_ONCE(t->running) && READ_ONCE(t->runs) == run) {
		cpu_relax();
		if (compat_clock_mono() - start > MAX_WAIT_NS)
			return -EDEADLK;
	}
	return 0;
}

long bc_timer_cancel(struct bc_timer_value *at)
{
	struct bc_timer *t, *own = __this_cpu_read(running_timer);
	struct bc_prog *prog = NULL;
	unsigned long flags;
	bool armed, running;
	long err = 0;
	u32 run;

	if (in_nmi())
		return -EOPNOTSUPP;
	t = lock_timer(at, &flags);
	if (!t)
		return -EINVAL;
	if (own == t) {
		bc_unlock_irqrestore(&t->lock, flags);
		return -EDEADLK;
	}
	if (own) {
		/* whoever waits for this callback must not be waited for, in whatever roundabout way */
		atomic_inc(&t->cancelling);
		smp_mb();
		if (atomic_read(&own->cancelling))
			err = -EDEADLK;
	}
	armed = t->armed;
	running = t->running;
	run = t->runs;
	if (!err)
		prog = disarm(t);
	bc_unlock_irqrestore(&t->lock, flags);
	if (prog)
		bc_prog_put(prog);
	if (!err && running)
		err = await(t, run);
	if (own)
		atomic_dec(&t->cancelling);
	return err ? err : armed;
}
