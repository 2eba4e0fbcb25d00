// SPDX-License-Identifier: GPL-2.0-only
/*
 * Cookies of sockets; see sock_cookie.h. Kernels whose sockets have none get a map of sockets' storage that no user sees, with the cookie
 * for its value: it is there as long as the socket is.
 */
#include "local_storage.h"
#include "sock_cookie.h"
#include "../compat/nofault.h"
#include "../compat/sock.h"

#ifdef HAVE_SOCK_COOKIE

static u64 generate(struct sock *sk)
{
	return bc_sym.__sock_gen_cookie ? bc_sym.__sock_gen_cookie(sk) : bc_sym.sock_gen_cookie(sk);
}

int bc_sock_cookies_get(void)
{
	if (bc_sym.__sock_gen_cookie || bc_sym.sock_gen_cookie)
		return 0;
	pr_info(BC_LOG "bpf_get_socket_cookie is not offered: this kernel has no sock_gen_cookie\n");
	return -EOPNOTSUPP;
}

void bc_sock_cookies_put(void)
{
}

/* A cookie is only ever written to a socket that is in use. */
u64 bc_sock_cookie(struct sock *sk)
{
	u64 cookie;

	if (!sk || compat_read_kernel(&cookie, &sk->sk_cookie, sizeof(cookie)))
		return 0;
	if (cookie)
		return cookie;
	return compat_object_lives(COMPAT_SOCK, sk) ? generate(sk) : 0;
}

#else

static DEFINE_MUTEX(users_lock);
static u32 users;
static struct bc_map *cookies;		/* while there are users */
static atomic64_t last = ATOMIC64_INIT(0);

static struct bc_map *new_map(void)
{
	union bpf_attr *attr = kzalloc(sizeof(*attr), GFP_KERNEL);
	struct bc_map *map;

	if (!attr)
		return ERR_PTR(-ENOMEM);
	attr->map_type = BPF_MAP_TYPE_SK_STORAGE;
	attr->key_size = sizeof(u32);
	attr->value_size = sizeof(u64);
	attr->map_flags = BPF_F_NO_PREALLOC;
	map = bc_local_storage_ops.alloc(attr);
	kfree(attr);
	if (!IS_ERR(map))
		map->ops = &bc_local_storage_ops;
	return map;
}

int bc_sock_cookies_get(void)
{
	struct bc_map *map;
	int err = 0;

	mutex_lock(&users_lock);
	if (!users) {
		map = new_map();
		err = IS_ERR(map) ? PTR_ERR(map) : 0;
		if (err)
			pr_info(BC_LOG "bpf_get_socket_cookie is not offered: sockets have none on this kernel, and can't be given any (%d)\n",
				err);
		else
			cookies = map;
	}
	if (!err)
		users++;
	mutex_unlock(&users_lock);
	return err;
}

/* No program that asks is left, and no map. */
void bc_sock_cookies_put(void)
{
	mutex_lock(&users_lock);
	if (!--users) {
		bc_local_storage_ops.free(cookies);
		cookies = NULL;
	}
	mutex_unlock(&users_lock);
}

/* The small kinds of sockets are not seen to go, and have none. */
u64 bc_sock_cookie(struct sock *sk)
{
	unsigned char state;
	u64 *cookie, new;

	if (!sk || compat_read_kernel(&state, (const void *)&sk->sk_state, sizeof(state)) || !compat_is_whole_state(state))
		return 0;
	cookie = bc_storage_get(cookies, sk, NULL, false);
	if (cookie)
		return *cookie;
	new = atomic64_inc_return(&last);
	cookie = bc_storage_get(cookies, sk, &new, true);
	/* another CPU may have come first */
	if (!cookie)
		cookie = bc_storage_get(cookies, sk, NULL, false);
	return cookie ? *cookie : 0;
}

#endif

/* Where they come out of a stock, it may be empty for a moment. */
int bc_sock_cookie_wait(struct sock *sk, u64 *cookie)
{
	int tries;

	for (tries = 0; tries < 50; tries++) {
		bc_syscall_enter();
		*cookie = bc_sock_cookie(sk);
		bc_syscall_exit();
		if (*cookie)
			return 0;
		if (compat_life_blind())
			return -EOPNOTSUPP;
		if (fatal_signal_pending(current))
			return -EINTR;
		schedule_timeout_killable(1);
	}
	return -ENOMEM;
}
