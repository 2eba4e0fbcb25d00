# SPDX-License-Identifier: MIT
"""Bad input gets Linux's errno: the same calls (errno_cases.py) answered by the module on every kernel, and by 6.1's own bpf(2).

errno_expected.json holds what Linux 6.1 answered; the native run proves that it still does. To make it again:
    python3 -m vm run -k debian-6.1 --native --no-module -- \\
        /usr/bin/python3 tests/guest/errno_cases.py > tests/guest/errno_expected.json
"""

from __future__ import annotations

import json
from pathlib import Path

from vm_plugin import Guest

HERE = Path(__file__).parent

# Where the module's answer is another on purpose: case -> (answer, reason).
DIFFERENT: dict[str, tuple[str, str]] = {
    "Bloom filter, 2^32 - 1 entries": ("ENOMEM", "512 MB: more than the quarter of the memory that all maps may take"),
}


def test_errno(guest: Guest) -> None:
    expected = json.loads((HERE / "errno_expected.json").read_text())
    if not guest.native:
        expected.update({name: answer for name, (answer, _) in DIFFERENT.items()})
    result = guest.script("errno_cases.py")
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = {
        name: f"{answers.get(name)}, Linux: {expected.get(name)}"
        for name in {**expected, **answers}
        if answers.get(name) != expected.get(name)
    }
    assert not wrong, f"{len(wrong)} of {len(expected)} differ:\n" + "\n".join(
        f"{name}: {what}" for name, what in sorted(wrong.items())
    )
    assert len(answers) > 900
