# SPDX-License-Identifier: MIT
"""Makes the user-space verifier (a package of its own under verifier/user) importable by tests."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "verifier/user"))

from bpfcompat_verifier import Run, Verdict, World, errno_name, func_name, lib

__all__ = ["Run", "Verdict", "World", "errno_name", "func_name", "lib"]
