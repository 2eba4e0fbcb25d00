# SPDX-License-Identifier: MIT
"""`bpfcompat doctor`: what this kernel offers, what is missing, and what to do about it. Changes nothing."""

import argparse
import ctypes
import errno
import json
import os
import platform
from typing import Any, Dict, List, NamedTuple, Optional

from bpfcompat import __version__
from bpfcompat import kernel as kernel_facts
from bpfcompat.btf.load import SERVED, default_places
from bpfcompat.device import ABI, PATH, Device, DeviceError
from bpfcompat.run import LIBRARY, library

# Exit statuses, by how far one is from running a program.
READY, PARTLY, NO_MODULE, DENIED, MISMATCH, IMPOSSIBLE = 0, 1, 3, 4, 5, 6
EPILOG = """exit status:
  0  ready: programs can be run
  1  programs can be run, but something that many of them need is missing
  2  wrong usage
  3  the module is not loaded
  4  this process may not use it
  5  module and shim are of different versions
  6  the module cannot work on this kernel
"""

_MACHINES = {"x86_64": 321, "aarch64": 280}  # and the number of bpf(2)
_CAP_SYS_ADMIN, _CAP_PERFMON, _CAP_BPF = 21, 38, 39

# What the module stands on: options of which one must be set, and what is lost without.
_ESSENTIAL = (("MODULES",), ("KALLSYMS",), ("KPROBES",), ("PERF_EVENTS",))
_USEFUL = (
    (("KALLSYMS_ALL",), "perf buffers on kernels without a BPF output event"),
    (("FTRACE_SYSCALLS",), "syscall tracepoints"),
    (("UPROBES", "UPROBE_EVENT", "UPROBE_EVENTS"), "user-space probes"),
    (("EVENT_TRACING",), "tracepoints"),
)


class Check(NamedTuple):
    """One finding; `state` is ok, missing, denied or bad."""

    name: str
    state: str
    detail: str
    todo: str = ""


def native_bpf() -> str:
    """Whether the kernel itself has bpf(2): present, denied, or absent. The preload library is stepped around."""
    number = _MACHINES.get(platform.machine())
    if number is None:
        return "unknown"
    if LIBRARY in os.environ.get("LD_PRELOAD", ""):
        return "unknown"
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    if libc.syscall(ctypes.c_long(number), ctypes.c_long(-1), None, ctypes.c_long(0)) >= 0:
        return "present"
    return {errno.ENOSYS: "absent", errno.EPERM: "denied"}.get(ctypes.get_errno(), "present")


def _capable() -> Optional[bool]:
    for line in (kernel_facts.read_text("/proc/self/status") or "").splitlines():
        if line.startswith("CapEff:"):
            bits = int(line.split()[1], 16)
            both = bits >> _CAP_BPF & bits >> _CAP_PERFMON & 1
            return bool(bits >> _CAP_SYS_ADMIN & 1 or both)
    return None


def _loaded() -> bool:
    return any(line.startswith("bpfcompat ") for line in (kernel_facts.read_text("/proc/modules") or "").splitlines())


