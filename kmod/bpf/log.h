/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A log in the caller's memory, for messages that do not come from the verifier: BTF_LOAD's, and what the loader itself refuses.
 */
#ifndef BPFCOMPAT_LOG_H
#define BPFCOMPAT_LOG_H

struct bc_user_log {
	u64 buf;	/* address in the caller's process */
	u32 size, used;
	bool full;
	char *line;	/* where one message is put together */
};

/* 0; -EINVAL when buffer, size and level do not belong together, as Linux checks them; -ENOMEM. */
int bc_user_log_init(struct bc_user_log *log, u32 level, u64 buf, u32 size);
void bc_user_log_free(struct bc_user_log *log);
void bc_user_log_vprint(struct bc_user_log *log, const char *fmt, va_list ap);
void bc_user_log_print(struct bc_user_log *log, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
