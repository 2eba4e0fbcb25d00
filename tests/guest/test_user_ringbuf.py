# SPDX-License-Identifier: MIT
"""User ring buffers (user_ringbuf_cases.py), natively and on the module: the same answers."""

from __future__ import annotations

import errno
import json
import select
from pathlib import Path
from typing import Any

from vm_plugin import Guest

SCRIPT = Path(__file__).with_name("user_ringbuf_cases.py")
EXPECTED: dict[str, Any] = {
    "empty": [[0, 0, 0], [select.POLLOUT]],
    "three": [3, 6, 0],
    "one discarded": [2, 9, 0],
    "busy": [0, 0, 16],
    "no more": [1, 6, 0],
    "ended by the callback": [1, 77, 16],
    "the rest": [1, 7, 0],
    "round and round": 40,
    "full": [],
    "and drained": [16, [select.POLLOUT]],
    "longer than what there is": [-errno.EINVAL, 0, 16],
    "longer than the buffer": -errno.E2BIG,
    "producer at an odd place": -errno.EINVAL,
    "consumer's page to write": "EPERM",
    "beyond the end": "EINVAL",
}


def test_user_ringbuf(guest: Guest) -> None:
    done = guest.run(guest.client(["/usr/bin/python3", str(SCRIPT)]), timeout=200)
    assert done.returncode == 0, done.stderr
    answers = json.loads(done.stdout)
    assert answers.pop("update") < 0
    assert answers == EXPECTED
