// SPDX-License-Identifier: MIT
/*
 * Makes the activity that tracing tools are to report: `act KIND COMM ARGS...`, under the name COMM. What only it can
 * know (process ids, descriptors) it prints as lines of key=value. Any failure ends it with status 1.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "act: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long must(long ret, const char *what)
{
	if (ret < 0)
		die(what);
	return ret;
}

static void nap(int ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000L };

	/* By the call that tools look for: libc's function makes another. */
	syscall(SYS_nanosleep, &ts, NULL);
}

static void reap(pid_t pid)
{
	must(waitpid(pid, NULL, 0), "waitpid");
}

static pid_t child(void)
{
	fflush(stdout);
	return (pid_t)must(fork(), "fork");
}

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo" };
	int fd = (int)must(socket(AF_INET, SOCK_DGRAM, 0), "socket");

	must(ioctl(fd, SIOCGIFFLAGS, &req), "SIOCGIFFLAGS");
	if (!(req.ifr_flags & IFF_UP)) {
		req.ifr_flags |= IFF_UP;
		must(ioctl(fd, SIOCSIFFLAGS, &req), "SIOCSIFFLAGS");
	}
	close(fd);
}

static struct sockaddr_in local(const char *port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((unsigned short)atoi(port)) };

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return addr;
}

/* exec COMM PATH ARG...: runs PATH (a link to this program), then tries PATH.missing. */
static void do_exec(char **arg)
{
	char missing[256];
	pid_t pid;

	snprintf(missing, sizeof(missing), "%s.missing", arg[0]);
	must(symlink("/proc/self/exe", arg[0]), arg[0]);
	pid = child();
	if (!pid) {
		setenv("ACT_QUIET", "1", 1);
		execv(arg[0], arg);
		_exit(1);
	}
	reap(pid);
	printf("child=%d\n", pid);
	pid = child();
	if (!pid) {
		execl(missing, missing, arg[1], NULL);
		_exit(0);
	}
	reap(pid);
	printf("failed=%d\n", pid);
	unlink(arg[0]);
}

/* open COMM PATH MISSING */
static void do_open(char **arg)
{
	int fd = (int)must(open(arg[0], O_RDWR | O_CREAT, 0600), arg[0]);

	printf("fd=%d\n", fd);
	if (open(arg[1], O_RDONLY) >= 0 || errno != ENOENT)
		die(arg[1]);
	close(fd);
	unlink(arg[0]);
}

/* exit COMM CODE SIGNAL: the second child lives for 300 ms. */
static void do_exit(char **arg)
{
	pid_t pid = child();

	if (!pid)
		_exit(atoi(arg[0]));
	reap(pid);
	printf("exited=%d\n", pid);
	pid = child();
	if (!pid) {
		for (;;)
			pause();
	}
	nap(300);
	kill(pid, atoi(arg[1]));
	reap(pid);
	printf("killed=%d\n", pid);
}

/* stat COMM PATH MISSING: by the system call that bears the name. */
static void do_stat(char **arg)
{
	char buf[512];

	must(syscall(SYS_stat, arg[0], buf), arg[0]);
	if (syscall(SYS_stat, arg[1], buf) >= 0 || errno != ENOENT)
		die(arg[1]);
}

/* mount COMM SOURCE DIR */
static void do_mount(char **arg)
{
	must(mkdir(arg[1], 0700), arg[1]);
	must(mount(arg[0], arg[1], "tmpfs", MS_NOSUID | MS_NODEV, "size=64k"), "mount");
	must(umount(arg[1]), "umount");
	rmdir(arg[1]);
}

/* syscall COMM NUMBER COUNT */
static void do_syscall(char **arg)
{
	long nr = atol(arg[0]), count = atol(arg[1]);

	while (count--)
		syscall(nr, -1L, -1L, -1L, -1L, -1L, -1L);
}

