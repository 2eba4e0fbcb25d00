/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Tracepoints whose arguments were others before raw tracepoint programs came, with Linux 4.17: no program knows
 * the older form, so it gets that of 4.17. What changed later is left: programs tell by the kernel's version.
 */
#ifndef BC_COMPAT_RAW_TP_ARGS_H
#define BC_COMPAT_RAW_TP_ARGS_H

#include "compat.h"

struct compat_raw_tp_args {
	const char *name;
	u32 count;		/* of arguments that the program gets */
	void (*translate)(u64 *args);
};

/* NULL where the program gets the kernel's own. */
const struct compat_raw_tp_args *compat_raw_tp_args(const char *name);

#endif
