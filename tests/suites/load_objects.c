// SPDX-License-Identifier: MIT
/*
 * Loads each program of BPF object files by itself, with libbpf, and prints one line for each: what became of it, what the verifier says
 * that it took, and the last lines of its log. Usage: load_objects [-t TYPE] FILE...; TYPE (a number) is given to programs whose section
 * tells none. Every file has a process of its own; what one load takes of the machine's memory is watched by a thread.
 *
 * A line: "@ file program section type errno insns states peak usec memory_kB maps_missing", then the log's end, then "@end".
 * At the very end: "@whole".
 * errno 0: loaded; -1: the load did not come to the verifier (libbpf's words are printed in the log's place).
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_BYTES	(1 << 24)
#define TAIL_BYTES	600
#define NOTES_BYTES	4096
#define SECONDS		600
#define SAMPLE_USEC	5000
#define MAX_MISSING	32
#define GIVEN_UP	1000000
#define LOG_STATS	4
#define LOG_LEVEL1	1

static char log_buf[LOG_BYTES];
static char notes[NOTES_BYTES];		/* what libbpf complained of */
static char missing[MAX_MISSING][64];	/* maps that cannot be created here */
static int missing_cnt;
static int fallback_type;

static int note(enum libbpf_print_level level, const char *format, va_list args)
{
	static const char failed[] = "': failed to create";
	char line[1024], *end;
	size_t used = strlen(notes);

	if (level != LIBBPF_WARN)
		return 0;
	vsnprintf(line, sizeof(line), format, args);
	end = strstr(line, failed);
	if (!strncmp(line, "libbpf: map '", 13) && end && missing_cnt < MAX_MISSING) {
		*end = '\0';
		snprintf(missing[missing_cnt++], sizeof(missing[0]), "%.63s", line + 13);
		*end = '\'';
	}
	if (!strstr(line, "BEGIN PROG LOAD LOG"))
		snprintf(notes + used, sizeof(notes) - used, "%s", line);
	return 0;
}

/* ---- memory ---- */

static volatile bool watching;
static long lowest;

static long free_kb(void)
{
	static int fd = -1;
	char text[256], *at;
	ssize_t got;

	if (fd < 0)
		fd = open("/proc/meminfo", O_RDONLY | O_CLOEXEC);
	got = pread(fd, text, sizeof(text) - 1, 0);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	at = strstr(text, "MemFree:");
	return at ? atol(at + 8) : 0;
}

static void *watch(void *unused)
{
	long now;

	(void)unused;
	while (watching) {
		now = free_kb();
		if (now < lowest)
			lowest = now;
		usleep(SAMPLE_USEC);
	}
	return NULL;
}

/* ---- one program ---- */

static long number_after(const char *text, const char *words)
{
	const char *at = strstr(text, words);

	return at ? atol(at + strlen(words)) : -1;
}

static const char *last_processed(void)
{
	const char *at, *found = NULL;

	for (at = strstr(log_buf, "\nprocessed "); at; at = strstr(at + 1, "\nprocessed "))
		found = at + 1;
	return found ? found : !strncmp(log_buf, "processed ", 10) ? log_buf : "";
}

static void print_log(void)
{
	size_t len = strlen(log_buf);
	const char *at = log_buf + (len > TAIL_BYTES ? len - TAIL_BYTES : 0);

	printf("%s%s@end\n", at, len && log_buf[len - 1] != '\n' ? "\n" : "");
}

/* Loads the @n-th program alone. @level: of the log. -EAGAIN: a map was missing, try without it. */
static int load(const char *path, int n, int level)
{
	const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path, *stats;
	struct bpf_program *prog, *target = NULL;
	struct bpf_object *obj;
	struct bpf_map *map;
	struct timespec begin, end;
	long before, usec;
	pthread_t thread;
	int err, i, had = missing_cnt;

	notes[0] = '\0';
	log_buf[0] = '\0';
	obj = bpf_object__open_file(path, NULL);
	if (!obj) {
		printf("@ %s - - 0 -1 0 0 0 0 0 0\n%s@end\n", name, notes);
		return -ENOENT;
	}
	i = 0;
	bpf_object__for_each_program(prog, obj) {
		bpf_program__set_autoload(prog, i == n);
		if (i++ == n)
			target = prog;
	}
	if (!target) {
		bpf_object__close(obj);
		return -ENOENT;
	}
	if (!bpf_program__type(target) && fallback_type)
		bpf_program__set_type(target, fallback_type);
	for (i = 0; i < missing_cnt; i++) {
		map = bpf_object__find_map_by_name(obj, missing[i]);
		if (map)
			bpf_map__set_autocreate(map, false);
	}
	bpf_program__set_log_level(target, level);
	bpf_program__set_log_buf(target, log_buf, sizeof(log_buf));
	lowest = before = free_kb();
	watching = true;
	pthread_create(&thread, NULL, watch, NULL);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	err = bpf_object__load(obj);
	clock_gettime(CLOCK_MONOTONIC, &end);
	watching = false;
	pthread_join(thread, NULL);
	usec = (end.tv_sec - begin.tv_sec) * 1000000 + (end.tv_nsec - begin.tv_nsec) / 1000;
	stats = last_processed();
	if (err && !log_buf[0] && missing_cnt > had) {
		bpf_object__close(obj);
		return -EAGAIN;
	}
	/* for its words; not of one that was given up after so long */
	if (err && log_buf[0] && level == LOG_STATS && number_after(stats, "processed ") < GIVEN_UP) {
		bpf_object__close(obj);
		return load(path, n, LOG_STATS | LOG_LEVEL1);
	}
	printf("@ %s %s %s %d %d %ld %ld %ld %ld %ld %d\n", name, bpf_program__name(target), bpf_program__section_name(target),
	       bpf_program__type(target), !err ? 0 : log_buf[0] ? -err : -1, number_after(stats, "processed "),
	       number_after(stats, "total_states "), number_after(stats, "peak_states "), usec, before - lowest, missing_cnt);
	if (err && !log_buf[0])
		snprintf(log_buf, sizeof(log_buf), "%s", notes);
	print_log();
	bpf_object__close(obj);
	return 0;
}

static void file(const char *path)
{
	struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	int n, err;

	setrlimit(RLIMIT_MEMLOCK, &all);
	alarm(SECONDS);
	libbpf_set_print(note);
	mlock(log_buf, sizeof(log_buf));	/* its pages are not to count as the kernel's */
	memset(log_buf, 1, sizeof(log_buf));
	for (n = 0;; n++) {
		do {
			err = load(path, n, LOG_STATS);
		} while (err == -EAGAIN);
		fflush(stdout);
		if (err)
			return;
	}
}

int main(int argc, char **argv)
{
	int i, status;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-t") && i + 1 < argc) {
			fallback_type = atoi(argv[++i]);
			continue;
		}
		fflush(stdout);
		if (!fork()) {
			file(argv[i]);
			fflush(stdout);
			_exit(0);
		}
		if (wait(&status) > 0 && status)
			printf("@ %s - - 0 -1 0 0 0 0 0 0\ndied with status %#x\n@end\n", argv[i], status);
	}
	printf("@whole\n");
	return 0;
}