class Doctor:
    """Collects the findings."""

    def __init__(self) -> None:
        self.checks = []  # type: List[Check]
        self.exit = READY
        self.stats = None  # type: Optional[Dict[str, int]]
        self.module = None  # type: Optional[str]

    def add(self, name: str, state: str, detail: str, todo: str = "", status: int = PARTLY) -> None:
        self.checks.append(Check(name, state, detail, todo))
        if state != "ok":
            self.exit = max(self.exit, status)

    def machine(self) -> None:
        name = platform.machine()
        if name in _MACHINES:
            self.add("machine", "ok", name)
        else:
            self.add("machine", "bad", name, "only {} are supported".format(", ".join(sorted(_MACHINES))), IMPOSSIBLE)

    def config(self) -> None:
        config = kernel_facts.config()
        if not config:
            self.add("config", "ok", "not readable; the module checks for itself when it is loaded")
            return
        lost = [names[0] for names in _ESSENTIAL if not any(config.get(name) in ("y", "m") for name in names)]
        if lost:
            self.add("config", "bad", "the kernel lacks " + ", ".join(lost), "a kernel with it is needed", IMPOSSIBLE)
        else:
            self.add("config", "ok", "has all that the module stands on")
        for names, use in _USEFUL:
            if not any(config.get(name) in ("y", "m") for name in names):
                self.add("config " + names[0], "missing", "no " + use, "a kernel built with it has them")

    def lockdown(self) -> None:
        text = kernel_facts.read_text("/sys/kernel/security/lockdown")
        if text and "[none]" not in text:
            self.add(
                "lockdown", "bad", text.strip(), "boot without lockdown: the module refuses to load under it", IMPOSSIBLE
            )

    def preload(self) -> None:
        found = library()
        if found:
            self.add("preload library", "ok", found)
        else:
            self.add("preload library", "missing", LIBRARY + " not found", "`make -C shim/preload` builds it")

    def device(self) -> None:
        capable = _capable()
        try:
            with Device() as device:
                self.module = device.version.text
                detail = "version {}, interface {}".format(device.version.text, device.version.abi)
                if capable is False:
                    todo = "run as root, or with CAP_SYS_ADMIN (or CAP_BPF and CAP_PERFMON)"
                    self.add("module", "denied", detail + "; this process lacks the capability", todo, DENIED)
                    return
                try:
                    self.stats = device.stats()
                except OSError as error:
                    self.add("module", "denied", "{}: {}".format(PATH, error.strerror), "see dmesg", DENIED)
                    return
                self.add("module", "ok", detail)
        except DeviceError as error:
            status, todo = {
                "absent": (NO_MODULE, "insmod bpfcompat.ko (or modprobe bpfcompat); dmesg says why where it refuses"),
                "denied": (DENIED, "run as root; the device is for all to open, so something else denies it"),
                "mismatch": (MISMATCH, "install module and shim of one version"),
            }.get(error.state, (NO_MODULE, "see dmesg"))
            state = {"absent": "missing", "denied": "denied"}.get(error.state, "bad")
            if error.state == "absent" and _loaded():
                todo = "the module is loaded: is /dev a devtmpfs? In a container, pass {} into it".format(PATH)
            self.add("module", state, str(error), todo, status)

    def btf(self) -> None:
        if os.access(SERVED, os.R_OK):
            self.add("BTF", "ok", SERVED)
            return
        place = next((name for name in default_places() if os.path.exists(name)), None)
        todo = "`bpfcompat btf load`" + (" ({} is there)".format(place) if place else " FILE")
        if place is None:
            todo += "; FILE by `bpfcompat btf make` from the kernel's debuginfo, or from BTFHub"
        self.add("BTF", "missing", "programs built to run on any kernel (CO-RE) will not load", todo)

    def tracing(self) -> None:
        tracefs, debugfs = kernel_facts.mounted("tracefs"), kernel_facts.mounted("debugfs")
        if tracefs or (debugfs and os.path.isdir(debugfs + "/tracing")):
            self.add("tracing files", "ok", tracefs or str(debugfs) + "/tracing")
        elif os.path.isdir("/sys/kernel/tracing/events"):
            self.add("tracing files", "ok", "/sys/kernel/tracing")
        else:
            self.add(
                "tracing files", "missing", "tracepoints cannot be found", "mount -t debugfs none /sys/kernel/debug"
            )
        if os.path.exists("/sys/bus/event_source/devices/kprobe"):
            self.add("kprobe events", "ok", "/sys/bus/event_source/devices/kprobe")
        elif self.module is not None:
            self.add("kprobe events", "missing", "no kprobe PMU: programs fall back to kprobe_events", "see dmesg")


def examine() -> Dict[str, Any]:
    """All findings, as `--json` prints them."""
    doctor = Doctor()
    steps = [
        doctor.machine, doctor.config, doctor.lockdown, doctor.preload, doctor.device, doctor.btf, doctor.tracing,
    ]  # type: List[Callable[[], None]]  # fmt: skip
    for step in steps:
        step()
    identity = kernel_facts.build_id()
    return {
        "exit": doctor.exit,
        "ready": doctor.exit in (READY, PARTLY),
        "shim": {"version": __version__, "abi": ABI},
        "module": doctor.module,
        "kernel": {
            "release": kernel_facts.release(),
            "machine": platform.machine(),
            "build_id": identity.hex() if identity else None,
            "bpf": native_bpf(),
        },
        "checks": [check._asdict() for check in doctor.checks],
        "stats": doctor.stats,
    }


_NATIVE = {
    "present": "has a bpf(2) of its own, which `bpfcompat run` never uses",
    "absent": "has no bpf(2)",
    "denied": "denies its bpf(2) to this process",
    "unknown": "(whether it has bpf(2) of its own was not asked)",
}


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="bpfcompat doctor",
        description="What this kernel offers, what is missing, what to do.",
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    args = parser.parse_args(argv)
    found = examine()
    if args.json:
        print(json.dumps(found))
        return int(found["exit"])
    print("kernel {} {}".format(found["kernel"]["release"], _NATIVE[found["kernel"]["bpf"]]))
    for check in found["checks"]:
        print("{:<8}{}: {}".format(check["state"], check["name"], check["detail"]))
        if check["todo"] and check["state"] != "ok":
            print("{:<8}to do: {}".format("", check["todo"]))
    if found["stats"]:
        print("counters: " + ", ".join("{} {}".format(key, value) for key, value in found["stats"].items()))
    words = {
        READY: "ready",
        PARTLY: "usable, with the gaps above",
        NO_MODULE: "not usable: no module",
        DENIED: "not usable by this process",
        MISMATCH: "not usable: versions differ",
        IMPOSSIBLE: "this kernel cannot carry the module",
    }
    print(words[found["exit"]])
    return int(found["exit"])
