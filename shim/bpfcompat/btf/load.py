# SPDX-License-Identifier: MIT
"""`bpfcompat btf load`: hands the running kernel's BTF to the module, after a check that it is the running kernel's."""

import errno
import json
import lzma
import os
import tarfile
from collections import Counter
from typing import Any, Dict, Optional, Tuple

from bpfcompat.btf.adapt import adapt
from bpfcompat.btf.blob import KINDS, Blob, BtfError
from bpfcompat.device import Device, DeviceError
from bpfcompat.kernel import build_id, release

SERVED = "/sys/kernel/btf/vmlinux"
_ARCHIVES = (".tar.xz", ".tar.gz", ".tar")


def default_places() -> Tuple[str, ...]:
    """Where the running kernel's file is looked for when none is named."""
    name = release()
    return ("/lib/modules/{}/bpfcompat.btf".format(name), "/var/lib/bpfcompat/{}.btf".format(name))


def read(path: str) -> Tuple[bytes, Dict[str, Any]]:
    """A file's BTF, and what is known of its kernel. BTFHub packs its files, and names them by release."""
    name = os.path.basename(path)
    try:
        if path.endswith(_ARCHIVES):
            with tarfile.open(path) as archive:
                inside = [entry for entry in archive.getmembers() if entry.isfile() and entry.name.endswith(".btf")]
                handle = archive.extractfile(inside[0]) if len(inside) == 1 else None
                if handle is None:
                    raise BtfError("{}: does not hold one .btf file".format(path))
                return handle.read(), {"name": os.path.basename(inside[0].name)}
        with open(path, "rb") as plain:
            data = plain.read()
    except (tarfile.TarError, lzma.LZMAError, EOFError) as error:
        raise BtfError("{}: {}".format(path, error)) from None
    about = {"name": name}  # type: Dict[str, Any]
    try:
        with open(path + ".json") as sidecar:
            about.update(json.load(sidecar))
    except OSError as error:
        if error.errno != errno.ENOENT:
            raise
    except ValueError as error:
        raise BtfError("{}.json: {}".format(path, error)) from None
    return data, about


def check_kernel(path: str, about: Dict[str, Any], trust: bool) -> None:
    """Wrong offsets would read wrong memory without a word: nothing is loaded on a guess."""
    here, name = build_id(), release()
    theirs = about.get("build_id")
    if theirs and here:
        if theirs != here.hex():
            raise BtfError(
                "{} is of another kernel: its build id is {}{}, the running kernel's ({}) is {}".format(
                    path, theirs, " ({})".format(about["release"]) if about.get("release") else "", name, here.hex()
                )
            )
        return
    known = about.get("release") or about["name"][: -len(".btf")]
    if known == name or trust:
        return
    raise BtfError(
        "{} carries no build id, and its name does not say that it is of {}: name it {}.btf as BTFHub does, "
        "or say --trust".format(path, name, name)
    )


def load(path: Optional[str], trust: bool = False) -> str:
    """Loads it; returns what to tell the user."""
    if path is None:
        path = next((place for place in default_places() if os.path.exists(place)), None)
        if path is None:
            raise BtfError("no file given, and none of {} exists".format(", ".join(default_places())))
    data, about = read(path)
    if not about["name"].endswith(".btf") and not about.get("build_id"):
        about["name"] += ".btf"
    check_kernel(path, about, trust)
    if os.path.exists(SERVED):
        return "{} is there already: nothing to do".format(SERVED)
    if not about.get("adapted"):
        blob = Blob(data)
        adapt(blob)
        data = blob.pack()
    try:
        with Device() as device:
            device.load_btf(data, build_id() or b"")
    except DeviceError as error:
        raise BtfError(str(error)) from None
    except OSError as error:
        reasons = {
            errno.EPERM: "not permitted: CAP_SYS_ADMIN is needed",
            errno.EEXIST: "the module has the kernel's BTF already",
            errno.EINVAL: "the module finds it malformed, or of another kernel (see dmesg)",
        }
        raise BtfError("{}: {}".format(path, reasons.get(error.errno or 0, error.strerror))) from None
    return "{}: {} bytes loaded; served as {}".format(path, len(data), SERVED)


def show(path: str) -> str:
    """A few lines on a file."""
    data, about = read(path)
    blob = Blob(data)
    kinds = Counter(KINDS[entry.kind] for entry in blob.list)
    lines = [
        "{}: {} bytes, {} types, {} bytes of strings".format(path, len(data), len(blob.list), len(blob.strings)),
        "build id {}, release {}".format(about.get("build_id") or "unknown", about.get("release") or "unknown"),
        ", ".join("{} {}".format(count, kind) for kind, count in kinds.most_common()),
    ]
    return "\n".join(lines)
