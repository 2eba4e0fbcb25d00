// SPDX-License-Identifier: GPL-2.0-only
/*
 * See stack.h.
 */
#include "stack.h"
#include "nofault.h"
#include <linux/ptrace.h>
#include <linux/stacktrace.h>
#include <asm/processor.h>
#ifdef HAVE_ASM_UNWIND_H
#include <asm/unwind.h>
#endif
#ifdef HAVE_LINUX_SCHED_TASK_STACK_H
#include <linux/sched/task_stack.h>
#endif

static bool within_own_text(unsigned long addr)
{
#ifdef HAVE_WITHIN_MODULE
	return within_module(addr, THIS_MODULE);
#else
	return within_module_core(addr, THIS_MODULE);
#endif
}

/* The unwinder's frames inside this module are nobody's business. */
static u32 drop_own(unsigned long *entries, u32 cnt)
{
	u32 own = 0;

	while (own < cnt && within_own_text(entries[own]))
		own++;
	if (own)
		memmove(entries, entries + own, (cnt - own) * sizeof(*entries));
	return cnt - own;
}

/*
 * Registers that perf made up for a tracepoint hold an instruction pointer and little else: no unwinder can start from them. They have
 * no flags, which those of a trap never lack.
 */
static bool real_regs(const struct pt_regs *regs)
{
	return regs->flags & X86_EFLAGS_FIXED;
}

/* The part of a stack taken here that begins where the event was; all of it when that place is not in it. */
static u32 start_at(unsigned long ip, unsigned long *entries, u32 cnt)
{
	u32 i;

	for (i = 0; i < cnt; i++) {
		if (entries[i] == ip) {
			memmove(entries, entries + i, (cnt - i) * sizeof(*entries));
			return cnt - i;
		}
	}
	return cnt;
}

/* Up the stack from here. The kernel's own walkers stop at generated code, which they do not know; it keeps frame pointers. */
#ifdef HAVE_ASM_UNWIND_H

/* Generated code has names on these kernels (ksym.h), and is shown like Linux's own. */
static u32 walk_generated(const struct compat_own_frames *own, unsigned long *entries, u32 max)
{
	const unsigned long *frame = own->helper, *above;
	u32 cnt = 0;

	while (cnt < max && !within_own_text(frame[1])) {
		entries[cnt++] = frame[1];
		above = (const unsigned long *)frame[0];
		if (above <= frame || above > (const unsigned long *)own->frame)
			break;
		frame = above;
	}
	return cnt;
}

/*
 * Of the first frames helpers are left out, and those of the module's functions that are known to keep frame pointers. The kernel's
 * unwinder looks long for each of a module's functions.
 */
static u32 walk_from_here(const struct compat_own_frames *own, unsigned long *entries, u32 max)
{
	const unsigned long *frame = own->frame;
	struct unwind_state state;
	struct pt_regs regs;
	unsigned long addr;
	u32 cnt = walk_generated(own, entries, max);

	if (cnt == max)
		return cnt;
	while (own->chained && within_own_text(frame[1]))
		frame = (const unsigned long *)frame[0];
	memset(&regs, 0, sizeof(regs));
	regs.ip = frame[1];
	regs.sp = (unsigned long)(frame + 2);
	regs.bp = frame[0];
	regs.cs = __KERNEL_CS;
	entries[cnt++] = regs.ip;
	for (unwind_start(&state, current, &regs, NULL); cnt < max && !unwind_done(&state); unwind_next_frame(&state)) {
		addr = unwind_get_return_address(&state);
		if (addr)
			entries[cnt++] = addr;
	}
	return cnt;
}

#else

static bool is_generated(unsigned long addr)
{
	return ((addr >= MODULES_VADDR && addr < MODULES_END) || is_vmalloc_addr((void *)addr)) && !__module_address(addr);
}

/* The frame that generated code was called from, if there is any such code between here and the event. */
static unsigned long frame_above_generated(void)
{
	unsigned long frame = (unsigned long)__builtin_frame_address(0), link[2], found = 0;
	bool inside = false;
	u32 depth;

	for (depth = 0; depth < 64; depth++) {
		if (compat_read_kernel(link, (void *)frame, sizeof(link)))
			break;
		if (inside && !is_generated(link[1]))
			found = frame;
		inside = is_generated(link[1]);
		if (link[0] <= frame || link[0] - frame > THREAD_SIZE)
			break;
		frame = link[0];
	}
	return found;
}

static u32 walk_from_here(const struct compat_own_frames *own, unsigned long *entries, u32 max)
{
	struct stack_trace trace = { .entries = entries, .max_entries = max };
	unsigned long frame = frame_above_generated();
	struct pt_regs regs;

	if (frame && bc_sym.save_stack_trace_regs) {
		memset(&regs, 0, sizeof(regs));
		regs.bp = frame;
		regs.sp = frame;
		regs.cs = __KERNEL_CS;
		bc_sym.save_stack_trace_regs(&regs, &trace);
	} else {
		save_stack_trace(&trace);
	}
	if (trace.nr_entries && entries[trace.nr_entries - 1] == ULONG_MAX)
		trace.nr_entries--;
	return trace.nr_entries;
}

