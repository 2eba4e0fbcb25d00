# SPDX-License-Identifier: MIT
"""`bpfcompat btf make`: BTF out of a vmlinux's DWARF, by pahole, adapted to what current programs ask for."""

import json
import mmap
import os
import re
import shutil
import subprocess
import sys
import tempfile
from typing import Any, Dict, Optional

from bpfcompat.btf.adapt import KABI, adapt
from bpfcompat.btf.blob import Blob, BtfError
from bpfcompat.btf.tracepoints import probes_of

# Each compilation unit counts for itself, so that one struct has as many spellings as units and none is recognised as the same.
_COUNTED = re.compile(b"\\0" + KABI.encode() + rb"[0-9_]+(?=\0)")
_BANNER = re.compile(rb"Linux version (\S+) \(")


def _elf(handle: Any) -> Any:
    try:
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile
    except ImportError:
        raise BtfError("pyelftools is needed: pip install pyelftools") from None
    try:
        return ELFFile(handle)
    except ELFError as error:
        raise BtfError("{}: not an ELF file ({})".format(handle.name, error)) from None


def inspect(vmlinux: str) -> Dict[str, Any]:
    """Build id and release of an image, and where its debug strings are."""
    with open(vmlinux, "rb") as handle:
        elf = _elf(handle)
        if elf.get_section_by_name(".debug_info") is None:
            raise BtfError("{}: has no debug information (.debug_info)".format(vmlinux))
        found = {"build_id": None, "release": None, "strings": None}  # type: Dict[str, Any]
        for section in elf.iter_sections():
            if section["sh_type"] == "SHT_NOTE":
                for note in section.iter_notes():
                    if note["n_type"] == "NT_GNU_BUILD_ID" and note["n_name"] == "GNU":
                        found["build_id"] = note["n_desc"]
        strings = elf.get_section_by_name(".debug_str")
        if strings is not None:
            found["strings"] = (strings["sh_offset"], strings["sh_size"], bool(strings["sh_flags"] & 0x800))
        handle.seek(0)
        with mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as view:
            banner = _BANNER.search(view)
            if banner:
                found["release"] = banner.group(1).decode("ascii", "replace")
    return found


def _uniform(vmlinux: str, strings: Any, folder: str) -> str:
    """The image, or where its names carry counters a copy in which they do not. The bytes freed become empty strings."""
    if strings is None:
        return vmlinux
    offset, size, compressed = strings
    with open(vmlinux, "rb") as handle:
        handle.seek(offset)
        data = handle.read(size)
    if compressed or not _COUNTED.search(data):
        return vmlinux
    wanted = b"\0" + KABI.encode()
    data = _COUNTED.sub(lambda match: wanted.ljust(len(match.group()), b"\0"), data)
    copy = os.path.join(folder, "vmlinux")
    shutil.copyfile(vmlinux, copy)
    with open(copy, "r+b") as handle:
        handle.seek(offset)
        handle.write(data)
    return copy


def _pahole(pahole: str, image: str, out: str) -> None:
    # enum64 is newer than the libbpf in many programs, and these kernels have hardly any.
    command = [pahole, "-J", "--btf_gen_floats", "--skip_encoding_btf_enum64", "--btf_encode_detached=" + out, image]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    except OSError as error:
        raise BtfError("{} (package dwarves) cannot be run: {}".format(pahole, error.strerror)) from None
    if done.returncode or not os.path.exists(out):
        text = done.stdout.decode("utf-8", "replace").strip()
        raise BtfError("{} failed: {}".format(" ".join(command), text[-2000:] or "no message"))


def make(vmlinux: str, output: Optional[str], pahole: str = "pahole") -> None:
    """Writes OUTPUT (plain BTF) and OUTPUT.json (of which kernel it is)."""
    output = output or vmlinux + ".btf"
    found = inspect(vmlinux)
    with tempfile.TemporaryDirectory(prefix="bpfcompat-btf-", dir=os.path.dirname(os.path.abspath(output))) as folder:
        image = _uniform(vmlinux, found["strings"], folder)
        raw = os.path.join(folder, "raw.btf")
        _pahole(pahole, image, raw)
        with open(raw, "rb") as handle:
            blob = Blob(handle.read())
        with open(vmlinux, "rb") as handle:
            probes = probes_of(_elf(handle), blob)
        done = adapt(blob, probes)
        data = blob.pack()
        temp = os.path.join(folder, "out.btf")
        with open(temp, "wb") as handle:
            handle.write(data)
        about = {"build_id": found["build_id"], "release": found["release"], "size": len(data), "adapted": True}
        with open(temp + ".json", "w") as handle:
            json.dump(about, handle)
            handle.write("\n")
        os.rename(temp + ".json", output + ".json")
        os.rename(temp, output)
    sys.stderr.write(
        "{}: {} bytes, {} types, of kernel {} (build id {}); {} trace events and {} kABI members renamed\n".format(
            output,
            len(data),
            len(blob.list),
            found["release"] or "unknown",
            found["build_id"] or "none",
            done["trace_events"],
            done["kabi_members"],
        )
    )
