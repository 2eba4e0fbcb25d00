# SPDX-License-Identifier: MIT
"""`bpfcompat status`: the module's counters, for people and (with --json) for programs."""

import argparse
import json
import sys
from typing import List

from bpfcompat.device import Device, DeviceError

LABELS = (
    ("commands", "bpf commands served"),
    ("programs_run", "program runs"),
    ("missed", "events missed"),
    ("memory", "bytes in use"),
    ("memory_max", "bytes allowed"),
    ("maps", "maps"),
    ("progs", "programs"),
    ("links", "links"),
    ("btfs", "BTF objects"),
)


def main(argv: List[str]) -> int:
    parser = argparse.ArgumentParser(prog="bpfcompat status", description="The module's counters.")
    parser.add_argument("--json", action="store_true", help="as one JSON object")
    args = parser.parse_args(argv)
    try:
        with Device() as device:
            stats = device.stats()
            version = device.version
    except (DeviceError, OSError) as error:
        sys.stderr.write("bpfcompat: {}\n".format(error))
        return 1
    if args.json:
        print(json.dumps(dict(stats, version=version.text, abi=version.abi)))
        return 0
    print("module {}, interface {}".format(version.text, version.abi))
    for field, label in LABELS:
        print("{:>14} {}".format(stats[field], label))
    return 0
