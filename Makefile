# SPDX-License-Identifier: MIT
# The ways in: each target is a short command line that can be run by itself as well. See CONTRIBUTING.md.

PYTHON ?= /usr/bin/python3
KERNEL ?=
JOBS ?= 2
PYTEST = .venv/bin/python -m pytest $(if $(KERNEL),--kernel $(KERNEL)) $(PYTEST_ARGS)
PARALLEL = -n $(JOBS) --dist loadgroup --max-worker-restart 0
KDIR ?= /lib/modules/$(shell uname -r)/build
PREFIX ?= /usr/local
DESTDIR ?=
LIBDIR = $(PREFIX)/lib/bpfcompat

help:
	@echo 'make demo        set up, boot the oldest kernel at hand, and run unmodified tools in it'
	@echo 'make test        all tests, on every kernel at hand (KERNEL=NAME for one)'
	@echo 'make test-unit   the tests that need no virtual machine'
	@echo 'make test-full   all of that, the debug kernels, and what takes long; writes docs/test-full.md'
	@echo 'make bench       what programs, events and map operations cost, against native; writes docs/benchmarks.md'
	@echo 'make fuzz        libFuzzer on the verifier in user space for an hour [SECONDS=]'
	@echo 'make setup       packages (apt) and .venv; quick when there is nothing to do'
	@echo 'make module      build bpfcompat.ko [KDIR=kernel build tree] [CC=compiler], into build/module'
	@echo 'make shim        build the preload library, into build/shim'
	@echo 'make install     install the built module, the library and the command [DESTDIR=] [PREFIX=]'
	@echo 'make clean       remove what was built (but not .venv)'

setup:
	@PYTHON=$(PYTHON) tools/setup.sh

demo: setup shim
	@.venv/bin/python -m vm.demo $(if $(KERNEL),-k $(KERNEL))

test: setup shim
	$(PYTEST) $(PARALLEL)

test-unit: setup shim
	.venv/bin/python -m pytest $(PARALLEL) $(PYTEST_ARGS) tests/unit

test-full: setup shim
	tools/setup.sh debug-kernel clients
	.venv/bin/python -m vm build-debug
	@status=0; $(PYTEST) $(PARALLEL) --full --timeout 1800 || status=$$?; \
		.venv/bin/python tools/test_summary.py; exit $$status

bench: setup shim
	tools/setup.sh bench
	@.venv/bin/python -m tests.bench $(if $(KERNEL),--kernel $(KERNEL)) $(BENCH_ARGS)

fuzz: setup
	tools/setup.sh fuzz
	.venv/bin/python tests/fuzz/libfuzzer.py --seconds $(or $(SECONDS),3600)

# In a copy, so that the tree stays clean; begun anew for another kernel, of which all that was probed for may differ.
module:
	@mkdir -p build/module
	@[ "$$(cat build/module/.kdir 2>/dev/null)" = "$(realpath $(KDIR))" ] || \
		{ rm -rf build/module && mkdir build/module && echo "$(realpath $(KDIR))" >build/module/.kdir; }
	@cp -ru Kbuild kmod verifier build/module/
	$(MAKE) -C $(KDIR) M=$(CURDIR)/build/module $(if $(filter-out default undefined,$(origin CC)),CC=$(CC)) modules
	@echo built build/module/bpfcompat.ko

shim:
	@$(MAKE) -s -C shim/preload OUT=$(CURDIR)/build/shim

# The command is copied and not installed by pip: it needs nothing but a Python 3.6, whose pip cannot read pyproject.toml.
install:
	install -D -m 644 build/module/bpfcompat.ko \
		$(DESTDIR)/lib/modules/$$(modinfo -F vermagic build/module/bpfcompat.ko | cut -d' ' -f1)/extra/bpfcompat.ko
	install -D -m 755 build/shim/libbpfcompat-preload.so $(DESTDIR)$(LIBDIR)/libbpfcompat-preload.so
	cd shim && find bpfcompat -name '*.py' -exec install -D -m 644 {} $(DESTDIR)$(LIBDIR)/python/{} \;
	install -d $(DESTDIR)$(PREFIX)/bin
	sed 's|@LIBDIR@|$(LIBDIR)|' tools/bpfcompat.in >$(DESTDIR)$(PREFIX)/bin/bpfcompat
	chmod 755 $(DESTDIR)$(PREFIX)/bin/bpfcompat
	$(if $(DESTDIR),,depmod -a)

clean:
	rm -rf build

.PHONY: help setup demo test test-unit test-full bench fuzz module shim install clean
