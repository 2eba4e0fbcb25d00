# SPDX-License-Identifier: MIT
"""The preload library: its symbols, what it passes on, and what it answers itself, against a kernel made up in Python."""

from __future__ import annotations

import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

PRELOAD = Path(__file__).resolve().parents[2] / "shim/preload"
NR = {
    "close": 3, "fstat": 5, "mmap": 9, "ioctl": 16, "getpid": 39, "fcntl": 72, "mount": 165, "gettid": 186, "clock_gettime": 228,
    "openat": 257, "unlinkat": 263, "readlinkat": 267, "faccessat": 269, "perf_event_open": 298, "memfd_create": 319,
    "bpf": 321,
}  # fmt: skip
NAME = {number: name for name, number in NR.items()}
IOC_VERSION = 2 << 30 | 40 << 16 | 0xBE << 8 | 1
IOC_SET_BPF = 1 << 30 | 8 << 16 | 0xBE << 8 | 2
PERF_SET_BPF = 0x40042408
DEVICE_RDEV = 0x0A39
SERVED = 0x40000000

Call = tuple[str, tuple[int, ...]]
Kernel = Callable[..., int]


def build(out: Path, *flags: str) -> Path:
    """The library, made by its own Makefile."""
    subprocess.run(["make", "-s", "-C", PRELOAD, f"OUT={out}", f"CFLAGS=-O2 -g -Werror {' '.join(flags)}"], check=True)
    return out / "libbpfcompat-preload.so"


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("preload"))


def test_symbols(library: Path) -> None:
    """It needs libc alone, nothing of it newer than glibc 2.17, and puts nothing into the program but its four functions."""
    dynamic = subprocess.run(["readelf", "-dW", library], check=True, capture_output=True, text=True).stdout
    assert re.findall(r"NEEDED.*\[(.*)\]", dynamic) == ["libc.so.6"]
    symbols = subprocess.run(["readelf", "-W", "--dyn-syms", library], check=True, capture_output=True, text=True).stdout
    versions = [tuple(map(int, v.split("."))) for v in re.findall(r"@GLIBC_([\d.]+)", symbols)]
    assert versions and max(versions) <= (2, 17)
    defined = {line.split()[7] for line in symbols.splitlines() if re.search(r" GLOBAL DEFAULT +\d+ ", line)}
    assert defined == {"syscall", "ioctl", "memfd_create", "mount"}


