// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes messages to a log in the caller's memory.
 */
#include "core.h"
#include "log.h"

#define LINE_MAX 1024
#define SIZE_MIN 128

int bc_user_log_init(struct bc_user_log *log, u32 level, u64 buf, u32 size)
{
	memset(log, 0, sizeof(*log));
	if (!level && !buf && !size)
		return 0;
	if (size < SIZE_MIN || size > UINT_MAX >> 2 || !level || !buf || (level & ~7u))
		return -EINVAL;
	log->line = kmalloc(LINE_MAX, GFP_KERNEL);
	if (!log->line)
		return -ENOMEM;
	log->buf = buf;
	log->size = size;
	return 0;
}

void bc_user_log_free(struct bc_user_log *log)
{
	kfree(log->line);
}

void bc_user_log_vprint(struct bc_user_log *log, const char *fmt, va_list ap)
{
	u32 len, room;

	if (!log->line || log->full)
		return;
	len = min_t(u32, vscnprintf(log->line, LINE_MAX, fmt, ap), LINE_MAX - 1);
	room = log->size - log->used - 1;
	if (len > room) {
		len = room;
		log->full = true;
	}
	log->line[len] = '\0';
	/* As in Linux, a buffer that cannot be written to silences the log and does not fail what is logged. */
	if (port_copy_to_user(log->buf + log->used, log->line, len + 1)) {
		bc_user_log_free(log);
		log->line = NULL;
		return;
	}
	log->used += len;
}

void bc_user_log_print(struct bc_user_log *log, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	bc_user_log_vprint(log, fmt, ap);
	va_end(ap);
}
