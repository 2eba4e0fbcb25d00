# SPDX-License-Identifier: MIT
"""Builds the guest agent and the small initramfs that carries it, with the drivers that reach the host's root."""

from __future__ import annotations

import lzma
import subprocess
import zlib
from pathlib import Path

from vm.kernels import Kernel
from vm.paths import BUILD, REPO, locked

SOURCE = Path(__file__).parent / "guest/agent.c"
# Cached loosely: the guest never writes, and the host seldom does while a machine runs.
MOUNT = "trans=virtio,version=9p2000.L,msize=262144,cache=loose"


def agent() -> Path:
    """The agent's binary, built anew when its source is newer."""
    out = BUILD / "vm/agent"
    with locked("vm-agent"):
        if not out.exists() or out.stat().st_mtime < SOURCE.stat().st_mtime:
            out.parent.mkdir(parents=True, exist_ok=True)
            temp = out.with_suffix(".new")
            subprocess.run(["gcc", "-std=gnu11", "-O2", "-Wall", "-static", "-s", "-o", temp, SOURCE], check=True)
            temp.rename(out)
    return out


def _entry(name: str, mode: int, data: bytes, ino: int, rdev: tuple[int, int] = (0, 0)) -> bytes:
    """One member in the `newc` format (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    encoded = name.encode() + b"\0"
    fields = (ino, mode, 0, 0, 1, 0, len(data), 0, 0, *rdev, len(encoded), 0)
    head = b"070701" + b"".join(b"%08X" % value for value in fields) + encoded
    head += b"\0" * (-len(head) % 4)
    return head + data + b"\0" * (-len(data) % 4)


def _module_data(path: Path) -> bytes:
    if path.suffix == ".xz":
        return lzma.decompress(path.read_bytes())
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dcq", path], check=True, stdout=subprocess.PIPE).stdout
    return path.read_bytes()


def _unpack(image: bytes) -> bytes | None:
    """The kernel inside a bzImage, where its compression is one that Python knows."""
    at = image.find(b"\xfd7zXZ\0")
    if at >= 0:
        return lzma.LZMADecompressor().decompress(image[at:])
    at = image.find(b"\x1f\x8b\x08")
    if at >= 0:
        return zlib.decompressobj(31).decompress(image[at:])
    return None


def boot_image(kernel: Kernel) -> Path:
    """What to boot: the unpacked kernel where it can be entered directly (PVH), which saves unpacking it slowly inside
    the emulator: 5 of 12 seconds of Debian's 6.1. Else the image as it is."""
    if not kernel.has("PVH"):
        return kernel.image
    out = BUILD / "vm" / f"vmlinux-{kernel.name}"
    with locked(f"vmlinux-{kernel.name}"):
        if not out.exists() or out.stat().st_mtime < kernel.image.stat().st_mtime:
            try:
                data = _unpack(kernel.image.read_bytes())
            except (lzma.LZMAError, zlib.error):
                data = None
            if data is None or not data.startswith(b"\x7fELF"):
                return kernel.image
            temp = out.with_suffix(".new")
            temp.write_bytes(data)
            temp.rename(out)
    return out


def build_initramfs(kernel: Kernel, out: Path) -> None:
    """Writes the initramfs for one boot of this kernel. The kernel's configuration goes along, to stand in the machine's own
    /boot as on every distribution: programs with `__kconfig` variables are loaded by it."""
    members = [(name, 0o040755, b"") for name in ("dev", "proc", "sys", "root", "modules")]
    members.append(("init", 0o100755, agent().read_bytes()))
    members.append(("vm.conf", 0o100644, f"repo={REPO}\nmount={MOUNT}\n".encode()))
    members.append(("config", 0o100644, kernel.config_path.read_bytes()))
    order = []
    for path in kernel.boot_modules():
        name = path.name.split(".ko")[0] + ".ko"
        order.append(name)
        members.append((f"modules/{name}", 0o100644, _module_data(path)))
    members.append(("modules/order", 0o100644, "".join(f"{name}\n" for name in order).encode()))
    parts = [_entry(name, mode, data, ino) for ino, (name, mode, data) in enumerate(members, 1)]
    parts.append(_entry("dev/console", 0o020600, b"", len(members) + 1, (5, 1)))
    parts.append(_entry("TRAILER!!!", 0, b"", 0))
    out.write_bytes(b"".join(parts))
