# SPDX-License-Identifier: MIT
"""The scripts of Debian's package bpftrace: what each is to say of the same activity, and how one that does not work is known."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from driver import Said, drive

from vm.kernels import Kernel
from vm.machine import VM

# Of everything something, done by a process that is called `actor`.
ACTIVITY = """
$ACT exec actor /tmp/actor-link seen-exec
$ACT open actor /tmp/opened /tmp/not-there
$ACT stat actor /var/tmp /tmp/no-stat
$ACT signal actor 40
$ACT serve actor 43210 unix-words
$ACT setuid actor 4242
$ACT sync actor /var/tmp/synced
$ACT vfs actor /tmp 5 5 5
$ACT statfs actor /tmp 2
$ACT disk actor /dev/vda 3
$ACT fork actor 3
$ACT sleep actor 600 2
"""
# What is done by libraries. A handshake without an answer fails; and its process stays until its functions have been named, which
# takes its mappings.
LIBRARIES = """
echo : seen-line | bash --norc -i
/usr/bin/python3 -ISc '
import socket, ssl, threading, time
thread = threading.Thread(target=print)
thread.start()
thread.join()
socket.getaddrinfo("localhost", 80)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
try:
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="x").do_handshake()
except ssl.SSLWantReadError as error:
    print(error)
time.sleep(2)
'
"""
OF_LIBRARIES = ("bashreadline.bt", "gethostlatency.bt", "ssllatency.bt", "sslsnoop.bt", "threadsnoop.bt")

# What must be said of it (old kernels tell no sizes of a file system's requests). The others wait for what is not made here:
# memory that runs out, packets that are lost, file systems.
SHOWS = {
    "bashreadline.bt": r"\d+ +: seen-line$",
    "biolatency.bt": r"^@usecs: \n\[",
    "biosnoop.bt": r"^\d+ +vda +actor +\d+ +\d+$",
    "biostacks.bt": r"^@usecs\[\n(?: +\S+\+\d+\n)+.*\]: \n\[",
    "bitesize.bt": r"^@\[actor\]: \n\[(?:4K, 8K\)|0\]) +3 ",
    "capable.bt": r" 0 +\d+ +actor +7 +CAP_SETUID ",
    "cpuwalk.bt": r"^@cpu: \n\[0, 1\) +\d+ ",
    "dcsnoop.bt": r" actor +[RM] (?:tmp/)?opened$",
    "execsnoop.bt": r"^\d+ +\d+ +/tmp/actor-link seen-exec$",
    "gethostlatency.bt": r"\d+ +python3 +\d+ +localhost$",
    "killsnoop.bt": r"\d+ +actor +40 +\d+ +0$",
    "loads.bt": r"load averages: \d+\.\d{3} \d+\.\d{3} \d+\.\d{3}$",
    "naptime.bt": r"\d+ +sh +\d+ +actor +0\.600$",
    "opensnoop.bt": r"^\d+ +actor +3 +0 /tmp/opened\n\d+ +actor +-1 +2 /tmp/not-there$",
    "pidpersec.bt": r"PIDs/sec: @: \d+$",
    "runqlat.bt": r"^@usecs: \n\[",
    "runqlen.bt": r"^@runqlen: \n\[",
    "setuids.bt": r"\d+ +actor +0 +setresuid ruid=0 euid=4242 suid=0 \(0\)$",
    "ssllatency.bt": r"^@histF\[\S+\]: \n\[1000, ...\) +1 ",
    "sslsnoop.bt": r"^\d+ +\d+ +python3 +\d+ +-1 SSL_do_handshake$",
    "statsnoop.bt": r"^\d+ +actor +0 /tmp$",
    "syncsnoop.bt": r"actor +tracepoint:syscalls:sys_enter_fsync\n.*actor +tracepoint:syscalls:sys_enter_fdatasync\n",
    "syscount.bt": r"^@process\[\S+\]: \d+$",
    "tcpaccept.bt": r"\d+ +actor +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +43210 +[01]/5$",
    "tcpconnect.bt": r"\d+ +actor +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +43210 *$",
    "tcplife.bt": r"^\d+ +actor +127\.0\.0\.1 +\d+ +127\.0\.0\.1 +43210 +0 +0 \d+$",
    "tcpsynbl.bt": r"^@backlog\[5\]: \n\[",
    "undump.bt": r" actor +\d+ +10 +unix-words$",
    "vfscount.bt": r"^@\[vfs_read\]: \d+$",
    "vfsstat.bt": r"^@\[vfs_read\]: \d+$",
}
SECONDS = 300  # headers of the kernel are read over 9p


@dataclass(frozen=True)
class Ran:
    """One run of a script."""

    name: str
    said: Said
    text: str

    @property
    def complaint(self) -> str:
        """Why it does not work, in bpftrace's words where it has some; empty where it does."""
        lines = [line for line in self.said.stderr.splitlines() if line.strip()]
        errors = [line for line in lines if "ERROR" in line]
        if errors or self.said.status or "Attaching" not in self.said.stdout:
            return "\n".join(errors or lines[-1:] or [f"status {self.said.status}, nothing said"])
        lost = set(re.findall(r"could not attach probe (\S+), skipping", self.said.stderr))
        for probes in clauses(self.text):
            if lost.issuperset(probes):
                return f"WARNING: could not attach probe {probes[0]}, skipping."
        if not re.search(SHOWS.get(self.name, ""), self.said.stdout, re.M):
            return f"the activity was not shown: {self.said.stdout[-600:]!r}"
        return ""


def clauses(text: str) -> list[list[str]]:
    """The probes before each block of a script; one of them is enough, as names differ from kernel to kernel."""
    code = re.sub(r"(?s)/\*.*?\*/", "", re.sub(r"(?m)^\s*//.*$", "", text))
    found = re.findall(r"(?m)^((?:\w+:[\w:.*/-]+,\s*)*\w+:[\w:.*/-]+)\s*(?:/.*/\s*)?\{", code)
    return [re.split(r",\s*", probes) for probes in found]


@cache
def _script(name: str) -> str:
    return Path("/usr/sbin", name).read_text()


def environment(kernel: Kernel) -> Mapping[str, str]:
    """Some scripts include a header of the kernel's; that of a tree is not where bpftrace looks by itself."""
    return {"BPFTRACE_STRLEN": "64"} if kernel.modules else {
        "BPFTRACE_STRLEN": "64", "BPFTRACE_KERNEL_SOURCE": str(kernel.build), "BPFTRACE_KERNEL_BUILD": str(kernel.build),
    }  # fmt: skip


def prepare(vm: VM) -> None:
    """A disk, and the modules whose functions scripts probe."""
    vm.run("for m in virtio_blk xfs md-mod; do modprobe $m 2>/dev/null; done")


def run(vm: VM, name: str, native: bool) -> Ran:
    """Runs one script; its text tells which probes can stand for each other."""
    shell = LIBRARIES if name in OF_LIBRARIES else ACTIVITY
    env = environment(vm.kernel)
    done = drive(vm, [f"/usr/sbin/{name}"], [], native=native, seconds=SECONDS, shell=shell, env=env)
    return Ran(name, done.tool, _script(name))
