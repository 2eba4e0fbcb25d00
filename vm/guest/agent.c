// SPDX-License-Identifier: MIT
/*
 * First process of a test machine: loads the drivers that the root needs, moves to the host's root over 9p, then
 * runs commands that the host sends over a virtio-serial port, and streams their output and status back.
 *
 * It is one static binary so that a machine under emulation starts in seconds. It stays free of seccomp filters
 * itself, because a filter can't be taken back: each command gets its own, or none.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define PORT_NAME "vm.agent"
#define MAX_FRAME (1 << 20)
#define MAX_JOBS 256
#define LAST_READS 64 /* more than the largest pipe holds */

/* Every message, in both directions: this header, then len bytes. The byte order is the machine's (x86). */
struct frame {
	uint32_t len;
	uint32_t id;
	uint32_t type;
};

enum {
	EXEC_DENY_BPF = 1,
	EXEC_TTY = 2,
};

/* Payload of an 'X' frame, followed by cwd, argv and envp as strings that end with NUL. */
struct exec_head {
	uint32_t flags;
	uint32_t argc;
	uint32_t envc;
};

struct job {
	uint32_t id;
	pid_t pid;
	int out, err, in;
	char *queue;
	size_t queued;
	int in_eof;
};

static struct job jobs[MAX_JOBS];
static int port = -1;
static int wake[2];
static char kept_repo[4096];
static char *kernel_config;
static size_t kernel_config_size;

static void say(const char *what, const char *about)
{
	fprintf(stderr, "vm-agent: %s %s: %s\n", what, about, strerror(errno));
}

static void halt(void)
{
	sync();
	reboot(RB_AUTOBOOT);
	for (;;)
		pause();
}

static void die(const char *what, const char *about)
{
	say(what, about);
	halt();
}

static int read_whole(const char *path, char **data, size_t *size)
{
	size_t room = 1 << 16, n = 0;
	char *buf = malloc(room);
	ssize_t got;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || !buf)
		return -1;
	while ((got = read(fd, buf + n, room - n)) > 0) {
		n += got;
		if (n == room)
			buf = realloc(buf, room *= 2);
		if (!buf)
			return -1;
	}
	close(fd);
	if (got < 0)
		return -1;
	*data = buf;
	*size = n;
	return 0;
}

/* Reads the file into anonymous memory first: loading straight from a 9p mount oopses on 3.10. */
static int insmod(const char *path, const char *params)
{
	char *image;
	size_t size;

	if (read_whole(path, &image, &size))
		return -1;
	if (syscall(SYS_init_module, image, size, params) && errno != EEXIST) {
		free(image);
		return -1;
	}
	free(image);
	return 0;
}

