/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seeing the kernel's objects go. Linux keeps a program's storage for an object in the object itself and frees it with it; kernels
 * without that are watched at a function each that every object passes when it is freed, and at one that it passes when it is made, so that
 * no memory that becomes an object is ever taken for the one that was there before.
 *
 * The function tracer calls us there, as it misses no hit: kprobes miss those that come while another's handler runs. But where the
 * tracer pauses whenever it is changed (3.10 as it was released; CentOS's does not), that is for milliseconds, and untold; there it is
 * kprobes, which count what they miss.
 */
#ifndef BPFCOMPAT_COMPAT_OBJECT_LIFE_H
#define BPFCOMPAT_COMPAT_OBJECT_LIFE_H

#include "compat.h"

enum compat_object { COMPAT_TASK, COMPAT_SOCK, COMPAT_INODE, COMPAT_OBJECT_KINDS };

/* Both may be called in any context but NMI, on top of a program too. */
struct compat_life_ops {
	/* The object at @object goes, or comes: nothing that is known of that address is about it any more. */
	void (*changed)(enum compat_object kind, const void *object);
	/* A socket was made as a copy of another. */
	void (*copied)(const struct sock *from, const struct sock *to);
};

/*
 * Calls @ops (one set for all kinds) till compat_life_unwatch(); process context. 0, or an errno after the log has been told why
 * these objects can't be watched here. Watching is counted.
 */
int compat_life_watch(enum compat_object kind, const struct compat_life_ops *ops);
void compat_life_unwatch(enum compat_object kind);
/* With nobody watching, and after a refusal: false where the tracer does not let go, so that @ops may still be called. */
bool compat_life_over(enum compat_object kind);
/* Are copies of sockets seen? While sockets are watched. */
bool compat_life_sees_copies(void);

/*
 * Changes when objects of the kind may have come and gone unseen: what was noted before counts no more. While probes are off nothing may
 * be noted, and nothing that was noted is to be shown.
 */
u32 compat_life_epoch(enum compat_object kind);
bool compat_life_blind(void);

/*
 * Is the object in use, so that it will still pass the function that is watched? Under whatever lock changed() takes. @object may
 * lead nowhere.
 */
bool compat_object_lives(enum compat_object kind, const void *object);

/*
 * object_life_switch.c: the kernel's switch of all that watches, tracing or kprobes, while that can be used. An errno if it can't be
 * heeded.
 */
int compat_life_switch_watch(bool of_kprobes);
void compat_life_switch_unwatch(void);
/* Changes with each use of it, to whatever end. */
u32 compat_life_switched(void);

/* object_life_test.c: makes an object of that kind and has it freed, with compat_life_expect() in between. */
int compat_life_test(enum compat_object kind);
/* Notes whether @object is seen to go from here on; compat_life_met() waits for it. */
void compat_life_expect(enum compat_object kind, const void *object);
bool compat_life_met(enum compat_object kind);

#endif
