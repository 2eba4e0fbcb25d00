// SPDX-License-Identifier: GPL-2.0-only
/*
 * RCU and the idle task; see rcu.h.
 */
#include "../bpf.h"

/* What RCU does to look, or not to, may be probed itself. */
static DEFINE_PER_CPU(bool, busy);

/* CentOS 7's later kernels call it what newer ones do. */
static bool notrace rcu_looks(void)
{
	return bc_sym.rcu_is_watching ? bc_sym.rcu_is_watching() : !bc_sym.rcu_is_cpu_idle();
}

bool notrace bc_rcu_look(bool *made)
{
	bool looks;

	*made = false;
	if ((!bc_sym.rcu_is_watching && !bc_sym.rcu_is_cpu_idle) || !bc_sym.rcu_irq_enter || !bc_sym.rcu_irq_exit)
		return true;
	if (__this_cpu_read(busy))
		return false;
	__this_cpu_write(busy, true);
	looks = rcu_looks();
	/* For NMIs RCU looks, all but a few instructions of them; and they may be within what is called here. */
	if (!looks && !in_nmi()) {
		bc_sym.rcu_irq_enter();
		/* not where it is about to do so by itself */
		looks = rcu_looks();
		*made = looks;
		if (!looks)
			bc_sym.rcu_irq_exit();
	}
	__this_cpu_write(busy, false);
	return looks;
}

void notrace bc_rcu_look_end(bool made)
{
	if (!made)
		return;
	__this_cpu_write(busy, true);
	bc_sym.rcu_irq_exit();
	__this_cpu_write(busy, false);
}
