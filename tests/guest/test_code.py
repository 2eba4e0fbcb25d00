# SPDX-License-Identifier: MIT
"""What is told of a program's generated code, natively and on the module: its bytes, addresses, lines and names."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

from vm_plugin import Guest

SCRIPT = Path(__file__).with_name("code_cases.py")
COUNTS = ("nr_jited_ksyms", "nr_jited_func_lens", "nr_line_info", "nr_jited_line_info", "nr_prog_tags")


def boundaries(code: bytes, path: Path) -> dict[int, str]:
    """Where instructions begin, and their text: by objdump, since Debian's bpftool is built without a disassembler."""
    path.write_bytes(code)
    command = ["objdump", "-D", "-z", "-b", "binary", "-m", "i386:x86-64", "--no-show-raw-insn", path]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return {int(at, 16): insn.strip() for at, insn in re.findall(r"^\s*([0-9a-f]+):\t(.*)$", text, re.M)}


def check_lines(told: dict[str, Any], tmp_path: Path) -> None:
    starts, lengths = told["jited_ksyms"], told["jited_func_lens"]
    lines = told["jited_line_info"]
    assert told["line_insns"] == [0, 2, 5, 9, 14]
    assert lines == sorted(set(lines))
    # The first line of each function stands where that begins.
    assert [lines[0], lines[3]] == starts
    code = bytes.fromhex(told["jited_prog_insns"])
    assert sum(lengths) == told["jited_prog_len"] == len(code)
    begin = 0
    for number, (start, length) in enumerate(zip(starts, lengths, strict=True)):
        insns = boundaries(code[begin : begin + length], tmp_path / f"code{number}")
        assert "(bad)" not in " ".join(insns.values()), insns
        assert any(re.match(r"ret|jmp", text) for text in insns.values())
        for line in lines[:3] if not number else lines[3:]:
            assert line - start in insns, f"{line - start:#x} is in the midst of an instruction: {insns}"
        begin += length


def test_code_is_told(guest: Guest, tmp_path: Path) -> None:
    result = guest.run(guest.client(["/usr/bin/python3", str(SCRIPT)]), timeout=200)
    assert result.returncode == 0, result.stderr
    facts = json.loads(result.stdout)
    told = facts["told"]
    assert facts["result"] == 41
    assert {count: told[count] for count in COUNTS} == dict(zip(COUNTS, (2, 2, 5, 5, 2), strict=True))
    assert told["rec_sizes"] == [16, 8]
    assert all(told["shown"])
    check_lines(told, tmp_path)

    hidden = facts["restricted"]
    assert {count: hidden[count] for count in COUNTS} == {count: told[count] for count in COUNTS}
    assert not any(bytes.fromhex(hidden["jited_prog_insns"]))
    assert not any(hidden["jited_ksyms"] + hidden["jited_func_lens"] + hidden["jited_line_info"])
    # Only pointers to what is hidden are cleared: not those to lines and tags.
    assert hidden["shown"] == [False, False, False, True, False, True]

    line = "; line 2; [file:a.c line_num:2 line_col:1]"
    for text in ("int outer_fn():", line, "call pc+7#", "r2 = map[id:", "int inner_fn():"):
        assert text in facts["bpftool"]
    check_names(facts)


def check_names(facts: dict[str, Any]) -> None:
    """Where the kernel has a table for names of generated code: there, in perf's records, and gone when the program is."""
    told = facts["told"]
    in_code = [
        any(start <= address <= start + length for address in facts["stack"])
        for start, length in zip(told["jited_ksyms"], told["jited_func_lens"], strict=True)
    ]
    if not facts["has_table"]:
        assert not facts["symbols"]
        assert not facts["records"]
        return
    # The stack that a helper sees goes through both functions.
    assert all(in_code), facts["stack"]
    names = {name: address for name, address in facts["symbols"].items() if name.endswith(("_outer_fn", "_inner_fn"))}
    outer = f"bpf_prog_{told['tag']}_outer_fn"
    inner = next(name for name in names if name.endswith("_inner_fn"))
    assert inner == f"bpf_prog_{told['prog_tags'][1]}_inner_fn"
    assert [names[outer], names[inner]] == told["jited_ksyms"]
    assert f"call pc+7#{inner}" in facts["bpftool"]
    came = [[name, address, length] for name, went, address, length in facts["records"] if not went and name in names]
    assert [outer, *told["jited_ksyms"][:1], told["jited_func_lens"][0]] in came
    assert [inner, told["jited_ksyms"][1], told["jited_func_lens"][1]] in came
    assert not facts["left"]
    assert {name for name, went, *_ in facts["gone"] if went} >= {outer, inner}
