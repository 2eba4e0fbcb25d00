# SPDX-License-Identifier: MIT
"""How a script of bpftrace's is told to work: no machine is needed to judge what one said."""

from __future__ import annotations

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "clients"))

from bpftrace_scripts import Ran, clauses
from driver import Said

SCRIPT = """#!/usr/bin/env bpftrace
/*
 * kprobe:not_this {
 */
BEGIN { }
// kprobe:nor_this
kprobe:first,
kprobe:first_too
/@start[arg0] != 0 && pid/

{ $x = 1; }
tracepoint:raw_syscalls:sys_enter { @ = 1; }
interval:s:1
{ }
END { }
"""
LOST = "WARNING: could not attach probe kprobe:{}, skipping.\n"


def test_probes_that_stand_for_each_other() -> None:
    assert clauses(SCRIPT) == [["kprobe:first", "kprobe:first_too"], ["tracepoint:raw_syscalls:sys_enter"], ["interval:s:1"]]


@pytest.mark.parametrize(
    ("status", "stdout", "stderr", "complaint"),
    [
        (0, "Attaching 4 probes...\nload averages: 0.010 0.020 1.000\n", LOST.format("first"), ""),
        (0, "Attaching 4 probes...\n", "", "the activity was not shown"),
        (0, "Attaching 4 probes...\n", LOST.format("first") + LOST.format("first_too"), LOST.format("first").strip()),
        (0, "load averages: 0.010 0.020 1.000\n", "last words\n", "last words"),
        (1, "Attaching 4 probes...\nload averages: 0.010 0.020 1.000\n", "", "status 1"),
        (1, "", "a: ERROR: one\nb: ERROR: two\nmore\n", "a: ERROR: one\nb: ERROR: two"),
        (-9, "Attaching 4 probes...\nload averages: 0.010 0.020 1.000\n", "", "status -9"),
    ],
)
def test_complaints(status: int, stdout: str, stderr: str, complaint: str) -> None:
    said = Ran("loads.bt", Said(status, stdout, stderr), SCRIPT).complaint
    assert said.startswith(complaint) and bool(said) == bool(complaint)
