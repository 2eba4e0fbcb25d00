# SPDX-License-Identifier: MIT
"""The program cases of tests/programs on a kernel: verdict, errno, message, result; natively and through the module."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from programs import accept, cves, dynptr, kptr, map_in_map, reject, timer
from programs.btf_bad import BAD

SCRIPT = Path(__file__).with_name("verdicts.py")


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, bool], Any]:
    """By kernel and native: what the machine said, asked once."""
    return {}


def ask(guest: Any, answers: dict[tuple[str, bool], Any]) -> Any:
    key = (str(guest.kernel), guest.native)
    if key not in answers:
        tables = ["reject", "accept", "kptr", "cves", "dynptr", "map_in_map", "timer", "tracing", "btf"]
        result = guest.run(guest.client([sys.executable, str(SCRIPT), *tables]), timeout=300)
        assert result.returncode == 0, result.stderr
        answers[key] = json.loads(result.stdout)
    return answers[key]


def test_malformed_btf(guest: Any, answers: dict[tuple[str, bool], Any]) -> None:
    said = ask(guest, answers)
    wrong = []
    for name, error, message, _ in BAD:
        got, log, _ = said[f"btf/{name}"]
        if got != error or message not in log:
            wrong.append(f"{name}: {got}, want {error} {message!r}: {log[-300:]}")
    assert not wrong, "\n".join(wrong)


TABLES = [reject, accept, kptr, cves, dynptr, map_in_map, timer]


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.__name__.rpartition(".")[2])
def test_verdicts(guest: Any, answers: dict[tuple[str, bool], Any], table: Any) -> None:
    said = ask(guest, answers)
    wrong = []
    for case in table.CASES:
        if guest.native and case.native_differs:
            continue
        error, log, value = said[case.name]
        # A kernel of 3.10's age has no struct bpf_map in its BTF: what needs that is refused there for want of it.
        if case.needs_btf and not guest.native and error in ("ENOTSUPP", "EINVAL"):
            continue
        if error != case.error or case.message not in log or (case.result is not None and value != case.result):
            wrong.append(f"{case.name}: {error or 'ok'} {value}, want {case.error or 'ok'} {case.result}: {log[-300:]}")
    assert not wrong, "\n".join(wrong)


def test_tracing_verdicts(guest: Any, answers: dict[tuple[str, bool], Any]) -> None:
    """Programs with the kernel's own types (tests/programs/tracing.py): the cases are made in the machine."""
    said = {name: answer for name, answer in ask(guest, answers).items() if name.startswith("tracing/")}
    wrong = []
    for name, (error, log, _, wanted, message) in said.items():
        if error != wanted or message not in log:
            wrong.append(f"{name}: {error or 'ok'}, want {wanted or 'ok'} {message!r}: {log[-400:]}")
    assert not wrong, "\n".join(wrong)
    assert len(said) > 50