def under(library: Path, code: str) -> str:
    """What Python code prints when it runs under the library, on the kernel of this machine."""
    env = os.environ | {"LD_PRELOAD": str(library)}
    lead = "import ctypes, errno, fcntl, os, sys\nlibc = ctypes.CDLL(None, use_errno=True)\nlong = ctypes.c_long\n"
    lead += "libc.syscall.restype = long\n"
    done = subprocess.run([sys.executable, "-c", lead + code], env=env, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_passes_on(library: Path) -> None:
    """All six arguments, results and errno of calls that are not ours, as without the library."""
    assert under(library, "print(libc.syscall(39) == os.getpid())") == "True"
    assert under(library, "print(libc.syscall(long(3), long(-1)), ctypes.get_errno())") == f"-1 {errno.EBADF}"
    with_offset = """
import tempfile
f = tempfile.TemporaryFile(); f.write(b"a" * 4096 + b"xyz"); f.flush()
addr = libc.syscall(*map(long, (9, 0, 4096, 1, 2, f.fileno(), 4096)))
print(ctypes.string_at(addr, 3))
"""
    assert under(library, with_offset) == "b'xyz'"
    assert under(library, "r, w = os.pipe(); os.write(w, b'12345'); b = bytearray(4);"
                          "fcntl.ioctl(r, 0x541B, b); print(b[0])") == "5"  # fmt: skip


@pytest.mark.skipif(os.path.exists("/dev/bpfcompat"), reason="the module is loaded here, so bpf(2) is answered")
def test_without_device(library: Path) -> None:
    """Without the device there is no bpf(2), whatever the kernel has."""
    code = "a = ctypes.create_string_buffer(128); print(libc.syscall(long(321), long(0), a, long(72)), ctypes.get_errno())"
    assert under(library, code) == f"-1 {errno.ENOSYS}"


class Fake:
    """A kernel of a few calls: descriptors with a type, and a record of what was asked."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.device: int | None = DEVICE_RDEV  # None: absent
        self.open_error = 0
        self.abi = 1
        self.fds: dict[int, str] = {}
        self.limit = 1024
        self.answers: dict[str, Callable[..., int]] = {}
        self.bpf: list[tuple[int, int, int, int]] = []
        self.result = 42
        self.old = False  # a driver that does not mark its answers

    def new(self, kind: str, low: int = 3) -> int:
        fd = next(n for n in range(low, 1 << 20) if n not in self.fds)
        self.fds[fd] = kind
        return fd

    def __call__(self, nr: int, *args: int) -> int:
        name = NAME.get(nr, str(nr))
        self.calls.append((name, args))
        if name in self.answers:
            return self.answers[name](*args)
        return getattr(self, "sys_" + name, lambda *_: -errno.ENOSYS)(*args)

    def sys_openat(self, _dir: int, path: int, flags: int, *_: int) -> int:
        assert flags & os.O_CLOEXEC
        assert ctypes.string_at(path) == b"/dev/bpfcompat"
        if self.open_error:
            return -self.open_error
        return -errno.ENOENT if self.device is None else self.new("device")

    def sys_fstat(self, fd: int, buf: int, *_: int) -> int:
        if fd not in self.fds:
            return -errno.EBADF
        device = self.fds[fd] == "device"
        ctypes.memset(buf, 0, 144)
        ctypes.c_uint32.from_address(buf + 24).value = 0o020666 if device else 0o100644
        ctypes.c_uint64.from_address(buf + 40).value = (self.device or 0) if device else 0
        return 0

    def sys_close(self, fd: int, *_: int) -> int:
        return 0 if self.fds.pop(fd, None) else -errno.EBADF

    def sys_fcntl(self, fd: int, cmd: int, low: int, *_: int) -> int:
        assert cmd == 1030  # F_DUPFD_CLOEXEC
        return self.new(self.fds[fd], low) if low < self.limit else -errno.EINVAL

    def sys_ioctl(self, fd: int, request: int, arg: int, *_: int) -> int:
        if self.fds.get(fd) != "device":
            return -errno.ENOTTY
        if request == IOC_VERSION:
            ctypes.c_uint32.from_address(arg).value = self.abi
            return 0
        self.bpf.append((fd, request >> 8 & 0xFF, request & 0xFF, request >> 16 & 0x3FFF))
        served = SERVED if request >> 30 == 1 and not self.old else 0
        return served + self.result

    def opened(self) -> int:
        return sum(name == "openat" for name, _ in self.calls)


@pytest.fixture(scope="session")
def fake_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same sources over a `shim_raw` that calls back."""
    out = tmp_path_factory.mktemp("fake")
    glue = out / "glue.c"
    glue.write_text(
        "typedef long (*kernel_fn)(long, long, long, long, long, long, long);\n"
        '__attribute__((visibility("default"))) kernel_fn fake_kernel;\n'
        "long shim_raw(long nr, long a, long b, long c, long d, long e, long f)\n"
        "{ return fake_kernel(nr, a, b, c, d, e, f); }\n"
    )
    sources = [PRELOAD / name for name in ("device.c", "interpose.c", "memfd.c", "mount.c", "perf.c")]
    flags = ["-std=gnu11", "-O1", "-fPIC", "-shared", "-fvisibility=hidden", "-fno-builtin", "-DSHIM_FAKE_KERNEL"]
    subprocess.run(["gcc", *flags, f"-I{PRELOAD}", "-o", out / "fake.so", glue, *sources], check=True)
    return out / "fake.so"


class Shim:
    """The library over a made-up kernel, its cached descriptor forgotten for each test."""

    def __init__(self, path: Path) -> None:
        self.lib = ctypes.CDLL(str(path), use_errno=True)
        self.kernel = Fake()
        proto = ctypes.CFUNCTYPE(*[ctypes.c_long] * 8)
        self.callback = proto(self.kernel)
        ctypes.c_void_p.in_dll(self.lib, "fake_kernel").value = ctypes.cast(self.callback, ctypes.c_void_p).value
        self.lib.syscall.restype = ctypes.c_long
        self.lib.syscall.argtypes = [ctypes.c_long] * 7
        self.lib.ioctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p]

    def call(self, name: str, *args: int) -> tuple[int, int]:
        """Result and errno (0 where it succeeded)."""
        ctypes.set_errno(0)
        ret = self.lib.syscall(NR[name], *args, *[0] * (6 - len(args)))
        return ret, ctypes.get_errno()


