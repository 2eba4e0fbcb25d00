# SPDX-License-Identifier: MIT
"""Places in the repository and its build folder, and the lock that guards what several processes may build."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
BUILD = REPO / "build"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Holds build/NAME.lock, so that two processes do not build the same thing at once."""
    path = BUILD / f"{name}.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
