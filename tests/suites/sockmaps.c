// SPDX-License-Identifier: MIT
/*
 * Runs the programs of the kernel's selftests on maps of sockets, with libbpf: bpf_iter_sockmap, which copies a map by an iterator, and
 * test_sockmap_update, which copies a socket. Usage: sockmaps DIRECTORY-OF-OBJECTS. Prints a line for each run.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST 64

static const char *directory;

static void need(bool good, const char *what)
{
	if (good)
		return;
	printf("%s: %s\n", what, strerror(errno));
	exit(1);
}

static struct bpf_object *load(const char *name)
{
	struct bpf_object *object;
	char path[4096];

	snprintf(path, sizeof(path), "%s/%s.bpf.o", directory, name);
	object = bpf_object__open_file(path, NULL);
	need(object, path);
	need(!bpf_object__load(object), "load");
	return object;
}

static int map_of(struct bpf_object *object, const char *name)
{
	int fd = bpf_object__find_map_fd_by_name(object, name);

	need(fd >= 0, name);
	return fd;
}

/* A connection to a listener of this process, which does not accept it. */
static long long connection(void)
{
	static struct sockaddr_in to = { .sin_family = AF_INET };
	static int listener = -1;
	socklen_t size = sizeof(to);
	int fd;

	if (listener < 0) {
		to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		listener = socket(AF_INET, SOCK_STREAM, 0);
		need(!bind(listener, (struct sockaddr *)&to, size) && !listen(listener, 2 * MOST), "listen");
		need(!getsockname(listener, (struct sockaddr *)&to, &size), "getsockname");
	}
	fd = socket(AF_INET, SOCK_STREAM, 0);
	need(!connect(fd, (struct sockaddr *)&to, size), "connect");
	return fd;
}

/* Both have the same sockets at all keys below @count; how many. */
static int same_cookies(int one, int two, int count)
{
	__u64 a, b;
	int i, found = 0, missing;

	for (i = 0; i < count; i++) {
		missing = bpf_map_lookup_elem(one, &i, &a);
		need(!missing == !bpf_map_lookup_elem(two, &i, &b) && (!missing || errno == ENOENT), "one has it, the other not");
		need(missing || (a && a == b), "cookies");
		found += !missing;
	}
	return found;
}

static int number_of(struct bpf_object *object, const char *name)
{
	static const char bss[] = ".bss";
	struct bpf_map *map;
	__u32 values[2], zero = 0;

	bpf_object__for_each_map(map, object)
		if (strstr(bpf_map__name(map), bss))
			need(!bpf_map_lookup_elem(bpf_map__fd(map), &zero, values), "counters");
	return values[!strcmp(name, "socks")];
}

static void copy_by_iterator(const char *from, int elements, int sockets)
{
	struct bpf_object *object = load("bpf_iter_sockmap");
	int source = map_of(object, from), target = map_of(object, "dst"), i, fd, got;
	union bpf_iter_link_info info = { .map.map_fd = source };
	LIBBPF_OPTS(bpf_iter_attach_opts, options, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link;
	long long sock[MOST];
	char text[64];

	for (i = 0; i < sockets; i++) {
		sock[i] = connection();
		need(!bpf_map_update_elem(source, &i, &sock[i], BPF_NOEXIST), "update");
	}
	link = bpf_program__attach_iter(bpf_object__find_program_by_name(object, "copy"), &options);
	need(link, "attach");
	fd = bpf_iter_create(bpf_link__fd(link));
	need(fd >= 0, "iterator");
	while ((got = read(fd, text, sizeof(text))) > 0)
		;
	need(!got, "read");
	need(number_of(object, "elems") == elements && number_of(object, "socks") == sockets, "what was shown");
	need(same_cookies(source, target, MOST) == sockets, "copies");
	for (i = 0; i < sockets; i++)
		close(sock[i]);
	need(!same_cookies(source, target, MOST), "closed");
	close(fd);
	bpf_link__destroy(link);
	bpf_object__close(object);
	printf("%s: copied by an iterator\n", from);
}

static void copy_by_program(const char *to)
{
	struct bpf_object *object = load("test_sockmap_update");
	int source = map_of(object, "src"), zero = 0;
	long long sock = connection();
	char packet[14] = "";
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet), .repeat = 1);

	need(!bpf_map_update_elem(source, &zero, &sock, BPF_NOEXIST), "update");
	need(!bpf_prog_test_run_opts(bpf_program__fd(bpf_object__find_program_by_name(object, "copy_sock_map")), &run), "run");
	need(run.retval == 1, "what the program returned");
	need(same_cookies(source, map_of(object, to), 1) == 1, "copies");
	close(sock);
	bpf_object__close(object);
	printf("%s: copied by a program\n", to);
}

int main(int argc, char **argv)
{
	if (argc != 2)
		return 2;
	directory = argv[1];
	setvbuf(stdout, NULL, _IOLBF, 0);
	copy_by_iterator("sockmap", MOST, MOST - 1);
	copy_by_iterator("sockhash", MOST - 1, MOST - 1);
	copy_by_program("dst_sock_map");
	copy_by_program("dst_sock_hash");
	return 0;
}
