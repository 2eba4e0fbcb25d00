# SPDX-License-Identifier: MIT
"""Who holds an object: unmodified bpftool finds out with an iterator over the files of all tasks; natively, too."""

from __future__ import annotations

import json
from pathlib import Path

import kernel_bpftool
import kernel_verifier as suite
import pytest
from vm_plugin import Guest

GUEST = Path(__file__).resolve().parent.parent / "guest"

# Prints its pid and the ids of what it holds, then what bpftool says of each kind.
HOLDER = """
import json, os, struct, subprocess, sys
sys.path.insert(0, sys.argv[1])
import bpfsys as b
fds = {
    "map": b.check(b.map_create(b.HASH, 4, 8, 3, name=b"held")),
    "prog": b.check(b.prog_load(kind=b.RAW_TRACEPOINT, prog_name=b"held")),
    "btf": b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\\0int\\0"))),
}
name = b.buf(b"sched_switch\\0")
fds["link"] = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), fds["prog"])))
out = {"pid": os.getpid()}
for kind, fd in fds.items():
    with open("/proc/self/fdinfo/%d" % fd) as file:
        number = int(file.read().split(kind + "_id:\\t")[1].split()[0])
    done = subprocess.run([sys.argv[2], "-j", kind, "show"], stdout=subprocess.PIPE, check=True)
    out[kind] = next(row.get("pids") for row in json.loads(done.stdout) if row["id"] == number)
print(json.dumps(out))
"""


@pytest.mark.full
@pytest.mark.skipif(not suite.SOURCE.exists(), reason=suite.SOURCE_MISSING)
def test_bpftool_tells_who_holds_what(guest: Guest) -> None:
    command = ["/usr/bin/python3", "-c", HOLDER, str(GUEST), str(kernel_bpftool.build())]
    done = guest.run(guest.client(command), timeout=300)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    mine = [{"pid": said.pop("pid"), "comm": "python3"}]
    assert said == dict.fromkeys(("map", "prog", "btf", "link"), mine)
