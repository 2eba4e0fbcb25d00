// SPDX-License-Identifier: MIT
/*
 * Runs one iterator's program of the kernel's selftests with libbpf and prints what it tells. Usage: net_iterators OBJECT PROGRAM.
 * Status 2: it does not load, and libbpf has told why.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	return 1;
}

int main(int argc, char **argv)
{
	struct bpf_object *object = argc == 3 ? bpf_object__open_file(argv[1], NULL) : NULL;
	struct bpf_program *each, *wanted = NULL;
	struct bpf_link *link;
	char text[4096];
	ssize_t size;
	int fd;

	if (!object)
		return failed("open");
	bpf_object__for_each_program(each, object) {
		bool it = !strcmp(bpf_program__name(each), argv[2]);

		bpf_program__set_autoload(each, it);
		if (it)
			wanted = each;
	}
	if (!wanted)
		return failed(argv[2]);
	if (bpf_object__load(object))
		return 2;
	link = bpf_program__attach_iter(wanted, NULL);
	if (!link)
		return failed("attach");
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		return failed("session");
	while ((size = read(fd, text, sizeof(text))) > 0)
		fwrite(text, 1, size, stdout);
	return size < 0 ? failed("read") : 0;
}
