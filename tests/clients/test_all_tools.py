# SPDX-License-Identifier: MIT
"""
Every program of Debian's libbpf-tools starts: it loads, attaches and stays until it is interrupted; and every script of its
bpftrace shows what is done meanwhile, where that is something that can be done here. all_tools_lacking.json lists those that do
not, by kernel ("native": Debian's, by its own bpf(2)), with what they say: functions, events and fields that the kernel lacks,
or hardware. A kernel that is not in the list has not been judged.

Of bitesize the way for kernels before 5.11 is refused for how it comes by its argument, as Linux 6.1 refuses it in the same
words (`setarch --uname-2.6 bitesize`). biosnoop goes by a pointer that it had a helper read from the stack, and that is a
number from then on, to Linux 6.1's verifier, too; natively it ends before, for want of a function. mdflush, which starts
natively on Debian's kernel, wants the types of a module. cachestat wants a line in /proc/meminfo that came with 3.14. javagc
wants a process with a Java machine in it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import all_tools
import bpftrace_scripts
import pytest

LISTED = json.loads(Path(__file__).with_name("all_tools_lacking.json").read_text())


def judged(guest: Any, package: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """The programs of the package, and those that this kernel is known to lack."""
    names = all_tools.contents(package)
    where = "native" if guest.native else guest.kernel.name
    listed = LISTED[package].get(where)
    if not names or listed is None:
        pytest.skip(f"{package} is not installed" if not names else f"{package} has not been judged on {where}")
    assert not listed.keys() - set(names), f"listed, and not in {package}: {sorted(listed.keys() - set(names))}"
    return names, listed


def compare(names: Sequence[str], listed: Mapping[str, str], refused: Mapping[str, str]) -> None:
    """What does not work must be listed, with words that it says, and what is listed must not work."""
    unexpected = {name: said for name, said in refused.items() if not listed.get(name) or listed[name] not in said}
    started = sorted(listed.keys() - refused.keys())
    assert not unexpected and not started, f"{json.dumps(unexpected, indent=1)}\nthese work and are listed: {started}"


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(3000)
def test_each_tool_starts(guest: Any, record_property: Any) -> None:
    names, listed = judged(guest, "libbpf-tools")
    script = ["sh", "-c", all_tools.script(names)]
    done = guest.run(guest.client(script), timeout=2900)
    found = all_tools.read(done.stdout)
    assert found.keys() == set(names), done.stderr[-2000:]
    refused = {name: outcome.complaint for name, outcome in found.items() if not outcome.works}
    record_property("figures", f"{len(names) - len(refused)} of {len(names)} of libbpf-tools start")
    compare(names, listed, refused)


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(7200)
def test_each_script_shows_what_is_done(guest: Any, record_property: Any) -> None:
    names, listed = judged(guest, "bpftrace")
    bpftrace_scripts.prepare(guest.vm)
    refused = {}
    for name in names:
        complaint = bpftrace_scripts.run(guest.vm, name, guest.native).complaint
        if complaint:
            refused[name] = complaint
    record_property("figures", f"{len(names) - len(refused)} of {len(names)} of bpftrace's scripts work")
    compare(names, listed, refused)
