# SPDX-License-Identifier: MIT
"""Makes docs/test-full.md out of the report of the last `make test-full` (build/guest-report.json)."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

REPO = Path(__file__).parent.parent
REPORT = REPO / "build/guest-report.json"
OUT = REPO / "docs/test-full.md"
HEAD = """# The last whole run

Made by `make test-full` (tools/test_summary.py); not edited by hand.

Commit {commit}, {date}, {minutes:.0f} minutes on 2 cores under emulation.

| | passed | failed | skipped | boot, s |
|---|---|---|---|---|
"""


def row(name: str, entry: dict[str, Any]) -> str:
    boot = entry.get("boot_seconds", "")
    return f"| {name} | {entry['passed']} | {entry['failed']} | {len(entry['skipped'])} | {boot} |\n"


def details(name: str, entry: dict[str, Any]) -> str:
    """What failed and what was skipped, reason by reason."""
    lines = [f"- {name}: FAILED {test}\n" for test in entry.get("failures", [])]
    reasons = Counter(reason.splitlines()[0] for reason in entry["skipped"].values())
    lines += [f"- {name}: skipped {count}: {reason}\n" for reason, count in sorted(reasons.items())]
    return "".join(lines)


def main() -> int:
    report = json.loads(REPORT.read_text())
    groups = dict(sorted(report["kernels"].items()))
    if "user space" in report:
        groups["user space"] = report["user space"]
    when = subprocess.run(["git", "log", "-1", "--format=%cs", report["commit"].removesuffix("-dirty")],
                          cwd=REPO, text=True, capture_output=True).stdout.strip()  # fmt: skip
    head = HEAD.format(commit=report["commit"][:12], date=when or time.strftime("%F"), minutes=report["seconds"] / 60)
    text = head + "".join(row(*item) for item in groups.items()) + "\n" + "".join(details(*item) for item in groups.items())
    OUT.write_text(text.rstrip("\n") + "\n")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
