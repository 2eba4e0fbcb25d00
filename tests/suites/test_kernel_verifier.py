# SPDX-License-Identifier: MIT
"""The kernel's test_verifier as the judge of our verifier: in user space (wherever its source package is installed), and
in machines natively and through the module. verifier_differences.json lists every case that is not as on Linux 6.1, and
why: a new one fails, and one that is gone. kernel_verifier.py, run as a script, writes the list."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kernel_verifier as suite
import pytest

from vm.paths import REPO

LISTED = json.loads(Path(__file__).with_name("verifier_differences.json").read_text())
needs_source = pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)

# All that may be accepted though Linux 6.1 rejects it: instructions that came later than 6.1.
LOOSER = {"invalid 64-bit BPF_END": "opcode 0xd7: bswap of RFC 9669"}


def hold(cases: dict[str, suite.Case], where: str, record: Any) -> None:
    """The differences are those listed; none of them is an acceptance beyond LOOSER."""
    found = suite.differences(cases, LISTED["reasons"])
    record("figures", suite.figures(found, cases))
    looser = {name for names in found.get("looser", {}).values() for name in names}
    assert looser <= LOOSER.keys(), f"accepted, and rejected by Linux 6.1: {sorted(looser - LOOSER.keys())}"
    assert found == LISTED.get(where, {}), f"not as listed for {where}; found:\n{json.dumps(found, indent=1)}"


@needs_source
def test_user_space(record_property: Any) -> None:
    hold(suite.read(suite.run_offline()), "user space", record_property)


@pytest.mark.full
@pytest.mark.only_kernels(lambda kernel: not kernel.is_debug)
@pytest.mark.timeout(2400)
@needs_source
def test_in_machine(guest: Any, record_property: Any) -> None:
    program, recorder = suite.build(), suite.recorder()
    shim = "" if guest.native else f":{REPO}/build/shim/libbpfcompat-preload.so"
    done = guest.run(["env", f"LD_PRELOAD={recorder}{shim}", str(program)], timeout=2000)
    assert done.returncode in (0, 1), done.stderr[-2000:]
    hold(suite.read(done.stdout), "native" if guest.native else guest.kernel.name, record_property)