/* signal COMM NUMBER: sent to a child that ignores it. */
static void do_signal(char **arg)
{
	int fds[2], sig = atoi(arg[0]);
	pid_t pid;
	char c;

	must(pipe(fds), "pipe");
	pid = child();
	if (!pid) {
		signal(sig, SIG_IGN);
		close(fds[1]);
		must(read(fds[0], &c, 1), "read");
		_exit(0);
	}
	nap(50);
	must(kill(pid, sig), "kill");
	close(fds[1]);
	reap(pid);
	printf("target=%d\n", pid);
}

/* bind COMM PORT */
static void do_bind(char **arg)
{
	struct sockaddr_in addr = local(arg[0]);
	int fd = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1;

	loopback_up();
	must(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "setsockopt");
	must(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), "bind");
}

/* connect COMM PORT */
static void do_connect(char **arg)
{
	struct sockaddr_in addr = local(arg[0]);
	int server = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");
	int client = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	loopback_up();
	must(bind(server, (struct sockaddr *)&addr, sizeof(addr)), "bind");
	must(listen(server, 1), "listen");
	must(connect(client, (struct sockaddr *)&addr, sizeof(addr)), "connect");
}

static void must_send(int from, int to, const char *text)
{
	char buf[64];

	must(write(from, text, strlen(text)), "write");
	must(read(to, buf, sizeof(buf)), "read");
}

/* serve COMM PORT: a connection that is taken, used and ended by the one who asked for it; and a pair of UNIX sockets. */
static void do_serve(char **arg)
{
	struct sockaddr_in addr = local(arg[0]);
	int server = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket"), one = 1, taken, pair[2];
	int client = (int)must(socket(AF_INET, SOCK_STREAM, 0), "socket");

	loopback_up();
	must(setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "setsockopt");
	must(bind(server, (struct sockaddr *)&addr, sizeof(addr)), "bind");
	must(listen(server, 5), "listen");
	must(connect(client, (struct sockaddr *)&addr, sizeof(addr)), "connect");
	taken = (int)must(accept(server, NULL, NULL), "accept");
	must_send(client, taken, "question");
	must_send(taken, client, "answer");
	close(client);
	close(taken);
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), "socketpair");
	must_send(pair[0], pair[1], arg[1]);
}

/* setuid COMM UID */
static void do_setuid(char **arg)
{
	must(setresuid(0, (uid_t)atoi(arg[0]), 0), "setresuid");
	must(setresuid(0, 0, 0), "setresuid");
}

/* sync COMM PATH: each way of it. */
static void do_sync(char **arg)
{
	int fd = (int)must(open(arg[0], O_RDWR | O_CREAT, 0600), arg[0]);

	must(write(fd, arg[0], 1), "write");
	must(fsync(fd), "fsync");
	must(fdatasync(fd), "fdatasync");
	must(syncfs(fd), "syncfs");
	sync();
	unlink(arg[0]);
}

/* A new address can't be bound to as long as it is tentative. A try would be seen by the tool. */
static void wait_for_inet6(const struct in6_addr *wanted)
{
	struct in6_addr addr;
	unsigned int flags;
	char line[128];
	FILE *list;
	int i, k;

	for (i = 0; i < 300; i++) {
		list = fopen("/proc/net/if_inet6", "r");
		while (list && fgets(line, sizeof(line), list)) {
			for (k = 0; k < 16; k++)
				sscanf(line + 2 * k, "%2hhx", &addr.s6_addr[k]);
			if (!memcmp(&addr, wanted, sizeof(addr)) && sscanf(line + 32, " %*x %*x %*x %x", &flags) == 1 && !(flags & 0x40)) {
				fclose(list);
				return;
			}
		}
		if (list)
			fclose(list);
		usleep(10000);
	}
}

