# SPDX-License-Identifier: MIT
"""The whole table of instruction vectors, later encodings included, natively on a kernel that knows them: Debian's 6.12."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
import vectors

from vm.kernels import find_kernel
from vm.machine import VM

REPO = Path(__file__).resolve().parents[2]
SCRIPT = Path(__file__).with_name("jit_cases.py")
PART = 400


def vector_file() -> Path:
    """Of vectors that all kernels know every fifth, of the later encodings all."""
    table = vectors.table()
    chosen = [vector for index, vector in enumerate(table) if vector.later or not index % 5]
    assert sum(vector.later for vector in chosen) > 1000
    parts = []
    for start in range(0, len(chosen), PART):
        part = chosen[start : start + PART]
        values = vectors.contents(part), vectors.contents(part, after=True)
        parts.append((vectors.program(part, 0), *values, [v.name for v in part]))
    path = REPO / "build/vectors-later.pickle"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(pickle.dumps(parts))
    return path


def test_vectors_natively() -> None:
    try:
        kernel = find_kernel("debian-6.12")
    except LookupError:
        pytest.skip("Debian's 6.12 is not at hand: `python3 -m vm fetch 6.12` gets it (100 MB)")
    with VM(kernel, module=False, quiet=True) as vm:
        script = ["/usr/bin/python3", str(SCRIPT), str(vector_file()), "/sys/kernel/btf/vmlinux", "native", "vectors"]
        result = vm.run(script, native=True, timeout=400)
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout) == {"vectors": "ok"}
