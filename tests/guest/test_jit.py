# SPDX-License-Identifier: MIT
"""Programs on a kernel by generated code, by the interpreter, and natively: the table of instruction vectors, loads
that fault, frames, and what is told of the code."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import vectors
from vm_plugin import Guest

from vm.btf import build_btf

REPO = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("jit_cases.py")
PART, EVERY = 400, 5
PARAMETERS = {"jit": "jit=1", "interpreter": "jit=0", "blinded": "jit_harden=1"}


def vector_file(later: bool) -> Path:
    """Every fifth vector, which is all kinds with all registers; @later: also encodings that Linux 6.1 does not know."""
    chosen = [vector for vector in vectors.table()[:: EVERY] if later or not vector.later]
    parts = []
    for start in range(0, len(chosen), PART):
        part = chosen[start : start + PART]
        values = vectors.contents(part), vectors.contents(part, after=True)
        parts.append((vectors.program(part, 0), *values, [v.name for v in part]))
    path = REPO / "build" / f"vectors-{'all' if later else 'old'}.pickle"
    path.parent.mkdir(exist_ok=True)
    # as a whole, since the machine of another worker may be reading it
    mine = path.with_suffix(f".{os.getpid()}")
    mine.write_bytes(pickle.dumps(parts))
    mine.replace(path)
    return path


def set_parameter(guest: Guest, name: str, value: str) -> None:
    assert guest.vm.run(f"echo {value} > /sys/module/bpfcompat/parameters/{name}").returncode == 0


@pytest.mark.parametrize("engine", PARAMETERS)
def test_engine(guest: Guest, engine: str) -> None:
    if guest.native and engine != "jit":
        pytest.skip("the engine is chosen by parameters of the module, which the native side does not use")
    btf: Any = build_btf(guest.kernel) or "/sys/kernel/btf/vmlinux"
    name, value = PARAMETERS[engine].split("=")
    script = ["/usr/bin/python3", str(SCRIPT), str(vector_file(not guest.native)), str(btf)]
    if guest.native:
        script.append("native")
    if not guest.native:
        set_parameter(guest, name, value)
    try:
        result = guest.run(guest.client(script), timeout=400)
    finally:
        if not guest.native:
            set_parameter(guest, name, "1" if name == "jit" else "0")
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    assert answers.pop("code_is_told") is (engine != "interpreter")
    wrong = {case: what for case, what in answers.items() if what != "ok"}
    assert not wrong, "\n".join(f"{case}:\n{what}" for case, what in wrong.items())
    assert len(answers) >= 6