/* inet6 COMM ADDRESS PORT: gives the loopback device the address, binds a UDP socket to it, and connects there by TCP. */
static void do_inet6(char **arg)
{
	struct {
		struct in6_addr addr;
		unsigned int prefix;
		int index;
	} req = { .prefix = 128, .index = 1 };
	struct sockaddr_in6 addr = { .sin6_family = AF_INET6, .sin6_port = htons((unsigned short)atoi(arg[1])) };
	int datagram = (int)must(socket(AF_INET6, SOCK_DGRAM, 0), "socket");
	int server = (int)must(socket(AF_INET6, SOCK_STREAM, 0), "socket");
	int client = (int)must(socket(AF_INET6, SOCK_STREAM, 0), "socket"), one = 1;

	loopback_up();
	if (inet_pton(AF_INET6, arg[0], &req.addr) != 1)
		die(arg[0]);
	/* a comparison makes the same activity twice in one machine */
	if (ioctl(datagram, SIOCSIFADDR, &req) && errno != EEXIST)
		die("SIOCSIFADDR");
	wait_for_inet6(&req.addr);
	addr.sin6_addr = req.addr;
	must(setsockopt(datagram, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)), "setsockopt");
	must(bind(datagram, (struct sockaddr *)&addr, sizeof(addr)), "bind");
	must(bind(server, (struct sockaddr *)&addr, sizeof(addr)), "bind");
	must(listen(server, 1), "listen");
	must(connect(client, (struct sockaddr *)&addr, sizeof(addr)), "connect");
}

/* vfs COMM DIR CREATES FSYNCS OPENS */
static void do_vfs(char **arg)
{
	long creates = atol(arg[1]), fsyncs = atol(arg[2]), opens = atol(arg[3]), i;
	char path[256];
	int fd;

	snprintf(path, sizeof(path), "%s/vfs-activity", arg[0]);
	for (i = 0; i < creates; i++) {
		must(mknod(path, S_IFREG | 0600, 0), path);
		must(unlink(path), path);
	}
	fd = (int)must(open(path, O_RDWR | O_CREAT, 0600), path);
	for (i = 0; i < fsyncs; i++)
		must(fsync(fd), "fsync");
	for (i = 0; i < opens; i++)
		close((int)must(open(path, O_RDONLY), path));
	unlink(path);
}

/* cache COMM PATH PAGES TIMES: makes the pages, reads them so often. */
static void do_cache(char **arg)
{
	long pages = atol(arg[1]), times = atol(arg[2]), i;
	int fd = (int)must(open(arg[0], O_RDWR | O_CREAT, 0600), arg[0]);
	static char buf[4096];

	for (i = 0; i < pages; i++)
		must(pwrite(fd, buf, sizeof(buf), i * (long)sizeof(buf)), "pwrite");
	while (times--) {
		for (i = 0; i < pages; i++)
			must(pread(fd, buf, sizeof(buf), i * (long)sizeof(buf)), "pread");
	}
	unlink(arg[0]);
}

/* statfs COMM PATH COUNT */
static void do_statfs(char **arg)
{
	struct statfs buf;
	long i;

	for (i = atol(arg[1]); i > 0; i--)
		must(statfs(arg[0], &buf), arg[0]);
}

/* sleep COMM MILLISECONDS COUNT: tells how often it was switched away from since it was forked. */
static void do_sleep(char **arg)
{
	struct rusage usage;
	long i;

	for (i = atol(arg[1]); i > 0; i--)
		nap(atoi(arg[0]));
	getrusage(RUSAGE_SELF, &usage);
	printf("switches=%ld\n", usage.ru_nvcsw + usage.ru_nivcsw);
}

/* select COMM MILLISECONDS COUNT */
static void do_select(char **arg)
{
	long i;

	for (i = atol(arg[1]); i > 0; i--) {
		struct timeval tv = { atoi(arg[0]) / 1000, atoi(arg[0]) % 1000 * 1000 };

		must(select(0, NULL, NULL, NULL, &tv), "select");
	}
}

