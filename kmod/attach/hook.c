// SPDX-License-Identifier: GPL-2.0-only
/*
 * Programs at one hook: an array that is replaced when it grows and read by events without a lock.
 */
#include "attach.h"

static void free_rcu_hook(struct rcu_head *rcu)
{
	kfree(container_of(rcu, struct bc_hook, rcu));
}

static void free_hook(struct bc_hook *hook)
{
	if (hook)
		bc_call_rcu_sched(&hook->rcu, free_rcu_hook);
}

int bc_hook_add(struct bc_hook **slot, struct bc_prog *prog, u64 cookie)
{
	struct bc_hook *old = *slot, *new;
	u32 i, live = 0;

	for (i = 0; old && i < old->cnt; i++) {
		if (old->e[i].prog == prog)
			return -EEXIST;
		live += old->e[i].prog != NULL;
	}
	if (live >= BC_HOOK_MAX_PROGS)
		return -E2BIG;
	new = kzalloc(sizeof(*new) + (live + 1) * sizeof(new->e[0]), GFP_KERNEL);
	if (!new)
		return -ENOMEM;
	for (i = 0; old && i < old->cnt; i++)
		if (old->e[i].prog)
			new->e[new->cnt++] = old->e[i];
	new->e[new->cnt].prog = prog;
	new->e[new->cnt++].cookie = cookie;
	if (new->cnt == 1)
		new->only = prog;
	smp_store_release(slot, new);
	free_hook(old);
	return 0;
}

/* Takes a program out in place, so that detaching needs no memory. */
bool bc_hook_remove(struct bc_hook **slot, struct bc_prog *prog)
{
	struct bc_hook *hook = *slot;
	u32 i, live = 0;

	if (!hook)
		return true;
	for (i = 0; i < hook->cnt; i++) {
		if (hook->e[i].prog == prog) {
			WRITE_ONCE(hook->only, NULL);
			WRITE_ONCE(hook->e[i].prog, NULL);
		}
		live += hook->e[i].prog != NULL;
	}
	if (live)
		return false;
	WRITE_ONCE(*slot, NULL);
	free_hook(hook);
	return true;
}

u32 bc_hook_missed(struct bc_hook **slot)
{
	struct bc_hook *hook = smp_load_acquire(slot);
	struct bc_prog *prog;
	u32 i;

	for (i = 0; hook && i < hook->cnt; i++) {
		prog = READ_ONCE(hook->e[i].prog);
		if (prog)
			bc_prog_count_miss(prog);
	}
	return 0;
}

u32 bc_hook_run_all(struct bc_hook *hook, void *ctx, struct pt_regs *regs, u64 func_ip)
{
	struct bc_run *run = bc_this_run();
	struct bc_prog *prog;
	u32 i, ret = 1;

	for (i = 0; hook && i < hook->cnt; i++) {
		prog = READ_ONCE(hook->e[i].prog);
		if (unlikely(!prog))
			continue;
		run->regs = regs;
		run->func_ip = func_ip;
		run->cookie = hook->e[i].cookie;
		ret &= bc_prog_run(prog, ctx);
	}
	return ret;
}

u32 bc_hook_run_in_idle(struct bc_hook **slot, struct pt_regs *regs, u64 func_ip)
{
	bool made;
	u32 ret;

	if (!bc_rcu_look(&made))
		return 0;
	ret = bc_hook_run(slot, regs, regs, func_ip);
	bc_rcu_look_end(made);
	return ret;
}
