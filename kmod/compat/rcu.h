/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * RCU readers in the module have preemption off. Before 4.20 that was a flavour of its own, and on a preemptible kernel plain call_rcu
 * does not wait for such readers; later all flavours are one and the old names are gone.
 */
#ifndef BPFCOMPAT_COMPAT_RCU_H
#define BPFCOMPAT_COMPAT_RCU_H

#ifdef HAVE_CALL_RCU_SCHED
#define bc_call_rcu_sched(head, func) call_rcu_sched(head, func)
#define bc_synchronize_sched() synchronize_sched()
#define bc_rcu_barrier_sched() rcu_barrier_sched()
#else
#define bc_call_rcu_sched(head, func) call_rcu(head, func)
#define bc_synchronize_sched() synchronize_rcu()
#define bc_rcu_barrier_sched() rcu_barrier()
#endif

/*
 * Old kernels have probes where RCU does not look: in the idle loop, and at the beginning and the end of interrupts that come then. What
 * a probe's handler reads may be freed there under its hands.
 */
static inline bool bc_rcu_may_not_look(void)
{
	return is_idle_task(current);
}

/*
 * To be called then, with interrupts off: has RCU look till bc_rcu_look_end(), unless it does already. False: that can't be, and the
 * handler must not go on. May be called from wherever there are probes.
 */
bool bc_rcu_look(bool *made);
void bc_rcu_look_end(bool made);

#endif
