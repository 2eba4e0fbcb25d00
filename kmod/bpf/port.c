// SPDX-License-Identifier: GPL-2.0-only
/*
 * The verifier's port header, for the kernel. Its memory counts against the module's cap like any other.
 */
#include "core.h"

/* Before each block: its size, and padding that keeps the block aligned as the slab aligns. */
struct head {
	size_t size;
	u64 pad;
};

void *port_zalloc(size_t size)
{
	struct head *h;

	if (size > SIZE_MAX - sizeof(*h))
		return NULL;
	h = bc_alloc(NULL, size + sizeof(*h));
	if (!h)
		return NULL;
	h->size = size;
	return h + 1;
}

void port_free(void *p)
{
	struct head *h = p;

	if (!p)
		return;
	h--;
	bc_free(NULL, h, h->size + sizeof(*h));
}

void *port_realloc(void *p, size_t old_size, size_t new_size)
{
	void *fresh = port_zalloc(new_size);

	if (!fresh || !p)
		return fresh;
	memcpy(fresh, p, min(old_size, new_size));
	port_free(p);
	return fresh;
}

u64 port_time_ns(void)
{
	return bc_ktime_ns();
}

/*
 * Where nothing else wants the CPU cond_resched() does nothing, and RCU of 3.10 does not hear of it: after 21 seconds it calls that a stall.
 */
static DEFINE_PER_CPU(unsigned long, scheduled);	/* jiffies */

int port_poll(void)
{
	unsigned long *last = &per_cpu(scheduled, raw_smp_processor_id());

	if (time_after(jiffies, *last + HZ)) {
		*last = jiffies;
		schedule();
	}
	cond_resched();
	return signal_pending(current) ? -EAGAIN : 0;
}

int port_copy_from_user(void *dst, u64 src, size_t size)
{
	return copy_from_user(dst, bc_user_ptr(src), size) ? -EFAULT : 0;
}

int port_copy_to_user(u64 dst, const void *src, size_t size)
{
	return copy_to_user(bc_user_ptr(dst), src, size) ? -EFAULT : 0;
}

void port_warn(const char *fmt, ...)
{
	struct va_format vaf;
	va_list ap;

	if (!printk_ratelimit())
		return;
	va_start(ap, fmt);
	vaf.fmt = fmt;
	vaf.va = &ap;
	pr_warn(BC_LOG "%pV\n", &vaf);
	va_end(ap);
}
