# SPDX-License-Identifier: MIT
"""What the running kernel says of itself, read from proc and sysfs with the standard library alone."""

import gzip
import os
import struct
from typing import Dict, Iterator, Optional, Tuple

NOTES = "/sys/kernel/notes"
_NT_GNU_BUILD_ID = 3


def release() -> str:
    return os.uname().release


def read_text(path: str) -> Optional[str]:
    """A small file's text; None where it cannot be read."""
    try:
        with open(path, errors="replace") as handle:
            return handle.read()
    except OSError:
        return None


def notes(data: bytes) -> Iterator[Tuple[bytes, int, bytes]]:
    """Name, type and content of each ELF note."""
    at = 0
    while at + 12 <= len(data):
        name_len, desc_len, kind = struct.unpack_from("=III", data, at)
        name_at = at + 12
        desc_at = name_at + (name_len + 3 & ~3)
        at = desc_at + (desc_len + 3 & ~3)
        yield data[name_at : name_at + name_len].rstrip(b"\0"), kind, data[desc_at : desc_at + desc_len]


def build_id(path: str = NOTES) -> Optional[bytes]:
    """The running kernel's build id, where it has one."""
    try:
        with open(path, "rb") as handle:
            data = handle.read()
    except OSError:
        return None
    for name, kind, content in notes(data):
        if name == b"GNU" and kind == _NT_GNU_BUILD_ID:
            return content
    return None


def config() -> Dict[str, str]:
    """The kernel's configuration without CONFIG_, from /proc/config.gz or /boot; empty where there is none."""
    text = None
    try:
        with gzip.open("/proc/config.gz", "rt", errors="replace") as handle:
            text = handle.read()
    except OSError:
        for path in ("/boot/config-" + release(), "/lib/modules/{}/build/.config".format(release())):
            text = text or read_text(path)
    pairs = {}
    for line in (text or "").splitlines():
        if line.startswith("CONFIG_") and "=" in line:
            name, value = line[len("CONFIG_") :].split("=", 1)
            pairs[name] = value
    return pairs


def mounted(kind: str) -> Optional[str]:
    """Where a file system of that type is mounted."""
    for line in (read_text("/proc/self/mounts") or "").splitlines():
        fields = line.split()
        if len(fields) > 2 and fields[2] == kind:
            return fields[1]
    return None
