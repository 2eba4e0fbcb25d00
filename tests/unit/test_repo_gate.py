# SPDX-License-Identifier: MIT
"""The gate's judgement of kernel logs, without a kernel."""

from __future__ import annotations

from pathlib import Path

import pytest

from vm import gate

BAD = [
    "[   12.345678] WARNING: CPU: 0 PID: 77 at kernel/trace/trace.c:1 f+0x1/0x2 [bpfcompat]",
    "[    1.000000] BUG: unable to handle kernel NULL pointer dereference at           (null)",
    "[    1.000000] BUG: scheduling while atomic: sh/1/0x00000002",
    "[    1.000000][  T123] Oops: 0000 [#1] SMP",
    "[    1.000000] kernel BUG at mm/slab.c:1!",
    "[    1.000000] [ INFO: possible circular locking dependency detected ]",
    "[    1.000000] WARNING: possible recursive locking detected",
    "[    1.000000] [ INFO: suspicious RCU usage. ]",
    "[    1.000000] INFO: rcu_sched self-detected stall on CPU { 0}",
    "[    1.000000] rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:",
    "[    1.000000] INFO: task kworker/0:1:11 blocked for more than 120 seconds.",
    "[    1.000000] BUG: KASAN: slab-out-of-bounds in f+0x1/0x2",
    "[    1.000000] UBSAN: shift-out-of-bounds in f.c:1:1",
    "[    1.000000] BUG kmalloc-64 (Tainted: G           O   ): Redzone overwritten",
    "[    1.000000] Kernel panic - not syncing: Fatal exception",
    "[    1.000000] general protection fault: 0000 [#1] SMP",
    "[    1.000000] watchdog: BUG: soft lockup - CPU#0 stuck for 22s!",
    "[    1.000000] bpfcompat: leak: objects=1 (maps=1 progs=0 btfs=0 links=0) bytes=64",
    "[    1.000000] other: loading out-of-tree module taints kernel.",
]
GOOD = [
    "[    0.000000] Linux version 3.10.108",
    "[    1.000000] bpfcompat: loading out-of-tree module taints kernel.",
    "[    1.000000] bpfcompat_gate: loading out-of-tree module taints kernel.",
    "[    1.000000] bpfcompat: module verification failed: signature and/or required key missing - tainting kernel",
    "[    1.000000] Disabling lock debugging due to kernel taint",
    "[    1.000000] bpfcompat: unloaded, objects=0 bytes=0",
    "[    1.000000] EDAC DEBUG: nothing of ours",
]


@pytest.mark.parametrize("line", BAD)
def test_complaint_is_found(line: str) -> None:
    assert gate.complaints(f"[ 0.1] fine\n{line}\r\n[ 9.9] fine\n") == [gate.clean(line)]


@pytest.mark.parametrize("line", GOOD)
def test_harmless_line_passes(line: str) -> None:
    assert gate.complaints(line + "\r\n") == []


def test_allowed_line_must_match_wholly() -> None:
    line = "bpfcompat: loading out-of-tree module taints kernel. WARNING: more"
    assert gate.complaints(line) == [line]


def test_allow_list_demands_reasons(tmp_path: Path) -> None:
    path = tmp_path / "allow.txt"
    path.write_text("# because\nWARNING: a (b)\n\nWARNING: c\n")
    with pytest.raises(ValueError, match=r"allow.txt:4: an entry without a reason"):
        gate.load_allowed(path)
    path.write_text("# because\nWARNING: a (b)\n")
    allowed = gate.load_allowed(path)
    assert gate.complaints("[    1.0] WARNING: a (b)\nWARNING: a b\n", allowed) == ["WARNING: a b"]


@pytest.mark.parametrize(
    ("log", "words"),
    [
        ("bpfcompat: unloaded, objects=0 bytes=0\n", None),
        ("[    5.000000] bpfcompat: unloaded, objects=0 bytes=0\r\n", None),
        ("", "nothing says"),
        ("bpfcompat: unloaded, objects=1 bytes=0\n", "left behind"),
        ("bpfcompat: unloaded, objects=0 bytes=64\n", "left behind"),
    ],
)
def test_account_at_unload(log: str, words: str | None) -> None:
    found = gate.unload_complaints(log)
    if words is None:
        assert found == []
    else:
        assert len(found) == 1
        assert words in found[0]


def test_leaks_are_told_by_the_modules_text() -> None:
    """By symbol while it is loaded, by address afterwards, in the forms of Linux 3.10 and of 6.1."""
    report = """unreferenced object 0xffff88003d0f2c80 (size 64):
  comm "insmod", pid 99, jiffies 4294900000 (age 10.000s)
  backtrace:
    {}
"""
    text = [range(0xFFFFFFFFA0000000, 0xFFFFFFFFA0010000)]
    ours = ["[<ffffffffa0001234>] 0xffffffffa0001234", "[<000000001234abcd>] 0xffffffffa000ffff"]
    ours += ["[<0>] bc_alloc+0x1/0x2 [bpfcompat]"]
    others = ["[<ffffffff81001234>] kmalloc+0x1/0x2", "[<000000001234abcd>] 0xffffffffa0010000"]
    for line in ours:
        assert len(gate.leaks(report.format(line), text)) == 1
    for line in others:
        assert gate.leaks(report.format(line), text) == []
    assert len(gate.leaks("".join(report.format(line) for line in ours + others), text)) == len(ours)
