# SPDX-License-Identifier: MIT
"""The module's device from Python: its own requests (kmod/uapi/bpfcompat.h), and why it cannot be used where it cannot."""

import errno
import fcntl
import os
import stat
import struct
from typing import Dict, NamedTuple

PATH = "/dev/bpfcompat"
ABI = 1
MAGIC = 0xBF
OWN_MAGIC = 0xBE

_WRITE, _READ = 1, 2


def request(direction: int, magic: int, number: int, size: int) -> int:
    """An ioctl request number, as asm-generic/ioctl.h composes it."""
    return direction << 30 | size << 16 | magic << 8 | number


_VERSION = struct.Struct("=II32s")
_SET_BPF = struct.Struct("=iI")
_BTF_LOAD = struct.Struct("=QII20sB3x")
_STATS = struct.Struct("=5Q4I")

IOC_VERSION = request(_READ, OWN_MAGIC, 1, _VERSION.size)
IOC_SET_BPF = request(_WRITE, OWN_MAGIC, 2, _SET_BPF.size)
IOC_BTF_LOAD = request(_WRITE, OWN_MAGIC, 3, _BTF_LOAD.size)
IOC_STATS = request(_READ, OWN_MAGIC, 4, _STATS.size)

STATS_FIELDS = ("commands", "programs_run", "missed", "memory", "memory_max", "maps", "progs", "links", "btfs")


class Version(NamedTuple):
    """What the loaded module says of itself."""

    abi: int
    text: str


class DeviceError(Exception):
    """The device cannot be used; `state` is one of absent, denied, mismatch, failed."""

    def __init__(self, state: str, message: str) -> None:
        super(DeviceError, self).__init__(message)
        self.state = state


class Device:
    """The open device, whose module speaks this package's version of the interface."""

    def __init__(self, path: str = PATH) -> None:
        self.path = path
        try:
            self.fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.EACCES, errno.EPERM):
                raise DeviceError("denied", "{}: {}".format(path, error.strerror)) from None
            if error.errno in (errno.ENOENT, errno.ENXIO, errno.ENODEV, errno.ENOTDIR):
                raise DeviceError("absent", "{} is absent: the module is not loaded".format(path)) from None
            raise DeviceError("failed", "{}: {}".format(path, error.strerror)) from None
        try:
            self.version = self._handshake()
        except BaseException:
            os.close(self.fd)
            raise

    def _handshake(self) -> Version:
        if not stat.S_ISCHR(os.fstat(self.fd).st_mode):
            raise DeviceError("failed", "{} is not a device".format(self.path))
        data = bytearray(_VERSION.size)
        try:
            fcntl.ioctl(self.fd, IOC_VERSION, data)
        except OSError as error:
            state = "denied" if error.errno in (errno.EPERM, errno.EACCES) else "failed"
            raise DeviceError(state, "{} does not say its version: {}".format(self.path, error.strerror)) from None
        abi, _, text = _VERSION.unpack(data)
        version = Version(abi, text.split(b"\0")[0].decode("ascii", "replace"))
        if abi != ABI:
            raise DeviceError(
                "mismatch",
                "the module (version {}) speaks interface {}, this program {}: install the same version of both".format(
                    version.text, abi, ABI
                ),
            )
        return version

    def stats(self) -> Dict[str, int]:
        """The module's counters."""
        data = bytearray(_STATS.size)
        fcntl.ioctl(self.fd, IOC_STATS, data)
        return dict(zip(STATS_FIELDS, _STATS.unpack(data)))

    def load_btf(self, blob: bytes, build_id: bytes) -> None:
        """Hands over the kernel's BTF; OSError with the module's errno when it is refused."""
        import ctypes

        buf = ctypes.create_string_buffer(blob, len(blob))
        arg = _BTF_LOAD.pack(ctypes.addressof(buf), len(blob), 0, build_id, len(build_id))
        fcntl.ioctl(self.fd, IOC_BTF_LOAD, arg)

    def close(self) -> None:
        os.close(self.fd)

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