static void load_boot_modules(void)
{
	char *list, *line, *save = NULL;
	size_t size;

	if (read_whole("/modules/order", &list, &size))
		return;
	list = realloc(list, size + 1);
	list[size] = 0;
	for (line = strtok_r(list, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		char path[512];

		snprintf(path, sizeof(path), "/modules/%s", line);
		if (insmod(path, ""))
			say("cannot load", path);
	}
}

static int try_mount(const char *src, const char *dir, const char *type, unsigned long flags, const char *opts)
{
	struct stat st;

	if (stat(dir, &st))
		return -1;
	return mount(src, dir, type, flags, opts);
}

/* Controllers as systemd mounts them on the old distributions: some share a hierarchy. */
static void mount_cgroup_v1(void)
{
	static const char *const together[] = { "cpu,cpuacct", "net_cls,net_prio", NULL };
	char name[64], dir[128], line[256];
	FILE *f;
	int i;

	if (try_mount("tmpfs", "/sys/fs/cgroup", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755"))
		return;
	mkdir("/sys/fs/cgroup/systemd", 0755);
	mount("cgroup", "/sys/fs/cgroup/systemd", "cgroup", 0, "none,name=systemd");
	for (i = 0; together[i]; i++) {
		snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s", together[i]);
		mkdir(dir, 0755);
		if (mount("cgroup", dir, "cgroup", 0, together[i]))
			rmdir(dir);
	}
	f = fopen("/proc/cgroups", "re");
	while (f && fgets(line, sizeof(line), f)) {
		int hierarchy, count, enabled;

		if (sscanf(line, "%63s %d %d %d", name, &hierarchy, &count, &enabled) != 4 || !enabled || hierarchy)
			continue;
		snprintf(dir, sizeof(dir), "/sys/fs/cgroup/%s", name);
		mkdir(dir, 0755);
		if (mount("cgroup", dir, "cgroup", 0, name))
			rmdir(dir);
	}
	if (f)
		fclose(f);
}

static void make_dirs(const char *path)
{
	char buf[4096], *p;

	snprintf(buf, sizeof(buf), "%s", path);
	for (p = buf + 1; (p = strchr(p, '/')); p++) {
		*p = 0;
		mkdir(buf, 0755);
		*p = '/';
	}
	mkdir(buf, 0755);
}

/* A private tmpfs hides what the host has below it; a repository that lies there must stay visible. */
static void private_tmpfs(const char *dir, const char *opts)
{
	size_t n = strlen(dir);
	char from[64];
	int repo = -1;

	if (!strncmp(kept_repo, dir, n) && kept_repo[n] == '/')
		repo = open(kept_repo, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (try_mount("tmpfs", dir, "tmpfs", MS_NOSUID | MS_NODEV, opts))
		say("cannot mount tmpfs on", dir);
	if (repo < 0)
		return;
	make_dirs(kept_repo);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", repo);
	if (mount(from, kept_repo, NULL, MS_BIND | MS_REC, NULL))
		say("cannot bind", kept_repo);
	close(repo);
}

static void read_config(char *mount_opts, size_t room)
{
	char line[4096];
	FILE *f = fopen("/vm.conf", "re");

	while (f && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = 0;
		if (!strncmp(line, "repo=", 5))
			strcpy(kept_repo, line + 5);
		else if (!strncmp(line, "mount=", 6))
			snprintf(mount_opts, room, "%.*s", (int)room - 1, line + 6);
	}
	if (f)
		fclose(f);
}

static void move_to_root(void)
{
	static const char *const moved[] = { "/dev", "/proc", "/sys" };
	char opts[256] = "trans=virtio,version=9p2000.L";
	char to[64];
	unsigned int i;
	int tries;

	mount("devtmpfs", "/dev", "devtmpfs", MS_NOSUID, "mode=755");
	mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	mount("sysfs", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL);
	if (access("/dev/console", F_OK))
		mknod("/dev/console", S_IFCHR | 0600, makedev(5, 1));
	i = open("/dev/console", O_RDWR);
	dup2(i, 0);
	dup2(i, 1);
	dup2(i, 2);
	if (i > 2)
		close(i);

	read_config(opts, sizeof(opts));
	if (read_whole("/config", &kernel_config, &kernel_config_size))
		say("cannot read", "the kernel's configuration");
	load_boot_modules();
	for (tries = 0; mount("root", "/root", "9p", MS_RDONLY, opts); tries++) {
		if (tries == 50)
			die("cannot mount", "the host's root over 9p");
		usleep(100000);
	}
	for (i = 0; i < 3; i++) {
		snprintf(to, sizeof(to), "/root%s", moved[i]);
		if (mount(moved[i], to, NULL, MS_MOVE, NULL))
			die("cannot move", moved[i]);
	}
	if (chdir("/root") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		die("cannot switch to", "the host's root");
}

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo" };
	int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	req.ifr_flags = IFF_UP | IFF_RUNNING;
	if (s < 0 || ioctl(s, SIOCSIFFLAGS, &req))
		say("cannot bring up", "lo");
	close(s);
}

/* Where distributions have it, and libbpf and bpftool look: a tree's lies beside the tree alone, and /boot here would be the host's. */
static void put_kernel_config(void)
{
	struct utsname name;
	char path[128];
	int fd;

	private_tmpfs("/boot", "mode=755");
	uname(&name);
	snprintf(path, sizeof(path), "/boot/config-%s", name.release);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0 || write(fd, kernel_config, kernel_config_size) != (ssize_t)kernel_config_size)
		say("cannot write", path);
	close(fd);
	free(kernel_config);
}

/* What a normal system has mounted; a kernel without one of them is no fault. */
static void mount_usual(void)
{
	private_tmpfs("/tmp", "mode=1777");
	private_tmpfs("/run", "mode=755");
	private_tmpfs("/var/tmp", "mode=1777");
	put_kernel_config();
	mkdir("/run/lock", 01777);
	mkdir("/run/vm", 0755);
	mkdir("/dev/pts", 0755);
	mkdir("/dev/shm", 01777);
	mkdir("/dev/mqueue", 01777);
	mount("devpts", "/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620");
	mount("tmpfs", "/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777");
	mount("mqueue", "/dev/mqueue", "mqueue", 0, NULL);
	symlink("/proc/self/fd", "/dev/fd");
	symlink("/proc/self/fd/0", "/dev/stdin");
	symlink("/proc/self/fd/1", "/dev/stdout");
	symlink("/proc/self/fd/2", "/dev/stderr");
	try_mount("debugfs", "/sys/kernel/debug", "debugfs", 0, NULL);
	try_mount("tracefs", "/sys/kernel/tracing", "tracefs", 0, NULL);
	try_mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
	try_mount("bpf", "/sys/fs/bpf", "bpf", 0, "mode=700");
	if (try_mount("cgroup2", "/sys/fs/cgroup", "cgroup2", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		mount_cgroup_v1();
	if (sethostname("vm", 2))
		say("cannot set", "the host name");
	loopback_up();
}

static int find_port(void)
{
	char path[300], name[64];
	struct dirent *e;
	DIR *d;
	int tries;

	for (tries = 0; tries < 100; tries++, usleep(50000)) {
		d = opendir("/sys/class/virtio-ports");
		while (d && (e = readdir(d))) {
			FILE *f;

			if (e->d_name[0] == '.')
				continue;
			snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", e->d_name);
			f = fopen(path, "re");
			if (!f || !fgets(name, sizeof(name), f))
				name[0] = 0;
			if (f)
				fclose(f);
			name[strcspn(name, "\n")] = 0;
			if (strcmp(name, PORT_NAME))
				continue;
			snprintf(path, sizeof(path), "/dev/%s", e->d_name);
			closedir(d);
			return open(path, O_RDWR | O_CLOEXEC);
		}
		if (d)
			closedir(d);
	}
	return -1;
}

static void write_all(int fd, const void *data, size_t n)
{
	const char *p = data;

	while (n) {
		ssize_t put = write(fd, p, n);

		if (put < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (put <= 0)
			halt();
		p += put;
		n -= put;
	}
}

static void send_frame(uint32_t id, uint32_t type, const void *data, uint32_t len)
{
	struct frame h = { len, id, type };
	static char buf[sizeof(h) + 65536];

	/* One write where it fits: each one costs an exit to the emulator. */
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + sizeof(h), data, len);
	write_all(port, buf, sizeof(h) + len);
}

/*
 * SECCOMP_RET_TRACE without a tracer is ENOSYS, as on a kernel without bpf(2), and a tracer can still answer; a filter
 * that returned the errno would outrank it.
 */
static int deny_bpf(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xbfffffff),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 321, 3, 2),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 357, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	if (!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog))
		return 0;
	/* Without seccomp there is nothing to deny where the call does not exist. */
	if (syscall(321, 0, NULL, 0) == -1 && errno == ENOSYS)
		return 0;
	errno = EINVAL;
	return -1;
}

static int builtin(int argc, char **argv)
{
	char buf[65536];
	ssize_t n;
	int fd;

	if (!strcmp(argv[0], "@insmod") && argc >= 2) {
		char params[4096] = "";
		int i;

		for (i = 2; i < argc; i++) {
			strncat(params, argv[i], sizeof(params) - strlen(params) - 2);
			strcat(params, " ");
		}
		if (!insmod(argv[1], params))
			return 0;
		say("cannot load", argv[1]);
		return 1;
	}
	if (!strcmp(argv[0], "@rmmod") && argc == 2) {
		if (!syscall(SYS_delete_module, argv[1], O_NONBLOCK))
			return 0;
		say("cannot unload", argv[1]);
		return 1;
	}
	if (!strcmp(argv[0], "@put") && argc == 3) {
		fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);
		if (fd < 0 || fchmod(fd, strtoul(argv[2], NULL, 8))) {
			say("cannot write", argv[1]);
			return 1;
		}
		while ((n = read(0, buf, sizeof(buf))) > 0)
			write_all(fd, buf, n);
		return n != 0;
	}
	if (!strcmp(argv[0], "@dmesg")) {
		int size = klogctl(10, NULL, 0);
		char *log = malloc(size > 0 ? size : 1);

		size = log ? klogctl(3, log, size) : -1;
		if (size < 0)
			return 1;
		write_all(1, log, size);
		return 0;
	}
	errno = EINVAL;
	say("unknown request", argv[0]);
	return 127;
}

static void child(const struct exec_head *h, const char *cwd, char **argv, char **envp)
{
	sigset_t none;
	int code, fd;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
	if (argv[0][0] == '@') {
		/* Nothing is executed, so close-on-exec does not close the writing end of our own input. */
		for (fd = 3; fd < 1024; fd++)
			close(fd);
		exit(builtin(h->argc, argv));
	}
	if (chdir(cwd)) {
		say("cannot enter", cwd);
		_exit(126);
	}
	if ((h->flags & EXEC_DENY_BPF) && deny_bpf()) {
		say("cannot filter", "bpf(2)");
		_exit(126);
	}
	environ = envp;
	execvp(argv[0], argv);
	code = errno == ENOENT ? 127 : 126;
	say("cannot run", argv[0]);
	_exit(code);
}

static void start_job(uint32_t id, char *data, uint32_t len)
{
	struct exec_head h;
	char *p = data + sizeof(h), *end = data + len, *cwd, **argv, **envp;
	int in[2] = { -1, -1 }, out[2] = { -1, -1 }, err[2] = { -1, -1 };
	int status = 126 << 8;
	struct job *j = NULL;
	uint32_t i;
	pid_t pid;

	for (i = 0; i < MAX_JOBS && !j; i++)
		if (!jobs[i].pid)
			j = &jobs[i];
	memcpy(&h, data, sizeof(h));
	argv = calloc(h.argc + 1, sizeof(*argv));
	envp = calloc(h.envc + 1, sizeof(*envp));
	if (!j || !argv || !envp || end[-1])
		goto fail;
	cwd = p;
	p += strlen(p) + 1;
	for (i = 0; i < h.argc + h.envc && p < end; i++, p += strlen(p) + 1)
		*(i < h.argc ? &argv[i] : &envp[i - h.argc]) = p;
	if (i < h.argc + h.envc || !h.argc)
		goto fail;

	if (h.flags & EXEC_TTY) {
		int unlock = 0, n = 0;
		char name[32];

		out[0] = open("/dev/pts/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (out[0] < 0)
			out[0] = open("/dev/ptmx", O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (out[0] < 0 || ioctl(out[0], TIOCSPTLCK, &unlock) || ioctl(out[0], TIOCGPTN, &n))
			goto fail;
		snprintf(name, sizeof(name), "/dev/pts/%d", n);
		out[1] = open(name, O_RDWR | O_CLOEXEC | O_NOCTTY);
		if (out[1] < 0)
			goto fail;
		in[0] = out[1];
		err[1] = out[1];
		in[1] = fcntl(out[0], F_DUPFD_CLOEXEC, 3);
	} else if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC)) {
		goto fail;
	}
	fflush(NULL);
	pid = fork();
	if (!pid) {
		setsid();
		if (h.flags & EXEC_TTY)
			ioctl(in[0], TIOCSCTTY, 0);
		dup2(in[0], 0);
		dup2(out[1], 1);
		dup2(err[1], 2);
		child(&h, cwd, argv, envp);
	}
	close(in[0]);
	if (!(h.flags & EXEC_TTY)) {
		close(out[1]);
		close(err[1]);
		fcntl(err[0], F_SETFL, O_NONBLOCK);
	}
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	*j = (struct job){ .id = id, .pid = pid, .in = in[1], .out = out[0], .err = err[0] };
	free(argv);
	free(envp);
	return;
fail:
	say("cannot start", "a command");
	free(argv);
	free(envp);
	send_frame(id, 'x', &status, sizeof(status));
}

static struct job *find_job(uint32_t id)
{
	int i;

	for (i = 0; i < MAX_JOBS; i++)
		if (jobs[i].pid && jobs[i].id == id)
			return &jobs[i];
	return NULL;
}

/* Sends what the job has written, up to a limit, so that no writer starves the rest; closes the pipe at its end. */
static void drain(struct job *j, int *fd, uint32_t type, int reads)
{
	char buf[32768];
	ssize_t n;

	while (*fd >= 0 && (n = reads-- ? read(*fd, buf, sizeof(buf)) : -2) != 0) {
		if (n == -2 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
			return;
		if (n < 0)
			break;
		send_frame(j->id, type, buf, n);
	}
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void feed(struct job *j)
{
	while (j->queued && j->in >= 0) {
		ssize_t n = write(j->in, j->queue, j->queued);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			j->in_eof = 1;
			j->queued = 0;
			break;
		}
		memmove(j->queue, j->queue + n, j->queued - n);
		j->queued -= n;
	}
	if (j->in_eof && j->in >= 0) {
		close(j->in);
		j->in = -1;
	}
}

static void reap(void)
{
	int status, i;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < MAX_JOBS; i++) {
			struct job *j = &jobs[i];

			if (j->pid != pid)
				continue;
			drain(j, &j->out, 'o', LAST_READS);
			drain(j, &j->err, 'e', LAST_READS);
			if (j->out >= 0)
				close(j->out);
			if (j->err >= 0)
				close(j->err);
			if (j->in >= 0)
				close(j->in);
			free(j->queue);
			send_frame(j->id, 'x', &status, sizeof(status));
			memset(j, 0, sizeof(*j));
		}
	}
}

