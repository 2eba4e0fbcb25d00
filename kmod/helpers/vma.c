// SPDX-License-Identifier: GPL-2.0-only
/*
 * bpf_find_vma(): shows a program the mapping at an address of the current task.
 */
#include "helpers.h"
#include "../compat/mmap_lock.h"
#include "../compat/nofault.h"
#include <linux/irq_work.h>

/* Giving the lock back may wake others, which is nothing to be done with interrupts off. */
struct unlock {
	struct irq_work work;
	struct mm_struct *mm;	/* NULL: not in use */
};

static DEFINE_PER_CPU(struct unlock, unlocks);

static void unlock_later(struct irq_work *work)
{
	struct unlock *u = container_of(work, struct unlock, work);
	struct mm_struct *mm = u->mm;

	WRITE_ONCE(u->mm, NULL);
	compat_mmap_read_unlock_disowned(mm);
}

int bc_vma_helper_init(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		init_irq_work(&per_cpu(unlocks, cpu).work, unlock_later);
	return 0;
}

void bc_vma_helper_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu)
		irq_work_sync(&per_cpu(unlocks, cpu).work);
}

BC_HELPER(find_vma)
{
	struct unlock *later = irqs_disabled() ? this_cpu_ptr(&unlocks) : NULL;
	unsigned long addr = r2;
	struct bc_run *run = bc_this_run();
	struct bc_sleeper *sleeper = run->sleeper;
	struct vm_area_struct *vma;
	struct mm_struct *mm;
	s64 ret = -ENOENT;

	if (r5)
		return (s64)-EINVAL;
	if (!r1)
		return (s64)-ENOENT;
	/* the address space of another task may go while it is looked at */
	if ((struct task_struct *)r1 != current)
		return (s64)-EBUSY;
	mm = current->mm;
	if (!mm)
		return (s64)-ENOENT;
	if ((later && READ_ONCE(later->mm)) || !compat_mmap_read_trylock(mm))
		return (s64)-EBUSY;
	vma = find_vma(mm, addr);
	if (vma && vma->vm_start <= addr && vma->vm_end > addr) {
		run->sleeper = NULL;	/* a fault would want the lock, too */
		bc_callback_call(r3, r1, (unsigned long)vma, r4, 0, 0);
		run->sleeper = sleeper;
		ret = 0;
	}
	if (!later) {
		compat_mmap_read_unlock(mm);
		return ret;
	}
	later->mm = mm;
	compat_mmap_read_disown(mm);
	irq_work_queue(&later->work);
	return ret;
}
