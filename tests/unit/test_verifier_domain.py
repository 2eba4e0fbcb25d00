# SPDX-License-Identifier: MIT
"""The abstract domain (verifier/tnum.c, bounds.c, scalar.c, refine.c) against arithmetic on random numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
PARTS = ("tnum", "bounds", "scalar", "refine")
ROUNDS = 300_000


def test_what_the_domain_concludes_is_true(tmp_path: Path) -> None:
    program = tmp_path / "verifier_domain"
    sources = [HERE / "verifier_domain.c", *(HERE.parents[1] / "verifier" / f"{part}.c" for part in PARTS)]
    subprocess.run(["gcc", "-O2", "-std=gnu99", "-o", str(program), *map(str, sources)], check=True, timeout=120)
    run = subprocess.run([str(program), str(ROUNDS)], capture_output=True, text=True, timeout=120)
    assert (run.returncode, run.stdout) == (0, "")