static void handle(const struct frame *h, char *data)
{
	struct job *j = find_job(h->id);
	int32_t sig;

	switch (h->type) {
	case 'X':
		if (h->len > sizeof(struct exec_head))
			start_job(h->id, data, h->len);
		break;
	case 'I':
		if (!j || j->in < 0)
			break;
		if (!h->len)
			j->in_eof = 1;
		j->queue = realloc(j->queue, j->queued + h->len + 1);
		memcpy(j->queue + j->queued, data, h->len);
		j->queued += h->len;
		feed(j);
		break;
	case 'K':
		memcpy(&sig, data, sizeof(sig));
		if (j && kill(-j->pid, sig))
			kill(j->pid, sig);
		break;
	case 'W':
		if (j && h->len == sizeof(struct winsize))
			ioctl(j->in, TIOCSWINSZ, data);
		break;
	case 'Q':
		halt();
	}
}

static void read_port(void)
{
	static char buf[sizeof(struct frame) + MAX_FRAME + 1];
	static size_t have;
	struct frame h;
	size_t at = 0;
	ssize_t n = read(port, buf + have, sizeof(buf) - 1 - have);

	if (n <= 0) {
		/* The host's end is closed, or was never opened. */
		usleep(50000);
		return;
	}
	have += n;
	while (have - at >= sizeof(h)) {
		memcpy(&h, buf + at, sizeof(h));
		if (h.len > MAX_FRAME)
			halt();
		if (have - at < sizeof(h) + h.len)
			break;
		handle(&h, buf + at + sizeof(h));
		at += sizeof(h) + h.len;
	}
	memmove(buf, buf + at, have - at);
	have -= at;
}