#endif

#ifdef HAVE_STACK_TRACE_SAVE

u32 compat_task_stack(struct task_struct *task, unsigned long *entries, u32 max)
{
	u32 cnt = bc_sym.stack_trace_save_tsk ? bc_sym.stack_trace_save_tsk(task, entries, max, 0) : 0;

	return task == current ? drop_own(entries, cnt) : cnt;
}

u32 compat_kernel_stack(struct pt_regs *regs, const struct compat_own_frames *own, unsigned long *entries, u32 max)
{
	u32 cnt;

	if (regs && real_regs(regs)) {
		if (user_mode(regs) || !bc_sym.stack_trace_save_regs)
			return 0;
		return bc_sym.stack_trace_save_regs(regs, entries, max, 0);
	}
	cnt = drop_own(entries, walk_from_here(own, entries, max));
	return regs ? start_at(regs->ip, entries, cnt) : cnt;
}

#else

u32 compat_task_stack(struct task_struct *task, unsigned long *entries, u32 max)
{
	struct stack_trace trace = { .entries = entries, .max_entries = max };

	if (!bc_sym.save_stack_trace_tsk)
		return 0;
	bc_sym.save_stack_trace_tsk(task, &trace);
	if (trace.nr_entries && entries[trace.nr_entries - 1] == ULONG_MAX)
		trace.nr_entries--;
	return task == current ? drop_own(entries, trace.nr_entries) : trace.nr_entries;
}

u32 compat_kernel_stack(struct pt_regs *regs, const struct compat_own_frames *own, unsigned long *entries, u32 max)
{
	struct stack_trace trace = { .entries = entries, .max_entries = max };
	u32 cnt;

	if (!regs || !real_regs(regs)) {
		cnt = drop_own(entries, walk_from_here(own, entries, max));
		return regs ? start_at(regs->ip, entries, cnt) : cnt;
	}
	if (user_mode(regs) || !bc_sym.save_stack_trace_regs || max < 2)
		return 0;
	bc_sym.save_stack_trace_regs(regs, &trace);
	cnt = trace.nr_entries;
	if (cnt && entries[cnt - 1] == ULONG_MAX)
		cnt--;
	/* Vanilla 3.10 leaves out where the event hit; later kernels start with it. */
	if (!cnt || entries[0] != regs->ip) {
		cnt = min(cnt, max - 1);
		memmove(entries + 1, entries, cnt * sizeof(*entries));
		entries[0] = regs->ip;
		cnt++;
	}
	return cnt;
}

#endif

/*
 * The process's frame pointer. Where system call entry saves all registers it is in its pt_regs. 3.10 leaves it in the register, so that
 * the outermost C function with a frame has saved it: it is the first link of the chain of frames that leaves the kernel stack.
 */
static unsigned long user_frame(struct pt_regs *regs, struct pt_regs *user)
{
#if !defined(HAVE_ASM_UNWIND_H) && defined(CONFIG_FRAME_POINTER)
	unsigned long bottom = (unsigned long)task_stack_page(current), frame = regs ? regs->bp : (unsigned long)__builtin_frame_address(0);
	unsigned long next;
	u32 depth;

	if (regs == user)
		return user->bp;
	for (depth = 0; depth < 128; depth++) {
		if (frame < bottom || frame >= bottom + THREAD_SIZE)
			return frame;
		if (compat_read_kernel(&next, (void *)frame, sizeof(next)))
			break;
		if (next >= bottom && next < bottom + THREAD_SIZE && next <= frame)
			break;
		frame = next;
	}
	return 0;
#else
	return user->bp;
#endif
}

u32 compat_user_stack(struct pt_regs *regs, unsigned long *entries, u32 max)
{
	/* set here because gcc 9 does not see that reads of user memory on 3.10 fill them */
	unsigned long frame, link[2] = { 0, 0 }, sp;
	struct pt_regs *user = regs;
	u32 cnt = 0, link32[2] = { 0, 0 };
	bool wide;

	if (!current->mm || (current->flags & PF_KTHREAD) || !max)
		return 0;
	if (!user || !user_mode(user))
		user = task_pt_regs(current);
	entries[cnt++] = user->ip;
	frame = user_frame(regs, user);
	wide = user_64bit_mode(user);
	sp = user->sp;
	while (cnt < max && frame) {
		/* a caller's frame is above; what is not a frame pointer ends the walk */
		if (frame < sp || frame % (wide ? 8 : 4))
			break;
		if (wide) {
			if (compat_read_user(link, (void *)frame, sizeof(link)))
				break;
		} else {
			if (compat_read_user(link32, (void *)frame, sizeof(link32)))
				break;
			link[0] = link32[0];
			link[1] = link32[1];
		}
		if (!link[1] || link[1] >= TASK_SIZE_MAX)
			break;
		entries[cnt++] = link[1];
		sp = frame + 1;
		frame = link[0];
	}
	return cnt;
}
