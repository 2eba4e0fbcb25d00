# SPDX-License-Identifier: MIT
"""Loads the program cases of tests/programs inside a machine and prints one JSON object: case -> [errno or "", end of
the log, result of a run or null]. Run as a script, natively or under the shim; standard library only."""

from __future__ import annotations

import errno
import json
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, ".."), os.path.join(HERE, "..", "unit")]

import bpfsys as b
from kernel_btf import of_this_kernel
from programs import tracing
from programs.btf_bad import BAD, blob_of
from programs.case import BY_NAME, Case, MapSpec

_maps: dict[str, int] = {}


def name_of(code: int) -> str:
    return "ENOTSUPP" if code == 524 else errno.errorcode.get(code, str(code))


def fd_of(spec: MapSpec) -> int:
    """A fresh map for each case would take too long; values that a case changes are few, and reset here."""
    if spec.name not in _maps:
        more = {}
        types = spec.value_btf()
        if types:
            blob, key, value = types
            more = {"btf": b.check(b.btf_load(blob)), "btf_key": key, "btf_value": value}
        if spec.inner:
            more = {"inner": fd_of(BY_NAME[spec.inner])}
        _maps[spec.name] = b.check(
            b.map_create(spec.type, spec.key, spec.value, spec.entries, spec.flags, **more), spec.name
        )
        if spec.inner:
            b.check(b.update(_maps[spec.name], bytes(spec.key), struct.pack("<I", more["inner"])), spec.name)
        if spec.content:
            b.check(b.update(_maps[spec.name], bytes(4), spec.content), spec.name)
        if spec.freeze:
            b.check(b.call(b.MAP_FREEZE, struct.pack("<I", _maps[spec.name])), spec.name)
    elif spec.type == b.ARRAY and not spec.flags and not spec.value_btf():
        b.check(b.update(_maps[spec.name], bytes(4), bytes(spec.value)), spec.name)
    return _maps[spec.name]


def test_run(fd: int) -> int:
    """Return value of one run over a packet of zeros."""
    packet = b.buf(bytes(64))
    attr = b.buf(struct.pack("<IIIIQQIIIIQQIII4x", fd, 0, 64, 0, b.addr(packet), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    code = b.call(b.PROG_TEST_RUN, attr)
    return code if code < 0 else struct.unpack_from("<I", attr.raw, 4)[0]


def judge(case: Case) -> list[object]:
    code = case.code(fd_of)
    fields = {"expected_attach_type": case.attach_type, "prog_flags": case.flags}
    if case.target:
        fields["attach_btf_id"] = tracing.target_id(of_this_kernel(), case)
    licence = b"GPL" if case.gpl else b"Proprietary"
    blob, records = case.func_info()
    if blob:
        info = b.buf(records)
        fields.update(prog_btf_fd=b.check(b.btf_load(blob)), func_info_rec_size=8, func_info=b.addr(info))
        fields["func_info_cnt"] = len(records) // 8
    fd = b.prog_load(code, case.prog_type, license=licence, **fields)
    if fd >= 0:
        result = test_run(fd) if case.result is not None else None
        os.close(fd)
        return ["", "", result]
    again = b.Prog(code, case.prog_type, license=licence, log_level=1, log_size=1 << 18, **fields)
    again.load()
    if blob:
        os.close(fields["prog_btf_fd"])
    return [name_of(-fd), again.log_text()[-2000:], None]


def cases_of(table: str) -> list[Case]:
    """The cases of a table of tests/programs, or `fuzz:START:COUNT`: random programs by their seeds."""
    if table.startswith("fuzz:"):
        from fuzz import gen

        _, start, count = table.split(":")
        return [gen.make(seed) for seed in range(int(start), int(start) + int(count))]
    if table == "tracing":
        return tracing.cases(of_this_kernel())
    return __import__(f"programs.{table}", fromlist=["CASES"]).CASES


def judge_btf(blob: bytes) -> list[object]:
    log = b.buf(1 << 16)
    fd = b.btf_load(blob, log_level=1, log=log)
    if fd >= 0:
        os.close(fd)
    return [name_of(-fd) if fd < 0 else "", log.value.decode(errors="replace")[-1000:], None]


def main(tables: list[str]) -> None:
    answers = {}
    if "btf" in tables:
        answers.update({f"btf/{name}": judge_btf(blob_of(make)) for name, _, _, make in BAD})
    for table in [table for table in tables if table != "btf"]:
        for case in cases_of(table):
            answers[case.name] = judge(case)
            if table == "tracing":  # made here, so it is told what was wanted
                answers[case.name] += [case.error, case.message]
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1:])