static void on_child(int sig)
{
	(void)sig;
	(void)!write(wake[1], "", 1);
}

static void serve(void)
{
	struct pollfd p[2 + 3 * MAX_JOBS];
	char scrap[64];
	int i, n;

	for (;;) {
		n = 0;
		p[n++] = (struct pollfd){ port, POLLIN, 0 };
		p[n++] = (struct pollfd){ wake[0], POLLIN, 0 };
		for (i = 0; i < MAX_JOBS; i++) {
			struct job *j = &jobs[i];

			if (!j->pid)
				continue;
			if (j->out >= 0)
				p[n++] = (struct pollfd){ j->out, POLLIN, 0 };
			if (j->err >= 0)
				p[n++] = (struct pollfd){ j->err, POLLIN, 0 };
			if (j->in >= 0 && j->queued)
				p[n++] = (struct pollfd){ j->in, POLLOUT, 0 };
		}
		if (poll(p, n, -1) < 0 && errno != EINTR)
			die("cannot", "poll");
		if (p[0].revents)
			read_port();
		for (i = 0; i < MAX_JOBS; i++) {
			struct job *j = &jobs[i];

			if (!j->pid)
				continue;
			drain(j, &j->out, 'o', 2);
			drain(j, &j->err, 'e', 2);
			feed(j);
		}
		if (p[1].revents & POLLIN) {
			(void)!read(wake[0], scrap, sizeof(scrap));
			reap();
		}
	}
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_child, .sa_flags = SA_RESTART | SA_NOCLDSTOP };

	if (getpid() != 1) {
		fprintf(stderr, "vm-agent: runs only as the first process of a machine\n");
		return 1;
	}
	umask(022);
	move_to_root();
	mount_usual();
	signal(SIGPIPE, SIG_IGN);
	if (pipe2(wake, O_CLOEXEC | O_NONBLOCK))
		die("cannot make", "a pipe");
	sigaction(SIGCHLD, &sa, NULL);
	port = find_port();
	if (port < 0)
		die("cannot open", "port " PORT_NAME);
	klogctl(8, NULL, 8);
	send_frame(0, 'r', "", 0);
	serve();
	return 0;
}
