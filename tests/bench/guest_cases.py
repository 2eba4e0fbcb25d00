# SPDX-License-Identifier: MIT
"""Runs the benchmarks inside a machine: the same script natively, under the shim, and on kernels that have neither.

usage: guest_cases.py CLASS LOOPS.so PROGS.json [PATTERN]; PROGS.json is the C programs' code, {name: hex}
Prints one JSON object: {case: [ns per operation of each round]}. Under QEMU's -icount a nanosecond is an instruction. Every case
proves that what it measures does its work. Standard library only.
"""

import fnmatch
import json
import sys

import bench_common
import bench_events
import bench_maps
import bench_run
import bench_wall

MODULES = (bench_run, bench_events, bench_maps, bench_wall)


def main():
    kind, library, table = sys.argv[1:4]
    pattern = sys.argv[4] if len(sys.argv) > 4 else "*"
    with open(table) as file:
        bench_common.host.open(library, json.load(file))
    out = {}
    for name, function in bench_common.CASES[kind].items():
        if fnmatch.fnmatch(name, pattern):
            try:
                out[name] = function()
            except (OSError, AssertionError) as error:
                out[name] = "%s: %s" % (type(error).__name__, error)
    print(json.dumps(out))


if __name__ == "__main__":
    main()
