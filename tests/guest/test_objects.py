# SPDX-License-Identifier: MIT
"""Objects' fds, ids, references and privileges (object_cases.py), and what a client that dies leaves behind."""

from __future__ import annotations

import json
import time
from pathlib import Path

from vm_plugin import Guest

from vm.machine import VM

HERE = Path(__file__).parent

HOLDER = f"""
import os, struct, sys, time
sys.path.insert(0, {str(HERE)!r})
import bpfsys as b
fd = b.check(b.map_create(b.HASH, 4, 8, 100))
code = b.ld_imm64(1, 1, fd) + b.RETURN0
prog = b.check(b.prog_load(code, b.RAW_TRACEPOINT))
name = b.buf(b"sched_switch\\0")
link = b.check(b.call(b.RAW_TRACEPOINT_OPEN, struct.pack("<QI", b.addr(name), prog)))
b.check(b.btf_load(b.btf_blob(b.BTF_INT, b"\\0int\\0")))
print("holding", flush=True)
time.sleep(600)
"""


def alive(vm: VM) -> dict[str, int]:
    text = vm.run("cat /sys/kernel/debug/bpfcompat/stats").check().stdout
    counters = dict(line.split(": ") for line in text.splitlines())
    return {name: int(counters[name]) for name in ("maps", "progs", "links", "btfs")}


def settled(vm: VM, wanted: dict[str, int]) -> dict[str, int]:
    """The counts, once they are as wanted or have had time to be."""
    end = time.monotonic() + 20
    while (now := alive(vm)) != wanted and time.monotonic() < end:
        time.sleep(0.2)
    return now


def test_objects(guest: Guest) -> None:
    result = guest.script("object_cases.py")
    assert result.returncode == 0, result.stderr
    answers = json.loads(result.stdout)
    wrong = {name: what for name, what in answers.items() if what != "ok"}
    told = "\n".join(f"{name}:\n{what}" for name, what in wrong.items())
    assert not wrong, f"{len(wrong)} of {len(answers)}:\n{told}\n{result.stderr}"
    assert len(answers) >= 14


def test_a_killed_client_leaves_nothing_and_a_living_one_holds_the_module(vm: VM) -> None:
    nothing = {"maps": 0, "progs": 0, "links": 0, "btfs": 0}
    assert settled(vm, nothing) == nothing
    client = vm.popen(["bpfcompat", "run", "--", "/usr/bin/python3", "-c", HOLDER])
    try:
        client.wait_for("holding", timeout=120)
        assert alive(vm) == {"maps": 1, "progs": 1, "links": 1, "btfs": 1}
        refused = vm.run(["@rmmod", "bpfcompat"])
        assert refused.returncode != 0, "unloaded under a client's feet"
    finally:
        client.kill()
        client.wait(30)
    assert settled(vm, nothing) == nothing


def test_a_mounted_file_system_holds_the_module(vm: VM) -> None:
    mount = "import ctypes; libc = ctypes.CDLL(None); assert not libc.mount(b'none', b'/mnt', b'bpf', 0, None)"
    vm.run(["bpfcompat", "run", "--", "/usr/bin/python3", "-c", mount]).check()
    try:
        assert vm.run(["@rmmod", "bpfcompat"]).returncode != 0, "unloaded under a mount"
        vm.run("mkdir /mnt/dir && for i in 1 2 3 4 5 6 7 8 9; do ln -s dir /mnt/$i; done && test -d /mnt/9").check()
    finally:
        vm.run("umount /mnt").check()


def test_an_object_fd_takes_the_same_requests(vm: VM) -> None:
    script = f"""
import ctypes, fcntl, os, struct, sys
sys.path.insert(0, {str(HERE)!r})
import bpfsys as b
fd = b.check(b.map_create(b.ARRAY, 4, 8, 4))
request = lambda cmd, size: 3 << 30 | size << 16 | 0xBF << 8 | cmd
attr = bytearray(b.map_attr(b.ARRAY, 4, 8, 4))
other = fcntl.ioctl(fd, request(b.MAP_CREATE, len(attr)), attr)
assert other > fd, other
os.setresuid(65534, 65534, 65534)
try:
    fcntl.ioctl(fd, request(b.MAP_CREATE, len(attr)), attr)
    sys.exit("an fd from better days gave a map")
except PermissionError:
    pass
"""
    result = vm.run(["bpfcompat", "run", "--", "/usr/bin/python3", "-c", script], timeout=60)
    assert result.returncode == 0, result.stderr


