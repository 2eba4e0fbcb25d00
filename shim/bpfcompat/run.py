# SPDX-License-Identifier: MIT
"""`bpfcompat run`: starts a program with the preload library in front of its system calls."""

import errno
import os
import sys
from typing import List, Optional

from bpfcompat.device import Device, DeviceError

LIBRARY = "libbpfcompat-preload.so"
_ELF_DYNAMIC_NEEDS = 3  # PT_INTERP


def library() -> Optional[str]:
    """The preload library: $BPFCOMPAT_PRELOAD, beside this package, in the source tree's build folder, or installed."""
    here = os.path.dirname(os.path.abspath(__file__))
    places = [
        os.environ.get("BPFCOMPAT_PRELOAD", ""),
        os.path.join(here, LIBRARY),
        os.path.join(here, "..", "..", "build", "shim", LIBRARY),
        os.path.join(sys.prefix, "lib", "bpfcompat", LIBRARY),
        "/usr/local/lib/bpfcompat/" + LIBRARY,
        "/usr/lib64/bpfcompat/" + LIBRARY,
        "/usr/lib/bpfcompat/" + LIBRARY,
    ]
    for place in places:
        if place and os.path.exists(place):
            return os.path.realpath(place)
    return None


def _find(command: str) -> Optional[str]:
    if "/" in command:
        return command
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder or ".", command)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def is_static(path: str) -> bool:
    """Whether this is an ELF program without an interpreter, on which a preload library has no effect."""
    try:
        with open(path, "rb") as handle:
            head = handle.read(4096)
    except OSError:
        return False
    if head[:5] != b"\x7fELF\x02" or len(head) < 64:
        return False
    start = int.from_bytes(head[32:40], "little")
    size = int.from_bytes(head[54:56], "little")
    count = int.from_bytes(head[56:58], "little")
    if start + size * count > len(head):
        return False
    types = [int.from_bytes(head[at : at + 4], "little") for at in range(start, start + size * count, size)]
    return _ELF_DYNAMIC_NEEDS not in types


def _say(text: str) -> None:
    sys.stderr.write("bpfcompat: {}\n".format(text))
    sys.stderr.flush()


def _device_line() -> Optional[str]:
    """What is said of the device before the program starts: one line, or nothing where it works."""
    try:
        Device().close()
    except DeviceError as error:
        seen = "EPERM" if error.state == "denied" else "ENOSYS"
        return "{}; bpf(2) will answer {} (`bpfcompat doctor` tells more)".format(error, seen)
    return None


def run(command: List[str]) -> int:
    """Becomes the command; returns only when it cannot be started."""
    if not command:
        _say("run: no command given")
        return 2
    preload = library()
    if preload is None:
        _say("{} is missing: `make -C shim/preload` builds it".format(LIBRARY))
        return 1
    line = _device_line()
    path = _find(command[0])
    if path is not None and is_static(path):
        _say("{} is statically linked: its bpf(2) calls do not pass through the preload library".format(command[0]))
    elif line is not None:
        _say(line)
    already = [word for word in os.environ.get("LD_PRELOAD", "").replace(":", " ").split() if word != preload]
    os.environ["LD_PRELOAD"] = ":".join([preload] + already)
    try:
        if path is None:
            raise OSError(errno.ENOENT, "command not found")
        os.execv(path, command)
    except OSError as error:
        _say("{}: {}".format(command[0], error.strerror))
        return 127 if error.errno == errno.ENOENT else 126
