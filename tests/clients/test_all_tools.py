# SPDX-License-Identifier: MIT
"""Every program of Debian's libbpf-tools and every script of its bpftrace starts: it loads, attaches and stays until it is
interrupted. all_tools_lacking.json lists those that do not, by kernel ("native": Debian's, by its own bpf(2)), with what they
say: functions, events and fields that the kernel lacks, or hardware. Of bitesize the way for kernels before 5.11 is refused for
how it comes by its argument; natively that way has not been tried, as Debian's kernel takes the other. mdflush, which
starts natively on Debian's kernel, wants the types of a module. A kernel that is not in the list has not been judged, and
bpftrace on none: its scripts take half a minute each under emulation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import all_tools
import pytest

LISTED = json.loads(Path(__file__).with_name("all_tools_lacking.json").read_text())


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("package", ["libbpf-tools", "bpftrace"])
def test_each_starts(guest: Any, package: str, record_property: Any) -> None:
    names = all_tools.contents(package)
    where = "native" if guest.native else guest.kernel.name
    listed = LISTED.get(package, {}).get(where)
    if not names or listed is None:
        pytest.skip(f"{package} is not installed" if not names else f"{package} has not been judged on {where}")
    script = ["sh", "-c", all_tools.script(package, names)]
    done = guest.run(guest.client(script), timeout=2900)
    found = all_tools.read(done.stdout)
    assert found.keys() == set(names), done.stderr[-2000:]
    refused = {name: outcome.complaint for name, outcome in found.items() if not outcome.works}
    record_property("figures", f"{len(names) - len(refused)} of {len(names)} of {package} start")
    unexpected = {name: said for name, said in refused.items() if name not in listed or not said.startswith(listed[name])}
    assert not unexpected, json.dumps(unexpected, indent=1)
    started = sorted(listed.keys() - refused.keys())
    # What a kernel lacks is a matter of its configuration, too, which is everybody's own where it comes in no package.
    assert not started or guest.kernel.modules is None, f"these start and are listed: {started}"
