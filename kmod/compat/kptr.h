/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may see kernel addresses: as Linux's kallsyms_show_value() decides it.
 */
#ifndef BPFCOMPAT_COMPAT_KPTR_H
#define BPFCOMPAT_COMPAT_KPTR_H

#include "compat.h"

int compat_kptr_init(void);
bool compat_may_see_addresses(void);

#endif
