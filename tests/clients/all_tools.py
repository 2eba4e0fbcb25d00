# SPDX-License-Identifier: MIT
"""Starts every program of Debian's libbpf-tools, one after the other in a machine: does each load its programs, attach them and
stay until it is interrupted, and if not, what does it say?"""

from __future__ import annotations

import re
import shlex
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import PurePath

# Arguments without which a program only prints its usage. PID is a process that sleeps.
ARGUMENTS = {
    "funclatency": ["vfs_read"], "ksnoop": ["trace", "vfs_read"], "javagc": ["-p", "PID"],
    "fsdist": ["-t", "ext4"], "fsslower": ["-t", "ext4"], "gethostlatency": [], "bashreadline": [],
    "drsnoop": [], "cpufreq": [],
}  # fmt: skip
SECONDS = 6
MARK = "=-=-="


@cache
def contents(package: str) -> tuple[str, ...]:
    """The programs of a package that is installed here; none where it is not."""
    done = subprocess.run(["dpkg", "-L", package], capture_output=True, text=True)
    found = [PurePath(line).name for line in done.stdout.splitlines() if line.startswith("/usr/sbin/")]
    return tuple(sorted(name for name in found if name.endswith(".bt") or package != "bpftrace"))


@dataclass(frozen=True)
class Outcome:
    """What became of one program."""

    name: str
    status: int
    seconds: float
    text: str

    @property
    def works(self) -> bool:
        """It stayed until it was interrupted, and had nothing to complain of; or it had done its work before."""
        return not self.complaint

    @property
    def complaint(self) -> str:
        """The line that tells why it does not work."""
        for pattern in COMPLAINTS:
            found = re.search(pattern, self.text, re.M)
            if found:
                return found[0].strip()
        if self.status in (0, 124, 130) or self.seconds >= SECONDS:
            return ""
        return (self.text.strip().splitlines() or ["nothing said"])[-1]


# Most telling first. What a tool says of a feature that it goes on without is not among them.
COMPLAINTS = [
    r"^failed to resolve CO-RE relocation.*$",
    r"^dereference of modified ctx.*$",
    r"^.*(?:unknown func|unknown kernel function|invalid argument to|program of this type cannot).*$",
    r"^libbpf: (?:prog|map|extern|elf|failed to find|kernel BTF).*(?:failed|not found|unsupported|can't|not supported).*$",
    r"^.*ERROR.*$",
    r"^(?i:failed to|couldn't|cannot|can't|could not|error).*$",
    r"^.*(?:No such file or directory|not supported|does not exist|not found).*$",
]


def script(names: tuple[str, ...]) -> str:
    """A shell script that runs each for some seconds. Output is cut: some never stop talking."""
    modules = "for m in ext4 xfs btrfs nfs md-mod; do modprobe $m 2>/dev/null; done"
    lines = [modules, "sleep 100000 & PID=$!"]
    for name in names:
        words = [word if word == "PID" else shlex.quote(word) for word in ARGUMENTS.get(name, [])]
        command = " ".join([f"/usr/sbin/{name}", *words]).replace("PID", "$PID")
        lines += [
            "begin=$(date +%s%N)",
            f"timeout --preserve-status -k 20 -s INT {SECONDS} {command} >/tmp/tool.out 2>&1 </dev/null",
            f"echo '{MARK} {name}' $? $(( ($(date +%s%N) - begin) / 1000000 ))",
            "{ head -c 1500; echo; echo ...; tail -c 1500; } </tmp/tool.out; echo",
        ]
    return "\n".join([*lines, "kill $PID"])


def read(text: str) -> dict[str, Outcome]:
    """The outcomes that a script printed."""
    found = {}
    parts = re.split(rf"(?m)^{MARK} (\S+) (\d+) (\d+)$", text)
    for name, status, millis, said in zip(parts[1::4], parts[2::4], parts[3::4], parts[4::4], strict=True):
        found[name] = Outcome(name, int(status), int(millis) / 1000, said)
    return found