/* file COMM PATH WRITES READS: of 2 KiB and 1 KiB. */
static void do_file(char **arg)
{
	long writes = atol(arg[1]), reads = atol(arg[2]), i;
	int fd = (int)must(open(arg[0], O_RDWR | O_CREAT, 0600), arg[0]);
	static char buf[2048];

	for (i = 0; i < writes; i++)
		must(pwrite(fd, buf, 2048, 0), "pwrite");
	for (i = 0; i < reads; i++)
		must(pread(fd, buf, 1024, 0), "pread");
	printf("pid=%d\n", getpid());
	unlink(arg[0]);
}

/* fork COMM COUNT */
static void do_fork(char **arg)
{
	long i;
	pid_t pid;

	for (i = atol(arg[0]); i > 0; i--) {
		pid = child();
		if (!pid)
			_exit(0);
		reap(pid);
	}
}

/* udp COMM COUNT: datagrams over the loopback device, one at a time. */
static void do_udp(char **arg)
{
	struct sockaddr_in addr = local("0");
	socklen_t len = sizeof(addr);
	int fd = (int)must(socket(AF_INET, SOCK_DGRAM, 0), "socket");
	char c = 0;
	long i;

	loopback_up();
	must(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), "bind");
	must(getsockname(fd, (struct sockaddr *)&addr, &len), "getsockname");
	for (i = atol(arg[0]); i > 0; i--) {
		must(sendto(fd, &c, 1, 0, (struct sockaddr *)&addr, sizeof(addr)), "sendto");
		must(recv(fd, &c, 1, 0), "recv");
	}
}

/* disk COMM DEVICE READS: past the page cache, one at a time. */
static void do_disk(char **arg)
{
	int fd = (int)must(open(arg[0], O_RDONLY | O_DIRECT), arg[0]);
	void *buf;
	long i;

	if (posix_memalign(&buf, 4096, 4096))
		die("memory");
	for (i = 0; i < atol(arg[1]); i++)
		must(pread(fd, buf, 4096, i % 1024 * 4096), "pread");
}

/* mkdir COMM DIR COUNT */
static void do_mkdir(char **arg)
{
	long i;

	for (i = atol(arg[1]); i > 0; i--) {
		must(mkdir(arg[0], 0700), arg[0]);
		must(rmdir(arg[0]), arg[0]);
	}
}

static void do_none(char **arg)
{
	(void)arg;
}

static const struct {
	const char *name;
	int args;
	void (*run)(char **arg);
} kinds[] = {
	{ "exec", 2, do_exec }, { "open", 2, do_open },	      { "exit", 2, do_exit },	  { "stat", 2, do_stat },
	{ "mount", 2, do_mount }, { "syscall", 2, do_syscall }, { "signal", 1, do_signal }, { "bind", 1, do_bind },
	{ "connect", 1, do_connect }, { "vfs", 4, do_vfs },   { "cache", 3, do_cache },   { "statfs", 2, do_statfs },
	{ "sleep", 2, do_sleep }, { "file", 3, do_file },     { "fork", 1, do_fork },	  { "udp", 1, do_udp },
	{ "disk", 2, do_disk },	  { "select", 2, do_select }, { "inet6", 2, do_inet6 }, { "mkdir", 2, do_mkdir },
	{ "serve", 2, do_serve }, { "setuid", 1, do_setuid }, { "sync", 1, do_sync },	  { "none", 0, do_none },
};

int main(int argc, char **argv)
{
	unsigned int i;

	if (getenv("ACT_QUIET"))
		return 0;
	for (i = 0; argc >= 3 && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].name) || argc - 3 < kinds[i].args)
			continue;
		must(prctl(PR_SET_NAME, argv[2], 0, 0, 0), "prctl");
		printf("self=%d\n", getpid());
		kinds[i].run(argv + 3);
		return 0;
	}
	fprintf(stderr, "usage: act KIND COMM ARGS...\n");
	return 1;
}
