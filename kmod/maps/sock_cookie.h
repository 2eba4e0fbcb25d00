/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cookies of sockets: a number that each has for as long as it lives, and no other socket ever. Where the kernel gives them none, they
 * are given one here, which holds as long as there is a program that asks, and nobody switches off what sees sockets go.
 */
#ifndef BPFCOMPAT_SOCK_COOKIE_H
#define BPFCOMPAT_SOCK_COOKIE_H

#include "../bpf.h"

struct sock;

/* Process context. 0, or an errno after the log has been told why there are none here. Counted. */
int bc_sock_cookies_get(void);
void bc_sock_cookies_put(void);

/*
 * Inside the guard, any context, while held. 0: no socket, one that goes, or no memory for another cookie. @sk may lead nowhere.
 */
u64 bc_sock_cookie(struct sock *sk);
/* The same in process context, outside the guard, of a socket that is held: 0 or an errno. */
int bc_sock_cookie_wait(struct sock *sk, u64 *cookie);

#endif
