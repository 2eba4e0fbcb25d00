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

#endif