@pytest.fixture
def shim(fake_library: Path, tmp_path: Path) -> Shim:
    copy = tmp_path / "fake.so"  # a file of its own, so that its variables are fresh
    copy.write_bytes(fake_library.read_bytes())
    return Shim(copy)


def test_bpf_is_an_ioctl(shim: Shim) -> None:
    assert shim.call("bpf", 5, 0x1000, 144) == (42, 0)
    assert shim.kernel.bpf == [(1000, 0xBF, 5, 144)]
    assert shim.kernel.fds == {1000: "device"}, "the low number must be free again"
    shim.call("bpf", 0, 0x1000, 72)
    assert shim.kernel.opened() == 1


@pytest.mark.parametrize(
    ("cmd", "size", "seen_cmd", "seen_size"),
    [
        (127, 72, 127, 72),
        (128, 72, 127, 72),
        (-1, 72, 127, 72),
        (1 | 1 << 16, 72, 127, 72),
        (1 << 32 | 3, 72, 3, 72),  # the kernel takes 32 bits of it
        (3, 4096, 3, 4096),
        (3, 16384, 3, 16383),
        (3, -1, 3, 16383),
        (3, 1 << 32 | 8, 3, 8),
    ],
)
def test_clamped(shim: Shim, cmd: int, size: int, seen_cmd: int, seen_size: int) -> None:
    shim.call("bpf", cmd, 0x1000, size)
    assert shim.kernel.bpf == [(1000, 0xBF, seen_cmd, seen_size)]


@pytest.mark.parametrize(
    ("failure", "seen"),
    [(errno.ENOENT, errno.ENOSYS), (errno.ENODEV, errno.ENOSYS), (errno.EACCES, errno.EPERM),
     (errno.EPERM, errno.EPERM), (errno.EMFILE, errno.EMFILE)],
)  # fmt: skip
def test_device_absent_or_denied(shim: Shim, failure: int, seen: int) -> None:
    shim.kernel.open_error = failure
    assert shim.call("bpf", 0, 0x1000, 72) == (-1, seen)
    assert not any(name == "bpf" for name, _ in shim.kernel.calls), "the kernel's own bpf(2) must never be asked"


def test_other_version_is_absent(shim: Shim) -> None:
    shim.kernel.abi = 2
    assert shim.call("bpf", 0, 0x1000, 72) == (-1, errno.ENOSYS)
    assert shim.kernel.fds == {}


def test_fd_closed_and_reused(shim: Shim) -> None:
    """The program may close our descriptor, and something else may take its number: what that answers is never believed."""
    shim.call("bpf", 0, 0x1000, 72)
    del shim.kernel.fds[1000]
    assert shim.call("bpf", 0, 0x1000, 72) == (42, 0)
    shim.kernel.fds[1000] = "file"
    assert shim.call("bpf", 0, 0x1000, 72) == (42, 0)
    assert shim.kernel.bpf[-1][0] == 1001
    assert shim.kernel.fds == {1000: "file", 1001: "device"}
    assert shim.kernel.opened() == 3


@pytest.mark.parametrize("answer", [0, 7, -errno.EINVAL, -errno.ENOENT, -errno.ENOTTY])
def test_another_file_answers(shim: Shim, answer: int) -> None:
    shim.call("bpf", 0, 0x1000, 72)
    shim.kernel.fds[1000] = "file"
    shim.kernel.answers["ioctl"] = lambda fd, *args: answer if fd == 1000 else shim.kernel.sys_ioctl(fd, *args)
    assert shim.call("bpf", 1, 0x1000, 72) == (42, 0)
    assert shim.kernel.bpf[-1] == (1001, 0xBF, 1, 72)


def test_no_more_than_one_call(shim: Shim) -> None:
    """Once the descriptor is there, bpf(2) is one system call, whatever comes of it."""
    shim.call("bpf", 0, 0x1000, 72)
    for result in (0, 42, -errno.ENOENT, -errno.EBADF, -errno.ENOTTY, -524, -4095):
        shim.kernel.calls.clear()
        shim.kernel.result = result
        assert shim.call("bpf", 1, 0x1000, 72) == ((result, 0) if result >= 0 else (-1, -result))
        assert [name for name, _ in shim.kernel.calls] == ["ioctl"]


