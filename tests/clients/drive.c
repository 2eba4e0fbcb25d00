// SPDX-License-Identifier: MIT
/*
 * Runs a tracing tool, makes activity once the tool waits for events, lets it take them in, interrupts it, and prints
 * what it said: `drive [-t SECONDS] [-l] TOOL ARGS... -- ACTIVITY ARGS...`. The tool runs with LD_PRELOAD=$DRIVE_PRELOAD
 * where that is set. With -l it is not interrupted: it ends by itself.
 *
 * That the tool is ready is read from the system call that it is in: a header is printed too early by some, and only
 * when a buffer is full by all.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FAILED 99

struct tool {
	pid_t pid;
	int out, err, syscall, status, ended;
};

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static void nap(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	nanosleep(&ts, NULL);
}

static void die(const char *what)
{
	fprintf(stderr, "drive: %s: %s\n", what, strerror(errno));
	exit(FAILED);
}

static int temp(void)
{
	char path[] = "/run/drive-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		die(path);
	unlink(path);
	return fd;
}

static int watch(pid_t pid)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		die(path);
	return fd;
}

static pid_t spawn(char **argv, int out, int err, const char *preload)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	if (!pid) {
		setpgid(0, 0);
		if (preload)
			setenv("LD_PRELOAD", preload, 1);
		unsetenv("DRIVE_PRELOAD");
		dup2(open("/dev/null", O_RDONLY), 0);
		dup2(out, 1);
		dup2(err, 2);
		execvp(argv[0], argv);
		fprintf(stderr, "%s: %s\n", argv[0], strerror(errno));
		_exit(127);
	}
	return pid;
}

static int ended(struct tool *tool)
{
	if (!tool->ended && waitpid(tool->pid, &tool->status, WNOHANG) == tool->pid)
		tool->ended = 1;
	return tool->ended;
}

/* Whether it waits for events or for its next report, and for nothing else. */
static int waits(struct tool *tool)
{
	static const long calls[] = { SYS_epoll_wait, SYS_epoll_pwait, SYS_nanosleep, SYS_clock_nanosleep, SYS_poll,
				      SYS_ppoll, SYS_select, SYS_pselect6, SYS_pause, SYS_rt_sigtimedwait };
	char text[64], *end;
	ssize_t len;
	unsigned int i;
	long nr;

	/* Opened once: opens are what some tools are to report. */
	len = pread(tool->syscall, text, sizeof(text) - 1, 0);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	nr = strtol(text, &end, 10);
	if (end == text)
		return 0;
	for (i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		if (nr == calls[i])
			return 1;
	}
	return 0;
}

/* Until it has been seen waiting `times` times in a row; 0 when it ended before. */
static int settle(struct tool *tool, int times, double until)
{
	int seen = 0;

	while (seen < times) {
		if (ended(tool))
			return 0;
		if (now() > until) {
			errno = ETIMEDOUT;
			return 0;
		}
		seen = waits(tool) ? seen + 1 : 0;
		nap(10);
	}
	return 1;
}

static void copy(const char *head, int fd)
{
	char buf[65536];
	ssize_t len;

	printf("%s\n", head);
	lseek(fd, 0, SEEK_SET);
	while ((len = read(fd, buf, sizeof(buf))) > 0)
		fwrite(buf, 1, (size_t)len, stdout);
	printf("\n");
}

int main(int argc, char **argv)
{
	int last = 0, opt, act_out, act_err, act_status = -1;
	double seconds = 60, until;
	struct tool tool = { 0 };
	char **activity;
	pid_t act;

	while ((opt = getopt(argc, argv, "+t:l")) != -1) {
		if (opt == 't')
			seconds = atof(optarg);
		else if (opt == 'l')
			last = 1;
		else
			return FAILED;
	}
	argv += optind;
	for (activity = argv; *activity && strcmp(*activity, "--"); activity++)
		;
	if (!*activity || activity == argv || !activity[1]) {
		fprintf(stderr, "usage: drive [-t SECONDS] [-l] TOOL ARGS... -- ACTIVITY ARGS...\n");
		return FAILED;
	}
	*activity++ = NULL;
	until = now() + seconds;
	tool.out = temp();
	tool.err = temp();
	tool.pid = spawn(argv, tool.out, tool.err, getenv("DRIVE_PRELOAD"));
	tool.syscall = watch(tool.pid);
	act_out = temp();
	act_err = temp();
	if (settle(&tool, 3, until)) {
		act = spawn(activity, act_out, act_err, NULL);
		while (waitpid(act, &act_status, WNOHANG) != act) {
			if (now() > until) {
				kill(-act, SIGKILL);
				waitpid(act, &act_status, 0);
				break;
			}
			nap(5);
		}
		settle(&tool, 12, until);
	}
	if (!last)
		kill(tool.pid, SIGINT);
	until = now() + (last || seconds > 90 ? seconds : 20);
	while (!ended(&tool) && now() < until)
		nap(5);
	if (!ended(&tool)) {
		fprintf(stderr, "drive: the tool did not end; killed\n");
		kill(-tool.pid, SIGKILL);
		waitpid(tool.pid, &tool.status, 0);
	}
	printf("=== tool status %d\n", WIFEXITED(tool.status) ? WEXITSTATUS(tool.status) : -WTERMSIG(tool.status));
	copy("=== stdout", tool.out);
	copy("=== stderr", tool.err);
	printf("=== activity status %d\n", WIFEXITED(act_status) ? WEXITSTATUS(act_status) : -1);
	copy("=== stdout", act_out);
	copy("=== stderr", act_err);
	printf("=== end\n");
	return 0;
}
