# SPDX-License-Identifier: MIT
"""Values of a program's `extern ... __kconfig` variables: the kernel's configuration, and the three that libbpf makes up."""

import gzip
import os
from typing import Dict, NamedTuple

from bpfcompat.btf import blob
from bpfcompat.check.types import Types

MADE_UP = ("LINUX_KERNEL_VERSION", "LINUX_HAS_SYSCALL_WRAPPER", "LINUX_HAS_BPF_COOKIE")
_TRISTATE = {"n": 0, "y": 1, "m": 2}


class KconfigError(Exception):
    """A value that is missing or does not fit; the message is for the user."""


class Kernel(NamedTuple):
    """What is known of a kernel beside its types."""

    release: str
    config: Dict[str, str]


def parse(text: str) -> Dict[str, str]:
    found = {}
    for line in text.splitlines():
        name, equals, value = line.partition("=")
        if equals and name.startswith("CONFIG_"):
            found[name] = value.strip()
    return found


def read(path: str) -> Dict[str, str]:
    with open(path, "rb") as file:
        data = file.read()
    if data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    return parse(data.decode("utf-8", "replace"))


def running() -> Kernel:
    """The kernel that this runs on; without configuration where that is nowhere to be read."""
    release = os.uname().release
    for path in ("/proc/config.gz", "/boot/config-" + release):
        if os.path.exists(path):
            return Kernel(release, read(path))
    return Kernel(release, {})


def version_code(release: str) -> int:
    """LINUX_VERSION_CODE of a release such as 3.10.0-1160.el7."""
    numbers = []
    for part in release.split("-")[0].split(".")[:3]:
        digits = ""
        for char in part:
            if not char.isdigit():
                break
            digits += char
        numbers.append(int(digits or 0))
    numbers += [0] * (3 - len(numbers))
    return numbers[0] << 16 | numbers[1] << 8 | min(numbers[2], 255)


def _made_up(name: str, kernel: Kernel, types: Types) -> int:
    if name == "LINUX_KERNEL_VERSION":
        return version_code(kernel.release)
    if name == "LINUX_HAS_SYSCALL_WRAPPER":
        return int(bool(types.find(blob.FUNC, "__x64_sys_bpf") or types.find(blob.FUNC, "__x64_sys_getpid")))
    return int(bool(types.find(blob.FUNC, "bpf_get_attach_cookie_trace")))


def value(name: str, local: Types, type_id: int, weak: bool, kernel: Kernel, kernel_types: Types) -> bytes:
    """The bytes of one variable."""
    size = local.size(type_id)
    target = local.skip(type_id)
    if name in MADE_UP:
        return _number(name, _made_up(name, kernel, kernel_types), size)
    text = kernel.config.get(name)
    if text is None:
        if not weak:
            raise KconfigError("no value is known for {}: give the kernel's configuration by --kconfig".format(name))
        return bytes(size)
    if local.kind(target) == blob.ARRAY:
        return text.strip('"').encode()[: size - 1].ljust(size, b"\0")
    if text in _TRISTATE:
        number = ord(text) if size == 1 and _is_char(local, target) else _TRISTATE[text]
        return _number(name, number, size)
    try:
        return _number(name, int(text, 0), size)
    except ValueError:
        raise KconfigError("{} is {}, and its variable a number".format(name, text))


def _is_char(types: Types, type_id: int) -> bool:
    return types.kind(type_id) == blob.INT and types.name(type_id) == "char"


def _number(name: str, number: int, size: int) -> bytes:
    try:
        return number.to_bytes(size, "little", signed=number < 0)
    except OverflowError:
        raise KconfigError("{} does not fit in {} bytes".format(name, size))
