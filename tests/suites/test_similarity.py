# SPDX-License-Identifier: MIT
"""None of our C is the kernel's: what verifier/, the engines, maps, helpers and commands share with the sources of Linux 6.1's
BPF stays under thresholds (similarity.py: as the words stand, and by their shape alone), and a copy planted in them is found."""

from __future__ import annotations

import functools
import re
from typing import Any

import pytest
from similarity import EXACT, KEYWORDS, SHAPE, TREE, Finding, Mode, measure, theirs
from test_kernel_verifier import needs_source

from vm.paths import REPO

pytestmark = [pytest.mark.full, needs_source]

# Of all fingerprints, of one file's, and the longest run of tokens. Below them lies what two writers of one style share who must
# answer the same errno for the same fields in the same order: lists of opcodes and fields, tables of functions, prototypes.
LIMITS = {EXACT: (1.0, 4.0, 60), SHAPE: (1.5, 10.0, 110)}
measured = functools.cache(measure)


@pytest.mark.parametrize("mode", LIMITS, ids=lambda mode: mode.name)
def test_ours_is_ours(mode: Mode, record_property: Any) -> None:
    finding = measured(mode)
    overall, of_file, run = LIMITS[mode]
    limits = f"{finding}; allowed {overall}%, {of_file}%, {run} tokens"
    print(limits)
    record_property("figures", limits)
    longest = "\n".join(f"{run.length} tokens: {run.ours} ~ {run.theirs}" for run in finding.runs[:10])
    assert sum(report.total for report in finding.reports) > 20_000
    assert finding.share(finding.reports) <= overall, longest
    assert not [report.name for report in finding.reports if report.share > of_file and report.total >= 50], longest
    assert finding.runs[0].length <= run, longest


def function_of(path: str, name: str) -> str:
    """A function of the kernel's."""
    text = (TREE / path).read_text()
    match = re.search(rf"^static [^;{{}}]*\b{name}\([^;{{}}]*\)\n\{{.*?^\}}\n", text, re.M | re.S)
    assert match, f"no {name} in {path}"
    return match[0]


COPIES = [
    ("kernel/bpf/verifier.c", "check_stack_read_var_off"),
    ("kernel/bpf/verifier.c", "regsafe"),
    ("kernel/bpf/hashtab.c", "htab_map_get_next_key"),
    ("kernel/bpf/core.c", "bpf_adj_branches"),
    ("arch/x86/net/bpf_jit_comp.c", "emit_bpf_tail_call_direct"),
]


def told(finding: Finding, name: str, text: str) -> int:
    """Tokens of the longest run that is told of a file with @text at its end."""
    return finding.corpus.compare(name, text).longest


@pytest.mark.parametrize(("path", "name"), COPIES, ids=lambda value: value.rsplit("/")[-1])
def test_a_copy_is_found(path: str, name: str) -> None:
    theirs()
    own = (REPO / "verifier/mem.c").read_text()
    copy = function_of(path, name)
    _, _, exact = LIMITS[EXACT]
    assert told(measured(EXACT), "planted", own + copy) > exact
    # with other names, other numbers, other comments and lines
    renamed = re.sub(r"/\*.*?\*/", "", copy, flags=re.S)
    renamed = re.sub(r"\b[a-z_]\w*", lambda word: word[0] if word[0] in KEYWORDS else f"our_{word[0][::-1]}", renamed)
    renamed = re.sub(r"\s+", " ", renamed)
    _, _, shape = LIMITS[SHAPE]
    assert told(measured(EXACT), "planted", own + renamed) <= exact
    assert told(measured(SHAPE), "planted", own + renamed) > shape
    assert told(measured(SHAPE), "own", own) <= shape
