# SPDX-License-Identifier: MIT
"""libFuzzer's target (tests/fuzz/libfuzzer.c): its first inputs; with --full a minute of it. docs/soundness.md has an hour."""

from __future__ import annotations

import subprocess
import sys

import pytest
from fuzz import libfuzzer


def test_first_inputs_are_what_the_target_takes_apart() -> None:
    made = libfuzzer.seeds(50)
    assert len(made) > 500
    heads = [data[:40] for data in made.values()]
    assert all(len(data) >= 40 + 8 * int.from_bytes(data[4:6], "little") for data in made.values())
    # programs, BTF, function and line records, maps of the input's own, the kernel's BTF: some of each
    assert any(head[4:6] != b"\0\0" for head in heads) and any(head[6:8] != b"\0\0" for head in heads)
    assert any(head[8] for head in heads) and any(head[9] for head in heads) and any(head[11] for head in heads)
    assert any(head[12:16] != bytes(4) for head in heads)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_minute() -> None:
    done = subprocess.run([sys.executable, libfuzzer.__file__, "--seconds", "60", "--seed", "1"], text=True, capture_output=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