@pytest.mark.parametrize("result", [0, 42, -errno.EINVAL, -errno.EINTR])
def test_unmarked_answer_of_the_device(shim: Shim, result: int) -> None:
    """An older driver's, or the kernel's after an interruption: taken as it is, and not asked for again."""
    shim.kernel.old = True
    shim.kernel.result = result
    for count in (1, 2):
        assert shim.call("bpf", 1, 0x1000, 72) == ((result, 0) if result >= 0 else (-1, -result))
        assert len(shim.kernel.bpf) == count


def test_module_reloaded_with_another_number(shim: Shim) -> None:
    shim.call("bpf", 0, 0x1000, 72)
    shim.kernel.fds.clear()
    shim.kernel.device = 0x0A40
    assert shim.call("bpf", 0, 0x1000, 72) == (42, 0)
    assert shim.call("bpf", 0, 0x1000, 72) == (42, 0)
    assert shim.kernel.opened() == 2


@pytest.mark.parametrize(("limit", "fd"), [(1024, 1000), (256, 200), (64, 60), (20, 3)])
def test_low_descriptor_limit(shim: Shim, limit: int, fd: int) -> None:
    shim.kernel.limit = limit
    assert shim.call("bpf", 0, 0x1000, 72) == (42, 0)
    assert shim.kernel.fds == {fd: "device"}


def test_perf_cloexec(shim: Shim) -> None:
    """The flag is dropped only where the kernel refuses the call, and then set on the descriptor."""
    kernel, seen, set_flag = shim.kernel, [], []

    def perf(_attr: int, pid: int, cpu: int, group: int, flags: int, *_: int) -> int:
        seen.append((pid, cpu, group, flags))
        return -errno.EINVAL if flags & 8 else 7

    kernel.answers = {"perf_event_open": perf, "fcntl": lambda *args: set_flag.append(args[:3]) or 0}
    assert shim.call("perf_event_open", 0x1000, -1, 0, -1, 8 | 2) == (7, 0)
    assert seen == [(-1, 0, -1, 10), (-1, 0, -1, 2)]
    assert set_flag == [(7, 2, 1)]
    seen.clear()
    kernel.answers["perf_event_open"] = lambda *args: seen.append(args) or -errno.EINVAL
    assert shim.call("perf_event_open", 0x1000, -1, 0, -1, 2) == (-1, errno.EINVAL)
    assert len(seen) == 1
    kernel.answers["perf_event_open"] = lambda *args: seen.append(args) or -errno.EACCES
    assert shim.call("perf_event_open", 0x1000, -1, 0, -1, 8) == (-1, errno.EACCES)
    assert len(seen) == 2


def _link(text: bytes) -> Kernel:
    def readlinkat(_dir: int, path: int, buf: int, size: int, *_: int) -> int:
        assert re.fullmatch(rb"/proc/self/fd/\d+", ctypes.string_at(path))
        ctypes.memmove(buf, text, min(len(text), size))
        return min(len(text), size)

    return readlinkat


@pytest.mark.parametrize("fd", [4, 57, 1234567])
def test_set_bpf(shim: Shim, fd: int) -> None:
    taken = []

    def ioctl(on: int, request: int, arg: int, *_: int) -> int:
        if request == IOC_SET_BPF:
            taken.append((on, *(ctypes.c_uint32 * 2).from_address(arg)))
            return 0
        return shim.kernel.sys_ioctl(on, request, arg)

    shim.kernel.answers = {"ioctl": ioctl, "readlinkat": _link(b"anon_inode:[perf_event]")}
    assert shim.lib.ioctl(fd, PERF_SET_BPF, 9) == 0
    assert taken == [(1000, fd, 9)]
    assert shim.call("ioctl", fd, PERF_SET_BPF, 9) == (0, 0)
    assert len(taken) == 2


def test_set_bpf_elsewhere(shim: Shim) -> None:
    """The same request on a file that is no perf event is its driver's; without a device a perf event does not know it."""
    asked = []
    shim.kernel.answers = {"ioctl": lambda *args: asked.append(args[:3]) or 5, "readlinkat": _link(b"/dev/other")}
    assert shim.lib.ioctl(4, PERF_SET_BPF, 9) == 5
    assert asked == [(4, PERF_SET_BPF, 9)]
    shim.kernel.answers = {"readlinkat": _link(b"anon_inode:[perf_event]")}
    shim.kernel.device = None
    assert shim.lib.ioctl(4, PERF_SET_BPF, 9) == -1
    assert ctypes.get_errno() == errno.ENOTTY


