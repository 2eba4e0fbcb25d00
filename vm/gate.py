# SPDX-License-Identifier: MIT
"""Judges a kernel log: what the kernel complained of, and whether the module left anything behind."""

from __future__ import annotations

import re
from pathlib import Path

ALLOW_FILE = Path(__file__).parent / "log_allow.txt"

_TIME = re.compile(r"^(<\d+>)?\[ *\d+\.\d+\](\[ *[TC]\d+\])? ?")
# What no run may have in its log. Each is a report's first line, or one that stands in all of its kind.
COMPLAINTS = re.compile(
    "|".join(
        (
            r"\bWARNING:",
            r"\bBUG[: ]",
            r"kernel BUG at",
            r"\bOops\b",
            r"Kernel panic",
            r"general protection fault",
            r"unable to handle",
            r"double fault",
            r"\[ cut here \]",
            r"Call Trace:",
            r"scheduling while atomic",
            r"sleeping function called from invalid context",
            r"possible (circular|recursive) locking",
            r"possible irq lock inversion",
            r"inconsistent lock state",
            r"suspicious RCU usage",
            r"suspicious rcu_dereference",
            r"(rcu|INFO: rcu)\S* .*(detected stall|self-detected)",
            r"INFO: .*(lockdep|possible|inconsistent|task .* blocked for more than)",
            r"(soft|hard) LOCKUP|soft lockup",
            r"KASAN:|UBSAN:|KCSAN:|KMSAN:|KFENCE:",
            r"ODEBUG:",
            r"list_(add|del) corruption",
            r"(Redzone|Poison|Padding) overwritten|Object already free|Objects remaining in",
            r"refcount_t:",
            r"Bad page state",
            r"\btaint",
            r"^bpfcompat: leak\b",
            r"stack-?protector|kernel stack overflow",
        )
    )
)
_UNLOADED = re.compile(r"^bpfcompat: unloaded, objects=(\d+) bytes=(\d+)$")


def clean(line: str) -> str:
    """The line without its time stamp, and without the carriage return of the serial console."""
    return _TIME.sub("", line.rstrip("\r\n"))


def load_allowed(path: Path = ALLOW_FILE) -> list[re.Pattern[str]]:
    """The allow-list: each entry is a whole line, or a whole-line regular expression after `re `; # gives reasons."""
    allowed = []
    reason = ""
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if line.startswith("#"):
            reason = line
        elif not line.strip():
            reason = ""
        else:
            if not reason:
                raise ValueError(f"{path}:{number}: an entry without a reason above it")
            allowed.append(re.compile(line[3:] if line.startswith("re ") else re.escape(line)))
    return allowed


def complaints(log: str, allowed: list[re.Pattern[str]] | None = None) -> list[str]:
    """The lines of a kernel log that fail a run."""
    allowed = load_allowed() if allowed is None else allowed
    found = []
    for raw in log.splitlines():
        line = clean(raw)
        if COMPLAINTS.search(line) and not any(pattern.fullmatch(line) for pattern in allowed):
            found.append(line)
    return found


def unload_complaints(log: str) -> list[str]:
    """What is wrong with the module's own account of its unloading; `log` is what came after the request."""
    accounts = [match for match in map(_UNLOADED.match, map(clean, log.splitlines())) if match]
    if not accounts:
        return ["bpfcompat: nothing says that it left nothing (no line `bpfcompat: unloaded, objects=… bytes=…`)"]
    return [f"left behind at unload: {match[0]}" for match in accounts if match.groups() != ("0", "0")]


def leaks(reports: str, texts: list[range]) -> list[str]:
    """Those of kmemleak's reports whose memory code in one of the ranges had allocated; what else a kernel loses is not ours."""
    found = []
    for report in reports.split("unreferenced object")[1:]:
        addresses = [int(word, 16) for word in re.findall(r"\b(?:0x)?(f{5}[0-9a-f]{11})\b", report)]
        if "[bpfcompat]" in report or any(address in text for address in addresses for text in texts):
            found.append(f"kmemleak: unreferenced object{report.rstrip()}")
    return found
