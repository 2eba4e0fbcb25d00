/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What programs see of a socket (struct bpf_sock, struct bpf_tcp_sock), out of this kernel's own structs.
 */
#ifndef BPFCOMPAT_COMPAT_SOCK_FIELDS_H
#define BPFCOMPAT_COMPAT_SOCK_FIELDS_H

#include "compat.h"

/* A whole socket that is held; @what by bc_sock_what(). What this kernel does not count is 0. */
u64 bc_sock_load(const void *sk, u32 what, u32 size);

#endif