def test_memfd_of_the_kernel(shim: Shim) -> None:
    shim.kernel.answers = {"memfd_create": lambda *_: 6}
    assert shim.call("memfd_create", 0x1000, 1) == (6, 0)


def _files(shim: Shim) -> dict[str, Kernel]:
    """A made-up kernel without memfd_create, whose files are this machine's."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long

    def real(name: str) -> Kernel:
        def call(*args: int) -> int:
            ret = libc.syscall(NR[name], *map(ctypes.c_long, args))
            return -ctypes.get_errno() if ret < 0 else ret

        return call

    return {name: real(name) for name in ("openat", "unlinkat", "faccessat", "clock_gettime", "gettid")}


def test_memfd_where_there_is_none(shim: Shim) -> None:
    shim.kernel.answers = _files(shim)
    name = ctypes.create_string_buffer(b"libbpf-placeholder-fd")
    at = ctypes.addressof(name)
    fds = [shim.call("memfd_create", at, flags) for flags in (0, 1, 3)]
    assert all(error == 0 for _, error in fds)
    for (fd, _), flags in zip(fds, (0, 1, 3), strict=True):
        assert os.get_inheritable(fd) == (not flags & 1)
        os.ftruncate(fd, 8192)
        assert os.pwrite(fd, b"data", 4096) == 4
        assert os.pread(fd, 4, 4096) == b"data"
        assert os.fstat(fd).st_nlink == 0, "the file must have no name left"
        os.close(os.dup(fd))
        os.close(fd)


def test_memfd_bad_input(shim: Shim) -> None:
    shim.kernel.answers = _files(shim)
    name = ctypes.create_string_buffer(b"x" * 249)
    long_name = ctypes.create_string_buffer(b"x" * 250)
    fd, error = shim.call("memfd_create", ctypes.addressof(name), 0)
    assert error == 0
    os.close(fd)
    assert shim.call("memfd_create", ctypes.addressof(long_name), 0) == (-1, errno.EINVAL)
    assert shim.call("memfd_create", ctypes.addressof(name), 8) == (-1, errno.EINVAL)
    assert shim.call("memfd_create", 8, 0) == (-1, errno.EFAULT)
    assert shim.call("memfd_create", 8, 8) == (-1, errno.EINVAL)


@pytest.mark.parametrize("has_own", [False, True])
@pytest.mark.parametrize("kind", [b"bpf", b"bpffs", b"tmpfs", None])
def test_mount_means_the_module(shim: Shim, has_own: bool, kind: bytes | None) -> None:
    """A kernel with a file system of its own has the module's by another name; what is not of type bpf is passed on."""
    tried: list[tuple[bytes | None, tuple[int, ...]]] = []

    def mount(source: int, target: int, at: int, *rest: int) -> int:
        name = ctypes.string_at(at) if at else None
        tried.append((name, (source, target, *rest)))
        return -errno.ENODEV if name == b"bpfcompat" and not has_own else 0

    shim.kernel.answers = {"mount": mount, "faccessat": lambda *_: -errno.ENOENT}
    text = ctypes.create_string_buffer(kind) if kind else None
    arguments = (0x1000, 0x2000, ctypes.addressof(text) if text else 0, 0x3000, 0x4000)
    wanted = [b"bpfcompat"] + [b"bpf"] * (not has_own) if kind == b"bpf" else [kind]
    shim.lib.mount.argtypes = [ctypes.c_long] * 5
    assert shim.lib.mount(*arguments) == 0
    assert shim.call("mount", *arguments) == (0, 0)
    assert tried == [(name, (0x1000, 0x2000, 0x3000, 0x4000, 0)) for name in wanted * 2]


def test_mount_bad_type(shim: Shim) -> None:
    shim.kernel.answers = {"mount": lambda *_: -errno.EFAULT, "faccessat": lambda *_: -errno.EFAULT}
    assert shim.call("mount", 0, 0, 8, 0, 0) == (-1, errno.EFAULT)