def test_memory_is_counted_and_capped(vm: VM) -> None:
    script = f"""
import sys, time
sys.path.insert(0, {str(HERE)!r})
import bpfsys as b, os
LIMIT = "/sys/module/bpfcompat/parameters/max_memory"
def memory():
    text = open("/sys/kernel/debug/bpfcompat/stats").read()
    return int(dict(line.split(": ") for line in text.splitlines())["memory"])
def settled(wanted):
    end = time.monotonic() + 10
    while memory() != wanted and time.monotonic() < end:
        time.sleep(0.05)
    return memory()
# What a client before this one held goes a little later.
before = memory()
time.sleep(0.5)
while before != memory():
    before = memory()
    time.sleep(0.5)
old = open(LIMIT).read()
open(LIMIT, "w").write(str(before + (1 << 20)))
try:
    for kind in (b.ARRAY, b.HASH, b.PERCPU_ARRAY, b.LRU_HASH, b.STACK_TRACE):
        assert b.map_create(kind, 4, 64, 1 << 16) == -12, kind
    assert b.map_create(b.RINGBUF, 0, 0, 1 << 23) == -12
    assert settled(before) == before, (memory(), before)
    fd = b.check(b.map_create(b.ARRAY, 4, 8, 1000))
    assert before + 8000 <= memory() <= before + 20000, memory()
    os.close(fd)
    assert settled(before) == before, (memory(), before)
finally:
    open(LIMIT, "w").write(old)
os.close(b.check(b.map_create(b.ARRAY, 4, 64, 1 << 16)))
"""
    result = vm.run(["bpfcompat", "run", "--", "/usr/bin/python3", "-c", script], timeout=120)
    assert result.returncode == 0, result.stderr


def test_btf_of_another_kernel_is_refused(vm: VM) -> None:
    """The kernel's own BTF, or the one uploaded at load, stays; nothing of another kernel is taken."""
    script = """
import ctypes, fcntl, os, struct
blob = ctypes.create_string_buffer(open("/sys/kernel/btf/vmlinux", "rb").read())
notes = open("/sys/kernel/notes", "rb").read()
at = notes.index(struct.pack("<II", 20, 3) + b"GNU\\0") + 12
own = notes[at:at + 20]
device = os.open("/dev/bpfcompat", os.O_RDWR)
def load(build_id):
    fields = struct.pack("<QII20sB3x", ctypes.addressof(blob), len(blob) - 1, 0, build_id, len(build_id))
    try:
        fcntl.ioctl(device, 1 << 30 | len(fields) << 16 | 0xBE << 8 | 3, fields)
        return 0
    except OSError as error:
        return error.errno
print(load(bytes(20)), load(own[:19]), load(b""), load(own))
os.setresuid(65534, 65534, 65534)
print(load(own))
"""
    result = vm.run(["/usr/bin/python3", "-c", script], timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["116", "116", "116", "17", "1"], result.stdout


def test_fields_over_each_other_are_refused(vm: VM) -> None:
    """Linux 6.1 takes such a map, and a copy of its value then runs over 4 GiB: not asked natively."""
    script = f"""
import struct, sys
sys.path.insert(0, {str(HERE)!r})
import bpfsys as b
names = b"\\0u32\\0u64\\0bpf_spin_lock\\0bpf_timer\\0v\\0"
at = lambda name: names.index(b"\\0" + name + b"\\0") + 1
number = lambda name, size: struct.pack("<IIII", at(name), 1 << 24, size, 8 * size)
def record(kind, name, size, *members):
    return struct.pack("<III", at(name), kind << 24 | len(members), size) + b"".join(
        struct.pack("<III", 0, type_id, 8 * off) for type_id, off in members)
STRUCT, UNION = 4, 5
fields = number(b"u32", 4) + number(b"u64", 8) + record(STRUCT, b"bpf_spin_lock", 4, (1, 0))
fields += record(STRUCT, b"bpf_timer", 16, (2, 0), (2, 8))
def made(kind, size, *members):
    btf = b.check(b.btf_load(b.btf_blob(fields + record(kind, b"v", size, *members), names)), "btf")
    return b.map_create(b.ARRAY, 4, size, 1, btf=btf, btf_key=1, btf_value=5)
print(made(UNION, 16, (3, 0), (4, 0)), made(STRUCT, 16, (3, 0), (4, 0)), made(STRUCT, 24, (3, 0), (4, 8)) > 0)
"""
    result = vm.run(["bpfcompat", "run", "--", "/usr/bin/python3", "-c", script], timeout=60)
    assert result.returncode == 0, result.stderr
    assert result.stdout == "-17 -17 True\n"
